//! Time: keys in, screen out.

use super::{
    Console,
    fixture::{SETTLE, Stage},
    screens,
};
use cuelight_base::{Span, Timestamp};
use cuelight_console::{Glyphs, Message, Mouse, Theme, snap};

const SIZES: [(u16, u16); 4] = [(80, 24), (100, 30), (160, 48), (200, 60)];

#[track_caller]
fn sees(console: &Console, wanted: &str) {
    assert!(console.text().contains(wanted), "{wanted:?} is not on the screen:\n{}", console.text());
}

/// The settlement twice: first as usual, then a day later with a slow step and a gate that waits.
fn twice() -> Stage {
    let mut stage = Stage::at("08:00:00");
    for slow in [0, 180] {
        let run = stage.launch("bot-settle", SETTLE);
        stage.pass(60);
        stage.ok(run, "fetch_batch");
        stage.pass(20);
        stage.ok(run, "fx_rates check_fraud");
        stage.pass(40 + slow);
        stage.ok(run, "validate[1] validate[2]");
        stage.pass(70);
        stage.ok(run, "validate[3] validate[4]");
        stage.pass(96);
        stage.ok(run, "build_refunds");
        stage.pass(260);
        if slow == 0 {
            for name in ["ann", "bob"] {
                stage.approve(name);
            }
            stage.pass(15);
            stage.drain(run, 40);
            stage.pass(10);
            stage.drain(run, 40);
            stage.pass(3_000);
        }
    }
    stage
}

#[test]
fn when_what_ran_is_seen_with_waiting_squeezed() {
    screens::everywhere("time", |width, height| {
        let mut console = Console::new(twice(), width, height);
        drop(console.press("enter 7"));
        console
    });
}

#[test]
fn a_large_run_and_its_retries_are_seen() {
    screens::everywhere("time_etl", |width, height| {
        let mut console = Console::of_afternoon(width, height);
        drop(console.press("j j j j enter 7"));
        console
    });
}

#[test]
fn a_terminal_without_colours_or_signs_shows_the_times_too() {
    let mut console = Console::new(twice(), 80, 24);
    console.model.look.theme = "mono".to_owned();
    console.model.look.glyphs = Glyphs { ascii: true };
    drop(console.press("enter 7"));
    let theme = Theme::built_in("mono").expect("built in");
    let screen = snap(&console.draw(&theme), &theme);
    assert!(screen.is_ascii(), "{screen}");
    screens::check("time_mono_ascii_80x24", &console);
}

#[test]
fn frames_open_and_close_and_the_cursor_stays_on_its_step() {
    let mut console = Console::new(twice(), 100, 30);
    drop(console.press("enter 7 g g j j"));
    sees(&console, "▌✓ validate ×4");
    drop(console.press("space"));
    sees(&console, "▌✓ validate ▾4");
    sees(&console, "validate[3]");
    drop(console.press("j j space"));
    sees(&console, "▌✓ validate ×4");
    drop(console.press("z R"));
    sees(&console, "validate[3]");
    drop(console.press("z M"));
    assert!(!console.text().contains("validate[3]"), "{}", console.text());
}

#[test]
fn rows_are_sorted_and_left_out_by_keys() {
    let mut console = Console::new(twice(), 100, 30);
    drop(console.press("enter 7 c"));
    sees(&console, "critical path only");
    assert!(!console.text().contains("fx_rates"), "{}", console.text());
    drop(console.press("c i"));
    assert!(!console.text().contains("ledger_post"), "{}", console.text());
    drop(console.press("i o o"));
    sees(&console, "sorted by longest");
    let text = console.text();
    let place = |id: &str| text.find(&format!(" {id}")).expect("seen");
    assert!(
        place("approve_refunds") < place("fetch_batch") && place("validate") < place("fetch_batch"),
        "{text}"
    );
}

#[test]
fn the_selection_goes_to_the_graph_and_to_the_logs() {
    let mut console = Console::new(twice(), 100, 30);
    drop(console.press("enter 7 / f x enter"));
    sees(&console, "▌✓ fx_rates");
    drop(console.press("enter"));
    sees(&console, "▐2 DAG▌");
    drop(console.press("7 L"));
    sees(&console, "▐6 Logs▌");
    sees(&console, "fx_rates");
}

