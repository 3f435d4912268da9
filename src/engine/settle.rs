//! What follows of itself: works off the list of what was touched until it is empty.
//!
//! Order: touched steps are judged, free slots are filled (priority, then file order), and a run in which nothing is
//! open any more is undone or ended.

use crate::{
    base::{
        EVENT_CONTENT_BYTES_MAX, ErrorKind, ErrorRecord, FailureMode, OPEN_GATES_MAX, Program, RunId,
        STEPS_MAX, Severity, Span, StepIx, Timestamp, Value, ValueMap, counted, json_bytes,
    },
    engine::{
        Changed, Expected, Fact, Facts, Failure, GateEvent, GateState, Refusal, RunEvent, RunState,
        ScopeEvent, StepEvent, StepState, WaitReason, Why,
        another_try::{is_made_good, is_replaced},
        ask::{self, Asking},
        attempt,
        call::{self, Unresolved},
        condition::View,
        facts,
        gate::{Gate, GateDue},
        handle::Turn,
        outcome,
        run::{Rank, Room, Run},
        talk,
    },
    expression::EvalError,
    plan::{
        ConfidenceBelow, Frame, FrameKind, GateRule, OnConflict, OnError, OnFailure, OnTimeout, PlanStep,
        Scope, WaitFor, Work, expand,
    },
};
use std::collections::BTreeSet;

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
            if run.state == RunState::Created && !run.cancelling {
                if !self.take_place(id) {
                    return;
                }
            } else if let Some(step) = run.touched.first().map(|it| it.1) {
                self.judge(id, step);
            } else if let Some(step) = next_ready(run) {
                self.begin(id, step);
            } else {
                if run.open_steps == 0 {
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
            .filter_map(|it| self.world.groups.get(&it.group))
            .flatten()
            .copied()
            .filter(|it| *it < id)
            .collect();
        if others.is_empty() {
            self.emit_run(id, RunEvent::Started);
            return true;
        }
        match concurrency.map(|it| it.on_conflict).unwrap_or_default() {
            OnConflict::Queue => {}
            OnConflict::Skip => {
                let by = crate::engine::Actor::engine();
                let reason = format!("{} of the same concurrency group is open", others[0]);
                self.end_early(id, by, reason, false);
                return true;
            }
            OnConflict::CancelRunning => {
                for other in others {
                    let run = self.run(other);
                    let spared = !self.run(id).plan.concurrency.as_ref().is_some_and(|it| it.cancel_waiting);
                    let waits = run.state == RunState::Created || self.world.asks(other);
                    let goes_on = !run.state.rests() && !run.cancelling && !run.compensating;
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

    /// A step whose needs have come to rest, or a frame whose children have.
    fn judge(&mut self, id: RunId, step: StepIx) {
        let run = self.run(id);
        if run.step(step).state() == StepState::Running {
            // While something else is done in its place, nothing is left in it that could end it.
            if run.step(step).in_flight.is_none() {
                self.close_frame(id, step);
            }
            return;
        }
        let plan = run.plan_step(step);
        if run.timed_out {
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
            None => Ok(run.step(step).blocked.is_none()),
            Some(condition) => view.holds(condition),
        };
        match holds {
            Ok(true) => self.admit(id, step),
            Ok(false) => {
                let blocked = run.step(step).blocked.filter(|_| !run.step(step).explicit);
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

    /// Starts what a step does.
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
            Work::Emit(it) => self.emit_message(id, step, it),
            Work::Set { scope, values, ttl, expect } => self.set(id, step, *scope, values, *ttl, expect),
            Work::Frame(frame) => self.open_frame(id, step, frame),
            Work::Later(later) => {
                let message = format!("`{}` comes with a later release of cuelight", later.kind);
                self.fail_step(id, step, &outcome::failure(FailureMode::ResourceTool, message));
            }
        }
    }

    /// What could not be resolved: files are asked for, or the step fails.
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

    fn ask_facts(
        &mut self,
        id: RunId,
        step: StepIx,
        files: Vec<String>,
        mut patterns: Vec<Vec<String>>,
        mut programs: Vec<Program>,
    ) {
        if let Some(known) = &self.run(id).step(step).facts {
            patterns.extend(known.hashes.iter().map(|it| it.0.clone()));
            programs.extend(known.programs.iter().map(|it| it.0.clone()));
        }
        patterns.sort();
        patterns.dedup();
        programs.sort();
        programs.dedup();
        self.emit_step(id, step, StepEvent::FactsAsked { files, patterns, programs });
    }

    fn start_wait(&mut self, id: RunId, step: StepIx, wait: &WaitFor) {
        let view = View::of(self.world, self.run(id), step, self.now);
        let until = match wait {
            WaitFor::Duration(template) => view
                .text(template)
                .map(|text| text.parse::<Span>().map(|it| self.now + it).map_err(|it| it.to_string())),
            WaitFor::Until(template) => view.text(template).map(|text| text.parse::<Timestamp>()),
            WaitFor::Message { topic, filter, count } => return self.listen(id, step, topic, filter, *count),
        };
        match until {
            Ok(Ok(until)) if until <= self.now => self.complete(id, step, ValueMap::new(), None),
            Ok(Ok(until)) => self.emit_step(id, step, StepEvent::Waiting { reason: WaitReason::Time(until) }),
            Ok(Err(message)) => {
                self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, message));
            }
            Err(error) => self.unresolved(id, step, Vec::new(), error.into()),
        }
    }

    fn set(
        &mut self,
        id: RunId,
        step: StepIx,
        scope: Scope,
        values: &[(String, Value)],
        ttl: Option<Span>,
        expect: &[(String, Value)],
    ) {
        let run = self.run(id);
        let view = View::of(self.world, run, step, self.now);
        let resolved: Result<Vec<(String, Value)>, EvalError> =
            values.iter().map(|(key, value)| Ok((key.clone(), view.deep(value)?))).collect();
        let values = match resolved {
            Ok(values) => values,
            Err(error) => return self.unresolved(id, step, Vec::new(), error.into()),
        };
        if let Some((key, _)) =
            values.iter().find(|it| it.1.to_string().len() > crate::base::SCOPE_VALUE_BYTES_MAX)
        {
            let message = format!("the value of `{key}` is larger than 1 MiB");
            return self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, message));
        }
        if values.iter().map(|it| json_bytes(&it.1)).sum::<usize>() > EVENT_CONTENT_BYTES_MAX {
            let message = format!(
                "its values are larger than {EVENT_CONTENT_BYTES_MAX} bytes together; set fewer in one step"
            );
            return self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, message));
        }
        let full = values.iter().filter(|_| scope != Scope::Run).find_map(|it| {
            let why = self.world.lacks_room_for(scope, &run.by, &it.0)?;
            Some(format!("could not set `{}`: {why}", crate::base::shorten(&it.0, 60)))
        });
        if let Some(message) = full {
            return self.fail_step(id, step, &outcome::failure(FailureMode::ResourceQuota, message));
        }
        let view = View::of(self.world, run, step, self.now);
        let seen = expect.iter().map(|(key, etag)| Ok((key, expected(&view.deep(etag)?))));
        let differs = match seen.collect::<Result<Vec<_>, EvalError>>() {
            Ok(seen) => seen.into_iter().find_map(|(key, seen)| {
                let why = self.world.differs(scope, &run.by, key, &seen, self.now)?;
                Some(format!("could not set `{}`: {why}", crate::base::shorten(key, 60)))
            }),
            Err(error) => return self.unresolved(id, step, Vec::new(), error.into()),
        };
        if let Some(message) = differs {
            return self.fail_step(id, step, &outcome::failure(FailureMode::AgentState, message));
        }
        let owner = match scope {
            Scope::Run => id.to_string(),
            Scope::Session => run.by.principal(),
            Scope::Global => String::new(),
        };
        let expires_at = ttl.map(|it| self.now + it);
        for (key, value) in &values {
            let (owner, key, value) = (owner.clone(), key.clone(), value.clone());
            self.emit(Fact::Scope(
                Some(id),
                ScopeEvent::Set { scope, owner, key, value, expires_at, by: None },
            ));
        }
        self.complete(id, step, values.into_iter().collect(), None);
    }

    fn open_frame(&mut self, id: RunId, step: StepIx, frame: &Frame) {
        let run = self.run(id);
        let view = View::of(self.world, run, step, self.now);
        let opened = match &frame.kind {
            FrameKind::Matrix => Ok((ValueMap::new(), Vec::new())),
            FrameKind::Workflow { inputs, defaults, .. } => {
                let mut all = defaults.clone();
                let given: Result<(), EvalError> = inputs.iter().try_for_each(|(name, value)| {
                    all.insert(name.clone(), view.deep(value)?);
                    Ok(())
                });
                given.and_then(|()| bounded(all)).map(|it| (it, Vec::new())).map_err(Unresolved::from)
            }
            // At another try of the workflow around it the copies that it made are done.
            FrameKind::Computed { .. } if !run.children(step).is_empty() => Ok((ValueMap::new(), Vec::new())),
            FrameKind::Computed { matrix, body } => {
                self.copies(id, step, matrix, body).map(|it| (ValueMap::new(), it))
            }
            FrameKind::Talk(talk) => talk::opening(view, talk)
                .and_then(|(said, first)| Ok((bounded(said)?, vec![first])))
                .map_err(Unresolved::from),
        };
        match opened {
            Ok((inputs, copies)) => self.emit_step(id, step, StepEvent::Opened { inputs, copies }),
            Err(why) => self.unresolved(id, step, Vec::new(), why),
        }
    }

    fn copies(
        &self,
        id: RunId,
        step: StepIx,
        matrix: &Value,
        body: &[PlanStep],
    ) -> Result<Vec<PlanStep>, Unresolved> {
        let run = self.run(id);
        let value = View::of(self.world, run, step, self.now).deep(matrix)?;
        let first = StepIx::from_index(run.steps.len());
        let copies =
            expand(&run.plan_step(step).id, body, first, step, &value).map_err(Unresolved::Failed)?;
        if run.steps.len() + copies.len() > STEPS_MAX {
            return Err(Unresolved::Failed(format!("its matrix makes more than {STEPS_MAX} steps")));
        }
        Ok(copies)
    }

    fn close_frame(&mut self, id: RunId, step: StepIx) {
        let run = self.run(id);
        let it = run.step(step);
        if it.ending.is_some() {
            let after = run.plan_step(step).timeout.unwrap_or_default();
            let message = format!("took longer than its timeout of {after}");
            let failure = outcome::failure(FailureMode::SystemTimeout, message);
            if self.is_done_otherwise(id, step, &failure) {
                return;
            }
            return self.fail_step(id, step, &failure);
        }
        if let Some(child) = it.failed_child {
            let (child_state, expired) = (run.step(child).state(), run.step(child).expired);
            if child_state == StepState::Rejected {
                let on = reject_policy(run, child);
                self.emit_step(id, step, StepEvent::Rejected { expired });
                return self.consequences(id, step, true, on);
            }
            let asked = run.step(child).error.as_ref().filter(|_| talk::of(run.plan_step(step)).is_some());
            if let Some(record) = asked {
                let failure = outcome::failure(record.mode, record.message.clone());
                return self.fail_step(id, step, &failure);
            }
            if self.is_tried_again(id, step) {
                return;
            }
            let message = frame_message(self.run(id), step, child);
            let failure = outcome::failure(FailureMode::PartialStepFailures, message);
            if self.is_done_otherwise(id, step, &failure) {
                return;
            }
            return self.fail_step(id, step, &failure);
        }
        if let Some(why) = it.cut.clone() {
            return self.emit_step(id, step, StepEvent::Cancelled { why });
        }
        if let Some(talk) = talk::of(run.plan_step(step)).cloned() {
            return self.talk_on(id, step, &talk);
        }
        match self.frame_outputs(id, step) {
            Ok(outputs) => self.complete(id, step, outputs, None),
            Err(error) => {
                let message = format!("its outputs could not be gathered: {error}");
                self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, message));
            }
        }
    }

    fn frame_outputs(&self, id: RunId, step: StepIx) -> Result<ValueMap, EvalError> {
        let run = self.run(id);
        let Work::Frame(frame) = &run.plan_step(step).work else { return Ok(ValueMap::new()) };
        match &frame.kind {
            FrameKind::Workflow { outputs, .. } => {
                let view = View { scope: Some(step), ..View::of(self.world, run, step, self.now) };
                let all = outputs.iter().map(|(name, it)| Ok((name.clone(), view.value(it)?)));
                bounded(all.collect::<Result<_, EvalError>>()?)
            }
            FrameKind::Talk(_) => Ok(ValueMap::new()),
            FrameKind::Matrix | FrameKind::Computed { .. } => {
                let mut left = EVENT_CONTENT_BYTES_MAX;
                for child in run.children(step) {
                    let bytes = json_bytes(&run.step(*child).outputs);
                    left = left.checked_sub(bytes).ok_or(EvalError::TooLarge(EVENT_CONTENT_BYTES_MAX))?;
                }
                let mut lists: Vec<(String, Vec<Value>)> = Vec::new();
                for (at, child) in run.children(step).iter().enumerate() {
                    for (key, value) in &run.step(*child).outputs {
                        let index = lists.iter().position(|it| it.0 == *key).unwrap_or_else(|| {
                            lists.push((key.clone(), Vec::new()));
                            lists.len() - 1
                        });
                        lists[index].1.resize(at, Value::Null);
                        lists[index].1.push(value.clone());
                    }
                }
                let copies = run.children(step).len();
                let whole = |mut list: Vec<Value>| {
                    list.resize(copies, Value::Null);
                    Value::Array(list)
                };
                Ok(lists.into_iter().map(|(key, list)| (key, whole(list))).collect())
            }
        }
    }

    /// A step is done.
    pub(super) fn complete(
        &mut self,
        id: RunId,
        step: StepIx,
        outputs: ValueMap,
        result: Option<outcome::Result>,
    ) {
        let fallback = self.run(id).step(step).work;
        let (confidence, partial) = result.map_or((None, false), |it| (Some(it.confidence), it.partial));
        let done = StepEvent::Completed {
            outputs,
            confidence,
            partial,
            fallback,
            kept: false,
            released: Vec::new(),
            released_fallbacks: Vec::new(),
            origin: None,
            bound: None,
            cached: None,
            given: None,
        };
        self.emit_step(id, step, done);
    }

    /// A step has failed for good; what that does stands in its `on-error`.
    pub(super) fn fail_step(&mut self, id: RunId, step: StepIx, failure: &Failure) {
        let plan = self.run(id).plan_step(step);
        let on_error = plan.on_error;
        let severity = if on_error == OnError::Abort { Severity::High } else { Severity::Medium };
        let mut record = outcome::record(plan, failure, severity);
        if self.run(id).step(step).state() == StepState::InDoubt {
            // Given up by a person who could not say what became of it either.
            record.error_type = ErrorKind::Unknown;
        }
        record.message.push_str(&talk::leaves(self.run(id), step));
        self.skip_children(id, step);
        match on_error {
            OnError::Skip => self.emit_step(id, step, StepEvent::Skipped { why: Why::Failed(record) }),
            OnError::Continue => self.emit_step(id, step, StepEvent::Failed { record }),
            OnError::Abort => {
                self.emit_step(id, step, StepEvent::Failed { record });
                let on = run_policy(self.run(id));
                self.consequences(id, step, false, on);
            }
        }
    }

    /// What an aborting failure, or a rejection, does to everything else.
    fn consequences(&mut self, id: RunId, step: StepIx, rejected: bool, on: OnFailure) {
        let run = self.run(id);
        if rejected && on == OnFailure::Continue {
            return;
        }
        if let Some(frame) = run.plan_step(step).frame {
            let Work::Frame(around) = &run.plan_step(frame).work else { return };
            match around.kind {
                FrameKind::Workflow { .. } => self.close_open(id, Some(frame), &Why::Stopped(step), false),
                FrameKind::Matrix | FrameKind::Computed { .. } if around.fail_fast => {
                    self.close_open(id, Some(frame), &Why::FailFast(step), true);
                }
                FrameKind::Matrix | FrameKind::Computed { .. } | FrameKind::Talk(_) => {}
            }
            return;
        }
        if on == OnFailure::Continue || run.stopping.is_some() || run.cancelling {
            return;
        }
        let compensate = on == OnFailure::Compensate;
        self.emit_run(id, RunEvent::Stopping { because: step, rejected, compensate });
        self.close_open(id, None, &Why::Stopped(step), false);
    }

    /// Ends what has not begun, and what only waits: everywhere, or inside one frame. What runs goes on, unless `all`.
    pub(super) fn close_open(&mut self, id: RunId, within: Option<StepIx>, why: &Why, all: bool) {
        let run = self.run(id);
        let members: Vec<StepIx> = match within {
            None => (0..run.steps.len()).map(StepIx::from_index).collect(),
            Some(frame) => descendants(run, frame),
        };
        for step in members {
            let run = self.run(id);
            let it = run.step(step);
            let spared = (it.explicit || run.in_explicit_frame(step)) && !all && !run.timed_out;
            let asks = it.gate.is_some_and(|gate| self.world.gates.get(&gate).is_some_and(Gate::is_open));
            match it.state() {
                StepState::Pending | StepState::Ready if !spared => self.skip_tree(id, step, why.clone()),
                StepState::Waiting if !spared || asks => {
                    self.skip_children(id, step);
                    self.close_gate(id, step, "run");
                    self.emit_step(id, step, StepEvent::Cancelled { why: why.clone() });
                }
                StepState::Running if all && it.in_flight.is_some() && it.ending.is_none() => {
                    self.emit_step(id, step, StepEvent::Ending { why: why.clone() });
                }
                StepState::Pending
                | StepState::Ready
                | StepState::Waiting
                | StepState::Running
                | StepState::Completed
                | StepState::Partial
                | StepState::Failed
                | StepState::Rejected
                | StepState::Skipped
                | StepState::Cancelled
                | StepState::Undoing
                | StepState::Undone
                | StepState::InDoubt => {}
            }
        }
    }

    /// Skips a step, and what can then never run inside it.
    pub(super) fn skip_tree(&mut self, id: RunId, step: StepIx, why: Why) {
        self.skip_children(id, step);
        self.close_gate(id, step, "run");
        self.emit_step(id, step, StepEvent::Skipped { why });
    }

    /// What was being ended has ended.
    pub(super) fn ended_as(&mut self, id: RunId, step: StepIx, why: Why) {
        let by_hand = matches!(why, Why::Person { .. });
        let event = if by_hand { StepEvent::Skipped { why } } else { StepEvent::Cancelled { why } };
        self.emit_step(id, step, event);
    }

    fn skip_children(&mut self, id: RunId, frame: StepIx) {
        for step in descendants(self.run(id), frame) {
            if self.run(id).step(step).state() == StepState::Pending {
                self.emit_step(id, step, StepEvent::Skipped { why: Why::Frame(frame) });
            }
        }
    }

    /// Asks people.
    fn open_gate(&mut self, id: RunId, step: StepIx) {
        let run = self.run(id);
        let Work::Gate(rule) = run.plan_step(step).work.clone() else { return };
        let files = ask::evidence_files(&rule);
        let looked_at = |path: &String| {
            let facts = run.step(step).facts.as_deref();
            facts.is_some_and(|it| it.files.iter().any(|file| file.path == *path))
        };
        if !files.iter().all(looked_at) && !run.step(step).looked {
            return self.ask_facts(id, step, files, Vec::new(), Vec::new());
        }
        let before = run.step(step).gate.and_then(|it| Some((it, self.world.gates.get(&it)?)));
        if self.world.open_gates >= OPEN_GATES_MAX && before.is_none_or(|it| !it.1.is_open()) {
            let message = format!("{OPEN_GATES_MAX} gates are open, which is the most");
            return self.fail_step(id, step, &outcome::failure(FailureMode::ResourceQuota, message));
        }
        let view = View::of(self.world, run, step, self.now);
        let auto = ask::is_auto(view, &rule);
        let asking = match before {
            Some((gate, before)) => self.asking_again(gate, before, &rule),
            None => Asking {
                gate: self.world.next_gate_id(),
                epoch: crate::base::Epoch(1),
                opened_at: self.now,
                expires_at: rule.timeout.map(|it| self.now + it),
                form: None,
            },
        };
        let why = run.step(step).reopened.clone();
        let made =
            auto.and_then(|auto| Ok((auto, ask::make(self.world, run, step, &rule, &asking, self.now)?)));
        match made {
            Err(why) => self.unresolved(id, step, files, why),
            Ok((auto, ask)) => {
                let gate = self.ask(id, step, ask, why);
                if auto {
                    self.close(gate, GateState::Approved, "policy:auto");
                }
            }
        }
    }

    /// The next epoch of a gate that was asked before. Nobody has seen the new ask: who has time to answer has all of it.
    fn asking_again(&self, id: crate::base::GateId, gate: &Gate, rule: &GateRule) -> Asking {
        let in_time = gate.is_open() && gate.ask.expires_at.is_none_or(|it| it > self.now);
        Asking {
            gate: id,
            epoch: crate::base::Epoch(gate.epoch.0 + 1),
            opened_at: if gate.is_open() { gate.ask.opened_at } else { self.now },
            expires_at: if in_time { gate.ask.expires_at } else { rule.timeout.map(|it| self.now + it) },
            form: Some(gate.form()),
        }
    }

    /// Puts an ask before people.
    fn ask(
        &mut self,
        id: RunId,
        step: StepIx,
        ask: crate::engine::Ask,
        why: Option<String>,
    ) -> crate::base::GateId {
        let (gate, hash) = (ask.gate, ask::hash(&ask));
        self.emit(Fact::Gate(id, step, gate, GateEvent::Asked { ask: Box::new(ask), hash, why }));
        self.emit_step(id, step, StepEvent::Waiting { reason: WaitReason::Person(gate) });
        gate
    }

    /// Asks whether something out of the ordinary is all right: a higher ceiling, a result below its least confidence.
    pub(super) fn ask_by_the_way(&mut self, id: RunId, step: StepIx) {
        let asking = Asking {
            gate: self.world.next_gate_id(),
            epoch: crate::base::Epoch(1),
            opened_at: self.now,
            expires_at: None,
            form: None,
        };
        let ask = self.by_the_way(self.run(id), step, &asking);
        self.ask(id, step, ask, None);
    }

    pub(super) fn by_the_way(&self, run: &Run, step: StepIx, asking: &Asking) -> crate::engine::Ask {
        let to_choose = || self.proposed(run, step).filter(|_| run.is_to_be_chosen(step));
        if run.step(step).held.is_some() {
            ask::confidence(run, step, asking)
        } else if let Some(proposed) = to_choose() {
            ask::choice(run, step, asking, &proposed)
        } else {
            ask::budget(run, step, asking)
        }
    }

    /// Closes a gate that somebody, a policy or time has decided. A yes is for what was shown: that is made up and looked
    /// at once more before it counts.
    pub(super) fn resolve(&mut self, id: crate::base::GateId, state: GateState, by: &str) {
        if state == GateState::Approved && (self.asks_again(id) || self.looks_again(id, by)) {
            return;
        }
        self.close(id, state, by);
    }

    /// Whether there are files to look at first.
    pub(super) fn looks_again(&mut self, id: crate::base::GateId, by: &str) -> bool {
        let gate = &self.world.gates[&id];
        let facts = self.run(gate.run).step(gate.step).facts.as_ref();
        let Some(facts) = facts.filter(|it| !gate.for_budget && it.shows_files()) else { return false };
        let files = facts.files.iter().map(|it| it.path.clone()).collect();
        let patterns = facts.hashes.iter().map(|it| it.0.clone()).collect();
        self.emit_gate(id, GateEvent::Agreed { by: by.to_owned(), files, patterns });
        true
    }

    /// They have been looked at: the yes counts, or people are asked again because of what has changed.
    pub(super) fn looked_again(&mut self, run: RunId, step: StepIx, now: &Facts) {
        let it = self.run(run).step(step);
        let Some(id) = it.gate else { return };
        let (Some(by), Some(seen)) = (self.world.gates[&id].agreed.clone(), &it.facts) else { return };
        if !seen.is_of_the_same(now) {
            return;
        }
        let changed = seen.changed_in(now);
        if !changed.is_empty() {
            let why = facts::sentence(&changed);
            self.emit_step(run, step, StepEvent::Reopened { why, gates: Vec::new() });
        } else if !self.asks_again(id) {
            self.close(id, GateState::Approved, &by);
        }
    }

    /// What a step was approved with is no longer as it was: nothing runs, and the gates that showed it ask again.
    pub(super) fn reopen(&mut self, id: RunId, step: StepIx, changed: &[Changed], why: &str) {
        let run = self.run(id);
        let shows = |it: &StepIx| run.step(*it).facts.as_ref().is_some_and(|it| it.shows_any_of(changed));
        let executes =
            |it: &StepIx| run.step(*it).facts.as_ref().is_some_and(|it| it.executes_any_of(changed));
        let approved = || run.step(step).approvals.iter().map(|it| it.gate);
        let mut gates: BTreeSet<StepIx> = run.gates_before(step).into_iter().filter(shows).collect();
        gates.extend(approved().filter(executes));
        if gates.is_empty() {
            gates.extend(approved());
        }
        self.reopen_at(id, step, &gates.into_iter().collect::<Vec<_>>(), why);
    }

    /// The same where it is known which gates showed something else.
    pub(super) fn reopen_at(&mut self, id: RunId, step: StepIx, gates: &[StepIx], why: &str) {
        let run = self.run(id);
        // A matrix that has failed, or whose copies were made during the run, is not opened again for one of them.
        let is_gone = |it: &StepIx| {
            run.matrices_of(*it).into_iter().any(|it| {
                let made = matches!(&run.plan_step(it).work, Work::Frame(frame) if matches!(frame.kind, FrameKind::Computed { .. }));
                match run.step(it).state() {
                    StepState::Running => false,
                    state => made || state != StepState::Completed,
                }
            })
        };
        if gates.is_empty() || gates.iter().any(is_gone) {
            let message = format!("{why}; nothing was started");
            return self.fail_step(id, step, &outcome::failure(FailureMode::PolicySecurity, message));
        }
        for gate in gates {
            if self.run(id).step(*gate).state() != StepState::Completed {
                continue;
            }
            let event = || StepEvent::Reopened { why: why.to_owned(), gates: Vec::new() };
            self.emit_step(id, *gate, event());
            for matrix in self.run(id).matrices_of(*gate) {
                if self.run(id).step(matrix).rests() {
                    self.emit_step(id, matrix, event());
                }
            }
            // What it had let go, and what waits for a slot or for files, waits for it once more.
            for held in self.run(id).let_go_by(*gate) {
                let event = StepEvent::Reopened { why: why.to_owned(), gates: vec![*gate] };
                self.emit_step(id, held, event);
            }
        }
        self.emit_step(id, step, StepEvent::Reopened { why: why.to_owned(), gates: gates.to_vec() });
    }

    fn close(&mut self, id: crate::base::GateId, state: GateState, by: &str) {
        let gate = &self.world.gates[&id];
        let (run, step, for_budget) = (gate.run, gate.step, gate.for_budget);
        let form = gate.form();
        let approvers: Vec<crate::engine::Actor> = gate.votes.iter().map(|it| it.by.clone()).collect();
        let ask::Covered { calls, fallbacks } = ask::covered(self.world, self.run(run), step, gate, self.now);
        self.emit_gate(id, GateEvent::Resolved { state, by: by.to_owned(), form: form.clone() });
        if for_budget && self.run(run).is_to_be_chosen(step) {
            return self.choice_resolved(run, step, id, state, form, &approvers);
        }
        if for_budget {
            return self.by_the_way_resolved(run, step, state, &form, approvers);
        }
        if state == GateState::Approved {
            let names: Vec<&crate::engine::Actor> = approvers.iter().collect();
            let outputs = ask::result("approved", &form, &names);
            let done = StepEvent::Completed {
                outputs,
                confidence: None,
                partial: false,
                fallback: 0,
                kept: false,
                released: calls,
                released_fallbacks: fallbacks,
                origin: None,
                bound: None,
                cached: None,
                given: None,
            };
            self.emit_step(run, step, done);
        } else {
            let rule = self.run(run).plan_step(step).work.gate();
            let on_reject = rule.map_or(OnFailure::Stop, |it| it.on_reject);
            self.emit_step(run, step, StepEvent::Rejected { expired: state == GateState::Expired });
            self.consequences(run, step, true, on_reject);
        }
    }

    /// Whether what would run is no longer what people saw; then they are asked again, and nothing is approved.
    fn asks_again(&mut self, id: crate::base::GateId) -> bool {
        let gate = &self.world.gates[&id];
        let it = self.run(gate.run).step(gate.step);
        if it.state() != StepState::Waiting || it.asked.is_some() {
            // Another ask is being made.
            return true;
        }
        let asking = Asking {
            gate: id,
            epoch: gate.epoch,
            opened_at: gate.ask.opened_at,
            expires_at: gate.ask.expires_at,
            form: Some(gate.form()),
        };
        let same = self.make_ask(gate, &asking).is_ok_and(|ask| {
            ask.will_run == gate.ask.will_run
                && ask.all == gate.ask.all
                && ask.binds == gate.ask.binds
                && ask.evidence == gate.ask.evidence
        });
        if same {
            return false;
        }
        let (run, step, timeout) = (gate.run, gate.step, self.world.rule(gate).timeout);
        match self.ask_again(id, None) {
            Ok((mut ask, _)) => {
                // Nobody has seen the new one: who has time to answer has all of it.
                if ask.expires_at.is_some_and(|it| it <= self.now) {
                    ask.expires_at = timeout.map(|it| self.now + it);
                }
                let hash = ask::hash(&ask);
                let why = Some("what would run has changed since it was shown".to_owned());
                self.emit_gate(id, GateEvent::Asked { ask: Box::new(ask), hash, why });
            }
            Err(problem) => {
                self.close_gate(run, step, "run");
                let message = format!("what it asks can no longer be made up: {problem}");
                self.fail_step(run, step, &outcome::failure(FailureMode::UserInvalidInput, message));
            }
        }
        true
    }

    /// People have chosen which tool a step calls, or would not.
    fn choice_resolved(
        &mut self,
        run: RunId,
        step: StepIx,
        gate: crate::base::GateId,
        state: GateState,
        form: ValueMap,
        approvers: &[crate::engine::Actor],
    ) {
        if state != GateState::Approved {
            let failure = outcome::failure(FailureMode::UserCancelled, "none of its candidates was chosen");
            return self.fail_step(run, step, &failure);
        }
        let asked = Asking {
            gate,
            epoch: crate::base::Epoch(1),
            opened_at: self.now,
            expires_at: None,
            form: Some(form),
        };
        let by = approvers.last().map_or_else(|| "the engine".to_owned(), |it| it.name.clone());
        self.chosen_by_hand(run, step, &asked, &by);
    }

    fn by_the_way_resolved(
        &mut self,
        run: RunId,
        step: StepIx,
        state: GateState,
        form: &ValueMap,
        mut approvers: Vec<crate::engine::Actor>,
    ) {
        let held = self.run(run).step(step).held.clone();
        let plan = self.run(run).plan_step(step).clone();
        match (held, state == GateState::Approved) {
            (Some(outputs), true) => match outcome::judge(
                &plan,
                call::tool_at(self.run(run), step, self.run(run).step(step).work),
                &outputs,
            ) {
                Ok(result) => self.complete(run, step, result.outputs.clone(), Some(result)),
                Err(failure) => self.fail_step(run, step, &failure),
            },
            (Some(_), false) => {
                let failure =
                    outcome::failure(FailureMode::AgentValidation, "its result was not good enough");
                self.fail_step(run, step, &failure);
            }
            (None, true) => {
                let by = approvers.pop().unwrap_or_else(crate::engine::Actor::engine);
                self.raise_budget(run, step, form, &by);
                self.call_when_free(run, step);
            }
            (None, false) => {
                let failure =
                    outcome::failure(FailureMode::PolicyBudget, "the budget is used up and was not raised");
                self.fail_step(run, step, &failure);
            }
        }
    }

    /// A gate whose step ends for another reason.
    pub(super) fn close_gate(&mut self, run: RunId, step: StepIx, by: &str) {
        let gate = self.run(run).step(step).gate;
        if let Some(gate) = gate.filter(|it| self.world.gates.get(it).is_some_and(Gate::is_open)) {
            let form = ValueMap::new();
            self.emit_gate(
                gate,
                GateEvent::Resolved { state: GateState::Cancelled, by: by.to_owned(), form },
            );
        }
    }

    /// Time has passed: everything that is due happens, in order.
    pub(super) fn wake(&mut self) {
        loop {
            if let Some((run, step)) = self.world.next_due(self.now) {
                match step {
                    None => self.time_is_up(run),
                    Some(step) => self.step_due(run, step),
                }
            } else if let Some(target) = self.world.targets.next_due(self.now) {
                self.target_due(&target);
            } else if let Some(agent) = self.world.agents.next_due(self.now) {
                self.agent_due(agent);
            } else if let Some(work) = self.world.leases.next_due(self.now) {
                self.lease_due(work);
            } else {
                return;
            }
            self.settle();
        }
    }

    fn time_is_up(&mut self, run: RunId) {
        let it = self.run(run);
        let after = it.plan.timeout.unwrap_or_default();
        let builder = ErrorRecord::builder()
            .error_type(ErrorKind::WorkflowExecutionError)
            .severity(Severity::Critical)
            .mode(FailureMode::SystemTimeout)
            .source(it.plan.name.clone())
            .message(format!("the run took longer than its timeout of {after}"));
        let record = builder.build().unwrap_or_else(|it| panic!("fault: a time-out without its {it}"));
        self.emit_run(run, RunEvent::TimedOut { record: Box::new(record) });
        self.close_open(run, None, &Why::RunTimedOut, false);
    }

    fn step_due(&mut self, run: RunId, step: StepIx) {
        let it = self.run(run).step(step);
        if let Some((gate, due)) = it.gate.and_then(|gate| Some((gate, self.world.gate_due(gate, self.now)?)))
        {
            return self.gate_due(gate, due);
        }
        match (it.state(), &self.run(run).plan_step(step).work) {
            (StepState::Undoing, _) => self.undo_call(run, step),
            (StepState::Running, Work::Frame(_)) => {
                let why = Why::Frame(step);
                self.emit_step(run, step, StepEvent::Ending { why: why.clone() });
                self.close_open(run, Some(step), &why, true);
            }
            // The workflow in it is to be tried again, as soon as there is room.
            (StepState::Waiting, Work::Frame(_)) => self.emit_step(run, step, StepEvent::Ready),
            (StepState::Waiting, Work::Tool(_))
                if it.fails_at.is_some_and(|it| it <= self.now)
                    && (self.world.targets.waits_for_any((run, step))
                        || self.world.leases.offer_of((run, step)).is_some()) =>
            {
                // Looked at once more, it fails if there is still nobody.
                self.call_again(run, step);
            }
            (StepState::Waiting, Work::Run { .. } | Work::Tool(_) | Work::Http(_) | Work::Model(_)) => {
                self.call_when_free(run, step)
            }
            (StepState::Waiting, Work::Wait(WaitFor::Message { .. })) => self.heard_nothing(run, step),
            _ => self.complete(run, step, ValueMap::new(), None),
        }
    }

    fn gate_due(&mut self, id: crate::base::GateId, due: GateDue) {
        let gate = &self.world.gates[&id];
        let rule = self.world.rule(gate);
        match due {
            GateDue::Armed => self.resolve(id, GateState::Approved, "people"),
            GateDue::Reminds => {
                let count = gate.reminded + 1;
                self.emit_gate(id, GateEvent::Reminded { count });
            }
            GateDue::Escalates => {
                let group = self.escalates_to(id, &rule);
                self.emit_gate(id, GateEvent::Escalated { group });
                self.count(id);
            }
            GateDue::Expires => match rule.on_timeout {
                OnTimeout::Approve => self.resolve(id, GateState::Approved, "timeout"),
                OnTimeout::Escalate if gate.escalated.is_none() && rule.escalate.is_some() => {
                    let group = self.escalates_to(id, &rule);
                    self.emit_gate(id, GateEvent::Escalated { group });
                    self.lift_deadline(id);
                }
                OnTimeout::Reject | OnTimeout::Escalate => self.resolve(id, GateState::Expired, "timeout"),
            },
        }
    }

    /// Whom the rule names: a person, or `group:NAME`.
    fn escalates_to(&self, id: crate::base::GateId, rule: &GateRule) -> String {
        let gate = &self.world.gates[&id];
        let template = rule.escalate.as_ref().map_or("", |it| it.1.as_str());
        let view = View::of(self.world, self.run(gate.run), gate.step, self.now);
        view.text(template).unwrap_or_else(|_| template.to_owned())
    }

    /// Asks again without a deadline: those it was escalated to have all the time they need.
    fn lift_deadline(&mut self, id: crate::base::GateId) {
        if let Ok((mut ask, _)) = self.ask_again(id, None) {
            ask.expires_at = None;
            let hash = ask::hash(&ask);
            let why = Some("it was escalated and no longer expires".to_owned());
            self.emit_gate(id, GateEvent::Asked { ask: Box::new(ask), hash, why });
        }
    }

    /// Nothing is open any more: undo, or end.
    fn wind_up(&mut self, id: RunId) {
        let run = self.run(id);
        let wants_undo = run.stopping.is_some_and(|it| it.compensate)
            || run.cancel_undo
            || run.timed_out && run.plan.on_failure == OnFailure::Compensate;
        if !run.compensating && wants_undo && run.completed.iter().any(|it| run.is_to_undo(*it)) {
            self.emit_run(id, RunEvent::Compensating);
        }
        if self.run(id).compensating {
            while let Some(step) = self.run(id).next_to_undo() {
                self.emit(Fact::Undo(id, step, crate::engine::UndoEvent::Asked));
                self.undo_call(id, step);
            }
            let run = self.run(id);
            if !run.undoing.is_empty() || !run.stuck.is_empty() {
                return;
            }
        }
        self.end_run(id);
    }

    fn end_run(&mut self, id: RunId) {
        let run = self.run(id);
        let state = final_state(run);
        let outputs = if matches!(state, RunState::Completed | RunState::PartiallyCompleted) {
            let view = View { scope: None, ..View::of(self.world, run, StepIx(0), self.now) };
            let mut left = EVENT_CONTENT_BYTES_MAX;
            let mut value = |template: &String| {
                let value = view.value(template).unwrap_or(Value::Null);
                let rest = left.checked_sub(json_bytes(&value));
                left = rest.unwrap_or(left);
                if rest.is_some() { value } else { Value::Null }
            };
            run.plan.outputs.iter().map(|(name, it)| (name.clone(), value(it))).collect()
        } else {
            ValueMap::new()
        };
        let partial = (state != RunState::Completed).then(|| Box::new(super::recovery::partial_result(run)));
        self.emit_run(id, RunEvent::Ended { state, outputs, partial });
    }

    /// What a success below its least confidence does; true when the step is not done yet.
    pub(super) fn is_held(&mut self, id: RunId, step: StepIx, result: &outcome::Result) -> bool {
        match result.below {
            None | Some(ConfidenceBelow::Warn) => false,
            Some(ConfidenceBelow::Gate) => {
                self.ask_by_the_way(id, step);
                true
            }
            Some(ConfidenceBelow::Fail) => {
                let min = self
                    .run(id)
                    .plan_step(step)
                    .confidence
                    .as_ref()
                    .map_or(String::new(), |it| it.min.to_string());
                let message = format!("its confidence of {} is below {min}", result.confidence);
                self.fail_step(id, step, &outcome::failure(FailureMode::AgentValidation, message));
                true
            }
        }
    }
}

