//! A repaired record goes through the route again, as if it came today.

use serde_json::Value;

use super::{Release, fire, reply};
use crate::audit::{Entry, EntryKind};
use crate::desk::admit::{describe, item_of};
use crate::desk::contain::{EffectSubject, contained};
use crate::desk::core::{self, Core, Sight, draft_of};
use crate::desk::cover::{self, Cover};
use crate::desk::prepare::{columns, texts};
use crate::desk::routed::routed;
use crate::desk::view;
use crate::domain::record::{self, Intake, Limits};
use crate::domain::{Decision, Facts, Fault, Item, ItemState, Kind, Outcome, Timestamp};
use crate::policy::Routing;
use crate::protocol::{Refused, Why};
use crate::store::{Columns, Op, StoredDecision, form};

/// The operations of a re-admission, and the item it leaves.
pub(super) fn readmit(
    core: &Core,
    sight: &Sight,
    stored: &StoredDecision,
    item: &Item,
    settled: Item,
    now: Timestamp,
) -> Result<Release, Refused> {
    let pending = item.pending.as_ref();
    let output = pending.and_then(|p| p.verdict.output.clone()).unwrap_or_default();
    let before = core::record_value(stored.raw.as_deref());
    let Repaired { bytes, parsed } = repaired(sight.cover(), &before, &item.id, &output)?;
    let mut facts = Facts {
        control_readable: sight.control.is_some(),
        ..Facts::at(now, sight.snapshot.generation)
    };
    let (mut route, firings) = core.with_gauges(sight, now, |gauges| {
        let find = &mut |d: &Decision, facts: &Facts, routing: &Routing| {
            contained(sight, gauges, d, facts, routing)
        };
        let shape = parsed.as_ref().map_err(Vec::as_slice);
        routed(sight.policy.as_deref(), &item.id, shape, &mut facts, find)
    })?;
    let by = pending.map_or("system", |p| p.reviewer.as_str());
    let mut next = item_of(&route, now, settled.revision).unwrap_or(Item {
        kind: Kind::Review,
        sample: None,
        ..settled
    });
    route.state = next.state;
    let automatic = route.outcome == Outcome::Auto;
    let mut entry = Entry::new(EntryKind::READMIT, by, now, sight.wall);
    describe(&mut entry, &route, Some(&next));
    entry.req = pending.map(|p| p.request_id.clone());
    let raw: serde_json::Value = core::record_value(Some(&bytes));
    let kept = texts(bytes, &raw, sight.policy.as_deref())?;
    let decision = parsed.ok();
    let columns = Columns {
        level: sight.level(&next.queue),
        ..decision.as_ref().map_or_else(|| stored.columns.clone(), columns)
    };
    let row = form(&stored.content, &route, &facts, &columns);
    let mut ops = vec![Op::Entry(draft_of(entry, kept, Some(&row))?)];
    let mut words = vec![match route.queue.as_deref() {
        Some(queue) => format!("re-admitted to {queue}"),
        None => format!("re-admitted: {}", route.outcome.as_str()),
    }];
    let level = pending.map_or(1, |p| p.level);
    let about = EffectSubject { id: &item.id, decision: decision.as_ref(), level };
    let fired = fire(core, sight, &about, Some(&next), &firings, "policy", now)?;
    words.extend(fired.words);
    next = fired.item.unwrap_or(next);
    ops.push(Op::Readmit {
        id: item.id.clone(),
        route: Box::new(route),
        facts: Box::new(facts),
        columns,
    });
    ops.extend(fired.ops);
    if next.state == ItemState::Settled {
        let outcome = if automatic { "accepted" } else { "rejected" };
        ops.extend(reply(&raw, &next, outcome, view::proposed(&raw), false, pending, now));
    }
    ops.push(Op::PutItem { level: sight.level(&next.queue), item: Box::new(next.clone()) });
    Ok(Release { ops, item: next, words, state: Vec::new() })
}

/// A repaired record: its bytes, and what they mean.
pub(in crate::desk) struct Repaired {
    pub(in crate::desk) bytes: Vec<u8>,
    pub(in crate::desk) parsed: Result<Decision, Vec<Fault>>,
}

/// The bytes and meaning of a repaired record; refused where it is no record of this id.
pub(in crate::desk) fn repaired(
    cover: Cover<'_>,
    before: &Value,
    id: &str,
    output: &Value,
) -> Result<Repaired, Refused> {
    let mut bytes = match output {
        Value::String(text) => text.clone().into_bytes(),
        other => core::json(other)?,
    };
    // What the repairer could not see stays as it was.
    if cover.hides()
        && let Ok(mut record) = serde_json::from_slice::<Value>(&bytes)
        && cover::holds_cover(&record)
    {
        cover.put_back(before, &mut record);
        bytes = core::json(&record)?;
    }
    let invalid = |what: String| {
        Refused::new(Why::Invalid, what)
            .hint("send the whole record, repaired, as JSON; your draft is kept")
    };
    let (found, parsed) = match record::parse(&bytes, &Limits::default()) {
        Intake::Record(parsed) => (parsed.decision.id.clone(), Ok(parsed.decision)),
        Intake::Broken(broken) => (broken.id.clone(), Err(broken.faults)),
        Intake::Refused(refusal) => {
            return Err(invalid(format!("the repaired record is not usable: {}", refusal.message)));
        }
        Intake::Blank => return Err(invalid("the repaired record is empty".into())),
    };
    if found != id {
        return Err(invalid(format!("the repaired record has the id {found}, not {id}")));
    }
    Ok(Repaired { bytes, parsed })
}
