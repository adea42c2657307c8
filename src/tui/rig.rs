//! The app with hands and eyes: types keys, passes time, reads the screen. No terminal, no tasks.

use std::sync::Arc;

use crossterm::event::{KeyEvent, KeyModifiers};
use futures_util::FutureExt;
use jiff::SignedDuration;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::app::{Effect, Msg, Start, State, What};
use super::fake::{FakeDesk, start};
use super::keymap::{Key, Keymap};
use super::screens::{self, Cache};
use super::theme::{Background, Depth, Terminal as Look, Theme};
use crate::domain::Timestamp;
use crate::protocol::{Change, Desk};

pub struct Rig {
    pub state: State,
    pub desk: Arc<FakeDesk>,
    pub now: Timestamp,
    pub terminal: Terminal<TestBackend>,
    pub theme: Theme,
    cache: Cache,
    /// Effects that no desk answers.
    pub effects: Vec<Effect>,
    /// Answers are held back, in order.
    pub hold: bool,
    pub held: Vec<What>,
    pub frames: usize,
}

pub fn theme(depth: Depth) -> Theme {
    Theme::load("auto", None, Look { depth, background: Background::Dark }).0
}

impl Rig {
    pub fn new(desk: FakeDesk, columns: u16, rows: u16) -> Self {
        Self::with(desk, columns, rows, |_| {})
    }

    pub fn with(desk: FakeDesk, columns: u16, rows: u16, change: impl FnOnce(&mut Start)) -> Self {
        let mut begin = Start {
            now: start(),
            me: "ann".into(),
            keymap: Arc::new(Keymap::load("default", None).0),
            size: (columns, rows),
            seed: 7,
            signs: false,
            hint: false,
            problems: Vec::new(),
            zone: jiff::tz::TimeZone::UTC,
        };
        change(&mut begin);
        let mut rig = Self {
            state: State::new(begin),
            desk: Arc::new(desk),
            now: start(),
            terminal: Terminal::new(TestBackend::new(columns, rows)).unwrap(),
            theme: theme(Depth::True),
            cache: Cache::default(),
            effects: Vec::new(),
            hold: false,
            held: Vec::new(),
            frames: 0,
        };
        rig.tell(What::Started);
        rig.pass(200);
        rig
    }

    /// Another look, for everything.
    pub fn wear(&mut self, theme: Theme) {
        self.theme = theme;
        self.cache = Cache::default();
        self.state.dirty = true;
        self.paint();
    }

    /// A full queue at 120x36.
    pub fn stocked() -> Self {
        Self::new(FakeDesk::stocked(), 120, 36)
    }

    pub fn tell(&mut self, what: What) {
        self.send(what);
        self.paint();
    }

    fn send(&mut self, what: What) {
        let mut queue = std::collections::VecDeque::from([what]);
        while let Some(what) = queue.pop_front() {
            for effect in self.state.update(Msg { at: self.now, what }) {
                match self.answer(&effect) {
                    Some(what) if self.hold => self.held.push(what),
                    Some(what) => queue.push_back(what),
                    None => self.effects.push(effect),
                }
            }
        }
    }

    fn answer(&self, effect: &Effect) -> Option<What> {
        match effect.clone() {
            Effect::Ask { ticket, query } => {
                let reply = self.desk.ask("ann", query).now_or_never().unwrap();
                Some(What::Replied(ticket, reply.map(Box::new)))
            }
            Effect::Tell { ticket, command } | Effect::Submit { ticket, command, .. } => {
                let answer = self.desk.execute("ann", command).now_or_never().unwrap();
                Some(What::Answered(ticket, answer.map(Box::new)))
            }
            Effect::Verify { ticket, ask } => {
                let report = self.desk.verify(ask, Box::new(|_, _| {})).now_or_never().unwrap();
                Some(What::Verified(ticket, report.map(Box::new)))
            }
            _ => None,
        }
    }

    /// Gives the answers that were held back.
    pub fn let_go(&mut self) {
        self.hold = false;
        for what in std::mem::take(&mut self.held) {
            self.send(what);
        }
        self.paint();
    }

