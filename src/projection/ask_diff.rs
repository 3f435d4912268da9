//! The differences between two asks: between now and the last approval, or between now and before an edit.

use cuelight_base::{Digest, Value, ValueMap};
use cuelight_engine::Ask;

/// One field that differs. Values are foreign text.
#[derive(Clone, Debug, PartialEq)]
pub struct AskChange {
    /// The place in the ask: `form.amount.value`, `will_run[deploy].launch.argv[2]`.
    pub path: String,
    /// The old value; none when the field is new.
    pub before: Option<Value>,
    /// The new value; none when the field is gone.
    pub after: Option<Value>,
}

impl AskChange {
    /// True if it concerns what an approval lets run, and not only what is shown and asked.
    pub fn is_of_calls(&self) -> bool {
        let root = self.path.split(['.', '[']).next().unwrap_or_default();
        matches!(root, "will_run" | "writes" | "later" | "all" | "snapshot" | "definition")
    }

    /// The digests before and after, where it is the content of a script.
    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> {
        let values = [&self.before, &self.after].into_iter().flatten().filter(|_| self.is_script());
        values.filter_map(|value| value.as_str()?.parse().ok())
    }

    /// True if it is the content of a script that an approval lets run.
    pub(super) fn is_script(&self) -> bool {
        self.is_of_calls() && self.path.ends_with(".digest")
    }

    /// The change as people read it: what it is about, then the values before and after, where they say more than that.
    pub fn words(&self) -> (String, [Option<String>; 2]) {
        let (root, rest) = self.path.split_at(self.path.find(['.', '[']).unwrap_or(self.path.len()));
        let (name, inner) = in_brackets(rest).unwrap_or((rest.trim_start_matches('.'), ""));
        let inner = inner.trim_start_matches('.');
        let both = [&self.before, &self.after].map(|value| value.as_ref().map(value_words));
        let added = self.before.is_none();
        let calls = self
            .after
            .as_ref()
            .or(self.before.as_ref())
            .and_then(|value| value.get("launch"))
            .map(call_words);
        match (root, inner) {
            _ if self.path.ends_with(ORDER) => {
                (format!("the order of {}", self.path.trim_end_matches(ORDER)), both)
            }
            ("definition", _) => ("the workflow file has changed".to_owned(), [None, None]),
            ("plan", _) => ("the plan of the run differs: its steps or its inputs".to_owned(), [None, None]),
            ("prompt", _) => match &self.before {
                Some(Value::String(before)) => (format!("the question was: {}", before.trim()), [None, None]),
                _ => ("the question".to_owned(), both),
            },
            ("form", "value") => (format!("form field {name}"), both),
            ("will_run", "") => {
                let verb = if added { "will also run" } else { "will not run any more:" };
                (format!("{verb} {name}"), [None, calls])
            }
            ("will_run", "launch_hash") => (format!("the call of {name} has changed"), [None, None]),
            ("will_run", "fallback") => (format!("the fallback of {name} has changed"), [None, None]),
            ("will_run" | "later", inner) if inner.starts_with("files[") => {
                match in_brackets(&inner["files".len()..]) {
                    Some((file, ".digest" | ".bytes")) => {
                        (format!("the file {file} of {name} has changed"), [None, None])
                    }
                    Some((file, "")) => {
                        let verb = if added { "is new" } else { "is gone" };
                        (format!("the file {file} of {name} {verb}"), [None, None])
                    }
                    _ => (format!("the files of {name}: {inner}"), both),
                }
            }
            ("will_run", inner) => (of_launch(name, inner), both),
            ("writes", "") => {
                let verb = if added { "will also set or send" } else { "will not set or send any more:" };
                (format!("{verb} {name}"), [None, None])
            }
            ("writes", inner) => (format!("what {name} sets or sends: {inner}"), both),
            ("later", "template" | "kind") => (format!("the text of {name} has changed"), [None, None]),
            ("later", "") => {
                let verb = if added { "can also call later" } else { "calls no more later:" };
                (format!("{verb} {name}"), [None, None])
            }
            ("evidence", "text") => (format!("evidence {name}"), both),
            ("evidence", "digest" | "bytes") => (format!("the content of {name} has changed"), [None, None]),
            ("starts", _) => ("starts".to_owned(), both),
            ("skips", _) => ("skips at a rejection".to_owned(), both),
            ("runs_anyway", _) => ("runs although it is rejected".to_owned(), both),
            ("escalate", _) => ("escalates to".to_owned(), both),
            ("undoes", _) => ("undoes at a rejection".to_owned(), both),
            ("cannot_undo", _) => ("cannot undo".to_owned(), both),
            _ => (self.path.clone(), both),
        }
    }
}

/// A field of the call of a step, as people name it.
fn of_launch(step: &str, field: &str) -> String {
    let launch = field.strip_prefix("launch.").unwrap_or(field);
    if launch.starts_with("argv") {
        return format!("the command of {step}");
    }
    if let Some((name, _)) = launch.strip_prefix("env").and_then(in_brackets) {
        return format!("{name} of {step}");
    }
    if let Some(input) = launch.strip_prefix("tool.input.") {
        return format!("{input} given to {step}");
    }
    match launch {
        "dir" => format!("the directory of {step}"),
        "undo" => format!("the undo of {step}"),
        "effect" => format!("the effect of {step}"),
        _ => format!("the call of {step}: {launch}"),
    }
}

