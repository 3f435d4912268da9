//! All that can ask people about a step without a gate of its own: the calls of a model, a result of low confidence, a
//! choice of a tool by hand, and a budget. A correction keeps each of them, as it keeps gates.

use crate::{looser::looser, outcome::unsaid_confidence};
use cuelight_base::RoutePolicy;
use cuelight_plan::{
    Budget, Ceilings, ConfidenceBelow, ConfidenceRule, Currency, FrameKind, GateRule, OnError, OnExceed,
    Plan, PlanStep, Talk, TalkTool,
};
use std::collections::BTreeSet;

/// The keys of a step by which people can be asked about it.
pub(super) fn keys(step: &PlanStep) -> Vec<&'static str> {
    let keys = [
        ("`gates`", talk(step).is_some()),
        ("`confidence`", confidence(step).is_some()),
        ("`route`", is_chosen_by_hand(step)),
        ("`budget`", budget(step.budget.as_deref()).is_some()),
    ];
    keys.into_iter().filter(|key| key.1).map(|key| key.0).collect()
}

/// True if a step that is copied while the run goes on can ask people.
pub(super) fn makes_asks(step: &PlanStep) -> bool {
    body(step).iter().any(|step| !keys(step).is_empty() || makes_asks(step))
}

/// True when people accept the result of a step, or choose the tool that makes it, before the steps behind it begin; also where
/// it makes such steps when it opens.
pub(super) fn accepts_result(step: &PlanStep) -> bool {
    confidence(step).is_some() || is_chosen_by_hand(step) || body(step).iter().any(accepts_result)
}

/// The steps that a matrix copies while the run goes on; none for any other step.
fn body(step: &PlanStep) -> &[PlanStep] {
    match step.work.frame().map(|frame| &frame.kind) {
        Some(FrameKind::Computed { body, .. }) => body,
        Some(FrameKind::Matrix | FrameKind::Workflow { .. } | FrameKind::Talk(_)) | None => &[],
    }
}

/// The keys of a step by which people would be asked less than before.
pub(super) fn loosened((old, was): (&Plan, &PlanStep), (new, is): (&Plan, &PlanStep)) -> Vec<&'static str> {
    let (mut found, asks) = (Vec::new(), !keys(was).is_empty() || makes_asks(was));
    if let Some(before) = talk(was) {
        found.extend(talk(is).map_or(vec!["`gates`"], |now| looser_talk((old, before), (new, now))));
    }
    // It would do what people refuse.
    if asks && was.fallback != is.fallback && !found.contains(&"`fallback`") {
        found.push("`fallback`");
    }
    let rules = [
        // A step that is left out asks nobody, and what needs it goes on.
        ("`if`", !asks || was.condition == is.condition),
        // A rejection stays one: nothing goes on without the result that people refused.
        ("`on-error`", !asks || stops_as_before(was, is)),
        ("`confidence`", stays_as_sure((old, was), (new, is))),
        ("`route`", !is_chosen_by_hand(was) || is_chosen_by_hand(is)),
        ("`budget`", holds_as_much(was.budget.as_deref(), is.budget.as_deref())),
    ];
    found.extend(rules.into_iter().filter(|rule| !rule.1).map(|rule| rule.0));
    found
}

/// True when a failure of a step, and so a rejection at it, lets no more go on than before.
pub(super) fn stops_as_before(was: &PlanStep, is: &PlanStep) -> bool {
    was.on_error == is.on_error || is.on_error == OnError::Abort
}

/// True when a budget that asks people stops a run as early as before.
pub(super) fn holds_as_much(was: Option<&Budget>, is: Option<&Budget>) -> bool {
    let Some(was) = budget(was) else { return true };
    let Some(is) = is.filter(|is| is.on_exceed != OnExceed::Warn) else { return false };
    let (before, now) = (Ceilings::from(was), Ceilings::from(is));
    Currency::ALL.iter().all(|currency| match (before.of(*currency), now.of(*currency)) {
        (None, _) => true,
        (Some(before), now) => now.is_some_and(|now| now <= before),
    })
}

