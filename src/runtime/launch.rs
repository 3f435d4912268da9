//! Workflow text and inputs become a plan. It reads files; what is right is judged by `definition` and `plan`.

use super::{LaunchRequest, Reply, Source};
use crate::{
    base::{Digest, FILE_BYTES_MAX, Value, ValueMap, sha256},
    definition::{Diagnostic, Files, Workflow, check_input_texts, check_inputs, read, summary},
    plan::{Plan, lower},
    tool::read_text,
};
use std::{cell::RefCell, path::Path};

/// Reads, checks and lowers. A reply says what is wrong.
pub(super) fn prepare(request: &LaunchRequest, root: &Path) -> Result<Plan, Reply> {
    let files = OnDisk { root, read: RefCell::new(Vec::new()) };
    let (name, text) = match &request.source {
        Source::Text { name, text } => {
            files.note(name, text);
            (name, text.clone())
        }
        Source::Path(path) => match files.read(path) {
            Ok(text) => (path, text),
            Err(why) => return Err(whole(path, &[format!("could not read {path}: {why}")])),
        },
    };
    let (workflow, findings) = read(name, &text, &files);
    let Some(workflow) = workflow else { return Err(invalid(&findings)) };
    let inputs = inputs(&workflow, request).map_err(|problems| whole(name, &problems))?;
    let plan = lower(&workflow, inputs).map_err(|problems| whole(name, &problems))?;
    Ok(Plan { file: name.clone(), definition: files.digest(), ..plan })
}

/// Words are read as what each input wants; beside them, JSON is read as the words it would be.
fn inputs(workflow: &Workflow, request: &LaunchRequest) -> Result<ValueMap, Vec<String>> {
    if request.words.is_empty() {
        return check_inputs(workflow, &request.values);
    }
    let is_word = |name: &str| request.words.iter().any(|it| it.name == name);
    let values = request.values.iter().filter(|(name, _)| !is_word(name)).map(|(name, value)| {
        let text = value.as_str().map_or_else(|| Value::to_string(value), str::to_owned);
        (name.clone(), text)
    });
    let words = request.words.iter().map(|it| (it.name.clone(), it.text.clone()));
    check_input_texts(workflow, &values.chain(words).collect::<Vec<_>>())
}

fn whole(file: &str, problems: &[String]) -> Reply {
    let findings: Vec<_> =
        problems.iter().map(|it| Diagnostic::whole_file("run", file, it.as_str())).collect();
    invalid(&findings)
}

fn invalid(findings: &[Diagnostic]) -> Reply {
    let mut report: String = findings.iter().map(|it| it.text(false)).collect();
    report.push_str(&summary(findings));
    Reply::Invalid { report, findings: Value::Array(findings.iter().map(Diagnostic::json).collect()) }
}

/// Files below the workspace, or absolute; remembers what it has read, for the hash of the definition.
struct OnDisk<'a> {
    root: &'a Path,
    read: RefCell<Vec<(String, Digest)>>,
}

impl OnDisk<'_> {
    fn note(&self, name: &str, text: &str) {
        self.read.borrow_mut().push((name.to_owned(), sha256("cuelight-file-v1", &[text.as_bytes()])));
    }

    /// Over names and contents of all files, in the order in which they were read.
    fn digest(&self) -> Digest {
        let read = self.read.borrow();
        let parts: Vec<&[u8]> =
            read.iter().flat_map(|(name, hash)| [name.as_bytes(), hash.0.as_slice()]).collect();
        sha256("cuelight-definition-v1", &parts)
    }
}

impl Files for OnDisk<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        let text = read_text(&self.root.join(path), FILE_BYTES_MAX)?;
        self.note(path, &text);
        Ok(text)
    }
}
