//! `reviewer add|list|disable`: who may decide.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::json;

use super::app::App;
use super::decide::read_text;
use super::failure::{Failure, Outcome};
use super::open::Fresh;
use super::out::clean_line;
use super::session::variant;
use super::table::{self, dim, numbers, words};
use crate::domain::{Reviewer as Person, Role};
use crate::protocol::{Answer, Command, Query, Reply};

/// Who may decide
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Reviewer {
    #[command(subcommand)]
    command: ReviewerCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ReviewerCommand {
    Add(Add),
    /// List all reviewers
    List,
    Disable(Disable),
}

/// Register a reviewer, or change what one may do
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule reviewer add ann --level 1
  overrule reviewer add bob --level 2 --role reviewer --role admin
  overrule reviewer add eve --level 3 --role expert --key ~/.ssh/id_ed25519.pub
  overrule reviewer add mia --level 1 --skill mortgage --skill french

A reviewer acts in queues of their level and below. A fresh store knows you, with every role.")]
struct Add {
    /// The name
    name: String,
    /// 1, 2 or 3
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=3))]
    level: u8,
    /// What they are (repeat for more) [default: reviewer, or what they were]
    #[arg(long = "role", value_name = "R", value_enum)]
    roles: Vec<RoleWord>,
    /// Their public key (OpenSSH form), whose signatures count
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// What they have learned, as the policy's queues ask for it (repeat for more; `none`: nothing)
    /// [default: as it was]
    #[arg(long = "skill", value_name = "S")]
    skills: Vec<String>,
}

/// Take a reviewer's rights away, at once
#[derive(Debug, clap::Args)]
struct Disable {
    /// The name
    name: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleWord {
    Reviewer,
    Expert,
    Compliance,
    OnCall,
    Auditor,
    Admin,
}

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Self {
        match word {
            RoleWord::Reviewer => Self::Reviewer,
            RoleWord::Expert => Self::Expert,
            RoleWord::Compliance => Self::Compliance,
            RoleWord::OnCall => Self::OnCall,
            RoleWord::Auditor => Self::Auditor,
            RoleWord::Admin => Self::Admin,
        }
    }
}

impl Reviewer {
    pub fn run(self, app: &App) -> Outcome {
        match self.command {
            ReviewerCommand::Add(add) => add.run(app),
            ReviewerCommand::List => list(app),
            ReviewerCommand::Disable(disable) => disable.run(app),
        }
    }
}

impl Add {
    fn run(self, app: &App) -> Outcome {
        let key = self.key.as_deref().map(public_key).transpose()?;
        let session = app.open(Fresh::Make)?;
        let skills = match self.skills.as_slice() {
            [] => None,
            [none] if none == "none" => Some(Vec::new()),
            _ => Some(self.skills),
        };
        let command = Command::AddReviewer {
            skills,
            name: self.name,
            level: self.level,
            roles: self.roles.into_iter().map(Role::from).collect(),
            key,
        };
        let person = variant!(session.execute(command)?, Answer::Reviewer(person) => person)?;
        if app.out.json {
            return app.out.json(&person);
        }
        app.out.line(
            format!(
                "{} reviews at level {}: {}",
                clean_line(&person.name),
                person.level,
                roles(&person)
            ) + &match person.skills.is_empty() {
                true => String::new(),
                false => format!("; skills {}", clean_line(&person.skills.join(", "))),
            },
        )
    }
}

impl Disable {
    fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        match session.execute(Command::DisableReviewer { name: self.name.clone() })? {
            Answer::Done if app.out.json => {
                app.out.json(&json!({"name": self.name, "disabled": true}))
            }
            Answer::Reviewer(person) if app.out.json => app.out.json(&person),
            Answer::Done | Answer::Reviewer(_) => {
                app.out.line(format!("{} may no longer decide", clean_line(&self.name)))
            }
            other => Err(Failure::defect(format!("disabling was answered by {other:?}"))),
        }
    }
}

fn list(app: &App) -> Outcome {
    let session = app.open(Fresh::No)?;
    let people = variant!(session.ask(Query::Reviewers)?, Reply::Reviewers(people) => people)?;
    if app.out.json {
        return app.out.json(&json!({"reviewers": people}));
    }
    let columns =
        [words("name"), numbers("level"), words("roles"), words("skills"), dim("key"), dim("")];
    let rows: Vec<Vec<String>> = people
        .iter()
        .map(|p| {
            vec![
                clean_line(&p.name),
                p.level.to_string(),
                roles(p),
                clean_line(&p.skills.join(", ")),
                p.key.as_deref().map(fingerprint).unwrap_or_default(),
                if p.disabled { "disabled".to_owned() } else { String::new() },
            ]
        })
        .collect();
    table::lines(&app.out, &columns, &rows).into_iter().try_for_each(|line| app.out.line(line))
}

fn roles(person: &Person) -> String {
    person.roles.iter().map(|r| r.as_str()).collect::<Vec<_>>().join(", ")
}

fn fingerprint(key: &str) -> String {
    match ssh_key::PublicKey::from_openssh(key) {
        Ok(key) => key.fingerprint(ssh_key::HashAlg::Sha256).to_string(),
        Err(_) => "unreadable".to_owned(),
    }
}

/// A public key file in OpenSSH form, checked before it is stored.
fn public_key(file: &std::path::Path) -> Result<String, Failure> {
    let text = read_text(file)?;
    let text = text.trim();
    if text.contains("PRIVATE KEY") {
        return Err(Failure::usage(format!("{} is a private key", file.display()))
            .hint("name the public one, usually the same with .pub"));
    }
    ssh_key::PublicKey::from_openssh(text)
        .map_err(|e| {
            Failure::usage(format!("{} is not a public key in OpenSSH form: {e}", file.display()))
                .hint("make one with: ssh-keygen -t ed25519")
        })
        .map(|_| text.to_owned())
}
