//! Words of any kind: what people and models send comes back as it was, and sorts by its bytes.
//!
//! Engines differ here: some end a text at a zero byte or refuse it, sort by the rules of a
//! language, or read `%` and `_` in a prefix as a pattern.

use std::collections::BTreeMap;

use serde_json::json;

use super::Open;
use super::fixtures::*;
use crate::domain::{ControlScope, Reviewer, Role, VerdictKind};
use crate::protocol::Filter;
use crate::store::{
    AutomaticAsk, DeadLetter, Op, OutgoingAsk, PageQuery, StoredPolicy, WindowAsk, WindowRow,
};

/// Each is another word than every other.
const WORDS: &[&str] = &[
    "a",
    "A",
    "b",
    "B",
    "á",
    "a\u{301}",
    "Ä",
    "ß",
    "ss",
    "a\0",
    "a\0b",
    "\0",
    "a%",
    "a_",
    "a\\",
    "a\\0",
    "a'\"",
    "a b",
    "a-b",
    "ab",
    "a\n\t\u{1b}[31m",
    "\u{202e}x",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{10fffe}0",
    "日本",
    "🙂",
    "{\"a\":1}",
    "\\u0000",
];

fn in_byte_order() -> Vec<&'static str> {
    let mut words = WORDS.to_vec();
    words.sort_unstable();
    words
}

pub(crate) fn words_of_any_kind_come_back(open: Open<'_>) {
    let store = open();
    let rows: Vec<_> = WORDS
        .iter()
        .map(|w| {
            let mut row = waiting(w, &format!("q{w}"), Some(60), 0);
            row.route.rule = format!("rule {w}");
            row.route.reason = format!("because {w}");
            row.route.tags = vec![format!("tag {w}")];
            row.route.matched = vec![(*w).to_owned()];
            row.columns.domain = format!("domain {w}");
            row.columns.action = (*w).to_owned();
            row.columns.model = format!("model {w}");
            row.columns.version = (*w).to_owned();
            row.columns.cohort = BTreeMap::from([
                ("cohort".to_owned(), (*w).to_owned()),
                (format!("dim {w}"), "x".to_owned()),
            ]);
            row.columns.tags = vec![(*w).to_owned()];
            row
        })
        .collect();
    admit(&*store, rows.clone());
    assert!(store.known(WORDS).unwrap().iter().all(|known| *known));
    for row in &rows {
        let stored = store.decision(&row.route.id).unwrap().unwrap();
        assert_eq!(stored.route, row.route);
        assert_eq!(stored.columns, row.columns);
        assert_eq!(stored.item, row.item);
    }
    assert_eq!(ids(&*store, &ask(Filter::default())), in_byte_order());
    let seen = store.seen().unwrap();
    let rules: Vec<String> = in_byte_order().iter().map(|w| format!("rule {w}")).collect();
    assert_eq!(seen.rules.into_iter().collect::<Vec<_>>(), rules);
    assert_eq!(seen.actions.len(), WORDS.len());
    let counts = store.counts().unwrap();
    assert_eq!(counts.cohorts.keys().map(String::as_str).collect::<Vec<_>>(), in_byte_order());
    assert!(WORDS.iter().all(|w| counts.models.contains_key(&format!("model {w}@{w}"))));
    let queues: Vec<String> =
        store.queues(at(0), at(0)).unwrap().into_iter().map(|q| q.queue).collect();
    let expected: Vec<String> = in_byte_order().iter().map(|w| format!("q{w}")).collect();
    assert_eq!(queues, expected);
    let tally: Vec<String> = store.tally().unwrap().into_iter().map(|t| t.domain).collect();
    let expected: Vec<String> = in_byte_order().iter().map(|w| format!("domain {w}")).collect();
    assert_eq!(tally, expected);
    assert_eq!(store.needed().unwrap().len(), WORDS.len());

    for w in WORDS {
        let word = || Some((*w).to_owned());
        let of = |prefix: &str| Some(format!("{prefix} {w}"));
        let filters = [
            Filter { queue: Some(format!("q{w}")), ..Filter::default() },
            Filter { domain: of("domain"), ..Filter::default() },
            Filter { model: of("model"), ..Filter::default() },
            Filter { model: Some(format!("model {w}@{w}")), ..Filter::default() },
            Filter { rule: of("rule"), ..Filter::default() },
            Filter { cohort: word(), ..Filter::default() },
            Filter { cohort: Some(format!("cohort:{w}")), ..Filter::default() },
            Filter { cohort: Some(format!("dim {w}:x")), ..Filter::default() },
            Filter { tag: word(), ..Filter::default() },
            Filter { tag: of("tag"), ..Filter::default() },
        ];
        for filter in filters {
            let page = store.page(&ask(filter.clone())).unwrap();
            let found: Vec<&str> = page.rows.iter().map(|r| r.item.id.as_str()).collect();
            assert_eq!((found, page.total), (vec![*w], 1), "{filter:?}");
        }
        assert_eq!(store.open_in_cohort("cohort", w).unwrap(), 1, "{w:?}");
        assert_eq!(store.open_in_cohort(&format!("dim {w}"), "x").unwrap(), 1, "{w:?}");
        let after = store.page(&PageQuery { limit: 1, ..ask(Filter::default()) }).unwrap();
        assert!(after.next.is_some());
    }
}

