//! The results that a run takes over from the run it does again, the gates that ask again, and the
//! corrections.
//! A function of the other run and of the new plan; `recovery` decides who may ask for it.

use crate::{
    Change, Corrected, InputChange, StepChange, approved,
    by_hand::{is_or_makes_gate, is_or_makes_gate_that},
    compared::{Compared, is_written_as_before, same_steps},
    links::Links,
    loosened,
    put_elsewhere::Displaced,
    run::{Run, asks_for_failures},
    side::places,
    spent::{AskAgain, approved_in},
};
use cuelight_base::{StepIx, ValueMap};
use cuelight_plan::{Plan, PlanStep, Work, is_within};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

/// The plan, kept results and corrections of a new run.
pub(super) struct TakenOver {
    pub(super) plan: Arc<Plan>,
    /// Steps that keep their results: there, and here.
    pub(super) steps: Vec<(StepIx, StepIx)>,
    pub(super) corrected: Option<Box<Corrected>>,
    pub(super) displaced: Displaced,
}

/// The gates that have asked by now in a run that is done again, or in a run that it did again.
pub(super) struct Asked {
    /// All of them, also those that their policy approved at once.
    pub(super) all: BTreeSet<String>,
    /// The steps at which people were asked.
    pub(super) people: BTreeSet<String>,
    /// The steps that earlier corrections have taken away from behind gates.
    pub(super) displaced: Displaced,
}

impl Asked {
    /// True if people were asked at this gate, or at one in this frame.
    pub(super) fn has_asked(&self, id: &str) -> bool {
        // The ids that begin with this one follow each other.
        let from = self.people.range::<str, _>((Bound::Included(id), Bound::Unbounded));
        from.take_while(|name| name.starts_with(id)).any(|name| name == id || is_within(name, id))
    }
}

/// Everything of a run that is kept when this plan does the run again; `kept` names the steps to keep. Gates ask again
/// as `asks` says, and after a correction all of them, before anything behind them is done. A gate at which people were
/// asked asks again in any case, once it is done again.
pub(super) fn take_over(
    run: &Run,
    asked: &Asked,
    kept: &BTreeSet<StepIx>,
    given: Option<&Plan>,
    asks: &AskAgain,
) -> Result<TakenOver, String> {
    let given = given.filter(|plan| plan.hash() != run.plan_hash);
    if let Some(other) = given.filter(|plan| plan.name != run.plan.name) {
        return Err(format!("{} is another workflow than {}; start it by itself", other.name, run.plan.name));
    }
    let mut plan = given.map_or_else(|| Arc::clone(&run.plan), |plan| Arc::new(plan.clone()));
    let pairs = same_steps(&run.plan, &plan);
    let compared = given.map(|plan| Compared::of(&run.plan, plan, &pairs));
    let corrected = compared.as_ref().map(|compared| Box::new(differences(compared)));
    let displaced = match &compared {
        Some(compared) => loosened::keeps_gates(compared, asked)?,
        None => asked.displaced.clone(),
    };
    let mut taken = Taking { run, plan: &plan, kept: pairs_of(run, &plan, kept, &pairs)? };
    // The workspace that a gate has captured was that of the old run.
    let captures = |step: &PlanStep| is_or_makes_gate_that(step, |rule| rule.snapshot.is_some());
    let all = given.is_some() || plan.steps.iter().any(captures);
    let asks = if all { &AskAgain::All } else { asks };
    let mut asks_again = false;
    loop {
        let before = taken.kept.len();
        taken.reopen_frames();
        asks_again |= taken.ask_again(asks);
        if taken.kept.len() == before {
            break;
        }
    }
    let kept = taken.kept;
    if given.is_some() {
        approved::stays(run, &plan, &kept)?;
    }
    let before = if given.is_some() { &asked.all } else { &asked.people };
    let moved = compared.as_ref().map(loosened::gates_after_a_change).transpose()?.unwrap_or_default();
    let mut again: BTreeSet<StepIx> = pairs.values().copied().collect();
    again.retain(|index| {
        let step = &plan.steps[index.index()];
        let in_frame = || step.work.frame().is_some() && !within(before, &step.id).is_empty();
        before.contains(&step.id) || moved.contains(index) || in_frame()
    });
    for step in again {
        let step = &mut Arc::make_mut(&mut plan).steps[step.index()];
        match &mut step.work {
            Work::Gate(rule) => Arc::make_mut(rule).asks = true,
            Work::Frame(frame) => frame.asked = within(before, &step.id),
            _ => {}
        }
    }
    if asks_again || matches!(asks, AskAgain::All) {
        let waits = behind_gates(&plan, &kept);
        if !waits.is_empty() {
            let plan = Arc::make_mut(&mut plan);
            for (step, gate) in waits {
                let needs = &mut plan.steps[step.index()].needs;
                needs.push(gate);
                needs.sort();
            }
        }
    }
    let mut steps: Vec<(StepIx, StepIx)> = kept.into_iter().map(|(new, old)| (old, new)).collect();
    // In the order in which they were done, so that they are undone in reverse of that.
    let places: BTreeMap<StepIx, usize> =
        run.undo.completed.iter().enumerate().map(|(at, step)| (*step, at)).collect();
    steps.sort_by_key(|(old, _)| (places.get(old).copied().unwrap_or(usize::MAX), *old));
    Ok(TakenOver { plan, steps, corrected, displaced })
}

