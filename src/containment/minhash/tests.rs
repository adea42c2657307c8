//! How well near-duplicates are found, measured on real texts where they are at hand.

use std::path::PathBuf;

use super::*;
use crate::domain::record::{self, Intake, Limits};

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    collect(&Value::String(text.into()), &mut words);
    words
}

fn sign(text: &str) -> Signature {
    of_words(&words(text), b"key")
}

/// A text changed in `share` of its words, by a seeded draw: replaced, dropped or doubled.
fn perturbed(text: &str, share: f64, seed: u64) -> String {
    let mut random = SplitMix64(seed);
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let u = (random.next() >> 11) as f64 / (1u64 << 53) as f64;
        match () {
            () if u >= share => out.push(word.to_owned()),
            () if u < share / 3.0 => out.push(format!("w{}", random.next() % 1000)),
            () if u < share / 1.5 => {}
            () => out.extend([word.to_owned(), word.to_owned()]),
        }
    }
    out.join(" ")
}

#[test]
fn a_signature_is_fixed_for_ever() {
    let s = sign("the quick brown fox jumps over the lazy dog again");
    // From an independent computation after the description above.
    assert_eq!(s.0[..3], FOX);
    assert_eq!(s.0.len(), 128);
    assert_ne!(of_words(&words("the quick brown fox jumps over the lazy dog"), b"other"), s);
    assert!(sign("one two three four five six").is_empty());
    assert_eq!(sign("").similarity(&sign("")), 0.0);
}

const FOX: [u32; 3] = [104367199, 923895599, 144395493];

#[test]
fn it_estimates_the_similarity_of_the_sets() {
    let a: Vec<String> = (0..300).map(|i| format!("w{i}")).collect();
    let b: Vec<String> = (100..400).map(|i| format!("w{i}")).collect();
    // 298 shingles each, 198 of them shared: 198 / 398.
    let estimate = of_words(&a, b"k").similarity(&of_words(&b, b"k"));
    assert!((estimate - 0.4975).abs() < 0.13, "{estimate}");
    assert_eq!(of_words(&a, b"k").similarity(&of_words(&a, b"k")), 1.0);
}

/// Run with `--nocapture` for the table. Without the data nothing is measured, and it says so.
#[test]
fn near_duplicates_of_real_texts_are_held_and_others_are_not() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let mut measured = 0;
    for name in ["moderation_posts", "support_expertqa", "support_halueval", "medical_expertqa"] {
        let Ok(text) = std::fs::read_to_string(folder.join(format!("{name}.jsonl"))) else {
            continue;
        };
        let read = |line: &str| match record::parse(line.as_bytes(), &Limits::default()) {
            Intake::Record(parsed) => Some(parsed.decision),
            _ => None,
        };
        let decisions: Vec<Decision> = text.lines().filter_map(read).take(300).collect();
        let with = |d: &Decision, share: f64, seed: u64| {
            let mut d = d.clone();
            for value in d.input.values_mut().chain([&mut d.output]) {
                if let Value::String(text) = value {
                    *text = perturbed(text, share, seed);
                }
            }
            signature(&d, b"key")
        };
        let signed: Vec<Signature> = decisions.iter().map(|d| signature(d, b"key")).collect();
        let usable: Vec<usize> = (0..signed.len()).filter(|i| !signed[*i].is_empty()).collect();
        let recall = |share: f64| {
            let found = usable.iter().filter(|i| {
                signed[**i].near(&with(&decisions[**i], share, **i as u64 + 1)).is_some()
            });
            found.count() as f64 / usable.len() as f64
        };
        let (mut pairs, mut held) = (0u64, 0u64);
        for (n, i) in usable.iter().enumerate() {
            for j in &usable[n + 1..] {
                pairs += 1;
                held += u64::from(signed[*i].near(&signed[*j]).is_some());
            }
        }
        let false_hold = held as f64 / pairs as f64;
        let recalls = [0.02, 0.05, 0.10, 0.15].map(recall);
        println!(
            "{name}: {} of {} texts long enough; recall at 2/5/10/15 % of words changed {:?}; \
             unrelated pairs held {held} of {pairs} ({false_hold:.5})",
            usable.len(),
            decisions.len(),
            recalls.map(|r| (r * 1000.0).round() / 1000.0),
        );
        assert!(recalls[1] >= 0.97 && false_hold <= 0.0005, "{name}: {recalls:?} {false_hold}");
        measured += 1;
    }
    if measured == 0 {
        println!("no texts at {}: recall was not measured", folder.display());
    }
}
