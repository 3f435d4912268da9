//! The walls of the house that Cargo does not hold: the order of the rooms, and which words may be said where.
//!
//! A room is a crate, so it cannot name a room that its manifest does not list. This file reads the manifests
//! and the sources as text, and resolves no names: what a name cannot show (an alias of a type, a method) is for
//! `.clippy.toml`. It measures no lengths; those are aims, and a reader's judgement.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// A room as its manifest describes it.
pub(super) struct Room {
    pub(super) name: String,
    /// The first sentence of its description, without the full stop.
    pub(super) does: String,
    pub(super) never: String,
    /// The rooms that it depends on, in reading order.
    pub(super) rooms: Vec<String>,
    /// The other crates that it depends on.
    crates: Vec<String>,
}

/// The rooms in reading order, which is the order of `members` in the root manifest.
pub(super) fn rooms() -> Vec<Room> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: String| -> toml::Table {
        let text = fs::read_to_string(root.join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let members = read("Cargo.toml".to_owned())["workspace"]["members"].as_array().expect("members").clone();
    let paths: Vec<&str> = members.iter().map(|member| member.as_str().expect("a path")).collect();
    let place = |name: &String| paths.iter().position(|path| path.strip_prefix("src/") == Some(name));
    paths
        .iter()
        .map(|path| {
            let manifest = read(format!("{path}/Cargo.toml"));
            let package = &manifest["package"];
            let text = |value: &toml::Value| value.as_str().expect("text").to_owned();
            let names = manifest["dependencies"].as_table().expect("dependencies").keys().collect::<Vec<_>>();
            let of_us = |name: &String| name.strip_prefix("cuelight-").map(str::to_owned);
            let mut seen: Vec<String> = names.iter().copied().filter_map(of_us).collect();
            seen.sort_by_key(place);
            Room {
                name: path.strip_prefix("src/").expect("a room stands in src").to_owned(),
                does: text(&package["description"]).trim_end_matches('.').to_owned(),
                never: text(&package["metadata"]["room"]["never"]),
                rooms: seen,
                crates: names.into_iter().filter(|name| of_us(name).is_none()).cloned().collect(),
            }
        })
        .collect()
}

/// The crates that a room without input or output, waiting or clock may depend on.
const QUIET_CRATES: &[&str] = &[
    "similar",
    "chrono",
    "chrono-tz",
    "croner",
    "jsonschema",
    "regex",
    "serde",
    "schemars",
    "serde-saphyr",
    "serde_json",
    "ring",
    "thiserror",
    "unicode-width",
];
/// The rooms that touch the world.
const LOUD: &[&str] = &["store", "tool", "runtime", "gateway", "console", "app"];

/// The places where waiting is part of the work.
const WAITING: &[&str] = &[
    "tool/",
    "runtime/",
    "gateway/",
    "console/event_loop.rs",
    "console/event_loop/",
    "console/look_up.rs",
    "app/",
];
const WORLD: &[&str] = &["store/", "tool/", "runtime/", "gateway/", "console/", "app/"];

/// A word, where it may be said (path prefixes), and what to say instead. A word with
/// `::` in it is also found when it is spread over the groups of a `use`.
const WORDS: &[(&str, &[&str], &str)] = &[
    // One room for each crate that touches the world.
    ("rusqlite", &["store/"], "ask cuelight_store"),
    ("tokio", WAITING, "return an Effect"),
    ("jsonschema", &["base/schema.rs"], "read a base::Schema"),
    ("ratatui", &["console/"], "return data, let console draw it"),
    ("crossterm", &["console/terminal.rs"], "take a Message of the console"),
    ("tui_textarea", &["console/"], "return data, let console edit it"),
    // Waiting, time and chance.
    ("async", WAITING, "return an Effect; only the loud half waits"),
    ("SystemTime", &["runtime/clock.rs"], "take `now: Timestamp`"),
    ("Instant::now", &["runtime/clock.rs"], "take `now: Timestamp`"),
    ("Utc::now", &["runtime/clock.rs"], "take `now: Timestamp`"),
    ("Local::now", &["runtime/clock.rs"], "take `now: Timestamp`"),
    ("rand", &["runtime/entropy.rs"], "take the seed of the run"),
    ("getrandom", &["runtime/entropy.rs"], "take the seed of the run"),
    // One way through a door to a judgement.
    (
        "submit",
        &[
            "runtime/",
            "console/",
            "app/",
            "gateway/judged.rs",
            "gateway/any_desk.rs",
            "gateway/attach.rs",
            "gateway/look_desk.rs",
        ],
        "submit_judged, or Asked::command: a step may be at the other end",
    ),
    ("serve_http_judged_by", &["gateway/"], "serve_http: the kernel's word counts"),
    // The machine around us.
    ("std::env", &["app/"], "take it from Config"),
    ("std::fs", &["store/", "tool/", "gateway/project.rs", "gateway/http/tls.rs", "app/"], "take the bytes"),
    ("tokio::fs", &["store/", "tool/", "gateway/project.rs", "app/"], "take the bytes"),
    (
        "process::Command",
        &["tool/process/", "tool/guard/", "tool/context/git.rs", "app/"],
        "return an Effect",
    ),
    ("TcpListener", &["gateway/"], "ports are opened by cuelight_gateway"),
    ("UnixListener", &["gateway/", "tool/guard/"], "sockets are opened by cuelight_gateway"),
    ("TcpStream", &["tool/http/"], "connections are made where addresses are judged"),
    ("lookup_host", &["tool/http/"], "names are looked up where addresses are judged"),
    ("hyper", &["tool/http/", "gateway/http/"], "ask cuelight_tool::run_http"),
    ("axum", &["gateway/http/"], "add a route to cuelight_gateway"),
    ("rustls", &["tool/http/", "gateway/http/tls.rs"], "ask cuelight_tool::run_http"),
    ("print!", &["app/"], "return it"),
    ("println!", &["app/"], "return it"),
    ("eprint!", &["app/"], "return it"),
    ("eprintln!", &["app/"], "return it"),
    // Order and rounding are part of the answer.
    ("HashMap", WORLD, "BTreeMap: order is part of the answer"),
    ("HashSet", WORLD, "BTreeSet: order is part of the answer"),
    (
        "f64",
        &["expression/", "store/", "tool/", "runtime/", "gateway/", "console/", "app/"],
        "a whole number of base: Score, Money, Span",
    ),
    ("f32", &["console/"], "a whole number of base: Score, Money, Span"),
    // State has one owner, and a limit.
    ("Mutex", WORLD, "give the state one owner"),
    ("RwLock", WORLD, "give the state one owner"),
    ("RefCell", WORLD, "give the state one owner"),
    ("thread_local", &[], "give the state one owner"),
    ("static mut", &[], "give the state one owner"),
    ("unbounded_channel", &[], "a bound from base::limit"),
    ("Journal", &["store/", "runtime/", "app/"], "submit a Command; only the conductor writes the journal"),
    // Meaning has one name.
    ("Color", &["console/theme.rs", "console/theme/", "console/picture.rs"], "a role of console::Theme"),
    (
        "Key::Char",
        &["console/keymap/press.rs", "console/terminal.rs", "console/update/editing.rs"],
        "an Intent of console::keymap, so that the help is true",
    ),
    // The screen asks the desk in two places, and looks at boards in all others.
    (
        "cuelight_runtime",
        &[
            "runtime/",
            "gateway/",
            "app/",
            "console/event_loop.rs",
            "console/event_loop/",
            "console/look_up.rs",
        ],
        "return a Wish",
    ),
    // The walls are read by name.
    ("crate as", &[], "the walls are read by name"),
    ("extern crate", &[], "the walls are read by name"),
    ("#[path", &[], "a file is named after its module"),
    ("include!", &[], "a file is named after its module"),
];

#[test]
fn the_house_is_tidy() {
    let complaints: String = sources().iter().flat_map(|(path, text)| complaints_about(path, text)).collect();
    assert!(complaints.is_empty(), "\n{complaints}");
}

/// A room depends only on rooms listed above it, so the whole can have no cycle, and the quiet rooms can see
/// nothing of the loud ones.
#[test]
fn the_rooms_are_in_reading_order() {
    let rooms = rooms();
    for (index, room) in rooms.iter().enumerate() {
        for seen in &room.rooms {
            let above = rooms[..index].iter().any(|other| other.name == *seen);
            assert!(above, "{} depends on {seen}, which stands below it", room.name);
            assert!(is_loud(&room.name) || !is_loud(seen), "{} is quiet, {seen} is not", room.name);
        }
    }
}

#[test]
fn the_quiet_rooms_depend_on_nothing_that_touches_the_world() {
    for room in rooms().iter().filter(|room| !is_loud(&room.name)) {
        for name in &room.crates {
            assert!(
                QUIET_CRATES.contains(&name.as_str()),
                "{} is quiet and may not depend on {name}",
                room.name
            );
        }
    }
}

#[test]
fn every_directory_of_src_is_a_room() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let entries = fs::read_dir(root).expect("the sources are there");
    let names = entries.map(|entry| entry.expect("listed").file_name().to_string_lossy().into_owned());
    let found: BTreeSet<String> = names.filter(|name| name != "main.rs").collect();
    assert_eq!(found, rooms().into_iter().map(|room| room.name).collect());
}

