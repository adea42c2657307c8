//! Effects that have not gone out, and lines that are no records.

use deadpool_postgres::ClientWrapper;

use super::{Value, get, maybe, rows, text};
use crate::domain::Timestamp;
use crate::store::postgres::fault::{Done, count, damaged, int};
use crate::store::postgres::text::T;
use crate::store::rows::{time, unjson};
use crate::store::{
    DeadLetter, EffectState, OutgoingAsk, OutgoingCount, StoredDeadLetter, StoredEffect,
};

/// Effects that have not gone out, oldest first.
pub(in crate::store::postgres) async fn outgoing(
    client: &ClientWrapper,
    ask: &OutgoingAsk,
) -> Done<Vec<StoredEffect>> {
    let which = match ask.state {
        EffectState::Waiting => "NOT dead AND NOT held",
        EffectState::Held => "NOT dead AND held",
        EffectState::Dead => "dead",
    };
    let (after, due) = (int(ask.after), ask.due_at.map_or(i64::MAX, Timestamp::as_millisecond));
    let kind = ask.kind.as_deref().map(T);
    let mut values: Vec<&Value<'_>> = vec![&after, &due];
    let mut of_kind = "";
    if let Some(kind) = &kind {
        of_kind = "AND kind = $3";
        values.push(kind);
    }
    let limit = ask.limit;
    let payload = if ask.bare { "'null'::text" } else { "payload" };
    let sql = format!(
        "SELECT number, key, kind, item, {payload}, at, attempts, next_at, error FROM outbox
         WHERE NOT done AND {which} AND number > $1 AND next_at <= $2 {of_kind}
         ORDER BY number LIMIT {limit}"
    );
    let mut found = Vec::new();
    for row in rows(client, &sql, &values).await? {
        let next: i64 = get(&row, 7)?;
        let attempts: i32 = get(&row, 6)?;
        found.push(StoredEffect {
            number: count(get(&row, 0)?),
            key: text(&row, 1)?,
            kind: text(&row, 2)?,
            item: text(&row, 3)?,
            payload: unjson(&text(&row, 4)?, "an effect")?,
            at: time(get(&row, 5)?)?,
            state: ask.state,
            attempts: u32::try_from(attempts).map_err(|_| damaged("an effect"))?,
            next_at: Some(next).filter(|ms| *ms != 0).map(time).transpose()?,
            error: maybe(&row, 8)?,
        });
    }
    Ok(found)
}

/// How many have not gone out.
pub(in crate::store::postgres) async fn outgoing_count(
    client: &ClientWrapper,
) -> Done<OutgoingCount> {
    let sql = "SELECT dead, held, count(*) FROM outbox WHERE NOT done GROUP BY dead, held";
    let mut counts = OutgoingCount::default();
    for row in rows(client, sql, &[]).await? {
        let of = match (get(&row, 0)?, get(&row, 1)?) {
            (true, _) => &mut counts.dead,
            (false, true) => &mut counts.held,
            (false, false) => &mut counts.waiting,
        };
        *of += count(get(&row, 2)?);
    }
    Ok(counts)
}

/// Dead letters with number > `after`.
pub(in crate::store::postgres) async fn dead_letters(
    client: &ClientWrapper,
    after: u64,
    limit: usize,
) -> Done<Vec<StoredDeadLetter>> {
    let sql = format!(
        "SELECT number, source, line, reason, message, bytes, at FROM dead_letters
         WHERE number > $1 ORDER BY number LIMIT {limit}"
    );
    let mut found = Vec::new();
    for row in rows(client, &sql, &[&int(after)]).await? {
        found.push(StoredDeadLetter {
            number: count(get(&row, 0)?),
            letter: DeadLetter {
                source: text(&row, 1)?,
                line: count(get(&row, 2)?),
                reason: text(&row, 3)?,
                message: text(&row, 4)?,
                bytes: get(&row, 5)?,
                at: time(get(&row, 6)?)?,
            },
        });
    }
    Ok(found)
}
