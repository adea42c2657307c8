//! `decide ID VERDICT`: one verdict, or many from a file, under the same rules as the app.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::app::App;
use super::failure::{Exit, Failure, Outcome};
use super::open::Fresh;
use super::out::{Out, Tone, clean_line};
use super::session::Session;
use super::sign::Signing;
use super::time;
use crate::desk::ingest::next_line;
use crate::domain::record::is_blank;
use crate::domain::{ItemState, Kind, Verdict, VerdictKind};
use crate::protocol::{Command, ItemView, ReviewRequest, Reviewed};

/// Give a verdict: accept, edit, reject or escalate
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "overrule decide <ID> <VERDICT> [OPTIONS]\n       overrule decide --from <FILE.jsonl> [OPTIONS]",
    after_help = "Examples:
  overrule decide lap-1664 accept
  overrule decide exq-0114 edit --output answer.txt --tag factual_error
  overrule decide lap-1664 edit --action deny --note 'obligations above 40 %'
  overrule decide lap-1664 reject --label deny --tag wrong_action --grace 30s
  overrule decide lap-1664 escalate --to level2 --note 'needs a second pair of eyes'
  overrule decide --from verdicts.jsonl     lines like {\"id\":\"lap-1664\",\"verdict\":\"accept\"}

A quarantined item is repaired with `edit --output FILE`, where FILE is the whole corrected record."
)]
pub struct Decide {
    /// The decision's id
    #[arg(required_unless_present = "from")]
    id: Option<String>,
    /// What to do with the proposal
    #[arg(required_unless_present = "from", value_enum)]
    verdict: Option<Word>,
    /// edit: the new output, from a file (`-`: standard input)
    #[arg(long, value_name = "FILE|-")]
    output: Option<PathBuf>,
    /// edit: the new action
    #[arg(long, value_name = "A")]
    action: Option<String>,
    /// reject: what would have been right
    #[arg(long, value_name = "L")]
    label: Option<String>,
    /// A tag of the policy's taxonomy (repeat for more)
    #[arg(long = "tag", value_name = "T")]
    tags: Vec<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// escalate: the queue to move it to
    #[arg(long, value_name = "QUEUE")]
    to: Option<String>,
    /// Hold the effects this long, so that `undo` can take it back
    #[arg(long, value_name = "D", value_parser = time::duration, default_value = "0s", hide_default_value = true)]
    grace: SignedDuration,
    /// The revision you saw: refused if the item has changed since
    #[arg(long, value_name = "N")]
    revision: Option<u64>,
    /// Sign with this ssh key: a private key file, or a public one that ssh-agent holds
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Many verdicts, one JSON object a line (`-`: standard input)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "verdict", "output", "action", "label", "tags", "note", "to", "revision"])]
    from: Option<PathBuf>,
}

/// The four verdicts, as the command line spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Word {
    /// The proposal is right
    Accept,
    /// Right after a change of output, action, or both
    Edit,
    /// The proposal is wrong
    Reject,
    /// Somebody else should decide
    Escalate,
}

impl From<Word> for VerdictKind {
    fn from(word: Word) -> Self {
        match word {
            Word::Accept => Self::Accept,
            Word::Edit => Self::Edit,
            Word::Reject => Self::Reject,
            Word::Escalate => Self::Escalate,
        }
    }
}

/// A line of `--from`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    verdict: VerdictKind,
    #[serde(default)]
    output: Option<Value>,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    revision: Option<u64>,
    /// Given again, the same line changes nothing.
    #[serde(default)]
    request_id: Option<String>,
    /// Of lines that `ingest --verdicts` replays: here every verdict is given now.
    #[serde(default, rename = "at")]
    _at: Option<serde::de::IgnoredAny>,
}

