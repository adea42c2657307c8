//! Working hours of a queue, and when an SLA that runs only in them is over.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

/// Working hours such as `Mon-Fri 08:00-18:00, Sat 09:00-12:00 Europe/Berlin`.
///
/// Spans are half-open and may end at `24:00` or run past midnight (`22:00-06:00` belongs to the
/// day it begins on). Zones come from the time zone database built into the program, so that the
/// same policy gives the same times everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Hours {
    text: String,
    zone: TimeZone,
    spans: Vec<Span>,
}

/// One span of one weekday, in minutes from its midnight; `end` may pass 1440.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    day: Weekday,
    start: u16,
    end: u16,
}

const DAY: u16 = 1440;

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Hours {
    /// Parse the form above. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let (spans, zone) = trimmed.rsplit_once(char::is_whitespace).ok_or_else(|| {
            "working hours end with a time zone, e.g. Mon-Fri 08:00-18:00 Europe/Berlin".to_owned()
        })?;
        let zone = if zone.eq_ignore_ascii_case("utc") {
            TimeZone::UTC
        } else {
            TimeZoneDatabase::bundled().get(zone).map_err(|_| {
                format!("`{zone}` is not a time zone; write e.g. Europe/Berlin or UTC")
            })?
        };
        let mut parsed = Vec::new();
        for part in spans.split(',') {
            // A day list has commas of its own: `Mon,Wed 09:00-12:00`.
            parsed.push(part.trim());
        }
        let spans = read_spans(&parsed)?;
        Ok(Self { text: trimmed.to_owned(), zone, spans })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Is `at` within working hours?
    pub fn open(&self, at: Timestamp) -> bool {
        let date = at.to_zoned(self.zone.clone()).date();
        let days = [date.yesterday().ok(), Some(date)];
        days.into_iter().flatten().flat_map(|d| self.on(d)).any(|(s, e)| s <= at && at < e)
    }

    /// When `work` of working time has passed after `entered`. `None` beyond the calendar.
    pub fn after(&self, entered: Timestamp, work: SignedDuration) -> Option<Timestamp> {
        let mut left = work;
        // The day before may reach past midnight.
        let first = entered.to_zoned(self.zone.clone()).date();
        let mut date = first.yesterday().unwrap_or(first);
        loop {
            for (start, end) in self.on(date) {
                let start = start.max(entered);
                let span = end.duration_since(start);
                if span <= SignedDuration::ZERO {
                    continue;
                }
                if left <= span {
                    return start.checked_add(left).ok();
                }
                left -= span;
            }
            date = date.tomorrow().ok()?;
        }
    }

    /// The spans that begin on `date`, as instants, in order. Around a change of the clocks a
    /// span is as long as it really is.
    fn on(&self, date: Date) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let instant = move |minutes: u16| {
            let (day, minutes) = (i64::from(minutes / DAY), minutes % DAY);
            let date = date.checked_add(SignedDuration::from_hours(24 * day)).ok()?;
            let hour = i8::try_from(minutes / 60).ok()?;
            let minute = i8::try_from(minutes % 60).ok()?;
            let time = Time::new(hour, minute, 0, 0).ok()?;
            self.zone.to_ambiguous_timestamp(date.to_datetime(time)).compatible().ok()
        };
        let today = self.spans.iter().filter(move |s| s.day == date.weekday());
        today.filter_map(move |s| Some((instant(s.start)?, instant(s.end)?)))
    }
}

impl Serialize for Hours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// `["Mon-Wed", "Fri 08:00-18:00", "Sat 09:00-12:00"]` → spans by day and start.
fn read_spans(parts: &[&str]) -> Result<Vec<Span>, String> {
    let mut spans = Vec::new();
    let mut days: Vec<Weekday> = Vec::new();
    for part in parts {
        let (names, times) = match part.split_once(char::is_whitespace) {
            Some((names, times)) => (names, Some(times.trim())),
            None => (*part, None),
        };
        // `Mon-Fri 08:00-12:00, 13:00-17:00`: the days of the part before.
        if names.contains(':') {
            let last = spans_days(&spans);
            if last.is_empty() || times.is_some() {
                return Err(format!("`{part}` names no day; write e.g. Mon-Fri {names}"));
            }
            push(&mut spans, &last, names)?;
            continue;
        }
        days.extend(read_days(names)?);
        if let Some(times) = times {
            push(&mut spans, &days, times)?;
            days.clear();
        }
    }
    if !days.is_empty() || spans.is_empty() {
        return Err("these days have no hours; write e.g. Mon-Fri 08:00-18:00".to_owned());
    }
    check_overlap(&spans)?;
    spans.sort_by_key(|s| (s.day.to_monday_zero_offset(), s.start));
    Ok(spans)
}