#[test]
fn the_chart_is_zoomed_and_scrolled() {
    let mut console = Console::new(twice(), 100, 30);
    drop(console.press("enter 7 l"));
    sees(&console, "all of it is seen; + zooms in");
    drop(console.press("+ + +"));
    sees(&console, "zoom 8x");
    let before = console.text();
    drop(console.press("l l l l l l"));
    assert_ne!(before, console.text());
    drop(console.press("0"));
    assert!(!console.text().contains("zoom 8x"), "{}", console.text());
    drop(console.send(Message::Mouse { what: Mouse::Click, column: 5, row: 4 }));
    drop(console.press("9 0 +"));
    drop(console.draw(&Theme::default()));
}

#[test]
fn without_a_run_it_says_how_to_begin_and_a_run_that_is_gone_is_told() {
    let mut console = Console::new(Stage::at("12:00:00"), 80, 24);
    drop(console.press("7"));
    sees(&console, "nothing ran yet; `cuelight run FILE` starts a workflow");
    drop(console.press("j + c esc"));

    let mut console = Console::new(twice(), 80, 24);
    drop(console.press("enter 7 j"));
    console.stage.board = cuelight_projection::Board::default();
    drop(console.see());
    sees(&console, "is not there; Esc goes back");
    drop(console.press("enter j h + space c D o L"));
    drop(console.draw(&Theme::default()));
}

#[test]
fn a_clock_that_was_set_back_breaks_no_bar() {
    let mut stage = Stage::at("08:00:00");
    let run = stage.launch("ann", SETTLE);
    stage.pass(60);
    stage.ok(run, "fetch_batch");
    stage.now = Timestamp(stage.now.0 - 3_600_000);
    stage.ok(run, "check_fraud");
    stage.now = stage.now + Span::seconds(10);
    stage.ok(run, "fx_rates");
    let mut console = Console::new(stage, 100, 30);
    drop(console.press("enter 7 + + l l z R"));
    sees(&console, "fetch_batch");
}

#[test]
fn names_from_outside_obey_nothing() {
    let mut stage = Stage::at("08:00:00");
    let run = stage.launch("ann\u{202e}", "name: \"w\\u001b[31m\"\nsteps:\n  - {id: a, run: x, matrix: {p: [\"\\u202e\\u001b]0;x\\u0007\", \"日本語日本語日本語日本語日本語日本語\"]}}\n");
    stage.pass(5);
    stage.drain(run, 1);
    for (width, height) in SIZES {
        let mut console = Console::new(stage.clone(), width, height);
        drop(console.press("enter 7 z R"));
        let text = console.text();
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text:?}");
    }
}

/// Under the chart stands how much happened when, and what stood out; what follows is added to it.
#[test]
fn events_and_marks_stand_under_the_chart() {
    let mut console = Console::new(twice(), 160, 48);
    drop(console.press("enter 7"));
    let row = |console: &Console, name: &str| {
        let text = console.text();
        text.lines()
            .find(|line| line.contains(&format!("│ {name}  ")))
            .unwrap_or_else(|| panic!("{text}"))
            .to_owned()
    };
    let marks = row(&console, "marks");
    assert!(row(&console, "events").contains('█') && marks.contains('s'), "{marks}");
    assert!(console.text().contains("s start"), "{}", console.text());
    assert!(!marks.contains('v'), "{marks}");
    let run = console.model.run().expect("a run is looked at");
    console.stage.command(cuelight_engine::Command::Pause { run, by: super::fixture::actor("jon") });
    drop(console.see());
    assert!(row(&console, "marks").contains('v'), "{}", console.text());
    let mut small = Console::new(twice(), 80, 24);
    let wishes = small.press("enter 7");
    assert!(
        !wishes.iter().any(|wish| matches!(wish, cuelight_console::Wish::Read { .. })),
        "nothing is read for nothing"
    );
}
