//! The shape of a decision: what many have in common, stored once.

use std::hash::{Hash as _, Hasher};

use crate::domain::Route;
use crate::store::Columns;

/// What many decisions have in common: the route but for what depends on the record itself, and
/// what it was about.
#[derive(Clone, Debug)]
pub(in crate::store) struct Shape {
    pub(in crate::store) route: Route,
    pub(in crate::store) domain: String,
    pub(in crate::store) action: String,
    pub(in crate::store) model: String,
    pub(in crate::store) version: String,
    pub(in crate::store) level: u8,
}

impl Shape {
    pub(in crate::store) fn of(route: &Route, columns: &Columns) -> Self {
        Self {
            route: Route {
                id: String::new(),
                due_at: None,
                reason: String::new(),
                faults: Vec::new(),
                duplicate: false,
                ..route.clone()
            },
            domain: columns.domain.clone(),
            action: columns.action.clone(),
            model: columns.model.clone(),
            version: columns.version.clone(),
            level: columns.level,
        }
    }

    /// Is it the shape of these? Looks at them without copying anything.
    pub(in crate::store) fn is_of(&self, route: &Route, columns: &Columns) -> bool {
        let Route {
            id: _,
            outcome,
            queue,
            due_at: _,
            approvals,
            rule,
            matched,
            reason: _,
            sample,
            fallback,
            policy,
            generation,
            state,
            duplicate: _,
            faults: _,
            priority,
            tags,
            blind,
        } = &self.route;
        *rule == route.rule
            && self.action == columns.action
            && self.domain == columns.domain
            && self.model == columns.model
            && self.version == columns.version
            && self.level == columns.level
            && *outcome == route.outcome
            && *queue == route.queue
            && *approvals == route.approvals
            && *matched == route.matched
            && *sample == route.sample
            && *fallback == route.fallback
            && *policy == route.policy
            && *generation == route.generation
            && *state == route.state
            && *priority == route.priority
            && *tags == route.tags
            && *blind == route.blind
    }
}

/// A number for looking shapes up; equal shapes have equal ones.
pub(in crate::store) fn digest(route: &Route, columns: &Columns) -> u64 {
    let mut h = Fold(0);
    (&route.rule, &route.matched, &route.queue, route.outcome, route.state).hash(&mut h);
    (&columns.domain, &columns.action, &columns.model, &columns.version).hash(&mut h);
    (route.generation, columns.level).hash(&mut h);
    h.finish()
}

/// Collisions cost a comparison and nothing else, so that this may be as cheap as it gets.
struct Fold(u64);

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        for word in words.iter().chain(std::iter::once(&last)) {
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(*word))
                .wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
