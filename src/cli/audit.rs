//! `audit log|verify|checkpoint|prove|erase|key`: the trail, for those who have to check it.

use std::io::IsTerminal as _;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::app::App;
use super::decide::read_text;
use super::failure::{Exit, Failure, Outcome, word};
use super::open::{Fresh, How};
use super::out::{Tone, clean_line};
use super::session::variant;
use super::table::{self, dim, numbers, words};
use crate::protocol::{
    Answer, Command, EntryView, Erased, Query, Reply, VerifyAsk, VerifyReport, Why,
};

/// The trail: what happened, and proof that nobody rewrote it
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Audit {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    Log(Log),
    Verify(Verify),
    /// Sign a checkpoint of the trail and print it; keep it elsewhere
    #[command(after_help = "Example:
  overrule audit checkpoint > /mnt/elsewhere/desk.checkpoint")]
    Checkpoint,
    Prove(Prove),
    Erase(Erase),
    /// Print the public key that checkpoints are signed with
    #[command(after_help = "Example:
  overrule audit key > desk.vkey         then, anywhere: overrule audit verify --key desk.vkey")]
    Key,
}

/// List the entries of the trail
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule audit log                          the last 100 entries, oldest of them first
  overrule audit log --newest -n 10
  overrule audit log --item lap-1664
  overrule audit log --from 1000 --limit 100 --json")]
struct Log {
    /// Only entries about this decision
    #[arg(long, value_name = "ID")]
    item: Option<String>,
    /// From this index on (without it: the last ones)
    #[arg(long, value_name = "N")]
    from: Option<u64>,
    /// At most this many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// The newest first
    #[arg(long)]
    newest: bool,
}

/// Check entries, commitments, signatures and the rows beside them; exits 4 if anything is wrong
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule audit verify
  overrule audit verify --key desk.vkey --checkpoint /mnt/elsewhere/desk.checkpoint

Compared with the entries are all texts, where each item stands, and the rows of decisions, reviews,
own answers, corrections, people and policies.
Whoever can write the store can also replace the key beside it. A key and a checkpoint that were
kept elsewhere close that hole: everything up to the checkpoint is then proved unchanged.")]
struct Verify {
    /// The public key, or a file that holds it
    #[arg(long, value_name = "KEY|FILE")]
    key: Option<String>,
    /// A checkpoint kept outside the store
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<std::path::PathBuf>,
}

/// Print a proof that a decision's last entry is in the signed trail
#[derive(Debug, clap::Args)]
struct Prove {
    /// The decision's id
    id: String,
}

/// Erase all text of a decision, everywhere; the proofs still hold
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule audit erase lap-1664 --reason 'request 2026-118 of the applicant'

It cannot be taken back: in a terminal you are asked to type the id, elsewhere --yes is needed.")]
struct Erase {
    /// The decision's id
    id: String,
    /// Why (kept in the trail: name no personal data)
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "asked for on the command line",
        hide_default_value = true
    )]
    reason: String,
    /// Do not ask: it cannot be taken back
    #[arg(long)]
    yes: bool,
}

impl Audit {
    pub fn run(self, app: &App) -> Outcome {
        match self.command {
            AuditCommand::Log(log) => log.run(app),
            AuditCommand::Verify(verify) => verify.run(app),
            AuditCommand::Checkpoint => checkpoint(app),
            AuditCommand::Prove(prove) => prove.run(app),
            AuditCommand::Erase(erase) => erase.run(app),
            AuditCommand::Key => key(app),
        }
    }
}

/// What a desk gives at most at once.
const PAGE: usize = 500;

