//! Output of commands. The only place that writes to standard output and standard error; a closed pipe ends
//! quietly.

use super::args::When;
use cuelight_base::{Value, is_unseen, json_in_sight, safe_text};
use cuelight_runtime::{Clock as _, SystemClock};
use serde::Serialize;
use serde_json::json;
use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// The standard output of a command, and its permission to use colour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    pub(super) colour: bool,
    /// True if the output is a terminal: JSON is escaped there so that it cannot move the cursor. A pipe or a
    /// file gets it unchanged, since hashes have to match.
    is_terminal: bool,
    /// True if the command has work to do even when nobody reads its output any more.
    staying: bool,
}

impl Output {
    pub(super) fn new(when: When, no_color: bool) -> Self {
        let colour = match when {
            When::Always => true,
            When::Never => false,
            When::Auto => !no_color && io::stdout().is_terminal(),
        };
        Self { colour, is_terminal: io::stdout().is_terminal(), staying: false }
    }

    pub(super) const fn is_terminal(self) -> bool {
        self.is_terminal
    }

    /// The same output, for a command that continues when its reader has gone.
    pub(super) fn staying(self) -> Self {
        Self { staying: true, ..self }
    }

    /// Prints one line of text, with a line feed at its end.
    pub(super) fn line(self, text: &str) {
        self.raw(format!("{text}\n").as_bytes());
    }

    /// Writes the bytes unchanged, without a line feed.
    pub(super) fn raw(self, bytes: &[u8]) {
        if !self.writes(bytes) && !self.staying {
            // Whoever read this has gone; there is nobody left to tell.
            std::process::exit(0);
        }
    }

    /// One line, where it matters that somebody may have read it: whether that is so.
    pub(super) fn line_reaches(self, text: &str) -> bool {
        self.writes(format!("{text}\n").as_bytes())
    }

    fn writes(self, bytes: &[u8]) -> bool {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).is_ok()
    }

    /// One JSON value, on one line.
    pub(super) fn json(self, value: &impl Serialize) {
        self.json_text(&serde_json::to_string(value).expect("an answer is JSON"));
    }

    /// The same, where it matters that somebody may have read it: whether that is so.
    pub(super) fn reaches(self, value: &Value) -> bool {
        self.line_reaches(&self.in_sight(&value.to_string()))
    }

    /// JSON that is text already: one value, or one a line.
    pub(super) fn json_text(self, text: &str) {
        self.line(&self.in_sight(text));
    }

    /// A text with foreign words in it that a program may read: to a pipe or a file as it is, to a terminal so that it moves nothing there.
    pub(super) fn foreign(self, text: &str) {
        if !self.is_terminal {
            return self.raw(text.as_bytes());
        }
        text.lines().for_each(|line| self.line(&safe_text(line)));
    }

    fn in_sight(self, json: &str) -> Cow<'_, str> {
        if self.is_terminal { json_in_sight(json, is_unseen).into() } else { json.into() }
    }

    /// One JSON value, over several lines.
    pub(super) fn json_pretty(self, value: &impl Serialize) {
        self.json_text(&serde_json::to_string_pretty(value).expect("an answer is JSON"));
    }

    /// Columns as wide as what stands in them; the last one is not padded. Text from outside must be safe already.
    pub(super) fn table(self, head: &[&str], rows: &[Vec<String>]) {
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].as_str()).chain([head[column]]);
            cells.map(unicode_width::UnicodeWidthStr::width).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let line = |cells: &[&str]| {
            let mut text = String::new();
            for (at, cell) in cells.iter().enumerate() {
                text.push_str(cell);
                if at + 1 < cells.len() {
                    let used = unicode_width::UnicodeWidthStr::width(*cell);
                    text.push_str(&" ".repeat(widths[at].saturating_sub(used) + 2));
                }
            }
            text.trim_end().to_owned()
        };
        let mut text = line(head);
        if self.colour {
            text = format!("\u{1b}[1m{text}\u{1b}[0m");
        }
        for row in rows {
            text.push('\n');
            text.push_str(&line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
        }
        self.line(&text);
    }
}

/// True if the log on stderr is JSON; set once, before the first line is written.
static AS_JSON: AtomicBool = AtomicBool::new(false);

/// From now on what is told beside the output is one JSON object a line, for programs that gather logs.
pub(super) fn tell_as_json() {
    AS_JSON.store(true, Relaxed);
}

/// True if the log on stderr is JSON.
pub(super) fn tells_json() -> bool {
    AS_JSON.load(Relaxed)
}

/// One line of the log, as it is.
pub(super) fn log(line: &Value) {
    // Nothing can be done when even this cannot be written.
    drop(writeln!(io::stderr().lock(), "{}", escaped(line)));
}

/// A value as JSON that moves nothing on a terminal.
fn escaped(value: &Value) -> String {
    json_in_sight(&value.to_string(), is_unseen)
}

/// A message for the person at the terminal, not for the program that reads the output. It contains names and
/// texts from outside.
pub(super) fn say(text: &str) {
    let text = &without_numbers(text);
    if tells_json() {
        let level = if text.starts_with("could not") { "error" } else { "info" };
        return log(&json!({"time": SystemClock.now().to_string(), "level": level, "message": text}));
    }
    let shown: Vec<String> = text.lines().map(safe_text).collect();
    // Nothing can be done when even this cannot be written.
    drop(writeln!(io::stderr().lock(), "{}", shown.join("\n")));
}

/// The text without the number that the standard library puts behind each error of the system: the words before it say it.
pub(super) fn without_numbers(text: &str) -> String {
    const TAIL: &str = " (os error ";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(TAIL) {
        let (before, tail) = (&rest[..at], &rest[at + TAIL.len()..]);
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        out.push_str(before);
        match tail[digits..].strip_prefix(')') {
            Some(after) if digits > 0 => rest = after,
            _ => {
                out.push_str(TAIL);
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_is_told_in_words_alone() {
        let missing = io::Error::from_raw_os_error(2);
        let text = format!("could not read a: {missing}; see {missing}. (os error x) (os error 2");
        let missing = "No such file or directory";
        let plain = format!("could not read a: {missing}; see {missing}. (os error x) (os error 2");
        assert_eq!(without_numbers(&text), plain);
    }

    #[test]
    fn a_log_line_in_json_moves_no_terminal_and_reads_back_as_it_was() {
        let odd = "a\u{7f}b\u{9b}31m\u{202e}\u{2066}\u{200b}\u{e0041}\n\u{1b}[2J\"é✓";
        let line = json!({"message": odd, odd: 7});
        let text = escaped(&line);
        assert!(!text.chars().any(is_unseen), "{text:?}");
        assert!(
            text.contains(r"a\u007fb\u009b31m\u202e\u2066\u200b\udb40\udc41\n\u001b[2J")
                && text.contains("é✓"),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), line);
    }
}
