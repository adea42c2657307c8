//! The policy in force: put there, shown.

use std::collections::BTreeMap;

use serde_json::Value;

use super::core::{Core, refuse};
use crate::audit::{Entry, EntryKind};
use crate::authority::{self, Subject};
use crate::domain::{DATAOPS, Decision, Model, VerdictKind};
use crate::policy::{Policy, ReviewFacts, Schemas};
use crate::protocol::{Act, PolicyView, Refused, TagView, Why};
use crate::store::{Op, Premises, StoredPolicy, Write};

/// Schemas as the policy room wants them: by domain, `{"input": …, "output": …}`.
pub(super) fn schemas(named: &BTreeMap<String, Value>) -> Result<Schemas, Refused> {
    let named = serde_json::to_value(named).unwrap_or_default();
    serde_json::from_value(named).map_err(|e| {
        Refused::new(Why::Invalid, format!("the schemas are not `domain: {{input, output}}`: {e}"))
            .hint("schema files are named schemas/DOMAIN.input.json and schemas/DOMAIN.output.json")
    })
}

impl Core {
    /// Put a policy in force, after its check; refused where it would drop a queue with items.
    /// `install`: only where none is in force yet, or the same one is.
    pub(super) fn activate(
        &self,
        by: &str,
        file: StoredPolicy,
        install: bool,
    ) -> Result<String, Refused> {
        let StoredPolicy { name, source, schemas: named, .. } = &file;
        let policy = Policy::load(source, name, &schemas(named)?).map_err(|found| {
            Refused::new(
                Why::NotFound,
                format!("the policy does not pass its check\n{}", found.render(false)),
            )
            .hint("nothing has changed; mend the file and try again")
        })?;
        self.retry(|sight| {
            match &sight.snapshot.policy {
                // One that cannot be read is put there again, by whoever may.
                Some(hash) if hash == policy.hash() && (install || sight.policy.is_some()) => {
                    return Ok(policy.hash().to_owned());
                }
                Some(hash) if install => {
                    return Err(Refused::new(
                        Why::Policy,
                        format!(
                            "this store runs another policy ({hash}); {name} is {}",
                            policy.hash()
                        ),
                    )
                    .hint(format!("overrule policy activate {name} changes it (admin, audited)"))
                    .into());
                }
                _ => {}
            }
            let actor = self.actor(by)?;
            authority::may(&actor, Act::ActivatePolicy, Subject::default())?;
            for count in self.store.queues(sight.now, sight.wall)? {
                if count.waiting > 0
                    && policy.queue(&count.queue).is_none()
                    && count.queue != DATAOPS
                {
                    return Err(Refused::new(
                        Why::Policy,
                        format!(
                            "{name} has no queue {}, and {} there",
                            count.queue,
                            crate::text::many(count.waiting, "item waits", "items wait")
                        ),
                    )
                    .hint("clear or move them first, or keep the queue")
                    .into());
                }
            }
            // Items in their grace time, and approvals still to come, name queues too.
            if let Some((item, queue)) =
                self.store.needed()?.into_iter().find_map(|(queue, item)| {
                    let gone = queue != DATAOPS && policy.queue(&queue).is_none();
                    gone.then_some((item, queue))
                })
            {
                return Err(Refused::new(
                    Why::Policy,
                    format!("{name} has no queue {queue}, and {item} still needs it"),
                )
                .hint("let what is held there be decided first, or keep the queue")
                .into());
            }
            let mut entry = Entry::new(EntryKind::POLICY_ACTIVATED, by, sight.now, sight.wall);
            entry.policy = Some(super::admit::short(policy.hash()));
            entry.d.insert("hash".into(), policy.hash().to_owned());
            entry.d.insert("name".into(), name.clone());
            entry.r#gen = Some(sight.snapshot.generation);
            let mut premises = Premises {
                policy: Some(sight.snapshot.policy.clone()),
                actor: Some((actor.name.clone(), actor.version)),
                ..Premises::default()
            };
            premises.generation = Some(sight.snapshot.generation);
            self.commit(Write {
                premises,
                now: sight.now,
                ops: vec![
                    Op::Entry(super::core::draft(
                        entry,
                        vec![("policy".into(), source.clone().into_bytes())],
                    )?),
                    Op::PutPolicy(StoredPolicy { hash: policy.hash().to_owned(), ..file.clone() }),
                ],
            })?;
            Ok(policy.hash().to_owned())
        })
    }

    /// The policy in force, as screens need it.
    pub(super) fn policy_view(&self, by: &str) -> Result<PolicyView, Refused> {
        self.actor(by)?;
        let sight = self.sight()?;
        let queues = self.queue_views(&sight, by)?;
        let Some(policy) = &sight.policy else {
            return Ok(PolicyView {
                name: "none".into(),
                hash: "none".into(),
                source: String::new(),
                grace_ms: 5_000,
                resume: 0,
                tags: Vec::new(),
                queues,
                required: Vec::new(),
            });
        };
        let stored = self.store.policy(Some(policy.hash())).map_err(refuse)?;
        Ok(PolicyView {
            name: policy.name().to_owned(),
            hash: policy.hash().to_owned(),
            source: stored.map(|s| s.source).unwrap_or_default(),
            grace_ms: u64::try_from(policy.control().grace.as_millis()).unwrap_or(5_000),
            resume: policy.control().resume,
            tags: policy
                .tags()
                .iter()
                .map(|t| TagView {
                    id: t.id.clone(),
                    title: t.title.clone(),
                    key: t.key,
                    severity: t.severity,
                    require_note: t.require_note,
                    consequence: consequence(policy, &t.id),
                })
                .collect(),
            queues,
            required: policy.required_queues().map(str::to_owned).collect(),
        })
    }
}

/// What using a tag sets off, in words, tried on a rejection of a plain decision.
fn consequence(policy: &Policy, tag: &str) -> Option<String> {
    let facts = |tags: Vec<String>| ReviewFacts {
        verdict: VerdictKind::Reject,
        tags,
        level: 1,
        reviewer: String::new(),
        reversal: false,
    };
    let plain = plain_decision();
    let always = policy.on_review(&plain, &facts(Vec::new()));
    let words: Vec<String> = policy
        .on_review(&plain, &facts(vec![tag.to_owned()]))
        .iter()
        .filter(|f| !always.iter().any(|a| a.effect == f.effect))
        .flat_map(|f| &f.actions)
        .map(super::settle::words)
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn plain_decision() -> Decision {
    Decision {
        id: "plain".into(),
        occurred_at: None,
        domain: String::new(),
        action: String::new(),
        scope: None,
        user_group: None,
        model: Model { name: String::new(), version: String::new() },
        confidence: 1.0,
        ensemble: Vec::new(),
        cohort: BTreeMap::new(),
        business_impact: 0.0,
        input: serde_json::Map::new(),
        output: Value::String(String::new()),
        rationale: None,
        source: None,
        provenance: BTreeMap::new(),
        latency_ms: None,
        attributions: BTreeMap::new(),
        logits: Vec::new(),
        tags: Vec::new(),
        reply: None,
        extra: serde_json::Map::new(),
    }
}
