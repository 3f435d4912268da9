//! The health over time: results with the reasons for losses, durations, traffic and load, by workflow and by
//! kind of step. Every event updates it. It has whole numbers only, so that a replay gives the same values.
//!
//! The quality of one run is in `run`; words and grades are in `checkup`.

mod beats;
mod durations;
mod tally;

pub use beats::{Beat, Period};
pub use durations::Percentiles;
pub use tally::Tally;

use crate::{Health, numbers::WINDOW};
use beats::Beats;
use cuelight_base::{FailureMode, RunId, Score, Span, Timestamp, agent_name};
use cuelight_engine::{PartialResult, RunState, StepState};
use durations::Durations;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use tally::{OWN_DURATIONS_MAX, Tallies, tally};

/// The number of ended runs that the health is computed from.
const RUNS_WINDOW: usize = 10;

/// Durations that are kept of each sort.
const DURATIONS_MAX: usize = 512;

/// Why something was lost of the health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The workflow with the loss.
    pub workflow: Arc<str>,
    /// The failure mode; nothing when it was done in part.
    pub mode: Option<FailureMode>,
    /// The step it happened to last; foreign text.
    pub step: Arc<str>,
    /// The run it happened in last.
    pub run: RunId,
    /// The number of losses.
    pub times: u32,
    /// The loss from the 100 points of health, in tenths.
    pub lost_tenths: u32,
}

/// One of the last results of all runs: halves of a point, and what was lost to what.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    halves: u8,
    loss: Option<Arc<Loss>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Loss {
    workflow: Arc<str>,
    step: Arc<str>,
    run: RunId,
    mode: Option<FailureMode>,
}

/// The result of one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResultOf<'a> {
    pub workflow: &'a Arc<str>,
    pub run: RunId,
    pub step: &'a str,
    pub kind: &'a str,
    pub state: StepState,
    pub mode: Option<FailureMode>,
    /// From its start to its end; nothing for what only waited.
    pub took: Option<Span>,
    /// The confidence in the result.
    pub confidence: Option<Score>,
    /// The quality score that the step gave itself.
    pub said: Option<Score>,
    /// The tool that failed before its fallback did this, and how.
    pub instead_of: Option<(&'a str, Option<FailureMode>)>,
}

/// The golden signals over a period: traffic, errors, latency, saturation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signals {
    /// The period that they cover.
    pub period: Period,
    /// All that happened in it; of running and ready steps the most.
    pub sum: Beat,
    /// Good results of all.
    pub success: Score,
    /// Failed results of all.
    pub errors: Score,
    /// Failed calls of all calls.
    pub call_errors: Score,
    /// Steps of a run, in tenths.
    pub steps_per_run_tenths: u64,
    /// The number of events per minute.
    pub events_per_minute: u64,
    /// The durations of runs.
    pub runs: Option<Percentiles>,
    /// The durations of steps.
    pub steps: Option<Percentiles>,
    /// The durations of calls.
    pub calls: Option<Percentiles>,
    /// The time that people took to answer gates.
    pub gates: Option<Percentiles>,
    /// From being planned to being let start: how long runs waited for their place.
    pub planning: Option<Percentiles>,
    /// The time that steps waited until their worker was chosen; 0 for steps that were called at once.
    pub routing: Option<Percentiles>,
    /// Steps that run now.
    pub running: u32,
    /// Steps that could run now and have no slot.
    pub ready: u32,
}

/// The health and statistics of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vitals {
    window: Arc<VecDeque<Outcome>>,
    halves: u32,
    /// The last runs that completed or failed.
    ended: Arc<VecDeque<(RunId, Outcome)>>,
    beats: [Arc<Beats>; 3],
    runs: Arc<Durations>,
    steps: Arc<Durations>,
    calls: Arc<Durations>,
    gates: Arc<Durations>,
    planning: Arc<Durations>,
    routing: Arc<Durations>,
    workflows: Tallies,
    kinds: Tallies,
    running: u32,
    ready: u32,
}

