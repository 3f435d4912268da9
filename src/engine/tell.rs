//! Senders and receivers of messages: steps, programs and people.
//! A message stays for steps that begin to wait for it later, until its lifetime ends or the room runs out.

use crate::{
    Command, Fact, Refusal, StepEvent, StepState, WaitReason, condition::View, handle::Turn, outcome,
};
use cuelight_base::{
    Actor, EVENT_CONTENT_BYTES_MAX, FailureMode, Message, RunId, Score, StepIx, Value, ValueMap, is_topic,
    json_bytes, safe_text, shorten,
};
use cuelight_exchange::{BusEvent, NewMessage, Said, Speaker, TopicRule, Unsent};
use cuelight_expression::EvalError;
use cuelight_plan::Emission;
use std::{collections::BTreeMap, sync::Arc};

impl Turn<'_> {
    /// Somebody outside says something.
    pub(super) fn publish(&mut self, new: NewMessage, by: Actor) -> Result<(), Refusal> {
        self.tell(new, by, Speaker::Outside)
    }

    /// Sends a message of the engine about the result of an action.
    pub(super) fn announce(&mut self, new: NewMessage, by: Actor) -> Result<(), Refusal> {
        self.tell(new, by, Speaker::Engine)
    }

    fn tell(&mut self, new: NewMessage, by: Actor, speaker: Speaker) -> Result<(), Refusal> {
        let from = match &new.session {
            None => by.name.clone(),
            Some(session) => format!("{}/{session}", by.name),
        };
        let project = by.project().map(str::to_owned);
        match self.world.exchange.message(new, from, project, speaker, self.now) {
            Ok(Some(message)) => self.say(message, Some(by)),
            // It was said already.
            Ok(None) => {}
            Err(Unsent { why, letter }) => {
                let fault = letter.fault;
                let note = Box::new(Command::NoteRejected { letter, by });
                // What the engine says is nothing that anybody wanted to say.
                let note = (speaker == Speaker::Outside).then_some(note);
                return Err(Refusal::Message { fault, why, note });
            }
        }
        Ok(())
    }

    /// Sends the message of an `emit` step, and completes the step.
    pub(super) fn emit_message(&mut self, id: RunId, step: StepIx, emission: &Emission) {
        let run = self.run(id);
        let view = View::of(self.world, run, step, self.now);
        let resolved = || {
            let text = |text: &Option<String>| text.as_ref().map(|text| view.text(text)).transpose();
            Ok::<_, EvalError>(NewMessage {
                id: text(&emission.id)?,
                topic: view.text(&emission.topic)?,
                kind: emission.kind,
                to: text(&emission.to)?,
                correlation: text(&emission.correlation)?,
                data: view.deep(&emission.data)?,
                ttl: emission.ttl,
                ..NewMessage::default()
            })
        };
        let new = match resolved() {
            Ok(new) => new,
            Err(error) => return self.unresolved(id, step, Vec::new(), error.into()),
        };
        let from = format!("{id}/{}", run.plan_step(step).id);
        let (given, topic) = (new.id.clone(), new.topic.clone());
        let project = self.world.project_of(id).map(str::to_owned);
        let message = match self.world.exchange.message(new, from, project, Speaker::Step, self.now) {
            Ok(message) => message,
            Err(Unsent { why, letter }) => {
                let why = Refusal::Message { fault: letter.fault, why, note: None }.to_string();
                self.emit(Fact::Bus(BusEvent::Rejected { letter, by: None }));
                return self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, why));
            }
        };
        let name = message.as_ref().map(|message| message.id.clone()).or(given).unwrap_or_default();
        let outputs =
            ValueMap::from_iter([("id".to_owned(), name.into()), ("topic".to_owned(), topic.into())]);
        if let Some(message) = message {
            self.say(message, None);
        }
        self.complete(id, step, outputs, None);
    }

    /// Sends a message; the steps that wait for it go on.
    fn say(&mut self, message: Message, by: Option<Actor>) {
        let (topic, project) = (message.topic.clone(), message.project.clone());
        self.emit(Fact::Bus(BusEvent::Said { message: Arc::new(message), by }));
        let listening: Vec<(RunId, StepIx)> =
            self.world.listening.iter().filter(|entry| *entry.1 == topic).map(|entry| *entry.0).collect();
        for (run, step) in listening {
            if self.world.project_of(run) == project.as_deref() {
                self.take_messages(run, step);
            }
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
            let filter = filter.iter().map(|(name, value)| Ok((name.clone(), view.deep(value)?)));
            Ok((topic, filter.collect::<Result<Vec<_>, EvalError>>()?))
        });
        let (topic, filter) = match resolved {
            Ok(pair) => pair,
            Err(error) => return self.unresolved(id, step, Vec::new(), error.into()),
        };
        if !is_topic(&topic) {
            let why = format!("could not wait for {:?}, which is no topic", safe_text(&shorten(&topic, 60)));
            return self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, why));
        }
        let until = run.plan_step(step).timeout.map(|timeout| self.now + timeout);
        let reason = WaitReason::Message { topic, filter, count, until };
        self.emit_step(id, step, StepEvent::Waiting { reason });
        self.take_messages(id, step);
    }

    /// Gives a step the messages that it waits for, if enough were sent; then it goes on.
    fn take_messages(&mut self, id: RunId, step: StepIx) {
        let Some(run) = self.world.runs.get(&id) else { return };
        let this_step = run.step(step);
        let Some(WaitReason::Message { topic, filter, count, .. }) = this_step.listens.as_deref() else {
            return;
        };
        if this_step.state() != StepState::Waiting {
            return;
        }
        let alive = |said: &&Said| said.message.expires_at > self.now;
        let meant = |said: &&Said| said.message.topic == *topic && said.message.has(filter);
        let wanted = usize::try_from(*count).unwrap_or(usize::MAX).max(1);
        let found: Vec<&Message> = self
            .world
            .exchange
            .bus
            .since(self.world.project_of(id), run.started_at.unwrap_or_default())
            .filter(alive)
            .filter(meant)
            .take(wanted)
            .map(|said| &*said.message)
            .collect();
        if found.len() < wanted {
            return;
        }
        let best =
            found.iter().map(|message| message.debate_score()).collect::<Option<Vec<Score>>>().and_then(
                |scores| {
                    let best = scores.iter().max()?;
                    scores.iter().position(|scores| scores == best)
                },
            );
        let mut outputs = found[0].outputs();
        if wanted > 1 {
            let all = found.iter().map(|message| Value::Object(message.outputs())).collect();
            outputs = ValueMap::from_iter([("messages".to_owned(), Value::Array(all))]);
            if let Some(best) = best {
                outputs.insert("best".to_owned(), Value::Object(found[best].outputs()));
            }
        }
        let ids = found.iter().map(|message| message.id.clone()).collect();
        let by = format!("{id}/{}", run.plan_step(step).id);
        if json_bytes(&outputs) > EVENT_CONTENT_BYTES_MAX {
            let why = format!(
                "what was said has more than {EVENT_CONTENT_BYTES_MAX} bytes together; wait for fewer"
            );
            return self.fail_step(id, step, &outcome::failure(FailureMode::ResourceMemory, why));
        }
        let project = self.world.project_of(id).map(str::to_owned);
        self.emit(Fact::Bus(BusEvent::Taken { by, ids, project }));
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

impl Turn<'_> {
    /// Declares the rules of topics; nothing happens when they are the same already.
    pub(super) fn declare_topics(&mut self, topics: BTreeMap<String, TopicRule>) {
        if !self.world.exchange.topics.are(&topics) {
            self.emit(Fact::Bus(BusEvent::Declared { topics }));
        }
    }
}
