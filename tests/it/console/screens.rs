//! Screens as snapshots: text and style, at the sizes of the design.

use super::{Console, fixture::Stage};
use cuelight_base::Span;
use cuelight_console::{
    Intent, Level, Link, Message, SPINNER, Theme, View, cursor_of, running_cells, snap, to_svg,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// With `CUELIGHT_PICTURES` set to a directory, screens are also written there, to be looked at.
pub(super) fn check(name: &str, console: &Console) {
    let theme = Theme::for_snapshots();
    if let Some(dir) = std::env::var_os("CUELIGHT_PICTURES") {
        let theme = Theme::built_in(&console.model.look.theme).expect("built in");
        let path = Path::new(&dir).join(format!("{name}.svg"));
        std::fs::write(path, to_svg(&console.draw(&theme), &theme)).expect("a directory to write to");
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots/console", omit_expression => true }, {
        insta::assert_snapshot!(name, snap(&console.draw(&theme), &theme));
    });
}

/// Every view and whatever may lie over one: its name, and the keys that lead there from the list of runs. A new view is
/// one line.
const SCREENS: &[(&str, &str)] = &[
    ("runs", ""),
    ("runs_filtered", "& s t a t e : d o n e enter"),
    ("dag", "enter"),
    ("dag_settle", "j enter"),
    ("dag_etl", "j j j j enter"),
    ("filter", "& p a y"),
    ("launch", ": r u n enter d e p l o y . y a m l"),
    ("palette", ": c a n c"),
    ("palette_all", ":"),
    ("help", "?"),
    ("menu", "x"),
    ("why", "w"),
    ("log", "P @"),
    ("cancel", "X"),
    ("cancel_typed", "X r - 7 tab w r o n g"),
    ("retry", "G k R"),
    ("skip", "j j j enter S"),
];

/// A run that has failed after a step that can be undone.
#[test]
fn the_dialog_that_undoes_a_run_is_as_it_was_looked_at() {
    everywhere("undo", |width, height| {
        let mut stage = Stage::at("10:00:00");
        let workflow = "name: payments/refunds\non-failure: stop\nsteps:\n  - {id: lock, run: lock, undo: unlock, effect: idempotent}\n  - {id: book, needs: lock, run: book}\n";
        let run = stage.launch("cron", workflow);
        stage.ok(run, "lock");
        stage.fail(run, "book", cuelight_base::FailureMode::SystemTimeout, "the bank did not answer");
        let mut console = Console::new(stage, width, height);
        drop(console.press("C"));
        console
    });
}

/// A screen at every size of the design, and in every mode.
pub(super) fn everywhere(name: &str, open: impl Fn(u16, u16) -> Console) {
    for (width, height) in [(80, 24), (100, 30), (160, 48), (200, 60)] {
        check(&format!("{name}_{width}x{height}"), &open(width, height));
    }
    let mut console = open(80, 24);
    let theme = Theme::built_in("mono").expect("built in").at_depth(cuelight_console::Depth::None);
    let screen = console.draw(&theme);
    assert!(screen.content().iter().all(|look| look.fg == ratatui::style::Color::Reset));
    keep(&format!("mono_{name}_80x24"), &snap(&screen, &theme));
    console.model.look.glyphs.ascii = true;
    let text = console.text();
    assert!(text.is_ascii(), "{text}");
    keep(&format!("ascii_{name}_80x24"), &text);
    let text = read_out(open(80, 24));
    assert!(!text.chars().any(is_drawing), "{text}");
    keep(&format!("reader_{name}_80x24"), &text);
}

/// The text of a screen that is read out, and the position of the cursor.
fn read_out(mut console: Console) -> String {
    console.model.look.reader = true;
    drop(console.send(Message::Tick(console.at)));
    let cursor =
        cursor_of(&console.model).map_or_else(|| "-".to_owned(), |(x, y)| format!("{}:{}", y + 1, x + 1));
    format!("{}cursor {cursor}\n", console.text())
}

/// Lines, blocks and braille, which a reader of screens spells out one by one.
fn is_drawing(c: char) -> bool {
    matches!(c, '\u{2500}'..='\u{259f}' | '\u{2800}'..='\u{28ff}')
}

fn keep(name: &str, text: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots/console", omit_expression => true }, {
        insta::assert_snapshot!(name.to_owned(), text);
    });
}

fn every(part: &[(&str, &str)]) {
    for (name, keys) in part {
        everywhere(name, |width, height| {
            let mut console = Console::of_afternoon(width, height);
            drop(console.press(keys));
            console
        });
    }
}

