//! Messages that steps, programs and people send each other, each under a topic. The words are those of O3's
//! and O5's buses.
//!
//! The engine decides who waits for a message, and what follows when it comes.

use crate::{Score, Timestamp, Value, ValueMap};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Characters of a topic, an id, a name in a message.
pub const MESSAGE_WORD_CHARS_MAX: usize = 100;

/// A message, as everybody of its project sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Tells it from every other; the same id again is the same message.
    pub id: String,
    /// The topic of the message: `deploy`, `review/api`.
    pub topic: String,
    /// The kind of the message.
    #[serde(default)]
    pub kind: MessageKind,
    /// The sender: a step with its run, or a person.
    pub from: String,
    /// The addressee; none when the message is for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The id of the conversation or message that it belongs to or answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// The content of the message; untrusted.
    pub data: Value,
    /// The instant from which nobody receives the message any more.
    pub expires_at: Timestamp,
    /// The project that alone sees the message; none for the workspace's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The wider subject that it belongs to, if it is not the topic itself: `security`, `deployment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The quality of service that its sender relies on.
    #[serde(default, skip_serializing_if = "Qos::is_usual")]
    pub qos: Qos,
    /// The priority of the message.
    #[serde(default, skip_serializing_if = "Priority::is_usual")]
    pub priority: Priority,
    /// Notes about the message: where it comes from, by which program; untrusted.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub meta: ValueMap,
    /// True if the engine gave its id. Nobody knew the id before the message was sent, so no second try of it
    /// comes under that id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub named_by_engine: bool,
    /// The sender's place in a trace, as the W3C writes it. It is no part of the content: the same message
    /// may come again from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// The quality of service that the sender of a message relies on.
/// Each acknowledged message is on disk. None is shown twice to a reader who continues after the one before
/// it. So only `ExactlyOnce` asks for more: an id of the sender's own, without which a second try is a second
/// message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words are those of the origins")]
pub enum Qos {
    AtMostOnce,
    #[default]
    AtLeastOnce,
    ExactlyOnce,
}

impl Qos {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::AtMostOnce => "at-most-once",
            Self::AtLeastOnce => "at-least-once",
            Self::ExactlyOnce => "exactly-once",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// The priority of a message, for its readers; no message is delivered sooner for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
    Critical,
}

impl Priority {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words are those of the origins")]
pub enum MessageKind {
    #[default]
    Event,
    Task,
    ToolCall,
    DebateProposal,
    DebateCritique,
    DebateDecision,
    Control,
    Error,
}

impl MessageKind {
    /// All of them with their words.
    pub const ALL: [(&'static str, Self); 8] = [
        ("event", Self::Event),
        ("task", Self::Task),
        ("tool-call", Self::ToolCall),
        ("debate-proposal", Self::DebateProposal),
        ("debate-critique", Self::DebateCritique),
        ("debate-decision", Self::DebateDecision),
        ("control", Self::Control),
        ("error", Self::Error),
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|kind| kind.1 == self).map_or("event", |kind| kind.0)
    }

    /// The kind that a word means.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|kind| kind.0 == word).map(|kind| kind.1)
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// True if a text can be a topic: letters, digits, `.`, `-`, `_` and `/`, first a letter or digit.
pub fn is_topic(text: &str) -> bool {
    text.len() <= MESSAGE_WORD_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/'))
}

impl Message {
    /// The subject it belongs to; the topic when no wider one is set.
    pub fn subject(&self) -> &str {
        self.subject.as_deref().unwrap_or(&self.topic)
    }

    /// True if the message matches every entry of the filter.
    /// The names `type`, `from`, `to` and `correlation` mean the message itself. Any other name is a field of
    /// its content, by a path of names. `qos` and `priority` mean the message where the content has no such
    /// field.
    /// Values are compared as they are written: `3` is `"3"`; a list or an object is no text.
    pub fn has(&self, filter: &[(String, Value)]) -> bool {
        filter.iter().all(|(name, wanted)| match name.as_str() {
            "type" => is_word(self.kind.word(), wanted),
            "from" => is_word(&self.from, wanted),
            "to" => self.to.as_ref().is_some_and(|text| is_word(text, wanted)),
            "correlation" => {
                self.correlation.as_ref().is_some_and(|correlation| is_word(correlation, wanted))
            }
            "qos" if self.data.get(name).is_none() => is_word(self.qos.word(), wanted),
            "priority" if self.data.get(name).is_none() => is_word(self.priority.word(), wanted),
            path => {
                let field = path.split('.').try_fold(&self.data, |at, name| at.get(name));
                field.is_some_and(|field| is_same(field, wanted))
            }
        })
    }

