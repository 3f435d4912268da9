//! Hostile files, made from the published schemas of GitHub, Argo and Dagu: each key with values that do not fit, each text with what a
//! template, a shell or a terminal would take for something else. An import ends soon. It refuses with a sentence, or it writes a file that
//! passes the checker, and no key is passed over in silence.

use super::{
    import::{DAGU_ROOT, DAGU_STEP, dagu_with},
    schema_keys::{
        ARGO_KEYS, ARGO_PLACES, GITHUB_KEYS, GITHUB_PLACES, Import, actions, body, graph, has_word, holds,
        workflow,
    },
};
use cuelight_base::is_unseen;
use cuelight_import::{import_argo, import_dagu, import_github};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

/// An import in a debug build takes milliseconds; what takes seconds grows without end.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// Values that each key is tried with.
const VALUES_A_KEY: usize = 3;
/// Stands in a file where a piece of YAML is put that JSON cannot say.
const HOLE: &str = "@HOLE@";
/// Texts that templates, shells, YAML and terminals may interpret.
const INJECTED: [&str; 8] = [
    "${{ secrets.ZZ }} $(touch zz) `touch zz` '; touch zz; \" zz",
    "${{ fromJSON(",
    "{{workflow.parameters.zz}} {{=sprig.env('zz')}} }} {{",
    "${params.zz} ${ZZ:-$(touch zz)} \\${zz}",
    "zz\n# Could not carry over: nothing.\n---\nsteps: []",
    "zz \u{1b}[2J\u{1b}]0;zz\u{7} \u{202e}zz\u{2066} \u{9b}31m\u{200b}",
    "--privileged -v /:/host zz",
    "<<: *zz &zz !!zz",
];

/// Values that do not fit, as YAML within braces; the first says nothing.
fn values(key: &str) -> Vec<String> {
    let bomb: Vec<String> = (1..12)
        .map(|index| format!("&b{index} [{}]", vec![format!("*b{}", index - 1); 10].join(",")))
        .collect();
    let wide = "\u{5b57}".repeat(300);
    let mut all: Vec<String> = [
        "null",
        "[\"zz\"]",
        "{\"zz\": \"zz\"}",
        "-1",
        "1e400",
        "99999999999999999999999999",
        "true",
        "\"zz\"",
        "[[[\"zz\"]]]",
        "[{\"zz\": {\"zz\": []}}]",
        "{\"zz\": {\"zz\": null}, \"\": \"zz\"}",
        "[null, {}, [], \"zz\"]",
        "1, [zz]: 2",
        "1, 7: zz",
        "1, null: zz",
        "1, ? {zz: 1} : 2",
        "1, <<: {zz: 1}",
        "!!python/object/apply:zz [zz]",
        "*zz",
    ]
    .map(str::to_owned)
    .into();
    all.push(format!("1, {key:?}: \"zz\""));
    all.push(format!("{}\"zz\"{}", "[".repeat(200), "]".repeat(200)));
    all.push(format!("{}\"zz\"{}", "{\"zz\": ".repeat(55), "}".repeat(55)));
    all.push(format!("[&b0 [zz], {}]", bomb.join(",")));
    all.push(format!("\"zz{}\"", "x".repeat(70_000)));
    all.push(format!("\"{wide}zz\""));
    all.push(format!("{{\"{wide}\": \"zz\"}}"));
    all.push(format!("[{}]", vec!["\"zz\""; 3_000].join(",")));
    all.extend(INJECTED.iter().map(|text| json!(text).to_string()));
    all
}

