//! Files cut, mixed and mangled: whatever stands in one, loading ends with findings that can be
//! shown, never in a panic.

use super::*;

/// SplitMix64.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((z ^ (z >> 31)) % 1_000_003).unwrap()
}

#[test]
fn mangled_files_never_panic() {
    let texts: Vec<Vec<char>> =
        shipped_names().map(|n| shipped(n).unwrap().chars().take(6000).collect()).collect();
    let noise: Vec<char> =
        "'\"\\\n\r\t[]{}=.,&|!<>()#0-9é貸\u{202e}\u{0}\u{feff}aA_~".chars().collect();
    let (mut state, mut loaded) = (42, 0);
    for round in 0..400 {
        let mut text = texts[round % texts.len()].clone();
        for _ in 0..1 + next(&mut state) % 4 {
            let at = next(&mut state) % text.len();
            match next(&mut state) % 4 {
                0 => text[at] = noise[next(&mut state) % noise.len()],
                1 => drop(text.remove(at)),
                2 => text.insert(at, noise[next(&mut state) % noise.len()]),
                _ => text.truncate(at.max(1)),
            }
        }
        let text: String = text.into_iter().collect();
        match Policy::load(&text, "p.toml", &Schemas::default()) {
            Ok(policy) => {
                loaded += 1;
                let r = policy.route(&decision(json!({})), &facts());
                assert!(!r.rule.is_empty());
                drop(policy.warnings().render(true));
            }
            Err(found) => {
                assert!(found.has_errors());
                assert!(!found.render(false).is_empty());
                for d in found.iter() {
                    assert!(d.line >= 1 && d.column >= 1);
                    assert!(text.get(d.span.clone()).is_some(), "{d}");
                }
            }
        }
    }
    assert!(loaded > 5, "{loaded} survived");
}

#[test]
fn line_ends_of_other_systems_change_nothing_but_the_hash() {
    let unix = shipped("confidence-gated").unwrap();
    let dos = unix.replace('\n', "\r\n");
    let policy = load(&dos);
    assert!(policy.warnings().is_empty());
    assert_eq!(policy.run_tests().failed(), 0);
    assert_ne!(policy.hash(), load(unix).hash());
    let broken = dos.replace("confidence < params.low'", "confidance < params.low'");
    let found = Policy::load(&broken, "p.toml", &Schemas::default()).unwrap_err();
    let first = found.iter().next().unwrap();
    assert_eq!(&broken[first.span.clone()], "confidance");
}
