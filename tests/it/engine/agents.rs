//! Agents that come by themselves: who is there, who is late, and who is lost; what they take, and what becomes of it when they fall
//! silent.

use super::door::{check, play};
use cuelight_engine::{Fact, StepEvent};

const NOTHING: &str = "steps: [{id: a, run: 'true'}]";

#[test]
fn an_agent_that_gives_no_sign_of_life_for_three_intervals_is_lost_and_there_again_when_it_does() {
    check(
        NOTHING,
        "coder-1 comes; wake 89s; wake 1s; coder-1 beats; wake 89s; coder-1 beats; wake 89s",
        "> coder-1 comes
         agent coder-1 is there
         > wake 1s
         agent coder-1 is lost
         agent coder-1 is seen
         > coder-1 beats
         agent coder-1 is seen
         > wake 89s",
    );
    let bench = play(NOTHING, "coder-1 comes; wake 89s; coder-1 beats; wake 89s");
    assert!(!bench.text().contains("lost"), "{}", bench.text());
}

#[test]
fn signs_of_life_that_say_nothing_new_are_not_written_down() {
    let bench =
        play(NOTHING, "coder-1 comes; later 9s; coder-1 beats; later 1s; coder-1 beats; coder-1 beats");
    assert_eq!(bench.text().matches("is seen").count(), 1, "{}", bench.text());
}

#[test]
fn an_agent_is_called_as_its_token_says_or_a_session_of_it() {
    for (line, told) in [
        ("coder-1 comes as=coder-2", "its name is not that of the token"),
        ("coder-1 comes as=coder-12", "its name is not that of the token"),
        ("coder-1 comes as=coder-1/", "its name is not that of the token"),
        ("coder-1 comes as=coder-1/../x", "its name is not that of the token"),
        ("coder-1 comes type=Coding", "cannot be kept"),
        ("coder-1 comes takes=0", "cannot be kept"),
        ("coder-1 comes can=a/b", "cannot be kept"),
        ("coder-1 beats", "there is no such agent here"),
        ("coder-1 leaves", "there is no such agent here"),
    ] {
        let bench = play(NOTHING, line);
        assert!(bench.text().contains(told), "{line}: {}", bench.text());
        assert!(!bench.text().contains("is there\n"), "{line}");
    }
    check(NOTHING, "coder-1 comes as=coder-1/s2", "agent coder-1/s2 is there");
}

#[test]
fn the_same_agent_once_more_changes_nothing_and_another_one_of_its_name_is_refused() {
    check(
        NOTHING,
        "coder-1 comes can=a; coder-1 comes can=a; coder-1 comes can=b; coder-1 leaves; coder-1 comes can=b",
        "agent coder-1 is there
         > coder-1 comes can=b
         says something else of itself
         agent coder-1 left: it is done
         agent coder-1 is there",
    );
}

#[test]
fn while_there_was_no_engine_nobody_is_lost_for_having_said_nothing() {
    check(
        NOTHING,
        "coder-1 comes; later 10h; crash; wake 89s; wake 1s",
        "recovered after
         > wake 89s
         > wake 1s
         agent coder-1 is lost",
    );
}

/// Steps for agents that come by themselves; `effect` is what a crash in the middle of one means.
fn work(steps: &str, effect: &str) -> String {
    let agent = |name: &str, can: &str| {
        format!(
            "--- agents/{name}.yaml\nname: {name}\nversion: 1\ndescription: d\ncapabilities: [{can}]\neffect: {effect}\nclaim: true\n"
        )
    };
    format!("secrets: [KEY]\nsteps:\n{steps}\n{}{}", agent("coder", "write, merge"), agent("tester", "try"))
}

const ONE: &str = "  - {id: a, agent: {name: coder, task: Do it}}\n  - {id: b, needs: a, run: 'true'}";

#[test]
fn work_waits_until_an_agent_comes_and_is_done_when_it_is_handed_back() {
    check(
        &work(ONE, "pure"),
        "launch; coder-1 comes; coder-1 claims; coder-1 goes-on r-1.0.1 note=half; coder-1 returns r-1.0.1 result=1 confidence=0.9",
        "a waits for an agent like agent:coder@1.0.0
         coder-1 takes r-1.0.1
         r-1.0.1 goes on: half
         > coder-1 returns
         a completed
         b call 1",
    );
    let bench = play(&work(ONE, "pure"), "launch; coder-1 comes; coder-1 claims");
    let calls = bench.text().matches("a call 1").count() + bench.text().matches("a starts").count();
    assert!(calls <= 1, "{}", bench.text());
}

