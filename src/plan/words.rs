//! A plan in words: kinds, rules and rhythms as people name them. Untrusted text comes out safe to show, on
//! one line.

use crate::{
    Frame, FrameKind, GateRule, OnFailure, OnTimeout, PlanStep, Quorum, Risk, Scope, Talk, Undo, WaitFor,
    Work,
};
use cuelight_base::{AGENT_PREFIX, Span, counted, safe_text, shorten};

/// Characters of an untrusted text in a table or a graph.
const CHARS_MAX: usize = 60;

impl Work {
    /// The word of the file for this kind of step; `matrix` for the frame of copies.
    pub fn word(&self) -> &str {
        match self {
            Self::Run { .. } => "run",
            Self::Tool(tool_use) if tool_use.is_agent() => "agent",
            Self::Tool(_) => "uses",
            Self::Http(_) => "http",
            Self::Model(_) => "llm",
            Self::Gate(_) => "gate",
            Self::Wait(_) => "wait",
            Self::Set { .. } => "set",
            Self::Emit(_) => "emit",
            Self::Frame(frame) => match frame.kind {
                FrameKind::Matrix | FrameKind::Computed { .. } => "matrix",
                FrameKind::Workflow { .. } => "workflow",
                FrameKind::Talk(_) => "llm",
            },
            Self::Later(later) => &later.kind,
        }
    }
}

/// A tool or an agent as the file calls it.
fn called(id: &str) -> &str {
    id.strip_prefix(AGENT_PREFIX).unwrap_or(id)
}

/// One untrusted text, short and safe.
pub(super) fn line(text: &str) -> String {
    safe_text(&shorten(text, CHARS_MAX))
}

/// An id, whole and safe.
pub(super) fn id(step: &PlanStep) -> String {
    safe_text(&step.id)
}

/// The work of a step in a few words; `copies` are the children of a matrix.
pub(super) fn kind(work: &Work, copies: usize) -> String {
    match work {
        Work::Wait(WaitFor::Duration(length)) => format!("wait {}", line(length)),
        Work::Wait(WaitFor::Until(instant)) => format!("wait until {}", line(instant)),
        Work::Wait(WaitFor::Message { topic, count: 1, .. }) => format!("wait for {}", line(topic)),
        Work::Wait(WaitFor::Message { topic, count, .. }) => format!("wait for {count} × {}", line(topic)),
        Work::Emit(emission) => format!("emit {}", line(&emission.topic)),
        Work::Set { scope, .. } => format!("set {}", scope_word(*scope)),
        Work::Frame(frame) => frame_words(frame, copies),
        Work::Later(later) => format!("{} {}", later.kind, line(&later.target)).trim_end().to_owned(),
        Work::Tool(tool_use) => match &tool_use.route {
            Some(route) => {
                let names: Vec<&str> = route.candidates.iter().map(|candidate| called(candidate)).collect();
                format!("{} one of {}, by {}", work.word(), line(&names.join(", ")), route.policy.word())
            }
            None => format!("{} {}", work.word(), line(called(&tool_use.tool))),
        },
        Work::Model(work) => format!("llm {}", line(&work.model)),
        Work::Http(work) => format!("http {} {}", line(&work.method), line(&work.url)),
        Work::Run { .. } | Work::Gate(_) => work.word().to_owned(),
    }
}

const fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::Run => "run",
        Scope::Session => "session",
        Scope::Global => "global",
    }
}

fn frame_words(frame: &Frame, copies: usize) -> String {
    let words = match &frame.kind {
        FrameKind::Matrix => format!("matrix of {copies}"),
        FrameKind::Computed { .. } => "matrix, computed".to_owned(),
        FrameKind::Workflow { file, .. } => format!("workflow {}", line(file)),
        FrameKind::Talk(talk) => talk_words(talk),
    };
    match frame.max_parallel {
        0 => words,
        limit => format!("{words}, {limit} at once"),
    }
}

