//! Names that many rows share, as small numbers: queues, and the shapes of decisions.

use std::collections::HashMap;

use deadpool_postgres::ClientWrapper;
use sha2::{Digest as _, Sha256};

use super::fault::Done;
use super::text::{T, stored};
use crate::domain::Route;
use crate::store::Columns;
use crate::store::rows::json;
use crate::store::rows::shape::{Shape, digest};

/// More shapes than this are not kept in memory.
const KEPT: usize = 10_000;

/// Numbers of names known already; another node may know more.
#[derive(Debug, Default)]
pub(super) struct Names {
    shapes: HashMap<u64, Vec<(Shape, i64)>>,
    queues: HashMap<String, i64>,
}

impl Names {
    /// The number of the shape of a decision; it gets one if it is new.
    pub(super) async fn shape(
        &mut self,
        client: &ClientWrapper,
        route: &Route,
        columns: &Columns,
    ) -> Done<i64> {
        let key = digest(route, columns);
        let known = self.shapes.get(&key).into_iter().flatten();
        if let Some((_, k)) = known.into_iter().find(|(shape, _)| shape.is_of(route, columns)) {
            return Ok(*k);
        }
        let shape = Shape::of(route, columns);
        let k = insert(client, &shape).await?;
        if self.shapes.len() >= KEPT {
            self.shapes.clear();
        }
        self.shapes.entry(key).or_default().push((shape, k));
        Ok(k)
    }

    /// The number of a queue; it gets one if it is new.
    pub(super) async fn queue(&mut self, client: &ClientWrapper, name: &str) -> Done<i64> {
        if let Some(k) = self.queues.get(name) {
            return Ok(*k);
        }
        let insert = "INSERT INTO queues(name) VALUES ($1) ON CONFLICT DO NOTHING";
        client.execute(&client.prepare_cached(insert).await?, &[&T(name)]).await?;
        let find = client.prepare_cached("SELECT k FROM queues WHERE name = $1").await?;
        let k = client.query_one(&find, &[&T(name)]).await?.try_get(0)?;
        self.queues.insert(name.to_owned(), k);
        Ok(k)
    }
}

async fn insert(client: &ClientWrapper, shape: &Shape) -> Done<i64> {
    let route = json(&Route { rule: String::new(), ..shape.route.clone() })?;
    let s = shape;
    let mut all = Sha256::new();
    for part in [&s.domain, &s.action, &s.model, &s.version, &s.route.rule, &route] {
        all.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        all.update(part);
    }
    all.update([s.level]);
    let all: [u8; 32] = all.finalize().into();
    let insert = client
        .prepare_cached(
            "INSERT INTO shapes(digest, domain, action, model, version, level, rule, outcome,
                 tags, route)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
        )
        .await?;
    let tags: Vec<_> = s.route.tags.iter().map(|tag| stored(tag)).collect();
    client
        .execute(
            &insert,
            &[
                &&all[..],
                &T(&s.domain),
                &T(&s.action),
                &T(&s.model),
                &T(&s.version),
                &i16::from(s.level),
                &T(&s.route.rule),
                &s.route.outcome.as_str(),
                &tags,
                &T(&route),
            ],
        )
        .await?;
    let find = client.prepare_cached("SELECT k FROM shapes WHERE digest = $1").await?;
    Ok(client.query_one(&find, &[&&all[..]]).await?.try_get(0)?)
}
