//! Tokens: made by an admin, shown once, kept as a hash, expiring, revocable at once.
//!
//! A token is `ovr_ID_SECRET`, where the secret is 256 bits from the operating system. What is kept
//! is its SHA-256: nobody can search 2^256 secrets, so a slow password hash would protect nothing
//! more and would cost every request its time.
//!
//! Tokens are small states, one a token; a state `tokens` beside them changes with each of them. So
//! a copy in memory is as good as the store for as long as that state's version stands, and a
//! commit that has the version as a premise cannot be raced by a revocation.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::core::{Core, Trouble, draft, json, lock, millis, refuse};
use super::people::added;
use super::salts::fresh_salt;
use super::{Door, Local};
use crate::audit::{Entry, EntryKind, state_mark};
use crate::authority::{self, Subject};
use crate::domain::{Reviewer, Timestamp, Token, TokenScope};
use crate::protocol::{Act, NewToken, Refused, TokenAsk, Why};
use crate::store::{Op, Premises, Write};

/// Whose version changes with every token.
pub(super) const TABLE: &str = "tokens";
/// One token: this and its id.
pub(super) const EACH: &str = "token/";
/// What every token begins with, for people and scanners who look for leaked ones.
pub const PREFIX: &str = "ovr_";
/// Hex digits of an id.
const ID: usize = 16;
/// How many tokens there may be at once.
const MOST: usize = 10_000;
/// How long a token may last, in seconds.
const LASTS: std::ops::RangeInclusive<u64> = 1..=10 * 366 * 86_400;

/// A token as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    /// SHA-256 of the whole token, hex.
    hash: String,
    #[serde(flatten)]
    token: Token,
}

/// Tokens as of one version of the table.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) version: u64,
    by_id: HashMap<String, Kept>,
}

/// The copy in memory.
#[derive(Default)]
pub(super) struct Tokens(Mutex<Option<Arc<Known>>>);

/// Whom a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The token's id.
    pub token: String,
    /// In whose name it acts.
    pub name: String,
    pub scopes: Vec<TokenScope>,
    /// The version of the table it was read from.
    pub version: u64,
}

impl Identity {
    /// The door that they came by.
    pub(super) fn door(&self, from: IpAddr) -> Door {
        Door { token: self.token.clone(), from: Some(from) }
    }
}

/// Why a token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unknown {
    #[error("this takes a bearer token")]
    Missing,
    #[error("that is not a token of this desk")]
    Invalid,
    #[error("the token has expired")]
    Expired,
    #[error("the token was revoked")]
    Revoked,
}

impl Known {
    /// The identity behind a presented token at wall time `wall`.
    fn find(&self, presented: &str, wall: Timestamp) -> Result<Identity, Unknown> {
        let id = id_of(presented).ok_or(Unknown::Invalid)?;
        let kept = self.by_id.get(id);
        // Compared also where there is no such id, so that both take the same time.
        let hash = hash(presented);
        let stored = kept.map_or("", |k| k.hash.as_str());
        let equal = hash.as_bytes().ct_eq(stored.as_bytes());
        let Some(kept) = kept.filter(|_| bool::from(equal)) else { return Err(Unknown::Invalid) };
        kept.identity(self.version, wall)
    }

    /// The identity behind a token that was recognised before.
    pub(super) fn of_id(&self, id: &str, wall: Timestamp) -> Result<Identity, Unknown> {
        self.by_id.get(id).ok_or(Unknown::Invalid)?.identity(self.version, wall)
    }
}

impl Kept {
    fn key(&self) -> String {
        format!("{EACH}{}", self.token.id)
    }

    fn identity(&self, version: u64, wall: Timestamp) -> Result<Identity, Unknown> {
        if self.token.revoked_at.is_some() {
            return Err(Unknown::Revoked);
        }
        if !self.token.is_live(wall) {
            return Err(Unknown::Expired);
        }
        Ok(Identity {
            token: self.token.id.clone(),
            name: self.token.name.clone(),
            scopes: self.token.scopes.clone(),
            version,
        })
    }
}

/// The public part of a token, if it has the form of one.
fn id_of(presented: &str) -> Option<&str> {
    let (id, secret) = presented.strip_prefix(PREFIX)?.split_once('_')?;
    let hex = id.len() == ID && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (hex && secret.len() == 43).then_some(id)
}

fn hash(presented: &str) -> String {
    hex::encode(Sha256::digest(presented.as_bytes()))
}

