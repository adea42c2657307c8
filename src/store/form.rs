//! A decision as bytes: what its entry commits to beside the record, so that a row which was
//! changed by hand is noticed.
//!
//! Each part is its name and value, each with its length in front; a part that says nothing is
//! left out. So a part that a later version adds changes no form that does not have it.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::types::Columns;
use crate::domain::{Facts, Fault, Route, Timestamp};

/// The form of a whole row: the hash of [`shared`], then [`groups`] and [`own`].
pub fn form(content: &[u8; 32], route: &Route, facts: &Facts, columns: &Columns) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(&shared(route, columns));
    groups(&mut out, &columns.cohort, &columns.tags);
    let mine = Own {
        id: &route.id,
        content,
        due_at: route.due_at,
        reason: &route.reason,
        faults: &route.faults,
        generation: route.generation,
        confidence: columns.confidence,
        impact: columns.business_impact,
    };
    own(&mut out, &mine, facts);
    out
}

/// What many decisions have in common, as its SHA-256: a verifier takes it once for all of them.
pub(super) fn shared(route: &Route, columns: &Columns) -> [u8; 32] {
    let out = &mut Vec::with_capacity(512);
    // All fields by name, so that a new one cannot be forgotten here.
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
    } = route;
    let Columns {
        domain,
        action,
        model,
        version,
        confidence: _,
        business_impact: _,
        cohort: _,
        tags: _,
        level,
    } = columns;
    text(out, "domain", domain);
    text(out, "action", action);
    text(out, "model", model);
    text(out, "version", version);
    part(out, "level", &[*level]);
    text(out, "outcome", outcome.as_str());
    if let Some(queue) = queue {
        text(out, "queue", queue);
    }
    texts(out, "approval", approvals);
    text(out, "rule", rule);
    texts(out, "matched", matched);
    json(out, "sample", sample.as_ref());
    json(out, "fallback", fallback.as_ref());
    text(out, "policy", policy);
    part(out, "generation", &generation.to_be_bytes());
    text(out, "state", state.as_str());
    if *priority != 0 {
        part(out, "priority", &priority.to_be_bytes());
    }
    texts(out, "tag", tags);
    if *blind {
        part(out, "blind", &[]);
    }
    Sha256::digest(out).into()
}

/// The record's groups and tags.
pub(super) fn groups(out: &mut Vec<u8>, cohort: &BTreeMap<String, String>, tags: &[String]) {
    for (dimension, group) in cohort {
        text(out, "dimension", dimension);
        text(out, "group", group);
    }
    texts(out, "record tag", tags);
}

/// What is a decision's alone.
pub(super) struct Own<'a> {
    pub(super) id: &'a str,
    pub(super) content: &'a [u8],
    pub(super) due_at: Option<Timestamp>,
    pub(super) reason: &'a str,
    pub(super) faults: &'a [Fault],
    /// The route's.
    pub(super) generation: u64,
    pub(super) confidence: Option<f64>,
    pub(super) impact: Option<f64>,
}

/// What is this decision's alone, and the facts it was routed on.
pub(super) fn own(out: &mut Vec<u8>, mine: &Own<'_>, facts: &Facts) {
    let Facts {
        now,
        generation,
        control_readable,
        cohort_seen,
        arrival_rate_z,
        model_age_days,
        containment,
    } = facts;
    text(out, "id", mine.id);
    part(out, "content", mine.content);
    if let Some(due) = mine.due_at {
        part(out, "due", &due.as_nanosecond().to_be_bytes());
    }
    text(out, "reason", mine.reason);
    if !mine.faults.is_empty() {
        json(out, "faults", Some(&mine.faults));
    }
    number(out, "confidence", mine.confidence);
    number(out, "impact", mine.impact);
    part(out, "now", &now.as_nanosecond().to_be_bytes());
    if *generation != mine.generation {
        part(out, "seen generation", &generation.to_be_bytes());
    }
    if !control_readable {
        part(out, "unreadable", &[]);
    }
    if let Some(seen) = cohort_seen {
        part(out, "cohort seen", &seen.to_be_bytes());
    }
    number(out, "arrival rate", *arrival_rate_z);
    number(out, "model age", *model_age_days);
    json(out, "containment", containment.as_ref());
}

fn part(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    // Names are a few bytes; values are parts of a record, which is below 4 GiB.
    out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(value);
}

fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    if !value.is_empty() {
        part(out, name, value.as_bytes());
    }
}

