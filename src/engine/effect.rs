//! All that can be to be done, and which event asks for it. A function of the event alone.

use crate::{
    Adoption, AttemptEvent, Event, Fact, Facts, GateEvent, RunEvent, StepEvent, UndoEvent, event::Purpose,
};
use cuelight_base::{AttemptId, Digest, GateId, Launch, Program, RunId, StepIx};

/// Something the loud half must do once the event that asks for it is on disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Make this call; its end comes back as a command.
    Call {
        /// The call that is made.
        attempt: AttemptId,
        /// The purpose of the call.
        purpose: Purpose,
        /// The call, wholly resolved.
        launch: Box<Launch>,
        /// The same for all attempts of one effect.
        effect_key: Digest,
        /// Files that must be as they were when this was approved, or nothing is called.
        bound: Option<Box<Facts>>,
    },
    /// Listen to a call that is being made already; its end comes back as a command.
    Attach {
        /// The call that is being made.
        attempt: AttemptId,
        /// The purpose of the call.
        purpose: Purpose,
        /// True to end it at once.
        ends: bool,
    },
    /// End the calls of this step, or of the whole run; calls that undo go on.
    End {
        /// The run of the calls.
        run: RunId,
        /// The step; none means all steps.
        step: Option<StepIx>,
    },
    /// Look at files; the facts that are found come back as a command.
    Look {
        /// The run of the step.
        run: RunId,
        /// The step that asks.
        step: StepIx,
        /// Files whose content is kept.
        files: Vec<String>,
        /// Argument lists of `hashFiles` to evaluate.
        patterns: Vec<Vec<String>>,
        /// Calls whose files are hashed.
        programs: Vec<Program>,
    },
    /// Remove files that were kept for a run that has ended: captured workspaces.
    Discard {
        /// The run that has ended.
        run: RunId,
    },
    /// Ring: somebody is needed, or something failed.
    Ring {
        /// The run that it is about.
        run: RunId,
        /// The gate, when it is one.
        gate: Option<GateId>,
    },
}

/// The effect that an event asks for.
pub fn react(event: &Event) -> Option<Effect> {
    match &event.fact {
        Fact::Attempt(
            run,
            step,
            number,
            AttemptEvent::Started { purpose, launch, effect_key, bound, .. },
        ) => (!launch.is_claimed()).then(|| Effect::Call {
            attempt: AttemptId { run: *run, step: *step, number: *number },
            purpose: *purpose,
            launch: launch.clone(),
            effect_key: *effect_key,
            bound: bound.clone(),
        }),
        Fact::Attempt(
            run,
            step,
            number,
            AttemptEvent::Adopted { purpose, how: Adoption::Attached, ends },
        ) => Some(Effect::Attach {
            attempt: AttemptId { run: *run, step: *step, number: *number },
            purpose: *purpose,
            ends: *ends,
        }),
        Fact::Step(run, step, StepEvent::FactsAsked { files, patterns, programs }) => {
            let (files, patterns, programs) = (files.clone(), patterns.clone(), programs.clone());
            Some(Effect::Look { run: *run, step: *step, files, patterns, programs })
        }
        Fact::Gate(run, step, _, GateEvent::Agreed { files, patterns, .. }) => {
            let (files, patterns) = (files.clone(), patterns.clone());
            Some(Effect::Look { run: *run, step: *step, files, patterns, programs: Vec::new() })
        }
        Fact::Step(
            run,
            step,
            StepEvent::Ending { .. }
            | StepEvent::Cancelled { .. }
            | StepEvent::Skipped { .. }
            | StepEvent::DoneByHand { .. },
        ) => Some(Effect::End { run: *run, step: Some(*step) }),
        Fact::Run(run, RunEvent::Cancelling { .. } | RunEvent::TimedOut { .. }) => {
            Some(Effect::End { run: *run, step: None })
        }
        Fact::Run(run, RunEvent::Ended { .. }) => Some(Effect::Discard { run: *run }),
        Fact::Gate(
            run,
            _,
            gate,
            GateEvent::Asked { .. }
            | GateEvent::Reminded { .. }
            | GateEvent::Escalated { .. }
            | GateEvent::Delegated { .. }
            | GateEvent::GlassBroken(_)
            | GateEvent::Overridden(_),
        ) => Some(Effect::Ring { run: *run, gate: Some(*gate) }),
        Fact::Step(run, _, StepEvent::InDoubt { .. } | StepEvent::Failed { .. })
        | Fact::Undo(run, _, UndoEvent::Stuck { .. }) => Some(Effect::Ring { run: *run, gate: None }),
        Fact::Run(..)
        | Fact::Step(..)
        | Fact::Attempt(..)
        | Fact::Gate(..)
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
