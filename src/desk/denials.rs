//! Refused attempts of authority in the trail, whichever door they come by: each counted, none able
//! to flood it.
//!
//! The first of a kind within a minute is an entry at once; those after it are counted and become
//! one entry with their number when the minute is over. At most [`AT_ONCE`] kinds a minute get an
//! entry of their own, and as many when the counts are written: the rest share one.
//!
//! A process counts in memory. What it would tell at once is compared with a book in the store, so
//! that commands that last a moment count together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::Local;
use super::core::{Core, Sight, draft, json, lock, refuse};
use crate::audit::{Entry, EntryKind};
use crate::protocol::{Refused, Why};
use crate::store::{Op, Premises, Write};

/// Entries a minute that are written at once, and kinds that are counted apart.
const AT_ONCE: usize = 30;
const KINDS: usize = 256;
/// The longest text of an attempt that is kept, in characters.
const TEXT: usize = 200;
/// Where the book is kept that all processes count in.
const BOOK: &str = "denied";

/// Somebody was not allowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Denial {
    /// Who: a name as it was given, or the token's owner; empty where nobody is known.
    pub who: String,
    /// The token's id; empty where none is known, or none is needed.
    pub token: String,
    /// What was attempted.
    pub act: String,
    /// About what: an item, a scope, a name; empty where it is about nothing that has one.
    pub what: String,
    pub why: String,
}

/// The door that somebody came by. The default: on this machine, where there are no tokens.
#[derive(Clone, Debug, Default)]
pub struct Door {
    /// The token's id.
    pub token: String,
    pub from: Option<IpAddr>,
}

/// What is counted and not written yet.
#[derive(Default)]
pub(super) struct Denials(Mutex<Book>);

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Book {
    /// Minute of the wall clock.
    minute: i64,
    /// Kinds that had an entry in it.
    told: BTreeSet<Denial>,
    #[serde(with = "pairs")]
    counts: BTreeMap<Denial, (u64, Option<IpAddr>)>,
}

/// A map whose keys are no texts, as a list.
mod pairs {
    use super::{BTreeMap, Denial, IpAddr};
    use serde::{Deserialize as _, Deserializer, Serializer};

    type Counts = BTreeMap<Denial, (u64, Option<IpAddr>)>;

    pub(super) fn serialize<S: Serializer>(counts: &Counts, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(counts)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Counts, D::Error> {
        Vec::deserialize(from).map(Counts::from_iter)
    }
}

/// A kind with its number and the address that came first.
type Counted = (Denial, u64, Option<IpAddr>);

impl Book {
    /// Note an attempt in this minute: what was counted in the one before, and is to be written
    /// now; and whether this one is to be told at once.
    fn note(&mut self, minute: i64, denial: &Denial, from: Option<IpAddr>) -> (Vec<Counted>, bool) {
        let before = self.turn(minute);
        if !self.told.contains(denial) && self.told.len() < AT_ONCE {
            self.told.insert(denial.clone());
            return (before, true);
        }
        let known = self.counts.contains_key(denial) || self.counts.len() < KINDS;
        let kind = if known { denial.clone() } else { others() };
        self.counts.entry(kind).or_insert((0, from)).0 += 1;
        (before, false)
    }

    /// It is this minute now: what was counted in an earlier one.
    fn turn(&mut self, minute: i64) -> Vec<Counted> {
        if minute == self.minute {
            return Vec::new();
        }
        self.minute = minute;
        self.told.clear();
        self.take()
    }

    /// What was counted: the most frequent kinds, and the rest as one.
    fn take(&mut self) -> Vec<Counted> {
        let counts = std::mem::take(&mut self.counts);
        let mut all: Vec<Counted> = counts.into_iter().map(|(d, (n, from))| (d, n, from)).collect();
        all.sort_by_key(|(_, n, _)| std::cmp::Reverse(*n));
        let rest: u64 = all.iter().skip(AT_ONCE).map(|(_, n, _)| n).sum();
        all.truncate(AT_ONCE);
        if rest > 0 {
            all.push((others(), rest, None));
        }
        all
    }
}

fn others() -> Denial {
    let (act, why) = ("others".into(), "too many kinds to tell apart".into());
    Denial { act, why, ..Denial::default() }
}

impl Local {
    /// Put a refused attempt into the trail, or count it. For doors that refuse before the desk is
    /// asked; what the desk refuses it notes itself.
    pub fn denied(&self, denial: Denial, from: IpAddr) -> Result<(), Refused> {
        self.core.deny(denial, Some(from))
    }

