//! Items that wait, and many callers who lease them one at a time.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a benchmark may stop, and rounds what it prints"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use overrule::domain::Timestamp;
use overrule::store::{AdmitBatch, Premises, Store, TakeLease};

use super::admissions::{records, row};

/// Lease `items` one at a time by so many callers, each settling nothing: leases a second, none
/// given twice, and the longest that one caller waited for one.
pub fn drain(store: &dyn Store, items: usize, callers: usize) -> (f64, Duration) {
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    for (k, part) in records(items).chunks(500).enumerate() {
        let rows = part.iter().enumerate();
        let rows = rows.map(|(i, (id, raw))| row(id, raw, k * 500 + i, true)).collect();
        let premises = Premises { generation: Some(0), policy: Some(None), ..Premises::default() };
        let rows = Arc::new(rows);
        let batch = AdmitBatch { premises, now, rows, dead: Vec::new(), bulk: false };
        store.admit(batch).wait().unwrap();
    }
    let given = Mutex::new((Vec::with_capacity(items), Duration::ZERO));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for person in 0..callers {
            let given = &given;
            scope.spawn(move || {
                let ask = TakeLease {
                    reviewer: format!("p{person}"),
                    item: None,
                    queues: vec!["level1".to_owned()],
                    skip: Vec::new(),
                    most: Vec::new(),
                    wall: now,
                    until: now + jiff::SignedDuration::from_hours(1),
                };
                let (mut mine, mut longest) = (Vec::new(), Duration::ZERO);
                loop {
                    let asked = Instant::now();
                    let lease = store.lease(ask.clone()).wait().unwrap();
                    longest = longest.max(asked.elapsed());
                    let Some(lease) = lease else { break };
                    mine.push(lease.item);
                }
                let mut given = given.lock().unwrap();
                given.0.extend(mine);
                given.1 = given.1.max(longest);
            });
        }
    });
    let rate = items as f64 / start.elapsed().as_secs_f64();
    let (given, longest) = given.into_inner().unwrap();
    assert_eq!(given.len(), items, "an item was not given");
    assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), items, "an item was given twice");
    (rate, longest)
}
