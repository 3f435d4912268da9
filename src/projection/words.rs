//! Every event in words: a dotted type, whom it is about, and a short detail. For trail, logs and preview.

use crate::{RunView, corrected_words, lineage::kept_words};
use cuelight_base::{Actor, Bucket, MessageKind, Program, RateRule, Score, agent_name, counted, shorten};
use cuelight_engine::{
    Adoption, Alternative, AttemptEvent, BREAK_GLASS, CacheEvent, CauseOfLaunch, Choice, DoubtAnswer, Event,
    Fact, FailureEvent, GateEvent, PeopleEvent, Purpose, RunEvent, ScheduleEvent, ScopeEvent, StepEvent,
    TalkCall, TargetEvent, TargetHold, TokenEvent, UndoEvent, Verdict, WaitReason, Why, people_changed_words,
};
use cuelight_exchange::{AgentEvent, BusEvent, LibraryEvent};
use cuelight_plan::Scope;

/// Characters of a detail; what is longer is cut.
const DETAIL_CHARS: usize = 120;

/// The words above what an agent says of its own request.
pub const CLAIM_WORDS: &str = "the agent says; nothing has checked it:";

/// An event in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventWords {
    /// The kind of the event: `step.completed`. One word for each kind, stable.
    pub kind: &'static str,
    /// The subject of the event: a step id, a gate, a workflow.
    pub subject: String,
    /// More, in a few words; foreign text.
    pub detail: String,
}

/// The words of an event; the run, when it is known, gives names to steps.
pub fn event_words(event: &Event, run: Option<&RunView>) -> EventWords {
    let step_id = event.fact.step().map(|step| match run.and_then(|run| run.plan_step(step)) {
        Some(known) => known.id.clone(),
        None => format!("step {}", step.0),
    });
    let subject = match (&event.fact, step_id) {
        (Fact::Gate(_, _, gate, _), Some(step)) => format!("{step} {gate}"),
        (_, Some(step)) => step,
        (Fact::Run(_, RunEvent::Created { plan, .. }), None) => plan.name.clone(),
        (Fact::Scope(_, ScopeEvent::Set { key, .. } | ScopeEvent::Removed { key, .. }), None) => key.clone(),
        (Fact::Schedule(workflow, _), None) => workflow.clone(),
        (Fact::Target(name, _), None) => name.clone(),
        (Fact::Bus(BusEvent::Said { message, .. }), None) => message.topic.clone(),
        (Fact::Bus(BusEvent::Taken { by, .. }), None) => by.clone(),
        (Fact::Bus(BusEvent::Declared { .. }), None) => "topics".to_owned(),
        (Fact::Bus(BusEvent::Rejected { letter, .. }), None) => letter.topic.clone(),
        (Fact::Token(TokenEvent::Revoked { id, .. }), None) => id.clone(),
        (Fact::People(_), None) => "people.toml".to_owned(),
        (Fact::Library(LibraryEvent::HandedIn { result, .. }), None) => result.issue.clone(),
        (Fact::Library(LibraryEvent::Learned { knowledge, .. }), None) => knowledge.id.clone(),
        (Fact::Agent(event), None) => agent_name_of(event).to_owned(),
        (Fact::Cache(CacheEvent::Stored { key, .. } | CacheEvent::Used { key, .. }), None) => key.clone(),
        (Fact::Cache(CacheEvent::Reset { .. }), None) => "workspace".to_owned(),
        (Fact::Cache(CacheEvent::Cleared { key, .. }), None) => {
            key.clone().unwrap_or_else(|| "all".to_owned())
        }
        (_, None) => run.map_or_else(String::new, |run| run.summary.workflow.to_string()),
    };
    let (kind, detail) = match &event.fact {
        Fact::Run(_, event) => run_words(event, run),
        Fact::Step(_, _, event) => step_words(event, run),
        Fact::Attempt(_, _, number, event) => attempt_words(*number, event),
        Fact::Gate(_, _, _, event) => gate_words(event),
        Fact::Undo(_, _, event) => undo_words(event),
        Fact::Scope(_, ScopeEvent::Set { scope, by, .. }) => {
            let by = by.as_ref().map_or_else(String::new, |value| format!(", by {value}"));
            ("scope.set", format!("{}{by}", scope_word(*scope)))
        }
        Fact::Scope(_, ScopeEvent::Removed { scope, by, .. }) => {
            ("scope.removed", format!("{}, by {by}", scope_word(*scope)))
        }
        Fact::Failure(_, event) => failure_words(event),
        Fact::Schedule(_, ScheduleEvent::Held { by, reason }) => ("schedule.held", by_words(by, reason)),
        Fact::Schedule(_, ScheduleEvent::Released { by }) => ("schedule.released", format!("by {by}")),
        Fact::Target(_, event) => target_words(event),
        Fact::Cache(event) => cache_words(event),
        Fact::Bus(BusEvent::Said { message, .. }) => {
            let kind =
                if message.kind == MessageKind::Event { String::new() } else { format!(" {}", message.kind) };
            ("bus.said", format!("{}{kind} by {}", message.id, message.from))
        }
        Fact::Bus(BusEvent::Taken { ids, .. }) => ("bus.taken", ids.join(", ")),
        Fact::Bus(BusEvent::Declared { topics }) => {
            ("bus.declared", topics.keys().cloned().collect::<Vec<_>>().join(", "))
        }
        Fact::Bus(BusEvent::Rejected { letter, .. }) => {
            ("bus.rejected", format!("of {}: {}", letter.from, letter.why))
        }
        Fact::Token(TokenEvent::Revoked { subject, reason, by, .. }) => {
            ("token.revoked", format!("of {subject}, {}", by_words(by, reason)))
        }
        Fact::People(PeopleEvent::Changed { people, changes, .. }) => {
            ("people.changed", people_changed_words(changes, &people.policy))
        }
        Fact::Library(LibraryEvent::HandedIn { result, .. }) => {
            ("library.handed_in", format!("{} {} by {}", result.id, result.status.word(), result.agent))
        }
        Fact::Library(LibraryEvent::Learned { knowledge, .. }) => {
            let knowledge = &knowledge;
            (
                "library.learned",
                format!("{} by {}: {}", knowledge.kind.word(), knowledge.agent, shorten(&knowledge.text, 60)),
            )
        }
        Fact::Agent(event) => agent_words(event),
        Fact::Recovered { away, taken: None } => ("engine.recovered", format!("nobody looked for {away}")),
        Fact::Recovered { away, taken: Some(take_over) } => {
            let from = take_over.from.map_or_else(|| "an engine".to_owned(), |pid| format!("process {pid}"));
            let by = &take_over.by;
            (
                "engine.taken_over",
                format!("by {by}, from {from} that did not answer for {away}: {}", take_over.reason),
            )
        }
    };
    EventWords { kind, subject, detail: shorten(&detail, DETAIL_CHARS) }
}

