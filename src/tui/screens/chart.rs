//! Small charts of characters: points with intervals, bars in eighths, sparklines, and the three
//! answers of statistics in words, shape and look.

use ratatui::text::Span;

use super::paint::span;
use crate::protocol::SliceView;
use crate::signals::overrides::MIN_REVIEWED;
use crate::text::Clean;
use crate::tui::theme::{Role, Theme};

/// An answer of statistics: a sign, a word, a short word, a look. Never colour alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub sign: &'static str,
    pub word: String,
    pub short: String,
    pub role: Role,
}

/// How a verdict is shown. A word the app does not know is shown as it is.
pub fn said(verdict: &str) -> Said {
    let make = |sign, word: &str, short: &str, role| Said {
        sign,
        word: word.to_owned(),
        short: short.to_owned(),
        role,
    };
    match verdict {
        "stable" | "ok" => make("●", "stable", "stable", Role::Ok),
        "no_worse" => make("●", "no worse", "no worse", Role::Ok),
        "watch" => make("◐", "watch", "watch", Role::Warn),
        "over" => make("▲", "over limit", "over", Role::Danger),
        "drift" => make("▲", "drift", "drift", Role::Danger),
        "worse" => make("▲", "worse", "worse", Role::Danger),
        "not_enough_data" => make("○", "not enough data", "too few", Role::Uncertain),
        other => {
            let word = Clean::line_first(&other.replace('_', " "), 24).to_string();
            make("○", &word, &word, Role::Dim)
        }
    }
}

/// How a slice's override rate is said to stand. Enough verdicts and nothing before them to hold
/// them against is not the same as too few.
pub fn standing(slice: &SliceView) -> Said {
    let enough = slice.reviewed >= MIN_REVIEWED && slice.baseline.is_none();
    match slice.verdict.as_str() {
        "not_enough_data" if enough => Said {
            sign: "○",
            word: "no baseline yet".to_owned(),
            short: "no past".to_owned(),
            role: Role::Dim,
        },
        other => said(other),
    }
}

/// A share in percent, as people say it: `9 %`, `0.4 %`, `–` for none.
pub fn percent(share: Option<f64>) -> String {
    match share.filter(|s| s.is_finite()) {
        None => "–".to_owned(),
        Some(s) if s < 0.0995 => {
            let text = format!("{:.1}", s * 100.0);
            format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
        }
        Some(s) => format!("{:.0} %", s * 100.0),
    }
}

/// A statistic without needless digits: `.31`, `1.20`, `–`.
pub fn statistic(value: Option<f64>) -> String {
    match value.filter(|v| v.is_finite()) {
        None => "–".to_owned(),
        Some(v) => {
            let text = format!("{v:.2}");
            text.strip_prefix('0').map_or(text.clone(), str::to_owned)
        }
    }
}

/// Milliseconds in a unit that reads well: `4.8ms`, `810ms`, `21m`.
pub fn duration(ms: f64) -> String {
    if !ms.is_finite() || ms < 0.0 {
        return "–".to_owned();
    }
    match ms {
        _ if ms < 9.95 => format!("{ms:.1}ms"),
        _ if ms < 999.5 => format!("{ms:.0}ms"),
        _ if ms < 9_950.0 => format!("{:.1}s", ms / 1000.0),
        _ if ms < 120_000.0 => format!("{:.0}s", ms / 1000.0),
        _ if ms < 7_200_000.0 => format!("{:.0}m", ms / 60_000.0),
        _ if ms < 172_800_000.0 => format!("{:.0}h", ms / 3_600_000.0),
        _ => format!("{:.0}d", ms / 86_400_000.0),
    }
}

/// An end for an axis that shows `most`: the next round share.
pub fn axis(most: f64) -> f64 {
    const ENDS: [f64; 9] = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0];
    ENDS.iter().copied().find(|end| most <= *end).unwrap_or(1.0)
}

/// A point with its interval and what it is compared with, on an axis from 0 to `end`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dot {
    pub value: Option<f64>,
    pub interval: Option<[f64; 2]>,
    pub reference: Option<f64>,
}

