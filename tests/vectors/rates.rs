//! Intervals of rates and calibration, against statsmodels and scikit-learn.

use overrule::signals::calibration::{Binning, Observation, calibration};
use overrule::signals::intervals::{Interval, clopper_pearson, jeffreys, wilson};
use serde_json::Value;

use crate::folder::{self, close, number};

#[test]
fn intervals_equal_statsmodels() {
    let cases = folder::cases("override_rate_intervals");
    for case in &cases {
        let count = |name: &str| case["input"][name].as_u64().expect("count");
        let (k, n, alpha) = (count("k"), count("n"), number(&case["input"]["alpha"]));
        let methods: [(&str, Option<Interval>); 3] = [
            ("wilson", wilson(k, n, alpha)),
            ("jeffreys", jeffreys(k, n, alpha)),
            ("clopper_pearson", clopper_pearson(k, n, alpha)),
        ];
        for (name, got) in methods {
            let expected = &case["expected"][name];
            match got {
                None => assert!(expected.is_null(), "{} {name}", case["name"]),
                Some(got) => {
                    close(case, got.low, number(&expected[0]));
                    close(case, got.high, number(&expected[1]));
                }
            }
        }
    }
    folder::ran("override_rate_intervals", cases.len(), 43);
}

#[test]
fn calibration_equals_scikit_learn() {
    let cases = folder::cases("calibration");
    let mut binnings = 0;
    for case in &cases {
        let list = |name: &str| case["input"][name].as_array().expect("list").clone();
        let seen: Vec<Observation> = list("p")
            .iter()
            .zip(&list("y"))
            .map(|(p, y)| Observation {
                confidence: number(p),
                right: y.as_u64() == Some(1),
                weight: 1.0,
            })
            .collect();
        for expected in case["expected"]["reliability"].as_array().expect("list") {
            let bins = usize::try_from(expected["bins"].as_u64().expect("bins")).expect("small");
            let binning = match expected["strategy"].as_str() {
                Some("uniform") => Binning::EqualWidth(bins),
                _ => Binning::EqualMass(bins),
            };
            let got = calibration(&seen, binning).expect("seen");
            close(case, got.ece, number(&expected["ece"]));
            close(case, got.mce, number(&expected["mce"]));
            close(case, got.brier.expect("raw"), number(&case["expected"]["brier"]));
            let column =
                |name: &str| -> Vec<Value> { expected[name].as_array().expect("list").clone() };
            let index: Vec<usize> =
                serde_json::from_value(expected["bin_index"].clone()).expect("indices");
            assert_eq!(
                got.bins.iter().map(|b| b.index).collect::<Vec<_>>(),
                index,
                "{}",
                case["name"]
            );
            for (i, bin) in got.bins.iter().enumerate() {
                assert_eq!(Some(bin.n), column("count")[i].as_u64(), "{}", case["name"]);
                close(case, bin.confidence, number(&column("mean_predicted")[i]));
                close(case, bin.right, number(&column("fraction_positive")[i]));
                close(case, bin.low, number(&column("edges")[bin.index]));
                close(case, bin.high, number(&column("edges")[bin.index + 1]));
            }
            binnings += 1;
        }
    }
    folder::ran("calibration", cases.len(), 12);
    folder::ran("calibration binnings", binnings, 48);
}
