//! Words of a call that may name files: its arguments, the words of a shell text, the files that a known
//! runner reads by itself. Read from the words alone; `tool` looks which of them are files.
//!
//! A word more costs a look at the disk, a word less is a file that nobody was told of. So every word is taken: numbers,
//! options, values of options, keywords. Rules decide only whether the file of a word is known to be run. A text is read
//! twice: as a shell reads it, and without any syntax, so that no quote or comment can hide a word. A limit is told.
//!
//! A word that is known only when it runs may be any file: the ask says so, unless it stands behind a command that reads no
//! file by its words. The same holds for code that an interpreter gets from elsewhere, and for a text that has no end.

use super::code::{Language, Loads};
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
/// Bytes of one value of a variable, of one word with all that it stands for, and of all of them together.
const VALUE_BYTES_MAX: usize = 64 * 1024;
const WORD_BYTES_MAX: usize = 1024 * 1024;
const MADE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Variables that a call may set.
const VARIABLES_MAX: usize = 2000;
/// Here-documents of one text.
const DOCUMENTS_MAX: usize = 100;
/// Words that are known only when they run, and are told one by one.
const UNKNOWN_TOLD_MAX: usize = 8;
const UNKNOWN_CHARS_MAX: usize = 60;
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
/// Commands that open and start nothing by their words.
const INERT: &[&str] = &[
    ":", "[", "[[", "break", "case", "continue", "declare", "echo", "exit", "export", "expr", "false", "for",
    "hash", "kill", "local", "printf", "readonly", "return", "select", "seq", "set", "shift", "sleep",
    "test", "true", "type", "typeset", "umask", "unset", "wait", "which",
];
/// Words of a shell before which a command has not begun yet.
const LEADING: &[&str] = &["!", "do", "elif", "else", "if", "then", "until", "while", "time", "{"];
/// Commands that read a word as a shell does, or start it as a command.
const READS_TEXT: &[&str] = &[
    "alias", "coproc", "env", "eval", "exec", "find", "flock", "nohup", "parallel", "script", "ssh", "su",
    "sudo", "timeout", "trap", "watch", "xargs",
];
/// Commands that set the variables which their words name.
const SETS: &[&str] = &["getopts", "let", "mapfile", "read", "readarray"];
/// Commands that take options for the variables which their words name.
const DECLARES: &[&str] = &["declare", "local", "typeset"];
/// Commands that add words of their input to a command.
const ADDS_WORDS: &[&str] = &["parallel", "xargs"];
/// Options of interpreters for a version or a help.
const TELLS: &[&str] = &["--help", "--version", "-V", "-h", "-v"];
/// Commands behind which a home may be that of somebody else.
const OTHER_HOMES: &[&str] = &["doas", "login", "pkexec", "runuser", "su", "sudo"];
/// Names of the words of a function or a script.
const POSITIONS: &[&str] = &["1", "2", "3", "4", "5", "6", "7", "8", "9"];
/// Signs behind a name for which a value is not taken as it is.
const CHANGES: &[char] = &['#', '%', '/', '^', ',', '@', '!', '[', '~'];
/// Files that an interpreter reads of a directory or a module that is its script.
const OF_SCRIPT_DIR: &[&str] = &["__main__.py", "index.js", "package.json"];
/// Endings that an interpreter adds to the name of its script.
const SCRIPT_ENDINGS: &[&str] = &["js", "cjs", "mjs", "json", "ts", "rb", "pyc"];
/// Files of the working directory that Python takes for modules of any name, also of its own library.
const PYTHON_MODULES: &[&str] = &["*.py", "*.pyc", "*.so", "*/__init__.py"];
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
    let env: BTreeMap<_, _> = env.into_iter().map(|(name, value)| (name, BTreeSet::from([value]))).collect();
    let given = env.keys().cloned().collect();
    let mut gather = Gather { env, given, ..Gather::default() };
    // No other variable: the values of a form arrive in them, and the files of a call are looked at before it is filled in.
    for name in READ_VARIABLES {
        for value in gather.values(name) {
            gather.word(&value, true, 0);
            gather.mark(name, &value);
        }
    }
    for name in MODULE_VARIABLES.iter().chain(SEARCH_VARIABLES) {
        for value in gather.values(name) {
            gather.places(name, &value);
        }
    }
    // A function may use a variable that is set behind it. What is not known is told once all is read.
    gather.is_first = true;
    gather.command(words, 0);
    gather.is_first = false;
    for language in std::mem::take(&mut gather.languages) {
        words.iter().for_each(|word| gather.code(language, word));
    }
    gather.command(words, 0);
    gather.tell_unknown();
    gather.found
}

#[derive(Default)]
struct Gather {
    /// All values that a variable may have.
    env: BTreeMap<String, BTreeSet<String>>,
    /// Variables whose value the step says.
    given: BTreeSet<String>,
    /// Variables that are used before the call sets them: they may be inherited.
    inherited: BTreeSet<String>,
    /// Names of the functions that the text defines.
    functions: BTreeSet<String>,
    found: Named,
    /// Words that are known only when they run.
    unknown: BTreeSet<String>,
    /// Languages of interpreters that the call starts.
    languages: BTreeSet<Language>,
    text_bytes: usize,
    /// Bytes of values and words that were made of others.
    made_bytes: usize,
    /// A first reading, in which functions and variables are found.
    is_first: bool,
    /// Text that may be none: nothing is told of what is unknown in it.
    is_data: bool,
    /// Commands from elsewhere may have set any variable.
    is_open: bool,
    /// A home may be that of somebody else.
    is_other_home: bool,
    /// The last command gets a here-document.
    has_document: bool,
    /// That document is code of a shell.
    is_document_code: bool,
}

