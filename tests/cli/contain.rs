//! Containment: one person stops automation, everywhere and at once; several restart it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::mpsc;

use serde_json::{Value, json};

use super::bench::{Bench, lines, record};

/// A confident record, which is automatic as long as nothing stops it.
fn sure(id: &str, domain: &str) -> Value {
    let mut record = record(id, 0.95, 2.0);
    record["domain"] = json!(domain);
    record["model"]["name"] = json!(format!("{domain}-model"));
    record
}

/// The whole trail.
fn trail(bench: &Bench) -> Vec<Value> {
    let log = bench.json(&["audit", "log", "--limit", "100000"]);
    log["entries"].as_array().unwrap().iter().map(|e| e["entry"].clone()).collect()
}

fn of_kind<'a>(trail: &'a [Value], kind: &str) -> Vec<&'a Value> {
    trail.iter().filter(|e| e["t"] == kind).collect()
}

/// The switch of a scope.
fn switch(bench: &Bench, scope: &str) -> Value {
    let list = bench.json(&["switch", "list"]);
    let found = list["switches"].as_array().unwrap().iter().find(|s| s["scope"] == scope);
    found.unwrap_or_else(|| panic!("no {scope}: {list}")).clone()
}

/// An ingest of `n` records of two domains in another process; the loans are stopped when `after`
/// routes came back.
fn killed_while_it_runs(n: usize, after: usize, mode: &[&str]) {
    let bench = Bench::with(&[sure("first", "loan")]);
    let mut child = bench
        .command(&["ingest", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || {
        for i in 0..n {
            let domain = if i % 2 == 0 { "loan" } else { "support" };
            let line = lines(&[sure(&format!("{domain}-{i}"), domain)]);
            stdin.write_all(line.as_bytes()).unwrap();
        }
    });
    let (told, hear) = mpsc::channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        for (i, line) in stdout.lines().enumerate() {
            assert!(line.unwrap().contains("\"outcome\""));
            if i + 1 == after {
                told.send(()).unwrap();
            }
        }
    });
    hear.recv().unwrap();
    let kill =
        [&["kill", "--scope", "domain=loan", "--reason", "it approves everybody"], mode].concat();
    let killed = bench.json(&kill);
    assert_eq!((&killed["state"], &killed["generation"]), (&json!("killed"), &json!(1)));
    feeder.join().unwrap();
    reader.join().unwrap();
    assert!(child.wait().unwrap().success());

    let trail = trail(&bench);
    let at = trail.iter().position(|e| e["t"] == "switch").unwrap();
    let loan =
        |e: &&Value| e["t"] == "admit" && e["id"].as_str().is_some_and(|id| id.starts_with("loan"));
    let (before, afterwards) = trail.split_at(at);
    let late: Vec<_> = afterwards.iter().filter(loan).collect();
    let auto: Vec<_> = late.iter().filter(|e| e["outcome"] == "auto").collect();
    assert!(auto.is_empty(), "after the stop: {auto:?}");
    assert!(late.iter().all(|e| e["gen"] == 1 && e["rule"] == "kill"), "{late:?}");
    assert!(before.iter().filter(loan).all(|e| e["outcome"] == "auto"));
    let others = trail.iter().filter(|e| e["id"].as_str().is_some_and(|i| i.starts_with("sup")));
    let (mut all, mut automatic) = (0, 0);
    for e in others {
        all += 1;
        automatic += usize::from(e["outcome"] == "auto");
    }
    assert_eq!((all, automatic), (n / 2, n / 2), "the other domain goes on");
    assert_eq!(before.iter().filter(loan).count() + late.len(), n / 2, "nothing is lost");
    assert!(!late.is_empty(), "the stop came while it ran");
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
}

#[test]
fn after_a_stop_elsewhere_nothing_in_its_scope_is_automatic_in_a_running_ingest() {
    for (after, mode) in [
        (1, &[][..]),
        (300, &["--mode", "block"]),
        (1_501, &["--mode", "last-good", "--to", "3.0"]),
        (4_000, &["--mode", "human"]),
    ] {
        killed_while_it_runs(12_000, after, mode);
    }
}

