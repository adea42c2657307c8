//! Small states and windows: what is replaced whole.

use super::Open;
use super::fixtures::*;
use crate::store::{
    Op, Premise, Premises, Store, StoreError, StoredState, WindowAsk, WindowRow, Write,
};

fn put(key: &str, value: &str) -> Op {
    Op::PutState { key: key.to_owned(), value: Some(value.as_bytes().to_vec()) }
}

fn drop_state(key: &str) -> Op {
    Op::PutState { key: key.to_owned(), value: None }
}

fn stored(version: u64, value: &str) -> StoredState {
    StoredState { version, value: value.as_bytes().to_vec() }
}

/// Write if the keys still have these versions.
fn on(store: &dyn Store, state: &[(&str, u64)], ops: Vec<Op>) -> Result<(), StoreError> {
    let state = state.iter().map(|(key, version)| ((*key).to_owned(), *version)).collect();
    let premises = Premises { state, ..Premises::default() };
    store.commit(Write { premises, ..write(ops) }).wait().map(drop)
}

fn moved(key: &str) -> Result<(), StoreError> {
    Err(StoreError::Premise(Premise::State(key.to_owned())))
}

pub(crate) fn states_are_compared_before_they_are_replaced(open: Open<'_>) {
    let store = open();
    assert_eq!(store.state("control").unwrap(), None);
    assert_eq!(on(&*store, &[("control", 1)], vec![put("control", "x")]), moved("control"));
    assert_eq!(on(&*store, &[("control", 0)], vec![put("control", "a")]), Ok(()));
    // Another process decided on the same version and comes second.
    let other = open();
    assert_eq!(on(&*other, &[("control", 1)], vec![put("control", "b")]), Ok(()));
    let late = vec![put("control", "c"), put("cursor", "9")];
    assert_eq!(on(&*store, &[("cursor", 0), ("control", 1)], late), moved("control"));
    assert_eq!(store.state("control").unwrap(), Some(stored(2, "b")));
    assert_eq!(store.state("cursor").unwrap(), None);
    // Twice in a write is two versions.
    apply(&*store, vec![put("cursor", "1"), put("cursor", "2")]);
    assert_eq!(store.state("cursor").unwrap(), Some(stored(2, "2")));

    other.close().unwrap();
    store.close().unwrap();
    let store = open();
    apply(&*store, vec![put("cursors", "s"), put("cur", "s"), put("cursor\u{ffff}x", "z")]);
    let keys = |prefix: &str| -> Vec<_> {
        store.states(prefix).unwrap().into_iter().map(|(key, s)| (key, s.version)).collect()
    };
    let key = str::to_owned;
    let cursors = vec![(key("cursor"), 2), (key("cursors"), 1), (key("cursor\u{ffff}x"), 1)];
    assert_eq!(keys("cursor"), cursors);
    assert_eq!(keys("curs%"), []);
    assert_eq!(keys("").len(), 5);
    assert_eq!(store.states("control").unwrap(), [(key("control"), stored(2, "b"))]);
}

pub(crate) fn dropped_states_never_repeat_a_version(open: Open<'_>) {
    let store = open();
    apply(&*store, vec![put("k", "a")]);
    apply(&*store, vec![drop_state("k"), drop_state("never")]);
    assert_eq!(store.state("k").unwrap(), None);
    assert_eq!(store.states("").unwrap(), []);
    assert_eq!(on(&*store, &[("k", 0), ("never", 0)], vec![put("k", "b")]), Ok(()));
    // Decided when it was first at 1: that was another state.
    assert_eq!(on(&*store, &[("k", 1)], vec![put("k", "c")]), moved("k"));
    assert_eq!(store.state("k").unwrap(), Some(stored(3, "b")));
}

pub(crate) fn windows_are_absolute_and_found_by_slice_and_part(open: Open<'_>) {
    let store = open();
    let row = |tier, start, slice: &str, part: &str, value: &str| WindowRow {
        tier,
        start: at(start),
        slice: slice.to_owned(),
        part: part.to_owned(),
        value: value.as_bytes().to_vec(),
    };
    let mut rows = Vec::new();
    for start in [0, 60, 180] {
        for slice in ["all", "model:m@1"] {
            for part in ["", "confidence", "input.age"] {
                rows.push(row(0, start, slice, part, &format!("{start} {slice} {part}")));
            }
        }
    }
    rows.push(row(1, 0, "all", "", "hour"));
    apply(&*store, vec![Op::PutWindows(rows.iter().rev().cloned().collect())]);
    let ask = |from, to, slice: Option<&str>, part: Option<&str>| {
        let ask = WindowAsk {
            tier: 0,
            from: at(from),
            to: at(to),
            slice: slice.map(str::to_owned),
            part: part.map(str::to_owned),
        };
        store.windows(&ask).unwrap()
    };
    let kept = |from: i64, to: i64, slice: Option<&str>, part: Option<&str>| -> Vec<WindowRow> {
        let within = |r: &&WindowRow| {
            r.tier == 0
                && (at(from)..at(to)).contains(&r.start)
                && slice.is_none_or(|s| r.slice == s)
                && part.is_none_or(|p| r.part == p)
        };
        rows.iter().filter(within).cloned().collect()
    };
    for (from, to) in [(0, 999), (0, 60), (1, 181), (60, 180), (60, 60), (181, 999), (-9, 1)] {
        for slice in [None, Some("all"), Some("model:m@1"), Some("model:m")] {
            for part in [None, Some(""), Some("input.age"), Some("x")] {
                let found = ask(from, to, slice, part);
                assert_eq!(found, kept(from, to, slice, part), "{from} {to} {slice:?} {part:?}");
            }
        }
    }
    // A row that is there already is replaced, not added to.
    let newer = row(0, 60, "all", "", "newer");
    apply(&*store, vec![Op::PutWindows(vec![newer.clone()])]);
    assert_eq!(ask(60, 61, Some("all"), Some("")), [newer]);
    // Old minutes go; hours stay.
    apply(&*store, vec![Op::DropWindows { tier: 0, before: at(180) }]);
    assert_eq!(ask(-9, 999, None, None), kept(180, 999, None, None));
    let hours = WindowAsk { tier: 1, from: at(0), to: at(1), slice: None, part: None };
    assert_eq!(store.windows(&hours).unwrap(), [row(1, 0, "all", "", "hour")]);
}
