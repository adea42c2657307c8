//! Looks that can be read, terminals that are understood, files that are explained.

use std::collections::BTreeMap;

use proptest::prelude::*;
use ratatui::style::{Color, Modifier};

use super::*;

const DARK: Terminal = Terminal { depth: Depth::True, background: Background::Dark };
const LIGHT: Terminal = Terminal { depth: Depth::True, background: Background::Light };

fn at(depth: Depth) -> Terminal {
    Terminal { depth, ..DARK }
}

/// A theme from files in memory, and its faults as lines.
fn from(files: &[(&str, &str)], name: &str, terminal: Terminal) -> (Theme, Vec<String>) {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    let (theme, problems) = Theme::load_from(name, terminal, &|name| {
        files.get(name).map(|text| (format!("{name}.toml"), Ok((*text).to_owned())))
    });
    (theme, problems.iter().map(ToString::to_string).collect())
}

/// The backgrounds a shipped theme says it is made for.
fn assumed(name: &str) -> Vec<Rgb> {
    let file: toml::Table = shipped(name).unwrap().parse().unwrap();
    let list = file["assumes"].as_array().unwrap();
    list.iter().map(|c| Rgb::parse(c.as_str().unwrap()).unwrap()).collect()
}

/// What may be fainter than text: lines, and words that may be overlooked.
fn is_faint(role: Role) -> bool {
    use Role as R;
    matches!(
        role,
        R::Dim | R::Border | R::BorderFocus | R::BarEmpty | R::ChartInterval | R::InputHint
    )
}

/// The least contrast of a role over the backgrounds, with the terminal's own text colour taken
/// as white on dark and black on light.
fn least_contrast(style: ratatui::style::Style, backgrounds: &[Rgb]) -> f64 {
    let contrast = |ground: &Rgb| {
        let own = match Background::of(*ground) {
            Background::Dark => Rgb(0xd0, 0xd0, 0xd0),
            Background::Light => Rgb(0x24, 0x24, 0x24),
        };
        let mut fg = style.fg.and_then(shown).unwrap_or(own);
        let mut bg = style.bg.and_then(shown).unwrap_or(*ground);
        if style.add_modifier.contains(Modifier::REVERSED) {
            std::mem::swap(&mut fg, &mut bg);
        }
        fg.contrast(bg)
    };
    backgrounds.iter().map(contrast).fold(f64::INFINITY, f64::min)
}

#[test]
fn shipped_themes_have_no_faults() {
    for (name, _) in SHIPPED {
        for depth in [Depth::Mono, Depth::Ansi16, Depth::Ansi256, Depth::True] {
            for background in [Background::Dark, Background::Light] {
                let (_, problems) = Theme::load(name, None, Terminal { depth, background });
                assert_eq!(problems, [], "{name}");
            }
        }
    }
}

