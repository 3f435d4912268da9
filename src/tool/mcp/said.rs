//! The words of a server, which are foreign: read as a message, or shown in a line of ours.

use crate::Failure;
use cuelight_base::{FailureMode, Value, json_if_any, safe_text, shorten};

/// A message of a server; nothing where it sends no JSON.
pub(super) fn heard(bytes: &[u8]) -> Result<Option<Value>, Failure> {
    json_if_any(bytes).map_err(|why| Failure {
        mode: FailureMode::ResourceApi,
        message: format!("could not take a message of its MCP server: {why}; see the server"),
    })
}

/// A server's text, made safe for one line of ours.
pub(super) fn shown(text: &str) -> String {
    safe_text(&shorten(text, 200))
}
