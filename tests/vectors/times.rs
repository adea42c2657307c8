//! Durations: means and percentiles of a sketch against numpy.

use overrule::signals::Durations;

use crate::case::{cases, close, numbers, ran};

#[test]
fn durations_and_percentiles() {
    let Some(list) = cases("durations_percentiles.json") else { return };
    for case in &list {
        let (mut spread, mut sum, mut n) = (Durations::default(), 0_u64, 0_u64);
        // Seconds with three decimals: whole milliseconds. Open ones are not counted.
        for seconds in numbers(&case.input["durations"]).into_iter().flatten() {
            let ms = (seconds * 1000.0).round() as u64;
            spread.record(ms);
            sum += ms;
            n += 1;
        }
        assert_eq!(n, case.expected["count"].as_u64().unwrap(), "{}", case.name);
        assert_eq!(spread.count(), n);
        // What is stored and merged is the same spread.
        let mut stored = Durations::default();
        stored.add_sums(&spread.to_sums());
        assert_eq!(stored.to_sums(), spread.to_sums());
        let quantiles = numbers(&case.input["quantiles"]).into_iter().flatten();
        if n == 0 {
            assert!(case.expected["mttr_mean"].is_null());
            assert!(quantiles.map(|q| spread.quantile(q)).all(|q| q.is_none()));
            continue;
        }
        close(case, "mean", sum as f64 / n as f64 / 1000.0, &case.expected["mttr_mean"]);
        let accuracy = case.input["sketch_relative_accuracy"].as_f64().unwrap();
        for (q, exact) in quantiles.zip(numbers(&case.expected["quantile_lower"])) {
            let (ours, exact) = (stored.quantile(q).unwrap() / 1000.0, exact.unwrap());
            assert!(
                (ours - exact).abs() <= accuracy * exact,
                "{}: {q} is {ours}, not {exact}",
                case.name
            );
        }
    }
    ran("durations_percentiles.json", list.len());
}
