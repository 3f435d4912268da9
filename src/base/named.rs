//! Words of a call that may name files: its arguments, the words of a shell text, the files that a known runner reads by
//! itself. Read from the words alone; `tool` looks which of them are files.
//!
//! A word more costs a look at the disk, a word less is a file that nobody was told of: so every word that could be a name
//! is taken, at every place where a command could begin, without rules for each wrapper (`env`, `timeout`, `sudo`).

use super::program::{is_interpreter, name_of};
use crate::base::NAMED_WORDS_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// Texts in texts: `bash -c 'sh -c "…"'`.
const DEPTH_MAX: usize = 4;
const WORD_BYTES_MAX: usize = 1024;
/// Directories that commands of one text go to.
const DIRECTORIES_MAX: usize = 8;

/// Programs that read files of their working directory by themselves, and these files.
const RUNNERS: &[(&[&str], &[&str])] = &[
    (&["make", "gmake"], &["GNUmakefile", "makefile", "Makefile"]),
    (&["just"], &["justfile", "Justfile", ".justfile"]),
    (&["task", "go-task"], &["Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "taskfile.yaml"]),
    (
        &["npm", "npx", "yarn", "pnpm", "bun"],
        &[
            "package.json",
            "package-lock.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "bun.lockb",
            ".npmrc",
            ".yarnrc.yml",
        ],
    ),
    (&["deno"], &["deno.json", "deno.jsonc"]),
    (&["rake", "bundle"], &["Rakefile", "rakefile", "Rakefile.rb", "Gemfile", "Gemfile.lock"]),
    (
        &["gradle", "gradlew"],
        &["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "gradle.properties"],
    ),
    (&["mvn", "mvnw"], &["pom.xml"]),
    (&["ant"], &["build.xml"]),
    (&["cargo"], &["Cargo.toml", "Cargo.lock", "build.rs", ".cargo/config.toml"]),
    (&["cmake", "ctest"], &["CMakeLists.txt", "CMakePresets.json"]),
    (&["ninja"], &["build.ninja"]),
    (&["tox", "nox", "invoke", "fab"], &["tox.ini", "noxfile.py", "tasks.py", "fabfile.py"]),
    (
        &["docker", "docker-compose", "podman", "podman-compose", "buildah"],
        &[
            "Dockerfile",
            "Containerfile",
            "compose.yaml",
            "compose.yml",
            "docker-compose.yml",
            "docker-compose.yaml",
            ".dockerignore",
            ".env",
        ],
    ),
    (
        &["terraform", "tofu", "terragrunt"],
        &["*.tf", "*.tf.json", "*.tfvars", "terragrunt.hcl", ".terraform.lock.hcl"],
    ),
    (&["ansible", "ansible-playbook"], &["ansible.cfg"]),
    (
        &["helm", "kubectl", "kustomize"],
        &["kustomization.yaml", "kustomization.yml", "Chart.yaml", "values.yaml"],
    ),
    (&["packer", "nomad"], &["*.pkr.hcl"]),
    (&["pulumi"], &["Pulumi.yaml"]),
    (&["skaffold"], &["skaffold.yaml"]),
    (&["serverless", "sls"], &["serverless.yml"]),
    (&["vagrant"], &["Vagrantfile"]),
];
/// Words that lead what follows to another directory.
const GOES: &[&str] = &["cd", "pushd", "-C", "--directory", "--chdir", "-chdir", "--prefix", "--cwd"];
/// Words of the shell itself.
const OF_SHELL: &[&str] = &[
    "!", "[", "[[", "]", "]]", "{", "}", "case", "do", "done", "echo", "elif", "else", "esac", "exit",
    "export", "false", "fi", "for", "function", "if", "in", "local", "printf", "return", "set", "shift",
    "then", "true", "until", "while",
];
/// Options of interpreters whose value, the next word, is a file that is read; short ones by their last letter.
const READS_VALUE: &[&str] = &["--require", "--import", "--loader", "--rcfile", "--init-file"];
const READS_VALUE_LETTER: char = 'r';
/// Last letters of options whose value is the next word and no file.
const TAKES_VALUE_LETTERS: &[char] = &['o', 'O', 'W', 'X', 'I'];

/// Programs that read their script from the file behind `-f`.
const READS_F: &[&str] = &["awk", "gawk", "mawk", "nawk", "sed", "gsed"];
/// Programs that start every file of a directory.
const STARTS_ALL: &[&str] = &["run-parts"];
/// Words of `find` behind which it starts what it finds.
const STARTS_FOUND: &[&str] = &["-exec", "-execdir", "-ok", "-okdir"];
/// Files that an interpreter reads of a directory or a module that is its script.
const OF_SCRIPT_DIR: &[&str] = &["__main__.py", "index.js", "package.json"];
/// Endings that an interpreter adds to the name of its script.
const SCRIPT_ENDINGS: &[&str] = &["js", "cjs", "mjs", "json", "ts"];
/// Variables whose value is a list of directories in which interpreters find modules.
const MODULE_VARIABLES: &[&str] =
    &["CLASSPATH", "LD_LIBRARY_PATH", "NODE_PATH", "PERL5LIB", "PYTHONPATH", "RUBYLIB"];
/// Words that one word with braces stands for, as `{a,b}.sh` does.
const BRACES_MAX: usize = 64;
/// Variables whose value programs read as code, or start as a program.
const READ_VARIABLES: &[&str] = &[
    "BASH_ENV",
    "ENV",
    "EDITOR",
    "GIT_ASKPASS",
    "GIT_EDITOR",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "LD_PRELOAD",
    "MAKEFILES",
    "NODE_OPTIONS",
    "PAGER",
    "PERL5OPT",
    "PYTHONSTARTUP",
    "RUBYOPT",
    "SSH_ASKPASS",
    "VISUAL",
];

/// The words that may name files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Files of these names are executed, or read as a script or a recipe.
    pub(super) runs: BTreeSet<String>,
    /// Files of these names are executed where they are programs or scripts.
    pub(super) names: BTreeSet<String>,
}

/// All words of a command and of the shell texts in it. Variables whose values are known are filled in.
pub(super) fn named(words: &[String], env: BTreeMap<String, String>) -> Named {
    let mut gather = Gather { env, found: Named::default(), dirs: Vec::new(), search: Vec::new() };
    // No other variable: the values of a form arrive in them, and the files of a call are looked at before it is filled in.
    for name in READ_VARIABLES {
        if let Some(value) = gather.env.get(*name).cloned() {
            gather.word(&value, true, 0);
        }
    }
    for name in MODULE_VARIABLES {
        if let Some(value) = gather.env.get(*name).cloned() {
            gather.modules_of(&value);
        }
    }
    gather.command(&words.iter().cloned().map(Some).collect::<Vec<_>>(), 0);
    gather.found
}

struct Gather {
    env: BTreeMap<String, String>,
    found: Named,
    /// Directories that a command before has gone to.
    dirs: Vec<String>,
    /// Directories in which a text has programs looked for.
    search: Vec<String>,
}

/// A word as far as it is known before anything runs.
type Known = Option<String>;

impl Gather {
    fn command(&mut self, words: &[Known], depth: usize) {
        // Where a program looks may be said behind it.
        let befores = std::iter::once("").chain(words.iter().map(|it| it.as_deref().unwrap_or_default()));
        for (before, word) in befores.zip(words) {
            match word.as_deref().map(|it| (it, it.split_once('='))) {
                Some((word, _)) if GOES.contains(&before) => self.goes(word),
                Some((_, Some((option, dir)))) if GOES.contains(&option) => self.goes(dir),
                _ => {}
            }
        }
        let words_behind = |names: &[&str]| {
            let behind =
                words.iter().position(|it| it.as_deref().is_some_and(|it| names.contains(&name_of(it))));
            behind.map(|at| words[at + 1..].iter().flatten().map(String::as_str).collect::<Vec<_>>())
        };
        if let Some(operands) = words_behind(STARTS_ALL) {
            operands.into_iter().for_each(|it| self.all_of(it));
        }
        if let Some(behind) =
            words_behind(&["find"]).filter(|it| it.iter().any(|it| STARTS_FOUND.contains(it)))
        {
            let is_place = |it: &&str| !it.starts_with(['-', '(', '!']);
            let mut places: Vec<&str> = behind.into_iter().take_while(is_place).collect();
            if places.is_empty() {
                places.push(".");
            }
            places.into_iter().for_each(|it| self.all_of(it));
        }
        let (mut is_recipe, mut awaits_script, mut before) = (false, false, "");
        let (mut reads_f, mut reads_modules) = (false, false);
        for word in words {
            let Some(word) = word.as_deref() else {
                (awaits_script, before) = (false, "");
                continue;
            };
            let is_option = word.starts_with(['-', '+']);
            let is_short = before.starts_with(['-', '+']) && !before.starts_with("--");
            let is_read = READS_VALUE.contains(&before) || is_short && before.ends_with(READS_VALUE_LETTER);
            let is_value = is_read || is_short && before.ends_with(TAKES_VALUE_LETTERS);
            let is_script = awaits_script && !is_option && !is_value
                || reads_f && (is_short && before.ends_with('f') || before == "--file")
                || reads_f && (word.starts_with("-f") || word.starts_with("--file="));
            match () {
                () if awaits_script && is_short && before.ends_with('c') => {
                    if reads_modules {
                        self.imports(word);
                    }
                    self.texts(word, depth);
                }
                // `perl -Ilib`
                () if awaits_script && word.starts_with("-I") && word.len() > 2 => self.all_of(&word[2..]),
                () if awaits_script && before == "-I" => self.all_of(word),
                () if awaits_script && reads_modules && is_short && before.ends_with('m') => {
                    self.module(word);
                    self.word(word, true, depth);
                }
                () if awaits_script && reads_modules && word.starts_with("-m") && word.len() > 2 => {
                    self.module(&word[2..]);
                }
                () if awaits_script && (is_value && !is_read || is_option && !word.contains('=')) => {}
                () => {
                    self.word(word, is_recipe || is_script || awaits_script && is_read && !is_option, depth)
                }
            }
            if awaits_script && (is_script || is_read && !is_option) {
                self.of_dir(word);
            }
            awaits_script &= !is_script;
            let name = name_of(word);
            reads_f |= READS_F.contains(&name);
            if let Some((key, value)) = word.split_once('=').filter(|it| is_variable(it.0)) {
                self.env.insert(key.to_owned(), value.to_owned());
                if key == "PATH" {
                    let room = DIRECTORIES_MAX.saturating_sub(self.search.len());
                    let dirs =
                        value.split(':').map(|it| it.trim_end_matches('/')).filter(|it| !it.is_empty());
                    self.search.extend(dirs.take(room).map(str::to_owned));
                } else if MODULE_VARIABLES.contains(&key) {
                    self.modules_of(value);
                }
            }
            if is_interpreter(name) || matches!(name, "." | "source") {
                awaits_script = true;
                reads_modules = name.starts_with("python") || name.starts_with("pypy");
            } else if let Some((_, files)) = RUNNERS.iter().find(|it| it.0.contains(&name)) {
                is_recipe = true;
                files.iter().for_each(|it| self.take(it, true));
            }
            before = word;
        }
    }

    /// Places in which an interpreter finds modules: `app.jar:lib/*`
    fn modules_of(&mut self, places: &str) {
        for place in places.split(':') {
            self.take(place, true);
            self.all_of(place);
        }
    }

    /// `import shop.ship`, in a text for Python.
    fn imports(&mut self, text: &str) {
        let mut words =
            text.split(|c: char| c.is_whitespace() || ";,()'\"".contains(c)).filter(|it| !it.is_empty());
        while let Some(word) = words.next() {
            if matches!(word, "import" | "from")
                && let Some(name) = words.next()
            {
                self.module(name);
            }
        }
    }

    /// Every file of a directory is started, or read as code.
    fn all_of(&mut self, dir: &str) {
        let dir = dir.trim_end_matches('/');
        if !dir.is_empty() && !dir.contains(['*', '?']) {
            self.take(&format!("{dir}/*"), true);
        }
    }

    /// A script that turns out to be a directory.
    fn of_dir(&mut self, dir: &str) {
        let dir = dir.trim_end_matches('/');
        OF_SCRIPT_DIR.iter().for_each(|it| self.take(&format!("{dir}/{it}"), true));
        SCRIPT_ENDINGS.iter().for_each(|it| self.take(&format!("{dir}.{it}"), true));
    }

    /// `python -m shop.ship`: the module, and the packages it lies in.
    fn module(&mut self, name: &str) {
        let path = name.replace('.', "/");
        self.take(&format!("{path}.py"), true);
        self.of_dir(&path);
        let packages = path.match_indices('/').map(|it| &path[..it.0]).chain([path.as_str()]);
        packages.for_each(|it| self.take(&format!("{it}/__init__.py"), true));
    }

    fn goes(&mut self, to: &str) {
        let to = to.trim_end_matches('/');
        if to.is_empty() || to == "." || to == "-" || to.len() > WORD_BYTES_MAX || is_number(to) {
            return;
        }
        let below: Vec<String> = self.dirs.iter().map(|it| format!("{it}/{to}")).collect();
        for dir in std::iter::once(to.to_owned()).chain(below) {
            if self.dirs.len() < DIRECTORIES_MAX && !self.dirs.contains(&dir) {
                self.dirs.push(dir);
            }
        }
    }

    /// A word, and what in it may be a name: a value, one of several, what stands at an option of one letter.
    fn word(&mut self, word: &str, runs: bool, depth: usize) {
        if word.contains(|c: char| c.is_whitespace() || ";|&$`<>(){}\"'".contains(c)) {
            self.texts(word, depth);
        }
        self.take(word, runs);
        let value = word.split_once('=').map(|it| it.1);
        // `--checkpoint-action=exec=./run.sh`
        let inner = value.into_iter().flat_map(|it| it.match_indices('=').map(|(at, _)| &it[at + 1..]));
        let attached = word.strip_prefix('-').filter(|it| !it.starts_with('-')).and_then(|it| {
            let mut rest = it.chars();
            rest.next().map(|_| rest.as_str())
        });
        let marked = word.strip_prefix('@');
        for part in value.into_iter().chain(inner).chain(attached).chain(marked) {
            self.take(part, runs);
            self.take(part.strip_prefix('@').unwrap_or(part), runs);
        }
        if word.contains([':', ',']) {
            value.unwrap_or(word).split([':', ',']).for_each(|it| self.take(it, runs));
        }
    }

    fn take(&mut self, word: &str, runs: bool) {
        let is_name = word.len() <= WORD_BYTES_MAX
            && !word.starts_with('-')
            && (word.contains(char::is_alphanumeric) || word == "./*")
            && !word.contains(['\n', '\0'])
            && !is_number(word)
            && !OF_SHELL.contains(&word);
        if !is_name {
            return;
        }
        let below = if word.starts_with('/') { &[][..] } else { &self.dirs };
        let found = if word.contains('/') { &[][..] } else { &self.search };
        let all: Vec<String> = std::iter::once(word.to_owned())
            .chain(below.iter().chain(found).map(|it| format!("{it}/{word}")))
            .collect();
        for word in all {
            let Named { runs: executed, names } = &mut self.found;
            let is_known = executed.contains(&word) || !runs && names.contains(&word);
            let is_full = executed.len() + names.len() >= NAMED_WORDS_MAX && !names.contains(&word);
            if is_known || is_full {
                continue;
            }
            if runs {
                names.remove(&word);
                executed.insert(word);
            } else {
                names.insert(word);
            }
        }
    }

    fn texts(&mut self, text: &str, depth: usize) {
        if depth < DEPTH_MAX {
            self.text(text, depth + 1);
        }
    }

    /// The commands of a shell text. Quotes and escapes are taken away; what the shell computes is not known.
    fn text(&mut self, text: &str, depth: usize) {
        let mut words: Vec<Known> = Vec::new();
        let mut word = Piece::default();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\'' => {
                    let (inside, after) = rest.split_once('\'').unwrap_or((rest, ""));
                    word.push_str(inside);
                    rest = after;
                }
                '"' => rest = self.quoted(rest, &mut word, depth),
                '\\' => {
                    let Some(next) = rest.chars().next() else { break };
                    rest = &rest[next.len_utf8()..];
                    if next != '\n' {
                        word.push(next);
                    }
                }
                '$' | '`' => rest = self.computed(c, rest, &mut word, depth),
                '#' if word.is_empty() => rest = rest.find('\n').map_or("", |it| &rest[it..]),
                ' ' | '\t' | '\r' => word.end(&mut words),
                '{' if let Some((group, after)) = braces(rest) => {
                    word.fork(&alternatives(group));
                    rest = after;
                }
                '\n' | ';' | '&' | '|' | '(' | ')' | '{' | '}' => {
                    word.end(&mut words);
                    self.command(&std::mem::take(&mut words), depth);
                }
                '<' => word.end(&mut words),
                '>' => {
                    // Where output goes is not read.
                    word.end(&mut words);
                    rest = rest.trim_start_matches(['>', '&', '|', ' ', '\t']);
                    let end = rest.find(|c: char| c.is_whitespace() || ";|&()<>".contains(c));
                    rest = &rest[end.unwrap_or(rest.len())..];
                }
                c => word.push(c),
            }
        }
        word.end(&mut words);
        self.command(&words, depth);
    }

    /// A stretch in double quotes; returns what follows.
    fn quoted<'a>(&mut self, text: &'a str, word: &mut Piece, depth: usize) -> &'a str {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '"' => return rest,
                '\\' => {
                    let Some(next) = rest.chars().next() else { break };
                    rest = &rest[next.len_utf8()..];
                    word.push(next);
                }
                '$' | '`' => rest = self.computed(c, rest, word, depth),
                c => word.push(c),
            }
        }
        rest
    }

    /// A variable, or what a command says: its own words are taken, its output is not known. Returns what follows.
    fn computed<'a>(&mut self, sign: char, text: &'a str, word: &mut Piece, depth: usize) -> &'a str {
        let inside = |open: char, close: char| {
            let mut open_now = 1_usize;
            let end = text[1..].char_indices().find(|(_, c)| {
                open_now = open_now + usize::from(*c == open) - usize::from(*c == close);
                open_now == 0
            });
            end.map_or((&text[1..], ""), |(at, _)| (&text[1..][..at], &text[1..][at + 1..]))
        };
        let (inner, rest) = match text.chars().next() {
            _ if sign == '`' => text.split_once('`').unwrap_or((text, "")),
            Some('(') => inside('(', ')'),
            Some('{') => {
                let (name, rest) = inside('{', '}');
                self.variable(name, word);
                return rest;
            }
            _ => {
                let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
                self.variable(&text[..end], word);
                return &text[end..];
            }
        };
        word.lose();
        self.texts(inner, depth);
        rest
    }

    fn variable(&self, inner: &str, word: &mut Piece) {
        let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
        let (name, rest) = inner.split_at(end);
        // `${SCRIPT:-./deploy.sh}`
        let default =
            rest.trim_start_matches(':').strip_prefix(['-', '=']).map(|it| it.trim_matches(['"', '\'']));
        match self.env.get(name) {
            Some(value) if !value.is_empty() || default.is_none() => word.push_str(value),
            _ if default.is_some_and(|it| !it.contains('$')) => word.push_str(default.unwrap_or_default()),
            _ if name == "PWD" => word.push('.'),
            // `tool` knows where that is.
            _ if name == "HOME" => word.push('~'),
            // What stands beside it in a search path is looked at all the same.
            _ if name == "PATH" => {}
            _ => word.lose(),
        }
    }
}

