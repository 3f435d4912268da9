//! The log of a step that runs in this process: text passes the mask on its way to the spool and to live
//! readers.

use super::{
    Masker, Progress,
    mask::MaskStream,
    spool::{Spool, Spooled},
};
use cuelight_base::safe_text;

/// The log of one attempt that runs in this process.
pub(super) struct Log<'a, P> {
    mask: MaskStream,
    clear: Vec<u8>,
    spool: Spool,
    progress: &'a mut P,
}

impl<'a, P: FnMut(Progress<'_>) + Send> Log<'a, P> {
    pub(super) fn new(masker: &Masker, spool: Spool, progress: &'a mut P) -> Self {
        Self { mask: masker.stream(), clear: Vec::new(), spool, progress }
    }

    /// Ours, with foreign words in it: one line, whatever they hold.
    pub(super) fn say(&mut self, line: &str) {
        self.take(format!("{}\n", safe_text(line.trim_end_matches('\n'))).as_bytes());
    }

    /// The other side's, as it is.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.mask.push(bytes, &mut self.clear);
        self.keep();
    }

    pub(super) fn finish(mut self) -> Spooled {
        self.mask.finish(&mut self.clear);
        self.keep();
        self.spool.finish()
    }

    fn keep(&mut self) {
        if !self.clear.is_empty() {
            self.spool.take(&self.clear);
            (self.progress)(Progress {
                bytes: &self.clear,
                total: self.spool.total(),
                at: self.spool.heard_at(),
            });
            self.clear.clear();
        }
    }
}
