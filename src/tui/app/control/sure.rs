//! One question before anything else that changes containment: what will happen, and why.

use crossterm::event::KeyEvent;

use super::super::line::Line;
use super::super::{Effect, Overlay, State};
use super::ago;
use crate::domain::ControlScope;
use crate::protocol::{CanaryAct, Command, IncidentAct};
use crate::tui::keymap::Action;

/// What is sent when a restart was asked for without words.
const UNSAID: &str = "asked in the app; no reason was typed";

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlAct {
    /// Ask to restart a scope.
    Resume(ControlScope),
    /// Put what was automatic in a scope before people.
    Requeue(ControlScope),
    /// Release a freeze, by its id.
    Release(String),
    /// Acknowledge an incident, by its id.
    Acknowledge(String),
    /// Resolve an incident, by its id.
    Resolve(String),
    /// Promote the canary of a model.
    Promote(String),
    /// Roll the canary of a model back.
    RollBack(String),
    /// Send an effect again, by its key.
    Redeliver(String),
    /// Take the lease of an item from whoever holds it.
    TakeBack(String),
}

impl ControlAct {
    /// What is done, in words, with what it is done to.
    pub fn title(&self) -> String {
        match self {
            Self::Resume(scope) => format!("restart {scope}"),
            Self::Requeue(scope) => format!("review again in {scope}"),
            Self::Release(id) => format!("release freeze {id}"),
            Self::Acknowledge(id) => format!("acknowledge incident {id}"),
            Self::Resolve(id) => format!("resolve incident {id}"),
            Self::Promote(model) => format!("promote the canary of {model}"),
            Self::RollBack(model) => format!("roll back the canary of {model}"),
            Self::Redeliver(key) => format!("send {key} again"),
            Self::TakeBack(item) => format!("take {item} back"),
        }
    }

    /// What comes of it, a sentence.
    pub fn effect(&self) -> &'static str {
        match self {
            Self::Resume(_) => "Automation restarts when enough different people have asked.",
            Self::Requeue(_) => "What was automatic there since then goes before people again.",
            Self::Release(_) => "Decisions like the corrected one go their usual way again.",
            Self::Acknowledge(_) => "You are on it: it is not announced again.",
            Self::Resolve(_) => "It is over; the next time it fires it is a new incident.",
            Self::Promote(_) => "The new version gets everything, and is the one in use.",
            Self::RollBack(_) => "The new version gets nothing; callers use the baseline.",
            Self::Redeliver(_) => "It is tried at once, whatever was held or gave up.",
            Self::TakeBack(_) => {
                "Whoever has it in hand loses it, and is told; it is free at once."
            }
        }
    }

    /// What the line is called; `None` where there is nothing to say.
    pub fn asks(&self) -> Option<&'static str> {
        match self {
            Self::Redeliver(_) | Self::TakeBack(_) => None,
            Self::Acknowledge(_) | Self::Resolve(_) => Some("note"),
            _ => Some("reason"),
        }
    }

    /// It is not done without a word.
    fn needs_words(&self) -> bool {
        !matches!(
            self,
            Self::Resume(_) | Self::Acknowledge(_) | Self::Redeliver(_) | Self::TakeBack(_)
        )
    }
}

/// The question.
#[derive(Clone, Debug)]
pub struct SureForm {
    pub act: ControlAct,
    /// A requeue: since how long ago (`1h`).
    pub since: Option<Line>,
    pub words: Line,
    /// The keys go to `since`.
    pub in_since: bool,
    pub fault: Option<String>,
}

impl SureForm {
    fn new(act: ControlAct) -> Self {
        let since = matches!(act, ControlAct::Requeue(_)).then(|| Line::with("1h"));
        Self { act, in_since: since.is_some(), since, words: Line::default(), fault: None }
    }

    fn field(&mut self) -> Option<&mut Line> {
        match (self.in_since, &mut self.since) {
            (true, Some(since)) => Some(since),
            _ if self.act.asks().is_some() => Some(&mut self.words),
            _ => None,
        }
    }

    pub(in crate::tui::app) fn typed(&mut self, event: &KeyEvent) {
        self.fault = None;
        if let Some(field) = self.field() {
            field.key(event);
        }
    }

    pub(in crate::tui::app) fn pasted(&mut self, text: &str) {
        self.fault = None;
        if let Some(field) = self.field() {
            field.insert(text);
        }
    }
}

impl State {
    /// Asks before it is done.
    pub(in crate::tui::app) fn open_sure(&mut self, act: ControlAct) -> Vec<Effect> {
        self.open(Overlay::Sure(Box::new(SureForm::new(act))));
        Vec::new()
    }

    pub(in crate::tui::app) fn sure_act(&mut self, action: Action) -> Vec<Effect> {
        let Some(Overlay::Sure(form)) = self.overlays.last_mut() else { return Vec::new() };
        match action {
            Action::Back => self.close(),
            Action::PaneNext | Action::PanePrev | Action::Down | Action::Up => {
                form.in_since = form.since.is_some() && !form.in_since;
            }
            Action::Submit => return self.send_sure(),
            _ => {}
        }
        Vec::new()
    }

    fn send_sure(&mut self) -> Vec<Effect> {
        let now = self.desk_now();
        let Some(Overlay::Sure(form)) = self.overlays.last_mut() else { return Vec::new() };
        let words = form.words.said();
        let since = form.since.as_ref().map(|s| ago(s.text()));
        if since == Some(None) {
            form.in_since = true;
            form.fault = Some("how long ago did it begin? 30m, 2h or 1d".to_owned());
            return Vec::new();
        }
        if words.is_none() && form.act.needs_words() {
            form.in_since = false;
            form.fault = Some("say why, for the trail".to_owned());
            return Vec::new();
        }
        let reason = words.clone().unwrap_or_else(|| UNSAID.to_owned());
        let act = form.act.clone();
        let command = match act.clone() {
            ControlAct::Resume(scope) => Command::Resume { scope, reason },
            ControlAct::Requeue(scope) => {
                let ago = since.flatten().unwrap_or_default();
                let since = now.checked_sub(ago).unwrap_or(now);
                Command::Requeue { scope, since, reason }
            }
            ControlAct::Release(id) => Command::ReleaseFreeze { id, reason },
            ControlAct::Acknowledge(id) => {
                Command::Incident { id, act: IncidentAct::Acknowledge, note: words }
            }
            ControlAct::Resolve(id) => {
                Command::Incident { id, act: IncidentAct::Resolve, note: words }
            }
            ControlAct::Promote(model) => Command::Canary(CanaryAct::Promote { model, reason }),
            ControlAct::RollBack(model) => Command::Canary(CanaryAct::Rollback { model, reason }),
            ControlAct::Redeliver(key) => Command::Redeliver { key },
            ControlAct::TakeBack(item) => Command::TakeBack { item },
        };
        self.close();
        self.order(command, act.title(), None)
    }
}
