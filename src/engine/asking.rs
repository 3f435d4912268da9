//! Asking people: a gate opens, asks again because the shown files or calls have changed, or asks by the way
//! about one step.
//! The ask is made in `ask`; the consequences of an answer are in `verdict`.

use crate::{
    Changed, Fact, GateEvent, GateState, StepEvent, StepState, WaitReason,
    ask::{self, Asking},
    condition::View,
    gate::{Gate, POLICY_AUTO},
    handle::Turn,
    outcome,
    run::Run,
};
use cuelight_base::{FailureMode, OPEN_GATES_MAX, RunId, StepIx};

use cuelight_plan::{FrameKind, GateRule, Work};

use std::{collections::BTreeSet, sync::Arc};

impl Turn<'_> {
    /// Opens the gate of a step: asks people.
    pub(super) fn open_gate(&mut self, id: RunId, step: StepIx) {
        let run = self.run(id);
        let Work::Gate(rule) = run.plan_step(step).work.clone() else { return };
        let files = ask::evidence_files(&rule);
        let looked_at = |path: &String| {
            let facts = run.step(step).facts.as_deref();
            facts.is_some_and(|facts| facts.files.iter().any(|file| file.path == *path))
        };
        if !files.iter().all(looked_at) && !run.step(step).looked {
            return self.ask_facts(id, step, files, Vec::new(), Vec::new());
        }
        let before = run.step(step).gate.and_then(|gate| Some((gate, self.world.gates.get(&gate)?)));
        if self.world.open_gates >= OPEN_GATES_MAX && before.is_none_or(|pair| !pair.1.is_open()) {
            let message = format!("{OPEN_GATES_MAX} gates are open, which is the most");
            return self.fail_step(id, step, &outcome::failure(FailureMode::ResourceQuota, message));
        }
        let view = View::of(self.world, run, step, self.now);
        let auto = ask::is_auto(view, &rule);
        let asking = match before {
            Some((gate, before)) => self.asking_again(gate, before, &rule),
            None => Asking {
                gate: self.world.next_gate_id(),
                epoch: cuelight_base::Epoch(1),
                opened_at: self.now,
                expires_at: rule.timeout.map(|timeout| self.now + timeout),
                form: None,
                touch: self.world.wants_touch(),
                raises: None,
            },
        };
        let why = run.step(step).asking.reopened.clone();
        let made =
            auto.and_then(|auto| Ok((auto, ask::make(self.world, run, step, &rule, &asking, self.now)?)));
        match made {
            Err(why) => self.unresolved(id, step, files, why),
            Ok((auto, ask)) => {
                let touch = ask.touch;
                let gate = self.ask(id, step, ask, why);
                // A rule proves nothing.
                if auto && !touch {
                    self.close(gate, GateState::Approved, POLICY_AUTO);
                }
            }
        }
    }

    /// The next epoch of a gate that was asked before. Nobody has seen the new ask: who has time to answer
    /// has all of it. The old deadline stands while it rejects, and where time alone approves, each ask has its full time.
    fn asking_again(&self, id: cuelight_base::GateId, gate: &Gate, rule: &GateRule) -> Asking {
        let in_time = gate.is_open() && gate.ask.expires_at.is_none_or(|expires_at| expires_at > self.now);
        let in_time = in_time && !gate.approves_by_time();
        Asking {
            gate: id,
            epoch: cuelight_base::Epoch(gate.epoch.0 + 1),
            opened_at: if gate.is_open() { gate.ask.opened_at } else { self.now },
            expires_at: if in_time {
                gate.ask.expires_at
            } else {
                rule.timeout.map(|timeout| self.now + timeout)
            },
            form: Some(gate.form()),
            touch: gate.people.wants_touch(),
            raises: None,
        }
    }

    /// Puts an ask before people.
    pub(super) fn ask(
        &mut self,
        id: RunId,
        step: StepIx,
        ask: crate::Ask,
        why: Option<String>,
    ) -> cuelight_base::GateId {
        let (gate, hash) = (ask.gate, ask::hash(&ask));
        self.emit(Fact::Gate(id, step, gate, GateEvent::Asked { ask: Arc::new(ask), hash, why }));
        self.emit_step(id, step, StepEvent::Waiting { reason: WaitReason::Person(gate) });
        gate
    }

    /// Asks whether something out of the ordinary is all right: a higher ceiling, a result below its least
    /// confidence.
    pub(super) fn ask_by_the_way(&mut self, id: RunId, step: StepIx) {
        let asking = Asking {
            gate: self.world.next_gate_id(),
            epoch: cuelight_base::Epoch(1),
            opened_at: self.now,
            expires_at: None,
            form: None,
            touch: self.world.wants_touch(),
            raises: None,
        };
        let ask = self.by_the_way(self.run(id), step, &asking);
        self.ask(id, step, ask, None);
    }

    pub(super) fn by_the_way(&self, run: &Run, step: StepIx, asking: &Asking) -> crate::Ask {
        let to_choose = || self.proposed(run, step).filter(|_| run.is_to_be_chosen(step));
        if run.step(step).asking.held.is_some() {
            ask::confidence(run, step, asking)
        } else if let Some(proposed) = to_choose() {
            ask::choice(run, step, asking, &proposed)
        } else {
            ask::budget(run, step, asking)
        }
    }

    /// Reopens a step whose approved calls or files have changed: nothing runs, and the gates that showed
    /// them ask again.
    pub(super) fn reopen(&mut self, id: RunId, step: StepIx, changed: &[Changed], why: &str) {
        let run = self.run(id);
        let shows =
            |gate: &StepIx| run.step(*gate).facts.as_ref().is_some_and(|facts| facts.shows_any_of(changed));
        let executes = |gate: &StepIx| {
            run.step(*gate).facts.as_ref().is_some_and(|facts| facts.executes_any_of(changed))
        };
        let approved = || run.step(step).asking.approvals.iter().map(|approval| approval.gate);
        let mut gates: BTreeSet<StepIx> = run.gates_before(step).into_iter().filter(shows).collect();
        gates.extend(approved().filter(executes));
        gates.extend(run.trees_above(step).into_iter().map(|tree| tree.0).filter(executes));
        if gates.is_empty() {
            gates.extend(approved());
        }
        self.reopen_at(id, step, &gates.into_iter().collect::<Vec<_>>(), why);
    }

    /// The same where it is known which gates showed something else.
    pub(super) fn reopen_at(&mut self, id: RunId, step: StepIx, gates: &[StepIx], why: &str) {
        let run = self.run(id);
        // A frame that has failed, or whose copies were made during the run, is not opened again for a gate in it.
        let is_gone = |gate: &StepIx| {
            run.frames_of(*gate).into_iter().any(|step| {
                let made = matches!(&run.plan_step(step).work, Work::Frame(frame) if matches!(frame.kind, FrameKind::Computed { .. }));
                match run.step(step).state() {
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
            for frame in self.run(id).frames_of(*gate) {
                if self.run(id).step(frame).rests() {
                    self.emit_step(id, frame, event());
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
}
