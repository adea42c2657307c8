//! One theme file, read: what it says of the palette and of roles, and what is wrong in it.

use std::collections::BTreeMap;
use std::ops::Range;

use ratatui::style::{Color, Modifier};
use toml::de::{DeTable, DeValue};

use super::color::ANSI;
use super::{Rgb, Role};
use crate::tui::problem::{Problem, Source, kind, nearest};

/// Words for attributes. Blinking is not among them: it tires people and helps nobody.
const MODIFIERS: [(&str, Modifier); 6] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
    ("crossed-out", Modifier::CROSSED_OUT),
];

/// Names that stand for other themes on other terminals.
pub(super) const VARIANTS: [&str; 3] = ["light", "16", "16-light"];

/// The word for the terminal's own colour.
const DEFAULT: &str = "default";

/// Fields a theme file may have.
const FIELDS: [&str; 5] = ["inherits", "variants", "palette", "roles", "assumes"];

/// A name and where it stands in the file.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub name: String,
    pub span: Range<usize>,
}

/// A role's look as written. Colours stay names until every palette is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    pub fg: Option<Named>,
    pub bg: Option<Named>,
    pub modifiers: Modifier,
}

/// What a theme file says.
#[derive(Clone, Debug, Default)]
pub(super) struct ThemeFile {
    pub inherits: Option<Named>,
    /// Which theme to use instead on a terminal of the kind named.
    pub variants: BTreeMap<&'static str, Named>,
    pub palette: BTreeMap<String, Color>,
    pub roles: BTreeMap<Role, Look>,
}

/// Reads a theme file; what is wrong is reported and left out.
pub(super) fn read(source: Source<'_>, problems: &mut Vec<Problem>) -> ThemeFile {
    let mut reader = Reader { source, problems, file: ThemeFile::default() };
    reader.root();
    reader.file
}

/// A colour that needs no palette: a name of the 16, `default`, `#rrggbb`, or a number.
pub(super) fn literal(text: &str) -> Option<Color> {
    if text == DEFAULT {
        return Some(Color::Reset);
    }
    if let Some((_, color, _)) = ANSI.iter().find(|(name, _, _)| *name == text) {
        return Some(*color);
    }
    Rgb::parse(text).map(|Rgb(r, g, b)| Color::Rgb(r, g, b))
}

/// Names of colours that need no palette.
pub(super) fn literals() -> impl Iterator<Item = &'static str> {
    ANSI.iter().map(|(name, _, _)| *name).chain([DEFAULT])
}

struct Reader<'a, 'p> {
    source: Source<'a>,
    problems: &'p mut Vec<Problem>,
    file: ThemeFile,
}

impl Reader<'_, '_> {
    fn root(&mut self) {
        let (root, errors) = DeTable::parse_recoverable(self.source.text);
        for error in &errors {
            self.problems.push(self.source.syntax(error, "this line is left out"));
        }
        for (key, value) in root.get_ref() {
            let word: &str = key.get_ref();
            let (span, value) = (value.span(), value.get_ref());
            match (word, value) {
                ("inherits", DeValue::String(name)) => {
                    self.file.inherits = Some(Named { name: name.to_string(), span });
                }
                ("variants", DeValue::Table(table)) => self.variants(table),
                ("palette", DeValue::Table(table)) => self.palette(table),
                ("roles", DeValue::Table(table)) => self.roles("", table),
                // Only the contrast tests read it: the backgrounds a theme is made for.
                ("assumes", DeValue::Array(_)) => {}
                (known, _) if FIELDS.contains(&known) => {
                    let needs = match known {
                        "inherits" => "the name of a theme in quotes",
                        "assumes" => "a list of colours",
                        _ => "a table",
                    };
                    let message = format!("'{known}' needs {needs}, not {}", kind(value));
                    self.fault(&span, message, None, "it is left out");
                }
                (word, _) => {
                    let message = format!("a theme has no field '{word}'");
                    self.fault(&key.span(), message, nearest(word, FIELDS), "it is left out");
                }
            }
        }
    }

