//! One simulated history: the real engine between a journal, a clock, effects and people that are not real.
//!
//! The loop is the conductor's: commands are gathered, their events stored in one go, and only then is anything done
//! or answered. A fault may strike at every one of these points. `Bug` puts mistakes into what stands around the engine
//! or between it and its journal, to see that the checks find them.

use crate::{
    agents::{self, Agents, HELPER},
    checks::{Broken, Checks},
    figures,
    tape::Tape,
    workload,
};
use cuelight_base::{
    Actor, AttemptId, Channel, DecisionId, Digest, Epoch, FailureMode, GateId, Launch, Program, Proof, RunId,
    Seq, Span, StepIx, Timestamp, Value, ValueMap, sha256,
};
use cuelight_engine::{
    Ask, AttemptEvent, CacheEvent, CauseOfLaunch, Changed, Choice, Command, Correction, Decision,
    DoubtAnswer, Effect, Event, Expected, Fact, Facts, Failure, FileFact, ForkAt, Found, GateEvent,
    GateState, Launching, NewValue, Outcome, Past, Purpose, RetryFrom, RunEvent, StepEvent, UndoEvent,
    Verdict, World, etag, react,
};
use cuelight_exchange::{AgentAsk, AgentEvent, BusEvent, Lease, NewMessage};
use cuelight_plan::{Plan, Scope};
use cuelight_projection::Board;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A mistake put in on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    AnswersBeforeTheCommit,
    ActsBeforeTheCommit,
    StartsEveryCallTwice,
    ForgetsToRecover,
    ForgetsATimer,
    LosesTheLastEvent,
    TrustsADiskThatLies,
    TakesAVoteForAnOldAsk,
    CountsOnePersonTwice,
    LetsTheRequesterVote,
    TakesAVoteAfterItsTime,
    AnswersDoubtsItself,
    RunsSomethingElse,
    TakesALateAnswerForANewCall,
    WakesTooEarly,
    StartsOneTooMany,
    SpendsOneTooMany,
    UndoesForwards,
    IgnoresNeeds,
    ForgetsReadySteps,
    KeepsTheOldEpoch,
    ResolvesTwice,
    ForgetsWhatItCouldNotWrite,
    TakesOverWhatCameLater,
    OpensAWayAroundAGate,
    UndoesForTheOther,
    ForgetsWhoHandedOn,
    LetsAnybodyBreakTheGlass,
    ForgetsASentBackStep,
    LetsTheRequesterVouch,
    ChangesAValueUnseen,
    ShowsTooLittle,
    AnswersWhatItCouldNotWrite,
    ForgetsWhichFallback,
    TakesTheLastForTheFirst,
    SaysItChoseAnother,
    TriesOnceTooOften,
    TakesOneCallTooMany,
    KeepsAResultTooLong,
    ForgetsToClear,
    TakesALostGuardForNeverStarted,
    AdoptsTwice,
    TakesAResultOfAnybody,
    ForgetsWhoHasWork,
    LosesSignsOfLife,
    LeavesWorkWithTheLost,
    GivesWorkToAnybody,
    GivesOneTooMany,
    GivesTwiceForOneAsking,
    LooksPastTheProject,
    LeavesAnEmergencyBehind,
    ForgetsAnIdThatWasGiven,
    OverridesAlone,
}

impl Bug {
    pub(crate) const ALL: &[Self] = &[
        Self::AnswersBeforeTheCommit,
        Self::ActsBeforeTheCommit,
        Self::StartsEveryCallTwice,
        Self::ForgetsToRecover,
        Self::ForgetsATimer,
        Self::LosesTheLastEvent,
        Self::TrustsADiskThatLies,
        Self::TakesAVoteForAnOldAsk,
        Self::CountsOnePersonTwice,
        Self::LetsTheRequesterVote,
        Self::TakesAVoteAfterItsTime,
        Self::AnswersDoubtsItself,
        Self::RunsSomethingElse,
        Self::TakesALateAnswerForANewCall,
        Self::WakesTooEarly,
        Self::StartsOneTooMany,
        Self::SpendsOneTooMany,
        Self::UndoesForwards,
        Self::IgnoresNeeds,
        Self::ForgetsReadySteps,
        Self::KeepsTheOldEpoch,
        Self::ResolvesTwice,
        Self::ForgetsWhatItCouldNotWrite,
        Self::TakesOverWhatCameLater,
        Self::OpensAWayAroundAGate,
        Self::UndoesForTheOther,
        Self::ForgetsWhoHandedOn,
        Self::LetsAnybodyBreakTheGlass,
        Self::ForgetsASentBackStep,
        Self::LetsTheRequesterVouch,
        Self::ChangesAValueUnseen,
        Self::ShowsTooLittle,
        Self::AnswersWhatItCouldNotWrite,
        Self::ForgetsWhichFallback,
        Self::TakesTheLastForTheFirst,
        Self::SaysItChoseAnother,
        Self::TriesOnceTooOften,
        Self::TakesOneCallTooMany,
        Self::KeepsAResultTooLong,
        Self::ForgetsToClear,
        Self::TakesALostGuardForNeverStarted,
        Self::AdoptsTwice,
        Self::TakesAResultOfAnybody,
        Self::ForgetsWhoHasWork,
        Self::LosesSignsOfLife,
        Self::LeavesWorkWithTheLost,
        Self::GivesWorkToAnybody,
        Self::GivesOneTooMany,
        Self::GivesTwiceForOneAsking,
        Self::LooksPastTheProject,
        Self::LeavesAnEmergencyBehind,
        Self::ForgetsAnIdThatWasGiven,
        Self::OverridesAlone,
    ];

    /// The invariant that finds it, where another one could hide that this one never does.
    pub(crate) const fn breaks(self) -> Option<&'static str> {
        match self {
            Self::SpendsOneTooMany => Some("I10"),
            Self::ShowsTooLittle => Some("I15"),
            Self::AnswersWhatItCouldNotWrite => Some("I20"),
            Self::TakesOverWhatCameLater => Some("I22"),
            Self::ForgetsASentBackStep => Some("I23"),
            Self::ChangesAValueUnseen => Some("I24"),
            Self::TakesTheLastForTheFirst | Self::SaysItChoseAnother => Some("I25"),
            Self::TriesOnceTooOften => Some("I26"),
            Self::TakesOneCallTooMany => Some("I27"),
            Self::KeepsAResultTooLong | Self::ForgetsToClear => Some("I28"),
            Self::GivesWorkToAnybody
            | Self::GivesOneTooMany
            | Self::GivesTwiceForOneAsking
            | Self::LooksPastTheProject => Some("I30"),
            Self::TakesAResultOfAnybody => Some("I31"),
            Self::LeavesAnEmergencyBehind => Some("I34"),
            Self::ForgetsAnIdThatWasGiven => Some("I35"),
            Self::LosesSignsOfLife | Self::LeavesWorkWithTheLost | Self::ForgetsWhoHasWork => Some("I32"),
            _ => None,
        }
    }

    /// True if the engine is given another plan than the author wrote.
    const fn is_in_the_plan(self) -> bool {
        matches!(
            self,
            Self::StartsOneTooMany
                | Self::SpendsOneTooMany
                | Self::IgnoresNeeds
                | Self::TakesTheLastForTheFirst
                | Self::TriesOnceTooOften
                | Self::TakesOneCallTooMany
                | Self::KeepsAResultTooLong
        )
    }
}

/// Frequencies of the faults in a history: another mixture for every seed.
struct Faults {
    crash: u64,
    fail: u64,
    not_started: u64,
    duplicate: u64,
    late_after_crash: u64,
    adopt: u64,
    stale: u64,
    meddle: u64,
    swap: u64,
    batch: u64,
    refuse: u64,
    look_closely: bool,
}

impl Faults {
    fn drawn(tape: &mut Tape) -> Self {
        let mut some = |most: u64| if tape.chance(60) { tape.below(most) } else { 0 };
        Self {
            crash: some(8),
            fail: some(40),
            not_started: some(8),
            duplicate: some(30),
            late_after_crash: some(50),
            stale: some(30),
            meddle: some(20),
            swap: some(40),
            batch: some(16),
            refuse: some(6),
            look_closely: some(24) == 1,
            adopt: some(100),
        }
    }
}

