//! What is accepted, what is broken, what is refused, and in which words.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn good() -> Value {
    json!({
        "id": "d-1", "occurred_at": "2026-03-02T09:00:01.000Z", "domain": "loan",
        "action": "approve", "scope": "lending/mortgage", "user_group": "retail",
        "model": {"name": "m", "version": "3.1"}, "confidence": 0.9,
        "ensemble": [{"name": "a", "score": 0.88}, {"name": "b", "score": 1}],
        "cohort": {"race": "black", "age": "30-39"}, "business_impact": 5,
        "input": {"income": 53, "x": {"y": [1, 2.5]}}, "output": {"decision": "approve"},
        "rationale": "Short.", "source": {"name": "bureau", "reliability": 0.5},
        "provenance": {"prompt": "p7"}, "latency_ms": 12.5,
        "attributions": {"income": -0.3}, "logits": [0.1, -2], "tags": ["new"],
        "reply": {"kind": "webhook", "url": "https://x.example/"}, "custom": [1, null]
    })
}

fn parse_value(value: &Value) -> Intake {
    parse(value.to_string().as_bytes(), &Limits::default())
}

fn parse_text(text: &str) -> Intake {
    parse(text.as_bytes(), &Limits::default())
}

#[track_caller]
fn record(intake: Intake) -> Parsed {
    match intake {
        Intake::Record(parsed) => *parsed,
        other => panic!("not a record: {other:?}"),
    }
}

#[track_caller]
fn broken(intake: Intake) -> Broken {
    match intake {
        Intake::Broken(broken) => *broken,
        other => panic!("not broken: {other:?}"),
    }
}

#[track_caller]
fn refused(intake: Intake) -> &'static str {
    match intake {
        Intake::Refused(refusal) => refusal.reason.slug(),
        other => panic!("not refused: {other:?}"),
    }
}

/// `kind:path` of every fault.
fn faults(intake: Intake) -> Vec<String> {
    broken(intake).faults.iter().map(|f| format!("{}:{}", f.kind.slug(), f.path)).collect()
}

fn with(key: &str, value: Value) -> Value {
    let mut record = good();
    record[key] = value;
    record
}

fn without(key: &str) -> Value {
    let mut record = good();
    record.as_object_mut().unwrap().shift_remove(key);
    record
}

#[test]
fn every_field_arrives() {
    let parsed = record(parse_value(&good()));
    let d = &parsed.decision;
    assert_eq!(serde_json::to_value(d).unwrap()["custom"], json!([1, null]));
    assert_eq!(d.occurred_at, Some("2026-03-02T09:00:01Z".parse().unwrap()));
    assert_eq!((d.confidence, d.business_impact, d.latency_ms), (0.9, 5.0, Some(12.5)));
    assert_eq!(d.ensemble[1].score, 1.0);
    assert_eq!(d.cohort["age"], "30-39");
    assert_eq!(d.logits, [0.1, -2.0]);
    assert_eq!(d.attributions["income"], -0.3);
    assert_eq!(d.source.as_ref().unwrap().reliability, Some(0.5));
    assert_eq!(d.extra.len(), 1);
    assert_eq!(parsed.raw(), good());
}

#[test]
fn the_smallest_record_is_enough() {
    let small = r#"{"id":"a","domain":"d","action":"x","model":{"name":"m","version":"1"},
        "confidence":0,"business_impact":10,"input":{},"output":""}"#;
    let d = record(parse_text(small)).decision;
    assert_eq!(d.occurred_at, None);
    assert!(d.cohort.is_empty() && d.ensemble.is_empty() && d.extra.is_empty());
}

#[test]
fn null_in_an_optional_place_is_absent() {
    let base = record(parse_value(&good())).decision;
    for key in [
        "occurred_at",
        "scope",
        "user_group",
        "ensemble",
        "cohort",
        "rationale",
        "source",
        "provenance",
        "latency_ms",
        "attributions",
        "logits",
        "tags",
        "reply",
    ] {
        let null = record(parse_value(&with(key, Value::Null))).decision;
        assert_eq!(null, record(parse_value(&without(key))).decision, "{key}");
        assert_ne!(null, base, "{key}");
    }
    let nested = with("source", json!({"name": "bureau", "reliability": null}));
    assert_eq!(record(parse_value(&nested)).decision.source.unwrap().reliability, None);
    let nested = with("cohort", json!({"race": null, "age": "30"}));
    assert_eq!(record(parse_value(&nested)).decision.cohort.len(), 1);
}

