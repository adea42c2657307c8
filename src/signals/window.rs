//! Time in buckets: minutes, hours and days, and the sliding views made of them.
//!
//! What happens is added to its minute, its hour and its day at once, so that a view is a plain sum
//! over few buckets: 15 minutes and an hour over minutes, a day over hours, a week and 28 days over
//! days with hours at both ends, 90 days over days. A view begins on the last whole minute (hour, day)
//! that is at least its length ago, so it is never shorter than its name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// How long a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    Minute,
    Hour,
    Day,
}

impl Tier {
    /// All of them, short to long.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its length in seconds.
    pub fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// How long a bucket is kept, in seconds: 2 hours, 30 days, 400 days.
    pub fn keep(self) -> i64 {
        match self {
            Self::Minute => 2 * 3_600,
            Self::Hour => 30 * 86_400,
            Self::Day => 400 * 86_400,
        }
    }

    /// Its number in a store.
    pub fn number(self) -> u8 {
        match self {
            Self::Minute => 0,
            Self::Hour => 1,
            Self::Day => 2,
        }
    }

    /// The start of the bucket (UTC) that a second is in.
    pub fn floor(self, second: i64) -> i64 {
        second.div_euclid(self.seconds()) * self.seconds()
    }
}

/// Buckets of one tier: starts in `from..to`, seconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub tier: Tier,
    pub from: i64,
    pub to: i64,
}

impl Span {
    /// Starts of its buckets.
    pub fn starts(self) -> impl Iterator<Item = i64> {
        let step = self.tier.seconds();
        let count = (self.to - self.from).max(0) / step;
        (0..count).map(move |i| self.from + i * step)
    }
}

/// A sliding view.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub enum Window {
    Quarter,
    Hour,
    #[default]
    Day,
    Week,
    /// For what happens a few times a day.
    Month,
    /// For what happens a few times a week.
    Season,
}

/// Not a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a window: 15m, 1h, 24h, 7d, 28d or 90d")]
pub struct WindowError(String);

impl Window {
    /// All of them, short to long.
    pub const ALL: [Self; 6] =
        [Self::Quarter, Self::Hour, Self::Day, Self::Week, Self::Month, Self::Season];

    /// `15m`, `1h`, `24h`, `7d`, `28d` or `90d`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quarter => "15m",
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "28d",
            Self::Season => "90d",
        }
    }

    /// The shortest view at least this long; the longest for anything longer.
    pub fn at_least(seconds: i64) -> Self {
        Self::ALL.into_iter().find(|w| w.seconds() >= seconds).unwrap_or(Self::Season)
    }

    /// Its length in seconds.
    pub fn seconds(self) -> i64 {
        match self {
            Self::Quarter => 900,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
            Self::Month => 28 * 86_400,
            Self::Season => 90 * 86_400,
        }
    }

    fn tier(self) -> Tier {
        match self {
            Self::Quarter | Self::Hour => Tier::Minute,
            Self::Day | Self::Week | Self::Month => Tier::Hour,
            // Hours are not kept for so long.
            Self::Season => Tier::Day,
        }
    }

    /// Where the view that ends now begins.
    pub fn start(self, now: Timestamp) -> i64 {
        self.tier().floor(now.as_second() - self.seconds())
    }

    /// The buckets of the view that ends now, the open ones included.
    pub fn spans(self, now: Timestamp) -> Vec<Span> {
        let tier = self.tier();
        let (from, to) = (self.start(now), tier.floor(now.as_second()) + tier.seconds());
        match self {
            Self::Week | Self::Month => cover(from, to),
            _ => vec![Span { tier, from, to }],
        }
    }

    /// The 28 days before the view, in whole days but for its end: what was usual until then.
    pub fn before(self, now: Timestamp) -> Vec<Span> {
        let to = Tier::Hour.floor(self.start(now));
        cover(Tier::Day.floor(to - 28 * 86_400), to)
    }

    /// Length of the equal parts that histories are drawn of, in seconds: 15, 12, 24, 7, 28 or 30.
    pub fn step(self) -> i64 {
        match self {
            Self::Quarter => 60,
            Self::Hour => 300,
            Self::Day => 3_600,
            Self::Week | Self::Month => 86_400,
            Self::Season => 3 * 86_400,
        }
    }

    /// The part a bucket of the view is in; the newest is `parts() - 1`. `None`: before the first.
    pub fn part(self, now: Timestamp, start: i64) -> Option<usize> {
        let step = self.step();
        let newest = now.as_second().div_euclid(step);
        let back = usize::try_from(newest - start.div_euclid(step)).unwrap_or(0);
        (self.parts() - 1).checked_sub(back)
    }

    /// How many parts a history has.
    pub fn parts(self) -> usize {
        match self {
            Self::Quarter => 15,
            Self::Hour => 12,
            Self::Day => 24,
            Self::Week => 7,
            Self::Month => 28,
            Self::Season => 30,
        }
    }
}

