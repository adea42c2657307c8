//! A view of the desk that is read again while the log grows, a few seconds apart; old answers
//! are dropped.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::domain::Timestamp;
use crate::protocol::Refused;

/// Reads of one view are at least this far apart, whatever happens at the desk.
pub const PACE: SignedDuration = SignedDuration::from_secs(3);

/// The view as it was read last, and the read under way.
#[derive(Clone, Debug)]
pub struct Watched<T> {
    pub view: Option<Arc<T>>,
    /// Why the last read failed; the view before it stays.
    pub failed: Option<Refused>,
    running: Option<u64>,
    asked_at: Option<Timestamp>,
    due: Option<Timestamp>,
}

impl<T> Default for Watched<T> {
    fn default() -> Self {
        Self { view: None, failed: None, running: None, asked_at: None, due: None }
    }
}

impl<T> Watched<T> {
    /// There is news: `true` when it may be read now; else it is read when its time comes.
    pub fn news(&mut self, now: Timestamp) -> bool {
        let next = self.asked_at.map_or(now, |at| at.checked_add(PACE).unwrap_or(now));
        if self.running.is_none() && next <= now {
            return true;
        }
        self.due = Some(next.max(now));
        false
    }

    /// It is being read under `ticket`.
    pub fn started(&mut self, ticket: u64, now: Timestamp) {
        self.running = Some(ticket);
        self.asked_at = Some(now);
        self.due = None;
    }

    /// The read under `ticket` ended. `None`: nobody waited for it; else whether the screen shows
    /// something else now, as `same` tells.
    pub fn came(
        &mut self,
        ticket: u64,
        reply: Result<T, Refused>,
        same: impl Fn(&T, &T) -> bool,
    ) -> Option<bool> {
        if self.running != Some(ticket) {
            return None;
        }
        self.running = None;
        Some(match reply {
            Ok(view) => {
                let news = self.failed.take().is_some()
                    || self.view.as_deref().is_none_or(|old| !same(old, &view));
                self.view = Some(Arc::new(view));
                news
            }
            Err(refused) => {
                let news = self.failed.as_ref() != Some(&refused);
                self.failed = Some(refused);
                news
            }
        })
    }

    /// Something else is wanted now: the ticket nobody waits for any more.
    pub fn forget(&mut self) -> Option<u64> {
        self.asked_at = None;
        self.due = None;
        self.running.take()
    }

    /// When it is read again because of news.
    pub fn due(&self) -> Option<Timestamp> {
        self.due.filter(|_| self.running.is_none())
    }

    /// What the last read gave, when nothing newer is on its way.
    pub fn ready(&self) -> Option<Result<Arc<T>, Refused>> {
        if self.loading() {
            return None;
        }
        match (&self.failed, &self.view) {
            (Some(refused), _) => Some(Err(refused.clone())),
            (None, view) => view.clone().map(Ok),
        }
    }

    /// A read is under way.
    pub fn loading(&self) -> bool {
        self.running.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_767_000_000 + seconds).unwrap()
    }

    #[test]
    fn news_is_read_at_once_and_then_at_its_pace() {
        let mut seen = Watched::<u8>::default();
        assert!(seen.news(at(0)));
        seen.started(1, at(0));
        assert!(!seen.news(at(1)));
        assert_eq!(seen.due(), None, "the read under way comes first");
        assert_eq!(seen.came(1, Ok(7), PartialEq::eq), Some(true));
        assert_eq!(seen.due(), Some(at(3)));
        assert!(!seen.news(at(2)));
        assert!(seen.news(at(3)));
        seen.started(2, at(3));
        assert_eq!(seen.came(2, Ok(7), PartialEq::eq), Some(false), "the same is no news");
        assert_eq!(seen.due(), None);
    }

    #[test]
    fn an_old_answer_is_nobodys() {
        let mut seen = Watched::<u8>::default();
        seen.started(1, at(0));
        assert_eq!(seen.forget(), Some(1));
        assert!(seen.news(at(0)), "what is wanted now does not wait");
        seen.started(2, at(0));
        assert_eq!(seen.came(1, Ok(1), PartialEq::eq), None);
        let refused = Refused::new(crate::protocol::Why::Unavailable, "busy");
        assert_eq!(seen.came(2, Err(refused.clone()), PartialEq::eq), Some(true));
        assert_eq!((seen.view.clone(), seen.failed.clone()), (None, Some(refused)));
    }
}
