//! Incidents in the store: one at a time for each thing that goes wrong, and who is told of them.

use serde_json::{Value, json};

use super::deeds::{Deeds, short};
use crate::audit::{Entry, EntryKind};
use crate::containment::{Alarm, Incident};
use crate::desk::contain::INCIDENT;
use crate::desk::core::{Core, refuse};
use crate::domain::Timestamp;
use crate::protocol::Refused;
use crate::store::Op;

impl Core {
    fn incidents_filed(&self) -> Result<Vec<String>, Refused> {
        let states = self.store.states(INCIDENT).map_err(refuse)?;
        Ok(states.into_iter().map(|(key, _)| key).collect())
    }
}

fn describe(entry: &mut Entry, act: &str, incident: &Incident) {
    entry.d.insert("act".into(), act.to_owned());
    entry.d.insert("incident".into(), incident.id.clone());
    entry.d.insert("kind".into(), incident.kind.clone());
    entry.d.insert("slice".into(), short(&incident.slice.to_string()));
}

/// Open an incident, or add to the live one for the same thing. Its id.
pub(super) fn raise(
    core: &Core,
    deeds: &mut Deeds<'_>,
    alarm: Alarm,
    told: &[String],
) -> Result<String, Refused> {
    let filed = core.incidents_filed()?;
    let now = deeds.now();
    // One that this very commit has touched already.
    for key in &filed {
        let kept = deeds.state::<Option<Incident>>(key)?;
        let Some(mut incident) = kept.value else { continue };
        if incident.fire(&alarm, "policy", now) {
            remember(&mut incident, told);
            deeds.put(key, kept.version, &incident)?;
            return Ok(incident.id);
        }
    }
    let number = |key: &str| key.rsplit('-').next().and_then(|n| n.parse::<u64>().ok());
    let mut next = filed.iter().filter_map(|key| number(key)).max().unwrap_or(0) + 1;
    // Others opened in this commit have the numbers after it.
    let (id, key) = loop {
        let id = format!("inc-{next}");
        let key = format!("{INCIDENT}{id}");
        let kept = deeds.state::<Option<Incident>>(&key)?;
        let Some(mut incident) = kept.value else { break (id, key) };
        if incident.fire(&alarm, "policy", now) {
            remember(&mut incident, told);
            deeds.put(&key, kept.version, &incident)?;
            return Ok(incident.id);
        }
        next += 1;
    };
    let mut incident = Incident::open(id.clone(), alarm, "policy", now);
    remember(&mut incident, told);
    let mut entry = deeds.by_policy(EntryKind::INCIDENT);
    describe(&mut entry, "open", &incident);
    deeds.entry(entry, vec![("cause".into(), incident.cause.clone().into_bytes())])?;
    deeds.say("opened", id.clone(), format!("{}: {}", incident.kind, incident.cause));
    let version = deeds.state::<Option<Incident>>(&key)?.version;
    deeds.put(&key, version, &incident)?;
    Ok(id)
}

fn remember(incident: &mut Incident, told: &[String]) {
    for name in told {
        if !incident.told.contains(name) {
            incident.told.push(name.clone());
        }
    }
}

/// What opened it has been over for a while: it resolves by itself. `false`: it was no longer live.
pub(super) fn settle(deeds: &mut Deeds<'_>, id: &str, why: &str) -> Result<bool, Refused> {
    let key = format!("{INCIDENT}{id}");
    let kept = deeds.state::<Option<Incident>>(&key)?;
    let Some(mut incident) = kept.value.filter(Incident::is_live) else { return Ok(false) };
    if incident.resolve("policy", deeds.now(), Some(why)).is_err() {
        return Ok(false);
    }
    let mut entry = deeds.by_policy(EntryKind::INCIDENT);
    describe(&mut entry, "resolve", &incident);
    deeds.entry(entry, Vec::new())?;
    tell_all(deeds, "resolve", &incident, kept.version);
    deeds.say("resolved", id, why.to_owned());
    deeds.put(&key, kept.version, &incident)?;
    Ok(true)
}

fn tell_all(deeds: &mut Deeds<'_>, event: &str, incident: &Incident, version: u64) {
    let rows = notices(incident, event, version, deeds.now());
    deeds.ops(rows);
}

/// Word of an incident's acknowledgement or end to whoever was told of it. `version`: of its row.
pub(in crate::desk) fn notices(
    incident: &Incident,
    event: &str,
    version: u64,
    at: Timestamp,
) -> Vec<Op> {
    let notice = |to: &String| {
        Notice {
            to,
            event,
            effect: &incident.kind,
            slice: &incident.slice,
            cause: &incident.cause,
            incident: Some(&incident.id),
            about: About::of(incident),
            runbook: incident.runbook.as_deref(),
        }
        .row(&format!("{event}:{version}"), at)
    };
    incident.told.iter().map(notice).collect()
}

/// Word to a notifier of the policy.
pub(super) struct Notice<'a> {
    pub(super) to: &'a str,
    /// `trigger`, `acknowledge` or `resolve`.
    pub(super) event: &'a str,
    pub(super) effect: &'a str,
    pub(super) slice: &'a Value,
    pub(super) cause: &'a str,
    pub(super) incident: Option<&'a str>,
    pub(super) about: About<'a>,
    pub(super) runbook: Option<&'a str>,
}

/// What set it off: figures of a slice, or decisions.
pub(super) enum About<'a> {
    Figures,
    /// All incidents of one effect on decisions of a model version share a key; while one is open
    /// there is no other. The decision named is the one that word goes out about.
    Decisions(Option<&'a str>),
}

impl About<'_> {
    fn of(incident: &Incident) -> Self {
        if incident.decisions.is_empty() { Self::Figures } else { Self::Decisions(None) }
    }
}

impl Notice<'_> {
    /// The row for the courier; `once` makes its key unlike those of other notices of the same.
    pub(super) fn row(&self, once: &str, at: Timestamp) -> Op {
        let place = place(self.slice);
        let thing = format!("{}:{place}", self.effect);
        let own = self.incident.map_or_else(|| thing.clone(), |id| format!("incident:{id}"));
        let (dedup, summary) = match self.about {
            About::Figures => (own.clone(), format!("{} in {place}", self.effect)),
            About::Decisions(None) => (thing, format!("{} in {place}", self.effect)),
            About::Decisions(Some(id)) => (thing, format!("{} at decision {id}", self.effect)),
        };
        Op::PutEffect {
            key: format!("notify:{}:{own}:{once}", self.to),
            kind: "notify".into(),
            item: String::new(),
            payload: json!({
                "to": self.to,
                "event": self.event,
                "dedup_key": dedup,
                "summary": summary,
                "severity": "critical",
                "slice": self.slice,
                "cause": self.cause,
                "incident": self.incident,
                "at": at,
                "runbook": self.runbook,
            }),
        }
    }
}

/// `model m@1`, from `{"model":"m@1"}`.
pub(super) fn place(slice: &Value) -> String {
    let parts = slice.as_object().into_iter().flatten().map(|(kind, value)| {
        value.as_str().map_or_else(|| format!("{kind} {value}"), |name| format!("{kind} {name}"))
    });
    let named = parts.collect::<Vec<_>>().join(" ");
    if named.is_empty() { "all".to_owned() } else { named }
}
