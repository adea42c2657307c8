//! Admission: new, known, conflicting; premises; what comes back.

use std::collections::BTreeMap;

use super::Open;
use super::fixtures::*;
use crate::audit::EntryKind;
use crate::domain::{
    Contained, ControlScope, DATAOPS, Facts, Fallback, Fault, FaultKind, Kind, Outcome, Sample,
    SampleKind, StopMode, Stopped, Timestamp,
};
use crate::store::{
    Admission, AdmitBatch, AdmitResult, DeadLetter, Op, Premise, Premises, StoreError,
};

pub(crate) fn new_duplicate_and_conflict_also_within_a_batch(open: Open<'_>) {
    let store = open();
    let other = |id: &str| Admission { content: [9; 32], ..auto(id) };
    let rows = vec![auto("a"), waiting("b", "level1", Some(60), 0), auto("a"), other("a")];
    let answers = store.admit(batch(rows)).wait().unwrap();
    let mut same = auto("a").route;
    same.duplicate = true;
    let duplicate = AdmitResult::Duplicate(Box::new(same));
    assert_eq!(
        answers,
        [AdmitResult::New(0), AdmitResult::New(1), duplicate.clone(), AdmitResult::Conflict]
    );
    assert_eq!(store.head().unwrap(), 2);
    // What an earlier version stored under its own hash of the same content.
    let resent = Admission { before: Some(auto("a").content), ..other("a") };
    assert_eq!(store.admit(batch(vec![resent])).wait().unwrap(), std::slice::from_ref(&duplicate));

    // Later, and with the state it has by then.
    let r = review("r1", &item(&*store, "b"), "ann", crate::domain::VerdictKind::Accept);
    let mut ops = reviewed(&r);
    ops.push(put(&decided(&item(&*store, "b"), &r, 10)));
    apply(&*store, ops);
    let again = vec![waiting("b", "level1", Some(60), 0), other("b"), auto("a"), auto("c")];
    let answers = store.admit(batch(again)).wait().unwrap();
    let AdmitResult::Duplicate(route) = &answers[0] else { panic!("{answers:?}") };
    assert_eq!(route.state, crate::domain::ItemState::Decided);
    assert_eq!(route.due_at, Some(at(60)));
    assert_eq!(answers[1..], [AdmitResult::Conflict, duplicate, AdmitResult::New(3)]);
    assert_eq!(store.known(&["a", "x", "c"]).unwrap(), [true, false, true]);
    let s = store.snapshot().unwrap();
    assert_eq!((s.head, s.decisions, s.automatic), (4, 3, 2));
}

pub(crate) fn a_batch_is_refused_whole_when_a_premise_moved(open: Open<'_>) {
    let store = open();
    let on = |generation, policy| AdmitBatch {
        premises: Premises { generation, policy, ..Premises::default() },
        ..batch(vec![auto("a"), auto("b")])
    };
    let refused = store.admit(on(Some(1), None)).wait();
    assert_eq!(refused, Err(StoreError::Premise(Premise::Generation)));
    let refused = store.admit(on(None, Some(Some(POLICY.to_owned())))).wait();
    assert_eq!(refused, Err(StoreError::Premise(Premise::Policy)));
    assert_eq!(store.snapshot().unwrap().decisions, 0);
    assert_eq!(store.head().unwrap(), 0);
    assert_eq!(store.admit(on(Some(0), Some(None))).wait().unwrap().len(), 2);
}

pub(crate) fn what_admission_sets_off_happens_once(open: Open<'_>) {
    let store = open();
    let effect = Op::PutEffect {
        key: "a/notify".to_owned(),
        kind: "notify".to_owned(),
        item: "a".to_owned(),
        payload: serde_json::json!({"to": "ml-ops"}),
    };
    let row = |tag: u8| Admission {
        then: vec![
            Op::Entry(entry(EntryKind::ADMIT, Some("a"), &[("note", &[tag])])),
            effect.clone(),
        ],
        ..auto("a")
    };
    let answers = store.admit(batch(vec![row(1), row(2)])).wait().unwrap();
    assert_eq!(answers[0], AdmitResult::New(0));
    assert!(matches!(answers[1], AdmitResult::Duplicate(_)));
    assert_eq!(store.head().unwrap(), 2);
    assert_eq!(store.outgoing_count().unwrap().waiting, 1);
}

