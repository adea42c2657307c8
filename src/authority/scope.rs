//! What a token's scopes allow: scope × command, scope × question. Pure.
//!
//! A token acts in the name of a reviewer or a service, and both have to allow it: who they are
//! ([`super::may`]), and what the token was made for. Scopes do not contain one another: a token
//! that manages people decides no item.
//!
//! | scope | commands |
//! |---|---|
//! | ingest | admit, retry refused lines, feedback, corrections of other desks |
//! | review | lease, renew, release, draft, review, answer, undo, flag, feedback, release a freeze |
//! | on-call | kill, resume, requeue, freezes, canaries, incidents, reference, redeliver, feedback |
//! | audit | checkpoint, flag |
//! | admin | people, tokens, policy, erase, take a lease back, retry, redeliver, checkpoint |
//!
//! Everybody who does not only submit may tick: what is due happens anyway.

use crate::domain::TokenScope;
use crate::protocol::{Act, Query, Refused, Why};

use TokenScope::{Admin, Audit, Ingest, OnCall, Review};

/// The scopes that allow this command; any one is enough.
fn scopes_of(act: Act) -> &'static [TokenScope] {
    match act {
        Act::Admit | Act::Receive => &[Ingest],
        Act::RetryRefused => &[Ingest, Admin],
        Act::Feedback => &[Ingest, Review, OnCall],
        Act::Lease
        | Act::Renew
        | Act::Release
        | Act::SaveDraft
        | Act::DropDraft
        | Act::Review
        | Act::AnswerBlind
        | Act::Undo => &[Review],
        Act::Flag => &[Review, Audit],
        Act::ReleaseFreeze => &[Review, OnCall],
        Act::Kill
        | Act::Resume
        | Act::Requeue
        | Act::StartCanary
        | Act::PromoteCanary
        | Act::RollBackCanary
        | Act::Incident
        | Act::SetReference => &[OnCall],
        Act::Redeliver => &[OnCall, Admin],
        Act::Checkpoint => &[Audit, Admin],
        Act::TakeBack
        | Act::AddReviewer
        | Act::DisableReviewer
        | Act::ActivatePolicy
        | Act::Erase
        | Act::CreateToken
        | Act::RevokeToken => &[Admin],
        Act::Tick => &[Review, OnCall, Audit, Admin],
    }
}

/// The scopes that allow this question.
pub fn scopes_to_ask(query: &Query) -> &'static [TokenScope] {
    match query {
        Query::Header
        | Query::Policy
        | Query::Signals(_)
        | Query::Distribution { .. }
        | Query::Containment
        | Query::Incident { .. }
        | Query::Sync => &[Review, OnCall, Audit, Admin],
        Query::Page(_) | Query::Item { .. } | Query::Explain { .. } => {
            &[Review, OnCall, Audit, Admin]
        }
        Query::Decision { .. } => &[Ingest, Review, OnCall, Audit, Admin],
        Query::CheckInput(_) => &[Ingest, Review, OnCall, Audit, Admin],
        Query::Draft { .. } | Query::CheckOutput { .. } => &[Review],
        Query::Refused { .. } => &[Ingest, Audit, Admin],
        Query::Reviewers => &[Review, OnCall, Audit, Admin],
        Query::Tokens => &[Admin],
        Query::Corrections { .. }
        | Query::Received { .. }
        | Query::Entries { .. }
        | Query::Prove { .. } => &[Review, Audit, Admin],
    }
}

/// Does a token with these scopes allow the command? `Err` says which scope it takes.
pub fn may_do(scopes: &[TokenScope], act: Act) -> Result<(), Refused> {
    check(scopes, scopes_of(act), super::name(act))
}

/// Does a token with these scopes allow the question?
pub fn may_ask(scopes: &[TokenScope], query: &Query) -> Result<(), Refused> {
    check(scopes, scopes_to_ask(query), "ask this")
}

/// Is one of `needed` there? `what` says what for.
pub fn check(scopes: &[TokenScope], needed: &[TokenScope], what: &str) -> Result<(), Refused> {
    if needed.iter().any(|scope| scopes.contains(scope)) {
        return Ok(());
    }
    let words: Vec<&str> = needed.iter().map(|scope| scope.as_str()).collect();
    Err(Refused::new(
        Why::Authority,
        format!("this token may not {what}: that takes the scope {}", words.join(" or ")),
    )
    .hint("an admin makes another token: overrule token create --for NAME --scope SCOPE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every act and the scopes that allow it: `i r o u a` in the order of [`TokenScope::ALL`].
    const TABLE: [(Act, &str); 32] = [
        (Act::Admit, "i"),
        (Act::RetryRefused, "ia"),
        (Act::Lease, "r"),
        (Act::Renew, "r"),
        (Act::Release, "r"),
        (Act::TakeBack, "a"),
        (Act::SaveDraft, "r"),
        (Act::DropDraft, "r"),
        (Act::Review, "r"),
        (Act::AnswerBlind, "r"),
        (Act::Undo, "r"),
        (Act::Flag, "ru"),
        (Act::Feedback, "iro"),
        (Act::AddReviewer, "a"),
        (Act::DisableReviewer, "a"),
        (Act::ActivatePolicy, "a"),
        (Act::Erase, "a"),
        (Act::Checkpoint, "ua"),
        (Act::Kill, "o"),
        (Act::Resume, "o"),
        (Act::Requeue, "o"),
        (Act::ReleaseFreeze, "ro"),
        (Act::StartCanary, "o"),
        (Act::PromoteCanary, "o"),
        (Act::RollBackCanary, "o"),
        (Act::Incident, "o"),
        (Act::SetReference, "o"),
        (Act::Redeliver, "oa"),
        (Act::Receive, "i"),
        (Act::CreateToken, "a"),
        (Act::RevokeToken, "a"),
        (Act::Tick, "roua"),
    ];

    #[test]
    fn every_scope_and_command() {
        for (act, allowed) in TABLE {
            for (letter, scope) in "iroua".chars().zip(TokenScope::ALL) {
                let answer = may_do(&[scope], act);
                assert_eq!(answer.is_ok(), allowed.contains(letter), "{act:?} with {scope:?}");
                assert!(answer.is_ok_and(|()| true) || may_do(&TokenScope::ALL, act).is_ok());
            }
            let refused = may_do(&[], act).unwrap_err();
            assert_eq!(refused.kind, Why::Authority);
            for scope in scopes_of(act) {
                assert!(refused.message.contains(scope.as_str()), "{}", refused.message);
            }
        }
    }

    #[test]
    fn who_only_submits_sees_nothing_of_others() {
        let item = Query::Item { id: "a".into() };
        for query in
            [Query::Header, item, Query::Tokens, Query::Reviewers, Query::Policy, Query::Sync]
        {
            assert!(may_ask(&[Ingest], &query).is_err(), "{query:?}");
            assert!(may_ask(&[Admin], &query).is_ok(), "{query:?}");
        }
        assert!(may_ask(&[Review, OnCall, Audit], &Query::Tokens).is_err());
        assert!(may_ask(&[Audit], &Query::Draft { id: "a".into() }).is_err());
    }
}
