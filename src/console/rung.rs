//! State of the bell: everything that needed a person at the last look, so that each change rings once.

use cuelight_base::GateId;
use cuelight_engine::RunState;
use cuelight_projection::{Attention, Board, GateView, InboxRow};
use std::collections::BTreeMap;

/// Everything that needed a person at one look.
#[derive(Clone, Debug, Default)]
pub(super) struct Rung {
    /// Open gates, and how often each has called.
    gates: BTreeMap<GateId, u64>,
    /// Steps and undos that nobody knows the end of.
    doubts: usize,
    /// Approvals alone in an emergency, and overrides, that nobody has reviewed.
    reviews: usize,
    /// The number of failed runs.
    pub failed: u32,
}

impl Rung {
    pub(super) fn of(board: &Board) -> Self {
        let failed = board.summaries().filter(|summary| summary.state == RunState::Failed).count();
        let gates: BTreeMap<GateId, u64> = board.open_gates().map(|gate| (gate.id, calls(gate))).collect();
        Self {
            doubts: board.inbox_len() - gates.len() - board.reviews_due().count(),
            reviews: board.reviews_due().count(),
            gates,
            failed: u32::try_from(failed).unwrap_or(u32::MAX),
        }
    }

    /// The news since an earlier look; its words contain no foreign text but names of the workflow.
    pub(super) fn news_since(&self, before: &Self, board: &Board) -> Option<String> {
        let calls = |(gate, now): &(&GateId, &u64)| before.gates.get(gate).is_none_or(|was| was < *now);
        if let Some((gate, _)) = self.gates.iter().find(calls) {
            let step =
                board.gate(*gate).map(|gate| cuelight_base::safe_text(&gate.ask.step)).unwrap_or_default();
            return Some(format!("{gate} {step} waits"));
        }
        if self.reviews > before.reviews
            && let Some(gate) = board.reviews_due().max_by_key(|gate| gate.closed_at)
        {
            let step = cuelight_base::safe_text(&gate.ask.step);
            let word = gate.emergency_word().to_uppercase();
            let how =
                if word == "EMERGENCY" { "has an emergency approval" } else { "was approved by override" };
            return Some(format!("{word}: {} {step} {how}; review it", gate.id));
        }
        if self.doubts > before.doubts {
            let in_doubt = |row: &InboxRow| matches!(row.what, Attention::Doubt | Attention::StuckUndo);
            let doubt = board.inbox(None).into_iter().find(in_doubt)?;
            return Some(format!("{} {} is in doubt", doubt.run, cuelight_base::safe_text(&doubt.step_id)));
        }
        (self.failed > before.failed).then(|| "a run has failed".to_owned())
    }
}

/// The number of times that a gate has called for people: asked, reminded, escalated, delegated.
fn calls(gate: &GateView) -> u64 {
    u64::from(gate.epoch().0)
        + u64::from(gate.reminded)
        + u64::from(gate.escalated.is_some())
        + gate.delegations().len() as u64
}
