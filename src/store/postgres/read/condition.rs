//! Conditions as SQL: what a filter says, and what lies in a control scope.

use tokio_postgres::types::ToSql;

use super::Value;
use crate::domain::ControlScope;
use crate::store::PageQuery;
use crate::store::postgres::text::T;

/// SQL with the values it mentions, in order.
pub(in crate::store::postgres) struct Sql<'a> {
    pub(in crate::store::postgres) text: String,
    values: Vec<Box<dyn ToSql + Send + Sync + 'a>>,
}

impl<'a> Sql<'a> {
    pub(in crate::store::postgres) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// Give it a value; how the text is to call it (`$1`).
    pub(in crate::store::postgres) fn value(
        &mut self,
        value: impl ToSql + Send + Sync + 'a,
    ) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    /// Go on with more text.
    pub(in crate::store::postgres) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The values as a statement takes them.
    pub(in crate::store::postgres) fn values(&self) -> Vec<&Value<'a>> {
        self.values.iter().map(|v| &**v as &Value<'a>).collect()
    }
}

/// What a filter needs to look at.
pub(super) struct Needs {
    /// Nothing but what the counters are kept by.
    pub(super) counted: bool,
    /// More than the item.
    pub(super) shape: bool,
}

impl Needs {
    pub(super) fn of(ask: &PageQuery) -> Self {
        let filter = &ask.filter;
        let beside = filter.cohort.is_some() || filter.tag.is_some();
        Self {
            counted: !filter.by_me && !beside,
            shape: filter.domain.is_some()
                || filter.model.is_some()
                || filter.rule.is_some()
                || beside,
        }
    }
}

/// Add what a filter says (without queue and free text) of `items i`, `decisions d`, `shapes s`.
pub(super) fn filter<'a>(sql: &mut Sql<'a>, ask: &'a PageQuery) {
    let PageQuery { filter, by, .. } = ask;
    let mut and = |condition: &str, value: &'a str| {
        let value = sql.value(T(value));
        sql.push(" AND ");
        sql.push(&condition.replace('?', &value));
    };
    if let Some(domain) = &filter.domain {
        and("s.domain = ?", domain);
    }
    if let Some(rule) = &filter.rule {
        and("s.rule = ?", rule);
    }
    if let Some(model) = &filter.model {
        and("(s.model = ? OR s.model || '@' || s.version = ?)", model);
    }
    if let Some(cohort) = &filter.cohort {
        // `group`, or `dimension:group`.
        and(
            "EXISTS (SELECT 1 FROM unnest(d.dims, d.groups) AS c(dim, grp)
                 WHERE c.grp = ? OR c.dim || ':' || c.grp = ?)",
            cohort,
        );
    }
    if let Some(tag) = &filter.tag {
        and(
            "(? = ANY(d.tags) OR ? = ANY(s.tags) OR EXISTS (SELECT 1 FROM reviews r
                 WHERE r.item = i.n AND NOT r.undone AND ? = ANY(r.tags)))",
            tag,
        );
    }
    if filter.by_me {
        and("i.n IN (SELECT r.item FROM reviews r WHERE r.reviewer = ? AND NOT r.undone)", by);
    }
    for (compare, level) in [("=", filter.level), ("<=", ask.up_to)] {
        if let Some(level) = level {
            let level = sql.value(i16::from(level));
            sql.push(&format!(" AND i.level {compare} {level}"));
        }
    }
}

/// Add what lies in a scope, as a condition on `decisions d JOIN shapes s`.
pub(in crate::store::postgres) fn scope<'a>(sql: &mut Sql<'a>, scope: &'a ControlScope) {
    let mut say = |condition: &str, words: &[&'a str]| {
        let mut condition = condition.to_owned();
        for word in words {
            let value = sql.value(T(word));
            condition = condition.replacen('?', &value, 1);
        }
        sql.push(&condition);
    };
    match scope {
        ControlScope::All => say("true", &[]),
        ControlScope::Domain(domain) => say("s.domain = ?", &[domain]),
        ControlScope::Model { name, version: None } => say("s.model = ?", &[name]),
        ControlScope::Model { name, version: Some(version) } => {
            say("s.model = ? AND s.version = ?", &[name, version]);
        }
        ControlScope::Action(action) => say("s.action = ?", &[action]),
        ControlScope::Cohort { dimension, group } => say(
            "EXISTS (SELECT 1 FROM unnest(d.dims, d.groups) AS c(dim, grp)
                 WHERE c.dim = ? AND c.grp = ?)",
            &[dimension, group],
        ),
    }
}
