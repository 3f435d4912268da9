//! The words of one command: the script of an interpreter, the directory that it goes to, the files of a runner.

use super::Gather;
use super::known_words::{
    GOES, INERT, LEADING, PYTHON_MODULES, READERS, READS_F, READS_TEXT, READS_VALUE, READS_VALUE_LETTER,
    RUNNERS, STARTS_ALL, STARTS_FOUND, TELLS, VALUE_LETTERS, VALUE_LETTERS_OF_SHELLS,
};
use super::limits::{TEXT_BYTES_MAX, UNKNOWN};
use super::simple_command::SET_NAMES;
use super::variable::is_variable;
use crate::code::{Language, Loads};
use crate::program::{is_interpreter, is_shell, name_of};

/// Texts that shells of one command get.
const TEXTS_MAX: usize = 8;

impl Gather {
    pub(super) fn command(&mut self, words: &[String], depth: usize) {
        self.starts(words);
        self.carried(words);
        self.writes_and_runs(words);
        self.sets(words);
        self.marks(words);
        let (mut is_recipe, mut awaits_script, mut before) = (false, false, "");
        let (mut reads_f, mut reads_modules, mut goes, mut is_end) = (false, false, false, false);
        let (mut letters, mut reads_commands) = (VALUE_LETTERS, false);
        let is_inert = self.is_inert(words);
        let mut texts = 0;
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
                texts += 1;
                if texts > TEXTS_MAX {
                    self.miss(&format!("more than {TEXTS_MAX} texts of one command"));
                    return;
                }
                self.positions(words.get(at + 2..).unwrap_or_default());
            }
            let was_data = self.is_data;
            self.is_data |= !(is_text && reads_commands || reads_text);
            if is_text && reads_commands {
                self.text_of(interpreter.filter(|_| !is_inert), word, depth);
            } else if is_text && reads_modules {
                self.texts(word, depth);
            } else {
                self.word_or_text(word, is_recipe || is_script || awaits_script, is_text, depth);
            }
            self.is_data = was_data;
            if is_script && awaits_script && !is_text {
                self.runs(word);
                if !reads_commands {
                    self.of_dir(word);
                }
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
            && words[at + 1..].iter().all(|word| word.starts_with('-') || is_digits(word))
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
        if is_shell(name) && is_option {
            self.shell_option(name, word);
        } else if is_shell(name) && is_short && before.ends_with('o') && !SET_NAMES.contains(&word) {
            self.construct(&format!("`{before} {word}`"));
        }
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

    /// The text of a shell, which is judged where its commands are run for certain.
    fn text_of(&mut self, shell: Option<&str>, text: &str, depth: usize) {
        let was_sh = self.is_sh;
        match shell {
            Some("ksh" | "zsh") => self.construct(&format!("text of {}", shell.unwrap_or_default())),
            Some(shell) => {
                self.is_sh = shell != "bash";
                self.judge(text);
            }
            None => {}
        }
        self.texts(text, depth);
        self.is_sh = was_sh;
    }

    /// An option that has a shell read more files, or read a text otherwise.
    fn shell_option(&mut self, name: &str, word: &str) {
        let letters = word.trim_start_matches(['-', '+']);
        let is_long = word.starts_with("--");
        if word == "--login" || !is_long && letters.contains(['l', 'i']) {
            self.tell(&format!("profiles that {name} reads by {word}"));
        } else if !is_long && letters.contains(['O', 'k']) || word == "--posix" || word == "--debugger" {
            self.construct(&format!("`{word}`"));
        }
    }

    /// The commands or the code that an interpreter gets beside a script.
    fn input(&mut self, name: &str, has_code: bool, reads_input: bool) {
        if is_shell(name) || matches!(name, "." | "source") {
            if self.has_here_string {
                self.tell(&format!("commands that {name} reads from a here-string"));
            }
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
    pub(super) fn code(&mut self, language: Language, text: &str) {
        self.text_bytes += text.len();
        if self.text_bytes > TEXT_BYTES_MAX {
            return self.miss(&format!("more than {TEXT_BYTES_MAX} bytes of text"));
        }
        let Loads { files, dirs } = language.loads(text);
        files.iter().for_each(|file| self.take(file, true));
        dirs.iter().for_each(|dir| self.modules_of(dir));
    }

    /// Words before the name of a command.
    pub(super) fn is_before(&self, word: &str) -> bool {
        let key = word.split_once('=').map(|(key, _)| key.strip_suffix('+').unwrap_or(key));
        LEADING.contains(&word) || key.is_some_and(is_variable)
    }

    /// True for a command that opens and starts nothing by its words.
    pub(super) fn is_inert(&self, words: &[String]) -> bool {
        let first = words.iter().find(|word| !self.is_before(word));
        first.is_none_or(|word| INERT.contains(&word.as_str()) && !self.functions.contains(word))
    }
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

fn is_digits(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit())
}
