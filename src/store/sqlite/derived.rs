//! The rows beside the log for a verifier: each with the entry it belongs to, all in order.
//!
//! A row that cannot be read is told and stepped over, so that one changed by hand hides no other.

use std::collections::HashMap;

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::{Connection, Row, Rows, Statement};

use super::fault::{Done, count, damaged};
use crate::audit::{AnswerRow, CorrectionRow, DecisionRow, StateRow};
use crate::domain::{Review, Reviewer, Route, Verdict};
use crate::store::form::{Own, groups, own, shared};
use crate::store::rows::decision::Rest;
use crate::store::rows::review::kind;
use crate::store::rows::{time, unjson};
use crate::store::{Columns, StoredPolicy, TrailSink};

/// Groups and tags as stored are few; beyond this many different ones they are read anew.
const KEPT: usize = 10_000;

/// What [`Beside`] reads from; as long as it is read, it is borrowed.
pub(super) struct Statements<'c> {
    decisions: Statement<'c>,
    reviews: Statement<'c>,
    answers: Statement<'c>,
}

impl<'c> Statements<'c> {
    pub(super) fn new(conn: &'c Connection) -> Done<Self> {
        Ok(Self {
            decisions: conn.prepare(
                "SELECT n, id, content, shape, at, due, confidence, impact, reason, cohort, tags,
                     rest, raw FROM decisions ORDER BY n",
            )?,
            reviews: conn.prepare(
                "SELECT r.entry, r.request_id, d.id, r.reviewer, r.level, r.queue, r.revision,
                     r.verdict, r.tags, r.at, r.signature, r.undone, r.reversal, r.agreed
                 FROM reviews r LEFT JOIN decisions d ON d.n = r.item ORDER BY r.entry",
            )?,
            answers: conn.prepare(
                "SELECT a.entry, d.id, a.reviewer, a.request_id, a.agreed
                 FROM answers a LEFT JOIN decisions d ON d.n = a.item ORDER BY a.entry",
            )?,
        })
    }

    pub(super) fn begin(&mut self, conn: &Connection) -> Done<Beside<'_>> {
        Ok(Beside {
            shapes: shapes(conn)?,
            groups: Groups::default(),
            form: Vec::new(),
            decisions: Stream::new(&mut self.decisions)?,
            reviews: Stream::new(&mut self.reviews)?,
            answers: Stream::new(&mut self.answers)?,
        })
    }
}

/// What many decisions have in common, by its number; `None`: it cannot be read.
fn shapes(conn: &Connection) -> Done<HashMap<i64, Option<Shape>>> {
    let mut all =
        conn.prepare("SELECT k, domain, action, model, version, level, rule, route FROM shapes")?;
    let mut rows = all.query(())?;
    let mut found = HashMap::new();
    while let Some(row) = rows.next()? {
        found.insert(row.get(0)?, shape(row).ok());
    }
    Ok(found)
}

/// A shape, read, and its part of a form.
struct Shape {
    route: Route,
    form: [u8; 32],
}

fn shape(row: &Row<'_>) -> Done<Shape> {
    let columns = Columns {
        domain: row.get(1)?,
        action: row.get(2)?,
        model: row.get(3)?,
        version: row.get(4)?,
        level: row.get(5)?,
        ..Columns::default()
    };
    let text: String = row.get(7)?;
    let route = Route { rule: row.get(6)?, ..unjson(&text, "a route")? };
    // What a decision has of its own is not in its shape.
    if !route.id.is_empty() || !route.reason.is_empty() || route.duplicate {
        return Err(damaged("a route").into());
    }
    let form = shared(&route, &columns);
    Ok(Shape { route, form })
}

/// Rows of one table in the order of their entries, one read ahead.
struct Stream<'s> {
    rows: Rows<'s>,
    /// The entry of the row ahead; `None` at the end.
    ahead: Option<u64>,
}

impl<'s> Stream<'s> {
    fn new(statement: &'s mut Statement<'_>) -> Done<Self> {
        let mut stream = Self { rows: statement.query(())?, ahead: None };
        stream.advance()?;
        Ok(stream)
    }

