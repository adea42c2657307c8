//! Rate limits on automatic decisions: GCRA, tightened as errors rise; what is beyond goes to
//! people.
//!
//! GCRA (ITU-T I.371, the "virtual scheduling" form) remembers one time: when the bucket will be
//! empty if nothing more comes. In any stretch of `s` seconds it lets through at most
//! `burst + rate · s` decisions. The burst is a minute's worth, so that what comes at once on a
//! quiet minute passes, and a limit of 600 never means 601.

use crate::domain::{Decision, Timestamp, TurnedAway};
use crate::policy;
use crate::signals::intervals::wilson;

use super::{Control, Live};

/// However many errors there are, this much of a limit is left: to stop, one stops.
const FLOOR: f64 = 0.1;
/// The override rate at which a limit is down to its floor, where the policy has no `[breaker]`.
const TOLERANCE: f64 = 0.10;

/// State of one limiter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gcra {
    /// Theoretical arrival time, nanoseconds since the epoch; `None`: nothing came yet.
    tat: Option<i64>,
}

/// Nanoseconds between two decisions at this rate, rounded up so that the rate is never exceeded;
/// and how many may come at once.
fn terms(per_minute: f64) -> (i64, i64) {
    // Saturates: a rate of one in centuries never lets a second one through.
    #[allow(clippy::cast_possible_truncation, reason = "`as` saturates, which is what is meant")]
    let every = (60e9 / per_minute.max(1e-9)).ceil().clamp(1.0, 9e15) as i64;
    #[allow(clippy::cast_possible_truncation, reason = "`as` saturates, which is what is meant")]
    let burst = per_minute.floor().clamp(1.0, 1e9) as i64;
    (every, burst)
}

/// A time in nanoseconds; those beyond the years 1677–2262 stand at the edge.
fn nanos(t: Timestamp) -> i64 {
    i64::try_from(t.as_nanosecond()).unwrap_or(if t < Timestamp::UNIX_EPOCH {
        i64::MIN
    } else {
        i64::MAX
    })
}

impl Gcra {
    /// One that has let `taken` decisions through in the minute before `now`.
    pub fn seeded(taken: u64, now: Timestamp, per_minute: f64) -> Self {
        let (every, burst) = terms(per_minute);
        let taken = i64::try_from(taken).unwrap_or(i64::MAX).min(burst);
        Self { tat: (taken > 0).then(|| nanos(now).saturating_add(every.saturating_mul(taken))) }
    }

    /// Would one more pass at `now`?
    pub fn has_room(&self, now: Timestamp, per_minute: f64) -> bool {
        let (every, burst) = terms(per_minute);
        let ahead = self.tat.map_or(0, |tat| tat.saturating_sub(nanos(now)).max(0));
        ahead <= every.saturating_mul(burst - 1)
    }

    /// Nothing that came before `now` matters any more.
    pub fn is_at_rest(&self, now: Timestamp) -> bool {
        self.tat.is_none_or(|tat| tat <= nanos(now))
    }

    /// Let one through at `now`. Only after [`Gcra::has_room`].
    pub fn take(&mut self, now: Timestamp, per_minute: f64) {
        let (every, _) = terms(per_minute);
        let from = self.tat.map_or(nanos(now), |tat| tat.max(nanos(now)));
        self.tat = Some(from.saturating_add(every));
    }
}

/// The part of its rate that a limit keeps when, of what it lets through, `overridden` of
/// `reviewed` were overruled:
///
/// `share = 1 − low / tolerance`, not below 0.1, rounded up to tenths,
///
/// where `low` is the lower end of the 95 % Wilson interval (a few unlucky reviews tighten nothing)
/// and `tolerance` the breaker's `override_low`, or 0.10 without one. Tenths, so that it changes
/// seldom: every change is a change of control.
pub fn tighten(overridden: u64, reviewed: u64, breaker: Option<policy::Breaker>) -> f64 {
    let tolerance = breaker.map_or(TOLERANCE, |b| b.override_low).max(1e-9);
    let low = wilson(overridden, reviewed, 0.05).map_or(0.0, |i| i.low);
    // The small amount keeps 0.8000000000000001 from becoming 0.9.
    (((1.0 - low / tolerance) * 10.0 - 1e-9).ceil() / 10.0).clamp(FLOOR, 1.0)
}

