//! The terminal: entered, drawn to, read from and given back. The only file that knows crossterm.
//!
//! It is given back on every way out by one text, [`RESTORE`]: on leaving, in a panic, before the program
//! sleeps and when a signal ends it. The caller decides what to draw: a buffer comes in, its difference goes
//! out in one write.

use crate::{Ground, Key, Message, Mouse, Notify, Press, ground};
use crossterm::event::{
    Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind,
};
use cuelight_base::{Span, Timestamp};
use futures_util::{Stream, StreamExt as _};
use ratatui::{
    backend::{Backend as _, CrosstermBackend},
    buffer::Buffer,
    layout::Rect,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    io::{self, Write as _},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Main screen to alternate screen, title kept, focus and bracketed paste told, keys told apart where that is known.
const ENTER: &str = "\x1b[22;0t\x1b[?1049h\x1b[?25l\x1b[?1004h\x1b[?2004h\x1b[>3u\x1b[2J";
/// The other way round; harmless when it is sent twice.
pub(super) const RESTORE: &str = "\x1b[?2026l\x1b[<1u\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[?1004l\x1b[0m\x1b[?25h\x1b[?1049l\x1b[23;0t";
/// Buttons and drags, never every movement.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1002l\x1b[?1000l";
/// Queries for the terminal's ground (OSC 11) and its type (DA1). Every terminal answers the second, so no
/// answer to the first is missed.
const ASK_GROUND: &str = "\x1b]11;?\x1b\\\x1b[c";
/// Time to wait for an answer, and below it the most bytes read of one.
const ANSWER_TIME: Span = Span(100);
const ANSWER_BYTES: usize = 1024;
const SYNC_BEGIN: &str = "\x1b[?2026h";
const SYNC_END: &str = "\x1b[?2026l";
/// A wheel that turns faster is heard as often as this: what it did not say is not made up for later.
const WHEEL: Span = Span(20);
/// The second click of a double click follows the first within this time.
const DOUBLE_CLICK: Span = Span(400);
/// A frame is gathered here, so that it goes out in one write.
const FRAME_BYTES: usize = 64 * 1024;
/// The most that terminals take into the clipboard by OSC 52.
const COPY_BYTES_MAX: usize = 74_994;

/// True while the terminal is in the console's mode and has to be restored.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// The terminal while the console has it.
#[derive(Debug)]
pub(super) struct Terminal {
    seen: Buffer,
    /// The visible cursor's column and row; None if it is hidden.
    cursor: Option<(u16, u16)>,
    bytes: Vec<u8>,
    mouse: bool,
}

impl Terminal {
    /// Takes the terminal. A panic from here on gives it back before it says anything.
    pub(super) fn enter() -> io::Result<Self> {
        install_panic_hook();
        // Styles are the theme's matter; crossterm's own reading of NO_COLOR would take reverse and bold away.
        crossterm::style::force_color_output(true);
        let mut terminal = Self {
            seen: Buffer::empty(Rect::ZERO),
            cursor: None,
            bytes: Vec::with_capacity(FRAME_BYTES),
            mouse: true,
        };
        terminal.take()?;
        Ok(terminal)
    }

    fn take(&mut self) -> io::Result<()> {
        crossterm::terminal::enable_raw_mode()?;
        ENTERED.store(true, Ordering::SeqCst);
        self.seen = Buffer::empty(Rect::ZERO);
        self.cursor = None;
        write(ENTER.as_bytes())?;
        self.set_mouse(self.mouse)
    }

    /// Forgets what was typed and not heard yet: it was meant for a screen that is gone.
    pub(super) fn forget_typed() -> io::Result<()> {
        while crossterm::event::poll(std::time::Duration::ZERO)? {
            drop(crossterm::event::read()?);
        }
        Ok(())
    }

    /// Shows a frame: what differs from the one before, in one write; then the cursor, where there is to be one. Gives back how
    /// many bytes went out.
    pub(super) fn show(&mut self, frame: Buffer, cursor: Option<(u16, u16)>) -> io::Result<usize> {
        self.bytes.clear();
        self.bytes.extend_from_slice(SYNC_BEGIN.as_bytes());
        if self.seen.area != frame.area {
            self.bytes.extend_from_slice(b"\x1b[0m\x1b[2J");
            self.seen = Buffer::empty(frame.area);
        }
        let changes = self.seen.diff(&frame);
        let is_new = self.bytes.len() > SYNC_BEGIN.len();
        if changes.is_empty() && !is_new && cursor == self.cursor {
            return Ok(0);
        }
        CrosstermBackend::new(&mut self.bytes).draw(changes.into_iter())?;
        match cursor {
            Some((column, row)) => {
                let at = format!("\x1b[{};{}H\x1b[?25h", u32::from(row) + 1, u32::from(column) + 1);
                self.bytes.extend_from_slice(at.as_bytes());
            }
            None if self.cursor.is_some() => self.bytes.extend_from_slice(b"\x1b[?25l"),
            None => {}
        }
        self.cursor = cursor;
        self.bytes.extend_from_slice(SYNC_END.as_bytes());
        self.seen = frame;
        write(&self.bytes)?;
        Ok(self.bytes.len())
    }

    /// Turns what stands in a few cells into another sign, beside all frames: what the next one draws there differs from it.
    pub(super) fn turn(&mut self, cells: &[(u16, u16)], sign: &str) -> io::Result<()> {
        self.bytes.clear();
        self.bytes.extend_from_slice(SYNC_BEGIN.as_bytes());
        for at in cells {
            if let Some(cell) = self.seen.cell_mut(*at) {
                cell.set_symbol(sign);
            }
        }
        let turned = cells.iter().filter_map(|at| Some((at.0, at.1, self.seen.cell(*at)?)));
        CrosstermBackend::new(&mut self.bytes).draw(turned)?;
        self.bytes.extend_from_slice(SYNC_END.as_bytes());
        write(&self.bytes)
    }

    /// Asks the terminal if its ground is dark or light; None if it does not answer in time. Keys typed
    /// meanwhile are lost, so this comes before the first frame.
    pub(super) fn ground(&self, now: impl Fn() -> Timestamp) -> io::Result<Option<Ground>> {
        write(ASK_GROUND.as_bytes())?;
        let input = rustix::stdio::stdin();
        let asked = now();
        let (mut answer, mut part) = (Vec::new(), [0; 64]);
        while !ground::is_answered(&answer) && answer.len() < ANSWER_BYTES {
            let left = Span(ANSWER_TIME.0.saturating_sub(now().since(asked).0));
            let left = Timespec::try_from(left.to_std()).unwrap_or_default();
            let mut fds = [PollFd::new(&input, PollFlags::IN)];
            match poll(&mut fds, Some(&left)) {
                Ok(0) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => match rustix::io::read(input, &mut part)? {
                    0 => break,
                    read => answer.extend_from_slice(&part[..read]),
                },
            }
        }
        Ok(Ground::of_answer(&answer))
    }

    /// The next frame is drawn whole.
    pub(super) fn forget(&mut self) {
        self.seen = Buffer::empty(Rect::ZERO);
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub(super) fn set_mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        write(if on { MOUSE_ON } else { MOUSE_OFF }.as_bytes())
    }

    /// Gives the terminal back while somebody else uses it, and takes it again.
    pub(super) fn lend<T>(&mut self, to: impl FnOnce() -> T) -> io::Result<T> {
        restore();
        let out = to();
        self.take()?;
        Ok(out)
    }

    /// Takes the terminal again after [`suspend`].
    pub(super) fn resume(&mut self) -> io::Result<()> {
        self.take()
    }
}

/// Columns and rows of the terminal now.
pub fn size() -> (u16, u16) {
    crossterm::terminal::size().unwrap_or((80, 24))
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Rings the terminal's bell.
pub(super) fn bell() -> io::Result<()> {
    write(b"\x07")
}

/// Calls somebody who does not look at the terminal, as far as it knows how.
pub(super) fn notify(how: Notify, text: &str) -> io::Result<()> {
    let bytes = how.bytes(text);
    if bytes.is_empty() { Ok(()) } else { write(bytes.as_bytes()) }
}

/// Sets the window title; control characters are left out.
pub(super) fn title(text: &str) -> io::Result<()> {
    let shown: String = text.chars().filter(|c| !c.is_control()).collect();
    write(format!("\x1b]0;{shown}\x07").as_bytes())
}

/// Puts a text into the clipboard of the person at the other end.
pub(super) fn copy(text: &str) -> io::Result<()> {
    let end = text.floor_char_boundary(COPY_BYTES_MAX.min(text.len()));
    let mut bytes = Vec::new();
    crossterm::queue!(bytes, crossterm::clipboard::CopyToClipboard::to_clipboard_from(&text[..end]))?;
    write(&bytes)
}

/// Gives the terminal back; does nothing when it is not taken.
pub(super) fn restore() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        // A terminal that is gone cannot be restored, and needs not be.
        let _gone = write(RESTORE.as_bytes());
        let _gone = crossterm::terminal::disable_raw_mode();
    }
}

