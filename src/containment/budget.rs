//! What may be asked of people: when more reviews arrive than a queue's budget, the least valuable
//! give way by the policy's overflow rule, and it is said when the queue will miss its clock.
//!
//! The budget is of a sliding hour. While what arrives in it fits, everybody is looked at. Beyond,
//! a review is kept while the hour's asked ones are below the budget and it is worth at least as
//! much as the best `budget / arrivals` part of the hour's arrivals; samples go first. What is
//! mandatory never gives way: it is asked, and takes its place of the budget.

use std::collections::VecDeque;

use jiff::SignedDuration;

use crate::domain::{Decision, OverBudget, Timestamp};
use crate::policy::{Budget, Overflow, PerHour};

/// Bins of the histogram of values.
const BINS: usize = 20;
/// Minutes of the sliding hour.
const MINUTES: i64 = 60;

/// What one minute brought to a queue.
#[derive(Clone, Debug, PartialEq)]
struct Minute {
    /// Minutes since the epoch.
    at: i64,
    arrivals: u64,
    asked: u64,
    gave_way: u64,
    values: [u64; BINS],
}

/// What the last hour brought to a queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meter {
    minutes: VecDeque<Minute>,
}

/// How much a review can be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It must be looked at.
    Mandatory,
    /// It should be looked at before it is done.
    Review,
    /// It is done; looking at it tells how good the automatic ones are.
    Sample,
}

impl Meter {
    /// One that continues where others stand: so many arrived, and were asked of people, in the
    /// hour before `now`.
    pub fn seeded(arrivals: u64, now: Timestamp) -> Self {
        let mut meter = Self::default();
        if arrivals > 0 {
            let minute = meter.minute(now);
            minute.arrivals = arrivals;
            minute.asked = arrivals;
            // Their worth is not known: they stand in the middle.
            if let Some(bin) = minute.values.get_mut(BINS / 2) {
                *bin = arrivals;
            }
        }
        meter
    }

    /// Arrivals, reviews asked for, and reviews that gave way, in the hour before `now`.
    pub fn last_hour(&self, now: Timestamp) -> (u64, u64, u64) {
        let from = minute_of(now) - MINUTES;
        let recent = self.minutes.iter().filter(|m| m.at > from);
        recent.fold((0, 0, 0), |(a, b, c), m| (a + m.arrivals, b + m.asked, c + m.gave_way))
    }

    /// The minute of `now`, after forgetting those beyond the hour.
    fn minute(&mut self, now: Timestamp) -> &mut Minute {
        let at = minute_of(now);
        while self.minutes.front().is_some_and(|m| m.at <= at - MINUTES) {
            self.minutes.pop_front();
        }
        if self.minutes.back().is_none_or(|m| m.at < at) {
            let values = [0; BINS];
            self.minutes.push_back(Minute { at, arrivals: 0, asked: 0, gave_way: 0, values });
        }
        let last = self.minutes.len() - 1;
        #[allow(clippy::indexing_slicing, reason = "one was pushed if there was none")]
        &mut self.minutes[last]
    }

    /// The least value among the best `share` of the hour's arrivals, as the lower edge of its bin.
    fn needed(&self, share: f64) -> f64 {
        let mut bins = [0u64; BINS];
        for minute in &self.minutes {
            for (sum, n) in bins.iter_mut().zip(minute.values) {
                *sum += n;
            }
        }
        let mut left = count(bins.iter().sum()) * share;
        for (i, n) in bins.iter().enumerate().rev() {
            left -= count(*n);
            if left <= 1e-9 {
                return count(i as u64) / count(BINS as u64);
            }
        }
        0.0
    }

