//! `reply.kind = "temporal"`: a signal to a workflow, or the completion of one of its activities,
//! over Temporal's HTTP API (JSON in the places of payloads is its shorthand).
//!
//! | the record's `reply` | becomes |
//! |---|---|
//! | `namespace`, `workflow_id`, `run_id`?, `signal` | that signal, with what is told as its input |
//! | `namespace`, `workflow_id`, `run_id`?, `activity_id` | the activity's result, or its failure |
//! | `namespace`, `task_token` (base64) | the same by token |
//!
//! A signal's `requestId` is the message's id, so that a repetition is no second signal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::webhook;
use super::{
    Base, Env, NoReply, Request, Response, Secret, Service, Stamp, Timestamp, Verdict, fails, name,
    never, reject_fails, rejection, required, text, told,
};

/// The environment variable with the address of Temporal's HTTP API, such as
/// `https://temporal.example:7243`.
pub const URL: &str = "OVERRULE_TEMPORAL_URL";
/// The environment variable with the API key for that address; where it needs one.
pub const KEY: &str = "OVERRULE_TEMPORAL_KEY";

const SERVICE: Service = Service { lane: "reply:temporal", url: URL, key: KEY };
/// Who signals and completes.
const IDENTITY: &str = "overrule";

/// A workflow or activity that waits.
#[derive(Clone, Debug)]
pub struct Temporal {
    pub base: Base,
    namespace: String,
    target: Target,
    reject_fails: bool,
}

#[derive(Clone, Debug)]
enum Target {
    Signal { workflow: String, run: Option<String>, signal: String },
    Activity { workflow: String, run: Option<String>, activity: String },
    Token(String),
}

impl Temporal {
    /// From the record's `reply`.
    pub(super) fn of(to: &Value, env: Env<'_>) -> Result<Self, NoReply> {
        let (signal, activity) = (name(to, "signal")?, name(to, "activity_id")?);
        let token = text(to, "task_token")?;
        let workflow = || required(to, "workflow_id");
        let run = || name(to, "run_id");
        let target = match (signal, activity, token) {
            (Some(signal), None, None) => {
                Target::Signal { workflow: workflow()?, run: run()?, signal }
            }
            (None, Some(activity), None) => {
                Target::Activity { workflow: workflow()?, run: run()?, activity }
            }
            (None, None, Some(token)) => {
                if token.is_empty() || STANDARD.decode(&token).is_err() {
                    return Err(never("task_token", "is no base64"));
                }
                Target::Token(token)
            }
            _ => {
                return Err(NoReply::Never(
                    "the record's `reply` needs one of `signal`, `activity_id` and `task_token`"
                        .into(),
                ));
            }
        };
        let namespace = required(to, "namespace")?;
        let base = Base::of(to, &SERVICE, env)?;
        Ok(Self { base, namespace, target, reject_fails: reject_fails(to)? })
    }

    /// A workflow can be signalled as often as it lives; an activity ends once.
    pub(super) fn is_signal(&self) -> bool {
        matches!(self.target, Target::Signal { .. })
    }

    /// The call.
    pub(super) fn request(&self, payload: &Value, stamp: &Stamp) -> Request {
        let data = told(payload);
        let fails = fails(payload, self.reject_fails);
        let mut body = match &self.target {
            Target::Signal { .. } => json!({ "input": [data], "requestId": stamp.id }),
            _ if fails => json!({
                "failure": {
                    "message": rejection(payload),
                    "source": IDENTITY,
                    "applicationFailureInfo": {
                        "type": "Rejected",
                        "nonRetryable": true,
                        "details": [data],
                    },
                },
            }),
            _ => json!({ "result": [data] }),
        };
        let mut add = |name: &str, value: Value| {
            if let Value::Object(body) = &mut body {
                body.insert(name.into(), value);
            }
        };
        add("identity", IDENTITY.into());
        let (api, end) = (["api", "v1", "namespaces"], if fails { "fail" } else { "complete" });
        let ns = self.namespace.as_str();
        let mut path = api.to_vec();
        let by_token = format!("activity-{end}");
        match &self.target {
            Target::Signal { workflow, run, signal } => {
                if let Some(run) = run {
                    add("workflowExecution", json!({ "runId": run }));
                }
                path.extend([ns, "workflows", workflow, "signal", signal]);
            }
            Target::Activity { workflow, run, activity } => {
                if let Some(run) = run {
                    add("runId", run.as_str().into());
                }
                path.extend([ns, "workflows", workflow, "activities", activity, end]);
            }
            Target::Token(token) => {
                add("taskToken", token.as_str().into());
                path.extend([ns, by_token.as_str()]);
            }
        }
        let mut request = self.base.request(&path, &body);
        if let Target::Token(token) = &self.target {
            request.secrets.push(Secret::new(token.as_str()));
        }
        request
    }
}

/// What an answer means: what is over or was never there stays so; a wrong key may be put right.
pub(super) fn read(request: &Request, response: &Response, now: Timestamp) -> Verdict {
    match response.status {
        400 | 404 | 409 | 412 => Verdict::Refused(response.words(request)),
        _ => webhook::read(request, response, now),
    }
}
