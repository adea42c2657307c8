//! Override rates: a dot with its interval for every slice, against the slice's own baseline.

use ratatui::text::{Line, Span};

use super::{Section, heading, mark, skeleton, verdict};
use crate::protocol::SliceView;
use crate::text::{Clean, pad, pad_left, width};
use crate::tui::app::signals::{Part, slice_word};
use crate::tui::screens::chart::{Dot, axis, dot, percent, sparkline, standing};
use crate::tui::screens::paint::{Ui, cells, count, fit, selected};
use crate::tui::theme::Role;

pub fn section(ui: &Ui<'_, '_>, cols: usize) -> Section {
    let signals = &ui.state.signals;
    let slices = signals.slices();
    let at = signals.selected(Part::Overrides);
    let end = axis(
        slices
            .iter()
            .flat_map(|s| [s.override_interval.map(|i| i[1]), s.override_rate, s.baseline])
            .flatten()
            .filter(|v| v.is_finite())
            .fold(0.0, f64::max),
    );
    let window = signals.seen.view.as_ref().map_or(signals.window(), |v| v.window.as_str());
    let window = Clean::line_first(window, 8);
    let title = match signals.dimension() {
        "overall" => format!("override rate, {window}, all decisions"),
        dimension => format!("override rate, {window}, by {dimension}"),
    };
    let mut right = vec![];
    if !slices.is_empty() && cols >= 60 {
        right.push(ui.span(Role::ChartReference, "┊ baseline"));
        right.push(ui.span(Role::Dim, format!("  axis to {} ", percent(Some(end)))));
    }
    let widths = Widths::new(&slices, cols);
    let rows = slices
        .iter()
        .enumerate()
        .map(|(n, slice)| row(ui, slice, n == at, end, &widths, cols))
        .collect::<Vec<_>>();
    let foot = slices.get(at).map(|s| particulars(ui, s, cols)).unwrap_or_default();
    Section {
        part: Part::Overrides,
        head: vec![heading(ui, Part::Overrides, &title, right, cols)],
        rows: if rows.is_empty() { skeleton(ui) } else { rows },
        foot,
        selected: at,
    }
}

/// How the columns share the line.
struct Widths {
    name: usize,
    chart: usize,
    n: usize,
    verdict: usize,
}

impl Widths {
    fn new(slices: &[&SliceView], cols: usize) -> Self {
        let longest = slices.iter().map(|s| width(&name(s))).max().unwrap_or(0);
        let verdict = if cols >= 64 { 17 } else { 9 };
        let n = if cols >= 56 { 9 } else { 0 };
        let most = if cols >= 56 { cols * 3 / 10 } else { cols * 3 / 8 };
        let name = longest.clamp(6, most.max(6));
        let chart = cols.saturating_sub(2 + name + 1 + 7 + n + 2 + verdict).min(60);
        Self { name, chart, n, verdict }
    }
}

/// The value alone where the heading names the dimension.
fn name(slice: &SliceView) -> String {
    let word = slice_word(&slice.slice);
    let value = word.split_once(':').map_or(word.as_str(), |(_, value)| value);
    Clean::line_first(value, 80).to_string()
}

fn row(
    ui: &Ui<'_, '_>,
    slice: &SliceView,
    here: bool,
    end: f64,
    widths: &Widths,
    cols: usize,
) -> Line<'static> {
    let said = standing(slice);
    let unsure = said.role == Role::Uncertain;
    let role = match said.role {
        Role::Ok | Role::Dim => Role::Chart,
        role => role,
    };
    let mut line = vec![mark(ui, Part::Overrides, here)];
    let look = if here { Role::Strong } else { Role::Text };
    line.push(ui.span(look, format!("{} ", pad(&name(slice), widths.name))));
    let point = Dot {
        value: slice.override_rate,
        interval: slice.override_interval,
        reference: slice.baseline,
    };
    line.extend(dot(ui.theme, point, end, widths.chart, role));
    // A rate nobody can lean on is not read as one.
    let rate = if unsure { "–".to_owned() } else { percent(slice.override_rate) };
    line.push(ui.span(Role::Text, pad_left(&rate, 7)));
    if widths.n > 0 {
        let n = format!("n {}", count(slice.reviewed));
        line.push(ui.span(Role::Dim, pad_left(&n, widths.n)));
    }
    line.push(Span::raw("  "));
    line.extend(verdict(ui, &said, widths.verdict));
    selected(
        ui,
        Line::from(fit(line, cols)),
        here && ui.state.signals.part == Part::Overrides,
        cols,
    )
}

/// What else is known of the slice under the cursor.
fn particulars(ui: &Ui<'_, '_>, slice: &SliceView, cols: usize) -> Vec<Line<'static>> {
    let mut line = vec![ui.span(Role::Dim, "   ")];
    let history = sparkline(&slice.history, 24);
    if !history.is_empty() {
        line.push(ui.span(Role::Chart, history));
        line.push(Span::raw("  "));
    }
    let mut facts = vec![
        format!("{} of {} overridden", count(slice.overridden), count(slice.reviewed)),
        format!("baseline {}", percent(slice.baseline)),
        format!("{} automatic of {}", count(slice.auto), count(slice.decisions)),
    ];
    if let Some(error) = &slice.auto_error {
        facts.push(format!(
            "their error {} ({}–{}, n {})",
            percent(Some(error.value)),
            percent(Some(error.low)).trim_end_matches(" %"),
            percent(Some(error.high)),
            count(error.n)
        ));
    }
    if slice.reversals > 0 {
        facts.push(format!("{} reversals", count(slice.reversals)));
    }
    let (mut lines, mut said) = (Vec::new(), false);
    for fact in facts {
        let text = if said { format!(" · {fact}") } else { fact.clone() };
        said = true;
        if cells(&line) + width(&text) > cols && cells(&line) > 3 {
            lines.push(Line::from(std::mem::take(&mut line)));
            line = vec![ui.span(Role::Dim, format!("   {fact}"))];
        } else {
            line.push(ui.span(Role::Dim, text));
        }
    }
    lines.push(Line::from(fit(line, cols)));
    lines
}
