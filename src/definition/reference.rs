//! Every expression of a step or a workflow, with its place in the file.
//!
//! `check` decides which of these reads are right.

use crate::{
    Action, Body, Data, Forbidden, Gate, Length, MatrixSource, Place, Script, Step, StepKind, Text, Undo,
    Wait, Workflow,
};
use cuelight_base::Value;
use cuelight_expression::{Expr, Template};

/// The part of a step that an expression stands in; it decides what the expression may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// `if`: asks how things went.
    Condition,
    /// A value of `env`: may be a secret.
    Env,
    /// The address or a header field of a request: may hold secrets.
    Request,
    /// A script: its values go to a shell, and perhaps to the log.
    Script,
    /// After the step: undo, check, whatever may read its own outputs.
    After,
    /// `matrix`: before there are copies.
    Matrix,
    /// The person or group that a gate is escalated to: one value, even if one gate covers a whole matrix.
    Once,
    /// Any other part of the step.
    Value,
}

/// One expression that the file reads, with its place.
pub(super) struct Reading<'w> {
    pub(super) site: Site,
    pub(super) expr: Expr,
    /// The text around it and where that stands; its places in the text begin at `inner`.
    pub(super) text: &'w str,
    pub(super) place: Place,
    pub(super) inner: usize,
    /// True if the text is this expression and nothing else.
    pub(super) is_alone: bool,
}

/// Shows every expression of a step to `see`.
pub(super) fn readings<'w>(step: &'w Step, see: &mut dyn FnMut(Reading<'w>)) {
    let mut walk = Walk { see };
    walk.texts(Site::Value, step.name.as_ref());
    if let Some(condition) = &step.condition {
        walk.bare(Site::Condition, &condition.value, condition.place);
    }
    step.env.iter().for_each(|(_, text)| walk.text(Site::Env, text));
    if let Some(MatrixSource::Computed(data)) = step.matrix.as_ref().map(|matrix| &matrix.source) {
        walk.data(Site::Matrix, data);
    }
    walk.texts(Site::After, &step.artifacts);
    walk.texts(Site::Value, step.cache.as_ref().map(|cache| &cache.key));
    step.fallback.iter().for_each(|fallback| walk.action(Site::Script, &fallback.action));
    if let Some(Undo::By(action)) = &step.undo {
        walk.action(Site::After, action);
    }
    if let Some(check) = &step.check {
        walk.script(Site::After, check);
    }
    walk.kind(&step.kind);
}

/// Shows the expressions that stand outside the steps: environment, concurrency, outputs.
pub(super) fn top_readings<'w>(workflow: &'w Workflow, see: &mut dyn FnMut(Top, Reading<'w>)) {
    for (_, text) in &workflow.env {
        Walk { see: &mut |value| see(Top::Env, value) }.text(Site::Env, text);
    }
    if let Some(concurrency) = &workflow.concurrency {
        Walk { see: &mut |value| see(Top::Group, value) }.text(Site::Value, &concurrency.group);
    }
    for (_, text) in &workflow.outputs {
        Walk { see: &mut |value| see(Top::Outputs, value) }.text(Site::Value, text);
    }
}

/// The part of the file outside the steps that an expression stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Top {
    Env,
    Group,
    Outputs,
}

struct Walk<'s, 'w> {
    see: &'s mut dyn FnMut(Reading<'w>),
}

