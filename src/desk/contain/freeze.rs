//! Releasing a freeze, and sending an effect again that could not be delivered.

use super::{Change, reasoned};
use crate::audit::{Entry, EntryKind};
use crate::authority::Subject;
use crate::desk::core::{Core, draft};
use crate::protocol::{Act, Refused, Why};
use crate::store::{Op, Premises, StoreError, Write};

impl Core {
    /// Decisions like the corrected one go their usual way again; what is held already stays with
    /// its people.
    pub(in crate::desk) fn release_freeze(
        &self,
        by: &str,
        id: &str,
        reason: &str,
    ) -> Result<(), Refused> {
        let reason = reasoned(reason, "a release")?;
        self.retry(|sight| {
            let unknown = || {
                Refused::new(Why::NotFound, format!("there is no freeze {id}"))
                    .hint("overrule freeze list shows what is frozen")
            };
            let known = self.known_control(sight.snapshot.generation).control;
            let freeze = known.and_then(|c| c.freezes.iter().find(|f| f.id == id).cloned());
            let freeze = freeze.ok_or_else(unknown)?;
            let what = format!("freeze {id}");
            let subject = Subject { queue: Some(&what), level: freeze.level, ..Subject::default() };
            let actor = self.allowed(by, Act::ReleaseFreeze, subject)?;
            self.contain(sight, &actor, |mut control| {
                control.release_freeze(id).ok_or_else(unknown)?;
                let mut entry = Entry::new(EntryKind::FREEZE, by, sight.now, sight.wall);
                entry.d.insert("act".into(), "release".into());
                entry.d.insert("freeze".into(), id.to_owned());
                entry.d.insert("like".into(), freeze.like.clone());
                entry.d.insert("reason".into(), reason.clone());
                Ok(Change { entry, control, ops: Vec::new() })
            })?;
            Ok(())
        })
    }

    /// Try an effect that was given up again, now.
    pub(in crate::desk) fn redeliver(&self, by: &str, key: &str) -> Result<(), Refused> {
        self.retry(|sight| {
            let actor = self.allowed(by, Act::Redeliver, Subject::default())?;
            let mut entry = Entry::new(EntryKind::REDELIVER, by, sight.now, sight.wall);
            entry.d.insert("key".into(), key.to_owned());
            let premises = Premises {
                actor: Some((actor.name.clone(), actor.version)),
                ..Premises::default()
            };
            let ops =
                vec![Op::Entry(draft(entry, Vec::new())?), Op::EffectRetry { key: key.to_owned() }];
            match self.commit(Write { premises, now: sight.now, ops }) {
                Ok(_) => Ok(()),
                Err(StoreError::Missing(what)) => {
                    Err(Refused::new(Why::NotFound, format!("there is no {what}"))
                        .hint(
                            "only what was given up can be sent again, and no reply that a later \
                             one about its item follows",
                        )
                        .into())
                }
                Err(error) => Err(error.into()),
            }
        })
    }
}
