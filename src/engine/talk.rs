//! A talk: a model that may ask for tools. Each question and each call is a step like any other, with the
//! same gates, budgets, limits and crash recovery. This file decides the next step of a talk, and the results
//! that its model is told.
//!
//! Words of a model are data only: a name is looked up, and arguments are checked against a schema and passed
//! on as they are. No words of it become a step's id, a template, or a verdict.

mod talking;

pub(super) use talking::Talking;

use crate::{
    StepEvent, StepState, TalkCall, Verdict, call, condition::View, handle::Turn, outcome, run::Run,
    world::World,
};
use cuelight_base::{
    FailureMode, MODEL_CALLS, MODEL_CALLS_MAX, MODEL_RESULT_BYTES_MAX, OfferedTool, RunId, StepIx, ToolAsked,
    ToolResult, ToolRound, Value, ValueMap, calls_asked, counted, dollars, shorten,
};
use cuelight_expression::to_text;
use cuelight_plan::{
    Currency, EffectClass, FrameKind, GateRule, Given, OnError, OnFailure, Plan, PlanStep, PlanTool,
    PlanToolUndo, Talk, TalkTool, ToolUse, Undo, Work,
};
use std::sync::Arc;

/// Tools that are named where a model asks for one that there is not.
const NAMES_SHOWN: usize = 20;
/// Characters of an untrusted name in a message.
const NAME_CHARS_SHOWN: usize = 80;

/// The talk that a step of a plan is.
pub(super) fn of(plan: &PlanStep) -> Option<&Talk> {
    match &plan.work.frame()?.kind {
        FrameKind::Talk(talk) => Some(talk),
        FrameKind::Matrix | FrameKind::Computed { .. } | FrameKind::Workflow { .. } => None,
    }
}

/// The talk that a step stands in, and its frame.
pub(super) fn around(run: &Run, step: StepIx) -> Option<(StepIx, &Talk)> {
    let frame = run.plan_step(step).frame?;
    Some((frame, of(run.plan_step(frame))?))
}

/// The steps that ended before this question of a talk was asked: the question comes after them, and needs
/// none of them to succeed.
pub(super) fn before(run: &Run, step: StepIx) -> Vec<StepIx> {
    let talking = around(run, step).and_then(|(frame, _)| run.step(frame).talk.as_deref());
    let place = |talking: &Talking| {
        Some((talking.asks.iter().position(|ask| *ask == step)?.checked_sub(1)?, talking.clone()))
    };
    let Some((last, talking)) = talking.and_then(place) else { return Vec::new() };
    let calls = talking
        .rounds
        .get(last)
        .into_iter()
        .flatten()
        .flat_map(|call| call.gate.into_iter().chain(call.step));
    calls.chain([talking.asks[last]]).collect()
}

/// The calls of a talk that changed something, or may have.
pub(super) fn done(run: &Run, frame: StepIx) -> Vec<StepIx> {
    let Some(talking) = &run.step(frame).talk else { return Vec::new() };
    let is_done = |index: &StepIx| {
        let step = run.step(*index);
        let is_over = step.state().is_done() || step.tries.unknown;
        let stands = !matches!(step.state(), StepState::Undoing | StepState::Undone);
        is_over && stands && run.plan_step(*index).effect != EffectClass::Pure
    };
    talking.rounds.iter().flatten().filter_map(|call| call.step).filter(is_done).collect()
}

/// The effects that a failed talk leaves behind, for people who look at its failure. Empty when it changed
/// nothing.
pub(super) fn leaves(run: &Run, frame: StepIx) -> String {
    let whole = run.is_undoable(frame);
    let said = |step: &StepIx| {
        let plan = run.plan_step(*step);
        let what = plan.work.tool().unwrap_or_default();
        let then = match &plan.undo {
            Undo::By(_) => "is undone when the run is",
            Undo::Impossible | Undo::Unset if whole => "is undone with its step when the run is",
            Undo::Impossible => "cannot be undone",
            Undo::Unset => "stays, its tool has no undo",
        };
        let maybe = if run.step(*step).tries.unknown { "may have been called and " } else { "" };
        format!("{} ({what}) {maybe}{then}", plan.id)
    };
    let done = done(run, frame);
    let mut names: Vec<String> = done.iter().take(NAMES_SHOWN).map(said).collect();
    if names.is_empty() {
        return String::new();
    }
    if done.len() > NAMES_SHOWN {
        names.push(format!("and {} more", done.len() - NAMES_SHOWN));
    }
    format!(". Done by then: {}", names.join("; "))
}