    fn advance(&mut self) -> Done<()> {
        self.ahead = match self.rows.next()? {
            Some(row) => Some(count(row.get(0)?)),
            None => None,
        };
        Ok(())
    }
}

/// Groups and tags as stored, and their part of a form.
#[derive(Default)]
struct Groups {
    parts: HashMap<String, Vec<u8>>,
    key: String,
}

/// The rows that belong to entries.
pub(super) struct Beside<'s> {
    shapes: HashMap<i64, Option<Shape>>,
    groups: Groups,
    form: Vec<u8>,
    decisions: Stream<'s>,
    reviews: Stream<'s>,
    answers: Stream<'s>,
}

impl Beside<'_> {
    /// Hand over the rows of the entries up to `index`.
    pub(super) fn feed(&mut self, index: u64, sink: &mut dyn TrailSink) -> Done<()> {
        while let Some(at) = self.decisions.ahead.filter(|at| *at <= index) {
            if let Some(row) = self.decisions.rows.get() {
                let (shapes, kept) = (&self.shapes, &mut self.groups);
                if decision(row, at, shapes, kept, &mut self.form, sink).is_err() {
                    sink.broken(Some(at), "its decision's row cannot be read");
                }
            }
            self.decisions.advance()?;
        }
        while let Some(at) = self.reviews.ahead.filter(|at| *at <= index) {
            if let Some(row) = self.reviews.rows.get() {
                match review(row) {
                    Ok(review) => sink.review(at, &review),
                    Err(_) => sink.broken(Some(at), "its review's row cannot be read"),
                }
            }
            self.reviews.advance()?;
        }
        while let Some(at) = self.answers.ahead.filter(|at| *at <= index) {
            if let Some(row) = self.answers.rows.get()
                && answer(row, at, sink).is_err()
            {
                sink.broken(Some(at), "its answer's row cannot be read");
            }
            self.answers.advance()?;
        }
        Ok(())
    }
}

fn decision(
    row: &Row<'_>,
    index: u64,
    shapes: &HashMap<i64, Option<Shape>>,
    kept: &mut Groups,
    form: &mut Vec<u8>,
    sink: &mut dyn TrailSink,
) -> Done<()> {
    let unclear = || damaged("a decision");
    let text = |column: usize| -> Done<Option<&str>> {
        Ok(row.get_ref(column)?.as_str_or_null().map_err(|_| damaged("a text"))?)
    };
    let shape = shapes.get(&row.get(3)?).and_then(Option::as_ref).ok_or_else(unclear)?;
    let id = text(1)?.ok_or_else(unclear)?;
    let content = row.get_ref(2)?.as_bytes().map_err(|_| unclear())?;
    let at = time(row.get(4)?)?;
    let due: Option<i64> = row.get(5)?;
    let (reason, cohort, tags) = (text(8)?, text(9)?, text(10)?);
    let rest = match text(11)? {
        Some(text) => unjson(text, "a decision")?,
        None => Rest::default(),
    };
    let due_at = rest.due_at(due)?;
    if due_at.map(|t| t.as_millisecond()) != due {
        return Err(unclear().into());
    }
    form.clear();
    form.extend_from_slice(&shape.form);
    if cohort.is_some() || tags.is_some() {
        kept.key.clear();
        // JSON holds no zero byte, so the two stay apart.
        [cohort.unwrap_or_default(), "\0", tags.unwrap_or_default()]
            .iter()
            .for_each(|text| kept.key.push_str(text));
        if let Some(known) = kept.parts.get(kept.key.as_str()) {
            form.extend_from_slice(known);
        } else {
            let cohort = cohort.map(|text| unjson(text, "a cohort")).transpose()?;
            let tags: Option<Vec<String>> = tags.map(|text| unjson(text, "tags")).transpose()?;
            let mut part = Vec::new();
            groups(&mut part, &cohort.unwrap_or_default(), &tags.unwrap_or_default());
            form.extend_from_slice(&part);
            if kept.parts.len() >= KEPT {
                kept.parts.clear();
            }
            kept.parts.insert(kept.key.clone(), part);
        }
    }
    let route = &shape.route;
    let facts = rest.facts(at, route.generation);
    let mine = Own {
        id,
        content,
        due_at,
        reason: reason.unwrap_or_default(),
        faults: &rest.faults,
        generation: route.generation,
        confidence: row.get(6)?,
        impact: row.get(7)?,
    };
    own(form, &mine, &facts);
    sink.decision(&DecisionRow {
        index,
        id,
        at,
        raw: row.get::<_, Option<i64>>(12)?.map(count),
        outcome: route.outcome,
        rule: &route.rule,
        policy: &route.policy,
        generation: route.generation,
        texts: reason.is_some() || cohort.is_some() || tags.is_some(),
        form,
    });
    Ok(())
}

