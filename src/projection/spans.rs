//! A run as a trace: spans of it, its steps, calls and gates, made from what is recorded and from nothing else, so that the same log gives the
//! same spans with the same ids. Names, states and lengths stand in them; no value, no message and no output does. Sending them is `runtime`'s.

use super::{AttemptView, Board, GateView, RunSpan, RunView, StepView, kind_word};
use cuelight_base::{StepIx, Timestamp, TraceContext, Value, hex};
use cuelight_engine::{GateState, Purpose, RunState, StepState};
use cuelight_plan::PlanStep;
use serde_json::json;

/// The side of a call that a span describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words are those of the standard")]
pub enum SpanKind {
    Internal,
    Server,
    Client,
}

impl SpanKind {
    /// Its number in OTLP.
    const fn number(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Server => 2,
            Self::Client => 3,
        }
    }
}

/// The value of an attribute of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum SpanValue {
    Text(String),
    Whole(i64),
}

/// Something that took a while, and is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSpan {
    /// Its trace and itself.
    pub place: TraceContext,
    /// The span around it.
    pub parent: Option<[u8; 8]>,
    /// The name of the span.
    pub name: String,
    /// The side of a call that it describes.
    pub kind: SpanKind,
    /// Microseconds since 1970 at which it began, and at which it was over.
    pub micros: (i64, i64),
    /// True if it succeeded; none if success has no meaning for it.
    pub did_well: Option<bool>,
    /// The attributes by name.
    pub about: Vec<(&'static str, SpanValue)>,
}

fn text(value: impl ToString) -> SpanValue {
    SpanValue::Text(value.to_string())
}

const fn micros(began: Timestamp, ended: Timestamp) -> (i64, i64) {
    let (began, ended) = (began.0.saturating_mul(1000), ended.0.saturating_mul(1000));
    (began, if ended < began { began } else { ended })
}

/// All of a run that is over: the run itself when it rests, its steps, their calls, its gates. Nothing where the request said not to record
/// it.
pub fn spans_of(board: &Board, run: &RunView) -> Vec<TraceSpan> {
    let span = &run.summary.span;
    if !span.own.sampled {
        return Vec::new();
    }
    let mut out: Vec<TraceSpan> = of_run(run).into_iter().collect();
    for (at, plan, seen) in run.steps() {
        // What was never begun took no time.
        let Some(began) = seen.started_at else { continue };
        let around = run.frames_of(at).next().map_or(span.own.span, |frame| span.step(frame).span);
        out.extend(of_step(run, (at, plan, seen), began, around));
        out.extend(seen.attempts().iter().filter_map(|attempt| of_attempt(span, (at, plan), attempt)));
        let gate = seen.gate().and_then(|gate| board.gate(gate));
        out.extend(gate.and_then(|gate| of_gate(span, at, gate, began)));
    }
    out
}

fn of_run(run: &RunView) -> Option<TraceSpan> {
    let summary = &run.summary;
    let did_well = match summary.state {
        RunState::Completed => Some(true),
        RunState::Failed | RunState::Rejected | RunState::PartiallyCompleted | RunState::Undone => {
            Some(false)
        }
        _ => None,
    };
    Some(TraceSpan {
        place: summary.span.own,
        parent: summary.span.parent,
        name: format!("run {}", summary.workflow),
        kind: SpanKind::Internal,
        micros: micros(summary.created_at, summary.ended_at?),
        did_well,
        about: vec![
            ("cuelight.run.id", text(summary.id)),
            ("cuelight.run.state", text(summary.state.word())),
            ("cuelight.run.trace", text(&summary.trace)),
            ("cuelight.workflow", text(&summary.workflow)),
        ],
    })
}

fn of_step(
    run: &RunView,
    (at, plan, seen): (StepIx, &PlanStep, &StepView),
    began: Timestamp,
    parent: [u8; 8],
) -> Option<TraceSpan> {
    let did_well = match seen.state {
        StepState::Completed => Some(true),
        StepState::Failed | StepState::Rejected | StepState::Partial => Some(false),
        _ => None,
    };
    let mut about = vec![
        ("cuelight.run.id", text(run.summary.id)),
        ("cuelight.step.id", text(&plan.id)),
        ("cuelight.step.kind", text(kind_word(&plan.work))),
        ("cuelight.step.state", text(seen.state.word())),
    ];
    about.extend(seen.error().map(|error| ("error.type", text(error.mode))));
    Some(TraceSpan {
        place: run.summary.span.step(at),
        parent: Some(parent),
        name: plan.id.clone(),
        kind: SpanKind::Internal,
        micros: micros(began, seen.ended_at?),
        did_well,
        about,
    })
}