/// A word of a text that is being read, or the words that it stands for.
struct Piece {
    texts: Vec<String>,
    has_begun: bool,
    is_unknown: bool,
}

impl Default for Piece {
    fn default() -> Self {
        Self { texts: vec![String::new()], has_begun: false, is_unknown: false }
    }
}

impl Piece {
    fn is_empty(&self) -> bool {
        !self.has_begun && !self.is_unknown
    }

    fn push(&mut self, c: char) {
        self.has_begun = true;
        self.texts.iter_mut().for_each(|it| it.push(c));
    }

    fn push_str(&mut self, text: &str) {
        self.has_begun = true;
        self.texts.iter_mut().for_each(|it| it.push_str(text));
    }

    /// Goes on as one word for each of these; where they are too many, none is known.
    fn fork(&mut self, ends: &[String]) {
        if self.texts.len() * ends.len() > BRACES_MAX {
            return self.lose();
        }
        self.has_begun = true;
        self.texts =
            self.texts.iter().flat_map(|it| ends.iter().map(move |end| format!("{it}{end}"))).collect();
    }

    /// What comes here is not known: the text behind it may be a name below a directory.
    fn lose(&mut self) {
        self.is_unknown = true;
        self.texts = vec![String::new()];
    }

    fn end(&mut self, words: &mut Vec<Known>) {
        if !self.is_empty() {
            let Self { texts, is_unknown, .. } = std::mem::take(self);
            for text in texts {
                let known = text.trim_start_matches(|c| c == '/' && is_unknown);
                words.push((!is_unknown || !known.is_empty()).then(|| known.to_owned()));
            }
        }
    }
}

