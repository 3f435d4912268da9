//! The loop of the screen: with `look_up`, the only place here that waits. Whatever happens becomes one message, one after the other;
//! what `update` wants of the world is carried out; a frame is drawn when something changed, and never else.
//!
//! It runs on a thread of its own, so that a terminal that does not take its bytes stops nothing but the screen. It
//! knows nothing of what is on the screen.

mod frames;
mod options;
mod wishes;

pub use options::{ConsoleOptions, EditText, Leave, ReadThemes, SavePicture, ThemesByGround};

use crate::{
    Arranged, Ground, Link, Message, Model, Role, Seat, Theme, Themes, Wish,
    graph::arranger::Arranger,
    hangup::{self, HangupWatch},
    keymap::is_interrupt,
    terminal::{self, SCREEN_THREAD, Terminal},
    update,
};
use cuelight_base::{RunId, Span, Timestamp};
use cuelight_runtime::{Clock as _, Desk, Entropy, Seen, Signal, Signals, SystemClock, Trouble};
use frames::TURN;
use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot, watch},
};

/// The screen takes at most one part in so many of its thread: a board that is dear to show is shown more seldom.
const SHARE: u64 = 4;
/// Keys that were typed before there was a desk, heard when it is there.
const EARLY_MAX: usize = 64;

/// A screen that breaks down more often than this in a minute is not started again.
const BREAKS_MAX: usize = 3;

/// Shows the console until it is left; its first frame stands before the desk has come. When none comes it is left at once.
/// Runs go on, whatever becomes of the screen: one that breaks down gives the terminal back, is written down, and is
/// started again at the list of runs.
///
/// # Errors
/// When there is no terminal to show it on, or the screen broke down too often.
pub async fn run_console<D: Desk>(
    desk: oneshot::Receiver<(D, Seat)>,
    seat: Seat,
    mut options: ConsoleOptions,
) -> io::Result<Leave> {
    let (mut run, mut note) = (options.run, options.note.take());
    let (mut desk, met) = (Some(desk), Met::<D>::default());
    let (options, clock) = (Arc::new(options), SystemClock);
    let mut breaks: Vec<Timestamp> = Vec::new();
    loop {
        let there = met.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let coming = match (desk.take(), there) {
            (Some(coming), _) => coming,
            (None, Some(there)) => {
                let (arrives, coming) = oneshot::channel();
                // Its other end is in our hands.
                drop(arrives.send(there));
                coming
            }
            (None, None) => {
                let text = "the screen broke down before its engine was there; open it again";
                return Err(io::Error::other(text));
            }
        };
        let first = First { run: run.take(), note: note.take(), met: Arc::clone(&met) };
        let ended = on_a_thread(coming, seat.clone(), Arc::clone(&options), first).await;
        let broken = match ended {
            Ok(Ended::Left(leave)) => return Ok(leave),
            // Wherever it was just then: it is no fault of the screen, and ends no run.
            Ok(Ended::Broke(_)) | Err(_) if hangup::has_gone() => {
                hangup::let_go()?;
                return Ok(Leave::HungUp);
            }
            Ok(Ended::Broke(what)) => what,
            Err(why) => return Err(why),
        };
        let now = clock.now();
        breaks.retain(|moment| now.since(*moment) < Span::seconds(60));
        breaks.push(now);
        let place = (options.crashes)(&format!("crash-{}.txt", now.0), &broken);
        let kept = place.map_or_else(|why| why, |place| format!("it is written down in {place}"));
        if breaks.len() > BREAKS_MAX {
            let text = format!("the screen broke down again and again: {broken}; {kept}; the runs go on");
            return Err(io::Error::other(text));
        }
        let text = format!(
            "The screen broke down and was started again; the engine and its runs were not touched.\n\n{broken}\n\n{kept}"
        );
        note = Some(("the screen broke down".to_owned(), text));
    }
}

/// The desk that has come, for the next screen when this one breaks down.
type Met<D> = Arc<Mutex<Option<(D, Seat)>>>;

/// State in which a screen starts.
struct First<D> {
    run: Option<RunId>,
    note: Option<(String, String)>,
    met: Met<D>,
}

/// The end of a screen.
enum Ended {
    Left(Leave),
    /// It broke down, and what was said.
    Broke(String),
}

