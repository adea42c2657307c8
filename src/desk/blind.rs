//! A blind item: the reviewer's own answer is stored before the proposal is shown.

use super::core::{Core, Trouble, draft, json};
use super::review::{reviewed, subject};
use super::settle::stand;
use crate::audit::{Entry, EntryKind};
use crate::authority::{self, Subject};
use crate::domain::Item;
use crate::protocol::{Act, BlindAnswer, Refused, Reviewed, Why};
use crate::store::{Op, Write};

impl Core {
    /// A reviewer's own answer to a blind item: stored before the proposal is shown.
    pub(super) fn answer_blind(&self, by: &str, answer: &BlindAnswer) -> Result<Reviewed, Refused> {
        self.retry(|sight| {
            let actor = self.actor(by)?;
            let (stored, item) = self.with_item(&answer.item)?;
            let clash = self.clash_of(&item.id)?;
            let about = Subject { clash: clash.as_ref(), ..subject(sight, &item) };
            authority::may(&actor, Act::AnswerBlind, about)?;
            if !item.blind {
                return Err(Refused::new(Why::State, format!("{} is not a blind item", item.id))
                    .hint("decide it: its proposal is shown")
                    .into());
            }
            if let Some(known) = self.store.blind_answer(&item.id, by)? {
                if known.request_id == answer.request_id {
                    return Ok(Reviewed { duplicate: true, ..reviewed(&item) });
                }
                return Err(Refused::new(
                    Why::State,
                    format!("you have answered {} already", item.id),
                )
                .hint("the proposal is shown now: decide it")
                .into());
            }
            let BlindAnswer { request_id, action, .. } = answer;
            let agreed = action.trim() == stored.columns.action;
            let mut entry = Entry::new(EntryKind::ANSWER, by, sight.now, sight.wall);
            stand(&mut entry, &item);
            entry.d.insert("agreed".into(), agreed.to_string());
            entry.req = Some(request_id.clone());
            let mut premises = sight.premises();
            premises.actor = Some((actor.name.clone(), actor.version));
            premises.item = Some((item.id.clone(), item.revision));
            self.commit(Write {
                premises,
                now: sight.now,
                ops: vec![
                    Op::Entry(draft(entry, vec![("answer".into(), json(answer)?)])?),
                    Op::PutAnswer {
                        item: item.id.clone(),
                        reviewer: by.to_owned(),
                        request_id: request_id.clone(),
                        agreed,
                    },
                ],
            })?;
            Ok(reviewed(&item))
        })
    }

    /// On a blind item nobody decides before having answered; otherwise whether they agreed.
    pub(super) fn own_answer(&self, item: &Item, by: &str) -> Result<Option<bool>, Trouble> {
        if !item.blind {
            return Ok(None);
        }
        match self.store.blind_answer(&item.id, by)? {
            Some(answer) => Ok(Some(answer.agreed)),
            None => Err(Refused::new(
                Why::Policy,
                format!("{} is a blind item: the proposal is shown after your own answer", item.id),
            )
            .hint("overrule answer ID --action ACTION gives it")
            .into()),
        }
    }
}
