//! Keymaps and themes people may write: what is wrong in each is told in the words it expects.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};

use overrule::tui::Problem;
use overrule::tui::keymap::{Context, Keymap};
use overrule::tui::theme::{Background, Depth, Role, Terminal, Theme};

const TERMINAL: Terminal = Terminal { depth: Depth::True, background: Background::Dark };

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs").join(name)
}

/// Every file of a folder: its name without `.toml`, its text, in order.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

/// Compares problems with the `# expect: part of the message` lines at the head of a file: one
/// line a problem, in order.
fn compare(name: &str, text: &str, problems: &[Problem], faults: &mut Vec<String>) {
    let expected: Vec<&str> =
        text.lines().map_while(|line| line.strip_prefix("# expect: ")).collect();
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let agree = !expected.is_empty()
        && expected.len() == shown.len()
        && expected.iter().zip(&shown).all(|(part, whole)| whole.contains(part));
    if !agree {
        faults.push(format!("{name}\n  expected {expected:#?}\n  got {shown:#?}"));
    }
}

#[test]
fn bad_keymaps_are_explained() {
    let mut faults = Vec::new();
    for (name, text) in files(&folder("bad/keymaps")) {
        let file = format!("{name}.toml");
        let (keymap, problems) = Keymap::load("default", Some((&file, &text)));
        compare(&file, &text, &problems, &mut faults);
        // Whatever the file says, the app can be used.
        assert!(Context::ALL.iter().all(|c| !keymap.bindings(*c).is_empty()), "{name}");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn bad_themes_are_explained() {
    let folder = folder("bad/themes");
    let mut faults = Vec::new();
    for (name, text) in files(&folder) {
        let (theme, problems) = Theme::load(&name, Some(&folder), TERMINAL);
        compare(&name, &text, &problems, &mut faults);
        // What the file leaves open looks as the default does.
        assert_eq!(theme.style(Role::Border), Theme::default().style(Role::Border), "{name}");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn good_files_have_no_faults() {
    for (name, text) in files(&folder("good/keymaps")) {
        let (_, problems) = Keymap::load("default", Some((&name, &text)));
        assert_eq!(problems, [], "{name}");
    }
    let folder = folder("good/themes");
    for (name, _) in files(&folder) {
        let (_, problems) = Theme::load(&name, Some(&folder), TERMINAL);
        assert_eq!(problems, [], "{name}");
    }
}
