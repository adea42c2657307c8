//! Themes by name: shipped ones, the user's files over them, who inherits from whom.

use std::path::Path;

use ratatui::style::{Color, Style};

use super::file::{self, Look, Named, ThemeFile, VARIANTS};
use super::{Background, Depth, Role, Terminal, Theme, reduce};
use crate::tui::problem::{Problem, Source, nearest};

/// The name that means: dark or light, as the terminal is.
pub const AUTO: &str = "auto";

/// Shipped themes: name and text.
pub const SHIPPED: &[(&str, &str)] = &[
    ("dark", include_str!("../../../themes/dark.toml")),
    ("light", include_str!("../../../themes/light.toml")),
    ("high-contrast", include_str!("../../../themes/high-contrast.toml")),
    ("high-contrast-light", include_str!("../../../themes/high-contrast-light.toml")),
    ("colour-blind", include_str!("../../../themes/colour-blind.toml")),
    ("colour-blind-light", include_str!("../../../themes/colour-blind-light.toml")),
    ("colour-blind16", include_str!("../../../themes/colour-blind16.toml")),
    ("colour-blind16-light", include_str!("../../../themes/colour-blind16-light.toml")),
    ("ansi16", include_str!("../../../themes/ansi16.toml")),
    ("ansi16-light", include_str!("../../../themes/ansi16-light.toml")),
    (MONO, include_str!("../../../themes/mono.toml")),
];

const MONO: &str = "mono";

/// The text of a shipped theme.
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// A user's file: its path for messages and its text, or why it cannot be read.
type Found = Option<(String, Result<String, String>)>;

impl Theme {
    /// Makes the theme `name` ready for a terminal. `user_dir` holds the user's own `NAME.toml`
    /// files; one named like a shipped theme is laid over it. `auto` is `dark` or `light`.
    ///
    /// It always gives a theme that can be read: what is wrong is left out and reported, each
    /// with file, line, column, what is wrong, the nearest name and what is used instead.
    pub fn load(name: &str, user_dir: Option<&Path>, terminal: Terminal) -> (Self, Vec<Problem>) {
        Self::load_from(name, terminal, &|name| {
            let path = user_dir?.join(format!("{name}.toml"));
            match std::fs::read_to_string(&path) {
                Ok(text) => Some((path.display().to_string(), Ok(text))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => Some((path.display().to_string(), Err(error.to_string()))),
            }
        })
    }

    /// [`Theme::load`] with the user's files as a look-up.
    pub(super) fn load_from(
        name: &str,
        terminal: Terminal,
        user: &dyn Fn(&str) -> Found,
    ) -> (Self, Vec<Problem>) {
        let mut loader = Loader { user, problems: Vec::new(), layers: Vec::new() };
        let plain = match terminal.background {
            Background::Dark => "dark",
            Background::Light => "light",
        };
        let mut name = match terminal.depth {
            Depth::Mono => MONO,
            _ if name == AUTO => plain,
            _ => name,
        };
        if !loader.open(name) {
            name = plain;
            loader.open(name);
        }
        // A theme may send poorer or lighter terminals to another theme, once.
        let variant = loader.variant(terminal).filter(|v| v.name != name);
        if let Some(variant) = &variant {
            loader.layers.clear();
            loader.open(&variant.name);
            name = &variant.name;
        }
        let styles = loader.styles(terminal.depth);
        loader
            .problems
            .sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        loader.problems.dedup();
        (Self { name: name.to_owned(), styles }, loader.problems)
    }
}

/// A file of a theme and where it comes from.
struct Layer {
    /// The theme's name.
    theme: String,
    file: String,
    text: String,
    read: ThemeFile,
}

struct Loader<'a> {
    user: &'a dyn Fn(&str) -> Found,
    problems: Vec<Problem>,
    /// The theme first, then what lies under it.
    layers: Vec<Layer>,
}

