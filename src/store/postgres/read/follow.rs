//! Following the log: each entry with the decision and the review it is about.

use deadpool_postgres::ClientWrapper;

use super::decisions::{WHOLE, WHOLE_FROM, whole, whole_columns};
use super::{get, reviews, rows};
use crate::store::Followed;
use crate::store::postgres::fault::{Done, count, int};
use crate::store::rows::entry::request;

/// Entries from `from` on. One statement finds entry, decision, record and item, another the
/// reviews, which few entries have.
pub(in crate::store::postgres) async fn follow(
    client: &ClientWrapper,
    from: u64,
    limit: usize,
) -> Done<Vec<Followed>> {
    let sql = format!(
        "SELECT {}, l.idx, l.bytes
         FROM (SELECT idx, item, bytes FROM log WHERE idx >= $1 ORDER BY idx LIMIT {limit}) l
             LEFT JOIN (decisions d {WHOLE_FROM}) ON d.n = coalesce(l.item, l.idx)
         ORDER BY l.idx",
        whole_columns()
    );
    let mut found = Vec::new();
    for row in rows(client, &sql, &[&int(from)]).await? {
        let decision = match get::<Option<i64>>(&row, 0)? {
            Some(_) => Some(whole(&row)?),
            None => None,
        };
        let (index, entry) = (count(get(&row, WHOLE)?), get(&row, WHOLE + 1)?);
        found.push(Followed { index, entry, decision, review: None });
    }
    let mut requests = Vec::new();
    for (place, followed) in found.iter().enumerate() {
        if let Some(request) = request(&followed.entry)? {
            requests.push((place, request.into_owned()));
        }
    }
    let asked: Vec<&str> = requests.iter().map(|(_, r)| r.as_str()).collect();
    let known = reviews::of_requests(client, &asked).await?;
    for (place, request) in &requests {
        if let Some(followed) = found.get_mut(*place) {
            followed.review = known.get(request).cloned();
        }
    }
    Ok(found)
}
