//! Figures of a desk where one model has left its ground: made up, but consistent.

use std::collections::BTreeMap;

use super::Inside;
use crate::protocol::{
    CalibrationBin, CalibrationView, DistributionView, DriftView, EstimateView, FlowView,
    ReferenceView, SignalsAsk, SignalsView, SlaView, SliceView, UsualView,
};

/// Overridden of reviewed, decisions, automatic, verdict.
type Counts = (&'static str, &'static str, u64, u64, u64, u64, &'static str);

const SLICES: &[Counts] = &[
    ("cohort", "race:asian", 1, 9, 61, 50, "not_enough_data"),
    ("cohort", "race:black", 14, 51, 214, 150, "over"),
    ("cohort", "race:hispanic", 13, 58, 240, 171, "watch"),
    ("cohort", "race:white", 37, 412, 1904, 1390, "stable"),
    ("model", "mortgage-preapproval@3.1", 48, 390, 1630, 1180, "over"),
    ("model", "bing-chat@2023", 17, 140, 789, 581, "stable"),
    ("domain", "loan", 48, 390, 1630, 1180, "over"),
    ("domain", "support_qa", 17, 140, 789, 581, "stable"),
    ("queue", "level1", 58, 480, 480, 0, "stable"),
    ("queue", "level2", 7, 50, 50, 0, "stable"),
    ("reviewer", "ann", 31, 240, 240, 0, "stable"),
    ("reviewer", "bob", 34, 290, 290, 0, "stable"),
    ("rule", "low-confidence", 21, 310, 310, 0, "stable"),
    ("rule", "unsure-high-impact", 44, 220, 220, 0, "watch"),
    ("overall", "all", 65, 530, 2419, 1761, "stable"),
];

const DRIFT: &[(&str, &str, Option<f64>, u64, &str)] = &[
    ("mortgage-preapproval@3.1", "input.obligation_ratio_pct", Some(0.312), 1204, "drift"),
    ("mortgage-preapproval@3.1", "input.income_thousands", Some(0.124), 1204, "drift"),
    ("mortgage-preapproval@3.1", "confidence", Some(0.081), 1204, "stable"),
    ("mortgage-preapproval@3.1", "input.loan_thousands", Some(0.021), 1204, "stable"),
    ("mortgage-preapproval@3.1", "input.self", Some(0.004), 1204, "stable"),
    ("bing-chat@2023", "output_length", Some(0.058), 789, "stable"),
    ("bing-chat@2023", "confidence", Some(0.017), 789, "stable"),
    ("heart-triage@2.4", "confidence", None, 41, "not_enough_data"),
];

fn wilson(k: u64, n: u64) -> [f64; 2] {
    let (k, n, z) = (k as f64, n as f64, 1.959_963_984_540_054_f64);
    let middle = (k + z * z / 2.0) / (n + z * z);
    let half = z / (n + z * z) * (k * (n - k) / n + z * z / 4.0).sqrt();
    [middle - half, middle + half]
}

fn named(dimension: &str, value: &str) -> BTreeMap<String, String> {
    [(dimension.to_owned(), value.to_owned())].into()
}

impl Inside {
    pub(super) fn signals(&self, ask: &SignalsAsk) -> SignalsView {
        let wanted = |d: &str| ask.by.as_ref().is_none_or(|by| by == d);
        let slices = SLICES.iter().filter(|s| wanted(s.0)).map(|s| slice(*s)).collect();
        let of = |model: &str| match &ask.slice {
            Some(slice) => *slice == format!("model:{model}"),
            None => true,
        };
        let mut drift: Vec<DriftView> =
            DRIFT.iter().filter(|d| of(d.0)).map(|d| drift(named("model", d.0), *d)).collect();
        if let Some((dimension, value)) =
            ask.slice.as_ref().and_then(|s| s.split_once(':')).filter(|(d, _)| *d != "model")
        {
            let rows = DRIFT.iter().take(3);
            drift = rows.map(|d| self::drift(named(dimension, value), *d)).collect();
        }
        SignalsView {
            window: if ask.window.is_empty() { "24h".into() } else { ask.window.clone() },
            now: Some(self.now),
            reference: Some(ReferenceView {
                version: 3,
                name: "June".into(),
                decisions: 12_040,
                set_at: super::start(),
                set_by: "ann".into(),
            }),
            slices,
            drift,
            calibration: vec![
                calibration("mortgage-preapproval@3.1", 390, 0.24, 0.06, "drift"),
                calibration("bing-chat@2023", 140, 0.05, 0.04, "stable"),
            ],
            sla: vec![
                SlaView {
                    queue: "level1".into(),
                    decided: 480,
                    in_time: 451,
                    compliance: Some(451.0 / 480.0),
                    late: 1,
                    at_risk: 3,
                    mean_ms: Some(540_000.0),
                    median_ms: Some(362_000.0),
                    p95_ms: Some(1_270_000.0),
                    resolve_ms: Some(910_000.0),
                    escalation_ms: Some(5_400_000.0),
                },
                SlaView {
                    queue: "level2".into(),
                    decided: 0,
                    in_time: 0,
                    compliance: None,
                    late: 0,
                    at_risk: 0,
                    mean_ms: None,
                    median_ms: None,
                    p95_ms: None,
                    resolve_ms: None,
                    escalation_ms: None,
                },
            ],
            automation_share: Some(0.728),
            flow: FlowView {
                decisions_per_hour: 412.0,
                arrivals_per_hour: 38.0,
                reviews_per_hour: 31.0,
                arrival_z: Some(1.4),
                history: vec![310, 330, 340, 360, 355, 372, 401, 420, 431, 440, 436, 452],
                model_p50_ms: Some(140.0),
                model_p95_ms: Some(810.0),
                admit_p50_ms: Some(1.2),
                admit_p95_ms: Some(4.8),
            },
            missing: [("input.lines".to_owned(), 12)].into(),
            capped: Vec::new(),
        }
    }

    pub(super) fn distribution(&self, slice: &str, feature: &str) -> DistributionView {
        let (dimension, value) = slice.split_once(':').unwrap_or(("overall", "all"));
        let bins = [
            ("<= 12.5", 0.1, 0.021),
            ("<= 18", 0.1, 0.038),
            ("<= 22.4", 0.1, 0.055),
            ("<= 26", 0.1, 0.071),
            ("<= 29.8", 0.1, 0.088),
            ("<= 33", 0.1, 0.102),
            ("<= 36.5", 0.1, 0.121),
            ("<= 40", 0.1, 0.144),
            ("<= 47", 0.1, 0.170),
            ("> 47", 0.095, 0.182),
            ("missing", 0.005, 0.008),
        ];
        let decisions = self.items.keys().filter(|id| id.starts_with("lap")).cloned().collect();
        DistributionView {
            slice: named(dimension, value),
            feature: feature.to_owned(),
            bins: bins.iter().map(|(n, a, b)| ((*n).to_owned(), *a, *b)).collect(),
            n_ref: 12_040,
            n_cur: 1204,
            decisions,
        }
    }
}

fn slice((dimension, value, k, n, decisions, auto, verdict): Counts) -> SliceView {
    let rate = k as f64 / n as f64;
    SliceView {
        slice: named(dimension, value),
        decisions,
        auto,
        reviewed: n,
        overridden: k,
        override_rate: Some(rate),
        override_interval: Some(wilson(k, n)),
        baseline: Some(0.09),
        verdict: verdict.into(),
        reversals: k / 12,
        auto_error: (auto > 100).then_some(EstimateView {
            value: 0.021,
            low: 0.010,
            high: 0.042,
            n: auto / 10,
        }),
        history: (0..12).map(|i| (i != 3).then_some(rate * (0.4 + 0.05 * f64::from(i)))).collect(),
    }
}

fn drift(
    slice: BTreeMap<String, String>,
    (_, feature, psi, n, verdict): (&str, &str, Option<f64>, u64, &str),
) -> DriftView {
    DriftView {
        slice,
        feature: feature.into(),
        n_ref: 12_040,
        n_cur: n,
        psi,
        kl: psi.map(|p| p / 2.0),
        js: psi.map(|p| (p / 8.0).sqrt()),
        ks: psi.map(|p| p / 1.5),
        ks_p: psi.map(|p| if p > 0.1 { 0.0001 } else { 0.41 }),
        chi2: None,
        chi2_p: None,
        verdict: verdict.into(),
        history: (0..12).map(|i| psi.map(|p| p * f64::from(i + 1) / 12.0)).collect(),
    }
}

fn calibration(model: &str, n: u64, ece: f64, before: f64, verdict: &str) -> CalibrationView {
    let bins = (5..10).map(|i| {
        let confidence = f64::from(i) / 10.0 + 0.05;
        let right = (confidence - ece).max(0.0);
        let share = n / 5;
        let interval = wilson((right * share as f64) as u64, share);
        let low = f64::from(i) / 10.0;
        CalibrationBin { low, high: low + 0.1, n: share, confidence, right, interval }
    });
    CalibrationView {
        model: model.into(),
        n,
        ece: Some(ece),
        ece_before: Some(before),
        mce: Some(ece * 1.3),
        brier: Some(0.19),
        bins: bins.collect(),
        verdict: verdict.into(),
    }
}

/// What is usual for loans: the ratio to the price is high here.
pub(super) fn usual() -> Vec<UsualView> {
    let row =
        |field: &str, value: f64, shares: &[f64], bin: usize, rank: f64, unusual: Option<&str>| {
            UsualView {
                field: format!("input.{field}"),
                value,
                shares: shares.to_vec(),
                bin,
                rank,
                unusual: unusual.map(str::to_owned),
                against: "cohort race:white · mortgage-preapproval@3.1".into(),
                n: 1904,
            }
        };
    vec![
        row("loan_thousands", 138.0, &[0.02, 0.08, 0.2, 0.31, 0.21, 0.12, 0.06], 3, 0.48, None),
        row("income_thousands", 53.0, &[0.04, 0.09, 0.17, 0.3, 0.22, 0.12, 0.06], 2, 0.21, None),
        row(
            "loan_to_price",
            0.902,
            &[0.01, 0.02, 0.05, 0.12, 0.28, 0.4, 0.12],
            6,
            0.97,
            Some("high"),
        ),
        row("obligation_ratio_pct", 40.0, &[0.05, 0.14, 0.33, 0.26, 0.14, 0.08], 3, 0.71, None),
        row("liquid_assets_thousands", 23.0, &[0.3, 0.3, 0.2, 0.1, 0.1], 0, 0.03, Some("low")),
    ]
}
