//! Hands: keys and clicks that people try without having read the help.

use super::{Console, fixture::Stage};
use cuelight_base::{Arrivals, Span, Timestamp};
use cuelight_console::{Found, Intent, Keymap, Lookup, Message, Mouse, Sheet, View, Wish, parse_keys};

fn mouse(console: &mut Console, what: Mouse, column: u16, row: u16) {
    drop(console.send(Message::Mouse { what, column, row }));
}

#[test]
fn a_double_click_opens_the_row_it_has_selected_and_nothing_else() {
    let mut console = Console::of_afternoon(80, 24);
    let text = console.text();
    let row = text.lines().position(|line| line.contains("r-3 ")).expect("r-3 is listed");
    let row = u16::try_from(row).expect("a row");
    mouse(&mut console, Mouse::Click, 20, row);
    assert_eq!(
        (console.model.view, console.model.run().map(|run| run.to_string())),
        (View::Runs, Some("r-3".to_owned()))
    );
    mouse(&mut console, Mouse::DoubleClick, 20, 21);
    assert_eq!(console.model.view, View::Runs, "below the rows nothing is opened");
    mouse(&mut console, Mouse::DoubleClick, 20, row);
    assert_eq!(console.model.view, View::Dag);
    assert!(console.text().contains("r-3"), "{}", console.text());
}

#[track_caller]
fn check_toast(keys: &str, says: &str) {
    let mut console = Console::of_afternoon(100, 30);
    drop(console.press(keys));
    assert!(console.text().contains(says), "{keys}: {says}\n{}", console.text());
}

#[test]
fn escape_in_the_list_of_runs_stays_there_and_elsewhere_goes_back() {
    let mut console = Console::of_afternoon(80, 24);
    drop(console.press("enter 1 esc esc"));
    assert_eq!(console.model.view, View::Runs);
    drop(console.press("3 esc"));
    assert_eq!(console.model.view, View::Runs);
}

#[test]
fn n_goes_to_the_next_and_starts_nothing() {
    let keymap = Keymap::default();
    let n = parse_keys("n").expect("a key");
    for view in View::ALL {
        let Found::Intents(intents) = keymap.find(view.scope(), &n) else { panic!("{}", view.name()) };
        assert!(matches!(intents[..], [Intent::NextMatch | Intent::NextHot]), "{} {intents:?}", view.name());
    }
    let mut console = Console::of_afternoon(100, 30);
    let mut seen = Vec::new();
    for _ in 0..4 {
        drop(console.press("n"));
        let state = console.model.run().and_then(|run| console.model.board.summary(run)).expect("a run");
        seen.push((state.id.to_string(), state.doing().to_owned()));
    }
    assert!(seen.iter().all(|(_, doing)| doing != "done"), "{seen:?}");
    assert!(seen.iter().any(|(id, _)| id == "r-2"), "the failed one is among them: {seen:?}");
    drop(console.press("/ e t l enter n"));
    assert_eq!(console.model.run().map(|run| run.to_string()).as_deref(), Some("r-3"));
    assert!(!console.text().contains("New run"), "{}", console.text());
}

#[test]
fn enter_says_why_it_opens_nothing() {
    let empty = |keys: &str, says: &str| {
        let mut console = Console::new(Stage::at("10:00:00"), 100, 30);
        drop(console.press(&format!("{keys} enter")));
        assert!(console.text().contains(says), "{keys}: {says}\n{}", console.text());
    };
    empty("", "no runs yet; + starts a workflow");
    empty("2", "no run is selected; 1 lists them");
    empty("3", "nothing waits for a person");
    empty("4", "no failure is selected");
    empty("5", "nothing has failed");
    empty("6", "no run is selected; 1 lists them");
    empty("7", "no run is selected; 1 lists them");
    check_toast("& n o n e enter enter", "no run fits the filter; Esc clears it");
    check_toast("3 enter enter", "the keys of the last row answer");
}

#[test]
fn a_refused_action_opens_no_dialog() {
    // r-1 is done, r-2 has failed; r-7 waits at a gate.
    for (keys, says) in [
        ("G X", "could not cancel: r-1 is completed already"),
        ("G P", "could not pause: r-1 is completed already"),
        ("C", "could not undo run: r-7 still goes on; cancel it first"),
        ("R", "could not retry"),
        ("G C", "could not undo r-1: no step of it can be undone"),
    ] {
        let mut console = Console::of_afternoon(100, 30);
        let wishes = console.press(keys);
        assert_eq!(console.model.mode().word(), "NORMAL", "{keys}\n{}", console.text());
        assert!(console.text().contains(says), "{keys}: {says}\n{}", console.text());
        assert!(!wishes.iter().any(|wish| matches!(wish, Wish::Submit { .. })), "{keys}");
    }
}

