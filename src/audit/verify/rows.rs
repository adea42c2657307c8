//! What the store keeps beside the log, compared with what the log says it must be.
//!
//! A decision's row is committed to by its entry ([`Entry::row`]); a review's words stand in the
//! body of its verdict; people, policies and labelled examples in the entries themselves. Rows
//! that belong to an entry are given right after it, so little is remembered: who works here,
//! which verdicts were taken back, which decisions were re-admitted later.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::audit::{Entry, EntryKind, RowMark, Salt, commit};
use crate::domain::{Outcome, Review, Reviewer, Timestamp, Verdict};

/// A decision as its row says.
#[derive(Clone, Copy, Debug)]
pub struct DecisionRow<'a> {
    /// The entry that admitted it.
    pub index: u64,
    pub id: &'a str,
    pub at: Timestamp,
    /// The entry that re-admitted it, if one did.
    pub raw: Option<u64>,
    pub outcome: Outcome,
    pub rule: &'a str,
    pub policy: &'a str,
    pub generation: u64,
    /// It holds something that an erasure takes away (a reason, groups, tags).
    pub texts: bool,
    /// The bytes that [`Entry::row`] commits to.
    pub form: &'a [u8],
}

/// A reviewer's own answer as its row says.
#[derive(Clone, Copy, Debug)]
pub struct AnswerRow<'a> {
    pub index: u64,
    pub item: &'a str,
    pub reviewer: &'a str,
    pub request_id: &'a str,
    pub agreed: bool,
}

/// A labelled example as its row says.
#[derive(Clone, Copy, Debug)]
pub struct CorrectionRow<'a> {
    /// Counts from 1 in the order of the log.
    pub number: u64,
    pub item: &'a str,
    pub request_id: &'a str,
    pub at: Timestamp,
}

/// A policy as its row says.
#[derive(Clone, Copy, Debug)]
pub struct PolicyRow<'a> {
    pub hash: &'a str,
    pub name: &'a str,
    /// Source and schemas give this hash.
    pub holds: bool,
}

/// Where the store says it stands.
#[derive(Clone, Copy, Debug)]
pub struct StateRow<'a> {
    pub policy: Option<&'a str>,
    pub generation: u64,
    pub decisions: u64,
    pub automatic: u64,
}

/// What is wrong: the entry it is about (all of them where none is), and how.
pub(super) type Wrong = (Option<u64>, String);

/// Everything that must have rows.
#[derive(Default)]
pub(super) struct Rows {
    /// The store's rows are given: what has none is missing.
    pub on: bool,
    /// Decisions whose record comes from a later entry.
    later: HashMap<String, Later>,
    /// Requests whose rows say they were taken back, with the verdict's entry.
    undone: HashMap<String, u64>,
    people: BTreeMap<String, (Reviewer, u64)>,
    /// In the order of the log; taken out as rows come.
    examples: Vec<Example>,
    taught: HashSet<String>,
    examples_seen: usize,
    /// By hash: the name it was first activated under, and that entry.
    policies: BTreeMap<String, (Option<String>, u64, bool)>,
    in_force: Option<(String, u64)>,
    decisions: u64,
    automatic: u64,
}

struct Later {
    index: u64,
    outcome: Outcome,
    rule: String,
    policy: String,
    generation: u64,
    texts: bool,
    form: Vec<u8>,
}

struct Example {
    index: u64,
    item: String,
    request: String,
    at: Timestamp,
}

/// The entry that rows are being given for.
pub(super) struct Beside<'e> {
    pub index: u64,
    pub entry: &'e Entry,
    /// Its first body is there, whether it is the right one or not; else it was erased.
    pub text: bool,
    /// Of its first body, if that is the right one.
    pub salt: Option<&'e Salt>,
    /// The review that its body holds.
    pub said: Option<&'e Review>,
}

