//! Two samples compared: scipy's Kolmogorov–Smirnov and χ² tests; ensembles.

use overrule::signals::{chi2, ensemble, ks};
use serde_json::Value;

use crate::case::{cases, close, counts, numbers, ran};

#[test]
fn kolmogorov_smirnov() {
    let Some(list) = cases("ks.json") else { return };
    let mut elsewhere = 0;
    for case in &list {
        let read = |name: &str| -> Vec<f64> {
            numbers(&case.input[name]).into_iter().map(|x| x.unwrap_or(f64::NAN)).collect()
        };
        let ours = ks::compare(&read("a"), &read("b")).unwrap();
        close(case, "statistic", ours.statistic, &case.expected["statistic"]);
        close(case, "p", ours.p, &case.expected["p_exact"]);
        close(case, "limiting p", ours.p_limit, &case.expected["p_limit_kolmogorov"]);
        // Small p-values agree in their digits, not only in being small.
        let theirs = case.expected["p_exact"].as_f64().unwrap();
        assert!((ours.p / theirs - 1.0).abs() < 1e-9, "{}: {} against {theirs}", case.name, ours.p);
        // Of places that are equally far apart we name the first; scipy the one that rounding
        // prefers. Either way the distance there is the statistic.
        let theirs = case.expected["location"].as_f64().unwrap();
        let share = |name: &str| {
            let list: Vec<f64> = read(name).into_iter().filter(|x| !x.is_nan()).collect();
            list.iter().filter(|&&x| x <= theirs).count() as f64 / list.len() as f64
        };
        let there = share("a") - share("b");
        close(case, "distance at their location", there.abs(), &case.expected["statistic"]);
        if ours.location == theirs && ours.statistic > 0.0 {
            close(case, "sign", f64::from(ours.sign), &case.expected["sign"]);
        } else {
            elsewhere += 1;
        }
    }
    assert!(elsewhere <= 3, "{elsewhere} cases with a location of their own");
    ran("ks.json", list.len());
}

#[test]
fn homogeneity() {
    let Some(list) = cases("chi2.json") else { return };
    for case in &list {
        let (r, c) = (counts(&case.input["ref_counts"]), counts(&case.input["cur_counts"]));
        let theirs = &case.expected["homogeneity"];
        match chi2::homogeneity(&r, &c) {
            None => assert!(theirs.is_null(), "{}", case.name),
            Some(ours) => {
                close(case, "statistic", ours.statistic, &theirs["statistic"]);
                close(case, "p", ours.p, &theirs["p"]);
                close(case, "least expected", ours.min_expected, &theirs["min_expected"]);
                assert_eq!(Value::from(ours.dof), theirs["dof"], "{}", case.name);
            }
        }
    }
    ran("chi2.json", list.len());
}

#[test]
fn ensembles() {
    let Some(list) = cases("ensemble.json") else { return };
    for case in &list {
        let members: Vec<Vec<f64>> = case.input["member_probabilities"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| numbers(m).into_iter().flatten().collect())
            .collect();
        let ours = ensemble::disagreement(&members).unwrap();
        let theirs = &case.expected;
        let each = |what: &str, list: &[f64]| {
            let expected = theirs[what].as_array().unwrap();
            assert_eq!(list.len(), expected.len(), "{}: {what}", case.name);
            for (x, y) in list.iter().zip(expected) {
                close(case, what, *x, y);
            }
        };
        each("mean", &ours.mean);
        each("variance_population", &ours.variance);
        match &ours.variance_sample {
            Some(list) => each("variance_sample", list),
            None => assert!(theirs["variance_sample"].is_null(), "{}", case.name),
        }
        each("vote_share", &ours.vote_share);
        let mean_variance = ours.variance.iter().sum::<f64>() / ours.variance.len() as f64;
        close(case, "mean variance", mean_variance, &theirs["mean_variance_population"]);
        close(case, "entropy", ours.predictive_entropy, &theirs["predictive_entropy_nats"]);
        close(case, "own entropy", ours.expected_entropy, &theirs["expected_entropy_nats"]);
        close(case, "information", ours.mutual_information, &theirs["mutual_information_nats"]);
        close(case, "vote entropy", ours.vote_entropy, &theirs["vote_entropy_nats"]);
        close(case, "disagreement", ours.disagreement, &theirs["disagreement"]);
    }
    ran("ensemble.json", list.len());
}
