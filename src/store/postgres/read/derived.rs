//! The rows beside the log for a verifier: each with the entry it belongs to, all in order.
//!
//! A row that cannot be read is told and stepped over, so that one changed by hand hides no other.

use std::error::Error;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::decisions::cohort;
use super::trail::Stream;
use super::{get, maybe, one, row, rows, small, text};
use crate::audit::{AnswerRow, CorrectionRow, StateRow};
use crate::domain::{Review, Reviewer, Verdict};
use crate::store::postgres::fault::{Done, count, damaged};
use crate::store::postgres::text::{Text, strings};
use crate::store::rows::proof::{self, Forms, Shape, Shapes, Words};
use crate::store::rows::review::kind;
use crate::store::rows::{time, unjson};
use crate::store::{Columns, StoreError, StoredPolicy, TrailSink};

/// What many decisions have in common, by its number; `None`: it cannot be read.
async fn shapes(client: &ClientWrapper) -> Done<Shapes> {
    let found = rows(
        client,
        "SELECT k, domain, action, model, version, level, rule, route, outcome, tags FROM shapes",
        &[],
    )
    .await?;
    found.iter().map(|row| Ok((get(row, 0)?, shape(row).ok()))).collect()
}

fn shape(row: &Row) -> Done<Shape> {
    let columns = Columns {
        domain: text(row, 1)?,
        action: text(row, 2)?,
        model: text(row, 3)?,
        version: text(row, 4)?,
        level: small(row, 5)?,
        ..Columns::default()
    };
    let shape = Shape::read(&columns, text(row, 6)?, &text(row, 7)?)?;
    // What is stored beside the route, for conditions, says the same.
    let (outcome, tags): (&str, Vec<String>) = (get(row, 8)?, strings(get(row, 9)?));
    match outcome == shape.route().outcome.as_str() && tags == shape.route().tags {
        true => Ok(shape),
        false => Err(damaged("a route").into()),
    }
}

/// Rows of one table in the order of their entries, one read ahead.
struct Ahead<'c> {
    rows: Stream<'c>,
    next: Option<Row>,
}

impl<'c> Ahead<'c> {
    async fn open(client: &'c ClientWrapper, name: &str, sql: &str) -> Done<Self> {
        let mut rows = Stream::open(client, name, sql, 1_000).await?;
        let next = rows.next().await?;
        Ok(Self { rows, next })
    }

    /// The next row, if its entry is not after `index`; with its entry.
    async fn up_to(&mut self, index: u64) -> Done<Option<(u64, Row)>> {
        let Some(row) = &self.next else { return Ok(None) };
        let at = count(get(row, 0)?);
        if at > index {
            return Ok(None);
        }
        let after = self.rows.next().await?;
        Ok(std::mem::replace(&mut self.next, after).map(|row| (at, row)))
    }
}

/// The rows that belong to entries.
pub(super) struct Beside<'c> {
    forms: Forms,
    decisions: Ahead<'c>,
    reviews: Ahead<'c>,
    answers: Ahead<'c>,
}

impl<'c> Beside<'c> {
    pub(super) async fn begin(client: &'c ClientWrapper) -> Done<Self> {
        Ok(Self {
            forms: Forms::new(shapes(client).await?),
            decisions: Ahead::open(
                client,
                "decisions",
                "SELECT n, id, content, shape, at, due, confidence, impact, reason, dims, groups,
                     tags, rest, raw FROM decisions ORDER BY n",
            )
            .await?,
            reviews: Ahead::open(
                client,
                "reviews",
                "SELECT r.entry, r.request_id, d.id, r.reviewer, r.level, r.queue, r.revision,
                     r.verdict, r.tags, r.at, r.signature, r.undone, r.reversal, r.agreed
                 FROM reviews r LEFT JOIN decisions d ON d.n = r.item ORDER BY r.entry",
            )
            .await?,
            answers: Ahead::open(
                client,
                "answers",
                "SELECT a.entry, d.id, a.reviewer, a.request_id, a.agreed
                 FROM answers a LEFT JOIN decisions d ON d.n = a.item ORDER BY a.entry",
            )
            .await?,
        })
    }

    /// Hand over the rows of the entries up to `index`.
    pub(super) async fn feed(&mut self, index: u64, sink: &mut dyn TrailSink) -> Done<()> {
        while let Some((at, row)) = self.decisions.up_to(index).await? {
            if decision(&row, at, &mut self.forms, sink).is_err() {
                sink.broken(Some(at), "its decision's row cannot be read");
            }
        }
        while let Some((at, row)) = self.reviews.up_to(index).await? {
            match review(&row) {
                Ok(review) => sink.review(at, &review),
                Err(_) => sink.broken(Some(at), "its review's row cannot be read"),
            }
        }
        while let Some((at, row)) = self.answers.up_to(index).await? {
            if answer(&row, at, sink).is_err() {
                sink.broken(Some(at), "its answer's row cannot be read");
            }
        }
        Ok(())
    }
}

