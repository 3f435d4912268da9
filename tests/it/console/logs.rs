//! Output of steps: keys and bytes in, screen out. Output is read in pages and heard as it comes. The screen
//! shows all of it and obeys nothing.

use super::{
    Console,
    fixture::actor,
    outputs::{Outputs, call},
    screens,
};
use cuelight_base::{AttemptId, RunId, Span, StepIx};
use cuelight_console::{Glyphs, Lookup, Message, Role, Theme, Wish, snap};
use cuelight_engine::Command;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

const ETL: u32 = 3;
const SCORE: u32 = 6;
const STEP: &str = "train";

/// The log of a step that runs and has written this.
fn of_step(text: &[u8], width: u16, height: u16) -> Console {
    let mut console = Console::of_afternoon(width, height);
    let attempt = call(&console.stage, SCORE, STEP, 1);
    console.outputs = Outputs::default();
    console.outputs.set(attempt, text);
    drop(console.press("j j j enter L"));
    assert!(console.text().contains(STEP), "{}", console.text());
    console
}

fn attempt(console: &Console) -> AttemptId {
    call(&console.stage, SCORE, STEP, 1)
}

/// The step writes more, and the screen hears of it.
fn writes(console: &mut Console, text: &str) {
    let attempt = attempt(console);
    let from = console.outputs.len(attempt);
    console.outputs.add(attempt, text.as_bytes());
    console.send(Message::Output { attempt, from, bytes: text.as_bytes().into(), came: Some(console.at) });
}

fn numbered(lines: usize) -> String {
    (1..=lines).map(|index| format!("line {index}\n")).collect()
}

fn shows(console: &Console, wanted: &str) -> bool {
    console.text().contains(wanted)
}

#[track_caller]
fn sees(console: &Console, wanted: &str) {
    assert!(shows(console, wanted), "{wanted:?} is not on the screen:\n{}", console.text());
}

#[test]
fn the_output_of_a_whole_run_stands_in_the_order_of_its_calls() {
    screens::everywhere("logs_run", |width, height| {
        let mut console = Console::of_afternoon(width, height);
        drop(console.press("j j j j L"));
        console
    });
}

#[test]
fn the_output_of_one_step_is_searched_and_marked() {
    screens::everywhere("logs_step", |width, height| {
        let mut console = of_step(b"", width, height);
        let text = format!(
            "{}error: UNIQUE order_id=77120\n  at copy_rows\n",
            numbered(40).replace("line 7", "no error")
        );
        writes(&mut console, &text);
        drop(console.press("/ e r r o r enter"));
        console
    });
}

#[test]
fn a_terminal_without_colours_or_signs_shows_the_same() {
    let mut console = of_step("日本 naïve\x1b[31mred\x07\r\nnext\n".as_bytes(), 80, 24);
    console.model.look.theme = "mono".to_owned();
    console.model.look.glyphs = Glyphs { ascii: true };
    drop(console.press("w"));
    let theme = Theme::built_in("mono").expect("built in");
    let screen = snap(&console.draw(&theme), &theme);
    assert!(screen.is_ascii(), "{screen}");
    screens::check("logs_mono_ascii_80x24", &console);
}

#[test]
fn nothing_to_show_is_said_in_words() {
    let check = |keys: &str, words: &str| {
        let mut console = Console::of_afternoon(100, 30);
        console.outputs = Outputs::default();
        drop(console.press(keys));
        sees(&console, words);
    };
    check("6", "run.created");
    check("j j j L J J", "nothing has been told yet");
    check("j j j j enter / p u b l i s h enter L", "this step has not started: publish needs check_totals");
    check("j j j j enter / p l a n _ d enter L", "it wrote nothing");
    check("j j j j enter / n [ 2 3 enter L", "load_partition[19] failed");
    check("j j j enter L", "nothing written yet");
    let mut console = of_step(b"one\ntwo\n", 100, 30);
    drop(console.press("& n o n e enter"));
    sees(&console, "no line fits `none`; Esc shows all again");
    drop(console.press("esc"));
    sees(&console, "two");
}

