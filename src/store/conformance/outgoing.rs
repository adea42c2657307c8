//! Effects on their way out: once per key, tried again, given up, held.

use super::Open;
use super::fixtures::*;
use crate::domain::ControlScope;
use crate::store::{EffectState, Op, OutgoingAsk, OutgoingCount, Store, StoreError, Write};

fn effect(key: &str, kind: &str, item: &str, n: i64) -> Op {
    Op::PutEffect {
        key: key.to_owned(),
        kind: kind.to_owned(),
        item: item.to_owned(),
        payload: serde_json::json!({ "n": n }),
    }
}

fn waiting(limit: usize) -> OutgoingAsk {
    OutgoingAsk { limit, ..OutgoingAsk::default() }
}

fn in_state(state: EffectState) -> OutgoingAsk {
    OutgoingAsk { state, ..waiting(99) }
}

fn keys(store: &dyn Store, ask: &OutgoingAsk) -> Vec<String> {
    store.outgoing(ask).unwrap().into_iter().map(|e| e.key).collect()
}

fn tried(key: &str, next: Option<i64>) -> Op {
    Op::EffectTried {
        key: key.to_owned(),
        error: format!("{key} answered 503"),
        next_at: next.map(at),
    }
}

pub(crate) fn effects_wait_once_per_key(open: Open<'_>) {
    let store = open();
    let now = |seconds, ops| Write { now: at(seconds), ..write(ops) };
    let put = |key: &str, n| effect(key, "reply", "a", n);
    store.commit(now(5, vec![put("k1", 1), put("k2", 2)])).wait().unwrap();
    store.commit(now(6, vec![put("k1", 3), put("k3", 4)])).wait().unwrap();
    let rows = |ask: &OutgoingAsk| -> Vec<_> {
        let rows = store.outgoing(ask).unwrap();
        rows.into_iter().map(|e| (e.key, e.payload["n"].as_i64().unwrap(), e.at)).collect()
    };
    let key = str::to_owned;
    let all = [(key("k1"), 1, at(5)), (key("k2"), 2, at(5)), (key("k3"), 4, at(6))];
    assert_eq!(rows(&waiting(9)), all);
    assert_eq!(rows(&waiting(1)), all[..1]);
    let first = store.outgoing(&waiting(1)).unwrap().remove(0);
    assert_eq!(rows(&OutgoingAsk { after: first.number, ..waiting(9) }), all[1..]);
    let done = Op::EffectDone { key: key("k1") };
    apply(&*store, vec![done, put("k1", 9), tried("k1", None)]);
    assert_eq!(rows(&waiting(9)), all[1..]);
    // Without what they say, all else is the same.
    let mut whole = store.outgoing(&waiting(9)).unwrap();
    whole.iter_mut().for_each(|row| row.payload = serde_json::Value::Null);
    assert_eq!(store.outgoing(&OutgoingAsk { bare: true, ..waiting(9) }).unwrap(), whole);
    let kind = |kind: &str| OutgoingAsk { kind: Some(key(kind)), ..waiting(9) };
    assert_eq!(rows(&kind("reply")), all[1..]);
    assert_eq!(rows(&kind("notify")), []);
}

pub(crate) fn effects_are_tried_given_up_and_retried(open: Open<'_>) {
    let store = open();
    let put = |key: &str| effect(key, "notify", "", 0);
    apply(&*store, vec![put("a"), put("b"), put("c")]);
    apply(&*store, vec![tried("a", Some(60)), tried("b", None)]);
    let due = |seconds| OutgoingAsk { due_at: Some(at(seconds)), ..waiting(9) };
    assert_eq!(keys(&*store, &due(59)), ["c"]);
    assert_eq!(keys(&*store, &due(60)), ["a", "c"]);
    let a = store.outgoing(&waiting(1)).unwrap().remove(0);
    assert_eq!((a.attempts, a.next_at), (1, Some(at(60))));
    assert_eq!(a.error.as_deref(), Some("a answered 503"));

    // Opened anew, everything stands as it was.
    store.close().unwrap();
    let store = open();
    let count = |waiting, dead| OutgoingCount { waiting, held: 0, dead };
    assert_eq!(store.outgoing_count().unwrap(), count(2, 1));
    let b = store.outgoing(&in_state(EffectState::Dead)).unwrap().remove(0);
    assert_eq!((b.key.as_str(), b.state, b.attempts, b.next_at), ("b", EffectState::Dead, 1, None));
    let retry = |key: &str| Op::EffectRetry { key: key.to_owned() };
    apply(&*store, vec![retry("b")]);
    assert_eq!(keys(&*store, &due(0)), ["b", "c"]);
    assert_eq!(store.outgoing_count().unwrap(), count(3, 0));
    // It begins anew, with as many tries as a new one.
    assert_eq!(store.outgoing(&due(0)).unwrap()[0].attempts, 0);
    apply(&*store, vec![tried("b", Some(1))]);
    assert_eq!(store.outgoing(&due(1)).unwrap()[0].attempts, 1);
    // An older word about an item is not said after a newer one.
    let word = |revision: &str| effect(&format!("reply:i:{revision}"), "reply", "i", 0);
    let other = effect("reply:j:2", "reply", "j", 0);
    apply(&*store, vec![word("2"), other, word("5")]);
    apply(&*store, ["reply:i:2", "reply:j:2", "reply:i:5"].map(|key| tried(key, None)).to_vec());
    apply(&*store, vec![retry("reply:i:5"), retry("reply:j:2")]);
    let replies = OutgoingAsk { kind: Some("reply".to_owned()), ..waiting(9) };
    assert_eq!(keys(&*store, &replies), ["reply:j:2", "reply:i:5"]);
    for key in ["b", "reply:i:2", "nothing"] {
        assert_eq!(
            store.commit(write(vec![retry(key)])).wait(),
            Err(StoreError::Missing(format!("undeliverable effect {key}")))
        );
    }
}

