//! Rows that need a person, the most urgent first: open gates, steps whose outcome is unknown, undos that are
//! stuck, and emergency approvals that somebody else has yet to review.

use crate::{Board, GateView};
use cuelight_base::{Actor, Epoch, GateId, RunId, StepIx, Timestamp};
use cuelight_plan::Risk;
use std::{cmp::Reverse, sync::Arc};

/// One thing that needs a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRow {
    /// The kind of attention that is needed.
    pub what: Attention,
    /// The run of the step.
    pub run: RunId,
    /// The step that needs attention.
    pub step: StepIx,
    /// The id of the step.
    pub step_id: String,
    /// The name of the workflow.
    pub workflow: Arc<str>,
    /// The damage that a wrong answer could do.
    pub risk: Risk,
    /// When it is decided without a person.
    pub deadline: Option<Timestamp>,
    /// Since when it waits.
    pub since: Timestamp,
    /// True if the viewer can answer, or if no viewer is given.
    pub mine: bool,
}

/// The kind of attention that a person must give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attention {
    /// An answer at this gate.
    Gate(GateId),
    /// The outcome of a step that may have happened.
    Doubt,
    /// A decision about an undo that failed.
    StuckUndo,
    /// A look, by somebody else, at this gate that one person approved in an emergency, in this epoch.
    Review(GateId, Epoch),
}

impl Board {
    /// Rows that need a person: first those that the viewer can answer, then by risk, deadline and age.
    pub fn inbox(&self, viewer: Option<(&Actor, Timestamp)>) -> Vec<InboxRow> {
        let gates = self.open_gates().map(|gate| gate_row(gate, viewer));
        let may = |(run, step): (RunId, StepIx)| {
            viewer.is_none_or(|(actor, _)| self.may_not_vouch(run, step, actor).is_none())
        };
        let doubts = self.open.doubts.iter().filter_map(|doubt| {
            Some(InboxRow { mine: may(*doubt), ..self.step_row(*doubt, Attention::Doubt)? })
        });
        let stuck = self.open.stuck.iter().filter_map(|view| self.step_row(*view, Attention::StuckUndo));
        let reviews = self.reviews_due().map(|gate| review_row(gate, viewer));
        let mut rows: Vec<InboxRow> = gates.chain(doubts).chain(stuck).chain(reviews).collect();
        rows.sort_by_key(|row| {
            let deadline = row.deadline.unwrap_or(Timestamp(i64::MAX));
            (!row.mine, Reverse(row.risk), deadline, row.since, row.run, row.step)
        });
        rows
    }

    /// The number of rows that need a person.
    pub fn inbox_len(&self) -> usize {
        self.open_gates().count()
            + self.open.doubts.len()
            + self.open.stuck.len()
            + self.reviews_due().count()
    }

    fn step_row(&self, (run, step): (RunId, StepIx), what: Attention) -> Option<InboxRow> {
        let view = self.run(run)?;
        let since = view.step(step)?.since;
        let workflow = Arc::clone(&view.summary.workflow);
        // Nobody knows what happened outside, so it is as bad as it can be.
        let risk = Risk::Irreversible;
        let step_id = view.step_id(step);
        Some(InboxRow { what, run, step, step_id, workflow, risk, deadline: None, since, mine: true })
    }
}

fn review_row(gate: &GateView, viewer: Option<(&Actor, Timestamp)>) -> InboxRow {
    InboxRow {
        what: Attention::Review(gate.id, gate.epoch()),
        deadline: None,
        since: gate.closed_at.unwrap_or(gate.ask.opened_at),
        mine: viewer.is_none_or(|(actor, now)| gate.may_not_review(actor, now).is_none()),
        ..gate_row(gate, None)
    }
}

fn gate_row(gate: &GateView, viewer: Option<(&Actor, Timestamp)>) -> InboxRow {
    InboxRow {
        what: Attention::Gate(gate.id),
        run: gate.run,
        step: gate.step,
        step_id: gate.ask.step.clone(),
        workflow: gate.ask.workflow.as_str().into(),
        risk: gate.ask.risk,
        deadline: gate.ask.expires_at,
        since: gate.ask.opened_at,
        mine: viewer.is_none_or(|(actor, now)| gate.waits_for(actor, now)),
    }
}
