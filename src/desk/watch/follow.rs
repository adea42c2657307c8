//! The log as the ticker follows it: verdicts that took effect feed the change detectors and, with
//! reports of errors, what breakers and limits are judged by.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::deeds::{Deeds, short};
use crate::audit::{Entry, EntryKind};
use crate::desk::core::{Core, refuse};
use crate::domain::{Timestamp, VerdictKind};
use crate::protocol::Refused;
use crate::signals::Slice;
use crate::signals::detector::{Detector, DetectorSettings};
use crate::store::StoredDecision;

/// Where the cursor is kept.
const KEY: &str = "watch/log";
/// Where a slice's detector is kept.
const STREAM: &str = "stream/";
/// Where the verdicts on a model version in a domain are kept.
pub(super) const JUDGED: &str = "judged/";
/// Entries looked at in one commit.
const BATCH: usize = 2_000;
/// Slices that have a detector of their own; beyond, the others of a kind share one.
const STREAMS: usize = 256;

/// How far the log was followed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) next: u64,
}

/// What people made of a model version in a domain, minute by minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Judged {
    pub(super) domain: String,
    pub(super) model: String,
    pub(super) version: String,
    /// Minute since the epoch → overridden, reviewed, reports of errors.
    pub(super) minutes: BTreeMap<i64, (u64, u64, u64)>,
    /// The latest change for the worse that a detector found in its stream.
    pub(super) change: Option<(Timestamp, String)>,
}

/// Minutes that are kept: the longest window a breaker is judged over.
const KEEP: i64 = 7 * 24 * 60;

impl Judged {
    /// Overridden, reviewed and reports from `since` on.
    pub(super) fn since(&self, since: Timestamp) -> (u64, u64, u64) {
        let from = minute(since);
        self.minutes
            .range(from..)
            .fold((0, 0, 0), |sum, (_, one)| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2))
    }

    fn at(&mut self, at: Timestamp) -> &mut (u64, u64, u64) {
        let minute = minute(at);
        self.minutes = self.minutes.split_off(&(minute - KEEP));
        self.minutes.entry(minute).or_default()
    }
}

pub(super) fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

impl Core {
    /// Follow the log for a batch of entries. `false`: its end was reached.
    pub(super) fn follow(&self, deeds: &mut Deeds<'_>) -> Result<bool, Refused> {
        let cursor = deeds.state::<Cursor>(KEY)?;
        let from = cursor.value.next.max(self.watch.passed.load(Ordering::Relaxed));
        let entries = self.store.entries(None, from, BATCH).map_err(refuse)?;
        let mut next = from;
        let mut streams = None;
        for (index, bytes) in &entries {
            next = index + 1;
            if !is_heard(bytes) {
                continue;
            }
            let Ok(entry) = Entry::parse(bytes) else { continue };
            let Some(id) = &entry.id else { continue };
            let Some(stored) = self.store.decision(id).map_err(refuse)? else { continue };
            if entry.t == EntryKind::FEEDBACK {
                let kind = entry.d.get("kind").map(String::as_str).unwrap_or_default();
                if matches!(kind, "error" | "reversal") {
                    self.reported(deeds, &stored, entry.at)?;
                }
            } else if let Some(verdict) = entry.verdict {
                let overridden = match verdict {
                    VerdictKind::Accept => false,
                    VerdictKind::Edit | VerdictKind::Reject => true,
                    VerdictKind::Escalate => continue,
                };
                let streams = match streams {
                    Some(n) => n,
                    None => {
                        let n = self.store.states(STREAM).map_err(refuse)?.len();
                        streams = Some(n);
                        n
                    }
                };
                self.judged(deeds, &stored, overridden, entry.at, streams)?;
            }
        }
        // What was passed over without a trace may be passed over again.
        let far = next >= from.saturating_add(BATCH as u64);
        if next > from && (far || !deeds.is_empty()) {
            deeds.put(KEY, cursor.version, &Cursor { next })?;
        } else {
            // Nothing here to act on, so nothing is lost if it is not looked at again.
            self.watch.passed.fetch_max(next, Ordering::Relaxed);
        }
        Ok(entries.len() >= BATCH)
    }

