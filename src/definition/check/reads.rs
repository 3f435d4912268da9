//! Rules for the reads of expressions: contexts, inputs, earlier steps, declared outputs, axes.

use super::graph::Graph;
use crate::{
    MatrixSource, Place, Step, StepKind, Uses, Wait, Workflow,
    diagnostic::Findings,
    read::locate,
    reference::{Reading, Site, Top, readings, top_readings},
    spelling::{any_of, suggest},
};
use cuelight_base::{AGENT_OUTPUTS, MODEL_OUTPUTS, Value};
use cuelight_expression::Reference;
use std::ops::Range;

/// The contexts that an expression of a workflow file reads.
pub const CONTEXTS: &[&str] =
    &["inputs", "env", "secrets", "matrix", "strategy", "steps", "needs", "run", "gate", "state", "vars"];
const STEP_PROPERTIES: &[&str] =
    &["outputs", "result", "status", "form", "decision", "confidence", "attempts"];
const NEED_PROPERTIES: &[&str] = &["outputs", "result"];
/// The outputs of an `http` step.
const HTTP_OUTPUTS: &[&str] = &["status", "headers", "body", "json", "bytes", "sha256"];

/// A read of another step, judged when all are known.
struct StepRead<'w> {
    reader: usize,
    target: usize,
    text: &'w str,
    place: Place,
    range: Range<usize>,
}

pub(super) fn check(workflow: &Workflow, graph: &Graph<'_>, findings: &mut Findings<'_>) {
    let mut reads = Vec::new();
    for (index, step) in workflow.steps.iter().enumerate() {
        let mut rules =
            Rules { workflow, graph, findings, step: Some((index, step)), top: None, reads: &mut reads };
        readings(step, &mut |reading| rules.reading(&reading));
        rules.confidence(step);
    }
    top_readings(workflow, &mut |top, reading| {
        Rules { workflow, graph, findings, step: None, top: Some(top), reads: &mut reads }.reading(&reading);
    });
    if graph.is_in_order() {
        report_later_steps(workflow, graph, &reads, findings);
    }
}

