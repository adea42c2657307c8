//! What each kind of waiting workflow is sent, byte for byte where it matters.

use serde_json::{Value, json};

use super::super::notice::tests::stamp;
use super::*;

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A payload as the desk writes it.
fn payload(to: Value, outcome: &str) -> Value {
    json!({
        "reply": to, "id": "lap-1", "outcome": outcome, "reversal": false, "action": "approve",
        "output": {"decision": "approve"}, "label": null, "level": 2,
        "approvals": ["level1", "level2"], "at": "2026-11-22T12:00:00Z",
    })
}

fn env(name: &str) -> Option<String> {
    let value = match name {
        "OVERRULE_REPLY_SECRET" => WHSEC,
        "OVERRULE_TEMPORAL_URL" => "https://temporal.internal:7243",
        "OVERRULE_TEMPORAL_KEY" => "temporal-key",
        "OVERRULE_ARGO_URL" => "https://argo.internal/base/",
        "OVERRULE_ARGO_TOKEN" => "argo-token",
        "AWS_REGION" => "eu-central-1",
        "AWS_ACCESS_KEY_ID" => "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY" => "aws-secret",
        _ => return None,
    };
    Some(value.to_owned())
}

/// What is sent for a reply: the request and its body.
fn sent(to: Value, outcome: &str) -> (Request, Value) {
    let payload = payload(to, outcome);
    let way = Way::of(&payload, &env).unwrap();
    let request = way.request(&payload, &stamp());
    let body = serde_json::from_slice(&request.body).unwrap();
    (request, body)
}

fn header(request: &Request, name: &str) -> Option<String> {
    let found = request.headers.iter().find(|(n, _)| *n == name);
    found.map(|(_, value)| value.reveal().to_owned())
}

fn told_of(outcome: &str) -> Value {
    let mut data = payload(json!(null), outcome);
    data.as_object_mut().unwrap().remove("reply");
    data
}

fn never_of(to: Value) -> String {
    match Way::of(&payload(to, "accepted"), &env).unwrap_err() {
        NoReply::Never(why) => why,
        NoReply::Unready { why, .. } => panic!("only not from here: {why}"),
    }
}

#[test]
fn a_webhook_gets_the_outcome_and_its_own_token() {
    let to = json!({"kind": "webhook", "url": "https://flows.example:8443/done?x=1", "token": "t"});
    let (request, body) = sent(to.clone(), "edited");
    let mut data = told_of("edited");
    data["token"] = json!("t");
    assert_eq!(body["type"], "review.decided");
    assert_eq!(body["data"], data);
    assert!(header(&request, "webhook-signature").unwrap().starts_with("v1,"));
    assert!(!request.private);
    let way = Way::of(&payload(to, "edited"), &env).unwrap();
    assert_eq!(way.lane(), "reply:flows.example:8443");
}

#[test]
fn a_temporal_workflow_is_signalled_once_for_each_message() {
    let to = json!({"kind": "temporal", "namespace": "default", "workflow_id": "loan/7 ü",
                    "run_id": "r-1", "signal": "review-decided"});
    let (request, body) = sent(to, "rejected");
    assert_eq!(
        request.url.reveal(),
        "https://temporal.internal:7243/api/v1/namespaces/default/workflows/loan%2F7%20%C3%BC/\
         signal/review-decided"
    );
    assert_eq!(
        body,
        json!({
            "input": [told_of("rejected")], "requestId": "msg_1", "identity": "overrule",
            "workflowExecution": {"runId": "r-1"},
        })
    );
    assert_eq!(header(&request, "authorization").unwrap(), "Bearer temporal-key");
    assert!(request.private);
}

