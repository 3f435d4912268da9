//! Effects of keys beside the views: keys after a prefix, marks and ways back, copies, files, the user's
//! editor.

use super::Console;
use cuelight_base::Span;
use cuelight_console::{Found, Intent, Keymap, Message, Scope, Wish, parse_keys};
use cuelight_engine::Command;

fn tick(console: &mut Console, milliseconds: u64) {
    console.at = console.at + Span(milliseconds);
    let _ = console.send(Message::Tick(console.at));
}

/// The row under the cursor.
fn cursor(console: &Console) -> String {
    let text = console.text();
    text.lines().find(|line| line.starts_with('▌')).unwrap_or_default().chars().take(40).collect()
}

#[test]
fn what_can_follow_a_prefix_is_shown_after_300_ms() {
    let mut console = Console::of_afternoon(80, 24);
    drop(console.press("enter z"));
    tick(&mut console, 299);
    assert!(!console.text().contains("close all folds"), "{}", console.text());
    assert_eq!(console.model.deadline().map(|deadline| deadline.since(console.at)), Some(Span(1)));
    tick(&mut console, 1);
    assert!(console.text().contains("close all folds"), "{}", console.text());
    drop(console.press("esc"));
    tick(&mut console, 1_000);
    assert!(!console.text().contains("close all folds"));
}

#[test]
fn a_mark_leads_back_to_its_view_and_row() {
    let mut console = Console::of_afternoon(80, 24);
    drop(console.press("j j m a"));
    let marked = cursor(&console);
    drop(console.press("G 6"));
    drop(console.press("' b"));
    assert!(console.text().contains("there is no mark b"), "{}", console.text());
    drop(console.press("' a"));
    assert_eq!(cursor(&console), marked);
    drop(console.press("m esc j"));
    assert_ne!(cursor(&console), marked, "Esc ends a mark that has no name");
}

#[test]
fn back_and_forward_lead_to_what_was_selected() {
    let mut console = Console::of_afternoon(80, 24);
    drop(console.press("j enter"));
    assert!(console.text().contains("r-5"), "{}", console.text());
    drop(console.press("ctrl-o j j enter"));
    assert!(console.text().contains("r-6"), "{}", console.text());
    drop(console.press("ctrl-o"));
    assert!(cursor(&console).contains("r-6"), "{}", console.text());
    drop(console.press("ctrl-i"));
    assert!(console.text().contains("▐2 DAG▌"), "{}", console.text());
}

#[track_caller]
fn copied(console: &mut Console, keys: &str) -> String {
    let wishes = console.press(keys);
    let text =
        wishes.into_iter().find_map(|wish| if let Wish::Copy(text) = wish { Some(text) } else { None });
    let text = text.expect("something is copied");
    assert!(console.text().contains(&format!("copied {} B by OSC 52", text.len())), "{}", console.text());
    text
}

#[test]
fn the_selection_is_copied_as_id_row_json_and_link() {
    let mut console = Console::of_afternoon(80, 24);
    assert_eq!(copied(&mut console, "y i"), "r-7");
    assert_eq!(copied(&mut console, "y y"), "r-7");
    assert_eq!(copied(&mut console, "y r"), "r-7 infra/rotate-keys running");
    assert_eq!(copied(&mut console, "y l"), "cuelight show r-7");
    let json: serde_json::Value = serde_json::from_str(&copied(&mut console, "y j")).expect("JSON");
    assert_eq!((&json["id"], json["steps"].as_array().map(Vec::len)), (&"r-7".into(), Some(3)));
    drop(console.press("enter"));
    let json: serde_json::Value = serde_json::from_str(&copied(&mut console, "y j")).expect("JSON");
    assert_eq!(json["id"], "rotate_prod_keys");
    drop(console.press("3"));
    let json: serde_json::Value = serde_json::from_str(&copied(&mut console, "y j")).expect("JSON");
    assert!(json["ask_hash"].is_string(), "{json}");
    let screen = copied(&mut console, "Y");
    assert!(screen.contains("Gates") && !screen.contains('\x1b'));
}