/// A future event of the outside world, in the order of time.
enum Item {
    Says(Box<Command>),
    Votes {
        gate: GateId,
        epoch: Epoch,
        hash: Digest,
        who: usize,
    },
    Edits {
        gate: GateId,
        epoch: Epoch,
        who: usize,
    },
    Withdraws {
        gate: GateId,
        who: usize,
    },
    Delegates {
        gate: GateId,
        who: usize,
    },
    Meddles,
    /// Somebody looks at what was approved in an emergency.
    Reviews {
        run: RunId,
        gate: GateId,
        epoch: Epoch,
        who: usize,
    },
    /// An agent comes, and does something or other.
    Comes {
        who: usize,
    },
}

/// Limit of visits of all agents together. After that only begun work goes on.
const VISITS_MAX: u32 = 32;

const PEOPLE: [(&str, &[&str]); 7] = [
    ("req", &["sre"]),
    ("ann", &["sre"]),
    ("bob", &["sre"]),
    ("cat", &["product"]),
    ("dan", &["oncall"]),
    ("eve", &["sre", "product"]),
    ("gus", &["break-glass"]),
];

fn person(who: usize) -> Actor {
    let (name, groups) = PEOPLE[who];
    Actor {
        name: name.to_owned(),
        proof: Proof::OsUser(u32::try_from(who).expect("few people")),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        channel: if who.is_multiple_of(2) { Channel::Console } else { Channel::Command },
    }
}

/// The requester of all runs, by a principal that the engine does not know as theirs.
fn requester_unknown() -> Actor {
    Actor { proof: Proof::OsUser(99), ..person(0) }
}

/// Somebody who has had nothing to do with anything before.
fn helper() -> Actor {
    let (name, proof) = ("zoe".to_owned(), Proof::OsUser(70));
    Actor { name, proof, groups: Vec::new(), channel: Channel::Command }
}

/// One history, as far as it has come.
pub(crate) struct History<'a> {
    tape: &'a mut Tape,
    bug: Option<Bug>,
    faults: Faults,
    world: World,
    pub(crate) journal: Vec<Arc<Event>>,
    batch: Vec<Arc<Event>>,
    replies: Vec<DecisionId>,
    acknowledged: BTreeSet<DecisionId>,
    checks: Checks,
    now: Timestamp,
    queue: BTreeMap<(Timestamp, u64), Item>,
    items: u64,
    decisions: u64,
    /// Calls that the outside world has seen begin.
    begun: BTreeMap<AttemptId, Digest>,
    first_asks: BTreeMap<GateId, (Epoch, Digest)>,
    past: Vec<(usize, String)>,
    launched: u32,
    /// Version of the disk's content, increased by each write.
    disk: u8,
    calm: bool,
    dropped_timer: bool,
    agents: Agents,
    /// True if the plan has work for agents.
    has_agents: bool,
    /// Number of visits of agents.
    visits: u32,
    /// Number of claims of each agent.
    claims: [u32; HELPER + 1],
    /// Work that its agent has begun.
    busy: BTreeSet<AttemptId>,
}

impl<'a> History<'a> {
    pub(crate) fn new(tape: &'a mut Tape, bug: Option<Bug>) -> Self {
        let faults = Faults::drawn(tape);
        Self {
            tape,
            bug,
            faults,
            world: World::default(),
            journal: Vec::new(),
            batch: Vec::new(),
            replies: Vec::new(),
            acknowledged: BTreeSet::new(),
            checks: Checks::default(),
            now: Timestamp(1_800_000_000_000),
            queue: BTreeMap::new(),
            items: 0,
            decisions: 0,
            begun: BTreeMap::new(),
            first_asks: BTreeMap::new(),
            past: Vec::new(),
            launched: 0,
            disk: 0,
            calm: false,
            dropped_timer: false,
            agents: Agents::default(),
            has_agents: false,
            visits: 0,
            claims: [0; HELPER + 1],
            busy: BTreeSet::new(),
        }
    }

    /// From the first launch until everything rests.
    pub(crate) fn play(&mut self) -> Result<(), Broken> {
        let most = if self.tape.chance(10) { 60 } else { 10 };
        let runs = 1 + self.tape.below(3);
        let first = workload::plan(self.tape, most);
        for _ in 0..runs {
            let plan = if self.tape.chance(50) { workload::plan(self.tape, most / 2) } else { first.clone() };
            let delay = self.tape.below(30);
            self.launch(plan, delay);
        }
        if self.faults.meddle > 0 {
            for _ in 0..self.tape.below(6) {
                // Late enough, now and then, for gates to have been answered by then.
                let most = if self.tape.chance(40) { 3000 } else { 400 };
                let delay = self.tape.below(most);
                self.later(delay, Item::Meddles);
            }
        }
        for _ in 0..20 + self.tape.below(200) {
            if !self.step()? {
                break;
            }
        }
        self.liveness()?;
        self.at_the_end()
    }

    fn launch(&mut self, plan: Plan, delay: u64) {
        self.launched += 1;
        if !self.has_agents && workload::needs_agents(&plan) {
            self.has_agents = true;
            for who in 0..HELPER {
                let delay = self.tape.below(30);
                self.later(delay, Item::Comes { who });
            }
        }
        let written = self.bug.map(|_| plan.clone());
        let mut plan = plan;
        match self.bug {
            Some(Bug::StartsOneTooMany) if plan.max_parallel > 0 => plan.max_parallel += 1,
            Some(Bug::SpendsOneTooMany) => {
                if let Some(calls) = plan.budget.as_mut().and_then(|budget| budget.calls.as_mut()) {
                    *calls += 1;
                }
            }
            Some(Bug::IgnoresNeeds) => {
                plan.steps
                    .iter_mut()
                    .for_each(|step| step.needs.truncate(step.needs.len().saturating_sub(1)));
            }
            Some(Bug::TakesTheLastForTheFirst) => {
                plan.tools.iter_mut().for_each(|tool| tool.priority = -tool.priority);
            }
            Some(Bug::TriesOnceTooOften) => plan.tools.iter_mut().for_each(|tool| tool.breaker.failures += 1),
            Some(Bug::TakesOneCallTooMany) => {
                for rate in plan.tools.iter_mut().filter_map(|tool| tool.rate.as_mut()) {
                    rate.burst += 1;
                    rate.per_day = rate.per_day.map(|per_day| per_day + 1);
                }
            }
            Some(Bug::KeepsAResultTooLong) => {
                for rule in plan.steps.iter_mut().filter_map(|step| step.cache.as_mut()) {
                    rule.ttl = None;
                }
            }
            _ => {}
        }
        if let Some(written) = written.filter(|other| *other != plan) {
            self.checks.given.insert(format!("t{}", self.launched), Arc::new(written));
        }
        let launching = Launching {
            plan,
            by: person(0),
            seed: u64::from(self.launched),
            cause: CauseOfLaunch::Asked,
            trace: format!("t{}", self.launched),
            request: Some(sha256("simulation", &[&self.launched.to_be_bytes()])),
        };
        let asks = || Item::Says(Box::new(Command::Launch(Box::new(launching.clone()))));
        self.later(delay, asks());
        // Whoever did not hear the answer asks again, and whatever engine lives then.
        if !self.launched.is_multiple_of(2) {
            self.later(delay + 40, asks());
        }
    }

    fn later(&mut self, seconds: u64, item: Item) {
        self.items += 1;
        self.queue.insert((self.now + Span::seconds(seconds), self.items), item);
    }

    /// One batch: gather, decide, store, then act and answer. False when nothing more will happen.
    fn step(&mut self) -> Result<bool, Broken> {
        let most = if self.faults.batch == 0 { 1 } else { 1 + self.tape.below(self.faults.batch) };
        let mut any = false;
        for _ in 0..most {
            if !self.next()? {
                break;
            }
            any = true;
        }
        if !any {
            return Ok(false);
        }
        if self.crashes() {
            self.crash(0)?;
            return Ok(true);
        }
        self.commit()?;
        Ok(true)
    }

