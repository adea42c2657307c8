//! `[[effect]]`: what is watched, and what is done.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::super::limits::Each;
use super::super::nouns::EffectAction;
use super::super::rules::{EffectRule, On};
use super::Loader;
use super::table::{At, Table};
use super::time;

/// Every action, as written (without arguments), and whether it needs a decision to act on.
const ACTIONS: [(&str, bool); 8] = [
    ("automation.pause", false),
    ("automation.limit", false),
    ("canary.rollback", false),
    ("incident.open", false),
    ("notify", false),
    ("freeze.similar", true),
    ("escalate", true),
    ("tag", true),
];

#[derive(Clone, Copy)]
enum Kind {
    Decision,
    Review,
    Window,
    Sla,
    Feedback,
}

const KINDS: [(&str, Kind); 5] = [
    ("decision", Kind::Decision),
    ("review", Kind::Review),
    ("window", Kind::Window),
    ("sla", Kind::Sla),
    ("feedback", Kind::Feedback),
];

pub(super) const EACH: [(&str, Each); 4] = [
    ("overall", Each::Overall),
    ("domain", Each::Domain),
    ("model", Each::Model),
    ("cohort", Each::Cohort),
];

impl Loader<'_> {
    pub(super) fn effects(&mut self, top: &mut Table<'_>) -> Vec<EffectRule> {
        let mut ids = BTreeMap::new();
        let tables = top.tables("effect", &mut self.sink);
        tables.into_iter().filter_map(|t| self.effect(t, &mut ids)).collect()
    }

    fn effect(
        &mut self,
        mut table: Table<'_>,
        ids: &mut BTreeMap<String, usize>,
    ) -> Option<EffectRule> {
        let id = self.id(&mut table, ids);
        let on = self.on(&mut table);
        let when = on.and_then(|on| self.when(&mut table, on.scope()));
        if on.is_none() {
            // Without knowing what it watches, its rule cannot be checked; the key is known.
            table.take("when");
        }
        let written = table.texts("do", &mut self.sink);
        table.missing("do", &mut self.sink);
        if written.as_ref().is_some_and(Vec::is_empty) {
            self.sink.error(&table.span, "`do` of [[effect]] is empty: it would do nothing");
        }
        let mut actions = Vec::new();
        for a in written.into_iter().flatten() {
            actions.extend(self.action(&a, on));
        }
        let cooldown = table.duration("cooldown", false, &mut self.sink).map(|d| d.value);
        let runbook = self.runbook(&mut table);
        let line = self.line(&table.span);
        table.finish(&mut self.sink);
        let (id, on, when) = (id?, on?, when?);
        Some(EffectRule { id: id.value, on, when, actions, cooldown, runbook, line })
    }

    /// An address people can open, and nothing that a browser would run.
    fn runbook(&mut self, table: &mut Table<'_>) -> Option<String> {
        let url = table.text("runbook", &mut self.sink)?;
        let web = url.value.starts_with("https://") || url.value.starts_with("http://");
        let plain = |c: char| c.is_ascii_graphic();
        if !web || url.value.len() > 1_024 || !url.value.chars().all(plain) {
            self.sink
                .error(&url.span, "`runbook` is not the address of a page")
                .help("write for example runbook = \"https://wiki.example.org/override-spike\"");
            return None;
        }
        Some(url.value)
    }

    fn on(&mut self, table: &mut Table<'_>) -> Option<On> {
        let kind = table.word("on", &KINDS, &mut self.sink);
        table.missing("on", &mut self.sink);
        let window = table.duration("window", false, &mut self.sink);
        let each = table.word("each", &EACH, &mut self.sink);
        let on = match kind.as_ref()?.value {
            Kind::Window => {
                table.missing("window", &mut self.sink);
                let each = each.as_ref().map_or(Each::Overall, |e| e.value);
                let hour = SignedDuration::from_hours(1);
                return Some(On::Window { window: window.map_or(hour, |w| w.value), each });
            }
            Kind::Decision => On::Decision,
            Kind::Review => On::Review,
            Kind::Sla => On::Sla,
            Kind::Feedback => On::Feedback,
        };
        for span in [window.map(|w| w.span), each.map(|e| e.span)].into_iter().flatten() {
            self.sink.error(&span, "only effects on \"window\" have a window and slices");
        }
        Some(on)
    }

    fn action(&mut self, written: &At<String>, on: Option<On>) -> Option<EffectAction> {
        let (name, argument) = match written.value.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (written.value.as_str(), None),
        };
        let Some((_, per_decision)) = ACTIONS.iter().find(|(n, _)| *n == name) else {
            self.sink
                .error(&written.span, format!("unknown action \"{name}\""))
                .nearest(name, ACTIONS.iter().map(|(n, _)| *n));
            return None;
        };
        if *per_decision && matches!(on, Some(On::Window { .. })) {
            let message = format!("\"{name}\" needs a decision, and a window has none");
            self.sink
                .error(&written.span, message)
                .help("use it in effects on decision, review, sla or feedback");
            return None;
        }
        let wants = matches!(name, "automation.limit" | "notify" | "escalate" | "tag");
        let argument = argument.filter(|a| !a.is_empty());
        let argument = match (wants, argument) {
            (true, Some(a)) => a,
            (false, None) => "",
            (true, None) => {
                let example = match name {
                    "automation.limit" => "automation.limit:60 (decisions a minute)",
                    "notify" => "notify:ml-ops",
                    "escalate" => "escalate:level3@2h",
                    _ => "tag:other",
                };
                let message = format!("\"{name}\" does not say what");
                self.sink
                    .error(&written.span, message)
                    .help(format!("write for example {example}"));
                return None;
            }
            (false, Some(_)) => {
                self.sink.error(&written.span, format!("\"{name}\" takes nothing after a colon"));
                return None;
            }
        };
        self.action_with(name, argument, written)
    }

    fn action_with(
        &mut self,
        name: &str,
        argument: &str,
        written: &At<String>,
    ) -> Option<EffectAction> {
        let at = |value: &str| At::new(value.to_owned(), written.span.clone());
        match name {
            "automation.pause" => Some(EffectAction::Pause),
            "freeze.similar" => Some(EffectAction::FreezeSimilar),
            "canary.rollback" => Some(EffectAction::CanaryRollback),
            "incident.open" => Some(EffectAction::IncidentOpen),
            "automation.limit" => match argument.parse::<f64>() {
                Ok(n) if n.is_finite() && n > 0.0 => Some(EffectAction::Limit(n)),
                _ => {
                    let message = format!("\"{argument}\" is not a number of decisions a minute");
                    self.sink
                        .error(&written.span, message)
                        .help("write for example automation.limit:60");
                    None
                }
            },
            "notify" => {
                if self.notifiers.iter().any(|n| n == argument) {
                    return Some(EffectAction::Notify(argument.to_owned()));
                }
                self.sink
                    .error(
                        &written.span,
                        format!("unknown notifier \"{argument}\": no [notify.{argument}]"),
                    )
                    .nearest(argument, self.notifiers.iter().map(String::as_str));
                None
            }
            "tag" => {
                if self.tags.iter().any(|t| t == argument) {
                    return Some(EffectAction::Tag(argument.to_owned()));
                }
                self.sink
                    .error(
                        &written.span,
                        format!("unknown tag \"{argument}\": no [[tag]] has this id"),
                    )
                    .nearest(argument, self.tags.iter().map(String::as_str));
                None
            }
            _ => {
                let (queue, sla) = match argument.split_once('@') {
                    Some((queue, sla)) => (queue, Some(sla)),
                    None => (argument, None),
                };
                let sla = match sla.map(time::duration) {
                    None => None,
                    Some(Some(d)) if d > SignedDuration::ZERO => Some(d),
                    Some(_) => {
                        let message = format!("\"{}\": no length of time after @", written.value);
                        self.sink
                            .error(&written.span, message)
                            .help("write for example escalate:level3@2h");
                        return None;
                    }
                };
                let queue = at(queue);
                self.known_queue(&queue)
                    .then_some(EffectAction::Escalate { queue: queue.value, sla })
            }
        }
    }
}