#[test]
fn every_view_and_dialog_is_as_it_was_looked_at() {
    every(&SCREENS[..SCREENS.len() / 2]);
}

#[test]
fn every_other_view_and_dialog_is_as_it_was_looked_at() {
    every(&SCREENS[SCREENS.len() / 2..]);
}

#[test]
fn the_smallest_screen_shows_every_view_and_a_smaller_one_says_what_it_needs() {
    for (name, keys) in SCREENS {
        let mut console = Console::of_afternoon(60, 16);
        drop(console.press(keys));
        check(&format!("{name}_60x16"), &console);
    }
    check("runs_59x15", &Console::of_afternoon(59, 15));
}

/// A choice by number goes the same way as one by a key: the dialog asks, and 350 ms count.
#[test]
fn a_screen_that_is_read_out_numbers_its_choices() {
    let mut console = Console::of_afternoon(80, 24);
    console.model.look.reader = true;
    drop(console.press("x"));
    let text = console.text();
    let cancel = text.lines().find(|line| line.contains(", cancel,")).expect("it can be cancelled");
    let number = cancel.trim_start().split('.').next().expect("a number").to_owned();
    drop(console.press(&number));
    assert_eq!(console.model.mode().word(), "CONFIRM", "{text}");
    assert!(console.text().contains("Cancel r-7"), "{}", console.text());
}

#[test]
fn panes_beside_each_other_are_read_out_one_after_the_other() {
    for (keys, size, order) in [
        (
            "5",
            (100, 40),
            [
                "50 of 100",
                "95 over 40 results, 50 over 2 runs",
                "golden signals",
                "workflows",
                "checks",
                "this console",
            ],
        ),
        (
            "5",
            (160, 60),
            [
                "50 of 100",
                "95 over 40 results, 50 over 2 runs",
                "golden signals",
                "workflows",
                "checks",
                "this console",
            ],
        ),
        (
            "4",
            (160, 60),
            ["CRITICAL TIMEOUT", "type, task", "message", "what you can do", "resolve", "calls and undo"],
        ),
        ("j j j j L", (160, 60), ["all", "[19]", "UNIQUE", "step.failed", "batch 2", "follow"]),
    ] {
        let mut console = Console::of_afternoon(size.0, size.1);
        console.model.look.reader = true;
        drop(console.press(keys));
        let text = console.text();
        let mut rest = text.as_str();
        for word in order {
            let at =
                rest.find(word).unwrap_or_else(|| panic!("{word:?} comes too early or not at all:\n{text}"));
            rest = &rest[at + word.len()..];
        }
    }
}

/// Sentences are longer than rows: what does not fit is counted, and counts as not seen, so nobody approves it.
#[test]
fn what_was_left_out_of_a_screen_that_is_read_out_was_not_seen() {
    let mut console = Console::of_afternoon(60, 16);
    console.model.look.reader = true;
    drop(console.press("3 J enter"));
    for _ in 0..8 {
        let text = console.text();
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        let left_out = text.contains("more lines; make the window larger");
        drop(console.press("a"));
        assert!(!left_out || console.model.mode().word() != "CONFIRM", "{text}");
        drop(console.press("esc space"));
    }
}

/// Mode, link, gates and failures stay to the end; the clock goes first.
#[test]
fn the_status_line_keeps_what_matters_most() {
    let console = Console::of_afternoon(160, 48);
    let lines: Vec<String> = [30, 40, 50, 65, 80, 100, 160]
        .map(|width| cuelight_console::status_line(&console.model, width))
        .to_vec();
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots/console", omit_expression => true }, {
        insta::assert_snapshot!("status_lines", lines.join("\n"));
    });
    for line in &lines {
        assert!(
            line.contains("NORMAL") && line.contains("LIVE") && line.contains('◆') && line.contains('✗'),
            "{line}"
        );
    }
}

#[test]
fn a_terminal_of_40x10_says_what_it_needs_and_how_many_wait() {
    for keys in ["", "2", "3", "?", ":"] {
        let mut console = Console::of_afternoon(100, 30);
        drop(console.press(keys));
        drop(console.send(Message::Resize { width: 40, height: 10 }));
        let text = console.text();
        let said: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert!(
            said.len() == 1 && said[0].starts_with("needs 60x16, has 40x10") && said[0].contains("wait"),
            "{keys:?}: {text}"
        );
        drop(console.send(Message::Resize { width: 100, height: 30 }));
        assert!(!console.text().contains("needs 60x16"), "{keys:?} is there again");
    }
}