/// The steps, out of these, that stand in a frame.
pub(super) fn within<'a>(ids: impl IntoIterator<Item = &'a String>, frame: &str) -> Vec<String> {
    ids.into_iter().filter(|id| is_within(id, frame)).cloned().collect()
}

/// The kept steps, by their place in the new plan. A completed step stays as it was done.
/// A step that is written otherwise now has no result yet, and its effects would be forgotten.
fn pairs_of(
    run: &Run,
    plan: &Plan,
    kept: &BTreeSet<StepIx>,
    pairs: &BTreeMap<StepIx, StepIx>,
) -> Result<BTreeMap<StepIx, StepIx>, String> {
    let mut out = BTreeMap::new();
    for old in kept {
        let id = &run.plan_step(*old).id;
        let found = pairs.get(old).copied();
        if !run.step(*old).state().is_done() {
            out.extend(found.map(|new| (new, *old)));
            continue;
        }
        let Some(new) = found else {
            return Err(format!(
                "{id} has completed and is no longer in the workflow; put it back, or do it all again"
            ));
        };
        let same = is_written_as_before(&run.plan, *old, plan, new);
        if !same && matches!(run.plan_step(*old).work, Work::Gate(_)) {
            continue;
        }
        let mut around = (*old, new, same);
        loop {
            if !around.2 {
                let id = &run.plan_step(around.0).id;
                return Err(format!(
                    "{id} has completed and is written otherwise now; put it back as it was, or do it all again"
                ));
            }
            let frames = (run.plan_step(around.0).frame, plan.steps[around.1.index()].frame);
            match frames {
                (None, None) => break,
                (Some(before), Some(now)) => {
                    around = (before, now, is_written_as_before(&run.plan, before, plan, now));
                }
                (None, Some(_)) | (Some(_), None) => around.2 = false,
            }
        }
        out.insert(new, *old);
    }
    Ok(out)
}

/// The steps that keep their results, as they become fewer: by their place here, their place there.
struct Taking<'a> {
    run: &'a Run,
    plan: &'a Plan,
    kept: BTreeMap<StepIx, StepIx>,
}

impl Taking<'_> {
    /// Drops each frame of which a step is not kept. In a frame that opens again, the steps that never ran
    /// may run.
    fn reopen_frames(&mut self) {
        for step in places(self.plan).rev() {
            if let Some(frame) =
                self.plan.steps[step.index()].frame.filter(|_| !self.kept.contains_key(&step))
            {
                self.kept.remove(&frame);
            }
        }
        for step in places(self.plan) {
            let Some(old) = self.kept.get(&step) else { continue };
            let opens =
                self.plan.steps[step.index()].frame.is_some_and(|frame| !self.kept.contains_key(&frame));
            if opens && !self.run.step(*old).state().is_done() {
                self.kept.remove(&step);
            }
        }
    }

    /// Drops the gates that ask again, of those behind which something is still to be done. True if there were any.
    fn ask_again(&mut self, asks: &AskAgain) -> bool {
        let open: Vec<StepIx> = places(self.plan).filter(|place| !self.kept.contains_key(place)).collect();
        let (run, links) = (self.run, Links::of(&self.plan.steps));
        let AskAgain::Spent(spent) = asks else { return self.drop_gates_above(&links, open, |_| true) };
        let mut any = false;
        for (id, since) in spent {
            let is_of_it = |gate: StepIx| approved_in(run, gate) == *id;
            let is_void = |gate: StepIx| since.is_void || since.refused.contains(&run.plan_step(gate).id);
            any |= self.drop_gates_above(&links, open.clone(), |gate| is_of_it(gate) && is_void(gate));
            let begun = |step: &StepIx| since.begun.contains(&self.plan.steps[step.index()].id);
            let around =
                |step: StepIx| std::iter::successors(Some(step), |step| self.plan.steps[step.index()].frame);
            let again: BTreeSet<StepIx> = open.iter().copied().filter(begun).flat_map(around).collect();
            any |= self.drop_gates_above(&links, again.into_iter().collect(), is_of_it);
        }
        any
    }

    /// Drops those of the gates before these steps, by their place in the other plan. True if there were any.
    fn drop_gates_above(
        &mut self,
        links: &Links,
        mut open: Vec<StepIx>,
        is_dropped: impl Fn(StepIx) -> bool,
    ) -> bool {
        let mut any = false;
        let mut seen: BTreeSet<StepIx> = open.iter().copied().collect();
        while let Some(at) = open.pop() {
            let step = &self.plan.steps[at.index()];
            let before = step.needs.iter().copied();
            // What comes before a frame comes before all that stands in it; what ends in it, before what needs it.
            let around =
                step.frame.into_iter().flat_map(|frame| self.plan.steps[frame.index()].needs.iter().copied());
            let mut found: Vec<StepIx> = before.chain(around).collect();
            while let Some(need) = found.pop() {
                if !seen.insert(need) {
                    continue;
                }
                open.push(need);
                found.extend(links.children(need));
                let there = self.kept.get(&need).copied();
                if is_or_makes_gate(&self.plan.steps[need.index()]) && there.is_some_and(&is_dropped) {
                    self.kept.remove(&need);
                    any = true;
                }
            }
        }
        any
    }
}

