//! Refuses a correction that loosens a gate: one that is gone, asks fewer people, or lets a step start without it.

use crate::{
    again::Asked,
    by_hand::is_or_makes_gate,
    can_ask,
    compared::{Compared, Pair, is_written_as_before},
    looser::looser,
    put_elsewhere::{Changed, Displaced},
    run::asks_for_failures,
    side::{Held, Side, places},
};
use cuelight_base::{CORRECTION_COMPARES_MAX, STEPS_MAX, StepIx};
use cuelight_plan::{Plan, PlanStep, Work};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

const ADVICE: &str = "restore it, or start a new run";

/// Refuses a correction that removes or loosens a gate, or lets a step out from behind one. `before` tells the
/// gates that have asked people, and the steps that were displaced from behind them. Returns these, with the
/// ones that this correction displaces.
pub(super) fn keeps_gates(compared: &Compared<'_>, before: &Asked) -> Result<Displaced, String> {
    let Compared { old, new, pairs, .. } = *compared;
    keeps_asks(old, new, pairs)?;
    let gates: Vec<StepIx> = places(old).filter(|place| is_gate(&old.steps[place.index()])).collect();
    let (was, is) = (Side::of(old), Side::of(new));
    within_limit(gates.len().saturating_mul(was.size + is.size))?;
    let mut changed = Changed::of(compared);
    let asked = |gate: &StepIx| before.has_asked(&was.step(*gate).id);
    // Nothing that was rewritten counts while nobody has been asked.
    let rewritten = if gates.iter().any(asked) { rewritten(compared) } else { Vec::new() };
    let mut gained =
        Gained { was: &was, is: &is, pairs, rewritten: &rewritten, steps: BTreeMap::new(), walked: 0 };
    let mut displaced = before.displaced.clone();
    for at in gates {
        let Some(place) = pairs.get(&at).copied() else {
            return Err(format!("the correction removes the gate {}; {ADVICE}", was.step(at).id));
        };
        keeps_rules((old, at), (new, place))?;
        let has_asked = asked(&at);
        let held = Held::of((&was, at), (&is, place));
        keeps_behind((&was, at), (&is, place), &held, pairs, (&mut gained, has_asked))?;
        changed.stays_behind((&was, at), &is, &held, has_asked, &mut displaced)?;
    }
    if displaced.count() > STEPS_MAX {
        return Err(format!(
            "corrections have changed steps behind gates in more than {STEPS_MAX} places; start a new run"
        ));
    }
    Ok(displaced)
}

/// Refuses a correction that would hold up the engine: for each gate, all steps and needs are walked over.
fn within_limit(pairs: usize) -> Result<(), String> {
    if pairs <= CORRECTION_COMPARES_MAX {
        return Ok(());
    }
    Err(format!(
        "the correction would compare gates with steps and needs in more than {CORRECTION_COMPARES_MAX} pairs; start a \
         new run"
    ))
}

/// True for a step behind which others wait for an answer of people.
fn is_gate(step: &PlanStep) -> bool {
    is_or_makes_gate(step) || can_ask::accepts_result(step)
}

/// Refuses a correction that removes or loosens what can ask people about a step without a gate of its own.
fn keeps_asks(old: &Plan, new: &Plan, pairs: &BTreeMap<StepIx, StepIx>) -> Result<(), String> {
    if !can_ask::holds_as_much(old.budget.as_ref(), new.budget.as_ref()) {
        return Err(format!("the correction loosens the gate of the run (`budget`); {ADVICE}"));
    }
    for at in places(old) {
        let was = &old.steps[at.index()];
        let (keys, makes_asks) = (can_ask::keys(was), can_ask::makes_asks(was));
        if keys.is_empty() && !makes_asks {
            continue;
        }
        let Some(place) = pairs.get(&at).copied() else {
            return Err(format!("the correction removes {}, at which people are asked; {ADVICE}", was.id));
        };
        let is = &new.steps[place.index()];
        let mut loosened = can_ask::loosened((old, was), (new, is));
        if makes_asks && !is_written_as_before(old, at, new, place) {
            loosened.push("matrix, in which people are asked");
        }
        if !loosened.is_empty() {
            let what = loosened.join(", ");
            return Err(format!("the correction loosens the gate of {} ({what}); {ADVICE}", was.id));
        }
        keeps_around((old, at), (new, place), "people are asked")?;
    }
    Ok(())
}