/// The first question of a talk that opens. Its prompt is resolved once, so that all rounds use the same.
pub(super) fn opening(
    view: View<'_>,
    talk: &Talk,
) -> Result<(ValueMap, PlanStep), cuelight_expression::EvalError> {
    let mut said = ValueMap::new();
    if let Work::Model(work) = &talk.ask.work {
        said.insert("prompt".to_owned(), view.text(&work.prompt)?.into());
        if let Some(system) = &work.system {
            said.insert("system".to_owned(), view.text(system)?.into());
        }
    }
    Ok((said, question(view.run, view.step, talk, 1)))
}

/// The tools offered to the model of a step that asks in a talk, and the rounds before it.
pub(super) fn so_far(world: &World, run: &Run, step: StepIx) -> (Vec<OfferedTool>, Vec<ToolRound>) {
    let Some((frame, talk)) = around(run, step) else { return (Vec::new(), Vec::new()) };
    let offered = |talk_tool: &TalkTool| {
        let tool = run.plan.tool(&talk_tool.tool)?;
        let (description, input) = (tool.description.clone(), tool.input.clone());
        Some(OfferedTool { name: talk_tool.name.clone(), description, input })
    };
    let tools = talk.tools.iter().filter_map(offered).collect();
    let Some(talking) = &run.step(frame).talk else { return (tools, Vec::new()) };
    let before = talking.asks.iter().take_while(|index| **index != step).zip(&talking.rounds);
    let round = |(ask, made): (&StepIx, &Vec<TalkCall>)| {
        let said = &run.step(*ask).outputs;
        ToolRound {
            text: said.get("text").and_then(Value::as_str).unwrap_or_default().to_owned(),
            calls: asked_by(run, *ask),
            results: made.iter().map(|call| came_of(world, run, call)).collect(),
        }
    };
    (tools, before.map(round).collect())
}

