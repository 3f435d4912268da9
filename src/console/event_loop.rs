//! The loop of the screen: the only file here that waits. Whatever happens becomes one message, one after the other;
//! what `update` wants of the world is carried out; a frame is drawn when something changed, and never else.
//!
//! It runs on a thread of its own, so that a terminal that does not take its bytes stops nothing but the screen. It
//! knows nothing of what is on the screen.

use crate::{
    base::{DecisionId, RunId, Span, Timestamp},
    console::{
        Answer, Depth, Keymap, Link, LookOfScreen, Lookup, Message, Model, Seat, Sheet, Theme, Wish, draw,
        hangup::{self, HangupWatch},
        terminal::{self, SCREEN_THREAD, Terminal},
        update,
    },
    engine::Command,
    runtime::{
        Clock as _, Desk, Entropy, InputText, LaunchRequest, OutputPart, Page, Reply, Request, Seen, Signal,
        Signals, Source, SystemClock, Trouble, Want,
    },
};
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use ratatui::{buffer::Buffer, layout::Rect};
use std::{io, sync::Arc};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
};

/// Between two frames, unless a key asks for one.
const FRAME: Span = Span(33);
/// The same when nobody looks.
const FRAME_UNFOCUSED: Span = Span(500);

/// Saves a text under a name; returns where it is, or why it could not be saved.
pub type SavePicture = Box<dyn Fn(&str, &str) -> Result<String, String> + Send>;

/// How the console is opened.
pub struct ConsoleOptions {
    /// The name of a theme that is built in, or of `theme_file`.
    pub look: LookOfScreen,
    /// A theme of the user's own, read already.
    pub own_theme: Option<Theme>,
    /// How many colours the terminal has.
    pub depth: Depth,
    /// The key table.
    pub keys: Keymap,
    /// The run that is looked at first.
    pub run: Option<RunId>,
    /// Where pictures go.
    pub export: SavePicture,
}

/// Why the console ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Its user left.
    Left,
    /// Its terminal went away.
    HungUp,
    /// A signal asked the program to end.
    Signalled,
}

/// Shows the console at a desk until it is left. Runs go on, whatever becomes of the screen.
///
/// # Errors
/// When there is no terminal to show it on, or the screen broke down.
pub async fn run_console<D: Desk>(desk: D, seat: Seat, options: ConsoleOptions) -> io::Result<Leave> {
    let (done, ended) = oneshot::channel();
    let screen = move || {
        let outcome = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .and_then(|runtime| runtime.block_on(Screen::run(desk, seat, options)));
        // Nobody waits any more when the program is ending.
        drop(done.send(outcome));
    };
    let thread = std::thread::Builder::new().name(SCREEN_THREAD.to_owned()).spawn(screen)?;
    let outcome = ended.await;
    let joined = thread.join();
    match (outcome, joined) {
        (Ok(outcome), _) => outcome,
        (Err(_), _) => Err(io::Error::other("the screen broke down; the runs go on, open it again")),
    }
}

/// Everything the loop holds.
struct Screen<D> {
    desk: D,
    model: Model,
    options: ConsoleOptions,
    theme: Theme,
    themed: String,
    titled: String,
    terminal: Terminal,
    clock: SystemClock,
    entropy: Entropy,
    answers: FuturesUnordered<BoxFuture<'static, Message>>,
    drawn: Timestamp,
    is_dirty: bool,
    is_urgent: bool,
    leave: Option<Leave>,
}

impl<D: Desk> Screen<D> {
    async fn run(desk: D, seat: Seat, options: ConsoleOptions) -> io::Result<Leave> {
        let clock = SystemClock;
        let (gone_sender, gone) = mpsc::channel(1);
        let _watch = HangupWatch::start(move || {
            let _told_already = gone_sender.try_send(());
        })?;
        let terminal = Terminal::enter()?;
        let keys = Arc::new(options.keys.clone());
        let mut model = Model::new(seat, options.look.clone(), keys, Terminal::size(), clock.now());
        if let Some(run) = options.run {
            model.look_at(run);
        }
        let mut screen = Self {
            desk,
            model,
            theme: Theme::default(),
            themed: String::new(),
            titled: String::new(),
            options,
            terminal,
            clock,
            entropy: Entropy,
            answers: FuturesUnordered::new(),
            drawn: Timestamp::default(),
            is_dirty: true,
            is_urgent: true,
            leave: None,
        };
        let leave = screen.turn(gone).await;
        if matches!(leave, Ok(Leave::HungUp)) {
            drop(screen);
            hangup::let_go()?;
        }
        leave
    }