/// The etag that was read; nothing, nothing between quotes and `none` say that there was no value.
fn expected(etag: &Value) -> Expected {
    match etag {
        Value::Null => Expected::Absent,
        Value::String(text) if text.is_empty() || text == "none" => Expected::Absent,
        Value::String(text) => Expected::Etag(text.clone()),
        other => Expected::Etag(other.to_string()),
    }
}

/// Values that one event can carry.
fn bounded(values: ValueMap) -> Result<ValueMap, EvalError> {
    let fits = json_bytes(&values) <= EVENT_CONTENT_BYTES_MAX;
    if fits { Ok(values) } else { Err(EvalError::TooLarge(EVENT_CONTENT_BYTES_MAX)) }
}

fn run_policy(run: &Run) -> OnFailure {
    run.plan.on_failure
}

/// Whether a step may start now: the run is not paused, there is room, and nobody who waits for it is more urgent.
pub(super) fn may_start(run: &Run, step: StepIx) -> bool {
    let plan = run.plan_step(step);
    let room = Room::of(&plan.work);
    run.state != RunState::Paused
        && run.has_room(plan.frame, room)
        && (room == Room::Nothing || first_ready(run).is_none_or(|first| run.rank(step) < first))
}

/// The ready step that goes first, if there is room for any.
fn next_ready(run: &Run) -> Option<StepIx> {
    first_ready(run).filter(|_| run.state != RunState::Paused).map(|it| it.1)
}

