//! Every bad file has its message. The files are in `tests/fixtures/hostile`, what is said in one snapshot.

use super::{Shelf, check, read};
use proptest::prelude::*;
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

#[test]
fn every_bad_file_has_its_message() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut names: Vec<String> = fs::read_dir(root.join("hostile"))
        .expect("fixtures")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("ASCII"))
        .collect();
    names.sort();
    let part = fs::read_to_string(root.join("workflows/part.yaml")).expect("a fixture");
    let mut out = String::new();
    for name in names {
        let text = fs::read_to_string(root.join("hostile").join(&name)).expect("a fixture");
        let own = (format!("hostile/{name}"), text.clone());
        let shelf = Shelf(BTreeMap::from([own, ("workflows/part.yaml".to_owned(), part.clone())]));
        let (_, said) = cuelight_definition::read(&format!("hostile/{name}"), &text, &shelf);
        assert!(!said.is_empty(), "{name}");
        writeln!(out, "# {name}: {}", cuelight_definition::summary(&said)).expect("a String takes all text");
        said.iter().for_each(|value| out.push_str(&value.text(false)));
        out.push('\n');
    }
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("definition_hostile", out);
    });
}

#[test]
fn a_workflow_that_calls_itself_through_others_is_shown_the_circle() {
    let call = |file: &str| format!("timeout: 1m\nsteps:\n  - {{id: a, workflow: {file}}}\n");
    let shelf =
        Shelf(BTreeMap::from([("b.yaml".to_owned(), call("c.yaml")), ("c.yaml".to_owned(), call("a.yaml"))]));
    let (flow, said) = cuelight_definition::read("a.yaml", &call("b.yaml"), &shelf);
    assert!(flow.is_none());
    assert!(
        said.iter().any(|item| item.message.ends_with("in a circle: a.yaml → b.yaml → c.yaml → a.yaml")),
        "{said:?}"
    );
}

#[test]
fn a_mistake_in_one_place_hides_none_in_another() {
    check(
        "timeout: 5\nsteps:\n  - {id: a, run: 'echo ${{ inputs.x }}', needs: b, colour: red}\n  - {id: a, uses: x}\n",
        &[
            "1:10 error[duration] a bare number has no unit; write 5s, 5m or 5h",
            "3:10 note[no-timeout] `a` may run for ever",
            "3:28 error[unknown-input] there is no input `x`",
            "3:49 error[unknown-need] there is no step `b`",
            "3:52 error[unknown-key] `colour` is no key of a step",
            "4:10 error[duplicate-id] there are two steps with the id `a`",
            "4:10 note[no-timeout] `a` may run for ever",
            "4:19 error[tool] `x` cannot be a tool",
        ],
    );
}

/// Mutations of a text that uses nearly everything.
fn mutated() -> impl Strategy<Value = String> {
    let base = include_str!("../../fixtures/workflows/deploy.yaml");
    let piece = prop::sample::select(vec![
        "${{",
        "}}",
        "{",
        "}",
        "[",
        "]",
        ":",
        "- ",
        "\n",
        "\n  ",
        "'",
        "\"",
        "&a ",
        "*a",
        "|",
        ">",
        "#",
        "\t",
        "ä\u{301}",
        "\u{202e}",
        "\0",
        "!!",
        "<<",
        "%",
        "---",
        "...",
        "null",
        "~",
        "0",
        "${{ steps.",
        "matrix",
        "$((",
        "<<EOF",
        "\\",
        "`",
        "\u{feff}",
        "\r",
        "? ",
        ", ",
    ]);
    let edit = (any::<prop::sample::Index>(), 0_usize..40, piece);
    prop::collection::vec(edit, 1..8).prop_map(move |edits| {
        let mut text = base.to_owned();
        for (at, cut, piece) in edits {
            let mut from = at.index(text.len());
            while !text.is_char_boundary(from) {
                from -= 1;
            }
            let mut to = (from + cut).min(text.len());
            while !text.is_char_boundary(to) {
                to -= 1;
            }
            text.replace_range(from..to.max(from), piece);
            if text.is_empty() {
                text.push('a');
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(text in mutated()) {
        let (flow, said) = read(&text);
        prop_assert_eq!(flow.is_none(), said.iter().any(cuelight_definition::Diagnostic::is_error));
        for value in &said {
            assert!(value.text(true).ends_with('\n') && serde_json::to_value(cuelight_definition::FindingAnswer::of(value)).is_ok_and(|value| value.is_object()));
        }
        cuelight_definition::sarif(&said);
        if let Ok(formatted) = cuelight_definition::fmt(&text) {
            prop_assert_eq!(cuelight_definition::fmt(&formatted), Ok(formatted.clone()));
        }
    }

    #[test]
    fn any_text_at_all_is_answered(text in "\\PC{0,200}") {
        read(&text);
    }
}

#[test]
fn an_auto_that_anybody_could_open_alone_is_told() {
    check(
        "timeout: 1m\nsteps:\n  - {id: w, wait: {event: ci/done}}\n  - {id: g, needs: w, gate: {prompt: go?, auto: \"steps.w.outputs.data.ok\"}}\n  - {id: h, needs: g, gate: {prompt: go?, auto: state.global.free}}\n",
        &[
            "4:50 warning[gate-approves-itself] `auto` reads a message: anyone who can send it approves this gate alone",
            "5:49 warning[gate-approves-itself] `auto` reads a shared value: anyone who can set it approves this gate alone",
        ],
    );
    check(
        "timeout: 1m\nsteps:\n  - {id: g, if: state.global.env == 'prod', gate: {prompt: go?}}\n",
        &[
            "3:17 warning[gate-approves-itself] `if` reads a shared value: anyone who can set it leaves this gate out",
        ],
    );
}

#[test]
fn an_auto_that_reads_all_of_a_scope_or_of_all_steps_is_told() {
    let flow = |auto: &str| {
        format!(
            "timeout: 1m\nsteps:\n  - {{id: w, wait: {{event: ci/done}}}}\n  - {{id: g, needs: w, gate: {{prompt: go?, auto: \"{auto}\"}}}}\n"
        )
    };
    for (auto, who) in [
        ("contains(toJSON(state), 'go')", "a shared value: anyone who can set it"),
        ("contains(toJSON(state.*.free), 'go')", "a shared value: anyone who can set it"),
        ("contains(toJSON(steps), 'go')", "a message: anyone who can send it"),
        ("contains(toJSON(needs), 'go')", "a message: anyone who can send it"),
    ] {
        let said = format!("4:50 warning[gate-approves-itself] `auto` reads {who} approves this gate alone");
        check(&flow(auto), &[&said]);
    }
    // No step of this one waits for a message.
    check(
        "timeout: 1m\nsteps:\n  - {id: w, run: make}\n  - {id: g, needs: w, gate: {prompt: go?, auto: \"contains(toJSON(steps), 'go')\"}}\n",
        &[],
    );
}
