//! A gate: what is asked, of whom, and what their answers mean.

use super::{
    declared::fields,
    fields::{Object, Reader, first_line, one_or_many},
};
use crate::{
    Condition, Escalate, Forbidden, Gate, OnFailure, OnTimeout, Place, Placed, Quorum, Risk, Text,
    document::{
        CONSENT, CONSENTS, ESCALATE, GATE, GATE_SCOPES, ON_FAILURE, ON_TIMEOUT, PROOFS, QUORUM, RISKS,
    },
    yaml::{Node, Shape},
};
use cuelight_base::shorten;

pub(super) fn gate(reader: &mut Reader<'_, '_>, step: &Object<'_>, node: &Node) -> Option<Gate> {
    let place = step.key_place("gate").unwrap_or(node.place);
    let mut gate = plain(default_prompt(step, node), place);
    if node.is_null() {
        return Some(gate);
    }
    if let Shape::Scalar(_) = node.shape {
        gate.prompt = reader.text(node, "a gate's prompt")?;
        return Some(gate);
    }
    let found = reader.object(node, &GATE)?;
    if let Some(prompt) = found.get("prompt").and_then(|prompt| reader.text(prompt, "a prompt")) {
        gate.prompt = prompt;
    }
    gate.claim = found.get("claim").and_then(|claim| reader.text(claim, "a claim"));
    answers(reader, &found, &mut gate);
    people(reader, &found, &mut gate);
    gate.evidence =
        found.get("evidence").map(|evidence| reader.texts(evidence, "evidence")).unwrap_or_default();
    gate.binds = found.get("binds").map(|binds| reader.texts(binds, "a bound value")).unwrap_or_default();
    gate.form = found.get("form").map(|form| fields(reader, form, "a form field")).unwrap_or_default();
    gate.auto = found.get("auto").and_then(|auto| reader.expression(auto, "`auto`"));
    gate.snapshot = found.get("consent").and_then(|consent| snapshot(reader, consent));
    Some(gate)
}