/// Hours and whole days that cover `from..to` (whole hours), none twice.
fn cover(from: i64, to: i64) -> Vec<Span> {
    let hour = |from: i64, to: i64| Span { tier: Tier::Hour, from, to };
    let first = -Tier::Day.floor(-from);
    let last = Tier::Day.floor(to);
    let spans = if first >= last {
        vec![hour(from, to)]
    } else {
        vec![hour(from, first), Span { tier: Tier::Day, from: first, to: last }, hour(last, to)]
    };
    spans.into_iter().filter(|s| s.from < s.to).collect()
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        match text {
            "" => Ok(Self::Day),
            "1d" => Ok(Self::Day),
            "60m" => Ok(Self::Hour),
            _ => Self::ALL
                .into_iter()
                .find(|w| w.as_str() == text)
                .ok_or_else(|| WindowError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Window {
    type Error = WindowError;

    fn try_from(text: String) -> Result<Self, WindowError> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(spans: &[Span]) -> Vec<(i64, i64)> {
        let mut list: Vec<(i64, i64)> = spans
            .iter()
            .flat_map(|s| s.starts().map(|start| (start, start + s.tier.seconds())))
            .collect();
        list.sort_unstable();
        list
    }

    #[test]
    fn names_come_back() {
        for window in Window::ALL {
            assert_eq!(window.to_string().parse(), Ok(window));
        }
        assert_eq!("".parse(), Ok(Window::Day));
        assert_eq!(
            "2h".parse::<Window>().unwrap_err().to_string(),
            "`2h` is not a window: 15m, 1h, 24h, 7d, 28d or 90d"
        );
        assert_eq!(
            (Window::at_least(60), Window::at_least(7200), Window::at_least(1 << 40)),
            (Window::Quarter, Window::Day, Window::Season)
        );
    }

    #[test]
    fn a_week_takes_few_buckets() {
        let now: Timestamp = "2026-11-22T19:31:05Z".parse().unwrap();
        assert_eq!(seconds(&Window::Week.spans(now)).len(), 5 + 6 + 20);
        assert_eq!(seconds(&Window::Day.spans(now)).len(), 25);
        assert_eq!(seconds(&Window::Quarter.spans(now)).len(), 16);
        assert_eq!(seconds(&Window::Season.spans(now)).len(), 91);
        let before = Window::Season.before(now);
        assert!(before.iter().all(|span| span.tier == Tier::Day), "hours of then are not kept");
    }

    proptest! {
        #[test]
        fn a_view_covers_its_length_once_without_gaps(at in 0_i64..4_000_000_000, which in 0_usize..6) {
            let now = Timestamp::from_second(at).unwrap();
            let window = Window::ALL[which];
            let list = seconds(&window.spans(now));
            prop_assert!(list.windows(2).all(|pair| pair[0].1 == pair[1].0));
            let (from, to) = (list[0].0, list[list.len() - 1].1);
            prop_assert_eq!(from, window.start(now));
            prop_assert!(from <= at - window.seconds() && at < to);
            prop_assert!(at - from < window.seconds() + window.tier().seconds());
            let before = seconds(&window.before(now));
            prop_assert!(before.windows(2).all(|pair| pair[0].1 == pair[1].0));
            prop_assert!(before[before.len() - 1].1 <= from);
            prop_assert_eq!(window.part(now, at), Some(window.parts() - 1));
            prop_assert!(list.iter().filter_map(|b| window.part(now, b.0)).all(|p| p < window.parts()));
        }
    }
}
