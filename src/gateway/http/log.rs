//! A line of the log for each request that was answered: who by project, what by route, how it went and how long. No token, no body, no name of
//! anything in a path. The caller that plugged it in writes it; nobody waits for that.

use cuelight_base::{Timestamp, Value};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::sync::mpsc;

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// Time at which the request arrived.
    pub at: Timestamp,
    /// Its name, which is in its answer as well.
    pub request_id: String,
    /// `POST`; `_OTHER` where it is none that HTTP has.
    pub method: String,
    /// As the table of routes has it: `/api/runs/{id}`; nothing where there is no such route.
    pub route: Option<&'static str>,
    /// HTTP status of the answer.
    pub status: u16,
    /// Microseconds until the head of its answer: streams go on after that.
    pub micros: u64,
    /// The project of the caller, where they showed a good token.
    pub project: Option<String>,
    /// The trace that it belongs to, where its sender said one.
    pub trace: Option<String>,
    /// Lines before this one that were left out, because nobody wrote them in time.
    pub left_out: u64,
}

impl RequestLine {
    /// The line as JSON.
    pub fn json(&self) -> Value {
        let (whole, part) = (self.micros / 1000, self.micros % 1000);
        let ms: serde_json::Number =
            serde_json::from_str(&format!("{whole}.{part:03}")).unwrap_or_else(|_| whole.into());
        let mut told = json!({
            "time": self.at.to_string(),
            "level": if self.status >= 500 { "error" } else { "info" },
            "message": "request",
            "request_id": self.request_id,
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "ms": ms,
            "project": self.project,
        });
        if let Some(trace) = &self.trace {
            told["trace_id"] = trace.as_str().into();
        }
        if self.left_out > 0 {
            told["left_out"] = self.left_out.into();
        }
        told
    }
}

/// Sends lines to the log, and counts the ones that found no room.
#[derive(Debug, Default)]
pub(super) struct RequestLog {
    lines: Option<mpsc::Sender<RequestLine>>,
    left_out: AtomicU64,
}

impl RequestLog {
    pub(super) fn new(lines: Option<mpsc::Sender<RequestLine>>) -> Self {
        Self { lines, left_out: AtomicU64::new(0) }
    }

    /// Sends a line without waiting.
    pub(super) fn tell(&self, line: impl FnOnce() -> RequestLine) {
        let Some(lines) = &self.lines else { return };
        let left_out = self.left_out.swap(0, Relaxed);
        if lines.try_send(RequestLine { left_out, ..line() }).is_err() {
            self.left_out.fetch_add(left_out + 1, Relaxed);
        }
    }
}