/// Refuses a gate with looser rules than before, of its own or of a frame around it.
fn keeps_rules((old, at): (&Plan, StepIx), (new, place): (&Plan, StepIx)) -> Result<(), String> {
    let (was, is) = (&old.steps[at.index()], &new.steps[place.index()]);
    let mut looser = match (&was.work, &is.work) {
        (Work::Gate(before), Work::Gate(now)) => looser(before, now, is_as_wide(was, is)),
        (Work::Gate(_), _) => vec!["kind"],
        _ if !is_or_makes_gate(was) => return Ok(()),
        _ if is_written_as_before(old, at, new, place) && was.condition == is.condition => Vec::new(),
        _ => vec!["matrix, in which a gate stands"],
    };
    if !can_ask::stops_as_before(was, is) {
        looser.push("`on-error`");
    }
    if !looser.is_empty() {
        let what = looser.join(", ");
        return Err(format!("the correction loosens the gate {} ({what}); {ADVICE}", was.id));
    }
    keeps_around((old, at), (new, place), &format!("the gate {} stands", was.id))
}

/// Refuses looser frames around a step in which something holds, told as `what`.
fn keeps_around(was: (&Plan, StepIx), is: (&Plan, StepIx), what: &str) -> Result<(), String> {
    match looser_around(was, is) {
        None => Ok(()),
        Some((id, key)) => Err(format!("the correction loosens {id}, in which {what} ({key}); {ADVICE}")),
    }
}

/// Refuses a step that stood behind a gate and could now start without its approval.
fn keeps_behind(
    (was, gate): (&Side<'_>, StepIx),
    (is, place): (&Side<'_>, StepIx),
    held_by_gate: &Held,
    pairs: &BTreeMap<StepIx, StepIx>,
    (gained, has_asked): (&mut Gained<'_>, bool),
) -> Result<(), String> {
    let id = &was.step(gate).id;
    let Held { behind, behind_now, guarded, guarded_now } = held_by_gate;
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
        if by_failure && let Some((step, why)) = gained.fails(at, there, has_asked, guarded_now)? {
            return Err(format!(
                "{} stands behind the gate {id} and runs also after a failure, and {} {why}; let it run after success \
                 alone, or start a new run",
                before.id,
                is.step(step).id
            ));
        }
    }
    Ok(())
}

/// By step, the steps before it whose failure a correction can bring about: those that did not come before it, and the
/// rewritten ones.
struct Gained<'a> {
    was: &'a Side<'a>,
    is: &'a Side<'a>,
    pairs: &'a BTreeMap<StepIx, StepIx>,
    rewritten: &'a [StepIx],
    steps: BTreeMap<StepIx, [Vec<StepIx>; 2]>,
    /// Steps and needs that were walked over for it.
    walked: usize,
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
    ) -> Result<Option<(StepIx, &'static str)>, String> {
        let Self { was, is, pairs, rewritten, steps, walked } = self;
        if let Entry::Vacant(new) = steps.entry(at) {
            *walked += was.size + is.size;
            within_limit(*walked)?;
            let above = is.above(there);
            let moved = moved_before((was, at), (is, &above), pairs);
            let rewritten = rewritten.iter().copied().filter(|step| above[step.index()]).collect();
            new.insert([moved, rewritten]);
        }
        let counts =
            |step: &&StepIx| !matches!(is.step(**step).work, Work::Gate(_)) && !guarded[step.index()];
        let [moved, rewritten] = &steps[&at];
        let moved = moved.iter().find(counts).map(|step| (*step, "was not before it"));
        let rewritten = || rewritten.iter().find(counts).filter(|_| has_asked);
        Ok(moved.or_else(|| rewritten().map(|step| (*step, "was changed after the gate asked"))))
    }
}

/// The steps, by their new places, that do not read as before.
fn rewritten(compared: &Compared<'_>) -> Vec<StepIx> {
    compared.steps.iter().filter(|pair| pair.is_rewritten()).map(|pair| pair.is).collect()
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
pub(super) fn gates_after_a_change(compared: &Compared<'_>) -> Result<BTreeSet<StepIx>, String> {
    let Compared { old, new, pairs, .. } = *compared;
    let reads = |pair: &&Pair| {
        let step = &new.steps[pair.is.index()];
        matches!(step.work, Work::Gate(_)) && step.condition.as_deref().is_some_and(asks_for_failures)
    };
    let gates: Vec<&Pair> = compared.steps.iter().filter(reads).collect();
    if gates.is_empty() {
        return Ok(BTreeSet::new());
    }
    let (was, is) = (Side::of(old), Side::of(new));
    within_limit(gates.len().saturating_mul(was.size + is.size))?;
    let rewritten = rewritten(compared);
    let is_changed = |gate: &&Pair| {
        let above = is.above(gate.is);
        rewritten.iter().any(|step| above[step.index()])
            || !moved_before((&was, gate.was), (&is, &above), pairs).is_empty()
    };
    Ok(gates.into_iter().filter(is_changed).map(|gate| gate.is).collect())
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
