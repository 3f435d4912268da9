//! Every size and every stream of keys: nothing panics, and nothing is asked of the engine that no dialog asked for.

use super::{Console, Stage};
use cuelight_base::Span;
use cuelight_console::{Key, Message, Mouse, Press, Theme, Wish};
use proptest::{prelude::*, sample::select};

fn keys() -> impl Strategy<Value = Press> {
    let named = select(vec![
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
    ]);
    let letters = prop_oneof![
        8 => select("jkhlgGzaoMRcmtfnNwxpPXSCyYuE@?:/&12-+s 0123456789r".chars().collect::<Vec<_>>()),
        1 => any::<char>(),
    ];
    prop_oneof![3 => letters.prop_map(Key::Char), 1 => named].prop_flat_map(|key| {
        (Just(key), prop::bool::weighted(0.1)).prop_map(|(key, ctrl)| Press { key, ctrl, alt: false })
    })
}

#[test]
fn every_size_can_be_drawn() {
    let sizes = [0, 1, 2, 3, 15, 16, 19, 20, 23, 24, 30, 48, 100].into_iter();
    for (height, keys) in sizes.zip([
        "",
        "enter",
        ":",
        "?",
        "x",
        "w",
        "X",
        "2 t",
        "j enter +",
        "j j j j enter -",
        "/ a",
        "&",
        "2 z",
    ]) {
        for width in [0, 1, 2, 10, 59, 60, 61, 79, 80, 99, 100, 139, 140, 300] {
            let mut console = Console::of_afternoon(80, 24);
            drop(console.press(keys));
            drop(console.send(Message::Resize { width, height }));
            drop(console.draw(&Theme::default()));
        }
    }
}

#[test]
fn a_console_without_runs_says_how_to_begin() {
    for keys in ["", "2", "x", "w", ":", "P", "y"] {
        let mut console = Console::new(Stage::at("12:00:00"), 80, 24);
        assert!(console.text().contains("cuelight run FILE"), "{}", console.text());
        drop(console.press(keys));
        drop(console.draw(&Theme::default()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_stream_of_keys_breaks_it_or_cancels_anything(
        stream in prop::collection::vec((keys(), 0_u64..600, any::<bool>()), 1..80),
        width in 1_u16..200,
        height in 1_u16..60,
    ) {
        let mut console = Console::of_afternoon(width, height);
        for (press, wait, repeat) in stream {
            console.at = console.at + Span(wait);
            let wishes = console.send(Message::Key { press, repeat, at: console.at });
            let typed_ids = wishes.iter().any(|wish| matches!(wish,
                Wish::Submit { command, .. } if matches!(**command,
                    cuelight_engine::Command::Cancel { .. } | cuelight_engine::Command::Skip { .. })));
            prop_assert!(!typed_ids, "nobody typed an id");
            if wait % 3 == 0 {
                drop(console.draw(&Theme::default()));
                drop(console.send(Message::Drawn(console.at)));
            }
            if wait % 50 == 0 {
                let what = if wait % 100 == 0 { Mouse::Click } else { Mouse::WheelDown };
                drop(console.send(Message::Mouse { what, column: width / 2, row: height / 3 }));
            }
        }
    }
}

#[test]
fn the_figures_of_an_ended_run_are_final() {
    let mut console = Console::of_afternoon(160, 48);
    let row = |console: &Console, run: &str| {
        let text = console.text();
        text.lines().find(|line| line.contains(&format!("✗ {run} "))).map(ToOwned::to_owned).expect("a row")
    };
    // It failed an hour ago after a minute: the age is the hour, the skipped step is not done.
    let failed = row(&console, "r-2");
    assert!(failed.contains("  1h  ") && failed.contains(" 1/3 "), "{failed}");
    drop(console.press("& r u n : r - 2 enter enter"));
    let text = console.text();
    assert!(text.contains("critical path") && !text.contains("so far"), "{text}");
    assert!(text.contains("1m05s"), "{text}");
    let mut running = Console::of_afternoon(160, 48);
    drop(running.press("& r u n : r - 3 enter enter"));
    assert!(running.text().contains("so far"), "{}", running.text());
}