    /// Write what was counted: every minute, and when the server ends.
    pub fn tell_denied(&self) -> Result<(), Refused> {
        let counted = lock(&self.core.denials.0).take();
        self.core.tell(&counted)?;
        self.core.tell_counted()
    }
}

impl Core {
    /// An attempt and how it ended: where authority refused it, that is in the trail before it is
    /// answered.
    pub(super) fn noted<T>(
        &self,
        (door, by, act, what): (&Door, &str, &str, &str),
        outcome: Result<T, Refused>,
    ) -> Result<T, Refused> {
        if let Err(refused) = &outcome
            && refused.kind == Why::Authority
        {
            let denial = Denial {
                who: short(by),
                token: short(&door.token),
                act: short(act),
                what: short(what),
                why: short(&refused.message),
            };
            // Who was refused stays refused, whatever the trail can take.
            if let Err(error) = self.deny(denial, door.from) {
                tracing::error!(why = error.message, "a refused attempt is not in the trail");
            }
        }
        outcome
    }

    fn deny(&self, denial: Denial, from: Option<IpAddr>) -> Result<(), Refused> {
        let minute = self.minute();
        let (before, first) = lock(&self.denials.0).note(minute, &denial, from);
        self.tell(&before)?;
        if !first {
            return Ok(());
        }
        self.in_book(|book, write| {
            let (before, first) = book.note(minute, &denial, from);
            write.extend(before);
            if first {
                write.push((denial.clone(), 1, from));
            }
            true
        })
    }

    /// Write what all processes have counted, if its minute is over.
    pub(super) fn tell_counted(&self) -> Result<(), Refused> {
        let minute = self.minute();
        self.in_book(|book, write| {
            if !book.counts.is_empty() {
                write.extend(book.turn(minute));
            }
            !write.is_empty()
        })
    }

    fn minute(&self) -> i64 {
        self.wall_now().as_second().div_euclid(60)
    }

    /// Write these, as one commit.
    fn tell(&self, counted: &[Counted]) -> Result<(), Refused> {
        if counted.is_empty() {
            return Ok(());
        }
        let sight = self.sight()?;
        let write =
            Write { premises: Premises::default(), now: sight.now, ops: entries(&sight, counted)? };
        self.commit(write).map(drop).map_err(refuse)
    }

    /// Change the book in the store, and write what comes of it. `change` says whether it did.
    fn in_book(
        &self,
        change: impl Fn(&mut Book, &mut Vec<Counted>) -> bool,
    ) -> Result<(), Refused> {
        self.retry(|sight| {
            let stored = self.store.state(BOOK)?;
            let version = stored.as_ref().map_or(0, |s| s.version);
            // One that cannot be read only forgets what was counted.
            let book = stored.and_then(|s| serde_json::from_slice(&s.value).ok());
            let (mut book, mut counted) = (book.unwrap_or_default(), Vec::new());
            if !change(&mut book, &mut counted) {
                return Ok(());
            }
            let mut ops = entries(sight, &counted)?;
            ops.push(Op::PutState { key: BOOK.to_owned(), value: Some(json(&book)?) });
            let state = vec![(BOOK.to_owned(), version)];
            let premises = Premises { state, ..Premises::default() };
            self.commit(Write { premises, now: sight.now, ops })?;
            Ok(())
        })
    }
}

fn entries(sight: &Sight, counted: &[Counted]) -> Result<Vec<Op>, Refused> {
    let entry = |(denial, n, from): &Counted| {
        let who = if denial.who.is_empty() { "unknown" } else { &denial.who };
        let mut entry = Entry::new(EntryKind::DENIED, short(who), sight.now, sight.wall);
        entry.d.insert("act".into(), short(&denial.act));
        entry.d.insert("why".into(), short(&denial.why));
        for (name, text) in [("what", &denial.what), ("token", &denial.token)] {
            if !text.is_empty() {
                entry.d.insert(name.into(), short(text));
            }
        }
        if let Some(from) = from {
            entry.d.insert("from".into(), from.to_string());
        }
        if *n > 1 {
            entry.d.insert("times".into(), n.to_string());
        }
        Ok(Op::Entry(draft(entry, Vec::new())?))
    };
    counted.iter().map(entry).collect()
}

/// Nothing foreign but a short word of it.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::desk::OpenOptions;
    use crate::domain::Timestamp;
    use crate::protocol::{Command, Query, Reply};

