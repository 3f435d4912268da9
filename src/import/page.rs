//! The file that an import writes: keys in canonical order, a step after the other, and at its top what could not be carried over.
//! The reading of another system's keys is for the file of that system.

use cuelight_base::{FILE_BYTES_MAX, Value, ValueMap, json_bytes, safe_text, shorten};
use cuelight_definition::{Diagnostic, Files, read, step_keys, workflow_keys};
use serde::{Serialize, Serializer, ser::SerializeMap as _, ser::SerializeSeq as _};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// The number of rounds that replace steps which the checker rejects.
const ROUNDS_MAX: usize = 6;
/// Keys that one line at the top of the file names at most, …
const KEYS_A_LINE: usize = 8;
/// … letters of a key, …
const KEY_CHARS: usize = 60;
/// … and bytes of all of them, so that the end of the line, which says whose they are, is never cut.
const KEYS_CHARS: usize = 200;

/// A workflow of another system as a file of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The text of the workflow file.
    pub text: String,
    /// Parts that could not be carried over, each a part of a sentence. The top of the file lists them too.
    pub left_out: Vec<String>,
    /// Files that it calls, by name; each stands beside it.
    pub others: Vec<(String, String)>,
}

/// The file while it is being written.
#[derive(Debug)]
pub(super) struct Page {
    from: &'static str,
    /// The keys above `steps`.
    pub(super) top: ValueMap,
    pub(super) steps: Vec<ValueMap>,
    left_out: Vec<String>,
    said: BTreeSet<String>,
    ids: BTreeSet<String>,
    /// The bytes of the steps so far, as JSON.
    bytes: usize,
}

impl Page {
    /// An empty one; `from` is what it comes from: `a workflow of GitHub Actions`.
    pub(super) fn new(from: &'static str) -> Self {
        Self {
            from,
            top: ValueMap::new(),
            steps: Vec::new(),
            left_out: Vec::new(),
            said: BTreeSet::new(),
            ids: BTreeSet::new(),
            bytes: 0,
        }
    }

    /// Something could not be carried over; said once, however often it is found.
    pub(super) fn leave_out(&mut self, what: impl Into<String>) {
        // A letter that hides or turns others would let the note say something else.
        let what = safe_text(&one_line(&what.into()));
        if self.said.insert(what.clone()) {
            self.left_out.push(what);
        }
    }

    /// Names the keys of a mapping that nothing here stands for; `of` says whose they are.
    pub(super) fn leave_out_all_but(&mut self, kept: &[&str], map: &ValueMap, of: &str) {
        let lost = map.keys().filter(|key| !kept.contains(&key.as_str()));
        let lost: Vec<String> = lost.map(|key| format!("`{}`", shorten(key, KEY_CHARS))).collect();
        let mut rest = lost.as_slice();
        while let Some(first) = rest.first() {
            let mut chars = first.len();
            let fits = |text: &&String| {
                chars += text.len();
                chars <= KEYS_CHARS
            };
            let (some, more) =
                rest.split_at(rest[1..].iter().take(KEYS_A_LINE - 1).take_while(fits).count() + 1);
            self.leave_out(format!("{} of {of}", some.join(", ")));
            rest = more;
        }
    }

    /// An id for a step that is called so elsewhere; no other step of this file has it.
    pub(super) fn id(&mut self, name: &str) -> String {
        let base = sanitised(name);
        let mut id = base.clone();
        let mut count = 1;
        while !self.ids.insert(id.clone()) {
            count += 1;
            id = format!("{base}-{count}");
        }
        id
    }

    /// Another step, and what it waits for.
    pub(super) fn step(&mut self, id: &str, needs: &[String], mut keys: ValueMap) {
        keys.insert("id".to_owned(), id.into());
        match needs {
            [] => {}
            [one] => drop(keys.insert("needs".to_owned(), one.as_str().into())),
            several => drop(keys.insert("needs".to_owned(), json!(several))),
        }
        self.bytes += json_bytes(&keys);
        self.steps.push(keys);
    }

