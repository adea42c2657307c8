//! `ingest FILE…`: admits decisions, however many, and says what became of them.

mod ahead;
mod far;
mod letters;
mod report;
mod stop;
mod verdicts;

use std::fs::File;
use std::io::{IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::app::App;
use super::failure::{Exit, Failure, Outcome};
use super::open::{Fresh, How};
use crate::desk::ingest::{self, IngestEvent, IngestOptions, Input};
use report::Report;
use stop::Stop;
use verdicts::Verdicts;

/// Admit decisions: JSON Lines from files or standard input
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule ingest decisions.jsonl
  producer | overrule ingest -
  overrule ingest day*.jsonl --clock record       a fresh store that lives by the records' own times
  overrule ingest new.jsonl --dry-run --json      the routes, and nothing stored
  overrule ingest --refused                       what could not be taken, and why
  overrule ingest --retry                         try those again
  overrule ingest day.jsonl --store https://desk.example    at a server, with a token for ingest

Run it again after an interruption: what is stored already is recognised.
Exits 3 when some lines were refused; the others are admitted all the same.
Ctrl-C ends it with 130, SIGTERM with 143, after the batch at hand.")]
pub struct Ingest {
    /// Files of JSON Lines; `-` is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Route everything and store nothing
    #[arg(long)]
    dry_run: bool,
    /// The clock of a fresh store
    #[arg(long, value_enum, value_name = "CLOCK")]
    clock: Option<Clock>,
    /// Verdicts to interleave by time, one JSON object a line: {"id","verdict",…,"at"}
    #[arg(long, value_name = "FILE")]
    verdicts: Option<PathBuf>,
    /// List refused lines instead of admitting
    #[arg(long, conflicts_with_all = ["files", "dry_run", "clock", "verdicts"])]
    refused: bool,
    /// Admit refused lines again: all, or these numbers
    #[arg(long, value_name = "N,…", num_args = 0..=1, require_equals = true, value_delimiter = ',', default_missing_value = "0", conflicts_with_all = ["files", "dry_run", "clock", "verdicts", "refused"])]
    retry: Option<Vec<u64>>,
    /// --refused: go on after this number (`next` of the page before)
    #[arg(long, value_name = "N", default_value_t = 0, requires = "refused")]
    after: u64,
    /// --refused: at most this many
    #[arg(long, value_name = "N", default_value_t = 100, requires = "refused", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// What time a desk goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// The machine's
    Wall,
    /// The latest `occurred_at` admitted
    Record,
}

impl Ingest {
    pub fn run(self, app: &App) -> Outcome {
        if self.refused {
            return letters::list(app, self.after, self.limit);
        }
        if let Some(numbers) = self.retry {
            return letters::retry(app, numbers);
        }
        match app.server() {
            Some(address) => far::admit(self, app, address),
            None => self.admit(app),
        }
    }

    fn admit(self, app: &App) -> Outcome {
        // Every file is opened before anything is admitted: a typing mistake costs nothing.
        let inputs = inputs(&self.files)?;
        let verdicts = self.verdicts.as_deref().map(Verdicts::read).transpose()?;
        let Verdicts { given: verdicts, unread } = verdicts.unwrap_or_default();
        // Without a store there is nothing to route against: a throw-away one serves a dry run.
        let spare = match (self.dry_run, app.store()?.try_exists().unwrap_or(true)) {
            (true, false) => {
                Some(tempfile::tempdir().map_err(|e| Failure::io("a temporary folder", &e))?)
            }
            _ => None,
        };
        let session = app.open_how(How {
            fresh: Fresh::Make,
            record_clock: self.clock == Some(Clock::Record),
            interactive: false,
            tick: !self.dry_run,
            path: spare.as_ref().map(|folder| folder.path().join("dry-run.db")),
            ..How::read()
        })?;
        let header = session.header()?;
        check_clock(self.clock, &header.clock)?;
        session.install_default(&header)?;

        let total = inputs.iter().map(|i| i.len).sum::<Option<u64>>();
        let mut report = Report::new(app, self.dry_run, total);
        let stop = Stop::on_signals(session.runtime()?);
        let (by, dry_run) = (session.by.clone(), self.dry_run);
        let options = IngestOptions { by, dry_run, verdicts, stop: stop.flag() };
        session.wrote();
        let told = &mut |event: IngestEvent<'_>| report.event(event);
        unread.iter().for_each(|line| told(line.event()));
        let mut summary = ingest::run(session.local()?, inputs, options, told)?;
        summary.verdicts_unread = unread.len() as u64;
        report.finish(&summary, stop.exit())
    }
}

/// A store keeps the clock it was made with.
fn check_clock(asked: Option<Clock>, has: &str) -> Outcome {
    let asked = match asked {
        None => return Ok(()),
        Some(Clock::Wall) => "wall",
        Some(Clock::Record) => "record",
    };
    if asked == has {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Refused,
        "policy",
        format!("this store was made with the {has} clock; it cannot change to the {asked} clock"),
    )
    .hint("leave --clock out, or name a fresh store with --store"))
}

/// The files, or standard input where none is named and something is piped in.
fn inputs(files: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    if files.is_empty() {
        if std::io::stdin().is_terminal() {
            return Err(Failure::usage("no file is named, and nothing is piped in")
                .hint("overrule ingest FILE, or: producer | overrule ingest -"));
        }
        return Ok(vec![input(Path::new("-"))?]);
    }
    files.iter().map(|file| input(file)).collect()
}

fn input(file: &Path) -> Result<Input, Failure> {
    if file.as_os_str() == "-" {
        return Ok(Input { name: "-".into(), reader: Box::new(std::io::stdin()), len: None });
    }
    let name = file.display().to_string();
    let cannot = |e: &std::io::Error| Failure::io(format!("{name} cannot be read"), e);
    let opened = File::open(file).map_err(|e| cannot(&e))?;
    let metadata = opened.metadata().map_err(|e| cannot(&e))?;
    if metadata.is_dir() {
        return Err(cannot(&std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    let len = metadata.is_file().then_some(metadata.len());
    let reader: Box<dyn Read + Send> = Box::new(opened);
    Ok(Input { name, reader, len })
}
