//! Whatever is typed, at whatever size: no panic, and no verdict twice.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// One thing a person or the world does.
#[derive(Clone, Debug)]
enum Act {
    Key(&'static str),
    Char(char),
    Paste(String),
    Size(u16, u16),
    Wait(i64),
    Hold,
    LetGo,
    Others(u8),
    Stop,
}

const KEYS: &[&str] = &[
    "a",
    "e",
    "r",
    "x",
    "s",
    "u",
    "m",
    "i",
    "y",
    "v",
    ".",
    "E",
    "A",
    "F",
    "M",
    "Q",
    "j",
    "k",
    "g",
    "G",
    "n",
    "N",
    "q",
    "?",
    ":",
    "/",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "[",
    "]",
    "V",
    "z",
    "Space",
    "K",
    "Enter",
    "Esc",
    "Tab",
    "Shift-Tab",
    "Up",
    "Down",
    "Left",
    "Right",
    "Backspace",
    "Ctrl-s",
    "Ctrl-d",
    "Ctrl-u",
    "Ctrl-r",
    "Ctrl-l",
    "Ctrl-e",
    "Ctrl-z",
    "PageDown",
    "PageUp",
    "F1",
    "f",
    "p",
    "w",
    "K",
    "R",
    "B",
    "d",
];

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        20 => prop::sample::select(KEYS).prop_map(Act::Key),
        3 => any::<char>().prop_map(Act::Char),
        1 => any::<String>().prop_map(Act::Paste),
        2 => (1_u16..=60, 1_u16..=20).prop_map(|(w, h)| Act::Size(w, h)),
        1 => (60_u16..=160, 10_u16..=45).prop_map(|(w, h)| Act::Size(w, h)),
        4 => (1_i64..8000).prop_map(Act::Wait),
        1 => Just(Act::Hold),
        2 => Just(Act::LetGo),
        2 => any::<u8>().prop_map(Act::Others),
        1 => Just(Act::Stop),
    ]
}

/// What other people do meanwhile.
fn others(rig: &mut Rig, what: u8) {
    let ids: Vec<String> = rig.desk.inside().items.keys().cloned().collect();
    let Some(id) = ids.get(usize::from(what) % ids.len().max(1)).cloned() else { return };
    match what % 4 {
        0 => rig.desk.lease_to(&id, "bob"),
        1 => {
            rig.desk.inside().items.get_mut(&id).unwrap().item.revision += 1;
        }
        2 => {
            rig.desk.inside().items.remove(&id);
        }
        _ => rig.desk.add(crate::tui::fake::support(&format!("late-{what}"), 0.5), i64::from(what)),
    }
    let head = rig.desk.inside().log.len() as u64;
    rig.tell(What::Changed(crate::protocol::Change { head, generation: 1 }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn random_hands_break_nothing(acts in prop::collection::vec(act(), 1..120)) {
        let mut rig = Rig::new(FakeDesk::stocked(), 90, 24);
        for act in acts {
            match act {
                Act::Key(key) => { rig.press(key); }
                Act::Char(c) => { rig.type_text(&c.to_string()); }
                Act::Paste(text) => rig.tell(What::Paste(text)),
                Act::Size(w, h) => rig.resize(w, h),
                Act::Wait(ms) => rig.pass(ms),
                Act::Hold => rig.hold = true,
                Act::LetGo => rig.let_go(),
                Act::Others(what) => others(&mut rig, what),
                Act::Stop => rig.tell(What::Stop),
            }
        }
        rig.let_go();
        // No request twice, and no item decided twice without an undo between.
        let mut requests = BTreeMap::new();
        let mut open: BTreeMap<String, u64> = BTreeMap::new();
        for request in reviews(&rig) {
            prop_assert!(requests.insert(request.request_id.clone(), ()).is_none());
            let revision = request.revision.unwrap();
            if let Some(last) = open.insert(request.item.clone(), revision) {
                let refused_or_later = revision >= last;
                prop_assert!(refused_or_later, "{} at {revision} after {last}", request.item);
            }
        }
        let stored = rig.desk.inside().items.values().map(|h| {
            h.reviews.iter().filter(|r| !r.undone).map(|r| r.revision).collect::<Vec<_>>()
        }).collect::<Vec<_>>();
        for mut revisions in stored {
            let all = revisions.len();
            revisions.dedup();
            prop_assert_eq!(revisions.len(), all);
        }
        // Everything the app submitted has left the outbox.
        prop_assert!(rig.state.verdicts.idle());
    }
}

#[test]
fn every_screen_at_every_size_from_one_by_one() {
    let keys = [
        "",
        "2",
        "3",
        "4",
        "5",
        "6",
        "r",
        "e",
        "x",
        "?",
        ":",
        "/",
        "i",
        "v",
        "Q",
        "m m a",
        "Tab",
        "a q",
        "F1",
        "g",
        "4 Enter",
        "2 Tab",
        "2 Tab Tab",
        "2 Tab Enter",
        "2 Tab Enter Enter",
        "3 G",
        "3 Tab",
        "3 Tab Enter",
        "3 Tab r",
        "3 j j Q",
        "Space K",
        "Space K Tab Right Right",
    ];
    for keys in keys {
        let mut rig = Rig::stocked();
        rig.press(keys);
        for (w, h) in (1..=60).step_by(7).flat_map(|w| (1..=20).map(move |h| (w, h))) {
            rig.resize(w, h);
        }
        rig.resize(0, 0);
        rig.resize(300, 100);
    }
}
