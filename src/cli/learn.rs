//! `learn export`: corrections as labelled examples, one JSON object a line.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::ValueEnum;

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

A line: {\"id\",\"domain\",\"model\",\"cohort\",\"input\",\"proposed\":{\"action\",\"output\"},
\"corrected\":{\"action\",\"output\"},\"verdict\",\"tags\",\"note\",\"by\",\"level\",\"at\",\"route\",\"sample\"}")]
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

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One JSON object a line
    Jsonl,
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
        let Format::Jsonl = self.format;
        let session = app.open(Fresh::No)?;
        let since = match self.since {
            Some(since) => since.seen_from(session.header()?.now),
            None => None,
        };
        let mut file = match &self.output {
            None => None,
            Some(path) => {
                let file = File::create(path).map_err(|e| {
                    Failure::io(format!("{} cannot be written", path.display()), &e)
                })?;
                Some(BufWriter::new(file))
            }
        };
        let (mut after, mut count) = (0, 0usize);
        loop {
            let query = Query::Corrections { since, after, limit: 500 };
            let (page, next) = variant!(
                session.ask(query)?,
                Reply::Corrections { corrections, next } => (corrections, next)
            )?;
            count += page.len();
            for correction in &page {
                match &mut file {
                    None => app.out.json(correction)?,
                    Some(file) => serde_json::to_writer(&mut *file, correction)
                        .map_err(std::io::Error::from)
                        .and_then(|()| file.write_all(b"\n"))
                        .map_err(|e| Failure::io("the export", &e))?,
                }
            }
            match next {
                Some(next) => after = next,
                None => break,
            }
        }
        if let Some(mut file) = file {
            file.flush().map_err(|e| Failure::io("the export", &e))?;
        }
        app.out.note(match count {
            0 => "no corrections yet: they come from settled edits, rejects and confirmed samples"
                .to_owned(),
            1 => "1 correction".to_owned(),
            n => format!("{n} corrections"),
        });
        Ok(())
    }
}
