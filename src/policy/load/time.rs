//! Lengths of time as people write them: `30m`, `1h30m`, `2d`.

use jiff::SignedDuration;

/// `5s`, `30m`, `2h`, `1h30m`, `2d`: whole numbers with a unit (`s`, `m`, `h`, `d` of 24 hours),
/// larger units first, each at most once, together at most ten years. `None` otherwise.
pub(crate) fn duration(text: &str) -> Option<SignedDuration> {
    const UNITS: [(char, i64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
    let mut rest = text;
    let mut seconds: i64 = 0;
    let mut units = UNITS.iter();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit = tail.chars().next()?;
        let (_, size) = units.find(|(u, _)| *u == unit)?;
        let n: i64 = number.parse().ok()?;
        seconds = seconds.checked_add(n.checked_mul(*size)?)?;
        rest = tail.get(1..)?;
    }
    (seconds <= 3_660 * 86_400).then(|| SignedDuration::from_secs(seconds))
}

/// The shortest way to write a length of time in the same units; sub-second parts are dropped.
pub(crate) fn written(d: SignedDuration) -> String {
    let mut left = d.as_secs().unsigned_abs();
    if left == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (unit, size) in [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)] {
        if left >= size {
            out.push_str(&(left / size).to_string());
            out.push(unit);
            left %= size;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, secs) in
            [("0s", 0), ("5s", 5), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("2d", 172_800)]
        {
            assert_eq!(duration(text), Some(SignedDuration::from_secs(secs)), "{text}");
            assert_eq!(written(SignedDuration::from_secs(secs)), text);
        }
        for bad in
            ["", "5", "m", "30m1h", "1h1h", "1.5h", "-5m", "5 m", "4000d", "9999999999999999999d"]
        {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
