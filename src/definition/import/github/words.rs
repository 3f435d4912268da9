//! Expressions of GitHub in ours: what a job or a step yielded is asked of the step that yields it here, and what only GitHub knows
//! becomes an input, so that whoever starts the run says it.

use super::jobs::{Job, Kind};
use crate::{
    base::ValueMap,
    definition::import::{
        foreign,
        page::{Page, variable, without_holes},
    },
    expression::{Expr, Reference, Template, parse},
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Outputs of jobs that are outputs of jobs: so many times.
const DEPTH_MAX: u32 = 8;

/// What turns one into the other, and what was found meanwhile.
#[derive(Debug)]
pub(super) struct Words<'a> {
    pub(super) jobs: &'a [Job<'a>],
    /// Inputs that stand for what only GitHub knows, and what each stands for.
    pub(super) asked: BTreeMap<String, String>,
    pub(super) secrets: BTreeSet<String>,
    /// Outputs that somebody reads, by step.
    pub(super) outputs: BTreeMap<String, BTreeSet<String>>,
}

/// A condition, and whether it says itself what happened before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) text: String,
    pub(super) asks_status: bool,
}

impl<'a> Words<'a> {
    pub(super) fn new(jobs: &'a [Job<'a>]) -> Self {
        Self { jobs, asked: BTreeMap::new(), secrets: BTreeSet::new(), outputs: BTreeMap::new() }
    }

    /// A text with holes, in a job or above all of them.
    pub(super) fn text(&mut self, job: Option<&Job<'_>>, text: &str, page: &mut Page) -> String {
        let template = match Template::parse(text) {
            Ok(it) => it,
            Err(why) => {
                page.leave_out(format!("an expression that cannot be read: {}: {}", text, why.message));
                return without_holes(text);
            }
        };
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for hole in template.holes() {
            out.push_str(&text[at..hole.span.start]);
            out.push_str(&format!("${{{{ {} }}}}", self.expression(job, &hole.expr, 0)));
            at = hole.span.end;
        }
        out.push_str(&text[at..]);
        out
    }

    /// What stands behind `if`.
    pub(super) fn condition(&mut self, job: &Job<'_>, text: &str, page: &mut Page) -> Option<Condition> {
        let text = text.trim();
        let inner = match Template::parse(text) {
            Ok(it) if it.holes().count() == 1 && it.parts().len() == 1 => {
                it.holes().next().map_or_else(String::new, |it| it.source.clone())
            }
            _ => text.to_owned(),
        };
        match parse(&inner) {
            Ok(expr) => Some(Condition {
                text: self.expression(Some(job), &expr, 0),
                asks_status: expr.uses_status_function(),
            }),
            Err(why) => {
                page.leave_out(format!("the condition of a step of {}: {inner}: {}", job.name, why.message));
                None
            }
        }
    }

    fn expression(&mut self, job: Option<&Job<'_>>, expr: &Expr, depth: u32) -> String {
        let mut out = expr.source().to_owned();
        let mut references = expr.references();
        references.sort_by_key(|it| it.span.start);
        let mut limit = usize::MAX;
        for reference in references.into_iter().rev().filter(|it| !it.span.is_empty()) {
            if reference.span.end > limit {
                continue;
            }
            if let Some(ours) = self.reference(job, &reference, depth) {
                out.replace_range(reference.span.clone(), &ours);
                limit = reference.span.start;
            }
        }
        out
    }

    /// What stands for a reference; none when it is the same here.
    fn reference(&mut self, job: Option<&Job<'_>>, it: &Reference, depth: u32) -> Option<String> {
        let path: Vec<&str> = it.path.iter().map(String::as_str).collect();
        match (it.root.to_lowercase().as_str(), path.as_slice()) {
            ("inputs", [name, ..]) | ("github", ["event", "inputs", name]) => {
                Some(format!("inputs.{}", variable(name)))
            }
            ("github", ["actor" | "triggering_actor"]) => Some("run.actor".to_owned()),
            ("github", ["run_id"]) => Some("run.id".to_owned()),
            ("github", ["workflow"]) => Some("run.workflow".to_owned()),
            ("github", ["workspace"]) => Some("'.'".to_owned()),
            ("secrets", [name, ..]) => {
                self.secrets.insert((*name).to_owned());
                None
            }
            ("env" | "matrix" | "secrets", _) => None,
            ("steps", [given, what, rest @ ..]) => {
                let found = job.and_then(|it| it.step(given)).map(|it| (it.id.clone(), it.kind));
                Some(match found {
                    Some((id, kind)) => self.step(&id, kind, what, rest),
                    None => self.ask(&it.root, &path),
                })
            }
            ("needs", [name, what, rest @ ..]) => {
                let found = self.jobs.iter().find(|it| it.name.eq_ignore_ascii_case(name));
                let ours = found.and_then(|it| self.job(it, what, rest, depth));
                Some(ours.unwrap_or_else(|| self.ask(&it.root, &path)))
            }
            _ => Some(self.ask(&it.root, &path)),
        }
    }

    fn step(&mut self, id: &str, kind: Kind, what: &str, rest: &[&str]) -> String {
        match (what, rest) {
            ("outputs", [name, ..]) => {
                self.outputs.entry(id.to_owned()).or_default().insert((*name).to_owned());
                let place = if kind == Kind::ByHand { "form" } else { "outputs" };
                format!("steps.{id}.{place}.{name}")
            }
            ("outcome" | "conclusion", _) => format!("steps.{id}.result"),
            _ => format!("steps.{id}.{what}"),
        }
    }

    fn job(&mut self, job: &'a Job<'a>, what: &str, rest: &[&str], depth: u32) -> Option<String> {
        let last = job.steps.last()?;
        match (what, rest) {
            ("result", _) => Some(format!("steps.{}.result", last.id)),
            ("outputs", [name, ..])
                if matches!(last.kind, Kind::Called | Kind::ByHand) && job.body.contains_key("uses") =>
            {
                Some(self.step(&last.id, last.kind, "outputs", &[name]))
            }
            ("outputs", [name, ..]) if depth < DEPTH_MAX => {
                let said = foreign::text_at(foreign::map_at(job.body, "outputs")?, name)?;
                let template = Template::parse(&said).ok()?;
                match (template.parts().len(), template.holes().next()) {
                    (1, Some(hole)) => {
                        let ours = self.expression(Some(job), &hole.expr, depth + 1);
                        let is_one =
                            hole.expr.references().iter().any(|it| it.span.len() == hole.source.len());
                        Some(if is_one { ours } else { format!("({ours})") })
                    }
                    (_, None) => Some(format!("'{}'", said.replace('\'', "''"))),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// An input for what only GitHub knows.
    fn ask(&mut self, root: &str, path: &[&str]) -> String {
        let whole = std::iter::once(root).chain(path.iter().copied()).collect::<Vec<_>>().join(".");
        let name = variable(&whole);
        self.asked.insert(name.clone(), whole);
        format!("inputs.{name}")
    }

    /// The inputs that were made up.
    pub(super) fn inputs(&self) -> ValueMap {
        let known = |whole: &str| match whole.to_lowercase().as_str() {
            "runner.os" => "Linux",
            "github.event_name" => "workflow_dispatch",
            _ => "",
        };
        let field = |(name, whole): (&String, &String)| {
            let said = format!("What {whole} is at GitHub");
            (name.clone(), json!({"type": "string", "default": known(whole), "description": said}))
        };
        self.asked.iter().map(field).collect()
    }
}