/// One screen, on a thread of its own.
async fn on_a_thread<D: Desk>(
    desk: oneshot::Receiver<(D, Seat)>,
    seat: Seat,
    options: Arc<ConsoleOptions>,
    first: First<D>,
) -> io::Result<Ended> {
    let (done, ended) = oneshot::channel();
    let screen = move || {
        let outcome = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .and_then(|runtime| runtime.block_on(Screen::run(desk, seat, options, first)));
        // Nobody waits any more when the program is ending.
        drop(done.send(outcome));
    };
    let thread = std::thread::Builder::new().name(SCREEN_THREAD.to_owned()).spawn(screen)?;
    let outcome = ended.await;
    let joined = thread.join();
    match (outcome, joined) {
        (Ok(outcome), _) => outcome.map(Ended::Left),
        (Err(_), _) => Ok(Ended::Broke(terminal::last_panic())),
    }
}

/// Everything the loop holds.
struct Screen<D> {
    /// Nothing is asked of it before it is there.
    desk: Option<D>,
    met: Met<D>,
    model: Model,
    options: Arc<ConsoleOptions>,
    theme: Theme,
    /// The theme's name and the themes that `theme` was made from.
    themed: (String, Arc<Themes>),
    /// Problems of the user's themes that were already reported.
    told_of_themes: Vec<String>,
    titled: String,
    terminal: Terminal,
    clock: SystemClock,
    entropy: Entropy,
    answers: FuturesUnordered<BoxFuture<'static, Message>>,
    /// Thread that arranges large graphs, and the channel of its pictures; started on first use.
    pictures: Option<(Arranger, mpsc::Receiver<(u64, Arranged)>)>,
    /// When the last one was asked for.
    arranging: Timestamp,
    drawn: Timestamp,
    /// When the frames so far would have been drawn, one after the other.
    paced: Timestamp,
    /// Between two frames, by what the last one cost.
    pace: Span,
    /// True if there is a newer board than the one shown.
    has_news: bool,
    is_dirty: bool,
    is_urgent: bool,
    signs: TurningSigns,
    /// Changes since the last frame that had to wait for the next.
    skipped: u64,
    /// Text that waits for the operator's own editor.
    edit: Option<String>,
    /// True if the program is to be stopped until its shell continues it.
    suspends: bool,
    leave: Option<Leave>,
}

/// The cells with animated signs.
#[derive(Default)]
struct TurningSigns {
    cells: Vec<(u16, u16)>,
    phase: usize,
    /// The time of the last change.
    turned: Timestamp,
}

impl<D: Desk> Screen<D> {
    async fn run(
        desk: oneshot::Receiver<(D, Seat)>,
        seat: Seat,
        options: Arc<ConsoleOptions>,
        first: First<D>,
    ) -> io::Result<Leave> {
        let clock = SystemClock;
        let (gone_sender, gone) = mpsc::channel(1);
        let _watch = HangupWatch::start(move || {
            let _told_already = gone_sender.try_send(());
        })?;
        let terminal = Terminal::enter()?;
        if first.note.is_some() {
            Terminal::forget_typed()?;
        }
        let keys = Arc::new(options.keys.clone());
        let mut look = options.look.clone();
        if let Some(themes) = &options.by_ground {
            look.theme = match terminal.ground(|| clock.now())?.unwrap_or(themes.otherwise) {
                Ground::Dark => themes.dark.clone(),
                Ground::Light => themes.light.clone(),
            };
        }
        let mut model =
            Model::new(seat, look, keys, terminal::size(), clock.now()).with_secret(Entropy.seed());
        model.link = Link::Opening;
        if let Some(run) = first.run {
            model.look_at(run);
        }
        let mut screen = Self {
            desk: None,
            met: first.met,
            model,
            theme: Theme::default(),
            themed: (String::new(), Arc::default()),
            told_of_themes: Vec::new(),
            titled: String::new(),
            options,
            terminal,
            clock,
            entropy: Entropy,
            answers: FuturesUnordered::new(),
            pictures: None,
            arranging: Timestamp::default(),
            drawn: Timestamp::default(),
            paced: Timestamp::default(),
            pace: Span::default(),
            has_news: true,
            is_dirty: true,
            is_urgent: true,
            signs: TurningSigns::default(),
            skipped: 0,
            edit: None,
            suspends: false,
            leave: None,
        };
        screen.read_themes()?;
        if let Some(hint) = screen.options.hint.clone() {
            update::hint(&mut screen.model, &hint);
        }
        if let Some((title, text)) = first.note {
            screen.take(Message::Note { title, text }, true)?;
        }
        let leave = match screen.turn(desk, gone).await {
            Err(why) if hangup::is_it(&why) => Ok(Leave::HungUp),
            leave => leave,
        };
        if matches!(leave, Ok(Leave::HungUp)) {
            drop(screen);
            hangup::let_go()?;
        }
        leave
    }

