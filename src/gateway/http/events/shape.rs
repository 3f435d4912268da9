//! An event as callers get it: in JSON, and as a frame of a stream that is made once for all who follow.

use axum::body::Bytes;
use cuelight_base::{Message, Value, ValueMap};
use cuelight_exchange::Said;
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Events that are kept as streams say them, and their bytes: a caller that follows is rarely further behind.
const FRAMES_MAX: usize = 256;
const FRAMES_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An event as published.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub(in crate::http) struct EventShape {
    event_id: String,
    event_type: String,
    topic: String,
    /// A step with its run, an agent (`agent:reviewer-1`), or the name of a person.
    publisher: String,
    #[serde(rename = "type")]
    kind: &'static str,
    data: Value,
    correlation_id: Option<String>,
    to: Option<String>,
    priority: &'static str,
    qos: &'static str,
    meta: ValueMap,
    timestamp: String,
    expires_at: String,
    /// The publisher's place in a trace, as the W3C writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    /// For proposals that say `evidence` and `confidence`: how good they are, from 0 to 1.
    score: Option<String>,
}

pub(super) fn shape(said: &Said) -> EventShape {
    let message = Message::clone(&said.message);
    EventShape {
        topic: message.subject().to_owned(),
        traceparent: message.trace.clone(),
        score: message.debate_score().map(|debate_score| debate_score.to_string()),
        event_id: message.id,
        event_type: message.topic,
        publisher: message.from,
        kind: message.kind.word(),
        data: message.data,
        correlation_id: message.correlation,
        to: message.to,
        priority: message.priority.word(),
        qos: message.qos.word(),
        meta: message.meta,
        timestamp: said.at.to_string(),
        expires_at: message.expires_at.to_string(),
    }
}

/// Events as streams say them, each made once for all who follow: those of the last moments.
#[derive(Debug, Default)]
pub(in crate::http) struct Frames {
    /// By the number of the event, and their bytes in all.
    kept: Mutex<(BTreeMap<u64, Bytes>, usize)>,
}

impl Frames {
    pub(super) fn of(&self, said: &Said) -> Bytes {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (frames, bytes) = &mut *kept;
        if let Some(frame) = frames.get(&said.number()) {
            return frame.clone();
        }
        let frame = frame(said);
        *bytes += frame.len();
        frames.insert(said.number(), frame.clone());
        while (frames.len() > FRAMES_MAX || *bytes > FRAMES_BYTES_MAX)
            && let Some((_, oldest)) = frames.pop_first()
        {
            *bytes -= oldest.len();
        }
        frame
    }
}

fn frame(said: &Said) -> Bytes {
    // JSON on one line.
    let data = serde_json::to_string(&shape(said)).unwrap_or_default();
    // An old log may hold ids that cannot stand here.
    let id = Some(&said.message.id).filter(|id| !id.contains(char::is_control));
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: message\ndata: {data}\n{id}\n").into()
}
