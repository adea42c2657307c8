//! Incidents as people handle them: looked after, over, looked up.

use super::INCIDENT;
use crate::audit::{Entry, EntryKind};
use crate::authority::Subject;
use crate::containment::Incident;
use crate::desk::core::{Core, draft, json, refuse};
use crate::desk::watch::incident_notices;
use crate::protocol::{Act, IncidentAct, IncidentView, Refused, Why};
use crate::store::{Op, Premises, StoredState, Write};

/// The longest note, in bytes: it stays in the trail.
const NOTE: usize = 500;

impl Core {
    /// Acknowledge or resolve an incident.
    pub(in crate::desk) fn handle_incident(
        &self,
        by: &str,
        id: &str,
        act: IncidentAct,
        note: Option<&str>,
    ) -> Result<IncidentView, Refused> {
        let note = note.map(str::trim).filter(|n| !n.is_empty());
        if note.is_some_and(|n| n.len() > NOTE) {
            return Err(Refused::new(
                Why::Invalid,
                format!("at most {NOTE} bytes of note are kept"),
            )
            .hint("say it shorter"));
        }
        self.retry(|sight| {
            let actor = self.allowed(by, Act::Incident, Subject::default())?;
            let (version, mut incident) = self.incident_of(id)?;
            let word = match act {
                IncidentAct::Acknowledge => {
                    incident.acknowledge(by, sight.now, note).map(|()| "acknowledge")
                }
                IncidentAct::Resolve => incident.resolve(by, sight.now, note).map(|()| "resolve"),
            };
            let word = word.map_err(|e| {
                Refused::new(Why::State, e.to_string())
                    .hint("overrule incident show ID says what happened")
            })?;
            let mut entry = Entry::new(EntryKind::INCIDENT, by, sight.now, sight.wall);
            entry.d.insert("act".into(), word.to_owned());
            entry.d.insert("incident".into(), id.to_owned());
            if let Some(note) = note {
                entry.d.insert("note".into(), note.to_owned());
            }
            let key = format!("{INCIDENT}{id}");
            let premises = Premises {
                actor: Some((actor.name.clone(), actor.version)),
                state: vec![(key.clone(), version)],
                ..Premises::default()
            };
            let mut ops = vec![
                Op::Entry(draft(entry, Vec::new())?),
                Op::PutState { key, value: Some(json(&incident)?) },
            ];
            // Whoever was told of it hears this too.
            ops.extend(incident_notices(&incident, word, version, sight.now));
            self.commit(Write { premises, now: sight.now, ops })?;
            Ok(incident.view())
        })
    }

    /// One incident with its timeline.
    pub(in crate::desk) fn incident(&self, id: &str) -> Result<IncidentView, Refused> {
        self.incident_of(id).map(|(_, incident)| incident.view())
    }

    /// All incidents: those that are not over first, each part newest first.
    pub(super) fn incidents(&self) -> Result<Vec<IncidentView>, Refused> {
        let stored = self.store.states(INCIDENT).map_err(refuse)?;
        let mut views = stored
            .iter()
            .map(|(key, state)| Ok(read(key, state)?.view()))
            .collect::<Result<Vec<_>, Refused>>()?;
        views.sort_by(|a, b| {
            let over = |v: &IncidentView| v.resolved_at.is_some();
            over(a).cmp(&over(b)).then(b.opened_at.cmp(&a.opened_at)).then(b.id.cmp(&a.id))
        });
        Ok(views)
    }

    /// An incident with the version of its row.
    fn incident_of(&self, id: &str) -> Result<(u64, Incident), Refused> {
        let key = format!("{INCIDENT}{id}");
        let stored = self.store.state(&key).map_err(refuse)?.ok_or_else(|| {
            Refused::new(Why::NotFound, format!("there is no incident {id}"))
                .hint("overrule incident list shows them")
        })?;
        Ok((stored.version, read(&key, &stored)?))
    }
}

fn read(key: &str, stored: &StoredState) -> Result<Incident, Refused> {
    serde_json::from_slice(&stored.value).map_err(|e| {
        Refused::new(Why::Damaged, format!("the stored {key} is damaged: {e}"))
            .hint("somebody changed the store by other means: restore it from a backup")
    })
}