/// An actor with the reason that was given: `by ann: wrong image`.
pub(super) fn by_words(by: &Actor, reason: &str) -> String {
    format!("by {by}{}", reason_words(reason))
}

/// A reason behind a colon; empty when none was given.
fn reason_words(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// The agent that came by itself.
fn agent_name_of(event: &AgentEvent) -> &str {
    match event {
        AgentEvent::Registered { agent, .. } => &agent.name,
        AgentEvent::Seen { agent } | AgentEvent::Lost { agent } | AgentEvent::Left { agent, .. } => {
            &agent.name
        }
        AgentEvent::Leased { lease } => &lease.agent.name,
        AgentEvent::Renewed { .. } => "",
    }
}

fn agent_words(event: &AgentEvent) -> (&'static str, String) {
    match event {
        AgentEvent::Registered { agent, .. } => {
            let can = agent.capabilities.join(", ");
            let can = if can.is_empty() { String::new() } else { format!(", can do {can}") };
            ("agent.registered", format!("{}{can}", agent.agent_type))
        }
        AgentEvent::Seen { .. } => ("agent.seen", String::new()),
        AgentEvent::Lost { .. } => ("agent.lost", "it gave no sign of life for three intervals".to_owned()),
        AgentEvent::Leased { lease } => ("agent.leased", format!("by {}, for {}", lease.agent, lease.lasts)),
        AgentEvent::Renewed { until, note, .. } => {
            let note = note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
            ("agent.renewed", format!("until {until}{note}"))
        }
        AgentEvent::Left { reason, by, .. } => ("agent.left", by_words(by, reason)),
    }
}

/// The word for a scope.
pub const fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::Run => "run",
        Scope::Session => "session",
        Scope::Global => "global",
    }
}

