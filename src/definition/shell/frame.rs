//! The syntax that a shell is in, and the command whose words it reads.

use crate::inline;
use crate::inline::Inline;

/// Programs that read an argument as a script when told so by `-c`.
const READ_SCRIPTS: &[&str] = &["bash", "sh", "dash", "ash", "ksh", "zsh", "fish", "su"];
/// Commands that read their arguments as code without being told.
const READ_AGAIN: &[&str] = &["eval", "let", "trap", "ssh"];

/// Commands that call another one: whatever they are given may be its name.
const WRAPPERS: &[&str] = &[
    "sudo", "env", "command", "exec", "time", "nohup", "xargs", "timeout", "nice", "ionice", "stdbuf",
    "find", "watch", "parallel", "doas", "setsid", "flock", "chroot",
];

/// Words before which a command has not begun yet.
const LEADING: &[&str] = &[
    "sudo", "env", "command", "builtin", "exec", "time", "nohup", "!", "{", "then", "do", "else", "elif",
    "if", "while", "until",
];

/// The syntax that the shell is in at some point of the text.
pub(super) enum Frame {
    Code(Code),
    Double,
    Single,
    /// A string in `$'…'`, with escapes.
    Escaped,
    /// A parameter expansion: `${…}`.
    Parameter,
    /// `$((…))` or `((…))`, with so many open parentheses.
    Arithmetic(u32),
    Here(Here),
}

/// Commands: the script itself, `$(…)`, or between backticks.
#[derive(Default)]
pub(super) struct Code {
    pub(super) end: Option<char>,
    pub(super) parens: u32,
    pub(super) cases: u32,
    pub(super) word: String,
    /// True if some of the word stood in quotes.
    pub(super) quoted: bool,
    /// True if a command has begun.
    begun: bool,
    /// True if the command calls another one.
    wraps: bool,
    reads_scripts: bool,
    /// The language that its program reads, and what the next word is to it.
    pub(super) inline: Option<Inline>,
    pub(super) reads_again: bool,
    /// The byte offset at which a `[[` opened.
    pub(super) test: Option<usize>,
}

pub(super) struct Here {
    pub(super) delimiter: String,
    pub(super) is_quoted: bool,
    pub(super) strips_tabs: bool,
    pub(super) for_shell: bool,
    /// The remedy, if another language reads the here-document.
    pub(super) help: Option<String>,
}

impl Code {
    pub(super) fn ending(end: char) -> Self {
        Self { end: Some(end), ..Self::default() }
    }

    /// True if the current word is read as code.
    pub(super) fn reads_this(&self) -> bool {
        self.reads_again
            || self.reads_scripts && is_script_flag(&self.word)
            || self.inline.as_ref().is_some_and(|inline| inline.reads(&self.word))
    }

    /// True if the standard input is read as code.
    pub(super) fn reads_input(&self) -> bool {
        self.reads_scripts || self.reads_again || self.inline.as_ref().is_some_and(Inline::reads_input)
    }

    pub(super) fn end_word(&mut self, at: usize) {
        let word = std::mem::take(&mut self.word);
        let quoted = std::mem::take(&mut self.quoted);
        if word.is_empty() {
            return;
        }
        let name = word.rsplit('/').next().unwrap_or(&word);
        match name {
            _ if quoted => {}
            "case" if !self.begun => self.cases += 1,
            "esac" => self.cases = self.cases.saturating_sub(1),
            "[[" => self.test = Some(at),
            "]]" => self.test = None,
            _ => {}
        }
        if READ_SCRIPTS.contains(&name) {
            self.reads_scripts = true;
        } else if self.reads_scripts && is_script_flag(&word) {
            self.reads_again = true;
        }
        match &mut self.inline {
            Some(inline) => inline.end_word(&word),
            None => self.inline = inline::called(name, !self.begun || self.wraps),
        }
        self.wraps |= !self.begun && WRAPPERS.contains(&name);
        if !self.begun && !LEADING.contains(&name) && !word.contains('=') {
            self.begun = true;
            self.reads_again |= READ_AGAIN.contains(&name);
        }
    }

    pub(super) fn end_command(&mut self, at: usize) {
        self.end_word(at);
        (self.begun, self.wraps, self.reads_scripts, self.reads_again) = (false, false, false, false);
        self.inline = None;
    }
}

/// `-c`, also among others: `-euc`.
fn is_script_flag(word: &str) -> bool {
    word.starts_with('-') && !word.starts_with("--") && word.contains('c')
}
