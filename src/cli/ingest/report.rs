//! What ingest says while it works and when it is done: a bar, routes, refusals, a summary.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::super::app::App;
use super::super::failure::{Exit, Failure, Outcome, word};
use super::super::out::{Tone, clean_line};
use crate::desk::ingest::{IngestEvent, Summary};
use crate::text::many;

/// So many refused lines are told one by one; the rest are in the list of dead letters.
const TOLD: u64 = 10;

/// Listens to an ingest and tells people or machines about it.
pub struct Report<'a> {
    app: &'a App,
    dry_run: bool,
    bar: Option<ProgressBar>,
    refused: u64,
    unread: u64,
    /// The first failure of standard output; told at the end.
    broken: Option<Failure>,
}

impl<'a> Report<'a> {
    /// `total`: bytes to read, where every input has a length.
    pub fn new(app: &'a App, dry_run: bool, total: Option<u64>) -> Self {
        let bar = app.out.shows_progress().then(|| bar(total));
        Self { app, dry_run, bar, refused: 0, unread: 0, broken: None }
    }

    /// One thing happened.
    pub fn event(&mut self, event: IngestEvent<'_>) {
        match event {
            IngestEvent::Route(route) => {
                if self.app.out.json && self.broken.is_none() {
                    self.broken = self.app.out.json(route).err();
                }
            }
            IngestEvent::Refused { source, line, refusal } => {
                self.app.out.note_json(&json!({"refused": {
                    "source": source, "line": line,
                    "reason": refusal.reason, "message": refusal.message,
                }}));
                let place = clean_line(&format!("{source}:{line}"));
                self.remark(&place, &format!("{}: {}", refusal.reason, refusal.message));
            }
            IngestEvent::VerdictRefused { id, refused } => {
                self.app.out.note_json(&json!({"verdict_refused": {
                    "id": id, "reason": word(refused.kind), "message": refused.message,
                }}));
                self.remark(&format!("verdict on {}", clean_line(id)), &refused.message);
            }
            IngestEvent::VerdictUnread { source, line, why } => {
                self.app.out.note_json(&json!({"verdict_unread": {
                    "source": source, "line": line, "message": why,
                }}));
                self.unread += 1;
                let place = clean_line(&format!("{source}:{line}"));
                match self.unread {
                    n if n <= TOLD => self.told(&place, why),
                    n if n == TOLD + 1 => self.note("more are no verdicts; --json tells each"),
                    _ => {}
                }
            }
            IngestEvent::Waiting { why } => {
                let text = format!("{}; trying again", clean_line(why));
                match &self.bar {
                    Some(bar) => bar.set_message(text),
                    None => self.app.out.note(text),
                }
            }
            IngestEvent::Progress { bytes, lines } => {
                // Whoever reads our routes reads them while we work.
                if self.broken.is_none() {
                    self.broken = self.app.out.flush().err();
                }
                if let Some(bar) = &self.bar {
                    bar.set_position(bytes);
                    let seconds = bar.elapsed().as_secs().max(1);
                    let read = many(lines, "line", "lines");
                    bar.set_message(format!("{read}, {}/s", lines / seconds));
                }
            }
        }
    }

    /// Tell people of a refusal; the first few one by one.
    fn remark(&mut self, place: &str, what: &str) {
        self.refused += 1;
        match self.refused {
            n if n <= TOLD => self.told(place, what),
            n if n == TOLD + 1 => {
                self.note("more are refused; `overrule ingest --refused` lists them");
            }
            _ => {}
        }
    }

    fn told(&self, place: &str, what: &str) {
        let refused = self.app.out.tone_err(Tone::Warn, "refused");
        self.note(&format!("{refused} {place}: {}", clean_line(what)));
    }

