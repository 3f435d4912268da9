//! The text of a workflow file: places in it, lines and columns.
//!
//! Only arithmetic over a text; what stands there is for `yaml` and `check`.

use std::ops::Range;

/// A stretch of a file, in bytes. Where something stands never makes two workflows differ, so any two
/// places are equal: a formatted file reads as the same workflow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// The offset of the first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl Place {
    /// From byte offsets; a workflow file is at most 4 MiB, so they fit (a larger one is cut to fit).
    pub fn new(start: usize, end: usize) -> Self {
        let fit = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self { start: fit(start), end: fit(end.max(start)) }
    }

    /// As indices into the text.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The first byte, as an index.
    pub fn at(self) -> usize {
        self.start as usize
    }
}

/// Something the author wrote, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value that was written.
    pub value: T,
    /// The place of the value in the file.
    pub place: Place,
}

impl<T> Placed<T> {
    /// Puts the two together.
    pub fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}

/// A text with its line starts, for turning places into lines and columns.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Finds the line starts once.
    pub fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The whole text of the file.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Line and column of a byte, both from 1; columns count characters.
    pub fn line_column(&self, at: usize) -> (usize, usize) {
        let at = floor_char(self.text, at);
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let start = self.starts[line - 1];
        (line, self.text[start..at].chars().count() + 1)
    }

    /// A line from 1, without its end; empty when there is none.
    pub fn line(&self, number: usize) -> &'a str {
        let Some(&start) = number.checked_sub(1).and_then(|number| self.starts.get(number)) else {
            return "";
        };
        let end = self.starts.get(number).map_or(self.text.len(), |next| next - 1);
        self.text[start..end].trim_end_matches('\r')
    }

    /// The same stretch, inside the text and on character boundaries.
    pub fn clamp(&self, place: Place) -> Range<usize> {
        let start = floor_char(self.text, place.start as usize);
        let mut end = (place.end as usize).clamp(start, self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        start..end
    }
}

/// The last character boundary at or before `at`.
fn floor_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let source = Source::new("añb\r\nc");
        assert_eq!(source.line_column(0), (1, 1));
        assert_eq!(source.line_column(3), (1, 3));
        assert_eq!(source.line_column(2), (1, 2), "inside a character is that character");
        assert_eq!(source.line_column(6), (2, 1));
        assert_eq!(source.line_column(99), (2, 2));
        assert_eq!((source.line(1), source.line(2), source.line(3)), ("añb", "c", ""));
        assert_eq!(source.clamp(Place::new(2, 2)), 1..3);
    }
}
