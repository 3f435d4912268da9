//! Workflows of Dagu: its steps are ours, its parameters inputs, and its references values of steps that came before. Each key of its
//! published schema is carried, named as lost with its line, or stops the import. A step that approves, confines or places work asks
//! a person first.
//! Shapes: <https://github.com/dagucloud/dagu>, in the spelling of version 1 and that of version 2.

mod asks;
mod calls;
mod file;
mod scope;
mod steps;
mod top;
mod values;
mod words;
mod work;

use self::{
    file::{Document, Fate, Keys, documents},
    scope::Done,
    values::Parts,
};
use super::{
    page::{Imported, Page, all_of, one_line},
    shapes,
};
use cuelight_base::{Value, ValueMap};
use cuelight_definition::{Diagnostic, Files, read};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A workflow of Dagu as a file of ours, and one more for each workflow that it holds.
///
/// # Errors
/// Why it could not be read or carried over, as a whole sentence; a line for each fault.
pub fn import_dagu(text: &str) -> Result<Imported, String> {
    let documents = documents(text)?;
    for document in &documents {
        if let Some((path, why)) = shapes::first_misfit(&document.root, &shapes::DAGU) {
            return Err(fault(document.line(&path), &why));
        }
    }
    let mut called = BTreeMap::new();
    for document in documents.iter().skip(1) {
        let name = document.root.get("name").and_then(Value::as_str).unwrap_or_default();
        let file = format!("{}.yaml", super::page::sanitised(name));
        if name.is_empty() || called.values().any(|other: &Called| other.file == file) {
            return Err(fault(document.line(""), "each workflow below `---` needs a `name` of its own"));
        }
        let params = top::parameters(&document.root);
        called.insert(name.to_owned(), Called { file, params });
    }
    let mut others = Vec::new();
    let mut lost = Vec::new();
    for document in documents.iter().skip(1) {
        let name = document.root.get("name").and_then(Value::as_str).unwrap_or_default();
        let (page, more) = Import::new(document, &called).all()?;
        let made = page.finish()?;
        lost.extend(made.left_out);
        others.push((called[name].file.clone(), made.text));
        others.extend(more);
    }
    let Some(document) = documents.first() else {
        return Err("could not read the file: it is empty".to_owned());
    };
    let (mut page, more) = Import::new(document, &called).all()?;
    lost.into_iter().for_each(|line| page.leave_out(line));
    let mut made = page.finish()?;
    made.others = others;
    made.others.extend(more);
    check(&made)?;
    Ok(made)
}

/// A workflow that stands in the same file.
struct Called {
    file: String,
    /// Names and types of its parameters, in their order.
    params: Vec<(String, String)>,
}

fn fault(line: usize, why: &str) -> String {
    // Names of the file stand in it, and a line of theirs would be read as one of ours.
    format!("could not import a workflow of Dagu: line {line}: {}", one_line(why))
}

/// The files that an import makes, for the checker.
struct Made<'m>(&'m [(String, String)]);

impl Files for Made<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        let found = self.0.iter().find(|(name, _)| name == path);
        found.map(|(_, text)| text.clone()).ok_or_else(|| "there is no such file".to_owned())
    }
}

/// Refuses what the checker would refuse: a file that cannot run is not written.
fn check(made: &Imported) -> Result<(), String> {
    let files = Made(&made.others);
    for text in std::iter::once(&made.text).chain(made.others.iter().map(|(_, text)| text)) {
        let (_, findings) = read("imported.yaml", text, &files);
        if let Some(found) = findings.iter().find(|found| Diagnostic::is_error(found)) {
            let line = text.lines().nth(found.line.saturating_sub(1)).unwrap_or_default().trim();
            return Err(format!(
                "could not import a workflow of Dagu: the file would not pass `cuelight check`: {} (`{line}`)",
                found.message
            ));
        }
    }
    Ok(())
}

/// One document while it is carried over.
struct Import<'a> {
    page: Page,
    document: &'a Document,
    called: &'a BTreeMap<String, Called>,
    /// The name of the `foreach` item in this body.
    item: Option<String>,
    /// Files for the bodies of its `foreach` steps.
    others: Vec<(String, String)>,
    faults: Vec<String>,
    consts: BTreeMap<String, String>,
    /// Parameters by name, each as text of ours.
    params: Vec<(String, Parts)>,
    /// Variables of the workflow in their order.
    env: Vec<(String, Parts)>,
    secrets: Vec<String>,
    /// Shell code that runs before each script.
    prelude: String,
    /// Values that the prelude reads, by the variable that holds them.
    prelude_env: ValueMap,
    /// Steps that all others wait for.
    first: Vec<String>,
    /// Conditions that must hold for any step to run.
    due: Vec<String>,
    /// Conditions of steps that a router leads to, and the router.
    routed: BTreeMap<String, (String, String)>,
    /// Steps whose streams somebody reads, as `step.stdout`.
    streams: BTreeSet<String>,
    done: Vec<Done>,
    /// The program that runs scripts which name none, where it is no shell.
    program: Option<Vec<String>>,
    /// Bytes of scripts and values so far: what is repeated in each step has an end.
    bytes: usize,
}

