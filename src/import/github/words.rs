//! Expressions of GitHub in ours. What a job or a step yielded is asked of the step that yields it here. A
//! value that only GitHub knows becomes an input: the person who starts the run gives it.

use super::jobs::{Job, Kind, Step};
use crate::{
    foreign,
    page::{Page, variable, without_holes},
};
use cuelight_base::ValueMap;
use cuelight_expression::{Expr, Reference, Template, parse};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Outputs of jobs that are outputs of jobs: so many times …
const DEPTH_MAX: u32 = 8;
/// … so many in all …
const LOOKED_UP_MAX: u32 = 10_000;
/// … and so long, in characters.
const EXPRESSION_CHARS: usize = 4_000;

/// The translation of expressions, with its findings.
#[derive(Debug)]
pub(super) struct Words<'a> {
    pub(super) jobs: &'a [Job<'a>],
    /// Inputs that stand for what only GitHub knows, by name.
    pub(super) asked: BTreeMap<String, Asked>,
    pub(super) secrets: BTreeSet<String>,
    /// Outputs that somebody reads, by step.
    pub(super) outputs: BTreeMap<String, BTreeSet<String>>,
    /// The number of outputs of jobs that were looked up so far, at most `LOOKED_UP_MAX`.
    looked_up: u32,
    /// True while a condition is being read.
    in_condition: bool,
    /// The name of the workflow, where an expression can read nothing of the run.
    pub(super) group_of: Option<String>,
    /// True if another job reads the output.
    from_outside: bool,
    /// Jobs with copies whose outputs other jobs read.
    pub(super) first_copies: BTreeSet<String>,
}

/// The value of GitHub that an input stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The name at GitHub: `github.ref`.
    pub(super) whole: String,
    /// True if a condition reads it: the input is then required, unless its value is known.
    is_decisive: bool,
}

/// A condition, and whether it says itself what happened before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) text: String,
    pub(super) asks_status: bool,
}

