//! One step as it can be seen. Lean until something happens to it: a run may have 100,000 of them.

use cuelight_base::{
    Actor, Digest, ErrorRecord, FailureMode, GateId, Score, Severity, Span, Timestamp, ValueMap,
};
use cuelight_engine::{
    AttemptEvent, CachedFrom, Choice, Failure, FileFact, Origin, Outcome, Purpose, StepState, UndoEvent,
    WaitReason, Why,
};
use cuelight_plan::{Amounts, Currency, FrameKind, Work};
use std::sync::Arc;

/// States that are remembered of one step; older ones are let go.
const PHASES_MAX: usize = 512;

/// One step of a run with its calls.
#[derive(Clone, Debug, PartialEq)]
pub struct StepView {
    /// The state of the step.
    pub state: StepState,
    /// The time since which it is in this state.
    pub since: Timestamp,
    /// When something was first done for it: a call, a question, an opening.
    pub started_at: Option<Timestamp>,
    /// When it came to rest.
    pub ended_at: Option<Timestamp>,
    /// Calls made so far, for any purpose.
    pub calls: u32,
    /// The steps inside a frame at any depth, counted by state. None for a step without steps inside.
    pub inside: Option<Arc<super::Counts>>,
    /// True if an `if` or a person left the step out, or a step that it needs.
    pub left_out: bool,
    detail: Option<Arc<Detail>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Detail {
    wait: Option<WaitReason>,
    why: Option<Why>,
    phases: Vec<Phase>,
    attempts: Vec<AttemptView>,
    outputs: ValueMap,
    confidence: Option<Score>,
    error: Option<Arc<ErrorRecord>>,
    undo: UndoState,
    fallback: u32,
    kept: bool,
    origin: Option<Box<Origin>>,
    expired: bool,
    rejection: Option<String>,
    by_hand: Option<ByHand>,
    doubt: Option<String>,
    gate: Option<GateId>,
    choice: Option<Arc<Choice>>,
    cached: Option<Box<CachedFrom>>,
}

/// A stretch of a step's life, until the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// The beginning of the phase.
    pub at: Timestamp,
    /// The state in this phase.
    pub state: StepState,
    /// The kind of its wait; none when it did not wait.
    pub wait: Option<WaitKind>,
}

/// The kind of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the words are those of WaitReason")]
pub enum WaitKind {
    Person,
    Time,
    BackOff,
    Facts,
    Target,
    Agent,
    Message,
}

impl WaitKind {
    /// The kind of a reason.
    pub const fn of(reason: &WaitReason) -> Self {
        match reason {
            WaitReason::Person(_) => Self::Person,
            WaitReason::Time(_) => Self::Time,
            WaitReason::BackOff { .. } => Self::BackOff,
            WaitReason::Facts => Self::Facts,
            WaitReason::Target { .. } | WaitReason::Candidates { .. } => Self::Target,
            WaitReason::Agent { .. } => Self::Agent,
            WaitReason::Message { .. } => Self::Message,
        }
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Time => "time",
            Self::BackOff => "back-off",
            Self::Facts => "facts",
            Self::Target => "target",
            Self::Agent => "agent",
            Self::Message => "message",
        }
    }
}

/// The state of the undo of a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum UndoState {
    /// Nobody asked for it.
    #[default]
    None,
    /// It is to be taken back, or is being.
    Asked,
    /// It was taken back; by whom, when by hand.
    Done(Option<Actor>),
    /// It could not be taken back; a person is asked.
    Stuck(Arc<ErrorRecord>),
}

/// A person's statement about the outcome of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct ByHand {
    /// The person who made it.
    pub by: Actor,
    /// The evidence for it; foreign text.
    pub reason: String,
}

/// One call of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptView {
    /// Counted from 1 over all purposes.
    pub number: u32,
    /// The purpose of the call.
    pub purpose: Purpose,
    /// When the intent was written.
    pub started_at: Timestamp,
    /// When its end was known.
    pub ended_at: Option<Timestamp>,
    /// The command line, resolved; secrets by name only.
    pub argv: Arc<[String]>,
    /// Hash of the whole launch.
    pub launch_hash: Digest,
    /// Exit code, where there was one.
    pub exit_code: Option<i32>,
    /// Why it did not succeed. The tail is kept of the last call only; foreign text.
    pub failure: Option<Failure>,
    /// The bytes of output it wrote.
    pub output_bytes: u64,
    /// The running time by its own clock.
    pub ran_for: Span,
    /// Files that the call left.
    pub artifacts: Vec<FileFact>,
    /// When it is tried again, if it is.
    pub retry_at: Option<Timestamp>,
    /// Nobody knows how it ended; what is known.
    pub lost: Option<String>,
    /// The usage besides the call itself: the amount charged in advance, until the call reports its own.
    pub used: Amounts,
    /// True if it was refused before its start, so that nothing ran.
    pub is_refused: bool,
}

