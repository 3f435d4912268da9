//! Words of a call that may name files: its arguments, the words of a shell text, the files that a known
//! runner reads by itself. Read from the words alone; `tool` looks which of them are files.
//!
//! A word more costs a look at the disk, a word less is a file that nobody was told of. So every word is
//! taken: numbers, options, values of options, keywords. Rules decide only whether the file of a word is
//! known to be run. A text is read twice: as a shell reads it, and without any syntax, so that no quote or
//! comment can hide a word. A limit is told.

use super::program::{is_interpreter, is_shell, name_of};
use crate::NAMED_WORDS_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// Texts in texts: `bash -c 'sh -c "…"'`.
const DEPTH_MAX: usize = 8;
/// Bytes of all texts, each time that one is read.
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Linux opens no longer path, and no file system has a longer name in one.
const PATH_BYTES_MAX: usize = 4095;
const NAME_BYTES_MAX: usize = 1023;
/// Bytes in which the end of braces is looked for.
const BRACES_BYTES_MAX: usize = 1024;
/// Directories that commands of one text go to, as words.
const DIRECTORIES_MAX: usize = 200;
/// Letters of a cluster of options behind which a value may begin: `-xvfa.tar`.
const CLUSTER_MAX: usize = 8;
/// Stands in a word for what is known only when it runs. No word of a call can contain it.
const UNKNOWN: char = '\0';

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
/// Words behind which the rest of a command may name the directory that it works in.
const GOES: &[&str] = &[
    "cd",
    "pushd",
    "chroot",
    "-C",
    "-D",
    "--directory",
    "--dir",
    "--chdir",
    "-chdir",
    "--prefix",
    "--cwd",
    "--root",
    "--wd",
    "--workdir",
    "--working-directory",
    "--project-directory",
];
/// Programs beside the known interpreters that read a file which their first operand names.
const READERS: &[&str] = &[
    ".",
    "source",
    "bun",
    "csh",
    "deno",
    "elixir",
    "escript",
    "expect",
    "fish",
    "groovy",
    "guile",
    "ipython",
    "julia",
    "ksh93",
    "mksh",
    "osascript",
    "pwsh",
    "racket",
    "rbash",
    "tclsh",
    "tcsh",
    "ts-node",
    "tsx",
    "wish",
    "yash",
];
/// Options of interpreters whose value, the next word, is a file that is read; short ones by their last
/// letter.
const READS_VALUE: &[&str] = &["--require", "--import", "--loader", "--rcfile", "--init-file"];
const READS_VALUE_LETTER: char = 'r';
/// Last letters of options behind which the next word is a value: of shells, and, for one or another, of
/// other interpreters.
const VALUE_LETTERS_OF_SHELLS: &[char] = &['o', 'O'];
const VALUE_LETTERS: &[char] = &['C', 'E', 'I', 'S', 'W', 'X', 'd', 'l'];

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
    &["CLASSPATH", "LD_LIBRARY_PATH", "NODE_PATH", "PERL5LIB", "PERLLIB", "PYTHONPATH", "RUBYLIB"];
/// Variables whose value is a list of directories in which programs, or directories, are looked for.
const SEARCH_VARIABLES: &[&str] = &["PATH", "CDPATH"];
/// Directories of the system: their programs are not the workspace's.
const OF_SYSTEM: &[&str] = &["/bin", "/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin", "/usr/sbin"];
/// Words that one word with braces or variables stands for, as `{a,b}.sh` does.
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
    "MAKEFLAGS",
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
    /// Directories that a command may go to, in order: the files of all words are looked for in each.
    pub(super) dirs: Vec<String>,
    /// Limits that were reached: words beyond them are not known.
    pub(super) missed: BTreeSet<String>,
}

/// All words of a command and of the shell texts in it. Variables whose values are known are filled in; a
/// stretch of a value that is not known is a NUL.
pub(super) fn named(words: &[String], env: BTreeMap<String, String>) -> Named {
    let env = env.into_iter().map(|(name, value)| (name, BTreeSet::from([value]))).collect();
    let mut gather = Gather { env, found: Named::default(), text_bytes: 0 };
    // No other variable: the values of a form arrive in them, and the files of a call are looked at before it is filled in.
    for name in READ_VARIABLES {
        for value in gather.values(name) {
            gather.word(&value, true, 0);
        }
    }
    for name in MODULE_VARIABLES.iter().chain(SEARCH_VARIABLES) {
        for value in gather.values(name) {
            if *name == "PATH" && value.contains(UNKNOWN) {
                gather.miss("programs that are found on PATH, which is known only when it runs");
            }
            gather.places(name, &value);
        }
    }
    // A function may use a variable that is set behind it.
    for _ in 0..2 {
        gather.command(words, 0);
    }
    gather.found
}