impl<'a> Words<'a> {
    pub(super) fn new(jobs: &'a [Job<'a>]) -> Self {
        Self {
            jobs,
            asked: BTreeMap::new(),
            secrets: BTreeSet::new(),
            outputs: BTreeMap::new(),
            looked_up: 0,
            in_condition: false,
            group_of: None,
            from_outside: false,
            first_copies: BTreeSet::new(),
        }
    }

    /// A text with holes, in a job or above all of them.
    pub(super) fn text(&mut self, job: Option<&Job<'_>>, text: &str, page: &mut Page) -> String {
        let template = match Template::parse(text) {
            Ok(template) => template,
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

    /// A text with holes, as one expression.
    pub(super) fn bare(&mut self, job: &Job<'_>, text: &str, page: &mut Page) -> String {
        let ours = self.text(Some(job), text, page);
        let Ok(template) = Template::parse(&ours) else { return format!("'{}'", ours.replace('\'', "''")) };
        let holes: Vec<String> = template.holes().map(|hole| hole.source.trim().to_owned()).collect();
        if template.parts().len() == 1 && holes.len() == 1 {
            return holes.concat();
        }
        let mut shape = String::new();
        let (mut at, escaped) =
            (0, |text: &str| text.replace('{', "{{").replace('}', "}}").replace('\'', "''"));
        for (place, hole) in template.holes().enumerate() {
            shape.push_str(&escaped(&ours[at..hole.span.start]));
            shape.push_str(&format!("{{{place}}}"));
            at = hole.span.end;
        }
        shape.push_str(&escaped(&ours[at..]));
        format!("format('{shape}', {})", holes.join(", "))
    }

    /// The condition behind `if`. An unreadable one keeps its step from running, since a missing step is
    /// noticed.
    pub(super) fn condition(&mut self, job: &Job<'_>, text: &str, page: &mut Page) -> Condition {
        let text = text.trim();
        let inner = match Template::parse(text) {
            Ok(template) if template.holes().count() == 1 && template.parts().len() == 1 => {
                template.holes().next().map_or_else(String::new, |hole| hole.source.clone())
            }
            _ => text.to_owned(),
        };
        match parse(&inner) {
            Ok(expr) => {
                self.in_condition = true;
                let text = self.expression(Some(job), &expr, 0);
                self.in_condition = false;
                Condition { text, asks_status: expr.uses_status_function() }
            }
            Err(why) => {
                page.leave_out(format!(
                    "when a step of {} runs, {inner}: it does not until that is written under `if` ({})",
                    job.name, why.message
                ));
                Condition { text: "false".to_owned(), asks_status: false }
            }
        }
    }

    fn expression(&mut self, job: Option<&Job<'_>>, expr: &Expr, depth: u32) -> String {
        let mut out = expr.source().to_owned();
        let mut references = expr.references();
        references.sort_by_key(|reference| reference.span.start);
        let mut limit = usize::MAX;
        for reference in references.into_iter().rev().filter(|reference| !reference.span.is_empty()) {
            if reference.span.end > limit {
                continue;
            }
            // All jobs that are needed at once.
            const ALL: &str = ".*.result";
            let behind = &out[reference.span.end..];
            let is_all = reference.root.eq_ignore_ascii_case("needs")
                && reference.path.is_empty()
                && behind.starts_with(ALL);
            let (ours, end) = if is_all {
                (job.map(|job| self.results(job)), reference.span.end + ALL.len())
            } else {
                (self.reference(job, &reference, depth), reference.span.end)
            };
            if let Some(ours) = ours {
                out.replace_range(reference.span.start..end, &ours);
                limit = reference.span.start;
            }
        }
        out
    }

    /// The translation of a reference; none if it is the same here.
    fn reference(&mut self, job: Option<&Job<'_>>, reference: &Reference, depth: u32) -> Option<String> {
        let path: Vec<&str> = reference.path.iter().map(String::as_str).collect();
        match (reference.root.to_lowercase().as_str(), path.as_slice()) {
            ("inputs", [name, ..]) | ("github", ["event", "inputs", name]) => {
                Some(format!("inputs.{}", variable(name)))
            }
            ("github", ["actor" | "triggering_actor"]) => Some("run.actor".to_owned()),
            ("github", ["run_id"]) => Some("run.id".to_owned()),
            ("github", ["workflow"]) => Some(match &self.group_of {
                Some(name) => format!("'{}'", name.replace('\'', "''")),
                None => "run.workflow".to_owned(),
            }),
            ("github", ["workspace"]) => Some("'.'".to_owned()),
            ("github", ["token"]) => {
                self.secrets.insert("GITHUB_TOKEN".to_owned());
                Some("secrets.GITHUB_TOKEN".to_owned())
            }
            ("secrets", [name, ..]) => {
                self.secrets.insert((*name).to_owned());
                None
            }
            ("env" | "matrix" | "secrets", _) | ("strategy", ["job-index" | "job-total"]) => None,
            ("steps", [given, what, rest @ ..]) => Some(match job.and_then(|job| job.step(given)) {
                // Its outputs are lists here, one item for each copy of the job.
                Some(step) if *what == "outputs" && !rest.is_empty() => {
                    let index = job.map_or("", |job| self.index(job, step));
                    format!("{}{index}", self.step(step, what, rest))
                }
                Some(step) => self.step(step, what, rest),
                None => self.ask(&reference.root, &path),
            }),
            ("needs" | "jobs", [name, what, rest @ ..]) => {
                let found = self.jobs.iter().find(|job| job.name.eq_ignore_ascii_case(name));
                let ours = found.and_then(|job| self.job(job, what, rest, depth));
                Some(ours.unwrap_or_else(|| self.ask(&reference.root, &path)))
            }
            _ => Some(self.ask(&reference.root, &path)),
        }
    }

    fn step(&mut self, step: &Step<'_>, what: &str, rest: &[&str]) -> String {
        let id = &step.id;
        match (what, rest) {
            ("outputs", [name, ..]) => {
                self.outputs.entry(id.clone()).or_default().insert((*name).to_owned());
                let place = if step.kind == Kind::ByHand { "form" } else { "outputs" };
                format!("steps.{id}.{place}.{name}")
            }
            // One that may fail is skipped here when it has: that it was called tells it from one that was not due.
            ("outcome" | "conclusion", _) if step.may_fail() => {
                let word = if what == "outcome" { "failure" } else { "success" };
                format!(
                    "(steps.{id}.result == 'skipped' && steps.{id}.attempts > 0 && '{word}' || steps.{id}.result)"
                )
            }
            ("outcome" | "conclusion", _) => format!("steps.{id}.result"),
            _ => format!("steps.{id}.{what}"),
        }
    }

    fn job(&mut self, job: &'a Job<'a>, what: &str, rest: &[&str], depth: u32) -> Option<String> {
        let last = job.steps.last()?;
        self.looked_up += 1;
        match (what, rest) {
            ("result", _) => Some(result(job)),
            ("outputs", [name, ..])
                if matches!(last.kind, Kind::Called | Kind::ByHand) && job.body.contains_key("uses") =>
            {
                Some(format!("{}{}", self.step(last, "outputs", &[name]), self.first(job, last)))
            }
            ("outputs", [name, ..]) if depth < DEPTH_MAX && self.looked_up < LOOKED_UP_MAX => {
                let said = foreign::text_at(foreign::map_at(job.body, "outputs")?, name)?;
                let template = Template::parse(&said).ok()?;
                match (template.parts().len(), template.holes().next()) {
                    (1, Some(hole)) => {
                        let was_outside = std::mem::replace(&mut self.from_outside, true);
                        let ours = self.expression(Some(job), &hole.expr, depth + 1);
                        self.from_outside = was_outside;
                        let is_one = hole
                            .expr
                            .references()
                            .iter()
                            .any(|reference| reference.span.len() == hole.source.len());
                        let ours = if is_one { ours } else { format!("({ours})") };
                        (ours.len() <= EXPRESSION_CHARS).then_some(ours)
                    }
                    (_, None) => Some(format!("'{}'", said.replace('\'', "''"))),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The item of a list of outputs that an expression means; a gate is answered once for all copies.
    fn index(&mut self, job: &Job<'_>, step: &Step<'_>) -> &'static str {
        match (self.from_outside, step.kind) {
            _ if !job.is_copied() || step.kind == Kind::ByHand => "",
            (true, _) => self.first(job, step),
            (false, _) => "[strategy.job-index]",
        }
    }

    /// The first copy, where another job reads what a job with copies yields.
    fn first(&mut self, job: &Job<'_>, step: &Step<'_>) -> &'static str {
        if !job.is_copied() || step.kind == Kind::ByHand {
            return "";
        }
        self.first_copies.insert(job.name.to_owned());
        "[0]"
    }

    /// The results of all jobs that a job needs, as a list.
    fn results(&self, job: &Job<'_>) -> String {
        let all: Vec<String> = self
            .jobs
            .iter()
            .filter(|item| job.needs.iter().any(|need| need == item.name))
            .map(result)
            .collect();
        let places: Vec<String> = (0..all.len()).map(|index| format!("\"{{{index}}}\"")).collect();
        match all.as_slice() {
            [] => "fromJSON('[]')".to_owned(),
            _ => format!("fromJSON(format('[{}]', {}))", places.join(","), all.join(", ")),
        }
    }

    /// An input for what only GitHub knows.
    fn ask(&mut self, root: &str, path: &[&str]) -> String {
        let whole = std::iter::once(root).chain(path.iter().copied()).collect::<Vec<_>>().join(".");
        let name = variable(&whole);
        let asked = self.asked.entry(name.clone()).or_insert(Asked { whole, is_decisive: false });
        asked.is_decisive |= self.in_condition;
        format!("inputs.{name}")
    }

    /// The inputs that were made up.
    pub(super) fn inputs(&self) -> ValueMap {
        let known = |whole: &str| match whole.to_lowercase().as_str() {
            "runner.os" => Some("Linux"),
            "github.event_name" => Some("workflow_dispatch"),
            _ => None,
        };
        let field = |(name, asked): (&String, &Asked)| {
            let said = format!("What {} is at GitHub", asked.whole);
            let mut field = json!({"type": "string", "description": said});
            match known(&asked.whole) {
                // What decides what runs is not left to chance.
                None if asked.is_decisive => field["required"] = true.into(),
                value => field["default"] = value.unwrap_or_default().into(),
            }
            (name.clone(), field)
        };
        self.asked.iter().map(field).collect()
    }
}

/// The result of a job: failed as soon as one step failed.
pub(super) fn result(job: &Job<'_>) -> String {
    let any = |word: &str| {
        let all: Vec<String> =
            job.steps.iter().map(|step| format!("steps.{}.result == '{word}'", step.id)).collect();
        format!("({})", all.join(" || "))
    };
    match job.steps.as_slice() {
        [one] => format!("steps.{}.result", one.id),
        _ => format!(
            "({} && 'failure' || {} && 'cancelled' || {} && 'success' || 'skipped')",
            any("failure"),
            any("cancelled"),
            any("success")
        ),
    }
}