fn first_ready(run: &Run) -> Option<Rank> {
    let roomy = run.ready.iter().filter(|((frame, room), _)| run.has_room(*frame, *room));
    roomy.filter_map(|(_, ready)| ready.first()).min().copied()
}

/// The rule of the gate that rejected, however deep it stands.
fn reject_policy(run: &Run, mut step: StepIx) -> OnFailure {
    loop {
        match &run.plan_step(step).work {
            Work::Gate(rule) => return rule.on_reject,
            Work::Frame(_) => match run.step(step).failed_child {
                Some(child) => step = child,
                None => return run_policy(run),
            },
            Work::Run { .. }
            | Work::Tool(_)
            | Work::Http(_)
            | Work::Model(_)
            | Work::Wait(_)
            | Work::Set { .. }
            | Work::Emit(_)
            | Work::Later(_) => {
                return run_policy(run);
            }
        }
    }
}

pub(super) fn descendants(run: &Run, frame: StepIx) -> Vec<StepIx> {
    let (mut found, mut open) = (Vec::new(), vec![frame]);
    while let Some(at) = open.pop() {
        for child in run.children(at) {
            found.push(*child);
            open.push(*child);
        }
    }
    found.sort();
    found
}

fn frame_message(run: &Run, frame: StepIx, child: StepIx) -> String {
    let all = run.children(frame);
    let failed = all.iter().filter(|it| run.step(**it).state() == StepState::Failed).count();
    let why = run.step(child).error.as_ref().map(|it| it.message.clone()).unwrap_or_default();
    format!(
        "{failed} of {} failed, first {}: {why}",
        counted(all.len(), "step", "steps"),
        run.plan_step(child).id
    )
}

