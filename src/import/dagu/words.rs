//! The several ways in which Dagu writes numbers, variables, words and shells.

use crate::foreign;
use cuelight_base::{Value, ValueMap, is_shell};

/// A whole number, also as text.
pub(super) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Variables, as a mapping, as a list of mappings, or as a list of `NAME=value`; none when it is anything else.
pub(super) fn pairs(value: &Value) -> Option<Vec<(String, String)>> {
    let of_map = |map: &ValueMap| -> Option<Vec<(String, String)>> {
        let text = |value: &Value| match value {
            Value::Null => Some(String::new()),
            other => foreign::text(other),
        };
        map.iter().map(|(key, value)| Some((key.clone(), text(value)?))).collect()
    };
    match value {
        Value::Object(map) => of_map(map),
        Value::Array(items) => {
            let mut out = Vec::new();
            for item in items {
                match item {
                    Value::Object(map) => out.extend(of_map(map)?),
                    other => {
                        let text = foreign::text(other)?;
                        let (name, value) = text.split_once('=')?;
                        out.push((name.to_owned(), value.to_owned()));
                    }
                }
            }
            Some(out)
        }
        _ => None,
    }
}

/// Words of a line; blanks between quotes part nothing.
pub(super) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        is_quoted ^= c == '"';
        if c.is_whitespace() && !is_quoted {
            words.push(std::mem::take(&mut word));
        } else {
            word.push(c);
        }
    }
    words.push(word);
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

/// A shell with what makes it take a script as a word.
pub(super) fn shell_words(all: &[String]) -> String {
    let is_known = all.first().is_some_and(|program| is_shell(program));
    let ends = all.last().is_some_and(|word| word == "-c");
    let flag = if is_known && !ends { " -c" } else { "" };
    format!("{}{flag}", all.join(" "))
}

/// The interpreter that the first line of a script names, with its words.
pub(super) fn interpreter(script: &str) -> Option<Vec<String>> {
    let line = script.lines().next()?.strip_prefix("#!")?;
    let mut all = words(line.trim());
    if all.first().is_some_and(|program| program.ends_with("/env")) {
        all.remove(0);
    }
    (!all.is_empty()).then_some(all)
}
