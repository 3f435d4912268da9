//! Bad conditions for a console: every size, endless names, clocks that jump, runs that vanish, no runs at
//! all. Tested in every view and with every overlay.

use super::{Console, fixture::Stage};
use cuelight_base::{FailureMode, Span, Timestamp};
use cuelight_console::{Message, Theme, View};
use cuelight_projection::Board;
use std::sync::Arc;
use unicode_width::UnicodeWidthStr as _;

/// Keys that lead, from the list of runs, to every view, every form of one, and everything that can lie over it.
pub(super) const SCREENS: &[&str] = &[
    "1",
    "enter",
    "enter t",
    "enter +",
    "enter - -",
    "3",
    "3 enter",
    "4",
    "4 v",
    "4 s s",
    "5",
    "6",
    "6 w",
    "7",
    "7 z M +",
    "8",
    "8 a J",
    "8 a V",
    ": a g e n t s enter",
    ": t o o l s enter",
    "T",
    "enter T H",
    "7 T",
    "7 D",
    "T D r - 7 enter",
    "_",
    "B 4 B 8 B B",
    "n",
    "Z Z",
    "Z Z s",
    "space j space X",
    "space j space P",
    "3 *  a",
    "3 D",
    "3 !",
    "3 r",
    "3 e",
    "3 space space space space a",
    "X",
    "R",
    "enter S",
    "C",
    "G C",
    "?",
    "? tab",
    "? / c o p y",
    "x",
    "w",
    "@",
    ":",
    ": t h e m e",
    "/ a",
    "& a",
    "z",
    "E",
    "3 v",
    "6 / a enter",
];

/// One workflow of each kind of trouble, with names as long as they may be or longer.
fn long_names() -> Stage {
    let (long, id) = ("x".repeat(300), "i".repeat(64));
    let wide = format!("日本語\u{202e}\u{7}\t שלום e\u{301}{}", "語".repeat(300));
    let workflow = format!(
        "name: \"{long}\"\nsteps:\n  - {{id: {id}, run: \"{long}\", name: \"{long}\"}}\n  - {{id: b, needs: {id}, run: b}}\n"
    );
    let gates = format!(
        "name: \"{long}\"\nsteps:\n  - {{id: {id}, gate: {{prompt: \"{long}\", risk: irreversible}}}}\n"
    );
    let mut stage = Stage::at("11:00:00");
    for by in [long.as_str(), wide.as_str()] {
        stage.launch(by, &gates);
        let run = stage.launch(by, &workflow);
        stage.pass(5);
        stage.fail_with(run, &id, FailureMode::SystemTimeout, (&wide, &long));
    }
    stage
}

#[track_caller]
fn stays_inside(console: &Console, keys: &str) {
    let text = console.text();
    let (width, height) = console.model.screen();
    let wide = text.lines().find(|line| line.width() > usize::from(width));
    assert_eq!(wide, None, "{keys} at {width}x{height}");
    let odd = text.chars().find(|c| matches!(c, '\u{202e}' | '\u{7}' | '\t' | '\u{1b}'));
    assert_eq!(odd, None, "{keys} at {width}x{height}:\n{text}");
}

/// Each size from one cell to 200x60, each with one of the screens; which one changes from size to size.
fn sizes(part: u16) {
    let mut consoles: Vec<(&str, Console)> = SCREENS
        .iter()
        .enumerate()
        .map(|(index, keys)| {
            let mut console = Console::of_afternoon(120, 40);
            console.model.look.reader = index % 7 == 6;
            console.model.look.glyphs.ascii = index % 5 == 4;
            drop(console.press(keys));
            (*keys, console)
        })
        .collect();
    let many = consoles.len();
    for height in 1..=60_u16 {
        for width in (1 + part..=200).step_by(4) {
            let (keys, console) = &mut consoles[(usize::from(width) / 4 + 7 * usize::from(height)) % many];
            drop(console.send(Message::Resize { width, height }));
            if width % 8 == 1 {
                stays_inside(console, keys);
            } else {
                drop(console.draw(&Theme::default()));
            }
        }
    }
}

