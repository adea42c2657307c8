//! What hides is shown, what is honest stays, and nothing is lost.

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation as _;

use super::character::{Class, ZWJ, ZWNJ, class};
use super::*;

fn clean(raw: &str) -> String {
    Clean::new(raw).to_string()
}

#[test]
fn honest_text_is_unchanged() {
    for text in [
        "",
        "plain ASCII, with signs: <>&\"'",
        "Grüße, naïve café, cafe\u{301}, Việt Nam",
        "مرحبا بالعالم",
        "السَّلَامُ عَلَيْكُمْ",
        "שָׁלוֹם עוֹלָם",
        "בְּרֵאשִׁ֖ית בָּרָ֣א אֱלֹהִ֑ים",
        "می\u{200C}خواهم کتاب\u{200C}ها",
        "日本語の文章。中文文本，한국어 문장",
        "क्षत्रिय हिन्दी க்ஷ ශ්\u{200D}රී র\u{9CD}\u{200D}য",
        "สวัสดีชาวโลก ภาษาไทยที่",
        "བོད་སྐད་ རྒྱལ་པོ",
        "👨‍👩‍👧‍👦 👩🏽‍🚀 ❤️ ❤️‍🔥 🏳️‍🌈 🏴‍☠️ 👁️‍🗨️ ✍🏿",
        "1️⃣ #️⃣ ©️ ↔️ ℹ️ ☺︎",
        "🇩🇪 🇺🇦 🇯🇵",
        "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
        "broken \u{FFFD} stays",
        "ｶﾞｷﾞ half-width",
        "two\nlines\n",
        "각 \u{1100}\u{1161}\u{11A8}",
        "− 1 000 €\u{A0}net",
    ] {
        let clean = Clean::new(text);
        assert_eq!(clean.as_str(), text);
        assert_eq!(clean.hidden(), 0, "{text}");
    }
}

#[test]
fn what_hides_is_shown() {
    for (raw, shown, hidden) in [
        ("\u{1B}[31mred\u{7}", "␛[31mred␇", 2),
        ("\u{1B}]52;c;aGk=\u{7}", "␛]52;c;aGk=␇", 2),
        ("a\u{9B}31m", "a<U+009B>31m", 1),
        ("a\0b\u{7F}c", "a␀b␡c", 2),
        ("over\rwrite", "over␍write", 1),
        ("pay \u{202E}lived", "pay <U+202E>lived", 1),
        ("\u{2067}a\u{2069}", "<U+2067>a<U+2069>", 2),
        ("a\u{200B}b\u{FEFF}c\u{2060}d\u{AD}e", "a<U+200B>b<U+FEFF>c<U+2060>d<U+00AD>e", 4),
        ("a\u{200D}b", "a<U+200D>b", 1),
        ("a\u{200C}b", "a<U+200C>b", 1),
        ("د\u{200C}ب", "د<U+200C>ب", 1),
        ("👩\u{200D}", "👩<U+200D>", 1),
        ("👩\u{200D}\u{200D}👩", "👩<U+200D><U+200D>👩", 2),
        ("👩\u{200C}\u{200D}👩", "👩<U+200C><U+200D>👩", 2),
        ("a\u{FE0F}", "a<U+FE0F>", 1),
        ("1\u{FE0F}", "1<U+FE0F>", 1),
        ("漢\u{FE0F}字\u{E0100}", "漢<U+FE0F>字<U+E0100>", 2),
        ("❤\u{FE0F}\u{FE0F}", "❤<U+FE0F><U+FE0F>", 2),
        ("hi\u{E0068}\u{E0069}", "hi<U+E0068><U+E0069>", 2),
        ("🏴\u{E0068}\u{E0069}\u{E007F}", "🏴<U+E0068><U+E0069><U+E007F>", 3),
        ("a\u{2028}b\u{2029}c", "a<U+2028>b<U+2029>c", 2),
        ("\u{E000}\u{F0000}\u{10FFFD}", "<U+E000><U+F0000><U+10FFFD>", 3),
        ("\u{FDD0}\u{FFFE}\u{1FFFF}", "<U+FDD0><U+FFFE><U+1FFFF>", 3),
        ("\u{FFF9}a\u{FFFA}b\u{FFFB}", "<U+FFF9>a<U+FFFA>b<U+FFFB>", 3),
        ("\u{3164}\u{115F}\u{1160}\u{FFA0}", "<U+3164><U+115F><U+1160><U+FFA0>", 4),
        ("a\u{34F}b\u{61C}c\u{180E}d", "a<U+034F>b<U+061C>c<U+180E>d", 3),
        ("\u{301}start", "<U+0301>start", 1),
        ("line\n\u{301}", "line\n<U+0301>", 1),
        ("\u{202E}\u{301}", "<U+202E><U+0301>", 2),
    ] {
        let clean = Clean::new(raw);
        assert_eq!(clean.as_str(), shown);
        assert_eq!(clean.hidden(), hidden, "{shown}");
    }
}

