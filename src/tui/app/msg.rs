//! What happens to the app ([`Msg`]) and what the app wants done ([`Effect`]).

use crossterm::event::KeyEvent;

use super::ControlAct;
use super::painted::Painted;
use crate::domain::Timestamp;
use crate::protocol::{Answer, Change, Command, Query, Refused, Reply, VerifyAsk, VerifyReport};
use crate::tui::keymap::Action;

/// Something happened, and when: the only clock the app has.
#[derive(Clone, Debug, PartialEq)]
pub struct Msg {
    /// Wall time, never running backwards.
    pub at: Timestamp,
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The app starts.
    Started,
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted (bracketed paste).
    Paste(String),
    /// The screen has this many columns and rows now.
    Resized(u16, u16),
    /// A person chose an action by name (the palette, the linear mode).
    Chosen(Action),
    /// A person named what to do in containment, and to what (the linear mode).
    Control(ControlAct),
    /// A person named a window of the signals (the linear mode).
    Window(String),
    /// A person named a bar of drift by its number, from 0 (the linear mode).
    Bar(usize),
    /// A person named a decision to look at (the linear mode).
    Look(String),
    /// The time asked for by `State::wake` has come.
    Woke,
    /// The log grew.
    Changed(Change),
    /// A query's reply.
    Replied(u64, Result<Box<Reply>, Refused>),
    /// A command's answer.
    Answered(u64, Result<Box<Answer>, Refused>),
    /// How far a verification is: entries done, entries in all.
    Verifying(u64, u64, u64),
    /// A verification ended.
    Verified(u64, Result<Box<VerifyReport>, Refused>),
    /// The external editor ended: the new text, `None` when nothing was changed, or what failed.
    Edited(Result<Option<String>, String>),
    /// A frame was painted.
    Painted(Painted),
    /// The screen is ours again after a stop (`fg`).
    Resumed,
    /// Somebody asks the program to end (a signal).
    Stop,
}

/// What the app wants done. Results come back as messages under the same ticket.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Ask the desk.
    Ask { ticket: u64, query: Query },
    /// Tell the desk, in no particular order.
    Tell { ticket: u64, command: Command },
    /// Tell the desk something that must not be lost or overtaken: one is under way at a time,
    /// and the program does not end before its answer. `sign`: a person's signature goes with it.
    Submit { ticket: u64, command: Command, sign: bool },
    /// What became of these verdicts that had waited is told: not again.
    Shown(Vec<u64>),
    /// Nobody waits for this reply any more.
    Cancel { ticket: u64 },
    /// Verify the trail.
    Verify { ticket: u64, ask: VerifyAsk },
    /// Put this on the person's clipboard.
    Copy(String),
    /// Let the person edit `text` in their own editor; `suffix` names the kind of file (`.json`).
    Edit { text: String, suffix: &'static str },
    /// Give the screen back to the shell until `fg`.
    Suspend,
    /// Paint everything anew.
    Redraw,
    /// End. Everything submitted has been answered.
    Quit,
}
