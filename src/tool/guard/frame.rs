//! The messages of a lifeline, and their frames: one byte for the kind, four for the length, then the
//! content. A peer's length is believed up to a limit.
//!
//! Reading and writing can stop in the middle and resume, so that one loop serves all.

use super::{kin::Strays, record::EndRecord};
use crate::{Call, Executed};
use cuelight_base::{
    EVENT_BYTES_MAX, EVENT_DEPTH_MAX, Launch, Program, Timestamp, is_nested_beyond, read_deep_json,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, ErrorKind, IoSlice},
};
use tokio::net::UnixStream;

/// Bytes of one frame: a launch is part of an event.
const FRAME_BYTES_MAX: usize = EVENT_BYTES_MAX;
/// Bytes taken at once.
const READ_BYTES: usize = 64 * 1024;
/// Depth of a launch inside a message.
const FRAME_DEPTH: usize = 16;
/// Frames that are written in one go.
const FRAMES_AT_ONCE: usize = 64;
const HEAD_BYTES: usize = 5;
const JSON: u8 = b'j';
const OUTPUT: u8 = b'o';

/// From an engine to its guard.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ask {
    /// The engine's first message on a lifeline.
    Hello {
        protocol: u32,
        program: String,
        /// Number of times that the workspace has been taken: a later owner ends the line of an earlier one.
        epoch: u64,
        /// All that a process inherits.
        environment: Vec<(String, String)>,
    },
    /// Starts the given call.
    Launch(Box<Asked>),
    /// End it; when the engine is closing, nobody wants to know how it ends.
    End { attempt: String, closing: bool },
    /// Its end is in the log.
    Forget { attempt: String },
}

/// A call that the guard is to start.
#[derive(Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) call: Call,
    pub(super) launch: Launch,
    /// In memory only, here and there.
    pub(super) secrets: BTreeMap<String, Vec<u8>>,
    /// The program and the approved files, if they must be unchanged.
    pub(super) executes: Option<(Program, Vec<Executed>)>,
}

/// From a guard to its engine.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Tell {
    /// The first word: what runs.
    Welcome { running: Vec<String> },
    /// You may not stay, and here is why.
    Wrong(String),
    /// A call has ended.
    Ended(Box<EndRecord>),
    /// Nothing was started: what it would execute is this.
    Changed { attempt: String, files: Vec<Executed> },
    /// All processes below the guard that belong to no step, as of now.
    Strays(Strays),
}

/// A stretch of output.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) attempt: String,
    /// Bytes so far, with these.
    pub(super) total: u64,
    pub(super) at: Option<Timestamp>,
    pub(super) bytes: Vec<u8>,
}

/// A frame that was received.
pub(super) enum Frame<T> {
    Message(T),
    Output(Output),
}

/// A message as a frame.
pub(super) fn message<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut frame = vec![JSON, 0, 0, 0, 0];
    serde_json::to_writer(&mut frame, message)?;
    finish(frame)
}

/// A stretch of output as a frame.
pub(super) fn output(attempt: &str, total: u64, at: Option<Timestamp>, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let name = u8::try_from(attempt.len()).map_err(|_| too_long())?;
    let mut frame = vec![OUTPUT, 0, 0, 0, 0, name];
    frame.extend_from_slice(attempt.as_bytes());
    frame.extend_from_slice(&total.to_be_bytes());
    frame.extend_from_slice(&at.map_or(i64::MIN, |moment| moment.0).to_be_bytes());
    frame.extend_from_slice(bytes);
    finish(frame)
}

