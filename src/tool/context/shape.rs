//! A context as it is told: stored by those who keep it, and described by the API.

use cuelight_base::Value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an agent is to know.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextBody {
    /// How the project is built.
    pub project_structure: ProjectStructure,
    /// Files that matter for the work, those that matter most first.
    pub relevant_files: Vec<RelevantFile>,
    /// Where its history stands.
    pub git_context: GitContext,
    /// What other agents said of this piece of work, the newest first.
    pub previous_agent_outputs: Vec<AgentOutput>,
    /// More.
    pub metadata: Metadata,
}

/// How a project is built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectStructure {
    /// The name of its directory.
    pub root: String,
    /// Paths below it; not all where it is large.
    pub files: Vec<String>,
    /// Directories below it; likewise.
    pub directories: Vec<String>,
    /// How many files there are.
    pub total_files: u64,
    /// Their bytes.
    pub total_size_bytes: u64,
}

/// A file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RelevantFile {
    /// Below the root.
    pub path: String,
    /// What it says; secrets are masked.
    pub content: String,
    /// When it was changed last.
    pub last_modified: String,
    /// Bytes of the whole file.
    pub size: u64,
    /// In which language it is written, where that is known.
    pub language: Option<String>,
    /// SHA-256 of the whole file: `sha256:…`.
    pub checksum: String,
}

/// Where the history of a project stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GitContext {
    /// Nothing where there is no repository, or no branch is checked out.
    pub branch: Option<String>,
    /// The newest first.
    pub recent_commits: Vec<Commit>,
    /// What differs from the last commit.
    pub uncommitted_changes: Vec<Change>,
    /// Where it was cloned from, without names and passwords.
    pub remote: Option<String>,
}

/// A commit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Commit {
    /// Its hash.
    pub hash: String,
    /// The first line of what was said.
    pub message: String,
    /// Who said it.
    pub author: String,
    /// When.
    pub timestamp: String,
    /// How many files it changed.
    pub files_changed: u64,
}

/// A change that is in no commit yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Below the root.
    pub path: String,
    /// added, modified, deleted or untracked.
    pub status: String,
}

/// What another agent said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentOutput {
    /// Who.
    pub agent: String,
    /// What kind of agent that is.
    pub agent_type: String,
    /// When.
    pub timestamp: String,
    /// What was decided, or how it went.
    pub decision: String,
    /// Why, where that was said.
    pub rationale: Option<String>,
    /// Files it is about.
    pub files_affected: Vec<String>,
}

/// More about a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// rust, javascript, python, go, flutter or unknown.
    pub project_type: String,
    /// Names of what it depends on.
    pub dependencies: Vec<String>,
    /// As an agent measured it last, where one did.
    pub test_coverage: Option<Value>,
    /// As an agent saw it last, where one did.
    pub last_build_status: Option<String>,
}

/// Something that is not in a context although it might belong there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Omitted {
    /// A path, or what it is.
    pub what: String,
    /// Why it is not there.
    pub why: String,
    /// Its bytes.
    pub bytes: u64,
}

/// How a context was made to fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// All that matters is there.
    #[default]
    None,
    /// More files matter than fit in number; those that matter most are there.
    FileSampling,
    /// What matters least was left out.
    Smart,
    /// Besides, files were cut where a paragraph ends.
    SemanticChunking,
}

/// A context that was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuiltContext {
    /// What it says.
    pub body: ContextBody,
    /// How it was made to fit.
    pub strategy: Strategy,
    /// What was left out.
    pub omitted: Vec<Omitted>,
}
