//! Everything a person can do in the app, in one list: palette, help, hints and docs read it.

use super::Context;

/// What an action can cost, from nothing to stopping a company's automation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Danger {
    /// Moves, shows, asks. Nothing outside the screen changes.
    Plain,
    /// Puts a verdict on an item: it must have been painted, and key repeat and paste never do it.
    Decides,
    /// Reaches beyond the items in hand. Never on a single bare key; asks again before it acts.
    Destructive,
}

/// What is known of an action.
#[derive(Debug, PartialEq, Eq)]
pub struct Info {
    /// The name in keymap files: `item.accept`.
    pub id: &'static str,
    /// Two or three words for hints: `accept`.
    pub title: &'static str,
    /// One sentence for help and palette.
    pub help: &'static str,
    /// Where it means something; a context stands for every one under it ([`Context::parent`]).
    pub contexts: &'static [Context],
    pub danger: Danger,
}

/// Makes the enum, the list and the table from one place, so that none can miss an action.
macro_rules! actions {
    ($($name:ident $id:literal $title:literal [$($context:ident)+] $danger:ident $help:literal;)+) => {
        /// Everything that can be done in the app. What it does stands in one line of the list
        /// in this file; `match` keeps the app complete.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $(#[doc = $help] $name,)+
        }

        impl Action {
            /// Every action, in the order help shows them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// What is known of it.
            pub fn info(self) -> &'static Info {
                match self {
                    $(Self::$name => &Info {
                        id: $id,
                        title: $title,
                        help: $help,
                        contexts: &[$(Context::$context,)+],
                        danger: Danger::$danger,
                    },)+
                }
            }
        }
    };
}