/// A column's bytes as the server sent them.
struct Raw<'r>(&'r [u8]);

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn decision(row: &Row, index: u64, forms: &mut Forms, sink: &mut dyn TrailSink) -> Done<()> {
    let raw = |column: usize| -> Done<Option<&[u8]>> {
        Ok(get::<Option<Raw<'_>>>(row, column)?.map(|r| r.0))
    };
    let (id, reason, rest) = (text(row, 1)?, maybe(row, 8)?, maybe(row, 12)?);
    let found = proof::Row {
        id: &id,
        content: get(row, 2)?,
        shape: get(row, 3)?,
        at: get(row, 4)?,
        due: get(row, 5)?,
        confidence: get(row, 6)?,
        impact: get(row, 7)?,
        reason: reason.as_deref(),
        words: &[raw(9)?, raw(10)?, raw(11)?],
        rest: rest.as_deref(),
        raw: get(row, 13)?,
    };
    let words = || -> Result<Words, StoreError> {
        let texts = |column| row.try_get::<_, Option<Vec<Text>>>(column);
        let unclear = |_| damaged("a decision's words");
        let cohort = cohort(texts(9).map_err(unclear)?, texts(10).map_err(unclear)?);
        let tags = strings(texts(11).map_err(unclear)?);
        Ok((cohort.map_err(|e| e.told("read a cohort"))?, tags))
    };
    Ok(forms.tell(&found, words, index, sink)?)
}

/// A review as its row says.
fn review(row: &Row) -> Done<Review> {
    Ok(Review {
        request_id: text(row, 1)?,
        item: maybe(row, 2)?.ok_or_else(|| damaged("a review"))?,
        reviewer: text(row, 3)?,
        level: small(row, 4)?,
        queue: text(row, 5)?,
        revision: count(get(row, 6)?),
        verdict: Verdict { tags: strings(get(row, 8)?), ..Verdict::plain(kind(get(row, 7)?)?) },
        at: time(get(row, 9)?)?,
        signature: maybe(row, 10)?,
        undone: get(row, 11)?,
        reversal: get(row, 12)?,
        agreed: get(row, 13)?,
    })
}

fn answer(row: &Row, index: u64, sink: &mut dyn TrailSink) -> Done<()> {
    let item = maybe(row, 1)?.ok_or_else(|| damaged("an answer"))?;
    let (reviewer, request_id) = (text(row, 2)?, text(row, 3)?);
    let (item, reviewer, request_id) = (&*item, &*reviewer, &*request_id);
    sink.answer(&AnswerRow { index, item, reviewer, request_id, agreed: get(row, 4)? });
    Ok(())
}

/// People, policies, labelled examples, small states, and where the store stands.
pub(super) async fn feed_rest(client: &ClientWrapper, sink: &mut dyn TrailSink) -> Done<()> {
    for row in rows(client, "SELECT name, version, row FROM reviewers ORDER BY name", &[]).await? {
        let name = text(&row, 0)?;
        match unjson::<Reviewer>(&text(&row, 2)?, "a reviewer") {
            Ok(person) => sink.reviewer(&name, count(get(&row, 1)?), &person),
            Err(_) => sink.broken(None, &format!("the reviewer {name:?} cannot be read")),
        }
    }
    let sql = "SELECT hash, name, source, schemas FROM policies ORDER BY hash";
    for row in rows(client, sql, &[]).await? {
        let (hash, name, source) = (text(&row, 0)?, text(&row, 1)?, text(&row, 2)?);
        match unjson(&text(&row, 3)?, "a policy's schemas") {
            Ok(schemas) => sink.policy(&StoredPolicy { hash, name, source, schemas }),
            Err(_) => sink.broken(None, &format!("the policy {hash} cannot be read")),
        }
    }
    let sql = "SELECT c.number, d.id, c.request_id, c.at
         FROM corrections c LEFT JOIN decisions d ON d.n = c.item ORDER BY c.number";
    let mut examples = Stream::open(client, "corrections", sql, 1_000).await?;
    while let Some(row) = examples.next().await? {
        let number = count(get(&row, 0)?);
        let request_id = &*text(&row, 2)?;
        match (maybe(&row, 1)?, time(get(&row, 3)?)) {
            (Some(item), Ok(at)) => {
                sink.correction(&CorrectionRow { number, item: &item, request_id, at });
            }
            _ => sink.broken(None, &format!("the correction {number} cannot be read")),
        }
    }
    let wanted: Vec<String> = sink.states_wanted().iter().map(|key| (*key).to_owned()).collect();
    for wanted in wanted {
        for (key, state) in super::standing::states(client, &wanted).await? {
            if key == wanted || wanted.ends_with('/') {
                sink.small(&key, &state.value);
            }
        }
    }
    let sql = "SELECT policy, generation, decisions, automatic FROM state";
    let row = one(row(client, sql, &[]).await?, "where the store stands")?;
    sink.state(&StateRow {
        policy: maybe(&row, 0)?.as_deref(),
        generation: count(get(&row, 1)?),
        decisions: count(get(&row, 2)?),
        automatic: count(get(&row, 3)?),
    });
    Ok(())
}
