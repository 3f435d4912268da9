//! Reads a text file that somebody has named, with a limit: workflow files and what they include.

use rustix::fs::OFlags;
use std::{fs::OpenOptions, io::Read as _, os::unix::fs::OpenOptionsExt as _, path::Path};

/// The text of a plain file. One byte beyond the limit is read, so that the caller can report that it is too
/// long.
///
/// # Errors
/// The end of a sentence that begins with "could not read": why, and what to do.
pub fn read_text(path: &Path, bytes_max: usize) -> Result<String, String> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("the flags of open are an int in C");
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| format!("{error}; see the path and its permissions"))?;
    let about = file.metadata().map_err(|error| format!("{error}; see the disk"))?;
    if !about.is_file() {
        return Err("it is no plain file; name one".to_owned());
    }
    let mut bytes = Vec::new();
    let read = file.take(bytes_max as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("{error}; see the disk"))?;
    String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text; save it as UTF-8".to_owned())
}
