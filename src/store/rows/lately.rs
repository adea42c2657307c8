//! What happened lately: how far back anybody looks, and what is made of counts by kind.

use std::collections::BTreeMap;

use crate::store::Automatic;

/// Decisions looked through at most: an hour of some fourteen a second.
pub(in crate::store) const SCAN: i64 = 50_000;
/// Reviews looked through at most.
pub(in crate::store) const REVIEWS: i64 = 20_000;

pub(in crate::store) const MINUTE: i64 = 60_000;
pub(in crate::store) const HOUR: i64 = 3_600_000;
pub(in crate::store) const DAY: i64 = 24 * HOUR;
/// Within this many milliseconds an item is due soon.
pub(in crate::store) const SOON: i64 = 5 * MINUTE;

/// Decisions by domain, action, model and version.
pub(in crate::store) type Kinds = BTreeMap<(String, String, String, String), u64>;

/// In the order of their kinds.
pub(in crate::store) fn by_kind(kinds: Kinds) -> Vec<Automatic> {
    let one = |((domain, action, model, version), decisions)| Automatic {
        domain,
        action,
        model,
        version,
        decisions,
    };
    kinds.into_iter().map(one).collect()
}

/// Verdicts by queue and by hours before now.
pub(in crate::store) type Hours = BTreeMap<String, BTreeMap<i64, u64>>;

/// The mean over the hours in which there was a verdict.
pub(in crate::store) fn throughput(hours: Hours) -> BTreeMap<String, f64> {
    // Counts of a day are exact in a double.
    #[allow(clippy::cast_precision_loss, reason = "at most 20,000")]
    let mean = |hours: BTreeMap<i64, u64>| hours.values().sum::<u64>() as f64 / hours.len() as f64;
    hours.into_iter().map(|(queue, hours)| (queue, mean(hours))).collect()
}
