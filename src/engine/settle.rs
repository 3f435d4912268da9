//! Settling of a run: works off the list of touched steps until it is empty.
//!
//! Order: touched steps are judged, free slots are filled (priority, then file order), and a run without open
//! steps is undone or ended.
//!
//! All of it happens within one command. Each event that is emitted is folded at once and may touch more steps, so
//! the list grows while it is worked off. It empties all the same: a step is touched by a change of a need or of a
//! child, and no state leads back except by a command, an answer or the clock.

use crate::{
    Refusal, RunEvent, RunState, StepEvent, StepState, Why,
    another_try::is_replaced,
    attempt,
    by_hand::{
        asks_all_the_same, has_asked_within, is_left_out_by_hand, left_out_by_hand, left_out_though_asked,
        was_asked_about,
    },
    call::Unresolved,
    condition::View,
    handle::Turn,
    outcome,
    run::{Rank, Room, Run},
};
use cuelight_base::{FailureMode, Program, RunId, StepIx, Tree};
use cuelight_expression::EvalError;
use cuelight_plan::{OnConflict, Work};

impl Turn<'_> {
    /// Until nothing more follows.
    pub(super) fn settle(&mut self) {
        loop {
            if let Some(run) = self.world.dirty.pop_first() {
                self.settle_run(run);
            } else if let Some(target) = self.world.targets.touched.pop_first() {
                self.let_through(&target);
            } else {
                return;
            }
        }
    }

    fn settle_run(&mut self, id: RunId) {
        loop {
            let Some(run) = self.world.runs.get(&id) else { return };
            if run.state.rests() {
                return;
            }
            if run.state == RunState::Created && !run.ending.cancelling {
                if !self.take_place(id) {
                    return;
                }
            } else if let Some(step) = run.queue.touched.first().map(|pair| pair.1) {
                self.judge(id, step);
            } else if let Some(step) = next_ready(run) {
                self.begin(id, step);
            } else {
                if run.queue.open == 0 {
                    self.wind_up(id);
                }
                return;
            }
        }
    }

    /// A new run takes its place in its concurrency group. False: it has to wait.
    fn take_place(&mut self, id: RunId) -> bool {
        let concurrency = self.run(id).plan.concurrency.clone();
        let others: Vec<RunId> = concurrency
            .iter()
            .filter_map(|concurrency| self.world.groups.get(&concurrency.group))
            .flatten()
            .copied()
            // Only older runs are in the way, so no two runs wait for each other.
            .filter(|run| *run < id)
            .collect();
        if others.is_empty() {
            self.emit_run(id, RunEvent::Started);
            return true;
        }
        match concurrency.map(|concurrency| concurrency.on_conflict).unwrap_or_default() {
            OnConflict::Queue => {}
            OnConflict::Skip => {
                let by = cuelight_base::Actor::engine();
                let reason = format!("{} of the same concurrency group is open", others[0]);
                self.end_early(id, by, reason, false);
                return true;
            }
            OnConflict::CancelRunning => {
                for other in others {
                    let run = self.run(other);
                    let spared = !self
                        .run(id)
                        .plan
                        .concurrency
                        .as_ref()
                        .is_some_and(|concurrency| concurrency.cancel_waiting);
                    let waits = run.state == RunState::Created || self.world.asks(other);
                    let goes_on = !run.state.rests() && !run.ending.cancelling && !run.ending.compensating;
                    if goes_on && (!spared || !waits) {
                        let by = self.run(id).by.clone();
                        let reason = format!("{id} of the same concurrency group takes its place");
                        self.end_early(other, by, reason, false);
                    }
                }
            }
        }
        false
    }

    /// Judges a step whose needs have ended, or a frame whose children have.
    fn judge(&mut self, id: RunId, step: StepIx) {
        let run = self.run(id);
        if run.step(step).state() == StepState::Running {
            // While something else is done in its place, nothing is left in it that could end it.
            if run.step(step).tries.in_flight.is_none() {
                self.close_frame(id, step);
            }
            return;
        }
        let plan = run.plan_step(step);
        // A time-out spares nobody. Any other end lets steps run whose `if` names it: they clean up.
        if run.ending.timed_out {
            self.skip_tree(id, step, Why::RunTimedOut);
            return;
        }
        if run.is_ending() && !run.step(step).explicit && !run.in_explicit_frame(step) {
            let why = run.why_ending();
            self.skip_tree(id, step, why);
            return;
        }
        let view = View::of(self.world, run, step, self.now);
        let holds = match &plan.condition {
            None => Ok(run.step(step).needs.blocked.is_none()),
            Some(condition) => view.holds(condition),
        };
        match holds {
            Ok(true) => self.admit(id, step),
            // From here on the step would be left out. Other inputs or a step that was done by hand must not leave out
            // one that people were asked about: it asks again, or fails by name, and is never skipped in silence.
            Ok(false) if asks_all_the_same(run, step) => self.admit(id, step),
            Ok(false)
                if plan
                    .condition
                    .as_ref()
                    .is_some_and(|condition| is_left_out_by_hand(run, step, condition)) =>
            {
                let message = left_out_by_hand("its `if`");
                self.fail_step(id, step, &outcome::failure(FailureMode::PolicySecurity, message));
            }
            Ok(false)
                if let Some(gate) = has_asked_within(run, step).or_else(|| was_asked_about(run, step)) =>
            {
                let message = left_out_though_asked(gate, "its `if`");
                self.fail_step(id, step, &outcome::failure(FailureMode::PolicySecurity, message));
            }
            Ok(false) => {
                let blocked = run.step(step).needs.blocked.filter(|_| !run.step(step).explicit);
                self.skip_tree(id, step, blocked.map_or(Why::Condition, Why::Need));
            }
            Err(EvalError::NeedsFiles(patterns)) => {
                self.ask_facts(id, step, Vec::new(), vec![patterns], Vec::new());
            }
            Err(error) => {
                let message = format!("its `if` could not be decided: {error}");
                self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, message));
            }
        }
    }

    fn admit(&mut self, id: RunId, step: StepIx) {
        if may_start(self.run(id), step) {
            self.begin(id, step);
        } else {
            self.emit_step(id, step, StepEvent::Ready);
        }
    }

    /// Starts the work of a step.
    fn begin(&mut self, id: RunId, step: StepIx) {
        if is_replaced(self.run(id), step) {
            return self.call_again(id, step);
        }
        let work = match &self.run(id).plan_step(step).work {
            Work::Run { .. } | Work::Tool(_) | Work::Http(_) | Work::Model(_) => {
                return self.call_again(id, step);
            }
            Work::Gate(_) => return self.open_gate(id, step),
            work => work.clone(),
        };
        if let Some(event) = attempt::held_above(self.run(id), step) {
            return self.emit_step(id, step, event);
        }
        match &work {
            Work::Run { .. } | Work::Tool(_) | Work::Http(_) | Work::Model(_) | Work::Gate(_) => {}
            Work::Wait(wait) => self.start_wait(id, step, wait),
            // Nothing is written that people have not seen, as nothing is called.
            Work::Emit(_) | Work::Set { .. } if self.asks_for_write(id, step) => {}
            Work::Emit(emission) => self.emit_message(id, step, emission),
            Work::Set { scope, values, ttl, expect } => self.set(id, step, *scope, values, *ttl, expect),
            Work::Frame(frame) => self.open_frame(id, step, frame),
            Work::Later(later) => {
                let message = format!("`{}` comes with a later release of cuelight", later.kind);
                self.fail_step(id, step, &outcome::failure(FailureMode::ResourceTool, message));
            }
        }
    }

    /// Handles a call that could not be resolved: files are asked for, or the step fails.
    pub(super) fn unresolved(&mut self, id: RunId, step: StepIx, files: Vec<String>, why: Unresolved) {
        match why {
            Unresolved::Needs(patterns) => self.ask_facts(id, step, files, patterns, Vec::new()),
            Unresolved::Programs(programs) => self.ask_facts(id, step, files, Vec::new(), programs),
            Unresolved::Failed(message) => {
                self.close_gate(id, step, "run");
                self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, message));
            }
        }
    }

    pub(super) fn ask_facts(
        &mut self,
        id: RunId,
        step: StepIx,
        files: Vec<String>,
        mut patterns: Vec<Vec<String>>,
        mut programs: Vec<Program>,
    ) {
        // A step that runs in a captured workspace sees the files that are there.
        let is_gate = matches!(self.run(id).plan_step(step).work, Work::Gate(_));
        if let Some((_, from)) = self.run(id).trees_above(step).last().filter(|_| !is_gate) {
            programs.push(Program::of_tree(Tree { patterns: Vec::new(), from: Some(*from) }));
        }
        // An answer takes the place of the one before, so what is known is asked again with what is new: all hashes
        // are then of one look, and no file changes unseen between two of them.
        if let Some(known) = &self.run(id).step(step).facts {
            patterns.extend(known.hashes.iter().map(|hash| hash.0.clone()));
            let is_new =
                |program: &&Program| program.tree.is_none() || programs.iter().all(|new| new.tree.is_none());
            let known: Vec<Program> =
                known.programs.iter().map(|program| &program.0).filter(is_new).cloned().collect();
            programs.extend(known);
        }
        patterns.sort();
        patterns.dedup();
        programs.sort();
        programs.dedup();
        self.emit_step(id, step, StepEvent::FactsAsked { files, patterns, programs });
    }
}

