//! The shape of the files inside a room, counted. Files that name each other in a circle are one component and are read
//! together, so a component has at most six files. A type has at most 25 fields.

use crate::architecture::{blank_comments_and_strings, is_word, rooms, sources, use_paths, word_offsets};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};

const FILES_MAX: usize = 6;

const FIELDS_MAX: usize = 25;
/// Types with more fields: they are stored, and their JSON is a contract.
const STORED: &[&str] = &["Ask", "PlanStep"];

/// A module by its names from the root of its room; the root has none.
type Module = Vec<String>;

/// One file: the paths that it uses, and its code without them.
struct File {
    /// Each with true if it is exported again.
    uses: Vec<(Vec<String>, bool)>,
    body: String,
}

struct Files(BTreeMap<Module, File>);

impl Files {
    fn read<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let tests = Regex::new(r"#\[cfg\(test\)\]\s*(pub(\([^)]*\))? )?mod \w+ \{").expect("a pattern");
        let named = Regex::new(r"(pub(\([^)]*\))?\s+)?\b(use\s[^;]*|mod\s+\w+);").expect("a pattern");
        let file = |(path, text): (&str, &str)| {
            let mut module: Module = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            if matches!(module.last().map(String::as_str), Some("lib" | "mod")) {
                module.pop();
            }
            let code = blank_comments_and_strings(text);
            let code = &code[..tests.find(&code).map_or(code.len(), |found| found.start())];
            let uses = use_paths(code).into_iter().map(|(at, path)| {
                let is_exported = code[..at].rfind([';', '}', ']']).map_or(&code[..at], |end| &code[end..at]);
                (path.split("::").map(str::to_owned).collect(), is_exported.contains("pub"))
            });
            (module, File { uses: uses.collect(), body: named.replace_all(code, "").into_owned() })
        };
        Self(files.map(file).collect())
    }

    /// The module that a path begins in, and what is left of the path.
    fn begin(&self, from: &[String], path: &[String]) -> Option<(Module, Vec<String>)> {
        let mut module = from.to_vec();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => (module, rest) = (Module::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    module.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                module.push(first.to_owned());
                if !self.0.contains_key(&module) {
                    return None;
                }
                rest = &rest[1..];
            }
        }
        Some((module, rest.iter().filter(|name| *name != "self").cloned().collect()))
    }

    /// The file that declares what a path names, also where a door exports it again.
    fn declarer(&self, from: &[String], path: &[String], depth: usize) -> Option<Module> {
        let (mut module, rest) = self.begin(from, path)?;
        let mut rest = rest.as_slice();
        while let Some(next) = rest.first() {
            let inner = [module.clone(), vec![next.clone()]].concat();
            if !self.0.contains_key(&inner) {
                break;
            }
            (module, rest) = (inner, &rest[1..]);
        }
        let (Some(name), Some(file)) = (rest.first(), self.0.get(&module)) else { return Some(module) };
        let mut known =
            file.uses.iter().filter(|(used, _)| depth > 0 && used.last().is_some_and(|last| last == name));
        let through = known.find_map(|(used, _)| self.declarer(&module, used, depth - 1));
        Some(through.unwrap_or(module))
    }

    /// The files that a file names.
    fn named_by(&self, module: &Module, file: &File) -> BTreeSet<Module> {
        let word =
            |name: &str| word_offsets(&file.body, name).any(|at| !file.body[..at].ends_with(['.', ':']));
        let mut found = BTreeSet::new();
        let mut doors: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (path, is_exported) in &file.uses {
            let Some((begun, rest)) = self.begin(module, path) else { continue };
            let whole = [begun, rest].concat();
            let last = whole.last().map_or("", String::as_str);
            if self.0.contains_key(&whole) {
                doors.insert(path.last().map_or("", String::as_str), whole);
            } else if !is_exported || word(last) {
                found.extend(self.declarer(module, path, 8));
            }
        }
        let spelled = file.body.split(|c| !is_word(c) && c != ':').map(|path| path.trim_matches(':'));
        for path in spelled.filter(|path| path.contains("::")) {
            let path: Vec<String> = path.split("::").map(str::to_owned).collect();
            let path = match doors.get(path[0].as_str()) {
                Some(door) => [&["crate".to_owned()], door.as_slice(), &path[1..]].concat(),
                None => path,
            };
            found.extend(self.declarer(module, &path, 8));
        }
        found.remove(module);
        found
    }

    /// The components of more than one file, the largest first.
    fn components(&self) -> Vec<BTreeSet<Module>> {
        let named: BTreeMap<&Module, BTreeSet<Module>> =
            self.0.iter().map(|(module, file)| (module, self.named_by(module, file))).collect();
        let reached = |from: &Module| {
            let (mut seen, mut left) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(next) = left.pop() {
                left.extend(named[&next].iter().filter(|module| seen.insert((*module).clone())).cloned());
            }
            seen
        };
        let all: BTreeMap<&Module, BTreeSet<Module>> =
            self.0.keys().map(|module| (module, reached(module))).collect();
        let component = |module: &Module| -> BTreeSet<Module> {
            all[module].iter().filter(|other| all[other].contains(module)).cloned().collect()
        };
        let mut found: BTreeSet<BTreeSet<Module>> = self.0.keys().map(component).collect();
        found.retain(|component| component.len() > 1);
        let mut found: Vec<BTreeSet<Module>> = found.into_iter().collect();
        found.sort_by_key(|component| std::cmp::Reverse(component.len()));
        found
    }
}

