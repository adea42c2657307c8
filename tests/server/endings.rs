//! Nothing acknowledged is lost, however the server ends.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::served::Served;
use crate::support::record;

/// Submit from eight clients until the server is gone; the ids that were acknowledged.
async fn under_load(desk: &mut Served, signal: &str) -> BTreeSet<String> {
    let token = desk.token("loan-model", &["ingest"]);
    let known = Arc::new(Mutex::new(BTreeSet::new()));
    let mut clients = JoinSet::new();
    for client in 0..8 {
        let (http, token, known) = (desk.http.clone(), token.clone(), known.clone());
        let url = format!("{}/v1/decisions", desk.url);
        clients.spawn(async move {
            for n in 0.. {
                let id = format!("l-{client}-{n}");
                let sent = http.post(&url).bearer_auth(&token).json(&record(&id)).send().await;
                match sent {
                    Ok(answer) if answer.status() == 200 => {
                        // A whole answer acknowledges, not only its head.
                        if answer.bytes().await.is_ok() {
                            known.lock().unwrap().insert(id);
                        }
                    }
                    _ => return,
                }
            }
        });
    }
    while known.lock().unwrap().len() < 200 {
        assert!(clients.try_join_next().is_none(), "a client was turned away");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    desk.signal(signal);
    clients.join_all().await;
    let ended = desk.child.wait().unwrap();
    assert_eq!(ended.success(), signal == "-TERM", "{ended:?}");
    Arc::try_unwrap(known).unwrap().into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_end_it_finishes_what_it_acknowledged() {
    let mut desk = Served::start();
    let known = under_load(&mut desk, "-TERM").await;
    let stored = desk.waiting();
    assert!(
        known.is_subset(&stored),
        "{:?}",
        known.difference(&stored).take(5).collect::<Vec<_>>()
    );
    assert_eq!(desk.home.json(&["audit", "verify", "--json"])["ok"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_it_has_lost_nothing_it_acknowledged() {
    let mut desk = Served::start();
    let known = under_load(&mut desk, "-KILL").await;
    let stored = desk.waiting();
    assert!(
        known.is_subset(&stored),
        "{:?}",
        known.difference(&stored).take(5).collect::<Vec<_>>()
    );
    assert_eq!(desk.home.json(&["audit", "verify", "--json"])["ok"], true);
}

#[tokio::test]
async fn it_listens_to_strangers_only_with_tls() {
    let home = crate::support::Home::new();
    let (_, why) = home.exits(&["serve", "--listen", "0.0.0.0:0"], 2);
    assert!(why.contains("tokens would travel in clear"), "{why}");
    home.exits(&["serve", "--listen", "nonsense"], 2);
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args([
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(home.dir.path())
        .output();
    if !made.is_ok_and(|m| m.status.success()) {
        eprintln!("skipped: openssl is not here to make a certificate");
        return;
    }
    let cert = std::fs::read(home.path("cert.pem")).unwrap();
    let mut desk = Served::with(home, &["--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    assert!(desk.url.starts_with("https://"), "{}", desk.url);
    desk.http = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(&cert).unwrap()])
        .build()
        .unwrap();
    assert_eq!(desk.get("/healthz", "").await.ok()["status"], "ok");
}
