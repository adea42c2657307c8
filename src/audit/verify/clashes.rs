//! Verdicts that clash are decided between by somebody who gave none of them: the log itself says
//! whether that was kept.

use std::collections::HashMap;

use crate::audit::{Entry, EntryKind};

/// By item: whose verdicts clash, while nobody has decided between them. There are few.
#[derive(Default)]
pub(super) struct Clashes(HashMap<String, Vec<String>>);

impl Clashes {
    /// Takes note of an entry; what is wrong with it, if anything.
    pub fn apply(&mut self, entry: &Entry) -> Option<String> {
        let id = entry.id.as_ref()?;
        let kind = &entry.t;
        if *kind == EntryKind::CLASH {
            let people = entry.d.get("people").and_then(|p| serde_json::from_str(p).ok());
            let Some(people) = people else {
                return Some(format!("the clash on {id:?} does not say whose verdicts it is of"));
            };
            self.0.insert(id.clone(), people);
        } else if *kind == EntryKind::VERDICT && !entry.d.contains_key("kept") {
            let people = self.0.get(id)?;
            if people.contains(&entry.by) {
                let by = &entry.by;
                return Some(format!(
                    "{by:?} decided {id:?}, where their own verdict is in a clash"
                ));
            }
        } else if [EntryKind::SETTLE, EntryKind::STAGE, EntryKind::READMIT].contains(kind) {
            self.0.remove(id);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn entry(kind: EntryKind, by: &str) -> Entry {
        let at = Timestamp::UNIX_EPOCH;
        Entry { id: Some("a-1".into()), ..Entry::new(kind, by, at, at) }
    }

    #[test]
    fn only_a_third_person_decides_between_verdicts_that_clash() {
        let mut clash = entry(EntryKind::CLASH, "system");
        clash.d.insert("people".into(), r#"["ben","ann"]"#.into());
        let mut late = entry(EntryKind::VERDICT, "ann");
        late.d.insert("kept".into(), "decided meanwhile".into());

        let mut clashes = Clashes::default();
        for fine in [&entry(EntryKind::VERDICT, "ben"), &late, &clash, &late] {
            assert_eq!(clashes.apply(fine), None);
        }
        assert_eq!(clashes.apply(&entry(EntryKind::VERDICT, "cid")), None);
        assert_eq!(
            clashes.apply(&entry(EntryKind::VERDICT, "ben")).unwrap(),
            "\"ben\" decided \"a-1\", where their own verdict is in a clash"
        );
        assert_eq!(clashes.apply(&entry(EntryKind::SETTLE, "cid")), None);
        assert_eq!(clashes.apply(&entry(EntryKind::VERDICT, "ben")), None, "it is over");
        clash.d.clear();
        assert!(clashes.apply(&clash).is_some());
    }
}
