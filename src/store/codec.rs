//! Events to text and back. Each row carries the version it was written in; what is older is lifted, step by step, to
//! what this program knows; what is newer is refused with a clear word.

use cuelight_base::{EVENT_BYTES_MAX, EVENT_DEPTH_MAX, Timestamp, Value, is_nested_beyond};
use cuelight_engine::{Event, Fact};
use serde::de::DeserializeOwned;

/// Lifts a payload by one version: the first from 1 to 2, and so on. Pure, and never changed once released.
type Upcaster = fn(Value) -> Value;
const UPCASTERS: [Upcaster; 0] = [];

/// The version in which events are written.
#[expect(clippy::cast_possible_truncation, reason = "there will never be 2^32 versions")]
pub(super) const EVENT_VERSION: u32 = UPCASTERS.len() as u32 + 1;

/// The noun a fact is about: a column to look by.
pub(super) fn kind_of(fact: &Fact) -> &'static str {
    match fact {
        Fact::Run(..) => "run",
        Fact::Step(..) => "step",
        Fact::Attempt(..) => "attempt",
        Fact::Gate(..) => "gate",
        Fact::Undo(..) => "undo",
        Fact::Scope(..) => "scope",
        Fact::Failure(..) => "failure",
        Fact::Schedule(..) => "schedule",
        Fact::Target(..) => "target",
        Fact::Cache(..) => "cache",
        Fact::Bus(..) => "bus",
        Fact::Token(..) => "token",
        Fact::Library(..) => "library",
        Fact::People(..) => "people",
        Fact::Agent(..) => "agent",
        Fact::Recovered { .. } => "recovered",
    }
}

/// The payload of an event: what is hashed and what is stored, the same bytes. When it happened is a column.
pub(super) fn encode(fact: &Fact) -> Result<String, String> {
    let text = serde_json::to_string(fact).map_err(|error| format!("an event cannot be written: {error}"))?;
    if text.len() > EVENT_BYTES_MAX {
        return Err(format!("an event has {} bytes, at most {EVENT_BYTES_MAX} can be kept", text.len()));
    }
    check_depth(text.as_bytes())?;
    Ok(text)
}

pub(super) fn decode(version: u32, at: Timestamp, payload: &[u8]) -> Result<Event, String> {
    check_depth(payload)?;
    if version == EVENT_VERSION {
        return Ok(Event { at, fact: parse(payload)? });
    }
    let lifts = version.checked_sub(1).and_then(|lifted| UPCASTERS.get(lifted as usize..));
    let Some(lifts) = lifts.filter(|lifts| !lifts.is_empty()) else {
        return Err(format!(
            "an event of version {version}, this cuelight knows {EVENT_VERSION}; use a newer one"
        ));
    };
    let lifted = lifts.iter().fold(parse(payload)?, |value, lift| lift(value));
    let fact = serde_json::from_value(lifted).map_err(|error| error.to_string())?;
    Ok(Event { at, fact })
}

fn parse<T: DeserializeOwned>(payload: &[u8]) -> Result<T, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(payload);
    // What a step may say is 128 deep, and an event holds it deeper; `check_depth` has bounded the whole.
    deserializer.disable_recursion_limit();
    let value = T::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// Nesting is bounded before anything recurses over it.
fn check_depth(json: &[u8]) -> Result<(), String> {
    if is_nested_beyond(json, EVENT_DEPTH_MAX) {
        return Err(format!("an event is nested more than {EVENT_DEPTH_MAX} deep"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::Span;

    #[test]
    fn an_event_of_a_newer_version_is_refused_with_a_clear_word() {
        let text = encode(&Fact::Recovered { away: Span(7), taken: None }).expect("it is small");
        assert!(decode(EVENT_VERSION, Timestamp(1), text.as_bytes()).is_ok());
        let error = decode(EVENT_VERSION + 1, Timestamp(1), text.as_bytes()).expect_err("it is newer");
        assert!(error.contains("use a newer one"), "{error}");
        assert!(decode(0, Timestamp(1), text.as_bytes()).is_err());
    }

    #[test]
    fn nesting_is_counted_outside_of_strings_only() {
        assert!(check_depth("[".repeat(EVENT_DEPTH_MAX).as_bytes()).is_ok());
        assert!(check_depth("[".repeat(EVENT_DEPTH_MAX + 1).as_bytes()).is_err());
        assert!(check_depth(format!("\"\\\"{}\"", "[".repeat(1000)).as_bytes()).is_ok());
    }
}
