//! The top of the file: inputs, triggers, policies of the run, and then the steps.

use super::{
    declared::{check_name, fields},
    defaults::{Defaults, defaults},
    fields::{Object, Reader},
    gate::on_failure,
    schedule::triggers,
    step::{budget, step},
};
use crate::{
    Concurrency, OnConflict, Step, Text, Workflow,
    document::{CONCURRENCY, ON_CONFLICT, WORKFLOW},
    yaml::{Node, Shape},
};

/// A whole file. Where something was wrong, there is a finding and a default in its place.
pub(crate) fn workflow(reader: &mut Reader<'_, '_>, root: &Node) -> Option<Workflow> {
    let top = reader.object(root, &WORKFLOW)?;
    let defaults = top.get("defaults").map(|node| defaults(reader, node)).unwrap_or_default();
    let in_sequence =
        top.get("sequence").and_then(|sequence| reader.boolean(sequence, "`sequence`")).unwrap_or(false);
    Some(Workflow {
        file: reader.findings.file.to_owned(),
        name: name(reader, &top),
        description: top
            .get("description")
            .and_then(|description| reader.word(description, "a description"))
            .map(|word| word.value),
        inputs: top.get("inputs").map(|inputs| fields(reader, inputs, "an input")).unwrap_or_default(),
        env: top.get("env").map(|env| reader.env(env)).unwrap_or_default(),
        secrets: top.get("secrets").map(|secrets| reader.names(secrets, "a secret")).unwrap_or_default(),
        schedule: top.get("on").map(|node| triggers(reader, node)).unwrap_or_default(),
        concurrency: top.get("concurrency").and_then(|node| concurrency(reader, node)),
        max_parallel: top
            .get("max-parallel")
            .and_then(|max_parallel| reader.small(max_parallel, "`max-parallel`", 1, 10_000)),
        timeout: top.get("timeout").and_then(|timeout| reader.positive_duration(timeout, "a timeout")),
        budget: top.get("budget").and_then(|node| budget(reader, node)),
        on_failure: top
            .get("on-failure")
            .and_then(|node| on_failure(reader, node, "`on-failure`"))
            .unwrap_or_default(),
        outputs: top.get("outputs").map(|node| outputs(reader, node)).unwrap_or_default(),
        steps: top.get("steps").map(|node| steps(reader, node, &defaults, in_sequence)).unwrap_or_default(),
        step_count: 0,
    })
}

fn name(reader: &mut Reader<'_, '_>, top: &Object<'_>) -> String {
    let written =
        top.get("name").and_then(|name| reader.word(name, "the name of a workflow")).map(|word| word.value);
    written.filter(|value| !value.trim().is_empty()).unwrap_or_else(|| {
        let file = reader.findings.file;
        let base = file.rsplit(['/', '\\']).next().unwrap_or(file);
        let stem = base.strip_suffix(".yaml").or_else(|| base.strip_suffix(".yml")).unwrap_or(base);
        if stem.is_empty() { "workflow".to_owned() } else { stem.to_owned() }
    })
}

fn steps(reader: &mut Reader<'_, '_>, node: &Node, defaults: &Defaults, in_sequence: bool) -> Vec<Step> {
    let items = reader.list(node, "`steps` is a list; each step begins with `- id:`");
    if items.is_empty() && matches!(node.shape, Shape::List(_)) {
        let finding = reader.findings.error("missing-key", node.place, "a workflow has at least one step");
        finding.help("begin with one: `- {id: build, run: make}`");
    }
    let mut out: Vec<Step> = Vec::with_capacity(items.len());
    for item in items {
        let before = if in_sequence { out.last().map(|step| step.id.clone()) } else { None };
        out.extend(step(reader, item, defaults, before));
    }
    out
}

fn outputs(reader: &mut Reader<'_, '_>, node: &Node) -> Vec<(String, Text)> {
    let entries = reader.entries(node, "`outputs` is a mapping of names to texts");
    let mut out = Vec::new();
    for entry in entries {
        check_name(reader, &entry.key, entry.place, "an output");
        out.extend(reader.text_or_empty(&entry.value, "an output").map(|text| (entry.key.clone(), text)));
    }
    out
}

fn concurrency(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Concurrency> {
    if let Shape::Scalar(_) = node.shape {
        let group = reader.text(node, "a concurrency group")?;
        return Some(Concurrency { group, on_conflict: OnConflict::Queue, cancel_waiting: false });
    }
    let found = reader.object(node, &CONCURRENCY)?;
    let on_conflict = found.get("on-conflict").and_then(|on_conflict| {
        let values = [OnConflict::Queue, OnConflict::Skip, OnConflict::CancelRunning];
        reader.one_of(on_conflict, "`on-conflict`", ON_CONFLICT, &values)
    });
    let cancel_waiting = found
        .get("cancel-waiting")
        .and_then(|cancel_waiting| reader.boolean(cancel_waiting, "`cancel-waiting`"));
    Some(Concurrency {
        group: found.get("group").and_then(|group| reader.text(group, "a concurrency group"))?,
        on_conflict: on_conflict.unwrap_or_default(),
        cancel_waiting: cancel_waiting.unwrap_or(false),
    })
}
