//! The results that a run takes over from the run it does again, the gates that ask again, and the
//! corrections.
//! A function of the other run and of the new plan; `recovery` decides who may ask for it.

use crate::{
    Change, Corrected, InputChange, StepChange,
    by_hand::{is_or_makes_gate, is_or_makes_gate_that},
    run::{Run, asks_for_failures},
};
use cuelight_base::{CORRECTION_COMPARES_MAX, StepIx, UNDO_WINDOW_DEFAULT, ValueMap};
use cuelight_plan::{
    Frame, FrameKind, GateRule, Need, OnFailure, OnTimeout, Plan, PlanStep, Quorum, Risk, Work,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The plan, kept results and corrections of a new run.
pub(super) struct TakenOver {
    pub(super) plan: Arc<Plan>,
    /// Steps that keep their results: there, and here.
    pub(super) steps: Vec<(StepIx, StepIx)>,
    pub(super) corrected: Option<Box<Corrected>>,
}

/// The results of a run that stand when it is done again by this plan; `kept` are the steps to keep. With
/// `asks`, gates ask again before any step behind them is done.
///
/// `asked` are the gates that have asked in it by now, or in a run that it does again.
pub(super) fn take_over(
    run: &Run,
    asked: &BTreeMap<String, Vec<String>>,
    kept: &BTreeSet<StepIx>,
    given: Option<&Plan>,
    asks: bool,
) -> Result<TakenOver, String> {
    let given = given.filter(|it| it.hash() != run.plan_hash);
    if let Some(other) = given.filter(|it| it.name != run.plan.name) {
        return Err(format!("{} is another workflow than {}; start it by itself", other.name, run.plan.name));
    }
    let corrected = given.map(|it| Box::new(plan_differences(&run.plan, it)));
    let mut plan = given.map_or_else(|| Arc::clone(&run.plan), |it| Arc::new(it.clone()));
    let pairs = same_steps(&run.plan, &plan);
    if given.is_some() {
        keeps_gates(&run.plan, &plan, &pairs)?;
    }
    let mut taken = Taking { run, plan: &plan, kept: pairs_of(run, &plan, kept, &pairs)? };
    // The workspace that a gate has captured was that of the old run.
    let captures = |step: &PlanStep| is_or_makes_gate_that(step, |rule| rule.snapshot.is_some());
    let asks = asks || given.is_some() || plan.steps.iter().any(captures);
    loop {
        let before = taken.kept.len();
        taken.reopen_frames();
        if asks {
            taken.ask_again();
        }
        if taken.kept.len() == before {
            break;
        }
    }
    let kept = taken.kept;
    if given.is_some() {
        for new in pairs.values().filter(|it| !kept.contains_key(it)) {
            let step = &mut Arc::make_mut(&mut plan).steps[new.index()];
            match &mut step.work {
                Work::Gate(rule) if asked.contains_key(&step.id) => Arc::make_mut(rule).asks = true,
                Work::Frame(frame) => frame.asked = within(asked.keys(), &step.id),
                _ => {}
            }
        }
    }
    if asks {
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
        run.completed.iter().enumerate().map(|(at, step)| (*step, at)).collect();
    steps.sort_by_key(|(old, _)| (places.get(old).copied().unwrap_or(usize::MAX), *old));
    Ok(TakenOver { plan, steps, corrected })
}

/// The steps, out of these, that stand in a frame: `m[1]/g` stands in `m` and in `m[1]`.
pub(super) fn within<'a>(ids: impl IntoIterator<Item = &'a String>, frame: &str) -> Vec<String> {
    let is_within = |it: &&String| it.strip_prefix(frame).is_some_and(|it| it.starts_with(['/', '[']));
    ids.into_iter().filter(is_within).cloned().collect()
}

/// Refuses a correction that removes or loosens a gate, or lets a step out from behind one.
fn keeps_gates(old: &Plan, new: &Plan, pairs: &BTreeMap<StepIx, StepIx>) -> Result<(), String> {
    const ADVICE: &str = "restore it, or start a new run";
    let gates: Vec<StepIx> = places(old).filter(|it| is_or_makes_gate(&old.steps[it.index()])).collect();
    let work = gates.len().saturating_mul(old.steps.len() + new.steps.len());
    if work > CORRECTION_COMPARES_MAX {
        return Err(format!(
            "the correction would compare {} gates with {} steps, more than {CORRECTION_COMPARES_MAX} pairs; start a new run",
            gates.len(),
            old.steps.len() + new.steps.len(),
        ));
    }
    let known: BTreeSet<StepIx> = pairs.values().copied().collect();
    let added: Vec<StepIx> = places(new).filter(|it| !known.contains(it)).collect();
    let (links, links_now) = (Links::of(old), Links::of(new));
    for at in gates {
        let was = &old.steps[at.index()];
        let Some(place) = pairs.get(&at) else {
            return Err(format!("the correction removes the gate {}; {ADVICE}", was.id));
        };
        let is = &new.steps[place.index()];
        let looser = match (&was.work, &is.work) {
            (Work::Gate(before), Work::Gate(now)) => looser(before, now, is_as_wide(was, is)),
            (Work::Gate(_), _) => vec!["kind"],
            _ if is_written_as_before(old, at, new, *place) && was.condition == is.condition => Vec::new(),
            _ => vec!["matrix, in which a gate stands"],
        };
        if !looser.is_empty() {
            let what = looser.join(", ");
            return Err(format!("the correction loosens the gate {} ({what}); {ADVICE}", was.id));
        }
        if let Some((id, what)) = looser_around((old, at), (new, *place)) {
            return Err(format!(
                "the correction loosens {id}, in which the gate {} stands ({what}); {ADVICE}",
                was.id
            ));
        }
        let now = links_now.behind(new, *place);
        let held = links.behind(old, at);
        let let_out = |it: StepIx| {
            let there = pairs.get(&it).copied()?;
            let asks = |plan: &Plan, at: StepIx| {
                plan.steps[at.index()].condition.as_deref().is_some_and(asks_for_failures)
            };
            let escapes = !now[there.index()] || !asks(old, it) && asks(new, there);
            escapes.then(|| old.steps[it.index()].id.clone())
        };
        let behind = || places(old).filter(|it| held[it.index()]);
        if let Some(id) = behind().find_map(let_out) {
            return Err(format!(
                "{id} no longer waits for the gate {}; let it need the gate, or start a new run",
                was.id
            ));
        }
        // A new step could be the removed one by another name.
        let gone = behind().find(|it| !pairs.contains_key(it));
        if let (Some(gone), Some(free)) = (gone, added.iter().find(|it| !now[it.index()])) {
            return Err(format!(
                "{} stood behind the gate {} and is gone, and the new step {} does not wait for that gate; let it need \
                 the gate, or start a new run",
                old.steps[gone.index()].id,
                was.id,
                new.steps[free.index()].id
            ));
        }
    }
    Ok(())
}

/// The frame around a gate that could now go by without it, and the key by which.
fn looser_around((old, was): (&Plan, StepIx), (new, is): (&Plan, StepIx)) -> Option<(String, &'static str)> {
    let above = |plan: &Plan, at: StepIx| plan.steps[at.index()].frame;
    let (mut was, mut is) = (above(old, was), above(new, is));
    while let (Some(before), Some(now)) = (was, is) {
        let (a, b) = (&old.steps[before.index()], &new.steps[now.index()]);
        let rules = [
            ("`if`", a.condition == b.condition),
            ("`matrix`", a.matrix == b.matrix),
            ("`timeout`", a.timeout == b.timeout),
            ("`on-error`", a.on_error == b.on_error),
            ("`fallback`", a.fallback == b.fallback),
        ];
        if let Some((what, _)) = rules.into_iter().find(|it| !it.1) {
            return Some((b.id.clone(), what));
        }
        (was, is) = (above(old, before), above(new, now));
    }
    None
}

/// True when a gate asks in every case in which it asked before.
fn is_as_wide(was: &PlanStep, is: &PlanStep) -> bool {
    let asks_for_failures = was.condition.as_deref().is_some_and(asks_for_failures);
    was.condition == is.condition || is.condition.is_none() && !asks_for_failures
}

/// True when the new quorum wants at least the people of the old one.
fn wants_as_many(was: &[Quorum], is: &[Quorum]) -> bool {
    let all = |it: &[Quorum]| it.iter().map(|it| it.count).sum::<u32>().max(1);
    let stands = |before: &Quorum| {
        before.group.is_none() || is.iter().any(|it| it.group == before.group && it.count >= before.count)
    };
    all(is) >= all(was) && was.iter().all(stands)
}

/// True when every field is asked for as strictly as before. With `asks_all` an optional field must be
/// answered too, as at high risk.
fn fields_stand(was: &[Need], is: &[Need], asks_all: bool) -> bool {
    let stands = |before: &Need, now: &Need| {
        let is_fewer = !now.choices.is_empty() && now.choices.iter().all(|it| before.choices.contains(it));
        // A default answers the field in the place of whoever approves. Whoever corrects may take it away, and gives no other one: a
        // value that nobody has asked for would be approved by who expects the one before.
        let fills_in = (now.required || asks_all) && now.default.is_some() && now.default != before.default;
        now.name == before.name
            && now.kind == before.kind
            && (now.required || !before.required)
            && (before.pattern.is_none() || now.pattern == before.pattern)
            && (before.choices.is_empty() || is_fewer)
            && !fills_in
    };
    was.iter().all(|before| is.iter().any(|now| stands(before, now)))
}

/// The rules of a gate that let more through than before, or show less.
fn looser(was: &GateRule, is: &GateRule, is_as_wide: bool) -> Vec<&'static str> {
    let rules = [
        ("`if`", is_as_wide),
        ("`auto`", is.auto.is_none() || was.auto == is.auto),
        ("`require`", wants_as_many(&was.require, &is.require)),
        ("`forbid`", was.forbid.iter().all(|it| is.forbid.contains(it))),
        ("`escalate`", was.escalate == is.escalate),
        ("`matrix`", was.matrix == is.matrix),
        ("`risk`", was.risk <= is.risk),
        ("`consent`", was.snapshot.is_none() || was.snapshot == is.snapshot),
        ("`on-timeout`", was.on_timeout == is.on_timeout || is.on_timeout != OnTimeout::Approve),
        ("`on-reject`", was.on_reject == is.on_reject || is.on_reject != OnFailure::Continue),
        ("`proof`", !was.touch || is.touch),
        ("`form`", fields_stand(&was.form, &is.form, is.risk >= Risk::Irreversible)),
        ("`evidence`", was.evidence.iter().all(|it| is.evidence.contains(it))),
        ("`binds`", was.binds.iter().all(|it| is.binds.contains(it))),
        (
            "`undo-window`",
            was.undo_window.unwrap_or(UNDO_WINDOW_DEFAULT) <= is.undo_window.unwrap_or(UNDO_WINDOW_DEFAULT),
        ),
        ("`timeout`", is.on_timeout != OnTimeout::Approve || was.timeout == is.timeout),
        ("`reason`", !was.reason_required || is.reason_required),
    ];
    rules.into_iter().filter(|it| !it.1).map(|it| it.0).collect()
}