impl Decide {
    pub fn run(self, app: &App) -> Outcome {
        let grace_ms = u64::try_from(self.grace.as_millis()).unwrap_or(u64::MAX);
        let key = self.sign.as_deref().or(app.config.key.as_deref());
        let signing = key.map(Signing::with).transpose()?;
        if let Some(file) = &self.from {
            return many(app, file, signing.as_ref(), grace_ms);
        }
        let (Some(id), Some(word)) = (self.id, self.verdict) else {
            return Err(Failure::usage("decide needs an id and a verdict")
                .hint("overrule decide ID accept|edit|reject|escalate"));
        };
        if word != Word::Reject && self.label.is_some() {
            return Err(Failure::usage(
                "--label says what would have been right: only a reject has one",
            )
            .hint("edit changes the proposal; --note says anything else"));
        }
        if word == Word::Accept && (self.output.is_some() || self.action.is_some()) {
            return Err(Failure::usage("accept takes the proposal as it is")
                .hint("edit takes --output and --action"));
        }
        let text = self.output.as_deref().map(read_text).transpose()?;
        let session = app.open(Fresh::No)?;
        let output = match text {
            None => None,
            Some(text) => Some(output_of(&session.item(&id)?, text)?),
        };
        let verdict = Verdict {
            verdict: word.into(),
            output,
            action: self.action,
            label: self.label,
            tags: self.tags,
            note: self.note,
            to: self.to,
        };
        let reviewed = send(
            &session,
            signing.as_ref(),
            Ask { item: id, verdict, revision: self.revision, request_id: None, grace_ms },
        )?;
        told(&app.out, word.into(), &reviewed)
    }
}

/// Every line of a file, one after the other; a refused line stops nothing.
fn many(app: &App, file: &Path, signing: Option<&Signing>, grace_ms: u64) -> Outcome {
    let name = clean_line(&file.display().to_string());
    let mut reader = BufReader::new(open_text(file)?);
    let session = app.open(Fresh::No)?;
    let (mut done, mut refused) = (0u64, 0u64);
    let mut worst = Exit::Refused;
    for number in 1u64.. {
        let read = next_line(&mut reader).map_err(|e| Failure::io(&name, &e))?;
        let Some((line, _)) = read else { break };
        if is_blank(&line) {
            continue;
        }
        let outcome = serde_json::from_slice::<Line>(&line)
            .map_err(|e| {
                Failure::new(Exit::Refused, "invalid", format!("this is not a verdict: {e}"))
                    .hint("write {\"id\":…,\"verdict\":\"accept|edit|reject|escalate\",…}")
            })
            .and_then(|line| {
                let kind = line.verdict;
                let verdict = Verdict {
                    verdict: kind,
                    output: line.output,
                    action: line.action,
                    label: line.label,
                    tags: line.tags,
                    note: line.note,
                    to: line.to,
                };
                let (item, revision, request_id) = (line.id, line.revision, line.request_id);
                send(&session, signing, Ask { item, verdict, revision, request_id, grace_ms })
                    .map(|reviewed| (kind, reviewed))
            });
        match outcome {
            Ok((kind, reviewed)) => {
                done += 1;
                told(&app.out, kind, &reviewed)?;
            }
            Err(failure) => {
                refused += 1;
                if failure.exit == Exit::Failed && failure.kind != "not_found" {
                    worst = Exit::Failed;
                }
                let message = format!("{name}:{number}: {}", failure.message);
                app.out.failure(&Failure { message, ..failure });
                if worst == Exit::Failed {
                    break;
                }
            }
        }
    }
    app.out.note(format!("{done} decided, {refused} refused"));
    if refused == 0 {
        return Ok(());
    }
    let (were, refused) =
        (if refused == 1 { "was" } else { "were" }, crate::text::many(refused, "line", "lines"));
    Err(Failure::new(worst, "refused_lines", format!("{refused} of {name} {were} refused"))
        .hint("correct them and run it again; the others are stored"))
}

/// A verdict before it is signed and sent.
struct Ask {
    item: String,
    verdict: Verdict,
    /// The revision that was seen; the command line acts on what stands now unless one is named.
    revision: Option<u64>,
    request_id: Option<String>,
    grace_ms: u64,
}

