//! Limits on each process of a step, and on their number: part of its call, so that an approval holds for
//! them.
//! The kernel is told in `tool`. The meaning of a process that hit a limit is decided by its `classify`.

use crate::Span;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Limits of every single process that a call starts, and of their number; none means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessLimits {
    /// Bytes of memory of its own (heap, stacks of its threads, private mappings); not its first stack, and
    /// nothing shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Files that are open at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Processor time; the kernel counts whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Span>,
    /// Bytes of any file that it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
    /// Processes of the call that live at once, as its guard counts them; the only one that the kernel does
    /// not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
}

impl ProcessLimits {
    /// True if nothing is limited.
    pub const fn is_none(&self) -> bool {
        self.memory_bytes.is_none()
            && self.files.is_none()
            && self.cpu.is_none()
            && self.file_bytes.is_none()
            && self.processes.is_none()
    }

    /// The limits in words, for people, with the limit of kept output and the sandbox.
    /// None when all of them are the defaults.
    pub fn words(&self, output_bytes: Option<u64>, sandboxed: bool) -> Option<String> {
        let shut = sandboxed.then(|| "sandbox: strict".to_owned());
        let used = (!self.is_none()).then(|| self.to_string());
        let kept = output_bytes.map(|output_bytes| format!("{} of output", size_word(output_bytes)));
        let words: Vec<String> = [used, kept, shut].into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// `memory 512 MiB, 64 open files, 30s of processor time, files of 1 GiB`
impl fmt::Display for ProcessLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = [
            self.memory_bytes.map(|memory_bytes| format!("memory {}", size_word(memory_bytes))),
            self.files.map(|files| format!("{files} open files")),
            self.cpu.map(|cpu| format!("{cpu} of processor time")),
            self.file_bytes.map(|file_bytes| format!("files of {}", size_word(file_bytes))),
            self.processes.map(|processes| format!("{processes} processes")),
        ]
        .into_iter()
        .flatten()
        .collect();
        f.write_str(&words.join(", "))
    }
}

/// A size as an author writes it, exact: `512 MiB`, `2 GB`, `4097 B`.
pub fn size_word(bytes: u64) -> String {
    const UNITS: [(u64, &str); 8] = [
        (1 << 40, "TiB"),
        (1_000_000_000_000, "TB"),
        (1 << 30, "GiB"),
        (1_000_000_000, "GB"),
        (1 << 20, "MiB"),
        (1_000_000, "MB"),
        (1 << 10, "KiB"),
        (1_000, "kB"),
    ];
    match UNITS.iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_said_as_it_was_meant() {
        for (bytes, said) in [
            (0, "0 B"),
            (512 << 20, "512 MiB"),
            (1536 << 20, "1536 MiB"),
            (2 << 30, "2 GiB"),
            (512_000_000, "512 MB"),
            (4097, "4097 B"),
        ] {
            assert_eq!(size_word(bytes), said);
        }
    }
}
