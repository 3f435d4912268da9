//! A number and its word: the one place that knows when a word is in the plural. The words are the caller's.

use std::fmt::Display;

/// The word for so many: `one` for exactly one, else `many`.
///
/// ```
/// assert_eq!(cuelight_base::plural(1_u32, "run waits", "runs wait"), "run waits");
/// ```
pub fn plural<'t, N: PartialEq + From<u8>>(count: N, one: &'t str, many: &'t str) -> &'t str {
    if count == N::from(1) { one } else { many }
}

/// The number and its word.
///
/// ```
/// assert_eq!(cuelight_base::counted(0_usize, "gate", "gates"), "0 gates");
/// assert_eq!(cuelight_base::counted(1_usize, "gate", "gates"), "1 gate");
/// ```
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, one: &str, many: &str) -> String {
    format!("{count} {}", plural(count, one, many))
}
