//! The signals view: which window and slices, where the cursor is, what was read.

use std::sync::Arc;

use super::act::moved;
use super::distribution::Opened;
use super::watched::Watched;
use super::{Effect, Purpose, State, View};
use crate::domain::{ControlScope, Timestamp};
use crate::protocol::{
    CalibrationView, DriftView, Query, Refused, Reply, SignalsAsk, SignalsView, SlaView, SliceName,
    SliceView,
};
use crate::tui::keymap::Action;

/// The windows, shortest first.
pub const WINDOWS: [&str; 6] = ["15m", "1h", "24h", "7d", "28d", "90d"];
/// The dimensions override rates can be sliced by.
pub const DIMENSIONS: [&str; 7] =
    ["cohort", "model", "domain", "queue", "reviewer", "rule", "overall"];

/// Which part of the view has the cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    #[default]
    Overrides,
    Drift,
    Calibration,
    Service,
}

impl Part {
    /// All parts, in reading order.
    pub const ALL: [Self; 4] = [Self::Overrides, Self::Drift, Self::Calibration, Self::Service];
}

/// The view.
#[derive(Clone, Debug)]
pub struct Signals {
    /// Index into [`WINDOWS`].
    window: usize,
    /// Index into [`DIMENSIONS`].
    dimension: usize,
    /// Drift of this slice; `None`: of every model.
    pub slice: Option<String>,
    pub seen: Watched<SignalsView>,
    pub part: Part,
    /// What the cursor of each part is on, by name: rows may move under it.
    at: [Option<String>; 4],
    /// A feature opened to its two distributions.
    pub opened: Option<Opened>,
}

impl Default for Signals {
    fn default() -> Self {
        Self {
            window: 2,
            dimension: 0,
            slice: None,
            seen: Watched::default(),
            part: Part::default(),
            at: [const { None }; 4],
            opened: None,
        }
    }
}

/// A slice in one word: `model:m@1`; all decisions are `overall`.
pub fn slice_word(slice: &SliceName) -> String {
    match slice.iter().next() {
        Some((dimension, value)) if dimension != "overall" => format!("{dimension}:{value}"),
        _ => "overall".to_owned(),
    }
}

/// The slice as a scope of the kill switch, where it is one.
fn slice_scope(slice: &SliceName) -> Option<ControlScope> {
    let (dimension, value) = slice.iter().next()?;
    match dimension.as_str() {
        "cohort" | "model" | "domain" => format!("{dimension}={value}").parse().ok(),
        "overall" => Some(ControlScope::All),
        _ => None,
    }
}

