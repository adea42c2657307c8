//! A sliding view as it stands now: what is stored, and what the log has had since.
//!
//! Any process may look: it reads the stored windows of the view and follows the log from where
//! they end, in memory. Whoever ticks stores that part sooner or later; nothing is counted twice,
//! because the stored cursor is the same before and after the rows were read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::core::{Core, Sight, refuse};
use super::happened::{Follower, read};
use super::keeper;
use crate::domain::Timestamp;
use crate::policy::{Each, WindowFacts};
use crate::protocol::{Refused, Why};
use crate::signals::calibration::{self, Calibration};
use crate::signals::overrides::{MIN_REVIEWED, Overrides, overrides};
use crate::signals::sequential::Arm;
use crate::signals::{
    Count, Counts, Drift, Feature, Figures, ModelReference, Part, Population, Reference, Row,
    Slice, Sums, View, Window, chi2, flow,
};

/// Entries that a look takes in by itself, when nobody ticks.
const TAIL: u64 = 200_000;
const PAGE: usize = 1_000;
/// So many slices are read one by one; more in one go with all others.
const ONE_BY_ONE: usize = 32;
/// Known outcomes that an ECE needs.
pub(super) const MIN_OUTCOMES: u64 = 100;

/// Of which slices a look takes in distributions and times; of the others it takes counts alone,
/// which are a small part of what is stored.
#[derive(Clone, Copy)]
pub(in crate::desk) struct Detail<'a> {
    pub(in crate::desk) kinds: &'a [&'static str],
    pub(in crate::desk) slice: Option<&'a Slice>,
}

impl<'a> Detail<'a> {
    /// Of slices of these kinds.
    pub(in crate::desk) fn of(kinds: &'a [&'static str]) -> Self {
        Self { kinds, slice: None }
    }

    fn takes(&self, slice: &Slice) -> bool {
        self.kinds.contains(&slice.kind()) || self.slice == Some(slice)
    }
}

/// The kind of slices that a rule is asked about.
pub(in crate::desk) fn kind(each: Each) -> &'static str {
    match each {
        Each::Overall => "overall",
        Each::Domain => "domain",
        Each::Model => "model",
        Each::Cohort => "cohort",
    }
}

/// A view, and what was before it.
pub(in crate::desk) struct Seen {
    pub(super) now: Timestamp,
    pub(super) window: Window,
    pub(super) reference: Arc<Reference>,
    pub(super) view: View,
    /// Counts of the 28 days before the view.
    pub(super) before: BTreeMap<Slice, Counts>,
    /// Overridden of reviewed in the 28 days before the view: all groups of a dimension together.
    dimensions: BTreeMap<String, Arm>,
    /// Equal parts of the view, oldest first.
    pub(super) parts: Vec<View>,
    /// Names that have no figures of their own.
    pub(super) capped: Vec<String>,
    /// Entries that are not counted yet, because there are too many to count while somebody waits.
    pub(super) uncounted: u64,
}

/// How one feature of a slice stands.
#[derive(Clone, Debug)]
pub(in crate::desk) struct Moved {
    pub(super) feature: Feature,
    /// The model whose feature it is.
    pub(super) model: Arc<str>,
    pub(super) population: Population,
    pub(super) reference: Vec<u64>,
    pub(super) current: Vec<u64>,
    /// Regular bins are in the order of numbers.
    pub(super) ordered: bool,
}

/// A slice's figures as rules on windows read them, and what is behind them.
#[derive(Clone, Debug)]
pub(in crate::desk) struct Figure {
    pub(in crate::desk) slice: Slice,
    pub(in crate::desk) facts: WindowFacts,
    /// Features with enough data by PSI, largest first: name (`model: feature` where a slice has
    /// several models), PSI, the chance of Pearson's χ² of the same counts at any moment of a
    /// window's length (1 where there is none: PSI's own null has no tail to trust that far out),
    /// and whether it is an alarm.
    pub(in crate::desk) features: Vec<(String, f64, f64, bool)>,
    /// P-value of one look against "overridden no more than before"; `None` without enough data.
    pub(in crate::desk) p_worse: Option<f64>,
}

