//! `learn export`: corrections as labelled examples, one JSON object a line.
//!
//! First this desk's own, oldest first; then those that other desks sent here, with their origin.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::Value;

mod argilla;

use super::app::App;
use super::failure::{Failure, Outcome};
use super::open::Fresh;
use super::session::variant;
use super::time::Since;
use crate::protocol::{Query, Reply};

/// What people corrected, as data to learn from
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Learn {
    #[command(subcommand)]
    command: LearnCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LearnCommand {
    Export(Export),
}

/// Write corrections: settled overrides and confirmed samples, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule learn export > corrections.jsonl
  overrule learn export --since 7d --output week.jsonl
  overrule learn export --format argilla --output records.json

A line: {\"id\",\"domain\",\"model\",\"cohort\",\"input\",\"proposed\":{\"action\",\"output\"},
\"corrected\":{\"action\",\"output\"},\"verdict\",\"tags\",\"note\",\"by\",\"level\",\"at\",\"route\",\"sample\"}
What other desks sent here comes last, with its origin.")]
pub struct Export {
    /// Only what was settled since: 2026-05-01, 2026-05-01T09:00:00Z, 24h, 7d
    #[arg(long, value_name = "T", value_parser = Since::parse)]
    since: Option<Since>,
    /// The format
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// Write to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line
    Jsonl,
    /// A JSON array of records that Argilla reads (Dataset.records.from_json)
    Argilla,
}

impl Learn {
    pub fn run(self, app: &App) -> Outcome {
        match self.command {
            LearnCommand::Export(export) => export.run(app),
        }
    }
}

impl Export {
    fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        let since = match self.since {
            Some(since) => since.seen_from(session.header()?.now),
            None => None,
        };
        let mut out = Sink::open(app, self.output.as_deref(), self.format)?;
        let mut after = 0;
        loop {
            let query = Query::Corrections { since, after, limit: 500 };
            let (page, next) = variant!(
                session.ask(query)?,
                Reply::Corrections { corrections, next } => (corrections, next)
            )?;
            for correction in &page {
                let line = serde_json::to_value(correction)
                    .map_err(|e| Failure::defect(format!("cannot write JSON: {e}")))?;
                out.put(&line)?;
            }
            match next {
                Some(next) => after = next,
                None => break,
            }
        }
        let mut part = Some(0);
        while let Some(at) = part {
            let query = Query::Received { since, part: at };
            let (lines, next) = variant!(
                session.ask(query)?,
                Reply::Received { lines, next } => (lines, next)
            )?;
            lines.iter().try_for_each(|line| out.put(line))?;
            part = next;
        }
        let count = out.end()?;
        app.out.note(match count {
            0 => "no corrections yet: they come from settled edits, rejects and confirmed samples"
                .to_owned(),
            1 => "1 correction".to_owned(),
            n => format!("{n} corrections"),
        });
        Ok(())
    }
}

/// Where the export goes, in its format.
struct Sink<'a> {
    app: &'a App,
    file: Option<BufWriter<File>>,
    format: Format,
    count: usize,
}

impl<'a> Sink<'a> {
    fn open(app: &'a App, path: Option<&Path>, format: Format) -> Result<Self, Failure> {
        let file = path.map(|path| {
            File::create(path)
                .map(BufWriter::new)
                .map_err(|e| Failure::io(format!("{} cannot be written", path.display()), &e))
        });
        Ok(Self { app, file: file.transpose()?, format, count: 0 })
    }

    fn put(&mut self, correction: &Value) -> Outcome {
        match self.format {
            Format::Jsonl => self.write("", correction)?,
            Format::Argilla => {
                let before = if self.count == 0 { "[" } else { "," };
                self.write(before, &argilla::record(correction))?;
            }
        }
        self.count += 1;
        Ok(())
    }

    fn write(&mut self, before: &str, value: &Value) -> Outcome {
        match &mut self.file {
            None => {
                self.app.out.raw(before)?;
                self.app.out.json(value)
            }
            Some(file) => {
                writeln!(file, "{before}{value}").map_err(|e| Failure::io("the export", &e))
            }
        }
    }

    fn end(mut self) -> Result<usize, Failure> {
        if self.format == Format::Argilla {
            let last = if self.count == 0 { "[]\n" } else { "]\n" };
            match &mut self.file {
                None => self.app.out.raw(last)?,
                Some(file) => {
                    file.write_all(last.as_bytes()).map_err(|e| Failure::io("the export", &e))?
                }
            }
        }
        if let Some(mut file) = self.file {
            file.flush().map_err(|e| Failure::io("the export", &e))?;
        }
        Ok(self.count)
    }
}