impl Gather {
    fn command(&mut self, words: &[String], depth: usize) {
        self.starts(words);
        self.sets(words);
        self.marks(words);
        let (mut is_recipe, mut awaits_script, mut before) = (false, false, "");
        let (mut reads_f, mut reads_modules, mut goes, mut is_end) = (false, false, false, false);
        let (mut letters, mut reads_commands) = (VALUE_LETTERS, false);
        let is_inert = self.is_inert(words);
        let mut interpreter: Option<&str> = None;
        let (mut reads_text, mut has_code, mut has_text, mut gets_input) = (false, false, false, false);
        for (at, word) in words.iter().map(String::as_str).enumerate() {
            let is_option = word.starts_with(['-', '+']) && !is_end;
            let is_short = before.starts_with(['-', '+']) && !before.starts_with("--") && !is_end;
            let is_read = READS_VALUE.contains(&before) || is_short && before.ends_with(READS_VALUE_LETTER);
            let may_be_value = is_read || is_short && before.ends_with(letters);
            // `bash -c -e TEXT`, `bash -c -- TEXT`
            let is_text = awaits_script && (is_short && before.contains('c') || has_text && !is_option);
            has_text |=
                awaits_script && reads_commands && is_option && word.contains('c') && !word.starts_with("--");
            // A value of an option and a script look alike: then it is both, and so is the next word.
            let is_script = awaits_script && !is_option
                || reads_f && (is_short && before.ends_with('f') || before == "--file")
                || reads_f && (word.starts_with("-f") || word.starts_with("--file="));
            if awaits_script && let Some(name) = interpreter {
                has_code |= is_code(name, word);
                gets_input |= word == "-"
                    || reads_commands && is_option && !word.starts_with("--") && word.contains('s');
                self.of_interpreter(name, word, before, (is_option, is_short));
            }
            if is_text && reads_commands {
                self.positions(words.get(at + 2..).unwrap_or_default());
            }
            let was_data = self.is_data;
            self.is_data |= !(is_text && reads_commands || reads_text);
            if is_text && (reads_modules || reads_commands) {
                self.texts(word, depth);
            } else {
                self.word_or_text(word, is_recipe || is_script || awaits_script, is_text, depth);
            }
            self.is_data = was_data;
            if is_script && awaits_script && !reads_commands && !is_text {
                self.of_dir(word);
            }
            awaits_script &= !is_script || may_be_value;
            is_end |= word == "--";
            let name = name_of(word);
            reads_f |= READS_F.contains(&name);
            // The text of a shell has assignments of its own.
            if !is_text
                && let Some((key, value)) = word.split_once('=')
                && let key = key.strip_suffix('+').unwrap_or(key)
                && is_variable(key)
            {
                self.assign(key, value, word[key.len()..].starts_with('+'), depth);
            }
            if goes {
                let attached = word.strip_prefix('-').and_then(|rest| rest.get(1..));
                let parts = [Some(word), attached, word.split_once('=').map(|halves| halves.1)];
                parts.into_iter().flatten().for_each(|word| self.goes(word));
            } else if !is_text && let Some(dir) = GOES.iter().find_map(|prefix| word.strip_prefix(prefix)) {
                self.goes(dir.strip_prefix('=').unwrap_or(dir));
            }
            goes |= GOES.contains(&name);
            reads_text |= READS_TEXT.contains(&name);
            if is_interpreter(name) || READERS.contains(&name) {
                (awaits_script, is_end, has_text) = (true, false, false);
                interpreter = (!matches!(name, "." | "source") || at == 0).then_some(name);
                self.languages.extend(Language::of(name));
                reads_commands = is_shell(name);
                letters = if reads_commands { VALUE_LETTERS_OF_SHELLS } else { VALUE_LETTERS };
                reads_modules = name.starts_with("python") || name.starts_with("pypy");
            }
            if let Some((_, files)) = RUNNERS.iter().find(|runner| runner.0.contains(&name)) {
                (is_recipe, goes) = (true, true);
                files.iter().for_each(|file| self.take(file, true));
            }
            before = word;
        }
        let tells = words.last().is_some_and(|word| TELLS.contains(&word.as_str()));
        if !is_inert
            && !tells
            && let Some(name) = interpreter
        {
            self.input(name, has_code, awaits_script || gets_input);
        }
        if let Some(at) = words.iter().position(|word| name_of(word) == "cd")
            && words[at + 1..].iter().all(|word| word.starts_with('-') || is_number(word))
        {
            self.goes("~");
        }
    }

    /// Programs that start the files of directories.
    fn starts(&mut self, words: &[String]) {
        let words_behind = |names: &[&str]| {
            let at = words.iter().position(|word| names.contains(&name_of(word)))?;
            Some(words[at + 1..].iter().map(String::as_str).collect::<Vec<_>>())
        };
        if let Some(operands) = words_behind(STARTS_ALL) {
            operands.into_iter().for_each(|operand| self.all_of(operand));
        }
        if let Some(behind) =
            words_behind(&["find"]).filter(|words| words.iter().any(|word| STARTS_FOUND.contains(word)))
        {
            let is_place = |word: &&str| !word.starts_with(['-', '(', '!']);
            let mut places: Vec<&str> = behind
                .into_iter()
                .skip_while(|word| !is_place(word) && word.len() == 2)
                .take_while(is_place)
                .collect();
            if places.is_empty() {
                places.push(".");
            }
            places.into_iter().for_each(|place| self.all_of(place));
            self.tell("files that find starts more than one directory deep");
        }
    }

