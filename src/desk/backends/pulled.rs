//! Verdicts that come back from a labelling system: a registered reviewer's, under the same rules
//! as at the desk, or none.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::state_key;
use crate::desk::Local;
use crate::desk::core::millis;
use crate::domain::{Timestamp, Verdict};
use crate::policy::Backend;
use crate::protocol::{Answer, Command, ConflictView, Refused, ReviewRequest, Reviewed, Why};

/// How many conflicts and unknown accounts are remembered.
const REMEMBERED: usize = 100;

/// What is kept of a backend's annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Pulled {
    /// How far they have been read, in the other system's own words.
    pub(super) cursor: Option<String>,
    /// Annotations that became verdicts.
    pub(super) taken: u64,
    /// Accounts that are nobody here.
    pub(super) unmapped: BTreeSet<String>,
    /// Annotations that could not be applied, newest last.
    pub(super) conflicts: Vec<ConflictView>,
    /// Why they cannot be read now.
    pub(super) error: Option<String>,
    /// Wall time of the last look.
    pub(super) looked_at: Option<Timestamp>,
}

/// An annotation as somebody there gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotated {
    /// Names it in the other system, and this state of it: `annotation 12`.
    pub name: String,
    /// A UUID made of the same: a verdict of it is given once.
    pub request_id: String,
    pub item: String,
    /// The revision of the item that was pushed.
    pub revision: Option<u64>,
    /// How the account is called there: e-mail and user name.
    pub accounts: Vec<String>,
    pub verdict: Verdict,
    /// Why it cannot be a verdict at all.
    pub fault: Option<String>,
}

/// What became of an annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is a verdict now.
    Verdict,
    /// It was one before.
    Known,
    /// The account is nobody here.
    Unmapped(String),
    /// It cannot be applied, and why.
    Conflict(String),
}

impl Local {
    /// Where reading a backend's annotations goes on, and when it was looked at last.
    pub fn pull_cursor(
        &self,
        backend: &str,
    ) -> Result<(Option<String>, Option<Timestamp>), Refused> {
        let (state, _) = self.core.small::<Pulled>(&state_key(backend, "pull"))?;
        Ok((state.cursor, state.looked_at))
    }

    /// Apply annotations, oldest first, and move the cursor. What somebody holds, what has moved
    /// on since it was pushed, and what the reviewer may not do is kept as a conflict.
    pub fn pulled(
        &self,
        backend: &Backend,
        annotated: &[Annotated],
        cursor: Option<String>,
    ) -> Result<Vec<Taken>, Refused> {
        let now = millis(self.core.wall_now());
        let mut taken = Vec::new();
        for one in annotated {
            taken.push(self.take_in(backend, one)?);
        }
        self.core.change_small::<Pulled>(&state_key(&backend.name, "pull"), |state| {
            for (one, what) in annotated.iter().zip(&taken) {
                state.conflicts.retain(|c| c.annotation != one.name);
                match what {
                    Taken::Verdict => state.taken += 1,
                    Taken::Known => {}
                    Taken::Unmapped(account) => {
                        if state.unmapped.len() < REMEMBERED {
                            state.unmapped.insert(account.clone());
                        }
                    }
                    Taken::Conflict(why) => state.conflicts.push(ConflictView {
                        annotation: one.name.clone(),
                        item: one.item.clone(),
                        account: one.accounts.first().cloned().unwrap_or_default(),
                        why: why.clone(),
                        at: now,
                    }),
                }
            }
            let over = state.conflicts.len().saturating_sub(REMEMBERED);
            state.conflicts.drain(..over);
            state.cursor.clone_from(&cursor);
            state.error = None;
            state.looked_at = Some(now);
            Vec::new()
        })?;
        Ok(taken)
    }

    /// Annotations cannot be read now.
    pub fn not_pulled(&self, backend: &str, why: &str) -> Result<(), Refused> {
        let now = millis(self.core.wall_now());
        self.core.change_small::<Pulled>(&state_key(backend, "pull"), |state| {
            state.error = Some(why.to_owned());
            state.looked_at = Some(now);
            Vec::new()
        })
    }

    fn take_in(&self, backend: &Backend, one: &Annotated) -> Result<Taken, Refused> {
        let Some(reviewer) = self.reviewer_of(backend, &one.accounts)? else {
            return Ok(Taken::Unmapped(one.accounts.first().cloned().unwrap_or_default()));
        };
        if let Some(fault) = &one.fault {
            return Ok(Taken::Conflict(fault.clone()));
        }
        let request = ReviewRequest {
            request_id: one.request_id.clone(),
            item: one.item.clone(),
            verdict: one.verdict.clone(),
            lease: None,
            revision: one.revision,
            seen: None,
            signature: None,
            grace_ms: 0,
            offline: None,
        };
        match self.execute_blocking(&reviewer, Command::Review(Box::new(request))) {
            Ok(Answer::Reviewed(Reviewed { duplicate: true, .. })) => Ok(Taken::Known),
            Ok(_) => Ok(Taken::Verdict),
            Err(refused) if refused.kind == Why::Unavailable => Err(refused),
            Err(refused) => Ok(Taken::Conflict(refused.message)),
        }
    }

    /// Whoever the policy says the account is, else the reviewer of that very name; nobody is made
    /// up, and the disabled are refused like at the desk.
    fn reviewer_of(
        &self,
        backend: &Backend,
        accounts: &[String],
    ) -> Result<Option<String>, Refused> {
        let known: BTreeMap<&String, &String> = backend.reviewers.iter().collect();
        let named = accounts.iter().filter_map(|a| known.get(a).map(|r| (*r).clone()));
        for name in named.chain(accounts.iter().cloned()) {
            if self.core.store.reviewer(&name).map_err(crate::desk::core::refuse)?.is_some() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}
