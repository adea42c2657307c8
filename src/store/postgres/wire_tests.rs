//! What this store promises when the wire breaks: nothing is lost, nothing is done twice, and a
//! node that hears nothing knows that it knows nothing.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use super::*;
use crate::store::conformance::auto;
use crate::store::{Op, Premises, throw_away};

/// Bytes go through; at the next commit the wire may break.
const THROUGH: u8 = 0;
/// The server commits, and nobody hears of it.
const AFTER: u8 = 1;
/// The server is never told to commit.
const BEFORE: u8 = 2;
/// Nothing goes through at all.
const DOWN: u8 = 3;
/// The server is told to commit, and the wire breaks while it is at it.
const DURING: u8 = 4;

/// `COMMIT` as a message.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
/// Part of the question what became of a transaction.
const STATUS: &[u8] = b"pg_xact_status";

/// A wire to the server that breaks when it is told to.
struct Wire {
    url: String,
    mode: Arc<AtomicU8>,
    /// How often it was asked what became of a transaction.
    asked: Arc<AtomicU8>,
}

impl Wire {
    fn to(url: &str) -> Self {
        let (head, tail) = url.rsplit_once(':').unwrap();
        let (port, database) = tail.split_once('/').unwrap();
        let server = format!("127.0.0.1:{port}");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{head}:{}/{database}", listener.local_addr().unwrap().port());
        let mode = Arc::new(AtomicU8::new(THROUGH));
        let asked = Arc::new(AtomicU8::new(0));
        let (shared, counts) = (mode.clone(), asked.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.load(Ordering::SeqCst) != DOWN
                    && let Ok(server) = TcpStream::connect(&server)
                {
                    connect(client, server, &shared, &counts);
                }
            }
        });
        Self { url, mode, asked }
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

fn connect(client: TcpStream, server: TcpStream, mode: &Arc<AtomicU8>, asked: &Arc<AtomicU8>) {
    let cut = Arc::new(AtomicBool::new(false));
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (other, armed, asked) = (cut.clone(), mode.clone(), asked.clone());
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            let bytes = &buffer[..n];
            if bytes.windows(STATUS.len()).any(|w| w == STATUS) {
                asked.fetch_add(1, Ordering::SeqCst);
            }
            let commits = bytes.windows(COMMIT.len()).any(|w| w == COMMIT);
            let now = match armed.load(Ordering::SeqCst) {
                DOWN => BEFORE,
                mode if commits => mode,
                _ => THROUGH,
            };
            if now != THROUGH {
                other.store(true, Ordering::SeqCst);
                if now == DURING {
                    to.write_all(bytes).unwrap();
                }
                if now == AFTER {
                    to.write_all(bytes).unwrap();
                    // The server has what it needs, and all the time to do it.
                    to.shutdown(Shutdown::Write).unwrap();
                    let mut rest = Vec::new();
                    let _ = to.read_to_end(&mut rest);
                }
                if commits {
                    armed.store(THROUGH, Ordering::SeqCst);
                }
                break;
            }
            if to.write_all(bytes).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
    let (mut from, mut to) = (server, client);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            // After the cut the answers go nowhere.
            if !cut.load(Ordering::SeqCst) && to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}

fn open(url: &str) -> Postgres {
    let fresh = Fresh { key: [7; 32], origin: "test.example/log".to_owned() };
    Postgres::open(url, OpenMode { create: true, ..OpenMode::default() }, &fresh).unwrap()
}

fn batch(ids: &[&str]) -> AdmitBatch {
    AdmitBatch {
        premises: Premises::default(),
        now: Timestamp::UNIX_EPOCH,
        rows: ids.iter().map(|id| auto(id)).collect::<Vec<_>>().into(),
        dead: Vec::new(),
        bulk: false,
    }
}

fn bump() -> Write {
    let ops = vec![Op::BumpGeneration];
    Write { premises: Premises::default(), now: Timestamp::UNIX_EPOCH, ops }
}

fn until(what: &str, mut look: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if look() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}");
}

#[test]
fn a_commit_whose_answer_is_lost_happened_once_or_is_done_again() {
    let name = "a_commit_whose_answer_is_lost_happened_once_or_is_done_again";
    let Some(database) = throw_away::database(name) else { return };
    let wire = Wire::to(&database.url());
    let store = open(&wire.url);
    let mut head = 0;
    for (round, mode) in [AFTER, BEFORE, AFTER, BEFORE].into_iter().enumerate() {
        wire.set(mode);
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        let answers = store.admit(batch(&[&a, &b])).wait().unwrap();
        assert_eq!(answers, [AdmitResult::New(head), AdmitResult::New(head + 1)]);
        assert_eq!(wire.mode.load(Ordering::SeqCst), THROUGH, "the wire was to break");
        head += 2;
        assert_eq!(store.head().unwrap(), head);
        // Counters, too, count it once.
        wire.set(mode);
        store.commit(bump()).wait().unwrap();
        let s = store.snapshot().unwrap();
        assert_eq!((s.decisions, s.automatic), (head, head));
        assert_eq!(s.generation, round as u64 + 1);
    }
}

