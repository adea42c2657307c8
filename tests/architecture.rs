//! The house rule: a room imports only from floors below, and pure rooms stay pure.
//!
//! The floors are read from the diagram at the top of `src/lib.rs`, so that the page people read
//! and the rule that is enforced cannot come apart.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Rooms as `src/lib.rs` declares them.
fn rooms(lib: &str) -> Vec<String> {
    lib.lines()
        .filter_map(|l| l.trim().strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

/// Room → floor, from the diagram: a line's number holds until the next; a room's name stands at a
/// line's start (after the number) or after at least two spaces.
fn floors(lib: &str, rooms: &[String]) -> BTreeMap<String, u32> {
    let mut floors = BTreeMap::new();
    let mut floor = None;
    let diagram = lib
        .lines()
        .skip_while(|l| *l != "//! ```text")
        .skip(1)
        .take_while(|l| *l != "//! ```")
        .filter_map(|l| l.strip_prefix("//! "));
    for line in diagram {
        if let Some(n) = line.split(' ').next().and_then(|w| w.parse().ok()) {
            floor = Some(n);
        }
        let Some(floor) = floor else { continue };
        for room in rooms {
            let spaced = format!("  {line} ");
            if spaced.contains(&format!("  {room} ")) {
                floors.insert(room.clone(), floor);
            }
        }
    }
    floors
}

/// Every Rust file under `src`, with the module path it is.
fn files() -> Vec<(PathBuf, Vec<String>)> {
    fn walk(folder: &Path, module: &[String], found: &mut Vec<(PathBuf, Vec<String>)>) {
        let mut entries: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                walk(&path, &[module, &[stem]].concat(), found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let own = match stem.as_str() {
                    "mod" | "lib" | "main" => module.to_vec(),
                    _ => [module, &[stem]].concat(),
                };
                found.push((path, own));
            }
        }
    }
    let mut found = Vec::new();
    walk(&src(), &[], &mut found);
    found
}

/// The code of a file: comments and the contents of string literals blanked, lines kept.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let bytes: Vec<char> = text.chars().collect();
    let at = |i: usize| bytes.get(i).copied().unwrap_or('\0');
    let mut i = 0;
    while i < bytes.len() {
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < bytes.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                while i < bytes.len() && !(at(i) == '*' && at(i + 1) == '/') {
                    if at(i) == '\n' {
                        out.push('\n');
                    }
                    i += 1;
                }
                i += 2;
            }
            'r' if (at(i + 1) == '"' || (at(i + 1) == '#' && matches!(at(i + 2), '"' | '#')))
                && !(i > 0 && (at(i - 1).is_alphanumeric() || at(i - 1) == '_')) =>
            {
                let hashes = (1..).take_while(|n| at(i + n) == '#').count();
                i += hashes + 2;
                let close = |i: usize| at(i) == '"' && (1..=hashes).all(|n| at(i + n) == '#');
                while i < bytes.len() && !close(i) {
                    if at(i) == '\n' {
                        out.push('\n');
                    }
                    i += 1;
                }
                i += hashes + 1;
            }
            '"' => {
                i += 1;
                while i < bytes.len() && at(i) != '"' {
                    if at(i) == '\\' {
                        i += 1;
                    }
                    if at(i) == '\n' {
                        out.push('\n');
                    }
                    i += 1;
                }
                i += 1;
            }
            // A quote or slash as a character literal opens nothing.
            '\'' if at(i + 1) == '\\' && at(i + 3) == '\'' => i += 4,
            '\'' if at(i + 2) == '\'' => i += 3,
            c => {
                out.push(c);
                i += 1;
            }
        }
    }
    out
}

/// The first names reached from a path prefix at `rest`: `a::b` gives `a`, `{a::b, c}` gives both.
fn first_names(rest: &str) -> Vec<String> {
    let name = |s: &str| -> String {
        s.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = rest.trim_start().strip_prefix('{') else { return vec![name(rest)] };
    let mut names = Vec::new();
    let mut depth = 0usize;
    let mut part = String::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&std::mem::take(&mut part))),
            _ => part.push(c),
        }
    }
    names.push(name(&part));
    names
}

