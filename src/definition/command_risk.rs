//! The risk of a shell command, judged by its words, for people who are asked about it. The judgement shows a risk and chooses how an
//! approval is confirmed; nothing is approved by it.
//!
//! Low is only what is known to be read-only, word by word. High is what is known to destroy, to publish, or to hide a program in an
//! option. Everything else keeps the middle: a construct that is not understood is never a reason for less. A program is taken by its
//! name; what its configuration makes it run is not seen.

mod harm;
mod read_only;
mod script;

use crate::Risk;
use cuelight_base::{is_shell, is_unseen};
use read_only::only_reads;
use script::{Simple, Word};

/// A command of more bytes is judged by nothing but its length.
const JUDGED_BYTES_MAX: usize = 16 * 1024;
/// The deepest nesting of scripts within scripts that is judged.
const DEPTH_MAX: u32 = 4;
/// The bytes read of one command, including its scripts within scripts.
const READ_BYTES_MAX: usize = 24 * JUDGED_BYTES_MAX;
/// The bytes that each script adds to the read budget besides its own length.
const SCRIPT_BYTES: usize = 64;

/// A risk, and the part of the command that raised it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRisk {
    /// The damage that a wrong approval could do.
    pub risk: Risk,
    /// Why it is high; empty otherwise.
    pub why: String,
}

/// Judges a script of a POSIX shell.
pub fn command_risk(script: &str) -> CommandRisk {
    let mut judge = Judge { is_clear: true, high: None, read: 0 };
    if script.len() > JUDGED_BYTES_MAX {
        judge.raise("it is too long to be judged");
    } else {
        judge.script(script, 0);
    }
    judge.verdict()
}

/// Judges the words of a program that is started without a shell.
pub fn words_risk(words: &[String]) -> CommandRisk {
    let mut judge = Judge { is_clear: true, high: None, read: 0 };
    let words: Vec<Word> = words.iter().map(|word| Word { text: word.clone(), ..Word::default() }).collect();
    if words.iter().map(|word| word.text.len()).sum::<usize>() > JUDGED_BYTES_MAX {
        judge.raise("it is too long to be judged");
    } else {
        judge.command(&Simple { words, ..Simple::default() }, 0);
    }
    judge.verdict()
}

/// Programs that start the program named among their words.
const WRAPPERS: &[&str] = &[
    "builtin",
    "busybox",
    "chroot",
    "command",
    "coproc",
    "doas",
    "env",
    "exec",
    "find",
    "flock",
    "ionice",
    "nice",
    "nohup",
    "nsenter",
    "parallel",
    "pkexec",
    "rsync",
    "runuser",
    "script",
    "setsid",
    "ssh",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "systemd-run",
    "tar",
    "time",
    "timeout",
    "unshare",
    "watch",
    "xargs",
];
/// Words before which a command has not begun yet.
const LEADING: &[&str] =
    &["!", "{", "}", "do", "elif", "else", "if", "then", "until", "while", "time", "fi", "done"];

struct Judge {
    /// Every word so far was understood, and only reads.
    is_clear: bool,
    /// Why it is high.
    high: Option<String>,
    /// Bytes read so far.
    read: usize,
}

impl Judge {
    fn verdict(self) -> CommandRisk {
        match (self.high, self.is_clear) {
            (Some(why), _) => CommandRisk { risk: Risk::Irreversible, why },
            (None, true) => CommandRisk { risk: Risk::ReadOnly, why: String::new() },
            (None, false) => CommandRisk { risk: Risk::ExternallyReversible, why: String::new() },
        }
    }

    fn raise(&mut self, why: &str) {
        self.high.get_or_insert_with(|| why.to_owned());
    }

    fn script(&mut self, text: &str, depth: u32) {
        self.read += text.len() + SCRIPT_BYTES;
        if depth > DEPTH_MAX || self.read > READ_BYTES_MAX {
            return self.raise("it is too deep to be judged");
        }
        let plain = |c: char| c == '\n' || c == '\t' || !is_unseen(c);
        self.is_clear &= text.chars().all(plain) && !text.trim().is_empty();
        let all = self.split(text, depth);
        for simple in &all {
            self.command(simple, depth);
        }
        // Quotation marks in a text that is handed on hide nothing that comes after it.
        if text.contains("<<") && text.trim().contains('\n') {
            text.lines().for_each(|line| self.script(line, depth + 1));
        }
        let names: Vec<&str> = all.iter().map(|simple| name(&simple.words)).collect();
        // A change of the directory chooses whose configuration git reads.
        if names.contains(&"cd") && names.contains(&"git") {
            self.is_clear = false;
        }
        // What a shell reads from a pipe was written by the words before it.
        if all.iter().any(|simple| simple.is_fed && takes_code(&simple.words)) {
            if names.iter().any(|name| ["curl", "wget", "fetch", "nc", "ncat"].contains(name)) {
                self.raise("a shell runs what an address answers");
            }
            for word in all.iter().flat_map(|simple| &simple.words) {
                self.script(&word.text, depth + 1);
            }
        }
    }

    fn command(&mut self, simple: &Simple, depth: u32) {
        self.is_clear &= !simple.writes;
        let mut words = simple.words.as_slice();
        while let Some(first) = words.first() {
            let variable = first.text.split_once('=').map(|halves| halves.0.trim_end_matches('+'));
            let is_name = |variable: &str| {
                !variable.is_empty() && variable.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            };
            if let Some(variable) = variable.filter(|variable| is_name(variable)) {
                self.variable(variable);
            } else if !LEADING.contains(&first.text.as_str()) {
                break;
            }
            self.is_clear = false;
            words = &words[1..];
        }
        let Some(first) = words.first() else { return };
        self.is_clear &= !first.expands && only_reads(words);
        if first.expands && !first.begins_expanded && !first.text.starts_with('[') {
            self.raise("the name of the program is put together");
        }
        for word in words {
            self.parts(&word.text);
        }
        self.harm(words, depth);
        if WRAPPERS.contains(&name(words)) {
            for from in 1..words.len() {
                let word = &words[from].text;
                if let Some((variable, _)) = word.split_once('=') {
                    self.variable(variable);
                }
                // Some take the command as one word.
                if word.contains(char::is_whitespace) {
                    self.script(word, depth + 1);
                }
                self.harm(&words[from..], depth);
            }
        }
    }
}

/// The name of the program that is started.
fn name(words: &[Word]) -> &str {
    words.first().map_or("", |word| word.text.rsplit('/').next().unwrap_or_default())
}

/// A shell, or an interpreter that reads a script from its input, also behind a program that starts it.
fn takes_code(words: &[Word]) -> bool {
    let reads = |at: usize| {
        let name = name(&words[at..]);
        is_shell(name)
            || ["python", "python3", "perl", "ruby", "node", "source", ".", "xargs"].contains(&name)
    };
    let starts = WRAPPERS.contains(&name(words));
    (0..words.len()).take(if starts { usize::MAX } else { 1 }).any(reads)
}

/// True if a word matches a pattern. A pattern that ends with `*` matches every word that begins with the
/// part before it.
fn fits(word: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(word == pattern, |rest| word.starts_with(rest))
}
