//! Audit: keys in, screen out. The log is read by the page, around the cursor.

use super::{
    Console,
    fixture::{SETTLE, Stage},
    past, screens,
};
use cuelight_base::{Digest, Seq, Timestamp};
use cuelight_console::{Glyphs, Lookup, Message, Mouse, Sheet, Theme, Wish, snap, update};

const SIZES: [(u16, u16); 4] = [(80, 24), (100, 30), (160, 48), (200, 60)];

#[track_caller]
fn sees(console: &Console, wanted: &str) {
    assert!(console.text().contains(wanted), "{wanted:?} is not on the screen:\n{}", console.text());
}

/// Somebody edits, comments and decides.
fn decided() -> Stage {
    let mut stage = super::fixture::afternoon();
    stage.approve("ann");
    stage.pass(30);
    stage
}

#[test]
fn the_trail_says_who_decided_what() {
    screens::everywhere("audit", |width, height| {
        let mut console = Console::new(decided(), width, height);
        drop(console.press("8 V j j"));
        console
    });
}

#[test]
fn every_event_can_be_seen_and_as_json() {
    screens::everywhere("audit_all_json", |width, height| {
        let mut console = Console::new(decided(), width, height);
        drop(console.press("8 a J j"));
        console
    });
}

#[test]
fn a_terminal_without_colours_or_signs_shows_the_trail_too() {
    let mut console = Console::new(decided(), 80, 24);
    console.model.look.theme = "mono".to_owned();
    console.model.look.glyphs = Glyphs { ascii: true };
    drop(console.press("8"));
    let theme = Theme::built_in("mono").expect("built in");
    let screen = snap(&console.draw(&theme), &theme);
    assert!(screen.is_ascii(), "{screen}");
    screens::check("audit_mono_ascii_80x24", &console);
}

#[test]
fn words_leave_only_what_fits() {
    let check = |keys: &str, wanted: &str, not: &str| {
        let mut console = Console::new(decided(), 160, 48);
        drop(console.press("8"));
        drop(console.press(keys));
        let text = console.text();
        let rows: Vec<&str> = text
            .lines()
            .skip(2)
            .take(20)
            .filter(|line| line.starts_with("│▌✓") || line.starts_with("│ ✓"))
            .collect();
        assert!(!rows.is_empty() && rows.iter().all(|row| row.contains(wanted)), "{keys}:\n{text}");
        assert!(not.is_empty() || !rows.iter().any(|row| row.contains(not)), "{keys}:\n{text}");
    };
    check("& b y : a n n enter", "ann", "mira");
    check("& t y p e : g a t e . v o t e d enter", "gate.voted", "gate.asked");
    check("& v e r d i c t : a p p r o v e enter", "approve", "");
    check("& r u n : r - 2 enter", "r-2", "r-3");
    check("& ! t y p e : g a t e . * enter", "", "gate.");
    let mut console = Console::new(decided(), 160, 48);
    drop(console.press("8 & b y : n o b o d y enter"));
    sees(&console, "no record fits `by:nobody`; Esc shows all again");
    drop(console.press("esc"));
    sees(&console, "gate.voted");
    drop(console.press("r"));
    sees(&console, "‹decisions run:r-");
    drop(console.press("r j U"));
    sees(&console, "‹decisions by:ann›");
}

#[test]
fn a_record_leads_to_its_gate_and_to_its_step() {
    let mut console = Console::new(decided(), 160, 48);
    drop(console.press("8 & t y p e : g a t e . a s k e d enter j o"));
    sees(&console, "▐ 3 Gates");
    let mut console = Console::new(decided(), 160, 48);
    drop(console.press("8 a / s t e p . c o m p l e t e d enter o"));
    sees(&console, "▐ 2 DAG ▌");
    assert!(console.model.step().is_some());
}

#[test]
fn the_chain_is_verified_by_a_key_and_damage_is_said_loudly() {
    let mut console = Console::new(decided(), 100, 30);
    drop(console.press("8"));
    sees(&console, "chain: V verifies");
    drop(console.press("V"));
    sees(&console, "chain ✓ verified");
    let wishes = update(&mut console.model, key("V", console.at));
    let Some(Wish::Read { request, want: Lookup::Chain }) = wishes.first() else { panic!("{wishes:?}") };
    sees(&console, "chain: verifying");
    let sheet = Sheet::Chain {
        records: 6,
        head: (Seq(6), Digest::default()),
        broken: Some("7: its payload was changed".to_owned()),
    };
    drop(update(&mut console.model, Message::Sheet { request: *request, sheet }));
    sees(&console, "chain ✗ BROKEN at 7: its payload was");
}

#[test]
fn a_record_that_does_not_hold_is_marked() {
    let mut console = Console::new(decided(), 100, 30);
    let wishes = update(&mut console.model, key("8", console.at));
    let mut left: Vec<Wish> = wishes;
    while let Some(Wish::Read { request, want }) = left.pop() {
        let Some(Sheet::Records(mut records)) = past::read(&console.stage.log, &want) else { continue };
        records.iter_mut().for_each(|record| record.holds = record.seq.0 % 2 == 0);
        left.extend(update(&mut console.model, Message::Sheet { request, sheet: Sheet::Records(records) }));
    }
    sees(&console, "✗ ");
}