#[test]
fn two_agents_ask_at_once_and_one_of_them_gets_it() {
    check(
        &work(ONE, "pure"),
        "launch; coder-1 comes; coder-2 comes; coder-1 claims; coder-2 claims; coder-2 returns r-1.0.1 result=1",
        "coder-1 takes r-1.0.1
         > coder-2 returns
         its name is not that of the token
         no coder-2 takes",
    );
}

#[test]
fn asked_again_under_the_same_name_it_has_the_same_work_and_no_more() {
    let steps = "  - {id: a, agent: {name: coder, task: x}}\n  - {id: b, agent: {name: coder, task: y}}";
    let bench = play(
        &work(steps, "pure"),
        "launch; coder-1 comes takes=2; coder-1 claims id=c; coder-1 claims id=c; coder-1 claims id=d; coder-1 claims id=e",
    );
    let text = bench.text();
    assert_eq!(text.matches("coder-1 takes").count(), 2, "{text}");
    assert!(text.contains("which is what it takes at once"), "{text}");
}

#[test]
fn an_agent_takes_what_is_for_its_type_or_for_all_that_it_can_do() {
    for (agent, takes) in [
        ("qa-1 comes type=coder", true),
        ("qa-1 comes type=qa can=write,merge,more", true),
        ("qa-1 comes type=qa can=write", false),
        ("qa-1 comes type=tester", false),
    ] {
        let bench = play(&work(ONE, "pure"), &format!("launch; {agent}; qa-1 claims"));
        assert_eq!(bench.text().contains("qa-1 takes"), takes, "{agent}: {}", bench.text());
    }
}

#[test]
fn work_whose_agent_falls_silent_is_put_back_and_what_that_one_brings_later_is_not_taken() {
    check(
        &work(ONE, "pure"),
        "launch; coder-1 comes; coder-2 comes; coder-1 claims; wake 59s; coder-1 goes-on r-1.0.1; wake 59s; coder-2 beats; wake 1s
         coder-2 claims; coder-1 returns r-1.0.1 result=1; coder-2 returns r-1.0.2 result=2; coder-2 returns r-1.0.2 result=3",
        "coder-1 takes r-1.0.1
         r-1.0.1 goes on
         a waits for an agent like agent:coder@1.0.0
         coder-2 takes r-1.0.2
         > coder-1 returns r-1.0.1
         its lease ran out
         > coder-2 returns r-1.0.2 result=2
         > coder-2 returns r-1.0.2 result=3
         it has ended already",
    );
}

#[test]
fn work_that_may_have_happened_is_asked_about_when_it_is_done_once() {
    check(
        &work(ONE, "once"),
        "launch; coder-1 comes; coder-1 claims; wake 60s; not-happened a as ann; coder-1 claims",
        "coder-1 takes r-1.0.1
         doubt
         coder-1 takes r-1.0.2",
    );
}

#[test]
fn work_that_takes_one_agent_after_the_other_with_it_fails_in_the_end() {
    check(
        &work(ONE, "pure"),
        "launch; coder-1 comes; coder-1 claims; wake 60s; coder-1 claims; wake 60s; coder-1 claims; wake 60s; coder-1 claims",
        "coder-1 takes r-1.0.1
         coder-1 takes r-1.0.2
         coder-1 takes r-1.0.3
         agent_timeout
         no r-1.0.4",
    );
}

#[test]
fn an_agent_that_is_lost_or_leaves_has_no_work_any_more() {
    for end in ["wake 90s", "coder-1 leaves"] {
        check(
            &work(ONE, "pure"),
            &format!("launch; coder-1 comes; coder-1 claims for=10m; {end}; coder-2 comes; coder-2 claims"),
            "coder-1 takes r-1.0.1
             a waits for an agent like agent:coder@1.0.0
             coder-2 takes r-1.0.2",
        );
    }
}

#[test]
fn a_lease_outlives_the_engine_and_what_is_handed_back_to_the_next_one_counts() {
    check(
        &work(ONE, "once"),
        "launch; coder-1 comes; coder-1 claims; crash 10h; wake 59s; coder-1 returns r-1.0.1 result=1",
        "coder-1 takes r-1.0.1
         recovered after
         > coder-1 returns
         a call 1 ended ok
         a completed
         b call 1
         no in doubt
         no its lease ran out
         = running: a completed, b running",
    );
    let bench = play(&work(ONE, "once"), "launch; coder-1 comes; coder-1 claims; crash 10h; wake 60s");
    assert!(bench.text().contains("doubt"), "{}", bench.text());
}

