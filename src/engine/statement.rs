//! An answer as a text that its author signs with a key of their own. It names all that makes it this answer
//! to this ask, so that the signature is worth nothing for any other. Making and checking signatures is for
//! those who have keys.

use crate::{Decision, Verdict};
use cuelight_base::{Digest, GateId, Value, ValueMap, canonical_json, sha256};
use std::fmt;

/// The namespace of the signature, as `ssh-keygen -Y sign -n` wants it: a signature of another namespace
/// counts for nothing here.
pub const STATEMENT_NAMESPACE: &str = "cuelight-decision";

const FIRST_LINE: &str = "cuelight-decision-v1";
const ALONE: &str = "-alone";
const OVERRIDES: &str = "-override";

/// The hash of the values that an answer fills in; nothing for an answer without a form, which is signed as
/// ever.
pub fn form_digest(form: &ValueMap) -> Option<Digest> {
    (!form.is_empty()).then(|| sha256("cuelight-form-v1", &[canonical_json(form).as_bytes()]))
}

/// The text that a person signs to give an answer: a line for each part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The log it goes into, as its heads name it.
    pub log: String,
    /// The gate that is answered.
    pub gate: GateId,
    /// The epoch of its ask.
    pub epoch: u32,
    /// The trace of its run.
    pub trace: String,
    /// The hash of its ask.
    pub ask: Digest,
    /// The answer: approve, reject or send back.
    pub verdict: Verdict,
    /// Alone, in place of all who are wanted.
    pub break_glass: bool,
    /// An override: the gate is closed by hand.
    pub overrides: bool,
    /// Hash of the values that the answer fills in, where it fills in any.
    pub form: Option<Digest>,
    /// The person who answers, by the name in `people.toml`.
    pub by: String,
    /// The id of the decision, which counts once.
    pub id: String,
    /// The reason that was given.
    pub reason: String,
}

impl Statement {
    /// The statement for this answer at a gate of a run with this trace, in this log.
    pub fn of(decision: &Decision, trace: &str, log: &str) -> Self {
        Self {
            log: log.to_owned(),
            gate: decision.gate,
            epoch: decision.epoch.0,
            trace: trace.to_owned(),
            ask: decision.ask,
            verdict: decision.verdict,
            break_glass: decision.break_glass,
            overrides: decision.overrides,
            form: form_digest(&decision.form),
            by: decision.by.name.clone(),
            id: decision.id.0.clone(),
            reason: decision.reason.clone(),
        }
    }

    /// Reads a statement; none when it differs by a byte from the written form.
    pub fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let mut line = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
        let quoted = |text: String| serde_json::from_str::<String>(&text).ok();
        let (log, gate, epoch) = (quoted(line("log")?)?, line("gate")?, line("epoch")?);
        let (trace, ask, answer) = (quoted(line("trace")?)?, line("ask")?, line("answer")?);
        let (answer, form) = match answer.split_once(" form ") {
            Some((answer, form)) => (answer.to_owned(), Some(form.parse().ok()?)),
            None => (answer, None),
        };
        let (by, id, reason) = (quoted(line("by")?)?, quoted(line("id")?)?, quoted(line("reason")?)?);
        let (alone, overrides) = (answer.strip_suffix(ALONE), answer.strip_suffix(OVERRIDES));
        let word = alone.or(overrides);
        let verdicts = [Verdict::Approve, Verdict::Reject, Verdict::SendBack];
        let verdict = verdicts.into_iter().find(|verdict| verdict.word() == word.unwrap_or(&answer))?;
        let read = Self {
            log,
            gate: gate.parse().ok()?,
            epoch: epoch.parse().ok()?,
            trace,
            ask: ask.parse().ok()?,
            verdict,
            break_glass: alone.is_some(),
            overrides: overrides.is_some(),
            form,
            by,
            id,
            reason,
        };
        (read.to_string() == text).then_some(read)
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        writeln!(f, "log {}", one_line(&self.log))?;
        writeln!(f, "gate {}", self.gate)?;
        writeln!(f, "epoch {}", self.epoch)?;
        writeln!(f, "trace {}", one_line(&self.trace))?;
        writeln!(f, "ask {}", self.ask)?;
        let how = match (self.break_glass, self.overrides) {
            (true, _) => ALONE,
            (_, true) => OVERRIDES,
            _ => "",
        };
        let form = self.form.map_or_else(String::new, |form| format!(" form {form}"));
        writeln!(f, "answer {}{how}{form}", self.verdict.word())?;
        writeln!(f, "by {}", one_line(&self.by))?;
        writeln!(f, "id {}", one_line(&self.id))?;
        writeln!(f, "reason {}", one_line(&self.reason))
    }
}

/// A text as JSON has it, so that it ends where its line ends.
fn one_line(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_answers_are_the_same_text_and_each_is_read_back() {
        let one = Statement {
            log: "cuelight/1".to_owned(),
            gate: GateId(2),
            epoch: 3,
            trace: "t1".to_owned(),
            ask: Digest([7; 32]),
            verdict: Verdict::Approve,
            break_glass: false,
            overrides: false,
            form: None,
            by: "ann".to_owned(),
            id: "d1".to_owned(),
            reason: "line\nanswer reject".to_owned(),
        };
        let text = one.to_string();
        assert_eq!(text.lines().count(), 10, "a reason cannot write a line: {text}");
        let all = [
            one.clone(),
            Statement { log: "cuelight/2".to_owned(), ..one.clone() },
            Statement { gate: GateId(1), ..one.clone() },
            Statement { epoch: 4, ..one.clone() },
            Statement { trace: "t2".to_owned(), ..one.clone() },
            Statement { ask: Digest([8; 32]), ..one.clone() },
            Statement { verdict: Verdict::Reject, ..one.clone() },
            Statement { verdict: Verdict::SendBack, ..one.clone() },
            Statement { break_glass: true, ..one.clone() },
            Statement { overrides: true, ..one.clone() },
            Statement { form: Some(Digest([9; 32])), ..one.clone() },
            Statement { by: "bob".to_owned(), ..one.clone() },
            Statement { id: "d2".to_owned(), ..one.clone() },
            Statement { reason: "line".to_owned(), ..one },
        ];
        for (place, signed) in all.iter().enumerate() {
            assert_eq!(Statement::read(&signed.to_string()).as_ref(), Some(signed));
            assert!(all[..place].iter().all(|other| other.to_string() != signed.to_string()), "{signed}");
        }
        for bent in [text.replace("v1", "v2"), format!("{text}more\n"), text.replace("epoch 3", "epoch 03")] {
            assert_eq!(Statement::read(&bent), None, "{bent}");
        }
    }
}
