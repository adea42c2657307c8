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

/// README.md.
fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

#[test]
fn the_five_minutes_can_be_typed_as_they_stand() {
    let text = readme();
    let (_, after) = text.split_once("## Five minutes").unwrap();
    let bench = Bench::new();
    // The decision that the page shows is the one its commands are about.
    let decision: serde_json::Value = serde_json::from_str(&blocks(after, "json")[0]).unwrap();
    bench.write("decisions.jsonl", &format!("{decision}\n"));
    // All but the app itself, which needs hands.
    let script: String = blocks(after, "sh")[0]
        .lines()
        .filter(|line| line.split('#').next().unwrap().trim() != "overrule")
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(script.matches("overrule ").count() >= 6, "{script}");

    let program = assert_cmd::cargo::cargo_bin("overrule");
    let path = std::env::var("PATH").unwrap();
    let output = std::process::Command::new("bash")
        .env_clear()
        .env("HOME", bench.path(""))
        .env("PATH", format!("{}:{path}", program.parent().unwrap().display()))
        .current_dir(bench.path(""))
        .args(["-e", "-x", "-c", &script])
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}\n{out}");
    for words in [
        "1 admitted: 1 to review",
        "unsure-high-impact",
        "loan-0071 rejected: settled",
        "the trail holds",
    ] {
        assert!(out.contains(words), "{words}\n{out}\n{err}");
    }
    let corrections = std::fs::read_to_string(bench.path("corrections.jsonl")).unwrap();
    assert!(corrections.contains("\"corrected\":{\"action\":\"deny\""), "{corrections}");
    assert!(bench.path(".local/share/overrule/desk.db").exists(), "where the page says");
}

#[test]
fn the_policy_and_the_configuration_hold() {
    let text = readme();
    let toml = blocks(&text, "toml");
    let bench = Bench::new();
    bench.write("policy.toml", &toml[0]);
    for check in ["check", "test"] {
        let ran = bench.run(&["policy", check, "policy.toml"]);
        assert_eq!(ran.code, 0, "{check}: {ran:?}");
    }
    let config = bench.write("config.toml", &toml[1]);
    let report = bench.json(&["doctor", "--config", config.to_str().unwrap()]);
    assert_eq!(report["checks"][0]["status"], "ok", "{report}");
}
