//! From a verdict to the next item: the verdict durable, the next item leased and loaded, with
//! 100,000 waiting. Compared with two bare durable commits and two point reads. Then the same
//! through a server on this machine, as a reviewer elsewhere has it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on says so and stops"
)]

mod support;

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use overrule::desk::Local;
use overrule::domain::TokenScope;
use overrule::protocol::{Answer, Command, Desk as _, LeaseAsk, Query, TokenAsk};
use overrule::remote::{Remote, Token};
use overrule::server::{self, Listen, Rates, Served};

use support::{Records, Times, desk, goal, head, note, rows};

const WAITING: usize = 100_000;
const VERDICTS: usize = 1_000;

fn main() {
    if !support::asked() {
        return;
    }
    head("next item after a verdict, 100,000 waiting");
    let records = Records::find();
    note("records", format!("{}, made to wait", records.from));
    let folder = support::folder();
    let local = desk::open(&folder.path().join("desk.db"), true);
    let summary = desk::ingest(&local, records.waiting(WAITING));
    assert_eq!(summary.review, WAITING as u64, "{summary:?}");
    let bare = rows::open(&folder.path().join("bare.db"));
    rows::insert(&bare, &records.repeated(WAITING), 1_000);

    let (mut decide, mut load, mut both, mut floor) =
        (Times::default(), Times::default(), Times::default(), Times::default());
    let mut item = desk::next(&local).unwrap();
    for n in 0..VERDICTS {
        let since = Instant::now();
        desk::accept(&local, &item);
        let decided = since.elapsed();
        item = desk::next(&local).unwrap();
        let loaded = since.elapsed();
        decide.push(decided);
        load.push(loaded - decided);
        both.push(loaded);
        floor.push(two_commits(&bare, n));
    }
    note("two bare commits and reads", floor.show());
    note("the verdict, durable", decide.show());
    note("the next item, leased and loaded", load.show());
    let p99 = both.at(0.99);
    let ratio = p99.as_secs_f64() / floor.at(0.99).as_secs_f64();
    note("times the bare p99", format!("{ratio:.1}"));
    goal("verdict and next item", both.show(), "p99 < 16 ms", p99 < Duration::from_millis(16));
    remote(&local, folder.path());
    local.close().unwrap();
}

/// The next item through a server: leased, loaded, and on this side of the wire.
fn remote(local: &Local, folder: &Path) {
    let ask = TokenAsk { name: desk::ME.into(), scopes: vec![TokenScope::Review], lasts_s: 86_400 };
    let Answer::Token(made) = local.execute_blocking(desk::ME, Command::CreateToken(ask)).unwrap()
    else {
        unreachable!("a token was asked for")
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut lease, mut look, mut decide) = (Times::default(), Times::default(), Times::default());
    runtime.block_on(async {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let served = Served::new(local.clone(), false, Rates::default()).unwrap();
        tokio::spawn(server::serve(served, Listen::plain(socket), std::future::pending()));
        let token = Token::new(&made.token);
        let far = Remote::open(&url, &token, folder).await.unwrap();
        for _ in 0..VERDICTS {
            let since = Instant::now();
            let ask = Command::Lease(LeaseAsk::default());
            let answer = far.execute("", ask).await.unwrap();
            lease.push(since.elapsed());
            let Answer::Leased(Some(item)) = answer else { unreachable!("{answer:?}") };
            let since = Instant::now();
            far.ask("", Query::Item { id: item.id.clone() }).await.unwrap();
            look.push(since.elapsed());
            let since = Instant::now();
            let verdict = Command::Review(Box::new(desk::verdict(&item)));
            far.execute("", verdict).await.unwrap();
            decide.push(since.elapsed());
        }
    });
    note("remote: the verdict, durable", decide.show());
    note("remote: an item looked at before it is asked for", look.show());
    let p99 = lease.at(0.99);
    goal(
        "remote: the next item, leased and loaded",
        lease.show(),
        "p99 < 20 ms",
        p99 < Duration::from_millis(20),
    );
}

/// What no store can do without: each step durable, each row read.
fn two_commits(conn: &rusqlite::Connection, n: usize) -> Duration {
    let since = Instant::now();
    for k in [2 * n, 2 * n + 1] {
        let mut update = conn
            .prepare_cached("UPDATE rows SET bytes = CAST(bytes || ' ' AS BLOB) WHERE rowid = ?1")
            .unwrap();
        update.execute([k as i64 + 1]).unwrap();
        let mut read = conn.prepare_cached("SELECT bytes FROM rows WHERE rowid = ?1").unwrap();
        let bytes: Vec<u8> = read.query_row([k as i64 + 1], |r| r.get(0)).unwrap();
        std::hint::black_box(bytes);
    }
    since.elapsed()
}