fn of_attempt(span: &RunSpan, (at, plan): (StepIx, &PlanStep), attempt: &AttemptView) -> Option<TraceSpan> {
    let purpose = match attempt.purpose {
        Purpose::Step => "step",
        Purpose::Fallback(_) => "fallback",
        Purpose::Undo => "undo",
        Purpose::Check => "check",
    };
    let mut about = vec![
        ("cuelight.step.id", text(&plan.id)),
        ("cuelight.attempt.number", SpanValue::Whole(i64::from(attempt.number))),
        ("cuelight.attempt.purpose", text(purpose)),
    ];
    about.extend(
        attempt.exit_code.map(|exit_code| ("process.exit.code", SpanValue::Whole(i64::from(exit_code)))),
    );
    about.extend(attempt.failure.as_ref().map(|failure| ("error.type", text(failure.mode))));
    Some(TraceSpan {
        place: span.attempt(at, attempt.number),
        parent: Some(span.step(at).span),
        name: format!("{} attempt {}", plan.id, attempt.number),
        kind: SpanKind::Client,
        micros: micros(attempt.started_at, attempt.ended_at?),
        did_well: Some(attempt.failure.is_none() && attempt.lost.is_none()),
        about,
    })
}

fn of_gate(span: &RunSpan, at: StepIx, gate: &GateView, began: Timestamp) -> Option<TraceSpan> {
    let name = gate.id.to_string();
    Some(TraceSpan {
        place: span.own.with_span(span.own.span_named(&["gate", &hex(&span.own.span), &name])),
        parent: Some(span.step(at).span),
        name: format!("gate {name}"),
        kind: SpanKind::Internal,
        micros: micros(began, gate.closed_at?),
        did_well: match gate.state {
            GateState::Approved => Some(true),
            _ => None,
        },
        about: vec![
            ("cuelight.gate.id", text(gate.id)),
            ("cuelight.gate.state", text(gate.state.word())),
            ("cuelight.gate.votes", SpanValue::Whole(i64::try_from(gate.votes.len()).unwrap_or(i64::MAX))),
            ("cuelight.gate.epoch", text(gate.ask.epoch)),
        ],
    })
}

/// Spans as OTLP says them in JSON: ids in hexadecimal digits, instants as whole nanoseconds in text, kinds and states by number.
pub fn otlp_json(service: &str, spans: &[TraceSpan]) -> Value {
    let said = |(name, value): &(&'static str, SpanValue)| match value {
        SpanValue::Text(text) => json!({"key": name, "value": {"stringValue": text}}),
        SpanValue::Whole(number) => json!({"key": name, "value": {"intValue": number.to_string()}}),
    };
    let span = |span: &TraceSpan| {
        let mut out = json!({
            "traceId": hex(&span.place.trace),
            "spanId": hex(&span.place.span),
            "name": span.name,
            "kind": span.kind.number(),
            "startTimeUnixNano": nanos(span.micros.0),
            "endTimeUnixNano": nanos(span.micros.1),
            "attributes": span.about.iter().map(said).collect::<Value>(),
            "status": match span.did_well {
                None => json!({}),
                Some(true) => json!({"code": 1}),
                Some(false) => json!({"code": 2}),
            },
        });
        if let Some(parent) = span.parent {
            out["parentSpanId"] = hex(&parent).into();
        }
        out
    };
    let of = |name: &str, value: &str| json!({"key": name, "value": {"stringValue": value}});
    let version = env!("CARGO_PKG_VERSION");
    json!({"resourceSpans": [{
        "resource": {"attributes": [of("service.name", service), of("service.version", version)]},
        "scopeSpans": [{
            "scope": {"name": "cuelight", "version": version},
            "spans": spans.iter().map(span).collect::<Value>(),
        }],
    }]})
}

fn nanos(micros: i64) -> String {
    (i128::from(micros) * 1000).to_string()
}
