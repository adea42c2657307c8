//! The desk's rules over a real file, one by one: stages, blind items, violations, repairs,
//! samples, signatures, redaction, erasure, races.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use overrule::audit::{Statement, sign_with_key};
use overrule::desk::{Local, OpenOptions};
use overrule::domain::{
    ItemState, Kind, Outcome, Role, Route, SampleKind, Timestamp, Verdict, VerdictKind,
};
use overrule::protocol::{
    Admitted, Answer, BlindAnswer, Command, Draft, Erased, FeedbackKind, Filter, ItemView,
    LeaseAsk, Line, PageAsk, Query, Refused, Reply, ReviewRequest, Reviewed, VerifyAsk, Why,
};
use serde_json::{Value, json};
use support::{Home, record};

struct Desk {
    desk: Local,
    clock: Arc<AtomicI64>,
    home: Home,
}

impl Desk {
    fn new(policy: &str) -> Self {
        let home = Home::new();
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let hands = clock.clone();
        let mut options = OpenOptions::new(home.store(), "root");
        options.wall =
            Arc::new(move || Timestamp::from_millisecond(hands.load(Ordering::SeqCst)).unwrap());
        let this = Self { desk: Local::open(options).unwrap(), clock, home };
        this.activate(policy, true).unwrap();
        for (name, level) in [("ann", 1), ("ben", 2), ("cho", 3)] {
            this.person(name, level, None);
        }
        this
    }

    fn activate(&self, policy: &str, install: bool) -> Result<Answer, Refused> {
        let schemas: BTreeMap<String, Value> = [(
            "loan".to_owned(),
            json!({"output": {"type": "object", "required": ["decision"],
                "properties": {"decision": {"enum": ["approve", "deny"]}}}}),
        )]
        .into();
        let (name, source) = ("test.toml".to_owned(), policy.to_owned());
        self.desk
            .execute_blocking("root", Command::ActivatePolicy { name, source, schemas, install })
    }

    fn person(&self, name: &str, level: u8, key: Option<String>) {
        let add =
            Command::AddReviewer { name: name.into(), level, roles: vec![], key, skills: None };
        self.desk.execute_blocking("root", add).unwrap();
    }

    fn admit(&self, record: &Value) -> Route {
        match self.admit_bytes(record.to_string().as_bytes()) {
            Admitted::Route(route) => *route,
            other => panic!("{other:?}"),
        }
    }

    fn admit_bytes(&self, bytes: &[u8]) -> Admitted {
        let line = Line { source: "test".into(), line: 1, bytes: bytes.to_vec() };
        match self.desk.execute_blocking("root", Command::Admit { lines: vec![line] }).unwrap() {
            Answer::Admitted(mut all) => all.remove(0),
            other => panic!("{other:?}"),
        }
    }

    fn item(&self, by: &str, id: &str) -> ItemView {
        match self.desk.ask_blocking(by, Query::Item { id: id.into() }).unwrap() {
            Reply::Item(view) => *view,
            other => panic!("{other:?}"),
        }
    }

    fn send(&self, by: &str, request: ReviewRequest) -> Result<Reviewed, Refused> {
        match self.desk.execute_blocking(by, Command::Review(Box::new(request)))? {
            Answer::Reviewed(done) => Ok(done),
            other => panic!("{other:?}"),
        }
    }

    fn say(&self, by: &str, id: &str, verdict: Verdict) -> Result<Reviewed, Refused> {
        self.send(by, request(id, verdict))
    }

    fn accept(&self, by: &str, id: &str) -> Result<Reviewed, Refused> {
        self.say(by, id, Verdict::plain(VerdictKind::Accept))
    }

