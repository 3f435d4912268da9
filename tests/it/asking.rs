//! `cuelight gate`: whatever runs outside of a workflow asks people, and does what they said and nothing else.

use crate::program::{Place, Running, text};
use serde_json::json;
use std::fs;

/// Asks, and returns when the ask waits in the inbox.
fn asks(place: &Place, args: &[&str]) -> (Running, String) {
    let mut all = vec!["gate", "--title", "Shall it?"];
    all.extend_from_slice(args);
    waits(place, place.start(&all))
}

/// The gate that somebody who was just started has opened.
fn waits(place: &Place, running: Running) -> (Running, String) {
    let mut found = None;
    crate::program::until("it asks", || {
        let said = place.cue(&["gates", "--json"]);
        let open = |it: &serde_json::Value| it["state"] == "open";
        found = (said.code == 0)
            .then(|| said.json().as_array().and_then(|it| it.iter().find(|it| open(it)).cloned()))
            .flatten();
        found.is_some()
    });
    (running, text(&found.expect("a gate")["id"]))
}

#[test]
fn a_yes_runs_the_very_words_that_were_shown() {
    let place = Place::new().with("TOKEN", "from outside");
    let hostile = "two words; $(touch bad) 'and' \"quotes\"\nand a line";
    let (running, gate) = asks(&place, &["--env", "TOKEN", "--", "printf", "%s|%s|\n", hostile, "$TOKEN"]);
    let shown = place.cue(&["gates", "--show", &gate]).ok().out;
    assert!(shown.contains("touch bad") && shown.contains("printf"), "{shown}");
    place.cue(&["approve", &gate]).ok();
    let said = running.end();
    assert_eq!((said.code, said.out.as_str()), (0, format!("{hostile}|$TOKEN|").as_str()), "{said:?}");
    assert!(!place.file("bad").exists());
    assert!(said.err.contains("waits for a person: Shall it?"), "{said:?}");
    let (running, gate) = asks(&place, &["--env", "TOKEN", "--", "sh", "-c", "echo $TOKEN; exit 7"]);
    place.cue(&["approve", &gate]).ok();
    let said = running.end();
    assert_eq!((said.code, said.out.as_str()), (7, "from outside"), "its own exit code: {said:?}");
}

#[test]
fn a_no_a_time_that_is_up_and_an_interrupt_run_nothing() {
    let place = Place::new();
    let (running, gate) = asks(&place, &["--", "touch", "done"]);
    place.cue(&["reject", &gate, "--reason", "not today"]).ok();
    assert_eq!(running.end().code, 1);
    let expired = place.cue(&["gate", "--title", "Quick?", "--timeout", "1s", "--", "touch", "done"]);
    assert_eq!(expired.code, 3, "{expired:?}");
    let (running, _) = asks(&place, &["--", "touch", "done"]);
    running.signal(rustix::process::Signal::INT);
    assert_ne!(running.end().code, 0);
    assert!(!place.file("done").exists());
}

#[test]
fn an_ask_outlives_whoever_asked() {
    let place = Place::new();
    let (running, gate) = asks(&place, &["--", "touch", "done"]);
    place.kill_owner();
    assert_ne!(running.end().code, 0);
    place.cue(&["approve", &gate]).ok();
    crate::program::until("it is done by the next engine", || place.file("done").exists());
}

