//! Where the store stands, and the small tables: people, policies, counters, states, drafts.

use deadpool_postgres::ClientWrapper;

use super::{get, maybe, one, row, rows, text};
use crate::domain::{Reviewer, Timestamp};
use crate::store::postgres::fault::{Done, count, damaged};
use crate::store::postgres::text::{T, stored};
use crate::store::rows::{time, unjson};
use crate::store::{Counts, Snapshot, StoredPolicy, StoredState};

/// Everything a decision is taken on.
pub(in crate::store::postgres) async fn snapshot(client: &ClientWrapper) -> Done<Snapshot> {
    let found = row(
        client,
        "SELECT s.size, s.generation, s.policy, m.record_clock, s.desk, m.key, m.origin,
             s.decisions, s.automatic
         FROM state s, meta m",
        &[],
    )
    .await?;
    let row = one(found, "where the store stands")?;
    let key: &[u8] = get(&row, 5)?;
    Ok(Snapshot {
        head: count(get(&row, 0)?),
        generation: count(get(&row, 1)?),
        policy: maybe(&row, 2)?,
        record_clock: get(&row, 3)?,
        desk_time: time(get(&row, 4)?)?,
        key: key.try_into().map_err(|_| damaged("the store's key"))?,
        origin: text(&row, 6)?,
        decisions: count(get(&row, 7)?),
        automatic: count(get(&row, 8)?),
    })
}

/// Number of log entries.
pub(in crate::store::postgres) async fn head(client: &ClientWrapper) -> Done<u64> {
    let found = row(client, "SELECT size FROM state", &[]).await?;
    Ok(count(get(&one(found, "the head of the log")?, 0)?))
}

/// All reviewers, by name.
pub(in crate::store::postgres) async fn reviewers(client: &ClientWrapper) -> Done<Vec<Reviewer>> {
    let found = rows(client, "SELECT row FROM reviewers", &[]).await?;
    let mut people = found.iter().map(person).collect::<Done<Vec<_>>>()?;
    people.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(people)
}

/// One reviewer.
pub(in crate::store::postgres) async fn reviewer(
    client: &ClientWrapper,
    name: &str,
) -> Done<Option<Reviewer>> {
    let found = row(client, "SELECT row FROM reviewers WHERE name = $1", &[&T(name)]).await?;
    found.as_ref().map(person).transpose()
}

fn person(row: &tokio_postgres::Row) -> Done<Reviewer> {
    Ok(unjson(&text(row, 0)?, "a reviewer")?)
}

/// A policy by hash, or the one in force.
pub(in crate::store::postgres) async fn policy(
    client: &ClientWrapper,
    hash: Option<&str>,
) -> Done<Option<StoredPolicy>> {
    let found = row(
        client,
        "SELECT p.hash, p.name, p.source, p.schemas FROM policies p, state s
         WHERE p.hash = coalesce($1, s.policy)",
        &[&hash.map(T)],
    )
    .await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some(StoredPolicy {
        hash: text(&row, 0)?,
        name: text(&row, 1)?,
        source: text(&row, 2)?,
        schemas: unjson(&text(&row, 3)?, "a policy's schemas")?,
    }))
}

/// The counters that facts are made of.
pub(in crate::store::postgres) async fn counts(client: &ClientWrapper) -> Done<Counts> {
    let mut counts = Counts::default();
    let sql = "SELECT cohort, decisions FROM cohort_counts WHERE decisions > 0";
    for row in rows(client, sql, &[]).await? {
        counts.cohorts.insert(text(&row, 0)?, count(get(&row, 1)?));
    }
    for row in rows(client, "SELECT model, at FROM model_first_seen", &[]).await? {
        let at: Timestamp = time(get(&row, 1)?)?;
        counts.models.insert(text(&row, 0)?, at);
    }
    Ok(counts)
}

/// A small state.
pub(in crate::store::postgres) async fn state(
    client: &ClientWrapper,
    key: &str,
) -> Done<Option<StoredState>> {
    let found = row(
        client,
        "SELECT version, value FROM states
         WHERE md5(key) = md5($1) AND key = $1 AND value IS NOT NULL",
        &[&T(key)],
    )
    .await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some(StoredState { version: count(get(&row, 0)?), value: get(&row, 1)? }))
}

/// Small states whose key begins with `$1`; no such key comes before it, and none after `$2`
/// ([`after`]). As an index sees it, which holds the beginnings of keys.
pub(in crate::store::postgres) const STATES: &str = "SELECT key, version, value FROM states
     WHERE left(key, 200) >= left($1, 200) AND left(key, 200) < $2
         AND starts_with(key, $1) AND value IS NOT NULL";

/// A text after the first 200 characters of every text that begins so, and before all others that
/// come after those. Both as they are stored.
pub(in crate::store::postgres) fn after(prefix: &str) -> String {
    let mut chars: Vec<char> = prefix.chars().take(200).collect();
    while let Some(last) = chars.pop() {
        // Between these lie no characters.
        let next = if last == '\u{D7FF}' { '\u{E000}' } else { last };
        let next = if next == last { char::from_u32(u32::from(last) + 1) } else { Some(next) };
        if let Some(next) = next {
            chars.push(next);
            return chars.into_iter().collect();
        }
    }
    // After whatever 200 characters can be.
    char::MAX.to_string().repeat(201)
}

/// All small states whose key begins so, by key.
pub(in crate::store::postgres) async fn states(
    client: &ClientWrapper,
    prefix: &str,
) -> Done<Vec<(String, StoredState)>> {
    let prefix = stored(prefix);
    let found = rows(client, STATES, &[&&*prefix, &after(&prefix)]).await?;
    let mut states = Vec::with_capacity(found.len());
    for row in &found {
        let state = StoredState { version: count(get(row, 1)?), value: get(row, 2)? };
        states.push((text(row, 0)?, state));
    }
    states.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(states)
}

/// A reviewer's draft for an item.
pub(in crate::store::postgres) async fn draft(
    client: &ClientWrapper,
    item: &str,
    reviewer: &str,
) -> Done<Option<Vec<u8>>> {
    let found = row(
        client,
        "SELECT f.bytes FROM drafts f JOIN decisions d ON d.n = f.item
         WHERE d.id = $1 AND f.reviewer = $2",
        &[&T(item), &T(reviewer)],
    )
    .await?;
    found.map(|row| get(&row, 0)).transpose()
}

/// The newest stored checkpoint.
pub(in crate::store::postgres) async fn last_checkpoint(
    client: &ClientWrapper,
) -> Done<Option<String>> {
    let sql = "SELECT note FROM checkpoints ORDER BY number DESC LIMIT 1";
    row(client, sql, &[]).await?.map(|row| text(&row, 0)).transpose()
}
