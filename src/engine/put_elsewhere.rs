//! Refuses a correction that takes a step away from behind a gate, or empties it, and does its work elsewhere.

use crate::{
    compared::{Compared, Pair},
    side::{Held, Side, places},
};
use cuelight_base::StepIx;
use cuelight_plan::{FrameKind, Plan, PlanStep, PlanTool, Work};
use std::collections::{BTreeMap, BTreeSet};

/// By gate, the steps behind it that corrections have removed, or rewritten after it asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Displaced {
    /// The steps that could not start without its approval.
    pub(super) guarded: BTreeMap<String, BTreeSet<String>>,
    /// The steps that waited for it, and started also without its approval.
    pub(super) behind: BTreeMap<String, BTreeSet<String>>,
}

impl Displaced {
    pub(super) fn count(&self) -> usize {
        self.guarded.values().chain(self.behind.values()).map(BTreeSet::len).sum()
    }
}

/// The steps that a correction adds, rewrites and removes.
pub(super) struct Changed<'a> {
    pairs: &'a BTreeMap<StepIx, StepIx>,
    /// By their new places.
    added: Vec<StepIx>,
    /// By their places before and now; other needs alone are no other work.
    rewritten: Vec<(StepIx, StepIx)>,
    /// By their places before.
    removed: Vec<StepIx>,
    /// By their new places, the steps that are called otherwise because of the environment, a tool or a model.
    around: BTreeSet<StepIx>,
    copies: Copies,
}

/// The gates that a matrix copies: those that are the same step of the same matrix, in the plan and in its correction.
#[derive(Default)]
struct Copies {
    /// By the place of a gate before, its group.
    groups: BTreeMap<StepIx, usize>,
    /// By group, the places of its gates now.
    gates: Vec<Vec<StepIx>>,
    /// By group, the steps that any of its gates guards now; walked over once for each.
    held: BTreeMap<usize, Vec<bool>>,
}

impl<'a> Changed<'a> {
    pub(super) fn of(compared: &Compared<'a>) -> Self {
        let Compared { old, new, pairs, ref steps } = *compared;
        let known: BTreeSet<StepIx> = pairs.values().copied().collect();
        let (is_other_env, are_other_models) = (old.env != new.env, old.models != new.models);
        let is_around = |pair: &&Pair| {
            let (was, is) = (&old.steps[pair.was.index()], &new.steps[pair.is.index()]);
            is.scope.is_none() && is_other_env
                || tool_of(old, was) != tool_of(new, is)
                || are_other_models && matches!(is.work, Work::Model(_) | Work::Frame(_))
        };
        let rewritten = steps.iter().filter(|pair| !pair.same_step);
        Self {
            pairs,
            added: places(new).filter(|place| !known.contains(place)).collect(),
            rewritten: rewritten.map(|pair| (pair.was, pair.is)).collect(),
            removed: places(old).filter(|place| !pairs.contains_key(place)).collect(),
            copies: Copies::of(old, new, pairs),
            around: steps.iter().filter(is_around).map(|pair| pair.is).collect(),
        }
    }