    /// One wait over everything that can happen, until somebody leaves.
    async fn turn(&mut self, mut gone: mpsc::Receiver<()>) -> io::Result<Leave> {
        let clock = self.clock;
        let mut keys = terminal::messages(move || clock.now());
        let mut boards = self.desk.boards();
        let mut signals = self.desk.signals(None);
        let mut hears_signals = true;
        let mut listening = None;
        let mut output = None;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut quit = signal(SignalKind::quit())?;
        let mut stop = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?;
        boards.mark_changed();
        loop {
            self.show()?;
            if let Some(leave) = self.leave {
                return Ok(leave);
            }
            let wait = self.wait();
            if listening != self.model.listens() {
                listening = self.model.listens();
                output = listening.map(|run| self.desk.signals(Some(run)));
            }
            tokio::select! {
                message = keys.next() => match message {
                    Some(message) => self.take(message, true)?,
                    None => return Ok(Leave::HungUp),
                },
                changed = boards.changed() => match changed {
                    Ok(()) => {
                        let seen = boards.borrow_and_update().clone();
                        self.see(seen)?;
                    }
                    Err(_) => self.take(Message::Link(lost("the engine has ended", clock.now())), false)?,
                },
                Some(message) = self.answers.next(), if !self.answers.is_empty() => self.take(message, true)?,
                rung = signals.next(), if hears_signals => match rung.as_deref() {
                    Some(_) => self.take(Message::Ring, false)?,
                    None => hears_signals = false,
                },
                heard = next_of(&mut output), if output.is_some() => match heard.as_deref() {
                    Some(Signal::Output { attempt, from, bytes }) => {
                        let bytes = bytes.as_slice().into();
                        self.take(Message::Output { attempt: *attempt, from: *from, bytes }, false)?;
                    }
                    // The bells of all runs are heard already.
                    Some(Signal::Ring { .. }) => {}
                    None => output = None,
                },
                () = tokio::time::sleep(wait.unwrap_or_default().to_std()), if wait.is_some() => {
                    self.take(Message::Tick(clock.now()), false)?;
                }
                _ = gone.recv() => return Ok(Leave::HungUp),
                _ = hangup.recv() => return Ok(Leave::HungUp),
                _ = terminate.recv() => return Ok(Leave::Signalled),
                _ = quit.recv() => return Ok(Leave::Signalled),
                _ = stop.recv() => self.carry_out(Wish::Suspend)?,
            }
        }
    }

    /// How long nothing needs to be done when nothing happens.
    fn wait(&self) -> Option<Span> {
        let now = self.clock.now();
        let moves = self.model.deadline().map(|it| it.since(now));
        let frame = self.is_dirty.then(|| self.until_frame());
        [moves, frame].into_iter().flatten().min().map(|it| it.max(Span(1)))
    }

    fn until_frame(&self) -> Span {
        let rest = if self.model.has_focus() { FRAME } else { FRAME_UNFOCUSED };
        Span(rest.0.saturating_sub(self.clock.now().since(self.drawn).0))
    }

    /// Draws, if something changed and it is time.
    fn show(&mut self) -> io::Result<()> {
        if !self.is_dirty || (!self.is_urgent && self.until_frame() > Span(0)) {
            return Ok(());
        }
        self.choose_theme();
        let (width, height) = self.model.size;
        let mut frame = Buffer::empty(Rect::new(0, 0, width, height));
        draw(&self.model, &self.theme, &mut frame);
        self.terminal.show(frame)?;
        let title = self.model.window_title();
        if self.titled != title {
            terminal::title(&title)?;
            self.titled = title;
        }
        (self.is_dirty, self.is_urgent, self.drawn) = (false, false, self.clock.now());
        let wishes = update(&mut self.model, Message::Drawn(self.clock.now()));
        debug_assert!(wishes.is_empty(), "a drawn frame asks for nothing");
        Ok(())
    }

    fn choose_theme(&mut self) {
        if self.themed != self.model.look.theme {
            let name = &self.model.look.theme;
            let own = self.options.own_theme.as_ref().filter(|it| it.name() == name).cloned();
            let theme = own.or_else(|| Theme::built_in(name)).unwrap_or_default();
            self.theme = theme.at_depth(self.options.depth);
            self.themed.clone_from(name);
        }
    }

