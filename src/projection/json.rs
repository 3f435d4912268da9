//! Boards and events as JSON, for scripts (see `docs/EVENTS.md`): stable names, times RFC 3339 UTC, durations in
//! milliseconds, shares decimals from 0 to 1. Foreign text is carried as it came.

use crate::{
    AskChange, Board, Comment, ErrorState, ErrorView, GateView, RunSummary, RunView, RunsDiff, Side,
    StepView, UndoState, ValueName, ValueView, WhyLine, words,
};
use cuelight_base::{Launch, Score, StepIx, TextPart, Timestamp, Value, ValueMap};
use cuelight_engine::{CauseOfLaunch, Delegation, StepState, WillFallBack, WillRun};
use cuelight_plan::{Amounts, Currency, PlanStep, Risk};
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;

/// `runs --json`: all runs that are known, oldest first.
pub fn runs_json(board: &Board) -> Value {
    board.listed().map(run_json).collect()
}

/// One run, as `runs --json` lists it.
pub fn run_json(run: &RunSummary) -> Value {
    let mut out = ValueMap::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("id", run.id.to_string().into());
    put("workflow", (*run.workflow).into());
    put("state", run.state.word().into());
    put("stage", run.stage().word().into());
    put("started_at", time(run.started_at.unwrap_or(run.created_at)));
    if let Some(at) = run.ended_at {
        put("ended_at", time(at));
    }
    put("actor", run.by.name.clone().into());
    put("trace", (*run.trace).into());
    put("plan", run.plan_hash.to_string().into());
    match &run.cause {
        CauseOfLaunch::Retry { of, from, .. } => {
            put("retry_of", of.to_string().into());
            put("retry_from", from.word().into());
        }
        CauseOfLaunch::Fork { of, at, .. } => {
            put("fork_of", of.to_string().into());
            put("fork_at", at.0.into());
        }
        CauseOfLaunch::Asked | CauseOfLaunch::Schedule(_) => {}
    }
    if let Some(corrected) = run.cause.corrected() {
        put("corrected", to_value(corrected));
    }
    put("steps", counts_json(run));
    put("health", run.health().0.into());
    put("quality", decimal(run.quality()));
    if let Some(confidence) = run.confidence() {
        put("confidence", decimal(confidence));
    }
    put("calls", run.spent.calls.into());
    put("spent", spent_json(run.spent));
    let budget: Value = run.budgets().iter().map(super::checkup::budget_json).collect();
    if budget.as_array().is_some_and(|items| !items.is_empty()) {
        put("budget", budget);
    }
    put("open_gates", run.open_gates.into());
    Value::Object(out)
}

/// The usage in each currency; money in dollars.
fn spent_json(spent: Amounts) -> Value {
    let field = |currency: Currency| (currency.word().replace('-', "_"), currency.value(spent.of(currency)));
    Value::Object(Currency::ALL.into_iter().map(field).collect())
}

fn counts_json(run: &RunSummary) -> Value {
    let mut out = ValueMap::new();
    out.insert("total".to_owned(), run.counts.total().into());
    for state in StepState::ALL {
        out.insert(state.word().replace('-', "_"), run.counts.of(*state).into());
    }
    Value::Object(out)
}

/// `show RUN --json`: the run, its steps, its gates, and what is known when it did not complete.
pub fn show_json(board: &Board, run: &RunView) -> Value {
    let mut out = run_json(&run.summary);
    let steps: Value = run.steps().map(|(index, plan, view)| step_json(run, index, plan, view)).collect();
    out["counts"] = out["steps"].take();
    out["steps"] = steps;
    out["gates"] = board.gates().filter(|gate| gate.run == run.id()).map(gate_json).collect();
    if let Some(partial) = &run.partial {
        out["partial"] = json!({
            "completion_ratio": decimal(partial.completion_ratio),
            "suggestion": partial.suggestion,
            "failure_mode": partial.failure_mode.map(cuelight_base::FailureMode::word),
            "failure_point": partial.failure_point,
            "completed": partial.completed,
            "failed": partial.failed,
            "remaining": partial.remaining,
        });
        if let Some(id) = &partial.last_done {
            let step = run.find(id).and_then(|step| run.step(step));
            let outputs = step.and_then(StepView::outputs).cloned().unwrap_or_default();
            out["partial"]["last_outputs"] = json!({ "step": id, "outputs": outputs });
        }
    }
    if !run.outputs.is_empty() {
        out["outputs"] = Value::Object(run.outputs.clone());
    }
    if let Some(record) = &run.error {
        out["error"] = to_value(&**record);
    }
    out
}

