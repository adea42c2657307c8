//! What one character does to a line: shows, marks the one before, joins two, or hides.

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The zero-width joiner and non-joiner: invisible, yet honest in emoji and in some scripts.
pub(super) const ZWJ: char = '\u{200D}';
pub(super) const ZWNJ: char = '\u{200C}';

/// What a character does to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Takes cells of its own.
    Visible,
    /// Takes no cell: drawn over the character before it.
    Mark,
    /// [`ZWJ`] or [`ZWNJ`]: honest only between certain neighbours.
    Joiner,
    /// Takes no cell and draws nothing, moves the cursor, reorders text, or means nothing anyone
    /// agreed on.
    Hidden,
}

/// The class of a character by itself.
pub(super) fn class(c: char) -> Class {
    use GeneralCategory as G;
    if matches!(c, ' '..='~') {
        return Class::Visible;
    }
    if matches!(c, ZWJ | ZWNJ) {
        return Class::Joiner;
    }
    if is_ignorable(c) || is_noncharacter(c) {
        return Class::Hidden;
    }
    match get_general_category(c) {
        G::Control | G::Format | G::LineSeparator | G::ParagraphSeparator | G::PrivateUse => {
            // Signs of Arabic, Syriac and Kaithi that enclose the digits after them are drawn.
            if is_drawn_format(c) { Class::Visible } else { Class::Hidden }
        }
        G::NonspacingMark | G::EnclosingMark => Class::Mark,
        _ if c.width() == Some(0) => Class::Mark,
        _ => Class::Visible,
    }
}

/// Half-width Katakana sound marks, to which ratatui gives a cell of their own on top of what the
/// tables say.
pub(super) fn is_sound_mark(c: char) -> bool {
    matches!(c, '\u{FF9E}' | '\u{FF9F}')
}

/// Assigned so that programs ignore it (Default_Ignorable_Code_Point, without the joiners):
/// fillers, selectors, tags, invisible operators.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}' | '\u{200E}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}')
}

fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{FDD0}'..='\u{FDEF}') || u32::from(c) & 0xFFFE == 0xFFFE
}

fn is_drawn_format(c: char) -> bool {
    matches!(c,
        '\u{600}'..='\u{605}' | '\u{6DD}' | '\u{70F}' | '\u{890}'..='\u{891}' | '\u{8E2}'
        | '\u{110BD}' | '\u{110CD}')
        && c.width() != Some(0)
}

/// Marks of scripts that honestly stack them: pointed Hebrew, vowelled Arabic, Tibetan.
pub(super) fn is_script_mark(c: char) -> bool {
    matches!(c,
        '\u{591}'..='\u{5C7}' | '\u{610}'..='\u{61A}' | '\u{64B}'..='\u{65F}' | '\u{670}'
        | '\u{6D6}'..='\u{6ED}' | '\u{8CA}'..='\u{8FF}' | '\u{F71}'..='\u{FBC}')
}

/// Whether a joiner between `before` and `after` changes what is drawn (after UAX #31, A1 to B):
/// a non-joiner that parts two Arabic letters which would join, as Persian writes it, and either
/// joiner after the vowel killer of an Indic script.
pub(super) fn joins(joiner: char, before: char, after: char) -> bool {
    let arabic = joiner == ZWNJ && joins_forward(before) && is_arabic_letter(after);
    let block = |c: char| u32::from(c) >> 7;
    let indic = is_virama(before)
        && block(before) == block(after)
        && get_general_category(after) == GeneralCategory::OtherLetter;
    arabic || indic
}

fn is_arabic_letter(c: char) -> bool {
    matches!(c, '\u{620}'..='\u{64A}' | '\u{66E}'..='\u{66F}' | '\u{671}'..='\u{6D3}'
        | '\u{6FA}'..='\u{6FC}' | '\u{6FF}' | '\u{750}'..='\u{77F}')
        && get_general_category(c) == GeneralCategory::OtherLetter
}

