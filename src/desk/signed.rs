//! A verdict's signature: where a queue asks for one, and whether it holds.
//!
//! It is over what was shown, and what that was is for the desk to say: it is made again from what
//! is stored, for a revision that has passed, too. What the reviewer says was shown is compared with
//! it and never believed.

use super::core::{Core, Sight, refuse};
use crate::audit::{Hash, SignatureError, Statement, verify_signature};
use crate::domain::{Item, Reviewer, VerdictKind};
use crate::protocol::{Refused, ReviewRequest, Why};
use crate::store::StoredDecision;

impl Core {
    /// Where the queue asks for it, the verdict carries the reviewer's signature over what was
    /// seen and said; where one is given, it must hold.
    pub(super) fn signed(
        &self,
        sight: &Sight,
        actor: &Reviewer,
        stored: &StoredDecision,
        item: &Item,
        request: &ReviewRequest,
        seen: u64,
    ) -> Result<(), Refused> {
        let must = sight
            .policy
            .as_ref()
            .and_then(|p| p.queue(&item.queue))
            .is_some_and(|queue| queue.signed);
        let refused = |what: String, hint: &str| Err(Refused::new(Why::Policy, what).hint(hint));
        let Some(signature) = &request.signature else {
            if must {
                return refused(
                    format!("verdicts in {} must be signed", item.queue),
                    "sign it with --sign KEY: a private key file, or a public one that ssh-agent holds",
                );
            }
            return Ok(());
        };
        let Some(key) = &actor.key else {
            return refused(
                format!("{} has no registered key to check a signature with", actor.name),
                "an admin registers it: overrule reviewer add NAME --level N --key FILE.pub",
            );
        };
        let view = self.shown_at(sight, stored, item, &actor.name, seen)?;
        if seen != item.revision && request.seen.as_deref().is_some_and(|s| s != hex::encode(view))
        {
            return refused(
                format!("revision {seen} of {} did not look as this verdict says", item.id),
                "look at the item again and sign what is shown now; your draft is kept",
            );
        }
        if let Err(error) = held(key, signature, request, seen, &view) {
            return refused(
                format!("the signature on {} does not hold: {error}", item.id),
                "look at the item again and sign what is shown now; your draft is kept",
            );
        }
        Ok(())
    }

    /// Does the signature of a verdict that cannot take effect hold? It is kept beside the others,
    /// and nobody is to take it for signed where it is not.
    pub(super) fn signed_late(
        &self,
        sight: &Sight,
        actor: &Reviewer,
        stored: &StoredDecision,
        item: &Item,
        request: &ReviewRequest,
    ) -> Result<bool, Refused> {
        let (Some(signature), Some(key)) = (&request.signature, &actor.key) else {
            return Ok(false);
        };
        let seen = request.revision.unwrap_or(item.revision);
        let view = self.shown_at(sight, stored, item, &actor.name, seen)?;
        Ok(held(key, signature, request, seen, &view).is_ok())
    }

    /// The hash of what `by` was shown of the item at this revision, by the policy that holds now.
    fn shown_at(
        &self,
        sight: &Sight,
        stored: &StoredDecision,
        item: &Item,
        by: &str,
        revision: u64,
    ) -> Result<Hash, Refused> {
        if revision == item.revision {
            return self.view_hash(sight, stored, item, by);
        }
        // The content that stood then: as the last edit left it that came before. (Who held the
        // item open saw none that waited out its grace time.)
        let stood = self.stood(&item.id)?;
        let reviews = self.store.reviews(&item.id).map_err(refuse)?;
        let content = self
            .counting(&item.id, reviews)?
            .into_iter()
            .filter(|r| !r.undone && r.verdict.verdict == VerdictKind::Edit)
            .rfind(|r| stood.get(&r.request_id).is_some_and(|at| *at < revision))
            .map(|r| r.request_id);
        self.view_hash(sight, stored, &Item { revision, content, ..item.clone() }, by)
    }
}

/// Is the signature over this verdict and this view?
fn held(
    key: &str,
    signature: &str,
    request: &ReviewRequest,
    seen: u64,
    view: &Hash,
) -> Result<(), SignatureError> {
    let statement =
        Statement::new(&request.item, &request.request_id, seen, &request.verdict, view)?;
    verify_signature(key, signature, &statement.bytes()?)
}
