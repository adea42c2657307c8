//! The life of an item: a table of every event in every state, and random lives.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::domain::Verdict;

const T0: Timestamp = Timestamp::UNIX_EPOCH;

fn at(seconds: i64) -> Timestamp {
    T0 + SignedDuration::from_secs(seconds)
}

fn level_of(queue: &str) -> u8 {
    match queue {
        "level2" => 2,
        "level3" => 3,
        _ => 1,
    }
}

fn terms(now: Timestamp) -> impl Fn(&str) -> QueueTerms {
    move |queue| QueueTerms {
        level: level_of(queue),
        due_at: Some(now + SignedDuration::from_mins(30)),
    }
}

fn item(required: &[&str]) -> Item {
    Item {
        id: "x".into(),
        kind: Kind::Review,
        state: ItemState::Waiting,
        queue: required[0].into(),
        entered_at: T0,
        due_at: Some(at(1800)),
        priority: 0,
        revision: 0,
        required: required.iter().map(|q| (*q).to_owned()).collect(),
        approvals: Vec::new(),
        content: None,
        pending: None,
        blind: false,
        sample: None,
        breached: false,
    }
}

fn say(kind: VerdictKind) -> Verdict {
    let mut verdict = Verdict::plain(kind);
    match kind {
        VerdictKind::Edit => verdict.output = Some("better".into()),
        VerdictKind::Escalate => verdict.to = Some("level2".into()),
        VerdictKind::Accept | VerdictKind::Reject => {}
    }
    verdict
}

fn give(item: &Item, who: &str, kind: VerdictKind, request: &str) -> Result<Item, LifeError> {
    let by = By { name: who, level: 1 };
    decide(item, say(kind), by, request, item.revision, at(10), at(15))
}

fn through(item: &Item, who: &str, kind: VerdictKind, request: &str) -> (Item, Effect) {
    release(&give(item, who, kind, request).unwrap(), Commit::Later, at(20), terms(at(20))).unwrap()
}

#[test]
fn every_event_in_every_state() {
    let waiting = item(&["level1", "level2"]);
    let decided = give(&waiting, "ann", VerdictKind::Accept, "q1").unwrap();
    let (awaiting, effect) = release(&decided, Commit::Later, at(20), terms(at(20))).unwrap();
    assert_eq!(effect, Effect::NextStage);
    let (settled, effect) = through(&awaiting, "ben", VerdictKind::Accept, "q2");
    assert_eq!(effect, Effect::Released);
    let states = [&waiting, &decided, &awaiting, &settled];
    let names: Vec<&str> = states.iter().map(|i| i.state.as_str()).collect();
    assert_eq!(names, ["waiting", "decided", "awaiting_approval", "settled"]);

    // event, and in which of the four states it is possible
    for (event, possible) in [
        ("decide", [true, false, true, false]),
        ("undo", [false, true, false, false]),
        ("release", [false, true, false, false]),
        ("flag", [false, false, false, true]),
        ("move", [true, false, true, true]),
    ] {
        for (state, possible) in states.into_iter().zip(possible) {
            let answer = match event {
                "decide" => give(state, "cho", VerdictKind::Reject, "q9").is_ok(),
                "undo" => undo(state, "ann", at(12)).is_ok(),
                "release" => release(state, Commit::Later, at(20), terms(at(20))).is_some(),
                "flag" => flag(state, "level1", at(30), terms(at(30))).is_ok(),
                _ => move_to(state, "level3", at(30), None, terms(at(30))).is_ok(),
            };
            assert_eq!(answer, possible, "{event} of a {} item", state.state.as_str());
        }
    }
}

#[test]
fn undo_puts_the_item_back_with_its_old_clock() {
    let before = item(&["level1"]);
    let decided = give(&before, "ann", VerdictKind::Reject, "q").unwrap();
    let back = undo(&decided, "ann", at(14)).unwrap();
    assert_eq!(back, Item { revision: 2, ..before.clone() });
    assert_eq!(
        undo(&decided, "ann", at(15)),
        Err(LifeError::NothingToUndo { id: "x".into() }),
        "the grace time ends at its end"
    );
    assert!(matches!(undo(&decided, "ben", at(12)), Err(LifeError::NotYours { .. })));
}

#[test]
fn a_commit_raises_the_revision_once_whatever_it_does() {
    for kind in [VerdictKind::Accept, VerdictKind::Edit, VerdictKind::Reject, VerdictKind::Escalate]
    {
        let decided = give(&item(&["level1", "level2"]), "ann", kind, "q").unwrap();
        assert_eq!(decided.revision, 1, "{kind:?}");
        let left = |commit| release(&decided, commit, at(20), terms(at(20))).unwrap().0.revision;
        assert_eq!((left(Commit::Verdicts), left(Commit::Later)), (1, 2), "{kind:?}");
    }
}

