//! The rules for a new message: its words, its topic, its signature, its id.

use crate::{DeadLetter, Exchange, MessageFault, NewMessage, Speaker};
use cuelight_base::{
    EVENT_CONTENT_BYTES_MAX, MESSAGE_META_BYTES_MAX, MESSAGE_TTL, MESSAGE_WORD_CHARS_MAX, Message, Qos,
    Timestamp, TraceContext, is_topic, json_bytes, safe_text, shorten,
};

/// The reason why a message may not be sent, and the kept form of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsent {
    /// The fault in a sentence.
    pub why: String,
    /// The rejected message as it is kept.
    pub letter: Box<DeadLetter>,
}

impl Exchange {
    /// The message that is to be sent; none when it has been sent already.
    pub fn message(
        &self,
        new: NewMessage,
        from: String,
        project: Option<String>,
        speaker: Speaker,
        now: Timestamp,
    ) -> Result<Option<Message>, Unsent> {
        let refused = |new: &NewMessage, from: &str, project: Option<&str>, (fault, why): (_, String)| {
            let letter = Box::new(DeadLetter::of(new, from, project, (fault, &why)));
            Unsent { why, letter }
        };
        let checked = check_words(&new).map_err(|why| (MessageFault::Words, why));
        let checked = checked.and_then(|()| self.topics.check(&new, speaker));
        checked.map_err(|why| refused(&new, &from, project.as_deref(), why))?;
        let bus = &self.bus;
        let is_named = new.id.is_some();
        let message = Message {
            named_by_engine: !is_named || new.named_by_engine,
            id: new.id.unwrap_or_else(|| bus.next_id(project.as_deref())),
            topic: new.topic,
            kind: new.kind,
            from,
            to: new.to,
            correlation: new.correlation,
            data: new.data,
            expires_at: now + new.ttl.unwrap_or(MESSAGE_TTL),
            subject: new.subject,
            qos: new.qos,
            priority: new.priority,
            meta: new.meta,
            project,
            trace: new.trace.filter(|trace| TraceContext::parse(trace).is_some()),
        };
        match is_named.then(|| self.said_ids.has(&message, now)).flatten() {
            None => Ok(Some(message)),
            Some(true) => Ok(None),
            Some(false) => {
                let before = bus.find(message.project.as_deref(), &message.id);
                let who = before.map_or("somebody".to_owned(), |said| shown(&said.message.from));
                let id = shown(&message.id);
                let why = format!("{who} has said something else under the id {id}; take another id");
                let Message { id, topic, kind, from, project, data, .. } = message;
                let new = NewMessage { id: Some(id), topic, kind, data, ..NewMessage::default() };
                Err(refused(&new, &from, project.as_deref(), (MessageFault::Id, why)))
            }
        }
    }
}

/// Checks the words of a message that an actor wants to send.
fn check_words(new: &NewMessage) -> Result<(), String> {
    if let Some(topic) =
        [Some(&new.topic), new.subject.as_ref()].into_iter().flatten().find(|topic| !is_topic(topic))
    {
        return Err(format!(
            "{:?} is no topic: that is letters, digits, `.`, `-`, `_` and `/`, at most {MESSAGE_WORD_CHARS_MAX}",
            shown(topic)
        ));
    }
    let words = [new.id.as_ref(), new.to.as_ref(), new.correlation.as_ref(), new.session.as_ref()];
    let is_wrong = |id: &&String| {
        id.is_empty() || id.chars().count() > MESSAGE_WORD_CHARS_MAX || id.contains(char::is_control)
    };
    if let Some(wrong) = words.into_iter().flatten().find(is_wrong) {
        return Err(format!(
            "{:?} has to have 1 to {MESSAGE_WORD_CHARS_MAX} characters, none of them a control character",
            shown(wrong)
        ));
    }
    if new.qos == Qos::ExactlyOnce && new.id.is_none() {
        return Err("it is to be said exactly once, and has no id by which a second try is known; give one"
            .to_owned());
    }
    let bytes = json_bytes(&new.data);
    if bytes > EVENT_CONTENT_BYTES_MAX {
        return Err(format!(
            "it has {bytes} bytes, at most {EVENT_CONTENT_BYTES_MAX} can be kept; put large values into files"
        ));
    }
    let bytes = json_bytes(&new.meta);
    if bytes > MESSAGE_META_BYTES_MAX {
        return Err(format!(
            "`meta` has {bytes} bytes, at most {MESSAGE_META_BYTES_MAX} are kept; say less there"
        ));
    }
    Ok(())
}

fn shown(text: &str) -> String {
    safe_text(&shorten(text, 60))
}
