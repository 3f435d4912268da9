//! One line of text that is being typed: filter, palette, the fields of a dialog. Part of the model, so no
//! widget has to remember it. `update/editing` maps the keys.

use tui_textarea::{CursorMove, TextArea};
use unicode_width::UnicodeWidthChar;

/// The most a field takes, in bytes: what is longer belongs into a file.
const BYTES_MAX: usize = 4096;

/// A text and a cursor in it.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// The editor behind it, kept to one line.
    area: Box<TextArea<'static>>,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        (self.text(), self.area.cursor()) == (other.text(), other.area.cursor())
    }
}

impl Eq for Field {}

impl Field {
    /// A field with a text in it, the cursor at its end.
    pub fn of(text: &str) -> Self {
        let mut area = TextArea::new(vec![text.replace('\n', " ")]);
        area.move_cursor(CursorMove::End);
        Self { area: Box::new(area) }
    }

    /// The text typed so far.
    pub fn text(&self) -> &str {
        self.area.lines().first().map_or("", String::as_str)
    }

    /// The text before the cursor.
    pub fn before(&self) -> &str {
        let text = self.text();
        let at = text.char_indices().nth(self.area.cursor().1).map_or(text.len(), |(at, _)| at);
        &text[..at]
    }

    /// Types a character; those that no line can hold are left out.
    pub fn insert(&mut self, c: char) {
        if !c.is_control() && self.text().len() + c.len_utf8() <= BYTES_MAX {
            self.area.insert_char(c);
        }
    }

    /// Takes in a pasted text; line ends become blanks.
    pub fn paste(&mut self, text: &str) {
        for c in text.trim_end_matches(['\n', '\r']).chars() {
            self.insert(if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c });
        }
    }

    /// Takes the character before the cursor away; false when there is none.
    pub fn erase(&mut self) -> bool {
        self.area.delete_char()
    }

    /// Takes the character after the cursor away.
    pub fn erase_next(&mut self) {
        self.area.delete_next_char();
    }

    /// Takes the word before the cursor away.
    pub fn erase_word(&mut self) {
        self.area.delete_word();
    }

    /// Deletes the whole text.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// One character to the left.
    pub fn left(&mut self) {
        self.area.move_cursor(CursorMove::Back);
    }

    /// One character to the right.
    pub fn right(&mut self) {
        self.area.move_cursor(CursorMove::Forward);
    }

    /// Moves the cursor to the start.
    pub fn home(&mut self) {
        self.area.move_cursor(CursorMove::Head);
    }

    /// Moves the cursor to the end.
    pub fn end(&mut self) {
        self.area.move_cursor(CursorMove::End);
    }

    /// The text in so many cells, with a cursor sign. A text that is too long is cut so that the cursor stays
    /// visible.
    pub fn shown(&self, width: usize, cursor: char) -> String {
        let whole: Vec<char> =
            self.before().chars().chain([cursor]).chain(self.text()[self.before().len()..].chars()).collect();
        let at = self.before().chars().count();
        let cells = |c: &char| c.width().unwrap_or(0);
        let mut first = 0;
        let mut used: usize = whole[..=at].iter().map(cells).sum();
        while used > width && first < at {
            used -= cells(&whole[first]);
            first += 1;
        }
        let mut left = width;
        let fits = whole[first..].iter().take_while(|c| {
            let fits = cells(c) <= left;
            left = left.saturating_sub(cells(c));
            fits
        });
        fits.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_and_erasing_keep_characters_whole() {
        let mut field = Field::of("naïve 日本");
        field.erase();
        field.left();
        field.insert('é');
        assert_eq!((field.text(), field.before()), ("naïve é日", "naïve é"));
        field.erase_word();
        assert_eq!(field.text(), "naïve 日");
        field.home();
        field.erase_next();
        assert!(!field.erase());
        assert_eq!(field.text(), "aïve 日");
    }

    #[test]
    fn a_paste_is_one_line_and_has_an_end() {
        let mut field = Field::default();
        field.paste("y\n");
        assert_eq!(field.text(), "y");
        field.paste(&"x".repeat(2 * BYTES_MAX));
        assert_eq!(field.text().len(), BYTES_MAX);
    }

    #[test]
    fn a_long_text_shows_the_place_that_is_typed_at() {
        let mut field = Field::of("abcdefgh");
        assert_eq!(field.shown(5, '|'), "efgh|");
        field.home();
        assert_eq!(field.shown(5, '|'), "|abcd");
        assert_eq!(Field::of("日本語").shown(4, '|'), "語|");
        assert_eq!(Field::default().shown(0, '|'), "");
    }
}
