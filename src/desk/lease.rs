//! Leases and drafts: who has an item in hand, and what they have typed so far.

use jiff::SignedDuration;

use super::core::{Core, misplaced, refuse};
use super::review::subject;
use crate::audit::{Entry, EntryKind};
use crate::authority::{self, Subject};
use crate::protocol::{Answer, Command, Draft, LeaseAsk, LeaseView, Refused, Why};
use crate::store::{Lease, Op, TakeLease, Write};

/// How long a lease lasts; the holder renews it while at work.
pub(super) const LEASE: SignedDuration = SignedDuration::from_secs(300);

/// Drafts beyond this are not kept (an output is at most as long as a record).
const MAX_DRAFT: usize = 4 << 20;

pub(super) fn lease_view(lease: Lease) -> LeaseView {
    LeaseView { reviewer: lease.reviewer, until: lease.until, epoch: lease.epoch }
}

impl Core {
    /// Everything about leases and drafts: coordination, no truth; only taking back is logged.
    pub(super) fn lease(&self, by: &str, command: Command) -> Result<Answer, Refused> {
        let actor = self.actor(by)?;
        let sight = self.sight()?;
        let named = match &command {
            Command::Lease(LeaseAsk { item: Some(id), .. })
            | Command::Renew { item: id, .. }
            | Command::Release { item: id, .. }
            | Command::TakeBack { item: id }
            | Command::SaveDraft { item: id, .. } => Some(self.with_item(id)?.1),
            _ => None,
        };
        let about = named.as_ref().map_or_else(Subject::default, |item| subject(&sight, item));
        authority::may(&actor, &command, about)?;
        let until = sight.wall + LEASE;
        match command {
            Command::Lease(ask) => {
                if let Some(item) = named.filter(|i| !i.state.is_open()) {
                    return Err(Refused::new(
                        Why::State,
                        format!("{} is {}; nobody can take it", item.id, item.state.as_str()),
                    )
                    .hint("overrule show ID says where it stands"));
                }
                let taken = self.store.lease(TakeLease {
                    reviewer: by.to_owned(),
                    queues: self.open_to(&sight, &actor, ask.queue.as_deref())?,
                    item: ask.item,
                    skip: ask.skip,
                    wall: sight.wall,
                    until,
                });
                let Some(lease) = taken.wait().map_err(refuse)? else {
                    return Ok(Answer::Leased(None));
                };
                Ok(Answer::Leased(Some(Box::new(self.item(by, &lease.item)?))))
            }
            Command::Renew { item, epoch } => {
                let lease = self.store.renew(&item, by, epoch, until).wait().map_err(refuse)?;
                Ok(Answer::Renewed(lease_view(lease)))
            }
            Command::Release { item, epoch } => {
                self.store.release(&item, by, epoch).wait().map_err(refuse)?;
                Ok(Answer::Done)
            }
            Command::TakeBack { item } => self.take_back(by, &item),
            Command::SaveDraft { item, draft } => {
                let bytes = super::core::json(&draft)?;
                if bytes.len() > MAX_DRAFT {
                    return Err(Refused::new(
                        Why::Invalid,
                        format!("the draft for {item} is over {} MiB", MAX_DRAFT >> 20),
                    )
                    .hint("shorten it; what was kept before stays"));
                }
                self.store.put_draft(&item, by, Some(bytes)).wait().map_err(refuse)?;
                Ok(Answer::Done)
            }
            Command::DropDraft { item } => {
                self.store.put_draft(&item, by, None).wait().map_err(refuse)?;
                Ok(Answer::Done)
            }
            _ => Err(misplaced()),
        }
    }

    /// Queues this person may take from; an unknown or too high named one is refused.
    fn open_to(
        &self,
        sight: &super::core::Sight,
        actor: &crate::domain::Reviewer,
        named: Option<&str>,
    ) -> Result<Vec<String>, Refused> {
        let Some(policy) = &sight.policy else {
            return Ok(vec![named.unwrap_or("level1").to_owned(), crate::domain::DATAOPS.into()]);
        };
        if let Some(name) = named {
            let queue = policy.queue(name).ok_or_else(|| {
                let known: Vec<&str> = policy.queues().map(|q| q.name.as_str()).collect();
                Refused::new(Why::NotFound, format!("there is no queue {name}"))
                    .hint(format!("the queues are {}", known.join(", ")))
            })?;
            if queue.level > actor.level {
                return Err(Refused::new(
                    Why::Authority,
                    format!(
                        "{} is level {}; {name} needs level {}",
                        actor.name, actor.level, queue.level
                    ),
                )
                .hint("take from a queue of your level"));
            }
            return Ok(vec![name.to_owned()]);
        }
        Ok(policy.queues().filter(|q| q.level <= actor.level).map(|q| q.name.clone()).collect())
    }

    fn take_back(&self, by: &str, id: &str) -> Result<Answer, Refused> {
        self.retry(|sight| {
            let Some(lease) = self.store.lease_of(id, sight.wall)? else {
                return Ok(Answer::Done);
            };
            let mut entry = Entry::new(EntryKind::LEASE_TAKEN_BACK, by, sight.now, sight.wall);
            let (_, item) = self.with_item(id)?;
            super::settle::stand(&mut entry, &item);
            entry.d.insert("from".into(), lease.reviewer);
            self.commit(Write {
                premises: Default::default(),
                now: sight.now,
                ops: vec![
                    Op::Entry(super::core::draft(entry, Vec::new())?),
                    Op::EndLease { item: id.to_owned() },
                ],
            })?;
            Ok(Answer::Done)
        })
    }

    /// The asker's own draft.
    pub(super) fn draft_of(&self, by: &str, id: &str) -> Result<Option<Draft>, Refused> {
        let bytes = self.store.draft(id, by).map_err(refuse)?;
        // A draft of an older form is not worth an error: it reads as none.
        Ok(bytes.and_then(|b| serde_json::from_slice(&b).ok()))
    }
}
