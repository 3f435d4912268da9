//! The frames both ends of the socket speak, and how they are cut.
//!
//! A message is JSON, cut into frames of at most `FRAME_BYTES_MAX`: one byte that says whether more follows, four that
//! say how many come, then they come. What a peer says about lengths is believed up to the limits only.

use cuelight_base::{
    Actor, Channel, EVENT_BYTES_MAX, EVENT_DEPTH_MAX, FRAME_BYTES_MAX, RunId, Seq, is_nested_beyond,
    read_deep_json,
};
use cuelight_engine::{Command, Event, Refusal};
use cuelight_runtime::{LaunchRequest, Page, Reply, Request, Signal, Trouble, Want};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Version of the protocol; both ends must have the same.
pub(super) const VERSION: u32 = 4;
/// Bytes of one message: a page of events holds at least one, and JSON may spell a byte with six.
const MESSAGE_BYTES_MAX: usize = 2 * EVENT_BYTES_MAX;
/// Depth of an event inside a message.
const FRAME_DEPTH: usize = 16;
const LAST: u8 = 0;
const MORE: u8 = 1;

/// From a seat to the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ask {
    /// The first word: which kind of seat this is; events after this one are wanted.
    Hello {
        version: u32,
        program: String,
        #[serde(default)]
        seat: Option<Channel>,
        after: Seq,
    },
    /// Something that gets one answer with the same number.
    Question { number: u64, question: Question },
    /// Output of this run is of interest, too.
    Follow { run: RunId },
}

/// A request that gets an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Question {
    Submit(Box<Request>),
    Launch(Box<LaunchRequest>),
    Preview(Box<Command>),
    Read(Want),
}

/// Identity of the seat's user, as the engine knows it, and of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The user of this connection.
    pub actor: Actor,
    /// Everybody the workspace knows by name.
    pub people: Vec<String>,
    /// Name that the workspace gives itself; empty if it gives none.
    pub environment: String,
}

/// From the engine to a seat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Tell {
    /// The first word: which engine this is, and how far its log has come.
    Welcome { version: u32, program: String, instance: String, seq: Seq, about: Box<About> },
    /// You may not stay, and here is why.
    Wrong(String),
    /// Events since the last message, in order and without gaps.
    Events(Vec<(Seq, Event)>),
    /// Trouble of the engine; `None` when it is well again.
    Trouble(Option<Trouble>),
    /// A signal; worth nothing later.
    Signal(Signal),
    /// To the question of that number.
    Answer { number: u64, answer: Answer },
    /// The last word of an engine that ends: it has taken no question after this number. An older seat takes it for a broken line.
    Leaving { taken: u64 },
}

/// Answer to a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    Reply(Box<Reply>),
    Preview(std::result::Result<Vec<Event>, Refusal>),
    Page(Page),
}

/// Sends a message, with its length before it.
pub(super) async fn send<T: Serialize>(to: &mut (impl AsyncWrite + Unpin), message: &T) -> Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(too_long());
    }
    let mut frames = bytes.chunks(FRAME_BYTES_MAX).peekable();
    while let Some(frame) = frames.next() {
        let length = u32::try_from(frame.len()).map_err(|_| too_long())?;
        to.write_u8(if frames.peek().is_some() { MORE } else { LAST }).await?;
        to.write_u32(length).await?;
        to.write_all(frame).await?;
    }
    to.flush().await
}

/// Receives one message; nothing when the other end has gone.
pub(super) async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<T>> {
    let mut bytes = Vec::new();
    loop {
        let more = match from.read_u8().await {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && bytes.is_empty() => return Ok(None),
            read => read?,
        };
        let length = from.read_u32().await? as usize;
        if more > MORE || length > FRAME_BYTES_MAX || bytes.len() + length > MESSAGE_BYTES_MAX {
            return Err(too_long());
        }
        let before = bytes.len();
        from.take(length as u64).read_to_end(&mut bytes).await?;
        if bytes.len() < before + length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if more == LAST {
            return parse(&bytes).map(Some);
        }
    }
}

/// Events are nested deeper than the parser would follow by itself; the bound comes first. A key that stands twice is refused: the
/// peer and this end would each believe another of the two values.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if is_nested_beyond(bytes, EVENT_DEPTH_MAX + FRAME_DEPTH) {
        return Err(Error::new(ErrorKind::InvalidData, "could not take a message: it is nested too deep"));
    }
    Ok(read_deep_json(bytes)?)
}

fn too_long() -> Error {
    Error::new(ErrorKind::InvalidData, "could not take a message: it is longer than any that is sent")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::Value;

    #[tokio::test]
    async fn a_message_that_names_a_key_twice_is_refused() {
        for (body, is_taken) in [(r#"{"a":{"b":1,"c":2}}"#, true), (r#"{"a":{"b":1,"b":2}}"#, false)] {
            let length = u32::try_from(body.len()).expect("it fits").to_be_bytes();
            let frame = [&[LAST], &length[..], body.as_bytes()].concat();
            assert_eq!(receive::<Value>(&mut &frame[..]).await.is_ok(), is_taken, "{body}");
        }
    }
}