/// The text in braces and the text behind them, for alternatives; nothing for a list of commands.
fn braces(text: &str) -> Option<(&str, &str)> {
    let mut open = 1_usize;
    for (at, c) in text.char_indices().take(WORD_BYTES_MAX) {
        match c {
            '{' => open += 1,
            '}' if open == 1 => {
                let (group, after) = (&text[..at], &text[at + 1..]);
                return (group.contains(',') || range(group).is_some()).then_some((group, after));
            }
            '}' => open -= 1,
            c if c.is_whitespace() || ";|&()<>$`".contains(c) => return None,
            _ => {}
        }
    }
    None
}

/// The words that a group in braces stands for: `a`, `b1`, `b2` of `a,b{1,2}`, and `1`, `2`, `3` of `1..3`. One more than are
/// taken where there are too many.
fn alternatives(group: &str) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(range) = range(group) {
        return range;
    }
    let (mut depth, mut start) = (0_usize, 0);
    let ends = group.char_indices().filter(|(_, c)| {
        depth = depth + usize::from(*c == '{') - usize::from(*c == '}');
        *c == ',' && depth == 0
    });
    for end in ends.map(|it| it.0).collect::<Vec<_>>().into_iter().chain([group.len()]) {
        let part = &group[start..end];
        start = end + 1;
        unbrace(part, &mut out);
        if out.len() > BRACES_MAX {
            break;
        }
    }
    out.iter_mut().for_each(|it| it.retain(|c| !"'\"\\".contains(c)));
    out
}