#[test]
fn export_saves_picture_text_and_selection() {
    let mut console = Console::of_afternoon(80, 24);
    let wishes = console.press("E");
    let saved: Vec<(&str, &str)> = wishes
        .iter()
        .filter_map(|wish| match wish {
            Wish::Export { name, content } => Some((name.rsplit_once('.')?.1, content.as_str())),
            _ => None,
        })
        .collect();
    let [("svg", svg), ("txt", text), ("json", json)] = saved[..] else { panic!("{saved:?}") };
    assert!(svg.starts_with("<svg") && text.contains("infra/rotate-keys") && json.contains("\"r-7\""));
}

#[test]
fn a_long_reason_is_written_in_the_own_editor_and_decides_nothing() {
    let mut console = Console::of_afternoon(80, 24);
    let wishes = console.press("X c u t f4");
    assert!(wishes.contains(&Wish::Edit("cut".to_owned())), "{wishes:?}");
    let _ = console.send(Message::Edited(Ok("the wrong day\n".to_owned())));
    assert!(console.text().contains("the wrong day"), "{}", console.text());
    let id = console.press("tab r - 7");
    assert!(!id.iter().any(|wish| matches!(wish, Wish::Submit { .. })));
    let sent = console.press("enter");
    let reason = sent.iter().find_map(|wish| match wish {
        Wish::Submit { command, .. } => match &**command {
            Command::Cancel { reason, .. } => Some(reason.as_str()),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(reason, Some("the wrong day"));
    let _ = console.send(Message::Edited(Err("could not start ed: gone; set EDITOR".to_owned())));
    assert!(console.text().contains("set EDITOR"), "{}", console.text());
}

#[test]
fn the_palette_remembers_what_was_chosen() {
    let mut console = Console::of_afternoon(80, 24);
    drop(console.press(": c o m m a n d - l o g enter esc"));
    drop(console.press(": r e c e n t"));
    let text = console.text();
    assert!(text.contains("recent command-log") && text.contains("by mira"), "{text}");
    drop(console.press("enter"));
    assert!(console.text().contains("nothing was asked from here yet"), "{}", console.text());
}

#[test]
fn marks_and_copies_mean_the_same_in_every_view() {
    let keymap = Keymap::default();
    for view in cuelight_console::View::ALL {
        let find = |keys: &str| keymap.find(view.scope(), &parse_keys(keys).expect("keys"));
        assert_eq!(find("m"), Found::Intents(vec![Intent::SetMark]), "{}", view.name());
        assert_eq!(find("y"), Found::Prefix, "{}", view.name());
        assert_eq!(find("yj"), Found::Intents(vec![Intent::CopyJson]), "{}", view.name());
    }
    let mut console = Console::of_afternoon(80, 24);
    drop(console.press("enter m a 6"));
    assert!(console.text().contains("mark a is set here"), "{}", console.text());
    drop(console.press("' a"));
    assert!(console.text().contains("▐2 DAG▌"), "{}", console.text());
}

#[test]
fn a_key_of_a_view_hides_those_that_begin_with_it() {
    let user = "[keys.logs]\n\"y\" = \"copy-line\"\n\"yy\" = \"none\"";
    let keymap = Keymap::with_user(user).expect("correct");
    let logs = |keys: &str| keymap.find(Scope::Logs, &parse_keys(keys).expect("keys"));
    assert_eq!(logs("y"), Found::Intents(vec![Intent::CopyLine]));
    assert_eq!(
        keymap.keys_of(Scope::Logs, Intent::CopyJson),
        None,
        "the help shows no key that cannot be typed"
    );
    assert_eq!(keymap.keys_of(Scope::Runs, Intent::CopyJson).as_deref(), Some("yj"));
}