/// The talk of a step in which a call waits at a gate.
fn talk(step: &PlanStep) -> Option<&Talk> {
    match &step.work.frame()?.kind {
        FrameKind::Talk(talk) => talk.tools.iter().any(|tool| tool.gated).then_some(talk),
        FrameKind::Matrix | FrameKind::Computed { .. } | FrameKind::Workflow { .. } => None,
    }
}

fn confidence(step: &PlanStep) -> Option<&ConfidenceRule> {
    step.confidence.as_deref().filter(|rule| rule.below == ConfidenceBelow::Gate)
}

fn is_chosen_by_hand(step: &PlanStep) -> bool {
    step.work.route().is_some_and(|route| route.policy == RoutePolicy::Manual)
}

fn budget(budget: Option<&Budget>) -> Option<&Budget> {
    budget.filter(|budget| budget.on_exceed == OnExceed::Gate)
}

/// True when no result of a step, or of one that it makes when it opens, passes that would have been asked about.
fn stays_as_sure((old, was): (&Plan, &PlanStep), (new, is): (&Plan, &PlanStep)) -> bool {
    let is_as_sure = |before: &ConfidenceRule, now: &ConfidenceRule| {
        now.below != ConfidenceBelow::Warn
            && now.from == before.from
            && now.min >= before.min
            && Unsaid::of(old, was, before).holds_in(&Unsaid::of(new, is, now))
    };
    confidence(was).is_none_or(|before| is.confidence.as_deref().is_some_and(|now| is_as_sure(before, now)))
        && body(was).iter().zip(body(is)).all(|(was, is)| stays_as_sure((old, was), (new, is)))
}

/// The work of a step by the tool that does it, none without a tool: a result without a figure is as sure as the tool.
#[derive(Default)]
struct Unsaid<'a> {
    asks: BTreeSet<Option<&'a str>>,
    passes: BTreeSet<Option<&'a str>>,
}

impl<'a> Unsaid<'a> {
    fn of(plan: &Plan, step: &'a PlanStep, rule: &ConfidenceRule) -> Self {
        let mut out = Self::default();
        for work in std::iter::once(&step.work).chain(&step.fallback) {
            let chosen = work.route().map(|route| route.candidates.iter().map(|id| Some(id.as_str())));
            let tools: Vec<Option<&str>> = chosen.map_or_else(|| vec![work.tool()], Iterator::collect);
            for id in tools {
                let is_unsure = unsaid_confidence(id.and_then(|id| plan.tool(id))) < rule.min;
                if is_unsure { &mut out.asks } else { &mut out.passes }.insert(id);
            }
        }
        out
    }

    /// True when work that asks people without a figure is not replaced by other work that passes without one.
    fn holds_in(&self, now: &Self) -> bool {
        self.asks.is_empty()
            || now.passes.is_empty()
            || now.passes.is_subset(&self.passes) && self.asks.is_subset(&now.asks)
    }
}

/// The rules of the gates of a talk that let more through than before.
fn looser_talk((old, was): (&Plan, &Talk), (new, is): (&Plan, &Talk)) -> Vec<&'static str> {
    let rule_of = |talk: &'_ Talk| talk.gate.as_deref().cloned().unwrap_or_default();
    let (before_rule, now) = (&rule_of(was), &rule_of(is));
    // Only what was called without a gate before is called without one now.
    let stays_free = |tool: &TalkTool| {
        let mut known = was.tools.iter().filter(|before| !before.gated && before.tool == tool.tool);
        let is_same = || old.tool(&tool.tool) == new.tool(&tool.tool);
        tool.gated || known.next().is_some() && is_same()
    };
    let risk = |plan: &Plan, rule: &GateRule, tool: &TalkTool| {
        plan.tool(&tool.tool).map(|found| found.risk.max(rule.risk))
    };
    let is_less_risky = |tool: &&TalkTool| {
        was.tools.iter().any(|before| {
            before.gated && before.tool == tool.tool && risk(new, now, tool) < risk(old, before_rule, before)
        })
    };
    let mut found = looser(before_rule, now, true);
    if !is.tools.iter().all(stays_free) {
        found.push("`calls`");
    }
    if is.tools.iter().any(|tool| is_less_risky(&tool)) && !found.contains(&"`risk`") {
        found.push("`risk`");
    }
    if was.ask.fallback != is.ask.fallback {
        found.push("`fallback`");
    }
    found
}
