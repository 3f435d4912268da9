//! Groups of `people.toml` at a gate: whose word they are, and what a change of the file means for gates that are open.

use super::door::check;

fn gate(rules: &str) -> String {
    format!(
        "steps:
           - {{id: a, run: x, outputs: {{safe: string}}}}
           - {{id: g, needs: a, gate: {{prompt: go?{rules}}}}}
           - {{id: z, needs: g, run: x}}"
    )
}

#[track_caller]
fn at(rules: &str, script: &str, expected: &str) {
    check(&gate(rules), script, expected);
}

const SRE: &str = ", require: [{group: sre, count: 1}]";
const OPEN: &str = "launch; ended a ok safe=no;";

#[test]
fn nobody_comes_into_a_group_while_a_gate_asks_for_it() {
    at(
        SRE,
        &format!(
            "people own bob=2:sre ann=1; {OPEN} people own bob=2:sre ann=1:sre; ann approves; bob approves"
        ),
        "people.toml has changed (self-declared): bob +sre
         g-1 asked 1
         people.toml has changed (self-declared): ann +sre
         g-1 asked 2
         ! could not decide g-1: ann joined sre after g-1 opened
         g-1 bob approves",
    );
}

#[test]
fn a_file_that_appears_while_a_gate_asks_puts_nobody_into_a_group() {
    at(
        SRE,
        &format!("{OPEN} people own ann=1:sre; ann approves"),
        "g-1 asked 2\n ! could not decide g-1: ann joined sre after g-1 opened",
    );
}

#[test]
fn the_next_gate_goes_by_the_file_as_it_is_then() {
    at(
        SRE,
        &format!(
            "people own bob=2:sre; {OPEN} people own ann=1:sre; launch; run r-2; ended a ok safe=no; ann approves g-2"
        ),
        "g-2 ann approves",
    );
}

#[test]
fn who_is_taken_out_of_a_group_is_out_at_once_and_votes_are_void() {
    at(
        ", require: [{group: sre, count: 2}]",
        &format!(
            "people own ann=1:sre bob=2:sre eve=5:sre; {OPEN} ann approves; people own ann=1 bob=2:sre eve=5:sre;
             ann approves; bob approves; eve approves"
        ),
        "g-1 ann approves
         people.toml has changed (self-declared): ann -sre
         g-1 asked 2
         ! could not decide g-1
         g-1 bob approves
         no g-1 approved
         g-1 eve approves
         g-1 armed",
    );
}

#[test]
fn a_file_that_only_root_can_write_counts_at_once() {
    at(
        SRE,
        &format!("people own bob=2:sre; {OPEN} people root ann=1:sre; bob approves; ann approves"),
        "people.toml has changed: bob -sre, ann +sre
         g-1 asked 2
         ! could not decide g-1
         g-1 ann approves",
    );
}

#[test]
fn above_reversible_no_group_counts_that_the_user_can_write() {
    for risk in ["externally-reversible", "irreversible"] {
        at(
            &format!("{SRE}, risk: {risk}"),
            &format!("people own ann=1:sre; {OPEN} ann approves; people root ann=1:sre; ann approves"),
            &format!(
                "! could not decide g-1: at risk {risk} groups count only when people.toml is signed, or when only root can write it
                 g-1 asked 2
                 g-1 ann approves"
            ),
        );
    }
    at(
        &format!("{SRE}, risk: read-only"),
        &format!("people own ann=1:sre; {OPEN} ann approves"),
        "g-1 ann approves",
    );
}

#[test]
fn nobody_gets_out_of_an_exclusion_by_editing_the_file() {
    at(
        ", forbid: ['group:product', dan]",
        &format!(
            "people own cat=3:product dan=4; {OPEN} people own cat=3 dave=4; cat approves; dan approves; ann approves"
        ),
        "g-1 asked 2
         ! could not decide g-1: group:product is excluded by the workflow
         ! could not decide g-1: dan is excluded by the workflow
         g-1 ann approves",
    );
}

#[test]
fn nobody_breaks_the_glass_by_editing_the_file() {
    at(
        ", require: [{group: sre, count: 2}]",
        &format!(
            "people own ann=1:sre; {OPEN} people own gus=6:break-glass; gus approves breaking-glass : the whole site is down and nobody else comes"
        ),
        "! could not give an emergency approval at g-1: gus is not in the group break-glass of people.toml",
    );
}

#[test]
fn the_same_file_read_again_is_no_event_and_a_gate_without_people_in_it_asks_on() {
    at(
        "",
        &format!("people own ann=1:sre; people own ann=1:sre; {OPEN} people own bob=2:sre; ann approves"),
        "people.toml has changed (self-declared): ann +sre
         g-1 asked 1
         people.toml has changed (self-declared): ann -sre, bob +sre
         no g-1 asked 2
         g-1 ann approves",
    );
}
