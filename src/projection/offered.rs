//! The work that could be offered to a waiting agent now. The engine decides whether to assign it.

use super::{Board, RunView};
use cuelight_base::{RunId, StepIx};
use cuelight_engine::RunState;
use cuelight_exchange::AgentKey;
use std::sync::Arc;

/// Steps that wait for an agent like this one, and the runs that they are of as they stood. Two are the same while nothing has happened in
/// any of these runs; then an agent that was given nothing would be given nothing again.
#[derive(Clone, Debug)]
pub struct Offered(Vec<Offer>);

/// A step of a run, and the run as it stood.
type Offer = (RunId, StepIx, Arc<RunView>);

impl Offered {
    /// True if no work is offered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Offered {
    fn eq(&self, other: &Self) -> bool {
        // A run that somebody holds is copied before it is changed.
        let same = |(a, b): (&Offer, &Offer)| (a.0, a.1) == (b.0, b.1) && Arc::ptr_eq(&a.2, &b.2);
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}

impl Board {
    /// The work that waits for this agent in its project, the longest wait first. Paused runs offer nothing.
    pub fn offered(&self, agent: &AgentKey) -> Offered {
        let Some(me) = self.present().get(agent) else { return Offered(Vec::new()) };
        let suits = self.leases().offers().filter(|offer| offer.1.suits(&me.about)).map(|offer| offer.0);
        let mine = suits.filter(|suit| self.project_of(suit.0) == agent.project.as_deref());
        let of_run = mine.filter_map(|(run, step)| Some((run, step, Arc::clone(self.run(run)?))));
        Offered(of_run.filter(|row| row.2.summary.state != RunState::Paused).collect())
    }
}