/// The days of the spans given last (they share start and end).
fn spans_days(spans: &[Span]) -> Vec<Weekday> {
    let Some(last) = spans.last() else { return Vec::new() };
    let same = spans.iter().rev().take_while(|s| (s.start, s.end) == (last.start, last.end));
    same.map(|s| s.day).collect()
}

fn push(spans: &mut Vec<Span>, days: &[Weekday], times: &str) -> Result<(), String> {
    let wrong = || format!("`{times}` is not a span of hours; write e.g. 08:00-18:00");
    let (start, end) = times.split_once('-').ok_or_else(wrong)?;
    let start = clock(start).filter(|m| *m < DAY).ok_or_else(wrong)?;
    let end = clock(end).ok_or_else(wrong)?;
    if start == end {
        return Err(format!("`{times}` is empty; write 00:00-24:00 for a whole day"));
    }
    let end = if end < start { end + DAY } else { end };
    spans.extend(days.iter().map(|day| Span { day: *day, start, end }));
    Ok(())
}

/// `08:30` in minutes; `24:00` is allowed.
fn clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let digits = |s: &str| (s.len() <= 2 && s.bytes().all(|b| b.is_ascii_digit())).then_some(());
    digits(hours)?;
    digits(minutes)?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= DAY).then_some(total)
}

/// `Mon`, `Mon-Fri`, `Sat-Mon`.
fn read_days(text: &str) -> Result<Vec<Weekday>, String> {
    let day = |name: &str| {
        let folded = name.to_ascii_lowercase();
        DAYS.iter().find(|(n, _)| *n == folded).map(|(_, d)| *d).ok_or_else(|| {
            format!("`{name}` is not a day; write Mon, Tue, Wed, Thu, Fri, Sat or Sun")
        })
    };
    let Some((first, last)) = text.split_once('-') else { return Ok(vec![day(text)?]) };
    let (first, last) = (day(first)?, day(last)?);
    let mut out = vec![first];
    let mut at = first;
    while at != last {
        at = at.next();
        out.push(at);
    }
    Ok(out)
}