    fn crashes(&mut self) -> bool {
        !self.calm && self.tape.chance(self.faults.crash)
    }

    /// The next thing that happens: the clock's, or somebody's.
    fn next(&mut self) -> Result<bool, Broken> {
        let deadline = self.world.deadline().filter(|_| {
            let forgotten = self.bug == Some(Bug::ForgetsATimer) && self.dropped_timer;
            !forgotten
        });
        let queued = self.queue.first_key_value().map(|(at, _)| at.0);
        match (deadline, queued) {
            (None, None) => return Ok(false),
            (Some(at), other) if other.is_none_or(|queued| at <= queued) => {
                self.now = self.now.max(at);
                self.dropped_timer |= self.tape.chance(10);
                let early = if self.bug == Some(Bug::WakesTooEarly) { Span::seconds(30) } else { Span(0) };
                let now = self.now + early;
                self.command_at(Command::Wake, now)?;
            }
            (_, Some(_) | None) => {
                let ((at, _), item) = self.queue.pop_first().expect("it was just seen");
                self.now = self.now.max(at);
                if let Some(command) = self.command_of(item) {
                    self.command_at(command, self.now)?;
                }
            }
        }
        Ok(true)
    }

    fn command_of(&mut self, item: Item) -> Option<Command> {
        Some(match item {
            Item::Says(command) => *command,
            Item::Votes { gate, epoch, hash, who } => self.vote(gate, epoch, hash, who),
            Item::Edits { gate, epoch, who } => {
                let values = ValueMap::from_iter([("n".to_owned(), Value::from(2 + self.tape.below(3)))]);
                Command::EditForm { gate, epoch, values, reason: "better".to_owned(), by: person(who) }
            }
            Item::Withdraws { gate, who } => Command::Withdraw { gate, by: person(who) },
            Item::Delegates { gate, who } => {
                let to = PEOPLE[self.tape.index(PEOPLE.len())].0.to_owned();
                let lasts = Some(Span::seconds(60 + self.tape.below(3600)));
                Command::Delegate { gate, to, lasts, reason: "away".to_owned(), by: person(who) }
            }
            Item::Meddles => self.meddling()?,
            Item::Reviews { run, gate, epoch, who } => review(run, gate, epoch, person(who)),
            Item::Comes { who } => self.comes(who)?,
        })
    }

    fn vote(&mut self, gate: GateId, epoch: Epoch, hash: Digest, who: usize) -> Command {
        self.decisions += 1;
        let id = DecisionId(format!("d{}", self.decisions));
        let mut by = person(who);
        let name = by.name.clone();
        self.checks.people.insert(id.clone(), (name, hash, self.now));
        let verdict = match self.tape.below(20) {
            0..3 => Verdict::Reject,
            3 | 4 if !self.calm => Verdict::SendBack,
            _ => Verdict::Approve,
        };
        // Who may do that does it often.
        let often = if person(who).groups.iter().any(|group| group == "break-glass") { 50 } else { 6 };
        let break_glass = verdict == Verdict::Approve && !self.calm && self.tape.chance(often);
        let overrides = verdict == Verdict::Approve && !break_glass && !self.calm && self.tape.chance(10);
        let has_form = self
            .checks
            .open_gates()
            .iter()
            .any(|other| other.0 == gate && other.1.form.iter().any(|field| field.name == "n"));
        let n = (has_form && !self.calm && self.tape.chance(20)).then(|| Value::from(2 + self.tape.below(3)));
        let form = n.map(|value| ("n".to_owned(), value)).into_iter().collect();
        let (mut epoch, mut hash) = (epoch, hash);
        match self.bug {
            Some(Bug::TakesAVoteForAnOldAsk) => {
                if let Some((_, ask, now)) =
                    self.checks.open_gates().into_iter().find(|other| other.0 == gate)
                {
                    (epoch, hash) = (ask.epoch, now);
                }
            }
            Some(Bug::CountsOnePersonTwice) => {
                by.proof = Proof::OsUser(u32::try_from(self.decisions).unwrap_or(0) + 100);
            }
            Some(Bug::LetsTheRequesterVote) if who == 0 => by.proof = Proof::OsUser(99),
            Some(Bug::LetsAnybodyBreakTheGlass) if break_glass => by.groups.push("break-glass".to_owned()),
            _ => {}
        }
        Command::Decide(Box::new(Decision {
            id,
            gate,
            epoch,
            ask: hash,
            verdict,
            reason: "it is as good as it gets".to_owned(),
            by,
            shown_for: None,
            break_glass,
            overrides,
            form,
        }))
    }

    /// Somebody does something to a run, sensible or not.
    fn meddling(&mut self) -> Option<Command> {
        let runs = self.checks.runs();
        if runs.is_empty() {
            return None;
        }
        // What did not come to its end is done again, more often than anything else is done to it.
        let short: Vec<RunId> = runs.iter().filter(|run| run.1).map(|run| run.0).collect();
        let again = !short.is_empty() && self.tape.chance(35);
        let run = if again { *self.tape.pick(&short) } else { self.tape.pick(&runs).0 };
        let step = StepIx::from_index(self.tape.index(self.checks.steps(run)));
        let mut by = person(self.tape.index(PEOPLE.len()));
        if self.bug == Some(Bug::LetsTheRequesterVouch) && by.name == "req" {
            by = requester_unknown();
        }
        let reason = "so".to_owned();
        let what = if again { 8 + self.tape.below(2) } else { self.tape.below(20) };
        Some(match what {
            14 => self.setting(by),
            15..18 => Command::ClearCache { key: None, by },
            18 | 19 => Command::Publish { message: Box::new(self.message()), by },
            0 => Command::Pause { run, by },
            1 | 2 => Command::Resume { run, by },
            3 => Command::Cancel { run, by, reason, undo: self.tape.chance(50) },
            4 => Command::Skip { run, step, reason, by },
            5 => Command::Done {
                run,
                step,
                outputs: ValueMap::from_iter([("n".to_owned(), 1.into())]),
                reason,
                by,
            },
            6 => Command::Undo { run, reason, by },
            7 => Command::SettleUndo { run, step, again: self.tape.chance(50), reason, by },
            8 => Command::Retry {
                run,
                from: *self.tape.pick(&[RetryFrom::Failed, RetryFrom::Checkpoint, RetryFrom::All]),
                by,
                corrected: self.correction(run),
            },
            9..12 => self.fork(run, by),
            _ => self.doubt(run, step, by),
        })
    }

    /// Somebody changes what steps read, or tries to: as it was seen on the board, or as it is thought to be.
    fn setting(&mut self, by: Actor) -> Command {
        let key = "k".to_owned();
        let seen = self.checks.shared(&key, self.now).map(|(value, version)| etag(value, version));
        let expect = match self.tape.below(3) {
            0 => None,
            1 => Some(seen.map_or(Expected::Absent, Expected::Etag)),
            _ => Some(Expected::Etag("0123456789abcdef".to_owned())),
        };
        let value = (!self.tape.chance(20)).then(|| Value::from(self.tape.below(3)));
        let ttl = self.tape.chance(30).then(|| Span::seconds(1 + self.tape.below(600)));
        Command::SetValue { value: Box::new(NewValue { scope: Scope::Global, key, value, ttl, expect }), by }
    }

    /// An agent asks something of its own, sensible or not, and comes again later, or does not.
    fn comes(&mut self, who: usize) -> Option<Command> {
        if self.calm {
            return None;
        }
        self.visits += 1;
        if self.visits < VISITS_MAX {
            let most = if self.tape.chance(12) { 2000 } else { 40 };
            let delay = 1 + self.tape.below(most);
            self.later(delay, Item::Comes { who });
        }
        let name = agents::key(who).name;
        if !self.agents.knows(who) && !self.tape.chance(10) {
            return Some(asks(who, AgentAsk::Register(agents::about(who))));
        }
        let known = self.agents.ever.len();
        Some(match self.tape.below(16) {
            9..12 => asks(who, AgentAsk::Beat(name)),
            12 => asks(who, AgentAsk::Register(agents::about(who))),
            13 if known > 0 => {
                let work = self.agents.ever[self.tape.index(known)];
                asks(who, AgentAsk::Renew { work, note: None })
            }
            14 if known > 0 => {
                let work = self.agents.ever[self.tape.index(known)];
                self.hands_in(who, work)
            }
            15 => asks(who, AgentAsk::Leave { agent: name, reason: "so".to_owned() }),
            // Whoever did not hear the answer asks once more, for the same.
            again => self.claim(who, again == 8),
        })
    }

