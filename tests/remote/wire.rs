//! The remote desk over real HTTP against the real server: the same answers as a local one, clear
//! words when something is wrong, and an outbox that loses nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use overrule::domain::{ItemState, Verdict, VerdictKind};
use overrule::protocol::{
    Answer, Arrived, Command, Desk as _, Draft, Fate, Header, ItemView, LeaseAsk, OutboxView,
    PageAsk, Query, Refused, Reply, ReviewRequest, Reviewed, Why,
};
use overrule::remote::{Remote, Token};
use serde_json::Value;

use super::breaking::{AWAY, BREAKING, LOGIN, NO_BACKEND, NOT_NOW, PORTAL, WELL, Wire};
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
                let news = outbox(&desk).await.arrived;
                assert_eq!(outbox(&desk).await.arrived[..news.len()], news, "until it was shown");
                desk.shown(news.iter().map(|a| a.number).collect()).await;
                arrived.extend(news);
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

/// Wait until the outbox is as it should be.
async fn until(desk: &Remote, what: &str, is: impl Fn(&OutboxView) -> bool) -> OutboxView {
    let end = Instant::now() + PATIENCE;
    loop {
        let view = outbox(desk).await;
        if is(&view) {
            return view;
        }
        assert!(Instant::now() < end, "never {what}: {view:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn one_persons_verdicts_hold_up_nobody_elses_on_the_same_machine() {
    let home = stocked(4);
    let (ann, ben) = (Token::new(&token(&home, "ann")), Token::new(&token(&home, "ben")));
    let server = Server::start(&home, "127.0.0.1:0");
    let wire = Wire::to(&server.at, 7);
    let state = home.path("state");
    runtime().block_on(async {
        // Ann gives a verdict offline, and does not come back.
        let desk = Remote::open(&wire.url(), &ann, &state).await.unwrap();
        let view = lease(&desk, "d00").await.unwrap();
        wire.is(AWAY);
        assert!(say(&desk, accept(&view, 1)).await.unwrap().unsent);
        drop(desk);
    });
    runtime().block_on(async {
        wire.is(WELL);
        // Ben's, online: at once.
        let desk = Remote::open(&wire.url(), &ben, &state).await.unwrap();
        assert_eq!(outbox(&desk).await.unsent, [], "what ann decided is hers");
        let view = lease(&desk, "d01").await.unwrap();
        let done = say(&desk, accept(&view, 2)).await.unwrap();
        assert_eq!((done.state, done.unsent), (ItemState::Settled, false));
        // And offline: as soon as the desk is back.
        let view = lease(&desk, "d02").await.unwrap();
        wire.is(AWAY);
        assert!(say(&desk, accept(&view, 3)).await.unwrap().unsent);
        let unsent: Vec<String> =
            outbox(&desk).await.unsent.into_iter().map(|unsent| unsent.item).collect();
        assert_eq!(unsent, ["d02"]);
        wire.is(WELL);
        let told = until(&desk, "sent", |view| !view.arrived.is_empty()).await;
        assert_eq!((told.arrived[0].item.as_str(), &told.arrived[0].fate), ("d02", &Fate::Applied));
        assert_eq!(home.json(&["show", "d00", "--json"])["state"], "waiting");

        // Ann's program runs beside ben's: each sends its own.
        let desk = Remote::open(&wire.url(), &ann, &state).await.unwrap();
        let told = until(&desk, "sent", |view| !view.arrived.is_empty()).await;
        assert_eq!((told.arrived[0].item.as_str(), &told.arrived[0].fate), ("d00", &Fate::Applied));
    });
}

#[test]
fn what_others_answer_loses_no_verdict() {
    let home = stocked(3);
    let ann = Token::new(&token(&home, "ann"));
    let server = Server::start(&home, "127.0.0.1:0");
    let wire = Wire::to(&server.at, 7);
    let state = home.path("state");
    for (n, page) in [NO_BACKEND, LOGIN, PORTAL].into_iter().enumerate() {
        let id = format!("d{n:02}");
        runtime().block_on(async {
            wire.is(WELL);
            let desk = Remote::open(&wire.url(), &ann, &state).await.unwrap();
            let view = lease(&desk, &id).await.unwrap();
            wire.is(page);
            // The page is an answer to a verdict, to a look, and to what waits.
            let kept = say(&desk, accept(&view, n)).await.unwrap();
            assert!(kept.unsent, "{id}: {kept:?}");
            let told = until(&desk, "away", |view| view.offline_since.is_some()).await;
            let why = told.why.unwrap();
            assert!(why.starts_with("no desk of this version"), "{id}: {why}");
            let seen = wire.pages();
            let told = until(&desk, "asked again", |_| wire.pages() > seen + 2).await;
            assert_eq!((told.unsent.len(), told.arrived.len()), (1, 0), "{id}: {told:?}");
            wire.is(WELL);
            let told = until(&desk, "sent", |view| !view.arrived.is_empty()).await;
            assert_eq!((&told.arrived[0].item, &told.arrived[0].fate), (&id, &Fate::Applied));
            desk.shown(vec![told.arrived[0].number]).await;
            assert_eq!(outbox(&desk).await.arrived, []);
        });
        assert_eq!(home.json(&["show", &id, "--json"])["state"], "settled", "{id}");
    }
}

#[test]
fn a_draft_stays_until_the_desk_has_it() {
    let home = stocked(1);
    let ann = Token::new(&token(&home, "ann"));
    let server = Server::start(&home, "127.0.0.1:0");
    let wire = Wire::to(&server.at, 7);
    let state = home.path("state");
    let draft = Draft { note: Some("the income is a guess".into()), ..Draft::default() };
    runtime().block_on(async {
        let desk = Remote::open(&wire.url(), &ann, &state).await.unwrap();
        lease(&desk, "d00").await.unwrap();
        wire.is(AWAY);
        let save = Command::SaveDraft { item: "d00".into(), draft: draft.clone() };
        desk.execute("", save).await.unwrap();
        // The desk is back, and cannot take it yet.
        wire.is(NOT_NOW);
        until(&desk, "tried twice", |_| wire.pages() > 1).await;
        wire.is(WELL);
        let end = Instant::now() + PATIENCE;
        loop {
            let at_the_desk = desk.ask("", Query::Draft { id: "d00".into() }).await.unwrap();
            if at_the_desk == Reply::Draft(Some(draft.clone())) {
                return;
            }
            assert!(Instant::now() < end, "the desk never had the draft: {at_the_desk:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

#[test]
fn a_token_that_is_revoked_meanwhile_leaves_the_verdicts_and_says_what_to_do() {
    let home = stocked(2);
    let made = home.json(&["token", "create", "--for", "ann", "--scope", "review", "--json"]);
    let (id, secret) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let server = Server::start(&home, "127.0.0.1:0");
    let wire = Wire::to(&server.at, 7);
    let state = home.path("state");
    runtime().block_on(async {
        let desk = Remote::open(&wire.url(), &Token::new(secret), &state).await.unwrap();
        let (one, two) = (lease(&desk, "d00").await.unwrap(), lease(&desk, "d01").await.unwrap());
        wire.is(AWAY);
        assert!(say(&desk, accept(&one, 1)).await.unwrap().unsent);
        home.ok(&["token", "revoke", id]);
        wire.is(WELL);
        let told = until(&desk, "told what to do", |view| view.hint.is_some()).await;
        assert!(told.offline_since.is_some(), "{told:?}");
        let why = told.why.unwrap();
        assert!(why.contains("does not take this token"), "{why}");
        assert!(why.contains("revoked"), "{why}");
        let hint = told.hint.unwrap();
        assert!(hint.contains("overrule token create --for NAME"), "{hint}");
        assert!(hint.contains("overrule login"), "{hint}");
        assert_eq!((told.unsent.len(), told.arrived.len()), (1, 0));
        // What is in hand is decided all the same.
        assert!(say(&desk, accept(&two, 2)).await.unwrap().unsent);
    });
    runtime().block_on(async {
        // With another token everything is sent.
        let desk = Remote::open(&wire.url(), &Token::new(&token(&home, "ann")), &state).await;
        let told = until(&desk.unwrap(), "sent", |view| view.arrived.len() == 2).await;
        let items: Vec<&str> = told.arrived.iter().map(|a| a.item.as_str()).collect();
        assert_eq!((items, told.unsent.len()), (vec!["d00", "d01"], 0));
        assert!(told.arrived.iter().all(|a| a.fate == Fate::Applied), "{told:?}");
    });
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
    let (_, said) = run(&["sync", "--once"], 2);
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
