//! The fold of messages: the kept messages of each project, and the ids that were used. It is shared with
//! `projection`. The rules for a new message are in `sending`.

use crate::{BusEvent, MessageProof};
use cuelight_base::{
    BUS_BYTES_MAX, FairMemory, MESSAGE_IDS_KEPT, MESSAGE_IDS_MAX, MESSAGES_KEPT, Message, MessageKind,
    Priority, Qos, Span, Timestamp, Value, ValueMap, json_weight, json_weight_of_all, sha256,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// The most that a block of a ring holds: messages, and bytes before the last of them.
const BLOCK_MESSAGES: usize = 64;
const BLOCK_BYTES: usize = 256 * 1024;

/// A message that an actor wants to send.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NewMessage {
    /// The same id again is the same message; without an id the engine gives one.
    #[serde(default)]
    pub id: Option<String>,
    /// A door of the engine gave the id because its sender gave none, and hands the message in once.
    #[serde(default)]
    pub named_by_engine: bool,
    /// The topic of the message.
    pub topic: String,
    /// The kind of the message.
    #[serde(default)]
    pub kind: MessageKind,
    /// To whom, when it is not for all.
    #[serde(default)]
    pub to: Option<String>,
    /// The id of the conversation or message that it belongs to or answers.
    #[serde(default)]
    pub correlation: Option<String>,
    /// The content of the message.
    pub data: Value,
    /// The time in which the message can be received; a day when nothing is given.
    #[serde(default)]
    pub ttl: Option<Span>,
    /// The session of the sender, if that matters: `s2` of `reviewer-1/s2`.
    #[serde(default)]
    pub session: Option<String>,
    /// The wider subject that it belongs to, where that is another one.
    #[serde(default)]
    pub subject: Option<String>,
    /// The quality of service that its sender relies on.
    #[serde(default)]
    pub qos: Qos,
    /// The priority of the message.
    #[serde(default)]
    pub priority: Priority,
    /// Notes about the message.
    #[serde(default)]
    pub meta: ValueMap,
    /// The worth of its signature at the door it came through; no other door tells.
    #[serde(default)]
    pub proof: MessageProof,
    /// The sender's place in a trace.
    #[serde(default)]
    pub trace: Option<String>,
}

/// A message that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The message that was sent.
    pub message: Arc<Message>,
    /// The instant at which it was sent.
    pub at: Timestamp,
    /// The steps that took it, as `r-1/step`.
    pub taken_by: Vec<String>,
    /// Its place among all messages ever sent.
    number: u64,
    /// Its size in bytes, out of the memory shared by all messages.
    bytes: usize,
}

impl Said {
    /// Its place among all that were said.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Nobody took it, and nobody can any more.
    pub fn is_dead(&self, now: Timestamp) -> bool {
        self.taken_by.is_empty() && self.message.expires_at <= now
    }
}

/// The last messages that were sent. Each project has its own, so that none pushes out another's. When the
/// room is used up, the oldest message of the project with most goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bus {
    /// By project, the workspace's own under no name.
    rings: BTreeMap<String, Arc<Ring>>,
    said: u64,
    kept: usize,
    bytes: usize,
}

/// The messages of one project that are kept, by their places, the oldest first. In blocks: while somebody
/// else looks at a ring, adding to it copies no more than its last block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ring {
    blocks: VecDeque<Arc<Block>>,
    /// The number of messages that were dropped before the first one; the rest of these in the first block
    /// counts no more.
    gone: u64,
    end: u64,
    bytes: usize,
}

/// Some of them, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
struct Block {
    /// The place of the first.
    first: u64,
    said: Vec<Arc<Said>>,
    /// The last of each id, by its place.
    by_id: BTreeMap<String, u64>,
    bytes: usize,
}

impl Bus {
    /// Applies an event to the state.
    pub fn apply(&mut self, at: Timestamp, event: &BusEvent) {
        match event {
            BusEvent::Said { message, .. } => {
                let bytes = json_weight(&message.data) + json_weight_of_all(&message.meta);
                self.bytes += bytes;
                self.kept += 1;
                self.said += 1;
                let number = self.said;
                let said = Said { message: Arc::clone(message), at, taken_by: Vec::new(), number, bytes };
                self.ring_mut(message.project.as_deref()).add(said);
                while self.kept > MESSAGES_KEPT || self.bytes > BUS_BYTES_MAX && self.kept > 1 {
                    self.let_go();
                }
            }
            BusEvent::Declared { .. } | BusEvent::Rejected { .. } => {}
            BusEvent::Taken { by, ids, project } => {
                let ring = self.ring_mut(project.as_deref());
                for id in ids {
                    if let Some(said) = ring.place(id).and_then(|place| ring.at_mut(place)) {
                        said.taken_by.push(by.clone());
                    }
                }
            }
        }
    }

