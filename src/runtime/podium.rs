//! The loop around the conductor: gather, decide, append, release. All waiting of the engine is done here.
//!
//! Commands that arrive while a batch is being synced are the next batch: no timer, no tuning. The effects of a batch
//! leave when that one is on disk, while the next one is being written; where nothing waits, at once. When the append fails for want
//! of room, the same batch is appended again until it succeeds; people who ask meanwhile are told so, results of calls
//! wait. After any other failure nothing is decided any more: memory is ahead of the disk and worth nothing.

use super::{
    Clock, Conductor, Reply, Request, Seen, Trouble, Turn,
    answered::{Answered, Key},
};
use cuelight_base::{AttemptId, BATCH_COMMANDS_MAX, RunId, Seq, Span, Timestamp};
use cuelight_engine::{Command, Effect, Event, Found, Refusal, TakeOver};
use cuelight_store::{AppendError, Appended, Batch};
use std::{collections::VecDeque, future::Future, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// Between two tries to append to a full disk.
const HOLD_PAUSE: Duration = Duration::from_secs(1);
/// The longest sleep towards a deadline: a suspended machine or a clock that was set is noticed after this.
const NAP_MAX: Span = Span::seconds(60);
/// The longest sleep while time alone can approve a gate: a stop that is no longer than a sleep is not noticed.
const APPROVING_NAP_MAX: Span = Span::seconds(5);
/// The loop did not run for as long as this when it was not asleep: the process was stopped, the machine slept, the disk was
/// full, or the clock was set forward.
const STALL_MIN: Span = Span::seconds(2);
/// When the world asked to be woken and then did nothing, it is not asked again for so long.
const IDLE_WAKE_PAUSE: Span = Span::seconds(1);

/// The part of the log that the loop needs.
pub trait JournalPort: Send + 'static {
    /// Appends all or nothing, and returns when it is safe.
    fn append(&mut self, batch: Arc<Batch>) -> impl Future<Output = Result<Appended, AppendError>> + Send;

    /// All events of a run that ended so long ago that it is no longer in memory.
    fn history(&mut self, run: RunId) -> impl Future<Output = Result<Vec<(Seq, Event)>, String>> + Send;

    /// True if the disk accepts writes again; called between two tries.
    fn has_room(&mut self) -> impl Future<Output = bool> + Send;
}

/// Carries out effects. It must not wait: a result that takes time comes back as a command.
pub trait Hands: Send + 'static {
    /// Begins to carry out the effect.
    fn carry(&mut self, effect: Effect);

    /// The result of this call has arrived.
    fn ended(&mut self, attempt: AttemptId);

    /// That result is on disk: what was kept of it elsewhere is not needed any more.
    fn recorded(&mut self, attempt: AttemptId) {
        let _ = attempt;
    }
}

/// A message to the loop.
#[derive(Debug)]
pub enum Inbound {
    /// Somebody asks, who has been stamped.
    Asked {
        /// The request to decide.
        request: Request,
        /// Gets the answer; who no longer waits for it gets none.
        reply: oneshot::Sender<Reply>,
    },
    /// Somebody wants to know what would happen.
    Preview {
        /// If this were asked.
        command: Command,
        /// Receives the answer of the preview.
        reply: oneshot::Sender<Result<Vec<Event>, Refusal>>,
    },
    /// The loud half says what has come of something.
    Told(Command),
}

/// The waiting sender of a request, and the key under which it may ask for the answer again.
type Waiting = Option<(Option<Key>, oneshot::Sender<Reply>)>;

/// The loop and all it holds.
pub struct Podium<J, C, H> {
    /// Decides what happens, event by event.
    pub conductor: Conductor,
    /// The log to write to.
    pub journal: J,
    /// Source of the current time.
    pub clock: C,
    /// Carries out the effects of decisions.
    pub hands: H,
    /// Receives messages to the loop.
    pub inbox: mpsc::Receiver<Inbound>,
    /// Publishes the board to watchers.
    pub seen: watch::Sender<Seen>,
    /// Cancelled when the loop must stop.
    pub closing: CancellationToken,
    /// The state of each call that was in flight when the log was left.
    pub found: Vec<(AttemptId, Found)>,
    /// When the log was not left but taken.
    pub taken: Option<Box<TakeOver>>,
}

