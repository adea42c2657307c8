//! How many items one person may hold: which queues are left to an ask, in every store alike.

use std::collections::BTreeMap;

use crate::store::{StoreError, TakeLease};

/// The ask without the queues of which its reviewer holds enough (`held`: live leases by queue,
/// but for one on the named item), and the words for the first that is left out.
pub(in crate::store) fn room(
    ask: &TakeLease,
    held: &BTreeMap<String, u64>,
) -> (TakeLease, Option<StoreError>) {
    let full = |queue: &String| {
        let (_, most) = ask.most.iter().find(|(name, _)| name == queue)?;
        let held = held.get(queue).copied().unwrap_or(0);
        (held >= u64::from(*most)).then(|| StoreError::HoldsEnough {
            reviewer: ask.reviewer.clone(),
            queue: queue.clone(),
            held,
            most: *most,
        })
    };
    let enough = ask.queues.iter().find_map(full);
    let queues = ask.queues.iter().filter(|q| full(q).is_none()).cloned().collect();
    (TakeLease { queues, ..ask.clone() }, enough)
}
