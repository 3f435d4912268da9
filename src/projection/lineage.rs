//! The origin of a run and of its results, and the suggestion for a run that did not complete, in words.

use crate::{RunSummary, RunView, StepView, words::by_words};
use cuelight_base::{FailureMode, RunId};
use cuelight_engine::{CachedFrom, CauseOfLaunch, Corrected, Origin, PartialResult};

/// Steps and inputs named in one line.
const NAMED: usize = 8;

/// The run that this one retries or was forked from, and the corrections. One line each, with foreign text in
/// it.
pub fn lineage_words(run: &RunSummary) -> Vec<String> {
    let first = match &run.cause {
        CauseOfLaunch::Asked | CauseOfLaunch::Schedule(_) => return Vec::new(),
        CauseOfLaunch::Retry { of, from, .. } => format!("does {of} again, from {}", from.word()),
        CauseOfLaunch::Fork { of, at, .. } => format!("forked from {of} at event {at}"),
    };
    let mut lines = vec![first];
    lines.extend(run.cause.corrected().map(corrected_words));
    lines
}

/// The corrections in one line.
pub fn corrected_words(corrected: &Corrected) -> String {
    let value =
        |value: &Option<serde_json::Value>| value.as_ref().map_or("nothing".to_owned(), ToString::to_string);
    let inputs = corrected
        .inputs
        .iter()
        .map(|input| format!("input {}: {} to {}", input.name, value(&input.before), value(&input.after)));
    let steps = corrected.steps.iter().map(|step| format!("{} {}", step.id, step.how.word()));
    let rules = corrected.rules.iter().map(|rule| format!("{rule} of the workflow"));
    let mut all: Vec<String> = inputs.chain(steps).chain(rules).collect();
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    if more > 0 {
        all.push(format!("{more} more"));
    }
    format!("corrected: {}", all.join(", "))
}

/// The first step that a person rejected at its gate: its id, the person and the reason. Foreign text.
fn rejection(run: &RunView) -> Option<String> {
    run.steps().find_map(|(_, plan, view)| Some(format!("{}: {}", plan.id, view.rejection()?)))
}

/// The progress of a run that did not complete, and the suggestion.
pub fn partial_words(run: &RunView) -> Option<String> {
    let result = run.partial.as_ref()?;
    let rejected = rejection(run);
    let total = result.completed + result.failed + result.remaining;
    let share = result.completion_ratio.percent();
    let suggested = match result.suggestion.as_str() {
        "retry-failed" => "again from what failed",
        "retry-from-checkpoint" => "again from the checkpoint",
        "retry-all" => "again from the start",
        _ if result.failure_mode == Some(FailureMode::UserCancelled) => "again when it is wanted",
        _ if rejected.is_some() && result.failure_mode.is_none() => "again once the reason is gone",
        _ => "mend it first",
    };
    let steps = cuelight_base::counted(total, "step", "steps");
    let rejected = rejected.map_or_else(String::new, |words| format!(", {words}"));
    Some(format!("{} of {steps} completed ({share} %){rejected}, suggested: {suggested}", result.completed))
}

/// The command to type after a run that did not complete: its suggestion, or what a rejection asks for.
pub(super) fn again_words(run: &RunView, result: &PartialResult) -> String {
    match rejection(run).filter(|_| result.failure_mode.is_none()) {
        Some(words) => {
            format!("{words}; after a correction: cuelight retry {} --file FILE (or -i KEY=VALUE)", run.id())
        }
        None => suggestion(run.id(), result),
    }
}

fn suggestion(run: RunId, result: &PartialResult) -> String {
    match result.suggestion.as_str() {
        "retry-failed" => format!("cuelight retry {run} --from failed"),
        "retry-from-checkpoint" => format!("cuelight retry {run} --from checkpoint"),
        "retry-all" => format!("cuelight retry {run} --from all"),
        _ => by_hand(run, result.failure_mode),
    }
}

/// The same where trying again as it is would not help: what was wrong says where to mend it.
fn by_hand(run: RunId, mode: Option<FailureMode>) -> String {
    let again = format!("cuelight retry {run}");
    if mode == Some(FailureMode::UserCancelled) {
        return format!("{again}, when it is wanted after all");
    }
    // A key, a bill, what the workspace or the machine allows: nothing of it stands in the run.
    let is_elsewhere = matches!(
        mode,
        Some(
            FailureMode::UserPermission
                | FailureMode::ResourceQuota
                | FailureMode::ResourceMemory
                | FailureMode::PolicySecurity
                | FailureMode::PolicyAllowlist
                | FailureMode::SystemDisk
                | FailureMode::SystemOom
        )
    );
    let mended = if is_elsewhere {
        format!("do what its error says, then {again}")
    } else {
        format!("mend it, then {again} with -i KEY=VALUE or --file FILE")
    };
    format!("trying again as it is would not help; {mended}")
}

/// The origin of a result that a step did not produce itself, in words.
pub(super) fn kept_words(origin: Option<&Origin>, cached: Option<&CachedFrom>) -> String {
    match (origin, cached) {
        (Some(origin), Some(cached)) => {
            format!("from the cache: {} of {} at {}, key {}", cached.step, origin.run, cached.at, cached.key)
        }
        (Some(origin), None) => format!("kept from {}", origin.run),
        (None, _) => "kept".to_owned(),
    }
}

impl StepView {
    /// The origin of a result that the step did not produce itself; foreign text.
    pub fn origin_words(&self) -> Option<String> {
        let by_hand = |by: &cuelight_base::Actor, reason: &str| format!("by hand, {}", by_words(by, reason));
        match (self.by_hand(), self.origin()) {
            (Some(hand), _) => Some(by_hand(&hand.by, &hand.reason)),
            (None, Some(Origin { run, by: Some(by), reason })) => {
                Some(format!("kept from {run}, {}", by_hand(by, reason)))
            }
            (None, origin @ Some(_)) => Some(kept_words(origin, self.cached())),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_suggested_is_what_mends_it() {
        let run = RunId(7);
        for (mode, told) in [
            (
                Some(FailureMode::UserInvalidInput),
                "mend it, then cuelight retry r-7 with -i KEY=VALUE or --file FILE",
            ),
            // The key of a model, say: its error says whose it is and how it is tried.
            (Some(FailureMode::UserPermission), "do what its error says, then cuelight retry r-7"),
            (Some(FailureMode::ResourceQuota), "do what its error says, then cuelight retry r-7"),
            (Some(FailureMode::UserCancelled), "cuelight retry r-7, when it is wanted after all"),
            (None, "mend it, then cuelight retry r-7 with -i KEY=VALUE or --file FILE"),
        ] {
            let said = by_hand(run, mode);
            assert!(said.ends_with(told), "{mode:?}: {said}");
        }
    }
}