/// The steps of a plan that need each step, and those that stand in it.
struct Links {
    dependents: Vec<Vec<StepIx>>,
    children: Vec<Vec<StepIx>>,
}

impl Links {
    fn of(plan: &Plan) -> Self {
        let none = || vec![Vec::new(); plan.steps.len()];
        let mut links = Self { dependents: none(), children: none() };
        for at in places(plan) {
            let step = &plan.steps[at.index()];
            for need in &step.needs {
                links.dependents[need.index()].push(at);
            }
            if let Some(frame) = step.frame {
                links.children[frame.index()].push(at);
            }
        }
        links
    }

    /// By place, whether a step waits for this one: by needs, in a frame that does, or after a frame that it
    /// stands in.
    fn behind(&self, plan: &Plan, gate: StepIx) -> Vec<bool> {
        let frame = |it: &StepIx| plan.steps[it.index()].frame;
        let mut found = vec![false; plan.steps.len()];
        let mut open: Vec<StepIx> = self.children[gate.index()].clone();
        for at in std::iter::successors(Some(gate), frame) {
            open.extend(&self.dependents[at.index()]);
        }
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut found[at.index()], true) {
                open.extend(self.dependents[at.index()].iter().chain(&self.children[at.index()]));
            }
        }
        found
    }
}