#[test]
fn a_cohort_in_a_word_is_the_dimension_cohort() {
    let d = record(parse_value(&with("cohort", json!("vip")))).decision;
    assert_eq!(d.cohort_group(), Some("vip"));
    assert_eq!(d.cohort.len(), 1);
}

#[test]
fn faults_are_listed_all_at_once_in_the_contracts_order() {
    let line = r#"{"output":7,"model":{"name":""},"confidence":1.7,"id":"x","domain":"",
        "ensemble":[{"name":"a","score":1.4},{"score":"0.2"},3],"occurred_at":"yesterday",
        "cohort":{"race":1},"input":[],"tags":["a",2],"source":{"name":"s","reliability":2},
        "logits":{},"attributions":{"a":"b"},"reply":"x","latency_ms":"1"}"#;
    assert_eq!(
        faults(parse_text(line)),
        [
            "invalid_field:occurred_at",
            "invalid_field:domain",
            "missing_field:action",
            "invalid_field:model.name",
            "missing_field:model.version",
            "out_of_range:confidence",
            "out_of_range:ensemble.0.score",
            "missing_field:ensemble.1.name",
            "wrong_type:ensemble.1.score",
            "wrong_type:ensemble.2",
            "wrong_type:cohort.race",
            "missing_field:business_impact",
            "wrong_type:input",
            "wrong_type:output",
            "out_of_range:source.reliability",
            "wrong_type:latency_ms",
            "wrong_type:attributions.a",
            "wrong_type:logits",
            "wrong_type:tags.1",
            "wrong_type:reply",
        ]
    );
}

#[test]
fn a_broken_record_still_tells_what_it_can() {
    let b = broken(parse_value(&with("confidence", json!("0.93"))));
    assert_eq!((b.id.as_str(), b.domain.as_deref(), b.confidence), ("d-1", Some("loan"), None));
    assert_eq!(b.model.unwrap().version, "3.1");
    assert_eq!(b.business_impact, Some(5.0));
    assert_eq!(b.raw, with("confidence", json!("0.93")));
    assert_eq!(b.canonical, canonical(&b.raw));
    assert_eq!(b.faults[0].message, "is a string, not a number");
    let b = broken(parse_value(&with("confidence", json!(-0.2))));
    assert_eq!(b.faults[0].message, "is -0.2; it must be from 0 to 1");
    assert_eq!(faults(parse_value(&with("confidence", Value::Null))), ["wrong_type:confidence"]);
    assert_eq!(
        faults(parse_value(&with("business_impact", json!(11)))),
        ["out_of_range:business_impact"]
    );
}

#[test]
fn times_are_rfc_3339_and_nothing_more() {
    let time = |t: &str| parse_value(&with("occurred_at", json!(t)));
    for (text, instant) in [
        ("2026-03-02T10:00:00+05:30", "2026-03-02T04:30:00Z"),
        ("2026-03-02t10:00:00.123456z", "2026-03-02T10:00:00.123456Z"),
        ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
    ] {
        let d = record(time(text)).decision;
        assert_eq!(d.occurred_at, Some(instant.parse().unwrap()), "{text}");
    }
    for text in [
        "",
        "yesterday",
        "2026-02-30T00:00:00Z",
        "2026-03-02",
        "2026-03-02T10:00Z",
        "2026-03-02T10:00:00",
        "2026-03-02 10:00:00Z",
        "2026-03-02T10:00:00+0530",
        "2026-03-02T10:00:00.Z",
        "2026-03-02T10:00:00Z[UTC]",
        "+002026-03-02T10:00:00Z",
        "2026-03-02T25:00:00Z",
        "2026-03-02T10:00:00,5Z",
        "1772445600",
        "2026-03-02T10:00:00Zé",
    ] {
        assert_eq!(faults(time(text)), ["invalid_field:occurred_at"], "{text}");
    }
}

