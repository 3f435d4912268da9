//! Reads the answer of an agent: the last JSON object in its output that has a `result`, and the contents of
//! `$CUELIGHT_OUTPUT`, which take precedence. Only the end of the output is examined, and memory holds no
//! more than that.
//!
//! An answer is foreign text: its parts become outputs and nothing else. A malformed answer is a failure of
//! the attempt; the engine decides the consequences.

use super::{Answer, Ended, Masker, outputs::is_key};
use cuelight_base::{
    AGENT_ANSWER_BYTES_MAX, FailureMode, OUTPUT_BYTES_MAX, Score, Value, ValueMap, json_bytes, refuse_twice,
    shorten,
};

/// Lines that may begin an answer and are looked at, from the last one on.
const TRIES_MAX: usize = 64;
/// Characters of what an agent says of its failure.
const SAID_CHARS_MAX: usize = 300;

/// Keys of an answer that hold a score from 0 to 1.
const SCORES: [&str; 2] = ["confidence", "quality"];
/// Accepted values of the agent's own `status`.
const STATUSES: [&str; 3] = ["success", "partial", "failed"];

/// The end of what an agent has said so far.
#[derive(Default)]
pub(super) struct Heard {
    end: Vec<u8>,
    /// True if earlier output was dropped.
    has_more: bool,
}

/// The answer found at the end of the agent's output.
enum Found {
    Whole(ValueMap),
    /// It names a key twice: which, and where.
    Twice(String),
    /// It begins and never ends.
    Cut,
    /// Its line is longer than an answer may be.
    TooLong,
    Nothing,
}

impl Heard {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.end.extend_from_slice(bytes);
        if self.end.len() > 2 * AGENT_ANSWER_BYTES_MAX {
            self.end.drain(..self.end.len() - AGENT_ANSWER_BYTES_MAX - 1);
            self.has_more = true;
        }
    }

    /// True if the next byte begins a line.
    pub(super) fn is_at_line_start(&self) -> bool {
        self.end.last().is_none_or(|byte| *byte == b'\n')
    }

    /// The last answer in it. Lines behind it that are none are other programs' talk.
    fn answer(&self) -> Found {
        let kept = self.end.len().saturating_sub(AGENT_ANSWER_BYTES_MAX + 1);
        let end = &self.end[kept..];
        let is_whole = !self.has_more && kept == 0;
        let begins =
            |at: &usize| end[*at] == b'{' && (if *at == 0 { is_whole } else { end[*at - 1] == b'\n' });
        for start in (0..end.len()).rev().filter(begins).take(TRIES_MAX) {
            let text = String::from_utf8_lossy(&end[start..]);
            let mut values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
            match values.next() {
                Some(Ok(Value::Object(map))) => {
                    let rest = text[values.byte_offset()..].lines().next().unwrap_or_default();
                    if rest.trim().is_empty() && is_answer(&map) {
                        if let Err(why) = refuse_twice(text[..values.byte_offset()].as_bytes()) {
                            return Found::Twice(why.to_string());
                        }
                        return Found::Whole(map);
                    }
                }
                Some(Err(error)) if error.is_eof() => return Found::Cut,
                Some(Ok(_) | Err(_)) | None => {}
            }
        }
        let has_line = end.trim_ascii_end().contains(&b'\n');
        if is_whole || has_line { Found::Nothing } else { Found::TooLong }
    }
}

/// True if this JSON object is an answer: it has a result, or a status that says that it has none. Programs
/// may write other JSON.
fn is_answer(map: &ValueMap) -> bool {
    map.contains_key("result") || says_failed(map)
}

fn says_failed(map: &ValueMap) -> bool {
    map.get("status").and_then(Value::as_str) == Some("failed")
        || map.get("is_error") == Some(&Value::Bool(true))
}