fn facts_words<'a>(files: usize, hashes: usize, programs: impl Iterator<Item = &'a Program>) -> String {
    let (files, hashes) = (counted(files, "file", "files"), counted(hashes, "hash", "hashes"));
    let (trees, calls): (Vec<_>, Vec<_>) = programs.partition(|program| program.tree.is_some());
    let snapshot = if trees.is_empty() { "" } else { ", a snapshot" };
    format!("{files}, {hashes}, {}{snapshot}", counted(calls.len(), "call", "calls"))
}

fn named(run: Option<&RunView>, step: cuelight_base::StepIx) -> String {
    run.and_then(|run| run.plan_step(step))
        .map_or_else(|| format!("step {}", step.0), |plan_step| plan_step.id.clone())
}

fn run_words(event: &RunEvent, run: Option<&RunView>) -> (&'static str, String) {
    match event {
        RunEvent::Created { by, cause, .. } => {
            let created = cause;
            let cause = match cause {
                CauseOfLaunch::Asked => String::new(),
                CauseOfLaunch::Schedule(at) => format!(", scheduled for {at}"),
                CauseOfLaunch::Retry { of, .. } => format!(", again after {of}"),
                CauseOfLaunch::Fork { of, at, .. } => format!(", forked from {of} at {at}"),
            };
            let corrected = created.corrected().map(|corrected| format!("; {}", corrected_words(corrected)));
            ("run.created", format!("by {by}{cause}{}", corrected.unwrap_or_default()))
        }
        RunEvent::Started => ("run.started", String::new()),
        RunEvent::Paused { by } => ("run.paused", format!("by {by}")),
        RunEvent::Resumed { by } => ("run.resumed", format!("by {by}")),
        RunEvent::Cancelling { by, reason, .. } => ("run.cancelling", by_words(by, reason)),
        RunEvent::Stopping { because, rejected, .. } => {
            let how = if *rejected { "was rejected" } else { "failed" };
            ("run.stopping", format!("{} {how}", named(run, *because)))
        }
        RunEvent::TimedOut { record } => ("run.timed_out", record.message.clone()),
        RunEvent::Compensating => ("run.compensating", String::new()),
        RunEvent::BudgetWarned { calls, limit, currency, step } => {
            let whose = step.map_or_else(String::new, |step| format!("{}: ", named(run, step)));
            let used = currency.figure(*calls);
            ("run.budget_warned", format!("{whose}{used} of {}", currency.amount(*limit)))
        }
        RunEvent::BudgetRaised { calls, by, currency, step } => {
            let whose = step.map_or_else(String::new, |step| format!(" for {}", named(run, step)));
            ("run.budget_raised", format!("to {}{whose} by {by}", currency.amount(*calls)))
        }
        RunEvent::Ended { state, .. } => ("run.finished", state.to_string()),
    }
}

/// Why a step never ran, in words.
pub(super) fn why_words(why: &Why, run: Option<&RunView>) -> String {
    match why {
        Why::Condition => "its condition was false".to_owned(),
        Why::Need(step) => format!("{} did not succeed", named(run, *step)),
        Why::Stopped(step) => format!("the run stopped at {}", named(run, *step)),
        Why::Cancelled => "the run was cancelled".to_owned(),
        Why::RunTimedOut => "the time of the run was up".to_owned(),
        Why::FailFast(step) => format!("{} failed", named(run, *step)),
        Why::Frame(step) => format!("{} never opened", named(run, *step)),
        Why::Kept => "kept from the run before".to_owned(),
        Why::Person { by, reason } => by_words(by, reason),
        Why::Failed(record) => record.message.clone(),
    }
}

/// Why a step that ran is ended.
fn why_ended(why: &Why, run: Option<&RunView>) -> String {
    match why {
        Why::Frame(step) => format!("the time of {} was up", named(run, *step)),
        why => why_words(why, run),
    }
}

/// The reason for the wait of a step, in words.
pub(super) fn wait_words(reason: &WaitReason) -> String {
    match reason {
        WaitReason::Person(gate) => format!("for people at {gate}"),
        WaitReason::Time(until) => format!("until {until}"),
        WaitReason::BackOff { until, next } => format!("until {until} for attempt {next}"),
        WaitReason::Facts => "for files to be looked at".to_owned(),
        WaitReason::Message { .. } => format!("for {}", message_words(reason)),
        WaitReason::Agent { fails_at, .. } => {
            let until = fails_at.map_or_else(String::new, |fails_at| format!(", until {fails_at}"));
            format!("for {}{until}", comer_words(reason))
        }
        WaitReason::Target { name, hold, until } => {
            let until = until.map_or_else(String::new, |until| format!(", until {until}"));
            format!("for {name}: {}{until}", hold_words(*hold))
        }
        WaitReason::Candidates { names, fails_at, .. } => {
            let until = fails_at.map_or_else(String::new, |fails_at| format!(", until {fails_at}"));
            format!("for any of {}{until}", candidate_words(names))
        }
    }
}

