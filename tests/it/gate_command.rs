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
        let open = |item: &serde_json::Value| item["state"] == "open";
        found = (said.code == 0)
            .then(|| said.json().as_array().and_then(|items| items.iter().find(|item| open(item)).cloned()))
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
    let shown = place.cue(&["gates", "--show", &gate]).ok().out;
    assert!(shown.contains("you may     do nothing here: ") && shown.contains("asked for"), "{shown}");
    let said = place.cue(&["approve", &gate]);
    assert_eq!(said.code, 1, "{said:?}");
    place.cue(&["reject", &gate, "--reason", "nobody else is here"]);
    drop(place.cue(&["cancel", "r-1", "--reason", "the test is over"]));
    let told = running.end();
    assert_eq!((told.code, &told.json()["id"]), (1, &gate.into()), "{told:?}");
}

#[test]
fn the_json_of_an_ask_tells_who_said_yes_and_to_what() {
    let place = Place::new();
    let (running, gate) = asks(&place, &["--json"]);
    decides(&place, "approve", &gate);
    let told = running.end();
    let json = told.json();
    assert_eq!(
        (&json["state"], &json["votes"][0]["verdict"]),
        (&"approved".into(), &"approve".into()),
        "{told:?}"
    );
    assert_eq!(json["votes"][0]["ask_hash"], json["ask_hash"]);
    assert!(json["votes"][0]["by"].is_string() && json["exit_code"].is_null(), "{json}");
}

/// The message of an agent before it uses a tool.
fn question(event: &str, tool: &str, input: serde_json::Value) -> String {
    json!({
        "session_id": "s-1", "transcript_path": "/nowhere", "cwd": "/srv/app", "permission_mode": "default",
        "hook_event_name": event, "tool_name": tool, "tool_input": input, "tool_use_id": "toolu_1",
    })
    .to_string()
}

