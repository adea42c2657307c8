//! `signals show`: override rates, drift, calibration and clocks of a window.

use super::compare::said;
use super::plot::{bar, dot};
use crate::cli::app::App;
use crate::cli::failure::Outcome;
use crate::cli::open::Fresh;
use crate::cli::out::{Out, Tone, clean_line};
use crate::cli::session::variant;
use crate::cli::table::{self, Column, numbers, words};
use crate::protocol::{
    CalibrationView, DriftView, Query, Reply, SignalsAsk, SignalsView, SlaView, SliceName,
    SliceView,
};
use crate::signals::Drift;

/// Cells of a picture.
const WIDTH: usize = 32;

/// Show override rates with their intervals, drift, calibration and clocks
///
/// Override rate is (edit + reject) / (accept + edit + reject), with its 95 % Wilson interval; the
/// baseline is the slice's own rate of the 28 days before.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule signals show
  overrule signals show --window 7d --by cohort
  overrule signals show --slice cohort:race:black --json")]
pub(super) struct Show {
    /// 15m, 1h, 24h, 7d, 28d or 90d
    #[arg(long, value_name = "W", default_value = "24h", value_parser = ["15m", "1h", "24h", "7d", "28d", "90d"])]
    window: String,
    /// Only slices of this kind: overall, domain, model, cohort, queue, reviewer or rule
    #[arg(long = "by", value_name = "KIND", value_parser = crate::signals::Slice::KINDS)]
    kind: Option<String>,
    /// Drift of this slice instead of every model's: model:NAME@VERSION, cohort:DIM:GROUP, domain:D
    #[arg(long, value_name = "SLICE")]
    slice: Option<String>,
}

impl Show {
    pub(super) fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        session.catch_up();
        let ask = SignalsAsk { window: self.window, by: self.kind, slice: self.slice };
        let view = variant!(session.ask(Query::Signals(ask))?, Reply::Signals(view) => *view)?;
        if app.out.json {
            return app.out.json(&view);
        }
        print(&app.out, &view)
    }
}

fn print(out: &Out, view: &SignalsView) -> Outcome {
    head(out, view)?;
    overrides(out, view)?;
    drift(out, view)?;
    for one in &view.calibration {
        calibration(out, one)?;
    }
    clocks(out, &view.sla)?;
    if !view.capped.is_empty() {
        let names: Vec<String> = view.capped.iter().map(|n| clean_line(n)).collect();
        out.note(format!("counted under __other__ or not at all: {}", names.join(", ")));
    }
    Ok(())
}

fn head(out: &Out, view: &SignalsView) -> Outcome {
    let flow = &view.flow;
    let auto = view.automation_share.map_or_else(|| "–".to_owned(), percent);
    out.line(format!(
        "{}   {:.1} decisions/h   automatic {auto}   to people {:.1}/h   reviewed {:.1}/h",
        out.tone(Tone::Strong, format!("last {}", view.window)),
        flow.decisions_per_hour,
        flow.arrivals_per_hour,
        flow.reviews_per_hour,
    ))?;
    let said = match &view.reference {
        Some(r) => {
            format!("reference {}: {} decisions of {}", r.version, r.decisions, clean_line(&r.name))
        }
        None => {
            "no reference yet: overrule signals reference set, or wait for 1,000 decisions".into()
        }
    };
    out.line(out.tone(Tone::Dim, said))
}

fn overrides(out: &Out, view: &SignalsView) -> Outcome {
    let rows: Vec<&SliceView> = view.slices.iter().collect();
    if rows.is_empty() {
        return out.line("nothing happened in this window");
    }
    let high = |s: &&SliceView| s.override_interval.map(|i| i[1]);
    // One slice with two verdicts would make the rest a stripe.
    let most = rows.iter().filter(|s| s.reviewed >= 10).filter_map(high).fold(0.1, f64::max);
    let columns = [
        words("slice"),
        words("override rate, 95 %"),
        numbers("rate"),
        numbers("before"),
        numbers("n"),
        numbers("decisions"),
        words("verdict"),
    ];
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|s| {
            let picture = match (s.override_rate, s.override_interval) {
                (Some(rate), Some(interval)) => dot(rate, interval, most, WIDTH),
                _ => String::new(),
            };
            vec![
                name(&s.slice),
                picture,
                s.override_rate.map_or_else(|| "–".to_owned(), percent),
                s.baseline.map_or_else(|| "–".to_owned(), percent),
                s.reviewed.to_string(),
                s.decisions.to_string(),
                match s.verdict.as_str() {
                    "over" => "over ▲".to_owned(),
                    other => clean_line(&other.replace('_', " ")),
                },
            ]
        })
        .collect();
    section(out, &columns, &rows)
}

