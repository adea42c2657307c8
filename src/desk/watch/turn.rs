//! Whose turn it is to tick: a lease in the store that one process holds at a time, fenced by the
//! version of its row.
//!
//! Every write of a tick has that version as a premise. So a process that was asleep while another
//! took over writes nothing: its premise is gone.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// Where the lease is kept.
pub(super) const KEY: &str = "ticker";

/// How long a turn lasts unless it is prolonged: with a tick a second, another process takes over
/// within five seconds after the holder died.
const TERM: SignedDuration = SignedDuration::from_secs(4);
/// With less than this left it is prolonged.
const RENEW: SignedDuration = SignedDuration::from_secs(2);

/// Who ticks, until when (wall time), and how often the turn has changed hands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Turn {
    pub(super) holder: String,
    pub(super) until: Timestamp,
    pub(super) epoch: u64,
}

/// What a process that wants to tick does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is its turn, for some time yet.
    Mine,
    /// It is free, or nearly over: write this.
    Take(Turn),
    /// Another's.
    Wait,
}

/// What `me` does at wall time `wall`, when this is what is stored.
pub(super) fn claim(stored: Option<&Turn>, me: &str, wall: Timestamp) -> Claim {
    let until = wall.checked_add(TERM).unwrap_or(Timestamp::MAX);
    let take = |epoch| Claim::Take(Turn { holder: me.to_owned(), until, epoch });
    let Some(turn) = stored else { return take(1) };
    // Further away than any turn lasts: the clock was set back since.
    let over = turn.until <= wall || turn.until > until;
    if turn.holder != me {
        return if over { take(turn.epoch.saturating_add(1)) } else { Claim::Wait };
    }
    if over || turn.until.duration_since(wall) < RENEW { take(turn.epoch) } else { Claim::Mine }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    fn taken(claim: Claim) -> Turn {
        let Claim::Take(turn) = claim else { panic!("{claim:?}") };
        turn
    }

    #[test]
    fn one_holds_it_until_it_stops_prolonging() {
        let first = taken(claim(None, "a", t(0)));
        assert_eq!(first, Turn { holder: "a".into(), until: t(4_000), epoch: 1 });
        assert_eq!(claim(Some(&first), "a", t(1_900)), Claim::Mine);
        assert_eq!(claim(Some(&first), "b", t(3_999)), Claim::Wait);
        let longer = taken(claim(Some(&first), "a", t(2_500)));
        assert_eq!((longer.until, longer.epoch), (t(6_500), 1));
        // It dies right after: another has it within five seconds, ticking once a second.
        let next = (3..9).map(|s| t(s * 1_000 + 400)).find_map(|now| {
            match claim(Some(&longer), "b", now) {
                Claim::Take(turn) => Some((now, turn)),
                _ => None,
            }
        });
        let (at, turn) = next.unwrap();
        assert!(at.duration_since(t(2_500)) <= SignedDuration::from_secs(5));
        assert_eq!((turn.holder.as_str(), turn.epoch), ("b", 2));
        assert_eq!(claim(Some(&turn), "a", t(7_500)), Claim::Wait, "the first one sleeps no more");
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let ahead = Turn { holder: "a".into(), until: t(3_600_000), epoch: 7 };
        assert_eq!(taken(claim(Some(&ahead), "b", t(0))).epoch, 8);
    }
}
