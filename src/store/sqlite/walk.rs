//! Walking items in queue order: the indexes of the queues, merged, with a filter as SQL.

use rusqlite::types::Value;
use rusqlite::{Connection, Rows, Statement, params_from_iter};

use super::fault::Done;
use super::names;
use crate::protocol::Filter;
use crate::store::PageQuery;

/// An item met on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) place: Vec<u8>,
    pub(super) n: i64,
}

impl Step {
    /// The decision's id, which ends its place.
    pub(super) fn id(&self) -> &[u8] {
        self.place.get(15..).unwrap_or_default()
    }
}

/// Which way, and from where (exclusive).
#[derive(Clone, Debug)]
pub(super) enum Way {
    Forward(Option<Vec<u8>>),
    Backward(Option<Vec<u8>>),
}

/// A filter (without its free text) as SQL over `items i`, `decisions d`, `shapes s`.
pub(super) struct Condition {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    /// It looks at nothing but what the counters are kept by.
    pub(super) counted: bool,
    /// It looks at more than the item.
    pub(super) needs_shape: bool,
}

impl Condition {
    /// Items that match; `by`: whom `by_me` means.
    pub(super) fn new(ask: &PageQuery) -> Self {
        let PageQuery { filter, by, .. } = ask;
        let mut c = Self {
            sql: String::new(),
            values: Vec::new(),
            counted: !filter.by_me && filter.cohort.is_none() && filter.tag.is_none(),
            needs_shape: filter.domain.is_some()
                || filter.model.is_some()
                || filter.rule.is_some()
                || filter.cohort.is_some()
                || filter.tag.is_some(),
        };
        if let Some(domain) = &filter.domain {
            c.and("s.domain = ?", domain);
        }
        if let Some(rule) = &filter.rule {
            c.and("s.rule = ?", rule);
        }
        if let Some(model) = &filter.model {
            c.and("? IN (s.model, s.model || '@' || s.version)", model);
        }
        if let Some(level) = filter.level {
            c.sql.push_str(" AND i.level = ?");
            c.values.push(Value::Integer(level.into()));
        }
        if let Some(level) = ask.up_to {
            c.sql.push_str(" AND i.level <= ?");
            c.values.push(Value::Integer(level.into()));
        }
        if let Some(cohort) = &filter.cohort {
            // `group`, or `dimension:group`.
            c.and(
                "EXISTS (SELECT 1 FROM json_each(d.cohort) j WHERE ? IN (j.value, j.key || ':' || j.value))",
                cohort,
            );
        }
        if let Some(tag) = &filter.tag {
            c.and("(EXISTS (SELECT 1 FROM json_each(d.tags) j WHERE j.value = ?)", tag);
            c.or("EXISTS (SELECT 1 FROM json_each(s.route, '$.tags') j WHERE j.value = ?)", tag);
            c.or(
                "EXISTS (SELECT 1 FROM reviews r, json_each(r.tags) j
                 WHERE r.item = i.n AND r.undone = 0 AND j.value = ?))",
                tag,
            );
        }
        if filter.by_me {
            c.and("i.n IN (SELECT item FROM reviews WHERE reviewer = ? AND undone = 0)", by);
        }
        c
    }

    fn and(&mut self, sql: &str, value: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(sql);
        self.values.push(Value::Text(value.to_owned()));
    }

    fn or(&mut self, sql: &str, value: &str) {
        self.sql.push_str(" OR ");
        self.sql.push_str(sql);
        self.values.push(Value::Text(value.to_owned()));
    }

    /// The tables it looks at.
    pub(super) fn tables(&self) -> &'static str {
        match self.needs_shape {
            // In this order: the index gives queue order, the others follow by key.
            true => {
                "items i CROSS JOIN decisions d ON d.n = i.n CROSS JOIN shapes s ON s.k = d.shape"
            }
            false => "items i",
        }
    }
}

/// Visit matching items in order until `visit` says enough (`false`).
pub(super) fn walk(
    conn: &Connection,
    ask: &PageQuery,
    way: &Way,
    mut visit: impl FnMut(&Step) -> Done<bool>,
) -> Done<()> {
    let filter = &ask.filter;
    let condition = Condition::new(ask);
    let queues = queues(conn, filter)?;
    // Items that somebody decided are few: one sorted list, over all queues, closed ones too.
    let (streams, open) = match filter.by_me {
        true => (1, "1"),
        false => (queues.len(), "i.open = 1 AND i.queue = ?"),
    };
    let (from, compare, order) = match way {
        Way::Forward(from) => (from, ">", "ASC"),
        Way::Backward(from) => (from, "<", "DESC"),
    };
    let mut sql = format!("SELECT i.place, i.n FROM {} WHERE {open}", condition.tables());
    sql.push_str(&condition.sql);
    if filter.by_me && filter.queue.is_some() {
        sql.push_str(" AND i.queue = ?");
    }
    if from.is_some() {
        sql.push_str(&format!(" AND i.place {compare} ?"));
    }
    sql.push_str(&format!(" ORDER BY i.place {order}"));

    let mut statements = Vec::new();
    for _ in 0..streams {
        statements.push(conn.prepare_cached(&sql)?);
    }
    let mut merged = Vec::new();
    for (i, statement) in statements.iter_mut().enumerate() {
        let queue = queues.get(i).map(|q| Value::Integer(*q));
        let mut values = Vec::new();
        match filter.by_me {
            true => {
                values.extend(condition.values.clone());
                // A queue that never was matches nothing.
                values.extend(filter.queue.is_some().then(|| queue.unwrap_or(Value::Null)));
            }
            false => {
                values.extend(queue);
                values.extend(condition.values.clone());
            }
        }
        values.extend(from.clone().map(Value::Blob));
        merged.push(Stream::new(statement, values)?);
    }
    let forward = matches!(way, Way::Forward(_));
    while let Some(stream) = first(&mut merged, forward) {
        let Some(step) = stream.next.take() else { break };
        stream.advance()?;
        if !visit(&step)? {
            break;
        }
    }
    Ok(())
}

/// The queues that the filter looks at.
fn queues(conn: &Connection, filter: &Filter) -> Done<Vec<i64>> {
    match &filter.queue {
        Some(name) => Ok(names::queue(conn, name)?.into_iter().collect()),
        None => {
            let mut all = conn.prepare_cached("SELECT k FROM queues ORDER BY k")?;
            let rows = all.query_map((), |r| r.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        }
    }
}

/// One index, read as far as needed.
struct Stream<'s> {
    rows: Rows<'s>,
    next: Option<Step>,
}

impl<'s> Stream<'s> {
    fn new(statement: &'s mut Statement<'_>, values: Vec<Value>) -> Done<Self> {
        let mut stream = Self { rows: statement.query(params_from_iter(values))?, next: None };
        stream.advance()?;
        Ok(stream)
    }

    fn advance(&mut self) -> Done<()> {
        self.next = match self.rows.next()? {
            Some(row) => Some(Step { place: row.get(0)?, n: row.get(1)? }),
            None => None,
        };
        Ok(())
    }
}

/// The stream whose next step comes first.
fn first<'a, 's>(streams: &'a mut [Stream<'s>], forward: bool) -> Option<&'a mut Stream<'s>> {
    let mut best: Option<&mut Stream<'s>> = None;
    for stream in streams {
        let Some(step) = &stream.next else { continue };
        let before = |other: &Step| (step.place < other.place) == forward;
        if best.as_ref().and_then(|b| b.next.as_ref()).is_none_or(before) {
            best = Some(stream);
        }
    }
    best
}
