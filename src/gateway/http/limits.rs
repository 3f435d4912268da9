//! Rate limits: for each type of agent of a project, for each person, and for each address without a valid token. Kept
//! in memory; a new engine begins with full buckets.

use crate::token::Bearer;
use cuelight_base::{Bucket, Empty, RateRule, Span, Timestamp};
use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// Buckets that are kept; one that is full again is forgotten first.
const BUCKETS_MAX: usize = 10_000;
/// Requests of one address in a second that no token stands behind.
const STRANGERS_PER_SECOND: u32 = 100;

/// Requests of one kind of agent of one project, or of one person there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests in a minute.
    pub per_minute: u32,
    /// At once, when none was made for a while.
    pub burst: u32,
}

/// Rates by the type of an agent; each person has that of the type `person`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Rates of the workspace's settings, which replace the built-in ones; `None` means no limit.
    pub said: BTreeMap<String, Option<Rate>>,
}

impl Rates {
    /// The rate of a type; nothing where there is no limit.
    pub fn of(&self, kind: &str) -> Option<Rate> {
        if let Some(said) = self.said.get(kind) {
            return *said;
        }
        match kind {
            "architect" => None,
            "documentation" | "support" => Some(Rate { per_minute: 30, burst: 5 }),
            _ => self.said.get("other").copied().unwrap_or(Some(Rate { per_minute: 60, burst: 10 })),
        }
    }
}

/// The holder of a bucket: all agents of a type in a project, or one person there, whom nobody else can keep from saying no.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Caller {
    Agents { project: String, agent_type: String },
    Person { project: String, name: String },
}

impl Caller {
    pub(super) fn of(bearer: &Bearer) -> Self {
        let project = bearer.project().to_owned();
        match &bearer.agent_type {
            Some(agent_type) => Self::Agents { project, agent_type: agent_type.as_str().to_owned() },
            None => Self::Person { project, name: bearer.actor.name.clone() },
        }
    }

    /// The key of its rate in the settings.
    fn kind(&self) -> &str {
        match self {
            Self::Agents { agent_type, .. } => agent_type,
            Self::Person { .. } => "person",
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agents { agent_type, .. } => write!(f, "agents of the type {agent_type} in this project"),
            Self::Person { name, .. } => write!(f, "{name} in this project"),
        }
    }
}

/// The buckets of all who ask.
#[derive(Debug, Default)]
pub(super) struct Limits {
    callers: Mutex<BTreeMap<Caller, Bucket>>,
    addresses: Mutex<BTreeMap<IpAddr, Bucket>>,
}

/// The remaining quota, for the headers of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// When the bucket is full again.
    pub(super) reset: Timestamp,
}

impl Limits {
    /// One request of a caller; nothing is counted where there is no limit.
    ///
    /// # Errors
    /// When it may ask again, and what it has.
    pub(super) fn take(
        &self,
        rates: &Rates,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Option<Left>, (Timestamp, Left)> {
        let Some(rate) = rates.of(caller.kind()) else { return Ok(None) };
        taken(&self.callers, caller.clone(), &rule(rate), now).map(Some)
    }

    /// Checks that a request from this address may be read, before any of it is.
    ///
    /// # Errors
    /// The time at which it may ask again.
    pub(super) fn admit(&self, address: IpAddr, now: Timestamp) -> Result<(), Timestamp> {
        let buckets = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.get(&address);
        match bucket.and_then(|bucket| bucket.is_empty(&strangers(), now)) {
            Some(Empty::Rate(at) | Empty::Quota(at)) => Err(at),
            None => Ok(()),
        }
    }

    /// One request of this address that no token stood behind.
    pub(super) fn stranger(&self, address: IpAddr, now: Timestamp) {
        // Whoever has none left was not admitted.
        let _ = taken(&self.addresses, address, &strangers(), now);
    }
}

fn strangers() -> RateRule {
    RateRule { calls: STRANGERS_PER_SECOND, burst: STRANGERS_PER_SECOND, ..RateRule::default() }
}

fn rule(rate: Rate) -> RateRule {
    RateRule { calls: rate.per_minute, per: Span::seconds(60), burst: rate.burst, ..RateRule::default() }
}

fn taken<K: Ord>(
    buckets: &Mutex<BTreeMap<K, Bucket>>,
    key: K,
    rule: &RateRule,
    now: Timestamp,
) -> Result<Left, (Timestamp, Left)> {
    let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
    if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&key) {
        buckets.retain(|_, bucket| bucket.left(rule, now) < rule.burst);
    }
    let bucket = buckets.get(&key).cloned().unwrap_or_default();
    let left = |bucket: &Bucket| Left {
        limit: rule.calls,
        remaining: bucket.left(rule, now),
        reset: Timestamp(bucket.full_at_us.div_euclid(1000).max(now.0)),
    };
    if let Some(Empty::Rate(at) | Empty::Quota(at)) = bucket.is_empty(rule, now) {
        return Err((at, left(&bucket)));
    }
    let bucket = bucket.take(rule, now);
    let left = left(&bucket);
    if buckets.len() < BUCKETS_MAX || buckets.contains_key(&key) {
        buckets.insert(key, bucket);
    }
    Ok(left)
}