    /// A line for people, above the bar.
    fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.app.out.note(text)),
            None => self.app.out.note(text),
        }
    }

    fn told_json(&self, summary: &Summary) {
        let admitted = summary.admitted();
        self.app
            .out
            .note_json(&json!({"summary": summary, "admitted": admitted, "dry_run": self.dry_run}));
    }

    /// It ends early, for a reason that is told next: what became of the lines before.
    pub fn cut_off(self, summary: &Summary) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.app.out.json {
            self.told_json(summary);
        } else if summary.lines > 0 {
            self.app.out.note(sentence(summary, self.dry_run));
        }
    }

    /// The summary, and how the command ended; `stopped`: how it does where it was interrupted.
    pub fn finish(self, summary: &Summary, stopped: Exit) -> Outcome {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.app.out.json {
            self.told_json(summary);
        } else if !self.app.out.quiet {
            self.app.out.line(sentence(summary, self.dry_run))?;
        }
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        if summary.interrupted {
            return Err(Failure::new(
                stopped,
                "interrupted",
                format!(
                    "stopped after {}; everything told so far is durable",
                    many(summary.lines, "line", "lines")
                ),
            )
            .hint("run the same command again: what is stored already is recognised"));
        }
        if summary.refused > 0 {
            let were = if summary.refused == 1 { "was" } else { "were" };
            let lines = many(summary.lines, "line", "lines");
            return Err(Failure::new(
                Exit::Refused,
                "refused_input",
                format!("{} of {lines} {were} refused", summary.refused),
            )
            .hint(if self.dry_run {
                "correct them before you admit the file"
            } else {
                "overrule ingest --refused lists them with the reason; --retry tries them again"
            }));
        }
        if summary.verdicts_unread > 0 {
            let are =
                if summary.verdicts_unread == 1 { "is no verdict" } else { "are no verdicts" };
            let lines = many(summary.verdicts_unread, "line", "lines");
            return Err(Failure::new(
                Exit::Refused,
                "refused_verdicts",
                format!("{lines} of the verdicts {are}"),
            )
            .hint(
                "write {\"id\":…,\"verdict\":\"accept|edit|reject|escalate\",…} and run the same \
                 command again: what is stored already is recognised",
            ));
        }
        if summary.verdicts_refused > 0 {
            return Err(Failure::new(
                Exit::Refused,
                "refused_verdicts",
                format!(
                    "{} refused",
                    many(summary.verdicts_refused, "verdict was", "verdicts were")
                ),
            )
            .hint("overrule show ID says where each item stands"));
        }
        Ok(())
    }
}

/// What became of the lines, in one sentence; only what happened is named.
fn sentence(s: &Summary, dry_run: bool) -> String {
    let parts: Vec<String> = [
        (s.auto, "automatic"),
        (s.review, "to review"),
        (s.quarantine, "quarantined"),
        (s.block, "blocked"),
        (s.fallback, "sent to another version"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{n} {what}"))
    .collect();
    let verb = if dry_run { "would be admitted" } else { "admitted" };
    let mut sentence = format!("{} {verb}", s.admitted());
    if !parts.is_empty() {
        sentence.push_str(&format!(": {}", parts.join(", ")));
    }
    let verdicts = |n: u64| if n == 1 { "verdict" } else { "verdicts" };
    let given = format!("{} given", verdicts(s.verdicts));
    let idle = format!("{} on what never came before people", verdicts(s.verdicts_idle));
    let turned = format!("{} refused", verdicts(s.verdicts_refused));
    let unread = match s.verdicts_unread {
        1 => "line of the verdicts is none",
        _ => "lines of the verdicts are none",
    };
    for (n, text) in [
        (s.sampled, "of the automatic ones sampled"),
        (s.duplicates, "known already"),
        (s.refused, "refused"),
        (s.blank, if s.blank == 1 { "blank line" } else { "blank lines" }),
        (s.verdicts, &given),
        (s.verdicts_idle, &idle),
        (s.verdicts_refused, &turned),
        (s.verdicts_unread, unread),
    ] {
        if n > 0 {
            sentence.push_str(&format!("; {n} {text}"));
        }
    }
    sentence
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => {
            (ProgressBar::new(total), "{bar:30} {percent:>3}%  {msg}  {bytes_per_sec}  {eta} left")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {msg}  {bytes_per_sec}"),
    };
    bar.enable_steady_tick(Duration::from_millis(200));
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_only_what_happened() {
        let summary = Summary { lines: 3, auto: 2, review: 1, ..Summary::default() };
        assert_eq!(sentence(&summary, false), "3 admitted: 2 automatic, 1 to review");
        let again = Summary { lines: 3, duplicates: 2, refused: 1, ..Summary::default() };
        assert_eq!(sentence(&again, true), "0 would be admitted; 2 known already; 1 refused");
    }
}