    /// One more arrives. `None`: it is asked of people, whatever its claim, because it fits or
    /// must be.
    pub(super) fn arrive(
        &mut self,
        now: Timestamp,
        budget: &Budget,
        per_hour: f64,
        claim: Claim,
        value: f64,
    ) -> Option<OverBudget> {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0..=1 times 20, and `as` saturates"
        )]
        let bin = ((value * count(BINS as u64)) as usize).min(BINS - 1);
        let minute = self.minute(now);
        minute.arrivals += 1;
        if let Some(n) = minute.values.get_mut(bin) {
            *n += 1;
        }
        let (arrivals, asked, _) = self.last_hour(now);
        let fits = count(arrivals) <= per_hour;
        let needed = if fits { 0.0 } else { self.needed(per_hour / count(arrivals)) };
        let kept = match claim {
            Claim::Mandatory => true,
            _ if fits => true,
            Claim::Review => count(asked) + 1.0 <= per_hour && value >= needed,
            Claim::Sample => false,
        };
        let minute = self.minute(now);
        if kept {
            minute.asked += 1;
        } else {
            minute.gave_way += 1;
        }
        if fits || claim == Claim::Mandatory {
            return None;
        }
        Some(OverBudget {
            queue: budget.queue.clone(),
            per_hour,
            arrivals,
            asked,
            overflow: spelled(budget.overflow).to_owned(),
            value,
            needed,
            kept,
        })
    }
}

/// An overflow rule as the policy file spells it.
pub fn spelled(overflow: Overflow) -> &'static str {
    match overflow {
        Overflow::Sample => "sample",
        Overflow::Hold => "hold",
        Overflow::Block => "block",
        Overflow::AutoFlagged => "auto_flagged",
    }
}

/// What looking at a decision is worth, 0..=1: half by what it would cost to be wrong
/// (`business_impact / 10`), four tenths by how unsure the model is (`1 − confidence`), a tenth by
/// how much an ensemble disagrees (its spread; 0 without one).
pub fn value(d: &Decision) -> f64 {
    let spread = d.ensemble_spread().unwrap_or(0.0);
    let value = 0.5 * d.business_impact / 10.0 + 0.4 * (1.0 - d.confidence) + 0.1 * spread;
    value.clamp(0.0, 1.0)
}

/// What a budget allows an hour; `None`: it is measured, and nothing was measured yet, so that
/// nothing gives way.
pub fn allowed(budget: &Budget, measured: Option<f64>) -> Option<f64> {
    match budget.per_hour {
        PerHour::Fixed(n) => Some(n),
        PerHour::Measured => measured,
    }
}

/// When items that enter a queue will begin to miss their clock: the first time at which what
/// waits then takes people longer than `sla`, if arrivals and throughput (both an hour) stay as
/// they are. `None`: never.
///
/// Waiting grows by `arrivals − throughput`; an item that enters behind `w` others is reached after
/// `w / throughput`. So the time is `(sla · throughput − waiting) / (arrivals − throughput)`.
pub fn breach_at(
    now: Timestamp,
    waiting: u64,
    arrivals: f64,
    throughput: f64,
    sla: SignedDuration,
) -> Option<Timestamp> {
    let sla = sla.as_secs_f64() / 3600.0;
    let waiting = count(waiting);
    if throughput <= 0.0 {
        // Nobody works: what waits, or comes next, is late after its time.
        return (waiting > 0.0 || arrivals > 0.0).then(|| after(now, sla))?;
    }
    let room = sla * throughput - waiting;
    if room < 0.0 {
        return Some(now);
    }
    let growth = arrivals - throughput;
    (growth > 0.0).then(|| after(now, room / growth))?
}

/// So many hours later; `None` beyond the calendar.
fn after(now: Timestamp, hours: f64) -> Option<Timestamp> {
    let wait = SignedDuration::try_from_secs_f64(hours * 3600.0).ok()?;
    now.checked_add(wait).ok()
}

fn minute_of(t: Timestamp) -> i64 {
    t.as_second().div_euclid(60)
}

