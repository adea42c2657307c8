//! Keys, tables and layers.

use super::*;

#[test]
fn shipped_keymaps_have_no_faults() {
    for (name, _) in PRESETS {
        let (_, problems) = Keymap::load(name, None);
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown, Vec::<String>::new(), "{name}");
    }
}
