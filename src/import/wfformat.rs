//! `WfFormat` (WfCommons): recorded runs of scientific workflows, with tasks, parents and measured runtimes.

use super::page::{Imported, Page, one_line, without_holes};
use cuelight_base::{Value, ValueMap};
use std::collections::{BTreeMap, BTreeSet};

/// The kind of step that a task becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportAs {
    /// A step that does nothing: only the order counts.
    Noop,
    /// A step that waits as long as the task ran, times a scale.
    Sleep {
        /// In millionths: 1000 makes a second a millisecond.
        scale_millionths: u64,
    },
}

/// A recorded workflow as a workflow file.
///
/// # Errors
/// Why it could not be read, as a whole sentence.
pub fn import_wfformat(text: &str, kind: ImportAs) -> Result<Imported, String> {
    let root: Value =
        cuelight_base::read_json(text).map_err(|why| format!("could not read WfFormat: {why}"))?;
    let tasks = tasks(&root)?;
    let runtimes = runtimes(&root);
    let mut page = Page::new("a run recorded in WfFormat");
    left_out(&root, &tasks).into_iter().for_each(|text| page.leave_out(text));
    let name = root.get("name").and_then(Value::as_str).unwrap_or("imported");
    page.top.insert("name".to_owned(), one_line(&without_holes(name)).into());
    if let Some(description) = root.get("description").and_then(Value::as_str) {
        page.top.insert("description".to_owned(), one_line(&without_holes(description)).into());
    }
    page.top.insert("max-parallel".to_owned(), PARALLEL.into());
    let ids = ids(&tasks, &mut page);
    let by_child = tasks_by_child(&tasks);
    for (task, id) in tasks.iter().zip(&ids.in_order) {
        let needs: Vec<String> = needs(task, &by_child, &ids, id).into_iter().map(str::to_owned).collect();
        let mut step = ValueMap::new();
        step.insert("name".to_owned(), one_line(&without_holes(&task_name(task))).into());
        step.insert("wait".to_owned(), wait(task, &runtimes, kind)?.into());
        page.step(id, &needs, step);
    }
    page.finish()
}

/// A recorded run had a whole cluster; the waits of ours hold no slot.
const PARALLEL: u32 = 10_000;

fn tasks(root: &Value) -> Result<Vec<&ValueMap>, String> {
    let workflow = root.get("workflow").ok_or("could not read WfFormat: there is no `workflow`")?;
    // 1.4 and later keep tasks under `specification`; before that they stood in `workflow` itself.
    let tasks = workflow.get("specification").unwrap_or(workflow).get("tasks").and_then(Value::as_array);
    let tasks =
        tasks.ok_or("could not read WfFormat: there is no list of tasks in `workflow.specification`")?;
    let maps: Option<Vec<&ValueMap>> = tasks.iter().map(Value::as_object).collect();
    let maps = maps.ok_or("could not read WfFormat: a task is not a mapping")?;
    if maps.is_empty() {
        return Err("could not import a workflow without tasks; there is nothing to run".to_owned());
    }
    if let Some(at) = maps.iter().position(|map| task_id(map).is_empty()) {
        return Err(format!("could not read WfFormat: task {} has neither id nor name", at + 1));
    }
    Ok(maps)
}

fn task_id(task: &ValueMap) -> &str {
    let text = |key: &str| task.get(key).and_then(Value::as_str).filter(|value| !value.is_empty());
    text("id").or_else(|| text("name")).unwrap_or_default()
}

fn task_name(task: &ValueMap) -> String {
    task.get("name").and_then(Value::as_str).unwrap_or_else(|| task_id(task)).to_owned()
}

/// Runtimes in millionths of a second, by task.
fn runtimes(root: &Value) -> BTreeMap<String, u64> {
    let of = |task: &ValueMap| {
        let number = ["runtimeInSeconds", "runtime"].iter().find_map(|key| task.get(*key)?.as_number());
        Some((task_id(task).to_owned(), decimal_millionths(&number?.to_string())?))
    };
    let workflow = root.get("workflow");
    let lists = [
        workflow.and_then(|workflow| workflow.get("execution")).and_then(|execution| execution.get("tasks")),
        workflow
            .and_then(|workflow| workflow.get("specification"))
            .and_then(|specification| specification.get("tasks")),
        workflow.and_then(|workflow| workflow.get("tasks")),
    ];
    let tasks = lists.into_iter().flatten().filter_map(Value::as_array).flatten();
    tasks.filter_map(Value::as_object).filter_map(of).collect()
}

