//! Stopping and restarting automation: asked once, sent at once, answered in its own time.

mod kill;
mod sure;

use jiff::SignedDuration;

pub use self::kill::{KillField, KillForm, MODES};
pub use self::sure::{ControlAct, SureForm};
use super::toast::Tone;
use super::{Effect, Overlay, Purpose, State};
use crate::domain::{ControlScope, Timestamp};
use crate::protocol::{Answer, Command, IncidentAct, Refused, Resumed};

/// A command under way. The queue of verdicts does not hold it up.
#[derive(Clone, Debug)]
pub struct Ordered {
    ticket: u64,
    command: Command,
    /// `stopping model=m@1`.
    pub doing: String,
    pub since: Timestamp,
    /// The form it came from: it comes back if the desk refuses.
    form: Option<Box<KillForm>>,
}

/// What is under way, and a stop whose particulars are still being read.
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// Oldest first.
    pub ordered: Vec<Ordered>,
    stopped: Option<Stopped>,
}

/// A stop that holds.
#[derive(Clone, Debug)]
struct Stopped {
    scope: ControlScope,
    generation: u64,
    held: u64,
    said: String,
}

impl State {
    /// Sends a command now, beside whatever else is on its way.
    fn order(
        &mut self,
        command: Command,
        doing: String,
        form: Option<Box<KillForm>>,
    ) -> Vec<Effect> {
        let ticket = self.ticket(Purpose::Control);
        let sent = command.clone();
        self.control.ordered.push(Ordered { ticket, command, doing, since: self.now, form });
        self.dirty = true;
        vec![Effect::Submit { ticket, command: sent, sign: false }]
    }

    /// The answer to a command of containment.
    pub(super) fn control_answered(
        &mut self,
        ticket: u64,
        answer: Result<Answer, Refused>,
    ) -> Vec<Effect> {
        let Some(at) = self.control.ordered.iter().position(|o| o.ticket == ticket) else {
            return Vec::new();
        };
        let order = self.control.ordered.remove(at);
        self.dirty = true;
        match answer {
            Ok(answer) => self.control_done(&order, answer),
            Err(refused) => self.control_refused(order, &refused),
        }
        let mut effects = self.reread_containment();
        effects.extend(self.refresh_now());
        effects.extend(self.reread_incident());
        if self.ending.is_some() {
            effects.extend(self.pump());
        }
        effects
    }

    fn control_done(&mut self, order: &Ordered, answer: Answer) {
        match (answer, &order.command) {
            (Answer::Killed { scope, generation, held }, _) => {
                self.control.stopped =
                    Some(Stopped { scope, generation, held, said: String::new() });
                self.say_stopped();
            }
            (Answer::Resumed(resumed), _) => self.say_resumed(&resumed),
            (Answer::Requeued(0), _) => {
                self.toast(Tone::Info, "nothing was automatic there in that time");
            }
            (Answer::Requeued(n), _) => {
                self.toast(
                    Tone::Good,
                    format!(
                        "{} before people again",
                        crate::text::many(n, "decision goes", "decisions go")
                    ),
                );
            }
            (_, Command::Incident { id, act, .. }) => {
                let done = match act {
                    IncidentAct::Acknowledge => "acknowledged",
                    IncidentAct::Resolve => "resolved",
                };
                self.toast(Tone::Good, format!("incident {id} {done}"));
            }
            (_, Command::ReleaseFreeze { id, .. }) => {
                let text = format!("freeze {id} released: such decisions go their usual way again");
                self.toast(Tone::Good, text);
            }
            _ => self.toast(Tone::Good, format!("done: {}", order.doing)),
        }
    }

    /// Says that automation is stopped, and what it takes to restart it. Said anew when more of it
    /// is known.
    pub(super) fn say_stopped(&mut self) {
        let Some(mut stopped) = self.control.stopped.take() else { return };
        let switch = self.containment.switch(&stopped.scope);
        let needs = switch.map(|s| s.resume_needs).filter(|n| *n > 0);
        let known = needs.is_some();
        let needs = needs.or_else(|| self.policy.as_ref().map(|p| p.resume).filter(|n| *n > 0));
        let mut text = format!("stopped {}, generation {}", stopped.scope, stopped.generation);
        if stopped.held > 0 {
            text.push_str(&format!(" · {} outgoing held", stopped.held));
        }
        if let Some(needs) = needs {
            text.push_str(&format!(" · {} to restart it", people(needs)));
        }
        if text != stopped.said {
            self.toasts.retain(|t| t.text != stopped.said);
            self.toast_hint(Tone::Warn, text.clone(), Some("3 shows the switches".to_owned()));
            stopped.said = text;
        }
        if !known {
            self.control.stopped = Some(stopped);
        }
    }

    fn say_resumed(&mut self, resumed: &Resumed) {
        let Resumed { scope, running, by, needs } = resumed;
        if *running {
            self.toast(Tone::Good, format!("automation runs again in {scope}"));
            return;
        }
        let more = needs.saturating_sub(u32::try_from(by.len()).unwrap_or(u32::MAX));
        let text = format!("asked to restart {scope}: {} of {needs} so far", by.len());
        let hint = format!("{} more must ask, each in their own name", people(more));
        self.toast_hint(Tone::Info, text, Some(hint));
    }

    fn control_refused(&mut self, order: Ordered, refused: &Refused) {
        let text = format!("not done ({}): {}", order.doing, refused.message);
        self.toast_hint(Tone::Bad, text, refused.hint.clone());
        if let Some(mut form) = order.form
            && self.overlays.is_empty()
        {
            form.fault = Some(refused.message.clone());
            self.open(Overlay::Kill(form));
        }
    }

    /// A form of the kill switch is open: it tells figures of the switches.
    pub(super) fn stopping_form(&self) -> bool {
        self.overlays.iter().any(|o| matches!(o, Overlay::Kill(_)))
    }
}

/// `1 person`, `2 people`.
pub fn people(n: u32) -> String {
    match n {
        1 => "1 person".to_owned(),
        n => format!("{n} people"),
    }
}

/// `90m`, `2h`, `3d`: how long ago something began.
fn ago(text: &str) -> Option<SignedDuration> {
    let text = text.trim();
    let unit = text.chars().next_back()?;
    let n: i64 = text.strip_suffix(unit)?.trim().parse().ok()?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    // A year is more than any desk keeps in mind.
    (n > 0)
        .then(|| n.checked_mul(seconds))
        .flatten()
        .filter(|s| *s <= 366 * 86_400)
        .map(SignedDuration::from_secs)
}
