//! Messages: said by steps and by people, waited for by steps. A message stays for whoever begins to wait for it later, until its
//! time is up or there is no more room. The fold is shared with `projection`.

use crate::{
    base::{
        BUS_BYTES_MAX, EVENT_CONTENT_BYTES_MAX, FailureMode, MESSAGE_TTL, MESSAGE_WORD_CHARS_MAX,
        MESSAGES_KEPT, Message, MessageKind, RunId, Score, Span, StepIx, Timestamp, Value, ValueMap,
        is_topic, json_bytes, safe_text, shorten,
    },
    engine::{
        Actor, BusEvent, Fact, Refusal, StepEvent, StepState, WaitReason, condition::View, handle::Turn,
        outcome,
    },
    expression::EvalError,
    plan::Emission,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// What somebody wants to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
}

impl Said {
    /// Nobody took it, and nobody can any more.
    pub fn is_dead(&self, now: Timestamp) -> bool {
        self.taken_by.is_empty() && self.message.expires_at <= now
    }
}

/// The messages that were said last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bus {
    /// By number, the oldest first.
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
                self.bytes += json_bytes(&message.data);
                self.by_id.insert(message.id.clone(), self.gone + self.said.len() as u64);
                let message = (**message).clone();
                self.said.push_back(Arc::new(Said { message, at, taken_by: Vec::new() }));
                while self.said.len() > MESSAGES_KEPT || self.bytes > BUS_BYTES_MAX && self.said.len() > 1 {
                    let Some(oldest) = self.said.pop_front() else { return };
                    self.by_id.remove(&oldest.message.id);
                    self.bytes -= json_bytes(&oldest.message.data);
                    self.gone += 1;
                }
            }
            BusEvent::Taken { by, ids } => {
                for id in ids {
                    let place = self.by_id.get(id).and_then(|it| usize::try_from(it - self.gone).ok());
                    if let Some(said) = place.and_then(|it| self.said.get_mut(it)) {
                        Arc::make_mut(said).taken_by.push(by.clone());
                    }
                }
            }
        }
    }

    /// All that are kept, the newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Said> {
        self.said.iter().rev().map(|it| &**it)
    }

    /// The message of this id.
    pub fn find(&self, id: &str) -> Option<&Said> {
        let place = usize::try_from(self.by_id.get(id)? - self.gone).ok()?;
        self.said.get(place).map(|it| &**it)
    }

    /// Those that were said since then, the oldest first.
    fn since(&self, at: Timestamp) -> impl Iterator<Item = &Said> {
        let first = self.said.partition_point(|it| it.at < at);
        self.said.range(first..).map(|it| &**it)
    }

    /// An id that no message has: one more number than there are messages is enough to find one.
    fn next_id(&self) -> String {
        let first = self.gone + self.said.len() as u64 + 1;
        (first..=first + self.said.len() as u64)
            .map(|it| format!("m-{it}"))
            .find(|it| !self.by_id.contains_key(it))
            .unwrap_or_default()
    }
}

