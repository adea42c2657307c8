//! `ingest`: routes, refusals, sameness, clocks, real and hostile input.

use serde_json::{Value, json};

use super::bench::{Bench, lines, record, shared};

#[test]
fn a_route_a_line_in_the_contracts_shape() {
    let bench = Bench::new();
    let routes =
        bench.admit(&[record("a-1", 0.5, 2.0), record("a-2", 0.9, 2.0), record("a-3", 0.9, 9.0)]);
    assert_eq!(routes.len(), 3);
    let first = &routes[0];
    assert_eq!(first["id"], "a-1");
    assert_eq!(first["outcome"], "review");
    assert_eq!(first["queue"], "level1");
    assert_eq!(first["approvals"], json!(["level1"]));
    assert_eq!(first["rule"], "unsure");
    assert_eq!(first["matched"], json!(["unsure"]));
    assert_eq!(first["reason"], "confidence 0.5 < params.low 0.6");
    assert_eq!(first["state"], "waiting");
    assert_eq!(first["duplicate"], false);
    assert!(first["due_at"].is_string());
    assert!(first["policy"].as_str().unwrap().starts_with("sha256:"));
    for field in ["sample", "fallback", "generation"] {
        assert!(first.get(field).is_some(), "{field} is there: {first}");
    }
    assert_eq!((&routes[1]["outcome"], &routes[1]["state"]), (&json!("auto"), &json!("settled")));
    assert_eq!(routes[2]["approvals"], json!(["level1", "level2"]), "required beyond the route");
}

#[test]
fn the_same_again_is_known_and_other_content_is_refused() {
    let bench = Bench::with(&[record("a-1", 0.5, 2.0)]);
    let again = &bench.admit(&[record("a-1", 0.5, 2.0)])[0];
    assert_eq!((&again["duplicate"], &again["state"]), (&json!(true), &json!("waiting")));
    bench.run(&["decide", "a-1", "accept"]);
    assert_eq!(bench.admit(&[record("a-1", 0.5, 2.0)])[0]["state"], "settled");

    let other = bench.pipe(&["ingest", "-", "--json"], &lines(&[record("a-1", 0.4, 2.0)]));
    assert_eq!((other.code, other.out.as_str()), (3, ""));
    assert_eq!(other.error()["kind"], "refused_input");
    assert_eq!(bench.json(&["show", "a-1"])["record"]["confidence"], 0.5, "the first stays");
}

#[test]
fn refused_lines_stop_nothing_and_are_kept_byte_for_byte() {
    let bench = Bench::new();
    let bad = "{\"id\": \"x\", \"confidence\": NaN}";
    let input = format!("{}\n{bad}\n\n{}\n", record("a-1", 0.5, 2.0), record("a-2", 0.5, 2.0));
    let ran = bench.pipe(&["ingest", "-", "--policy", "policy.toml", "--json"], &input);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(ran.lines().len(), 2);

    let list = bench.json(&["ingest", "--refused"]);
    assert_eq!(list["next"], Value::Null);
    let letter = &list["refused"][0];
    assert_eq!(letter["source"], "-");
    assert_eq!(letter["line"], 2);
    assert_eq!(letter["reason"], "invalid_json");
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(letter["bytes_base64"].as_str().unwrap())
        .unwrap();
    assert_eq!(bytes, bad.as_bytes());

    let again = bench.run(&["ingest", "--retry", "--json"]);
    assert_eq!(again.code, 3, "it is as bad as before: {again:?}");
    let told: Value = serde_json::from_str(again.err.lines().next().unwrap()).unwrap();
    for key in ["number", "source", "line", "reason"] {
        assert_eq!(told["refused"][key], letter[key], "{key}: {told}");
    }
    let one = format!("--retry={}", letter["number"]);
    let ran = bench.run(&["ingest", &one]);
    assert!(ran.err.contains("error: 1 line was refused again\n"), "{ran:?}");
}

