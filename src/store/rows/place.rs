//! Queue order as bytes: `(due minute, priority descending, due time, id)` in one ascending key.

use crate::domain::{Item, Timestamp};
use crate::protocol::Cursor;
use crate::store::StoreError;

/// Bytes before the id: five of due minute, eight of priority, two of milliseconds within it.
const HEAD: usize = 15;
/// Minutes count from here, so that they are never negative (jiff's years are −9999..=9999).
const MINUTES: i64 = 1 << 39;
const MINUTE: i64 = 60_000;
/// The minute of an item that is never due: after all others.
const NEVER: u64 = (1 << 40) - 1;

/// The place of an item in queue order.
pub(in crate::store) fn place(item: &Item) -> Vec<u8> {
    key(item.due_at, item.priority, &item.id)
}

fn key(due: Option<Timestamp>, priority: i64, id: &str) -> Vec<u8> {
    let (minute, rest) = match due {
        Some(due) => {
            let ms = due.as_millisecond();
            let minute = u64::try_from(ms.div_euclid(MINUTE) + MINUTES).unwrap_or(0);
            (minute, u16::try_from(ms.rem_euclid(MINUTE)).unwrap_or(u16::MAX))
        }
        None => (NEVER, u16::MAX),
    };
    // Flipping the sign bit makes signed order bytewise; inverting makes it descend.
    let priority = !(priority.cast_unsigned() ^ (1 << 63));
    let mut out = Vec::with_capacity(HEAD + id.len());
    out.extend(minute.to_be_bytes().iter().skip(3));
    out.extend(priority.to_be_bytes());
    out.extend(rest.to_be_bytes());
    out.extend(id.as_bytes());
    out
}

/// The first place of a due minute, for ranges.
pub(in crate::store) fn first_of(minute: i64) -> Vec<u8> {
    let minute = u64::try_from(minute + MINUTES).unwrap_or(0).min(NEVER);
    minute.to_be_bytes().iter().skip(3).copied().collect()
}

/// The due minute of a time in milliseconds.
pub(in crate::store) fn minute(ms: i64) -> i64 {
    ms.div_euclid(MINUTE)
}

/// A place as a cursor: 30 hex digits, then the id. Byte order is queue order.
pub(in crate::store) fn cursor(place: &[u8]) -> Cursor {
    let (head, id) = place.split_at_checked(HEAD).unwrap_or((place, &[]));
    let mut text = String::with_capacity(HEAD * 2 + id.len());
    for byte in head {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text.push_str(&String::from_utf8_lossy(id));
    Cursor(text)
}

/// A cursor as a place.
pub(in crate::store) fn uncursor(cursor: &Cursor) -> Result<Vec<u8>, StoreError> {
    let bad = || {
        StoreError::Missing(format!("place {:?} in the queue: take a cursor from a page", cursor.0))
    };
    let (head, id) = cursor.0.split_at_checked(HEAD * 2).ok_or_else(bad)?;
    let mut out = Vec::with_capacity(HEAD + id.len());
    for pair in head.as_bytes().as_chunks::<2>().0 {
        let digit = |b: u8| match b {
            b'0'..=b'9' => Ok(b - b'0'),
            b'a'..=b'f' => Ok(b - b'a' + 10),
            _ => Err(bad()),
        };
        let [hi, lo] = *pair;
        out.push(digit(hi)? << 4 | digit(lo)?);
    }
    out.extend(id.as_bytes());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn due_minute_then_priority_then_due_time_then_id() {
        let order = [
            (Some(at(-1)), 0, "a"),
            (Some(at(59_999)), 7, "a"),
            (Some(at(0)), 5, "z"),
            (Some(at(1)), 5, "a"),
            (Some(at(1)), 5, "b"),
            (Some(at(0)), -3, "a"),
            (Some(at(60_000)), 100, "a"),
            (None, 1, "a"),
            (None, 0, "a"),
            (None, 0, "b"),
        ];
        let keys: Vec<_> = order.iter().map(|(d, p, i)| key(*d, *p, i)).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        let cursors: Vec<_> = keys.iter().map(|k| cursor(k)).collect();
        assert!(cursors.is_sorted(), "{cursors:?}");
        assert!(first_of(0) < key(Some(at(0)), i64::MAX, ""));
        assert!(first_of(1) > key(Some(at(59_999)), i64::MIN, "zz"));
    }

    #[test]
    fn a_cursor_that_no_page_gave_is_refused() {
        for bad in ["", "x", "00", &"g".repeat(30), &"A".repeat(30)] {
            assert!(uncursor(&Cursor(bad.to_owned())).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn cursors_come_back_and_keep_the_order(
            a in (proptest::option::of(-62_135_596_800_000i64..253_402_207_200_000), any::<i64>(), ".{1,20}"),
            b in (proptest::option::of(-62_135_596_800_000i64..253_402_207_200_000), any::<i64>(), ".{1,20}"),
        ) {
            let ka = key(a.0.map(at), a.1, &a.2);
            let kb = key(b.0.map(at), b.1, &b.2);
            prop_assert_eq!(&uncursor(&cursor(&ka)).unwrap(), &ka);
            let sort = |(due, p, id): &(Option<i64>, i64, String)|
                (due.map_or(i64::MAX, minute), std::cmp::Reverse(*p), due.unwrap_or(i64::MAX), id.clone());
            prop_assert_eq!(ka.cmp(&kb), sort(&a).cmp(&sort(&b)));
            prop_assert_eq!(cursor(&ka).cmp(&cursor(&kb)), ka.cmp(&kb));
        }
    }
}
