//! The ask that people see: made by the engine from its own knowledge, hashed over every field.

mod evidence;
mod of_engine;
mod people;
mod released;
mod writes;

pub(super) use evidence::evidence_files;
pub(super) use of_engine::{CHOICE_FIELD, budget, choice, confidence};
pub(super) use people::forbidden;
pub use people::{NEEDS_TOUCH, SELF_DECLARED};
pub(super) use released::{Covered, covered};
pub(super) use writes::{differing_parts, write_of};

use crate::{
    Ask, BudgetOf, FileFact, FormField, by_hand::reads_what_is_by_hand, call::Unresolved, condition::View,
    membership::asks_for_people, run::Run, world::World,
};
use cuelight_base::{
    Actor, Digest, EVENT_CONTENT_BYTES_MAX, Epoch, GateId, Program, StepIx, Timestamp, Tree,
    UNDO_WINDOW_DEFAULT, Value, ValueMap, canonical_json, json_bytes, sha256,
};
use cuelight_plan::{EffectClass, GateRule, Need, OnFailure, OnTimeout, Quorum, Risk, matrix_copies};
use evidence::evidence;
use people::{escalate, excluded};
use released::{Released, released};
use std::collections::BTreeSet;

/// Steps named in an ask; more are counted, and bound by one hash over all of them.
const NAMES_MAX: usize = 500;

/// The people, time and settings of an ask that is being made.
pub(super) struct Asking {
    pub(super) gate: GateId,
    pub(super) epoch: Epoch,
    pub(super) opened_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    /// Parameters that people have set; others have their defaults.
    pub(super) form: Option<ValueMap>,
    /// True when the workspace asks for a touched security key at gates of the highest risk.
    pub(super) touch: bool,
    /// The budget that was asked about before, where it is asked about again.
    pub(super) raises: Option<BudgetOf>,
}

impl Asking {
    /// True when the workspace asks for a touched security key at this risk.
    fn wants_touch_at(&self, risk: Risk) -> bool {
        self.touch && risk >= Risk::Irreversible
    }
}

/// The document, and the calls that an approval releases.
pub(super) fn make(
    world: &World,
    run: &Run,
    step: StepIx,
    rule: &GateRule,
    asking: &Asking,
    now: Timestamp,
) -> Result<Ask, Unresolved> {
    let view = View::of(world, run, step, now);
    let copies = copies(view, rule)?;
    let views = views(view, copies.as_deref());
    let form = form(view, &rule.form, asking.form.as_ref())?;
    let outputs = result(
        "approved",
        &form.iter().map(|field| (field.name.clone(), field.value.clone())).collect(),
        &[],
    );
    let Released { will_run, writes, later, all, mut unseen, blind, .. } =
        released(world, run, step, &outputs, now);
    let snapshot = snapshot(run, step, rule, &mut unseen)?;
    if let Some(why) = blind {
        return Err(Unresolved::Failed(why));
    }
    if !unseen.is_empty() {
        return Err(Unresolved::Programs(unseen.into_iter().collect()));
    }
    let reached = reached(run, step);
    let names = |steps: &mut dyn Iterator<Item = StepIx>| named(run, steps);
    let done = || run.undo.completed.iter().rev().copied();
    let undoes = rule.on_reject == OnFailure::Compensate;
    let touch = rule.touch || asking.wants_touch_at(rule.risk);
    let ask = Ask {
        run: run.id,
        gate: asking.gate,
        epoch: asking.epoch,
        step: run.plan_step(step).id.clone(),
        workflow: run.plan.name.clone(),
        plan: run.plan_hash,
        definition: run.plan.definition,
        prompt: prompt(&views, rule)?,
        claim: rule
            .claim
            .as_ref()
            .map(|claim| texts(&views, claim))
            .transpose()?
            .map(|texts| texts.join("\n")),
        risk: rule.risk,
        will_run,
        all,
        writes,
        later,
        snapshot,
        starts: names(&mut reached.iter().copied()),
        skips: names(&mut reached.iter().copied().filter(|step| !run.step(*step).explicit)),
        undoes: names(&mut done().filter(|step| undoes && run.is_undoable(*step))),
        cannot_undo: names(&mut done().filter(|step| cannot_undo(run, *step))),
        binds: binds(&views, rule)?,
        evidence: evidence(&views, rule, copies.as_deref())?,
        form,
        require: if rule.require.is_empty() {
            vec![Quorum { group: None, count: 1 }]
        } else {
            rule.require.clone()
        },
        excluded: excluded(world, &views, rule)?,
        policy: world
            .people
            .now()
            .filter(|_| touch || asks_for_people(rule))
            .map(|membership| membership.policy.clone()),
        requester: run.by.to_string(),
        opened_at: asking.opened_at,
        expires_at: asking.expires_at,
        // Time proves nothing.
        on_timeout: if touch && rule.on_timeout == OnTimeout::Approve {
            OnTimeout::Reject
        } else {
            rule.on_timeout
        },
        reason_required: rule.reason_required,
        touch,
        undo_window: rule.undo_window.unwrap_or(UNDO_WINDOW_DEFAULT),
        send_back: rule.send_back.clone(),
        is_choice: false,
        raises: None,
        escalate: escalate(world, &views, rule)?,
        runs_anyway: names(&mut runs_anyway(run, step, rule).into_iter()),
    };
    if json_bytes(&ask) > EVENT_CONTENT_BYTES_MAX { Err(too_large()) } else { Ok(ask) }
}