#[test]
fn dead_letters_come_in_pages() {
    let bench = Bench::new();
    let input: String = (0..5).map(|n| format!("not json {n}\n")).collect();
    assert_eq!(bench.pipe(&["ingest", "-", "--policy", "policy.toml"], &input).code, 3);
    let (mut after, mut seen) = ("0".to_owned(), Vec::new());
    loop {
        let page = bench.json(&["ingest", "--refused", "--limit", "2", "--after", &after]);
        let letters = page["refused"].as_array().unwrap();
        assert!(letters.len() <= 2);
        seen.extend(letters.iter().map(|l| l["line"].as_u64().unwrap()));
        match page["next"].as_u64() {
            Some(next) => after = next.to_string(),
            None => break,
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
}

#[test]
fn a_broken_record_with_an_id_is_quarantined_and_repaired() {
    let bench = Bench::new();
    let mut broken = record("q-1", 0.9, 2.0);
    broken["confidence"] = json!(1.7);
    broken.as_object_mut().unwrap().remove("output");
    let route = &bench.admit(&[broken])[0];
    assert_eq!((&route["outcome"], &route["queue"]), (&json!("quarantine"), &json!("dataops")));
    let faults = route["faults"].to_string();
    assert!(faults.contains("out_of_range") && faults.contains("missing_field"), "{faults}");

    let refused = bench.error(3, &["decide", "q-1", "accept"]);
    assert!(refused["message"].as_str().unwrap().contains("q-1"), "{refused}");

    let repaired = bench.write("repaired.json", &record("q-1", 0.9, 2.0).to_string());
    let ran = bench.run(&["decide", "q-1", "edit", "--output", repaired.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let shown = bench.json(&["show", "q-1"]);
    assert_eq!(shown["route"]["outcome"], "auto", "through the route again: {shown}");
    assert_eq!(shown["state"], "settled");
}

#[test]
fn a_dry_run_says_the_routes_and_stores_nothing() {
    let bench = Bench::new();
    let file = bench.write("in.jsonl", &lines(&[record("a-1", 0.5, 2.0)]));
    let args = ["ingest", file.to_str().unwrap(), "--dry-run", "--policy", "policy.toml"];
    let ran = bench.run(&[&args[..], &["--json"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.lines()[0]["queue"], "level1");
    assert!(!bench.store().exists());

    bench.admit(&[record("a-2", 0.5, 2.0)]);
    assert_eq!(bench.run(&args).code, 0);
    assert_eq!(bench.error(1, &["show", "a-1"])["kind"], "not_found");
}

#[test]
fn without_a_policy_the_shipped_default_is_installed_once() {
    let bench = Bench::new();
    let ran = bench.pipe(&["ingest", "-", "--json"], &lines(&[record("a-1", 0.5, 2.0)]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.lines()[0]["queue"], "level1");
    assert_eq!(bench.json(&["policy", "show"])["name"], "confidence-gated");
    let refused = bench.error(3, &["queue", "list", "--policy", "policy.toml"]);
    assert!(refused["hint"].as_str().unwrap().contains("policy activate"), "{refused}");
}

#[test]
fn a_file_that_is_not_there_admits_nothing_of_the_others() {
    let bench = Bench::new();
    let file = bench.write("in.jsonl", &lines(&[record("a-1", 0.5, 2.0)]));
    let error = bench.error(1, &["ingest", file.to_str().unwrap(), "nowhere.jsonl"]);
    assert!(error["message"].as_str().unwrap().contains("nowhere.jsonl"), "{error}");
    assert!(!bench.store().exists());
}

#[test]
fn the_record_clock_goes_by_the_records_and_stays() {
    let bench = Bench::new();
    let at = |id: &str, time: &str| {
        let mut record = record(id, 0.5, 2.0);
        record["occurred_at"] = json!(time);
        record
    };
    let early = lines(&[at("a-1", "2026-05-04T09:00:00Z"), at("a-3", "2026-05-04T11:00:00Z")]);
    let late = lines(&[at("a-2", "2026-05-04T10:00:00Z")]);
    let (early, late) = (bench.write("early.jsonl", &early), bench.write("late.jsonl", &late));
    let files = [early.to_str().unwrap(), late.to_str().unwrap()];
    let ran = bench.run(&[
        "ingest",
        files[0],
        files[1],
        "--clock",
        "record",
        "--policy",
        "policy.toml",
        "--json",
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ids: Vec<Value> = ran.lines().iter().map(|r| r["id"].clone()).collect();
    assert_eq!(ids, ["a-1", "a-2", "a-3"], "merged by time");
    assert_eq!(ran.lines()[1]["due_at"], "2026-05-04T10:30:00Z", "due by the records' time");

    let refused = bench.error(3, &["ingest", files[0], "--clock", "wall"]);
    assert!(refused["message"].as_str().unwrap().contains("record clock"), "{refused}");
}

#[test]
fn cloudevents_are_opened() {
    let bench = Bench::new();
    let event = json!({
        "specversion": "1.0", "id": "e-1", "source": "/loans", "type": "decision.proposed",
        "data": record("a-1", 0.5, 2.0),
    });
    assert_eq!(bench.admit(&[event])[0]["id"], "a-1");
}

#[test]
fn an_event_that_cannot_be_opened_is_a_dead_letter_and_its_id_stays_free() {
    use base64::Engine as _;
    let bench = Bench::new();
    let event = |version: &str, key: &str, data: Value| json!({"specversion": version, "id": "a-1", "source": "/m", "type": "t", key: data});
    let whole = record("a-1", 0.5, 2.0);
    let input = lines(&[event("0.3", "data", whole.clone()), event("2.0", "data", whole.clone())]);
    let ran = bench.pipe(&["ingest", "-", "--policy", "policy.toml"], &input);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.err.contains("invalid_field:specversion") && ran.err.contains("\"2.0\"; 1.0 is taken"),
        "{ran:?}"
    );
    assert!(ran.err.contains("error: 2 of 2 lines were refused"), "{ran:?}");
    let bytes = base64::engine::general_purpose::STANDARD.encode(whole.to_string());
    let route = &bench.admit(&[event("1.0", "data_base64", json!(bytes))])[0];
    assert_eq!((&route["id"], &route["outcome"]), (&json!("a-1"), &json!("review")));
    // It is the record that is shown, and the same content however it comes.
    assert_eq!(bench.json(&["show", "a-1"])["record"], whole);
    assert_eq!(bench.admit(&[whole])[0]["duplicate"], true);
    // One line that is refused is one.
    let ran = bench.pipe(&["ingest", "-"], "no\n");
    assert!(ran.err.contains("error: 1 of 1 line was refused"), "{ran:?}");
}

#[test]
fn null_where_a_field_may_be_absent_is_the_same_content() {
    let bench = Bench::new();
    let mut plain = record("n-1", 0.5, 2.0);
    plain.as_object_mut().unwrap().remove("rationale");
    let mut null = plain.clone();
    null["rationale"] = Value::Null;
    null["cohort"]["age"] = Value::Null;
    bench.admit(&[plain.clone()]);
    assert_eq!(bench.admit(&[null.clone()])[0]["duplicate"], true);
    (plain["id"], null["id"]) = (json!("n-2"), json!("n-2"));
    bench.admit(&[null]);
    assert_eq!(bench.admit(&[plain.clone()])[0]["duplicate"], true);
    // In the caller's own object a null is content.
    plain["input"]["more"] = Value::Null;
    assert_eq!(bench.pipe(&["ingest", "-"], &lines(&[plain])).code, 3);
}

#[test]
fn a_reply_that_nobody_could_send_waits_in_dataops() {
    let bench = Bench::new();
    let with = |id: &str, reply: Value| {
        let mut one = record(id, 0.5, 2.0);
        one["reply"] = reply;
        one
    };
    let told = bench.admit(&[
        with("r-1", json!({"kind": "fax"})),
        with("r-2", json!({"kind": "webhook"})),
        with("r-3", json!({"kind": "webhook", "url": "https://flows.example/done"})),
    ]);
    let faults = |n: usize| (told[n]["outcome"].clone(), told[n]["faults"][0]["path"].clone());
    assert_eq!(faults(0), (json!("quarantine"), json!("reply.kind")));
    assert_eq!(faults(1), (json!("quarantine"), json!("reply.url")));
    assert_eq!(told[2]["outcome"], "review");
    let message = told[0]["faults"][0]["message"].as_str().unwrap();
    assert_eq!(message, "is \"fax\", none of webhook, temporal, stepfunctions and argo");
}

#[test]
fn a_time_below_nothing_is_told_without_a_limit_nobody_set() {
    let bench = Bench::new();
    let mut one = record("l-1", 0.9, 2.0);
    one["latency_ms"] = json!(-1);
    let fault = bench.admit(&[one])[0]["faults"][0].clone();
    assert_eq!(
        (&fault["path"], &fault["message"]),
        (&json!("latency_ms"), &json!("is -1, but should be 0 or more"))
    );
}

#[test]
fn hostile_text_reaches_no_terminal_raw() {
    let bench = Bench::new();
    let mut evil = record("evil\u{1b}]0;owned\u{7}", 0.5, 2.0);
    evil["rationale"] = json!("\u{1b}[2J\u{202e}gpj.exe\u{9b}31m");
    evil["domain"] = json!("lo\u{1b}[31man");
    bench.admit(&[evil]);
    let id = "evil\u{1b}]0;owned\u{7}";
    for args in [
        vec!["queue", "list"],
        vec!["show", id],
        vec!["next", "--peek"],
        vec!["audit", "log"],
        vec!["policy", "explain", id],
        vec!["decide", id, "shrug"],
        vec!["show", "other\u{1b}[31m"],
        vec!["decide", id, "accept"],
        vec!["queue", "list", "--json"],
        vec!["show", id, "--json"],
    ] {
        let ran = bench.run(&args);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{args:?}: {said:?}");
    }
}

#[test]
fn every_firm_outcome_of_the_hostile_file_holds() {
    let (Some(input), Some(expected)) = (shared("hostile.jsonl"), shared("hostile.expected.jsonl"))
    else {
        return;
    };
    let bench = Bench::new();
    let ran = bench.run(&["ingest", input.to_str().unwrap(), "--json"]);
    assert_eq!(ran.code, 3, "some lines are refused: {}", ran.err);
    let raw = std::fs::read(&input).unwrap();
    let lines: Vec<&[u8]> = raw.split(|b| *b == b'\n').collect();
    let refused: Vec<u64> = bench.json(&["ingest", "--refused", "--limit", "1000"])["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["line"].as_u64().unwrap())
        .collect();
    let routes = ran.lines();
    let mut firm = 0;
    for line in std::fs::read_to_string(expected).unwrap().lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        if expected["firm"] != true {
            continue;
        }
        firm += 1;
        let number = expected["line"].as_u64().unwrap();
        let name = &expected["name"];
        let is_refused = refused.contains(&number);
        // Where the line can be read, its route is known by its id.
        let text = String::from_utf8_lossy(lines[usize::try_from(number).unwrap() - 1]);
        // (Not by a JSON reader: some numbers in it are beyond one.)
        let id = text
            .split_once("\"id\":")
            .and_then(|(_, rest)| rest.split('"').nth(1))
            .map(str::to_owned);
        let outcome = id
            .filter(|_| !is_refused)
            .and_then(|id| routes.iter().find(|r| r["id"] == id.as_str()))
            .map(|r| r["outcome"].as_str().unwrap().to_owned());
        match expected["outcome"].as_str().unwrap() {
            "reject" => assert!(
                is_refused || outcome.as_deref() == Some("quarantine"),
                "line {number}, {name}: {outcome:?}"
            ),
            _ => assert!(
                matches!(outcome.as_deref(), Some("auto" | "review")),
                "line {number}, {name}: refused {is_refused}, {outcome:?}"
            ),
        }
    }
    assert!(firm >= 40, "{firm}");
    assert_eq!(bench.run(&["audit", "verify"]).code, 0);
}

#[test]
fn all_real_data_is_admitted_twice_without_a_trace_of_the_second_time() {
    let files = ["support_expertqa.jsonl", "medical_cytology.jsonl", "loan_boston.jsonl"];
    let Some(files) = files.map(shared).into_iter().collect::<Option<Vec<_>>>() else { return };
    let bench = Bench::new();
    let mut args = vec!["ingest", "--json"];
    args.extend(files.iter().map(|f| f.to_str().unwrap()));
    let first = bench.run(&args);
    assert_eq!(first.code, 0, "{}", first.err);
    let total = first.lines().len();
    assert_eq!(total, 230 + 285 + 1149);
    // What the desk does by itself (freezing a reference) is no trace of the second time.
    let admitted = || {
        let log = bench.json(&["audit", "log", "--limit", "100000"]);
        log["entries"].as_array().unwrap().iter().filter(|e| e["entry"]["t"] == "admit").count()
    };
    assert_eq!(admitted(), total);
    let second = bench.run(&args);
    assert_eq!(second.lines().iter().filter(|r| r["duplicate"] == true).count(), total);
    assert_eq!(admitted(), total);
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
}

#[test]
fn verdicts_are_interleaved_by_time() {
    let bench = Bench::new();
    let file = bench.write("in.jsonl", &lines(&[record("a-1", 0.5, 2.0), record("a-2", 0.5, 2.0)]));
    let verdicts = bench.write(
        "verdicts.jsonl",
        "{\"id\":\"a-1\",\"verdict\":\"accept\",\"at\":\"2026-05-04T09:10:00Z\"}\n\
         {\"id\":\"a-2\",\"verdict\":\"reject\",\"label\":\"deny\",\"tags\":[\"factual_error\"]}\n",
    );
    let ran = bench.run(&[
        "ingest",
        file.to_str().unwrap(),
        "--clock",
        "record",
        "--policy",
        "policy.toml",
        "--verdicts",
        verdicts.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let first = bench.json(&["show", "a-1"]);
    assert_eq!(first["state"], "settled");
    assert_eq!(first["reviews"][0]["at"], "2026-05-04T09:10:00Z");
    let second = bench.json(&["show", "a-2"]);
    assert_eq!(second["reviews"][0]["verdict"], "reject");
    assert_eq!(second["reviews"][0]["at"], "2026-05-04T09:30:00Z", "when it was due");
}

#[test]
fn a_line_that_is_no_verdict_stops_nothing() {
    let bench = Bench::new();
    let records: Vec<_> = (1..=3).map(|n| record(&format!("a-{n}"), 0.5, 2.0)).collect();
    bench.write("in.jsonl", &lines(&records));
    let verdicts = b"{\"id\":\"a-1\",\"verdict\":\"accept\"}\n\
        {\"id\":\"a-2\",\"verdict\":\"acept\"}\n\
        \n\
        {\"id\":\"a-2\xff\",\"verdict\":\"accept\"}\n\
        {\"id\":\"a-3\",\"verdict\":\"accept\"}\n";
    std::fs::write(bench.path("verdicts.jsonl"), verdicts).unwrap();
    let args = ["ingest", "in.jsonl", "--policy", "policy.toml", "--verdicts", "verdicts.jsonl"];
    let ran = bench.run(&args);
    assert_eq!(ran.code, 3, "{ran:?}");
    for words in
        ["verdicts.jsonl:2: this is not a verdict: unknown variant `acept`", "verdicts.jsonl:4: "]
    {
        assert!(ran.err.contains(words), "{words}: {ran:?}");
    }
    assert!(ran.err.contains("2 lines of the verdicts are no verdicts"), "{ran:?}");
    assert!(ran.out.contains("3 admitted") && ran.out.contains("2 verdicts given"), "{ran:?}");
    assert!(ran.out.contains("2 lines of the verdicts are none"), "{ran:?}");
    let state = |id: &str| bench.json(&["show", id])["state"].clone();
    assert_eq!([state("a-1"), state("a-2"), state("a-3")], ["settled", "waiting", "settled"]);

    // Again, for machines: what is stored is recognised, and one corrected line is given.
    bench.write(
        "verdicts.jsonl",
        "{\"id\":\"a-2\",\"verdict\":\"accept\"}\n[]\n{\"id\":\"a-3\",\"verdict\":\"accept\"}\n",
    );
    let ran = bench.run(&[&args[..], &["--json"]].concat());
    assert_eq!(ran.code, 3, "{ran:?}");
    let told: Vec<Value> = ran.err.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let unread = &told[0]["verdict_unread"];
    assert_eq!((&unread["source"], &unread["line"]), (&json!("verdicts.jsonl"), &json!(2)));
    let summary = told.iter().find_map(|l| l.get("summary")).unwrap();
    assert_eq!((&summary["verdicts_unread"], &summary["verdicts"]), (&json!(1), &json!(2)));
    assert_eq!(
        (&summary["duplicates"], &ran.error()["kind"]),
        (&json!(3), &json!("refused_verdicts"))
    );
    assert_eq!(state("a-2"), "settled");
}
