//! "Why isn't it running?": the whole chain of causes, down to what can be done something about.

use crate::{Board, RunView, StepView, UndoState, words};
use cuelight_base::{GateId, RunId, StepIx, Timestamp, counted};
use cuelight_engine::{GateState, RunState, StepState, WaitReason, Why};
use cuelight_exchange::{Offer, Presence, Registered};
use cuelight_plan::{PlanStep, Quorum, Work};
use std::collections::BTreeSet;

/// Lines that are said at most.
const LINES_MAX: usize = 60;
/// Steps that are named beside each other at most.
const NAMED_MAX: usize = 5;

/// One cause. What stands deeper is the cause of what stands above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyLine {
    /// The depth in the chain of reasons; 0 is the step that was asked about.
    pub depth: u32,
    /// The run it is about, when it is another one.
    pub run: Option<RunId>,
    /// The step it is about.
    pub step: Option<StepIx>,
    /// The gate it is about.
    pub gate: Option<GateId>,
    /// The cause in words; may hold foreign text.
    pub text: String,
}

/// Why a step is where it is, from the step down to the last causes.
pub fn why(board: &Board, run: &RunView, step: StepIx, now: Timestamp) -> Vec<WhyLine> {
    let mut chain = Chain { board, run, now, seen: BTreeSet::new(), lines: Vec::new() };
    chain.step(step, 0);
    if run.step(step).is_some_and(|step| !step.state.rests()) {
        chain.run_holds(0);
    }
    chain.lines
}

struct Chain<'a> {
    board: &'a Board,
    run: &'a RunView,
    now: Timestamp,
    seen: BTreeSet<StepIx>,
    lines: Vec<WhyLine>,
}

