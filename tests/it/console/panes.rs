//! Panes: how large the one with the keys is, that it can have all of the screen without borders, and the way to the next of
//! a kind.

use super::{Console, screens};
use cuelight_base::Span;
use cuelight_console::Message;

const SIZES: [(u16, u16); 5] = [(60, 16), (80, 24), (100, 30), (160, 48), (200, 60)];
/// Keys that lead to each view with panes, from the list of runs.
const VIEWS: [&str; 9] = ["1", "enter", "3", "4", "5", "6", "7", "8", ": t o o l s enter"];

/// The screen after so many keys, when all messages are gone.
fn screen(view: &str, keys: &str, (width, height): (u16, u16)) -> String {
    let mut console = Console::of_afternoon(width, height);
    drop(console.press(view));
    drop(console.press(keys));
    console.at = console.at + Span(20_000);
    let _ = console.send(Message::Tick(console.at));
    // How much of an ask was seen depends on what it was seen in.
    let text = console.text();
    text.lines()
        .filter(|line| ["seen", "not appro", "more line"].iter().all(|said| !line.contains(said)))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Rows between the header and the status line.
fn body(text: &str, height: u16) -> Vec<&str> {
    let around = if height < 20 { 2 } else { 3 };
    text.lines().skip(1).take(usize::from(height - around)).collect()
}

#[test]
fn one_pane_has_all_of_the_screen_without_borders_and_gives_it_back() {
    for size in SIZES {
        for view in VIEWS {
            let whole = screen(view, "_ ctrl-l", size);
            let lines = body(&whole, size.1);
            let border = lines.iter().find(|line| line.starts_with(['│', '╭', '╰']));
            assert_eq!(border, None, "{view} at {size:?}:\n{whole}");
            assert_eq!(screen(view, "_ _", size), screen(view, "ctrl-l ctrl-l", size), "{view} at {size:?}");
        }
    }
}

#[test]
fn a_pane_is_made_big_and_small_and_as_it_was() {
    for size in [(100, 30), (160, 48), (200, 60)] {
        for view in VIEWS {
            let [plain, big, small, around] =
                ["ctrl-l ctrl-l ctrl-l", "B ctrl-l ctrl-l", "B B ctrl-l", "B B B"]
                    .map(|text| screen(view, text, size));
            let has_others = view != "6" || size.0 >= 140;
            assert!(
                !has_others || (plain != big && big != small && small != plain),
                "{view} at {size:?}:\n{big}"
            );
            assert_eq!(plain, around, "{view} at {size:?}");
        }
    }
    // Each view has a size of its own.
    assert_eq!(screen("1", "_ 4 1", (160, 48)), screen("1", "_ ctrl-l ctrl-l", (160, 48)));
}

/// An ask that is read to its end in a full-screen pane counts as read, as in any other pane.
#[test]
fn an_ask_that_has_the_whole_screen_is_read_to_its_end_before_it_is_answered() {
    let mut console = Console::of_afternoon(160, 48);
    let (_, height) = console.model.size;
    let _ = console.send(Message::Resize { width: 160, height: 16 });
    drop(console.press("3 _"));
    drop(console.press("a"));
    assert!(console.text().contains("not approvable until seen"), "{}", console.text());
    let _ = console.send(Message::Resize { width: 160, height });
    drop(console.press("ctrl-l space space"));
    assert!(console.text().contains("seen to its end"), "{}", console.text());
}

#[test]
fn brackets_lead_to_the_next_of_a_kind() {
    let mut console = Console::of_afternoon(160, 48);
    let selected = |console: &Console| console.model.run().map(|run| run.to_string()).unwrap_or_default();
    drop(console.press(": o p e n space r - 4 enter 1"));
    assert_eq!(selected(&console), "r-4", "{}", console.text());
    let kin: Vec<String> = ["[ [ [ [", "]", "]"]
        .map(|keys| {
            drop(console.press(keys));
            selected(&console)
        })
        .to_vec();
    assert_eq!(kin, ["r-6", "r-4", "r-4"], "both runs of ml/score-customers, and no further");
    assert!(console.text().contains("there is no further one"), "{}", console.text());

    drop(console.press(": o p e n space r - 5 enter g g l"));
    let first = console.step_id();
    let mut level = vec![first];
    for _ in 0..3 {
        drop(console.press("]"));
        level.push(console.step_id());
    }
    drop(console.press("9 ["));
    level.sort();
    level.dedup();
    assert!(level.len() >= 2 && level.iter().all(|text| text != "fetch_batch"), "{level:?}");

    drop(console.press("8 a"));
    let run = |console: &Console| console.model.run();
    let before = run(&console);
    drop(console.press("] ] ]"));
    assert_eq!(run(&console), before, "records of one run");
    drop(console.press("5 ]"));
    assert!(console.text().contains("nothing here has others of its kind"), "{}", console.text());
}

#[test]
fn tab_goes_to_the_lower_panes_of_runs_and_enter_opens_what_is_under_the_cursor() {
    let focus = |console: &Console| {
        let screen = console.text();
        let row = |title: &str| screen.lines().position(|line| line.contains(title)).expect(title);
        let lower = screen.lines().skip(row("gates  2 waiting")).take(8).collect::<Vec<_>>().join("\n");
        (lower.find("│▌◆ g-").map(|_| "gates")).or(lower.find("││▌").map(|_| "errors")).unwrap_or("list")
    };
    let mut console = Console::of_afternoon(160, 48);
    assert_eq!(focus(&console), "list");
    drop(console.press("tab"));
    assert_eq!(focus(&console), "gates");
    screens::check("runs_gates_pane_160x48", &console);
    drop(console.press("j X"));
    assert_eq!(console.model.mode().word(), "NORMAL", "no run is under the cursor here");
    drop(console.press("enter"));
    assert!(
        console.text().contains("▐ 3 Gates 2 ▌") && console.text().contains("─ g-2 · ask #"),
        "{}",
        console.text()
    );
    drop(console.press("1 tab"));
    assert_eq!(focus(&console), "errors");
    drop(console.press("j j enter"));
    assert!(
        console.text().contains("▐ 4 Errors 2 ▌") && console.text().contains("payments/refunds/call_bank")
    );
    drop(console.press("1 esc"));
    assert_eq!(focus(&console), "list");
    // Where there is no such pane, the key says so.
    let mut small = Console::of_afternoon(80, 24);
    drop(small.press("tab"));
    assert!(small.text().contains("the list alone takes keys"), "{}", small.text());
    drop(small.press("5 tab"));
    assert!(small.text().contains("one pane takes keys here"), "{}", small.text());
}
