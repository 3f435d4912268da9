//! A context as it is told: stored by those who keep it, and described by the API.

use cuelight_base::Value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The context of a project for an agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextBody {
    /// Structure of the project.
    pub project_structure: ProjectStructure,
    /// Files that matter for the work, those that matter most first.
    pub relevant_files: Vec<RelevantFile>,
    /// Branch, commits and changes of the project.
    pub git_context: GitContext,
    /// Outputs of other agents for this piece of work, the newest first.
    pub previous_agent_outputs: Vec<AgentOutput>,
    /// Type, dependencies and build state of the project.
    pub metadata: Metadata,
}

/// The structure of a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectStructure {
    /// The name of its directory.
    pub root: String,
    /// Paths below it; not all where it is large.
    pub files: Vec<String>,
    /// Directories below it; likewise.
    pub directories: Vec<String>,
    /// Number of files in the project.
    pub total_files: u64,
    /// Total size of all files, in bytes.
    pub total_size_bytes: u64,
}

/// A file that matters for the work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RelevantFile {
    /// Path relative to the root.
    pub path: String,
    /// Content of the file; secrets are masked.
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

/// The git state of a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GitContext {
    /// Nothing where there is no repository, or no branch is checked out.
    pub branch: Option<String>,
    /// Recent commits, the newest first.
    pub recent_commits: Vec<Commit>,
    /// Files that differ from the last commit.
    pub uncommitted_changes: Vec<Change>,
    /// Address of the remote, without names and passwords.
    pub remote: Option<String>,
}

/// A commit of the repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Commit {
    /// Hash of the commit.
    pub hash: String,
    /// The first line of what was said.
    pub message: String,
    /// Author of the commit.
    pub author: String,
    /// Time of the commit.
    pub timestamp: String,
    /// Number of files that the commit changed.
    pub files_changed: u64,
}

/// A change that is in no commit yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Path relative to the root.
    pub path: String,
    /// added, modified, deleted or untracked.
    pub status: String,
}

/// An output of another agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentOutput {
    /// Name of the agent.
    pub agent: String,
    /// Type of the agent.
    pub agent_type: String,
    /// Time of the output.
    pub timestamp: String,
    /// The decision, or the outcome of the work.
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
    /// Size of the entry in bytes.
    pub bytes: u64,
}

/// The method that made a context fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// All that matters is there.
    #[default]
    None,
    /// More files matter than fit in number; those that matter most are there.
    FileSampling,
    /// The least relevant files were left out.
    Smart,
    /// Besides, files were cut where a paragraph ends.
    SemanticChunking,
}

/// A context that was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuiltContext {
    /// The content for the agent.
    pub body: ContextBody,
    /// The method that made it fit.
    pub strategy: Strategy,
    /// The entries left out.
    pub omitted: Vec<Omitted>,
}
