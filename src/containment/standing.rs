//! How automation stands in a scope when switches and breakers are seen together.
//!
//! A breaker covers one model version in one domain. Where everything that decides in a scope is
//! behind open breakers (or stopped otherwise) the scope is paused by them; where a part of it is,
//! or a trickle goes through, it is limited.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use super::{Breaker, Control, Phase, Switch};
use crate::domain::{ControlScope, StopMode};
use crate::protocol::SwitchState;

/// A model version that decides in a domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    pub domain: String,
    pub model: String,
    pub version: String,
}

/// What decides where: as of lately, and ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    pub lately: BTreeSet<Kind>,
    pub ever: BTreeSet<Kind>,
}

/// What breakers make of a scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Tripping<'c> {
    /// Paused or limited.
    pub state: SwitchState,
    /// The first of those that make it so.
    pub breaker: &'c Breaker,
    /// How many there are in the scope.
    pub breakers: usize,
}

impl Kind {
    /// Are its decisions in this scope, all of them? (What actions and cohorts they have is not
    /// known of a kind.)
    pub fn is_inside(&self, scope: &ControlScope) -> bool {
        match scope {
            ControlScope::All => true,
            ControlScope::Domain(domain) => self.domain == *domain,
            ControlScope::Model { name, version } => {
                self.model == *name && version.as_ref().is_none_or(|v| self.version == *v)
            }
            ControlScope::Action(_) | ControlScope::Cohort { .. } => false,
        }
    }
}

impl Kinds {
    /// What decides in a part of everything: what did lately; where nothing did, what ever has. What
    /// a breaker is about always belongs to it.
    pub fn inside(&self, control: &Control, part: impl Fn(&Kind) -> bool) -> BTreeSet<Kind> {
        let of = |all: &BTreeSet<Kind>| -> BTreeSet<Kind> {
            all.iter().filter(|k| part(k)).cloned().collect()
        };
        let mut kinds = of(&self.lately);
        if kinds.is_empty() {
            kinds = of(&self.ever);
        }
        kinds.extend(control.breakers.iter().map(Breaker::kind).filter(|k| part(k)));
        kinds
    }
}

/// `[[["loan","m","2"]],[["loan","m","1"]]]`: what decided lately, then what ever did, each as
/// domain, model and version. The same text where it is the same and only there, whatever names
/// hold, in every process and version: tags of answers are made from it.
impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |kinds: &BTreeSet<Kind>| -> Value {
            kinds
                .iter()
                .map(|Kind { domain, model, version }| json!([domain, model, version]))
                .collect()
        };
        write!(f, "{}", json!([of(&self.lately), of(&self.ever)]))
    }
}

impl Breaker {
    /// What it is about.
    pub fn kind(&self) -> Kind {
        let (domain, model) = (self.domain.clone(), self.model.clone());
        Kind { domain, model, version: self.version.clone() }
    }
}

impl Switch {
    /// Does it stop this version of a model, whatever else its decisions are?
    pub fn stops(&self, kind: &Kind) -> bool {
        self.paused.is_some()
            || self.killed.iter().any(|(mode, kill)| match mode {
                // What is to be used instead goes on.
                StopMode::LastGood => kill.version(&kind.model) != Some(kind.version.as_str()),
                StopMode::Human | StopMode::Block => true,
            })
    }
}

impl Control {
    /// Is there a breaker about it, open or half open?
    pub fn trips(&self, kind: &Kind) -> bool {
        self.breaker_of(kind).is_some()
    }

    /// Does nothing of it run?
    pub fn stops(&self, kind: &Kind) -> bool {
        self.breaker_of(kind).is_some_and(|b| matches!(b.phase, Phase::Open { .. }))
            || self.switches.iter().any(|(scope, s)| kind.is_inside(scope) && s.stops(kind))
    }

    fn breaker_of(&self, kind: &Kind) -> Option<&Breaker> {
        self.breaker(&kind.domain, (&kind.model, &kind.version))
    }