#[test]
fn stacked_marks_are_capped_and_counted() {
    let zalgo = format!("a{}b", "\u{301}".repeat(9));
    assert_eq!(clean(&zalgo), format!("a{}<+5 marks>b", "\u{301}".repeat(MOST_MARKS)));
    assert_eq!(Clean::new(&zalgo).hidden(), 5);
    let one = format!("a{}", "\u{334}".repeat(5));
    assert!(clean(&one).ends_with("<+1 mark>"));
    let hebrew = format!("א{}", "\u{5B0}".repeat(8));
    assert_eq!(clean(&hebrew), format!("א{}<+2 marks>", "\u{5B0}".repeat(MOST_SCRIPT_MARKS)));
}

#[test]
fn line_ends_and_tabs() {
    assert_eq!(clean("a\r\nb\n"), "a\nb\n");
    assert_eq!(Clean::new("a\r\nb").hidden(), 0);
    assert_eq!(Clean::line("a\r\nb\nc").as_str(), "a␍␊b␊c");
    assert_eq!(clean("a\tb\n\tc"), "a   b\n    c");
    assert_eq!(clean("日本\tx"), "日本    x");
    assert_eq!(Clean::line("\t").hidden(), 0);
}

#[test]
fn segments_tell_tokens_from_text() {
    let text = Clean::new("a<U+202E>\u{202E}b");
    let segments: Vec<_> = text.segments().collect();
    assert_eq!(
        segments,
        [
            (SegmentKind::Text, "a<U+202E>"),
            (SegmentKind::Hidden, "<U+202E>"),
            (SegmentKind::Text, "b"),
        ]
    );
    let part: Vec<_> = text.segments_in(5..12).collect();
    assert_eq!(part, [(SegmentKind::Text, "02E>"), (SegmentKind::Hidden, "<U+")]);
    assert_eq!(text.segments_in(3..3).count(), 0);
}

#[test]
fn long_text_says_how_much_is_left() {
    let text = Clean::new("abcdef").capped(4);
    assert_eq!(text.as_str(), "abcd… 2 more characters");
    assert_eq!(text.segments().last(), Some((SegmentKind::Notice, "… 2 more characters")));
    assert_eq!(Clean::new("abcd").capped(4).as_str(), "abcd");
    assert_eq!(Clean::first("abcdef", 5).as_str(), "abcde… 1 more character");
    assert_eq!(Clean::line_first("a\nb", 2).as_str(), "a␊… 1 more character");
    assert_eq!(Clean::new("\u{202E}ab").capped(9).hidden(), 1);
}