    pub fn paint(&mut self) {
        for _ in 0..4 {
            if !self.state.dirty {
                return;
            }
            self.state.dirty = false;
            let (state, theme, cache) = (&self.state, &self.theme, &mut self.cache);
            let mut painted = None;
            self.terminal
                .draw(|frame| painted = Some(screens::draw(frame, state, theme, cache)))
                .unwrap();
            self.frames += 1;
            self.send(What::Painted(painted.unwrap()));
        }
    }

    /// Lets so many milliseconds pass; timers ring on the way.
    pub fn pass(&mut self, ms: i64) {
        let end = self.now + SignedDuration::from_millis(ms);
        for _ in 0..10_000 {
            let Some(wake) = self.state.wake().filter(|w| *w <= end) else { break };
            let before = self.now;
            self.now = self.now.max(wake);
            self.desk.set_now(self.now);
            self.tell(What::Woke);
            assert!(
                self.now > before || self.state.wake().is_none_or(|w| w > self.now),
                "a timer rings without end at {}",
                self.now
            );
        }
        self.now = end;
        self.desk.set_now(end);
    }

    /// The log grew: everything is looked at again.
    pub fn change(&mut self) {
        let head = self.desk.inside().log.len() as u64;
        self.tell(What::Changed(Change { head, generation: 1 }));
        self.pass(300);
    }

    /// Presses keys as a person does, a moment apart: `"r f Enter"`, `"g g"`.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        for word in keys.split(' ').filter(|w| !w.is_empty()) {
            self.pass(150);
            let key = Key::parse(word).unwrap();
            self.tell(What::Key(KeyEvent::new(key.code(), key.modifiers())));
        }
        self.pass(10);
        self
    }

    /// Types a text.
    pub fn type_text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.pass(20);
            let code = crossterm::event::KeyCode::Char(c);
            self.tell(What::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        }
        self
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.terminal.backend_mut().resize(columns, rows);
        self.tell(What::Resized(columns, rows));
    }

    pub fn buffer(&self) -> &Buffer {
        self.terminal.backend().buffer()
    }

    /// What is on the screen, line by line, blanks at the ends cut.
    pub fn screen(&self) -> String {
        let buffer = self.buffer();
        let mut out = String::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            let mut skip = 0;
            for x in 0..buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                line.push_str(symbol);
                skip = crate::text::width(symbol).saturating_sub(1);
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// The screen with its looks: runs of one style named by the roles that give it.
    pub fn styled(&self) -> String {
        let buffer = self.buffer();
        let mut out = String::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            let mut last = None;
            for x in 0..buffer.area.width {
                let cell = &buffer[(x, y)];
                let style = cell.style();
                if last != Some(style) {
                    line.push_str(&format!("⟦{}⟧", self.role(style)));
                    last = Some(style);
                }
                line.push_str(cell.symbol());
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// The role a style comes from, `+` the selection's under it; else the style itself.
    fn role(&self, style: ratatui::style::Style) -> String {
        use super::theme::Role;
        let same = |look: ratatui::style::Style| {
            let plain = ratatui::style::Color::Reset;
            look.fg.unwrap_or(plain) == style.fg.unwrap_or(plain)
                && look.bg.unwrap_or(plain) == style.bg.unwrap_or(plain)
                && look.add_modifier == style.add_modifier
        };
        let under = self.theme.style(Role::Selection);
        let plain = Role::ALL.iter().find(|r| same(self.theme.style(**r)));
        let on = || Role::ALL.iter().find(|r| same(under.patch(self.theme.style(**r))));
        match plain {
            Some(role) => role.id().to_owned(),
            None => on().map_or_else(|| short(style), |r| format!("{}+selection", r.id())),
        }
    }

    pub fn selected(&self) -> Option<&str> {
        self.state.list.selected.as_deref()
    }

    pub fn shown(&self) -> Option<&str> {
        self.state.shown.as_ref().map(|s| s.id.as_str())
    }

    pub fn toasts(&self) -> String {
        self.state.toasts.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join("\n")
    }
}

fn short(style: ratatui::style::Style) -> String {
    let mut out = String::new();
    if let Some(fg) = style.fg {
        out.push_str(&format!("{fg:?}"));
    }
    if style.bg.is_some_and(|b| b != ratatui::style::Color::Reset) {
        out.push_str(&format!(" on {:?}", style.bg));
    }
    if !style.add_modifier.is_empty() {
        out.push_str(&format!(" {:?}", style.add_modifier));
    }
    out.replace("Reset", "")
}