impl Default for Vitals {
    fn default() -> Self {
        Self {
            window: Arc::default(),
            halves: 0,
            ended: Arc::default(),
            beats: Period::ALL.map(|period| Arc::new(Beats::of(period))),
            runs: Arc::default(),
            steps: Arc::default(),
            calls: Arc::default(),
            gates: Arc::default(),
            planning: Arc::default(),
            routing: Arc::default(),
            workflows: Arc::default(),
            kinds: Arc::default(),
            running: 0,
            ready: 0,
        }
    }
}

impl Vitals {
    /// The lower of two figures: 100 · quality of the last 100 step results, and 100 · quality of the last 10 runs.
    /// Many good steps do not hide that most runs fail.
    pub fn health(&self) -> Health {
        Health(self.quality().percent().min(self.quality_of_runs().percent()))
    }

    /// The quality of the last 10 runs that completed or failed; runs that people ended count for neither.
    pub fn quality_of_runs(&self) -> Score {
        let halves: u64 = self.ended.iter().map(|(_, outcome)| u64::from(outcome.halves)).sum();
        Score::ratio(halves, 2 * self.ended.len() as u64)
    }

    /// The number of runs that the health covers now.
    pub fn ended_runs(&self) -> usize {
        self.ended.len()
    }

    /// The quality of the last 100 results of steps.
    pub fn quality(&self) -> Score {
        Score::ratio(u64::from(self.halves), 2 * self.window.len() as u64)
    }

    /// The number of results that the health covers now.
    pub fn results(&self) -> usize {
        self.window.len()
    }

    /// The health so long ago, as far as a day back; nothing when nothing had run.
    pub fn health_before(&self, span: Span, now: Timestamp) -> Option<Health> {
        let beats = self.beats[2].until(now);
        let back = usize::try_from(span.0 / Period::Day.step_ms()).ok()?;
        beats.len().checked_sub(1 + back).and_then(|at| beats[at].health)
    }

    /// The reasons for losses of health, the heaviest first: of its runs, or of its steps, where it lost more.
    pub fn reasons(&self) -> Vec<Reason> {
        if self.quality_of_runs() < self.quality() {
            return reasons_of(self.ended.iter().map(|(_, outcome)| outcome));
        }
        reasons_of(self.window.iter())
    }

    /// The counts of a period up to now, one beat for each stretch, oldest first.
    pub fn beats(&self, period: Period, now: Timestamp) -> Vec<Beat> {
        self.beats[period as usize].until(now)
    }

    /// The golden signals of a period up to now.
    pub fn signals(&self, period: Period, now: Timestamp) -> Signals {
        let mut sum = Beat::default();
        for beat in self.beats(period, now) {
            sum.events += beat.events;
            sum.done += beat.done;
            sum.partial += beat.partial;
            sum.failed += beat.failed;
            sum.calls += beat.calls;
            sum.calls_failed += beat.calls_failed;
            sum.calls_ms += beat.calls_ms;
            sum.runs += beat.runs;
            sum.runs_failed += beat.runs_failed;
            sum.steps += beat.steps;
            sum.gates += beat.gates;
            sum.running = sum.running.max(beat.running);
            sum.ready = sum.ready.max(beat.ready);
            sum.health = beat.health;
        }
        let since = Timestamp(now.0.saturating_sub(i64::try_from(period.span().0).unwrap_or(i64::MAX)));
        let all = u64::from(sum.done) + u64::from(sum.partial) + u64::from(sum.failed);
        let part =
            |part: u32, whole: u64| if whole == 0 { Score(0) } else { Score::ratio(part.into(), whole) };
        Signals {
            period,
            sum,
            success: Score::ratio(sum.done.into(), all),
            errors: part(sum.failed, all),
            call_errors: part(sum.calls_failed, sum.calls.into()),
            steps_per_run_tenths: (10 * sum.steps).checked_div(sum.runs.into()).unwrap_or(0),
            events_per_minute: u64::from(sum.events) * 60_000 / period.span().0,
            runs: self.runs.percentiles(since),
            steps: self.steps.percentiles(since),
            calls: self.calls.percentiles(since),
            gates: self.gates.percentiles(since),
            planning: self.planning.percentiles(since),
            routing: self.routing.percentiles(since),
            running: self.running,
            ready: self.ready,
        }
    }

