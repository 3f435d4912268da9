//! Rules for choosing one of several candidates. The arithmetic is in `engine`.

use serde::{Deserialize, Serialize};

/// The rule by which one of several candidates is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoutePolicy {
    /// One after the other.
    RoundRobin,
    /// The candidate with most of the capabilities that are asked for.
    #[default]
    Capability,
    /// The candidate with the fewest calls under way.
    LeastLoaded,
    /// The candidate with the highest priority.
    Priority,
    /// A person, at a gate.
    Manual,
    /// The candidate with the best recent record; one choice in ten is for finding out.
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