#[test]
fn each_mode_says_what_becomes_of_the_decisions_and_covers_its_scope_only() {
    let bench = Bench::with(&[sure("a-0", "loan"), sure("b-0", "support")]);
    for (round, (scope, args, outcome)) in [
        ("domain=loan", &["--mode", "human"][..], "review"),
        ("model=loan-model@3.1", &["--mode", "block"], "block"),
        ("cohort=race:black", &["--mode", "last-good", "--to", "3.0"], "fallback"),
        ("action=approve", &[], "review"),
        ("all", &["--mode", "block"], "block"),
    ]
    .into_iter()
    .enumerate()
    {
        let kill = ["kill", "--scope", scope, "--reason", "x"];
        assert_eq!(bench.json(&[&kill[..], args].concat())["scope"], scope);
        let route = &bench.admit(&[sure(&format!("a-{}", round + 1), "loan")])[0];
        assert_eq!(
            (&route["outcome"], &route["rule"]),
            (&json!(outcome), &json!("kill")),
            "{scope}"
        );
        assert!(route["reason"].as_str().unwrap().contains(scope), "{route}");
        if outcome == "fallback" {
            assert_eq!(route["fallback"]["version"], "3.0");
        }
        let resume = ["resume", "--scope", scope, "--reason", "x"];
        bench.run(&["reviewer", "add", "ann", "--level", "1", "--role", "on-call"]);
        assert_eq!(bench.json(&resume)["running"], false);
        assert_eq!(bench.json(&[&resume[..], &["--as", "ann"]].concat())["running"], true);
        let route = &bench.admit(&[sure(&format!("c-{round}"), "loan")])[0];
        assert_eq!(route["outcome"], "auto", "{scope}");
    }
    bench.run(&["kill", "--scope", "domain=loan", "--reason", "x"]);
    assert_eq!(bench.admit(&[sure("b-1", "support")])[0]["outcome"], "auto");
    // What was decided under a stop is explained by it, and still is after the restart.
    let explained = bench.json(&["policy", "explain", "a-1"]);
    assert_eq!(explained["reproduced"], true, "{explained}");
}

#[test]
fn restarting_takes_two_different_people_and_one_of_them_may_have_stopped_it() {
    let bench = Bench::with(&[sure("a-0", "loan")]);
    bench.run(&["reviewer", "add", "ann", "--level", "1", "--role", "on-call"]);
    bench.run(&["kill", "--reason", "all of it"]);
    assert_eq!(bench.admit(&[sure("a-1", "loan")])[0]["outcome"], "review");
    let resume = ["resume", "--scope", "all", "--reason", "looked into it"];
    for _ in 0..2 {
        let waits = bench.json(&resume);
        assert_eq!(
            (&waits["running"], &waits["needs"], waits["by"].as_array().unwrap().len()),
            (&json!(false), &json!(2), 1)
        );
    }
    assert_eq!(bench.admit(&[sure("a-2", "loan")])[0]["outcome"], "review", "asked is not yet on");
    let all = switch(&bench, "all");
    assert_eq!((&all["state"], all["resume_by"].as_array().unwrap().len()), (&json!("killed"), 1));
    // Stopped again: who asked before has to ask again.
    bench.run(&["kill", "--reason", "still bad", "--as", "ann"]);
    assert_eq!(bench.json(&[&resume[..], &["--as", "ann"]].concat())["running"], false);
    assert_eq!(bench.json(&resume)["running"], true);
    assert_eq!(bench.admit(&[sure("a-3", "loan")])[0]["outcome"], "auto");
    let error = bench.error(3, &resume);
    assert_eq!(error["message"], "automation is not stopped for all; it runs everywhere");

    let trail = trail(&bench);
    let acts: Vec<_> = of_kind(&trail, "switch")
        .iter()
        .map(|e| (e["d"]["act"].as_str().unwrap(), e["d"]["running"].as_str(), e["gen"].as_u64()))
        .collect();
    assert_eq!(
        acts,
        [
            ("kill", None, Some(1)),
            ("resume", Some("no"), Some(2)),
            ("resume", Some("no"), Some(3)),
            ("kill", None, Some(4)),
            ("resume", Some("no"), Some(5)),
            ("resume", Some("yes"), Some(6)),
        ]
    );
    assert!(of_kind(&trail, "switch").iter().all(|e| e["d"]["reason"].is_string()));
}

