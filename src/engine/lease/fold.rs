//! The events that begin and end offers and leases.

use crate::{AttemptEvent, Event, Fact, RunEvent, StepEvent, WaitReason};
use cuelight_base::AttemptId;
use cuelight_exchange::{AgentEvent, Given, Leases, Offer};
use std::sync::Arc;

/// Applies an event to leases and offers, if it changes any.
pub fn fold_leases(leases: &mut Arc<Leases>, event: &Event) {
    let at = event.at;
    let is_known = match &event.fact {
        Fact::Agent(event) => event.run().is_some(),
        Fact::Step(_, _, StepEvent::Waiting { reason: WaitReason::Agent { .. } }) => true,
        Fact::Step(_, _, StepEvent::Routed { .. }) => false,
        Fact::Step(run, step, StepEvent::Ending { .. }) => leases.of_step(*run, *step).is_some(),
        Fact::Step(run, step, _) => leases.is_offered((*run, *step)),
        Fact::Attempt(run, step, _, AttemptEvent::Started { launch, .. }) => {
            launch.is_claimed() || leases.is_offered((*run, *step))
        }
        Fact::Attempt(run, step, number, _) => {
            leases.given(AttemptId { run: *run, step: *step, number: *number }).is_some()
        }
        Fact::Run(run, RunEvent::Cancelling { .. } | RunEvent::TimedOut { .. }) => {
            leases.of_run(*run).next().is_some()
        }
        Fact::Recovered { .. } => leases.held().next().is_some(),
        _ => false,
    };
    if !is_known {
        return;
    }
    let leases = Arc::make_mut(leases);
    match &event.fact {
        Fact::Agent(AgentEvent::Leased { lease }) => leases.hold((**lease).clone()),
        Fact::Agent(AgentEvent::Renewed { attempt, until, note }) => {
            leases.renew(*attempt, *until, note.as_ref());
        }
        Fact::Step(
            run,
            step,
            StepEvent::Waiting { reason: WaitReason::Agent { name, capabilities, .. } },
        ) => {
            let offer = Offer { agent: name.clone(), capabilities: capabilities.clone() };
            leases.offer((*run, *step), at, offer);
        }
        Fact::Step(run, step, StepEvent::Ending { .. }) => {
            if let Some(attempt) = leases.of_step(*run, *step).map(|lease| lease.attempt) {
                leases.end_soon(attempt, at);
            }
        }
        Fact::Step(run, step, _) => leases.withdraw((*run, *step)),
        Fact::Attempt(run, step, number, event) => {
            let attempt = AttemptId { run: *run, step: *step, number: *number };
            match event {
                AttemptEvent::Started { launch, effect_key, .. } => {
                    // Also where something else is done in its place.
                    leases.withdraw((*run, *step));
                    if launch.is_claimed() {
                        leases.give(attempt, Given { launch: launch.clone(), effect_key: *effect_key });
                    }
                }
                AttemptEvent::Ended { .. } => leases.release(attempt, false),
                AttemptEvent::Lost { .. } => leases.release(attempt, true),
                AttemptEvent::Adopted { .. } => {}
            }
        }
        Fact::Run(run, _) => {
            let all: Vec<AttemptId> = leases.of_run(*run).map(|lease| lease.attempt).collect();
            all.into_iter().for_each(|attempt| leases.end_soon(attempt, at));
        }
        Fact::Recovered { .. } => leases.recovered(at),
        _ => {}
    }
}