/// Returns the outcome of the call, with the agent's output read as its answer.
pub(super) fn understood(heard: &Heard, answer: Answer, masker: &Masker) -> Answer {
    if answer.ended != Ended::Exit(0) {
        // It is gone, and nobody knows how far it came.
        let is_lost = matches!(answer.ended, Ended::Signal { .. } | Ended::Silent { .. });
        let mut outputs = answer.outputs.clone();
        if let Found::Whole(said) = heard.answer() {
            outputs.extend(used(&said));
        }
        return Answer { outputs, may_have_happened: answer.may_have_happened || is_lost, ..answer };
    }
    let said = match heard.answer() {
        Found::Whole(said) => said,
        _ if !answer.outputs.is_empty() => ValueMap::new(),
        Found::Twice(why) => {
            let message = format!("could not take its answer: {why}");
            return failed(answer, FailureMode::AgentValidation, &message);
        }
        Found::Cut => return failed(answer, FailureMode::AgentValidation, CUT),
        Found::TooLong => {
            let message = format!(
                "its answer has more than {AGENT_ANSWER_BYTES_MAX} bytes; put large results into a file and list it under `artifacts`"
            );
            return failed(answer, FailureMode::AgentContract, &message);
        }
        Found::Nothing => return failed(answer, FailureMode::AgentValidation, NOTHING),
    };
    let mut outputs = used(&said);
    outputs.extend(said.into_iter().filter(|(name, value)| is_key(name) && !value.is_null()));
    outputs.extend(answer.outputs.clone());
    outputs.values_mut().for_each(|output| masker.mask_value(output));
    if says_failed(&outputs) {
        let (mode, message) = why(&outputs);
        return Answer { outputs: used(&outputs), ..failed(answer, mode, &message) };
    }
    match unfit(&outputs) {
        Some(message) => failed(answer, FailureMode::AgentContract, &message),
        None => Answer { outputs, ..answer },
    }
}

const CUT: &str = "its answer is cut off: a JSON object begins and never ends; see its log";
const NOTHING: &str = "ended well and answered nothing; it has to end with a line such as {\"result\": …}, or to write result=… to \
                       $CUELIGHT_OUTPUT";

fn failed(answer: Answer, mode: FailureMode, message: &str) -> Answer {
    let ended = Ended::Failed { mode, message: message.to_owned() };
    Answer { ended, outputs: ValueMap::new(), ..answer }
}

/// Why it failed, as it says itself.
fn why(outputs: &ValueMap) -> (FailureMode, String) {
    let text = |name: &str| match outputs.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            items.first().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
        }
        Value::Null => None,
        other @ (Value::Bool(_) | Value::Number(_) | Value::Object(_)) => Some(other.to_string()),
    };
    let mode = text("failure-mode")
        .or_else(|| text("failure_mode"))
        .and_then(|failure_mode| failure_mode.trim().parse().ok());
    let said = ["error", "errors", "message", "result", "subtype"].into_iter().find_map(text);
    let said = said.filter(|text| !text.trim().is_empty());
    let message = said.map_or_else(
        || "says that it failed, and not why; see its log".to_owned(),
        |text| format!("says that it failed: {}", shorten(&text, SAID_CHARS_MAX)),
    );
    (mode.unwrap_or(FailureMode::AgentLogic), message)
}

/// Describes the first output that no step could read, as the end of a sentence.
fn unfit(outputs: &ValueMap) -> Option<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for name in SCORES {
        let Some(value) = outputs.get(name) else { continue };
        if Score::parse(&text(value)).is_none() {
            let value = shorten(&value.to_string(), 40);
            return Some(format!(
                "answers with `{name}` {value}, which is no number from 0 to 1 such as 0.85"
            ));
        }
    }
    if let Some(status) = outputs.get("status")
        && !STATUSES.iter().any(|text| status.as_str() == Some(text))
    {
        let status = shorten(&status.to_string(), 40);
        return Some(format!("answers with `status` {status}; it is one of {}", STATUSES.join(", ")));
    }
    // Escapes make a text longer than it was said.
    (json_bytes(outputs) > OUTPUT_BYTES_MAX).then(|| {
        format!(
            "its answer has more than {OUTPUT_BYTES_MAX} bytes; put large results into a file and list it under `artifacts`"
        )
    })
}

