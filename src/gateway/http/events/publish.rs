//! Publishes an event: reads it, judges its proof and records it.

use super::{event_type, invalid};
use crate::{
    http::{
        answer::json,
        asked::Asked,
        door::Door,
        problem::{Problem, of_reply},
    },
    webhook::Signed,
};
use axum::{http::StatusCode, response::Response};
use cuelight_base::{
    Actor, MESSAGE_TTL, Message, MessageKind, Priority, Proof, Qos, Span, Value, ValueMap, is_name, sha256,
};
use cuelight_engine::Command;
use cuelight_exchange::{MessageProof, NewMessage};
use cuelight_runtime::{Entropy, Reply, RequestId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::timeout;

/// Names of who heard an event.
const NOTIFIED_MAX: usize = 100;
/// Timeout to record an event. A full disk may free up again, but the client does not wait for that.
const WRITE_MAX: Duration = Duration::from_secs(5);

/// Something to be said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Publish {
    /// The type that the path names, again: a signature covers the body and not the path.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    event_type: Option<String>,
    /// The subject of the token, or a session of it: `reviewer-1`, `reviewer-1/s2`. It is the subject when not given.
    #[serde(default)]
    #[schemars(length(min = 1, max = 256))]
    publisher: Option<String>,
    /// The wider topic: `architecture`, `security`, `deployment`, one of your own. It is the event type when not given.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    topic: Option<String>,
    /// Content of the event.
    data: Value,
    /// Id of the subject or request that the event belongs to.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    correlation_id: Option<String>,
    /// Time in seconds until it expires; a day when not given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 2_592_000))]
    ttl_seconds: Option<u64>,
    /// Priority for the readers.
    #[serde(default)]
    priority: PriorityWord,
    /// Delivery that you rely on; `exactly-once` needs an `id` or `Idempotency-Key`.
    #[serde(default)]
    qos: QosWord,
    /// The same id again within a day is the same event.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,99}$"))]
    id: Option<String>,
    /// Type of the message.
    #[serde(default, rename = "type")]
    kind: KindWord,
    /// To whom, when it is not for all.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    to: Option<String>,
    /// Metadata of the event.
    #[serde(default)]
    meta: ValueMap,
}

/// Priority of an event.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::http) enum PriorityWord {
    Low,
    #[default]
    Normal,
    High,
    Critical,
}

/// Delivery that the sender of an event relies on.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::enum_variant_names, reason = "the words are those of the origins")]
enum QosWord {
    AtMostOnce,
    #[default]
    AtLeastOnce,
    ExactlyOnce,
}

/// Type of a message.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum KindWord {
    #[default]
    Event,
    Task,
    ToolCall,
    DebateProposal,
    DebateCritique,
    DebateDecision,
    Control,
    Error,
}

/// Result of publishing an event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Published")]
pub(in crate::http) struct Acknowledged {
    event_id: String,
    /// It is on disk, now or since it was sent first.
    published: bool,
    /// Steps that went on with it, and who waited for it over HTTP; a hundred of them at most.
    subscribers_notified: Vec<String>,
    subscriber_count: u64,
    topic: String,
    timestamp: String,
}

pub(in crate::http) async fn publish(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let event_type = event_type(asked)?;
    let (mut given, data) = asked.body_beside::<Publish>("data")?;
    given.data = data;
    if given.event_type.as_ref().is_some_and(|other| *other != event_type) {
        return Err(invalid("could not say that: `event_type` is another one than that of the path"));
    }
    let (proof, signed_id) = proof(door, asked, &event_type, &given);
    let session = session(asked, given.publisher.as_deref())?;
    let by = asked.actor(door);
    let given_id = signed_id.or(given.id);
    let named_by_engine = given_id.is_none() && asked.key().is_none();
    let id = match (given_id, asked.key()) {
        (Some(id), _) => Some(id),
        // What one calls so says nothing of what another does.
        (None, Some(key)) => {
            let digest = sha256("cuelight-event-key-v1", &[by.principal().as_bytes(), key.as_bytes()]);
            Some(format!("k-{}", digest.to_string().chars().take(32).collect::<String>()))
        }
        (None, None) if matches!(given.qos, QosWord::ExactlyOnce) => None,
        (None, None) => Some(Entropy.request_id().0),
    };
    let message = NewMessage {
        id: id.clone(),
        named_by_engine,
        topic: event_type,
        kind: given.kind.into(),
        to: given.to,
        correlation: given.correlation_id,
        data: given.data,
        ttl: Some(given.ttl_seconds.map_or(MESSAGE_TTL, Span::seconds)),
        session,
        subject: given.topic.clone(),
        qos: given.qos.into(),
        priority: given.priority.into(),
        meta: given.meta,
        proof,
        trace: asked.place.map(|place| place.to_string()),
    };
    let topic = given.topic.unwrap_or_else(|| message.topic.clone());
    // Whoever waits now hears it; some have heard it and are gone when we know that it is on disk.
    let listening = door.listeners.of(|| seen_as(&message, &by));
    let command = Command::Publish { message: Box::new(message), by };
    // Not by the key of the request: the same key for something else is to be told, and the bus remembers it for a day.
    let reply = timeout(WRITE_MAX, asked.command(door, RequestId::once(), command)).await;
    match reply {
        Ok(Reply::Recorded(_)) => {}
        Ok(other) => return Err(of_reply(other)),
        Err(_) => {
            let why = "could not write that down in time: look at /health/ready, and send it again under the same id";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "STR_001", why));
        }
    }
    let event_id = id.unwrap_or_default();
    let board = door.desk.board();
    // One that was said long ago is known by its id alone.
    let said = board.bus().find(asked.project(), &event_id);
    let mut notified = said.map_or_else(Vec::new, |said| said.taken_by.clone());
    if said.is_some_and(|said| said.at >= asked.now) {
        notified.extend(listening);
    }
    let subscriber_count = u64::try_from(notified.len()).unwrap_or(u64::MAX);
    notified.sort_unstable();
    notified.dedup();
    notified.truncate(NOTIFIED_MAX);
    let timestamp = said.map_or(asked.now, |said| said.at).to_string();
    let told = Acknowledged {
        event_id,
        published: true,
        subscribers_notified: notified,
        subscriber_count,
        topic,
        timestamp,
    };
    Ok(json(StatusCode::ACCEPTED, &told))
}