    /// All that are kept of all projects, the newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Said> {
        let mut all: Vec<&Said> =
            self.rings.values().flat_map(|ring| ring.from(0)).map(|pair| pair.1).collect();
        all.sort_unstable_by_key(|said| std::cmp::Reverse(said.number));
        all.into_iter()
    }

    /// The messages of a project, or of the workspace itself.
    pub fn of(&self, project: Option<&str>) -> Option<&Ring> {
        self.rings.get(project.unwrap_or_default()).map(|ring| &**ring)
    }

    /// The message of this id.
    pub fn find(&self, project: Option<&str>, id: &str) -> Option<&Said> {
        let ring = self.of(project)?;
        ring.at(ring.place(id)?)
    }

    /// The messages that were sent since then, the oldest first.
    pub fn since(&self, project: Option<&str>, at: Timestamp) -> impl Iterator<Item = &Said> {
        self.of(project).into_iter().flat_map(move |ring| ring.since(at))
    }

    /// An id that no message has: one more number than there are messages is enough to find one.
    pub(super) fn next_id(&self, project: Option<&str>) -> String {
        let Some(ring) = self.of(project) else { return "m-1".to_owned() };
        let first = ring.end() + 1;
        (first..=first + ring.kept())
            .map(|index| format!("m-{index}"))
            .find(|text| ring.place(text).is_none())
            .unwrap_or_default()
    }

    fn ring_mut(&mut self, project: Option<&str>) -> &mut Ring {
        Arc::make_mut(self.rings.entry(project.unwrap_or_default().to_owned()).or_default())
    }

    /// Drops the oldest message of the project with most: by bytes if those are too many, else by messages.
    fn let_go(&mut self) {
        let is_heavy = self.bytes > BUS_BYTES_MAX;
        let weight = |ring: &Ring| if is_heavy { ring.bytes as u64 } else { ring.kept() };
        let most = self.rings.values_mut().max_by_key(|ring| weight(ring)).map(Arc::make_mut);
        let Some(bytes) = most.and_then(Ring::let_go) else { return };
        self.bytes -= bytes;
        self.kept -= 1;
    }
}

impl Ring {
    /// The place after the last of them.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// The place of the first that is still kept.
    pub const fn first(&self) -> u64 {
        self.gone
    }

    const fn kept(&self) -> u64 {
        self.end - self.gone
    }

    /// The place of the message of this id.
    pub fn place(&self, id: &str) -> Option<u64> {
        let last = self.blocks.iter().rev().find_map(|block| block.by_id.get(id).copied());
        last.filter(|number| *number >= self.gone)
    }

    /// The message at this place, when it is kept.
    pub fn at(&self, place: u64) -> Option<&Said> {
        self.from(place).next().filter(|pair| pair.0 == place).map(|pair| pair.1)
    }

    /// The messages from this place on that are kept, with their places.
    pub fn from(&self, place: u64) -> impl Iterator<Item = (u64, &Said)> {
        let first = place.clamp(self.gone, self.end);
        let block = self.block_of(first);
        let before = self.blocks.get(block).map_or(0, |block| first.saturating_sub(block.first));
        let said = self
            .blocks
            .range(block.min(self.blocks.len())..)
            .flat_map(|block| &block.said)
            .map(|said| &**said);
        (first..).zip(said.skip(usize::try_from(before).unwrap_or(usize::MAX)))
    }

    /// The messages that were sent since then.
    fn since(&self, at: Timestamp) -> impl Iterator<Item = &Said> {
        let block = self.blocks.partition_point(|block| block.said.last().is_some_and(|said| said.at < at));
        let first = self.blocks.get(block).map_or(self.end, |block| block.first);
        self.from(first).map(|pair| pair.1).skip_while(move |said| said.at < at)
    }

    /// The block that holds this place, if one does.
    fn block_of(&self, place: u64) -> usize {
        self.blocks.partition_point(|block| block.first <= place).saturating_sub(1)
    }

    fn at_mut(&mut self, place: u64) -> Option<&mut Said> {
        let block = self.block_of(place);
        let block = Arc::make_mut(self.blocks.get_mut(block)?);
        let at = usize::try_from(place.checked_sub(block.first)?).ok()?;
        block.said.get_mut(at).map(Arc::make_mut)
    }

    fn add(&mut self, said: Said) {
        let has_room = |block: &Block| block.said.len() < BLOCK_MESSAGES && block.bytes < BLOCK_BYTES;
        if !self.blocks.back().is_some_and(|block| has_room(block)) {
            self.blocks.push_back(Arc::new(Block { first: self.end, ..Block::default() }));
        }
        let Some(block) = self.blocks.back_mut().map(Arc::make_mut) else { return };
        block.by_id.insert(said.message.id.clone(), self.end);
        block.bytes += said.bytes;
        self.bytes += said.bytes;
        block.said.push(Arc::new(said));
        self.end += 1;
    }

