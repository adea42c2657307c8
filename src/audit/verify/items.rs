//! Where each item stands according to the log, to compare with the store's rows.
//!
//! Most decisions are settled at admission and never move; they are not remembered, so memory
//! grows only with the items that people saw (about 50 bytes each).

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::audit::{Entry, EntryKind};
use crate::domain::ItemState;

/// An item as the store's row says.
#[derive(Clone, Copy, Debug)]
pub struct ItemRow<'a> {
    pub id: &'a str,
    pub state: ItemState,
    pub revision: u64,
    pub queue: Option<&'a str>,
}

/// 16 bytes of the id's SHA-256: ids are foreign and up to 128 bytes long.
type Key = [u8; 16];

#[derive(Default)]
pub(super) struct Items {
    marks: HashMap<Key, Mark>,
    queues: Vec<String>,
}

struct Mark {
    /// The last entry about the item.
    index: u64,
    revision: u64,
    state: ItemState,
    queue: Option<u32>,
    seen: bool,
}

impl Items {
    /// Takes note of where `entry` leaves its item.
    pub fn apply(&mut self, index: u64, entry: &Entry) {
        let (Some(id), Some(state), Some(revision)) = (&entry.id, entry.state, entry.rev) else {
            return;
        };
        let key = key(id);
        let plain = entry.t == EntryKind::ADMIT && state == ItemState::Settled;
        if plain && !self.marks.contains_key(&key) {
            return;
        }
        let queue = entry.queue.as_deref().map(|q| self.intern(q));
        self.marks.insert(key, Mark { index, revision, state, queue, seen: false });
    }

    fn intern(&mut self, queue: &str) -> u32 {
        let at = self.queues.iter().position(|q| q == queue).unwrap_or_else(|| {
            self.queues.push(queue.to_owned());
            self.queues.len() - 1
        });
        // There are as many queues as policies name; never four thousand millions.
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// Compares a row; returns the item's last entry and what differs.
    pub fn compare(&mut self, row: &ItemRow<'_>) -> Option<(Option<u64>, String)> {
        let id = row.id;
        let Some(mark) = self.marks.get_mut(&key(id)) else {
            // A decision that was settled at admission may have a row that says so.
            return (row.state != ItemState::Settled).then(|| {
                let state = row.state.as_str();
                (None, format!("the item {id:?} is {state}, but no entry of the log put it there"))
            });
        };
        let twice = std::mem::replace(&mut mark.seen, true);
        let queue = mark.queue.and_then(|q| self.queues.get(q as usize)).map(String::as_str);
        let differs = match () {
            () if twice => "stands twice among the items".to_owned(),
            () if mark.state != row.state => {
                format!("is {}, but the log left it {}", row.state.as_str(), mark.state.as_str())
            }
            () if mark.revision != row.revision => {
                format!("is at revision {}, but the log left it at {}", row.revision, mark.revision)
            }
            () if queue != row.queue => format!(
                "is in queue {:?}, but the log left it in {:?}",
                row.queue.unwrap_or("none"),
                queue.unwrap_or("none")
            ),
            () => return None,
        };
        Some((Some(mark.index), format!("the item {id:?} {differs}")))
    }

    /// Items of the log that no row was given for, with the last entry about each.
    pub fn left_over(&self) -> impl Iterator<Item = (u64, String)> {
        self.marks
            .values()
            .filter(|m| !m.seen)
            .map(|m| (m.index, format!("the item of entry {} has no row among the items", m.index)))
    }
}

fn key(id: &str) -> Key {
    let hash: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    let (key, _) = hash.split_at(16);
    key.try_into().unwrap_or_default()
}