    fn claim(&mut self, who: usize, again: bool) -> Command {
        self.claims[who] += u32::from(!again);
        let lasts = (!self.calm && self.tape.chance(60)).then(|| Span::seconds(5 + self.tape.below(300)));
        let claim = format!("c{}", self.claims[who]);
        asks(who, AgentAsk::Claim { agent: agents::key(who).name, claim, lasts })
    }

    fn hands_in(&mut self, who: usize, work: AttemptId) -> Command {
        let number = self.agents.says(who, work);
        let mut outputs = ValueMap::from_iter([("said".to_owned(), number.into())]);
        for (key, value, chance) in [("n", "7", 90), ("confidence", "0.9", 50), ("tokens", "6", 15)] {
            if self.tape.chance(chance) || self.calm {
                outputs.insert(key.to_owned(), value.into());
            }
        }
        let fails = !self.calm && self.tape.chance(self.faults.fail);
        let failed = fails.then(|| (FailureMode::AgentLogic, "no".to_owned()));
        let may_have_happened = fails && self.tape.chance(30);
        asks(who, AgentAsk::HandBack { work, outputs, failed, may_have_happened })
    }

    /// Plays an agent's work: it renews it and returns the result. It may be late, do it twice or never, or
    /// another agent returns it.
    fn works(&mut self, lease: &Lease) {
        let (work, lasts) = (lease.attempt, lease.lasts.0 / 1000);
        let Some(who) = self.agents.holder(work).filter(|_| self.busy.insert(work)) else { return };
        let done = self.hands_in(who, work);
        if self.calm {
            return self.later(1, Item::Says(Box::new(done)));
        }
        let mut after = 0;
        for _ in 0..self.tape.below(4) {
            after += 1 + self.tape.below(lasts);
            let note = self.tape.chance(30).then(|| "on it".to_owned());
            self.later(after, Item::Says(Box::new(asks(who, AgentAsk::Renew { work, note }))));
        }
        after += 1 + self.tape.below(lasts);
        match self.tape.below(12) {
            11 => return,
            10 => after += lasts * 2,
            9 => self.later(after + 1, Item::Says(Box::new(done.clone()))),
            8 => {
                let other = self.tape.index(HELPER);
                let taken = self.hands_in(other, work);
                self.later(after - 1, Item::Says(Box::new(taken)));
            }
            _ => {}
        }
        self.later(after, Item::Says(Box::new(done)));
    }

    /// Somebody comes who can do all that waits for an agent. False when nothing does.
    fn somebody_works(&mut self) -> Result<bool, Broken> {
        if !self.has_agents {
            return Ok(false);
        }
        let before = self.journal.len();
        self.command_at(asks(HELPER, AgentAsk::Register(agents::about(HELPER))), self.now)?;
        loop {
            let given = self.agents.ever.len();
            let command = self.claim(HELPER, false);
            self.command_at(command, self.now)?;
            if self.agents.ever.len() == given {
                break;
            }
        }
        self.commit()?;
        // That somebody is there is not yet that anything goes on.
        let there = |event: &Event| {
            matches!(event.fact, Fact::Agent(AgentEvent::Registered { .. } | AgentEvent::Seen { .. }))
        };
        Ok(self.journal[before..].iter().any(|event| !there(event)))
    }

    /// I30 to I33: what an agent was told, and what came of it.
    fn agents_see(
        &mut self,
        asked: Option<(usize, AgentAsk, bool)>,
        is_ok: bool,
        events: &[Event],
        now: Timestamp,
    ) -> Result<(), Broken> {
        for event in events {
            self.agents.see(event)?;
        }
        self.agents.nothing_is_left_behind()?;
        let Some((who, ask, wanted)) = asked else { return Ok(()) };
        if wanted != is_ok {
            let word = if is_ok { "taken" } else { "refused" };
            let number = if is_ok { "I31" } else { "I33" };
            return Err(format!("{number} what agent {who} says is {word}: {ask:?}"));
        }
        if is_ok {
            self.agents.answered(who, &ask, events)?;
            self.agents.heard(who, &ask, now);
        }
        // It is told once more what it has.
        if let AgentAsk::Claim { claim, .. } = &ask
            && is_ok
            && events.iter().all(|event| !matches!(event.fact, Fact::Agent(AgentEvent::Leased { .. })))
            && let Some(lease) = self.agents.given_for(who, claim)
        {
            self.works(&lease);
        }
        Ok(())
    }

    /// Puts a mistake into an agent's request before the engine gets it.
    fn mistaken(&self, command: &mut Command) {
        let (Command::Agent { ask, by }, Some(bug)) = (command, self.bug) else { return };
        match (bug, &mut **ask) {
            (Bug::TakesAResultOfAnybody, AgentAsk::HandBack { work, .. }) => {
                if let Some(holder) = self.agents.holder(*work) {
                    *by = agents::actor(holder);
                }
            }
            (Bug::GivesWorkToAnybody, AgentAsk::Register(about)) => {
                about.capabilities = agents::about(HELPER).capabilities;
            }
            (Bug::GivesOneTooMany, AgentAsk::Register(about)) => about.max_concurrent += 1,
            (Bug::LooksPastTheProject, AgentAsk::Register(_) | AgentAsk::Claim { .. }) => {
                if let Proof::Token(token) = &mut by.proof {
                    token.project = None;
                }
            }
            _ => {}
        }
    }

    /// A message that a step may wait for.
    fn message(&mut self) -> NewMessage {
        NewMessage {
            id: self.tape.chance(30).then(|| "m".to_owned()),
            topic: workload::TOPIC.to_owned(),
            data: Value::from(self.tape.below(3)),
            ttl: self.tape.chance(50).then(|| Span::seconds(1 + self.tape.below(600))),
            ..NewMessage::default()
        }
    }

    /// Another input, which every gate before what is still to be done has to be asked about again.
    fn correction(&mut self, run: RunId) -> Option<Box<Correction>> {
        let may = !self.bug.is_some_and(Bug::is_in_the_plan);
        (self.tape.chance(40) && may).then(|| {
            let mut plan = self.checks.first_plan(run);
            plan.inputs.insert("i".to_owned(), Value::from(self.tape.below(100)));
            Box::new(Correction { plan: Some(Box::new(plan)), ..Correction::default() })
        })
    }

    /// A run from the past of another: from any of its events on.
    fn fork(&mut self, run: RunId, by: Actor) -> Command {
        let mine: Vec<usize> =
            (0..self.journal.len()).filter(|at| self.journal[*at].fact.run() == Some(run)).collect();
        let now = self.tape.chance(40);
        let count = if now { mine.len() } else { self.tape.index(mine.len()) + 1 };
        let seq = Seq(mine[count - 1] as u64 + 1);
        let count = if self.bug == Some(Bug::TakesOverWhatCameLater) { mine.len() } else { count };
        let events: Vec<Event> = mine.iter().map(|at| (*self.journal[*at]).clone()).collect();
        let past = Some(Past { seq, events: events.into(), count });
        Command::Fork { run, at: ForkAt::Seq(seq), by, corrected: self.correction(run), past }
    }

    fn doubt(&mut self, run: RunId, step: StepIx, by: Actor) -> Command {
        let answer = match self.tape.below(3) {
            0 => DoubtAnswer::Happened(ValueMap::from_iter([("n".to_owned(), 1.into())])),
            1 => DoubtAnswer::NotHappened,
            _ => DoubtAnswer::Abort,
        };
        if answer == DoubtAnswer::NotHappened {
            self.checks.doubts.insert((run, step));
        }
        Command::AnswerDoubt { run, step, answer, reason: "looked".to_owned(), by }
    }

