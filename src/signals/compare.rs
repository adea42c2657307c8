//! Two sets of decisions compared feature by feature: has the second left the first's ground?

use super::{Drift, Feature, ModelReference, Population, Value, chi2, ks};
use crate::domain::Decision;

/// A feature of two sets of decisions.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    pub feature: Feature,
    /// Over bins frozen from the reference; decisions without the feature count as missing.
    pub population: Population,
    /// Statistic and p-value over the values themselves, where they are numbers.
    pub ks: Option<(f64, f64)>,
    /// Statistic and p-value over the bins.
    pub chi2: Option<(f64, f64)>,
    pub verdict: Drift,
}

/// Compare `current` with `reference` over the features of the reference, the largest PSI first.
/// Empty when either is.
pub fn compare(reference: &[Decision], current: &[Decision]) -> Vec<Compared> {
    let Some(frozen) = ModelReference::freeze(1, reference) else { return Vec::new() };
    let mut list: Vec<Compared> = frozen
        .features
        .iter()
        .filter_map(|watched| {
            let feature = &watched.feature;
            let values = |list: &'_ [Decision]| -> Vec<u64> {
                watched.bins.tally(list.iter().map(|d| feature.of(d)))
            };
            let numbers = |list: &[Decision]| -> Vec<f64> {
                let number = |d| match feature.of(d) {
                    Value::Number(x) => Some(x),
                    _ => None,
                };
                list.iter().filter_map(number).collect()
            };
            let (before, now) = (values(reference), values(current));
            let population = Population::compare(&before, &now)?;
            let ks = watched
                .bins
                .is_ordered()
                .then(|| ks::compare(&numbers(reference), &numbers(current)))
                .flatten();
            Some(Compared {
                feature: feature.clone(),
                population,
                ks: ks.map(|k| (k.statistic, k.p)),
                chi2: chi2::homogeneity(&before, &now).map(|t| (t.statistic, t.p)),
                verdict: population.verdict(),
            })
        })
        .collect();
    list.sort_by(|a, b| b.population.psi.total_cmp(&a.population.psi));
    list
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decision(i: usize, confidence: f64, state: &str) -> Decision {
        serde_json::from_value(json!({
            "id": format!("d-{i}"), "domain": "loan", "action": "approve",
            "model": {"name": "m", "version": "1"}, "confidence": confidence,
            "business_impact": 5.0, "input": {"state": state}, "output": "x",
        }))
        .unwrap()
    }

    #[test]
    fn what_moved_comes_first() {
        let before: Vec<Decision> =
            (0..400).map(|i| decision(i, (i % 100) as f64 / 100.0, ["a", "b"][i % 2])).collect();
        let after: Vec<Decision> =
            (0..300).map(|i| decision(i, (i % 100) as f64 / 100.0, ["a", "c"][i % 2])).collect();
        let list = compare(&before, &after);
        let said: Vec<(String, Drift)> =
            list.iter().map(|c| (c.feature.to_string(), c.verdict)).collect();
        assert_eq!(said[0], ("input.state".to_owned(), Drift::Drift));
        assert!(said[1..].iter().all(|(_, verdict)| *verdict == Drift::Stable), "{said:?}");
        let confidence = list.iter().find(|c| c.feature == Feature::Confidence).unwrap();
        assert_eq!((confidence.ks, confidence.population.psi), (Some((0.0, 1.0)), 0.0));
        assert_eq!(list[0].ks, None);
        assert!(list[0].chi2.unwrap().1 < 1e-30);
        assert!(compare(&before, &[]).is_empty() && compare(&[], &before).is_empty());
    }
}
