//! Erasure: the text is gone from everything that can be read; every proof holds.

use super::Open;
use super::fixtures::*;
use super::trail::check;
use crate::audit::EntryKind;
use crate::domain::{Fault, FaultKind, VerdictKind};
use crate::protocol::Filter;
use crate::store::{AdmitBatch, AdmitResult, DeadLetter, Op, OutgoingAsk, PageQuery, StoreError};

pub(crate) fn erasure_leaves_proofs_and_no_text(open: Open<'_>) {
    let store = open();
    let mut a = waiting("a", "level1", Some(60), 0);
    a.columns.cohort.insert("cohort".to_owned(), "of one".to_owned());
    a.columns.tags = vec!["secret tag".to_owned()];
    a.route.faults = vec![Fault {
        path: "input.ssn".to_owned(),
        kind: FaultKind::InvalidField,
        message: "secret message".to_owned(),
    }];
    admit(&*store, vec![a.clone(), waiting("b", "level1", None, 0), auto("c")]);
    for id in ["a", "b"] {
        let r = review(&format!("r-{id}"), &item(&*store, id), "ann", VerdictKind::Edit);
        let effect = Op::PutEffect {
            key: format!("reply/{id}"),
            kind: "webhook".to_owned(),
            item: id.to_owned(),
            payload: serde_json::json!({"output": "secret"}),
        };
        let request_id = r.request_id.clone();
        let correction = Op::PutCorrection { item: id.to_owned(), request_id, at: at(0) };
        apply(&*store, [reviewed(&r), vec![effect, correction]].concat());
        store.put_draft(id, "ann", Some(b"secret draft".to_vec())).wait().unwrap();
    }
    let letter = |line, bytes: &str| DeadLetter {
        source: "s".to_owned(),
        line,
        reason: "id_conflict".to_owned(),
        message: String::new(),
        bytes: bytes.as_bytes().to_vec(),
        at: at(0),
    };
    let dead = vec![
        letter(1, r#"{"id":"a","output":"secret"}"#),
        letter(2, r#"{"specversion":"1.0","id":"e","data":{"id":"a"}}"#),
        letter(3, r#"{"id":"a","confidence":NaN}"#),
        letter(4, r#"{"id":"b"}"#),
        letter(5, r#"{"id":"aa"}"#),
    ];
    store.admit(AdmitBatch { dead, ..batch(vec![]) }).wait().unwrap();
    let before = check(&*store);
    let (kept_b, kept_c) = (store.decision("b").unwrap(), store.decision("c").unwrap());

    let log = Op::Entry(entry(EntryKind::ERASE, Some("a"), &[]));
    let erase = Op::Erase { item: "a".to_owned(), below: u64::MAX };
    let head = apply(&*store, vec![log, erase]);
    assert_eq!(head, before.size + 1);

    let stored = store.decision("a").unwrap().unwrap();
    assert_eq!(stored.raw, None);
    assert_eq!(stored.route.reason, "");
    assert_eq!(stored.route.faults[0].message, "");
    assert_eq!(stored.route.rule, a.route.rule);
    assert_eq!((stored.columns.cohort.len(), stored.columns.tags.len()), (0, 0));
    assert_eq!(stored.columns.domain, "loan");
    let reviews = store.reviews("a").unwrap();
    let plain = crate::domain::Verdict::plain(VerdictKind::Edit);
    assert_eq!((reviews[0].request_id.as_str(), &reviews[0].verdict), ("r-a", &plain));
    assert_eq!(store.draft("a", "ann").unwrap(), None);
    let waiting = OutgoingAsk { limit: 9, ..OutgoingAsk::default() };
    let waits: Vec<_> = store.outgoing(&waiting).unwrap().into_iter().map(|e| e.key).collect();
    assert_eq!(waits, ["reply/b"]);
    let lines: Vec<_> =
        store.dead_letters(0, 9).unwrap().into_iter().map(|d| d.letter.line).collect();
    assert_eq!(lines, [4, 5]);
    assert_eq!(store.corrections(None, 0, 9).unwrap()[0].decision.raw, None);
    let secret = Filter { text: Some("secret text of".to_owned()), ..Filter::default() };
    assert_eq!(ids(&*store, &PageQuery { scan: 99, ..ask(secret) }), ["b"]);

    // The others stand as they were, and the trail as it was, one entry longer.
    assert_eq!(store.decision("b").unwrap(), kept_b);
    assert_eq!(store.decision("c").unwrap(), kept_c);
    assert!(store.draft("b", "ann").unwrap().is_some());
    let after = check(&*store);
    assert_eq!(after.entries[..before.entries.len()], before.entries);
    let erased: Vec<_> =
        (0..).zip(&after.bodies).filter(|(_, b)| b.iter().any(|(_, o)| o.is_none())).collect();
    let gone = |path: &str| vec![(path.to_owned(), None)];
    assert_eq!(erased, [(0, &gone("record")), (3, &gone("review"))]);

    // The same record is still known; an effect that was deleted is not put again.
    let again = store.admit(batch(vec![a])).wait().unwrap();
    assert!(matches!(again[0], AdmitResult::Duplicate(_)));
    let effect = Op::PutEffect {
        key: "reply/a".to_owned(),
        kind: "webhook".to_owned(),
        item: "a".to_owned(),
        payload: serde_json::Value::Null,
    };
    apply(&*store, vec![effect]);
    assert_eq!(store.outgoing(&waiting).unwrap().len(), 1);
    let unknown = Op::Erase { item: "x".to_owned(), below: u64::MAX };
    assert_eq!(
        store.commit(write(vec![unknown])).wait(),
        Err(StoreError::Missing("decision x".to_owned()))
    );
}

pub(crate) fn erased_texts_of_pending_verdicts_are_gone(open: Open<'_>) {
    let store = open();
    admit(&*store, vec![waiting("a", "level1", None, 0)]);
    let a = item(&*store, "a");
    let r = review("r1", &a, "ann", VerdictKind::Edit);
    apply(&*store, [reviewed(&r), vec![put(&decided(&a, &r, 10))]].concat());
    apply(&*store, vec![Op::Erase { item: "a".to_owned(), below: u64::MAX }]);
    let mut left = decided(&a, &r, 10);
    left.pending.as_mut().unwrap().verdict = crate::domain::Verdict::plain(VerdictKind::Edit);
    assert_eq!(item(&*store, "a"), left);
}

pub(crate) fn erasing_again_takes_what_came_since_and_no_more_than_was_seen(open: Open<'_>) {
    let store = open();
    admit(&*store, vec![waiting("a", "level1", None, 0), auto("b")]);
    let r = review("r1", &item(&*store, "a"), "ann", VerdictKind::Edit);
    apply(&*store, reviewed(&r));
    let seen = store.head().unwrap();
    // While somebody decides what to erase, others write on: feedback, and a late verdict.
    let heard = || {
        let note = entry(EntryKind::FEEDBACK, Some("a"), &[("note", b"secret note")]);
        let kind = "complaint".to_owned();
        vec![Op::Entry(note), Op::PutFeedback { item: "a".to_owned(), kind, at: at(0) }]
    };
    let late = review("r2", &item(&*store, "a"), "bob", VerdictKind::Reject);
    apply(&*store, [heard(), reviewed(&late)].concat());
    let erase = |below: u64| {
        let log = Op::Entry(entry(EntryKind::ERASE, Some("a"), &[]));
        apply(&*store, vec![log, Op::Erase { item: "a".to_owned(), below }])
    };
    // By entry: which texts are there.
    let there = || {
        let bodies =
            check(&*store).bodies.into_iter().map(|b| b.first().is_some_and(|b| b.1.is_some()));
        bodies.collect::<Vec<_>>()
    };
    assert_eq!(there(), [true, true, true, true, true]);
    erase(seen);
    assert_eq!(there(), [false, true, false, true, true, false]);
    let tags =
        || store.reviews("a").unwrap().into_iter().map(|r| r.verdict.tags).collect::<Vec<_>>();
    assert_eq!(tags(), [vec![], vec!["tone".to_owned()]]);
    assert_eq!(store.decision("a").unwrap().unwrap().raw, None);
    // Once more, with nothing new; then with all that came.
    erase(seen);
    assert_eq!(there(), [false, true, false, true, true, false, false]);
    apply(&*store, heard());
    erase(store.head().unwrap());
    assert_eq!(there(), [false, true, false, false, false, false, false, false, false]);
    assert_eq!(tags(), [Vec::<String>::new(), vec![]]);
}