#[test]
fn ids_are_usable_or_the_line_is_refused() {
    let id = |v: Value| parse_value(&with("id", v));
    assert_eq!(refused(parse_value(&without("id"))), "missing_field:id");
    assert_eq!(refused(id(Value::Null)), "missing_field:id");
    for bad in [json!(""), json!(7), json!(["a"]), json!("x".repeat(129)), json!("é".repeat(65))] {
        assert_eq!(refused(id(bad)), "invalid_field:id");
    }
    for fine in ["x".repeat(128), "../../etc/passwd".into(), "'; DROP TABLE x;--".into()] {
        assert_eq!(record(id(json!(fine))).decision.id, fine);
    }
}

#[test]
fn what_is_not_usable_is_refused_with_its_reason() {
    for (line, reason) in [
        ("{\"id\":\"a\",\"output\":\"cut", "invalid_json"),
        ("{\"id\":\"a\",", "invalid_json"),
        ("{\"id\":\"a\",\"confidence\":NaN}", "invalid_json"),
        ("{\"id\":\"a\",\"confidence\":-Infinity}", "invalid_json"),
        ("{\"id\":\"a\"} {\"id\":\"b\"}", "invalid_json"),
        ("{\"id\":\"a\",\"output\":\"\u{1b}[2J\"}", "invalid_json"),
        ("{\"id\":\"a\",\"output\":\"\\ud800\"}", "invalid_json"),
        ("{\"id\":\"a\",\"confidence\":01}", "invalid_json"),
        ("[{\"id\":\"a\"}]", "wrong_type:record"),
        ("\"hello\"", "wrong_type:record"),
        ("null", "wrong_type:record"),
        ("{\"id\":\"a\",\"confidence\":0.9,\"confidence\":0.1}", "duplicate_key"),
        ("{\"id\":\"a\",\"input\":{\"x\":[{\"y\":1,\"y\":1}]}}", "duplicate_key"),
        ("{\"id\":\"a\",\"i\\u0064\":\"b\"}", "duplicate_key"),
        ("{\"id\":\"a\",\"input\":{\"n\":9007199254740993}}", "number_range"),
        ("{\"id\":\"a\",\"input\":{\"n\":-12345678901234567890}}", "number_range"),
        (
            "{\"id\":\"a\",\"input\":{\"n\":1234567890123456789012345678901234567890123}}",
            "number_range",
        ),
    ] {
        assert_eq!(refused(parse_text(line)), reason, "{line}");
    }
    assert_eq!(refused(parse(b"{\"id\":\"a\xff\"}", &Limits::default())), "invalid_utf8");
    let fine =
        with("input", json!({"n": 9_007_199_254_740_992u64, "m": -9_007_199_254_740_992i64}));
    record(parse_value(&fine));
    // Digits in strings are text, and long decimals are no integers.
    record(parse_value(&with("rationale", json!("9007199254740993"))));
    record(parse_text(&good().to_string().replace("12.5", "0.12345678901234567890123")));
}

