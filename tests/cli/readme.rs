//! The README's commands work as they stand there, on a fresh home.

use std::path::Path;

use super::bench::Bench;

/// The fenced blocks of this language, in order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut inside: Option<String> = None;
    for line in text.lines() {
        match &mut inside {
            Some(block) if line == "```" => {
                blocks.push(std::mem::take(block));
                inside = None;
            }
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
            None if line == format!("```{language}") => inside = Some(String::new()),
            None => {}
        }
    }
    blocks
}

#[test]
fn the_tour_can_be_typed_as_it_stands() {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, tour) = readme.split_once("<!-- tour").unwrap();
    let bench = Bench::new();
    bench.write("policy.toml", &blocks(tour, "toml")[0]);
    let script: String = blocks(tour, "sh").concat();
    assert!(script.matches("overrule ").count() >= 12, "{script}");
    let program = assert_cmd::cargo::cargo_bin("overrule");
    let path = std::env::var("PATH").unwrap();
    let output = bench
        .command(&[])
        .get_envs()
        .fold(std::process::Command::new("bash"), |mut bash, (name, value)| {
            if let Some(value) = value {
                bash.env(name, value);
            }
            bash
        })
        .env("PATH", format!("{}:{path}", program.parent().unwrap().display()))
        .env_remove("OVERRULE_STORE")
        .current_dir(bench.path(""))
        .args(["-e", "-x", "-c", &script])
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}\n{out}");
    for words in [
        "3 admitted: 1 automatic, 1 to review, 1 quarantined",
        "unsure-high-impact",
        "loan-2 taken back: waiting in level1",
        "\"verdict\":\"reject\"",
        "the trail holds",
        "in force: sha256:",
    ] {
        assert!(out.contains(words), "{words}\n{out}\n{err}");
    }
    assert!(bench.path(".local/share/overrule/desk.db").exists(), "where the README says");
}