#[test]
fn a_control_state_that_cannot_be_read_sends_everything_to_people_until_two_restart_it() {
    let bench = Bench::with(&[sure("a-0", "loan")]);
    bench.run(&["reviewer", "add", "ann", "--level", "1", "--role", "on-call"]);
    bench.run(&["kill", "--scope", "domain=support", "--reason", "x"]);
    for (n, damage) in [
        "UPDATE states SET value = x'7b7d' WHERE key = 'control'",
        "UPDATE states SET value = x'ff' WHERE key = 'control'",
        "DELETE FROM states WHERE key = 'control'",
    ]
    .into_iter()
    .enumerate()
    {
        let db = rusqlite::Connection::open(bench.store()).unwrap();
        assert_eq!(db.execute(damage, ()).unwrap(), 1, "{damage}");
        drop(db);
        let route = &bench.admit(&[sure(&format!("b-{n}"), "loan")])[0];
        assert_eq!(
            (&route["outcome"], &route["rule"]),
            (&json!("review"), &json!("control-unreadable")),
            "{damage}"
        );
        assert_eq!(switch(&bench, "all")["state"], "killed");
        // A stop works all the same, and what was not readable stays stopped as a whole.
        assert_eq!(bench.run(&["kill", "--scope", "domain=loan", "--reason", "y"]).code, 0);
        assert_eq!(bench.admit(&[sure(&format!("c-{n}"), "x")])[0]["rule"], "kill");
        let all = switch(&bench, "all");
        assert_eq!((&all["state"], &all["by"]), (&json!("killed"), &json!("system")));
        for scope in ["domain=loan", "all"] {
            let resume = ["resume", "--scope", scope, "--reason", "z"];
            assert_eq!(bench.json(&resume)["running"], false);
            assert_eq!(bench.json(&[&resume[..], &["--as", "ann"]].concat())["running"], true);
        }
        assert_eq!(bench.admit(&[sure(&format!("d-{n}"), "loan")])[0]["outcome"], "auto");
    }
    let trail = trail(&bench);
    let replaced: Vec<_> =
        of_kind(&trail, "switch").into_iter().filter(|e| e["d"]["replaced"].is_string()).collect();
    assert_eq!(replaced.len(), 3);
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
}

#[test]
fn what_was_automatic_goes_before_people_once() {
    let records: Vec<Value> = (0..250)
        .map(|n| sure(&format!("i-{n}"), if n % 5 == 0 { "support" } else { "loan" }))
        .collect();
    let bench = Bench::with(&records);
    bench.admit(&[record("unsure", 0.5, 2.0)]);
    let ask = ["requeue", "--scope", "domain=loan", "--since", "1h"];
    assert_eq!(bench.json(&ask)["requeued"], 200);
    let queue = bench.json(&["queue", "list", "--limit", "1000"]);
    assert_eq!(queue["total"], 201);
    let shown = bench.json(&["show", "i-1"]);
    assert_eq!((&shown["state"], &shown["revision"]), (&json!("waiting"), &json!(1)));
    // A second time does nothing, also once they are decided.
    assert_eq!(bench.run(&["decide", "i-1", "accept"]).code, 0);
    assert_eq!(bench.json(&ask)["requeued"], 0);
    let later = ["requeue", "--scope", "all", "--since", "2126-01-01"];
    assert_eq!(bench.json(&later)["requeued"], 0);
    assert_eq!(bench.json(&["requeue", "--scope", "all", "--since", "1h"])["requeued"], 50);

    let trail = trail(&bench);
    let requeue = of_kind(&trail, "requeue");
    let (asked, put): (Vec<&Value>, Vec<&Value>) =
        requeue.into_iter().partition(|e| e["id"].is_null());
    assert_eq!((asked.len(), put.len()), (4, 250));
    assert!(put.iter().all(|e| e["state"] == "waiting" && e["queue"] == "level1"));
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
}