fn step_json(run: &RunView, index: StepIx, plan: &PlanStep, view: &StepView) -> Value {
    let mut out = ValueMap::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("id", plan.id.clone().into());
    if let Some(title) = &plan.title {
        put("title", title.clone().into());
    }
    put("kind", super::kind_word(&plan.work).into());
    put("state", view.state.word().into());
    let reason = view.why().map(|why| words::why_words(why, Some(run)));
    if let Some(reason) = reason.or_else(|| view.wait().map(words::wait_words)) {
        put("reason", reason.into());
    }
    put("attempts", view.calls.into());
    if !view.spent().with(Currency::Calls, 0).is_nothing() || plan.budget.is_some() {
        put("spent", spent_json(view.spent()));
    }
    if let Some(ceilings) = run.step_ceilings.get(&index) {
        let field =
            |(currency, limit): (Currency, u64)| (currency.word().replace('-', "_"), currency.value(limit));
        put("budget", Value::Object(ceilings.all().map(field).collect()));
    }
    for (key, at) in [("started_at", view.started_at), ("ended_at", view.ended_at)] {
        if let Some(at) = at {
            put(key, time(at));
        }
    }
    put("outputs", Value::Object(view.outputs().cloned().unwrap_or_default()));
    if let Some(record) = view.error() {
        put("error", to_value(&**record));
    }
    if let Some(confidence) = view.confidence() {
        put("confidence", decimal(confidence));
    }
    if let Some(frame) = plan.frame {
        put("frame", run.step_id(frame).into());
    }
    if let Some(cached) = view.cached() {
        put("cached", to_value(cached));
    }
    if let Some(origin) = view.origin() {
        put("kept_from", origin.run.to_string().into());
        if let Some(by) = &origin.by {
            put("by_hand", json!({ "by": by.name, "reason": origin.reason }));
        }
    }
    if let Some(hand) = view.by_hand() {
        put("by_hand", json!({ "by": hand.by.name, "reason": hand.reason }));
    }
    if let Some(choice) = view.choice() {
        put("choice", to_value(choice));
    }
    if view.fallback() > 0 {
        put("fallback", view.fallback().into());
    }
    match view.undo() {
        UndoState::None => {}
        UndoState::Asked => put("undo", "asked".into()),
        UndoState::Done(_) => put("undo", "done".into()),
        UndoState::Stuck(_) => put("undo", "stuck".into()),
    }
    if let Some(gate) = view.gate() {
        put("gate", gate.to_string().into());
    }
    Value::Object(out)
}

/// `gates --json`: gates that have not closed, the most urgent first, then steps in doubt, then approvals that were
/// given in an emergency and nobody has reviewed; with `all`, every gate that is known.
pub fn gates_json(board: &Board, all: bool) -> Value {
    if all {
        return board.gates().map(gate_json).collect();
    }
    let rows = board.inbox(None).into_iter();
    let gates = rows.filter_map(|row| match row.what {
        super::Attention::Gate(gate) => board.gate(gate),
        super::Attention::Doubt | super::Attention::StuckUndo | super::Attention::Review(..) => None,
    });
    let doubts = board.doubts().map(|doubt| doubt_json(&doubt));
    gates.map(gate_json).chain(doubts).chain(board.reviews_due().map(|gate| review_json(gate))).collect()
}

/// An approval that somebody has yet to look at, as `gates --json` lists it after steps in doubt.
fn review_json(gate: &GateView) -> Value {
    let mut out = json!({
        "what": "review",
        "gate": gate.id.to_string(),
        "run": gate.run.to_string(),
        "step": gate.ask.step,
        "workflow": gate.ask.workflow,
        "risk": to_value(&gate.ask.risk),
    });
    if let (Value::Object(out), Value::Object(emergency)) = (&mut out, emergency_json(gate)) {
        out.extend(emergency);
    }
    out
}

