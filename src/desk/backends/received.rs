//! Corrections of other desks: kept once, by where they come from and what they are about, for
//! `learn export` to hand on with their origin.
//!
//! They are labelled data, not decisions: nothing here can become a verdict or a figure. Each is a
//! small state of its own, so a later one of the same id takes the place of the first; what came is
//! told in the trail by count and digest, not by content.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::audit::{Entry, EntryKind};
use crate::authority::{self, Subject};
use crate::desk::core::{Core, draft, json, refuse};
use crate::domain::{Correction, Timestamp};
use crate::protocol::{Act, NotReceived, Received, Refused, Reply, Why};
use crate::store::{Op, Write};

/// Where they are kept, in this many parts that are read one at a time.
const KEY: &str = "received";
const PARTS: u64 = 256;
/// The most that come at once.
const MOST: usize = 500;
/// The longest name of a log.
const ORIGIN: usize = 256;

/// A correction as it came.
#[derive(Debug, Serialize, Deserialize)]
struct Came {
    #[serde(flatten)]
    correction: Correction,
    origin: String,
    seq: u64,
}

impl Core {
    /// Keep corrections of other desks. What is no correction is refused line by line and holds up
    /// no other.
    pub(in crate::desk) fn receive(&self, by: &str, lines: &[Value]) -> Result<Received, Refused> {
        if lines.len() > MOST {
            let why = format!("{} corrections at once; {MOST} are taken", lines.len());
            return Err(Refused::new(Why::Invalid, why).hint("send them in parts"));
        }
        self.retry(|sight| {
            let actor = self.actor(by)?;
            authority::may(&actor, Act::Receive, Subject::default())?;
            let mut received = Received::default();
            let mut fresh: BTreeMap<String, (Came, u64)> = BTreeMap::new();
            for (n, line) in lines.iter().enumerate() {
                let came = match read(line, &sight.snapshot.origin) {
                    Ok(came) => came,
                    Err(why) => {
                        received.refused.push(NotReceived { line: n + 1, why });
                        continue;
                    }
                };
                let key = key(&came.origin, &came.correction.id);
                // What stands: from an earlier line, or from before.
                let (seq, version) = match fresh.get(&key) {
                    Some((earlier, version)) => (Some(earlier.seq), *version),
                    None => {
                        let (kept, version) = self.small::<Option<Came>>(&key)?;
                        (kept.map(|k| k.seq), version)
                    }
                };
                match seq {
                    Some(seq) if seq >= came.seq => {
                        received.duplicates += 1;
                        continue;
                    }
                    Some(_) => received.updated += 1,
                    None => received.new += 1,
                }
                fresh.insert(key, (came, version));
            }
            let mut premises = sight.premises();
            premises.actor = Some((actor.name.clone(), actor.version));
            let (mut ops, mut digest) = (Vec::new(), Sha256::new());
            for (key, (came, version)) in fresh {
                let value = json(&came)?;
                digest.update(&value);
                premises.state.push((key.clone(), version));
                ops.push(Op::PutState { key, value: Some(value) });
            }
            if ops.is_empty() {
                return Ok(received);
            }
            let mut entry = Entry::new(EntryKind::RECEIVE, by, sight.now, sight.wall);
            entry.d.insert("corrections".into(), ops.len().to_string());
            entry.d.insert("sha256".into(), hex::encode(digest.finalize()));
            ops.insert(0, Op::Entry(draft(entry, Vec::new())?));
            self.commit(Write { premises, now: sight.now, ops })?;
            Ok(received)
        })
    }

    /// A part of what other desks sent, from the `part`th on; with where to go on.
    pub(in crate::desk) fn received(
        &self,
        since: Option<Timestamp>,
        part: u64,
    ) -> Result<Reply, Refused> {
        let mut lines: Vec<Value> = Vec::new();
        let mut next = part;
        // Most desks have few or none: look on until there is something to hand over.
        while next < PARTS && lines.is_empty() {
            let prefix = format!("{KEY}/{next:02x}/");
            for (_, state) in self.store.states(&prefix).map_err(refuse)? {
                let Ok(came) = serde_json::from_slice::<Came>(&state.value) else { continue };
                if since.is_none_or(|since| came.correction.at >= since) {
                    lines.extend(serde_json::to_value(&came));
                }
            }
            next += 1;
        }
        Ok(Reply::Received { lines, next: Some(next).filter(|n| *n < PARTS) })
    }
}

/// A line as a correction of another desk.
fn read(line: &Value, own: &str) -> Result<Came, String> {
    let came = Came::deserialize(line).map_err(|e| format!("it is no correction: {e}"))?;
    if came.correction.id.is_empty() || came.correction.id.len() > 128 {
        return Err("its id is not of 1 to 128 bytes".to_owned());
    }
    let plain = came.origin.bytes().all(|b| b.is_ascii_graphic());
    if came.origin.is_empty() || came.origin.len() > ORIGIN || !plain {
        return Err("its origin is not the name of a log".to_owned());
    }
    if came.origin == own {
        return Err("it is this desk's own".to_owned());
    }
    Ok(came)
}

/// Where it is kept: a part that its name chooses, and in it a place of its own.
fn key(origin: &str, id: &str) -> String {
    let name = Sha256::new().chain_update(origin).chain_update([0]).chain_update(id).finalize();
    let name = hex::encode(name);
    let part: String = name.chars().take(2).collect();
    format!("{KEY}/{part}/{name}")
}
