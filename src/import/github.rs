//! Workflows of GitHub Actions: every step of every job becomes a step. What only GitHub can do becomes a gate at which a person does
//! it by hand, what only GitHub knows an input, and what is there for its machines alone is left out and told.

mod handed;
mod jobs;
mod legs;
mod place;
mod values;
mod words;

use self::{
    jobs::{Job, Kind, Step, jobs, raised},
    place::{elsewhere, labels},
    values::{field, shell, short_version, variables},
    words::{Condition, Words, result},
};
use super::{
    foreign,
    page::{Imported, Page, all_of, in_order, one_line, variable, without_holes},
    shapes,
};
use cuelight_base::{Value, ValueMap, shorten};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The default shell of GitHub:
/// <https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax>.
const SHELL: &str = "bash -e -c";
/// The length of each value of an action's `with` in a question, in characters.
const GIVEN_CHARS: usize = 80;

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
    fn top(&mut self) {
        let name = foreign::text_at(self.root, "name").unwrap_or_else(|| "imported".to_owned());
        self.page.top.insert("name".to_owned(), one_line(&without_holes(&name)).into());
        // `on` is a word in YAML 1.2, and `true` to whoever wrote the file with YAML 1.1 in mind.
        self.starts();
        if let Some(env) = self.env(None, self.root) {
            self.page.top.insert("env".to_owned(), env);
        }
        if let Some(said) = self.root.get("concurrency") {
            self.concurrency(said, &name);
        } else if let Some(job) = raised(self.root) {
            self.page.leave_out(format!("`concurrency` of {job} alone: its group holds for the whole run"));
            let said = self.root["jobs"][job]["concurrency"].clone();
            self.concurrency(&said, &name);
        }
        let known = ["name", "on", "true", "env", "defaults", "concurrency", "jobs", "permissions"];
        self.page.leave_out_all_but(&known, self.root, "the workflow");
        self.defaults(self.root, "the workflow");
        let run =
            foreign::map_at(self.root, "defaults").and_then(|defaults| foreign::map_at(defaults, "run"));
        let shell = run
            .and_then(|run| foreign::text_at(run, "shell"))
            .and_then(|text| shell(&text))
            .unwrap_or_else(|| SHELL.to_owned());
        let mut defaults = json!({"shell": shell});
        if let Some(dir) = run.and_then(|run| foreign::text_at(run, "working-directory")) {
            defaults["working-directory"] = self.words.text(None, &dir, &mut self.page).into();
        }
        self.page.top.insert("defaults".to_owned(), defaults);
    }

    /// Names the defaults that nothing stands for.
    fn defaults(&mut self, of: &ValueMap, whose: &str) {
        let Some(defaults) = foreign::map_at(of, "defaults") else { return };
        let whose = format!("the defaults of {whose}");
        self.page.leave_out_all_but(&["run"], defaults, &whose);
        if let Some(run) = foreign::map_at(defaults, "run") {
            self.page.leave_out_all_but(&["shell", "working-directory"], run, &whose);
        }
    }

    fn starts(&mut self) {
        let on = self.root.get("on");
        let events: Vec<String> = match on {
            Some(Value::Object(keys)) => keys.keys().cloned().collect(),
            other => foreign::texts(other),
        };
        let others: Vec<&str> = events
            .iter()
            .map(String::as_str)
            .filter(|event| !["workflow_dispatch", "workflow_call", "schedule"].contains(event))
            .collect();
        if !others.is_empty() {
            self.page.leave_out(format!(
                "starts on {}: start it by hand, or from a hook with `cuelight run`",
                others.join(", ")
            ));
        }
        let Some(on) = on.and_then(Value::as_object) else { return };
        let crons: Vec<Value> = foreign::maps_at(on, "schedule")
            .filter_map(|map| {
                let mut out = json!({"cron": foreign::text_at(map, "cron")?});
                if let Some(zone) = foreign::text_at(map, "timezone") {
                    out["timezone"] = zone.into();
                }
                Some(out)
            })
            .collect();
        for map in foreign::maps_at(on, "schedule") {
            self.page.leave_out_all_but(&["cron", "timezone"], map, "the schedule");
        }
        if !crons.is_empty() {
            self.page.top.insert("on".to_owned(), json!({"schedule": crons}));
        }
        let mut inputs = ValueMap::new();
        for door in ["workflow_dispatch", "workflow_call"] {
            let Some(door) = foreign::map_at(on, door) else { continue };
            self.page.leave_out_all_but(&["inputs", "outputs", "secrets"], door, "the way it is called");
            for (name, said) in foreign::map_at(door, "inputs").into_iter().flatten() {
                let empty = ValueMap::new();
                let said = said.as_object().unwrap_or(&empty);
                let known = ["type", "description", "options", "default", "required"];
                self.page.leave_out_all_but(&known, said, &format!("the input {name}"));
                if said.get("type").and_then(Value::as_str) == Some("environment") {
                    self.page
                        .leave_out(format!("`type: environment` of the input {name}: it takes any text"));
                }
                inputs.insert(variable(name), field(said));
            }
            self.words.secrets.extend(
                foreign::map_at(door, "secrets").into_iter().flat_map(|secrets| secrets.keys().cloned()),
            );
            let outputs = foreign::map_at(door, "outputs").into_iter().flatten();
            let outputs: ValueMap = outputs
                .filter_map(|(name, output)| {
                    Some((variable(name), foreign::text_at(output.as_object()?, "value")?))
                })
                .map(|(name, value)| (name, self.words.text(None, &value, &mut self.page).into()))
                .collect();
            if !outputs.is_empty() {
                self.page.top.insert("outputs".to_owned(), Value::Object(outputs));
            }
        }
        if !inputs.is_empty() {
            self.page.top.insert("inputs".to_owned(), Value::Object(inputs));
        }
    }

    fn concurrency(&mut self, said: &Value, name: &str) {
        let group = foreign::text(said).or_else(|| foreign::text_at(said.as_object()?, "group"));
        let Some(group) = group else {
            return self.page.leave_out("`concurrency`, which names no `group`");
        };
        self.words.group_of = Some(name.to_owned());
        let group = self.words.text(None, &group, &mut self.page);
        self.words.group_of = None;
        let cancels = said.get("cancel-in-progress") == Some(&Value::Bool(true));
        if let Some(said) = said.as_object() {
            self.page.leave_out_all_but(&["group", "cancel-in-progress"], said, "the concurrency group");
            if said.get("cancel-in-progress").is_some_and(|progress| !progress.is_boolean()) {
                self.page.leave_out(
                    "`cancel-in-progress`, which is an expression: a run waits for the one before",
                );
            }
        }
        let on_conflict = if cancels { "cancel-running" } else { "queue" };
        self.page.top.insert("concurrency".to_owned(), json!({"group": group, "on-conflict": on_conflict}));
    }

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

    fn step(&mut self, job: &Job<'_>, step: &Step<'_>) -> ValueMap {
        let mut keys = match step.kind {
            Kind::Script => self.script(job, step),
            Kind::ByHand => self.by_hand(job, step),
            Kind::Environment => self.environment(job),
            Kind::Machine => self.machine(job),
            Kind::Group => self.group(job),
            Kind::Away => self.away(job, step),
            Kind::Nothing => ValueMap::from_iter([("wait".to_owned(), "0s".into())]),
            Kind::Called => self.called(job, step),
        };
        if !matches!(step.kind, Kind::Nothing | Kind::Away) {
            self.copies(job, &mut keys);
        }
        if !step.is_of_the_job() {
            let names = [Some(job.body), (!std::ptr::eq(step.body, job.body)).then_some(step.body)];
            let names = names.into_iter().flatten().filter_map(|body| foreign::text_at(body, "name"));
            let name = names.collect::<Vec<_>>().join(": ");
            if !name.is_empty() {
                keys.insert("name".to_owned(), self.words.text(Some(job), &name, &mut self.page).into());
            }
            if step.may_fail() {
                keys.insert("on-error".to_owned(), "skip".into());
            } else if step.body.get("continue-on-error").is_some_and(Value::is_string) {
                self.page.leave_out(format!("`continue-on-error` of {}: say it under `on-error`", step.id));
            }
        }
        keys
    }

    fn script(&mut self, job: &Job<'_>, step: &Step<'_>) -> ValueMap {
        let script = foreign::text_at(step.body, "run").unwrap_or_default();
        if script.contains("::set-output") {
            self.page
                .leave_out(format!("::set-output in {}: write to $GITHUB_OUTPUT, which is there", step.id));
        }
        let known = [
            "id",
            "if",
            "name",
            "run",
            "working-directory",
            "shell",
            "env",
            "continue-on-error",
            "timeout-minutes",
            "background",
        ];
        self.page.leave_out_all_but(&known, step.body, &step.id);
        let mut keys = ValueMap::new();
        keys.insert("run".to_owned(), self.words.text(Some(job), &script, &mut self.page).into());
        let run = foreign::map_at(job.body, "defaults").and_then(|defaults| foreign::map_at(defaults, "run"));
        let said = |key: &str| foreign::text_at(step.body, key).or_else(|| foreign::text_at(run?, key));
        if let Some(given) = said("shell").and_then(|text| shell(&text)) {
            keys.insert("shell".to_owned(), given.into());
        }
        if let Some(dir) = said("working-directory") {
            keys.insert(
                "working-directory".to_owned(),
                self.words.text(Some(job), &dir, &mut self.page).into(),
            );
        }
        let mut env = self.known(job, &script);
        let container = foreign::map_at(job.body, "container");
        for of in container.into_iter().chain([job.body, step.body]) {
            for (key, field) in
                self.env(Some(job), of).as_ref().and_then(Value::as_object).into_iter().flatten()
            {
                env[key] = field.clone();
            }
        }
        if env.as_object().is_some_and(|fields| !fields.is_empty()) {
            keys.insert("env".to_owned(), env);
        }
        let minutes = |of: &ValueMap| {
            foreign::text_at(of, "timeout-minutes")
                .filter(|timeout_minutes| timeout_minutes.parse::<u32>().is_ok_and(|number| number > 0))
        };
        for (of, whose) in [(step.body, step.id.as_str()), (job.body, job.name)] {
            if of.contains_key("timeout-minutes") && minutes(of).is_none() {
                self.page.leave_out(format!("`timeout-minutes` of {whose}: say it as `timeout`"));
            }
        }
        if let Some(minutes) = minutes(step.body).or_else(|| minutes(job.body)) {
            keys.insert("timeout".to_owned(), format!("{minutes}m").into());
        }
        keys
    }

    /// The variables that GitHub sets and this script reads.
    fn known(&mut self, job: &Job<'_>, script: &str) -> Value {
        let mut env = json!({});
        for name in variables(script) {
            env[name] = match name.split_once('_') {
                _ if ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH"].contains(&name) => continue,
                _ if name == "GITHUB_STEP_SUMMARY" => "/dev/stdout".into(),
                _ if name == "GITHUB_TOKEN" => {
                    self.words.text(Some(job), "${{ github.token }}", &mut self.page).into()
                }
                Some((context, field)) => {
                    let hole = format!("${{{{ {}.{} }}}}", context.to_lowercase(), field.to_lowercase());
                    self.words.text(Some(job), &hole, &mut self.page).into()
                }
                None => continue,
            };
        }
        env
    }

    /// An action that only GitHub has: what it does is done by hand, and what it yields is told at the gate.
    fn by_hand(&mut self, job: &Job<'_>, step: &Step<'_>) -> ValueMap {
        let other =
            ["background", "parallel", "cancel", "run"].into_iter().find(|key| step.body.contains_key(*key));
        let action = foreign::text_at(step.body, "uses").unwrap_or_else(|| {
            let what = foreign::text_at(step.body, "name").or_else(|| foreign::text_at(step.body, "run"));
            let what = shorten(&one_line(&without_holes(&what.unwrap_or_default())), GIVEN_CHARS);
            format!("the `{}` step {what}", other.unwrap_or("unknown")).trim_end().to_owned()
        });
        let known: &[&str] = if std::ptr::eq(step.body, job.body) {
            &[
                "name",
                "needs",
                "if",
                "uses",
                "with",
                "permissions",
                "secrets",
                "strategy",
                "concurrency",
                "continue-on-error",
            ]
        } else {
            &["id", "if", "name", "uses", "with", "continue-on-error"]
        };
        self.page.leave_out_all_but(known, step.body, &step.id);
        self.with(step);
        let with = foreign::map_at(step.body, "with").into_iter().flatten();
        let given: Vec<String> = with
            .filter_map(|(key, value)| Some((key, foreign::text(value)?)))
            .map(|(key, text)| {
                if text.contains("secrets.") {
                    return format!("{key}: a secret");
                }
                let said = one_line(&self.words.text(Some(job), &text, &mut self.page));
                // A hole that is cut off would not be read.
                let said = if said.chars().count() <= GIVEN_CHARS { &said } else { "see the workflow" };
                format!("{key}: {said}")
            })
            .collect();
        let given = if given.is_empty() { String::new() } else { format!(" ({})", given.join(", ")) };
        let action = short_version(&action);
        self.page.leave_out(format!(
            "{action}: {} asks whether it was done by hand; put a script or a tool in its place",
            step.id
        ));
        let prompt = format!("Has what {action} does been done by hand?{given}");
        asks(&prompt)
    }

    fn with(&mut self, step: &Step<'_>) {
        if step.body.get("with").is_some_and(|value| !value.is_object()) {
            self.page.leave_out(format!("`with` of {}, which is an expression: write its values", step.id));
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

    /// The copies of a job that run on other machines: a person says whether they did.
    fn away(&mut self, job: &Job<'_>, step: &Step<'_>) -> ValueMap {
        let Some(legs) = &job.legs else { return ValueMap::new() };
        let copies = legs.away_of(job.name);
        self.page.leave_out(format!(
            "{copies}: not run here, and {} asks whether that has passed elsewhere",
            step.id
        ));
        if Value::Object(job.body.clone()).to_string().contains("strategy.job-") {
            self.page.leave_out(format!(
                "`strategy.job-index` and `strategy.job-total` of {}: they count the copies that run here",
                job.name
            ));
        }
        asks(&format!("Passed on another machine: {copies}?"))
    }

    fn called(&mut self, job: &Job<'_>, step: &Step<'_>) -> ValueMap {
        let path = foreign::text_at(step.body, "uses").unwrap_or_default();
        let leaf = path.rsplit('/').next().unwrap_or_default();
        let stem = leaf.trim_end_matches(".yml").trim_end_matches(".yaml");
        self.page.leave_out(format!("{path} itself: import it too, as {stem}.yaml beside this file"));
        let mut keys = ValueMap::from_iter([("workflow".to_owned(), format!("./{stem}.yaml").into())]);
        self.with(step);
        if let Some(with) = foreign::map_at(step.body, "with") {
            let words = &mut self.words;
            let page = &mut self.page;
            let with: ValueMap = with
                .iter()
                .map(|(key, value)| {
                    (
                        variable(key),
                        foreign::text(value)
                            .map_or_else(|| value.clone(), |text| words.text(Some(job), &text, page).into()),
                    )
                })
                .collect();
            keys.insert("with".to_owned(), Value::Object(with));
        }
        keys
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

    /// Adds a gate that asks about the permissions of GitHub's token before a step gets it. They cannot be
    /// enforced here.
    fn permissions(&mut self) {
        let of_all = self.root.get("permissions");
        let mut said: Vec<String> = Vec::new();
        for job in self.words.jobs {
            let own = job.body.get("permissions").or(of_all);
            let Some(own) = own else { continue };
            let rights = match own {
                Value::Object(keys) if keys.is_empty() => "none".to_owned(),
                Value::Object(keys) => keys
                    .iter()
                    .map(|(key, value)| format!("{key}: {}", foreign::text(value).unwrap_or_default()))
                    .collect::<Vec<_>>()
                    .join(", "),
                other => foreign::text(other).unwrap_or_default(),
            };
            said.push(format!("{} ({rights})", job.name));
        }
        const TOKEN: &str = "secrets.GITHUB_TOKEN";
        let is_given = |env: &Value| env.to_string().contains(TOKEN);
        let all = self.page.top.get("env").is_some_and(is_given);
        let gets = |step: &ValueMap| all || is_given(&Value::Object(step.clone()));
        if said.is_empty() {
            return;
        }
        if !self.page.steps.iter().any(gets) {
            return self.page.leave_out("`permissions`: no step is given a token of GitHub");
        }
        let id = self.page.id("token-permissions");
        self.page.leave_out(format!(
            "`permissions`: {id} asks whether the token given as GITHUB_TOKEN is held to them"
        ));
        let prompt = one_line(&without_holes(&format!(
            "Does the token given as GITHUB_TOKEN allow no more than GitHub's would: {}?",
            said.join("; ")
        )));
        for step in self.page.steps.iter_mut().filter(|step| gets(step)) {
            let mut needs = foreign::texts(step.get("needs"));
            needs.insert(0, id.clone());
            step.insert("needs".to_owned(), json!(needs));
            if let Some(own) = foreign::text_at(step, "if") {
                step.insert("if".to_owned(), format!("({own}) && steps.{id}.result == 'success'").into());
            }
        }
        let mut gate = asks(&prompt);
        gate.insert("id".to_owned(), id.into());
        self.page.steps.insert(0, gate);
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
