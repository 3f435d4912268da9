//! Words every room shares: ids, instants, values, digests, limits, failures.
//!
//! Knows no other room, no clock and no disk.

mod actor;
mod agent;
mod arrivals;
mod breaker;
mod bucket;
mod canonical;
mod code;
mod count;
mod cron;
mod digest;
mod error_record;
mod failure;
mod fair_memory;
mod http;
mod id;
mod json;
mod launch;
mod limit;
mod machine;
mod mcp;
mod message;
mod model;
mod name;
mod named;
mod people_file;
mod process_limits;
mod program;
mod route;
mod schema;
mod score;
mod sgr;
mod signing;
mod time;
mod trace;
mod untrusted;
mod value;

pub use actor::{Actor, Channel, Proof, Signature, Token, Touch};
pub use agent::{
    AGENT_ADDRESS_VARIABLE, AGENT_LATE_AFTER, AGENT_LOST_AFTER, AGENT_OUTPUTS, AGENT_PREFIX, AGENT_TASK,
    AGENT_TASK_VARIABLE, AGENT_TOKEN, AGENT_TOKEN_VARIABLE, AGENT_VARIABLE, AgentCall, SpawnedAgent,
    agent_name,
};
pub use arrivals::{ARRIVALS_BYTES_MAX, Arrivals, ArrivalsPen};
pub use breaker::{BreakerRule, Circuit, WhenOpen};
pub use bucket::{Bucket, Empty, RateRule};
pub use canonical::{canonical_json, has_more_json_values, json_bytes, json_weight, json_weight_of_all};
pub use count::{counted, plural};
pub use cron::{is_timezone, latest_scheduled, next_scheduled};
pub use digest::{Digest, Hasher, sha256, sha512};
pub use error_record::{ErrorKind, ErrorRecord, ErrorRecordBuilder, Severity};
pub use failure::FailureMode;
pub use fair_memory::FairMemory;
pub use http::{HttpCall, HttpExpect, past_host};
pub use id::{AttemptId, DecisionId, Epoch, GateId, RunId, Seq, StepIx};
pub use json::{json_if_any, read_deep_json, read_json, refuse_twice};
pub use launch::{LOG_FILE, Launch, TIMES_FILE, TextPart, ToolCall, tool_of_target};
pub use limit::*;
pub use machine::system_labels;
pub use mcp::{MCP_CALL_WORD, MCP_META, MCP_REVISIONS, MCP_STATELESS, McpCall, mcp_held, mcp_pin};
pub use message::{MESSAGE_WORD_CHARS_MAX, Message, MessageKind, Priority, Qos, is_topic};
pub use model::{
    Grade, Hints, MODEL_CALLS, MODEL_OUTPUTS, MODEL_TARGET, ModelCall, OfferedTool, Price, Provider,
    TALK_OUTPUTS, ToolAsked, ToolResult, ToolRound, calls_asked, dollars, spread as spread_answer, tokens_of,
};
pub use name::{is_agent, is_agent_type, is_name};
pub use people_file::{MAKE_PEOPLE_COUNT, groups_do_not_count, keys_do_not_count};
pub use process_limits::{ProcessLimits, size_word};
pub use program::{NOT_BOUND, Program, Tree, Word, is_shell};
pub use route::RoutePolicy;
pub use schema::{Schema, SchemaProblem};
pub use score::Score;
pub use sgr::{
    Hue, Sgr, bytes_without_sgr, open_sgr_length, output_line, sgr_length, sgr_stretches, without_sgr,
};
pub use signing::{PublicKey, SecretKey, is_mac, mac};
pub use time::{ParseSpanError, Span, Timestamp};
pub use trace::{TraceContext, hex};
pub use untrusted::{Piece, Untrusted, is_unseen, json_in_sight, safe_pieces, safe_text};
pub use value::{Value, ValueMap, is_nested_beyond, shorten, type_name};
