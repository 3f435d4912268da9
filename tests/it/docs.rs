//! The documents say what is so: generated pages are fresh, links lead somewhere, tables match the code, and the two
//! commands of the README are there.
//!
//! With `UPDATE_DOCS=1` generated pages are written anew instead of compared.

mod events;
mod keys;
mod tools;

use crate::architecture::rooms;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// True if generated files are written instead of compared.
#[expect(clippy::disallowed_methods, reason = "a test is told by whoever runs it")]
pub(crate) fn is_updating() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1")
}

/// Every page for people: at the top, and below these directories.
pub(crate) fn pages() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md")];
    let mut open: Vec<PathBuf> = ["docs", "examples"].iter().map(|text| root().join(text)).collect();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of the checkout") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Targets of `[text](target)`, `![text](target)` and `src="target"`, outside of code.
fn links(text: &str) -> Vec<String> {
    let mut prose = String::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            let outside = line.split('`').step_by(2);
            prose.extend(outside.flat_map(|part| [part, " "]));
            prose.push('\n');
        }
    }
    let after = |opening: &'static str, end: char| {
        let found = prose.match_indices(opening).map(move |(at, _)| at + opening.len());
        found
            .filter_map(|at| prose[at..].split_once(end).map(|halves| halves.0.to_owned()))
            .collect::<Vec<_>>()
    };
    [after("](", ')'), after("src=\"", '"')].concat()
}

/// The anchors that headings of a page make.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text
        .lines()
        .filter_map(|line| line.strip_prefix('#').map(|rest| rest.trim_start_matches('#').trim()));
    let kept = |heading: &str| -> String {
        let lower = heading.to_lowercase().replace(' ', "-");
        lower.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
    };
    headings.map(kept).collect()
}