/// `├──●──┤  ┊` in exactly `cols` cells.
pub fn dot(theme: &Theme, dot: Dot, end: f64, cols: usize, role: Role) -> Vec<Span<'static>> {
    let mut cells: Vec<(char, Role)> = vec![(' ', Role::Text); cols];
    let mut set = |at: Option<usize>, sign: char, role: Role| {
        if let Some(cell) = at.and_then(|at| cells.get_mut(at)) {
            *cell = (sign, role);
        }
    };
    let place = |share: f64| cell_of(share, end, cols);
    if let Some([low, high]) = dot.interval {
        let (low, high) = (place(low), place(high));
        if let (Some(low), Some(high)) = (low, high) {
            for at in low..=high {
                set(Some(at), '─', Role::ChartInterval);
            }
            if high > low {
                set(Some(low), '├', Role::ChartInterval);
                set(Some(high), '┤', Role::ChartInterval);
            }
        }
    }
    if let Some(reference) = dot.reference {
        set(place(reference), '┊', Role::ChartReference);
    }
    if let Some(value) = dot.value {
        set(place(value), '●', role);
    }
    runs(theme, &cells)
}

/// Which of `cols` cells a share of the axis falls into.
fn cell_of(share: f64, end: f64, cols: usize) -> Option<usize> {
    let last = cols.checked_sub(1)?;
    let at =
        if share.is_finite() && end > 0.0 { (share / end).clamp(0.0, 1.0) } else { return None };
    (0..=last).find(|n| (*n as f64 + 0.5) / last.max(1) as f64 > at).or(Some(last))
}

/// Characters with roles as spans of one look each.
fn runs(theme: &Theme, cells: &[(char, Role)]) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for run in cells.chunk_by(|a, b| a.1 == b.1) {
        let text: String = run.iter().map(|(c, _)| *c).collect();
        let role = run.first().map_or(Role::Text, |(_, role)| *role);
        spans.push(span(theme, role, text));
    }
    spans
}

/// Parts of a cell, from the left.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A bar of `share` (0..=1) in exactly `cols` cells, to an eighth of a cell; what lies beyond
/// `limit` has the look of too much. Something above nothing always shows.
pub fn eighths(
    theme: &Theme,
    share: f64,
    limit: Option<f64>,
    cols: usize,
    role: Role,
) -> Vec<Span<'static>> {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let parts = (1..=cols * 8).rev().find(|n| (*n as f64 - 0.5) / (cols as f64 * 8.0) <= share);
    let parts = parts.unwrap_or(usize::from(share > 0.0 && cols > 0));
    let (full, rest) = (parts / 8, parts % 8);
    let within = limit.and_then(|l| cell_of(l, 1.0, cols)).unwrap_or(cols);
    let mut text = vec![("█", role); full];
    text.extend(EIGHTHS.get(rest).filter(|t| !t.is_empty()).map(|t| (*t, role)));
    text.resize(cols, (" ", Role::Text));
    for (at, (sign, role)) in text.iter_mut().enumerate() {
        if at >= within && *sign != " " {
            *role = Role::BarOver;
        }
    }
    text.chunk_by(|a, b| a.1 == b.1)
        .map(|run| {
            let role = run.first().map_or(Role::Text, |(_, role)| *role);
            span(theme, role, run.iter().map(|(t, _)| *t).collect::<String>())
        })
        .collect()
}

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A history in at most `cols` cells, `·` where nothing is known. The last ones, drawn together
/// where there are more than cells.
pub fn sparkline(history: &[Option<f64>], cols: usize) -> String {
    if history.is_empty() || cols == 0 {
        return String::new();
    }
    let each = history.len().div_ceil(cols);
    let means: Vec<Option<f64>> = history
        .chunks(each)
        .map(|chunk| {
            let known: Vec<f64> =
                chunk.iter().flatten().copied().filter(|v| v.is_finite()).collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        })
        .collect();
    let most = means.iter().flatten().copied().fold(0.0_f64, f64::max);
    means.iter().map(|v| v.map_or('·', |v| level(v, most))).collect()
}

