//! Steps that the engine does by itself, without a call: a step waits until a time, or sets values. Messages
//! are for `tell`.

use crate::{
    Expected, Fact, Purpose, ScopeEvent, StepEvent, WaitReason, ask, condition::View, handle::Turn, outcome,
};
use cuelight_base::{
    EVENT_CONTENT_BYTES_MAX, FailureMode, RunId, Span, StepIx, Timestamp, Value, ValueMap, json_bytes,
};
use cuelight_expression::EvalError;
use cuelight_plan::{Scope, WaitFor};

impl Turn<'_> {
    pub(super) fn start_wait(&mut self, id: RunId, step: StepIx, wait: &WaitFor) {
        let view = View::of(self.world, self.run(id), step, self.now);
        let until = match wait {
            WaitFor::Duration(template) => view.text(template).map(|text| {
                text.parse::<Span>().map(|number| self.now + number).map_err(|error| error.to_string())
            }),
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

    /// True if a step would set other values, or send another message, than people have approved: then nothing is written,
    /// and their gates ask again.
    pub(super) fn asks_for_write(&mut self, id: RunId, step: StepIx) -> bool {
        let run = self.run(id);
        let view = View::of(self.world, run, step, self.now);
        let approvals = &run.step(step).asking.approvals;
        // A value that cannot be made up fails the step by itself.
        let Some(write) = ask::write_of(run.plan_step(step), Some(view)).ok().flatten() else { return false };
        let hash = write.hash();
        let differs = approvals.iter().filter(|approval| approval.differs(Purpose::Step, hash));
        let gates: Vec<StepIx> = differs.map(|approval| approval.gate).collect();
        let Some(first) = gates.first() else { return false };
        let shown = run.step(*first).gate.and_then(|gate| self.world.gates.get(&gate));
        let shown = shown.and_then(|gate| gate.ask.writes.iter().find(|shown| shown.step == write.step));
        let parts = shown.map(|shown| ask::differing_parts(shown, &write)).unwrap_or_default();
        let at = if parts.is_empty() { String::new() } else { format!(", at {}", parts.join(", ")) };
        let verb = if write.kind == "emit" { "send" } else { "set" };
        let why = format!("what {} would {verb} is not what was approved{at}", write.step);
        self.reopen_at(id, step, &gates, &why);
        true
    }

    pub(super) fn set(
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
            values.iter().find(|value| value.1.to_string().len() > cuelight_base::SCOPE_VALUE_BYTES_MAX)
        {
            let message = format!("the value of `{key}` is larger than 1 MiB");
            return self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, message));
        }
        if values.iter().map(|value| json_bytes(&value.1)).sum::<usize>() > EVENT_CONTENT_BYTES_MAX {
            let message = format!(
                "its values are larger than {EVENT_CONTENT_BYTES_MAX} bytes together; set fewer in one step"
            );
            return self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, message));
        }
        let full = values.iter().filter(|_| scope != Scope::Run).find_map(|value| {
            let why = self.world.lacks_room_for(scope, &run.by, &value.0)?;
            Some(format!("could not set `{}`: {why}", cuelight_base::shorten(&value.0, 60)))
        });
        if let Some(message) = full {
            return self.fail_step(id, step, &outcome::failure(FailureMode::ResourceQuota, message));
        }
        let view = View::of(self.world, run, step, self.now);
        let seen = expect.iter().map(|(key, etag)| Ok((key, expected(&view.deep(etag)?))));
        let differs = match seen.collect::<Result<Vec<_>, EvalError>>() {
            Ok(seen) => seen.into_iter().find_map(|(key, seen)| {
                let why = self.world.differs(scope, &run.by, key, &seen, self.now)?;
                Some(format!("could not set `{}`: {why}", cuelight_base::shorten(key, 60)))
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
        let expires_at = ttl.map(|ttl| self.now + ttl);
        for (key, value) in &values {
            let (owner, key, value) = (owner.clone(), key.clone(), value.clone());
            self.emit(Fact::Scope(
                Some(id),
                ScopeEvent::Set { scope, owner, key, value, expires_at, by: None },
            ));
        }
        self.complete(id, step, values.into_iter().collect(), None);
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
