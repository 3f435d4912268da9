//! Workflow text and inputs become a plan. It reads files; what is right is judged by `definition` and `plan`.

use super::{InputText, LaunchRequest, Offer, OfferedInput, People, Reply, Source};
use cuelight_base::{Digest, FILE_BYTES_MAX, RunId, Value, ValueMap, sha256};
use cuelight_definition::{
    Diagnostic, Field, Files, FindingAnswer, KnownPeople, Registry, Tool, ToolBody, Workflow,
    check_input_texts, check_inputs, check_keys, check_people, read, summary,
};
use cuelight_engine::Correction;
use cuelight_plan::{Machine, Plan, lower};
use cuelight_projection::{AgentAbout, AgentsAbout};
use cuelight_store::Workspace;
use cuelight_tool::{SecretStore, read_text, sandbox_weaknesses};
use std::{
    cell::RefCell,
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Name of the workflow that starts an agent, for messages.
const SPAWN_FILE: &str = "spawn.yaml";

/// Reads, checks and lowers. A reply says what is wrong.
pub(super) fn prepare(
    request: &LaunchRequest,
    workspace: &Workspace,
    secrets: &SecretStore,
) -> Result<Plan, Reply> {
    prepare_with(&request.source, workspace, secrets, |workflow| {
        inputs(workflow, &request.words, &request.values)
    })
}

/// The plan of a run that is done again with something corrected: what is not said is as it was. Without another file its
/// steps have to be as they were.
pub(super) fn prepare_again(
    run: RunId,
    given: &Correction,
    before: &Plan,
    workspace: &Workspace,
    secrets: &SecretStore,
) -> Result<Plan, Reply> {
    let words: Vec<InputText> =
        given.words.iter().map(|(name, text)| InputText { name: name.clone(), text: text.clone() }).collect();
    let path = given.file.as_ref().unwrap_or(&before.file);
    let plan = prepare_with(&Source::Path(path.clone()), workspace, secrets, |workflow| {
        let asked = |name: &String| workflow.inputs.iter().any(|input| input.name.value == *name);
        let values = before.inputs.iter().filter(|(name, _)| asked(name));
        let values: ValueMap = values.map(|(name, value)| (name.clone(), value.clone())).collect();
        inputs(workflow, &words, &values)
    })?;
    if given.file.is_none() && plan.definition != before.definition {
        let why = format!(
            "could not do {run} again with other inputs: {path} has changed since it ran; \
             name it with --file to take its steps as they are now"
        );
        return Err(whole(path, &[why]));
    }
    Ok(plan)
}

fn prepare_with(
    source: &Source,
    workspace: &Workspace,
    secrets: &SecretStore,
    inputs: impl FnOnce(&Workflow) -> Result<ValueMap, Vec<String>>,
) -> Result<Plan, Reply> {
    let files = OnDisk::of(workspace);
    let (name, text) = match source {
        Source::Text { name, text } => {
            files.note(name, text);
            (name.as_str(), text.clone())
        }
        Source::Agent { text, .. } => {
            files.note(SPAWN_FILE, text);
            (SPAWN_FILE, text.clone())
        }
        Source::Path(path) => match files.read(path) {
            Ok(text) => (path.as_str(), text),
            Err(why) => return Err(whole(path, &[format!("could not read {path}: {why}")])),
        },
    };
    let (workflow, findings) = read(name, &text, &files);
    let Some(workflow) = workflow else { return Err(invalid(&findings)) };
    let inputs = inputs(&workflow).map_err(|problems| whole(name, &problems))?;
    let unmet = unmet(&workflow, &text, workspace).map_err(|why| whole(name, &[why]))?;
    if unmet.iter().any(Diagnostic::is_error) {
        return Err(invalid(&unmet));
    }
    let plan = lower(&workflow, inputs).map_err(|problems| whole(name, &problems))?;
    let mut unmet = check_keys(&workflow, &text, &lacking(&plan, secrets));
    unmet.extend(of_file(name, &plan.refused_by(&machine(workspace))));
    if !unmet.is_empty() {
        return Err(invalid(&unmet));
    }
    let spawned = match source {
        Source::Agent { agent, given, .. } => {
            let starts = plan.steps.iter().filter_map(|step| plan.tool(step.work.tool()?));
            let unfit: Vec<String> = starts.filter_map(|tool| tool.takes(given).err()).collect();
            if !unfit.is_empty() {
                return Err(whole(name, &unfit));
            }
            Some(agent.clone())
        }
        Source::Text { .. } | Source::Path(_) => None,
    };
    Ok(Plan { file: name.to_owned(), definition: files.digest(&plan), spawned, ..plan })
}

/// Steps that could not be given what they are sure to need: keys of models, and secrets.
fn lacking(plan: &Plan, secrets: &SecretStore) -> Vec<(String, String)> {
    let mut lacking = plan.without_key(&|text| secrets.has(text));
    lacking.extend(plan.without_secret(&|text| secrets.trouble(text)));
    lacking
}

/// The inputs of a workflow, and the problems of starting it with these words.
pub(super) fn offer(
    workspace: &Workspace,
    secrets: &SecretStore,
    files: &[PathBuf],
    path: &str,
    words: &[InputText],
) -> Offer {
    let root = workspace.root();
    let below = |file: &PathBuf| file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned();
    let mut offer = Offer { files: files.iter().map(below).collect(), ..Offer::default() };
    if path.is_empty() {
        return offer;
    }
    let on_disk = OnDisk::of(workspace);
    let text = match on_disk.read(path) {
        Ok(text) => text,
        Err(why) => {
            offer.problems.push(format!("could not read {path}: {why}"));
            return offer;
        }
    };
    let (workflow, findings) = read(path, &text, &on_disk);
    let Some(workflow) = workflow else {
        offer.problems = findings
            .iter()
            .map(|finding| finding.text(false).lines().next().unwrap_or_default().to_owned())
            .collect();
        return offer;
    };
    let given: Vec<(String, String)> =
        words.iter().map(|word| (word.name.clone(), word.text.clone())).collect();
    let lowered = check_input_texts(&workflow, &given).and_then(|inputs| lower(&workflow, inputs));
    offer.problems = match lowered {
        // The form says itself that it could not be started.
        Ok(plan) => {
            let mut unmet: Vec<String> = lacking(&plan, secrets).into_iter().map(|pair| pair.1).collect();
            unmet.extend(plan.refused_by(&machine(workspace)));
            unmet
                .iter()
                .map(|text| text.strip_prefix("could not start: ").unwrap_or(text).to_owned())
                .collect()
        }
        Err(problems) => problems,
    };
    offer.inputs = workflow.inputs.iter().map(offered).collect();
    offer.about = workflow.description.unwrap_or_default();
    offer.name = workflow.name;
    offer
}

/// Facts about this machine that steps can require: system, processor, declared capabilities, and support for
/// sandboxes.
pub fn machine(workspace: &Workspace) -> Machine {
    let mut capabilities: BTreeSet<String> = workspace.of_machine("capabilities").into_iter().collect();
    if sandbox_weaknesses().is_ok() {
        capabilities.insert("sandbox".to_owned());
    }
    let labels = workspace.of_machine("labels").into_iter().collect();
    Machine { labels, capabilities }.with_system()
}

/// The agents that the files of a workspace describe, each version.
pub(super) fn agents(workspace: &Workspace) -> AgentsAbout {
    let files = OnDisk::of(workspace);
    let registry = Registry::of_agents(&files.agents());
    let about = |tool: &Arc<Tool>| AgentAbout {
        id: tool.id(),
        description: tool.description.clone(),
        capabilities: tool.capabilities.clone(),
        claim: tool.body == ToolBody::Claim,
        heartbeat: tool.agent.as_ref().and_then(|agent| agent.heartbeat),
        effect: tool.effect.word().to_owned(),
        risk: tool.risk.word().to_owned(),
        cost_micro_usd: tool.cost_micro_usd,
        origin: tool.origin.clone(),
    };
    let mut problems: Vec<(String, String)> = Vec::new();
    for problem in registry.problems().iter().filter(|problem| problem.is_error()) {
        let said = format!("{}:{} {}", problem.line, problem.column, problem.message);
        match problems.last_mut().filter(|last| last.0 == problem.file) {
            Some((_, all)) => *all = format!("{all}; {said}"),
            None => problems.push((problem.file.clone(), said)),
        }
    }
    AgentsAbout { agents: registry.all().map(about).collect(), problems }
}

fn offered(field: &Field) -> OfferedInput {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    OfferedInput {
        name: field.name.value.clone(),
        kind: field.kind.word().to_owned(),
        required: field.required,
        default: field.default.as_ref().map(plain),
        choices: field.choices.iter().map(plain).collect(),
        about: field.description.clone().unwrap_or_default(),
    }
}

/// Gates that the people of the workspace could not satisfy, where it says who they are.
fn unmet(workflow: &Workflow, text: &str, workspace: &Workspace) -> Result<Vec<Diagnostic>, String> {
    let path = workspace.people();
    if !path.exists() {
        return Ok(Vec::new());
    }
    let people = People::read(&read_text(&path, FILE_BYTES_MAX)?)?;
    // Read once more, for the words around what is found; what was read before is what the plan is made of.
    let files = OnDisk::of(workspace);
    let known = KnownPeople { groups: people.groups(), ..KnownPeople::default() };
    Ok(check_people(workflow, text, &known, &files))
}

/// Words are read as what each input wants; beside them, JSON is read as the words it would be.
fn inputs(workflow: &Workflow, words: &[InputText], values: &ValueMap) -> Result<ValueMap, Vec<String>> {
    if words.is_empty() {
        return check_inputs(workflow, values);
    }
    let is_word = |name: &str| words.iter().any(|word| word.name == name);
    let values = values.iter().filter(|(name, _)| !is_word(name)).map(|(name, value)| {
        let text = value.as_str().map_or_else(|| Value::to_string(value), str::to_owned);
        (name.clone(), text)
    });
    let words = words.iter().map(|word| (word.name.clone(), word.text.clone()));
    check_input_texts(workflow, &values.chain(words).collect::<Vec<_>>())
}

fn whole(file: &str, problems: &[String]) -> Reply {
    invalid(&of_file(file, problems))
}

fn of_file(file: &str, problems: &[String]) -> Vec<Diagnostic> {
    problems.iter().map(|problem| Diagnostic::whole_file("run", file, problem.as_str())).collect()
}

fn invalid(findings: &[Diagnostic]) -> Reply {
    let mut report: String = findings.iter().map(|finding| finding.text(false)).collect();
    report.push_str(&summary(findings));
    let findings = findings.iter().map(FindingAnswer::of).collect::<Vec<_>>();
    Reply::Invalid { report, findings: serde_json::to_value(findings).expect("findings are JSON") }
}

/// Files below the workspace, or absolute; remembers what it has read, for the hash of the definition.
struct OnDisk<'a> {
    root: &'a Path,
    /// The files that describe tools.
    tools: Vec<PathBuf>,
    /// The files that describe agents.
    agents: Vec<PathBuf>,
    /// The files that describe models.
    models: Vec<PathBuf>,
    timezone: String,
    read: RefCell<Vec<(String, Digest)>>,
}