    /// Refuses a step that does not wait for a gate, is new or written otherwise, and could do the work of one that did
    /// wait. `displaced` names those that corrections before this one took away or rewrote, and gains those of this one. A
    /// removed step counts always; a rewritten one, on either side, once the gate has asked people: they were shown the
    /// other. Work of a guarded step stays guarded, and work of any other step behind the gate stays behind it.
    pub(super) fn stays_behind(
        &mut self,
        (was, gate): (&Side<'_>, StepIx),
        is: &Side<'_>,
        held: &Held,
        has_asked: bool,
        displaced: &mut Displaced,
    ) -> Result<(), String> {
        let now = self.displaced(&held.behind, has_asked);
        let (guarded, behind): (Vec<StepIx>, Vec<StepIx>) =
            now.into_iter().partition(|at| held.guarded[at.index()]);
        let id = &was.step(gate).id;
        for (now, earlier, held) in [
            (guarded, &mut displaced.guarded, &held.guarded_now),
            (behind, &mut displaced.behind, &held.behind_now),
        ] {
            if now.is_empty() && !earlier.contains_key(id) {
                continue;
            }
            let free = self.free(gate, is, held, has_asked).map(|step| is.step(step).id.as_str());
            if let Some((at, free)) = now.first().zip(free) {
                return Err(is_elsewhere(&was.step(*at).id, self.pairs.contains_key(at), id, free));
            }
            let all = earlier.entry(id.clone()).or_default();
            if let Some((first, free)) = all.first().zip(free) {
                let gone = all.get(free).unwrap_or(first);
                let is_there = places(was.plan).any(|at| was.step(at).id == *gone);
                return Err(is_elsewhere(gone, is_there, id, free));
            }
            all.extend(now.into_iter().map(|step| was.step(step).id.clone()));
        }
        Ok(())
    }

    /// The steps behind a gate that this correction takes away from it, or has rewritten after it asked.
    fn displaced(&self, behind: &[bool], has_asked: bool) -> Vec<StepIx> {
        let rewritten = self.rewritten.iter().map(|pair| pair.0).filter(|_| has_asked);
        let all = self.removed.iter().copied().chain(rewritten);
        all.filter(|at| behind[at.index()]).collect()
    }

    /// A new step that these do not hold, and after the gate has asked also a rewritten one. A gate does nothing by itself,
    /// and a step behind the same gate in another copy of its matrix is corrected together with this one.
    fn free(&mut self, gate: StepIx, is: &Side<'_>, held: &[bool], has_asked: bool) -> Option<StepIx> {
        let rewritten = self.rewritten.iter().map(|pair| pair.1).chain(self.around.iter().copied());
        let all = self.added.iter().copied().chain(rewritten.filter(|_| has_asked));
        let mut all = all
            .filter(|step| !held[step.index()] && !matches!(is.step(*step).work, Work::Gate(_)))
            .peekable();
        all.peek()?;
        let all: Vec<StepIx> = all.collect();
        let held = self.copies.held(gate, is);
        all.into_iter().find(|step| !held.get(step.index()).is_some_and(|is_held| *is_held))
    }
}

impl Copies {
    fn of(old: &Plan, new: &Plan, pairs: &BTreeMap<StepIx, StepIx>) -> Self {
        let (mut out, mut known) = (Self::default(), BTreeMap::new());
        for (was, is) in pairs {
            let are_gates = [(old, was), (new, is)]
                .into_iter()
                .all(|(plan, at)| plan.steps[at.index()].work.gate().is_some());
            let copied = |plan, at: &StepIx| copied(plan, *at).filter(|_| are_gates);
            let Some(step) = copied(old, was).zip(copied(new, is)) else { continue };
            let group = *known.entry(step).or_insert(out.gates.len());
            out.gates.resize_with(out.gates.len().max(group + 1), Vec::new);
            out.gates[group].push(*is);
            out.groups.insert(*was, group);
        }
        out
    }

    /// By place, the steps that this gate or another copy of it guards; empty for a gate without copies.
    fn held(&mut self, gate: StepIx, is: &Side<'_>) -> &[bool] {
        let Some(group) = self.groups.get(&gate) else { return &[] };
        let gates = &self.gates[*group];
        self.held.entry(*group).or_insert_with(|| {
            let mut held = vec![false; is.plan.steps.len()];
            for place in gates {
                for (held, is_held) in held.iter_mut().zip(is.guarded(*place)) {
                    *held |= is_held;
                }
            }
            held
        })
    }
}

/// The tool that a step uses, as its plan describes it.
fn tool_of<'a>(plan: &'a Plan, step: &PlanStep) -> Option<&'a PlanTool> {
    plan.tool(step.work.tool()?)
}

/// The outermost matrix around a step, and the names from there to it that all its copies have in common.
fn copied(plan: &Plan, step: StepIx) -> Option<(StepIx, Vec<&str>)> {
    let (mut matrix, mut names, mut at) = (None, Vec::new(), step);
    while let Some(around) = plan.steps[at.index()].frame {
        let frame = plan.steps[around.index()].work.frame();
        let is_copy = frame.is_some_and(|frame| matches!(frame.kind, FrameKind::Matrix));
        names.push(if is_copy { "" } else { plan.steps[at.index()].local.as_str() });
        if is_copy {
            matrix = Some((around, names.len()));
        }
        at = around;
    }
    let (matrix, depth) = matrix?;
    names.truncate(depth);
    Some((matrix, names))
}

/// `is_there` tells that the step is rewritten, and not gone.
fn is_elsewhere(id: &str, is_there: bool, gate: &str, free: &str) -> String {
    let how = if is_there { "was written otherwise after it asked" } else { "was removed" };
    let what = if id == free {
        "does not wait for that gate now".to_owned()
    } else {
        format!("{free} is new or written otherwise and does not wait for that gate")
    };
    format!(
        "{id} stood behind the gate {gate} and {how}, and {what}; let it need the gate, or start a new run"
    )
}
