//! A desk as people have one: a store in a file, the shipped default policy, bulk ingest.

use std::io::Read;
use std::path::Path;

use overrule::desk::ingest::{self, IngestOptions, Input, Summary};
use overrule::desk::{Local, OpenOptions};
use overrule::domain::{Verdict, VerdictKind};
use overrule::policy::{shipped, shipped_names};
use overrule::protocol::{
    Answer, Command, ItemView, LeaseAsk, ReviewRequest, Reviewed, VerifyAsk, VerifyReport,
};

use super::Row;

/// Who does everything: every role, level 3.
pub const ME: &str = "bench";

/// Open a store (or make it, with the shipped default policy in force).
pub fn open(path: &Path, interactive: bool) -> Local {
    let name = shipped_names().next().unwrap();
    open_under(path, interactive, shipped(name).unwrap())
}

/// As [`open`], but nothing is due for years: a store that is kept looks the same every time.
pub fn open_patient(path: &Path) -> Local {
    let source = shipped(shipped_names().next().unwrap()).unwrap();
    let lines = source.lines().map(|line| match line.starts_with("sla = ") {
        true => "sla = \"9000h\"".to_owned(),
        false => line.replace(", sla = \"10m\"", "").replace(", sla = \"30m\"", ""),
    });
    open_under(path, true, &lines.map(|l| l + "\n").collect::<String>())
}

fn open_under(path: &Path, interactive: bool, policy: &str) -> Local {
    let options = OpenOptions { interactive, ..OpenOptions::new(path, ME) };
    let local = Local::open(options).unwrap();
    let policy = Command::ActivatePolicy {
        name: "policy.toml".into(),
        source: policy.to_owned(),
        schemas: Default::default(),
        install: true,
    };
    local.execute_blocking(ME, policy).unwrap();
    local
}

/// Admit rows in bulk, as `overrule ingest` does.
pub fn ingest(local: &Local, rows: Vec<Row>) -> Summary {
    let len = rows.iter().map(|r| r.bytes.len() as u64 + 1).sum();
    let input =
        Input { name: "bench.jsonl".into(), reader: Box::new(Lines::new(rows)), len: Some(len) };
    let options = IngestOptions { by: ME.into(), ..IngestOptions::default() };
    ingest::run(local, vec![input], options, &mut |_| {}).unwrap()
}

/// Rows as the bytes of a file, freed as they are read.
struct Lines {
    rows: std::vec::IntoIter<Row>,
    now: std::io::Cursor<Vec<u8>>,
}

impl Lines {
    fn new(rows: Vec<Row>) -> Self {
        Self { rows: rows.into_iter(), now: std::io::Cursor::new(Vec::new()) }
    }
}

impl Read for Lines {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.now.read(out)?;
        if n > 0 {
            return Ok(n);
        }
        // As many lines at once as a file's reader would get.
        let mut bytes = Vec::with_capacity(1 << 18);
        for row in self.rows.by_ref() {
            bytes.extend_from_slice(&row.bytes);
            bytes.push(b'\n');
            if bytes.len() > 200 << 10 {
                break;
            }
        }
        self.now = std::io::Cursor::new(bytes);
        self.now.read(out)
    }
}

/// Take the next item.
pub fn next(local: &Local) -> Option<Box<ItemView>> {
    match local.execute_blocking(ME, Command::Lease(LeaseAsk::default())).unwrap() {
        Answer::Leased(item) => item,
        other => unreachable!("{other:?}"),
    }
}

/// Accept it, with the grace time of the app.
pub fn accept(local: &Local, item: &ItemView) -> Reviewed {
    match local.execute_blocking(ME, Command::Review(Box::new(verdict(item)))).unwrap() {
        Answer::Reviewed(done) => done,
        other => unreachable!("{other:?}"),
    }
}

/// The request that accepts it.
pub fn verdict(item: &ItemView) -> ReviewRequest {
    let verdict = Verdict::plain(VerdictKind::Accept);
    ReviewRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        item: item.id.clone(),
        verdict,
        lease: item.lease.as_ref().map(|l| l.epoch),
        revision: Some(item.revision),
        seen: None,
        signature: None,
        grace_ms: 5_000,
        offline: None,
    }
}

/// Verify the whole trail with the store's own key.
pub fn verify(local: &Local) -> VerifyReport {
    local.verify_blocking(&VerifyAsk::default(), &|_, _| {}).unwrap()
}