impl<'a> OnDisk<'a> {
    fn of(workspace: &'a Workspace) -> Self {
        let (tools, models) = (workspace.tool_files(), workspace.model_files());
        let (agents, timezone) = (workspace.agent_files(), workspace.timezone());
        Self { root: workspace.root(), tools, agents, models, timezone, read: RefCell::new(Vec::new()) }
    }

    fn descriptions(&self, files: &[PathBuf]) -> Vec<(String, Result<String, String>)> {
        let named =
            |file: &PathBuf| file.strip_prefix(self.root).unwrap_or(file).to_string_lossy().into_owned();
        files.iter().map(|file| (named(file), read_text(file, FILE_BYTES_MAX))).collect()
    }

    fn note(&self, name: &str, text: &str) {
        self.read.borrow_mut().push((name.to_owned(), sha256("cuelight-file-v1", &[text.as_bytes()])));
    }

    /// Over names and contents of all files, in the order in which they were read, then of the tools that are used and the models that are asked.
    fn digest(&self, plan: &Plan) -> Digest {
        let read = self.read.borrow();
        let files = read.iter().map(|(name, hash)| (name.as_str(), hash));
        let tools = plan.tools.iter().map(|tool| (tool.name.as_str(), &tool.definition));
        let models = plan.models.iter().map(|model| (model.name.as_str(), &model.definition));
        let parts: Vec<&[u8]> = files
            .chain(tools)
            .chain(models)
            .flat_map(|(name, hash)| [name.as_bytes(), hash.0.as_slice()])
            .collect();
        sha256("cuelight-definition-v1", &parts)
    }
}

impl Files for OnDisk<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        let text = read_text(&self.root.join(path), FILE_BYTES_MAX)?;
        self.note(path, &text);
        Ok(text)
    }

    fn tools(&self) -> Vec<(String, Result<String, String>)> {
        self.descriptions(&self.tools)
    }

    fn agents(&self) -> Vec<(String, Result<String, String>)> {
        self.descriptions(&self.agents)
    }

    fn models(&self) -> Vec<(String, Result<String, String>)> {
        self.descriptions(&self.models)
    }

    fn timezone(&self) -> String {
        self.timezone.clone()
    }
}
