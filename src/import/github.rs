//! Workflows of GitHub Actions: every step of every job becomes a step. What only GitHub can do becomes a gate at which a person does
//! it by hand, what only GitHub knows an input, and what is there for its machines alone is left out and told.

mod handed;
mod jobs;
mod legs;
mod place;
mod top;
mod values;
mod words;
mod work;

use self::jobs::{Job, Kind, jobs};
use self::place::{elsewhere, labels};
use self::words::{Condition, Words, result};
use crate::page::{Imported, Page, all_of, in_order, one_line, without_holes};
use crate::{foreign, shapes};
use cuelight_base::{Value, ValueMap};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A workflow of GitHub Actions as a file of ours.
///
/// # Errors
/// Why it could not be read, as a whole sentence.
pub fn import_github(text: &str) -> Result<Imported, String> {
    let mut page = Page::new("a workflow of GitHub Actions");
    let root = foreign::document(text, &mut page)?;
    if !root.get("jobs").is_some_and(Value::is_object) {
        return Err("could not import a workflow of GitHub Actions: there are no `jobs`".to_owned());
    }
    shapes::check(&root, &shapes::GITHUB, "a workflow of GitHub Actions")?;
    let jobs = jobs(&root, &mut page)?;
    let mut import = Import {
        words: Words::new(&jobs),
        page,
        root: &root,
        ends: BTreeMap::new(),
        conditional: BTreeSet::new(),
    };
    import.top();
    if jobs.len() > 1 {
        // There a job that fails ends what needs it, and no other one.
        import.page.top.insert("on-failure".to_owned(), "continue".into());
    }
    for job in ordered(&jobs) {
        if import.page.is_full() {
            break;
        }
        import.job(job);
    }
    import.finish()
}

/// Jobs after those they need; those in a circle as they stand.
fn ordered<'a>(jobs: &'a [Job<'a>]) -> Vec<&'a Job<'a>> {
    let names: Vec<Vec<String>> = jobs.iter().map(|job| vec![job.name.to_owned()]).collect();
    let needs: Vec<Vec<String>> = jobs.iter().map(|job| job.needs.clone()).collect();
    in_order(&names, &needs).into_iter().map(|value| &jobs[value]).collect()
}

struct Import<'a> {
    page: Page,
    words: Words<'a>,
    root: &'a ValueMap,
    /// The steps to wait for, for each job that others need.
    ends: BTreeMap<&'a str, Vec<String>>,
    /// Jobs that may not run at all.
    conditional: BTreeSet<&'a str>,
}

impl<'a> Import<'a> {
    fn env(&mut self, job: Option<&Job<'_>>, of: &ValueMap) -> Option<Value> {
        if of.get("env").is_some_and(|env| !env.is_object()) {
            let of = job.map_or("the workflow", |job| job.name);
            self.page.leave_out(format!("`env` of {of}, which is an expression: name each variable"));
        }
        let pairs =
            foreign::map_at(of, "env")?.iter().filter_map(|(key, value)| Some((key, foreign::text(value)?)));
        let env: ValueMap = pairs
            .map(|(key, text)| (key.clone(), self.words.text(job, &text, &mut self.page).into()))
            .collect();
        Some(Value::Object(env))
    }

