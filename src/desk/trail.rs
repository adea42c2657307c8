//! The trail: read, signed, verified, proved, erased.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Local;
use super::core::{Core, Trouble, no_decision, refuse};
use super::eyes::{Eyes, plain};
use crate::audit::{
    AnswerRow, CorrectionRow, DecisionRow, Entry, EntryKind, Hash, ItemRow, LogVerifier, PolicyRow,
    StateRow, TileSource, TokenRow, Verifier, state_mark, tlog_proof,
};
use crate::authority::{self, Subject};
use crate::domain::{ItemState, Review, Reviewer};
use crate::policy::Policy;
use crate::protocol::{Act, EntryView, Erased, Refused, Reply, VerifyAsk, VerifyReport, Why};
use crate::store::{Op, Opened, Store, StoreError, StoredPolicy, TrailSink, Write};

/// An entry as the log is followed from outside.
#[derive(Clone, Debug)]
pub struct Tail {
    pub index: u64,
    /// Its JSON as it is hashed.
    pub entry: serde_json::Value,
    /// The domain of the decision it is about, where that was asked for and it is about one.
    pub domain: Option<String>,
}

impl Local {
    /// Entries of the log.
    pub fn head(&self) -> Result<u64, Refused> {
        self.core.store.head().map_err(refuse)
    }

    /// Entries from `from` on, at most `limit`; with the domains they are about if `domains`.
    pub fn tail(&self, from: u64, limit: usize, domains: bool) -> Result<Vec<Tail>, Refused> {
        let read = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or_default();
        if !domains {
            let found = self.core.store.entries(None, from, limit).map_err(refuse)?;
            let one =
                |(index, bytes): (u64, Vec<u8>)| Tail { index, entry: read(&bytes), domain: None };
            return Ok(found.into_iter().map(one).collect());
        }
        let found = self.core.store.follow(from, limit).map_err(refuse)?;
        let one = |f: crate::store::Followed| Tail {
            index: f.index,
            entry: read(&f.entry),
            domain: f.decision.map(|d| d.columns.domain).filter(|d| !d.is_empty()),
        };
        Ok(found.into_iter().map(one).collect())
    }

    /// As [`Self::tail`], as far as whoever follows the log with this token may see it. `None`: the
    /// token opens nothing any more, or its owner is disabled.
    pub fn tail_for(
        &self,
        presented: &str,
        from: u64,
        limit: usize,
        domains: bool,
    ) -> Result<Option<Vec<Tail>>, Refused> {
        let Ok(who) = self.authenticate(presented)? else { return Ok(None) };
        let Ok(actor) = self.core.actor(&who.name) else { return Ok(None) };
        if authority::may_ask(&actor).is_err() {
            return Ok(None);
        }
        let (eyes, mut blind) = (Eyes::behind(&who), HashMap::new());
        let mut page = self.tail(from, limit, domains)?;
        for tail in &mut page {
            let entry = std::mem::take(&mut tail.entry);
            tail.entry = self.core.followed(eyes, &actor, entry, &mut blind)?;
        }
        Ok(Some(page))
    }

    /// A proof file (C2SP tlog-proof) that the entry with this index is in the log.
    pub fn prove_index(&self, index: u64) -> Result<String, Refused> {
        let head = self.head()?;
        if index >= head {
            let what = format!("there is no entry {index}: the log has {head}");
            return Err(Refused::new(Why::NotFound, what));
        }
        self.core.prove_entry(index, &format!("entry {index}"))
    }
}

impl Core {
    /// The public key that the log's first entry names; `None` where that cannot be read.
    pub(super) fn named_key(&self) -> Result<Option<String>, Refused> {
        let first = self.store.entries(None, 0, 1).map_err(refuse)?;
        let entry = first.first().and_then(|(_, bytes)| Entry::parse(bytes).ok());
        Ok(entry.filter(|e| e.t == EntryKind::GENESIS).and_then(|e| e.d.get("key").cloned()))
    }