    /// The workflows that have run, by name; names are foreign text.
    pub fn workflows(&self) -> impl Iterator<Item = (&str, &Tally)> {
        self.workflows.iter().map(|(name, workflow)| (&**name, &**workflow))
    }

    /// The kinds of steps that have run, by name.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &Tally)> {
        self.kinds.iter().map(|(name, kind)| (&**name, &**kind))
    }

    /// The same without agents, which are seen for themselves.
    pub fn tools(&self) -> impl Iterator<Item = (&str, &Tally)> {
        self.kinds().filter(|kind| agent_name(kind.0).is_none())
    }

    fn beat(&mut self, at: Timestamp, change: impl Fn(&mut Beat)) {
        for beats in &mut self.beats {
            change(Arc::make_mut(beats).now(at));
        }
    }

    /// An event, after all that follows from it was counted: who runs and who waits for a slot now, and before.
    pub(super) fn event(&mut self, at: Timestamp, before: (u32, u32), after: (u32, u32)) {
        self.running = (self.running + after.0).saturating_sub(before.0);
        self.ready = (self.ready + after.1).saturating_sub(before.1);
        let (running, ready) = (self.running, self.ready);
        let is_known = !self.window.is_empty() || !self.ended.is_empty();
        let health = is_known.then(|| self.health());
        self.beat(at, |beat| {
            beat.events += 1;
            beat.running = beat.running.max(running);
            beat.ready = beat.ready.max(ready);
            beat.health = health;
        });
    }

    /// A step has come to an end.
    pub(super) fn result(&mut self, at: Timestamp, result_of: ResultOf<'_>) {
        let halves = match result_of.state {
            StepState::Completed => 2,
            StepState::Partial => 1,
            _ => 0,
        };
        let loss = (halves < 2).then(|| {
            let (workflow, step) = (Arc::clone(result_of.workflow), result_of.step.into());
            Arc::new(Loss { workflow, step, run: result_of.run, mode: result_of.mode })
        });
        let window = Arc::make_mut(&mut self.window);
        if window.len() == WINDOW
            && let Some(gone) = window.pop_front()
        {
            self.halves -= u32::from(gone.halves);
        }
        window.push_back(Outcome { halves, loss });
        self.halves += u32::from(halves);
        self.beat(at, |beat| match result_of.state {
            StepState::Completed => beat.done += 1,
            StepState::Partial => beat.partial += 1,
            _ => beat.failed += 1,
        });
        if let Some(took) = result_of.took {
            Arc::make_mut(&mut self.steps).push(at, took, DURATIONS_MAX);
        }
        let kind = tally(&mut self.kinds, result_of.kind);
        kind.ended += 1;
        kind.result(at, result_of.state, result_of.mode);
        let add = |sums: &mut (u64, u64), score: Option<Score>| {
            if let Some(score) = score {
                *sums = (sums.0 + u64::from(score.0), sums.1 + 1);
            }
        };
        add(&mut kind.confidences, result_of.confidence);
        add(&mut kind.said, result_of.said);
        if let Some(took) = result_of.took {
            kind.durations.push(at, took, OWN_DURATIONS_MAX);
        }
        if let Some((failed, mode)) = result_of.instead_of {
            let failed = tally(&mut self.kinds, failed);
            failed.ended += 1;
            failed.result(at, StepState::Failed, mode);
        }
        tally(&mut self.workflows, result_of.workflow).result(at, result_of.state, result_of.mode);
    }

    /// A call has ended.
    pub(super) fn call(
        &mut self,
        at: Timestamp,
        (kind, workflow): (&str, &str),
        failed: bool,
        took: Span,
        cost_micro_usd: u64,
    ) {
        self.beat(at, |beat| {
            beat.calls += 1;
            beat.calls_failed += u32::from(failed);
            beat.calls_ms += took.0;
        });
        Arc::make_mut(&mut self.calls).push(at, took, DURATIONS_MAX);
        let kind = tally(&mut self.kinds, kind);
        (kind.calls, kind.spent_micro_usd) =
            (kind.calls + 1, kind.spent_micro_usd.saturating_add(cost_micro_usd));
        tally(&mut self.workflows, workflow).calls += 1;
    }

    /// A run has come to rest.
    pub(super) fn run_ended(
        &mut self,
        at: Timestamp,
        (run, state): (RunId, RunState),
        (workflow, cause): (&Arc<str>, Option<&PartialResult>),
        took: Option<Span>,
        steps: u32,
    ) {
        self.count_run(run, state, workflow, cause);
        let failed = state == RunState::Failed;
        self.beat(at, |beat| {
            beat.runs += 1;
            beat.runs_failed += u32::from(failed);
            beat.steps += u64::from(steps);
        });
        let tally = tally(&mut self.workflows, workflow);
        (tally.ended, tally.last_at) = (tally.ended + 1, at);
        if let Some(took) = took {
            Arc::make_mut(&mut self.runs).push(at, took, DURATIONS_MAX);
            tally.durations.push(at, took, OWN_DURATIONS_MAX);
        }
    }

    /// A run that is undone after its end counts once, as it is now.
    fn count_run(&mut self, run: RunId, state: RunState, workflow: &Arc<str>, cause: Option<&PartialResult>) {
        let ended = Arc::make_mut(&mut self.ended);
        ended.retain(|(other, _)| *other != run);
        let halves = match state {
            RunState::Completed => 2,
            RunState::PartiallyCompleted => 1,
            RunState::Failed | RunState::Undone => 0,
            RunState::Created
            | RunState::Running
            | RunState::Paused
            | RunState::Rejected
            | RunState::Cancelled => return,
        };
        if ended.len() == RUNS_WINDOW {
            ended.pop_front();
        }
        let loss = (halves < 2).then(|| {
            let step = cause.and_then(|cause| cause.failure_point.as_deref()).unwrap_or_default().into();
            let mode = cause.and_then(|cause| cause.failure_mode);
            Arc::new(Loss { workflow: Arc::clone(workflow), step, run, mode })
        });
        ended.push_back((run, Outcome { halves, loss }));
    }

    /// A gate was closed.
    pub(super) fn gate_closed(&mut self, at: Timestamp, waited: Span) {
        self.beat(at, |beat| beat.gates += 1);
        Arc::make_mut(&mut self.gates).push(at, waited, DURATIONS_MAX);
    }

    /// A run that was planned may start.
    pub(super) fn run_let_start(&mut self, at: Timestamp, waited: Span) {
        Arc::make_mut(&mut self.planning).push(at, waited, DURATIONS_MAX);
    }

    /// Counts the time that a step waited until its worker was chosen.
    pub(super) fn chosen(&mut self, at: Timestamp, waited: Span) {
        Arc::make_mut(&mut self.routing).push(at, waited, DURATIONS_MAX);
    }
}