    fn variants(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            let word: &str = key.get_ref();
            let Some(variant) = VARIANTS.into_iter().find(|v| *v == word) else {
                let message = format!(
                    "'{word}' is not a kind of terminal; there are {}",
                    VARIANTS.join(", ")
                );
                self.fault(&key.span(), message, nearest(word, VARIANTS), "it is left out");
                continue;
            };
            match value.get_ref() {
                DeValue::String(name) => {
                    let named = Named { name: name.to_string(), span: value.span() };
                    self.file.variants.insert(variant, named);
                }
                other => {
                    let message = format!(
                        "'{word}' needs the name of a theme in quotes, not {}",
                        kind(other)
                    );
                    self.fault(&value.span(), message, None, "it is left out");
                }
            }
        }
    }

    fn palette(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            let color = match value.get_ref() {
                DeValue::String(text) => literal(text),
                DeValue::Integer(n) => {
                    n.as_str().parse().ok().filter(|_| n.radix() == 10).map(Color::Indexed)
                }
                _ => None,
            };
            match color {
                Some(color) => {
                    self.file.palette.insert(key.get_ref().to_string(), color);
                }
                None => {
                    let message = format!("{} is not a colour", show(value.get_ref()));
                    let near = match value.get_ref() {
                        DeValue::String(text) => nearest(text, literals()),
                        _ => None,
                    };
                    let instead =
                        "write \"#rrggbb\", a name of the 16 colours, or 0 to 255; it is left out";
                    self.fault(&value.span(), message, near, instead);
                }
            }
        }
    }

    /// Reads roles; a table within a role is the role with a dot: `text.dim = "grey"`.
    fn roles(&mut self, above: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let word: &str = key.get_ref();
            let id = if above.is_empty() { word.to_owned() } else { format!("{above}.{word}") };
            let role = Role::from_id(&id);
            let dotted = format!("{id}.");
            if let (None, DeValue::Table(below)) = (role, value.get_ref())
                && Role::ALL.iter().any(|r| r.id().starts_with(&dotted))
            {
                // `diff.added = …` where `diff` is no role itself.
                self.roles(&id, below);
                continue;
            }
            let Some(role) = role else {
                let message = format!("there is no role '{id}'");
                let near = nearest(&id, Role::ALL.iter().map(|r| r.id()));
                self.fault(&key.span(), message, near, "it is left out");
                continue;
            };
            let span = value.span();
            match value.get_ref() {
                DeValue::String(name) => {
                    let fg = Some(Named { name: name.to_string(), span });
                    self.file.roles.insert(role, Look { fg, ..Look::default() });
                }
                DeValue::Table(look) => self.look(role, look),
                other => {
                    let message = format!(
                        "'{id}' needs a colour in quotes or {{ fg, bg, modifiers }}, not {}",
                        kind(other)
                    );
                    self.fault(&span, message, None, "it is left out");
                }
            }
        }
    }

    fn look(&mut self, role: Role, table: &DeTable<'_>) {
        let mut look = Look::default();
        let mut own = table.is_empty();
        for (key, value) in table {
            let span = value.span();
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("fg", DeValue::String(name)) => {
                    look.fg = Some(Named { name: name.to_string(), span });
                    own = true;
                }
                ("bg", DeValue::String(name)) => {
                    look.bg = Some(Named { name: name.to_string(), span });
                    own = true;
                }
                ("modifiers", DeValue::Array(words)) => {
                    own = true;
                    for word in words {
                        look.modifiers |= self.modifier(&word.span(), word.get_ref());
                    }
                }
                (field @ ("fg" | "bg" | "modifiers"), other) => {
                    let needs =
                        if field == "modifiers" { "a list of words" } else { "a colour in quotes" };
                    let message = format!("'{field}' needs {needs}, not {}", kind(other));
                    self.fault(&span, message, None, "it is left out");
                }
                (field, value) => {
                    let id = format!("{}.{field}", role.id());
                    if Role::from_id(&id).is_some() {
                        let mut one = DeTable::new();
                        one.insert(key.clone(), toml::Spanned::new(span, value.clone()));
                        self.roles(role.id(), &one);
                    } else {
                        let message =
                            format!("a role has no field '{field}', and there is no role '{id}'");
                        let near = nearest(field, ["fg", "bg", "modifiers"])
                            .or_else(|| nearest(&id, Role::ALL.iter().map(|r| r.id())));
                        self.fault(&key.span(), message, near, "it is left out");
                    }
                }
            }
        }
        if own {
            self.file.roles.insert(role, look);
        }
    }

    fn modifier(&mut self, span: &Range<usize>, value: &DeValue<'_>) -> Modifier {
        let word = value.as_str().unwrap_or_default();
        if let Some((_, modifier)) = MODIFIERS.iter().find(|(name, _)| *name == word) {
            return *modifier;
        }
        let names = MODIFIERS.map(|(name, _)| name);
        let message = format!("{} is not a modifier; there are {}", show(value), names.join(", "));
        self.fault(span, message, nearest(word, names), "it is left out");
        Modifier::empty()
    }

    fn fault(&mut self, span: &Range<usize>, message: String, near: Option<String>, instead: &str) {
        self.problems.push(self.source.problem(span, message, near, instead));
    }
}

/// A value for a message: a text in quotes, a number as written, the kind of anything else.
fn show(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("'{text}'"),
        DeValue::Integer(n) => n.as_str().to_owned(),
        other => kind(other).to_owned(),
    }
}