#[test]
fn a_letter_is_text_exactly_while_a_field_has_the_keys() {
    // A dialog that wants a text begins in its field: letters are text, and none of them answers.
    let mut console = Console::of_afternoon(100, 30);
    drop(console.press("X y n"));
    assert!(console.text().contains("yn▏"), "{}", console.text());
    // On Back they answer: nothing is typed.
    drop(console.press("shift-tab q y"));
    assert!(console.text().contains("▐") && console.text().contains("[yn"), "{}", console.text());
    assert!(console.text().contains("type the id r-7"), "Back has no yes where an id is typed");
    drop(console.press("n"));
    assert_eq!(console.model.mode().word(), "NORMAL", "{}", console.text());
    // Where one key says yes it begins on Back.
    let mut console = Console::of_afternoon(100, 30);
    drop(console.press("G k R q"));
    assert!(console.text().contains("Retry r-2"), "{}", console.text());
    drop(console.press("shift-tab enter"));
    assert!(console.text().contains("y does it; Enter alone never does"), "{}", console.text());
    let wishes = console.press("y");
    assert!(wishes.iter().any(|wish| matches!(wish, Wish::Submit { .. })), "{}", console.text());
}

#[test]
fn the_palette_knows_the_words_of_other_programs_for_the_selected_run() {
    for (word, row) in [
        ("kill", "cancel r-7"),
        ("abort", "cancel r-7"),
        ("stop", "cancel r-7"),
        ("restart", "retry r-7"),
        ("rerun", "retry r-7"),
        ("describe", "why"),
        ("approve", "approve g-"),
        ("inbox", "view-gates"),
        ("open", "open"),
    ] {
        let mut console = Console::of_afternoon(100, 30);
        let keys: Vec<String> = word.chars().map(String::from).collect();
        drop(console.press(&format!(": {}", keys.join(" "))));
        let text = console.text();
        let typed = text.lines().position(|line| line.contains(&format!(":{word}"))).expect("it is typed");
        let first = text.lines().nth(typed + 2).unwrap_or_default();
        assert!(first.contains(&format!("▌{row}")), "{word}: {first}\n{text}");
    }
    let mut console = Console::of_afternoon(100, 30);
    drop(console.press(": k i l l enter"));
    assert!(console.text().contains("Cancel r-7"), "{}", console.text());
    drop(console.press("esc : a p p r o v e enter"));
    assert_eq!(console.model.view, View::Gates);
    assert!(console.text().contains("read the ask; a approves it"), "{}", console.text());
}

#[test]
fn the_menu_of_a_gate_holds_approve_and_reject_and_leads_to_the_ask() {
    for keys in ["", "enter", "3"] {
        let mut console = Console::of_afternoon(100, 30);
        drop(console.press(&format!("{keys} x")));
        let text = console.text();
        let has = |word: &str| text.lines().any(|line| line.contains(&format!(" {word} ")));
        assert!(has("approve") && has("reject"), "{keys}: {text}");
    }
    let mut console = Console::of_afternoon(100, 30);
    let wishes = console.press("enter x enter");
    assert!(!wishes.iter().any(|wish| matches!(wish, Wish::Submit { .. })));
    assert_eq!((console.model.view, console.step_id().as_str()), (View::Gates, "rotate_prod_keys"));
}

/// Lets time pass by seconds, as the loop does; a call that is looked at has written its last line at `line`.
fn pass(console: &mut Console, seconds: u64, line: Option<Timestamp>) {
    for _ in 0..seconds {
        console.at = console.at + Span::seconds(1);
        for wish in console.send(Message::Tick(console.at)) {
            let (Wish::Read { request, want: Lookup::Tail { .. } }, Some(line)) = (wish, line) else {
                continue;
            };
            let sheet = Sheet::Bytes {
                from: 0,
                bytes: b"x\n".to_vec(),
                total: 2,
                times: Arrivals::since(0, Some(line)),
            };
            drop(console.send(Message::Sheet { request, sheet }));
        }
    }
}

#[test]
fn stale_is_said_after_a_minute_without_an_event_and_without_a_line() {
    let says = |console: &Console| cuelight_console::status_line(&console.model, 160).contains("STALE");
    let mut console = Console::of_afternoon(160, 48);
    pass(&mut console, 50, None);
    assert!(!says(&console), "a step may work for a while and say nothing");
    pass(&mut console, 20, None);
    assert!(says(&console), "{}", console.text());

    let mut console = Console::of_afternoon(160, 48);
    let line = console.at + Span::seconds(40);
    pass(&mut console, 95, Some(line));
    assert!(!says(&console), "a line has come 55 seconds ago: {}", console.text());
    pass(&mut console, 10, Some(line));
    assert!(says(&console), "{}", console.text());

    // Only gates wait: nothing is at work.
    let mut stage = Stage::at("10:00:00");
    let _ = stage.launch("mira", "name: w\nsteps:\n  - {id: ask, gate: May it?}\n");
    let mut console = Console::new(stage, 160, 48);
    pass(&mut console, 200, None);
    assert!(!says(&console), "{}", console.text());
}
