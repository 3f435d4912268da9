//! Reading an ask: each of its lines was in a frame before the console says that it was seen to its end.
//!
//! The witness reads screens and knows nothing of the model.

use super::{
    Console, Stage,
    gates::{answer, frame, gates},
};
use cuelight_base::Span;
use cuelight_console::{Message, Mouse, parse_keys};
use std::collections::BTreeSet;

const NARROWEST: u16 = 60;

/// A script of so many lines, no two of them alike.
fn workflow(kind: &str, lines: usize) -> String {
    let script: String =
        (0..lines).map(|index| format!("      put {kind}{index} --onto host-{kind}-{index}\n")).collect();
    format!(
        "name: web/ship\nsteps:\n  - id: approve\n    gate: {{prompt: Ship it?, risk: reversible, evidence: [\"${{{{ run.id }}}} is the run\"]}}\n  \
         - id: ship\n    needs: approve\n    effect: idempotent\n    undo: none\n    run: |\n{script}"
    )
}

/// A gate whose script has changed since it was approved the last time, read and approved at a large screen.
fn changed(lines: usize) -> Stage {
    let mut stage = Stage::at("12:00:00");
    stage.launch("jon", &workflow("old", lines));
    stage.pass(40);
    let mut console = gates(stage, (160, 200));
    assert_eq!(answer(&mut console, "space a y").len(), 1, "{}", console.text());
    let mut stage = console.stage;
    stage.pass(60);
    stage.launch("jon", &workflow("new", lines));
    stage.pass(40);
    stage
}

/// The lines in the box of the ask.
pub(crate) fn lines_of_ask(screen: &str) -> Vec<String> {
    let rows: Vec<Vec<char>> = screen.lines().map(|line| line.chars().collect()).collect();
    let title: Vec<char> = "· ask #".chars().collect();
    let top = rows
        .iter()
        .enumerate()
        .find_map(|(y, row)| row.windows(title.len()).position(|window| window == title).map(|x| (y, x)));
    let Some((y, x)) = top else { return Vec::new() };
    let Some(left) = rows[y][..x].iter().rposition(|c| *c == '╭') else { return Vec::new() };
    let Some(width) = rows[y][left..].iter().position(|c| *c == '╮') else { return Vec::new() };
    let inside = rows[y + 1..].iter().take_while(|row| row.get(left) == Some(&'│'));
    inside.map(|row| row[left + 1..left + width].iter().collect::<String>().trim().to_owned()).collect()
}

fn words(lines: &BTreeSet<String>) -> BTreeSet<String> {
    lines.iter().flat_map(|line| line.split_whitespace()).map(ToOwned::to_owned).collect()
}

/// Somebody who reads an ask, frame by frame.
struct Reader {
    console: Console,
    drawn: BTreeSet<String>,
    resized: bool,
}

impl Reader {
    fn sits_at(stage: &Stage, size: (u16, u16)) -> Self {
        let mut console = gates(stage.clone(), size);
        let _ = answer(&mut console, "enter");
        Self { console, drawn: BTreeSet::new(), resized: false }
    }

    /// Looks at a frame; true when it says that all was seen, which has to be so.
    fn looks(&mut self, doing: &str) -> bool {
        let screen = self.console.text();
        self.drawn.extend(lines_of_ask(&screen));
        frame(&mut self.console);
        if !screen.contains("seen to its end") {
            return false;
        }
        let (width, height) = self.console.model.screen();
        let whole = Self::sits_at(&self.console.stage, (width, 400)).console;
        let all: BTreeSet<String> = lines_of_ask(&whole.text()).into_iter().collect();
        assert!(all.iter().any(|text| text.contains("END OF THE ASK")), "{}", whole.text());
        // After another width the same words stand on other lines.
        let (all, drawn) =
            if self.resized { (words(&all), words(&self.drawn)) } else { (all, self.drawn.clone()) };
        let missed: Vec<&String> = all.difference(&drawn).collect();
        assert!(missed.is_empty(), "{width}x{height} {doing}: never drawn: {missed:#?}\n{screen}");
        true
    }

    fn does(&mut self, what: &str) {
        let console = &mut self.console;
        console.at = console.at + Span(400);
        match what {
            "wheel" => drop(console.send(Message::Mouse { what: Mouse::WheelDown, column: 50, row: 8 })),
            "back" => drop(console.send(Message::Mouse { what: Mouse::WheelUp, column: 50, row: 8 })),
            "wider" | "narrower" => {
                let (width, height) = console.model.screen();
                let width = if what == "wider" { width + 7 } else { width.saturating_sub(9).max(NARROWEST) };
                self.resized = true;
                drop(console.send(Message::Resize { width, height }));
            }
            "lower" | "higher" => {
                let (width, height) = console.model.screen();
                let height = if what == "higher" { height + 5 } else { height.saturating_sub(4).max(10) };
                drop(console.send(Message::Resize { width, height }));
            }
            key => {
                for press in parse_keys(key).expect("keys") {
                    drop(console.send(Message::Key { press, repeat: false, at: console.at }));
                }
            }
        }
    }
}

/// Keys and mouse that scroll, as they are pressed over and over.
const HABITS: &[&[&str]] = &[
    &["space"],
    &["pagedown"],
    &["ctrl-f", "ctrl-d"],
    &["j"],
    &["G", "g g", "pagedown"],
    &["G", "k", "k", "pageup"],
    &["wheel"],
    &["wheel", "wheel", "back"],
    &["space", "wider", "pagedown", "narrower"],
    &["pagedown", "lower", "space", "higher"],
    &["end", "home", "space space"],
    &["5 j", "ctrl-u", "space", "c esc"],
    &["X", "space"],
];

#[test]
fn an_ask_is_seen_to_its_end_when_each_of_its_lines_was_drawn() {
    let stage = changed(9);
    for height in 10..=60 {
        for (habit, steps) in HABITS.iter().enumerate() {
            let width = [80, 110, 150, 66][(usize::from(height) + habit) % 4];
            let mut reader = Reader::sits_at(&stage, (width, height));
            let seen = (0..60).any(|at| {
                let step = steps[at % steps.len()];
                if reader.looks(step) {
                    return true;
                }
                reader.does(step);
                false
            });
            let reads_on = steps.iter().all(|step| ["space", "pagedown", "j", "wheel"].contains(step));
            assert!(
                seen || !reads_on || height < 16,
                "{width}x{height} {steps:?}\n{}",
                reader.console.text()
            );
        }
    }
}

#[test]
fn keys_between_two_frames_pass_no_line_of_an_ask() {
    let stage = changed(9);
    for keys in ["space", "pagedown", "ctrl-d"] {
        let mut reader = Reader::sits_at(&stage, (80, 24));
        for _ in 0..20 {
            if reader.looks(keys) {
                break;
            }
            (0..3).for_each(|_| reader.does(keys));
        }
        assert!(reader.looks(keys), "{keys}\n{}", reader.console.text());
    }
}