pub(crate) fn routes_facts_and_columns_come_back_exactly(open: Open<'_>) {
    let store = open();
    // Times with parts under a millisecond, and everything that a route can say.
    let odd = Timestamp::new(1_700_000_000, 123_456_789).unwrap();
    let mut full = waiting("full", DATAOPS, Some(1), -7);
    full.route.due_at = Some(odd);
    full.route.matched = vec!["low-confidence".to_owned(), "other".to_owned()];
    full.route.sample =
        Some(Sample { kind: SampleKind::Targeted, rule: "new".to_owned(), probability: 0.1 + 0.2 });
    full.route.fallback = Some(Fallback { version: "0.9".to_owned() });
    full.route.generation = 12;
    full.route.faults = vec![Fault {
        path: "ensemble.2.score".to_owned(),
        kind: FaultKind::OutOfRange,
        message: "1.7 is above 1".to_owned(),
    }];
    full.route.tags = vec!["bias".to_owned()];
    full.route.blind = true;
    full.facts = Facts {
        now: odd,
        generation: 11,
        control_readable: false,
        cohort_seen: Some(17),
        arrival_rate_z: Some(-0.1),
        model_age_days: Some(1.0 / 3.0),
        containment: Some(Box::new(Contained {
            stop: Some(Stopped {
                scope: ControlScope::All,
                mode: StopMode::LastGood,
                paused: false,
                version: Some("0.9".to_owned()),
                by: "ann".to_owned(),
                at: odd,
                reason: "it lies".to_owned(),
            }),
            ..Contained::default()
        })),
    };
    full.columns.cohort = BTreeMap::from([("race".to_owned(), "black".to_owned())]);
    full.columns.tags = vec!["vip".to_owned()];
    full.columns.confidence = Some(0.1 + 0.2);
    full.columns.business_impact = None;
    let full_item = full.item.as_mut().unwrap();
    full_item.kind = Kind::Quarantine;
    full_item.blind = true;
    full_item.sample.clone_from(&full.route.sample);
    let mut whole = waiting("whole", "level1", Some(90), 0);
    whole.facts = Facts::at(Timestamp::from_millisecond(1_234).unwrap(), 0);
    let rows = [full, whole, auto("plain")];
    admit(&*store, rows.to_vec());
    for (index, row) in (0..).zip(rows) {
        let stored = store.decision(&row.route.id).unwrap().unwrap();
        assert_eq!(stored.route, row.route);
        assert_eq!(stored.facts, row.facts);
        assert_eq!(stored.columns, row.columns);
        assert_eq!(stored.item, row.item);
        assert_eq!(stored.raw, Some(raw(&row.route.id)));
        assert_eq!(stored.index, index);
        let ms = row.facts.now.as_millisecond();
        assert_eq!(stored.admitted_at.as_millisecond(), ms);
    }
    assert_eq!(store.decision("none").unwrap(), None);
}

pub(crate) fn cohorts_and_models_are_counted(open: Open<'_>) {
    let store = open();
    let of = |id: &str, group: Option<&str>, version: &str, seconds: i64| {
        let mut a = auto(id);
        a.columns.cohort.extend(group.map(|g| ("cohort".to_owned(), g.to_owned())));
        a.columns.version = version.to_owned();
        a.facts.now = at(seconds);
        a
    };
    admit(&*store, vec![of("a", Some("x"), "1", 50), of("b", None, "2", 60)]);
    admit(&*store, vec![of("c", Some("x"), "1", 40), of("d", Some("y"), "2", 70)]);
    let _ = store.admit(batch(vec![of("a", Some("x"), "1", 50)])).wait().unwrap();
    let counts = store.counts().unwrap();
    let pairs = |list: &[(&str, u64)]| -> BTreeMap<String, u64> {
        list.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect()
    };
    assert_eq!(counts.cohorts, pairs(&[("", 1), ("x", 2), ("y", 1)]));
    let models = [("lap@1".to_owned(), at(40)), ("lap@2".to_owned(), at(60))];
    assert_eq!(counts.models, BTreeMap::from(models));
}

