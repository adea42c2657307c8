//! Every role × command × state, as a table.

use std::collections::BTreeMap;

use super::*;
use crate::domain::{Verdict, VerdictKind};
use crate::protocol::{BlindAnswer, Draft, FeedbackKind, LeaseAsk, ReviewRequest};

/// Which roles may do it to a level-1 item in which states ("wdas": waiting, decided,
/// awaiting approval, settled). `r e c o u a` are the roles in the order of [`Role::ALL`].
fn table() -> Vec<(Command, &'static str, &'static str)> {
    let item = || "x".to_owned();
    let review = ReviewRequest {
        request_id: "q".into(),
        item: item(),
        verdict: Verdict::plain(VerdictKind::Accept),
        lease: None,
        revision: None,
        seen: None,
        signature: None,
        grace_ms: 0,
    };
    let answer =
        BlindAnswer { request_id: "q".into(), item: item(), action: "deny".into(), note: None };
    vec![
        (Command::Admit { lines: vec![] }, "recoua", "wdas"),
        (Command::RetryRefused { numbers: vec![] }, "recoua", "wdas"),
        (Command::Lease(LeaseAsk::default()), "rec", "wdas"),
        (Command::Renew { item: item(), epoch: 1 }, "rec", "wdas"),
        (Command::Release { item: item(), epoch: 1 }, "rec", "wdas"),
        (Command::TakeBack { item: item() }, "a", "wdas"),
        (Command::SaveDraft { item: item(), draft: Draft::default() }, "rec", "wdas"),
        (Command::DropDraft { item: item() }, "rec", "wdas"),
        (Command::Review(Box::new(review)), "rec", "wa"),
        (Command::AnswerBlind(answer), "rec", "wa"),
        (Command::Undo { item: item() }, "rec", "wdas"),
        (Command::Flag { item: item(), tags: vec![], note: None }, "recou", "s"),
        (
            Command::Feedback { item: item(), kind: FeedbackKind::Error, note: None },
            "recoua",
            "wdas",
        ),
        (
            Command::AddReviewer { name: "n".into(), level: 1, roles: vec![], key: None },
            "a",
            "wdas",
        ),
        (Command::DisableReviewer { name: "n".into() }, "a", "wdas"),
        (
            Command::ActivatePolicy {
                name: "p".into(),
                source: String::new(),
                schemas: BTreeMap::new(),
                install: false,
            },
            "a",
            "wdas",
        ),
        (Command::Erase { item: item(), reason: "r".into() }, "a", "wdas"),
        (Command::Checkpoint, "recoua", "wdas"),
        (Command::Tick, "recoua", "wdas"),
    ]
}

fn person(role: Role, level: u8) -> Reviewer {
    Reviewer {
        name: "ann".into(),
        level,
        roles: vec![role],
        key: None,
        disabled: false,
        version: 1,
    }
}

#[test]
fn every_role_command_and_state() {
    let states = [
        ('w', ItemState::Waiting),
        ('d', ItemState::Decided),
        ('a', ItemState::AwaitingApproval),
        ('s', ItemState::Settled),
    ];
    let mut cells = 0;
    for (command, roles, fits) in table() {
        for (letter, role) in "recoua".chars().zip(Role::ALL) {
            for (mark, state) in states {
                let subject = Subject {
                    item: Some("x"),
                    state: Some(state),
                    queue: Some("level1"),
                    level: 1,
                    pending_by: Some("ann"),
                };
                let answer = may(&person(role, 1), &command, subject);
                let kind = answer.as_ref().err().map(|r| r.kind);
                let expected = match (roles.contains(letter), fits.contains(mark)) {
                    (false, _) => Some(Why::Authority),
                    (true, false) => Some(Why::State),
                    (true, true) => None,
                };
                assert_eq!(kind, expected, "{} as {role:?} on {state:?}", name(&command));
                let mut gone = person(role, 1);
                gone.disabled = true;
                assert_eq!(
                    may(&gone, &command, subject).map_err(|r| r.kind),
                    Err(Why::Authority),
                    "{} as a disabled {role:?}",
                    name(&command)
                );
                cells += 1;
            }
        }
    }
    assert_eq!(cells, 19 * 6 * 4);
}

#[test]
fn a_level_is_needed_where_people_review() {
    let subject = Subject { level: 2, queue: Some("level2"), ..Subject::default() };
    for (command, roles, _) in table() {
        let answer = may(&person(Role::Reviewer, 1), &command, subject);
        let expected = roles.starts_with("rec")
            && !roles.ends_with('a')
            && !matches!(command, Command::Flag { .. });
        assert_eq!(
            answer.is_err(),
            expected || roles == "a",
            "{} at level 1 in a level-2 queue: {answer:?}",
            name(&command)
        );
    }
}

#[test]
fn only_the_one_who_decided_takes_it_back() {
    let subject = Subject { item: Some("x"), pending_by: Some("ben"), ..Subject::default() };
    let undo = Command::Undo { item: "x".into() };
    let refused = may(&person(Role::Reviewer, 1), &undo, subject).unwrap_err();
    assert_eq!(refused.kind, Why::Authority);
    assert_eq!(refused.message, "the pending verdict on x is ben's; only they can take it back");
}