impl Core {
    /// Look at a view; `parts` asks for its history too.
    pub(in crate::desk) fn look(
        &self,
        sight: &Sight,
        window: Window,
        detail: Detail<'_>,
        parts: bool,
    ) -> Result<Seen, Refused> {
        for _ in 0..8 {
            let before = keeper::cursor(self)?;
            let seen = self.look_from(sight, window, detail, parts, before.0.next)?;
            if keeper::cursor(self)?.1 == before.1 {
                return Ok(seen);
            }
        }
        Err(Refused::new(Why::Unavailable, "the windows keep changing under this question")
            .hint("try again in a moment"))
    }

    fn look_from(
        &self,
        sight: &Sight,
        window: Window,
        detail: Detail<'_>,
        parts: bool,
        from: u64,
    ) -> Result<Seen, Refused> {
        let now = sight.now;
        let (registry, _) = keeper::registry(self)?;
        let mut tail = Follower::new(registry, self.reference()?, false);
        tail.windows.advance_to(now);
        let head = self.store.head().map_err(refuse)?;
        let mut next = from;
        while next < head.min(from.saturating_add(TAIL)) {
            let page = self.store.follow(next, PAGE).map_err(refuse)?;
            let Some(last) = page.last() else { break };
            next = last.index + 1;
            for seen in &page {
                tail.take(self, seen)?;
            }
        }
        tail.flush(self)?;

        let mut seen = Seen {
            now,
            window,
            reference: tail.reference.clone(),
            view: View::default(),
            before: BTreeMap::new(),
            dimensions: BTreeMap::new(),
            parts: Vec::new(),
            capped: tail.windows.registry().capped(),
            uncounted: head.saturating_sub(next),
        };
        if parts {
            seen.parts = vec![View::default(); window.parts()];
        }
        let spans = window.spans(now);
        for span in &spans {
            let rows = read(self, span.tier, span.from, span.to, None, Some(""))?;
            for (start, slice, part, sums) in rows {
                seen.add(start, &slice, &part, &sums);
            }
        }
        // Whatever has distributions or times has counts.
        let detailed: Vec<Option<Slice>> =
            seen.view.slices.keys().filter(|s| detail.takes(s)).cloned().map(Some).collect();
        let detailed = if detailed.len() > ONE_BY_ONE { vec![None] } else { detailed };
        for (span, of) in spans.iter().flat_map(|span| detailed.iter().map(move |of| (span, of))) {
            let rows = read(self, span.tier, span.from, span.to, of.as_ref(), None)?;
            for (start, slice, part, sums) in rows {
                if part != Part::Counts && detail.takes(&slice) {
                    seen.add(start, &slice, &part, &sums);
                }
            }
        }
        for Row { start, slice, part, sums, .. } in tail.windows.rows(&spans) {
            seen.add(start, &slice, &part, &sums);
        }
        let before = window.before(now);
        for span in &before {
            for (_, slice, _, sums) in read(self, span.tier, span.from, span.to, None, Some(""))? {
                seen.before.entry(slice).or_default().add_sums(&sums);
            }
        }
        for row in tail.windows.rows(&before).iter().filter(|r| r.part == Part::Counts) {
            seen.before.entry(row.slice.clone()).or_default().add_sums(&row.sums);
        }
        seen.dimensions = by_dimension(&seen.before);
        Ok(seen)
    }
}

impl Seen {
    fn add(&mut self, start: i64, slice: &Slice, part: &Part, sums: &Sums) {
        self.view.add(slice, part, sums);
        if !self.parts.is_empty()
            && !matches!(part, Part::Time(_))
            && let Some(place) = self.window.part(self.now, start)
            && let Some(view) = self.parts.get_mut(place)
        {
            view.add(slice, part, sums);
        }
    }