/// A review as its row says.
fn review(row: &Row<'_>) -> Done<Review> {
    let word: String = row.get(7)?;
    let tags: Option<String> = row.get(8)?;
    let item: Option<String> = row.get(2)?;
    Ok(Review {
        request_id: row.get(1)?,
        item: item.ok_or_else(|| damaged("a review"))?,
        reviewer: row.get(3)?,
        level: row.get(4)?,
        queue: row.get(5)?,
        revision: count(row.get(6)?),
        verdict: Verdict {
            tags: match tags {
                Some(text) => unjson(&text, "tags")?,
                None => Vec::new(),
            },
            ..Verdict::plain(kind(&word)?)
        },
        at: time(row.get(9)?)?,
        signature: row.get(10)?,
        undone: row.get(11)?,
        reversal: row.get(12)?,
        agreed: row.get(13)?,
    })
}

fn answer(row: &Row<'_>, index: u64, sink: &mut dyn TrailSink) -> Done<()> {
    let text = |column: usize| -> Done<&str> {
        Ok(row.get_ref(column)?.as_str().map_err(|_| damaged("an answer"))?)
    };
    let (item, reviewer, request_id) = (text(1)?, text(2)?, text(3)?);
    sink.answer(&AnswerRow { index, item, reviewer, request_id, agreed: row.get(4)? });
    Ok(())
}

/// People, policies, labelled examples, and where the store stands.
pub(super) fn feed_rest(conn: &Connection, sink: &mut dyn TrailSink) -> Done<()> {
    let mut people = conn.prepare("SELECT name, version, row FROM reviewers ORDER BY name")?;
    let mut rows = people.query(())?;
    while let Some(row) = rows.next()? {
        let (name, version, text): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        match unjson::<Reviewer>(&text, "a reviewer") {
            Ok(person) => sink.reviewer(&name, count(version), &person),
            Err(_) => sink.broken(None, &format!("the reviewer {name:?} cannot be read")),
        }
    }
    let mut policies =
        conn.prepare("SELECT hash, name, source, schemas FROM policies ORDER BY hash")?;
    let mut rows = policies.query(())?;
    while let Some(row) = rows.next()? {
        let (hash, schemas): (String, String) = (row.get(0)?, row.get(3)?);
        let (name, source) = (row.get(1)?, row.get(2)?);
        match unjson(&schemas, "a policy's schemas") {
            Ok(schemas) => sink.policy(&StoredPolicy { hash, name, source, schemas }),
            Err(_) => sink.broken(None, &format!("the policy {hash} cannot be read")),
        }
    }
    let mut examples = conn.prepare(
        "SELECT c.number, d.id, c.request_id, c.at
         FROM corrections c LEFT JOIN decisions d ON d.n = c.item ORDER BY c.number",
    )?;
    let mut rows = examples.query(())?;
    while let Some(row) = rows.next()? {
        let number = count(row.get(0)?);
        let (item, request_id): (Option<String>, String) = (row.get(1)?, row.get(2)?);
        match (item, time(row.get(3)?)) {
            (Some(item), Ok(at)) => {
                let (item, request_id) = (item.as_str(), request_id.as_str());
                sink.correction(&CorrectionRow { number, item, request_id, at });
            }
            _ => sink.broken(None, &format!("the correction {number} cannot be read")),
        }
    }
    let (policy, generation, decisions, automatic): (Option<String>, i64, i64, i64) = conn
        .query_row("SELECT policy, generation, decisions, automatic FROM state", (), |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
        })?;
    sink.state(&StateRow {
        policy: policy.as_deref(),
        generation: count(generation),
        decisions: count(decisions),
        automatic: count(automatic),
    });
    Ok(())
}
