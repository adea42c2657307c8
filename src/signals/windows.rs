//! Figures by slice and time: exact sums that are added to, merged, stored and read back.
//!
//! Adding a decision is the hot path. Slices and features are numbers there (resolved once, by
//! [`Windows::slice`] and [`Windows::model`]), the open minutes are dense arrays (a *frame*), and
//! nothing is allocated unless a slice is new in its minute. A frame that is no longer open is
//! written into its minute, hour and day as [`Sums`], which is also how they are stored.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::registry::{Registry, SliceId};
use super::window::{Span, Tier};
use super::{Count, Counts, Durations, ModelReference, Slice, Sums};
use crate::domain::{Decision, Timestamp};

/// Minutes that are kept dense at a time.
const FRAMES: usize = 4;

/// What takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clock {
    /// From entry into a queue to the verdict.
    Review,
    /// From admission to settlement.
    Resolve,
    /// From escalation to settlement.
    Escalation,
    /// The model's own latency.
    Model,
    /// From the model's decision to its admission.
    Admit,
}

impl Clock {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Review, "review"),
        (Self::Resolve, "resolve"),
        (Self::Escalation, "escalation"),
        (Self::Model, "model"),
        (Self::Admit, "admit"),
    ];
}

/// What is kept of a slice in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Counts,
    Time(Clock),
    /// Cells of a model's features, in the bins frozen with that version of the reference.
    Population {
        version: u64,
        model: Arc<str>,
    },
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counts => Ok(()),
            Self::Time(clock) => {
                let name = Clock::ALL.iter().find(|(c, _)| c == clock).map_or("", |(_, n)| *n);
                write!(f, "time:{name}")
            }
            Self::Population { version, model } => write!(f, "population:{version}:{model}"),
        }
    }
}

/// Not the name of a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a part of a window")]
pub struct PartError(String);

impl FromStr for Part {
    type Err = PartError;

    fn from_str(text: &str) -> Result<Self, PartError> {
        let wrong = || PartError(text.to_owned());
        match text.split_once(':') {
            None if text.is_empty() => Ok(Self::Counts),
            Some(("time", name)) => Clock::ALL
                .iter()
                .find(|(_, n)| *n == name)
                .map(|(clock, _)| Self::Time(*clock))
                .ok_or_else(wrong),
            Some(("population", rest)) => {
                let (version, model) = rest.split_once(':').ok_or_else(wrong)?;
                let version = version.parse().map_err(|_| wrong())?;
                Ok(Self::Population { version, model: model.into() })
            }
            _ => Err(wrong()),
        }
    }
}

/// A model's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(u32);

/// A row: what is kept of a slice in one bucket, absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub tier: Tier,
    /// Seconds since the epoch.
    pub start: i64,
    pub slice: Slice,
    pub part: Part,
    pub sums: Sums,
}

type Bucket = HashMap<(SliceId, Part), Sums>;

/// One open minute, dense.
#[derive(Debug, Default)]
struct Frame {
    start: i64,
    /// By slice.
    counts: Vec<Option<Box<Counts>>>,
    /// By model, then by slice.
    cells: Vec<Vec<Option<Box<[u32]>>>>,
    times: BTreeMap<(SliceId, Clock), Durations>,
}

/// Exact figures by slice and bucket.
#[derive(Debug, Default)]
pub struct Windows {
    registry: Registry,
    models: Vec<(Part, usize)>,
    frames: Vec<Frame>,
    buckets: BTreeMap<(Tier, i64), Bucket>,
    dirty: BTreeSet<(Tier, i64, SliceId, Part)>,
    /// The latest second anything was added at.
    latest: i64,
}

impl Windows {
    /// Nothing yet, with the slices remembered from before.
    pub fn new(registry: Registry) -> Self {
        Self { registry, ..Self::default() }
    }

