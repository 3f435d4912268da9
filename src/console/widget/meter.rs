//! Gauges and sparklines as text: how much of a whole, and how it went. Colour is the caller's, by role.

use crate::{Glyphs, Role};

/// A bar for a part of a whole, in so many cells: `▆▆▆▆▁▁▁▁`. It is lower than a row so that bars in adjacent
/// rows stay apart. A part above zero shows at least one cell, and only a complete part fills the bar.
pub fn gauge(glyphs: Glyphs, width: u16, part: u64, whole: u64) -> String {
    let width = u64::from(width);
    let part = part.min(whole);
    let exact = if whole == 0 {
        0
    } else {
        u64::try_from(u128::from(part) * u128::from(width) / u128::from(whole)).unwrap_or(width)
    };
    let filled = if part > 0 { exact.max(1).min(width) } else { 0 };
    let (full, empty) = glyphs.pick(("▆", "▁"), ("#", "."));
    (0..width).map(|cell| if cell < filled { full } else { empty }).collect()
}

/// The role of a score from 0 to 100: healthy from 80, degraded from 50.
pub fn meter_role(score: u64) -> Role {
    match score {
        0..50 => Role::GaugeLow,
        50..80 => Role::GaugeMid,
        _ => Role::GaugeHigh,
    }
}

/// The last values that fit, each as the height of one cell; the highest is the whole cell.
pub fn sparkline(glyphs: Glyphs, width: u16, values: &[u64]) -> String {
    let shown = &values[values.len().saturating_sub(usize::from(width))..];
    let highest = shown.iter().copied().max().unwrap_or(0).max(1);
    let steps =
        glyphs.pick(['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'], ['_', '.', ',', '-', '=', '+', '*', '#']);
    let step = |value: u64| u128::from(value) * 7 / u128::from(highest);
    shown.iter().map(|value| steps[usize::try_from(step(*value)).expect("at most seven")]).collect()
}

/// So many values in at most so many cells, for a sparkline: what stands in one cell is what `pick` takes of them.
pub fn condensed<T: Copy>(values: &[T], width: u16, pick: impl Fn(T, T) -> T) -> Vec<T> {
    let cells = usize::from(width).min(values.len());
    let cell = |index: usize| &values[index * values.len() / cells..(index + 1) * values.len() / cells];
    (0..cells).filter_map(|index| cell(index).iter().copied().reduce(&pick)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_shows_a_beginning_and_is_full_only_when_complete() {
        let check = |part, whole, expected| assert_eq!(gauge(Glyphs::default(), 4, part, whole), expected);
        check(0, 10, "▁▁▁▁");
        check(1, 1000, "▆▁▁▁");
        check(999, 1000, "▆▆▆▁");
        check(1000, 1000, "▆▆▆▆");
        check(5, 0, "▁▁▁▁");
        check(u64::MAX, u64::MAX, "▆▆▆▆");
        assert_eq!(gauge(Glyphs { ascii: true }, 4, 2, 4), "##..");
    }

    #[test]
    fn condensed_values_keep_their_peaks_and_their_order() {
        let check =
            |width, expected: &[u64]| assert_eq!(condensed(&[1, 9, 2, 3, 0], width, u64::max), expected);
        check(9, &[1, 9, 2, 3, 0]);
        check(5, &[1, 9, 2, 3, 0]);
        check(2, &[9, 3]);
        check(1, &[9]);
        check(0, &[]);
        assert_eq!(condensed::<u64>(&[], 4, u64::max), [0_u64; 0]);
    }

    #[test]
    fn a_sparkline_shows_the_newest_values() {
        assert_eq!(sparkline(Glyphs::default(), 4, &[9, 0, 1, 4, 8]), "▁▁▄█");
        assert_eq!(sparkline(Glyphs::default(), 4, &[]), "");
        assert_eq!(sparkline(Glyphs { ascii: true }, 2, &[0, u64::MAX]), "_#");
    }
}
