//! Containment in small: one killed model, a canary on its way, an incident, a freeze.

use jiff::SignedDuration;
use serde_json::json;

use super::{Inside, start};
use crate::domain::{ControlScope, Timestamp};
use crate::protocol::{
    Answer, BreakerView, BudgetView, CanaryAct, CanaryView, Command, ContainmentView, FreezeView,
    Happened, IncidentAct, IncidentView, KillMode, LimitView, Outgoing, OutgoingView, Refused,
    Resumed, SwitchState, SwitchView, Why,
};

fn ago(minutes: i64) -> Timestamp {
    start() - SignedDuration::from_mins(minutes)
}

fn scope(text: &str) -> ControlScope {
    text.parse().unwrap()
}

fn switch(text: &str, state: SwitchState, depth: u8, per_hour: f64, in_flight: u64) -> SwitchView {
    SwitchView {
        state,
        resume_needs: 2,
        per_hour: Some(per_hour),
        in_flight,
        depth,
        ..SwitchView::on(scope(text))
    }
}

/// What a desk in trouble shows.
pub(super) fn contained() -> ContainmentView {
    let killed = SwitchView {
        mode: Some(KillMode::Human),
        by: Some("ann".into()),
        at: Some(ago(3)),
        reason: Some("approves what it should not since the release".into()),
        ..switch("model=mortgage-preapproval@3.1", SwitchState::Killed, 2, 96.0, 7)
    };
    let limited = SwitchView {
        by: Some("breaker".into()),
        at: Some(ago(12)),
        reason: Some("override rate 0.12 above 0.05".into()),
        ..switch("domain=loan", SwitchState::Limited, 1, 140.0, 9)
    };
    ContainmentView {
        generation: 4,
        switches: vec![
            switch("all", SwitchState::On, 0, 412.0, 13),
            limited,
            killed,
            switch("model=loan-gb", SwitchState::On, 2, 44.0, 2),
            switch("domain=moderation", SwitchState::On, 1, 201.0, 2),
            SwitchView {
                by: Some("policy".into()),
                at: Some(ago(90)),
                ..switch("domain=medical", SwitchState::Paused, 1, 8.0, 1)
            },
        ],
        breakers: vec![
            BreakerView {
                domain: "loan".into(),
                model: "mortgage-preapproval@3.1".into(),
                state: "open".into(),
                since: ago(12),
                cause: Some("override rate 48/390, low 0.09 above 0.05".into()),
                retry_at: Some(ago(-18)),
            },
            BreakerView {
                domain: "support_qa".into(),
                model: "bing-chat@2023".into(),
                state: "closed".into(),
                since: ago(900),
                cause: None,
                retry_at: None,
            },
        ],
        limits: vec![LimitView {
            name: "loan-rate".into(),
            scope: scope("domain=loan"),
            per_minute: 10.0,
            effective: 4.0,
            turned_away: 31,
        }],
        budgets: vec![BudgetView {
            queue: "level1".into(),
            per_hour: Some(31.0),
            arrivals: 38,
            overflow: "sample".into(),
            gave_way: 4,
            breach_at: Some(ago(-95)),
        }],
        canaries: vec![CanaryView {
            model: "loan-gb".into(),
            version: "4.0".into(),
            baseline: "3.1".into(),
            state: "running".into(),
            step: 2,
            steps: vec![0.05, 0.25, 0.5, 1.0],
            share: 0.25,
            since: ago(180),
            canary: (31, 508),
            base: (136, 1528),
            e_value: 3.2,
            e_needed: 20.0,
            history: vec![1.0, 0.9, 1.2, 1.1, 1.6, 1.9, 1.7, 2.4, 2.8, 3.2],
            difference: Some((-0.055, 0.004)),
            verdict: "not_enough_data".into(),
            promote_level: 3,
            reason: None,
        }],
        freezes: vec![FreezeView {
            id: "f-7".into(),
            like: "lap-1664".into(),
            domain: "loan".into(),
            action: "approve".into(),
            cohort: Some("race:white".into()),
            by: "ann".into(),
            level: 1,
            at: ago(25),
            held: 6,
            reason: "policy_violation".into(),
        }],
        incidents: vec![
            incident("12", "open", "override-spike", 3),
            IncidentView {
                acknowledged_at: Some(ago(80)),
                acknowledged_by: Some("bob".into()),
                resolved_at: Some(ago(60)),
                resolved_by: Some("bob".into()),
                ..incident("11", "resolved", "sla-breach", 100)
            },
        ],
        outgoing: Outgoing {
            waiting: 2,
            held: 1,
            dead: 1,
            listed: vec![
                OutgoingView {
                    key: "notify-91".into(),
                    kind: "notify".into(),
                    to: "ml-ops".into(),
                    item: "lap-1664".into(),
                    state: "dead".into(),
                    attempts: 8,
                    next_at: None,
                    error: Some("connection refused (127.0.0.1:9093)".into()),
                },
                OutgoingView {
                    key: "reply-208".into(),
                    kind: "reply".into(),
                    to: "caller".into(),
                    item: "lap-0007".into(),
                    state: "held".into(),
                    attempts: 0,
                    next_at: None,
                    error: None,
                },
            ],
        },
    }
}