/// One step that is in doubt, as `gates --json` lists it after the gates.
fn doubt_json(doubt: &super::DoubtView) -> Value {
    json!({
        "what": "doubt",
        "run": doubt.run.to_string(),
        "step": doubt.step_id,
        "state": StepState::InDoubt.word(),
        "effect": doubt.class.word(),
        "since": doubt.since,
        "known": doubt.evidence,
        "may_have": doubt.may_have(),
        "answers": doubt.answers.iter().map(|(word, does)| ((*word).to_owned(), json!(does))).collect::<ValueMap>(),
    })
}

/// One gate, as `gates --json` lists it.
pub fn gate_json(gate: &Arc<GateView>) -> Value {
    let ask = &gate.ask;
    let mut out = json!({
        "id": gate.id.to_string(),
        "run": gate.run.to_string(),
        "step": ask.step,
        "workflow": ask.workflow,
        "state": gate.state.word(),
        "prompt": ask.prompt,
        "risk": to_value(&ask.risk),
        "ask_hash": gate.hash.to_string(),
        "epoch": ask.epoch.0,
        "opened_at": ask.opened_at,
        "require": to_value(&ask.require),
        "missing": to_value(&gate.missing()),
        "votes": gate.votes.iter().map(vote_json).collect::<Value>(),
        "command_line": ask.will_run.first().map(|will_run| command_line(&will_run.launch)),
        "will_run": ask.will_run.iter().map(will_run_json).collect::<Value>(),
    });
    if let Some(policy) = &ask.policy {
        out["people"] = to_value(policy);
    }
    if ask.touch {
        out["proof"] = "touch".into();
    }
    if !ask.binds.is_empty() {
        out["binds"] = to_value(&ask.binds);
    }
    if !ask.form.is_empty() {
        out["form"] = to_value(&ask.form);
    }
    if let Some(claim) = &ask.claim {
        out["claim"] = claim.as_str().into();
    }
    if let Some(all) = &ask.all {
        out["all_calls"] = to_value(all);
    }
    if let Some(at) = ask.expires_at {
        out["expires_at"] = time(at);
        out["on_timeout"] = to_value(&ask.on_timeout);
    }
    if let Some(at) = gate.armed_until {
        out["armed_until"] = time(at);
    }
    if let (Some(at), Some(by)) = (gate.closed_at, &gate.closed_by) {
        out["closed_at"] = time(at);
        out["closed_by"] = by.as_str().into();
    }
    for (key, list) in [("comments", &gate.comments), ("denied", &gate.refused)] {
        if !list.is_empty() {
            let one = |comment: &Comment| json!({"by": comment.by.to_string(), "at": comment.at, "text": comment.text});
            out[key] = list.iter().map(one).collect();
        }
    }
    if !gate.delegations().is_empty() {
        let one = |delegation: &Delegation| json!({"by": delegation.by.name, "to": delegation.to, "until": delegation.until, "reason": delegation.reason});
        out["delegations"] = gate.delegations().iter().map(one).collect();
    }
    if gate.is_sent_back() {
        out["sent_back"] = true.into();
    }
    let emergencies: Vec<Value> = gate.emergencies().map(|emergency| emergency_json(emergency)).collect();
    if !emergencies.is_empty() {
        out["emergencies"] = emergencies.into();
    }
    out
}

/// An approval alone in an emergency, or an override, and its review.
fn emergency_json(gate: &GateView) -> Value {
    let vote = gate.emergency_vote();
    let review = gate.review.as_ref();
    json!({
        "kind": gate.emergency_word(),
        "epoch": gate.epoch().0,
        "ask_hash": gate.hash.to_string(),
        "by": vote.map(|vote| vote.vote.by.name.as_str()),
        "at": gate.closed_at,
        "reason": vote.map(|vote| vote.vote.reason.as_str()),
        "review": review.map(|review| json!({"by": review.by.name, "at": review.at, "found": review.text})),
    })
}

