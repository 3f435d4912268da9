//! Errors: what failed, what it caused, what mended it before, and what people say of it.

use super::{
    Console,
    fixture::{Stage, actor, afternoon},
    screens,
};
use cuelight_base::{FailureMode, RunId, Seq};
use cuelight_console::{Answer, Link, Message, Mouse, View, Wish};
use cuelight_engine::{Command, FailureNote, RetryFrom};
use std::collections::BTreeSet;

const REFUNDS: &str = r"
name: payments/refunds
on-failure: compensate
steps:
  - {id: reserve, run: reserve, undo: release, effect: idempotent}
  - {id: lock, needs: reserve, run: lock, undo: unlock, effect: idempotent}
  - {id: call_bank, needs: lock, run: 'bank --batch B-0611', effect: idempotent, category: load, retry: {max-attempts: 3, delay: 2s, jitter: 0}}
  - {id: pay_out, needs: call_bank, run: pay}
  - {id: notify, needs: pay_out, run: mail}
";

const CRM: &str = r"
name: crm/sync-contacts
steps:
  - {id: login, run: login, effect: pure}
  - {id: map_contacts, needs: login, run: map, category: validate, on-error: continue}
  - {id: sync_page_7, needs: login, run: sync, effect: idempotent, retry: {max-attempts: 5, delay: 60s, jitter: 0}}
  - {id: finish, needs: [map_contacts, sync_page_7], run: finish, if: always()}
";

const TAIL: &str = "POST https://bank-eu/batches\n> 202 accepted\nwaiting for B-0611 \u{1b}[31mred\u{1b}[0m\u{202e}\tdone\nno answer in 30 s\n";

fn refunds(stage: &mut Stage, mended: bool) -> RunId {
    let run = stage.launch("cron", REFUNDS);
    stage.ok(run, "reserve");
    stage.ok(run, "lock");
    for again in 1..=3 {
        stage.pass(30);
        if mended && again == 2 {
            stage.drain(run, 9);
            return run;
        }
        let said = ("bank gateway gave no answer in 30 s", TAIL);
        stage.fail_with(run, "call_bank", FailureMode::SystemTimeout, said);
        stage.pass(5);
    }
    run
}

/// A morning of failures: some were mended by trying again, one is tried again now, two stand.
fn morning() -> Stage {
    let mut stage = Stage::at("08:00:00");
    for _ in 0..3 {
        let run = refunds(&mut stage, true);
        assert!(stage.board.run(run).is_some());
        stage.pass(1200);
    }
    let crm = stage.launch("api", CRM);
    stage.ok(crm, "login");
    let said =
        ("UNIQUE order_id=77120 日本語 and more words than one line of a narrow screen has room for", "");
    stage.fail_with(crm, "map_contacts", FailureMode::AgentValidation, said);
    stage.pass(600);
    let run = refunds(&mut stage, false);
    stage.drain(run, 9);
    stage.pass(900);
    stage.fail(crm, "sync_page_7", FailureMode::PolicyRateLimit, "429 Too Many Requests");
    stage.pass(8);
    stage
}

fn errors(width: u16, height: u16, keys: &str) -> Console {
    let mut console = Console::new(morning(), width, height);
    drop(console.press("4"));
    drop(console.press(keys));
    console
}

#[test]
fn errors_shows_what_nobody_looks_after_first() {
    screens::everywhere("errors", |width, height| errors(width, height, ""));
    screens::everywhere("errors_by_mode", |width, height| errors(width, height, "s s"));
}

#[test]
fn the_header_counts_what_is_grave_and_looked_after_by_nobody() {
    let mut console = errors(80, 24, "");
    assert!(console.text().contains("4 Errors 1▌"), "{}", console.text());
    say(&mut console, "a");
    assert!(console.text().contains("4 Errors▌"), "{}", console.text());
}

/// Presses a key, and lets the engine do what was asked.
#[track_caller]
fn say(console: &mut Console, keys: &str) -> Command {
    let wishes = console.press(keys);
    let asked = wishes.into_iter().find_map(|wish| match wish {
        Wish::Submit { request, command } => Some((request, command)),
        _ => None,
    });
    let (request, command) = asked.unwrap_or_else(|| panic!("{keys} asks nothing\n{}", console.text()));
    console.stage.now = console.at;
    console.stage.command((*command).clone());
    drop(console.see());
    let answer = Answer::Recorded { seq: Seq(1), run: None };
    drop(console.send(Message::Reply { request, answer }));
    *command
}

