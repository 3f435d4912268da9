//! Events that happen because their time has come: timeouts of runs and steps, waits that are over, gates
//! that remind, escalate and expire.
//! `world` knows the order in which they are due.

use crate::{
    Ask, GateEvent, GateState, RunEvent, StepEvent, StepState, Why, ask, condition::View, gate::GateDue,
    handle::Turn,
};
use cuelight_base::{
    Epoch, ErrorKind, ErrorRecord, FailureMode, RunId, Severity, StepIx, Timestamp, ValueMap,
};

use cuelight_plan::{GateRule, OnTimeout, WaitFor, Work};

use std::sync::Arc;

impl Turn<'_> {
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
            } else if let Some(agent) = self.world.exchange.agents.next_due(self.now) {
                self.agent_due(agent);
            } else if let Some(work) = self.world.exchange.leases.next_due(self.now) {
                self.lease_due(work);
            } else {
                return;
            }
            self.settle();
        }
    }

    fn time_is_up(&mut self, run: RunId) {
        let this_run = self.run(run);
        let after = this_run.plan.timeout.unwrap_or_default();
        let builder = ErrorRecord::builder()
            .error_type(ErrorKind::WorkflowExecutionError)
            .severity(Severity::Critical)
            .mode(FailureMode::SystemTimeout)
            .source(this_run.plan.name.clone())
            .message(format!("the run took longer than its timeout of {after}"));
        let record = builder.build().unwrap_or_else(|error| panic!("fault: a time-out without its {error}"));
        self.emit_run(run, RunEvent::TimedOut { record: Box::new(record) });
        self.close_open(run, None, &Why::RunTimedOut, false);
    }

    fn step_due(&mut self, run: RunId, step: StepIx) {
        let this_step = self.run(run).step(step);
        if let Some((gate, due)) =
            this_step.gate.and_then(|gate| Some((gate, self.world.gate_due(gate, self.now)?)))
        {
            return self.gate_due(gate, due);
        }
        match (this_step.state(), &self.run(run).plan_step(step).work) {
            (StepState::Undoing, _) => self.undo_call(run, step),
            (StepState::Running, Work::Frame(_)) => {
                let why = Why::Frame(step);
                self.emit_step(run, step, StepEvent::Ending { why: why.clone() });
                self.close_open(run, Some(step), &why, true);
            }
            // The workflow in it is to be tried again, as soon as there is room.
            (StepState::Waiting, Work::Frame(_)) => self.emit_step(run, step, StepEvent::Ready),
            (StepState::Waiting, Work::Tool(_))
                if this_step.target.fails_at.is_some_and(|fails_at| fails_at <= self.now)
                    && (self.world.targets.waits_for_any((run, step))
                        || self.world.exchange.leases.offer_of((run, step)).is_some()) =>
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

    fn gate_due(&mut self, id: cuelight_base::GateId, due: GateDue) {
        let gate = &self.world.gates[&id];
        let rule = Arc::clone(&gate.rule);
        match due {
            GateDue::Armed => self.resolve(id, GateState::Approved, self.world.gates[&id].closer()),
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
                OnTimeout::Approve if !gate.ask.touch => self.resolve(id, GateState::Approved, "timeout"),
                OnTimeout::Escalate if rule.escalate.is_some() => {
                    // `escalate.after` may have asked them before.
                    if gate.escalated.is_none() {
                        let group = self.escalates_to(id, &rule);
                        self.emit_gate(id, GateEvent::Escalated { group });
                    }
                    self.ask_until(id, None, "it was escalated and no longer expires");
                }
                OnTimeout::Approve | OnTimeout::Reject | OnTimeout::Escalate => {
                    self.resolve(id, GateState::Expired, "timeout")
                }
            },
        }
    }

    /// The person or group that the ask names. An ask of an earlier version names nobody: its rule is read as it was then.
    fn escalates_to(&self, id: cuelight_base::GateId, rule: &GateRule) -> String {
        let gate = &self.world.gates[&id];
        if let Some(to) = &gate.ask.escalate {
            return to.clone();
        }
        let template = rule.escalate.as_ref().map_or("", |escalate| escalate.1.as_str());
        let view = View::of(self.world, self.run(gate.run), gate.step, self.now);
        view.text(template).unwrap_or_else(|_| template.to_owned())
    }

    /// Asks again with another deadline. An ask that cannot be made now is kept as it was shown, since a deadline that stays
    /// would be due all the same; the last vote compares it once more.
    pub(super) fn ask_until(&mut self, id: cuelight_base::GateId, expires_at: Option<Timestamp>, why: &str) {
        let gate = &self.world.gates[&id];
        let made = self.ask_again(id, None).map(|pair| pair.0);
        let shown = || Ask { epoch: Epoch(gate.epoch.0 + 1), ..(*gate.ask).clone() };
        let ask = Ask { expires_at, ..made.unwrap_or_else(|_| shown()) };
        let hash = ask::hash(&ask);
        self.emit_gate(id, GateEvent::Asked { ask: Arc::new(ask), hash, why: Some(why.to_owned()) });
    }
}
