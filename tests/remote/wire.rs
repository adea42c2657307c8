//! The remote desk over real HTTP against the real server: the same answers as a local one, clear
//! words when something is wrong, and an outbox that loses nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use overrule::domain::{ItemState, Verdict, VerdictKind};
use overrule::protocol::{
    Answer, Arrived, Command, Desk as _, Fate, Header, ItemView, LeaseAsk, OutboxView, PageAsk,
    Query, Refused, Reply, ReviewRequest, Reviewed, Why,
};
use overrule::remote::{Remote, Token};
use serde_json::Value;

use super::breaking::{AWAY, BREAKING, WELL, Wire};
use super::server::{Server, token};
use super::support::{Home, lines, record};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn stocked(items: usize) -> Home {
    let home = Home::new();
    let records: Vec<Value> = (0..items).map(|n| record(&format!("d{n:02}"))).collect();
    home.write("records.jsonl", &lines(&records));
    home.ok(&["ingest", "records.jsonl"]);
    for name in ["ann", "ben", "cid"] {
        home.ok(&["reviewer", "add", name, "--level", "1"]);
    }
    home
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn lease(desk: &Remote, id: &str) -> Result<ItemView, Refused> {
    let ask = LeaseAsk { item: Some(id.into()), ..LeaseAsk::default() };
    match desk.execute("", Command::Lease(ask)).await? {
        Answer::Leased(Some(view)) => Ok(*view),
        other => panic!("{other:?}"),
    }
}

fn accept(view: &ItemView, n: usize) -> ReviewRequest {
    ReviewRequest {
        request_id: format!("01900000-0000-7000-8000-{n:012}"),
        item: view.id.clone(),
        verdict: Verdict::plain(VerdictKind::Accept),
        lease: view.lease.as_ref().map(|l| l.epoch),
        revision: Some(view.revision),
        seen: Some(view.seen.clone()),
        signature: None,
        grace_ms: 0,
        offline: None,
    }
}

async fn say(desk: &Remote, request: ReviewRequest) -> Result<Reviewed, Refused> {
    match desk.execute("", Command::Review(Box::new(request))).await? {
        Answer::Reviewed(reviewed) => Ok(reviewed),
        other => panic!("{other:?}"),
    }
}

async fn header(desk: &Remote) -> Header {
    match desk.ask("", Query::Header).await.unwrap() {
        Reply::Header(header) => *header,
        other => panic!("{other:?}"),
    }
}

async fn outbox(desk: &Remote) -> OutboxView {
    header(desk).await.outbox.unwrap()
}

#[test]
fn it_answers_as_a_local_desk_does_and_says_what_is_wrong() {
    let home = stocked(3);
    let ann = Token::new(&token(&home, "ann"));
    let server = Server::start(&home, "127.0.0.1:0");
    runtime().block_on(async {
        let state = home.path("state");
        let desk = Remote::open(&server.url(), &ann, &state).await.unwrap();
        assert_eq!(desk.me(), "ann");
        assert!(desk.clock_ahead().abs() < 60_000 && !desk.in_clear());
        let view = lease(&desk, "d00").await.unwrap();
        assert!(view.lease.as_ref().unwrap().grant.is_some());
        let done = say(&desk, accept(&view, 1)).await.unwrap();
        assert_eq!((done.state, done.unsent), (ItemState::Settled, false));
        let again = say(&desk, accept(&view, 1)).await.unwrap();
        assert!(again.duplicate);
        let ask = PageAsk { limit: 10, ..PageAsk::default() };
        let Reply::Page(page) = desk.ask("", Query::Page(ask)).await.unwrap() else { panic!() };
        assert_eq!(page.total, 2);
        // The desk's own refusals come whole.
        let refused = lease(&desk, "d00").await.unwrap_err();
        assert_eq!(refused.kind, Why::State);
        assert_eq!(refused.message, "d00 is settled; nobody can take it");
        let refused = desk.execute("", Command::TakeBack { item: "d01".into() }).await.unwrap_err();
        assert_eq!(refused.kind, Why::Authority);

        let bad = Remote::open(&server.url(), &Token::new("ovr_no"), &state).await.err().unwrap();
        assert_eq!(bad.kind, Why::Authority);
        assert!(bad.message.contains("does not take this token"), "{bad:?}");
        let nobody = Remote::open("http://127.0.0.1:1", &ann, &state).await.err().unwrap();
        assert_eq!(nobody.kind, Why::Unavailable);
        assert!(nobody.message.contains("http://127.0.0.1:1 cannot be reached"), "{nobody:?}");
        // Something else answers there.
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}", other.local_addr().unwrap());
        std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            for mut client in other.incoming().flatten() {
                let _ = client.read(&mut [0; 4096]);
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
            }
        });
        let other = Remote::open(&at, &ann, &state).await.err().unwrap();
        assert_eq!(other.kind, Why::Invalid);
        assert!(other.message.starts_with("no desk of this version"), "{other:?}");
    });
}