/// The message as its listener will see it.
fn seen_as(new: &NewMessage, by: &Actor) -> Message {
    let session = new.session.as_ref().map(|session| format!("/{session}")).unwrap_or_default();
    Message {
        topic: new.topic.clone(),
        kind: new.kind,
        from: format!("{}{session}", by.name),
        to: new.to.clone(),
        correlation: new.correlation.clone(),
        data: new.data.clone(),
        project: by.project().map(str::to_owned),
        subject: new.subject.clone(),
        qos: new.qos,
        priority: new.priority,
        ..Message::default()
    }
}

/// Checks the signature of an event, if its topic or type requires one. Returns the result and the signed id.
fn proof(door: &Door, asked: &Asked, event_type: &str, given: &Publish) -> (MessageProof, Option<String>) {
    let board = door.desk.board();
    let wanted: Vec<&str> = [Some(event_type), given.topic.as_deref()]
        .into_iter()
        .flatten()
        .filter(|event_type| board.topics().rule(event_type).is_some_and(|rule| rule.signed))
        .collect();
    let field =
        |name: &str| asked.headers.get(name).and_then(|header| header.to_str().ok()).unwrap_or_default();
    let signed = Signed {
        id: field("webhook-id"),
        timestamp: field("webhook-timestamp"),
        signatures: field("webhook-signature"),
    };
    if wanted.is_empty() || signed.signatures.is_empty() {
        return (MessageProof::default(), None);
    }
    let mut proof = MessageProof::default();
    let check = |topic: &str| {
        let keys = door.topic_keys()?;
        if given.event_type.is_none() || given.publisher.is_none() {
            return Err(
                "the body has to say `event_type` and `publisher`, so that the signature covers them"
                    .to_owned(),
            );
        }
        if given.id.as_ref().is_some_and(|id| id != signed.id) || !is_name(signed.id) {
            return Err("`webhook-id` is another id than that of the body, or is none".to_owned());
        }
        signed.check(&asked.raw, keys.live(topic, asked.now).map(|key| &key.secret), asked.now)
    };
    for topic in wanted {
        match check(topic) {
            Ok(()) => proof.good_for.push(topic.to_owned()),
            Err(why) => proof.wrong = Some(why),
        }
    }
    (proof, is_name(signed.id).then(|| signed.id.to_owned()))
}

/// The session of the caller that says it; nobody speaks for somebody else.
fn session(asked: &Asked, publisher: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(publisher) = publisher else { return Ok(None) };
    let subject = match asked.bearer.as_ref().map(|bearer| &bearer.actor.proof) {
        Some(Proof::Token(token)) => token.subject.as_str(),
        _ => "",
    };
    match publisher.strip_prefix(subject).filter(|_| !subject.is_empty()) {
        Some("") => Ok(None),
        Some(rest) if rest.strip_prefix('/').is_some_and(is_name) => {
            Ok(rest.strip_prefix('/').map(str::to_owned))
        }
        _ => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "AUTH_003",
            "could not say that for somebody else: `publisher` is the subject of the token, or a session of it (`subject/session`)",
        )),
    }
}

impl From<PriorityWord> for Priority {
    fn from(word: PriorityWord) -> Self {
        match word {
            PriorityWord::Low => Self::Low,
            PriorityWord::Normal => Self::Normal,
            PriorityWord::High => Self::High,
            PriorityWord::Critical => Self::Critical,
        }
    }
}

impl From<QosWord> for Qos {
    fn from(word: QosWord) -> Self {
        match word {
            QosWord::AtMostOnce => Self::AtMostOnce,
            QosWord::AtLeastOnce => Self::AtLeastOnce,
            QosWord::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}

impl From<KindWord> for MessageKind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Event => Self::Event,
            KindWord::Task => Self::Task,
            KindWord::ToolCall => Self::ToolCall,
            KindWord::DebateProposal => Self::DebateProposal,
            KindWord::DebateCritique => Self::DebateCritique,
            KindWord::DebateDecision => Self::DebateDecision,
            KindWord::Control => Self::Control,
            KindWord::Error => Self::Error,
        }
    }
}