impl Chain<'_> {
    fn say(&mut self, depth: u32, step: Option<StepIx>, text: String) {
        if self.lines.len() < LINES_MAX {
            self.lines.push(WhyLine { depth, run: None, step, gate: None, text });
        }
    }

    fn step(&mut self, index: StepIx, depth: u32) {
        let run = self.run;
        let (Some(plan), Some(view)) = (run.plan_step(index), run.step(index)) else {
            return self.say(depth, None, format!("there is no step {} in {}", index.0, run.id()));
        };
        if self.lines.len() >= LINES_MAX {
            return;
        }
        if !self.seen.insert(index) {
            return self.say(depth, Some(index), format!("{}: as above", plan.id));
        }
        match view.state {
            StepState::Pending => self.pending(index, plan, depth),
            StepState::Ready => self.ready(index, plan, depth),
            StepState::Waiting => self.waiting(index, plan, view, depth),
            StepState::Running => self.running(index, plan, view, depth),
            StepState::InDoubt => {
                let known = view.doubt().unwrap_or_default();
                self.say(
                    depth,
                    Some(index),
                    format!("{} may have happened; say what became of it: {known}", plan.id),
                );
            }
            StepState::Undoing => match view.undo() {
                UndoState::Stuck(record) => {
                    let text = format!(
                        "{} could not be undone; try again or settle it: {}",
                        plan.id, record.message
                    );
                    self.say(depth, Some(index), text);
                }
                UndoState::None | UndoState::Asked | UndoState::Done(_) => {
                    self.say(depth, Some(index), format!("{} is being undone", plan.id));
                }
            },
            StepState::Completed
            | StepState::Partial
            | StepState::Failed
            | StepState::Rejected
            | StepState::Skipped
            | StepState::Cancelled
            | StepState::Undone => self.rested(index, plan, view, depth),
        }
    }

    fn pending(&mut self, index: StepIx, plan: &PlanStep, depth: u32) {
        let run = self.run;
        let rests = |step: &StepIx| run.step(*step).is_some_and(|view| view.state.rests());
        let open: Vec<StepIx> = plan.needs.iter().copied().filter(|step| !rests(step)).collect();
        let closed_frame =
            plan.frame.filter(|frame| run.step(*frame).is_some_and(|step| step.state != StepState::Running));
        if open.is_empty() && closed_frame.is_none() {
            let condition = plan.condition.as_deref().unwrap_or("success()");
            return self.say(
                depth,
                Some(index),
                format!("{} is next; its condition is {condition}", plan.id),
            );
        }
        if let Some(frame) = closed_frame {
            self.say(depth, Some(index), format!("{} waits for {} to open", plan.id, run.step_id(frame)));
            self.step(frame, depth + 1);
        }
        if !open.is_empty() {
            let (named, more) = self.names(&open);
            self.say(depth, Some(index), format!("{} needs {named}{more}", plan.id));
            for need in open.into_iter().take(NAMED_MAX) {
                self.step(need, depth + 1);
            }
        }
    }

    fn ready(&mut self, index: StepIx, plan: &PlanStep, depth: u32) {
        let run = self.run;
        let holds_slot = |plan: &PlanStep, view: &StepView| {
            view.state == StepState::Running && !matches!(plan.work, Work::Frame(_))
        };
        let busy: Vec<StepIx> =
            run.steps().filter(|(_, plan, view)| holds_slot(plan, view)).map(|(step, _, _)| step).collect();
        let full_frame = run.frames_of(index).find_map(|frame| {
            let Work::Frame(rule) = &run.plan_step(frame)?.work else { return None };
            let inside = busy.iter().filter(|step| run.frames_of(**step).any(|index| index == frame)).count();
            (rule.max_parallel > 0 && inside >= rule.max_parallel as usize)
                .then_some((frame, rule.max_parallel))
        });
        let (named, more) = self.names(&busy);
        let text = if let Some((frame, max)) = full_frame {
            format!("{} waits for a place in {} ({max} at once): {named}{more}", plan.id, run.step_id(frame))
        } else {
            let max = run.plan.max_parallel;
            let max = if max == 0 { cuelight_base::PARALLEL_DEFAULT.to_string() } else { max.to_string() };
            format!("{} waits for a slot ({} of {max} are taken): {named}{more}", plan.id, busy.len())
        };
        self.say(depth, Some(index), text);
    }

    fn waiting(&mut self, index: StepIx, plan: &PlanStep, view: &StepView, depth: u32) {
        let left = |until: Timestamp| until.since(self.now);
        match view.wait() {
            Some(WaitReason::Person(gate)) => self.gate(index, plan, *gate, depth),
            Some(WaitReason::Time(until)) => {
                self.say(
                    depth,
                    Some(index),
                    format!("{} waits until {until} ({} left)", plan.id, left(*until)),
                );
            }
            Some(WaitReason::BackOff { until, next }) => {
                let text =
                    format!("{} makes call {next} at {} ({} left)", plan.id, until.clock(), left(*until));
                self.say(depth, Some(index), text);
                let failure = view.attempts().last().and_then(|attempt| attempt.failure.as_ref());
                if let Some(failure) = failure {
                    self.say(depth + 1, Some(index), format!("{}: {}", failure.mode, failure.message));
                }
            }
            Some(WaitReason::Target { name, hold, until }) => {
                let when = until.map_or_else(String::new, |until| {
                    format!(", until {} ({} left)", until.clock(), left(until))
                });
                let text = format!("{} waits for {name}: {}{when}", plan.id, words::hold_words(*hold));
                self.say(depth, Some(index), text);
                self.target(name, depth + 1);
            }
            Some(WaitReason::Candidates { names, fails_at, .. }) => {
                let when = fails_at.map_or_else(String::new, |fails_at| {
                    format!("; it fails at {} ({} left)", fails_at.clock(), left(fails_at))
                });
                let one_of = if names.len() == 1 { "its candidate" } else { "any of its candidates" };
                self.say(depth, Some(index), format!("{} waits for {one_of}{when}", plan.id));
                for (name, why) in names.clone() {
                    self.say(depth + 1, None, why);
                    self.target(&name, depth + 2);
                }
            }
            Some(reason @ WaitReason::Agent { .. }) => self.comer(index, plan, reason, depth),
            Some(reason @ WaitReason::Message { topic, until, .. }) => {
                let when = until.map_or_else(String::new, |until| {
                    format!(", until {} ({} left)", until.clock(), left(until))
                });
                let text = format!("{} waits for {}{when}", plan.id, words::message_words(reason));
                self.say(depth, Some(index), text);
                self.say(
                    depth + 1,
                    Some(index),
                    format!("`cuelight event emit {topic}` says one; `cuelight event messages` lists what was said"),
                );
            }
            Some(WaitReason::Facts) | None => {
                self.say(depth, Some(index), format!("{} waits for files to be looked at", plan.id));
            }
        }
    }

    /// Names the agents that may take the work, and the remedy if none may.
    fn comer(&mut self, index: StepIx, plan: &PlanStep, reason: &WaitReason, depth: u32) {
        let WaitReason::Agent { name, capabilities, fails_at } = reason else { return };
        let when = fails_at.map_or_else(String::new, |fails_at| {
            format!("; it fails at {} ({} left)", fails_at.clock(), fails_at.since(self.now))
        });
        self.say(depth, Some(index), format!("{} waits for {}{when}", plan.id, words::comer_words(reason)));
        let offer = Offer { agent: name.clone(), capabilities: capabilities.clone() };
        let all = self.board.present().of_project(self.board.project_of(self.run.id()));
        let fit = |registered: &&Registered| {
            registered.presence(self.now) != Presence::Lost && offer.suits(&registered.about)
        };
        let fit: Vec<String> =
            all.map(|pair| pair.1).filter(fit).map(|registered| registered.about.name.clone()).collect();
        let text = if fit.is_empty() {
            "none has registered; one does with POST /api/agents (see `cuelight serve --listen`)".to_owned()
        } else {
            let more = fit.len().saturating_sub(NAMED_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let named = fit.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
            format!("{named}{more} may come for it, with POST /api/agents/NAME/claim")
        };
        self.say(depth + 1, None, text);
    }

    /// Names the reason why a target takes no calls, and the other steps that wait for it.
    fn target(&mut self, name: &str, depth: u32) {
        if let Some(target) = self.board.target(name) {
            self.say(depth, None, format!("{name} {}", target.words(self.now)));
        }
        let waiting = self.board.waiting_for(name).count();
        if waiting > 1 {
            self.say(depth, None, format!("{waiting} steps wait for it"));
        }
    }

    fn gate(&mut self, index: StepIx, plan: &PlanStep, id: GateId, depth: u32) {
        let Some(gate) = self.board.gate(id) else {
            return self.say(depth, Some(index), format!("{} waits for people at {id}", plan.id));
        };
        let text = if gate.state == GateState::Armed {
            let until = gate.armed_until.unwrap_or(self.now).since(self.now);
            let then = gate.yes_words(Some(self.run));
            format!("{} was approved at {id}; it can be withdrawn for {until}, then it {then}", plan.id)
        } else {
            let missing: Vec<String> = gate.missing().iter().map(quorum_words).collect();
            let have = gate.approvals().count();
            format!("{} waits at {id} for {} ({have} of {})", plan.id, missing.join(" and "), gate.needed())
        };
        let then =
            gate.ask.expires_at.filter(|_| gate.state == GateState::Open).map(|_| {
                format!("if nobody answers: {}", gate.then_words(self.now, |span| span.to_string()))
            });
        if self.lines.len() < LINES_MAX {
            self.lines.push(WhyLine { depth, run: None, step: Some(index), gate: Some(id), text });
        }
        if let Some(then) = then {
            self.say(depth + 1, Some(index), then);
        }
        for (name, why) in &gate.ask.excluded {
            self.say(depth + 1, Some(index), format!("{name} does not count: {why}"));
        }
    }

    fn running(&mut self, index: StepIx, plan: &PlanStep, view: &StepView, depth: u32) {
        let since = self.now.since(view.since);
        let Some(inside) = &view.inside else {
            let call = if view.calls > 1 { format!(", call {}", view.calls) } else { String::new() };
            return self.say(depth, Some(index), format!("{} has been running for {since}{call}", plan.id));
        };
        let (done, all) = (inside.rested(), inside.total());
        self.say(depth, Some(index), format!("{} is open for {since}: {done} of {all} have ended", plan.id));
        let run = self.run;
        let open = run.steps().filter(|(_, plan, view)| plan.frame == Some(index) && !view.state.rests());
        let open: Vec<StepIx> = open.map(|(step, _, _)| step).take(NAMED_MAX).collect();
        for child in open {
            self.step(child, depth + 1);
        }
    }

    fn rested(&mut self, index: StepIx, plan: &PlanStep, view: &StepView, depth: u32) {
        let what = match (view.why(), view.error()) {
            (Some(why), _) => words::why_words(why, Some(self.run)),
            (None, Some(record)) => record.message.clone(),
            (None, None) if view.rejection().is_some() => view.rejection().unwrap_or_default().to_owned(),
            (None, None) if view.cached().is_some() => view.origin_words().unwrap_or_default(),
            (None, None) if view.is_kept() => "kept from the run before".to_owned(),
            (None, None) => String::new(),
        };
        let colon = if what.is_empty() { "" } else { ": " };
        self.say(depth, Some(index), format!("{} is {}{colon}{what}", plan.id, view.state));
        match view.why() {
            Some(Why::Need(step) | Why::Stopped(step) | Why::FailFast(step) | Why::Frame(step)) => {
                self.step(*step, depth + 1);
            }
            Some(Why::Cancelled | Why::RunTimedOut) => self.run_holds(depth + 1),
            Some(Why::Condition) => {
                let condition = plan.condition.as_deref().unwrap_or("success()");
                self.say(depth + 1, Some(index), condition.to_owned());
            }
            Some(Why::Kept | Why::Person { .. } | Why::Failed(_)) | None => {}
        }
    }

    /// Names the reasons why the whole run starts nothing.
    fn run_holds(&mut self, depth: u32) {
        let run = self.run;
        let id = run.id();
        if run.summary.state == RunState::Created {
            self.concurrency(depth);
        }
        if let Some(by) = &run.paused {
            self.say(depth, None, format!("{id} was paused by {by}; resume it to go on"));
        }
        if let Some((by, reason)) = &run.cancelled {
            self.say(depth, None, format!("{id} was cancelled {}", words::by_words(by, reason)));
        }
        if let Some(record) = &run.error {
            self.say(depth, None, format!("{id}: {}", record.message));
        }
        if let Some(step) = run.stopped {
            self.say(
                depth,
                Some(step),
                format!("{id} starts nothing new since {} did not succeed", run.step_id(step)),
            );
        }
        for budget in run.summary.budgets().iter().filter(|budget| budget.used >= budget.limit) {
            let (used, limit) = (budget.currency.figure(budget.used), budget.currency.amount(budget.limit));
            self.say(depth, None, format!("{id} has used its budget: {used} of {limit}"));
        }
    }

    fn concurrency(&mut self, depth: u32) {
        let id = self.run.id();
        let Some(mine) = &self.run.plan.concurrency else {
            return self.say(depth, None, format!("{id} has not started yet"));
        };
        self.say(depth, None, format!("{id} waits for its place in the group {}", mine.group));
        let others = self.board.open_runs().filter(|run| run.id() < id);
        let others = others.filter(|run| {
            run.plan.concurrency.as_ref().is_some_and(|concurrency| concurrency.group == mine.group)
        });
        for other in others.take(NAMED_MAX) {
            let text = format!("{} ({}) is {}", other.id(), other.summary.workflow, other.summary.doing());
            if self.lines.len() < LINES_MAX {
                self.lines.push(WhyLine {
                    depth: depth + 1,
                    run: Some(other.id()),
                    step: None,
                    gate: None,
                    text,
                });
            }
        }
    }

    fn names(&self, steps: &[StepIx]) -> (String, String) {
        let named: Vec<String> = steps.iter().take(NAMED_MAX).map(|step| self.run.step_id(*step)).collect();
        let more = steps.len().saturating_sub(NAMED_MAX);
        (named.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
    }
}

fn quorum_words(quorum: &Quorum) -> String {
    match &quorum.group {
        Some(group) => format!("{} of {group}", quorum.count),
        None if quorum.count == 1 => "one person".to_owned(),
        None => counted(quorum.count, "person", "people"),
    }
}
