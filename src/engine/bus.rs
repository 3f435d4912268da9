//! The fold of what is said: the messages that are kept, those of each project by themselves, and the ids that were used. It is shared
//! with `projection`. Who says and who hears is for `tell`.

use crate::{
    base::{
        BUS_BYTES_MAX, MESSAGE_IDS_KEPT, MESSAGE_IDS_MAX, MESSAGES_KEPT, Message, MessageKind, Priority, Qos,
        Span, Timestamp, Value, ValueMap, canonical_json, json_weight, sha256,
    },
    engine::{BusEvent, MessageProof},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// What somebody wants to say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NewMessage {
    /// The same id again is the same message; the engine gives one where nothing is said.
    #[serde(default)]
    pub id: Option<String>,
    /// What it is about.
    pub topic: String,
    /// What it is.
    #[serde(default)]
    pub kind: MessageKind,
    /// To whom, when it is not for all.
    #[serde(default)]
    pub to: Option<String>,
    /// What it belongs to or answers.
    #[serde(default)]
    pub correlation: Option<String>,
    /// What it says.
    pub data: Value,
    /// How long it can be taken; a day when nothing is said.
    #[serde(default)]
    pub ttl: Option<Span>,
    /// Which session of whoever says it, where that matters: `s2` of `reviewer-1/s2`.
    #[serde(default)]
    pub session: Option<String>,
    /// The wider subject that it belongs to, where that is another one.
    #[serde(default)]
    pub subject: Option<String>,
    /// What its sender relies on.
    #[serde(default)]
    pub qos: Qos,
    /// How pressing it is.
    #[serde(default)]
    pub priority: Priority,
    /// What is said about it beside it.
    #[serde(default)]
    pub meta: ValueMap,
    /// What its signature was worth at the door it came through; no other door says so.
    #[serde(default)]
    pub proof: MessageProof,
}

/// A message that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The message.
    pub message: Message,
    /// When it was said.
    pub at: Timestamp,
    /// The steps that took it, as `r-1/step`.
    pub taken_by: Vec<String>,
    /// Its place among all that were said.
    number: u64,
    /// What it takes of the memory that is for all.
    bytes: usize,
}

impl Said {
    /// Nobody took it, and nobody can any more.
    pub fn is_dead(&self, now: Timestamp) -> bool {
        self.taken_by.is_empty() && self.message.expires_at <= now
    }
}

/// The messages that were said last. Each project has its own, so that none pushes out another's: when there is no more room, the oldest
/// goes of whoever has most.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bus {
    /// By project, the workspace's own under no name.
    rings: BTreeMap<String, Arc<Ring>>,
    said: u64,
    kept: usize,
    bytes: usize,
}

/// The messages of one project that are kept, by their places, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ring {
    said: VecDeque<Arc<Said>>,
    /// How many were let go before the first of them.
    gone: u64,
    by_id: BTreeMap<String, u64>,
    bytes: usize,
}

impl Bus {
    /// The fold.
    pub fn apply(&mut self, at: Timestamp, event: &BusEvent) {
        match event {
            BusEvent::Said { message, .. } => {
                let ring = self.ring_mut(message.project.as_deref());
                let bytes = json_weight(&message.data) + json_weight(&message.meta);
                let place = ring.end();
                ring.by_id.insert(message.id.clone(), place);
                ring.bytes += bytes;
                self.bytes += bytes;
                self.kept += 1;
                self.said += 1;
                let number = self.said;
                let message = (**message).clone();
                let said = Said { message, at, taken_by: Vec::new(), number, bytes };
                let project = said.message.project.clone();
                self.ring_mut(project.as_deref()).said.push_back(Arc::new(said));
                while self.kept > MESSAGES_KEPT || self.bytes > BUS_BYTES_MAX && self.kept > 1 {
                    self.let_go();
                }
            }
            BusEvent::Declared { .. } | BusEvent::Rejected { .. } => {}
            BusEvent::Taken { by, ids, project } => {
                let ring = self.ring_mut(project.as_deref());
                for id in ids {
                    let place = ring.by_id.get(id).and_then(|it| usize::try_from(it - ring.gone).ok());
                    if let Some(said) = place.and_then(|it| ring.said.get_mut(it)) {
                        Arc::make_mut(said).taken_by.push(by.clone());
                    }
                }
            }
        }
    }

