//! Secrets that the steps of a plan need: those that they read, and the keys of the models that they ask.

use crate::{FrameKind, Plan, PlanStep, Work};
use cuelight_expression::Template;
use std::collections::BTreeSet;

impl Plan {
    /// Steps that certainly ask a model and could ask none, because no key is there: each by its id, with a
    /// whole sentence. `has` says whether there is a secret of that name.
    pub fn without_key(&self, has: &dyn Fn(&str) -> bool) -> Vec<(String, String)> {
        self.steps
            .iter()
            .filter(|step| step.condition.is_none())
            .map(|step| match step.work.frame().map(|frame| &frame.kind) {
                Some(FrameKind::Talk(talk)) => (step, &talk.ask),
                _ => (step, step),
            })
            .filter_map(|(step, asks)| Some((step.id.clone(), self.lacks_key(&step.id, asks, has)?)))
            .collect()
    }

    /// Steps that run whatever happens and read a secret that cannot be had, each with why that keeps the run
    /// from starting; `trouble` says what is wrong with a secret. A step with an `if`, or in a frame with
    /// one, may never run: it says so when it does.
    pub fn without_secret(&self, trouble: &dyn Fn(&str) -> Option<String>) -> Vec<(String, String)> {
        let runs_anyway = |step: &PlanStep| {
            let frame = |plan: &PlanStep| plan.frame.and_then(|at| self.steps.get(at.index()));
            std::iter::successors(Some(step), |value| frame(value)).all(|step| step.condition.is_none())
        };
        let lacking = |step: &PlanStep| {
            let why: Vec<String> = step.secret_names().iter().filter_map(|name| trouble(name)).collect();
            let said = || {
                format!(
                    "could not start: step `{}` cannot be given what it reads: {}",
                    step.id,
                    why.join("; ")
                )
            };
            (!why.is_empty()).then(|| (step.id.clone(), said()))
        };
        self.steps.iter().filter(|step| runs_anyway(step)).filter_map(lacking).collect()
    }

    fn lacks_key(&self, id: &str, step: &PlanStep, has: &dyn Fn(&str) -> bool) -> Option<String> {
        let mut keys = Vec::new();
        for work in std::iter::once(&step.work).chain(&step.fallback) {
            let Work::Model(work) = work else { return None };
            let key = self.model(&work.model)?.key.as_deref()?;
            if has(key) {
                return None;
            }
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let asks = step.work.model().unwrap_or_default();
        let (are, each) = match keys.as_slice() {
            [key] => (
                format!("the secret {key} is not set"),
                format!("export it, or write it to .cuelight/secrets/{key}"),
            ),
            keys => (
                format!("none of the secrets {} is set", keys.join(", ")),
                "export one, or write it to .cuelight/secrets/NAME".to_owned(),
            ),
        };
        Some(format!("could not start: step `{id}` asks {asks}, and {are}; {each}"))
    }
}

impl PlanStep {
    /// Names of the secrets that its process, its tool or its request is given.
    fn secret_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut read = |text: &str| {
            let template = Template::parse(text).ok().filter(|_| text.contains("${{"));
            let holes = template.iter().flat_map(|template| template.holes());
            let references = holes.flat_map(|hole| hole.expr.references());
            let of_secrets = references.filter(|reference| reference.root.eq_ignore_ascii_case("secrets"));
            names.extend(of_secrets.filter_map(|secret| secret.path.first().cloned()));
        };
        match &self.work {
            Work::Run { .. } | Work::Tool(_) => self.env.iter().for_each(|pair| read(&pair.1)),
            Work::Http(work) => {
                read(&work.url);
                work.headers.iter().for_each(|field| read(&field.1));
            }
            _ => {}
        }
        names
    }
}
