//! Questions about what agents left: a search in the library, a context for an agent.

use cuelight_base::{Seq, Timestamp};
use cuelight_exchange::{KnowledgeKind, ResultStatus};
use serde::{Deserialize, Serialize};

/// A sort of things in the library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Shelf {
    #[default]
    Results,
    Knowledge,
}

impl Shelf {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Results => "results",
            Self::Knowledge => "knowledge",
        }
    }
}

/// A search in the library.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibraryQuery {
    /// The shelf to search.
    #[serde(default)]
    pub shelf: Shelf,
    /// Project to search; `None` means the workspace's own.
    #[serde(default)]
    pub project: Option<String>,
    /// Exact name of the entry.
    #[serde(default)]
    pub id: Option<String>,
    /// About this piece of work.
    #[serde(default)]
    pub issue: Option<String>,
    /// By this agent, or one of its sessions.
    #[serde(default)]
    pub agent: Option<String>,
    /// By agents of this type.
    #[serde(default)]
    pub agent_type: Option<String>,
    /// That went like this.
    #[serde(default)]
    pub status: Option<ResultStatus>,
    /// Kind of knowledge to find.
    #[serde(default)]
    pub kind: Option<KnowledgeKind>,
    /// With any of these words, the best first.
    #[serde(default)]
    pub words: Option<String>,
    /// Left at this instant or later.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Left before this instant.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Before this event of the log.
    #[serde(default)]
    pub before: Option<Seq>,
    /// At most so many, the newest first.
    pub limit: u32,
}

/// A context that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextQuery {
    /// For this project; else for the workspace's own.
    #[serde(default)]
    pub project: Option<String>,
    /// The piece of work.
    pub issue: String,
    /// The kind of agent.
    pub agent_type: String,
    /// Limit of the context in bytes.
    pub bytes_max: u32,
}