/// Patterns of the files that are captured; nothing where the files that calls name are bound.
fn snapshot(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Vec<Text>> {
    if let Shape::Scalar(_) = node.shape {
        let is_captured = reader.one_of(node, "`consent`", CONSENTS, &[false, true])?;
        return is_captured.then(Vec::new);
    }
    let found = reader.object(node, &CONSENT)?;
    let patterns = found.get("snapshot").map(one_or_many).unwrap_or_default();
    Some(patterns.iter().filter_map(|pattern| reader.word(pattern, "a pattern")).collect())
}

/// The gate settings for the calls of a model. Settings that could make an approval easier are not read.
pub(super) fn of_calls(reader: &mut Reader<'_, '_>, found: &Object<'_>, place: Place) -> Gate {
    let mut gate = Gate { risk: Risk::ReadOnly, ..plain(Placed::new(String::new(), place), place) };
    answers(reader, found, &mut gate);
    people(reader, found, &mut gate);
    gate
}

/// A gate at which any one person answers, and that waits for ever.
fn plain(prompt: Text, place: Place) -> Gate {
    Gate {
        prompt,
        claim: None,
        risk: Risk::default(),
        require: Vec::new(),
        forbid: Vec::new(),
        evidence: Vec::new(),
        binds: Vec::new(),
        form: Vec::new(),
        auto: None,
        remind: Vec::new(),
        escalate: None,
        timeout: None,
        on_timeout: OnTimeout::default(),
        on_reject: OnFailure::default(),
        undo_window: None,
        whole_matrix: false,
        reason_required: false,
        touch: false,
        send_back: None,
        snapshot: None,
        place,
    }
}

/// The prompt of a gate that has none: `Go on with "Deploy"?`.
fn default_prompt(step: &Object<'_>, node: &Node) -> Text {
    let text = |key: &str| match step.get(key).map(|node| &node.shape) {
        Some(Shape::Scalar(scalar)) if !scalar.text.contains("${{") => Some(scalar.text.as_str()),
        _ => None,
    };
    let name = text("name").or_else(|| text("id")).unwrap_or("this step");
    Placed::new(format!("Go on with {name}?"), node.place)
}

/// The damage that a wrong approval or call could do.
pub(super) fn risk(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Risk> {
    let values = [Risk::ReadOnly, Risk::Reversible, Risk::ExternallyReversible, Risk::Irreversible];
    reader.one_of(node, "`risk`", RISKS, &values)
}

/// The effect of a failure, or of a rejection, on the rest of the run.
pub(super) fn on_failure(reader: &mut Reader<'_, '_>, node: &Node, what: &str) -> Option<OnFailure> {
    reader.one_of(node, what, ON_FAILURE, &[OnFailure::Stop, OnFailure::Continue, OnFailure::Compensate])
}

fn answers(reader: &mut Reader<'_, '_>, found: &Object<'_>, gate: &mut Gate) {
    if let Some(risk) = found.get("risk").and_then(|node| risk(reader, node)) {
        gate.risk = risk;
    }
    gate.timeout = found.get("timeout").and_then(|timeout| reader.positive_duration(timeout, "a timeout"));
    if let Some(node) = found.get("on-timeout") {
        let values = [OnTimeout::Reject, OnTimeout::Approve, OnTimeout::Escalate];
        gate.on_timeout = reader.one_of(node, "`on-timeout`", ON_TIMEOUT, &values).unwrap_or_default();
    }
    if let Some(node) = found.get("on-reject") {
        gate.on_reject = on_failure(reader, node, "`on-reject`").unwrap_or_default();
    }
    gate.send_back = found.get("send-back").and_then(|send_back| reader.word(send_back, "a step"));
    gate.undo_window =
        found.get("undo-window").and_then(|undo_window| reader.duration(undo_window, "`undo-window`"));
    if let Some(node) = found.get("scope") {
        gate.whole_matrix = reader.one_of(node, "`scope`", GATE_SCOPES, &[false, true]).unwrap_or_default();
    }
    if let Some(node) = found.get("reason") {
        gate.reason_required =
            reader.one_of(node, "`reason`", &["optional", "required"], &[false, true]).unwrap_or_default();
    }
    if let Some(node) = found.get("proof") {
        gate.touch = reader.one_of(node, "`proof`", PROOFS, &[true]).unwrap_or_default();
    }
    for node in found.get("remind").map(one_or_many).unwrap_or_default() {
        gate.remind.extend(reader.positive_duration(node, "a reminder"));
    }
    gate.remind.sort_unstable();
    gate.remind.dedup();
    if let Some(escalate) = found.get("escalate").and_then(|escalate| reader.object(escalate, &ESCALATE)) {
        let after = escalate.get("after").and_then(|node| reader.positive_duration(node, "`after`"));
        let to = escalate.get("to").and_then(|node| reader.text(node, "`to`"));
        gate.escalate = after.zip(to).map(|(after, to)| Escalate { after, to });
    }
}

fn people(reader: &mut Reader<'_, '_>, found: &Object<'_>, gate: &mut Gate) {
    for node in found.get("require").map(one_or_many).unwrap_or_default() {
        gate.require.extend(quorum(reader, node));
    }
    for node in found.get("forbid").map(one_or_many).unwrap_or_default() {
        gate.forbid.extend(forbidden(reader, node));
    }
}

/// `{group: sre, count: 2}`, or only the name of a group.
fn quorum(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Quorum> {
    let place = first_line(reader.findings.source, node.place);
    if let Shape::Scalar(_) = node.shape {
        let group = group(reader.word(node, "a group")?);
        return Some(Quorum { group: Some(group), count: 1, place });
    }
    let found = reader.object(node, &QUORUM)?;
    let count = found.get("count").and_then(|count| reader.small(count, "`count`", 1, 100)).unwrap_or(1);
    Some(Quorum {
        group: found.get("group").and_then(|group| reader.word(group, "a group")).map(group),
        count,
        place,
    })
}

fn group(mut name: Placed<String>) -> Placed<String> {
    if let Some(rest) = name.value.strip_prefix("group:") {
        name.value = rest.to_owned();
    }
    name
}

/// A person, `group:name`, or an expression: with `${{ }}`, or a bare reference such as `run.actor`.
fn forbidden(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Forbidden> {
    let Shape::Scalar(scalar) = &node.shape else {
        reader.wrong_type(node, "an entry of `forbid` is a person, group:name or run.actor");
        return None;
    };
    let text = scalar.text.trim();
    let lower = text.to_ascii_lowercase();
    let rest = ["run", "steps", "inputs"].iter().find_map(|root| lower.strip_prefix(root));
    let is_reference = rest.is_some_and(|rest| rest.starts_with(['.', '[']));
    if text.contains("${{") || is_reference && cuelight_expression::parse(text).is_ok() {
        return reader
            .expression(node, "an entry of `forbid`")
            .map(|expression: Condition| Forbidden::Expression(expression));
    }
    if text.is_empty() || text.contains(char::is_whitespace) {
        let message = format!("`{}` is no person, group or expression", shorten(text, 60));
        reader.findings.error("value", node.place, message).help("write ann, group:sre or run.actor");
        return None;
    }
    Some(Forbidden::Named(Placed::new(text.to_owned(), node.place)))
}
