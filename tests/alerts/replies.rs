//! Waiting workflows: stand-ins for Temporal, Step Functions and Argo that take only what their
//! published interfaces say, and the courier that tells them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use overrule::sync::guard::Allowed;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::fake::{Desk, Stands, at, desk, desk_with};
use super::receiver::{Came, Receiver, Says};

fn payload(to: Value, outcome: &str) -> Value {
    json!({
        "reply": to, "id": "lap-1", "outcome": outcome, "reversal": false, "action": "approve",
        "output": {"decision": "approve"}, "label": null, "level": 1, "approvals": ["level1"],
        "at": "2026-11-22T12:00:00Z",
    })
}

/// Has an object these members, and no others?
fn only(value: &Value, members: &[&str]) -> bool {
    value.as_object().is_some_and(|map| map.keys().all(|key| members.contains(&key.as_str())))
}

/// Temporal's HTTP API as its OpenAPI document has it: paths, members, JSON in place of payloads.
fn temporal(came: &Came) -> Says {
    let wrong = |why: &str| Says::plain(400, &json!({"code": 3, "message": why}).to_string());
    if came.method != "POST" || came.header("content-type").is_none_or(|t| !t.contains("json")) {
        return wrong("method or content type");
    }
    if came.header("authorization") != Some("Bearer temporal-key") {
        return Says::plain(401, r#"{"code":16,"message":"no key"}"#);
    }
    let body = came.json();
    let parts: Vec<&str> = came.path.split('/').collect();
    let list = |name: &str| body[name].as_array().is_some_and(|list| list.len() == 1);
    let failure = || {
        let failure = &body["failure"];
        only(failure, &["message", "source", "stackTrace", "applicationFailureInfo"])
            && only(&failure["applicationFailureInfo"], &["type", "nonRetryable", "details"])
            && failure["message"].is_string()
            && failure["applicationFailureInfo"]["nonRetryable"].is_boolean()
            && failure["applicationFailureInfo"]["details"].is_array()
    };
    let fine = match parts.as_slice() {
        ["", "api", "v1", "namespaces", _, "workflows", "gone", ..] => {
            return Says::plain(404, r#"{"code":5,"message":"workflow not found for ID: gone"}"#);
        }
        ["", "api", "v1", "namespaces", "default", "workflows", "w-1", "signal", "decided"] => {
            only(&body, &["workflowExecution", "input", "identity", "requestId", "control"])
                && list("input")
                && body["requestId"].as_str().is_some_and(|id| id.starts_with("msg_"))
        }
        [
            "",
            "api",
            "v1",
            "namespaces",
            "default",
            "workflows",
            "w-1",
            "activities",
            "a-1",
            end,
        ] => match *end {
            "complete" => only(&body, &["runId", "result", "identity"]) && list("result"),
            "fail" => only(&body, &["runId", "failure", "identity"]) && failure(),
            _ => false,
        },
        [
            "",
            "api",
            "v1",
            "namespaces",
            "default",
            end @ ("activity-complete" | "activity-fail"),
        ] => {
            let token = body["taskToken"].as_str().is_some_and(|t| STANDARD.decode(t).is_ok());
            token
                && match *end {
                    "activity-complete" => {
                        only(&body, &["taskToken", "result", "identity"]) && list("result")
                    }
                    _ => only(&body, &["taskToken", "failure", "identity"]) && failure(),
                }
        }
        _ => return Says::plain(404, r#"{"code":12,"message":"Not Found"}"#),
    };
    if fine { Says::plain(200, "{}") } else { wrong("members") }
}

const AWS: [(&str, &str); 3] = [
    ("AWS_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "aws-secret"),
];

/// What a signature of version 4 must be, computed from the request as it came.
fn signature(came: &Came, host: &str) -> String {
    let hex = |bytes: &[u8]| hex::encode(bytes);
    let mac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let date = came.header("x-amz-date").unwrap();
    let canonical = format!(
        "POST\n{}\n\ncontent-type:{}\nhost:{host}\nx-amz-date:{date}\nx-amz-target:{}\n\n\
         content-type;host;x-amz-date;x-amz-target\n{}",
        came.path,
        came.header("content-type").unwrap(),
        came.header("x-amz-target").unwrap(),
        hex(&Sha256::digest(&came.body)),
    );
    let scope = format!("{}/eu-central-1/states/aws4_request", &date[..8]);
    let hashed = hex(&Sha256::digest(canonical));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}");
    let mut key = b"AWS4aws-secret".to_vec();
    for part in [&date[..8], "eu-central-1", "states", "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = hex(&mac(&key, &text));
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={signature}"
    )
}

/// Step Functions: JSON 1.0, the target header, a task token; each task ends once.
fn steps(came: &Came, ended: &mut Vec<String>) -> Says {
    let fault =
        |kind: &str| Says::plain(400, &json!({"__type": kind, "message": kind}).to_string());
    let host = came.header("host").unwrap_or_default().to_owned();
    if came.method != "POST" || came.header("content-type") != Some("application/x-amz-json-1.0") {
        return fault("UnknownOperationException");
    }
    if came.header("authorization") != Some(signature(came, &host).as_str()) {
        return Says::plain(403, r#"{"__type":"InvalidSignatureException"}"#);
    }
    let body = came.json();
    let token = body["taskToken"].as_str().unwrap_or_default().to_owned();
    let fine = match came.header("x-amz-target") {
        Some("AWSStepFunctions.SendTaskSuccess") => {
            only(&body, &["taskToken", "output"])
                && body["output"]
                    .as_str()
                    .is_some_and(|text| serde_json::from_str::<Value>(text).is_ok())
        }
        Some("AWSStepFunctions.SendTaskFailure") => {
            only(&body, &["taskToken", "error", "cause"])
                && body["error"].as_str().is_some_and(|e| e.len() <= 256)
        }
        _ => return fault("UnknownOperationException"),
    };
    if !fine || token.is_empty() {
        return fault("ValidationException");
    }
    if ended.contains(&token) {
        return fault("TaskTimedOut");
    }
    ended.push(token);
    Says::plain(200, "{}")
}

/// The Argo server's `WorkflowSetRequest`; a node that is not suspended cannot be set.
fn argo(came: &Came, n: usize) -> Says {
    let wrong = |status, why: &str| Says::plain(status, &json!({"message": why}).to_string());
    if came.header("authorization") != Some("Bearer argo-token") {
        return wrong(401, "token not valid");
    }
    let body = came.json();
    let members =
        ["name", "namespace", "nodeFieldSelector", "message", "phase", "outputParameters"];
    if came.method != "PUT" || came.path != "/api/v1/workflows/argo/loan-x/set" {
        return wrong(404, "Not Found");
    }
    let texts = body.as_object().is_some_and(|map| map.values().all(Value::is_string));
    let outputs = body["outputParameters"].as_str().is_none_or(|text| {
        serde_json::from_str::<Value>(text)
            .is_ok_and(|v| v.as_object().is_some_and(|m| m.values().all(Value::is_string)))
    });
    let phase = matches!(body["phase"].as_str(), Some("Succeeded" | "Failed" | "Error"));
    if !(only(&body, &members) && texts && outputs && phase) {
        return wrong(400, "invalid argument");
    }
    if n == 0 {
        return wrong(500, "currently, set only targets suspend nodes: no suspend nodes matching");
    }
    Says::plain(200, "{}")
}

async fn told(desk: &mut Desk, to: Value, outcome: &str) -> (Stands, String) {
    let row = desk.outbox.put("reply", payload(to, outcome));
    desk.courier.round(at(0.0), None).await.unwrap();
    (desk.outbox.stands(row).0, desk.outbox.row(row).error)
}

#[tokio::test]
async fn temporal_takes_signals_and_completions() {
    let receiver = Receiver::start(|came, _| temporal(came)).await;
    let url = receiver.url("");
    let env = [("OVERRULE_TEMPORAL_URL", url.as_str()), ("OVERRULE_TEMPORAL_KEY", "temporal-key")];
    let mut desk = desk(Vec::new(), &env);
    let base = json!({"kind": "temporal", "namespace": "default"});
    let with = |more: Value| {
        let mut to = base.clone();
        for (key, value) in more.as_object().unwrap() {
            to[key] = value.clone();
        }
        to
    };
    for to in [
        with(json!({"workflow_id": "w-1", "run_id": "r-1", "signal": "decided"})),
        with(json!({"workflow_id": "w-1", "activity_id": "a-1"})),
        with(json!({"task_token": "Cg5zb21l"})),
    ] {
        for outcome in ["accepted", "rejected"] {
            let (stands, error) = told(&mut desk, to.clone(), outcome).await;
            assert_eq!((stands, error.as_str()), (Stands::Done, ""), "{to} {outcome}");
        }
    }
    let first = receiver.came()[0].json();
    assert_eq!(first["input"][0]["id"], "lap-1");
    assert_eq!(first["input"][0]["level"], 1);
    assert_eq!(first["workflowExecution"]["runId"], "r-1");
    let gone = with(json!({"workflow_id": "gone", "signal": "decided"}));
    let (stands, error) = told(&mut desk, gone, "accepted").await;
    assert_eq!(stands, Stands::Dead);
    assert!(error.contains("workflow not found for ID: gone"), "{error}");
}

#[tokio::test]
async fn step_functions_checks_the_signature_and_ends_a_task_once() {
    let ended = std::sync::Mutex::new(Vec::new());
    let receiver = Receiver::start(move |came, _| steps(came, &mut ended.lock().unwrap())).await;
    let url = receiver.url("/");
    let mut env = AWS.to_vec();
    env.push(("AWS_ENDPOINT_URL_SFN", url.as_str()));
    let mut desk = desk(Vec::new(), &env);
    for (token, outcome) in [("t-1", "edited"), ("t-2", "rejected")] {
        let to = json!({"kind": "stepfunctions", "task_token": token});
        let (stands, error) = told(&mut desk, to, outcome).await;
        assert_eq!((stands, error.as_str()), (Stands::Done, ""), "{outcome}");
    }
    let again = json!({"kind": "stepfunctions", "task_token": "t-1"});
    let (stands, error) = told(&mut desk, again, "edited").await;
    assert_eq!(stands, Stands::Dead);
    assert!(error.contains("TaskTimedOut"), "{error}");
    let output: Value =
        serde_json::from_str(receiver.came()[0].json()["output"].as_str().unwrap()).unwrap();
    assert_eq!(output["outcome"], "edited");
    assert_eq!(output["output"], json!({"decision": "approve"}));
}

#[tokio::test]
async fn argo_is_set_once_its_node_is_suspended() {
    let receiver = Receiver::start(argo).await;
    let url = receiver.url("");
    let env = [("OVERRULE_ARGO_URL", url.as_str()), ("OVERRULE_ARGO_TOKEN", "argo-token")];
    let mut desk = desk(Vec::new(), &env);
    let to = json!({"kind": "argo", "namespace": "argo", "workflow": "loan-x", "node": "approve"});
    let row = desk.outbox.put("reply", payload(to, "accepted"));
    desk.courier.round(at(0.0), None).await.unwrap();
    assert_eq!(desk.outbox.stands(row), (Stands::Waiting, 1));
    desk.courier.round(at(60.0), None).await.unwrap();
    assert_eq!(desk.outbox.stands(row).0, Stands::Done);
    let came = receiver.came();
    assert_eq!(came[1].json()["outputParameters"], r#"{"decision":"accepted"}"#);
}

#[tokio::test]
async fn an_address_that_only_the_record_names_gets_no_key_and_no_way_inside() {
    let receiver = Receiver::start(|came, _| {
        let key = came.header("authorization").is_some();
        Says::plain(if key { 418 } else { 200 }, "")
    })
    .await;
    let env = [
        ("OVERRULE_TEMPORAL_URL", "https://temporal.example"),
        ("OVERRULE_TEMPORAL_KEY", "temporal-key"),
    ];
    let to = json!({"kind": "temporal", "namespace": "default", "workflow_id": "w-1",
                    "signal": "decided", "url": receiver.url("")});
    let mut strict = desk(Vec::new(), &env);
    let (stands, error) = told(&mut strict, to.clone(), "accepted").await;
    assert_eq!(stands, Stands::Dead);
    assert!(error.contains("inside the network"), "{error}");
    assert!(receiver.came().is_empty());
    let mut allowed = desk_with(Vec::new(), &env, Allowed::read("127.0.0.1"));
    let (stands, error) = told(&mut allowed, to, "accepted").await;
    assert_eq!((stands, error.as_str()), (Stands::Done, ""));
}
