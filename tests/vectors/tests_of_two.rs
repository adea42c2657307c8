//! Tests of a canary against a baseline: at one look (statsmodels, scipy) and at every look
//! (gbstats, msprt, closed forms).

use overrule::signals::sequential::{
    Arm, Sprt, SprtVerdict, TwoByTwo, confidence_sequence, mixture_ratio,
};
use overrule::signals::two_sample::{fisher, mann_whitney, newcombe, z_test};
use serde_json::Value;

use crate::folder::{self, close, number};

fn arm(value: &Value) -> Arm {
    Arm::new(value["k"].as_u64().expect("k"), value["n"].as_u64().expect("n"))
}

fn bits(value: &Value) -> Vec<bool> {
    value.as_array().expect("bits").iter().map(|b| b.as_u64() == Some(1)).collect()
}

fn of_bits(bits: &[bool]) -> Arm {
    let mut arm = Arm::default();
    bits.iter().for_each(|bit| arm.observe(*bit));
    arm
}

/// A p-value may be tiny: it must agree relative to itself.
fn same_p(case: &Value, got: f64, expected: &Value) {
    let expected = number(expected);
    let apart = (got - expected).abs();
    assert!(apart <= 1e-9 * expected.abs() + 1e-300, "{}: {got} for {expected}", case["name"]);
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("list").iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

#[test]
fn tests_at_one_look_equal_scipy_and_statsmodels() {
    let cases = folder::cases("canary_tests");
    for case in &cases {
        let (input, expected) = (&case["input"], &case["expected"]);
        if input["test"] == "mann_whitney" {
            let (base, canary) = (numbers(&input["baseline"]), numbers(&input["canary"]));
            let got = mann_whitney(&base, &canary).expect("both samples");
            close(case, got.u, number(&expected["u_canary"]));
            close(case, got.effect, number(&expected["cles"]));
            same_p(case, got.p_asymptotic, &expected["p_asymptotic_cc"]);
            if !expected["p_exact"].is_null() {
                same_p(case, got.p_exact.expect("no ties"), &expected["p_exact"]);
            }
            continue;
        }
        let (base, canary) = (arm(&input["baseline"]), arm(&input["canary"]));
        match z_test(base, canary) {
            None => assert!(expected["z_pooled"].is_null(), "{}", case["name"]),
            Some(test) => {
                close(case, test.z, number(&expected["z_pooled"]));
                same_p(case, test.p_two_sided, &expected["p_two_sided"]);
                same_p(case, test.p_higher, &expected["p_canary_higher"]);
            }
        }
        let exact = fisher(base, canary);
        same_p(case, exact.p_two_sided, &expected["fisher_p_two_sided"]);
        same_p(case, exact.p_higher, &expected["fisher_p_canary_higher"]);
        let (low, high) = newcombe(base, canary).expect("both arms");
        close(case, low, number(&expected["newcombe_95_diff"][0]));
        close(case, high, number(&expected["newcombe_95_diff"][1]));
    }
    folder::ran("canary_tests", cases.len(), 25);
}

#[test]
fn tests_at_every_look_equal_their_sources() {
    let cases = folder::cases("sequential_tests");
    for case in &cases {
        match case["input"]["test"].as_str().expect("a test") {
            "asymptotic_cs" => sequence(case),
            "msprt_bernoulli" => mixture(case),
            "wald_sprt" => wald(case),
            "eprocess_2x2" => process(case),
            other => unreachable!("{other}: a test nobody knows"),
        }
    }
    folder::ran("sequential_tests", cases.len(), 26);
}

fn sequence(case: &Value) {
    let (input, expected) = (&case["input"], &case["expected"]);
    let got = confidence_sequence(
        arm(&input["baseline"]),
        arm(&input["canary"]),
        number(&input["alpha"]),
        number(&input["tuning_n"]),
    )
    .expect("both arms vary");
    close(case, got.difference, number(&expected["diff"]));
    close(case, got.low, number(&expected["ci"][0]));
    close(case, got.high, number(&expected["ci"][1]));
    close(case, got.p_always_valid, number(&expected["p_always_valid"]));
}

fn mixture(case: &Value) {
    let (input, expected) = (&case["input"], &case["expected"]);
    let (base, canary) = (bits(&input["baseline_bits"]), bits(&input["canary_bits"]));
    let (tau, theta) = (number(&input["tau"]), number(&input["theta"]));
    let ratio = |n: usize| mixture_ratio(of_bits(&base[..n]), of_bits(&canary[..n]), tau, theta);
    let at: Vec<usize> = serde_json::from_value(expected["at_n_pairs"].clone()).expect("pairs");
    for (n, lambda) in at.iter().zip(numbers(&expected["lambda_at_n_pairs"])) {
        close(case, ratio(*n), lambda);
    }
    let warmup = usize::try_from(input["warmup"].as_u64().expect("count")).expect("small");
    let limit = 1.0 / number(&input["alpha"]);
    let first = (warmup + 1..=canary.len()).find(|n| ratio(*n) > limit);
    let known = expected["first_n_pairs_with_lambda_gt_1_over_alpha"].as_u64();
    assert_eq!(first.and_then(|n| u64::try_from(n).ok()), known, "{}", case["name"]);
}

fn wald(case: &Value) {
    let (input, expected) = (&case["input"], &case["expected"]);
    let of = |name: &str| number(&input[name]);
    let mut test = Sprt::new(of("p0"), of("p1"), of("alpha"), of("beta"));
    for bit in bits(&input["bits"]) {
        test.observe(bit);
    }
    let name = match test.verdict() {
        SprtVerdict::Continue => "continue",
        SprtVerdict::AcceptH0 => "accept_h0",
        SprtVerdict::RejectH0 => "reject_h0",
    };
    assert_eq!(Some(name), expected["decision"].as_str());
    assert_eq!(Some(test.n()), expected["n"].as_u64());
    let (llr, lower, upper) = test.log_ratio();
    close(case, llr, number(&expected["llr"]));
    close(case, lower, number(&expected["lower"]));
    close(case, upper, number(&expected["upper"]));
}

fn process(case: &Value) {
    let (input, expected) = (&case["input"], &case["expected"]);
    let size = |name: &str| usize::try_from(input[name].as_u64().expect("count")).expect("small");
    let (base, canary) = (bits(&input["baseline_bits"]), bits(&input["canary_bits"]));
    let blocks =
        base.chunks(size("baseline_per_block")).zip(canary.chunks(size("canary_per_block")));
    let alpha = number(&input["alpha"]);
    let after: Vec<u64> = serde_json::from_value(expected["after_block"].clone()).expect("blocks");
    let log_e = numbers(&expected["log_e"]);
    let mut process = TwoByTwo::new(number(&input["beta_prior"]));
    let mut first = None;
    for (base, canary) in blocks {
        process.block(of_bits(base), of_bits(canary));
        if process.reached(alpha) && first.is_none() {
            first = Some(process.blocks());
        }
        if let Some(at) = after.iter().position(|block| *block == process.blocks()) {
            close(case, process.log_e(), log_e[at]);
        }
    }
    assert_eq!(first, expected["first_block_reaching_1_over_alpha"].as_u64(), "{}", case["name"]);
    same_p(case, process.p_always_valid(), &expected["p_always_valid_final"]);
}