    /// True if the file is already too large. Without this limit, a long text repeated at each step would
    /// grow without end.
    pub(super) fn is_full(&self) -> bool {
        // No text is shorter in the file than half of what it is as JSON.
        self.bytes > 2 * FILE_BYTES_MAX
    }

    /// The whole file. A step that the checker does not take becomes a question whether it was done by hand,
    /// so what is written always passes `check`. A workflow that it calls is imported separately.
    ///
    /// # Errors
    /// When there is no step, when the file is too large, or when it cannot pass.
    pub(super) fn finish(mut self) -> Result<Imported, String> {
        if self.steps.is_empty() {
            let why = self.left_out.last().map(|text| format!("; {text}")).unwrap_or_default();
            return Err(format!(
                "could not import {}: there is nothing in it that can be run here{why}",
                self.from
            ));
        }
        if self.is_full() {
            return Err(self.too_large(&format!("more than {}", 2 * FILE_BYTES_MAX)));
        }
        for step in &mut self.steps {
            let keys = std::mem::take(step);
            *step = ordered(keys, step_keys());
        }
        self.top = ordered(std::mem::take(&mut self.top), workflow_keys());
        let mut asked = BTreeSet::new();
        let mut last = String::new();
        for _ in 0..ROUNDS_MAX {
            let (text, starts) = self.written();
            if text.len() > FILE_BYTES_MAX {
                return Err(self.too_large(&text.len().to_string()));
            }
            let (_, found) = read("imported.yaml", &text, &NoFiles);
            let wrong: Vec<Diagnostic> = found
                .into_iter()
                .filter(|diagnostic| diagnostic.is_error() && diagnostic.code != "subworkflow")
                .collect();
            if wrong.is_empty() {
                return Ok(Imported { text, left_out: self.left_out, others: Vec::new() });
            }
            let mut done = BTreeSet::new();
            for diagnostic in &wrong {
                let step = starts.iter().rposition(|start| *start <= diagnostic.line);
                if !done.insert(step) {
                    continue;
                }
                let line = text.lines().nth(diagnostic.line.saturating_sub(1)).unwrap_or_default();
                last = format!("{} (`{}`)", one_line(&diagnostic.message), one_line(line));
                match step {
                    Some(step) => self.ask_instead(step, &diagnostic.message, &mut asked),
                    None => self.take_out(&text, diagnostic, line)?,
                }
            }
        }
        Err(format!("could not import {}: the file would not pass `cuelight check`: {last}", self.from))
    }

    fn too_large(&self, bytes: &str) -> String {
        format!(
            "could not import {}: the file would have {bytes} bytes, more than the {} MiB that a workflow may have; import it in parts",
            self.from,
            FILE_BYTES_MAX >> 20
        )
    }

    /// A question in place of a step; a condition that is at fault never holds.
    fn ask_instead(&mut self, step: usize, why: &str, asked: &mut BTreeSet<String>) {
        let keys = &mut self.steps[step];
        let id = keys.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let why = one_line(&without_holes(why));
        if !asked.insert(id.clone()) {
            keys.insert("if".to_owned(), "false".into());
            return self.leave_out(format!("when {id} is asked: it is not until `if` is mended ({why})"));
        }
        // A question stays the one that it is, also where one of its values cannot be read.
        let asked_before = keys.get("gate").and_then(|gate| gate.get("prompt")).and_then(Value::as_str);
        let question = asked_before.map_or_else(|| format!("Has {id} been done by hand?"), without_holes);
        let mut gate = json!({"prompt": format!("{question} It could not be carried over as it was: {why}"), "risk": "externally-reversible"});
        if let Some(form) = keys.get("gate").and_then(|gate| gate.get("form")) {
            gate["form"] = form.clone();
        }
        for name in
            keys.get("outputs").and_then(Value::as_object).into_iter().flat_map(|outputs| outputs.keys())
        {
            gate["form"][name] = json!({"type": "string"});
        }
        if keys.contains_key("matrix") || keys.contains_key("strategy") {
            gate["scope"] = "matrix".into();
        }
        const STAYS: [&str; 5] = ["id", "needs", "if", "matrix", "strategy"];
        let mut asks: ValueMap =
            std::mem::take(keys).into_iter().filter(|entry| STAYS.contains(&entry.0.as_str())).collect();
        asks.insert("gate".to_owned(), gate);
        self.steps[step] = ordered(asks, step_keys());
        let (outputs, form) = (format!("steps.{id}.outputs."), format!("steps.{id}.form."));
        for keys in self.steps.iter_mut().chain([&mut self.top]) {
            for value in keys.values_mut() {
                replace(value, &outputs, &form);
            }
        }
        self.leave_out(format!("{id}: it asks whether it was done by hand ({why})"));
    }

