//! Refuses a correction that loosens a gate: one that is gone, asks fewer people, or lets a step start without it.

use crate::{
    again::{is_written_as_before, places, whole, within},
    by_hand::is_or_makes_gate,
    links::{Links, always_runs_after_a_rejection, runs_after_a_rejection, runs_without_success},
    run::asks_for_failures,
};
use cuelight_base::{CORRECTION_COMPARES_MAX, Span, StepIx, UNDO_WINDOW_DEFAULT};
use cuelight_plan::{GateRule, Need, OnFailure, OnTimeout, Plan, PlanStep, Quorum, Risk, Work};
use std::collections::{BTreeMap, BTreeSet};

const ADVICE: &str = "restore it, or start a new run";

/// A plan with what is asked of it again and again: by place, the steps whose condition may hold without success.
struct Side<'a> {
    plan: &'a Plan,
    links: Links,
    /// Steps that run after a rejection, without any failure.
    after_a_rejection: Vec<bool>,
    /// The same, and steps that run after a failure or a cancel.
    without_success: Vec<bool>,
    /// Steps that run after a rejection whatever else their condition reads.
    after_any_rejection: Vec<bool>,
}

impl<'a> Side<'a> {
    fn of(plan: &'a Plan) -> Self {
        let each = |test: fn(&PlanStep) -> bool| plan.steps.iter().map(test).collect();
        Self {
            plan,
            links: Links::of(&plan.steps),
            after_a_rejection: each(runs_after_a_rejection),
            without_success: each(runs_without_success),
            after_any_rejection: each(always_runs_after_a_rejection),
        }
    }

    fn step(&self, at: StepIx) -> &'a PlanStep {
        &self.plan.steps[at.index()]
    }

    fn behind(&self, gate: StepIx) -> Vec<bool> {
        self.links.behind(|step| self.step(step), gate)
    }

    /// The steps that cannot start without an approval of this gate, whatever failed.
    fn guarded(&self, gate: StepIx) -> Vec<bool> {
        self.links.held_back(|step| self.step(step), gate, |step| self.without_success[step.index()])
    }

    /// The steps that cannot start after a rejection of it, as long as nothing failed.
    fn guarded_by_a_rejection(&self, gate: StepIx) -> Vec<bool> {
        self.links.held_back(|step| self.step(step), gate, |step| self.after_a_rejection[step.index()])
    }

    /// The steps that a rejection of it keeps from starting in some case: not those that start in any case.
    fn held_by_a_rejection(&self, gate: StepIx) -> Vec<bool> {
        self.links.held_back(|step| self.step(step), gate, |step| self.after_any_rejection[step.index()])
    }

    fn above(&self, step: StepIx) -> Vec<bool> {
        self.links.above(|step| self.step(step), step)
    }
}

/// Refuses a correction that removes or loosens a gate, or lets a step out from behind one. `people` are the ids of the
/// gates that have asked people.
pub(super) fn keeps_gates(
    old: &Plan,
    new: &Plan,
    pairs: &BTreeMap<StepIx, StepIx>,
    people: &BTreeSet<String>,
) -> Result<(), String> {
    let gates: Vec<StepIx> =
        places(old).filter(|place| is_or_makes_gate(&old.steps[place.index()])).collect();
    let work = gates.len().saturating_mul(old.steps.len() + new.steps.len());
    if work > CORRECTION_COMPARES_MAX {
        return Err(format!(
            "the correction would compare {} gates with {} steps, more than {CORRECTION_COMPARES_MAX} pairs; start a new run",
            gates.len(),
            old.steps.len() + new.steps.len(),
        ));
    }
    let known: BTreeSet<StepIx> = pairs.values().copied().collect();
    let added: Vec<StepIx> = places(new).filter(|place| !known.contains(place)).collect();
    let (was, is) = (Side::of(old), Side::of(new));
    let rewritten = rewritten(old, new, pairs);
    let mut gained = Gained { was: &was, is: &is, pairs, rewritten: &rewritten, steps: BTreeMap::new() };
    for at in gates {
        let Some(place) = pairs.get(&at).copied() else {
            return Err(format!("the correction removes the gate {}; {ADVICE}", was.step(at).id));
        };
        keeps_rules((old, at), (new, place))?;
        let has_asked = people.contains(&was.step(at).id) || !within(people, &was.step(at).id).is_empty();
        keeps_behind((&was, at), (&is, place), (pairs, &added), (&mut gained, has_asked))?;
    }
    Ok(())
}

/// Refuses a gate with looser rules than before, of its own or of a frame around it.
fn keeps_rules((old, at): (&Plan, StepIx), (new, place): (&Plan, StepIx)) -> Result<(), String> {
    let (was, is) = (&old.steps[at.index()], &new.steps[place.index()]);
    let looser = match (&was.work, &is.work) {
        (Work::Gate(before), Work::Gate(now)) => looser(before, now, is_as_wide(was, is)),
        (Work::Gate(_), _) => vec!["kind"],
        _ if is_written_as_before(old, at, new, place) && was.condition == is.condition => Vec::new(),
        _ => vec!["matrix, in which a gate stands"],
    };
    if !looser.is_empty() {
        let what = looser.join(", ");
        return Err(format!("the correction loosens the gate {} ({what}); {ADVICE}", was.id));
    }
    if let Some((id, what)) = looser_around((old, at), (new, place)) {
        return Err(format!(
            "the correction loosens {id}, in which the gate {} stands ({what}); {ADVICE}",
            was.id
        ));
    }
    Ok(())
}