    /// The score of a proposal, by O5's measure: 0.4 evidence, 0.25 confidence, 0.15 for low cost and 0.2 for
    /// low risk.
    /// None when the content has no evidence or no confidence.
    pub fn debate_score(&self) -> Option<Score> {
        let share = |name: &str| self.data.get(name).and_then(share);
        let left = |name: &str| 10_000 - share(name).unwrap_or(0);
        let sum = 4000 * share("evidence")?
            + 2500 * share("confidence")?
            + 1500 * left("cost")
            + 2000 * left("risk");
        u16::try_from((sum + 5000) / 10_000).ok().map(Score)
    }

    /// As a step that waited for it sees it.
    pub fn outputs(&self) -> ValueMap {
        let mut out = ValueMap::new();
        let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
        put("id", self.id.clone().into());
        put("topic", self.topic.clone().into());
        put("type", self.kind.word().into());
        put("from", self.from.clone().into());
        put("data", self.data.clone());
        if let Some(correlation) = &self.correlation {
            put("correlation", correlation.clone().into());
        }
        if let Some(score) = self.debate_score() {
            put("score", score.to_string().into());
        }
        out
    }
}

/// A number from 0 to 1 in ten-thousandths; more than 1 counts as 1.
fn share(value: &Value) -> Option<u32> {
    let text = text(value);
    let whole = text.split('.').next().unwrap_or_default();
    let is_more = !whole.is_empty()
        && whole.bytes().all(|byte| byte.is_ascii_digit())
        && !whole.trim_start_matches('0').is_empty();
    Score::parse(&text).map(|score| u32::from(score.0)).or_else(|| is_more.then_some(10_000))
}

/// True if a value is written like this word.
fn is_word(word: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => text == word,
        Value::Array(_) | Value::Object(_) => false,
        value => text(value) == word,
    }
}

/// True if two values are written the same way; nothing is copied that may be large.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(word), value) | (value, Value::String(word)) => is_word(word, value),
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => one == other,
        _ => text(one) == text(other),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(data: Value) -> Message {
        Message {
            id: "m-1".to_owned(),
            topic: "review".to_owned(),
            kind: MessageKind::DebateProposal,
            from: "ann".to_owned(),
            correlation: Some("c1".to_owned()),
            data,
            ..Message::default()
        }
    }

    #[test]
    fn a_filter_sees_the_envelope_and_what_is_said() {
        let message = message(json!({"env": "prod", "change": {"id": 7}}));
        let has = |name: &str, value: Value| message.has(&[(name.to_owned(), value)]);
        assert!(has("env", json!("prod")) && has("change.id", json!("7")) && has("change.id", json!(7)));
        assert!(
            has("type", json!("debate-proposal"))
                && has("from", json!("ann"))
                && has("correlation", json!("c1"))
        );
        assert!(has("change", json!({"id": 7})) && !has("change", json!({"id": 8})));
        assert!(!has("change", json!("{\"id\":7}")), "what is large is not written out to be compared");
        assert!(!has("env", json!("dev")) && !has("change.no", json!(7)) && !has("to", json!("bob")));
    }

    #[test]
    fn a_proposal_is_weighed_as_the_origin_does() {
        let score = |data| message(data).debate_score().map(|debate_score| debate_score.0);
        assert_eq!(score(json!({"evidence": 1, "confidence": 1})), Some(10_000));
        assert_eq!(score(json!({"evidence": 0.5, "confidence": 0.8, "cost": 0.2, "risk": 0.5})), Some(6_200));
        assert_eq!(score(json!({"evidence": 0, "confidence": 0, "cost": 12.5, "risk": 1})), Some(0));
        assert_eq!(score(json!({"confidence": 1})), None);
        assert_eq!(score(json!({"evidence": -1, "confidence": 1})), None);
    }

    #[test]
    fn topics_are_plain_words() {
        assert!(
            is_topic("deploy")
                && is_topic("review/api.v2")
                && !is_topic("")
                && !is_topic("a b")
                && !is_topic("/a")
        );
        assert!(!is_topic(&"x".repeat(MESSAGE_WORD_CHARS_MAX + 1)));
    }
}