    /// Lets the oldest go; the bytes that it took.
    fn let_go(&mut self) -> Option<usize> {
        let bytes = self.from(self.gone).next()?.1.bytes;
        self.gone += 1;
        self.bytes -= bytes;
        let block = self.blocks.front()?;
        if block.first + block.said.len() as u64 == self.gone {
            self.blocks.pop_front();
        }
        Some(bytes)
    }
}

/// The ids of sent messages, each with its content. Both are hashes, so that a day of them has room.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SaidIds {
    /// Under ids that senders gave: for a day, also when the message itself had to go, since a second try can
    /// come as late as that.
    given: FairMemory<u128, u64>,
    /// Ids that the engine gave. Nobody repeats a message without an id of its own. So these are remembered
    /// as long as the messages can be seen: until then nobody sends another message under one of them.
    made: FairMemory<u128, u64>,
}

impl Default for SaidIds {
    fn default() -> Self {
        Self {
            given: FairMemory::new(MESSAGE_IDS_MAX, MESSAGE_IDS_KEPT),
            made: FairMemory::new(MESSAGES_KEPT, MESSAGE_IDS_KEPT),
        }
    }
}

impl SaidIds {
    /// Applies an event to the state.
    pub(super) fn apply(&mut self, at: Timestamp, event: &BusEvent) {
        let BusEvent::Said { message, .. } = event else { return };
        let project = message.project.as_deref().unwrap_or_default();
        let ids = if message.named_by_engine { &mut self.made } else { &mut self.given };
        ids.keep(project, id_hash(&message.id), content_hash(message), at);
    }

    /// `Some(true)` if the message of this id was sent already; `Some(false)` if another message was sent
    /// under it; `None` if neither.
    pub(super) fn has(&self, message: &Message, now: Timestamp) -> Option<bool> {
        let project = message.project.as_deref().unwrap_or_default();
        let id = id_hash(&message.id);
        let known = self.given.find(project, &id, now).or_else(|| self.made.find(project, &id, now))?;
        Some(*known == content_hash(message))
    }
}

fn id_hash(id: &str) -> u128 {
    sha256("cuelight-message-id-v1", &[id.as_bytes()]).half()
}

/// The hash of the content that makes it the same message: without its time and its lifetime.
fn content_hash(message: &Message) -> u64 {
    let (mut data, mut meta) = (Vec::new(), Vec::new());
    write_value(&message.data, &mut data);
    write_members(&message.meta, &mut meta);
    let parts: [&[u8]; 8] = [
        message.topic.as_bytes(),
        message.kind.word().as_bytes(),
        message.from.as_bytes(),
        message.to.as_deref().unwrap_or_default().as_bytes(),
        message.correlation.as_deref().unwrap_or_default().as_bytes(),
        message.subject.as_deref().unwrap_or_default().as_bytes(),
        &data,
        &meta,
    ];
    let digest = sha256("cuelight-message-v1", &parts);
    u64::from_be_bytes(std::array::from_fn(|index| digest.0[index]))
}

/// The bytes of a value: the same in whatever order its members stand, and those of no other value. This hash
/// is kept in memory alone, so it needs no canonical JSON, which costs more to write.
fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(b'0'),
        Value::Bool(flag) => out.push(if *flag { b't' } else { b'f' }),
        Value::Number(number) => {
            out.push(b'n');
            write_text(number.as_str(), out);
        }
        Value::String(text) => {
            out.push(b's');
            write_text(text, out);
        }
        Value::Array(all) => {
            out.push(b'[');
            write_length(all.len(), out);
            all.iter().for_each(|item| write_value(item, out));
        }
        Value::Object(all) => {
            out.push(b'{');
            write_members(all, out);
        }
    }
}

