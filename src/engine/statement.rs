//! An answer as a text that its author signs with a key of their own. It names all that makes it this answer to this ask, so that
//! the signature is worth nothing for any other. Making and checking signatures is for those who have keys.

use crate::engine::{Decision, Verdict};
use std::fmt::Write as _;

/// What the signature is for, as `ssh-keygen -Y sign -n` wants it: one for something else counts for nothing here.
pub const STATEMENT_NAMESPACE: &str = "cuelight-decision";

/// What somebody signs to give this answer: a line for each thing. `trace` is that of the run.
pub fn statement(decision: &Decision, trace: &str) -> String {
    let alone = if decision.verdict == Verdict::Approve && decision.break_glass { "-alone" } else { "" };
    let mut out = String::new();
    let lines = [
        ("gate", decision.gate.to_string()),
        ("epoch", decision.epoch.0.to_string()),
        ("trace", one_line(trace)),
        ("ask", decision.ask.to_string()),
        ("answer", format!("{}{alone}", decision.verdict.word())),
        ("by", one_line(&decision.by.name)),
        ("id", one_line(&decision.id.0)),
        ("reason", one_line(&decision.reason)),
    ];
    out.push_str("cuelight-decision-v1\n");
    for (name, value) in lines {
        writeln!(out, "{name} {value}").expect("a text takes all");
    }
    out
}

/// A text as JSON has it, so that it ends where its line ends.
fn one_line(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::{DecisionId, Digest, Epoch, GateId},
        engine::Actor,
    };

    #[test]
    fn no_two_answers_are_the_same_text() {
        let decision = Decision {
            id: DecisionId("d1".to_owned()),
            gate: GateId(2),
            epoch: Epoch(3),
            ask: Digest([7; 32]),
            verdict: Verdict::Approve,
            reason: "line\nanswer reject".to_owned(),
            by: Actor::engine(),
            shown_for: None,
            break_glass: false,
        };
        let text = statement(&decision, "t1");
        assert_eq!(text.lines().count(), 9, "a reason cannot write a line: {text}");
        let others = [
            statement(&decision, "t2"),
            statement(&Decision { id: DecisionId("d2".to_owned()), ..decision.clone() }, "t1"),
            statement(&Decision { gate: GateId(1), ..decision.clone() }, "t1"),
            statement(&Decision { epoch: Epoch(4), ..decision.clone() }, "t1"),
            statement(&Decision { ask: Digest([8; 32]), ..decision.clone() }, "t1"),
            statement(&Decision { verdict: Verdict::Reject, ..decision.clone() }, "t1"),
            statement(&Decision { verdict: Verdict::SendBack, ..decision.clone() }, "t1"),
            statement(&Decision { break_glass: true, ..decision.clone() }, "t1"),
            statement(&Decision { reason: "line".to_owned(), ..decision.clone() }, "t1"),
            statement(
                &Decision { by: Actor { name: "ann".to_owned(), ..Actor::engine() }, ..decision.clone() },
                "t1",
            ),
        ];
        for other in others {
            assert_ne!(other, text);
        }
    }
}