#[test]
fn replies_that_had_not_gone_out_are_held_until_the_restart() {
    let bench = Bench::new();
    bench.run(&["reviewer", "add", "ann", "--level", "1", "--role", "on-call"]);
    let asked = |id: &str, domain: &str| {
        let mut record = record(id, 0.5, 2.0);
        record["domain"] = json!(domain);
        record["reply"] = json!({"kind": "webhook", "url": "https://caller.example/done"});
        record
    };
    bench.admit(&[asked("l-1", "loan"), asked("s-1", "support"), asked("l-2", "loan")]);
    for id in ["l-1", "s-1"] {
        assert_eq!(bench.run(&["decide", id, "accept"]).code, 0);
    }
    let outgoing = || {
        let o = bench.json(&["switch", "list"])["outgoing"].clone();
        (o["waiting"].as_u64().unwrap(), o["held"].as_u64().unwrap(), o["listed"].clone())
    };
    assert_eq!(outgoing(), (2, 0, json!([])));
    assert_eq!(bench.json(&["kill", "--scope", "domain=loan", "--reason", "x"])["held"], 1);
    let (waiting, held, listed) = outgoing();
    assert_eq!((waiting, held), (1, 1));
    assert_eq!(
        (&listed[0]["item"], &listed[0]["state"], &listed[0]["to"]),
        (&json!("l-1"), &json!("held"), &json!("webhook"))
    );
    // People go on: what they decide now goes out.
    assert_eq!(bench.run(&["decide", "l-2", "accept"]).code, 0);
    assert_eq!(outgoing().1, 1);
    // Another stop covers it too: it stays held when the first is lifted.
    assert_eq!(bench.json(&["kill", "--scope", "model=pre", "--reason", "y"])["held"], 2);
    let resume = |scope: &str| {
        let ask = ["resume", "--scope", scope, "--reason", "z"];
        bench.json(&ask);
        assert_eq!(bench.json(&[&ask[..], &["--as", "ann"]].concat())["running"], true);
    };
    resume("domain=loan");
    assert_eq!((outgoing().0, outgoing().1), (0, 3));
    resume("model=pre");
    assert_eq!((outgoing().0, outgoing().1), (3, 0));
}

#[test]
fn who_may_not_is_refused_and_that_is_in_the_trail() {
    let bench = Bench::with(&[sure("a-0", "loan")]);
    bench.run(&["reviewer", "add", "eve", "--level", "3", "--role", "auditor"]);
    bench.run(&["reviewer", "add", "off", "--level", "1", "--role", "on-call"]);
    bench.run(&["reviewer", "disable", "off"]);
    for args in [
        vec!["kill", "--scope", "domain=loan", "--reason", "x"],
        vec!["resume", "--scope", "domain=loan", "--reason", "x"],
        vec!["requeue", "--scope", "all", "--since", "1h"],
    ] {
        for name in ["eve", "off", "nobody"] {
            let error = bench.error(3, &[&args[..], &["--as", name]].concat());
            assert_eq!(error["kind"], "authority", "{args:?} {name}");
        }
    }
    assert_eq!(bench.admit(&[sure("a-1", "loan")])[0]["outcome"], "auto", "nothing was stopped");
    let trail = trail(&bench);
    let denied: Vec<_> = of_kind(&trail, "denied")
        .iter()
        .map(|e| (e["by"].as_str().unwrap(), e["d"]["act"].as_str().unwrap()))
        // A requeue asks for the time first.
        .filter(|(_, act)| *act != "ask")
        .collect();
    let acts = ["stop automation", "restart automation", "put automatic decisions before people"];
    let expected: Vec<_> =
        acts.iter().flat_map(|act| ["eve", "off", "nobody"].map(|name| (name, *act))).collect();
    assert_eq!(denied, expected);
    assert!(of_kind(&trail, "switch").is_empty() && of_kind(&trail, "requeue").is_empty());
    assert_eq!(bench.json(&["audit", "verify"])["ok"], true);
}

