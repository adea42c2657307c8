//! What a typed line does: a command, or the answer to a question of a sheet.

use std::io::Write;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::ask::Ask;
use super::{Linear, ask, clean, told};
use crate::tui::app::signals::WINDOWS;
use crate::tui::app::{ControlAct, MODES, Overlay, What};
use crate::tui::keymap::Action;
use crate::tui::runtime::RunError;

impl<W: Write> Linear<W> {
    /// A word or a key, where commands are expected.
    pub(super) fn command(&mut self, word: &str) -> Result<(), RunError> {
        if word.is_empty() {
            self.told = None;
            return Ok(());
        }
        let (first, rest) = word.split_once(' ').unwrap_or((word, ""));
        if matches!(first, "quit" | "exit" | "q") {
            self.act(Action::Quit);
            return Ok(());
        }
        if matches!(first, "/" | "filter") && !rest.is_empty() {
            self.act(Action::Filter);
            self.fill(rest);
            self.act(Action::Submit);
            return Ok(());
        }
        if self.containment_word(first, rest.trim())? {
            return Ok(());
        }
        let Some(action) = ask::action(&self.state, word) else {
            return self
                .line(&format!("{} is nothing I know. ? lists what you can say.", clean(word)));
        };
        match action {
            Action::Help => {
                for line in told::help(&self.state) {
                    self.line(&line)?;
                }
            }
            Action::Redraw | Action::Palette => self.told = None,
            _ => self.act(action),
        }
        if let Some(Overlay::Page(page)) = self.state.overlays.last() {
            for line in told::page(&page.kind) {
                self.line(&line)?;
            }
            self.act(Action::Back);
        }
        Ok(())
    }