impl<J: JournalPort, C: Clock, H: Hands> Podium<J, C, H> {
    /// Takes up the log, then goes on until it is told to stop, nobody can ask any more, or nothing can be written.
    pub async fn run(self) {
        let mut at_work = AtWork {
            podium: self,
            answered: Answered::default(),
            late: VecDeque::new(),
            idle: false,
            due: None,
            looked: None,
            stalled: false,
        };
        let (seq, now) = (at_work.podium.conductor.seq(), at_work.podium.clock.now());
        if seq > Seq(0) {
            let away = at_work.podium.conductor.world().away(now);
            let found = std::mem::take(&mut at_work.podium.found);
            let taken = at_work.podium.taken.take();
            let recover = vec![(Command::Recover { away, found, taken }, None)];
            if at_work.play(recover).await.is_err() {
                return at_work.refuse_all().await;
            }
        }
        while let Some(inbound) = at_work.next().await {
            let commands = at_work.gather(inbound).await;
            if at_work.play(commands).await.is_err() {
                return at_work.refuse_all().await;
            }
        }
        at_work.release();
    }
}

struct AtWork<J, C, H> {
    podium: Podium<J, C, H>,
    answered: Answered,
    /// Arrived while a batch was held back, or twice in one batch.
    late: VecDeque<Inbound>,
    /// True if the last `Wake` led to nothing.
    idle: bool,
    /// A batch that is on disk and whose effects were not released yet.
    due: Option<Due>,
    /// When the loop ran last: by the calendar, and by the time that the machine has been up.
    looked: Option<(Timestamp, Span)>,
    /// True after the loop did not run for a while.
    stalled: bool,
}

/// A batch that is on disk.
struct Due {
    turn: Turn<Waiting>,
    /// Position in the log; `None` when there was nothing to record.
    appended: Option<Appended>,
    /// The calls whose ends are in it.
    ended: Vec<AttemptId>,
}

impl Due {
    /// Releases the effects of the batch. The board comes first, since a new call may look up its place on
    /// it.
    fn release<H: Hands>(
        self,
        conductor: &mut Conductor,
        seen: &watch::Sender<Seen>,
        hands: &mut H,
        (answered, now): (&mut Answered, Timestamp),
    ) {
        let released = match self.appended {
            Some(appended) => {
                let released = conductor.committed(self.turn, appended);
                let board = Arc::clone(&released.board);
                seen.send_modify(|seen| seen.board = board);
                released
            }
            None => conductor.nothing_to_record(self.turn),
        };
        for effect in released.effects {
            hands.carry(effect);
        }
        self.ended.into_iter().for_each(|attempt| hands.recorded(attempt));
        answer(answered, released.replies, now);
    }
}

fn answer(answered: &mut Answered, replies: Vec<(Waiting, Reply)>, now: Timestamp) {
    for (waiting, reply) in replies {
        if let Some((key, sender)) = waiting {
            if let Some(key) = key {
                answered.keep(key, &reply, now);
            }
            drop(sender.send(reply));
        }
    }
}

/// Nothing can be written any more, or it is time to go.
struct Over;

impl<J: JournalPort, C: Clock, H: Hands> AtWork<J, C, H> {
    /// Waits for the first thing of a batch.
    async fn next(&mut self) -> Option<Inbound> {
        if let Some(inbound) = self.late.pop_front() {
            return Some(inbound);
        }
        if self.due.is_some() && !self.podium.closing.is_cancelled() {
            if let Ok(inbound) = self.podium.inbox.try_recv() {
                return Some(inbound);
            }
            self.release();
        }
        loop {
            let nap = self.nap();
            self.looks(Span::default());
            if self.is_to_be_told_of_a_stall() {
                return Some(Inbound::Told(Command::Stalled));
            }
            tokio::select! {
                biased;
                () = self.podium.closing.cancelled() => return None,
                inbound = self.podium.inbox.recv() => {
                    self.looks(nap.unwrap_or(Span(u64::MAX)));
                    return inbound;
                }
                () = sleep(nap.unwrap_or_default().to_std()), if nap.is_some() => {
                    self.looks(nap.unwrap_or_default());
                    if self.is_to_be_told_of_a_stall() {
                        return Some(Inbound::Told(Command::Stalled));
                    }
                    let due = self.podium.conductor.deadline().is_some_and(|deadline| deadline <= self.podium.clock.now());
                    if due {
                        return Some(Inbound::Told(Command::Wake));
                    }
                }
            }
        }
    }

    /// Notes that the loop runs, and whether it should have run earlier than after this sleep.
    fn looks(&mut self, asleep: Span) {
        let now = (self.podium.clock.now(), self.podium.clock.uptime());
        let Some((then, up)) = self.looked.replace(now) else { return };
        let gone = now.0.since(then).0.max(now.1.0.saturating_sub(up.0));
        self.stalled |= gone > asleep.0.saturating_add(STALL_MIN.0);
    }

