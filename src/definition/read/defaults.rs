//! The settings that a step has when it says nothing else, and its retry, which may be one of them.

use super::{fields::Reader, script::shell_words};
use crate::{
    Backoff, RetryOn, RetryPolicy, Text,
    document::{BACKOFFS, DEFAULTS, RETRY},
    spelling::suggest,
    yaml::Node,
};
use cuelight_base::{ATTEMPTS_DEFAULT, ATTEMPTS_MAX, FailureMode, Score, Span, shorten};

/// The settings of every step that does not set its own.
#[derive(Default)]
pub(super) struct Defaults {
    pub(super) timeout: Option<Span>,
    pub(super) retry: Option<RetryPolicy>,
    pub(super) shell: Option<Vec<String>>,
    pub(super) working_directory: Option<Text>,
}

pub(super) fn defaults(reader: &mut Reader<'_, '_>, node: &Node) -> Defaults {
    let Some(found) = reader.object(node, &DEFAULTS) else { return Defaults::default() };
    Defaults {
        timeout: found.get("timeout").and_then(|timeout| reader.positive_duration(timeout, "a timeout")),
        retry: found.get("retry").and_then(|node| retry(reader, node, RetryOn::Retryable)),
        shell: found.get("shell").and_then(|shell| shell_words(reader, shell)),
        working_directory: found
            .get("working-directory")
            .and_then(|working_directory| reader.text(working_directory, "a directory")),
    }
}

pub(super) fn retry(reader: &mut Reader<'_, '_>, node: &Node, unsaid: RetryOn) -> Option<RetryPolicy> {
    let found = reader.object(node, &RETRY)?;
    let backoff = found.get("kind").and_then(|kind| {
        let values = [Backoff::Exponential, Backoff::Constant, Backoff::Linear, Backoff::None];
        reader.one_of(kind, "`kind`", BACKOFFS, &values)
    });
    let factor = found.get("factor").and_then(|node| {
        let factor = reader.millionths(node, "`factor`")?;
        let fits = (1_000_000..=100_000_000).contains(&factor);
        if !fits {
            reader.findings.error("value", node.place, "`factor` is a number from 1 to 100");
        }
        u32::try_from(factor / 1000).ok().filter(|_| fits)
    });
    let delay =
        found.get("delay").and_then(|delay| reader.duration(delay, "`delay`")).unwrap_or(Span::seconds(1));
    let max_delay = found.get("max-delay").and_then(|max_delay| reader.duration(max_delay, "`max-delay`"));
    if let (Some(most), Some(node)) =
        (max_delay.filter(|max_delay| *max_delay < delay), found.get("max-delay"))
    {
        reader
            .findings
            .warning(
                "value",
                node.place,
                format!("`max-delay` is shorter than `delay`; every delay is {most}"),
            )
            .help("make it longer, or remove it");
    }
    Some(RetryPolicy {
        max_attempts: found
            .get("max-attempts")
            .and_then(|max_attempts| reader.small(max_attempts, "`max-attempts`", 1, ATTEMPTS_MAX))
            .unwrap_or(ATTEMPTS_DEFAULT),
        backoff: backoff.unwrap_or_default(),
        delay,
        factor_milli: factor.unwrap_or(2000),
        max_delay: max_delay.unwrap_or(Span::seconds(60).max(delay)),
        jitter: found
            .get("jitter")
            .and_then(|jitter| reader.share(jitter, "`jitter`"))
            .unwrap_or(Score(1000)),
        on: found.get("on").map_or(unsaid, |node| RetryOn::Modes(modes(reader, node))),
    })
}

fn modes(reader: &mut Reader<'_, '_>, node: &Node) -> Vec<FailureMode> {
    let mut out = Vec::new();
    for word in reader.names(node, "a failure mode") {
        if let Some(mode) = FailureMode::ALL.iter().find(|mode| mode.word() == word.value) {
            out.push(*mode);
            continue;
        }
        let words = FailureMode::ALL.iter().map(|mode| mode.word());
        let near = suggest(&word.value, words.clone());
        let message = format!("`{}` is no failure mode", shorten(&word.value, 60));
        let found = reader.findings.error("value", word.place, message);
        match near {
            Some(near) => found.label(format!("did you mean `{near}`?")).fix(word.place, near),
            None => found.help(format!("the modes are {}", words.collect::<Vec<_>>().join(", "))),
        };
    }
    out
}