#[test]
fn an_idle_console_never_wakes_and_says_nothing_that_time_makes_untrue() {
    for size in [(80, 24), (160, 48)] {
        let mut console = Console::new(Stage::at("12:00:00"), size.0, size.1);
        let before = console.text();
        drop(console.send(Message::Tick(console.at + Span(7_200_000))));
        assert_eq!(console.text(), before);
        assert_eq!(console.model.deadline(), None);
    }
    assert!(Console::of_afternoon(80, 24).model.deadline().is_some(), "where something is open, ages go on");
}

fn pass(console: &mut Console, milliseconds: u64) {
    console.at = console.at + Span(milliseconds);
    let _ = console.send(Message::Tick(console.at));
}

/// The status line reports trouble of the engine or the connection at every width. Silence or excess speed is
/// reported if there is room.
#[test]
fn the_status_line_says_what_is_wrong_at_every_width() {
    let mut console = Console::of_afternoon(160, 48);
    let lines = |console: &Console| -> Vec<String> {
        [30, 40, 50, 65, 80, 100, 160]
            .map(|width| cuelight_console::status_line(&console.model, width))
            .to_vec()
    };
    assert!(
        lines(&console).iter().all(|status_line| !status_line.contains("STALE")),
        "{:#?}",
        lines(&console)
    );
    pass(&mut console, 64_000);
    assert!(
        lines(&console)[2..].iter().all(|status_line| status_line.contains("STALE")),
        "{:#?}",
        lines(&console)
    );
    let since = console.at;
    pass(&mut console, 3_000);
    for (link, word) in [
        (Link::Lost { since, why: "it has gone".to_owned() }, "LOST 3s"),
        (Link::Unwritten { why: "the disk is full".to_owned() }, "DB!"),
        (Link::Unheard { why: "the guard is stopped".to_owned() }, "GUARD!"),
        (Link::Strays { why: "no step is known to have started it".to_owned() }, "STRAY"),
    ] {
        let _ = console.send(Message::Link(link));
        assert!(
            lines(&console).iter().all(|status_line| status_line.contains(word)),
            "{:#?}",
            lines(&console)
        );
    }
    let _ = console.send(Message::Link(Link::Live));
    let _ = console.send(Message::Behind(300));
    let _ = console.send(Message::Behind(40));
    assert!(
        lines(&console)[2..].iter().all(|status_line| status_line.contains("BEHIND 340")),
        "{:#?}",
        lines(&console)
    );
    pass(&mut console, 6_000);
    assert!(
        lines(&console).iter().all(|status_line| !status_line.contains("BEHIND")),
        "{:#?}",
        lines(&console)
    );
}

/// The sign of running work turns in the body of the screen only; nothing else turns.
#[test]
fn what_runs_turns_its_sign_in_the_body_and_nowhere_else() {
    let theme = Theme::built_in("dark").expect("built in");
    let mut console = Console::of_afternoon(160, 48);
    let cells = |console: &Console| running_cells(&console.model, &theme, &console.draw(&theme));
    let found = cells(&console);
    let buf = console.draw(&theme);
    assert!(
        !found.is_empty()
            && found.iter().all(|cell| buf[*cell].symbol() == SPINNER[0] && cell.1 > 0 && cell.1 < 46)
    );
    console.model.look.still = true;
    assert_eq!(cells(&console), [], "motion = \"none\"");
    console.model.look.still = false;
    drop(console.press("F"));
    assert_eq!(cells(&console), [], "a frozen screen stands still");
    drop(console.press("F T"));
    assert_eq!(cells(&console), [], "the past stands still");
    drop(console.press("esc"));
    console.model.look.glyphs.ascii = true;
    assert_eq!(cells(&console), []);
    for sign in SPINNER {
        assert_eq!(unicode_width::UnicodeWidthStr::width(sign), 1, "{sign}");
    }
}

#[test]
fn a_screen_that_is_read_out_says_which_instant_of_the_past_it_is() {
    let mut console = Console::of_afternoon(80, 40);
    console.model.look.reader = true;
    drop(console.send(Message::Resize { width: 80, height: 40 }));
    drop(console.press("enter T h h"));
    let text = console.text();
    let instant = regex::Regex::new(
        r"the past of run r-7, as it was at \d\d:\d\d:\d\d, event \d+ of \d+; nothing can be",
    )
    .expect("right");
    let joined = text.replace('\n', " ");
    assert!(instant.is_match(&joined) && joined.contains("since then: "), "{text}");
    assert!(text.contains("T goes back to now") || joined.contains("T goes back to now"), "{text}");
    let frame = |c: char| matches!(c, '\u{2500}'..='\u{259f}' | '\u{2800}'..='\u{28ff}');
    assert!(!text.contains(frame), "{text}");
    let before = text.clone();
    drop(console.press("h"));
    assert_ne!(console.text(), before);
    assert!(console.press("X").is_empty());
    assert!(console.text().contains("said: history: read-only"), "{}", console.text());
    drop(console.press(". "));
    assert!(console.text().contains("plays forward, 1 time as fast"), "{}", console.text());
    drop(console.press("T"));
    assert!(!console.text().contains("the past of"), "{}", console.text());
}