fn report_later_steps(
    workflow: &Workflow,
    graph: &Graph<'_>,
    reads: &[StepRead<'_>],
    findings: &mut Findings<'_>,
) {
    let pairs: Vec<(usize, usize)> =
        reads.iter().map(|step_read| (step_read.reader, step_read.target)).collect();
    for (read, is_wrong) in reads.iter().zip(graph.not_before(&pairs)) {
        if !is_wrong {
            continue;
        }
        let [reader, name] = [read.reader, read.target].map(|reader| &workflow.steps[reader].id.value);
        let place = locate(findings, read.place, read.text, read.range.clone());
        let message = if read.reader == read.target {
            format!("`{reader}` reads itself before it has run")
        } else {
            format!("`{reader}` does not wait for `{name}`, so there may be nothing to read yet")
        };
        let found = findings.error("not-an-ancestor", place, message);
        if read.reader != read.target {
            found.help(format!("add `{name}` to the `needs` of `{reader}`"));
        }
    }
}

struct Rules<'r, 'w, 'f, 'a> {
    workflow: &'w Workflow,
    graph: &'r Graph<'w>,
    findings: &'f mut Findings<'a>,
    step: Option<(usize, &'w Step)>,
    top: Option<Top>,
    reads: &'r mut Vec<StepRead<'w>>,
}

impl<'w> Rules<'_, 'w, '_, '_> {
    fn reading(&mut self, reading: &Reading<'w>) {
        if reading.site != Site::Condition && reading.expr.uses_status_function() {
            let (function, span) = reading
                .expr
                .functions()
                .into_iter()
                .find(|(function, _)| cuelight_expression::StatusFunction::of(*function).is_some())
                .expect("it uses one");
            let place = self.place(reading, &span);
            self.findings
                .error("expression", place, format!("`{}()` can be asked in `if` only", function.name()))
                .help("elsewhere use steps.<id>.result");
        }
        for reference in reading.expr.references() {
            let root = reference.root.to_lowercase();
            match root.as_str() {
                "inputs" => self.input(reading, &reference),
                "matrix" => self.matrix(reading, &reference),
                "steps" => self.steps(reading, &reference, false),
                "needs" => self.steps(reading, &reference, true),
                "env" | "secrets" | "strategy" | "run" | "gate" | "state" | "vars" => {}
                _ => self.unknown_context(reading, &reference),
            }
        }
    }

    /// The place of a part of an expression in the file.
    fn place(&self, reading: &Reading<'_>, span: &Range<usize>) -> Place {
        let range = reading.inner + span.start..reading.inner + span.end;
        locate(self.findings, reading.place, reading.text, range)
    }

    fn unknown_context(&mut self, reading: &Reading<'_>, reference: &Reference) {
        let place = self.place(reading, &reference.span);
        let near = suggest(&reference.root, CONTEXTS.iter().copied());
        let found = self.findings.error(
            "unknown-context",
            place,
            format!("there is no context `{}`", reference.root),
        );
        match (reference.root.as_str(), near) {
            ("github" | "runner" | "job" | "jobs", _) => found.help("that is GitHub's; look at `run`"),
            (_, Some(near)) => found.label(format!("did you mean `{near}`?")),
            (_, None) => found.help(format!("the contexts are {}", any_of(CONTEXTS))),
        };
    }

    fn input(&mut self, reading: &Reading<'_>, reference: &Reference) {
        let Some(name) = reference.path.first() else { return };
        let known = self.workflow.inputs.iter().map(|input| input.name.value.as_str());
        if known.clone().any(|value| value.eq_ignore_ascii_case(name)) {
            return;
        }
        let near = suggest(name, known);
        let place = self.place(reading, &reference.span);
        let found = self.findings.error("unknown-input", place, format!("there is no input `{name}`"));
        match near {
            Some(near) => found.label(format!("did you mean `{near}`?")),
            None => found.help("declare it under `inputs:`"),
        };
    }

    fn matrix(&mut self, reading: &Reading<'_>, reference: &Reference) {
        let asks_once = |step: &Step| matches!(&step.kind, StepKind::Gate(gate) if gate.whole_matrix);
        let is_known = |step: &Step| match reading.site {
            Site::Matrix => false,
            Site::Once => !asks_once(step),
            Site::Condition | Site::Env | Site::Request | Site::Script | Site::After | Site::Value => true,
        };
        let step = self.step.map(|step| step.1);
        let Some(matrix) = step.filter(|step| is_known(step)).and_then(|step| step.matrix.as_ref()) else {
            let place = self.place(reading, &reference.span);
            let found = self.findings.error("unknown-axis", place, "there is no matrix here");
            match reading.site {
                Site::Once if step.is_some_and(asks_once) => found
                    .help("a gate with `scope: matrix` is escalated once, for all copies; name one group"),
                _ => found.help("`matrix.…` is known only in a step that has `matrix:`"),
            };
            return;
        };
        let (Some(name), MatrixSource::Constant(axes)) = (reference.path.first(), &matrix.source) else {
            return;
        };
        let known: Vec<&str> = axes
            .axes
            .iter()
            .map(|(axis, _)| axis.as_str())
            .chain(axes.include.iter().flat_map(|fields| fields.keys().map(String::as_str)))
            .collect();
        if known.iter().any(|text| text.eq_ignore_ascii_case(name)) {
            return;
        }
        let place = self.place(reading, &reference.span);
        let near = suggest(name, known.iter().copied());
        let found = self.findings.error("unknown-axis", place, format!("the matrix has no axis `{name}`"));
        match near {
            Some(near) => found.label(format!("did you mean `{near}`?")),
            None => found.help(format!("its axes are {}", any_of(&known))),
        };
    }

    /// `steps.<id>.…`, and `needs.<id>.…` of direct needs.
    fn steps(&mut self, reading: &Reading<'w>, reference: &Reference, is_needs: bool) {
        if matches!(self.top, Some(Top::Env | Top::Group)) {
            let place = self.place(reading, &reference.span);
            self.findings
                .error("not-an-ancestor", place, "no step has run where this is read")
                .help("move it into the `env` of a step that needs the other");
            return;
        }
        let Some(id) = reference.path.first() else { return };
        let Some(target) = self.graph.step(&id.to_lowercase()) else {
            let place = self.place(reading, &reference.span);
            let near = self.graph.near(&id.to_lowercase());
            let found = self.findings.error("unknown-step", place, format!("there is no step `{id}`"));
            match near {
                Some(near) => found.label(format!("did you mean `{near}`?")),
                None => found.help("name the id of a step of this file"),
            };
            return;
        };
        let step = &self.workflow.steps[target];
        if let Some((index, _)) = self.step {
            let is_own = index == target && reading.site == Site::After;
            if is_needs && !self.graph.needs(index).contains(&target) {
                let place = self.place(reading, &reference.span);
                self.findings
                    .error("not-an-ancestor", place, format!("`{id}` is not among the `needs` of this step"))
                    .help(format!("use steps.{id}, or add it to `needs`"));
            } else if !is_own {
                let range = reading.inner + reference.span.start..reading.inner + reference.span.end;
                let (text, place) = (reading.text, reading.place);
                self.reads.push(StepRead { reader: index, target, text, place, range });
            }
        }
        self.property(step, reading, reference, if is_needs { NEED_PROPERTIES } else { STEP_PROPERTIES });
    }

    fn property(
        &mut self,
        step: &Step,
        reading: &Reading<'_>,
        reference: &Reference,
        known: &[&'static str],
    ) {
        let Some(property) = reference.path.get(1) else { return };
        let lower = property.to_lowercase();
        if !known.contains(&lower.as_str()) {
            let near = suggest(property, known.iter().copied());
            let place = self.place(reading, &reference.span);
            let found = self.findings.error(
                "unknown-property",
                place,
                format!("a step has no property `{property}`"),
            );
            match (lower.as_str(), near) {
                ("outcome" | "conclusion", _) => found.label("did you mean `result`?"),
                (_, Some(near)) => found.label(format!("did you mean `{near}`?")),
                (_, None) => found.help(format!("it has {}", any_of(known))),
            };
            return;
        }
        let Some(name) = reference.path.get(2) else { return };
        if lower == "outputs" {
            let outputs = outputs_of(step)
                .filter(|outputs| !outputs.iter().any(|output| output.eq_ignore_ascii_case(name)));
            if let Some(outputs) = outputs {
                let place = self.place(reading, &reference.span);
                self.no_output(step, name, &outputs, place);
            }
        } else if lower == "form" {
            self.form(step, name, reading, reference);
        }
    }

    fn form(&mut self, step: &Step, name: &str, reading: &Reading<'_>, reference: &Reference) {
        let fields: Vec<&str> = match &step.kind {
            StepKind::Gate(gate) => gate.form.iter().map(|field| field.name.value.as_str()).collect(),
            _ => Vec::new(),
        };
        if fields.iter().any(|field| field.eq_ignore_ascii_case(name)) {
            return;
        }
        let near = suggest(name, fields.iter().copied());
        let place = self.place(reading, &reference.span);
        let message = format!("`{}` has no form field `{name}`", step.id.value);
        let found = self.findings.error("unknown-property", place, message);
        match near {
            Some(near) => found.label(format!("did you mean `{near}`?")),
            None => found.help("only a gate has a form; declare the field under `form:`"),
        };
    }

    fn no_output(&mut self, step: &Step, name: &str, outputs: &[&str], place: Place) {
        let near = suggest(name, outputs.iter().copied());
        let id = &step.id.value;
        let is_gate = matches!(step.kind, StepKind::Gate(_));
        let verb = if is_gate { "has" } else { "declares" };
        let message = format!("`{id}` {verb} no output `{name}`");
        let found = self.findings.error("unknown-output", place, message);
        match near {
            Some(near) => found.label(format!("did you mean `{near}`?")),
            None if matches!(step.kind, StepKind::Wait(_)) => {
                found.help(format!("`{id}` only waits, and has no outputs"))
            }
            None if is_gate => found.help(form_words(id, name)),
            None if outputs.is_empty() => found.help(format!("add `outputs: {{{name}: string}}` to `{id}`")),
            None => found.help(format!("it declares {}", any_of(outputs))),
        };
    }

    fn confidence(&mut self, step: &Step) {
        let Some(from) = step.confidence.as_ref().and_then(|confidence| confidence.from.as_ref()) else {
            return;
        };
        let outputs = outputs_of(step).filter(|outputs| !outputs.iter().any(|output| *output == from.value));
        if let Some(outputs) = outputs {
            self.no_output(step, &from.value, &outputs, from.place);
        }
    }
}

/// The place of a form field, for a file that takes it for an output.
pub(super) fn form_words(gate: &str, name: &str) -> String {
    format!("read a form field with `steps.{gate}.form.{name}`; a gate has {}", any_of(&GATE_OUTPUTS))
}

/// The outputs of every gate.
pub(super) const GATE_OUTPUTS: [&str; 3] = ["decision", "form", "approvers"];

/// The outputs that a step is known to have; none when they cannot be known before it runs.
fn outputs_of(step: &Step) -> Option<Vec<&str>> {
    if matches!(step.kind, StepKind::Gate(_)) {
        return Some(GATE_OUTPUTS.to_vec());
    }
    let declared: Vec<&str> = step.outputs.iter().map(|output| output.name.value.as_str()).collect();
    if !declared.is_empty() {
        return Some(declared);
    }
    match &step.kind {
        StepKind::Run(_) | StepKind::Gate(_) => Some(declared),
        StepKind::Emit(_) => Some(vec!["id", "topic"]),
        StepKind::Wait(Wait::Event { count: 1, .. }) => {
            Some(vec!["id", "topic", "type", "from", "data", "correlation", "score"])
        }
        StepKind::Wait(Wait::Event { .. }) => Some(vec!["messages", "best"]),
        StepKind::Set(set) => Some(set.values.iter().map(|(key, _)| key.as_str()).collect()),
        StepKind::Workflow(call) => {
            call.body.as_ref().map(|body| body.outputs.iter().map(|(key, _)| key.as_str()).collect())
        }
        StepKind::Llm(llm) => {
            let properties = llm.json_schema.as_ref().and_then(|json_schema| json_schema.get("properties"));
            let answered =
                properties.and_then(Value::as_object).into_iter().flatten().map(|entry| entry.0.as_str());
            // An answer of any shape has parts that nobody knows before.
            let is_open = llm.json_schema.is_some() && properties.is_none();
            (!is_open).then(|| {
                let talk = (!llm.tools.is_empty()).then_some("rounds");
                MODEL_OUTPUTS
                    .iter()
                    .copied()
                    .chain(talk)
                    .chain(answered.filter(|key| !MODEL_OUTPUTS.contains(key)))
                    .collect()
            })
        }
        StepKind::Uses(uses) => shared_outputs(uses),
        // What every answer has, beside what is promised of this one.
        StepKind::Agent(uses) => shared_outputs(uses).map(|mut names| {
            names.extend(
                AGENT_OUTPUTS.iter().filter(|agent_output| !names.contains(agent_output)).collect::<Vec<_>>(),
            );
            names
        }),
        StepKind::Http(_) => Some(HTTP_OUTPUTS.to_vec()),
        StepKind::Wait(Wait::For(_) | Wait::Until(_)) => Some(declared),
    }
}

/// The outputs that all tools of a route share; none if one of the tools declares no outputs.
fn shared_outputs(uses: &Uses) -> Option<Vec<&str>> {
    let mut all = uses.all().iter().map(|uses| uses.definition.as_ref());
    let first: Vec<&str> = all.next().flatten()?.output_names().collect();
    let shared = all.try_fold(first, |shared, definition| {
        let names: Vec<&str> = definition?.output_names().collect();
        (!names.is_empty()).then(|| shared.into_iter().filter(|value| names.contains(value)).collect())
    })?;
    (!shared.is_empty()).then_some(shared)
}