/// One line for each breach: the place, what is wrong, and what to do about it.
fn complaints_about(path: &str, text: &str) -> Vec<String> {
    let code = blank_comments_and_strings(text);
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push((0, "begin with `//!`: what this file is for".to_owned()));
    }
    check_words(path, &code, &mut found);
    if path.ends_with("/lib.rs") {
        for offset in word_offsets(&code, "pub mod") {
            found.push((offset, "`pub mod` is a second door; re-export with `pub use`".to_owned()));
        }
    }
    let line_of = |offset: usize| code[..offset].matches('\n').count() + 1;
    let lines: BTreeSet<(usize, String)> =
        found.into_iter().map(|(offset, what)| (line_of(offset), what)).collect();
    lines.into_iter().map(|(line, what)| format!("src/{path}:{line}: {what}\n")).collect()
}

fn check_words(path: &str, code: &str, found: &mut Vec<(usize, String)>) {
    let uses = use_paths(code);
    for (word, places, instead) in WORDS {
        if places.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        let spelled = word_offsets(code, word);
        let spread = uses.iter().filter(|(_, used)| {
            word.contains("::") && format!("::{used}::").contains(&format!("::{word}::"))
        });
        for offset in spelled.chain(spread.map(|(offset, _)| *offset)) {
            found.push((offset, format!("`{word}` may not be said here; {instead}")));
        }
    }
}

