//! The stream is reproducible, calibrated until it drifts, and made of valid records.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::domain::Decision;
use crate::domain::record::{Intake, Limits, parse};

fn clean() -> Scenario {
    Scenario { broken: 0.0, duplicates: 0.0, hostile: 0.0, ..Scenario::default() }
}

fn decision(line: &str) -> Decision {
    match parse(line.as_bytes(), &Limits::default()) {
        Intake::Record(parsed) => parsed.decision,
        other => panic!("{line}: {other:?}"),
    }
}

/// Mean confidence minus share of right ones, and expected calibration error over ten bins.
fn calibration(list: &[(f64, bool)]) -> (f64, f64) {
    let n = list.len() as f64;
    let gap = |part: &[&(f64, bool)]| {
        part.iter().map(|(c, right)| c - f64::from(u8::from(*right))).sum::<f64>()
    };
    let bins = (0..10).map(|b| {
        let part: Vec<_> = list.iter().filter(|(c, _)| ((c * 10.0) as usize).min(9) == b).collect();
        gap(&part).abs()
    });
    (gap(&list.iter().collect::<Vec<_>>()) / n, bins.sum::<f64>() / n)
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let scenario = Scenario { drift_after: Some(Duration::from_secs(60)), ..Scenario::default() };
    let take = |seed| Simulator::new(seed, scenario.clone()).take(500).collect::<Vec<_>>();
    assert_eq!(take(11), take(11));
    assert_ne!(take(11)[0].line, take(12)[0].line);
}

#[test]
fn confidences_are_calibrated_before_the_drift() {
    let mut by_desk: HashMap<Desk, Vec<(f64, bool)>> = HashMap::new();
    for a in Simulator::new(1, clean()).take(20_000) {
        let d = decision(&a.line);
        assert_eq!(d.domain, a.desk.domain());
        by_desk.entry(a.desk).or_default().push((d.confidence, a.truth.right));
    }
    for (desk, list) in by_desk {
        assert!(list.len() > 6_000, "{desk:?}");
        let (bias, ece) = calibration(&list);
        assert!(bias.abs() < 0.015 && ece < 0.02, "{desk:?}: bias {bias:.4}, ece {ece:.4}");
        let wrong = list.iter().filter(|(_, right)| !right).count() as f64 / list.len() as f64;
        assert!((0.08..0.35).contains(&wrong), "{desk:?}: {wrong:.3} wrong");
    }
}

#[test]
fn the_drift_hits_one_cohort_and_leaves_its_confidence() {
    for desk in Desk::ALL {
        let scenario = Scenario {
            drift_after: Some(Duration::from_secs(3_600)),
            drift_desk: desk,
            desks: vec![desk],
            rate_per_minute: 100.0,
            ..clean()
        };
        let (mut before, mut after, mut others) = (vec![], vec![], vec![]);
        for a in Simulator::new(5, scenario).take(11_000) {
            let d = decision(&a.line);
            let hit = d.cohort_group() == Some(desk.drifting_cohort());
            let late = a.at_offset >= Duration::from_secs(3_600);
            assert_eq!(a.drifted, hit && late);
            let list = match (hit, late) {
                (true, true) => &mut after,
                (true, false) => &mut before,
                (false, _) => &mut others,
            };
            list.push((d.confidence, a.truth.right));
        }
        let mean = |l: &[(f64, bool)]| l.iter().map(|(c, _)| c).sum::<f64>() / l.len() as f64;
        assert!(calibration(&before).0.abs() < 0.03, "{desk:?}: {:?}", calibration(&before));
        assert!(calibration(&others).0.abs() < 0.02, "{desk:?}: {:?}", calibration(&others));
        assert!(calibration(&after).0 > 0.2, "{desk:?}: {:?}", calibration(&after));
        assert!(mean(&after) > mean(&before) - 0.03, "{desk:?}: the model noticed");
    }
}

#[test]
fn the_drifted_inputs_have_moved() {
    let scenario = Scenario {
        drift_after: Some(Duration::from_secs(3_600)),
        desks: vec![Desk::Loan],
        rate_per_minute: 100.0,
        ..clean()
    };
    let (mut before, mut after) = (vec![], vec![]);
    for a in Simulator::new(5, scenario).take(12_000) {
        let d = decision(&a.line);
        if d.cohort_group() == Some("self-employed") {
            let income = d.input["income_thousands"].as_f64().unwrap();
            if a.drifted { after.push(income) } else { before.push(income) }
        }
    }
    let mean = |l: &[f64]| l.iter().sum::<f64>() / l.len() as f64;
    assert!(mean(&after) > 1.4 * mean(&before));
}

