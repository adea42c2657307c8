//! The app without a terminal: state and messages in, next state and effects out. Pure.
//!
//! [`State::update`] does no I/O and knows no clock but the time in the message. The runtime turns
//! effects into tasks and what comes of them back into messages.

mod act;
mod asks;
mod audit;
mod blind;
mod bulk;
mod containment;
mod control;
mod distribution;
mod edit;
pub mod filter;
mod find;
mod ids;
pub mod item;
mod keys;
mod learning;
mod lease;
mod leave;
pub mod line;
pub mod list;
mod look;
mod moving;
mod msg;
mod outbox;
mod overlay;
mod pages;
mod painted;
mod reason;
mod rows;
pub mod signals;
mod slot;
#[cfg(test)]
mod tests;
mod timers;
pub mod toast;
mod undo;
pub mod verdict;
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use asks::Purpose;
pub use audit::{Audit, Verify};
pub use blind::BlindForm;
pub use bulk::{BulkForm, BulkVerdict};
pub use containment::{Containment, ControlRow};
pub use control::{Control, ControlAct, KillField, KillForm, MODES, SureForm, people};
pub use distribution::Opened;
pub use edit::{EditField, EditForm, SyntaxFault, show_output};
pub use find::{FilterForm, Palette, QueuePicker};
pub use learning::Learning;
pub use leave::Ending;
pub use look::{IncidentLine, IncidentPage, Look};
pub use moving::{MoveField, MoveForm};
pub use msg::{Effect, Msg, What};
pub use overlay::Overlay;
pub use pages::{Help, Page, PageKind};
pub use painted::{Countdown, Painted};
pub use reason::{Field, ReasonFor, ReasonForm};
pub use signals::Signals;
pub use watched::Watched;

use crate::domain::Timestamp;
use crate::protocol::{Draft, Header, ItemView, PolicyView, Row};
use crate::tui::Problem;
use crate::tui::keymap::Keymap;
use ids::Ids;
use item::{Kept, Shown};
use keys::Keys;
use list::List;
use slot::Slot;
use toast::Toast;
use verdict::Verdicts;

/// The six views, in the order of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Queue,
    Signals,
    Containment,
    Audit,
    Learning,
    Policy,
}

impl View {
    /// All views, in the order of their keys.
    pub const ALL: [Self; 6] =
        [Self::Queue, Self::Signals, Self::Containment, Self::Audit, Self::Learning, Self::Policy];
}

/// Which half of the queue view has the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pane {
    List,
    Item,
}

/// What the app starts with.
#[derive(Clone, Debug)]
pub struct Start {
    /// Wall time.
    pub now: Timestamp,
    /// The reviewer's name.
    pub me: String,
    pub keymap: Arc<Keymap>,
    /// Columns and rows.
    pub size: (u16, u16),
    /// 64 random bits, for request ids.
    pub seed: u64,
    /// Whether the reviewer can sign verdicts here.
    pub signs: bool,
    /// Show the card of the first minute.
    pub hint: bool,
    /// Faults of the user's own files, to be told.
    pub problems: Vec<Problem>,
    /// Where the reviewer's clock stands.
    pub zone: jiff::tz::TimeZone,
}

/// Everything the app knows.
#[derive(Debug)]
pub struct State {
    pub me: String,
    /// Wall time of the latest message.
    pub now: Timestamp,
    /// When a key was pressed last.
    active: Timestamp,
    pub size: (u16, u16),
    pub header: Option<Header>,
    header_at: Timestamp,
    pub header_failed: Option<crate::protocol::Refused>,
    pub policy: Option<Arc<PolicyView>>,
    pub view: View,
    pub pane: Pane,
    /// The queue picked to work from; `None`: all.
    pub queue: Option<String>,
    pub list: List,
    pub shown: Option<Shown>,
    /// Views taken so far.
    views: u64,
    kept: Kept,
    item_slot: Slot<String>,
    leasing: Option<u64>,
    prefetching: Option<u64>,
    prefetch_failed: Option<String>,
    /// Where in the list the item stood that was just decided.
    went_from: Option<usize>,
    pub verdicts: Verdicts,
    /// What was typed and not sent, by item.
    drafts: BTreeMap<String, Draft>,
    /// The newest of the verdicts that had waited whose fate was told here.
    told: u64,
    pub last_reason: Option<reason::Reason>,
    pub marks: BTreeMap<String, Row>,
    pub skipped: BTreeSet<String>,
    pub overlays: Vec<Overlay>,
    pub toasts: Vec<Toast>,
    pub keys: Keys,
    pub audit: Audit,
    pub signals: Signals,
    pub containment: Containment,
    pub control: Control,
    pub learning: Learning,
    /// First line of the views that are one page.
    pub page_scroll: usize,
    /// The item's parts stay folded even while it has the keyboard.
    pub folded: bool,
    /// The reviewer's own editor has the text.
    pub outside: bool,
    /// The card of the first minute is up.
    pub hint: bool,
    pub signs: bool,
    pub painted: Painted,
    painted_at: Timestamp,
    refreshed_at: Timestamp,
    refresh_due: Option<Timestamp>,
    header_slot: Slot<()>,
    pub zone: jiff::tz::TimeZone,
    asked: BTreeMap<u64, Purpose>,
    tickets: u64,
    ids: Ids,
    pub ending: Option<Ending>,
    /// A frame is owed.
    pub dirty: bool,
}

