//! A verdict's signature: where a queue asks for one, and whether it holds.

use super::core::{Core, Sight};
use crate::audit::{Statement, verify_signature};
use crate::domain::{Item, Reviewer};
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
        // What stood at a revision that has passed is what the reviewer says was shown: nobody
        // decided since, so only where the item stands can differ.
        let passed = request.offline.is_some() && seen != item.revision;
        let view = match request.seen.as_deref().filter(|_| passed).and_then(unhex) {
            Some(shown) => shown,
            None => self.view_hash(sight, stored, item, &actor.name)?,
        };
        let held = Statement::new(&item.id, &request.request_id, seen, &request.verdict, &view)
            .and_then(|statement| statement.bytes())
            .and_then(|bytes| verify_signature(key, signature, &bytes));
        if let Err(error) = held {
            return refused(
                format!("the signature on {} does not hold: {error}", item.id),
                "look at the item again and sign what is shown now; your draft is kept",
            );
        }
        Ok(())
    }
}

/// 64 hexadecimal digits as bytes.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}
