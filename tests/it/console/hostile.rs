//! Text that would rather be a terminal: hundreds of sequences in every place where foreign text is shown, read back by
//! a terminal emulator. What arrives there is our own sequences, and what stands there is what was drawn.

use super::{
    Console,
    fixture::{Stage, actor},
    outputs::Outputs,
};
use cuelight_base::{FailureMode, RunId};
use cuelight_console::{Message, Theme};
use cuelight_engine::{Command, StepState};
use ratatui::{
    backend::{Backend as _, CrosstermBackend},
    buffer::Buffer,
    layout::Rect,
};

/// Sequences that terminals obey, in every spelling: begin, command, end. Also code points that hide or move
/// text.
fn sequences() -> Vec<String> {
    let begins = ["\x1b]", "\u{9d}", "\x1b[", "\u{9b}", "\x1bP", "\u{90}", "\x1b_", "\x1b^", "\x1bX"];
    let middles = [
        "0;owned",
        "52;c;cm0gLXJmIC8=",
        "8;;http://evil.example",
        "2J",
        "?1049l",
        "31;1m",
        "6n",
        "c",
        "1337;File=:AAAA",
    ];
    let ends = ["\x07", "\x1b\\", "\u{9c}", "", "\x18"];
    let mut all = Vec::new();
    for begin in begins {
        for middle in middles {
            all.extend(ends.iter().map(|end| format!("{begin}{middle}{end}")));
        }
    }
    let controls = (0..0x20_u32).chain(0x7f..0xa0);
    let hidden = [
        0x61c, 0x180e, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c,
        0x202d, 0x202e, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0xfeff, 0xfff9, 0xfffc, 0xe0001, 0xe0041,
        0xe007f, 0xfe0f, 0x3164, 0x115f, 0x0301, 0x20e3, 0x1f3fb, 0xe000, 0xffff, 0x10_ffff,
    ];
    all.extend(controls.chain(hidden).filter_map(char::from_u32).map(String::from));
    let others = [
        "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        "👩\u{200d}👩\u{200d}👧\u{200d}👦",
        "日本語",
        "שלום",
        "🇩🇪",
        "\r\n\t\t\r",
        "\x1b\x1b\x1b",
        "a\u{0}b",
        "\x1bc",
        "\x1b7\x1b8",
        "\x1b#8",
        "\x1b(0",
        "\x0e\x0f",
        "ﷺ",
        "\u{1b}[?2026h",
    ];
    all.extend(others.map(String::from));
    all
}

/// As a YAML text in quotes.
fn quoted(text: &str) -> String {
    let inner: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\U{:08X}", u32::from(c)) })
        .collect();
    format!("\"{inner}\"")
}

/// A run that says it wherever a workflow, a person or a program can say something.
fn run_that_says(stage: &mut Stage, text: &str, fails: bool) -> RunId {
    let said = quoted(&format!("a{text}b"));
    let workflow = format!(
        "name: {said}\nsteps:\n  - {{id: one, name: {said}, run: {said}, env: {{A: {said}}}}}\n  \
         - {{id: two, run: {said}}}\n  - id: three\n    gate: {{prompt: {said}, risk: reversible}}\n"
    );
    let run = stage.launch(&format!("x{text}y"), &workflow);
    let view = stage.board.run(run).expect("just launched");
    let one = view.find("one").and_then(|step| view.step(step)).expect("a step");
    // What no program can be given does not start.
    if fails && one.state == StepState::Running {
        stage.fail(run, "one", FailureMode::SystemTimeout, &format!("it said {text}!"));
    }
    run
}

/// Code points that no screen of ours may hold: they move, hide or order others.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c), 0x61c | 0x180e | 0x200b | 0x200e | 0x200f | 0x2028..=0x202e | 0x2060..=0x206f
            | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe007f)
}

/// Our own sequences: colours, cursor, nothing else.
fn without_ours(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).expect("text");
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\x1b') {
        out.push_str(before);
        let body = after.strip_prefix('[').unwrap_or_else(|| panic!("{after:?} is none of our sequences"));
        let end = body.find(|c: char| !(c.is_ascii_digit() || c == ';')).expect("an end");
        assert!(matches!(&body[end..=end], "m" | "H"), "{:?} is none of our sequences", &body[..=end]);
        rest = &body[end + 1..];
    }
    out + rest
}

