//! A failure as JSON.

use crate::spelled::{text, to_value};
use crate::{Alike, ErrorState, ErrorView};
use cuelight_base::ValueMap;
use schemars::JsonSchema;
use serde::Serialize;

/// A failure: its record, and what became of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ErrorRecord")]
pub struct ErrorAnswer {
    id: String,
    /// The kind, the severity, the mode, the source and the message of the failure, with facts that help.
    #[serde(flatten)]
    record: ValueMap,
    critical: bool,
    /// The same for failures with one cause, of whatever step and run.
    fingerprint: String,
    timestamp: String,
    run: String,
    workflow: String,
    #[serde(flatten)]
    place: Option<Place>,
    trace_id: String,
    #[serde(flatten)]
    became: Became,
    #[serde(flatten)]
    acknowledged: Option<Acknowledged>,
    /// Failures like it, where one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    alike: Option<AlikeAnswer>,
}

/// The step that has failed.
#[derive(Serialize, JsonSchema)]
struct Place {
    step: String,
    attempt: u32,
    times: u32,
}

/// The state of a failure: `open`, `acknowledged`, `resolved`.
#[derive(Serialize, JsonSchema)]
struct Became {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_by: Option<String>,
}

/// The person who has seen it.
#[derive(Serialize, JsonSchema)]
struct Acknowledged {
    #[serde(rename = "acknowledged_at")]
    at: String,
    #[serde(rename = "acknowledged_by")]
    by: String,
    #[serde(default, rename = "acknowledged_reason", skip_serializing_if = "String::is_empty")]
    reason: String,
}

/// Failures of the same kind, and what mended them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Alike")]
struct AlikeAnswer {
    times: u32,
    mended: u32,
    last_fix: Option<String>,
    /// The most successful one first.
    fixes: Vec<FixAnswer>,
}

/// A remedy, with the number of failures that it mended.
#[derive(Serialize, JsonSchema)]
struct FixAnswer {
    fix: &'static str,
    times: u32,
}

impl ErrorAnswer {
    /// One failure: its record, and what became of it.
    pub fn of(error: &ErrorView) -> Self {
        let (retry_at, resolved) = match &error.state {
            ErrorState::Retrying(at) => (Some(*at), None),
            ErrorState::Open => (None, None),
            ErrorState::Resolved { at, fix } => (None, Some((*at, fix.words().clone()))),
        };
        let (resolved_at, resolved_by) = resolved.unzip();
        // A failure that is tried again by itself is open for scripts.
        let state = if retry_at.is_some() { "open" } else { error.state_word() };
        let place = |_| Place { step: error.step_id.clone(), attempt: error.attempt, times: error.times };
        Self {
            id: error.name(),
            record: to_value(&*error.record).as_object().cloned().unwrap_or_default(),
            critical: error.record.severity.is_critical(),
            fingerprint: (*error.fingerprint).to_owned(),
            timestamp: error.at.to_string(),
            run: error.run.to_string(),
            workflow: (*error.workflow).to_owned(),
            place: error.step.map(place),
            trace_id: (*error.trace).to_owned(),
            became: Became { state, retry_at: text(retry_at), resolved_at: text(resolved_at), resolved_by },
            acknowledged: error.acknowledged.as_ref().map(|said| Acknowledged {
                at: said.at.to_string(),
                by: said.by.name.clone(),
                reason: said.reason.clone(),
            }),
            alike: None,
        }
    }

    /// The same with the failures like it.
    #[must_use]
    pub fn with_alike(self, alike: &Alike) -> Self {
        let fixes = alike.fixes.iter().map(|(fix, times)| FixAnswer { fix, times: *times });
        let alike = AlikeAnswer {
            times: alike.times,
            mended: alike.mended,
            last_fix: alike.last_fix.clone(),
            fixes: fixes.collect(),
        };
        Self { alike: Some(alike), ..self }
    }
}