/// Steps of one plan by their place in the other: the same id is the same step.
fn same_steps(old: &Plan, new: &Plan) -> BTreeMap<StepIx, StepIx> {
    let ids: BTreeMap<&str, StepIx> = places(new).map(|at| (new.steps[at.index()].id.as_str(), at)).collect();
    let pair = |at: StepIx| Some((at, *ids.get(old.steps[at.index()].id.as_str())?));
    places(old).filter_map(pair).collect()
}

fn places(plan: &Plan) -> impl DoubleEndedIterator<Item = StepIx> + use<> {
    (0..plan.steps.len()).map(StepIx::from_index)
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

/// True if the parts that a result depends on are unchanged: the call, its environment, its directory, and
/// its outputs.
fn is_written_as_before(old: &Plan, before: StepIx, new: &Plan, now: StepIx) -> bool {
    let (was, is) = (&old.steps[before.index()], &new.steps[now.index()]);
    work_of(was, before) == work_of(is, now)
        && (&was.env, &was.dir, &was.outputs, &was.matrix) == (&is.env, &is.dir, &is.outputs, &is.matrix)
}

/// The work of a step, without its limits on parallel work, and independent of its place.
fn work_of(step: &PlanStep, place: StepIx) -> Work {
    let Work::Frame(frame) = &step.work else { return step.work.clone() };
    let kind = match &frame.kind {
        FrameKind::Computed { matrix, body } => {
            let near = |it: StepIx| StepIx(it.0.wrapping_sub(place.0));
            let moved = body.iter().map(|it| PlanStep {
                scope: it.scope.map(near),
                frame: it.frame.map(near),
                needs: it.needs.iter().copied().map(near).collect(),
                ..it.clone()
            });
            FrameKind::Computed { matrix: matrix.clone(), body: moved.collect() }
        }
        FrameKind::Matrix | FrameKind::Workflow { .. } | FrameKind::Talk(_) => frame.kind.clone(),
    };
    Work::Frame(Box::new(Frame { kind, max_parallel: 0, fail_fast: false, asked: Vec::new() }))
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
            let opens = self.plan.steps[step.index()].frame.is_some_and(|it| !self.kept.contains_key(&it));
            if opens && !self.run.step(*old).state().is_done() {
                self.kept.remove(&step);
            }
        }
    }

    /// A gate behind which something is still to be done asks again.
    fn ask_again(&mut self) {
        let links = Links::of(self.plan);
        let mut open: Vec<StepIx> = places(self.plan).filter(|it| !self.kept.contains_key(it)).collect();
        let mut seen: BTreeSet<StepIx> = open.iter().copied().collect();
        while let Some(at) = open.pop() {
            let step = &self.plan.steps[at.index()];
            let before = step.needs.iter().copied();
            // What comes before a frame comes before all that stands in it; what ends in it, before what needs it.
            let around =
                step.frame.into_iter().flat_map(|it| self.plan.steps[it.index()].needs.iter().copied());
            let mut found: Vec<StepIx> = before.chain(around).collect();
            while let Some(need) = found.pop() {
                if !seen.insert(need) {
                    continue;
                }
                open.push(need);
                found.extend(&links.children[need.index()]);
                if is_or_makes_gate(&self.plan.steps[need.index()]) {
                    self.kept.remove(&need);
                }
            }
        }
    }
}