impl Rows {
    /// Takes note of an entry, before its bodies.
    pub fn note(&mut self, index: u64, entry: &Entry) {
        let kind = &entry.t;
        if *kind == EntryKind::ADMIT {
            self.decisions += 1;
            self.automatic += u64::from(entry.outcome == Some(Outcome::Auto));
        } else if *kind == EntryKind::READMIT {
            // Only broken records are re-admitted, and those were not automatic.
            self.automatic += u64::from(entry.outcome == Some(Outcome::Auto));
        } else if *kind == EntryKind::SETTLE {
            if let (Some(request), Some(item)) = (entry.d.get("example"), &entry.id)
                && self.taught.insert(request.clone())
            {
                let (item, request) = (item.clone(), request.clone());
                self.examples.push(Example { index, item, request, at: entry.at });
            }
        } else if *kind == EntryKind::REVIEWER_ADDED || *kind == EntryKind::REVIEWER_DISABLED {
            self.person(index, entry);
        } else if *kind == EntryKind::POLICY_ACTIVATED
            && let Some(hash) = entry.d.get("hash")
        {
            let name = entry.d.get("name").cloned();
            self.policies.entry(hash.clone()).or_insert((name, index, false));
            self.in_force = Some((hash.clone(), index));
        }
    }

    fn person(&mut self, index: u64, entry: &Entry) {
        let Some(name) = entry.d.get("reviewer") else { return };
        let version = self.people.get(name).map_or(0, |(r, _)| r.version) + 1;
        if entry.t == EntryKind::REVIEWER_DISABLED {
            if let Some((person, at)) = self.people.get_mut(name) {
                (person.disabled, person.version, *at) = (true, version, index);
            }
            return;
        }
        let words = entry.d.get("roles").map(String::as_str).unwrap_or_default();
        let role = |word: &str| crate::domain::Role::ALL.into_iter().find(|r| r.as_str() == word);
        let person = Reviewer {
            name: name.clone(),
            level: entry.d.get("level").and_then(|l| l.parse().ok()).unwrap_or_default(),
            roles: words.split(',').filter_map(role).collect(),
            key: entry.d.get("key").cloned(),
            skills: entry
                .d
                .get("skills")
                .map(|words| words.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
            disabled: false,
            version,
        };
        self.people.insert(name.clone(), (person, index));
    }

    /// A decision's row, after its admission.
    pub fn decision(&mut self, beside: &Beside<'_>, row: &DecisionRow<'_>) -> Option<String> {
        let id = row.id;
        if beside.entry.t != EntryKind::ADMIT {
            return Some(format!("the decision {id:?} is kept for it, but it admits nothing"));
        }
        if beside.entry.id.as_deref() != Some(id) {
            return Some(format!("the decision kept for it is {id:?}"));
        }
        if beside.entry.at != row.at {
            return Some(format!(
                "the decision {id:?} says it was admitted at {}, and the log at {}",
                row.at, beside.entry.at
            ));
        }
        if let Some(index) = row.raw {
            let later = Later {
                index,
                outcome: row.outcome,
                rule: row.rule.to_owned(),
                policy: row.policy.to_owned(),
                generation: row.generation,
                texts: row.texts,
                form: row.form.to_vec(),
            };
            self.later.insert(id.to_owned(), later);
            return None;
        }
        let DecisionRow { outcome, rule, policy, generation, texts, form, .. } = *row;
        told(beside, id, outcome, rule, policy, generation)
            .or_else(|| marked(beside, id, texts, form))
    }

    /// Compares the row that takes its record from this re-admission.
    pub fn readmitted(&mut self, beside: &Beside<'_>) -> Option<String> {
        let id = beside.entry.id.as_deref()?;
        match self.later.get(id).map(|l| l.index) {
            Some(index) if index > beside.index => None,
            Some(index) if index == beside.index => {
                let l = self.later.remove(id)?;
                told(beside, id, l.outcome, &l.rule, &l.policy, l.generation)
                    .or_else(|| marked(beside, id, l.texts, &l.form))
            }
            _ => Some(format!("the decision {id:?} does not hold the record re-admitted by it")),
        }
    }

    /// A review's row, after its verdict. `row.verdict` holds the verdict's kind and tags.
    pub fn review(&mut self, beside: &Beside<'_>, row: &Review) -> Option<String> {
        let (request, entry) = (&row.request_id, beside.entry);
        if entry.t != EntryKind::VERDICT {
            return Some(format!("the review {request:?} is kept for it, but it is no verdict"));
        }
        if row.undone {
            self.undone.insert(request.clone(), beside.index);
        }
        let erased = beside.salt.is_none();
        let verdict = entry.verdict.unwrap_or(row.verdict.verdict);
        let mut must = match beside.said {
            Some(said) => Review {
                verdict: Verdict {
                    tags: said.verdict.tags.clone(),
                    ..Verdict::plain(said.verdict.verdict)
                },
                ..said.clone()
            },
            // What only the text says cannot be compared once it is erased.
            None => Review { verdict: Verdict::plain(verdict), ..row.clone() },
        };
        must.undone = row.undone;
        if beside.said.is_none() && !erased {
            must.verdict.tags.clone_from(&row.verdict.tags);
        }
        let differs = match () {
            () if entry.req.as_ref() != Some(request) => "request",
            () if entry.id.as_ref() != Some(&row.item) || must.item != row.item => "decision",
            () if entry.by != row.reviewer || must.reviewer != row.reviewer => "reviewer",
            () if verdict != row.verdict.verdict || must.verdict.verdict != row.verdict.verdict => {
                "verdict"
            }
            () if entry.at != row.at => "time",
            () if must.level != row.level => "level",
            () if must.queue != row.queue => "queue",
            () if must.revision != row.revision => "revision",
            () if must.verdict.tags != row.verdict.tags => "tags",
            () if must.signature != row.signature => "signature",
            () if must.reversal != row.reversal => "reversal",
            () if must.agreed != row.agreed => "agreement with the own answer",
            () => return None,
        };
        Some(format!("the review {request:?} of {:?} has another {differs} in its row", row.item))
    }

    /// A verdict was taken back.
    pub fn undo(&mut self, entry: &Entry) -> Option<String> {
        let request = entry.req.as_ref()?;
        match self.undone.remove(request) {
            Some(_) => None,
            None => Some(format!("the review {request:?} stands, though it was taken back by it")),
        }
    }

    /// An own answer's row, after its entry.
    pub fn answer(&self, beside: &Beside<'_>, row: &AnswerRow<'_>) -> Option<String> {
        let (request, entry) = (row.request_id, beside.entry);
        let agreed = if row.agreed { "true" } else { "false" };
        let differs = match () {
            () if entry.t != EntryKind::ANSWER => "entry",
            () if entry.req.as_deref() != Some(request) => "request",
            () if entry.id.as_deref() != Some(row.item) => "decision",
            () if entry.by != row.reviewer => "reviewer",
            () if entry.d.get("agreed").is_some_and(|said| said != agreed) => "agreement",
            () => return None,
        };
        Some(format!("the answer {request:?} to {:?} has another {differs} in its row", row.item))
    }

    /// A person's row: what stands in it, under which name and version.
    pub fn reviewer(&mut self, name: &str, version: u64, row: &Reviewer) -> Option<Wrong> {
        let Some((must, index)) = self.people.remove(name) else {
            return Some((None, format!("no entry adds the reviewer {name:?}")));
        };
        let differs = match () {
            () if row.name != name => "name",
            () if must.level != row.level => "level",
            () if must.roles != row.roles => "list of roles",
            () if must.skills != row.skills => "list of skills",
            () if must.key != row.key => "key",
            () if must.disabled != row.disabled => "word on being disabled",
            () if must.version != version || must.version != row.version => "version",
            () => return None,
        };
        Some((Some(index), format!("the reviewer {name:?} has another {differs} in its row")))
    }

    /// A labelled example's row, in their order.
    pub fn correction(&mut self, row: &CorrectionRow<'_>) -> Option<Wrong> {
        let request = row.request_id;
        let Some(must) = self.examples.get(self.examples_seen) else {
            let reason = format!("no entry makes the correction {} of {request:?}", row.number);
            return Some((None, reason));
        };
        self.examples_seen += 1;
        let differs = match () {
            () if must.request != request => "review",
            () if must.item != row.item => "decision",
            () if must.at != row.at => "time",
            () if row.number != self.examples_seen as u64 => "number",
            () => return None,
        };
        let number = row.number;
        let reason = format!(
            "the correction {number} has another {differs} in its row than the {:?} of {:?}",
            must.request, must.item
        );
        Some((Some(must.index), reason))
    }

    /// A policy's row.
    pub fn policy(&mut self, row: &PolicyRow<'_>) -> Option<Wrong> {
        let PolicyRow { hash, name, holds } = *row;
        let Some((known, index, seen)) = self.policies.get_mut(hash) else {
            return Some((None, format!("no entry activates the policy {hash} that is kept")));
        };
        *seen = true;
        let differs = match () {
            () if !holds => "text or schemas",
            () if known.as_ref().is_some_and(|known| known != name) => "name",
            () => return None,
        };
        Some((Some(*index), format!("the policy {hash} has another {differs} in its row")))
    }

    /// Where the store says it stands.
    pub fn state(&self, row: &StateRow<'_>) -> Option<Wrong> {
        let force = self.in_force.as_ref();
        let last = force.map(|(_, index)| *index);
        if row.policy != force.map(|(hash, _)| hash.as_str()) {
            let (row, log) = (row.policy.unwrap_or("none"), force.map_or("none", |(h, _)| h));
            return Some((
                last,
                format!("the store says the policy {row} is in force, the log {log}"),
            ));
        }
        let counts = [
            ("decisions", row.decisions, self.decisions),
            ("automatic decisions", row.automatic, self.automatic),
        ];
        for (what, row, log) in counts {
            if row != log {
                return Some((
                    None,
                    format!("the store says it has {row} {what}, the log has {log}"),
                ));
            }
        }
        None
    }

    /// What the log says and no row does.
    pub fn left_over(&self) -> Vec<Wrong> {
        let people = self
            .people
            .iter()
            .map(|(name, (_, index))| (Some(*index), format!("the reviewer {name:?} has no row")));
        let later = self.later.iter().map(|(id, l)| {
            let reason = format!("the decision {id:?} takes its record from entry {}", l.index);
            (Some(l.index), format!("{reason}, which does not re-admit it"))
        });
        let undone = self.undone.iter().map(|(request, index)| {
            let reason = format!("the review {request:?} is marked as taken back");
            (Some(*index), format!("{reason}, and no entry says so"))
        });
        let examples = self.examples.iter().skip(self.examples_seen).map(|e| {
            (Some(e.index), format!("the correction of {:?} by {:?} has no row", e.item, e.request))
        });
        let policies = self.policies.iter().filter(|(_, (_, _, seen))| !seen);
        let policies = policies
            .map(|(hash, (_, index, _))| (Some(*index), format!("the policy {hash} has no row")));
        people.chain(later).chain(undone).chain(examples).chain(policies).collect()
    }
}

/// Does the row say of its route what the entry says?
fn told(
    beside: &Beside<'_>,
    id: &str,
    outcome: Outcome,
    rule: &str,
    policy: &str,
    generation: u64,
) -> Option<String> {
    let entry = beside.entry;
    let short = policy.trim_start_matches("sha256:").get(..16);
    let said = |known: bool, same: bool| known && !same;
    let differs = match () {
        () if said(entry.outcome.is_some(), entry.outcome == Some(outcome)) => "outcome",
        () if said(entry.rule.is_some(), entry.rule.as_deref() == Some(rule)) => "rule",
        () if said(entry.r#gen.is_some(), entry.r#gen == Some(generation)) => "generation",
        () if said(
            entry.policy.is_some(),
            entry.policy.as_deref() == Some(short.unwrap_or(policy)),
        ) =>
        {
            "policy"
        }
        () => return None,
    };
    Some(format!("the decision {id:?} has another {differs} in its row"))
}

/// Is it the row that the entry commits to? Once the salt is erased nobody can tell, but neither
/// may there be anything that should be gone.
fn marked(beside: &Beside<'_>, id: &str, texts: bool, form: &[u8]) -> Option<String> {
    match (beside.salt, &beside.entry.row) {
        (Some(salt), Some(mark)) if RowMark::of(salt, form) != *mark => Some(format!(
            "the decision {id:?} has been changed: its row is not the one it was given"
        )),
        (None, _) if texts && !beside.text => {
            Some(format!("the decision {id:?} says again what was erased"))
        }
        _ => None,
    }
}

impl RowMark {
    /// The mark of a row under the salt of its record.
    pub fn of(salt: &Salt, form: &[u8]) -> Self {
        let hash = commit(salt, "row", form);
        let (half, _) = hash.split_at(16);
        Self(half.try_into().unwrap_or_default())
    }
}