    /// A word of an interpreter before its script: code, a module, or a place of modules.
    fn of_interpreter(&mut self, name: &str, word: &str, before: &str, (is_option, is_short): (bool, bool)) {
        let language = Language::of(name);
        if language == Some(Language::Python) {
            let attached = word.strip_prefix("-m").filter(|module| !module.is_empty());
            let module = attached.or((is_short && before.ends_with('m')).then_some(word));
            module.into_iter().for_each(|module| self.module(module));
        }
        if is_short && word.contains(UNKNOWN) {
            self.mark(before, word);
        }
        if !is_option && let Some(language) = language {
            self.code(language, word);
        }
        // `perl -Ilib`
        if let Some(dir) = word.strip_prefix("-I") {
            self.all_of(dir);
        }
        if before == "-I" {
            self.all_of(word);
        }
    }

    /// The commands or the code that an interpreter gets beside a script.
    fn input(&mut self, name: &str, has_code: bool, reads_input: bool) {
        if is_shell(name) || matches!(name, "." | "source") {
            if self.has_document {
                self.is_document_code = true;
            } else if reads_input {
                self.tell(&format!("commands that {name} reads from its input"));
            }
        } else if has_code || reads_input || self.has_document {
            if Language::of(name) == Some(Language::Python) {
                PYTHON_MODULES.iter().for_each(|file| self.take(file, true));
                self.take("__pycache__", false);
            }
            self.tell(&format!(
                "files that code for {name} loads by a computed name, and modules from elsewhere"
            ));
        }
    }

    /// The modules that a text names, and the places in which it has them looked for.
    fn code(&mut self, language: Language, text: &str) {
        self.text_bytes += text.len();
        if self.text_bytes > TEXT_BYTES_MAX {
            return self.miss(&format!("more than {TEXT_BYTES_MAX} bytes of text"));
        }
        let Loads { files, dirs } = language.loads(text);
        files.iter().for_each(|file| self.take(file, true));
        dirs.iter().for_each(|dir| self.modules_of(dir));
    }

    /// The variables that a command sets to what is not known, the names of functions, and the words of one.
    fn sets(&mut self, words: &[String]) {
        if let [each, name, rest @ ..] = words
            && matches!(each.as_str(), "for" | "select")
        {
            match rest {
                [of, values @ ..] if of == "in" => values.iter().for_each(|value| self.set(name, value)),
                _ => self.set_unknown(name),
            }
        }
        // `((n = n + 1))`
        if let [name, sign, ..] = words
            && sign.ends_with('=')
            && sign.len() <= 3
        {
            self.set_unknown(name);
        }
        for word in words {
            let counted = word.trim_start_matches(['+', '-']).trim_end_matches(['+', '-']);
            if word.contains("++") || word.contains("--") && word.len() > counted.len() {
                self.set_unknown(counted);
            }
            self.is_other_home |= OTHER_HOMES.contains(&name_of(word)) || word == "HOME" || word == "-uHOME";
        }
        let mut rest = words.iter().skip_while(|word| self.is_before(word));
        let Some(first) = rest.next().map(String::as_str) else { return };
        let rest: Vec<&String> = rest.collect();
        let has_option =
            |letters: &[char]| rest.iter().any(|word| word.starts_with('-') && word.contains(letters));
        if SETS.contains(&first)
            || first == "printf" && has_option(&['v'])
            || DECLARES.contains(&first) && has_option(&['n', 'i', 'u', 'l', 'c'])
        {
            for word in &rest {
                word.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .for_each(|name| self.set_unknown(name));
            }
            ["REPLY", "MAPFILE", "OPTARG"].iter().for_each(|name| self.set_unknown(name));
        }
        if matches!(first, "." | "source")
            || first == "eval" && rest.iter().any(|word| word.contains(UNKNOWN))
        {
            self.is_open = true;
        }
        if is_assigned(first) && rest.iter().any(|word| word.starts_with(UNKNOWN)) {
            self.is_open = true;
        }
        if first == "function" {
            self.functions.extend(rest.first().map(|name| (*name).clone()));
        }
        if first == "shift" {
            POSITIONS.iter().chain(&["@"]).for_each(|name| self.change(name, &UNKNOWN.to_string()));
        }
        if self.functions.contains(first) || first == "set" {
            let behind: Vec<String> =
                rest.iter().skip_while(|word| word.as_str() == "--").map(|word| (*word).clone()).collect();
            self.positions(&behind);
        }
        // `awk 'BEGIN { system("./" name) }'`
        let computes = |word: &String| ["system", "getline", "|", "@"].iter().any(|part| word.contains(part));
        if words.iter().any(|word| READS_F.contains(&name_of(word)) && word.ends_with("awk"))
            && words.iter().any(computes)
        {
            self.tell("programs and files that code for awk names");
        }
        if first == "shopt" && rest.iter().any(|word| word.contains("glob")) {
            self.tell("files that patterns take by an option of shopt");
        }
        if words.iter().any(|word| ADDS_WORDS.contains(&name_of(word))) && !self.is_inert(words) {
            self.tell("words that xargs or parallel adds to a command");
        }
    }

    /// The words behind the name of a function or a script, of which each may be any behind one that is not known.
    fn positions(&mut self, words: &[String]) {
        let is_unknown = words.iter().any(|word| word.contains(UNKNOWN));
        for (name, word) in POSITIONS.iter().zip(words) {
            self.change(name, word);
        }
        words.iter().for_each(|word| self.change("@", word));
        if is_unknown {
            POSITIONS.iter().chain(&["@"]).for_each(|name| self.change(name, &UNKNOWN.to_string()));
        }
    }

