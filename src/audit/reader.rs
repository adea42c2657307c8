//! Reads the usual entry in one pass: what it accepts is canonical by construction.
//!
//! It expects the fields in their order and strings without escapes, and says nothing about
//! anything else: [`Entry::parse`] then reads it the long way, which also finds the words for what
//! is wrong. Three times as fast as parsing JSON and writing it again to compare.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::EntryKind;
use super::entry::{Commitment, Entry, MAX_INTEGER, RowMark};
use crate::domain::{ItemState, Outcome, Timestamp, VerdictKind};

/// The entry that these bytes are, if they are one of the usual form.
pub(super) fn read(bytes: &[u8]) -> Option<Entry> {
    let mut r = Reader { rest: std::str::from_utf8(bytes).ok()? };
    r.skip("{\"at\":")?;
    let at_text = r.text()?;
    let at = time(at_text)?;
    r.skip(",\"by\":")?;
    let by = r.text()?.to_owned();
    let c = if r.skip(",\"c\":[").is_some() { commitments(&mut r)? } else { Vec::new() };
    let d = if r.skip(",\"d\":{").is_some() { details(&mut r)? } else { BTreeMap::new() };
    let r#gen = r.integer(",\"gen\":")?;
    let id = r.string(",\"id\":")?;
    let outcome = match r.optional(",\"outcome\":")? {
        Some(word) => Some(OUTCOMES.into_iter().find(|o| o.as_str() == word)?),
        None => None,
    };
    let policy = r.string(",\"policy\":")?;
    let queue = r.string(",\"queue\":")?;
    let req = r.string(",\"req\":")?;
    let rev = r.integer(",\"rev\":")?;
    let row = match r.optional(",\"row\":")? {
        Some(text) => Some(RowMark(decode(text)?)),
        None => None,
    };
    let rule = r.string(",\"rule\":")?;
    let state = match r.optional(",\"state\":")? {
        Some(word) => Some(STATES.into_iter().find(|s| s.as_str() == word)?),
        None => None,
    };
    r.skip(",\"t\":")?;
    let word = r.text()?;
    let known = EntryKind::KNOWN.iter().find(|k| k.as_str() == word).cloned();
    let t = known.unwrap_or_else(|| EntryKind::new(word));
    r.skip(",\"v\":1")?;
    let verdict = match r.optional(",\"verdict\":")? {
        Some(word) => Some(VERDICTS.into_iter().find(|v| v.as_str() == word)?),
        None => None,
    };
    r.skip(",\"wall\":")?;
    let wall_text = r.text()?;
    let wall = if wall_text == at_text { at } else { time(wall_text)? };
    let x = if r.skip(",\"x\":[").is_some() { hashes(&mut r)? } else { Vec::new() };
    r.skip("}")?;
    r.rest.is_empty().then_some(Entry {
        at,
        by,
        c,
        d,
        r#gen,
        id,
        outcome,
        policy,
        queue,
        req,
        rev,
        row,
        rule,
        state,
        t,
        v: 1,
        verdict,
        wall,
        x,
    })
}

const OUTCOMES: [Outcome; 5] =
    [Outcome::Auto, Outcome::Review, Outcome::Quarantine, Outcome::Block, Outcome::Fallback];
const STATES: [ItemState; 4] =
    [ItemState::Waiting, ItemState::Decided, ItemState::AwaitingApproval, ItemState::Settled];
const VERDICTS: [VerdictKind; 4] =
    [VerdictKind::Accept, VerdictKind::Edit, VerdictKind::Reject, VerdictKind::Escalate];

/// What is left to read.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Past this text, if it comes next.
    fn skip(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    /// A string without escapes, which is canonical as it stands.
    fn text(&mut self) -> Option<&'a str> {
        self.skip("\"")?;
        let end = self.rest.bytes().position(|b| b == b'"' || b == b'\\' || b < 0x20)?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix('"')?;
        Some(text)
    }

    /// A field that may be left out; `None` where it is there and unusual.
    fn optional(&mut self, name: &str) -> Option<Option<&'a str>> {
        match self.skip(name) {
            Some(()) => self.text().map(Some),
            None => Some(None),
        }
    }

    fn string(&mut self, name: &str) -> Option<Option<String>> {
        Some(self.optional(name)?.map(str::to_owned))
    }

    fn integer(&mut self, name: &str) -> Option<Option<u64>> {
        if self.skip(name).is_none() {
            return Some(None);
        }
        let end = self.rest.bytes().position(|b| !b.is_ascii_digit())?;
        let (digits, rest) = self.rest.split_at(end);
        if digits.len() > 1 && digits.starts_with('0') {
            return None;
        }
        self.rest = rest;
        digits.parse().ok().filter(|n| *n <= MAX_INTEGER).map(Some)
    }
}