#[test]
fn follow_stops_when_scrolling_up_and_goes_on_with_f() {
    let mut console = of_step(numbered(60).as_bytes(), 80, 24);
    sees(&console, "line 60");
    sees(&console, "FOLLOW");
    drop(console.press("k k"));
    writes(&mut console, "new 1\nnew 2\n");
    sees(&console, "2 new lines below, press f");
    assert!(!shows(&console, "new 1\n") && !shows(&console, "FOLLOW"), "{}", console.text());
    drop(console.press("f"));
    sees(&console, "new 2");
    writes(&mut console, "new 3\n");
    sees(&console, "new 3");
}

/// Far more lines than are read at first; two of them are special.
fn long() -> String {
    let line = |index: usize| match index {
        7 => "\u{1b}[31mneedle\u{1b}[0m one".to_owned(),
        30_000 => "needle two".to_owned(),
        _ => format!("line {index}"),
    };
    (1..=60_000).map(|index| line(index) + "\n").collect()
}

/// Lets everything be read that the console asks for.
fn settle(console: &mut Console) {
    for _ in 0..400 {
        drop(console.see());
    }
}

#[test]
fn a_search_goes_over_the_whole_output_and_counts_its_matches() {
    let mut console = of_step(long().as_bytes(), 100, 30);
    drop(console.press("/ n e e d l e enter"));
    settle(&mut console);
    sees(&console, "needle two");
    sees(&console, "/needle/ 2 of 2");
    drop(console.press("N"));
    settle(&mut console);
    sees(&console, "needle one");
    sees(&console, "/needle/ 1 of 2");
    sees(&console, "line 8");
    drop(console.press("n"));
    settle(&mut console);
    sees(&console, "needle two");
    drop(console.press("/ n o p e enter"));
    settle(&mut console);
    sees(&console, "could not find \"nope\" in the whole output");
}

#[test]
fn a_filter_goes_over_the_whole_output_and_its_end_leaves_the_line_under_the_cursor() {
    let mut console = of_step(long().as_bytes(), 100, 30);
    drop(console.press("& n e e d l e enter"));
    settle(&mut console);
    sees(&console, "needle one");
    sees(&console, "needle two");
    sees(&console, "2 of 60000 lines");
    writes(&mut console, "no\nneedle three\n");
    settle(&mut console);
    sees(&console, "needle three");
    drop(console.press("g g esc"));
    settle(&mut console);
    sees(&console, "needle one");
    sees(&console, "line 8");
    assert!(!shows(&console, "needle two"), "{}", console.text());
}

#[test]
fn colours_of_programs_are_shown_and_nothing_else_of_their_codes() {
    let mut console = of_step(b"\x1b[32mgreen\x1b[0m plain\x1b[2J\n\x1b[8mhidden\x1b[0m\n", 100, 30);
    writes(&mut console, "half \u{1b}[3");
    sees(&console, "half");
    assert!(!shows(&console, "half ␛"), "{}", console.text());
    // The last line has the cursor, and its row one colour.
    writes(&mut console, "1mred\nlast\n");
    sees(&console, "half red");
    sees(&console, "plain␛[2J");
    sees(&console, "hidden");
    let theme = Theme::default();
    let buffer = console.draw(&theme);
    let ground = theme.role(Role::Bg).bg;
    let lit = |word: &str, role: Role| {
        let width = usize::from(buffer.area.width);
        buffer.content.chunks(width).any(|row| {
            let text: Vec<&str> = row.iter().map(ratatui::buffer::Cell::symbol).collect();
            (0..width.saturating_sub(word.len())).any(|at| {
                text[at..at + word.len()].concat() == word
                    && Some(row[at].fg) == theme.role(role).fg
                    && Some(row[at].bg) == ground.or(Some(row[at].bg))
            })
        })
    };
    assert!(lit("green", Role::Ok) && lit("red", Role::Fail), "{}", console.text());
    let flood = "\u{1b}[1;31m\u{1b}[42m".repeat(20_000);
    writes(&mut console, &format!("{flood}after\n"));
    sees(&console, "after");
}

