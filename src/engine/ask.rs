//! What people are asked: made by the engine from what it knows, hashed over every field.

use crate::{
    base::{
        Digest, Epoch, GateId, Span, StepIx, Timestamp, UNDO_WINDOW_DEFAULT, Value, ValueMap, canonical_json,
        sha256,
    },
    engine::{
        Actor, Ask, Evidence, FormField, Later, StepState, WillRun,
        call::{self, Unresolved},
        condition::View,
        run::Run,
        world::World,
    },
    expression::Template,
    plan::{EffectClass, FrameKind, GateRule, Need, OnFailure, OnTimeout, Quorum, Risk, Undo, Work},
};
use std::collections::BTreeSet;

/// Steps named in an ask; more are counted.
const NAMES_MAX: usize = 500;

/// Who and when of an ask that is being made.
pub(super) struct Asking {
    pub(super) gate: GateId,
    pub(super) epoch: Epoch,
    pub(super) opened_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    /// Parameters that people have set; others have their defaults.
    pub(super) form: Option<ValueMap>,
}

/// The files that have to be looked at before a gate can ask.
pub(super) fn evidence_files(rule: &GateRule) -> Vec<String> {
    rule.evidence.iter().filter(|it| !it.contains("${{")).cloned().collect()
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
    let form = form(view, &rule.form, asking.form.as_ref())?;
    let outputs =
        result("approved", &form.iter().map(|it| (it.name.clone(), it.value.clone())).collect(), &[]);
    let (will_run, later) = released(world, run, step, &outputs, now);
    let reached = reached(run, step);
    let names = |steps: &mut dyn Iterator<Item = StepIx>| named(run, steps);
    let done = || run.completed.iter().rev().copied();
    let undoes = rule.on_reject == OnFailure::Compensate;
    Ok(Ask {
        run: run.id,
        gate: asking.gate,
        epoch: asking.epoch,
        step: run.plan_step(step).id.clone(),
        workflow: run.plan.name.clone(),
        plan: run.plan_hash,
        definition: run.plan.definition,
        prompt: view.text(&rule.prompt)?,
        risk: rule.risk,
        will_run,
        later,
        starts: names(&mut reached.iter().copied()),
        skips: names(&mut reached.iter().copied().filter(|it| !run.step(*it).explicit)),
        undoes: names(&mut done().filter(|it| undoes && run.is_undoable(*it))),
        cannot_undo: names(&mut done().filter(|it| cannot_undo(run, *it))),
        binds: rule.binds.iter().map(|it| view.text(it)).collect::<Result<_, _>>()?,
        evidence: evidence(view, rule)?,
        form,
        require: if rule.require.is_empty() {
            vec![Quorum { group: None, count: 1 }]
        } else {
            rule.require.clone()
        },
        excluded: excluded(view, rule)?,
        requester: run.by.name.clone(),
        opened_at: asking.opened_at,
        expires_at: asking.expires_at,
        on_timeout: rule.on_timeout,
        reason_required: rule.reason_required,
        undo_window: rule.undo_window.unwrap_or(UNDO_WINDOW_DEFAULT),
    })
}

/// The ask of a step that has used up its run's budget: shall the ceiling be raised?
pub(super) fn budget(run: &Run, step: StepIx, asking: &Asking) -> Ask {
    let used = run.calls;
    let limit = run.calls_max.unwrap_or(used);
    let more = run.plan.budget.as_ref().and_then(|it| it.calls).unwrap_or(limit).max(1);
    let value =
        asking.form.as_ref().and_then(|it| it.get("calls").cloned()).unwrap_or_else(|| (limit + more).into());
    let calls = FormField {
        name: "calls".to_owned(),
        kind: crate::plan::OutputType::Number,
        required: true,
        pattern: None,
        choices: Vec::new(),
        description: Some("calls this run may make, from now on".to_owned()),
        value,
    };
    Ask {
        run: run.id,
        gate: asking.gate,
        epoch: asking.epoch,
        step: run.plan_step(step).id.clone(),
        workflow: run.plan.name.clone(),
        plan: run.plan_hash,
        definition: run.plan.definition,
        prompt: format!("The budget of {limit} calls is used up. Raise it for this run?"),
        risk: Risk::Reversible,
        will_run: Vec::new(),
        later: Vec::new(),
        starts: named(run, &mut std::iter::once(step)),
        skips: named(run, &mut reached(run, step).into_iter()),
        undoes: Vec::new(),
        cannot_undo: Vec::new(),
        binds: Vec::new(),
        evidence: Vec::new(),
        form: vec![calls],
        require: vec![Quorum { group: None, count: 1 }],
        excluded: Vec::new(),
        requester: run.by.name.clone(),
        opened_at: asking.opened_at,
        expires_at: None,
        on_timeout: OnTimeout::Reject,
        reason_required: false,
        undo_window: Span(0),
    }
}

