//! Events over HTTP: said to whoever waits for them, waited for, followed. They are the messages that steps of workflows say and hear, on
//! the same log: one that was acknowledged is on disk. Nobody who follows is held in memory but by their place.

use super::{
    answer::json,
    asked::{Asked, silence, still_good},
    door::Door,
    listeners::{Place, Wanted, place_for},
    problem::{Problem, of_reply},
};
use crate::{Bearer, webhook::Signed};
use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use cuelight_base::{
    MESSAGE_TTL, MESSAGE_WORD_CHARS_MAX, Message, MessageKind, Priority, Qos, Span, Timestamp, Value,
    ValueMap, is_name, is_topic, json_bytes, sha256,
};
use cuelight_engine::{Actor, Command, MessageProof, NewMessage, Proof, Said};
use cuelight_projection::Board;
use cuelight_runtime::{Boards, Clock as _, Desk as _, Entropy, Reply, RequestId, SystemClock};
use futures_util::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json as value;
use std::{
    collections::BTreeMap,
    convert::Infallible,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Default of the wait for the first event, in milliseconds.
const WAIT_MS_DEFAULT: u64 = 30_000;
/// Events of one answer, …
const EVENTS_MAX: usize = 100;
/// … and bytes of what they say.
const EVENTS_BYTES_MAX: usize = 1024 * 1024;
/// Conditions of one filter.
const CONDITIONS_MAX: usize = 20;
/// Names of who heard an event.
const NOTIFIED_MAX: usize = 100;
/// Events that are kept as streams say them, and their bytes: whoever follows is rarely further behind.
const FRAMES_MAX: usize = 256;
const FRAMES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Interval of the keep-alive on a stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Timeout to record an event. A full disk may free up again, but the client does not wait for that.
const WRITE_MAX: Duration = Duration::from_secs(5);

/// Something to be said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
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
pub(super) enum PriorityWord {
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
pub(super) struct Acknowledged {
    event_id: String,
    /// It is on disk, now or since it was sent first.
    published: bool,
    /// Steps that went on with it, and who waited for it over HTTP; a hundred of them at most.
    subscribers_notified: Vec<String>,
    subscriber_count: u64,
    topic: String,
    timestamp: String,
}

/// A page of events.
#[derive(Serialize, JsonSchema)]
pub(super) struct Heard {
    events: Vec<EventShape>,
    /// True if more events follow.
    more_available: bool,
    /// Goes on after them, as `since`.
    next_cursor: Option<String>,
    /// True if the wait ended before an event came.
    timeout: bool,
}

/// An event as published.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
struct EventShape {
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

fn shape(said: &Said) -> EventShape {
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

fn invalid(why: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "EVT_002", why)
}

fn event_type(asked: &Asked) -> Result<String, Problem> {
    let said = asked.param("event_type");
    is_topic(said).then(|| said.to_owned()).ok_or_else(|| {
        invalid(format!(
            "could not read the event type: it has letters, digits, `.`, `-`, `_` and `/` (as %2F), at most {MESSAGE_WORD_CHARS_MAX}"
        ))
    })
}

pub(super) async fn publish(door: &Door, asked: &Asked) -> Result<Response, Problem> {
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

/// The message as whoever waits for it will see it.
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

/// The session of whoever asks that says it; nobody speaks for somebody else.
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

/// Reads the filter of the request, and reserves a place for its wait.
fn listen(door: &Door, asked: &Asked, event_type: Option<String>) -> Result<(Arc<Wanted>, Place), Problem> {
    let topic = asked.query("topic").map(str::to_owned);
    if topic.as_deref().is_some_and(|topic| !is_topic(topic)) {
        return Err(invalid("could not read `topic`: it has letters, digits, `.`, `-`, `_` and `/`"));
    }
    let filter = filter(asked.query("filter"))?;
    let project = asked.project().map(str::to_owned);
    let wanted = Arc::new(Wanted { project, event_type, topic, filter });
    let place = place_for(door, asked, Arc::clone(&wanted), "for events")?;
    Ok((wanted, place))
}

/// `name:value,name:value`; all of them have to hold.
fn filter(text: Option<&str>) -> Result<Vec<(String, Value)>, Problem> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let conditions: Option<Vec<_>> = text
        .split(',')
        .map(|part| {
            let (name, wanted) = part.split_once(':').filter(|halves| !halves.0.is_empty())?;
            let name = match name {
                "publisher" => "from",
                "correlation_id" => "correlation",
                name => name,
            };
            Some((name.to_owned(), Value::from(wanted)))
        })
        .collect();
    conditions.filter(|conditions| conditions.len() <= CONDITIONS_MAX).ok_or_else(|| {
        invalid(format!(
            "could not read `filter`: write name:value, at most {CONDITIONS_MAX} of them with commas between"
        ))
    })
}

pub(super) async fn wait(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let event_type = event_type(asked)?;
    let wait = asked.number("timeout").unwrap_or(WAIT_MS_DEFAULT);
    let (wanted, _place) = listen(door, asked, Some(event_type))?;
    let since = asked.query("since");
    let mut over = std::pin::pin!(sleep(Duration::from_millis(wait)));
    let mut boards = door.desk.boards();
    let mut next = None;
    loop {
        let board = boards.borrow_and_update().board.clone();
        still_good(asked.bearer.as_deref(), &board)?;
        let ring = board.bus().of(asked.project());
        let at = match (next, since) {
            (Some(next), _) => next,
            (None, None) => 0,
            (None, Some(since)) => {
                ring.and_then(|ring| ring.place(since)).map(|place| place + 1).ok_or_else(|| {
                    let what =
                        "that event: it is kept no longer, or never was; begin again without `since`, and";
                    Problem::missing("EVT_003", what)
                })?
            }
        };
        let mut told = Heard {
            events: Vec::new(),
            more_available: false,
            next_cursor: since.map(str::to_owned),
            timeout: false,
        };
        let (mut bytes, mut seen) = (0, at);
        let now = SystemClock.now();
        for (place, said) in ring.into_iter().flat_map(|ring| ring.from(at)) {
            if wanted.takes(said, now) {
                bytes += json_bytes(&said.message.data);
                if told.events.len() == EVENTS_MAX || !told.events.is_empty() && bytes > EVENTS_BYTES_MAX {
                    told.more_available = true;
                    break;
                }
                told.events.push(shape(said));
            }
            seen = place + 1;
        }
        let last = seen.checked_sub(1).and_then(|next| ring?.at(next));
        told.next_cursor = last.map(|said| said.message.id.clone()).or(told.next_cursor);
        if !told.events.is_empty() {
            return Ok(json(StatusCode::OK, &told));
        }
        next = Some(seen);
        drop(board);
        let is_over = tokio::select! {
            changed = boards.changed() => changed.is_err(),
            () = over.as_mut() => true,
            () = door.closing.cancelled() => true,
        };
        if is_over {
            return Ok(json(StatusCode::OK, &Heard { timeout: true, ..told }));
        }
    }
}

/// A client that follows: its place in the events, and nothing that it has not taken yet.
struct Following {
    boards: Boards,
    frames: Arc<Frames>,
    wanted: Arc<Wanted>,
    next: u64,
    /// Something before this place is kept no longer.
    has_gap: bool,
    closing: CancellationToken,
    /// The bearer; the stream ends when it would no longer be admitted.
    bearer: Option<Arc<Bearer>>,
    _place: Place,
}

pub(super) fn follow(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let (wanted, place) = listen(door, asked, None)?;
    let last = asked.headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()));
    let since = last.as_deref().or(asked.query("since"));
    let boards = door.desk.boards();
    let board = boards.borrow().board.clone();
    let ring = board.bus().of(asked.project());
    let found = since.and_then(|since| ring?.place(since));
    let next = found.map_or_else(|| ring.map_or(0, cuelight_engine::Ring::first), |place| place + 1);
    let closing = door.closing.clone();
    let has_gap = since.is_some() && found.is_none();
    let frames = Arc::clone(&door.frames);
    let bearer = asked.bearer.clone();
    let following = Following { boards, frames, wanted, next, has_gap, closing, bearer, _place: place };
    let events = stream::unfold(following, |mut value| async move {
        let event = value.next().await?;
        Some((Ok::<_, Infallible>(event), value))
    });
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response())
}

