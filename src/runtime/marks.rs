//! Marks for the store, which interprets no events. They say which runs are open. They are also the second
//! wall around gates: one vote for each person at one epoch, one end for each gate.

use cuelight_base::{Epoch, GateId};
use cuelight_engine::{Event, Fact, GateEvent, RunEvent};
use cuelight_store::Mark;
use std::collections::BTreeMap;

/// The state of open gates that is needed to mark their events.
#[derive(Debug, Default)]
pub(super) struct Marks {
    gates: BTreeMap<GateId, Open>,
}

#[derive(Debug)]
struct Open {
    epoch: Epoch,
    /// Number of withdrawn votes per principal at this epoch; each allows one more vote.
    withdrawn: BTreeMap<String, u32>,
}

impl Marks {
    /// The marks of one event; events are told in order, also those that are on disk already.
    pub(super) fn of(&mut self, event: &Event) -> Option<Mark> {
        match &event.fact {
            Fact::Run(run, RunEvent::Created { .. } | RunEvent::Compensating) => Some(Mark::RunOpened(*run)),
            Fact::Run(run, RunEvent::Ended { .. }) => Some(Mark::RunRested(*run)),
            Fact::Gate(_, _, gate, event) => self.of_gate(*gate, event),
            Fact::Run(..)
            | Fact::Step(..)
            | Fact::Attempt(..)
            | Fact::Undo(..)
            | Fact::Scope(..)
            | Fact::Failure(..)
            | Fact::Schedule(..)
            | Fact::Target(..)
            | Fact::Cache(..)
            | Fact::Bus(..)
            | Fact::Token(..)
            | Fact::Library(..)
            | Fact::People(..)
            | Fact::Agent(..)
            | Fact::Recovered { .. } => None,
        }
    }

    fn of_gate(&mut self, gate: GateId, event: &GateEvent) -> Option<Mark> {
        match event {
            GateEvent::Asked { ask, .. } => {
                self.gates.insert(gate, Open { epoch: ask.epoch, withdrawn: BTreeMap::new() });
                None
            }
            GateEvent::Withdrawn { by } => {
                let open = self.gates.get_mut(&gate)?;
                *open.withdrawn.entry(by.principal()).or_default() += 1;
                None
            }
            GateEvent::Voted(vote) | GateEvent::GlassBroken(vote) | GateEvent::Overridden(vote) => {
                let open = self.gates.get(&gate)?;
                let mut principal = vote.by.principal();
                if let Some(times) = open.withdrawn.get(&principal) {
                    principal = format!("{principal} after {times} withdrawn");
                }
                if matches!(event, GateEvent::GlassBroken(_)) {
                    principal.push_str(" in an emergency");
                }
                Some(Mark::Voted { decision: vote.decision.clone(), gate, epoch: open.epoch, principal })
            }
            GateEvent::Resolved { .. } => {
                let open = self.gates.remove(&gate)?;
                Some(Mark::Resolved { gate, epoch: open.epoch })
            }
            GateEvent::Refused { .. }
            | GateEvent::Edited { .. }
            | GateEvent::GlassReviewed { .. }
            | GateEvent::Commented { .. }
            | GateEvent::Agreed { .. }
            | GateEvent::Armed { .. }
            | GateEvent::Reminded { .. }
            | GateEvent::Escalated { .. }
            | GateEvent::Delegated { .. } => None,
        }
    }
}