/// Bytes of all scripts and values of one document.
const BYTES_MAX: usize = 16 << 20;
/// Steps of one document.
const STEPS_MAX: usize = 2000;

impl<'a> Import<'a> {
    fn new(document: &'a Document, called: &'a BTreeMap<String, Called>) -> Self {
        Self {
            page: Page::new("a workflow of Dagu"),
            document,
            called,
            item: None,
            others: Vec::new(),
            faults: Vec::new(),
            consts: BTreeMap::new(),
            params: Vec::new(),
            env: Vec::new(),
            secrets: Vec::new(),
            prelude: String::new(),
            prelude_env: ValueMap::new(),
            first: Vec::new(),
            due: Vec::new(),
            routed: BTreeMap::new(),
            streams: scope::streams(&document.root),
            done: Vec::new(),
            program: None,
            bytes: 0,
        }
    }

    fn all(mut self) -> Result<(Page, Vec<(String, String)>), String> {
        let document = self.document;
        let root = &document.root;
        self.keys(root, "", file::ROOT);
        self.top();
        self.steps();
        self.handlers();
        if self.faults.is_empty() {
            return Ok((self.page, self.others));
        }
        Err(self.faults.join("\n"))
    }

    fn line(&self, path: &str) -> usize {
        self.document.line(path)
    }

    /// Names something as lost, with its line.
    fn lose(&mut self, path: &str, what: &str) {
        let line = self.line(path);
        self.page.leave_out(format!("line {line}: {what}"));
    }

    /// Something that stops the import.
    fn refuse(&mut self, path: &str, why: &str) {
        let fault = fault(self.line(path), why);
        if self.faults.len() < 20 && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// True if this many more bytes fit; otherwise the import is refused.
    fn has_room(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        if self.bytes > BYTES_MAX {
            self.refuse("", "its scripts and values unfold into more than 16 MiB; import parts of it");
        }
        self.bytes <= BYTES_MAX
    }

    /// Looks at each key of a mapping: one that nobody knows stops the import.
    fn keys(&mut self, map: &ValueMap, path: &str, table: Keys) {
        for key in map.keys() {
            let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match table.iter().find(|(name, _)| name == key) {
                Some((_, Fate::Carried)) => {}
                Some((_, Fate::Lost(meaning))) => self.lose(&full, &format!("`{full}`: {meaning}")),
                Some((_, Fate::Refused(why))) => self.refuse(&full, &format!("`{full}`: {why}")),
                None => self.refuse(
                    &full,
                    &format!(
                        "`{full}` is no key of Dagu; correct it or take it out, it may be what guards a step"
                    ),
                ),
            }
        }
    }

    /// The handlers that run after all other steps.
    fn handlers(&mut self) {
        let Some(said) = self.document.root.get("handler_on") else { return };
        let Some(handlers) = said.as_object() else {
            return self.refuse("handler_on", "`handler_on` is a mapping");
        };
        self.keys(handlers, "handler_on", file::HANDLERS);
        let all: Vec<String> = self.done.iter().map(|done| done.rests.clone()).collect();
        let known: BTreeSet<String> =
            self.done.iter().flat_map(|done| done.ancestors.iter().cloned()).collect();
        for (when, body) in handlers {
            let condition = match when.as_str() {
                "success" => "success()",
                "failure" => "failure()",
                "cancel" | "abort" => "cancelled()",
                "exit" => "always()",
                _ => continue,
            };
            let path = format!("handler_on.{when}");
            let Some(step) = self.one_step(body, &path, &format!("on {when}")) else { continue };
            let due = self.due.clone();
            let condition = match (condition, due.as_slice()) {
                ("always()", _) | (_, []) => condition.to_owned(),
                ("cancelled()", due) => {
                    format!("cancelled() || !({})", all_of(due.iter().cloned()).unwrap_or_default())
                }
                (_, due) => all_of(std::iter::once(condition.to_owned()).chain(due.iter().cloned()))
                    .unwrap_or_default(),
            };
            let needs: Vec<String> = all.iter().chain(&self.first).cloned().collect();
            self.place(&step, &needs, &known, &[condition]);
        }
    }
}

/// A mapping of one key.
fn one(key: &str, value: impl Into<Value>) -> ValueMap {
    ValueMap::from_iter([(key.to_owned(), value.into())])
}

/// A gate of ours.
fn gate(prompt: &str) -> ValueMap {
    one("gate", json!({"prompt": prompt, "risk": "externally-reversible"}))
}
