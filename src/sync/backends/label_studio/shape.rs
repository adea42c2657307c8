//! The shapes of Label Studio's tasks, predictions and annotations, to and from ours. Pure.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::config::OBJECT;
use crate::desk::backends::{Annotated, ItemCargo};
use crate::domain::{Content, Correction, Output, Verdict, VerdictKind};

/// Begins the ids of results that we wrote, so that they are known again.
const OURS: &str = "overrule-";
/// The version that predictions are filed under: a project shows those of one version alone, and
/// decisions come from many.
pub(super) const MODEL_VERSION: &str = "overrule";

/// A task as a listing shows it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Task {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) data: Map<String, Value>,
    #[serde(default)]
    pub(super) annotations: Vec<Annotation>,
    #[serde(default)]
    pub(super) updated_at: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Annotation {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) result: Vec<Value>,
    #[serde(default)]
    pub(super) completed_by: Option<Value>,
    #[serde(default)]
    pub(super) was_cancelled: bool,
}

impl Task {
    fn text(&self, key: &str) -> &str {
        self.data.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn key(&self) -> &str {
        self.text("overrule_key")
    }

    /// The revision of the item that was pushed; `None`: it came with a correction.
    pub(super) fn revision(&self) -> Option<u64> {
        self.data.get("overrule_revision").and_then(Value::as_u64)
    }

    /// The annotation that `me` wrote here in the desk's name.
    pub(super) fn ours(&self, me: u64) -> Option<&Annotation> {
        self.annotations.iter().find(|a| a.is_ours(me))
    }
}

impl Annotation {
    /// Whose it is: a number, or an object with one.
    pub(super) fn by(&self) -> Option<u64> {
        let by = self.completed_by.as_ref()?;
        by.as_u64().or_else(|| by.get("id").and_then(Value::as_u64))
    }

    /// Did we write it?
    pub(super) fn is_ours(&self, me: u64) -> bool {
        let id = |r: &Value| r.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.by() == Some(me) && self.result.iter().any(|r| id(r).starts_with(OURS))
    }