impl AttemptView {
    /// True if the call has not ended.
    pub const fn is_running(&self) -> bool {
        self.ended_at.is_none()
    }
}

impl StepView {
    pub(super) const fn new(at: Timestamp) -> Self {
        Self {
            state: StepState::Pending,
            since: at,
            started_at: None,
            ended_at: None,
            calls: 0,
            left_out: false,
            inside: None,
            detail: None,
        }
    }

    /// The reason for its wait; none when it does not wait.
    pub fn wait(&self) -> Option<&WaitReason> {
        self.detail.as_ref()?.wait.as_ref()
    }

    /// Why it never ran, or ended early.
    pub fn why(&self) -> Option<&Why> {
        self.detail.as_ref()?.why.as_ref()
    }

    /// The states it went through, oldest first; at most the last 512.
    pub fn phases(&self) -> &[Phase] {
        self.detail.as_ref().map_or(&[], |detail| &detail.phases)
    }

    /// Its calls, in order.
    pub fn attempts(&self) -> &[AttemptView] {
        self.detail.as_ref().map_or(&[], |detail| &detail.attempts)
    }

    /// The number of its calls that began; 0 when each was refused before its start. Its undo and its check do not count.
    pub fn tries(&self) -> usize {
        let is_work = |attempt: &AttemptView| matches!(attempt.purpose, Purpose::Step | Purpose::Fallback(_));
        self.attempts().iter().filter(|attempt| is_work(attempt) && !attempt.is_refused).count()
    }

    /// The usage of all its calls. Calls of its undo and its check do not count as calls, but their usage
    /// does.
    pub fn spent(&self) -> Amounts {
        let counts = |attempt: &AttemptView| match attempt.purpose {
            Purpose::Step | Purpose::Fallback(_) => attempt.used.with(Currency::Calls, 1),
            Purpose::Undo | Purpose::Check => attempt.used,
        };
        self.attempts().iter().fold(Amounts::default(), |sum, attempt| sum.plus(counts(attempt)))
    }

    /// Its outputs; foreign text.
    pub fn outputs(&self) -> Option<&ValueMap> {
        self.detail.as_ref().map(|detail| &detail.outputs).filter(|outputs| !outputs.is_empty())
    }

    /// The confidence in its result.
    pub fn confidence(&self) -> Option<Score> {
        self.detail.as_ref()?.confidence
    }

    /// Why it failed, or was skipped after a failure.
    pub fn error(&self) -> Option<&Arc<ErrorRecord>> {
        self.detail.as_ref()?.error.as_ref()
    }

    /// The person who rejected it at its gate, and the reason; none in any other state. Foreign text.
    pub fn rejection(&self) -> Option<&str> {
        let detail = self.detail.as_ref().filter(|_| self.state == StepState::Rejected)?;
        detail.rejection.as_deref()
    }

    /// The state of its undo.
    pub fn undo(&self) -> &UndoState {
        self.detail.as_ref().map_or(&UndoState::None, |detail| &detail.undo)
    }

    /// The number of the fallback that completed it, counted from 1; 0 is the step itself.
    pub fn fallback(&self) -> u32 {
        self.detail.as_ref().map_or(0, |detail| detail.fallback)
    }

    /// The earlier result that stands for it, when nothing was called.
    pub fn cached(&self) -> Option<&CachedFrom> {
        self.detail.as_ref()?.cached.as_deref()
    }

    /// The last choice among several tools; none if there was none to make.
    pub fn choice(&self) -> Option<&Choice> {
        self.detail.as_ref()?.choice.as_deref()
    }

    /// True if its result was kept from the run that this one retries.
    pub fn is_kept(&self) -> bool {
        self.detail.as_ref().is_some_and(|detail| detail.kept)
    }

    /// The origin of a result taken over from another run.
    pub fn origin(&self) -> Option<&Origin> {
        self.detail.as_ref()?.origin.as_deref()
    }

    /// True if its gate expired or a timeout ended it.
    pub fn is_timed_out(&self) -> bool {
        use cuelight_base::FailureMode as M;
        self.detail.as_ref().is_some_and(|detail| {
            let mode = detail.error.as_ref().map(|error| error.mode);
            detail.expired || matches!(mode, Some(M::AgentTimeout | M::SystemTimeout | M::PartialTimeout))
        })
    }

