//! Recorded executions of scientific workflows (`WfCommons`) are imported and run by the program: no step begins before
//! all its parents have ended, and a run takes no less than its critical path.
//!
//! The recordings lie beside the checkout; without them the tests say so and are skipped.

use crate::run_and_answer::{Told, run, say};
use cuelight_base::Span;
use cuelight_definition::Files;
use cuelight_plan::{Plan, PlanStep, WaitFor, Work};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

fn recordings() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/wfinstances");
    let Ok(entries) = fs::read_dir(&directory) else {
        println!("skipped: there are no recordings in {}", directory.display());
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    found.sort();
    found
}

struct Alone;

impl Files for Alone {
    fn read(&self, _path: &str) -> Result<String, String> {
        Err("an import calls no other file".to_owned())
    }
}

fn plan_of(text: &str) -> Plan {
    let (workflow, findings) = cuelight_definition::read("imported.yaml", text, &Alone);
    let errors: String =
        findings.iter().filter(|finding| finding.is_error()).map(|finding| finding.text(false)).collect();
    let workflow = workflow.unwrap_or_else(|| panic!("{errors}"));
    cuelight_plan::lower(&workflow, serde_json::Map::new()).expect("an import can be planned")
}

fn waits(step: &PlanStep) -> Span {
    match &step.work {
        Work::Wait(WaitFor::Duration(text)) => text.parse().expect("a duration"),
        other => panic!("an import is made of waits, not of {other:?}"),
    }
}

fn check(recording: &Path, words: &[&str]) {
    let directory = TempDir::new().expect("a directory");
    let from = recording.to_str().expect("a path in UTF-8");
    let imported = say(directory.path(), &[&["import", "wfformat", from], words].concat());
    assert!(imported.status.success(), "{from}: {}", String::from_utf8_lossy(&imported.stderr));
    let file = directory.path().join("imported.yaml");
    fs::write(&file, &imported.stdout).expect("a file");
    let plan = plan_of(&String::from_utf8(imported.stdout).expect("an import is text"));
    assert!(plan.steps.len() > 40, "{from} has its tasks");

    let told = run(directory.path(), &file, &[], &[]);
    assert_eq!(told.state(), "completed", "{from}: {}", told.said);
    in_order(&plan, &told, from);
    let path = cuelight_plan::critical_path(&plan, |_, step| waits(step));
    let took = instant(told.events.last())
        - instant(told.events.iter().find(|event| event["type"] == "run.started"));
    let longest = i64::try_from(path.length.0).expect("a short run");
    println!("{from}: {} steps, critical path {longest} ms, makespan {took} ms", plan.steps.len());
    assert!(took >= longest, "{from} took {took} ms, and its critical path alone {longest} ms");
}

fn instant(event: Option<&Value>) -> i64 {
    let text = event.and_then(|event| event["time"].as_str()).expect("an event has a time");
    chrono::DateTime::parse_from_rfc3339(text).expect("RFC 3339").timestamp_millis()
}

/// Every step: once, and only after all its needs.
fn in_order(plan: &Plan, told: &Told, from: &str) {
    let (mut first, mut done) = (BTreeMap::new(), BTreeMap::new());
    for (at, event) in told.events.iter().enumerate() {
        let Some(step) = event["step"].as_str() else { continue };
        first.entry(step).or_insert(at);
        if event["type"] == "step.completed" {
            assert_eq!(done.insert(step, at), None, "{from}: {step} completed twice");
        }
    }
    assert_eq!(done.len(), plan.steps.len(), "{from}: all steps completed");
    for step in &plan.steps {
        for need in &step.needs {
            let parent = &plan.steps[need.index()].id;
            assert!(
                done[parent.as_str()] < first[step.id.as_str()],
                "{from}: {} began before {parent} ended",
                step.id
            );
        }
    }
}

#[test]
fn recorded_workflows_run_in_order() {
    recordings().iter().for_each(|recording| check(recording, &["--as", "noop"]));
}

#[test]
fn recorded_workflows_take_no_less_than_their_critical_path() {
    recordings().iter().for_each(|recording| check(recording, &["--as", "sleep", "--scale", "0.001"]));
}
