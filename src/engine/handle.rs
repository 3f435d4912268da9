//! Routes a command: refuses before the first event, then emits what follows. `emit` is the one way to an
//! event, and applies it at once, so that later rules see earlier ones.

mod gates;
mod runs;
mod steps;

use crate::{
    Command, Event, Fact, Facts, GateEvent, Purpose, Refusal, RunEvent, StepEvent, StepState, gate::Gate,
    run::Run, world::World,
};
use cuelight_base::{Actor, AttemptId, GateId, REASON_BYTES_MAX, RunId, StepIx, Timestamp};
use cuelight_exchange::{BusEvent, Registration};

/// One command being handled.
pub(super) struct Turn<'a> {
    pub(super) world: &'a mut World,
    pub(super) now: Timestamp,
    /// The step that an agent comes for at this moment, and what that one is, …
    pub(super) claiming: Option<(RunId, StepIx, Registration)>,
    /// … and the call that has begun for it.
    pub(super) claimed: Option<AttemptId>,
    out: &'a mut Vec<Event>,
}

impl World {
    /// Judges a command and, when it may be, emits and applies what follows from it. A refusal leaves no
    /// trace.
    ///
    /// # Errors
    /// Why it may not be, in words for the operator.
    pub fn handle(&mut self, command: Command, now: Timestamp, out: &mut Vec<Event>) -> Result<(), Refusal> {
        let mut turn = Turn { world: self, now, claiming: None, claimed: None, out };
        turn.command(command)?;
        turn.settle();
        Ok(())
    }
}

