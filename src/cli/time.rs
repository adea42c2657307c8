//! Times and durations as people write and read them.

use jiff::{SignedDuration, Span, Timestamp, tz::TimeZone};

use crate::text::time::left;

/// A duration on the command line: `5s`, `2m`, `1h 30m`, or ISO 8601.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    let duration = text
        .parse::<SignedDuration>()
        .map_err(|_| format!("`{text}` is not a duration; write 10s, 5m or 1h"))?;
    if duration.is_negative() {
        return Err(format!("`{text}` lies in the past; write 10s, 5m or 1h"));
    }
    Ok(duration)
}

/// A point in time on the command line: RFC 3339, a date (from midnight UTC), or how long ago.
#[derive(Clone, Debug)]
pub enum Since {
    At(Timestamp),
    Ago(Span),
}

impl Since {
    /// Read one.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        if let Ok(date) = text.parse::<jiff::civil::Date>()
            && let Ok(zoned) = date.to_zoned(TimeZone::UTC)
        {
            return Ok(Self::At(zoned.timestamp()));
        }
        match text.parse::<Span>() {
            Ok(span) if !span.is_negative() => Ok(Self::Ago(span)),
            _ => Err(format!(
                "`{text}` is not a time; write 2026-05-01, 2026-05-01T09:00:00Z, or how long ago: 24h, 7d"
            )),
        }
    }

    /// The point in time, seen from `now`.
    pub fn seen_from(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(*at),
            Self::Ago(span) => {
                now.to_zoned(TimeZone::UTC).checked_sub(*span).ok().map(|z| z.timestamp())
            }
        }
    }
}

/// When something is due, seen from `now`: `9m`, `late 3m`, `–` without a clock.
pub fn due(now: Timestamp, at: Option<Timestamp>) -> String {
    at.map_or_else(|| "–".to_owned(), |at| left(at.duration_since(now)))
}

/// To the second, UTC.
pub fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn durations() {
        assert_eq!(duration("5s").unwrap().as_millis(), 5000);
        assert_eq!(duration("1h 30m").unwrap().as_secs(), 5400);
        assert!(duration("soon").unwrap_err().contains("write 10s"));
        assert!(duration("-5s").is_err());
    }

    #[test]
    fn since_takes_times_dates_and_spans() {
        let now = at("2026-05-02T12:00:00Z");
        for (text, expected) in [
            ("2026-05-01T09:00:00Z", "2026-05-01T09:00:00Z"),
            ("2026-05-01", "2026-05-01T00:00:00Z"),
            ("24h", "2026-05-01T12:00:00Z"),
            ("7d", "2026-04-25T12:00:00Z"),
        ] {
            assert_eq!(Since::parse(text).unwrap().seen_from(now), Some(at(expected)), "{text}");
        }
        assert!(Since::parse("yesterday-ish").is_err());
    }

    #[test]
    fn due_times_are_relative() {
        let now = at("2026-05-02T12:00:00Z");
        assert_eq!(due(now, Some(at("2026-05-02T12:09:30Z"))), "9m");
        assert_eq!(due(now, Some(at("2026-05-02T11:57:00Z"))), "late 3m");
        assert_eq!(due(now, None), "–");
    }
}
