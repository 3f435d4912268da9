//! Errors over HTTP, in one shape.

use crate::TokenTrouble;
use axum::http::StatusCode;
use cuelight_base::{Timestamp, Value};
use cuelight_engine::{GateState, Refusal};
use cuelight_exchange::{AgentFault, MessageFault};
use cuelight_runtime::Reply;
use serde_json::json;

/// Why there is no other answer.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) details: Box<Value>,
    /// When it is worth trying again.
    pub(super) again_at: Option<Timestamp>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Box::default(), again_at: None }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "REQ_001", message)
    }

    /// Not there, or another project's: nobody learns which.
    pub(super) fn missing(code: &'static str, what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, format!("could not find {what}; list what there is"))
    }

    pub(super) fn with(self, details: Value) -> Self {
        Self { details: Box::new(details), ..self }
    }

    pub(super) fn body(&self, now: Timestamp, request_id: &str) -> Value {
        let mut out = json!({
            "error": self.status.canonical_reason().unwrap_or("Error"),
            "message": self.message,
            "code": self.code,
            "details": self.details,
            "timestamp": now,
            "request_id": request_id,
        });
        if let Some(at) = self.again_at {
            out["retry_after_seconds"] = at.since(now).0.div_ceil(1000).max(1).into();
        }
        out
    }
}

impl From<TokenTrouble> for Problem {
    fn from(trouble: TokenTrouble) -> Self {
        let code = match trouble {
            TokenTrouble::Expired => "AUTH_002",
            TokenTrouble::Invalid(_) | TokenTrouble::Revoked | TokenTrouble::Ended => "AUTH_001",
        };
        Self::new(StatusCode::UNAUTHORIZED, code, trouble.to_string())
    }
}

/// Every no of the engine has a status of its own, and its words.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match &refusal {
            Refusal::NoGate(_) => (StatusCode::NOT_FOUND, "GATE_001"),
            Refusal::NotAllowed { .. } | Refusal::Vouch { .. } => (StatusCode::FORBIDDEN, "GATE_002"),
            Refusal::GateExpired(_) | Refusal::GateClosed { state: GateState::Expired, .. } => {
                (StatusCode::GONE, "GATE_005")
            }
            Refusal::GateClosed { .. } | Refusal::Voted(_) | Refusal::NothingToWithdraw(_) => {
                (StatusCode::CONFLICT, "GATE_003")
            }
            Refusal::DecisionUsed(_) => (StatusCode::CONFLICT, "GATE_004"),
            Refusal::AskChanged { .. } | Refusal::AskedAnew(_) => {
                (StatusCode::PRECONDITION_FAILED, "GATE_006")
            }
            Refusal::ReasonMissing(_)
            | Refusal::ReasonTooLong(_)
            | Refusal::Form { .. }
            | Refusal::SendBack { .. }
            | Refusal::BreakGlass { .. }
            | Refusal::Override { .. }
            | Refusal::Review { .. }
            | Refusal::Delegation { .. } => (StatusCode::BAD_REQUEST, "GATE_007"),
            Refusal::NoRun(_) | Refusal::NoStep(_) => (StatusCode::NOT_FOUND, "RUN_001"),
            Refusal::RunState { .. }
            | Refusal::StepState { .. }
            | Refusal::NotAsked { .. }
            | Refusal::Again { .. }
            | Refusal::Failure { .. }
            | Refusal::Schedule { .. } => (StatusCode::CONFLICT, "RUN_003"),
            Refusal::TooManyRuns(_) => (StatusCode::SERVICE_UNAVAILABLE, "RUN_004"),
            Refusal::TooManySteps(_) => (StatusCode::BAD_REQUEST, "RUN_002"),
            Refusal::Message { fault, .. } => match fault {
                MessageFault::Words | MessageFault::Schema => (StatusCode::BAD_REQUEST, "EVT_002"),
                MessageFault::Signature => (StatusCode::FORBIDDEN, "EVT_005"),
                MessageFault::Id => (StatusCode::CONFLICT, "EVT_004"),
            },
            Refusal::Agent { fault, .. } => match fault {
                AgentFault::Unknown => (StatusCode::NOT_FOUND, "AGT_003"),
                AgentFault::NotYours => (StatusCode::FORBIDDEN, "AUTH_003"),
                AgentFault::Words => (StatusCode::BAD_REQUEST, "REQ_001"),
                AgentFault::Conflict => (StatusCode::CONFLICT, "AGT_004"),
                AgentFault::NoWork => (StatusCode::NOT_FOUND, "AGT_005"),
                AgentFault::Gone => (StatusCode::GONE, "AGT_006"),
            },
            Refusal::State { .. } => (StatusCode::PRECONDITION_FAILED, "STR_003"),
            _ => (StatusCode::CONFLICT, "REQ_002"),
        };
        Self::new(status, code, refusal.to_string())
    }
}

/// The problem for a request that was not done.
pub(super) fn of_reply(reply: Reply) -> Problem {
    match reply {
        Reply::Refused(refusal) => refusal.into(),
        Reply::Invalid { report, findings } => {
            let why = "could not run that: the workflow or its inputs are wrong; `details` says where";
            Problem::new(StatusCode::BAD_REQUEST, "RUN_002", why)
                .with(json!({"report": report, "findings": findings}))
        }
        Reply::NotRecorded(why) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "STR_001", why),
        Reply::Recorded(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "STR_001",
            "could not tell what came of it: a fault of cuelight; look before you ask again",
        ),
    }
}
