//! The view that expressions have: the answers of one run, at one step, at one instant.

use crate::{run::Run, step::Step, world::World};
use cuelight_base::{StepIx, Timestamp, Value, ValueMap};
use cuelight_expression::{EvalError, Lookup, NoHash, StatusFunction, Template, descend};
use cuelight_plan::{FrameKind, Scope};

/// The depth to which `env` may refer to `env`.
pub(super) const ENV_DEPTH_MAX: u8 = 8;

/// One step's view of its run.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) world: &'a World,
    pub(super) run: &'a Run,
    pub(super) step: StepIx,
    /// The frame whose names are seen: the scope of the step, or inside a frame for its outputs.
    pub(super) scope: Option<StepIx>,
    pub(super) now: Timestamp,
    /// A supposed result of a step. For a gate: its result as it would be, to see the steps that an approval
    /// releases. For a step: its result before it began again, to undo that.
    pub(super) supposed: Option<(StepIx, &'a ValueMap)>,
    /// The copy of a matrix that a gate for all of them speaks of just now.
    pub(super) copy: Option<&'a ValueMap>,
    pub(super) env_depth: u8,
}

impl<'a> View<'a> {
    pub(super) fn of(world: &'a World, run: &'a Run, step: StepIx, now: Timestamp) -> Self {
        let scope = run.plan_step(step).scope;
        View { world, run, step, scope, now, supposed: None, copy: None, env_depth: 0 }
    }

    /// True if the step's `if` holds. As at GitHub, `success()` is meant unless a status function is named.
    pub(super) fn holds(&self, condition: &str) -> Result<bool, EvalError> {
        let expr =
            cuelight_expression::parse(condition).map_err(|error| EvalError::Function(error.to_string()))?;
        if !expr.uses_status_function() && !self.status(StatusFunction::Success) {
            return Ok(false);
        }
        cuelight_expression::evaluate_truth(&expr, self)
    }

    /// A template's value; text that holds no expression stays as it is.
    pub(super) fn value(&self, template: &str) -> Result<Value, EvalError> {
        if !template.contains("${{") {
            return Ok(Value::String(template.to_owned()));
        }
        Template::parse(template).map_err(|error| EvalError::Function(error.to_string()))?.evaluate(self)
    }

    /// A template's value, where it is all of one expression or all of its expressions are single values; none
    /// where a list or a map would become part of a text.
    pub(super) fn value_of_texts(&self, template: &str) -> Result<Option<Value>, EvalError> {
        let parsed = Template::parse(template).map_err(|error| EvalError::Function(error.to_string()))?;
        if parsed.parts().len() > 1 {
            for hole in parsed.holes() {
                if matches!(
                    cuelight_expression::evaluate(&hole.expr, self)?,
                    Value::Array(_) | Value::Object(_)
                ) {
                    return Ok(None);
                }
            }
        }
        self.value(template).map(Some)
    }

    /// A template as text.
    pub(super) fn text(&self, template: &str) -> Result<String, EvalError> {
        if !template.contains("${{") {
            return Ok(template.to_owned());
        }
        Template::parse(template).map_err(|error| EvalError::Function(error.to_string()))?.evaluate_text(self)
    }

