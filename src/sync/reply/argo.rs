//! `reply.kind = "argo"`: the outputs and the end of a suspended node of an Argo workflow.
//!
//! The record's `reply` names `namespace`, `workflow` and `node` (its display name). One call sets
//! the node's output parameters and its phase, so that no half of it can be lost: `Succeeded`, or
//! `Failed` with a message after a rejection. `parameters` says which output parameter gets what:
//! `{"verdict": "outcome", "text": "output"}`; without it there is one, `decision`, with the
//! outcome.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::super::webhook;
use super::{
    Base, Env, NoReply, Request, Response, Service, Timestamp, Verdict, fails, never, reject_fails,
    rejection, required, told,
};
use crate::domain::record::reply::TOLD as FIELDS;

/// The environment variable with the address of the Argo server.
pub const URL: &str = "OVERRULE_ARGO_URL";
/// The environment variable with the bearer token for that address.
pub const TOKEN: &str = "OVERRULE_ARGO_TOKEN";

const SERVICE: Service = Service { lane: "reply:argo", url: URL, key: TOKEN };
/// A suspended node.
#[derive(Clone, Debug)]
pub struct Argo {
    pub base: Base,
    namespace: String,
    workflow: String,
    node: String,
    /// Output parameter → what of what is told.
    parameters: Vec<(String, String)>,
    reject_fails: bool,
}

impl Argo {
    /// From the record's `reply`.
    pub(super) fn of(to: &Value, env: Env<'_>) -> Result<Self, NoReply> {
        Ok(Self {
            namespace: required(to, "namespace")?,
            workflow: required(to, "workflow")?,
            node: required(to, "node")?,
            parameters: parameters(to)?,
            reject_fails: reject_fails(to)?,
            base: Base::of(to, &SERVICE, env)?,
        })
    }

    /// The call.
    pub(super) fn request(&self, payload: &Value) -> Request {
        let fails = fails(payload, self.reject_fails);
        let mut body = json!({
            "namespace": self.namespace,
            "name": self.workflow,
            "nodeFieldSelector": format!("displayName={}", escaped(&self.node)),
            "phase": if fails { "Failed" } else { "Succeeded" },
        });
        if let Value::Object(body) = &mut body {
            if fails {
                body.insert("message".into(), rejection(payload).into());
            } else if !self.parameters.is_empty() {
                // (It is a text with JSON in it.)
                let outputs = Value::Object(self.outputs(payload)).to_string();
                body.insert("outputParameters".into(), outputs.into());
            }
        }
        let path = ["api", "v1", "workflows", &self.namespace, &self.workflow, "set"];
        let mut request = self.base.request(&path, &body);
        request.method = Method::PUT;
        request
    }

    /// Values of parameters are texts; what is none is told as JSON.
    fn outputs(&self, payload: &Value) -> Map<String, Value> {
        let data = told(payload);
        let value = |field: &String| match data.get(field) {
            Some(Value::String(text)) => Value::String(text.clone()),
            Some(other) => Value::String(other.to_string()),
            None => Value::String("null".into()),
        };
        self.parameters.iter().map(|(name, field)| (name.clone(), value(field))).collect()
    }
}

fn parameters(to: &Value) -> Result<Vec<(String, String)>, NoReply> {
    let map = match to.get("parameters") {
        None | Some(Value::Null) => return Ok(vec![("decision".into(), "outcome".into())]),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(never("parameters", "is no object")),
    };
    let one = |(name, field): (&String, &Value)| match field.as_str() {
        Some(field) if FIELDS.contains(&field) => Ok((name.clone(), field.to_owned())),
        _ => Err(never(&format!("parameters.{name}"), format!("is none of {}", FIELDS.join(", ")))),
    };
    map.iter().map(one).collect()
}

/// A value in a field selector: backslash, comma and equals sign are escaped there.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=")
}

/// What an answer means: what is not there, or asks wrongly, stays so. (A node that is not
/// suspended yet is answered with 500, and tried again.)
pub(super) fn read(request: &Request, response: &Response, now: Timestamp) -> Verdict {
    match response.status {
        400 | 404 | 409 => Verdict::Refused(response.words(request)),
        _ => webhook::read(request, response, now),
    }
}