struct Gather {
    /// All values that a variable may have.
    env: BTreeMap<String, BTreeSet<String>>,
    found: Named,
    text_bytes: usize,
}

impl Gather {
    fn command(&mut self, words: &[String], depth: usize) {
        let words_behind = |names: &[&str]| {
            let at = words.iter().position(|it| names.contains(&name_of(it)))?;
            Some(words[at + 1..].iter().map(String::as_str).collect::<Vec<_>>())
        };
        if let Some(operands) = words_behind(STARTS_ALL) {
            operands.into_iter().for_each(|it| self.all_of(it));
        }
        if let Some(behind) =
            words_behind(&["find"]).filter(|it| it.iter().any(|it| STARTS_FOUND.contains(it)))
        {
            let is_place = |it: &&str| !it.starts_with(['-', '(', '!']);
            let mut places: Vec<&str> = behind
                .into_iter()
                .skip_while(|it| !is_place(it) && it.len() == 2)
                .take_while(is_place)
                .collect();
            if places.is_empty() {
                places.push(".");
            }
            places.into_iter().for_each(|it| self.all_of(it));
        }
        if let [each, name, of, values @ ..] = words
            && matches!(each.as_str(), "for" | "select")
            && of == "in"
        {
            values.iter().for_each(|it| self.set(name, it));
        }
        let (mut is_recipe, mut awaits_script, mut before) = (false, false, "");
        let (mut reads_f, mut reads_modules, mut goes, mut is_end) = (false, false, false, false);
        let (mut letters, mut reads_commands) = (VALUE_LETTERS, false);
        for word in words.iter().map(String::as_str) {
            let is_option = word.starts_with(['-', '+']) && !is_end;
            let is_short = before.starts_with(['-', '+']) && !before.starts_with("--") && !is_end;
            let is_read = READS_VALUE.contains(&before) || is_short && before.ends_with(READS_VALUE_LETTER);
            let may_be_value = is_read || is_short && before.ends_with(letters);
            let is_text = awaits_script && is_short && before.contains('c');
            // A value of an option and a script look alike: then it is both, and so is the next word.
            let is_script = awaits_script && !is_option
                || reads_f && (is_short && before.ends_with('f') || before == "--file")
                || reads_f && (word.starts_with("-f") || word.starts_with("--file="));
            if awaits_script && reads_modules {
                let attached = word.strip_prefix("-m").filter(|it| !it.is_empty());
                let module = attached.or((is_short && before.ends_with('m')).then_some(word));
                module.into_iter().for_each(|it| self.module(it));
            }
            if is_text && reads_modules {
                self.imports(word);
            }
            // `perl -Ilib`
            if awaits_script && let Some(dir) = word.strip_prefix("-I") {
                self.all_of(dir);
            }
            if awaits_script && before == "-I" {
                self.all_of(word);
            }
            if is_text && (reads_modules || reads_commands) {
                self.texts(word, depth);
            } else {
                self.word_or_text(word, is_recipe || is_script || awaits_script, is_text, depth);
            }
            if is_script && awaits_script && !reads_commands {
                self.of_dir(word);
            }
            awaits_script &= !is_script || may_be_value;
            is_end |= word == "--";
            let name = name_of(word);
            reads_f |= READS_F.contains(&name);
            if let Some((key, value)) = word.split_once('=')
                && let key = key.strip_suffix('+').unwrap_or(key)
                && is_variable(key)
            {
                self.set(key, value);
                if word[key.len()..].starts_with('+') {
                    self.values(key).iter().for_each(|it| self.set(key, &format!("{it}{value}")));
                }
                self.places(key, value);
            }
            if goes {
                let attached = word.strip_prefix('-').and_then(|it| it.get(1..));
                let parts = [Some(word), attached, word.split_once('=').map(|it| it.1)];
                parts.into_iter().flatten().for_each(|it| self.goes(it));
            } else if let Some(dir) = GOES.iter().find_map(|it| word.strip_prefix(it)) {
                self.goes(dir.strip_prefix('=').unwrap_or(dir));
            }
            goes |= GOES.contains(&name);
            if is_interpreter(name) || READERS.contains(&name) {
                (awaits_script, is_end) = (true, false);
                reads_commands = is_shell(name);
                letters = if reads_commands { VALUE_LETTERS_OF_SHELLS } else { VALUE_LETTERS };
                reads_modules = name.starts_with("python") || name.starts_with("pypy");
            }
            if let Some((_, files)) = RUNNERS.iter().find(|it| it.0.contains(&name)) {
                (is_recipe, goes) = (true, true);
                files.iter().for_each(|it| self.take(it, true));
            }
            before = word;
        }
    }