    /// Takes the place that has come, and tells what is to be known of it.
    fn sit(&mut self, desk: &D, seat: Seat) {
        self.desk = Some(desk.clone());
        *self.met.lock().unwrap_or_else(PoisonError::into_inner) = Some((desk.clone(), seat.clone()));
        self.model.seat = seat;
        if let Some(at) = &self.model.seat.answers_at {
            let text = format!("answering at {at}, described at {at}/openapi.json");
            update::toast(&mut self.model, &text, Role::Info);
        }
    }

    /// One wait over everything that can happen, until somebody leaves.
    async fn turn(
        &mut self,
        mut coming: oneshot::Receiver<(D, Seat)>,
        mut gone: mpsc::Receiver<()>,
    ) -> io::Result<Leave> {
        self.show()?;
        let clock = self.clock;
        let listen = || terminal::messages(move || clock.now());
        let mut keys = listen();
        let mut hangup = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut quit = signal(SignalKind::quit())?;
        let mut stop = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?;
        let mut early = Vec::new();
        let (desk, seat) = loop {
            tokio::select! {
                met = &mut coming => match met {
                    Ok(met) => break met,
                    Err(_) => return Ok(Leave::Left),
                },
                message = keys.next() => match message {
                    Some(Message::Key { press, .. }) if is_interrupt(press) => return Ok(Leave::Left),
                    Some(message) => early.extend(Some(message).filter(|_| early.len() < EARLY_MAX)),
                    None => return Ok(Leave::HungUp),
                },
                _ = gone.recv() => return Ok(Leave::HungUp),
                _ = hangup.recv() => return Ok(Leave::HungUp),
                _ = terminate.recv() => return Ok(Leave::Signalled),
                _ = quit.recv() => return Ok(Leave::Signalled),
            }
        };
        let mut boards = desk.boards();
        let mut listening = None;
        let mut output = None;
        self.sit(&desk, seat);
        self.news(&mut boards)?;
        for message in early {
            self.take(message, true)?;
        }
        loop {
            let missed = output.as_mut().map_or(0, Signals::take_missed);
            if missed > 0 {
                self.take(Message::Behind(missed), false)?;
            }
            if self.has_news && self.until_frame() == Span(0) {
                self.news(&mut boards)?;
            }
            self.show()?;
            if let Some(leave) = self.leave {
                return Ok(leave);
            }
            if let Some(text) = self.edit.take() {
                // Two readers would share what is typed.
                drop(keys);
                let edited = self.terminal.lend(|| (self.options.edit)(&text))?;
                keys = listen();
                self.resized()?;
                self.take(Message::Edited(edited), true)?;
                continue;
            }
            if self.suspend().await? {
                continue;
            }
            let wait = self.wait();
            if listening != self.model.listens() {
                listening = self.model.listens();
                output = listening.map(|run| desk.signals(Some(run)));
            }
            tokio::select! {
                message = keys.next() => match message {
                    Some(message) => self.take(message, true)?,
                    None => return Ok(Leave::HungUp),
                },
                changed = boards.changed() => match changed {
                    Ok(()) => (self.has_news, self.is_dirty) = (true, true),
                    Err(_) => self.take(Message::Link(lost("the engine has ended", clock.now())), false)?,
                },
                Some(message) = self.answers.next(), if !self.answers.is_empty() => self.take(message, true)?,
                made = next_picture(&mut self.pictures), if self.pictures.is_some() => match made {
                    Some((request, arranged)) => {
                        let at = clock.now();
                        let took = at.since(self.arranging);
                        self.take(Message::Arranged { request, arranged, took, at }, true)?;
                    }
                    None => drop(self.pictures.take()),
                },
                heard = next_of(&mut output), if output.is_some() => match heard.as_deref() {
                    Some(Signal::Output { attempt, from, bytes, at }) => {
                        let (bytes, came) = (bytes.as_slice().into(), *at);
                        self.take(Message::Output { attempt: *attempt, from: *from, bytes, came }, false)?;
                    }
                    // What rings is seen on the board.
                    Some(Signal::Ring { .. }) => {}
                    None => output = None,
                },
                () = tokio::time::sleep(wait.unwrap_or_default().to_std()), if wait.is_some() => {
                    self.wake()?;
                }
                _ = gone.recv() => return Ok(Leave::HungUp),
                _ = hangup.recv() => return Ok(Leave::HungUp),
                _ = terminate.recv() => return Ok(Leave::Signalled),
                _ = quit.recv() => return Ok(Leave::Signalled),
                _ = stop.recv() => self.carry_out(Wish::Suspend)?,
            }
        }
    }

