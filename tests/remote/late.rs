//! Verdicts that were given offline, at the desk: applied, or kept for a third person.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use overrule::audit::{Statement, sign_with_key};
use overrule::desk::{Local, OpenOptions};
use overrule::domain::{ItemState, Kind, Timestamp, Verdict, VerdictKind};
use overrule::protocol::{
    Answer, Command, Filter, ItemView, LeaseAsk, Line, Offline, PageAsk, Query, Refused, Reply,
    ReviewRequest, Reviewed, VerifyAsk, Why,
};

use super::support::{Home, record};

const POLICY: &str = r#"
policy = "late"
[control]
grace = "5s"
human_queue = "level1"
[queues.level1]
level = 1
sla = "30m"
escalates_to = "level2"
[queues.level2]
level = 2
sla = "2h"
[queues.french]
level = 1
skills = ["french"]
[queues.few]
level = 1
capacity = 2
[[route]]
id = "in-french"
when = '"french" in tags'
to = "french"
[[route]]
id = "few-at-a-time"
when = '"few" in tags'
to = "few"
[default]
to = "level1"
[[require]]
id = "two-people"
when = '"regulated" in tags'
approvals = ["level1", "level2"]
[[effect]]
id = "overdue"
on = "sla"
when = 'queue == "level1"'
do = ["escalate:level2"]
"#;

struct Desk {
    desk: Local,
    clock: Arc<AtomicI64>,
    requests: AtomicI64,
    _home: Home,
}

impl Desk {
    fn new(tags: &[(&str, &[&str])]) -> Self {
        let home = Home::new();
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let hands = clock.clone();
        let mut options = OpenOptions::new(home.store(), "root");
        options.wall =
            Arc::new(move || Timestamp::from_millisecond(hands.load(Ordering::SeqCst)).unwrap());
        let desk = Local::open(options).unwrap();
        let source = POLICY.split("[[effect]]").next().unwrap().to_owned();
        desk.execute_blocking(
            "root",
            Command::ActivatePolicy {
                name: "late.toml".into(),
                source,
                schemas: BTreeMap::new(),
                install: true,
            },
        )
        .unwrap();
        for (name, level, skills) in [
            ("ann", 1, None),
            ("ben", 1, None),
            ("cho", 2, None),
            ("fay", 1, Some(vec!["french".to_owned()])),
        ] {
            let add =
                Command::AddReviewer { name: name.into(), level, roles: vec![], key: None, skills };
            desk.execute_blocking("root", add).unwrap();
        }
        let lines = tags
            .iter()
            .zip(1..)
            .map(|((id, tags), line)| {
                let mut record = record(id);
                record["tags"] = serde_json::json!(tags);
                Line { source: "test".into(), line, bytes: record.to_string().into_bytes() }
            })
            .collect();
        desk.execute_blocking("root", Command::Admit { lines }).unwrap();
        Self { desk, clock, requests: AtomicI64::new(0), _home: home }
    }

    fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1000, Ordering::SeqCst);
        self.desk.execute_blocking("root", Command::Tick).unwrap();
    }

    fn lease(&self, by: &str, id: Option<&str>) -> Result<Option<ItemView>, Refused> {
        let ask = LeaseAsk { item: id.map(str::to_owned), ..LeaseAsk::default() };
        match self.desk.execute_blocking(by, Command::Lease(ask))? {
            Answer::Leased(view) => Ok(view.map(|v| *v)),
            other => panic!("{other:?}"),
        }
    }

    /// A verdict under this lease; `offline`: it comes from an outbox.
    fn request(&self, view: &ItemView, kind: VerdictKind, offline: bool) -> ReviewRequest {
        let lease = view.lease.clone().unwrap();
        let n = self.requests.fetch_add(1, Ordering::SeqCst);
        let mut verdict = Verdict::plain(kind);
        match kind {
            VerdictKind::Edit => verdict.action = Some("deny".into()),
            VerdictKind::Escalate => verdict.to = Some("level2".into()),
            VerdictKind::Reject => verdict.label = Some("deny".into()),
            VerdictKind::Accept => {}
        }
        ReviewRequest {
            request_id: format!("r-{n}"),
            item: view.id.clone(),
            verdict,
            lease: Some(lease.epoch),
            revision: Some(view.revision),
            seen: Some(view.seen.clone()),
            signature: None,
            grace_ms: 5_000,
            offline: offline.then(|| Offline {
                grant: lease.grant.unwrap(),
                at: Timestamp::from_millisecond(self.clock.load(Ordering::SeqCst)).unwrap(),
            }),
        }
    }

    fn say(&self, by: &str, request: &ReviewRequest) -> Result<Reviewed, Refused> {
        match self.desk.execute_blocking(by, Command::Review(Box::new(request.clone())))? {
            Answer::Reviewed(reviewed) => Ok(reviewed),
            other => panic!("{other:?}"),
        }
    }

    fn item(&self, id: &str) -> ItemView {
        match self.desk.ask_blocking("root", Query::Item { id: id.into() }).unwrap() {
            Reply::Item(view) => *view,
            other => panic!("{other:?}"),
        }
    }

    fn verified(&self) {
        let report = self.desk.verify_blocking(&VerifyAsk::default(), &|_, _| {}).unwrap();
        assert!(report.ok, "{:?}", report.faults);
    }
}

