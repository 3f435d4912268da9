//! Topics with rules of the workspace: a schema, a signature. A message that fits is for every step that
//! waits; any other is reported, counted and kept. The fold is shared with `projection`.

use crate::{BusEvent, NewMessage};
use cuelight_base::{
    DEAD_LETTER_BYTES_MAX, DEAD_LETTERS_KEPT, MessageKind, Schema, Timestamp, Value, json_bytes, safe_text,
    shorten,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Characters of a topic in a sentence.
const SHOWN_CHARS: usize = 60;
/// Characters of the reason why a message was rejected.
const LETTER_CHARS_MAX: usize = 300;

/// The rule of a topic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TopicRule {
    /// The purpose of the topic.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The JSON Schema of a message's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// True if senders from outside have to sign their messages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
}

/// The worth of a message's signature, at the one door where signatures are checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageProof {
    /// Topics of which a key has signed it.
    #[serde(default)]
    pub good_for: Vec<String>,
    /// Why it counts for nothing elsewhere, to finish a sentence.
    #[serde(default)]
    pub wrong: Option<String>,
}

/// The fault of a message, in the order in which it is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageFault {
    /// Its topic, its id or its size.
    #[default]
    Words,
    /// The content does not fit the schema of its topic.
    Schema,
    /// The message is not signed as its topic wants it.
    Signature,
    /// Another message has its id.
    Id,
}

impl MessageFault {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Schema => "schema",
            Self::Signature => "signature",
            Self::Id => "id",
        }
    }
}

/// A rejected message as it is kept; untrusted text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its id, where it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The topic of the message.
    pub topic: String,
    /// The kind of the message.
    #[serde(default)]
    pub kind: MessageKind,
    /// The sender of the message.
    pub from: String,
    /// In which project, where that is not the workspace's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The fault in one word.
    pub fault: MessageFault,
    /// The fault in a sentence.
    pub why: String,
    /// The content; none when it is too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl DeadLetter {
    /// Returns the kept form of a rejected message.
    pub(super) fn of(
        message: &NewMessage,
        from: &str,
        project: Option<&str>,
        (fault, why): (MessageFault, &str),
    ) -> Self {
        Self {
            id: message.id.as_ref().map(|id| shorten(id, SHOWN_CHARS)),
            topic: shorten(&message.topic, SHOWN_CHARS),
            kind: message.kind,
            from: from.to_owned(),
            project: project.map(str::to_owned),
            fault,
            why: shorten(why, LETTER_CHARS_MAX),
            data: (json_bytes(&message.data) <= DEAD_LETTER_BYTES_MAX).then(|| message.data.clone()),
        }
    }
}

/// A rejected message, with its instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// The instant at which it was rejected.
    pub at: Timestamp,
    /// The message that was rejected.
    pub letter: DeadLetter,
}

/// The kind of a sender, for the checks on its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// A sender outside the engine: a program, a person, an agent.
    Outside,
    /// A step, by the plan of its run.
    Step,
    /// The engine itself, in words of its own.
    Engine,
}

/// The rules of all topics, and the last rejected messages.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    rules: BTreeMap<String, TopicRule>,
    schemas: BTreeMap<String, Schema>,
    letters: VecDeque<Arc<Rejected>>,
    rejected: BTreeMap<MessageFault, u64>,
}

/// Schemas follow from the rules.
impl PartialEq for Topics {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules && self.letters == other.letters && self.rejected == other.rejected
    }
}

impl Topics {
    /// Applies an event to the state.
    pub fn apply(&mut self, at: Timestamp, event: &BusEvent) {
        match event {
            BusEvent::Said { .. } | BusEvent::Taken { .. } => {}
            BusEvent::Declared { topics } => {
                // One that cannot be read was refused before it was declared.
                let read = |(name, rule): (&String, &TopicRule)| {
                    Some((name.clone(), Schema::read(rule.schema.as_ref()?).ok()?))
                };
                self.schemas = topics.iter().filter_map(read).collect();
                self.rules.clone_from(topics);
            }
            BusEvent::Rejected { letter, .. } => {
                *self.rejected.entry(letter.fault).or_default() += 1;
                self.letters.push_back(Arc::new(Rejected { at, letter: (**letter).clone() }));
                if self.letters.len() > DEAD_LETTERS_KEPT {
                    self.letters.pop_front();
                }
            }
        }
    }

    /// All that are declared, by name.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &TopicRule)> {
        self.rules.iter().map(|entry| (entry.0.as_str(), entry.1))
    }

    /// The rule of this topic; none when it is not declared.
    pub fn rule(&self, topic: &str) -> Option<&TopicRule> {
        self.rules.get(topic)
    }

    /// The rejected messages that are kept, the newest first.
    pub fn letters(&self) -> impl Iterator<Item = &Rejected> {
        self.letters.iter().rev().map(|letter| &**letter)
    }

    /// The number of rejected messages by fault, since the beginning of the log.
    pub fn rejected(&self) -> impl Iterator<Item = (MessageFault, u64)> {
        self.rejected.iter().map(|entry| (*entry.0, *entry.1))
    }

    /// True if exactly these rules are declared.
    pub fn are(&self, rules: &BTreeMap<String, TopicRule>) -> bool {
        self.rules == *rules
    }

    /// Checks a message against the rules of its topic and its wider subject: first its content, then its
    /// signature.
    /// A step needs no signature, because the plan of its run is on record. A sender from outside has to
    /// sign. Messages of the engine are not checked.
    pub(super) fn check(&self, new: &NewMessage, speaker: Speaker) -> Result<(), (MessageFault, String)> {
        if speaker == Speaker::Engine {
            return Ok(());
        }
        let topics = || [Some(&new.topic), new.subject.as_ref()].into_iter().flatten();
        for (topic, schema) in topics().filter_map(|topic| Some((topic, self.schemas.get(topic)?))) {
            let wrong = schema.problems(&new.data);
            if let Some(first) = wrong.first() {
                let more =
                    if wrong.len() > 1 { format!(" ({} more)", wrong.len() - 1) } else { String::new() };
                let why = safe_text(&first.to_string());
                return Err((
                    MessageFault::Schema,
                    format!("about {topic}: {why}{more}; see `cuelight event topics`"),
                ));
            }
        }
        for (topic, rule) in topics().filter_map(|topic| Some((topic, self.rules.get(topic)?))) {
            if rule.signed && speaker == Speaker::Outside && !new.proof.good_for.contains(topic) {
                let why = new.proof.wrong.as_deref().unwrap_or(
                    "it has no signature; send it over HTTP with `webhook-id`, `webhook-timestamp` and `webhook-signature`",
                );
                return Err((MessageFault::Signature, format!("about {topic}: {why}")));
            }
        }
        Ok(())
    }
}
