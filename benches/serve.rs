//! Decisions over HTTP: durable against parse-and-route-only in the same run, CPU a decision,
//! batches against single records, an import of 10,000 items; and the same over PostgreSQL.
//!
//! Ids are UUIDs in the order of time (version 7), as most systems make them today; one line shows
//! what ids in no order cost, of which every one is elsewhere in the index.
//!
//! The server is the real binary; clients are plain keep-alive connections of this process, so that
//! on a small machine they take as little as may be of what is measured.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench fails by panicking, and rounds what it prints"
)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How long each figure is taken.
const SPAN: Duration = Duration::from_secs(5);
/// Label Studio's import, items a second, measured on the same kind of machine.
const LABEL_STUDIO: f64 = 231.0;

#[path = "../tests/support/postgres.rs"]
mod postgres;

struct Desk {
    child: Child,
    address: String,
    token: String,
    folder: tempfile::TempDir,
}

impl Desk {
    /// Over this store, or a file of its own.
    fn start(store: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("desk.db").display().to_string();
        let command = |args: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_overrule"));
            command.args(args).env("OVERRULE_STORE", store.unwrap_or(&file));
            command.env("HOME", folder.path()).stderr(Stdio::null()).stdout(Stdio::piped());
            command
        };
        let limits = ["--token-limit", "1e9", "--address-limit", "1e9"];
        let first = folder.path().join("first.token").display().to_string();
        let serve = ["serve", "--json", "--listen", "127.0.0.1:0", "--first-token", &first];
        let mut child = command(&[&serve[..], &limits].concat()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let address = ready["listening"].as_str().unwrap().replace("http://", "");
        let token = std::fs::read_to_string(first).unwrap().trim().to_owned();
        Self { child, address, token, folder }
    }

    /// CPU time of the server until now, user and system.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // Linux counts in hundredths of a second.
        Duration::from_millis(ticks * 10)
    }

    fn head(&self, path: &str, kind: &str, length: usize) -> String {
        format!(
            "POST {path} HTTP/1.1\r\nhost: desk\r\nauthorization: Bearer {}\r\n\
             content-type: {kind}\r\ncontent-length: {length}\r\n\r\n",
            self.token
        )
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn record(id: &str) -> String {
    json!({
        "id": id, "domain": "loan", "action": "approve", "confidence": 0.97,
        "model": {"name": "mortgage-preapproval", "version": "3.1"}, "cohort": "white",
        "input": {"income_thousands": 53, "loan_thousands": 138, "obligation_ratio_pct": 40},
        "output": {"decision": "approve", "p_deny": 0.03}, "business_impact": 2,
        "rationale": "Income covers obligations three times over.", "scope": "lending/mortgage"
    })
    .to_string()
}

/// Send, and read the whole answer; its status.
async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> u16 {
    stream.write_all(request).await.unwrap();
    buffer.clear();
    loop {
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "the server hung up");
        let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end]).unwrap();
        let length = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "))
            .map_or(0, |n| n.trim().parse::<usize>().unwrap());
        if buffer.len() >= end + 4 + length {
            return head[9..12].parse().unwrap();
        }
    }
}

/// How ids are made.
#[derive(Clone, Copy)]
enum Ids {
    InOrder,
    InNoOrder,
}

impl Ids {
    fn next(self) -> String {
        let id = uuid::Uuid::now_v7();
        match self {
            Self::InOrder => id.to_string(),
            // The random end comes first.
            Self::InNoOrder => uuid::Uuid::from_u128(id.as_u128().rotate_left(64)).to_string(),
        }
    }
}

struct Figure {
    rate: f64,
    cpu_us: f64,
    p50: Duration,
    p99: Duration,
}

