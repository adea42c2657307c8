//! Windows of what was measured.

use deadpool_postgres::ClientWrapper;

use super::{Value, get, rows, text};
use crate::domain::Timestamp;
use crate::store::postgres::fault::Done;
use crate::store::postgres::text::T;
use crate::store::rows::time;
use crate::store::{WindowAsk, WindowRow};

/// The starts there are, found by one seek each: a slice is then looked up start by start,
/// instead of reading all slices of all starts.
const STARTS: &str = "WITH RECURSIVE starts(s) AS (
         SELECT (SELECT min(start) FROM windows WHERE tier = $1 AND start >= $2)
         UNION ALL
         SELECT (SELECT min(start) FROM windows WHERE tier = $1 AND start > s)
         FROM starts WHERE s < $3)";

/// Windows by start, slice and part.
pub(in crate::store::postgres) async fn windows(
    client: &ClientWrapper,
    ask: &WindowAsk,
) -> Done<Vec<WindowRow>> {
    let tier = i16::from(ask.tier);
    let (from, to) = (ask.from.as_millisecond(), ask.to.as_millisecond());
    let (slice, part) = (ask.slice.as_deref().map(T), ask.part.as_deref().map(T));
    let mut values: Vec<&Value<'_>> = vec![&tier, &from, &to];
    let mut sql = String::new();
    match &slice {
        None => sql.push_str(
            "SELECT w.start, w.slice, w.part, w.value FROM windows w
             WHERE w.tier = $1 AND w.start >= $2 AND w.start < $3",
        ),
        Some(slice) => {
            values.push(slice);
            sql.push_str(STARTS);
            sql.push_str(
                " SELECT w.start, w.slice, w.part, w.value
                 FROM starts JOIN windows w ON w.tier = $1 AND w.start = s
                 WHERE s < $3 AND md5(w.slice) = md5($4) AND w.slice = $4",
            );
        }
    }
    match &part {
        None => {}
        // As a literal, so that the index of the counts can be used.
        Some(T("")) => sql.push_str(" AND w.part = ''"),
        Some(part) => {
            values.push(part);
            let at = values.len();
            sql.push_str(&format!(" AND md5(w.part) = md5(${at}) AND w.part = ${at}"));
        }
    }
    let mut found = Vec::new();
    for row in rows(client, &sql, &values).await? {
        let start: Timestamp = time(get(&row, 0)?)?;
        let (slice, part, value) = (text(&row, 1)?, text(&row, 2)?, get(&row, 3)?);
        found.push(WindowRow { tier: ask.tier, start, slice, part, value });
    }
    found.sort_by(|a, b| (a.start, &a.slice, &a.part).cmp(&(b.start, &b.slice, &b.part)));
    Ok(found)
}
