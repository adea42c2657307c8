//! The breaker on auto-accept, one for each model version and domain: it opens on evidence, tries
//! again with a trickle, and closes on evidence.
//!
//! ```text
//!            evidence against                 its time is over
//! closed ───────────────────────▶ open ───────────────────────▶ half open
//!    ▲                              ▲      evidence against         │ │
//!    │                              └──────── (twice as long) ──────┘ │
//!    └───────────────────────── evidence for ─────────────────────────┘
//! ```
//!
//! Evidence is never a point: the whole 95 % interval of the override rate must lie beyond the
//! limit. While half open, only what people decided since then counts.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Control;
use crate::domain::{ControlScope, Decision, Timestamp, Tripped};
use crate::policy::{self, Chance};
use crate::signals::intervals::{Interval, wilson};

/// Share that stays automatic while half open.
const TRICKLE: f64 = 0.1;
/// Verdicts after which a half-open breaker may close on the rate alone, where the interval still
/// reaches over the limit.
const MANY: u64 = 200;
/// An open breaker stays open at most so many times its window, however often it opened.
const LONGEST: u32 = 8;

/// A breaker that is not closed. (A closed one is not written down.)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    pub domain: String,
    pub model: String,
    pub version: String,
    pub phase: Phase,
    /// When it came into this phase.
    pub since: Timestamp,
    /// How often it opened since it was closed last.
    pub trips: u32,
    /// What tripped it last, with its figures.
    pub cause: String,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Phase {
    /// Everything goes to people until then.
    Open { until: Timestamp },
    /// This share (0..=1) is automatic again.
    HalfOpen { trickle: f64 },
}

impl Phase {
    /// `open` or `half_open`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
        }
    }
}

/// What is known of a model version in a domain, over the policy's window or, while half open,
/// since then ([`Breaker::judged_since`]).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    pub overridden: u64,
    pub reviewed: u64,
    /// A drift alarm, with its figures.
    pub drift: Option<String>,
    /// An anomaly upstream (arrivals, missing input), with its figures.
    pub anomaly: Option<String>,
    /// Reports of errors after the fact, with their figures.
    pub errors: Option<String>,
}

/// What became of a breaker.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing.
    Same,
    /// It opened, or opened again.
    Opened(Breaker),
    HalfOpened(Breaker),
    /// Why.
    Closed(String),
}

impl Breaker {
    /// Is it that of this model version in this domain?
    fn is_of(&self, domain: &str, model: (&str, &str)) -> bool {
        self.domain == domain && (self.model.as_str(), self.version.as_str()) == model
    }

    /// Does it stand between this decision and auto-accept?
    pub fn covers(&self, d: &Decision) -> bool {
        self.domain == d.domain && self.model == d.model.name && self.version == d.model.version
    }

    /// Is all it covers inside this scope?
    pub fn is_inside(&self, scope: &ControlScope) -> bool {
        *scope == ControlScope::Domain(self.domain.clone()) || scope.contains(&self.scope())
    }

    /// The scope that its model is.
    pub fn scope(&self) -> ControlScope {
        ControlScope::Model { name: self.model.clone(), version: Some(self.version.clone()) }
    }

    /// From when on verdicts count for or against it; `None`: the policy's window.
    pub fn judged_since(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Open { .. } => None,
            Phase::HalfOpen { .. } => Some(self.since),
        }
    }

    /// What it says of a decision it covers.
    pub(super) fn draw(&self, d: &Decision, chance: &Chance) -> Tripped {
        let (half_open, trickle, draw) = match self.phase {
            Phase::Open { .. } => (false, 0.0, 0.0),
            Phase::HalfOpen { trickle } => {
                let purpose = format!("breaker:{}:{}:{}", self.domain, self.model, self.version);
                (true, trickle, chance.uniform(&purpose, &d.id))
            }
        };
        Tripped {
            model: format!("{}@{}", self.model, self.version),
            domain: self.domain.clone(),
            half_open,
            trickle,
            draw,
            cause: self.cause.clone(),
        }
    }
}

impl Evidence {
    /// 95 % Wilson interval of the override rate; `None` without reviews.
    fn interval(&self) -> Option<Interval> {
        wilson(self.overridden, self.reviewed, 0.05)
    }

    /// What speaks against the model, with its figures.
    fn against(&self, terms: policy::Breaker) -> Option<String> {
        let limit = terms.override_low;
        let Self { overridden, reviewed, .. } = self;
        let rate = self.interval().filter(|i| i.low > limit).map(|Interval { low, .. }| {
            format!(
                "{overridden} of {reviewed} overridden: the rate is at least {low:.3} (95 %), above {limit}"
            )
        });
        let other = || self.drift.clone().or(self.anomaly.clone()).or(self.errors.clone());
        rate.or_else(other)
    }

