//! The severity of a line of foreign output, guessed from the words that programs use for it. Colour and a
//! filter depend on it, and nothing else.

use crate::Role;
use cuelight_base::bytes_without_sgr;

/// From what is told in passing to what went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LogLevel {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

/// Bytes at the start of a line in which the level is looked for.
const LOOKED_AT: usize = 256;
/// A word that names the level of a line stands among so many first ones.
const NAMED_AMONG: usize = 10;
/// Before a number or a name that is the level: `level=warn`, `"severity":"ERROR"`.
const KEYS: [&str; 5] = ["level", "lvl", "levelname", "loglevel", "severity"];
/// Words of a line that went wrong, wherever they stand.
const WRONG: [&str; 12] = [
    "error",
    "err",
    "fatal",
    "panic",
    "panicked",
    "critical",
    "exception",
    "traceback",
    "fail",
    "failed",
    "failure",
    "segfault",
];

impl LogLevel {
    /// The level of a line; one that says nothing of itself is `Info`.
    pub(crate) fn of(line: &[u8]) -> Self {
        let line = bytes_without_sgr(line);
        let words: Vec<&str> = line[..line.len().min(LOOKED_AT)]
            .split(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))
            .filter_map(|part| std::str::from_utf8(part).ok())
            .filter(|text| !text.is_empty())
            .collect();
        words
            .first()
            .and_then(|word| lettered(word))
            .or_else(|| declared(&words))
            .unwrap_or_else(|| guessed(&words))
    }

    /// The level of a name: `warn`, `WARNING`, `fatal`.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "debug" | "trace" | "verbose" | "dbg" => Self::Debug,
            "info" | "notice" | "information" => Self::Info,
            "warn" | "warning" | "wrn" => Self::Warn,
            "error" | "err" | "fatal" | "critical" | "crit" | "severe" | "emerg" | "panic" => Self::Error,
            _ => return None,
        })
    }

    /// All levels, the least severe first.
    pub(crate) const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// Its letter before a line.
    pub(crate) const fn letter(self) -> &'static str {
        match self {
            Self::Debug => "D",
            Self::Info => "I",
            Self::Warn => "W",
            Self::Error => "E",
        }
    }

    /// Its word in a filter.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// Its colour; the words of the line say the same.
    pub(crate) const fn role(self) -> Role {
        match self {
            Self::Debug => Role::LogD,
            Self::Info => Role::LogI,
            Self::Warn => Role::LogW,
            Self::Error => Role::LogE,
        }
    }
}

/// `E0612 12:04:31.118 …`: a letter and the day, as glog writes.
fn lettered(word: &str) -> Option<LogLevel> {
    let (letter, day) = word.split_at_checked(1)?;
    let is_day = day.len() == 4 && day.bytes().all(|byte| byte.is_ascii_digit());
    is_day.then_some(())?;
    Some(match letter {
        "I" => LogLevel::Info,
        "W" => LogLevel::Warn,
        "E" | "F" => LogLevel::Error,
        _ => return None,
    })
}

/// The level that the line names itself: after a key, or in capitals near its start.
fn declared(words: &[&str]) -> Option<LogLevel> {
    let mut before = "";
    for (place, word) in words.iter().enumerate() {
        let is_key = KEYS.iter().any(|key| key.eq_ignore_ascii_case(before));
        let is_loud =
            place < NAMED_AMONG && word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_key && let Ok(number) = word.parse::<u32>() {
            return Some(match number {
                0..30 => LogLevel::Debug,
                30..40 => LogLevel::Info,
                40..50 => LogLevel::Warn,
                50.. => LogLevel::Error,
            });
        }
        if let Some(level) = LogLevel::named(word).filter(|_| is_key || is_loud) {
            return Some(level);
        }
        before = word;
    }
    None
}

/// By its words; `0 errors`, `no error` and `failed: 0` are none.
fn guessed(words: &[&str]) -> LogLevel {
    let is_none =
        |text: Option<&&str>| text.is_some_and(|text| matches!(*text, "0" | "no" | "No" | "without"));
    let about = |place: usize| {
        is_none(place.checked_sub(1).and_then(|place| words.get(place))) || words.get(place + 1) == Some(&"0")
    };
    let wrong = |word: &str| {
        WRONG.iter().any(|text| text.eq_ignore_ascii_case(word))
            || (word.len() > 5 && (word.ends_with("Error") || word.ends_with("Exception")))
    };
    let warns =
        |word: &str| ["warning", "warn", "deprecated"].iter().any(|text| text.eq_ignore_ascii_case(word));
    let any =
        |is: &dyn Fn(&str) -> bool| words.iter().enumerate().any(|(place, word)| is(word) && !about(place));
    match () {
        () if any(&wrong) => LogLevel::Error,
        () if any(&warns) => LogLevel::Warn,
        () => LogLevel::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: LogLevel, lines: &[&str]) {
        for line in lines {
            assert_eq!(LogLevel::of(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn what_programs_call_an_error_is_one() {
        check(
            LogLevel::Error,
            &[
                "error[E0308]: mismatched types",
                "2025-06-12T12:04:31Z ERROR orders: it broke",
                "{\"level\":\"error\",\"msg\":\"x\"}",
                "{\"level\":50,\"msg\":\"x\"}",
                "time=12:04 level=fatal msg=\"x\"",
                "E0612 12:04:31.118 1 main.go:4] no",
                "Traceback (most recent call last):",
                "java.lang.NullPointerException: x",
                "TypeError: undefined is not a function",
                "npm ERR! code 1",
                "thread 'main' panicked at src/main.rs:1",
                "3 tests failed",
            ],
        );
    }

    #[test]
    fn what_only_talks_of_errors_is_none() {
        check(
            LogLevel::Info,
            &[
                "",
                "12 passed; 0 failed",
                "errors in 10,000 requests: 2",
                "no error",
                "failed: 0",
                "INFO error rate is fine",
                "level=info msg=\"retry after error\"",
                "error_count=4",
                "building debug binary",
                "\u{fffd}\u{0}",
            ],
        );
    }

    #[test]
    fn warnings_and_what_is_told_in_passing_have_their_own() {
        check(LogLevel::Warn, &["warning: unused variable", "[WARN] slow", "lvl=40 x", "it is deprecated"]);
        check(LogLevel::Debug, &["12:04 DEBUG x", "severity: trace", "{\"level\": 20}"]);
        assert!(LogLevel::Debug < LogLevel::Info && LogLevel::Warn < LogLevel::Error);
    }
}