/// Send one verdict, signed where a key is named: over what the item shows at this moment.
fn send(session: &Session, signing: Option<&Signing>, ask: Ask) -> Result<Reviewed, Failure> {
    let Ask { item, verdict, revision, request_id, grace_ms } = ask;
    let request_id = request_id.unwrap_or_else(|| Uuid::now_v7().to_string());
    let mut request = ReviewRequest {
        request_id,
        item,
        verdict,
        lease: None,
        revision,
        seen: None,
        signature: None,
        grace_ms,
        offline: None,
    };
    if let Some(signing) = signing {
        let view = session.item(&request.item)?;
        request.signature = Some(signing.sign(&view, &request.request_id, &request.verdict)?);
        request.revision = request.revision.or(Some(view.revision));
        request.seen = Some(view.seen);
    }
    session.reviewed(Command::Review(Box::new(request)))
}

/// Say what became of the item.
pub fn told(out: &Out, kind: VerdictKind, reviewed: &Reviewed) -> Outcome {
    if out.json {
        return out.json(reviewed);
    }
    let word = match kind {
        VerdictKind::Accept => "accepted",
        VerdictKind::Edit => "edited",
        VerdictKind::Reject => "rejected",
        VerdictKind::Escalate => "escalated",
    };
    out.line(format!("{} {word}: {}", clean_line(&reviewed.id), standing(out, reviewed)))
}

/// Where an item stands after a verdict, undo or flag.
pub fn standing(out: &Out, reviewed: &Reviewed) -> String {
    let queue = clean_line(&reviewed.queue);
    let mut words = match (reviewed.state, reviewed.until) {
        (ItemState::Settled, _) => "settled".to_owned(),
        (ItemState::Waiting, _) => format!("waiting in {queue}"),
        (ItemState::AwaitingApproval, _) => format!("awaiting approval in {queue}"),
        (ItemState::Decided, Some(until)) => format!(
            "decided; `overrule undo {}` takes it back until {}",
            clean_line(&reviewed.id),
            time::stamp(until)
        ),
        (ItemState::Decided, None) if reviewed.unsent => format!(
            "kept on this machine, not yet sent; `overrule undo {}` takes it back until it is",
            clean_line(&reviewed.id)
        ),
        (ItemState::Decided, None) => "decided".to_owned(),
    };
    if reviewed.duplicate {
        words.push_str(" (this request was stored before)");
    }
    for effect in &reviewed.effects {
        words.push_str("\n  ");
        words.push_str(&out.tone(Tone::Warn, clean_line(effect)));
    }
    words
}

/// The new output in the kind the item needs: an object where the proposal is one, the whole
/// record where the record is broken, text otherwise.
fn output_of(item: &ItemView, text: String) -> Result<Value, Failure> {
    let json = |what: &str| {
        serde_json::from_str::<Value>(&text).ok().filter(Value::is_object).ok_or_else(|| {
            Failure::usage(format!("{what}, and the file given is not a JSON object"))
                .hint("overrule show ID --json shows what it is now")
        })
    };
    if item.kind == Kind::Quarantine {
        return json("a broken record is repaired with the whole corrected record");
    }
    match item.current.as_ref().map(|c| &c.output) {
        Some(Value::Object(_)) => json("the output of this decision is a JSON object"),
        _ => Ok(Value::String(
            // The line end an editor leaves at the end of a file is not part of the answer.
            text.strip_suffix('\n')
                .map(|t| t.strip_suffix('\r').unwrap_or(t))
                .unwrap_or(&text)
                .to_owned(),
        )),
    }
}

/// A file, or standard input for `-`.
pub fn open_text(file: &Path) -> Result<Box<dyn Read>, Failure> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    let opened = std::fs::File::open(file)
        .map_err(|e| Failure::io(format!("{} cannot be read", file.display()), &e))?;
    Ok(Box::new(opened))
}

/// All of a file (or of standard input) as text.
pub fn read_text(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    open_text(file)?
        .read_to_string(&mut text)
        .map_err(|e| Failure::io(format!("{} cannot be read as text", file.display()), &e))?;
    Ok(text)
}