#[test]
fn a_failure_is_acknowledged_and_resolved_at_once_and_taken_back() {
    let mut console = errors(160, 48, "");
    let said = say(&mut console, "a");
    assert!(matches!(said, Command::NoteFailure { note: FailureNote::Acknowledge, .. }), "{said:?}");
    let text = console.text();
    assert!(text.contains("seen by mira") && text.contains("u undo 10s"), "{text}");
    // Nobody looks after it twice.
    assert!(console.press("a").is_empty() && console.text().contains("looked after by mira already"));
    let said = say(&mut console, "u");
    assert!(matches!(said, Command::NoteFailure { note: FailureNote::Reopen, .. }), "{said:?}");
    assert!(!console.text().contains("seen by mira"), "{}", console.text());
    say(&mut console, "r");
    assert!(console.text().contains("closed 09:30 by mira"), "{}", console.text());
    assert!(console.text().contains("1 open, 5 handled"), "{}", console.text());
    drop(console.press("@"));
    let text = console.text();
    assert!(text.contains("cuelight error ack e-") && text.contains("cuelight error reopen e-"), "{text}");
}

#[test]
fn what_is_tried_again_by_itself_is_not_acknowledged() {
    let mut console = errors(100, 30, "& s t a t e : r e t r y i n g enter");
    assert!(console.text().contains("‹state:retrying›"), "{}", console.text());
    assert!(console.press("a").is_empty());
    assert!(console.text().contains("is tried again by itself"), "{}", console.text());
}

#[test]
fn nothing_is_said_of_a_failure_where_nothing_can_be_changed() {
    let mut console = errors(100, 30, "");
    drop(console.send(Message::Link(Link::Unowned)));
    for key in ["a", "r", "R"] {
        assert!(console.press(key).is_empty(), "{key}");
    }
    assert!(console.text().contains("start `cuelight serve`"), "{}", console.text());
    console.model.seat.read_only = true;
    drop(console.send(Message::Link(Link::Live)));
    assert!(console.press("a").is_empty());
}

#[test]
fn a_filter_names_level_state_run_type_and_mode() {
    let shown = |filter: &str| {
        let keys: Vec<String> =
            filter.chars().map(|c| if c == ' ' { "space".to_owned() } else { c.to_string() }).collect();
        // Sorted by time each failure has a row.
        let console = errors(160, 48, &format!("& {} enter s", keys.join(" ")));
        let text = console.text();
        // Rows of the list begin with a sign and a time.
        let rows = text.lines().skip(3).take(20).map(|line| line.chars().take(13).collect::<String>());
        rows.filter(|row| row.contains(" 08:") || row.contains(" 09:")).count()
    };
    for (filter, expected) in [
        ("", 6),
        ("level:critical", 1),
        ("level:low", 3),
        ("state:resolved", 4),
        ("!state:resolved", 2),
        ("mode:timeout", 4),
        ("mode:policy_rate_limit", 1),
        ("type:data_load", 4),
        ("type:data_validation_error", 1),
        ("run:r-4", 2),
        ("workflow:crm*", 2),
        ("step:call*", 4),
        ("bank", 4),
        ("nothing-like-this", 0),
    ] {
        assert_eq!(shown(filter), expected, "{filter}");
    }
}

#[test]
fn failures_with_one_cause_stand_in_one_row_with_their_count_runs_and_steps() {
    let console = errors(160, 48, "");
    let text = console.text();
    let row = text.lines().find(|line| line.contains("call_bank") && line.contains("3/3")).expect("a row");
    let cells: Vec<&str> = row.split_whitespace().collect();
    let at = cells.iter().position(|cell| *cell == "3/3").expect("attempts");
    assert_eq!(cells[at + 1..at + 3], ["4", "4"], "failures and runs: {row}");
    assert!(!text.lines().any(|line| line.contains('✓') && line.contains("TIMEOUT")), "{text}");
    assert!(text.contains("4 failures, 1 open, in r-5 r-3 r-2 r-1"), "{text}");
    let mut stage = Stage::at("08:00:00");
    for row in ["7", "77", "777"] {
        let run = stage.launch("api", CRM);
        let said = format!("no row {row} (exit code 1)");
        stage.fail_with(run, "login", FailureMode::AgentLogic, (&said, "x"));
    }
    let id = stage.launch("cron", REFUNDS);
    stage.fail_with(id, "reserve", FailureMode::AgentLogic, ("no row 12 (exit code 1)", "x"));
    let mut console = Console::new(stage, 160, 48);
    drop(console.press("4"));
    let text = console.text();
    assert!(text.contains("reserve +1") && text.contains("1-1 of 1"), "{text}");
    assert!(text.contains("4 failures, 4 open, in r-4 r-3 r-2 r-1"), "{text}");
}

#[test]
fn the_output_of_a_failure_stands_before_its_call_and_kind() {
    let text = errors(80, 24, "").text();
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}\n{text}"));
    assert!(place("output, its last") < place("call  "), "{text}");
    assert!(!text.contains("␛[31m"), "colours are no signs: {text}");
}

#[test]
fn a_retry_that_completed_closes_the_failures_before_it_and_says_when() {
    let mut stage = Stage::at("08:00:00");
    let run = stage.launch("api", CRM);
    stage.fail(run, "login", FailureMode::AgentLogic, "no route");
    stage.drain(run, 9);
    stage.pass(60);
    stage.command(Command::Retry { run, from: RetryFrom::Failed, by: actor("mira"), corrected: None });
    stage.drain(RunId(2), 9);
    let mut console = Console::new(stage, 160, 48);
    drop(console.press("4"));
    let text = console.text();
    assert!(
        text.contains("0 open, 1 handled") && text.contains("closed 08:0") && text.contains("by r-2"),
        "{text}"
    );
}

