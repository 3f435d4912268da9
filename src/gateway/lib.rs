//! Access for other processes: the Unix socket of an engine, the identity of its peers, and the client end of
//! it. Also the same over HTTP, and the requests of agents over MCP.
//!
//! It reads boards and submits commands through a desk, and touches nothing else.

mod any_desk;
mod attach;
mod frame;
mod http;
mod judged;
mod line;
mod look_desk;
mod mcp;
mod places;
mod seat;
mod socket;
mod token;
mod webhook;

pub use any_desk::AnyDesk;
pub use attach::{AttachError, FarLine, RemoteDesk, Start, Way, answers, open_socket};
pub use frame::About;
pub use http::{
    HttpSetup, Places, Rate, Rates, RequestLine, ResultRules, SpawnRule, StepJudge, TlsFiles, is_loopback,
    openapi, serve_http, serve_http_judged_by,
};
pub use look_desk::LookDesk;
pub use mcp::{
    McpAsk, McpForm, McpHeard, McpTold, mcp_answer, mcp_heard, mcp_progress, mcp_too_long, mcp_tools,
};
pub use places::Seats;
pub use socket::{admit, serve_socket};
pub use token::{
    AgentType, Bearer, CheckedTokens, Claims, KeyRing, Permission, Signer, TOKEN_LIFE_DEFAULT,
    TOKEN_LIFE_MAX, TokenTrouble, means_rsa, peek, private_key, rsa_key, sign,
};
pub use webhook::{Signed, secret_text, sign_payload};
