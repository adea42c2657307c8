//! `reply.kind = "stepfunctions"`: the success or failure of an AWS Step Functions task that waits
//! with a task token.
//!
//! The record's `reply` has the `task_token`, and the `region` where it is not this process's. The
//! address is AWS's own, or [`ENDPOINT`]'s; never the record's. Credentials are AWS's variables.

use reqwest::Url;
use serde_json::{Value, json};

use super::super::sigv4::{self, Credentials};
use super::super::webhook;
use super::{
    Env, NoReply, Request, Response, Secret, Stamp, Timestamp, Verdict, fails, never, reject_fails,
    rejection, set, text, told, web,
};
use crate::domain::record::reply::{TASK_TOKEN as TOKEN, is_region};

/// Another address than AWS's, as AWS's own tools read it.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_SFN";
const KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION: &str = "AWS_SESSION_TOKEN";
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
const LANE: &str = "reply:stepfunctions";

/// Longest output that the service takes, in bytes.
const OUTPUT: usize = 262_144;

/// A task that waits.
#[derive(Clone, Debug)]
pub struct StepFunctions {
    pub endpoint: Url,
    region: String,
    token: Secret,
    credentials: Credentials,
    private: bool,
    reject_fails: bool,
}

impl StepFunctions {
    /// From the record's `reply`.
    pub(super) fn of(to: &Value, env: Env<'_>) -> Result<Self, NoReply> {
        let token =
            text(to, "task_token")?.filter(|t| !t.is_empty() && t.len() <= TOKEN).ok_or_else(
                || never("task_token", format!("is missing, or longer than {TOKEN} bytes")),
            )?;
        let reject_fails = reject_fails(to)?;
        let named = text(to, "region")?;
        if named.as_deref().is_some_and(|region| !is_region(region)) {
            return Err(never("region", "is no region of AWS"));
        }
        let unready = |why: String| NoReply::Unready { lane: LANE, why };
        let unset =
            |what: &str| unready(format!("the environment variable {what} is not set here"));
        let region = named
            .or_else(|| REGIONS.iter().find_map(|variable| set(env, variable)))
            .ok_or_else(|| unset("AWS_REGION"))?;
        let (endpoint, private) = match set(env, ENDPOINT) {
            Some(url) => (web(&url).map_err(|fault| unready(format!("{ENDPOINT} {fault}")))?, true),
            None => {
                let end = if region.starts_with("cn-") { ".cn" } else { "" };
                let url = format!("https://states.{region}.amazonaws.com{end}/");
                let fault = |fault| unready(format!("AWS_REGION: {url} {fault}"));
                (web(&url).map_err(fault)?, false)
            }
        };
        let credentials = Credentials {
            key: set(env, KEY).ok_or_else(|| unset(KEY))?,
            secret: set(env, SECRET).map(Secret::new).ok_or_else(|| unset(SECRET))?,
            session: set(env, SESSION).map(Secret::new),
        };
        let token = Secret::new(token);
        Ok(Self { endpoint, region, token, credentials, private, reject_fails })
    }

    /// The signed call.
    pub(super) fn request(&self, payload: &Value, stamp: &Stamp) -> Request {
        let token = self.token.reveal();
        let (action, body) = if fails(payload, self.reject_fails) {
            let body =
                json!({ "taskToken": token, "error": "Rejected", "cause": rejection(payload) });
            ("SendTaskFailure", body)
        } else {
            ("SendTaskSuccess", json!({ "taskToken": token, "output": output(payload) }))
        };
        let mut request = Request::json(Secret::new(self.endpoint.as_str()), &body, self.private);
        request.headers = vec![
            ("content-type", Secret::new("application/x-amz-json-1.0")),
            ("x-amz-target", Secret::new(format!("AWSStepFunctions.{action}"))),
        ];
        request.secrets.push(self.token.clone());
        sigv4::sign(
            &mut request,
            &self.endpoint,
            &self.credentials,
            &self.region,
            "states",
            stamp.now,
        );
        request
    }
}

/// What is told as a text; without the content where it is longer than the service takes.
fn output(payload: &Value) -> String {
    let mut data = told(payload);
    let text = data.to_string();
    if text.len() <= OUTPUT {
        return text;
    }
    if let Value::Object(map) = &mut data {
        map.insert("output".into(), Value::Null);
        map.insert("output_withheld".into(), "too long for Step Functions".into());
    }
    data.to_string()
}

/// What an answer means: a task that is over stays over; credentials may be put right.
pub(super) fn read(request: &Request, response: &Response, now: Timestamp) -> Verdict {
    /// Errors of the message itself.
    const FINAL: [&str; 6] = [
        "TaskTimedOut",
        "TaskDoesNotExist",
        "InvalidToken",
        "InvalidOutput",
        "ValidationException",
        "SerializationException",
    ];
    let kind = serde_json::from_str::<Value>(&response.body).ok().and_then(|body| {
        let kind = body.get("__type")?.as_str()?;
        Some(kind.rsplit('#').next().unwrap_or(kind).to_owned())
    });
    match kind.as_deref() {
        Some(kind) if response.status == 400 && FINAL.contains(&kind) => {
            Verdict::Refused(response.words(request))
        }
        _ => webhook::read(request, response, now),
    }
}
