//! The way in: a file and the files it calls, read and checked, each once.

use crate::{
    Action, Call, Diagnostic, ModelRegistry, Registry, Source, Step, StepKind, Undo, Workflow, check,
    diagnostic::Findings,
    read::{self, Reader},
    tool, yaml,
};
use cuelight_base::NESTING_MAX;
use std::{collections::BTreeMap, sync::Arc};

/// The source of the files that a workflow names. Paths are as written, already joined to the folder of the
/// naming file.
pub trait Files {
    /// The text of a file, or why it could not be read (the end of a sentence that begins with "could not read").
    ///
    /// # Errors
    /// When there is no such file, or it is no UTF-8.
    fn read(&self, path: &str) -> Result<String, String>;

    /// The files that describe tools of this workspace: the name of each, and its text or why it could not be read.
    fn tools(&self) -> Vec<(String, Result<String, String>)> {
        Vec::new()
    }

    /// The files that describe agents of this workspace, likewise.
    fn agents(&self) -> Vec<(String, Result<String, String>)> {
        Vec::new()
    }

    /// The files that describe models of this workspace, likewise.
    fn models(&self) -> Vec<(String, Result<String, String>)> {
        Vec::new()
    }

    /// The time zone of this workspace, in which its days begin.
    fn timezone(&self) -> String {
        "UTC".to_owned()
    }
}

/// Reads and checks a workflow and the workflows it calls. There is a workflow exactly when no finding is an error.
pub fn read(name: &str, text: &str, files: &dyn Files) -> (Option<Workflow>, Vec<Diagnostic>) {
    let mut loader = Loader {
        files,
        tools: None,
        agents: None,
        models: None,
        open: Vec::new(),
        done: BTreeMap::new(),
        findings: Vec::new(),
    };
    let workflow = loader.file(name, text);
    let has_errors = loader.findings.iter().any(Diagnostic::is_error);
    (workflow.filter(|_| !has_errors), loader.findings)
}

/// The shape of one file alone, without the checks that need more than one value.
pub(super) fn shape(findings: &mut Findings<'_>) -> (Option<Workflow>, Vec<crate::Edit>) {
    let Some(root) = yaml::parse(findings) else { return (None, Vec::new()) };
    let mut reader = Reader::new(findings);
    let workflow = read::workflow(&mut reader, &root);
    (workflow, reader.edits)
}

struct Loader<'l> {
    files: &'l dyn Files,
    /// Read when the first step asks for a tool.
    tools: Option<Registry>,
    /// Read when the first step gives work to an agent that it does not describe itself.
    agents: Option<Registry>,
    /// Read when the first step asks a model.
    models: Option<ModelRegistry>,
    /// The files that are being read, outermost first.
    open: Vec<String>,
    /// Files that were read, with how many files deep each reaches; none when it has errors.
    done: BTreeMap<String, (Option<Arc<Workflow>>, usize)>,
    findings: Vec<Diagnostic>,
}

