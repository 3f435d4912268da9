//! Files that code in a call loads by the names of modules: `import shop.ship`, `require("./w")`. Read from the words of a
//! text alone, whichever quotes a shell has put around them, so that code in an option, a here-document or a pipe is read alike.

/// A language whose interpreters load modules by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Language {
    Python,
    JavaScript,
    Perl,
    Ruby,
    Lua,
}

/// Names that code may load.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Loads {
    /// Files, as paths below a place of modules.
    pub(super) files: Vec<String>,
    /// Directories in which the code has modules looked for.
    pub(super) dirs: Vec<String>,
}

/// Words that load the module which the next word names.
const PYTHON_LOADS: &[&str] =
    &["__import__", "import_module", "run_module", "find_spec", "find_module", "run_path", "load_source"];
const JAVASCRIPT_LOADS: &[&str] =
    &["require", "import", "from", "resolve", "fork", "Worker", "importScripts"];
const PERL_LOADS: &[&str] = &["use", "require", "no", "do"];
const RUBY_LOADS: &[&str] = &["require", "require_relative", "load", "autoload"];
const LUA_LOADS: &[&str] = &["require", "dofile", "loadfile", "-l"];
/// Words behind which the rest of a statement may name places of modules, or another directory.
const PLACES: &[&str] =
    &["sys.path", "addsitedir", "chdir", "lib", "LOAD_PATH", "unshift", "INC", "package.path", "NODE_PATH"];
const JAVASCRIPT_ENDINGS: &[&str] = &[
    "",
    ".js",
    ".mjs",
    ".cjs",
    ".json",
    ".node",
    ".ts",
    "/index.js",
    "/index.mjs",
    "/index.cjs",
    "/package.json",
];

impl Language {
    /// The language of an interpreter.
    pub(super) fn of(program: &str) -> Option<Self> {
        let name = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        match name {
            "python" | "pypy" | "ipython" | "python3t" => Some(Self::Python),
            "node" | "nodejs" | "deno" | "bun" | "tsx" | "ts-node" => Some(Self::JavaScript),
            "perl" => Some(Self::Perl),
            "ruby" => Some(Self::Ruby),
            "lua" | "luajit" => Some(Self::Lua),
            _ => None,
        }
    }

    /// The files and the places that a text names as modules.
    pub(super) fn loads(self, text: &str) -> Loads {
        let mut loads = Loads::default();
        let statements = text.split(['\n', ';']).flat_map(|part| part.split("\\n"));
        for statement in statements {
            self.statement(&words(statement), &mut loads);
        }
        // A list in parentheses goes on in the next lines.
        if self == Self::Python {
            let flat = text.replace(['\n', ';'], " ");
            from_lists(&words(&flat), &mut loads);
        }
        loads
    }

    fn statement(self, words: &[&str], loads: &mut Loads) {
        let known = match self {
            Self::Python => PYTHON_LOADS,
            Self::JavaScript => JAVASCRIPT_LOADS,
            Self::Perl => PERL_LOADS,
            Self::Ruby => RUBY_LOADS,
            Self::Lua => LUA_LOADS,
        };
        for (at, word) in words.iter().enumerate() {
            let next = words[at + 1..].iter().find(|word| !is_sign(word));
            let last = word.rsplit('.').next().unwrap_or(word);
            if known.contains(word) || known.contains(&last) {
                // `autoload :Ship, "./ship"`, `fork(dir, "w")`
                words[at + 1..]
                    .iter()
                    .filter(|word| !is_sign(word))
                    .take(2)
                    .for_each(|word| self.file(word, loads));
            }
            if self == Self::Python && *word == "import" {
                names(&words[at + 1..]).into_iter().for_each(|name| self.file(name, loads));
            }
            if PLACES.iter().any(|place| *word == *place || word.strip_prefix(place) == Some(".insert"))
                || word.ends_with(".append") && word.contains("path")
            {
                let rest = words[at + 1..].iter().filter(|word| !is_sign(word));
                loads.dirs.extend(rest.map(|word| (*word).to_owned()));
            }
            match self {
                Self::Perl if word.starts_with("-M") || word.starts_with("-m") => {
                    self.file(&word[2..], loads)
                }
                Self::Ruby if word.starts_with("-r") => match &word[2..] {
                    "" => next.into_iter().for_each(|word| self.file(word, loads)),
                    name => self.file(name, loads),
                },
                Self::JavaScript if word.starts_with(['.', '/']) => self.file(word, loads),
                _ => {}
            }
            if matches!(self, Self::Perl | Self::Ruby)
                && let Some(dir) = word.strip_prefix("-I")
            {
                loads
                    .dirs
                    .extend(Some(dir).filter(|dir| !dir.is_empty()).or(next.copied()).map(str::to_owned));
            }
        }
    }

