//! The library: results and knowledge that agents leave for later ones.
//! The fold keeps the used ids and the digest of each content. The content is in the log and beside it, and
//! is found by a list that is derived from the log.

use crate::LibraryEvent;
use cuelight_base::{
    Digest, KNOWLEDGE_BYTES_MAX, LIBRARY_IDS_MAX, RESULT_BYTES_MAX, Span, Timestamp, Value, ValueMap,
    canonical_json, is_agent, is_agent_type, is_name, json_bytes, sha256,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The time for which the id of a piece of knowledge is remembered.
const KNOWLEDGE_ID_KEPT: Span = Span::seconds(30 * 24 * 3600);

/// The result of an agent's work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentResult {
    /// Tells it from every other; the same id again is the same result.
    pub id: String,
    /// The piece of work it is about.
    pub issue: String,
    /// The author of the result: an agent, or a session of one.
    pub agent: String,
    /// The type of that agent.
    pub agent_type: String,
    /// The status of the work.
    pub status: ResultStatus,
    /// When the agent says it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_at: Option<Timestamp>,
    /// The content, untrusted; none when it is too large for the log and kept as a blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The blob that holds a large content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<Digest>,
    /// The digest of the content, which tells two results apart.
    #[serde(default)]
    pub digest: Digest,
    /// The size of the content in bytes.
    #[serde(default)]
    pub bytes: u64,
    /// A door of the engine gave its id because nobody else did, and hands it in once: no second try of it
    /// comes under that id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub named_by_engine: bool,
    /// The sender's place in a trace, as the W3C writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// The status of an agent's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "StatusWord")]
#[expect(missing_docs, reason = "the words say it")]
pub enum ResultStatus {
    Success,
    Failed,
    Partial,
}

impl ResultStatus {
    /// All values, in the order of the declaration.
    pub const ALL: &'static [Self] = &[Self::Success, Self::Failed, Self::Partial];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Partial => "partial",
        }
    }

    /// The status of this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.word() == word)
    }
}

/// A piece of knowledge of an agent, for others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knowledge {
    /// Tells it from every other; the same id again is the same.
    pub id: String,
    /// The subject of the knowledge.
    #[serde(default)]
    pub kind: KnowledgeKind,
    /// The text of the knowledge, untrusted.
    pub text: String,
    /// The piece of work it came from, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<String>,
    /// The author: an agent, a session of one, or a person.
    pub agent: String,
    /// The type of that agent; none for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<String>,
    /// More details about it, untrusted.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub metadata: ValueMap,
    /// A door of the engine gave its id because nobody else did, and hands it in once: no second try of it
    /// comes under that id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub named_by_engine: bool,
}

/// The subject of a piece of knowledge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "KnowledgeWord")]
#[expect(missing_docs, reason = "the words are those of the origins")]
pub enum KnowledgeKind {
    Decision,
    Architecture,
    Implementation,
    Configuration,
    Issue,
    #[default]
    General,
}

impl KnowledgeKind {
    /// All values, in the order of the declaration.
    pub const ALL: &'static [Self] = &[
        Self::Decision,
        Self::Architecture,
        Self::Implementation,
        Self::Configuration,
        Self::Issue,
        Self::General,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Architecture => "architecture",
            Self::Implementation => "implementation",
            Self::Configuration => "configuration",
            Self::Issue => "issue",
            Self::General => "general",
        }
    }

    /// The kind of this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

/// The ids in the library that can be repeated, and the content stored under each: halves of hashes, so that
/// many have room. Ids that the engine gave are not among them, because nobody repeats them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Library {
    ids: BTreeMap<u128, u128>,
    /// The oldest goes first when there is no more room.
    ends: BTreeSet<(Timestamp, u128)>,
}

impl Library {
    /// Applies an event to the state.
    pub fn apply(&mut self, at: Timestamp, event: &LibraryEvent) {
        let (id, digest, until) = match event {
            LibraryEvent::HandedIn { result, .. } if result.named_by_engine => return,
            LibraryEvent::Learned { knowledge, .. } if knowledge.named_by_engine => return,
            LibraryEvent::HandedIn { result, until, .. } => (&result.id, result.digest, *until),
            LibraryEvent::Learned { knowledge, .. } => {
                (&knowledge.id, knowledge.digest(), at + KNOWLEDGE_ID_KEPT)
            }
        };
        while let Some((end, _)) = self.ends.first()
            && (*end <= at || self.ends.len() >= LIBRARY_IDS_MAX)
        {
            let Some((_, id)) = self.ends.pop_first() else { return };
            self.ids.remove(&id);
        }
        let id = id_hash(id);
        if self.ids.insert(id, digest.half()).is_none() {
            self.ends.insert((until, id));
        }
    }

    /// `Some(true)` if this was stored under this id; `Some(false)` if other content was; `None` if the id is
    /// free.
    fn has(&self, id: &str, digest: Digest) -> Option<bool> {
        self.ids.get(&id_hash(id)).map(|id| *id == digest.half())
    }
}

fn id_hash(id: &str) -> u128 {
    sha256("cuelight-library-id-v1", &[id.as_bytes()]).half()
}