/// True if a step may start now: the run is not paused, there is room, and no waiting step is more urgent.
pub(super) fn may_start(run: &Run, step: StepIx) -> bool {
    let plan = run.plan_step(step);
    let room = Room::of(&plan.work);
    // A step that is judged late must not overtake a ready one that only waited for room.
    run.state != RunState::Paused
        && run.has_room(plan.frame, room)
        && (room == Room::Nothing || first_ready(run).is_none_or(|first| run.rank(step) < first))
}

/// The ready step that goes first, if there is room for any.
fn next_ready(run: &Run) -> Option<StepIx> {
    first_ready(run).filter(|_| run.state != RunState::Paused).map(|pair| pair.1)
}

fn first_ready(run: &Run) -> Option<Rank> {
    let roomy = run.queue.ready.iter().filter(|((frame, room), _)| run.has_room(*frame, *room));
    roomy.filter_map(|(_, ready)| ready.first()).min().copied()
}

/// Never refused: what a rest can say about itself.
impl From<Unresolved> for Refusal {
    fn from(why: Unresolved) -> Self {
        match why {
            Unresolved::Needs(_) | Unresolved::Programs(_) => {
                Self::Other("could not go on: files have to be read first; try again".to_owned())
            }
            Unresolved::Failed(message) => Self::Other(message),
        }
    }
}