#[test]
fn a_late_verdict_that_nobody_overtook_takes_effect_once_whoever_has_the_item_now() {
    let desk = Desk::new(&[("d0", &[])]);
    let view = desk.lease("ann", Some("d0")).unwrap().unwrap();
    let late = desk.request(&view, VerdictKind::Accept, true);
    // The lease runs out, and somebody else takes the item.
    desk.pass(600);
    let theirs = desk.lease("ben", Some("d0")).unwrap().unwrap();
    assert_eq!(theirs.lease.as_ref().unwrap().reviewer, "ben");
    assert_eq!(desk.item("d0").lease.unwrap().grant, None, "a grant is its holder's alone");

    let done = desk.say("ann", &late).unwrap();
    assert_eq!((done.state, done.clash.clone(), done.duplicate), (ItemState::Decided, None, false));
    let again = desk.say("ann", &late).unwrap();
    assert!(again.duplicate && again.clash.is_none(), "{again:?}");
    // Online, a verdict on what has changed is refused.
    let refused = desk.say("ben", &desk.request(&theirs, VerdictKind::Reject, false)).unwrap_err();
    assert!(matches!(refused.kind, Why::State | Why::Stale | Why::LeaseLost), "{refused:?}");
    desk.pass(6);
    let item = desk.item("d0");
    assert_eq!((item.state, item.reviews.len()), (ItemState::Settled, 1));
    desk.verified();
}

#[test]
fn only_who_was_given_the_item_has_a_late_verdict_stored() {
    let desk = Desk::new(&[("d0", &[]), ("d1", &[])]);
    let view = desk.lease("ann", Some("d0")).unwrap().unwrap();
    let good = desk.request(&view, VerdictKind::Accept, true);
    let other = ReviewRequest { item: "d1".into(), ..good.clone() };
    let epoch = ReviewRequest { lease: Some(9), ..good.clone() };
    let forged = Offline { grant: "0".repeat(64), at: Timestamp::UNIX_EPOCH };
    let forged = ReviewRequest { offline: Some(forged), ..good.clone() };
    for (by, request) in [("ben", &good), ("ann", &other), ("ann", &epoch), ("ann", &forged)] {
        let refused = desk.say(by, request).unwrap_err();
        assert_eq!(refused.kind, Why::LeaseLost, "{by} {request:?}");
    }
    // Taken back by an admin meanwhile: it was granted all the same.
    desk.desk.execute_blocking("root", Command::TakeBack { item: "d0".into() }).unwrap();
    assert_eq!(desk.say("ann", &good).unwrap().clash, None);
    desk.verified();
}

