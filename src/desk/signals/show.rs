//! The figures as people and programs see them: `signals show`, the signals view, a distribution.

use std::collections::BTreeMap;

use super::super::core::{Core, Sight, refuse};
use super::figures::{Detail, MIN_OUTCOMES, Moved, Seen, moved, share};
use super::frozen;
use crate::audit::{Entry, EntryKind};
use crate::protocol::{
    CalibrationBin, CalibrationView, DistributionView, DriftView, EstimateView, FlowView, Refused,
    SignalsAsk, SignalsView, SlaView, SliceName, SliceView, Why,
};
use crate::signals::estimate::{self, SampleSums};
use crate::signals::{
    Clock, Count, Counts, Drift, Figures, Population, Slice, View, Window, calibration, chi2, flow,
    ks,
};

/// Entries looked through for recent decisions of a slice, and how many are named.
const LOOK: u64 = 2_000;
const RECENT: usize = 20;

impl Core {
    /// The figures of a window.
    pub(in crate::desk) fn signals(&self, ask: &SignalsAsk) -> Result<SignalsView, Refused> {
        let window = window(&ask.window)?;
        let by = ask.by.as_deref().filter(|by| !by.is_empty());
        if let Some(by) = by
            && !Slice::KINDS.contains(&by)
        {
            let message = format!("{by} is not a kind of slice");
            return Err(Refused::new(Why::Invalid, message)
                .hint("overall, domain, model, cohort, queue, reviewer or rule"));
        }
        let of = ask.slice.as_deref().map(slice).transpose()?;
        let sight = self.sight()?;
        let detail = Detail { kinds: &["overall", "model", "queue"], slice: of.as_ref() };
        let seen = self.look(&sight, window, detail, true)?;
        let slices = seen.view.slices.keys();
        let drift = slices
            .clone()
            .filter(|s| of.as_ref().map_or(s.kind() == "model", |of| of == *s))
            .flat_map(|s| drift_of(&seen, s))
            .collect();
        let overall = seen.view.slices.get(&Slice::Overall).cloned().unwrap_or_default();
        let counts = &overall.counts;
        let decisions = counts.get(Count::Decisions);
        let mut capped = seen.capped.clone();
        for (model, reference) in &seen.reference.models {
            capped.extend(reference.beyond.iter().map(|feature| format!("{model}: {feature}")));
        }
        if seen.uncounted > 0 {
            capped.push(format!(
                "{} not counted yet",
                crate::text::many(seen.uncounted, "entry is", "entries are")
            ));
        }
        Ok(SignalsView {
            window: window.to_string(),
            now: Some(seen.now),
            reference: frozen::view(&seen.reference),
            slices: slices
                .clone()
                .filter(|s| by.is_none_or(|by| s.kind() == by))
                .map(|s| slice_view(&seen, s))
                .collect(),
            drift,
            calibration: slices.clone().filter_map(|s| calibration_view(&seen, s)).collect(),
            sla: self.sla(&sight, &seen)?,
            automation_share: (decisions > 0).then(|| share(counts.get(Count::Auto), decisions)),
            flow: flow_view(&seen, &overall),
            missing: missing(&seen, &overall),
            capped,
        })
    }

    /// A feature of a slice now against its reference.
    pub(in crate::desk) fn distribution(
        &self,
        name: &str,
        feature: &str,
        span: &str,
    ) -> Result<DistributionView, Refused> {
        let (window, of) = (window(span)?, slice(name)?);
        let detail = Detail { kinds: &[], slice: Some(&of) };
        let seen = self.look(&self.sight()?, window, detail, false)?;
        let list = seen.moved(&of);
        let Some(found) = list.iter().find(|m| m.feature.to_string() == feature) else {
            let known: Vec<String> = list.iter().map(|m| m.feature.to_string()).collect();
            let message = format!("{feature} of {name} cannot be compared in this window");
            return Err(Refused::new(Why::NotFound, message).hint(if known.is_empty() {
                "there is no reference for it, or nothing has happened; overrule signals reference set freezes one".to_owned()
            } else {
                format!("these can: {}", known.join(", "))
            }));
        };
        let Population { n_ref, n_cur, .. } = found.population;
        let bins = seen
            .reference
            .models
            .get(&*found.model)
            .and_then(|m| m.features.iter().find(|w| w.feature == found.feature))
            .map(|w| &w.bins);
        let shares = found.reference.iter().zip(&found.current).enumerate();
        let bins = shares
            .filter(|(_, (r, c))| **r + **c > 0)
            .map(|(i, (&r, &c))| {
                let label = bins.map(|b| b.label(i)).unwrap_or_default();
                (label.trim_matches('_').to_owned(), share(r, n_ref), share(c, n_cur))
            })
            .collect();
        Ok(DistributionView {
            slice: named(&of),
            feature: feature.to_owned(),
            bins,
            n_ref,
            n_cur,
            decisions: self.recent(&of)?,
        })
    }

