//! The app in a real terminal over a real server that goes away and comes back.

use serde_json::Value;

use super::server::{Server, token};
use super::support::terminal::Terminal;
use super::support::{Home, lines, record};

const POLICY: &str = r#"
policy = "away"
[control]
grace = "1s"
human_queue = "level1"
[queues.level1]
title = "First look"
level = 1
sla = "30m"
[default]
to = "level1"
"#;

fn desk() -> Home {
    let home = Home::new();
    home.write("policy.toml", POLICY);
    let records: Vec<Value> = ["d1", "d2", "d3"].into_iter().map(record).collect();
    home.write("records.jsonl", &lines(&records));
    home.ok(&["ingest", "records.jsonl", "--policy", "policy.toml"]);
    for name in ["ann", "ben", "cid"] {
        home.ok(&["reviewer", "add", name, "--level", "1"]);
    }
    home
}

fn review(home: &Home, url: &str, token: &str) -> Terminal {
    let env = [("OVERRULE_TOKEN", token)];
    let app = Terminal::start_with(home, &["--store", url, "review"], 120, 36, &env);
    app.shows("WHY HERE");
    app.shows("leased to you");
    app
}

fn becomes(home: &Home, id: &str, state: &str) -> Value {
    for _ in 0..600 {
        let view = home.json(&["show", id, "--json"]);
        if view["state"] == state {
            return view;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("{id} never became {state}");
}

#[test]
fn work_goes_on_while_the_server_is_away_and_a_clash_goes_to_a_third_person() {
    let home = desk();
    let (ann, cid) = (token(&home, "ann"), token(&home, "cid"));
    let server = Server::start(&home, "127.0.0.1:0");
    let url = server.url();
    let mut app = review(&home, &url, &ann);
    app.keys("a");
    app.shows("accepted d1");
    becomes(&home, "d1", "settled");
    app.until("d2 in hand", |t| t.contains("d2   loan"));
    app.shows("leased to you");

    let at = server.kill();
    app.shows("▲ offline");
    app.keys("a");
    app.shows("1 not yet sent");
    app.shows("kept here, not yet sent");
    // Meanwhile somebody else decides the same item.
    home.ok(&["queue", "take-back", "d2"]);
    home.ok(&["--as", "ben", "decide", "d2", "reject", "--label", "deny"]);
    // Even the end of the program loses nothing.
    app.keys("\x1b");
    app.keys("q");
    assert_eq!(app.wait(), 0);

    let server = Server::start(&home, &at);
    let mut app = review(&home, &url, &ann);
    app.shows("ben decided d2 too, while you accepted it offline");
    app.hides("not yet sent");
    let view = home.json(&["show", "d2", "--json"]);
    assert_eq!(view["state"], "waiting");
    assert_eq!(view["reviews"].as_array().unwrap().len(), 2);
    app.keys("\x1b");
    app.keys("q");
    assert_eq!(app.wait(), 0);

    // The third person sees both verdicts side by side, and decides.
    let env = [("OVERRULE_TOKEN", cid.as_str())];
    let mut app = Terminal::start_with(&home, &["--store", &url, "review"], 120, 36, &env);
    // Every entry into a queue starts its clock: d3 is due before it.
    app.until("d3 in hand", |t| t.contains("d3   loan"));
    app.shows("leased to you");
    app.keys("j");
    let screen = app.shows("verdicts clash");
    assert!(screen.contains("ben rejected") && screen.contains("ann accepted"), "{screen}");
    app.shows("leased to you");
    app.keys("a");
    app.shows("accepted d2");
    becomes(&home, "d2", "settled");
    app.keys("\x1b");
    app.keys("q");
    std::thread::sleep(std::time::Duration::from_millis(300));
    if app.child.try_wait().unwrap().is_none() && app.text().contains("quit") {
        app.keys("q");
    }
    assert_eq!(app.wait(), 0);
    assert_eq!(home.json(&["audit", "verify", "--json"])["ok"], true);
    drop(server);
}