    fn assign(&mut self, key: &str, value: &str, is_added: bool, depth: usize) {
        if is_added {
            for before in self.values(key) {
                if self.is_full(before.len() + value.len()) {
                    return self.set_unknown(key);
                }
                self.set(key, &format!("{before}{value}"));
            }
        }
        self.set(key, value);
        self.places(key, value);
        if READ_VARIABLES.contains(&key) {
            self.word(value, true, depth);
            self.mark(key, value);
        }
    }

    /// Words before the name of a command.
    fn is_before(&self, word: &str) -> bool {
        let key = word.split_once('=').map(|(key, _)| key.strip_suffix('+').unwrap_or(key));
        LEADING.contains(&word) || key.is_some_and(is_variable)
    }

    /// True for a command that opens and starts nothing by its words.
    fn is_inert(&self, words: &[String]) -> bool {
        let first = words.iter().find(|word| !self.is_before(word));
        first.is_none_or(|word| INERT.contains(&word.as_str()) && !self.functions.contains(word))
    }

    /// Notes the words of a command that are known only when it runs.
    fn marks(&mut self, words: &[String]) {
        let Some(at) = words.iter().position(|word| !self.is_before(word)) else { return };
        let first = &words[at];
        if first.contains(UNKNOWN) {
            self.mark("", first);
        }
        if !self.is_inert(words) {
            words[at + 1..].iter().for_each(|word| self.mark(name_of(first), word));
        }
    }

    fn mark(&mut self, command: &str, word: &str) {
        if word.contains(UNKNOWN) && !self.is_first && !self.is_data {
            let told: String = format!("{command} {word}").trim().replace(UNKNOWN, "…");
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            let end = told.char_indices().nth(UNKNOWN_CHARS_MAX).map_or(told.len(), |(at, _)| at);
            if self.unknown.len() < NAMED_WORDS_MAX {
                self.unknown.insert(told[..end].to_owned());
            }
        }
    }

    fn tell_unknown(&mut self) {
        if self.unknown.is_empty() {
            return;
        }
        let mut told: Vec<String> =
            self.unknown.iter().take(UNKNOWN_TOLD_MAX).map(|word| format!("`{word}`")).collect();
        if self.unknown.len() > told.len() {
            told.push(format!("{} more", self.unknown.len() - told.len()));
        }
        self.miss(&format!("words that are known only when it runs: {}", told.join(", ")));
    }

    /// A limit of the reader that holds where a text is certainly one of a shell.
    fn tell(&mut self, what: &str) {
        if !self.is_data && !self.is_first {
            self.miss(what);
        }
    }

    fn values(&self, name: &str) -> Vec<String> {
        self.env.get(name).into_iter().flatten().cloned().collect()
    }

    fn set(&mut self, name: &str, value: &str) {
        if is_variable(name) {
            self.change(name, value);
        }
    }

    fn set_unknown(&mut self, name: &str) {
        self.set(name, &UNKNOWN.to_string());
    }

    fn change(&mut self, name: &str, value: &str) {
        let is_known = self.env.get(name).is_some_and(|values| values.contains(value));
        if is_known {
            return;
        }
        if self.env.len() >= VARIABLES_MAX && !self.env.contains_key(name) {
            return self.miss(&format!("more than {VARIABLES_MAX} variables"));
        }
        let is_full = value.len() > VALUE_BYTES_MAX || self.is_full(value.len());
        let values = self.env.entry(name.to_owned()).or_default();
        if is_full || values.len() >= BRACES_MAX {
            values.insert(UNKNOWN.to_string());
            self.miss(&if is_full {
                "values of variables that are too much to be read".to_owned()
            } else {
                format!("more than {BRACES_MAX} values of a variable")
            });
        } else {
            values.insert(value.to_owned());
        }
    }

    /// True where so many more bytes are too much.
    fn is_full(&mut self, bytes: usize) -> bool {
        self.made_bytes = self.made_bytes.saturating_add(bytes);
        let is_full = self.made_bytes > MADE_BYTES_MAX;
        if is_full {
            self.miss(&format!("more than {MADE_BYTES_MAX} bytes that variables make"));
        }
        is_full
    }

    /// The places that a path below a home means; `tool` knows where the home is that a step inherits.
    fn of_home(&mut self, path: &str) -> Option<Vec<String>> {
        let rest = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        if self.is_other_home {
            self.tell("files below the home of another user");
        }
        let mut homes = self.values("HOME");
        homes.retain(|home| !home.is_empty() && !home.starts_with('~'));
        let mut paths: Vec<String> = homes.iter().map(|home| format!("{home}{rest}")).collect();
        if !self.given.contains("HOME") {
            paths.push(path.to_owned());
        }
        for path in &paths {
            self.mark("", path);
        }
        Some(paths)
    }

    fn miss(&mut self, what: &str) {
        self.found.missed.insert(what.to_owned());
    }

    /// The directories of a variable that lists some.
    fn places(&mut self, name: &str, value: &str) {
        if MODULE_VARIABLES.contains(&name) {
            self.modules_of(value);
        } else if SEARCH_VARIABLES.contains(&name) {
            if value.contains(UNKNOWN) {
                self.tell(&format!("files that are found on {name}, which is known only when it runs"));
            }
            let dirs = value.split([':', UNKNOWN]).filter(|part| !OF_SYSTEM.contains(part));
            dirs.for_each(|dir| self.goes(dir));
        }
    }

