//! What reviewers do, here or there: sent where the desk is there, kept where it is away.

use super::outbox::Job;
use super::said::Trouble;
use super::{Inner, offline};
use crate::domain::Timestamp;
use crate::protocol::{Answer, Command, ItemView, LeaseAsk, Offline, Refused, ReviewRequest, Why};

impl Inner {
    /// A verdict: sent at once where the desk is there and nothing waits before it; else kept.
    pub(super) async fn review(&self, request: ReviewRequest) -> Result<Answer, Refused> {
        let (me, item) = (self.me.clone(), request.item.clone());
        let held = self.kept(move |kept| kept.item(&me, &item)).await?;
        // What is not in hand cannot wait, so it waits for nothing.
        let clear = {
            let state = self.state();
            state.away.is_none() && (held.is_none() || state.outbox.is_empty())
        };
        let (why, sent) = match clear {
            false => (self.why_away(), false),
            true => match self.command(&Command::Review(Box::new(request.clone()))).await {
                Ok(answer) => {
                    let (me, item) = (self.me.clone(), request.item);
                    // Only convenience is lost with it.
                    let _ = self.kept(move |kept| kept.let_go(&me, &item)).await;
                    return Ok(answer);
                }
                // The server is there, and what it stands on is not.
                Err(Trouble::Refused(said)) if held.is_some() && said.not_now() => {
                    (said.refused().message, true)
                }
                // It waits for another token.
                Err(Trouble::Token(refused)) if held.is_some() => (refused.message, false),
                Err(Trouble::Refused(said)) => return Err(said.refused()),
                Err(Trouble::Token(refused)) => return Err(refused),
                Err(Trouble::Away { why, sent }) => (why, sent),
            },
        };
        self.wait_with(request, held, &why, sent).await
    }

    /// Keep a verdict until the desk can have it. It is on disk when this answers.
    async fn wait_with(
        &self,
        mut request: ReviewRequest,
        held: Option<ItemView>,
        why: &str,
        sent: bool,
    ) -> Result<Answer, Refused> {
        if self.state().outbox.of(&request.item).is_some() {
            return Err(Refused::new(
                Why::State,
                format!("your verdict on {} waits here already, not yet sent", request.item),
            )
            .hint("take it back first (u, or overrule undo), if it was never sent"));
        }
        let lease = held.as_ref().and_then(|view| view.lease.clone());
        let (Some(view), Some(lease)) = (held, lease) else {
            let what = match sent {
                true => format!("{why}; whether {} was decided is not known", request.item),
                false => format!("{why}; you do not have {} in hand", request.item),
            };
            return Err(Refused::new(Why::Unavailable, what)
                .hint("only what was leased to you can be decided while the desk is away"));
        };
        let now = Timestamp::now();
        let ahead = jiff::SignedDuration::from_millis(self.state().ahead);
        request.lease = Some(lease.epoch);
        request.revision = request.revision.or(Some(view.revision));
        request.offline = Some(Offline {
            grant: lease.grant.unwrap_or_default(),
            at: now.checked_add(ahead).unwrap_or(now),
        });
        let reviewed = offline::unsent(&request, &view);
        let job = Job { request, by: self.me.clone(), at: now, tried: sent };
        let on_disk = job.clone();
        self.kept(move |kept| kept.put(&on_disk)).await?;
        self.state().outbox.put(job);
        self.nudge.notify_one();
        self.tell();
        Ok(Answer::Reviewed(reviewed))
    }

    pub(super) async fn lease(&self, ask: LeaseAsk) -> Result<Answer, Refused> {
        let tried = match self.is_away() {
            true => Err(Trouble::Away { why: self.why_away(), sent: false }),
            false => self.command(&Command::Lease(ask.clone())).await,
        };
        let why = match tried {
            Ok(Answer::Leased(Some(view))) => {
                let (me, held) = (self.me.clone(), view.clone());
                if let Err(refused) = self.kept(move |kept| kept.hold(&me, &held)).await {
                    tracing::warn!(why = refused.message, "an item in hand is not kept here");
                }
                return Ok(Answer::Leased(Some(view)));
            }
            Ok(other) => return Ok(other),
            Err(Trouble::Refused(said)) => return Err(said.refused()),
            Err(Trouble::Token(refused)) => return Err(refused),
            Err(Trouble::Away { why, .. }) => why,
        };
        for view in self.in_hand().await? {
            let wanted = match &ask.item {
                Some(id) => view.id == *id,
                None => {
                    ask.queue.as_ref().is_none_or(|q| *q == view.queue)
                        && !ask.skip.contains(&view.id)
                        && self.state().outbox.of(&view.id).is_none()
                }
            };
            if wanted {
                return Ok(Answer::Leased(Some(Box::new(view))));
            }
        }
        Err(self.away_refused(&why))
    }