/// Ask every limiter that covers an automatic decision; it passes when all have room, and then it
/// counts with all of them. The first without room is named.
pub(super) fn pass(
    d: &Decision,
    limits: &[policy::Limit],
    control: &Control,
    live: &mut Live,
    now: Timestamp,
) -> Option<TurnedAway> {
    let mut asked: Vec<(String, f64)> = Vec::new();
    let own = limits.iter().filter(|l| l.domain.as_ref().is_none_or(|domain| *domain == d.domain));
    for limit in own {
        let share = control.tightened.get(&limit.name).map_or(1.0, |t| t.share);
        let effective = limit.per_minute * share;
        if !live.limiter(&limit.name).has_room(now, effective) {
            let (name, per_minute) = (limit.name.clone(), limit.per_minute);
            return Some(TurnedAway { name, per_minute, effective, by: None });
        }
        asked.push((limit.name.clone(), effective));
    }
    for (scope, limited) in control.limits_for(d) {
        let name = scope.to_string();
        let per_minute = limited.per_minute;
        if !live.limiter(&name).has_room(now, per_minute) {
            let by = Some(format!("{}: {}", limited.by, limited.reason));
            return Some(TurnedAway { name, per_minute, effective: per_minute, by });
        }
        asked.push((name, per_minute));
    }
    for (name, per_minute) in asked {
        live.limiter(&name).take(now, per_minute);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tests::t;
    use super::*;

    fn run(gcra: &mut Gcra, at: Timestamp, per_minute: f64) -> bool {
        let room = gcra.has_room(at, per_minute);
        if room {
            gcra.take(at, per_minute);
        }
        room
    }

    #[test]
    fn a_minutes_worth_passes_at_once_and_then_one_at_a_time() {
        let mut gcra = Gcra::default();
        assert_eq!((0..20).filter(|_| run(&mut gcra, t(0), 6.0)).count(), 6);
        assert!(!run(&mut gcra, t(9), 6.0));
        assert!(run(&mut gcra, t(10), 6.0));
        assert!(!run(&mut gcra, t(10), 6.0));
        // Slower than one a minute: one, and then none for its time.
        let mut gcra = Gcra::default();
        assert!(run(&mut gcra, t(0), 0.5));
        assert!(!run(&mut gcra, t(119), 0.5));
        assert!(run(&mut gcra, t(120), 0.5));
    }

    #[test]
    fn a_seeded_one_goes_on_where_another_process_stands() {
        let mut gcra = Gcra::seeded(4, t(0), 6.0);
        assert_eq!((0..20).filter(|_| run(&mut gcra, t(0), 6.0)).count(), 2);
        assert_eq!(Gcra::seeded(0, t(0), 6.0), Gcra::default());
        assert!(!Gcra::seeded(1000, t(0), 6.0).has_room(t(0), 6.0));
        assert!(Gcra::seeded(1000, t(0), 6.0).has_room(t(10), 6.0));
    }

    #[test]
    fn it_tightens_on_evidence_down_to_a_tenth() {
        assert_eq!(tighten(0, 0, None), 1.0);
        assert_eq!(tighten(1, 3, None), 0.4, "0.061 of 0.10");
        assert_eq!(tighten(0, 500, None), 1.0);
        assert_eq!(tighten(30, 500, None), 0.6, "0.042 of 0.10");
        assert_eq!(tighten(200, 500, None), 0.1);
        let breaker =
            policy::Breaker { override_low: 0.5, window: jiff::SignedDuration::from_hours(1) };
        assert_eq!(tighten(200, 500, Some(breaker)), 0.3, "0.358 of 0.5");
    }

    proptest::proptest! {
        /// In no stretch of time does more pass than the burst and what the rate adds.
        #[test]
        fn never_more_than_burst_and_rate(
            per_minute in 0.2f64..300.0,
            gaps in proptest::collection::vec(0i64..20_000, 1..400),
        ) {
            let mut gcra = Gcra::default();
            let mut at = t(0);
            let mut passed: Vec<Timestamp> = Vec::new();
            for gap in gaps {
                at += jiff::SignedDuration::from_millis(gap);
                if run(&mut gcra, at, per_minute) {
                    passed.push(at);
                }
            }
            let burst = per_minute.floor().max(1.0);
            for (i, from) in passed.iter().enumerate() {
                for (n, to) in passed[i..].iter().enumerate() {
                    let minutes = to.duration_since(*from).as_secs_f64() / 60.0;
                    assert!((n + 1) as f64 <= burst + per_minute * minutes + 1e-6);
                }
            }
        }
    }
}