/// The captured workspace from which the steps behind a gate run; behind a gate that has captured it, the
/// same.
fn snapshot(
    run: &Run,
    step: StepIx,
    rule: &GateRule,
    unseen: &mut BTreeSet<Program>,
) -> Result<Vec<FileFact>, Unresolved> {
    let known = run.step(step).facts.as_deref().and_then(|facts| facts.tree());
    let from = run.tree_before(step);
    if from.is_none() && rule.snapshot.is_none() {
        return Ok(Vec::new());
    }
    // Once more than asked for: what was looked at before stays, so that all of one ask is of one tree.
    let is_same =
        |tree: &&(Program, Vec<FileFact>)| tree.0.tree.as_ref().is_some_and(|tree| tree.from == from);
    let Some((_, files)) = known.filter(is_same) else {
        let patterns = if from.is_none() { rule.snapshot.clone().unwrap_or_default() } else { Vec::new() };
        let tree = Program::of_tree(Tree { patterns, from });
        if run.step(step).looked_at.contains(&tree) {
            return Err(Unresolved::Failed("the workspace was not captured: a fault of cuelight".to_owned()));
        }
        unseen.insert(tree);
        return Ok(Vec::new());
    };
    match files.first() {
        Some(FileFact { digest: Some(_), .. }) => Ok(files.clone()),
        Some(FileFact { problem: Some(problem), .. }) => Err(Unresolved::Failed(problem.clone())),
        Some(_) | None => Err(Unresolved::Failed("the workspace was not captured".to_owned())),
    }
}

fn too_large() -> Unresolved {
    Unresolved::Failed(format!(
        "what it asks is larger than {EVENT_CONTENT_BYTES_MAX} bytes; name files as its evidence, and shorten the rest"
    ))
}

/// The copies of the matrix that a gate answers for, each with its `matrix.*`; none for a gate that stands
/// for itself.
fn copies(view: View<'_>, rule: &GateRule) -> Result<Option<Vec<ValueMap>>, Unresolved> {
    let Some(matrix) = &rule.matrix else { return Ok(None) };
    let id = &view.run.plan_step(view.step).id;
    matrix_copies(id, &view.deep(matrix)?).map(Some).map_err(Unresolved::Failed)
}

/// One view, or one for each copy. A matrix that turned out empty does not take the question away.
fn views<'a>(view: View<'a>, copies: Option<&'a [ValueMap]>) -> Vec<View<'a>> {
    let of_copy = |copy| View { copy: Some(copy), ..view };
    copies
        .filter(|copies| !copies.is_empty())
        .map_or_else(|| vec![view], |copies| copies.iter().map(of_copy).collect())
}

