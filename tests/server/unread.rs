//! Clients that read nothing of what they asked for, and addresses that open too much: they hold
//! nobody else's place.

use reqwest::Method;
use serde_json::{Value, json};

use crate::raw::{LONG, Raw};
use crate::served::{Served, Told, told};
use crate::support::{Home, lines, record};

const HERE: [u8; 4] = [127, 0, 0, 1];
/// Bytes that a machine keeps for a client that does not read.
const LITTLE: Option<u32> = Some(4 << 10);

/// Ask until there is a place.
async fn let_in(desk: &Served) -> Told {
    let asking = async {
        loop {
            let mut raw = Raw::to(desk).await;
            raw.say("GET /openapi.json HTTP/1.1\r\nhost: desk\r\nconnection: close\r\n\r\n").await;
            // (Who is turned away with words on the way may hear none of them.)
            let came = raw.rest().await;
            match crate::raw::parsed(came.as_bytes()) {
                Some((told, _)) if told.status == 200 => return told,
                Some((told, _)) => drop(told.is(503, "busy")),
                None => {}
            }
        }
    };
    tokio::time::timeout(LONG, asking).await.expect("its place is never free again")
}

#[tokio::test]
async fn who_reads_no_answer_is_cut_and_its_place_is_free() {
    let desk = Served::with(Home::new(), &["--connections", "1", "--write-seconds", "1"]);
    let mut silent = Raw::from(&desk, HERE, LITTLE).await.unwrap();
    // More than any machine keeps of what was not read.
    let many = "GET /openapi.json HTTP/1.1\r\nhost: desk\r\n\r\n".repeat(400);
    assert!(silent.say(&many).await);
    let document = let_in(&desk).await;
    assert!(document.text.len() * 400 > 8 << 20, "{}", document.text.len());
    let came = silent.rest().await;
    let whole = came.matches("HTTP/1.1 200 OK").count();
    assert!(whole < 400, "all was sent to who read nothing");
}

#[tokio::test]
async fn who_reads_no_event_is_cut_and_others_go_on() {
    let home = Home::new();
    let all: Vec<Value> = (0..10_000).map(|n| record(&format!("e-{n}"))).collect();
    let file = home.write("in.jsonl", &lines(&all));
    home.ok(&["ingest", file.to_str().unwrap()]);
    let desk = Served::with(home, &["--connections", "2", "--write-seconds", "1"]);
    let (audit, model) = (desk.token("root", &["audit"]), desk.token("m", &["ingest"]));
    let ask = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: desk\r\nauthorization: Bearer {audit}\r\n\r\n")
    };
    let mut silent = Raw::from(&desk, HERE, LITTLE).await.unwrap();
    assert!(silent.say(&ask("/v1/events?from=0")).await);
    // This one reads what comes, though for longer nothing does.
    let mut live = desk.request(Method::GET, "/v1/events", &audit).send().await.unwrap();
    assert_eq!(live.status(), 200);
    let_in(&desk).await;
    // Its body is not there yet when the answer would be, so nothing hurries this.
    let sent = async {
        loop {
            let sent = desk.post("/v1/decisions", &model, &record("later")).await;
            if sent.status == 200 {
                return;
            }
            sent.is(503, "busy");
        }
    };
    tokio::time::timeout(LONG, sent).await.unwrap();
    let mut heard = String::new();
    let hearing = async {
        while !heard.contains("\"later\"") {
            let piece = live.chunk().await.unwrap().expect("the stream goes on");
            heard.push_str(std::str::from_utf8(&piece).unwrap());
        }
    };
    tokio::time::timeout(LONG, hearing).await.unwrap();
    let came = silent.rest().await;
    assert!(!came.contains("\"later\"") && !came.contains("e-9999"), "it read nothing");
}

#[tokio::test]
async fn a_stream_ends_after_its_time_and_goes_on_where_it_was() {
    let desk = Served::with(Home::new(), &["--stream-seconds", "1"]);
    let (audit, model) = (desk.token("root", &["audit"]), desk.token("m", &["ingest"]));
    desk.post("/v1/decisions", &model, &record("a")).await.ok();
    let first = desk.get("/v1/events?from=0&kind=admit", &audit).await;
    assert_eq!((first.status, first.text.matches("event: admit").count()), (200, 1));
    let last = first.text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    desk.post("/v1/decisions", &model, &record("b")).await.ok();
    let ask = desk.request(Method::GET, "/v1/events?kind=admit", &audit);
    let second = told(ask.header("last-event-id", last)).await;
    assert_eq!(second.text.matches("event: admit").count(), 1, "{}", second.text);
    assert!(second.text.contains("\"id\":\"b\""), "{}", second.text);
    // Of flags: the last word says to fetch all of them, and so another ticket.
    let flags = desk.post("/ofrep/v1/evaluate/flags", &model, &json!({"context": {}})).await.ok();
    let at = flags["eventStreams"][0]["endpoint"]["requestUri"].as_str().unwrap();
    let changes = desk.get(at, "").await;
    let last = changes.text.trim_end().lines().last().unwrap_or_default();
    assert!(last.contains("refetchEvaluation"), "{}", changes.text);
}