/// Sizes and modes in which each screen is kept: `gates_read` at `80x24`, and in `mono`.
fn kept() -> BTreeMap<String, BTreeSet<String>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/console");
    let mut kept: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(dir).expect("screens are kept") {
        let name = entry.expect("readable").file_name().into_string().expect("UTF-8");
        let Some((base, size)) = name.strip_suffix(".snap").and_then(|rest| rest.rsplit_once('_')) else {
            continue;
        };
        let look =
            |prefix: &'static str| base.strip_prefix(prefix).map(|base| (base, prefix.trim_end_matches('_')));
        let looks = ["mono_", "ascii_", "reader_"].into_iter().find_map(look);
        let (base, how) = looks.unwrap_or((base, size));
        kept.entry(base.to_owned()).or_default().insert(how.to_owned());
    }
    kept
}

/// Screens that are kept once, because they are about one size or one mode.
const ONCE: [&str; 6] = [
    "status",
    "audit_mono_ascii",
    "logs_mono_ascii",
    "time_mono_ascii",
    "travel_mono_ascii",
    "runs_gates_pane",
];

#[test]
fn every_screen_is_kept_at_every_size_and_in_every_mode() {
    let wanted = ["80x24", "100x30", "160x48", "200x60", "mono", "ascii", "reader"];
    let mut missing = Vec::new();
    for (base, have) in kept().iter().filter(|(base, _)| !ONCE.contains(&base.as_str())) {
        missing
            .extend(wanted.iter().filter(|text| !have.contains(**text)).map(|text| format!("{base} {text}")));
    }
    assert!(missing.is_empty(), "open these with `everywhere`: {missing:#?}");
}

/// Actions that ask before they act, each with its kept screen.
const DIALOGS: &[(Intent, &str)] = &[
    (Intent::Cancel, "cancel"),
    (Intent::Retry, "retry"),
    (Intent::Fork, "fork"),
    (Intent::Skip, "skip"),
    (Intent::Compensate, "undo"),
    (Intent::Approve, "gates_approve_high"),
    (Intent::Reject, "gates_reject"),
    (Intent::EditForm, "gates_edit"),
    (Intent::Withdraw, "gates_withdraw"),
    (Intent::SendBack, "gates_send_back"),
    (Intent::Delegate, "gates_delegate"),
    (Intent::Review, "gates_review"),
    (Intent::BreakGlass, "gates_break_glass"),
    (Intent::Override, "gates_override"),
    (Intent::Happened, "gates_doubt_answer"),
    (Intent::NotHappened, "gates_doubt_not_happened"),
    (Intent::GiveUp, "gates_doubt_give_up"),
    (Intent::UndoAgain, "gates_undo_again"),
    (Intent::UndoByHand, "gates_undo_by_hand"),
    (Intent::Stop, "leave_stop"),
];

/// Overlays of a view that are no questions to the engine, and the past.
const OVERLAYS: [&str; 11] = [
    "palette",
    "help",
    "menu",
    "why",
    "log",
    "launch",
    "leave",
    "filter",
    "gates_who",
    "gates_evidence",
    "travel_dag",
];

#[test]
fn every_view_and_every_dialog_is_kept() {
    let kept = kept();
    let is_kept = |name: &str| kept.keys().any(|key| key == name || key.starts_with(&format!("{name}_")));
    for view in View::ALL {
        assert!(is_kept(&view.name().to_lowercase()), "no screen of {} is kept", view.name());
    }
    for intent in Intent::all().filter(|intent| intent.level() >= Level::L2) {
        let found = DIALOGS.iter().find(|dialog| dialog.0 == intent);
        let (_, name) =
            found.unwrap_or_else(|| panic!("{} asks; say here where that is kept", intent.name()));
        assert!(kept.contains_key(*name), "the dialog of {} is kept nowhere", intent.name());
    }
    for name in OVERLAYS {
        assert!(kept.contains_key(name), "{name} is kept nowhere");
    }
}
