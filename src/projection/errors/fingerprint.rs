//! The fingerprint of a failure: equal for failures that have one cause, whatever step and run they are of.

use cuelight_base::{ErrorRecord, sha256};
use std::sync::Arc;

/// The end of a message in journals from before a message told the line that says why.
const OF_BEFORE: &str = "see its log";
/// Letters of a word in hexadecimal from which on it is an id and no word.
const ID_LETTERS_MIN: usize = 8;

/// The fingerprint of a record: mode and message, without the numbers and ids in them. A message with no output behind
/// it says nothing of the cause, so the step and its workflow count, too.
pub(super) fn fingerprint(record: &ErrorRecord, workflow: &str, step_id: &str) -> Arc<str> {
    let message = plain(&without(&record.message, step_id));
    let is_silent = record.tail.is_empty() || record.message.ends_with(OF_BEFORE);
    let place = if is_silent { format!("{workflow}/{step_id}") } else { String::new() };
    let digest =
        sha256("cuelight-failure-v1", &[record.mode.word().as_bytes(), message.as_bytes(), place.as_bytes()]);
    digest.to_string().chars().take(12).collect::<String>().into()
}

fn without(message: &str, step_id: &str) -> String {
    if step_id.len() < 3 { message.to_owned() } else { message.replace(step_id, "#") }
}

/// A text with one sign for each number and id.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            rest.find(is_word).unwrap_or(rest.len())
        };
        let (part, after) = rest.split_at(end);
        let has_digit = part.bytes().any(|byte| byte.is_ascii_digit());
        let is_id = part.len() >= ID_LETTERS_MIN && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if has_digit && (is_id || part.bytes().all(|byte| byte.is_ascii_digit())) {
            out.push('#');
        } else {
            out.push_str(part);
        }
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::{ErrorKind, FailureMode, Severity};

    fn of(message: &str, tail: &str, step_id: &str) -> Arc<str> {
        let record = ErrorRecord {
            error_type: ErrorKind::TaskExecutionError,
            severity: Severity::High,
            mode: FailureMode::AgentLogic,
            source: step_id.to_owned(),
            message: message.to_owned(),
            context: cuelight_base::ValueMap::new(),
            tail: tail.to_owned(),
        };
        fingerprint(&record, "etl", step_id)
    }

    #[test]
    fn numbers_ids_and_the_name_of_the_step_make_no_difference() {
        let one = of("no row 12 in load[1] at 9f8e7d6c5b (exit code 1)", "x", "load[1]");
        assert_eq!(one, of("no row 7 in load[2] at 0a1b2c3d4e (exit code 1)", "x", "load[2]"));
        assert_ne!(one, of("no line 7 in load[2] at 0a1b2c3d4e (exit code 1)", "x", "load[2]"));
        assert_ne!(of("deadbeef is gone", "x", "a"), of("livebeef is gone", "x", "a"), "words stay");
    }

    #[test]
    fn failures_that_say_nothing_are_told_apart_by_their_step() {
        let said = "exit code 1; it wrote nothing";
        assert_ne!(of(said, "", "clean"), of(said, "", "load"));
        assert_eq!(of(said, "", "clean"), of(said, "", "clean"));
        assert_ne!(of("exit code 1; see its log", "x", "clean"), of("exit code 2; see its log", "y", "load"));
    }
}
