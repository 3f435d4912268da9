//! The words for how one of several candidates is chosen. How that is reckoned is for `engine`.

use serde::{Deserialize, Serialize};

/// By which rule one of several candidates is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoutePolicy {
    /// One after the other.
    RoundRobin,
    /// Who can do most of what is asked for.
    #[default]
    Capability,
    /// Who has the fewest calls under way.
    LeastLoaded,
    /// Who has the highest priority.
    Priority,
    /// A person, at a gate.
    Manual,
    /// Who has done best lately; one choice in ten is for finding out.
    Learned,
}

impl RoutePolicy {
    /// All of them, in the order they are named.
    pub const ALL: [Self; 6] =
        [Self::RoundRobin, Self::Capability, Self::LeastLoaded, Self::Priority, Self::Manual, Self::Learned];

    /// The word for it, in files and in the trail.
    pub const fn word(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Capability => "capability",
            Self::LeastLoaded => "least-loaded",
            Self::Priority => "priority",
            Self::Manual => "manual",
            Self::Learned => "learned",
        }
    }
}
