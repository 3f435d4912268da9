//! The files to which the calls of a step are bound by approvals, and the checks that they have not changed.

use crate::{Facts, FileFact, Purpose, WillRun, call, handle::Turn, outcome, run::Run};
use cuelight_base::{Digest, FailureMode, Launch, Program, RunId, StepIx};

/// The captured workspace in which a step runs next.
fn bound_tree(run: &Run, step: StepIx) -> Option<Box<Facts>> {
    let gate = run.trees_above(step).last()?.0;
    run.step(gate).facts.as_ref()?.only_tree()
}

/// The files that the undo and the check of a step are bound to: those that its approvals have shown, and the
/// captured workspace in which it ran.
/// A gate that asks again by then, or was refused, changes neither: nobody approved the files that are there
/// now.
pub(super) fn bound_after(run: &Run, step: StepIx, purpose: Purpose) -> Option<Box<Facts>> {
    with_tree(run, step, programs_after(run, step, purpose))
}

/// The same for both, for a run that keeps the result of the step: its gates may ask again there.
pub(crate) fn bound_afterwards(run: &Run, step: StepIx) -> Option<Box<Facts>> {
    let mut programs = programs_after(run, step, Purpose::Undo);
    for pair in programs_after(run, step, Purpose::Check) {
        if !programs.contains(&pair) {
            programs.push(pair);
        }
    }
    with_tree(run, step, programs)
}

fn with_tree(run: &Run, step: StepIx, mut programs: Vec<(Program, Vec<FileFact>)>) -> Option<Box<Facts>> {
    let tree = run.step(step).undo.ran_in.clone().or_else(|| bound_tree(run, step));
    programs.extend(tree.into_iter().flat_map(|tree| tree.programs));
    (!programs.is_empty()).then(|| Box::new(Facts { programs, ..Facts::default() }))
}

/// The files that the undo or the check of a step executes, as its approvals have shown them: for a kept result, those of
/// the run that made it.
fn programs_after(run: &Run, step: StepIx, purpose: Purpose) -> Vec<(Program, Vec<FileFact>)> {
    let this_step = run.step(step);
    let kept = this_step.undo.bound.as_deref();
    let approved = this_step.asking.approvals.iter().filter_map(|approval| approval.facts.as_deref());
    let all: Vec<&Facts> = kept.map_or_else(|| approved.collect(), |facts| vec![facts]);
    let mut programs: Vec<(Program, Vec<FileFact>)> = Vec::new();
    if all.iter().all(|facts| facts.programs.is_empty()) {
        return programs;
    }
    let known = call::known_programs(run, step, purpose, None);
    for facts in all {
        let shown = known.iter().map(|program| facts.shown_of(program)).find(|pairs| !pairs.is_empty());
        for (of, files) in shown.unwrap_or_default() {
            let shown = (Program { later: true, ..of.clone() }, files.clone());
            if are_there(files) && call::names_files(of, files) && !programs.contains(&shown) {
                programs.push(shown);
            }
        }
    }
    programs
}

/// True if all files were there to be approved, and none was yet to be written by a step in between.
fn are_there(files: &[FileFact]) -> bool {
    files.iter().filter(|file| file.is_bound()).all(|file| file.digest.is_some())
}

/// The files that the gates right before a step were approved with, and those it executes, where a gate has
/// shown them.
pub(super) fn bound(run: &Run, step: StepIx, purpose: Purpose, launch: &Launch) -> Option<Box<Facts>> {
    let mut all = Facts::default();
    for gate in run.gates_before(step) {
        if let Some(facts) = &run.step(gate).facts {
            all.extend(facts);
        }
    }
    all.programs = bound_programs(run, step, purpose, launch);
    all.programs.extend(bound_tree(run, step).into_iter().flat_map(|bound_tree| bound_tree.programs));
    (!all.is_empty()).then(|| Box::new(all))
}