fn texts(out: &mut Vec<u8>, name: &str, values: &[String]) {
    for value in values {
        part(out, name, value.as_bytes());
    }
}

fn number(out: &mut Vec<u8>, name: &str, value: Option<f64>) {
    if let Some(value) = value {
        part(out, name, &value.to_bits().to_be_bytes());
    }
}

/// Rare parts that have parts themselves.
fn json<T: serde::Serialize>(out: &mut Vec<u8>, name: &str, value: Option<&T>) {
    if let Some(value) = value {
        // Plain structures with string keys: writing them into memory has no way to fail.
        part(out, name, &serde_json::to_vec(value).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FaultKind, ItemState, Outcome, Sample, SampleKind};

    fn at(ns: i128) -> Timestamp {
        Timestamp::from_nanosecond(ns).unwrap()
    }

    fn route() -> Route {
        Route {
            id: "a-1".into(),
            outcome: Outcome::Review,
            queue: Some("level1".into()),
            due_at: Some(at(5)),
            approvals: vec!["level1".into()],
            rule: "unsure".into(),
            matched: vec!["unsure".into()],
            reason: "confidence 0.5 < 0.7".into(),
            sample: None,
            fallback: None,
            policy: "sha256:00".into(),
            generation: 3,
            state: ItemState::Waiting,
            duplicate: false,
            faults: Vec::new(),
            priority: 0,
            tags: Vec::new(),
            blind: false,
        }
    }

    /// Every single change gives another form, and no two changes the same.
    #[test]
    fn every_part_matters() {
        type Change = fn(&mut [u8; 32], &mut Route, &mut Facts, &mut Columns);
        let changes: &[Change] = &[
            |_, _, _, _| (),
            |c, _, _, _| c[31] = 1,
            |_, r, _, _| r.id = "a-2".into(),
            |_, r, _, _| r.outcome = Outcome::Auto,
            |_, r, _, _| r.queue = None,
            |_, r, _, _| r.queue = Some("level2".into()),
            |_, r, _, _| r.due_at = Some(at(6)),
            |_, r, _, _| r.due_at = None,
            |_, r, _, _| r.approvals.push("level2".into()),
            |_, r, _, _| r.rule = "default".into(),
            |_, r, _, _| r.matched.clear(),
            |_, r, _, _| r.reason.push('!'),
            |_, r, _, _| {
                let kind = SampleKind::Random;
                r.sample = Some(Sample { kind, rule: "s".into(), probability: 0.5 });
            },
            |_, r, _, _| r.fallback = Some(crate::domain::Fallback { version: "1".into() }),
            |_, r, _, _| r.policy = "none".into(),
            |_, r, _, _| r.generation = 4,
            |_, r, _, _| r.state = ItemState::Settled,
            |_, r, _, _| {
                let kind = FaultKind::Schema;
                r.faults.push(Fault { path: "x".into(), kind, message: "y".into() });
            },
            |_, r, _, _| r.priority = -1,
            |_, r, _, _| r.tags.push("odd".into()),
            |_, r, _, _| r.blind = true,
            |_, _, f, _| f.now = at(1),
            |_, _, f, _| f.generation = 9,
            |_, _, f, _| f.control_readable = false,
            |_, _, f, _| f.cohort_seen = Some(0),
            |_, _, f, _| f.arrival_rate_z = Some(0.0),
            |_, _, f, _| f.model_age_days = Some(0.0),
            |_, _, _, c| c.domain = "loan".into(),
            |_, _, _, c| c.action = "loan".into(),
            |_, _, _, c| c.model = "loan".into(),
            |_, _, _, c| c.version = "loan".into(),
            |_, _, _, c| c.confidence = Some(0.25),
            |_, _, _, c| c.business_impact = Some(0.25),
            |_, _, _, c| drop(c.cohort.insert("race".into(), "b".into())),
            |_, _, _, c| drop(c.cohort.insert("rac".into(), "eb".into())),
            |_, _, _, c| c.tags.push("odd".into()),
            |_, _, _, c| c.level = 2,
        ];
        let mut seen = std::collections::HashMap::new();
        for (n, change) in changes.iter().enumerate() {
            let (mut content, mut route) = ([0; 32], route());
            let (mut facts, mut columns) = (Facts::at(at(0), 3), Columns::default());
            change(&mut content, &mut route, &mut facts, &mut columns);
            let before = seen.insert(form(&content, &route, &facts, &columns), n);
            assert_eq!(before, None, "change {n}");
        }
    }
}