#[test]
fn a_frozen_screen_stands_still_and_catches_up() {
    let mut console = of_step(numbered(3).as_bytes(), 80, 24);
    drop(console.press("F"));
    writes(&mut console, "later\n");
    assert!(!shows(&console, "later"), "{}", console.text());
    drop(console.press("F"));
    sees(&console, "later");
}

#[test]
fn what_was_not_heard_is_read() {
    let mut console = of_step(numbered(3).as_bytes(), 80, 24);
    let attempt = attempt(&console);
    console.outputs.add(attempt, b"missed\nheard\n");
    let from = console.outputs.len(attempt) - 6;
    console.send(Message::Output { attempt, from, bytes: b"heard\n"[..].into(), came: None });
    sees(&console, "missed");
    console.outputs.add(attempt, b"not told\n");
    console.at = console.at + Span(3_000);
    console.send(Message::Tick(console.at));
    sees(&console, "not told");
}

#[test]
fn keys_move_by_lines_pages_and_counts() {
    let check = |keys: &str, place: &str| {
        let mut console = of_step(numbered(200).as_bytes(), 80, 24);
        drop(console.press(keys));
        sees(&console, place);
    };
    check("g g", "line 1 of 200");
    check("g g 9 j", "line 10 of 200");
    check("9 9 G", "line 99 of 200");
    check("g g ctrl-d", "line 10 of 200");
    check("ctrl-u", "line 191 of 200");
    check("g g G", "line 200 of 200");
}

#[test]
fn only_what_matches_is_shown_and_can_be_walked() {
    let mut console = of_step(numbered(300).as_bytes(), 80, 24);
    drop(console.press("& 9 9 enter"));
    sees(&console, "3 of 300 lines");
    drop(console.press("g g j"));
    sees(&console, "line 199 of 300");
    drop(console.press("esc & ! l i n e enter"));
    sees(&console, "no line fits `!line`");
}

#[test]
fn lines_that_went_wrong_have_their_colour_and_one_key_leaves_only_them() {
    let text = b"begin\nwarning: it is slow\nERROR orders: it broke\n12 passed; 0 failed\nDEBUG retried\n";
    let mut console = of_step(text, 80, 24);
    screens::everywhere("logs_levels", |width, height| of_step(text, width, height));
    drop(console.press("v"));
    sees(&console, "&level:warn  2 of 5 lines");
    assert!(shows(&console, "it is slow") && shows(&console, "it broke") && !shows(&console, "passed"));
    drop(console.press("v"));
    sees(&console, "&level:error  1 of 5 lines");
    assert!(!shows(&console, "it is slow") && shows(&console, "it broke"));
    writes(&mut console, "fine\nfatal: no more\n");
    sees(&console, "&level:error  2 of 7 lines");
    drop(console.press("v"));
    sees(&console, "7 lines");
    // It can be typed, with a text behind it, and a text alone is kept.
    drop(console.press("& l e v e l : w a r n space ! s l o w enter"));
    sees(&console, "&level:warn !slow  2 of 7 lines");
    drop(console.press("v v"));
    sees(&console, "&!slow  6 of 7 lines");
    drop(console.press("esc"));
    sees(&console, "7 lines");
}

#[test]
fn search_counts_what_it_finds_and_goes_around() {
    let mut console = of_step(numbered(120).as_bytes(), 80, 24);
    drop(console.press("/ E 1 1 enter"));
    sees(&console, "/E11/ not found");
    drop(console.press("esc / e space 1 1 enter"));
    sees(&console, "/e 11/ 11 of 11");
    drop(console.press("n"));
    sees(&console, "/e 11/ 1 of 11");
    drop(console.press("N N"));
    sees(&console, "/e 11/ 10 of 11");
}

#[test]
fn long_lines_are_cut_or_wrapped_and_moved_sideways() {
    let mut console = of_step(format!("begin{}end\n", "-".repeat(150)).as_bytes(), 80, 24);
    assert!(!shows(&console, "end\n"), "{}", console.text());
    drop(console.press("w"));
    sees(&console, "-end");
    drop(console.press("w 9 l l l l"));
    sees(&console, "-end");
    sees(&console, "from column 89");
    drop(console.press("9 h 9 h"));
    sees(&console, "begin-");
}