#[test]
fn what_fails_is_tried_again_as_its_step_says() {
    let steps = "  - {id: a, agent: {name: coder, task: x}, retry: {max-attempts: 2, delay: 1s, kind: constant, jitter: 0}}";
    check(
        &work(steps, "pure"),
        "launch; coder-1 comes; coder-1 claims; coder-1 fails r-1.0.1; wake 1s; coder-1 claims; coder-1 fails r-1.0.2",
        "coder-1 takes r-1.0.1
         call 1 ended agent_logic, again in 1s
         a waits for an agent like agent:coder@1.0.0
         coder-1 takes r-1.0.2
         agent_logic",
    );
}

#[test]
fn a_timeout_holds_for_the_waiting_and_for_the_call() {
    let steps = "  - {id: a, agent: {name: coder, task: x}, timeout: 5m}";
    check(&work(steps, "pure"), "launch; wake 5m", "waits for an agent\n resource_tool");
    check(
        &work(steps, "pure"),
        "launch; wake 4m; coder-1 comes; coder-1 claims for=10m; wake 85s; coder-1 beats; wake 85s; coder-1 beats; wake 85s; coder-1 beats; wake 45s",
        "coder-1 takes r-1.0.1
         system_timeout",
    );
}

#[test]
fn work_of_a_run_that_is_cancelled_goes_on_for_a_moment_and_is_not_renewed() {
    check(
        &work(ONE, "pure"),
        "launch; coder-1 comes; coder-1 claims for=10m; cancel; coder-1 goes-on r-1.0.1; wake 15s",
        "coder-1 takes r-1.0.1
         cancelling
         > coder-1 goes-on
         the work is being ended
         ended cancelled",
    );
}

#[test]
fn who_comes_when_another_candidate_is_chosen_instead_is_not_given_its_work() {
    let steps = "  - {id: a, agent: {name: coder, task: x}, on-error: continue}\n  - {id: b, agent: {name: [coder, tester], route: priority, task: y}}";
    let breaker = "claim: true\nbreaker: {failures: 1, open-for: 30s, successes: 1}\n";
    check(
        &work(steps, "pure").replacen("claim: true\n", breaker, 1),
        "launch; coder-1 comes; t-1 comes type=tester; coder-1 claims; coder-1 fails r-1.0.1; coder-1 claims; coder-1 claims; t-1 claims",
        "b waits for an agent like agent:coder@1.0.0
         coder-1 takes r-1.0.1
         agent:coder@1.0.0 opens
         > coder-1 claims
         b waits for an agent like agent:tester@1.0.0
         > t-1 claims
         t-1 takes r-1.1.1
         no coder-1 takes r-1.1.1",
    );
}

#[test]
fn work_whose_agent_is_lost_in_a_run_that_has_failed_is_not_offered_again() {
    let steps = "  - {id: a, run: 'false'}\n  - {id: b, agent: {name: coder, task: x}}";
    let script = "launch; coder-1 comes; coder-1 claims; ended a fail; wake 60s";
    check(
        &work(steps, "pure"),
        script,
        "coder-1 takes r-1.1.1
         stopping because of a
         > wake 60s
         b cancelled: stopped by a
         ended failed
         = failed: a failed, b cancelled",
    );
    // What is to be done although the run has failed is offered as before.
    check(
        &work(&steps.replace("x}}", "x}, if: always()}"), "pure"),
        &format!("{script}; coder-1 claims"),
        "stopping because of a
         > wake 60s
         b waits for an agent like agent:coder@1.0.0
         coder-1 takes r-1.1.2
         = running: a failed, b running",
    );
}

#[test]
fn who_comes_when_the_time_for_finding_anybody_is_just_over_has_time_to_take_the_work() {
    let steps = "  - {id: a, agent: {name: [coder, tester], route: priority, task: x}, timeout: 5m}";
    check(
        &work(steps, "pure"),
        "launch; later 5m; coder-1 comes; wake 1s; coder-1 claims",
        "a waits for any of
         > coder-1 comes
         a waits for an agent like agent:coder@1.0.0
         coder-1 takes r-1.0.1",
    );
}

