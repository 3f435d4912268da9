//! The errand of a process of ours that speaks to a server, and what its outputs say of the call: that it left, that it was
//! answered, or why it failed.

use crate::{Answer, Ended, Failure};
use cuelight_base::{FailureMode, McpCall, Value, ValueMap};
use serde::{Deserialize, Serialize};

/// Input of our process that speaks to a server.
#[derive(Debug, Serialize, Deserialize)]
pub struct Errand {
    /// The accepted description of the tool.
    pub held: McpCall,
    /// Input of the tool.
    pub input: ValueMap,
}

/// The outcome of an errand, as its process reports it in its outputs.
#[derive(Debug)]
pub struct Errands {
    /// The results, or why there are none.
    pub result: Result<ValueMap, Failure>,
    /// True if the server has answered the call itself, with a result or an error: then its effect is known.
    pub is_known: bool,
}

/// The output that says the call has left, written before it does, …
const CALLED: &str = "mcp-called";
/// … the one that says it was answered, …
const ANSWERED: &str = "mcp-answered";
/// … and the one that says why it failed.
const FAILED: &str = "mcp-failure";
/// The output in which a program says which failure it was.
const FAILURE_MODE: &str = "failure-mode";

/// Outputs that the process writes before the call leaves.
pub fn mcp_leaves() -> ValueMap {
    ValueMap::from_iter([(CALLED.to_owned(), Value::Bool(true))])
}

/// Outputs that the process writes at the end.
pub fn mcp_ends(errand: &Errands) -> ValueMap {
    let mut out = ValueMap::new();
    if errand.is_known {
        out.insert(ANSWERED.to_owned(), Value::Bool(true));
    }
    match &errand.result {
        Ok(outputs) => out.extend(outputs.clone()),
        Err(failure) => {
            out.insert(FAILED.to_owned(), failure.message.clone().into());
            out.insert(FAILURE_MODE.to_owned(), failure.mode.word().into());
        }
    }
    out
}

/// Turns the outputs of an errand's process into the answer of the call. `is_torn` is true when the outputs
/// cannot be read.
pub(crate) fn told(mut answer: Answer, is_torn: bool) -> Answer {
    let mut take = |name: &str| answer.outputs.shift_remove(name);
    let (called, answered, failed) =
        (take(CALLED).is_some() || is_torn, take(ANSWERED).is_some(), take(FAILED));
    let mode =
        answer.outputs.get(FAILURE_MODE).and_then(Value::as_str).and_then(|output| output.parse().ok());
    if answer.ended == Ended::Exit(0) {
        if answered {
            return answer;
        }
        let message = "ended well and has not written that its MCP server answered; see its log".to_owned();
        answer.ended = Ended::Failed { mode: FailureMode::AgentContract, message };
    }
    if let (Ended::Exit(_), Some(Value::String(message))) = (&answer.ended, failed) {
        answer.ended = Ended::Failed { mode: mode.unwrap_or(FailureMode::AgentLogic), message };
    }
    Answer { outputs: ValueMap::new(), may_have_happened: called && !answered, ..answer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ended: Ended, outputs: &[&str], is_torn: bool, expected: (Ended, bool)) {
        let outputs = outputs.iter().map(|output| ((*output).to_owned(), Value::String("true".to_owned())));
        let answer = Answer { outputs: outputs.collect(), ..Answer::without_output(ended) };
        let told = told(answer, is_torn);
        assert_eq!((told.ended, told.may_have_happened), expected);
    }

    #[test]
    fn a_call_may_have_happened_from_when_it_left_until_it_was_answered() {
        let killed = Ended::Signal { number: 9, core: false, out_of_memory: false };
        check(killed.clone(), &[], false, (killed.clone(), false));
        check(killed.clone(), &[CALLED], false, (killed.clone(), true));
        check(killed.clone(), &[CALLED, ANSWERED], false, (killed.clone(), false));
        check(killed.clone(), &[], true, (killed, true));
        let failed = Ended::Failed { mode: FailureMode::AgentLogic, message: "true".to_owned() };
        check(Ended::Exit(1), &[CALLED, ANSWERED, FAILED], false, (failed.clone(), false));
        check(Ended::Exit(1), &[CALLED, FAILED], false, (failed, true));
        check(Ended::Exit(0), &[CALLED, ANSWERED], false, (Ended::Exit(0), false));
        let message = "ended well and has not written that its MCP server answered; see its log".to_owned();
        let silent = Ended::Failed { mode: FailureMode::AgentContract, message };
        check(Ended::Exit(0), &[], false, (silent.clone(), false));
        check(Ended::Exit(0), &[CALLED], false, (silent.clone(), true));
        check(Ended::Exit(0), &[], true, (silent, true));
    }
}