    /// Sign a checkpoint of the log as it stands, and return the newest one.
    pub(super) fn checkpoint(&self) -> Result<String, Refused> {
        let key = self.keys.signer()?;
        let sign = Box::new(move |size, root| key.sign(size, root));
        if let Some(note) = self.store.checkpoint(sign).wait().map_err(refuse)? {
            return Ok(note);
        }
        self.store.last_checkpoint().map_err(refuse)?.ok_or_else(|| {
            Refused::new(Why::NotFound, "the log is empty: there is nothing to sign")
        })
    }

    /// Read the whole trail and say whether anything was changed, and where first.
    pub(super) fn verify(
        &self,
        ask: &VerifyAsk,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<VerifyReport, Refused> {
        let unusable = |what: &str, e: &dyn std::fmt::Display| {
            Refused::new(Why::Invalid, format!("{what} is not usable: {e}"))
        };
        let key = match &ask.key {
            Some(text) => LogVerifier::decode(text.trim()).map_err(|e| unusable("the key", &e))?,
            None => self.keys.get()?.verifier(),
        };
        let mut sink = Sink { verifier: Verifier::new(key), size: 0, progress, outside: ask };
        sink.verifier.with_rows();
        self.store.feed(&mut sink).map_err(refuse)?;
        let report = sink.verifier.finish();
        let faults = report
            .faults
            .iter()
            .map(|f| match (f.first, f.last) {
                (first, last) if first == last => format!("entry {first}: {}", f.reason),
                (first, last) => format!("entries {first} to {last}: {}", f.reason),
            })
            .collect();
        Ok(VerifyReport {
            ok: report.ok(),
            entries: report.entries,
            root: STANDARD.encode(report.root),
            checkpoint: self.store.last_checkpoint().map_err(refuse)?,
            first_bad: report.first_bad().map(|f| f.first),
            faults,
            unanchored: report.entries.saturating_sub(outside_size(ask)),
        })
    }

    /// Entries of an item or all: as they are hashed for those who audit; others are told of a blind
    /// item that waits for them only where it stands.
    pub(super) fn entries(
        &self,
        eyes: Eyes<'_>,
        item: Option<&str>,
        from: u64,
        limit: usize,
    ) -> Result<Reply, Refused> {
        let all = eyes.audits(&self.actor(eyes.by)?);
        let limit = limit.clamp(1, 1_000);
        let total = self.store.head().map_err(refuse)?;
        let found = self.store.entries(item, from, limit).map_err(refuse)?;
        let next = found.last().filter(|_| found.len() == limit).map(|(i, _)| i + 1);
        let mut entries = Vec::with_capacity(found.len());
        let mut blind = HashMap::new();
        for (index, bytes) in found {
            let mut entry: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            if !all && self.tells_on(&entry, eyes.by, &mut blind)? {
                entry = plain(&entry);
            }
            entries.push(EntryView { index, entry });
        }
        Ok(Reply::Entries { entries, next: next.filter(|n| *n < total), total })
    }

    /// Would this entry tell `by` what others think of an item on which they are to answer first?
    /// `known`: items looked at already.
    pub(super) fn tells_on(
        &self,
        entry: &Value,
        by: &str,
        known: &mut HashMap<String, bool>,
    ) -> Result<bool, Refused> {
        // What its admission says of an item is shown with it.
        let admitted = entry.get("t").and_then(Value::as_str) == Some("admit");
        let id = entry.get("id").and_then(Value::as_str).filter(|_| !admitted);
        let Some(id) = id else { return Ok(false) };
        if let Some(blind) = known.get(id) {
            return Ok(*blind);
        }
        let stored = self.store.decision(id).map_err(refuse)?;
        let blind = match stored.and_then(|stored| stored.item) {
            Some(item) => self.withheld(&item, by)?,
            None => false,
        };
        known.insert(id.to_owned(), blind);
        Ok(blind)
    }

    /// A proof file that the item's last entry is in the log, under a fresh checkpoint.
    pub(super) fn prove(&self, by: &str, id: &str) -> Result<String, Refused> {
        self.actor(by)?;
        let mut from = 0;
        let mut last = None;
        loop {
            let page = self.store.entries(Some(id), from, 1_000).map_err(refuse)?;
            let Some((index, _)) = page.last() else { break };
            (from, last) = (index + 1, Some(*index));
        }
        let index = last.ok_or_else(|| no_decision(id))?;
        self.prove_entry(index, id)
    }

    /// The same of the entry with this index; `what` names it.
    fn prove_entry(&self, index: u64, what: &str) -> Result<String, Refused> {
        let note = self.checkpoint()?;
        let broken = |e: &dyn std::fmt::Display| {
            Refused::new(Why::Unavailable, format!("no proof for {what}: {e}"))
                .hint("overrule audit verify says what is wrong with the trail")
        };
        let signed = self.keys.get()?.verifier().open(&note).map_err(|e| broken(&e))?;
        let tiles = Tiles(&*self.store);
        let path =
            crate::audit::inclusion_proof(&tiles, index, signed.size).map_err(|e| broken(&e))?;
        Ok(tlog_proof(index, &path, &note))
    }

    /// Erase all text of a decision, everywhere. The trail keeps commitments that say nothing now.
    pub(super) fn erase(&self, by: &str, id: &str, reason: &str) -> Result<Erased, Refused> {
        let actor = self.actor(by)?;
        authority::may(&actor, Act::Erase, Subject::default())?;
        if reason.trim().is_empty() {
            return Err(Refused::new(Why::Invalid, "an erasure needs a reason")
                .hint("give the legal ground in --reason, without personal data: it stays"));
        }
        let texts = self.retry(|sight| {
            let stored = self.store.decision(id)?.ok_or_else(|| no_decision(id))?;
            if stored.state() != ItemState::Settled {
                return Err(Refused::new(
                    Why::State,
                    format!("{id} is {}: people still need its text", stored.state().as_str()),
                )
                .hint("settle it first (reject it, if it must go now), then erase")
                .into());
            }
            // Feedback moves no revision: what comes after this look is not erased, and not said
            // to be.
            let below = self.store.head()?;
            let mut ops = vec![Op::Erase { item: id.to_owned(), below }];
            let left = self.not_erased(id, below)?;
            let texts = left.len() as u64;
            if texts > 0 {
                let mut entry = Entry::new(EntryKind::ERASE, by, sight.now, sight.wall);
                if let Some(item) = &stored.item {
                    super::settle::stand(&mut entry, item);
                }
                entry.id = Some(id.to_owned());
                entry.d.insert("reason".into(), reason.to_owned());
                entry.x = left;
                ops.insert(0, Op::Entry(super::core::draft(entry, Vec::new())?));
            }
            let mut premises = sight.premises();
            premises.actor = Some((actor.name.clone(), actor.version));
            let revision = stored.item.as_ref().map_or(0, |i| i.revision);
            premises.item = Some((id.to_owned(), revision));
            self.commit(Write { premises, now: sight.now, ops })?;
            Ok(texts)
        })?;
        Ok(Erased { texts, remains: self.store.remains().map_err(refuse)? })
    }

    /// Every commitment in the entries about a decision before `below` that none of them erases.
    fn not_erased(&self, id: &str, below: u64) -> Result<Vec<Hash>, Trouble> {
        let (mut all, mut erased) = (Vec::new(), HashSet::new());
        let mut from = 0;
        loop {
            let page = self.store.entries(Some(id), from, 1_000)?;
            let Some((last, _)) = page.last() else { break };
            from = last + 1;
            for (index, bytes) in page.iter().filter(|(index, _)| *index < below) {
                let entry = Entry::parse(bytes).map_err(|e| {
                    Refused::new(Why::Unavailable, format!("entry {index} is damaged: {e}"))
                        .hint("overrule audit verify says what is wrong with the trail")
                })?;
                all.extend(entry.c.iter().map(|c| c.hash));
                erased.extend(entry.x);
            }
        }
        all.retain(|hash| !erased.contains(hash));
        Ok(all)
    }
}

/// How far a checkpoint from outside the database reaches.
fn outside_size(ask: &VerifyAsk) -> u64 {
    ask.checkpoint
        .as_deref()
        // The signatures stand after an empty line.
        .and_then(|note| note.split_once("\n\n"))
        .and_then(|(text, _)| crate::audit::Checkpoint::parse(&format!("{text}\n")).ok())
        .map_or(0, |c| c.size)
}

/// Feeds a verifier from a store.
struct Sink<'a> {
    verifier: Verifier,
    size: u64,
    progress: &'a (dyn Fn(u64, u64) + Send + Sync),
    outside: &'a VerifyAsk,
}