/// Refuses a step that stood behind a gate and could now start without its approval.
fn keeps_behind(
    (was, gate): (&Side<'_>, StepIx),
    (is, place): (&Side<'_>, StepIx),
    (pairs, added): (&BTreeMap<StepIx, StepIx>, &[StepIx]),
    (gained, has_asked): (&mut Gained<'_>, bool),
) -> Result<(), String> {
    let id = &was.step(gate).id;
    let (behind, behind_now) = (was.behind(gate), is.behind(place));
    let (guarded, guarded_now) = (was.guarded(gate), is.guarded(place));
    let (rejected, rejected_now) = (was.guarded_by_a_rejection(gate), is.guarded_by_a_rejection(place));
    let held = was.held_by_a_rejection(gate);
    for at in places(was.plan).filter(|place| behind[place.index()]) {
        let Some(there) = pairs.get(&at).copied() else { continue };
        let (before, now) = (was.step(at), is.step(there));
        // Such a condition may have read the answer of the gate.
        let opens = before.condition != now.condition
            && is.without_success[there.index()]
            && !was.after_any_rejection[at.index()];
        let is_let_out = !behind_now[there.index()]
            || guarded[at.index()] && !guarded_now[there.index()]
            || rejected[at.index()] && !rejected_now[there.index()]
            || opens;
        if is_let_out {
            return Err(format!(
                "{} no longer waits for the gate {id}; let it need the gate and run after success alone, or start a new run",
                before.id
            ));
        }
        // A failure before the gate leaves it out, and a step that runs also after failures then starts without it.
        let by_failure = held[at.index()] && !guarded[at.index()] && !guarded_now[there.index()];
        if by_failure && let Some((step, why)) = gained.fails(at, there, has_asked, &guarded_now) {
            return Err(format!(
                "{} stands behind the gate {id} and runs also after a failure, and {} {why}; let it run after success \
                 alone, or start a new run",
                before.id,
                is.step(step).id
            ));
        }
    }
    // A new step could be the removed one by another name.
    let gone = places(was.plan).filter(|place| behind[place.index()] && !pairs.contains_key(place));
    for gone in gone {
        let held = if guarded[gone.index()] { &guarded_now } else { &behind_now };
        if let Some(free) = added.iter().find(|step| !held[step.index()]) {
            return Err(format!(
                "{} stood behind the gate {id} and is gone, and the new step {} does not wait for that gate; let it need \
                 the gate, or start a new run",
                was.step(gone).id,
                is.step(*free).id
            ));
        }
    }
    Ok(())
}

/// By step, the steps before it whose failure a correction can bring about: first the steps that did not come before it,
/// then the rewritten ones.
struct Gained<'a> {
    was: &'a Side<'a>,
    is: &'a Side<'a>,
    pairs: &'a BTreeMap<StepIx, StepIx>,
    rewritten: &'a BTreeSet<StepIx>,
    steps: BTreeMap<StepIx, Vec<(StepIx, Gain)>>,
}

/// The change of a step before another one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gain {
    Moved,
    Rewritten,
}

impl Gained<'_> {
    /// A step before this one that can fail since the correction, and its change. The steps of `guarded` fail only after the
    /// approval. A rewritten step counts once the gate has asked: people have answered for what stood before it.
    fn fails(
        &mut self,
        at: StepIx,
        there: StepIx,
        has_asked: bool,
        guarded: &[bool],
    ) -> Option<(StepIx, &'static str)> {
        let Self { was, is, pairs, rewritten, steps } = self;
        let found = steps.entry(at).or_insert_with(|| {
            let above = is.above(there);
            let moved =
                moved_before((was, at), (is, &above), pairs).into_iter().map(|step| (step, Gain::Moved));
            let rewritten = rewritten.iter().filter(|step| above[step.index()]);
            moved.chain(rewritten.map(|step| (*step, Gain::Rewritten))).collect()
        });
        let counts = |(step, gain): &&(StepIx, Gain)| {
            (has_asked || *gain == Gain::Moved)
                && !matches!(is.step(*step).work, Work::Gate(_))
                && !guarded[step.index()]
        };
        found.iter().find(counts).map(|(step, gain)| match gain {
            Gain::Moved => (*step, "was not before it"),
            Gain::Rewritten => (*step, "was changed after the gate asked"),
        })
    }
}

