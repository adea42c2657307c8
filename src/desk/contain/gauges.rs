//! Limiters and meters of this process: begun where the store says things stand, measured anew
//! every minute.
//!
//! They are memory, not truth: what they let through or turned away is stored with each decision.
//! Every process that admits has its own, so two together may let twice a limit through and ask
//! twice a budget; a process that starts begins with what the store has of the last minute and
//! hour.

use jiff::SignedDuration;

use crate::containment::{Control, Live, allowed, breach_at, contain, overflow_word};
use crate::desk::core::{Core, Sight, lock, refuse};
use crate::domain::{Contained, ControlScope, Decision, Facts, Timestamp};
use crate::policy::{Budget, PerHour, Policy, Routing};
use crate::protocol::{BudgetView, Refused};
use crate::store::{Automatic, Lately};

/// How long what people have been seen to do holds.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// Everything that moves with decisions.
#[derive(Clone)]
pub(in crate::desk) struct Gauges {
    pub(in crate::desk) live: Live,
    /// When throughput was measured last.
    measured: Option<Timestamp>,
}

impl Core {
    /// Do something with this process's gauges, begun and measured as the policy and the control
    /// state ask.
    pub(in crate::desk) fn with_gauges<T>(
        &self,
        sight: &Sight,
        now: Timestamp,
        work: impl FnOnce(&mut Gauges) -> T,
    ) -> Result<T, Refused> {
        let mut slot = lock(&self.gauges);
        let gauges = slot
            .get_or_insert_with(|| Gauges { live: Live::new(&sight.snapshot.key), measured: None });
        let (policy, control) = (sight.policy.as_deref(), sight.control.as_deref());
        if gauges.are_behind(policy, control, now) {
            let lately = self.store.lately(now).map_err(refuse)?;
            gauges.catch_up(policy, control, now, &lately);
        }
        Ok(work(gauges))
    }
}

impl Core {
    /// Budgets as this process has counted them, and when their queues will miss their clock if
    /// arrivals and throughput stay as they are.
    pub(super) fn budgets(&self, sight: &Sight) -> Result<Vec<BudgetView>, Refused> {
        let Some(policy) = sight.policy.as_deref().filter(|p| !p.budgets().is_empty()) else {
            return Ok(Vec::new());
        };
        let queues = self.store.queues(sight.now, sight.wall).map_err(refuse)?;
        let view = |gauges: &mut Gauges, budget: &Budget| {
            let (queue, now) = (&budget.queue, sight.now);
            let (arrivals, asked, gave_way) = gauges.live.last_hour(queue, now);
            let per_hour = allowed(budget, gauges.live.capacity(queue));
            let waiting = queues.iter().find(|q| q.queue == *queue).map_or(0, |q| q.waiting);
            // Counts of an hour are exact in a double.
            #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
            let breach_at = per_hour
                .zip(policy.queue(queue).and_then(|q| q.sla))
                .and_then(|(per_hour, sla)| breach_at(now, waiting, asked as f64, per_hour, sla));
            BudgetView {
                queue: queue.clone(),
                per_hour,
                arrivals,
                overflow: overflow_word(budget.overflow).to_owned(),
                gave_way,
                breach_at,
            }
        };
        self.with_gauges(sight, sight.now, |gauges| {
            policy.budgets().iter().map(|b| view(gauges, b)).collect()
        })
    }
}

/// What containment has to say of a decision that the policy routes so. Where the control state
/// cannot be read nothing is automatic, and nothing more is said.
pub(in crate::desk) fn contained(
    sight: &Sight,
    gauges: &mut Gauges,
    d: &Decision,
    facts: &Facts,
    routing: &Routing,
) -> Option<Box<Contained>> {
    let control = sight.control.as_deref()?;
    contain(d, sight.policy.as_deref(), facts, routing, control, &mut gauges.live)
}

/// Every limiter there should be: its name, its rate, and what it covers.
fn limiters<'a>(
    policy: Option<&'a Policy>,
    control: Option<&'a Control>,
) -> impl Iterator<Item = (String, f64, ControlScope)> + 'a {
    let own = policy.into_iter().flat_map(Policy::limits).map(|l| {
        let scope = l.domain.clone().map_or(ControlScope::All, ControlScope::Domain);
        (l.name.clone(), l.per_minute, scope)
    });
    let set = control.into_iter().flat_map(|c| &c.switches).filter_map(|(scope, switch)| {
        Some((scope.to_string(), switch.limited.as_ref()?.per_minute, scope.clone()))
    });
    own.chain(set)
}

impl Gauges {
    fn are_behind(
        &self,
        policy: Option<&Policy>,
        control: Option<&Control>,
        now: Timestamp,
    ) -> bool {
        let budgets = policy.map_or(&[][..], Policy::budgets);
        limiters(policy, control).any(|(name, ..)| !self.live.has_limiter(&name))
            || budgets.iter().any(|b| !self.live.has_meter(&b.queue))
            || (budgets.iter().any(|b| b.per_hour == PerHour::Measured)
                && self.measured.is_none_or(|at| now.duration_since(at) >= FRESH))
    }

    fn catch_up(
        &mut self,
        policy: Option<&Policy>,
        control: Option<&Control>,
        now: Timestamp,
        lately: &Lately,
    ) {
        for (name, per_minute, scope) in limiters(policy, control) {
            if !self.live.has_limiter(&name) {
                let inside = lately.automatic.iter().filter(|a| covers(&scope, a));
                let taken = inside.map(|a| a.decisions).sum();
                self.live.seed_limiter(&name, taken, now, per_minute);
            }
        }
        for budget in policy.map_or(&[][..], Policy::budgets) {
            let queue = &budget.queue;
            if !self.live.has_meter(queue) {
                let arrivals = lately.arrivals.get(queue).copied().unwrap_or(0);
                self.live.seed_meter(queue, arrivals, now);
            }
            self.live.set_capacity(queue, lately.per_hour.get(queue).copied());
        }
        self.measured = Some(now);
    }
}

/// Are decisions of this kind in the scope? Cohorts are not counted by kind: all count, so that a
/// limit on one begins too tight rather than too wide.
fn covers(scope: &ControlScope, a: &Automatic) -> bool {
    match scope {
        ControlScope::All | ControlScope::Cohort { .. } => true,
        ControlScope::Domain(domain) => a.domain == *domain,
        ControlScope::Action(action) => a.action == *action,
        ControlScope::Model { name, version } => {
            a.model == *name && version.as_ref().is_none_or(|v| a.version == *v)
        }
    }
}
