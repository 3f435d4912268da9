//! The outcomes of calls: from the answer of a tool, and for calls that never reached one.

use cuelight_base::FailureMode;
use cuelight_engine::{Failure, Outcome};
use cuelight_tool::{Answer, Ended};

/// Turns the answer of a tool into the outcome for the engine.
pub(super) fn outcome(answer: Answer) -> Outcome {
    let not_started = matches!(answer.ended, Ended::NotStarted { .. });
    let failure = answer.failure().map(|cuelight_tool::Failure { mode, message }| Failure {
        mode,
        message: answer.output_lost.as_ref().map_or(message.clone(), |lost| format!("{message}; {lost}")),
        tail: answer.tail.clone(),
        not_started,
    });
    Outcome {
        failure,
        exit_code: if let Ended::Exit(code) = answer.ended { Some(code) } else { None },
        outputs: answer.outputs,
        output_bytes: answer.output_bytes,
        output_digest: Some(answer.output_digest),
        retry_after: answer.retry_after,
        may_have_happened: answer.may_have_happened,
        ..Outcome::default()
    }
}

pub(super) fn failed(mode: FailureMode, message: String) -> Failure {
    Failure { mode, message, tail: String::new(), not_started: false }
}

/// An agent that was started for somebody, and could not reach us, is not started.
pub(super) fn not_reached(why: &str) -> Outcome {
    let message = format!("could not start: {why}");
    let failure = Failure { not_started: true, ..failed(FailureMode::UserPermission, message) };
    Outcome { failure: Some(failure), ..Outcome::default() }
}

/// Ended while it stood in the queue.
pub(super) fn never_started() -> Outcome {
    let message = "was cancelled before it began".to_owned();
    let failure = Failure { not_started: true, ..failed(FailureMode::UserCancelled, message) };
    Outcome { failure: Some(failure), ..Outcome::default() }
}

pub(super) fn fault() -> Outcome {
    let message = "could not learn how it ended: a fault of cuelight; see whether it still runs".to_owned();
    Outcome { failure: Some(failed(FailureMode::SystemCrash, message)), ..Outcome::default() }
}