/// Answers as somebody who has read the ask to its end.
#[track_caller]
fn decides(place: &Place, verdict: &str, gate: &str) {
    let shown = place.cue(&["gates", "--show", gate]).ok().out;
    let (_, name) = shown.rsplit_once("END OF THE ASK").expect("an end");
    place.cue(&[verdict, gate, "--reason", "we need it <tonight>", "--ask", name.trim()]).ok();
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
        let parts = [
            "wants to use Bash: rm and more, 2 lines, 37 letters; all of it stands below",
            "the risk is high: rm deletes more than it names",
            "\n            | rm -rf build\n            | echo ${{ inputs.title }}\n",
            "directory: /srv/app",
            "the agent says; nothing has checked it:\n            | Clean up",
        ];
        let places = parts.map(|part| shown.find(part).unwrap_or_else(|| panic!("{part} is not in {shown}")));
        assert!(places.is_sorted(), "what it does stands before what the agent says: {shown}");
        decides(&place, verdict, &gate);
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

/// Asks as the hook of an agent, and gives the gate as JSON, what it shows, and how the agent was told no.
#[track_caller]
fn refused(place: &Place, tool: &str, input: &serde_json::Value) -> (serde_json::Value, String) {
    let asking = place.start_fed(&["hook", "claude-code"], &question("PreToolUse", tool, input.clone()));
    let (asking, gate) = waits(place, asking);
    let listed = place.cue(&["gates", "--json"]).ok().json();
    let shown = place.cue(&["gates", "--show", &gate]).ok().out;
    decides(place, "reject", &gate);
    assert_eq!(asking.end().code, 0);
    let of = |item: &&serde_json::Value| item["id"] == gate.as_str();
    (listed.as_array().and_then(|items| items.iter().find(of)).expect("listed").clone(), shown)
}

#[test]
fn nothing_of_a_long_command_is_cut_and_what_it_hides_is_told() {
    let place = Place::new();
    let files = (0..40).map(|index| format!("chapters/chapter-{index}.txt")).collect::<Vec<_>>().join(" ");
    let command = format!("tar -cf /tmp/book.tar {files} --checkpoint=1 --checkpoint-action=exec=/bin/sh");
    let input = json!({"command": command, "description": "Pack the book; low risk", "timeout": 9});
    let (gate, shown) = refused(&place, "Bash", &input);
    assert!(shown.contains(&format!("\n            | {command}\n")), "{shown}");
    let prompt = text(&gate["prompt"]);
    assert!(!prompt.contains('…') && prompt.contains("tar and more, 1019 letters"), "{prompt}");
    assert!(prompt.contains("--checkpoint-action can start another program"), "{prompt}");
    assert_eq!((&gate["risk"], &gate["claim"]), (&json!("irreversible"), &json!("Pack the book; low risk")));
    assert!(!prompt.contains("low risk"), "{prompt}");
    let places = [&command, "timeout  9", "the agent says; nothing has checked it:"]
        .map(|command| shown.find(command));
    assert!(places.is_sorted() && places[0].is_some(), "{places:?} {shown}");
}

/// A patch as Codex hands it on.
fn patch(parts: &str) -> String {
    format!("*** Begin Patch\n{parts}\n*** End Patch")
}

#[test]
fn a_file_is_judged_by_where_links_lead() {
    let place = Place::new();
    fs::create_dir_all(place.file("work/sub")).expect("made");
    fs::create_dir_all(place.file("out")).expect("made");
    for (link, target) in [("work/out", "../out"), ("work/none", "../out/none"), ("work/in", "sub")] {
        std::os::unix::fs::symlink(target, place.file(link)).expect("a link");
    }
    for (path, risk) in [
        ("sub/new/a", "reversible"),
        ("in/a", "reversible"),
        ("out/a", "externally-reversible"),
        ("out/new/a", "externally-reversible"),
        ("none", "externally-reversible"),
    ] {
        let inputs = [
            ("Write", json!({"file_path": path, "content": "x"})),
            ("apply_patch", json!({"command": patch(&format!("*** Add File: {path}\n+x"))})),
        ];
        for (tool, input) in inputs {
            let mut asked: serde_json::Value =
                serde_json::from_str(&question("PreToolUse", tool, input)).expect("JSON");
            asked["cwd"] = place.file("work").to_string_lossy().into();
            let (asking, gate) = waits(&place, place.start_fed(&["hook", "codex"], &asked.to_string()));
            let listed = place.cue(&["gates", "--json"]).ok().json();
            let of = listed.as_array().and_then(|all| all.iter().find(|item| item["id"] == gate.as_str()));
            assert_eq!(of.expect("listed")["risk"], risk, "{tool} {path}");
            decides(&place, "reject", &gate);
            assert_eq!(asking.end().code, 0);
        }
    }
}

#[test]
fn every_field_of_an_edit_that_its_difference_does_not_show_is_shown() {
    let place = Place::new();
    let fields = json!({"path": "/etc/passwd", "content": "FIELD-1", "edits": [{"old_string": "FIELD-2"}],
        "replace_all": "FIELD-3", "more": "FIELD-4"});
    let edits = json!([{"old_string": "", "new_string": "x", "path": "FIELD-5"}]);
    for (tool, own, hidden) in [
        (
            "Edit",
            json!({"old_string": "", "new_string": "x"}),
            vec!["/etc/passwd", "FIELD-1", "FIELD-2", "FIELD-3", "FIELD-4"],
        ),
        (
            "Write",
            json!({"content": "x", "old_string": "FIELD-6"}),
            vec!["/etc/passwd", "FIELD-2", "FIELD-3", "FIELD-4", "FIELD-6"],
        ),
        (
            "MultiEdit",
            json!({"edits": edits}),
            vec!["/etc/passwd", "FIELD-1", "FIELD-3", "FIELD-4", "FIELD-5"],
        ),
    ] {
        let mut input = fields.clone();
        input["file_path"] = "new.txt".into();
        own.as_object().expect("fields").iter().for_each(|(key, value)| input[key] = value.clone());
        let (_, shown) = refused(&place, tool, &input);
        assert!(shown.contains("+x"), "{shown}");
        for part in hidden {
            assert!(shown.contains(part), "{tool} hides {part}: {shown}");
        }
    }
}

#[test]
fn the_risk_is_that_of_the_command_and_not_of_its_tool() {
    let place = Place::new();
    for (tool, input, risk) in [
        ("Bash", json!({"command": "git status"}), "read-only"),
        ("Bash", json!({"command": "cargo test"}), "externally-reversible"),
        ("Bash", json!({"command": "git status; rm -rf x"}), "irreversible"),
        ("shell", json!({"command": ["bash", "-lc", "rm -rf x"]}), "irreversible"),
        ("exec_command", json!({"command": "ls", "cmd": "rm -rf x"}), "irreversible"),
        ("mcp__box__run", json!({"command": "ls", "description": "what it does"}), "externally-reversible"),
        ("Write", json!({"file_path": "/srv/app/a.txt", "content": "x"}), "reversible"),
        (
            "Write",
            json!({"file_path": "/srv/app/.git/hooks/pre-push", "content": "x"}),
            "externally-reversible",
        ),
        ("Write", json!({"file_path": "../b.txt", "content": "x"}), "externally-reversible"),
        ("Write", json!({"file_path": "~/b.txt", "content": "x"}), "externally-reversible"),
        ("Write", json!({"file_path": "a.txt", "path": "/etc/b", "content": "x"}), "externally-reversible"),
        ("NotebookEdit", json!({"file_path": "a.txt", "notebook_path": "/srv/b"}), "externally-reversible"),
        ("apply_patch", json!({"command": patch("*** Update File: a.txt\n@@\n-x\n+y")}), "reversible"),
        ("apply_patch", json!({"input": patch("*** Add File: a.txt\n+x")}), "reversible"),
        ("apply_patch", json!({"command": patch("*** Add File: /srv/b\n+x")}), "externally-reversible"),
        ("apply_patch", json!({"command": patch(" *** Add File: /srv/b\n+x")}), "externally-reversible"),
        (
            "apply_patch",
            json!({"command": patch("*** Add File: a\n+x\n\t*** Move to: ../b")}),
            "externally-reversible",
        ),
        ("apply_patch", json!({"command": patch("*** Delete File: a.txt")}), "externally-reversible"),
        ("apply_patch", json!({"command": patch("*** Copy File: a.txt")}), "externally-reversible"),
        ("apply_patch", json!({"command": patch("")}), "externally-reversible"),
        ("apply_patch", json!({"command": "cat a"}), "externally-reversible"),
        ("apply_patch", json!({}), "externally-reversible"),
        (
            "apply_patch",
            json!({"command": patch("*** Add File: a\n+x"), "workdir": "/srv"}),
            "externally-reversible",
        ),
    ] {
        let (gate, _) = refused(&place, tool, &input);
        assert_eq!(gate["risk"], risk, "{tool} {input}");
        assert!(
            tool != "mcp__box__run" || gate["claim"].is_null(),
            "a tool that nobody knows does it: {gate}"
        );
    }
}

#[test]
fn an_edit_is_shown_as_a_difference_and_a_yes_holds_for_the_file_that_was_shown() {
    let place = Place::new();
    let before = (1..=9).map(|index| format!("line {index}\n")).collect::<String>();
    place.write("a.txt", &before);
    let path = place.file("a.txt").canonicalize().expect("a path").display().to_string();
    let edit = json!({"file_path": path, "old_string": "line 5\n", "new_string": "line five\n"});
    let (_, shown) = refused(&place, "Edit", &edit);
    let part = "@@ -2,7 +2,7 @@\n            |  line 2\n            |  line 3\n            |  line 4\n            | -line 5\n            | +line five\n            |  line 6\n";
    assert!(shown.contains(part) && shown.contains(&format!("--- {path} (sha256:")), "{shown}");
    let (_, shown) = refused(&place, "Write", &json!({"file_path": path, "content": "new\n"}));
    assert!(shown.contains("-line 9\n") && shown.contains("+new\n"), "{shown}");
    let (_, shown) =
        refused(&place, "Write", &json!({"file_path": format!("{path}.new"), "content": "one\ntwo\n"}));
    assert!(shown.contains("(no such file)") && shown.contains("+one\n            | +two"), "{shown}");
    let edits = json!([{"old_string": "line 1\n", "new_string": "1\n"}, {"old_string": "line", "new_string": "row", "replace_all": true}]);
    let (_, shown) = refused(&place, "MultiEdit", &json!({"file_path": path, "edits": edits}));
    assert!(shown.contains("+1\n") && shown.contains("+row 9"), "{shown}");
    let (_, shown) =
        refused(&place, "Edit", &json!({"file_path": path, "old_string": "row", "new_string": "x"}));
    assert!(
        shown.contains("what is to be replaced does not stand in it") && shown.contains("row"),
        "{shown}"
    );
    // The link is named where it leads.
    std::os::unix::fs::symlink(&path, place.file("link.txt")).expect("a link");
    let through = json!({"file_path": place.file("link.txt"), "content": "x\n"});
    let (_, shown) = refused(&place, "Write", &through);
    assert!(shown.contains(&format!("--- {path} (sha256:")), "{shown}");
    // Changed between the question and the yes.
    let large = "line 6\n".repeat(200_000);
    let of_codex = json!({"command": patch(&format!("*** Update File: {path}\n@@\n-line 5\n+line five"))});
    for (tool, input, before) in
        [("Edit", &edit, &before), ("Edit", &edit, &large), ("apply_patch", &of_codex, &before)]
    {
        place.write("a.txt", before);
        let asking = place.start_fed(&["hook", "claude-code"], &question("PreToolUse", tool, input.clone()));
        let (asking, gate) = waits(&place, asking);
        place.write("a.txt", &before.replacen("line 6", "line s", 1));
        decides(&place, "approve", &gate);
        let said = asking.end().json();
        let told = &said["hookSpecificOutput"];
        assert_eq!(told["permissionDecision"], "deny", "{tool}: {told}");
        let why = text(&told["permissionDecisionReason"]);
        assert!(why.contains("has changed since people were shown"), "{told}");
    }
}

#[test]
fn hooks_that_start_at_once_in_a_fresh_directory_are_all_answered() {
    for _ in 0..3 {
        let place = Place::new();
        let ask = |index: usize| {
            let input = question("PreToolUse", "Bash", json!({"command": format!("echo {index}")}));
            place.start_fed(&["hook", "claude-code", "--timeout", "2s"], &input)
        };
        let all: Vec<Running> = (0..16).map(ask).collect();
        for one in all {
            let said = one.end();
            let decision = said.json()["hookSpecificOutput"]["permissionDecision"].clone();
            assert_eq!((said.code, decision), (0, json!("deny")), "{said:?}");
            assert!(!said.err.contains("broke"), "{said:?}");
        }
    }
}

#[test]
fn without_a_workspace_agents_ask_in_one_inbox_from_every_directory() {
    let place = Place::new();
    fs::create_dir_all(place.file("one/deep")).expect("made");
    fs::create_dir_all(place.file("two/.cuelight")).expect("made");
    let from = |dir: &str| {
        let mut command = place.command(&["hook", "claude-code"]);
        command.current_dir(place.file(dir));
        place.begin_fed(command, &question("PreToolUse", "Bash", json!({"command": format!("echo {dir}")})))
    };
    let all = ["one/deep", "two"].map(from);
    crate::program::until("both wait in one inbox", || {
        let said = place.cue(&["--inbox", "gates", "--json"]);
        said.code == 0 && said.json().as_array().is_some_and(|items| items.len() == 2)
    });
    assert!(!place.file(".cuelight").exists() && !place.file("one/deep/.cuelight").exists());
    assert!(place.inbox().join(".cuelight").is_dir() && !place.file("two/.cuelight/cuelight.db").exists());
    let said = place.cue(&["gates"]).ok();
    assert!(said.err.contains("no workspace here; this is your inbox"), "{said:?}");
    for gate in ["g-1", "g-2"] {
        place.cue(&["--inbox", "reject", gate, "--reason", "no"]).ok();
    }
    all.into_iter().for_each(|text| assert_eq!(text.end().code, 0));
    let looked = place.cue(&["--workspace", "two", "trust", "--json"]).json();
    let hash = looked["hash"].as_str().expect("a hash").to_owned();
    place.cue(&["--workspace", "two", "trust", "--own", "--accept", &hash]).ok();
    let own = place.start_fed(
        &["--workspace", "two", "hook", "claude-code"],
        &question("PreToolUse", "Bash", json!({"command": "echo own"})),
    );
    crate::program::until("it asks where it was told to", || {
        place.cue(&["--workspace", "two", "gates"]).out.contains("g-1")
    });
    place.cue(&["--workspace", "two", "reject", "g-1", "--reason", "no"]).ok();
    assert_eq!(own.end().code, 0);
    place.cue(&["--workspace", "two", "shutdown"]).ok();
}