    /// Hands a command to the engine, and looks closely at what it says now and then.
    fn command_at(&mut self, command: Command, now: Timestamp) -> Result<(), Broken> {
        let wanted = match &command {
            Command::SetValue { value, .. } => {
                let now = self.checks.shared(&value.key, now).map(|(value, version)| etag(value, version));
                Some(value.expect.as_ref().is_none_or(|expect| match expect {
                    Expected::Absent => now.is_none(),
                    Expected::Etag(seen) => now.as_ref() == Some(seen),
                }))
            }
            _ => None,
        };
        let closely = (self.faults.look_closely && self.tape.chance(20))
            .then(|| (self.world.fingerprint(), self.world.preview(command.clone(), now)));
        let decision = match &command {
            Command::Decide(decision) => Some(decision.id.clone()),
            _ => None,
        };
        let asked = match &command {
            Command::Agent { ask, by } => {
                agents::who_asks(by).map(|who| (who, (**ask).clone(), self.agents.wanted(who, ask)))
            }
            _ => None,
        };
        let is_wake = matches!(command, Command::Wake);
        let mut command = command;
        self.mistaken(&mut command);
        if let (Some(Bug::ChangesAValueUnseen), Command::SetValue { value, .. }) = (self.bug, &mut command) {
            value.expect = None;
        }
        let told = match self.bug {
            Some(Bug::TakesAVoteAfterItsTime) if decision.is_some() => now - Span::seconds(3600),
            _ => now,
        };
        let mut events = Vec::new();
        let said = if self.alters() {
            self.altered(command, told, &mut events)
        } else {
            self.world.handle(command, told, &mut events).map_err(|error| error.to_string())
        };
        if self.has_agents {
            self.agents_see(asked, said.is_ok(), &events, now)?;
            if is_wake {
                self.agents.nothing_is_overdue(now)?;
            }
        }
        if let (Some(wanted), Ok(())) = (wanted, &said) {
            ensure(wanted, "I24 a value was changed over the head of somebody else")?;
        }
        if let Some((before, preview)) = closely {
            if let Ok(()) = &said {
                if preview.as_ref() != Ok(&events) {
                    let told = preview.as_deref().unwrap_or_default();
                    let at = told.iter().zip(&events).take_while(|(told, is)| told == is).count();
                    let (told, is) = (told.get(at), events.get(at));
                    return Err(format!("I19 a preview told something else: {told:?}, and it was {is:?}"));
                }
            } else {
                ensure(
                    events.is_empty() && self.world.fingerprint() == before,
                    "I14 a refusal left a trace",
                )?;
                ensure(preview.is_err(), "I19 a preview promised what was refused")?;
            }
        }
        let voted = events.iter().any(|event| recorded(event).is_some());
        if let Some(id) = decision.filter(|_| voted && said.is_ok()) {
            self.replies.push(id);
        }
        if self.bug == Some(Bug::ActsBeforeTheCommit) {
            for event in &events {
                self.act(event)?;
            }
        }
        self.batch.extend(events.into_iter().map(Arc::new));
        if self.bug == Some(Bug::AnswersBeforeTheCommit) {
            self.acknowledged.extend(std::mem::take(&mut self.replies));
        }
        Ok(())
    }

    fn alters(&self) -> bool {
        matches!(
            self.bug,
            Some(
                Bug::UndoesForwards
                    | Bug::ForgetsReadySteps
                    | Bug::KeepsTheOldEpoch
                    | Bug::ResolvesTwice
                    | Bug::OpensAWayAroundAGate
                    | Bug::UndoesForTheOther
                    | Bug::ForgetsWhoHandedOn
                    | Bug::ForgetsASentBackStep
                    | Bug::ForgetsWhichFallback
                    | Bug::SaysItChoseAnother
                    | Bug::ForgetsToClear
                    | Bug::AdoptsTwice
                    | Bug::LosesSignsOfLife
                    | Bug::LeavesWorkWithTheLost
                    | Bug::GivesTwiceForOneAsking
                    | Bug::LeavesAnEmergencyBehind
                    | Bug::ForgetsAnIdThatWasGiven
                    | Bug::OverridesAlone
            )
        )
    }

    /// The engine as it would be with a mistake in its rules: its events are changed before they are applied.
    fn altered(&mut self, command: Command, now: Timestamp, out: &mut Vec<Event>) -> Result<(), String> {
        let mut made = Vec::new();
        self.world.clone().handle(command, now, &mut made).map_err(|error| error.to_string())?;
        let mut undoing: Option<(StepIx, StepIx)> = None;
        let (mut forgotten, mut adopted, mut went) = (false, false, false);
        let closes =
            made.iter().any(|event| matches!(event.fact, Fact::Gate(_, _, _, GateEvent::Resolved { .. })));
        for mut event in made {
            let mut times = u32::from(!went);
            let believed = self.believed(&event);
            let (mut believes, mut overridden) = (true, false);
            match (self.bug, &mut event.fact) {
                (Some(Bug::UndoesForwards), Fact::Undo(run, step, UndoEvent::Asked)) => {
                    let first = self.first_done(*run).unwrap_or(*step);
                    undoing = Some((*step, first));
                    *step = first;
                }
                (
                    Some(Bug::UndoesForwards),
                    Fact::Attempt(_, step, _, AttemptEvent::Started { purpose: Purpose::Undo, .. }),
                ) => {
                    if let Some((_, first)) = undoing.filter(|undoing| undoing.0 == *step) {
                        *step = first;
                    }
                }
                (Some(Bug::ForgetsReadySteps), Fact::Attempt(_, _, 1, AttemptEvent::Started { .. }))
                    if self.tape.chance(5) =>
                {
                    times = 0;
                }
                (Some(Bug::KeepsTheOldEpoch), Fact::Gate(_, _, _, GateEvent::Asked { ask, .. })) => {
                    Arc::make_mut(ask).epoch = Epoch(1);
                }
                (
                    Some(Bug::LeavesAnEmergencyBehind),
                    Fact::Gate(run, step, gate, GateEvent::Asked { .. }),
                ) => {
                    for (_, _, epoch) in self.checks.owed().into_iter().filter(|row| row.1 == *gate) {
                        let (by, reason) = (helper(), "nobody".to_owned());
                        let review = GateEvent::GlassReviewed { by, reason, epoch: Some(epoch) };
                        self.world.apply(&Event { at: now, fact: Fact::Gate(*run, *step, *gate, review) });
                    }
                }
                (Some(Bug::AdoptsTwice), Fact::Attempt(_, _, _, event)) => {
                    times = if adopted && matches!(event, AttemptEvent::Ended { .. }) { 2 } else { 1 };
                    adopted = matches!(event, AttemptEvent::Adopted { .. });
                }
                (Some(Bug::ResolvesTwice), Fact::Gate(_, _, _, GateEvent::Resolved { .. })) => times = 2,
                (Some(Bug::OpensAWayAroundAGate), Fact::Run(_, RunEvent::Created { plan, cause, .. })) => {
                    if let Some(of) = cause.parent() {
                        let first = self.checks.first_plan(of);
                        for (step, written) in Arc::make_mut(plan).steps.iter_mut().zip(&first.steps) {
                            step.needs.clone_from(&written.needs);
                        }
                    }
                }
                (Some(Bug::ForgetsWhoHandedOn), Fact::Gate(_, _, _, GateEvent::Delegated { .. }))
                | (Some(Bug::ForgetsToClear), Fact::Cache(CacheEvent::Cleared { .. })) => {
                    believes = false;
                }
                (
                    Some(Bug::LosesSignsOfLife),
                    Fact::Agent(AgentEvent::Renewed { .. } | AgentEvent::Seen { .. }),
                ) => believes = false,
                (
                    Some(Bug::LeavesWorkWithTheLost),
                    Fact::Agent(AgentEvent::Lost { .. } | AgentEvent::Left { .. }),
                ) => went = true,
                (Some(Bug::SaysItChoseAnother), Fact::Step(_, _, StepEvent::Routed { choice })) => {
                    let Choice { chosen, alternatives, .. } = &mut **choice;
                    if let Some(other) = alternatives.first_mut() {
                        std::mem::swap(chosen, &mut other.name);
                    }
                }
                (Some(Bug::OverridesAlone), Fact::Gate(_, _, _, event)) if !closes => {
                    overridden = override_it(event);
                }
                (Some(Bug::ForgetsASentBackStep), Fact::Step(_, _, StepEvent::SentBack)) if !forgotten => {
                    (forgotten, times) = (true, 0);
                }
                _ => {}
            }
            for _ in 0..times {
                if believes {
                    self.world.apply(believed.as_ref().unwrap_or(&event));
                }
                out.push(event.clone());
            }
            if let Some(closed) = closes_it(&event).filter(|_| overridden) {
                self.world.apply(&closed);
                out.push(closed);
            }
        }
        Ok(())
    }

