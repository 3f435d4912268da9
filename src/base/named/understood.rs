//! A judge of shell text: names each construct that the reader of names may read otherwise than a shell does. Its grammar is
//! small and closed. A construct outside of it is told, so that nothing is missed in silence; what the reader makes of it does
//! not count.
//!
//! The reader finds some ends by rules of its own (of `$(…)`, of braces). There the judge finds it by those of bash, and both
//! have to agree.

mod brace;
mod evaluated;

use super::bracket::inside;
use super::here_document::{Document, document, end_of_document};
use super::plain_form::{arithmetic_of, is_of_name, is_parameter};
use super::simple_command::construct_of;
use super::variable::is_variable as is_name;
use std::collections::{BTreeMap, BTreeSet};

/// Brackets, substitutions and `case` in each other.
const NESTED_MAX: usize = 32;
/// Bytes in which the end of a short construct is looked for.
const CONSTRUCT_BYTES_MAX: usize = 1024;
/// Characters of a construct that are shown.
const SHOWN_CHARS_MAX: usize = 40;
/// Words before a command has begun.
const RESERVED: &[&str] =
    &["!", "do", "done", "elif", "else", "fi", "if", "then", "time", "until", "while", "{", "}"];
/// Signs that mean themselves in a word, in all shells.
const PLAIN: &str = "_./@%+:=~^*?-[]!,";

/// All that the judge found in a text.
#[derive(Default)]
pub(super) struct Judgement {
    /// Constructs that are not certainly understood; none means that the reader reads it as a shell does.
    pub(super) constructs: Vec<String>,
    /// Names whose values are evaluated; true for one that the text may set only behind its use.
    pub(super) evaluated: BTreeMap<String, bool>,
    assigned: BTreeSet<String>,
}

pub(super) fn not_understood(text: &str, is_bash: bool) -> Judgement {
    let mut told = Judgement::default();
    let mut judge = Judge { text, at: 0, nested: 0, is_bash, documents: Vec::new(), told: &mut told };
    let _ = judge.list(End::Text);
    told
}

/// The part of a text that comes next, and what was told of it.
struct Judge<'a> {
    text: &'a str,
    at: usize,
    nested: usize,
    is_bash: bool,
    /// Here-documents that begin behind the next line end.
    documents: Vec<Document>,
    told: &'a mut Judgement,
}

/// The end of a list of commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Text,
    Bracket,
    /// The end of an arm of `case`.
    Arm,
}

/// A word as it is written, without its quotes.
#[derive(Default)]
pub(super) struct Word {
    pub(super) text: String,
    /// It has no quotes, escapes or variables.
    pub(super) is_literal: bool,
    /// Bytes of `NAME=` or `NAME+=` at its begin, without quotes.
    pub(super) assigns: Option<String>,
    /// `X[`, which may begin an assignment.
    is_element: bool,
}