#[test]
fn a_verdict_in_its_grace_time_and_a_late_one_are_both_kept_for_a_third_person() {
    let desk = Desk::new(&[("d0", &[])]);
    let mine = desk.lease("ann", Some("d0")).unwrap().unwrap();
    let late = desk.request(&mine, VerdictKind::Accept, true);
    desk.pass(600);
    let theirs = desk.lease("ben", Some("d0")).unwrap().unwrap();
    let by_ben = desk.request(&theirs, VerdictKind::Edit, false);
    desk.say("ben", &by_ben).unwrap();
    desk.pass(1);

    let kept = desk.say("ann", &late).unwrap();
    let clash = kept.clash.unwrap();
    assert_eq!(clash.people, ["ben", "ann"]);
    assert_eq!(clash.reviews, [by_ben.request_id.clone(), late.request_id.clone()]);
    assert_eq!(
        kept.effects,
        ["ben said edit meanwhile: both verdicts are kept, and a third person decides"]
    );
    // The same again changes nothing, and tells the same.
    let again = desk.say("ann", &late).unwrap();
    assert_eq!((again.duplicate, again.clash), (true, Some(clash.clone())));

    // Nothing takes effect by itself.
    desk.pass(60);
    let item = desk.item("d0");
    assert_eq!((item.state, item.pending.clone()), (ItemState::Waiting, None));
    assert_eq!(item.clash, Some(clash));
    assert_eq!(item.reviews.len(), 2);
    assert_eq!(item.current.as_ref().unwrap().action, "approve", "the edit did not take effect");
    // Neither of the two gets it, asked for or not.
    for who in ["ann", "ben"] {
        let refused = desk.lease(who, Some("d0")).unwrap_err();
        assert_eq!(refused.kind, Why::Authority, "{refused:?}");
        assert_eq!(desk.lease(who, None).unwrap(), None);
        let direct = ReviewRequest {
            request_id: format!("direct-{who}"),
            lease: None,
            revision: None,
            offline: None,
            ..late.clone()
        };
        assert_eq!(desk.say(who, &direct).unwrap_err().kind, Why::Authority);
    }
    // The third does, sees both, and edits only the output: the action stays the model's.
    let third = desk.lease("cho", None).unwrap().unwrap();
    assert_eq!(third.id, "d0");
    let mut verdict = desk.request(&third, VerdictKind::Edit, false);
    verdict.verdict.action = None;
    verdict.verdict.output = Some(serde_json::json!({"decision": "approve", "limit": 90}));
    desk.say("cho", &verdict).unwrap();
    desk.pass(6);
    let item = desk.item("d0");
    assert_eq!((item.state, item.clash), (ItemState::Settled, None));
    let current = item.current.unwrap();
    assert_eq!(current.action, "approve");
    assert_eq!(current.output["limit"], 90);
    assert_eq!(item.reviews.len(), 3);
    desk.verified();
}

#[test]
fn what_was_settled_meanwhile_is_looked_at_again_after_the_fact() {
    let desk = Desk::new(&[("d0", &[])]);
    let mine = desk.lease("ann", Some("d0")).unwrap().unwrap();
    let late = desk.request(&mine, VerdictKind::Accept, true);
    desk.pass(600);
    let theirs = desk.lease("ben", Some("d0")).unwrap().unwrap();
    desk.say("ben", &desk.request(&theirs, VerdictKind::Reject, false)).unwrap();
    desk.pass(10);
    assert_eq!(desk.item("d0").state, ItemState::Settled);
    assert!(desk.say("ann", &late).unwrap().clash.is_some());
    let item = desk.item("d0");
    assert_eq!((item.state, item.kind), (ItemState::Waiting, Kind::Retrospective));
    let third = desk.lease("cho", Some("d0")).unwrap().unwrap();
    desk.say("cho", &desk.request(&third, VerdictKind::Accept, false)).unwrap();
    desk.pass(6);
    assert_eq!(desk.item("d0").state, ItemState::Settled);
    desk.verified();
}

#[test]
fn a_stage_that_was_passed_meanwhile_is_passed_again_by_a_third_person() {
    let desk = Desk::new(&[("d0", &["regulated"])]);
    let mine = desk.lease("ann", Some("d0")).unwrap().unwrap();
    let late = desk.request(&mine, VerdictKind::Reject, true);
    desk.pass(600);
    let theirs = desk.lease("ben", Some("d0")).unwrap().unwrap();
    desk.say("ben", &desk.request(&theirs, VerdictKind::Accept, false)).unwrap();
    desk.pass(10);
    assert_eq!(desk.item("d0").queue, "level2");
    assert!(desk.say("ann", &late).unwrap().clash.is_some());
    let item = desk.item("d0");
    assert_eq!((item.state, item.queue.as_str()), (ItemState::Waiting, "level1"));
    assert_eq!(
        item.approvals_needed,
        ["level1", "level2"],
        "the approval in question counts no more"
    );
    let third = desk.lease("fay", Some("d0")).unwrap().unwrap();
    desk.say("fay", &desk.request(&third, VerdictKind::Accept, false)).unwrap();
    desk.pass(10);
    let item = desk.item("d0");
    assert_eq!((item.state, item.queue.as_str()), (ItemState::AwaitingApproval, "level2"));
    assert_eq!(item.clash, None);
    desk.verified();
}