impl Turn<'_> {
    /// Continues a talk when all its open steps have ended: its calls are done, the model is asked again,
    /// or the talk is over.
    pub(super) fn talk_on(&mut self, id: RunId, step: StepIx, talk: &Talk) {
        let run = self.run(id);
        let this_step = run.step(step);
        let talking = this_step.talk.as_deref().cloned().unwrap_or_default();
        let Some(last) = talking.asks.last().copied() else {
            return self.complete(id, step, ValueMap::new(), None);
        };
        let is_answered = talking.rounds.len() < talking.asks.len();
        let calls = if is_answered { asked_by(run, last) } else { Vec::new() };
        if is_answered && calls.is_empty() {
            return self.talk_ends(id, step, &talking, last);
        }
        if run.is_ending() && !this_step.explicit && !run.in_explicit_frame(step) {
            let why = run.why_ending();
            return self.emit_step(id, step, StepEvent::Cancelled { why });
        }
        let asked = u32::try_from(talking.asks.len()).unwrap_or(u32::MAX);
        if is_answered && asked > talk.rounds {
            let message = format!(
                "its model still asks for tools after {}; raise `rounds`, or ask for less in one step",
                counted(talk.rounds, "round", "rounds")
            );
            return self.fail_step(id, step, &outcome::failure(FailureMode::AgentLogic, message));
        }
        let (mut made, mut copies) = (Vec::new(), Vec::new());
        let first = run.steps.len();
        if is_answered {
            let before = earlier(self.world, run, step);
            for (number, call) in (1..).zip(&calls) {
                let at = Place { round: asked, number, ask: last, first, before: &before };
                made.push(call_of(run, step, talk, &at, call, &mut copies));
            }
        }
        if copies.is_empty() {
            copies.push(question(run, step, talk, asked + 1));
        }
        if first + copies.len() > cuelight_base::STEPS_MAX {
            let message = format!("its run holds {} steps, which is the most", cuelight_base::STEPS_MAX);
            return self.fail_step(id, step, &outcome::failure(FailureMode::ResourceQuota, message));
        }
        self.emit_step(id, step, StepEvent::Grown { calls: made, copies });
    }

    /// The last answer asks for nothing: it is the result, with what all questions together have used.
    fn talk_ends(&mut self, id: RunId, step: StepIx, talking: &Talking, last: StepIx) {
        let run = self.run(id);
        let plan = run.plan_step(step);
        if !run.step(last).state().is_done() {
            let message = format!("its model was not asked: {} was skipped", run.plan_step(last).id);
            return self.fail_step(id, step, &outcome::failure(FailureMode::UserCancelled, message));
        }
        let mut outputs = run.step(last).outputs.clone();
        outputs.remove(MODEL_CALLS);
        outputs.insert("rounds".to_owned(), talking.rounds.len().into());
        for name in ["tokens", "input-tokens", "output-tokens"] {
            let told = talking.asks.iter().filter_map(|step| run.step(*step).outputs.get(name)?.as_u64());
            if let Some(sum) = told.reduce(u64::saturating_add) {
                outputs.insert(name.to_owned(), sum.into());
            }
        }
        let cost = Currency::CostUsd;
        let told = talking
            .asks
            .iter()
            .filter_map(|step| cost.parse(&to_text(run.step(*step).outputs.get(cost.word())?)));
        if let Some(sum) = told.reduce(u64::saturating_add) {
            outputs.insert(cost.word().to_owned(), dollars(sum).into());
        }
        match outcome::judge(plan, None, &outputs) {
            Ok(result) => self.complete(id, step, result.outputs, None),
            Err(failure) => self.fail_step(id, step, &failure),
        }
    }
}

/// The calls that a step's model asked for. Empty if a fallback answered in place of a model.
fn asked_by(run: &Run, ask: StepIx) -> Vec<ToolAsked> {
    let step = run.step(ask);
    let work = call::work_at(run.plan_step(ask), step.tries.work);
    let is_model = step.origin.is_none() && work.is_some_and(|work| work.model().is_some());
    if is_model { calls_asked(&step.outputs) } else { Vec::new() }
}

/// A step that asks the model of a talk. It needs nothing: all that came before rests, and a call that was
/// refused or has failed is no reason not to say so.
fn question(run: &Run, frame: StepIx, talk: &Talk, number: u32) -> PlanStep {
    inside(run, frame, talk.ask.clone(), &format!("ask-{number}"))
}

/// A step of a talk: where its frame stands, it stands, and it sees what that sees.
fn inside(run: &Run, frame: StepIx, step: PlanStep, name: &str) -> PlanStep {
    let around = run.plan_step(frame);
    PlanStep {
        id: format!("{}/{name}", around.id),
        local: format!("{}/{name}", around.local),
        scope: around.scope,
        frame: Some(frame),
        condition: None,
        matrix: around.matrix.clone(),
        priority: around.priority,
        ..step
    }
}

/// The place of a call: the number of the answer, the number of the call in it, the step that asked, and the
/// index of the run's next step.
struct Place<'a> {
    round: u32,
    number: usize,
    ask: StepIx,
    first: usize,
    /// The calls for the same step in runs before this one.
    before: &'a [Earlier],
}

/// A call that was made for the same step in a run that this one does again or goes on from. The model does
/// not know of it.
struct Earlier {
    run: RunId,
    step: String,
    tool: String,
    given: ValueMap,
}

