//! The jobs of a workflow of GitHub and what is left of their steps, each with the id it has here.

use super::{legs::Legs, place::elsewhere, values::shell};
use crate::{
    foreign,
    page::{Page, without_holes},
};
use cuelight_base::{Value, ValueMap};

/// The kind of step that a step of GitHub becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A step with a script.
    Script,
    /// A gate: an action of GitHub, which a person does by hand.
    ByHand,
    /// A gate: an environment that may be protected there.
    Environment,
    /// A gate: the job runs in a container, or on a machine, that is not this one.
    Machine,
    /// A gate: the job has a concurrency group of its own.
    Group,
    /// A gate beside the job: some of its copies run on other machines.
    Away,
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
    /// True if the job can succeed although this step fails.
    pub(super) fn may_fail(&self) -> bool {
        self.body.get("continue-on-error") == Some(&Value::Bool(true))
            && !self.is_of_the_job()
            && self.kind != Kind::Called
    }

    /// True if the step stands for the whole job, not for one of its steps.
    pub(super) fn is_of_the_job(&self) -> bool {
        self.is_before_the_job() || matches!(self.kind, Kind::Nothing | Kind::Away)
    }

    /// True if it is a gate before the job: no step of the job runs before its approval.
    pub(super) fn is_before_the_job(&self) -> bool {
        matches!(self.kind, Kind::Environment | Kind::Machine | Kind::Group)
    }
}

/// A job with what is left of it.
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) name: &'a str,
    pub(super) body: &'a ValueMap,
    pub(super) needs: Vec<String>,
    pub(super) steps: Vec<Step<'a>>,
    /// Its copies, where the runner depends on the copy.
    pub(super) legs: Option<Legs>,
}

impl Job<'_> {
    /// True if the job has a matrix.
    pub(super) fn is_copied(&self) -> bool {
        self.body.contains_key("strategy")
    }

    pub(super) fn step(&self, given: &str) -> Option<&Step<'_>> {
        self.steps.iter().find(|step| step.given.is_some_and(|text| text.eq_ignore_ascii_case(given)))
    }
}

/// All jobs in the order of the file, their steps named. A job that is no mapping is refused.
pub(super) fn jobs<'a>(root: &'a ValueMap, page: &mut Page) -> Result<Vec<Job<'a>>, String> {
    let raised = raised(root);
    let mut out = Vec::new();
    for (name, body) in foreign::map_at(root, "jobs").into_iter().flatten() {
        let Some(body) = body.as_object() else {
            return Err(format!(
                "could not import a workflow of GitHub Actions: the job {name} is no mapping"
            ));
        };
        if body.contains_key("steps") && !body["steps"].is_array() {
            return Err(format!(
                "could not import a workflow of GitHub Actions: `steps` of {name} is no list"
            ));
        }
        let has_group = body.contains_key("concurrency") && raised != Some(name.as_str());
        out.push(job(name, body, root, has_group, page));
    }
    Ok(out)
}

/// The job whose concurrency group can be that of the whole run: the only group of the file, and known when the run starts.
pub(super) fn raised(root: &ValueMap) -> Option<&str> {
    let jobs = || foreign::map_at(root, "jobs").into_iter().flatten();
    let mut with_group = jobs().filter(|entry| entry.1.get("concurrency").is_some());
    let (name, body) = with_group.next()?;
    let said = body.get("concurrency")?.to_string();
    let is_open = ["matrix", "needs", "strategy", "env."].iter().any(|text| said.contains(text));
    (with_group.next().is_none() && !is_open && !root.contains_key("concurrency")).then_some(name)
}

fn job<'a>(name: &'a str, body: &'a ValueMap, root: &ValueMap, has_group: bool, page: &mut Page) -> Job<'a> {
    let mut steps = Vec::new();
    let legs = Legs::of(body);
    if legs.as_ref().is_some_and(Legs::has_away) {
        steps.push(Step { id: page.id(&format!("{name}-elsewhere")), given: None, body, kind: Kind::Away });
    }
    if body.contains_key("environment") {
        let id = page.id(&format!("{name}-environment"));
        steps.push(Step { id, given: None, body, kind: Kind::Environment });
    }
    if elsewhere(body, legs.is_some()).is_some() {
        steps.push(Step { id: page.id(&format!("{name}-machine")), given: None, body, kind: Kind::Machine });
    }
    if has_group {
        steps.push(Step { id: page.id(&format!("{name}-group")), given: None, body, kind: Kind::Group });
    }
    if let Some(called) = foreign::text_at(body, "uses") {
        let kind = if called.starts_with("./") { Kind::Called } else { Kind::ByHand };
        steps.push(Step { id: page.id(name), given: None, body, kind });
    }
    let said = body.get("steps").and_then(Value::as_array).into_iter().flatten();
    let said: Vec<&ValueMap> = said.flat_map(|step| spread(name, step, page)).collect();
    let given =
        |of: &ValueMap| foreign::text_at(foreign::map_at(foreign::map_at(of, "defaults")?, "run")?, "shell");
    let default = given(body).or_else(|| given(root));
    let kept: Vec<(&ValueMap, Kind)> = said
        .into_iter()
        .filter_map(|fields| Some((fields, kind(name, fields, default.as_deref(), page)?)))
        .collect();
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
    Job { name, body, needs: foreign::texts(body.get("needs")), steps, legs }
}