#[test]
fn what_was_typed_is_no_expression_and_evidence_may_lie_anywhere() {
    let elsewhere = tempfile::tempdir().expect("a directory");
    let plan = elsewhere.path().join("plan.txt");
    fs::write(&plan, "one to add\n").expect("a file of the test");
    let place = Place::new();
    place.write("diff.txt", "- a\n+ b\n");
    let plan = plan.to_str().expect("a path").to_owned();
    let title = "Print ${{ inputs.title }} and ${{ nonsense(";
    let arguments = [
        "gate",
        "--title",
        title,
        "--evidence",
        &plan,
        "--evidence",
        "diff.txt",
        "--bind",
        "Plan id=${{ x }}",
    ];
    let running = place.start(&arguments);
    crate::program::until("it asks", || place.cue(&["gates"]).out.contains("g-1"));
    let shown = place.cue(&["gates", "--show", "g-1"]).ok().out;
    for part in [title, "one to add", "diff.txt", "${{ x }}"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    place.cue(&["approve", "g-1"]).ok();
    assert_eq!(running.end().code, 0);
    for (arguments, part) in [
        (vec!["gate", "--title", "x", "--", "echo", "${{ inputs.title }}"], "an expression may not stand"),
        (vec!["gate", "--title", "x", "--evidence", "nope.txt"], "could not read"),
        (vec!["gate", "--title", "x", "--env", "NOPE", "--", "true"], "is not set here"),
        (vec!["gate", "--title", "x", "--require", "sre:many"], "--require"),
        (vec!["gate", "--title", "x", "--timeout", "soon"], "timeout"),
    ] {
        let said = place.cue(&arguments);
        assert!(said.code == 2 && said.err.contains(part), "{said:?}");
    }
}

#[test]
fn whoever_asks_may_not_answer_where_four_eyes_are_wanted() {
    let place = Place::new();
    let (running, gate) = asks(&place, &["--four-eyes", "--json"]);
    let said = place.cue(&["approve", &gate]);
    assert_eq!(said.code, 1, "{said:?}");
    place.cue(&["reject", &gate, "--reason", "nobody else is here"]);
    drop(place.cue(&["cancel", "r-1", "--reason", "the test is over"]));
    let told = running.end();
    assert_eq!((told.code, &told.json()["id"]), (1, &gate.into()), "{told:?}");
}

/// What an agent says before it uses a tool.
fn question(event: &str, tool: &str, input: serde_json::Value) -> String {
    json!({
        "session_id": "s-1", "transcript_path": "/nowhere", "cwd": "/srv/app", "permission_mode": "default",
        "hook_event_name": event, "tool_name": tool, "tool_input": input, "tool_use_id": "toolu_1",
    })
    .to_string()
}

#[test]
fn a_coding_agent_is_answered_in_its_own_words() {
    let place = Place::new();
    let command = json!({"command": "rm -rf build\necho ${{ inputs.title }}", "description": "Clean up"});
    for (agent, event, verdict, told) in [
        (
            "claude-code",
            "PreToolUse",
            "approve",
            json!({"hookEventName": "PreToolUse", "permissionDecision": "allow"}),
        ),
        (
            "claude-code",
            "PreToolUse",
            "reject",
            json!({"hookEventName": "PreToolUse", "permissionDecision": "deny"}),
        ),
        (
            "claude-code",
            "PermissionRequest",
            "approve",
            json!({"hookEventName": "PermissionRequest", "decision": {"behavior": "allow"}}),
        ),
        (
            "codex",
            "PermissionRequest",
            "reject",
            json!({"hookEventName": "PermissionRequest", "decision": {"behavior": "deny"}}),
        ),
        (
            "codex",
            "PreToolUse",
            "reject",
            json!({"hookEventName": "PreToolUse", "permissionDecision": "deny"}),
        ),
        ("codex", "PreToolUse", "approve", json!(null)),
    ] {
        let asking = place.start_fed(&["hook", agent], &question(event, "Bash", command.clone()));
        let (asking, gate) = waits(&place, asking);
        let shown = place.cue(&["gates", "--show", &gate]).ok().out;
        for part in ["wants to use Bash: rm -rf build", "echo ${{ inputs.title }}", "Clean up", "/srv/app"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let fields = ["command      rm -rf build", "             echo ${{", "description  Clean up"];
        for part in fields.map(|it| format!("\n              {it}")) {
            assert!(shown.contains(&part), "one field a line: {part} is not in {shown}");
        }
        place.cue(&[verdict, &gate, "--reason", "we need it <tonight>"]).ok();
        let said = asking.end();
        assert_eq!(said.code, 0, "{said:?}");
        if told.is_null() {
            assert_eq!(said.out, "", "codex goes on when nothing is said");
            continue;
        }
        let mut answer = said.json()["hookSpecificOutput"].clone();
        let why = [&answer["permissionDecisionReason"], &answer["decision"]["message"]].map(text).concat();
        assert!(verdict == "approve" || why.contains("we need it <tonight>"), "{answer}");
        answer.as_object_mut().expect("an object").remove("permissionDecisionReason");
        if let Some(decision) = answer.get_mut("decision").and_then(serde_json::Value::as_object_mut) {
            decision.remove("message");
        }
        assert_eq!(answer, told);
    }
}

#[test]
fn an_agent_that_nobody_answers_is_told_no_or_asks_at_its_own_terminal() {
    let place = Place::new();
    let ask = |agent: &str, event: &str, silence: &str| {
        let arguments = ["hook", agent, "--timeout", "1s", "--on-timeout", silence];
        place
            .start_fed(&arguments, &question(event, "Write", json!({"file_path": "/srv/a", "content": "x"})))
            .end()
    };
    let decision =
        |said: &crate::program::Said| text(&said.json()["hookSpecificOutput"]["permissionDecision"]);
    assert_eq!(decision(&ask("claude-code", "PreToolUse", "deny")), "deny");
    assert_eq!(decision(&ask("claude-code", "PreToolUse", "ask")), "ask");
    assert_eq!(
        decision(&ask("codex", "PreToolUse", "ask")),
        "deny",
        "it has no such answer, and silence is a yes there"
    );
    let said = ask("codex", "PermissionRequest", "ask");
    assert_eq!((said.code, said.out.as_str()), (0, ""), "its own prompt comes up");
}

#[test]
fn what_is_no_question_of_an_agent_is_a_no() {
    let place = Place::new();
    let long = question("PreToolUse", "Write", json!({"content": "x".repeat(5 * 1024 * 1024)}));
    for (input, part) in [
        ("", "EOF"),
        ("{\"hook_event_name\": 7}", "could not read the question"),
        (&question("Stop", "Bash", json!({})), "could not answer the event Stop"),
        (&question("Pre\u{1b}[2J", "Bash", json!({})), "could not answer the event"),
        (&question("PreToolUse", " ", json!({})), "names no tool"),
        (&long, "in smaller steps"),
    ] {
        let said = place.start_fed(&["hook", "claude-code"], input).end();
        assert!(said.code == 2 && said.err.contains(part) && said.out.is_empty(), "{part}: {said:?}");
        assert!(!said.err.contains('\u{1b}'), "{said:?}");
    }
    let arguments = ["hook", "claude-code", "--require", "nobody:many"];
    let said = place.start_fed(&arguments, &question("PreToolUse", "Bash", json!({"command": "true"}))).end();
    assert_eq!((said.code, said.out.as_str()), (2, ""), "{said:?}");
}
