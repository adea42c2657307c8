//! Small states beside the log, compared with what its entries say: tokens, and the control state
//! with its generation.
//!
//! An entry that changes one of them carries its mark ([`state_mark`](crate::audit::state_mark)).
//! What the entry also says in words is compared first, so that the fault can be named.

use std::collections::BTreeMap;

use super::rows::Wrong;
use crate::audit::{CONTROL_MARK, Entry, EntryKind};
use crate::domain::{Timestamp, Token};

/// A token as its row says.
#[derive(Clone, Copy, Debug)]
pub struct TokenRow<'a> {
    pub token: &'a Token,
    /// Of the whole row.
    pub mark: &'a str,
}

/// What the log says of small states.
#[derive(Default)]
pub(super) struct Small {
    /// By id; taken out as rows come.
    tokens: BTreeMap<String, Said>,
    /// When a token was revoked last: the long expired ones were forgotten then.
    swept: Option<Timestamp>,
    control: Raised,
}

/// A token as its entries say.
struct Said {
    index: u64,
    name: Option<String>,
    scopes: Option<String>,
    expires: Option<Timestamp>,
    revoked: Option<Timestamp>,
    mark: Option<String>,
}

/// The control state as the last entry that changed it says.
#[derive(Default)]
struct Raised {
    generation: u64,
    index: Option<u64>,
    mark: Option<String>,
    seen: bool,
}

impl Small {
    /// Takes note of an entry.
    pub fn note(&mut self, index: u64, entry: &Entry) {
        if let Some(generation) = entry.r#gen.filter(|g| *g > self.control.generation) {
            self.control = Raised { generation, index: Some(index), mark: None, seen: false };
        }
        // Several entries of one commit may raise it; the last of them has the mark.
        if let (Some(mark), true) =
            (entry.d.get(CONTROL_MARK), entry.r#gen == Some(self.control.generation))
        {
            (self.control.mark, self.control.index) = (Some(mark.clone()), Some(index));
        }
        let Some(id) = entry.d.get("token") else { return };
        if entry.t == EntryKind::TOKEN_CREATED {
            let said = Said {
                index,
                name: entry.d.get("for").cloned(),
                scopes: entry.d.get("scopes").cloned(),
                expires: entry.d.get("expires").and_then(|at| at.parse().ok()),
                revoked: None,
                mark: entry.d.get("row").cloned(),
            };
            self.tokens.insert(id.clone(), said);
        } else if entry.t == EntryKind::TOKEN_REVOKED {
            self.swept = self.swept.max(Some(entry.wall));
            if let Some(said) = self.tokens.get_mut(id) {
                (said.index, said.revoked) = (index, Some(entry.wall));
                said.mark = entry.d.get("row").cloned();
            }
        }
    }

    /// A token's row.
    pub fn token(&mut self, row: &TokenRow<'_>) -> Option<Wrong> {
        let token = row.token;
        let id = &token.id;
        let Some(must) = self.tokens.remove(id) else {
            return Some((None, format!("no entry makes the token {id} that is kept")));
        };
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        let differs = match () {
            () if must.name.as_ref().is_some_and(|name| *name != token.name) => "owner",
            () if must.scopes.is_some_and(|said| said != scopes.join(",")) => "list of scopes",
            () if must.expires.is_some_and(|at| at != token.expires_at) => "expiry",
            () if must.revoked != token.revoked_at => "word on being revoked",
            () if must.mark.is_some_and(|mark| mark != row.mark) => "content",
            () => return None,
        };
        Some((Some(must.index), format!("the token {id} has another {differs} in its row")))
    }

    /// The control state's row, by its mark.
    pub fn control(&mut self, mark: &str) -> Option<Wrong> {
        self.control.seen = true;
        let Some(index) = self.control.index else {
            return Some((None, "a control state is kept, and no entry changes it".to_owned()));
        };
        self.control.mark.as_ref().is_some_and(|said| said != mark).then(|| {
            let reason = "switches, breakers, canaries and freezes are not as it left them";
            (Some(index), format!("the control state was changed by hand: {reason}"))
        })
    }

    /// The control generation that the store says it is at.
    pub fn generation(&self, row: u64) -> Option<Wrong> {
        let log = self.control.generation;
        (row != log).then(|| {
            let reason = format!("the store says the control generation is {row}, the log {log}");
            (self.control.index, reason)
        })
    }

    /// What the log says and no row does.
    pub fn left_over(&self) -> Vec<Wrong> {
        let forgotten = |said: &Said| {
            let gone = said.expires.and_then(|at| at.checked_add(FORGOTTEN).ok());
            gone.is_some_and(|gone| self.swept.is_some_and(|swept| gone < swept))
        };
        let tokens = self.tokens.iter().filter(|(_, said)| !forgotten(said));
        let tokens =
            tokens.map(|(id, said)| (Some(said.index), format!("the token {id} has no row")));
        let control = self.control.index.filter(|_| !self.control.seen);
        let control = control.map(|index| (Some(index), "the control state is gone".to_owned()));
        tokens.chain(control).collect()
    }
}

/// How long after their end tokens are kept at least.
const FORGOTTEN: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