    fn file(self, name: &str, loads: &mut Loads) {
        let mut add = |file: String| {
            if !loads.files.contains(&file) {
                loads.files.push(file);
            }
        };
        match self {
            Self::Python => {
                let path = name.trim_matches('.').replace('.', "/");
                ["", ".py", ".pyc", "/__main__.py", "/__init__.py"]
                    .iter()
                    .for_each(|end| add(format!("{path}{end}")));
                let packages = path.match_indices('/').map(|(at, _)| &path[..at]);
                packages.for_each(|package| add(format!("{package}/__init__.py")));
            }
            Self::JavaScript if name.starts_with(['.', '/']) => {
                JAVASCRIPT_ENDINGS.iter().for_each(|end| add(format!("{name}{end}")));
            }
            Self::JavaScript => {
                ["/*", ".js"].iter().for_each(|end| add(format!("node_modules/{name}{end}")));
                add(name.to_owned());
            }
            Self::Perl => ["", ".pm"].iter().for_each(|end| add(format!("{}{end}", name.replace("::", "/")))),
            Self::Ruby => ["", ".rb", ".so"].iter().for_each(|end| add(format!("{name}{end}"))),
            Self::Lua => {
                add(name.to_owned());
                let path = name.replace('.', "/");
                [".lua", "/init.lua"].iter().for_each(|end| add(format!("{path}{end}")));
            }
        }
    }
}

/// `from shop import (ship, port as p)`: the package and each of its names, which may be modules.
fn from_lists(words: &[&str], loads: &mut Loads) {
    for (at, word) in words.iter().enumerate() {
        let [package, import, rest @ ..] = &words[at + 1..] else { return };
        if *word != "from" || *import != "import" {
            continue;
        }
        Language::Python.file(package, loads);
        for name in names(rest) {
            Language::Python.file(&format!("{package}.{name}"), loads);
        }
    }
}

/// The names of `a.b as c, d` and `(a, b)`.
fn names<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let (mut names, mut is_next, mut is_alias) = (Vec::new(), true, false);
    for word in words {
        match *word {
            "(" => {}
            "," => is_next = true,
            "as" => is_alias = true,
            word if is_sign(word) => break,
            word if is_next => {
                names.push(word);
                is_next = false;
            }
            _ if is_alias => is_alias = false,
            _ => break,
        }
    }
    names
}

fn is_sign(word: &str) -> bool {
    matches!(word, "(" | ")" | ",")
}

/// Names, paths and options of a text, with the parentheses and commas between them.
fn words(text: &str) -> Vec<&str> {
    let is_of_word = |c: char| c.is_alphanumeric() || "_.:/@~-".contains(c);
    let mut words = Vec::new();
    for part in text.split_inclusive(|c: char| !is_of_word(c)) {
        let word = part.trim_end_matches(|c: char| !is_of_word(c));
        words.extend(Some(word).filter(|word| !word.is_empty()));
        words.extend(Some(&part[word.len()..]).filter(|word| is_sign(word)));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: Language, text: &str, wanted: &[&str]) {
        let loads = language.loads(text);
        for name in wanted {
            let is_there = loads.files.iter().chain(&loads.dirs).any(|file| file == name);
            assert!(is_there, "{name} of {text:?}: {loads:?}");
        }
    }

    #[test]
    fn modules_of_each_language_are_found_in_its_code() {
        use Language::{JavaScript, Lua, Perl, Python, Ruby};
        check(Python, "import a.b as c, d; x()", &["a/b.py", "a/__init__.py", "d.py", "d/__init__.py"]);
        check(
            Python,
            "'from shop import (ship,\n  port as p)'",
            &["shop/__init__.py", "shop/ship.py", "shop/port.py"],
        );
        check(Python, "if 1:\n  import w", &["w.py"]);
        check(Python, "importlib.import_module('shop.ship')", &["shop/ship.py"]);
        check(Python, "m = __import__(\"w\")", &["w.py"]);
        check(Python, "import sys; sys.path.insert(0, 'lib'); import w", &["lib", "w.py"]);
        check(Python, "printf 'import w\\nw.go()' | python3", &["w.py"]);
        check(JavaScript, "require('./w')", &["./w", "./w.js", "./w/index.js"]);
        check(JavaScript, "import w from '../w.mjs'", &["../w.mjs"]);
        check(JavaScript, "const {a} = require(\"tool\")", &["node_modules/tool/*"]);
        check(JavaScript, "await import(\"./w\")", &["./w.mjs"]);
        check(Perl, "use lib 'lib'; use W::X; require \"y.pl\"", &["lib", "W/X.pm", "y.pl"]);
        check(Perl, "perl -Ilib -MW::X=go -e 1", &["lib", "W/X.pm"]);
        check(Ruby, "require './w'; require_relative 'v'; load 'u.rb'", &["./w.rb", "v.rb", "u.rb"]);
        check(Ruby, "ruby -Ilib -rw -e 1", &["lib", "w.rb"]);
        check(Lua, "require 'a.b'; dofile('c.lua')", &["a/b.lua", "a/b/init.lua", "c.lua"]);
        check(Python, "import", &[]);
        check(Python, "from a import", &[]);
        check(Python, "from", &[]);
    }
}