    /// What speaks for it.
    fn in_favour(&self, terms: policy::Breaker) -> Option<String> {
        let limit = terms.override_low;
        let Interval { high, .. } = self.interval()?;
        let Self { overridden, reviewed, .. } = self;
        // Counts far below 2^53.
        #[allow(clippy::cast_precision_loss, reason = "exact below 2^53")]
        let rate = *overridden as f64 / (*reviewed).max(1) as f64;
        if high <= limit {
            return Some(format!(
                "{overridden} of {reviewed} overridden: the rate is at most {high:.3} (95 %), within {limit}"
            ));
        }
        (*reviewed >= MANY && rate <= limit)
            .then(|| format!("{overridden} of {reviewed} overridden: {rate:.3}, within {limit}"))
    }
}

/// What evidence and time make of a breaker; `None` is a closed one.
pub fn step(
    breaker: Option<&Breaker>,
    domain: &str,
    model: (&str, &str),
    evidence: &Evidence,
    terms: policy::Breaker,
    now: Timestamp,
) -> Step {
    let open = |trips: u32, cause: String| {
        let times = 1u32.checked_shl(trips.saturating_sub(1)).unwrap_or(LONGEST).min(LONGEST);
        let stay = terms.window.checked_mul(i32::try_from(times).unwrap_or(1));
        let stay = stay.unwrap_or(SignedDuration::MAX);
        Step::Opened(Breaker {
            domain: domain.to_owned(),
            model: model.0.to_owned(),
            version: model.1.to_owned(),
            phase: Phase::Open { until: now.checked_add(stay).unwrap_or(Timestamp::MAX) },
            since: now,
            trips,
            cause,
        })
    };
    match breaker {
        None => evidence.against(terms).map_or(Step::Same, |cause| open(1, cause)),
        Some(b) => match b.phase {
            Phase::Open { until } if now < until => Step::Same,
            Phase::Open { .. } => Step::HalfOpened(Breaker {
                phase: Phase::HalfOpen { trickle: TRICKLE },
                since: now,
                ..b.clone()
            }),
            Phase::HalfOpen { .. } => match (evidence.against(terms), evidence.in_favour(terms)) {
                (Some(cause), _) => open(b.trips.saturating_add(1), cause),
                (None, Some(why)) => Step::Closed(why),
                (None, None) => Step::Same,
            },
        },
    }
}

impl Control {
    /// The breaker of a model version in a domain; `None`: closed.
    pub fn breaker(&self, domain: &str, model: (&str, &str)) -> Option<&Breaker> {
        self.breakers.iter().find(|b| b.is_of(domain, model))
    }

    /// Let evidence and time act on the breaker of a model version in a domain.
    pub fn step_breaker(
        &mut self,
        domain: &str,
        model: (&str, &str),
        evidence: &Evidence,
        terms: policy::Breaker,
        now: Timestamp,
    ) -> Step {
        let step = step(self.breaker(domain, model), domain, model, evidence, terms, now);
        let next = match &step {
            Step::Same => return step,
            Step::Opened(b) | Step::HalfOpened(b) => Some(b.clone()),
            Step::Closed(_) => None,
        };
        self.breakers.retain(|b| !b.is_of(domain, model));
        self.breakers.extend(next);
        self.forget_idle();
        step
    }

