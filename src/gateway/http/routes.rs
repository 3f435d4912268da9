//! The table of routes: what can be asked, what is needed for it, what is sent and what may be answered. The router and the `OpenAPI`
//! document are both made of it.

use super::{
    agents::{AgentList, AgentShape, RegisterAgent},
    answer::{lost, respond},
    door::Door,
    events::{Acknowledged, Heard, Publish},
    shapes::{
        AgentResultShape, AgentResults, Because, Decide, Forgotten, Gate, Gates, HandIn, HandedIn, Health,
        KnowledgeFound, Learn, Learned, OpenGate, ProblemShape, PutValue, Renewed, Run, Runs, Spawned,
        StartAgent, StartRun, StateValue, Status,
    },
    work::{Claimed, HandedBack, Progress, Renewal, WorkFailure, WorkResult},
};
use crate::Permission;
use axum::{
    Router,
    extract::{RawPathParams, Request},
    http::{Method, StatusCode},
    routing::{MethodFilter, MethodRouter},
};
use cuelight_base::{RESULT_BYTES_MAX, Timestamp};
use cuelight_engine::{GateState, KnowledgeKind, ResultStatus, RunState};
use cuelight_runtime::ContextAnswer;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::json as value;
use std::{collections::BTreeMap, sync::Arc};

/// The action of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
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
pub(super) enum Need {
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
pub(super) enum Shape {
    /// JSON of a type.
    Json { within: fn(&mut SchemaGenerator) -> Schema, alone: fn() -> Schema },
    /// Text of a media type.
    Text(&'static str),
}

const fn json<T: JsonSchema>() -> Shape {
    Shape::Json { within: SchemaGenerator::subschema_for::<T>, alone: alone::<T> }
}

fn alone<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

/// A parameter behind the question mark: its name, its kind, what it is for.
pub(super) type Parameter = (&'static str, Kind, &'static str);

/// Type of a parameter. Numbers and words are checked for all routes alike. The form of a text is documented,
/// and the reader of the parameter checks it.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A whole number between two limits, both included.
    Number(u64, u64),
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// An instant of RFC 3339.
    Instant,
    /// Any text is accepted.
    Text,
    /// Text of this form.
    Like(&'static str),
}

impl Kind {
    /// The same for the document.
    pub(super) fn schema(self) -> serde_json::Value {
        match self {
            Self::Number(least, most) => value!({"type": "integer", "minimum": least, "maximum": most}),
            Self::Word(words) => value!({"type": "string", "enum": words()}),
            Self::Instant => value!({"type": "string", "format": "date-time"}),
            Self::Text => value!({"type": "string"}),
            Self::Like(form) => value!({"type": "string", "pattern": form}),
        }
    }

    /// The fault of this text, if any.
    pub(super) fn refusal(self, text: &str) -> Option<String> {
        match self {
            Self::Number(least, most) => {
                let fits = text.parse().is_ok_and(|number| (least..=most).contains(&number));
                (!fits).then(|| format!("it is a whole number from {least} to {most}"))
            }
            Self::Word(words) => {
                let words = words();
                (!words.contains(&text)).then(|| format!("it is one of {}", words.join(", ")))
            }
            Self::Instant => {
                let fits = text.parse::<Timestamp>().is_ok();
                (!fits).then(|| "write an instant as 2026-01-31T09:00:00Z".to_owned())
            }
            Self::Text | Self::Like(_) => None,
        }
    }
}

/// Limit of a wait, in milliseconds.
const WAIT_MS_MAX: u64 = 60_000;
/// Limit of knowledge entries found at once.
const FOUND_MAX: u64 = 100;
/// Runs, gates or results of one page.
pub(super) const PAGE_MAX: u64 = 1000;
/// `cuelight_base::is_topic`, as a pattern.
const TOPIC: &str = "^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,99}$";

/// The type of a parameter in a path.
pub(super) fn place_in_path(name: &str) -> Kind {
    match name {
        "scope" => Kind::Word(|| vec!["session", "global"]),
        "event_type" => Kind::Like(TOPIC),
        "issue" => Kind::Like("^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}$"),
        "agent_type" => Kind::Like("^[a-z][a-z0-9-]{0,63}$"),
        "key" => Kind::Like("^[^\\x00-\\x1f\\x7f-\\x9f]{1,200}$"),
        _ => Kind::Text,
    }
}

fn result_statuses() -> Vec<&'static str> {
    ResultStatus::ALL.iter().map(|status| status.word()).collect()
}

fn knowledge_kinds() -> Vec<&'static str> {
    KnowledgeKind::ALL.iter().map(|kind| kind.word()).collect()
}