#[test]
fn size_and_depth_are_bounded_before_anything_else() {
    let deep = |n: usize| with("input", serde_json::from_str(&nested(n)).unwrap()).to_string();
    fn nested(n: usize) -> String {
        format!("{{\"a\":{}1{}}}", "[".repeat(n - 1), "]".repeat(n - 1))
    }
    record(parse_text(&deep(63)));
    assert_eq!(refused(parse_text(&deep(64))), "too_deep");
    let line = format!("{{\"id\":\"a\",\"input\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(refused(parse_text(&line)), "too_deep");
    assert_eq!(refused(parse_text(&"[".repeat(900_000))), "too_deep");
    // Whatever is asked for, recursion stays bounded.
    let wide = Limits { max_depth: usize::MAX, ..Limits::default() };
    assert_eq!(refused(parse(line.as_bytes(), &wide)), "too_deep");

    let limits = Limits { max_bytes: good().to_string().len(), ..Limits::default() };
    let line = format!("\u{feff}{}\r\n", good());
    assert!(matches!(parse(line.as_bytes(), &limits), Intake::Record(_)));
    let longer = with("rationale", json!("Short!!")).to_string();
    assert_eq!(refused(parse(longer.as_bytes(), &limits)), "too_large");
}

#[test]
fn a_number_that_no_double_holds_is_a_fault_where_it_stands() {
    let line = good().to_string().replace("0.9,", "1e400,").replace(",2.5]", ",-2E+9999]");
    let b = broken(parse_text(&line));
    let places: Vec<&str> = b.faults.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(places, ["confidence", "input.x.y.1"]);
    assert!(b.faults.iter().all(|f| f.kind == FaultKind::OutOfRange));
    assert_eq!(b.faults[0].message, "is 1e400, which no number holds");
    assert_eq!(b.raw["confidence"], json!("1e400"));
    assert_eq!((b.id.as_str(), b.confidence), ("d-1", None));
    // It says something else than the same text in quotes.
    let quoted =
        good().to_string().replace("0.9,", "\"1e400\",").replace(",2.5]", ",\"-2E+9999\"]");
    assert_ne!(b.canonical, broken(parse_text(&quoted)).canonical);
    assert_eq!(b.canonical, broken(parse_text(&line.replace("\":", "\": "))).canonical);
    // Too small is no harm: it is zero.
    record(parse_text(&good().to_string().replace(",2.5]", ",1e-400]")));
}

#[test]
fn line_ends_marks_and_blank_lines_are_no_content() {
    let plain = record(parse_value(&good()));
    for line in
        [format!("{}\r\n", good()), format!("\u{feff}{}", good()), format!(" \t{} ", good())]
    {
        assert_eq!(record(parse_text(&line)), plain);
    }
    for blank in ["", "\n", "\r\n", "  \t ", "\u{feff}", "\u{feff}\r\n"] {
        assert!(matches!(parse_text(blank), Intake::Blank), "{blank:?}");
    }
}

#[test]
fn an_envelope_is_taken_off() {
    let plain = record(parse_value(&good()));
    let event = json!({
        "specversion": "1.0", "id": "event-9", "source": "/models/loan", "type": "decision",
        "time": "2026-03-02T10:00:00Z", "datacontenttype": "application/json", "data": good()
    });
    assert_eq!(record(parse_value(&event)), plain);
    let mut lame = event.clone();
    lame["data"]["confidence"] = json!(2);
    let b = broken(parse_value(&lame));
    assert_eq!((b.faults[0].path.as_str(), &b.raw), ("confidence", &lame["data"]));
    lame["data"] = json!("text");
    assert_eq!(refused(parse_value(&lame)), "wrong_type:record");
    let huge = event.to_string().replace("0.9,", "1e999,");
    assert_eq!(faults(parse_text(&huge)), ["out_of_range:confidence"]);
    // Without data it is a record with an unknown field.
    let odd = with("specversion", json!("1.0"));
    assert_eq!(record(parse_value(&odd)).decision.extra.len(), 2);
}

#[test]
fn an_event_that_cannot_be_opened_is_refused_and_occupies_no_id() {
    use base64::Engine as _;
    let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let event = |more: Value| {
        let mut event = json!({"specversion": "1.0", "id": "event-9", "source": "/m", "type": "t"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    for version in [json!("0.3"), json!("2.0"), json!(1.0), Value::Null] {
        let old = event(json!({"specversion": version, "data": good()}));
        assert_eq!(refused(parse_value(&old)), "invalid_field:specversion", "{version}");
    }
    let Intake::Refused(told) = parse_value(&event(json!({"specversion": "0.3", "data": {}})))
    else {
        panic!()
    };
    assert_eq!(
        told.message,
        "this is an event of CloudEvents with `specversion` \"0.3\"; 1.0 is taken"
    );
    assert_eq!(refused(parse_value(&event(json!({})))), "missing_field:data");
    // A record may have a field of that name.
    let odd = with("specversion", json!("0.3"));
    assert_eq!(record(parse_value(&odd)).decision.extra.len(), 2);

    // The same record, in base64: looked at as strictly as a line of its own.
    let plain = record(parse_value(&good()));
    let held = |text: &str| parse_value(&event(json!({"data_base64": encoded(text)})));
    assert_eq!(record(held(&good().to_string())), plain);
    assert_eq!(opened(event(json!({"data_base64": encoded(&good().to_string())}))), good());
    assert_eq!(
        faults(held(&with("confidence", json!(2)).to_string())),
        ["out_of_range:confidence"]
    );
    assert_eq!(refused(held(r#"{"id":"a","id":"b"}"#)), "duplicate_key");
    assert_eq!(refused(held(r#"{"id":"a","n":9007199254740993}"#)), "number_range");
    assert_eq!(refused(held("not JSON")), "invalid_field:data_base64");
    assert_eq!(refused(held("")), "missing_field:data");
    for odd in [json!("%%"), json!(7)] {
        let odd = event(json!({"data_base64": odd}));
        assert_eq!(refused(parse_value(&odd)), "invalid_field:data_base64");
    }
    // An envelope in an envelope is no record.
    let twice = event(json!({"data": good()})).to_string();
    assert_eq!(broken(held(&twice)).id, "event-9");
}

#[test]
fn null_in_an_optional_place_is_no_content() {
    let base = record(parse_value(&without("rationale")));
    let null = record(parse_value(&with("rationale", Value::Null)));
    assert_eq!(null.canonical, base.canonical);
    // What earlier versions compared is at hand; for others there is nothing to compare twice.
    assert_eq!(null.as_sent, Some(canonical(&with("rationale", Value::Null))));
    assert_eq!(base.as_sent, None);
    assert_eq!(base.canonical, canonical(&without("rationale")), "as it was before");
    let some = with("cohort", json!({"race": null, "age": "30"}));
    let same = with("cohort", json!({"age": "30"}));
    assert_eq!(record(parse_value(&some)).canonical, record(parse_value(&same)).canonical);
    let some = with("source", json!({"name": "b", "reliability": null}));
    let same = with("source", json!({"name": "b"}));
    assert_eq!(record(parse_value(&some)).canonical, record(parse_value(&same)).canonical);
    // In what is the caller's own a null is content.
    for key in ["input", "output", "custom"] {
        let (some, none) = (with(key, json!({"x": null})), with(key, json!({})));
        assert_ne!(record(parse_value(&some)).canonical, record(parse_value(&none)).canonical);
        assert_eq!(record(parse_value(&some)).as_sent, None);
    }
    let broken_too = with("confidence", json!(7));
    let mut null = broken_too.clone();
    null["tags"] = Value::Null;
    let mut none = broken_too;
    none.as_object_mut().unwrap().shift_remove("tags");
    assert_eq!(broken(parse_value(&null)).canonical, broken(parse_value(&none)).canonical);
}

#[test]
fn a_reply_that_nobody_could_send_is_a_fault() {
    let reply = |reply: Value| parse_value(&with("reply", reply));
    for (to, expected) in [
        (json!({}), vec!["missing_field:reply.kind"]),
        (json!({"kind": 7}), vec!["wrong_type:reply.kind"]),
        (json!({"kind": "fax", "url": "https://x"}), vec!["invalid_field:reply.kind"]),
        (json!({"kind": "webhook"}), vec!["missing_field:reply.url"]),
        (json!({"kind": "webhook", "url": 7}), vec!["wrong_type:reply.url"]),
        (json!({"kind": "webhook", "url": "ftp://x"}), vec!["invalid_field:reply.url"]),
        (json!({"kind": "temporal"}), vec!["invalid_field:reply", "missing_field:reply.namespace"]),
        (
            json!({"kind": "temporal", "namespace": "n", "signal": ""}),
            vec!["invalid_field:reply.signal", "missing_field:reply.workflow_id"],
        ),
        (json!({"kind": "stepfunctions"}), vec!["missing_field:reply.task_token"]),
        (
            json!({"kind": "argo", "namespace": "n", "workflow": "..", "on_reject": "stop"}),
            vec![
                "invalid_field:reply.workflow",
                "missing_field:reply.node",
                "invalid_field:reply.on_reject",
            ],
        ),
    ] {
        assert_eq!(faults(reply(to.clone())), expected, "{to}");
    }
    let b = broken(reply(json!({"kind": "fax"})));
    assert_eq!(
        b.faults[0].message,
        "is \"fax\", none of webhook, temporal, stepfunctions and argo"
    );
    for fine in [
        json!({"kind": "webhook", "url": "http://flows.example:8443/done?x=1", "token": {"a": 1}}),
        json!({"kind": "temporal", "namespace": "n", "workflow_id": "w", "signal": "s", "run_id": null}),
        json!({"kind": "temporal", "namespace": "n", "task_token": "AAEC"}),
        json!({"kind": "stepfunctions", "task_token": "t", "region": "eu-central-1"}),
        json!({"kind": "argo", "namespace": "n", "workflow": "w", "node": "x",
               "parameters": {"verdict": "outcome"}, "on_reject": "result"}),
    ] {
        record(reply(fine));
    }
    // What was admitted before replies were looked at can still be read.
    let line = with("reply", json!({"kind": "fax"})).to_string();
    let limits = Limits::default();
    assert!(decision(line.as_bytes(), &limits).is_err());
    assert!(decision_whatever_its_reply(line.as_bytes(), &limits).is_ok());
}

#[test]
fn the_canonical_form_is_rfc_8785() {
    // The examples of RFC 8785, sections 3.2.2 and 3.2.3.
    let text = r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
        "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
    let value = tree::parse(text).unwrap();
    assert_eq!(
        String::from_utf8(canonical(&value)).unwrap(),
        r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
    );
    let text = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
        "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
    let bytes = canonical(&tree::parse(text).unwrap());
    let order: Vec<usize> = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"]
        .iter()
        .map(|w| String::from_utf8_lossy(&bytes).find(w).unwrap())
        .collect();
    assert!(order.is_sorted(), "{order:?}");
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1i64 << 53)..=1 << 53).prop_map(Value::from),
        any::<f64>().prop_map(|f| if f.is_finite() { json!(f) } else { json!(0) }),
        "(?s).{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec(("(?s).{0,6}", inner), 0..6).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// The same value with the members of every object in reverse order.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(m) => m.iter().rev().map(|(k, v)| (k.clone(), reversed(v))).collect(),
        Value::Array(l) => l.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn canonical_is_what_the_crate_says(value in json_value()) {
        let theirs = serde_json_canonicalizer::to_vec(&value).unwrap();
        prop_assert_eq!(canonical(&value), theirs.clone());
        // Its own reading is a fixed point.
        let back = tree::parse(std::str::from_utf8(&theirs).unwrap()).unwrap();
        prop_assert_eq!(canonical(&back), theirs);
    }

    #[test]
    fn order_and_white_space_say_nothing(value in json_value()) {
        let one = with("input", json!({ "x": value }));
        let other = reversed(&one);
        let pretty = serde_json::to_string_pretty(&other).unwrap();
        let (one, other) = (record(parse_value(&one)), record(parse_text(&pretty)));
        prop_assert_eq!(one.canonical, other.canonical);
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes, &Limits::default());
    }

    #[test]
    fn a_bent_record_is_answered(at in 0usize..700, bytes in vec(any::<u8>(), 0..5), cut in 0usize..5) {
        let mut line = good().to_string().into_bytes();
        let at = at.min(line.len());
        let end = (at + cut).min(line.len());
        line.splice(at..end, bytes);
        let again = decision(&line, &Limits::default());
        match parse(&line, &Limits::default()) {
            Intake::Record(parsed) => prop_assert_eq!(again, Ok(parsed.decision)),
            Intake::Broken(broken) => prop_assert_eq!(again, Err(broken.faults)),
            Intake::Blank | Intake::Refused(_) => prop_assert_eq!(again, Err(Vec::new())),
        }
    }
}
