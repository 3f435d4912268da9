//! Gates: what waits for people, the whole ask, and answers that can only be given to what was on the screen.

use super::{
    Console,
    fixture::{SETTLE, Stage, actor},
    screens::everywhere,
};
use cuelight_base::{Arrivals, Digest, Epoch, FailureMode, GateId, RunId, Span, StepIx, Value};
use cuelight_console::{Answer, Key, Link, Lookup, Message, Press, Sheet, Wish, parse_keys, to_text};
use cuelight_engine::{Command, Decision, DoubtAnswer, Facts, FileFact, Outcome, Verdict};
use cuelight_runtime::{Draft, FileNow, ToolAsk, ToolUse};
use std::collections::{BTreeMap, BTreeSet};

/// A release that asks before it goes out, with parameters, evidence and all that follows.
const RELEASE: &str = r#"
name: web/release
on-failure: compensate
steps:
  - {id: build, run: "make release", effect: idempotent, undo: "rm -rf out"}
  - id: approve
    needs: build
    gate:
      prompt: Release 4.2 to all customers?
      risk: externally-reversible
      evidence: [plan.txt]
      form:
        ticket: {type: string, pattern: '^CHG-[0-9]+$', default: CHG-1042, description: the change this belongs to}
        share: {type: integer, default: 20}
        audience: {type: string, enum: [customers, partners], default: customers}
      timeout: 30m
      on-reject: compensate
  - id: deploy
    needs: approve
    run: 'deploy --share "$SHARE" --to eu-west-1 --ticket "$TICKET"'
    env: {SHARE: "${{ steps.approve.form.share }}", TICKET: "${{ steps.approve.form.ticket }}", TOKEN: "${{ secrets.DEPLOY }}"}
    effect: keyed
  - {id: announce, needs: deploy, run: mail}
secrets: [DEPLOY]
"#;

/// Nothing bad can come of it.
const CLEAN: &str = r"
name: ops/clean
steps:
  - id: approve
    gate: {prompt: Empty the cache?, risk: reversible}
  - {id: clean, needs: approve, run: rm -rf cache, effect: idempotent, undo: none}
";

/// A call that nobody knows the end of.
const PAY: &str = r"
name: payments/once
steps:
  - {id: pay, run: pay --batch B-0612}
";

fn facts(stage: &mut Stage, run: RunId, step: u32) {
    let file =
        FileFact { path: "plan.txt".to_owned(), digest: Some(Digest([9; 32])), bytes: 61, problem: None };
    stage.command(Command::FactsFetched {
        run,
        step: StepIx(step),
        facts: Facts { files: vec![file], ..Facts::default() },
    });
}

fn settle(stage: &mut Stage) -> RunId {
    let run = stage.launch("bot-settle", SETTLE);
    stage.pass(5);
    stage.ok(run, "fetch_batch");
    stage.ok(run, "check_fraud fx_rates validate[1] validate[2] validate[3] validate[4]");
    stage.ok(run, "build_refunds");
    run
}

/// Three gates, the first of them of high risk, and a step in doubt.
fn waiting() -> Stage {
    let mut stage = Stage::at("12:00:00");
    let pay = stage.launch("cron", PAY);
    stage.pass(9);
    stage.command(Command::Recover { away: Span::seconds(9), found: Vec::new(), taken: None });
    assert!(stage.board.run(pay).is_some());
    stage.pass(60);
    settle(&mut stage);
    stage.pass(90);
    let release = stage.launch("jon", RELEASE);
    stage.pass(2);
    stage.ok(release, "build");
    facts(&mut stage, release, 1);
    stage.pass(60);
    stage.launch("cron", CLEAN);
    stage.pass(40);
    stage
}

/// One gate, nothing else.
fn only(workflow: &str) -> Stage {
    let mut stage = Stage::at("12:00:00");
    let run = stage.launch("jon", workflow);
    if workflow == RELEASE {
        stage.ok(run, "build");
        facts(&mut stage, run, 1);
    }
    stage.pass(40);
    stage
}

/// The first screen of the only gate, at 80x24.
fn read_at_once(stage: Stage) -> String {
    let mut console = gates(stage, (80, 24));
    let _ = answer(&mut console, "enter");
    frame(&mut console);
    console.text()
}

/// A gate as `cuelight hook` opens it for what an agent is about to do.
fn of_agent(tool: &str, input: &Value, file: Option<&FileNow>) -> Stage {
    let tool_use = ToolUse { agent: "claude-code", tool, input, directory: "/srv/book" };
    let ToolAsk { title, evidence, claim, risk } =
        tool_use.ask(file, &file.map(|file| file.path.clone()).into_iter().collect::<Vec<_>>());
    let mut draft = Draft::default();
    let evidence = evidence.iter().map(|(name, text)| draft.given(name, text.clone())).collect();
    let mut gate = draft.gate(title, evidence, [], false);
    gate["risk"] = risk.word().into();
    gate["binds"] = vec![draft.bound("tool", tool), draft.bound("directory", "/srv/book")].into();
    if let Some(claim) = claim {
        gate["claim"] = draft.given("claim", claim).into();
    }
    let (text, inputs) = draft.finish("gate", &serde_json::json!([{"id": "ask", "gate": gate}]));
    let mut stage = Stage::at("12:00:00");
    stage.launch_with("jon", &text, inputs);
    stage.pass(40);
    stage
}