/// The fault of an import, if any. A text that was `hidden` in the file is named, or it changes the written
/// workflow.
fn wrong(import: Import, text: &str, key: Option<(&str, &str)>, without: &str) -> Option<String> {
    let begun = Instant::now();
    let made = catch_unwind(AssertUnwindSafe(|| holds(import, text).then(|| import(text))));
    let short: String = text.chars().take(1_500).collect();
    if begun.elapsed() > ENDS_WITHIN {
        return Some(format!("it takes {:?}:\n{short}", begun.elapsed()));
    }
    let made = match made {
        Err(_) => return Some(format!("it breaks:\n{short}")),
        Ok(None) => return None,
        Ok(Some(made)) => made.expect("it was written a moment ago"),
    };
    let top = made.text.lines().take_while(|line| line.starts_with('#'));
    if let Some(line) =
        top.chain(made.left_out.iter().map(String::as_str)).find(|line| line.chars().any(is_unseen))
    {
        return Some(format!("a note hides letters: {line:?}\n{short}"));
    }
    // Nobody reads this output of Dagu, so it changes nothing.
    let (key, value) = key.filter(|key| *key != ("output", r#"{"zz": "zz"}"#))?;
    let is_named = made.left_out.iter().any(|line| has_word(line, key) || line.contains("zz"));
    let is_silent = value != "null" && !is_named && body(&made) == without;
    is_silent.then(|| format!("{key}: {value} is passed over in silence:\n{short}"))
}

#[track_caller]
fn none_is(wrong: &[String], count: usize) {
    let some: Vec<&str> = wrong.iter().take(12).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} of {count} files:\n{}", wrong.len(), some.join("\n\n"));
}

/// Tries the keys of a schema at each place where its objects stand.
#[track_caller]
fn tries(import: Import, keys: &str, places: &[(&str, fn() -> Value, &str)]) {
    let (mut found, mut count) = (Vec::new(), 0);
    let mut plain: BTreeMap<String, String> = BTreeMap::new();
    for (number, line) in keys.lines().filter(|line| !line.starts_with('#')).enumerate() {
        let words: Vec<&str> = line.split(' ').collect();
        let values = values(words[1]);
        for (place, (_, file, pointer)) in places.iter().filter(|place| place.0 == words[0]).enumerate() {
            let mut whole = file();
            let without = plain
                .entry(whole.to_string())
                .or_insert_with_key(|key| body(&import(key).expect("it is imported")))
                .clone();
            whole.pointer_mut(pointer).expect("the place is there")[words[1]] = HOLE.into();
            let whole = whole.to_string();
            for turn in 0..VALUES_A_KEY {
                let value = &values[(number * 7 + place * 5 + turn * 11) % values.len()];
                count += 1;
                let text = whole.replacen(&format!("\"{HOLE}\""), value, 1);
                found.extend(wrong(import, &text, Some((words[1], value)), &without));
            }
        }
    }
    assert!(count > 300, "{count}");
    none_is(&found, count);
}

#[test]
fn hostile_values_behind_keys_of_the_schema_of_github_are_refused_named_or_pass_the_checker() {
    tries(import_github, GITHUB_KEYS, &GITHUB_PLACES);
}

#[test]
fn hostile_values_behind_keys_of_the_schema_of_argo_are_refused_named_or_pass_the_checker() {
    tries(import_argo, ARGO_KEYS, &ARGO_PLACES);
}

#[test]
fn hostile_values_behind_keys_of_the_schema_of_dagu_are_refused_named_or_pass_the_checker() {
    let (mut found, mut count) = (Vec::new(), 0);
    for (keys, is_root) in [(DAGU_ROOT, true), (DAGU_STEP, false)] {
        let without = body(&import_dagu(&dagu_with(None, is_root, ", run: echo")).expect("it is imported"));
        for (number, (key, _)) in keys.iter().enumerate() {
            let values = values(key);
            for turn in 0..2 * VALUES_A_KEY {
                let value = &values[(number * 7 + turn * 11) % values.len()];
                // In block style a second key would be a line of its own.
                let value = if is_root { value.replace("1, ", "1\n") } else { value.clone() };
                count += 1;
                let text = dagu_with(Some((key, &value)), is_root, ", run: echo");
                found.extend(wrong(import_dagu, &text, Some((key, &value)), &without));
            }
        }
    }
    assert!(count > 300, "{count}");
    none_is(&found, count);
}

/// The places of all texts in a value, and of all mappings with their keys.
fn spots(value: &Value, at: &str, texts: &mut Vec<String>, keys: &mut Vec<(String, String)>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::String(_) => texts.push(at.to_owned()),
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                spots(item, &format!("{at}/{place}"), texts, keys);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                keys.push((at.to_owned(), key.clone()));
                spots(value, &format!("{at}/{}", escaped(key)), texts, keys);
            }
        }
        _ => {}
    }
}