/// Every word that a text with braces in it stands for.
fn unbrace(text: &str, out: &mut Vec<String>) {
    if out.len() > BRACES_MAX {
        return;
    }
    let group = text.match_indices('{').find_map(|(at, _)| Some((at, braces(&text[at + 1..])?)));
    let Some((at, (group, after))) = group else { return out.push(text.to_owned()) };
    for it in alternatives(group) {
        unbrace(&format!("{}{it}{after}", &text[..at]), out);
    }
}

/// `1..3`, `a..c`
fn range(group: &str) -> Option<Vec<String>> {
    let (from, to) = group.split_once("..")?;
    let many = BRACES_MAX + 1;
    if let (Ok(from), Ok(to)) = (from.parse::<i64>(), to.parse::<i64>()) {
        return Some((from.min(to)..=from.max(to)).take(many).map(|it| it.to_string()).collect());
    }
    let one = |text: &str| text.parse::<char>().ok().filter(char::is_ascii_alphabetic);
    let (from, to) = (one(from)?, one(to)?);
    Some((from.min(to)..=from.max(to)).take(many).map(String::from).collect())
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|it| it.is_ascii_digit())
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Named {
        let env = BTreeMap::from([("DIR".to_owned(), "bin".to_owned())]);
        named(&words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>(), env)
    }

    /// These are taken to be run, these to be named; there may be more.
    #[track_caller]
    fn check(words: &[&str], runs: &[&str], names: &[&str]) {
        let found = of(words);
        for (wanted, all) in [(runs, &found.runs), (names, &found.names)] {
            for it in wanted {
                assert!(all.contains(*it), "{it} of {words:?}: {found:?}");
            }
        }
    }

    #[track_caller]
    fn check_text(text: &str, runs: &[&str], names: &[&str]) {
        check(&["bash", "-euo", "pipefail", "-c", text], runs, names);
    }

    #[test]
    fn a_script_behind_options_and_wrappers_is_found() {
        check(&["bash", "-eu", "./w.sh"], &["./w.sh"], &[]);
        check(&["bash", "-o", "pipefail", "w", "data.csv"], &["w"], &["data.csv"]);
        check(&["timeout", "5", "./w.sh"], &[], &["./w.sh"]);
        check(
            &["sudo", "-u", "deploy", "env", "A=conf/a.txt", "python3", "-X", "dev", "run"],
            &["run"],
            &["conf/a.txt"],
        );
        check(&["node", "--require", "./hook", "main"], &["./hook", "main"], &[]);
        check(&["tool", "--script=./w.sh", "-fx.txt", "@body.json"], &[], &["./w.sh", "x.txt", "body.json"]);
        check(&["ansible-playbook", "-i", "hosts", "site.yml"], &["hosts", "site.yml", "ansible.cfg"], &[]);
    }

    #[test]
    fn the_words_of_a_shell_text_are_found_in_each_of_its_forms() {
        check_text("cd . && ./w.sh", &[], &["./w.sh"]);
        check_text("cd sub; ./w.sh", &[], &["./w.sh", "sub/./w.sh"]);
        check_text("env A=1 ./w.sh", &[], &["./w.sh"]);
        check_text(
            "set -e\n. ./lib.sh\nmain <in.txt >out.txt 2>&1 | bash -s run",
            &["./lib.sh", "run"],
            &["in.txt"],
        );
        check_text("\"$DIR\"/a.sh; ${DIR}/b.sh; X=c; $X/d.sh", &[], &["bin/a.sh", "bin/b.sh", "c/d.sh"]);
        check_text(
            "x=$(./inner.sh a) && echo \"`./tick.sh`\" # ./comment.sh",
            &[],
            &["./inner.sh", "./tick.sh"],
        );
        check_text("sh -c 'bash -c \"./deep.sh\"'", &[], &["./deep.sh"]);
        check_text("find . -exec ./f.sh {} \\; ; ./a\\ b.sh", &[], &["./f.sh", "./a b.sh"]);
        assert!(!of(&["sh", "-c", "echo x > out.txt"]).names.contains("out.txt"));
        assert!(!of(&["sh", "-c", "true # ./comment.sh"]).names.contains("./comment.sh"));
        check_text("bash $ROOT/run; \"$(pwd)/sub/e.sh\"", &["run"], &["sub/e.sh"]);
        check_text("unfinished 'quote ./q.sh", &[], &[]);
        check_text("$(", &[], &[]);
        check_text("${", &[], &[]);
        check_text("\\", &[], &[]);
    }

    #[test]
    fn a_runner_reads_files_of_its_directory() {
        check(&["make", "ship"], &["Makefile", "GNUmakefile", "ship"], &[]);
        check_text("make -C sub ship", &["Makefile", "sub/Makefile"], &[]);
        check_text("cd app && npm run ship", &["package.json", "app/package.json"], &[]);
        check_text("terraform -chdir=infra apply plan.out", &["infra/*.tf", "infra/plan.out"], &[]);
    }

    #[test]
    fn what_a_program_finds_by_itself_is_named() {
        check(
            &["python3", "-m", "shop.ship"],
            &["shop/ship.py", "shop/__init__.py", "shop/ship/__main__.py"],
            &[],
        );
        check(&["python3", "app/"], &["app/__main__.py"], &[]);
        check(&["run-parts", "--verbose", "jobs.d"], &["jobs.d/*"], &[]);
        check_text("find jobs -name '*.sh' -exec sh {} \\;", &["jobs/*"], &[]);
        check_text("find -name '*.sh' -exec sh {} \\;", &["./*"], &[]);
        check_text("./{a,b{1,2}}.sh; echo {}", &[], &["./a.sh", "./b1.sh", "./b2.sh"]);
        check_text("bash {w,x}; ./{1..3}'.sh'; { ./z.sh,; }", &["w"], &["x", "./1.sh", "./3.sh", "./z.sh"]);
        check_text("{ ./y.sh; }; ./{a,b}{c,d}.sh x{", &[], &["./y.sh", "./ad.sh"]);
        check(&["bash", "-m", "./w.sh"], &["./w.sh"], &[]);
        check(&["python3", "-c", "import shop.ship as s; s.go()"], &["shop/ship.py"], &[]);
        check(&["perl", "-Ilib", "-MW", "-e", "1"], &["lib/*"], &[]);
        check(&["node", "-r", "./hook", "main"], &["./hook.js", "main.js"], &[]);
        check_text(
            "${SCRIPT:-./w.sh}; \"${B-./b.sh}\"; ~/bin/x.sh; $HOME/bin/y.sh",
            &[],
            &["./w.sh", "./b.sh", "~/bin/x.sh", "~/bin/y.sh"],
        );
        check_text("PATH=$PWD/tools:$PATH; dep", &[], &["./tools/dep"]);
        check_text("PYTHONPATH=lib python3 x.py", &["lib/*"], &[]);
        check(&["python3", "-mshop.ship"], &["shop/ship.py"], &[]);
        let env = BTreeMap::from([("PERL5LIB".to_owned(), "lib:more".to_owned())]);
        let found = named(&["perl".to_owned(), "x.pl".to_owned()], env);
        assert!(found.runs.contains("lib/*") && found.runs.contains("more/*"), "{found:?}");
        let env = BTreeMap::from([("CLASSPATH".to_owned(), "app.jar:jars/*".to_owned())]);
        let found = named(&["java".to_owned(), "Ship".to_owned()], env);
        assert!(found.runs.contains("app.jar") && found.runs.contains("jars/*"), "{found:?}");
        let deep = "{a,".repeat(200) + &"}".repeat(200);
        check_text(&deep, &[], &[]);
        check_text(&"{a,b}".repeat(60), &[], &[]);
        check_text("./{1..999999999999}.sh ./{z..a}.sh", &[], &["./m.sh"]);
    }

    #[test]
    fn there_is_an_end_to_words() {
        let many: Vec<String> = (0..5000).map(|it| format!("f{it}.txt")).collect();
        let found = named(&many, BTreeMap::new());
        assert_eq!(found.names.len() + found.runs.len(), NAMED_WORDS_MAX);
    }
}