/// The texts that a template yields in each view, without repetition.
fn texts(views: &[View<'_>], template: &str) -> Result<Vec<String>, Unresolved> {
    let mut seen = BTreeSet::new();
    let mut texts = Vec::new();
    let mut bytes = 0;
    let views = if template.contains("${{") { views } else { &views[..1] };
    for view in views {
        let text = view.text(template)?;
        bytes += text.len();
        if bytes > EVENT_CONTENT_BYTES_MAX {
            return Err(too_large());
        }
        if seen.insert(text.clone()) {
            texts.push(text);
        }
    }
    Ok(texts)
}

fn prompt(views: &[View<'_>], rule: &GateRule) -> Result<String, Unresolved> {
    let mut texts = texts(views, &rule.prompt)?;
    let more = texts.len().saturating_sub(NAMES_MAX);
    texts.truncate(NAMES_MAX);
    if more > 0 {
        texts.push(format!("… and {more} more"));
    }
    Ok(texts.join("\n"))
}

fn binds(views: &[View<'_>], rule: &GateRule) -> Result<Vec<String>, Unresolved> {
    let all = rule.binds.iter().map(|bind| texts(views, bind)).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().flatten().collect())
}

/// True when the `auto` of the workflow approves every copy of the gate; false without `auto` and without
/// copies.
pub(super) fn is_auto(view: View<'_>, rule: &GateRule) -> Result<bool, Unresolved> {
    let Some(expression) = &rule.auto else { return Ok(false) };
    let has_asked = rule.asks || view.run.step(view.step).asking.has_asked;
    if has_asked || reads_what_is_by_hand(view.run, view.step, expression) {
        return Ok(false);
    }
    let expr =
        cuelight_expression::parse(expression).map_err(|error| Unresolved::Failed(error.to_string()))?;
    let copies = copies(view, rule)?;
    if copies.as_ref().is_some_and(Vec::is_empty) {
        return Ok(false);
    }
    for view in views(view, copies.as_deref()) {
        if !cuelight_expression::evaluate_truth(&expr, &view)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The hash that a decision must carry.
pub fn hash(ask: &Ask) -> Digest {
    sha256("cuelight-ask-v1", &[canonical_json(ask).as_bytes()])
}

/// The outputs of a gate: `decision`, `form`, `approvers`.
pub(super) fn result(decision: &str, form: &ValueMap, approvers: &[&Actor]) -> ValueMap {
    let names: Vec<Value> = approvers.iter().map(|approver| approver.name.clone().into()).collect();
    ValueMap::from_iter([
        ("decision".to_owned(), decision.into()),
        ("form".to_owned(), Value::Object(form.clone())),
        ("approvers".to_owned(), Value::Array(names)),
    ])
}

/// Every step that cannot start before this one, and could after it, in file order.
fn reached(run: &Run, from: StepIx) -> BTreeSet<StepIx> {
    run.beyond(from).into_iter().filter(|step| !run.step(*step).rests()).collect()
}

fn named(run: &Run, mut steps: &mut dyn Iterator<Item = StepIx>) -> Vec<String> {
    let mut names: Vec<String> =
        Iterator::by_ref(&mut steps).take(NAMES_MAX).map(|step| run.plan_step(step).id.clone()).collect();
    let more = steps.count();
    if more > 0 {
        names.push(format!("… and {more} more"));
    }
    names
}

fn cannot_undo(run: &Run, step: StepIx) -> bool {
    let plan = run.plan_step(step);
    let done = run.step(step).state().is_done();
    done && plan.work.is_call() && !run.is_undoable(step) && plan.effect != EffectClass::Pure
}

/// The steps behind a gate that run although it is rejected: by their own `if`, and, where the run goes on, also the steps
/// that need only such steps.
fn runs_anyway(run: &Run, gate: StepIx, rule: &GateRule) -> Vec<StepIx> {
    let (behind, held) = (run.beyond(gate), run.held_back_after_a_rejection(gate));
    let goes_on = rule.on_reject == OnFailure::Continue;
    let runs = |step: &StepIx| {
        !held[step.index()] && (goes_on || run.step(*step).explicit || run.in_explicit_frame(*step))
    };
    behind.into_iter().filter(|step| !run.step(*step).rests()).filter(runs).collect()
}

fn form(view: View<'_>, needs: &[Need], set: Option<&ValueMap>) -> Result<Vec<FormField>, Unresolved> {
    let field = |need: &Need| {
        let value = match set.and_then(|fields| fields.get(&need.name)) {
            Some(value) => value.clone(),
            None => {
                need.default.as_ref().map_or(Ok(Value::Null), |default| typed(view.deep(default)?, need))?
            }
        };
        Ok(FormField {
            name: need.name.clone(),
            kind: need.kind,
            required: need.required,
            pattern: need.pattern.clone(),
            choices: need.choices.clone(),
            description: need.description.clone(),
            value,
        })
    };
    needs.iter().map(field).collect()
}

fn typed(value: Value, need: &Need) -> Result<Value, Unresolved> {
    crate::outcome::typed(value, need.kind)
        .map_err(|what| Unresolved::Failed(format!("the default of `{}` is {what}", need.name)))
}
