//! The outcome of a call: how its process ended, its outputs, and the limits that it ran into.

use super::host::OWN_NAME;
use crate::oom::OomWatch;
use crate::spool::Spool;
use crate::{Answer, Ended, Masker};
use cuelight_base::{
    BUILT_IN_CPU_MAX, BUILT_IN_MEMORY_BYTES_MAX, FailureMode, Launch, Value, ValueMap, size_word,
};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

/// The command behind built-in tools.
const BUILT_IN_WORD: &str = "built-in";

pub(super) fn ended(status: &io::Result<ExitStatus>, oom: &OomWatch) -> Ended {
    let Ok(status) = status else {
        return Ended::NotStarted {
            errno: None,
            message: "could not learn how it ended; see its log".to_owned(),
        };
    };
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exit(code),
        (None, Some(number)) => Ended::Signal {
            number,
            core: status.core_dumped(),
            out_of_memory: number == 9 && oom.has_killed(),
        },
        (None, None) => Ended::Exit(status.into_raw()),
    }
}

pub(super) fn answer(
    ended: Ended,
    spool: Spool,
    left_behind: bool,
    masker: &Masker,
    outputs: Result<ValueMap, String>,
    launch: &Launch,
) -> Answer {
    let spooled = spool.finish();
    let ended = by_own_limit(launch, &ended, &spooled.tail).unwrap_or(ended);
    let (ended, mut outputs) = match (ended, outputs) {
        (ended, Ok(outputs)) => (ended, outputs),
        (Ended::Exit(0), Err(message)) => {
            (Ended::BadOutputs { message: masker.mask(&message) }, ValueMap::new())
        }
        (ended, Err(_)) => (ended, ValueMap::new()),
    };
    for value in outputs.values_mut() {
        if let Value::String(text) = value {
            *text = masker.mask(text);
        }
    }
    let (limits, sandboxed) = (launch.limits, launch.sandboxed);
    Answer { left_behind, limits, sandboxed, ..Answer::spooled(ended, outputs, spooled) }
}

/// The end of a built-in tool that ran into its limits: without memory or stack, a process can only abort.
fn by_own_limit(launch: &Launch, ended: &Ended, tail: &str) -> Option<Ended> {
    let tool = launch.tool.as_ref().filter(|_| launch.argv.first().is_some_and(|text| text == OWN_NAME))?;
    if launch.argv.get(1).is_none_or(|text| text != BUILT_IN_WORD) {
        return None;
    }
    let Ended::Signal { number, .. } = ended else { return None };
    let (mode, message) = match number {
        6 if tail.contains("stack overflow") => (
            FailureMode::ResourceMemory,
            format!("{} was given, or made, a value that is nested too deep; narrow the filter", tool.name),
        ),
        6 | 11 => (
            FailureMode::ResourceMemory,
            format!(
                "{} needed more than {}; narrow the filter",
                tool.name,
                size_word(BUILT_IN_MEMORY_BYTES_MAX)
            ),
        ),
        24 => (
            FailureMode::ResourceQuota,
            format!("{} needed more than {BUILT_IN_CPU_MAX} of processor time; narrow the filter", tool.name),
        ),
        _ => return None,
    };
    Some(Ended::Failed { mode, message })
}
