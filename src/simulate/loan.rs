//! Loan pre-approval: approve or deny, from an applicant's figures.
//!
//! The model is a logistic score over what it sees, and the world agrees with it, until the drift:
//! then self-employed applicants hand in statements of gross platform payouts. They look richer
//! than they are, so the model approves with the same confidence and is often wrong.

use serde_json::json;

use super::grammar::{Slots, expand, hide};
use super::rng::Rng;
use super::{Draft, Truth, logistic, number, round};
use crate::domain::VerdictKind;

pub(super) const DRIFTING: &str = "self-employed";

const SEGMENTS: [&str; 5] = ["salaried", "salaried", "self-employed", "first-job", "retired"];
const REGIONS: [&str; 4] = ["coast", "capital", "north", "highlands"];

/// How right the model still is about the drifted cohort: this share of its confidence.
const DRIFTED: f64 = 0.58;

pub(super) fn draw(rng: &mut Rng, drifting: bool, hostile: bool) -> Draft {
    let segment = rng.pick(&SEGMENTS);
    let region = rng.pick(&REGIONS);
    let drifted = drifting && segment == DRIFTING;

    let mut income = (rng.normal(64.0, 19.0) + f64::from(u8::from(region == "capital")) * 12.0)
        .clamp(19.0, 190.0);
    let mut loan = (income * rng.between(1.4, 4.4)).clamp(25.0, 640.0);
    let mut tenure = rng.between(0.5, 18.0);
    match segment {
        "first-job" => {
            income *= 0.62;
            loan *= 0.6;
            tenure = rng.between(0.1, 2.5);
        }
        "retired" => {
            income *= 0.7;
            loan *= 0.45;
            tenure = 0.0;
        }
        _ => {}
    }
    let mut statement = rng.pick(&["payslips", "payslips", "tax return", "bank statements"]);
    if segment == DRIFTING {
        statement = rng.pick(&["tax return", "tax return", "accountant's letter"]);
    }
    if drifted {
        income *= rng.between(1.5, 2.1);
        tenure = rng.between(0.2, 2.0);
        statement = "platform payouts";
    }
    let (income, loan) = (round(income, 1), round(loan, 0));
    let tenure = round(tenure, 1);
    let obligations = round(rng.normal(33.0, 8.5).clamp(4.0, 72.0), 1);
    let to_price = round(rng.normal(0.79, 0.11).clamp(0.25, 1.05), 3);
    let history_ok = !rng.chance(0.13);
    let verified = !rng.chance(if segment == DRIFTING { 0.16 } else { 0.07 });
    let dependants = rng.below(4);

    // What each figure says, in log-odds towards "deny".
    let ratio = loan / income;
    let mut says = [
        ("obligations", 0.085 * (obligations - 33.0)),
        ("loan to income", 0.62 * (ratio - 2.9)),
        ("loan to price", 5.2 * (to_price - 0.79)),
        ("credit history", if history_ok { -0.45 } else { 2.3 }),
        ("income papers", if verified { -0.3 } else { 1.9 }),
        ("time in work", if tenure < 1.0 { 0.5 } else { -0.02 * tenure.min(10.0) }),
    ];
    let p_deny = logistic(-1.9 + says.iter().map(|(_, x)| x).sum::<f64>()).clamp(0.004, 0.996);
    let action = if p_deny > 0.5 { "deny" } else { "approve" };
    let confidence = round(p_deny.max(1.0 - p_deny), 4);
    let right = rng.chance(if drifted { confidence * DRIFTED } else { confidence });

    says.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let named: Vec<String> = says.iter().take(3).map(|(n, x)| format!("{n} {x:+.2}")).collect();
    let rationale = format!("Towards 'deny': {}.", named.join(", "));

    let note = note(rng, segment, statement);
    let note = if hostile { hide(rng, &note) } else { note };
    let rate = round(4.1 + 5.5 * p_deny + 1.4 * (to_price - 0.5), 2);
    let other = if action == "approve" { "deny" } else { "approve" };
    let output = |decision: &str| match decision {
        "approve" => {
            json!({"decision": "approve", "limit_thousands": number(loan), "rate_pct": rate,
            "p_deny": round(p_deny, 4)})
        }
        _ => json!({"decision": "deny", "p_deny": round(p_deny, 4)}),
    };
    Draft {
        prefix: "loan",
        action,
        scope: rng.pick(&["lending/mortgage", "lending/mortgage", "lending/refinance"]),
        user_group: "retail",
        model: ("loan-preapproval", "4.2"),
        members: ["logreg", "forest", "gboost"],
        cohort: [("cohort", segment), ("region", region)],
        confidence,
        business_impact: number(round((4.0 + loan / 100.0).min(8.0), 0)),
        input: json!({
            "loan_thousands": number(loan),
            "income_thousands": number(income),
            "income_statement": statement,
            "income_verified": verified,
            "obligation_ratio_pct": number(obligations),
            "loan_to_price": to_price,
            "credit_history_ok": history_ok,
            "years_in_work": number(tenure),
            "dependants": dependants,
            "applicant_note": note,
        }),
        output: output(action),
        rationale,
        truth: truth(rng, right, drifted, action, other, output(other), confidence),
    }
}

