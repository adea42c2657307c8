//! Durations as people say them at a glance: `9m`, `2h`, `late 3m`, `28m ago`.

use jiff::SignedDuration;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How long, in at most four characters up to 999 days: whole units, rounded down, the sign
/// dropped. A unit is kept until two of the next one are full, so that `119m` is not `1h`.
///
/// ```
/// use jiff::SignedDuration;
/// use overrule::text::time::short;
///
/// assert_eq!(short(SignedDuration::from_secs(59)), "59s");
/// assert_eq!(short(SignedDuration::from_mins(119)), "119m");
/// assert_eq!(short(SignedDuration::from_hours(47)), "47h");
/// assert_eq!(short(SignedDuration::from_hours(72)), "3d");
/// ```
pub fn short(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().saturating_abs();
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..7200 => format!("{}m", seconds / MINUTE),
        7200..172_800 => format!("{}h", seconds / HOUR),
        _ => format!("{}d", seconds / DAY),
    }
}

/// Time until something is due (due − now): `9m`, or `late 3m` once it has passed.
pub fn left(until: SignedDuration) -> String {
    if until.is_negative() { format!("late {}", short(until)) } else { short(until) }
}

/// Time since something happened (now − then): `28m ago`, `now` within a second, `in 3m` for
/// what lies ahead (another machine's clock).
pub fn ago(since: SignedDuration) -> String {
    match since.as_secs() {
        0 => "now".to_owned(),
        ..0 => format!("in {}", short(since)),
        _ => format!("{} ago", short(since)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(seconds)
    }

    #[test]
    fn left_counts_down_and_then_late() {
        assert_eq!(left(s(9 * 60 + 59)), "9m");
        assert_eq!(left(s(0)), "0s");
        assert_eq!(left(s(-1)), "late 1s");
        assert_eq!(left(s(-3 * 60)), "late 3m");
        assert_eq!(left(s(2 * HOUR)), "2h");
        assert_eq!(left(s(2 * HOUR - 1)), "119m");
        assert_eq!(left(s(2 * DAY)), "2d");
    }

    #[test]
    fn ago_looks_back() {
        assert_eq!(ago(s(0)), "now");
        assert_eq!(ago(s(28 * 60)), "28m ago");
        assert_eq!(ago(s(-180)), "in 3m");
        assert_eq!(ago(s(i64::MAX)), format!("{}d ago", i64::MAX / DAY));
        assert_eq!(ago(SignedDuration::MIN), format!("in {}d", i64::MAX / DAY));
    }
}
