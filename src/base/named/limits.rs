//! Limits and signs that the readers of words share.

/// Bytes of all texts, each time that one is read.
pub(super) const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of one word with all that it stands for.
pub(super) const WORD_BYTES_MAX: usize = 1024 * 1024;
/// Stands in a word for what is known only when it runs. No word of a call can contain it.
pub(super) const UNKNOWN: char = '\0';
/// Words that one word with braces or variables stands for, as `{a,b}.sh` does.
pub(super) const BRACES_MAX: usize = 64;
/// Constructs of one text that are not certainly understood.
pub(super) const NOT_UNDERSTOOD_MAX: usize = 200;
/// Stands in a word for a number that is known only when it runs: two that are not known, which are else made one.
pub(super) const NUMBER: &str = "\0\0";

/// A text in which nothing stands for a number.
pub(super) fn unknown_once(text: &str) -> String {
    let mut text = text.to_owned();
    let mut last = ' ';
    text.retain(|c| std::mem::replace(&mut last, c) != UNKNOWN || c != UNKNOWN);
    text
}
