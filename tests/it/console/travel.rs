//! Time travel: keys in, screen out. What is seen is what was seen then, and nothing can be changed there.

use super::{
    Console,
    fixture::{SETTLE, Stage, afternoon},
    past, screens,
};
use cuelight_base::{Seq, Span, Timestamp};
use cuelight_console::{Glyphs, Message, Mouse, Sheet, Theme, Wish, snap, update};
use cuelight_projection::Board;

#[track_caller]
fn sees(console: &Console, wanted: &str) {
    assert!(console.text().contains(wanted), "{wanted:?} is not on the screen:\n{}", console.text());
}

/// The settlement of the afternoon, in its graph.
fn settlement(width: u16, height: u16) -> Console {
    let mut console = Console::of_afternoon(width, height);
    drop(console.press("/ s e t t l e enter enter"));
    console
}

#[test]
fn the_past_is_seen_under_a_band_over_a_scrubber() {
    screens::everywhere("travel_dag", |width, height| {
        let mut console = settlement(width, height);
        drop(console.press("T H H"));
        console
    });
}

#[test]
fn the_whole_log_is_seen_as_it_was() {
    screens::everywhere("travel_runs", |width, height| {
        let mut console = Console::of_afternoon(width, height);
        drop(console.press("T { { {"));
        console
    });
}

#[test]
fn three_signs_of_the_past_need_no_colour() {
    let mut console = settlement(80, 24);
    console.model.look.theme = "mono".to_owned();
    drop(console.press("T H"));
    let text = console.text();
    assert!(text.contains("▒▒ HISTORY  r-"), "the band:\n{text}");
    assert!(text.contains(" TRAVEL │ HISTORY "), "the words of the status line:\n{text}");
    assert!(text.contains("┌┄"), "the broken border:\n{text}");
    console.model.look.glyphs = Glyphs { ascii: true };
    let theme = Theme::built_in("mono").expect("built in");
    let screen = snap(&console.draw(&theme), &theme);
    assert!(screen.is_ascii(), "{screen}");
    assert!(
        screen.contains(":: HISTORY  r-") && screen.contains(".. ") && screen.contains(" TRAVEL | HISTORY ")
    );
    screens::check("travel_mono_ascii_80x24", &console);
}

/// After any number of events the board is the one that was folded then.
#[test]
fn every_view_reads_the_board_of_that_instant() {
    let mut console = Console::of_afternoon(100, 30);
    drop(console.press("T"));
    let log = console.stage.log.clone();
    let keys = ["0", "l", "7 0 l", "2 0 H", "}", "}", "{", "l l l", "$", "h", "4 0 h", "] ]", "[", "0"];
    for key in keys {
        drop(console.press(key));
        let seq = console.model.board.seq;
        let mut then = Board::default();
        log.iter().filter(|pair| pair.0 <= seq).for_each(|(seq, event)| then.apply(*seq, event));
        assert_eq!(*console.model.board, then, "{key}: event {seq}");
        let at = log.iter().find(|pair| pair.0 == seq).map(|pair| pair.1.at);
        assert_eq!(Some(console.model.now), at, "{key}");
    }
    assert_eq!(console.model.board.seq, Seq(1));
}

#[test]
fn nothing_can_be_changed_in_the_past() {
    for view in ["1", "2", "3", "7", "8"] {
        let mut console = settlement(100, 30);
        drop(console.press(view));
        drop(console.press("T h"));
        for key in ["P", "X", "R", "C", "S", "a", "r", "e", "c", "u", "H", "D esc", "A", "B"] {
            let wishes = console.press(key);
            let asks = |wish: &Wish| {
                matches!(wish, Wish::Submit { .. } | Wish::Launch { .. } | Wish::Preview { .. })
            };
            assert!(!wishes.iter().any(asks), "{view} {key}: {wishes:?}");
        }
    }
    let mut console = settlement(100, 30);
    drop(console.press("T h X"));
    sees(&console, "history: read-only, T to go live");
    drop(console.press(": r u n enter a . y a m l enter"));
    let asked = console.press("x");
    assert!(
        !asked.iter().any(|wish| matches!(wish, Wish::Preview { .. } | Wish::Launch { .. })),
        "{asked:?}"
    );
    sees(&console, "read-only, T to go live");
}