/// The losses of a window by workflow and failure mode, the heaviest first.
fn reasons_of<'a>(outcomes: impl ExactSizeIterator<Item = &'a Outcome>) -> Vec<Reason> {
    let mut found: BTreeMap<(&str, Option<FailureMode>), (u64, Reason)> = BTreeMap::new();
    let whole = outcomes.len() as u64;
    let lost = outcomes.filter_map(|outcome| Some((2 - outcome.halves, outcome.loss.as_ref()?)));
    for (halves, loss) in lost {
        let fresh = || {
            let (workflow, step) = (Arc::clone(&loss.workflow), Arc::clone(&loss.step));
            (0, Reason { workflow, mode: loss.mode, step, run: loss.run, times: 0, lost_tenths: 0 })
        };
        let (sum, reason) = found.entry((&loss.workflow, loss.mode)).or_insert_with(fresh);
        *sum += u64::from(halves);
        reason.times += 1;
        (reason.step, reason.run) = (Arc::clone(&loss.step), loss.run);
    }
    let mut reasons: Vec<Reason> = found
        .into_values()
        .map(|(sum, mut reason)| {
            reason.lost_tenths = u32::try_from((1_000 * sum + whole) / (2 * whole)).unwrap_or(u32::MAX);
            reason
        })
        .collect();
    reasons.sort_by(|a, b| b.lost_tenths.cmp(&a.lost_tenths).then_with(|| a.workflow.cmp(&b.workflow)));
    reasons
}