    /// The values of a control.
    fn values(&self, control: &str) -> Vec<&str> {
        let of = |r: &&Value| r.get("from_name").and_then(Value::as_str) == Some(control);
        self.result
            .iter()
            .filter(of)
            .filter_map(|r| r.get("value"))
            .flat_map(|v| ["choices", "text"].map(|k| v.get(k)))
            .flatten()
            .flat_map(|v| match v {
                Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
                other => other.as_str().into_iter().collect::<Vec<_>>(),
            })
            .collect()
    }
}

/// Names a decision of this desk in a project that several desks may use.
pub(super) fn key(origin: &str, id: &str) -> String {
    format!("{}:{id}", desk(origin))
}

/// What keys of this desk begin with.
pub(super) fn desk(origin: &str) -> String {
    hex(&Sha256::digest(origin), 4)
}

/// A UUID (version 8) that is the same wherever it is made of the same parts.
pub(super) fn uuid(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let bytes: [u8; 16] = digest.finalize().first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// The task for an item that waits, with what the model proposes as its prediction.
pub(super) fn item_task(origin: &str, item: &ItemCargo) -> Value {
    let mut data = data(origin, &item.id, &item.domain, &item.input, &item.current);
    data.insert("overrule_revision".into(), item.revision.into());
    data.insert("model".into(), format!("{}@{}", item.model.name, item.model.version).into());
    data.insert("queue".into(), item.queue.clone().into());
    data.insert("rationale".into(), item.rationale.clone().into());
    data.insert("confidence".into(), item.confidence.into());
    let verdict = Verdict::plain(VerdictKind::Accept);
    let text = shown(&item.current.output);
    json!({
        "data": data,
        "predictions": [{
            "model_version": MODEL_VERSION,
            "score": item.confidence,
            "result": results("prediction-", &verdict, Some(&item.current.action), Some(&text)),
        }],
    })
}

/// The task for a correction of something that was never pushed while it waited.
pub(super) fn correction_task(origin: &str, correction: &Correction) -> Value {
    let c = correction;
    let mut data = data(origin, &c.id, &c.domain, &c.input, &c.proposed);
    data.insert("model".into(), format!("{}@{}", c.model.name, c.model.version).into());
    let verdict = Verdict::plain(VerdictKind::Accept);
    let text = shown(&c.proposed.output);
    json!({
        "data": data,
        "predictions": [{
            "model_version": MODEL_VERSION,
            "result": results("prediction-", &verdict, Some(&c.proposed.action), Some(&text)),
        }],
    })
}

fn data(
    origin: &str,
    id: &str,
    domain: &str,
    input: &Map<String, Value>,
    proposed: &Content,
) -> Map<String, Value> {
    let kind = if proposed.output.is_string() { "text" } else { "json" };
    let pairs = [
        ("heading", format!("Proposal: {}", proposed.action)),
        ("input", shown(&Value::Object(input.clone()))),
        ("action", proposed.action.clone()),
        ("output", shown(&proposed.output)),
        ("output_kind", kind.to_owned()),
        ("domain", domain.to_owned()),
        ("overrule_key", key(origin, id)),
        ("overrule_id", id.to_owned()),
    ];
    pairs.into_iter().map(|(k, v)| (k.to_owned(), Value::String(v))).collect()
}

/// A value as people read it.
fn shown(value: &Output) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

/// The annotation that a correction is.
pub(super) fn annotation(correction: &Correction, unique_id: &str) -> Value {
    let verdict = Verdict {
        tags: correction.tags.clone(),
        note: correction.note.clone(),
        ..Verdict::plain(correction.verdict)
    };
    let corrected = correction.corrected.as_ref();
    let action = corrected.and_then(|c| c.action.as_deref());
    let output = corrected.and_then(|c| c.output.as_ref()).map(shown);
    json!({
        "result": results(OURS, &verdict, action, output.as_deref()),
        "unique_id": unique_id,
        "was_cancelled": false,
        "ground_truth": true,
    })
}

fn results(
    prefix: &str,
    verdict: &Verdict,
    action: Option<&str>,
    output: Option<&str>,
) -> Vec<Value> {
    let one = |name: &str, kind: &str, value: Value| {
        json!({
            "id": format!("{prefix}{name}"), "from_name": name, "to_name": OBJECT,
            "type": kind, "value": value,
        })
    };
    let text = |name: &str, text: &str| one(name, "textarea", json!({ "text": [text] }));
    let mut all = vec![one("verdict", "choices", json!({ "choices": [verdict.verdict.as_str()] }))];
    all.extend(action.map(|a| text("action", a)));
    all.extend(output.map(|o| text("output", o)));
    if !verdict.tags.is_empty() {
        all.push(one("tags", "choices", json!({ "choices": verdict.tags })));
    }
    all.extend(verdict.note.as_deref().map(|n| text("note", n)));
    all
}

/// Has our annotation these results already?
pub(super) fn says(annotation: &Annotation, wanted: &Value) -> bool {
    let own = |r: &Value| ["from_name", "value"].map(|k| r.get(k).cloned().unwrap_or_default());
    let here: Vec<_> = annotation.result.iter().map(own).collect();
    let wanted = wanted.get("result").and_then(Value::as_array);
    wanted.is_some_and(|w| w.iter().map(own).collect::<Vec<_>>() == here)
}

/// An annotation as a verdict, or with why it is none.
pub(super) fn annotated(
    address: &str,
    task: &Task,
    annotation: &Annotation,
    accounts: Vec<String>,
) -> Annotated {
    let id = annotation.id.to_string();
    let said = Value::Array(annotation.result.clone()).to_string();
    let verdict = verdict(task, annotation);
    let fault = match (&verdict, task.revision()) {
        (Err(why), _) => Some(why.clone()),
        (Ok(_), None) => Some("the item was decided at the desk before it came here".to_owned()),
        (Ok(_), Some(_)) => None,
    };
    Annotated {
        name: format!("annotation {id}"),
        request_id: uuid(&["label_studio", address, &id, &said]),
        item: task.text("overrule_id").to_owned(),
        revision: task.revision(),
        accounts,
        verdict: verdict.unwrap_or_else(|_| Verdict::plain(VerdictKind::Accept)),
        fault,
    }
}

fn verdict(task: &Task, annotation: &Annotation) -> Result<Verdict, String> {
    let first = |control: &str| {
        let text = annotation.values(control).first().map(|t| t.trim().to_owned());
        text.filter(|t| !t.is_empty())
    };
    let kind = match first("verdict").as_deref() {
        Some("accept") => VerdictKind::Accept,
        Some("edit") => VerdictKind::Edit,
        Some("reject") => VerdictKind::Reject,
        Some(other) => return Err(format!("it has the verdict {other:?}")),
        None => return Err("it has no verdict".to_owned()),
    };
    let mut verdict = Verdict {
        tags: annotation.values("tags").iter().map(|t| (*t).to_owned()).collect(),
        note: first("note"),
        ..Verdict::plain(kind)
    };
    let action = first("action").filter(|a| a != task.text("action"));
    match kind {
        VerdictKind::Edit => {
            verdict.action = action;
            // (Not trimmed: an output is what it is.)
            let output = annotation.values("output").first().map(|t| (*t).to_owned());
            let output = output.filter(|o| o.trim() != task.text("output").trim());
            verdict.output = match output {
                Some(text) if task.text("output_kind") == "json" => Some(
                    serde_json::from_str(&text)
                        .map_err(|e| format!("its output is no JSON as the proposal is: {e}"))?,
                ),
                other => other.map(Value::String),
            };
        }
        VerdictKind::Reject => verdict.label = action,
        VerdictKind::Accept | VerdictKind::Escalate => {}
    }
    Ok(verdict)
}

fn hex(bytes: &[u8], most: usize) -> String {
    hex::encode(bytes.get(..most).unwrap_or(bytes))
}
