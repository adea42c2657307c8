//! What a frame really showed: decisions act only on that, and paging and timers follow it.

use jiff::SignedDuration;

/// How soon a frame grows old by time alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Countdown {
    /// Nothing on it counts.
    #[default]
    None,
    /// Something on it counts in minutes.
    Minutes,
    /// Something on it counts in seconds.
    Seconds,
}

/// The record a frame leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Painted {
    /// The item that was shown in full, at this revision.
    pub item: Option<(String, u64)>,
    /// Rows the list had room for.
    pub list_height: usize,
    /// Lines the open page or item has, and lines it had room for: scrolling ends there.
    pub lines: usize,
    pub room: usize,
    /// The same for the overlay on top, if one is open.
    pub overlay_lines: usize,
    pub overlay_room: usize,
    pub countdown: Countdown,
    /// How long until the first of those that count in minutes counts in seconds.
    pub last_minute: Option<SignedDuration>,
}

impl Painted {
    /// Something counting at this pace is on the frame.
    pub fn counts(&mut self, pace: Countdown) {
        self.countdown = self.countdown.max(pace);
    }

    /// A countdown with this much left (or passed, if negative) is on the frame.
    pub fn counts_down(&mut self, left: SignedDuration) {
        let to_last = left.checked_sub(SignedDuration::from_secs(59));
        if left.as_secs().abs() < 60 {
            self.counts(Countdown::Seconds);
            return;
        }
        self.counts(Countdown::Minutes);
        if let Some(wait) = to_last.filter(|w| w.is_positive()) {
            self.last_minute = Some(self.last_minute.map_or(wait, |w| w.min(wait)));
        }
    }
}