    fn kind(n: usize) -> Denial {
        Denial { who: format!("w{n}"), act: "x".into(), why: "y".into(), ..Denial::default() }
    }

    #[test]
    fn the_first_is_told_at_once_and_the_others_as_a_number() {
        let mut book = Book::default();
        assert_eq!(book.note(1, &kind(0), None), (vec![], true));
        for _ in 0..41 {
            assert_eq!(book.note(1, &kind(0), None), (vec![], false));
        }
        let kept = serde_json::to_vec(&book).unwrap();
        let mut book: Book = serde_json::from_slice(&kept).unwrap();
        assert_eq!(book.note(2, &kind(0), None), (vec![(kind(0), 41, None)], true));
    }

    #[test]
    fn a_flood_of_kinds_is_bounded_and_every_attempt_is_counted() {
        let mut book = Book::default();
        let told = (0..5000).filter(|n| book.note(1, &kind(*n), None).1).count();
        assert_eq!(told, 30);
        let counted = book.take();
        assert!(counted.len() <= AT_ONCE + 1);
        assert_eq!(counted.iter().map(|w| w.1).sum::<u64>() + told as u64, 5000);
        assert_eq!(book.take(), []);
    }

    /// Processes that each last for one attempt tell of it once a minute, and count the others.
    #[test]
    fn processes_that_come_and_go_count_together() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(1_800_000_000));
        let open = || {
            let clock = clock.clone();
            let wall: crate::desk::WallClock =
                Arc::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap());
            let options = OpenOptions::new(folder.path().join("desk.db"), "ann");
            Local::open(OpenOptions { wall, ..options }).unwrap()
        };
        let attempt = || {
            let desk = open();
            let command = Command::DisableReviewer { name: "ann".into() };
            assert_eq!(desk.execute_blocking("eve", command).unwrap_err().kind, Why::Authority);
            desk.close().unwrap();
        };
        let told = || -> Vec<(String, String)> {
            let ask = Query::Entries { item: None, from: 0, limit: 500 };
            let Reply::Entries { entries, .. } = open().ask_blocking("ann", ask).unwrap() else {
                panic!()
            };
            let text = |v: &serde_json::Value| v.as_str().unwrap_or("1").to_owned();
            let denied = entries.iter().map(|e| serde_json::to_value(e).unwrap()["entry"].clone());
            let denied = denied.filter(|e| e["t"] == "denied");
            denied.map(|e| (text(&e["d"]["act"]), text(&e["d"]["times"]))).collect()
        };
        let said = |times: &[&str]| -> Vec<(String, String)> {
            times.iter().map(|n| ("disable a reviewer".to_owned(), (*n).to_owned())).collect()
        };
        for _ in 0..10 {
            attempt();
        }
        assert_eq!(told(), said(&["1"]));
        // Whoever ticks when the minute is over writes what was counted.
        clock.fetch_add(30, Ordering::SeqCst);
        open().watch("ann").unwrap();
        assert_eq!(told(), said(&["1"]));
        clock.fetch_add(60, Ordering::SeqCst);
        open().watch("ann").unwrap();
        assert_eq!(told(), said(&["1", "9"]));
        open().watch("ann").unwrap();
        // Or whoever is refused next.
        attempt();
        attempt();
        clock.fetch_add(60, Ordering::SeqCst);
        attempt();
        assert_eq!(told(), said(&["1", "9", "1", "1", "1"]));
    }
}
