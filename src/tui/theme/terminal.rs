//! What the terminal can show: how many colours, on which background. Pure: the environment and
//! the terminal's answer are arguments.

use super::color::Rgb;

/// How many colours may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Depth {
    /// None: attributes such as bold and reverse only.
    Mono,
    /// The 16 named ones.
    Ansi16,
    /// The fixed palette of 256.
    Ansi256,
    /// Any.
    True,
}

/// Whether text is light on dark or dark on light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Background {
    #[default]
    Dark,
    Light,
}

/// The terminal a theme is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terminal {
    pub depth: Depth,
    pub background: Background,
}

/// The variables of the environment that speak about colour, as they were at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColorEnv {
    /// `NO_COLOR`: no colour if it is set to anything but nothing.
    pub no_color: Option<String>,
    /// `COLORTERM`
    pub colorterm: Option<String>,
    /// `TERM`
    pub term: Option<String>,
    /// `COLORFGBG`
    pub colorfgbg: Option<String>,
}

impl ColorEnv {
    /// Takes what concerns colour out of an environment, given as a look-up.
    pub fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            no_color: get("NO_COLOR"),
            colorterm: get("COLORTERM"),
            term: get("TERM"),
            colorfgbg: get("COLORFGBG"),
        }
    }

    /// How many colours to use: `NO_COLOR` first, then what the user asked for (`flag`), then
    /// `COLORTERM`, then `TERM`.
    pub fn depth(&self, flag: Option<Depth>) -> Depth {
        if self.no_color.as_deref().is_some_and(|v| !v.is_empty()) {
            return Depth::Mono;
        }
        if let Some(depth) = flag {
            return depth;
        }
        let colorterm = self.colorterm.as_deref().unwrap_or_default().to_ascii_lowercase();
        let term = self.term.as_deref().unwrap_or_default().to_ascii_lowercase();
        match () {
            () if matches!(colorterm.as_str(), "truecolor" | "24bit") => Depth::True,
            () if term.ends_with("-direct") || term.ends_with("-truecolor") => Depth::True,
            () if term.contains("256color") => Depth::Ansi256,
            // Terminals that show no colour at all.
            () if term == "dumb" || term.starts_with("vt1") || term.starts_with("vt2") => {
                Depth::Mono
            }
            () => Depth::Ansi16,
        }
    }

    /// The background `COLORFGBG` tells, if it does: `foreground;background`, numbers of the 16
    /// colours, with something between them in some terminals. As vim reads it: 7 and 9 to 15 are
    /// light.
    pub fn background(&self) -> Option<Background> {
        match self.colorfgbg.as_deref()?.rsplit(';').next()?.trim().parse::<u8>().ok()? {
            0..=6 | 8 => Some(Background::Dark),
            7 | 9..=15 => Some(Background::Light),
            _ => None,
        }
    }
}

impl Background {
    /// Dark or light: which of white and black text stands out better on it.
    pub fn of(rgb: Rgb) -> Self {
        let (white, black) = (Rgb(255, 255, 255), Rgb(0, 0, 0));
        if rgb.contrast(white) >= rgb.contrast(black) { Self::Dark } else { Self::Light }
    }

    /// Reads a terminal's answer to OSC 11 (`ESC ] 11 ; ? BEL`): `rgb:1e1e/1e1e/2e2e` with one to
    /// four hexadecimal digits a channel, `rgba:…`, or `#rrggbb`, ended by BEL or ST. `None` for
    /// anything else.
    pub fn from_osc11(reply: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(reply).ok()?;
        let body = text.strip_prefix("\x1b]11;")?;
        let body = body.strip_suffix('\x07').or_else(|| body.strip_suffix("\x1b\\"))?;
        if let Some(rgb) = Rgb::parse(body) {
            return Some(Self::of(rgb));
        }
        let (channels, most) = match body.strip_prefix("rgba:") {
            Some(rest) => (rest, 4),
            None => (body.strip_prefix("rgb:")?, 3),
        };
        let values = channels.split('/').map(channel).collect::<Option<Vec<u8>>>()?;
        match values.as_slice() {
            [r, g, b, ..] if values.len() == most => Some(Self::of(Rgb(*r, *g, *b))),
            _ => None,
        }
    }
}

/// One to four hexadecimal digits as a fraction of their largest value, in 0..=255.
fn channel(digits: &str) -> Option<u8> {
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let value = u32::from_str_radix(digits, 16).ok()?;
    let most = 16_u32.pow(u32::try_from(digits.len()).ok()?) - 1;
    u8::try_from((value * 255 + most / 2) / most).ok()
}
