//! `sync status`: what has not gone out and why, and how far each backend has come.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cli::app::App;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::out::{Tone, clean_line};
use crate::cli::session::{Session, variant};
use crate::cli::table::{lines, numbers, words};
use crate::domain::Timestamp;
use crate::policy::Backend;
use crate::protocol::{BackendView, Outgoing, Query, Reply, SyncView};
use crate::sync::backends::Place;

/// Backends that nothing can be sent to from this process, and why. Who only asks a server sends
/// nothing.
fn unready(session: &Session) -> Result<BTreeMap<String, String>, Failure> {
    if session.remote().is_some() {
        return Ok(BTreeMap::new());
    }
    let local = session.local()?;
    // What is not in the outbox yet waits all the same.
    if let Err(refused) = local.collect() {
        tracing::debug!(message = refused.message, "nothing was collected");
    }
    let why_not = |b: &Backend| {
        let why = Place::of(b, &|name| std::env::var(name).ok()).err()?;
        Some((b.name.clone(), why.to_string()))
    };
    Ok(local.backends()?.iter().filter_map(why_not).collect())
}

/// What waits, is held or was given up, and how far each backend has come.
pub(super) fn status(app: &App, session: &Session) -> Outcome {
    let unready = unready(session)?;
    let view = variant!(session.ask(Query::Sync)?, Reply::Sync(view) => *view)?;
    let SyncView { outgoing, backends } = view;
    if app.out.json {
        let mut all = serde_json::to_value(&outgoing)
            .map_err(|e| Failure::defect(format!("cannot write JSON: {e}")))?;
        if let Some(map) = all.as_object_mut() {
            map.insert("backends".into(), json!(backends));
            map.insert("unready".into(), json!(unready));
        }
        return app.out.json(&all);
    }
    app.out.line(format!(
        "{} waiting, {} held, {} given up",
        outgoing.waiting, outgoing.held, outgoing.dead
    ))?;
    of_backends(app, &backends, &unready)?;
    of_rows(app, &outgoing)?;
    if outgoing.dead > 0 {
        app.out.note(
            app.out.tone_err(Tone::Dim, "given up: mend the cause, then overrule sync retry KEY"),
        );
    }
    Ok(())
}

/// A line for each backend, and what did not come back from it.
fn of_backends(app: &App, backends: &[BackendView], unready: &BTreeMap<String, String>) -> Outcome {
    if backends.is_empty() {
        return Ok(());
    }
    let when =
        |at: Option<Timestamp>| at.map_or_else(String::new, |at| at.strftime("%F %T").to_string());
    let rows: Vec<Vec<String>> = backends
        .iter()
        .map(|b| {
            let state = match (unready.contains_key(&b.name), b.failing) {
                (_, true) => "failing",
                (true, false) => "not from here",
                (false, false) if b.to_send > 0 => "sending",
                (false, false) => "in sync",
            };
            vec![
                clean_line(&b.name),
                b.kind.clone(),
                state.to_owned(),
                b.to_send.to_string(),
                b.dead.to_string(),
                b.sent.to_string(),
                when(b.last_sent_at),
                when(b.next_at),
                b.error.as_deref().map(clean_line).unwrap_or_default(),
            ]
        })
        .collect();
    let columns = [
        words("backend"),
        words("kind"),
        words("state"),
        numbers("to send"),
        numbers("given up"),
        numbers("sent"),
        words("last sent (UTC)"),
        words("next (UTC)"),
        words("last answer"),
    ];
    for line in lines(&app.out, &columns, &rows) {
        app.out.line(line)?;
    }
    for why in unready.values() {
        app.out.note(clean_line(why));
    }
    for b in backends {
        if !b.blind.is_empty() {
            let queues: Vec<String> = b.blind.iter().map(|q| clean_line(q)).collect();
            app.out.note(format!(
                "{}: blind items of {} are not sent while they wait: the proposal would stand in \
                 the open there; they are reviewed at the desk",
                clean_line(&b.name),
                queues.join(", ")
            ));
        }
        if !b.unmapped.is_empty() {
            let names: Vec<String> = b.unmapped.iter().map(|n| clean_line(n)).collect();
            app.out.note(format!(
                "{}: no reviewer here is {} (name them in [sync.{}.reviewers] of the policy)",
                clean_line(&b.name),
                names.join(", "),
                clean_line(&b.name)
            ));
        }
        for c in &b.conflicts {
            app.out.note(format!(
                "{}: {} of {} on {} is no verdict: {}",
                clean_line(&b.name),
                clean_line(&c.annotation),
                clean_line(&c.account),
                clean_line(&c.item),
                clean_line(&c.why)
            ));
        }
    }
    Ok(())
}

/// The first rows that did not go out.
fn of_rows(app: &App, outgoing: &Outgoing) -> Outcome {
    if outgoing.listed.is_empty() {
        return Ok(());
    }
    let rows: Vec<Vec<String>> = outgoing
        .listed
        .iter()
        .map(|o| {
            vec![
                o.state.clone(),
                clean_line(&o.to),
                clean_line(&o.key),
                o.attempts.to_string(),
                o.next_at.map_or_else(String::new, |at| at.strftime("%F %T").to_string()),
                o.error.as_deref().map(clean_line).unwrap_or_default(),
            ]
        })
        .collect();
    let columns = [
        words("state"),
        words("to"),
        words("key"),
        numbers("tries"),
        words("next (UTC)"),
        words("last answer"),
    ];
    for line in lines(&app.out, &columns, &rows) {
        app.out.line(line)?;
    }
    Ok(())
}
