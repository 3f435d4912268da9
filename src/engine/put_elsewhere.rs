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
    /// wait. A removed step counts always, and a rewritten one once the gate has asked people: they were shown the other.
    pub(super) fn stays_behind(
        &self,
        (was, gate): (&Side<'_>, StepIx),
        (is, place): (&Side<'_>, StepIx),
        has_asked: bool,
    ) -> Result<(), String> {
        let (behind, guarded) = (was.behind(gate), was.guarded(gate));
        let (behind_now, guarded_now) = (is.behind(place), is.guarded(place));
        let held = |at: StepIx| if guarded[at.index()] { &guarded_now } else { &behind_now };
        let id = &was.step(gate).id;
        let gone = places(was.plan).filter(|at| behind[at.index()] && !self.pairs.contains_key(at));
        for gone in gone {
            if let Some(free) = self.added.iter().find(|step| !held(gone)[step.index()]) {
                return Err(is_gone(&was.step(gone).id, id, &is.step(*free).id));
            }
        }
        let emptied = self.rewritten.iter().filter(|pair| has_asked && behind[pair.0.index()]);
        for (at, _) in emptied {
            if let Some(free) = self.free((was, gate), is, held(*at)) {
                return Err(format!(
                    "{} stands behind the gate {id}, which has asked people, and is written otherwise now; {} is new or \
                     written otherwise too, and does not wait for that gate; let it need the gate, correct one of the two alone, or start a new run",
                    was.step(*at).id,
                    is.step(free).id
                ));
            }
        }
        Ok(())
    }

    /// The same for the steps that earlier corrections have removed from behind a gate. They return behind it alone.
    pub(super) fn stays_away(&self, left: &[String], (is, place): (&Side<'_>, StepIx)) -> Result<(), String> {
        if left.is_empty() {
            return Ok(());
        }
        let (guarded, gate) = (is.guarded(place), &is.step(place).id);
        let is_free = |step: &&StepIx| !guarded[step.index()];
        let Some(free) = self.added.iter().find(is_free).map(|step| &is.step(*step).id) else {
            return Ok(());
        };
        let same = left.iter().find(|id| *id == free);
        Err(is_gone(same.unwrap_or(&left[0]), gate, free))
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

fn is_gone(gone: &str, gate: &str, free: &str) -> String {
    if gone == free {
        return format!(
            "{gone} stood behind the gate {gate} and was removed, and does not wait for that gate now; let it need the gate, \
             or start a new run"
        );
    }
    format!(
        "{gone} stood behind the gate {gate} and is gone, and the new step {free} does not wait for that gate; let it need \
         the gate, or start a new run"
    )
}

/// By gate, the steps that corrections have removed from behind it and not put back, up to this one.
pub(super) fn removed(
    before: &BTreeMap<String, Vec<String>>,
    old: &Plan,
    new: &Plan,
    is_gate: impl Fn(&PlanStep) -> bool,
) -> BTreeMap<String, Vec<String>> {
    let there: BTreeSet<&str> = new.steps.iter().map(|step| step.id.as_str()).collect();
    let is_gone = |at: &StepIx| !there.contains(old.steps[at.index()].id.as_str());
    let mut found = before.clone();
    let gone: Vec<StepIx> = places(old).filter(is_gone).collect();
    if !gone.is_empty() {
        let was = Side::of(old);
        for gate in places(old).filter(|place| is_gate(was.step(*place))) {
            let behind = was.behind(gate);
            let ids = gone.iter().filter(|at| behind[at.index()]).map(|at| was.step(*at).id.clone());
            let names = found.entry(was.step(gate).id.clone()).or_default();
            names.extend(ids);
        }
    }
    for names in found.values_mut() {
        names.retain(|id| !there.contains(id.as_str()));
        names.sort();
        names.dedup();
    }
    found.retain(|_, names| !names.is_empty());
    found
}

fn places(plan: &Plan) -> impl Iterator<Item = StepIx> + use<> {
    (0..plan.steps.len()).map(StepIx::from_index)
}