impl TrailSink for Sink<'_> {
    fn head(&mut self, size: u64, frontier: &[u8]) {
        self.size = size;
        self.verifier.head(size, frontier);
        if let Some(note) = &self.outside.checkpoint
            && let Err(error) = self.verifier.outside(note)
        {
            let last = size.saturating_sub(1);
            self.verifier.fault(last, last, format!("the checkpoint from outside: {error}"));
        }
    }

    fn entry(&mut self, index: u64, bytes: &[u8], about: Option<&str>) {
        if index.is_multiple_of(4_096) {
            (self.progress)(index, self.size);
        }
        self.verifier.entry(index, bytes);
        self.verifier.about(about);
    }

    fn body(&mut self, index: u64, path: &str, kept: Option<Opened<'_>>) {
        if let Some((salt, value)) = kept {
            self.verifier.body(index, path, &salt, value);
        }
    }

    fn decision(&mut self, row: &DecisionRow<'_>) {
        self.verifier.decision(row);
    }

    fn review(&mut self, index: u64, row: &Review) {
        self.verifier.review(index, row);
    }

    fn answer(&mut self, row: &AnswerRow<'_>) {
        self.verifier.answer(row);
    }

    fn tile(&mut self, level: u8, index: u64, hashes: &[u8]) {
        self.verifier.tile(level, index, hashes);
    }

    fn checkpoint(&mut self, note: &str) {
        self.verifier.checkpoint(None, note);
    }

    fn item(&mut self, id: &str, state: ItemState, revision: u64, queue: &str) {
        self.verifier.item(ItemRow { id, state, revision, queue: Some(queue) });
    }

    fn reviewer(&mut self, name: &str, version: u64, row: &Reviewer) {
        self.verifier.reviewer(name, version, row);
    }

    fn policy(&mut self, row: &StoredPolicy) {
        let StoredPolicy { hash, name, source, schemas } = row;
        let holds =
            super::policy::schemas(schemas).is_ok_and(|s| Policy::hash_of(source, &s) == *hash);
        self.verifier.policy(&PolicyRow { hash, name, holds });
    }

    fn correction(&mut self, row: &CorrectionRow<'_>) {
        self.verifier.correction(row);
    }

    fn states_wanted(&self) -> &[&str] {
        &[super::contain::KEY, super::tokens::EACH]
    }

    fn small(&mut self, key: &str, value: &[u8]) {
        let mark = state_mark(key, value);
        if key == super::contain::KEY {
            self.verifier.control(&mark);
            return;
        }
        match super::tokens::kept(key, value) {
            Some(token) => self.verifier.token(&TokenRow { token: &token, mark: &mark }),
            None => self.verifier.broken(None, &format!("the token kept as {key:?} is none")),
        }
    }

    fn state(&mut self, row: &StateRow<'_>) {
        self.verifier.end_items();
        self.verifier.end_rows(row);
    }

    fn broken(&mut self, index: Option<u64>, what: &str) {
        self.verifier.broken(index, what);
    }
}

/// A store as a source of tiles.
struct Tiles<'a>(&'a dyn Store);

impl TileSource for Tiles<'_> {
    type Error = StoreError;

    fn tile(&self, level: u8, index: u64, width: u64) -> Result<Vec<u8>, StoreError> {
        self.0.tile(level, index, width)
    }
}