/// The steps that an item of `steps` stands for: those of `parallel` follow each other here.
fn spread<'a>(job: &str, item: &'a Value, page: &mut Page) -> Vec<&'a ValueMap> {
    let Some(step) = item.as_object() else {
        page.leave_out(format!("a step of {job} that is no mapping"));
        return Vec::new();
    };
    match step.get("parallel").and_then(Value::as_array) {
        Some(inner) if step.len() == 1 => {
            page.leave_out(format!("`parallel` of {job}: its steps run one after the other"));
            inner.iter().filter_map(Value::as_object).collect()
        }
        _ => vec![step],
    }
}

/// A name that makes a good id: not long, and nothing in it that is only known when it runs.
fn short_name(step: &ValueMap) -> Option<String> {
    let name = foreign::text_at(step, "name")?;
    let is_good = name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || " -_".contains(c));
    is_good.then(|| name.split_whitespace().collect::<Vec<_>>().join("-")).filter(|value| !value.is_empty())
}

/// The kind of step that it becomes; none when it has nothing to do here.
fn kind(job: &str, step: &ValueMap, default: Option<&str>, page: &mut Page) -> Option<Kind> {
    // It would be waited for here, perhaps without end.
    if step.get("background").is_some_and(|background| *background != Value::Bool(false)) {
        return Some(Kind::ByHand);
    }
    let Some(action) = foreign::text_at(step, "uses") else {
        if step.contains_key("run") {
            let said = foreign::text_at(step, "shell").or_else(|| default.map(str::to_owned));
            let Some(said) = said.filter(|text| shell(text).is_none()) else { return Some(Kind::Script) };
            page.leave_out(format!(
                "the shell of a step of {job}, {}: `{{0}}` is not its last word, or what stands before it is not understood",
                without_holes(&said)
            ));
            return Some(Kind::ByHand);
        }
        if let Some(key) = ["wait", "wait-all"].into_iter().find(|key| step.contains_key(*key)) {
            page.leave_out(format!(
                "`{key}` of {job}: what runs in the background there is done by hand before"
            ));
            return None;
        }
        return Some(Kind::ByHand);
    };
    // GitHub reads owners and names without regard to case.
    let name = &*action.split('@').next().unwrap_or_default().to_ascii_lowercase();
    let with = foreign::map_at(step, "with");
    match name {
        "actions/checkout" => {
            let given: Vec<String> = with
                .into_iter()
                .flatten()
                .map(|(key, value)| format!(" `{key}` {}", foreign::text(value).unwrap_or_default()))
                .collect();
            page.leave_out(format!(
                "actions/checkout{}: steps work in the directory in which the run is started",
                given.join(",")
            ));
        }
        "actions/upload-artifact" => {
            let files = with.and_then(|map| foreign::text_at(map, "path")).unwrap_or_default();
            page.leave_out(format!(
                "{files}, kept by {job}: name it under `artifacts` of the step that makes it"
            ));
        }
        "actions/download-artifact" => {
            page.leave_out(format!("{name}: files are where the steps before have left them"))
        }
        _ if installs(name) => {
            let versions = with.into_iter().flatten().filter(|(key, _)| key.contains("version"));
            let versions: Vec<String> = versions.filter_map(|(_, value)| foreign::text(value)).collect();
            let what = format!("{name} {}", versions.join(" "));
            page.leave_out(format!("{}: it has to be installed where this runs", what.trim()));
        }
        "actions/cache" | "actions/cache/restore" | "actions/cache/save" | "swatinem/rust-cache" => {
            page.leave_out(format!("{name}: what is on this machine stays there"));
        }
        _ => return Some(Kind::ByHand),
    }
    None
}

/// True for an action that is known to install something and nothing else. A name proves nothing: one that is not
/// listed may approve, or deploy.
fn installs(action: &str) -> bool {
    const KNOWN: [&str; 36] = [
        "actions-rs/toolchain",
        "actions-rust-lang/setup-rust-toolchain",
        "actions/setup-dotnet",
        "actions/setup-go",
        "actions/setup-java",
        "actions/setup-node",
        "actions/setup-python",
        "actions/setup-ruby",
        "astral-sh/setup-uv",
        "aws-actions/setup-sam",
        "azure/setup-helm",
        "azure/setup-kubectl",
        "coursier/setup-action",
        "dart-lang/setup-dart",
        "denoland/setup-deno",
        "docker/setup-buildx-action",
        "docker/setup-docker-action",
        "docker/setup-qemu-action",
        "dtolnay/rust-toolchain",
        "erlef/setup-beam",
        "fortran-lang/setup-fortran",
        "google-github-actions/setup-gcloud",
        "gradle/actions/setup-gradle",
        "haskell-actions/setup",
        "hashicorp/setup-terraform",
        "julia-actions/setup-julia",
        "leafo/gh-actions-lua",
        "microsoft/setup-msbuild",
        "ocaml/setup-ocaml",
        "oven-sh/setup-bun",
        "pnpm/action-setup",
        "r-lib/actions/setup-pandoc",
        "r-lib/actions/setup-r",
        "ruby/setup-ruby",
        "shivammathur/setup-php",
        "subosito/flutter-action",
    ];
    KNOWN.contains(&action)
}