    /// It is at least this late: what is older than a tier keeps is not added to it.
    pub fn advance_to(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now.as_second());
    }

    /// A slice's number; beyond the caps that of its kind's "other".
    pub fn slice(&mut self, slice: &Slice, at: Timestamp) -> SliceId {
        self.registry.id(slice, at.as_second())
    }

    /// The numbers of the slices a decision belongs to ([`Slice::of`]), each once; `ids` is
    /// overwritten.
    pub fn slices(&mut self, d: &Decision, at: Timestamp, ids: &mut Vec<SliceId>) {
        ids.clear();
        self.registry.ids_of(d, at.as_second(), ids);
    }

    /// The slices known.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A model's number: of the bins frozen for it.
    pub fn model(&mut self, name: &str, reference: &ModelReference) -> ModelId {
        let known = self.models.iter().position(|(part, _)| {
            matches!(part, Part::Population { version, model }
                if *version == reference.version && &**model == name)
        });
        let place = known.unwrap_or_else(|| {
            let part = Part::Population { version: reference.version, model: name.into() };
            self.models.push((part, reference.cells()));
            self.models.len() - 1
        });
        ModelId(u32::try_from(place).unwrap_or(u32::MAX))
    }

    /// A decision: one more of each of these counts in all `slices`, and in every slice of
    /// `watched` one more in each cell of `cells` (as [`ModelReference::place`] gave them).
    pub fn decision(
        &mut self,
        at: Timestamp,
        slices: &[SliceId],
        counts: &[Count],
        watched: &[SliceId],
        population: Option<(ModelId, &[u32])>,
    ) {
        let size = population
            .and_then(|(model, _)| self.models.get(model.0 as usize))
            .map_or(0, |(_, size)| *size);
        let frame = self.frame(at.as_second());
        for &slice in slices {
            let sums = frame.counts(slice);
            for &count in counts {
                sums.add(count, 1);
            }
        }
        let Some((model, cells)) = population else { return };
        let blocks = frame.blocks(model);
        for &slice in watched {
            let block = slot(blocks, slice.0).get_or_insert_with(|| vec![0; size].into());
            for &cell in cells {
                if let Some(count) = block.get_mut(cell as usize) {
                    *count = count.saturating_add(1);
                }
            }
        }
    }

    /// Change the counts of slices at a time.
    pub fn count(&mut self, at: Timestamp, slices: &[SliceId], change: impl Fn(&mut Counts)) {
        let frame = self.frame(at.as_second());
        for &slice in slices {
            change(frame.counts(slice));
        }
    }

    /// Something took `ms` milliseconds.
    pub fn took(&mut self, at: Timestamp, slices: &[SliceId], clock: Clock, ms: u64) {
        let frame = self.frame(at.as_second());
        for &slice in slices {
            frame.times.entry((slice, clock)).or_default().record(ms);
        }
    }

    /// The open frame of a second.
    fn frame(&mut self, second: i64) -> &mut Frame {
        let start = Tier::Minute.floor(second);
        self.latest = self.latest.max(second);
        let place = match self.frames.iter().position(|f| f.start == start) {
            Some(place) => place,
            None => {
                if self.frames.len() >= FRAMES {
                    let oldest = self.frames.remove(0);
                    self.close(oldest);
                }
                self.frames.push(Frame { start, ..Frame::default() });
                self.frames.len() - 1
            }
        };
        #[allow(clippy::indexing_slicing, reason = "found or pushed just now")]
        &mut self.frames[place]
    }

    /// Buckets that open frames will be written into and that are not here: a keeper that has them
    /// in a store [loads](Self::load) them first.
    pub fn wanted(&self) -> Vec<(Tier, i64)> {
        let mut wanted: Vec<(Tier, i64)> = self
            .frames
            .iter()
            .flat_map(|f| self.places(f.start))
            .filter(|place| !self.buckets.contains_key(place))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// Is there room for another minute without closing one?
    pub fn has_room(&self, at: Timestamp) -> bool {
        let start = Tier::Minute.floor(at.as_second());
        self.frames.len() < FRAMES || self.frames.iter().any(|f| f.start == start)
    }

    /// The buckets a minute belongs to that are still kept.
    fn places(&self, start: i64) -> Vec<(Tier, i64)> {
        let now = self.latest;
        Tier::ALL
            .into_iter()
            .map(|tier| (tier, tier.floor(start)))
            .filter(|&(tier, start)| start + tier.seconds() > now - tier.keep())
            .collect()
    }

    /// Put a bucket here as it is stored; nothing of it may have been added before.
    pub fn load(
        &mut self,
        tier: Tier,
        start: i64,
        rows: impl IntoIterator<Item = (Slice, Part, Sums)>,
    ) {
        let mut bucket = Bucket::new();
        for (slice, part, sums) in rows {
            let id = self.registry.id(&slice, start);
            // A slice that is "other" by now is added to what is there of it.
            let place: &mut Sums = bucket.entry((id, part)).or_default();
            *place = place.merged(&sums);
        }
        self.buckets.insert((tier, start), bucket);
    }

    /// Write all open frames into their buckets.
    pub fn flush(&mut self) {
        for frame in std::mem::take(&mut self.frames) {
            self.close(frame);
        }
    }

    fn close(&mut self, frame: Frame) {
        let places = self.places(frame.start);
        let mut parts: Vec<(SliceId, Part, Sums)> = Vec::new();
        for (id, counts) in numbered(&frame.counts) {
            parts.push((id, Part::Counts, counts.to_sums()));
        }
        for ((part, _), blocks) in self.models.iter().zip(&frame.cells) {
            for (id, block) in numbered(blocks) {
                let sums = Sums::of((0..).zip(block.iter().map(|&n| u64::from(n))));
                parts.push((id, part.clone(), sums));
            }
        }
        for (&(id, clock), times) in &frame.times {
            parts.push((id, Part::Time(clock), times.to_sums()));
        }
        for (id, part, sums) in parts {
            for &(tier, start) in &places {
                let bucket = self.buckets.entry((tier, start)).or_default();
                let place = bucket.entry((id, part.clone())).or_default();
                *place = place.merged(&sums);
                self.dirty.insert((tier, start, id, part.clone()));
            }
        }
    }

    /// Rows that have changed since they were last [`saved`](Self::saved), absolute. Flush first.
    pub fn changed(&self) -> Vec<Row> {
        self.dirty
            .iter()
            .filter_map(|(tier, start, id, part)| {
                let sums = self.buckets.get(&(*tier, *start))?.get(&(*id, part.clone()))?;
                let slice = self.registry.slice(*id)?.clone();
                Some(Row {
                    tier: *tier,
                    start: *start,
                    slice,
                    part: part.clone(),
                    sums: sums.clone(),
                })
            })
            .collect()
    }

    /// What had changed is stored.
    pub fn saved(&mut self) {
        self.dirty.clear();
    }

    /// All rows of these buckets. Flush first.
    pub fn rows(&self, spans: &[Span]) -> Vec<Row> {
        let mut rows = Vec::new();
        for span in spans {
            let range = (span.tier, span.from)..(span.tier, span.to);
            for (&(tier, start), bucket) in self.buckets.range(range) {
                for ((id, part), sums) in bucket {
                    let Some(slice) = self.registry.slice(*id) else { continue };
                    let (slice, part, sums) = (slice.clone(), part.clone(), sums.clone());
                    rows.push(Row { tier, start, slice, part, sums });
                }
            }
        }
        rows
    }

    /// Forget buckets that are no longer kept, and, where there are more than `most`, the oldest
    /// that are stored as they are here. Returns how many are left.
    pub fn prune(&mut self, most: usize) -> usize {
        let now = self.latest;
        self.buckets.retain(|&(tier, start), _| start + tier.seconds() > now - tier.keep());
        let dirty: BTreeSet<(Tier, i64)> =
            self.dirty.iter().map(|(tier, start, ..)| (*tier, *start)).collect();
        let mut ages: Vec<(i64, Tier)> = self
            .buckets
            .keys()
            .filter(|place| !dirty.contains(place))
            .map(|&(tier, start)| (start + tier.seconds(), tier))
            .collect();
        ages.sort_unstable();
        let over = self.buckets.len().saturating_sub(most);
        for (end, tier) in ages.into_iter().take(over) {
            self.buckets.remove(&(tier, end - tier.seconds()));
        }
        self.dirty.retain(|(tier, start, ..)| start + tier.seconds() > now - tier.keep());
        self.buckets.len()
    }

    /// Add another node's figures. Both are flushed.
    pub fn merge(&mut self, other: &mut Self) {
        self.flush();
        other.flush();
        self.latest = self.latest.max(other.latest);
        for (&(tier, start), bucket) in &other.buckets {
            for ((id, part), sums) in bucket {
                let Some(slice) = other.registry.slice(*id) else { continue };
                let id = self.registry.id(slice, start);
                let place = self
                    .buckets
                    .entry((tier, start))
                    .or_default()
                    .entry((id, part.clone()))
                    .or_default();
                *place = place.merged(sums);
                self.dirty.insert((tier, start, id, part.clone()));
            }
        }
    }
}