    fn job(&mut self, job: &'a Job<'a>) {
        self.machines(job);
        let mut waits: Vec<String> = Vec::new();
        for need in &job.needs {
            match self.ends.get(need.as_str()) {
                Some(ends) => waits
                    .extend(ends.iter().filter(|text| !waits.contains(text)).cloned().collect::<Vec<_>>()),
                None => self
                    .page
                    .leave_out(format!("{} needs {need}, which is no job that comes before it", job.name)),
            }
        }
        let whole = self.condition_of(job);
        let mut done: Vec<String> = Vec::new();
        let mut gates: Vec<String> = Vec::new();
        let mut handing: Vec<String> = Vec::new();
        let mut needed = labels(&mut self.words, job, &mut self.page);
        // The copies of other machines hold up nobody but what needs the job.
        let away = job.steps.iter().find(|step| step.kind == Kind::Away);
        if let Some(step) = away {
            let mut keys = self.step(job, step);
            if let Some(condition) = &whole {
                keys.insert("if".to_owned(), condition.text.clone().into());
            }
            self.page.step(&step.id, &waits, keys);
        }
        for step in job.steps.iter().filter(|step| step.kind != Kind::Away) {
            if self.page.is_full() {
                break;
            }
            let own = foreign::text_at(step.body, "if").filter(|_| !std::ptr::eq(step.body, job.body));
            let own = own.map(|text| self.words.condition(job, &text, &mut self.page));
            let condition = together(whole.as_ref(), own.as_ref(), &done, &gates);
            let mut keys = self.step(job, step);
            self.handed(job, step, &mut handing, &mut keys);
            // One step of a job is enough: a run is refused as a whole.
            if !keys.contains_key("gate") && !needed.is_empty() {
                keys.insert("requires".to_owned(), json!({"labels": std::mem::take(&mut needed)}));
            }
            if step.is_before_the_job() {
                gates.push(step.id.clone());
            }
            // Whatever runs in spite of what came before it does not stand for that.
            let stands_alone = own.is_none() && whole.as_ref().is_none_or(|condition| !condition.asks_status);
            if let Some(condition) = condition {
                keys.insert("if".to_owned(), condition.into());
            }
            self.page.step(&step.id, &waits, keys);
            done.push(step.id.clone());
            if stands_alone {
                waits.clear();
            }
            waits.push(step.id.clone());
        }
        waits.extend(away.map(|away| away.id.clone()));
        self.ends.insert(job.name, waits);
    }

    /// The condition of a job. One that says nothing of what happened before runs when all it needs have done so; where one of those may not
    /// run at all, that has to be asked: what is skipped by its own condition stands in nobody's way here.
    fn condition_of(&mut self, job: &'a Job<'a>) -> Option<Condition> {
        let said = foreign::text_at(job.body, "if");
        let own = said.map(|text| self.words.condition(job, &text, &mut self.page));
        let asks_status = own
            .as_ref()
            .is_some_and(|condition| condition.asks_status && !condition.text.contains("success()"));
        let before = self.words.jobs.iter().filter(|item| job.needs.iter().any(|need| need == item.name));
        let before = before.filter(|job| !asks_status && self.conditional.contains(job.name));
        let before: Vec<String> = before.map(|job| format!("{} == 'success'", result(job))).collect();
        let asks = own.as_ref().is_some_and(|condition| condition.asks_status);
        let text = all_of(own.into_iter().map(|condition| condition.text).chain(before))?;
        self.conditional.insert(job.name);
        Some(Condition { text, asks_status: asks })
    }