    /// The event that the engine believes, if it differs from the recorded one.
    fn believed(&self, event: &Event) -> Option<Event> {
        match self.bug {
            Some(Bug::UndoesForTheOther) => as_a_retry(event),
            Some(Bug::ForgetsWhichFallback) => without_fallbacks(event),
            Some(Bug::SaysItChoseAnother) => Some(event.clone()),
            Some(Bug::GivesTwiceForOneAsking) => with_another_claim(event),
            Some(Bug::ForgetsAnIdThatWasGiven) => under_another_id(event),
            _ => None,
        }
    }

    fn first_done(&self, of: RunId) -> Option<StepIx> {
        self.journal.iter().chain(&self.batch).find_map(|event| match &event.fact {
            Fact::Step(run, step, StepEvent::Completed { .. }) if *run == of => Some(*step),
            _ => None,
        })
    }

    /// The batch becomes durable; then, and only then, is anything done or answered.
    fn commit(&mut self) -> Result<(), Broken> {
        if !self.calm
            && !self.batch.is_empty()
            && self.tape.chance(self.faults.refuse)
            && self.is_given_up()?
        {
            return Ok(());
        }
        let mut batch = std::mem::take(&mut self.batch);
        if self.bug == Some(Bug::LosesTheLastEvent) && self.tape.chance(5) {
            batch.pop();
        }
        self.journal.extend(batch.iter().cloned());
        for event in &batch {
            self.checks.see(event, self.now)?;
        }
        self.checks.all_is_sent_back()?;
        self.checks.nothing_leads_around_a_gate()?;
        if self.faults.look_closely {
            self.checks.nothing_is_forgotten()?;
            if self.tape.chance(10) {
                self.past.push((self.journal.len(), self.world.fingerprint()));
            }
        }
        for (at, event) in batch.iter().enumerate() {
            if self.bug != Some(Bug::ActsBeforeTheCommit) {
                self.act(event)?;
            }
            if at % 8 == 7 && self.crashes() {
                return self.crash(0);
            }
        }
        self.acknowledged.extend(std::mem::take(&mut self.replies));
        if self.crashes() {
            let lost = if self.bug == Some(Bug::TrustsADiskThatLies) { batch.len() } else { 0 };
            return self.crash(lost);
        }
        Ok(())
    }

    /// The disk refuses a batch for a while. True when it was never written; else it is written now, as it was.
    fn is_given_up(&mut self) -> Result<bool, Broken> {
        if self.bug == Some(Bug::AnswersWhatItCouldNotWrite) {
            self.acknowledged.extend(self.replies.iter().cloned());
        }
        self.acknowledged_is_stored().map_err(|_| "I20 something was answered that could not be written")?;
        self.effects_have_intents()
            .map_err(|error| format!("I20 something was done that could not be written: {error}"))?;
        let held = Span::seconds(self.tape.below(3600));
        self.now = self.now + held;
        if self.bug == Some(Bug::ForgetsWhatItCouldNotWrite) {
            self.batch.clear();
            self.replies.clear();
            return Ok(true);
        }
        let dies = self.tape.chance(20);
        if dies {
            self.crash(0)?;
        }
        Ok(dies)
    }

    /// I1: what was answered is there.
    fn acknowledged_is_stored(&self) -> Result<(), Broken> {
        let stored: BTreeSet<&DecisionId> = self.journal.iter().filter_map(|event| recorded(event)).collect();
        ensure(
            self.acknowledged.iter().all(|decision| stored.contains(decision)),
            "I1 what was acknowledged is gone",
        )
    }

    /// Some of what is approved in an emergency is looked at later, by one or another.
    fn somebody_may_look(&mut self, run: RunId, gate: GateId) {
        let open = self.checks.open_gates().into_iter().find(|other| other.0 == gate);
        let owed = self.checks.owed().into_iter().rev().find(|row| row.1 == gate);
        let epoch = open.map(|gate| gate.1.epoch).or(owed.map(|owed| owed.2)).unwrap_or_default();
        for _ in 0..self.tape.below(3) {
            let (delay, who) = (self.tape.below(900), self.tape.index(PEOPLE.len()));
            self.later(delay, Item::Reviews { run, gate, epoch, who });
        }
    }

    /// I34: what was approved in an emergency can be reviewed by whoever was asked there then, and by nobody else, until
    /// somebody has, whatever its gate asks since.
    fn reviews_stay_due(&self) -> Result<(), Broken> {
        for (run, gate, epoch) in self.checks.owed() {
            for by in (0..PEOPLE.len()).map(person).chain([helper()]) {
                let (name, may) = (by.name.clone(), self.checks.may_review(gate, epoch, &by));
                let said = self.world.preview(review(run, gate, epoch, by), self.now);
                if said.is_ok() != may {
                    return Err(format!("I34 {name} reviews {gate} in epoch {epoch}: {said:?}"));
                }
            }
        }
        Ok(())
    }

    /// Carries out the requests of an event, and the reactions of people.
    fn act(&mut self, event: &Event) -> Result<(), Broken> {
        if let Fact::Gate(_, _, gate, GateEvent::Asked { ask, hash, .. }) = &event.fact {
            self.first_asks.entry(*gate).or_insert((ask.epoch, *hash));
            self.people_answer(*gate, ask, *hash);
        }
        match &event.fact {
            Fact::Gate(run, _, gate, GateEvent::GlassBroken(_)) => self.somebody_may_look(*run, *gate),
            // The answer may be lost on its way.
            Fact::Agent(AgentEvent::Leased { lease }) if self.calm || !self.tape.chance(10) => {
                self.works(lease);
            }
            Fact::Attempt(run, step, number, AttemptEvent::Started { launch, .. }) if launch.is_claimed() => {
                let id = AttemptId { run: *run, step: *step, number: *number };
                ensure(self.begun.insert(id, launch.hash()).is_none(), "I2 one attempt began twice")?;
            }
            _ => {}
        }
        match react(event) {
            Some(Effect::Call { attempt, launch, purpose, bound, .. }) => {
                if let Some(changed) = bound.and_then(|bound| self.changed(&bound)) {
                    return self.refuse_to_call(attempt, launch.hash(), changed);
                }
                self.call(attempt, &launch, purpose)?;
                if self.bug == Some(Bug::StartsEveryCallTwice) && self.tape.chance(2) {
                    self.call(attempt, &launch, purpose)?;
                }
                Ok(())
            }
            Some(Effect::Look { run, step, files, patterns, programs }) => {
                let facts = self.seen(&files, &patterns, &programs);
                self.later(1, Item::Says(Box::new(Command::FactsFetched { run, step, facts })));
                Ok(())
            }
            // Its answer is on its way.
            Some(
                Effect::Attach { .. } | Effect::Discard { .. } | Effect::End { .. } | Effect::Ring { .. },
            )
            | None => Ok(()),
        }
    }

    fn call(&mut self, id: AttemptId, made: &Launch, purpose: Purpose) -> Result<(), Broken> {
        let mut launch = made.hash();
        if self.bug == Some(Bug::RunsSomethingElse) && self.tape.chance(2) {
            launch = Digest::default();
        }
        ensure(self.begun.insert(id, launch).is_none(), "I2 one attempt began twice")?;
        let outcome = self.outcome(purpose, made);
        let delay = 1 + self.tape.below(120);
        let answer = |outcome: &Outcome, attempt| {
            Item::Says(Box::new(Command::AttemptEnded { attempt, outcome: Box::new(outcome.clone()) }))
        };
        let mut reported = id;
        if self.bug == Some(Bug::TakesALateAnswerForANewCall) && id.number > 1 {
            reported.number -= 1;
        }
        self.checks.answers.insert((reported, outcome.exit_code));
        self.later(delay, answer(&outcome, id));
        if !self.calm && self.tape.chance(self.faults.duplicate) {
            let again = self.outcome(purpose, made);
            self.checks.answers.insert((id, again.exit_code));
            let delay = self.tape.below(300);
            self.later(delay, answer(&again, id));
        }
        Ok(())
    }