    fn values(&self, name: &str) -> Vec<String> {
        self.env.get(name).into_iter().flatten().cloned().collect()
    }

    fn set(&mut self, name: &str, value: &str) {
        let values = self.env.entry(name.to_owned()).or_default();
        if values.len() < BRACES_MAX {
            values.insert(value.to_owned());
        } else if !values.contains(value) {
            self.miss(&format!("more than {BRACES_MAX} values of a variable"));
        }
    }

    fn miss(&mut self, what: &str) {
        self.found.missed.insert(what.to_owned());
    }

    /// The directories of a variable that lists some.
    fn places(&mut self, name: &str, value: &str) {
        if MODULE_VARIABLES.contains(&name) {
            self.modules_of(value);
        } else if SEARCH_VARIABLES.contains(&name) {
            let dirs = value.split([':', UNKNOWN]).filter(|it| !OF_SYSTEM.contains(it));
            dirs.for_each(|it| self.goes(it));
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
        let Some(to) = path(to.trim_end_matches('/')).filter(|it| it != "." && it != "-") else { return };
        let to = to.strip_prefix("~+/").unwrap_or(&to);
        let dirs = &mut self.found.dirs;
        if to.contains(UNKNOWN) {
            to.split(UNKNOWN).for_each(|it| self.goes(it.trim_start_matches('/')));
        } else if dirs.len() >= DIRECTORIES_MAX {
            self.miss(&format!("more than {DIRECTORIES_MAX} words that may be directories"));
        } else if dirs.iter().filter(|it| *it == to).count() < 1 + usize::from(to.contains("..")) {
            dirs.push(to.to_owned());
        }
    }

    fn word(&mut self, word: &str, runs: bool, depth: usize) {
        self.word_or_text(word, runs, false, depth);
    }

    /// A word, and what in it may be a name: a text, a value, one of several, what stands at an option of one
    /// letter.
    fn word_or_text(&mut self, word: &str, runs: bool, is_text: bool, depth: usize) {
        if is_text || word.contains(|c: char| c.is_whitespace() || ";|&$`<>(){}\"'\\".contains(c)) {
            self.texts(word, depth);
        }
        self.parts(word, runs);
    }

    fn parts(&mut self, word: &str, runs: bool) {
        self.take(word, runs);
        if word.contains('\n') {
            return;
        }
        // `--checkpoint-action=exec=./run.sh`
        let values = word.match_indices('=').map(|(at, _)| &word[at + 1..]).take(CLUSTER_MAX);
        let attached = word.strip_prefix(['-', '+']).filter(|it| !it.starts_with('-')).into_iter();
        let attached =
            attached.flat_map(|it| it.char_indices().skip(1).take(CLUSTER_MAX).map(|(at, _)| &it[at..]));
        let parts = values.chain(attached).chain([word]);
        for part in parts.flat_map(|it| [Some(it), it.strip_prefix(['@', '!', '%', '^'])]).flatten() {
            self.take(part, runs);
        }
        if word.contains([':', ',', '=']) {
            word.split([':', ',', '=']).for_each(|it| self.take(it, runs));
        }
    }

    fn take(&mut self, word: &str, runs: bool) {
        if word.contains(UNKNOWN) {
            let mut parts = word.split(UNKNOWN);
            parts.next().into_iter().for_each(|it| self.take(it, runs));
            for part in parts {
                // What is not known may be a directory, or nothing.
                self.take(part.trim_start_matches('/'), runs);
                self.take(part, runs);
            }
            return;
        }
        let Some(word) = path(word) else { return };
        let word = word.strip_prefix("~+/").or_else(|| word.strip_prefix("~-/")).unwrap_or(&word).to_owned();
        if word.starts_with('~') && !word.starts_with("~/") && word.contains('/') {
            self.miss("a path below the home of another user");
        }
        let Named { runs: executed, names, missed, .. } = &mut self.found;
        if executed.contains(&word) || !runs && names.contains(&word) {
            return;
        }
        if executed.len() + names.len() >= NAMED_WORDS_MAX && !names.contains(&word) {
            missed.insert(format!("only the first {NAMED_WORDS_MAX} words are looked at"));
            // A file that is known to be run goes before one that is only named.
            if !runs || names.pop_last().is_none() {
                return;
            }
        }
        if runs {
            names.remove(&word);
            executed.insert(word);
        } else {
            names.insert(word);
        }
    }

    fn texts(&mut self, text: &str, depth: usize) {
        self.text_bytes += text.len();
        if depth >= DEPTH_MAX {
            self.miss(&format!("texts in texts, more than {DEPTH_MAX} deep"));
        } else if self.text_bytes > TEXT_BYTES_MAX {
            self.miss(&format!("more than {TEXT_BYTES_MAX} bytes of text"));
        } else {
            self.text(text, depth + 1);
            self.plainly(text);
        }
    }

    /// The words of a text whatever its quotes mean. A comment line gives only its words with a `/`.
    fn plainly(&mut self, text: &str) {
        for line in text.split('\n') {
            let is_comment = line.trim_start().starts_with('#');
            let mut last = ' ';
            for token in line.split_inclusive(|c: char| c.is_whitespace() || ";|&()<>{}$`\"'\\\0".contains(c))
            {
                let ends = token
                    .chars()
                    .next_back()
                    .filter(|c| c.is_whitespace() || ";|&()<>{}$`\"'\\\0".contains(*c));
                let word = &token[..token.len() - ends.map_or(0, char::len_utf8)];
                // Where output goes is not read.
                let is_left =
                    word.is_empty() || last == '>' || is_comment && !word.contains('/') || word == "*";
                if !is_left {
                    self.parts(word, false);
                }
                last = match ends {
                    Some(' ' | '\t' | '>' | '|' | '&') if last == '>' && word.is_empty() => '>',
                    Some('>') if word.ends_with(['=', '-']) || last == '<' => ' ',
                    other => other.unwrap_or(' '),
                };
            }
        }
    }

    /// The commands of a shell text. Quotes and escapes are taken away; what the shell computes is not known.
    fn text(&mut self, text: &str, depth: usize) {
        let mut words: Vec<String> = Vec::new();
        let mut word = Piece::default();
        let mut rest = text;
        let mut documents: Vec<String> = Vec::new();
        while let Some(c) = rest.chars().next() {
            let here = &text[..text.len() - rest.len()];
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
                '$' if rest.starts_with('\'') => {
                    let (inside, after) = escaped(&rest[1..]);
                    word.push_str(&inside);
                    rest = after;
                }
                '$' if rest.starts_with('"') => {}
                '$' | '`' => rest = self.computed(c, rest, &mut word, depth),
                '#' if word.is_empty() => rest = rest.find('\n').map_or("", |it| &rest[it..]),
                ' ' | '\t' | '\r' => self.end(&mut word, &mut words),
                '{' if let Some((group, after)) = braces(rest) => {
                    self.fork(&mut word, &alternatives(group));
                    rest = after;
                }
                // `@(a|b).sh`
                '(' if word.ends_with(['?', '*', '+', '@', '!']) => {
                    let (inner, after) = inside(rest, '(', ')');
                    self.texts(inner, depth);
                    word.texts.iter_mut().for_each(|it| it.truncate(it.len() - 1));
                    word.push('*');
                    rest = after;
                }
                // The last arm of a `case` names no files.
                ')' if word.texts == ["*"] && here.strip_suffix('*').is_some_and(is_arm) => {
                    word = Piece::default()
                }
                '\n' | ';' | '&' | '|' | '(' | ')' | '{' | '}' => {
                    self.end(&mut word, &mut words);
                    self.command(&std::mem::take(&mut words), depth);
                    if c == '\n' {
                        for end in std::mem::take(&mut documents) {
                            let (document, after) = document(rest, &end);
                            self.texts(document, depth);
                            rest = after;
                        }
                    }
                }
                '<' => {
                    self.end(&mut word, &mut words);
                    if let Some(after) = rest.strip_prefix('<').filter(|it| !it.starts_with('<')) {
                        let after = after.trim_start_matches(['-', ' ', '\t']);
                        let end = after.find(|c: char| c.is_whitespace() || ";|&<>()".contains(c));
                        let end = after[..end.unwrap_or(after.len())].replace(['\'', '"', '\\'], "");
                        documents.extend(Some(end).filter(|it| !it.is_empty()));
                    }
                    rest = rest.trim_start_matches(['<', '>', '&', '-']);
                }
                '>' => {
                    self.end(&mut word, &mut words);
                    rest = rest.trim_start_matches(['>', '&', '|', ' ', '\t']);
                    word.is_output = true;
                }
                c => word.push(c),
            }
        }
        self.end(&mut word, &mut words);
        self.command(&words, depth);
    }

