//! One job running, at most one waiting, the newest wins: for loads that follow a moving cursor.

/// A place for one kind of load. `T` says what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot<T> {
    running: Option<(u64, T)>,
    waiting: Option<T>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { running: None, waiting: None }
    }
}

impl<T: Clone + PartialEq> Slot<T> {
    /// Wants `what`: `true` when it can start now (then call [`started`](Self::started)); else it
    /// waits, in the place of whatever waited before.
    pub fn wants(&mut self, what: &T) -> bool {
        match &self.running {
            None => true,
            // The very same thing is on its way, and nothing newer was wanted since.
            Some((_, running)) if running == what => {
                self.waiting = None;
                false
            }
            Some(_) => {
                self.waiting = Some(what.clone());
                false
            }
        }
    }

    /// Wants `what` anew even if the same is on its way (the answer may already be old).
    pub fn wants_again(&mut self, what: &T) -> bool {
        if self.running.is_some() {
            self.waiting = Some(what.clone());
            return false;
        }
        true
    }

    /// The load of `what` runs under `ticket`.
    pub fn started(&mut self, ticket: u64, what: T) {
        self.running = Some((ticket, what));
    }

    /// The load under `ticket` ended: what to start next. `None` also for a stale ticket.
    pub fn ended(&mut self, ticket: u64) -> Option<T> {
        match &self.running {
            Some((running, _)) if *running == ticket => {
                self.running = None;
                self.waiting.take()
            }
            _ => None,
        }
    }

    /// Forgets what runs and waits; the ticket to cancel, if one runs.
    pub fn cancel(&mut self) -> Option<u64> {
        self.waiting = None;
        self.running.take().map(|(ticket, _)| ticket)
    }

    /// What is being loaded.
    pub fn running(&self) -> Option<&T> {
        self.running.as_ref().map(|(_, what)| what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_want_replaces_the_one_that_waits() {
        let mut slot = Slot::default();
        assert!(slot.wants(&'a'));
        slot.started(1, 'a');
        assert!(!slot.wants(&'b'));
        assert!(!slot.wants(&'c'));
        assert_eq!(slot.ended(9), None, "a stale ticket changes nothing");
        assert_eq!(slot.running(), Some(&'a'));
        assert_eq!(slot.ended(1), Some('c'));
        assert_eq!(slot.running(), None);
    }

    #[test]
    fn wanting_what_runs_forgets_what_waits() {
        let mut slot = Slot::default();
        slot.started(1, 'a');
        assert!(!slot.wants(&'b'));
        assert!(!slot.wants(&'a'));
        assert_eq!(slot.ended(1), None);
        slot.started(2, 'a');
        assert!(!slot.wants_again(&'a'));
        assert_eq!(slot.ended(2), Some('a'));
    }

    #[test]
    fn cancelling_names_the_ticket() {
        let mut slot = Slot::default();
        slot.started(7, 'a');
        let _ = slot.wants(&'b');
        assert_eq!(slot.cancel(), Some(7));
        assert_eq!(slot.ended(7), None);
    }
}