/// Two spans may not cover the same minute: working time would count twice.
fn check_overlap(spans: &[Span]) -> Result<(), String> {
    let week = i32::from(DAY) * 7;
    let place = |s: &Span| {
        let start = i32::from(s.day.to_monday_zero_offset()) * i32::from(DAY) + i32::from(s.start);
        (start, start + i32::from(s.end) - i32::from(s.start))
    };
    for (i, a) in spans.iter().enumerate() {
        for b in spans.iter().skip(i + 1) {
            let ((s1, e1), (s2, e2)) = (place(a), place(b));
            let clash = [-week, 0, week].iter().any(|w| s1 < e2 + w && s2 + w < e1);
            if clash {
                return Err("two of these spans overlap".to_owned());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn after(hours: &str, entered: &str, minutes: i64) -> String {
        let hours = Hours::parse(hours).unwrap();
        hours.after(at(entered), SignedDuration::from_mins(minutes)).unwrap().to_string()
    }

    const OFFICE: &str = "Mon-Fri 08:00-18:00 Europe/Berlin";

    #[test]
    fn the_clock_runs_only_in_working_hours() {
        // 2026-11-20 is a Friday; Berlin is UTC+1.
        assert_eq!(after(OFFICE, "2026-11-20T09:00:00Z", 30), "2026-11-20T09:30:00Z");
        assert_eq!(after(OFFICE, "2026-11-20T16:50:00Z", 30), "2026-11-23T07:20:00Z");
        assert_eq!(after(OFFICE, "2026-11-21T12:00:00Z", 30), "2026-11-23T07:30:00Z");
        assert_eq!(after(OFFICE, "2026-11-20T02:00:00Z", 600), "2026-11-20T17:00:00Z");
        assert_eq!(after(OFFICE, "2026-11-20T07:00:00Z", 601), "2026-11-23T07:01:00Z");
    }

    #[test]
    fn changes_of_the_clocks_count_real_time() {
        // Night of 29 March 2026: 02:00 becomes 03:00, so this span has five hours, not six.
        let night = "Sat-Sun 22:00-04:00 Europe/Berlin";
        assert_eq!(after(night, "2026-03-28T21:00:00Z", 300), "2026-03-29T02:00:00Z");
        assert_eq!(after(night, "2026-03-28T21:00:00Z", 301), "2026-03-29T20:01:00Z");
        // Night of 25 October 2026: 03:00 becomes 02:00: seven hours.
        assert_eq!(after(night, "2026-10-24T20:00:00Z", 420), "2026-10-25T03:00:00Z");
        // A span that begins inside the hole begins after it.
        let hole = "Sun 02:30-05:00 Europe/Berlin";
        assert_eq!(after(hole, "2026-03-29T00:00:00Z", 1), "2026-03-29T01:31:00Z");
    }

    #[test]
    fn spans_may_be_many() {
        let split = "Mon-Fri 08:00-12:00, 13:00-17:00, Sat 09:00-12:00 UTC";
        assert_eq!(after(split, "2026-11-20T11:50:00Z", 20), "2026-11-20T13:10:00Z");
        assert_eq!(after(split, "2026-11-20T16:50:00Z", 20), "2026-11-21T09:10:00Z");
        assert_eq!(
            after("Mon,Wed 09:00-10:00 UTC", "2026-11-23T09:30:00Z", 40),
            "2026-11-25T09:10:00Z"
        );
        assert_eq!(
            after("Mon-Sun 00:00-24:00 UTC", "2026-11-20T23:50:00Z", 20),
            "2026-11-21T00:10:00Z"
        );
        let hours = Hours::parse(split).unwrap();
        assert!(hours.open(at("2026-11-20T08:00:00Z")));
        assert!(!hours.open(at("2026-11-20T12:00:00Z")));
    }

    #[test]
    fn counting_minute_by_minute_comes_to_the_same() {
        let hours = [
            OFFICE,
            "Mon-Sun 22:00-02:30 America/New_York",
            "Sun 01:00-04:00, Mon-Tue 23:15-24:00 Europe/Berlin",
            "Wed,Fri 06:00-07:00, Sat 00:00-24:00 Asia/Kolkata",
        ];
        // Starts around both changes of the clocks of 2026, in Berlin and New York.
        let starts = [
            "2026-03-07T20:00:00Z",
            "2026-03-28T20:00:00Z",
            "2026-10-24T20:00:00Z",
            "2026-10-31T20:00:00Z",
        ];
        for text in hours {
            let hours = Hours::parse(text).unwrap();
            for (i, start) in starts.iter().enumerate() {
                let entered = at(start) + SignedDuration::from_mins(37 * (i as i64 + 1));
                let work = 91 + 40 * i as i64;
                let mut now = entered;
                let mut left = work;
                while left > 0 {
                    left -= i64::from(hours.open(now));
                    now += SignedDuration::from_mins(1);
                }
                let due = hours.after(entered, SignedDuration::from_mins(work)).unwrap();
                assert_eq!(due, now, "{text} from {entered}");
            }
        }
    }

    #[test]
    fn bad_hours_say_what_is_wrong() {
        for (text, message) in [
            (
                "Mon-Fri",
                "working hours end with a time zone, e.g. Mon-Fri 08:00-18:00 Europe/Berlin",
            ),
            (
                "Mon-Fri 08:00-18:00 Europe/Berln",
                "`Europe/Berln` is not a time zone; write e.g. Europe/Berlin or UTC",
            ),
            (
                "Mon-Fry 08:00-18:00 UTC",
                "`Fry` is not a day; write Mon, Tue, Wed, Thu, Fri, Sat or Sun",
            ),
            ("Mon-Fri 8-18 UTC", "`8-18` is not a span of hours; write e.g. 08:00-18:00"),
            ("Mon 08:00-08:00 UTC", "`08:00-08:00` is empty; write 00:00-24:00 for a whole day"),
            ("Mon 08:00-12:00, Mon 11:00-13:00 UTC", "two of these spans overlap"),
            ("Sun 22:00-04:00, Mon 03:00-05:00 UTC", "two of these spans overlap"),
            ("Mon 08:00-25:00 UTC", "`08:00-25:00` is not a span of hours; write e.g. 08:00-18:00"),
        ] {
            assert_eq!(Hours::parse(text).unwrap_err(), message, "{text}");
        }
    }
}
