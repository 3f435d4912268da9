//! State of the view of output: the shown lines and the questions for more of them.

use super::{
    lines::{LogLines, Voice},
    rows::LogRow,
    whole::Hunt,
};
use cuelight_base::{AttemptId, RunId, Seq, StepIx, Timestamp};
use std::collections::{BTreeSet, VecDeque};

/// State of the view of output.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogsState {
    pub run: Option<RunId>,
    /// The step or frame whose output is looked at; nothing means the whole run.
    pub step: Option<StepIx>,
    /// The call that is looked at; nothing means the last one.
    pub call: Option<u32>,
    /// The voice shown alone, instead of steps; `step` is None then.
    pub voice: Option<Voice>,
    pub lines: LogLines,
    pub reading: Reading,
    /// The search in the part of the output that is not held.
    pub hunt: Option<Hunt>,
    /// The number of the line under the cursor.
    pub cursor: u64,
    /// The first line that is seen, and how many of its rows are not.
    pub top: u64,
    pub skip: usize,
    /// Cells scrolled out at the left.
    pub left: usize,
    /// True if the view follows the newest line.
    pub follow: bool,
    pub wrap: bool,
    /// True if lines are shown without time, level and name.
    pub bare: bool,
    /// The number of the line behind the last one when following stopped.
    pub seen: u64,
    /// The visible rows, made by `update` so that `draw` only paints.
    pub rows: Vec<LogRow>,
}

/// State of reading the output.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    /// The source of the lines: run, step, attempt.
    pub of: Option<(RunId, Option<StepIx>, Option<u32>)>,
    /// The voice they are of, when it is one alone.
    pub voice: Option<Voice>,
    /// The last event that was told, and the question that is on its way for more.
    pub told: Seq,
    pub telling: Option<u64>,
    /// Calls that were begun or wait to be.
    pub known: BTreeSet<AttemptId>,
    /// Calls that wait to be read, in this order.
    pub queue: VecDeque<AttemptId>,
    /// Calls that had ended when they were read last.
    pub ended: BTreeSet<AttemptId>,
    /// The part with which reading begins anew.
    pub begins: Option<LogPart>,
    /// The question that has not been answered.
    pub asked: Option<Question>,
    /// When a running call was asked for more without being told that there is.
    pub polled_at: Timestamp,
    /// Why something could not be read.
    pub missing: Option<String>,
}

/// A request for a part of an output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub request: u64,
    pub attempt: AttemptId,
    pub part: LogPart,
}

/// A part of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogPart {
    /// Its last lines, or all from its begin on: nothing was read before.
    Last,
    Begin,
    /// The part from this byte on, where a line begins.
    At(u64),
    /// Bytes before the held ones, from this offset on.
    Before(u64),
    /// Bytes after the held ones.
    After,
}
