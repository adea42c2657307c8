//! Figures by slice and time: exact sums that are added to, merged, stored and read back.
//!
//! Adding a decision is the hot path. Slices and features are numbers there (resolved once, by
//! [`Windows::slice`] and [`Windows::model`]), the open minutes are dense arrays (a *frame*), and
//! nothing is allocated unless a slice is new in its minute. A frame that is no longer open is
//! written into its minute, hour and day as [`Sums`], which is also how they are stored.

mod part;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use part::{Clock, Part, PartError};
pub use view::{Figures, View};

use super::registry::{Registry, SliceId};
use super::window::{Span, Tier};
use super::{Count, Counts, Durations, ModelReference, Slice, Sums};
use crate::domain::{Decision, Timestamp};

/// Minutes that are kept dense at a time.
const FRAMES: usize = 4;

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
