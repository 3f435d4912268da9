//! Requests to the engine: pending ones, past ones, the undo of the last one and known refusals.

use crate::{Intent, Lookup, Wish};
use cuelight_base::{RunId, Seq, StepIx, Timestamp};
use cuelight_engine::Command;
use std::collections::BTreeMap;

/// All requests of this console.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    pub pending: BTreeMap<u64, Pending>,
    pub undo: Option<Undoable>,
    pub asked: Vec<Asked>,
    pub previews: Previews,
    /// The questions on their way, each with the part of the model that takes the answer.
    pub asking: BTreeMap<u64, Asker>,
    /// The number of the last request.
    pub last: u64,
}

impl Requests {
    /// The number of a new request.
    pub(crate) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Asks the world for something, whose answer goes to `asker`; returns the number of the question.
    pub(crate) fn read(&mut self, asker: Asker, want: Lookup, wishes: &mut Vec<Wish>) -> u64 {
        let request = self.number();
        self.asking.insert(request, asker);
        wishes.push(Wish::Read { request, want });
        request
    }
}

/// A part of the model that takes the answer to its own question.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    Agents,
    Audit,
    Compare,
    Gates,
    Launch,
    Logs,
    Pulse,
    TimeMarks,
    Travel,
    WhatIf,
}

/// Something asked of the engine that has not been answered.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub run: Option<RunId>,
    /// The request in words: `cancel r-7`.
    pub words: String,
    /// The command that reverses it; None if it cannot be reversed.
    pub inverse: Option<Command>,
}

/// The action of `u`.
#[derive(Clone, Debug)]
pub(crate) struct Undoable {
    pub command: Command,
    pub words: String,
    pub until: Timestamp,
}

/// A past request, as listed by `@`.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub request: u64,
    pub at: Timestamp,
    pub command_line: String,
    pub outcome: String,
}

/// Known refusals of the actions on the selection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Previews {
    /// The selection they were asked for.
    pub of: Option<(RunId, Option<StepIx>, Seq)>,
    pub asked: BTreeMap<u64, Intent>,
    pub known: BTreeMap<Intent, Result<(), String>>,
}
