//! Routes a command: refuses before the first event, then emits what follows. `emit` is the one way to an event, and
//! applies it at once, so that later rules see earlier ones.

use crate::{
    base::{
        AttemptId, DELEGATION_DEFAULT, DELEGATION_MAX, EVENT_CONTENT_BYTES_MAX, Epoch, GATE_COMMENTS_MAX,
        GATE_COMMENTS_OF_PROGRAMS_MAX, GATE_REFUSALS_OF_PROGRAMS_MAX, GateId, OPEN_RUNS_MAX,
        REASON_BYTES_MAX, RunId, STEPS_MAX, Span, StepIx, Timestamp, ValueMap, json_bytes,
    },
    engine::{
        Actor, BusEvent, Command, Decision, DoubtAnswer, Event, Fact, Facts, GateEvent, GateState, Launching,
        Purpose, Refusal, Registration, RunEvent, RunState, StepEvent, StepState, UndoEvent, Verdict, Why,
        ask::{self, Asking},
        by_hand::is_or_makes_gate,
        call::{self, Unresolved},
        form, frame,
        gate::{BREAK_GLASS, Gate, GateAct, OVERRIDE, kept_approval_forbids},
        outcome,
        run::Run,
        world::World,
    },
    plan::{Plan, Work},
};
use std::{collections::BTreeMap, sync::Arc};

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
    /// Judges a command and, when it may be, emits and applies what follows from it. A refusal leaves no trace.
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
        self.find(run).and_then(|it| if it.has(step) { Ok(it) } else { Err(Refusal::NoStep(run)) })
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
                Command::Decide(it) => Refusal::NotAllowed { gate: it.gate, why },
                _ => Refusal::Other(why),
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

    /// Records a refused answer; of programs only the first ones.
    fn note_refusal(&mut self, gate: GateId, by: Actor, why: String) -> Result<(), Refusal> {
        let recorded = self.find_gate(gate)?.of_programs.1 + 1;
        let is_program = by.decides_nothing().is_some();
        if is_program && recorded > GATE_REFUSALS_OF_PROGRAMS_MAX {
            return Ok(());
        }
        let is_last = is_program && recorded == GATE_REFUSALS_OF_PROGRAMS_MAX;
        let more =
            if is_last { "; more refused answers of steps and agents are not recorded here" } else { "" };
        self.emit_gate(gate, GateEvent::Refused { by, why: why + more });
        Ok(())
    }

    fn launch(&mut self, launching: Launching) -> Result<(), Refusal> {
        // The same again, perhaps of an engine that has begun anew meanwhile: its run is there.
        if self.world.made_for(&launching, self.now).is_some() {
            return Ok(());
        }
        self.has_room_for(&launching.plan)?;
        self.may_be_due(&launching.plan.name, &launching.cause)?;
        let Launching { plan, by, seed, cause, trace, request } = launching;
        let plan_hash = plan.hash();
        let run = self.world.next_run_id();
        let seed = seed.to_string();
        let plan = Arc::new(plan);
        self.emit_run(
            run,
            RunEvent::Created {
                plan,
                plan_hash,
                by,
                seed,
                cause,
                trace,
                request,
                asked: BTreeMap::new(),
                escalates: BTreeMap::new(),
            },
        );
        Ok(())
    }

    /// Whether a run of this plan can be made.
    pub(super) fn has_room_for(&self, plan: &Plan) -> Result<(), Refusal> {
        if self.world.open_runs >= OPEN_RUNS_MAX {
            return Err(Refusal::TooManyRuns(self.world.open_runs));
        }
        if plan.steps.len() > STEPS_MAX {
            return Err(Refusal::TooManySteps(plan.steps.len()));
        }
        if plan.steps.is_empty() {
            return Err(Refusal::Other("the plan has no steps; write at least one".to_owned()));
        }
        let bytes = json_bytes(plan);
        if bytes > EVENT_CONTENT_BYTES_MAX {
            return Err(Refusal::Other(format!(
                "the plan and its inputs have {bytes} bytes, at most {EVENT_CONTENT_BYTES_MAX} can be kept; put scripts or values into files"
            )));
        }
        Ok(())
    }

    fn pause(&mut self, run: RunId, by: Actor) -> Result<(), Refusal> {
        let it = self.find(run)?;
        match it.state {
            RunState::Running if it.compensating => {
                Err(Refusal::Other(format!("{run} is undoing what it did; wait for that")))
            }
            RunState::Running => {
                self.emit_run(run, RunEvent::Paused { by });
                Ok(())
            }
            RunState::Paused => Ok(()),
            state => Err(wrong_state(run, state, "pause", "only a running run can be paused")),
        }
    }

    fn resume(&mut self, run: RunId, by: Actor) -> Result<(), Refusal> {
        match self.find(run)?.state {
            RunState::Paused => {
                self.emit_run(run, RunEvent::Resumed { by });
                Ok(())
            }
            RunState::Running => Ok(()),
            state => Err(wrong_state(run, state, "resume", "only a paused run can be resumed")),
        }
    }

    fn cancel(&mut self, run: RunId, by: Actor, reason: String, undo: bool) -> Result<(), Refusal> {
        let it = self.find(run)?;
        if it.state.rests() {
            return Err(wrong_state(run, it.state, "cancel", "it has come to rest"));
        }
        if it.compensating {
            return Err(Refusal::Other(format!("{run} is undoing what it did; wait for that")));
        }
        if it.cancelling {
            return Ok(());
        }
        let reason = checked_reason(reason)?;
        self.end_early(run, by, reason, undo);
        Ok(())
    }

    /// Cancels a run. In one that has not begun nothing is left to run, not even what asks for failures by name.
    pub(super) fn end_early(&mut self, run: RunId, by: Actor, reason: String, undo: bool) {
        let never_began = self.run(run).state == RunState::Created;
        self.emit_run(run, RunEvent::Cancelling { by, reason, undo });
        self.close_open(run, None, &Why::Cancelled, never_began);
    }

    fn decide(&mut self, decision: Decision) -> Result<(), Refusal> {
        let id = decision.gate;
        let principal = decision.by.principal();
        if let Some((gate, verdict, by)) = self.world.decisions.get(&decision.id) {
            let same = *gate == id && *verdict == decision.verdict && *by == principal;
            let gate = self.find_gate(*gate)?;
            // What was taken back, or given to an ask that is no more, is not given by saying it again.
            let stands = gate.votes.iter().any(|it| it.decision == decision.id);
            return match () {
                () if !same => Err(Refusal::DecisionUsed(decision.id.0)),
                () if stands || !gate.is_open() || decision.verdict == Verdict::SendBack => Ok(()),
                () if gate.epoch != decision.epoch || gate.hash != decision.ask => {
                    Err(Refusal::AskChanged { gate: id, now: gate.hash, epoch: gate.epoch })
                }
                () => Err(Refusal::TakenBack(id)),
            };
        }
        let gate = self.find_gate(id)?;
        if let Some(vote) = gate.votes.iter().find(|it| it.by.principal() == principal)
            && !gate.is_open()
            && vote.verdict == decision.verdict
            && (!decision.break_glass || gate.resolved_by == BREAK_GLASS)
            && (!decision.overrides || gate.resolved_by == OVERRIDE)
        {
            return Ok(());
        }
        let mut decision = decision;
        decision.reason = checked_reason(decision.reason)?;
        let Some((vote, form)) = gate.answer(&decision, self.now)? else { return Ok(()) };
        if decision.verdict == Verdict::SendBack {
            let anew = self.anew_from(id).map_err(|why| Refusal::SendBack { gate: id, why })?;
            self.emit_gate(id, GateEvent::Voted(Box::new(vote)));
            self.send_back(id, anew);
            return Ok(());
        }
        self.fill_in(id, form, &decision.by)?;
        if decision.break_glass {
            self.emit_gate(id, GateEvent::GlassBroken(Box::new(vote)));
            self.resolve(id, GateState::Approved, BREAK_GLASS);
            return Ok(());
        }
        if decision.overrides {
            self.emit_gate(id, GateEvent::Overridden(Box::new(vote)));
            self.resolve(id, GateState::Approved, OVERRIDE);
            return Ok(());
        }
        self.emit_gate(id, GateEvent::Voted(Box::new(vote)));
        match decision.verdict {
            Verdict::SendBack => {}
            Verdict::Reject => self.resolve(id, GateState::Rejected, "people"),
            Verdict::Approve if self.world.gates[&id].state == GateState::Armed => {}
            Verdict::Approve => {
                self.count(id);
            }
        }
        Ok(())
    }

    /// The values of an approval stand in the ask that it approves, so that what they release is bound, and others see it.
    fn fill_in(&mut self, id: GateId, form: ValueMap, by: &Actor) -> Result<(), Refusal> {
        let before = self.world.gates[&id].form();
        if form == before {
            return Ok(());
        }
        let why = format!("{} filled in {}", by.name, form::changes(&before, &form));
        let (ask, hash) =
            self.ask_again(id, Some(form)).map_err(|problem| Refusal::Form { gate: id, problem })?;
        self.emit_gate(id, GateEvent::Asked { ask: Arc::new(ask), hash, why: Some(why) });
        Ok(())
    }

    /// Arms a gate at which enough people have agreed; where nothing can be taken back it is approved.
    pub(super) fn count(&mut self, id: GateId) {
        let gate = &self.world.gates[&id];
        if gate.state != GateState::Open || gate.agreed.is_some() || !gate.is_satisfied() {
            return;
        }
        let window = gate.window();
        if window.0 == 0 {
            self.resolve(id, GateState::Approved, gate.closer());
        } else {
            self.emit_gate(id, GateEvent::Armed { until: self.now + window });
        }
    }

    fn withdraw(&mut self, gate: GateId, by: Actor) -> Result<(), Refusal> {
        self.find_gate(gate)?.may(&by, GateAct::Withdraw, self.now)?;
        self.emit_gate(gate, GateEvent::Withdrawn { by });
        // Others may have agreed as well, while it was armed.
        self.count(gate);
        Ok(())
    }

    fn edit_form(
        &mut self,
        id: GateId,
        epoch: Epoch,
        values: ValueMap,
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        let gate = self.find_gate(id)?;
        gate.is_asking(self.now)?;
        if gate.epoch != epoch {
            return Err(Refusal::AskChanged { gate: id, now: gate.hash, epoch: gate.epoch });
        }
        gate.may(&by, GateAct::Edit, self.now)?;
        let reason = checked_reason(reason)?;
        let before = gate.form();
        let values = form::check_form(&gate.ask.form, &values)
            .map_err(|problem| Refusal::Form { gate: id, problem })?;
        if values == before {
            return Err(Refusal::Form { gate: id, problem: "nothing was changed".to_owned() });
        }
        let why = format!("{} changed {}", by.name, form::changes(&before, &values));
        let (ask, hash) = self
            .ask_again(id, Some(values.clone()))
            .map_err(|problem| Refusal::Form { gate: id, problem })?;
        self.emit_gate(id, GateEvent::Edited { by, values, reason });
        self.emit_gate(id, GateEvent::Asked { ask: Arc::new(ask), hash, why: Some(why) });
        Ok(())
    }

    /// The ask as it would be now, in the next epoch.
    pub(super) fn ask_again(
        &self,
        id: GateId,
        values: Option<ValueMap>,
    ) -> Result<(crate::engine::Ask, crate::base::Digest), String> {
        let gate = &self.world.gates[&id];
        let asking = Asking {
            gate: id,
            epoch: Epoch(gate.epoch.0 + 1),
            opened_at: gate.ask.opened_at,
            expires_at: gate.ask.expires_at,
            form: Some(values.unwrap_or_else(|| gate.form())),
            touch: gate.people.wants_touch(),
        };
        let ask = self.make_ask(gate, &asking)?;
        let hash = ask::hash(&ask);
        Ok((ask, hash))
    }

    /// The ask of a gate, whatever it is for.
    pub(super) fn try_ask(&self, gate: &Gate, asking: &Asking) -> Result<crate::engine::Ask, Unresolved> {
        let run = self.run(gate.run);
        if gate.for_budget {
            return Ok(self.by_the_way(run, gate.step, asking));
        }
        ask::make(self.world, run, gate.step, &gate.rule, asking, self.now)
    }

    fn make_ask(&self, gate: &Gate, asking: &Asking) -> Result<crate::engine::Ask, String> {
        self.try_ask(gate, asking).map_err(|it| match it {
            Unresolved::Needs(_) | Unresolved::Programs(_) => "files have to be looked at again".to_owned(),
            Unresolved::Failed(message) => message,
        })
    }

    fn delegate(
        &mut self,
        gate: GateId,
        to: &str,
        lasts: Option<Span>,
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        let it = self.find_gate(gate)?;
        it.may(&by, GateAct::Delegate, self.now)?;
        let lasts = lasts.unwrap_or(DELEGATION_DEFAULT);
        let to = to.trim();
        let why = if lasts.0 == 0 || lasts > DELEGATION_MAX {
            Some(format!("it can be with somebody for at most {DELEGATION_MAX}"))
        } else {
            it.keeps(&by, to)
        };
        if let Some(why) = why {
            return Err(Refusal::Delegation { gate, why });
        }
        let reason = checked_reason(reason)?;
        let until = self.now + lasts;
        self.emit_gate(gate, GateEvent::Delegated { by, to: to.to_owned(), until, reason });
        Ok(())
    }

    fn comment(&mut self, gate: GateId, text: String, by: Actor) -> Result<(), Refusal> {
        let it = self.find_gate(gate)?;
        if !it.is_open() {
            return Err(Refusal::GateClosed { gate, state: it.state, by: it.resolved_by.clone() });
        }
        let text = checked_reason(text)?;
        if text.is_empty() {
            return Err(Refusal::Other("a comment needs a text".to_owned()));
        }
        let (many, most, whose) = match by.decides_nothing() {
            Some(_) => (it.of_programs.0, GATE_COMMENTS_OF_PROGRAMS_MAX, "of steps and agents"),
            None => (it.comments, GATE_COMMENTS_MAX, "of people"),
        };
        if many >= most {
            return Err(Refusal::Other(format!(
                "could not comment on {gate}: it has {many} comments {whose}, and takes no more of them"
            )));
        }
        self.emit_gate(gate, GateEvent::Commented { by, text });
        Ok(())
    }

    fn review_glass(
        &mut self,
        run: RunId,
        (gate, epoch): (GateId, Epoch),
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        self.find(run)?;
        let it = self.find_gate(gate)?;
        if it.run != run {
            return Err(Refusal::NoGate(gate));
        }
        let is_news = it.review(epoch, &by).map_err(|why| Refusal::Review { gate, why })?;
        let reason = required_reason(reason, &format!("review {gate}"))?;
        if is_news {
            self.emit_gate(gate, GateEvent::GlassReviewed { by, reason, epoch: Some(epoch) });
        }
        Ok(())
    }

    fn answer_doubt(
        &mut self,
        run: RunId,
        step: StepIx,
        answer: DoubtAnswer,
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        let it = self.find_step(run, step)?;
        let state = it.step(step).state();
        let id = it.plan_step(step).id.clone();
        if state != StepState::InDoubt {
            return Err(Refusal::StepState { run, step: id, state, verb: "answer for".to_owned() });
        }
        self.may_vouch(run, step, &by)?;
        let reason = required_reason(reason, &format!("answer for {id} of {run}"))?;
        let plan = it.plan_step(step).clone();
        let outputs = match &answer {
            DoubtAnswer::Happened(outputs) => {
                let judged = outcome::judge(&plan, call::tool_at(it, step, 0), outputs);
                judged.map_err(|it| Refusal::Other(format!("{id} {}", it.message)))?.outputs
            }
            DoubtAnswer::NotHappened | DoubtAnswer::Abort => ValueMap::new(),
        };
        self.emit_step(run, step, StepEvent::DoubtAnswered { by, answer: answer.clone(), reason });
        match answer {
            DoubtAnswer::Happened(_) => self.complete(run, step, outputs, None),
            DoubtAnswer::NotHappened => match self.run(run).why_over(step) {
                Some(why) => self.emit_step(run, step, StepEvent::Cancelled { why }),
                None => self.call_when_free(run, step),
            },
            DoubtAnswer::Abort => {
                let failure = outcome::failure(
                    crate::base::FailureMode::SystemCrash,
                    "a crash interrupted it, and its outcome stayed unknown",
                );
                self.fail_step(run, step, &failure);
            }
        }
        Ok(())
    }

    fn skip(&mut self, run: RunId, step: StepIx, reason: String, by: Actor) -> Result<(), Refusal> {
        let it = self.find_step(run, step)?;
        let (state, id) = (it.step(step).state(), it.plan_step(step).id.clone());
        if state.rests() || state == StepState::Undoing || it.state.rests() {
            return Err(Refusal::StepState { run, step: id, state, verb: "skip".to_owned() });
        }
        if matches!(it.plan_step(step).work, Work::Frame(_)) && state == StepState::Running {
            return Err(Refusal::Other(format!("{id} is open; skip the steps in it")));
        }
        self.has_asked(run, step, "skip")?;
        self.may_close_by_hand(run, step, "skip", &by)?;
        if state == StepState::InDoubt {
            self.may_vouch(run, step, &by)?;
        }
        let (is_called, is_ending) = (it.step(step).in_flight.is_some(), it.step(step).ending.is_some());
        let reason = required_reason(reason, &format!("skip {id} of {run}"))?;
        if is_called {
            // What needs it begins when its call has ended, not beside it.
            if !is_ending {
                self.emit_step(run, step, StepEvent::Ending { why: Why::Person { by, reason } });
            }
            return Ok(());
        }
        self.close_gate(run, step, "by-hand");
        self.skip_tree(run, step, Why::Person { by, reason });
        Ok(())
    }

    fn done(
        &mut self,
        run: RunId,
        step: StepIx,
        outputs: ValueMap,
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        let it = self.find_step(run, step)?;
        let (state, plan) = (it.step(step).state(), it.plan_step(step).clone());
        let open = matches!(state, StepState::Ready | StepState::Waiting | StepState::InDoubt);
        // A gate is completed by an answer; one that failed never had one.
        let failed = state == StepState::Failed && !matches!(plan.work, Work::Gate(_));
        let may = failed || open && !it.state.rests();
        if !may || matches!(plan.work, Work::Frame(_)) {
            let verb = "complete by hand".to_owned();
            return Err(Refusal::StepState { run, step: plan.id, state, verb });
        }
        if open {
            self.has_asked(run, step, "complete by hand")?;
        }
        if it.unwinding.is_some() {
            return Err(Refusal::Other(format!("{run} is undoing what it did; wait for that")));
        }
        self.may_close_by_hand(run, step, "complete by hand", &by)?;
        self.may_vouch(run, step, &by)?;
        let reason = required_reason(reason, &format!("complete {} of {run} by hand", plan.id))?;
        let judged = outcome::judge(&plan, call::tool_at(it, step, 0), &outputs);
        let outputs = judged.map_err(|it| Refusal::Other(format!("{} {}", plan.id, it.message)))?.outputs;
        self.close_gate(run, step, "by-hand");
        self.emit_step(run, step, StepEvent::DoneByHand { by, outputs, reason });
        Ok(())
    }

    /// Nobody gets around a gate before it has asked: who may answer is known only then, and what is answered, too.
    fn has_asked(&self, run: RunId, step: StepIx, verb: &str) -> Result<(), Refusal> {
        let it = self.run(run);
        let within = std::iter::once(step).chain(frame::descendants(it, step));
        let asks = |gate: GateId| self.world.gates.get(&gate).is_some_and(Gate::is_open);
        let silent = |step: &StepIx| !it.step(*step).rests() && !it.step(*step).gate.is_some_and(asks);
        let holds_gate = |step: &StepIx| is_or_makes_gate(it.plan_step(*step));
        let Some(gate) = within.filter(silent).find(holds_gate) else { return Ok(()) };
        let name = |step: StepIx| it.plan_step(step).id.clone();
        Err(Refusal::NotAsked { run, step: name(step), gate: name(gate), verb: verb.to_owned() })
    }

    /// Whether this person may give up or complete by hand what a gate asks about. A gate itself is closed by its answer
    /// alone, of which an override is one.
    fn may_close_by_hand(&self, run: RunId, step: StepIx, verb: &str, by: &Actor) -> Result<(), Refusal> {
        let it = self.run(run);
        let gate = it.step(step).gate;
        let Some(id) = gate.filter(|it| self.world.gates[it].is_open()) else { return Ok(()) };
        let gate = &self.world.gates[&id];
        if !gate.for_budget {
            let (step, verb) = (it.plan_step(step).id.clone(), verb.to_owned());
            return Err(Refusal::IsGate { run, step, gate: id, verb });
        }
        match gate.needs_more_than(by, self.now) {
            Some(why) => Err(Refusal::NotAllowed { gate: id, why }),
            None => Ok(()),
        }
    }

    /// Whether this person may say what became of a step. Where a gate before it asks for somebody else than who asked for
    /// the run or edited it, so does this: it would be a way around.
    fn may_vouch(&self, run: RunId, step: StepIx, by: &Actor) -> Result<(), Refusal> {
        let it = self.run(run);
        for gate in it.gates_above(step, |_| true) {
            let why = match it.step(gate).gate.and_then(|gate| self.world.gates.get(&gate)) {
                Some(gate) => gate.forbids(by),
                // Its approval is kept from another run; who asks for what has changed hands since.
                None if it.step(gate).succeeded() => {
                    let rule = it.plan_step(gate).work.gate();
                    rule.and_then(|rule| kept_approval_forbids(rule, &it.by, by))
                }
                None => None,
            };
            if let Some(why) = why {
                let name = |it: StepIx| self.run(run).plan_step(it).id.clone();
                return Err(Refusal::Vouch { run, step: name(step), gate: name(gate), why });
            }
        }
        Ok(())
    }

    fn undo(&mut self, run: RunId, reason: String, by: Actor) -> Result<(), Refusal> {
        let it = self.find(run)?;
        if !it.state.rests() {
            return Err(wrong_state(
                run,
                it.state,
                "undo",
                &format!(
                    "it has not ended; end it with `cuelight cancel {run} --undo`, or answer what waits (`cuelight gates`)"
                ),
            ));
        }
        if !it.completed.iter().any(|step| it.is_to_undo(*step)) {
            return Err(Refusal::Other(format!("{run} has done nothing that can be undone")));
        }
        let reason = required_reason(reason, &format!("undo {run}"))?;
        self.emit_run(run, RunEvent::Cancelling { by, reason, undo: true });
        self.emit_run(run, RunEvent::Compensating);
        Ok(())
    }

    fn settle_undo(
        &mut self,
        run: RunId,
        step: StepIx,
        again: bool,
        reason: &str,
        by: Actor,
    ) -> Result<(), Refusal> {
        let it = self.find_step(run, step)?;
        let (stuck, state) = (it.step(step).undo_stuck, it.step(step).state());
        let id = it.plan_step(step).id.clone();
        if !stuck {
            return Err(Refusal::StepState { run, step: id, state, verb: "settle the undo of".to_owned() });
        }
        required_reason(reason.to_owned(), &format!("settle the undo of {id} of {run}"))?;
        if again {
            self.emit(Fact::Undo(run, step, UndoEvent::Again { by }));
            self.undo_call(run, step);
        } else {
            self.emit(Fact::Undo(run, step, UndoEvent::Done { by: Some(by) }));
        }
        Ok(())
    }

    fn is_in_flight(&self, attempt: AttemptId) -> bool {
        self.world.runs.get(&attempt.run).is_some_and(|run| {
            run.has(attempt.step)
                && run.step(attempt.step).attempts == attempt.number
                && run.step(attempt.step).in_flight.is_some()
        })
    }

    fn facts_fetched(&mut self, run: RunId, step: StepIx, facts: Facts) {
        let Some(it) = self.world.runs.get(&run).filter(|it| it.has(step)).map(|it| it.step(step)) else {
            return;
        };
        if it.state() != StepState::Waiting {
            return;
        }
        match &it.asked {
            Some(asked) if facts.answers(asked) => self.emit_step(run, step, StepEvent::FactsKnown { facts }),
            // An answer to a question that was asked before.
            Some(_) => {}
            None => self.looked_again(run, step, &facts),
        }
    }

    /// The purpose of the call that is being made.
    pub(super) fn purpose(&self, run: RunId, step: StepIx) -> Option<Purpose> {
        self.run(run).step(step).in_flight
    }
}

fn wrong_state(run: RunId, state: RunState, verb: &str, valid: &str) -> Refusal {
    Refusal::RunState { run, state, verb: verb.to_owned(), valid: Some(valid.to_owned()) }
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