#[test]
fn a_late_verdict_that_a_rule_forbids_is_kept_and_not_lost() {
    let desk = Desk::new(&[("d0", &[])]);
    let mine = desk.lease("ann", Some("d0")).unwrap().unwrap();
    let late = desk.request(&mine, VerdictKind::Accept, true);
    desk.pass(600);
    // Moved to people above her, by nobody's verdict that stands.
    let theirs = desk.lease("ben", Some("d0")).unwrap().unwrap();
    let mut moved = desk.request(&theirs, VerdictKind::Escalate, false);
    moved.grace_ms = 0;
    desk.say("ben", &moved).unwrap();
    let kept = desk.say("ann", &late).unwrap();
    assert!(kept.clash.is_some(), "{kept:?}");
    let item = desk.item("d0");
    assert_eq!((item.state, item.queue.as_str()), (ItemState::Waiting, "level2"));
    assert_eq!(item.reviews.len(), 2);
    desk.verified();

    // Whoever is disabled meanwhile says nothing more.
    let desk = Desk::new(&[("d0", &[])]);
    let mine = desk.lease("ann", Some("d0")).unwrap().unwrap();
    let late = desk.request(&mine, VerdictKind::Accept, true);
    desk.desk.execute_blocking("root", Command::DisableReviewer { name: "ann".into() }).unwrap();
    assert_eq!(desk.say("ann", &late).unwrap_err().kind, Why::Authority);
}

#[test]
fn a_queue_gives_its_items_to_who_has_its_skills() {
    let desk = Desk::new(&[("d0", &["french"])]);
    assert_eq!(desk.lease("ann", None).unwrap(), None);
    let refused = desk.lease("ann", Some("d0")).unwrap_err();
    assert_eq!(refused.message, "ann has not the skill french that french asks for");
    let view = desk.lease("fay", None).unwrap().unwrap();
    assert_eq!(view.id, "d0");
    desk.verified();
}

#[test]
fn who_has_a_queue_open_is_told_until_they_are_gone() {
    let desk = Desk::new(&[("d0", &["few"]), ("d1", &["french"]), ("d2", &[])]);
    let look = |by: &str, queue: Option<&str>, here: bool| {
        let filter = Filter { queue: queue.map(str::to_owned), mine: true, ..Filter::default() };
        let ask = PageAsk { filter, limit: 10, here, ..PageAsk::default() };
        desk.desk.ask_blocking(by, Query::Page(ask)).unwrap();
    };
    let header = || match desk.desk.ask_blocking("root", Query::Header).unwrap() {
        Reply::Header(header) => *header,
        other => panic!("{other:?}"),
    };
    let people = |queue: &str| {
        let queue = header().queues.into_iter().find(|q| q.name == queue).unwrap();
        queue.people.join(" ")
    };
    let head = header().head;
    look("ann", Some("few"), true);
    look("ben", None, true);
    look("fay", Some("few"), false);
    assert_eq!((people("few"), people("level1")), ("ann ben".into(), "ben".into()));
    assert_eq!(people("french"), "", "ben has not learned what it asks for");
    assert_eq!(header().head, head, "nobody's looking is an entry of the trail");
    // Whoever holds an item is there, too, once.
    desk.lease("ann", Some("d0")).unwrap().unwrap();
    desk.lease("fay", Some("d1")).unwrap().unwrap();
    assert_eq!((people("few"), people("french")), ("ann ben".into(), "fay".into()));
    // Ann goes on looking, at another queue; ben has gone.
    desk.pass(100);
    look("ann", Some("level1"), true);
    desk.pass(60);
    assert_eq!((people("few"), people("level1")), ("ann".into(), "ann".into()));
    // The lease lasts longer than the look.
    desk.pass(100);
    assert_eq!((people("few"), people("level1")), ("ann".into(), String::new()));
    desk.pass(60);
    assert_eq!((people("few"), people("french")), (String::new(), String::new()));
    desk.verified();
}

