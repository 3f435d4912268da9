//! The examples are true: each is read without a finding, is in canonical form, makes a plan, and does its work when
//! the program runs it and a second process answers at its gates.

use crate::docs::is_updating;
use cuelight::{
    definition::{self, Files},
    plan,
};

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every workflow in `examples/`, the parts that others call included.
fn examples() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["examples", "examples/parts"]
        .iter()
        .flat_map(|dir| fs::read_dir(root().join(dir)).expect("the directory of examples"))
        .map(|it| it.expect("an entry of it").path())
        .filter(|it| it.extension().is_some_and(|it| it == "yaml"))
        .collect();
    found.sort();
    found
}

struct Beside;

impl Files for Beside {
    fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(path).map_err(|it| it.to_string())
    }
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").display().to_string()
}

#[test]
fn every_example_is_read_without_a_finding_and_can_be_planned() {
    let mut complaints = String::new();
    for path in examples() {
        let text = fs::read_to_string(&path).expect("an example");
        let (workflow, findings) = definition::read(&path.display().to_string(), &text, &Beside);
        complaints.extend(findings.iter().map(|it| it.text(false)));
        let Some(workflow) = workflow else { continue };
        let given =
            workflow.inputs.iter().filter(|it| it.required).map(|it| (it.name.value.clone(), ".".to_owned()));
        let inputs =
            definition::check_input_texts(&workflow, &given.collect::<Vec<_>>()).expect("its inputs");
        let plan = plan::lower(&workflow, inputs).unwrap_or_else(|why| panic!("{}: {why:?}", name(&path)));
        assert!(!plan.description.is_empty(), "{} says what it is for", name(&path));
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn every_example_is_in_canonical_form() {
    for path in examples() {
        let text = fs::read_to_string(&path).expect("an example");
        let formatted = definition::fmt(&text).unwrap_or_else(|_| panic!("{} can be read", name(&path)));
        if is_updating() {
            fs::write(&path, &formatted).expect("the example can be written");
        } else {
            assert!(formatted == text, "{0} is not in canonical form; run cuelight fmt {0}", name(&path));
        }
    }
}

#[test]
fn every_example_says_on_top_what_it_does_and_how_to_try_it() {
    for path in examples() {
        let text = fs::read_to_string(&path).expect("an example");
        let top: Vec<&str> = text.lines().take_while(|it| it.starts_with('#')).collect();
        assert!(top.iter().any(|it| it.contains("cuelight ")), "{} says how to try it", name(&path));
        assert!(top.len() >= 3, "{} says what it does", name(&path));
    }
}