pub(crate) fn a_repaired_record_takes_the_place_of_the_broken_one(open: Open<'_>) {
    let store = open();
    let mut broken = waiting("a", DATAOPS, None, 0);
    broken.route.outcome = Outcome::Quarantine;
    broken.columns.domain = String::new();
    broken.item.as_mut().unwrap().kind = Kind::Quarantine;
    admit(&*store, vec![broken.clone(), auto("b")]);

    let mut repaired = auto("a");
    repaired.facts = Facts::at(at(77), 3);
    repaired.columns.cohort.insert("cohort".to_owned(), "x".to_owned());
    let mut settled = item(&*store, "a");
    settled.state = crate::domain::ItemState::Settled;
    let head = apply(
        &*store,
        vec![
            Op::Entry(entry(
                EntryKind::ADMIT,
                Some("a"),
                &[("record", b"{\"id\":\"a\",\"ok\":1}")],
            )),
            Op::Readmit {
                id: "a".to_owned(),
                route: Box::new(repaired.route.clone()),
                facts: Box::new(repaired.facts.clone()),
                columns: repaired.columns.clone(),
            },
            put(&settled),
        ],
    );
    assert_eq!(head, 3);
    let stored = store.decision("a").unwrap().unwrap();
    assert_eq!(stored.raw.as_deref(), Some(b"{\"id\":\"a\",\"ok\":1}".as_slice()));
    assert_eq!(stored.route, repaired.route);
    assert_eq!(stored.facts, repaired.facts);
    assert_eq!(stored.columns, repaired.columns);
    assert_eq!((stored.index, stored.admitted_at), (0, at(0)));
    assert_eq!(store.snapshot().unwrap().automatic, 2);
    let cohorts = store.counts().unwrap().cohorts;
    assert_eq!(cohorts, BTreeMap::from([(String::new(), 1), ("x".to_owned(), 1)]));
    assert_eq!(store.queues(at(0), at(0)).unwrap(), []);
    // The id still belongs to the first content.
    let answers = store.admit(batch(vec![broken, Admission { content: [9; 32], ..auto("a") }]));
    let answers = answers.wait().unwrap();
    assert!(matches!(answers[0], AdmitResult::Duplicate(_)));
    assert_eq!(answers[1], AdmitResult::Conflict);
}

pub(crate) fn dead_letters_are_kept_once(open: Open<'_>) {
    let store = open();
    let letter = |line: u64, bytes: &[u8]| DeadLetter {
        source: "a.jsonl".to_owned(),
        line,
        reason: "not_json".to_owned(),
        message: "expected value".to_owned(),
        bytes: bytes.to_vec(),
        at: at(3),
    };
    let send = |dead: Vec<DeadLetter>| {
        store.admit(AdmitBatch { dead, ..batch(Vec::new()) }).wait().unwrap();
    };
    send(vec![letter(1, b"\xff\x00"), letter(2, b"x"), letter(1, b"\xff\x00")]);
    send(vec![
        letter(2, b"x"),
        letter(2, b"y"),
        DeadLetter { at: at(9), ..letter(1, b"\xff\x00") },
    ]);
    let kept = store.dead_letters(0, 99).unwrap();
    let letters: Vec<_> = kept.iter().map(|d| d.letter.clone()).collect();
    assert_eq!(letters, [letter(1, b"\xff\x00"), letter(2, b"x"), letter(2, b"y")]);
    assert!(kept.is_sorted_by_key(|d| d.number));
    let rest = store.dead_letters(kept[0].number, 1).unwrap();
    assert_eq!(rest, kept[1..2]);
    apply(&*store, vec![Op::DropDeadLetter { number: kept[1].number }]);
    assert_eq!(store.dead_letters(0, 99).unwrap().len(), 2);
}