/// A page that is written by a test: compared, or written anew.
fn check_page(path: &str, text: &str) {
    let path = root().join(path);
    if is_updating() {
        fs::write(&path, text).expect("the page can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "{} is not fresh; UPDATE_DOCS=1 cargo test --test it docs", shown(&path));
}

/// The text of the files that declare the events, one after the other.
fn source_of_events() -> String {
    let of_room =
        |room: &str| fs::read_dir(root().join("src").join(room).join("event")).expect("a directory");
    let entries = of_room("exchange").chain(of_room("engine"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.iter().map(|path| fs::read_to_string(path).expect("a source is UTF-8")).collect()
}

#[test]
fn the_page_of_events_is_fresh() {
    check_page("docs/EVENTS.md", &events::page(&source_of_events()));
}

#[test]
fn the_schema_of_events_is_fresh() {
    check_page("src/projection/events.schema.json", &events::schema(&source_of_events()));
}

#[test]
fn the_page_of_keys_is_fresh() {
    check_page("docs/KEYS.md", &keys::page(&read("src/console/keymap.toml")));
}

#[test]
fn the_page_of_tools_is_fresh() {
    check_page("docs/TOOLS.md", &tools::page());
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut complaints = String::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let beside = page.parent().expect("a page stands in a directory");
            let target = if path.is_empty() { page.clone() } else { beside.join(path) };
            let is_there = target.exists()
                && (anchor.is_empty()
                    || anchors(&fs::read_to_string(&target).unwrap_or_default()).contains(anchor));
            if !is_there {
                complaints.push_str(&format!("{}: {link} leads nowhere\n", shown(&page)));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

pub(crate) fn shown(page: &Path) -> String {
    page.strip_prefix(root()).expect("below the root").display().to_string()
}

/// Comments point to pages by name and number: `semantics.md` 5. What they point to is there.
#[test]
fn what_comments_point_to_is_there() {
    let mut complaints = String::new();
    let mut open = ["src", "tests", "benches"].map(|text| root().join(text)).to_vec();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(&path).expect("a directory").map(|entry| entry.expect("an entry").path()),
            );
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for page in ["semantics", "reliability"] {
            let pointer = format!("`{page}.md` ");
            let headings = read(&format!("docs/{page}.md"));
            for (at, _) in text.match_indices(&pointer) {
                let rest = &text[at + pointer.len()..];
                let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
                let number = number.trim_end_matches('.');
                if number.is_empty()
                    || !headings
                        .lines()
                        .any(|line| line.starts_with('#') && line.contains(&format!("# {number} ")))
                {
                    complaints.push_str(&format!("{}: {page}.md has no section {number:?}\n", shown(&path)));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn the_table_of_rooms_is_that_of_their_manifests() {
    const FROM: &str = "<!-- rooms: made of the manifests in src, written by UPDATE_DOCS=1 -->\n";
    const TO: &str = "<!-- end of rooms -->";
    let text = read("docs/ARCHITECTURE.md");
    let (before, rest) = text.split_once(FROM).expect("the table of rooms");
    let (_, after) = rest.split_once(TO).expect("the end of the table");
    let mut table = "| room | depends on | is | must never |\n|---|---|---|---|\n".to_owned();
    for (above, room) in rooms().into_iter().enumerate() {
        let seen: Vec<String> = room.rooms.iter().map(|name| format!("`{name}`")).collect();
        let seen = match seen.len() {
            0 => "–".to_owned(),
            count if count == above && count > 2 => "all above".to_owned(),
            _ => seen.join(" "),
        };
        table += &format!("| `{}` | {seen} | {} | {} |\n", room.name, room.does, room.never);
    }
    check_page("docs/ARCHITECTURE.md", &format!("{before}{FROM}{table}{TO}{after}"));
}

#[test]
fn the_readme_has_its_two_commands_and_they_are_there() {
    let text = read("README.md");
    let commands: Vec<&str> = text
        .split("```sh\n")
        .skip(1)
        .filter_map(|part| part.split_once("\n```").map(|halves| halves.0))
        .collect();
    assert_eq!(commands, ["cargo run --release -- demo", "tests/all"]);
    let help =
        Command::new(env!("CARGO_BIN_EXE_cuelight")).args(["demo", "--help"]).output().expect("the program");
    assert!(help.status.success(), "{}", String::from_utf8_lossy(&help.stderr));
    for script in ["tests/all", "tests/night", "fuzz/run", ".ci/run"] {
        let about = fs::metadata(root().join(script)).expect("a script");
        assert!(about.permissions().mode() & 0o111 != 0, "{script} can be executed");
        let checked = Command::new("bash").arg("-n").arg(root().join(script)).status().expect("bash");
        assert!(checked.success(), "{script} is a script");
    }
    assert!(read(".ci/run").contains("tests/all"), "CI has no check of its own");
}

#[test]
fn each_test_that_a_promise_names_is_there() {
    let text = read("docs/promises.md");
    let named: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|part| part.contains("::")).collect();
    assert!(named.len() > 15, "the page names its tests");
    for name in named {
        let (path, test) = name.rsplit_once("::").expect("a module");
        let file = format!("tests/it/{}.rs", path.replace("::", "/"));
        assert!(root().join(&file).exists(), "{name}: there is no {file}");
        assert!(test.is_empty() || read(&file).contains(&format!("fn {test}()")), "there is no test {name}");
    }
}

/// The rows of a table: the cells of each.
fn rows<'a>(page: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let table = page.split_once(head).expect("a table").1.split("\n\n").next().expect("its rows");
    let rows = table.lines().filter(|line| line.starts_with("| "));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// Words in backticks within a table cell.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// `GET /api/gates?state=`, as it is compared: with its names in order.
fn way(path: &str, mut names: Vec<String>) -> String {
    names.sort();
    format!("{path}?{}", names.join("&"))
}

#[test]
fn the_page_of_the_api_has_every_way_in_with_its_names_and_its_permission() {
    let page = read("docs/sidecar.md");
    let mut told = BTreeMap::new();
    for row in rows(&page, "\n| | needs | |\n") {
        let needs = quoted(row[1]).next().map(str::to_owned);
        let mut before = String::new();
        for word in quoted(row[0]) {
            let (path, query) = word.split_once('?').unwrap_or((word, ""));
            if let Some(last) = path.strip_prefix("…/") {
                before.truncate(before.rfind('/').expect("a path") + 1);
                before.push_str(last);
            } else {
                path.clone_into(&mut before);
            }
            let names = query
                .split('&')
                .filter(|part| !part.is_empty())
                .map(|part| part.trim_end_matches('=').to_owned());
            assert!(told.insert(way(&before, names.collect()), needs.clone()).is_none(), "{before} twice");
        }
    }
    let document = cuelight_gateway::openapi();
    let mut known = BTreeMap::new();
    for (path, calls) in document["paths"].as_object().expect("paths") {
        for (method, call) in calls.as_object().expect("methods") {
            let asked = call["parameters"]
                .as_array()
                .expect("parameters")
                .iter()
                .filter(|parameter| parameter["in"] == "query");
            let names =
                asked.map(|parameter| parameter["name"].as_str().expect("a name").to_owned()).collect();
            let needs = call["description"]
                .as_str()
                .and_then(|description| quoted(description).next())
                .map(str::to_owned);
            known.insert(way(&format!("{} {path}", method.to_uppercase()), names), needs);
        }
    }
    // One's own leave needs another permission than that of somebody else; the page says both.
    known.insert("DELETE /api/agents/{id}?".to_owned(), Some("write_results".to_owned()));
    assert_eq!(told, known);
}

#[test]
fn the_page_of_the_api_has_every_code_that_is_answered_and_no_other() {
    let page = read("docs/sidecar.md");
    let mut told = BTreeSet::new();
    for row in rows(&page, "\n| code | status | |\n") {
        for part in row[0].split(", ") {
            let (first, last) = (quoted(part).next().expect("a code"), quoted(part).last().expect("a code"));
            let number = |text: &str| text[text.len() - 3..].parse::<u32>().expect("a number");
            for at in number(first)..=number(last) {
                told.insert(format!("{}{at:03}", &first[..first.len() - 3]));
            }
        }
    }
    let mut answered = BTreeSet::new();
    let mut dirs = vec![root().join("src/gateway")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("a directory").flatten().map(|entry| entry.path()) {
            if entry.is_dir() {
                dirs.push(entry);
                continue;
            }
            let text = fs::read_to_string(&entry).expect("a file");
            let is_code = |part: &&str| {
                part.split_once('_').is_some_and(|(of, number)| {
                    of.bytes().all(|byte| byte.is_ascii_uppercase())
                        && number.len() == 3
                        && number.bytes().all(|byte| byte.is_ascii_digit())
                })
            };
            answered.extend(text.split('"').filter(is_code).map(str::to_owned));
        }
    }
    assert_eq!(told, answered);
}

#[test]
fn only_what_belongs_there_stands_at_the_top() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "src",
        "themes",
        "tests",
        "screenshots",
        "docs",
        "examples",
        "benches",
        "fuzz",
        "target",
    ];
    for entry in fs::read_dir(root()).expect("the checkout") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name in UTF-8");
        assert!(
            name.starts_with('.') || allowed.contains(&name.as_str()),
            "{name} does not belong at the top"
        );
    }
}
