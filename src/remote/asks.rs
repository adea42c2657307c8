//! What is looked at: asked of the desk, or told from what is in hand.

use super::said::Trouble;
use super::{Away, Inner, offline};
use crate::domain::Timestamp;
use crate::protocol::{Header, OutboxView, Query, Refused, Reply};

impl Inner {
    pub(super) async fn ask(&self, query: Query) -> Result<Reply, Refused> {
        let served = matches!(
            query,
            Query::Header
                | Query::Policy
                | Query::Page(_)
                | Query::Item { .. }
                | Query::Draft { .. }
        );
        let tried = match served && self.is_away() {
            true => Err(Trouble::Away { why: self.why_away(), sent: false }),
            false => self.query(&query).await,
        };
        match tried {
            Ok(reply) => self.noted(reply).await,
            Err(Trouble::Refused(said)) => Err(said.refused()),
            Err(Trouble::Token(refused)) if !served => Err(refused),
            Err(Trouble::Token(Refused { message: why, .. }) | Trouble::Away { why, .. }) => {
                self.without_it(query, &why).await
            }
        }
    }

    /// Take note of a reply that is worth having again.
    pub(super) async fn noted(&self, reply: Reply) -> Result<Reply, Refused> {
        match reply {
            Reply::Header(header) => {
                let now = Timestamp::now();
                self.state().header = Some(((*header).clone(), now));
                self.with_outbox(*header).await
            }
            Reply::Policy(policy) => {
                self.state().policy = Some((*policy).clone());
                let kept = policy.clone();
                let _ = self.kept(move |k| k.keep_last("policy", &kept)).await;
                Ok(Reply::Policy(policy))
            }
            Reply::Item(view) => {
                // What is in hand is kept as it was seen last.
                let mine = view.lease.as_ref().is_some_and(|l| l.grant.is_some());
                if mine {
                    let (me, held) = (self.me.clone(), view.clone());
                    let _ = self.kept(move |kept| kept.hold(&me, &held)).await;
                }
                Ok(Reply::Item(view))
            }
            other => Ok(other),
        }
    }

    /// What can be said without the desk.
    async fn without_it(&self, query: Query, why: &str) -> Result<Reply, Refused> {
        match query {
            Query::Header => {
                let header = self.state().header.clone();
                let Some((mut header, came)) = header else { return Err(self.away_refused(why)) };
                if header.clock != "record" {
                    let passed = Timestamp::now().duration_since(came);
                    header.now = header.now.checked_add(passed).unwrap_or(header.now);
                }
                self.with_outbox(header).await
            }
            Query::Policy => {
                let policy = self.state().policy.clone();
                policy.map(|p| Reply::Policy(Box::new(p))).ok_or_else(|| self.away_refused(why))
            }
            Query::Page(ask) => {
                let items = self.in_hand().await?;
                let state = self.state();
                let header = state.header.as_ref().map(|(header, _)| header);
                Ok(Reply::Page(offline::page(header, &items, &ask)))
            }
            Query::Item { id } => {
                let items = self.in_hand().await?;
                let found = items.into_iter().find(|view| view.id == id);
                found.map(|view| Reply::Item(Box::new(view))).ok_or_else(|| self.away_refused(why))
            }
            Query::Draft { id } => {
                let me = self.me.clone();
                let drafts = self.kept(move |kept| kept.drafts(&me)).await?;
                let found = drafts.into_iter().find(|(item, _)| *item == id);
                Ok(Reply::Draft(found.map(|(_, draft)| draft)))
            }
            _ => Err(self.away_refused(why)),
        }
    }

    async fn with_outbox(&self, mut header: Header) -> Result<Reply, Refused> {
        let me = self.me.clone();
        let arrived = self.kept(move |kept| kept.fates(&me)).await?;
        let state = self.state();
        let (offline_since, why, hint) = match state.away.clone() {
            Some(Away { since, why, hint }) => (Some(since), Some(why), hint),
            None => (None, None, None),
        };
        let unsent = state.outbox.unsent();
        header.outbox = Some(OutboxView { offline_since, why, hint, unsent, arrived });
        Ok(Reply::Header(Box::new(header)))
    }
}
