//! Many people at two nodes of one store: everything is settled once, and no verdict is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Open;
use super::fixtures::*;
use crate::domain::{Approval, Item, ItemState, Verdict, VerdictKind};
use crate::store::{Lease, LeasePremise, Op, Premise, Premises, Store, StoreError, Write};

const PEOPLE: usize = 64;
/// Who takes an item this often goes away with it, and comes back after somebody else had it.
const ASLEEP: usize = 50;
/// Seconds that a lease lasts, on a clock that moves by one with every lease given.
const LEASE: i64 = 100;
/// When nothing was settled for so long, something is wrong: nobody goes on for ever.
const STUCK: Duration = Duration::from_secs(120);
/// How often it is said how far they are, on standard error itself: what a test harness captures is
/// lost where the whole process is ended from outside.
const TELL: Duration = Duration::from_secs(10);

/// 20,000 items, or a tenth of them in a build without optimisation (`OVERRULE_FULL=1` changes
/// that): a tenth shows the same.
fn items() -> usize {
    let full = std::env::var_os("OVERRULE_FULL").is_some_and(|v| v == "1");
    if full || !cfg!(debug_assertions) { 20_000 } else { 2_000 }
}

/// What somebody left unfinished.
struct Unfinished {
    lease: Lease,
    revision: u64,
}

/// What everybody did.
#[derive(Default)]
pub(crate) struct Done {
    /// Request by item: what the store said was durable.
    settled: Mutex<BTreeMap<String, String>>,
    /// Requests that may or may not have been stored: the answer was lost.
    unsure: Mutex<BTreeSet<String>>,
    unfinished: Mutex<Vec<Unfinished>>,
    requests: AtomicU64,
    clock: AtomicI64,
    /// People who are done.
    left: AtomicUsize,
    /// Somebody panicked: the others need not go on.
    failed: AtomicBool,
    /// What the store answered last when it could not.
    trouble: Mutex<Option<StoreError>>,
}

/// Somebody at work: however that ends, the others and whoever watches hear of it.
struct AtWork<'d>(&'d Done);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed.store(true, Ordering::SeqCst);
        }
        self.0.left.fetch_add(1, Ordering::SeqCst);
    }
}

impl Done {
    /// Until all have left: say how far they are, and end it when nothing moves any more.
    fn watch(&self, count: usize) {
        let (mut known, mut since, mut told) = (0, Instant::now(), Instant::now());
        while self.left.load(Ordering::SeqCst) < PEOPLE {
            std::thread::sleep(Duration::from_millis(20));
            let now = self.settled();
            if now > known {
                (known, since) = (now, Instant::now());
            }
            if told.elapsed() >= TELL {
                told = Instant::now();
                let _ = writeln!(std::io::stderr(), "a crowd: {now} of {count} settled");
            }
            if since.elapsed() >= STUCK {
                self.failed.store(true, Ordering::SeqCst);
                let trouble = self.trouble.lock().unwrap();
                let stuck = format!(
                    "a crowd is stuck at {now} of {count}; the store's last trouble: {trouble:?}"
                );
                let _ = writeln!(std::io::stderr(), "{stuck}");
                panic!("{stuck}");
            }
        }
    }

    /// Verdicts that are durable.
    pub(crate) fn settled(&self) -> usize {
        self.settled.lock().unwrap().len()
    }
}

pub(crate) fn a_crowd_at_two_nodes_settles_everything_once(open: Open<'_>) {
    let nodes = [open(), open()];
    let unsure = settle_all([&*nodes[0], &*nodes[1]], items(), |_| ());
    assert!(unsure.is_empty(), "nothing went wrong: {unsure:?}");
}

