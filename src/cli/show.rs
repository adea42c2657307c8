//! `show ID` (also `queue show ID`): one item in full.

use serde_json::Value;

use super::app::App;
use super::failure::{Failure, Outcome};
use super::open::Fresh;
use super::out::{Out, Tone, clean, clean_line};
use super::time;
use crate::domain::{self, Kind, Review, Timestamp, VerdictKind};
use crate::protocol::ItemView;
use crate::text::{Folds, Node, tree, width};

/// Show one item: proposal, why it is here, history
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule show lap-1664
  overrule show lap-1664 --json | jq .approvals_needed

On a blind item the proposal is withheld until you have given your own answer (overrule answer).")]
pub struct Show {
    /// The decision's id
    id: String,
}

impl Show {
    pub fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        let item = session.item(&self.id)?;
        if app.out.json {
            return app.out.json(&as_json(&item)?);
        }
        print(&app.out, &item, session.header()?.now)
    }
}

/// The item as machines read it.
pub fn as_json(item: &ItemView) -> Result<Value, Failure> {
    item.as_json().map_err(|e| Failure::defect(format!("a view cannot be written as JSON: {e}")))
}

/// The item as people read it.
pub fn print(out: &Out, item: &ItemView, now: Timestamp) -> Outcome {
    let field = |name: &str| item.record.get(name);
    let text = |name: &str| field(name).and_then(Value::as_str).map(clean_line);
    let domain = text("domain").unwrap_or_else(|| "–".to_owned());
    let model = field("model").map(|m| {
        let part = |p: &str| m.get(p).and_then(Value::as_str).map(clean_line).unwrap_or_default();
        format!("{} {}", part("name"), part("version"))
    });
    out.line(format!(
        "{}   {domain}   {}",
        out.tone(Tone::Strong, clean_line(&item.id)),
        out.tone(Tone::Dim, model.unwrap_or_default())
    ))?;
    let label = |name: &str| out.tone(Tone::Dim, format!("{name:<9}"));
    out.line(format!(
        "{} {}   {}",
        label("WHY HERE"),
        clean_line(&item.route.reason),
        out.tone(Tone::Dim, clean_line(&item.route.rule))
    ))?;
    out.line(format!("{} {}", label("STATE"), standing(item, now)))?;
    if let Some(clash) = &item.clash {
        out.line(format!(
            "{} {}",
            label("CLASH"),
            out.tone(
                Tone::Warn,
                format!(
                    "the verdicts of {} are kept side by side: another person decides",
                    clean_line(&clash.people.join(" and "))
                )
            )
        ))?;
    }
    for fault in &item.faults {
        out.line(format!(
            "{} {}  {}",
            label("FAULT"),
            out.tone(Tone::Warn, clean_line(&fault.path)),
            clean_line(&fault.message)
        ))?;
    }
    if let Some(why) = &item.covered {
        out.line(format!("{} {}", label("COVERED"), out.tone(Tone::Warn, clean_line(why))))?;
    }
    if item.erased {
        out.line("\nIts text has been erased; the trail still proves what was decided.")?;
    } else if item.blind {
        out.line(format!(
            "\nThe proposal is withheld until you have given your own answer:\n  overrule answer {} --action …",
            clean_line(&item.id)
        ))?;
    }
    if let Some(current) = &item.current {
        out.line(format!("\n{}", out.tone(Tone::Dim, "PROPOSAL")))?;
        let confidence = field("confidence").and_then(Value::as_f64);
        let impact = field("business_impact").and_then(Value::as_f64);
        let figures = [("confidence", confidence), ("impact", impact)]
            .into_iter()
            .filter_map(|(name, value)| value.map(|v| format!("   {name} {v}")))
            .collect::<String>();
        out.line(format!(
            "  {}{}",
            out.tone(Tone::Accent, clean_line(&current.action)),
            out.tone(Tone::Dim, figures)
        ))?;
        block(out, &current.output)?;
    }
    if let Some(rationale) = field("rationale").filter(|v| !v.is_null()) {
        out.line(format!("\n{}", out.tone(Tone::Dim, "RATIONALE")))?;
        block(out, rationale)?;
    }
    if let Some(input) = field("input") {
        out.line(format!("\n{}", out.tone(Tone::Dim, "CONTEXT")))?;
        block(out, input)?;
    }
    if let Some(Value::Array(members)) = field("ensemble").filter(|v| v.as_array().is_some()) {
        let members = members
            .iter()
            .map(|m| {
                let name = m.get("name").and_then(Value::as_str).map(clean_line);
                format!(
                    "{} {}",
                    name.unwrap_or_default(),
                    m.get("score").map(|s| clean_line(&s.to_string())).unwrap_or_default()
                )
            })
            .collect::<Vec<_>>();
        if !members.is_empty() {
            out.line(format!("\n{} {}", label("MODELS"), members.join("   ")))?;
        }
    }
    if !item.reviews.is_empty() {
        out.line(format!("\n{}", out.tone(Tone::Dim, "HISTORY")))?;
        for review in &item.reviews {
            out.line(format!("  {}", history(review)))?;
        }
    }
    if let Some(guideline) = &item.guideline {
        out.line(format!("\n{}", out.tone(Tone::Dim, "GUIDELINE")))?;
        block(out, &Value::String(guideline.text.clone()))?;
    }
    Ok(())
}