impl Local {
    /// Whom a token speaks for, by what the store says now. Blocks for one small read.
    pub fn authenticate(&self, presented: &str) -> Result<Result<Identity, Unknown>, Refused> {
        let known = self.core.tokens_now()?;
        Ok(known.find(presented, self.core.wall_now()))
    }

    /// May somebody of this name ask anything at all? For what is no query.
    pub fn may_ask(&self, name: &str) -> Result<(), Refused> {
        authority::may_ask(&self.core.actor(name)?)
    }

    /// As [`Self::authenticate`], by the copy in memory; `None`: it knows no such token that opens anything. Only for
    /// [`super::Admissions`], whose commits have [`Identity::version`] as a premise.
    pub fn authenticate_from_memory(&self, presented: &str) -> Option<Identity> {
        let known = lock(&self.core.tokens.0).clone()?;
        known.find(presented, self.core.wall_now()).ok()
    }
}

impl Core {
    /// All tokens, read anew where something about them has changed.
    pub(super) fn tokens_now(&self) -> Result<Arc<Known>, Refused> {
        // The version is read first: rows of a later change make the copy look older than it is,
        // and it is read again.
        let version = self.store.state(TABLE).map_err(refuse)?.map_or(0, |s| s.version);
        let copy = lock(&self.tokens.0).clone();
        if let Some(known) = copy.filter(|known| known.version == version) {
            return Ok(known);
        }
        // Read without the lock: those who look into the copy never wait for the store.
        let rows = self.store.states(EACH).map_err(refuse)?;
        let by_id = rows
            .into_iter()
            .filter_map(|(key, state)| match serde_json::from_slice::<Kept>(&state.value) {
                Ok(kept) => Some((kept.token.id.clone(), kept)),
                Err(error) => {
                    tracing::error!(key, %error, "a token cannot be read and opens nothing");
                    None
                }
            })
            .collect();
        let known = Arc::new(Known { version, by_id });
        let mut copy = lock(&self.tokens.0);
        // Somebody else may have read a later one meanwhile.
        if copy.as_ref().is_none_or(|other| other.version < version) {
            *copy = Some(known.clone());
        }
        Ok(known)
    }

    /// All tokens, newest first.
    pub(super) fn tokens(&self, by: &str) -> Result<Vec<Token>, Refused> {
        authority::may(&self.actor(by)?, Act::CreateToken, Subject::default())?;
        let known = self.tokens_now()?;
        let mut all: Vec<Token> = known.by_id.values().map(|kept| kept.token.clone()).collect();
        all.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Ok(all)
    }

