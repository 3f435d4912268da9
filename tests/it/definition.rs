//! Text in; diagnostics or a workflow out.

use cuelight::definition::{self, Files};
use std::collections::BTreeMap;

/// Files that other files may name.
struct Shelf(BTreeMap<String, String>);

impl Files for Shelf {
    fn read(&self, path: &str) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| "there is no such file".to_owned())
    }
}

#[test]
fn the_example_of_the_manual_reads_without_errors() {
    let text = include_str!("../fixtures/workflows/deploy.yaml");
    let (workflow, said) = definition::read("deploy.yaml", text, &Shelf(BTreeMap::new()));
    let errors: Vec<String> = said.iter().filter(|it| it.is_error()).map(|it| it.text(false)).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert_eq!(workflow.expect("no errors").steps.len(), 6);
}