#[test]
fn what_templates_shells_and_terminals_take_for_something_else_is_harmless_in_each_text_and_each_key() {
    let dagu = || {
        json!({"name": "w", "type": "graph", "description": "d", "schedule": "0 1 * * *", "dotenv": [".env"], "working_dir": "sub",
        "params": [{"name": "who", "type": "string", "default": "me", "description": "d", "enum": ["me"]}], "consts": [{"a": "b"}],
        "env": [{"A": "b"}], "secrets": [{"name": "S", "provider": "env", "key": "K"}],
        "handler_on": {"exit": {"run": "echo"}}, "preconditions": [{"condition": "$A", "expected": "b"}],
        "steps": [
            {"id": "a", "name": "first", "run": "echo ${params.who}", "outputs": [{"name": "x"}], "shell": "bash",
                "approval": {"prompt": "Go on?", "input": ["ticket"], "required": ["ticket"]}},
            {"id": "b", "depends": ["a"], "run": ["echo ${steps.a.outputs.x}", "true"], "stdout": "o.txt", "stderr": "e.txt",
                "env": [{"B": "${A}"}], "worker_selector": {"gpu": "true"}, "preconditions": [{"condition": "test -f x"}]},
            {"id": "c", "depends": ["b"], "action": "human.task", "with": {"prompt": "Ship?", "form": {"type": "object",
                "properties": {"region": {"type": "string", "description": "d", "enum": ["eu"]}}, "required": ["region"]}}},
            {"id": "d", "depends": ["c"], "container": {"image": "alpine"}, "run": "echo"},
            {"id": "e", "depends": ["d"], "foreach": {"items": ["x"], "steps": [{"id": "f", "run": "echo ${foreach.item}"}]}},
        ]})
    };
    let files: [(Import, fn() -> Value); 4] =
        [(import_github, actions), (import_argo, workflow), (import_argo, graph), (import_dagu, dagu)];
    let (mut found, mut count, mut turn) = (Vec::new(), 0, 0);
    for (import, file) in files {
        let (mut texts, mut keys) = (Vec::new(), Vec::new());
        spots(&file(), "", &mut texts, &mut keys);
        for at in &texts {
            for _ in 0..2 {
                let mut whole = file();
                *whole.pointer_mut(at).expect("a text") = INJECTED[turn % INJECTED.len()].into();
                (turn, count) = (turn + 3, count + 1);
                found.extend(wrong(import, &whole.to_string(), None, ""));
            }
        }
        for (at, key) in &keys {
            let mut whole = file();
            let map = whole.pointer_mut(at).and_then(Value::as_object_mut).expect("a mapping");
            let value = map.remove(key).expect("a key");
            map.insert(INJECTED[turn % INJECTED.len()].to_owned(), value);
            (turn, count) = (turn + 3, count + 1);
            found.extend(wrong(import, &whole.to_string(), None, ""));
        }
    }
    assert!(count > 300, "{count}");
    none_is(&found, count);
}

#[test]
fn a_long_text_that_stands_at_each_of_many_steps_is_refused_before_it_fills_the_memory() {
    let steps = "      - run: echo\n".repeat(3_000);
    let matrix: Vec<String> = (0..200).map(|index| format!("\"{}{index}\"", "x".repeat(1_000))).collect();
    let matrix = format!("    strategy: {{matrix: {{v: [{}]}}}}\n", matrix.join(", "));
    let env: String = (0..500).map(|index| format!("      V{index}: {}\n", "y".repeat(1_000))).collect();
    for of_job in [matrix, format!("    env:\n{env}")] {
        let begun = Instant::now();
        let text = format!("jobs:\n  a:\n{of_job}    steps:\n{steps}");
        let why = import_github(&text).expect_err("it is too large");
        assert!(why.contains("more than the 4 MiB that a workflow may have"), "{why}");
        assert!(begun.elapsed() < ENDS_WITHIN, "{:?}", begun.elapsed());
    }
}