    /// True once after each stall in which time could have approved a gate.
    fn is_to_be_told_of_a_stall(&mut self) -> bool {
        std::mem::take(&mut self.stalled) && self.podium.conductor.world().approves_by_time()
    }

    /// Nothing is held back any more.
    fn release(&mut self) {
        if let Some(due) = self.due.take() {
            let Podium { conductor, seen, hands, clock, .. } = &mut self.podium;
            due.release(conductor, seen, hands, (&mut self.answered, clock.now()));
        }
    }

    /// Time until the next deadline.
    fn nap(&self) -> Option<Span> {
        let floor = if self.idle { IDLE_WAKE_PAUSE } else { Span::default() };
        let deadline = self.podium.conductor.deadline()?;
        let approves = self.podium.conductor.world().approves_by_time();
        let longest = if approves { APPROVING_NAP_MAX } else { NAP_MAX };
        Some(deadline.since(self.podium.clock.now()).min(longest).max(floor))
    }

    /// Everything that has arrived, up to one batch; previews are answered on the way.
    async fn gather(&mut self, first: Inbound) -> Vec<(Command, Waiting)> {
        let (mut commands, mut twice) = (Vec::new(), Vec::new());
        let now = self.podium.clock.now();
        if let Some(first) = self.recall_for(first).await {
            self.take(first, now, &mut commands, &mut twice);
        }
        while commands.len() < BATCH_COMMANDS_MAX {
            let late = self.late.pop_front();
            let Some(inbound) = late.or_else(|| self.podium.inbox.try_recv().ok()) else { break };
            if let Some(inbound) = self.recall_for(inbound).await {
                self.take(inbound, now, &mut commands, &mut twice);
            }
        }
        if self.is_to_be_told_of_a_stall() {
            // Before time does anything.
            let first =
                commands.iter().position(|command| command.0 == Command::Wake).unwrap_or(commands.len());
            commands.insert(first, (Command::Stalled, None));
        }
        if !commands.is_empty() && self.podium.conductor.deadline().is_some_and(|deadline| deadline <= now) {
            commands.push((Command::Wake, None));
        }
        self.late.extend(twice);
        commands
    }

    /// Brings back the run that somebody asks about, if it rested long ago; who asks is told when it cannot be read.
    async fn recall_for(&mut self, inbound: Inbound) -> Option<Inbound> {
        let command = match &inbound {
            Inbound::Asked { request, .. } => &request.command,
            Inbound::Preview { command, .. } => command,
            Inbound::Told(_) => return Some(inbound),
        };
        let run = command.run();
        // What was decided about a run is known to the board, and to whoever asks what would happen, when it has left.
        if run.is_some() || matches!(inbound, Inbound::Preview { .. }) {
            self.release();
        }
        let Some(run) = self.podium.conductor.lacks(run) else { return Some(inbound) };
        match self.podium.journal.history(run).await {
            Ok(events) => self.podium.conductor.recall(run, &events),
            Err(why) => {
                turn_away(inbound, &why);
                return None;
            }
        }
        Some(inbound)
    }

    fn take(
        &mut self,
        inbound: Inbound,
        now: Timestamp,
        commands: &mut Vec<(Command, Waiting)>,
        twice: &mut Vec<Inbound>,
    ) {
        match inbound {
            Inbound::Preview { command, reply } => {
                drop(reply.send(self.podium.conductor.preview(command, now)));
            }
            Inbound::Told(command) => {
                if let Command::AttemptEnded { attempt, .. } | Command::AttemptLost { attempt, .. } = &command
                {
                    self.podium.hands.ended(*attempt);
                }
                commands.push((command, None));
            }
            Inbound::Asked { request, reply } => {
                let key =
                    (!request.id.is_once()).then(|| Key::of(request.command.actor(), request.id.clone()));
                // The same may have been asked in the batch before.
                if key.is_some() {
                    self.release();
                }
                let is_it = |who: &Waiting| who.as_ref().is_some_and(|(other, _)| *other == key);
                let pending = key.is_some() && commands.iter().any(|(_, who)| is_it(who));
                if let Some(answer) = key.as_ref().and_then(|key| self.answered.find(key, now)) {
                    drop(reply.send(answer.clone()));
                } else if pending {
                    twice.push(Inbound::Asked { request, reply });
                } else {
                    commands.push((request.command, Some((key, reply))));
                }
            }
        }
    }