fn is_loud(room: &str) -> bool {
    LOUD.contains(&room)
}

/// Every path that a `use` brings in, with its groups spread out.
pub(super) fn use_paths(code: &str) -> Vec<(usize, String)> {
    paths_after(code, "use ")
}

fn paths_after(code: &str, opening: &str) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    for (offset, _) in code.match_indices(opening) {
        if !code[..offset].ends_with(is_word) {
            spread(&code[offset + opening.len()..], "", &mut |path| out.push((offset, path)));
        }
    }
    out
}

/// Reads one path or group from the front of `code`; returns what is left.
fn spread<'a>(code: &'a str, prefix: &str, found: &mut dyn FnMut(String)) -> &'a str {
    let code = code.trim_start();
    let code = code.strip_prefix("::").unwrap_or(code);
    if let Some(mut rest) = code.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if rest.is_empty() {
                return rest;
            }
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            rest = spread(rest, prefix, found);
        }
    }
    let end = code.find(|c: char| !is_word(c) && c != '*').unwrap_or(code.len());
    if end == 0 {
        let next = code.chars().next().map_or(0, char::len_utf8);
        return &code[next..];
    }
    let path = if prefix.is_empty() { code[..end].to_owned() } else { format!("{prefix}::{}", &code[..end]) };
    if let Some(rest) = code[end..].strip_prefix("::") {
        return spread(rest, &path, found);
    }
    found(path);
    let rest = code[end..].trim_start();
    let alias = rest.strip_prefix("as ").map(str::trim_start);
    alias.map_or(rest, |alias| alias.trim_start_matches(is_word))
}

/// Offsets at which `word` stands alone, not as a part of a longer name.
pub(super) fn word_offsets<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(offset, _)| offset).filter(move |&offset| {
        !code[..offset].ends_with(is_word) && !code[offset + word.len()..].starts_with(is_word)
    })
}

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The same text with comments and the insides of literals turned to spaces.
pub(super) fn blank_comments_and_strings(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest) {
            length
        } else if rest.starts_with('"') {
            quoted(rest)
        } else if let Some(length) = char_literal(rest) {
            length
        } else {
            // A whole word at a time, so that the `r` of `for"` opens nothing.
            let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            at += word.max(rest.chars().next().map_or(1, char::len_utf8));
            continue;
        };
        for byte in &mut out[at..at + length] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += length;
    }
    String::from_utf8(out).expect("only whole characters were blanked")
}

/// The length of the block comment that `text` begins with; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let step = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of the raw string that `text` begins with; none for a raw name (`r#type`).
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix("cr"));
    let after = after.or_else(|| text.strip_prefix('r'))?;
    let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
    let inside = after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&close).map_or(inside.len(), |index| index + close.len());
    Some(text.len() - inside.len() + length)
}

/// The length of the string that `text` begins with.
fn quoted(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

/// The length of the character literal that `text` begins with; none for a lifetime.
fn char_literal(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let mut chars = inner.char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' {
        let (after, _) = inner.char_indices().nth(2)?;
        return Some(1 + after + inner[after..].find('\'')? + 1);
    }
    let (at, second) = chars.next()?;
    (second == '\'').then_some(1 + at + 1)
}

/// The sources of all rooms, by path below `src`.
pub(super) fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    read_tree(&root, &root, &mut files);
    assert!(!files.is_empty());
    files
}

fn read_tree(root: &Path, dir: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).expect("the sources are there") {
        let path = entry.expect("the sources can be listed").path();
        if path.is_dir() {
            read_tree(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("listed below the root");
            let name = name.to_str().expect("our names are ASCII").replace('\\', "/");
            files.insert(name, fs::read_to_string(&path).expect("a source is UTF-8"));
        }
    }
}