fn drift(out: &Out, view: &SignalsView) -> Outcome {
    if view.drift.is_empty() {
        return Ok(());
    }
    let psi = |d: &DriftView| d.psi.unwrap_or(0.0);
    let most = view.drift.iter().map(psi).fold(0.25, f64::max).min(1.0);
    let columns = [
        words("feature"),
        words("drift"),
        numbers("PSI"),
        numbers("JS"),
        numbers("n"),
        words("of"),
        words("verdict"),
    ];
    let rows: Vec<Vec<String>> = view
        .drift
        .iter()
        .map(|d| {
            let number = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| format!("{x:.3}"));
            vec![
                clean_line(&d.feature),
                bar(psi(d), most, WIDTH / 2),
                number(d.psi),
                number(d.js),
                d.n_cur.to_string(),
                name(&d.slice),
                said(match d.verdict.as_str() {
                    "drift" => Drift::Drift,
                    "stable" => Drift::Stable,
                    _ => Drift::NotEnoughData,
                })
                .to_owned(),
            ]
        })
        .collect();
    section(out, &columns, &rows)
}

fn calibration(out: &Out, view: &CalibrationView) -> Outcome {
    let number = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| format!("{x:.3}"));
    let before = view.ece_before.map_or_else(String::new, |e| format!(" (was {e:.3})"));
    out.line("")?;
    out.line(format!(
        "calibration of {}   ECE {}{before}   MCE {}   Brier {}   {} outcomes   {}",
        clean_line(&view.model),
        number(view.ece),
        number(view.mce),
        number(view.brier),
        view.n,
        clean_line(&view.verdict.replace('_', " ")),
    ))
}

fn clocks(out: &Out, list: &[SlaView]) -> Outcome {
    if list.is_empty() {
        return Ok(());
    }
    let time = |ms: Option<f64>| {
        ms.map_or_else(
            || "–".to_owned(),
            |ms| match ms / 60_000.0 {
                m if m < 1.0 => format!("{:.0}s", ms / 1_000.0),
                m if m < 120.0 => format!("{m:.0}m"),
                m => format!("{:.0}h", m / 60.0),
            },
        )
    };
    let columns = [
        words("queue"),
        numbers("in time"),
        numbers("decided"),
        numbers("late"),
        numbers("at risk"),
        numbers("median"),
        numbers("p95"),
        numbers("to settle"),
    ];
    let rows: Vec<Vec<String>> = list
        .iter()
        .map(|q| {
            vec![
                clean_line(&q.queue),
                q.compliance.map_or_else(|| "–".to_owned(), percent),
                q.decided.to_string(),
                q.late.to_string(),
                q.at_risk.to_string(),
                time(q.median_ms),
                time(q.p95_ms),
                time(q.resolve_ms),
            ]
        })
        .collect();
    section(out, &columns, &rows)
}

fn section(out: &Out, columns: &[Column], rows: &[Vec<String>]) -> Outcome {
    out.line("")?;
    for line in table::lines(out, columns, rows) {
        out.line(line)?;
    }
    Ok(())
}

/// `cohort race:black`.
fn name(slice: &SliceName) -> String {
    let parts: Vec<String> = slice.iter().map(|(kind, value)| format!("{kind} {value}")).collect();
    clean_line(&parts.join(" · "))
}

fn percent(x: f64) -> String {
    format!("{:.1} %", x * 100.0)
}
