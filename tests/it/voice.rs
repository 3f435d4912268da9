//! Plain English, counted. Each count has a budget that only goes down: a count above it fails, and so does one below it, so
//! that the budget follows.
//!
//! The rules: a doc comment opens with the noun or the verb that it is about and says more than three words; a variable
//! is never called `it`; a line of a page wraps, a sentence ends; each name that a room exports means one thing.

use crate::{
    architecture::{blank_comments_and_strings, rooms, sources},
    docs,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// Words that open no doc comment.
const OPENINGS: &[&str] = &[
    "what", "whatever", "whether", "who", "whoever", "whom", "whose", "which", "how", "where", "wherever",
    "those", "such", "of",
];
/// Pages that a test writes.
const GENERATED: &[&str] = &["docs/EVENTS.md", "docs/KEYS.md", "docs/TOOLS.md"];

#[track_caller]
fn check(what: &str, found: &[String], budget: usize) {
    let shown = found.iter().take(60).map(|line| format!("  {line}\n")).collect::<String>();
    assert!(found.len() <= budget, "{what}: {} found, the budget is {budget}\n{shown}", found.len());
    assert!(found.len() == budget, "{what}: only {} are left; lower the budget of {budget}", found.len());
}

/// Each paragraph of the doc comments of a file: the number of its first line, and its text in one line. Headings and
/// code are left out.
fn doc_comments(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut is_open, mut is_code) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let comment = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim);
        is_code = comment.is_some() && is_code ^ comment.is_some_and(|text| text.starts_with("```"));
        let comment = comment.filter(|text| {
            !is_code && !text.is_empty() && !text.starts_with('#') && !text.starts_with("```")
        });
        match (comment, is_open) {
            (Some(more), true) => {
                let last = &mut found.last_mut().expect("one is open").1;
                *last = format!("{last} {more}");
            }
            (Some(first), false) => found.push((index + 1, first.to_owned())),
            (None, _) => {}
        }
        is_open = comment.is_some();
    }
    found
}

/// The doc comments of all rooms that a rule is against.
fn breaking(rule: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources() {
        for (line, comment) in doc_comments(&text) {
            if rule(&comment) {
                found.push(format!("src/{path}:{line}: {comment}"));
            }
        }
    }
    found
}

#[test]
fn no_doc_comment_opens_with_a_pronoun() {
    let opens_badly = |comment: &str| {
        let comment = comment.to_lowercase();
        let first = comment.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty());
        first.is_some_and(|word| OPENINGS.contains(&word)) || comment.starts_with("there is")
    };
    check("doc comments that open with a pronoun", &breaking(opens_badly), 0);
}

/// The help texts of flags and values are tables, which `--help` prints beside the name. An example in code is a shape.
#[test]
fn a_doc_comment_says_more_than_the_name() {
    let is_short = |comment: &str| comment.split_whitespace().count() <= 3 && !comment.contains('`');
    let short = breaking(is_short);
    let short: Vec<String> = short.into_iter().filter(|line| !line.starts_with("src/app/")).collect();
    check("doc comments of three words or fewer", &short, 0);
}

#[test]
fn no_variable_is_called_it() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        for (index, line) in blank_comments_and_strings(&text).lines().enumerate() {
            if line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "it") {
                found.push(format!("src/{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    check("variables called `it`", &found, 0);
}

/// Every page with its path, but those that a test writes.
fn pages() -> Vec<(String, String)> {
    let named = docs::pages().into_iter().map(|path| (docs::shown(&path), path));
    let written = named.filter(|(name, _)| !GENERATED.contains(&name.as_str()));
    written.map(|(name, path)| (name, fs::read_to_string(path).expect("a page"))).collect()
}

/// The pages that are kept up. Decisions and changes are records: they stay as they were written.
fn living_pages() -> Vec<(String, String)> {
    let is_record = |path: &str| path.starts_with("docs/decisions/") || path.ends_with("CHANGELOG.md");
    pages().into_iter().filter(|(path, _)| !is_record(path)).collect()
}

/// The prose of a page: each paragraph or item with the number of its first line, without code, tables and headings.
fn paragraphs(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut is_code): (Vec<(usize, String)>, bool) = (Vec::new(), false);
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("```") {
            is_code = !is_code;
        }
        if is_code || line.is_empty() || line.starts_with(['#', '|', '`', '<']) {
            is_open = false;
            continue;
        }
        let begins = line.starts_with(['-', '*', '>'])
            || line.split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok());
        if is_open && !begins {
            let last = &mut found.last_mut().expect("one is open").1;
            *last = format!("{last} {line}");
        } else {
            found.push((index + 1, line.to_owned()));
        }
        is_open = true;
    }
    found
}