#[test]
fn what_an_agent_says_has_failed_is_not_counted_as_lost() {
    let steps = "  - {id: a, agent: {name: coder, task: x}, retry: {max-attempts: 5, delay: 1s, kind: constant, jitter: 0, on: [agent_logic]}}";
    check(
        &work(steps, "pure"),
        "launch; coder-1 comes; coder-1 claims; coder-1 fails r-1.0.1; wake 1s; coder-1 claims; coder-1 fails r-1.0.2; wake 1s
         coder-1 claims; wake 60s; coder-1 claims; wake 60s; coder-1 claims; wake 60s; coder-1 claims",
        "coder-1 takes r-1.0.3
         > wake 60s
         a waits for an agent like agent:coder@1.0.0
         coder-1 takes r-1.0.4
         coder-1 takes r-1.0.5
         a call 5 ended agent_timeout
         no r-1.0.6",
    );
}

#[test]
fn of_several_agents_one_that_is_there_is_chosen_and_another_when_it_goes() {
    let steps = "  - {id: a, agent: {name: [coder, tester], route: priority, task: x}}";
    check(
        &work(steps, "pure"),
        "launch; t-1 comes type=tester; t-1 leaves; c-1 comes type=coder; c-1 claims",
        "a waits
         a waits for an agent like agent:tester@1.0.0
         agent t-1 left
         agent c-1 is there
         a waits for an agent like agent:coder@1.0.0
         c-1 takes r-1.0.1",
    );
}

#[test]
fn an_agent_that_comes_by_itself_is_given_no_secret_and_no_files() {
    for (more, told) in [
        ("env: {KEY: '${{ secrets.KEY }}'}", "is handed no secrets"),
        ("artifacts: ['*.txt']", "leaves no files here"),
        ("limits: {memory: 64MiB}", "`limits`"),
    ] {
        let steps = format!("  - {{id: a, agent: {{name: coder, task: x}}, {more}}}");
        let bench = play(&work(&steps, "pure"), "launch; coder-1 comes; coder-1 claims");
        assert!(!bench.text().contains("coder-1 takes"), "{more}: {}", bench.text());
        let failed = bench.journal.iter().any(|value| format!("{value:?}").contains(told));
        assert!(failed, "{more}: {}", bench.text());
    }
}

#[test]
fn what_is_done_when_nobody_came_in_time_is_done_once_whoever_asks_for_work_then() {
    let steps = "  - {id: a, agent: {name: coder, task: x}, timeout: 5m, fallback: [{run: 'true'}]}";
    let script =
        "launch; wake 5m; coder-1 comes; coder-1 claims; coder-2 comes; coder-2 claims; coder-1 leaves";
    let bench = play(&work(steps, "pure"), script);
    assert!(bench.text().contains("a call 1 fallback"), "{}", bench.text());
    assert!(!bench.text().contains("a call 2") && !bench.text().contains("takes"), "{}", bench.text());
}

#[test]
fn what_is_done_when_nobody_came_in_time_waits_for_its_place() {
    let steps = "  - {id: a, agent: {name: coder, task: x}, timeout: 5m, fallback: [{run: 'true'}]}\n  - {id: b, run: 'true'}";
    let one = work(steps, "pure").replacen("secrets:", "max-parallel: 1\nsecrets:", 1);
    check(
        &one,
        "launch; wake 5m; coder-1 comes; coder-1 claims; ended b ok",
        "a waits for an agent like agent:coder@1.0.0
         b call 1
         > wake 5m
         > coder-1 claims
         > ended b
         a call 1 fallback",
    );
    // Nor does it begin in a run that stands still.
    let bench = play(&work(steps, "pure"), "launch; pause; wake 5m");
    assert!(!bench.text().contains("a call 1"), "{}", bench.text());
}

#[test]
fn who_asks_for_its_work_once_more_gives_a_sign_of_life() {
    let script =
        "launch; coder-1 comes; coder-1 claims id=c for=10m; wake 60s; coder-1 claims id=c; wake 60s";
    let bench = play(&work(ONE, "pure"), script);
    assert!(!bench.text().contains("lost"), "{}", bench.text());
}

#[test]
fn a_choice_between_agents_names_the_others_also_where_nobody_is_there() {
    let steps = "  - {id: a, agent: {name: [coder, tester], route: manual, task: x}}";
    let bench = play(&work(steps, "pure"), "coder-1 comes; launch; coder-1 leaves; ann approves a");
    let choice = bench.journal.iter().find_map(|event| match &event.fact {
        Fact::Step(_, _, StepEvent::Routed { choice }) => Some(choice.clone()),
        _ => None,
    });
    let choice = choice.unwrap_or_else(|| panic!("a choice: {}", bench.text()));
    let others: Vec<&str> = choice.alternatives.iter().map(|alternative| alternative.name.as_str()).collect();
    assert_eq!((choice.chosen.as_str(), others), ("agent:coder@1.0.0", vec!["agent:tester@1.0.0"]));
}