/// Have 64 people settle `count` items at two nodes, whatever goes on meanwhile; then look whether
/// each was settled once, and everything that was acknowledged is there. Returns the requests
/// whose answers were lost.
pub(crate) fn settle_all(
    nodes: [&dyn Store; 2],
    count: usize,
    meanwhile: impl FnOnce(&Done) + Send,
) -> BTreeSet<String> {
    let ids: Vec<String> = (0..count).map(|n| format!("i{n}")).collect();
    for ids in ids.chunks(500) {
        let rows = ids.iter().zip(0..).map(|(id, n)| {
            let queue = if n % 3 == 0 { "level2" } else { "level1" };
            waiting(id, queue, Some(n % 11 * 60), 0)
        });
        admit(nodes[0], rows.collect());
    }
    let before = nodes[1].head().unwrap();
    let done = Done::default();
    std::thread::scope(|scope| {
        scope.spawn(|| meanwhile(&done));
        scope.spawn(|| done.watch(count));
        for person in 0..PEOPLE {
            let (node, done) = (nodes[person % 2], &done);
            // The clock of one node is ahead by half a lease.
            let skew = person as i64 % 2 * LEASE / 2;
            scope.spawn(move || work(node, done, &format!("p{person}"), skew));
        }
    });

    let Done { settled, unsure, unfinished, .. } = done;
    let (settled, unsure) = (settled.into_inner().unwrap(), unsure.into_inner().unwrap());
    // Whoever slept over the end of a lease comes too late, at whichever node they ask.
    let unfinished = unfinished.into_inner().unwrap();
    assert!(unfinished.len() > count / ASLEEP / 2, "{} slept", unfinished.len());
    for (late, n) in unfinished.iter().zip(0..) {
        let node = nodes[n % 2];
        let before = item(node, &late.lease.item);
        let told = settle(node, late, &format!("late-{n}"), at(0)).unwrap_err();
        let moved = Premise::Item { id: before.id.clone(), revision: before.revision };
        assert_eq!(told, StoreError::Premise(moved));
        assert_eq!(item(node, &late.lease.item), before);
    }
    for node in &nodes {
        assert_eq!(node.head().unwrap(), before + count as u64, "one entry a verdict");
        assert!(node.queues(at(0), at(0)).unwrap().is_empty(), "everything is settled");
    }
    let mut requests = BTreeSet::new();
    for (n, id) in ids.iter().enumerate() {
        let node = nodes[n % 2];
        let reviews = node.reviews(id).unwrap();
        let [review] = &reviews[..] else { panic!("{id}: {reviews:?}") };
        match settled.get(id) {
            Some(request) => assert_eq!(&review.request_id, request, "{id}"),
            None => assert!(unsure.contains(&review.request_id), "{id}"),
        }
        assert!(!review.undone && requests.insert(review.request_id.clone()));
        let item = item(node, id);
        assert_eq!((item.state, item.revision, item.approvals.len()), (ItemState::Settled, 2, 1));
        assert_eq!(item.approvals[0].reviewer, review.reviewer);
    }
    unsure
}

/// Take and settle until nothing is left.
fn work(node: &dyn Store, done: &Done, name: &str, skew: i64) {
    let mut taken = 0;
    let _at_work = AtWork(done);
    while !done.failed.load(Ordering::Relaxed) {
        let wall = done.clock.fetch_add(1, Ordering::Relaxed) + skew;
        let ask = crate::store::TakeLease {
            until: at(wall + LEASE),
            ..next_for(name, &["level1", "level2"], wall)
        };
        let lease = match node.lease(ask).wait() {
            Ok(Some(lease)) => lease,
            Ok(None) if node.queues(at(0), at(0)).is_ok_and(|q| q.is_empty()) => return,
            // What is left is in somebody's hands, or the store is away for a moment.
            Ok(None) => {
                std::thread::yield_now();
                continue;
            }
            Err(trouble @ (StoreError::Io { .. } | StoreError::Unsure { .. })) => {
                *done.trouble.lock().unwrap() = Some(trouble);
                std::thread::yield_now();
                continue;
            }
            Err(e) => panic!("{e}"),
        };
        let Ok(Some(found)) = node.decision(&lease.item) else { continue };
        let mine = Unfinished { lease, revision: found.item.unwrap().revision };
        taken += 1;
        if taken % ASLEEP == 7 {
            done.unfinished.lock().unwrap().push(mine);
            continue;
        }
        let request = format!("r{}", done.requests.fetch_add(1, Ordering::Relaxed));
        match settle(node, &mine, &request, at(wall)) {
            Ok(()) => {
                let id = mine.lease.item;
                let twice = done.settled.lock().unwrap().insert(id.clone(), request);
                assert_eq!(twice, None, "{id} was settled twice");
            }
            // Somebody whose clock is ahead took it meanwhile.
            Err(StoreError::LeaseLost { .. } | StoreError::Premise(Premise::Item { .. })) => {}
            Err(trouble @ (StoreError::Io { .. } | StoreError::Unsure { .. })) => {
                *done.trouble.lock().unwrap() = Some(trouble);
                done.unsure.lock().unwrap().insert(request);
            }
            Err(e) => panic!("{e}"),
        }
    }
}

/// Accept what was leased, under the lease it was given with.
fn settle(
    node: &dyn Store,
    mine: &Unfinished,
    request: &str,
    wall: crate::domain::Timestamp,
) -> Result<(), StoreError> {
    let Lease { item: id, reviewer, epoch, .. } = &mine.lease;
    let stands = node.decision(id)?.and_then(|d| d.item).unwrap();
    let now = Item { revision: mine.revision, ..stands };
    let mut verdict = review(request, &now, reviewer, VerdictKind::Accept);
    verdict.verdict = Verdict::plain(VerdictKind::Accept);
    let settled = Item {
        state: ItemState::Settled,
        revision: mine.revision + 1,
        approvals: vec![Approval {
            queue: now.queue.clone(),
            reviewer: reviewer.clone(),
            content: None,
        }],
        ..now
    };
    let premises = Premises {
        item: Some((id.clone(), mine.revision)),
        lease: LeasePremise::Held { reviewer: reviewer.clone(), epoch: *epoch, wall },
        ..Premises::default()
    };
    let mut ops = reviewed(&verdict);
    ops.push(put(&settled));
    ops.push(Op::EndLease { item: id.clone() });
    node.commit(Write { premises, now: at(0), ops }).wait().map(|_| ())
}
