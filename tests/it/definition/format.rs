//! Formatting: ugly text in, canonical text out, the same meaning, the same comments.

use super::{Shelf, read, workflow};
use cuelight_definition::fmt;
use std::{fs, path::Path};

#[track_caller]
fn check(text: &str, expected: &str) {
    let formatted = fmt(text).unwrap_or_else(|said| panic!("{}", said[0].text(false)));
    assert_eq!(formatted, expected);
    assert_eq!(fmt(&formatted).as_deref(), Ok(expected), "formatting again changes nothing");
    assert_eq!(read(&formatted).0, read(text).0, "it means the same");
}

#[test]
fn other_spellings_become_ours() {
    check(
        "params: {v: string}\nsteps:\n  - id: a # first\n    timeout-minutes: 3 # minutes\n    run: x\n  - id: b\n    depends: [a]\n    \
         when: success()\n    run: x\n    retry_policy: {limit: 2, interval_sec: 5}\n    compensate: y\n",
        "inputs: {v: string}\nsteps:\n  - id: a # first\n    run: x\n    timeout: 3m # minutes\n  - id: b\n    needs: [a]\n    \
         if: success()\n    run: x\n    retry: {max-attempts: 3, delay: 5s}\n    undo: y\n",
    );
}

#[test]
fn keys_are_put_in_order_and_comments_stay_with_them() {
    check(
        "# the file\n\n# about steps\nsteps:\n  # about a\n  - run: |\n      # not a comment of ours\n      echo  \n\n      x\n    # about \
         the id\n    id: a\n    env:\n      B: c # here\n    # about needs\n    needs: []\n\n  # about b\n  - id: b\n    run: x\n\n# \
         about the name\nname: x\n# at the end\n",
        "# the file\n\n# about the name\nname: x\n# about steps\nsteps:\n  # about a\n  # about the id\n  - id: a\n    # about \
         needs\n    needs: []\n    run: |\n      # not a comment of ours\n      echo  \n\n      x\n    env:\n      B: c # here\n\n  # \
         about b\n  - id: b\n    run: x\n\n# at the end\n",
    );
}

#[test]
fn what_is_canonical_stays_as_it_is() {
    let text = include_str!("../../fixtures/workflows/part.yaml");
    check(text, text);
}

#[test]
fn line_ends_and_byte_order_mark_become_plain() {
    check("\u{feff}steps:\r\n  - {id: a, run: x}\r\n\r\n\r\n", "steps:\n  - {id: a, run: x}\n");
}

#[test]
fn a_file_with_errors_is_left_alone_and_says_why() {
    let said = fmt("steps:\n  - {id: a, neds: b, run: x}\n").expect_err("an error");
    assert_eq!(said[0].code, "unknown-key");
}

#[test]
fn every_valid_file_keeps_its_meaning_and_its_comments() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["tests/fixtures/workflows", "examples"] {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("UTF-8");
            let (flow, _) = cuelight_definition::read("flow.yaml", &text, &Shelf::default());
            let Ok(formatted) = fmt(&text) else { panic!("{}", path.display()) };
            assert_eq!(read(&formatted).0, flow, "{}", path.display());
            let comments = |text: &str| {
                let mut found: Vec<String> = text
                    .match_indices("# ")
                    .map(|(at, _)| text[at..].lines().next().unwrap_or_default().to_owned())
                    .collect();
                found.sort();
                found
            };
            assert_eq!(comments(&formatted), comments(&text), "{}", path.display());
            assert_eq!(fmt(&formatted).as_ref(), Ok(&formatted), "{}", path.display());
        }
    }
    workflow(include_str!("../../fixtures/workflows/deploy.yaml"));
}