#[test]
fn the_command_of_an_agent_stands_whole_above_what_the_agent_says() {
    let files = (1..=9).map(|index| format!("chapters/chapter-{index}.txt")).collect::<Vec<_>>().join(" ");
    let command = format!("tar -cf /tmp/book.tar {files} --checkpoint=1 --checkpoint-action=exec=/bin/sh");
    let input =
        serde_json::json!({"command": command, "description": "Pack the book; it is harmless \u{1b}[2J"});
    let screen = read_at_once(of_agent("Bash", &input, None));
    let parts = [
        "tar and more, ",
        "--checkpoint-action can start another program",
        "tar -cf /tmp/book.tar",
        "chapters/chapter-5.txt",
        "--checkpoint-action=exec=/bin/sh",
        "tool: Bash",
    ];
    let places = parts.map(|part| screen.find(part).unwrap_or_else(|| panic!("{part} is not in {screen}")));
    assert!(places.is_sorted() && !screen.contains('\u{1b}'), "{screen}");
}

#[test]
fn the_edit_of_an_agent_is_a_difference() {
    let input = serde_json::json!({
        "file_path": "/srv/book/src/price.rs",
        "old_string": "    if total < 0 {\n        return None;\n    }\n", "new_string": "    let total = total.max(0);\n",
    });
    let text = "//! Prices.\n\npub fn price(total: i64) -> Option<i64> {\n    if total < 0 {\n        return None;\n    }\n    Some(total)\n}\n";
    let file = FileNow {
        path: "/srv/book/src/price.rs".to_owned(),
        text: Some(text.to_owned()),
        digest: Some(Digest([7; 32])),
        problem: None,
    };
    let screen = read_at_once(of_agent("Edit", &input, Some(&file)));
    let parts = [
        "--- /srv/book/src/price.rs (sha256:0707",
        "+++ /srv/book/src/price.rs (afterwards)",
        "@@ -1,8 +1,6 @@",
        "-        return None;",
        "+    let total = total.max(0);",
    ];
    let places = parts.map(|part| screen.find(part).unwrap_or_else(|| panic!("{part} is not in {screen}")));
    assert!(places.is_sorted(), "{screen}");
}

fn high() -> Stage {
    let mut stage = Stage::at("12:00:00");
    settle(&mut stage);
    stage.pass(40);
    stage
}

/// A result below its least confidence, with long, nested and hostile values.
fn unsure() -> Stage {
    let mut stage = Stage::at("12:00:00");
    let workflow = "name: shop/review\nsteps:\n  - id: review\n    run: ask\n    effect: pure\n    \
                    outputs: {score: number, summary: string, found: array}\n    \
                    confidence: {from: score, min: 0.7, below: gate}\n  - {id: publish, needs: review, run: publish}\n";
    let run = stage.launch("jon", workflow);
    let summary = "Sound as far as I can tell, which is not far: the cart and the search were read, the mail was not, \
                   and nothing was tried.\nscore    0.99 \u{1b}[2J";
    let found = r#"[{"file": "src/cart.txt", "line": 12, "why": "a price below zero is taken"}, {"file": "src/mail.txt"}]"#;
    let found: Value = serde_json::from_str(found).expect("JSON");
    let said = [("score", Value::from("0.6")), ("summary", summary.into()), ("found", found)];
    let outputs = said.map(|(name, value)| (name.to_owned(), value));
    stage.end(
        run,
        "review",
        Outcome { exit_code: Some(0), outputs: outputs.into_iter().collect(), ..Outcome::default() },
    );
    stage.pass(40);
    stage
}

/// The view of gates, with every file read.
pub(super) fn gates(stage: Stage, (width, height): (u16, u16)) -> Console {
    let mut console = Console::new(stage, width, height);
    let wishes = console.press("3");
    feed(&mut console, &wishes);
    console
}

/// Answers what the console wants to read.
fn feed(console: &mut Console, wishes: &[Wish]) {
    for wish in wishes {
        if let Wish::Read { request, want } = wish {
            let text: &[u8] = match want {
                Lookup::Tail { .. } => b"POST /payments\nwaiting for the bank \x1b[31m...\n",
                _ => b"1. stop one of three\n2. put 4.2 there\n3. look at errors\n",
            };
            let sheet = Sheet::Bytes {
                from: 0,
                bytes: text.to_vec(),
                total: text.len() as u64,
                times: Arrivals::default(),
            };
            let _ = console.send(Message::Sheet { request: *request, sheet });
        }
    }
}

/// Keys, with a frame before each; what was asked of the engine is carried out.
pub(super) fn answer(console: &mut Console, keys: &str) -> Vec<Command> {
    let mut asked = Vec::new();
    for key in parse_keys(keys).expect("keys") {
        let wishes = press(console, key);
        feed(console, &wishes);
        asked.extend(carry_out(console, &wishes));
    }
    asked
}

pub(super) fn press(console: &mut Console, press: Press) -> Vec<Wish> {
    frame(console);
    console.at = console.at + Span(400);
    console.send(Message::Key { press, repeat: false, at: console.at })
}

pub(super) fn frame(console: &mut Console) {
    console.at = console.at + Span(100);
    let _ = console.send(Message::Drawn(console.at));
}

/// Messages that lie over the screen go away.
pub(super) fn rest(console: &mut Console) {
    console.at = console.at + Span(7_000);
    let _ = console.send(Message::Tick(console.at));
    frame(console);
}