    /// The facts that a look at the disk finds; now and then somebody has written to it.
    fn seen(&mut self, files: &[String], patterns: &[Vec<String>], programs: &[Program]) -> Facts {
        if !self.calm && self.tape.chance(self.faults.swap) {
            self.disk = self.disk.wrapping_add(1);
        }
        let digest = Digest([self.disk; 32]);
        let file =
            |path: &String| FileFact { path: path.clone(), digest: Some(digest), bytes: 1, problem: None };
        Facts {
            files: files.iter().map(file).collect(),
            hashes: patterns.iter().map(|pattern| (pattern.clone(), digest.to_string())).collect(),
            unhashed: Vec::new(),
            programs: programs.iter().map(|program| (program.clone(), vec![file(&program.word)])).collect(),
        }
    }

    fn changed(&mut self, bound: &Facts) -> Option<Vec<Changed>> {
        let files: Vec<String> = bound.files.iter().map(|file| file.path.clone()).collect();
        let patterns: Vec<Vec<String>> = bound.hashes.iter().map(|hash| hash.0.clone()).collect();
        let programs: Vec<Program> = bound.programs.iter().map(|program| program.0.clone()).collect();
        // In an emergency files are touched more than at other times, so that gates ask anew before anybody has reviewed it.
        if !self.calm && !self.checks.owed().is_empty() && self.tape.chance(60) {
            self.disk = self.disk.wrapping_add(1);
        }
        let changed = bound.changed_in(&self.seen(&files, &patterns, &programs));
        (!changed.is_empty()).then_some(changed)
    }

    fn refuse_to_call(&mut self, id: AttemptId, launch: Digest, changed: Vec<Changed>) -> Result<(), Broken> {
        ensure(self.begun.insert(id, launch).is_none(), "I2 one attempt began twice")?;
        let failure = Failure {
            mode: FailureMode::PolicySecurity,
            message: "changed".to_owned(),
            tail: String::new(),
            not_started: true,
        };
        let outcome = Outcome { failure: Some(failure), changed, ..Outcome::default() };
        self.checks.answers.insert((id, None));
        self.later(
            1,
            Item::Says(Box::new(Command::AttemptEnded { attempt: id, outcome: Box::new(outcome) })),
        );
        Ok(())
    }

    /// Tool calls that a model asks for: of an existing tool, of an unknown one, or with invalid arguments.
    fn asked(&mut self, made: &Launch) -> Option<Value> {
        made.model.as_ref()?;
        let call = |name: &str, given: Value| json!({"id": "c", "name": name, "arguments": given});
        let kinds = [
            call("a", json!({})),
            call("b", json!({"x": "${{ run.id }}"})),
            call("z", json!({})),
            call("a", Value::Null),
        ];
        let count = if self.calm { 0 } else { self.tape.below(4) };
        Some((0..count).map(|_| self.tape.pick(&kinds).clone()).collect())
    }

    fn outcome(&mut self, purpose: Purpose, made: &Launch) -> Outcome {
        let mut outcome = Outcome { exit_code: Some(0), ..Outcome::default() };
        let fails = !self.calm && self.tape.chance(self.faults.fail);
        if !fails {
            for (key, value) in [("n", "7"), ("confidence", "0.9"), ("status", "partial"), ("tokens", "6")] {
                let there = match key {
                    "n" => !self.tape.chance(10) || self.calm,
                    "confidence" => self.tape.chance(50),
                    "tokens" => self.tape.chance(15),
                    _ => self.tape.chance(3),
                };
                if there {
                    outcome.outputs.insert(key.to_owned(), value.into());
                }
            }
            outcome.outputs.extend(self.asked(made).map(|value| ("calls".to_owned(), value)));
            return outcome;
        }
        let code =
            if purpose == Purpose::Check { 1 + i32::try_from(self.tape.below(2)).expect("small") } else { 7 };
        let not_started = self.tape.chance(self.faults.not_started);
        let mode = *self.tape.pick(&[
            FailureMode::AgentLogic,
            FailureMode::SystemNetwork,
            FailureMode::SystemOom,
            FailureMode::UserCancelled,
        ]);
        outcome.exit_code = Some(code);
        outcome.failure = Some(Failure { mode, message: "no".to_owned(), tail: String::new(), not_started });
        outcome
    }

    fn people_answer(&mut self, gate: GateId, ask: &Ask, hash: Digest) {
        if self.calm {
            return;
        }
        for _ in 0..self.tape.below(4) {
            let who = self.tape.index(PEOPLE.len());
            let delay = self.tape.below(1200);
            let stale = self.tape.chance(self.faults.stale);
            let (epoch, hash) = if stale { self.first_asks[&gate] } else { (ask.epoch, hash) };
            let item = match self.tape.below(12) {
                0..9 => Item::Votes { gate, epoch, hash, who },
                9 | 10 if !ask.form.is_empty() => Item::Edits { gate, epoch, who },
                10 => Item::Delegates { gate, who },
                _ => Item::Withdraws { gate, who },
            };
            self.later(delay, item);
        }
    }

    /// The process dies: what was not stored is gone, what was in flight may or may not be heard of again.
    fn crash(&mut self, lost: usize) -> Result<(), Broken> {
        self.batch.clear();
        self.replies.clear();
        self.journal.truncate(self.journal.len() - lost);
        self.acknowledged_is_stored()?;
        self.effects_have_intents()?;
        if self.has_agents {
            self.agents.again(&self.journal);
        }
        let found = self.found();
        let keep = self.faults.late_after_crash;
        let queue = std::mem::take(&mut self.queue);
        for (at, item) in queue {
            let from_outside = matches!(&item, Item::Says(command) if matches!(**command, Command::AttemptEnded { .. } | Command::FactsFetched { .. }));
            let is_told = matches!(&item, Item::Says(command) if matches!(&**command, Command::AttemptEnded { attempt, .. } if found.contains(&(*attempt, Found::Running))));
            if !from_outside || is_told || self.tape.chance(keep) {
                self.queue.insert(at, item);
            }
        }
        self.world = match self.bug {
            Some(Bug::ForgetsWhoHasWork) => {
                let leased = |event: &Event| matches!(event.fact, Fact::Agent(AgentEvent::Leased { .. }));
                fold(&self.journal.iter().filter(|event| !leased(event)).cloned().collect::<Vec<_>>())
            }
            _ => fold(&self.journal),
        };
        let away = Span::seconds(self.tape.below(600));
        self.now = self.now + away;
        if self.bug != Some(Bug::ForgetsToRecover) {
            self.command_at(Command::Recover { away, found, taken: None }, self.now)?;
        }
        if self.bug == Some(Bug::AnswersDoubtsItself) {
            for (run, step) in self.checks.for_people().0 {
                let answer = DoubtAnswer::NotHappened;
                self.command_at(
                    Command::AnswerDoubt { run, step, answer, reason: "sure".to_owned(), by: person(1) },
                    self.now,
                )?;
            }
        }
        self.commit()
    }

    /// The guards' report on calls in flight: still running, ended, or never begun. Calls of a lost guard
    /// have no report.
    fn found(&mut self) -> Vec<(AttemptId, Found)> {
        let mut found = Vec::new();
        if self.calm || self.faults.adopt == 0 {
            return found;
        }
        for id in self.checks.flying() {
            // Its agent has it, wherever that is; no guard knows of it.
            if self.agents.is_open(id) {
                continue;
            }
            let is_lost = !self.tape.chance(self.faults.adopt);
            if is_lost && self.bug != Some(Bug::TakesALostGuardForNeverStarted) {
                continue;
            }
            if is_lost || !self.begun.contains_key(&id) {
                found.push((id, Found::NotStarted));
                if !is_lost {
                    self.checks.answers.insert((id, None));
                }
                continue;
            }
            let told = self.queue.iter().find_map(|(at, item)| match item {
                Item::Says(command) => match &**command {
                    Command::AttemptEnded { attempt, outcome } if *attempt == id => {
                        Some((*at, outcome.clone()))
                    }
                    _ => None,
                },
                _ => None,
            });
            let Some((at, outcome)) = told else { continue };
            if self.tape.chance(50) {
                found.push((id, Found::Running));
            } else {
                self.queue.remove(&at);
                found.push((id, Found::Ended(outcome)));
            }
        }
        found
    }

