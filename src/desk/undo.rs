//! Taking one's own verdict back while its grace time runs.

use super::core::{Core, draft};
use super::review::{reviewed, subject};
use super::settle::stand;
use crate::audit::{Entry, EntryKind};
use crate::authority;
use crate::domain::life;
use crate::protocol::{Act, Refused, Reviewed};
use crate::store::{Op, Write};

impl Core {
    /// Take one's pending verdict back: the item is where it was.
    pub(super) fn undo(&self, by: &str, id: &str) -> Result<Reviewed, Refused> {
        self.retry(|sight| {
            let actor = self.actor(by)?;
            let (_, item) = self.with_item(id)?;
            authority::may(&actor, Act::Undo, subject(sight, &item))?;
            let next = life::undo(&item, by, sight.wall)?;
            let request_id = item.pending.as_ref().map(|p| p.request_id.clone());
            let mut entry = Entry::new(EntryKind::UNDO, by, sight.now, sight.wall);
            stand(&mut entry, &next);
            entry.req = request_id.clone();
            let mut premises = sight.premises();
            premises.actor = Some((actor.name.clone(), actor.version));
            premises.item = Some((item.id.clone(), item.revision));
            let mut ops = vec![
                Op::Entry(draft(entry, Vec::new())?),
                Op::PutItem { level: sight.level(&next.queue), item: Box::new(next.clone()) },
            ];
            ops.extend(request_id.map(|request_id| Op::UndoReview { request_id }));
            self.commit(Write { premises, now: sight.now, ops })?;
            Ok(reviewed(&next))
        })
    }
}