/// `connections` clients, one request after the other each; `of`: records of one request.
async fn load(desk: &Arc<Desk>, ids: Ids, connections: u64, path: &str, of: u64) -> Figure {
    let done = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    let (began, cpu) = (Instant::now(), desk.cpu());
    for _ in 0..connections {
        let (desk, done, path) = (desk.clone(), done.clone(), path.to_owned());
        clients.spawn(async move {
            let mut stream = TcpStream::connect(&desk.address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut times = Histogram::<u64>::new(3).unwrap();
            let mut buffer = Vec::with_capacity(1 << 16);
            while began.elapsed() < SPAN {
                let mut body = String::new();
                for _ in 0..of {
                    body.push_str(&record(&ids.next()));
                    body.push('\n');
                }
                let kind = if of == 1 { "application/json" } else { "application/x-ndjson" };
                let request = format!("{}{body}", desk.head(&path, kind, body.len()));
                let sent = Instant::now();
                let status = exchange(&mut stream, request.as_bytes(), &mut buffer).await;
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(&buffer));
                times.record(sent.elapsed().as_micros() as u64).unwrap();
                done.fetch_add(of, Ordering::Relaxed);
            }
            times
        });
    }
    let mut times = Histogram::<u64>::new(3).unwrap();
    for one in clients.join_all().await {
        times.add(one).unwrap();
    }
    let (spent, n) = (began.elapsed().as_secs_f64(), done.load(Ordering::Relaxed) as f64);
    Figure {
        rate: n / spent,
        cpu_us: (desk.cpu() - cpu).as_secs_f64() * 1e6 / n,
        p50: Duration::from_micros(times.value_at_quantile(0.5)),
        p99: Duration::from_micros(times.value_at_quantile(0.99)),
    }
}

fn say(what: &str, f: &Figure) {
    println!(
        "{what:<42} {:>8.0}/s  server CPU {:>5.1} µs  p50 {:>6.1} ms  p99 {:>6.1} ms",
        f.rate,
        f.cpu_us,
        f.p50.as_secs_f64() * 1e3,
        f.p99.as_secs_f64() * 1e3
    );
}

async fn import(desk: &Arc<Desk>) -> f64 {
    let mut stream = TcpStream::connect(&desk.address).await.unwrap();
    let (mut buffer, began) = (Vec::new(), Instant::now());
    for _ in 0..20 {
        let body: String = (0..500).map(|_| record(&Ids::InOrder.next()) + "\n").collect();
        let head = desk.head("/v1/decisions", "application/x-ndjson", body.len());
        let request = format!("{head}{body}");
        assert_eq!(exchange(&mut stream, request.as_bytes(), &mut buffer).await, 200);
    }
    10_000.0 / began.elapsed().as_secs_f64()
}

/// Durable admissions with 64 and 256 connections, and in batches: their rates.
async fn durable(desk: &Arc<Desk>, routed: bool) -> [f64; 3] {
    let (mut rates, mut single) = ([0.0; 3], 0.0_f64);
    for (slot, connections) in rates.iter_mut().zip([64, 256]) {
        let dry = match routed {
            true => {
                let path = "/v1/decisions?dry_run=true";
                let dry = load(desk, Ids::InOrder, connections, path, 1).await;
                say(&format!("parse and route only, {connections} connections"), &dry);
                Some(dry)
            }
            false => None,
        };
        let kept = load(desk, Ids::InOrder, connections, "/v1/decisions", 1).await;
        say(&format!("durable, {connections} connections"), &kept);
        (*slot, single) = (kept.rate, single.max(kept.rate));
        if let Some(dry) = dry {
            println!(
                "  durable / routed only = {:.0} % (reach 40); CPU {:.1} µs (reach 50)",
                100.0 * kept.rate / dry.rate,
                kept.cpu_us
            );
        }
    }
    let lines = load(desk, Ids::InOrder, 4, "/v1/decisions", 500).await;
    say("durable, NDJSON of 500, 4 connections", &lines);
    println!("  NDJSON / single = {:.1} (reach 5)", lines.rate / single);
    rates[2] = lines.rate;
    rates
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let desk = Arc::new(Desk::start(None));
    println!("SQLite, in {}", desk.folder.path().display());
    let file = durable(&desk, true).await;
    let elsewhere = load(&desk, Ids::InNoOrder, 64, "/v1/decisions", 1).await;
    say("durable, 64 connections, ids in no order", &elsewhere);
    let rate = import(&desk).await;
    println!(
        "import of 10,000 items: {rate:.0}/s = {:.0} x Label Studio's {LABEL_STUDIO} (reach 50)",
        rate / LABEL_STUDIO
    );
    drop(desk);
    let Some(database) = postgres::database("decisions over HTTP") else { return };
    println!("PostgreSQL, on the same cores");
    let desk = Arc::new(Desk::start(Some(&database.url())));
    let base = durable(&desk, false).await;
    for ((what, file), base) in ["64", "256", "NDJSON"].iter().zip(file).zip(base) {
        println!("  PostgreSQL / SQLite, {what}: {:.0} % (reach 60)", 100.0 * base / file);
    }
}
