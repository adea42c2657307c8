//! The rows beside the log for a verifier: each with the entry it belongs to, all in order.
//!
//! A row that cannot be read is told and stepped over, so that one changed by hand hides no other.

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::{Connection, Row, Rows, Statement};

use super::fault::{Done, count, damaged};
use crate::audit::{AnswerRow, CorrectionRow, StateRow};
use crate::domain::{Review, Reviewer, Verdict};
use crate::store::rows::proof::{self, Forms, Shape, Shapes};
use crate::store::rows::review::kind;
use crate::store::rows::{time, unjson};
use crate::store::{Columns, StoredPolicy, TrailSink};

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
            forms: Forms::new(shapes(conn)?),
            decisions: Stream::new(&mut self.decisions)?,
            reviews: Stream::new(&mut self.reviews)?,
            answers: Stream::new(&mut self.answers)?,
        })
    }
}

/// What many decisions have in common, by its number; `None`: it cannot be read.
fn shapes(conn: &Connection) -> Done<Shapes> {
    let mut all =
        conn.prepare("SELECT k, domain, action, model, version, level, rule, route FROM shapes")?;
    let mut rows = all.query(())?;
    let mut found = Shapes::new();
    while let Some(row) = rows.next()? {
        found.insert(row.get(0)?, shape(row).ok());
    }
    Ok(found)
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
    let route: String = row.get(7)?;
    Ok(Shape::read(&columns, row.get(6)?, &route)?)
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

/// The rows that belong to entries.
pub(super) struct Beside<'s> {
    forms: Forms,
    decisions: Stream<'s>,
    reviews: Stream<'s>,
    answers: Stream<'s>,
}

impl Beside<'_> {
    /// Hand over the rows of the entries up to `index`.
    pub(super) fn feed(&mut self, index: u64, sink: &mut dyn TrailSink) -> Done<()> {
        while let Some(at) = self.decisions.ahead.filter(|at| *at <= index) {
            if let Some(row) = self.decisions.rows.get()
                && decision(row, at, &mut self.forms, sink).is_err()
            {
                sink.broken(Some(at), "its decision's row cannot be read");
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

fn decision(row: &Row<'_>, index: u64, forms: &mut Forms, sink: &mut dyn TrailSink) -> Done<()> {
    let unclear = || damaged("a decision");
    let text = |column: usize| -> Done<Option<&str>> {
        Ok(row.get_ref(column)?.as_str_or_null().map_err(|_| damaged("a text"))?)
    };
    let (cohort, tags) = (text(9)?, text(10)?);
    let found = proof::Row {
        id: text(1)?.ok_or_else(unclear)?,
        content: row.get_ref(2)?.as_bytes().map_err(|_| unclear())?,
        shape: row.get(3)?,
        at: row.get(4)?,
        due: row.get(5)?,
        confidence: row.get(6)?,
        impact: row.get(7)?,
        reason: text(8)?,
        words: &[cohort.map(str::as_bytes), tags.map(str::as_bytes)],
        rest: text(11)?,
        raw: row.get(12)?,
    };
    let words = || {
        let cohort = cohort.map(|text| unjson(text, "a cohort")).transpose()?;
        let tags = tags.map(|text| unjson(text, "tags")).transpose()?;
        Ok((cohort.unwrap_or_default(), tags.unwrap_or_default()))
    };
    Ok(forms.tell(&found, words, index, sink)?)
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

/// People, policies, labelled examples, small states, and where the store stands.
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
    let wanted: Vec<String> = sink.states_wanted().iter().map(|key| (*key).to_owned()).collect();
    for wanted in wanted {
        for (key, state) in super::states::all(conn, &wanted)? {
            if key == wanted || wanted.ends_with('/') {
                sink.small(&key, &state.value);
            }
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