/// The files that a call executes, as the approvals of its step have shown them.
fn bound_programs(
    run: &Run,
    step: StepIx,
    purpose: Purpose,
    launch: &Launch,
) -> Vec<(Program, Vec<FileFact>)> {
    let approvals = &run.step(step).asking.approvals;
    let mut programs: Vec<(Program, Vec<FileFact>)> = Vec::new();
    if approvals.iter().all(|approval| approval.facts.as_ref().is_none_or(|facts| facts.programs.is_empty()))
    {
        return programs;
    }
    let chosen = run.step(step).target.chosen.as_ref().filter(|_| purpose == Purpose::Step);
    let known = call::known_programs(run, step, purpose, chosen);
    for approval in approvals {
        let Some(facts) = &approval.facts else { continue };
        let knows = approval.knows(purpose);
        let own = call::program_at(run, step, approval.gate, launch);
        let of_call = || facts.shown_of(&own);
        let of_words = || known.iter().map(|program| facts.shown_of(program)).find(|pairs| !pairs.is_empty());
        let is_own = knows || purpose == Purpose::Step;
        let shown = match of_call() {
            shown if knows && !shown.is_empty() => shown,
            shown => of_words().unwrap_or_else(|| shown.into_iter().filter(|_| is_own).collect()),
        };
        for (of, files) in shown {
            let shown = (Program { later: !knows, ..of.clone() }, files.clone());
            let counts = knows || are_there(files) && call::names_files(of, files);
            if counts && !programs.contains(&shown) {
                programs.push(shown);
            }
        }
    }
    programs
}

impl Turn<'_> {
    /// True if a cached result stands for this call of a step: one that was made with the files that the call is bound to.
    pub(super) fn is_cached_as_bound(&mut self, id: RunId, step: StepIx, key: &str, launch: &Launch) -> bool {
        let run = self.run(id);
        let files = bound(run, step, Purpose::Step, launch);
        let made_with = run.made_with(step, launch, files.as_deref());
        self.is_cached(id, step, key, made_with)
    }

    /// True if all gates above a step have captured the same workspace.
    /// A gate behind another one that captured asks again, and then shows the same workspace. If two gates do
    /// not know of each other, nobody can say which workspace is meant.
    pub(super) fn is_of_one_tree(&mut self, id: RunId, step: StepIx) -> bool {
        let run = self.run(id);
        let trees = run.trees_above(step);
        if trees.windows(2).all(|pair| pair[0].1 == pair[1].1) {
            return true;
        }
        let differs =
            |tree: &&(StepIx, Digest)| run.tree_before(tree.0).is_some_and(|before| before != tree.1);
        let differing: Vec<StepIx> = trees.iter().filter(differs).map(|tree| tree.0).collect();
        if differing.is_empty() {
            let message =
                "two gates before it have captured different workspaces; let one of the gates need the other";
            self.fail_step(id, step, &outcome::failure(FailureMode::PolicySecurity, message.to_owned()));
        } else {
            self.reopen_at(id, step, &differing, "the gate before it has captured the workspace anew");
        }
        false
    }

    /// The difference between a call and the one that people saw.
    pub(super) fn differs(
        &self,
        id: RunId,
        step: StepIx,
        gate: StepIx,
        purpose: Purpose,
        launch: &Launch,
    ) -> String {
        let run = self.run(id);
        let gate = run.step(gate).gate;
        let ask = gate.and_then(|gate| self.world.gates.get(&gate)).map(|gate| &gate.ask);
        let id = &run.plan_step(step).id;
        let tool = |launch: &Launch| launch.tool.as_ref().map(|tool| tool.id());
        let is_it = |will_run: &&WillRun| {
            will_run.step == *id
                && match purpose {
                    Purpose::Fallback(_) => !will_run.fallback.is_empty(),
                    _ => will_run.choice.is_empty() || tool(&will_run.launch) == tool(launch),
                }
        };
        let shown = ask.and_then(|ask| ask.will_run.iter().find(is_it));
        let seen = match purpose {
            Purpose::Fallback(which) => shown
                .and_then(|will_run| {
                    will_run.fallback.iter().find(|will_fall_back| will_fall_back.number == which)
                })
                .map(|will_fall_back| &will_fall_back.launch),
            Purpose::Step | Purpose::Undo | Purpose::Check => shown.map(|will_run| &will_run.launch),
        };
        let parts = seen.map(|value| call::differences(value, launch)).unwrap_or_default();
        let where_it_is = if parts.is_empty() { String::new() } else { format!(", at {}", parts.join(", ")) };
        format!("what {id} would run is not what was approved{where_it_is}")
    }
}