pub(crate) fn effects_of_a_scope_are_held_and_let_go(open: Open<'_>) {
    let store = open();
    let mut other = auto("m");
    other.columns.domain = "moderation".to_owned();
    other.columns.model = "mod".to_owned();
    other.columns.cohort.insert("race".to_owned(), "black".to_owned());
    admit(&*store, vec![auto("l"), other]);
    let ops = ["l", "m"].map(|id| effect(&format!("reply/{id}"), "reply", id, 0));
    let alert = effect("alert/m", "notify", "m", 0);
    let nowhere = effect("reply/", "reply", "", 0);
    apply(&*store, [ops.to_vec(), vec![alert, nowhere]].concat());

    let hold = |scope: &str, held, except: &[&str]| {
        let op = Op::HoldEffects {
            scope: scope.parse().unwrap(),
            kind: "reply".to_owned(),
            held,
            except: except.iter().map(|s| s.parse::<ControlScope>().unwrap()).collect(),
        };
        store.commit(write(vec![op])).wait().unwrap().held
    };
    let held = || keys(&*store, &in_state(EffectState::Held));
    for (scope, which) in [
        ("domain=loan", vec!["reply/l"]),
        ("model=mod", vec!["reply/m"]),
        ("model=mod@1", vec!["reply/m"]),
        ("model=mod@2", vec![]),
        ("cohort=race:black", vec!["reply/m"]),
        ("cohort=cohort:black", vec![]),
        ("action=approve", vec!["reply/l", "reply/m"]),
        ("all", vec!["reply/l", "reply/m"]),
    ] {
        let n = which.len() as u64;
        assert_eq!(hold(scope, true, &[]), n, "{scope}");
        assert_eq!(hold(scope, true, &[]), 0, "{scope}");
        assert_eq!(held(), which);
        assert_eq!(
            store.outgoing_count().unwrap(),
            OutgoingCount { waiting: 4 - n, held: n, dead: 0 }
        );
        assert_eq!(hold(scope, false, &[]), n, "{scope}");
    }
    // What another switch covers stays held.
    assert_eq!(hold("all", true, &[]), 2);
    assert_eq!(hold("all", false, &["domain=loan", "model=other"]), 1);
    assert_eq!(held(), ["reply/l"]);
    // Delivered in the end: no longer held.
    apply(&*store, vec![Op::EffectDone { key: "reply/l".to_owned() }]);
    assert_eq!(held(), Vec::<String>::new());
    // What is decided while an older word is held is said in its place, not before it.
    assert_eq!(hold("all", true, &[]), 1);
    apply(
        &*store,
        vec![effect("reply/m/5", "reply", "m", 1), effect("reply/l/2", "reply", "l", 1)],
    );
    assert_eq!(hold("domain=loan", true, &[]), 1);
    apply(&*store, vec![effect("reply/l/3", "reply", "l", 2)]);
    assert_eq!(hold("domain=loan", true, &[]), 1);
    assert_eq!(held(), ["reply/m", "reply/l/2", "reply/l/3"]);
    assert_eq!(hold("all", false, &[]), 2);
    let replies = OutgoingAsk { kind: Some("reply".to_owned()), ..waiting(9) };
    assert_eq!(keys(&*store, &replies), ["reply/", "reply/m/5", "reply/l/2", "reply/l/3"]);
    assert_eq!(held(), Vec::<String>::new());
}
