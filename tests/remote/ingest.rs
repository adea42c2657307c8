//! `ingest` at a server does what it does over a store here: line by line, once, and patiently.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::breaking::{exchange, read_request};
use super::server::Server;
use super::support::{Home, lines, record};

/// A desk that is served, and a token of a service that only submits.
fn served() -> (Home, Server, String) {
    let home = Home::new();
    home.write("first.jsonl", &lines(&[record("known-1")]));
    home.ok(&["ingest", "first.jsonl"]);
    let server = Server::start(&home, "127.0.0.1:0");
    let made = home.json(&["token", "create", "--for", "model", "--scope", "ingest", "--json"]);
    (home, server, made["token"].as_str().unwrap().to_owned())
}

/// `ingest` at this address, as the token's owner.
fn at(home: &Home, url: &str, token: &str, args: &[&str]) -> Output {
    let mut command = home.command(&[&["ingest", "--store", url], args].concat());
    command.env("OVERRULE_TOKEN", token).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn said(bytes: &[u8]) -> Vec<Value> {
    text(bytes).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// Everything that can happen to a line, and more lines than one request takes.
fn mixed() -> String {
    let mut text = lines(&[record("known-1")]);
    text += "{\"id\":\"cut\n\n";
    let mut broken = record("broken-1");
    broken["confidence"] = json!(1.7);
    text += &lines(&[broken]);
    let many: Vec<Value> = (0..1100).map(|n| record(&format!("r-{n}"))).collect();
    text += &lines(&many);
    let mut other = record("known-1");
    other["action"] = json!("deny");
    text + &lines(&[other]) + "NaN\n" + &record("last").to_string()
}

#[test]
fn every_line_is_told_as_it_would_be_here() {
    let (home, server, token) = served();
    home.write("mixed.jsonl", &mixed());
    let here = Home::new();
    here.write("first.jsonl", &lines(&[record("known-1")]));
    here.ok(&["ingest", "first.jsonl"]);
    here.write("mixed.jsonl", &mixed());

    let near = here.run(&["ingest", "mixed.jsonl", "--json"]);
    let far = at(&home, &server.url(), &token, &["mixed.jsonl", "--json"]);
    assert_eq!(far.status.code(), Some(3), "{}", text(&far.stderr));
    assert_eq!(near.status.code(), Some(3));
    let routes = |out: &Output| -> Vec<(Value, Value, Value)> {
        let told = said(&out.stdout);
        told.iter()
            .map(|r| (r["id"].clone(), r["outcome"].clone(), r["duplicate"].clone()))
            .collect()
    };
    let told = routes(&far);
    assert_eq!(told, routes(&near));
    assert_eq!(told.len(), 1103);
    // The same summary, the same refusals at the same lines, the same last word.
    let sorted = |out: &Output| {
        let mut told: Vec<String> = said(&out.stderr).iter().map(Value::to_string).collect();
        told.sort();
        told
    };
    assert_eq!(sorted(&far), sorted(&near));
    let refused: Vec<Value> =
        said(&far.stderr).into_iter().filter(|l| l["refused"].is_object()).collect();
    let at_lines: Vec<&Value> = refused.iter().map(|r| &r["refused"]["line"]).collect();
    assert_eq!(at_lines, [&json!(2), &json!(1105), &json!(1106)]);

    // Kept there with the line of the file, byte for byte.
    let letters = home.json(&["ingest", "--refused", "--json"]);
    let mut kept: Vec<(u64, &str, &str)> = letters["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| {
            (
                l["line"].as_u64().unwrap(),
                l["source"].as_str().unwrap(),
                l["reason"].as_str().unwrap(),
            )
        })
        .collect();
    kept.sort_unstable();
    let source = "http:model:mixed.jsonl";
    assert_eq!(
        kept,
        [
            (2, source, "invalid_json"),
            (1105, source, "id_conflict"),
            (1106, source, "invalid_json")
        ]
    );

    // Again: nothing is stored twice.
    let again = at(&home, &server.url(), &token, &["mixed.jsonl"]);
    assert_eq!(again.status.code(), Some(3));
    assert_eq!(text(&again.stdout), "0 admitted; 1103 known already; 3 refused; 1 blank line\n");
}

#[test]
fn a_stream_is_answered_while_it_runs_and_ctrl_c_ends_it() {
    let (home, server, token) = served();
    let mut command = home.command(&["ingest", "-", "--store", &server.url(), "--json"]);
    let mut child = command
        .env("OVERRULE_TOKEN", &token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for id in ["s-1", "s-2"] {
        writeln!(stdin, "{}", record(id)).unwrap();
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let route: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((route["id"].as_str(), route["outcome"].as_str()), (Some(id), Some("review")));
    }
    // Standard input stays open: only the signal ends it.
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let told = said(&ended.stderr);
    assert_eq!(told[0]["summary"]["review"], 2, "{told:?}");
    assert_eq!(told[1]["error"]["kind"], "interrupted", "{told:?}");
    drop(stdin);
}

#[test]
fn what_works_on_the_store_itself_is_refused_in_words() {
    let (home, server, token) = served();
    home.write("one.jsonl", &lines(&[record("one")]));
    home.write("verdicts.jsonl", "");
    for (args, option) in [
        (["one.jsonl", "--clock", "record"], "--clock"),
        (["one.jsonl", "--verdicts", "verdicts.jsonl"], "--verdicts"),
    ] {
        let out = at(&home, &server.url(), &token, &args);
        assert_eq!(out.status.code(), Some(2));
        let words =
            format!("error: {option} works on the store itself, and {} is a server", server.url());
        assert!(text(&out.stderr).starts_with(&words), "{}", text(&out.stderr));
    }
    // A rehearsal stores nothing, and a token that opens nothing is said to be so.
    let out = at(&home, &server.url(), &token, &["one.jsonl", "one.jsonl", "--dry-run"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert_eq!(text(&out.stdout), "1 would be admitted: 1 to review; 1 known already\n");
    home.exits(&["show", "one"], 1);
    let out = at(&home, &server.url(), "ovr_nobodys", &["one.jsonl"]);
    assert_eq!(out.status.code(), Some(3));
    assert!(text(&out.stderr).contains("does not take this token"), "{}", text(&out.stderr));
    let out = at(&home, "http://127.0.0.1:1", &token, &["one.jsonl"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("cannot be reached"), "{}", text(&out.stderr));
}

/// A proxy before the server: it has no time for the first requests, loses the answer of the next,
/// and never takes more than four lines at once.
fn moody(server: &str) -> (String, Arc<AtomicUsize>) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let (server, asked) = (server.to_owned(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    std::thread::spawn(move || {
        for mut client in socket.incoming().flatten() {
            let Ok(request) = read_request(&mut client) else { continue };
            let page = |status: &str, more: &str| {
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n{more}\r\n")
            };
            let records = request.windows(8).filter(|w| w == b"\"domain\"").count();
            let answer = match count.fetch_add(1, Ordering::SeqCst) {
                0 => page("429 Too Many Requests", "retry-after: 0\r\n").into_bytes(),
                1 => page("503 Service Unavailable", "retry-after: 0\r\n").into_bytes(),
                _ if records > 4 => page("413 Content Too Large", "").into_bytes(),
                n => match exchange(&server, &request) {
                    // It was done there, and nobody hears of it.
                    Ok(_) if n == 4 => continue,
                    Ok(answer) => answer,
                    Err(_) => continue,
                },
            };
            let _ = client.write_all(&answer);
        }
    });
    (url, asked)
}

#[test]
fn a_desk_that_has_no_time_is_asked_again_and_admits_once() {
    let (home, server, token) = served();
    let records: Vec<Value> = (0..16).map(|n| record(&format!("m-{n:02}"))).collect();
    home.write("many.jsonl", &lines(&records));
    let (url, asked) = moody(&server.at);
    let out = at(&home, &url, &token, &["many.jsonl", "--json"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let told = said(&out.stdout);
    let ids: Vec<&str> = told.iter().map(|r| r["id"].as_str().unwrap()).collect();
    let expected: Vec<String> = (0..16).map(|n| format!("m-{n:02}")).collect();
    assert_eq!(ids, expected, "each is told once, in order");
    assert!(asked.load(Ordering::SeqCst) >= 9, "{asked:?}");
    let summary = said(&out.stderr).pop().unwrap();
    // Those whose first answer was lost are known the second time.
    assert_eq!(
        (&summary["summary"]["review"], &summary["summary"]["duplicates"]),
        (&json!(12), &json!(4))
    );
    let listed = home.json(&["queue", "list", "--json", "--limit", "100"]);
    assert_eq!(listed["total"], 17);
}
