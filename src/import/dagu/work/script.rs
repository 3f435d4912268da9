//! The script of a step: shell text, words of a program, or a program in another language.

use crate::argo::{Piece, in_shell};
use crate::dagu::scope::Done;
use crate::dagu::steps::Step;
use crate::dagu::values::{Names, Part, Parts, in_double_quotes, plain, with_holes};
use crate::dagu::words::{interpreter, shell_words};
use crate::dagu::{Import, one};
use crate::foreign;
use crate::page::{one_line, without_holes};
use cuelight_base::{Value, ValueMap, is_shell};
use std::collections::BTreeSet;

/// Variables of earlier steps that a step gets without naming them.
pub(super) const UNNAMED_MAX: usize = 20;

/// The variable of a step that holds the value of an expression.
fn bound(values: &mut ValueMap, expression: &str) -> String {
    let value = format!("${{{{ {expression} }}}}");
    let known =
        values.iter().find(|(name, other)| name.starts_with("CUE_ARG_") && other.as_str() == Some(&value));
    if let Some((name, _)) = known {
        return name.clone();
    }
    let name = format!("CUE_ARG_{}", values.len() + 1);
    values.insert(name.clone(), value.into());
    name
}

/// A script whose values are variables of its step, each one word; none when one stands where a shell fills in nothing.
pub(in crate::dagu) fn in_script(found: &Parts, values: &mut ValueMap) -> Option<String> {
    let mut head = String::new();
    let pieces: Vec<Piece> = found
        .iter()
        .map(|part| match part {
            Part::Text(text) => Piece::Text(text.clone()),
            Part::Value(expression) => Piece::Hole(bound(values, expression)),
            Part::Variable(inner) => Piece::Hole(inner.clone()),
            Part::File(expression) => {
                let name = bound(values, expression);
                let file = name.replace("ARG", "FILE");
                head.push_str(&format!("{file}=$(mktemp)\nprintf '%s\\n' \"${name}\" > \"${file}\"\n"));
                Piece::Hole(file)
            }
        })
        .collect();
    let (script, is_lost) = in_shell(&pieces, str::to_owned);
    (!is_lost).then_some(head + &script)
}

/// A text between double quotes of a shell.
pub(in crate::dagu) fn in_quotes(found: &Parts, values: &mut ValueMap) -> String {
    found
        .iter()
        .map(|part| match part {
            Part::Text(text) => in_double_quotes(text),
            Part::Value(expression) | Part::File(expression) => format!("${{{}}}", bound(values, expression)),
            Part::Variable(inner) => format!("${{{inner}}}"),
        })
        .collect()
}

impl Import<'_> {
    /// One script, or several commands with a shell each.
    pub(super) fn commands(
        &mut self,
        step: &Step,
        id: &str,
        said: &Value,
        ancestors: &BTreeSet<String>,
        done: &mut Done,
    ) -> ValueMap {
        let Value::Array(items) = said else {
            let mut text = foreign::text(said).unwrap_or_default();
            if text.trim().is_empty() {
                self.refuse(&step.path, "a step runs nothing");
            }
            for word in foreign::texts(step.body.get("args")) {
                text.push_str(&format!(" \"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")));
            }
            return self.script(step, id, &text, ancestors, done);
        };
        let mut all = String::new();
        for item in items {
            let text = match item {
                Value::Object(map) if map.len() == 1 => map
                    .iter()
                    .next()
                    .and_then(|(key, value)| Some(format!("{key}: {}", foreign::text(value)?))),
                other => foreign::text(other),
            };
            match text {
                Some(text) if text.contains('\n') => {
                    self.refuse(&step.path, "a command of a list has one line");
                }
                Some(text) if text.trim().is_empty() => {}
                Some(text) => all.push_str(&format!("(\n{text}\n)\n")),
                None => self.refuse(&step.path, "a command of a list is one text"),
            }
        }
        if all.is_empty() {
            self.refuse(&step.path, "a step runs nothing");
        }
        self.script(step, id, &format!("set -e\n{all}"), ancestors, done)
    }

    pub(super) fn words(
        &mut self,
        step: &Step,
        words: Vec<String>,
        ancestors: &BTreeSet<String>,
        done: &mut Done,
    ) -> ValueMap {
        let mut values = ValueMap::new();
        let mut all = Vec::new();
        for word in words {
            let found = self.read_text(step, ancestors, &word, Names::All);
            all.push(format!("\"{}\"", in_quotes(&found, &mut values)));
        }
        if all.is_empty() {
            self.refuse(&step.path, "a step runs nothing");
        }
        self.finished(step, &all.join(" "), values, ancestors, done)
    }

    pub(super) fn script(
        &mut self,
        step: &Step,
        id: &str,
        script: &str,
        ancestors: &BTreeSet<String>,
        done: &mut Done,
    ) -> ValueMap {
        let found = self.read_text(step, ancestors, script, Names::Shell);
        if self.program(step, script).is_some_and(|words| !is_shell(&words[0])) {
            let Some(text) = plain(&found) else {
                return self.by_hand(
                    step,
                    id,
                    "a script with values in a language of its own",
                    ancestors,
                    done,
                );
            };
            return self.other_language(step, &text, ancestors, done);
        }
        let mut values = ValueMap::new();
        match in_script(&found, &mut values) {
            Some(script) => self.finished(step, &script, values, ancestors, done),
            None => {
                self.by_hand(step, id, "a script with values where a shell fills in nothing", ancestors, done)
            }
        }
    }

    /// The words of the program that runs a script; none for the shell of the workflow.
    pub(super) fn program(&mut self, step: &Step, script: &str) -> Option<Vec<String>> {
        let with = step.body.get("with").and_then(Value::as_object).filter(|with| with.contains_key("shell"));
        let own = step.body.contains_key("shell").then_some(&step.body).or(with);
        let own = own.and_then(|map| self.shell(&map.clone()));
        match own {
            Some(own) => Some(super::super::words::words(&own)),
            None => interpreter(script).filter(|_| script.contains('\n')).or_else(|| self.program.clone()),
        }
    }

    fn other_language(
        &mut self,
        step: &Step,
        script: &str,
        ancestors: &BTreeSet<String>,
        done: &mut Done,
    ) -> ValueMap {
        let words = self.program(step, script).unwrap_or_default();
        for key in ["output", "stdout", "stderr", "repeat_policy"] {
            if step.body.contains_key(key) {
                let path = format!("{}.{key}", step.path);
                self.lose(
                    &path,
                    &format!("`{path}`: its script writes to $CUELIGHT_OUTPUT, or to a file, itself"),
                );
            }
        }
        if !self.prelude.is_empty() {
            self.lose(
                &step.path,
                &format!("variables that a shell works out do not reach {}", one_line(&step.name)),
            );
        }
        let mut keys = one("run", without_holes(script));
        keys.insert("shell".to_owned(), shell_words(&words).into());
        let mut env = ValueMap::new();
        for (name, found) in self.own_env(step, ancestors) {
            match with_holes(&found) {
                Some(text) => drop(env.insert(name, text.into())),
                None => self.lose(
                    &format!("{}.env", step.path),
                    &format!("the variable {name} of {}: only a shell can work it out", one_line(&step.name)),
                ),
            }
        }
        if !env.is_empty() {
            keys.insert("env".to_owned(), env.into());
        }
        self.declared_outputs(step, &mut keys, done);
        if self.directory_of(step, ancestors, &mut keys).is_some() {
            self.lose(
                &step.path,
                &format!("the directory of {}: only a shell can work it out", one_line(&step.name)),
            );
        }
        self.rules(step, &mut keys);
        keys
    }
}