fn vote_json(vote: &super::VoteView) -> Value {
    let mut out = json!({
        "by": vote.vote.by.name,
        "principal": vote.vote.by.principal(),
        "verdict": vote.vote.verdict.word(),
        "reason": vote.vote.reason,
        "at": vote.at,
        "ask_hash": vote.vote.ask.to_string(),
    });
    if !vote.vote.form.is_empty() {
        out["form"] = to_value(&vote.vote.form);
    }
    if vote.vote.self_declared {
        out["groups"] = json!(vote.vote.voter().groups);
        out["self_declared"] = true.into();
    }
    if let Some(touch) = vote.vote.by.touch() {
        out["touch"] = to_value(&touch);
    }
    out
}

/// `errors --json`: the error records, oldest first; of one run, or of all.
pub fn errors_json(board: &Board, run: Option<cuelight_base::RunId>) -> Value {
    board
        .errors()
        .filter(|error| run.is_none_or(|run| error.run == run))
        .map(|error| error_json(error))
        .collect()
}

/// One failure: its record, and what became of it.
pub fn error_json(error: &ErrorView) -> Value {
    let mut out = ValueMap::new();
    out.insert("id".to_owned(), error.name().into());
    if let Value::Object(record) = to_value(&*error.record) {
        out.extend(record);
    }
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("critical", error.record.severity.is_critical().into());
    put("timestamp", time(error.at));
    put("run", error.run.to_string().into());
    put("workflow", (*error.workflow).into());
    if error.step.is_some() {
        put("step", error.step_id.clone().into());
        put("attempt", error.attempt.into());
        put("times", error.times.into());
    }
    put("trace_id", (*error.trace).into());
    match &error.state {
        ErrorState::Retrying(at) => {
            put("state", "open".into());
            put("retry_at", time(*at));
        }
        ErrorState::Open => put("state", error.state_word().into()),
        ErrorState::Resolved { at, fix } => {
            put("state", "resolved".into());
            put("resolved_at", time(*at));
            put("resolved_by", fix.words().into());
        }
    }
    if let Some(said) = &error.acknowledged {
        put("acknowledged_at", time(said.at));
        put("acknowledged_by", said.by.name.clone().into());
        if !said.reason.is_empty() {
            put("acknowledged_reason", said.reason.clone().into());
        }
    }
    Value::Object(out)
}

/// A value of a scope that outlives runs, as `state --json` lists it.
pub fn value_json((scope, owner, key): &ValueName, value: &ValueView) -> Value {
    let mut out = json!({
        "scope": super::scope_word(*scope),
        "key": key,
        "value": value.value,
        "version": value.version,
        "etag": value.etag(),
        "set_at": value.set_at,
        "set_by": value.set_by,
    });
    if !owner.is_empty() {
        out["owner"] = owner.as_str().into();
    }
    if let Some(at) = value.expires_at {
        out["expires_at"] = time(at);
    }
    out
}

/// `diff --json`: what differs between two runs; steps that are the same are counted.
pub fn diff_json(diff: &RunsDiff, (left, right): (&RunView, &RunView)) -> Value {
    let same = diff.steps.iter().filter(|step| !step.differs()).count();
    let steps: Value = diff.steps.iter().filter(|step| step.differs()).map(|step| {
        let kinds = [("state", step.other_state()), ("outputs", step.other_outputs()), ("time", step.other_time())];
        let kinds: Vec<&str> = kinds.into_iter().filter(|(_, differs)| *differs).map(|(word, _)| word).collect();
        json!({ "id": step.id, "differs": kinds, "left": side_json(left, &step.id, step.left), "right": side_json(right, &step.id, step.right) })
    }).collect();
    json!({
        "same": !diff.differs(),
        "left": run_json(&left.summary),
        "right": run_json(&right.summary),
        "inputs": to_value(&diff.plan.inputs),
        "plan": to_value(&diff.plan.steps),
        "rules": diff.plan.rules,
        "outputs": to_value(&diff.outputs),
        "steps": steps,
        "same_steps": same,
    })
}

fn side_json(run: &RunView, id: &str, side: Option<Side>) -> Value {
    let Some(side) = side else { return Value::Null };
    let outputs = run.find(id).and_then(|step| run.step(step)).and_then(StepView::outputs);
    json!({ "state": side.state.word(), "took_ms": side.took.map(|span| span.0), "outputs": outputs })
}

