//! The asks that no gate of the workflow makes: about a used-up budget, a doubtful result, or the choice of a tool.

use super::{Asking, cannot_undo, evidence::evident, named, reached};
use crate::{Ask, BudgetOf, Choice, FormField, run::Run};
use cuelight_base::{Score, Span, StepIx, Value};
use cuelight_plan::{Ceilings, Currency, OnError, OnFailure, OnTimeout, PlanTool, Quorum, Risk};

/// The field of a gate at which a tool is chosen.
pub(crate) const CHOICE_FIELD: &str = "tool";

/// The ask of a step that has used up its run's budget: shall the ceiling be raised?
pub(crate) fn budget(run: &Run, step: StepIx, asking: &Asking) -> Ask {
    // Asked again, it is about the same budget, also when that has room by now and another one has not: people answer for
    // what they were asked.
    let exceeded = match asking.raises {
        None => run.exceeded(step),
        Some(of) => run.exceeded_of(step, of == BudgetOf::Step),
    };
    let of_step = match asking.raises {
        None => exceeded.as_ref().is_some_and(|exceeded| exceeded.of_step),
        Some(of) => of == BudgetOf::Step,
    };
    let now = exceeded.as_ref().map(|exceeded| exceeded.currencies.clone()).unwrap_or_default();
    // What was asked for once stays in the form, also when there is room by now.
    let asked = |currency: &Currency| {
        asking.form.as_ref().map_or(now.contains(currency), |form| form.contains_key(currency.word()))
    };
    let form = Currency::ALL
        .into_iter()
        .filter(asked)
        .map(|currency| ceiling(run, step, of_step, currency, asking))
        .collect();
    let why = exceeded
        .as_ref()
        .map_or_else(|| "there is room by now".to_owned(), |exceeded| exceeded.words(run, step));
    let whose = if of_step { "step" } else { "run" };
    // A no lets the step fail, and what its run does then is what a no does.
    let undoes = run.plan.on_failure == OnFailure::Compensate && stops_its_run(run, step);
    let done = || run.undo.completed.iter().rev().copied().filter(|_| undoes);
    let skipped = reached(run, step).into_iter().filter(|step| !run.step(*step).explicit);
    Ask {
        run: run.id,
        gate: asking.gate,
        epoch: asking.epoch,
        step: run.plan_step(step).id.clone(),
        workflow: run.plan.name.clone(),
        plan: run.plan_hash,
        definition: run.plan.definition,
        prompt: format!(
            "{}. Raise it for this {whose}? Yes: {id} makes its call within the raised budget. No: {id} fails.",
            capital(&why),
            id = run.plan_step(step).id
        ),
        claim: None,
        risk: Risk::Reversible,
        will_run: Vec::new(),
        all: None,
        writes: Vec::new(),
        later: Vec::new(),
        snapshot: Vec::new(),
        starts: named(run, &mut std::iter::once(step)),
        skips: named(run, &mut { skipped }),
        undoes: named(run, &mut done().filter(|step| run.is_undoable(*step))),
        cannot_undo: named(run, &mut done().filter(|step| cannot_undo(run, *step))),
        binds: Vec::new(),
        evidence: Vec::new(),
        form,
        require: vec![Quorum { group: None, count: 1 }],
        excluded: Vec::new(),
        policy: None,
        requester: run.by.to_string(),
        opened_at: asking.opened_at,
        expires_at: None,
        on_timeout: OnTimeout::Reject,
        reason_required: false,
        touch: false,
        undo_window: Span(0),
        send_back: None,
        is_choice: false,
        raises: Some(if of_step { BudgetOf::Step } else { BudgetOf::Run }),
        escalate: None,
        runs_anyway: Vec::new(),
    }
}

/// True if the failure of a step stops all of its run: no frame around it goes on without it, retries it, or
/// has a fallback.
fn stops_its_run(run: &Run, step: StepIx) -> bool {
    let around = std::iter::successors(Some(step), |step| run.plan_step(*step).frame);
    let mut plans = around.map(|step| (step, run.plan_step(step)));
    plans.all(|(index, plan)| {
        let is_final = index == step || plan.retry.is_none() && plan.fallback.is_empty();
        plan.on_error == OnError::Abort && is_final
    })
}

