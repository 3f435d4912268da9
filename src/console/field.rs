//! One line of text that is being typed: filter, palette, the fields of a dialog. Part of the model, so no
//! widget has to remember it. `update/editing` maps the keys.

use unicode_width::UnicodeWidthChar;

/// The most a field takes, in bytes: what is longer belongs into a file.
const BYTES_MAX: usize = 4096;

/// A text and a cursor in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    text: String,
    /// In bytes, always between two characters.
    cursor: usize,
}

impl Field {
    /// A field with a text in it, the cursor at its end.
    pub fn of(text: &str) -> Self {
        Self { text: text.to_owned(), cursor: text.len() }
    }

    /// The text typed so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    pub fn before(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Types a character; those that no line can hold are left out.
    pub fn insert(&mut self, c: char) {
        if !c.is_control() && self.text.len() + c.len_utf8() <= BYTES_MAX {
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
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
        let Some(c) = self.before().chars().next_back() else { return false };
        self.cursor -= c.len_utf8();
        self.text.remove(self.cursor);
        true
    }

    /// Takes the character after the cursor away.
    pub fn erase_next(&mut self) {
        if self.cursor < self.text.len() {
            self.text.remove(self.cursor);
        }
    }

    /// Takes the word before the cursor away.
    pub fn erase_word(&mut self) {
        let kept = self.before().trim_end();
        let kept = kept.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
        let kept = if self.text.is_char_boundary(kept) { kept } else { 0 };
        self.text.replace_range(kept..self.cursor, "");
        self.cursor = kept;
    }

    /// Deletes the whole text.
    pub fn clear(&mut self) {
        self.text.clear();
        self.cursor = 0;
    }

    /// One character to the left.
    pub fn left(&mut self) {
        self.cursor -= self.before().chars().next_back().map_or(0, char::len_utf8);
    }

    /// One character to the right.
    pub fn right(&mut self) {
        self.cursor += self.text[self.cursor..].chars().next().map_or(0, char::len_utf8);
    }

    /// Moves the cursor to the start.
    pub fn home(&mut self) {
        self.cursor = 0;
    }

    /// Moves the cursor to the end.
    pub fn end(&mut self) {
        self.cursor = self.text.len();
    }

    /// The text in so many cells, with a cursor sign. A text that is too long is cut so that the cursor stays
    /// visible.
    pub fn shown(&self, width: usize, cursor: char) -> String {
        let whole: Vec<char> =
            self.before().chars().chain([cursor]).chain(self.text[self.cursor..].chars()).collect();
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
