//! The verdict of a piece of evidence on itself: that all is well, that something failed, or that nothing was done.
//!
//! Read from the fields of a JSON object, from a check list, and from the words that test runners, scanners and compilers
//! end with. A text that says nothing of the kind is only present: nobody vouches for it here.

use cuelight_base::{Value, ValueMap, read_json, shorten};

/// The verdict of a text on itself, and the words to show beside its title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceVerdict {
    /// True if it says that all is well, false if it says otherwise or nothing; none where it says neither.
    pub is_good: Option<bool>,
    /// The words that say so; foreign text. Empty where it says neither.
    pub words: String,
}

/// Characters of a line that are repeated beside the title.
const WORDS_MAX: usize = 60;
/// Lines that are looked at, from the end: there programs sum up.
const LINES_MAX: usize = 2_000;

const GOOD: &[&str] = &[
    "pass",
    "passed",
    "ok",
    "success",
    "succeeded",
    "green",
    "healthy",
    "clean",
    "completed",
    "valid",
    "true",
    "yes",
];
const BAD: &[&str] =
    &["fail", "error", "reject", "cancel", "timeout", "timed", "abort", "unhealthy", "false"];
/// Fields that say how it went.
const STATES: &[&str] = &[
    "status",
    "result",
    "conclusion",
    "outcome",
    "verdict",
    "state",
    "ok",
    "passed",
    "success",
    "succeeded",
    "healthy",
    "valid",
];
/// Fields with a number, or a list, of bad things.
const COUNTS: &[&str] =
    &["failed", "failures", "errors", "error", "exit_code", "exitcode", "returncode", "critical", "high"];
/// Fields with a number of things that were done.
const DONE: &[&str] = &["passed", "tests", "total", "checked", "scanned"];

/// Reads what a text says of itself.
pub fn verdict_of(text: &str) -> EvidenceVerdict {
    let bad = |words: String| EvidenceVerdict { is_good: Some(false), words };
    if text.trim().is_empty() {
        return bad("EMPTY: it shows nothing".to_owned());
    }
    if text.trim_start().starts_with('{')
        && let Ok(fields) = read_json::<ValueMap>(text)
    {
        return of_fields(&fields);
    }
    if let Some(verdict) = of_check_list(text) {
        return verdict;
    }
    let lines = || text.lines().rev().take(LINES_MAX).filter(|line| !line.trim().is_empty());
    for says in [says_failure as fn(&str) -> bool, says_nothing_done] {
        if let Some(line) = lines().find(|line| says(line)) {
            return bad(shorten(line.trim(), WORDS_MAX));
        }
    }
    EvidenceVerdict { is_good: None, words: String::new() }
}

/// Good only where each field that tells how it went says so, at any depth, and something was done.
fn of_fields(fields: &ValueMap) -> EvidenceVerdict {
    let mut found = Found::default();
    found.read(fields, 0);
    let is_good = match (&found.bad, &found.unknown, &found.good) {
        (Some(_), ..) => Some(false),
        (None, None, Some(_)) => Some(true),
        (None, ..) => None,
    };
    EvidenceVerdict { is_good, words: found.bad.or(found.unknown).or(found.good).unwrap_or_default() }
}

#[derive(Default)]
struct Found {
    good: Option<String>,
    bad: Option<String>,
    /// A field that tells how it went, in a word of which nothing is known.
    unknown: Option<String>,
}

impl Found {
    fn read(&mut self, fields: &ValueMap, depth: usize) {
        if let (Some(value), Some(limit)) = (fields.get("value"), fields.get("limit"))
            && let (Some(figure), Some(most)) = (value.as_f64(), limit.as_f64())
            && figure > most
        {
            self.bad.get_or_insert_with(|| format!("{value}, ABOVE its limit of {limit}"));
        }
        for (name, value) in fields {
            let key = name.to_ascii_lowercase();
            let is = |list: &[&str]| list.contains(&key.as_str());
            let words = || format!("{name} {}", shorten(&plain(value), WORDS_MAX));
            let says = plain(value).to_ascii_lowercase();
            let is_nothing = matches!(value, Value::Null) || says.is_empty() || says == "[]" || says == "{}";
            let is_none = value.as_i64() == Some(0) || says == "0";
            if is(STATES) && value.is_boolean() | value.is_string() {
                if GOOD.contains(&says.as_str()) {
                    self.good.get_or_insert_with(words);
                } else if BAD.iter().any(|bad| says.contains(bad)) {
                    self.bad.get_or_insert_with(words);
                } else {
                    self.unknown.get_or_insert_with(words);
                }
            } else if is(COUNTS) && !is_nothing && !is_none && says != "false" || is(DONE) && is_none {
                self.bad.get_or_insert_with(words);
            }
            self.within(value, depth);
        }
    }

