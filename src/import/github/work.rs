//! The work of a step of GitHub: a script, an action that is done by hand, or a workflow that is called.

use super::jobs::{Job, Kind, Step};
use super::values::{shell, short_version, variables};
use super::{Import, asks};
use crate::foreign;
use crate::page::{one_line, variable, without_holes};
use cuelight_base::{Value, ValueMap, shorten};
use serde_json::json;

/// The default shell of GitHub:
/// <https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax>.
pub(super) const SHELL: &str = "bash -e -c";
/// The length of each value of an action's `with` in a question, in characters.
const GIVEN_CHARS: usize = 80;

impl Import<'_> {
    pub(super) fn step(&mut self, job: &Job<'_>, step: &Step<'_>) -> ValueMap {
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
}
