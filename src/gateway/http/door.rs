//! The state that all requests share: the desk, the keys, the limits, and the counts.

use super::{
    events::Frames,
    limits::{Limits, Rates},
    listeners::{Listeners, Places},
    log::{RequestLine, RequestLog},
    routes::Call,
    spawn::SpawnRule,
    tls::TlsFiles,
};
use crate::{CheckedTokens, KeyRing};
use cuelight_base::{Schema, Span, Timestamp};
use cuelight_runtime::{Clock as _, LocalDesk, SystemClock, Tasks, TcpPeer, Traces, WhoIsWho};
use cuelight_store::{TokenKeys, TopicKeys, Workspace};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Settings of the HTTP API.
#[derive(Clone, Debug)]
pub struct HttpSetup {
    /// The workspace, which holds the keys.
    pub workspace: Workspace,
    /// Says who is who.
    pub who: WhoIsWho,
    /// The project that everything belongs to that was not asked for with a token of another one.
    pub project: String,
    /// True if counts need no token.
    pub open_status: bool,
    /// Rate limits per type of agent.
    pub rates: Rates,
    /// Certificate and key; `None` means no encryption.
    pub tls: Option<TlsFiles>,
    /// Rules for the results of agents.
    pub results: ResultRules,
    /// Rules for agents that are started, by their type; types without an entry get the default.
    pub spawn: BTreeMap<String, SpawnRule>,
    /// Our address for agents that are started, if it differs from the one that we listen on:
    /// `https://cue.example.org:3001`.
    pub agents_url: Option<String>,
    /// Timeout for a request's head, and again for its body; also for a silent connection.
    pub patience: Duration,
    /// Limits of connections, and of waiting requests among them.
    pub places: Places,
    /// The trace export for answered requests; `None` if it is off.
    pub traces: Option<Arc<Traces>>,
    /// Receives a line for each answered request; `None` if there is no log.
    pub log: Option<mpsc::Sender<RequestLine>>,
}

/// Rules for results that agents submit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultRules {
    /// Time for which a result can be found; `None` means 30 days.
    pub kept_for: Option<Span>,
    /// Types of agents that follow on a type.
    pub next_agents: BTreeMap<String, Vec<String>>,
}

/// Counted since the engine began to listen: by route and status, how often and how long in all.
pub(super) type Counts = BTreeMap<(&'static str, &'static str, u16), (u64, u64)>;

/// Reports if a peer must be taken for a step's.
pub type StepJudge = fn(&TcpPeer) -> bool;

/// The keys as they were read, and what tells that the file was changed.
type KnownKeys = Option<(Stamp, Arc<TokenKeys>)>;

/// Values that change when a file is changed.
type Stamp = (u64, i64, i64);

#[derive(Debug)]
pub(super) struct Door {
    pub(super) desk: LocalDesk,
    pub(super) setup: HttpSetup,
    pub(super) limits: Limits,
    pub(super) log: RequestLog,
    /// The requests that wait for events.
    pub(super) listeners: Arc<Listeners>,
    /// Encoded events for clients that follow.
    pub(super) frames: Arc<Frames>,
    pub(super) closing: CancellationToken,
    pub(super) tasks: Tasks,
    /// True if only this machine can reach the port.
    pub(super) is_local: bool,
    /// Says who may be a step, before a judgement is taken.
    pub(super) judge: StepJudge,
    pub(super) engine: u32,
    /// Schema of each call's body.
    shapes: BTreeMap<Call, Schema>,
    since: Span,
    /// Held while an agent is started, until it is seen.
    pub(super) spawning: tokio::sync::Mutex<()>,
    /// The project of the setup, for each request.
    project: Arc<str>,
    keys: Mutex<KnownKeys>,
    /// Tokens that were looked at.
    pub(super) tokens: CheckedTokens,
    topic_keys: Mutex<Option<(Stamp, TopicKeys)>>,
    counts: Mutex<Counts>,
}

/// The tasks of the engine, and the word that it ends.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) tasks: Tasks,
    pub(super) closing: CancellationToken,
}

impl Door {
    pub(super) fn new(
        desk: LocalDesk,
        mut setup: HttpSetup,
        (is_local, judge): (bool, StepJudge),
        Life { tasks, closing }: Life,
        shapes: BTreeMap<Call, Schema>,
    ) -> Self {
        let listeners = Arc::new(Listeners::new(setup.places));
        // It ends when this does.
        let log = RequestLog::new(setup.log.take());
        Self {
            shapes,
            desk,
            limits: Limits::default(),
            log,
            listeners,
            frames: Arc::default(),
            closing,
            tasks,
            is_local,
            judge,
            engine: rustix::process::geteuid().as_raw(),
            since: SystemClock.uptime(),
            spawning: tokio::sync::Mutex::default(),
            project: setup.project.as_str().into(),
            keys: Mutex::default(),
            tokens: CheckedTokens::default(),
            topic_keys: Mutex::default(),
            counts: Mutex::default(),
            setup,
        }
    }

    /// Schema for the body of this call.
    pub(super) fn shape(&self, call: Call) -> Option<&Schema> {
        self.shapes.get(&call)
    }

    pub(super) fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    pub(super) fn uptime(&self) -> Span {
        Span(SystemClock.uptime().0.saturating_sub(self.since.0))
    }

    /// The keys that count at this moment.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn ring(&self) -> Result<KeyRing, String> {
        let people = self.setup.who.now()?;
        Ok(KeyRing { keys: self.keys()?, people, engine: self.engine, project: Arc::clone(&self.project) })
    }

    fn keys(&self) -> Result<Arc<TokenKeys>, String> {
        let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = TokenKeys::stamp(&self.setup.workspace);
        if let (Some((before, keys)), Some(stamp)) = (&*known, stamp)
            && *before == stamp
        {
            return Ok(Arc::clone(keys));
        }
        let keys = TokenKeys::of(&self.setup.workspace).map_err(|error| error.to_string())?;
        let keys = Arc::new(keys.ok_or_else(|| {
            "no key for tokens was made yet; `cuelight token --agent NAME --type TYPE` makes one".to_owned()
        })?);
        *known = stamp.map(|stamp| (stamp, Arc::clone(&keys)));
        Ok(keys)
    }

    /// The keys that what is said about topics is signed with.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn topic_keys(&self) -> Result<TopicKeys, String> {
        let mut known = self.topic_keys.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = TopicKeys::stamp(&self.setup.workspace);
        if let (Some((before, keys)), Some(stamp)) = (&*known, stamp)
            && *before == stamp
        {
            return Ok(keys.clone());
        }
        let keys = TopicKeys::of(&self.setup.workspace).map_err(|error| error.to_string())?;
        *known = stamp.map(|stamp| (stamp, keys.clone()));
        Ok(keys)
    }

    /// One request that was answered.
    pub(super) fn count(&self, route: (&'static str, &'static str), status: u16, microseconds: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((route.0, route.1, status)).or_default();
        *count = (count.0 + 1, count.1.saturating_add(microseconds));
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