/// How a run ends in which nothing is open any more.
fn final_state(run: &Run) -> RunState {
    if run.undone > 0 && run.compensating {
        return RunState::Undone;
    }
    if run.timed_out {
        return RunState::Failed;
    }
    if run.cancelling {
        return RunState::Cancelled;
    }
    match run.stopping {
        Some(it) if it.rejected => return RunState::Rejected,
        Some(_) => return RunState::Failed,
        None => {}
    }
    // What came of a call that a model asked for was told to the model; its talk says how that ended.
    let counts = |(at, _): &(usize, _)| {
        let step = StepIx::from_index(*at);
        talk::around(run, step).is_none() && !is_made_good(run, step)
    };
    let spoiled = run.steps.iter().enumerate().filter(counts).any(|(_, it)| {
        matches!(
            it.state(),
            StepState::Failed | StepState::Rejected | StepState::Cancelled | StepState::Partial
        ) || it.state() == StepState::Skipped && (it.error.is_some() || !it.harmless)
    });
    if run.aborted.is_some() {
        RunState::Failed
    } else if spoiled {
        RunState::PartiallyCompleted
    } else {
        RunState::Completed
    }
}

/// Never refused: what a rest can say about itself.
impl From<Unresolved> for Refusal {
    fn from(why: Unresolved) -> Self {
        match why {
            Unresolved::Needs(_) | Unresolved::Programs(_) => {
                Self::Other("files have to be looked at first".to_owned())
            }
            Unresolved::Failed(message) => Self::Other(message),
        }
    }
}
