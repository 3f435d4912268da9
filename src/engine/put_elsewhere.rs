//! Refuses a correction that takes a step away from behind a gate, or empties it, and does its work elsewhere.

use crate::side::Side;
use cuelight_base::StepIx;
use cuelight_plan::{Plan, PlanStep, Work};
use std::collections::{BTreeMap, BTreeSet};

/// The steps that a correction adds, rewrites and removes.
pub(super) struct Changed<'a> {
    pairs: &'a BTreeMap<StepIx, StepIx>,
    /// By their new places.
    added: Vec<StepIx>,
    /// By their places before and now; other needs alone are no other work.
    rewritten: Vec<(StepIx, StepIx)>,
    /// By their new places, the steps that are called otherwise because of the environment or a tool.
    around: BTreeSet<StepIx>,
}

impl<'a> Changed<'a> {
    /// `is_other` tells, by its places before and now, that a step does not read as before.
    pub(super) fn of(
        old: &Plan,
        new: &Plan,
        pairs: &'a BTreeMap<StepIx, StepIx>,
        is_other: impl Fn(StepIx, StepIx) -> bool,
    ) -> Self {
        let known: BTreeSet<StepIx> = pairs.values().copied().collect();
        let is_other = |pair: &(StepIx, StepIx)| is_other(pair.0, pair.1);
        let is_around = |pair: &(StepIx, StepIx)| {
            let (was, is) = (&old.steps[pair.0.index()], &new.steps[pair.1.index()]);
            let tool = |plan: &Plan, step: &PlanStep| plan.tool(step.work.tool()?).cloned();
            is.scope.is_none() && old.env != new.env || tool(old, was) != tool(new, is)
        };
        let pair_of = |pair: (&StepIx, &StepIx)| (*pair.0, *pair.1);
        Self {
            pairs,
            added: places(new).filter(|place| !known.contains(place)).collect(),
            rewritten: pairs.iter().map(pair_of).filter(is_other).collect(),
            around: pairs.iter().map(pair_of).filter(is_around).map(|pair| pair.1).collect(),
        }
    }

    /// Refuses a step that does not wait for a gate, is new or written otherwise, and could do the work of one that did
    /// wait. `earlier` names those that corrections before this one took away or rewrote. A removed step counts always;
    /// a rewritten one, on either side, once the gate has asked people: they were shown the other.
    pub(super) fn stays_behind(
        &self,
        (was, gate): (&Side<'_>, StepIx),
        (is, place): (&Side<'_>, StepIx),
        has_asked: bool,
        earlier: Option<&BTreeSet<String>>,
    ) -> Result<(), String> {
        let (guarded, guarded_now) = (was.guarded(gate), is.guarded(place));
        let behind_now = is.behind(place);
        let free = |held: &[bool]| match has_asked {
            true => self.free((was, gate), is, held),
            false => self.added.iter().copied().find(|step| !held[step.index()]),
        };
        for at in self.displaced_at(was, gate, has_asked) {
            let held = if guarded[at.index()] { &guarded_now } else { &behind_now };
            if let Some(free) = free(held) {
                let is_there = self.pairs.contains_key(&at);
                return Err(is_elsewhere(&was.step(at).id, is_there, &was.step(gate).id, &is.step(free).id));
            }
        }
        let Some((earlier, first)) = earlier.and_then(|all| Some((all, all.first()?))) else { return Ok(()) };
        let Some(free) = free(&guarded_now).map(|step| &is.step(step).id) else { return Ok(()) };
        let gone = earlier.iter().find(|id| *id == free).unwrap_or(first);
        let is_there = places(was.plan).any(|at| was.step(at).id == *gone);
        Err(is_elsewhere(gone, is_there, &was.step(gate).id, free))
    }

    /// The steps behind a gate, by id, that this correction takes away from it, or has rewritten after it asked.
    pub(super) fn displaced(&self, was: &Side<'_>, gate: StepIx, has_asked: bool) -> Vec<String> {
        self.displaced_at(was, gate, has_asked).map(|at| was.step(at).id.clone()).collect()
    }

    fn displaced_at(
        &self,
        was: &Side<'_>,
        gate: StepIx,
        has_asked: bool,
    ) -> impl Iterator<Item = StepIx> + use<> {
        let behind = was.behind(gate);
        let gone = places(was.plan).filter(|at| !self.pairs.contains_key(at));
        let rewritten = self.rewritten.iter().map(|pair| pair.0).filter(|_| has_asked);
        let all: Vec<StepIx> = gone.chain(rewritten).filter(|at| behind[at.index()]).collect();
        all.into_iter()
    }

    /// A new or rewritten step that these do not hold, except a gate, which does nothing by itself.
    fn free(&self, (was, gate): (&Side<'_>, StepIx), is: &Side<'_>, held: &[bool]) -> Option<StepIx> {
        let alike = || self.held_alike((was, gate), is);
        let mut others: Option<Vec<bool>> = None;
        let rewritten = self.rewritten.iter().map(|pair| pair.1);
        let all = self.added.iter().copied().chain(rewritten).chain(self.around.iter().copied());
        all.filter(|step| !held[step.index()] && !matches!(is.step(*step).work, Work::Gate(_)))
            .find(|step| !others.get_or_insert_with(alike)[step.index()])
    }

    /// The steps behind gates that ask the same: those of the other copies of a matrix.
    fn held_alike(&self, (was, gate): (&Side<'_>, StepIx), is: &Side<'_>) -> Vec<bool> {
        let mut held = vec![false; is.plan.steps.len()];
        let Work::Gate(rule) = &was.step(gate).work else { return held };
        let asks_alike = |step: &PlanStep| {
            step.work.gate().is_some_and(|other| {
                let same = cuelight_plan::GateRule {
                    asks: rule.asks,
                    matrix: rule.matrix.clone(),
                    ..(**other).clone()
                };
                same == **rule
            })
        };
        let is_copy =
            |pair: &(&StepIx, &StepIx)| asks_alike(was.step(*pair.0)) && asks_alike(is.step(*pair.1));
        for (_, place) in self.pairs.iter().filter(is_copy) {
            for (at, is_held) in is.guarded(*place).into_iter().enumerate() {
                held[at] |= is_held;
            }
        }
        held
    }
}

/// `is_there` tells that the step is rewritten, and not gone.
fn is_elsewhere(id: &str, is_there: bool, gate: &str, free: &str) -> String {
    let how = if is_there { "was written otherwise after it asked" } else { "was removed" };
    let what = match id == free {
        true => "does not wait for that gate now".to_owned(),
        false => format!("{free} is new or written otherwise and does not wait for that gate"),
    };
    format!(
        "{id} stood behind the gate {gate} and {how}, and {what}; let it need the gate, or start a new run"
    )
}

fn places(plan: &Plan) -> impl Iterator<Item = StepIx> + use<> {
    (0..plan.steps.len()).map(StepIx::from_index)
}