    /// I3: whatever began outside was written down before. I4: and it was that, and nothing else.
    fn effects_have_intents(&self) -> Result<(), Broken> {
        let mut intents = BTreeMap::new();
        for event in &self.journal {
            if let Fact::Attempt(run, step, number, AttemptEvent::Started { launch_hash, .. }) = &event.fact {
                intents.insert(AttemptId { run: *run, step: *step, number: *number }, *launch_hash);
            }
        }
        for (id, launched) in &self.begun {
            match intents.get(id) {
                None => return Err(format!("I3 {id} began without an intent")),
                Some(intent) => ensure(intent == launched, "I4 something else ran than was written down")?,
            }
        }
        Ok(())
    }

    /// No more faults, and people answer everything: now it must come to rest, in bounded time.
    fn liveness(&mut self) -> Result<(), Broken> {
        self.calm = true;
        let end = self.now + Span::seconds(30 * 24 * 3600);
        for _ in 0..2000 {
            while self.step()? {
                ensure(self.now < end, "I7 it goes on for ever")?;
                if self.checks.open_runs().is_empty() && self.queue.is_empty() {
                    break;
                }
            }
            if self.checks.open_runs().is_empty() {
                return Ok(());
            }
            if !self.somebody_helps()? {
                return Err(format!("I7 nobody can help, and it does not rest\n{}", self.checks.standing()));
            }
        }
        Err(format!("I7 it does not rest\n{}", self.checks.standing()))
    }

    /// Plays people who want the run to end. False when there is nothing left to do.
    fn somebody_helps(&mut self) -> Result<bool, Broken> {
        if self.somebody_works()? {
            return Ok(true);
        }
        let before = self.journal.len();
        let (doubts, stuck) = self.checks.for_people();
        for (run, step) in doubts {
            let vouches = self.bug == Some(Bug::LetsTheRequesterVouch);
            let by = if vouches { requester_unknown() } else { helper() };
            let command = self.doubt(run, step, by);
            self.command_at(command, self.now)?;
        }
        for (run, step) in stuck {
            let again = self.tape.chance(50);
            self.command_at(
                Command::SettleUndo { run, step, again, reason: "so".to_owned(), by: person(1) },
                self.now,
            )?;
        }
        for (run, paused) in self.checks.open_runs() {
            if paused {
                self.command_at(Command::Resume { run, by: person(1) }, self.now)?;
            }
        }
        self.commit()?;
        for (gate, ask, hash) in self.checks.open_gates() {
            for who in (0..PEOPLE.len()).rev() {
                let command = self.vote(gate, ask.epoch, hash, who);
                self.command_at(command, self.now)?;
            }
        }
        self.commit()?;
        if self.journal.len() == before && self.checks.flying().is_empty() {
            // Everybody who could answer has edited, or is excluded: the run is given up.
            for (gate, ask, _) in self.checks.open_gates() {
                let _ = gate;
                let command =
                    Command::Cancel { run: ask.run, by: person(1), reason: "stuck".to_owned(), undo: false };
                self.command_at(command, self.now)?;
            }
            self.commit()?;
        }
        Ok(self.journal.len() > before)
    }

    fn at_the_end(&mut self) -> Result<(), Broken> {
        self.effects_have_intents()?;
        self.checks.nothing_is_forgotten()?;
        self.reviews_stay_due()?;
        if !self.faults.look_closely && !self.tape.chance(4) {
            return Ok(());
        }
        ensure(
            fold(&self.journal).fingerprint() == self.world.fingerprint(),
            "I6 the journal tells of another world",
        )?;
        if self.faults.look_closely {
            let mut board = Board::default();
            for (at, event) in self.journal.iter().enumerate() {
                let unseen = self.bug == Some(Bug::ShowsTooLittle) && matches!(event.fact, Fact::Step(..));
                if !unseen || !self.tape.chance(5) {
                    board.apply(Seq(at as u64 + 1), event);
                }
            }
            self.checks.board_agrees(&board)?;
            if self.bug.is_none() {
                figures::agree(&self.journal, &board, self.now)?;
            }
        }
        let mut world = World::default();
        let mut past = self.past.iter().peekable();
        for (at, event) in self.journal.iter().enumerate() {
            world.apply(event);
            while let Some((_, then)) = past.next_if(|pair| pair.0 == at + 1) {
                ensure(world.fingerprint() == *then, "I18 the past looks different from here")?;
            }
        }
        Ok(())
    }
}

/// The decision that an event records.
fn recorded(event: &Event) -> Option<&DecisionId> {
    match &event.fact {
        Fact::Gate(_, _, _, GateEvent::Voted(vote) | GateEvent::GlassBroken(vote)) => Some(&vote.decision),
        _ => None,
    }
}

/// A gate that has let go calls, and says nothing of their fallbacks.
fn without_fallbacks(event: &Event) -> Option<Event> {
    let mut other = event.clone();
    match &mut other.fact {
        Fact::Step(_, _, StepEvent::Completed { released_fallbacks, .. })
            if !released_fallbacks.is_empty() =>
        {
            released_fallbacks.clear();
            Some(other)
        }
        _ => None,
    }
}

/// Work that is given, for another asking than that of its agent.
fn with_another_claim(event: &Event) -> Option<Event> {
    let mut other = event.clone();
    match &mut other.fact {
        Fact::Agent(AgentEvent::Leased { lease }) => {
            lease.claim.push('x');
            Some(other)
        }
        _ => None,
    }
}

/// A message with another id than its sender gave.
fn under_another_id(event: &Event) -> Option<Event> {
    let mut other = event.clone();
    match &mut other.fact {
        Fact::Bus(BusEvent::Said { message, .. }) if !message.named_by_engine => {
            Arc::make_mut(message).id.push('x');
            Some(other)
        }
        _ => None,
    }
}

fn asks(who: usize, ask: AgentAsk) -> Command {
    Command::Agent { ask: Box::new(ask), by: agents::actor(who) }
}

fn review(run: RunId, gate: GateId, epoch: Epoch, by: Actor) -> Command {
    Command::ReviewGlass { run, gate, epoch, reason: "it was right".to_owned(), by }
}

/// Makes an override of an approval; whether it was one.
fn override_it(event: &mut GateEvent) -> bool {
    let GateEvent::Voted(vote) = event else { return false };
    let is_yes = vote.verdict == Verdict::Approve;
    if is_yes {
        *event = GateEvent::Overridden(vote.clone());
    }
    is_yes
}

/// The gate of an event, closed as overridden.
fn closes_it(event: &Event) -> Option<Event> {
    let Fact::Gate(run, step, gate, _) = event.fact else { return None };
    let by = "override".to_owned();
    let closed = GateEvent::Resolved { state: GateState::Approved, by, form: ValueMap::new() };
    Some(Event { at: event.at, fact: Fact::Gate(run, step, gate, closed) })
}

/// A fork, told as a retry.
fn as_a_retry(event: &Event) -> Option<Event> {
    let mut other = event.clone();
    match &mut other.fact {
        Fact::Run(_, RunEvent::Created { cause, .. }) => match cause {
            CauseOfLaunch::Fork { of, .. } => {
                *cause = CauseOfLaunch::Retry { of: *of, from: RetryFrom::Failed, corrected: None };
                Some(other)
            }
            _ => None,
        },
        _ => None,
    }
}

fn ensure(holds: bool, say: &str) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(say.to_owned()) }
}

fn fold(journal: &[Arc<Event>]) -> World {
    let mut world = World::default();
    for event in journal {
        world.apply(event);
    }
    world
}
