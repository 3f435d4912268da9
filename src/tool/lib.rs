//! Calls and their outcomes. This module knows no runs and changes no state: a call in, an [`Answer`] out.
//!
//! It calls local programs, some of them agents, each in a process group of its own. Limits apply to their
//! output, their time and the secrets that they may show. It also sends requests to the hosts that the
//! workspace allows, asks models likewise, calls tools of MCP servers, and runs built-in tools. The engine
//! decides who calls and what follows from an answer.

mod agent;
mod answer;
mod artifact;
mod built_in;
mod cause;
mod classify;
mod context;
mod credential;
mod evidence;
mod executable;
mod glob;
mod guard;
mod http;
mod log;
mod mask;
mod mcp;
mod model;
mod named;
mod oom;
mod orphan;
mod outputs;
mod own_dir;
mod peer;
mod process;
mod program;
mod pulse;
mod scratch;
mod secret;
mod socket_holder;
mod spool;
mod step_mark;
mod tcp_peer;
mod tcp_table;
mod text_file;
mod tracked;
mod tree;

pub use answer::{Answer, Ended, Failure};
pub use artifact::{Artifact, collect_artifacts, hash_files};
pub use built_in::{attend_built_in, built_in_names, run_built_in, workspace_file};
pub use context::{
    AgentOutput, BuiltContext, ContextBody, ContextTrouble, ContextWish, Omitted, Project, Strategy,
    build_context, scan_project,
};
pub use credential::credential_in;
pub use evidence::{hash_evidence, read_evidence};
pub use executable::{Executable, Executed};
pub use guard::{
    FoundCall, GUARD_WORD, GuardNews, GuardProcess, GuardSetup, Guarded, Guards, LivingGuard, Past,
    STRAYS_TOLD_MAX, Spawn, Stray, Strays, guard_weaknesses, launch_stage, lifeline_frames, living_guards,
    sandbox_weaknesses, serve_guard,
};
pub use http::{HttpHeard, HttpPolicy, HttpVisit, check_address, run_http, visit_http};
pub use mask::Masker;
pub use mcp::{Errand, Errands, mcp_ends, mcp_leaves, run_errand, run_mcp, tools_at, tools_of_program};
pub use model::run_model;
pub use orphan::end_orphans;
pub use outputs::parse_outputs;
pub use peer::{Peer, are_we_of_a_step};
pub use process::{Call, Host, Progress, run_process};
pub use secret::{HandedOver, Secret, SecretStore};
pub use spool::Now;
pub use tcp_peer::TcpPeer;
pub use text_file::read_text;
pub use tracked::{is_tracked, tracked_files};
pub use tree::{Captured, capture_tree, captured_tree, is_directory, lay_out_tree, remove_tree, tidy_trees};
