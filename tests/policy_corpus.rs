//! A folder of policy files with mistakes, each with exactly what a person must be shown.
//!
//! `OVERRULE_BLESS=1 cargo test --test policy_corpus` rewrites the expected texts after a wanted
//! change of words; read the difference before you commit it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use overrule::policy::{Policy, Schemas, Severity};

fn corpus() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policies/bad");
    let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    files
}

#[test]
fn every_mistake_is_shown_at_its_place() {
    let bless = std::env::var_os("OVERRULE_BLESS").is_some();
    let files = corpus();
    assert!(files.len() >= 100, "the corpus is gone");
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let found = match Policy::load(&source, name, &Schemas::default()) {
            Ok(policy) => policy.warnings().clone(),
            Err(found) => {
                assert!(found.has_errors());
                found
            }
        };
        assert!(!found.is_empty(), "{name}: nothing was found");
        let shown = format!("{}\n", found.render(false));
        let expected = file.with_extension("txt");
        if bless {
            fs::write(&expected, &shown).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(shown, expected, "{name}");
        for d in found.iter() {
            let span = d.span.clone();
            assert!(source.get(span.clone()).is_some(), "{name}: {span:?} is no place in it");
            let line = source[..span.start].matches('\n').count() + 1;
            assert_eq!(d.line, line, "{name}: {}", d.message);
            assert!(d.severity == Severity::Error || !found.has_errors() || d.line > 0);
        }
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(json[0]["file"], name);
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let source = "policy = 'p'\n[default]\nto = 'nowhere'\n";
    let found = Policy::load(source, "p.toml", &Schemas::default()).unwrap_err();
    let plain = found.render(false);
    let coloured = found.render(true);
    assert!(coloured.contains('\u{1b}') && !plain.contains('\u{1b}'));
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        stripped.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[rest.find('m').unwrap() + 1..];
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain);
}