fn commitments(r: &mut Reader<'_>) -> Option<Vec<Commitment>> {
    let mut all: Vec<Commitment> = Vec::with_capacity(1);
    loop {
        r.skip("[")?;
        let path = r.text()?;
        r.skip(",")?;
        let hash = decode(r.text()?)?;
        r.skip("]")?;
        if all.len() == Entry::MAX_COMMITMENTS || all.iter().any(|c| c.path == path) {
            return None;
        }
        all.push(Commitment { path: path.to_owned(), hash });
        if r.skip(",").is_none() {
            r.skip("]")?;
            return Some(all);
        }
    }
}

fn details(r: &mut Reader<'_>) -> Option<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    let mut last = None;
    loop {
        let name = r.text()?;
        r.skip(":")?;
        let value = r.text()?;
        // Names rise, so none stands twice.
        if !name.is_ascii() || last.is_some_and(|last| last >= name) {
            return None;
        }
        last = Some(name);
        all.insert(name.to_owned(), value.to_owned());
        if r.skip(",").is_none() {
            r.skip("}")?;
            return Some(all);
        }
    }
}

fn hashes(r: &mut Reader<'_>) -> Option<Vec<super::Hash>> {
    let mut all = Vec::new();
    loop {
        all.push(decode(r.text()?)?);
        if r.skip(",").is_none() {
            r.skip("]")?;
            return Some(all);
        }
    }
}

/// Exactly `N` bytes in base64url; bits that say nothing are refused by the engine.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    (URL_SAFE_NO_PAD.decode_slice(text, &mut out).ok()? == N).then_some(out)
}

/// `2026-11-22T09:10:00.500Z` and nothing else, from year 1 to 9999.
fn time(text: &str) -> Option<Timestamp> {
    let &[
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b'.',
        f1,
        f2,
        f3,
        b'Z',
    ] = text.as_bytes()
    else {
        return None;
    };
    let (year, month) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?);
    let (day, hour) = (number(&[d1, d2])?, number(&[h1, h2])?);
    let (minute, second) = (number(&[n1, n2])?, number(&[s1, s2])?);
    let millis = number(&[f1, f2, f3])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1 || !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970-01-01, with years that begin in March (Howard Hinnant, "chrono-Compatible
    // Low-Level Date Algorithms", `days_from_civil`).
    let y = year - i64::from(month <= 2);
    let (era, of_era) = (y / 400, y % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Timestamp::from_millisecond(seconds * 1_000 + millis).ok()
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for text in [
            "0001-01-01T00:00:00.000Z",
            "1969-12-31T23:59:59.999Z",
            "1970-01-01T00:00:00.000Z",
            "2000-02-29T12:00:00.001Z",
            "2026-11-22T09:10:00.500Z",
            "2100-02-28T00:00:00.000Z",
            "2100-03-01T00:00:00.000Z",
            "9999-12-30T21:59:59.999Z",
        ] {
            assert_eq!(time(text), Some(text.parse().unwrap()), "{text}");
            assert_eq!(format!("{:.3}", time(text).unwrap()), text);
        }
        for text in [
            "2026-02-29T00:00:00.000Z",
            "2100-02-29T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-00-01T00:00:00.000Z",
            "2026-01-00T00:00:00.000Z",
            "2026-01-01T24:00:00.000Z",
            "2026-01-01T00:60:00.000Z",
            "2026-01-01T00:00:60.000Z",
            "2026-01-01T00:00:00.00Z",
            "2026-01-01t00:00:00.000Z",
            "2026-01-01T00:00:00.000+",
            "+026-01-01T00:00:00.000Z",
            "",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
        let mut day: jiff::civil::Date = "1896-01-01".parse().unwrap();
        while day.year() < 2105 {
            let text = format!("{day}T00:00:00.000Z");
            assert_eq!(time(&text), Some(text.parse().unwrap()), "{text}");
            day = day.tomorrow().unwrap();
        }
    }
}