/// The field of a currency whose ceiling is to be raised: by as much again as the author gave it.
fn ceiling(run: &Run, step: StepIx, of_step: bool, currency: Currency, asking: &Asking) -> FormField {
    let spending = run.spending_of(step, of_step);
    let limit = spending.ceilings.of(currency).unwrap_or_default();
    let written =
        if of_step { run.plan_step(run.payer(step)).budget.as_deref() } else { run.plan.budget.as_ref() };
    let more = written.and_then(|budget| Ceilings::from(budget).of(currency)).unwrap_or(limit).max(1);
    let least = spending.spent.of(currency).saturating_add(run.next_charge(step).of(currency));
    let value = asking
        .form
        .as_ref()
        .and_then(|form| form.get(currency.word()).cloned())
        .unwrap_or_else(|| currency.value(limit.saturating_add(more).max(least)));
    let what = match currency {
        Currency::Calls => "calls this run may make",
        Currency::Tokens => "tokens this run may use",
        Currency::CostUsd => "dollars this run may cost",
    };
    let what = if of_step { what.replace("run", "step") } else { what.to_owned() };
    FormField {
        name: currency.word().to_owned(),
        kind: cuelight_plan::ValueKind::Number,
        required: true,
        pattern: None,
        choices: Vec::new(),
        description: Some(format!("{what}, from now on")),
        value,
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The ask of a step whose result is below its least confidence: is it good enough?
pub(crate) fn confidence(run: &Run, step: StepIx, asking: &Asking) -> Ask {
    let rule = run.plan_step(step).confidence.as_ref();
    let least = rule.map_or_else(String::new, |rule| rule.min.to_string());
    let held =
        run.step(step).asking.held.as_deref().map(|fields| Value::Object(fields.clone())).unwrap_or_default();
    let evidence = evident("result".to_owned(), held.to_string());
    Ask {
        prompt: format!("The result of {} is less certain than {least}. Accept it?", run.plan_step(step).id),
        form: Vec::new(),
        evidence: vec![evidence],
        starts: named(run, &mut reached(run, step).into_iter()),
        raises: None,
        ..budget(run, step, asking)
    }
}

/// The ask of a step whose tool a person chooses. The choice in the form is the answer.
pub(crate) fn choice(run: &Run, step: StepIx, asking: &Asking, proposed: &Choice) -> Ask {
    let candidates =
        run.plan_step(step).work.route().map(|route| route.candidates.clone()).unwrap_or_default();
    let about = |id: &String| {
        let tool = run.plan.tool(id);
        let said = |plan_tool: &PlanTool| {
            let (effect, risk) = (plan_tool.effect.word(), plan_tool.risk.word());
            format!(
                "{} (effect {effect}, risk {risk}, definition {})",
                plan_tool.description,
                plan_tool.definition.short()
            )
        };
        evident(id.clone(), tool.map(said).unwrap_or_default())
    };
    let tools = candidates.iter().filter_map(|candidate| run.plan.tool(candidate));
    let not_now: Vec<String> = proposed
        .alternatives
        .iter()
        .filter(|alternative| alternative.score == Score(0))
        .map(|alternative| format!("{}: {}", alternative.name, alternative.why))
        .collect();
    let note = if not_now.is_empty() { String::new() } else { format!("; not now: {}", not_now.join(", ")) };
    let given = asking.form.as_ref().and_then(|form| form.get(CHOICE_FIELD).cloned());
    let field = FormField {
        name: CHOICE_FIELD.to_owned(),
        kind: cuelight_plan::ValueKind::String,
        required: true,
        pattern: None,
        choices: candidates.iter().map(|candidate| candidate.as_str().into()).collect(),
        description: Some(format!("what {} calls{note}", run.plan_step(step).id)),
        value: given.unwrap_or_else(|| proposed.chosen.as_str().into()),
    };
    let risk = tools.map(|tool| tool.risk).max().unwrap_or(Risk::Reversible);
    Ask {
        prompt: format!("Which tool is {} to call?", run.plan_step(step).id),
        risk,
        touch: asking.wants_touch_at(risk),
        evidence: candidates.iter().map(about).collect(),
        form: vec![field],
        starts: named(run, &mut std::iter::once(step)),
        is_choice: true,
        raises: None,
        ..budget(run, step, asking)
    }
}
