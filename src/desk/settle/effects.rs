//! What the policy sets off: firings as entries and rows, and what they make of an item.

use serde_json::json;

use super::stand;
use crate::audit::{Entry, EntryKind};
use crate::desk::contain::{EffectSubject, cools};
use crate::desk::core::{Core, Sight, draft};
use crate::domain::life;
use crate::domain::{Item, Timestamp};
use crate::policy::{EffectAction, Firing};
use crate::protocol::Refused;
use crate::store::Op;

/// What firings make of an item.
#[derive(Default)]
pub(in crate::desk) struct Fired {
    pub(in crate::desk) ops: Vec<Op>,
    /// The item where an escalation put it.
    pub(in crate::desk) item: Option<Item>,
    /// For people: "escalated to level3, due in 2h".
    pub(in crate::desk) words: Vec<String>,
}

/// Carry out firings on an item: escalations move it, containment is changed in the same write
/// ([`Sight::settings`] belongs at its end), the rest become rows for whoever handles them. Each
/// firing is an entry with the values that fired it; one that its cool-down silences says so.
pub(in crate::desk) fn fire(
    core: &Core,
    sight: &Sight,
    about: &EffectSubject<'_>,
    item: Option<&Item>,
    firings: &[Firing],
    by: &str,
    now: Timestamp,
) -> Result<Fired, Refused> {
    let mut fired = Fired { item: item.cloned(), ..Fired::default() };
    let id = about.id;
    for firing in firings {
        let mut entry = Entry::new(EntryKind::EFFECT, by, now, sight.wall);
        entry.id = Some(id.to_owned());
        entry.d.insert("effect".into(), firing.effect.clone());
        let done: Vec<String> = firing.actions.iter().map(spelled).collect();
        entry.d.insert("do".into(), done.join(" "));
        let quiet = match firing.actions.iter().any(cools) {
            true => core.quiet_until(sight, &firing.effect, about, now, &mut fired.ops)?,
            false => None,
        };
        if let Some(until) = quiet {
            entry.d.insert("quiet_until".into(), until.to_string());
        }
        let heard = |a: &&EffectAction| quiet.is_none() || !cools(a);
        let mut set = Vec::new();
        let told: Vec<&str> = firing.actions.iter().filter(heard).filter_map(notified).collect();
        let opens = firing.actions.iter().filter(heard).any(|a| *a == EffectAction::IncidentOpen);
        for action in firing.actions.iter().filter(heard) {
            match action {
                EffectAction::Escalate { queue, sla } => {
                    let Some(at) = &fired.item else { continue };
                    let due = sla.and_then(|s| {
                        sight.policy.as_ref().and_then(|p| p.due_at(queue, now, Some(s)))
                    });
                    if let Ok(moved) = life::move_to(at, queue, now, due, |q| sight.terms(q, now)) {
                        fired.words.push(words(action));
                        fired.item = Some(moved);
                    }
                }
                // Tags are part of the route and of the review already.
                EffectAction::Tag(_) => fired.words.push(words(action)),
                EffectAction::Notify(to) => {
                    fired.words.push(words(action));
                    // Word of an incident goes out when it has a name: whoever opens it says it.
                    if !opens {
                        fired.ops.push(notice(sight, to, id, firing, now));
                    }
                }
                contained if at_once(contained) => {
                    if let Some(done) = sight.set(contained, firing, about, now) {
                        fired.words.push(words(contained));
                        set.push(done);
                    }
                }
                other => {
                    fired.words.push(words(other));
                    let spelled = spelled(other);
                    fired.ops.push(Op::PutEffect {
                        key: format!("{}:{id}:{}", firing.effect, uuid::Uuid::now_v7()),
                        kind: spelled.split(':').next().unwrap_or_default().to_owned(),
                        item: id.to_owned(),
                        payload: json!({
                            "action": spelled,
                            "effect": firing.effect,
                            "reason": firing.reason,
                            "told": told,
                        }),
                    });
                }
            }
        }
        if !set.is_empty() {
            entry.r#gen = Some(sight.snapshot.generation.saturating_add(1));
            entry.d.insert("set".into(), set.join("; "));
        }
        if let Some(at) = &fired.item {
            stand(&mut entry, at);
        }
        let reason = firing.reason.clone().into_bytes();
        fired.ops.push(Op::Entry(draft(entry, vec![("reason".into(), reason)])?));
    }
    Ok(fired)
}

/// The notifier that an action tells.
fn notified(action: &EffectAction) -> Option<&str> {
    match action {
        EffectAction::Notify(to) => Some(to),
        _ => None,
    }
}

/// Word to a notifier of the policy about this decision; nothing will resolve it.
fn notice(sight: &Sight, to: &str, id: &str, firing: &Firing, now: Timestamp) -> Op {
    let runbook = sight.policy.as_ref().and_then(|p| p.runbook(&firing.effect));
    Op::PutEffect {
        key: format!("{}:{id}:{to}:{}", firing.effect, uuid::Uuid::now_v7()),
        kind: "notify".into(),
        item: id.to_owned(),
        payload: json!({
            "to": to,
            "event": "trigger",
            "dedup_key": format!("{}:{id}", firing.effect),
            "summary": format!("{} at decision {id}", firing.effect),
            "severity": "warning",
            "slice": { "decision": id },
            "cause": firing.reason,
            "incident": null,
            "at": now,
            "runbook": runbook,
        }),
    }
}

/// An action as the policy file spells it.
pub(in crate::desk) fn spelled(action: &EffectAction) -> String {
    match action {
        EffectAction::Pause => "automation.pause".into(),
        EffectAction::Limit(per_minute) => format!("automation.limit:{per_minute}"),
        EffectAction::FreezeSimilar => "freeze.similar".into(),
        EffectAction::CanaryRollback => "canary.rollback".into(),
        EffectAction::IncidentOpen => "incident.open".into(),
        EffectAction::Escalate { queue, sla: None } => format!("escalate:{queue}"),
        EffectAction::Escalate { queue, sla: Some(sla) } => format!("escalate:{queue}@{sla:#}"),
        EffectAction::Notify(to) => format!("notify:{to}"),
        EffectAction::Tag(tag) => format!("tag:{tag}"),
    }
}

/// An action in a few words, for the person who sets it off.
pub(in crate::desk) fn words(action: &EffectAction) -> String {
    match action {
        EffectAction::Pause => "pauses automation".into(),
        EffectAction::Limit(per_minute) => format!("limits automation to {per_minute} a minute"),
        EffectAction::FreezeSimilar => "freezes similar".into(),
        EffectAction::CanaryRollback => "rolls the canary back".into(),
        EffectAction::IncidentOpen => "opens an incident".into(),
        EffectAction::Escalate { queue, sla: None } => format!("goes to {queue}"),
        EffectAction::Escalate { queue, sla: Some(sla) } => {
            format!("goes to {queue}, due in {sla:#}")
        }
        EffectAction::Notify(to) => format!("notifies {to}"),
        EffectAction::Tag(tag) => format!("tagged {tag}"),
    }
}

/// Containment does not wait out a grace time.
pub(in crate::desk) fn at_once(action: &EffectAction) -> bool {
    matches!(
        action,
        EffectAction::Pause
            | EffectAction::Limit(_)
            | EffectAction::FreezeSimilar
            | EffectAction::CanaryRollback
    )
}