    /// A value all of whose texts are templates.
    pub(super) fn deep(&self, value: &Value) -> Result<Value, EvalError> {
        Ok(match value {
            Value::String(text) => self.value(text)?,
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.deep(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let entries = map.iter().map(|(key, value)| Ok((key.clone(), self.deep(value)?)));
                Value::Object(entries.collect::<Result<_, EvalError>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    /// A bare expression as text.
    pub(super) fn bare_text(&self, expression: &str) -> Result<String, EvalError> {
        let expr =
            cuelight_expression::parse(expression).map_err(|error| EvalError::Function(error.to_string()))?;
        cuelight_expression::evaluate_text(&expr, self)
    }

    fn step_value(&self, step: StepIx, path: &[&str]) -> Option<Value> {
        let this_step = self.run.step(step);
        if let Some((supposed, outputs)) = self.supposed
            && supposed == step
        {
            let mut done = this_step.clone();
            done.outputs.clone_from(outputs);
            done.state = Some(crate::StepState::Completed);
            return descend(&done.as_value(), path).cloned();
        }
        match path {
            [first, rest @ ..] if first.eq_ignore_ascii_case("outputs") => {
                if rest.is_empty() {
                    return Some(Value::Object(this_step.outputs.clone()));
                }
                descend_map(&this_step.outputs, rest)
            }
            [first, rest @ ..] if first.eq_ignore_ascii_case("form") => {
                descend(this_step.outputs.get("form")?, rest).cloned()
            }
            [first] if first.eq_ignore_ascii_case("decision") => this_step.outputs.get("decision").cloned(),
            [first] => this_step.field(first),
            _ => descend(&this_step.as_value(), path).cloned(),
        }
    }

    fn steps(&self, path: &[&str], only: Option<&[StepIx]>) -> Option<Value> {
        let seen = |step: StepIx| only.is_none_or(|steps| steps.contains(&step));
        if let [name, rest @ ..] = path {
            let step = self.run.named(self.scope, name).filter(|step| seen(*step))?;
            return self.step_value(step, rest);
        }
        let all = self.run.names_in(self.scope).filter(|(_, step)| seen(*step));
        Some(Value::Object(
            all.map(|(name, step)| (name.to_owned(), self.run.step(step).as_value())).collect(),
        ))
    }

    /// The steps that the step waits for; a copy of a matrix waits for the needs of its frame.
    fn needs(&self) -> Vec<StepIx> {
        let mut needs = self.run.plan_step(self.step).needs.clone();
        let mut around = self.run.plan_step(self.step).frame;
        while let Some(frame) = around.filter(|frame| Some(*frame) != self.scope) {
            needs.extend(&self.run.plan_step(frame).needs);
            around = self.run.plan_step(frame).frame;
        }
        needs
    }

    /// The place of a copy among the copies of its matrix; none outside of one.
    fn strategy(&self) -> Option<Value> {
        let frame = self.run.plan_step(self.step).frame.filter(|frame| {
            let work = self.run.plan_step(*frame).work.frame();
            work.is_some_and(|work| matches!(work.kind, FrameKind::Matrix | FrameKind::Computed { .. }))
        })?;
        let copies = self.run.children(frame);
        let index = copies.iter().position(|copy| *copy == self.step)?;
        Some(serde_json::json!({"job-index": index, "job-total": copies.len()}))
    }

    fn run_value(&self) -> Value {
        let run = self.run;
        let mut map = ValueMap::new();
        map.insert("id".to_owned(), run.id.to_string().into());
        map.insert("workflow".to_owned(), run.plan.name.clone().into());
        map.insert("actor".to_owned(), run.by.name.clone().into());
        map.insert("trace".to_owned(), run.trace.clone().into());
        map.insert("state".to_owned(), run.state.word().into());
        map.insert(
            "started_at".to_owned(),
            run.started_at.map_or(Value::Null, |started_at| started_at.to_string().into()),
        );
        map.insert("step".to_owned(), run.plan_step(self.step).id.clone().into());
        Value::Object(map)
    }

    fn env(&self, path: &[&str]) -> Option<Value> {
        if self.env_depth >= ENV_DEPTH_MAX {
            return None;
        }
        let deeper = Self { env_depth: self.env_depth + 1, ..*self };
        let evaluate = |template: &str| deeper.text(template).ok().map(Value::String);
        if let [name] = path {
            let found = self.run.env_of(self.step).rev().find(|(key, _)| key.eq_ignore_ascii_case(name));
            return evaluate(&found?.1);
        }
        let all = self.run.env_of(self.step).filter_map(|(key, text)| Some((key.clone(), evaluate(text)?)));
        Some(Value::Object(all.collect()))
    }

    fn state(&self, path: &[&str]) -> Option<Value> {
        if let [etag, scope, key] = path
            && etag.eq_ignore_ascii_case("etag")
        {
            let scope = match scope.to_ascii_lowercase().as_str() {
                "session" => Scope::Session,
                "global" => Scope::Global,
                _ => return None,
            };
            return self.world.etag_of(scope, &self.run.by, key, self.now).map(Value::String);
        }
        let [scope, key, rest @ ..] = path else { return None };
        let found = match scope.to_ascii_lowercase().as_str() {
            "run" => self.run.vars.get(*key),
            "session" => self.world.stored(Scope::Session, &self.run.by, key, self.now),
            "global" => self.world.stored(Scope::Global, &self.run.by, key, self.now),
            _ => None,
        };
        descend(found?, rest).cloned()
    }
}

fn descend_map(map: &ValueMap, path: &[&str]) -> Option<Value> {
    let (first, rest) = path.split_first()?;
    let found = map
        .get(*first)
        .or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(first)).map(|entry| entry.1));
    descend(found?, rest).cloned()
}

impl Lookup for View<'_> {
    fn lookup(&self, root: &str, path: &[&str]) -> Option<Value> {
        let whole = |map: &ValueMap| {
            if path.is_empty() { Some(Value::Object(map.clone())) } else { descend_map(map, path) }
        };
        match root.to_ascii_lowercase().as_str() {
            "inputs" => whole(self.run.inputs(self.scope)),
            "matrix" => whole(self.copy.unwrap_or_else(|| &self.run.plan_step(self.step).matrix)),
            "strategy" => descend(&self.strategy()?, path).cloned(),
            "steps" => self.steps(path, None),
            "needs" => self.steps(path, Some(&self.needs())),
            "env" => self.env(path),
            "run" => descend(&self.run_value(), path).cloned(),
            "vars" => match path {
                [] => Some(Value::Object(
                    self.run.vars.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
                )),
                [key, rest @ ..] => descend(self.run.vars.get(*key)?, rest).cloned(),
            },
            "state" => self.state(path),
            _ => None,
        }
    }

    fn status(&self, which: StatusFunction) -> bool {
        let step: &Step = self.run.step(self.step);
        match which {
            StatusFunction::Success => {
                step.needs.blocked.is_none()
                    && (!self.run.ending.cancelling || self.run.in_explicit_frame(self.step))
            }
            StatusFunction::Failure => step.needs.failed_above,
            StatusFunction::Always => true,
            StatusFunction::Cancelled => self.run.ending.cancelling,
        }
    }

    fn hash_files(&self, patterns: &[String]) -> Result<String, NoHash> {
        let facts = self.run.step(self.step).facts.as_ref().ok_or(NoHash::NotRead)?;
        if let Some(why) = facts.unhashed(patterns) {
            return Err(NoHash::Failed(why.to_owned()));
        }
        let found = facts.hashes.iter().find(|(asked, _)| asked == patterns).ok_or(NoHash::NotRead)?;
        Ok(found.1.clone())
    }
}
