//! `next` (also `queue next`): takes the next free item and shows it.

use super::app::App;
use super::failure::Outcome;
use super::open::Fresh;
use super::queue::nothing;
use super::session::variant;
use super::show;
use crate::protocol::{Answer, Command, Filter, LeaseAsk, PageAsk};

/// Take the next free item and show it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule next                      the item is yours for a while: decide it, or let the lease run out
  overrule next --queue level2
  overrule next --peek               look without taking it

With --json: the item, or null when nothing is free.")]
pub struct Next {
    /// Only from this queue
    #[arg(long, value_name = "Q")]
    queue: Option<String>,
    /// Look without taking it
    #[arg(long)]
    peek: bool,
}

impl Next {
    pub fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        let found = if self.peek {
            let filter = Filter { queue: self.queue, ..Filter::default() };
            let mut ask = PageAsk { filter, limit: 50, ..PageAsk::default() };
            loop {
                let page = session.page(ask.clone())?;
                let free = page
                    .items
                    .iter()
                    .find(|row| row.leased_by.as_ref().is_none_or(|who| *who == session.by));
                match (free, page.next) {
                    (Some(row), _) => break Some(session.item(&row.id)?),
                    (None, None) => break None,
                    (None, next) => ask.after = next,
                }
            }
        } else {
            let ask = LeaseAsk { queue: self.queue, ..LeaseAsk::default() };
            variant!(session.execute(Command::Lease(ask))?, Answer::Leased(item) => item)?
                .map(|item| *item)
        };
        match found {
            Some(item) if app.out.json => app.out.json(&show::as_json(&item)?),
            Some(item) => show::print(&app.out, &item, session.header()?.now),
            None if app.out.json => app.out.json(&serde_json::Value::Null),
            None => {
                app.out.note(nothing(&session.header()?));
                Ok(())
            }
        }
    }
}