    /// Takes out what stands above the steps and does not pass.
    ///
    /// # Errors
    /// When the run would be another one without it.
    fn take_out(&mut self, text: &str, found: &Diagnostic, line: &str) -> Result<(), String> {
        let is_key = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
        let key = text.lines().take(found.line).filter(is_key).last().and_then(|line| line.split(':').next());
        let key = key.unwrap_or(line).to_owned();
        if !["on", "outputs", "env"].contains(&key.as_str()) || self.top.remove(&key).is_none() {
            return Err(format!(
                "could not import {}: its `{key}` does not pass `cuelight check`: {}",
                self.from, found.message
            ));
        }
        self.leave_out(format!("`{key}`: {}", without_holes(&found.message)));
        Ok(())
    }

    /// The text of the file, and the line at which each step begins.
    fn written(&self) -> (String, Vec<usize>) {
        let mut text = format!("# Imported from {}.\n", self.from);
        for line in &self.left_out {
            writeln!(text, "# Could not carry over: {line}.").expect("a String takes all text");
        }
        text.push_str(&yaml(&Value::Object(self.top.clone())));
        text.push_str("\nsteps:\n");
        let mut starts = Vec::with_capacity(self.steps.len());
        let mut line = text.lines().count() + 1;
        for (index, step) in self.steps.iter().enumerate() {
            if index > 0 {
                text.push('\n');
                line += 1;
            }
            starts.push(line);
            for this_line in yaml(&json!([step])).lines() {
                let this_text = if this_line.trim().is_empty() { "" } else { this_line };
                text.push_str(if this_text.is_empty() { "" } else { "  " });
                text.push_str(this_text);
                text.push('\n');
                line += 1;
            }
        }
        (text, starts)
    }
}

/// Files beside the one that is written: none is there yet.
struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> Result<String, String> {
        Err("it is not imported yet".to_owned())
    }
}

/// Replaces a piece of every text in a value.
fn replace(value: &mut Value, old: &str, new: &str) {
    match value {
        Value::String(text) if text.contains(old) => *text = text.replace(old, new),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, old, new)),
        Value::Object(map) => map.values_mut().for_each(|value| replace(value, old, new)),
        _ => {}
    }
}

/// A name in letters that every id and file name may have.
pub(super) fn sanitised(name: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let words: String = name.chars().take(80).map(kept).collect();
    let id = words.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    if id.starts_with(|c: char| c.is_ascii_lowercase()) { id } else { format!("t-{id}") }
}

/// A name of an input, an output or a variable, from whatever it was called: letters, digits and `_`.
pub(super) fn variable(name: &str) -> String {
    let kept: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(100).collect();
    if kept.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') { kept } else { format!("_{kept}") }
}

