//! The library: what agents leave for those who come after, as results of their work. The fold keeps which ids were used and for
//! what; what was said is in the log and beside it, and is found by a list that is derived from the log.

use crate::{
    base::{
        Digest, LIBRARY_IDS_MAX, RESULT_BYTES_MAX, RESULT_KEPT, Span, Timestamp, Value, is_agent,
        is_agent_type, is_name, json_bytes,
    },
    engine::{Actor, Fact, LibraryEvent, NewMessage, Refusal, handle::Turn},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// What is said on the bus when a result was handed in.
const COMPLETED: &str = "agent_completed";
/// The subject that belongs to.
const SUBJECT: &str = "implementation";

/// What came of the work of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentResult {
    /// Tells it from every other; the same id again is the same result.
    pub id: String,
    /// The piece of work it is about.
    pub issue: String,
    /// Whose it is: an agent, or a session of one.
    pub agent: String,
    /// What kind of agent that is.
    pub agent_type: String,
    /// How it went.
    pub status: ResultStatus,
    /// When the agent says it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_at: Option<Timestamp>,
    /// What it says, foreign; nothing where it is too large for the log and kept as a blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<Digest>,
    /// The digest of what it says, by which two results are told apart.
    #[serde(default)]
    pub digest: Digest,
    /// Bytes of what it says.
    #[serde(default)]
    pub bytes: u64,
}

/// How the work of an agent went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum ResultStatus {
    Success,
    Failed,
    Partial,
}

impl ResultStatus {
    /// All of them.
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
        Self::ALL.iter().copied().find(|it| it.word() == word)
    }
}

/// The ids of what is in the library, and what was handed in under each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Library {
    ids: BTreeMap<String, Digest>,
    /// The oldest goes first when there is no more room.
    ends: BTreeSet<(Timestamp, String)>,
}

impl Library {
    /// The fold.
    pub(super) fn apply(&mut self, at: Timestamp, event: &LibraryEvent) {
        let LibraryEvent::HandedIn { result, until, .. } = event;
        while let Some((end, _)) = self.ends.first()
            && (*end <= at || self.ends.len() >= LIBRARY_IDS_MAX)
        {
            let Some((_, id)) = self.ends.pop_first() else { return };
            self.ids.remove(&id);
        }
        if self.ids.insert(result.id.clone(), result.digest).is_none() {
            self.ends.insert((*until, result.id.clone()));
        }
    }
}

impl Turn<'_> {
    /// An agent hands in what came of its work. Whoever waits for that hears it.
    pub(super) fn hand_in(
        &mut self,
        result: AgentResult,
        kept_for: Option<Span>,
        by: Actor,
    ) -> Result<(), Refusal> {
        let refused = |why: &str| Err(Refusal::Other(format!("the result is not taken: {why}")));
        if !is_name(&result.id) || !is_name(&result.issue) {
            return refused("its id or the id of its issue is none; use letters, digits and `_.:-`");
        }
        if !is_agent(&result.agent) || !is_agent_type(&result.agent_type) {
            return refused("that is no agent, or no type of one; use letters, digits and `_.:-`");
        }
        if result.bytes > RESULT_BYTES_MAX as u64
            || result.body.as_ref().map_or(0, json_bytes) > RESULT_BYTES_MAX
        {
            return refused("it is larger than 10 MiB; put what is large into files");
        }
        if result.body.is_none() && result.blob.is_none() {
            return refused("it says nothing");
        }
        match self.world.library.ids.get(&result.id) {
            Some(known) if *known == result.digest => return Ok(()),
            Some(_) => return refused("another one was handed in under its id; use another id"),
            None => {}
        }
        let data = json!({
            "result_id": result.id,
            "issue_id": result.issue,
            "agent_id": result.agent,
            "agent_type": result.agent_type,
            "status": result.status.word(),
        });
        let id = Some(completed(&result.id));
        let said = NewMessage {
            id,
            topic: COMPLETED.to_owned(),
            data,
            session: result.agent.split_once('/').map(|it| it.1.to_owned()),
            subject: Some(SUBJECT.to_owned()),
            ..NewMessage::default()
        };
        // First, because it may be refused.
        self.publish(said, by.clone())?;
        let until = self.now + kept_for.unwrap_or(RESULT_KEPT);
        self.emit(Fact::Library(LibraryEvent::HandedIn { result: Box::new(result), until, by }));
        Ok(())
    }
}

/// The id of the message that says that a result was handed in.
pub fn completed(result: &str) -> String {
    let short: String = result.chars().take(80).collect();
    format!("{short}.completed")
}
