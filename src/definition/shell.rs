//! Expressions in scripts become environment variables: no value is ever pasted into shell text.
//!
//! `echo ${{ inputs.x }}` is run as `echo "${CUE_1}"` with `CUE_1` set to the value, so `"; rm -rf /` stays data.
//! The value of a variable is never read as code again, except where the shell is told to (`eval`, arithmetic,
//! `bash -c`, `python -c`, `awk`): there an expression is an error, and so it is where nothing would be expanded (single
//! quotes). Programs that read their arguments as code are told in `inline`.

mod frame;
mod hole;

use crate::diagnostic::Findings;
use crate::inline::Inline;
use crate::read::{Reader, locate};
use crate::{Binding, Script, Text};
use cuelight_base::is_shell;
use cuelight_expression::Hole;
use frame::{Code, Frame, Here};
use std::collections::{BTreeMap, VecDeque};

/// True if expressions can be bound in scripts of this shell.
pub(super) fn is_known(shell: &[String]) -> bool {
    shell.first().is_some_and(|program| is_shell(program))
}

/// The program and arguments that a `shell:` stands for; the script comes last.
pub fn words(shell: &str) -> Vec<String> {
    let words: Vec<&str> = shell.split_whitespace().collect();
    let words = match words.as_slice() {
        [] | ["bash"] => vec!["bash", "-euo", "pipefail", "-c"],
        ["sh"] => vec!["sh", "-eu", "-c"],
        ["dash" | "ash" | "ksh" | "zsh"] => vec![words[0], "-eu", "-c"],
        ["python" | "python3"] => vec![words[0], "-c"],
        ["node" | "ruby" | "perl"] => vec![words[0], "-e"],
        _ => words,
    };
    words.into_iter().map(str::to_owned).collect()
}

/// A script with its expressions bound to variables; what cannot be bound is a finding.
pub(super) fn bind(reader: &mut Reader<'_, '_>, text: Text, shell: &[String]) -> Script {
    let mut script = Script { script: text.value.clone(), source: text, bindings: Vec::new() };
    let Some(template) = reader.template(&script.source) else { return script };
    if template.is_plain() {
        return script;
    }
    let holes: Vec<&Hole> = template.holes().collect();
    if !is_known(shell) {
        let place = locate(reader.findings, script.source.place, &script.source.value, holes[0].span.clone());
        let program = shell.first().map_or("this program", String::as_str);
        reader
            .findings
            .error(
                "shell-language",
                place,
                format!("could not put an expression into a script for {program}"),
            )
            .help("set a variable under `env:` to the expression and read that variable in the script");
        return script;
    }
    let mut scanner = Scanner {
        findings: reader.findings,
        text: &script.source,
        holes: holes.into(),
        frames: vec![Frame::Code(Code::default())],
        here: VecDeque::new(),
        at: 0,
        out: String::with_capacity(script.source.value.len()),
        bindings: Vec::new(),
        variables: BTreeMap::new(),
    };
    scanner.scan();
    (script.script, script.bindings) = (scanner.out, scanner.bindings);
    script
}

struct Scanner<'s, 'f, 'a> {
    findings: &'f mut Findings<'a>,
    text: &'s Text,
    holes: VecDeque<&'s Hole>,
    frames: Vec<Frame>,
    /// Here-documents whose bodies begin on the next line.
    here: VecDeque<Here>,
    at: usize,
    out: String,
    bindings: Vec<Binding>,
    /// The number of the variable of each expression.
    variables: BTreeMap<String, usize>,
}

