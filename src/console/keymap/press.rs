//! The written names of keys: reads them and shows them.

use crate::{Key, Press};
use std::fmt;

const NAMED: &[(&str, Key)] = &[
    ("enter", Key::Enter),
    ("esc", Key::Esc),
    ("tab", Key::Tab),
    ("shift-tab", Key::BackTab),
    ("space", Key::Char(' ')),
    ("backspace", Key::Backspace),
    ("delete", Key::Delete),
    ("insert", Key::Insert),
    ("up", Key::Up),
    ("down", Key::Down),
    ("left", Key::Left),
    ("right", Key::Right),
    ("home", Key::Home),
    ("end", Key::End),
    ("pageup", Key::PageUp),
    ("pagedown", Key::PageDown),
];

/// Reads keys as they are written in the table: `gg`, `ctrl-d`, `enter`, `ctrl-w h`.
///
/// # Errors
/// The mistake, and a spelling that would be right.
pub fn parse_keys(text: &str) -> Result<Vec<Press>, String> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let mut press = Press::of(Key::Esc);
        let mut rest = word;
        loop {
            if let Some(after) = rest.strip_prefix("ctrl-").filter(|rest| !rest.is_empty()) {
                (press.ctrl, rest) = (true, after);
            } else if let Some(after) = rest.strip_prefix("alt-").filter(|rest| !rest.is_empty()) {
                (press.alt, rest) = (true, after);
            } else {
                break;
            }
        }
        let function =
            || rest.strip_prefix('f')?.parse().ok().filter(|number| (1..=12).contains(number)).map(Key::F);
        let named = NAMED.iter().find(|(name, _)| *name == rest).map(|(_, key)| *key).or_else(function);
        let mut chars = rest.chars();
        match (named, chars.next(), chars.as_str()) {
            (Some(key), _, _) => out.push(Press { key, ..press }),
            (None, Some(c), "") => out.push(Press { key: Key::Char(c), ..press }),
            (None, Some(_), _) if !press.ctrl && !press.alt && !rest.contains('-') => {
                out.extend(rest.chars().map(|c| Press::of(Key::Char(c))));
            }
            _ => {
                return Err(format!(
                    "`{text}` is no key; write a character, enter, esc, tab, space, up …, f1 … or ctrl-x"
                ));
            }
        }
    }
    if out.is_empty() {
        Err("a key is missing; write a character, enter, ctrl-x …".to_owned())
    } else {
        Ok(out)
    }
}

/// Keys as they are shown: `gg ^d ⏎`.
pub(crate) fn shown(keys: &[Press]) -> String {
    keys.iter().map(ToString::to_string).collect()
}

/// As key line and help show it: `⏎ ^d Esc space`.
impl fmt::Display for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("^")?;
        }
        if self.alt {
            f.write_str("M-")?;
        }
        match self.key {
            Key::Enter => f.write_str("⏎"),
            Key::Esc => f.write_str("Esc"),
            Key::Tab => f.write_str("Tab"),
            Key::BackTab => f.write_str("S-Tab"),
            Key::Backspace => f.write_str("⌫"),
            Key::Delete => f.write_str("Del"),
            Key::Insert => f.write_str("Ins"),
            Key::Up => f.write_str("↑"),
            Key::Down => f.write_str("↓"),
            Key::Left => f.write_str("←"),
            Key::Right => f.write_str("→"),
            Key::Home => f.write_str("Home"),
            Key::End => f.write_str("End"),
            Key::PageUp => f.write_str("PgUp"),
            Key::PageDown => f.write_str("PgDn"),
            Key::F(number) => write!(f, "F{number}"),
            Key::Char(' ') => f.write_str("space"),
            Key::Char(c) => write!(f, "{c}"),
        }
    }
}

/// The digit of a key that could be part of a count.
pub(crate) fn digit(press: Press) -> Option<u32> {
    match press {
        Press { key: Key::Char(c), ctrl: false, alt: false } => c.to_digit(10),
        _ => None,
    }
}

/// Ctrl-C: asks to leave, in every mode; pressed twice it leaves.
pub(crate) fn is_interrupt(press: Press) -> bool {
    press == Press { key: Key::Char('c'), ctrl: true, alt: false }
}

/// Ctrl-Z: puts the program to sleep.
pub(crate) fn is_suspend(press: Press) -> bool {
    press == Press { key: Key::Char('z'), ctrl: true, alt: false }
}