/// The name in the brackets at the front, and the rest. A name may have brackets itself, as that of a copy has.
fn in_brackets(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    for (at, c) in text.strip_prefix('[').map(|_| text)?.char_indices() {
        depth += i32::from(c == '[') - i32::from(c == ']');
        if depth == 0 {
            return Some((&text[1..at], &text[at + 1..]));
        }
    }
    None
}

/// A value as people read it.
fn value_words(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        value => value.to_string(),
    }
}

/// The command line of a call in an ask.
fn call_words(launch: &Value) -> String {
    let argv = launch.get("argv").and_then(Value::as_array).into_iter().flatten();
    argv.map(|item| item.as_str().map_or_else(|| item.to_string(), ToOwned::to_owned))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The end of the path of a list whose items have another order.
const ORDER: &str = ".order";

/// Fields that differ between any two asks and say nothing.
const NOISE: [&str; 5] = ["run", "gate", "epoch", "opened_at", "expires_at"];

/// The differences, in the order of the fields. Fields derived from others, such as hashes, are listed as
/// well: they are part of the approved ask.
pub fn ask_diff(before: &Ask, after: &Ask) -> Vec<AskChange> {
    let [before, after] = [before, after].map(|ask| {
        let mut value = serde_json::to_value(ask).expect("an ask holds nothing that JSON does not");
        if let Value::Object(fields) = &mut value {
            for text in NOISE {
                drop(fields.shift_remove(text));
            }
        }
        value
    });
    let mut changes = Vec::new();
    compare("", &before, &after, &mut changes);
    changes
}

/// The differences in what an approval lets run.
pub(super) fn calls_diff(before: &Ask, after: &Ask) -> Vec<AskChange> {
    let mut changes = ask_diff(before, after);
    changes.retain(AskChange::is_of_calls);
    changes
}

fn compare(path: &str, before: &Value, after: &Value, out: &mut Vec<AskChange>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => compare_objects(path, before, after, out),
        (Value::Array(before), Value::Array(after)) => compare_arrays(path, before, after, out),
        _ if before == after => {}
        _ => out.push(AskChange {
            path: path.to_owned(),
            before: Some(before.clone()),
            after: Some(after.clone()),
        }),
    }
}

fn compare_objects(path: &str, before: &ValueMap, after: &ValueMap, out: &mut Vec<AskChange>) {
    let under = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    for (key, old) in before {
        match after.get(key) {
            Some(new) => compare(&under(key), old, new, out),
            None => out.push(AskChange { path: under(key), before: Some(old.clone()), after: None }),
        }
    }
    for (key, new) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
        out.push(AskChange { path: under(key), before: None, after: Some(new.clone()) });
    }
}

/// Items with a name are compared with the item of that name, others with the item at their place.
fn compare_arrays(path: &str, before: &[Value], after: &[Value], out: &mut Vec<AskChange>) {
    // Lists inside of values are values: their items have no names for us, and their order counts.
    let is_ours = {
        let list = path.rsplit('.').next().unwrap_or_default();
        let lists =
            ["will_run", "writes", "later", "evidence", "form", "files", "fallback", "env", "excluded"];
        let is_value =
            [".values", ".input", ".value", ".http", ".model"].iter().any(|part| path.contains(part));
        lists.contains(&list) && !is_value
    };
    let [before, after] = [before, after].map(|items| {
        let named = items.iter().enumerate().map(|(index, item)| {
            let field = ["name", "step", "title", "path"].iter().find_map(|key| item.get(key)?.as_str());
            // A variable is a pair of its name and its value.
            let name = field
                .filter(|_| is_ours)
                .or_else(|| item.get(0).filter(|_| is_ours && item.get(1).is_some())?.as_str());
            (name.map_or_else(|| index.to_string(), ToOwned::to_owned), item.clone())
        });
        let mut map = ValueMap::new();
        for (name, item) in named {
            let mut key = format!("[{name}]");
            while map.contains_key(&key) {
                key.push('\'');
            }
            map.insert(key, item);
        }
        map
    });
    let names = |map: &ValueMap, other: &ValueMap| -> Vec<String> {
        map.keys().filter(|key| other.contains_key(*key)).cloned().collect()
    };
    let (old, new) = (names(&before, &after), names(&after, &before));
    if old != new {
        let value = |names: Vec<String>| Some(Value::from(names.join(" ")));
        out.push(AskChange { path: format!("{path}{ORDER}"), before: value(old), after: value(new) });
    }
    for (key, old) in &before {
        match after.get(key) {
            Some(new) => compare(&format!("{path}{key}"), old, new, out),
            None => {
                out.push(AskChange { path: format!("{path}{key}"), before: Some(old.clone()), after: None });
            }
        }
    }
    for (key, new) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
        out.push(AskChange { path: format!("{path}{key}"), before: None, after: Some(new.clone()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        let value = Some(Value::from("x"));
        let change = AskChange { path: path.to_owned(), before: value.clone(), after: value };
        assert_eq!(change.words().0, expected);
    }

    #[test]
    fn a_change_names_the_copy_and_the_file_that_it_is_about() {
        check("will_run[ship].launch.argv[2]", "the command of ship");
        check("will_run[ship].launch.env[SHARE][1][0].text", "SHARE of ship");
        check("will_run[ship].launch.tool.input.url", "url given to ship");
        check("will_run[ship].launch.timeout", "the call of ship: timeout");
        check("will_run[wipe[eu]].launch_hash", "the call of wipe[eu] has changed");
        check("will_run[wipe[eu]].files[wipe.sh].digest", "the file wipe.sh of wipe[eu] has changed");
        check("later[mail].files[a[1].sh].bytes", "the file a[1].sh of mail has changed");
        check("form[amount].value", "form field amount");
    }
}