#[test]
fn an_edit_makes_new_content_that_the_others_approve_again() {
    let start = item(&["level1", "level2"]);
    let (staged, _) = through(&start, "ann", VerdictKind::Accept, "q1");
    assert_eq!((staged.queue.as_str(), staged.missing()), ("level2", vec!["level2"]));
    let (edited, effect) = through(&staged, "ben", VerdictKind::Edit, "q2");
    assert_eq!(effect, Effect::NextStage);
    assert_eq!(edited.content.as_deref(), Some("q2"));
    assert_eq!((edited.queue.as_str(), edited.missing()), ("level1", vec!["level1"]));
    // The editor counts for their own level only; ann approves the new content.
    assert!(matches!(
        give(&edited, "ben", VerdictKind::Accept, "q3"),
        Err(LifeError::CountsOnce { .. })
    ));
    let (done, effect) = through(&edited, "ann", VerdictKind::Accept, "q4");
    assert_eq!((done.state, effect), (ItemState::Settled, Effect::Released));
}

#[test]
fn escalation_upward_adds_the_level_and_starts_its_clock() {
    let (moved, effect) = through(&item(&["level1"]), "ann", VerdictKind::Escalate, "q");
    assert_eq!(effect, Effect::Moved);
    assert_eq!(moved.state, ItemState::Waiting);
    assert_eq!(moved.required, ["level1", "level2"]);
    assert_eq!((moved.entered_at, moved.due_at), (at(20), Some(at(20 + 1800))));
    // Downward adds nothing.
    let mut down = say(VerdictKind::Escalate);
    down.to = Some("level1".into());
    let by = By { name: "ben", level: 2 };
    let sent = decide(&moved, down, by, "q2", moved.revision, at(30), at(30)).unwrap();
    let (back, _) = release(&sent, Commit::Later, at(30), terms(at(30))).unwrap();
    assert_eq!((back.queue.as_str(), back.required.len()), ("level1", 2));
}

#[test]
fn a_broken_record_is_repaired_or_rejected_never_accepted() {
    let broken = Item { kind: Kind::Quarantine, ..item(&["dataops"]) };
    assert_eq!(
        give(&broken, "ann", VerdictKind::Accept, "q"),
        Err(LifeError::Quarantined { id: "x".into() })
    );
    assert_eq!(through(&broken, "ann", VerdictKind::Edit, "q").1, Effect::Readmit);
    let (gone, effect) = through(&broken, "ann", VerdictKind::Reject, "q");
    assert_eq!((gone.state, effect), (ItemState::Settled, Effect::Refused));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let waiting = item(&["level1"]);
    let by = By { name: "ann", level: 1 };
    let empty = Verdict::plain(VerdictKind::Edit);
    let stays = Verdict { to: Some("level1".into()), ..Verdict::plain(VerdictKind::Escalate) };
    for (verdict, seen, expected) in [
        (say(VerdictKind::Accept), 7, LifeError::Stale { id: "x".into(), seen: 7, now: 0 }),
        (empty, 0, LifeError::EmptyEdit { id: "x".into() }),
        (Verdict::plain(VerdictKind::Escalate), 0, LifeError::NoTarget { id: "x".into() }),
        (stays, 0, LifeError::SameQueue { id: "x".into(), queue: "level1".into() }),
    ] {
        assert_eq!(decide(&waiting, verdict, by, "q", seen, T0, T0), Err(expected));
    }
}

#[test]
fn a_flag_opens_a_retrospective_review() {
    let (settled, _) = through(&item(&["level1"]), "ann", VerdictKind::Accept, "q");
    let flagged = flag(&settled, "level1", at(40), terms(at(40))).unwrap();
    assert_eq!((flagged.kind, flagged.state), (Kind::Retrospective, ItemState::Waiting));
    assert_eq!(flagged.missing(), ["level1"]);
    // The same person may look again: it is a new review.
    assert!(give(&flagged, "ann", VerdictKind::Reject, "q2").is_ok());
}

/// One step of a random life.
#[derive(Clone, Debug)]
enum Step {
    /// Reviewer, verdict, target queue, and how stale their sight is (revisions behind).
    Verdict(usize, VerdictKind, usize, u64),
    Undo(usize),
    Release(Commit),
    Disable(usize),
    /// A kill: automation stops, people go on.
    Kill,
    Flag,
}

const PEOPLE: [(&str, u8); 5] = [("ann", 1), ("ben", 2), ("cho", 3), ("dee", 1), ("eve", 2)];
const QUEUES: [&str; 3] = ["level1", "level2", "level3"];