    /// All that are kept of all projects, the newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Said> {
        let mut all: Vec<&Said> = self.rings.values().flat_map(|it| &it.said).map(|it| &**it).collect();
        all.sort_unstable_by_key(|it| std::cmp::Reverse(it.number));
        all.into_iter()
    }

    /// Those of a project, or of the workspace itself.
    pub fn of(&self, project: Option<&str>) -> Option<&Ring> {
        self.rings.get(project.unwrap_or_default()).map(|it| &**it)
    }

    /// The message of this id.
    pub fn find(&self, project: Option<&str>, id: &str) -> Option<&Said> {
        let ring = self.of(project)?;
        ring.at(*ring.by_id.get(id)?)
    }

    /// Those that were said since then, the oldest first.
    pub(super) fn since(&self, project: Option<&str>, at: Timestamp) -> impl Iterator<Item = &Said> {
        let ring = self.of(project);
        let first = ring.map_or(0, |it| it.said.partition_point(|it| it.at < at));
        ring.into_iter().flat_map(move |it| it.said.range(first..)).map(|it| &**it)
    }

    /// An id that no message has: one more number than there are messages is enough to find one.
    pub(super) fn next_id(&self, project: Option<&str>) -> String {
        let Some(ring) = self.of(project) else { return "m-1".to_owned() };
        let first = ring.end() + 1;
        (first..=first + ring.said.len() as u64)
            .map(|it| format!("m-{it}"))
            .find(|it| !ring.by_id.contains_key(it))
            .unwrap_or_default()
    }

    fn ring_mut(&mut self, project: Option<&str>) -> &mut Ring {
        Arc::make_mut(self.rings.entry(project.unwrap_or_default().to_owned()).or_default())
    }

    /// The oldest of whoever has most goes: of bytes where those are too many, else of messages.
    fn let_go(&mut self) {
        let is_heavy = self.bytes > BUS_BYTES_MAX;
        let most = self.rings.values_mut().max_by_key(|it| if is_heavy { it.bytes } else { it.said.len() });
        let Some(ring) = most.map(Arc::make_mut) else { return };
        let Some(oldest) = ring.said.pop_front() else { return };
        if ring.by_id.get(&oldest.message.id) == Some(&ring.gone) {
            ring.by_id.remove(&oldest.message.id);
        }
        ring.gone += 1;
        ring.bytes -= oldest.bytes;
        self.bytes -= oldest.bytes;
        self.kept -= 1;
    }
}

impl Ring {
    /// The place after the last of them.
    pub fn end(&self) -> u64 {
        self.gone + self.said.len() as u64
    }

    /// The place of the first that is still kept.
    pub const fn first(&self) -> u64 {
        self.gone
    }

    /// The place of the message of this id.
    pub fn place(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    /// The message at this place, when it is kept.
    pub fn at(&self, place: u64) -> Option<&Said> {
        let place = usize::try_from(place.checked_sub(self.gone)?).ok()?;
        self.said.get(place).map(|it| &**it)
    }

    /// Those from this place on that are kept, with their places.
    pub fn from(&self, place: u64) -> impl Iterator<Item = (u64, &Said)> {
        let first = place.clamp(self.gone, self.end());
        let skipped = usize::try_from(first - self.gone).unwrap_or(usize::MAX);
        (first..).zip(self.said.range(skipped.min(self.said.len())..).map(|it| &**it))
    }
}

/// What was said under which id, for a day: also when the message itself had to go. Both are hashes, so that a day of them has room.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SaidIds {
    by_id: BTreeMap<u128, u64>,
    in_order: VecDeque<(Timestamp, u128)>,
}

impl SaidIds {
    /// The fold.
    pub(super) fn apply(&mut self, at: Timestamp, event: &BusEvent) {
        let BusEvent::Said { message, .. } = event else { return };
        while let Some((said, id)) = self.in_order.front()
            && (*said + MESSAGE_IDS_KEPT < at || self.in_order.len() >= MESSAGE_IDS_MAX)
        {
            self.by_id.remove(id);
            self.in_order.pop_front();
        }
        let id = id_hash(message.project.as_deref(), &message.id);
        if self.by_id.insert(id, content_hash(message)).is_none() {
            self.in_order.push_back((at, id));
        }
    }

    /// Whether the message of this id was said already; `Some(false)` when it was another one.
    pub(super) fn has(&self, message: &Message) -> Option<bool> {
        let known = self.by_id.get(&id_hash(message.project.as_deref(), &message.id))?;
        Some(*known == content_hash(message))
    }
}

fn id_hash(project: Option<&str>, id: &str) -> u128 {
    let digest = sha256("cuelight-message-id-v1", &[project.unwrap_or_default().as_bytes(), id.as_bytes()]);
    u128::from_be_bytes(std::array::from_fn(|it| digest.0[it]))
}

/// What makes it the same message: not when it was said, and not how long it is kept.
fn content_hash(message: &Message) -> u64 {
    let said = Value::Object(message.meta.clone());
    let parts = [
        message.topic.as_str(),
        message.kind.word(),
        &message.from,
        message.to.as_deref().unwrap_or_default(),
        message.correlation.as_deref().unwrap_or_default(),
        message.subject.as_deref().unwrap_or_default(),
        &canonical_json(&message.data),
        &canonical_json(&said),
    ];
    let digest = sha256("cuelight-message-v1", &parts.map(str::as_bytes));
    u64::from_be_bytes(std::array::from_fn(|it| digest.0[it]))
}
