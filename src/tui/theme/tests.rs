//! Looks, terminals, files.

use super::*;

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