impl<'a> Judge<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn takes(&mut self, part: &str) -> bool {
        let is_next = self.rest().starts_with(part);
        self.at += if is_next { part.len() } else { 0 };
        is_next
    }

    fn tell(&mut self, construct: &str) {
        let short: String = construct.chars().take(SHOWN_CHARS_MAX).collect();
        let told = &mut self.told.constructs;
        if !told.contains(&short) && told.len() < super::limits::NOT_UNDERSTOOD_MAX {
            told.push(short);
        }
    }

    /// Tells a construct behind which no more is read.
    fn stop<T>(&mut self, construct: &str) -> Option<T> {
        self.tell(construct);
        None
    }

    fn nest(&mut self) -> Option<()> {
        self.nested += 1;
        if self.nested > NESTED_MAX { self.stop("brackets in each other, too many") } else { Some(()) }
    }

    fn blanks(&mut self) {
        while self.takes(" ") || self.takes("\t") || self.takes("\\\n") {}
    }

    fn comment(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    /// Commands up to an end, which is taken. Of an arm, true where the whole `case` ends.
    fn list(&mut self, end: End) -> Option<bool> {
        loop {
            self.blanks();
            match self.peek() {
                None if end == End::Text && self.documents.is_empty() => return Some(true),
                None if end == End::Text => return self.stop("a here-document without an end"),
                None => return self.stop("a bracket without an end"),
                Some('\n') => self.line_end()?,
                Some('#') => self.comment(),
                Some(';') if self.rest().starts_with(";;") || self.rest().starts_with(";&") => {
                    if end != End::Arm {
                        return self.stop("`;;` outside of `case`");
                    }
                    let _ = self.takes(";;&") || self.takes(";;") || self.takes(";&");
                    return Some(false);
                }
                Some('&') if self.rest().starts_with("&>") => self.command()?,
                Some(';' | '&' | '|') => self.at += 1,
                Some('(') if self.rest().starts_with("((") => self.arithmetic()?,
                Some('(') => {
                    self.at += 1;
                    self.nest()?;
                    self.list(End::Bracket)?;
                    self.nested -= 1;
                }
                Some(')') if end == End::Bracket => {
                    self.at += 1;
                    return Some(true);
                }
                Some(')') => return self.stop("`)` alone"),
                Some(_) if end == End::Arm && self.is_reserved("esac") => {
                    self.at += "esac".len();
                    return Some(true);
                }
                Some(_) => self.command()?,
            }
        }
    }

    /// True where this word comes next, and ends.
    fn is_reserved(&self, word: &str) -> bool {
        let rest = self.rest().strip_prefix(word);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|c| " \t\n;&|()<>".contains(c)))
    }

    /// Skips a bracket that the reader knows the end of.
    fn skip(&mut self, open: char, close: char) -> Option<()> {
        match inside(&self.rest()[open.len_utf8()..], open, close) {
            Some((_, after)) => {
                self.at = self.text.len() - after.len();
                Some(())
            }
            None => self.stop("a bracket without an end"),
        }
    }

    fn arithmetic(&mut self) -> Option<()> {
        self.tell("`((`");
        self.skip('(', ')')
    }

    fn line_end(&mut self) -> Option<()> {
        self.at += 1;
        for of in std::mem::take(&mut self.documents) {
            let rest = self.rest();
            let Some((body, after)) = document(rest, &of.end, of.strips_tabs) else {
                return self.stop("a here-document without an end");
            };
            self.at = self.text.len() - after.len();
            // Inside of `$(…)` a quote or a bracket of the document would count.
            let is_plain = |signs: &str| !body.contains(|c| signs.contains(c));
            let is_computed = body.contains("$(") || body.contains('`') || body.contains("${");
            if self.nested > 0 && !is_plain("'\"()`\\#{}") {
                self.tell("a here-document inside of brackets");
            } else if !of.is_quoted && (body.contains("\\\n") || is_computed && !is_plain("'\"\\#")) {
                self.tell("a here-document with quotes and commands");
            } else if !of.is_quoted {
                self.part(body, |judge| judge.quoted(false))?;
            }
        }
        Some(())
    }

    /// Judges a text in this text.
    fn part(&mut self, text: &str, judge: impl FnOnce(&mut Judge<'_>) -> Option<()>) -> Option<()> {
        self.nest()?;
        let mut part = Judge {
            text,
            at: 0,
            nested: self.nested,
            is_bash: self.is_bash,
            documents: Vec::new(),
            told: self.told,
        };
        judge(&mut part)?;
        self.nested -= 1;
        Some(())
    }

    /// One simple command, or the words before one.
    fn command(&mut self) -> Option<()> {
        let mut words: Vec<Word> = Vec::new();
        // Behind the end of a group only redirections stand.
        let mut is_behind_group = false;
        let mut is_first = true;
        loop {
            self.blanks();
            let Some(c) = self.peek() else { break };
            match c {
                '&' if self.rest().starts_with("&>") => self.redirection(true)?,
                '\n' | ';' | '&' | '|' | ')' => break,
                '#' => {
                    self.comment();
                    break;
                }
                '(' if words.len() == 1 && words[0].is_literal => {
                    self.at += 1;
                    self.blanks();
                    if !self.takes(")") {
                        return self.stop("`(` in a command");
                    }
                    return Some(());
                }
                '(' => return self.stop("`(` in a command"),
                '<' | '>' => {
                    self.redirection(!is_first || is_behind_group)?;
                }
                _ => {
                    let word = self.word()?;
                    let is_number = word.is_literal && word.text.bytes().all(|byte| byte.is_ascii_digit());
                    if is_number && self.rest().starts_with(['<', '>']) {
                        self.redirection(!is_first || is_behind_group)?;
                        continue;
                    }
                    if words.is_empty() && word.is_literal && RESERVED.contains(&word.text.as_str()) {
                        is_behind_group = matches!(word.text.as_str(), "}" | "fi" | "done");
                        continue;
                    }
                    let begins = words.is_empty() && word.is_literal;
                    if begins && word.text == "case" {
                        self.nest()?;
                        self.case()?;
                        self.nested -= 1;
                        is_behind_group = true;
                        continue;
                    }
                    if begins && word.text == "[[" {
                        self.condition()?;
                        is_behind_group = true;
                        continue;
                    }
                    if is_first && word.is_element {
                        let name = word.text.split('[').next().unwrap_or_default();
                        return self.stop(&format!("`{name}[`"));
                    }
                    is_first &= word.assigns.is_some();
                    words.push(word);
                }
            }
        }
        if let [first, name, ..] = words.as_slice()
            && first.text == "for"
        {
            self.told.assigned.insert(name.text.clone());
        }
        if let Some(construct) = construct_of(&words, self.is_bash) {
            self.tell(&construct);
        }
        Some(())
    }

    /// Behind `case`.
    fn case(&mut self) -> Option<()> {
        self.blanks();
        self.word()?;
        while self.takes("\n") || self.takes(" ") || self.takes("\t") {}
        if !self.is_reserved("in") {
            return self.stop("`case` without `in`");
        }
        self.at += "in".len();
        loop {
            self.blanks();
            if self.takes("\n") {
                continue;
            }
            if self.takes("#") {
                self.comment();
                continue;
            }
            if self.is_reserved("esac") {
                self.at += "esac".len();
                return Some(());
            }
            let _ = self.takes("(");
            loop {
                self.blanks();
                if !self.takes("|") && self.takes(")") {
                    break;
                }
                self.blanks();
                let before = self.at;
                self.word()?;
                if self.at == before {
                    return self.stop("a pattern of `case`");
                }
            }
            if self.list(End::Arm)? {
                return Some(());
            }
        }
    }

    fn redirection(&mut self, is_in_place: bool) -> Option<()> {
        let is_both = self.takes("&");
        if is_both && !self.is_bash {
            self.tell("`&>` in a text of sh");
        }
        if self.takes("<<<") {
            if !self.is_bash {
                self.tell("`<<<` in a text of sh");
            }
        } else if self.takes("<<") {
            let (document, after) = end_of_document(self.rest());
            let Some(document) = document.filter(|document| document.is_plain) else {
                return self.stop("the end of a here-document");
            };
            self.at = self.text.len() - after.len();
            self.documents.push(document);
            return Some(());
        } else if self.takes("<(") || self.takes(">(") {
            self.tell(if self.text[..self.at].ends_with("<(") { "`<(`" } else { "`>(`" });
            self.at -= 1;
            return self.skip('(', ')');
        } else if self.takes("<") {
            if !is_in_place {
                self.tell("`<` before a command");
            }
            let _ = self.takes("&") || self.takes(">");
        } else {
            self.at += 1;
            let _ = self.takes(">") || self.takes("|") || self.takes("&");
        }
        while self.takes(" ") || self.takes("\t") {}
        let before = self.at;
        let starts_oddly = self.rest().starts_with("\\\n") || self.rest().starts_with('#');
        if !starts_oddly {
            self.word()?;
        }
        if self.at == before { self.stop("`>` or `<` without a file") } else { Some(()) }
    }

    /// One word; empty where none begins.
    fn word(&mut self) -> Option<Word> {
        let begin = self.at;
        let mut word = Word { is_literal: true, ..Word::default() };
        // A bracket of a pattern is open.
        let mut is_class = false;
        let name_end = begin + self.rest().find(|c| !is_of_name(c)).unwrap_or(0);
        let is_named = is_name(&self.text[begin..name_end]);
        while let Some(c) = self.peek() {
            let before = self.at;
            if " \t\n;&|()<>".contains(c) {
                if c == '(' && self.text[begin..before].ends_with(['?', '*', '+', '@', '!']) {
                    let at = before - 1;
                    self.tell(&format!("`{}`", &self.text[at..=before]));
                    self.skip('(', ')')?;
                    word.is_literal = false;
                    continue;
                }
                if c == '('
                    && word.assigns.is_some()
                    && self.text[begin..before].ends_with('=')
                    && word.is_literal
                {
                    self.array()?;
                    word.is_literal = false;
                    continue;
                }
                break;
            }
            self.at += c.len_utf8();
            match c {
                '\'' => {
                    let Some(end) = self.rest().find('\'') else {
                        return self.stop("a quote without an end");
                    };
                    word.text.push_str(&self.rest()[..end]);
                    self.at += end + 1;
                }
                '"' => {
                    self.quoted(true)?;
                    word.text.push_str(&self.text[before + 1..self.at - 1]);
                }
                '\\' => match self.peek() {
                    None => return self.stop("a backslash at the end"),
                    Some(next) => {
                        self.at += next.len_utf8();
                        if next == '\n' && !self.rest().starts_with([' ', '\t', '\n']) {
                            self.tell("a word over the end of a line");
                        }
                        word.text.extend(Some(next).filter(|next| *next != '\n'));
                    }
                },
                '$' => {
                    self.dollar(false)?;
                    word.text.push_str(&self.text[before..self.at]);
                }
                '`' => self.backquote()?,
                '{' => {
                    self.brace(&self.text[begin..before], word.assigns.is_some());
                    word.text.push_str(&self.text[before..self.at]);
                    continue;
                }
                '}' if before > begin || !self.is_reserved("") => self.tell("`}` in a word"),
                '\r' => self.tell("a carriage return"),
                c => {
                    let is_key = is_named && word.assigns.is_none() && word.is_literal;
                    let is_added = before == name_end + 1 && self.text[name_end..].starts_with('+');
                    word.is_element |= c == '[' && is_named && before == name_end;
                    if c == '=' && is_key && (before == name_end || is_added) {
                        word.assigns = Some(self.text[begin..name_end].to_owned());
                    }
                    is_class |= c == '[';
                    word.text.push(c);
                }
            }
            if "'\"\\$`".contains(c) {
                word.is_literal = false;
                if is_class && c != '$' && self.text[before..self.at].contains(']') {
                    self.tell("quotes in a pattern");
                }
            }
        }
        self.told.assigned.extend(word.assigns.clone());
        Some(word)
    }

    /// The words of an array.
    fn array(&mut self) -> Option<()> {
        if !self.is_bash {
            self.tell("an array in a text of sh");
        }
        self.at += 1;
        self.nest()?;
        loop {
            self.blanks();
            let before = self.at;
            if self.takes(")") {
                self.nested -= 1;
                return Some(());
            } else if self.takes("#") {
                self.comment();
            } else if self.rest().starts_with('[') {
                return self.stop("`([`");
            } else if !self.takes("\n") {
                self.word()?;
                if self.at == before {
                    return self.stop("an array");
                }
            }
        }
    }

    /// Behind a double quote, up to the one that closes; or to the end of a here-document.
    fn quoted(&mut self, has_end: bool) -> Option<()> {
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                '"' if has_end => return Some(()),
                '\\' => self.at += self.peek().map_or(0, char::len_utf8),
                '$' => self.dollar(true)?,
                '`' => self.backquote()?,
                _ => {}
            }
        }
        if has_end { self.stop("a quote without an end") } else { Some(()) }
    }

    fn backquote(&mut self) -> Option<()> {
        let Some(end) = self.rest().find('`') else { return self.stop("a quote without an end") };
        let inner = &self.rest()[..end];
        if inner.contains('\\') {
            return self.stop("a backslash in backquotes");
        }
        self.at += end + 1;
        self.part(inner, |judge| judge.list(End::Text).map(drop))
    }

    /// Behind a dollar sign.
    fn dollar(&mut self, is_quoted: bool) -> Option<()> {
        let rest = self.rest();
        match self.peek() {
            Some('(') if rest.starts_with("((") => {
                let Some((inner, after)) = inside(&rest[1..], '(', ')') else {
                    return self.stop("`$((` without an end");
                };
                match inner.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
                    Some(arithmetic) => self.evaluates(arithmetic, "`$((`"),
                    None => self.tell("`$((`"),
                }
                self.at = self.text.len() - after.len();
            }
            Some('(') => {
                self.at += 1;
                let (begin, documents) = (self.at, std::mem::take(&mut self.documents));
                self.nest()?;
                self.list(End::Bracket)?;
                self.nested -= 1;
                self.documents = documents;
                let inner = &self.text[begin..self.at - 1];
                if inside(&self.text[begin..self.at], '(', ')').is_none_or(|found| found.0 != inner) {
                    self.tell("quotes or brackets inside of `$(`");
                }
            }
            Some('{') => self.parameter()?,
            Some('\'') if !is_quoted => self.escaped()?,
            Some('"') if !is_quoted => self.tell("`$\"`"),
            Some('[') => self.tell("`$[`"),
            Some('\\') if rest.starts_with("\\\n") => self.tell("`$` at the end of a line"),
            Some(c) if "@*#?-$!0123456789".contains(c) => self.at += 1,
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                self.at += rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len());
                if self.rest().starts_with("\\\n") {
                    self.tell("a name over the end of a line");
                }
            }
            _ => {}
        }
        Some(())
    }

    /// At the brace of `${…}`. The first brace that closes has to be the end.
    fn parameter(&mut self) -> Option<()> {
        let Some(end) = self.rest().find('}') else { return self.stop("a bracket without an end") };
        let inner = &self.rest()[1..end];
        if !is_parameter(inner) {
            self.tell(&format!("`${{{inner}}}`"));
            return self.skip('{', '}');
        }
        arithmetic_of(inner).into_iter().for_each(|part| self.evaluates(part, &format!("`${{{inner}}}`")));
        self.at += end + 1;
        Some(())
    }

    /// `$'…'`, at the quote.
    fn escaped(&mut self) -> Option<()> {
        if !self.is_bash {
            self.tell("`$'` in a text of sh");
        }
        self.at += 1;
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            if c == '\'' {
                return Some(());
            }
            if c == '\\' {
                let next = self.peek().unwrap_or(' ');
                if !"nt\\'\"".contains(next) {
                    self.tell(&format!("`$'\\{next}`"));
                }
                self.at += self.peek().map_or(0, char::len_utf8);
            }
        }
        self.stop("a quote without an end")
    }
}
