//! Every limit of a workflow file at one less, at itself and at one more; and what is large stays quick.

use super::{Shelf, check, read};
use std::{collections::BTreeMap, fmt::Write as _};

fn errors(text: &str) -> Vec<&'static str> {
    let (_, said) = read(text);
    let mut codes: Vec<&str> =
        said.iter().filter(|diagnostic| diagnostic.is_error()).map(|item| item.code).collect();
    codes.dedup();
    codes
}

#[test]
fn a_file_may_have_four_mebibytes() {
    let text = |bytes: usize| {
        let head = "timeout: 1m\nsteps:\n  - {id: a, run: x}\n#";
        format!("{head}{}", "x".repeat(bytes - head.len()))
    };
    for bytes in [cuelight_base::FILE_BYTES_MAX - 1, cuelight_base::FILE_BYTES_MAX] {
        assert_eq!(errors(&text(bytes)), [""; 0]);
    }
    assert_eq!(errors(&text(cuelight_base::FILE_BYTES_MAX + 1)), ["file-too-large"]);
}

#[test]
fn mappings_and_lists_may_be_64_deep() {
    // The file, `steps`, the step, `set` and `values` are five; then as many lists as are left.
    let text = |depth: usize| {
        let lists = depth - 5;
        format!(
            "timeout: 1m\nsteps:\n  - {{id: a, set: {{values: {{x: {}{}}}}}}}\n",
            "[".repeat(lists),
            "]".repeat(lists)
        )
    };
    assert_eq!(errors(&text(63)), [""; 0]);
    assert_eq!(errors(&text(64)), [""; 0]);
    assert_eq!(errors(&text(65)), ["too-deep"]);
    assert_eq!(errors(&text(10_000)), ["too-deep"]);
    let blocks: String = (0..10_000).fold(String::new(), |mut out, depth| {
        writeln!(out, "{}a:", " ".repeat(depth % 500)).expect("a String takes all text");
        out
    });
    assert!(!errors(&blocks).is_empty());
}

#[test]
fn aliases_may_grow_to_one_mebibyte() {
    let text = |copies: usize| {
        let base = "x".repeat(1023);
        let list = vec!["*a"; copies].join(", ");
        format!("timeout: 1m\nsteps:\n  - id: a\n    set: {{values: {{a: &a {base}, b: [{list}]}}}}\n")
    };
    assert_eq!(errors(&text(1023)), [""; 0]);
    assert_eq!(errors(&text(1024)), [""; 0]);
    assert_eq!(errors(&text(1025)), ["alias"]);
}

#[test]
fn a_billion_laughs_are_cut_short() {
    let mut text = String::from("a0: &a0 [lol, lol]\n");
    for level in 1..40 {
        writeln!(text, "a{level}: &a{level} [*a{0}, *a{0}, *a{0}, *a{0}, *a{0}]", level - 1)
            .expect("a String takes all text");
    }
    assert_eq!(errors(&text), ["alias"]);
}

#[test]
fn workflows_may_be_nested_16_deep() {
    let shelf = |files: usize| {
        let call = |next: usize| format!("timeout: 1m\nsteps:\n  - {{id: a, workflow: f{next}.yaml}}\n");
        let mut files: BTreeMap<String, String> =
            (1..files).map(|index| (format!("f{index}.yaml"), call(index + 1))).collect();
        files.insert(
            format!("f{}.yaml", files.len() + 1),
            "timeout: 1m\nsteps:\n  - {id: a, run: x}\n".to_owned(),
        );
        Shelf(files)
    };
    let text = "timeout: 1m\nsteps:\n  - {id: a, workflow: f1.yaml}\n";
    for (inside, fits) in [(14, true), (15, true), (16, false)] {
        let (flow, said) = cuelight_definition::read("f0.yaml", text, &shelf(inside));
        assert_eq!(flow.is_some(), fits, "{inside}: {said:?}");
        assert!(
            fits || said.iter().any(|item| item.message == "workflows are nested more than 16 deep"),
            "{said:?}"
        );
    }
}

#[test]
fn a_run_may_have_100_000_steps_after_expansion() {
    let text = |copies: usize| {
        let list = |count: usize| (0..count).map(|index| index.to_string()).collect::<Vec<_>>().join(",");
        let mut text = String::from("timeout: 1m\nsteps:\n");
        for step in 0..10 {
            let count = if step == 0 { copies } else { 9999 };
            writeln!(text, "  - {{id: s{step}, run: x, matrix: {{n: [{}]}}}}", list(count))
                .expect("a String takes all text");
        }
        text
    };
    assert_eq!(errors(&text(9998)), [""; 0]);
    assert_eq!(errors(&text(9999)), [""; 0]);
    assert_eq!(errors(&text(10_000)), ["too-many-steps"]);
    assert_eq!(errors(&text(10_001)), ["matrix-size"]);
}

#[test]
fn a_long_chain_is_read_without_running_out_of_stack() {
    let mut text = String::from("timeout: 1m\nsteps:\n  - {id: s0, run: x, outputs: {v: string}}\n");
    for step in 1..20_000 {
        let last = step - 1;
        writeln!(text, "  - {{id: s{step}, needs: s{last}, run: 'echo ${{{{ steps.s0.outputs.v }}}}'}}")
            .expect("a String takes all text");
    }
    let (flow, said) = read(&text);
    assert_eq!(flow.map(|flow| flow.steps.len()), Some(20_000), "{:?}", said.first());
    let circle = text.replacen("{id: s0, ", "{id: s0, needs: s19999, ", 1);
    assert_eq!(errors(&circle), ["cycle"]);
}

#[test]
fn more_findings_than_anybody_reads_are_counted() {
    let mut text = String::from("timeout: 1m\nsteps:\n");
    for step in 0..2000 {
        writeln!(text, "  - {{id: s{step}, run: x, needs: gone}}").expect("a String takes all text");
    }
    let (_, said) = read(&text);
    assert_eq!(said.len(), 501);
    assert_eq!(said[500].message, "1500 more findings are left out");
}

#[test]
fn a_note_about_each_step_is_printed_once_and_left_out_notes_are_notes() {
    let mut text = String::from("name: w\nsteps:\n");
    for step in 0..2000 {
        writeln!(text, "  - {{id: s{step}, run: x}}").expect("a String takes all text");
    }
    let (_, said) = read(&text);
    assert_eq!((said.len(), said[500].severity), (501, cuelight_definition::Severity::Note));
    let told = cuelight_definition::findings_text(&said, false);
    assert_eq!(told.matches("note[no-timeout]").count(), 1, "{told}");
    assert!(told.contains(" = 499 more times: lines 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, …\n"), "{told}");
    assert!(told.lines().count() < 15, "{told}");
}

#[test]
fn an_expression_has_githubs_limits() {
    let deep = format!(
        "timeout: 1m\nsteps:\n  - {{id: a, run: x, if: '{}true{}'}}\n",
        "(".repeat(60),
        ")".repeat(60)
    );
    check(&deep, &["3:26 error[expression] could not read the expression: Exceeded max expression depth 50"]);
}