/// Tokens and cost that a budget can read, also under the names that coding agents publish them by.
fn used(said: &ValueMap) -> ValueMap {
    let mut out = ValueMap::new();
    let number =
        |value: Option<&Value>| value.filter(|value| value.is_number() || value.is_string()).cloned();
    let tokens = number(said.get("tokens")).or_else(|| {
        let usage = said.get("usage")?;
        let of = |name: &str| usage.get(name).and_then(Value::as_u64);
        let (input, output) = (of("input_tokens"), of("output_tokens"));
        (input.is_some() || output.is_some())
            .then(|| input.unwrap_or(0).saturating_add(output.unwrap_or(0)).into())
    });
    let cost = ["cost-usd", "cost_usd", "total_cost_usd"].into_iter().find_map(|key| number(said.get(key)));
    out.extend(tokens.map(|tokens| ("tokens".to_owned(), tokens)));
    out.extend(cost.map(|cost| ("cost-usd".to_owned(), cost)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: &[u8], written: &[(&str, &str)], expected: &str) {
        let mut heard = Heard::default();
        said.chunks(7).for_each(|chunk| heard.take(chunk));
        let outputs = written.iter().map(|(name, text)| ((*name).to_owned(), Value::from(*text))).collect();
        let ended = Answer { ended: Ended::Exit(0), outputs, ..Answer::not_started(None, String::new()) };
        let masker = Masker::new([]).expect("no secrets");
        let answer = understood(&heard, ended, &masker);
        let outputs = serde_json::to_string(&answer.outputs).expect("JSON");
        let said = match answer.failure() {
            None => outputs,
            Some(failure) if outputs == "{}" => format!("{}: {}", failure.mode, failure.message),
            Some(failure) => format!("{}: {} {outputs}", failure.mode, failure.message),
        };
        assert!(said.starts_with(expected), "{said}\nwanted {expected}");
    }

    #[test]
    fn the_answer_is_the_last_object_that_has_a_result() {
        check(b"{\"result\":1}", &[], r#"{"result":1}"#);
        check(b"thinking\n{\"result\":\"a\"}\n{\"result\":\"b\"}\n", &[], r#"{"result":"b"}"#);
        check(
            b"{\"result\":1,\n \"confidence\": 0.9\n}\nbye\n{\"level\":\"info\"}\n",
            &[],
            r#"{"result":1,"confidence":0.9}"#,
        );
        check(b"x {\"result\":1}\n", &[("result", "w")], r#"{"result":"w"}"#);
        check(b"{\"result\":1,\"note\":\"n\"}\n", &[("result", "w")], r#"{"result":"w","note":"n"}"#);
        check(b"{\"result\":1,\"no name\":2,\"none\":null}\n", &[], r#"{"result":1}"#);
        check(
            b"{\"result\":{\"a\":[1]},\"status\":\"partial\"}\n",
            &[],
            r#"{"result":{"a":[1]},"status":"partial"}"#,
        );
    }

    #[test]
    fn what_coding_agents_publish_of_their_use_is_understood() {
        let claude = br#"{"type":"result","subtype":"success","is_error":false,"result":"ok","total_cost_usd":0.0125,"usage":{"input_tokens":10,"output_tokens":5}}"#;
        check(claude, &[], r#"{"tokens":15,"cost-usd":0.0125,"type":"result""#);
        let failed = br#"{"type":"result","subtype":"error_max_turns","is_error":true,"total_cost_usd":0.5}"#;
        check(failed, &[], r#"agent_logic: says that it failed: error_max_turns {"cost-usd":0.5}"#);
    }

    #[test]
    fn an_agent_may_say_that_it_failed_and_how() {
        check(
            b"{\"status\":\"failed\",\"error\":\"no such branch\"}",
            &[],
            "agent_logic: says that it failed: no such branch",
        );
        check(
            b"{\"status\":\"failed\",\"errors\":[\"busy\"],\"failure-mode\":\"resource_api\"}",
            &[],
            "resource_api: says that it failed: busy",
        );
        check(b"{\"status\":\"failed\"}", &[], "agent_logic: says that it failed, and not why");
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        check(b"", &[], "agent_validation: ended well and answered nothing");
        check(b"done\n{\"level\":\"info\"}\n", &[], "agent_validation: ended well and answered nothing");
        check(b"{\"result\": \"half", &[], "agent_validation: its answer is cut off");
        check(b"{\"result\":1}\n{\"result\": [1,", &[], "agent_validation: its answer is cut off");
        check(b"{\"result\":1} and more", &[], "agent_validation: ended well and answered nothing");
        check(
            b"{\"result\":1,\"confidence\":7}",
            &[],
            "agent_contract: answers with `confidence` 7, which is no number",
        );
        check(b"{\"result\":1,\"quality\":\"good\"}", &[], "agent_contract: answers with `quality` \"good\"");
        check(
            b"{\"result\":1,\"status\":\"done\"}",
            &[],
            "agent_contract: answers with `status` \"done\"; it is one of",
        );
        let deep = format!("{{\"result\":{}", "[".repeat(100_000));
        check(deep.as_bytes(), &[], "agent_validation: ended well and answered nothing");
    }

    #[test]
    fn an_answer_has_its_limit_and_what_stands_before_it_has_none() {
        let answer = |bytes: usize| {
            let frame = "{\"result\":\"\"}\n".len();
            format!("{{\"result\":\"{}\"}}\n", "x".repeat(bytes - frame))
        };
        let fits = answer(AGENT_ANSWER_BYTES_MAX);
        check(fits.as_bytes(), &[], r#"{"result":"xxx"#);
        check([b"talk\n".repeat(1_000_000), fits.into_bytes()].concat().as_slice(), &[], r#"{"result":"xxx"#);
        let large = answer(10 * 1024 * 1024);
        check(large.as_bytes(), &[], "agent_contract: its answer has more than 1048576 bytes");
        let escapes = format!("{{\"result\":\"{}\"}}", "\u{7f}\\u001b".repeat(60_000));
        check(escapes.as_bytes(), &[], "{\"result\":");
    }
}