/// An Arabic letter that joins the one after it (Joining_Type=Dual_Joining).
fn joins_forward(c: char) -> bool {
    let ends_here = matches!(c,
        '\u{621}'..='\u{625}' | '\u{627}' | '\u{629}' | '\u{62F}'..='\u{632}' | '\u{648}'
        | '\u{671}'..='\u{677}' | '\u{688}'..='\u{699}' | '\u{6C0}' | '\u{6C3}'..='\u{6CB}'
        | '\u{6CD}' | '\u{6CF}' | '\u{6D2}'..='\u{6D3}' | '\u{759}'..='\u{75B}'
        | '\u{76B}'..='\u{76C}' | '\u{771}' | '\u{773}'..='\u{774}' | '\u{778}'..='\u{779}');
    is_arabic_letter(c) && !ends_here
}

/// The vowel killers (Canonical_Combining_Class=Virama) of the Indic scripts in use.
fn is_virama(c: char) -> bool {
    matches!(
        c,
        '\u{94D}'
            | '\u{9CD}'
            | '\u{A4D}'
            | '\u{ACD}'
            | '\u{B4D}'
            | '\u{BCD}'
            | '\u{C4D}'
            | '\u{CCD}'
            | '\u{D4D}'
            | '\u{DCA}'
            | '\u{1039}'
            | '\u{17D2}'
    )
}

/// Flags spelled with tag characters that fonts draw: England, Scotland, Wales. Any other run of
/// tags draws nothing and can carry anything.
const TAG_FLAGS: [&str; 3] = [
    "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
    "\u{1F3F4}\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
    "\u{1F3F4}\u{E0067}\u{E0062}\u{E0077}\u{E006C}\u{E0073}\u{E007F}",
];

/// Whether a grapheme is an emoji whose invisible characters are all at work.
pub(super) fn is_emoji(grapheme: &str) -> bool {
    TAG_FLAGS.contains(&grapheme) || is_keycap(grapheme) || is_joined_emoji(grapheme)
}

/// `1️⃣`: a digit, `#` or `*`, perhaps a selector, the key around it.
fn is_keycap(grapheme: &str) -> bool {
    let mut chars = grapheme.chars().filter(|c| *c != '\u{FE0F}');
    matches!(chars.next(), Some('0'..='9' | '#' | '*'))
        && chars.next() == Some('\u{20E3}')
        && chars.next().is_none()
        && grapheme.chars().count() <= 3
        && !grapheme.ends_with('\u{FE0F}')
}

/// Pictures, each with at most one selector and one skin tone, joined by [`ZWJ`]. That a joiner
/// stands between two pictures, and not between anything else, is what made it one grapheme.
fn is_joined_emoji(grapheme: &str) -> bool {
    grapheme.split(ZWJ).all(|element| {
        let mut chars = element.chars().peekable();
        let Some(picture) = chars.next() else { return false };
        if chars.next_if(|c| matches!(c, '\u{FE0E}' | '\u{FE0F}')).is_some()
            && !has_presentations(picture)
        {
            return false;
        }
        chars.next_if(|c| matches!(c, '\u{1F3FB}'..='\u{1F3FF}'));
        chars.next().is_none() && is_picture(picture)
    })
}

fn is_picture(c: char) -> bool {
    use GeneralCategory as G;
    class(c) == Class::Visible
        && (matches!(
            get_general_category(c),
            G::OtherSymbol | G::MathSymbol | G::OtherPunctuation | G::DashPunctuation
        ) || c == '\u{2139}')
}

/// Whether a character has an emoji presentation to choose: the selector makes it two cells wide.
fn has_presentations(c: char) -> bool {
    let mut pair = String::from(c);
    pair.push('\u{FE0F}');
    is_picture(c) && pair.width() == 2 && !c.is_ascii()
}

/// The graphemes of a text, as screens draw them.
pub(super) fn graphemes(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.grapheme_indices(true)
}
