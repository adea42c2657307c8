//! MLflow: assessments on the trace that a record names, changed where people changed their minds.
//! The stand-in answers in the shapes that MLflow 3.17 was seen to.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::desk::{once, policy, secretive, stands, sync};
use super::receiver::{Came, Receiver, Says};
use super::support::{Home, lines};

const TRACE: &str = "tr-c05b854bc9dbf3a3870c7bbac798afaf";

fn answer(kept: &Mutex<Vec<Value>>, came: &Came) -> Says {
    let mut kept = kept.lock().unwrap();
    let body: Value = serde_json::from_slice(&came.body).unwrap_or(Value::Null);
    let path = format!("/api/3.0/mlflow/traces/{TRACE}");
    let Some(rest) = came.path.strip_prefix(&path) else {
        let said =
            json!({ "error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Trace not found." });
        return Says::plain(404, &said.to_string());
    };
    let said = match (came.method.as_str(), rest) {
        ("GET", "") => json!({ "trace": { "trace_info": {
            "trace_id": TRACE, "assessments": kept.clone(),
        }}}),
        ("POST", "/assessments") => {
            let mut one = body["assessment"].clone();
            assert_eq!(one["trace_id"], TRACE);
            assert_eq!(one["source"]["source_type"], "HUMAN");
            one["assessment_id"] = json!(format!("a-{}", kept.len()));
            // An object is kept as its text.
            if one["expectation"]["value"].is_object() {
                let text = one["expectation"]["value"].to_string();
                one["expectation"] = json!({ "serialized_value": {
                    "serialization_format": "JSON_FORMAT", "value": text,
                }});
            }
            kept.push(one.clone());
            json!({ "assessment": one })
        }
        (method, at) => {
            let id = at.strip_prefix("/assessments/").unwrap();
            let n = kept.iter().position(|a| a["assessment_id"] == id).unwrap();
            if method == "DELETE" {
                kept.remove(n);
                return Says::plain(200, "{}");
            }
            assert_eq!(method, "PATCH");
            for field in body["update_mask"].as_str().unwrap().split(',') {
                kept[n][field] = body["assessment"][field].clone();
            }
            json!({ "assessment": kept[n] })
        }
    };
    Says::plain(200, &said.to_string())
}

fn told(kept: &[Value]) -> Vec<(String, Value)> {
    let value = |a: &Value| {
        let plain = ["/feedback/value", "/expectation/value"].map(|p| a.pointer(p).cloned());
        plain.into_iter().flatten().next().unwrap_or_else(|| a["expectation"].clone())
    };
    kept.iter().map(|a| (a["assessment_name"].as_str().unwrap().to_owned(), value(a))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_are_assessments_and_change_with_them() {
    let kept: Arc<Mutex<Vec<Value>>> = Arc::default();
    let keeping = kept.clone();
    let receiver = Receiver::start(move |came, _| answer(&keeping, came)).await;
    let home = Home::new();
    let backend = format!(
        "[sync.traces]\nkind = \"mlflow\"\nurl = \"{}\"\nprivate = true\n",
        receiver.url("")
    );
    let policy = home.write("policy.toml", &policy(&backend));
    let [mut traced, plain, mut lost] = ["a-1", "a-2", "a-3"].map(secretive);
    traced["provenance"] = json!({ "trace_id": TRACE });
    lost["provenance"] = json!({ "trace_id": "tr-gone" });
    let input = home.write("in.jsonl", &lines(&[traced, plain, lost]));
    home.ok(&["ingest", "--policy", policy.to_str().unwrap(), input.to_str().unwrap()]);
    let output = home.write("output.json", r#"{"decision":"deny","p_deny":0.8}"#);
    home.ok(&["decide", "a-1", "edit", "--action", "deny", "--output", output.to_str().unwrap()]);
    home.ok(&["decide", "a-2", "reject", "--tag", "tone"]);
    assert_eq!(once(&home, &[]), 1);
    assert_eq!(once(&home, &[]), 0);
    let names = |kept: &[Value]| -> Vec<String> { told(kept).into_iter().map(|t| t.0).collect() };
    {
        let kept = kept.lock().unwrap();
        assert_eq!(names(&kept), ["overrule_verdict", "overrule_output", "overrule_action"]);
        assert_eq!(told(&kept)[0].1, "edit");
        assert_eq!(told(&kept)[2].1, "deny");
        assert_eq!(kept[0]["source"]["source_id"], "root");
        assert_eq!(kept[0]["metadata"]["overrule_id"], "a-1");
    }
    // Rejected after all: the verdict changes, and what was expected is not any more.
    home.ok(&["flag", "a-1", "--tag", "tone", "--note", "no"]);
    home.ok(&["decide", "a-1", "reject", "--tag", "tone"]);
    assert_eq!(once(&home, &[]), 1);
    assert_eq!(told(&kept.lock().unwrap()), [("overrule_verdict".to_owned(), json!("reject"))]);

    // A trace that is not there is that record's fault alone.
    home.ok(&["decide", "a-3", "reject", "--tag", "tone"]);
    let (code, said, _) = sync(&home, &["--once"], &[]);
    assert_eq!((code, &said["dead"]), (Some(1), &json!(1)));
    let status = stands(&home, "traces");
    assert_eq!((&status["dead"], &status["failing"]), (&json!(1), &json!(false)));
}