pub(crate) fn automatic_decisions_are_found_by_any_word(open: Open<'_>) {
    let store = open();
    let rows = WORDS.iter().map(|w| {
        let mut row = auto(w);
        row.columns.domain = (*w).to_owned();
        row.columns.cohort = BTreeMap::from([((*w).to_owned(), format!("g{w}"))]);
        row
    });
    admit(&*store, rows.collect());
    for w in WORDS {
        let cohort = ControlScope::Cohort { dimension: (*w).to_owned(), group: format!("g{w}") };
        for scope in [ControlScope::Domain((*w).to_owned()), cohort] {
            let ask = AutomaticAsk { scope, since: at(0), after: None, limit: 9, scan: 1_000 };
            let found = store.automatic(&ask).unwrap().decisions;
            assert_eq!(found.len(), 1, "{w:?}");
            assert_eq!(found[0].route.id, *w);
        }
    }
    let flowed = store.flowed(at(1), None).unwrap();
    let domains: Vec<&str> = flowed.decisions.iter().map(|d| d.domain.as_str()).collect();
    assert_eq!(domains, in_byte_order());
}

pub(crate) fn names_of_any_kind_come_back(open: Open<'_>) {
    let store = open();
    admit(&*store, vec![waiting("a", "level1", Some(60), 0)]);
    let mut ops = Vec::new();
    for w in WORDS {
        ops.push(Op::PutReviewer(Reviewer {
            name: (*w).to_owned(),
            level: 1,
            roles: vec![Role::Reviewer],
            skills: vec![(*w).to_owned()],
            key: Some((*w).to_owned()),
            disabled: false,
            version: 1,
        }));
        ops.push(Op::PutPolicy(StoredPolicy {
            hash: format!("sha256:{w}"),
            name: (*w).to_owned(),
            source: format!("# {w}"),
            schemas: BTreeMap::from([((*w).to_owned(), json!({"title": w}))]),
        }));
        ops.push(Op::PutEffect {
            key: format!("key {w}"),
            kind: (*w).to_owned(),
            item: "a".to_owned(),
            payload: json!({ *w: w }),
        });
        ops.push(Op::PutState { key: (*w).to_owned(), value: Some(w.as_bytes().to_vec()) });
        ops.push(Op::PutWindows(vec![WindowRow {
            tier: 0,
            start: at(0),
            slice: (*w).to_owned(),
            part: (*w).to_owned(),
            value: w.as_bytes().to_vec(),
        }]));
        let mut r = review(&format!("request {w}"), &item(&*store, "a"), w, VerdictKind::Edit);
        r.queue = format!("q{w}");
        r.signature = Some((*w).to_owned());
        r.verdict.note = Some((*w).to_owned());
        r.verdict.tags = vec![(*w).to_owned()];
        ops.extend(reviewed(&r));
        ops.push(Op::PutAnswer {
            item: "a".to_owned(),
            reviewer: (*w).to_owned(),
            request_id: format!("answer {w}"),
            agreed: true,
        });
    }
    apply(&*store, ops);
    let names: Vec<String> = store.reviewers().unwrap().into_iter().map(|r| r.name).collect();
    assert_eq!(names, in_byte_order());
    let reviews = store.reviews("a").unwrap();
    assert_eq!(reviews.len(), WORDS.len());
    let effects = store.outgoing(&OutgoingAsk { limit: 100, ..OutgoingAsk::default() }).unwrap();
    let states = store.states("").unwrap();
    assert_eq!(states.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), in_byte_order());
    let minute = WindowAsk { tier: 0, from: at(0), to: at(60), slice: None, part: None };
    let slices: Vec<String> =
        store.windows(&minute).unwrap().into_iter().map(|r| r.slice).collect();
    assert_eq!(slices, in_byte_order());
    for (n, w) in WORDS.iter().enumerate() {
        let person = store.reviewer(w).unwrap().unwrap();
        assert_eq!((person.name.as_str(), person.key.as_deref()), (*w, Some(*w)));
        let policy = store.policy(Some(&format!("sha256:{w}"))).unwrap().unwrap();
        assert_eq!((policy.name.as_str(), policy.source), (*w, format!("# {w}")));
        assert_eq!(policy.schemas[*w], json!({"title": w}));
        assert_eq!(effects[n].key, format!("key {w}"));
        assert_eq!((effects[n].kind.as_str(), &effects[n].payload), (*w, &json!({ *w: w })));
        let of_kind =
            OutgoingAsk { kind: Some((*w).to_owned()), limit: 9, ..OutgoingAsk::default() };
        assert_eq!(store.outgoing(&of_kind).unwrap().len(), 1, "{w:?}");
        assert_eq!(store.state(w).unwrap().unwrap().value, w.as_bytes());
        let begins: Vec<&str> = in_byte_order().into_iter().filter(|o| o.starts_with(w)).collect();
        let states = store.states(w).unwrap();
        assert_eq!(states.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), begins, "{w:?}");
        let one = WindowAsk {
            slice: Some((*w).to_owned()),
            part: Some((*w).to_owned()),
            ..minute.clone()
        };
        assert_eq!(store.windows(&one).unwrap().len(), 1, "{w:?}");
        let review = store.review(&format!("request {w}")).unwrap().unwrap();
        assert_eq!(review, reviews[n]);
        assert_eq!((review.reviewer.as_str(), review.queue), (*w, format!("q{w}")));
        assert_eq!(
            (review.signature.as_deref(), review.verdict.tags),
            (Some(*w), vec![(*w).to_owned()])
        );
        assert_eq!(store.blind_answer("a", w).unwrap().unwrap().request_id, format!("answer {w}"));
        store.put_draft("a", w, Some(w.as_bytes().to_vec())).wait().unwrap();
        assert_eq!(store.draft("a", w).unwrap().as_deref(), Some(w.as_bytes()));
        let lease = store.lease(lease_item(w, "a", n as i64 * 100)).wait().unwrap().unwrap();
        assert_eq!((lease.reviewer.as_str(), lease.epoch), (*w, n as u64 + 1));
        let by_me = Filter { by_me: true, tag: Some((*w).to_owned()), ..Filter::default() };
        let mine = PageQuery { by: (*w).to_owned(), ..ask(by_me) };
        assert_eq!(store.page(&mine).unwrap().total, 1, "{w:?}");
    }
    let dead = |w: &&str| DeadLetter {
        source: (*w).to_owned(),
        line: 1,
        reason: (*w).to_owned(),
        message: (*w).to_owned(),
        bytes: w.as_bytes().to_vec(),
        at: at(1),
    };
    let letters: Vec<DeadLetter> = WORDS.iter().map(dead).collect();
    let lines = crate::store::AdmitBatch { dead: letters.clone(), ..batch(Vec::new()) };
    store.admit(lines).wait().unwrap();
    let kept = store.dead_letters(0, 100).unwrap().into_iter().map(|d| d.letter);
    assert_eq!(kept.collect::<Vec<_>>(), letters);
}