/// True if a shell can wake this program again. The first process of a session has no shell above it.
pub(super) fn has_shell() -> bool {
    rustix::process::getsid(None).is_ok_and(|session| session != rustix::process::getpid())
}

/// Gives the terminal back and stops the whole job, so that the shell which waits for its first process sees it.
///
/// The kernel stops the threads one after the other: this one may run on for a moment after the call. The caller
/// waits for `SIGCONT` before it takes the terminal again. Without that, raw mode is set before the shell reads and
/// resets the terminal, and is lost.
pub(super) fn suspend() -> io::Result<()> {
    restore();
    Ok(rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?)
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Once for the process: first the terminal, then whatever was told of panics before.
fn install_panic_hook() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.swap(true, Ordering::SeqCst) {
        return;
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // The engine's threads may panic without touching the terminal; the screen's gives it back.
        if std::thread::current().name() == Some(SCREEN_THREAD) {
            restore();
            *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
        }
        before(panic);
    }));
}

/// The message of the screen's last panic.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// The place and reason of the screen's last panic.
pub(super) fn last_panic() -> String {
    LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The thread that draws.
pub(super) const SCREEN_THREAD: &str = "screen";

/// The terminal's events as messages, with the time of `now` at their arrival. The stream ends when the
/// terminal is gone.
pub(super) fn messages(
    now: impl Fn() -> Timestamp + Send + 'static,
) -> impl Stream<Item = Message> + Send + Unpin {
    let events = EventStream::new().take_while(|value| std::future::ready(value.is_ok()));
    let (mut late, mut wheel, mut clicks) = (LateAnswer::default(), Wheel::default(), Clicks::default());
    let mut message_of = move |event| {
        let at = now();
        match message(event, at)? {
            Message::Key { press, .. } if late.takes(press) => None,
            Message::Mouse { what: Mouse::Click, column, row } => {
                Some(Message::Mouse { what: clicks.of((column, row), at), column, row })
            }
            Message::Mouse { what, .. } if wheel.drops(what, at) => None,
            message => Some(message),
        }
    };
    Box::pin(events.filter_map(move |event| std::future::ready(event.ok().and_then(&mut message_of))))
}

/// Lets a wheel through at most once in [`WHEEL`]: touchpads send hundreds of turns, and a list would still run when the
/// fingers rest.
#[derive(Debug, Default)]
struct Wheel {
    /// When it was heard last.
    heard: Option<Timestamp>,
}

impl Wheel {
    fn drops(&mut self, what: Mouse, at: Timestamp) -> bool {
        if matches!(what, Mouse::Click | Mouse::DoubleClick) {
            return false;
        }
        // A clock that was put back is no reason to be deaf.
        let too_soon = self.heard.is_some_and(|moment| moment <= at && at.since(moment) < WHEEL);
        if !too_soon {
            self.heard = Some(at);
        }
        too_soon
    }
}

/// Tells the second click in a cell from the first. A third one begins anew.
#[derive(Debug, Default)]
struct Clicks {
    /// Cell and time of the last first click.
    last: Option<((u16, u16), Timestamp)>,
}

impl Clicks {
    fn of(&mut self, cell: (u16, u16), at: Timestamp) -> Mouse {
        let is_second = |(before, then): ((u16, u16), Timestamp)| {
            before == cell && then <= at && at.since(then) <= DOUBLE_CLICK
        };
        if self.last.take().is_some_and(is_second) {
            return Mouse::DoubleClick;
        }
        self.last = Some((cell, at));
        Mouse::Click
    }
}

/// Takes an answer that came too late out of what is typed: it looks like Alt-] and some letters.
#[derive(Debug, Default)]
pub(super) struct LateAnswer {
    /// Keys that may still belong to it.
    left: usize,
}

impl LateAnswer {
    /// Returns true if this key is part of a late answer.
    pub(super) fn takes(&mut self, press: Press) -> bool {
        const KEYS_MAX: usize = 32;
        let alt = |c| Press { alt: true, ..Press::of(Key::Char(c)) };
        if press == alt(']') {
            self.left = KEYS_MAX;
            return true;
        }
        if self.left == 0 {
            return false;
        }
        let bell = Press { ctrl: true, ..Press::of(Key::Char('g')) };
        let is_part = is_of_answer(press);
        self.left = if press == bell || press == alt('\\') || !is_part { 0 } else { self.left - 1 };
        is_part || press == bell || press == alt('\\')
    }
}

fn is_of_answer(press: Press) -> bool {
    "0123456789abcdefABCDEF;:/rgb".chars().any(|c| press == Press::of(Key::Char(c)))
}

/// The message for a terminal's event; None if it means nothing to the console.
fn message(event: Event, at: Timestamp) -> Option<Message> {
    Some(match event {
        Event::Key(key) if key.kind == KeyEventKind::Release => return None,
        Event::Key(key) => Message::Key { press: press(key)?, repeat: key.kind == KeyEventKind::Repeat, at },
        Event::Paste(text) => Message::Paste { text, at },
        Event::Resize(width, height) => Message::Resize { width, height },
        Event::FocusGained => Message::Focus(true),
        Event::FocusLost => Message::Focus(false),
        Event::Mouse(mouse) => {
            let what = match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => Mouse::Click,
                MouseEventKind::ScrollUp => Mouse::WheelUp,
                MouseEventKind::ScrollDown => Mouse::WheelDown,
                _ => return None,
            };
            Message::Mouse { what, column: mouse.column, row: mouse.row }
        }
    })
}