#[test]
fn a_line_higher_than_the_screen_is_moved_through() {
    let mut console = of_step(format!("first\nA{}Z\nlast\n", "-".repeat(3_000)).as_bytes(), 80, 24);
    drop(console.press("w g g j"));
    sees(&console, "A--");
    assert!(!shows(&console, "-Z"), "{}", console.text());
    for _ in 0..40 {
        drop(console.press("j"));
    }
    sees(&console, "-Z");
    sees(&console, "last");
}

#[test]
fn steps_and_calls_are_switched_by_keys() {
    let mut console = Console::of_afternoon(160, 48);
    drop(console.press("j j j j L J J J J J"));
    sees(&console, "src_shop  exit 0");
    drop(console.press("K K K K K"));
    sees(&console, "etl/orders-daily  all");
    let mut console = Console::of_afternoon(100, 30);
    let sync = RunId(8);
    let page = call(&console.stage, 8, "sync_page_7", 1);
    console.outputs.set(page, b"first call\n");
    console.stage.pass(120);
    console.outputs.set(AttemptId { number: 2, ..page }, b"second call\n");
    console.see();
    console.model.look_at(sync);
    drop(console.press("2 / s y n c _ p enter L"));
    sees(&console, "second call");
    drop(console.press("["));
    sees(&console, "first call");
    drop(console.press("] ]"));
    sees(&console, "second call");
    sees(&console, "this is its last call");
}

#[test]
fn enter_opens_the_graph_at_the_step_of_the_line() {
    let mut console = Console::of_afternoon(80, 24);
    drop(console.press("j j j j L g g enter"));
    let step = console.stage.board.run(RunId(ETL)).and_then(|run| run.find("plan_day"));
    assert_eq!((console.model.run(), console.model.step()), (Some(RunId(ETL)), step));
}

#[test]
fn a_copy_is_what_is_shown_without_frames() {
    let mut console = of_step(b"one\n\x1b]52;c;aGk=\x07\n", 80, 24);
    let copied = |console: &mut Console, keys: &str| {
        let wishes = console.press(keys);
        wishes
            .into_iter()
            .find_map(|wish| if let Wish::Copy(text) = wish { Some(text) } else { None })
            .expect("a copy")
    };
    assert_eq!(copied(&mut console, "y y"), "␛]52;c;aGk=␇");
    assert_eq!(copied(&mut console, "Y"), "one\n␛]52;c;aGk=␇");
}

#[test]
fn a_middle_that_was_not_kept_is_said_from_both_sides() {
    let mut text = numbered(10);
    let from = text.len();
    text.push_str(&"lost\n".repeat(2_470_000));
    let to = text.len();
    text.push_str(&numbered(5));
    let mut console = of_step(b"", 80, 24);
    let attempt = attempt(&console);
    console.outputs.set(attempt, text.as_bytes());
    console.outputs.lose(attempt, from, to);
    drop(console.press("J K"));
    sees(&console, "line 5");
    drop(console.press("k"));
    sees(&console, "the middle before this was not kept");
    drop(console.press("g g"));
    sees(&console, "… 12.3 MB were not kept …");
    sees(&console, "line 10");
}

#[test]
fn a_log_of_100_000_lines_is_held_in_part_and_reached_whole() {
    let mut console = of_step(numbered(100_000).as_bytes(), 80, 24);
    sees(&console, "line 100000");
    drop(console.press("g g"));
    sees(&console, "line 1 ");
    for _ in 0..12 {
        drop(console.press("9 9 9 9 j"));
    }
    sees(&console, "line 100000");
    let pages = console
        .outputs
        .asked
        .iter()
        .filter(|lookup| matches!(lookup, Lookup::Output { .. } | Lookup::Tail { .. }));
    assert!(pages.count() < 40, "{:?}", console.outputs.asked);
}

#[test]
fn a_progress_bar_keeps_its_last_state() {
    let mut console = of_step(b" 1%\r 2%", 80, 24);
    writes(&mut console, "\r 99%");
    sees(&console, "⟨\\r ×2⟩  99%");
}