fn step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        4 => Just(VerdictKind::Accept),
        2 => Just(VerdictKind::Edit),
        1 => Just(VerdictKind::Reject),
        1 => Just(VerdictKind::Escalate),
    ];
    prop_oneof![
        8 => (0..5_usize, verdict, 0..3_usize, prop_oneof![5 => Just(0), 1 => 1..3_u64])
            .prop_map(|(who, v, to, stale)| Step::Verdict(who, v, to, stale)),
        2 => (0..5_usize).prop_map(Step::Undo),
        4 => Just(Step::Release(Commit::Later)),
        1 => Just(Step::Release(Commit::Verdicts)),
        1 => (0..5_usize).prop_map(Step::Disable),
        1 => Just(Step::Kill),
        1 => Just(Step::Flag),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: no verdict is lost or applied twice, nothing is
    /// released without a different person for every required level on the content that stands,
    /// and a disabled reviewer's verdict that raced its disabling is not applied.
    #[test]
    fn no_life_bypasses_approval(two in any::<bool>(), steps in prop::collection::vec(step(), 1..24)) {
        let mut item = item(if two { &["level1", "level2"] } else { &["level1"] });
        let mut disabled = [false; 5];
        // Verdicts acknowledged and not undone, and those that took effect, by request.
        let mut given: Vec<String> = Vec::new();
        let mut applied: Vec<String> = Vec::new();
        // Who approved which content for which queue, kept apart from the item's own list.
        let mut ledger: Vec<(String, String, Option<String>)> = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            let now = at(100 * i64::try_from(n).unwrap());
            let before = item.clone();
            let at_once = matches!(step, Step::Release(Commit::Verdicts));
            match step {
                Step::Verdict(who, kind, to, stale) => {
                    let (name, level) = PEOPLE[who];
                    // The desk compares the actor and authority in the same commit.
                    if disabled[who] || level < level_of(&item.queue) { continue; }
                    let mut verdict = say(kind);
                    if kind == VerdictKind::Escalate { verdict.to = Some(QUEUES[to].into()); }
                    let request = format!("q{n}");
                    let seen = item.revision.wrapping_sub(stale);
                    let by = By { name, level };
                    match decide(&item, verdict, by, &request, seen, now, now + SignedDuration::from_secs(5)) {
                        Ok(next) => { prop_assert_eq!(stale, 0); given.push(request); item = next; }
                        Err(_) => continue,
                    }
                }
                Step::Undo(who) => {
                    if let Ok(next) = undo(&item, PEOPLE[who].0, now) {
                        let pending = item.pending.as_ref().unwrap();
                        prop_assert_eq!(pending.reviewer.as_str(), PEOPLE[who].0);
                        given.retain(|q| *q != pending.request_id);
                        item = next;
                    }
                }
                Step::Release(commit) => {
                    if let Some((next, effect)) = release(&item, commit, now, terms(now)) {
                        let pending = item.pending.clone().unwrap();
                        prop_assert!(!applied.contains(&pending.request_id), "applied twice");
                        applied.push(pending.request_id.clone());
                        let counts = matches!(pending.verdict.verdict, VerdictKind::Accept | VerdictKind::Edit);
                        let again = ledger.iter().any(|(q, _, c)| *q == item.queue && *c == next.content);
                        if counts && !again && item.required.contains(&item.queue) {
                            ledger.push((item.queue.clone(), pending.reviewer, next.content.clone()));
                        }
                        if effect == Effect::Released {
                            let people: Vec<&str> = item.required.iter().map(|q| {
                                ledger.iter().rev()
                                    .find(|(queue, _, content)| queue == q && *content == next.content)
                                    .map_or("", |(_, who, _)| who.as_str())
                            }).collect();
                            let mut distinct = people.clone();
                            distinct.sort_unstable();
                            distinct.dedup();
                            prop_assert!(!people.contains(&""), "released without {:?}: {people:?}", item.required);
                            prop_assert_eq!(distinct.len(), people.len(), "somebody counted twice: {:?}", people);
                        }
                        item = next;
                    }
                }
                Step::Disable(who) => disabled[who] = true,
                Step::Kill => {}
                Step::Flag => {
                    if let Ok(next) = flag(&item, "level1", now, terms(now)) { item = next; ledger.clear(); }
                }
            }
            // The revision rises by one with every commit that changes it and never otherwise.
            prop_assert_eq!(item.revision - before.revision, u64::from(item != before && !at_once));
            // Every acknowledged verdict took effect or waits: none is lost.
            let waits = item.pending.as_ref().map(|p| p.request_id.clone());
            for request in &given {
                prop_assert!(applied.contains(request) || waits.as_ref() == Some(request), "{request} is lost");
            }
        }
    }
}