/// The places of things after those that they wait for, as near to how they stand as that allows; those that wait for each other in a
/// circle as they stand. `names` says what each is called, `needs` what it waits for; what nobody is called is not waited for.
pub(super) fn in_order(names: &[Vec<String>], needs: &[Vec<String>]) -> Vec<usize> {
    let mut called: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, name) in
        names.iter().enumerate().flat_map(|(place, texts)| texts.iter().map(move |name| (place, name)))
    {
        called.entry(name).or_default().push(place);
    }
    let mut waits: Vec<BTreeSet<usize>> = Vec::with_capacity(needs.len());
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    for (place, all) in needs.iter().enumerate() {
        let before: BTreeSet<usize> =
            all.iter().filter_map(|key| called.get(key.as_str())).flatten().copied().collect();
        before.iter().for_each(|number| behind[*number].push(place));
        waits.push(before);
    }
    let mut left: BTreeSet<usize> = (0..names.len()).collect();
    let mut free: BTreeSet<usize> = left.iter().copied().filter(|number| waits[*number].is_empty()).collect();
    let mut out = Vec::with_capacity(names.len());
    while let Some(next) = free.pop_first().or_else(|| left.first().copied()) {
        left.remove(&next);
        out.push(next);
        for place in &behind[next] {
            waits[*place].remove(&next);
            if waits[*place].is_empty() && left.contains(place) {
                free.insert(*place);
            }
        }
    }
    out
}

/// A script whose output is an output of its step as well. What is substituted forgets that the first failure is the last line, so that
/// is said anew; the key of a call stands in nobody's output by chance.
pub(super) fn kept(name: &str, script: &str) -> String {
    let script = script.trim_end();
    format!(
        "{name}=$(\nset -e\n{script}\n)\necho \"${name}\"\n{{\n  echo \"{name}<<END-$CUELIGHT_KEY\"\n  echo \"${name}\"\n  echo \"END-$CUELIGHT_KEY\"\n}} >> \"$CUELIGHT_OUTPUT\"\n"
    )
}

/// Text for a comment, a name or a question: without line breaks, and not without end.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    shorten(&words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "), 300)
}

/// All of these conditions, each said once.
pub(super) fn all_of(conditions: impl IntoIterator<Item = String>) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for condition in conditions {
        if !parts.contains(&condition) {
            parts.push(condition);
        }
    }
    match parts.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(several.iter().map(|text| format!("({text})")).collect::<Vec<_>>().join(" && ")),
    }
}

/// Text without expressions, where ours would find some that were none.
pub(super) fn without_holes(text: &str) -> String {
    text.replace("${{", "$ {{")
}

fn ordered(keys: ValueMap, order: impl Iterator<Item = &'static str>) -> ValueMap {
    let order: Vec<&str> = order.collect();
    let place = |key: &str| order.iter().position(|name| *name == key).unwrap_or(usize::MAX);
    let mut pairs: Vec<(String, Value)> = keys.into_iter().collect();
    pairs.sort_by_key(|(key, _)| place(key));
    pairs.into_iter().collect()
}

/// Block style; a text of several lines stands as it is.
fn yaml(value: &Value) -> String {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: false, folded_wrap_chars: 100_000, yaml_12: true, no_lang_directive: true
    };
    serde_saphyr::to_string_with_options(&Written(value), options).expect("JSON is YAML")
}

/// Numbers as they were written: what keeps them so in JSON is not for other writers.
struct Written<'v>(&'v Value);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Number(text) => match (text.as_i64(), text.as_f64()) {
                (Some(whole), _) => serializer.serialize_i64(whole),
                (None, Some(number)) if number.to_string() == text.to_string() => {
                    serializer.serialize_f64(number)
                }
                _ => serializer.serialize_str(&text.to_string()),
            },
            Value::String(text) => serializer.serialize_str(text),
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&Written(item)))?;
                list.end()
            }
            Value::Object(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                pairs.iter().try_for_each(|(key, pair)| map.serialize_entry(key, &Written(pair)))?;
                map.end()
            }
        }
    }
}