#[test]
fn a_temporal_activity_ends_with_a_result_and_a_rejection_fails_it() {
    let to = json!({"kind": "temporal", "namespace": "n", "workflow_id": "w",
                    "activity_id": "a"});
    let (request, body) = sent(to.clone(), "accepted");
    let path = "https://temporal.internal:7243/api/v1/namespaces/n/workflows/w/activities/a/";
    assert_eq!(request.url.reveal(), format!("{path}complete"));
    assert_eq!(body, json!({"result": [told_of("accepted")], "identity": "overrule"}));
    let (request, body) = sent(to.clone(), "rejected");
    assert_eq!(request.url.reveal(), format!("{path}fail"));
    assert_eq!(
        body,
        json!({
            "failure": {
                "message": "lap-1 was rejected in review", "source": "overrule",
                "applicationFailureInfo": {
                    "type": "Rejected", "nonRetryable": true, "details": [told_of("rejected")],
                },
            },
            "identity": "overrule",
        })
    );
    let mut lenient = to;
    lenient["on_reject"] = json!("result");
    let (request, body) = sent(lenient, "rejected");
    assert_eq!(request.url.reveal(), format!("{path}complete"));
    assert_eq!(body["result"][0]["outcome"], "rejected");
}

#[test]
fn a_temporal_activity_is_completed_by_its_token() {
    let to = json!({"kind": "temporal", "namespace": "n", "task_token": "Cg5zb21l"});
    let (request, body) = sent(to.clone(), "accepted");
    assert_eq!(
        request.url.reveal(),
        "https://temporal.internal:7243/api/v1/namespaces/n/activity-complete"
    );
    assert_eq!(body["taskToken"], "Cg5zb21l");
    assert_eq!(request.scrub("bad token Cg5zb21l"), "bad token ***");
    let (request, _) = sent(to, "rejected");
    assert!(request.url.reveal().ends_with("/namespaces/n/activity-fail"));
}

#[test]
fn a_step_functions_task_succeeds_or_fails_signed() {
    let to = json!({"kind": "stepfunctions", "task_token": "AAAAKg"});
    let (request, body) = sent(to.clone(), "accepted");
    assert_eq!(request.url.reveal(), "https://states.eu-central-1.amazonaws.com/");
    assert_eq!(header(&request, "content-type").unwrap(), "application/x-amz-json-1.0");
    assert_eq!(header(&request, "x-amz-target").unwrap(), "AWSStepFunctions.SendTaskSuccess");
    assert_eq!(header(&request, "x-amz-date").unwrap(), "20261122T120005Z");
    let authorization = header(&request, "authorization").unwrap();
    assert!(
        authorization.starts_with(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/eu-central-1/states/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature="
        ),
        "{authorization}"
    );
    assert_eq!(body["taskToken"], "AAAAKg");
    let output: Value = serde_json::from_str(body["output"].as_str().unwrap()).unwrap();
    assert_eq!(output, told_of("accepted"));

    let mut refused = payload(to, "rejected");
    refused["label"] = json!("deny");
    let way = Way::of(&refused, &env).unwrap();
    let request = way.request(&refused, &stamp());
    assert_eq!(header(&request, "x-amz-target").unwrap(), "AWSStepFunctions.SendTaskFailure");
    assert_eq!(
        serde_json::from_slice::<Value>(&request.body).unwrap(),
        json!({
            "taskToken": "AAAAKg", "error": "Rejected",
            "cause": "lap-1 was rejected in review; right would have been: deny",
        })
    );
}

#[test]
fn an_output_too_long_for_step_functions_is_withheld_and_said_so() {
    let mut long = payload(json!({"kind": "stepfunctions", "task_token": "t"}), "edited");
    long["output"] = json!("x".repeat(300_000));
    let request = Way::of(&long, &env).unwrap().request(&long, &stamp());
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let output: Value = serde_json::from_str(body["output"].as_str().unwrap()).unwrap();
    assert_eq!(output["output"], Value::Null);
    assert_eq!(output["output_withheld"], "too long for Step Functions");
    assert_eq!(output["outcome"], "edited");
}

