//! The precedence of a thread that ends many processes.

use rustix::process::{getpriority_process, setpriority_process};
use std::fs;

/// The highest precedence there is.
const NICE_MIN: i32 = -20;

/// That this thread runs before all others for a while, where the system lets it (it lets root): beside thousands that want a
/// processor, it would else have a thousandth of one to end them with. The kernel shares processors out among sessions first, where
/// it does (`sched(7)`, autogroup), and among the threads of each by their nice values then.
pub(super) struct Precedence {
    thread: Option<i32>,
    session: Option<i32>,
}

impl Precedence {
    const OF_SESSION: &str = "/proc/self/autogroup";

    pub(super) fn taken() -> Self {
        let thread = getpriority_process(None).ok();
        // `/autogroup-130 nice 0`
        let told = fs::read_to_string(Self::OF_SESSION).ok();
        let session = told.and_then(|text| text.split_ascii_whitespace().last()?.parse().ok());
        Self {
            thread: thread.filter(|_| setpriority_process(None, NICE_MIN).is_ok()),
            session: session.filter(|_| fs::write(Self::OF_SESSION, NICE_MIN.to_string()).is_ok()),
        }
    }
}

impl Drop for Precedence {
    fn drop(&mut self) {
        // To have less is always allowed.
        if let Some(before) = self.thread {
            let _ = setpriority_process(None, before);
        }
        if let Some(before) = self.session {
            drop(fs::write(Self::OF_SESSION, before.to_string()));
        }
    }
}