impl Signals {
    /// The window chosen.
    pub fn window(&self) -> &'static str {
        WINDOWS.get(self.window).copied().unwrap_or("24h")
    }

    /// The dimension chosen.
    pub fn dimension(&self) -> &'static str {
        DIMENSIONS.get(self.dimension).copied().unwrap_or("overall")
    }

    pub(super) fn turn_window(&mut self, by: usize) {
        self.window = (self.window + by) % WINDOWS.len();
    }

    /// Chooses a window by name; `false` if there is none of that name.
    pub(super) fn choose(&mut self, window: &str) -> bool {
        let index = WINDOWS.iter().position(|w| *w == window);
        self.window = index.unwrap_or(self.window);
        index.is_some()
    }

    /// What is asked for now.
    pub fn ask(&self) -> SignalsAsk {
        SignalsAsk {
            window: self.window().to_owned(),
            by: Some(self.dimension().to_owned()),
            slice: self.slice.clone(),
        }
    }

    /// Slices of the chosen dimension, as the desk orders them.
    pub fn slices(&self) -> Vec<&SliceView> {
        let wanted = self.dimension();
        let all = self.seen.view.iter().flat_map(|v| &v.slices);
        all.filter(|s| match s.slice.keys().next() {
            Some(dimension) => dimension == wanted,
            None => wanted == "overall",
        })
        .collect()
    }

    /// Features that moved most first; those without enough data last.
    pub fn drift(&self) -> Vec<&DriftView> {
        let mut all: Vec<_> = self.seen.view.iter().flat_map(|v| &v.drift).collect();
        all.sort_by(|a, b| {
            let psi = |d: &DriftView| d.psi.filter(|p| p.is_finite()).unwrap_or(-1.0);
            let unsure = |d: &DriftView| d.verdict == "not_enough_data";
            unsure(a)
                .cmp(&unsure(b))
                .then(psi(b).total_cmp(&psi(a)))
                .then_with(|| (&a.slice, &a.feature).cmp(&(&b.slice, &b.feature)))
        });
        all
    }

    fn calibration(&self) -> &[CalibrationView] {
        self.seen.view.as_ref().map_or(&[], |v| &v.calibration)
    }

    fn service(&self) -> &[SlaView] {
        self.seen.view.as_ref().map_or(&[], |v| &v.sla)
    }

    /// Names of a part's rows, in the order they are shown.
    fn names(&self, part: Part) -> Vec<String> {
        match part {
            Part::Overrides => self.slices().iter().map(|s| slice_word(&s.slice)).collect(),
            Part::Drift => self.drift().iter().map(|d| drift_name(d)).collect(),
            Part::Calibration => self.calibration().iter().map(|c| c.model.clone()).collect(),
            Part::Service => self.service().iter().map(|s| s.queue.clone()).collect(),
        }
    }

    /// The row of a part under its cursor: the first where what it was on is gone.
    pub fn selected(&self, part: Part) -> usize {
        let at = self.at.get(part as usize).and_then(Option::as_ref);
        at.and_then(|at| self.names(part).iter().position(|n| n == at)).unwrap_or(0)
    }

    fn select(&mut self, part: Part, index: usize) {
        let name = self.names(part).into_iter().nth(index);
        if let Some(at) = self.at.get_mut(part as usize) {
            *at = name;
        }
    }

    /// The slice under the cursor, for the kill switch.
    pub fn scope_here(&self) -> Option<ControlScope> {
        if let Some(opened) = &self.opened {
            let (dimension, value) = opened.slice.split_once(':')?;
            return slice_scope(&[(dimension.to_owned(), value.to_owned())].into());
        }
        let at = self.selected(self.part);
        match self.part {
            Part::Overrides => slice_scope(&self.slices().get(at)?.slice),
            Part::Drift => slice_scope(&self.drift().get(at)?.slice),
            Part::Calibration => {
                format!("model={}", self.calibration().get(at)?.model).parse().ok()
            }
            Part::Service => None,
        }
    }
}

/// Drift of a slice that several models decided is told apart by its model.
fn drift_name(drift: &DriftView) -> String {
    let parts: Vec<String> = drift.slice.iter().map(|(k, v)| format!("{k}:{v}")).collect();
    format!("{} {}", parts.join(" "), drift.feature)
}

impl State {
    /// Reads the figures now, or when their time comes.
    pub(super) fn refresh_signals(&mut self) -> Vec<Effect> {
        if !self.signals.seen.news(self.now) {
            return Vec::new();
        }
        let ask = self.signals.ask();
        let (ticket, effect) = self.ask(Purpose::Signals, Query::Signals(ask));
        self.signals.seen.started(ticket, self.now);
        vec![effect]
    }

    /// Other figures are wanted: what was being read is nobody's any more.
    pub(super) fn reread_signals(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(ticket) = self.signals.seen.forget() {
            self.asked.remove(&ticket);
            effects.push(Effect::Cancel { ticket });
        }
        effects.extend(self.refresh_signals());
        self.dirty = true;
        effects
    }

    pub(super) fn signals_came(
        &mut self,
        ticket: u64,
        reply: Result<Reply, Refused>,
    ) -> Vec<Effect> {
        let reply = match reply {
            Ok(Reply::Signals(view)) => Ok(*view),
            other => Err(super::asks::failure(other)),
        };
        // Time alone changes nothing that is shown.
        let same = |old: &SignalsView, new: &SignalsView| {
            *old == SignalsView { now: old.now, ..new.clone() }
        };
        let news = self.signals.seen.came(ticket, reply, same);
        self.dirty |= news == Some(true) && self.view == View::Signals;
        Vec::new()
    }

    /// When the figures, or the switches, are read again.
    pub(super) fn watched_wake(&self) -> Option<Timestamp> {
        match self.view {
            View::Signals => self.signals.seen.due(),
            View::Containment => self.containment.seen.due(),
            _ => None,
        }
    }

