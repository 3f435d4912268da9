//! Topics of which the workspace says what has to be so: a schema, a signature. What fits is for everybody who waits; what does not is told,
//! counted and kept. The fold is shared with `projection`.

use crate::{BusEvent, NewMessage, tell::Speaker};
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
/// Characters of why a message was no good.
const LETTER_CHARS_MAX: usize = 300;

/// What has to be so about a topic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TopicRule {
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The JSON Schema of what is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Whether whoever is outside has to sign it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
}

/// What the signature of a message was worth, at the one door where signatures are checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageProof {
    /// Topics of which a key has signed it.
    #[serde(default)]
    pub good_for: Vec<String>,
    /// Why it counts for nothing elsewhere, to finish a sentence.
    #[serde(default)]
    pub wrong: Option<String>,
}

/// What was wrong with a message, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageFault {
    /// Its topic, its id or its size.
    #[default]
    Words,
    /// It does not fit the schema of its topic.
    Schema,
    /// It is not signed as its topic wants it.
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

/// What is kept of a message that was no good; foreign text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its id, where it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it is about.
    pub topic: String,
    /// What it is.
    #[serde(default)]
    pub kind: MessageKind,
    /// Who wanted to say it.
    pub from: String,
    /// In which project, where that is not the workspace's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// What is wrong with it, in a word …
    pub fault: MessageFault,
    /// … and in more.
    pub why: String,
    /// What it says, where that is not too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl DeadLetter {
    /// What is kept of a message that was no good.
    pub(super) fn of(
        message: &NewMessage,
        from: &str,
        project: Option<&str>,
        (fault, why): (MessageFault, &str),
    ) -> Self {
        Self {
            id: message.id.as_ref().map(|it| shorten(it, SHOWN_CHARS)),
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

/// One that was no good, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// When.
    pub at: Timestamp,
    /// What.
    pub letter: DeadLetter,
}

/// All topics of which something is said, and what was no good last.
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
    /// The fold.
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
        self.rules.iter().map(|it| (it.0.as_str(), it.1))
    }

    /// What has to be so about this one.
    pub fn rule(&self, topic: &str) -> Option<&TopicRule> {
        self.rules.get(topic)
    }

    /// What was no good, the newest first.
    pub fn letters(&self) -> impl Iterator<Item = &Rejected> {
        self.letters.iter().rev().map(|it| &**it)
    }

    /// How often what was wrong, ever.
    pub fn rejected(&self) -> impl Iterator<Item = (MessageFault, u64)> {
        self.rejected.iter().map(|it| (*it.0, *it.1))
    }

    /// Whether these are declared, and no others.
    pub fn are(&self, rules: &BTreeMap<String, TopicRule>) -> bool {
        self.rules == *rules
    }

    /// Whether a message may be said about its topic and its wider one: first what it says, then who has signed it. A step says it by the plan
    /// of its run, which is on record; whoever is outside has to sign. What the engine says is as it always is.
    pub(super) fn check(&self, new: &NewMessage, speaker: Speaker) -> Result<(), (MessageFault, String)> {
        if speaker == Speaker::Engine {
            return Ok(());
        }
        let topics = || [Some(&new.topic), new.subject.as_ref()].into_iter().flatten();
        for (topic, schema) in topics().filter_map(|it| Some((it, self.schemas.get(it)?))) {
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
        for (topic, rule) in topics().filter_map(|it| Some((it, self.rules.get(it)?))) {
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
