//! `token create|list|revoke`: who may come in over HTTP.

use clap::ValueEnum;
use serde_json::json;

use super::app::App;
use super::failure::Outcome;
use super::open::Fresh;
use super::out::clean_line;
use super::session::variant;
use super::table::{self, dim, words};
use super::time::duration;
use crate::domain::{Timestamp, Token as Kept, TokenScope};
use crate::protocol::{Answer, Command, Query, Reply, TokenAsk};

/// Who may come in over HTTP
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Token {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TokenCommand {
    Create(Create),
    /// List all tokens (without what would open anything)
    List,
    Revoke(Revoke),
}

/// Make a token; it is shown once
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule token create --for loan-model --scope ingest      a service: it submits decisions
  overrule token create --for ann --scope review             a reviewer, registered before
  overrule token create --for ops --scope on-call --scope audit --expires 720h

A token acts in somebody's name: it may do what its scopes and that person's roles both allow. A
name that nobody has becomes a service when its only scope is ingest. A service is told all of what
became of a decision; a person's token, whatever its scopes, only what a reviewer may see.")]
struct Create {
    /// In whose name it acts [default: you]
    #[arg(long = "for", value_name = "NAME")]
    name: Option<String>,
    /// What it may be used for (repeat for more)
    #[arg(long = "scope", value_name = "S", value_enum, required = true)]
    scopes: Vec<ScopeWord>,
    /// How long it lasts
    #[arg(long, value_name = "D", default_value = "2160h", value_parser = duration)]
    expires: jiff::SignedDuration,
}

/// Revoke a token: it opens nothing from now on
#[derive(Debug, clap::Args)]
struct Revoke {
    /// Its id, as token list shows it
    id: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScopeWord {
    Ingest,
    Review,
    OnCall,
    Audit,
    Admin,
}

impl From<ScopeWord> for TokenScope {
    fn from(word: ScopeWord) -> Self {
        match word {
            ScopeWord::Ingest => Self::Ingest,
            ScopeWord::Review => Self::Review,
            ScopeWord::OnCall => Self::OnCall,
            ScopeWord::Audit => Self::Audit,
            ScopeWord::Admin => Self::Admin,
        }
    }
}

impl Token {
    pub fn run(self, app: &App) -> Outcome {
        match self.command {
            TokenCommand::Create(create) => create.run(app),
            TokenCommand::List => list(app),
            TokenCommand::Revoke(revoke) => revoke.run(app),
        }
    }
}

impl Create {
    fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::Make)?;
        let command = Command::CreateToken(TokenAsk {
            name: self.name.unwrap_or_else(|| session.by.clone()),
            scopes: self.scopes.into_iter().map(TokenScope::from).collect(),
            lasts_s: self.expires.as_secs().unsigned_abs(),
        });
        let made = variant!(session.execute(command)?, Answer::Token(made) => made)?;
        if app.out.json {
            let Kept { id, name, scopes, expires_at, .. } = &made.kept;
            return app.out.json(&json!({
                "id": id, "token": made.token, "for": name, "scopes": scopes,
                "expires_at": expires_at,
            }));
        }
        app.out.line(&made.token)?;
        app.out.note(format!(
            "keep it now, it is not shown again: {} of {}, until {}",
            scopes(&made.kept),
            clean_line(&made.kept.name),
            made.kept.expires_at.strftime("%F"),
        ));
        Ok(())
    }
}

impl Revoke {
    fn run(self, app: &App) -> Outcome {
        let session = app.open(Fresh::No)?;
        let command = Command::RevokeToken { id: self.id };
        let token = variant!(session.execute(command)?, Answer::Revoked(token) => token)?;
        if app.out.json {
            return app.out.json(&token);
        }
        app.out.line(format!("{} of {} opens nothing any more", token.id, clean_line(&token.name)))
    }
}

fn list(app: &App) -> Outcome {
    let session = app.open(Fresh::No)?;
    let tokens = variant!(session.ask(Query::Tokens)?, Reply::Tokens(tokens) => tokens)?;
    if app.out.json {
        return app.out.json(&json!({ "tokens": tokens }));
    }
    let now = Timestamp::now();
    let columns = [words("id"), words("for"), words("scopes"), words("until"), dim("")];
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .map(|token| {
            let state = match token.revoked_at {
                Some(_) => "revoked",
                None if token.is_live(now) => "",
                None => "expired",
            };
            vec![
                token.id.clone(),
                clean_line(&token.name),
                scopes(token),
                token.expires_at.strftime("%F %H:%M").to_string(),
                state.to_owned(),
            ]
        })
        .collect();
    table::lines(&app.out, &columns, &rows).into_iter().try_for_each(|line| app.out.line(line))
}

fn scopes(token: &Kept) -> String {
    token.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
}
