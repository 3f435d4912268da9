//! Recorded runs of scientific workflows become workflow files that read without a finding.

use super::workflow;
use cuelight::definition::{ImportAs, Length, StepKind, Wait, import_wfformat};
use serde_json::Value;
use std::{fs, path::Path};

#[test]
fn every_recorded_run_reads_and_keeps_tasks_and_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/wfinstances");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: {} is not there", folder.display());
        return;
    };
    let mut count = 0;
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|it| it != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("UTF-8");
        let recorded: Value = serde_json::from_str(&text).expect("JSON");
        let tasks = recorded["workflow"]["specification"]["tasks"].as_array().expect("tasks");
        for kind in [ImportAs::Noop, ImportAs::Sleep { scale_millionths: 1000 }] {
            let flow = workflow(&import_wfformat(&text, kind).expect("WfFormat"));
            assert_eq!(flow.steps.len(), tasks.len(), "{}", path.display());
            let needs: usize = flow.steps.iter().map(|it| it.needs.len()).sum();
            let parents: usize = tasks.iter().map(|it| it["parents"].as_array().map_or(0, Vec::len)).sum();
            assert_eq!(needs, parents, "{}", path.display());
        }
        count += 1;
    }
    assert!(count >= 6, "{count}");
}

#[test]
fn a_runtime_is_scaled_in_whole_numbers_and_names_are_kept() {
    let text = r#"{"name": "x: ${{ y }}", "schemaVersion": "1.5", "author": {}, "workflow": {"specification": {"tasks": [
        {"id": "Split #1", "name": "Split", "children": ["split_1"]}, {"id": "split_1", "parents": ["Split #1", "gone"]},
        {"id": "9"}]},
        "execution": {"tasks": [{"id": "Split #1", "runtimeInSeconds": 53.6}, {"id": "split_1", "runtimeInSeconds": 1.5e3}]}}}"#;
    let yaml = import_wfformat(text, ImportAs::Sleep { scale_millionths: 1000 }).expect("WfFormat");
    let flow = workflow(&yaml);
    assert_eq!(flow.name, "x: $ {{ y }}");
    let steps: Vec<(String, Vec<String>, u64)> = flow
        .steps
        .iter()
        .map(|it| {
            let StepKind::Wait(Wait::For(Length::Fixed(span))) = it.kind else { panic!("a wait") };
            (it.id.value.clone(), it.needs.iter().map(|it| it.value.clone()).collect(), span.0)
        })
        .collect();
    let expected = [("split--1", vec![], 54), ("split_1", vec!["split--1"], 1500), ("t-9", vec![], 0)];
    assert_eq!(
        steps,
        expected.map(|(id, needs, ms)| (id.to_owned(), needs.into_iter().map(str::to_owned).collect(), ms))
    );
    for line in [
        "# Could not carry over: `author`.",
        "# Could not carry over: 1 parents that are no tasks of this file.",
    ] {
        assert!(yaml.contains(line), "{yaml}");
    }
}

#[test]
fn what_is_no_recorded_run_is_refused_with_a_sentence() {
    for (text, why) in [
        ("{", "could not read WfFormat: EOF while parsing an object at line 1 column 1"),
        ("{}", "could not read WfFormat: there is no `workflow`"),
        (
            r#"{"workflow": {"tasks": []}}"#,
            "could not import a workflow without tasks; there is nothing to run",
        ),
        (r#"{"workflow": {"tasks": [{}]}}"#, "could not read WfFormat: task 1 has neither id nor name"),
    ] {
        assert_eq!(import_wfformat(text, ImportAs::Noop), Err(why.to_owned()));
    }
}
