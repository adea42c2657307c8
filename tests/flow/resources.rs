//! Feedback, input checks, signals, switches, incidents, the trail.

use reqwest::Method;
use serde_json::{Value, json};

use super::served::Desk;
use super::support::record;

#[tokio::test(flavor = "multi_thread")]
async fn feedback_and_incidents() {
    let policy = "policy = \"t\"\n[queues.level1]\nlevel = 1\n[default]\nto = \"level1\"\n[[effect]]\n\
                  id = \"wrong\"\non = \"feedback\"\nwhen = 'feedback == \"error\"'\n\
                  do = [\"incident.open\"]\n";
    let desk = Desk::start(Some(policy));
    let (ingest, on_call) = (desk.token(&["ingest"]), desk.token(&["on-call"]));
    desk.ingest(&[record("a")]);
    let said = json!({"kind": "error", "note": "the customer complained"});
    let (status, kept) = desk.post("/v1/decisions/a/feedback", &ingest, &said).await;
    assert_eq!((status, kept), (200, json!({"id": "a", "kind": "error"})));
    assert_eq!(desk.post("/v1/decisions/b/feedback", &ingest, &said).await.0, 404);
    assert_eq!(
        desk.post("/v1/decisions/a/feedback", &ingest, &json!({"kind": "odd"})).await.0,
        422
    );
    // The server ticks by itself.
    let found = loop {
        let (_, view) = desk.get("/v1/incidents", &on_call).await;
        if view["incidents"].as_array().is_some_and(|all| !all.is_empty()) {
            break view["incidents"][0].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!((&found["id"], &found["kind"]), (&json!("inc-1"), &json!("wrong")));
    let (status, one) =
        desk.post("/v1/incidents/inc-1", &on_call, &json!({"act": "acknowledge"})).await;
    assert_eq!(
        (status, &one["state"], &one["acknowledged_by"]),
        (200, &json!("acknowledged"), &json!("root"))
    );
    assert_eq!(desk.get("/v1/incidents/inc-1", &on_call).await.1["decisions"], json!(["a"]));
    assert_eq!(desk.get("/v1/incidents/inc-9", &on_call).await.0, 404);
    assert_eq!(desk.get("/v1/incidents", &ingest).await.0, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_take_two_to_restart_and_the_scope() {
    let desk = Desk::start(None);
    let (on_call, review) = (desk.token(&["on-call"]), desk.token(&["review"]));
    let kill = json!({"act": "kill", "scope": "model=m@2", "mode": "last-good", "version": "1",
                      "reason": "worse"});
    assert_eq!(desk.post("/v1/switches", &review, &kill).await.0, 403);
    let (status, killed) = desk.post("/v1/switches", &on_call, &kill).await;
    assert_eq!((status, &killed["mode"]), (200, &json!("last-good")));
    let (_, view) = desk.get("/v1/switches", &on_call).await;
    assert_eq!(view["generation"], 1);
    let switch = view["switches"].as_array().unwrap().iter().find(|s| s["scope"] == "model=m@2");
    assert_eq!(switch.unwrap()["state"], "killed");
    let resume = json!({"act": "resume", "scope": "model=m@2", "reason": "fixed"});
    let (status, resumed) = desk.post("/v1/switches", &on_call, &resume).await;
    assert_eq!((status, &resumed["running"], &resumed["needs"]), (200, &json!(false), &json!(2)));
    let odd = json!({"act": "kill", "scope": "all", "mode": "slowly", "reason": "x"});
    let (status, problem) = desk.post("/v1/switches", &on_call, &odd).await;
    assert_eq!(
        (status, &problem["detail"]),
        (422, &json!("slowly is none of human, block and last-good"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_start_leaves_out_holds_as_on_the_command_line() {
    let desk = Desk::start(None);
    let on_call = desk.token(&["on-call"]);
    desk.ingest(&[record("a")]);
    let start = json!({"act": "start", "model": "m", "version": "2", "baseline": "1"});
    let (status, view) = desk.post("/v1/canaries", &on_call, &start).await;
    assert_eq!(status, 200, "{view}");
    let over_http = view["canaries"][0].clone();
    let line = ["canary", "start", "n", "--version", "2", "--baseline", "1"];
    desk.home.ok(&line);
    let (_, view) = desk.get("/v1/canaries", &on_call).await;
    let all = view["canaries"].as_array().unwrap();
    let here = all.iter().find(|c| c["model"] == "n").unwrap();
    for key in ["share", "steps", "min_reviewed", "tolerance", "promote_level"] {
        assert_eq!(over_http[key], here[key], "{key}: {over_http}");
    }
    // The command line's name for the version is taken, too.
    let kill = json!({"act": "kill", "scope": "model=m", "mode": "last-good", "to": "1",
                      "reason": "worse"});
    let (status, killed) = desk.post("/v1/switches", &on_call, &kill).await;
    assert_eq!((status, &killed["mode"]), (200, &json!("last-good")), "{killed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_over_http() {
    let desk = Desk::start(None);
    let (audit, ingest) = (desk.token(&["audit"]), desk.token(&["ingest"]));
    desk.ingest(&[record("a"), record("b")]);
    let (status, page) = desk.get("/v1/audit/entries?from=0&limit=2", &audit).await;
    assert_eq!((status, &page["entries"][0]["entry"]["t"]), (200, &json!("genesis")));
    assert_eq!((page["entries"].as_array().unwrap().len(), &page["next"]), (2, &json!(2)));
    let total = page["total"].as_u64().unwrap();
    let (_, of_a) = desk.get("/v1/audit/entries?item=a", &audit).await;
    assert_eq!(of_a["entries"].as_array().unwrap().len(), 1);
    let note = desk.ask(Method::GET, "/v1/audit/checkpoint", &audit).send().await.unwrap();
    assert!(note.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    let note = note.text().await.unwrap();
    assert!(note.starts_with("overrule.local/") && note.contains("\n\n\u{2014} "), "{note}");
    let (status, proof) = desk.get("/v1/audit/proof/1", &audit).await;
    let proof = proof.as_str().unwrap();
    assert_eq!((status, proof.starts_with("c2sp.org/tlog-proof@v1")), (200, true), "{proof}");
    let (status, problem) = desk.get(&format!("/v1/audit/proof/{}", total + 1_000), &audit).await;
    assert_eq!((status, &problem["status"]), (404, &json!(404)));
    assert_eq!(desk.get("/v1/audit/entries?limit=5000", &audit).await.0, 400);
    for path in ["/v1/audit/checkpoint", "/v1/audit/entries", "/v1/audit/proof/0"] {
        assert_eq!(desk.get(path, &ingest).await.0, 403, "{path}");
    }
    let signals = desk.get("/v1/signals?window=1h&by=domain", &audit).await;
    assert_eq!((signals.0, &signals.1["window"]), (200, &json!("1h")));
    assert_eq!(desk.get("/v1/signals?windo=1h", &audit).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_is_looked_at_before_the_model_runs() {
    let policy = "policy = \"t\"\n[fields]\n\"input.income\" = \"number\"\n[queues.level1]\nlevel = 1\n\
                  [default]\nto = \"level1\"\n";
    let desk = Desk::start(Some(policy));
    let token = desk.token(&["ingest"]);
    let check = async |input: Value| {
        let ask = json!({"domain": "loan", "model": {"name": "m", "version": "1"}, "input": input});
        desk.post("/v1/inputs/check", &token, &ask).await
    };
    let (status, bare) = check(json!({"income": 5})).await;
    assert_eq!((status, &bare["distribution"]), (200, &json!("not_enough_data")));
    let reference: Vec<Value> = (0..300)
        .map(|i| {
            let mut one = record(&format!("ref-{i}"));
            one["model"] = json!({"name": "m", "version": "1"});
            let region = ["north", "south"][i % 2];
            one["input"] = json!({"income": i + 1, "region": region});
            one
        })
        .collect();
    let file = desk.home.write("reference.jsonl", &super::support::lines(&reference));
    desk.home.ok(&["signals", "reference", "set", "--file", &file.to_string_lossy()]);
    let (_, fine) = check(json!({"income": 150, "region": "north"})).await;
    assert_eq!(
        (&fine["ok"], &fine["distribution"], &fine["reference"]),
        (&json!(true), &json!("in"), &json!(300))
    );
    let (_, out) = check(json!({"income": 9000, "region": "mars"})).await;
    assert_eq!((&out["ok"], &out["distribution"]), (&json!(false), &json!("out")));
    let fields: Vec<&str> =
        out["stray"].as_array().unwrap().iter().map(|s| s["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["input.income", "input.region"]);
    let (_, gap) = check(json!({"region": "south"})).await;
    assert_eq!((&gap["ok"], &gap["missing"]), (&json!(false), &json!(["input.income"])));
    let (_, typed) = check(json!({"income": "much", "region": "south"})).await;
    assert_eq!(
        (&typed["ok"], &typed["faults"][0]["path"]),
        (&json!(false), &json!("input.income"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_blind_or_redacted_is_told_to_the_workflow_and_to_no_reviewer() {
    let policy = r#"
policy = "t"
[queues.level1]
level = 1
blind = 1.0
[[route]]
id = "small"
when = 'business_impact < 3'
to = "auto"
[default]
to = "level1"
[[sample]]
id = "some"
rate = 1.0
when = 'business_impact < 2'
to = "level1"
[redact]
paths = ["output.iban"]
"#;
    let desk = Desk::start(Some(policy));
    let (ingest, review) = (desk.token(&["ingest"]), desk.token(&["review"]));
    let audit = desk.token(&["audit"]);
    let one = |id: &str, impact: u32| {
        let mut one = record(id);
        one["business_impact"] = json!(impact);
        one["output"]["iban"] = json!("DE89 3704");
        one
    };
    desk.ingest(&[one("waits", 8), one("sampled", 1), one("done", 2)]);
    let told = async |id: &str, token: &str| {
        let (status, view) = desk.get(&format!("/v1/decisions/{id}"), token).await;
        assert_eq!(status, 200, "{view}");
        view
    };
    // The workflow acts on it, and is told all of it.
    let clear = json!({"decision": "approve", "p_deny": 0.29, "iban": "DE89 3704"});
    for id in ["sampled", "done"] {
        let view = told(id, &ingest).await;
        assert_eq!(
            (&view["result"]["action"], &view["result"]["output"]),
            (&json!("approve"), &clear)
        );
    }
    let blind = "blind review: answer first, then the proposal is shown";
    assert_eq!(told("sampled", &ingest).await["route"]["matched"], json!(["small"]));
    assert_ne!(told("waits", &ingest).await["route"]["reason"], blind);
    // Whoever is to answer first is not told what was proposed.
    let waits = told("waits", &review).await;
    assert_eq!((&waits["route"]["reason"], &waits["settled"]), (&json!(blind), &json!(false)));
    let sampled = told("sampled", &review).await;
    assert_eq!(
        (&sampled["route"]["reason"], &sampled["route"]["matched"]),
        (&json!(blind), &json!([]))
    );
    assert_eq!(
        (&sampled["settled"], &sampled["result"]["outcome"]),
        (&json!(true), &json!("auto"))
    );
    assert_eq!(
        (&sampled["result"]["action"], &sampled["result"]["output"]),
        (&Value::Null, &Value::Null)
    );
    // A token that may do more than submit is a person's, and so is any of somebody with a role.
    let people = [
        desk.token(&["ingest", "review"]),
        desk.token(&["ingest", "review", "on-call", "audit", "admin"]),
        desk.token(&["ingest", "on-call"]),
        desk.token_for("root", &["ingest"])["token"].as_str().unwrap().to_owned(),
    ];
    for token in &people {
        for id in ["waits", "sampled", "done"] {
            assert_eq!(told(id, token).await, told(id, &review).await, "{id}");
            let (status, polled) = desk.get(&format!("/v1/decisions/{id}?wait=1ms"), token).await;
            assert_eq!((status, &polled), (200, &told(id, &review).await), "{id}");
        }
        // What is sent once more is answered with its route, and that quotes the proposal.
        let ask = json!({"ask": "decision", "id": "done"});
        let (_, reply) = desk.post("/v1/desk/queries", token, &ask).await;
        assert!(!reply.to_string().contains("3704"), "{reply}");
        for dry in ["", "?dry_run=true"] {
            let (status, again) =
                desk.post(&format!("/v1/decisions{dry}"), token, &one("waits", 8)).await;
            let known = json!(dry.is_empty());
            assert_eq!((status, &again["duplicate"]), (200, &known), "{again}");
            assert_eq!((&again["reason"], &again["matched"]), (&json!(blind), &json!([])));
        }
    }
    let (_, again) = desk.post("/v1/decisions", &ingest, &one("waits", 8)).await;
    assert_eq!((&again["duplicate"], again["reason"] == blind), (&json!(true), false));
    let line: Vec<u8> = one("waits", 8).to_string().into_bytes();
    let admit = json!({"do": "admit", "lines": [{"source": "t", "line": 1, "bytes": line}]});
    let (status, again) = desk.post("/v1/desk/commands", &people[0], &admit).await;
    assert_eq!(status, 200, "{again}");
    assert!(again.to_string().contains(blind), "{again}");

    let done = told("done", &review).await;
    assert_eq!(done["result"]["action"], "approve");
    let covered = json!({"decision": "approve", "p_deny": 0.29, "iban": "[redacted]"});
    assert_eq!(done["result"]["output"], covered);
    // The protocol itself is the same door.
    let ask = json!({"ask": "decision", "id": "done"});
    let (_, reply) = desk.post("/v1/desk/queries", &review, &ask).await;
    assert!(
        !reply.to_string().contains("3704") && reply.to_string().contains("[redacted]"),
        "{reply}"
    );

    // What others said of it, neither: until the own answer is given.
    desk.home.ok(&["reviewer", "add", "ann", "--level", "1"]);
    desk.home.ok(&["answer", "waits", "--action", "approve", "--as", "ann"]);
    desk.home.ok(&["decide", "waits", "accept", "--as", "ann", "--grace", "1h"]);
    let entries = async |token: &str, path: &str| -> Vec<Value> {
        let (status, page) = desk.get(path, token).await;
        assert_eq!(status, 200, "{page}");
        let all = page["entries"].as_array().unwrap().iter().map(|e| e["entry"].clone());
        all.filter(|e| e["id"] == "waits").collect()
    };
    for path in ["/v1/audit/entries?item=waits", "/v1/audit/entries?limit=1000"] {
        let all = entries(&audit, path).await;
        assert_eq!((&all[1]["t"], &all[1]["d"]["agreed"]), (&json!("answer"), &json!("true")));
        assert_eq!((&all[2]["by"], &all[2]["verdict"]), (&json!("ann"), &json!("accept")));
        let seen = entries(&review, path).await;
        let kinds: Vec<&Value> = seen.iter().map(|e| &e["t"]).collect();
        assert_eq!(kinds, ["admit", "answer", "verdict"]);
        for entry in &seen[1..] {
            let keys: Vec<&str> = entry.as_object().unwrap().keys().map(String::as_str).collect();
            let plain = ["t", "at", "id", "queue", "state", "rev", "gen", "policy"];
            assert!(keys.iter().all(|key| plain.contains(key)), "{entry}");
        }
        assert_eq!(seen[2]["state"], "decided");
        // Who audits and reviews is to answer first, too.
        for token in [&people[1], &desk.token(&["review", "audit"])] {
            assert_eq!(entries(token, path).await, seen);
        }
    }
    let followed = async |token: &str| {
        let response = desk.ask(Method::GET, "/v1/events?from=0&kind=verdict", token).send();
        let mut events = super::events::Stream::new(response.await.unwrap());
        events.next().await.unwrap().data["entry"].clone()
    };
    let both = desk.token(&["review", "audit"]);
    assert_eq!(followed(&audit).await["verdict"], "accept");
    assert_eq!(followed(&both).await, followed(&review).await);
    // The own answer is given: then there is nothing left to hide.
    desk.home.ok(&["undo", "waits", "--as", "ann"]);
    desk.home.ok(&["answer", "waits", "--action", "approve"]);
    assert_eq!(followed(&both).await, followed(&audit).await);
    assert_eq!(
        entries(&both, "/v1/audit/entries?item=waits").await,
        entries(&audit, "/v1/audit/entries?item=waits").await
    );
}
