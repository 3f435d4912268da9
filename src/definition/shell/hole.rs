//! An expression in a script: it becomes a variable, or is refused where a shell would read it as code.

use super::Scanner;
use super::frame::Frame;
use crate::inline::Inline;
use crate::read::locate;
use crate::{Binding, Placed};
use cuelight_expression::Hole;
use std::ops::Range;

const ARITHMETIC_TESTS: &[&str] = &["-eq", "-ne", "-lt", "-le", "-gt", "-ge"];

impl Scanner<'_, '_, '_> {
    pub(super) fn hole(&mut self) {
        let Some(hole) = self.holes.pop_front() else { return };
        let reference = self.reference(hole);
        let in_quotes = match self.frames.last() {
            Some(Frame::Code(code)) => {
                let arithmetic = code.test.is_some_and(|start| self.tests_numbers(start));
                let inside_double = code.end == Some('`')
                    && self.frames.iter().any(|frame| matches!(frame, Frame::Double | Frame::Here(_)));
                if arithmetic {
                    self.refuse(
                        &hole.span,
                        "`[[ … ]]` evaluates numbers as code; a value here could run commands",
                        "use `[ … ]`, which compares without evaluating",
                    );
                } else if inside_double {
                    self.refuse(
                        &hole.span,
                        "an expression in backticks inside double quotes",
                        "use $( … ) instead",
                    );
                }
                false
            }
            Some(Frame::Double) => true,
            Some(Frame::Here(here)) => {
                let (is_quoted, for_shell) = (here.is_quoted, here.for_shell);
                if is_quoted {
                    self.refuse(
                        &hole.span,
                        "nothing is expanded in a here-document whose delimiter is quoted",
                        "remove the quotes around the delimiter, or set a variable under `env:`",
                    );
                } else if for_shell {
                    self.refuse_code(&hole.span);
                }
                true
            }
            Some(Frame::Single | Frame::Escaped) => {
                self.refuse(
                    &hole.span,
                    "nothing is expanded between single quotes",
                    "use double quotes; the value stays one word and is never read as code",
                );
                true
            }
            Some(Frame::Parameter) => {
                self.refuse(
                    &hole.span,
                    "an expression inside the braces of a parameter",
                    "set a variable under `env:` to the expression and use that",
                );
                true
            }
            Some(Frame::Arithmetic(_)) => {
                self.refuse(
                    &hole.span,
                    "arithmetic evaluates its operands as code; a value here could run commands",
                    "compute in an expression step by step, or check the value first and use a variable from `env:`",
                );
                true
            }
            None => false,
        };
        let read_again =
            self.frames.iter().any(|frame| matches!(frame, Frame::Code(code) if code.reads_this()));
        if read_again {
            self.refuse_code(&hole.span);
        }
        if let Some(Frame::Code(code)) = self.frames.last_mut() {
            code.word.push('…');
        }
        let quote = if in_quotes { "" } else { "\"" };
        for part in [quote, "${", &reference, "}", quote] {
            self.out.push_str(part);
        }
        self.at = hole.span.end;
    }

    /// True if the `[[ … ]]` that opened at `start` compares numbers.
    fn tests_numbers(&self, start: usize) -> bool {
        let text = &self.text.value[start.min(self.text.value.len())..];
        let end = text.find("]]").unwrap_or(text.len());
        text[..end].split_whitespace().any(|word| ARITHMETIC_TESTS.contains(&word))
    }

    /// The variable of an expression: the same one for the same text.
    fn reference(&mut self, hole: &Hole) -> String {
        let next = self.variables.len() + 1;
        let number = *self.variables.entry(hole.source.clone()).or_insert(next);
        let variable = format!("CUE_{number}");
        if number == next {
            let expression = Placed::new(hole.source.clone(), self.text.place);
            self.bindings.push(Binding { variable: variable.clone(), expression });
        }
        variable
    }

    fn refuse_code(&mut self, span: &Range<usize>) {
        let of_frame = |frame: &Frame| match frame {
            Frame::Code(code) => code.inline.as_ref().map(Inline::help),
            Frame::Here(here) => here.help.clone(),
            _ => None,
        };
        let help = self.frames.iter().rev().find_map(of_frame).unwrap_or_else(|| {
            "hand the value over as an argument or a variable of its own: bash -c '… \"$1\"' _ \"$VALUE\""
                .to_owned()
        });
        let message = "this command reads its arguments as code; a value here could run commands";
        self.refuse(span, message, &help);
    }

    pub(super) fn refuse(&mut self, span: &Range<usize>, message: &str, help: &str) {
        let place = locate(self.findings, self.text.place, &self.text.value, span.clone());
        self.findings.error("shell-quoting", place, message).help(help);
    }
}
