//! The nouns of the desk and their invariants: decisions, routes, items, reviews, reviewers. Pure.

mod clash;
mod contained;
mod correction;
mod decision;
mod fault;
mod item;
pub mod life;
pub mod record;
mod reviewer;
mod route;
mod scope;
mod token;
mod verdict;

pub use clash::Clash;
pub use contained::{
    CanaryDraw, Contained, Frozen, OverBudget, StopMode, Stopped, Tripped, TurnedAway,
};
pub use correction::{Content, Corrected, Correction, RouteRef};
pub use decision::{Decision, Member, Model, Output, Source};
pub use fault::{Fault, FaultKind};
pub use item::{Approval, Item, ItemState, Kind, Pending};
pub use reviewer::{Reviewer, Role};
pub use route::{DATAOPS, Facts, Fallback, Outcome, Route, Sample, SampleKind};
pub use scope::{ControlScope, ScopeError};
pub use token::{Token, TokenScope};
pub use verdict::{Review, Verdict, VerdictKind};

/// A point in time. Desk time is stored with millisecond precision.
pub use jiff::Timestamp;