impl Library {
    /// Checks a result that an agent hands in; true when it is stored already.
    ///
    /// # Errors
    /// The reason why it is not taken.
    pub fn has_result(&self, result: &AgentResult) -> Result<bool, String> {
        let refuse = |why: &str| Err(format!("could not take the result: {why}"));
        if !is_name(&result.id) || !is_name(&result.issue) {
            return refuse("its id or the id of its issue is none; use letters, digits and `_.:-`");
        }
        if !is_agent(&result.agent) || !is_agent_type(&result.agent_type) {
            return refuse("that is no agent, or no type of one; use letters, digits and `_.:-`");
        }
        if result.bytes > RESULT_BYTES_MAX as u64
            || result.body.as_ref().map_or(0, json_bytes) > RESULT_BYTES_MAX
        {
            return refuse("it is larger than 10 MiB; put what is large into files");
        }
        if result.body.is_none() && result.blob.is_none() {
            return refuse("it says nothing");
        }
        match self.has(&result.id, result.digest) {
            Some(true) => Ok(true),
            Some(false) => refuse("another one was handed in under its id; use another id"),
            None => Ok(false),
        }
    }

    /// Checks a piece of knowledge; true when it is stored already.
    ///
    /// # Errors
    /// The reason why it is not kept.
    pub fn has_knowledge(&self, knowledge: &Knowledge) -> Result<bool, String> {
        let refuse = |why: &str| Err(format!("could not keep the knowledge: {why}"));
        let issue = knowledge.issue.as_deref();
        if !is_name(&knowledge.id) || issue.is_some_and(|issue| !is_name(issue)) {
            return refuse("its id or the id of its issue is none; use letters, digits and `_.:-`");
        }
        let agent_type = knowledge.agent_type.as_deref();
        if knowledge.agent.is_empty()
            || agent_type.is_some_and(|agent_type| !is_agent_type(agent_type) || !is_agent(&knowledge.agent))
        {
            return refuse("that is no agent, or no type of one; use letters, digits and `_.:-`");
        }
        if knowledge.text.trim().is_empty() {
            return refuse("it says nothing");
        }
        if knowledge.text.len() > KNOWLEDGE_BYTES_MAX || json_bytes(&knowledge.metadata) > KNOWLEDGE_BYTES_MAX
        {
            return refuse(
                "it is larger than 64 KiB; put what is large into files, or hand it in as a result",
            );
        }
        match self.has(&knowledge.id, knowledge.digest()) {
            Some(true) => Ok(true),
            Some(false) => refuse("something else is known under its id; use another id"),
            None => Ok(false),
        }
    }
}

impl Knowledge {
    /// By which it is told from what else could have its id.
    pub fn digest(&self) -> Digest {
        sha256("cuelight-knowledge-v1", &[canonical_json(self).as_bytes()])
    }
}

/// The id of the message that announces a stored result.
pub fn completed(result: &str) -> String {
    let short: String = result.chars().take(80).collect();
    format!("{short}.completed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::{Actor, RESULT_KEPT};

    fn result(id: &str, named_by_engine: bool) -> AgentResult {
        AgentResult {
            id: id.to_owned(),
            issue: "SHOP-12".to_owned(),
            agent: "reviewer-1".to_owned(),
            agent_type: "qa".to_owned(),
            status: ResultStatus::Success,
            said_at: None,
            body: Some(Value::Null),
            blob: None,
            digest: Digest::default(),
            bytes: 4,
            named_by_engine,
            trace: None,
        }
    }

    fn knowledge(id: &str, named_by_engine: bool) -> Knowledge {
        Knowledge {
            id: id.to_owned(),
            kind: KnowledgeKind::General,
            text: "Prices are kept in cents".to_owned(),
            issue: None,
            agent: "reviewer-1".to_owned(),
            agent_type: None,
            metadata: ValueMap::new(),
            named_by_engine,
        }
    }

    #[test]
    fn what_was_handed_in_without_an_id_makes_nobody_forget_an_id_that_was_given() {
        let (at, by, mut library) = (Timestamp(0), Actor::engine(), Library::default());
        let mut hand_in = |result: AgentResult| {
            let until = at + RESULT_KEPT;
            library.apply(at, &LibraryEvent::HandedIn { result: Box::new(result), until, by: by.clone() });
        };
        hand_in(result("mine", false));
        (0..LIBRARY_IDS_MAX).for_each(|index| hand_in(result(&format!("r-{index}"), true)));
        let mut learn = |knowledge: Knowledge| {
            library.apply(at, &LibraryEvent::Learned { knowledge: Box::new(knowledge), by: by.clone() });
        };
        learn(knowledge("known", false));
        (0..10).for_each(|index| learn(knowledge(&format!("k-{index}"), true)));
        let said = (library.has("mine", Digest::default()), library.has("mine", Digest([1; 32])));
        assert_eq!(said, (Some(true), Some(false)));
        assert_eq!(library.has("known", knowledge("known", false).digest()), Some(true));
        assert_eq!(library.ids.len(), 2, "those that the engine gave take no room");
    }
}
