//! One person stops automation in a scope, several restart it.

use super::{Change, reasoned};
use crate::audit::{Entry, EntryKind};
use crate::authority::Subject;
use crate::containment::{Control, Resumption};
use crate::desk::core::{Core, Sight, Trouble};
use crate::domain::ControlScope;
use crate::protocol::{Act, Answer, KillMode, Refused, Resumed, Why};
use crate::store::Op;

/// The kind of outgoing effects that a stop holds: words to the workflows that wait. Alerts and
/// what contains automation go out all the same.
const HELD: &str = "reply";

impl Core {
    /// Stop automation in a scope: in this process at once, everywhere with the commit.
    pub(in crate::desk) fn kill(
        &self,
        by: &str,
        scope: &ControlScope,
        mode: &KillMode,
        reason: &str,
    ) -> Result<Answer, Refused> {
        let reason = reasoned(reason, "a stop")?;
        self.allowed(by, Act::Kill, Subject::default())?;
        let number = self.controls.stop(scope, mode, by, self.wall_now(), &reason);
        let stored = self.retry(|sight| {
            let actor = self.allowed(by, Act::Kill, Subject::default())?;
            let done = self.contain(sight, &actor, |mut control| {
                control.kill(scope, mode, by, sight.now, &reason);
                let mut entry = entry(sight, by, "kill", scope, &reason);
                entry.d.insert("mode".into(), mode.as_str().to_owned());
                if let KillMode::LastGood { version: Some(version) } = mode {
                    entry.d.insert("to".into(), version.clone());
                }
                let hold = Op::HoldEffects {
                    scope: scope.clone(),
                    kind: HELD.to_owned(),
                    held: true,
                    except: Vec::new(),
                };
                Ok(Change { entry, control, ops: vec![hold] })
            })?;
            Ok((sight.snapshot.generation.saturating_add(1), done.held))
        });
        match stored {
            Ok((generation, held)) => {
                self.controls.stored(scope, number, generation);
                // Those who ask out of memory know the stored state from here on; until they can
                // the stop stays in memory.
                if let Err(refused) = self.sight() {
                    tracing::warn!(why = refused.message, "control is looked at again later");
                }
                Ok(Answer::Killed { scope: scope.clone(), generation, held })
            }
            Err(refused) if matches!(refused.kind, Why::Authority | Why::Invalid) => {
                self.controls.take_back(number);
                Err(refused)
            }
            // Fail closed: this process stays stopped, and says that others do not know.
            Err(refused) => Err(Refused::new(
                refused.kind,
                format!(
                    "automation is stopped for {scope} in this process only; it could not be \
                     stored: {}",
                    refused.message
                ),
            )
            .hint("stop it again until it is stored; other processes go on until then")),
        }
    }

    /// Ask to restart automation in a scope. It runs again once enough different people have asked.
    pub(in crate::desk) fn resume(
        &self,
        by: &str,
        scope: &ControlScope,
        reason: &str,
    ) -> Result<Resumed, Refused> {
        let reason = reasoned(reason, "a restart")?;
        self.retry(|sight| {
            let actor = self.allowed(by, Act::Resume, Subject::default())?;
            let needs = self.needed(sight);
            let mut outcome = None;
            self.contain(sight, &actor, |mut control| {
                let asked = control.resume(scope, by, sight.now, &reason, needs).map_err(|e| {
                    Refused::new(Why::State, e.to_string())
                        .hint("overrule switch list shows what is stopped")
                })?;
                let (running, by_all) = match asked {
                    Resumption::Running { by } => (true, by),
                    Resumption::Waiting { by, .. } => (false, by),
                };
                let mut entry = entry(sight, by, "resume", scope, &reason);
                entry.d.insert("running".into(), if running { "yes" } else { "no" }.into());
                entry.d.insert("people".into(), format!("{} of {needs}", by_all.len()));
                let ops = if running { vec![let_go(scope, &control)] } else { Vec::new() };
                outcome = Some(Resumed { scope: scope.clone(), running, by: by_all, needs });
                Ok(Change { entry, control, ops })
            })?;
            outcome.ok_or_else(|| {
                Trouble::from(Refused::new(Why::Internal, "a restart came to nothing"))
            })
        })
    }

    /// How many different people a restart takes. Where no policy says, two.
    pub(super) fn needed(&self, sight: &Sight) -> u32 {
        sight.policy.as_ref().map_or(2, |p| p.control().resume.max(1))
    }
}

fn entry(sight: &Sight, by: &str, act: &str, scope: &ControlScope, reason: &str) -> Entry {
    let mut entry = Entry::new(EntryKind::SWITCH, by, sight.now, sight.wall);
    entry.d.insert("act".into(), act.to_owned());
    entry.d.insert("scope".into(), scope.to_string());
    entry.d.insert("reason".into(), reason.to_owned());
    entry
}

/// What was held for a scope goes out again, but for what another stop still covers.
fn let_go(scope: &ControlScope, control: &Control) -> Op {
    let stopped = control.switches.iter().filter(|(_, switch)| !switch.killed.is_empty());
    Op::HoldEffects {
        scope: scope.clone(),
        kind: HELD.to_owned(),
        held: false,
        except: stopped.map(|(scope, _)| scope.clone()).collect(),
    }
}
