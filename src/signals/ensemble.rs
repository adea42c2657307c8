//! How much the members of an ensemble disagree.
//!
//! Total uncertainty (entropy of the mean) splits into what each member is unsure of by itself
//! (mean of entropies) and what they disagree on (mutual information); natural logarithm.

/// Disagreement of members that each give a probability to every class.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    /// Mean probability of each class.
    pub mean: Vec<f64>,
    /// Variance over members of each class, divided by n.
    pub variance: Vec<f64>,
    /// The same divided by n − 1; `None` with one member.
    pub variance_sample: Option<Vec<f64>>,
    /// Entropy of the mean, nats.
    pub predictive_entropy: f64,
    /// Mean of the members' entropies, nats.
    pub expected_entropy: f64,
    /// Their difference: what the members disagree on, nats.
    pub mutual_information: f64,
    /// Share of members whose most probable class (the first of equals) it is.
    pub vote_share: Vec<f64>,
    /// Entropy of the votes, nats.
    pub vote_entropy: f64,
    /// Share of members that do not vote with the majority.
    pub disagreement: f64,
}

/// Look at `members` (rows) by class (columns). `None` without members or classes, or when rows
/// differ in length.
pub fn disagreement(members: &[Vec<f64>]) -> Option<Ensemble> {
    let classes = members.first()?.len();
    if classes == 0 || members.iter().any(|m| m.len() != classes) {
        return None;
    }
    let n = real(members.len());
    let column = |k: usize| members.iter().filter_map(move |m| m.get(k).copied());
    let mean: Vec<f64> = (0..classes).map(|k| column(k).sum::<f64>() / n).collect();
    let squares: Vec<f64> = (0..classes)
        .zip(&mean)
        .map(|(k, mean)| column(k).map(|p| (p - mean).powi(2)).sum())
        .collect();
    let mut votes = vec![0.0; classes];
    for member in members {
        let mut best = 0;
        for (k, p) in member.iter().enumerate() {
            if member.get(best).is_some_and(|b| p > b) {
                best = k;
            }
        }
        if let Some(vote) = votes.get_mut(best) {
            *vote += 1.0;
        }
    }
    let vote_share: Vec<f64> = votes.iter().map(|v| v / n).collect();
    let predictive_entropy = entropy(&mean);
    let expected_entropy = members.iter().map(|m| entropy(m)).sum::<f64>() / n;
    Some(Ensemble {
        variance: squares.iter().map(|s| s / n).collect(),
        variance_sample: (members.len() > 1)
            .then(|| squares.iter().map(|s| s / (n - 1.0)).collect()),
        predictive_entropy,
        expected_entropy,
        mutual_information: (predictive_entropy - expected_entropy).max(0.0),
        vote_entropy: entropy(&vote_share),
        disagreement: 1.0 - vote_share.iter().copied().fold(0.0, f64::max),
        vote_share,
        mean,
    })
}

/// Entropy in nats of shares, made to add up to 1.
fn entropy(shares: &[f64]) -> f64 {
    let total: f64 = shares.iter().sum();
    let sum: f64 = shares.iter().map(|s| s / total).filter(|&s| s > 0.0).map(|s| s * s.ln()).sum();
    if sum == 0.0 { 0.0 } else { -sum }
}

#[allow(clippy::cast_precision_loss, reason = "a few members")]
fn real(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_are_sure_of_different_things_disagree_on_everything() {
        let e = disagreement(&[vec![1.0, 0.0], vec![0.0, 1.0]]).unwrap();
        assert_eq!((e.expected_entropy, e.mutual_information), (0.0, 2_f64.ln()));
        assert_eq!((e.disagreement, e.variance), (0.5, vec![0.25, 0.25]));
        assert_eq!(disagreement(&[]), None);
        assert_eq!(disagreement(&[vec![0.5, 0.5], vec![1.0]]), None);
    }
}