fn truth(
    rng: &mut Rng,
    right: bool,
    drifted: bool,
    action: &str,
    other: &str,
    corrected: serde_json::Value,
    confidence: f64,
) -> Truth {
    // Even people pass the closest calls on.
    if confidence < 0.56 && rng.chance(0.3) {
        let action = if right { action } else { other };
        let output = (!right).then_some(corrected);
        let verdict = VerdictKind::Escalate;
        return Truth { right, action: action.to_owned(), output, verdict, tags: vec![] };
    }
    if right {
        let verdict = VerdictKind::Accept;
        return Truth { right, action: action.to_owned(), output: None, verdict, tags: vec![] };
    }
    let tag = match drifted {
        true => rng.pick(&["out_of_distribution", "out_of_distribution", "wrong_action"]),
        false => rng.pick(&["wrong_action", "wrong_action", "factual_error", "bias"]),
    };
    Truth {
        right,
        action: other.to_owned(),
        output: Some(corrected),
        verdict: VerdictKind::Edit,
        tags: vec![tag.to_owned()],
    }
}

fn note(rng: &mut Rng, segment: &str, statement: &str) -> String {
    let mut slots = Slots::default();
    slots.set("months", rng.whole(2, 30).to_string());
    slots.set("paper", statement);
    slots.set(
        "trade",
        rng.pick(&[
            "joiner",
            "translator",
            "courier",
            "photographer",
            "dog groomer",
            "bookkeeper",
            "web designer",
            "plasterer",
            "music teacher",
            "caterer",
        ]),
    );
    let templates: &[&str] = match segment {
        "self-employed" => &[
            "[I work|Working] for myself as a {trade} [since|for] {months} months[.|, mostly regular clients.]",
            "Self-employed {trade}. [Income varies by season|Winter is slow], {paper} [attached|enclosed].",
            "[My own business|Sole trader] ({trade}); [the {paper} show|please see the {paper} for] the last year.",
        ],
        "first-job" => &[
            "[Started|I started] my first [permanent|full-time] job {months} months ago[.|, probation is over.]",
            "[My parents|My aunt and uncle] [help|will help] with the deposit. First [home|flat] for me.",
        ],
        "retired" => &[
            "[Retired|I am retired]; pension plus [rent from a small flat|savings]. [Downsizing.|Moving closer to family.]",
            "[We|My wife and I] [want to|would like to] [fit a new kitchen|replace the roof] and keep the house.",
        ],
        _ => &[
            "[Same employer|With my employer] for {months} months [and counting|], [bonus not included|overtime not included].",
            "[We are|Our family is] [moving|relocating] for [work|school]; [the old flat is sold|the old house is on the market].",
            "[Buying with my partner|Buying alone], [offer accepted last week|the seller wants to close soon].",
            "[Please|Could you] [keep the rate fixed|quote ten years fixed] if possible.",
        ],
    };
    expand(rng.pick(templates), rng, &slots)
}