    /// The override rate of a slice against its own before. A group that hardly has a past is held
    /// against all groups of its dimension before the view: who comes new is where shifts begin.
    pub(super) fn overrides(&self, slice: &Slice) -> Overrides {
        let arm = |c: &Counts| Arm::new(c.overridden(), c.reviewed());
        let none = Arm::default();
        let own = self.before.get(slice).map_or(none, arm);
        let before = match slice {
            Slice::Cohort { dimension, .. } if own.n < MIN_REVIEWED => {
                self.dimensions.get(dimension).copied().unwrap_or(own)
            }
            _ => own,
        };
        overrides(self.view.slices.get(slice).map_or(none, |f| arm(&f.counts)), before)
    }

    /// Arrivals in a slice in the last whole part of the view, in standard deviations from the parts
    /// before it; what came before the slice's first decision in view does not count.
    pub(in crate::desk) fn arrival_z(&self, slice: &Slice) -> Option<f64> {
        let count =
            |part: &View| part.slices.get(slice).map_or(0, |f| f.counts.get(Count::Decisions));
        let history: Vec<u64> = self.parts.iter().map(count).skip_while(|n| *n == 0).collect();
        // The newest part is not over yet, and the first one may have begun in its middle.
        let (_, complete) = history.split_last()?;
        let (last, before) = complete.get(1..)?.split_last()?;
        flow::arrival_z(before, *last)
    }

    /// Calibration of a slice; `None` with too few known outcomes.
    pub(super) fn calibration(counts: &Counts) -> Option<Calibration> {
        let mut found = calibration::from_sums(&counts.calibration())?;
        found.brier = counts.brier();
        Some(found).filter(|c| c.n > 0)
    }

    /// How the features of a slice stand against its reference, those of the largest PSI first.
    pub(super) fn moved(&self, slice: &Slice) -> Vec<Moved> {
        self.view.slices.get(slice).map_or_else(Vec::new, |f| moved(&self.reference, slice, f))
    }

    /// The figures of every slice of a kind, as `[[effect]] on = "window"` reads them.
    pub(in crate::desk) fn figures(&self, each: Each) -> Vec<Figure> {
        let kind = kind(each);
        let slices = self.view.slices.iter().filter(|(slice, _)| slice.kind() == kind);
        slices.map(|(slice, figures)| self.figure(slice, figures)).collect()
    }

    fn figure(&self, slice: &Slice, figures: &Figures) -> Figure {
        let counts = &figures.counts;
        let overrides = self.overrides(slice);
        let moved: Vec<Moved> = self
            .moved(slice)
            .into_iter()
            .filter(|m| m.population.verdict() != Drift::NotEnoughData)
            .collect();
        let largest = |of: fn(&Population) -> f64| {
            moved.iter().map(|m| of(&m.population)).max_by(f64::total_cmp)
        };
        let clocked = counts.get(Count::InTime) + counts.get(Count::Late);
        let models = figures.population.len();
        let features = moved
            .iter()
            .map(|m| {
                let name = if models > 1 {
                    format!("{}: {}", m.model, m.feature)
                } else {
                    m.feature.to_string()
                };
                let alarm = m.population.verdict() == Drift::Drift;
                let p = chi2::homogeneity(&m.reference, &m.current)
                    .map_or(1.0, |test| test.p_scanned());
                (name, m.population.psi, p, alarm)
            })
            .collect();
        Figure {
            slice: slice.clone(),
            features,
            p_worse: overrides.p_higher,
            facts: WindowFacts {
                override_rate: overrides.rate,
                override_low: overrides.interval.map(|i| i.low),
                override_high: overrides.interval.map(|i| i.high),
                override_baseline: overrides.baseline,
                override_worse: overrides.standing.is_worse(),
                reviewed: counts.reviewed(),
                psi: largest(|p| p.psi),
                kl: largest(|p| p.kl),
                drift: (!moved.is_empty())
                    .then(|| moved.iter().any(|m| m.population.verdict() == Drift::Drift)),
                ece: Self::calibration(counts).filter(|c| c.n >= MIN_OUTCOMES).map(|c| c.ece),
                sla_compliance: (clocked > 0).then(|| share(counts.get(Count::InTime), clocked)),
            },
        }
    }
}