#[test]
fn everything_can_be_read_on_the_backgrounds_a_theme_is_made_for() {
    let mut faults = Vec::new();
    for (name, _) in SHIPPED {
        let backgrounds = assumed(name);
        let Some(first) = backgrounds.first() else { continue };
        let background = Background::of(*first);
        assert!(backgrounds.iter().all(|b| Background::of(*b) == background), "{name}");
        for depth in [Depth::Ansi16, Depth::Ansi256, Depth::True] {
            let (theme, _) = Theme::load(name, None, Terminal { depth, background });
            // A variant is made for backgrounds of its own.
            let backgrounds = assumed(theme.name());
            let text = if name.starts_with("high") && theme.name() == *name { 7.0 } else { 4.5 };
            for role in Role::ALL {
                let least = if is_faint(*role) { 3.0 } else { text };
                let contrast = least_contrast(theme.style(*role), &backgrounds);
                if contrast < least {
                    faults.push(format!("{name} {depth:?} {}: {contrast:.2}", role.id()));
                }
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn a_selected_row_keeps_its_colours_readable() {
    // The selection's background is laid under text that keeps its own colour.
    let mut faults = Vec::new();
    for (name, _) in SHIPPED {
        let Some(first) = assumed(name).first().copied() else { continue };
        let terminal = Terminal { depth: Depth::True, background: Background::of(first) };
        let (theme, _) = Theme::load(name, None, terminal);
        let selection = theme.style(Role::Selection);
        let Some(ground) = selection.bg.and_then(shown) else { continue };
        for role in [Role::Text, Role::Dim, Role::Warn, Role::Danger, Role::Ok, Role::Accent] {
            let style = theme.style(role).patch(selection);
            let least = if is_faint(role) { 3.0 } else { 4.5 };
            let contrast = least_contrast(style, &[ground]);
            if contrast < least {
                faults.push(format!("{name} {}: {contrast:.2}", role.id()));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn monochrome_never_gives_a_colour() {
    let colourful = (
        "mine",
        "[roles]\n\"danger\" = { fg = \"red\", bg = \"#ffffff\", modifiers = [\"bold\"] }",
    );
    let also_mono = ("mono", "[roles]\n\"danger\" = { fg = \"red\", modifiers = [\"bold\"] }");
    let names = SHIPPED.iter().map(|(name, _)| *name).chain([AUTO, "mine", "nope"]);
    for name in names {
        let (theme, _) = from(&[colourful, also_mono], name, at(Depth::Mono));
        for role in Role::ALL {
            let style = theme.style(*role);
            assert_eq!((style.fg, style.bg, style.underline_color), (None, None, None), "{role:?}");
        }
        assert_eq!(theme.style(Role::Danger).add_modifier, Modifier::BOLD);
    }
    // The theme itself has none either, whatever the terminal could show.
    let (theme, _) = Theme::load("mono", None, DARK);
    assert!(Role::ALL.iter().all(|r| theme.style(*r).fg.or(theme.style(*r).bg).is_none()));
}

#[test]
fn what_matters_differs_without_colour() {
    let (theme, _) = Theme::load("mono", None, at(Depth::Mono));
    for (a, b) in [
        (Role::Selection, Role::Text),
        (Role::Danger, Role::Warn),
        (Role::Warn, Role::Ok),
        (Role::Added, Role::Removed),
        (Role::Added, Role::Text),
        (Role::Hidden, Role::Text),
        (Role::StateKilled, Role::StateOn),
        (Role::Bar, Role::BarEmpty),
        (Role::Accepted, Role::Rejected),
    ] {
        assert_ne!(theme.style(a), theme.style(b), "{a:?} {b:?}");
    }
}

#[test]
fn body_text_is_the_terminals_own() {
    for (name, _) in SHIPPED {
        let (theme, _) = Theme::load(name, None, DARK);
        assert_eq!(theme.style(Role::Text), Style::default(), "{name}");
    }
}

#[test]
fn every_shipped_theme_names_every_role() {
    for name in ["dark", "mono"] {
        let file: toml::Table = shipped(name).unwrap().parse().unwrap();
        let roles = file["roles"].as_table().unwrap();
        for role in Role::ALL {
            assert!(roles.contains_key(role.id()), "{name} {}", role.id());
        }
    }
    for (n, role) in Role::ALL.iter().enumerate() {
        assert_eq!((role.index(), Role::from_id(role.id())), (n, Some(*role)));
        assert!(role.help().ends_with('.'));
    }
}

#[test]
fn colour_blind_themes_tell_good_from_bad_in_lightness_too() {
    // As seen without red cones and without green cones (Viénot, Brettel, Mollon 1999: both see
    // the plane where red and green are one; a grey of the two is enough to compare here).
    for (name, terminal) in [("colour-blind", DARK), ("colour-blind-light", LIGHT)] {
        let (theme, _) = Theme::load(name, None, terminal);
        for (good, bad) in [(Role::Ok, Role::Danger), (Role::Added, Role::Removed)] {
            let [g, b] = [good, bad].map(|r| theme.style(r).fg.and_then(shown).unwrap());
            // Blue against yellow is what stays: the sign of blue minus the others.
            let blue = |c: Rgb| i32::from(c.2) - (i32::from(c.0) + i32::from(c.1)) / 2;
            assert!(blue(g) > 20 && blue(b) < -20, "{name}: {g:?} {b:?}");
        }
    }
}

#[test]
fn auto_follows_the_terminal() {
    for (terminal, name) in [
        (DARK, "dark"),
        (LIGHT, "light"),
        (at(Depth::Ansi16), "ansi16"),
        (Terminal { depth: Depth::Ansi16, ..LIGHT }, "ansi16-light"),
        (at(Depth::Mono), "mono"),
    ] {
        assert_eq!(Theme::load(AUTO, None, terminal).0.name(), name);
    }
    assert_eq!(Theme::load("high-contrast", None, LIGHT).0.name(), "high-contrast-light");
    assert_eq!(Theme::load("colour-blind", None, DARK).0.name(), "colour-blind");
    assert_eq!(Theme::load("dark", None, LIGHT).0.name(), "dark", "named, so meant");
}

#[test]
fn colours_are_brought_down_to_the_terminal() {
    let file = ("mine", "[roles]\n\"accent\" = \"#ff8700\"\n\"warn\" = \"bright-yellow\"\n");
    let accent = |depth| from(&[file], "mine", at(depth)).0.style(Role::Accent).fg;
    assert_eq!(accent(Depth::True), Some(Color::Rgb(0xff, 0x87, 0)));
    assert_eq!(accent(Depth::Ansi256), Some(Color::Indexed(208)));
    assert_eq!(accent(Depth::Mono), None);
    let (theme, _) = from(&[file], "mine", at(Depth::Ansi16));
    assert_eq!(theme.style(Role::Warn).fg, Some(Color::LightYellow));
    for depth in [Depth::Ansi16, Depth::Ansi256] {
        for (name, _) in SHIPPED {
            let (theme, _) = Theme::load(name, None, at(depth));
            for role in Role::ALL {
                let style = theme.style(*role);
                for color in [style.fg, style.bg].into_iter().flatten() {
                    let fits = match color {
                        Color::Rgb(..) => false,
                        Color::Indexed(_) => depth == Depth::Ansi256,
                        _ => true,
                    };
                    assert!(fits, "{name} {depth:?} {role:?} {color:?}");
                }
            }
        }
    }
}

#[test]
fn a_user_file_changes_what_it_says_and_inherits_the_rest() {
    let (theme, problems) = from(
        &[(
            "mine",
            "inherits = \"light\"\n[palette]\nbad = \"#112233\"\n[roles]\ntext.dim = \"bad\"\n",
        )],
        "mine",
        LIGHT,
    );
    assert_eq!(problems, Vec::<String>::new());
    let (light, _) = Theme::load("light", None, LIGHT);
    assert_eq!(theme.style(Role::Dim).fg, Some(Color::Rgb(0x11, 0x22, 0x33)));
    assert_eq!(theme.style(Role::Danger).fg, Some(Color::Rgb(0x11, 0x22, 0x33)), "recoloured");
    assert_eq!(theme.style(Role::Ok), light.style(Role::Ok));
    assert_eq!(theme.name(), "mine");
}

#[test]
fn a_user_file_with_a_shipped_name_lies_over_it() {
    let (theme, problems) = from(&[("dark", "[roles]\n\"ok\" = \"cyan\"\n")], AUTO, DARK);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(theme.style(Role::Ok).fg, Some(Color::Cyan));
    assert_eq!(theme.style(Role::Warn), Theme::default().style(Role::Warn));
}

#[test]
fn a_role_left_open_looks_like_the_one_above_it() {
    let text = "[roles]\n\"banner\" = { bg = \"blue\" }\n";
    // Nothing under it but itself: `banner.warn` comes from the shipped theme first.
    let (theme, _) = from(&[("mine", text)], "mine", DARK);
    assert_eq!(theme.style(Role::BannerWarn), Theme::default().style(Role::BannerWarn));
    let (mono, _) = from(&[], "mono", DARK);
    assert_eq!(mono.style(Role::BannerWarn).add_modifier, Modifier::REVERSED);
}

#[test]
fn a_circle_is_cut_and_told() {
    let (theme, problems) = from(
        &[("a", "inherits = \"b\"\n"), ("b", "inherits = \"c\"\n"), ("c", "\ninherits = \"a\"\n")],
        "a",
        DARK,
    );
    assert_eq!(
        problems,
        ["c.toml:2:12: themes inherit in a circle: a, b, c, a (the circle is cut here)"]
    );
    assert_eq!(theme.style(Role::Ok), Theme::default().style(Role::Ok));
}

#[test]
fn an_unknown_theme_gives_the_default_one() {
    let (theme, problems) = from(&[], "drak", DARK);
    assert_eq!(theme, Theme::default());
    assert_eq!(
        problems,
        ["theme: no theme is called 'drak'; did you mean 'dark'? (the default theme is used)"]
    );
    let (theme, problems) = Theme::load("../../etc/passwd", Some(std::path::Path::new("/")), LIGHT);
    assert_eq!((theme.name(), problems.len()), ("light", 1));
    let (_, problems) = from(&[("mine", "inherits = \"lihgt\"")], "mine", DARK);
    assert_eq!(
        problems,
        [
            "mine.toml:1:12: no theme is called 'lihgt'; did you mean 'light'? (nothing is inherited)"
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let (theme, problems) = Theme::load_from("dark", DARK, &|name| {
        Some((format!("{name}.toml"), Err("permission denied".to_owned())))
    });
    assert_eq!(theme, Theme::default());
    assert_eq!(
        problems[0].to_string(),
        "dark.toml: the file cannot be read: permission denied (it is left out)"
    );
}

#[test]
fn the_environment_tells_the_depth() {
    let env = |no_color: &str, colorterm: &str, term: &str| {
        let pairs =
            BTreeMap::from([("NO_COLOR", no_color), ("COLORTERM", colorterm), ("TERM", term)]);
        ColorEnv::from_lookup(|name| {
            pairs.get(name).filter(|v| **v != "unset").map(|v| (*v).to_owned())
        })
    };
    for (no_color, colorterm, term, flag, depth) in [
        ("1", "truecolor", "xterm-256color", None, Depth::Mono),
        ("1", "truecolor", "xterm-256color", Some(Depth::True), Depth::Mono),
        ("", "truecolor", "xterm", None, Depth::True),
        ("unset", "24bit", "xterm", None, Depth::True),
        ("unset", "TrueColor", "xterm", Some(Depth::Ansi16), Depth::Ansi16),
        ("unset", "unset", "xterm-256color", None, Depth::Ansi256),
        ("unset", "yes", "screen-256color", None, Depth::Ansi256),
        ("unset", "unset", "xterm-direct", None, Depth::True),
        ("unset", "unset", "xterm", None, Depth::Ansi16),
        ("unset", "unset", "linux", None, Depth::Ansi16),
        ("unset", "unset", "unset", None, Depth::Ansi16),
        ("unset", "unset", "dumb", None, Depth::Mono),
        ("unset", "unset", "dumb", Some(Depth::Ansi256), Depth::Ansi256),
    ] {
        let found = env(no_color, colorterm, term).depth(flag);
        assert_eq!(found, depth, "{no_color} {colorterm} {term} {flag:?}");
    }
}

#[test]
fn the_terminal_tells_the_background() {
    let fgbg =
        |v: &str| ColorEnv { colorfgbg: Some(v.to_owned()), ..ColorEnv::default() }.background();
    assert_eq!(fgbg("15;0"), Some(Background::Dark));
    assert_eq!(fgbg("0;15"), Some(Background::Light));
    assert_eq!(fgbg("0;default;15"), Some(Background::Light));
    assert_eq!(fgbg("12;8"), Some(Background::Dark));
    assert_eq!(fgbg("default;default"), None);
    assert_eq!(fgbg("0;99"), None);
    assert_eq!(ColorEnv::default().background(), None);

    let osc = |reply: &str| Background::from_osc11(reply.as_bytes());
    assert_eq!(osc("\x1b]11;rgb:1e1e/1e1e/2e2e\x07"), Some(Background::Dark));
    assert_eq!(osc("\x1b]11;rgb:fdfd/f6f6/e3e3\x1b\\"), Some(Background::Light));
    assert_eq!(osc("\x1b]11;rgb:f/f/f\x07"), Some(Background::Light));
    assert_eq!(osc("\x1b]11;rgb:000/000/000\x07"), Some(Background::Dark));
    assert_eq!(osc("\x1b]11;rgba:ffff/ffff/ffff/8000\x07"), Some(Background::Light));
    assert_eq!(osc("\x1b]11;#fdf6e3\x07"), Some(Background::Light));
    for bad in [
        "",
        "\x1b]11;",
        "\x1b]11;rgb:ff/ff\x07",
        "\x1b]11;rgb:ff/ff/ff",
        "\x1b]10;rgb:ff/ff/ff\x07",
        "\x1b]11;rgb:ff/ff/ff/ff\x07",
        "\x1b]11;rgb:fffff/0/0\x07",
        "\x1b]11;rgb:+f/0/0\x07",
        "\x1b]11;rgb://\x07",
    ] {
        assert_eq!(osc(bad), None, "{bad:?}");
    }
}

#[test]
fn colours_are_read_and_compared_as_wcag_says() {
    assert_eq!(Rgb::parse("#ff8000"), Some(Rgb(255, 128, 0)));
    assert_eq!(Rgb::parse("#f80"), Some(Rgb(0xff, 0x88, 0)));
    for bad in ["", "#", "ff8000", "#ff80", "#ff80000", "#+f8000", "#ügh", "#gggggg"] {
        assert_eq!(Rgb::parse(bad), None, "{bad}");
    }
    let (black, white) = (Rgb(0, 0, 0), Rgb(255, 255, 255));
    assert!((black.contrast(white) - 21.0).abs() < 1e-9);
    assert!((white.contrast(white) - 1.0).abs() < 1e-9);
    // The grey that just passes on white.
    assert!((Rgb(0x76, 0x76, 0x76).contrast(white) - 4.54).abs() < 0.005);
    assert_eq!(black.to_256(), 16);
    assert_eq!(white.to_256(), 231);
    assert_eq!(Rgb(0x80, 0x80, 0x80).to_256(), 244);
}

proptest! {
    #[test]
    fn fixed_colours_stay_what_they_are(n in 16_u8..=255) {
        let rgb = shown(Color::Indexed(n)).unwrap();
        prop_assert_eq!(shown(Color::Indexed(rgb.to_256())), Some(rgb));
    }

    #[test]
    fn any_reply_is_survived(reply in any::<Vec<u8>>()) {
        let _ = Background::from_osc11(&reply);
    }

    #[test]
    fn any_file_gives_a_theme(text in "([a-z\\[\\]\"=#{}. \\n,]|roles|fg|palette|inherits|text){0,40}") {
        let (theme, _) = from(&[("mine", &text)], "mine", DARK);
        prop_assert_eq!(theme.style(Role::Text).bg, None);
    }
}