impl Log {
    fn run(self, app: &App) -> Outcome {
        let session = app.open_how(How::inspect())?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut entries: Vec<EntryView> = Vec::new();
        let mut from = match (self.from, &self.item) {
            (Some(from), _) => from,
            // An item has few entries: all are read, and the last ones kept.
            (None, Some(_)) => 0,
            (None, None) => session.header()?.head.saturating_sub(u64::from(self.limit)),
        };
        let keep_last = self.from.is_none() && self.item.is_some();
        let (next, total) = loop {
            let query = Query::Entries {
                item: self.item.clone(),
                from,
                limit: limit.saturating_sub(entries.len()).clamp(1, PAGE),
            };
            let (page, next, total) = variant!(
                session.ask(query)?,
                Reply::Entries { entries, next, total } => (entries, next, total)
            )?;
            entries.extend(page);
            if keep_last {
                entries.drain(..entries.len().saturating_sub(limit));
            }
            match next {
                Some(next) if keep_last || entries.len() < limit => from = next,
                next => break (next, total),
            }
        };
        if self.newest {
            entries.reverse();
        }
        if app.out.json {
            return app.out.json(&json!({"entries": entries, "next": next, "total": total}));
        }
        let columns =
            [numbers("index"), dim("when"), words("what"), words("by"), words("id"), words("")];
        let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
        table::lines(&app.out, &columns, &rows)
            .into_iter()
            .try_for_each(|line| app.out.line(line))?;
        if let Some(next) = next {
            app.out.note(format!("{}; go on with --from {next}", counted(total)));
        }
        Ok(())
    }
}

/// An entry in one line: the fields everybody looks for, then what else it says.
fn row(view: &EntryView) -> Vec<String> {
    let text = |name: &str| match view.entry.get(name) {
        Some(Value::String(text)) => clean_line(text),
        Some(other) => clean_line(&other.to_string()),
        None => String::new(),
    };
    let mut rest = Vec::new();
    for name in ["outcome", "verdict", "queue", "rule", "state"] {
        let value = text(name);
        if !value.is_empty() {
            rest.push(value);
        }
    }
    if let Some(Value::Object(details)) = view.entry.get("d") {
        for (name, value) in details {
            let value = value.as_str().unwrap_or_default();
            rest.push(clean_line(&format!("{name}={value}")));
        }
    }
    let when = text("at").replace('T', " ");
    vec![view.index.to_string(), when, text("t"), text("by"), text("id"), rest.join(" · ")]
}

impl Verify {
    fn run(self, app: &App) -> Outcome {
        let key = self.key.map(key_text).transpose()?;
        let checkpoint = self.checkpoint.as_deref().map(read_text).transpose()?;
        let session = app.open_how(How::verify()).map_err(damaged)?;
        let ask = VerifyAsk { key, checkpoint };
        let bar = app.out.shows_progress().then(progress);
        let shown = bar.clone();
        let told = move |done: u64, all: u64| {
            if let Some(bar) = &shown {
                bar.set_length(all);
                bar.set_position(done);
            }
        };
        let report = session.runtime()?.block_on(session.desk.verify(ask, Box::new(told)));
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let report = report.map_err(|refused| damaged(refused.into()))?;
        if app.out.json {
            app.out.json(&report_json(&report)?)?;
        } else {
            print(app, &report)?;
        }
        if report.ok { Ok(()) } else { Err(broken(&report)) }
    }
}

/// The contract's fields first, then what else is known.
fn report_json(report: &VerifyReport) -> Result<Value, Failure> {
    serde_json::to_value(report)
        .map_err(|e| Failure::defect(format!("a report cannot be written as JSON: {e}")))
}

fn print(app: &App, report: &VerifyReport) -> Outcome {
    let out = &app.out;
    if report.ok {
        out.line(format!(
            "{} {}, root {}",
            out.tone(Tone::Good, "the trail holds:"),
            counted(report.entries),
            report.root
        ))?;
        if report.unanchored > 0 {
            // Both lines go the same way, so that this one cannot come first.
            let are = if report.unanchored == 1 { "is" } else { "are" };
            out.line(format!(
                "{} {are} covered by nothing kept outside the store \
                 (--key and --checkpoint say more)",
                counted(report.unanchored)
            ))?;
        }
        return Ok(());
    }
    for fault in &report.faults {
        out.line(format!("{} {}", out.tone(Tone::Bad, "wrong:"), clean_line(fault)))?;
    }
    Ok(())
}

/// How many entries, in words.
fn counted(entries: u64) -> String {
    match entries {
        1 => "1 entry".to_owned(),
        n => format!("{n} entries"),
    }
}

/// A file that can be read, with something in it that is no store of ours: that has been verified.
fn damaged(failure: Failure) -> Failure {
    if failure.kind != word(Why::Damaged) {
        return failure;
    }
    Failure { exit: Exit::Verification, ..failure }.hint("keep the file as it is; compare a backup")
}

