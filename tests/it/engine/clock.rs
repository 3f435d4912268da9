//! A clock that is set: back by a day while somebody waits, and forward again. Order is the place in the log, never the time.

use super::door::{Bench, play};
use cuelight_base::Span;

const DAY: Span = Span::seconds(24 * 3600);

fn waiting(rules: &str) -> Bench {
    let gate =
        format!("steps:\n  - {{id: g, gate: {{prompt: go?{rules}}}}}\n  - {{id: z, needs: g, run: x}}");
    let mut bench = play(&gate, "launch");
    bench.now = bench.now - DAY;
    bench
}

/// Lines of the journal with this in them.
fn told(bench: &Bench, what: &str) -> usize {
    bench.log.iter().filter(|text| !text.starts_with('>') && text.contains(what)).count()
}

#[test]
fn a_clock_that_is_set_back_a_day_ends_no_wait_and_decides_nothing() {
    for rules in [
        ", timeout: 1h",
        ", timeout: 1h, on-timeout: approve",
        ", escalate: {after: 1h, to: bob}",
        ", remind: 1h",
    ] {
        let mut bench = waiting(rules);
        bench.line("wake 2h");
        for what in ["expired", "approved", "escalated", "reminded"] {
            assert_eq!(told(&bench, what), 0, "{rules}: {}", bench.text());
        }
        // The gate is answered as ever, and what it releases starts.
        bench.line("ann approves via-script");
        assert_eq!((told(&bench, "approved by people"), told(&bench, "z call 1")), (1, 1), "{rules}");
    }
}

#[test]
fn when_the_clock_is_right_again_time_does_what_it_was_to_do_and_once() {
    let mut bench = waiting(", timeout: 1h");
    bench.line("wake 2h");
    bench.now = bench.now + DAY;
    bench.line("wake 1s");
    bench.line("wake 1s");
    assert_eq!(told(&bench, "expired by timeout"), 1, "{}", bench.text());
}

#[test]
fn a_step_that_is_tried_again_waits_for_the_clock_and_is_called_once() {
    let mut bench = play(
        "steps: [{id: a, run: x, retry: {max-attempts: 2, delay: 1m, jitter: 0}}]",
        "launch; ended a agent_logic",
    );
    bench.now = bench.now - DAY;
    bench.line("wake 2m");
    assert_eq!(told(&bench, "a call 2"), 0, "{}", bench.text());
    bench.now = bench.now + DAY;
    bench.line("wake 1s");
    bench.line("wake 1s");
    assert_eq!(told(&bench, "a call 2"), 1, "{}", bench.text());
}

#[test]
fn no_gate_is_approved_by_a_time_in_which_nobody_could_answer() {
    let rules = ", timeout: 1h, on-timeout: approve";
    let gate =
        format!("steps:\n  - {{id: g, gate: {{prompt: go?{rules}}}}}\n  - {{id: z, needs: g, run: x}}");
    let mut bench = play(&gate, "launch; wake 10m; stalled 2h; wake 59m");
    assert_eq!(
        told(&bench, "g-1 asked 2: nobody was looking; its timer starts again"),
        1,
        "{}",
        bench.text()
    );
    assert_eq!(told(&bench, "approved"), 0, "{}", bench.text());
    bench.line("wake 1m");
    assert_eq!((told(&bench, "approved by timeout"), told(&bench, "z call 1")), (1, 1), "{}", bench.text());
    // A gate that rejects is not asked again, and one that people have decided neither.
    let mut bench = play(&gate.replace("on-timeout: approve", "on-timeout: reject"), "launch; stalled 2h");
    assert_eq!(told(&bench, "asked 2"), 0, "{}", bench.text());
    bench.line("wake 1s");
    assert_eq!(told(&bench, "expired by timeout"), 1, "{}", bench.text());
    let bench = play(&gate, "launch; ann approves; stalled 2h");
    assert_eq!(told(&bench, "asked 2"), 0, "{}", bench.text());
}
