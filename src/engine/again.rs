//! What a run takes over from the one it does again: which results stand, which gates ask again, and what was corrected.
//! A function of the other run and of the plan that is to be done; who may ask for it is said in `recovery`.

use crate::{
    base::{StepIx, UNDO_WINDOW_DEFAULT, ValueMap},
    engine::{
        Change, Corrected, InputChange, StepChange,
        by_hand::is_or_makes_gate,
        run::{Run, asks_for_failures},
    },
    plan::{Frame, FrameKind, GateRule, Need, OnFailure, OnTimeout, Plan, PlanStep, Quorum, Risk, Work},
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

/// What stands of a run, of which `kept` is to be kept, when it is done again by this plan. With `asks` gates ask again
/// before anything behind them is done.
///
/// `whole` is the run as it is by now, where `run` is what it was at an instant of its past.
pub(super) fn take_over(
    run: &Run,
    whole: &Run,
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
    let captures = |it: &PlanStep| matches!(&it.work, Work::Gate(rule) if rule.snapshot.is_some());
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
        let asked = asked_in(whole);
        for (old, new) in pairs.iter().filter(|it| !kept.contains_key(it.1)) {
            let within = asked.get(old);
            let is_gate = |it: &BTreeSet<String>| it.contains(&run.plan.steps[old.index()].id);
            match (&mut Arc::make_mut(&mut plan).steps[new.index()].work, within) {
                (Work::Gate(rule), Some(within)) if is_gate(within) => Arc::make_mut(rule).asks = true,
                (Work::Frame(frame), Some(within)) => frame.asked = within.iter().cloned().collect(),
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

/// The gates that have asked in a run, or in one that it corrects: of each step of its plan, itself and all that stand in it.
fn asked_in(run: &Run) -> BTreeMap<StepIx, BTreeSet<String>> {
    let mut out: BTreeMap<StepIx, BTreeSet<String>> = BTreeMap::new();
    for at in (0..run.steps.len()).map(StepIx::from_index) {
        let plan = run.plan_step(at);
        let mut ids: BTreeSet<String> =
            plan.work.frame().into_iter().flat_map(|it| it.asked.clone()).collect();
        let asks = plan.work.gate().is_some_and(|it| run.step(at).gate.is_some() || it.asks);
        ids.extend(asks.then(|| plan.id.clone()));
        if ids.is_empty() {
            continue;
        }
        for frame in std::iter::successors(Some(at), |it| run.plan_step(*it).frame) {
            out.entry(frame).or_default().extend(ids.iter().cloned());
        }
    }
    out
}

/// Refuses a correction that removes or loosens a gate, or moves a step out from behind one.
fn keeps_gates(old: &Plan, new: &Plan, pairs: &BTreeMap<StepIx, StepIx>) -> Result<(), String> {
    const ADVICE: &str = "restore it, or start a new run";
    for at in places(old) {
        let was = &old.steps[at.index()];
        if !is_or_makes_gate(was) {
            continue;
        }
        let Some(place) = pairs.get(&at) else {
            let guards = |it: &StepIx| old.steps[it.index()].work.is_call() && pairs.contains_key(it);
            if behind(old, at).iter().any(guards) {
                return Err(format!("the correction removes the gate {}; {ADVICE}", was.id));
            }
            continue;
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
        let now = behind(new, *place);
        let let_out = |it: &StepIx| {
            let there = pairs.get(it).copied()?;
            let (before, after) = (&old.steps[it.index()], &new.steps[there.index()]);
            let asks = |it: &PlanStep| it.condition.as_deref().is_some_and(asks_for_failures);
            let escapes = before.work.is_call() && !now.contains(&there) || !asks(before) && asks(after);
            escapes.then(|| before.id.clone())
        };
        if let Some(id) = behind(old, at).iter().find_map(let_out) {
            return Err(format!(
                "{id} no longer waits for the gate {}; let it need the gate, or start a new run",
                was.id
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

/// True when every field is asked for as strictly as before. With `asks_all` an optional field must be answered too, as at high risk.
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

/// Every step that waits for this one: by needs, in a frame that does, or after a frame that it stands in.
fn behind(plan: &Plan, gate: StepIx) -> BTreeSet<StepIx> {
    let frame = |it: &StepIx| plan.steps[it.index()].frame;
    let around: BTreeSet<StepIx> = std::iter::successors(frame(&gate), frame).collect();
    let mut found = BTreeSet::from([gate]);
    loop {
        let before = found.len();
        for at in places(plan) {
            let step = &plan.steps[at.index()];
            let waits = step.needs.iter().any(|it| found.contains(it) || around.contains(it));
            if waits || step.frame.is_some_and(|it| found.contains(&it)) {
                found.insert(at);
            }
        }
        if found.len() == before {
            found.remove(&gate);
            return found;
        }
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

/// What is kept, by its place in the new plan. What was done stays as it was done: a step that is written otherwise now
/// has no result yet, and its effects would be forgotten.
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

/// Whether what a result depends on is as it was: what is called, with which environment, where, and what it yields.
fn is_written_as_before(old: &Plan, before: StepIx, new: &Plan, now: StepIx) -> bool {
    let (was, is) = (&old.steps[before.index()], &new.steps[now.index()]);
    work_of(was, before) == work_of(is, now)
        && (&was.env, &was.dir, &was.outputs, &was.matrix) == (&is.env, &is.dir, &is.outputs, &is.matrix)
}

/// What a step does, without what only says how much of it is done at once, and wherever it stands.
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
    /// A frame is kept only with all that stands in it; in one that opens anew what never ran may run.
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
        let mut children: BTreeMap<StepIx, Vec<StepIx>> = BTreeMap::new();
        for step in places(self.plan) {
            if let Some(frame) = self.plan.steps[step.index()].frame {
                children.entry(frame).or_default().push(step);
            }
        }
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
                found.extend(children.get(&need).into_iter().flatten());
                if matches!(self.plan.steps[need.index()].work, Work::Gate(_)) {
                    self.kept.remove(&need);
                }
            }
        }
    }
}

/// Steps that are to be done, and the gates that ask again before them although only kept steps stand between: each has
/// to wait for its gate by itself.
fn behind_gates(plan: &Plan, kept: &BTreeMap<StepIx, StepIx>) -> Vec<(StepIx, StepIx)> {
    let mut dependents: Vec<Vec<StepIx>> = vec![Vec::new(); plan.steps.len()];
    for step in places(plan) {
        for need in &plan.steps[step.index()].needs {
            dependents[need.index()].push(step);
        }
    }
    let asks = |it: &StepIx| matches!(plan.steps[it.index()].work, Work::Gate(_)) && !kept.contains_key(it);
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

/// All that is written of a step, wherever it and what it needs stand.
fn whole(plan: &Plan, at: StepIx) -> (PlanStep, Vec<&str>) {
    let step = &plan.steps[at.index()];
    let needs = step.needs.iter().map(|it| plan.steps[it.index()].id.as_str()).collect();
    let alone =
        PlanStep { work: work_of(step, at), needs: Vec::new(), scope: None, frame: None, ..step.clone() };
    (alone, needs)
}
