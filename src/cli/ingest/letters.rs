//! `ingest --refused` and `--retry`: dead letters, listed and tried again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::super::app::App;
use super::super::failure::{Exit, Failure, Outcome};
use super::super::open::Fresh;
use super::super::out::clean_line;
use super::super::session::{Session, variant};
use super::super::table::{self, dim, numbers, words};
use crate::protocol::{Admitted, Answer, Command, Query, RefusedLine, Reply};

/// What a desk gives at most at once.
const PAGE: usize = 500;

/// List dead letters from `after` on.
pub fn list(app: &App, after: u64, limit: u32) -> Outcome {
    let session = app.open(Fresh::No)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (refused, next) = gather(&session, after, limit)?;
    if app.out.json {
        let refused: Vec<_> = refused
            .iter()
            .map(|r| {
                json!({
                    "source": r.source, "line": r.line, "reason": r.reason,
                    "bytes_base64": STANDARD.encode(&r.bytes),
                    "number": r.number, "message": r.message,
                })
            })
            .collect();
        return app.out.json(&json!({"refused": refused, "next": next}));
    }
    if refused.is_empty() {
        app.out.note("nothing was refused");
        return Ok(());
    }
    let columns = [numbers("number"), dim("where"), words("reason"), words("what is wrong")];
    let rows: Vec<Vec<String>> = refused
        .iter()
        .map(|r| {
            vec![
                r.number.to_string(),
                clean_line(&format!("{}:{}", r.source, r.line)),
                clean_line(&r.reason),
                clean_line(&r.message),
            ]
        })
        .collect();
    table::lines(&app.out, &columns, &rows).into_iter().try_for_each(|l| app.out.line(l))?;
    if let Some(next) = next {
        app.out.note(format!("go on with --after {next}"));
    }
    Ok(())
}

/// Admit dead letters again; no numbers (or 0) means all of them.
pub fn retry(app: &App, numbers: Vec<u64>) -> Outcome {
    let session = app.open(Fresh::No)?;
    let letters: Vec<Letter> = if numbers.iter().all(|n| *n == 0) {
        gather(&session, 0, usize::MAX)?.0.into_iter().map(Letter::from).collect()
    } else {
        numbers
            .into_iter()
            .map(|number| Letter::find(&session, number))
            .collect::<Result<_, _>>()?
    };
    let (mut taken, mut refused) = (0u64, 0u64);
    for chunk in letters.chunks(PAGE) {
        let command = Command::RetryRefused { numbers: chunk.iter().map(|l| l.number).collect() };
        let fates = variant!(session.execute(command)?, Answer::Admitted(fates) => fates)?;
        for (letter, fate) in chunk.iter().zip(fates) {
            match fate {
                Admitted::Route(route) => {
                    taken += 1;
                    if app.out.json {
                        app.out.json(&route)?;
                    }
                }
                Admitted::Refused(refusal) => {
                    refused += 1;
                    let Letter { number, source, line } = letter;
                    app.out.note_json(&json!({"refused": {
                        "number": number, "source": source, "line": line,
                        "reason": refusal.reason, "message": refusal.message,
                    }}));
                    app.out.note(format!(
                        "refused again: {number} {}: {}: {}",
                        clean_line(&format!("{source}:{line}")),
                        clean_line(&refusal.reason),
                        clean_line(&refusal.message)
                    ));
                }
                Admitted::Blank => {}
            }
        }
    }
    if !app.out.json && !app.out.quiet {
        app.out.line(format!("{taken} admitted, {refused} refused again"))?;
    }
    if refused == 0 {
        return Ok(());
    }
    let were = crate::text::many(refused, "line was", "lines were");
    Err(Failure::new(Exit::Refused, "refused_input", format!("{were} refused again"))
        .hint("overrule ingest --refused says why"))
}

/// A dead letter by its number, and where it was read.
struct Letter {
    number: u64,
    source: String,
    line: u64,
}

impl From<RefusedLine> for Letter {
    fn from(RefusedLine { number, source, line, .. }: RefusedLine) -> Self {
        Self { number, source, line }
    }
}

impl Letter {
    /// The one of this number. Where there is none, the desk says so when it is asked to admit it.
    fn find(session: &Session, number: u64) -> Result<Self, Failure> {
        let found = gather(session, number.saturating_sub(1), 1)?.0.into_iter().next();
        let missing = Self { number, source: String::new(), line: 0 };
        Ok(found.filter(|l| l.number == number).map_or(missing, Self::from))
    }
}

fn gather(
    session: &Session,
    after: u64,
    limit: usize,
) -> Result<(Vec<RefusedLine>, Option<u64>), Failure> {
    let mut found: Vec<RefusedLine> = Vec::new();
    let mut from = after;
    loop {
        let query = Query::Refused { after: from, limit: (limit - found.len()).min(PAGE) };
        let (page, next) =
            variant!(session.ask(query)?, Reply::Refused { refused, next } => (refused, next))?;
        found.extend(page);
        match next {
            Some(next) if found.len() < limit => from = next,
            next => return Ok((found, next)),
        }
    }
}