pub(super) fn carry_out(console: &mut Console, wishes: &[Wish]) -> Vec<Command> {
    let mut asked = Vec::new();
    for wish in wishes {
        let Wish::Submit { request, command } = wish else { continue };
        asked.push((**command).clone());
        console.stage.now = console.stage.now.max(console.at);
        let mut command = (**command).clone();
        if let Command::Decide(decision) = &mut command {
            decision.id = cuelight_base::DecisionId(format!("d{request}"));
        }
        console.stage.command(command);
        let _ = console.see();
        let _ = console.send(Message::Reply {
            request: *request,
            answer: Answer::Recorded { seq: console.stage.board.seq, run: None },
        });
    }
    asked
}

pub(super) fn decision(asked: &[Command]) -> &Decision {
    match asked {
        [Command::Decide(decision)] => decision,
        other => panic!("{other:?}"),
    }
}

/// Turns letters into keys.
pub(super) fn typed(text: &str) -> String {
    text.chars().map(|c| if c == ' ' { "space ".to_owned() } else { format!("{c} ") }).collect()
}

fn at_sizes(name: &str, stage: fn() -> Stage, keys: &str) {
    everywhere(&format!("gates_{name}"), |width, height| {
        let mut console = gates(stage(), (width, height));
        let _ = answer(&mut console, keys);
        frame(&mut console);
        console
    });
}

/// A step that was done, and whose undo failed to the end.
fn stuck() -> Stage {
    let mut stage = Stage::at("12:00:00");
    let saga = "name: infra/lock\nsteps:\n  - {id: lock, run: lock, effect: idempotent, undo: unlock}\n  \
                - {id: work, run: work, effect: pure, needs: lock}\n";
    let run = stage.launch("mira", saga);
    stage.ok(run, "lock");
    stage.command(Command::Cancel { run, by: actor("mira"), reason: "enough".to_owned(), undo: true });
    stage.ok(run, "work");
    for wait in [10, 20, 40] {
        stage.fail(run, "lock", FailureMode::SystemNetwork, "the lock server is not there");
        stage.pass(wait);
    }
    stage
}

#[test]
fn an_undo_that_failed_to_the_end_stands_in_the_inbox_with_its_answers() {
    at_sizes("stuck", stuck, "enter");
    at_sizes("undo_again", stuck, "R");
    at_sizes("undo_by_hand", stuck, "U");
}

#[test]
fn taking_ones_own_answer_back_asks_first() {
    let stage = || {
        let mut stage = high();
        stage.approve("mira");
        stage
    };
    at_sizes("withdraw", stage, "u");
}

#[test]
fn the_inbox_has_the_worst_first_and_the_whole_ask_beside_it() {
    at_sizes("inbox", waiting, "J J");
}

#[test]
fn an_ask_is_read_to_its_end_before_it_can_be_approved() {
    at_sizes("read", || only(RELEASE), "enter G");
}

#[test]
fn a_result_that_is_not_sure_enough_is_shown_in_fields() {
    at_sizes("unsure", unsure, "enter");
    at_sizes("unsure_whole", unsure, "v");
}

#[test]
fn approving_at_low_risk_is_a_key_and_then_y() {
    at_sizes("approve_low", || only(CLEAN), "space a");
}

#[test]
fn approving_at_high_risk_needs_the_code() {
    at_sizes("approve_high", high, "space space space a");
}

