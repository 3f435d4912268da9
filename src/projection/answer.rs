//! The effect of each answer at a gate, in words: risk and undo, approval, rejection, send-back, no answer, and the time
//! in which an approval can be withdrawn. The console and the command line call the same functions.

use crate::{GateView, RunView, UndoState, lineage::again_words, names_in_words};
use cuelight_base::{Channel, RunId, Span, StepIx, Timestamp, UNDO_ATTEMPTS_MAX, counted};
use cuelight_engine::{Ask, GateState, PartialResult, RunState, StepState, WillRun};
use cuelight_plan::{EffectClass, OnFailure, OnTimeout, Risk, Work};
use std::collections::{BTreeMap, BTreeSet};

/// The word for the risk of an ask; in capitals where it is high, so that it is seen without colour.
pub const fn ask_risk_word(risk: Risk) -> &'static str {
    match risk {
        Risk::ReadOnly | Risk::Reversible => "low",
        Risk::ExternallyReversible => "normal",
        Risk::Irreversible => "HIGH",
    }
}

/// The risk and the undo of all that an ask calls, in one sentence, so that one cannot contradict the other. What the
/// author declares is marked as declared. Empty where nothing is declared and nothing is called.
pub fn undo_line(ask: &Ask) -> String {
    let is_all_undoable = !ask.will_run.is_empty() && ask.will_run.iter().all(|call| call.undo == "yes");
    let risk = match ask.risk {
        Risk::ReadOnly => Some("read-only, as declared".to_owned()),
        Risk::Reversible => None,
        Risk::ExternallyReversible if is_all_undoable => None,
        Risk::ExternallyReversible => Some("only others can undo the effects, as declared".to_owned()),
        Risk::Irreversible => Some("irreversible, as declared".to_owned()),
    };
    let of = |undo: fn(&WillRun) -> bool| {
        let calls = ask.will_run.iter().filter(|call| undo(call));
        let names: Vec<String> = calls.map(|call| call.step.clone()).collect();
        (!names.is_empty()).then(|| names_in_words(&names))
    };
    let says_nothing =
        |call: &WillRun| !matches!(call.undo.as_str(), "yes" | "no") && call.effect != EffectClass::Pure;
    let yet = if ask.risk == Risk::Irreversible { "yet an" } else { "an" };
    let outside = match ask.risk {
        Risk::ExternallyReversible if is_all_undoable => ", which needs help from outside, as declared",
        _ => "",
    };
    let parts = [
        risk,
        of(|call| call.undo == "no").map(|names| format!("CANNOT be undone: {names}")),
        of(says_nothing).map(|names| format!("no undo is declared for {names}")),
        of(|call| call.undo == "yes").map(|names| format!("{yet} undo is declared for {names}{outside}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// The steps that an approval lets go, apart by when they can start. Without the run, only calls at once are known.
#[derive(Default)]
struct LetGo<'a> {
    now: Vec<&'a str>,
    /// Steps after those that start now.
    later: Vec<&'a str>,
    /// Gates that ask after this one.
    gates: Vec<&'a str>,
    /// Steps with another gate before them that is not answered.
    behind: Vec<&'a str>,
    /// Steps that were skipped or completed by hand since the gate asked.
    over: Vec<&'a str>,
    /// The run, if it is paused: an approval starts nothing before it is resumed.
    paused: Option<RunId>,
}

impl<'a> LetGo<'a> {
    fn of(ask: &'a Ask, at: Option<(StepIx, &RunView)>, is_open: bool) -> Self {
        let (gate, run) = at.unzip();
        let called: BTreeSet<&str> = ask.will_run.iter().map(|will_run| will_run.step.as_str()).collect();
        let paused = run.filter(|run| run.summary.state == RunState::Paused).map(RunView::id);
        let mut out = Self { paused, ..Self::default() };
        let known = run.map(|run| {
            let by_name: BTreeMap<&str, StepIx> =
                run.steps().map(|(step, plan, _)| (plan.id.as_str(), step)).collect();
            (run, by_name, behind_other_gates(run, gate))
        });
        for name in ask.starts.iter().map(String::as_str) {
            let Some((run, step, behind)) =
                known.as_ref().and_then(|(run, by_name, behind)| Some((run, *by_name.get(name)?, behind)))
            else {
                if called.contains(name) {
                    out.now.push(name)
                } else {
                    out.later.push(name)
                }
                continue;
            };
            let is_over = is_open && run.step(step).is_some_and(|step| step.state.rests());
            match () {
                () if is_over => out.over.push(name),
                () if Some(step) != gate && is_gate(run, step) => out.gates.push(name),
                () if behind.contains(&step) => out.behind.push(name),
                () if called.contains(name) || starts_with(run, step, gate) => out.now.push(name),
                () => out.later.push(name),
            }
        }
        out
    }
}

/// True when nothing but this gate keeps a step that is no gate from starting.
fn starts_with(run: &RunView, step: StepIx, gate: Option<StepIx>) -> bool {
    let rests = |step: &StepIx| Some(*step) == gate || run.step(*step).is_some_and(|view| view.state.rests());
    let Some(plan) = run.plan_step(step) else { return false };
    !is_gate(run, step)
        && (Some(step) == gate || plan.needs.iter().all(rests))
        && plan.frame.is_none_or(|frame| {
            let is_open = run.step(frame).is_some_and(|step| step.state == StepState::Running);
            is_open || starts_with(run, frame, gate)
        })
}

fn is_gate(run: &RunView, step: StepIx) -> bool {
    run.plan_step(step).is_some_and(|plan| matches!(plan.work, Work::Gate(_)))
}

/// The steps that cannot start before another gate than this one is answered.
fn behind_other_gates(run: &RunView, gate: Option<StepIx>) -> BTreeSet<StepIx> {
    // Each step has two points, since a frame begins before its steps and ends after them.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Point {
        Begin(StepIx),
        End(StepIx),
    }
    let mut after: BTreeMap<Point, Vec<Point>> = BTreeMap::new();
    let mut open: Vec<Point> = Vec::new();
    for (step, plan, view) in run.steps() {
        after.entry(Point::Begin(step)).or_default().push(Point::End(step));
        for need in &plan.needs {
            after.entry(Point::End(*need)).or_default().push(Point::Begin(step));
        }
        if let Some(frame) = plan.frame {
            after.entry(Point::Begin(frame)).or_default().push(Point::Begin(step));
            after.entry(Point::End(step)).or_default().push(Point::End(frame));
        }
        if Some(step) != gate && matches!(plan.work, Work::Gate(_)) && !view.state.rests() {
            open.push(Point::End(step));
        }
    }
    let mut seen: BTreeSet<Point> = BTreeSet::new();
    while let Some(at) = open.pop() {
        let next = after.get(&at).into_iter().flatten().copied();
        open.extend(next.filter(|point| seen.insert(*point)));
    }
    seen.into_iter()
        .filter_map(|point| if let Point::Begin(step) = point { Some(step) } else { None })
        .collect()
}

/// The effect of an approval, a line each. Without the run, steps behind other gates are not told apart.
pub(super) fn yes_lines(ask: &Ask, gate: Option<&GateView>, run: Option<&RunView>) -> Vec<String> {
    let at = gate.and_then(|gate| Some((gate.step, run?)));
    let_go_lines(&LetGo::of(ask, at, gate.is_none_or(GateView::is_open)), "starts now:")
}

/// The effect of a rejection, a line each. Without the gate, the end of the run is not known.
pub(super) fn no_words(ask: &Ask, gate: Option<&GateView>, run: Option<&RunView>) -> Vec<String> {
    let names = |head: &str, steps: &[String], tail: &str| {
        (!steps.is_empty()).then(|| format!("{head} {}{tail}", names_in_words(steps)))
    };
    let lines = [
        names("skips", &ask.skips, ""),
        names("runs", &ask.runs_anyway, " all the same, by its own `if`"),
        names("undoes", &ask.undoes, ""),
        gate.map(|gate| gate.end_after_no(run)),
        left_words(ask, gate),
    ];
    lines.into_iter().flatten().collect()
}

/// `starts now: stage`, `then: high`, `the gate ship asks before: deploy`
fn let_go_lines(let_go: &LetGo<'_>, starts: &str) -> Vec<String> {
    let words =
        |names: &[&str]| names_in_words(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let LetGo { now, later, gates, behind, over, paused } = let_go;
    let more = !later.is_empty() || !gates.is_empty() || !behind.is_empty();
    let mut lines = vec![match now.as_slice() {
        [] if more => "starts nothing yet".to_owned(),
        [] => "starts nothing".to_owned(),
        now => {
            let resumed = paused
                .map(|run| format!(" when {run}, which is paused, is resumed: cuelight run resume {run}"));
            format!("{starts} {}{}", words(now), resumed.unwrap_or_default())
        }
    }];
    if !later.is_empty() {
        lines.push(format!("then: {}", words(later)));
    }
    let (the, asks) = if gates.len() == 1 { ("the gate", "asks") } else { ("the gates", "ask") };
    match (gates.as_slice(), behind.as_slice()) {
        ([], []) => {}
        ([], behind) => lines.push(format!("another gate asks before: {}", words(behind))),
        (gates, []) => lines.push(format!("then {the} {} {asks}", words(gates))),
        (gates, behind) => lines.push(format!("{the} {} {asks} before: {}", words(gates), words(behind))),
    }
    if !over.is_empty() {
        lines.push(format!("does not start any more: {}", words(over)));
    }
    lines
}

impl GateView {
    /// The effect of an approval. Without the run, steps behind other gates are not told apart.
    pub fn yes_words(&self, run: Option<&RunView>) -> String {
        let at = run.map(|run| (self.step, run));
        let_go_lines(&LetGo::of(&self.ask, at, self.is_open()), "starts").join("; ")
    }

    /// The effect of an approval, a line each.
    pub fn yes_lines(&self, run: Option<&RunView>) -> Vec<String> {
        yes_lines(&self.ask, Some(self), run)
    }

    /// The effect of a rejection, a line each.
    pub fn no_words(&self, run: Option<&RunView>) -> Vec<String> {
        no_words(&self.ask, Some(self), run)
    }

    fn end_after_no(&self, run: Option<&RunView>) -> String {
        let step = &self.ask.step;
        if self.law().is_by_the_way() {
            return format!("{step} fails");
        }
        let on = self.law().on_reject();
        if on == OnFailure::Continue {
            return "steps that do not need it continue".to_owned();
        }
        let frame = run.and_then(|run| Some(run.step_id(run.plan_step(self.step)?.frame?)));
        match (frame, on) {
            (Some(frame), _) => format!("{frame} goes on as its workflow says"),
            (None, OnFailure::Compensate) if !self.ask.undoes.is_empty() => match &self.ask.cannot_undo[..] {
                [] => "the run ends as undone".to_owned(),
                left => format!("the run ends as undone, except {}", names_in_words(left)),
            },
            (None, _) => "the run ends as rejected".to_owned(),
        }
    }

    /// The consequence of expiry in words; `say` writes an instant.
    pub fn nobody_words(&self, say: impl Fn(Timestamp) -> String) -> String {
        nobody_words(&self.ask, self.escalated.is_some(), say)
    }

    /// `reject in 26m`, `no deadline`; `say` writes a duration.
    pub fn then_words(&self, now: Timestamp, say: impl Fn(Span) -> String) -> String {
        let Some(at) = self.ask.expires_at else { return NO_DEADLINE.to_owned() };
        let left = say(at.since(now));
        match self.ask.on_timeout {
            OnTimeout::Reject => format!("reject in {left}"),
            OnTimeout::Approve => format!("approve in {left}"),
            OnTimeout::Escalate if self.escalated.is_some() => NO_DEADLINE.to_owned(),
            OnTimeout::Escalate => format!("escalate in {left}"),
        }
    }

    /// `an approval in the console can be withdrawn for 20s`; nothing where none can.
    pub fn window_words(&self) -> Option<String> {
        let window = self.law().window_of(Channel::Console);
        (window.0 > 0).then(|| format!("an approval in the console can be withdrawn for {window}"))
    }

    /// The state of a gate that is answered or still asks, for the one who has just answered.
    pub fn standing_words(&self, run: Option<&RunView>) -> String {
        let id = self.id;
        match self.state {
            GateState::Armed => {
                let until = self
                    .armed_until
                    .map_or_else(String::new, |armed_until| format!(" until {}", armed_until.clock()));
                let then = self.yes_words(run);
                format!(
                    "{id} is approved; it can be withdrawn{until}, then it {then}; to withdraw: cuelight \
                     gate withdraw {id}"
                )
            }
            GateState::Approved => {
                format!("{id} is approved: {}", self.yes_words(run))
            }
            GateState::Rejected if self.is_sent_back() => format!("{id} is sent back"),
            GateState::Rejected => format!("{id} is rejected"),
            GateState::Expired => format!("{id} has expired"),
            GateState::Cancelled => format!("{id} is cancelled: its run ended first"),
            GateState::Open if self.law().is_checked() => format!(
                "{id} has enough approvals; the approved files are checked before it is approved \
                 (cuelight gates --show {id})"
            ),
            GateState::Open => {
                let (have, needed) = (self.approvals().count(), self.needed());
                format!(
                    "{id} has {have} of {} and is still open",
                    counted(needed as usize, "approval", "approvals")
                )
            }
        }
    }

    /// True when the answer that closed it was a send-back.
    pub fn is_sent_back(&self) -> bool {
        self.closed_by.as_deref() == Some("send-back")
    }

    /// The state in one word, with a send-back told from a rejection.
    pub fn state_word(&self) -> &'static str {
        if self.state == GateState::Rejected && self.is_sent_back() { "sent back" } else { self.state.word() }
    }
}

/// The words for a gate without a deadline.
pub const NO_DEADLINE: &str = "no deadline";

/// The consequence of an ask's expiry in words; `say` writes an instant.
pub fn nobody_words(ask: &Ask, is_escalated: bool, say: impl Fn(Timestamp) -> String) -> String {
    let Some(at) = ask.expires_at else { return NO_DEADLINE.to_owned() };
    let at = say(at);
    match ask.on_timeout {
        OnTimeout::Reject => format!("rejected at {at}"),
        OnTimeout::Approve => format!("approved at {at}"),
        OnTimeout::Escalate if is_escalated => format!("asks again at {at}, then has no deadline"),
        OnTimeout::Escalate => format!("escalates at {at}, then has no deadline"),
    }
}

/// The head of the line about steps that a rejection leaves as they are.
pub const CANNOT_UNDO: &str = "cannot undo ";

/// `cannot undo build (done already)`, or `undoes nothing` where a rejection undoes no step at all.
fn left_words(ask: &Ask, gate: Option<&GateView>) -> Option<String> {
    let undoes = gate.is_none_or(|gate| gate.law().on_reject() == OnFailure::Compensate);
    let left = || format!("{CANNOT_UNDO}{} (done already)", names_in_words(&ask.cannot_undo));
    (!ask.cannot_undo.is_empty()).then(|| if undoes { left() } else { "undoes nothing".to_owned() })
}

/// The effect of a send-back to this step.
pub fn send_back_words(to: &str) -> String {
    format!("runs {to} and the steps after it again, then a new gate asks")
}

/// The answers to a stuck undo: again, or done by hand.
pub fn stuck_words(again: bool) -> String {
    if again {
        format!("the undo is called again, up to {UNDO_ATTEMPTS_MAX} times")
    } else {
        "choose this after you have undone it yourself; the undo of the run continues".to_owned()
    }
}

/// The effect of an answer to a stuck undo.
pub fn settled_words(step: &str, again: bool) -> String {
    if again {
        format!("the undo of {step} is called again, up to {UNDO_ATTEMPTS_MAX} times")
    } else {
        format!(
            "the undo of {step} counts as done by hand; nothing is called, and the undo of the run continues"
        )
    }
}

/// The command that answers a stuck undo.
pub fn settle_command(run: RunId, step: &str) -> String {
    format!(
        "cuelight run settle-undo {run} {step} --again --reason WHY (without --again after you have undone it yourself)"
    )
}

/// The commands that a run which did not complete suggests, in order: the log of the step that failed, then the retry. A run that has
/// not ended suggests one only when an undo is stuck.
pub fn next_commands(run: &RunView, partial: &PartialResult) -> Vec<String> {
    if run.summary.state.rests() {
        let point = partial.failure_point.as_deref().filter(|point| {
            let step = run.find(point).and_then(|step| run.step(step));
            step.is_some_and(|step| step.state == StepState::Failed && step.calls > 0)
        });
        let logs = point.map(|point| format!("cuelight logs {} {point}", run.id()));
        return logs.into_iter().chain([again_words(run, partial)]).collect();
    }
    let stuck = run.steps().find(|(_, _, view)| matches!(view.undo(), UndoState::Stuck(_)));
    stuck.map(|(_, plan, _)| settle_command(run.id(), &plan.id)).into_iter().collect()
}
