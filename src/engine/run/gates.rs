//! The gates before a step and the steps behind a gate: what an approval binds, and what waits when a gate asks
//! again.

use super::Run;
use crate::{Facts, Purpose, StepState, call, step::Approval};
use cuelight_base::{Digest, Launch, Program, StepIx, sha256};
use cuelight_plan::{FrameKind, Work};
use std::collections::{BTreeMap, BTreeSet};

impl Run {
    /// True if a step waits for this gate because its approved calls or files had changed.
    pub(crate) fn is_held(&self, step: StepIx, gate: StepIx) -> bool {
        self.holds.get(&gate).is_some_and(|steps| steps.contains(&step))
    }

    /// The steps that need this gate, could start, and have not begun.
    pub(crate) fn let_go_by(&self, gate: StepIx) -> Vec<StepIx> {
        let not_begun = |dependent: &StepIx| {
            let step = self.step(*dependent);
            let looks = step.state() == StepState::Waiting && step.asked.is_some() && step.gate.is_none();
            step.state() == StepState::Ready || looks
        };
        let lets_go = std::iter::once(gate).chain(self.frames_of(gate));
        lets_go.flat_map(|gate| self.dependents(gate)).copied().filter(not_begun).collect()
    }

    /// The gates right before a step that have released it: those that it needs, alone, as copies of a matrix
    /// or at the end of a called workflow.
    /// If it needs nothing inside the frame around it, they are the gates right before that frame.
    pub(crate) fn gates_before(&self, step: StepIx) -> Vec<StepIx> {
        let mut gates = Vec::new();
        let mut at = Some(step);
        while let Some(step) = at {
            let plan = self.plan_step(step);
            let is_gate = |step: &StepIx| matches!(self.plan_step(*step).work, Work::Gate(_));
            let approved = |step: &StepIx| self.step(*step).state() == StepState::Completed;
            let mut needs = plan.needs.clone();
            while let Some(need) = needs.pop() {
                if self.plan_step(need).work.frame().is_some() {
                    let ends = |child: &&StepIx| self.is_matrix(need) || self.dependents(**child).is_empty();
                    needs.extend(self.children(need).iter().filter(ends));
                } else if is_gate(&need) && approved(&need) {
                    gates.push(need);
                }
            }
            at = plan.frame.filter(|_| plan.needs.is_empty());
        }
        gates
    }

    /// The gates above a step.
    pub(crate) fn gates_above(&self, step: StepIx, through: impl Fn(StepIx) -> bool) -> BTreeSet<StepIx> {
        let is_gate = |step: &StepIx| matches!(self.plan_step(*step).work, Work::Gate(_));
        self.above(step, through).into_iter().filter(is_gate).collect()
    }

    /// Gates above a step that had been approved, asked again, and have not been approved since.
    /// Gates that still ask hold back every step behind them. Gates that were refused hold back the steps
    /// that had not begun by then. They do so up to a step that decides by itself about a refusal, and the
    /// steps that this one releases.
    pub(crate) fn unapproved_above(&self, step: StepIx) -> Vec<StepIx> {
        if self.asked_anew.is_empty() {
            return Vec::new();
        }
        let asking = |gate: &StepIx| !self.step(*gate).rests();
        let mut gates: Vec<StepIx> = self.gates_above(step, |_| true).into_iter().filter(asking).collect();
        if gates.is_empty() && !self.step(step).explicit {
            let above = self.gates_above(step, |step| !self.step(step).explicit);
            gates.extend(
                above
                    .intersection(&self.asked_anew)
                    .filter(|gate| !self.step(step).needs.held_by.contains(gate)),
            );
        }
        gates
    }

    /// The approved gates above a step that have captured the workspace, each with the hash of its tree.
    pub(crate) fn trees_above(&self, step: StepIx) -> Vec<(StepIx, Digest)> {
        if self.captured.is_empty() {
            return Vec::new();
        }
        let above = self.gates_above(step, |_| true);
        let approved = above.intersection(&self.captured);
        let approved = approved.filter(|step| self.step(**step).state() == StepState::Completed);
        approved.filter_map(|step| Some((*step, self.step(*step).facts.as_ref()?.tree_digest()?))).collect()
    }

    /// The tree that a gate shows because another one has captured it: a gate above it, or that of an earlier
    /// copy of the same matrix.
    /// Only earlier copies count, or two that ask at once would take over from each other for ever.
    pub(crate) fn tree_before(&self, gate: StepIx) -> Option<Digest> {
        let above = self.trees_above(gate).last().map(|tree| tree.1);
        above.or_else(|| {
            let matrix = |gate: StepIx| {
                let around =
                    std::iter::successors(self.plan_step(gate).frame, |step| self.plan_step(*step).frame);
                around.filter(|frame| self.is_matrix(*frame)).last()
            };
            let mine = matrix(gate)?;
            let mut others = self.captured.range(..gate).filter(|step| matrix(**step) == Some(mine));
            others.find_map(|step| self.step(*step).facts.as_ref()?.tree_digest())
        })
    }