    /// Reports the keys of a job that only GitHub's machines can follow.
    fn machines(&mut self, job: &Job<'_>) {
        let known = [
            "name",
            "needs",
            "permissions",
            "runs-on",
            "environment",
            "outputs",
            "env",
            "defaults",
            "if",
            "steps",
            "timeout-minutes",
            "strategy",
            "continue-on-error",
            "container",
            "services",
            "concurrency",
            "uses",
            "with",
            "secrets",
        ];
        self.page.leave_out_all_but(&known, job.body, job.name);
        self.defaults(job.body, job.name);
        if let Some(strategy) = foreign::map_at(job.body, "strategy") {
            let of = format!("the strategy of {}", job.name);
            self.page.leave_out_all_but(&["matrix", "max-parallel", "fail-fast"], strategy, &of);
            for key in ["max-parallel", "fail-fast"] {
                if strategy.get(key).is_some_and(Value::is_string) {
                    self.page.leave_out(format!("`{key}` of {of}, which is an expression: write its value"));
                }
            }
        }
        if let Some(container) = foreign::map_at(job.body, "container") {
            let of = format!("the container of {}", job.name);
            self.page.leave_out_all_but(&["image", "env"], container, &of);
        }
        for (name, service) in foreign::map_at(job.body, "services").into_iter().flatten() {
            let of = format!("the service {name} of {}", job.name);
            self.page.leave_out_all_but(&["image"], service.as_object().unwrap_or(&ValueMap::new()), &of);
        }
        if foreign::text_at(job.body, "timeout-minutes").is_some() {
            self.page
                .leave_out(format!("`timeout-minutes` of {} as a whole: it holds for each step", job.name));
        }
        for (key, instead) in [
            ("continue-on-error", "say `on-error` at its steps"),
            ("secrets", "a workflow that is called names its own"),
        ] {
            if job.body.contains_key(key) {
                self.page.leave_out(format!("`{key}` of {}: {instead}", job.name));
            }
        }
        if job.body.contains_key("strategy")
            && job.steps.iter().filter(|step| step.kind != Kind::Away).count() > 1
        {
            self.page.leave_out(format!(
                "a directory for each copy of {}: its copies share one here, and each step waits for all copies of the one before and is judged with them",
                job.name
            ));
        }
    }

    fn environment(&mut self, job: &Job<'_>) -> ValueMap {
        let said = job.body.get("environment");
        let name = said.and_then(|environment| {
            foreign::text(environment).or_else(|| foreign::text_at(environment.as_object()?, "name"))
        });
        let name = self.words.text(Some(job), &name.unwrap_or_default(), &mut self.page);
        self.page.leave_out(format!(
            "the rules of the environment {} of {}: say under `require` who must agree",
            without_holes(&name),
            job.name
        ));
        if let Some(said) = said.and_then(Value::as_object) {
            self.page.leave_out_all_but(&["name"], said, &format!("the environment of {}", job.name));
        }
        let name = if name.is_empty() { "its environment" } else { &name };
        asks(&format!(
            "Go on with {} in {name}? Its reviewers, its wait and its branches are rules of GitHub, and do not hold here",
            job.name
        ))
    }

    /// A concurrency group of a job, which nothing here holds: a person looks after it.
    fn group(&mut self, job: &Job<'_>) -> ValueMap {
        let said = job.body.get("concurrency");
        let name = said.and_then(|concurrency| {
            foreign::text(concurrency).or_else(|| foreign::text_at(concurrency.as_object()?, "group"))
        });
        let name = self.words.text(Some(job), &one_line(&name.unwrap_or_default()), &mut self.page);
        if let Some(said) = said.and_then(Value::as_object) {
            self.page.leave_out_all_but(&["group"], said, &format!("the concurrency group of {}", job.name));
        }
        self.page.leave_out(format!(
            "`concurrency` of {}: whether nothing else of its group is under way is asked before",
            job.name
        ));
        asks(&format!("Is nothing else under way in the group {name}, so that {} may begin?", job.name))
    }

    /// A job that runs somewhere else at GitHub: whether it may run here is asked.
    fn machine(&mut self, job: &Job<'_>) -> ValueMap {
        let place = one_line(&elsewhere(job.body, job.legs.is_some()).unwrap_or_default());
        self.page.leave_out(format!(
            "{} runs {}: whether it runs on this machine is asked before",
            job.name,
            without_holes(&place)
        ));
        let place = self.words.text(Some(job), &place, &mut self.page);
        asks(&format!(
            "Run {} on this machine, with its files, rights and network? At GitHub it runs {place}",
            job.name
        ))
    }

