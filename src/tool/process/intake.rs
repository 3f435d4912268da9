//! The output of a process on its way from the pipe to the spool, masked.

use super::call::Progress;
use crate::agent::Heard;
use crate::mask::MaskStream;
use crate::spool::Spool;
use std::io::ErrorKind;
use tokio::net::unix::pipe;

/// Bytes taken from the pipe at once: at first, since most steps say little, …
const CHUNK_BYTES_MIN: usize = 4 * 1024;
/// … and from one who has much to say.
const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// Bytes that a pipe may still hold when all writers within our reach are dead.
const PIPE_BYTES_MAX: usize = 1024 * 1024;

/// Output that comes through the pipe, on its way to the spool.
pub(super) struct Intake {
    /// None when every writer has closed it.
    pub(super) pipe: Option<pipe::Receiver>,
    pub(super) chunk: Vec<u8>,
    pub(super) mask: MaskStream,
    pub(super) clear: Vec<u8>,
    pub(super) spool: Spool,
    /// The end of an agent's output, for its answer.
    pub(super) heard: Option<Heard>,
}

impl Intake {
    /// A line of ours, between those of an agent.
    pub(super) fn remark(&mut self, line: &str, progress: &mut (impl FnMut(Progress<'_>) + Send)) {
        if self.heard.as_ref().is_some_and(|heard| !heard.is_at_line_start()) {
            self.clear.push(b'\n');
        }
        self.clear.extend_from_slice(line.as_bytes());
        self.clear.push(b'\n');
        self.keep(progress);
    }

    /// Waits for output and takes one chunk of it.
    pub(super) async fn take(&mut self, progress: &mut (impl FnMut(Progress<'_>) + Send)) {
        let Some(pipe) = &self.pipe else { return };
        if pipe.readable().await.is_err() {
            self.close(progress);
            return;
        }
        self.take_now(progress);
    }

    /// Takes what is there without waiting; says whether there was anything.
    fn take_now(&mut self, progress: &mut (impl FnMut(Progress<'_>) + Send)) -> usize {
        let Some(pipe) = &self.pipe else { return 0 };
        if self.chunk.is_empty() {
            self.chunk.resize(CHUNK_BYTES_MIN, 0);
        }
        match pipe.try_read(&mut self.chunk) {
            Ok(0) => self.close(progress),
            Ok(length) => {
                self.mask.push(&self.chunk[..length], &mut self.clear);
                self.keep(progress);
                if length == self.chunk.len() {
                    self.chunk.resize(CHUNK_BYTES_MAX, 0);
                }
                return length;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.close(progress),
        }
        0
    }

    /// Nobody we know of writes any more: what is in the pipe, and no more.
    pub(super) fn take_rest(&mut self, progress: &mut (impl FnMut(Progress<'_>) + Send)) {
        let mut taken = 0;
        while self.pipe.is_some() && taken < PIPE_BYTES_MAX {
            match self.take_now(progress) {
                0 => break,
                length => taken += length,
            }
        }
        self.close(progress);
    }

    fn close(&mut self, progress: &mut (impl FnMut(Progress<'_>) + Send)) {
        if self.pipe.take().is_some() {
            self.mask.finish(&mut self.clear);
            self.keep(progress);
        }
    }

    fn keep(&mut self, progress: &mut (impl FnMut(Progress<'_>) + Send)) {
        if !self.clear.is_empty() {
            self.spool.take(&self.clear);
            if let Some(heard) = &mut self.heard {
                heard.take(&self.clear);
            }
            progress(Progress { bytes: &self.clear, total: self.spool.total(), at: self.spool.heard_at() });
            self.clear.clear();
        }
    }
}