#[cfg(test)]
mod tests {
    use super::tally::TALLIES_MAX;
    use super::*;

    const MINUTE: i64 = 60_000;

    fn fail(vitals: &mut Vitals, at: i64, workflow: &str, state: StepState, mode: Option<FailureMode>) {
        let result_of = ResultOf {
            workflow: &workflow.into(),
            run: RunId(1),
            step: "load",
            kind: "run",
            state,
            mode,
            took: Some(Span(7)),
            confidence: None,
            said: None,
            instead_of: None,
        };
        vitals.result(Timestamp(at), result_of);
        vitals.event(Timestamp(at), (0, 0), (0, 0));
    }

    #[test]
    fn what_takes_most_from_the_health_comes_first() {
        let mut vitals = Vitals::default();
        assert_eq!((vitals.health(), vitals.reasons().len()), (Health(100), 0));
        for _ in 0..6 {
            fail(&mut vitals, 1, "etl", StepState::Completed, None);
        }
        fail(&mut vitals, 2, "etl", StepState::Partial, None);
        fail(&mut vitals, 3, "pay", StepState::Failed, Some(FailureMode::SystemTimeout));
        fail(&mut vitals, 4, "pay", StepState::Failed, Some(FailureMode::SystemTimeout));
        fail(&mut vitals, 5, "etl", StepState::Failed, Some(FailureMode::SystemOom));
        assert_eq!(vitals.health(), Health(65));
        let reasons: Vec<_> = vitals
            .reasons()
            .iter()
            .map(|reason| (reason.workflow.to_string(), reason.times, reason.lost_tenths))
            .collect();
        let expected = [("pay".to_owned(), 2, 200), ("etl".to_owned(), 1, 100), ("etl".to_owned(), 1, 50)];
        assert_eq!(reasons, expected);
    }

    #[test]
    fn many_good_steps_do_not_hide_that_most_runs_fail() {
        let mut vitals = Vitals::default();
        for at in 0..95 {
            fail(&mut vitals, at, "etl", StepState::Completed, None);
        }
        for run in 1..=5 {
            let state = if run == 1 { RunState::Completed } else { RunState::Failed };
            fail(&mut vitals, 100, "etl", StepState::Failed, Some(FailureMode::AgentLogic));
            vitals.run_ended(Timestamp(100), (RunId(run), state), (&"etl".into(), None), Some(Span(1)), 20);
        }
        assert_eq!((vitals.quality().percent(), vitals.quality_of_runs().percent()), (95, 20));
        assert_eq!((vitals.health(), vitals.health().label()), (Health(20), "critical"));
        // A person ended it, or undid what had failed: no failure more.
        vitals.run_ended(Timestamp(100), (RunId(6), RunState::Cancelled), (&"etl".into(), None), None, 20);
        vitals.run_ended(Timestamp(100), (RunId(5), RunState::Undone), (&"etl".into(), None), None, 20);
        assert_eq!((vitals.health(), vitals.ended_runs()), (Health(20), 5));
        for run in 7..=16 {
            vitals.run_ended(
                Timestamp(100),
                (RunId(run), RunState::Completed),
                (&"etl".into(), None),
                None,
                20,
            );
        }
        assert_eq!((vitals.health(), vitals.ended_runs()), (Health(95), 10));
    }