fn incident(id: &str, state: &str, kind: &str, minutes: i64) -> IncidentView {
    IncidentView {
        id: id.into(),
        state: state.into(),
        kind: kind.into(),
        slice: json!({"model": "mortgage-preapproval@3.1"}),
        opened_at: ago(minutes),
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at: None,
        resolved_by: None,
        cause: "override rate 12.3 % (48/390), low 9.4 % above 5 %".into(),
        fired: 2,
        runbook: Some("https://wiki.example/runbooks/override-spike".into()),
        decisions: vec!["lap-1664".into(), "lap-0007".into()],
        timeline: vec![
            Happened {
                at: ago(minutes),
                by: "ticker".into(),
                what: "opened: override rate 12.3 %".into(),
            },
            Happened {
                at: ago(minutes),
                by: "breaker".into(),
                what: "automation limited in domain=loan".into(),
            },
        ],
    }
}

impl Inside {
    /// The commands of containment; `None` for others.
    pub(super) fn contain(
        &mut self,
        by: &str,
        command: &Command,
    ) -> Option<Result<Answer, Refused>> {
        let now = self.now;
        if !matches!(
            command,
            Command::Kill { .. }
                | Command::Resume { .. }
                | Command::Requeue { .. }
                | Command::ReleaseFreeze { .. }
                | Command::Canary(_)
                | Command::Incident { .. }
                | Command::Redeliver { .. }
        ) {
            return None;
        }
        if let Some(refused) = self.refuse.pop_front() {
            return Some(Err(refused));
        }
        let view = &mut self.contained;
        Some(match command.clone() {
            Command::Kill { scope, mode, reason } => {
                view.generation += 1;
                let at = view.switches.iter().position(|s| s.scope == scope);
                let at = at.unwrap_or_else(|| {
                    let new = switch(&scope.to_string(), SwitchState::On, 1, 0.0, 0);
                    view.switches.push(new);
                    view.switches.len() - 1
                });
                let switch = &mut view.switches[at];
                switch.state = SwitchState::Killed;
                switch.mode = Some(mode);
                switch.by = Some(by.into());
                switch.at = Some(now);
                switch.reason = Some(reason);
                switch.resume_by = Vec::new();
                Ok(Answer::Killed { scope, generation: view.generation, held: 3 })
            }
            Command::Resume { scope, .. } => {
                let Some(switch) = view.switches.iter_mut().find(|s| s.scope == scope) else {
                    return Some(Err(Refused::new(
                        Why::NotFound,
                        format!("{scope} is not stopped"),
                    )));
                };
                if !switch.resume_by.iter().any(|p| p == by) {
                    switch.resume_by.push(by.into());
                }
                let running = switch.resume_by.len() >= 2;
                if running {
                    switch.state = SwitchState::On;
                    switch.mode = None;
                }
                Ok(Answer::Resumed(Resumed {
                    scope,
                    running,
                    by: switch.resume_by.clone(),
                    needs: 2,
                }))
            }
            Command::Requeue { .. } => Ok(Answer::Requeued(17)),
            Command::ReleaseFreeze { id, .. } => {
                view.freezes.retain(|f| f.id != id);
                Ok(Answer::Done)
            }
            Command::Canary(CanaryAct::Promote { .. }) => {
                Err(Refused::new(Why::Authority, "promoting loan-gb takes level 3; ann has 1")
                    .hint("ask somebody of level 3"))
            }
            Command::Canary(_) => {
                view.canaries[0].state = "rolled_back".into();
                Ok(Answer::Done)
            }
            Command::Incident { id, act, note } => {
                let Some(found) = view.incidents.iter_mut().find(|i| i.id == id) else {
                    return Some(Err(Refused::new(Why::NotFound, format!("no incident {id}"))));
                };
                let what = match act {
                    IncidentAct::Acknowledge => {
                        found.state = "acknowledged".into();
                        found.acknowledged_at = Some(now);
                        found.acknowledged_by = Some(by.into());
                        "acknowledged".to_owned()
                    }
                    IncidentAct::Resolve => {
                        found.state = "resolved".into();
                        found.resolved_at = Some(now);
                        found.resolved_by = Some(by.into());
                        format!("resolved: {}", note.unwrap_or_default())
                    }
                };
                found.timeline.push(Happened { at: now, by: by.into(), what });
                Ok(Answer::Incident(Box::new(found.clone())))
            }
            Command::Redeliver { key } => {
                view.outgoing.listed.retain(|o| o.key != key);
                Ok(Answer::Done)
            }
            _ => return None,
        })
    }

    pub(super) fn incident(&self, id: &str) -> Result<IncidentView, Refused> {
        let found = self.contained.incidents.iter().find(|i| i.id == id).cloned();
        found.ok_or_else(|| Refused::new(Why::NotFound, format!("there is no incident {id}")))
    }
}