    fn corrections(&self) -> Vec<Value> {
        let ask = Query::Corrections { since: None, after: 0, limit: 100 };
        match self.desk.ask_blocking("root", ask).unwrap() {
            Reply::Corrections { corrections, .. } => {
                corrections.iter().map(|c| serde_json::to_value(c).unwrap()).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn verified(&self) {
        let report = self.desk.verify_blocking(&VerifyAsk::default(), &|_, _| {}).unwrap();
        assert!(report.ok, "{:?}", report.faults);
    }
}

fn request(id: &str, verdict: Verdict) -> ReviewRequest {
    ReviewRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        item: id.into(),
        verdict,
        lease: None,
        revision: None,
        seen: None,
        signature: None,
        grace_ms: 0,
        offline: None,
    }
}

fn tagged(kind: VerdictKind, tags: &[&str]) -> Verdict {
    Verdict {
        tags: tags.iter().map(|t| (*t).to_owned()).collect(),
        note: Some("because".into()),
        ..Verdict::plain(kind)
    }
}

const BASE: &str = r#"
policy = "test"
[control]
human_queue = "level1"
[queues.level1]
level = 1
sla = "30m"
[queues.level2]
level = 2
sla = "2h"
[queues.level3]
level = 3
sla = "4h"
[[tag]]
id = "factual_error"
title = "Untrue"
[[tag]]
id = "policy_violation"
title = "Violation"
require_note = true
[[effect]]
id = "violation"
on = "review"
when = '"policy_violation" in tags'
do = ["escalate:level3@2h", "freeze.similar", "tag:factual_error"]
"#;

fn to_level1() -> String {
    format!("{BASE}\n[default]\nto = \"level1\"\n")
}

#[test]
fn two_stages_take_two_people_on_the_final_content() {
    let desk = Desk::new(&format!(
        "{}\n[[require]]\nid = \"two\"\nwhen = 'business_impact >= 7'\napprovals = [\"level1\", \"level2\"]\n",
        to_level1()
    ));
    let route = desk.admit(&record("a"));
    assert_eq!(route.approvals, ["level1", "level2"]);
    let first = desk.accept("ann", "a").unwrap();
    assert_eq!((first.state, first.queue.as_str()), (ItemState::AwaitingApproval, "level2"));
    assert_eq!(desk.accept("ann", "a").unwrap_err().kind, Why::Authority, "level 1 in level 2");
    let edit = Verdict {
        action: Some("deny".into()),
        output: Some(json!({"decision": "deny"})),
        ..Verdict::plain(VerdictKind::Edit)
    };
    let edited = desk.say("ben", "a", edit).unwrap();
    assert_eq!((edited.state, edited.queue.as_str()), (ItemState::AwaitingApproval, "level1"));
    assert_eq!(desk.accept("ben", "a").unwrap_err().kind, Why::Policy, "ben counts once");
    let current = desk.item("ann", "a").current.unwrap();
    assert_eq!((current.action.as_str(), current.output), ("deny", json!({"decision": "deny"})));
    assert_eq!(desk.accept("ann", "a").unwrap().state, ItemState::Settled);
    let learned = desk.corrections();
    assert_eq!(learned.len(), 1);
    assert_eq!(learned[0]["by"], "ben");
    assert_eq!(learned[0]["proposed"]["action"], "approve");
    assert_eq!(learned[0]["corrected"], json!({"action": "deny", "output": {"decision": "deny"}}));
    desk.verified();
}

#[test]
fn effects_wait_for_the_grace_time_and_undo_leaves_no_trace_of_them() {
    let desk = Desk::new(&to_level1());
    desk.admit(&record("a"));
    let mut said = request("a", tagged(VerdictKind::Reject, &["factual_error"]));
    said.grace_ms = 5_000;
    let decided = desk.send("ann", said.clone()).unwrap();
    assert_eq!(decided.state, ItemState::Decided);
    assert!(desk.send("ann", said).unwrap().duplicate, "the same request again");
    assert_eq!(desk.corrections().len(), 0);
    desk.clock.fetch_add(4_999, Ordering::SeqCst);
    desk.desk.execute_blocking("root", Command::Tick).unwrap();
    let undo = || desk.desk.execute_blocking("ann", Command::Undo { item: "a".into() });
    undo().unwrap();
    assert_eq!(desk.item("ann", "a").state, ItemState::Waiting);
    let mut again = request("a", tagged(VerdictKind::Reject, &["factual_error"]));
    again.grace_ms = 5_000;
    desk.send("ann", again).unwrap();
    desk.clock.fetch_add(5_000, Ordering::SeqCst);
    assert_eq!(undo().unwrap_err().kind, Why::LateUndo);
    assert_eq!(
        desk.desk.execute_blocking("root", Command::Tick).unwrap(),
        Answer::Ticked(1),
        "any process lets it take effect"
    );
    assert_eq!(desk.item("ann", "a").state, ItemState::Settled);
    let learned = desk.corrections();
    assert_eq!(
        (learned.len(), &learned[0]["verdict"], &learned[0]["corrected"]),
        (1, &json!("reject"), &Value::Null)
    );
    desk.verified();
}

#[test]
fn a_violation_goes_to_level_three_with_its_own_clock() {
    let desk = Desk::new(&to_level1());
    desk.admit(&record("a"));
    let no_note = Verdict { note: None, ..tagged(VerdictKind::Reject, &["policy_violation"]) };
    assert_eq!(
        desk.say("ann", "a", no_note).unwrap_err().message,
        "the tag policy_violation needs a note"
    );
    let unknown = tagged(VerdictKind::Reject, &["typo"]);
    assert_eq!(desk.say("ann", "a", unknown).unwrap_err().kind, Why::Invalid);
    let done = desk.say("ann", "a", tagged(VerdictKind::Reject, &["policy_violation"])).unwrap();
    assert_eq!((done.state, done.queue.as_str()), (ItemState::Waiting, "level3"));
    assert_eq!(
        done.effects,
        ["freezes similar", "goes to level3, due in 2h", "tagged factual_error"]
    );
    let view = desk.item("cho", "a");
    assert_eq!(view.kind, Kind::Retrospective);
    assert_eq!(view.due_at.unwrap().as_millisecond(), 1_800_000_000_000 + 7_200_000);
    assert_eq!(view.reviews[0].verdict.tags, ["policy_violation", "factual_error"]);
    assert_eq!(desk.accept("cho", "a").unwrap().state, ItemState::Settled);
    desk.verified();
}

#[test]
fn a_broken_record_is_repaired_and_routed_anew() {
    let desk = Desk::new(&format!("{BASE}\n[default]\nto = \"auto\"\n"));
    let mut broken = record("a");
    broken["confidence"] = json!(1.7);
    broken["model"] = json!("not an object");
    let route = desk.admit(&broken);
    assert_eq!((route.outcome, route.queue.as_deref()), (Outcome::Quarantine, Some("dataops")));
    let paths: Vec<&str> = route.faults.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["model", "confidence"]);
    assert_eq!(desk.accept("ann", "a").unwrap_err().kind, Why::Policy);
    let send = |output: Value| {
        desk.say("ann", "a", Verdict { output: Some(output), ..Verdict::plain(VerdictKind::Edit) })
    };
    let refused = send(broken.clone()).unwrap_err();
    assert!(refused.message.contains("out_of_range:confidence"), "{refused}");
    assert!(send(record("b")).unwrap_err().message.contains("has the id b, not a"));
    let mut mended = record("a");
    mended["confidence"] = json!(0.97);
    let done = send(mended).unwrap();
    assert_eq!(
        (done.state, done.effects),
        (ItemState::Settled, vec!["re-admitted: auto".to_owned()])
    );
    assert_eq!(desk.item("ann", "a").record["confidence"], json!(0.97));
    desk.verified();
}

#[test]
fn a_sample_is_settled_at_once_and_its_reversal_is_told() {
    let desk = Desk::new(&format!(
        "{BASE}\n[default]\nto = \"auto\"\n[[sample]]\nid = \"all\"\nrate = 1.0\nto = \"level1\"\n"
    ));
    let mut asked = record("a");
    asked["reply"] = json!({"kind": "webhook", "url": "https://caller.example/done"});
    let route = desk.admit(&asked);
    assert_eq!((route.outcome, route.state), (Outcome::Auto, ItemState::Settled));
    let sample = route.sample.unwrap();
    assert_eq!((sample.kind, sample.probability), (SampleKind::Random, 1.0));
    let view = desk.item("ann", "a");
    assert_eq!((view.state, view.kind), (ItemState::Waiting, Kind::Retrospective));
    desk.say("ann", "a", tagged(VerdictKind::Reject, &["factual_error"])).unwrap();
    assert!(desk.item("ann", "a").reviews[0].reversal);
    desk.admit(&record("b"));
    desk.accept("ann", "b").unwrap();
    let learned = desk.corrections();
    let verdicts: Vec<&Value> = learned.iter().map(|c| &c["verdict"]).collect();
    assert_eq!(verdicts, ["reject", "accept"], "a confirmed sample is an example too");
    assert_eq!(learned[1]["corrected"]["action"], "approve");
    desk.verified();
}

#[test]
fn a_blind_item_withholds_its_proposal_on_every_door() {
    let desk = Desk::new(&to_level1().replace("sla = \"30m\"", "sla = \"30m\"\nblind = 1.0"));
    desk.admit(&record("a"));
    let shown = serde_json::to_string(&desk.item("ann", "a")).unwrap();
    for secret in ["0.71", "approve", "p_deny", "logreg", "unverified"] {
        assert!(!shown.contains(secret), "{secret} is shown: {shown}");
    }
    let page = Query::Page(PageAsk { limit: 10, ..PageAsk::default() });
    let rows = serde_json::to_string(&desk.desk.ask_blocking("ann", page).unwrap()).unwrap();
    assert!(!rows.contains("approve") && !rows.contains("0.71"), "{rows}");
    let explain = Query::Explain { id: "a".into() };
    assert_eq!(desk.desk.ask_blocking("ann", explain).unwrap_err().kind, Why::Policy);
    assert_eq!(desk.accept("ann", "a").unwrap_err().kind, Why::Policy);
    let answer = BlindAnswer {
        request_id: "own".into(),
        item: "a".into(),
        action: "deny".into(),
        note: None,
    };
    desk.desk.execute_blocking("ann", Command::AnswerBlind(answer)).unwrap();
    assert_eq!(desk.item("ann", "a").current.unwrap().action, "approve");
    assert!(desk.item("ben", "a").current.is_none(), "others still answer for themselves");
    desk.accept("ann", "a").unwrap();
    assert_eq!(desk.item("root", "a").reviews[0].agreed, Some(false));
    desk.verified();
}

#[test]
fn signed_queues_take_only_signatures_over_what_was_seen() {
    let desk = Desk::new(&to_level1().replace("sla = \"30m\"", "sla = \"30m\"\nsigned = true"));
    let key = ssh_key::PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]));
    desk.person("ann", 1, Some(key.public_key().to_openssh().unwrap()));
    desk.admit(&record("a"));
    assert_eq!(desk.accept("ann", "a").unwrap_err().message, "verdicts in level1 must be signed");
    let view = desk.item("ann", "a");
    assert!(view.signed);
    let sign = |said: &ReviewRequest, seen: &str| {
        let hash: Vec<u8> =
            (0..32).map(|i| u8::from_str_radix(&seen[2 * i..2 * i + 2], 16).unwrap()).collect();
        let statement = Statement::new(
            &said.item,
            &said.request_id,
            view.revision,
            &said.verdict,
            &hash.try_into().unwrap(),
        )
        .unwrap();
        sign_with_key(&key, &statement.bytes().unwrap()).unwrap()
    };
    let mut said = request("a", Verdict::plain(VerdictKind::Accept));
    said.signature = Some(sign(&said, &"0".repeat(64)));
    assert_eq!(desk.send("ann", said.clone()).unwrap_err().kind, Why::Policy, "another view");
    said.signature = Some(sign(&said, &view.seen));
    assert_eq!(desk.send("ann", said).unwrap().state, ItemState::Settled);
    assert!(desk.item("ann", "a").reviews[0].signature.is_some());
    desk.verified();
}

