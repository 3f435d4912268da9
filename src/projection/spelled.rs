//! Values as they are spelled in JSON and in lines: shares, risks, command lines.

use cuelight_base::{Launch, Score, Value};
use cuelight_plan::{Risk, SHELL};
use serde::Serialize;

/// The word for a risk: `low`, `normal`, `high`.
pub const fn risk_word(risk: Risk) -> &'static str {
    match risk {
        Risk::ReadOnly | Risk::Reversible => "low",
        Risk::ExternallyReversible => "normal",
        Risk::Irreversible => "high",
    }
}

/// Three decimals, as written.
pub(super) fn decimal(score: Score) -> Value {
    let thousandths = (u32::from(score.0) + 5) / 10;
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    serde_json::from_str(&text).expect("a number in decimals is JSON")
}

pub(super) fn to_value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("what is stored as JSON can be written as JSON")
}

/// The text of what may not be there: an id, an instant.
pub(super) fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// A call as a line that a POSIX shell would read back as the same words.
pub fn command_line(launch: &Launch) -> String {
    words_line(&launch.argv)
}

/// The script of a call by the shell of scripts that name none; none for any other call.
pub fn script_of(launch: &Launch) -> Option<&str> {
    match launch.argv.as_slice() {
        [shell @ .., script] if shell == SHELL => Some(script),
        _ => None,
    }
}

/// Words as a line that a POSIX shell would read back as the same.
pub fn words_line(words: &[String]) -> String {
    let quoted = |word: &String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
