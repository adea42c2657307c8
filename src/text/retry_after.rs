//! `Retry-After` of an HTTP answer (RFC 9110 §10.2.3): seconds, or a date.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// How long a service asks to be left alone, from `now`: nothing where its date has passed, `None`
/// where it says neither seconds nor a date. The caller says how long it is willing to wait.
///
/// ```
/// use std::time::Duration;
/// use overrule::text::retry_after;
///
/// let now = "2026-11-22T12:00:00Z".parse().unwrap();
/// assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
/// assert_eq!(retry_after("Sun, 22 Nov 2026 12:00:30 GMT", now), Some(Duration::from_secs(30)));
/// assert_eq!(retry_after("soon", now), None);
/// ```
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    // (Seconds that no integer holds are still a number.)
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_or_a_date() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let wait = |text| retry_after(text, now);
        assert_eq!(wait(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(wait("0"), Some(Duration::ZERO));
        assert_eq!(wait("Sun, 22 Nov 2026 12:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(wait("Sun, 22 Nov 2026 11:00:00 GMT"), Some(Duration::ZERO), "it has passed");
        for neither in ["soon", "", "-5", "1.5", "2026-11-22T12:00:30Z"] {
            assert_eq!(wait(neither), None, "{neither:?}");
        }
        assert_eq!(wait(&"9".repeat(40)), Some(Duration::from_secs(u64::MAX)));
    }
}