#[test]
fn wraps_at_words_lines_and_wide_characters() {
    let lines = |text: &'static str, cols| -> Vec<&str> {
        wrap(text, cols).map(|line| &text[line]).collect()
    };
    assert_eq!(lines("one two three", 7), ["one two", "three"]);
    assert_eq!(lines("one   two", 4), ["one", "two"]);
    assert_eq!(lines("one two  ", 7), ["one two"]);
    assert_eq!(lines("a\n\nb\n", 9), ["a", "", "b"]);
    assert_eq!(lines("abcdefgh", 3), ["abc", "def", "gh"]);
    assert_eq!(lines("  in dent", 6), ["  in", "dent"]);
    assert_eq!(lines("日本語の文章。", 6), ["日本語", "の文", "章。"]);
    assert_eq!(lines("「日本」", 4), ["「日", "本」"]);
    assert_eq!(lines("well-known loan/price", 9), ["well-", "known", "loan/", "price"]);
    assert_eq!(lines("−1.26 2026-11-22", 8), ["−1.26", "2026-11-", "22"]);
    assert_eq!(lines("日", 1), ["日"]);
    assert_eq!(lines("ab", 0), ["a", "b"]);
    assert_eq!(lines("     x", 3), ["", "x"]);
    assert_eq!(lines("   ", 2), [""]);
    assert_eq!(lines("", 5), Vec::<&str>::new());
    assert_eq!(lines("10 000\u{A0}€ net", 6), ["10", "000\u{A0}€", "net"]);
}

#[test]
fn a_cache_wraps_only_what_was_asked_for() {
    let text = "word ".repeat(1000);
    let mut cache = WrapCache::new(2);
    assert_eq!(cache.lines(&1, &text, 4, 2..4), [10..14, 15..19]);
    assert_eq!(cache.lines(&1, &text, 4, 998..2000).len(), 2);
    assert_eq!(cache.lines(&1, &text, 4, 5000..5001).len(), 0);
    assert_eq!(cache.count(&1, &text, 9), 500);
    // Another text under the same key is not painted with the old one's lines.
    assert_eq!(cache.lines(&1, "ab", 9, 0..9).first(), Some(&(0..2)));
    assert_eq!(cache.count(&2, "a b", 1), 2);
    assert_eq!(cache.count(&3, "a b c", 1), 3);
    assert_eq!(cache.count(&2, "a b", 1), 2);
}