    fn end(&mut self, word: &mut Piece, words: &mut Vec<String>) {
        let Piece { texts, has_begun, is_output } = std::mem::take(word);
        // Where output goes is not read.
        if has_begun && !is_output {
            words.extend(texts);
        }
    }

    /// Goes on as one word for each of these; where they are too many, none is known.
    fn fork(&mut self, word: &mut Piece, ends: &[String]) {
        if word.texts.len() * ends.len() > BRACES_MAX {
            self.miss(&format!("one word that stands for more than {BRACES_MAX}"));
            return word.push(UNKNOWN);
        }
        word.has_begun = true;
        word.texts =
            word.texts.iter().flat_map(|it| ends.iter().map(move |end| format!("{it}{end}"))).collect();
    }

    /// A stretch in double quotes; returns what follows.
    fn quoted<'a>(&mut self, text: &'a str, word: &mut Piece, depth: usize) -> &'a str {
        let mut rest = text;
        word.has_begun = true;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '"' => return rest,
                '\\' => {
                    let Some(next) = rest.chars().next() else { break };
                    rest = &rest[next.len_utf8()..];
                    match next {
                        '\n' => {}
                        '"' | '\\' | '$' | '`' => word.push(next),
                        next => {
                            word.push('\\');
                            word.push(next);
                        }
                    }
                }
                '$' | '`' => rest = self.computed(c, rest, word, depth),
                c => word.push(c),
            }
        }
        rest
    }

    /// A variable, or what a command says: its own words are taken, its output is not known. Returns what
    /// follows.
    fn computed<'a>(&mut self, sign: char, text: &'a str, word: &mut Piece, depth: usize) -> &'a str {
        if sign == '`' {
            let mut is_escaped = false;
            let end = text.char_indices().find(|(_, c)| {
                let ends = *c == '`' && !is_escaped;
                is_escaped = *c == '\\' && !is_escaped;
                ends
            });
            let (inner, rest) = end.map_or((text, ""), |(at, _)| (&text[..at], &text[at + 1..]));
            self.texts(&inner.replace("\\`", "`").replace("\\\\", "\\").replace("\\$", "$"), depth);
            word.push(UNKNOWN);
            return rest;
        }
        let (inner, rest) = match text.chars().next() {
            Some('(') => inside(&text[1..], '(', ')'),
            Some('{') => {
                let (name, rest) = inside(&text[1..], '{', '}');
                self.variable(name, word, depth);
                return rest;
            }
            // `$?`, `$1`
            Some(c) if "?!#@*$-0123456789".contains(c) => {
                word.push(UNKNOWN);
                return &text[c.len_utf8()..];
            }
            _ => {
                let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
                if end == 0 {
                    word.push(sign);
                } else {
                    self.variable(&text[..end], word, depth);
                }
                return &text[end..];
            }
        };
        // In arithmetic it is no pattern.
        let is_number = inner.starts_with('(') && inner.ends_with(')');
        self.texts(&if is_number { inner.replace('*', " ") } else { inner.to_owned() }, depth);
        word.push(UNKNOWN);
        rest
    }

    fn variable(&mut self, inner: &str, word: &mut Piece, depth: usize) {
        let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
        let (name, rest) = inner.split_at(end);
        // `${SCRIPT:-./deploy.sh}`, `${X:+$(./w.sh)}`
        let other = rest.trim_start_matches([':', '-', '=', '+', '?', '#', '%', '/', '^', ',', '@', '!']);
        for text in std::iter::once(other).chain(other.split_once('/').map(|it| it.1)) {
            if !text.is_empty() {
                self.texts(text, depth);
            }
        }
        let default =
            rest.trim_start_matches(':').strip_prefix(['-', '=']).map(|it| it.trim_matches(['"', '\'']));
        let mut values = self.values(name);
        values.retain(|it| !it.is_empty());
        let known = match name {
            "PWD" => Some("."),
            // `tool` knows where that is.
            "HOME" => Some("~"),
            // What stands beside it in a search path is looked at all the same.
            "PATH" => Some(""),
            _ => None,
        };
        if values.is_empty() {
            values.extend(known.map(str::to_owned));
        }
        values.extend(default.filter(|it| !it.contains(['$', '`'])).map(str::to_owned));
        if values.is_empty() {
            word.push(UNKNOWN);
        } else {
            self.fork(word, &values);
        }
    }
}