    /// The answer to a question of a sheet. An empty line keeps what is there.
    pub(super) fn answer(&mut self, ask: &Ask, line: &str) -> Result<(), RunError> {
        let text = line.trim();
        if text == "back" {
            self.act(Action::Back);
            self.ask = Ask::Command;
            return Ok(());
        }
        match ask {
            Ask::Command => {}
            Ask::Tags => {
                for c in text.chars().filter(|c| !c.is_whitespace() && *c != ',') {
                    self.tell(What::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
                }
                if let Some(Overlay::Reason(form)) = self.state.overlays.last()
                    && let Some(fault) = form.fault.clone()
                {
                    return self.line(&clean(&fault));
                }
                self.act(Action::PaneNext);
                self.ask = Ask::Note;
            }
            Ask::Note => {
                self.keep_or_fill(text);
                let label =
                    matches!(self.state.overlays.last(), Some(Overlay::Reason(f)) if f.has_label());
                if label {
                    self.act(Action::PaneNext);
                    self.ask = Ask::Label;
                } else {
                    self.send()?;
                }
            }
            Ask::Label | Ask::MoveNote | Ask::BlindNote => {
                self.keep_or_fill(text);
                self.send()?;
            }
            Ask::Queue => {
                if let Some(Overlay::Move(form)) = self.state.overlays.last() {
                    let known = form.queues.iter().any(|q| q.name == text);
                    if !known && !text.is_empty() {
                        return self.line("There is no queue of that name.");
                    }
                }
                self.keep_or_fill(text);
                self.act(Action::PaneNext);
                self.ask = Ask::MoveNote;
            }
            Ask::Text(so_far) => match text {
                "." => self.text_ended(so_far.clone())?,
                "editor" if so_far.is_empty() => {
                    self.act(Action::ExternalEditor);
                    self.ask = Ask::TextAction;
                }
                _ => {
                    let mut lines = so_far.clone();
                    lines.push(line.trim_end_matches(['\r', '\n']).to_owned());
                    self.ask = Ask::Text(lines);
                    // No question in the middle of a text.
                    self.asked = true;
                }
            },
            Ask::TextAction => {
                if !text.is_empty() {
                    self.act(Action::PaneNext);
                    self.fill(text);
                }
                self.send()?;
                if let Some(Overlay::Edit(form)) = self.state.overlays.last()
                    && let Some(message) = form.message.clone()
                {
                    self.line(&clean(&message))?;
                    self.ask = Ask::Text(Vec::new());
                }
            }
            Ask::Blind => {
                self.keep_or_fill(text);
                self.act(Action::PaneNext);
                self.ask = Ask::BlindNote;
            }
            Ask::Count => {
                self.by_hand(text);
                self.send()?;
                if matches!(self.state.overlays.last(), Some(Overlay::Bulk(_))) {
                    self.act(Action::Back);
                    self.line("Nothing was done.")?;
                }
            }
            Ask::Quit => match text {
                "yes" | "y" => self.act(Action::Submit),
                _ => self.act(Action::Back),
            },
            Ask::Find | Ask::Pick => {
                self.keep_or_fill(text);
                self.send()?;
            }
            Ask::KillScope | Ask::KillVersion | Ask::KillReason => {
                self.keep_or_fill(text);
                let wrong = match self.state.overlays.last() {
                    Some(Overlay::Kill(form)) => form.target().err(),
                    _ => None,
                };
                match wrong {
                    Some(fault) => self.line(&clean(&fault))?,
                    None => self.act(Action::PaneNext),
                }
            }
            Ask::KillMode => {
                let known = MODES.iter().any(|(name, _)| *name == text);
                if !known && !text.is_empty() {
                    return self.line("There are human, block and last-good.");
                }
                self.by_hand(text.get(..1).unwrap_or_default());
                self.act(Action::PaneNext);
            }
            Ask::KillWord => {
                self.tell(What::Key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL)));
                self.by_hand(text);
                self.send()?;
            }
            Ask::SureSince => {
                self.keep_or_fill(text);
                self.act(Action::PaneNext);
            }
            Ask::SureWords => {
                self.keep_or_fill(text);
                self.send()?;
            }
            Ask::Sure => match text {
                "yes" | "y" => self.send()?,
                _ => self.act(Action::Back),
            },
        }
        Ok(())
    }

    /// Typed key by key: a count and a scope's word are never pasted.
    fn by_hand(&mut self, text: &str) {
        for c in text.chars() {
            self.tell(What::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
    }

    /// A word of signals and containment with what it is about; `false`: it is none of them.
    fn containment_word(&mut self, word: &str, about: &str) -> Result<bool, RunError> {
        match word {
            "signals" => {
                if !about.is_empty() && !WINDOWS.contains(&about) {
                    let (last, others) = WINDOWS.split_last().unwrap_or((&"", &[]));
                    self.line(&format!("There are {} and {last}.", others.join(", ")))?;
                    return Ok(true);
                }
                if !about.is_empty() {
                    self.tell(What::Window(about.to_owned()));
                }
                self.act(Action::ViewSignals);
                return Ok(true);
            }
            "bar" => {
                let bars = self.state.signals.drift().len();
                match about.parse::<usize>() {
                    Ok(number) if (1..=bars).contains(&number) => self.tell(What::Bar(number - 1)),
                    _ if bars == 0 => self.line("There are no bars yet. Say signals first.")?,
                    _ => self.line(&format!("Bars are numbered 1 to {bars} in signals."))?,
                }
                return Ok(true);
            }
            "look" if !about.is_empty() => {
                self.tell(What::Look(about.to_owned()));
                return Ok(true);
            }
            "containment" | "switches" => {
                self.act(Action::ViewContainment);
                return Ok(true);
            }
            "kill" | "stop" => {
                self.act(Action::Kill);
                if !about.is_empty() {
                    self.fill(about);
                    self.act(Action::PaneNext);
                }
                return Ok(true);
            }
            _ => {}
        }
        let (first, rest) = about.split_once(' ').unwrap_or((about, ""));
        let named = first.to_owned();
        let act = match word {
            "resume" | "restart" | "requeue" => match named.parse() {
                Ok(scope) if word == "requeue" => ControlAct::Requeue(scope),
                Ok(scope) => ControlAct::Resume(scope),
                Err(fault) => {
                    let fault: crate::domain::ScopeError = fault;
                    self.line(&clean(&fault.to_string()))?;
                    return Ok(true);
                }
            },
            // These are keys of the review, too: alone they are not meant here.
            _ if named.is_empty() => return Ok(false),
            "acknowledge" => ControlAct::Acknowledge(named),
            "resolve" => ControlAct::Resolve(named),
            "release" => ControlAct::Release(named),
            "promote" => ControlAct::Promote(named),
            "rollback" => ControlAct::RollBack(named),
            "redeliver" => ControlAct::Redeliver(named),
            _ => return Ok(false),
        };
        self.tell(What::Control(act));
        if !rest.is_empty() && !matches!(word, "requeue") {
            self.fill(rest);
            self.send()?;
        }
        Ok(true)
    }

    fn keep_or_fill(&mut self, text: &str) {
        if !text.is_empty() {
            self.fill(text);
        }
    }

    /// Sends the sheet; says what is missing when it stays open.
    pub(super) fn send(&mut self) -> Result<(), RunError> {
        self.act(Action::Submit);
        let fault = match self.state.overlays.last() {
            Some(Overlay::Reason(form)) => form.fault.clone(),
            Some(Overlay::Move(form)) => form.fault.clone(),
            Some(Overlay::Blind(form)) => form.fault.clone(),
            Some(Overlay::Bulk(form)) => form.fault.clone(),
            Some(Overlay::Filter(form)) => form.fault.clone(),
            Some(Overlay::Kill(form)) => form.fault.clone(),
            Some(Overlay::Sure(form)) => form.fault.clone(),
            _ => None,
        };
        match fault {
            Some(fault) => self.line(&clean(&fault)),
            None => Ok(()),
        }
    }

    /// The new text is complete: say what it changes.
    fn text_ended(&mut self, lines: Vec<String>) -> Result<(), RunError> {
        if !lines.is_empty() {
            self.tell(What::Edited(Ok(Some(lines.join("\n")))));
        }
        if let Some(Overlay::Edit(form)) = self.state.overlays.last() {
            let told = told::changes(&form.original, &form.text());
            for line in told {
                self.line(&line)?;
            }
        }
        self.ask = Ask::TextAction;
        Ok(())
    }
}