/// The hash that a decision must carry.
pub(super) fn hash(ask: &Ask) -> Digest {
    let value = serde_json::to_value(ask).expect("an ask holds nothing but text, numbers and lists");
    sha256("cuelight-ask-v1", &[canonical_json(&value).as_bytes()])
}

/// The outputs of a gate: `decision`, `form`, `approvers`.
pub(super) fn result(decision: &str, form: &ValueMap, approvers: &[&Actor]) -> ValueMap {
    let names: Vec<Value> = approvers.iter().map(|it| it.name.clone().into()).collect();
    ValueMap::from_iter([
        ("decision".to_owned(), decision.into()),
        ("form".to_owned(), Value::Object(form.clone())),
        ("approvers".to_owned(), Value::Array(names)),
    ])
}

/// The calls that start first when it is approved, and those whose parameters are not known yet.
fn released(
    world: &World,
    run: &Run,
    gate: StepIx,
    outputs: &ValueMap,
    now: Timestamp,
) -> (Vec<WillRun>, Vec<Later>) {
    let (mut will_run, mut later) = (Vec::new(), Vec::new());
    for step in reached(run, gate).into_iter().take(NAMES_MAX) {
        let plan = run.plan_step(step);
        let only_this = waits_only_for(run, step, gate);
        let view = View { supposed: Some((gate, outputs)), ..View::of(world, run, step, now) };
        match &plan.work {
            Work::Run { .. } if only_this => match call::launch(view, &plan.work) {
                Ok(launch) => will_run.push(WillRun {
                    step: plan.id.clone(),
                    launch_hash: launch.hash(),
                    launch,
                    effect: plan.effect,
                    undo: undo_word(&plan.undo).to_owned(),
                }),
                Err(_) => later.push(later_of(run, step)),
            },
            Work::Run { .. } | Work::Later(_) => later.push(later_of(run, step)),
            Work::Gate(_) | Work::Wait(_) | Work::Set { .. } | Work::Frame(_) => {}
        }
    }
    (will_run, later)
}

/// Whether a step starts as soon as this gate is approved: by itself, or as a copy of a matrix that does.
fn waits_only_for(run: &Run, step: StepIx, gate: StepIx) -> bool {
    if run.step(step).open_needs != 1 {
        return false;
    }
    let frame = run.plan_step(step).frame;
    let copies = |it: &StepIx| match &run.plan_step(*it).work {
        Work::Frame(frame) => frame.kind == FrameKind::Matrix,
        Work::Run { .. } | Work::Gate(_) | Work::Wait(_) | Work::Set { .. } | Work::Later(_) => false,
    };
    run.dependents(gate).contains(&step)
        || frame.filter(copies).is_some_and(|it| waits_only_for(run, it, gate))
}

/// The steps of an approved ask that are called first, with the hash of each call.
pub(super) fn covered(run: &Run, gate: StepIx, ask: &Ask) -> Vec<(StepIx, Digest)> {
    let of = |step: StepIx| {
        let id = &run.plan_step(step).id;
        ask.will_run.iter().find(|it| it.step == *id).map(|it| (step, it.launch_hash))
    };
    if ask.will_run.is_empty() { Vec::new() } else { reached(run, gate).into_iter().filter_map(of).collect() }
}

fn later_of(run: &Run, step: StepIx) -> Later {
    let plan = run.plan_step(step);
    Later {
        step: plan.id.clone(),
        kind: call::kind(&plan.work).to_owned(),
        template: call::template_hash(plan),
    }
}

fn undo_word(undo: &Undo) -> &'static str {
    match undo {
        Undo::By(_) => "yes",
        Undo::Impossible => "no",
        Undo::Unset => "unset",
    }
}