/// The block that stands for `value` of `most`.
pub fn level(value: f64, most: f64) -> char {
    let share = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
    let last = LEVELS.len() - 1;
    let at = (0..=last).find(|n| (*n as f64 + 0.5) / last as f64 > share).unwrap_or(last);
    LEVELS.get(at).copied().unwrap_or('▁')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(spans: &[Span<'_>]) -> String {
        spans.iter().map(|s| s.content.as_ref()).collect()
    }

    #[test]
    fn a_point_stands_in_its_interval_and_beside_its_baseline() {
        let theme = Theme::default();
        let show = |value, interval, reference| {
            text(&dot(&theme, Dot { value, interval, reference }, 0.4, 21, Role::Ok))
        };
        assert_eq!(show(Some(0.2), Some([0.1, 0.3]), Some(0.04)), "  ┊  ├────●────┤     ");
        assert_eq!(show(Some(0.2), Some([0.1, 0.3]), Some(0.14)), "     ├─┊──●────┤     ");
        assert_eq!(show(None, None, None), " ".repeat(21));
        assert_eq!(show(Some(0.0), Some([0.0, 0.0]), None), format!("●{}", " ".repeat(20)));
        assert_eq!(show(Some(9.0), Some([-1.0, 9.0]), None), format!("├{}●", "─".repeat(19)));
        assert_eq!(show(Some(f64::NAN), Some([f64::NAN, 1.0]), None), " ".repeat(21));
    }

    #[test]
    fn bars_are_exact_to_an_eighth_and_never_hide_something() {
        let theme = Theme::default();
        let show = |share, limit| text(&eighths(&theme, share, limit, 4, Role::Bar));
        assert_eq!(show(0.5, None), "██  ");
        assert_eq!(show(0.53, None), "██▏ ");
        assert_eq!(show(1.0, Some(0.5)), "████");
        assert_eq!(show(0.0001, None), "▏   ");
        assert_eq!(show(0.0, None), "    ");
        assert_eq!(show(f64::NAN, None), "    ");
        let over = eighths(&theme, 1.0, Some(0.5), 4, Role::Bar);
        assert_eq!(over.last().unwrap().style, theme.style(Role::BarOver));
    }

    #[test]
    fn histories_keep_their_gaps_and_their_shape() {
        let h = [Some(0.0), None, Some(0.5), Some(1.0)];
        assert_eq!(sparkline(&h, 4), "▁·▅█");
        assert_eq!(sparkline(&h, 2), "▁█");
        assert_eq!(sparkline(&[None, None], 2), "··");
        assert_eq!(sparkline(&[], 5), "");
        assert_eq!(sparkline(&[Some(0.0)], 5), "▁");
    }

    #[test]
    fn figures_read_as_on_paper() {
        assert_eq!(percent(Some(0.094)), "9.4 %");
        assert_eq!(percent(Some(0.0898)), "9 %");
        assert_eq!(percent(Some(0.284)), "28 %");
        assert_eq!(percent(None), "–");
        assert_eq!(statistic(Some(0.312)), ".31");
        assert_eq!(statistic(Some(3.0)), "3.00");
        assert_eq!(duration(4.84), "4.8ms");
        assert_eq!(duration(362_000.0), "6m");
        assert_eq!(duration(f64::NAN), "–");
        assert_eq!((axis(0.37), axis(0.02), axis(7.0)), (0.4, 0.05, 1.0));
    }

    #[test]
    fn every_verdict_has_a_sign_and_a_word() {
        for (verdict, sign, word) in [
            ("stable", "●", "stable"),
            ("watch", "◐", "watch"),
            ("over", "▲", "over limit"),
            ("not_enough_data", "○", "not enough data"),
            ("brand_new", "○", "brand new"),
        ] {
            let said = said(verdict);
            assert_eq!((said.sign, said.word.as_str()), (sign, word));
        }
    }

    #[test]
    fn enough_verdicts_without_a_past_are_not_called_too_few() {
        let slice = |reviewed, baseline, verdict: &str| SliceView {
            slice: Default::default(),
            decisions: 0,
            auto: 0,
            reviewed,
            overridden: 0,
            override_rate: None,
            override_interval: None,
            baseline,
            verdict: verdict.into(),
            reversals: 0,
            auto_error: None,
            history: Vec::new(),
        };
        let word = |reviewed, baseline, verdict| standing(&slice(reviewed, baseline, verdict)).word;
        assert_eq!(word(297, None, "not_enough_data"), "no baseline yet");
        assert_eq!(word(29, None, "not_enough_data"), "not enough data");
        assert_eq!(word(29, Some(0.1), "not_enough_data"), "not enough data");
        assert_eq!(word(297, Some(0.1), "over"), "over limit");
    }
}
