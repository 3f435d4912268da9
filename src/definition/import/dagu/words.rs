//! How Dagu writes commands, conditions, parameters and variables: each in several ways.

use crate::{
    base::{Value, ValueMap},
    definition::import::{foreign, page::variable},
};

/// The script of a step: `script`, or `command` with its arguments.
pub(super) fn command(body: &ValueMap) -> Option<String> {
    if let Some(script) = foreign::text_at(body, "script") {
        return Some(script);
    }
    match body.get("command")? {
        // Words as they are: a shell would read them.
        Value::Array(words) => {
            let words: Vec<String> = words.iter().filter_map(foreign::text).collect();
            Some(words.iter().map(|it| word(it)).collect::<Vec<_>>().join(" "))
        }
        one => {
            let args = foreign::texts(body.get("args"));
            Some(
                [foreign::text(one)?]
                    .into_iter()
                    .chain(args.iter().map(|it| word(it)))
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        }
    }
}

/// A word of a command: variables in it are still filled in, as Dagu does.
fn word(text: &str) -> String {
    let is_plain =
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,@%+${}".contains(c));
    if is_plain && !text.contains('$') {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// The variable that a step's output is kept in.
pub(super) fn kept(body: &ValueMap) -> Option<String> {
    let said = body.get("output")?;
    let name = foreign::text(said).or_else(|| foreign::text_at(said.as_object()?, "name"))?;
    Some(variable(name.trim_start_matches('$').trim_matches(['{', '}'])))
}

/// A condition as a test of a shell: a value that is expected, or a command that succeeds.
pub(super) fn test(it: &Value) -> Option<String> {
    if let Some(command) = foreign::text(it) {
        return Some(format!("{{ {command}; }}"));
    }
    let it = it.as_object()?;
    let condition = foreign::text_at(it, "condition").or_else(|| foreign::text_at(it, "command"))?;
    Some(match foreign::text_at(it, "expected") {
        None => format!("{{ {condition}; }}"),
        Some(expected) => match expected.strip_prefix("re:") {
            Some(pattern) => format!("grep -qE '{}' <<< \"{condition}\"", pattern.replace('\'', "'\\''")),
            None => format!("[ \"{condition}\" = \"{expected}\" ]"),
        },
    })
}

/// Variables, as a mapping, as a list of mappings, or as a list of `NAME=value`.
pub(super) fn pairs(value: Option<&Value>) -> Vec<(String, String)> {
    params(value).into_iter().filter_map(|(name, it)| Some((name?, it))).collect()
}

/// Words of a line; blanks between quotes part nothing.
fn words(line: &str) -> Vec<String> {
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
    words.into_iter().filter(|it| !it.is_empty()).collect()
}

/// Parameters: those with a name, and those of which only the place is known.
pub(super) fn params(value: Option<&Value>) -> Vec<(Option<String>, String)> {
    let of_map = |map: &ValueMap| -> Vec<(Option<String>, String)> {
        // The long form: a name, a default and more.
        if let (Some(name), true) =
            (foreign::text_at(map, "name"), map.contains_key("type") || map.contains_key("default"))
        {
            return vec![(Some(variable(&name)), foreign::text_at(map, "default").unwrap_or_default())];
        }
        map.iter().map(|(key, it)| (Some(variable(key)), foreign::text(it).unwrap_or_default())).collect()
    };
    let of_word = |word: &str| match word.split_once('=') {
        Some((name, it)) => (Some(variable(name)), it.trim_matches('"').to_owned()),
        None => (None, word.trim_matches('"').to_owned()),
    };
    match value {
        Some(Value::Object(map)) => of_map(map),
        Some(Value::Array(items)) => items
            .iter()
            .flat_map(|it| {
                it.as_object()
                    .map_or_else(|| foreign::text(it).iter().map(|it| of_word(it)).collect(), of_map)
            })
            .collect(),
        Some(one) => foreign::text(one)
            .iter()
            .flat_map(|it| words(it).iter().map(|it| of_word(it)).collect::<Vec<_>>())
            .collect(),
        None => Vec::new(),
    }
}