#[test]
fn leaving_shows_what_is_now_at_the_same_place() {
    for keys in ["", "enter f", "enter f l l", "3", "7 j j", "enter 7"] {
        let mut console = Console::of_afternoon(160, 48);
        drop(console.press(keys));
        let before = console.model.board.seq;
        let screen = |console: &Console| {
            let rows = console.text();
            rows.lines().take(40).skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        let (was, selected) = (screen(&console), (console.model.run(), console.model.step()));
        drop(console.press("T 0 l l T"));
        console.at = console.at + Span::seconds(60);
        drop(console.send(Message::Tick(console.at)));
        assert_eq!(console.model.board.seq, before);
        assert_eq!((console.model.run(), console.model.step()), selected, "{keys}");
        let same = screen(&console).iter().zip(&was).filter(|(left, right)| left == right).count();
        assert!(same > 20, "{keys}:\n{}", console.text());
        assert!(!console.text().contains("HISTORY"), "{}", console.text());
    }
}

#[test]
fn a_gate_that_opens_meanwhile_is_counted() {
    let mut console = settlement(160, 48);
    drop(console.press("T 0"));
    let gates = console.stage.board.open_gates().count();
    sees(&console, &format!("◆{gates} "));
    let gate = "name: ops/clean\nsteps:\n  - id: ok\n    gate: {prompt: Empty it?, risk: reversible}\n";
    console.stage.launch("ann", gate);
    let wishes = console.see();
    assert!(wishes.contains(&Wish::Bell), "{wishes:?}");
    sees(&console, &format!("◆{} ", gates + 1));
    sees(&console, "HISTORY");
}

#[test]
fn jumps_stop_at_gates_and_errors_and_say_when_there_is_no_more() {
    let mut console = Console::of_afternoon(160, 48);
    drop(console.press("T 0 }"));
    sees(&console, "the bank did not answer within 60 s");
    let first = console.model.board.seq;
    drop(console.press("} {"));
    assert_eq!(console.model.board.seq, first);
    drop(console.press("0 {"));
    sees(&console, "there is no gate or error before this");
    drop(console.press("/ g a t e . a s k e d enter"));
    sees(&console, "gate.asked");
    drop(console.press("n n n n n n"));
    sees(&console, "there is no event with \"gate.asked\" after this");
}

#[test]
fn it_plays_as_fast_as_is_said_and_waits_never_long() {
    let mut console = settlement(100, 30);
    drop(console.press("T 0 ."));
    sees(&console, "1x");
    let first = console.model.board.seq;
    let due = console.model.deadline().expect("it plays");
    for second in 1..4 {
        console.at = due + Span::seconds(second);
        drop(console.send(Message::Tick(console.at)));
    }
    assert!(console.model.board.seq > first);
    drop(console.press("9"));
    sees(&console, "plays 5000 times as fast");
    for _ in 0..400 {
        console.at = console.at + Span::seconds(1);
        drop(console.send(Message::Tick(console.at)));
    }
    let last = console.model.board.seq;
    assert_eq!(
        Some(last),
        console
            .stage
            .log
            .iter()
            .rev()
            .find(|pair| pair.1.fact.run() == console.model.run())
            .map(|pair| pair.0)
    );
    drop(console.press(","));
    console.at = console.at + Span::seconds(5);
    drop(console.send(Message::Tick(console.at)));
    assert!(console.model.board.seq < last);
    drop(console.press("0 . esc"));
    sees(&console, "HISTORY");
    drop(console.press("esc"));
    assert!(!console.text().contains("HISTORY"));
}

#[test]
fn two_instants_and_two_runs_are_compared() {
    let mut console = settlement(160, 48);
    drop(console.press("T 0 } D enter"));
    screens::everywhere("travel_compare", |width, height| {
        let mut console = settlement(width, height);
        drop(console.press("T 0 } D enter"));
        console
    });
    let mut console = settlement(80, 24);
    drop(console.press("T 0 H H D r - 6 enter"));
    screens::everywhere("travel_compare_runs", |width, height| {
        let mut console = settlement(width, height);
        drop(console.press("T 0 H H D r - 6 enter"));
        console
    });
    drop(console.press("esc D 1 1 : 5 9 : 0 0 enter"));
    sees(&console, "differ");
    drop(console.press("esc D n o enter"));
    sees(&console, "could not read \"no\"");
    drop(console.press("D r - 9 9 enter"));
    sees(&console, "could not compare: r-99 now has no events");
}

#[test]
fn travel_begins_at_what_is_selected() {
    let mut console = settlement(160, 48);
    drop(console.press("7 / b u i l d enter T"));
    let started = console.stage.board.run(console.model.run().expect("a run")).expect("whole");
    let step = started.find("build_refunds").and_then(|step| started.step(step)).expect("a step");
    assert_eq!(Some(console.model.now), step.started_at);
    let mut console = settlement(160, 48);
    drop(console.press("8 j j j"));
    let run = console.model.run();
    drop(console.press("T"));
    sees(&console, "HISTORY");
    assert_eq!(console.model.run(), run);
}

#[test]
fn a_log_of_many_pages_is_read_without_holding_up_a_key() {
    let mut stage = Stage::at("08:00:00");
    for _ in 0..90 {
        let run = stage.launch("cron", SETTLE);
        stage.pass(1);
        stage.ok(run, "fetch_batch");
        stage.pass(1);
        stage.drain(run, 60);
        stage.approve("ann");
        stage.approve("bob");
        stage.pass(20);
        for _ in 0..4 {
            stage.drain(run, 60);
            stage.pass(1);
        }
    }
    assert!(stage.log.len() > 3_000, "{}", stage.log.len());
    let mut console = Console::new(stage, 100, 30);
    // Nothing has been answered yet, and keys are heard all the same.
    let mut wishes = update(&mut console.model, key("T", console.at));
    for _ in 0..3 {
        let more = update(&mut console.model, key("h", console.at));
        assert!(more.iter().all(|wish| !matches!(wish, Wish::Read { .. })), "one question at a time");
    }
    sees(&console, "reading what happened");
    let mut pages = 0;
    while let Some(Wish::Read { request, want }) =
        wishes.iter().find(|wish| matches!(wish, Wish::Read { .. })).cloned()
    {
        pages += 1;
        let sheet = past::read(&console.stage.log, &want).expect("of the log");
        wishes = update(&mut console.model, Message::Sheet { request, sheet });
    }
    assert!(pages > 3, "{pages}");
    for keys in ["0", "1 5 0 0 l", "3 0 0 h", "$", "0 }"] {
        drop(console.press(keys));
        let seq = console.model.board.seq;
        let mut then = Board::default();
        console
            .stage
            .log
            .iter()
            .filter(|pair| pair.0 <= seq)
            .for_each(|(seq, event)| then.apply(*seq, event));
        assert_eq!(
            console.model.board.summaries().collect::<Vec<_>>(),
            then.summaries().collect::<Vec<_>>(),
            "{keys}"
        );
    }
}

fn key(key: &str, at: Timestamp) -> Message {
    let press = cuelight_console::parse_keys(key).expect("a key")[0];
    Message::Key { press, repeat: false, at }
}

#[test]
fn what_is_gone_is_told_and_the_screen_is_live_again() {
    let mut console = Console::new(Stage::at("12:00:00"), 80, 24);
    drop(console.press("T"));
    sees(&console, "there is no past yet");

    let mut console = settlement(80, 24);
    console.stage.log.clear();
    drop(console.press("T"));
    sees(&console, "could not show the past: nothing is left of it in the log");

    let mut console = settlement(80, 24);
    let wishes = update(&mut console.model, key("T", console.at));
    let Some(Wish::Read { request, .. }) = wishes.first() else { panic!("{wishes:?}") };
    let sheet = Sheet::Missing("could not read the log: the disk is gone".to_owned());
    drop(update(&mut console.model, Message::Sheet { request: *request, sheet }));
    sees(&console, "could not show the past: could not read the log");
    drop(console.press("j k"));
}

#[test]
fn a_clock_that_was_set_back_keeps_the_order_of_events() {
    let mut stage = Stage::at("08:00:00");
    let run = stage.launch("ann", SETTLE);
    stage.pass(60);
    stage.ok(run, "fetch_batch");
    stage.now = Timestamp(stage.now.0 - 7_200_000);
    stage.ok(run, "check_fraud fx_rates");
    let mut console = Console::new(stage, 100, 30);
    drop(console.press("enter T 0"));
    let mut last = console.model.board.seq;
    for _ in 0..12 {
        drop(console.press("]"));
        assert!(console.model.board.seq >= last);
        last = console.model.board.seq;
    }
    drop(console.press("[ [ . "));
    for _ in 0..30 {
        console.at = console.at + Span::seconds(1);
        drop(console.send(Message::Tick(console.at)));
    }
    drop(console.draw(&Theme::default()));
}

#[test]
fn the_scrubber_is_clicked_and_no_size_breaks_it() {
    let mut console = settlement(160, 48);
    drop(console.press("T"));
    let row = 48 - 2 - 7 + 3;
    drop(console.send(Message::Mouse { what: Mouse::Click, column: 9, row }));
    let first = console.model.board.seq;
    drop(console.send(Message::Mouse { what: Mouse::Click, column: 150, row }));
    assert!(console.model.board.seq > first);
    drop(console.send(Message::Mouse { what: Mouse::Click, column: 20, row: 10 }));
    for (width, height) in [
        (0, 0),
        (1, 1),
        (59, 15),
        (60, 16),
        (60, 17),
        (61, 18),
        (80, 19),
        (80, 20),
        (99, 23),
        (140, 30),
        (300, 100),
    ] {
        drop(console.send(Message::Resize { width, height }));
        drop(console.draw(&Theme::default()));
        drop(console.press("H j"));
    }
    drop(console.send(Message::Resize { width: 80, height: 24 }));
    drop(console.press("T"));
    assert_eq!(console.model.size, (80, 24));
}

#[test]
fn a_frozen_screen_thaws_into_the_past() {
    let mut console = Console::new(afternoon(), 80, 24);
    drop(console.press("F T"));
    sees(&console, "HISTORY");
    drop(console.press("T"));
    assert!(!console.text().contains("FROZEN"), "{}", console.text());
}
