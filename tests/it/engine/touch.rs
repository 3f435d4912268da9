//! Gates whose approval is signed with a security key that somebody touched.

use super::door::check;

#[track_caller]
fn at(rules: &str, script: &str, expected: &str) {
    let file = format!(
        "steps:
           - {{id: a, run: x, outputs: {{safe: string}}}}
           - {{id: g, needs: a, gate: {{prompt: go?{rules}}}}}
           - {{id: z, needs: g, run: x}}"
    );
    check(&file, script, expected);
}

const TOUCH: &str = ", proof: touch";
const HIGH: &str = ", risk: irreversible";
const OPEN: &str = "launch; ended a ok safe=no;";
const REFUSED: &str =
    "! could not decide g-1: an approval needs a touched security key: cuelight approve g-1 --as NAME --key";

#[test]
fn only_a_touched_key_approves_and_a_no_needs_none() {
    at(
        TOUCH,
        &format!("{OPEN} ann approves; kay approves; kay-touched approves"),
        &format!("{REFUSED}\n {REFUSED}\n g-1 kay approves\n g-1 armed"),
    );
    at(TOUCH, &format!("{OPEN} ann rejects : no"), "g-1 ann rejects\n g-1 rejected");
}

#[test]
fn no_other_way_of_saying_yes_goes_around_the_touch() {
    at(TOUCH, &format!("{OPEN} ann approves overriding : by hand"), REFUSED);
    at(
        TOUCH,
        &format!("{OPEN} gus approves breaking-glass : the whole site is down and nobody else comes"),
        REFUSED,
    );
    at(
        &format!("{TOUCH}, require: [{{group: sre, count: 2}}]"),
        &format!("{OPEN} kay-touched approves; ann approves"),
        &format!("g-1 kay approves\n {REFUSED}\n no g-1 approved"),
    );
}

#[test]
fn a_workspace_asks_for_it_at_every_irreversible_gate_and_at_no_other() {
    at(
        HIGH,
        &format!("people root-touch kay=8; {OPEN} ann approves; kay-touched approves"),
        &format!("{REFUSED}\n g-1 kay approves\n g-1 approved"),
    );
    at("", &format!("people root-touch kay=8; {OPEN} ann approves"), "g-1 ann approves");
}

#[test]
fn no_rule_and_no_time_says_yes_where_a_workspace_asks_for_a_touch() {
    at(
        &format!("{HIGH}, auto: 'true'"),
        &format!("people root-touch kay=8; {OPEN}"),
        "g-1 asked 1\n no g-1 approved",
    );
    at(&format!("{HIGH}, auto: 'true'"), OPEN, "g-1 approved");
}

#[test]
fn a_setting_that_comes_voids_votes_and_one_that_goes_frees_no_open_gate() {
    at(
        &format!("{HIGH}, require: [{{count: 2}}]"),
        &format!("people root kay=8; {OPEN} ann approves; people root-touch kay=8; ann approves"),
        &format!("g-1 ann approves\n g-1 asked 2\n {REFUSED}"),
    );
    for own in ["own", "signed"] {
        at(
            HIGH,
            &format!("people root-touch kay=8; {OPEN} people {own} kay=8; ann approves"),
            &format!("g-1 asked 1\n g-1 asked 2\n {REFUSED}"),
        );
    }
    at(
        HIGH,
        &format!("people root-touch kay=8; {OPEN} people root kay=8; ann approves"),
        "g-1 asked 2\n g-1 ann approves",
    );
}

#[test]
fn a_setting_that_root_has_made_holds_for_gates_that_open_after_the_user_has_put_another_file_in_its_place() {
    let later = |rules: &str| {
        format!("steps:\n  - {{id: a, run: x}}\n  - {{id: g, needs: a, gate: {{prompt: go?, {rules}}}}}")
    };
    let file = later("risk: irreversible, undo-window: 0s");
    let after = |people: &str| format!("people root-touch kay=8; launch; {people}; ended a ok; ann approves");
    check(&file, &after("people own kay=8"), &format!("g-1 asked 1\n {REFUSED}"));
    check(&file, &after("people root kay=8"), "g-1 ann approves");
    check(
        &file,
        "people own-touch kay=8; launch; people own kay=8; ended a ok; ann approves",
        "g-1 ann approves",
    );
}

#[test]
fn nobody_leaves_an_excluded_group_by_a_file_of_their_own() {
    let file = "steps:\n  - {id: a, run: x}\n  - {id: g, needs: a, gate: {prompt: go?, forbid: [dev], undo-window: 0s}}";
    let after =
        |people: &str| format!("people signed ann=1:dev bob=2; launch; {people}; ended a ok; ann approves");
    check(file, &after("people own ann=1 bob=2"), "g-1 asked 1\n ! could not decide g-1: dev is excluded");
    check(file, &after("people signed ann=1 bob=2"), "g-1 ann approves");
}

#[test]
fn a_signed_file_counts_above_reversible_and_gives_nothing_at_a_gate_that_is_open() {
    let sre = format!("{HIGH}, require: [{{group: sre, count: 1}}]");
    at(
        &sre,
        &format!(
            "people signed ann=1:sre bob=2; {OPEN} people signed ann=1 bob=2:sre; ann approves; bob approves"
        ),
        "people.toml has changed (signed by ops (SHA256:ops)): ann +sre
         g-1 asked 1
         people.toml has changed (signed by ops (SHA256:ops)): ann -sre, bob +sre
         g-1 asked 2
         ! could not decide g-1: ann joined sre after g-1 opened
         ! could not decide g-1: bob joined sre after g-1 opened",
    );
    at(&sre, &format!("people signed ann=1:sre; {OPEN} ann approves"), "g-1 ann approves\n g-1 approved");
}

#[test]
fn an_older_signed_file_brings_no_key_back_into_a_gate_that_is_open() {
    at(
        TOUCH,
        &format!(
            "people signed kay=8:sre/SHA256:other; {OPEN} people signed kay=8:sre/SHA256:touched; kay-touched approves"
        ),
        "g-1 asked 2\n ! could not decide g-1: this key of kay was added after g-1 opened",
    );
    at(
        TOUCH,
        &format!(
            "people signed kay=8:sre/SHA256:touched; {OPEN} people signed kay=8:sre/SHA256:touched bob=2; kay-touched approves"
        ),
        "g-1 asked 2\n g-1 kay approves",
    );
}
