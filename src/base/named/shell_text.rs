//! A text as a shell reads it: its commands, quotes, here-documents and computed words.

use super::Gather;
use super::brace_words::{alternatives, braces};
use super::bracket::inside;
use super::here_document::{Document, document, end_of_document};
use super::known_words::INERT;
use super::limits::{BRACES_MAX, TEXT_BYTES_MAX, UNKNOWN, WORD_BYTES_MAX};
use super::piece::Piece;

/// Texts in texts: `bash -c 'sh -c "…"'`.
const DEPTH_MAX: usize = 8;
/// Here-documents of one text.
pub(super) const DOCUMENTS_MAX: usize = 100;

impl Gather {
    pub(super) fn texts(&mut self, text: &str, depth: usize) {
        self.text_bytes += text.len();
        if depth >= DEPTH_MAX {
            self.tell(&format!("texts in texts, more than {DEPTH_MAX} deep"));
        } else if self.text_bytes > TEXT_BYTES_MAX {
            self.miss(&format!("more than {TEXT_BYTES_MAX} bytes of text"));
        } else {
            let outside = (self.has_document, self.has_here_string, self.is_document_code);
            (self.has_document, self.has_here_string, self.is_document_code) = (false, false, false);
            self.text(text, depth + 1);
            (self.has_document, self.has_here_string, self.is_document_code) = outside;
            self.plainly(text);
        }
    }

    /// The words of a text whatever its quotes mean. A comment line gives only its words with a `/`.
    fn plainly(&mut self, text: &str) {
        for line in text.split('\n') {
            let is_comment = line.trim_start().starts_with('#');
            let mut last = ' ';
            for token in line.split_inclusive(|c: char| c.is_whitespace() || ";|&()<>{}$`\"'\\\0".contains(c))
            {
                let ends = token
                    .chars()
                    .next_back()
                    .filter(|c| c.is_whitespace() || ";|&()<>{}$`\"'\\\0".contains(*c));
                let word = &token[..token.len() - ends.map_or(0, char::len_utf8)];
                // Where output goes is not read.
                let is_left =
                    word.is_empty() || last == '>' || is_comment && !word.contains('/') || word == "*";
                if !is_left {
                    self.parts(word, false);
                }
                last = match ends {
                    Some(' ' | '\t' | '>' | '|' | '&') if last == '>' && word.is_empty() => '>',
                    Some('>') if word.ends_with(['=', '-']) || last == '<' => ' ',
                    other => other.unwrap_or(' '),
                };
            }
        }
    }

    /// The commands of a shell text. Quotes and escapes are taken away; what the shell computes is not known.
    fn text(&mut self, text: &str, depth: usize) {
        let mut words: Vec<String> = Vec::new();
        let mut word = Piece::default();
        let mut rest = text;
        let mut documents: Vec<Document> = Vec::new();
        while let Some(c) = rest.chars().next() {
            let here = &text[..text.len() - rest.len()];
            rest = &rest[c.len_utf8()..];
            match c {
                '\'' => {
                    if !rest.contains('\'') {
                        self.unended();
                    }
                    let (inside, after) = rest.split_once('\'').unwrap_or((rest, ""));
                    word.push_str(inside);
                    rest = after;
                }
                '"' => rest = self.quoted(rest, &mut word, depth),
                '\\' => {
                    let Some(next) = rest.chars().next() else { break };
                    rest = &rest[next.len_utf8()..];
                    if next != '\n' {
                        word.push(next);
                    }
                }
                '$' if rest.starts_with('\'') => {
                    let (inside, after) = escaped(&rest[1..]);
                    word.push_str(&inside);
                    rest = after;
                }
                '$' if rest.starts_with('"') => {}
                '$' | '`' => rest = self.computed(c, rest, &mut word, depth),
                '#' if word.is_empty() => rest = rest.find('\n').map_or("", |index| &rest[index..]),
                ' ' | '\t' | '\r' => self.end(&mut word, &mut words),
                '{' if let Some((group, after)) = braces(rest) => {
                    self.fork(&mut word, &alternatives(group));
                    rest = after;
                }
                // `@(a|b).sh`
                '(' if word.ends_with(['?', '*', '+', '@', '!']) => {
                    let (inner, after) = self.within(rest, '(', ')');
                    self.texts(inner, depth);
                    word.texts.iter_mut().for_each(|text| text.truncate(text.len() - 1));
                    word.push('*');
                    rest = after;
                }
                // The last arm of a `case` names no files.
                ')' if word.texts == ["*"] && here.strip_suffix('*').is_some_and(is_arm) => {
                    word = Piece::default()
                }
                // A brace in a word is one of its letters.
                '{' | '}' if !word.is_empty() || !ends_word(rest) => word.push(c),
                '\n' | ';' | '&' | '|' | '(' | ')' | '{' | '}' => {
                    if c == '(' {
                        self.opens(&word, words.is_empty(), rest);
                    }
                    self.end(&mut word, &mut words);
                    // In a pipe `cat` alone hands a document on as it is.
                    let is_pipe = c == '|' && !rest.starts_with('|') && !here.ends_with('|');
                    let hands_on = is_pipe && words == ["cat"];
                    self.command(&std::mem::take(&mut words), depth);
                    self.has_document &= hands_on;
                    self.has_here_string &= hands_on;
                    if c == '\n' {
                        rest = self.documents(&std::mem::take(&mut documents), rest, depth);
                    }
                }
                '<' => {
                    self.end_before_redirection(here, &mut word, &mut words);
                    self.has_here_string |= rest.starts_with("<<");
                    self.has_document |= rest.starts_with("<<");
                    if let Some(after) = rest.strip_prefix('<').filter(|after| !after.starts_with('<')) {
                        self.has_document = true;
                        if documents.len() < DOCUMENTS_MAX {
                            let (end, behind) = end_of_document(after);
                            documents.extend(end);
                            rest = behind;
                            continue;
                        }
                        self.miss(&format!("more than {DOCUMENTS_MAX} here-documents"));
                    }
                    rest = rest.trim_start_matches(['<', '>', '&', '-']);
                }
                '>' => {
                    self.end_before_redirection(here, &mut word, &mut words);
                    rest = rest.trim_start_matches(['>', '&', '|', ' ', '\t']);
                    word.is_output = true;
                }
                c => word.push(c),
            }
        }
        self.end(&mut word, &mut words);
        self.command(&words, depth);
    }

