//! The file that an import writes: keys in canonical order, a step after the other, and at its top what could not be carried over.
//! What becomes of what is for each system's own file.

use crate::{
    base::{Value, ValueMap, shorten},
    definition::document::{STEP, Table, WORKFLOW},
};
use serde::{Serialize, Serializer, ser::SerializeMap as _, ser::SerializeSeq as _};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// A workflow of another system as a file of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The file.
    pub text: String,
    /// What could not be carried over, a sentence's part each; it stands at the top of the file as well.
    pub left_out: Vec<String>,
}

/// The file while it is being written.
#[derive(Debug)]
pub(super) struct Page {
    from: &'static str,
    /// Everything above `steps`.
    pub(super) top: ValueMap,
    pub(super) steps: Vec<ValueMap>,
    left_out: Vec<String>,
    said: BTreeSet<String>,
    ids: BTreeSet<String>,
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
        }
    }

    /// Something could not be carried over; said once, however often it is found.
    pub(super) fn leave_out(&mut self, what: impl Into<String>) {
        let what = one_line(&what.into());
        if self.said.insert(what.clone()) {
            self.left_out.push(what);
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
        self.steps.push(keys);
    }

    /// The whole file.
    ///
    /// # Errors
    /// When there is no step.
    pub(super) fn finish(self) -> Result<Imported, String> {
        if self.steps.is_empty() {
            return Err(format!(
                "could not import {}: there is nothing in it that can be run here",
                self.from
            ));
        }
        let mut text = format!("# Imported from {}.\n", self.from);
        for line in &self.left_out {
            writeln!(text, "# Could not carry over: {line}.").expect("a String takes all text");
        }
        text.push_str(&yaml(&Value::Object(ordered(self.top, &WORKFLOW))));
        text.push_str("\nsteps:\n");
        for (index, step) in self.steps.into_iter().enumerate() {
            text.push_str(if index > 0 { "\n" } else { "" });
            for line in yaml(&json!([ordered(step, &STEP)])).lines() {
                let line = if line.trim().is_empty() { "" } else { line };
                text.push_str(if line.is_empty() { "" } else { "  " });
                text.push_str(line);
                text.push('\n');
            }
        }
        Ok(Imported { text, left_out: self.left_out })
    }
}

fn sanitised(name: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let words: String = name.chars().take(80).map(kept).collect();
    let id = words.split('-').filter(|it| !it.is_empty()).collect::<Vec<_>>().join("-");
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
        names.iter().enumerate().flat_map(|(place, it)| it.iter().map(move |name| (place, name)))
    {
        called.entry(name).or_default().push(place);
    }
    let mut waits: Vec<BTreeSet<usize>> = Vec::with_capacity(needs.len());
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    for (place, all) in needs.iter().enumerate() {
        let before: BTreeSet<usize> =
            all.iter().filter_map(|it| called.get(it.as_str())).flatten().copied().collect();
        before.iter().for_each(|it| behind[*it].push(place));
        waits.push(before);
    }
    let mut left: BTreeSet<usize> = (0..names.len()).collect();
    let mut free: BTreeSet<usize> = left.iter().copied().filter(|it| waits[*it].is_empty()).collect();
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
    shorten(&words.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" "), 300)
}

/// All of these conditions, each said once.
pub(super) fn all_of(conditions: impl IntoIterator<Item = String>) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for it in conditions {
        if !parts.contains(&it) {
            parts.push(it);
        }
    }
    match parts.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(several.iter().map(|it| format!("({it})")).collect::<Vec<_>>().join(" && ")),
    }
}

/// Text without expressions, where ours would find some that were none.
pub(super) fn without_holes(text: &str) -> String {
    text.replace("${{", "$ {{")
}

fn ordered(keys: ValueMap, table: &Table) -> ValueMap {
    let place = |key: &str| table.keys.iter().position(|it| it.name == key).unwrap_or(usize::MAX);
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
            Value::Bool(it) => serializer.serialize_bool(*it),
            Value::Number(it) => match (it.as_i64(), it.as_f64()) {
                (Some(whole), _) => serializer.serialize_i64(whole),
                (None, Some(number)) if number.to_string() == it.to_string() => {
                    serializer.serialize_f64(number)
                }
                _ => serializer.serialize_str(&it.to_string()),
            },
            Value::String(it) => serializer.serialize_str(it),
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|it| list.serialize_element(&Written(it)))?;
                list.end()
            }
            Value::Object(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                pairs.iter().try_for_each(|(key, it)| map.serialize_entry(key, &Written(it)))?;
                map.end()
            }
        }
    }
}