impl<'s> Scanner<'s, '_, '_> {
    fn rest(&self) -> &'s str {
        &self.text.value[self.at..]
    }

    fn scan(&mut self) {
        while self.at < self.text.value.len() {
            if self.holes.front().is_some_and(|hole| hole.span.start <= self.at) {
                self.hole();
                continue;
            }
            match self.frames.last() {
                Some(Frame::Single) => self.until_quote(false),
                Some(Frame::Escaped) => self.until_quote(true),
                Some(Frame::Double) => self.double(),
                Some(Frame::Parameter) => self.parameter(),
                Some(Frame::Arithmetic(_)) => self.arithmetic(),
                Some(Frame::Here(_)) => self.here(),
                Some(Frame::Code(_)) | None => self.code(),
            }
        }
    }

    /// Takes so many bytes over as they are, but never into a hole.
    fn take(&mut self, bytes: usize) {
        let most = self.holes.front().map_or(self.text.value.len(), |hole| hole.span.start);
        let end = (self.at + bytes).min(most.max(self.at + 1)).min(self.text.value.len());
        let end = (end..=self.text.value.len())
            .find(|index| self.text.value.is_char_boundary(*index))
            .unwrap_or(end);
        self.out.push_str(&self.text.value[self.at..end]);
        self.at = end;
    }

    fn take_char(&mut self) {
        self.take(self.rest().chars().next().map_or(1, char::len_utf8));
    }

    fn open(&mut self, bytes: usize, frame: Frame) {
        self.take(bytes);
        self.frames.push(frame);
    }

    fn close(&mut self, bytes: usize) {
        self.take(bytes);
        if self.frames.len() > 1 {
            self.frames.pop();
        }
    }

    fn code_frame(&mut self) -> &mut Code {
        if !matches!(self.frames.last(), Some(Frame::Code(_))) {
            self.frames.push(Frame::Code(Code::default()));
        }
        match self.frames.last_mut() {
            Some(Frame::Code(code)) => code,
            _ => unreachable!("a code frame was just pushed"),
        }
    }

    fn code(&mut self) {
        let (rest, at) = (self.rest(), self.at);
        let Some(c) = rest.chars().next() else { return };
        let begins_word = self.out.chars().last().is_none_or(|c| " \t\r\n;&|(".contains(c));
        let code = self.code_frame();
        match c {
            '\n' => {
                code.end_command(at);
                self.take(1);
                if let Some(here) = self.here.pop_front() {
                    self.frames.push(Frame::Here(here));
                }
            }
            ' ' | '\t' | '\r' => {
                code.end_word(at);
                self.take(1);
            }
            '#' if begins_word => self.comment(),
            ';' | '&' | '|' => {
                code.end_command(at);
                self.take(1);
            }
            '\\' => self.backslash(),
            '\'' => {
                code.quoted = true;
                self.open(1, Frame::Single);
            }
            '"' => {
                code.quoted = true;
                self.open(1, Frame::Double);
            }
            '`' => self.backtick(),
            '$' => self.dollar(true),
            '<' if rest.starts_with("<<<") => {
                code.end_word(at);
                code.reads_again |= code.reads_input();
                self.take(3);
            }
            '<' if rest.starts_with("<<") => self.here_document(),
            '(' if rest.starts_with("((") && code.word.is_empty() => self.open(2, Frame::Arithmetic(2)),
            '(' => {
                code.end_command(at);
                code.parens += 1;
                self.take(1);
            }
            ')' => {
                code.end_command(at);
                if code.parens > 0 {
                    code.parens -= 1;
                    self.take(1);
                } else if code.end == Some(')') && code.cases == 0 {
                    self.close(1);
                } else {
                    self.take(1);
                }
            }
            c => {
                code.word.push(c);
                self.take_char();
            }
        }
    }

    /// A backslash takes the next character's meaning away; before an expression that can only be a mistake.
    fn backslash(&mut self) {
        if let Some(hole) = self.holes.front().filter(|hole| hole.span.start == self.at + 1) {
            let span = hole.span.clone();
            self.refuse(&span, "a backslash stands before this expression", "remove the backslash");
        }
        self.take(1);
        if self.at < self.text.value.len() && self.holes.front().is_none_or(|hole| hole.span.start > self.at)
        {
            self.spell();
            self.take_char();
        }
    }

    /// The next character belongs to the word, however it is quoted.
    fn spell(&mut self) {
        let Some(c) = self.rest().chars().next().filter(|c| *c != '\n') else { return };
        let depth = usize::from(!matches!(self.frames.last(), Some(Frame::Code(_))));
        if let Some(Frame::Code(code)) = self.frames.iter_mut().rev().nth(depth) {
            code.word.push(c);
        }
    }

    fn backtick(&mut self) {
        if matches!(self.frames.last(), Some(Frame::Code(code)) if code.end == Some('`')) {
            self.close(1);
        } else {
            self.open(1, Frame::Code(Code::ending('`')));
        }
    }

    /// `$(`, `$((`, `${`, `$'`, `$"`; anything else is an ordinary character.
    fn dollar(&mut self, quotes_count: bool) {
        let rest = self.rest();
        if rest.starts_with("$((") {
            self.open(3, Frame::Arithmetic(2));
        } else if rest.starts_with("$(") {
            self.open(2, Frame::Code(Code::ending(')')));
        } else if rest.starts_with("${") {
            self.open(2, Frame::Parameter);
        } else if quotes_count && rest.starts_with("$'") {
            self.open(2, Frame::Escaped);
        } else if quotes_count && rest.starts_with("$\"") {
            self.open(2, Frame::Double);
        } else {
            if let Some(Frame::Code(code)) = self.frames.last_mut() {
                code.word.push('$');
            }
            self.take(1);
        }
    }

    fn double(&mut self) {
        match self.rest().as_bytes().first() {
            Some(b'"') => self.close(1),
            Some(b'\\') => self.backslash(),
            Some(b'`') => self.backtick(),
            Some(b'$') => self.dollar(false),
            _ => {
                self.spell();
                self.take_char();
            }
        }
    }

    fn until_quote(&mut self, has_escapes: bool) {
        match self.rest().as_bytes().first() {
            Some(b'\'') => self.close(1),
            Some(b'\\') if has_escapes => self.take(2),
            _ => {
                self.spell();
                self.take_char();
            }
        }
    }

    fn parameter(&mut self) {
        match self.rest().as_bytes().first() {
            Some(b'}') => self.close(1),
            Some(b'\\') => self.backslash(),
            Some(b'$') => self.dollar(true),
            Some(b'"') => self.open(1, Frame::Double),
            Some(b'\'') => {
                let in_double = self
                    .frames
                    .iter()
                    .rev()
                    .skip(1)
                    .any(|frame| matches!(frame, Frame::Double | Frame::Here(_)));
                if in_double { self.take(1) } else { self.open(1, Frame::Single) }
            }
            _ => self.take_char(),
        }
    }

    fn arithmetic(&mut self) {
        let byte = self.rest().as_bytes().first().copied();
        if byte == Some(b'$') && self.rest().starts_with("$(") {
            self.dollar(false);
            return;
        }
        let Some(Frame::Arithmetic(open)) = self.frames.last_mut() else { return };
        match byte {
            Some(b'(') => *open += 1,
            Some(b')') => *open -= 1,
            _ => {}
        }
        if *open == 0 { self.close(1) } else { self.take_char() }
    }

    /// The body of a here-document, up to the line that is its delimiter.
    fn here(&mut self) {
        let at_line = self.at == 0 || self.text.value[..self.at].ends_with('\n');
        let line = self.rest().split('\n').next().unwrap_or_default();
        let Some(Frame::Here(here)) = self.frames.last() else { return };
        let shown = if here.strips_tabs { line.trim_start_matches('\t') } else { line };
        if at_line && shown.trim_end_matches('\r') == here.delimiter {
            self.close(line.len());
            self.take(1);
            if let Some(next) = self.here.pop_front() {
                self.frames.push(Frame::Here(next));
            }
            return;
        }
        let is_quoted = here.is_quoted;
        match self.rest().as_bytes().first() {
            Some(b'\\') if !is_quoted => self.backslash(),
            Some(b'`') if !is_quoted => self.backtick(),
            Some(b'$') if !is_quoted => self.dollar(false),
            _ => self.take_char(),
        }
    }

    /// `<<WORD`, `<<-WORD`, `<<'WORD'`: remembers what the body will be.
    fn here_document(&mut self) {
        let at = self.at;
        let code = self.code_frame();
        code.end_word(at);
        let for_shell = code.reads_input();
        let help = code.inline.as_ref().map(Inline::help);
        self.take(2);
        let strips_tabs = self.rest().starts_with('-');
        if strips_tabs {
            self.take(1);
        }
        let blanks = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        if blanks > 0 {
            self.take(blanks);
        }
        let word = self.rest();
        let (mut delimiter, mut is_quoted, mut quote, mut length) = (String::new(), false, None, 0);
        let most = self.holes.front().map_or(word.len(), |hole| hole.span.start - self.at);
        for (at, c) in word[..most].char_indices() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '\'' | '"') => (quote, is_quoted) = (Some(c), true),
                (None, '\\') => is_quoted = true,
                (None, c) if c.is_whitespace() || ";&|()<>".contains(c) => break,
                (_, c) => delimiter.push(c),
            }
            length = at + c.len_utf8();
        }
        if length > 0 {
            self.take(length);
        }
        if !delimiter.is_empty() {
            self.here.push_back(Here { delimiter, is_quoted, strips_tabs, for_shell, help });
        }
    }

    /// Up to the end of the line; expressions in it are left out.
    fn comment(&mut self) {
        let end = self.at + self.rest().find('\n').unwrap_or(self.rest().len());
        while self.at < end {
            match self.holes.front() {
                Some(hole) if hole.span.start <= self.at => {
                    self.out.push('…');
                    self.at = hole.span.end;
                    self.holes.pop_front();
                    if self.at > end {
                        return self.comment_goes_on();
                    }
                }
                _ => self.take_char(),
            }
        }
    }

    /// An expression in a comment may span lines; what follows it is still the comment.
    fn comment_goes_on(&mut self) {
        self.comment();
    }
}