/// The screen goes out as bytes, and a terminal shows what was drawn.
#[track_caller]
fn check(console: &Console, what: &str) {
    let buf = console.draw(&Theme::built_in("dark").expect("built in"));
    let blank = Buffer::empty(buf.area);
    let mut bytes = Vec::new();
    CrosstermBackend::new(&mut bytes).draw(blank.diff(&buf).into_iter()).expect("into memory");
    let text = without_ours(&bytes);
    let odd: Vec<char> = text.chars().filter(|c| is_forbidden(*c)).collect();
    assert!(odd.is_empty(), "{what:?}: {odd:?} went out:\n{}", cuelight_console::to_text(&buf));
    let Rect { width, height, .. } = buf.area;
    let mut terminal =
        vt100::Parser::new(height.try_into().expect("rows"), width.try_into().expect("columns"), 0);
    // This emulator swallows the sign for what cannot be shown, which terminals show.
    terminal.process(String::from_utf8_lossy(&bytes).replace('\u{fffd}', "¿").as_bytes());
    let screen = terminal.screen();
    for y in 0..height {
        for x in 0..width {
            let drawn = buf[(x, y)].symbol().replace('\u{fffd}', "¿");
            let before = x > 0 && unicode_width::UnicodeWidthStr::width(buf[(x - 1, y)].symbol()) > 1;
            let shown = screen.cell(y, x).map_or("", vt100::Cell::contents);
            let same = shown == drawn || (drawn == " " && shown.is_empty()) || before;
            assert!(same, "{what:?}: at {x},{y} stands {shown:?} and not {drawn:?}");
        }
    }
}

/// Places that show foreign text: keys from the list of runs.
const PLACES: &[&str] = &[
    "enter",
    "3",
    "3 enter",
    "4",
    "4 enter",
    "5",
    "6",
    "7",
    "8",
    "x",
    "w",
    ": o p e n",
    "&",
    "X",
    "L",
    "4 v",
    "8 a enter",
    "T",
    "enter T",
    "7 T",
    ": t o o l s enter",
    ": a g e n t s enter",
    "n",
    "Z Z",
    "Z Z s",
    "space j space X",
    "space j space P",
    "3 * a",
    "3 D",
    "3 e",
    "3 r",
    "3 !",
    "? /",
    "@",
    "_",
    "6 /",
    "3 c",
    "enter S",
    "R",
    "C",
];

fn every(sequences: &[String]) {
    for some in sequences.chunks(16) {
        let mut stage = Stage::at("12:00:00");
        for text in some {
            run_that_says(&mut stage, text, true);
            stage.pass(1);
        }
        let all = some.concat();
        for (index, keys) in PLACES.iter().enumerate() {
            let size = if index % 5 == 0 { (160, 48) } else { (80, 24) };
            let mut console = Console::new(stage.clone(), size.0, size.1);
            console.outputs = Outputs::of_afternoon(&stage);
            drop(console.press(&"j ".repeat(index % some.len())));
            drop(console.press(keys));
            drop(console.send(Message::Paste { text: all.clone(), at: console.at }));
            check(&console, &all);
            console.model.look.reader = index % 3 == 0;
            console.model.look.glyphs.ascii = index % 3 == 1;
            drop(console.send(Message::Tick(console.at)));
            check(&console, &all);
        }
    }
}

#[test]
fn four_hundred_sequences_reach_no_terminal_through_any_view() {
    let all = sequences();
    assert!(all.len() >= 400, "{}", all.len());
    every(&all[..all.len() / 2]);
}

#[test]
fn nor_do_the_others() {
    let all = sequences();
    every(&all[all.len() / 2..]);
}

#[test]
fn what_other_people_and_programs_say_reaches_no_terminal() {
    for (index, text) in sequences().iter().enumerate().step_by(7) {
        let mut stage = Stage::at("12:00:00");
        let run = run_that_says(&mut stage, text, false);
        let reason = format!("because {text}.");
        if stage.board.summary(run).is_some_and(|summary| !summary.state.rests()) {
            stage.command(Command::Cancel { run, by: actor(&format!("eve{text}")), reason, undo: false });
        }
        let mut console = Console::new(stage, 80, 24);
        console.outputs = Outputs::default();
        let attempt = super::outputs::call(&console.stage, run.0, "one", 1);
        console.outputs.set(attempt, format!("one {text}\n{text} two\n").as_bytes());
        drop(console.press(["L", "enter", "8", ""][index % 4]));
        check(&console, text);
    }
}