#[test]
fn plain_lines_are_records_and_spoiled_ones_are_not() {
    let scenario = Scenario { broken: 0.1, duplicates: 0.05, hostile: 0.05, ..Scenario::default() };
    let (mut ids, mut lines, mut counts) = (HashSet::new(), HashSet::new(), HashMap::new());
    for a in Simulator::new(9, scenario).take(5_000) {
        *counts.entry(format!("{:?}", a.sort)).or_insert(0) += 1;
        let intake = parse(a.line.as_bytes(), &Limits::default());
        match a.sort {
            Sort::Record => {
                let d = decision(&a.line);
                assert_eq!(d.id, a.id);
                assert!(d.extra.is_empty(), "{:?}", d.extra);
                assert!(ids.insert(a.id), "an id came twice");
                lines.insert(a.line);
            }
            Sort::Duplicate => assert!(lines.contains(&a.line)),
            Sort::Broken => {
                assert!(!matches!(intake, Intake::Record(_) | Intake::Blank), "{}", a.line);
            }
        }
    }
    assert!(counts["Broken"] > 350 && counts["Duplicate"] > 150, "{counts:?}");
}

#[test]
fn arrivals_come_at_the_rate_and_in_order() {
    let scenario = Scenario { rate_per_minute: 240.0, ..clean() };
    let mut last = Duration::ZERO;
    for a in Simulator::new(3, scenario.clone()).take(20_000) {
        assert!(a.at_offset >= last);
        last = a.at_offset;
        let at = scenario.start.checked_add(a.at_offset).unwrap();
        assert_eq!(decision(&a.line).occurred_at, Some(at));
    }
    let per_minute = 20_000.0 / (last.as_secs_f64() / 60.0);
    assert!((per_minute - 240.0).abs() < 8.0, "{per_minute}");
}

#[test]
fn truth_fits_its_proposal() {
    let mut verdicts: HashMap<VerdictKind, usize> = HashMap::new();
    let known = [
        "factual_error",
        "bias",
        "out_of_distribution",
        "policy_violation",
        "incomplete",
        "tone",
        "wrong_action",
        "other",
    ];
    for a in Simulator::new(21, clean()).take(6_000) {
        let d = decision(&a.line);
        let t = &a.truth;
        *verdicts.entry(t.verdict).or_default() += 1;
        assert!(t.tags.iter().all(|tag| known.contains(&tag.as_str())));
        match t.verdict {
            VerdictKind::Accept => assert!(t.right && t.action == d.action && t.output.is_none()),
            VerdictKind::Edit => {
                assert!(!t.right && !t.tags.is_empty());
                assert_ne!(t.output.as_ref(), Some(&d.output), "{}", a.line);
            }
            VerdictKind::Reject => assert!(!t.right && t.action != d.action),
            VerdictKind::Escalate => assert!(d.confidence < 0.6),
        }
        let mean = d.ensemble.iter().map(|m| m.score).sum::<f64>() / 3.0;
        assert!((mean - d.confidence).abs() < 2e-4, "{mean} {}", d.confidence);
    }
    assert_eq!(verdicts.len(), 4, "{verdicts:?}");
}

#[test]
fn texts_are_finished_and_varied() {
    let mut questions = HashSet::new();
    let mut outputs = HashSet::new();
    let mut count = 0;
    for a in Simulator::new(2, Scenario { desks: vec![Desk::Support], ..clean() }).take(3_000) {
        let d = decision(&a.line);
        let question = d.input["question"].as_str().unwrap();
        let knowledge = d.input["knowledge"].as_str().unwrap();
        for text in [question, knowledge, &d.output_text()] {
            assert!(!text.contains(['{', '}', '[', ']', '|']), "{text}");
            assert!(!text.contains("  "), "{text}");
        }
        questions.insert(question.to_owned());
        outputs.insert(d.output_text());
        count += 1;
    }
    assert!(questions.len() * 10 > count * 7, "{} of {count}", questions.len());
    assert!(outputs.len() * 10 > count * 9, "{} of {count}", outputs.len());
}

#[test]
fn hidden_characters_come_at_their_rate() {
    let scenario = Scenario { hostile: 0.1, ..clean() };
    let hidden = Simulator::new(4, scenario)
        .take(4_000)
        .filter(|a| {
            let d = decision(&a.line);
            let text = serde_json::to_string(&d.input).unwrap();
            text.contains("\\u001b") || text.contains(['\u{200b}', '\u{202e}', '\u{2066}'])
        })
        .count();
    assert!((300..500).contains(&hidden), "{hidden}");
}