impl Turn<'_> {
    /// Somebody outside says something.
    pub(super) fn publish(&mut self, new: NewMessage, by: Actor) -> Result<(), Refusal> {
        let from = by.name.clone();
        let Some(message) = self.message(new, from).map_err(Refusal::Other)? else { return Ok(()) };
        self.say(message, Some(by));
        Ok(())
    }

    /// A step says something, and has done what it is for.
    pub(super) fn emit_message(&mut self, id: RunId, step: StepIx, it: &Emission) {
        let run = self.run(id);
        let view = View::of(self.world, run, step, self.now);
        let resolved = || {
            let text = |it: &Option<String>| it.as_ref().map(|it| view.text(it)).transpose();
            Ok::<_, EvalError>(NewMessage {
                id: text(&it.id)?,
                topic: view.text(&it.topic)?,
                kind: it.kind,
                to: text(&it.to)?,
                correlation: text(&it.correlation)?,
                data: view.deep(&it.data)?,
                ttl: it.ttl,
            })
        };
        let new = match resolved() {
            Ok(new) => new,
            Err(error) => return self.unresolved(id, step, Vec::new(), error.into()),
        };
        let from = format!("{id}/{}", run.plan_step(step).id);
        let (given, topic) = (new.id.clone(), new.topic.clone());
        let message = match self.message(new, from) {
            Ok(message) => message,
            Err(why) => {
                let why = format!("could not say it: {why}");
                return self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, why));
            }
        };
        let name = message.as_ref().map(|it| it.id.clone()).or(given).unwrap_or_default();
        let outputs =
            ValueMap::from_iter([("id".to_owned(), name.into()), ("topic".to_owned(), topic.into())]);
        if let Some(message) = message {
            self.say(message, None);
        }
        self.complete(id, step, outputs, None);
    }

    /// The message that is to be said; nothing when it has been said already. What is wrong with it follows on a colon.
    fn message(&self, new: NewMessage, from: String) -> Result<Option<Message>, String> {
        let shown = |text: &str| safe_text(&shorten(text, 60));
        if !is_topic(&new.topic) {
            return Err(format!(
                "{:?} is no topic: that is letters, digits, `.`, `-`, `_` and `/`, at most {MESSAGE_WORD_CHARS_MAX}",
                shown(&new.topic)
            ));
        }
        let words = [new.id.as_ref(), new.to.as_ref(), new.correlation.as_ref()];
        if let Some(long) = words
            .into_iter()
            .flatten()
            .find(|it| it.is_empty() || it.chars().count() > MESSAGE_WORD_CHARS_MAX)
        {
            return Err(format!("{:?} has to have 1 to {MESSAGE_WORD_CHARS_MAX} characters", shown(long)));
        }
        let bytes = json_bytes(&new.data);
        if bytes > EVENT_CONTENT_BYTES_MAX {
            return Err(format!(
                "it has {bytes} bytes, at most {EVENT_CONTENT_BYTES_MAX} can be kept; put large values into files"
            ));
        }
        let bus = &self.world.bus;
        if let Some(before) = new.id.as_ref().and_then(|it| bus.find(it)) {
            let it = &before.message;
            if it.topic == new.topic && it.kind == new.kind && it.data == new.data && it.from == from {
                return Ok(None);
            }
            return Err(format!(
                "{} has said something else under the id {}; take another id",
                shown(&it.from),
                shown(&it.id)
            ));
        }
        Ok(Some(Message {
            id: new.id.unwrap_or_else(|| bus.next_id()),
            topic: new.topic,
            kind: new.kind,
            from,
            to: new.to,
            correlation: new.correlation,
            data: new.data,
            expires_at: self.now + new.ttl.unwrap_or(MESSAGE_TTL),
        }))
    }

    /// It is said, and whoever waits for it goes on.
    fn say(&mut self, message: Message, by: Option<Actor>) {
        let topic = message.topic.clone();
        self.emit(Fact::Bus(BusEvent::Said { message: Box::new(message), by }));
        let listening: Vec<(RunId, StepIx)> =
            self.world.listening.iter().filter(|it| *it.1 == topic).map(|it| *it.0).collect();
        for (run, step) in listening {
            self.take_messages(run, step);
        }
    }

    /// A step begins to wait for messages, or goes on at once.
    pub(super) fn listen(
        &mut self,
        id: RunId,
        step: StepIx,
        topic: &str,
        filter: &[(String, Value)],
        count: u32,
    ) {
        let run = self.run(id);
        let view = View::of(self.world, run, step, self.now);
        let resolved = view.text(topic).and_then(|topic| {
            let filter = filter.iter().map(|(name, it)| Ok((name.clone(), view.deep(it)?)));
            Ok((topic, filter.collect::<Result<Vec<_>, EvalError>>()?))
        });
        let (topic, filter) = match resolved {
            Ok(it) => it,
            Err(error) => return self.unresolved(id, step, Vec::new(), error.into()),
        };
        if !is_topic(&topic) {
            let why = format!("could not wait for {:?}, which is no topic", safe_text(&shorten(&topic, 60)));
            return self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, why));
        }
        let until = run.plan_step(step).timeout.map(|it| self.now + it);
        let reason = WaitReason::Message { topic, filter, count, until };
        self.emit_step(id, step, StepEvent::Waiting { reason });
        self.take_messages(id, step);
    }

    /// Whether what a step waits for has been said; then it goes on.
    fn take_messages(&mut self, id: RunId, step: StepIx) {
        let Some(run) = self.world.runs.get(&id) else { return };
        let it = run.step(step);
        let Some(WaitReason::Message { topic, filter, count, .. }) = it.listens.as_deref() else { return };
        if it.state() != StepState::Waiting {
            return;
        }
        let alive = |it: &&Said| it.message.expires_at > self.now;
        let meant = |it: &&Said| it.message.topic == *topic && it.message.has(filter);
        let wanted = usize::try_from(*count).unwrap_or(usize::MAX).max(1);
        let found: Vec<&Message> = self
            .world
            .bus
            .since(run.started_at.unwrap_or_default())
            .filter(alive)
            .filter(meant)
            .take(wanted)
            .map(|it| &it.message)
            .collect();
        if found.len() < wanted {
            return;
        }
        let best =
            found.iter().map(|it| it.debate_score()).collect::<Option<Vec<Score>>>().and_then(|scores| {
                let best = scores.iter().max()?;
                scores.iter().position(|it| it == best)
            });
        let mut outputs = found[0].outputs();
        if wanted > 1 {
            let all = found.iter().map(|it| Value::Object(it.outputs())).collect();
            outputs = ValueMap::from_iter([("messages".to_owned(), Value::Array(all))]);
            if let Some(best) = best {
                outputs.insert("best".to_owned(), Value::Object(found[best].outputs()));
            }
        }
        let ids = found.iter().map(|it| it.id.clone()).collect();
        let by = format!("{id}/{}", run.plan_step(step).id);
        if json_bytes(&outputs) > EVENT_CONTENT_BYTES_MAX {
            let why = format!(
                "what was said has more than {EVENT_CONTENT_BYTES_MAX} bytes together; wait for fewer"
            );
            return self.fail_step(id, step, &outcome::failure(FailureMode::ResourceMemory, why));
        }
        self.emit(Fact::Bus(BusEvent::Taken { by, ids }));
        self.complete(id, step, outputs, None);
    }

    /// Nothing has come in time.
    pub(super) fn heard_nothing(&mut self, id: RunId, step: StepIx) {
        let run = self.run(id);
        let after = run.plan_step(step).timeout.unwrap_or_default();
        let topic = match run.step(step).listens.as_deref() {
            Some(WaitReason::Message { topic, .. }) => topic.clone(),
            _ => String::new(),
        };
        let message = format!("nothing that it waits for was said about {topic} within {after}");
        self.fail_step(id, step, &outcome::failure(FailureMode::AgentTimeout, message));
    }
}