fn press(event: KeyEvent) -> Option<Press> {
    let shift = event.modifiers.contains(KeyModifiers::SHIFT);
    let key = match event.code {
        KeyCode::Char(c) if shift && c.is_lowercase() => Key::Char(c.to_uppercase().next().unwrap_or(c)),
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab if shift => Key::BackTab,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Insert => Key::Insert,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::F(number) => Key::F(number),
        _ => return None,
    };
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let key = match key {
        Key::Char(c) if ctrl => Key::Char(c.to_ascii_lowercase()),
        other => other,
    };
    Some(Press { key, ctrl, alt: event.modifiers.contains(KeyModifiers::ALT) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: KeyCode, modifiers: KeyModifiers, shown: &str) {
        let press = press(KeyEvent::new(code, modifiers)).expect("a key");
        assert_eq!(press.to_string(), shown);
    }

    #[test]
    fn keys_have_one_form_on_every_terminal() {
        check(KeyCode::Char('G'), KeyModifiers::SHIFT, "G");
        check(KeyCode::Char('g'), KeyModifiers::SHIFT, "G");
        check(KeyCode::Char('D'), KeyModifiers::CONTROL, "^d");
        check(KeyCode::Tab, KeyModifiers::SHIFT, "S-Tab");
        check(KeyCode::Char('?'), KeyModifiers::NONE, "?");
    }

    /// Read back by a terminal: main screen, cursor, no mouse, no bracketed paste.
    #[test]
    fn what_restores_undoes_what_enters() {
        let mut terminal =
            vt100::Parser::new(24.try_into().expect("not zero"), 80.try_into().expect("not zero"), 0);
        terminal.process(ENTER.as_bytes());
        terminal.process(MOUSE_ON.as_bytes());
        assert!(terminal.screen().alternate_screen() && terminal.screen().bracketed_paste());
        terminal.process(RESTORE.as_bytes());
        let screen = terminal.screen();
        assert!(!screen.alternate_screen() && !screen.bracketed_paste() && !screen.hide_cursor());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    }

    #[test]
    fn a_wheel_is_heard_once_in_20_ms_and_a_click_always() {
        let mut wheel = Wheel::default();
        let mut heard = |what, at| !wheel.drops(what, Timestamp(at));
        assert!(heard(Mouse::WheelDown, 1_000));
        assert!((1_001..1_020).all(|at| !heard(Mouse::WheelUp, at) && heard(Mouse::Click, at)));
        assert!(heard(Mouse::WheelDown, 1_020) && !heard(Mouse::WheelDown, 1_039));
        assert!(heard(Mouse::WheelDown, 7), "the clock was put back");
    }

    #[test]
    fn two_clicks_in_one_cell_within_400_ms_are_a_double_click() {
        let mut clicks = Clicks::default();
        let mut heard = |cell, at| clicks.of(cell, Timestamp(at));
        assert_eq!(heard((3, 4), 1_000), Mouse::Click);
        assert_eq!(heard((3, 4), 1_400), Mouse::DoubleClick);
        assert_eq!(heard((3, 4), 1_500), Mouse::Click, "the third begins anew");
        assert_eq!(heard((3, 5), 1_600), Mouse::Click, "another cell");
        assert_eq!(heard((3, 5), 2_001), Mouse::Click, "too late");
        assert_eq!(heard((3, 5), 7), Mouse::Click, "the clock was put back");
    }

    #[test]
    fn a_late_answer_is_no_typing() {
        let heard = |keys: &[Press]| {
            let mut late = LateAnswer::default();
            keys.iter().filter(|press| !late.takes(**press)).count()
        };
        let key = |c| Press::of(Key::Char(c));
        let alt = |c| Press { alt: true, ..key(c) };
        let answer: Vec<Press> = [alt(']')]
            .into_iter()
            .chain("11;rgb:0000/ffff/0000".chars().map(key))
            .chain([alt('\\'), key('j')])
            .collect();
        assert_eq!(heard(&answer), 1);
        assert_eq!(heard(&[key('1'), key('a')]), 2);
        assert_eq!(heard(&[alt(']'), key('y'), key('1')]), 2);
    }
}