    /// Stops the program until its shell continues it, where that was asked, and draws all again.
    async fn suspend(&mut self) -> io::Result<bool> {
        if !std::mem::take(&mut self.suspends) {
            return Ok(false);
        }
        let mut continued = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
        terminal::suspend()?;
        continued.recv().await;
        self.terminal.resume()?;
        self.resized()?;
        Ok(true)
    }

    fn resized(&mut self) -> io::Result<()> {
        let (width, height) = terminal::size();
        self.take(Message::Resize { width, height }, true)
    }

    /// Time until the next work if no message arrives.
    fn wait(&self) -> Option<Span> {
        let now = self.clock.now();
        let moves = self.model.deadline().map(|deadline| deadline.since(now));
        let frame = (self.is_dirty || self.has_news).then(|| self.until_frame());
        let turns = self.turns().then(|| Span(TURN.0.saturating_sub(now.since(self.signs.turned).0)));
        [moves, frame, turns].into_iter().flatten().min().map(|moves| moves.max(Span(1)))
    }

    /// After a wait in which nothing happened: signs turn, and what goes by the clock goes on.
    fn wake(&mut self) -> io::Result<()> {
        self.turn_signs()?;
        let now = self.clock.now();
        let is_due = self.model.deadline().is_some_and(|deadline| deadline <= now);
        if is_due || self.is_dirty || self.has_news { self.take(Message::Tick(now), false) } else { Ok(()) }
    }

    /// Takes the newest board: when it is time for a frame, so that many changes cost one look.
    fn news(&mut self, boards: &mut watch::Receiver<Seen>) -> io::Result<()> {
        let began = self.clock.now();
        let seen = boards.borrow_and_update().clone();
        self.see(seen)?;
        self.has_news = false;
        self.pace = Span(self.clock.now().since(began).0 * SHARE);
        Ok(())
    }

    /// Themes of the user's own are read again when its user comes back to the terminal: who changes one does so
    /// elsewhere. Nothing is watched meanwhile.
    fn read_themes(&mut self) -> io::Result<()> {
        let (themes, problems) = (self.options.themes)();
        let is_told = problems == self.told_of_themes;
        if is_told && *self.model.look.themes == themes {
            return Ok(());
        }
        self.told_of_themes.clone_from(&problems);
        let problems = if is_told { Vec::new() } else { problems };
        self.take(Message::Themes { themes: Arc::new(themes), problems }, false)
    }

    fn see(&mut self, seen: Seen) -> io::Result<()> {
        let now = self.clock.now();
        let link = match seen.trouble {
            None => Link::Live,
            Some(Trouble::Holding(why) | Trouble::Stopped(why) | Trouble::TakenOver(why)) => {
                Link::Unwritten { why }
            }
            Some(Trouble::Unheard(why)) => Link::Unheard { why },
            Some(Trouble::Strays(why)) => Link::Strays { why },
            Some(Trouble::Lost(why)) => match &self.model.link {
                Link::Lost { since, .. } => Link::Lost { since: *since, why },
                Link::Opening
                | Link::Live
                | Link::Unwritten { .. }
                | Link::Unheard { .. }
                | Link::Strays { .. }
                | Link::Unowned => lost(&why, now),
            },
            Some(Trouble::Unowned) => Link::Unowned,
        };
        self.take(Message::Tick(now), false)?;
        self.take(Message::Link(link), false)?;
        self.take(Message::Board(seen.board), false)
    }

    /// One message, and all that follows from it.
    fn take(&mut self, message: Message, is_urgent: bool) -> io::Result<()> {
        let comes_back = matches!(message, Message::Focus(true));
        for wish in update(&mut self.model, message) {
            self.carry_out(wish)?;
        }
        if comes_back {
            self.read_themes()?;
        }
        self.is_dirty = true;
        self.is_urgent |= is_urgent;
        Ok(())
    }
}

/// The next signal of the run whose output is shown; None when there will be no more.
async fn next_of(signals: &mut Option<Signals>) -> Option<Arc<Signal>> {
    match signals {
        Some(signals) => signals.next().await,
        None => None,
    }
}

/// The next picture that was made; nothing when their maker broke down.
async fn next_picture(
    pictures: &mut Option<(Arranger, mpsc::Receiver<(u64, Arranged)>)>,
) -> Option<(u64, Arranged)> {
    match pictures {
        Some((_, made)) => made.recv().await,
        None => None,
    }
}

fn lost(why: &str, since: Timestamp) -> Link {
    Link::Lost { since, why: why.to_owned() }
}