impl Following {
    /// The next event; nothing when there will be no more.
    async fn next(&mut self) -> Option<Bytes> {
        let mut silence = pin!(sleep(silence(self.bearer.as_deref(), KEEP_ALIVE)));
        loop {
            let board = self.boards.borrow_and_update().board.clone();
            still_good(self.bearer.as_deref(), &board).ok()?;
            if let Some(event) = self.kept(&board, SystemClock.now()) {
                return Some(event);
            }
            drop(board);
            tokio::select! {
                changed = self.boards.changed() => if changed.is_err() { return None },
                () = self.closing.cancelled() => return None,
                () = silence.as_mut() => return Some(Bytes::from_static(b":\n\n")),
            }
        }
    }

    /// The next one that is kept, or that some are kept no longer.
    fn kept(&mut self, board: &Board, now: Timestamp) -> Option<Bytes> {
        let ring = board.bus().of(self.wanted.project.as_deref());
        let first = ring.map_or(0, cuelight_engine::Ring::first);
        if std::mem::take(&mut self.has_gap) || self.next < first {
            self.next = self.next.max(first);
            let why = "some events are kept no longer; what follows are those after them";
            return Some(format!("event: gap\ndata: {}\n\n", value!({"message": why})).into());
        }
        for (place, said) in ring?.from(self.next) {
            self.next = place + 1;
            if self.wanted.takes(said, now) {
                return Some(self.frames.of(said));
            }
        }
        None
    }
}

/// Events as streams say them, each made once for all who follow: those of the last moments.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// By the number of the event, and their bytes in all.
    kept: Mutex<(BTreeMap<u64, Bytes>, usize)>,
}

impl Frames {
    fn of(&self, said: &Said) -> Bytes {
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
