//! Where a key is pressed: a tree, each context falling back to the one above it.

/// A place keys are looked up in; also the name of a table in a keymap file.
///
/// There are three roots, so that a letter can never be taken for a command by accident:
/// [`Global`](Self::Global) (letters are commands), [`Typing`](Self::Typing) (letters are text)
/// and [`Modal`](Self::Modal) (a question stands open: only its answers work).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// Every view and page where letters are commands.
    Global,
    /// Wherever an item can be decided: the queue and the open item.
    Review,
    /// The list of what waits.
    Queue,
    /// The open item.
    Item,
    Signals,
    Containment,
    Audit,
    Learning,
    Policy,
    /// The help page.
    Help,
    /// Wherever letters are text.
    Typing,
    /// The text area of an edit, with many lines.
    Editor,
    /// One line: a note, a typed scope, a count.
    Prompt,
    /// The filter line above a list.
    Filter,
    /// The action palette.
    Palette,
    /// The sheet where letters choose tags.
    Tags,
    /// An open question (a notice, a clash, a confirmation): letters do nothing by themselves.
    Modal,
}

impl Context {
    /// Every context, roots before what is under them.
    pub const ALL: &'static [Self] = &[
        Self::Global,
        Self::Review,
        Self::Queue,
        Self::Item,
        Self::Signals,
        Self::Containment,
        Self::Audit,
        Self::Learning,
        Self::Policy,
        Self::Help,
        Self::Typing,
        Self::Editor,
        Self::Prompt,
        Self::Filter,
        Self::Palette,
        Self::Tags,
        Self::Modal,
    ];

    /// The name of its table in keymap files.
    pub fn id(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Review => "review",
            Self::Queue => "queue",
            Self::Item => "item",
            Self::Signals => "signals",
            Self::Containment => "containment",
            Self::Audit => "audit",
            Self::Learning => "learning",
            Self::Policy => "policy",
            Self::Help => "help",
            Self::Typing => "typing",
            Self::Editor => "editor",
            Self::Prompt => "prompt",
            Self::Filter => "filter",
            Self::Palette => "palette",
            Self::Tags => "tags",
            Self::Modal => "modal",
        }
    }

    /// The context with this name in keymap files.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.id() == id)
    }

    /// Where a key unknown here is looked up next.
    pub fn parent(self) -> Option<Self> {
        match self {
            Self::Global | Self::Typing | Self::Modal => None,
            Self::Queue | Self::Item => Some(Self::Review),
            Self::Review
            | Self::Signals
            | Self::Containment
            | Self::Audit
            | Self::Learning
            | Self::Policy
            | Self::Help => Some(Self::Global),
            Self::Editor | Self::Prompt | Self::Filter | Self::Palette | Self::Tags => {
                Some(Self::Typing)
            }
        }
    }

    /// This context, the one above it, and so on to its root.
    pub fn chain(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |c| c.parent())
    }

    /// Letters are text here (or choose a tag): a key without an action goes to the field.
    pub fn is_typing(self) -> bool {
        self.chain().any(|c| c == Self::Typing)
    }
}
