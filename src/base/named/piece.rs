//! A word of a shell text while it is read.

use super::limits::{NUMBER, WORD_BYTES_MAX, unknown_once};

/// A word of a text that is being read, or the words that it stands for.
pub(super) struct Piece {
    pub(super) texts: Vec<String>,
    pub(super) has_begun: bool,
    pub(super) is_output: bool,
    /// Bytes of all words that it stands for.
    pub(super) bytes: usize,
    /// It stands for too much: only one of the words is left.
    pub(super) is_over: bool,
    /// It holds what arithmetic gives.
    pub(super) is_number: bool,
}

impl Default for Piece {
    fn default() -> Self {
        Self {
            texts: vec![String::new()],
            has_begun: false,
            is_output: false,
            bytes: 0,
            is_over: false,
            is_number: false,
        }
    }
}

impl Piece {
    /// Takes what arithmetic gives for what is not known, but for `NAME=$((…))`.
    pub(super) fn settle(&mut self) {
        let is_value = |text: &str| text.split_once('=').is_some_and(|halves| halves.1 == NUMBER);
        if !self.is_number || self.texts.len() > 1 || !is_value(&self.texts[0]) {
            self.texts.iter_mut().for_each(|text| *text = unknown_once(text));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.has_begun
    }

    pub(super) fn ends_with(&self, ends: [char; 5]) -> bool {
        self.texts.first().is_some_and(|text| text.ends_with(ends))
    }

    pub(super) fn push(&mut self, c: char) {
        self.grow(c.len_utf8());
        self.texts.iter_mut().for_each(|text| text.push(c));
    }

    pub(super) fn push_str(&mut self, text: &str) {
        self.grow(text.len());
        self.texts.iter_mut().for_each(|end| end.push_str(text));
    }

    fn grow(&mut self, bytes: usize) {
        self.has_begun = true;
        self.bytes += bytes * self.texts.len();
        if self.bytes > WORD_BYTES_MAX && self.texts.len() > 1 {
            self.texts.truncate(1);
            self.is_over = true;
        }
    }
}
