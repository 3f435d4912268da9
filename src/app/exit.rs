//! Exit codes of commands, and the one sentence that says why a command failed.

use cuelight_engine::{GateState, RunState};
use std::process::ExitCode;

/// Why a command could not do its work, in a sentence, and the code it leaves with.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) code: u8,
    pub(super) message: String,
}

/// Result of every command: an exit code, or the trouble that stopped it.
pub(super) type Outcome = Result<ExitCode, Trouble>;

/// Exit code of a command that failed.
pub(super) const FAILED: u8 = 1;
/// It was asked for wrongly, or the file is not valid.
pub(super) const USAGE: u8 = 2;
/// Nothing could be written down, or nobody could be reached.
pub(super) const NOT_RECORDED: u8 = 6;

impl Trouble {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into() }
    }

    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self { code: FAILED, message: message.into() }
    }

    pub(super) fn not_recorded(message: impl Into<String>) -> Self {
        Self { code: NOT_RECORDED, message: message.into() }
    }
}

/// The exit code of `run` for a run at rest.
pub(super) fn of_run(state: RunState) -> ExitCode {
    ExitCode::from(match state {
        RunState::Completed => 0,
        RunState::Failed | RunState::Undone | RunState::Created | RunState::Running | RunState::Paused => 1,
        RunState::Rejected => 3,
        RunState::Cancelled => 4,
        RunState::PartiallyCompleted => 5,
    })
}

/// The exit code for several runs at rest: that of the one that went worst.
pub(super) fn of_runs(states: impl IntoIterator<Item = RunState>) -> ExitCode {
    let rank = |state: &RunState| match state {
        RunState::Completed => 0,
        RunState::Cancelled => 1,
        RunState::Rejected => 2,
        RunState::PartiallyCompleted => 3,
        RunState::Failed | RunState::Undone | RunState::Created | RunState::Running | RunState::Paused => 4,
    };
    states.into_iter().max_by_key(rank).map_or(ExitCode::SUCCESS, of_run)
}

/// The exit code of `gate` and `wait` for a gate: everything but a yes fails closed.
pub(super) fn of_gate(state: GateState) -> ExitCode {
    ExitCode::from(match state {
        GateState::Approved => 0,
        GateState::Rejected | GateState::Cancelled => 1,
        GateState::Expired => 3,
        GateState::Open | GateState::Armed => NOT_RECORDED,
    })
}