actions! {
    Accept "item.accept" "accept" [Review] Decides
        "Accept the proposal as it is.";
    Edit "item.edit" "edit" [Review] Decides
        "Correct the proposal in the editor; sending it is the verdict.";
    Reject "item.reject" "reject" [Review] Decides
        "Reject the proposal: choose tags, add a note, send.";
    Escalate "item.escalate" "escalate" [Review] Decides
        "Move the item to another queue, up or down.";
    Skip "item.skip" "skip" [Review] Decides
        "Give the item back undecided and go to the next.";
    Undo "item.undo" "undo" [Review] Plain
        "Take back the last verdict while its grace time runs.";
    Answer "item.answer" "answer" [Review] Decides
        "Give your own answer to a blind item; the proposal is shown afterwards.";
    Flag "item.flag" "flag" [Review Audit Learning] Plain
        "Open a new review of a settled decision.";
    Guideline "item.guideline" "guideline" [Review Help] Plain
        "Show what to check for this kind of item.";
    RepeatReason "item.repeat-reason" "repeat reason" [Review Tags Prompt] Plain
        "Fill in the tags and note of your last reject.";
    ExternalEditor "item.external-editor" "external editor" [Review Editor Prompt] Plain
        "Edit in the program named by VISUAL or EDITOR.";
    RawView "item.raw" "code points" [Review Audit Help] Plain
        "Show the text as code points, hidden characters and all.";
    CopyId "item.copy-id" "copy id" [Review Signals Containment Audit Learning] Plain
        "Copy the id under the cursor to the clipboard.";
    TakeAlong "item.take-along" "take along" [Queue] Plain
        "Lease every marked item, so that they stay workable while the desk is away.";
    TakeBack "item.take-back" "take lease back" [Review] Plain
        "Take the item out of somebody's hands (admins).";
    Mark "item.mark" "mark" [Review] Plain
        "Mark the item for a bulk verdict, or unmark it.";
    MarkAll "item.mark-all" "mark shown" [Queue] Plain
        "Mark every item the screen shows, or unmark all.";
    BulkAccept "bulk.accept" "accept marked" [Queue] Destructive
        "Accept every marked item, after typing how many there are.";
    BulkReject "bulk.reject" "reject marked" [Queue] Destructive
        "Reject every marked item with one reason, after typing how many there are.";

    Open "nav.open" "open" [Global] Plain
        "Open what is under the cursor.";
    Back "nav.back" "back" [Global Typing Modal] Plain
        "Go back one step; a draft is kept.";
    Submit "nav.submit" "send" [Typing Modal] Plain
        "Send what was typed, or say yes to what is asked.";
    Fold "nav.fold" "fold" [Item Audit Learning Policy] Plain
        "Fold or unfold the part under the cursor.";
    PaneNext "pane.next" "next pane" [Global Typing Modal] Plain
        "Go to the next pane or field.";
    PanePrev "pane.prev" "previous pane" [Global Typing Modal] Plain
        "Go to the previous pane or field.";
    Down "move.down" "down" [Global Typing Modal] Plain
        "Move one line down.";
    Up "move.up" "up" [Global Typing Modal] Plain
        "Move one line up.";
    Top "move.top" "top" [Global] Plain
        "Go to the first line.";
    Bottom "move.bottom" "bottom" [Global] Plain
        "Go to the last line.";
    HalfPageDown "move.half-page-down" "half page down" [Global] Plain
        "Move half a page down.";
    HalfPageUp "move.half-page-up" "half page up" [Global] Plain
        "Move half a page up.";
    PageDown "move.page-down" "page down" [Global Typing Modal] Plain
        "Move a page down.";
    PageUp "move.page-up" "page up" [Global Typing Modal] Plain
        "Move a page up.";

    Filter "find.filter" "filter" [Global] Plain
        "Show only what matches.";
    NextMatch "find.next" "next match" [Global] Plain
        "Go to the next match.";
    PrevMatch "find.prev" "previous match" [Global] Plain
        "Go to the previous match.";
    PickQueue "queue.pick" "pick queue" [Queue] Plain
        "Choose the queue to work from.";

    ViewQueue "view.queue" "queue" [Global] Plain
        "Go to the queue: what waits for people.";
    ViewSignals "view.signals" "signals" [Global] Plain
        "Go to the signals: override rates, drift, calibration, SLA.";
    ViewContainment "view.containment" "containment" [Global] Plain
        "Go to containment: switches, canaries, incidents, freezes.";
    ViewAudit "view.audit" "audit" [Global] Plain
        "Go to the audit trail.";
    ViewLearning "view.learning" "learning" [Global] Plain
        "Go to learning: what corrections teach.";
    ViewPolicy "view.policy" "policy" [Global] Plain
        "Go to the policy in force.";
    ViewNext "view.next" "next view" [Global] Plain
        "Go to the view on the right.";
    ViewPrev "view.prev" "previous view" [Global] Plain
        "Go to the view on the left.";
    Window "signals.window" "longer window" [Signals] Plain
        "Show the next longer window of time: 15m, 1h, 24h, 7d, 28d, 90d, and again 15m.";
    WindowBack "signals.window-back" "shorter window" [Signals] Plain
        "Show the next shorter window of time.";
    SliceBy "signals.slice" "slice by" [Signals] Plain
        "Slice override rates by the next dimension: cohort, model, domain, queue and so on.";
    SliceBack "signals.slice-back" "slice back" [Signals] Plain
        "Slice override rates by the dimension before.";
    VerifyAudit "audit.verify" "verify" [Audit] Plain
        "Check every entry of the audit trail and its signatures.";
    Kill "kill.open" "kill switch" [Global] Destructive
        "Stop automation: choose the scope, type its name.";
    KillHere "kill.here" "stop here" [Signals Containment] Plain
        "Stop automation where the cursor is; its name is typed to confirm.";
    ResumeHere "kill.resume" "restart" [Containment] Plain
        "Ask to restart automation where the cursor is.";
    Requeue "kill.requeue" "review again" [Containment] Plain
        "Put what was automatic where the cursor is before people again.";
    Acknowledge "incident.acknowledge" "acknowledge" [Containment] Plain
        "Say that you are on the incident.";
    Resolve "incident.resolve" "resolve" [Containment] Plain
        "Close the incident with a note.";
    ReleaseFreeze "freeze.release" "release" [Containment] Plain
        "Let decisions like a corrected one go their usual way again.";
    Promote "canary.promote" "promote" [Containment] Plain
        "Give the canary everything: it becomes the version in use.";
    RollBack "canary.roll-back" "roll back" [Containment] Plain
        "Give the canary nothing: the baseline decides alone.";
    Redeliver "outgoing.redeliver" "send again" [Containment] Plain
        "Try an effect that was held or could not be delivered again, now.";

    Help "app.help" "help" [Global Typing Modal] Plain
        "Show the keys that work here.";
    Palette "app.palette" "palette" [Global] Plain
        "Find an action by name and run it.";
    Refresh "app.refresh" "refresh" [Global] Plain
        "Read everything on screen again.";
    Redraw "app.redraw" "redraw" [Global Typing Modal] Plain
        "Paint the whole screen again.";
    Suspend "app.suspend" "suspend" [Global Typing Modal] Plain
        "Go back to the shell; `fg` returns.";
    Quit "app.quit" "close" [Global] Plain
        "Close what is open; at the last screen, quit.";
}

impl Action {
    /// The name in keymap files.
    pub fn id(self) -> &'static str {
        self.info().id
    }

    /// Two or three words for hints.
    pub fn title(self) -> &'static str {
        self.info().title
    }

    /// One sentence for help and palette.
    pub fn help(self) -> &'static str {
        self.info().help
    }

    /// What it can cost.
    pub fn danger(self) -> Danger {
        self.info().danger
    }

    /// The action with this name in keymap files.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.id() == id)
    }

    /// Whether it means something in `context`: listed for it or for one above it.
    pub fn works_in(self, context: Context) -> bool {
        context.chain().any(|c| self.info().contexts.contains(&c))
    }

    /// Whether a table for `context` may name it: it works there, or in a context under it.
    pub fn may_stand_in(self, context: Context) -> bool {
        self.works_in(context)
            || self.info().contexts.iter().any(|c| c.chain().any(|above| above == context))
    }
}