impl Frame {
    fn counts(&mut self, slice: SliceId) -> &mut Counts {
        slot(&mut self.counts, slice.0).get_or_insert_with(Box::default)
    }

    fn blocks(&mut self, model: ModelId) -> &mut Vec<Option<Box<[u32]>>> {
        let place = model.0 as usize;
        if self.cells.len() <= place {
            self.cells.resize_with(place + 1, Vec::new);
        }
        #[allow(clippy::indexing_slicing, reason = "made long enough just now")]
        &mut self.cells[place]
    }
}

/// A place in a list that grows as needed.
fn slot<T>(list: &mut Vec<Option<T>>, place: u32) -> &mut Option<T> {
    let place = place as usize;
    if list.len() <= place {
        list.resize_with(place + 1, || None);
    }
    #[allow(clippy::indexing_slicing, reason = "made long enough just now")]
    &mut list[place]
}

fn numbered<T>(list: &[Option<T>]) -> impl Iterator<Item = (SliceId, &T)> {
    (0..).map(SliceId).zip(list).filter_map(|(id, one)| Some((id, one.as_ref()?)))
}

/// Figures of slices, summed over buckets.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub slices: BTreeMap<Slice, Figures>,
}

/// Figures of one slice.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub counts: Counts,
    pub times: BTreeMap<Clock, Durations>,
    /// Cells by model and by the version its bins were frozen with.
    pub population: BTreeMap<(Arc<str>, u64), Vec<u64>>,
}

