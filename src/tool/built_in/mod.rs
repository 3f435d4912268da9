//! Tools that are done in this process: a table of names and functions. What each promises stands in its description.
//!
//! They touch the files of the workspace and nothing else, and never our own directory. What can wait or loop for ever
//! is no function here but a program, which can be ended.

mod file;
mod json;

pub use file::workspace_file;

use super::{Answer, Ended, Failure, Host, Masker};
use cuelight_base::{FailureMode, Launch, OUTPUT_BYTES_MAX, Value, ValueMap, json_bytes};
use std::path::Path;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The resources of a tool beside its input.
struct Site<'a> {
    /// Root directory of the workspace.
    root: &'a Path,
    /// Cancelled when the tool should end.
    stop: &'a CancellationToken,
}

type Done = Result<ValueMap, Failure>;

/// The function that does a tool's work.
type Work = fn(&Site<'_>, &ValueMap) -> Done;

const TABLE: &[(&str, Work)] = &[
    ("file.checksum", file::checksum),
    ("file.read", file::read),
    ("file.write", file::write),
    ("json.validate", json::validate),
];

/// The names of the tools that can be done here.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|entry| entry.0)
}

/// Does what a launch with a built-in tool asks for. Works and reads files, so it has a thread of its own; `stop` ends it
/// at the next place where it looks. Its files are those of the workspace, or of a captured one.
pub fn run_built_in(host: &Host, launch: &Launch, tree: Option<&Path>, stop: &CancellationToken) -> Answer {
    let Some(call) = launch.tool.as_ref() else {
        return Answer::not_started(None, "could not start: no tool is named".to_owned());
    };
    let Some((_, work)) = TABLE.iter().find(|entry| entry.0 == call.name) else {
        let message = format!("could not start: this cuelight has no {}; see docs/TOOLS.md", call.id());
        return failed(&Failure { mode: FailureMode::ResourceTool, message });
    };
    let masker = match host.masker(launch) {
        Ok(masker) => masker,
        Err(message) => return Answer::not_started(None, format!("could not start: {message}")),
    };
    match work(&Site { root: tree.unwrap_or_else(|| host.root()), stop }, &call.input) {
        Ok(_) if stop.is_cancelled() => Answer::without_output(Ended::Cancelled),
        Err(_) if stop.is_cancelled() => Answer::without_output(Ended::Cancelled),
        Ok(outputs) => finished(outputs, &masker),
        Err(failure) => failed(&Failure { message: masker.mask(&failure.message), ..failure }),
    }
}

/// Waits for a built-in tool that somebody else has started; when its time is up or it is cancelled, no longer.
pub async fn attend_built_in(
    launch: &Launch,
    work: impl Future<Output = Option<Answer>>,
    cancel: &CancellationToken,
    stop: &CancellationToken,
) -> Answer {
    let timer = sleep(launch.timeout.unwrap_or_default().to_std());
    let ended = tokio::select! {
        biased;
        () = cancel.cancelled() => Ended::Cancelled,
        answer = work => {
            let message = "could not be done: a fault of cuelight".to_owned();
            return answer.unwrap_or_else(|| failed(&Failure { mode: FailureMode::SystemCrash, message }));
        }
        () = timer, if launch.timeout.is_some() => {
            Ended::TimedOut { after: launch.timeout.unwrap_or_default() }
        }
    };
    stop.cancel();
    Answer::without_output(ended)
}

fn finished(mut outputs: ValueMap, masker: &Masker) -> Answer {
    let bytes = json_bytes(&outputs);
    if bytes > OUTPUT_BYTES_MAX {
        let message = format!(
            "its result has {bytes} bytes, more than {OUTPUT_BYTES_MAX}; ask for less, or leave it in a file"
        );
        return failed(&Failure { mode: FailureMode::AgentContract, message });
    }
    outputs.values_mut().for_each(|output| masker.mask_value(output));
    Answer { outputs, ..Answer::without_output(Ended::Exit(0)) }
}

fn failed(failure: &Failure) -> Answer {
    Answer::without_output(Ended::Failed { mode: failure.mode, message: failure.message.clone() })
}

/// A text among the inputs; its schema has made sure of it where it is required.
fn text<'a>(input: &'a ValueMap, name: &str) -> &'a str {
    input.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn flag(input: &ValueMap, name: &str) -> bool {
    input.get(name).and_then(Value::as_bool).unwrap_or_default()
}
