//! Every role × command × state, as a table.

use super::*;

/// Which roles may do it to a level-1 item in which states ("wdas": waiting, decided,
/// awaiting approval, settled). `r e c o u a` are the roles in the order of [`Role::ALL`].
fn table() -> Vec<(Act, &'static str, &'static str)> {
    vec![
        (Act::Admit, "recoua", "wdas"),
        (Act::RetryRefused, "recoua", "wdas"),
        (Act::Lease, "rec", "wdas"),
        (Act::Renew, "rec", "wdas"),
        (Act::Release, "rec", "wdas"),
        (Act::TakeBack, "a", "wdas"),
        (Act::SaveDraft, "rec", "wdas"),
        (Act::DropDraft, "rec", "wdas"),
        (Act::Review, "rec", "wa"),
        (Act::AnswerBlind, "rec", "wa"),
        (Act::Undo, "rec", "wdas"),
        (Act::Flag, "recou", "s"),
        (Act::Feedback, "recoua", "wdas"),
        (Act::AddReviewer, "a", "wdas"),
        (Act::DisableReviewer, "a", "wdas"),
        (Act::ActivatePolicy, "a", "wdas"),
        (Act::Erase, "a", "wdas"),
        (Act::Checkpoint, "recoua", "wdas"),
        (Act::Kill, "oa", "wdas"),
        (Act::Resume, "oa", "wdas"),
        (Act::Requeue, "oa", "wdas"),
        (Act::ReleaseFreeze, "recoa", "wdas"),
        (Act::StartCanary, "oa", "wdas"),
        (Act::PromoteCanary, "oa", "wdas"),
        (Act::RollBackCanary, "oa", "wdas"),
        (Act::Incident, "oa", "wdas"),
        (Act::SetReference, "oa", "wdas"),
        (Act::Redeliver, "oa", "wdas"),
        (Act::Receive, "recoua", "wdas"),
        (Act::CreateToken, "a", "wdas"),
        (Act::RevokeToken, "a", "wdas"),
        (Act::Tick, "recoua", "wdas"),
    ]
}

fn person(role: Role, level: u8) -> Reviewer {
    Reviewer {
        name: "ann".into(),
        level,
        roles: vec![role],
        key: None,
        skills: Vec::new(),
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
    for (act, roles, fits) in table() {
        for (letter, role) in "recoua".chars().zip(Role::ALL) {
            for (mark, state) in states {
                let subject = Subject {
                    item: Some("x"),
                    state: Some(state),
                    queue: Some("level1"),
                    level: 1,
                    pending_by: Some("ann"),
                    skills: &[],
                    clash: None,
                };
                let answer = may(&person(role, 1), act, subject);
                let kind = answer.as_ref().err().map(|r| r.kind);
                let expected = match (roles.contains(letter), fits.contains(mark)) {
                    (false, _) => Some(Why::Authority),
                    (true, false) => Some(Why::State),
                    (true, true) => None,
                };
                assert_eq!(kind, expected, "{} as {role:?} on {state:?}", name(act));
                let mut gone = person(role, 1);
                gone.disabled = true;
                assert_eq!(
                    may(&gone, act, subject).map_err(|r| r.kind),
                    Err(Why::Authority),
                    "{} as a disabled {role:?}",
                    name(act)
                );
                cells += 1;
            }
        }
    }
    assert_eq!(cells, 32 * 6 * 4);
}

#[test]
fn a_level_is_needed_where_people_review() {
    let subject = Subject { level: 2, queue: Some("level2"), ..Subject::default() };
    for (act, roles, _) in table() {
        let answer = may(&person(Role::Reviewer, 1), act, subject);
        let needs_level = roles == "rec" || act == Act::ReleaseFreeze;
        assert_eq!(
            answer.is_err(),
            needs_level || !roles.contains('r'),
            "{} at level 1 in a level-2 queue: {answer:?}",
            name(act)
        );
    }
}

#[test]
fn only_the_one_who_decided_takes_it_back() {
    let subject = Subject { item: Some("x"), pending_by: Some("ben"), ..Subject::default() };
    let refused = may(&person(Role::Reviewer, 1), Act::Undo, subject).unwrap_err();
    assert_eq!(refused.kind, Why::Authority);
    assert_eq!(refused.message, "the pending verdict on x is ben's; only they can take it back");
}

#[test]
fn a_queue_is_for_who_has_its_skills() {
    let asked = ["french".to_owned(), "mortgage".to_owned()];
    let subject =
        Subject { item: Some("x"), queue: Some("level1"), skills: &asked, ..Subject::default() };
    let mut ann = person(Role::Reviewer, 3);
    ann.skills = vec!["mortgage".into()];
    for act in [Act::Lease, Act::Review, Act::AnswerBlind] {
        let refused = may(&ann, act, subject).unwrap_err();
        assert_eq!(refused.kind, Why::Authority);
        assert_eq!(refused.message, "ann has not the skill french that level1 asks for");
    }
    // What somebody has in hand already can be kept or given back.
    for act in [Act::Renew, Act::Release, Act::SaveDraft, Act::Undo] {
        assert_eq!(may(&ann, act, subject), Ok(()));
    }
    ann.skills.push("french".into());
    assert_eq!(may(&ann, Act::Lease, subject), Ok(()));
}

#[test]
fn verdicts_that_clash_are_for_a_third_person() {
    let clash = Clash {
        reviews: vec!["r-1".into(), "r-2".into()],
        people: vec!["ben".into(), "ann".into()],
    };
    let subject = Subject { item: Some("x"), clash: Some(&clash), ..Subject::default() };
    let mut cid = person(Role::Reviewer, 1);
    for act in [Act::Lease, Act::Review, Act::AnswerBlind] {
        let refused = may(&cid, act, subject).unwrap_err();
        assert_eq!(refused.kind, Why::Authority);
        assert_eq!(
            refused.message,
            "your verdict on x and ben's are both kept: a third person decides"
        );
    }
    cid.name = "cid".into();
    assert_eq!(may(&cid, Act::Lease, subject), Ok(()));
    assert_eq!(may(&cid, Act::Review, subject), Ok(()));
}