    /// Ids of recent decisions of a slice, newest first.
    fn recent(&self, of: &Slice) -> Result<Vec<String>, Refused> {
        let head = self.store.head().map_err(refuse)?;
        let from = head.saturating_sub(LOOK);
        let page =
            self.store.follow(from, usize::try_from(LOOK).unwrap_or(usize::MAX)).map_err(refuse)?;
        let mut ids = Vec::new();
        for seen in page.iter().rev() {
            let Some(stored) = &seen.decision else { continue };
            let admitted = Entry::parse(&seen.entry).is_ok_and(|entry| entry.t == EntryKind::ADMIT);
            let c = &stored.columns;
            let within = match of {
                Slice::Overall => true,
                Slice::Domain(domain) => c.domain == *domain,
                Slice::Model { name, version } => {
                    c.model == *name && (version.is_empty() || c.version == *version)
                }
                Slice::Cohort { dimension, group } => c.cohort.get(dimension) == Some(group),
                Slice::Queue(queue) => stored.route.queue.as_ref() == Some(queue),
                Slice::Rule(rule) => stored.route.rule == *rule,
                Slice::Reviewer(_) => false,
            };
            if admitted && within {
                ids.push(stored.route.id.clone());
                if ids.len() == RECENT {
                    break;
                }
            }
        }
        Ok(ids)
    }

    /// The clock of every queue that had verdicts or has items.
    fn sla(&self, sight: &Sight, seen: &Seen) -> Result<Vec<SlaView>, Refused> {
        let mut queues: BTreeMap<String, SlaView> = BTreeMap::new();
        let blank = |queue: &str| SlaView {
            queue: queue.to_owned(),
            decided: 0,
            in_time: 0,
            compliance: None,
            late: 0,
            at_risk: 0,
            mean_ms: None,
            median_ms: None,
            p95_ms: None,
            resolve_ms: None,
            escalation_ms: None,
        };
        for (slice, figures) in &seen.view.slices {
            let Slice::Queue(queue) = slice else { continue };
            let c = &figures.counts;
            let in_time = c.get(Count::InTime);
            let decided = in_time + c.get(Count::Late);
            let spread = figures.times.get(&Clock::Review);
            let mean = |sum, times| {
                let n = c.get(times);
                (n > 0).then(|| share(c.get(sum), n))
            };
            let view = SlaView {
                decided,
                in_time,
                compliance: (decided > 0).then(|| share(in_time, decided)),
                mean_ms: mean(Count::ReviewMs, Count::ReviewTimes),
                median_ms: spread.and_then(|s| s.quantile(0.5)),
                p95_ms: spread.and_then(|s| s.quantile(0.95)),
                resolve_ms: mean(Count::ResolveMs, Count::ResolveTimes),
                escalation_ms: mean(Count::EscalationMs, Count::EscalationTimes),
                ..blank(queue)
            };
            queues.insert(queue.clone(), view);
        }
        for count in self.store.queues(sight.now, sight.wall).map_err(refuse)? {
            let view = queues.entry(count.queue.clone()).or_insert_with(|| blank(&count.queue));
            view.late = count.late;
            view.at_risk = count.due_soon;
        }
        Ok(queues.into_values().collect())
    }
}

fn window(text: &str) -> Result<Window, Refused> {
    text.parse().map_err(|e: crate::signals::WindowError| {
        Refused::new(Why::Invalid, e.to_string()).hint("--window 24h is the usual one")
    })
}

fn slice(text: &str) -> Result<Slice, Refused> {
    text.parse().map_err(|e: crate::signals::SliceError| Refused::new(Why::Invalid, e.to_string()))
}

/// `{"cohort": "race:black"}`.
fn named(slice: &Slice) -> SliceName {
    [(slice.kind().to_owned(), slice.value())].into()
}

fn slice_view(seen: &Seen, slice: &Slice) -> SliceView {
    let empty = Counts::default();
    let c = seen.view.slices.get(slice).map_or(&empty, |f| &f.counts);
    let overrides = seen.overrides(slice);
    let sums =
        SampleSums::of_weights(c.get(Count::Sampled), c.get(Count::SampledWrong), c.weights());
    let auto = c.get(Count::Auto);
    let auto_error = estimate::from_sums(&sums, Some(auto)).map(|e| EstimateView {
        value: e.rate,
        low: e.interval.low,
        high: e.interval.high,
        n: e.n,
    });
    SliceView {
        slice: named(slice),
        decisions: c.get(Count::Decisions),
        auto,
        reviewed: c.reviewed(),
        overridden: c.overridden(),
        override_rate: overrides.rate,
        override_interval: overrides.interval.map(|i| [i.low, i.high]),
        baseline: overrides.baseline,
        verdict: overrides.standing.as_str().to_owned(),
        reversals: c.get(Count::Reversals),
        auto_error,
        history: seen
            .parts
            .iter()
            .map(|part| {
                let c = &part.slices.get(slice)?.counts;
                (c.reviewed() > 0).then(|| share(c.overridden(), c.reviewed()))
            })
            .collect(),
    }
}