#[test]
fn every_screen_is_drawn_at_every_size_1() {
    sizes(0);
}

#[test]
fn every_screen_is_drawn_at_every_size_2() {
    sizes(1);
}

#[test]
fn every_screen_is_drawn_at_every_size_3() {
    sizes(2);
}

#[test]
fn every_screen_is_drawn_at_every_size_4() {
    sizes(3);
}

#[test]
fn names_of_300_characters_stay_in_their_places() {
    let stage = long_names();
    for (index, keys) in SCREENS.iter().enumerate() {
        let (width, height) = [(80, 24), (160, 48), (60, 16), (200, 60), (100, 30)][index % 5];
        let mut console = Console::new(stage.clone(), width, height);
        drop(console.press(keys));
        stays_inside(&console, keys);
        console.model.look.reader = true;
        drop(console.send(Message::Resize { width, height }));
        stays_inside(&console, keys);
    }
}

#[test]
fn nothing_at_all_is_shown_everywhere() {
    for keys in SCREENS {
        let mut console = Console::new(Stage::at("12:00:00"), 80, 24);
        drop(console.press(keys));
        stays_inside(&console, keys);
        // From wherever that led, the views are reached.
        drop(console.press("esc esc esc esc 1"));
        assert!(console.text().contains("cuelight run FILE"), "{keys}: {}", console.text());
    }
}

#[test]
fn a_clock_that_jumps_breaks_no_screen() {
    const YEAR: i64 = 31_557_600_000;
    for keys in SCREENS {
        let mut console = Console::of_afternoon(100, 30);
        drop(console.press(keys));
        let now = console.at;
        for jump in [-3_600_000, 3_600_000, -YEAR * 60, 30 * YEAR, 0] {
            drop(console.send(Message::Tick(Timestamp(now.0 + jump))));
            stays_inside(&console, keys);
        }
    }
    // A board from another time, too.
    let mut console = Console::of_afternoon(160, 48);
    console.stage.now = console.stage.now + Span(40 * 31_557_600_000);
    console.stage.launch("mira", "name: later\nsteps:\n  - {id: one, run: one}\n");
    drop(console.see());
    for view in 1..=8 {
        drop(console.press(&view.to_string()));
        stays_inside(&console, "later");
    }
}

/// Runs that are gone, gates that are gone, failures that are gone: whatever is open speaks of them no longer, or says so.
#[test]
fn everything_that_is_shown_may_vanish() {
    for keys in SCREENS {
        for size in [(80, 24), (160, 48)] {
            let mut console = Console::of_afternoon(size.0, size.1);
            drop(console.press(keys));
            drop(console.send(Message::Board(Arc::new(Board::default()))));
            stays_inside(&console, keys);
            let wishes = console.press("enter y esc j k");
            let asks = wishes.iter().find(|wish| matches!(wish, cuelight_console::Wish::Submit { .. }));
            assert_eq!(asks, None, "{keys}: nothing is asked about what is gone");
            drop(console.press("esc esc esc esc esc 1 enter 3 4 5 6 7 8"));
            stays_inside(&console, keys);
        }
    }
}

#[test]
fn every_view_has_a_screen_here() {
    let mut seen: Vec<View> = SCREENS
        .iter()
        .map(|keys| {
            let mut console = Console::of_afternoon(100, 30);
            drop(console.press(keys));
            console.model.view
        })
        .collect();
    seen.sort();
    seen.dedup();
    let mut all = View::ALL.to_vec();
    all.sort();
    assert_eq!(seen, all);
}

#[test]
fn tabs_in_an_output_move_nothing() {
    let mut console = Console::of_afternoon(80, 24);
    drop(console.press("j j j j L"));
    let attempt = super::outputs::call(&console.stage, 3, "plan_day", 1);
    console.outputs.set(attempt, b"a\tb\n\t\tdeep\r50%\r100%\n");
    drop(console.press("1 j k k k k k k j j j j enter L"));
    stays_inside(&console, "tabs");
}
