//! Starting a workflow from the console: what there is, what it asks for, what is wrong with what is typed, and what is
//! asked of the engine in the end.

use super::{Console, screens::everywhere};
use cuelight_console::{Lookup, Message, Offered, OfferedInput, Sheet, Wish};

fn input(name: &str, kind: &str, required: bool, default: Option<&str>) -> OfferedInput {
    OfferedInput {
        name: name.to_owned(),
        kind: kind.to_owned(),
        required,
        default: default.map(str::to_owned),
        ..OfferedInput::default()
    }
}

/// The answer of the workspace's owner.
fn offered(path: &str, words: &[(String, String)]) -> Offered {
    let files = vec![".cuelight/workflows/deploy.yaml".to_owned(), ".cuelight/workflows/etl.yaml".to_owned()];
    if !path.ends_with("deploy.yaml") {
        let problems =
            if path.is_empty() { vec![] } else { vec![format!("could not read {path}: no such file")] };
        return Offered { files, problems, ..Offered::default() };
    }
    let given = |name: &str| words.iter().any(|(text, _)| text == name);
    let mut problems = Vec::new();
    if !given("version") {
        problems
            .push("could not find input `version`, which is required; give it with -i version=…".to_owned());
    }
    if words.iter().any(|(name, text)| name == "count" && text.parse::<u32>().is_err()) {
        problems.push("could not take input `count`: it must be of type integer".to_owned());
    }
    let region = OfferedInput {
        choices: vec!["eu".to_owned(), "us".to_owned()],
        about: "where it goes \u{202e}".to_owned(),
        ..input("region", "string", false, Some("eu"))
    };
    Offered {
        files,
        name: "ship/deploy".to_owned(),
        about: "Builds it, asks, ships it.".to_owned(),
        inputs: vec![
            input("version", "string", true, None),
            input("count", "integer", false, Some("3")),
            region,
        ],
        problems,
    }
}

/// Keys, with the owner's answer after each.
fn press(console: &mut Console, keys: &str) -> Vec<Wish> {
    let mut all = Vec::new();
    for key in keys.split_whitespace() {
        let mut wishes = console.press(key);
        while let Some(Wish::Read { request, want: Lookup::Workflow { path, words } }) = wishes
            .iter()
            .find(|wish| matches!(wish, Wish::Read { want: Lookup::Workflow { .. }, .. }))
            .cloned()
        {
            let sheet = Sheet::Workflow(offered(&path, &words));
            all.append(&mut wishes);
            wishes = console.send(Message::Sheet { request, sheet });
        }
        all.append(&mut wishes);
    }
    all
}

fn launched(wishes: &[Wish]) -> Option<(&str, Vec<String>)> {
    wishes.iter().find_map(|wish| match wish {
        Wish::Launch { path, words, .. } => {
            Some((path.as_str(), words.iter().map(|(name, text)| format!("{name}={text}")).collect()))
        }
        _ => None,
    })
}

#[test]
fn a_workflow_is_chosen_its_inputs_are_filled_in_and_it_is_started() {
    let mut console = Console::of_afternoon(100, 30);
    drop(press(&mut console, "+ tab tab"));
    let text = console.text();
    assert!(text.contains("ship/deploy") && text.contains("Builds it, asks, ships it."), "{text}");
    assert!(text.contains("integer, default 3") && text.contains("one of eu, us"), "{text}");
    assert!(text.contains("which is required"), "{text}");
    let early = press(&mut console, "enter enter enter enter enter");
    assert_eq!(launched(&early), None, "what is required is missing");
    assert!(console.text().contains("could not start: could not find input `version`"), "{}", console.text());
    drop(press(&mut console, "down down 2 . 1 down x"));
    assert!(console.text().contains("it must be of type integer"), "{}", console.text());
    drop(press(&mut console, "backspace 7 down tab tab down"));
    let wishes = press(&mut console, "enter");
    let words = ["version=2.1", "count=7", "region=us"].map(str::to_owned).to_vec();
    assert_eq!(launched(&wishes), Some((".cuelight/workflows/deploy.yaml", words)));
    assert!(!console.text().contains("New run"), "the form is closed");
}

#[test]
fn what_cannot_be_read_says_so_and_esc_starts_nothing() {
    let mut console = Console::of_afternoon(80, 24);
    let wishes = press(&mut console, "+ n o . y enter enter");
    assert_eq!(launched(&wishes), None);
    assert!(console.text().contains("could not read no.y"), "{}", console.text());
    let wishes = press(&mut console, "esc");
    assert_eq!(launched(&wishes), None);
    assert_eq!(console.model.mode().word(), "NORMAL");
}

#[test]
fn the_form_is_as_it_was_looked_at() {
    everywhere("new_run", |width, height| {
        let mut console = Console::of_afternoon(width, height);
        drop(press(&mut console, "+ tab tab down 2 down x"));
        console
    });
}

#[test]
fn the_files_that_can_be_started_are_listed_and_enter_takes_the_one_that_is_meant() {
    let mut console = Console::of_afternoon(100, 30);
    drop(press(&mut console, "+"));
    let text = console.text();
    assert!(text.contains(".cuelight/workflows/deploy.yaml") && text.contains("etl.yaml"), "{text}");
    drop(press(&mut console, "d e p enter"));
    assert!(console.text().contains("ship/deploy"), "{}", console.text());
    assert_eq!(launched(&press(&mut console, "enter")), None, "its inputs come first");
}

#[test]
fn the_palette_opens_the_form_of_a_named_file() {
    let mut console = Console::of_afternoon(100, 30);
    drop(press(&mut console, ": r u n space d e p l o y . y a m l enter"));
    assert!(console.text().contains("ship/deploy"), "{}", console.text());
}
