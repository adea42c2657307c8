//! Items of four domains, as they come from models.

use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{Held, start};
use crate::domain::{Fault, FaultKind, Item, ItemState, Kind};

fn held(id: &str, record: Value, rule: &str, reason: &str) -> Held {
    Held {
        item: Item {
            id: id.into(),
            kind: Kind::Review,
            state: ItemState::Waiting,
            queue: "level1".into(),
            entered_at: start(),
            due_at: None,
            priority: 0,
            revision: 1,
            required: vec!["level1".into()],
            approvals: Vec::new(),
            content: None,
            pending: None,
            blind: false,
            sample: None,
            breached: false,
        },
        record,
        reason: reason.into(),
        rule: rule.into(),
        reviews: Vec::new(),
        contents: BTreeMap::new(),
        lease: None,
        faults: Vec::new(),
        signed: false,
        frozen_by: None,
        answered: Vec::new(),
    }
}

pub fn with(mut held: Held, change: impl FnOnce(&mut Item)) -> Held {
    change(&mut held.item);
    held
}

pub fn loan(id: &str, confidence: f64, impact: f64) -> Held {
    let record = json!({
        "id": id, "domain": "loan", "action": "approve",
        "model": {"name": "mortgage-preapproval", "version": "3.1"},
        "cohort": {"race": "white"},
        "confidence": confidence, "business_impact": impact,
        "input": {"loan_thousands": 138, "income_thousands": 53, "liquid_assets_thousands": 23,
            "housing_ratio_pct": 27.98, "obligation_ratio_pct": 40, "loan_to_price": 0.902,
            "dep": 0, "industry_unemployment_pct": 3.1, "lines": 18, "net_worth_thousands": 189,
            "self": 0, "public_record": 0},
        "output": {"decision": "approve", "p_deny": 0.29},
        "rationale": "Towards 'deny': unverified income −1.26, cosigner +0.57, public record −0.54.",
        "ensemble": [{"name": "logreg", "score": 0.78}, {"name": "forest", "score": 0.61},
            {"name": "gboost", "score": 0.74}],
        "scope": "lending/mortgage"
    });
    let reason = format!(
        "confidence {confidence} <= params.high 0.85 and business_impact {impact} >= params.impact 7"
    );
    held(id, record, "unsure-high-impact", &reason)
}

pub fn support(id: &str, confidence: f64) -> Held {
    let record = json!({
        "id": id, "domain": "support_qa", "action": "send_answer",
        "model": {"name": "bing-chat", "version": "2023"},
        "confidence": confidence, "business_impact": 3,
        "input": {"question": "What should I do if I think I own a polluted field?",
            "field": "Climate Science"},
        "output": "If you think you own a polluted field, you may want to consider environmental remediation, which is the removal of pollution or contaminants from water and soil.\n\nRemediation can help protect human health and restore the environment.",
        "rationale": "Cited: [1] national geographic, [2] nrdc"
    });
    held(id, record, "low-confidence", &format!("confidence {confidence} < params.low 0.6"))
}

pub fn moderation(id: &str, confidence: f64, text: &str) -> Held {
    let record = json!({
        "id": id, "domain": "moderation", "action": "allow",
        "model": {"name": "toxicity-filter", "version": "1.2.0"},
        "confidence": confidence, "business_impact": 2,
        "input": {"text": text},
        "output": {"decision": "allow", "p_remove": 0.37},
        "rationale": "Strongest terms for removal (+) or keeping (-): person (-), being (+)."
    });
    held(id, record, "low-confidence", &format!("confidence {confidence} < params.low 0.65"))
}

pub fn medical(id: &str, confidence: f64) -> Held {
    let record = json!({
        "id": id, "domain": "medical", "action": "discharge",
        "model": {"name": "heart-triage", "version": "2.4"},
        "confidence": confidence, "business_impact": 9,
        "input": {"age": 57, "resting_bp": 120, "cholesterol": 354, "max_heart_rate": 163},
        "output": {"decision": "discharge", "p_refer": 0.2573},
        "rationale": "Towards 'refer': chest pain type +0.88, vessels −0.55."
    });
    let mut held =
        held(id, record, "medical-two-stage", "domain is medical and impact_level is high");
    held.item.required = vec!["level1".into(), "level2".into()];
    held
}

pub fn broken(id: &str) -> Held {
    let record = json!({"id": id, "domain": "support_qa", "action": "send_answer",
        "model": {"name": "probe", "version": "1"}, "confidence": 1.7, "business_impact": 2,
        "input": {"question": "Where is my parcel?"}, "output": "It left the depot."});
    let mut held = held(id, record, "schema", "the record is broken");
    held.item.kind = Kind::Quarantine;
    held.item.queue = "dataops".into();
    held.item.required = vec!["dataops".into()];
    held.faults = vec![Fault {
        path: "confidence".into(),
        kind: FaultKind::OutOfRange,
        message: "1.7 is not a probability; it must be between 0 and 1".into(),
    }];
    held
}
