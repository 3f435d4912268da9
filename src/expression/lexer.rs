//! Text to words, each with its place in bytes. Knows no grammar, except that a `.` after a value
//! continues it and anywhere else begins a number.

use std::ops::Range;

use super::{
    error::{ExprError, ExprErrorKind},
    value::parse_number,
};

/// A word and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

/// The kind of a word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    OpenGroup,
    CloseGroup,
    OpenIndex,
    CloseIndex,
    Comma,
    Dot,
    Star,
    Not,
    NotEqual,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// A context, a function or, after a dot, a property.
    Name,
}

/// All words of `text`, or the first that is none.
pub(super) fn lex(text: &str) -> Result<Vec<Token>, ExprError> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new() };
    while let Some(first) = lexer.peek() {
        if first.is_whitespace() {
            lexer.at += first.len_utf8();
            continue;
        }
        let start = lexer.at;
        let kind = lexer.word(first)?;
        lexer.tokens.push(Token { kind, span: start..lexer.at });
    }
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn word(&mut self, first: char) -> Result<TokenKind, ExprError> {
        let single = match first {
            '(' => TokenKind::OpenGroup,
            ')' => TokenKind::CloseGroup,
            '[' => TokenKind::OpenIndex,
            ']' => TokenKind::CloseIndex,
            ',' => TokenKind::Comma,
            '*' => TokenKind::Star,
            '.' if self.continues_a_value() => TokenKind::Dot,
            '\'' => return self.quoted(),
            '!' | '=' | '<' | '>' | '&' | '|' => return self.operator(first),
            '.' | '-' | '+' | '0'..='9' => return self.number(),
            _ => return self.name(),
        };
        self.at += 1;
        Ok(single)
    }

    /// True if the word before is one that a dot can follow, and not an operator or an opening bracket.
    fn continues_a_value(&self) -> bool {
        matches!(
            self.tokens.last().map(|token| &token.kind),
            Some(TokenKind::Name | TokenKind::CloseGroup | TokenKind::CloseIndex | TokenKind::Star)
        )
    }

    fn operator(&mut self, first: char) -> Result<TokenKind, ExprError> {
        let rest = &self.text[self.at..];
        let pairs = [
            ("!=", TokenKind::NotEqual),
            ("==", TokenKind::Equal),
            ("<=", TokenKind::LessOrEqual),
            (">=", TokenKind::GreaterOrEqual),
            ("&&", TokenKind::And),
            ("||", TokenKind::Or),
        ];
        if let Some((_, kind)) = pairs.into_iter().find(|(sign, _)| rest.starts_with(sign)) {
            self.at += 2;
            return Ok(kind);
        }
        let single = match first {
            '!' => TokenKind::Not,
            '<' => TokenKind::Less,
            '>' => TokenKind::Greater,
            _ => {
                let end = self.boundary_after(self.at + 1, false);
                return Err(self.illegal(end));
            }
        };
        self.at += 1;
        Ok(single)
    }

    /// A text in single quotes; a quote is written twice.
    fn quoted(&mut self) -> Result<TokenKind, ExprError> {
        let mut value = String::new();
        let mut from = self.at + 1;
        while let Some(quote) = self.text[from..].find('\'').map(|index| index + from) {
            value.push_str(&self.text[from..quote]);
            if !self.text[quote + 1..].starts_with('\'') {
                self.at = quote + 1;
                return Ok(TokenKind::Text(value));
            }
            value.push('\'');
            from = quote + 2;
        }
        Err(self.illegal(self.text.len()))
    }

    fn number(&mut self) -> Result<TokenKind, ExprError> {
        let end = self.boundary_after(self.at + 1, true);
        let number = parse_number(&self.text[self.at..end]);
        if number.is_nan() {
            return Err(self.illegal(end));
        }
        self.at = end;
        Ok(TokenKind::Number(number))
    }

    fn name(&mut self) -> Result<TokenKind, ExprError> {
        let first = self.peek().map_or(1, char::len_utf8);
        let end = self.boundary_after(self.at + first, false);
        let name = &self.text[self.at..end];
        if !is_name(name) {
            return Err(self.illegal(end));
        }
        self.at = end;
        if matches!(self.tokens.last().map(|token| &token.kind), Some(TokenKind::Dot)) {
            return Ok(TokenKind::Name);
        }
        Ok(match name {
            "null" => TokenKind::Null,
            "true" => TokenKind::Bool(true),
            "false" => TokenKind::Bool(false),
            "NaN" => TokenKind::Number(f64::NAN),
            "Infinity" => TokenKind::Number(f64::INFINITY),
            _ => TokenKind::Name,
        })
    }

    fn boundary_after(&self, from: usize, dots_belong: bool) -> usize {
        let is_boundary = |c: char| {
            c.is_whitespace()
                || matches!(c, '(' | '[' | ')' | ']' | ',' | '!' | '>' | '<' | '=' | '&' | '|')
                || c == '.' && !dots_belong
        };
        self.text[from..].find(is_boundary).map_or(self.text.len(), |index| index + from)
    }

    fn illegal(&self, end: usize) -> ExprError {
        ExprError::at(ExprErrorKind::IllegalSymbol, self.text, self.at..end)
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}