/// The calls for this step in runs before this one that changed something or may have; the newest run first.
fn earlier(world: &World, run: &Run, frame: StepIx) -> Vec<Earlier> {
    let id = &run.plan_step(frame).id;
    let mut out = Vec::new();
    for before in world.runs_before(run.id).filter_map(|run| world.runs.get(&run)) {
        let all = (0..before.steps.len()).map(StepIx::from_index);
        let Some(same) = all.into_iter().find(|step| before.plan_step(*step).id == *id) else { continue };
        for call in done(before, same) {
            let plan = before.plan_step(call);
            let Work::Tool(tool_use) = &plan.work else { continue };
            out.push(Earlier {
                run: before.id,
                step: plan.id.clone(),
                tool: tool_use.tool.clone(),
                given: tool_use.given.as_deref().cloned().unwrap_or_default(),
            });
        }
    }
    out
}

/// The note on earlier runs for people who are asked about a call: the calls made already, and a mark on
/// those with exactly this input.
fn said_of(before: &[Earlier], tool: &PlanTool, given: &ValueMap) -> String {
    let Some(first) = before.first() else { return String::new() };
    let one = |earlier: &Earlier| {
        let same = earlier.tool == tool.id() && earlier.given == *given;
        let same = if same { ", with exactly this" } else { "" };
        format!("{} of {} ({}{same})", earlier.step, earlier.run, earlier.tool)
    };
    let mut names: Vec<String> = before.iter().take(NAMES_SHOWN).map(one).collect();
    if before.len() > NAMES_SHOWN {
        names.push(format!("{} more", before.len() - NAMES_SHOWN));
    }
    format!(
        " This run goes on from {}, and its model was asked from the first question again. Called before, and not undone: {}.",
        first.run,
        names.join(", ")
    )
}

/// The steps of a call that a model asks for, when the tool is offered and takes its input.
fn call_of(
    run: &Run,
    frame: StepIx,
    talk: &Talk,
    at: &Place<'_>,
    asked: &ToolAsked,
    copies: &mut Vec<PlanStep>,
) -> TalkCall {
    let name = shorten(&asked.name, NAME_CHARS_SHOWN);
    let (offered, tool, given) = match fitting(&run.plan, talk, at.number, asked) {
        Ok(fitting) => fitting,
        Err(why) => return TalkCall { name, step: None, gate: None, why },
    };
    let next = |copies: &Vec<PlanStep>| StepIx::from_index(at.first + copies.len());
    let which = format!("{}.{}", at.round, at.number);
    let plain = PlanStep {
        needs: vec![at.ask],
        retry: None,
        fallback: Vec::new(),
        undo: Undo::Unset,
        estimate: cuelight_plan::Amounts::default(),
        ..talk.ask.clone()
    };
    let mut gate = None;
    if offered.gated {
        let rule = rule_of(run, frame, talk, at, tool, &given);
        gate = Some(next(copies));
        let step = PlanStep {
            work: Work::Gate(Arc::new(rule)),
            on_error: OnError::Abort,
            env: Vec::new(),
            timeout: None,
            effect: EffectClass::Pure,
            ..plain.clone()
        };
        copies.push(inside(run, frame, step, &format!("gate-{which}")));
    }
    let step = next(copies);
    let used = |undoes| {
        let given = Some(Box::new(given.clone()));
        Work::Tool(ToolUse { tool: tool.id(), with: Vec::new(), route: None, given, undoes })
    };
    let undo = match &tool.undo {
        None => Undo::Unset,
        Some(PlanToolUndo::Impossible) => Undo::Impossible,
        Some(PlanToolUndo::By(_)) => Undo::By(Box::new(used(true))),
    };
    let called = PlanStep {
        work: used(false),
        undo,
        needs: gate.map_or_else(|| plain.needs.clone(), |gate| vec![gate]),
        effect: tool.effect,
        on_error: OnError::Continue,
        estimate: plain.estimate.with(Currency::CostUsd, tool.cost_micro_usd),
        ..plain
    };
    copies.push(inside(run, frame, called, &format!("call-{which}")));
    TalkCall { name, step: Some(step), gate, why: String::new() }
}