impl State {
    /// The app before anything has happened.
    pub fn new(start: Start) -> Self {
        let Start { now, me, keymap, size, seed, signs, hint, problems, zone } = start;
        let mut state = Self {
            me,
            now,
            active: now,
            size,
            header: None,
            header_at: now,
            header_failed: None,
            policy: None,
            view: View::Queue,
            pane: Pane::List,
            queue: None,
            list: List::default(),
            shown: None,
            views: 0,
            kept: Kept::default(),
            item_slot: Slot::default(),
            leasing: None,
            prefetching: None,
            prefetch_failed: None,
            went_from: None,
            verdicts: Verdicts::default(),
            drafts: BTreeMap::new(),
            told: 0,
            last_reason: None,
            marks: BTreeMap::new(),
            skipped: BTreeSet::new(),
            overlays: Vec::new(),
            toasts: Vec::new(),
            keys: Keys::new(keymap),
            audit: Audit::default(),
            signals: Signals::default(),
            containment: Containment::default(),
            control: Control::default(),
            learning: Learning::default(),
            page_scroll: 0,
            folded: false,
            outside: false,
            hint,
            signs,
            painted: Painted::default(),
            painted_at: now,
            refreshed_at: now,
            refresh_due: None,
            header_slot: Slot::default(),
            zone,
            asked: BTreeMap::new(),
            tickets: 0,
            ids: Ids::new(seed),
            ending: None,
            dirty: true,
        };
        state.list.height = usize::from(size.1).saturating_sub(4).max(1);
        // The first ones in full; all of them are told by a command made for it.
        let more = problems.len().saturating_sub(2);
        for problem in problems.iter().take(2) {
            state.toast(toast::Tone::Bad, problem.to_string());
        }
        if more > 0 {
            let hint = Some("overrule doctor tells them all".to_owned());
            state.toast_hint(
                toast::Tone::Bad,
                format!("and {more} more faults in your files"),
                hint,
            );
        }
        state
    }

    /// Something happened: the state changes, and these things are to be done.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        self.now = self.now.max(msg.at);
        match msg.what {
            What::Started => self.started(),
            What::Key(event) => self.key(&event),
            What::Paste(text) => self.paste(&text),
            What::Resized(columns, rows) => {
                self.size = (columns, rows);
                self.dirty = true;
                Vec::new()
            }
            What::Chosen(action) => self.act(action),
            What::Control(act) => self.open_sure(act),
            What::Window(window) => {
                self.signals.choose(&window);
                self.reread_signals()
            }
            What::Bar(number) => self.open_bar(number),
            What::Look(id) => self.open_look(&id),
            What::Woke => self.woke(),
            What::Changed(_) => self.refresh(),
            What::Replied(ticket, reply) => self.replied(ticket, reply.map(|r| *r)),
            What::Answered(ticket, answer) => self.answered(ticket, answer.map(|a| *a)),
            What::Verifying(ticket, done, all) => self.verifying(ticket, done, all),
            What::Verified(ticket, report) => self.verified(ticket, report.map(|r| *r)),
            What::Edited(result) => self.edited_outside(result),
            What::Painted(painted) => self.was_painted(painted),
            What::Resumed => {
                self.dirty = true;
                let mut effects = vec![Effect::Redraw];
                effects.extend(self.refresh());
                effects
            }
            What::Stop => self.stop(),
        }
    }

    fn started(&mut self) -> Vec<Effect> {
        let mut effects = self.refresh_header();
        let (_, policy) = self.ask(Purpose::Policy, crate::protocol::Query::Policy);
        effects.push(policy);
        effects.extend(self.load_rows());
        effects
    }

    fn policy_came(&mut self, policy: PolicyView) -> Vec<Effect> {
        self.dirty |= self.policy.as_deref() != Some(&policy);
        self.policy = Some(Arc::new(policy));
        Vec::new()
    }

    fn was_painted(&mut self, painted: Painted) -> Vec<Effect> {
        self.painted_at = self.now;
        self.item_painted(painted.item.as_ref());
        let grew = painted.list_height > self.list.height;
        if painted.list_height > 0 && painted.list_height != self.list.height {
            self.list.height = painted.list_height;
            self.list.show_selected();
        }
        self.painted = painted;
        if grew { self.load_rows() } else { Vec::new() }
    }

    /// Desk time: what the header said, and what has passed since. The record clock stands still.
    pub fn desk_now(&self) -> Timestamp {
        match &self.header {
            Some(h) if h.clock == "record" => h.now,
            Some(h) => {
                let passed = self.now.duration_since(self.header_at);
                h.now.checked_add(passed).unwrap_or(h.now)
            }
            None => self.now,
        }
    }

    /// The item on show, when it is loaded.
    pub fn item(&self) -> Option<&Arc<ItemView>> {
        self.shown.as_ref()?.view.as_ref()
    }

    /// A draft of an item: what was typed here last, or what the desk kept.
    pub fn draft(&self, id: &str) -> Option<&Draft> {
        self.drafts.get(id).or_else(|| self.item().filter(|v| v.id == id)?.draft.as_ref())
    }
}