/// The steps, by their new places, that do not read as before.
fn rewritten(old: &Plan, new: &Plan, pairs: &BTreeMap<StepIx, StepIx>) -> BTreeSet<StepIx> {
    let is_new = |entry: &(&StepIx, &StepIx)| whole(old, *entry.0) != whole(new, *entry.1);
    pairs.iter().filter(is_new).map(|entry| *entry.1).collect()
}

/// The steps that come before a step now, which `above_now` tells by place, and did not before.
fn moved_before(
    (was, at): (&Side<'_>, StepIx),
    (is, above_now): (&Side<'_>, &[bool]),
    pairs: &BTreeMap<StepIx, StepIx>,
) -> Vec<StepIx> {
    let above = was.above(at);
    let before = pairs.iter().filter(|entry| above[entry.0.index()]);
    let known: BTreeSet<StepIx> = before.map(|entry| *entry.1).collect();
    places(is.plan).filter(|place| above_now[place.index()] && !known.contains(place)).collect()
}

/// The gates whose condition reads failures, and before which a correction changes something: a failure that it brings
/// about leaves none of them out.
pub(super) fn gates_after_a_change(
    old: &Plan,
    new: &Plan,
    pairs: &BTreeMap<StepIx, StepIx>,
) -> BTreeSet<StepIx> {
    let reads = |step: &PlanStep| {
        matches!(step.work, Work::Gate(_)) && step.condition.as_deref().is_some_and(asks_for_failures)
    };
    if !new.steps.iter().any(reads) {
        return BTreeSet::new();
    }
    let (was, is) = (Side::of(old), Side::of(new));
    let rewritten = rewritten(old, new, pairs);
    let is_changed = |(at, there): (&StepIx, &StepIx)| {
        let above = is.above(*there);
        rewritten.iter().any(|step| above[step.index()])
            || !moved_before((&was, *at), (&is, &above), pairs).is_empty()
    };
    pairs
        .iter()
        .filter(|entry| reads(is.step(*entry.1)) && is_changed(*entry))
        .map(|entry| *entry.1)
        .collect()
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
        if let Some((what, _)) = rules.into_iter().find(|rule| !rule.1) {
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
    let all = |quorums: &[Quorum]| quorums.iter().map(|quorum| quorum.count).sum::<u32>().max(1);
    // A group may stand there several times.
    let of_group = |quorums: &[Quorum], group: &Option<String>| {
        quorums.iter().filter(|quorum| quorum.group == *group).map(|quorum| quorum.count).sum::<u32>()
    };
    let stands = |before: &Quorum| {
        before.group.is_none() || of_group(is, &before.group) >= of_group(was, &before.group)
    };
    all(is) >= all(was) && was.iter().all(stands)
}

/// True when every field is asked for as strictly as before. With `asks_all` an optional field must be answered too, as at high risk.
fn fields_stand(was: &[Need], is: &[Need], asks_all: bool) -> bool {
    let stands = |before: &Need, now: &Need| {
        let is_fewer =
            !now.choices.is_empty() && now.choices.iter().all(|choice| before.choices.contains(choice));
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

/// True when an approval can be withdrawn for at least as long as before, by every channel. Without a window in the file that
/// is the default in the console, and no time elsewhere.
fn window_stands(was: &GateRule, is: &GateRule) -> bool {
    match (was.undo_window, is.undo_window) {
        (None, None) => true,
        (None, Some(now)) => was.risk >= Risk::Irreversible || now >= UNDO_WINDOW_DEFAULT,
        (Some(before), None) => before == Span(0),
        (Some(before), Some(now)) => before <= now,
    }
}

/// The rules of a gate that let more through than before, or show less.
fn looser(was: &GateRule, is: &GateRule, is_as_wide: bool) -> Vec<&'static str> {
    let rules = [
        ("`if`", is_as_wide),
        ("`auto`", is.auto.is_none() || was.auto == is.auto),
        ("`require`", wants_as_many(&was.require, &is.require)),
        ("`forbid`", was.forbid.iter().all(|text| is.forbid.contains(text))),
        ("`escalate`", was.escalate == is.escalate),
        ("`matrix`", was.matrix == is.matrix),
        ("`risk`", was.risk <= is.risk),
        ("`consent`", was.snapshot.is_none() || was.snapshot == is.snapshot),
        ("`on-timeout`", was.on_timeout == is.on_timeout || is.on_timeout != OnTimeout::Approve),
        ("`on-reject`", was.on_reject == is.on_reject || is.on_reject != OnFailure::Continue),
        ("`proof`", !was.touch || is.touch),
        ("`form`", fields_stand(&was.form, &is.form, is.risk >= Risk::Irreversible)),
        ("`evidence`", was.evidence.iter().all(|text| is.evidence.contains(text))),
        ("`binds`", was.binds.iter().all(|bind| is.binds.contains(bind))),
        ("`undo-window`", window_stands(was, is)),
        ("`timeout`", is.on_timeout != OnTimeout::Approve || was.timeout == is.timeout),
        ("`reason`", !was.reason_required || is.reason_required),
    ];
    rules.into_iter().filter(|rule| !rule.1).map(|rule| rule.0).collect()
}