    /// A verdict took effect.
    fn judged(
        &self,
        deeds: &mut Deeds<'_>,
        stored: &StoredDecision,
        overridden: bool,
        at: Timestamp,
        streams: usize,
    ) -> Result<(), Refused> {
        let c = &stored.columns;
        let key = judged_key(stored);
        let kept = deeds.state::<Judged>(&key)?;
        let mut judged = named(kept.value, stored);
        let minute = judged.at(at);
        minute.0 += u64::from(overridden);
        minute.1 += 1;
        let model = Slice::Model { name: c.model.clone(), version: c.version.clone() };
        let mut slices = vec![Slice::Overall, Slice::Domain(c.domain.clone()), model];
        slices.extend(c.cohort.iter().map(|(dimension, group)| Slice::Cohort {
            dimension: dimension.clone(),
            group: group.clone(),
        }));
        for slice in slices {
            let change = self.observe(deeds, &slice, overridden, streams)?;
            // What has become better is told, and no reason to stop anything.
            if let (Some((change, true)), Slice::Model { .. }) = (change, &slice) {
                judged.change = Some((at, change));
            }
        }
        deeds.put(&key, kept.version, &judged)
    }

    /// Feed a slice's detector; in words, if its stream has changed, and whether for the worse.
    fn observe(
        &self,
        deeds: &mut Deeds<'_>,
        slice: &Slice,
        overridden: bool,
        streams: usize,
    ) -> Result<Option<(String, bool)>, Refused> {
        let kind = deeds.sight.policy.as_ref().map(|p| p.detector()).unwrap_or_default();
        let mut slice = slice.clone();
        let mut key = format!("{STREAM}{slice}");
        let mut kept = deeds.state::<Option<Detector>>(&key)?;
        if kept.version == 0 && streams >= STREAMS {
            slice = slice.other();
            key = format!("{STREAM}{slice}");
            kept = deeds.state(&key)?;
        }
        let fresh = || Detector::new(DetectorSettings::named(kind.as_str()).unwrap_or_default());
        let mut detector = kept.value.filter(|d| d.name() == kind.as_str()).unwrap_or_else(fresh);
        detector.share(streams.max(1));
        let before = detector.mean();
        let changed = detector.update(Some(f64::from(u8::from(overridden))));
        let after = detector.mean();
        deeds.put(&key, kept.version, &Some(detector))?;
        if !changed {
            return Ok(None);
        }
        let figures = format!("{} saw the override rate change: {before:.3} before", kind.as_str());
        let mut entry = deeds.by_policy(EntryKind::EFFECT);
        entry.d.insert("effect".into(), "detector".into());
        entry.d.insert("slice".into(), short(&slice.to_string()));
        entry.d.insert("values".into(), format!("{figures}, {after:.3} in what is left"));
        deeds.entry(entry, Vec::new())?;
        deeds.say("changed", slice.to_string(), figures.clone());
        Ok(Some((figures, after > before)))
    }

    /// The world says that a decision was wrong.
    fn reported(
        &self,
        deeds: &mut Deeds<'_>,
        stored: &StoredDecision,
        at: Timestamp,
    ) -> Result<(), Refused> {
        let key = judged_key(stored);
        let kept = deeds.state::<Judged>(&key)?;
        let mut judged = named(kept.value, stored);
        judged.at(at).2 += 1;
        deeds.put(&key, kept.version, &judged)
    }
}

fn judged_key(stored: &StoredDecision) -> String {
    let c = &stored.columns;
    format!("{JUDGED}{}/{}@{}", c.domain, c.model, c.version)
}

fn named(judged: Judged, stored: &StoredDecision) -> Judged {
    let c = &stored.columns;
    Judged {
        domain: c.domain.clone(),
        model: c.model.clone(),
        version: c.version.clone(),
        ..judged
    }
}

/// Is it of a kind that matters here? Entries are canonical: a quote inside a text is escaped, so
/// these bytes stand for the kind and nothing else.
fn is_heard(bytes: &[u8]) -> bool {
    const KINDS: [&[u8]; 3] = [b"settle\"", b"stage\"", b"feedback\""];
    memchr::memmem::find(bytes, b"\"t\":\"")
        .and_then(|at| bytes.get(at + 5..))
        .is_some_and(|rest| KINDS.iter().any(|kind| rest.starts_with(kind)))
}