/// Overridden of reviewed, all groups of a dimension together.
fn by_dimension(slices: &BTreeMap<Slice, Counts>) -> BTreeMap<String, Arm> {
    let mut found = BTreeMap::<String, Arm>::new();
    for (slice, counts) in slices {
        if let Slice::Cohort { dimension, .. } = slice {
            let all = found.entry(dimension.clone()).or_default();
            *all = Arm::new(all.k + counts.overridden(), all.n + counts.reviewed());
        }
    }
    found
}

/// How the features of a slice stand against its reference, those of the largest PSI first.
pub(super) fn moved(reference: &Reference, slice: &Slice, figures: &Figures) -> Vec<Moved> {
    let mut list = Vec::new();
    for ((model, version), cells) in &figures.population {
        let Some(frozen) = reference.models.get(&**model).filter(|m| m.version == *version) else {
            continue;
        };
        list.extend(moved_in(frozen, model, slice, cells));
    }
    list.sort_by(|a, b| b.population.psi.total_cmp(&a.population.psi));
    list
}

fn moved_in(frozen: &ModelReference, model: &Arc<str>, slice: &Slice, cells: &[u64]) -> Vec<Moved> {
    let Some(usual) = frozen.counts_for(slice) else { return Vec::new() };
    let mut padded = cells.to_vec();
    padded.resize(frozen.cells(), 0);
    frozen
        .features
        .iter()
        .enumerate()
        // A group is all of one group.
        .filter(|(_, watched)| !watched.feature.defines(slice))
        .filter_map(|(i, watched)| {
            let range = frozen.range(i);
            let (reference, current) = (usual.get(range.clone())?, padded.get(range)?);
            Some(Moved {
                feature: watched.feature.clone(),
                model: model.clone(),
                population: Population::compare(reference, current)?,
                reference: reference.to_vec(),
                current: current.to_vec(),
                ordered: watched.bins.is_ordered(),
            })
        })
        .collect()
}

/// `part / whole`.
#[allow(clippy::cast_precision_loss, reason = "counts below 2^53")]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::overrides::Standing;

    #[test]
    fn a_group_without_a_past_is_held_against_all_groups_of_its_dimension() {
        let group = |dimension: &str, group: &str| Slice::Cohort {
            dimension: dimension.into(),
            group: group.into(),
        };
        let counts = |k, n| {
            let mut counts = Counts::default();
            counts.add(Count::Edited, k);
            counts.add(Count::Accepted, n - k);
            counts
        };
        let before: BTreeMap<Slice, Counts> = [
            (group("race", "white"), counts(20, 200)),
            (group("race", "asian"), counts(20, 100)),
            (group("race", "black"), counts(9, 29)),
            (group("region", "north"), counts(29, 29)),
        ]
        .into();
        let mut view = View::default();
        for slice in ["white", "asian", "black", "new"].map(|g| group("race", g)) {
            view.add(&slice, &Part::Counts, &counts(15, 60).to_sums());
        }
        view.add(&group("region", "south"), &Part::Counts, &counts(30, 60).to_sums());
        let seen = Seen {
            now: Timestamp::UNIX_EPOCH,
            window: Window::Week,
            reference: Arc::default(),
            view,
            dimensions: by_dimension(&before),
            before,
            parts: Vec::new(),
            capped: Vec::new(),
            uncounted: 0,
        };
        let of = |dimension: &str, name: &str| {
            let found = seen.overrides(&group(dimension, name));
            (found.baseline, found.standing)
        };
        assert_eq!(of("race", "white"), (Some(0.1), Standing::Over));
        assert_eq!(of("race", "asian"), (Some(0.2), Standing::Stable));
        let all = Some(49.0 / 329.0);
        assert_eq!(of("race", "new"), (all, Standing::Watch));
        assert_eq!(of("race", "black"), (all, Standing::Watch), "29 verdicts are no past");
        let none = (None, Standing::NotEnoughData);
        assert_eq!(of("region", "south"), none, "of another dimension nothing is said");
    }
}