impl Loader<'_> {
    fn file(&mut self, name: &str, text: &str) -> Option<Workflow> {
        self.open.push(name.to_owned());
        let source = Source::new(text);
        let mut findings = Findings::new(name, &source);
        let (mut workflow, _) = shape(&mut findings);
        if let Some(workflow) = &mut workflow {
            for step in &mut workflow.steps {
                if let StepKind::Workflow(call) = &mut step.kind {
                    self.call(name, call, &mut findings);
                }
                self.find_tools(step, &mut findings);
                hand_on(step);
                self.find_agents(step, &mut findings);
                self.find_models(step, &mut findings);
            }
            workflow.step_count = check::workflow(workflow, &mut findings);
        }
        let has_errors = findings.has_errors();
        // What is found in a called file stands after the file that calls it was begun, before its own findings.
        let own = findings.finish();
        self.findings.extend(own);
        self.open.pop();
        workflow.filter(|_| !has_errors)
    }

    /// Looks up the tools of a step: what it uses, what it falls back to, what undoes it.
    fn find_tools<'s>(&mut self, step: &'s mut Step, findings: &mut Findings<'_>) {
        let own = match &mut step.kind {
            StepKind::Uses(uses) => Some(uses),
            _ => None,
        };
        let of_action = |action: &'s mut Action| match action {
            Action::Uses(uses) => Some(uses),
            Action::Run(_) => None,
        };
        let fallback = step.fallback.iter_mut().map(|fallback| &mut fallback.action);
        let undo = step.undo.iter_mut().filter_map(|undo| match undo {
            Undo::By(action) => Some(action),
            Undo::Impossible => None,
        });
        for uses in own.into_iter().chain(fallback.chain(undo).filter_map(of_action)) {
            let is_routed = uses.route.is_some();
            let is_first = self.tools.is_none();
            let registry = self
                .tools
                .get_or_insert_with(|| Registry::new(&self.files.tools()).in_zone(&self.files.timezone()));
            if is_first {
                self.findings.extend_from_slice(registry.problems());
            }
            if is_routed {
                check::find_candidates(registry, uses, findings);
                continue;
            }
            uses.definition = registry.find(&uses.tool.value).cloned();
            if uses.definition.is_none() && read::is_tool(&uses.tool.value) {
                check::unknown_tool(registry, &uses.tool, findings);
            }
        }
    }

    /// Looks up the agent of a step, or those of which one is chosen.
    fn find_agents(&mut self, step: &mut Step, findings: &mut Findings<'_>) {
        let StepKind::Agent(uses) = &mut step.kind else { return };
        if uses.definition.is_some() {
            return;
        }
        let is_first = self.agents.is_none();
        let registry = self
            .agents
            .get_or_insert_with(|| Registry::of_agents(&self.files.agents()).in_zone(&self.files.timezone()));
        if is_first {
            self.findings.extend_from_slice(registry.problems());
        }
        if uses.route.is_some() {
            check::find_candidates(registry, uses, findings);
            return;
        }
        uses.definition = registry.find(&uses.tool.value).cloned();
        if uses.definition.is_none() {
            check::unknown_tool(registry, &uses.tool, findings);
        }
    }

    /// Looks up the models that a step names, or finds the best for it.
    fn find_models(&mut self, step: &mut Step, findings: &mut Findings<'_>) {
        let StepKind::Llm(llm) = &mut step.kind else { return };
        let is_first = self.models.is_none();
        let registry = self
            .models
            .get_or_insert_with(|| ModelRegistry::new(&self.files.models()).in_zone(&self.files.timezone()));
        if is_first {
            self.findings.extend_from_slice(registry.problems());
        }
        if llm.models.is_empty() {
            llm.candidates = registry.for_hints(llm.hints);
        }
        for wanted in &llm.models {
            match registry.find(&wanted.value) {
                Some(model) => llm.candidates.push(Arc::clone(model)),
                None => check::unknown_model(registry, wanted, findings),
            }
        }
        if llm.tools.is_empty() {
            return;
        }
        let is_first = self.tools.is_none();
        let tools = self
            .tools
            .get_or_insert_with(|| Registry::new(&self.files.tools()).in_zone(&self.files.timezone()));
        if is_first {
            self.findings.extend_from_slice(tools.problems());
        }
        for offered in &mut llm.tools {
            offered.definition = tools.find(&offered.tool.value).cloned();
            if offered.definition.is_none() {
                check::unknown_tool(tools, &offered.tool, findings);
            }
        }
    }

    /// Reads a called file, unless it is open already or too deep.
    fn call(&mut self, caller: &str, call: &mut Call, findings: &mut Findings<'_>) {
        let path = join(caller, &call.path.value);
        if let Some(at) = self.open.iter().position(|text| *text == path) {
            let circle: Vec<&str> =
                self.open[at..].iter().map(String::as_str).chain([path.as_str()]).collect();
            let message = format!("workflows call each other in a circle: {}", circle.join(" → "));
            findings.error("subworkflow", call.path.place, message);
            return;
        }
        if !self.done.contains_key(&path) {
            if self.open.len() >= NESTING_MAX {
                let message = format!("workflows are nested more than {NESTING_MAX} deep");
                findings.error("subworkflow", call.path.place, message);
                return;
            }
            match self.files.read(&path) {
                Ok(text) => {
                    let body = self.file(&path, &text).map(Arc::new);
                    let depth = 1 + body.as_ref().map_or(0, |body| self.deepest(body, &path));
                    self.done.insert(path.clone(), (body, depth));
                }
                Err(why) => {
                    findings.error("subworkflow", call.path.place, format!("could not read {path}: {why}"));
                    self.done.insert(path.clone(), (None, 0));
                    return;
                }
            }
        }
        let Some((body, depth)) = self.done.get(&path) else { return };
        if self.open.len() + depth > NESTING_MAX {
            let message = format!("workflows are nested more than {NESTING_MAX} deep");
            findings.error("subworkflow", call.path.place, message);
        } else if body.is_none() {
            findings.error("subworkflow", call.path.place, format!("{path} has errors of its own"));
        }
        call.body.clone_from(body);
    }

    /// The number of files in the longest chain of calls below a workflow.
    fn deepest(&self, workflow: &Workflow, path: &str) -> usize {
        let called = workflow.steps.iter().filter_map(|step| match &step.kind {
            StepKind::Workflow(call) => self.done.get(&join(path, &call.path.value)).map(|(_, depth)| *depth),
            _ => None,
        });
        called.max().unwrap_or(0)
    }
}

/// A path as written in a file, beside that file: `lib/a.yaml` and `../b.yaml` give `b.yaml`.
fn join(caller: &str, path: &str) -> String {
    let folder = caller.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = if path.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    let is_absolute = caller.starts_with('/');
    parts.retain(|part| !part.is_empty());
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|part| *part != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    if is_absolute { format!("/{joined}") } else { joined }
}

/// A tool that is tried in place of another is given the same, where it takes all of that and says nothing else.
fn hand_on(step: &mut Step) {
    let StepKind::Uses(own) = &step.kind else { return };
    for fallback in step.fallback.iter_mut().filter(|fallback| !fallback.says_with) {
        let Action::Uses(uses) = &mut fallback.action else { continue };
        let Some(tool) = &uses.definition else { continue };
        let takes = |name: &String| tool::properties(&tool.input).any(|property| property.0 == name);
        if own.with.iter().all(|pair| takes(&pair.0)) {
            uses.with.clone_from(&own.with);
        }
    }
}
