//! How Dagu writes steps, commands, conditions, parameters and variables: each in several ways.

use crate::{
    base::{Value, ValueMap},
    definition::import::{
        foreign,
        page::{in_order, variable},
    },
};

/// Steps after those they depend on; those in a circle as they stand.
pub(super) fn ordered(steps: Vec<(String, ValueMap)>) -> Vec<(String, ValueMap)> {
    let names: Vec<Vec<String>> = steps
        .iter()
        .map(|(name, body)| std::iter::once(name.clone()).chain(foreign::text_at(body, "id")).collect())
        .collect();
    let needs: Vec<Vec<String>> =
        steps.iter().map(|(_, body)| foreign::texts(any(body, &["depends", "dependencies"]))).collect();
    let mut steps: Vec<Option<(String, ValueMap)>> = steps.into_iter().map(Some).collect();
    in_order(&names, &needs).into_iter().filter_map(|it| steps[it].take()).collect()
}

/// Steps with their names: a list, or a mapping of names.
pub(super) fn steps(root: &ValueMap) -> Vec<(String, ValueMap)> {
    let of_list = |(index, it): (usize, &Value)| {
        let body = match it {
            Value::Object(body) => body.clone(),
            // A step may be its command alone.
            other => ValueMap::from_iter([("command".to_owned(), other.clone())]),
        };
        let name = foreign::text_at(&body, "name").or_else(|| foreign::text_at(&body, "id"));
        (name.unwrap_or_else(|| format!("step-{}", index + 1)), body)
    };
    match root.get("steps") {
        Some(Value::Array(items)) => items.iter().enumerate().map(of_list).collect(),
        Some(Value::Object(named)) => {
            named.iter().filter_map(|(name, it)| Some((name.clone(), it.as_object()?.clone()))).collect()
        }
        _ => Vec::new(),
    }
}

/// A value behind one of the spellings of a key.
pub(super) fn any<'v>(map: &'v ValueMap, keys: &[&str]) -> Option<&'v Value> {
    keys.iter().find_map(|it| map.get(*it))
}

pub(super) fn any_text(map: &ValueMap, keys: &[&str]) -> Option<String> {
    any(map, keys).and_then(foreign::text)
}

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
pub(super) fn kept_as(body: &ValueMap) -> Option<String> {
    let said = body.get("output")?;
    let name = foreign::text(said).or_else(|| foreign::text_at(said.as_object()?, "name"))?;
    Some(variable(name.trim_start_matches('$').trim_matches(['{', '}'])))
}

/// A condition as a test of a shell: a value that is expected, or a command that succeeds. None when it is anything else.
pub(super) fn test(it: &Value) -> Option<String> {
    const KNOWN: [&str; 4] = ["condition", "command", "expected", "negate"];
    if let Some(command) = foreign::text(it) {
        return Some(format!("{{ {command}; }}"));
    }
    let it = it.as_object().filter(|it| it.keys().all(|key| KNOWN.contains(&key.as_str())))?;
    let condition = foreign::text_at(it, "condition").or_else(|| foreign::text_at(it, "command"))?;
    let test = match foreign::text_at(it, "expected") {
        None => format!("{{ {condition}; }}"),
        Some(expected) => match expected.strip_prefix("re:") {
            Some(pattern) => format!("grep -qE -- '{}' <<< \"{condition}\"", pattern.replace('\'', "'\\''")),
            None => format!("[ \"{condition}\" = \"{expected}\" ]"),
        },
    };
    Some(if it.get("negate") == Some(&Value::Bool(true)) { format!("! {test}") } else { test })
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
