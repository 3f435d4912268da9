//! Claims of a token. All of them are checked, and none is believed before the signature is.

use cuelight_base::{Span, Timestamp, is_agent_type};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Default lifetime of a token, …
pub const TOKEN_LIFE_DEFAULT: Span = Span::seconds(3600);
/// … and the longest one.
pub const TOKEN_LIFE_MAX: Span = Span::seconds(24 * 3600);
/// Clocks differ by so much.
const LEEWAY_SECONDS: i64 = 60;

/// Permission of a token.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Permission {
    ReadContext,
    WriteResults,
    PublishEvents,
    SpawnAgents,
    ReadGates,
    DecideGates,
    ViewMetrics,
    ManageAgents,
    ClearCache,
}

impl Permission {
    /// All permissions there are.
    pub const ALL: &'static [Self] = &[
        Self::ReadContext,
        Self::WriteResults,
        Self::PublishEvents,
        Self::SpawnAgents,
        Self::ReadGates,
        Self::DecideGates,
        Self::ViewMetrics,
        Self::ManageAgents,
        Self::ClearCache,
    ];
    /// Default permissions of an agent.
    pub const OF_AGENTS: &'static [Self] =
        &[Self::ReadContext, Self::WriteResults, Self::PublishEvents, Self::ReadGates];
    /// Default permissions of a person.
    pub const OF_PEOPLE: &'static [Self] =
        &[Self::ReadContext, Self::ReadGates, Self::DecideGates, Self::ViewMetrics];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ReadContext => "read_context",
            Self::WriteResults => "write_results",
            Self::PublishEvents => "publish_events",
            Self::SpawnAgents => "spawn_agents",
            Self::ReadGates => "read_gates",
            Self::DecideGates => "decide_gates",
            Self::ViewMetrics => "view_metrics",
            Self::ManageAgents => "manage_agents",
            Self::ClearCache => "clear_cache",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

impl FromStr for Permission {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = || Self::ALL.iter().map(|permission| permission.word()).collect::<Vec<_>>().join(", ");
        let found = Self::ALL.iter().find(|permission| permission.word() == text);
        found.copied().ok_or_else(|| format!("there is no such permission; there are {}", words()))
    }
}

/// Type of an agent: `coding`, `qa`. Rates and capabilities depend on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentType(String);

impl AgentType {
    /// The type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AgentType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_agent_type(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a type is a lower-case letter and then letters, digits and `-`, 64 at most".to_owned())
        }
    }
}

/// The claims of a token. Instants are whole seconds since 1970. Others than these say nothing to us; the same one twice is
/// refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer of the token.
    pub iss: String,
    /// Workspace that the token is for.
    pub aud: String,
    /// Subject: name of the agent or person.
    pub sub: String,
    /// Type of the agent; `None` for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<String>,
    /// Project that the token is for.
    pub project_id: String,
    /// Permissions that the token grants.
    pub permissions: Vec<Permission>,
    /// Expiry: not valid from this instant on.
    pub exp: i64,
    /// Not valid before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// When it was made.
    pub iat: i64,
    /// Unique id of the token.
    pub jti: String,
    /// Number of renewals so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub renewed: u32,
    /// The call that it is good for, of an agent that was started here: `r-7.1.1`. It counts while that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Validity of a token at an instant.
pub(super) enum Age {
    Good,
    Expired,
    /// The end of a sentence.
    Wrong(&'static str),
}

impl Claims {
    /// When it is not good any more, also where a clock is late by less than an hour.
    pub fn until(&self) -> Timestamp {
        let hour = Span::seconds(3600);
        Timestamp(self.exp.saturating_mul(1000)) + hour
    }

    /// Lifetime that it was made for.
    pub fn life(&self) -> Span {
        Span::seconds(u64::try_from(self.exp.saturating_sub(self.iat)).unwrap_or(0))
    }

    /// From when on it is not good any more by our clock.
    pub(super) fn ends(&self) -> Timestamp {
        Timestamp(self.exp.saturating_add(LEEWAY_SECONDS).saturating_mul(1000))
    }

    pub(super) fn age(&self, now: Timestamp) -> Age {
        let now = now.0.div_euclid(1000);
        let limit = i64::try_from(TOKEN_LIFE_MAX.0 / 1000).unwrap_or(i64::MAX);
        if self.exp <= self.iat || self.iat < 0 {
            return Age::Wrong("it ends before it begins");
        }
        if self.exp.saturating_sub(self.iat) > limit {
            return Age::Wrong("it is good for more than a day");
        }
        if self.iat.saturating_sub(LEEWAY_SECONDS) > now {
            return Age::Wrong("it was made in the future; set the clocks");
        }
        if self.nbf.is_some_and(|nbf| nbf.saturating_sub(LEEWAY_SECONDS) > now) {
            return Age::Wrong("it is not good yet");
        }
        if self.exp.saturating_add(LEEWAY_SECONDS) <= now { Age::Expired } else { Age::Good }
    }
}
