//! Ten thousand people who press anything, anywhere: what leaves the console is compared with a small model of who may
//! ask for what. No time passes by itself; every stream is a number and can be pressed again.

use super::{Console, Stage, fixture::afternoon};
use cuelight_base::{Span, Timestamp};
use cuelight_console::{Key, Message, Mode, Mouse, Press, Theme, Wish};
use cuelight_engine::Command;

/// So many streams; `CUELIGHT_STREAMS=10000` (two minutes) and more at night.
const STREAMS: u64 = 300;
const KEYS: usize = 10;

/// Numbers that are the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).expect("less than most")
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

const NAMED: &[Key] = &[
    Key::Enter,
    Key::Esc,
    Key::Tab,
    Key::BackTab,
    Key::Backspace,
    Key::Up,
    Key::Down,
    Key::Left,
    Key::Right,
    Key::Home,
    Key::End,
    Key::PageDown,
    Key::PageUp,
    Key::Delete,
    Key::F(2),
];
const LETTERS: &str = "jkhlgGzaoMRcmtfnNwxpPXSCyYuE@?:/&12345678-+_s 0HVdeDJKLBT*'[]r7";

/// The model of a dialog: the time from which its answers count.
#[derive(Default)]
struct Witness {
    counts_from: Option<Timestamp>,
}

impl Witness {
    fn drawn(&mut self, console: &Console) {
        let asks = console.model.mode() == Mode::Confirm;
        self.counts_from = asks.then(|| self.counts_from.unwrap_or(console.at + Span(350)));
    }

    /// True if an irreversible request to the engine is allowed now.
    fn allows(&self, at: Timestamp, repeat: bool) -> bool {
        !repeat && self.counts_from.is_some_and(|counts_from| at >= counts_from)
    }

    fn pressed(&mut self, console: &Console, at: Timestamp) {
        if console.model.mode() != Mode::Confirm {
            self.counts_from = None;
        } else if self.counts_from.is_some_and(|counts_from| at < counts_from) {
            self.counts_from = Some(at + Span(350));
        }
    }
}

/// True for commands that need no dialog: they can be withdrawn, or are only remarks.
fn is_harmless(command: &Command) -> bool {
    matches!(
        command,
        Command::Pause { .. }
            | Command::Resume { .. }
            | Command::Withdraw { .. }
            | Command::Comment { .. }
            | Command::NoteFailure { .. }
    )
}

fn check(wishes: &[Wish], allowed: bool, seed: u64) -> usize {
    let mut asked = 0;
    for wish in wishes {
        if let Wish::Submit { command, .. } = wish
            && !is_harmless(command)
        {
            assert!(allowed, "{seed}: {command:?} was asked for and nobody could mean it");
            asked += 1;
        }
    }
    asked
}

fn stream(seed: u64, stage: &Stage) -> usize {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (width, height) = chance.one_of(&[(80, 24), (100, 30), (160, 48), (60, 16), (59, 15), (1, 1)]);
    let mut console = Console::new(stage.clone(), width, height);
    console.model.look.reader = chance.below(8) == 0;
    let mut witness = Witness::default();
    let mut asked = 0;
    let letters: Vec<char> = LETTERS.chars().collect();
    // Half of the streams begin where something is asked.
    if chance.below(2) == 0 {
        let keys =
            chance.one_of(&["X", "G k R", "G k C", "3 r", "3 enter G a", "j j j j enter S", "x", ":", "3 e"]);
        asked += check(&console.press(keys), false, seed);
    }
    for _ in 0..KEYS {
        if chance.below(3) > 0 {
            let _ = console.send(Message::Drawn(console.at));
            witness.drawn(&console);
        }
        console.at = console.at + Span(chance.one_of(&[0, 1, 200, 349, 350, 351, 1000]));
        let at = console.at;
        match chance.below(24) {
            0 => {
                let wishes = console.send(Message::Paste { text: "y\nr-7\n".to_owned(), at });
                check(&wishes, false, seed);
            }
            1 => {
                let what = chance.one_of(&[Mouse::Click, Mouse::WheelUp, Mouse::WheelDown]);
                let (column, row) = (
                    u16::try_from(chance.below(160)).expect("small"),
                    u16::try_from(chance.below(48)).expect("small"),
                );
                check(&console.send(Message::Mouse { what, column, row }), false, seed);
            }
            2 => drop(console.see()),
            3 => drop(console.draw(&Theme::default())),
            4..7 if witness.counts_from.is_some() => {
                asked += key(&mut console, &mut witness, Key::Char('y'), false, seed)
            }
            other => {
                let key_of =
                    if other < 9 { chance.one_of(NAMED) } else { Key::Char(chance.one_of(&letters)) };
                let repeat = chance.below(6) == 0;
                asked += key(&mut console, &mut witness, key_of, repeat, seed);
            }
        }
    }
    drop(console.draw(&Theme::default()));
    asked
}

fn key(console: &mut Console, witness: &mut Witness, key: Key, repeat: bool, seed: u64) -> usize {
    let at = console.at;
    let allowed = witness.allows(at, repeat);
    let wishes = console.send(Message::Key { press: Press::of(key), repeat, at });
    let asked = check(&wishes, allowed, seed);
    witness.pressed(console, at);
    asked
}

#[test]
fn whatever_is_pressed_anywhere_only_a_dialog_that_was_seen_asks_the_engine() {
    let streams =
        std::env::var("CUELIGHT_STREAMS").ok().and_then(|value| value.parse().ok()).unwrap_or(STREAMS);
    let stage = afternoon();
    let asked: usize = (1..=streams).map(|seed| stream(seed, &stage)).sum();
    println!("{asked} of {streams} streams asked for something that cannot be taken back");
    assert!(asked > 0, "some streams have to end in a question that was answered");
}