/// A word of a text that is being read, or the words that it stands for.
struct Piece {
    texts: Vec<String>,
    has_begun: bool,
    is_output: bool,
}

impl Default for Piece {
    fn default() -> Self {
        Self { texts: vec![String::new()], has_begun: false, is_output: false }
    }
}

impl Piece {
    fn is_empty(&self) -> bool {
        !self.has_begun
    }

    fn ends_with(&self, ends: [char; 5]) -> bool {
        self.texts.first().is_some_and(|it| it.ends_with(ends))
    }

    fn push(&mut self, c: char) {
        self.has_begun = true;
        self.texts.iter_mut().for_each(|it| it.push(c));
    }

    fn push_str(&mut self, text: &str) {
        self.has_begun = true;
        self.texts.iter_mut().for_each(|it| it.push_str(text));
    }
}

/// A word as a path; nothing when no file can have it. A path with many `./` and `//` is shortened.
fn path(word: &str) -> Option<String> {
    let mut path = word.to_owned();
    if word.len() > NAME_BYTES_MAX {
        path = word.split('/').filter(|it| !it.is_empty() && *it != ".").collect::<Vec<_>>().join("/");
        if word.starts_with('/') {
            path.insert(0, '/');
        }
    }
    let can_be = !path.is_empty()
        && path.len() <= PATH_BYTES_MAX
        && path.split('/').all(|it| it.len() <= NAME_BYTES_MAX);
    can_be.then_some(path)
}

