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
    let numbers = if numbers.iter().all(|n| *n == 0) {
        gather(&session, 0, usize::MAX)?.0.into_iter().map(|r| r.number).collect()
    } else {
        numbers
    };
    let (mut taken, mut refused) = (0u64, 0u64);
    for chunk in numbers.chunks(PAGE) {
        let command = Command::RetryRefused { numbers: chunk.to_vec() };
        let fates = variant!(session.execute(command)?, Answer::Admitted(fates) => fates)?;
        for fate in fates {
            match fate {
                Admitted::Route(route) => {
                    taken += 1;
                    if app.out.json {
                        app.out.json(&route)?;
                    }
                }
                Admitted::Refused(refusal) => {
                    refused += 1;
                    app.out.note_json(&json!({"refused": refusal}));
                    app.out.note(format!(
                        "refused again: {}: {}",
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
    Err(Failure::new(Exit::Refused, "refused_input", format!("{refused} lines were refused again"))
        .hint("overrule ingest --refused says why"))
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
