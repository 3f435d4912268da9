//! Accidents that must never happen: no decision by paste, by a held key, by Enter alone, or too soon.

use super::Console;
use cuelight_base::Span;
use cuelight_console::{Danger, Link, Message, Press, Wish, parse_keys};
use cuelight_engine::Command;

fn press(key: &str) -> Press {
    parse_keys(key).expect("a key")[0]
}

fn asked(wishes: &[Wish]) -> Vec<&Command> {
    let submitted = wishes.iter().filter_map(|wish| match wish {
        Wish::Submit { command, .. } => Some(&**command),
        _ => None,
    });
    submitted.collect()
}

/// The dialog that retries a failed run: level 2, the key is `y`.
fn retry_dialog() -> Console {
    let mut console = Console::of_afternoon(80, 24);
    assert!(asked(&console.press("G k R")).is_empty());
    assert!(console.text().contains("Retry r-2"), "{}", console.text());
    console
}

#[test]
fn y_counts_350_ms_after_the_first_frame_and_a_swallowed_key_starts_the_time_again() {
    for (waits, does) in [(&[349][..], false), (&[350], true), (&[349, 349], false), (&[200, 350], true)] {
        let mut console = retry_dialog();
        drop(console.send(Message::Drawn(console.at)));
        let mut wishes = Vec::new();
        for wait in waits {
            console.at = console.at + Span(*wait);
            wishes = console.send(Message::Key { press: press("y"), repeat: false, at: console.at });
        }
        assert_eq!(!asked(&wishes).is_empty(), does, "{waits:?}");
    }
}

#[test]
fn a_key_before_the_first_frame_does_nothing() {
    let mut console = retry_dialog();
    console.at = console.at + Span::seconds(60);
    assert!(
        asked(&console.send(Message::Key { press: press("y"), repeat: false, at: console.at })).is_empty()
    );
}

#[test]
fn a_held_key_does_nothing() {
    let mut console = retry_dialog();
    drop(console.send(Message::Drawn(console.at)));
    for _ in 0..50 {
        console.at = console.at + Span(1_000);
        assert!(
            asked(&console.send(Message::Key { press: press("y"), repeat: true, at: console.at })).is_empty()
        );
    }
}

#[test]
fn a_paste_answers_nothing() {
    let mut console = retry_dialog();
    drop(console.send(Message::Drawn(console.at)));
    console.at = console.at + Span(1_000);
    assert!(asked(&console.send(Message::Paste { text: "y\n".to_owned(), at: console.at })).is_empty());
    assert!(console.text().contains("Retry r-2"), "{}", console.text());
}

#[test]
fn enter_alone_does_nothing_sixteen_times() {
    for key in ["R", "X", "C"] {
        let mut console = Console::of_afternoon(80, 24);
        drop(console.press(&format!("G k {key}")));
        assert!(asked(&console.press(&"enter ".repeat(16))).is_empty(), "{key}");
    }
}

#[test]
fn cancelling_needs_a_reason_and_the_id() {
    let mut console = Console::of_afternoon(80, 24);
    assert!(asked(&console.press("X r - 7 enter")).is_empty(), "that was the reason");
    assert!(asked(&console.press("r - 8 enter")).is_empty(), "another id");
    let wishes = console.press("backspace 7 enter");
    let commands = asked(&wishes);
    assert!(matches!(commands[..], [Command::Cancel { reason, .. }] if reason == "r-7"), "{commands:?}");
    assert!(console.text().contains("recording"), "{}", console.text());
}

#[test]
fn a_pause_happens_at_once_and_u_takes_it_back() {
    let mut console = Console::of_afternoon(80, 24);
    let wishes = console.press("P");
    assert!(matches!(asked(&wishes)[..], [Command::Pause { .. }]), "{wishes:?}");
    let [Wish::Submit { request, .. }] = wishes[..] else { panic!("{wishes:?}") };
    let seq = console.stage.board.seq;
    let answer = cuelight_console::Answer::Recorded { seq, run: None };
    drop(console.send(Message::Reply { request, answer }));
    assert!(console.text().contains("u undo 10s"), "{}", console.text());
    assert!(matches!(asked(&console.press("u"))[..], [Command::Resume { .. }]));
    assert!(asked(&console.press("u")).is_empty(), "once");
}

#[test]
fn a_dialog_closes_when_what_it_speaks_of_has_changed() {
    let mut console = Console::of_afternoon(80, 24);
    drop(console.press("X"));
    let run = console.model.run().expect("selected");
    let by = super::actor("jon");
    console.stage.command(Command::Pause { run, by });
    drop(console.see());
    assert!(!console.text().contains("Cancel r-7"), "{}", console.text());
    assert!(
        console.text().contains("closed, nothing was done: meanwhile r-7 is paused"),
        "{}",
        console.text()
    );
}

#[test]
fn nothing_can_be_changed_when_it_could_not_be_recorded() {
    let why = || "no space left".to_owned();
    for link in [Link::Unwritten { why: why() }, Link::Unowned] {
        let mut console = Console::of_afternoon(80, 24);
        drop(console.send(Message::Link(link)));
        for key in ["P", "X", "R", "C"] {
            assert!(asked(&console.press(key)).is_empty(), "{key}");
        }
    }
    let mut console = Console::of_afternoon(80, 24);
    console.model.seat.read_only = true;
    console.model.seat.danger = Danger::Development;
    assert!(asked(&console.press("P")).is_empty());
    assert!(console.text().contains("read-only"), "{}", console.text());
}