    /// Decides, appends and releases one batch.
    async fn play(&mut self, commands: Vec<(Command, Waiting)>) -> Result<(), Over> {
        let woken = commands.iter().any(|(command, _)| *command == Command::Wake);
        let ended: Vec<AttemptId> = commands.iter().filter_map(|(command, _)| ended(command)).collect();
        let (now, uptime) = (self.podium.clock.now(), self.podium.clock.uptime());
        let turn = self.podium.conductor.turn(commands, now, uptime);
        self.idle = woken && turn.is_empty();
        if turn.is_empty() {
            self.release();
            self.due = Some(Due { turn, appended: None, ended });
            self.release();
            return Ok(());
        }
        match self.append(&turn).await {
            Ok(appended) => {
                self.due = Some(Due { turn, appended: Some(appended), ended });
                Ok(())
            }
            Err(why) => {
                answer(&mut self.answered, turn.give_up(&why), self.podium.clock.now());
                Err(Over)
            }
        }
    }

    /// Writes a batch, and lets leave meanwhile what the one before it leads to.
    async fn write(&mut self, turn: &Turn<Waiting>) -> Result<Appended, AppendError> {
        let Podium { conductor, journal, seen, hands, clock, .. } = &mut self.podium;
        let (due, answered) = (self.due.take(), &mut self.answered);
        let writing = journal.append(Arc::clone(turn.batch()));
        let leaving = async {
            if let Some(due) = due {
                due.release(conductor, seen, hands, (answered, clock.now()));
            }
        };
        // In this order: it is handed to the writer first.
        tokio::join!(writing, leaving).0
    }

    /// Appends until it succeeds; on a full disk it waits for room.
    async fn append(&mut self, turn: &Turn<Waiting>) -> Result<Appended, String> {
        let mut holding = false;
        loop {
            match self.write(turn).await {
                Ok(appended) => {
                    if holding {
                        self.podium.seen.send_modify(|seen| seen.trouble = None);
                    }
                    return Ok(appended);
                }
                Err(error @ (AppendError::Fenced | AppendError::Fatal(_))) => {
                    let why = error.to_string();
                    let is_taken = error == AppendError::Fenced;
                    let trouble = if is_taken { Trouble::TakenOver } else { Trouble::Stopped };
                    self.podium.seen.send_modify(|seen| seen.trouble = Some(trouble(why.clone())));
                    return Err(why);
                }
                Err(error @ AppendError::NoSpace) => {
                    let why = error.to_string();
                    if !holding {
                        self.podium
                            .seen
                            .send_modify(|seen| seen.trouble = Some(Trouble::Holding(why.clone())));
                    }
                    holding = true;
                    self.hold(&why).await?;
                    while !self.podium.journal.has_room().await {
                        self.hold(&why).await?;
                    }
                }
            }
        }
    }

    /// Waits a while for room; people get an answer meanwhile, results of calls are kept.
    async fn hold(&mut self, why: &str) -> Result<(), String> {
        let pause = sleep(HOLD_PAUSE);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                biased;
                () = self.podium.closing.cancelled() => return Err(why.to_owned()),
                () = &mut pause => return Ok(()),
                inbound = self.podium.inbox.recv() => match inbound {
                    Some(Inbound::Told(command)) => self.late.push_back(Inbound::Told(command)),
                    Some(inbound) => turn_away(inbound, why),
                    None => return Err(why.to_owned()),
                },
            }
        }
    }

    /// Nothing is decided any more: each caller is told why, until the program ends.
    async fn refuse_all(mut self) {
        self.release();
        let why = match &self.podium.seen.borrow().trouble {
            Some(Trouble::Stopped(why) | Trouble::TakenOver(why) | Trouble::Holding(why)) => why.clone(),
            Some(Trouble::Lost(_) | Trouble::Unowned | Trouble::Unheard(_) | Trouble::Strays(_)) | None => {
                "could not record: it is closing".to_owned()
            }
        };
        for inbound in self.late.drain(..) {
            turn_away(inbound, &why);
        }
        loop {
            tokio::select! {
                biased;
                () = self.podium.closing.cancelled() => return,
                inbound = self.podium.inbox.recv() => match inbound {
                    Some(inbound) => turn_away(inbound, &why),
                    None => return,
                },
            }
        }
    }
}

/// The call whose end is told.
const fn ended(command: &Command) -> Option<AttemptId> {
    match command {
        Command::AttemptEnded { attempt, .. } | Command::AttemptLost { attempt, .. } => Some(*attempt),
        _ => None,
    }
}

fn turn_away(inbound: Inbound, why: &str) {
    match inbound {
        Inbound::Asked { reply, .. } => drop(reply.send(Reply::NotRecorded(why.to_owned()))),
        Inbound::Preview { reply, .. } => drop(reply.send(Err(Refusal::Other(why.to_owned())))),
        Inbound::Told(_) => {}
    }
}