#[test]
fn lines_of_pages_wrap() {
    let mut found = Vec::new();
    for (path, text) in pages() {
        let mut is_code = false;
        for (index, line) in text.lines().enumerate() {
            is_code ^= line.trim_start().starts_with("```");
            if !is_code && !line.starts_with('|') && line.chars().count() > 120 {
                found.push(format!("{path}:{}", index + 1));
            }
        }
    }
    check("lines of pages over 120 characters", &found, 0);
}

#[test]
fn sentences_of_pages_end() {
    let mut found = Vec::new();
    for (path, text) in living_pages() {
        for (line, paragraph) in paragraphs(&text) {
            let ends = ['.', ':', ';', '?', '!'];
            let mut words = 0;
            for word in paragraph.split_whitespace() {
                words += 1;
                if words == 36 {
                    found.push(format!("{path}:{line}: {}…", paragraph.chars().take(80).collect::<String>()));
                }
                if word.trim_end_matches(['`', ')', '*', '"']).ends_with(ends) {
                    words = 0;
                }
            }
        }
    }
    check("sentences of pages over 35 words", &found, 0);
}

#[test]
fn pages_and_comments_use_the_words_of_the_list() {
    let list = docs::read("docs/words.txt");
    let pairs: Vec<(&str, &str)> = list
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .collect();
    assert!(pairs.len() > 10, "the list is read");
    let mut found = Vec::new();
    let mut look = |place: String, text: &str| {
        let text = format!(" {} ", text.to_lowercase());
        for (avoid, instead) in &pairs {
            for _ in text.matches(&format!(" {avoid} ")) {
                found.push(format!("{place}: \"{avoid}\" is {instead}"));
            }
        }
    };
    for (path, text) in sources() {
        for (line, comment) in doc_comments(&text) {
            look(format!("src/{path}:{line}"), &comment);
        }
    }
    for (path, text) in living_pages() {
        for (line, paragraph) in paragraphs(&text) {
            look(format!("{path}:{line}"), &paragraph);
        }
    }
    check("words of docs/words.txt", &found, 0);
}

/// Names of the doors: those that more than one room exports, each for something else.
#[test]
fn an_exported_name_means_one_thing() {
    let mut rooms_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for room in rooms() {
        let door = docs::read(&format!("src/{}/lib.rs", room.name));
        for export in blank_comments_and_strings(&door).split("pub use ").skip(1) {
            let export = export.split(';').next().unwrap_or_default();
            if export.starts_with("cuelight_") {
                continue;
            }
            let names = export.rsplit("::").next().unwrap_or_default();
            for item in names.trim_matches(['{', '}', ' ', '\n']).split(',') {
                let name = item.rsplit(" as ").next().unwrap_or_default().trim();
                if name.starts_with(|c: char| c.is_uppercase()) && name.contains(|c: char| c.is_lowercase()) {
                    rooms_of.entry(name.to_owned()).or_default().insert(room.name.clone());
                }
            }
        }
    }
    assert!(rooms_of.len() > 300, "the doors are read");
    let found: Vec<String> = rooms_of
        .into_iter()
        .filter(|(_, rooms)| rooms.len() > 1)
        .map(|(name, rooms)| format!("{name}: {}", rooms.into_iter().collect::<Vec<_>>().join(", ")))
        .collect();
    check("exported names with more than one meaning", &found, 37);
}