#[test]
fn a_stop_works_where_the_configuration_does_not_and_says_why_it_stopped() {
    let bench = Bench::with(&[sure("a-0", "loan")]);
    let config = bench.write("broken.toml", "colour = [");
    let config = config.to_str().unwrap();
    assert_eq!(bench.run(&["queue", "list", "--config", config]).code, 2);
    let ran = bench.run(&["kill", "--reason", "x", "--config", config]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("automation is stopped for all"), "{ran:?}");
    assert_eq!(switch(&bench, "all")["reason"], "x");
    for args in [
        vec!["kill"],
        vec!["kill", "--reason", " "],
        vec!["kill", "--reason", "x", "--scope", "everything"],
        vec!["kill", "--reason", "x", "--to", "2"],
    ] {
        assert_eq!(bench.run(&args).code, 2, "{args:?}");
    }
}

#[test]
fn a_canary_is_started_promoted_by_its_level_and_rolled_back() {
    let bench = Bench::with(&[sure("a-0", "loan")]);
    bench.run(&["reviewer", "add", "ann", "--level", "1", "--role", "on-call"]);
    let start = [
        "canary",
        "start",
        "loan-model",
        "--version",
        "4.0",
        "--baseline",
        "3.1",
        "--steps",
        "0.25,1",
        "--promote-level",
        "2",
    ];
    let canary = bench.json(&start)["canaries"][0].clone();
    assert_eq!(
        (&canary["state"], &canary["step"], &canary["share"], &canary["verdict"]),
        (&json!("running"), &json!(1), &json!(0.25), &json!("not_enough_data"))
    );
    let again = bench.error(3, &start);
    assert!(again["message"].as_str().unwrap().contains("4.0 is running"), "{again}");
    let bad = ["canary", "start", "m", "--version", "2", "--baseline", "1", "--steps", "0.5,0.2"];
    assert_eq!(bench.run(&bad).code, 2);
    // Inside its share its decisions are taken, outside the caller is told to use the baseline.
    let records: Vec<Value> = (0..400)
        .map(|n| {
            let mut record = sure(&format!("c-{n}"), "loan");
            record["model"]["version"] = json!("4.0");
            record
        })
        .collect();
    let routes = bench.admit(&records);
    let (inside, outside): (Vec<&Value>, Vec<&Value>) =
        routes.iter().partition(|r| r["outcome"] == "auto");
    assert!((60..140).contains(&inside.len()), "{}", inside.len());
    assert!(outside.iter().all(|r| r["outcome"] == "fallback"
        && r["fallback"]["version"] == "3.1"
        && r["rule"] == "canary"));

    let promote = ["canary", "promote", "loan-model", "--reason", "40 looked at by hand"];
    let error = bench.error(3, &[&promote[..], &["--as", "ann"]].concat());
    assert_eq!(error["kind"], "authority");
    assert_eq!(bench.json(&promote)["canaries"][0]["state"], "promoted");
    assert_eq!(bench.run(&promote).code, 3);
    let next = ["canary", "start", "loan-model", "--version", "5.0", "--baseline", "4.0"];
    bench.json(&next);
    let back = ["canary", "rollback", "loan-model", "--reason", "slow", "--as", "ann"];
    assert_eq!(bench.json(&back)["canaries"][0]["state"], "rolled_back");
    let mut late = sure("d-0", "loan");
    late["model"]["version"] = json!("5.0");
    let route = &bench.admit(&[late])[0];
    assert_eq!(
        (&route["outcome"], &route["fallback"]["version"]),
        (&json!("fallback"), &json!("4.0"))
    );
    // Without a version, last-good is the one that was in use before.
    let killed =
        ["kill", "--scope", "model=loan-model@4.0", "--mode", "last-good", "--reason", "x"];
    assert_eq!(bench.run(&killed).code, 0);
    let mut stopped = sure("d-1", "loan");
    stopped["model"]["version"] = json!("4.0");
    let route = &bench.admit(&[stopped])[0];
    assert_eq!(
        (&route["outcome"], &route["fallback"]["version"]),
        (&json!("fallback"), &json!("3.1"))
    );

    let trail = trail(&bench);
    let acts: Vec<_> =
        of_kind(&trail, "canary").iter().map(|e| e["d"]["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["start", "promote", "start", "rollback"]);
    assert_eq!(of_kind(&trail, "denied").len(), 1);
}

#[test]
fn an_incident_is_looked_after_and_resolved_once() {
    let bench = Bench::with(&[sure("a-0", "loan")]);
    bench.run(&["reviewer", "add", "eve", "--level", "3", "--role", "auditor"]);
    assert_eq!(bench.json(&["incident", "list"]), json!({"incidents": []}));
    let alarm = overrule::containment::Alarm {
        kind: "override-spike".into(),
        slice: json!({"model": "loan-model@3.1"}),
        cause: "override_low 0.2 > 0.05".into(),
        runbook: Some("https://wiki.example/override-spike".into()),
        decision: Some("a-0".into()),
    };
    let db = rusqlite::Connection::open(bench.store()).unwrap();
    for (n, seconds) in [(1, 0), (2, 60)] {
        let at = overrule::domain::Timestamp::from_second(1_790_000_000 + seconds).unwrap();
        let id = format!("inc-{n}");
        let incident =
            overrule::containment::Incident::open(id.clone(), alarm.clone(), "policy", at);
        let row = (format!("incident/{id}"), serde_json::to_vec(&incident).unwrap());
        db.execute("INSERT INTO states(key, version, value) VALUES (?1, 1, ?2)", row).unwrap();
    }
    drop(db);
    let states = || -> Vec<(String, String)> {
        let list = bench.json(&["incident", "list"])["incidents"].clone();
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(|i| (text(&i["id"]), text(&i["state"]))).collect()
    };
    let pair = |id: &str, state: &str| (id.to_owned(), state.to_owned());
    assert_eq!(states(), [pair("inc-2", "open"), pair("inc-1", "open")]);
    let acked = bench.json(&["incident", "ack", "inc-1", "--note", "on it"]);
    assert_eq!(acked["state"], "acknowledged");
    let error = bench.error(3, &["incident", "ack", "inc-1"]);
    assert!(error["message"].as_str().unwrap().starts_with("inc-1 is acknowledged already, by"));
    let resolve = ["incident", "resolve", "inc-2", "--note", "rolled back"];
    assert_eq!(bench.error(3, &[&resolve[..], &["--as", "eve"]].concat())["kind"], "authority");
    assert_eq!(bench.json(&resolve)["state"], "resolved");
    assert_eq!(states(), [pair("inc-1", "acknowledged"), pair("inc-2", "resolved")]);
    let shown = bench.json(&["incident", "show", "inc-2"]);
    assert_eq!(shown["resolved_by"], shown["acknowledged_by"]);
    let told = shown["timeline"].as_array().unwrap().last().unwrap()["what"].clone();
    assert_eq!(told, "resolved: rolled back");
    assert_eq!(bench.error(1, &["incident", "show", "inc-9"])["kind"], "not_found");
    let trail = trail(&bench);
    let acts: Vec<_> = of_kind(&trail, "incident")
        .iter()
        .map(|e| (e["d"]["act"].as_str().unwrap(), e["d"]["incident"].as_str().unwrap()))
        .collect();
    assert_eq!(acts, [("acknowledge", "inc-1"), ("resolve", "inc-2")]);
}