#[test]
fn forty_verdicts_over_an_outage_a_crash_and_a_breaking_wire_arrive_once_each() {
    const ITEMS: usize = 40;
    let home = stocked(ITEMS);
    let (ann, ben) = (Token::new(&token(&home, "ann")), Token::new(&token(&home, "ben")));
    let server = Server::start(&home, "127.0.0.1:0");
    {
        let wire = Wire::to(&server.at, 7);
        let state = home.path("state");
        let ids: Vec<String> = (0..ITEMS).map(|n| format!("d{n:02}")).collect();
        runtime().block_on(async {
            let desk = Remote::open(&wire.url(), &ann, &state).await.unwrap();
            let mut views = BTreeMap::new();
            for id in &ids {
                views.insert(id.clone(), lease(&desk, id).await.unwrap());
            }
            wire.is(AWAY);
            for (n, id) in ids.iter().enumerate() {
                let kept = say(&desk, accept(&views[id], n)).await.unwrap();
                assert!(kept.unsent, "{kept:?}");
            }
            let told = outbox(&desk).await;
            assert!(told.offline_since.is_some() && told.why.is_some(), "{told:?}");
            let waiting: Vec<&String> = told.unsent.iter().map(|u| &u.item).collect();
            assert!(ids.iter().eq(waiting), "in the order given");
            // The second thoughts of one, before anything was sent.
            let undone = desk.execute("", Command::Undo { item: "d39".into() }).await.unwrap();
            assert!(matches!(undone, Answer::Reviewed(_)));
        });
        // The program ends here, as if it had been killed. Meanwhile others decide.
        runtime().block_on(async {
            let colleague = Remote::open(&server.url(), &ben, &home.path("ben")).await.unwrap();
            for (n, id) in ids.iter().enumerate().take(4) {
                home.ok(&["queue", "take-back", id]);
                let view = lease(&colleague, id).await.unwrap();
                let mut reject = accept(&view, 1000 + n);
                reject.verdict.verdict = VerdictKind::Reject;
                reject.verdict.label = Some("deny".into());
                assert_eq!(say(&colleague, reject).await.unwrap().state, ItemState::Settled);
            }
        });
        runtime().block_on(async {
            // Still away: what is known of the token's owner opens the desk all the same.
            let desk = Remote::open(&wire.url(), &ann, &state).await.unwrap();
            assert!(desk.is_away());
            assert_eq!((desk.me().as_str(), outbox(&desk).await.unsent.len()), ("ann", ITEMS - 1));
            let ask = PageAsk { limit: 100, ..PageAsk::default() };
            let Reply::Page(page) = desk.ask("", Query::Page(ask)).await.unwrap() else { panic!() };
            assert_eq!(page.items.len(), ITEMS, "what is in hand is there");
            let refused = desk.ask("", Query::Containment).await.unwrap_err();
            assert_eq!(refused.kind, Why::Unavailable);

            wire.is(BREAKING);
            let end = Instant::now() + PATIENCE;
            let mut arrived: Vec<Arrived> = Vec::new();
            while arrived.len() < ITEMS - 1 {
                assert!(Instant::now() < end, "{} of {} arrived", arrived.len(), ITEMS - 1);
                desk.settle(Duration::from_millis(500)).await;
                arrived.extend(outbox(&desk).await.arrived);
            }
            let items: Vec<&String> = arrived.iter().map(|a| &a.item).collect();
            assert!(ids.iter().take(ITEMS - 1).eq(items), "each told once, in order");
            for one in &arrived {
                let overtaken = ids.iter().take(4).any(|id| *id == one.item);
                match &one.fate {
                    Fate::Clash(clash) => {
                        assert!(overtaken, "{one:?}");
                        assert_eq!(clash.people, ["ben", "ann"]);
                    }
                    Fate::Applied => assert!(!overtaken, "{one:?}"),
                    Fate::Refused(_) => panic!("{one:?}"),
                }
            }
            assert_eq!(outbox(&desk).await.unsent, []);
        });
        wire.is(WELL);
    }
    for id in (0..ITEMS).map(|n| format!("d{n:02}")) {
        let view = home.json(&["show", &id, "--json"]);
        let by_ann = view["reviews"].as_array().unwrap().iter().filter(|r| r["reviewer"] == "ann");
        let (given, state) = match id.as_str() {
            "d39" => (0, "waiting"),
            "d00" | "d01" | "d02" | "d03" => (1, "waiting"),
            _ => (1, "settled"),
        };
        assert_eq!((by_ann.count(), view["state"].as_str().unwrap()), (given, state), "{id}");
        assert_eq!(view["clash"].is_object(), id.as_str() < "d04", "{id}");
    }
    let verified = home.json(&["audit", "verify", "--json"]);
    assert_eq!(verified["ok"], true, "{verified}");
}