/// Every step that cannot start before this one, and could after it, in file order.
fn reached(run: &Run, from: StepIx) -> BTreeSet<StepIx> {
    run.after(from).into_iter().filter(|it| !run.step(*it).rests()).collect()
}

fn named(run: &Run, mut steps: &mut dyn Iterator<Item = StepIx>) -> Vec<String> {
    let mut names: Vec<String> =
        Iterator::by_ref(&mut steps).take(NAMES_MAX).map(|it| run.plan_step(it).id.clone()).collect();
    let more = steps.count();
    if more > 0 {
        names.push(format!("… and {more} more"));
    }
    names
}

fn cannot_undo(run: &Run, step: StepIx) -> bool {
    let plan = run.plan_step(step);
    let done = matches!(run.step(step).state(), StepState::Completed | StepState::Partial);
    done && matches!(plan.work, Work::Run { .. })
        && !run.is_undoable(step)
        && plan.effect != EffectClass::Pure
}

/// Who does not count: named by `forbid`, and, where more than one person is asked for, who asked for the run.
fn excluded(view: View<'_>, rule: &GateRule) -> Result<Vec<(String, String)>, Unresolved> {
    let run = view.run;
    let wanted: u32 = rule.require.iter().map(|it| it.count).sum();
    let mut out = Vec::new();
    let requester = rule.forbid.iter().any(|it| it == "run.actor");
    if requester || wanted > 1 {
        let why = format!("{} asked for this run; somebody else has to answer", run.by.name);
        out.push((run.by.principal(), why));
    }
    for name in rule.forbid.iter().filter(|it| *it != "run.actor") {
        let name = view.text(name)?;
        let why = format!("{name} is excluded by the workflow");
        out.push((name, why));
    }
    Ok(out)
}

fn form(view: View<'_>, needs: &[Need], set: Option<&ValueMap>) -> Result<Vec<FormField>, Unresolved> {
    let field = |need: &Need| {
        let value = match set.and_then(|it| it.get(&need.name)) {
            Some(value) => value.clone(),
            None => need.default.as_ref().map_or(Ok(Value::Null), |it| typed(view.deep(it)?, need))?,
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
    crate::engine::outcome::typed(value, need.kind)
        .map_err(|what| Unresolved::Failed(format!("the default of `{}` is {what}", need.name)))
}

fn evidence(view: View<'_>, rule: &GateRule) -> Result<Vec<Evidence>, Unresolved> {
    let facts = view.run.step(view.step).facts.as_deref();
    let item = |source: &String| {
        if !source.contains("${{") {
            let file = facts.and_then(|it| it.files.iter().find(|file| file.path == *source));
            return Ok(Evidence {
                title: source.clone(),
                text: None,
                digest: file.and_then(|it| it.digest),
                bytes: file.map_or(0, |it| it.bytes),
                problem: file.map_or_else(|| Some("was not looked at".to_owned()), |it| it.problem.clone()),
            });
        }
        let text = view.text(source)?;
        let title = Template::parse(source)
            .ok()
            .and_then(|it| it.holes().next().map(|hole| hole.source.trim().to_owned()))
            .unwrap_or_default();
        let digest = Some(sha256("cuelight-text-v1", &[text.as_bytes()]));
        Ok(Evidence { title, bytes: text.len() as u64, text: Some(text), digest, problem: None })
    };
    rule.evidence.iter().map(item).collect()
}

/// The ask of a step whose result is below its least confidence: is it good enough?
pub(super) fn confidence(run: &Run, step: StepIx, asking: &Asking) -> Ask {
    let rule = run.plan_step(step).confidence.as_ref();
    let least = rule.map_or_else(String::new, |it| it.min.to_string());
    let held = run.step(step).held.as_deref().map(|it| Value::Object(it.clone())).unwrap_or_default();
    let text = held.to_string();
    let evidence = Evidence {
        title: "result".to_owned(),
        digest: Some(sha256("cuelight-text-v1", &[text.as_bytes()])),
        bytes: text.len() as u64,
        text: Some(text),
        problem: None,
    };
    Ask {
        prompt: format!("The result of {} is less certain than {least}. Accept it?", run.plan_step(step).id),
        form: Vec::new(),
        evidence: vec![evidence],
        starts: named(run, &mut reached(run, step).into_iter()),
        ..budget(run, step, asking)
    }
}
