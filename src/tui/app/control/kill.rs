//! The kill switch: a scope, a way to stop, why; then the scope's word, typed by hand.

use crossterm::event::{KeyCode, KeyEvent};

use super::super::line::Line;
use super::super::{Effect, Overlay, State, View};
use crate::domain::ControlScope;
use crate::protocol::{Command, KillMode};
use crate::tui::keymap::Action;

/// The ways to stop, and what each does.
pub const MODES: [(&str, &str); 3] = [
    ("human", "everything goes to people"),
    ("block", "nothing may be done"),
    ("last-good", "callers use the version before"),
];

/// What is sent when nobody had time to say why.
const UNSAID: &str = "stopped in the app; no reason was typed";

/// Which line has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillField {
    Scope,
    Mode,
    /// Only with `last-good`.
    Version,
    Reason,
    Word,
}

/// The form.
#[derive(Clone, Debug)]
pub struct KillForm {
    /// Scopes to choose from: the nearest to what was under the cursor first.
    pub choices: Vec<ControlScope>,
    pub scope: Line,
    /// Index into [`MODES`].
    pub mode: usize,
    pub version: Line,
    pub reason: Line,
    pub word: Line,
    pub field: KillField,
    pub fault: Option<String>,
}

impl KillForm {
    fn new(choices: Vec<ControlScope>) -> Self {
        let first = choices.first().map(ToString::to_string).unwrap_or_default();
        Self {
            choices,
            scope: Line::with(&first),
            mode: 0,
            version: Line::default(),
            reason: Line::default(),
            word: Line::default(),
            field: KillField::Scope,
            fault: None,
        }
    }

    /// What would be stopped, as it stands in its field.
    pub fn target(&self) -> Result<ControlScope, String> {
        let text = self.scope.text().trim();
        text.parse().map_err(|e: crate::domain::ScopeError| e.to_string())
    }

    /// The mode as the desk is told it.
    fn kill_mode(&self) -> KillMode {
        match self.mode {
            1 => KillMode::Block,
            2 => KillMode::LastGood { version: self.version.said() },
            _ => KillMode::Human,
        }
    }

    /// Where the scope in its field stands among the choices.
    pub fn chosen(&self) -> Option<usize> {
        let scope = self.target().ok()?;
        self.choices.iter().position(|c| *c == scope)
    }

    fn fields(&self) -> Vec<KillField> {
        use KillField as F;
        match self.mode {
            2 => vec![F::Scope, F::Mode, F::Version, F::Reason, F::Word],
            _ => vec![F::Scope, F::Mode, F::Reason, F::Word],
        }
    }

    fn next_field(&mut self, forward: bool) {
        let fields = self.fields();
        let at = fields.iter().position(|f| *f == self.field).unwrap_or(0);
        let by = if forward { 1 } else { fields.len() - 1 };
        self.field = fields.iter().cycle().nth(at + by).copied().unwrap_or(KillField::Scope);
    }

    /// Up and down choose where there is something to choose; elsewhere they change the field.
    fn step(&mut self, forward: bool) {
        match self.field {
            KillField::Scope => {
                let n = self.choices.len().max(1);
                let next = match (self.chosen(), forward) {
                    (Some(at), true) => (at + 1) % n,
                    (Some(at), false) => (at + n - 1) % n,
                    (None, _) => 0,
                };
                if let Some(choice) = self.choices.get(next) {
                    self.scope = Line::with(&choice.to_string());
                    self.word.clear();
                }
            }
            KillField::Mode => self.turn_mode(forward),
            KillField::Version | KillField::Reason | KillField::Word => self.next_field(forward),
        }
    }

    fn turn_mode(&mut self, forward: bool) {
        let by = if forward { 1 } else { MODES.len() - 1 };
        self.mode = (self.mode + by) % MODES.len();
    }

    pub(in crate::tui::app) fn typed(&mut self, event: &KeyEvent) {
        self.fault = None;
        match self.field {
            // Another scope, another word.
            KillField::Scope => {
                if self.scope.key(event) {
                    self.word.clear();
                }
            }
            KillField::Mode => match event.code {
                KeyCode::Left => self.turn_mode(false),
                KeyCode::Right | KeyCode::Char(' ') => self.turn_mode(true),
                KeyCode::Char(c) => {
                    let at = MODES.iter().position(|(name, _)| name.starts_with(c));
                    self.mode = at.unwrap_or(self.mode);
                }
                _ => {}
            },
            KillField::Version => drop(self.version.key(event)),
            KillField::Reason => drop(self.reason.key(event)),
            KillField::Word => drop(self.word.key(event)),
        }
    }

    pub(in crate::tui::app) fn pasted(&mut self, text: &str) {
        self.fault = None;
        match self.field {
            KillField::Scope => {
                self.scope.insert(text);
                self.word.clear();
            }
            KillField::Version => self.version.insert(text),
            KillField::Reason => self.reason.insert(text),
            KillField::Mode => {}
            KillField::Word => {
                self.fault = Some("the word is typed by hand, never pasted".to_owned());
            }
        }
    }

