//! `policy check|test|show|activate|explain`: the rules, before and after they are in force.

pub mod file;

use std::path::PathBuf;

use serde_json::json;

use super::app::App;
use super::failure::{Exit, Failure, Outcome};
use super::open::{Fresh, How};
use super::out::{Tone, clean, clean_line};
use super::session::variant;
use crate::policy::{Policy as Compiled, Severity};
use crate::protocol::{Answer, Query, Reply};

/// The rules that route decisions: check, test, show, activate, explain
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Policy {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum PolicyCommand {
    Check(Check),
    Test(Test),
    Show(Show),
    Activate(Activate),
    Explain(Explain),
}

/// Check a policy file: names, types, guards, thresholds, and what is left to the default
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule policy check policy.toml

JSON Schemas are read from schemas/<domain>.input.json and .output.json beside the file.
Exits 1 when there are errors; warnings alone are 0.")]
struct Check {
    /// The file; --policy names it as well
    file: Option<PathBuf>,
}

/// Run the tests a policy file carries, and name the rules they do not reach
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule policy test policy.toml

A test in the file:
  [[test]]
  name = \"edge of the middle band\"
  given = { confidence = 0.85, business_impact = 7 }
  expect = { outcome = \"review\", queue = \"level1\" }

Exits 4 when a test fails.")]
struct Test {
    /// The file; --policy names it as well
    file: Option<PathBuf>,
}

/// Print the policy in force, or one that comes with the program
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule policy show
  overrule policy show --shipped confidence-gated > policy.toml     a start for your own")]
struct Show {
    /// One that comes with the program: confidence-gated, sampling, regulated, …
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(crate::policy::shipped_names()))]
    shipped: Option<String>,
}

/// Put a policy in force (admin; audited)
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule policy activate policy.toml

Refused if it does not pass the check, or drops a queue that has items in it. Items keep the
requirements they were admitted under.")]
struct Activate {
    /// The file; --policy names it as well
    file: Option<PathBuf>,
}

/// Say why a decision went where it went, recomputed from what is stored
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  overrule policy explain lap-1664")]
struct Explain {
    /// The decision's id
    id: String,
}

impl Policy {
    pub fn run(self, app: &App) -> Outcome {
        match self.command {
            PolicyCommand::Check(check) => check.run(app),
            PolicyCommand::Test(test) => test.run(app),
            PolicyCommand::Show(show) => show.run(app),
            PolicyCommand::Activate(activate) => activate.run(app),
            PolicyCommand::Explain(explain) => explain.run(app),
        }
    }
}

/// The file named after the command, or by `--policy`.
fn named(file: Option<PathBuf>, app: &App) -> Result<PathBuf, Failure> {
    file.or_else(|| app.common.policy.clone()).ok_or_else(|| {
        Failure::usage("no policy file is named")
            .hint("name one: overrule policy check policy.toml")
    })
}

impl Check {
    fn run(self, app: &App) -> Outcome {
        let source = file::source(&named(self.file, app)?)?;
        let found = match Compiled::load(&source.text, &source.name, &source.schemas) {
            Ok(policy) => policy.warnings().clone(),
            Err(found) => found,
        };
        let errors = found.iter().filter(|d| d.severity == Severity::Error).count();
        if app.out.json {
            app.out.json(&json!({"ok": errors == 0, "file": source.name, "findings": found}))?;
        } else {
            for line in found.render(app.out.colours()).lines() {
                app.out.line(line)?;
            }
        }
        if errors > 0 {
            let word = if errors == 1 { "error" } else { "errors" };
            return Err(Failure::new(
                Exit::Failed,
                "policy",
                format!("{} has {errors} {word}", source.name),
            )
            .hint("each place above says what to write instead"));
        }
        if !app.out.json && !app.out.quiet {
            app.out.line(format!(
                "{} {}",
                clean_line(&source.name),
                app.out.tone(Tone::Good, "holds")
            ))?;
        }
        Ok(())
    }
}

impl Test {
    fn run(self, app: &App) -> Outcome {
        let loaded = file::read(&named(self.file, app)?, app.out.colours_err())?;
        let report = loaded.policy.run_tests();
        // A warning about a test says what the test does not test.
        let warnings = loaded.policy.warnings();
        if !warnings.is_empty() {
            app.out.note(warnings.render(app.out.colours_err()));
        }
        if app.out.json {
            app.out.json(&json!({
                "ok": report.failed() == 0,
                "passed": report.passed(),
                "failed": report.failed(),
                "tests": report.tests,
                "coverage": report.coverage,
                "warnings": warnings,
            }))?;
        } else {
            for line in clean(&report.to_string()).lines() {
                app.out.line(line)?;
            }
        }
        if report.failed() == 0 {
            return Ok(());
        }
        let word = if report.failed() == 1 { "test fails" } else { "tests fail" };
        let name = &loaded.source.name;
        Err(Failure::verification(format!("{} {word} in {name}", report.failed()))
            .hint("each one above says what was expected and what came"))
    }
}

impl Show {
    fn run(self, app: &App) -> Outcome {
        if let Some(name) = self.shipped {
            let policy = file::shipped(&name)?;
            if app.out.json {
                let (hash, source) = (policy.hash(), &policy.source.text);
                return app.out.json(&json!({"name": name, "hash": hash, "source": source}));
            }
            return app.out.raw(&policy.source.text);
        }
        let session = app.open(Fresh::No)?;
        let policy = session.policy()?;
        if app.out.json {
            return app.out.json(&policy);
        }
        for line in clean(&policy.source).lines() {
            app.out.line(line)?;
        }
        app.out.note(format!("{} {}", clean_line(&policy.name), policy.hash));
        Ok(())
    }
}

impl Activate {
    fn run(self, app: &App) -> Outcome {
        let policy = file::read(&named(self.file, app)?, app.out.colours_err())?;
        let session = app.open_how(How { install: false, ..How::make() })?;
        let hash = variant!(
            session.execute(policy.activate(false)?)?,
            Answer::Policy(hash) => hash
        )?;
        if app.out.json {
            return app.out.json(&json!({"policy": hash}));
        }
        app.out.line(format!("in force: {hash}"))
    }
}

impl Explain {
    fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        let query = Query::Explain { id: self.id.clone() };
        let view = variant!(session.ask(query)?, Reply::Explain(view) => *view)?;
        if app.out.json {
            app.out.json(&view)?;
        } else {
            for line in clean(&view.text).lines() {
                app.out.line(line)?;
            }
        }
        if view.reproduced {
            return Ok(());
        }
        Err(Failure::verification(format!(
            "the route of {} cannot be recomputed from what is stored",
            self.id
        ))
        .hint("overrule audit verify checks the store"))
    }
}