impl View {
    /// Add a part of a slice.
    pub fn add(&mut self, slice: &Slice, part: &Part, sums: &Sums) {
        let figures = match self.slices.get_mut(slice) {
            Some(figures) => figures,
            None => self.slices.entry(slice.clone()).or_default(),
        };
        figures.add(part, sums);
    }

    /// The sum of rows.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut view = Self::default();
        for row in rows {
            view.add(&row.slice, &row.part, &row.sums);
        }
        view
    }
}

impl Figures {
    /// Add a part.
    pub fn add(&mut self, part: &Part, sums: &Sums) {
        match part {
            Part::Counts => self.counts.add_sums(sums),
            Part::Time(clock) => self.times.entry(*clock).or_default().add_sums(sums),
            Part::Population { version, model } => {
                let cells = self.population.entry((model.clone(), *version)).or_default();
                let last = sums.pairs().last().map_or(0, |(key, _)| key);
                let size = usize::try_from(last).unwrap_or(0).saturating_add(1);
                if cells.len() < size && size <= 1 << 16 {
                    cells.resize(size, 0);
                }
                sums.add_to(cells);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::signals::Window;

    fn decision(confidence: f64, group: &str) -> Decision {
        serde_json::from_value(json!({
            "id": "d", "domain": "loan", "action": "approve", "cohort": {"race": group},
            "model": {"name": "m", "version": "1"}, "confidence": confidence,
            "business_impact": 5.0, "input": {}, "output": "x",
        }))
        .unwrap()
    }

    fn reference() -> ModelReference {
        let list: Vec<Decision> = (0..100).map(|i| decision(f64::from(i) / 100.0, "a")).collect();
        ModelReference::freeze(1, &list).unwrap()
    }

    /// Minute, confidence in percent, cohort.
    type Event = (i64, u32, bool);

    fn feed(windows: &mut Windows, reference: &ModelReference, events: &[Event]) {
        let mut places = Vec::new();
        for &(minute, percent, group) in events {
            let at = Timestamp::from_second(1_700_000_000 + minute * 60).unwrap();
            let d = decision(f64::from(percent) / 100.0, if group { "a" } else { "b" });
            let ids: Vec<SliceId> = Slice::of(&d).iter().map(|s| windows.slice(s, at)).collect();
            let model = windows.model("m", reference);
            reference.place(&d, &mut places);
            windows.decision(
                at,
                &ids,
                &[Count::Decisions, Count::Auto],
                &ids,
                Some((model, &places)),
            );
            windows.took(at, &ids, Clock::Model, u64::from(percent));
            windows.count(at, &ids, |c| c.outcome(d.confidence, group, 0.5));
        }
        windows.flush();
    }

    fn all() -> Vec<Span> {
        Tier::ALL.map(|tier| Span { tier, from: 0, to: i64::MAX / 2 }).to_vec()
    }

    fn sorted(windows: &Windows) -> Vec<String> {
        let mut list: Vec<String> = windows
            .rows(&all())
            .iter()
            .map(|r| format!("{:?} {} {} {} {:?}", r.tier, r.start, r.slice, r.part, r.sums))
            .collect();
        list.sort_unstable();
        list
    }

    #[test]
    fn a_view_sums_what_happened_in_it() {
        let reference = reference();
        let mut windows = Windows::default();
        feed(
            &mut windows,
            &reference,
            &[(0, 5, true), (0, 95, false), (3, 95, false), (-300, 50, true)],
        );
        let now = Timestamp::from_second(1_700_000_000 + 200).unwrap();
        let view = |window: Window| View::of(&windows.rows(&window.spans(now)));
        let (hour, day) = (view(Window::Hour), view(Window::Day));
        let overall = &hour.slices[&Slice::Overall];
        assert_eq!(overall.counts.get(Count::Decisions), 3);
        assert_eq!(overall.times[&Clock::Model].quantile(0.0), Some(5.0));
        let cells = &overall.population[&("m".into(), 1)];
        assert_eq!((cells[0], cells[9]), (1, 2));
        assert_eq!(day.slices[&Slice::Overall].counts.get(Count::Decisions), 4);
        let b = &"cohort:race:b".parse().unwrap();
        assert_eq!(
            (hour.slices[b].counts.get(Count::Auto), day.slices[b].counts.get(Count::Auto)),
            (2, 2)
        );
    }

    #[test]
    fn what_is_stored_is_added_to_not_replaced() {
        let reference = reference();
        let mut first = Windows::default();
        feed(&mut first, &reference, &[(0, 5, true), (1, 7, false)]);
        let stored = first.changed();
        assert_eq!(stored.len(), first.rows(&all()).len());
        first.saved();
        assert!(first.changed().is_empty());

        let mut second = Windows::new(Registry::recall(&first.registry().remember()));
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        let overall = second.slice(&Slice::Overall, at);
        second.count(at, &[overall], |c| c.add(Count::Decisions, 1));
        let wanted = second.wanted();
        assert_eq!(wanted.len(), 3);
        for (tier, start) in wanted {
            let rows = stored.iter().filter(|r| (r.tier, r.start) == (tier, start));
            second.load(
                tier,
                start,
                rows.map(|r| (r.slice.clone(), r.part.clone(), r.sums.clone())),
            );
        }
        second.flush();
        let changed = second.changed();
        assert_eq!(changed.len(), 3);
        let decisions: Vec<u64> = changed
            .iter()
            .map(|r| View::of([r]).slices[&Slice::Overall].counts.get(Count::Decisions))
            .collect();
        assert_eq!(decisions, [2, 3, 3]);
    }

    #[test]
    fn old_buckets_go_and_old_decisions_count_where_they_can() {
        let reference = reference();
        let mut windows = Windows::default();
        feed(&mut windows, &reference, &[(0, 5, true), (60 * 24 * 40, 5, true), (0, 6, true)]);
        let tiers =
            |windows: &Windows, tier: Tier| windows.buckets.keys().filter(|k| k.0 == tier).count();
        windows.prune(usize::MAX);
        assert_eq!(
            (
                tiers(&windows, Tier::Minute),
                tiers(&windows, Tier::Hour),
                tiers(&windows, Tier::Day)
            ),
            (1, 1, 2)
        );
        let day = Tier::Day.floor(1_700_000_000);
        let view = View::of(&windows.rows(&[Span { tier: Tier::Day, from: day, to: day + 1 }]));
        assert_eq!(view.slices[&Slice::Overall].counts.get(Count::Decisions), 2);
        assert_eq!(windows.prune(1), 4, "what is not stored yet stays");
        windows.saved();
        assert_eq!(windows.prune(1), 1);
    }

    #[test]
    fn parts_have_names() {
        for part in [
            Part::Counts,
            Part::Time(Clock::Escalation),
            Part::Population { version: 7, model: "a:b".into() },
        ] {
            assert_eq!(part.to_string().parse(), Ok(part));
        }
        assert!("time:x".parse::<Part>().is_err() && "population:x:m".parse::<Part>().is_err());
    }

    proptest! {
        #[test]
        fn two_halves_merged_equal_the_whole(
            events in prop::collection::vec((-300_i64..300, 0_u32..100, any::<bool>()), 0..60),
            halves in prop::collection::vec(any::<bool>(), 60),
        ) {
            let reference = reference();
            let (mut whole, mut left, mut right) = (Windows::default(), Windows::default(), Windows::default());
            // All three know the time, so that all keep the same buckets.
            for windows in [&mut whole, &mut left, &mut right] {
                feed(windows, &reference, &[(300, 1, true)]);
            }
            let half = |side: bool| -> Vec<Event> {
                events.iter().zip(&halves).filter(|(_, h)| **h == side).map(|(e, _)| *e).collect()
            };
            feed(&mut whole, &reference, &events);
            feed(&mut left, &reference, &half(true));
            feed(&mut right, &reference, &half(false));
            feed(&mut whole, &reference, &[(300, 1, true)]);
            left.merge(&mut right);
            prop_assert_eq!(sorted(&left), sorted(&whole));
        }
    }
}
