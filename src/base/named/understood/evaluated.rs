//! Arithmetic and tests in `[[`, which evaluate the values of variables: a value may hold a command.

use super::{Judge, Word};
use crate::named::plain_form::evaluated;
use crate::named::variable::is_variable as is_name;

/// Signs of `[[` whose sides are arithmetic.
const COMPARES: &[&str] = &["-eq", "-ne", "-lt", "-le", "-gt", "-ge"];

impl Judge<'_> {
    /// Arithmetic: the values of its names have to be numbers.
    pub(super) fn evaluates(&mut self, arithmetic: &str, construct: &str) {
        let Some(names) = evaluated(arithmetic) else { return self.tell(construct) };
        for name in names {
            let is_early = !self.told.assigned.contains(name);
            *self.told.evaluated.entry(name.to_owned()).or_default() |= is_early;
        }
    }

    /// Behind `[[`.
    pub(super) fn condition(&mut self) -> Option<()> {
        if !self.is_bash {
            self.tell("`[[` in a text of sh");
        }
        let mut before = Word::default();
        loop {
            while self.takes(" ") || self.takes("\t") || self.takes("\\\n") || self.takes("\n") {}
            if self.is_reserved("]]") {
                self.at += "]]".len();
                return Some(());
            }
            match self.peek() {
                None => return self.stop("`[[` without an end"),
                Some('&' | '|') if self.takes("&&") || self.takes("||") => {}
                Some('(' | ')' | '<' | '>') => self.at += 1,
                Some('&' | '|' | ';' | '#') => return self.stop("a pattern in `[[`"),
                Some(_) => {
                    let begin = self.at;
                    let word = self.word()?;
                    let compares = |word: &Word| COMPARES.contains(&word.text.as_str());
                    for (sign, operand) in [(&before, &word), (&word, &before)] {
                        if compares(sign) {
                            self.evaluates(&operand.text, &format!("`[[ {}`", sign.text));
                        }
                    }
                    if before.text == "-v" && !is_name(&self.text[begin..self.at]) {
                        self.tell("`[[ -v`");
                    }
                    before = word;
                }
            }
        }
    }
}
