//! `queue list|show|next`: the queue without the app.

use serde_json::json;

use super::app::App;
use super::failure::Outcome;
use super::next::Next;
use super::open::Fresh;
use super::out::{Out, clean_line};
use super::show::Show;
use super::table::{self, dim, numbers, words};
use super::time;
use crate::domain::Timestamp;
use crate::protocol::{Command, Cursor, Filter, Header, PageAsk, Row};

/// The queue without the app
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Queue {
    #[command(subcommand)]
    command: QueueCommand,
}

#[derive(Debug, clap::Subcommand)]
enum QueueCommand {
    List(List),
    Show(Show),
    Next(Next),
    TakeBack(TakeBack),
}

/// Take an item out of somebody's hands (admin; in the trail)
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule queue take-back lap-1664

Whoever held it is told at the next beat; what they typed is kept. The item is free at once.")]
struct TakeBack {
    /// The decision's id
    id: String,
}

/// List what waits, in queue order
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule queue list
  overrule queue list --queue level2 --limit 20
  overrule queue list --domain loan --cohort race:black --text 'debt ratio'
  overrule queue list --json --after CURSOR     # CURSOR: `next` of the page before")]
pub struct List {
    /// Only this queue
    #[arg(long, value_name = "Q")]
    queue: Option<String>,
    /// Only this domain
    #[arg(long, value_name = "D")]
    domain: Option<String>,
    /// Only this cohort: GROUP or DIMENSION:GROUP
    #[arg(long, value_name = "C")]
    cohort: Option<String>,
    /// Only this model: NAME or NAME@VERSION
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// Only what this rule sent here
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Only queues of this level
    #[arg(long, value_name = "N")]
    level: Option<u8>,
    /// Only items with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// What you decided, settled or not
    #[arg(long)]
    by_me: bool,
    /// Only records that contain this text
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// At most this many rows
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Go on after this place (`next` of the page before)
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

impl TakeBack {
    fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        let before = session.item(&self.id)?.lease;
        session.done(Command::TakeBack { item: self.id.clone() })?;
        let from = before.map(|lease| lease.reviewer);
        if app.out.json {
            return app.out.json(&json!({"id": self.id, "from": from}));
        }
        let id = clean_line(&self.id);
        app.out.line(match from {
            Some(who) => format!("{id} was taken back from {}", clean_line(&who)),
            None => format!("nobody held {id}"),
        })
    }
}

impl Queue {
    pub fn run(self, app: &App) -> Outcome {
        match self.command {
            QueueCommand::List(list) => list.run(app),
            QueueCommand::Show(show) => show.run(app),
            QueueCommand::Next(next) => next.run(app),
            QueueCommand::TakeBack(taken) => taken.run(app),
        }
    }
}

/// What a desk gives at most in one page.
const PAGE: usize = 500;

impl List {
    fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        let limit = usize::try_from(self.limit).unwrap_or(PAGE);
        let filter = Filter {
            queue: self.queue,
            domain: self.domain,
            cohort: self.cohort,
            model: self.model,
            rule: self.rule,
            level: self.level,
            tag: self.tag,
            by_me: self.by_me,
            text: self.text,
            mine: false,
        };
        let mut after = self.after.map(Cursor);
        let mut rows: Vec<Row> = Vec::new();
        // A page may be short and still go on (free text looks through so many rows at a time).
        let total = loop {
            let ask = PageAsk {
                filter: filter.clone(),
                after: after.take(),
                limit: (limit - rows.len()).min(PAGE),
                ..PageAsk::default()
            };
            let page = session.page(ask)?;
            rows.extend(page.items);
            after = page.next;
            if after.is_none() || rows.len() >= limit {
                break page.total;
            }
        };
        if app.out.json {
            let items: Vec<_> = rows.iter().map(row_json).collect();
            let matched = rows.len();
            return app
                .out
                .json(&json!({"items": items, "next": after, "total": total, "matched": matched}));
        }
        let header = session.header()?;
        if rows.is_empty() {
            app.out.note(nothing(&header));
            return Ok(());
        }
        print(&app.out, &rows, header.now)?;
        // How many hold a text is known for those that were looked through.
        let count = match filter.text.as_deref().is_some_and(|t| !t.is_empty()) {
            true => format!(
                "{} {} of {total} {}",
                rows.len(),
                if rows.len() == 1 { "matches" } else { "match" },
                if after.is_some() { "so far" } else { "that wait" }
            ),
            false => format!("{total} wait"),
        };
        match after {
            Some(Cursor(cursor)) => {
                app.out.note(format!("{count}; go on with --after {}", clean_line(&cursor)))
            }
            None => app.out.note(count),
        }
        Ok(())
    }
}

/// A row in the contract's fields, then what else is known of it.
fn row_json(row: &Row) -> serde_json::Value {
    json!({
        "id": row.id,
        "queue": row.queue,
        "state": row.state,
        "due_at": row.due_at,
        "level": row.level,
        "business_impact": row.business_impact,
        "confidence": row.confidence,
        "domain": row.domain,
        "action": row.action,
        "rule": row.rule,
        "revision": row.revision,
        "kind": row.kind,
        "model": row.model,
        "reason": row.reason,
        "priority": row.priority,
        "leased_by": row.leased_by,
        "blind": row.blind,
    })
}

fn print(out: &Out, rows: &[Row], now: Timestamp) -> Outcome {
    let columns = [
        numbers("due"),
        words("queue"),
        numbers("conf"),
        numbers("impact"),
        words("what"),
        dim("id"),
        words("held by"),
        dim("rule"),
    ];
    let number = |n: Option<f64>, digits: usize| {
        n.map_or_else(|| "–".to_owned(), |n| format!("{n:.digits$}"))
    };
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let action = row.action.as_deref().unwrap_or(if row.blind { "(blind)" } else { "–" });
            vec![
                time::due(now, row.due_at),
                clean_line(&row.queue),
                number(row.confidence, 2),
                number(row.business_impact, 0),
                clean_line(&format!("{} {action}", row.domain)),
                clean_line(&row.id),
                clean_line(row.leased_by.as_deref().unwrap_or("")),
                clean_line(&row.rule),
            ]
        })
        .collect();
    table::lines(out, &columns, &rows).into_iter().try_for_each(|line| out.line(line))
}

/// Why there is nothing to show, and what to do about it.
pub fn nothing(header: &Header) -> String {
    let waiting: u64 = header.queues.iter().map(|q| q.waiting).sum();
    let leased: u64 = header.queues.iter().map(|q| q.held_by_others).sum();
    match (header.decisions, waiting, leased) {
        (0, ..) => "nothing was admitted yet; `overrule ingest FILE` admits decisions".to_owned(),
        (_, 0, _) => "nothing waits".to_owned(),
        (_, w, 0) => format!("nothing here; {w} wait elsewhere: overrule queue list"),
        (_, w, l) => format!("nothing here; {w} wait, {l} of them held by others"),
    }
}