#[test]
fn nobody_holds_more_than_a_queue_lets_one_person_hold() {
    let desk = Desk::new(&[("d0", &["few"]), ("d1", &["few"]), ("d2", &["few"]), ("d3", &[])]);
    for id in ["d0", "d1"] {
        desk.lease("ann", Some(id)).unwrap().unwrap();
    }
    let refused = desk.lease("ann", Some("d2")).unwrap_err();
    assert_eq!(refused.kind, Why::Policy);
    assert_eq!(refused.message, "ann holds 2 items of few; the most is 2");
    desk.lease("ann", Some("d1")).unwrap().unwrap();
    // Other queues still give; and others may take.
    assert_eq!(desk.lease("ann", None).unwrap().unwrap().id, "d3");
    assert_eq!(desk.lease("ann", None).unwrap_err().message, refused.message);
    assert_eq!(desk.lease("ben", Some("d2")).unwrap().unwrap().id, "d2");
    let Reply::Header(header) = desk.desk.ask_blocking("ann", Query::Header).unwrap() else {
        panic!()
    };
    let few = header.queues.iter().find(|q| q.name == "few").unwrap();
    assert_eq!(few.people, ["ann", "ben"], "who is on which queue");
    assert_eq!(few.capacity, Some(2));
}

#[test]
fn who_never_saw_an_edit_does_not_approve_it_from_an_outbox() {
    let desk = Desk::new(&[("d0", &["regulated"])]);
    let add = Command::AddReviewer {
        name: "dan".into(),
        level: 2,
        roles: vec![],
        key: None,
        skills: None,
    };
    desk.desk.execute_blocking("root", add).unwrap();
    let seen_first = desk.lease("cho", Some("d0")).unwrap().unwrap();
    assert_eq!(seen_first.revision, 0);
    let edit = desk.request(&seen_first, VerdictKind::Edit, true);
    // Her lease runs out, then the item's time: it goes up, and somebody else sees the original.
    desk.pass(1_801);
    desk.pass(1);
    let moved = desk.lease("dan", Some("d0")).unwrap().unwrap();
    assert_eq!((moved.revision, moved.queue.as_str()), (1, "level2"));
    assert_eq!(moved.current.as_ref().unwrap().action, "approve");
    let accept = desk.request(&moved, VerdictKind::Accept, true);
    // The edit comes first and takes effect; it says what was seen, not where it took effect.
    assert_eq!(desk.say("cho", &edit).unwrap().clash, None);
    desk.pass(6);
    let item = desk.item("d0");
    assert_eq!(
        (item.state, item.current.unwrap().action),
        (ItemState::AwaitingApproval, "deny".into())
    );
    // What is accepted then is the original, which stands no more.
    let kept = desk.say("dan", &accept).unwrap();
    let clash = kept.clash.expect("it is kept for a third person");
    assert_eq!(clash.people, ["cho", "dan"]);
    desk.pass(60);
    assert_eq!(desk.item("d0").state, ItemState::Waiting);
    // The same told again names the same clash.
    assert_eq!(desk.say("dan", &accept).unwrap().clash, Some(clash));
    desk.verified();
}

#[test]
fn nobody_has_seen_a_revision_that_is_still_to_come() {
    let desk = Desk::new(&[("d0", &[])]);
    let mine = desk.lease("ann", Some("d0")).unwrap().unwrap();
    let mut late = desk.request(&mine, VerdictKind::Accept, true);
    late.revision = Some(999);
    desk.pass(600);
    let theirs = desk.lease("ben", Some("d0")).unwrap().unwrap();
    desk.say("ben", &desk.request(&theirs, VerdictKind::Edit, false)).unwrap();
    desk.pass(6);
    let refused = desk.say("ann", &late).unwrap_err();
    assert_eq!(
        (refused.kind, refused.message.as_str()),
        (Why::Invalid, "d0 is at revision 2: nobody can have seen 999")
    );
    assert_eq!(desk.item("d0").reviews.len(), 1);
    desk.verified();
}

/// Ann's key, registered at the desk.
fn keyed(desk: &Desk) -> ssh_key::PrivateKey {
    let key = ssh_key::PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]));
    let add = Command::AddReviewer {
        name: "ann".into(),
        level: 1,
        roles: vec![],
        key: Some(key.public_key().to_openssh().unwrap()),
        skills: None,
    };
    desk.desk.execute_blocking("root", add).unwrap();
    key
}

/// The request, signed over the view that it says was seen at its revision.
fn signed(key: &ssh_key::PrivateKey, request: ReviewRequest) -> ReviewRequest {
    let mut view = [0; 32];
    hex::decode_to_slice(request.seen.as_deref().unwrap(), &mut view).unwrap();
    let revision = request.revision.unwrap();
    let statement =
        Statement::new(&request.item, &request.request_id, revision, &request.verdict, &view);
    let signature = sign_with_key(key, &statement.unwrap().bytes().unwrap()).unwrap();
    ReviewRequest { signature: Some(signature), ..request }
}