/// The text up to what closes it, and the text behind.
fn inside(text: &str, open: char, close: char) -> (&str, &str) {
    let mut open_now = 1_usize;
    let end = text.char_indices().find(|(_, c)| {
        open_now = open_now + usize::from(*c == open) - usize::from(*c == close);
        open_now == 0
    });
    end.map_or((text, ""), |(at, _)| (&text[..at], &text[at + 1..]))
}

/// True if the text before a word ends where an arm of a `case` may begin.
fn is_arm(before: &str) -> bool {
    let before = before.trim_end();
    before.ends_with(";;") || before.ends_with(";&") || before.ends_with(";;&") || before.ends_with(" in")
}

/// The lines of a here-document, and what follows; nothing where no line ends it.
fn document<'a>(text: &'a str, end: &str) -> (&'a str, &'a str) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim() == end {
            return (&text[..at], &text[at + line.len()..]);
        }
        at += line.len();
    }
    ("", text)
}

/// A text in `$'…'`, and what follows.
fn escaped(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\'' => break,
            '\\' => {
                let Some(sign) = rest.chars().next() else { break };
                let (digits, radix, skip) = match sign {
                    'x' => (2, 16, 1),
                    'u' => (4, 16, 1),
                    'U' => (8, 16, 1),
                    '0'..='7' => (3, 8, 0),
                    _ => (0, 8, 0),
                };
                let number: String =
                    rest.chars().skip(skip).take(digits).take_while(|it| it.is_digit(radix)).collect();
                if let Some(c) = u32::from_str_radix(&number, radix).ok().and_then(char::from_u32) {
                    out.push(c);
                    rest = &rest[skip + number.len()..];
                } else {
                    out.push(match sign {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        other => other,
                    });
                    rest = &rest[sign.len_utf8()..];
                }
            }
            c => out.push(c),
        }
    }
    (out, rest)
}