#[test]
fn redacted_paths_leave_by_no_door() {
    let desk = Desk::new(&format!(
        "{}\n[redact]\npaths = [\"input.ssn\", \"input.*.email\"]\n",
        to_level1()
    ));
    let mut private = record("a");
    private["input"]["ssn"] = json!("123-45-6789");
    private["input"]["spouse"] = json!({"email": "eve@example.org", "age": 44});
    desk.admit(&private);
    let edit = Verdict { action: Some("deny".into()), ..Verdict::plain(VerdictKind::Edit) };
    desk.say("ann", "a", edit).unwrap();
    let told = format!(
        "{}{}",
        serde_json::to_string(&desk.item("ann", "a")).unwrap(),
        json!(desk.corrections())
    );
    assert!(!told.contains("123-45") && !told.contains("eve@"), "{told}");
    assert_eq!(
        desk.item("ann", "a").record["input"]["spouse"],
        json!({"email": "[redacted]", "age": 44})
    );
    desk.verified();
}

#[test]
fn erased_text_is_nowhere_and_the_proofs_hold() {
    let desk = Desk::new(&to_level1());
    let mut private = record("a");
    private["input"]["name"] = json!("Wilhelmina Quux");
    desk.admit(&private);
    desk.admit(&record("b"));
    let erase = |desk: &Desk| {
        let (item, reason) = ("a".to_owned(), "GDPR Art. 17".to_owned());
        desk.desk.execute_blocking("root", Command::Erase { item, reason })
    };
    assert_eq!(erase(&desk).unwrap_err().kind, Why::State, "people still need it");
    let draft = Draft { note: Some("Wilhelmina again".into()), ..Draft::default() };
    desk.desk.execute_blocking("ann", Command::SaveDraft { item: "a".into(), draft }).unwrap();
    let reject =
        Verdict { note: Some("ask Wilhelmina".into()), ..Verdict::plain(VerdictKind::Reject) };
    desk.say("ben", "a", reject).unwrap();
    let prove = || desk.desk.ask_blocking("root", Query::Prove { item: "a".into() });
    prove().unwrap();
    erase(&desk).unwrap();
    for file in std::fs::read_dir(desk.home.dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(10).any(|w| w == b"Wilhelmina"), "the text is still there");
    }
    assert!(desk.item("root", "a").erased);
    prove().unwrap();
    desk.verified();

    // Again: nothing is left, nothing is said twice; then of what was said since.
    let again = |texts: u64| {
        let before = desk.desk.head().unwrap();
        let answer = erase(&desk).unwrap();
        assert_eq!(answer, Answer::Erased(Erased { texts, remains: None }));
        desk.verified();
        desk.desk.head().unwrap() - before
    };
    assert_eq!(again(0), 0);
    let (item, note) = ("a".to_owned(), Some("Wilhelmina called".to_owned()));
    let heard = Command::Feedback { item, kind: FeedbackKind::Complaint, note };
    desk.desk.execute_blocking("root", heard).unwrap();
    assert_eq!(again(1), 1);
    assert_eq!(again(0), 0);
    let entries = desk.desk.tail(0, 1_000, false).unwrap();
    let erased = entries.iter().filter_map(|t| t.entry["x"].as_array()).map(Vec::len);
    assert_eq!(erased.collect::<Vec<_>>(), [2, 1], "the record and a verdict; a note");
}