    /// The copies of a job; a gate asks once for all of them.
    fn copies(&mut self, job: &Job<'_>, keys: &mut ValueMap) {
        let Some(strategy) = foreign::map_at(job.body, "strategy") else { return };
        let Some(said) = strategy.get("matrix") else { return };
        let said = job.legs.as_ref().map_or(said, |legs| &legs.matrix);
        let mut matrix = self.rewritten(job, said);
        let more = ["max-parallel", "fail-fast"].into_iter();
        let more: ValueMap = more
            .filter_map(|key| {
                Some((key.to_owned(), strategy.get(key).filter(|value| !value.is_string())?.clone()))
            })
            .collect();
        match matrix.as_object_mut() {
            Some(axes) => {
                axes.extend(more);
                keys.insert("matrix".to_owned(), matrix);
            }
            None if more.is_empty() => drop(keys.insert("matrix".to_owned(), matrix)),
            None => {
                let mut strategy = json!({"matrix": matrix});
                more.into_iter().for_each(|(key, value)| strategy[key] = value);
                keys.insert("strategy".to_owned(), strategy);
            }
        }
        if let Some(gate) = keys.get_mut("gate") {
            gate["scope"] = "matrix".into();
        }
    }

    /// A value with all texts in it.
    fn rewritten(&mut self, job: &Job<'_>, value: &Value) -> Value {
        match value {
            Value::String(text) => self.words.text(Some(job), text, &mut self.page).into(),
            Value::Array(items) => items.iter().map(|item| self.rewritten(job, item)).collect(),
            Value::Object(pairs) => pairs
                .iter()
                .map(|(key, pair)| (key.clone(), self.rewritten(job, pair)))
                .collect::<ValueMap>()
                .into(),
            other => other.clone(),
        }
    }

    fn finish(mut self) -> Result<Imported, String> {
        for step in &mut self.page.steps {
            let id = step.get("id").and_then(Value::as_str).unwrap_or_default();
            let Some(names) = self.words.outputs.get(id) else { continue };
            if let Some(gate) = step.get_mut("gate") {
                gate["form"] = names
                    .iter()
                    .map(|name| (name.clone(), json!({"type": "string"})))
                    .collect::<ValueMap>()
                    .into();
            } else if step.contains_key("run") {
                let types = names.iter().map(|name| (name.clone(), "string".into())).collect::<ValueMap>();
                step.insert("outputs".to_owned(), types.into());
            }
        }
        self.permissions();
        for job in std::mem::take(&mut self.words.first_copies) {
            self.page.leave_out(format!(
                "the outputs of {job}, which has copies: other jobs read those of its first copy"
            ));
        }
        if !self.words.asked.is_empty() {
            let names: Vec<&str> = self.words.asked.values().map(|asked| asked.whole.as_str()).collect();
            self.page.leave_out(format!("{}: give them as inputs", names.join(", ")));
            let asked = self.words.inputs();
            let inputs = self.page.top.entry("inputs").or_insert_with(|| json!({}));
            for (name, field) in asked {
                inputs[name] = field;
            }
        }
        if !self.words.secrets.is_empty() {
            self.page.top.insert("secrets".to_owned(), json!(self.words.secrets));
        }
        self.page.finish()
    }
}

/// The condition of a job and that of a step. Where the job runs whatever happened before it, its steps still wait for each other.
fn together(
    job: Option<&Condition>,
    own: Option<&Condition>,
    done: &[String],
    gates: &[String],
) -> Option<String> {
    let mut parts: Vec<String> = [job, own].into_iter().flatten().map(|job| job.text.clone()).collect();
    if job.is_some_and(|job| job.asks_status) && own.is_none_or(|condition| !condition.asks_status) {
        parts.extend(done.iter().map(|text| format!("steps.{text}.result != 'failure'")));
    }
    // Where somebody said no before a job, nothing of it runs, whatever its steps say.
    if [job, own].into_iter().flatten().any(|job| job.asks_status) {
        parts.extend(gates.iter().map(|gate| format!("steps.{gate}.result == 'success'")));
    }
    all_of(parts)
}

/// The keys of a gate at which a person is asked.
fn asks(prompt: &str) -> ValueMap {
    ValueMap::from_iter([("gate".to_owned(), json!({"prompt": prompt, "risk": "externally-reversible"}))])
}
