//! Incidents: opened by what went wrong, acknowledged and resolved by people, one at a time for
//! each thing that goes wrong.
//!
//! An incident's key is the effect and the slice that opened it. While it is open or acknowledged,
//! firing again adds to its count and timeline; after it is resolved, firing makes a new one.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::Timestamp;
use crate::protocol::{Happened, IncidentView};

/// Decisions kept with an incident: the newest.
const DECISIONS: usize = 50;
/// Lines of a timeline: beyond, firings are only counted.
const LINES: usize = 200;

/// An incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    pub id: String,
    /// The effect that opened it, or `manual`.
    pub kind: String,
    /// Where: one dimension and its value, such as `{"model":"m@1"}`.
    pub slice: Value,
    pub opened_at: Timestamp,
    pub acknowledged: Option<Mark>,
    pub resolved: Option<Mark>,
    /// The figures that opened it.
    pub cause: String,
    /// How often it fired.
    pub fired: u64,
    pub runbook: Option<String>,
    /// Ids of decisions that belong to it, newest first.
    pub decisions: Vec<String>,
    /// Notifiers that were told of it: they hear of its end too.
    #[serde(default)]
    pub told: Vec<String>,
    /// What happened, oldest first.
    pub timeline: Vec<Happened>,
}

/// Who did it, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    pub at: Timestamp,
    pub by: String,
}

/// Something went wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// The effect, or `manual`.
    pub kind: String,
    pub slice: Value,
    pub cause: String,
    pub runbook: Option<String>,
    /// The decision it is about, if it is about one.
    pub decision: Option<String>,
}

/// What cannot be done with an incident.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncidentError {
    #[error("{id} is resolved already, by {by}")]
    Resolved { id: String, by: String },
    #[error("{id} is acknowledged already, by {by}")]
    Acknowledged { id: String, by: String },
}

impl Alarm {
    /// What makes two alarms the same incident.
    pub fn key(&self) -> String {
        key(&self.kind, &self.slice)
    }
}

fn key(kind: &str, slice: &Value) -> String {
    format!("{kind}:{slice}")
}

impl Incident {
    /// A new one. `id` names it for people and is the caller's to make unique.
    pub fn open(id: String, alarm: Alarm, by: &str, at: Timestamp) -> Self {
        let opened = Happened { at, by: by.to_owned(), what: format!("opened: {}", alarm.cause) };
        Self {
            id,
            kind: alarm.kind,
            slice: alarm.slice,
            opened_at: at,
            acknowledged: None,
            resolved: None,
            cause: alarm.cause,
            fired: 1,
            runbook: alarm.runbook,
            decisions: alarm.decision.into_iter().collect(),
            told: Vec::new(),
            timeline: vec![opened],
        }
    }

    /// What makes an alarm this incident's, while it is not resolved.
    pub fn key(&self) -> String {
        key(&self.kind, &self.slice)
    }

    /// `open`, `acknowledged` or `resolved`.
    pub fn state(&self) -> &'static str {
        match (&self.acknowledged, &self.resolved) {
            (_, Some(_)) => "resolved",
            (Some(_), None) => "acknowledged",
            (None, None) => "open",
        }
    }

    /// Nobody has resolved it.
    pub fn is_live(&self) -> bool {
        self.resolved.is_none()
    }

    /// The same thing fired again. `false`: it is resolved, or it is another's; open a new one.
    pub fn fire(&mut self, alarm: &Alarm, by: &str, at: Timestamp) -> bool {
        if !self.is_live() || alarm.key() != self.key() {
            return false;
        }
        self.fired = self.fired.saturating_add(1);
        if let Some(id) = &alarm.decision {
            self.link(id);
        }
        if self.timeline.len() < LINES {
            self.happened(by, at, format!("fired again: {}", alarm.cause));
        }
        true
    }

    /// A decision belongs to it.
    pub fn link(&mut self, decision: &str) {
        self.decisions.retain(|d| d != decision);
        self.decisions.insert(0, decision.to_owned());
        self.decisions.truncate(DECISIONS);
    }

    /// Something else happened that belongs on its timeline, such as a kill.
    pub fn happened(&mut self, by: &str, at: Timestamp, what: String) {
        self.timeline.push(Happened { at, by: by.to_owned(), what });
    }

    /// Somebody looks after it.
    pub fn acknowledge(
        &mut self,
        by: &str,
        at: Timestamp,
        note: Option<&str>,
    ) -> Result<(), IncidentError> {
        self.unresolved()?;
        if let Some(mark) = &self.acknowledged {
            return Err(IncidentError::Acknowledged { id: self.id.clone(), by: mark.by.clone() });
        }
        self.acknowledged = Some(Mark { at, by: by.to_owned() });
        self.happened(by, at, noted("acknowledged", note));
        Ok(())
    }

    /// It is over. Who resolves one that nobody acknowledged has done that too.
    pub fn resolve(
        &mut self,
        by: &str,
        at: Timestamp,
        note: Option<&str>,
    ) -> Result<(), IncidentError> {
        self.unresolved()?;
        let mark = Mark { at, by: by.to_owned() };
        self.acknowledged.get_or_insert_with(|| mark.clone());
        self.resolved = Some(mark);
        self.happened(by, at, noted("resolved", note));
        Ok(())
    }

    fn unresolved(&self) -> Result<(), IncidentError> {
        match &self.resolved {
            Some(m) => Err(IncidentError::Resolved { id: self.id.clone(), by: m.by.clone() }),
            None => Ok(()),
        }
    }

    /// From opening to acknowledgement.
    pub fn time_to_acknowledge(&self) -> Option<SignedDuration> {
        Some(self.acknowledged.as_ref()?.at.duration_since(self.opened_at))
    }

    /// From opening to resolution.
    pub fn time_to_resolve(&self) -> Option<SignedDuration> {
        Some(self.resolved.as_ref()?.at.duration_since(self.opened_at))
    }

    /// As it is shown.
    pub fn view(&self) -> IncidentView {
        let (acknowledged, resolved) = (self.acknowledged.as_ref(), self.resolved.as_ref());
        IncidentView {
            id: self.id.clone(),
            state: self.state().to_owned(),
            kind: self.kind.clone(),
            slice: self.slice.clone(),
            opened_at: self.opened_at,
            acknowledged_at: acknowledged.map(|m| m.at),
            acknowledged_by: acknowledged.map(|m| m.by.clone()),
            resolved_at: resolved.map(|m| m.at),
            resolved_by: resolved.map(|m| m.by.clone()),
            cause: self.cause.clone(),
            fired: self.fired,
            runbook: self.runbook.clone(),
            decisions: self.decisions.clone(),
            timeline: self.timeline.clone(),
        }
    }
}