    /// Places in which an interpreter finds modules: `app.jar:lib/*`
    fn modules_of(&mut self, places: &str) {
        for place in places.split(':') {
            self.take(place, true);
            self.all_of(place);
            self.goes(place.strip_suffix("/*").unwrap_or(place));
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
        OF_SCRIPT_DIR.iter().for_each(|text| self.take(&format!("{dir}/{text}"), true));
        SCRIPT_ENDINGS.iter().for_each(|script_ending| self.take(&format!("{dir}.{script_ending}"), true));
    }

    /// `python -m shop.ship`: the module, and the packages it lies in.
    fn module(&mut self, name: &str) {
        let path = name.replace('.', "/");
        self.take(&format!("{path}.py"), true);
        self.of_dir(&path);
        let packages = path.match_indices('/').map(|entry| &path[..entry.0]).chain([path.as_str()]);
        packages.for_each(|package| self.take(&format!("{package}/__init__.py"), true));
    }

    fn goes(&mut self, to: &str) {
        let Some(to) = path(to.trim_end_matches('/')).filter(|path| path != "." && path != "-") else {
            return;
        };
        let to = to.strip_prefix("~+/").unwrap_or(&to);
        if let Some(homes) = self.of_home(to) {
            for home in homes {
                self.goes_to(&home);
            }
        } else {
            if to.starts_with('~') && to.len() > 1 && !["~+", "~-"].contains(&to) {
                self.tell("files below the home of another user");
            }
            self.goes_to(to);
        }
    }

    fn goes_to(&mut self, to: &str) {
        let dirs = &mut self.found.dirs;
        if to.contains(UNKNOWN) {
            to.split(UNKNOWN).for_each(|part| self.goes(part.trim_start_matches('/')));
        } else if dirs.len() >= DIRECTORIES_MAX {
            self.miss(&format!("more than {DIRECTORIES_MAX} words that may be directories"));
        } else if dirs.iter().filter(|dir| *dir == to).count() < 1 + usize::from(to.contains("..")) {
            dirs.push(to.to_owned());
        }
    }

    fn word(&mut self, word: &str, runs: bool, depth: usize) {
        self.word_or_text(word, runs, false, depth);
    }

    /// A word, and what in it may be a name: a text, a value, one of several, what stands at an option of one
    /// letter.
    fn word_or_text(&mut self, word: &str, runs: bool, is_text: bool, depth: usize) {
        // A dollar sign before nothing means itself, however often a shell reads it.
        let is_computed = |at: usize| {
            let next = word[at + 1..].chars().next();
            next.is_some_and(|c| c.is_alphanumeric() || "_({@*#?!-$'\"".contains(c))
        };
        if is_text
            || word.contains(|c: char| c.is_whitespace() || ";|&`<>(){}\"'\\".contains(c))
            || word.match_indices('$').any(|(at, _)| is_computed(at))
        {
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
        let attached = word.strip_prefix(['-', '+']).filter(|rest| !rest.starts_with('-')).into_iter();
        let attached = attached
            .flat_map(|rest| rest.char_indices().skip(1).take(CLUSTER_MAX).map(|(at, _)| &rest[at..]));
        let parts = values.chain(attached).chain([word]);
        for part in parts.flat_map(|part| [Some(part), part.strip_prefix(['@', '!', '%', '^'])]).flatten() {
            self.take(part, runs);
        }
        if word.contains([':', ',', '=']) {
            word.split([':', ',', '=']).for_each(|part| self.take(part, runs));
        }
    }

    fn take(&mut self, word: &str, runs: bool) {
        if word.contains(UNKNOWN) {
            let mut parts = word.split(UNKNOWN);
            parts.next().into_iter().for_each(|part| self.take(part, runs));
            for part in parts {
                // What is not known may be a directory, or nothing.
                self.take(part.trim_start_matches('/'), runs);
                self.take(part, runs);
            }
            return;
        }
        let Some(word) = path(word) else { return };
        let word = word.strip_prefix("~+/").or_else(|| word.strip_prefix("~-/")).unwrap_or(&word).to_owned();
        for path in self.of_home(&word).unwrap_or_default() {
            if path != word {
                self.take(&path, runs);
            }
        }
        // `/proc/self/cwd/w.sh`, `/dev/fd/../cwd/w.sh`
        if word.starts_with("/proc/") || word.starts_with("/dev/fd/") {
            for (at, cwd) in word.match_indices("/cwd/").take(CLUSTER_MAX) {
                self.take(&word[at + cwd.len()..], runs);
            }
        }
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
            let outside = (self.has_document, self.is_document_code);
            (self.has_document, self.is_document_code) = (false, false);
            self.text(text, depth + 1);
            (self.has_document, self.is_document_code) = outside;
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
        let mut documents: Vec<(String, bool)> = Vec::new();
        while let Some(c) = rest.chars().next() {
            let here = &text[..text.len() - rest.len()];
            rest = &rest[c.len_utf8()..];
            match c {
                '\'' => {
                    if !rest.contains('\'') {
                        self.unended();
                    }
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
                '#' if word.is_empty() => rest = rest.find('\n').map_or("", |index| &rest[index..]),
                ' ' | '\t' | '\r' => self.end(&mut word, &mut words),
                '{' if let Some((group, after)) = braces(rest) => {
                    self.fork(&mut word, &alternatives(group));
                    rest = after;
                }
                // `@(a|b).sh`
                '(' if word.ends_with(['?', '*', '+', '@', '!']) => {
                    let (inner, after) = self.within(rest, '(', ')');
                    self.texts(inner, depth);
                    word.texts.iter_mut().for_each(|text| text.truncate(text.len() - 1));
                    word.push('*');
                    rest = after;
                }
                // The last arm of a `case` names no files.
                ')' if word.texts == ["*"] && here.strip_suffix('*').is_some_and(is_arm) => {
                    word = Piece::default()
                }
                '\n' | ';' | '&' | '|' | '(' | ')' | '{' | '}' => {
                    if c == '(' {
                        self.opens(&word, words.is_empty(), rest);
                    }
                    self.end(&mut word, &mut words);
                    self.command(&std::mem::take(&mut words), depth);
                    // A document goes to all commands of a pipe.
                    self.has_document &= c == '|' && !rest.starts_with('|') && !here.ends_with('|');
                    if c == '\n' {
                        rest = self.documents(&std::mem::take(&mut documents), rest, depth);
                    }
                }
                '<' => {
                    self.end(&mut word, &mut words);
                    self.has_document |= rest.starts_with("<<");
                    if let Some(after) = rest.strip_prefix('<').filter(|after| !after.starts_with('<')) {
                        self.has_document = true;
                        if documents.len() < DOCUMENTS_MAX {
                            let (end, behind) = end_of_document(after);
                            documents.extend(end);
                            rest = behind;
                            continue;
                        }
                        self.miss(&format!("more than {DOCUMENTS_MAX} here-documents"));
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
        let Piece { mut texts, has_begun, is_output, is_over, .. } = std::mem::take(word);
        if is_over {
            self.miss("a word that stands for too much to be read");
        }
        // The command that opens or starts something by its words is the one that counts.
        if words.is_empty() {
            texts.sort_by_key(|text| INERT.contains(&text.as_str()));
        }
        // Where output goes is not read.
        if has_begun && !is_output {
            words.extend(texts);
        }
    }

    /// A text with a quote that has no end may be read otherwise by its shell.
    fn unended(&mut self) {
        self.tell("a text in which a quote or a bracket has no end");
    }

    /// The text in brackets, and the text behind them.
    fn within<'a>(&mut self, text: &'a str, open: char, close: char) -> (&'a str, &'a str) {
        inside(text, open, close).unwrap_or_else(|| {
            self.unended();
            (text, "")
        })
    }

    /// The name of a function, or of an array: its words are not told apart.
    fn opens(&mut self, word: &Piece, is_first: bool, rest: &str) {
        for text in &word.texts {
            if let Some(name) = text.strip_suffix('=') {
                self.set_unknown(name.strip_suffix('+').unwrap_or(name));
            } else if is_first && rest.trim_start().starts_with(')') {
                self.functions.insert(text.clone());
            }
        }
    }

    /// Reads here-documents, and returns what follows.
    fn documents<'a>(&mut self, ends: &[(String, bool)], text: &'a str, depth: usize) -> &'a str {
        let mut rest = text;
        let was_data = self.is_data;
        self.is_data |= !std::mem::take(&mut self.is_document_code);
        for (end, strips_tabs) in ends {
            let (document, after) = document(rest, end, *strips_tabs);
            self.texts(document, depth);
            rest = after;
        }
        self.is_data = was_data;
        rest
    }

    /// Goes on as one word for each of these; where they are too many, none is known.
    fn fork(&mut self, word: &mut Piece, ends: &[String]) {
        if word.texts.len() * ends.len() > BRACES_MAX {
            self.miss(&format!("one word that stands for more than {BRACES_MAX}"));
            return word.push(UNKNOWN);
        }
        let of = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
        let bytes = of(&word.texts) * ends.len() + of(ends) * word.texts.len();
        if bytes > WORD_BYTES_MAX && ends.len() * word.texts.len() > 1 || self.is_full(bytes) {
            self.miss("a word that stands for too much to be read");
            return word.push(UNKNOWN);
        }
        word.bytes = bytes;
        word.has_begun = true;
        word.texts =
            word.texts.iter().flat_map(|text| ends.iter().map(move |end| format!("{text}{end}"))).collect();
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
        self.unended();
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
            if end.is_none() {
                self.unended();
            }
            let (inner, rest) = end.map_or((text, ""), |(at, _)| (&text[..at], &text[at + 1..]));
            self.texts(&inner.replace("\\`", "`").replace("\\\\", "\\").replace("\\$", "$"), depth);
            word.push(UNKNOWN);
            return rest;
        }
        let (inner, rest) = match text.chars().next() {
            Some('(') => self.within(&text[1..], '(', ')'),
            Some('{') => {
                let (name, rest) = self.within(&text[1..], '{', '}');
                self.variable(name, word, depth);
                return rest;
            }
            // `$1`
            Some(c) if "@*123456789".contains(c) => {
                self.variable(if c == '*' { "@" } else { &text[..1] }, word, depth);
                return &text[1..];
            }
            // `$?`
            Some(c) if "?!#$-0".contains(c) => {
                word.push(UNKNOWN);
                return &text[1..];
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
        word.push(if inner.trim() == "pwd" && !self.functions.contains("pwd") { '.' } else { UNKNOWN });
        rest
    }

    fn variable(&mut self, inner: &str, word: &mut Piece, depth: usize) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end =
            inner.find(|c: char| !is_name(c)).unwrap_or(inner.len()).max(usize::from(inner.starts_with('@')));
        let (name, rest) = inner.split_at(end);
        // `${SCRIPT:-./deploy.sh}`, `${X:+$(./w.sh)}`
        let other = rest.trim_start_matches([':', '-', '=', '+', '?', '#', '%', '/', '^', ',', '@', '!']);
        let was_data = self.is_data;
        self.is_data |= !other.contains(['"', '\'']);
        for text in std::iter::once(other).chain(other.split_once('/').map(|(_, text)| text)) {
            if !text.is_empty() {
                self.texts(text, depth);
            }
        }
        self.is_data = was_data;
        let mut values = self.values(name);
        let is_set = !values.is_empty();
        values.retain(|value| !value.is_empty());
        let known = match name {
            "PWD" => Some("."),
            // `tool` knows where that is.
            "HOME" => Some("~"),
            // What stands beside it in a search path is looked at all the same.
            "PATH" => Some(""),
            _ => None,
        };
        if !is_set && known.is_none() && is_variable(name) {
            self.inherited.insert(name.to_owned());
        }
        if values.is_empty() || name == "HOME" && !self.given.contains("HOME") {
            values.extend(known.map(str::to_owned));
        }
        let is_position = !is_variable(name);
        // A value that is empty makes an end of a word that is not known, unless the step says so.
        let may_be_other = known.is_none()
            && (self.inherited.contains(name)
                || self.is_open && !is_position
                || values.is_empty() && !self.given.contains(name));
        let operator = rest.strip_prefix(':').unwrap_or(rest);
        match operator.chars().next() {
            Some(sign @ ('-' | '=' | '+' | '?')) => {
                let texts =
                    if sign == '?' { Vec::new() } else { self.words_of_default(&operator[1..], depth) };
                if sign == '=' {
                    texts.iter().for_each(|text| self.set(name, text));
                }
                values.extend(texts);
            }
            Some(sign) if CHANGES.contains(&sign) => values.push(UNKNOWN.to_string()),
            // `${X:2:3}`
            Some(_) => values.push(UNKNOWN.to_string()),
            None => {}
        }
        if may_be_other || values.is_empty() {
            values.push(UNKNOWN.to_string());
        }
        values.sort();
        values.dedup();
        self.fork(word, &values);
    }

    /// The words that the default of a variable stands for.
    fn words_of_default(&mut self, text: &str, depth: usize) -> Vec<String> {
        let text = text.trim_matches(['"', '\'']);
        let mut piece = Piece::default();
        let is_plain = !text.contains(['"', '\'']);
        if is_plain {
            self.quoted(&format!("{text}\""), &mut piece, depth);
        } else {
            piece.push(UNKNOWN);
        }
        piece.texts
    }
}

/// A word of a text that is being read, or the words that it stands for.
struct Piece {
    texts: Vec<String>,
    has_begun: bool,
    is_output: bool,
    /// Bytes of all words that it stands for.
    bytes: usize,
    /// It stands for too much: only one of the words is left.
    is_over: bool,
}

impl Default for Piece {
    fn default() -> Self {
        Self { texts: vec![String::new()], has_begun: false, is_output: false, bytes: 0, is_over: false }
    }
}

impl Piece {
    fn is_empty(&self) -> bool {
        !self.has_begun
    }

    fn ends_with(&self, ends: [char; 5]) -> bool {
        self.texts.first().is_some_and(|text| text.ends_with(ends))
    }

    fn push(&mut self, c: char) {
        self.grow(c.len_utf8());
        self.texts.iter_mut().for_each(|text| text.push(c));
    }

    fn push_str(&mut self, text: &str) {
        self.grow(text.len());
        self.texts.iter_mut().for_each(|end| end.push_str(text));
    }

    fn grow(&mut self, bytes: usize) {
        self.has_begun = true;
        self.bytes += bytes * self.texts.len();
        if self.bytes > WORD_BYTES_MAX && self.texts.len() > 1 {
            self.texts.truncate(1);
            self.is_over = true;
        }
    }
}

/// A word as a path; nothing when no file can have it. A path with many `./` and `//` is shortened.
fn path(word: &str) -> Option<String> {
    let mut path = word.to_owned();
    if word.len() > NAME_BYTES_MAX {
        path = word.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/");
        if word.starts_with('/') {
            path.insert(0, '/');
        }
    }
    let can_be = !path.is_empty()
        && path.len() <= PATH_BYTES_MAX
        && path.split('/').all(|part| part.len() <= NAME_BYTES_MAX);
    can_be.then_some(path)
}

/// The text up to the bracket that closes it, and the text behind; nothing where none does. Quotes, escapes and comments hold
/// no bracket.
fn inside(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    let (mut open_now, mut quote, mut before) = (1_usize, None, ' ');
    let mut signs = text.char_indices();
    while let Some((at, c)) = signs.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') | (Some('#'), '\n') => quote = None,
            (Some('\'' | '#'), _) => {}
            (_, '\\') => drop(signs.next()),
            // In double quotes a command may hold quotes of its own: a bracket counts there as well.
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') if before.is_whitespace() && close == ')' => quote = Some('#'),
            (None, _) if c == close => {
                open_now -= 1;
                if open_now == 0 {
                    return Some((&text[..at], &text[at + 1..]));
                }
            }
            (None, _) if c == open => open_now += 1,
            _ => {}
        }
        before = c;
    }
    None
}

/// The word that ends a here-document, true where tabs before it do not count, and the text behind: `<<E`, `<<-'end of it'`.
fn end_of_document(after: &str) -> (Option<(String, bool)>, &str) {
    let strips_tabs = after.starts_with('-');
    let after = after.trim_start_matches(['-', ' ', '\t']);
    let (mut word, mut quote, mut end) = (String::new(), None, after.len());
    for (at, c) in after.char_indices() {
        match quote {
            Some(sign) if c == sign => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c.is_whitespace() || ";|&<>()".contains(c) => {
                end = at;
                break;
            }
            None if c == '\\' => {}
            _ => word.push(c),
        }
    }
    ((!word.is_empty()).then_some((word, strips_tabs)), &after[end..])
}

/// True if the text before a word ends where an arm of a `case` may begin.
fn is_arm(before: &str) -> bool {
    let before = before.trim_end();
    before.ends_with(";;") || before.ends_with(";&") || before.ends_with(";;&") || before.ends_with(" in")
}

/// The lines of a here-document, and the text behind it; nothing where no line ends it.
fn document<'a>(text: &'a str, end: &str, strips_tabs: bool) -> (&'a str, &'a str) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let plain = line.strip_suffix('\n').unwrap_or(line);
        if if strips_tabs { plain.trim_start_matches('\t') } else { plain } == end {
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
                    rest.chars().skip(skip).take(digits).take_while(|c| c.is_digit(radix)).collect();
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
    for end in ends.map(|entry| entry.0).collect::<Vec<_>>().into_iter().chain([group.len()]) {
        let part = &group[start..end];
        start = end + 1;
        unbrace(part, &mut out);
        if out.len() > BRACES_MAX {
            break;
        }
    }
    out.iter_mut().for_each(|value| value.retain(|c| !"'\"\\".contains(c)));
    out
}

