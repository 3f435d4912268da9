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