    /// Binds the copies that a computed matrix has just made, from this one on, to the files of its template that the gates before it
    /// have shown.
    pub(super) fn bind_copies(&mut self, frame: StepIx, first: usize) {
        if !matches!(
            self.plan_step(frame).work.frame().map(|frame| &frame.kind),
            Some(FrameKind::Computed { .. })
        ) {
            return;
        }
        for gate in self.gates_above(frame, |_| true) {
            let shown = self.step(gate).facts.clone().filter(|facts| !facts.programs.is_empty());
            let Some(facts) = shown.filter(|_| self.step(gate).state() == StepState::Completed) else {
                continue;
            };
            for step in (first..self.steps.len()).map(StepIx::from_index) {
                if self.is_bound_by(step, &facts) {
                    let (calls, fallbacks, facts) = (Vec::new(), Vec::new(), Some(facts.clone()));
                    self.steps[step.index()].asking.approvals.push(Approval {
                        gate,
                        calls,
                        fallbacks,
                        facts,
                    });
                }
            }
        }
    }

    /// The hash of all that a result is made with beyond its cache key and its step: the files that the call is bound to, and the
    /// call itself where a gate has shown it. None for a call that no gate binds.
    pub(crate) fn made_with(&self, step: StepIx, launch: &Launch, bound: Option<&Facts>) -> Option<Digest> {
        let files = bound.and_then(Facts::content);
        if !self.step(step).asking.approvals.iter().any(|approval| approval.knows(Purpose::Step)) {
            return files;
        }
        let files = files.map_or(Vec::new(), |files| files.0.to_vec());
        Some(sha256("cuelight-approved-v1", &[&launch.hash().0, &files]))
    }

    /// True if a step calls something whose files are among the facts that a gate showed.
    fn is_bound_by(&self, step: StepIx, facts: &Facts) -> bool {
        let was_shown = |program: &Program| {
            facts.shown_of(program).iter().any(|(of, files)| call::names_files(of, files))
        };
        let mut purposes = call::purposes(self.plan_step(step));
        purposes.any(|purpose| call::known_programs(self, step, purpose, None).iter().any(was_shown))
    }

    /// The steps behind a gate that are bound to the files of calls which it showed; none if it showed no
    /// files.
    pub(crate) fn bound_later(&self, gate: StepIx, facts: &Facts) -> Option<Vec<StepIx>> {
        let open = || self.beyond(gate).into_iter().filter(|step| !self.step(*step).rests());
        (!facts.programs.is_empty()).then(|| open().filter(|step| self.is_bound_by(*step, facts)).collect())
    }

    /// Notes the approval of a gate at the steps behind it. Without `later` the steps that its files bind are
    /// read from the words of their calls.
    pub(super) fn approve(
        &mut self,
        gate: StepIx,
        calls: &[(StepIx, Digest)],
        fallbacks: &[(StepIx, u32, Digest)],
        later: Option<&[StepIx]>,
    ) {
        let mut approvals: BTreeMap<StepIx, Approval> = BTreeMap::new();
        let shown = self.step(gate).facts.clone();
        for (step, hash) in calls {
            let first = || Approval { gate, calls: Vec::new(), fallbacks: Vec::new(), facts: shown.clone() };
            approvals.entry(*step).or_insert_with(first).calls.push(*hash);
        }
        for (step, number, hash) in fallbacks {
            if let Some(approval) = approvals.get_mut(step) {
                approval.fallbacks.push((*number, *hash));
            }
        }
        let read = || shown.as_ref().and_then(|facts| self.bound_later(gate, facts)).unwrap_or_default();
        for step in later.map_or_else(read, <[StepIx]>::to_vec) {
            let (calls, fallbacks) = (Vec::new(), Vec::new());
            let later = Approval { gate, calls, fallbacks, facts: shown.clone() };
            approvals.entry(step).or_insert(later);
        }
        for (step, approval) in approvals {
            let all = &mut self.steps[step.index()].asking.approvals;
            // Who has agreed to a call is not taken to have agreed to any: one that waits for something else meanwhile,
            // and is shown by its template alone when the gate asks again, keeps what was approved of it.
            let known = all.iter_mut().find(|approval| approval.gate == gate && !approval.calls.is_empty());
            if let Some(known) = known.filter(|_| approval.calls.is_empty()) {
                known.facts = approval.facts;
                continue;
            }
            all.retain(|approval| approval.gate != gate);
            all.push(approval);
        }
    }

    /// Reopens a step whose approved calls or files have changed: it waits, with its gates, to be approved
    /// again.
    pub(super) fn reopen(&mut self, index: StepIx, before: StepState, why: &str, gates: &[StepIx]) {
        if gates.is_empty() && before == StepState::Completed {
            self.asked_anew.insert(index);
        }
        // What the other gates have approved stands.
        let mut fresh = self.left_of(index, before, |approval| !gates.contains(&approval.gate));
        fresh.gate = self.step(index).gate.filter(|_| gates.is_empty());
        fresh.asking.reopened = gates.is_empty().then(|| why.to_owned());
        fresh.needs.held_by = gates.to_vec();
        self.holds.values_mut().for_each(|steps| steps.retain(|held| *held != index));
        for gate in gates {
            self.holds.entry(*gate).or_default().push(index);
        }
        self.begin_anew(index, before, fresh);
    }
}