fn write_members(all: &ValueMap, out: &mut Vec<u8>) {
    write_length(all.len(), out);
    let mut members: Vec<(&String, &Value)> = all.iter().collect();
    members.sort_unstable_by_key(|member| member.0);
    for (name, value) in members {
        write_text(name, out);
        write_value(value, out);
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(length as u64).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(id: &str, data: &str) -> BusEvent {
        let message = Message { id: id.to_owned(), data: data.into(), ..Message::default() };
        BusEvent::Said { message: Arc::new(message), by: None }
    }

    fn filled(count: usize) -> Bus {
        let mut bus = Bus::default();
        for index in 0..count {
            bus.apply(Timestamp::default(), &said(&format!("m-{index}"), "x"));
        }
        bus
    }

    #[test]
    fn whoever_looks_at_a_bus_holds_up_one_block_of_it_and_no_more() {
        let mut bus = filled(BLOCK_MESSAGES * 10 + 1);
        let looked_at = bus.clone();
        bus.apply(Timestamp::default(), &said("new", "x"));
        let blocks = |looked_at: &Bus| looked_at.of(None).expect("a ring").blocks.clone();
        let (before, after) = (blocks(&looked_at), blocks(&bus));
        let shared = before.iter().zip(&after).filter(|(one, other)| Arc::ptr_eq(one, other)).count();
        assert_eq!((before.len(), after.len(), shared), (11, 11, 10));
        assert!(looked_at.find(None, "new").is_none() && bus.find(None, "new").is_some());
    }

    #[test]
    fn a_project_that_says_much_makes_no_other_one_forget_what_it_has_said() {
        let of = |project: &str, id: usize| {
            let project = Some(project.to_owned());
            Message { id: format!("m-{id}"), project, ..Message::default() }
        };
        let mut ids = SaidIds::default();
        let mut say = |message: Message| {
            let message = Arc::new(message);
            ids.apply(Timestamp::default(), &BusEvent::Said { message, by: None });
        };
        say(of("bank", 0));
        (0..MESSAGE_IDS_MAX + 10).for_each(|index| say(of("shop", index)));
        let has = |message: &Message| ids.has(message, Timestamp::default());
        assert_eq!(has(&of("bank", 0)), Some(true));
        assert_eq!(has(&Message { data: "other".into(), ..of("bank", 0) }), Some(false));
        assert_eq!((has(&of("bank", 1)), has(&of("shop", 0))), (None, None));
        assert_eq!(has(&of("shop", MESSAGE_IDS_MAX + 9)), Some(true));
    }

    #[test]
    fn the_oldest_go_and_those_after_them_keep_their_places() {
        let bus = filled(MESSAGES_KEPT + 100);
        let ring = bus.of(None).expect("a ring");
        assert_eq!((ring.first(), ring.end()), (100, MESSAGES_KEPT as u64 + 100));
        assert_eq!(
            (ring.place("m-99"), ring.place("m-100"), ring.place("m-170")),
            (None, Some(100), Some(170))
        );
        assert!(ring.at(99).is_none() && ring.at(ring.end()).is_none());
        let ids = |from: u64| -> Vec<String> {
            ring.from(from).take(2).map(|pair| pair.1.message.id.clone()).collect()
        };
        assert_eq!(ids(0), ["m-100", "m-101"]);
        assert_eq!(ids(170), ["m-170", "m-171"]);
        assert_eq!((ring.from(0).count(), bus.newest().count()), (MESSAGES_KEPT, MESSAGES_KEPT));
        assert_eq!(
            bus.newest().next().map(|said| said.message.id.clone()),
            Some(format!("m-{}", MESSAGES_KEPT + 99))
        );
    }

    #[test]
    fn what_is_said_is_the_same_in_any_order_and_what_is_not_the_same_never_is() {
        let hash = |text: &str| {
            let data = serde_json::from_str(text).expect("JSON");
            content_hash(&Message { data, ..Message::default() })
        };
        assert_eq!(hash(r#"{"a":{"c":[1],"d":null},"b":2}"#), hash(r#"{"b":2,"a":{"d":null,"c":[1]}}"#));
        let all = [
            "null",
            "true",
            "false",
            "0",
            "1",
            "1.0",
            "\"1\"",
            "\"\"",
            "[]",
            "{}",
            "[[]]",
            "[1,2]",
            "[12]",
            "[2,1]",
            r#"["a","b"]"#,
            r#"["ab"]"#,
            r#"{"a":"b"}"#,
            r#"["a",["b"]]"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":{},"b":1}"#,
        ];
        let hashes: std::collections::BTreeSet<u64> = all.iter().map(|text| hash(text)).collect();
        assert_eq!(hashes.len(), all.len());
        let of_meta =
            Message { meta: [("a".to_owned(), Value::Null)].into_iter().collect(), ..Message::default() };
        assert_ne!(content_hash(&of_meta), content_hash(&Message::default()));
    }

    #[test]
    fn of_an_id_that_was_given_again_the_last_is_found() {
        let mut bus = filled(BLOCK_MESSAGES * 2);
        bus.apply(Timestamp::default(), &said("m-1", "again"));
        assert_eq!(bus.find(None, "m-1").map(|said| said.message.data.clone()), Some("again".into()));
        bus.apply(
            Timestamp::default(),
            &BusEvent::Taken { by: "r-1/a".to_owned(), ids: vec!["m-1".to_owned()], project: None },
        );
        let taken = |text: &str| bus.find(None, text).map(|said| said.taken_by.len());
        assert_eq!((taken("m-1"), taken("m-2")), (Some(1), Some(0)));
    }
}
