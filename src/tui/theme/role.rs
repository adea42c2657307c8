//! What a piece of text is, as a theme sees it: screens name roles, never colours.

/// Makes the enum and its names from one list.
macro_rules! roles {
    ($($name:ident $id:literal $doc:literal;)+) => {
        /// A meaning that a theme gives a look. A name with a dot falls back to what is before it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Role {
            $(#[doc = $doc] $name,)+
        }

        impl Role {
            /// Every role.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name in theme files.
            pub fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)+
                }
            }

            /// What it is for, in a sentence.
            pub fn help(self) -> &'static str {
                match self {
                    $(Self::$name => $doc,)+
                }
            }
        }
    };
}

roles! {
    Text "text" "Body text; the terminal's own colours.";
    Dim "text.dim" "What may be overlooked: ids, units, hints, history.";
    Strong "text.strong" "What the eye should find first: the proposal, a total.";
    Accent "accent" "Here: the cursor's sign, the active view, the open pane.";
    Selection "selection" "The row under the cursor.";
    Marked "selection.marked" "A row marked for a bulk verdict.";
    Border "border" "Thin rules between panes and around overlays.";
    BorderFocus "border.focus" "The border of what has the keyboard.";
    Title "title" "The title of a view or an overlay.";
    Heading "title.section" "A heading within a page: WHY HERE, PROPOSAL.";
    Ok "ok" "Good, done, in time.";
    Warn "warn" "Look at this.";
    Danger "danger" "Over a limit, late, killed, irreversible.";
    Uncertain "uncertain" "Not enough data to say yes or no.";
    Hidden "hidden" "A character made visible that the text wanted hidden.";
    Added "diff.added" "Words that came in.";
    Removed "diff.removed" "Words that went out.";
    Match "match" "What the filter found.";
    Bar "bar" "The filled part of a bar.";
    BarEmpty "bar.empty" "The rest of a bar.";
    BarOver "bar.over" "The part of a bar beyond a limit.";
    Chart "chart" "Points, lines and columns of a chart.";
    ChartReference "chart.reference" "What a chart is compared with: a baseline, a limit.";
    ChartInterval "chart.interval" "How sure a point is: its interval.";
    Key "key" "A key a person can press.";
    KeyLabel "key.label" "What the key does.";
    Banner "banner" "A line across the screen: news.";
    BannerWarn "banner.warn" "A line across the screen: look at this.";
    BannerDanger "banner.danger" "A line across the screen: automation is stopped, the trail is broken.";
    StateOn "state.on" "Automation runs.";
    StateLimited "state.limited" "Automation runs under a limit.";
    StatePaused "state.paused" "Automation waits for people.";
    StateKilled "state.killed" "Automation is stopped.";
    DueSoon "due.soon" "Little time is left.";
    DueLate "due.late" "Past its time.";
    Accepted "verdict.accept" "An accepted item.";
    Edited "verdict.edit" "An edited item.";
    Rejected "verdict.reject" "A rejected item.";
    Escalated "verdict.escalate" "An item moved to other people.";
    Input "input" "What is being typed.";
    InputHint "input.hint" "What could be typed.";
    InputFault "input.fault" "Typed text that is wrong, where it is wrong.";
    InputCursor "input.cursor" "The text cursor.";
}

impl Role {
    /// The role with this name in theme files.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.id() == id)
    }

    /// Where it stands in [`Role::ALL`].
    pub(super) fn index(self) -> usize {
        // Fieldless and without explicit values: the cast is the position.
        self as usize
    }
}