/// Its transaction is then the newest of all, and no other has ended after it began.
#[test]
fn a_commit_that_is_still_under_way_is_waited_for() {
    let name = "a_commit_that_is_still_under_way_is_waited_for";
    let Some(cluster) = throw_away::own_cluster(name) else { return };
    let database = Arc::new(cluster).database();
    let wire = Wire::to(&database.url());
    let store = open(&wire.url);
    database.psql(
        "CREATE TABLE gate(open BOOLEAN); INSERT INTO gate VALUES (true);
         CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             WHILE NOT (SELECT open FROM gate) LOOP PERFORM pg_sleep(0.02); END LOOP;
             RETURN NULL;
         END $$;
         CREATE CONSTRAINT TRIGGER gated AFTER INSERT ON log DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION pass();",
    );
    for round in 0..3 {
        database.psql("UPDATE gate SET open = false");
        let before = wire.asked.load(Ordering::SeqCst);
        wire.set(DURING);
        let id = format!("a{round}");
        let answer = store.admit(batch(&[&id]));
        until("nobody asks what became of it", || wire.asked.load(Ordering::SeqCst) > before + 2);
        database.psql("UPDATE gate SET open = true");
        assert_eq!(answer.wait(), Ok(vec![AdmitResult::New(round)]));
        let s = store.snapshot().unwrap();
        assert_eq!((s.head, s.decisions, s.automatic), (round + 1, round + 1, round + 1));
    }
    assert_eq!(
        database
            .psql(
                "SELECT string_agg(idx || ' ' || id, ', ' ORDER BY idx) FROM log
         JOIN decisions ON n = idx"
            )
            .trim(),
        "0 a0, 1 a1, 2 a2"
    );
}

#[test]
fn a_node_hears_of_a_stop_and_knows_when_it_hears_nothing() {
    let name = "a_node_hears_of_a_stop_and_knows_when_it_hears_nothing";
    let Some(database) = throw_away::database(name) else { return };
    let wire = Wire::to(&database.url());
    let (node, other) = (open(&wire.url), open(&database.url()));
    assert_eq!(node.freshness().generation, Some(0));
    assert!(!node.freshness().is_stale());
    other.commit(bump()).wait().unwrap();
    until("the node does not hear of a stop", || node.freshness().generation == Some(1));

    wire.set(DOWN);
    until("the node does not know that it hears nothing", || node.freshness().is_stale());
    assert!(!other.freshness().is_stale());
    other.commit(bump()).wait().unwrap();
    wire.set(THROUGH);
    until("the node does not come back", || !node.freshness().is_stale());
    assert_eq!(node.freshness().generation, Some(2));
}

#[test]
fn times_are_told_by_the_databases_clock() {
    let Some(database) = throw_away::database("times_are_told_by_the_databases_clock") else {
        return;
    };
    let fresh = Fresh { key: [7; 32], origin: "test.example/log".to_owned() };
    let mode = OpenMode { create: true, ..OpenMode::default() };
    for seconds in [-3_600, 0, 3_600] {
        let off = jiff::SignedDuration::from_secs(seconds);
        let clock: NodeClock = Arc::new(move || Timestamp::now() + off);
        let node = Postgres::open_at(&database.url(), mode, &fresh, clock.clone()).unwrap();
        let told = node.now(clock());
        let apart = told.duration_since(Timestamp::now()).abs();
        // However slow this machine is: far less than the clocks are apart.
        assert!(apart < jiff::SignedDuration::from_mins(5), "{seconds}: {told}");
    }
}

/// For tests alone: a key that protects nothing, and its certificate of `localhost`.
const KEY: &str = include_str!("../../../tests/support/localhost.key");
const CERTIFICATE: &str = include_str!("../../../tests/support/localhost.crt");

#[test]
fn tls_is_used_and_the_server_is_looked_at_where_the_url_says_so() {
    let name = "tls_is_used_and_the_server_is_looked_at_where_the_url_says_so";
    let Some(cluster) = throw_away::own_cluster(name) else { return };
    let cluster = Arc::new(cluster);
    for (file, text) in [("server.key", KEY), ("server.crt", CERTIFICATE)] {
        // Written by the server itself, so that the files are its own.
        let lines = format!("SELECT unnest(string_to_array('{}', E'\\n'))", text.trim_end());
        cluster.psql("postgres", &format!("COPY ({lines}) TO PROGRAM 'umask 077; cat > {file}'"));
    }
    cluster.psql("postgres", "ALTER SYSTEM SET ssl = on");
    cluster.stop("fast");
    assert!(cluster.restart());
    let database = cluster.database();
    let by_number = database.url();
    let by_name = by_number.replace("127.0.0.1", "localhost");
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, CERTIFICATE).unwrap();
    let checked = format!("sslmode=verify-full&sslrootcert={}", roots.display());

    let encrypted = || {
        database.psql(
            "SELECT count(*) > 2 AND bool_and(s.ssl) FROM pg_stat_ssl s
             JOIN pg_stat_activity a USING (pid) WHERE a.application_name LIKE 'overrule%'",
        )
    };
    for url in
        [format!("{by_name}?{checked}"), format!("{by_number}?sslmode=require"), by_number.clone()]
    {
        let store = open(&url);
        store.commit(bump()).wait().unwrap();
        store.put_draft("nobody", "ann", None).wait().unwrap_err();
        assert_eq!(store.lease_of("nobody", Timestamp::UNIX_EPOCH), Ok(None));
        assert_eq!(encrypted().trim(), "t", "{url}");
    }
    let refused = |url: String| {
        let fresh = Fresh { key: [7; 32], origin: "test.example/log".to_owned() };
        Postgres::open(&url, OpenMode::default(), &fresh).unwrap_err().to_string()
    };
    // Another name than the certificate's; and nobody who vouches for it.
    for url in [format!("{by_number}?{checked}"), format!("{by_name}?sslmode=verify-full")] {
        let said = refused(url);
        assert!(said.contains("certificate"), "{said}");
        assert!(!said.contains(database.password()), "{said}");
    }
    // What is asked for without TLS is served without.
    let plain = open(&format!("{by_number}?sslmode=disable"));
    plain.commit(bump()).wait().unwrap();
}