// From here on the wall tests itself: a file in, complaints out.

#[track_caller]
fn check(path: &str, text: &str, expected: &[&str]) {
    let said = complaints_about(path, &format!("//! .\n{text}"));
    let said: Vec<&str> =
        said.iter().map(|line| line.split_once(": ").expect("a place").1.trim_end()).collect();
    assert_eq!(said, expected);
}

#[test]
fn a_door_submits_only_where_its_peer_is_judged() {
    let way =
        "`submit` may not be said here; submit_judged, or Asked::command: a step may be at the other end";
    for door in ["gateway/http/gates.rs", "gateway/http/skips.rs", "gateway/seat.rs"] {
        check(door, "fn f() { desk.submit(request) }", &[way]);
        check(door, "fn f() { submit_judged(desk, request, judge) }", &[]);
    }
    check("gateway/judged.rs", "fn f() { desk.submit(request) }", &[]);
    let judge = "`serve_http_judged_by` may not be said here; serve_http: the kernel's word counts";
    check("app/wiring.rs", "use cuelight_gateway::serve_http_judged_by;", &[judge]);
}

#[test]
fn a_room_has_one_door() {
    check(
        "engine/lib.rs",
        "mod gate;\npub mod step;",
        &["`pub mod` is a second door; re-export with `pub use`"],
    );
    check("console/gates/mod.rs", "pub mod draw;", &[]);
}

#[test]
fn the_screen_asks_the_desk_in_two_places() {
    let said = ["`cuelight_runtime` may not be said here; return a Wish"];
    check("console/gates/draw.rs", "use cuelight_runtime::Desk;", &said);
    check("console/event_loop.rs", "use cuelight_runtime::Desk;", &[]);
}

#[test]
fn some_words_belong_to_one_room() {
    check(
        "engine/gate.rs",
        "fn f() { let t = std::time::Instant::now(); }",
        &["`Instant::now` may not be said here; take `now: Timestamp`"],
    );
    check("console/gates/draw.rs", "use tokio::spawn;", &["`tokio` may not be said here; return an Effect"]);
    check("runtime/conductor.rs", "use tokio::select;", &[]);
    check("expression/number.rs", "fn f(x: f64) {}", &[]);
    check(
        "engine/quality.rs",
        "fn f(x: f64) {}",
        &["`f64` may not be said here; a whole number of base: Score, Money, Span"],
    );
    check(
        "console/gates/draw.rs",
        "async fn f() {}",
        &["`async` may not be said here; return an Effect; only the loud half waits"],
    );
    check("engine/gate.rs", "fn asynchronous(operand: u8, Random: u8) {}", &[]);
}

#[test]
fn a_word_is_found_in_the_groups_of_a_use() {
    let said = ["`std::fs` may not be said here; take the bytes"];
    check("plan/lower.rs", "use std::fs;", &said);
    check("plan/lower.rs", "use std::{collections::BTreeMap, fs, path::Path};", &said);
    check("plan/lower.rs", "use ::std::{fs::{read, write}};", &said);
    check(
        "gateway/server.rs",
        "use std::process::{Command, Stdio};",
        &["`process::Command` may not be said here; return an Effect"],
    );
    check("plan/lower.rs", "use std::{fmt, collections::BTreeMap};", &[]);
    check("store/blob.rs", "use std::{fs, path::Path};", &[]);
}

#[test]
fn what_is_only_written_about_is_no_breach() {
    check("engine/gate.rs", "// Instant::now is read in runtime.\nconst S: &str = \"rusqlite\";", &[]);
    check("engine/gate.rs", "/* tokio /* async */ rusqlite */ const C: char = '\"';", &[]);
    check("engine/gate.rs", "const S: &str = r#\"crate::store \" tokio\"#; fn f<'a>() {}", &[]);
    check(
        "engine/gate.rs",
        "const A: (char, &str) = ('\\'', \"\\\" tokio\"); use tokio::time;",
        &["`tokio` may not be said here; return an Effect"],
    );
}

#[test]
fn the_walls_are_read_by_name() {
    check(
        "engine/gate.rs",
        "use crate as c;",
        &["`crate as` may not be said here; the walls are read by name"],
    );
    let moved = ["`#[path` may not be said here; a file is named after its module"];
    check("engine/lib.rs", "#[path = \"../store/lib.rs\"]\nmod s;", &moved);
}

#[test]
fn a_file_says_what_it_is_for() {
    let said = complaints_about("base/id.rs", "pub struct RunId(u64);");
    assert_eq!(said, ["src/base/id.rs:1: begin with `//!`: what this file is for\n"]);
}