/// False for symbols that must never reach a cell: control bytes, invisible ones, and ones that take no cell
/// of their own.
fn is_safe(symbol: &str) -> bool {
    let odd = |c: char| {
        c.is_control()
            || matches!(c as u32, 0x200B..=0x200F | 0x202A..=0x202E | 0x2066..=0x2069 | 0xFEFF | 0xE0000..=0xE007F)
    };
    !symbol.chars().any(odd) && symbol.width() <= 2 && symbol.chars().count() <= 4
}

fn hostile() -> Vec<u8> {
    let mut text: Vec<u8> = (0..=0x1f).chain([0x7f]).collect();
    text.extend((0x80_u32..=0x9f).filter_map(char::from_u32).collect::<String>().bytes());
    text.extend(b"\x1b]52;c;aGk=\x07\x1b[2J\x1b[31mred\x1b[0m\x1b]8;;http://x\x07link\n");
    text.extend("\u{202e}rtl\u{2066}\u{200b}\u{feff}\u{e0041}日本語\t👍🏽\n".bytes());
    text.extend(format!("e{}\n", "\u{301}".repeat(10_000)).bytes());
    text.extend(format!("\u{941}{}\n", "\u{941}".repeat(10_000)).bytes());
    text.extend(b"\xff\xfe\xc3\x28\xe2\x82 broken\0nul\n");
    text.extend(vec![b'x'; 20_000]);
    text.extend(b"\nlast\n");
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_written_stays_in_its_pane(
        width in 1_u16..200,
        height in 1_u16..60,
        keys in proptest::collection::vec(prop::sample::select(&["g g", "G", "w", "k", "j", "ctrl-u", "l", "h", "f", "9 k", "0", "J"][..]), 0..6),
        noise in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut console = of_step(b"", 80, 24);
        let attempt = attempt(&console);
        let text = [hostile(), noise, b"\n".to_vec()].concat();
        console.outputs.set(attempt, &text);
        console.send(Message::Resize { width, height });
        drop(console.press("J K"));
        for key in keys {
            drop(console.press(key));
        }
        let full = console.draw(&Theme::default());
        for cell in full.content() {
            prop_assert!(is_safe(cell.symbol()), "{:?}", cell.symbol());
        }
        // The frame around the lines is the same as around no lines.
        console.outputs = Outputs::default();
        let whole = full.content().len();
        prop_assert_eq!(whole, usize::from(width) * usize::from(height));
        if width >= 100 && height >= 20 {
            for y in 2..height - 3 {
                let right = full[(width - 1, y)].symbol();
                prop_assert!("│╮╯".contains(right), "row {y}: {right:?}");
            }
        }
    }
}

#[test]
fn a_line_of_a_megabyte_is_one_line_among_others() {
    let text = format!("first\n{}\nlast\n", "x".repeat(1024 * 1024));
    let mut console = of_step(text.as_bytes(), 80, 24);
    sees(&console, "last");
    drop(console.press("g g"));
    sees(&console, "first");
    let copied = console
        .press("j y y")
        .into_iter()
        .find_map(|wish| if let Wish::Copy(text) = wish { Some(text) } else { None });
    assert_eq!(copied.map(|copied| copied.len()), Some(74_994));
}

#[test]
fn steps_that_do_not_exist_are_not_listened_to() {
    let mut console = of_step(b"x\n", 80, 24);
    let stranger = AttemptId { run: RunId(99), step: StepIx(7), number: 3 };
    console.send(Message::Output { attempt: stranger, from: 0, bytes: b"intruder\n"[..].into(), came: None });
    assert!(!shows(&console, "intruder"), "{}", console.text());
    assert_eq!(console.model.listens(), Some(RunId(SCORE)));
    drop(console.press("1"));
    assert_eq!(console.model.listens(), None);
}