#[tokio::test]
async fn an_address_holds_so_many_connections_and_others_come_in() {
    let desk = Served::with(Home::new(), &["--connections-per-address", "2"]);
    let alive = "GET /healthz HTTP/1.1\r\nhost: desk\r\n\r\n";
    let figures = "GET /openapi.json HTTP/1.1\r\nhost: desk\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut raw = Raw::to(&desk).await;
        raw.say(figures).await;
        assert_eq!(raw.answer().await.header("connection"), "");
        held.push(raw);
    }
    let mut third = Raw::to(&desk).await;
    third.say(figures).await;
    let (told, used) = {
        let came = third.rest().await;
        let (told, used) = crate::raw::parsed(came.as_bytes()).unwrap();
        (told, used == came.len())
    };
    let problem = told.is(503, "busy");
    assert!(used && problem["detail"].as_str().unwrap().starts_with("this address has"));
    assert!(problem["hint"].as_str().unwrap().contains("--connections-per-address"));
    assert_eq!((told.header("retry-after"), told.header("connection")), ("1", "close"));
    // The process is well, also for those who have enough of it.
    let mut probe = Raw::to(&desk).await;
    probe.say(alive).await;
    assert!(probe.rest().await.starts_with("HTTP/1.1 200"));
    // Another address has its own.
    match Raw::from(&desk, [127, 0, 0, 2], None).await {
        Some(mut other) => {
            other.say(figures).await;
            assert_eq!(other.answer().await.status, 200);
        }
        None => eprintln!("skipped: this machine has one loopback address only"),
    }
    // Who has enough is served over what it has; and when it closes one, it may open one.
    held[0].say(figures).await;
    assert_eq!(held[0].answer().await.status, 200);
    drop(held.pop());
    let_in(&desk).await;
}

#[test]
fn behind_a_proxy_all_come_from_one_address() {
    let home = Home::new();
    let (_, why) = home.exits(&["serve", "--behind-proxy", "--connections-per-address", "9"], 2);
    assert!(why.contains("--connections-per-address") && why.contains("--behind-proxy"), "{why}");
    home.exits(&["serve", "--connections-per-address", "0"], 2);
    let (help, _) = home.exits(&["serve", "--help"], 0);
    for flag in ["--write-seconds", "--stream-seconds", "--connections-per-address"] {
        assert!(help.contains(flag), "{help}");
    }
}

#[tokio::test]
async fn under_tls_who_reads_nothing_is_cut_as_well() {
    let home = Home::new();
    let made = std::process::Command::new("openssl")
        .args(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(' '),
        )
        .args("-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1".split(' '))
        .args("-addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem".split(' '))
        .current_dir(home.dir.path())
        .output();
    if !made.is_ok_and(|m| m.status.success()) {
        eprintln!("skipped: openssl is not here to make a certificate");
        return;
    }
    let tls = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let args = [&tls[..], &["--connections", "1", "--write-seconds", "1"]].concat();
    let desk = Served::with(home, &args);
    // It says much, and reads nothing after the handshake.
    let silent = std::net::TcpStream::connect(desk.url.strip_prefix("https://").unwrap()).unwrap();
    let trusted = std::fs::read(desk.home.path("cert.pem")).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(&trusted).unwrap()).unwrap();
    let config =
        rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = "127.0.0.1".try_into().unwrap();
    let session = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut silent = rustls::StreamOwned::new(session, silent);
    let many = "GET /openapi.json HTTP/1.1\r\nhost: desk\r\n\r\n".repeat(400);
    std::io::Write::write_all(&mut silent, many.as_bytes()).unwrap();
    let http = || {
        let own = reqwest::Certificate::from_pem(&trusted).unwrap();
        reqwest::Client::builder().no_proxy().tls_certs_only([own]).build().unwrap()
    };
    let asking = async {
        loop {
            let sent = http().get(format!("{}/openapi.json", desk.url)).send().await;
            match sent.map(|answer| answer.status().as_u16()) {
                Ok(200) => return,
                Ok(status) => assert_eq!(status, 503),
                // (Who is turned away with words on the way may hear none of them.)
                Err(_) => {}
            }
        }
    };
    tokio::time::timeout(LONG, asking).await.expect("its place is never free again");
    drop(silent);
}