/// The item moves on and back: nobody has decided it, and its revision is another.
fn moved(desk: &Desk, id: &str) {
    desk.pass(600);
    let theirs = desk.lease("ben", Some(id)).unwrap().unwrap();
    desk.say("ben", &desk.request(&theirs, VerdictKind::Edit, false)).unwrap();
    desk.desk.execute_blocking("ben", Command::Undo { item: id.into() }).unwrap();
}

#[test]
fn what_a_late_signature_is_over_is_what_the_desk_showed() {
    let desk = Desk::new(&[("d0", &[]), ("d1", &[]), ("d2", &[])]);
    let key = keyed(&desk);
    let late = |id: &str| {
        let view = desk.lease("ann", Some(id)).unwrap().unwrap();
        desk.request(&view, VerdictKind::Accept, true)
    };
    let honest = signed(&key, late("d0"));
    // It says that something else was shown, and is signed over that; or is, and does not say so.
    let lies = signed(&key, ReviewRequest { seen: Some("1".repeat(64)), ..late("d1") });
    let silent = signed(&key, ReviewRequest { seen: Some("1".repeat(64)), ..late("d2") });
    let silent = ReviewRequest { seen: None, ..silent };
    for id in ["d0", "d1", "d2"] {
        moved(&desk, id);
        assert!(desk.item(id).revision > 0);
    }
    let done = desk.say("ann", &honest).unwrap();
    assert_eq!((done.state, done.clash), (ItemState::Decided, None));
    assert!(desk.item("d0").reviews.iter().any(|r| r.reviewer == "ann" && r.signature.is_some()));

    for (request, why) in [
        (&lies, "revision 0 of d1 did not look as this verdict says"),
        (&silent, "the signature on d2 does not hold"),
    ] {
        let kept = desk.say("ann", request).unwrap();
        assert_eq!(
            (kept.state, kept.clash.unwrap().people),
            (ItemState::Waiting, vec!["ann".into()])
        );
        assert!(kept.effects[0].contains(why), "{:?}", kept.effects);
        let item = desk.item(&request.item);
        let review = item.reviews.iter().find(|r| r.reviewer == "ann").unwrap();
        assert_eq!((review.revision, &review.signature), (0, &None), "nobody takes it for signed");
        // Sent again it is the same; another person decides.
        assert!(desk.say("ann", request).unwrap().duplicate);
        assert_eq!(desk.lease("ann", Some(&request.item)).unwrap_err().kind, Why::Authority);
        let entries = desk.desk.tail(0, 1_000, false).unwrap();
        let told = entries.iter().find(|e| e.entry["req"] == request.request_id.as_str()).unwrap();
        assert_eq!(told.entry["d"]["signature"], "does not hold");
    }
    desk.verified();
}

#[test]
fn a_verdict_that_others_overtook_is_signed_only_over_what_was_shown_before_them() {
    let desk = Desk::new(&[("d0", &["regulated"]), ("d1", &["regulated"])]);
    let key = keyed(&desk);
    for id in ["d0", "d1"] {
        // An edit took effect before: ann sees it, and others decide while she is away.
        let first = desk.lease("ben", Some(id)).unwrap().unwrap();
        desk.say("ben", &desk.request(&first, VerdictKind::Edit, false)).unwrap();
        desk.pass(6);
        let add = |level| Command::AddReviewer {
            name: "ann".into(),
            level,
            roles: vec![],
            key: None,
            skills: None,
        };
        desk.desk.execute_blocking("root", add(2)).unwrap();
        let mine = desk.lease("ann", Some(id)).unwrap().unwrap();
        assert_eq!(mine.current.as_ref().unwrap().action, "deny");
        let mut late = desk.request(&mine, VerdictKind::Accept, true);
        if id == "d1" {
            late.seen = Some("1".repeat(64));
        }
        let late = signed(&key, late);
        desk.pass(600);
        let theirs = desk.lease("cho", Some(id)).unwrap().unwrap();
        let mut edit = desk.request(&theirs, VerdictKind::Edit, false);
        edit.verdict.action = Some("refer".into());
        desk.say("cho", &edit).unwrap();
        desk.pass(6);
        let kept = desk.say("ann", &late).unwrap();
        assert_eq!(kept.clash.unwrap().people, ["cho", "ann"]);
        let item = desk.item(id);
        let review = item.reviews.iter().find(|r| r.reviewer == "ann").unwrap();
        assert_eq!(review.signature.is_some(), id == "d0", "{id}");
    }
    desk.verified();
}
