//! The clock of a queue: what was in time, what is late or at risk now, and when it will break.

use serde::{Deserialize, Serialize};

use super::intervals::{ALPHA, Interval, wilson};

/// Verdicts that had a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub decided: u64,
    pub in_time: u64,
}

/// Compliance of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compliance {
    /// `in_time / decided`.
    pub share: f64,
    /// 95 % Wilson.
    pub interval: Interval,
}

/// Share in time; `None` without verdicts.
#[allow(clippy::cast_precision_loss, reason = "counts of verdicts stay far below 2^53")]
pub fn compliance(kept: Kept) -> Option<Compliance> {
    let in_time = kept.in_time.min(kept.decided);
    let interval = wilson(in_time, kept.decided, ALPHA)?;
    Some(Compliance { share: in_time as f64 / kept.decided as f64, interval })
}

/// How an item that waits stands against its due time. Times are milliseconds on one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    InTime,
    /// Less than a fifth of the time it had is left.
    AtRisk,
    /// The due time has come.
    Late,
}

/// The part of the given time that must be left for an item not to be at risk.
const RISK: i64 = 5;

/// Where an item stands that came at `entered` and is due at `due`.
pub fn clock(entered: i64, due: i64, now: i64) -> Clock {
    if now >= due {
        Clock::Late
    } else if now >= warning_at(entered, due) {
        Clock::AtRisk
    } else {
        Clock::InTime
    }
}

/// When an item that came at `entered` becomes at risk: four fifths of its time are gone.
fn warning_at(entered: i64, due: i64) -> i64 {
    due.saturating_sub(due.saturating_sub(entered).max(0) / RISK)
}

/// Those that wait, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub late: u64,
    pub at_risk: u64,
    pub in_time: u64,
}

impl Waiting {
    /// Counts (entered, due) pairs at `now`.
    pub fn count(items: impl IntoIterator<Item = (i64, i64)>, now: i64) -> Self {
        let mut counted = Self::default();
        for (entered, due) in items {
            match clock(entered, due, now) {
                Clock::Late => counted.late += 1,
                Clock::AtRisk => counted.at_risk += 1,
                Clock::InTime => counted.in_time += 1,
            }
        }
        counted
    }
}

/// A queue as people work through it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Items an hour that come, and that people decide.
    pub arrivals: f64,
    pub reviews: f64,
    /// The time a newcomer gets, hours.
    pub sla: f64,
}

/// When a queue begins to break its SLA, hours from now (0: it does already); `None`: at these
/// rates it does not. `due` are hours from now until each waiting item is due, soonest first; people
/// take the most urgent first.
///
/// The k-th of those that wait is decided after k/reviews hours. For newcomers the queue is a
/// fluid: it holds L + (arrivals − reviews) · t, and whoever comes at t waits that over reviews.
pub fn breaks_in(due: &[f64], load: Load) -> Option<f64> {
    let Load { arrivals, reviews, sla } = load;
    let late = |(place, due): (f64, f64)| reviews <= 0.0 || place / reviews > due;
    let waiting = due
        .iter()
        .scan(0.0, |place, due| {
            *place += 1.0;
            Some((*place, *due))
        })
        .find(|one| late(*one))
        .map(|(_, due)| due.max(0.0));
    let length = due.iter().fold(0.0, |n, _| n + 1.0);
    let newcomers = if arrivals <= 0.0 {
        None
    } else if reviews <= 0.0 {
        Some(sla)
    } else if length > sla * reviews {
        // Whoever comes now is late when their time is over.
        Some(sla)
    } else if arrivals > reviews {
        // The first who will be late, and then their time.
        Some((sla * reviews - length) / (arrivals - reviews) + sla)
    } else {
        None
    };
    match (waiting, newcomers) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn the_last_fifth_is_at_risk_and_the_due_time_itself_is_late() {
        let due = 100 * MINUTE;
        assert_eq!(warning_at(0, due), 80 * MINUTE);
        assert_eq!(clock(0, due, 80 * MINUTE - 1), Clock::InTime);
        assert_eq!(clock(0, due, 80 * MINUTE), Clock::AtRisk);
        assert_eq!(clock(0, due, due - 1), Clock::AtRisk);
        assert_eq!(clock(0, due, due), Clock::Late);
        let counted = Waiting::count([(0, due), (0, 85 * MINUTE), (0, 10 * MINUTE)], 70 * MINUTE);
        assert_eq!(counted, Waiting { late: 1, at_risk: 1, in_time: 1 });
    }

    #[test]
    fn compliance_has_an_interval_and_needs_verdicts() {
        assert_eq!(compliance(Kept::default()), None);
        let kept = compliance(Kept { decided: 40, in_time: 38 }).expect("decided");
        assert_eq!(kept.share, 0.95);
        assert!(kept.interval.low > 0.8 && kept.interval.high < 1.0);
    }

    #[test]
    fn a_queue_that_is_kept_up_with_never_breaks() {
        let load = Load { arrivals: 10.0, reviews: 12.0, sla: 1.0 };
        assert_eq!(breaks_in(&[0.2, 0.3, 0.9], load), None);
    }

    #[test]
    fn it_breaks_at_the_first_that_comes_too_late() {
        // Two an hour: the third is decided after 1.5 hours, and is due in one.
        let load = Load { arrivals: 0.0, reviews: 2.0, sla: 8.0 };
        assert_eq!(breaks_in(&[0.5, 1.0, 1.0], load), Some(1.0));
        // Six an hour come, four go: after two hours four wait, an hour's work. Whoever comes then
        // is late an hour later.
        let load = Load { arrivals: 6.0, reviews: 4.0, sla: 1.0 };
        assert_eq!(breaks_in(&[], load), Some(3.0));
        let load = Load { reviews: 0.0, ..load };
        assert_eq!(breaks_in(&[], load), Some(1.0));
        assert_eq!(breaks_in(&[0.25], load), Some(0.25));
        assert_eq!(breaks_in(&[-1.0], load), Some(0.0));
    }
}