fn drift_of(seen: &Seen, slice: &Slice) -> Vec<DriftView> {
    let parts: Vec<Vec<Moved>> = seen
        .parts
        .iter()
        .map(|part| {
            part.slices.get(slice).map_or_else(Vec::new, |f| moved(&seen.reference, slice, f))
        })
        .collect();
    let list = seen.moved(slice);
    let several = list.first().is_some_and(|first| list.iter().any(|m| m.model != first.model));
    list.iter()
        .map(|m| {
            let p = &m.population;
            let regular = |counts: &[u64]| -> Vec<u64> {
                counts.iter().take(counts.len().saturating_sub(2)).copied().collect()
            };
            let ks = m
                .ordered
                .then(|| ks::binned(&regular(&m.reference), &regular(&m.current)))
                .flatten();
            let test = chi2::homogeneity(&m.reference, &m.current);
            let mut name = named(slice);
            if several {
                name.insert("model".into(), m.model.to_string());
            }
            DriftView {
                slice: name,
                feature: m.feature.to_string(),
                n_ref: p.n_ref,
                n_cur: p.n_cur,
                psi: Some(p.psi),
                kl: Some(p.kl),
                js: Some(p.js),
                ks: ks.map(|k| k.0),
                ks_p: ks.map(|k| k.1),
                chi2: test.map(|t| t.statistic),
                chi2_p: test.map(|t| t.p),
                verdict: p.verdict().as_str().to_owned(),
                history: parts
                    .iter()
                    .map(|part| {
                        let same = |o: &&Moved| o.feature == m.feature && o.model == m.model;
                        part.iter().find(same).map(|o| o.population.psi)
                    })
                    .collect(),
            }
        })
        .collect()
}

fn calibration_view(seen: &Seen, slice: &Slice) -> Option<CalibrationView> {
    let Slice::Model { .. } = slice else { return None };
    let counts = &seen.view.slices.get(slice)?.counts;
    let before = seen.before.get(slice).and_then(Seen::calibration);
    let ece_before = before.filter(|c| c.n >= MIN_OUTCOMES).map(|c| c.ece);
    let found = Seen::calibration(counts)?;
    let enough = found.n >= MIN_OUTCOMES;
    Some(CalibrationView {
        model: slice.value(),
        n: found.n,
        ece: Some(found.ece),
        ece_before,
        mce: Some(found.mce),
        brier: found.brier,
        bins: found
            .bins
            .iter()
            .map(|b| CalibrationBin {
                low: b.low,
                high: b.high,
                n: b.n,
                confidence: b.confidence,
                right: b.right,
                interval: [b.interval.low, b.interval.high],
            })
            .collect(),
        verdict: (if enough { standing(&found) } else { Drift::NotEnoughData }).as_str().to_owned(),
    })
}

/// Confidence has left what is right when, in a bin with enough outcomes, it lies outside the
/// interval of the share that was right by more than a tenth.
fn standing(found: &calibration::Calibration) -> Drift {
    let off = found.bins.iter().any(|b| {
        b.n >= 30 && !b.interval.contains(b.confidence) && (b.right - b.confidence).abs() > 0.1
    });
    if off { Drift::Drift } else { Drift::Stable }
}

fn flow_view(seen: &Seen, overall: &Figures) -> FlowView {
    let elapsed = seen.now.as_second() - seen.window.start(seen.now);
    #[allow(clippy::cast_precision_loss, reason = "a few weeks of seconds")]
    let minutes = elapsed as f64 / 60.0;
    let per_hour = |n: u64| flow::per_hour(n, minutes);
    let history: Vec<u64> = seen
        .parts
        .iter()
        .map(|part: &View| {
            part.slices.get(&Slice::Overall).map_or(0, |f| f.counts.get(Count::Decisions))
        })
        .collect();
    // The newest part is not over yet.
    let complete = history.get(..history.len().saturating_sub(1)).unwrap_or_default();
    let arrival_z = complete.split_last().and_then(|(last, before)| flow::arrival_z(before, *last));
    let quantile = |clock, q| overall.times.get(&clock).and_then(|t| t.quantile(q));
    let c = &overall.counts;
    FlowView {
        decisions_per_hour: per_hour(c.get(Count::Decisions)),
        arrivals_per_hour: per_hour(c.get(Count::ToPeople)),
        reviews_per_hour: per_hour(c.reviewed() + c.get(Count::Escalated)),
        arrival_z,
        history,
        model_p50_ms: quantile(Clock::Model, 0.5),
        model_p95_ms: quantile(Clock::Model, 0.95),
        admit_p50_ms: quantile(Clock::Admit, 0.5),
        admit_p95_ms: quantile(Clock::Admit, 0.95),
    }
}

/// Values that were missing, by feature.
fn missing(seen: &Seen, overall: &Figures) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for ((model, version), cells) in &overall.population {
        let Some(frozen) = seen.reference.models.get(&**model).filter(|m| m.version == *version)
        else {
            continue;
        };
        for (i, watched) in frozen.features.iter().enumerate() {
            // The last bin of a feature is that of what is missing.
            let last = frozen.range(i).next_back().and_then(|cell| cells.get(cell)).copied();
            if let Some(n) = last.filter(|n| *n > 0) {
                *found.entry(watched.feature.to_string()).or_default() += n;
            }
        }
    }
    found
}