/// Steps that are to be done, and the gates that ask again before them although only kept steps stand
/// between: each has to wait for its gate by itself.
fn behind_gates(plan: &Plan, kept: &BTreeMap<StepIx, StepIx>) -> Vec<(StepIx, StepIx)> {
    let Links { dependents, .. } = Links::of(plan);
    let asks = |it: &StepIx| is_or_makes_gate(&plan.steps[it.index()]) && !kept.contains_key(it);
    let passes = |it: &StepIx| {
        let step = &plan.steps[it.index()];
        kept.contains_key(it) && !step.condition.as_deref().is_some_and(asks_for_failures)
    };
    let mut out = Vec::new();
    for gate in places(plan).filter(asks) {
        let mut seen = BTreeSet::new();
        let mut open: Vec<StepIx> = dependents[gate.index()].iter().copied().filter(passes).collect();
        while let Some(at) = open.pop() {
            if !seen.insert(at) {
                continue;
            }
            for next in &dependents[at.index()] {
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
    let differ = names.into_iter().filter(|it| old.get(*it) != new.get(*it));
    let change = |name: &String| InputChange {
        name: name.clone(),
        before: old.get(name).cloned(),
        after: new.get(name).cloned(),
    };
    differ.map(change).collect()
}

/// The differences between the two plans.
pub fn plan_differences(old: &Plan, new: &Plan) -> Corrected {
    let pairs = same_steps(old, new);
    let known: BTreeSet<StepIx> = pairs.values().copied().collect();
    let named = |plan: &Plan, at: StepIx, how| StepChange { id: plan.steps[at.index()].id.clone(), how };
    let mut steps: Vec<StepChange> = places(old)
        .filter_map(|at| match pairs.get(&at) {
            None => Some(named(old, at, Change::Removed)),
            Some(now) => (whole(old, at) != whole(new, *now)).then(|| named(new, *now, Change::Rewritten)),
        })
        .collect();
    steps.extend(places(new).filter(|it| !known.contains(it)).map(|it| named(new, it, Change::Added)));
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

/// The whole text of a step, independent of its place and of the places of its needs.
fn whole(plan: &Plan, at: StepIx) -> (PlanStep, Vec<&str>) {
    let step = &plan.steps[at.index()];
    let needs = step.needs.iter().map(|it| plan.steps[it.index()].id.as_str()).collect();
    let alone =
        PlanStep { work: work_of(step, at), needs: Vec::new(), scope: None, frame: None, ..step.clone() };
    (alone, needs)
}
