//! Answers that must not count, whoever sends them and however: each is refused with its reason, and leaves no trace.

use super::door::{Bench, check, person, play};
use cuelight_base::{DecisionId, Epoch, GateId, ValueMap};
use cuelight_engine::{Command, Decision, Fact, GateEvent, Verdict};

const TWO: &str = "steps:
   - {id: g, gate: {prompt: go?, require: sre, timeout: 48h}}
   - {id: h, gate: {prompt: and this?}}
   - {id: z, needs: g, run: x}
   - {id: y, needs: h, run: x}";

/// An answer to the last ask of a gate, changed in one place.
fn sent(bench: &mut Bench, gate: u32, change: impl FnOnce(&mut Decision)) -> String {
    let asked = bench.journal.iter().rev().find_map(|event| match &event.fact {
        Fact::Gate(_, _, id, GateEvent::Asked { ask, hash, .. }) if id.0 == gate => Some((ask.epoch, *hash)),
        _ => None,
    });
    let (epoch, ask) = asked.expect("it was asked");
    let mut decision = Decision {
        id: DecisionId("k".to_owned()),
        gate: GateId(gate),
        epoch,
        ask,
        verdict: Verdict::Approve,
        reason: String::new(),
        by: person("ann"),
        shown_for: None,
        break_glass: false,
        overrides: false,
        form: ValueMap::new(),
    };
    change(&mut decision);
    let before = bench.log.len();
    bench.submit(Command::Decide(Box::new(decision)));
    bench.log[before..].join("\n")
}

#[test]
fn an_answer_for_another_gate_epoch_or_ask_is_refused() {
    let mut bench = play(TWO, "launch");
    for (what, change) in [
        (
            "another gate",
            Box::new(|decision: &mut Decision| decision.gate = GateId(2)) as Box<dyn FnOnce(&mut Decision)>,
        ),
        ("an older epoch", Box::new(|item| item.epoch = Epoch(0))),
        ("an epoch to come", Box::new(|item| item.epoch = Epoch(2))),
        ("another hash", Box::new(|item| item.ask.0[31] ^= 1)),
    ] {
        let said = sent(&mut bench, 1, change);
        assert!(said.starts_with("! could not decide g-") && said.contains("has changed"), "{what}: {said}");
    }
    let said = sent(&mut bench, 1, |decision| decision.gate = GateId(7));
    assert_eq!(said, "! could not find gate g-7; `cuelight gates` lists the open gates", "{said}");
}

#[test]
fn an_id_that_was_used_says_so_whatever_it_is_used_for() {
    let mut bench = play(TWO, "launch");
    assert!(sent(&mut bench, 1, |_| ()).contains("g-1 ann approves"));
    for change in [
        Box::new(|decision: &mut Decision| decision.verdict = Verdict::Reject)
            as Box<dyn FnOnce(&mut Decision)>,
        Box::new(|item| item.by = person("bob")),
    ] {
        let said = sent(&mut bench, 1, change);
        assert!(said.contains("could not use decision id k"), "{said}");
    }
    let said = sent(&mut bench, 2, |_| ());
    assert!(said.contains("could not use decision id k"), "{said}");
}

#[test]
fn a_reason_that_is_empty_or_a_megabyte_of_escapes_is_refused() {
    let mut bench = play(TWO, "launch");
    for empty in ["", " ", "\t\n"] {
        let said = sent(&mut bench, 1, |decision| {
            (decision.verdict, decision.reason) = (Verdict::Reject, empty.to_owned())
        });
        assert!(said.contains("could not reject g-1: say why"), "{said}");
    }
    let before = bench.world.fingerprint();
    let said = sent(&mut bench, 1, |decision| decision.reason = "\u{1b}]52;c;AAAA\u{7}".repeat(80_000));
    assert!(
        said.starts_with("! could not") && said.len() < 300 && !said.contains('\u{1b}'),
        "{}",
        said.len()
    );
    assert_eq!(bench.world.fingerprint(), before);
}

#[test]
fn somebody_nobody_knows_and_a_group_of_none_decide_nothing() {
    check(
        "steps:\n   - {id: g, gate: {prompt: go?, require: sre}}\n   - {id: z, needs: g, run: x}",
        "launch; zoe approves; zoe rejects : no; zoe edits g n=1",
        "! could not decide g-1: uid 77 is not in the group sre\n ! could not decide g-1: uid 77 is not in the group sre\n no z call",
    );
    check(
        "steps:\n   - {id: g, gate: {prompt: go?, require: nobody, timeout: 1h}}\n   - {id: z, needs: g, run: x}",
        "launch; ann approves; eve approves; wake 1h",
        "! could not decide g-1: ann is not in the group nobody\n ! could not decide g-1: eve is not in the group nobody\n g-1 expired\n no z call",
    );
}

#[test]
fn a_quorum_above_the_size_of_its_group_is_not_reached_by_the_same_people_again() {
    check(
        "steps:\n   - {id: g, gate: {prompt: go?, require: [{group: product, count: 4}]}}",
        "launch; cat approves via-script; eve approves via-script; ann2 approves via-script; cat approves via-script",
        "g-1 cat approves\n g-1 eve approves\n g-1 ann2 approves\n no approved by",
    );
}

#[test]
fn a_delegation_that_ran_out_is_none() {
    check(
        TWO,
        "launch; ann delegates g to=dan for=1h; later 1h; dan approves g; dan rejects g : no; ann approves g via-script",
        "g-1 ann hands it to dan for 1h
         ! could not decide g-1: dan is not in the group sre
         ! could not decide g-1: dan is not in the group sre
         g-1 approved by people",
    );
}

#[test]
fn a_clock_that_is_set_back_a_day_neither_expires_nor_approves_anything() {
    let mut bench = play(TWO, "launch; ann approves g");
    let day = cuelight_base::Span::seconds(24 * 3600);
    bench.now = bench.now - day;
    bench.submit(Command::Wake);
    assert!(!bench.text().contains("approved by") && !bench.text().contains("expired"), "{}", bench.text());
    // What is taken back, refused or agreed to meanwhile counts as ever; time-outs come when their instant does.
    bench.line("ann withdraws g");
    bench.line("bob approves g via-script");
    assert!(bench.text().contains("g-1 approved by people"), "{}", bench.text());
    let mut bench = play(TWO, "launch");
    bench.now = bench.now - day;
    bench.line("wake 60h");
    assert!(!bench.text().contains("expired"), "{}", bench.text());
    bench.line("wake 12h");
    assert!(bench.text().contains("g-1 expired by timeout"), "{}", bench.text());
}
