//! Colours as numbers: read, compared, and brought down to what a terminal can show.

use ratatui::style::Color;

/// A colour in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// The 16 colours by name, in the order of their numbers, with the values xterm gives them.
/// Users change them, so they are a guess, used for nearness and for tests only.
pub(super) const ANSI: [(&str, Color, Rgb); 16] = [
    ("black", Color::Black, Rgb(0, 0, 0)),
    ("red", Color::Red, Rgb(205, 0, 0)),
    ("green", Color::Green, Rgb(0, 205, 0)),
    ("yellow", Color::Yellow, Rgb(205, 205, 0)),
    ("blue", Color::Blue, Rgb(0, 0, 238)),
    ("magenta", Color::Magenta, Rgb(205, 0, 205)),
    ("cyan", Color::Cyan, Rgb(0, 205, 205)),
    ("white", Color::Gray, Rgb(229, 229, 229)),
    ("bright-black", Color::DarkGray, Rgb(127, 127, 127)),
    ("bright-red", Color::LightRed, Rgb(255, 0, 0)),
    ("bright-green", Color::LightGreen, Rgb(0, 255, 0)),
    ("bright-yellow", Color::LightYellow, Rgb(255, 255, 0)),
    ("bright-blue", Color::LightBlue, Rgb(92, 92, 255)),
    ("bright-magenta", Color::LightMagenta, Rgb(255, 0, 255)),
    ("bright-cyan", Color::LightCyan, Rgb(0, 255, 255)),
    ("bright-white", Color::White, Rgb(255, 255, 255)),
];

impl Rgb {
    /// Reads `#rrggbb` or `#rgb`.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix('#')?;
        if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let number = u32::from_str_radix(hex, 16).ok()?;
        let [_, r, g, b] = number.to_be_bytes();
        match hex.len() {
            6 => Some(Self(r, g, b)),
            // Each digit stands for itself twice: #f80 is #ff8800.
            3 => Some(Self((g & 0xf) * 17, (b >> 4) * 17, (b & 0xf) * 17)),
            _ => None,
        }
    }

    /// Relative luminance, 0 (black) to 1 (white), as WCAG 2.2 defines it.
    fn luminance(self) -> f64 {
        let [r, g, b] = self.linear();
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// The contrast ratio of two colours, 1 to 21, as WCAG 2.2 defines it.
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// The channels without the gamma of sRGB, each 0 to 1.
    fn linear(self) -> [f64; 3] {
        [self.0, self.1, self.2].map(|channel| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// The Oklab coordinates (Ottosson 2020), where equal distances look equally different.
    fn oklab(self) -> [f64; 3] {
        let [r, g, b] = self.linear();
        let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
        let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
        let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
        [
            0.210_454_255_3 * l + 0.793_617_785_0 * m - 0.004_072_046_8 * s,
            1.977_998_495_1 * l - 2.428_592_205_0 * m + 0.450_593_709_9 * s,
            0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766_0 * s,
        ]
    }

    /// How different two colours look (squared Oklab distance).
    fn distance(self, other: Self) -> f64 {
        self.oklab().iter().zip(other.oklab()).map(|(a, b)| (a - b) * (a - b)).sum()
    }

    /// The nearest of the fixed 240 colours of a 256-colour terminal. The first 16 are left
    /// alone: users change them.
    pub fn to_256(self) -> u8 {
        nearest(self, (16..=255).map(|n| (n, fixed(n)))).unwrap_or(7)
    }

    /// The nearest of the 16 colours.
    pub(super) fn to_16(self) -> Color {
        nearest(self, ANSI.iter().map(|(_, color, rgb)| (*color, *rgb))).unwrap_or(Color::Gray)
    }
}

fn nearest<T>(rgb: Rgb, choices: impl Iterator<Item = (T, Rgb)>) -> Option<T> {
    choices
        .map(|(what, other)| (rgb.distance(other), what))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, what)| what)
}

/// The colour of a number 16..=255 of a 256-colour terminal: a 6×6×6 cube, then 24 greys.
fn fixed(number: u8) -> Rgb {
    let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    if number >= 232 {
        let grey = 8 + 10 * (number - 232);
        return Rgb(grey, grey, grey);
    }
    let n = number.saturating_sub(16);
    Rgb(step(n / 36), step(n / 6 % 6), step(n % 6))
}

/// What a terminal probably shows for a colour; `None` for the default of a terminal.
pub fn shown(color: Color) -> Option<Rgb> {
    match color {
        Color::Rgb(r, g, b) => Some(Rgb(r, g, b)),
        Color::Indexed(n) => match ANSI.get(usize::from(n)) {
            Some((_, _, rgb)) => Some(*rgb),
            None => Some(fixed(n)),
        },
        Color::Reset => None,
        named => ANSI.iter().find(|(_, color, _)| *color == named).map(|(_, _, rgb)| *rgb),
    }
}
