//! `may(actor, act, subject)`: the only place that says who may do what. Pure.
//!
//! A door may hide what would be refused here; it never decides. What cannot be whoever asks (a
//! settled item, a stale revision) is the business of [`crate::domain::life`]; what depends on who
//! asks, and on where the item stands, is here.
//!
//! | command | who |
//! |---|---|
//! | admit, retry, receive, feedback, checkpoint, tick | any registered reviewer who is not disabled |
//! | lease, renew, release, draft, review, answer, undo | reviewer, expert or compliance, of the queue's level or above |
//! | lease, review, answer | and with the queue's skills; not who gave one of several verdicts that clash |
//! | flag | the same, or auditor, or on-call |
//! | kill, requeue, start or roll back a canary, acknowledge or resolve an incident, set a reference, redeliver | on-call or admin |
//! | resume, promote a canary | the same; a promotion also takes the canary's level |
//! | release a freeze | reviewer, expert or compliance of the level that froze, or on-call |
//! | take a lease back, add or disable a reviewer, activate a policy, erase, make or revoke a token, list tokens | admin |
//!
//! Over HTTP the scope of a token has to allow it too: [`scope`].

pub mod scope;

use crate::domain::{Clash, ItemState, Reviewer, Role};
use crate::protocol::{Act, Refused, Why};

/// What a command is about, as far as authority cares.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The item, if the command names one.
    pub item: Option<&'a str>,
    /// Where it stands.
    pub state: Option<ItemState>,
    /// The queue it is in.
    pub queue: Option<&'a str>,
    /// That queue's level.
    pub level: u8,
    /// Who gave the verdict that is pending.
    pub pending_by: Option<&'a str>,
    /// What that queue asks its people to have learned.
    pub skills: &'a [String],
    /// Verdicts on it that clash: it is for somebody who gave none of them.
    pub clash: Option<&'a Clash>,
}

/// May `actor` do `act` to `subject`? `Err` says why not and what to do next.
pub fn may(actor: &Reviewer, act: Act, subject: Subject<'_>) -> Result<(), Refused> {
    let deny = |what: String| Refused::new(Why::Authority, what);
    may_ask(actor)?;
    match act {
        Act::Admit
        | Act::RetryRefused
        | Act::Receive
        | Act::Feedback
        | Act::Checkpoint
        | Act::Tick => Ok(()),
        Act::Renew | Act::Release | Act::SaveDraft | Act::DropDraft => reviews(actor, act, subject),
        Act::Lease => {
            reviews(actor, act, subject)?;
            takes(actor, subject)
        }
        Act::Review | Act::AnswerBlind => {
            reviews(actor, act, subject)?;
            takes(actor, subject)?;
            in_state(act, subject, "open", ItemState::is_open)
        }
        Act::Undo => {
            reviews(actor, act, subject)?;
            match subject.pending_by {
                Some(name) if name != actor.name => Err(deny(format!(
                    "the pending verdict on {} is {name}'s; only they can take it back",
                    subject.item.unwrap_or("the item")
                ))),
                _ => Ok(()),
            }
        }
        Act::Flag => {
            if !(actor.has(Role::Auditor) || actor.has(Role::OnCall)) {
                reviews(actor, act, Subject { level: 0, ..subject })?;
            }
            in_state(act, subject, "settled", |s| s == ItemState::Settled)
        }
        Act::Kill
        | Act::Resume
        | Act::Requeue
        | Act::StartCanary
        | Act::RollBackCanary
        | Act::Incident
        | Act::SetReference
        | Act::Redeliver => on_call(actor, act),
        Act::PromoteCanary => {
            on_call(actor, act)?;
            if actor.level >= subject.level {
                return Ok(());
            }
            Err(deny(format!(
                "{} is level {}; promoting this canary needs level {}",
                actor.name, actor.level, subject.level
            ))
            .hint(format!("somebody of level {} must promote it", subject.level)))
        }
        Act::ReleaseFreeze => match on_call(actor, act) {
            Ok(()) => Ok(()),
            Err(_) => reviews(actor, act, subject),
        },
        Act::TakeBack
        | Act::AddReviewer
        | Act::DisableReviewer
        | Act::ActivatePolicy
        | Act::Erase
        | Act::CreateToken
        | Act::RevokeToken => {
            if actor.has(Role::Admin) {
                return Ok(());
            }
            Err(deny(format!("{} may not {}: that takes the role admin", actor.name, name(act)))
                .hint("ask an admin; `overrule reviewer list` shows who is one"))
        }
    }
}

/// Containing automation takes the role on-call or admin.
fn on_call(actor: &Reviewer, act: Act) -> Result<(), Refused> {
    if actor.has(Role::OnCall) || actor.has(Role::Admin) {
        return Ok(());
    }
    Err(Refused::new(
        Why::Authority,
        format!("{} may not {}: that takes the role on-call or admin", actor.name, name(act)),
    )
    .hint("`overrule reviewer list` shows who is on call"))
}