    /// What breakers make of a scope; `None`: nothing.
    pub fn tripping(&self, scope: &ControlScope, kinds: &Kinds) -> Option<Tripping<'_>> {
        let inside: Vec<&Breaker> =
            self.breakers.iter().filter(|b| b.kind().is_inside(scope)).collect();
        let open = |b: &&&Breaker| matches!(b.phase, Phase::Open { .. });
        let breaker = inside.iter().find(open).or(inside.first()).copied()?;
        let all = kinds.inside(self, |k| k.is_inside(scope));
        let state = match all.iter().all(|k| self.stops(k)) {
            true => SwitchState::Paused,
            false => SwitchState::Limited,
        };
        Some(Tripping { state, breaker, breakers: inside.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{scope, t};
    use super::*;
    use crate::protocol::KillMode;

    fn kind(domain: &str, model: &str, version: &str) -> Kind {
        Kind { domain: domain.into(), model: model.into(), version: version.into() }
    }

    fn tripped(control: &mut Control, k: &Kind, phase: Phase) {
        control.breakers.push(Breaker {
            domain: k.domain.clone(),
            model: k.model.clone(),
            version: k.version.clone(),
            phase,
            since: t(0),
            trips: 1,
            cause: "60 of 60".into(),
        });
    }

    const OPEN: Phase = Phase::Open { until: crate::domain::Timestamp::UNIX_EPOCH };

    #[test]
    fn a_scope_is_paused_where_all_of_it_is_and_limited_where_a_part_is() {
        let (r, q, n) = (kind("r", "m", "1"), kind("q", "m", "1"), kind("r", "n", "1"));
        let said = |c: &Control, lately: &[&Kind], text: &str| {
            let lately = lately.iter().map(|k| (*k).clone()).collect();
            let kinds = Kinds { lately, ever: [kind("r", "m", "0")].into() };
            c.tripping(&scope(text), &kinds).map(|t| t.state)
        };
        let (paused, limited) = (Some(SwitchState::Paused), Some(SwitchState::Limited));
        let mut c = Control::default();
        tripped(&mut c, &r, OPEN);
        for text in ["all", "domain=r", "model=m", "model=m@1"] {
            assert_eq!(said(&c, &[&r], text), paused, "{text}");
        }
        for text in ["domain=q", "model=n", "model=m@0", "action=a", "cohort=x:y"] {
            assert_eq!(said(&c, &[&r], text), None, "{text}");
        }
        assert_eq!(said(&c, &[&r, &q], "domain=r"), paused);
        for text in ["all", "model=m", "model=m@1"] {
            assert_eq!(said(&c, &[&r, &q], text), limited, "{text}");
        }
        assert_eq!(said(&c, &[&r, &n], "domain=r"), limited);
        // The rest of the domain is stopped by a person.
        c.kill(&scope("model=n"), &KillMode::Block, "ann", t(0), "x");
        assert_eq!(said(&c, &[&r, &n], "domain=r"), paused);
        // A trickle goes through.
        c.breakers.clear();
        tripped(&mut c, &r, Phase::HalfOpen { trickle: 0.1 });
        assert_eq!(said(&c, &[&r], "domain=r"), limited);
        // Where nothing came lately, what ever decided there counts.
        assert_eq!(said(&c, &[], "domain=r"), limited);
    }

    #[test]
    fn kinds_read_the_same_only_where_they_are_the_same() {
        let said = |lately: &[&Kind], ever: &[&Kind]| {
            let of = |kinds: &[&Kind]| kinds.iter().map(|k| (*k).clone()).collect();
            Kinds { lately: of(lately), ever: of(ever) }.to_string()
        };
        let (a, b) = (kind("loan", "m", "2"), kind("loan", "m", "1"));
        assert_eq!(
            said(&[&a], &[&a, &b]),
            r#"[[["loan","m","2"]],[["loan","m","1"],["loan","m","2"]]]"#
        );
        assert_eq!(said(&[], &[]), "[[],[]]");
        assert_ne!(said(&[&a], &[]), said(&[], &[&a]));
        // What a name holds ends no name.
        assert_ne!(said(&[&kind("x\",\"y", "z", "")], &[]), said(&[&kind("x", "y", "z")], &[]));
    }

    #[test]
    fn what_is_to_be_used_instead_is_not_stopped() {
        let mut c = Control::default();
        let to = KillMode::LastGood { version: Some("1".into()) };
        c.kill(&scope("model=m"), &to, "ann", t(0), "x");
        assert!(c.stops(&kind("r", "m", "2")));
        assert!(!c.stops(&kind("r", "m", "1")));
        assert!(!c.stops(&kind("r", "n", "2")));
    }
}
