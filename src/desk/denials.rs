//! Refused attempts of authority in the trail: each counted, none able to flood it.
//!
//! The first of a kind within a minute is an entry at once; those after it are counted and become
//! one entry with their number when the minute is over. At most [`AT_ONCE`] kinds a minute get an
//! entry of their own, and as many when the counts are written: the rest share one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Mutex;

use super::Local;
use super::core::{Core, draft, lock, refuse};
use crate::audit::{Entry, EntryKind};
use crate::protocol::Refused;
use crate::store::{Op, Premises, Write};

/// Entries a minute that are written at once, and kinds that are counted apart.
const AT_ONCE: usize = 30;
const KINDS: usize = 256;
/// The longest text of an attempt that is kept, in characters.
const TEXT: usize = 200;

/// Somebody was not allowed to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denial {
    /// The token's owner; empty where nobody is known.
    pub who: String,
    /// The token's id; empty where none is known.
    pub token: String,
    /// What was attempted.
    pub act: String,
    pub why: String,
}

/// What is counted and not written yet.
#[derive(Default)]
pub(super) struct Denials(Mutex<Book>);

#[derive(Default)]
struct Book {
    /// Minute of the wall clock.
    minute: i64,
    /// Kinds that had an entry in it.
    told: BTreeSet<Denial>,
    counts: BTreeMap<Denial, (u64, Option<IpAddr>)>,
}

/// Kinds with their number and the address that came first.
type Counted = Vec<(Denial, u64, Option<IpAddr>)>;

impl Book {
    /// Note an attempt in this minute; what is to be written now.
    fn note(&mut self, minute: i64, denial: Denial, from: IpAddr) -> Counted {
        let mut write = Vec::new();
        if minute != self.minute {
            self.minute = minute;
            write = self.take();
            self.told.clear();
        }
        if !self.told.contains(&denial) && self.told.len() < AT_ONCE {
            self.told.insert(denial.clone());
            write.push((denial, 1, Some(from)));
            return write;
        }
        let known = self.counts.contains_key(&denial) || self.counts.len() < KINDS;
        let kind = if known { denial } else { others() };
        self.counts.entry(kind).or_insert((0, Some(from))).0 += 1;
        write
    }

    /// What was counted: the most frequent kinds, and the rest as one.
    fn take(&mut self) -> Counted {
        let counts = std::mem::take(&mut self.counts);
        let mut all: Counted = counts.into_iter().map(|(d, (n, from))| (d, n, from)).collect();
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
    let (who, token) = (String::new(), String::new());
    Denial { who, token, act: "others".into(), why: "too many kinds to tell apart".into() }
}

impl Local {
    /// Put a refused attempt into the trail, or count it.
    pub fn denied(&self, denial: Denial, from: IpAddr) -> Result<(), Refused> {
        let minute = (self.core.wall)().as_second().div_euclid(60);
        let write = lock(&self.core.denials.0).note(minute, denial, from);
        self.core.write_denials(write)
    }

    /// Write what was counted: every minute, and when the server ends.
    pub fn tell_denied(&self) -> Result<(), Refused> {
        let write = lock(&self.core.denials.0).take();
        self.core.write_denials(write)
    }
}

impl Core {
    fn write_denials(&self, counted: Counted) -> Result<(), Refused> {
        if counted.is_empty() {
            return Ok(());
        }
        let sight = self.sight()?;
        let mut ops = Vec::with_capacity(counted.len());
        for (denial, n, from) in counted {
            let who = if denial.who.is_empty() { "unknown" } else { &denial.who };
            let mut entry = Entry::new(EntryKind::DENIED, short(who), sight.now, sight.wall);
            entry.d.insert("act".into(), short(&denial.act));
            entry.d.insert("why".into(), short(&denial.why));
            if !denial.token.is_empty() {
                entry.d.insert("token".into(), short(&denial.token));
            }
            if let Some(from) = from {
                entry.d.insert("from".into(), from.to_string());
            }
            if n > 1 {
                entry.d.insert("times".into(), n.to_string());
            }
            ops.push(Op::Entry(draft(entry, Vec::new())?));
        }
        let write = Write { premises: Premises::default(), now: sight.now, ops };
        self.commit(write).map(drop).map_err(refuse)
    }
}

/// Nothing foreign but a short word of it.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn kind(n: usize) -> Denial {
        Denial { who: format!("w{n}"), token: String::new(), act: "x".into(), why: "y".into() }
    }

    #[test]
    fn the_first_is_told_at_once_and_the_others_as_a_number() {
        let mut book = Book::default();
        assert_eq!(book.note(1, kind(0), FROM), [(kind(0), 1, Some(FROM))]);
        for _ in 0..41 {
            assert_eq!(book.note(1, kind(0), FROM), []);
        }
        let next = book.note(2, kind(0), FROM);
        assert_eq!(next, [(kind(0), 41, Some(FROM)), (kind(0), 1, Some(FROM))]);
    }

    #[test]
    fn a_flood_of_kinds_is_bounded_and_every_attempt_is_counted() {
        let mut book = Book::default();
        let told: u64 = (0..5000).flat_map(|n| book.note(1, kind(n), FROM)).map(|w| w.1).sum();
        assert_eq!(told, 30);
        let counted = book.take();
        assert!(counted.len() <= AT_ONCE + 1);
        assert_eq!(counted.iter().map(|w| w.1).sum::<u64>() + told, 5000);
        assert_eq!(book.take(), []);
    }
}