#[test]
fn files_that_name_each_other_in_a_circle_are_few() {
    let sources = sources();
    let mut complaints = String::new();
    for room in rooms() {
        let of_room = sources.iter().filter_map(|(path, text)| {
            Some((path.strip_prefix(room.name.as_str())?.strip_prefix('/')?, text.as_str()))
        });
        let components = Files::read(of_room).components();
        let sizes: Vec<usize> =
            components.iter().map(BTreeSet::len).filter(|size| *size > FILES_MAX).collect();
        if !sizes.is_empty() {
            complaints.push_str(&format!("{}: components of {sizes:?} files\n", room.name));
            let large = components.iter().filter(|component| component.len() > FILES_MAX);
            for component in large {
                let names: Vec<String> = component.iter().map(|module| module.join("/")).collect();
                complaints.push_str(&format!("  {}\n", names.join(" ")));
            }
        }
    }
    assert!(complaints.is_empty(), "take them apart:\n{complaints}");
}

#[test]
fn a_circle_is_found_through_doors_and_spelled_paths() {
    let check = |files: &[(&str, &str)], expected: &[&[&str]]| {
        let found = Files::read(files.iter().copied()).components();
        let names = |component: &BTreeSet<Module>| {
            component.iter().map(|module| module.join("/")).collect::<Vec<_>>()
        };
        assert_eq!(found.iter().map(names).collect::<Vec<_>>(), expected, "{files:?}");
    };
    let door = ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;");
    check(&[door, ("a.rs", "use crate::B;"), ("b.rs", "use crate::A;")], &[&["a", "b"]]);
    check(&[door, ("a.rs", "use crate::B;"), ("b.rs", "// use crate::A;")], &[]);
    check(
        &[door, ("a.rs", "fn f() { crate::b::g() }"), ("b.rs", "use super::a; fn g() { a::f() }")],
        &[&["a", "b"]],
    );
    check(&[door, ("a.rs", "use crate::B;"), ("b.rs", "#[cfg(test)]\nmod tests { use crate::A; }")], &[]);
    let inner = ("a/c.rs", "use super::D;");
    check(&[door, ("a.rs", "mod c;\nuse c::C;\nstruct D;"), inner, ("b.rs", "")], &[&["a", "a/c"]]);
    check(&[door, ("a.rs", "mod c;\npub use c::C;\nstruct D;"), inner, ("b.rs", "")], &[]);
}

#[test]
fn no_type_has_more_fields_than_a_reader_holds() {
    let declared = Regex::new(r"(?m)^( *)(?:pub(?:\([^)]*\))? )?struct (\w+)[^;{(]*\{\n").expect("a pattern");
    let mut complaints = String::new();
    for (path, text) in sources() {
        let code = blank_comments_and_strings(&text);
        for found in declared.captures_iter(&code) {
            let (indent, name) = (&found[1], &found[2]);
            let rest = &code[found.get(0).expect("all of it").end()..];
            let body = rest.split(&format!("\n{indent}}}")).next().unwrap_or_default();
            let field = |line: &&str| {
                let inside = line.strip_prefix(indent).and_then(|line| line.strip_prefix("    "));
                inside.is_some_and(|line| line.starts_with(is_word) && line.contains(": "))
            };
            let count = body.lines().filter(field).count();
            if count > FIELDS_MAX && !STORED.contains(&name) {
                complaints.push_str(&format!("src/{path}: {name} has {count} fields; group them by noun\n"));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}