/// Text with far more trouble in it than `any::<String>()` has.
fn trouble() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        4 => any::<char>(),
        2 => proptest::char::range('\0', '\u{FF}'),
        2 => proptest::char::range('\u{300}', '\u{36F}'),
        2 => proptest::char::range('\u{200B}', '\u{206F}'),
        1 => proptest::char::range('\u{590}', '\u{6FF}'),
        1 => proptest::char::range('\u{900}', '\u{9FF}'),
        1 => proptest::char::range('\u{1100}', '\u{11FF}'),
        1 => proptest::char::range('\u{FE00}', '\u{FE0F}'),
        1 => proptest::char::range('\u{E0000}', '\u{E01EF}'),
        1 => proptest::char::range('\u{1F1E6}', '\u{1F1FF}'),
        1 => proptest::char::range('\u{1F3F4}', '\u{1F3FF}'),
        2 => prop::sample::select(vec![
            ZWJ, ZWNJ, '👩', '❤', '\u{20E3}', '1', 'ي', 'ب', 'क', '\u{94D}', '\n', '\r', '\t', ' ',
            '<', '>', '\u{FF9E}', 'ア', '\u{F71}',
        ]),
    ];
    prop::collection::vec(one, 0..24).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_that_hides_gets_through(raw in trouble()) {
        for clean in [Clean::new(&raw), Clean::line(&raw)] {
            let text = clean.as_str();
            for (at, c) in text.char_indices() {
                prop_assert!(!c.is_control() || c == '\n', "{c:?}");
                let rest = &text[at..];
                // A joiner, selector or tag is only let through inside what is drawn with it.
                if matches!(class(c), Class::Hidden | Class::Joiner) && c != '\n' {
                    let grapheme = text
                        .grapheme_indices(true)
                        .find(|(i, g)| (*i..i + g.len()).contains(&at))
                        .map_or("", |(_, g)| g);
                    let emoji = grapheme.chars().count() > 1
                        && grapheme.chars().any(|c| c > '\u{2000}' || c.is_ascii_digit());
                    let next = rest.chars().nth(1);
                    let script = matches!(c, ZWJ | ZWNJ)
                        && next.is_some_and(char::is_alphabetic);
                    prop_assert!(emoji || script, "{c:?} in {grapheme:?}");
                    prop_assert!(!matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
                        | '\u{200B}' | '\u{FEFF}' | '\u{2060}'), "{c:?}");
                }
            }
        }
        prop_assert!(!Clean::line(&raw).as_str().contains('\n'));
    }

    #[test]
    fn every_grapheme_takes_a_cell(raw in trouble()) {
        let clean = Clean::line(&raw);
        for grapheme in clean.as_str().graphemes(true) {
            prop_assert!(width(grapheme) > 0, "{grapheme:?} in {:?}", clean.as_str());
        }
    }

    #[test]
    fn cleaning_twice_changes_nothing(raw in trouble()) {
        let once = clean(&raw);
        prop_assert_eq!(clean(&once), once.clone());
        prop_assert_eq!(Clean::new(&once).hidden(), 0);
        let line = Clean::line(&raw).to_string();
        prop_assert_eq!(Clean::line(&line).to_string(), line);
    }

    #[test]
    fn nothing_visible_is_lost(raw in trouble()) {
        let visible = |text: &str| -> String {
            text.chars().filter(|c| class(*c) == Class::Visible && *c != ' ').collect()
        };
        let clean = Clean::new(&raw);
        let kept: String = clean
            .segments()
            .filter(|(kind, _)| *kind == SegmentKind::Text)
            .map(|(_, piece)| visible(piece))
            .collect();
        prop_assert_eq!(kept, visible(&raw));
    }

    #[test]
    fn everything_hidden_is_counted(raw in trouble()) {
        let unseen = |text: &str| -> usize {
            text.replace("\r\n", "\n").chars()
                .filter(|c| class(*c) != Class::Visible && !matches!(c, '\n' | '\t'))
                .count()
        };
        let clean = Clean::new(&raw);
        let kept: usize = clean
            .segments()
            .filter(|(kind, _)| *kind == SegmentKind::Text)
            .map(|(_, piece)| unseen(piece))
            .sum();
        prop_assert_eq!(kept + clean.hidden(), unseen(&raw));
    }

    #[test]
    fn segments_are_the_text(raw in trouble()) {
        let clean = Clean::new(&raw);
        let joined: String = clean.segments().map(|(_, piece)| piece).collect();
        prop_assert_eq!(joined, clean.as_str());
    }

    #[test]
    fn lines_fit_and_lose_only_blanks(raw in trouble(), cols in 1_usize..12) {
        let clean = Clean::new(&raw);
        let text = clean.as_str();
        let mut at = 0;
        for line in wrap(text, cols) {
            prop_assert!(line.start >= at && line.end >= line.start);
            prop_assert!(text[at..line.start].chars().all(char::is_whitespace));
            let shown = &text[line.clone()];
            prop_assert!(width(shown) <= cols || shown.graphemes(true).count() == 1, "{shown:?}");
            at = line.end;
        }
        prop_assert!(text[at..].chars().all(char::is_whitespace));
    }

    #[test]
    fn a_cache_agrees_with_wrapping(raw in trouble(), cols in 1_usize..12, start in 0_usize..5) {
        let clean = Clean::new(&raw);
        let all: Vec<_> = wrap(clean.as_str(), cols).collect();
        let mut cache = WrapCache::new(1);
        let some = cache.lines(&(), clean.as_str(), cols, start..start + 3).to_vec();
        let expected: Vec<_> = all.iter().skip(start).take(3).cloned().collect();
        prop_assert_eq!(some, expected);
        prop_assert_eq!(cache.count(&(), clean.as_str(), cols), all.len());
    }

    #[test]
    fn truncated_text_fits_and_starts_the_same(raw in trouble(), cols in 0_usize..12) {
        let clean = Clean::line(&raw);
        let short = truncate(clean.as_str(), cols);
        prop_assert!(width(&short) <= cols);
        prop_assert!(clean.as_str().starts_with(short.strip_suffix('…').unwrap_or(&short)));
    }
}