#[test]
fn a_lost_lease_refuses_the_verdict_and_keeps_the_draft() {
    let desk = Desk::new(&to_level1());
    desk.admit(&record("a"));
    let take = |by: &str| {
        let ask = LeaseAsk { item: Some("a".into()), ..LeaseAsk::default() };
        match desk.desk.execute_blocking(by, Command::Lease(ask)) {
            Ok(Answer::Leased(view)) => Ok(view.unwrap().lease.unwrap()),
            Ok(other) => panic!("{other:?}"),
            Err(refused) => Err(refused),
        }
    };
    let lease = take("ann").unwrap();
    let held = take("ben").unwrap_err();
    assert_eq!(held.kind, Why::LeaseLost);
    assert!(held.message.contains("ann holds it"), "{held}");
    assert_eq!(desk.accept("ben", "a").unwrap_err().kind, Why::LeaseLost);
    desk.clock.fetch_add(300_001, Ordering::SeqCst);
    let draft = Draft { note: Some("half a thought".into()), ..Draft::default() };
    desk.desk
        .execute_blocking("ann", Command::SaveDraft { item: "a".into(), draft: draft.clone() })
        .unwrap();
    let taken = take("ben").unwrap();
    assert!(taken.epoch > lease.epoch);
    let mut late = request("a", Verdict::plain(VerdictKind::Accept));
    late.lease = Some(lease.epoch);
    let refused = desk.send("ann", late).unwrap_err();
    assert_eq!(refused.kind, Why::LeaseLost);
    assert!(refused.message.contains("ben"), "{refused}");
    assert_eq!(
        desk.desk.ask_blocking("ann", Query::Draft { id: "a".into() }).unwrap(),
        Reply::Draft(Some(draft))
    );
    let mut good = request("a", Verdict::plain(VerdictKind::Accept));
    good.lease = Some(taken.epoch);
    assert_eq!(desk.send("ben", good).unwrap().state, ItemState::Settled);
}