impl Turn<'_> {
    /// The one way to an event.
    pub(super) fn emit(&mut self, fact: Fact) {
        let event = Event { at: self.now, fact };
        self.world.apply(&event);
        self.out.push(event);
    }

    pub(super) fn emit_run(&mut self, run: RunId, event: RunEvent) {
        self.emit(Fact::Run(run, event));
    }

    pub(super) fn emit_step(&mut self, run: RunId, step: StepIx, event: StepEvent) {
        self.emit(Fact::Step(run, step, event));
    }

    pub(super) fn emit_gate(&mut self, gate: GateId, event: GateEvent) {
        let at = &self.world.gates[&gate];
        let (run, step) = (at.run, at.step);
        self.emit(Fact::Gate(run, step, gate, event));
    }

    /// A run that is known to be there.
    pub(super) fn run(&self, run: RunId) -> &Run {
        &self.world.runs[&run]
    }

    pub(super) fn find(&self, run: RunId) -> Result<&Run, Refusal> {
        self.world.runs.get(&run).ok_or(Refusal::NoRun(run))
    }

    pub(super) fn find_step(&self, run: RunId, step: StepIx) -> Result<&Run, Refusal> {
        self.find(run).and_then(|value| if value.has(step) { Ok(value) } else { Err(Refusal::NoStep(run)) })
    }

    fn find_gate(&self, gate: GateId) -> Result<&Gate, Refusal> {
        self.world.gates.get(&gate).ok_or(Refusal::NoGate(gate))
    }

    fn command(&mut self, command: Command) -> Result<(), Refusal> {
        if let Some(why) = command.actor().and_then(Actor::decides_nothing)
            && command.is_judgement()
        {
            let why = why.to_owned();
            return Err(match &command {
                Command::Decide(decision) => Refusal::NotAllowed { gate: decision.gate, why },
                _ => Refusal::Other(format!("could not decide: {why}")),
            });
        }
        match command {
            Command::Launch(launching) => self.launch(*launching),
            Command::Pause { run, by } => self.pause(run, by),
            Command::Resume { run, by } => self.resume(run, by),
            Command::Cancel { run, by, reason, undo } => self.cancel(run, by, reason, undo),
            Command::Decide(decision) => self.decide(*decision),
            Command::Withdraw { gate, by } => self.withdraw(gate, by),
            Command::EditForm { gate, epoch, values, reason, by } => {
                self.edit_form(gate, epoch, values, reason, by)
            }
            Command::Comment { gate, text, by } => self.comment(gate, text, by),
            Command::Delegate { gate, to, lasts, reason, by } => self.delegate(gate, &to, lasts, reason, by),
            Command::ReviewGlass { run, gate, epoch, reason, by } => {
                self.review_glass(run, (gate, epoch), reason, by)
            }
            Command::AnswerDoubt { run, step, answer, reason, by } => {
                self.answer_doubt(run, step, answer, reason, by)
            }
            Command::Retry { run, from, by, corrected } => self.retry(run, from, by, corrected),
            Command::Fork { run, by, corrected, past, .. } => self.fork(run, by, corrected, past),
            Command::Skip { run, step, reason, by } => self.skip(run, step, reason, by),
            Command::Done { run, step, outputs, reason, by } => self.done(run, step, outputs, reason, by),
            Command::Undo { run, reason, by } => self.undo(run, reason, by),
            Command::SettleUndo { run, step, again, reason, by } => {
                self.settle_undo(run, step, again, &reason, by)
            }
            Command::HoldSchedule { workflow, reason, by } => self.hold_schedule(workflow, reason, by),
            Command::ReleaseSchedule { workflow, by } => self.release_schedule(workflow, by),
            Command::NoteFailure { run, step, of_undo, note, reason, by } => {
                self.note_failure(run, (step, of_undo), note, reason, by)
            }
            Command::SetValue { value, by } => self.set_value(*value, by),
            Command::ClearCache { key, by } => self.clear_cache(key, by),
            Command::Reset { reason, by } => self.reset(reason, by),
            Command::Publish { message, by } => self.publish(*message, by),
            Command::DeclareTopics { topics } => {
                self.declare_topics(topics);
                Ok(())
            }
            Command::DeclarePeople { people } => {
                self.declare_people(*people);
                Ok(())
            }
            Command::NoteRejected { letter, by } => {
                self.emit(Fact::Bus(BusEvent::Rejected { letter, by: Some(by) }));
                Ok(())
            }
            Command::RevokeToken { token, reason, by } => self.revoke_token(token, reason, by),
            Command::Learn { knowledge, by } => self.learn(*knowledge, by),
            Command::HandIn { result, kept_for, by } => self.hand_in(*result, kept_for, by),
            Command::Agent { ask, by } => self.agent_asks(*ask, by),
            Command::AttemptEnded { attempt, outcome } => {
                if self.is_in_flight(attempt) {
                    self.attempt_ended(attempt, *outcome);
                }
                Ok(())
            }
            Command::AttemptLost { attempt, evidence } => {
                if self.is_in_flight(attempt) {
                    self.lose(attempt, &evidence);
                }
                Ok(())
            }
            Command::FactsFetched { run, step, facts } => {
                self.facts_fetched(run, step, facts);
                Ok(())
            }
            Command::Wake => {
                self.wake();
                Ok(())
            }
            Command::Stalled => {
                self.restart_timers();
                Ok(())
            }
            Command::Recover { away, found, taken } => {
                self.recover(away, found, taken);
                Ok(())
            }
            Command::NoteRefusal { gate, by, why } => self.note_refusal(gate, by, why),
        }
    }

    fn is_in_flight(&self, attempt: AttemptId) -> bool {
        self.world.runs.get(&attempt.run).is_some_and(|run| {
            run.has(attempt.step)
                && run.step(attempt.step).tries.attempts == attempt.number
                && run.step(attempt.step).tries.in_flight.is_some()
        })
    }

    fn facts_fetched(&mut self, run: RunId, step: StepIx, facts: Facts) {
        let Some(this_step) = self.world.runs.get(&run).filter(|run| run.has(step)).map(|run| run.step(step))
        else {
            return;
        };
        if this_step.state() != StepState::Waiting {
            return;
        }
        match &this_step.asked {
            Some(asked) if facts.answers(asked) => self.emit_step(run, step, StepEvent::FactsKnown { facts }),
            // An answer to a question that was asked before.
            Some(_) => {}
            None => self.looked_again(run, step, &facts),
        }
    }

    /// The purpose of the call that is being made.
    pub(super) fn purpose(&self, run: RunId, step: StepIx) -> Option<Purpose> {
        self.run(run).step(step).tries.in_flight
    }
}

pub(super) fn checked_reason(reason: String) -> Result<String, Refusal> {
    if reason.len() > REASON_BYTES_MAX {
        return Err(Refusal::ReasonTooLong(reason.len()));
    }
    Ok(reason)
}

pub(super) fn required_reason(reason: String, verb: &str) -> Result<String, Refusal> {
    let reason = checked_reason(reason)?;
    if reason.trim().is_empty() { Err(Refusal::ReasonMissing(verb.to_owned())) } else { Ok(reason) }
}
