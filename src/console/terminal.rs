//! The terminal: entered, drawn to, read from and given back. The only file that knows crossterm.
//!
//! It is given back on every way out by one text, [`RESTORE`]: on leaving, in a panic, before the program sleeps and when
//! a signal ends it. What is drawn is decided elsewhere: a buffer comes in, its difference goes out in one write.

use crate::{
    base::Timestamp,
    console::{Key, Message, Mouse, Press},
};
use crossterm::event::{
    Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind,
};
use futures_util::{Stream, StreamExt as _};
use ratatui::{
    backend::{Backend as _, CrosstermBackend},
    buffer::Buffer,
    layout::Rect,
};
use std::{
    io::{self, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

/// Main screen to alternate screen, title kept, focus and bracketed paste told, keys told apart where that is known.
const ENTER: &str = "\x1b[22;0t\x1b[?1049h\x1b[?25l\x1b[?1004h\x1b[?2004h\x1b[>3u\x1b[2J";
/// The other way round; harmless when it is sent twice.
pub(super) const RESTORE: &str = "\x1b[?2026l\x1b[<1u\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[?1004l\x1b[0m\x1b[?25h\x1b[?1049l\x1b[23;0t";
/// Buttons and drags, never every movement.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1002l\x1b[?1000l";
const SYNC_BEGIN: &str = "\x1b[?2026h";
const SYNC_END: &str = "\x1b[?2026l";
/// A frame is gathered here, so that it goes out in one write.
const FRAME_BYTES: usize = 64 * 1024;
/// The most that terminals take into the clipboard by OSC 52.
const COPY_BYTES_MAX: usize = 74_994;

/// Whether the terminal has to be given back.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// The terminal while the console has it.
#[derive(Debug)]
pub(super) struct Terminal {
    seen: Buffer,
    bytes: Vec<u8>,
    mouse: bool,
}

impl Terminal {
    /// Takes the terminal. A panic from here on gives it back before it says anything.
    pub(super) fn enter() -> io::Result<Self> {
        install_panic_hook();
        // Styles are the theme's matter; crossterm's own reading of NO_COLOR would take reverse and bold away.
        crossterm::style::force_color_output(true);
        let mut terminal =
            Self { seen: Buffer::empty(Rect::ZERO), bytes: Vec::with_capacity(FRAME_BYTES), mouse: true };
        terminal.take()?;
        Ok(terminal)
    }

    fn take(&mut self) -> io::Result<()> {
        crossterm::terminal::enable_raw_mode()?;
        ENTERED.store(true, Ordering::SeqCst);
        self.seen = Buffer::empty(Rect::ZERO);
        write(ENTER.as_bytes())?;
        self.set_mouse(self.mouse)
    }

    /// Columns and rows now.
    pub(super) fn size() -> (u16, u16) {
        crossterm::terminal::size().unwrap_or((80, 24))
    }

    /// Shows a frame: what differs from the one before, in one write.
    pub(super) fn show(&mut self, frame: Buffer) -> io::Result<()> {
        self.bytes.clear();
        self.bytes.extend_from_slice(SYNC_BEGIN.as_bytes());
        if self.seen.area != frame.area {
            self.bytes.extend_from_slice(b"\x1b[0m\x1b[2J");
            self.seen = Buffer::empty(frame.area);
        }
        let changes = self.seen.diff(&frame);
        let is_new = self.bytes.len() > SYNC_BEGIN.len();
        if changes.is_empty() && !is_new {
            return Ok(());
        }
        CrosstermBackend::new(&mut self.bytes).draw(changes.into_iter())?;
        self.bytes.extend_from_slice(SYNC_END.as_bytes());
        self.seen = frame;
        write(&self.bytes)
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

    /// Gives the terminal back, sleeps until somebody wakes the program, and takes it again.
    pub(super) fn sleep(&mut self) -> io::Result<()> {
        restore();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?;
        self.take()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Rings.
pub(super) fn bell() -> io::Result<()> {
    write(b"\x07")
}

/// What the window is called.
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
        }
        before(panic);
    }));
}

/// The thread that draws.
pub(super) const SCREEN_THREAD: &str = "screen";

/// What the terminal tells, as messages; `now` says when it arrives. Ends when the terminal is gone.
pub(super) fn messages(
    now: impl Fn() -> Timestamp + Send + 'static,
) -> impl Stream<Item = Message> + Send + Unpin {
    let events = EventStream::new().take_while(|it| std::future::ready(it.is_ok()));
    Box::pin(events.filter_map(move |event| std::future::ready(event.ok().and_then(|it| message(it, now())))))
}

/// What a terminal's event means to the console.
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
}