/// Every line has the time at which it came, its level and its name; `c` leaves the text alone, and what has no time shows none.
#[test]
fn lines_have_the_time_at_which_they_came() {
    let mut console = of_step(b"before\n", 80, 24);
    assert!(!console.text().contains(":03"), "nobody knows when this came: {}", console.text());
    let came = console.at;
    writes(&mut console, "error: it broke\n");
    let time = came.clock_ms();
    sees(&console, &format!("{time} E error: it broke"));
    sees(&console, &format!("{:12} I before", ""));
    drop(console.press("c"));
    assert!(!shows(&console, &time) && shows(&console, "error: it broke"), "{}", console.text());
    drop(console.press("c"));
    sees(&console, &time);
}

/// Actions of the engine and the gates appear among the output of steps, by time, and can be shown alone.
#[test]
fn the_engine_and_the_gates_are_sources_beside_the_steps() {
    for (width, height) in [(80, 24), (160, 48)] {
        let mut console = Console::of_afternoon(width, height);
        drop(console.press("j j j j L"));
        let order = |text: &str| -> Vec<String> {
            let is_time = |word: &&str| word.len() == 12 && word.as_bytes()[8] == b'.';
            text.lines().filter_map(|line| line.split_whitespace().find(is_time)).map(str::to_owned).collect()
        };
        let text = console.text();
        assert!(text.contains("engine") && text.contains("step.failed"), "{text}");
        let times = order(&text);
        assert!(times.len() > 8 && times.is_sorted(), "{times:?}\n{text}");
        drop(console.press("& s o u r c e : s t e p s enter"));
        assert!(!shows(&console, "step.failed") && shows(&console, "batch"), "{}", console.text());
        drop(console.press("esc & l e v e l : e r r o r space s o u r c e : e n g i n e enter"));
        sees(&console, "step.failed");
        assert!(!shows(&console, "error: UNIQUE"), "{}", console.text());
        drop(console.press("esc / s t e p . f a i l e d enter"));
        sees(&console, "/step.failed/");
        drop(console.press("esc J"));
        sees(&console, "  engine");
        sees(&console, "step.cancelled");
        assert!(!shows(&console, "batch"), "{}", console.text());
        let mut console = Console::of_afternoon(width, height);
        drop(console.press("L"));
        sees(&console, "gate.asked");
        sees(&console, "run.created");
        drop(console.press("J J"));
        sees(&console, "gate.asked");
        assert!(!shows(&console, "run.created") && !shows(&console, "start make_keys"), "{}", console.text());
        drop(console.press("enter"));
        assert_eq!(console.step_id(), "rotate_prod_keys");
    }
}

#[test]
fn the_engine_alone_is_as_it_was_looked_at() {
    screens::everywhere("logs_engine", |width, height| {
        let mut console = Console::of_afternoon(width, height);
        drop(console.press("j j j j L J"));
        console
    });
}

/// While more happens, more is told: without asking twice for what is known.
#[test]
fn what_happens_while_it_is_looked_at_is_told_once() {
    let mut console = Console::of_afternoon(100, 30);
    drop(console.press("j j j j L J"));
    let paused = |console: &Console| console.text().matches("run.paused").count();
    assert_eq!(paused(&console), 0);
    console.stage.command(Command::Pause { run: RunId(ETL), by: actor("jon") });
    console.see();
    console.see();
    assert_eq!(paused(&console), 1, "{}", console.text());
    console.send(Message::Tick(console.at + Span(5_000)));
    assert_eq!(paused(&console), 1, "{}", console.text());
}

#[test]
fn a_pattern_is_looked_for_and_one_that_is_none_says_why_while_it_is_typed() {
    let mut console = of_step(numbered(30).as_bytes(), 100, 30);
    drop(console.press("& ~ l i n e space [ 0 - 9"));
    sees(&console, "unclosed character class");
    drop(console.press("enter"));
    assert_eq!(console.model.mode().word(), "FILTER", "it is not taken: {}", console.text());
    sees(&console, "line 30");
    drop(console.press("] $ enter"));
    console.at = console.at + Span(10_000);
    console.send(Message::Tick(console.at));
    sees(&console, "9 of 30 lines");
    assert!(!shows(&console, "line 30"), "{}", console.text());
    drop(console.press("esc / ~ 1 + $ enter"));
    sees(&console, "/~1+$/ 3 of 3");
    drop(console.press("esc & s o u r c e : n o b o d y"));
    sees(&console, "there is no source");
}