/// Steps that are to be done, and the gates that ask again before them although only kept steps stand
/// between: each has to wait for its gate by itself.
fn behind_gates(plan: &Plan, kept: &BTreeMap<StepIx, StepIx>) -> Vec<(StepIx, StepIx)> {
    let links = Links::of(&plan.steps);
    let asks = |place: &StepIx| is_or_makes_gate(&plan.steps[place.index()]) && !kept.contains_key(place);
    let passes = |dependent: &StepIx| {
        let step = &plan.steps[dependent.index()];
        kept.contains_key(dependent) && !step.condition.as_deref().is_some_and(asks_for_failures)
    };
    let mut out = Vec::new();
    for gate in places(plan).filter(asks) {
        let mut seen = BTreeSet::new();
        let mut open: Vec<StepIx> = links.dependents(gate).iter().copied().filter(passes).collect();
        while let Some(at) = open.pop() {
            if !seen.insert(at) {
                continue;
            }
            for next in links.dependents(at) {
                if passes(next) {
                    open.push(*next);
                } else if !kept.contains_key(next) && !plan.steps[next.index()].needs.contains(&gate) {
                    out.push((*next, gate));
                }
            }
        }
    }
    out.sort();
    out.dedup();
    out
}

/// The values that are not the same in both, by name.
pub fn value_differences(old: &ValueMap, new: &ValueMap) -> Vec<InputChange> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differ = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let change = |name: &String| InputChange {
        name: name.clone(),
        before: old.get(name).cloned(),
        after: new.get(name).cloned(),
    };
    differ.map(change).collect()
}

/// The differences between the two plans.
pub fn plan_differences(old: &Plan, new: &Plan) -> Corrected {
    differences(&Compared::of(old, new, &same_steps(old, new)))
}

fn differences(compared: &Compared<'_>) -> Corrected {
    let Compared { old, new, pairs, steps } = compared;
    let known: BTreeSet<StepIx> = pairs.values().copied().collect();
    let rewritten: BTreeSet<StepIx> =
        steps.iter().filter(|pair| pair.is_rewritten()).map(|pair| pair.was).collect();
    let named = |plan: &Plan, at: StepIx, how| StepChange { id: plan.steps[at.index()].id.clone(), how };
    let mut steps: Vec<StepChange> = places(old)
        .filter_map(|at| match pairs.get(&at) {
            None => Some(named(old, at, Change::Removed)),
            Some(now) => rewritten.contains(&at).then(|| named(new, *now, Change::Rewritten)),
        })
        .collect();
    steps.extend(
        places(new).filter(|place| !known.contains(place)).map(|place| named(new, place, Change::Added)),
    );
    let rules = [
        ("env", old.env == new.env),
        ("secrets", old.secrets == new.secrets),
        ("outputs", old.outputs == new.outputs),
        ("on-failure", old.on_failure == new.on_failure),
        ("timeout", old.timeout == new.timeout),
        ("max-parallel", old.max_parallel == new.max_parallel),
        ("concurrency", old.concurrency == new.concurrency),
        ("budget", old.budget == new.budget),
    ];
    Corrected {
        inputs: value_differences(&old.inputs, &new.inputs),
        steps,
        rules: rules.into_iter().filter(|(_, same)| !same).map(|(word, _)| word.to_owned()).collect(),
        definition: old.definition,
    }
}