    #[test]
    fn only_the_last_hundred_results_count() {
        let mut vitals = Vitals::default();
        for at in 0..300 {
            let state = if at < 200 { StepState::Failed } else { StepState::Completed };
            fail(&mut vitals, at, "etl", state, Some(FailureMode::AgentLogic));
        }
        assert_eq!((vitals.health(), vitals.results(), vitals.reasons().len()), (Health(100), 100, 0));
        assert_eq!(vitals.workflows().next().map(|(_, tally)| (tally.done, tally.failed)), Some((100, 200)));
    }

    #[test]
    fn beats_are_counted_by_the_time_of_the_event_and_quiet_ones_stay() {
        let mut vitals = Vitals::default();
        let calls = |vitals: &Vitals, period, now| {
            vitals.beats(period, Timestamp(now)).iter().map(|beat| beat.calls).collect::<Vec<_>>()
        };
        vitals.call(Timestamp(0), ("run", "etl"), false, Span(1), 0);
        vitals.call(Timestamp(2 * MINUTE), ("run", "etl"), true, Span(1), 0);
        assert_eq!(calls(&vitals, Period::Hour, 3 * MINUTE), [1, 0, 1, 0]);
        assert_eq!(calls(&vitals, Period::Hour, 61 * MINUTE).iter().sum::<u32>(), 1, "an hour ago is gone");
        assert_eq!(calls(&vitals, Period::Day, 3 * MINUTE), [2]);
        // A clock that was put back counts where the log is.
        vitals.call(Timestamp(MINUTE), ("run", "etl"), false, Span(1), 0);
        assert_eq!(calls(&vitals, Period::Hour, 2 * MINUTE), [1, 0, 2]);
        // One that jumped a year ahead leaves nothing behind and does not take a year to count.
        vitals.call(Timestamp(525_600 * MINUTE), ("run", "etl"), false, Span(1), 0);
        assert_eq!(calls(&vitals, Period::Hour, 2 * MINUTE).iter().sum::<u32>(), 1);
    }

    #[test]
    fn percentiles_are_of_what_really_took_so_long() {
        let mut vitals = Vitals::default();
        for ms in 1..=100 {
            vitals.call(Timestamp(ms), ("run", "etl"), ms % 10 == 0, Span(ms.unsigned_abs()), 0);
        }
        let signals = vitals.signals(Period::Minutes, Timestamp(200));
        let calls = signals.calls.expect("there were calls");
        assert_eq!((calls.p50, calls.p95, calls.p99, calls.count), (Span(50), Span(95), Span(99), 100));
        assert_eq!(signals.call_errors, Score(1000));
        let later = vitals.signals(Period::Minutes, Timestamp(10 * MINUTE));
        assert_eq!((later.calls, later.call_errors), (None, Score(0)));
    }

    #[test]
    fn the_health_of_an_hour_ago_is_known_and_before_the_first_result_there_is_none() {
        let mut vitals = Vitals::default();
        let hour = 60 * MINUTE;
        fail(&mut vitals, 0, "etl", StepState::Failed, Some(FailureMode::AgentLogic));
        fail(&mut vitals, hour, "etl", StepState::Completed, None);
        let before = |hours: u64| vitals.health_before(Span::seconds(3600 * hours), Timestamp(hour));
        assert_eq!((before(0), before(1), before(2)), (Some(Health(50)), Some(Health(0)), None));
    }

    #[test]
    fn however_many_workflows_there_are_only_so_many_are_told_apart() {
        let mut vitals = Vitals::default();
        for index in 0..TALLIES_MAX + 20 {
            let at = i64::try_from(index).expect("small");
            fail(&mut vitals, at, &format!("w{index:05}"), StepState::Completed, None);
        }
        assert_eq!(vitals.workflows().count(), TALLIES_MAX);
        assert!(vitals.workflows().all(|(name, _)| name >= "w00020"), "the oldest went first");
    }
}