    /// Make a token. A name that nobody has becomes a service: somebody without roles, who can
    /// submit decisions and nothing else, and who is disabled like anybody.
    pub(super) fn create_token(&self, by: &str, ask: &TokenAsk) -> Result<NewToken, Refused> {
        let name = super::people::named(&ask.name)?;
        let mut scopes = ask.scopes.clone();
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(Refused::new(Why::Invalid, "a token without a scope opens nothing")
                .hint("name one: ingest, review, on-call, audit or admin"));
        }
        if !LASTS.contains(&ask.lasts_s) {
            return Err(Refused::new(Why::Invalid, "a token lasts a second to ten years"));
        }
        let (id, token) = fresh()?;
        self.retry(|sight| {
            let actor = self.actor(by)?;
            authority::may(&actor, Act::CreateToken, Subject::default())?;
            let person = self.store.reviewer(&name)?;
            let mut ops = Vec::new();
            match &person {
                Some(person) => authority::may_ask(person)?,
                None => {
                    let service = service(&name, &scopes)?;
                    ops.push(Op::Entry(draft(
                        added(&service, by, sight.now, sight.wall),
                        Vec::new(),
                    )?));
                    ops.push(Op::PutReviewer(service));
                }
            }
            let known = self.tokens_now()?;
            if known.by_id.len() >= MOST {
                return Err(Refused::new(Why::Invalid, format!("there are {MOST} tokens already"))
                    .hint("revoke those that nobody uses; expired ones are forgotten then")
                    .into());
            }
            let lasts = SignedDuration::from_secs(i64::try_from(ask.lasts_s).unwrap_or(i64::MAX));
            let kept = Token {
                id: id.clone(),
                name: name.clone(),
                scopes: scopes.clone(),
                created_by: by.to_owned(),
                created_at: sight.wall,
                expires_at: millis(sight.wall.checked_add(lasts).unwrap_or(Timestamp::MAX)),
                revoked_at: None,
            };
            let row = Kept { hash: hash(&token), token: kept.clone() };
            let mut entry = told(EntryKind::TOKEN_CREATED, &row, by, sight.now, sight.wall)?;
            entry.d.insert("expires".into(), kept.expires_at.to_string());
            ops.push(Op::Entry(draft(entry, Vec::new())?));
            self.put_token(&actor, &row, known.version, ops, sight.now)?;
            Ok(NewToken { token: token.clone(), kept })
        })
    }

    /// Revoke a token: it opens nothing from this commit on.
    pub(super) fn revoke_token(&self, by: &str, id: &str) -> Result<Token, Refused> {
        self.retry(|sight| {
            let actor = self.actor(by)?;
            authority::may(&actor, Act::RevokeToken, Subject::default())?;
            let known = self.tokens_now()?;
            let mut kept = known.by_id.get(id).cloned().ok_or_else(|| {
                Refused::new(Why::NotFound, format!("there is no token {id}"))
                    .hint("overrule token list shows which there are")
            })?;
            if kept.token.revoked_at.is_some() {
                return Ok(kept.token);
            }
            kept.token.revoked_at = Some(sight.wall);
            let entry = told(EntryKind::TOKEN_REVOKED, &kept, by, sight.now, sight.wall)?;
            let mut ops = vec![Op::Entry(draft(entry, Vec::new())?)];
            // What has long expired need not be kept.
            let day = SignedDuration::from_hours(24);
            let old = known.by_id.values().filter(|k| k.token.expires_at + day < sight.wall);
            ops.extend(
                old.filter(|k| k.token.id != id)
                    .map(|k| Op::PutState { key: k.key(), value: None }),
            );
            self.put_token(&actor, &kept, known.version, ops, sight.now)?;
            Ok(kept.token)
        })
    }

    /// Store a token with what belongs to it, on the table it was decided on.
    fn put_token(
        &self,
        actor: &Reviewer,
        row: &Kept,
        version: u64,
        mut ops: Vec<Op>,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        ops.push(Op::PutState { key: row.key(), value: Some(json(row)?) });
        ops.push(Op::PutState { key: TABLE.to_owned(), value: Some(b"{}".to_vec()) });
        let premises = Premises {
            actor: Some((actor.name.clone(), actor.version)),
            state: vec![(TABLE.to_owned(), version)],
            ..Premises::default()
        };
        self.commit(Write { premises, now, ops })?;
        Ok(())
    }
}

/// The token that is kept under this key; `None`: what is kept is none, or another's.
pub(super) fn kept(key: &str, value: &[u8]) -> Option<Token> {
    let kept: Kept = serde_json::from_slice(value).ok()?;
    (key.strip_prefix(EACH) == Some(kept.token.id.as_str())).then_some(kept.token)
}

/// A new id and the token it is part of.
fn fresh() -> Result<(String, String), Refused> {
    let id = hex::encode(fresh_salt()?.get(..ID / 2).unwrap_or_default());
    let token = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(fresh_salt()?));
    Ok((id, token))
}

/// A name that only submits.
fn service(name: &str, scopes: &[TokenScope]) -> Result<Reviewer, Refused> {
    if scopes != [TokenScope::Ingest] {
        return Err(Refused::new(Why::NotFound, format!("there is no reviewer {name}")).hint(
            "overrule reviewer add registers one; a service that only submits decisions needs \
             the scope ingest alone",
        ));
    }
    Ok(Reviewer {
        name: name.to_owned(),
        level: 1,
        roles: Vec::new(),
        skills: Vec::new(),
        key: None,
        disabled: false,
        version: 1,
    })
}

/// What the trail says of a token: never the token. A mark stands for its row, so that whoever
/// changes that by hand is found out.
fn told(
    kind: EntryKind,
    row: &Kept,
    by: &str,
    at: Timestamp,
    wall: Timestamp,
) -> Result<Entry, Refused> {
    let token = &row.token;
    let mut entry = Entry::new(kind, by, at, wall);
    entry.d.insert("token".into(), token.id.clone());
    entry.d.insert("for".into(), token.name.clone());
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
    entry.d.insert("scopes".into(), scopes.join(","));
    entry.d.insert("row".into(), state_mark(&row.key(), &json(row)?));
    Ok(entry)
}
