//! The programs that a call executes, and the files that it names.

use super::{purposes, work::work_for};
use crate::{FileFact, Purpose, run::Run};
use cuelight_base::{Launch, Program, StepIx, TextPart, is_shell};
use cuelight_expression::{Expr, Template};
use cuelight_plan::Work;

/// The files that a call of a step names. Values that come of the form of this gate are left open: who
/// approves may still change them, and the ask says so of files that only they name.
pub(crate) fn program_at(run: &Run, step: StepIx, gate: StepIx, launch: &Launch) -> Program {
    let around: Vec<StepIx> = std::iter::once(gate).chain(run.frames_of(gate)).collect();
    let plan = run.plan_step(step);
    let is_of_gate = |text: &str| {
        let reads = |expr: &Expr| {
            expr.references().iter().any(|reference| {
                let is_step = matches!(reference.root.to_ascii_lowercase().as_str(), "steps" | "needs");
                let named =
                    |name: &String| run.named(plan.scope, name).is_some_and(|step| around.contains(&step));
                is_step && reference.path.first().is_none_or(named)
            })
        };
        Template::parse(text).is_ok_and(|template| template.holes().any(|hole| reads(&hole.expr)))
    };
    let bound = |name: &str| {
        purposes(plan).filter_map(|purpose| work_for(plan, purpose)).any(|work| match work {
            Work::Run { bindings, .. } => bindings
                .iter()
                .any(|binding| binding.0 == name && is_of_gate(&format!("${{{{ {} }}}}", binding.1))),
            _ => false,
        })
    };
    let is_open = |name: &str| {
        let written = run.env_of(step).rev().find(|pair| pair.0 == name);
        written.is_some_and(|pair| is_of_gate(&pair.1)) || bound(name)
    };
    launch.program_without(&is_open)
}

/// The files that a step names for this purpose, if they are known before the rest of its call: one program,
/// or one for each candidate tool until one is chosen.
pub(crate) fn known_programs(
    run: &Run,
    step: StepIx,
    purpose: Purpose,
    chosen: Option<&String>,
) -> Vec<Program> {
    let plan = run.plan_step(step);
    if computed_place(run, step).is_some() {
        return Vec::new();
    }
    let dir = plan.dir.clone();
    // A variable whose value is not known yet is there all the same, with the stretches that are.
    let value = |text: &String| {
        let mut holes = text.split("${{");
        let first = holes.next().map(|hole| TextPart::Text(hole.to_owned()));
        let behind = |hole: &str| {
            let text = hole.split_once("}}").map_or("", |halves| halves.1);
            [TextPart::Secret(String::new()), TextPart::Text(text.to_owned())]
        };
        first.into_iter().chain(holes.flat_map(behind)).collect::<Vec<_>>()
    };
    let program = |(words, variables): (Vec<String>, Vec<(String, String)>)| {
        let of_step = run.env_of(step).map(|(name, text)| (name.clone(), value(text)));
        let own = variables.iter().filter(|(name, _)| run.env_of(step).all(|pair| pair.0 != *name));
        let env: Vec<_> = of_step.chain(own.map(|(name, text)| (name.clone(), value(text)))).collect();
        let program = Launch { env, dir: dir.clone(), ..Launch::of(words) }.program();
        let names = program.shell.is_some() || program.script.is_some() || !program.word.is_empty();
        let names = names || !program.runs.is_empty() || !program.names.is_empty();
        names.then_some(Program { later: true, ..program })
    };
    let words: Vec<_> = match work_for(plan, purpose) {
        Some(Work::Run { shell, script, bindings }) => {
            let words = shell.iter().chain([script]).cloned().collect();
            vec![(
                words,
                bindings
                    .iter()
                    .map(|binding| (binding.0.clone(), format!("${{{{ {} }}}}", binding.1)))
                    .collect(),
            )]
        }
        Some(Work::Tool(tool_use)) => {
            let names: Vec<&String> = match &tool_use.route {
                Some(route) => {
                    chosen.map_or_else(|| route.candidates.iter().collect(), |chosen| vec![chosen])
                }
                None => vec![&tool_use.tool],
            };
            let tools = names.into_iter().filter_map(|name| run.plan.tool(name));
            tools.filter_map(|tool| tool.known_words(tool_use.undoes)).collect()
        }
        _ => Vec::new(),
    };
    let mut programs: Vec<Program> = words.into_iter().filter_map(program).collect();
    programs.sort();
    programs.dedup();
    programs
}

/// The directory or the `PATH` of a step that is known only when it begins, so that no file of it is looked
/// at before.
pub(crate) fn computed_place(run: &Run, step: StepIx) -> Option<&str> {
    let search = run.env_of(step).rev().find(|pair| pair.0 == "PATH").map(|pair| pair.1.as_str());
    run.plan_step(step).dir.as_deref().into_iter().chain(search).find(|dir| dir.contains("${{"))
}

/// True when a step starts a program for this purpose.
pub(crate) fn is_process(run: &Run, step: StepIx, purpose: Purpose) -> bool {
    match work_for(run.plan_step(step), purpose) {
        Some(Work::Run { .. }) => true,
        Some(Work::Tool(tool_use)) => {
            let mut tools = tool_use.route.iter().flat_map(|route| &route.candidates).chain([&tool_use.tool]);
            tools.any(|name| {
                run.plan.tool(name).is_some_and(|tool| tool.known_words(tool_use.undoes).is_some())
            })
        }
        _ => false,
    }
}

/// True when a step that begins later is bound to these files: to more than the shell that reads its text.
pub(crate) fn names_files(program: &Program, files: &[FileFact]) -> bool {
    let is_found = |file: &FileFact| !is_shell(&program.word) || file.path.contains('/');
    let is_ours = |file: &FileFact| file.is_bound() && !file.path.starts_with('/') && is_found(file);
    program.shell.is_some()
        || program.script.is_some()
        || program.word.contains('/')
        || files.first().is_some_and(is_ours)
        || files.iter().skip(1).any(FileFact::is_bound)
}