/// Where it stands, in one line.
fn standing(item: &ItemView, now: Timestamp) -> String {
    let state = item.state.as_str().replace('_', " ");
    // What was settled at admission was never anywhere.
    let mut parts = vec![match (item.queue.is_empty(), item.route.outcome) {
        (false, _) => format!("{state} in {}", clean_line(&item.queue)),
        (true, domain::Outcome::Auto) => "settled automatically, at admission".to_owned(),
        (true, domain::Outcome::Block) => "blocked at admission: it must not be done".to_owned(),
        (true, domain::Outcome::Fallback) => {
            "answered at admission: use another version".to_owned()
        }
        (true, domain::Outcome::Review | domain::Outcome::Quarantine) => state,
    }];
    let edit = item.reviews.iter().rfind(|r| r.verdict.verdict == VerdictKind::Edit && !r.undone);
    if let Some(edit) = edit {
        parts.push(format!("edited by {}", clean_line(&edit.reviewer)));
    }
    match item.kind {
        Kind::Review => {}
        Kind::Retrospective if item.queue.is_empty() => {}
        Kind::Retrospective => parts.push("after the fact".to_owned()),
        Kind::Quarantine => parts.push("broken record".to_owned()),
    }
    if item.state.is_open() {
        parts.push(format!("due {}", time::due(now, item.due_at)));
        if !item.approvals_needed.is_empty() {
            parts.push(format!("needs {}", clean_line(&item.approvals_needed.join(", "))));
        }
    }
    if let Some(lease) = &item.lease {
        parts.push(format!(
            "held by {} until {}",
            clean_line(&lease.reviewer),
            time::stamp(lease.until)
        ));
    }
    if let Some((reviewer, until)) = &item.pending {
        parts.push(format!(
            "{} can take it back until {}",
            clean_line(reviewer),
            time::stamp(*until)
        ));
    }
    parts.push(format!("revision {}", item.revision));
    parts.join(" · ")
}

fn history(review: &Review) -> String {
    let verdict = &review.verdict;
    let mut line = format!(
        "{}  {}  {}  {}",
        time::stamp(review.at),
        clean_line(&review.reviewer),
        clean_line(&review.queue),
        verdict.verdict.as_str()
    );
    let mut add = |what: &str, text: &str| {
        line.push_str(&format!("  {what}{}", clean_line(text)));
    };
    if let Some(action) = &verdict.action {
        add("→ ", action);
    }
    if let Some(label) = &verdict.label {
        add("right: ", label);
    }
    if let Some(to) = &verdict.to {
        add("to ", to);
    }
    if !verdict.tags.is_empty() {
        add("", &verdict.tags.join(", "));
    }
    if let Some(note) = &verdict.note {
        add("“", &format!("{note}”"));
    }
    for (held, word) in [
        (review.signature.is_some(), "signed"),
        (review.undone, "taken back"),
        (review.reversal, "reversal"),
    ] {
        if held {
            add("", word);
        }
    }
    line
}

/// Rows of a tree that are shown; a record is rarely longer.
const MOST_ROWS: usize = 500;

/// Text, or JSON as a readable tree, indented.
fn block(out: &Out, value: &Value) -> Outcome {
    if let Value::String(text) = value {
        return clean(text).lines().try_for_each(|line| out.line(format!("  {line}")));
    }
    let tree = tree(value, &Folds::new(usize::MAX), MOST_ROWS);
    let indent = |node: &Node| "  ".repeat(node.depth + 1);
    let keys = tree
        .nodes
        .iter()
        .map(|node| width(&indent(node)) + width(node.key.as_str()))
        .max()
        .unwrap_or(0)
        .min(32);
    for node in &tree.nodes {
        let key = format!("{}{}", indent(node), node.key);
        out.line(format!("{}  {}", out.tone(Tone::Dim, pad_to(&key, keys)), node.value))?;
    }
    if tree.more > 0 {
        out.note(format!(
            "{}; --json shows all",
            crate::text::many(tree.more, "more row", "more rows")
        ));
    }
    Ok(())
}

/// Filled to `columns`; longer text stays whole.
fn pad_to(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}
