//! The sign for each state of a run, a step or a gate. The signs themselves are in `sign`.

use crate::Mark;
use cuelight_base::Timestamp;
use cuelight_engine::{GateState, RunState, StepState, WaitReason};
use cuelight_projection::{Board, GateView, RunSummary, StepView, UndoState};

/// The sign of a run: what it is doing now.
pub fn mark_of_run(run: &RunSummary) -> Mark {
    match run.state {
        RunState::Created => Mark::Waits,
        RunState::Running => match run.doing() {
            "in-doubt" => Mark::InDoubt,
            "undoing" => Mark::Undoing,
            "gate" => Mark::Gate,
            "retrying" => Mark::Retry,
            _ => Mark::Runs,
        },
        RunState::Paused => Mark::Paused,
        RunState::Completed => Mark::Done,
        RunState::PartiallyCompleted => Mark::Partial,
        RunState::Failed => Mark::Failed,
        RunState::Rejected => Mark::Rejected,
        RunState::Cancelled => Mark::Cancelled,
        RunState::Undone => Mark::Undone,
    }
}

/// The activity of a run, in one word of at most nine letters.
pub(super) fn word_of_run(run: &RunSummary) -> &'static str {
    match run.state {
        RunState::PartiallyCompleted => "partial",
        RunState::Completed => "done",
        RunState::Created => "queued",
        _ if run.doing() == "cancelling" => "ending",
        _ if run.doing() == "in-doubt" => "in doubt",
        _ => run.doing(),
    }
}

/// The sign of a step.
pub fn mark_of_step(step: &StepView, board: &Board, now: Timestamp) -> Mark {
    if matches!(step.undo(), UndoState::Stuck(_)) {
        return Mark::InDoubt;
    }
    match step.state {
        StepState::Pending => Mark::Todo,
        StepState::Ready => Mark::Ready,
        StepState::Waiting => match step.wait() {
            Some(WaitReason::Person(gate)) => {
                board.gate(*gate).map_or(Mark::Gate, |gate| mark_of_gate(gate, now))
            }
            Some(WaitReason::BackOff { .. }) => Mark::Retry,
            Some(
                WaitReason::Time(_)
                | WaitReason::Facts
                | WaitReason::Candidates { .. }
                | WaitReason::Target { .. }
                | WaitReason::Agent { .. }
                | WaitReason::Message { .. },
            )
            | None => Mark::Waits,
        },
        StepState::Running => Mark::Runs,
        StepState::Completed if step.is_kept() => Mark::Cache,
        StepState::Completed => Mark::Done,
        StepState::Partial => Mark::Partial,
        StepState::Failed | StepState::Rejected if step.is_timed_out() => Mark::TimedOut,
        StepState::Failed => Mark::Failed,
        StepState::Rejected => Mark::Rejected,
        StepState::Skipped => Mark::Skipped,
        StepState::Cancelled => Mark::Cancelled,
        StepState::Undoing => Mark::Undoing,
        StepState::Undone => Mark::Undone,
        StepState::InDoubt => Mark::InDoubt,
    }
}

/// The sign of a gate: reversed when over half of its time is gone.
pub fn mark_of_gate(gate: &GateView, now: Timestamp) -> Mark {
    match gate.state {
        GateState::Open | GateState::Armed => {
            let late = gate.ask.expires_at.is_some_and(|end| {
                let whole = end.since(gate.ask.opened_at);
                now.since(gate.ask.opened_at).0 * 2 > whole.0
            });
            if late { Mark::GateLate } else { Mark::Gate }
        }
        GateState::Approved => Mark::Done,
        GateState::Rejected => Mark::Rejected,
        GateState::Expired => Mark::TimedOut,
        GateState::Cancelled => Mark::Cancelled,
    }
}

/// An age in at most five cells: `12s 40m 2h 3d`.
pub(super) fn age(span: cuelight_base::Span) -> String {
    let seconds = span.0 / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
