//! Small pictures in text: bars, and dots with their intervals.

const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A bar of `value` out of `most`, `width` cells at most.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a few dozen cells"
)]
pub(super) fn bar(value: f64, most: f64, width: usize) -> String {
    if !(value > 0.0 && most > 0.0) {
        return String::new();
    }
    let eighths = ((value / most).min(1.0) * width as f64 * 8.0).round() as usize;
    let rest = EIGHTHS.get(eighths % 8).copied().unwrap_or_default();
    format!("{}{rest}", "█".repeat(eighths / 8))
}

/// `├──●──┤` on a line of `width` cells that stands for 0..=`most`.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a few dozen cells"
)]
pub(super) fn dot(value: f64, [low, high]: [f64; 2], most: f64, width: usize) -> String {
    let cell = |x: f64| ((x / most).clamp(0.0, 1.0) * (width.max(2) - 1) as f64).round() as usize;
    let (low, dot, high) = (cell(low), cell(value), cell(high));
    (0..=high.max(dot))
        .map(|i| match i {
            _ if i == dot => '●',
            _ if i == low => '├',
            _ if i == high => '┤',
            _ if i > low && i < high => '─',
            _ => ' ',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_to_scale() {
        assert_eq!(bar(0.31, 0.4, 10), "███████▊");
        assert_eq!([bar(0.0, 1.0, 5), bar(9.0, 1.0, 3), bar(f64::NAN, 1.0, 3)], ["", "███", ""]);
        assert_eq!(dot(0.5, [0.2, 0.8], 1.0, 11), "  ├──●──┤");
        assert_eq!(dot(0.0, [0.0, 0.3], 1.0, 11), "●──┤");
    }
}