/// A decimal number in millionths, more decimals cut off; none when it is negative or too large.
fn decimal_millionths(text: &str) -> Option<u64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{decimals}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?.checked_add(6)?;
    let Ok(point) = usize::try_from(point) else { return Some(0) };
    if point > 40 {
        return digits.bytes().all(|byte| byte == b'0').then_some(0);
    }
    let padded: String = digits.chars().chain("0".repeat(40).chars()).take(point).collect();
    if padded.is_empty() { Some(0) } else { padded.parse().ok() }
}

fn wait(task: &ValueMap, runtimes: &BTreeMap<String, u64>, kind: ImportAs) -> Result<String, String> {
    let ImportAs::Sleep { scale_millionths } = kind else { return Ok("0s".to_owned()) };
    let runtime = runtimes.get(task_id(task)).copied().unwrap_or(0);
    let nanos = u128::from(runtime) * u128::from(scale_millionths);
    // Millionths of millionths of a second; a thousand million of them are a millisecond. Rounded.
    let ms = u64::try_from((nanos + 500_000_000) / 1_000_000_000)
        .ok()
        .filter(|number| i64::try_from(*number).is_ok());
    let ms = ms.ok_or_else(|| format!("could not import {}: it ran too long", task_id(task)))?;
    Ok(format!("{ms}ms"))
}

/// Our ids: what an id may hold, each once.
struct Ids<'t> {
    in_order: Vec<String>,
    by_task: BTreeMap<&'t str, usize>,
}

fn ids<'t>(tasks: &[&'t ValueMap], page: &mut Page) -> Ids<'t> {
    let mut out = Ids { in_order: Vec::with_capacity(tasks.len()), by_task: BTreeMap::new() };
    for (index, task) in tasks.iter().enumerate() {
        out.in_order.push(page.id(task_id(task)));
        out.by_task.entry(task_id(task)).or_insert(index);
    }
    out
}

/// Children name their parents, or parents their children; files of either kind exist.
fn tasks_by_child<'t>(tasks: &[&'t ValueMap]) -> BTreeMap<&'t str, Vec<&'t str>> {
    let mut out: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for task in tasks {
        for child in names(task, "children") {
            out.entry(child).or_default().push(task_id(task));
        }
    }
    out
}

fn names<'t>(task: &'t ValueMap, key: &str) -> impl Iterator<Item = &'t str> {
    task.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn needs<'i>(
    task: &ValueMap,
    by_child: &BTreeMap<&str, Vec<&str>>,
    ids: &'i Ids<'_>,
    own: &str,
) -> Vec<&'i str> {
    let said = names(task, "parents");
    let implied = by_child.get(task_id(task)).into_iter().flatten().copied();
    let mut found: Vec<usize> =
        said.chain(implied).filter_map(|name| ids.by_task.get(name).copied()).collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|number| ids.in_order[number].as_str()).filter(|text| *text != own).collect()
}

/// Parts of the file that a workflow of ours has no place for.
fn left_out(root: &Value, tasks: &[&ValueMap]) -> Vec<String> {
    let workflow = root.get("workflow");
    let count = |section: &str, key: &str| {
        workflow
            .and_then(|workflow| workflow.get(section))
            .and_then(|value| value.get(key))
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
    };
    let mut out = Vec::new();
    let (files, machines, executed) =
        (count("specification", "files"), count("execution", "machines"), count("execution", "tasks"));
    if files > 0 {
        out.push(format!("{files} files that tasks read and write"));
    }
    if executed > 0 {
        out.push(format!("commands, CPU and memory figures of {executed} executed tasks"));
    }
    if machines > 0 {
        out.push(format!("{machines} machines"));
    }
    for key in ["author", "runtimeSystem", "createdAt"] {
        if root.get(key).is_some() {
            out.push(format!("`{key}`"));
        }
    }
    let unknown: usize = {
        let known: BTreeSet<&str> = tasks.iter().map(|task| task_id(task)).collect();
        tasks.iter().flat_map(|task| names(task, "parents")).filter(|name| !known.contains(name)).count()
    };
    if unknown > 0 {
        out.push(format!("{unknown} parents that are no tasks of this file"));
    }
    out
}
