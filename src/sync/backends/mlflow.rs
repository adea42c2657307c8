//! MLflow: verdicts and corrected outputs as human assessments of the traces that decisions name in
//! `provenance.trace_id`. What names no trace does not go there.
//!
//! MLflow gives every assessment an id of its own, so what is there already is looked up first, by
//! the desk's and the decision's name in its metadata: it is changed where it says something else,
//! and goes where a later correction says nothing of it. (Shapes as MLflow 3.17 answers them.)

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Delivered, Load, Sender, set_up};
use crate::desk::backends::Cargo;
use crate::domain::Correction;
use crate::sync::{Request, Secret, Verdict};

/// How much of an answer is read: a trace's description with its assessments.
const ANSWER: usize = 4 * 1024 * 1024;

/// Why a row did not arrive.
enum Stop {
    Later(String, Option<std::time::Duration>),
    Refused(String),
}

pub(super) async fn deliver(sender: &Sender<'_>, loads: &[Load]) -> Delivered {
    let mut done = Delivered::default();
    for load in loads {
        let key = load.parcel.key.clone();
        let Cargo::Correction { correction, trace: Some(trace), .. } = &load.cargo else {
            done.gone.push(key);
            continue;
        };
        match assess(sender, correction, trace).await {
            Ok(()) => done.sent.push(key),
            Err(Stop::Refused(why)) => done.refused.push((key, why)),
            Err(Stop::Later(why, after)) => {
                done.later = Some((why, after));
                break;
            }
        }
    }
    done
}

async fn assess(sender: &Sender<'_>, correction: &Correction, trace: &str) -> Result<(), Stop> {
    let path = format!("/api/3.0/mlflow/traces/{}", encoded(trace));
    let there = call(sender, Method::GET, &path, None).await?;
    let mut there = own(&there, sender.origin, &correction.id);
    for wanted in assessments(sender.origin, correction, trace) {
        let name = wanted.get("assessment_name").and_then(Value::as_str).unwrap_or_default();
        match there.remove(name) {
            None => {
                let body = json!({ "assessment": wanted });
                call(sender, Method::POST, &format!("{path}/assessments"), Some(&body)).await?;
            }
            Some(found) if says(found, &wanted) => {}
            Some(found) => {
                let fields: Vec<&str> = ["feedback", "expectation", "rationale"]
                    .into_iter()
                    .filter(|f| wanted.get(f).is_some())
                    .collect();
                let body = json!({ "assessment": wanted, "update_mask": fields.join(",") });
                call(sender, Method::PATCH, &at(&path, found), Some(&body)).await?;
            }
        }
    }
    for stale in there.into_values() {
        call(sender, Method::DELETE, &at(&path, stale), None).await?;
    }
    Ok(())
}

/// Where an assessment is.
fn at(trace: &str, assessment: &Value) -> String {
    let id = assessment.get("assessment_id").and_then(Value::as_str).unwrap_or_default();
    format!("{trace}/assessments/{}", encoded(id))
}

/// The assessments that a correction is: the verdict as feedback, the corrected output as what was
/// expected.
fn assessments(origin: &str, correction: &Correction, trace: &str) -> Vec<Value> {
    let one = |name: &str, said: (&str, Value)| {
        let mut map = json!({
            "assessment_name": name,
            "trace_id": trace,
            "source": { "source_type": "HUMAN", "source_id": correction.by },
            "rationale": correction.note.clone().unwrap_or_default(),
            "create_time": correction.at,
            "last_update_time": correction.at,
            "metadata": {
                "overrule_id": correction.id,
                "overrule_origin": origin,
                "tags": correction.tags.join(" "),
            },
        });
        if let Some(map) = map.as_object_mut() {
            map.insert(said.0.to_owned(), json!({ "value": said.1 }));
        }
        map
    };
    let verdict = Value::String(correction.verdict.as_str().to_owned());
    let mut all = vec![one("overrule_verdict", ("feedback", verdict))];
    let corrected = correction.corrected.as_ref();
    if let Some(output) = corrected.and_then(|c| c.output.clone()) {
        all.push(one("overrule_output", ("expectation", output)));
    }
    if let Some(action) = corrected.and_then(|c| c.action.clone()) {
        all.push(one("overrule_action", ("expectation", Value::String(action))));
    }
    all
}

/// The assessments of a trace that are of this desk's decision, by name.
fn own<'v>(trace: &'v Value, origin: &str, id: &str) -> BTreeMap<&'v str, &'v Value> {
    let list = trace.pointer("/trace/trace_info/assessments").and_then(Value::as_array);
    let of =
        |a: &&Value, path: &str, what: &str| a.pointer(path).and_then(Value::as_str) == Some(what);
    list.into_iter()
        .flatten()
        .filter(|a| of(a, "/metadata/overrule_id", id))
        .filter(|a| of(a, "/metadata/overrule_origin", origin))
        .filter_map(|a| Some((a.get("assessment_name")?.as_str()?, a)))
        .collect()
}

/// Does an assessment say already what is wanted?
fn says(found: &Value, wanted: &Value) -> bool {
    let rationale =
        |v: &Value| v.get("rationale").and_then(Value::as_str).unwrap_or_default().to_owned();
    value(found) == value(wanted) && rationale(found) == rationale(wanted)
}

/// The value of an assessment; MLflow keeps an object as its text.
fn value(assessment: &Value) -> Option<Value> {
    ["/feedback/value", "/expectation/value"]
        .into_iter()
        .find_map(|path| assessment.pointer(path).cloned())
        .or_else(|| {
            let text = assessment.pointer("/expectation/serialized_value/value")?.as_str()?;
            serde_json::from_str(text).ok()
        })
}

async fn call(
    sender: &Sender<'_>,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Stop> {
    let place = sender.place;
    let mut request =
        Request::json(place.under(path), body.unwrap_or(&Value::Null), place.backend.private);
    if body.is_none() {
        request.body.clear();
    }
    request.method = method;
    request.keep = ANSWER;
    if let Some(token) = &place.key {
        let words = format!("Bearer {}", token.reveal());
        request.headers.push(("authorization", Secret::new(words)));
        request.secrets.push(token.clone());
    }
    let response = sender.exchange(&request).await.map_err(|why| Stop::Later(why, None))?;
    match Verdict::usual(&request, &response, sender.now) {
        Verdict::Done | Verdict::Again(_) => {
            Ok(serde_json::from_str(&response.body).unwrap_or_default())
        }
        Verdict::Later { why, after } => Err(Stop::Later(why, after)),
        // A trace that is not there is the record's fault.
        Verdict::Refused(why) if set_up(response.status) && response.status != 404 => {
            Err(Stop::Later(why, None))
        }
        Verdict::Refused(why) | Verdict::Gone(why) => Err(Stop::Refused(why)),
    }
}

/// A text as a part of a path.
fn encoded(text: &str) -> String {
    super::label_studio::encoded(text)
}
