//! `[budget.*]`, `[limit.*]`, `[breaker]` and `[detector]`.

use jiff::SignedDuration;
use toml::de::DeValue;

use super::super::limits::{Breaker, Budget, DetectorKind, Limit, Overflow, PerHour};
use super::Loader;
use super::table::{At, Table, number};

const OVERFLOW: [(&str, Overflow); 4] = [
    ("sample", Overflow::Sample),
    ("hold", Overflow::Hold),
    ("block", Overflow::Block),
    ("auto_flagged", Overflow::AutoFlagged),
];

const DETECTORS: [(&str, DetectorKind); 3] = [
    ("adwin", DetectorKind::Adwin),
    ("page_hinkley", DetectorKind::PageHinkley),
    ("ddm", DetectorKind::Ddm),
];

impl Loader<'_> {
    pub(super) fn budgets(&mut self, top: &mut Table<'_>) -> Vec<Budget> {
        let mut out = Vec::new();
        let Some(mut table) = top.table("budget", &mut self.sink) else { return out };
        for (name, value) in table.named() {
            let what = format!("[budget.{}]", name.value);
            let Some(mut table) = Table::of(what, value, &mut self.sink) else { continue };
            let known = self.known_queue(&name);
            let per_hour = self.per_hour(&mut table);
            let overflow = table.word("overflow", &OVERFLOW, &mut self.sink);
            table.missing("per_hour", &mut self.sink);
            table.missing("overflow", &mut self.sink);
            table.finish(&mut self.sink);
            if let (true, Some(per_hour), Some(overflow)) = (known, per_hour, overflow) {
                out.push(Budget { queue: name.value, per_hour, overflow: overflow.value });
            }
        }
        out
    }

    fn per_hour(&mut self, table: &mut Table<'_>) -> Option<PerHour> {
        let value = table.take("per_hour")?;
        if let DeValue::String(word) = value.get_ref()
            && word.as_ref() == "measured"
        {
            return Some(PerHour::Measured);
        }
        match number(value.get_ref()) {
            Some(n) if n > 0.0 => Some(PerHour::Fixed(n)),
            _ => {
                let message = format!("`per_hour` of {} is not a number of items", table.what);
                self.sink
                    .error(&value.span(), message)
                    .help("write \"measured\" or a number above 0");
                None
            }
        }
    }

    pub(super) fn limits(&mut self, top: &mut Table<'_>) -> Vec<Limit> {
        let mut out = Vec::new();
        let Some(mut table) = top.table("limit", &mut self.sink) else { return out };
        for (name, value) in table.named() {
            let what = format!("[limit.{}]", name.value);
            let Some(mut table) = Table::of(what, value, &mut self.sink) else { continue };
            let spelled = self.spelled(&name, "a limit's name");
            let domain = table.text("domain", &mut self.sink);
            let per_minute = table.number("per_minute", &mut self.sink);
            table.missing("per_minute", &mut self.sink);
            table.finish(&mut self.sink);
            let positive = per_minute.filter(|n| self.above_zero(n, "per_minute"));
            if let (true, Some(n)) = (spelled, positive) {
                let domain = domain.map(|d| d.value);
                out.push(Limit { name: name.value, domain, per_minute: n.value });
            }
        }
        out
    }

    fn above_zero(&mut self, n: &At<f64>, key: &str) -> bool {
        if n.value > 0.0 {
            return true;
        }
        self.sink
            .error(&n.span, format!("`{key}` is {}, but must be above 0", n.value))
            .help("to stop automation, use `kill` or a route");
        false
    }

    pub(super) fn breaker(&mut self, top: &mut Table<'_>) -> Option<Breaker> {
        let mut table = top.table("breaker", &mut self.sink)?;
        let override_low = table.number_in("override_low", (0.0, 1.0), &mut self.sink);
        let window = table.duration("window", false, &mut self.sink);
        table.missing("override_low", &mut self.sink);
        table.finish(&mut self.sink);
        let window = window.map_or(SignedDuration::from_hours(1), |w| w.value);
        Some(Breaker { override_low: override_low?.value, window })
    }

    pub(super) fn detector(&mut self, top: &mut Table<'_>) -> DetectorKind {
        let Some(mut table) = top.table("detector", &mut self.sink) else {
            return DetectorKind::default();
        };
        let kind = table.word("kind", &DETECTORS, &mut self.sink);
        table.missing("kind", &mut self.sink);
        table.finish(&mut self.sink);
        kind.map(|k| k.value).unwrap_or_default()
    }
}