/// The model that is asked, and the tools that it may ask for: those that wait at a gate, and those that run
/// at once.
fn talk_words(talk: &Talk) -> String {
    let names = |gated: bool| {
        let tools = talk.tools.iter().filter(|tool| tool.gated == gated);
        tools.map(|tool| line(&tool.tool)).collect::<Vec<_>>().join(", ")
    };
    let model = line(talk.ask.work.model().unwrap_or_default());
    let wanted = talk.gate.as_deref().map_or_else(String::new, |gate| format!(" ({})", least(gate)));
    let parts = [(names(false), String::new()), (names(true), format!(", each call at a gate{wanted}"))];
    let parts = parts.iter().filter(|part| !part.0.is_empty()).map(|(names, how)| format!("{names}{how}"));
    let offered = parts.collect::<Vec<_>>().join("; ");
    format!("llm {model}, {} of tools at most: {offered}", counted(talk.rounds, "round", "rounds"))
}

/// The number of calls and fallbacks; none for a single call.
pub(super) fn retry(step: &PlanStep) -> Option<String> {
    let calls = step.retry.as_ref().map_or(1, |retry| retry.max_attempts);
    let tried = (calls > 1).then(|| format!("{calls} calls"));
    let instead = match step.fallback.len() {
        0 => None,
        1 => Some("1 fallback".to_owned()),
        more => Some(format!("{more} fallbacks")),
    };
    let words: Vec<String> = tried.into_iter().chain(instead).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// The limits of its processes and of its kept output; none when they are the defaults.
pub(super) fn limits(step: &PlanStep) -> Option<String> {
    step.limits.words(step.output_limit, step.sandboxed)
}

/// The word for its undo; none when the file says nothing.
pub(super) const fn undo(undo: &Undo) -> Option<&'static str> {
    match undo {
        Undo::Unset => None,
        Undo::Impossible => Some("impossible"),
        Undo::By(_) => Some("yes"),
    }
}

/// The rule of a gate as one sentence.
pub(super) fn gate(rule: &GateRule) -> String {
    format!("risk {}; {}", rule.risk.word(), decided(rule))
}

/// The least that the gates of a model's calls want.
fn least(rule: &GateRule) -> String {
    let risk = if rule.risk == Risk::ReadOnly {
        String::new()
    } else {
        format!("risk {} or worse; ", rule.risk.word())
    };
    format!("{risk}{}", decided(rule))
}

/// The people who decide, the timeout, and its effect.
fn decided(rule: &GateRule) -> String {
    let mut words = vec![people(&rule.require)];
    if !rule.forbid.is_empty() {
        let names: Vec<String> = rule.forbid.iter().map(|text| line(text)).collect();
        words.push(format!("not {}", names.join(", ")));
    }
    if rule.touch {
        words.push("with a touched security key".to_owned());
    }
    if let Some(condition) = &rule.auto {
        words.push(format!("by itself if {}", line(condition)));
    }
    if !rule.remind.is_empty() {
        let after: Vec<String> = rule.remind.iter().map(Span::to_string).collect();
        words.push(format!("reminds after {}", after.join(", ")));
    }
    if let Some((after, to)) = &rule.escalate {
        words.push(format!("after {after} also {}", line(to)));
    }
    if let Some(timeout) = rule.timeout {
        let then = match rule.on_timeout {
            OnTimeout::Reject => "rejects",
            OnTimeout::Approve => "APPROVES",
            OnTimeout::Escalate => "escalates",
        };
        words.push(format!("after {timeout} {then}"));
    }
    match rule.on_reject {
        OnFailure::Stop => {}
        OnFailure::Continue => words.push("a rejection lets the rest continue".to_owned()),
        OnFailure::Compensate => words.push("a rejection undoes".to_owned()),
    }
    words.join("; ")
}

fn people(require: &[Quorum]) -> String {
    let one = |quorum: &Quorum| match &quorum.group {
        Some(group) => format!("{} of {}", quorum.count, line(group)),
        None if quorum.count == 1 => "any one person".to_owned(),
        None => format!("any {} people", quorum.count),
    };
    match require {
        [] => "any one person".to_owned(),
        several => several.iter().map(one).collect::<Vec<_>>().join(" and "),
    }
}

/// A number of things: `1 gate`, `2 gates`.
pub(super) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}
