//! The meaning of a call's end: outputs checked against the step's declaration, and the confidence in them.

use crate::Failure;
use cuelight_base::{
    ErrorKind, ErrorRecord, FailureMode, Score, Severity, Value, ValueMap, json_if_any, type_name,
};
use cuelight_plan::{ConfidenceBelow, PlanStep, PlanTool, ValueKind};

/// The confidence of work that reports none (a tool of medium reliability, O1).
const CONFIDENCE_DEFAULT: Score = Score(8000);

/// A success after its outputs were judged.
pub(super) struct Result {
    pub(super) outputs: ValueMap,
    pub(super) confidence: Score,
    pub(super) partial: bool,
    /// Below the least that is good enough, and what that does.
    pub(super) below: Option<ConfidenceBelow>,
}

/// Checks the promised outputs of a tool, types the declared outputs and reads `status` and `confidence`.
pub(super) fn judge(
    plan: &PlanStep,
    tool: Option<&PlanTool>,
    written: &ValueMap,
) -> std::result::Result<Result, Failure> {
    let mut outputs = match tool {
        Some(tool) => tool.output_of(written).map_err(contract)?,
        None => written.clone(),
    };
    let written = &outputs.clone();
    for (name, kind) in &plan.outputs {
        let Some(value) = written.get(name) else {
            return Err(contract(format!(
                "did not write its declared output `{name}`; add: echo \"{name}=…\" >> \"$CUELIGHT_OUTPUT\""
            )));
        };
        match typed(value.clone(), *kind) {
            Ok(value) => outputs.insert(name.clone(), value),
            Err(what) => return Err(contract(format!("wrote output `{name}` as {what}"))),
        };
    }
    let text = |name: &str| written.get(name).and_then(Value::as_str).unwrap_or_default();
    let source =
        plan.confidence.as_ref().and_then(|confidence| confidence.from.as_deref()).unwrap_or("confidence");
    let reported = match written.get(source) {
        // A step that has a rule is held to it: a figure that cannot be read is no good one.
        Some(value) if plan.confidence.is_some() => {
            let wrong = || format!("wrote its confidence `{source}` as {value}; it is a number from 0 to 1");
            Some(score(value).ok_or_else(|| contract(wrong()))?)
        }
        other => other.and_then(score),
    };
    let confidence = reported.unwrap_or_else(|| unsaid_confidence(tool));
    let below =
        plan.confidence.as_ref().filter(|rule| confidence < rule.min).map(|confidence| confidence.below);
    Ok(Result { outputs, confidence, partial: text("status") == "partial", below })
}

/// The confidence in a result of this tool, or of work without a tool, that reports no figure.
pub(super) fn unsaid_confidence(tool: Option<&PlanTool>) -> Score {
    tool.map_or(CONFIDENCE_DEFAULT, |tool| tool.reliability)
}

/// A confidence as a step, JSON or an expression writes it: `0.75`, `.5`, `1e-5`, `1E-05`.
fn score(value: &Value) -> Option<Score> {
    let text = cuelight_expression::to_text(value).to_ascii_lowercase();
    let text = text.trim();
    let Some((digits, below)) = text.split_once("e-") else {
        let part = || text.strip_prefix('.').map(|decimals| format!("0.{decimals}"));
        return Score::parse(text).or_else(|| Score::parse(&part()?));
    };
    let (one, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    // More places than a score has make no difference.
    let zeros = below.parse::<usize>().ok()?.checked_sub(1)?.min(8);
    Score::parse(&format!("0.{}{one}{decimals}", "0".repeat(zeros))).filter(|_| one.len() == 1)
}

fn contract(message: String) -> Failure {
    Failure { mode: FailureMode::AgentContract, message, tail: String::new(), not_started: false }
}

/// A text as its declared type; else its real type, to finish "is …".
pub(super) fn typed(value: Value, kind: ValueKind) -> std::result::Result<Value, String> {
    let wanted = match kind {
        ValueKind::Any => return Ok(value),
        ValueKind::String => "string",
        ValueKind::Number | ValueKind::Integer => "number",
        ValueKind::Boolean => "boolean",
        ValueKind::Object => "object",
        ValueKind::Array => "array",
    };
    let fits = |value: &Value| {
        let whole = value.is_i64() || value.is_u64();
        type_name(value) == wanted && (kind != ValueKind::Integer || whole)
    };
    if fits(&value) {
        return Ok(value);
    }
    let text = match &value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    };
    if kind == ValueKind::String {
        return Ok(Value::String(text));
    }
    match json_if_any(text.trim())? {
        Some(read) if fits(&read) => Ok(read),
        _ => Err(format!("{:?}, which is no {wanted}", cuelight_base::shorten(&text, 40))),
    }
}

/// The record of a failure of this step.
pub(super) fn record(plan: &PlanStep, failure: &Failure, severity: Severity) -> Box<ErrorRecord> {
    let kind =
        plan.category.as_deref().and_then(ErrorKind::of_category).unwrap_or(ErrorKind::TaskExecutionError);
    let builder = ErrorRecord::builder()
        .error_type(kind)
        .severity(severity)
        .mode(failure.mode)
        .source(plan.id.clone())
        .message(failure.message.clone())
        .tail(failure.tail.clone());
    Box::new(
        builder
            .build()
            .unwrap_or_else(|missing| panic!("fault: a failure of {} without its {missing}", plan.id)),
    )
}

/// A failure that the engine itself has found.
pub(super) fn failure(mode: FailureMode, message: impl Into<String>) -> Failure {
    Failure { mode, message: message.into(), tail: String::new(), not_started: false }
}
