//! A server that is a program: one message on a line, each way. A line that is no message is other talk of it and is only logged; one
//! that does not end is refused before it fills the memory.

use super::said::heard;
use crate::Failure;
use cuelight_base::{FailureMode, MCP_MESSAGE_BYTES_MAX, Value};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Bytes taken at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// Both ends of the talk with it.
pub(super) struct Local<'a> {
    output: Box<dyn AsyncRead + Send + Unpin + 'a>,
    input: Box<dyn AsyncWrite + Send + Unpin + 'a>,
    /// Bytes that have arrived and were not read yet.
    rest: Vec<u8>,
    /// Bytes of it in which there is no end of a line.
    seen: usize,
}

/// The content of a line.
pub(super) enum Line {
    Message(Value),
    /// The line is no message.
    Talk(Vec<u8>),
}

impl<'a> Local<'a> {
    pub(super) fn new(
        output: impl AsyncRead + Send + Unpin + 'a,
        input: impl AsyncWrite + Send + Unpin + 'a,
    ) -> Self {
        Self { output: Box::new(output), input: Box::new(input), rest: Vec::new(), seen: 0 }
    }

    pub(super) async fn send(&mut self, message: &Value) -> Result<(), Failure> {
        let line = format!("{message}\n");
        let sent = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.flush().await
        };
        sent.await.map_err(|error| ended(&format!("it does not listen any more: {error}")))
    }

    pub(super) async fn next(&mut self) -> Result<(Line, usize), Failure> {
        loop {
            if let Some(at) = self.rest[self.seen..].iter().position(|byte| *byte == b'\n') {
                let end = self.seen + at;
                let line: Vec<u8> = self.rest.drain(..=end).take(end).collect();
                self.seen = 0;
                let bytes = line.len();
                return Ok((
                    match heard(&line)? {
                        Some(value) if value.is_object() || value.is_array() => Line::Message(value),
                        _ => Line::Talk(line),
                    },
                    bytes,
                ));
            }
            self.seen = self.rest.len();
            if self.seen > MCP_MESSAGE_BYTES_MAX {
                let message = format!(
                    "its MCP server sends a message of more than {MCP_MESSAGE_BYTES_MAX} bytes; ask it for less"
                );
                return Err(Failure { mode: FailureMode::ResourceQuota, message });
            }
            let begin = self.rest.len();
            self.rest.resize(begin + CHUNK_BYTES, 0);
            let read = self.output.read(&mut self.rest[begin..]).await;
            self.rest.truncate(begin + read.as_ref().copied().unwrap_or_default());
            match read {
                Ok(0) => return Err(ended("it has closed its output")),
                Ok(_) => {}
                Err(error) => return Err(ended(&error.to_string())),
            }
        }
    }
}

fn ended(why: &str) -> Failure {
    let message = format!("its MCP server has ended before it answered ({why}); see its log");
    Failure { mode: FailureMode::ResourceTool, message }
}