#[test]
fn an_argo_node_gets_outputs_and_phase_in_one_call() {
    let to = json!({"kind": "argo", "namespace": "argo", "workflow": "loan-x",
                    "node": "approve,now", "parameters": {"verdict": "outcome", "text": "output"}});
    let (request, body) = sent(to, "edited");
    assert_eq!(request.method, reqwest::Method::PUT);
    assert_eq!(request.url.reveal(), "https://argo.internal/base/api/v1/workflows/argo/loan-x/set");
    assert_eq!(header(&request, "authorization").unwrap(), "Bearer argo-token");
    assert_eq!(
        body,
        json!({
            "namespace": "argo", "name": "loan-x", "phase": "Succeeded",
            "nodeFieldSelector": "displayName=approve\\,now",
            "outputParameters": r#"{"verdict":"edited","text":"{\"decision\":\"approve\"}"}"#,
        })
    );
}

#[test]
fn a_rejection_fails_the_argo_node() {
    let to = json!({"kind": "argo", "namespace": "a", "workflow": "w", "node": "approve"});
    let (_, body) = sent(to.clone(), "rejected");
    assert_eq!(body["phase"], "Failed");
    assert_eq!(body["message"], "lap-1 was rejected in review");
    assert_eq!(body.get("outputParameters"), None);
    let (_, body) = sent(to, "accepted");
    assert_eq!(body["outputParameters"], r#"{"decision":"accepted"}"#);
}

#[test]
fn credentials_go_only_where_this_process_says() {
    for (kind, rest, token) in [
        ("temporal", json!({"namespace": "n", "workflow_id": "w", "signal": "s"}), "temporal-key"),
        ("argo", json!({"namespace": "n", "workflow": "w", "node": "x"}), "argo-token"),
    ] {
        let mut to = rest.clone();
        to["kind"] = json!(kind);
        to["url"] = json!("https://evil.example/");
        let (request, _) = sent(to.clone(), "accepted");
        assert_eq!(header(&request, "authorization"), None, "{kind}");
        assert!(!request.private && request.url.reveal().starts_with("https://evil.example/api/"));
        // The same place, named by both.
        let ours = env(&format!("OVERRULE_{}_URL", kind.to_uppercase())).unwrap();
        to["url"] = json!(ours);
        let (request, _) = sent(to, "accepted");
        assert_eq!(header(&request, "authorization"), Some(format!("Bearer {token}")));
    }
}

#[test]
fn what_waits_once_is_not_told_twice() {
    let reversed = |to: Value| {
        let mut payload = payload(to, "rejected");
        payload["reversal"] = json!(true);
        Way::of(&payload, &env).map(|way| way.lane())
    };
    let signal = json!({"kind": "temporal", "namespace": "n", "workflow_id": "w", "signal": "s"});
    assert_eq!(reversed(signal).unwrap(), "reply:temporal:temporal.internal:7243");
    for (to, what) in [
        (json!({"kind": "stepfunctions", "task_token": "t"}), "Step Functions task"),
        (json!({"kind": "temporal", "namespace": "n", "task_token": "Cg5z"}), "Temporal activity"),
        (
            json!({"kind": "argo", "namespace": "n", "workflow": "w", "node": "x"}),
            "suspended Argo node",
        ),
    ] {
        let why = format!(
            "the decision was reversed, and a {what} takes one answer only: tell it by other means"
        );
        assert_eq!(reversed(to).unwrap_err(), NoReply::Never(why));
    }
}

#[test]
fn what_can_never_go_out_says_what_is_missing() {
    let cases = [
        (json!({}), "the record's `reply` has no kind"),
        (
            json!({"kind": "fax"}),
            "the record's `reply.kind` is none of webhook, temporal, stepfunctions and argo",
        ),
        (
            json!({"kind": "webhook", "url": "ftp://x.example"}),
            "the record's `reply.url` does not begin with https:// or http://",
        ),
        (
            json!({"kind": "temporal", "namespace": "n", "workflow_id": "w"}),
            "the record's `reply` needs one of `signal`, `activity_id` and `task_token`",
        ),
        (
            json!({"kind": "temporal", "namespace": "..", "task_token": "Cg5z"}),
            "the record's `reply.namespace` is no name",
        ),
        (
            json!({"kind": "temporal", "namespace": "n", "task_token": "no base64"}),
            "the record's `reply.task_token` is no base64",
        ),
        (
            json!({"kind": "stepfunctions"}),
            "the record's `reply.task_token` is missing, or longer than 2048 bytes",
        ),
        (
            json!({"kind": "stepfunctions", "task_token": "t", "region": "evil.example/"}),
            "the record's `reply.region` is no region of AWS",
        ),
        (
            json!({"kind": "argo", "namespace": "n", "workflow": "w"}),
            "the record's `reply.node` is missing",
        ),
        (
            json!({"kind": "argo", "namespace": "n", "workflow": "w", "node": "x",
                   "parameters": {"p": "record"}}),
            "the record's `reply.parameters.p` is none of id, outcome, reversal, action, output, \
             label, level, approvals, at",
        ),
        (
            json!({"kind": "stepfunctions", "task_token": "t", "on_reject": "maybe"}),
            "the record's `reply.on_reject` is neither \"fail\" nor \"result\"",
        ),
    ];
    for (to, why) in cases {
        assert_eq!(never_of(to), why);
    }
}

#[test]
fn what_this_process_lacks_waits_for_one_that_has_it() {
    let of = |to: Value| match Way::of(&payload(to, "accepted"), &|_| None).unwrap_err() {
        NoReply::Unready { lane, why } => (lane, why),
        NoReply::Never(why) => panic!("{why}"),
    };
    let unset = |what: &str| format!("the environment variable {what} is not set here");
    assert_eq!(
        of(json!({"kind": "webhook", "url": "https://x.example"})),
        ("reply", unset("OVERRULE_REPLY_SECRET"))
    );
    assert_eq!(
        of(json!({"kind": "stepfunctions", "task_token": "t", "region": "us-east-1"})),
        ("reply:stepfunctions", unset("AWS_ACCESS_KEY_ID"))
    );
    let (lane, why) = of(json!({"kind": "temporal", "namespace": "n", "task_token": "Cg5z"}));
    assert_eq!(lane, "reply:temporal");
    let no_url = "is not set here, and the record's `reply` has no `url`";
    assert_eq!(why, format!("the environment variable OVERRULE_TEMPORAL_URL {no_url}"));
}

#[test]
fn answers_are_final_where_the_task_is_over_and_patient_otherwise() {
    let read = |to: Value, status: u16, body: &str| {
        let payload = payload(to, "accepted");
        let way = Way::of(&payload, &env).unwrap();
        let request = way.request(&payload, &stamp());
        let response = Response { status, body: body.into(), ..Response::default() };
        way.read(&request, &response, Timestamp::UNIX_EPOCH)
    };
    let steps = json!({"kind": "stepfunctions", "task_token": "tok"});
    let over = r#"{"__type":"com.amazonaws.states#TaskTimedOut","message":"over: tok"}"#;
    assert_eq!(read(steps.clone(), 200, "{}"), Verdict::Done);
    match read(steps.clone(), 400, over) {
        Verdict::Refused(why) => assert!(why.contains("over: ***"), "{why}"),
        other => panic!("{other:?}"),
    }
    for (status, kind) in [(400, "ExpiredTokenException"), (400, "ThrottlingException"), (403, "")]
    {
        let body = json!({"__type": kind}).to_string();
        assert!(matches!(read(steps.clone(), status, &body), Verdict::Later { .. }), "{kind}");
    }
    let temporal = json!({"kind": "temporal", "namespace": "n", "workflow_id": "w", "signal": "s"});
    let argo = json!({"kind": "argo", "namespace": "n", "workflow": "w", "node": "x"});
    for to in [temporal, argo] {
        assert_eq!(read(to.clone(), 200, "{}"), Verdict::Done);
        assert!(matches!(read(to.clone(), 404, ""), Verdict::Refused(_)));
        for status in [401, 403, 429, 500, 503] {
            assert!(matches!(read(to.clone(), status, ""), Verdict::Later { .. }), "{status}");
        }
    }
}

/// Admission and sending agree on what can be sent, so that nobody waits for a word in vain.
#[test]
fn what_can_never_be_sent_is_a_fault_of_the_record() {
    use crate::domain::record::{Intake, Limits, parse};
    let admitted = |to: &Value| {
        let record = json!({
            "id": "r", "domain": "d", "action": "a", "model": {"name": "m", "version": "1"},
            "confidence": 0.5, "business_impact": 1, "input": {}, "output": "", "reply": to,
        });
        matches!(parse(record.to_string().as_bytes(), &Limits::default()), Intake::Record(_))
    };
    let long = "x".repeat(1001);
    let argo = |more: Value| {
        let mut to = json!({"kind": "argo", "namespace": "n", "workflow": "w", "node": "x"});
        to.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        to
    };
    let temporal = |more: Value| {
        let mut to = json!({"kind": "temporal", "namespace": "n", "workflow_id": "w"});
        to.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        to
    };
    for (to, sendable) in [
        (json!({}), false),
        (json!({"kind": null}), false),
        (json!({"kind": "fax"}), false),
        (json!({"kind": "webhook"}), false),
        (json!({"kind": "webhook", "url": null}), false),
        (json!({"kind": "webhook", "url": ["https://x"]}), false),
        (json!({"kind": "webhook", "url": "flows.example/done"}), false),
        (json!({"kind": "webhook", "url": "mailto:a@b.example"}), false),
        (json!({"kind": "webhook", "url": "https://"}), false),
        (json!({"kind": "webhook", "url": "http://:80/"}), false),
        (json!({"kind": "webhook", "url": "http://a b/"}), false),
        (json!({"kind": "webhook", "url": "HTTPS://flows.example"}), true),
        (json!({"kind": "webhook", "url": "http://127.0.0.1:9/x", "token": null}), true),
        (temporal(json!({})), false),
        (temporal(json!({"signal": "s"})), true),
        (temporal(json!({"signal": "s", "activity_id": "a"})), false),
        (temporal(json!({"signal": "s", "namespace": null})), false),
        (temporal(json!({"signal": "s", "workflow_id": ""})), false),
        (temporal(json!({"signal": "s", "run_id": ".."})), false),
        (temporal(json!({"signal": "s", "run_id": 3})), false),
        (temporal(json!({"signal": long})), false),
        (temporal(json!({"signal": "s", "url": "nowhere"})), false),
        (temporal(json!({"signal": "s", "url": "https://t.example"})), true),
        (temporal(json!({"activity_id": "a", "on_reject": "result"})), true),
        (temporal(json!({"activity_id": "a", "on_reject": "retry"})), false),
        (json!({"kind": "temporal", "namespace": "n", "task_token": "AAEC"}), true),
        (json!({"kind": "temporal", "namespace": "n", "task_token": "?"}), false),
        (json!({"kind": "temporal", "namespace": "n", "task_token": ""}), false),
        (json!({"kind": "stepfunctions"}), false),
        (json!({"kind": "stepfunctions", "task_token": ""}), false),
        (json!({"kind": "stepfunctions", "task_token": "x".repeat(2049)}), false),
        (json!({"kind": "stepfunctions", "task_token": "t", "region": "the moon"}), false),
        (json!({"kind": "stepfunctions", "task_token": "t", "region": 7}), false),
        (argo(json!({})), true),
        (argo(json!({"node": null})), false),
        (argo(json!({"parameters": []})), false),
        (argo(json!({"parameters": {"x": "secret"}})), false),
        (argo(json!({"parameters": {"x": "outcome"}, "on_reject": "fail"})), true),
    ] {
        let way = Way::of(&payload(to.clone(), "accepted"), &env);
        let sent = !matches!(way, Err(NoReply::Never(_)));
        assert_eq!((sent, admitted(&to)), (sendable, sendable), "{to}");
    }
}
