//! The rows beside the log, as they are given: which entry each is of, and that none is left over.

use super::rows::{AnswerRow, Beside, CorrectionRow, DecisionRow, PolicyRow, Rows, StateRow};
use super::small::TokenRow;
use super::{ItemRow, Verifier};
use crate::audit::Entry;
use crate::domain::{Review, Reviewer};

impl Verifier {
    /// A decision's row, right after the entry that admitted it.
    pub fn decision(&mut self, row: &DecisionRow<'_>) {
        let what = |_: &Entry| format!("the decision {:?}", row.id);
        self.beside(row.index, &what, |rows, beside| rows.decision(beside, row));
    }

    /// A review's row, right after its verdict's entry `index`; of the verdict it holds the kind
    /// and the tags.
    pub fn review(&mut self, index: u64, row: &Review) {
        let what = |_: &Entry| format!("the review {:?}", row.request_id);
        self.beside(index, &what, |rows, beside| rows.review(beside, row));
    }

    /// The row of an own answer to a blind item, right after its entry.
    pub fn answer(&mut self, row: &AnswerRow<'_>) {
        let what = |_: &Entry| format!("the answer {:?}", row.request_id);
        self.beside(row.index, &what, |rows, beside| rows.answer(beside, row));
    }

    /// A row of the entry given last; `what` it is.
    fn beside(
        &mut self,
        index: u64,
        what: &dyn Fn(&Entry) -> String,
        compare: impl FnOnce(&mut Rows, &Beside<'_>) -> Option<String>,
    ) {
        let Some(open) = self.open.as_mut().filter(|o| o.index == index) else {
            let reason = format!("a row is kept for entry {index}, which is not there");
            self.faults.add_derived(index, index, reason);
            return;
        };
        let Some(entry) = &open.entry else {
            open.row = true;
            return;
        };
        let beside = open.beside(entry);
        let wrong = match open.row {
            true => Some(format!("{} is a second row for it", what(entry))),
            false => compare(&mut self.rows, &beside),
        };
        open.row = true;
        if let Some(reason) = wrong {
            self.faults.add_derived(index, index, reason);
        }
    }

    /// A person's row: its key, its version and what it holds.
    pub fn reviewer(&mut self, name: &str, version: u64, row: &Reviewer) {
        self.close();
        let wrong = self.rows.reviewer(name, version, row);
        self.derived(wrong);
    }

    /// A labelled example's row; in the order of their numbers.
    pub fn correction(&mut self, row: &CorrectionRow<'_>) {
        self.close();
        let wrong = self.rows.correction(row);
        self.derived(wrong);
    }

    /// A policy's row.
    pub fn policy(&mut self, row: &PolicyRow<'_>) {
        self.close();
        let wrong = self.rows.policy(row);
        self.derived(wrong);
    }

    /// A token's row.
    pub fn token(&mut self, row: &TokenRow<'_>) {
        self.close();
        let wrong = self.small.token(row);
        self.derived(wrong);
    }

    /// The control state's row, by its mark ([`super::state_mark`]).
    pub fn control(&mut self, mark: &str) {
        self.close();
        let wrong = self.small.control(mark);
        self.derived(wrong);
    }

    /// Where the store says it stands; then all rows were given.
    pub fn end_rows(&mut self, row: &StateRow<'_>) {
        self.close();
        let wrong = self.rows.state(row);
        self.derived(wrong);
        let wrong = self.small.generation(row.generation);
        self.derived(wrong);
        for wrong in self.rows.left_over().into_iter().chain(self.small.left_over()) {
            self.derived(Some(wrong));
        }
    }

    /// A row of this entry (of none that is known) makes no sense.
    pub fn broken(&mut self, index: Option<u64>, what: &str) {
        if let Some(open) = self.open.as_mut().filter(|o| Some(o.index) == index) {
            // It is there, whatever it says.
            open.row = true;
        }
        self.derived(Some((index, what.to_owned())));
    }

    pub(super) fn derived(&mut self, wrong: Option<(Option<u64>, String)>) {
        let Some((index, reason)) = wrong else { return };
        let last = self.tree.position().saturating_sub(1);
        let (first, last) = index.map_or((0, last), |index| (index, index));
        self.faults.add_derived(first, last, reason);
    }

    /// An item as its row says. After the last entry.
    pub fn item(&mut self, row: ItemRow<'_>) {
        self.close();
        let wrong = self.items.compare(&row);
        self.derived(wrong);
    }

    /// All items were given: those of the log that had no row are missing.
    pub fn end_items(&mut self) {
        for (index, reason) in self.items.left_over() {
            self.faults.add_derived(index, index, reason);
        }
    }
}
