//! Freezes: decisions like a corrected one go to people until somebody releases them.
//!
//! Like it are those of the same domain, action and cohort, and those whose text is nearly the
//! same ([`super::minhash`]), wherever they come from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Control;
use super::minhash::{self, Signature};
use crate::domain::{Decision, Frozen, Timestamp};
use crate::protocol::FreezeView;

/// A freeze in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    pub id: String,
    /// The corrected decision.
    pub like: String,
    pub domain: String,
    pub action: String,
    /// Its groups, by dimension.
    pub cohort: BTreeMap<String, String>,
    /// Of its text; empty where there is too little text.
    pub signature: Signature,
    pub by: String,
    /// The level that froze, and may release it.
    pub level: u8,
    pub at: Timestamp,
    pub reason: String,
}

/// Who froze, and why.
#[derive(Clone, Copy, Debug)]
pub struct FrozenBy<'a> {
    pub by: &'a str,
    /// The level of the person whose correction froze.
    pub level: u8,
    pub reason: &'a str,
}

impl Freeze {
    /// Does its domain, action and cohort fit?
    fn is_kin(&self, d: &Decision) -> bool {
        self.domain == d.domain && self.action == d.action && self.cohort == d.cohort
    }

    fn holds(&self, similarity: Option<f64>) -> Frozen {
        Frozen {
            id: self.id.clone(),
            like: self.like.clone(),
            similarity,
            by: self.by.clone(),
            reason: self.reason.clone(),
        }
    }

    /// As it is shown; `held`: decisions it has held so far.
    pub fn view(&self, held: u64) -> FreezeView {
        let groups: Vec<String> = self.cohort.iter().map(|(d, g)| format!("{d}:{g}")).collect();
        FreezeView {
            id: self.id.clone(),
            like: self.like.clone(),
            domain: self.domain.clone(),
            action: self.action.clone(),
            cohort: (!groups.is_empty()).then(|| groups.join(" ")),
            by: self.by.clone(),
            level: self.level,
            at: self.at,
            held,
            reason: self.reason.clone(),
        }
    }
}

impl Control {
    /// Hold what is like this decision. One decision freezes once: `None` where it already does,
    /// else the freeze's id.
    pub fn freeze(
        &mut self,
        d: &Decision,
        key: &[u8],
        who: FrozenBy<'_>,
        at: Timestamp,
    ) -> Option<&str> {
        if self.freezes.iter().any(|f| f.like == d.id) {
            return None;
        }
        self.freezes.push(Freeze {
            id: format!("freeze-{}", d.id),
            like: d.id.clone(),
            domain: d.domain.clone(),
            action: d.action.clone(),
            cohort: d.cohort.clone(),
            signature: minhash::signature(d, key),
            by: who.by.to_owned(),
            level: who.level,
            at,
            reason: who.reason.to_owned(),
        });
        self.freezes.last().map(|f| f.id.as_str())
    }

    /// Let decisions like that one go their usual way again. `None`: there is no such freeze.
    pub fn release_freeze(&mut self, id: &str) -> Option<Freeze> {
        let at = self.freezes.iter().position(|f| f.id == id)?;
        Some(self.freezes.remove(at))
    }

    /// The freeze that holds a decision: of the same kind first, then by text, the closest.
    pub(super) fn freeze_for(&self, d: &Decision, key: &[u8]) -> Option<Frozen> {
        if self.freezes.is_empty() {
            return None;
        }
        if let Some(kin) = self.freezes.iter().find(|f| f.is_kin(d)) {
            return Some(kin.holds(None));
        }
        if self.freezes.iter().all(|f| f.signature.is_empty()) {
            return None;
        }
        let own = minhash::signature(d, key);
        let near = self.freezes.iter().filter_map(|f| Some((f, f.signature.near(&own)?)));
        let closest = near.reduce(|best, next| if next.1 > best.1 { next } else { best });
        closest.map(|(freeze, similarity)| freeze.holds(Some(similarity)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{decision, t};
    use super::*;

    const WHO: FrozenBy<'_> = FrozenBy { by: "ann", level: 2, reason: "policy_violation" };

    #[test]
    fn the_same_kind_is_held_until_it_is_released() {
        let mut c = Control::default();
        let bad = decision("bad", "m@1");
        let id = c.freeze(&bad, b"k", WHO, t(0)).unwrap().to_owned();
        assert_eq!(c.freeze(&bad, b"k", WHO, t(1)), None);
        let held = c.freeze_for(&decision("next", "other@9"), b"k").unwrap();
        assert_eq!((held.like.as_str(), held.similarity), ("bad", None));
        let other = Decision { action: "deny".into(), ..decision("next", "m@1") };
        assert_eq!(c.freeze_for(&other, b"k"), None);
        let mut white = decision("next", "m@1");
        white.cohort.insert("race".into(), "white".into());
        assert_eq!(c.freeze_for(&white, b"k"), None);
        assert_eq!(c.freezes[0].view(3).cohort.as_deref(), Some("race:black"));
        assert_eq!(c.release_freeze(&id).unwrap().like, "bad");
        assert_eq!(c, Control::default());
        assert_eq!(c.release_freeze(&id), None);
    }

    #[test]
    fn nearly_the_same_text_is_held_wherever_it_comes_from() {
        let text = "You can get your money back within thirty days if you send the shoes in \
                    their box to our warehouse together with the printed label and the receipt";
        let say = |id: &str, text: &str| Decision {
            domain: id.into(),
            output: serde_json::Value::String(text.into()),
            ..decision(id, "m@1")
        };
        let mut c = Control::default();
        c.freeze(&say("bad", text), b"k", WHO, t(0));
        let near = text.replace("thirty", "sixty");
        let held = c.freeze_for(&say("near", &near), b"k").unwrap();
        assert!(held.similarity.unwrap() > 0.6, "{held:?}");
        let far = "Our shop opens at nine and closes at six on every day but Sunday, when the \
                   whole street is shut and nobody answers the telephone at all, sorry for that";
        assert_eq!(c.freeze_for(&say("far", far), b"k"), None);
    }
}