    /// The person who completed it or stated its outcome.
    pub fn by_hand(&self) -> Option<&ByHand> {
        self.detail.as_ref()?.by_hand.as_ref()
    }

    /// The evidence about a call that may have happened; foreign text.
    pub fn doubt(&self) -> Option<&str> {
        self.detail.as_ref()?.doubt.as_deref()
    }

    /// The last gate that was opened for it.
    pub fn gate(&self) -> Option<GateId> {
        self.detail.as_ref()?.gate
    }

    /// The kind of its wait; none when it does not wait.
    pub fn wait_kind(&self) -> Option<WaitKind> {
        self.wait().map(WaitKind::of)
    }

    /// True if it waits for its next attempt.
    pub fn is_retrying(&self) -> bool {
        self.state == StepState::Waiting && self.wait_kind() == Some(WaitKind::BackOff)
    }

    /// From its start to its end, or to now.
    pub fn elapsed(&self, now: Timestamp) -> Option<Span> {
        self.started_at.map(|started_at| self.ended_at.unwrap_or(now).since(started_at))
    }

    fn detail(&mut self) -> &mut Detail {
        Arc::make_mut(self.detail.get_or_insert_default())
    }

    pub(super) fn turn(&mut self, at: Timestamp, state: StepState, wait: Option<WaitReason>) {
        let phase = Phase { at, state, wait: wait.as_ref().map(WaitKind::of) };
        let known =
            self.phases().last().is_some_and(|item| (item.state, item.wait) == (phase.state, phase.wait));
        self.state = state;
        self.ended_at = state.rests().then_some(at);
        if matches!(state, StepState::Running | StepState::Waiting) {
            self.started_at.get_or_insert(at);
        }
        let detail = self.detail();
        detail.wait = wait;
        if !known {
            if detail.phases.len() == PHASES_MAX {
                detail.phases.remove(0);
            }
            detail.phases.push(phase);
            self.since = at;
        }
    }

    pub(super) fn set_why(&mut self, why: &Why) {
        let detail = self.detail();
        detail.why = Some(why.clone());
        if let Why::Failed(record) = why {
            detail.error = Some(Arc::new((**record).clone()));
        }
    }

    pub(super) fn set_cached(&mut self, cached: &CachedFrom) {
        self.detail().cached = Some(Box::new(cached.clone()));
    }

    pub(super) fn set_choice(&mut self, choice: &Choice) {
        self.detail().choice = Some(Arc::new(choice.clone()));
    }

    pub(super) fn set_result(
        &mut self,
        outputs: &ValueMap,
        confidence: Option<Score>,
        fallback: u32,
        kept: bool,
        origin: Option<&Origin>,
    ) {
        let detail = self.detail();
        detail.why = None;
        detail.outputs.clone_from(outputs);
        detail.confidence = confidence;
        detail.fallback = fallback;
        detail.kept = kept;
        detail.origin = origin.cloned().map(Box::new);
        detail.cached = None;
    }

    pub(super) fn set_by_hand(&mut self, by: &Actor, reason: &str) {
        self.detail().by_hand = Some(ByHand { by: by.clone(), reason: reason.to_owned() });
    }

    /// Its failure made the run fail: then it is critical.
    pub(super) fn escalate(&mut self) {
        let failed = self.state == StepState::Failed;
        if let Some(error) =
            self.detail().error.as_mut().filter(|error| failed && error.severity == Severity::High)
        {
            Arc::make_mut(error).severity = Severity::Critical;
        }
    }

    pub(super) fn set_error(&mut self, record: &ErrorRecord) {
        self.detail().error = Some(Arc::new(record.clone()));
    }

    /// Resets the step and keeps its phases and calls. Returns its confidence, and true if its failure
    /// counted as skipped.
    pub(super) fn begin_anew(&mut self) -> (Option<Score>, bool) {
        self.started_at = None;
        let detail = self.detail();
        let was = (detail.confidence, matches!(detail.why, Some(Why::Failed(_))));
        let (phases, attempts) = (std::mem::take(&mut detail.phases), std::mem::take(&mut detail.attempts));
        *detail = Detail { phases, attempts, ..Detail::default() };
        was
    }

    pub(super) fn set_expired(&mut self, expired: bool) {
        self.detail().expired = expired;
    }

    pub(super) fn set_rejection(&mut self, words: String) {
        self.detail().rejection = Some(words);
    }

