//! The parameters of a route: their kinds, their limits and the refusal of a wrong one.

use cuelight_base::Timestamp;
use cuelight_engine::{GateState, RunState};
use cuelight_exchange::{KnowledgeKind, ResultStatus};
use serde_json::json as value;

/// A parameter behind the question mark: its name, its kind, what it is for.
pub(in crate::http) type Parameter = (&'static str, Kind, &'static str);

/// Type of a parameter. Numbers and words are checked for all routes alike. The form of a text is documented,
/// and the reader of the parameter checks it.
#[derive(Clone, Copy)]
pub(in crate::http) enum Kind {
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
    pub(in crate::http) fn schema(self) -> serde_json::Value {
        match self {
            Self::Number(least, most) => value!({"type": "integer", "minimum": least, "maximum": most}),
            Self::Word(words) => value!({"type": "string", "enum": words()}),
            Self::Instant => value!({"type": "string", "format": "date-time"}),
            Self::Text => value!({"type": "string"}),
            Self::Like(form) => value!({"type": "string", "pattern": form}),
        }
    }

    /// The fault of this text, if any.
    pub(in crate::http) fn refusal(self, text: &str) -> Option<String> {
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
pub(super) const WAIT_MS_MAX: u64 = 60_000;
/// Limit of knowledge entries found at once.
pub(super) const FOUND_MAX: u64 = 100;
/// Runs, gates or results of one page.
pub(in crate::http) const PAGE_MAX: u64 = 1000;
/// `cuelight_base::is_topic`, as a pattern.
pub(super) const TOPIC: &str = "^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,99}$";

/// The type of a parameter in a path.
pub(in crate::http) fn place_in_path(name: &str) -> Kind {
    match name {
        "scope" => Kind::Word(|| vec!["session", "global"]),
        "event_type" => Kind::Like(TOPIC),
        "issue" => Kind::Like("^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}$"),
        "agent_type" => Kind::Like("^[a-z][a-z0-9-]{0,63}$"),
        "key" => Kind::Like("^[^\\x00-\\x1f\\x7f-\\x9f]{1,200}$"),
        _ => Kind::Text,
    }
}

pub(super) fn result_statuses() -> Vec<&'static str> {
    ResultStatus::ALL.iter().map(|status| status.word()).collect()
}

pub(super) fn knowledge_kinds() -> Vec<&'static str> {
    KnowledgeKind::ALL.iter().map(|kind| kind.word()).collect()
}

pub(super) fn gate_states() -> Vec<&'static str> {
    GateState::ALL.iter().map(|state| state.word()).collect()
}

pub(super) fn run_states() -> Vec<&'static str> {
    RunState::ALL.iter().map(|state| state.word()).collect()
}

pub(super) const WAIT: Parameter =
    ("wait", Kind::Number(0, WAIT_MS_MAX), "Milliseconds to wait until the gate closes");
pub(super) const LIMIT: Parameter =
    ("limit", Kind::Number(1, PAGE_MAX), "At most so many; 100 when not given");

pub(super) const FILTER: Parameter = (
    "filter",
    Kind::Like("^[^:,]+:[^,]*(,[^:,]+:[^,]*){0,19}$"),
    "`name:value`, more of them with commas, and all have to hold: a field of `data` by its path, publisher, correlation_id, topic, type, to, qos, priority",
);
pub(super) const SINCE: Parameter =
    ("since", Kind::Text, "Only those after the event of this id: the `next_cursor` of the answer before");
