//! `signals compare REF CUR`: has one file of decisions left the ground of another?

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::plot::bar;
use crate::cli::app::App;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::out::{Out, clean_line};
use crate::cli::table::{self, numbers, words};
use crate::domain::Decision;
use crate::domain::record::{self, Intake, Limits};
use crate::signals::{self, Compared, Drift};

/// Compare two files of decisions, feature by feature
///
/// Bins are frozen from REF: deciles of numbers, one bin per level, one for what REF does not know,
/// one for what is missing. `drift` is a PSI of 0.1 or more that chance would give less than once in
/// a thousand times; with fewer than 200 decisions in CUR (150 in REF) nothing is said.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule signals compare june.jsonl july.jsonl
  overrule signals compare june.jsonl - --json < july.jsonl

JSON: {\"features\":[{\"feature\",\"n_ref\",\"n_cur\",\"psi\",\"kl\",\"js\",\"ks\",\"ks_p\",\"chi2\",\"chi2_p\",\"verdict\"}]}
PSI and KL use natural logarithms; JS is the distance, base 2. No store is needed.")]
pub(super) struct Compare {
    /// What was usual: JSON Lines of decision records
    #[arg(value_name = "REF")]
    reference: PathBuf,
    /// What is now; - reads standard input
    #[arg(value_name = "CUR")]
    current: PathBuf,
}

impl Compare {
    pub(super) fn run(self, app: &App) -> Outcome {
        if self.reference.as_os_str() == "-" && self.current.as_os_str() == "-" {
            return Err(Failure::usage("standard input cannot be both files")
                .hint("name a file for one of them"));
        }
        let reference = decisions(&app.out, &self.reference)?;
        let current = decisions(&app.out, &self.current)?;
        let list = signals::compare(&reference, &current);
        if app.out.json {
            let features: Vec<_> = list
                .iter()
                .map(|c| {
                    json!({
                        "feature": c.feature.to_string(),
                        "n_ref": c.population.n_ref,
                        "n_cur": c.population.n_cur,
                        "psi": c.population.psi,
                        "kl": c.population.kl,
                        "js": c.population.js,
                        "ks": c.ks.map(|k| k.0),
                        "ks_p": c.ks.map(|k| k.1),
                        "chi2": c.chi2.map(|t| t.0),
                        "chi2_p": c.chi2.map(|t| t.1),
                        "verdict": c.verdict.as_str(),
                    })
                })
                .collect();
            return app.out.json(&json!({ "features": features }));
        }
        self.print(app, &list)
    }

    fn print(&self, app: &App, list: &[Compared]) -> Outcome {
        let name = |path: &Path| clean_line(&path.display().to_string());
        let first = list.first().map(|c| c.population);
        let (n, m) = first.map_or((0, 0), |p| (p.n_ref, p.n_cur));
        let drifted = list.iter().filter(|c| c.verdict == Drift::Drift).count();
        app.out.line(format!(
            "{} ({m} decisions) against {} ({n}): {drifted} of {} features drift",
            name(&self.current),
            name(&self.reference),
            list.len(),
        ))?;
        let most = list.iter().map(|c| c.population.psi).fold(0.25, f64::max).min(1.0);
        let columns = [
            words("feature"),
            words(""),
            numbers("PSI"),
            numbers("KL"),
            numbers("JS"),
            numbers("KS p"),
            words("verdict"),
        ];
        let rows: Vec<Vec<String>> = list
            .iter()
            .map(|c| {
                vec![
                    clean_line(&c.feature.to_string()),
                    bar(c.population.psi, most, 16),
                    format!("{:.3}", c.population.psi),
                    format!("{:.3}", c.population.kl),
                    format!("{:.3}", c.population.js),
                    c.ks.map_or_else(|| "–".to_owned(), |k| short(k.1)),
                    said(c.verdict).to_owned(),
                ]
            })
            .collect();
        for line in table::lines(&app.out, &columns, &rows) {
            app.out.line(line)?;
        }
        Ok(())
    }
}

/// The verdict for people.
pub(super) fn said(verdict: Drift) -> &'static str {
    match verdict {
        Drift::Stable => "stable",
        Drift::Drift => "drift ▲",
        Drift::NotEnoughData => "not enough data",
    }
}

/// A probability: three decimals, or its magnitude.
fn short(p: f64) -> String {
    if p >= 0.001 { format!("{p:.3}") } else { format!("{p:.0e}") }
}

/// The decisions of a file. Lines that are no usable records are counted and left out.
pub(super) fn decisions(out: &Out, path: &Path) -> Result<Vec<Decision>, Failure> {
    let mut found = Vec::new();
    let mut left_out = 0_u64;
    for bytes in lines(path)? {
        match record::parse(&bytes, &Limits::default()) {
            Intake::Record(parsed) => found.push(parsed.decision),
            Intake::Blank => {}
            Intake::Broken(_) | Intake::Refused(_) => left_out += 1,
        }
    }
    let name = clean_line(&path.display().to_string());
    if left_out > 0 {
        out.note(format!(
            "{name}: left out, as no usable records: {}",
            crate::text::many(left_out, "line", "lines")
        ));
    }
    if found.is_empty() {
        return Err(Failure::usage(format!("there are no decisions in {name}"))
            .hint("a file of decision records, one JSON object a line; overrule ingest --dry-run FILE says what is wrong with each"));
    }
    Ok(found)
}

/// The lines of a file, or of standard input.
pub(super) fn lines(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let name = path.display().to_string();
    let read =
        |reader: &mut dyn BufRead| -> io::Result<Vec<Vec<u8>>> { reader.split(b'\n').collect() };
    let lines = if path.as_os_str() == "-" {
        read(&mut io::stdin().lock())
    } else {
        File::open(path).and_then(|file| read(&mut BufReader::new(file)))
    };
    lines.map_err(|e| Failure::io(&name, &e))
}
