//! Counts calls and results of steps into the vitals of the workspace.

use super::{Board, RETRIES_MAX};
use crate::{RunSummary, RunView, StepView, kind_word, vitals::ResultOf};
use cuelight_base::{FailureMode, RunId, Score, StepIx, Timestamp, agent_name};
use cuelight_engine::{AttemptEvent, CauseOfLaunch, Event, Purpose, StepState};
use cuelight_plan::{PlanStep, Work};

/// The name of the tool, agent, model or kind that does the work of a step. Each of them has its own
/// statistics, because the results of one say nothing about another.
fn performer<'a>(plan: &'a PlanStep, seen: &'a StepView) -> &'a str {
    match &plan.work {
        Work::Tool(tool_use) => {
            let chosen = tool_use.route.as_ref().and_then(|_| seen.choice());
            chosen.map_or(tool_use.tool.as_str(), |chosen| chosen.chosen.as_str())
        }
        Work::Model(work) => work.model.as_str(),
        other => kind_word(other),
    }
}

/// The name of the tool, model or kind that does the work in this fallback.
fn performer_instead(plan: &PlanStep, which: u32) -> &str {
    let work = plan.fallback.get(which as usize - 1);
    work.map_or("run", |work| work.tool().or(work.model()).unwrap_or_else(|| kind_word(work)))
}

impl Board {
    /// Steps that run, and steps that wait for a slot, in the run that an event is about.
    pub(super) fn load(&self, event: &Event) -> (u32, u32) {
        let counts = event.fact.run().and_then(|run| self.run(run)).map(|run| &run.summary.counts);
        counts.map_or((0, 0), |counts| (counts.of(StepState::Running), counts.of(StepState::Ready)))
    }

    pub(super) fn count_call(&mut self, run: RunId, step: StepIx, at: Timestamp, event: &AttemptEvent) {
        let AttemptEvent::Ended { outcome, .. } = event else { return };
        let Some(view) = self.runs.get(u64::from(run.0)) else { return };
        let seen = view.step(step);
        let purpose = seen.and_then(|step| step.attempts().last()).map(|attempt| attempt.purpose);
        let kind = view.plan_step(step).zip(seen).map_or("", |(plan, seen)| match purpose {
            Some(Purpose::Fallback(which)) => performer_instead(plan, which),
            Some(Purpose::Undo | Purpose::Check) => "run",
            Some(Purpose::Step) | None => performer(plan, seen),
        });
        let failed =
            outcome.failure.as_ref().is_some_and(|failure| failure.mode != FailureMode::UserCancelled);
        let cost = outcome.usage.map_or(0, |usage| usage.cost_micro_usd);
        self.vitals.call(at, (kind, &view.summary.workflow), failed, outcome.ran_for, cost);
    }

    /// The result of a step that has just come to an end.
    pub(super) fn count_result(
        &mut self,
        run: RunId,
        step: StepIx,
        at: Timestamp,
        state: StepState,
        mode: Option<FailureMode>,
    ) {
        let Some(view) = self.runs.get(u64::from(run.0)) else { return };
        let (Some(plan), Some(seen)) = (view.plan_step(step), view.step(step)) else { return };
        let works = plan.work.is_call() || matches!(plan.work, Work::Later(_));
        let took = seen.elapsed(at).filter(|_| works);
        let first = performer(plan, seen);
        let which = seen.fallback();
        let kind = if which > 0 { performer_instead(plan, which) } else { first };
        // Where none of several could be called, none has failed.
        let called = seen.attempts().iter().rfind(|attempt| attempt.purpose == Purpose::Step);
        let called = called.filter(|_| which > 0 && plan.work.tool().is_some());
        let instead_of = called.map(|called| (first, called.failure.as_ref().map(|failure| failure.mode)));
        let said =
            seen.outputs().filter(|_| agent_name(kind).is_some()).and_then(|outputs| outputs.get("quality"));
        let workflow = &view.summary.workflow;
        let result = ResultOf {
            workflow,
            run,
            step: &plan.id,
            kind,
            state,
            mode,
            took,
            confidence: seen.confidence().filter(|_| works),
            said: said.and_then(|quality| {
                Score::parse(&quality.as_str().map_or_else(|| quality.to_string(), str::to_owned))
            }),
            instead_of,
        };
        self.vitals.result(at, result);
    }

    /// The runs that this one does again, the nearest first.
    pub(super) fn retried_by(&self, run: &RunView) -> Vec<RunId> {
        let of = |summary: &RunSummary| match summary.cause {
            CauseOfLaunch::Retry { of, .. } if of < summary.id => Some(of),
            CauseOfLaunch::Retry { .. }
            | CauseOfLaunch::Fork { .. }
            | CauseOfLaunch::Asked
            | CauseOfLaunch::Schedule(_) => None,
        };
        let back = std::iter::successors(of(&run.summary), |value| self.summary(*value).and_then(of));
        back.take(RETRIES_MAX).collect()
    }
}