    fn end(&mut self, word: &mut Piece, words: &mut Vec<String>) {
        word.settle();
        let Piece { mut texts, has_begun, is_output, is_over, .. } = std::mem::take(word);
        if is_over {
            self.miss("a word that stands for too much to be read");
        }
        // The command that opens or starts something by its words is the one that counts.
        if words.is_empty() {
            texts.sort_by_key(|text| INERT.contains(&text.as_str()));
        }
        // Where output goes is not read.
        if is_output {
            self.writes(&texts);
        } else if has_begun {
            words.extend(texts);
        }
    }

    /// A number right before a redirection is no word.
    fn end_before_redirection(&mut self, here: &str, word: &mut Piece, words: &mut Vec<String>) {
        let before = here.trim_end_matches(|c: char| c.is_ascii_digit());
        if before.len() < here.len() && before.chars().next_back().is_none_or(|c| " \t\n;|&()".contains(c)) {
            *word = Piece::default();
        }
        self.end(word, words);
    }

    /// A text with a quote that has no end may be read otherwise by its shell.
    fn unended(&mut self) {
        self.tell("a text in which a quote or a bracket has no end");
    }

    /// The text in brackets, and the text behind them.
    fn within<'a>(&mut self, text: &'a str, open: char, close: char) -> (&'a str, &'a str) {
        inside(text, open, close).unwrap_or_else(|| {
            self.unended();
            (text, "")
        })
    }

    /// The name of a function, or of an array: its words are not told apart.
    fn opens(&mut self, word: &Piece, is_first: bool, rest: &str) {
        for text in &word.texts {
            if let Some(name) = text.strip_suffix('=') {
                self.set_unknown(name.strip_suffix('+').unwrap_or(name));
            } else if is_first && rest.trim_start().starts_with(')') {
                self.functions.insert(text.clone());
            }
        }
    }

    /// Reads here-documents, and returns what follows.
    fn documents<'a>(&mut self, ends: &[Document], text: &'a str, depth: usize) -> &'a str {
        let mut rest = text;
        let was_data = self.is_data;
        self.is_data |= !std::mem::take(&mut self.is_document_code);
        for Document { end, strips_tabs, is_quoted, .. } in ends {
            let (document, after) = document(rest, end, *strips_tabs).unwrap_or(("", rest));
            if !is_quoted && document.contains(['$', '`', '\\']) {
                self.tell("a here-document that is changed before a shell reads it");
            }
            self.judge(document);
            self.texts(document, depth);
            rest = after;
        }
        self.is_data = was_data;
        rest
    }

    /// Goes on as one word for each of these; where they are too many, none is known.
    pub(super) fn fork(&mut self, word: &mut Piece, ends: &[String]) {
        if word.texts.len() * ends.len() > BRACES_MAX {
            self.miss(&format!("one word that stands for more than {BRACES_MAX}"));
            return word.push(UNKNOWN);
        }
        let of = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
        let bytes = of(&word.texts) * ends.len() + of(ends) * word.texts.len();
        if bytes > WORD_BYTES_MAX && ends.len() * word.texts.len() > 1 || self.is_full(bytes) {
            self.miss("a word that stands for too much to be read");
            return word.push(UNKNOWN);
        }
        word.bytes = bytes;
        word.has_begun = true;
        word.texts =
            word.texts.iter().flat_map(|text| ends.iter().map(move |end| format!("{text}{end}"))).collect();
    }

    /// A stretch in double quotes; returns what follows.
    pub(super) fn quoted<'a>(&mut self, text: &'a str, word: &mut Piece, depth: usize) -> &'a str {
        let mut rest = text;
        word.has_begun = true;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '"' => return rest,
                '\\' => {
                    let Some(next) = rest.chars().next() else { break };
                    rest = &rest[next.len_utf8()..];
                    match next {
                        '\n' => {}
                        '"' | '\\' | '$' | '`' => word.push(next),
                        next => {
                            word.push('\\');
                            word.push(next);
                        }
                    }
                }
                '$' | '`' => rest = self.computed(c, rest, word, depth),
                c => word.push(c),
            }
        }
        self.unended();
        rest
    }

    /// A variable, or what a command says: its own words are taken, its output is not known. Returns what
    /// follows.
    fn computed<'a>(&mut self, sign: char, text: &'a str, word: &mut Piece, depth: usize) -> &'a str {
        if sign == '`' {
            let mut is_escaped = false;
            let end = text.char_indices().find(|(_, c)| {
                let ends = *c == '`' && !is_escaped;
                is_escaped = *c == '\\' && !is_escaped;
                ends
            });
            if end.is_none() {
                self.unended();
            }
            let (inner, rest) = end.map_or((text, ""), |(at, _)| (&text[..at], &text[at + 1..]));
            self.texts(&inner.replace("\\`", "`").replace("\\\\", "\\").replace("\\$", "$"), depth);
            word.push(UNKNOWN);
            return rest;
        }
        let (inner, rest) = match text.chars().next() {
            Some('(') => self.within(&text[1..], '(', ')'),
            Some('{') => {
                let (name, rest) = self.within(&text[1..], '{', '}');
                self.variable(name, word, depth);
                return rest;
            }
            // `$1`
            Some(c) if "@*123456789".contains(c) => {
                self.variable(if c == '*' { "@" } else { &text[..1] }, word, depth);
                return &text[1..];
            }
            // `$?`
            Some(c) if "?!#$-0".contains(c) => {
                word.push(UNKNOWN);
                return &text[1..];
            }
            _ => {
                let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
                if end == 0 {
                    word.push(sign);
                } else {
                    self.variable(&text[..end], word, depth);
                }
                return &text[end..];
            }
        };
        // In arithmetic it is no pattern.
        let is_number = inner.starts_with('(') && inner.ends_with(')');
        if is_number {
            word.is_number = true;
            word.push(UNKNOWN);
        }
        let was_data = self.is_data;
        self.is_data |= is_number;
        self.texts(&if is_number { inner.replace('*', " ") } else { inner.to_owned() }, depth);
        self.is_data = was_data;
        word.push(if inner.trim() == "pwd" && !self.functions.contains("pwd") { '.' } else { UNKNOWN });
        rest
    }
}