/// Every word that a text with braces in it stands for.
fn unbrace(text: &str, out: &mut Vec<String>) {
    if out.len() > BRACES_MAX {
        return;
    }
    let group = text.match_indices('{').find_map(|(at, _)| Some((at, braces(&text[at + 1..])?)));
    let Some((at, (group, after))) = group else { return out.push(text.to_owned()) };
    for alternative in alternatives(group) {
        unbrace(&format!("{}{alternative}{after}", &text[..at]), out);
    }
}

/// `1..3`, `a..c`
fn range(group: &str) -> Option<Vec<String>> {
    let (from, to) = group.split_once("..")?;
    let many = BRACES_MAX + 1;
    if let (Ok(from), Ok(to)) = (from.parse::<i64>(), to.parse::<i64>()) {
        return Some((from.min(to)..=from.max(to)).take(many).map(|index| index.to_string()).collect());
    }
    let one = |text: &str| text.parse::<char>().ok().filter(char::is_ascii_alphabetic);
    let (from, to) = (one(from)?, one(to)?);
    Some((from.min(to)..=from.max(to)).take(many).map(String::from).collect())
}

/// Commands that set a variable which a word names.
fn is_assigned(command: &str) -> bool {
    SETS.contains(&command)
        || DECLARES.contains(&command)
        || matches!(command, "export" | "readonly" | "printf")
}