    /// The time has come to read what changed.
    pub(super) fn watched_due(&mut self) -> Vec<Effect> {
        match self.watched_wake() {
            Some(at) if at <= self.now => self.refresh_view(),
            _ => Vec::new(),
        }
    }

    pub(super) fn signals_act(&mut self, action: Action) -> Vec<Effect> {
        if self.signals.opened.is_some() {
            return self.distribution_act(action);
        }
        let signals = &mut self.signals;
        let dimensions = DIMENSIONS.len();
        match action {
            Action::Window => signals.turn_window(1),
            Action::WindowBack => signals.turn_window(WINDOWS.len() - 1),
            Action::SliceBy => signals.dimension = (signals.dimension + 1) % dimensions,
            Action::SliceBack => {
                signals.dimension = (signals.dimension + dimensions - 1) % dimensions;
            }
            Action::PaneNext | Action::PanePrev => {
                let at = Part::ALL.iter().position(|p| *p == signals.part).unwrap_or(0);
                let by = if action == Action::PaneNext { 1 } else { Part::ALL.len() - 1 };
                signals.part = Part::ALL.iter().cycle().nth(at + by).copied().unwrap_or_default();
                return Vec::new();
            }
            Action::Open => return self.open_signal(),
            Action::Back => {
                if !self.toasts.is_empty() {
                    self.toasts.clear();
                    return Vec::new();
                }
                if signals.slice.take().is_none() {
                    return Vec::new();
                }
            }
            Action::KillHere | Action::Kill => return self.open_kill(),
            Action::CopyId => return self.copy_id(),
            _ => {
                let part = signals.part;
                let rows = signals.names(part).len();
                let at = moved(signals.selected(part), action, rows, self.painted.room);
                signals.select(part, at);
                return Vec::new();
            }
        }
        self.reread_signals()
    }

    /// Enter: a slice shows its own drift; a feature its two distributions.
    fn open_signal(&mut self) -> Vec<Effect> {
        let signals = &mut self.signals;
        let at = signals.selected(signals.part);
        match signals.part {
            Part::Overrides => {
                let Some(word) = signals.slices().get(at).map(|s| slice_word(&s.slice)) else {
                    return Vec::new();
                };
                signals.slice = Some(word);
                signals.part = Part::Drift;
                self.reread_signals()
            }
            Part::Drift => {
                let Some((slice, feature)) =
                    signals.drift().get(at).map(|d| (slice_word(&d.slice), d.feature.clone()))
                else {
                    return Vec::new();
                };
                self.open_distribution(slice, feature)
            }
            Part::Calibration => {
                let Some(model) = signals.calibration().get(at).map(|c| c.model.clone()) else {
                    return Vec::new();
                };
                signals.slice = Some(format!("model:{model}"));
                signals.part = Part::Drift;
                self.reread_signals()
            }
            Part::Service => {
                let Some(queue) = signals.service().get(at).map(|s| s.queue.clone()) else {
                    return Vec::new();
                };
                self.queue = Some(queue);
                let text = self.list.filter_text.clone();
                let mut effects = self.go(View::Queue);
                effects.extend(self.set_filter(&text));
                effects
            }
        }
    }

    /// Opens the drift with this number, from 0, as [`Signals::drift`] orders them.
    pub(super) fn open_bar(&mut self, number: usize) -> Vec<Effect> {
        let bar =
            self.signals.drift().get(number).map(|d| (slice_word(&d.slice), d.feature.clone()));
        let Some((slice, feature)) = bar else { return Vec::new() };
        let mut effects = self.go(View::Signals);
        self.signals.part = Part::Drift;
        self.signals.select(Part::Drift, number);
        effects.extend(self.open_distribution(slice, feature));
        effects
    }

    /// What the id under the cursor is, in the signals view.
    pub(super) fn signal_id(&self) -> Option<String> {
        if let Some(opened) = &self.signals.opened {
            return opened.here().map(str::to_owned);
        }
        let part = self.signals.part;
        self.signals.names(part).into_iter().nth(self.signals.selected(part))
    }

    /// The figures, when they are those asked for now and nothing newer is on its way.
    pub fn signals_ready(&self) -> Option<Result<Arc<SignalsView>, Refused>> {
        self.signals.seen.ready()
    }
}