fn broken(report: &VerifyReport) -> Failure {
    let place = match report.first_bad {
        Some(index) => format!("the first bad entry is {index}"),
        None => "no single entry is to blame".to_owned(),
    };
    let fault = report.faults.first().cloned().unwrap_or_default();
    Failure::verification(format!("the trail does not hold: {place}: {fault}")).hint(
        "keep this file as it is; `overrule audit log --from N` shows the entries, \
         and a copy from before that place can be compared",
    )
}

fn progress() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template(
        "verifying {bar:30} {human_pos}/{human_len} entries  {per_sec}  {eta} left",
    );
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A key as it stands on the command line, or the file that holds it.
fn key_text(named: String) -> Result<String, Failure> {
    // A verifier key is `name+id+base64`; a file of that very name is not one to be surprised by.
    if named.matches('+').count() >= 2 && !Path::new(&named).exists() {
        return Ok(named);
    }
    Ok(read_text(Path::new(&named))?.trim().to_owned())
}

fn checkpoint(app: &App) -> Outcome {
    let session = app.open(Fresh::No)?;
    let note = variant!(session.execute(Command::Checkpoint)?, Answer::Checkpoint(note) => note)?;
    if app.out.json {
        return app.out.json(&json!({"checkpoint": note}));
    }
    app.out.raw(&note)
}

impl Prove {
    fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        let query = Query::Prove { item: self.id.clone() };
        let proof = variant!(session.ask(query)?, Reply::Proof(proof) => proof)?;
        if app.out.json {
            return app.out.json(&json!({"id": self.id, "proof": proof}));
        }
        app.out.raw(&proof)
    }
}

/// Where a text may be beside a store.
const COPIES: &[&str] = &["exports", "backups", "the file it came from"];
/// And beside one in a database.
const DATABASE_COPIES: &[&str] = &[
    "exports",
    "backups",
    "the file it came from",
    "write-ahead log",
    "archived WAL",
    "replicas",
    "old page versions",
];

impl Erase {
    fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        if !self.yes {
            // What is not there is said before anybody types.
            session.item(&self.id)?;
            self.asked(app)?;
        }
        let command = Command::Erase { item: self.id.clone(), reason: self.reason };
        let done = variant!(session.execute(command)?, Answer::Erased(done) => done)?;
        let database = super::app::is_database(&session.header()?.store);
        if app.out.json {
            let Erased { texts, remains } = done;
            let copies = if database { DATABASE_COPIES } else { COPIES };
            return app.out.json(&json!({
                "id": self.id, "erased": true, "texts": texts, "remains": remains, "copies": copies,
            }));
        }
        let id = clean_line(&self.id);
        app.out.line(match done.texts {
            0 => format!("no text of {id} was left to erase: what may remain was removed again"),
            _ => format!(
                "the text of {id} is gone from this store; the trail still proves that it was decided"
            ),
        })?;
        app.out.note(format!("copies elsewhere ({}) are yours to erase", COPIES.join(", ")));
        if let Some(remains) = &done.remains {
            app.out.note(format!(
                "{}; assets/postgres.md (\"After an erasure\") says more",
                clean_line(remains)
            ));
        }
        Ok(())
    }
}

impl Erase {
    /// Somebody types the id, or nothing happens.
    fn asked(&self, app: &App) -> Outcome {
        let id = clean_line(&self.id);
        let stop = |what: String| {
            Failure::usage(what).hint("nothing was erased; --yes erases without asking, for good")
        };
        if !std::io::stdin().is_terminal() {
            return Err(stop(format!(
                "erasing {id} cannot be taken back, and nobody can be asked"
            )));
        }
        app.out.note(format!(
            "All text of {id} goes for good. Type its id to erase it, anything else to stop:"
        ));
        let mut typed = String::new();
        std::io::stdin()
            .read_line(&mut typed)
            .map_err(|e| Failure::io("the answer cannot be read", &e))?;
        match typed.trim() == self.id {
            true => Ok(()),
            false => Err(stop(format!("that is not {id}"))),
        }
    }
}

fn key(app: &App) -> Outcome {
    let key = app.open_how(How::inspect())?.local()?.verifier_key()?;
    if app.out.json {
        return app.out.json(&json!({"key": key}));
    }
    app.out.line(key)
}