/// True for a word of an interpreter behind which code stands, or the name of a module.
fn is_code(interpreter: &str, word: &str) -> bool {
    let letters: &[char] = match Language::of(interpreter) {
        Some(Language::Python) => &['c', 'm'],
        Some(Language::Perl) => &['e', 'E'],
        Some(Language::JavaScript) => &['e', 'p'],
        Some(Language::Ruby | Language::Lua) => &['e'],
        None => &['c', 'e', 'E', 'r', 'B', 'R'],
    };
    match word.strip_prefix("--") {
        Some(long) => {
            ["eval", "print", "exec", "execute", "command"].iter().any(|name| long.starts_with(name))
        }
        None => word == "eval" || word.starts_with('-') && word.contains(letters),
    }
}

fn is_number(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit())
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
        named(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), env)
    }

    /// These are taken to be run, these to be named; there may be more.
    #[track_caller]
    fn check(words: &[&str], runs: &[&str], names: &[&str]) {
        let found = of(words);
        for (wanted, all) in [(runs, &found.runs), (names, &found.names)] {
            for run in wanted {
                let mut below = found.dirs.iter().filter_map(|dir| run.strip_prefix(dir)?.strip_prefix('/'));
                assert!(
                    all.contains(*run) || below.any(|rest| all.contains(rest)),
                    "{run} of {words:?}: {found:?}"
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
        check_text("bash $ROOT/run; \"$(pwd)/sub/e.sh\"", &["run"], &["./sub/e.sh"]);
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
        assert!(missed(&deep).iter().any(|text| text.contains("deep")), "{:?}", missed(&deep));
        let many: String = (0..300).map(|index| format!("cd d{index}; ")).collect();
        assert!(missed(&many).iter().any(|text| text.contains("directories")), "{:?}", missed(&many));
        assert!(missed("./{1..999}.sh").iter().any(|text| text.contains("stands for")));
        assert!(missed("~root/w.sh").iter().any(|text| text.contains("another user")));
        for text in [
            "a=xx;".to_owned() + &"a=$a$a;".repeat(60),
            "a=xx;".to_owned() + &"a+=$a$a;".repeat(60),
            "v0=x;".to_owned() + &(1..60).map(|at| format!("v{at}=$v{0}$v{0};", at - 1)).collect::<String>(),
            "a=x;".to_owned() + &"a+=y;".repeat(100_000),
            "{a,b}".repeat(6) + &"x".repeat(WORD_BYTES_MAX),
            (0..=VARIABLES_MAX).map(|number| format!("v{number}=x;")).collect(),
            "<<E ".repeat(DOCUMENTS_MAX + 1) + "\n" + &"x\n".repeat(100_000),
        ] {
            assert!(!missed(&(text.clone() + " ./$a")).is_empty(), "{text:.60}");
        }
        let long = "a b ".repeat(TEXT_BYTES_MAX / 4 + 1);
        assert!(missed(&long).iter().any(|text| text.contains("bytes of text")));
    }

    #[test]
    fn there_is_an_end_to_words() {
        let many: Vec<String> = (0..5000).map(|index| format!("f{index}.txt")).collect();
        let found = named(&many, BTreeMap::new());
        assert_eq!(found.names.len() + found.runs.len(), NAMED_WORDS_MAX);
        assert_eq!(found.missed.len(), 1);
    }
}
