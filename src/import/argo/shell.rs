//! Values in a text that a shell reads: each stands there as one word piece between double quotes, whatever quotes are around it.
//! The values themselves are for the step that starts the shell.

use super::words::Piece;

/// The syntax around a character of a shell text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Outside of quotes; so many brackets are open.
    Bare(usize),
    Single,
    /// A string in `$'…'`, with escapes.
    Ansi,
    Double,
    /// `$((…))`; so many brackets are open.
    Sum(usize),
    Comment,
    /// A here-document up to this line; whether its delimiter is quoted.
    Here(String, bool),
}

/// A shell text whose values are the variables that `name` gives them; and whether one stands where a shell fills in nothing.
pub(crate) fn in_shell(pieces: &[Piece], mut name: impl FnMut(&str) -> String) -> (String, bool) {
    let mut reader = Reader { out: String::new(), places: vec![Place::Bare(0)], ..Reader::default() };
    let mut is_lost = false;
    for piece in pieces {
        match piece {
            Piece::Text(text) => text.chars().for_each(|c| reader.take(c)),
            Piece::Hole(expression) => {
                let name = name(expression);
                is_lost |= matches!(reader.place(), Place::Here(_, true));
                reader.value(&name);
            }
        }
    }
    (reader.out, is_lost)
}

#[derive(Debug, Default)]
struct Reader {
    out: String,
    /// Open syntax, the innermost last.
    places: Vec<Place>,
    is_escaped: bool,
    /// Here-documents whose text begins at the next line.
    coming: Vec<(String, bool)>,
    /// The delimiter of a here-document while it is read.
    delimiter: Option<String>,
    line: String,
}

impl Reader {
    fn place(&self) -> Place {
        self.places.last().cloned().unwrap_or(Place::Bare(0))
    }

    fn value(&mut self, name: &str) {
        let place = self.place();
        let is_read = !matches!(place, Place::Single | Place::Ansi | Place::Comment | Place::Here(_, true));
        if std::mem::take(&mut self.is_escaped) {
            // A backslash would be for the quote that begins the value.
            self.out.pop();
        } else if is_read && self.out.ends_with('$') {
            self.out.pop();
            self.out.push_str("\\$");
        }
        self.line.push('x');
        self.out.push_str(&match place {
            Place::Bare(_) => format!("\"${{{name}}}\""),
            Place::Single => format!("'\"${{{name}}}\"'"),
            Place::Ansi => format!("'\"${{{name}}}\"$'"),
            Place::Double | Place::Sum(_) | Place::Comment | Place::Here(..) => format!("${{{name}}}"),
        });
    }

    fn take(&mut self, c: char) {
        let before = self.out.chars().next_back();
        let was_escaped = std::mem::take(&mut self.is_escaped);
        match self.place() {
            Place::Here(end, _) => self.here(c, &end),
            Place::Comment => {
                if c == '\n' {
                    self.places.pop();
                    self.line_end();
                }
            }
            Place::Single => {
                if c == '\'' {
                    self.places.pop();
                }
            }
            _ if was_escaped => {}
            _ if c == '\\' && self.delimiter.is_none() => self.is_escaped = true,
            Place::Ansi => {
                if c == '\'' {
                    self.places.pop();
                }
            }
            Place::Double => match c {
                '"' => drop(self.places.pop()),
                '(' if before == Some('$') => self.places.push(Place::Bare(0)),
                _ => {}
            },
            Place::Sum(open) => self.bracket(c, open, Place::Sum),
            Place::Bare(open) => self.bare(c, open, before),
        }
        self.out.push(c);
    }

    fn bare(&mut self, c: char, open: usize, before: Option<char>) {
        if let Some(delimiter) = &mut self.delimiter {
            let is_blank = c == ' ' || c == '\t';
            if c == '<' && delimiter.is_empty() && before == Some('<') {
                // `<<<` takes a word and no document.
                self.delimiter = None;
                return;
            }
            if is_blank && delimiter.is_empty() || c == '-' && delimiter.is_empty() && before == Some('<') {
                return;
            }
            if !(c.is_whitespace() || ";&|<>()".contains(c)) {
                delimiter.push(c);
                // Quotes around it are read with it.
                return;
            }
            let said = std::mem::take(delimiter);
            self.delimiter = None;
            if !said.is_empty() {
                let name: String = said.chars().filter(|c| !"'\"\\".contains(*c)).collect();
                let is_quoted = name != said;
                self.coming.push((name, is_quoted));
            }
        }
        match c {
            '\'' => self.places.push(if before == Some('$') { Place::Ansi } else { Place::Single }),
            '"' => self.places.push(Place::Double),
            '#' if before.is_none_or(|c| c.is_whitespace() || ";&|(".contains(c)) => {
                self.places.push(Place::Comment);
            }
            '<' if before == Some('<') => self.delimiter = Some(String::new()),
            '(' if self.out.ends_with("$(") => {
                // The bracket before this one is of the sum as well.
                self.places.pop();
                if open > 0 {
                    self.places.push(Place::Bare(open - 1));
                }
                self.places.push(Place::Sum(2));
            }
            '\n' => self.line_end(),
            _ => self.bracket(c, open, Place::Bare),
        }
    }

    fn bracket(&mut self, c: char, open: usize, place: fn(usize) -> Place) {
        let now = match c {
            '(' => open + 1,
            // The last one of a `$(…)`.
            ')' if open <= usize::from(place(0) == Place::Sum(0)) => {
                if self.places.len() > 1 {
                    self.places.pop();
                }
                return;
            }
            ')' => open - 1,
            _ => return,
        };
        if let Some(last) = self.places.last_mut() {
            *last = place(now);
        }
    }

    fn line_end(&mut self) {
        if !self.coming.is_empty() {
            let (end, is_quoted) = self.coming.remove(0);
            self.places.push(Place::Here(end, is_quoted));
            self.line.clear();
        }
    }

    fn here(&mut self, c: char, end: &str) {
        if c != '\n' {
            self.line.push(c);
            return;
        }
        if std::mem::take(&mut self.line).trim_start_matches('\t') == end {
            self.places.pop();
            self.line_end();
        }
    }
}