/// May `actor` ask anything at all? Everybody registered may, until disabled.
pub fn may_ask(actor: &Reviewer) -> Result<(), Refused> {
    if !actor.disabled {
        return Ok(());
    }
    Err(Refused::new(Why::Authority, format!("{} is disabled", actor.name))
        .hint("an admin can register the name again: overrule reviewer add"))
}

/// Reviewing takes one of three roles and the queue's level.
fn reviews(actor: &Reviewer, act: Act, subject: Subject<'_>) -> Result<(), Refused> {
    if ![Role::Reviewer, Role::Expert, Role::Compliance].into_iter().any(|r| actor.has(r)) {
        return Err(Refused::new(
            Why::Authority,
            format!(
                "{} may not {}: that takes the role reviewer, expert or compliance",
                actor.name,
                name(act)
            ),
        )
        .hint("an admin can add the role: overrule reviewer add"));
    }
    if actor.level < subject.level {
        let queue = subject.queue.unwrap_or("this queue");
        return Err(Refused::new(
            Why::Authority,
            format!(
                "{} is level {}; {queue} needs level {}",
                actor.name, actor.level, subject.level
            ),
        )
        .hint(format!("somebody of level {} must take it", subject.level)));
    }
    Ok(())
}

/// What a queue asks its people to have learned, and the actor has not.
pub fn lacks<'a>(actor: &Reviewer, skills: &'a [String]) -> Vec<&'a str> {
    skills.iter().filter(|s| !actor.skills.contains(s)).map(String::as_str).collect()
}

/// Taking an item in hand takes what its queue asks for; one with verdicts that clash is for a
/// person who gave none of them.
fn takes(actor: &Reviewer, subject: Subject<'_>) -> Result<(), Refused> {
    let item = subject.item.unwrap_or("the item");
    if let Some(clash) = subject.clash.filter(|c| !c.lets(&actor.name)) {
        let others: Vec<&str> =
            clash.people.iter().filter(|p| **p != actor.name).map(String::as_str).collect();
        let what = match others.is_empty() {
            true => format!("your verdict on {item} came late and is kept: another person decides"),
            false => format!(
                "your verdict on {item} and {}'s are both kept: a third person decides",
                others.join("'s and ")
            ),
        };
        return Err(Refused::new(Why::Authority, what).hint("take another item"));
    }
    let lacking = lacks(actor, subject.skills);
    if lacking.is_empty() {
        return Ok(());
    }
    Err(Refused::new(
        Why::Authority,
        format!(
            "{} has not the skill {} that {} asks for",
            actor.name,
            lacking.join(", "),
            subject.queue.unwrap_or("its queue")
        ),
    )
    .hint("an admin says who has learned what: overrule reviewer add NAME --level N --skill S"))
}

fn in_state(
    act: Act,
    subject: Subject<'_>,
    wanted: &str,
    fits: impl Fn(ItemState) -> bool,
) -> Result<(), Refused> {
    match subject.state {
        Some(state) if !fits(state) => Err(Refused::new(
            Why::State,
            format!(
                "{} is {}; to {} it, it must be {wanted}",
                subject.item.unwrap_or("the item"),
                state.as_str(),
                name(act)
            ),
        )
        .hint(match state {
            ItemState::Settled => {
                "a settled decision can be flagged for a new review: overrule flag"
            }
            ItemState::Decided => "its verdict waits out the grace time: undo it, or wait",
            ItemState::Waiting | ItemState::AwaitingApproval => "review it first",
        })),
        _ => Ok(()),
    }
}

/// The act in words, for messages.
pub fn name(act: Act) -> &'static str {
    match act {
        Act::Admit => "admit records",
        Act::RetryRefused => "retry refused lines",
        Act::Lease => "take an item",
        Act::Renew => "keep a lease",
        Act::Release => "give a lease back",
        Act::TakeBack => "take a lease back",
        Act::SaveDraft => "keep a draft",
        Act::DropDraft => "drop a draft",
        Act::Review => "decide",
        Act::AnswerBlind => "answer",
        Act::Undo => "undo",
        Act::Flag => "flag",
        Act::Feedback => "give feedback",
        Act::AddReviewer => "add a reviewer",
        Act::DisableReviewer => "disable a reviewer",
        Act::ActivatePolicy => "put a policy in force",
        Act::Erase => "erase",
        Act::Checkpoint => "sign a checkpoint",
        Act::Kill => "stop automation",
        Act::Resume => "restart automation",
        Act::Requeue => "put automatic decisions before people",
        Act::ReleaseFreeze => "release a freeze",
        Act::StartCanary => "start a canary",
        Act::PromoteCanary => "promote a canary",
        Act::RollBackCanary => "roll a canary back",
        Act::Incident => "acknowledge or resolve an incident",
        Act::SetReference => "set the reference",
        Act::Redeliver => "send an effect again",
        Act::Receive => "hand corrections over",
        Act::CreateToken => "make a token",
        Act::RevokeToken => "revoke a token",
        Act::Tick => "tick",
    }
}

#[cfg(test)]
mod tests;