    /// What is still missing; where to go for it.
    fn missing(&self) -> Option<(KillField, String)> {
        let scope = match self.target() {
            Ok(scope) => scope,
            Err(fault) => return Some((KillField::Scope, fault)),
        };
        if self.mode == 2 && !matches!(scope, ControlScope::Model { .. }) {
            let text = "last-good needs a model as its scope".to_owned();
            return Some((KillField::Mode, text));
        }
        match self.word.text().trim() == scope.word() {
            true => None,
            false => Some((KillField::Word, "not that word; nothing is stopped".to_owned())),
        }
    }
}

impl State {
    /// Opens the kill switch, whatever else is going on; its scope is what the cursor is on.
    pub(in crate::tui::app) fn open_kill(&mut self) -> Vec<Effect> {
        let form = KillForm::new(self.kill_choices());
        self.open(Overlay::Kill(Box::new(form)));
        // How much it would stop is worth knowing, but nothing waits for it.
        self.refresh_containment()
    }

    /// Scopes around what is under the cursor, the nearest first; then all; then the switches.
    fn kill_choices(&self) -> Vec<ControlScope> {
        let mut choices = match self.view {
            View::Containment => {
                self.containment.here().and_then(|r| r.scope()).into_iter().collect()
            }
            View::Signals => self.signals.scope_here().into_iter().collect(),
            View::Queue => self.scopes_of_item(),
            View::Audit | View::Learning | View::Policy => Vec::new(),
        };
        if let Some(ControlScope::Model { name, version: Some(_) }) = choices.first()
            && choices.len() == 1
        {
            choices.push(ControlScope::Model { name: name.clone(), version: None });
        }
        choices.push(ControlScope::All);
        let switches = self.containment.seen.view.iter().flat_map(|v| &v.switches);
        for scope in switches.map(|s| &s.scope) {
            if !choices.contains(scope) {
                choices.push(scope.clone());
            }
        }
        choices
    }

    /// Model and version, model, domain, action and cohorts of the item on show; of its row while
    /// it is loading.
    fn scopes_of_item(&self) -> Vec<ControlScope> {
        let mut scopes = Vec::new();
        if let Some(view) = self.item() {
            let text = |path: &str| {
                let found = view.record.pointer(path).and_then(serde_json::Value::as_str);
                found.filter(|t| !t.is_empty()).map(str::to_owned)
            };
            if let Some(name) = text("/model/name") {
                if let Some(version) = text("/model/version") {
                    scopes.push(ControlScope::Model { name: name.clone(), version: Some(version) });
                }
                scopes.push(ControlScope::Model { name, version: None });
            }
            scopes.extend(text("/domain").map(ControlScope::Domain));
            scopes.extend(view.current.as_ref().map(|c| ControlScope::Action(c.action.clone())));
            match view.record.get("cohort") {
                Some(serde_json::Value::String(group)) => scopes.push(ControlScope::Cohort {
                    dimension: "cohort".to_owned(),
                    group: group.clone(),
                }),
                Some(serde_json::Value::Object(groups)) => {
                    scopes.extend(groups.iter().filter_map(|(dimension, group)| {
                        let (dimension, group) = (dimension.clone(), group.as_str()?.to_owned());
                        Some(ControlScope::Cohort { dimension, group })
                    }));
                }
                _ => {}
            }
        } else if let Some(row) = self.list.row() {
            scopes.extend(format!("model={}", row.model).parse().ok());
            scopes.push(ControlScope::Domain(row.domain.clone()));
            scopes.extend(row.action.clone().map(ControlScope::Action));
        }
        // What cannot be written as a scope cannot be stopped by it: such a name is no choice.
        scopes.retain(|s| s.to_string().parse().as_ref() == Ok(s));
        scopes
    }

    pub(in crate::tui::app) fn kill_act(&mut self, action: Action) -> Vec<Effect> {
        let Some(Overlay::Kill(form)) = self.overlays.last_mut() else { return Vec::new() };
        match action {
            Action::PaneNext => form.next_field(true),
            Action::PanePrev => form.next_field(false),
            Action::Down => form.step(true),
            Action::Up => form.step(false),
            Action::Back => self.close(),
            // Enter goes to the one line that must be typed, and from there it stops.
            Action::Submit if form.field != KillField::Word => {
                form.fault = None;
                match form.missing() {
                    Some((field, fault)) if field != KillField::Word => {
                        form.field = field;
                        form.fault = Some(fault);
                    }
                    _ => form.field = KillField::Word,
                }
            }
            Action::Submit => return self.send_kill(),
            _ => {}
        }
        Vec::new()
    }

    fn send_kill(&mut self) -> Vec<Effect> {
        let Some(Overlay::Kill(form)) = self.overlays.last_mut() else { return Vec::new() };
        if let Some((field, fault)) = form.missing() {
            form.field = field;
            form.fault = Some(fault);
            return Vec::new();
        }
        let Ok(scope) = form.target() else { return Vec::new() };
        let reason = form.reason.said().unwrap_or_else(|| UNSAID.to_owned());
        let command = Command::Kill { scope: scope.clone(), mode: form.kill_mode(), reason };
        let form = form.clone();
        self.close();
        self.order(command, format!("stopping {scope}"), Some(form))
    }
}
