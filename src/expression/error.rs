//! The errors of an expression, in GitHub's words: when it is read, and when it is evaluated.

use std::{fmt, ops::Range};

use cuelight_base::{EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX};

/// An expression that could not be read. `Display` is GitHub's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    /// The kind of the error.
    pub kind: ExprErrorKind,
    /// GitHub's whole error message.
    pub message: String,
    /// The place as GitHub counts it: the character column from 1, within the text that was given to the
    /// parser (for a template, the whole template).
    pub position: usize,
    /// The place in bytes of the text that was given to the parser; for a caret.
    pub span: Range<usize>,
}

/// The ways in which an expression can be wrong before it is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExprErrorKind {
    /// Characters that begin nothing.
    IllegalSymbol,
    /// A word or sign where it may not stand.
    UnexpectedSymbol,
    /// Something is missing at the end.
    UnexpectedEnd,
    /// Nothing at all was written.
    Empty,
    /// A function of this name does not exist.
    UnrecognizedFunction,
    /// A context of this name does not exist.
    UnrecognizedNamedValue,
    /// Fewer arguments than the function needs.
    TooFewParameters,
    /// More arguments than the function takes.
    TooManyParameters,
    /// `case` wants pairs and a last value.
    EvenParameters,
    /// The expression is nested too deep.
    TooDeep,
    /// The expression has too many characters.
    TooLong,
    /// A `${{` without its `}}`.
    Unclosed,
}

impl ExprErrorKind {
    /// True if the words themselves are wrong, before any grammar.
    pub fn is_lexing(self) -> bool {
        self == Self::IllegalSymbol
    }

    fn words(self) -> String {
        match self {
            Self::IllegalSymbol | Self::UnexpectedSymbol => "Unexpected symbol".to_owned(),
            Self::UnexpectedEnd => "Unexpected end of expression".to_owned(),
            Self::Empty => "An expression was expected".to_owned(),
            Self::UnrecognizedFunction => "Unrecognized function".to_owned(),
            Self::UnrecognizedNamedValue => "Unrecognized named-value".to_owned(),
            Self::TooFewParameters => "Too few parameters supplied".to_owned(),
            Self::TooManyParameters => "Too many parameters supplied".to_owned(),
            Self::EvenParameters => {
                "Even number of parameters supplied, requires an odd number of parameters".to_owned()
            }
            Self::TooDeep => format!("Exceeded max expression depth {EXPRESSION_DEPTH_MAX}"),
            Self::TooLong => format!("Exceeded max expression length {EXPRESSION_CHARS_MAX}"),
            Self::Unclosed => "The expression is not closed. An unescaped ${{ sequence was found, but the \
                closing }} sequence was not found."
                .to_owned(),
        }
    }
}

impl ExprError {
    /// An error about the words at `span`.
    pub(super) fn at(kind: ExprErrorKind, text: &str, span: Range<usize>) -> Self {
        let position = text[..span.start].chars().count() + 1;
        let word = &text[span.clone()];
        let message =
            format!("{}: '{word}'. Located at position {position} within expression: {text}", kind.words());
        Self { kind, message, position, span }
    }

    /// An error about the whole text, which names no place.
    pub(super) fn whole(kind: ExprErrorKind, span: Range<usize>) -> Self {
        Self { kind, message: kind.words(), position: 1, span }
    }

    /// The same error, seen from a text in which the expression begins at byte `start`.
    pub(super) fn moved(mut self, text: &str, start: usize) -> Self {
        self.span = self.span.start + start..self.span.end + start;
        self.position = text[..self.span.start].chars().count() + 1;
        self
    }
}

impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExprError {}

/// A well-formed expression that has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvalError {
    /// A function could not work with its arguments; GitHub's text.
    Function(String),
    /// A value would have outgrown its limit, in bytes.
    TooLarge(usize),
    /// The hash of these files has to be fetched first; then evaluate again.
    NeedsFiles(Vec<String>),
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(message) => f.write_str(message),
            Self::TooLarge(bytes) => {
                write!(
                    f,
                    "The value would be larger than {bytes} bytes; make it smaller, or pass it in a file"
                )
            }
            Self::NeedsFiles(patterns) => {
                write!(f, "hashFiles({}) has to be read from the disk first", patterns.join(", "))
            }
        }
    }
}

impl std::error::Error for EvalError {}