/// True where a word ends before this text.
fn ends_word(text: &str) -> bool {
    text.is_empty() || text.starts_with(|c: char| c.is_whitespace() || ";|&()<>".contains(c))
}

/// True if the text before a word ends where an arm of a `case` may begin.
fn is_arm(before: &str) -> bool {
    let before = before.trim_end();
    before.ends_with(";;") || before.ends_with(";&") || before.ends_with(";;&") || before.ends_with(" in")
}

/// A text in `$'…'`, and what follows.
fn escaped(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\'' => break,
            '\\' => {
                let Some(sign) = rest.chars().next() else { break };
                let (digits, radix, skip) = match sign {
                    'x' => (2, 16, 1),
                    'u' => (4, 16, 1),
                    'U' => (8, 16, 1),
                    '0'..='7' => (3, 8, 0),
                    _ => (0, 8, 0),
                };
                let number: String =
                    rest.chars().skip(skip).take(digits).take_while(|c| c.is_digit(radix)).collect();
                if let Some(c) = u32::from_str_radix(&number, radix).ok().and_then(char::from_u32) {
                    out.push(c);
                    rest = &rest[skip + number.len()..];
                } else {
                    out.push(match sign {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        other => other,
                    });
                    rest = &rest[sign.len_utf8()..];
                }
            }
            c => out.push(c),
        }
    }
    (out, rest)
}