/// Candidates that take no call, each with why.
pub fn candidate_words(names: &[(String, String)]) -> String {
    names.iter().map(|(name, why)| format!("{name} ({why})")).collect::<Vec<_>>().join(", ")
}

/// The agent that has to come by itself: `an agent that is coder, or can review and merge`.
pub fn comer_words(reason: &WaitReason) -> String {
    let WaitReason::Agent { name, capabilities, .. } = reason else { return String::new() };
    let can = capabilities.join(" and ");
    let can = if can.is_empty() { can } else { format!(", or can {can}") };
    format!("an agent that is {}{can}", agent_name(name).unwrap_or(name))
}

/// The messages that a step waits for: `2 messages about deploy with env=prod`.
pub fn message_words(reason: &WaitReason) -> String {
    let WaitReason::Message { topic, filter, count, .. } = reason else { return String::new() };
    let with: Vec<String> = filter
        .iter()
        .map(|(name, value)| {
            format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
        .collect();
    let with = if with.is_empty() { String::new() } else { format!(" with {}", with.join(", ")) };
    format!("{} about {topic}{with}", counted(*count as usize, "message", "messages"))
}

/// Why a target takes no call, in words.
pub const fn hold_words(hold: TargetHold) -> &'static str {
    match hold {
        TargetHold::Circuit => "its circuit is open",
        TargetHold::Trial => "its circuit is half open, another call tries it",
        TargetHold::Line => "others have waited longer",
        TargetHold::Rate => "it takes no more calls for now",
        TargetHold::Quota => "it takes no more calls on this day",
    }
}

fn taken_words(bucket: &Bucket, rate: &RateRule) -> String {
    match rate.per_day {
        Some(quota) => format!("call {} of {quota} on {}", bucket.used, bucket.day),
        None => format!("call {} on {}", bucket.used, bucket.day),
    }
}

fn cache_words(event: &CacheEvent) -> (&'static str, String) {
    match event {
        CacheEvent::Stored { run, step, expires_at, .. } => {
            let until = expires_at.map_or_else(String::new, |expires_at| format!(", until {expires_at}"));
            ("cache.stored", format!("{step} of {run}{until}"))
        }
        CacheEvent::Used { run, .. } => ("cache.used", format!("stands for a step of {run}")),
        CacheEvent::Reset { count, reason, by } => {
            let results = counted(*count as usize, "result", "results");
            ("workspace.reset", format!("{results} and the lists, {}", by_words(by, reason)))
        }
        CacheEvent::Cleared { count, by, .. } => {
            ("cache.cleared", format!("{} by {by}", counted(*count as usize, "result", "results")))
        }
    }
}

fn target_words(event: &TargetEvent) -> (&'static str, String) {
    match event {
        TargetEvent::Counted { failures: 0 } => ("target.counted", "no failure in a row".to_owned()),
        TargetEvent::Counted { failures } => ("target.counted", format!("{failures} failed in a row")),
        TargetEvent::Opened { until, reason, .. } => {
            ("target.opened", format!("{reason}; nothing is called until {until}"))
        }
        TargetEvent::HalfOpened => ("target.half_opened", "one call at a time is made".to_owned()),
        TargetEvent::Succeeded { successes } => {
            ("target.succeeded", format!("{successes} succeeded in a row"))
        }
        TargetEvent::Taken { bucket, rate } => ("target.taken", taken_words(bucket, rate)),
        TargetEvent::Closed { reason } => ("target.closed", reason.clone()),
    }
}

/// The call that a model asks for, and its fate, in words.
fn call_words(call: &TalkCall) -> String {
    let name = &call.name;
    match (call.step, call.gate) {
        (None, _) => format!("its model asks for {name}, which {}", call.why),
        (Some(_), Some(_)) => format!("its model asks for {name}, which waits at a gate"),
        (Some(_), None) => format!("its model asks for {name}, which is called"),
    }
}

/// A choice with its reason, in words.
pub fn choice_words(choice: &Choice) -> String {
    let Choice { policy, chosen, reason, confidence, .. } = choice;
    let sure = if *confidence == Score::ONE { String::new() } else { format!(", confidence {confidence}") };
    format!("{chosen} by {policy}: {reason}{sure}")
}

/// A rejected alternative with its score and the reason, in words.
pub fn alternative_words(alternative: &Alternative) -> String {
    format!("{} {}: {}", alternative.name, alternative.score, alternative.why)
}

fn step_words(event: &StepEvent, run: Option<&RunView>) -> (&'static str, String) {
    match event {
        StepEvent::Ready => ("step.ready", String::new()),
        StepEvent::Routed { choice } => ("step.routed", choice_words(choice)),
        StepEvent::Waiting { reason } => ("step.waiting", wait_words(reason)),
        StepEvent::FactsAsked { files, patterns, programs } => {
            ("step.facts_asked", facts_words(files.len(), patterns.len(), programs.iter()))
        }
        StepEvent::FactsKnown { facts } => {
            let programs = facts.programs.iter().map(|program| &program.0);
            ("step.facts_known", facts_words(facts.files.len(), facts.hashes.len(), programs))
        }
        StepEvent::Opened { copies, .. } if copies.is_empty() => ("step.opened", String::new()),
        StepEvent::Opened { copies, .. } => ("step.opened", counted(copies.len(), "step", "steps")),
        StepEvent::Grown { calls, .. } if calls.is_empty() => {
            ("step.grown", "its model is asked again, with what came of its calls".to_owned())
        }
        StepEvent::Grown { calls, .. } => {
            ("step.grown", calls.iter().map(call_words).collect::<Vec<_>>().join("; "))
        }
        StepEvent::Completed { confidence, partial, fallback, kept, origin, cached, .. } => {
            let words = [
                partial.then(|| "partly".to_owned()),
                (*fallback > 0).then(|| format!("by fallback {fallback}")),
                kept.then(|| kept_words(origin.as_deref(), cached.as_deref())),
                confidence.map(|confidence| format!("confidence {confidence}")),
            ];
            ("step.completed", words.into_iter().flatten().collect::<Vec<_>>().join(", "))
        }
        StepEvent::DoneByHand { by, reason, .. } => ("step.done_by_hand", by_words(by, reason)),
        StepEvent::Failed { record } => ("step.failed", record.message.clone()),
        StepEvent::SentBack => ("step.sent_back", "runs again".to_owned()),
        StepEvent::Reopened { why, gates } if gates.is_empty() => {
            ("step.reopened", format!("asks again: {why}"))
        }
        StepEvent::Reopened { why, .. } => ("step.reopened", format!("waits for its gate again: {why}")),
        StepEvent::Rejected { expired: true } => ("step.rejected", "nobody came in time".to_owned()),
        StepEvent::Rejected { expired: false } => ("step.rejected", String::new()),
        StepEvent::Skipped { why } => ("step.skipped", why_words(why, run)),
        StepEvent::Cancelled { why } => ("step.cancelled", why_ended(why, run)),
        StepEvent::Ending { why } => ("step.ending", why_ended(why, run)),
        StepEvent::InDoubt { evidence } => ("step.in_doubt", evidence.clone()),
        StepEvent::DoubtAnswered { by, answer, reason } => {
            let answer = match answer {
                DoubtAnswer::Happened(_) => "it happened",
                DoubtAnswer::NotHappened => "it did not happen",
                DoubtAnswer::Abort => "it counts as failed",
            };
            ("step.doubt_answered", format!("{answer}, {}", by_words(by, reason)))
        }
    }
}

fn attempt_words(number: u32, event: &AttemptEvent) -> (&'static str, String) {
    match event {
        AttemptEvent::Started { purpose, .. } => {
            let purpose = match purpose {
                Purpose::Step => String::new(),
                Purpose::Fallback(which) => format!(" of fallback {which}"),
                Purpose::Undo => " of its undo".to_owned(),
                Purpose::Check => " of its check".to_owned(),
            };
            ("attempt.started", format!("call {number}{purpose}"))
        }
        AttemptEvent::Ended { outcome, retry_at } => {
            let how = match (&outcome.failure, retry_at) {
                (None, _) => format!("ok after {}", outcome.ran_for),
                (Some(failure), None) => format!("{}: {}", failure.mode, failure.message),
                (Some(failure), Some(at)) => {
                    format!("again at {}: {}: {}", at.clock(), failure.mode, failure.message)
                }
            };
            ("attempt.ended", format!("call {number} {how}"))
        }
        AttemptEvent::Lost { evidence } => ("attempt.lost", format!("call {number}: {evidence}")),
        AttemptEvent::Adopted { how, ends, .. } => {
            let how = match how {
                Adoption::Attached => "still runs under its guard; attached again",
                Adoption::Recorded => "had ended under its guard; its exit record is taken",
            };
            let ends = if *ends { ", and is ended now" } else { "" };
            ("attempt.adopted", format!("call {number} went on (on-console-death: keep): {how}{ends}"))
        }
    }
}

fn gate_words(event: &GateEvent) -> (&'static str, String) {
    match event {
        GateEvent::Asked { ask, why: None, .. } => ("gate.asked", ask.prompt.clone()),
        GateEvent::Asked { why: Some(why), .. } => ("gate.asked", format!("again: {why}")),
        GateEvent::Voted(vote) => {
            let verdict = match vote.verdict {
                Verdict::Approve => "approved",
                Verdict::Reject => "rejected",
                Verdict::SendBack => "sent back",
            };
            let of: Vec<&str> = vote.acting_for.iter().map(|actor| actor.name.as_str()).collect();
            let of = if of.is_empty() { String::new() } else { format!(" for {}", of.join(", ")) };
            ("gate.voted", format!("{verdict} by {}{of}{}", vote.who(), reason_words(&vote.reason)))
        }
        GateEvent::Agreed { files, patterns, .. } => {
            let of = |count: usize, one: &str, many: &str| (count > 0).then(|| counted(count, one, many));
            let all =
                [of(files.len(), "file", "files"), of(patterns.len(), "hash of files", "hashes of files")];
            let all = all.into_iter().flatten().collect::<Vec<_>>().join(" and ");
            ("gate.agreed", format!("enough approvals; compares {all} again"))
        }
        GateEvent::GlassBroken(vote) => (
            "gate.glass_broken",
            format!("EMERGENCY APPROVAL by {}{}", vote.who(), reason_words(&vote.reason)),
        ),
        GateEvent::Overridden(vote) => {
            ("gate.overridden", format!("OVERRIDE: approved {}", by_words(&vote.by, &vote.reason)))
        }
        GateEvent::GlassReviewed { by, reason, .. } => ("gate.glass_reviewed", by_words(by, reason)),
        GateEvent::Delegated { by, to, until, reason } => {
            ("gate.delegated", format!("{by} to {to} until {}{}", until.clock(), reason_words(reason)))
        }
        GateEvent::Refused { by, why } => ("gate.refused", format!("{by}: {why}")),
        GateEvent::Withdrawn { by } => ("gate.withdrawn", format!("by {by}")),
        GateEvent::Edited { by, reason, .. } => ("gate.edited", by_words(by, reason)),
        GateEvent::Commented { by, text } => ("gate.commented", format!("{by}: {text}")),
        GateEvent::Armed { until } => ("gate.armed", format!("can be withdrawn until {}", until.clock())),
        GateEvent::Reminded { count } => ("gate.reminded", format!("reminder {count}")),
        GateEvent::Escalated { group } => ("gate.escalated", format!("to {group}")),
        GateEvent::Resolved { state, by, .. } => {
            let words = match by.as_str() {
                BREAK_GLASS => format!("{state} by an emergency approval"),
                "send-back" => "sent back".to_owned(),
                by => format!("{state} by {by}"),
            };
            ("gate.resolved", words)
        }
    }
}

fn undo_words(event: &UndoEvent) -> (&'static str, String) {
    match event {
        UndoEvent::Asked => ("undo.asked", String::new()),
        UndoEvent::Done { by: None } => ("undo.done", String::new()),
        UndoEvent::Done { by: Some(by) } => ("undo.done", format!("by hand, by {by}")),
        UndoEvent::Stuck { record } => ("undo.stuck", record.message.clone()),
        UndoEvent::Again { by } => ("undo.again", format!("by {by}")),
    }
}

fn failure_words(event: &FailureEvent) -> (&'static str, String) {
    let (kind, by, reason) = match event {
        FailureEvent::Acknowledged { by, reason, .. } => ("failure.acknowledged", by, reason),
        FailureEvent::Resolved { by, reason, .. } => ("failure.resolved", by, reason),
        FailureEvent::Reopened { by, reason, .. } => ("failure.reopened", by, reason),
    };
    (kind, by_words(by, reason))
}