impl Loader<'_> {
    /// Opens a theme and all it inherits; false if there is none of this name.
    fn open(&mut self, name: &str) -> bool {
        let mut wanted = Some(Named { name: name.to_owned(), span: 0..0 });
        let mut asked_by: Option<usize> = None;
        while let Some(named) = wanted.take() {
            if self.layers.iter().any(|l| l.theme == named.name) {
                let path =
                    self.layers.iter().map(|l| l.theme.as_str()).collect::<Vec<_>>().join(", ");
                let message = format!("themes inherit in a circle: {path}, {}", named.name);
                self.complain(asked_by, &named, message, None, "the circle is cut here");
                break;
            }
            let before = self.layers.len();
            self.push(&named.name);
            if self.layers.len() == before {
                let names: Vec<&str> = SHIPPED.iter().map(|(n, _)| *n).chain([AUTO]).collect();
                let near = nearest(&named.name, names);
                let message = format!("no theme is called '{}'", named.name);
                let instead = if asked_by.is_some() {
                    "nothing is inherited"
                } else {
                    "the default theme is used"
                };
                self.complain(asked_by, &named, message, near, instead);
                if asked_by.is_none() {
                    return false;
                }
                break;
            }
            let newest = self.layers.get(before..).unwrap_or_default();
            let found = newest.iter().position(|l| l.read.inherits.is_some());
            asked_by = found.map(|i| before + i);
            wanted = found.and_then(|i| newest.get(i)).and_then(|l| l.read.inherits.clone());
        }
        // Whatever a theme leaves open, the plainest shipped look fills.
        if self.layers.iter().all(|l| l.theme != "dark" && shipped(&l.theme).is_none()) {
            self.push("dark");
        }
        true
    }

    /// Adds the user's file of this name and the shipped one under it.
    fn push(&mut self, name: &str) {
        let plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
        if let Some((file, text)) = plain.then(|| (self.user)(name)).flatten() {
            match text {
                Ok(text) => self.read(name, file, text),
                Err(why) => self.problems.push(Problem {
                    file,
                    line: 0,
                    column: 0,
                    message: format!("the file cannot be read: {why}"),
                    nearest: None,
                    instead: "it is left out".to_owned(),
                }),
            }
        }
        if let Some(text) = shipped(name) {
            self.read(name, format!("themes/{name}.toml"), text.to_owned());
        }
    }

    fn read(&mut self, theme: &str, file: String, text: String) {
        let read = file::read(Source { file: &file, text: &text }, &mut self.problems);
        self.layers.push(Layer { theme: theme.to_owned(), file, text, read });
    }

    /// Which theme the first one wants on this terminal.
    fn variant(&self, terminal: Terminal) -> Option<Named> {
        let [light, low, low_light] = VARIANTS;
        let is_light = terminal.background == Background::Light;
        let wanted: &[&str] = match (terminal.depth, is_light) {
            (Depth::Mono, _) => &[],
            (Depth::Ansi16, true) => &[low_light, light],
            (Depth::Ansi16, false) => &[low],
            (_, true) => &[light],
            (_, false) => &[],
        };
        let first = self.layers.first()?;
        let own = self.layers.iter().take_while(|l| l.theme == first.theme);
        let mut own = own.map(|l| &l.read.variants);
        own.find_map(|variants| wanted.iter().find_map(|kind| variants.get(kind))).cloned()
    }

    /// Every role's look on a terminal of this depth.
    fn styles(&mut self, depth: Depth) -> Vec<Style> {
        let styles: Vec<Style> = Role::ALL.iter().map(|role| self.style(role.id())).collect();
        styles.into_iter().map(|style| reduce(style, depth)).collect()
    }

    /// The look of a role by name: the nearest layer that has it; else the role above the dot.
    fn style(&mut self, id: &str) -> Style {
        let role = Role::from_id(id);
        let found = role.and_then(|role| {
            self.layers
                .iter()
                .enumerate()
                .find_map(|(i, l)| Some((i, l.read.roles.get(&role)?.clone())))
        });
        match (found, id.rsplit_once('.')) {
            (Some((layer, look)), _) => self.paint(layer, &look),
            (None, Some((above, _))) => self.style(above),
            (None, None) => Style::default(),
        }
    }

    fn paint(&mut self, layer: usize, look: &Look) -> Style {
        Style {
            fg: look.fg.as_ref().and_then(|named| self.color(layer, named)),
            bg: look.bg.as_ref().and_then(|named| self.color(layer, named)),
            ..Style::default().add_modifier(look.modifiers)
        }
    }

    /// A colour by name: the nearest palette that has it, so that a theme can recolour what it
    /// inherits; then the names every terminal knows.
    fn color(&mut self, layer: usize, named: &Named) -> Option<Color> {
        let found = self.layers.iter().find_map(|l| l.read.palette.get(&named.name).copied());
        if let Some(color) = found.or_else(|| file::literal(&named.name)) {
            return Some(color);
        }
        let mut names: Vec<&str> = file::literals().collect();
        names.extend(self.layers.iter().flat_map(|l| l.read.palette.keys().map(String::as_str)));
        let near = nearest(&named.name, names);
        let message = format!("no colour is called '{}'", named.name);
        self.complain(Some(layer), named, message, near, "the terminal's own colour is used");
        None
    }

    /// Reports a fault at a name of a layer's file; without a layer, at the name asked for.
    fn complain(
        &mut self,
        layer: Option<usize>,
        named: &Named,
        message: String,
        near: Option<String>,
        instead: &str,
    ) {
        let problem = match layer.and_then(|i| self.layers.get(i)) {
            Some(l) => {
                Source { file: &l.file, text: &l.text }.problem(&named.span, message, near, instead)
            }
            None => Problem {
                file: "theme".to_owned(),
                line: 0,
                column: 0,
                message,
                nearest: near,
                instead: instead.to_owned(),
            },
        };
        self.problems.push(problem);
    }
}