fn finish(mut frame: Vec<u8>) -> io::Result<Vec<u8>> {
    let length = frame.len() - HEAD_BYTES;
    let length = u32::try_from(length).ok().filter(|_| length <= FRAME_BYTES_MAX).ok_or_else(too_long)?;
    frame[1..HEAD_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// Received bytes, until they form a whole frame.
#[derive(Default)]
pub(super) struct Incoming {
    bytes: Vec<u8>,
    /// Number of bytes that were consumed already.
    taken: usize,
}

impl Incoming {
    /// The next frame; nothing when the other end has gone. May be dropped and called again.
    pub(super) async fn next<T: DeserializeOwned>(
        &mut self,
        from: &UnixStream,
    ) -> io::Result<Option<Frame<T>>> {
        loop {
            if let Some(frame) = self.whole()? {
                return Ok(Some(frame));
            }
            from.readable().await?;
            self.bytes.drain(..self.taken);
            self.taken = 0;
            let before = self.bytes.len();
            self.bytes.resize(before + READ_BYTES, 0);
            let read = from.try_read(&mut self.bytes[before..]);
            self.bytes.truncate(before + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn whole<T: DeserializeOwned>(&mut self) -> io::Result<Option<Frame<T>>> {
        let rest = &self.bytes[self.taken..];
        let Some((head, rest)) = rest.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > FRAME_BYTES_MAX || !matches!(head[0], JSON | OUTPUT) {
            return Err(too_long());
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let frame =
            if head[0] == JSON { Frame::Message(parse(body)?) } else { Frame::Output(parse_output(body)?) };
        self.taken += HEAD_BYTES + length;
        Ok(Some(frame))
    }
}

/// Splits bytes of a lifeline into frames and encodes each again. The bytes are read as an engine's if
/// possible, else as a guard's. A frame cut off at the end is left out.
///
/// # Errors
/// When the bytes contain a frame of neither side.
pub fn lifeline_frames(bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    written_again::<Ask>(bytes).or_else(|_| written_again::<Tell>(bytes))
}

fn written_again<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let (mut incoming, mut frames) = (Incoming { bytes: bytes.to_vec(), taken: 0 }, Vec::new());
    while let Some(frame) = incoming.whole::<T>()? {
        frames.push(match frame {
            Frame::Message(this_message) => message(&this_message)?,
            Frame::Output(this_output) => {
                output(&this_output.attempt, this_output.total, this_output.at, &this_output.bytes)?
            }
        });
    }
    Ok(frames)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    if is_nested_beyond(bytes, EVENT_DEPTH_MAX + FRAME_DEPTH) {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "could not take a message: it is nested too deep",
        ));
    }
    Ok(read_deep_json(bytes)?)
}

fn parse_output(body: &[u8]) -> io::Result<Output> {
    let cut = || io::Error::new(ErrorKind::InvalidData, "could not take output: it is cut off");
    let (name, rest) = body.split_first().ok_or_else(cut)?;
    let (attempt, rest) = rest.split_at_checked(usize::from(*name)).ok_or_else(cut)?;
    let (total, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let (at, bytes) = rest.split_first_chunk().ok_or_else(cut)?;
    let attempt = String::from_utf8(attempt.to_vec()).map_err(|_| cut())?;
    let at = Some(i64::from_be_bytes(*at)).filter(|value| *value != i64::MIN).map(Timestamp);
    Ok(Output { attempt, total: u64::from_be_bytes(*total), at, bytes: bytes.to_vec() })
}

/// Frames that wait to be sent.
#[derive(Default)]
pub(super) struct Outgoing {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Bytes of the first one that have gone.
    sent: usize,
}

impl Outgoing {
    pub(super) fn push(&mut self, frame: Vec<u8>) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Number of bytes that wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sends some of it. May be dropped and called again.
    pub(super) async fn send_some(&mut self, to: &UnixStream) -> io::Result<()> {
        while !self.frames.is_empty() {
            to.writable().await?;
            // Many at once: a call to the kernel costs more than most frames.
            let skipped = |at: usize| if at == 0 { self.sent } else { 0 };
            let first = self.frames.iter().take(FRAMES_AT_ONCE).enumerate();
            let parts: Vec<IoSlice<'_>> =
                first.map(|(at, frame)| IoSlice::new(&frame[skipped(at)..])).collect();
            match to.try_write_vectored(&parts) {
                Ok(length) => self.sent += length,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
            while let Some(mut sent) = self.frames.pop_front_if(|frame| frame.len() <= self.sent) {
                self.sent -= sent.len();
                self.bytes -= sent.len();
                // A launch may hold secrets.
                sent.fill(0);
                std::hint::black_box(&mut sent);
            }
        }
        Ok(())
    }
}

fn too_long() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "could not take a message: it is longer than any that is sent")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    /// Returns the frame read from these bytes when no more come.
    async fn heard(bytes: &[u8]) -> io::Result<Option<Frame<serde_json::Value>>> {
        let (mut theirs, ours) = UnixStream::pair().expect("a pair");
        theirs.write_all(bytes).await.expect("written");
        drop(theirs);
        Incoming::default().next(&ours).await
    }

    fn framed(length: usize, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(length).expect("it fits").to_be_bytes();
        [&[JSON], &length[..], body].concat()
    }

    #[tokio::test]
    async fn a_frame_that_is_longer_than_any_is_refused_before_it_has_come() {
        assert!(heard(&framed(FRAME_BYTES_MAX + 1, b"[")).await.is_err());
        // One of a length that may be is waited for.
        assert!(heard(&framed(FRAME_BYTES_MAX, b"[")).await.is_ok_and(|frame| frame.is_none()));
    }

    #[tokio::test]
    async fn a_message_that_names_a_key_twice_is_refused() {
        for (body, is_heard) in [(r#"{"a":{"b":1,"c":2}}"#, true), (r#"{"a":{"b":1,"b":2}}"#, false)] {
            assert_eq!(heard(&framed(body.len(), body.as_bytes())).await.is_ok(), is_heard, "{body}");
        }
    }

    #[tokio::test]
    async fn a_message_that_is_nested_deeper_than_any_is_refused_before_it_is_read() {
        for (depth, is_heard) in
            [(EVENT_DEPTH_MAX + FRAME_DEPTH, true), (EVENT_DEPTH_MAX + FRAME_DEPTH + 1, false)]
        {
            let body = "[".repeat(depth) + &"]".repeat(depth);
            assert_eq!(heard(&framed(body.len(), body.as_bytes())).await.is_ok(), is_heard, "{depth}");
        }
    }
}