fn noted(what: &str, note: Option<&str>) -> String {
    note.map_or_else(|| what.to_owned(), |note| format!("{what}: {note}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::t;
    use super::*;

    fn alarm(slice: &str, decision: &str) -> Alarm {
        Alarm {
            kind: "override-spike".into(),
            slice: serde_json::json!({ "model": slice }),
            cause: "override_low 0.2 > 0.05".into(),
            runbook: None,
            decision: Some(decision.into()),
        }
    }

    #[test]
    fn the_same_thing_adds_to_the_open_one_and_opens_a_new_one_after_it_is_resolved() {
        let mut i = Incident::open("inc-1".into(), alarm("m@1", "a"), "policy", t(0));
        assert!(i.fire(&alarm("m@1", "b"), "policy", t(10)));
        assert!(!i.fire(&alarm("m@2", "c"), "policy", t(10)), "another slice");
        i.acknowledge("ann", t(60), None).unwrap();
        assert!(i.fire(&alarm("m@1", "a"), "policy", t(70)));
        assert_eq!(
            (i.state(), i.fired, i.decisions.as_slice()),
            ("acknowledged", 3, &["a".to_owned(), "b".to_owned()][..])
        );
        i.resolve("bob", t(600), Some("rolled back")).unwrap();
        assert!(!i.fire(&alarm("m@1", "d"), "policy", t(700)));
        assert_eq!(i.fired, 3);
        assert_eq!(i.time_to_acknowledge(), Some(SignedDuration::from_secs(60)));
        assert_eq!(i.time_to_resolve(), Some(SignedDuration::from_secs(600)));
        let lines: Vec<&str> = i.timeline.iter().map(|h| h.what.as_str()).collect();
        assert_eq!(
            lines,
            [
                "opened: override_low 0.2 > 0.05",
                "fired again: override_low 0.2 > 0.05",
                "acknowledged",
                "fired again: override_low 0.2 > 0.05",
                "resolved: rolled back",
            ]
        );
        assert_eq!(i.view().state, "resolved");
    }

    #[test]
    fn nothing_is_acknowledged_or_resolved_twice() {
        let mut i = Incident::open("inc-1".into(), alarm("m", "a"), "policy", t(0));
        i.acknowledge("ann", t(1), None).unwrap();
        let again = i.acknowledge("bob", t(2), None).unwrap_err();
        assert_eq!(again.to_string(), "inc-1 is acknowledged already, by ann");
        i.resolve("bob", t(3), None).unwrap();
        let error = "inc-1 is resolved already, by bob";
        assert_eq!(i.resolve("ann", t(4), None).unwrap_err().to_string(), error);
        assert_eq!(i.acknowledge("ann", t(4), None).unwrap_err().to_string(), error);
        // Who resolves without acknowledging has done both.
        let mut i = Incident::open("inc-2".into(), alarm("m", "a"), "policy", t(0));
        i.resolve("cy", t(9), None).unwrap();
        assert_eq!(i.time_to_acknowledge(), i.time_to_resolve());
    }

    #[test]
    fn storms_are_counted_without_growing_it_for_ever() {
        let mut i = Incident::open("inc-1".into(), alarm("m", "a"), "policy", t(0));
        for n in 0..1000 {
            assert!(i.fire(&alarm("m", &format!("d-{n}")), "policy", t(n)));
        }
        assert_eq!((i.fired, i.decisions.len(), i.timeline.len()), (1001, DECISIONS, LINES));
        assert_eq!(i.decisions[0], "d-999");
        let json = serde_json::to_vec(&i).unwrap();
        assert_eq!(serde_json::from_slice::<Incident>(&json).unwrap(), i);
    }
}