    pub(super) fn set_doubt(&mut self, evidence: &str) {
        self.detail().doubt = Some(evidence.to_owned());
    }

    pub(super) fn set_gate(&mut self, gate: GateId) {
        self.detail().gate = Some(gate);
    }

    pub(super) fn apply_undo(&mut self, event: &UndoEvent) {
        self.detail().undo = match event {
            UndoEvent::Asked | UndoEvent::Again { .. } => UndoState::Asked,
            UndoEvent::Done { by } => UndoState::Done(by.clone()),
            UndoEvent::Stuck { record } => UndoState::Stuck(Arc::new((**record).clone())),
        };
    }

    pub(super) fn apply_attempt(&mut self, at: Timestamp, number: u32, event: &AttemptEvent) {
        self.calls = self.calls.max(number);
        let detail = self.detail();
        match event {
            AttemptEvent::Started { purpose, launch, launch_hash, charge, .. } => {
                let before = detail.attempts.last_mut();
                let argv = before
                    .as_ref()
                    .filter(|attempt| attempt.argv[..] == launch.argv[..])
                    .map(|attempt| Arc::clone(&attempt.argv));
                if let Some(failure) = before.and_then(|attempt| attempt.failure.as_mut()) {
                    failure.tail = String::new();
                }
                // Most steps are called once; a vector would make room for four.
                if detail.attempts.is_empty() {
                    detail.attempts.reserve_exact(1);
                }
                detail.attempts.push(AttemptView {
                    number,
                    purpose: *purpose,
                    started_at: at,
                    ended_at: None,
                    argv: argv.unwrap_or_else(|| launch.argv.clone().into()),
                    launch_hash: *launch_hash,
                    exit_code: None,
                    failure: None,
                    output_bytes: 0,
                    ran_for: Span(0),
                    artifacts: Vec::new(),
                    retry_at: None,
                    lost: None,
                    used: *charge,
                    is_refused: false,
                });
            }
            AttemptEvent::Ended { outcome, retry_at } => {
                if let Some(attempt) =
                    detail.attempts.iter_mut().rev().find(|attempt| attempt.number == number)
                {
                    attempt.end(at, outcome, *retry_at);
                }
            }
            AttemptEvent::Adopted { .. } => {}
            AttemptEvent::Lost { evidence } => {
                if let Some(attempt) =
                    detail.attempts.iter_mut().rev().find(|attempt| attempt.number == number)
                {
                    attempt.ended_at = Some(at);
                    attempt.lost = Some(evidence.clone());
                }
            }
        }
    }
}

impl AttemptView {
    fn end(&mut self, at: Timestamp, outcome: &Outcome, retry_at: Option<Timestamp>) {
        self.ended_at = Some(at);
        self.exit_code = outcome.exit_code;
        self.failure.clone_from(&outcome.failure);
        self.output_bytes = outcome.output_bytes;
        self.ran_for = outcome.ran_for;
        self.artifacts.clone_from(&outcome.artifacts);
        self.retry_at = retry_at;
        self.used = outcome.usage.unwrap_or(self.used);
        self.is_refused = is_refused(outcome);
    }
}

/// True if a call never began: its files are not the approved ones, or a rule of the workspace does not permit it.
fn is_refused(outcome: &Outcome) -> bool {
    let left_nothing = outcome.exit_code.is_none() && outcome.output_bytes == 0 && outcome.ran_for == Span(0);
    let by_rule = |failure: &Failure| {
        failure.not_started
            || (left_nothing
                && matches!(failure.mode, FailureMode::PolicySecurity | FailureMode::PolicyAllowlist))
    };
    !outcome.changed.is_empty() || outcome.failure.as_ref().is_some_and(by_rule)
}

/// The word for what a step does, as the file writes it.
pub fn kind_word(work: &Work) -> &str {
    match work {
        Work::Run { .. } => "run",
        Work::Tool(tool_use) if tool_use.is_agent() => "agent",
        Work::Tool(_) => "uses",
        Work::Http(_) => "http",
        Work::Model(_) => "llm",
        Work::Gate(_) => "gate",
        Work::Wait(_) => "wait",
        Work::Emit(_) => "emit",
        Work::Set { .. } => "set",
        Work::Frame(frame) => match &frame.kind {
            FrameKind::Matrix | FrameKind::Computed { .. } => "matrix",
            FrameKind::Workflow { .. } => "workflow",
            FrameKind::Talk(_) => "llm",
        },
        Work::Later(later) => &later.kind,
    }
}