#[test]
fn the_dialog_of_an_approval_says_what_the_ask_starts_and_what_is_before_it() {
    let mut console = gates(high(), (160, 48));
    assert!(answer(&mut console, "space space space a").is_empty());
    frame(&mut console);
    let text: Vec<String> = dialog_text(&console).split_whitespace().map(str::to_owned).collect();
    let text = text.join(" ").replace("║ │ ║ ", "").replace("║ ", "");
    assert!(!text.contains("no step starts or ends"), "{text}");
    for part in ["if yes starts now: pay_out", "nothing yet: others have to approve as well"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_hint_names_only_keys_that_act_now() {
    let hints = |console: &Console| console.text().trim_end().lines().last().unwrap_or_default().to_owned();
    let mut console = gates(only(CLEAN), (160, 48));
    let _ = answer(&mut console, "space r");
    frame(&mut console);
    assert!(!hints(&console).contains("y do it"), "y is typed into the reason: {}", hints(&console));
    let _ = answer(&mut console, &format!("{} enter", typed("why now")));
    frame(&mut console);
    assert!(hints(&console).contains("y do it"), "{}", hints(&console));
}

#[test]
fn an_override_shows_and_asks_what_an_approval_does_and_says_what_it_is() {
    at_sizes("override", || only(RELEASE), "space space space S");
}

#[test]
fn a_form_is_filled_in_where_it_is_approved() {
    at_sizes("approve_form", || only(RELEASE), "space space space a");
}

#[test]
fn rejecting_needs_a_reason_and_says_what_it_causes() {
    at_sizes("reject", || only(RELEASE), &format!("r {}", typed("not on friday")));
}

#[test]
fn parameters_are_changed_in_fields_of_their_types() {
    at_sizes("edit", || only(RELEASE), "e tab backspace backspace 2 5");
}

#[test]
fn a_value_that_does_not_fit_is_told_at_once() {
    at_sizes("edit_wrong", || only(RELEASE), "e tab backspace X");
}

#[test]
fn a_step_in_doubt_stands_in_the_inbox_with_its_answers() {
    at_sizes("doubt", waiting, "J enter");
}

#[test]
fn answering_a_step_in_doubt_needs_the_id_and_a_reason() {
    at_sizes("doubt_answer", waiting, "J H");
    at_sizes("doubt_not_happened", waiting, "J N");
    at_sizes("doubt_give_up", waiting, "J A");
}

#[test]
fn an_empty_inbox_says_so() {
    at_sizes("empty", || Stage::at("12:00:00"), "j");
}

#[test]
fn who_can_answer_is_told() {
    at_sizes("who", high, "w");
}

#[test]
fn an_approval_carries_what_was_on_the_screen() {
    let mut console = gates(only(RELEASE), (80, 24));
    let asked = answer(&mut console, "a y");
    assert!(asked.is_empty(), "the call was not on the screen: {}", console.text());
    rest(&mut console);
    let asked = answer(&mut console, "space space space a y");
    let decision = decision(&asked);
    let gate = console.stage.board.gate(decision.gate).expect("known");
    assert_eq!((decision.epoch, decision.ask), (Epoch(1), gate.hash));
    assert_eq!(decision.verdict, Verdict::Approve);
    assert!(decision.shown_for.is_some_and(|shown_for| shown_for > Span(350)));
    assert!(console.text().contains("armed: starts in"), "{}", console.text());
    let asked = answer(&mut console, "u");
    assert!(matches!(asked.as_slice(), [Command::Withdraw { .. }]), "{asked:?}");
}

#[test]
fn where_a_touched_key_is_asked_for_the_key_of_an_approval_says_the_command_that_gives_it() {
    let touched = "name: web/ship\nsteps:\n  - {id: ok, gate: {prompt: Ship it?, proof: touch}}\n  \
        - {id: ship, needs: ok, run: ship}\n";
    let mut console = gates(only(touched), (160, 40));
    let asked = answer(&mut console, "space space a");
    assert!(asked.is_empty(), "{asked:?}");
    let text = console.text();
    for part in ["needs a touched security key", "cuelight approve g-1 --as NAME --key"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    rest(&mut console);
    let asked = answer(&mut console, &format!("r {} enter y", typed("no")));
    assert_eq!(decision(&asked).verdict, Verdict::Reject);
}

#[test]
fn a_member_of_a_forbidden_group_is_offered_no_answer_however_the_group_is_written() {
    for entry in ["ops", "group:ops"] {
        let gate = format!("{{prompt: Ship it?, forbid: ['{entry}']}}");
        let flow = format!(
            "name: web/ship\nsteps:\n  - {{id: ok, gate: {gate}}}\n  - {{id: ship, needs: ok, run: ship}}\n"
        );
        let mut console = gates(only(&flow), (160, 40));
        assert!(answer(&mut console, "space space a").is_empty());
        let text = console.text();
        assert!(text.contains(&format!("{entry} is excluded by the")), "{text}");
        assert!(!text.contains("Approve g-1"), "{text}");
        let gate = console.stage.board.gate(GateId(1)).expect("open");
        assert!(gate.excludes(&console.model.seat.actor).is_some(), "{entry}");
    }
}

/// Handed on, used, and the time for it over: the answer is given.
#[test]
fn an_answer_that_somebody_has_given_for_her_is_not_offered_once_more() {
    let flow = "name: web/ship\nsteps:\n  - {id: ok, gate: {prompt: Ship it?, require: [{group: ops, count: 2}]}}\n  - {id: ship, needs: ok, run: ship}\n";
    let mut stage = only(flow);
    let (gate, reason, by) = (GateId(1), "at lunch".to_owned(), actor("mira"));
    stage.command(Command::Delegate {
        gate,
        to: "ann".to_owned(),
        lasts: Some(Span::seconds(10)),
        reason,
        by,
    });
    stage.approve("ann");
    stage.pass(12);
    let view = stage.board.gate(gate).expect("open");
    assert!(!view.waits_for(&actor("mira"), stage.now) && view.waits_for(&actor("bea"), stage.now));
    let mut console = gates(stage, (160, 40));
    assert!(answer(&mut console, "space space a").is_empty());
    let text = console.text();
    assert!(text.contains("ann has answered for mira"), "{text}");
    assert!(!text.contains("Approve g-1"), "{text}");
}

#[test]
fn a_comment_goes_with_an_approval() {
    let mut console = gates(only(CLEAN), (80, 24));
    let asked = answer(&mut console, &format!("space a tab {} enter y", typed("yes, looked")));
    assert_eq!(decision(&asked).reason, "yes, looked");
}

#[test]
fn a_rejection_has_a_reason_or_does_not_happen() {
    let mut console = gates(only(CLEAN), (80, 24));
    assert!(answer(&mut console, "r tab y y enter esc").is_empty());
    let asked = answer(&mut console, &format!("r {} enter y", typed("why now")));
    assert_eq!((decision(&asked).verdict, decision(&asked).reason.as_str()), (Verdict::Reject, "why now"));
}

#[test]
fn high_risk_wants_a_code_that_no_hash_tells() {
    let mut console = gates(high(), (160, 48));
    let gate = console.stage.board.gate(GateId(1)).expect("open").clone();
    let (hash, code) = (gate.hash, console.model.code_of(&gate));
    assert!(!hash.code().contains(&code), "it is drawn, and no part of the hash that everybody is told");
    let other = console.model.clone().with_secret(1);
    assert_ne!(other.code_of(&gate), code, "another console has another");
    assert!(answer(&mut console, "space space space a y y enter").is_empty());
    assert!(!dialog_text(&console).contains(&code), "the code stands at the end of the ask alone");
    let asked = answer(&mut console, &format!("esc a {} enter", typed(&code)));
    assert_eq!(decision(&asked).ask, hash);
}

#[test]
fn a_code_needs_no_tab() {
    let mut console = gates(high(), (80, 24));
    let code = console.model.code_of(console.stage.board.gate(GateId(1)).expect("open"));
    let asked = answer(&mut console, &format!("space space space a {} enter", typed(&code)));
    assert_eq!((decision(&asked).verdict, decision(&asked).reason.as_str()), (Verdict::Approve, ""));
}

/// A roll-out of high risk whose calls alone fill a small screen.
const ROLL_OUT: &str = r#"
name: web/roll-out
steps:
  - id: approve
    gate: {prompt: Everywhere?, risk: irreversible}
  - {id: switch, needs: approve, matrix: {region: [eu, us, asia]}, run: "mkdir -p live; echo switching all of the traffic of this region to the new version; cp dist/shop-linux.txt live/region.txt; sync live/region.txt"}
"#;

#[test]
fn a_small_screen_shows_all_of_a_dialog_that_takes_keys() {
    for size in [(80, 24), (60, 16), (160, 48)] {
        let mut console = gates(only(ROLL_OUT), size);
        let _ = answer(&mut console, "space space space space space space space a");
        let text = console.text();
        for part in ["Approve g-1", "type the code", "comment", "Esc  Back", "Approve as mira"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn the_end_of_an_ask_has_not_been_seen_before_its_evidence_came() {
    let mut console = Console::new(only(RELEASE), 160, 48);
    let wishes = console.press("3");
    frame(&mut console);
    assert!(!console.text().contains("END OF THE ASK"), "{}", console.text());
    assert!(answer(&mut console, "a y").is_empty());
    let long =
        "what is to be done, and it takes more than a line of the screen to say so: look here\n".repeat(12);
    for wish in &wishes {
        if let Wish::Read { request, want: Lookup::Blob { .. } } = wish {
            let sheet = Sheet::Bytes {
                from: 0,
                bytes: long.clone().into_bytes(),
                total: long.len() as u64,
                times: Arrivals::default(),
            };
            let _ = console.send(Message::Sheet { request: *request, sheet });
        }
    }
    rest(&mut console);
    assert!(console.text().contains("more lines"), "{}", console.text());
    assert!(answer(&mut console, "a y").is_empty(), "the end was not on the screen: {}", console.text());
    assert!(console.text().contains("not approvable until"), "{}", console.text());
    rest(&mut console);
    assert_eq!(decision(&answer(&mut console, "space space a y")).verdict, Verdict::Approve);
}

/// The right side, where the dialog stands on wide screens.
pub(super) fn dialog_text(console: &Console) -> String {
    console.text().lines().map(|line| line.chars().skip(114).collect::<String>() + "\n").collect()
}

#[test]
fn a_code_typed_for_another_ask_does_nothing() {
    let mut console = gates(high(), (160, 48));
    let code = console.model.code_of(console.stage.board.gate(GateId(1)).expect("open"));
    let other = code.chars().rev().collect::<String>();
    let other = if other == code { "0000".to_owned() } else { other };
    assert!(
        answer(&mut console, &format!("space space space a tab tab {} enter enter enter", typed(&other)))
            .is_empty()
    );
    let hash = console.stage.board.gate(GateId(1)).expect("open").hash.code();
    for group in [&hash[..4], &hash[5..]] {
        let asked = answer(&mut console, &format!("esc a tab tab {} enter", typed(group)));
        assert!(asked.is_empty(), "what everybody is told is no code");
    }
}

/// A console with the dialog of an approval open, its first frame just drawn.
fn asked_for_approval() -> Console {
    let mut console = gates(only(CLEAN), (80, 24));
    assert!(answer(&mut console, "space a").is_empty());
    frame(&mut console);
    assert!(console.text().contains("Approve g-1 approve?"), "{}", console.text());
    console
}

fn key_after(console: &mut Console, key: Key, milliseconds: u64, repeat: bool) -> bool {
    console.at = console.at + Span(milliseconds);
    let press = Press::of(key);
    let wishes = console.send(Message::Key { press, repeat, at: console.at });
    wishes.iter().any(|wish| matches!(wish, Wish::Submit { .. }))
}

#[test]
fn a_key_349_ms_after_the_first_frame_does_nothing() {
    let mut console = asked_for_approval();
    assert!(!key_after(&mut console, Key::Char('y'), 349, false));
    assert!(!key_after(&mut console, Key::Char('y'), 349, false), "a swallowed key starts the time again");
    assert!(key_after(&mut console, Key::Char('y'), 350, false));
}

#[test]
fn a_key_before_the_first_frame_does_nothing() {
    let mut console = gates(only(CLEAN), (80, 24));
    let _ = answer(&mut console, "space a");
    for _ in 0..20 {
        assert!(!key_after(&mut console, Key::Char('y'), 1_000, false));
    }
}

#[test]
fn sixteen_enters_do_nothing() {
    for stage in [only(CLEAN), only(RELEASE), high()] {
        let mut console = gates(stage, (160, 48));
        let _ = answer(&mut console, "space space space a");
        for _ in 0..16 {
            frame(&mut console);
            assert!(!key_after(&mut console, Key::Enter, 400, false));
        }
    }
}

#[test]
fn a_paste_never_decides() {
    let mut console = asked_for_approval();
    for text in ["y\n", "y", "\ny\ny\n"] {
        console.at = console.at + Span(1_000);
        let wishes = console.send(Message::Paste { text: text.to_owned(), at: console.at });
        assert!(wishes.is_empty(), "{wishes:?}");
    }
}

#[test]
fn a_held_key_never_decides() {
    let mut console = asked_for_approval();
    for _ in 0..100 {
        assert!(!key_after(&mut console, Key::Char('y'), 40, true));
    }
    assert!(!key_after(&mut console, Key::Char('y'), 2_000, true));
}

#[test]
fn an_ask_that_changes_between_frame_and_key_closes_the_dialog_and_nothing_is_decided() {
    let mut console = gates(only(RELEASE), (80, 24));
    assert!(answer(&mut console, "space space space a").is_empty());
    frame(&mut console);
    edit(&mut console.stage);
    let _ = console.see();
    assert!(!key_after(&mut console, Key::Char('y'), 1_000, false));
    let text = console.text();
    assert!(text.contains("g-1 asks something else now"), "{text}");
    assert!(text.contains("changed"), "{text}");
    assert!(answer(&mut console, "a y").is_empty(), "it has to be read again first");
    rest(&mut console);
    let asked = answer(&mut console, "space space space space a y");
    assert_eq!(decision(&asked).epoch, Epoch(2));
}

/// Somebody else changes a parameter of the gate.
fn edit(stage: &mut Stage) {
    let gate = stage.board.gate(GateId(1)).expect("open").clone();
    let mut values: cuelight_base::ValueMap =
        gate.ask.form.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
    let share = values.get("share").and_then(Value::as_i64).unwrap_or(0);
    values.insert("share".to_owned(), (share + 1).into());
    let (epoch, reason) = (gate.epoch(), "less at first".to_owned());
    stage.command(Command::EditForm { gate: gate.id, epoch, values, reason, by: actor("ann") });
}

#[test]
fn what_changed_since_it_was_read_is_shown() {
    everywhere("gates_changed", |width, height| {
        let mut console = gates(only(RELEASE), (width, height));
        let _ = answer(&mut console, "space space space");
        edit(&mut console.stage);
        let _ = console.see();
        frame(&mut console);
        console
    });
}

#[test]
fn a_gate_decided_elsewhere_closes_its_dialog_and_says_who_was_first() {
    let mut console = asked_for_approval();
    let gate = console.stage.board.gate(GateId(1)).expect("open").clone();
    console.stage.now = console.at;
    console.stage.command(Command::Decide(Box::new(Decision {
        id: cuelight_base::DecisionId("other".to_owned()),
        gate: gate.id,
        epoch: gate.epoch(),
        ask: gate.hash,
        verdict: Verdict::Reject,
        reason: "no".to_owned(),
        by: actor("ann"),
        shown_for: None,
        break_glass: false,
        overrides: false,
        form: cuelight_base::ValueMap::new(),
    })));
    let _ = console.see();
    assert!(!key_after(&mut console, Key::Char('y'), 1_000, false));
    let text = console.text();
    assert!(text.contains("g-1 was rejected by ann"), "{text}");
    assert!(text.contains("nothing waits for a person"), "{text}");
}

#[test]
fn nothing_is_decided_when_the_engine_is_lost_cannot_write_or_the_seat_may_only_look() {
    let since = cuelight_base::Timestamp(0);
    let links = [
        Link::Lost { since, why: "gone".to_owned() },
        Link::Unwritten { why: "disk full".to_owned() },
        Link::Unowned,
    ];
    for link in links {
        let mut console = gates(only(CLEAN), (80, 24));
        let _ = answer(&mut console, "space a");
        let _ = console.send(Message::Link(link));
        assert!(answer(&mut console, "y y esc a y y").is_empty());
    }
    let mut console = gates(only(CLEAN), (80, 24));
    console.model.seat.read_only = true;
    assert!(answer(&mut console, "space a y y").is_empty());
    assert!(console.text().contains("read-only"), "{}", console.text());
}

#[test]
fn nothing_is_decided_on_a_frozen_or_a_tiny_screen() {
    let mut console = gates(only(CLEAN), (80, 24));
    assert!(answer(&mut console, "space F a y").is_empty());
    let mut console = asked_for_approval();
    let _ = console.send(Message::Resize { width: 40, height: 10 });
    assert!(answer(&mut console, "y y").is_empty());
}

#[test]
fn the_row_under_the_cursor_stays_when_others_arrive() {
    let mut console = gates(waiting(), (80, 24));
    let _ = answer(&mut console, "J");
    let row =
        |console: &Console| console.text().lines().position(|line| line.starts_with('▌')).expect("a cursor");
    let before = (row(&console), console.model.run());
    settle(&mut console.stage);
    settle(&mut console.stage);
    let _ = console.see();
    assert_eq!((row(&console), console.model.run()), before);
}

#[test]
fn an_edit_asks_anew_and_the_editor_does_not_vote() {
    let mut console = gates(only(RELEASE), (80, 24));
    let why = typed("half of it");
    assert!(answer(&mut console, &format!("e tab tab tab {why} tab y")).is_empty(), "nothing is changed");
    assert!(console.text().contains("nothing is changed"), "{}", console.text());
    rest(&mut console);
    let asked = answer(&mut console, &format!("esc e tab backspace backspace 2 5 tab tab {why} tab y"));
    let [Command::EditForm { epoch, values, reason, .. }] = asked.as_slice() else {
        panic!("{asked:#?}\n{}", console.text())
    };
    assert_eq!((*epoch, values["share"].as_i64(), reason.as_str()), (Epoch(1), Some(25), "half of it"));
    assert!(answer(&mut console, "enter g g space space space a y").is_empty());
    assert!(console.text().contains("edited the form"), "{}", console.text());
}

#[test]
fn a_remark_reaches_everybody() {
    let mut console = gates(only(CLEAN), (80, 24));
    let asked = answer(&mut console, &format!("c {} enter", typed("who cached this?")));
    assert!(
        matches!(asked.as_slice(), [Command::Comment { text, .. }] if text == "who cached this?"),
        "{asked:?}"
    );
}

#[test]
fn a_step_in_doubt_is_answered_with_its_outputs() {
    let mut console = gates(waiting(), (80, 24));
    let keys =
        format!("J H {} tab {} tab {} enter", typed("the bank says so"), typed("{\"id\": 7}"), typed("r-1"));
    let asked = answer(&mut console, &keys);
    let [Command::AnswerDoubt { answer: DoubtAnswer::Happened(outputs), reason, .. }] = asked.as_slice()
    else {
        panic!("{asked:#?}\n{}", console.text())
    };
    assert_eq!((outputs["id"].as_i64(), reason.as_str()), (Some(7), "the bank says so"));
}

#[test]
fn evidence_is_shown_whole_and_foreign_bytes_are_seen() {
    let mut console = gates(only(RELEASE), (80, 24));
    let _ = answer(&mut console, "v");
    assert!(console.text().contains("3. look at errors"), "{}", console.text());
    let mut console = gates(waiting(), (80, 24));
    let _ = answer(&mut console, "J enter");
    assert!(console.text().contains("␛[31m"), "{}", console.text());
}

/// A small source of chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).expect("small")
    }
}

/// The memory of a careful witness: it reads the screen, and knows nothing of the model.
#[derive(Default)]
struct Witness {
    /// The end of an ask was on the screen in some frame: its code.
    ends: BTreeSet<String>,
    /// The name of the ask in the last frame.
    last: String,
    /// When the dialog was in a frame first, without a key since that came too soon.
    dialog_since: Option<cuelight_base::Timestamp>,
    has_dialog: bool,
}

impl Witness {
    /// A key came: for how long the dialog has been there, without keys that came too soon.
    fn key(&mut self, at: cuelight_base::Timestamp) -> Span {
        let waited = self.dialog_since.map_or(Span(0), |dialog_since| at.since(dialog_since));
        if waited < Span(350) && self.dialog_since.is_some() {
            self.dialog_since = Some(at);
        }
        waited
    }

    fn look(&mut self, console: &Console) {
        let text = to_text(&console.draw(&cuelight_console::Theme::default()));
        self.ends.extend(
            text.split("END OF THE ASK   ").skip(1).filter_map(|part| part.get(..9)).map(ToOwned::to_owned),
        );
        if let Some(name) = text.split("ask #").nth(1).and_then(|part| part.get(..4)) {
            name.clone_into(&mut self.last);
        }
        self.has_dialog = text.contains("[ Esc  Back ]");
        if self.has_dialog {
            self.dialog_since.get_or_insert(console.at);
        } else {
            self.dialog_since = None;
        }
    }
}

/// So many streams; `CUELIGHT_STREAMS=10000` (two minutes) and more at night.
const STREAMS: u64 = 500;

#[test]
fn no_stream_of_keys_decides_what_was_not_on_the_screen() {
    let stages = [only(CLEAN), only(RELEASE), high()];
    let streams =
        std::env::var("CUELIGHT_STREAMS").ok().and_then(|value| value.parse().ok()).unwrap_or(STREAMS);
    let mut decided: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 1..=streams {
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let stage = stages[chance.below(3)].clone();
        let size = [(80, 24), (160, 48)][chance.below(2)];
        let start = chance.0;
        let mut word = stream(&mut chance, stage.clone(), size, seed, None);
        if word == "decided" {
            // The same once more, with somebody who looks at every frame.
            word = stream(&mut Chance(start), stage, size, seed, Some(Witness::default()));
            assert_eq!(word, "decided", "{seed}: the same keys, the same end");
        }
        *decided.entry(word).or_default() += 1;
    }
    println!("{decided:?}");
    assert!(streams < STREAMS || decided.len() == 2, "some streams have to end in a decision: {decided:?}");
}

/// One stream: `decided` when it ended in a decision, which was right then.
fn stream(
    chance: &mut Chance,
    stage: Stage,
    size: (u16, u16),
    seed: u64,
    mut witness: Option<Witness>,
) -> &'static str {
    let mut console = gates(stage, size);
    let code = console.model.code_of(console.stage.board.gate(GateId(1)).expect("open"));
    for _ in 0..30 {
        let key = match chance.below(16) {
            0..3 => Key::Char('a'),
            3..6 => Key::Char(' '),
            6..9 => Key::Char('y'),
            9 => Key::Enter,
            10 => Key::Tab,
            11 => Key::Char('G'),
            12 => Key::Esc,
            13 => {
                if chance.below(4) == 0
                    && console.stage.board.gate(GateId(1)).is_some_and(|gate| gate.ask.form.len() > 1)
                {
                    edit(&mut console.stage);
                    let _ = console.see();
                }
                continue;
            }
            14 => Key::Char(code.chars().nth(chance.below(4)).expect("a code")),
            _ => {
                console.at = console.at + Span(400);
                let wishes = console.send(Message::Paste { text: "y\n".to_owned(), at: console.at });
                assert!(
                    !wishes.iter().any(|wish| matches!(wish, Wish::Submit { .. })),
                    "{seed}: a paste decided"
                );
                continue;
            }
        };
        let keys: Vec<Key> = match key {
            // Sometimes the whole code is typed, as people do.
            Key::Tab if chance.below(2) == 0 => [Key::Tab, Key::Tab]
                .into_iter()
                .chain(code.chars().map(Key::Char))
                .chain([Key::Enter])
                .collect(),
            key => vec![key],
        };
        for key in keys {
            if one_key(chance, &mut console, &mut witness, key, seed) {
                return "decided";
            }
        }
    }
    "not"
}

fn one_key(
    chance: &mut Chance,
    console: &mut Console,
    witness: &mut Option<Witness>,
    key: Key,
    seed: u64,
) -> bool {
    if chance.below(8) > 0 {
        console.at = console.at + Span(16);
        if let Some(witness) = witness {
            witness.look(console);
        }
        let _ = console.send(Message::Drawn(console.at));
    }
    console.at = console.at + Span([20, 349, 350, 900][chance.below(4)]);
    let repeat = chance.below(10) == 0;
    let wishes = console.send(Message::Key { press: Press::of(key), repeat, at: console.at });
    feed(console, &wishes);
    let waited = witness.as_mut().map_or(Span(0), |witness| witness.key(console.at));
    let Some(Wish::Submit { command, .. }) = wishes.iter().find(|wish| matches!(wish, Wish::Submit { .. }))
    else {
        return false;
    };
    let Command::Decide(decision) = &**command else { return false };
    let gate = console.stage.board.gate(decision.gate).expect("known");
    let Some(witness) = witness else { return true };
    assert!(!repeat, "{seed}: a held key decided");
    assert!(witness.has_dialog && waited >= Span(350), "{seed}: {waited} after the first frame");
    assert_eq!((decision.epoch, decision.ask), (gate.epoch(), gate.hash), "{seed}: another ask");
    assert_eq!(decision.ask.code()[..4], witness.last, "{seed}: not the ask of the last frame");
    // A no may be said at any time; a yes only to what was read to its end.
    let was_read = decision.verdict == Verdict::Reject || witness.ends.contains(&decision.ask.code());
    assert!(was_read, "{seed}: its end was never on the screen:\n{}", console.text());
    true
}

/// Nobody shall answer another gate than the one that was opened.
#[test]
fn a_gate_that_is_opened_from_elsewhere_is_the_one_under_the_cursor() {
    let mut console = Console::of_afternoon(160, 48);
    drop(console.press("enter"));
    assert!(console.text().contains("rotate_prod_keys"), "{}", console.text());
    drop(console.press("enter"));
    assert!(console.text().contains("─ g-2 · ask #"), "{}", console.text());
}

/// As many parameters as a form can have, long names, a long question and a long command.
fn long_form(count: usize) -> String {
    use std::fmt::Write as _;
    let mut text = RELEASE.replace("Release 4.2 to all customers?", &"Release it all? ".repeat(20));
    text = text.replace("--to eu-west-1", &"--to eu-west-1 ".repeat(30));
    let fields: String = (0..count).fold(String::new(), |mut out, number| {
        writeln!(out, "        field-{number}: {{type: string, default: x{number}}}")
            .expect("a String takes all text");
        out
    });
    text.replace("        share:", &format!("{fields}        share:"))
}

#[test]
fn no_form_folds_the_question_the_risk_or_what_starts_away() {
    for key in ["S", "a"] {
        for size in [(80, 24), (80, 20), (100, 30)] {
            for count in [0, 1, 2, 3, 4, 5, 8, 20] {
                let mut stage = Stage::at("12:00:00");
                let run = stage.launch("jon", &long_form(count));
                stage.ok(run, "build");
                facts(&mut stage, run, 1);
                let mut console = gates(stage, size);
                let asked = answer(&mut console, &format!("{}{key}", "space ".repeat(80)));
                assert_eq!(asked, []);
                shows_what_it_is_about(
                    &mut console,
                    &format!("{key} at {size:?} with {count} more fields"),
                    count,
                );
            }
        }
    }
}

#[track_caller]
fn shows_what_it_is_about(console: &mut Console, about: &str, count: usize) {
    let parts = [
        "question ",
        "Release it all?",
        "risk ",
        "normal: only others can undo",
        "if yes ",
        "starts now: deploy",
        "Esc  Back",
    ];
    let mut seen = BTreeSet::new();
    // Each field comes to the screen as Tab comes to it, and the rest stays.
    for _ in 0..count + 7 {
        frame(console);
        let screen = to_text(&console.draw(&cuelight_console::Theme::default()));
        for part in parts {
            assert!(screen.contains(part), "{part}: {about}:\n{screen}");
        }
        seen.extend(screen.split(|c: char| c.is_whitespace() || "▐[║".contains(c)).map(str::to_owned));
        drop(answer(console, "tab"));
    }
    let all = ["ticket", "share", "audience"].map(str::to_owned).into_iter();
    for name in all.chain((0..count).map(|index| format!("field-{index}"))) {
        assert!(seen.contains(&name), "{name}: {about}");
    }
}