    fn within(&mut self, value: &Value, depth: usize) {
        const DEPTH_MAX: usize = 16;
        if depth >= DEPTH_MAX {
            return;
        }
        match value {
            Value::Object(fields) => self.read(fields, depth + 1),
            Value::Array(items) => items.iter().for_each(|item| self.within(item, depth + 1)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// An entry of a check list, its state (true if done) and its text; none for any other line.
pub fn check_of(line: &str) -> Option<(bool, &str)> {
    let rest = line.trim_start().strip_prefix(['-', '*'])?.trim_start();
    let state = |sign: &str, done: bool| rest.strip_prefix(sign).map(|text| (done, text.trim_start()));
    state("[x]", true).or_else(|| state("[X]", true)).or_else(|| state("[ ]", false))
}

/// A list of `- [x]` and `- [ ]`.
fn of_check_list(text: &str) -> Option<EvidenceVerdict> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let entries: Vec<bool> = lines.map(|line| Some(check_of(line)?.0)).collect::<Option<_>>()?;
    if let Some(line) = text.lines().find(|line| check_of(line).is_some_and(|entry| says_failure(entry.1))) {
        return Some(EvidenceVerdict { is_good: Some(false), words: shorten(line.trim(), WORDS_MAX) });
    }
    let open = entries.iter().filter(|done| !**done).count();
    let words = match open {
        0 => format!("all {} done", entries.len()),
        open => format!("{open} of {} OPEN", entries.len()),
    };
    Some(EvidenceVerdict { is_good: Some(open == 0), words })
}

/// `3 failed`, `FAIL`, `error: …`, `Traceback`, `panicked at`.
fn says_failure(line: &str) -> bool {
    let line = line.trim();
    let opens = ["FAIL", "ERROR", "error:", "error[", "Error:", "fatal:", "Traceback (most recent", "panic:"];
    opens.iter().any(|word| line.starts_with(word))
        || line.contains(" panicked at ")
        || counts(line).any(|(count, word)| {
            count > 0 && matches!(word, "failed" | "failures" | "failure" | "errors" | "error" | "failing")
        })
}

/// `0 tests`, `0 passed`, `no tests ran`, `nothing to do`.
fn says_nothing_done(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let phrases = ["no tests ran", "no tests found", "nothing to do", "no test files", "not run", "dry run"];
    phrases.iter().any(|phrase| lower.contains(phrase))
        || counts(line).any(|(count, word)| {
            count == 0
                && matches!(word, "tests" | "passed" | "passing" | "checks" | "files" | "rows" | "scanned")
        }) && !counts(line)
            .any(|(count, word)| count > 0 && matches!(word, "tests" | "passed" | "passing" | "ok"))
}

/// Each number of a line with the word after it.
fn counts(line: &str) -> impl Iterator<Item = (u64, &str)> {
    let words = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let next = words.clone().skip(1);
    words.zip(next).filter_map(|(count, word)| Some((count.parse().ok()?, word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, is_good: Option<bool>, words: &str) {
        assert_eq!(verdict_of(text), EvidenceVerdict { is_good, words: words.to_owned() }, "{text}");
    }

    #[test]
    fn evidence_is_good_only_where_it_says_so() {
        check("all is well, I think", None, "");
        check(r#"{"status": "passed", "high": 0}"#, Some(true), "status passed");
        check(r#"{"high": 0, "medium": 3}"#, None, "");
        check(r#"{"value": 0.31, "limit": 0.7}"#, None, "");
        check("- [x] tested\n- [x] told support\n", Some(true), "all 2 done");
        check(r#"{"score": 0.6}"#, None, "");
        check(r#"{"ok": true, "errors": []}"#, Some(true), "ok true");
    }

    #[test]
    fn evidence_of_nothing_or_of_a_failure_is_never_good() {
        check(" \n", Some(false), "EMPTY: it shows nothing");
        check(r#"{"status": "passed", "failed": 2}"#, Some(false), "failed 2");
        check(r#"{"status": "passed", "failed": "12"}"#, Some(false), "failed 12");
        check(r#"{"status": "ok", "failed": 3.0}"#, Some(false), "failed 3.0");
        check(r#"{"ok": true, "errors": ["db lost"]}"#, Some(false), r#"errors ["db lost"]"#);
        check(r#"{"ok": true, "error": "refused"}"#, Some(false), "error refused");
        check(r#"{"status": "passed", "suite": {"failed": 12}}"#, Some(false), "failed 12");
        check(r#"{"failed": 0, "passed": 0, "tests": 0}"#, Some(false), "passed 0");
        check(r#"{"status": "not run", "errors": 0}"#, None, "status not run");
        check(r#"{"conclusion": "startup_failure", "high": 0}"#, Some(false), "conclusion startup_failure");
        check(r#"{"healthy": "no", "high": 0}"#, None, "healthy no");
        check(r#"{"value": 1, "limit": 2, "status": "failed"}"#, Some(false), "status failed");
        check(r#"{"ok": false}"#, Some(false), "ok false");
        check(r#"{"value": 0.9, "limit": 0.7}"#, Some(false), "0.9, ABOVE its limit of 0.7");
        check("- [x] tested\n- [ ] told support\n", Some(false), "1 of 2 OPEN");
        check("- [x] tests FAILED, 12 failures\n", Some(false), "- [x] tests FAILED, 12 failures");
        check("ran 12 tests\n9 passed, 3 failed\n", Some(false), "9 passed, 3 failed");
        check("collected 0 items\n0 passed\n", Some(false), "0 passed");
        check("test result: ok. 12 passed; 0 failed\n", None, "");
        check("error: could not compile\n", Some(false), "error: could not compile");
        check("no tests ran in 0.01s", Some(false), "no tests ran in 0.01s");
    }
}
