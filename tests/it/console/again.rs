//! Doing a run again from the console: what is corrected is typed into the dialog, and a fork begins at the instant of the
//! past that is seen.

use super::Console;
use cuelight_base::{RunId, Seq};
use cuelight_console::{Danger, Wish};
use cuelight_engine::{Command, ForkAt, RetryFrom};

fn asked(wishes: &[Wish]) -> Vec<&Command> {
    let submitted = wishes.iter().filter_map(|wish| match wish {
        Wish::Submit { command, .. } => Some(&**command),
        _ => None,
    });
    submitted.collect()
}

/// The past of the settlement, two steps back.
fn past(danger: Danger) -> (Console, RunId, Seq) {
    let mut console = Console::of_afternoon(100, 30);
    console.model.seat.danger = danger;
    drop(console.press("/ s e t t l e enter enter T H H"));
    let run = console.model.run().expect("a run is looked at");
    let seq = console.model.board.seq;
    (console, run, seq)
}

#[test]
fn b_in_the_past_makes_a_new_run_from_that_instant() {
    let (mut console, run, seq) = past(Danger::Development);
    drop(console.press("b"));
    let text = console.text();
    assert!(text.contains(&format!("Fork {run}")) && text.contains(&format!("event {seq}")), "{text}");
    assert!(text.contains("a new run r-") && text.contains("keeps "), "{text}");
    let wishes = console.press("y");
    let [Command::Fork { run: of, at, corrected: None, past: None, .. }] = asked(&wishes)[..] else {
        panic!("{wishes:?}");
    };
    assert_eq!((*of, at), (run, &ForkAt::Seq(seq)));
    assert!(!console.text().contains("HISTORY"), "it goes back to what is now");
}

#[test]
fn the_dialog_of_a_fork_is_as_it_was_looked_at() {
    super::screens::everywhere("fork", |width, height| {
        let mut console = Console::of_afternoon(width, height);
        drop(console.press("/ s e t t l e enter enter T H H b"));
        console
    });
}

#[test]
fn where_it_counts_a_fork_is_typed() {
    let (mut console, run, _) = past(Danger::Production);
    assert!(asked(&console.press("b y enter")).is_empty());
    let (mut console, ..) = past(Danger::Production);
    let typed: Vec<String> = run.to_string().chars().map(String::from).collect();
    let wishes = console.press(&format!("b {} enter", typed.join(" ")));
    assert!(matches!(asked(&wishes)[..], [Command::Fork { .. }]), "{}", console.text());
}

#[test]
fn a_schedule_is_held_with_a_reason_from_the_palette_and_let_go_again() {
    let mut console = Console::of_afternoon(100, 30);
    let (by, workflow) = (super::fixture::actor("jon"), "nightly".to_owned());
    let hold =
        Command::HoldSchedule { workflow: workflow.clone(), reason: "moving".to_owned(), by: by.clone() };
    console.stage.command(hold);
    drop(console.see());
    let wishes = console.press(": r e l e a s e space s c h e d enter");
    let [Command::ReleaseSchedule { workflow: of, .. }] = asked(&wishes)[..] else {
        panic!("{}", console.text())
    };
    assert_eq!(*of, workflow);
    console.stage.command(Command::ReleaseSchedule { workflow, by });
    drop(console.see());
    assert!(asked(&console.press(": h o l d space s c h e d enter")).is_empty(), "a reason is wanted");
    assert!(console.text().contains("Hold the schedule of nightly?"), "{}", console.text());
    let wishes = console.press("m o v e enter y");
    let [Command::HoldSchedule { workflow, reason, .. }] = asked(&wishes)[..] else {
        panic!("{}", console.text())
    };
    assert_eq!((workflow.as_str(), reason.as_str()), ("nightly", "move"));
}

#[test]
fn a_reset_from_the_palette_wants_a_reason_and_the_command_with_the_environment() {
    let reset = ": r e s e t enter n e w enter ";
    let mut console = Console::of_afternoon(100, 30);
    assert!(asked(&console.press(&format!("{reset} y enter"))).is_empty(), "a key is not enough");
    assert!(console.text().contains("Reset PROD?"), "{}", console.text());
    let mut console = Console::of_afternoon(100, 30);
    assert!(asked(&console.press(&format!("{reset} r e s e t space L O C A L enter"))).is_empty());
    let mut console = Console::of_afternoon(100, 30);
    let wishes = console.press(&format!("{reset} r e s e t space P R O D enter"));
    let [Command::Reset { reason, .. }] = asked(&wishes)[..] else { panic!("{}", console.text()) };
    assert_eq!(reason, "new");
    let rested = |console: &Console| console.model.board.listed().filter(|run| run.state.rests()).count();
    assert!(rested(&console) > 0);
    let by = super::fixture::actor("jon");
    console.stage.command(Command::Reset { reason: "new".to_owned(), by });
    drop(console.see());
    assert_eq!(rested(&console), 0, "what rested is in no list any more");
    assert!(console.model.board.open_runs().count() > 0, "what is open is");
}

#[test]
fn nothing_else_is_done_from_the_past() {
    let (mut console, ..) = past(Danger::Development);
    drop(console.press("b esc"));
    assert!(console.text().contains("HISTORY"), "Back stays in the past");
    assert!(asked(&console.press("R y")).is_empty());
    assert!(console.text().contains("history: read-only"));
}

#[test]
fn what_is_corrected_is_typed_into_the_dialog_and_looked_at_anew() {
    let mut console = Console::of_afternoon(100, 30);
    let wishes = console.press("G k R tab ctrl-u a l l tab t o = f a r");
    let last = wishes.iter().rev().find_map(|wish| match wish {
        Wish::Preview { command, .. } => Some(&**command),
        _ => None,
    });
    let Some(Command::Retry { from: RetryFrom::All, corrected: Some(corrected), .. }) = last else {
        panic!("{last:?}")
    };
    assert_eq!(corrected.words, [("to".to_owned(), "far".to_owned())]);
}

#[test]
fn what_was_typed_goes_with_the_command() {
    let mut console = Console::of_afternoon(100, 30);
    let wishes = console.press("G k R tab ctrl-u c h e c k p o i n t tab tab tab y");
    assert!(
        matches!(asked(&wishes)[..], [Command::Retry { from: RetryFrom::Checkpoint, corrected: None, .. }]),
        "{}",
        console.text()
    );
    let mut console = Console::of_afternoon(100, 30);
    let wishes = console.press("G k R tab ctrl-u l a t e r tab tab tab y");
    assert!(asked(&wishes).is_empty(), "there is no such way: {}", console.text());
}