fn gate_states() -> Vec<&'static str> {
    GateState::ALL.iter().map(|state| state.word()).collect()
}

fn run_states() -> Vec<&'static str> {
    RunState::ALL.iter().map(|state| state.word()).collect()
}

/// One route of the API.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) call: Call,
    pub(super) about: &'static str,
    pub(super) need: Need,
    pub(super) query: &'static [Parameter],
    pub(super) body: Option<Shape>,
    /// The answer when it is done, …
    pub(super) done: (u16, Shape),
    /// … and the problems that are its own.
    pub(super) problems: &'static [u16],
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
    pub(super) const fn body_bytes_max(&self) -> usize {
        match self.call {
            Call::HandIn => RESULT_BYTES_MAX + AROUND_BYTES_MAX,
            _ => BODY_BYTES_MAX,
        }
    }

    /// Values in its body.
    pub(super) const fn body_values_max(&self) -> usize {
        match self.call {
            Call::HandIn => RESULT_VALUES_MAX,
            _ => BODY_VALUES_MAX,
        }
    }

    /// Every status it may answer with besides the one when it is done.
    pub(super) fn all_problems(&self) -> Vec<u16> {
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

const WAIT: Parameter = ("wait", Kind::Number(0, WAIT_MS_MAX), "Milliseconds to wait until the gate closes");
const LIMIT: Parameter = ("limit", Kind::Number(1, PAGE_MAX), "At most so many; 100 when not given");

const FILTER: Parameter = (
    "filter",
    Kind::Like("^[^:,]+:[^,]*(,[^:,]+:[^,]*){0,19}$"),
    "`name:value`, more of them with commas, and all have to hold: a field of `data` by its path, publisher, correlation_id, topic, type, to, qos, priority",
);
const SINCE: Parameter =
    ("since", Kind::Text, "Only those after the event of this id: the `next_cursor` of the answer before");

/// All routes of the API.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/health",
        call: Call::Health,
        about: "How it is with the engine",
        need: Need::Nothing,
        query: &[],
        body: None,
        done: (200, json::<Health>()),
        problems: &[503],
    },
    Route {
        method: Method::GET,
        path: "/health/ready",
        call: Call::Ready,
        about: "Whether what is asked now can be recorded",
        need: Need::Nothing,
        query: &[],
        body: None,
        done: (200, json::<Health>()),
        problems: &[503],
    },
    Route {
        method: Method::GET,
        path: "/openapi.json",
        call: Call::Document,
        about: "This document",
        need: Need::Nothing,
        query: &[],
        body: None,
        done: (200, json::<BTreeMap<String, serde_json::Value>>()),
        problems: &[],
    },
    Route {
        method: Method::GET,
        path: "/status",
        call: Call::Status,
        about: "Counts, and no names",
        need: Need::OpenOr(Permission::ViewMetrics),
        query: &[],
        body: None,
        done: (200, json::<Status>()),
        problems: &[],
    },
    Route {
        method: Method::GET,
        path: "/metrics",
        call: Call::Metrics,
        about: "The same for Prometheus",
        need: Need::OpenOr(Permission::ViewMetrics),
        query: &[],
        body: None,
        done: (200, Shape::Text("text/plain; version=0.0.4")),
        problems: &[],
    },
    Route {
        method: Method::POST,
        path: "/api/token/refresh",
        call: Call::RenewToken,
        about: "A token in place of the one that asks, in its last five minutes, three times; the old one is revoked",
        need: Need::Token,
        query: &[],
        body: None,
        done: (200, json::<Renewed>()),
        problems: &[409],
    },
    Route {
        method: Method::POST,
        path: "/api/gates",
        call: Call::OpenGate,
        about: "Asks people",
        need: Need::May(Permission::PublishEvents),
        query: &[],
        body: Some(json::<OpenGate>()),
        done: (201, json::<Gate>()),
        problems: &[],
    },
    Route {
        method: Method::GET,
        path: "/api/gates",
        call: Call::ListGates,
        about: "Gates of this project, the oldest first",
        need: Need::May(Permission::ReadGates),
        query: &[
            ("state", Kind::Word(gate_states), "Only those; all when not given"),
            ("limit", Kind::Number(1, PAGE_MAX), "At most so many; 1000 when not given"),
            (
                "after",
                Kind::Like("^g-[1-9][0-9]{0,8}$"),
                "Only those after this gate: the last one of the page before",
            ),
        ],
        body: None,
        done: (200, json::<Gates>()),
        problems: &[],
    },
    Route {
        method: Method::GET,
        path: "/api/gates/{id}",
        call: Call::ShowGate,
        about: "One gate; with wait, as soon as it has closed",
        need: Need::May(Permission::ReadGates),
        query: &[WAIT],
        body: None,
        done: (200, json::<Gate>()),
        problems: &[404],
    },
    Route {
        method: Method::POST,
        path: "/api/gates/{id}/decision",
        call: Call::Decide,
        about: "Answers at a gate, in the name of the person of the token",
        need: Need::May(Permission::DecideGates),
        query: &[],
        body: Some(json::<Decide>()),
        done: (200, json::<Gate>()),
        problems: &[404, 409, 410, 412],
    },
    Route {
        method: Method::POST,
        path: "/api/runs",
        call: Call::StartRun,
        about: "Runs a workflow of the workspace",
        need: Need::May(Permission::SpawnAgents),
        query: &[],
        body: Some(json::<StartRun>()),
        done: (201, json::<Run>()),
        problems: &[404, 409],
    },
    Route {
        method: Method::GET,
        path: "/api/runs",
        call: Call::ListRuns,
        about: "Runs of this project, the newest first",
        need: Need::May(Permission::ReadContext),
        query: &[
            ("state", Kind::Word(run_states), "Only those; all when not given"),
            LIMIT,
            (
                "before",
                Kind::Like("^r-[1-9][0-9]{0,8}$"),
                "Only those before this run: the last one of the page before",
            ),
        ],
        body: None,
        done: (200, json::<Runs>()),
        problems: &[],
    },
    Route {
        method: Method::GET,
        path: "/api/runs/{id}",
        call: Call::ShowRun,
        about: "One run with its steps",
        need: Need::May(Permission::ReadContext),
        query: &[],
        body: None,
        done: (200, json::<Run>()),
        problems: &[404],
    },
    Route {
        method: Method::GET,
        path: "/api/runs/{id}/events",
        call: Call::FollowRun,
        about: "Its events as they come, until it rests; `Last-Event-ID` goes on after one",
        need: Need::May(Permission::ReadContext),
        query: &[("since", Kind::Number(0, u64::MAX), "Only those after the event of this number")],
        body: None,
        done: (200, Shape::Text("text/event-stream")),
        problems: &[404],
    },
    Route {
        method: Method::POST,
        path: "/api/runs/{id}/pause",
        call: Call::PauseRun,
        about: "Starts nothing new in it",
        need: Need::May(Permission::ManageAgents),
        query: &[],
        body: None,
        done: (200, json::<Run>()),
        problems: &[404, 409],
    },
    Route {
        method: Method::POST,
        path: "/api/runs/{id}/resume",
        call: Call::ResumeRun,
        about: "Goes on with it",
        need: Need::May(Permission::ManageAgents),
        query: &[],
        body: None,
        done: (200, json::<Run>()),
        problems: &[404, 409],
    },
    Route {
        method: Method::POST,
        path: "/api/runs/{id}/cancel",
        call: Call::CancelRun,
        about: "Ends it, and what runs in it",
        need: Need::May(Permission::ManageAgents),
        query: &[],
        body: Some(json::<Because>()),
        done: (200, json::<Run>()),
        problems: &[404, 409],
    },
    Route {
        method: Method::GET,
        path: "/api/context/{issue}/{agent_type}",
        call: Call::Inject,
        about: "What an agent of the type of the token should know before it begins: structure, files, history, what others did",
        need: Need::May(Permission::ReadContext),
        query: &[("max_bytes", Kind::Number(4096, 10_485_760), "At most so many; the most when not given")],
        body: None,
        done: (200, json::<ContextAnswer>()),
        problems: &[404, 413],
    },
    Route {
        method: Method::DELETE,
        path: "/api/cache/context/{issue}",
        call: Call::ClearContexts,
        about: "Forgets what agents were told of a piece of work; the next one is told anew",
        need: Need::May(Permission::ClearCache),
        query: &[],
        body: None,
        done: (200, json::<Forgotten>()),
        problems: &[404],
    },
    Route {
        method: Method::POST,
        path: "/api/agents",
        call: Call::RegisterAgent,
        about: "Registers the agent of the token, or a session of it; the same once more changes nothing",
        need: Need::May(Permission::WriteResults),
        query: &[],
        body: Some(json::<RegisterAgent>()),
        done: (201, json::<AgentShape>()),
        problems: &[409],
    },
    Route {
        method: Method::GET,
        path: "/api/agents",
        call: Call::ListAgents,
        about: "Agents of this project that have registered, by name",
        need: Need::May(Permission::ReadContext),
        query: &[],
        body: None,
        done: (200, json::<AgentList>()),
        problems: &[],
    },
    Route {
        method: Method::GET,
        path: "/api/agents/{id}",
        call: Call::ShowAgent,
        about: "One of them",
        need: Need::May(Permission::ReadContext),
        query: &[],
        body: None,
        done: (200, json::<AgentShape>()),
        problems: &[404],
    },
    Route {
        method: Method::PUT,
        path: "/api/agents/{id}/heartbeat",
        call: Call::BeatAgent,
        about: "A sign of life: late after one interval without, lost after three. One that was lost is there again",
        need: Need::May(Permission::WriteResults),
        query: &[],
        body: None,
        done: (200, json::<AgentShape>()),
        problems: &[404, 409],
    },
    Route {
        method: Method::DELETE,
        path: "/api/agents/{id}",
        call: Call::LeaveAgent,
        about: "Leaves, or sends another agent of this project away, which needs `manage_agents`",
        need: Need::Token,
        query: &[],
        body: None,
        done: (200, json::<AgentShape>()),
        problems: &[404, 409],
    },
    Route {
        method: Method::POST,
        path: "/api/agents/spawn",
        call: Call::SpawnAgent,
        about: "Starts an agent by the command of its type, once people agree where they are asked",
        need: Need::May(Permission::SpawnAgents),
        query: &[],
        body: Some(json::<StartAgent>()),
        done: (201, json::<Spawned>()),
        problems: &[404, 409],
    },
    Route {
        method: Method::POST,
        path: "/api/agents/{id}/claim",
        call: Call::ClaimWork,
        about: "Takes the work that has waited longest for an agent like this: at once, else as soon as there is some; none when the time is up",
        need: Need::May(Permission::WriteResults),
        query: &[
            ("timeout", Kind::Number(0, WAIT_MS_MAX), "Milliseconds to wait for some; 30,000 when not given"),
            (
                "lease",
                Kind::Number(5, 3600),
                "Seconds for which it is the agent's without a sign of life; 60 when not given",
            ),
        ],
        body: None,
        done: (200, json::<Claimed>()),
        problems: &[404, 409],
    },
    Route {
        method: Method::POST,
        path: "/api/work/{id}/progress",
        call: Call::RenewWork,
        about: "Says that it is still worked on, and has it longer; 410 when it is being ended, or is one's own no more",
        need: Need::May(Permission::WriteResults),
        query: &[],
        body: Some(json::<Progress>()),
        done: (200, json::<Renewal>()),
        problems: &[404, 409, 410],
    },
    Route {
        method: Method::POST,
        path: "/api/work/{id}/result",
        call: Call::ReturnWork,
        about: "Hands back what came of it; what its step promises is held against it",
        need: Need::May(Permission::WriteResults),
        query: &[],
        body: Some(json::<WorkResult>()),
        done: (200, json::<HandedBack>()),
        problems: &[404, 409, 410],
    },
    Route {
        method: Method::POST,
        path: "/api/work/{id}/fail",
        call: Call::FailWork,
        about: "Says that it has failed, and how; its step is tried again as it says",
        need: Need::May(Permission::WriteResults),
        query: &[],
        body: Some(json::<WorkFailure>()),
        done: (200, json::<HandedBack>()),
        problems: &[404, 409, 410],
    },
    Route {
        method: Method::POST,
        path: "/api/results",
        call: Call::HandIn,
        about: "Hands in what came of the work of the agent of the token, 10 MiB at most, and says `agent_completed`; with Idempotency-Key once",
        need: Need::May(Permission::WriteResults),
        query: &[],
        body: Some(json::<HandIn>()),
        done: (201, json::<HandedIn>()),
        problems: &[404, 409],
    },
    Route {
        method: Method::GET,
        path: "/api/results",
        call: Call::ListResults,
        about: "Results of this project without what they say, the newest first",
        need: Need::May(Permission::ReadContext),
        query: &[
            ("project", Kind::Text, "The project of the token"),
            ("issue", Kind::Text, "Only about this piece of work"),
            ("agent_type", Kind::Text, "Only of agents of this type"),
            ("agent_id", Kind::Text, "Only of this agent, or of one of its sessions"),
            ("status", Kind::Word(result_statuses), "Only those"),
            ("since", Kind::Instant, "Stored at this instant or later: 2026-01-31T09:00:00Z"),
            ("until", Kind::Instant, "Stored before this instant"),
            LIMIT,
            ("cursor", Kind::Text, "Goes on behind a page: its `next_cursor`, or the id of any result"),
        ],
        body: None,
        done: (200, json::<AgentResults>()),
        problems: &[404],
    },
    Route {
        method: Method::GET,
        path: "/api/results/{id}",
        call: Call::ShowResult,
        about: "One result with what it says",
        need: Need::May(Permission::ReadContext),
        query: &[],
        body: None,
        done: (200, json::<AgentResultShape>()),
        problems: &[404],
    },
    Route {
        method: Method::POST,
        path: "/api/knowledge",
        call: Call::Learn,
        about: "Leaves what an agent or a person knows for others; with Idempotency-Key once. What gives something away is refused",
        need: Need::May(Permission::WriteResults),
        query: &[],
        body: Some(json::<Learn>()),
        done: (201, json::<Learned>()),
        problems: &[404, 409],
    },
    Route {
        method: Method::GET,
        path: "/api/knowledge",
        call: Call::SearchKnowledge,
        about: "What is known in this project: with any of the words, the best first; else the newest first",
        need: Need::May(Permission::ReadContext),
        query: &[
            ("q", Kind::Text, "Words, and nothing but words: there are no operators"),
            ("type", Kind::Word(knowledge_kinds), "Only those"),
            ("project", Kind::Text, "The project of the token"),
            ("agent", Kind::Text, "Only of this agent, or of one of its sessions"),
            ("limit", Kind::Number(1, FOUND_MAX), "At most so many; 10 when not given"),
        ],
        body: None,
        done: (200, json::<KnowledgeFound>()),
        problems: &[404],
    },
    Route {
        method: Method::GET,
        path: "/api/state/{scope}/{key}",
        call: Call::ReadValue,
        about: "A value of the session of whoever asks, or of the whole project (`global`), with its etag",
        need: Need::May(Permission::ReadContext),
        query: &[],
        body: None,
        done: (200, json::<StateValue>()),
        problems: &[404],
    },
    Route {
        method: Method::PUT,
        path: "/api/state/{scope}/{key}",
        call: Call::SetValue,
        about: "Sets it; with If-Match only if it is as it was read, with If-None-Match: * only if it is not there",
        need: Need::May(Permission::WriteResults),
        query: &[],
        body: Some(json::<PutValue>()),
        done: (200, json::<StateValue>()),
        problems: &[404, 409, 412],
    },
    Route {
        method: Method::DELETE,
        path: "/api/state/{scope}/{key}",
        call: Call::RemoveValue,
        about: "Takes it away, and says what it was; with If-Match only if it is as it was read",
        need: Need::May(Permission::WriteResults),
        query: &[],
        body: None,
        done: (200, json::<StateValue>()),
        problems: &[404, 409, 412],
    },
    Route {
        method: Method::POST,
        path: "/api/events/{event_type}",
        call: Call::PublishEvent,
        about: "Says something to whoever waits for it, or begins to within its time; steps of workflows hear it too",
        need: Need::May(Permission::PublishEvents),
        query: &[],
        body: Some(json::<Publish>()),
        done: (202, json::<Acknowledged>()),
        problems: &[409],
    },
    Route {
        method: Method::GET,
        path: "/api/events/wait/{event_type}",
        call: Call::WaitForEvent,
        about: "Events of this type: those that are kept, else the first that comes; none when the time is up",
        need: Need::May(Permission::ReadContext),
        query: &[
            (
                "timeout",
                Kind::Number(0, WAIT_MS_MAX),
                "Milliseconds to wait for the first; 30,000 when not given",
            ),
            FILTER,
            SINCE,
        ],
        body: None,
        done: (200, json::<Heard>()),
        problems: &[404],
    },
    Route {
        method: Method::GET,
        path: "/api/events/stream",
        call: Call::FollowEvents,
        about: "Events as they come, those that are kept first; `Last-Event-ID` goes on after one, and `gap` says that some are kept no longer",
        need: Need::May(Permission::ReadContext),
        query: &[("topic", Kind::Like(TOPIC), "Only those of this topic"), FILTER, SINCE],
        body: None,
        done: (200, Shape::Text("text/event-stream")),
        problems: &[],
    },
];

/// The shape of every problem.
pub(super) const PROBLEM: Shape = json::<ProblemShape>();

/// The router that the table makes.
pub(super) fn router(door: &Arc<Door>) -> Router {
    let mut paths: BTreeMap<&'static str, MethodRouter> = BTreeMap::new();
    for route in ROUTES {
        let filter = MethodFilter::try_from(route.method.clone()).expect("a method of the standard");
        let door = Arc::clone(door);
        let answer = move |params: RawPathParams, request: Request| {
            let door = Arc::clone(&door);
            async move {
                let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                respond(&door, route, params, request).await
            }
        };
        let before = paths.remove(route.path).unwrap_or_default();
        paths.insert(route.path, before.on(filter, answer));
    }
    let router = paths.into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    let (no_path, no_method) = (Arc::clone(door), Arc::clone(door));
    router
        .method_not_allowed_fallback(move |request: Request| async move {
            lost(&no_method, &request, StatusCode::METHOD_NOT_ALLOWED)
        })
        .fallback(move |request: Request| async move { lost(&no_path, &request, StatusCode::NOT_FOUND) })
}