/// The rules of the gate before a call: those of its tool, made stricter by those of the file. Nothing is
/// taken from `auto`, `escalate`, or the meaning of expiry.
fn rule_of(
    run: &Run,
    frame: StepIx,
    talk: &Talk,
    at: &Place<'_>,
    tool: &PlanTool,
    given: &ValueMap,
) -> GateRule {
    let wanted = talk.gate.as_deref().cloned();
    let risk = wanted.as_ref().map_or(tool.risk, |gate| gate.risk.max(tool.risk));
    let wanted = wanted.unwrap_or_default();
    let prompt = format!(
        "{} asks a model, and the model asks for {}: call {} of round {}. Shall it be called with what stands below?{}",
        run.plan_step(frame).id,
        tool.id(),
        at.number,
        at.round,
        said_of(at.before, tool, given)
    );
    GateRule {
        prompt: prompt.replace("${{", "$ {{"),
        risk,
        require: wanted.require,
        forbid: wanted.forbid,
        remind: wanted.remind,
        timeout: wanted.timeout,
        reason_required: wanted.reason_required,
        touch: wanted.touch,
        on_reject: OnFailure::Continue,
        ..GateRule::default()
    }
}

/// The tool that a model asks for and its input, or the error that the model is told instead.
fn fitting<'a>(
    plan: &'a Plan,
    talk: &'a Talk,
    number: usize,
    asked: &ToolAsked,
) -> Result<(&'a TalkTool, &'a PlanTool, ValueMap), String> {
    if number > MODEL_CALLS_MAX {
        return Err(format!("was not called: one answer may ask for {MODEL_CALLS_MAX} calls at most"));
    }
    let named = talk.tools.iter().find(|tool| tool.name == asked.name);
    let found = named.and_then(|tool| Some((tool, plan.tool(&tool.tool)?)));
    let Some((offered, tool)) = found else {
        let names: Vec<&str> = talk.tools.iter().take(NAMES_SHOWN).map(|tool| tool.name.as_str()).collect();
        return Err(format!("was not called: there is no such tool; there are {}", names.join(", ")));
    };
    let Some(given) = &asked.arguments else {
        let why = if asked.unreadable.is_empty() { "they are no JSON object" } else { &asked.unreadable };
        return Err(format!("was not called: its arguments could not be read: {why}"));
    };
    // All that it is given is another's.
    match tool.call(given.clone(), &Given { is_foreign: &|_| true, ..Given::default() }) {
        Ok(_) => Ok((offered, tool, given.clone())),
        Err(why) => Err(format!("was not called: {why}")),
    }
}

/// The result of a call as the model is told.
fn came_of(world: &World, run: &Run, made: &TalkCall) -> ToolResult {
    let error = |text: String| ToolResult { text, is_error: true };
    let Some(step) = made.step else { return error(made.why.clone()) };
    if let Some(gate) = made.gate.filter(|gate| run.step(*gate).state() == StepState::Rejected) {
        let step = run.step(gate);
        if step.asking.expired {
            return error("was not called: nobody allowed it in time".to_owned());
        }
        let votes = step.gate.and_then(|gate| world.gates.get(&gate)).map(|gate| gate.votes.as_slice());
        let against = votes.unwrap_or_default().iter().rfind(|vote| vote.verdict == Verdict::Reject);
        let reason = against.map(|against| against.reason.trim()).filter(|reason| !reason.is_empty());
        return error(match reason {
            Some(reason) => format!("refused by a person: {reason}"),
            None => "refused by a person".to_owned(),
        });
    }
    let step = run.step(step);
    match step.state() {
        state if state.is_done() => {
            ToolResult { text: cut(Value::Object(step.outputs.clone()).to_string()), is_error: false }
        }
        _ => match &step.error {
            Some(record) => {
                let tail = if record.tail.is_empty() { "" } else { "\n" };
                error(cut(format!("failed with {}: {}{tail}{}", record.mode, record.message, record.tail)))
            }
            None => error("was not called: somebody skipped or ended it".to_owned()),
        },
    }
}

/// No more than a model is told of one call.
fn cut(mut text: String) -> String {
    if text.len() > MODEL_RESULT_BYTES_MAX {
        let all = text.len();
        let mut end = MODEL_RESULT_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(&format!("… cut here, {all} bytes in all"));
    }
    text
}
