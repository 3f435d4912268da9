//! Messages between steps and runs: one is waited for, or one is sent.

use crate::document::{EMIT, MESSAGE_KINDS, WAIT};
use crate::read::fields::{Reader, first_line};
use crate::yaml::{Node, Shape};
use crate::{Emit, Length, Text, Wait};
use cuelight_base::{MESSAGES_AT_ONCE_MAX, MessageKind, is_topic, shorten};

pub(super) fn wait(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Wait> {
    if let Shape::Scalar(_) = node.shape {
        return length(reader, node).map(Wait::For);
    }
    let found = reader.object(node, &WAIT)?;
    let given = ["for", "until", "event"].iter().filter(|key| found.get(key).is_some()).count();
    if given != 1 {
        let place = first_line(reader.findings.source, node.place);
        reader
            .findings
            .error("kind", place, "`wait` has exactly one of `for`, `until` and `event`")
            .help("a bare duration is enough: wait: 30s");
        return None;
    }
    if let Some(node) = found.get("for") {
        return length(reader, node).map(Wait::For);
    }
    if let Some(node) = found.get("until") {
        let text = reader.text(node, "an instant")?;
        if !text.value.contains("${{") && chrono::DateTime::parse_from_rfc3339(&text.value).is_err() {
            reader
                .findings
                .error("value", node.place, "could not read the instant")
                .help("write RFC 3339 with its zone: 2027-01-31T06:00:00+01:00");
        }
        return Some(Wait::Until(text));
    }
    let filter =
        found.get("filter").map(|filter| reader.values(filter, "`filter` is a mapping")).unwrap_or_default();
    let topic = found.get("event").and_then(|event| reader.text(event, "an event"))?;
    let count = found
        .get("count")
        .and_then(|count| reader.small(count, "`count`", 1, MESSAGES_AT_ONCE_MAX))
        .unwrap_or(1);
    topic_is_fit(reader, &topic);
    Some(Wait::Event { topic, filter, count })
}

fn length(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Length> {
    match &node.shape {
        Shape::Scalar(scalar) if scalar.text.contains("${{") => {
            reader.text(node, "a duration").map(Length::Computed)
        }
        _ => reader.duration(node, "a wait").map(Length::Fixed),
    }
}

fn topic_is_fit(reader: &mut Reader<'_, '_>, topic: &Text) {
    if !topic.value.contains("${{") && !is_topic(&topic.value) {
        reader
            .findings
            .error("value", topic.place, format!("`{}` cannot be a topic", shorten(&topic.value, 60)))
            .help("letters, digits, `.`, `-`, `_` and `/`, such as deploy/done");
    }
}

pub(super) fn emit(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Emit> {
    let found = reader.object(node, &EMIT)?;
    let mut word = |key: &str| found.get(key).and_then(|node| reader.text(node, &format!("`{key}`")));
    let (id, to, correlation) = (word("id"), word("to"), word("correlation"));
    let kinds: Vec<MessageKind> = MessageKind::ALL.iter().map(|kind| kind.1).collect();
    let kind = found.get("type").and_then(|node| reader.one_of(node, "`type`", MESSAGE_KINDS, &kinds));
    let topic = found.get("event").and_then(|event| reader.text(event, "an event"))?;
    topic_is_fit(reader, &topic);
    Some(Emit {
        topic,
        kind: kind.unwrap_or_default(),
        id,
        to,
        correlation,
        data: found.get("data").map(|data| reader.data(data)),
        ttl: found.get("ttl").and_then(|ttl| reader.duration(ttl, "`ttl`")),
    })
}