/// The text in braces and the text behind them, for alternatives; nothing for a list of commands.
fn braces(text: &str) -> Option<(&str, &str)> {
    let mut open = 1_usize;
    for (at, c) in text.char_indices().take(BRACES_BYTES_MAX) {
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

/// The words that a group in braces stands for: `a`, `b1`, `b2` of `a,b{1,2}`, and `1`, `2`, `3` of `1..3`.
/// One more than are taken where there are too many.
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
                let mut below = found.dirs.iter().filter_map(|dir| it.strip_prefix(dir)?.strip_prefix('/'));
                assert!(
                    all.contains(*it) || below.any(|it| all.contains(it)),
                    "{it} of {words:?}: {found:?}"
                );
            }
        }
    }

    /// Each word is found, whichever way it is used.
    #[track_caller]
    fn check_found(cases: &[(&[&str], &str)]) {
        for (words, wanted) in cases {
            let found = of(words);
            assert!(
                found.runs.contains(*wanted) || found.names.contains(*wanted),
                "{wanted} of {words:?}: {found:?}"
            );
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
        check_text("find . -exec ./f.sh {} \\; ; ./a\\ b.sh", &["./f.sh"], &["./a b.sh"]);
        assert!(!of(&["sh", "-c", "echo x > out.txt"]).names.contains("out.txt"));
        assert!(!of(&["sh", "-c", "true\n# comment\n"]).names.contains("comment"));
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
    fn a_value_of_an_option_and_the_script_of_an_interpreter_are_both_run() {
        check(&["python3", "-O", "w.py"], &["w.py"], &[]);
        check(&["python3", "-I", "w"], &["w"], &[]);
        check(&["python3", "-sEO", "w"], &["w"], &[]);
        check(&["python3", "-W", "ignore", "w"], &["ignore", "w"], &[]);
        check(&["perl", "-W", "w"], &["w"], &[]);
        check(&["perl", "-X", "w"], &["w"], &[]);
        check(&["perl", "-I", "lib", "w"], &["lib/*", "w"], &[]);
        check(&["ruby", "-W", "w"], &["w"], &[]);
        check(&["ruby", "-C", "sub", "w"], &["sub/w"], &[]);
        check(&["bash", "-ce", "w"], &[], &["w"]);
        check(&["bash", "-O", "extglob", "w"], &["w"], &[]);
        check(&["node", "--import", "./hook", "--no-warnings", "w"], &["./hook", "w"], &[]);
        check(&["fish", "w"], &["w"], &[]);
        check(&["node", "--require=./hook", "w"], &["./hook"], &[]);
    }

    #[test]
    fn no_word_is_left_out() {
        check_text("cd .; ./_; bash 1; bash set; . local", &["1", "set", "local"], &["./_"]);
        check_text("bash -- -w; bash -- +x", &["-w", "+x"], &[]);
        check_text("bash \"a\nb.sh\"", &["a\nb.sh"], &[]);
        check_text("~+/w.sh; ~-/v.sh", &[], &["w.sh", "v.sh"]);
        check_text(&format!("{}w.sh", "./".repeat(520)), &[], &["w.sh"]);
        check_text("echo 42 -x . .. [ { if", &[], &["42", "-x", "[", "if"]);
        check_text("timeout 5 nice -n5 ./w.sh", &[], &["5", "./w.sh"]);
        check_found(&[
            (&["tar", "-xvfa.tar"], "a.tar"),
            (&["tar", "--to-command=sh ./w.sh"], "./w.sh"),
            (&["tar", "-I", "./pack -9", "-cf", "x"], "./pack"),
            (&["env", "-S", "bash ./w.sh"], "./w.sh"),
            (&["git", "-c", "core.hooksPath=hooks", "commit"], "hooks"),
            (&["git", "-c", "alias.x=!./w.sh", "x"], "./w.sh"),
            (&["rsync", "-e", "ssh -F conf", "a", "b"], "conf"),
            (&["ssh", "-oProxyCommand=./w.sh %h", "host"], "./w.sh"),
            (&["vim", "-S", "w", "-c", "source v"], "v"),
            (&["gdb", "-x", "w"], "w"),
            (&["sqlite3", "-init", "w", "db", ".read v"], "v"),
            (&["psql", "-f", "w", "-c", "\\i v"], "v"),
            (&["php", "-d", "auto_prepend_file=w", "x.php"], "w"),
            (&["python3", "-c", "import runpy; runpy.run_path('w')"], "w"),
            (&["node", "-e", "require('./w')"], "./w"),
            (&["java", "-cp", "a.jar:b.jar", "Ship"], "b.jar"),
            (&["java", "-jar", "ship.jar"], "ship.jar"),
            (&["make", "--eval", "include w"], "w"),
            (&["make", "-frules"], "rules"),
            (&["docker", "build", "-f", "w", "."], "w"),
            (&["flock", "lock", "w"], "w"),
            (&["time", "-o", "t", "./w"], "./w"),
            (&["chroot", "jail", "/w"], "/w"),
            (&["kubectl", "apply", "-fw"], "w"),
            (&["curl", "-d@w", "x"], "w"),
            (&["docker", "run", "--mount", "type=bind,source=./m.sh,target=/x", "i"], "./m.sh"),
            (&["bash", "-c", "hash -p ./w x; enable -f ./v y"], "./v"),
            (&["bash", "-c", "exec -a name ./w"], "./w"),
            (&["bash", "-c", "command -p . ./w"], "./w"),
            (&["bash", "-c", "mapfile -C ./w -c 1 x <in"], "./w"),
            (&["bash", "-c", "coproc ./w; alias v='./w2'"], "./w2"),
            (&["bash", "-c", "bash <<< './w'; bash <(cat v)"], "v"),
            (&["bash", "-c", "exec 3<>w; bash <&3"], "w"),
            (&["bash", "-c", "case $x in a|b) ./w;; *) v;; esac"], "v"),
            (&["bash", "-c", "A=1 VAR=./w.sh cmd"], "./w.sh"),
            (&["bash", "-c", "./a\\\nb.sh"], "./ab.sh"),
        ]);
    }

    #[test]
    fn a_text_is_read_up_to_what_is_not_known_and_behind_it() {
        check_text("bash -c \"./w.sh $X\"; eval \"./v.sh $(id -u)\"", &[], &["./w.sh", "./v.sh"]);
        check_text("sh -c \"bash w $X\"; trap \"./t.sh $?\" EXIT", &["w"], &["./t.sh"]);
        check_text("\"./dir/$X/w.sh\"; \"$X\"w", &[], &["./dir/", "w.sh", "w"]);
        check_text(
            "echo ${X:-$(./w.sh)}; echo ${Y:+./v.sh} ${Z/a/./u.sh}",
            &[],
            &["./w.sh", "./v.sh", "./u.sh"],
        );
        check_text("echo `echo \\`./w.sh\\``", &[], &["./w.sh"]);
        check_text("cat <<E\nit is 6\" wide $HOME/x\nE\n./w.sh \"$A\"", &[], &["./w.sh"]);
        check_text("cat <<'E' | bash\nbash w\nE\n./v.sh", &["w"], &["./v.sh"]);
        check_text("$'./\\x77.sh'; $\"./v.sh\"; $'\\056/u'", &[], &["./w.sh", "./v.sh", "./u"]);
        check_text("shopt -s extglob; ./@(w).sh", &[], &["./*.sh"]);
        check_text("echo 'it' a#b'c d'; ./w.sh", &[], &["./w.sh"]);
        check_text("echo a >\"x y\"; ./w.sh", &[], &["./w.sh"]);
        check_text("echo $((1 + $(./w.sh)))", &[], &["./w.sh"]);
    }

    #[test]
    fn a_variable_has_every_value_that_it_may_have() {
        check_text("X=w; X+=.sh; ./$X", &[], &["./w.sh"]);
        check_text("X=w; f() { X=q; }; ./${X}.sh", &[], &["./w.sh", "./q.sh"]);
        check_text("f() { ./$X.sh; }; X=w; f", &[], &["./w.sh"]);
        check_text("for n in w v; do ./$n.sh; done", &[], &["./w.sh", "./v.sh"]);
        check_text("CMD='bash w'; $CMD", &["w"], &[]);
        let env = BTreeMap::from([("S".to_owned(), "./\0.sh:v".to_owned())]);
        let found = named(&["bash".to_owned(), "-c".to_owned(), "bash \"$S\"".to_owned()], env);
        assert!(found.runs.contains("v"), "{found:?}");
        let env = BTreeMap::from([("PATH".to_owned(), "./bin:\0:/usr/bin".to_owned())]);
        let found = named(&["dep".to_owned()], env);
        assert_eq!((found.dirs, found.missed.len()), (vec!["./bin".to_owned()], 1));
    }

    #[test]
    fn a_command_may_go_to_any_directory_behind_its_word_for_it() {
        check_text("cd 2024 && ./w.sh", &[], &["2024/./w.sh"]);
        check_text("cd -- sub; cd -P a; pushd -n b; ./w.sh", &[], &["sub/./w.sh", "a/./w.sh", "b/./w.sh"]);
        check_text("(cd a); (cd b); (cd c); (cd d); (cd e && ./w.sh)", &[], &["e/./w.sh"]);
        check_text("CDPATH=sub; cd d; ./w.sh", &[], &["sub/./w.sh", "d/./w.sh"]);
        check_text(
            "make -Csub; kubectl apply -k over/lay; env -C x ./w.sh",
            &["sub/Makefile"],
            &["over/lay/./w.sh"],
        );
        check(&["docker", "build", "app"], &["app/Dockerfile"], &[]);
        check(&["sudo", "-D", "/opt/app", "./w.sh"], &[], &["/opt/app/./w.sh"]);
    }

    #[test]
    fn a_limit_that_is_reached_is_told() {
        let missed = |text: &str| of(&["bash", "-c", text]).missed;
        assert!(missed("cd a && ./w.sh").is_empty());
        let deep = (0..10).fold("./w.sh x".to_owned(), |text, _| format!("$({text})"));
        assert!(missed(&deep).iter().any(|it| it.contains("deep")), "{:?}", missed(&deep));
        let many: String = (0..300).map(|it| format!("cd d{it}; ")).collect();
        assert!(missed(&many).iter().any(|it| it.contains("directories")), "{:?}", missed(&many));
        assert!(missed("./{1..999}.sh").iter().any(|it| it.contains("stands for")));
        assert!(missed("~root/w.sh").iter().any(|it| it.contains("another user")));
        let long = "a b ".repeat(TEXT_BYTES_MAX / 4 + 1);
        assert!(missed(&long).iter().any(|it| it.contains("bytes of text")));
    }

    #[test]
    fn there_is_an_end_to_words() {
        let many: Vec<String> = (0..5000).map(|it| format!("f{it}.txt")).collect();
        let found = named(&many, BTreeMap::new());
        assert_eq!(found.names.len() + found.runs.len(), NAMED_WORDS_MAX);
        assert_eq!(found.missed.len(), 1);
    }
}
