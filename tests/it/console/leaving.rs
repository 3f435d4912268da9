//! The way out: who owns open runs is asked what becomes of them, and nothing is stopped by accident.

use super::{
    Console,
    fixture::{Stage, instant},
    screens,
};
use cuelight_base::Span;
use cuelight_console::{Message, Wish, parse_keys};

fn leaves(wishes: &[Wish]) -> Vec<&Wish> {
    wishes.iter().filter(|wish| matches!(wish, Wish::Quit | Wish::Stop)).collect()
}

fn typed(text: &str) -> String {
    text.chars().map(|c| if c == ' ' { "space ".to_owned() } else { format!("{c} ") }).collect()
}

#[test]
fn who_owns_nothing_that_is_open_leaves_at_once() {
    let mut console = Console::new(Stage::at("12:00:00"), 80, 24);
    assert_eq!(leaves(&console.press("Z Z")), [&Wish::Quit]);
}

#[test]
fn an_attached_seat_leaves_at_once() {
    let mut console = Console::of_afternoon(80, 24);
    console.model.seat.place = "attached".to_owned();
    assert_eq!(leaves(&console.press("Z Z")), [&Wish::Quit]);
}

#[test]
fn who_owns_open_runs_is_asked_what_becomes_of_them() {
    for (width, height) in [(80, 24), (160, 48)] {
        let mut console = Console::of_afternoon(width, height);
        assert!(leaves(&console.press("Z Z")).is_empty());
        assert!(leaves(&console.press("esc")).is_empty());
        assert!(!console.text().contains("Leave?"), "{}", console.text());
        assert_eq!(leaves(&console.press(": q enter d")), [&Wish::Quit]);
    }
}

#[test]
fn the_engine_stops_only_when_command_and_environment_were_typed() {
    let mut console = Console::of_afternoon(80, 24);
    assert!(leaves(&console.press("Z Z s enter")).is_empty());
    for (name, keys) in [("leave", "Z Z"), ("leave_stop", "Z Z s enter")] {
        screens::everywhere(name, |width, height| {
            let mut console = Console::of_afternoon(width, height);
            drop(console.press(keys));
            console
        });
    }
    assert!(leaves(&console.press(&format!("{} enter", typed("stop LOCAL")))).is_empty());
    assert_eq!(leaves(&console.press(&format!("ctrl-u {} enter", typed("stop PROD")))), [&Wish::Stop]);
    let mut console = Console::of_afternoon(80, 24);
    assert!(leaves(&console.press("Z Z s esc")).is_empty());
    assert!(console.text().contains("the runs go on"), "one step back: {}", console.text());
}

#[test]
fn a_shutdown_from_the_palette_asks_for_the_same_words_also_at_an_attached_seat() {
    for place in ["local", "attached"] {
        let mut console = Console::of_afternoon(80, 24);
        console.model.seat.place = place.to_owned();
        assert!(leaves(&console.press(": s h u t d o w n enter enter")).is_empty(), "nothing was typed");
        assert_eq!(leaves(&console.press(&format!("{} enter", typed("stop PROD")))), [&Wish::Stop]);
    }
}

#[test]
fn a_key_before_the_question_was_seen_answers_nothing() {
    let press = |key: &str| parse_keys(key).expect("a key")[0];
    for (waits, does) in [(349, false), (350, true)] {
        let mut console = Console::of_afternoon(80, 24);
        drop(console.press("Z Z"));
        let early = console.send(Message::Key { press: press("d"), repeat: false, at: console.at });
        assert!(leaves(&early).is_empty(), "no frame has shown it");
        drop(console.send(Message::Drawn(console.at)));
        console.at = console.at + Span(waits);
        let held = console.send(Message::Key { press: press("d"), repeat: true, at: console.at });
        assert!(leaves(&held).is_empty(), "a held key answers nothing");
        let pasted = console.send(Message::Paste { text: "d".to_owned(), at: console.at });
        assert!(leaves(&pasted).is_empty(), "a paste answers nothing");
        let mut console = Console::of_afternoon(80, 24);
        drop(console.press("Z Z"));
        drop(console.send(Message::Drawn(console.at)));
        console.at = console.at + Span(waits);
        let key = console.send(Message::Key { press: press("d"), repeat: false, at: console.at });
        assert_eq!(!leaves(&key).is_empty(), does, "{waits}");
    }
}

#[test]
fn ctrl_c_twice_leaves_and_the_runs_go_on() {
    let mut console = Console::of_afternoon(80, 24);
    let asked = console.press("ctrl-c");
    assert!(leaves(&asked).is_empty());
    assert!(console.text().contains("the runs go on"), "{}", console.text());
    assert_eq!(leaves(&console.press("ctrl-c")), [&Wish::Quit]);
    assert!(console.at > instant("12:04:31"));
}
