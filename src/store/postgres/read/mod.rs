//! Reads: what is stored, as rows say it.
//!
//! Each runs on one of the pool's read-only connections; what needs several statements runs in one
//! snapshot ([`super::Postgres::snapshot_read`]).

use std::collections::BTreeMap;

use deadpool_postgres::ClientWrapper;

use super::fault::Done;
use crate::domain::{Item, Review, Reviewer, Timestamp};
use crate::store::*;

fn not_yet(what: &str) -> super::fault::Fail {
    StoreError::Io { doing: what.to_owned(), cause: "it is not there yet".to_owned() }.into()
}

pub(super) async fn snapshot(_client: &ClientWrapper) -> Done<Snapshot> {
    Err(not_yet("snapshot"))
}

pub(super) async fn head(_client: &ClientWrapper) -> Done<u64> {
    Err(not_yet("head"))
}

pub(super) async fn decision(_client: &ClientWrapper, _id: &str) -> Done<Option<StoredDecision>> {
    Err(not_yet("decision"))
}

pub(super) async fn known(_client: &ClientWrapper, _ids: &[&str]) -> Done<Vec<bool>> {
    Err(not_yet("known"))
}

pub(super) async fn reviews(_client: &ClientWrapper, _id: &str) -> Done<Vec<Review>> {
    Err(not_yet("reviews"))
}

pub(super) async fn review(_client: &ClientWrapper, _request_id: &str) -> Done<Option<Review>> {
    Err(not_yet("review"))
}

pub(super) async fn lease_of(
    _client: &ClientWrapper,
    _id: &str,
    _wall: Timestamp,
) -> Done<Option<Lease>> {
    Err(not_yet("lease_of"))
}

pub(super) async fn blind_answer(
    _client: &ClientWrapper,
    _id: &str,
    _reviewer: &str,
) -> Done<Option<StoredAnswer>> {
    Err(not_yet("blind_answer"))
}

pub(super) async fn page(_client: &ClientWrapper, _ask: &PageQuery) -> Done<StoredPage> {
    Err(not_yet("page"))
}

pub(super) async fn queues(
    _client: &ClientWrapper,
    _now: Timestamp,
    _wall: Timestamp,
) -> Done<Vec<QueueCount>> {
    Err(not_yet("queues"))
}

pub(super) async fn needed(_client: &ClientWrapper) -> Done<BTreeMap<String, String>> {
    Err(not_yet("needed"))
}

pub(super) async fn seen(_client: &ClientWrapper) -> Done<Seen> {
    Err(not_yet("seen"))
}

pub(super) async fn graces_over(
    _client: &ClientWrapper,
    _wall: Timestamp,
    _limit: usize,
) -> Done<Vec<Item>> {
    Err(not_yet("graces_over"))
}

pub(super) async fn overdue(
    _client: &ClientWrapper,
    _now: Timestamp,
    _limit: usize,
) -> Done<Vec<Item>> {
    Err(not_yet("overdue"))
}

pub(super) async fn reviewers(_client: &ClientWrapper) -> Done<Vec<Reviewer>> {
    Err(not_yet("reviewers"))
}

pub(super) async fn reviewer(_client: &ClientWrapper, _name: &str) -> Done<Option<Reviewer>> {
    Err(not_yet("reviewer"))
}

pub(super) async fn policy(
    _client: &ClientWrapper,
    _hash: Option<&str>,
) -> Done<Option<StoredPolicy>> {
    Err(not_yet("policy"))
}

pub(super) async fn counts(_client: &ClientWrapper) -> Done<Counts> {
    Err(not_yet("counts"))
}

pub(super) async fn entries(
    _client: &ClientWrapper,
    _id: Option<&str>,
    _from: u64,
    _limit: usize,
) -> Done<Vec<(u64, Vec<u8>)>> {
    Err(not_yet("entries"))
}

pub(super) async fn corrections(
    _client: &ClientWrapper,
    _since: Option<Timestamp>,
    _after: u64,
    _limit: usize,
) -> Done<Vec<StoredCorrection>> {
    Err(not_yet("corrections"))
}

pub(super) async fn dead_letters(
    _client: &ClientWrapper,
    _after: u64,
    _limit: usize,
) -> Done<Vec<StoredDeadLetter>> {
    Err(not_yet("dead_letters"))
}

pub(super) async fn draft(
    _client: &ClientWrapper,
    _item: &str,
    _reviewer: &str,
) -> Done<Option<Vec<u8>>> {
    Err(not_yet("draft"))
}

pub(super) async fn outgoing(
    _client: &ClientWrapper,
    _ask: &OutgoingAsk,
) -> Done<Vec<StoredEffect>> {
    Err(not_yet("outgoing"))
}

pub(super) async fn outgoing_count(_client: &ClientWrapper) -> Done<OutgoingCount> {
    Err(not_yet("outgoing_count"))
}

pub(super) async fn state(_client: &ClientWrapper, _key: &str) -> Done<Option<StoredState>> {
    Err(not_yet("state"))
}

pub(super) async fn states(
    _client: &ClientWrapper,
    _prefix: &str,
) -> Done<Vec<(String, StoredState)>> {
    Err(not_yet("states"))
}

pub(super) async fn windows(_client: &ClientWrapper, _ask: &WindowAsk) -> Done<Vec<WindowRow>> {
    Err(not_yet("windows"))
}

pub(super) async fn follow(
    _client: &ClientWrapper,
    _from: u64,
    _limit: usize,
) -> Done<Vec<Followed>> {
    Err(not_yet("follow"))
}

pub(super) async fn automatic(_client: &ClientWrapper, _ask: &AutomaticAsk) -> Done<AutomaticPage> {
    Err(not_yet("automatic"))
}

pub(super) async fn tally(_client: &ClientWrapper) -> Done<Vec<Tally>> {
    Err(not_yet("tally"))
}

pub(super) async fn lately(_client: &ClientWrapper, _now: Timestamp) -> Done<Lately> {
    Err(not_yet("lately"))
}

pub(super) async fn flowed(
    _client: &ClientWrapper,
    _now: Timestamp,
    _since: Option<Timestamp>,
) -> Done<Flowed> {
    Err(not_yet("flowed"))
}

pub(super) async fn open_in_cohort(
    _client: &ClientWrapper,
    _dimension: &str,
    _group: &str,
) -> Done<u64> {
    Err(not_yet("open_in_cohort"))
}

pub(super) async fn last_checkpoint(_client: &ClientWrapper) -> Done<Option<String>> {
    Err(not_yet("last_checkpoint"))
}

pub(super) async fn tile(
    _client: &ClientWrapper,
    _level: u8,
    _index: u64,
    _width: u64,
) -> Done<Vec<u8>> {
    Err(not_yet("tile"))
}

pub(super) async fn feed(_client: &ClientWrapper, _sink: &mut dyn TrailSink) -> Done<()> {
    Err(not_yet("feed"))
}