    /// Items that this person had in hand when the desk went away.
    pub(super) async fn in_hand(&self) -> Result<Vec<ItemView>, Refused> {
        let (me, now) = (self.me.clone(), Timestamp::now());
        self.kept(move |kept| {
            let mut drafts: std::collections::BTreeMap<_, _> =
                kept.drafts(&me)?.into_iter().collect();
            let items = kept.items(&me)?;
            Ok(items
                .into_iter()
                .map(|v| {
                    let draft = drafts.remove(&v.id);
                    offline::item(v, draft, now)
                })
                .collect())
        })
        .await
    }

    pub(super) async fn renew(&self, item: String, epoch: u64) -> Result<Answer, Refused> {
        let tried = match self.is_away() {
            true => Err(Trouble::Away { why: self.why_away(), sent: false }),
            false => self.command(&Command::Renew { item: item.clone(), epoch }).await,
        };
        let (me, id) = (self.me.clone(), item);
        match tried {
            Ok(Answer::Renewed(lease)) => {
                let (kept_lease, now) = (lease.clone(), Timestamp::now());
                let _ = self
                    .kept(move |kept| match kept.item(&me, &id)? {
                        Some(view) if kept_lease.until > now => {
                            kept.hold(&me, &ItemView { lease: Some(kept_lease), ..view })
                        }
                        _ => Ok(()),
                    })
                    .await;
                Ok(Answer::Renewed(lease))
            }
            Ok(other) => Ok(other),
            Err(Trouble::Refused(said)) if !said.not_now() => {
                let _ = self.kept(move |kept| kept.let_go(&me, &id)).await;
                Err(said.refused())
            }
            Err(trouble) => {
                let why = trouble.why();
                let held = self.kept(move |kept| kept.item(&me, &id)).await?;
                match held.and_then(|view| view.lease).filter(|lease| lease.epoch == epoch) {
                    Some(lease) => Ok(Answer::Renewed(offline::in_hand(&lease, Timestamp::now()))),
                    None => Err(self.away_refused(&why)),
                }
            }
        }
    }

    pub(super) async fn release(&self, item: String, epoch: u64) -> Result<Answer, Refused> {
        // While the desk is away it stays in hand, so that it can be taken up again here; the
        // lease runs out over there.
        if self.is_away() {
            return Ok(Answer::Done);
        }
        match self.command(&Command::Release { item: item.clone(), epoch }).await {
            Err(Trouble::Away { .. }) => Ok(Answer::Done),
            Err(Trouble::Token(refused)) => Err(refused),
            told => {
                let me = self.me.clone();
                let _ = self.kept(move |kept| kept.let_go(&me, &item)).await;
                told.map_err(|trouble| match trouble {
                    Trouble::Refused(said) => said.refused(),
                    Trouble::Token(refused) => refused,
                    Trouble::Away { why, .. } => self.away_refused(&why),
                })
            }
        }
    }

    pub(super) async fn undo(&self, item: String) -> Result<Answer, Refused> {
        let waiting = self.state().outbox.of(&item).cloned();
        let Some(job) = waiting else { return self.directly(&Command::Undo { item }).await };
        let sent = || {
            Refused::new(
                Why::LateUndo,
                format!("your verdict on {item} is on its way: it may have arrived already"),
            )
            .hint("take it back when the desk is there again")
        };
        if job.tried {
            return Err(sent());
        }
        let request_id = job.request.request_id.clone();
        if !self.kept(move |kept| kept.take_back(&request_id)).await? {
            return Err(sent());
        }
        self.state().outbox.take_back(&item);
        self.tell();
        let (me, id) = (self.me.clone(), item.clone());
        let view = self.kept(move |kept| kept.item(&me, &id)).await?;
        Ok(Answer::Reviewed(offline::taken_back(&job.request, view.as_ref())))
    }
}