#[test]
fn same_id_other_content_is_refused_and_the_first_stays() {
    let desk = Desk::new(&to_level1());
    let first = desk.admit(&record("a"));
    let again = desk.admit(&record("a"));
    assert!(again.duplicate);
    assert_eq!(Route { duplicate: false, ..again }, first);
    let mut other = record("a");
    other["confidence"] = json!(0.72);
    match desk.admit_bytes(other.to_string().as_bytes()) {
        Admitted::Refused(refusal) => assert_eq!(refusal.reason, "id_conflict"),
        other => panic!("{other:?}"),
    }
    assert_eq!(desk.item("ann", "a").record["confidence"], json!(0.71));
    let page = Query::Page(PageAsk { limit: 10, filter: Filter::default(), ..PageAsk::default() });
    match desk.desk.ask_blocking("ann", page).unwrap() {
        Reply::Page(page) => assert_eq!((page.items.len(), page.total), (1, 1)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_policy_everything_goes_to_people() {
    let home = Home::new();
    let desk = Local::open(OpenOptions::new(home.store(), "root")).unwrap();
    let mut sure = record("a");
    sure["confidence"] = json!(1.0);
    let line = Line { source: "t".into(), line: 1, bytes: sure.to_string().into_bytes() };
    let Answer::Admitted(routes) =
        desk.execute_blocking("root", Command::Admit { lines: vec![line] }).unwrap()
    else {
        panic!("no routes")
    };
    let Admitted::Route(route) = &routes[0] else { panic!("{routes:?}") };
    assert_eq!((route.outcome, route.rule.as_str()), (Outcome::Review, "no-policy"));
    assert_eq!(route.queue.as_deref(), Some("level1"));
}

#[test]
fn a_policy_in_force_is_changed_by_activation_only() {
    let desk = Desk::new(&to_level1());
    desk.admit(&record("a"));
    let other = to_level1().replace("30m", "45m");
    assert_eq!(desk.activate(&other, true).unwrap_err().kind, Why::Policy);
    let dropped = "policy = \"x\"\n[queues.level9]\nlevel = 1\n[default]\nto = \"level9\"\n";
    let refused = desk.activate(dropped, false).unwrap_err();
    assert!(refused.message.contains("no queue level1, and 1 item waits there"), "{refused}");
    desk.activate(&other, false).unwrap();
    let by_ann = Command::DisableReviewer { name: "ben".into() };
    assert_eq!(desk.desk.execute_blocking("ann", by_ann).unwrap_err().kind, Why::Authority);
    let roles = vec![Role::Admin];
    let add = Command::AddReviewer { name: "zoe".into(), level: 3, roles, key: None, skills: None };
    desk.desk.execute_blocking("root", add).unwrap();
    let own = Command::DisableReviewer { name: "root".into() };
    desk.desk.execute_blocking("zoe", own).unwrap();
    assert_eq!(desk.accept("root", "a").unwrap_err().kind, Why::Authority);
    desk.verified();
}

#[test]
fn an_explanation_is_recomputed_byte_for_byte() {
    let desk = Desk::new(overrule::policy::shipped("confidence-gated").unwrap());
    desk.admit(&record("a"));
    desk.admit(&{
        let mut broken = record("b");
        broken["output"] = json!(7);
        broken
    });
    for id in ["a", "b"] {
        match desk.desk.ask_blocking("root", Query::Explain { id: id.into() }).unwrap() {
            Reply::Explain(view) => assert!(view.reproduced, "{view:?}"),
            other => panic!("{other:?}"),
        }
    }
    desk.activate(&to_level1(), false).unwrap();
    match desk.desk.ask_blocking("root", Query::Explain { id: "a".into() }).unwrap() {
        Reply::Explain(view) => {
            assert!(view.reproduced, "under the policy it was routed by");
            assert_eq!(view.route.rule, "unsure-high-impact");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_search_finds_a_blind_item_by_what_is_shown_of_it() {
    let desk = Desk::new(&to_level1().replace("sla = \"30m\"", "sla = \"30m\"\nblind = 1.0"));
    desk.admit(&record("a"));
    let found = |text: &str| {
        let filter = Filter { text: Some(text.into()), ..Filter::default() };
        let ask = Query::Page(PageAsk { filter, limit: 10, ..PageAsk::default() });
        match desk.desk.ask_blocking("ann", ask).unwrap() {
            Reply::Page(page) => page.items.len(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        (found("Income_Thousands"), found("unverified income"), found("approve")),
        (1, 0, 0)
    );
}

#[test]
fn a_reviewers_own_list_ends_at_their_level() {
    let desk = Desk::new(&to_level1());
    desk.admit(&record("a"));
    desk.admit(&record("b"));
    let up = Verdict { to: Some("level2".into()), ..Verdict::plain(VerdictKind::Escalate) };
    desk.say("ann", "a", up).unwrap();
    let list = |by: &str, filter: Filter| {
        let ask = Query::Page(PageAsk { filter, limit: 10, ..PageAsk::default() });
        match desk.desk.ask_blocking(by, ask).unwrap() {
            Reply::Page(page) => {
                (page.items.iter().map(|r| r.id.clone()).collect::<Vec<_>>(), page.total)
            }
            other => panic!("{other:?}"),
        }
    };
    let mine = || Filter { mine: true, ..Filter::default() };
    assert_eq!(list("ann", mine()), (vec!["b".to_owned()], 1));
    assert_eq!(list("ben", mine()).1, 2);
    let named = Filter { queue: Some("level2".into()), ..mine() };
    assert_eq!(list("ann", named), (vec!["a".to_owned()], 1));
    assert_eq!(list("ann", Filter::default()).1, 2);
}

#[test]
fn a_search_tells_nothing_of_what_it_may_not_find() {
    let policy = format!("{}\n[redact]\npaths = [\"input.ssn\"]\n", to_level1());
    let desk = Desk::new(&policy);
    for (id, ssn, note) in [
        ("a", "123-45-6789", "odd"),
        ("b", "999-00-1111", "even"),
        ("c", "123-45-0000", "like 123-45"),
        ("d", "555-55-5555", "odd"),
    ] {
        let mut one = record(id);
        one["input"]["ssn"] = json!(ssn);
        one["rationale"] = json!(note);
        desk.admit(&one);
    }
    let page = |text: &str, limit: usize, from_end: bool| {
        let filter = Filter { text: Some(text.into()), ..Filter::default() };
        let ask = Query::Page(PageAsk { filter, limit, from_end, ..PageAsk::default() });
        match desk.desk.ask_blocking("ann", ask).unwrap() {
            Reply::Page(page) => {
                let ids: Vec<String> = page.items.iter().map(|r| r.id.clone()).collect();
                (ids.join(" "), page.next.is_some(), page.scanned)
            }
            other => panic!("{other:?}"),
        }
    };
    for limit in [1, 2, 10] {
        for from_end in [false, true] {
            let nowhere = page("nowhere", limit, from_end);
            assert_eq!(nowhere, (String::new(), false, 4));
            assert_eq!(page("555-55", limit, from_end), nowhere, "{limit} {from_end}");
            assert_eq!(page("6789", limit, from_end), nowhere, "{limit} {from_end}");
        }
    }
    // One that is hidden stands before one that is not: the page ends after the second.
    assert_eq!(page("123-45", 1, false), ("c".into(), true, 3));
    assert_eq!(page("123-45", 1, true), ("c".into(), true, 2));
    assert_eq!(page("123-45", 5, false), ("c".into(), false, 4));
    assert_eq!(page("odd", 1, true), ("d".into(), true, 1));
    assert_eq!(page("odd", 5, true), ("a d".into(), false, 4), "in queue order");
}

#[test]
fn a_request_that_comes_again_says_the_same_or_is_refused() {
    let desk = Desk::new(&to_level1());
    for id in ["a", "b", "c"] {
        desk.admit(&record(id));
    }
    // An effect adds a tag to it, blank words are none: it is the same all the same.
    let verdict = Verdict {
        output: Some(json!({"decision": "deny", "p_deny": 0.1})),
        label: Some(" ".into()),
        ..tagged(VerdictKind::Edit, &["policy_violation"])
    };
    let said = ReviewRequest { revision: Some(0), grace_ms: 60_000, ..request("a", verdict) };
    desk.send("ann", said.clone()).unwrap();
    assert_eq!(desk.item("root", "a").reviews[0].verdict.tags.len(), 2);
    assert!(desk.send("ann", said.clone()).unwrap().duplicate);
    // Another text under the same id is no repetition: saying that it is kept would lose it.
    let refused = |change: &dyn Fn(&mut ReviewRequest)| {
        let mut other = said.clone();
        change(&mut other);
        let refused = desk.send("ann", other).unwrap_err();
        assert_eq!(refused.kind, Why::State, "{refused:?}");
        refused.message
    };
    let message = refused(&|r| r.verdict.output = Some(json!({"decision": "deny"})));
    assert_eq!(
        message,
        format!("request {} is already stored with another verdict", said.request_id)
    );
    refused(&|r| r.verdict.action = Some("deny".into()));
    refused(&|r| r.verdict.note = None);
    refused(&|r| r.verdict.tags = vec!["factual_error".into()]);
    refused(&|r| r.verdict.verdict = VerdictKind::Reject);
    refused(&|r| r.revision = Some(1));
    refused(&|r| r.item = "b".into());
    assert_eq!(desk.item("root", "a").reviews.len(), 1);
    // Once its text is erased, only its kind can be compared.
    let reject = ReviewRequest {
        revision: Some(0),
        ..request("c", tagged(VerdictKind::Reject, &["factual_error"]))
    };
    desk.send("ann", reject.clone()).unwrap();
    let (item, reason) = ("c".to_owned(), "GDPR Art. 17".to_owned());
    desk.desk.execute_blocking("root", Command::Erase { item, reason }).unwrap();
    assert!(desk.send("ann", reject).unwrap().duplicate);
    desk.verified();
}
