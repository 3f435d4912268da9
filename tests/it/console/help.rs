//! The help: that it says every key there is, that it finds them, and that a row does what its key would.

use super::Console;
use cuelight_console::{Intent, Keymap, Message, Scope, View, Wish};

#[test]
fn the_list_of_all_views_has_every_row_of_the_key_table() {
    let mut console = Console::of_afternoon(160, 48);
    drop(console.press("? tab"));
    let _ = console.send(Message::Resize { width: 160, height: 900 });
    let text = console.text();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter_map(|line| {
            line.trim().trim_matches('│').split_once('│').map_or(Some(line), |(_, rest)| Some(rest))
        })
        .map(|rest| rest.split_whitespace().collect())
        .collect();
    let keymap = Keymap::default();
    for scope in Scope::all() {
        for binding in keymap.bindings(scope) {
            let keys: String = binding.keys.iter().map(ToString::to_string).collect();
            let place = if scope == Scope::Normal { "everywhere" } else { scope.name() };
            let name = binding.intents[0].name();
            let is_there = rows
                .iter()
                .any(|row| row.contains(&keys.as_str()) && row.contains(&name) && row.contains(&place));
            assert!(is_there, "{keys} {name} {place}:\n{text}");
        }
    }
}

#[test]
fn every_view_has_its_own_keys_in_its_help() {
    for view in View::ALL {
        let mut console = Console::of_afternoon(160, 48);
        let name: Vec<String> = view.intent().name().chars().map(String::from).collect();
        drop(console.press(&format!(": {} enter ?", name.join(" "))));
        let _ = console.send(Message::Resize { width: 200, height: 120 });
        let text = console.text();
        assert!(text.contains(&format!("help · {}", view.name())), "{text}");
        for binding in Keymap::default().bindings(view.scope()) {
            let what = binding.intents[0].what();
            // A long text stands on several rows of its column.
            let begins = what.split_at(what.len().min(30)).0.rsplit_once(' ').map_or(what, |halves| halves.0);
            let begins = if what.len() > 30 { begins } else { what };
            assert!(text.contains(begins), "{} {what}:\n{text}", view.name());
        }
    }
}

#[test]
fn a_search_finds_keys_by_word_and_by_key_and_enter_does_what_the_row_says() {
    let mut console = Console::of_afternoon(80, 24);
    drop(console.press("? / p r e v i"));
    let text = console.text();
    assert!(text.contains("preview on or off") && !text.contains("half a page down"), "{text}");
    let before = console.text().contains("critical path");
    assert!(!before);
    drop(console.press("enter"));
    assert!(!console.text().contains("help ·"), "{}", console.text());
    drop(console.press("p"));

    // A key that was typed stands first.
    drop(console.press("? / X"));
    let first = console.text().lines().find(|line| line.contains("L3")).unwrap_or_default().to_owned();
    assert!(first.contains("cancel"), "{first}");
    drop(console.press("enter"));
    assert!(console.text().contains("Cancel r-7"), "a question is asked as ever: {}", console.text());
    drop(console.press("esc"));

    drop(console.press("? / z z z z"));
    assert!(console.text().contains("no key does that"), "{}", console.text());
    // Esc leaves the search, then the help.
    drop(console.press("esc"));
    assert!(console.text().contains("help · Runs"), "{}", console.text());
    drop(console.press("esc"));
    assert!(!console.text().contains("help ·"), "{}", console.text());
}

#[test]
fn a_key_of_another_view_leads_there_and_does_nothing_else() {
    let mut console = Console::of_afternoon(80, 24);
    drop(console.press("? tab / a p p r o v e space t h e"));
    let text = console.text();
    assert!(text.contains("approve the ask"), "{text}");
    let wishes = console.press("enter");
    assert!(!wishes.iter().any(|wish| matches!(wish, Wish::Submit { .. })), "{wishes:?}");
    let text = console.text();
    assert!(text.contains("▐3 Gates") && !text.contains("CONFIRM"), "{text}");
}

#[test]
fn the_keys_are_copied_as_text() {
    let mut console = Console::of_afternoon(80, 24);
    let wishes = console.press("? y");
    let copied =
        wishes.iter().find_map(|wish| if let Wish::Copy(text) = wish { Some(text.as_str()) } else { None });
    let copied = copied.expect("something is copied");
    assert!(copied.contains(Intent::Quit.what()) && copied.lines().count() > 30, "{copied}");
}

#[test]
fn in_the_past_the_help_says_the_keys_of_the_past() {
    let mut console = Console::of_afternoon(160, 48);
    drop(console.press("enter T ?"));
    let text = console.text();
    assert!(text.contains("THE PAST") && text.contains("an event back"), "{text}");
}