/// Names at the crate's root that this file reaches, with their line.
fn reaches(code: &str, module: &[String]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let line = |at: usize| code[..at].matches('\n').count() + 1;
    let begins = |at: usize| {
        !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$')
    };
    for prefix in ["crate::", "overrule::"] {
        for (at, _) in code.match_indices(prefix).filter(|(at, _)| begins(*at)) {
            for name in first_names(&code[at + prefix.len()..]) {
                found.push((line(at), name));
            }
        }
    }
    for (at, _) in code.match_indices("super::").filter(|(at, _)| begins(*at)) {
        let mut rest = &code[at..];
        let mut up = 0;
        while let Some(next) = rest.strip_prefix("super::") {
            up += 1;
            rest = next;
        }
        // An inline module (`mod tests { use super::*; }`) is one deeper than its file; only what
        // certainly leaves the room counts.
        if up > module.len() || (up == module.len() && !rest.starts_with('*')) {
            for name in first_names(rest) {
                found.push((line(at), name));
            }
        }
    }
    found
}

#[test]
fn rooms_import_only_from_floors_below() {
    let lib = fs::read_to_string(src().join("lib.rs")).unwrap();
    let rooms = rooms(&lib);
    assert!(rooms.len() >= 10, "rooms are declared in src/lib.rs: {rooms:?}");
    let floors = floors(&lib, &rooms);
    let unplaced: Vec<_> = rooms.iter().filter(|r| !floors.contains_key(*r)).collect();
    assert!(unplaced.is_empty(), "no floor in the diagram of src/lib.rs: {unplaced:?}");

    let mut wrong = Vec::new();
    for (path, module) in files() {
        let text = fs::read_to_string(&path).unwrap();
        // main.rs and lib.rs are the roof: they may name every room.
        let Some(room) = module.first() else { continue };
        let floor = floors[room];
        for (line, name) in reaches(&code(&text), &module) {
            if let Some(other) = floors.get(&name)
                && name != *room
                && *other >= floor
            {
                wrong.push(format!(
                    "{}:{line}: {room} (floor {floor}) imports {name} (floor {other})",
                    path.strip_prefix(src()).unwrap().display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "imports from the same floor or above:\n{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_have_no_clock_no_randomness_and_no_io() {
    let lib = fs::read_to_string(src().join("lib.rs")).unwrap();
    let sentence: String = lib
        .lines()
        .filter_map(|l| l.strip_prefix("//! "))
        .skip_while(|l| *l != "```")
        .collect::<Vec<_>>()
        .join(" ");
    let pure: Vec<String> = rooms(&lib)
        .into_iter()
        .filter(|r| sentence.split(" are pure").next().unwrap().contains(&format!("`{r}`")))
        .collect();
    assert!(pure.len() >= 5, "src/lib.rs names the pure rooms: {pure:?}");
    const IMPURE: [&str; 14] = [
        "std::fs",
        "std::net",
        "std::process",
        "std::env",
        "std::thread",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "tokio::",
        "rusqlite",
        "getrandom",
        "OsRng",
        "println!",
    ];
    let mut wrong = Vec::new();
    for (path, module) in files() {
        let Some(room) = module.first().filter(|r| pure.contains(r)) else { continue };
        let text = code(&fs::read_to_string(&path).unwrap());
        // Tests of a pure room may read its vectors and make seeds.
        if path.file_stem().is_some_and(|s| s == "tests") || module.contains(&"tests".to_owned()) {
            continue;
        }
        let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
        for word in IMPURE {
            if let Some(at) = text.find(word) {
                wrong.push(format!(
                    "{}:{}: {room} is pure and uses {word}",
                    path.strip_prefix(src()).unwrap().display(),
                    text[..at].matches('\n').count() + 1
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_what_it_should() {
    let module = vec!["cli".to_owned(), "queue".to_owned()];
    let text = r##"
        //! crate::store
        use crate::{domain::{Item, Route}, text, protocol::Desk as D};
        use super::super::tui::run;
        fn f() { let s = "crate::audit"; crate::policy::check(); let c = '"'; crate::desk::x() }
        mod tests { use super::*; }
    "##;
    let names: Vec<String> = reaches(&code(text), &module).into_iter().map(|(_, n)| n).collect();
    assert_eq!(names, ["domain", "text", "protocol", "policy", "desk", "tui"]);
}
