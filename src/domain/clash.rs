//! A clash: verdicts on one item that cannot both be, kept side by side for a third person.

use serde::{Deserialize, Serialize};

/// Verdicts that were given without knowing of each other, because one of them was given offline.
/// None of them took effect, or the one that did is looked at again; who gave one decides no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clash {
    /// Request ids of the reviews, in the order in which they arrived.
    pub reviews: Vec<String>,
    /// Who gave them; each once.
    pub people: Vec<String>,
}

impl Clash {
    /// May this person decide the item?
    pub fn lets(&self, name: &str) -> bool {
        !self.people.iter().any(|p| p == name)
    }

    /// One more verdict, by one more person.
    pub fn add(&mut self, request_id: &str, by: &str) {
        for (list, word) in [(&mut self.reviews, request_id), (&mut self.people, by)] {
            if !list.iter().any(|w| w == word) {
                list.push(word.to_owned());
            }
        }
    }
}