#[test]
fn commands_work_over_an_address() {
    let home = stocked(3);
    let ann = token(&home, "ann");
    let server = Server::start(&home, "127.0.0.1:0");
    let url = server.url();
    let run = |args: &[&str], code: i32| {
        let out = home
            .command(args)
            .env("OVERRULE_STORE", &url)
            .env("OVERRULE_TOKEN", &ann)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = (text(&out.stdout), text(&out.stderr));
        assert_eq!(out.status.code(), Some(code), "{args:?}: {said:?}");
        said
    };
    let list: Value = serde_json::from_str(&run(&["queue", "list", "--json"], 0).0).unwrap();
    assert_eq!(list["total"], 3);
    let next: Value = serde_json::from_str(&run(&["next", "--json"], 0).0).unwrap();
    let id = next["id"].as_str().unwrap();
    assert!(run(&["decide", id, "accept"], 0).0.contains("settled"));
    let (_, said) = run(&["--as", "ben", "queue", "list"], 3);
    assert!(said.contains("the token is ann's"), "{said}");
    let (_, said) = run(&["queue", "take-back", "d01"], 3);
    assert!(said.contains("that takes the scope admin"), "{said}");
    let (_, said) = run(&["sync", "status"], 2);
    assert!(said.contains("works on the store itself"), "{said}");

    // A file that only its owner reads stands in for the variable.
    let mut login = home.command(&["login", &url]);
    let mut login = login.stdin(std::process::Stdio::piped()).spawn().unwrap();
    use std::io::Write as _;
    login.stdin.take().unwrap().write_all(ann.as_bytes()).unwrap();
    assert!(login.wait().unwrap().success());
    let at = home.path("config/overrule/tokens").join(url[7..].replace(':', "_"));
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&at).unwrap().permissions().mode() & 0o777, 0o600);
    home.ok(&["--store", &url, "queue", "list"]);

    // Away: what is in hand can be decided; it is sent with the next command.
    let held = run(&["next", "--json"], 0).0;
    let held: Value = serde_json::from_str(&held).unwrap();
    let id = held["id"].as_str().unwrap();
    let at = server.kill();
    let (said, _) = run(&["decide", id, "accept"], 0);
    assert!(said.contains("kept on this machine, not yet sent"), "{said}");
    let server = Server::start(&home, &at);
    assert_eq!(server.url(), url);
    let (_, said) = run(&["queue", "list"], 0);
    assert!(said.contains(&format!("sent: accept of {id}")), "{said}");
    assert_eq!(home.json(&["show", id, "--json"])["state"], "settled");
}