/// `why --json`: the chain of causes.
pub fn why_json(lines: &[WhyLine], run: &RunView) -> Value {
    let line = |line: &WhyLine| {
        let mut out = json!({ "depth": line.depth, "text": line.text });
        if let Some(step) = line.step {
            out["step"] = run.step_id(step).into();
        }
        if let Some(gate) = line.gate {
            out["gate"] = gate.to_string().into();
        }
        if let Some(run) = line.run {
            out["run"] = run.to_string().into();
        }
        out
    };
    lines.iter().map(line).collect()
}

/// A call that an approval releases.
fn will_run_json(will_run: &WillRun) -> Value {
    let mut out = json!({
        "step": will_run.step,
        "command_line": command_line(&will_run.launch),
        "argv": will_run.launch.argv,
        "launch_hash": will_run.launch_hash.to_string(),
        "files": to_value(&will_run.files),
        "effect": to_value(&will_run.effect),
        "undo": will_run.undo,
    });
    if !will_run.launch.env.is_empty() {
        let value = |parts: &Vec<TextPart>| -> String {
            let part = |part: &TextPart| match part {
                TextPart::Text(text) => text.clone(),
                TextPart::Secret(name) => format!("<secret {name}>"),
            };
            parts.iter().map(part).collect()
        };
        out["environment"] = will_run
            .launch
            .env
            .iter()
            .map(|(name, parts)| (name.clone(), value(parts).into()))
            .collect::<ValueMap>()
            .into();
    }
    if !will_run.choice.is_empty() {
        out["choice"] = will_run.choice.clone().into();
    }
    if let Some(http) = &will_run.launch.http {
        out["http"] = json!({
            "method": http.method,
            "url": http.shown_url(),
            "target": http.target(),
            "body_sha256": http.body_digest().map(|body_digest| body_digest.to_string()),
            "body_bytes": http.body.as_ref().map_or(0, String::len),
            "sends": http.lines(),
        });
    }
    if !will_run.fallback.is_empty() {
        let of = |will_fall_back: &WillFallBack| {
            json!({
                "number": will_fall_back.number,
                "command_line": command_line(&will_fall_back.launch),
                "argv": will_fall_back.launch.argv,
                "launch_hash": will_fall_back.launch_hash.to_string(),
                "files": to_value(&will_fall_back.files),
            })
        };
        out["fallback"] = will_run.fallback.iter().map(of).collect();
    }
    if let Some(model) = &will_run.launch.model {
        out["model"] = json!({
            "name": model.name,
            "provider": model.provider,
            "model": model.model,
            "url": model.url,
            "definition": model.definition.to_string(),
            "asks": model.lines(),
        });
    }
    if let Some(tool) = &will_run.launch.tool {
        out["tool"] = json!({
            "name": tool.name,
            "version": tool.version,
            "definition": tool.definition.to_string(),
            "input": tool.input,
        });
    }
    out
}

/// The differences between two asks, as JSON.
pub fn ask_diff_json(changes: &[AskChange]) -> Value {
    changes
        .iter()
        .map(|change| json!({ "path": change.path, "before": change.before, "after": change.after }))
        .collect()
}

/// A call as a line that a POSIX shell would read back as the same words.
pub fn command_line(launch: &Launch) -> String {
    words_line(&launch.argv)
}

/// Words as a line that a POSIX shell would read back as the same.
pub fn words_line(words: &[String]) -> String {
    let quoted = |word: &String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// The word for a risk: `low`, `normal`, `high`.
pub const fn risk_word(risk: Risk) -> &'static str {
    match risk {
        Risk::ReadOnly | Risk::Reversible => "low",
        Risk::ExternallyReversible => "normal",
        Risk::Irreversible => "high",
    }
}

pub(super) fn time(at: Timestamp) -> Value {
    at.to_string().into()
}

/// Three decimals, as written.
pub(super) fn decimal(score: Score) -> Value {
    let thousandths = (u32::from(score.0) + 5) / 10;
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    serde_json::from_str(&text).expect("a number in decimals is JSON")
}

pub(super) fn to_value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("what is stored as JSON can be written as JSON")
}