    fn see(&mut self, seen: Seen) -> io::Result<()> {
        let now = self.clock.now();
        let link = match seen.trouble {
            None => Link::Live,
            Some(Trouble::Holding(why) | Trouble::Stopped(why)) => Link::Unwritten { why },
            Some(Trouble::Lost(why)) => match &self.model.link {
                Link::Lost { since, .. } => Link::Lost { since: *since, why },
                Link::Live | Link::Unwritten { .. } | Link::Unowned => lost(&why, now),
            },
            Some(Trouble::Unowned) => Link::Unowned,
        };
        self.take(Message::Tick(now), false)?;
        self.take(Message::Link(link), false)?;
        self.take(Message::Board(seen.board), false)
    }

    /// One message, and all that follows from it.
    fn take(&mut self, message: Message, is_urgent: bool) -> io::Result<()> {
        for wish in update(&mut self.model, message) {
            self.carry_out(wish)?;
        }
        self.is_dirty = true;
        self.is_urgent |= is_urgent;
        Ok(())
    }

    fn carry_out(&mut self, wish: Wish) -> io::Result<()> {
        let desk = self.desk.clone();
        match wish {
            Wish::Submit { request, mut command } => {
                if let Command::Decide(decision) = &mut *command
                    && decision.id.0.is_empty()
                {
                    decision.id = DecisionId(self.entropy.decision_id().0);
                }
                let asked = Request { id: self.entropy.request_id(), command: *command };
                self.answers.push(
                    async move { Message::Reply { request, answer: answer(desk.submit(asked).await) } }
                        .boxed(),
                );
            }
            Wish::Preview { request, command } => self.answers.push(
                async move { Message::Preview { request, outcome: desk.preview(*command).await } }.boxed(),
            ),
            Wish::Launch { request, path, words } => {
                let words = words.into_iter().map(|(name, text)| InputText { name, text }).collect();
                let launch = LaunchRequest {
                    id: self.entropy.request_id(),
                    source: Source::Path(path),
                    words,
                    values: crate::base::ValueMap::default(),
                    trace: None,
                };
                self.answers.push(
                    async move { Message::Reply { request, answer: answer(desk.launch(launch).await) } }
                        .boxed(),
                );
            }
            Wish::Read { request, want } => {
                let want = want_of(&want);
                self.answers.push(
                    async move { Message::Sheet { request, sheet: sheet(desk.read(want).await) } }.boxed(),
                );
            }
            Wish::Copy(text) => terminal::copy(&text)?,
            Wish::Export { name, content } => {
                let answer = match (self.options.export)(&name, &content) {
                    Ok(place) => Answer::Noted(format!("saved {place}")),
                    Err(why) => Answer::NotRecorded(why),
                };
                for wish in update(&mut self.model, Message::Reply { request: 0, answer }) {
                    self.carry_out(wish)?;
                }
            }
            Wish::Bell => terminal::bell()?,
            Wish::Redraw => self.terminal.forget(),
            Wish::Mouse(on) => self.terminal.set_mouse(on)?,
            Wish::Quit => self.leave = Some(Leave::Left),
            Wish::Suspend => {
                self.terminal.sleep()?;
                let (width, height) = Terminal::size();
                self.take(Message::Resize { width, height }, true)?;
            }
        }
        Ok(())
    }
}

/// What is heard of the run whose output is shown; nothing when there will be no more.
async fn next_of(signals: &mut Option<Signals>) -> Option<Arc<Signal>> {
    match signals {
        Some(signals) => signals.next().await,
        None => None,
    }
}

fn lost(why: &str, since: Timestamp) -> Link {
    Link::Lost { since, why: why.to_owned() }
}

fn answer(reply: Reply) -> Answer {
    match reply {
        Reply::Recorded(receipt) => Answer::Recorded { seq: receipt.seq, run: receipt.run },
        Reply::Refused(refusal) => Answer::Refused(refusal),
        Reply::Invalid { report, .. } => Answer::Invalid(report),
        Reply::NotRecorded(why) => Answer::NotRecorded(why),
    }
}

fn want_of(lookup: &Lookup) -> Want {
    match *lookup {
        Lookup::Output { attempt, from } => Want::Output { attempt, part: OutputPart::From(from) },
        Lookup::Tail { attempt, lines } => Want::Output { attempt, part: OutputPart::LastLines(lines) },
        Lookup::Blob { digest, from } => Want::Blob { digest, from },
        Lookup::Events { run, after, limit } => Want::Events { run, after, limit },
    }
}

fn sheet(page: Page) -> Sheet {
    match page {
        Page::Events { events, more } => Sheet::Events { events, more },
        Page::Bytes { from, bytes, total } => Sheet::Bytes { from, bytes, total },
        Page::Plan(_) | Page::Past(_) => Sheet::Missing("could not show that here".to_owned()),
        Page::Missing(why) => Sheet::Missing(why),
    }
}
