//! One route of the API: its call, its need of a token, its content and its limits.

use super::parameter::Parameter;
use crate::Permission;
use axum::http::Method;
use cuelight_base::RESULT_BYTES_MAX;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};

/// The action of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::http) enum Call {
    Health,
    Ready,
    Document,
    Status,
    Metrics,
    RenewToken,
    OpenGate,
    ListGates,
    ShowGate,
    Decide,
    StartRun,
    ListRuns,
    ShowRun,
    FollowRun,
    PauseRun,
    ResumeRun,
    CancelRun,
    Inject,
    ClearContexts,
    RegisterAgent,
    BeatAgent,
    ListAgents,
    ShowAgent,
    LeaveAgent,
    SpawnAgent,
    ClaimWork,
    RenewWork,
    ReturnWork,
    FailWork,
    HandIn,
    ListResults,
    ShowResult,
    Learn,
    SearchKnowledge,
    ReadValue,
    SetValue,
    RemoveValue,
    PublishEvent,
    WaitForEvent,
    FollowEvents,
}

/// The authorization that a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Need {
    /// No token is needed.
    Nothing,
    /// Nothing where counts are shown to everybody, else this.
    OpenOr(Permission),
    /// Any valid token is enough.
    Token,
    /// A token that lets one do this.
    May(Permission),
}

/// Content of a request or an answer.
#[derive(Clone, Copy)]
pub(in crate::http) enum Shape {
    /// JSON of a type.
    Json { within: fn(&mut SchemaGenerator) -> Schema, alone: fn() -> Schema },
    /// Text of a media type.
    Text(&'static str),
}

pub(super) const fn json<T: JsonSchema>() -> Shape {
    Shape::Json { within: SchemaGenerator::subschema_for::<T>, alone: alone::<T> }
}

fn alone<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

/// One route of the API.
pub(in crate::http) struct Route {
    pub(in crate::http) method: Method,
    pub(in crate::http) path: &'static str,
    pub(in crate::http) call: Call,
    pub(in crate::http) about: &'static str,
    pub(in crate::http) need: Need,
    pub(in crate::http) query: &'static [Parameter],
    pub(in crate::http) body: Option<Shape>,
    /// The answer when it is done, …
    pub(in crate::http) done: (u16, Shape),
    /// … and the problems that are its own.
    pub(in crate::http) problems: &'static [u16],
}

/// Bytes of a body.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Values in a body, since each takes far more memory than bytes, …
const BODY_VALUES_MAX: usize = 50_000;
/// … and in that of a result.
const RESULT_VALUES_MAX: usize = 200_000;
/// Bytes of what stands around a result.
const AROUND_BYTES_MAX: usize = 4096;

impl Route {
    /// Bytes of its body.
    pub(in crate::http) const fn body_bytes_max(&self) -> usize {
        match self.call {
            Call::HandIn => RESULT_BYTES_MAX + AROUND_BYTES_MAX,
            _ => BODY_BYTES_MAX,
        }
    }

    /// Values in its body.
    pub(in crate::http) const fn body_values_max(&self) -> usize {
        match self.call {
            Call::HandIn => RESULT_VALUES_MAX,
            _ => BODY_VALUES_MAX,
        }
    }

    /// Every status it may answer with besides the one when it is done.
    pub(in crate::http) fn all_problems(&self) -> Vec<u16> {
        let mut all = vec![400, 403, 414, 429];
        if self.need != Need::Nothing {
            all.extend([401, 503]);
        }
        if self.body.is_some() {
            all.extend([408, 413, 415]);
        }
        all.extend(self.problems);
        all.sort_unstable();
        all.dedup();
        all
    }
}
