//! The rules of a policy as they are kept once checked.

use jiff::SignedDuration;

use super::lang::Compiled;
use super::lang::fields::{Field, Scope};
use super::lang::ir::Test;
use super::nouns::EffectAction;

/// Where a route sends a decision.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    Auto,
    Block,
    Queue { queue: String, sla: Option<SignedDuration>, priority: i64 },
}

/// A `[[route]]` or `[[output_check]]`.
#[derive(Debug)]
pub(super) struct RouteRule {
    pub(super) id: String,
    pub(super) when: Compiled,
    pub(super) to: Target,
    /// Line of the file, from 1.
    pub(super) line: usize,
}

/// `[default]`.
#[derive(Debug)]
pub(super) struct DefaultRule {
    pub(super) to: Target,
    pub(super) expect: Option<Compiled>,
    pub(super) line: usize,
}

/// A `[[require]]`.
#[derive(Debug)]
pub(super) struct RequireRule {
    pub(super) id: String,
    pub(super) when: Compiled,
    /// At least one queue.
    pub(super) approvals: Vec<String>,
    pub(super) line: usize,
}

/// A `[[sample]]`.
#[derive(Debug)]
pub(super) struct SampleRule {
    pub(super) id: String,
    pub(super) when: Compiled,
    /// It has a condition: what it draws is targeted, not random.
    pub(super) targeted: bool,
    /// 0..=1.
    pub(super) rate: f64,
    pub(super) to: String,
    pub(super) line: usize,
}

/// An `[[effect]]`.
#[derive(Debug)]
pub(super) struct EffectRule {
    pub(super) id: String,
    pub(super) on: On,
    pub(super) when: Compiled,
    pub(super) actions: Vec<EffectAction>,
    pub(super) cooldown: Option<SignedDuration>,
    /// Where people read what to do.
    pub(super) runbook: Option<String>,
    pub(super) line: usize,
}

/// How long before the due time an effect that reads `breached` alone is asked, in minutes.
const SOON: i64 = 5;
/// The longest time before it that any effect is asked, in minutes: a day.
const EARLIEST: f64 = 1_440.0;

impl EffectRule {
    /// How many minutes before the due time it wants to be asked: the largest number that its
    /// condition compares `minutes_left` with; `None` where it reads nothing of the time left.
    pub(super) fn forewarned(&self) -> Option<i64> {
        let of = |test: &Test| match test {
            Test::Number(_, c) => c.value,
            Test::NumberIn(_, c) => c.value.iter().copied().fold(0.0, f64::max),
            _ => 0.0,
        };
        let atoms = self.when.ir.atoms();
        let minutes = atoms.iter().filter_map(|atom| match atom.field.field {
            Field::MinutesLeft => Some(whole(of(&atom.test)).max(SOON)),
            Field::Breached => Some(SOON),
            _ => None,
        });
        minutes.max()
    }
}

/// Minutes rounded up, at most a day.
#[expect(clippy::cast_possible_truncation, reason = "clamped before")]
fn whole(minutes: f64) -> i64 {
    minutes.ceil().clamp(0.0, EARLIEST) as i64
}

/// What an effect watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Decision,
    Review,
    Window { window: SignedDuration, each: super::limits::Each },
    Sla,
    Feedback,
}

impl On {
    pub(super) fn scope(self) -> Scope {
        match self {
            Self::Decision => Scope::Decision,
            Self::Review => Scope::Review,
            Self::Window { .. } => Scope::Window,
            Self::Sla => Scope::Sla,
            Self::Feedback => Scope::Feedback,
        }
    }
}