impl<'w> Walk<'_, 'w> {
    fn texts(&mut self, site: Site, texts: impl IntoIterator<Item = &'w Text>) {
        texts.into_iter().for_each(|text| self.text(site, text));
    }

    fn text(&mut self, site: Site, text: &'w Text) {
        self.template(site, &text.value, text.place);
    }

    fn template(&mut self, site: Site, text: &'w str, place: Place) {
        if !text.contains("${{") {
            return;
        }
        let Ok(template) = Template::parse(text) else { return };
        for hole in template.holes() {
            let is_alone =
                text[..hole.span.start].trim().is_empty() && text[hole.span.end..].trim().is_empty();
            let (expr, inner) = (hole.expr.clone(), hole.inner.start);
            (self.see)(Reading { site, expr, text, place, inner, is_alone });
        }
    }

    fn bare(&mut self, site: Site, text: &'w str, place: Place) {
        if let Ok(expr) = cuelight_expression::parse(text) {
            (self.see)(Reading { site, expr, text, place, inner: 0, is_alone: true });
        }
    }

    fn script(&mut self, site: Site, script: &'w Script) {
        self.text(site, &script.source);
    }

    fn data(&mut self, site: Site, data: &'w Data) {
        self.value(site, &data.value, data.place);
    }

    fn value(&mut self, site: Site, value: &'w Value, place: Place) {
        match value {
            Value::String(text) => self.template(site, text, place),
            Value::Array(items) => items.iter().for_each(|item| self.value(site, item, place)),
            Value::Object(map) => map.values().for_each(|value| self.value(site, value, place)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn values(&mut self, site: Site, values: &'w [(String, Data)]) {
        for (_, data) in values {
            self.data(site, data);
        }
    }

    fn action(&mut self, site: Site, action: &'w Action) {
        match action {
            Action::Run(script) => self.script(site, script),
            Action::Uses(uses) => {
                self.values(if site == Site::After { site } else { Site::Value }, &uses.with);
            }
        }
    }

    /// Shows the expressions that name people who may not decide at a gate.
    fn excluded(&mut self, gate: &'w Gate) {
        for who in &gate.forbid {
            if let Forbidden::Expression(condition) = who {
                self.bare(Site::Value, &condition.value, condition.place);
            }
        }
    }

    fn kind(&mut self, kind: &'w StepKind) {
        let site = Site::Value;
        match kind {
            StepKind::Run(run) => {
                self.script(Site::Script, &run.script);
                self.texts(site, run.working_directory.as_ref());
            }
            StepKind::Uses(uses) | StepKind::Agent(uses) => self.values(site, &uses.with),
            StepKind::Http(http) => {
                self.text(Site::Request, &http.url);
                http.headers.iter().for_each(|(_, text)| self.text(Site::Request, text));
                match &http.body {
                    Some(Body::Text(text)) => self.text(site, text),
                    Some(Body::Json(data)) => self.data(site, data),
                    None => {}
                }
                self.values(site, &http.expect_json);
            }
            StepKind::Llm(llm) => {
                self.texts(site, llm.system.as_ref());
                self.text(site, &llm.prompt);
                if let Some(gate) = &llm.gate {
                    self.excluded(gate);
                }
            }
            StepKind::Gate(gate) => {
                self.text(site, &gate.prompt);
                self.texts(site, &gate.evidence);
                self.texts(site, &gate.binds);
                self.texts(site, gate.claim.as_slice());
                self.texts(Site::Once, gate.escalate.as_ref().map(|escalate| &escalate.to));
                if let Some(auto) = &gate.auto {
                    self.bare(site, &auto.value, auto.place);
                }
                self.excluded(gate);
            }
            StepKind::Workflow(call) => self.values(site, &call.inputs),
            StepKind::Wait(Wait::For(Length::Computed(text)) | Wait::Until(text)) => self.text(site, text),
            StepKind::Wait(Wait::For(Length::Fixed(_))) => {}
            StepKind::Wait(Wait::Event { topic, filter, .. }) => {
                self.text(site, topic);
                self.values(site, filter);
            }
            StepKind::Emit(emit) => {
                let words = [&emit.id, &emit.to, &emit.correlation].into_iter().flatten();
                words.chain([&emit.topic]).for_each(|word| self.text(site, word));
                emit.data.iter().for_each(|data| self.data(site, data));
            }
            StepKind::Set(set) => {
                self.values(site, &set.values);
                self.values(site, &set.expect);
            }
        }
    }
}
