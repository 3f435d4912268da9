//! The summary of a run, for lists: its state, its progress and its quality.

use crate::{Counts, DoneOfAll, Health, Results, RunSpan, numbers};
use cuelight_base::{Actor, Digest, RunId, Score, Span, Timestamp};
use cuelight_engine::{CauseOfLaunch, RunState, Stage, StepState};
use cuelight_plan::{Amounts, Ceilings};
use std::sync::Arc;

/// The summary of a run, for lists. It is also kept for runs whose steps are no longer in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// The id of the run.
    pub id: RunId,
    /// The name of the workflow.
    pub workflow: Arc<str>,
    /// Hash of the workflow's text.
    pub definition: Digest,
    /// Hash of the plan.
    pub plan_hash: Digest,
    /// The person, agent or schedule that started it.
    pub by: Actor,
    /// The cause of the run: a request, a schedule, a retry or a fork.
    pub cause: CauseOfLaunch,
    /// The trace that the run belongs to.
    pub trace: Arc<str>,
    /// Its own span, and that which it was started under, elsewhere.
    pub span: RunSpan,
    /// The state of the run.
    pub state: RunState,
    /// True if its finished steps are being undone.
    pub compensating: bool,
    /// True if it is being cancelled.
    pub cancelling: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its steps could start.
    pub started_at: Option<Timestamp>,
    /// When it came to rest.
    pub ended_at: Option<Timestamp>,
    /// The last event of it.
    pub changed_at: Timestamp,
    /// Its steps by state.
    pub counts: Counts,
    /// Steps that failed and count as skipped, as `on-error` says.
    pub failed_softly: u32,
    /// Steps that wait for their next attempt.
    pub retrying: u32,
    /// Gates that wait for people.
    pub open_gates: u32,
    /// Undos that wait for a person.
    pub stuck_undos: u32,
    /// Sum and number of the confidences of completed steps.
    pub confidences: (u64, u32),
    /// The results of its last steps.
    pub results: Results,
    /// The usage so far. Undos and checks do not count as calls, but their cost counts.
    pub spent: Amounts,
    /// The most that it may use.
    pub ceilings: Ceilings,
    /// The expected usage of the steps that were not called yet.
    pub expected: Amounts,
}

impl RunSummary {
    /// The steps that are done, of all that are part of the run.
    pub fn progress(&self) -> DoneOfAll {
        self.counts.progress()
    }

    /// `1/9 done, 1 failed, 7 skipped`: the progress, and the steps that ended in another way.
    pub fn progress_words(&self) -> String {
        let mut words = format!("{} done", self.progress());
        let others = [
            StepState::Failed,
            StepState::Rejected,
            StepState::Cancelled,
            StepState::Skipped,
            StepState::Undone,
        ];
        for state in others {
            match self.counts.of(state) {
                0 => {}
                count => words.push_str(&format!(", {count} {state}")),
            }
        }
        words
    }

    /// The stage of its life.
    pub const fn stage(&self) -> Stage {
        if self.compensating && !self.state.rests() { Stage::Aggregate } else { self.state.stage() }
    }

    /// The current activity in a word: `gate`, `retrying`, `in-doubt`, `undoing`, `cancelling`, or its state.
    pub const fn doing(&self) -> &'static str {
        if !matches!(self.state, RunState::Running) {
            self.state.word()
        } else if self.counts.of(StepState::InDoubt) > 0 || self.stuck_undos > 0 {
            "in-doubt"
        } else if self.compensating {
            "undoing"
        } else if self.cancelling {
            "cancelling"
        } else if self.open_gates > 0 {
            "gate"
        } else if self.retrying > 0 && self.counts.of(StepState::Running) == 0 {
            "retrying"
        } else {
            self.state.word()
        }
    }

    /// Steps that failed, also those whose failure was allowed.
    pub const fn failures(&self) -> u32 {
        self.counts.of(StepState::Failed) + self.failed_softly
    }

    /// The quality: the share of its results that were good.
    pub fn quality(&self) -> Score {
        numbers::quality(
            self.counts.of(StepState::Completed),
            self.counts.of(StepState::Partial),
            self.failures(),
        )
    }

    /// 100 · quality of the last 100 results.
    pub fn health(&self) -> Health {
        self.results.health()
    }

    /// Mean confidence of completed steps · (completed / all that ran).
    pub fn confidence(&self) -> Option<Score> {
        let (sum, count) = self.confidences;
        let done = u64::from(self.counts.of(StepState::Completed) + self.counts.of(StepState::Partial));
        let ran = done + u64::from(self.failures());
        (count > 0).then(|| Score::ratio(sum * done, 10_000 * u64::from(count) * ran.max(1)))
    }

    /// Time from its start to its end, or to now; nothing before it has started.
    pub fn took(&self, now: Timestamp) -> Option<Span> {
        self.started_at.map(|at| self.ended_at.unwrap_or(now).since(at))
    }

    /// Time since the run was created, also after its end. The duration of a run is what it took.
    pub fn age(&self, now: Timestamp) -> Span {
        now.since(self.created_at)
    }
}
