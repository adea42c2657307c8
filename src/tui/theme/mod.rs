//! Themes: a screen names a [`Role`], the theme of the moment gives it a look.
//!
//! Looks come from `themes/*.toml` and from files of the user. A theme names colours as it likes;
//! they are brought down to what the terminal shows, and in monochrome to attributes alone.
//!
//! ```
//! use overrule::tui::theme::{Background, Depth, Role, Terminal, Theme};
//!
//! let terminal = Terminal { depth: Depth::Mono, background: Background::Dark };
//! let (theme, problems) = Theme::load("auto", None, terminal);
//! assert!(problems.is_empty());
//! assert_eq!(theme.style(Role::Danger).fg, None);
//! ```

mod color;
mod file;
mod load;
mod role;
mod terminal;
#[cfg(test)]
mod tests;

use ratatui::style::{Color, Style};

pub use color::{Rgb, shown};
pub use load::{AUTO, SHIPPED, shipped};
pub use role::Role;
pub use terminal::{Background, ColorEnv, Depth, Terminal};

/// A look for every role, ready for one terminal.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    name: String,
    /// In the order of [`Role::ALL`].
    styles: Vec<Style>,
}

impl Theme {
    /// The look of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role.index()).copied().unwrap_or_default()
    }

    /// The name of the file the look comes from, after variants were chosen.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Brings a style down to what a terminal shows.
fn reduce(style: Style, depth: Depth) -> Style {
    let color = |color: Option<Color>| match (depth, color) {
        // No colour at all, not even the default one: the backend would write it as a reset
        // after the attributes and so erase them.
        (Depth::Mono, _) => None,
        (Depth::Ansi256, Some(Color::Rgb(r, g, b))) => Some(Color::Indexed(Rgb(r, g, b).to_256())),
        (Depth::Ansi16, Some(color @ (Color::Rgb(..) | Color::Indexed(16..)))) => {
            shown(color).map(Rgb::to_16)
        }
        (_, color) => color,
    };
    Style { fg: color(style.fg), bg: color(style.bg), underline_color: None, ..style }
}

impl Default for Theme {
    /// The shipped dark theme with every colour.
    fn default() -> Self {
        let terminal = Terminal { depth: Depth::True, background: Background::Dark };
        Self::load(AUTO, None, terminal).0
    }
}
