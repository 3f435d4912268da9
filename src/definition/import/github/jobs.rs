//! The jobs of a workflow of GitHub and what is left of their steps, each with the id it has here.

use crate::{
    base::{Value, ValueMap},
    definition::import::{foreign, page::Page},
};

/// What a step becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A script.
    Script,
    /// A gate: an action of GitHub, which a person does by hand.
    ByHand,
    /// A gate: an environment that may be protected there.
    Environment,
    /// A gate: the job runs in a container, or on a machine, that is not this one.
    Machine,
    /// Nothing of the job is left but its place in the order.
    Nothing,
    /// Another workflow of the same repository.
    Called,
}

/// A step that is carried over.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) id: String,
    /// Its id at GitHub, where it has one.
    pub(super) given: Option<&'a str>,
    pub(super) body: &'a ValueMap,
    pub(super) kind: Kind,
}

impl Step<'_> {
    /// Whether its failure is not that of its job.
    pub(super) fn may_fail(&self) -> bool {
        self.body.get("continue-on-error") == Some(&Value::Bool(true))
            && !matches!(self.kind, Kind::Environment | Kind::Machine | Kind::Nothing)
    }
}

/// A job with what is left of it.
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) name: &'a str,
    pub(super) body: &'a ValueMap,
    pub(super) needs: Vec<String>,
    pub(super) steps: Vec<Step<'a>>,
}

impl Job<'_> {
    pub(super) fn step(&self, given: &str) -> Option<&Step<'_>> {
        self.steps.iter().find(|it| it.given.is_some_and(|it| it.eq_ignore_ascii_case(given)))
    }
}

/// All jobs in the order of the file, their steps named.
pub(super) fn jobs<'a>(root: &'a ValueMap, page: &mut Page) -> Vec<Job<'a>> {
    let bodies = foreign::map_at(root, "jobs").into_iter().flatten();
    bodies.filter_map(|(name, body)| Some(job(name, body.as_object()?, page))).collect()
}

fn job<'a>(name: &'a str, body: &'a ValueMap, page: &mut Page) -> Job<'a> {
    let mut steps = Vec::new();
    if body.contains_key("environment") {
        let id = page.id(&format!("{name}-environment"));
        steps.push(Step { id, given: None, body, kind: Kind::Environment });
    }
    if elsewhere(body).is_some() {
        steps.push(Step { id: page.id(&format!("{name}-machine")), given: None, body, kind: Kind::Machine });
    }
    if let Some(called) = foreign::text_at(body, "uses") {
        let kind = if called.starts_with("./") { Kind::Called } else { Kind::ByHand };
        steps.push(Step { id: page.id(name), given: None, body, kind });
    }
    let kept: Vec<(&ValueMap, Kind)> =
        foreign::maps_at(body, "steps").filter_map(|it| Some((it, kind(name, it, page)?))).collect();
    let is_alone = kept.len() == 1;
    for (index, (step, kind)) in kept.into_iter().enumerate() {
        let given = step.get("id").and_then(Value::as_str);
        let called = given.map(str::to_owned).or_else(|| short_name(step));
        let called = called.unwrap_or_else(|| (index + 1).to_string());
        let id = if is_alone { page.id(name) } else { page.id(&format!("{name}-{called}")) };
        steps.push(Step { id, given, body: step, kind });
    }
    if steps.is_empty() {
        steps.push(Step { id: page.id(name), given: None, body, kind: Kind::Nothing });
    }
    Job { name, body, needs: foreign::texts(body.get("needs")), steps }
}

/// Where a job runs at GitHub, when that is nothing like this machine.
pub(super) fn elsewhere(body: &ValueMap) -> Option<String> {
    let of = |it: &Value| foreign::text(it).or_else(|| foreign::text_at(it.as_object()?, "image"));
    let mut parts = Vec::new();
    if let Some(image) = body.get("container").and_then(of) {
        parts.push(format!("in the container {image}"));
    }
    let on = foreign::texts(body.get("runs-on"));
    if on.iter().any(|it| !it.starts_with("ubuntu") && it != "linux" && !it.contains("${{")) {
        parts.push(format!("on {}", on.join(", ")));
    }
    let services: Vec<&str> =
        foreign::map_at(body, "services").into_iter().flat_map(|it| it.keys()).map(String::as_str).collect();
    if !services.is_empty() {
        parts.push(format!("beside {}", services.join(", ")));
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// A name that makes a good id: not long, and nothing in it that is only known when it runs.
fn short_name(step: &ValueMap) -> Option<String> {
    let name = foreign::text_at(step, "name")?;
    let is_good = name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || " -_".contains(c));
    is_good.then(|| name.split_whitespace().collect::<Vec<_>>().join("-")).filter(|it| !it.is_empty())
}

/// What a step becomes; none when there is nothing to do for it here.
fn kind(job: &str, step: &ValueMap, page: &mut Page) -> Option<Kind> {
    let Some(action) = foreign::text_at(step, "uses") else {
        return step.contains_key("run").then_some(Kind::Script);
    };
    let name = action.split('@').next().unwrap_or_default();
    let leaf = name.rsplit('/').next().unwrap_or_default();
    let with = foreign::map_at(step, "with");
    match leaf {
        _ if name == "actions/checkout" => {
            page.leave_out("actions/checkout: steps work in the directory in which the run is started");
        }
        "upload-artifact" => {
            let files = with.and_then(|it| foreign::text_at(it, "path")).unwrap_or_default();
            page.leave_out(format!(
                "{files}, kept by {job}: name it under `artifacts` of the step that makes it"
            ));
        }
        "download-artifact" => {
            page.leave_out(format!("{name}: files are where the steps before have left them"))
        }
        _ if leaf.starts_with("setup-") || leaf.ends_with("toolchain") => {
            let versions = with.into_iter().flatten().filter(|(key, _)| key.contains("version"));
            let versions: Vec<String> = versions.filter_map(|(_, it)| foreign::text(it)).collect();
            let what = format!("{name} {}", versions.join(" "));
            page.leave_out(format!("{}: it has to be installed where this runs", what.trim()));
        }
        _ if name.starts_with("actions/cache") || leaf.ends_with("-cache") => {
            page.leave_out(format!("{name}: what is on this machine stays there"));
        }
        _ => return Some(Kind::ByHand),
    }
    None
}
