//! Leases and drafts: who has an item in hand, and what they have typed so far.

use jiff::SignedDuration;

use super::core::{Core, Sight, refuse};
use super::grant::grant;
use super::review::subject;
use crate::audit::{Entry, EntryKind};
use crate::authority::{self, Subject};
use crate::domain::{Item, Reviewer};
use crate::protocol::{Act, Draft, ItemView, LeaseAsk, LeaseView, Refused, Why};
use crate::store::{Lease, Op, Premises, TakeLease, Write};

/// How long a lease lasts; the holder renews it while at work.
pub(super) const LEASE: SignedDuration = SignedDuration::from_secs(300);

/// Drafts beyond this are not kept (an output is at most as long as a record).
const MAX_DRAFT: usize = 4 << 20;

/// A lease as `by` sees it: the grant is its holder's alone.
pub(super) fn lease_view(lease: Lease, by: &str, key: &[u8; 32]) -> LeaseView {
    let Lease { item, reviewer, until, epoch } = lease;
    let grant = if reviewer == by { grant(key, &item, by, epoch) } else { None };
    LeaseView { reviewer, until, epoch, grant }
}

impl Core {
    /// Take an item: a named one, or the next free one; `None` when nothing is free.
    pub(super) fn take(&self, by: &str, ask: LeaseAsk) -> Result<Option<Box<ItemView>>, Refused> {
        let LeaseAsk { item, queue, mut skip } = ask;
        let (sight, actor) = (self.sight()?, self.actor(by)?);
        let queues = match &item {
            Some(id) => {
                let (_, item) = self.with_item(id)?;
                let clash = self.clash_of(id)?;
                let subject = Subject { clash: clash.as_ref(), ..subject(&sight, &item) };
                authority::may(&actor, Act::Lease, subject)?;
                if !item.state.is_open() {
                    return Err(Refused::new(
                        Why::State,
                        format!("{id} is {}; nobody can take it", item.state.as_str()),
                    )
                    .hint("overrule show ID says where it stands"));
                }
                vec![item.queue]
            }
            None => {
                authority::may(&actor, Act::Lease, Subject::default())?;
                skip.extend(self.clashes_with(by)?);
                self.open_to(&sight, &actor, queue.as_deref())?
            }
        };
        let most = queues.iter().filter_map(|q| Some((q.clone(), sight.capacity(q)?))).collect();
        let taken = self.store.lease(TakeLease {
            reviewer: by.to_owned(),
            queues,
            item,
            skip,
            most,
            wall: sight.wall,
            until: sight.wall + LEASE,
        });
        match taken.wait().map_err(refuse)? {
            Some(lease) => self.item(by, &lease.item).map(|view| Some(Box::new(view))),
            None => Ok(None),
        }
    }

    pub(super) fn renew(&self, by: &str, id: &str, epoch: u64) -> Result<LeaseView, Refused> {
        let (sight, ..) = self.hands_on(by, Act::Renew, id)?;
        let renewed = self.store.renew(id, by, epoch, sight.wall + LEASE);
        let key = &sight.snapshot.key;
        renewed.wait().map(|lease| lease_view(lease, by, key)).map_err(refuse)
    }

    pub(super) fn give_back(&self, by: &str, id: &str, epoch: u64) -> Result<(), Refused> {
        self.hands_on(by, Act::Release, id)?;
        self.store.release(id, by, epoch).wait().map_err(refuse)
    }

    pub(super) fn save_draft(&self, by: &str, id: &str, draft: &Draft) -> Result<(), Refused> {
        self.hands_on(by, Act::SaveDraft, id)?;
        let bytes = super::core::json(draft)?;
        if bytes.len() > MAX_DRAFT {
            return Err(Refused::new(
                Why::Invalid,
                format!("the draft for {id} is over {} MiB", MAX_DRAFT >> 20),
            )
            .hint("shorten it; what was kept before stays"));
        }
        self.store.put_draft(id, by, Some(bytes)).wait().map_err(refuse)
    }

    /// A draft is its author's to drop, wherever the item is by now.
    pub(super) fn drop_draft(&self, by: &str, id: &str) -> Result<(), Refused> {
        authority::may(&self.actor(by)?, Act::DropDraft, Subject::default())?;
        self.store.put_draft(id, by, None).wait().map_err(refuse)
    }

    /// The item, and that `by` may do `act` to it where it stands.
    fn hands_on(&self, by: &str, act: Act, id: &str) -> Result<(Sight, Reviewer, Item), Refused> {
        let (actor, sight) = (self.actor(by)?, self.sight()?);
        let (_, item) = self.with_item(id)?;
        authority::may(&actor, act, subject(&sight, &item))?;
        Ok((sight, actor, item))
    }

    /// Queues this person may take from; an unknown or too high named one is refused.
    pub(super) fn open_to(
        &self,
        sight: &Sight,
        actor: &Reviewer,
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
            let subject = Subject {
                queue: Some(name),
                level: queue.level,
                skills: &queue.skills,
                ..Subject::default()
            };
            authority::may(actor, Act::Lease, subject)?;
            return Ok(vec![name.to_owned()]);
        }
        let theirs = |q: &&crate::policy::Queue| {
            q.level <= actor.level && authority::lacks(actor, &q.skills).is_empty()
        };
        Ok(policy.queues().filter(theirs).map(|q| q.name.clone()).collect())
    }

    /// Take a lease away from whoever holds it: the one change of leases that is logged.
    pub(super) fn take_back(&self, by: &str, id: &str) -> Result<(), Refused> {
        self.retry(|sight| {
            let (_, actor, item) = self.hands_on(by, Act::TakeBack, id)?;
            let Some(lease) = self.store.lease_of(id, sight.wall)? else {
                return Ok(());
            };
            let mut entry = Entry::new(EntryKind::LEASE_TAKEN_BACK, by, sight.now, sight.wall);
            super::settle::stand(&mut entry, &item);
            entry.d.insert("from".into(), lease.reviewer);
            self.commit(Write {
                premises: Premises {
                    actor: Some((actor.name, actor.version)),
                    ..Premises::default()
                },
                now: sight.now,
                ops: vec![
                    Op::Entry(super::core::draft(entry, Vec::new())?),
                    Op::EndLease { item: id.to_owned() },
                ],
            })?;
            Ok(())
        })
    }

    /// The asker's own draft.
    pub(super) fn draft_of(&self, by: &str, id: &str) -> Result<Option<Draft>, Refused> {
        let bytes = self.store.draft(id, by).map_err(refuse)?;
        // A draft of an older form is not worth an error: it reads as none.
        Ok(bytes.and_then(|b| serde_json::from_slice(&b).ok()))
    }
}