fn key(key: &str, at: Timestamp) -> Message {
    let press = cuelight_console::parse_keys(key).expect("a key")[0];
    Message::Key { press, repeat: false, at }
}

/// Thousands of records: never all of them are asked for, and both ends are near.
#[test]
fn only_what_is_seen_is_read() {
    let mut stage = Stage::at("08:00:00");
    for _ in 0..60 {
        let run = stage.launch("ann", SETTLE);
        stage.pass(1);
        stage.ok(run, "fetch_batch");
        stage.pass(1);
        stage.drain(run, 60);
    }
    let len = stage.log.len();
    assert!(len > 1_200, "{len}");
    let mut console = Console::new(stage, 100, 30);
    let read = |wishes: &[Wish]| -> u64 {
        let limits = wishes.iter().map(|wish| match wish {
            Wish::Read { want: Lookup::Records { limit, .. }, .. } => u64::from(*limit),
            _ => 0,
        });
        limits.sum()
    };
    let mut wishes = console.press("8 a");
    assert!(read(&wishes) < 1_100, "{}", read(&wishes));
    wishes = console.press("G");
    assert!(read(&wishes) <= 1_024, "{}", read(&wishes));
    sees(&console, "run.created");
    assert_eq!(usize::try_from(console.model.board.seq.0), Ok(len));
    drop(console.press("g g"));
    sees(&console, &format!("{len}"));
    // Scrolling all the way reads all the way, page by page.
    for _ in 0..80 {
        drop(console.press("ctrl-f"));
    }
    sees(&console, "▌✓      1 ");
    for _ in 0..80 {
        drop(console.press("ctrl-b"));
    }
    sees(&console, &format!("▌✓   {len} "));
    drop(console.press("/ n o s u c h w o r d enter"));
    sees(&console, "could not find \"nosuchword\" below here");
}

#[test]
fn what_is_recorded_meanwhile_stands_above_and_moves_nothing() {
    let mut console = Console::new(decided(), 100, 30);
    drop(console.press("8 a j j j"));
    let row =
        |console: &Console| console.text().lines().position(|line| line.contains('▌') && line.contains('✓'));
    let before = row(&console);
    console.stage.launch("ann", SETTLE);
    drop(console.see());
    drop(console.press("k j"));
    assert_eq!(row(&console), before, "{}", console.text());
    drop(console.press("g g"));
    let head = console.stage.log.len();
    sees(&console, &format!("▌✓    {head} "));
}

#[test]
fn in_the_past_the_trail_ends_where_the_past_does() {
    let mut console = Console::new(decided(), 160, 48);
    drop(console.press("8 a T h h h h h"));
    let seq = console.model.board.seq.0;
    sees(&console, &format!("#{seq} "));
    assert!(!console.text().contains(&format!(" {}  12:", seq + 1)), "{}", console.text());
}

#[test]
fn an_empty_log_says_how_to_begin_and_hostile_words_obey_nothing() {
    let mut console = Console::new(Stage::at("12:00:00"), 80, 24);
    drop(console.press("8"));
    sees(&console, "nothing was decided yet; `cuelight run FILE` starts a workflow");
    drop(console.press("j G g g V o y enter / x enter n N r U a J esc"));

    let mut stage = Stage::at("12:00:00");
    let run =
        stage.launch("ann\u{202e}\u{1b}[31m", "name: \"w\\u001b]0;x\\u0007\"\nsteps: [{id: a, run: x}]\n");
    stage.command(cuelight_engine::Command::Cancel {
        run,
        by: super::fixture::actor("\u{200b}日本語\r\n"),
        reason: "\u{1b}[2J\u{202e}gone\u{7}".repeat(100),
        undo: false,
    });
    for (width, height) in SIZES {
        let mut console = Console::new(stage.clone(), width, height);
        drop(console.press("8 a J enter"));
        let text = console.text();
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}', '\r']), "{text:?}");
        drop(console.press("esc J j j j"));
        let text = console.text();
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}', '\r']), "{text:?}");
        let wishes = console.press("y y");
        assert!(wishes.iter().any(|wish| matches!(wish, Wish::Copy(text) if !text.contains('\u{1b}'))));
    }
}

#[test]
fn a_click_selects_a_record_and_no_size_breaks_it() {
    let mut console = Console::new(decided(), 100, 30);
    drop(console.press("8"));
    drop(console.send(Message::Mouse { what: Mouse::Click, column: 5, row: 6 }));
    for (width, height) in [(1, 1), (60, 16), (61, 20), (99, 23), (139, 24), (140, 40), (300, 100)] {
        drop(console.send(Message::Resize { width, height }));
        drop(console.draw(&Theme::default()));
        drop(console.press("j J"));
    }
}
