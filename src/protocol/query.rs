//! What can be asked of a desk, and the replies.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    ContainmentView, DecisionView, DistributionView, Draft, EntryView, ExplainView, Header,
    IncidentView, InputAsk, InputCheck, ItemView, Page, PolicyView, RefusedLine, SignalsAsk,
    SignalsView, SyncView,
};
use crate::domain::{Correction, Fault, Reviewer, Timestamp, Token};

/// Everything that can be asked. Nothing here changes anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub enum Query {
    /// Who am I, what waits, how is automation: the header of every screen.
    Header,
    /// A page of the queue, in order.
    Page(PageAsk),
    /// One item in full (as far as the asker may see it).
    Item {
        id: String,
    },
    /// What became of a decision, for whoever submitted it.
    Decision {
        id: String,
    },
    /// The asker's draft for an item.
    Draft {
        id: String,
    },
    /// The policy in force, as screens need it.
    Policy,
    /// Why a decision went where it went, recomputed.
    Explain {
        id: String,
    },
    /// Faults of an edited output against the domain's schema; where it `repairs` an item, of the
    /// whole record that it is.
    CheckOutput {
        domain: String,
        output: Value,
        #[serde(default)]
        repairs: Option<String>,
    },
    /// An input before the model has seen it: the domain's schema, and the model's reference.
    CheckInput(InputAsk),
    /// Dead letters from number `after` on.
    Refused {
        after: u64,
        limit: usize,
    },
    Reviewers,
    /// Tokens, without what would open anything.
    Tokens,
    /// Trail entries of an item or all, from index `from` on.
    Entries {
        item: Option<String>,
        from: u64,
        limit: usize,
    },
    /// Labelled examples, oldest first, after the `after`th.
    Corrections {
        since: Option<Timestamp>,
        after: u64,
        limit: usize,
    },
    /// Corrections of other desks, a part at a time: 0, then what the reply names.
    Received {
        since: Option<Timestamp>,
        part: u64,
    },
    /// A proof file (C2SP tlog-proof) that the item's last entry, or entry `index`, is in the log.
    Prove {
        item: String,
    },
    /// What the desk measures: override rates, drift, calibration, SLA, flow.
    Signals(SignalsAsk),
    /// One feature of a slice (`model:m@1`): its distribution against the reference.
    Distribution {
        slice: String,
        feature: String,
        window: String,
    },
    /// Everything that contains automation.
    Containment,
    /// One incident with its timeline.
    Incident {
        id: String,
    },
    /// What waits to go out into the world, and how each backend of corrections stands.
    Sync,
}

impl Query {
    /// What is asked for, in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Page(_) => "page",
            Self::Item { .. } => "item",
            Self::Decision { .. } => "decision",
            Self::Draft { .. } => "draft",
            Self::Policy => "policy",
            Self::Explain { .. } => "explain",
            Self::CheckOutput { .. } => "check_output",
            Self::CheckInput(_) => "check_input",
            Self::Refused { .. } => "refused",
            Self::Reviewers => "reviewers",
            Self::Tokens => "tokens",
            Self::Entries { .. } => "entries",
            Self::Corrections { .. } => "corrections",
            Self::Received { .. } => "received",
            Self::Prove { .. } => "prove",
            Self::Signals(_) => "signals",
            Self::Distribution { .. } => "distribution",
            Self::Containment => "containment",
            Self::Incident { .. } => "incident",
            Self::Sync => "sync",
        }
    }
}

/// A page of rows to fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageAsk {
    pub filter: Filter,
    /// Rows after this one (exclusive), in queue order.
    pub after: Option<Cursor>,
    /// Rows before this one (exclusive); the page still comes in queue order.
    pub before: Option<Cursor>,
    /// The last page.
    #[serde(default)]
    pub from_end: bool,
    /// 1..=500.
    pub limit: usize,
    /// The asker has this queue open (all of theirs, where none is named) and looks again within a
    /// minute: others are told that they are there. Scripts leave it out.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub here: bool,
}

/// A place in queue order: `(due_minute, priority descending, due_at, id)` as one ascending key.
/// Opaque to doors; print it and hand it back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// Which items. All given parts must hold. An empty filter: every open item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    pub queue: Option<String>,
    pub domain: Option<String>,
    /// `group`, or `dimension:group`.
    pub cohort: Option<String>,
    /// `name`, or `name@version`.
    pub model: Option<String>,
    pub rule: Option<String>,
    pub level: Option<u8>,
    pub tag: Option<String>,
    /// Items that the asker decided (settled ones too).
    pub by_me: bool,
    /// Only what the asker may take: queues of their level and below. Says nothing where a queue,
    /// a level or `by_me` is asked for by name.
    #[serde(default)]
    pub mine: bool,
    /// Free text in the record, matched without regard to case; a streaming scan over bodies.
    pub text: Option<String>,
}

/// What a query found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Header(Box<Header>),
    Page(Page),
    Item(Box<ItemView>),
    Decision(Box<DecisionView>),
    Draft(Option<Draft>),
    Policy(Box<PolicyView>),
    Explain(Box<ExplainView>),
    Faults(Vec<Fault>),
    InputCheck(InputCheck),
    Refused {
        refused: Vec<RefusedLine>,
        next: Option<u64>,
    },
    Reviewers(Vec<Reviewer>),
    Tokens(Vec<Token>),
    Entries {
        entries: Vec<EntryView>,
        next: Option<u64>,
        total: u64,
    },
    Corrections {
        corrections: Vec<Correction>,
        next: Option<u64>,
    },
    /// As they came, with `origin` and `seq`.
    Received {
        lines: Vec<Value>,
        next: Option<u64>,
    },
    Proof(String),
    Signals(Box<SignalsView>),
    Distribution(Box<DistributionView>),
    Containment(Box<ContainmentView>),
    Incident(Box<IncidentView>),
    Sync(Box<SyncView>),
}