#[test]
fn a_search_goes_from_failure_to_failure() {
    let mut console = errors(160, 48, "/ U N I Q U E enter");
    assert!(console.text().contains("VALIDATION · crm/sync-contacts/map_contacts"), "{}", console.text());
    drop(console.press("/ n o p e enter"));
    assert!(console.text().contains("could not find"), "{}", console.text());
}

#[test]
fn enter_goes_to_the_step_in_the_graph_and_logs_to_its_output() {
    let mut console = errors(100, 30, "enter");
    assert_eq!(console.model.view, View::Dag);
    assert_eq!(console.model.run(), Some(RunId(5)));
    let step = console.model.step().and_then(|step| Some(console.model.board.run(RunId(5))?.step_id(step)));
    assert_eq!(step.as_deref(), Some("call_bank"));
    drop(console.press("ctrl-o L"));
    assert_eq!((console.model.view, console.model.run()), (View::Logs, Some(RunId(5))));
}

#[test]
fn a_run_is_tried_again_from_the_failure() {
    let mut console = errors(100, 30, "");
    let wishes = console.press("R y");
    let retried = wishes.iter().any(|wish| {
        matches!(wish, Wish::Submit { command, .. }
            if matches!(**command, Command::Retry { run: RunId(5), from: RetryFrom::Failed, .. }))
    });
    assert!(retried, "{wishes:?}");
}

#[test]
fn the_whole_output_is_shown_and_nothing_in_it_moves_the_screen() {
    let mut console = errors(160, 48, "v");
    let text = console.text();
    assert!(text.contains("POST https://bank-eu/batches") && text.contains("no answer in 30 s"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains('\t'), "{text}");
    drop(console.press("esc"));
    let text = console.text();
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains('\t'), "{text}");
}

#[test]
fn what_mended_it_before_stands_beside_it() {
    let text = errors(200, 60, "").text();
    assert!(text.contains("like this 3 times; mended by trying again 3 of 4; last"), "{text}");
    assert!(text.contains("call_bank failed 4 times, mostly TIMEOUT 4"), "{text}");
    assert!(text.contains("call_bank ✗ → pay_out ⊘ → notify ⊘"), "{text}");
    assert!(text.contains("⟲ reserve, lock"), "{text}");
}

#[test]
fn without_failures_it_says_what_will_stand_here() {
    let mut console = Console::new(Stage::at("12:00:00"), 100, 30);
    drop(console.press("4"));
    assert!(console.text().contains("nothing has failed"), "{}", console.text());
    for key in ["j", "a", "r", "R", "enter", "v", "s", "L", "n", "y", "x"] {
        drop(console.press(key));
        drop(console.text());
        drop(console.press("esc 4"));
    }
}

#[test]
fn every_failure_that_is_shown_can_be_reached_and_clicked() {
    let mut console = errors(80, 24, "s s");
    let mut seen = BTreeSet::new();
    for _ in 0..8 {
        let title = console.text().lines().find(|line| line.contains("─ e-")).map(ToOwned::to_owned);
        seen.insert(title.expect("a preview"));
        drop(console.press("j"));
    }
    assert_eq!(seen.len(), 6, "{seen:#?}");
    drop(console.press("G"));
    let last = console.model.run();
    drop(console.press("g g"));
    let mut clicked = BTreeSet::new();
    for row in 1..12 {
        drop(console.send(Message::Mouse { what: Mouse::Click, column: 20, row }));
        clicked.insert(console.model.run());
    }
    assert!(clicked.len() > 1 && last.is_some(), "{clicked:?} {last:?}");
}

#[test]
fn errors_is_drawn_at_every_size_and_while_runs_vanish() {
    for (width, height) in [(1, 1), (60, 16), (61, 20), (99, 23), (100, 24), (139, 40), (140, 33), (300, 100)]
    {
        let mut console = Console::new(afternoon(), width, height);
        drop(console.press("4 s s j"));
        drop(console.text());
        for run in 1..=8 {
            console.stage.board.forget(RunId(run));
        }
        drop(console.see());
        drop(console.press("j v esc"));
        drop(console.text());
    }
}

#[test]
fn another_seat_acknowledges_and_it_is_seen_at_once() {
    let mut console = errors(100, 30, "");
    let error = console.stage.board.open_errors().find(|error| error.is_urgent()).expect("one").clone();
    console.stage.command(Command::NoteFailure {
        run: error.run,
        step: error.step,
        of_undo: false,
        note: FailureNote::Acknowledge,
        reason: "I call the bank \u{1b}[2J".to_owned(),
        by: actor("jon"),
    });
    drop(console.see());
    let text = console.text();
    assert!(text.contains("seen by jon") && text.contains("I call"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}