    /// What stands between a decision and auto-accept.
    pub fn breaker_for(&self, d: &Decision, chance: &Chance) -> Option<Tripped> {
        self.breakers.iter().find(|b| b.covers(d)).map(|b| b.draw(d, chance))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{decision, scope, t};
    use super::*;
    use crate::containment::Resumption;

    const M: (&str, &str) = ("m", "1");

    fn terms() -> policy::Breaker {
        policy::Breaker { override_low: 0.10, window: SignedDuration::from_hours(1) }
    }

    fn seen(overridden: u64, reviewed: u64) -> Evidence {
        Evidence { overridden, reviewed, ..Evidence::default() }
    }

    #[test]
    fn it_opens_on_an_interval_and_never_on_a_point() {
        let mut c = Control::default();
        // 5 of 20 is a rate of 0.25; its interval is 0.112..0.469.
        assert_eq!(c.step_breaker("loan", M, &seen(2, 10), terms(), t(0)), Step::Same);
        let Step::Opened(b) = c.step_breaker("loan", M, &seen(5, 20), terms(), t(1)) else {
            panic!()
        };
        assert_eq!(b.cause, "5 of 20 overridden: the rate is at least 0.112 (95 %), above 0.1");
        assert_eq!(b.phase, Phase::Open { until: t(3601) });
        assert_eq!(c.breakers, [b]);
        let held = c.breaker_for(&decision("a", "m@1"), &Chance::new("k")).unwrap();
        assert!(!held.trickles());
        assert_eq!(c.breaker_for(&decision("a", "m@2"), &Chance::new("k")), None);
    }

    #[test]
    fn it_tries_again_with_a_trickle_and_closes_or_opens_twice_as_long() {
        let mut c = Control::default();
        let bad = seen(5, 20);
        c.step_breaker("loan", M, &bad, terms(), t(0));
        // Evidence does not prolong an open one; it is out of date by then.
        assert_eq!(c.step_breaker("loan", M, &bad, terms(), t(3599)), Step::Same);
        let none = Evidence::default();
        let Step::HalfOpened(b) = c.step_breaker("loan", M, &none, terms(), t(3600)) else {
            panic!()
        };
        assert_eq!((b.judged_since(), b.trips), (Some(t(3600)), 1));
        assert_eq!(c.step_breaker("loan", M, &none, terms(), t(3700)), Step::Same);
        let Step::Opened(b) = c.step_breaker("loan", M, &bad, terms(), t(4000)) else { panic!() };
        assert_eq!((b.phase, b.trips), (Phase::Open { until: t(4000 + 7200) }, 2));
        c.step_breaker("loan", M, &none, terms(), t(11_200));
        let good = seen(0, 40);
        let closed = c.step_breaker("loan", M, &good, terms(), t(11_300));
        let why = "0 of 40 overridden: the rate is at most 0.088 (95 %), within 0.1";
        assert_eq!(closed, Step::Closed(why.into()));
        assert_eq!(c, Control::default());
    }

    #[test]
    fn half_open_lets_its_trickle_through_and_nothing_else() {
        let mut c = Control::default();
        c.step_breaker("loan", M, &seen(5, 20), terms(), t(0));
        c.step_breaker("loan", M, &Evidence::default(), terms(), t(3600));
        let chance = Chance::new("k");
        let through = (0..10_000)
            .filter(|i| {
                let d = decision(&format!("d-{i}"), "m@1");
                c.breaker_for(&d, &chance).unwrap().trickles()
            })
            .count();
        // 1,000 expected, standard deviation 30.
        assert!((850..=1150).contains(&through), "{through}");
    }

    #[test]
    fn drift_anomalies_and_errors_trip_it_too() {
        for evidence in [
            Evidence { drift: Some("psi 0.4 of confidence".into()), ..Evidence::default() },
            Evidence { anomaly: Some("psi 0.4 of confidence".into()), ..Evidence::default() },
            Evidence { errors: Some("psi 0.4 of confidence".into()), ..Evidence::default() },
        ] {
            let Step::Opened(b) = step(None, "loan", M, &evidence, terms(), t(0)) else { panic!() };
            assert_eq!(b.cause, "psi 0.4 of confidence");
        }
    }

    #[test]
    fn people_close_it_by_restarting_a_scope_around_it() {
        for around in ["all", "domain=loan", "model=m", "model=m@1"] {
            let mut c = Control::default();
            c.step_breaker("loan", M, &seen(5, 20), terms(), t(0));
            assert!(c.resume(&scope("model=other"), "ann", t(1), "x", 2).is_err());
            let first = c.resume(&scope(around), "ann", t(1), "x", 2).unwrap();
            assert!(matches!(first, Resumption::Waiting { needs: 2, .. }), "{around}");
            assert_eq!(c.breakers.len(), 1);
            let second = c.resume(&scope(around), "bob", t(2), "x", 2).unwrap();
            assert!(matches!(second, Resumption::Running { .. }), "{around}");
            assert_eq!(c, Control::default());
        }
    }

    proptest::proptest! {
        /// Whatever comes, it opens only on evidence against, is automatic again only after its
        /// time, and closes only from half open.
        #[test]
        fn every_sequence_keeps_its_order(steps in proptest::collection::vec((0i64..4000, 0u8..4), 1..60)) {
            let mut c = Control::default();
            let mut now = 0;
            for (later, what) in steps {
                now += later;
                let evidence = match what {
                    0 => Evidence::default(),
                    1 => seen(5, 20),
                    2 => seen(0, 40),
                    _ => Evidence { drift: Some("d".into()), ..Evidence::default() },
                };
                let before = c.breaker("loan", M).cloned();
                match (&before, c.step_breaker("loan", M, &evidence, terms(), t(now))) {
                    (_, Step::Same) => assert_eq!(c.breaker("loan", M), before.as_ref()),
                    (None, Step::Opened(b)) => assert!(b.trips == 1 && what % 2 == 1),
                    (Some(b), Step::Opened(next)) => {
                        assert!(matches!(b.phase, Phase::HalfOpen { .. }) && what % 2 == 1);
                        assert_eq!(next.trips, b.trips + 1);
                    }
                    (Some(Breaker { phase: Phase::Open { until }, .. }), Step::HalfOpened(_)) => {
                        assert!(t(now) >= *until);
                    }
                    (Some(b), Step::Closed(_)) => {
                        assert!(matches!(b.phase, Phase::HalfOpen { .. }) && what == 2);
                    }
                    other => panic!("{other:?}"),
                }
                assert_eq!(Control::parse(&c.to_json().unwrap()).unwrap(), c);
            }
        }
    }
}