/// Counts of an hour are exact in a double.
#[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
fn count(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::super::tests::{decision, t};
    use super::*;

    fn budget(overflow: Overflow) -> Budget {
        Budget { queue: "level1".into(), per_hour: PerHour::Fixed(10.0), overflow }
    }

    #[test]
    fn nothing_gives_way_while_it_fits() {
        let mut meter = Meter::default();
        for i in 0..10 {
            let kept = meter.arrive(t(i), &budget(Overflow::Sample), 10.0, Claim::Review, 0.2);
            assert_eq!(kept, None);
        }
        let over =
            meter.arrive(t(10), &budget(Overflow::Sample), 10.0, Claim::Review, 0.2).unwrap();
        assert_eq!((over.arrivals, over.asked, over.kept), (11, 10, false));
        assert_eq!(meter.last_hour(t(10)), (11, 10, 1));
        // An hour later it is forgotten.
        assert_eq!(meter.last_hour(t(3700)), (0, 0, 0));
        let kept = meter.arrive(t(3700), &budget(Overflow::Sample), 10.0, Claim::Review, 0.2);
        assert_eq!(kept, None);
    }

    #[test]
    fn what_must_be_looked_at_never_gives_way_and_takes_its_place() {
        let mut meter = Meter::default();
        for i in 0..40 {
            let claim = Claim::Mandatory;
            assert_eq!(meter.arrive(t(i), &budget(Overflow::Block), 10.0, claim, 0.0), None);
        }
        assert_eq!(meter.last_hour(t(40)), (40, 40, 0));
        let over = meter.arrive(t(40), &budget(Overflow::Block), 10.0, Claim::Review, 1.0).unwrap();
        assert!(!over.kept);
    }

    #[test]
    fn under_steady_pressure_the_valuable_are_kept_and_samples_go_first() {
        let mut meter = Meter::default();
        let b = budget(Overflow::Sample);
        let mut asked = [0u32; 2];
        // 60 an hour for five hours: one in six is worth more.
        for i in 0..300i64 {
            let valuable = i % 6 == 3;
            let value = if valuable { 0.8 } else { 0.3 };
            let over = meter.arrive(t(i * 60), &b, 10.0, Claim::Review, value);
            if i >= 60 && over.is_none_or(|o| o.kept) {
                asked[usize::from(valuable)] += 1;
            }
        }
        assert_eq!(asked, [0, 40], "four hours of ten");
        let over = meter.arrive(t(300 * 60), &b, 10.0, Claim::Sample, 1.0).unwrap();
        assert!(!over.kept);
    }

    #[test]
    fn worth_rises_with_impact_doubt_and_disagreement() {
        let d = decision("a", "m@1");
        assert!((value(&d) - (0.1 + 0.04)).abs() < 1e-12);
        let mut worse = Decision { business_impact: 10.0, confidence: 0.0, ..d };
        assert!((value(&worse) - 0.9).abs() < 1e-12);
        worse.ensemble = vec![
            crate::domain::Member { name: "a".into(), score: 0.0 },
            crate::domain::Member { name: "b".into(), score: 1.0 },
        ];
        assert!((value(&worse) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn it_says_when_the_clock_will_be_missed() {
        let half = SignedDuration::from_mins(30);
        // 20 an hour for 30 minutes is room for 10; 4 wait, and 12 more an hour come than go.
        assert_eq!(breach_at(t(0), 4, 32.0, 20.0, half), Some(t(1800)));
        assert_eq!(breach_at(t(0), 11, 0.0, 20.0, half), Some(t(0)));
        assert_eq!(breach_at(t(0), 9, 20.0, 20.0, half), None);
        assert_eq!(breach_at(t(0), 0, 1.0, 0.0, half), Some(t(1800)));
        assert_eq!(breach_at(t(0), 0, 0.0, 0.0, half), None);
    }

    #[test]
    fn a_measured_budget_that_was_not_measured_makes_nothing_give_way() {
        let b = Budget { per_hour: PerHour::Measured, ..budget(Overflow::Block) };
        assert_eq!(allowed(&b, None), None);
        assert_eq!(allowed(&b, Some(7.5)), Some(7.5));
        assert_eq!(allowed(&budget(Overflow::Block), Some(7.5)), Some(10.0));
    }

    proptest::proptest! {
        /// Within any clock hour no more than the budget is asked beyond what must be.
        #[test]
        fn the_hours_asked_reviews_stay_within_the_budget(
            arrivals in proptest::collection::vec((0i64..300, 0f64..1.0), 1..300),
        ) {
            let mut meter = Meter::default();
            let b = budget(Overflow::Sample);
            let (mut at, mut asked) = (0, Vec::new());
            for (gap, value) in arrivals {
                at += gap;
                if meter.arrive(t(at), &b, 10.0, Claim::Review, value).is_none_or(|o| o.kept) {
                    asked.push(at);
                }
                let hour = asked.iter().filter(|a| **a > at - 3540).count();
                assert!(hour <= 10, "{hour}");
            }
        }
    }
}
