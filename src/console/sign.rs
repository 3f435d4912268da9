//! The signs of states: one table for all views. Every state has a sign, an ASCII letter, a short word and a role,
//! so that colour never carries meaning alone.
//!
//! The state of a step or run is not decided here; views map what the projection says to a [`Mark`].

use crate::{Glyphs, Role, Theme};
use ratatui::style::{Modifier, Style};

/// A state as the screen shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// Has not begun and cannot yet.
    Todo,
    /// Can begin, but has not.
    Ready,
    /// Waits for a person.
    Gate,
    /// Waits for a person, and over half of the time is gone.
    GateLate,
    /// Waits to be tried again.
    Retry,
    /// Waits for a time, an event, a limit.
    Waits,
    /// Is running at this moment.
    Runs,
    /// Completed by its own work.
    Done,
    /// Completed from the cache.
    Cache,
    /// Completed in part only.
    Partial,
    /// Failed for another reason than a timeout.
    Failed,
    /// Failed because its time ran out; an expired gate.
    TimedOut,
    /// Refused by a person, which is no failure.
    Rejected,
    /// Skipped, since it was not needed.
    Skipped,
    /// Cancelled before its end.
    Cancelled,
    /// Held by a person.
    Paused,
    /// Its effects are being undone.
    Undoing,
    /// Its effects were undone.
    Undone,
    /// Nobody knows whether it happened.
    InDoubt,
    /// Evidence with a warning; a slow agent.
    Look,
}

/// The appearance of a state.
struct Row {
    mark: Mark,
    sign: &'static str,
    ascii: &'static str,
    word: &'static str,
    role: Role,
    mods: Modifier,
}

const fn row(mark: Mark, sign: &'static str, ascii: &'static str, word: &'static str, role: Role) -> Row {
    Row { mark, sign, ascii, word, role, mods: Modifier::empty() }
}

const fn reversed(mut row: Row) -> Row {
    row.mods = Modifier::REVERSED;
    row
}

const TABLE: [Row; 20] = [
    row(Mark::Todo, "·", ".", "todo", Role::Muted),
    row(Mark::Ready, "○", "o", "ready", Role::Text),
    row(Mark::Gate, "◆", "G", "gate", Role::Gate),
    reversed(row(Mark::GateLate, "◆", "G", "gate", Role::Gate)),
    row(Mark::Retry, "↻", "r", "retry", Role::Warn),
    row(Mark::Waits, "◷", "w", "waits", Role::Text),
    row(Mark::Runs, "►", ">", "runs", Role::Info),
    row(Mark::Done, "✓", "+", "done", Role::Ok),
    row(Mark::Cache, "≡", "c", "cache", Role::Ok),
    row(Mark::Partial, "◐", "~", "partial", Role::Warn),
    row(Mark::Failed, "✗", "x", "failed", Role::Fail),
    row(Mark::TimedOut, "⊗", "t", "timeout", Role::Fail),
    row(Mark::Rejected, "◇", "N", "rejected", Role::Warn),
    row(Mark::Skipped, "⊘", "-", "skip", Role::Muted),
    row(Mark::Cancelled, "■", "#", "cancel", Role::Muted),
    row(Mark::Paused, "‖", "=", "paused", Role::Warn),
    row(Mark::Undoing, "◄", "{", "undoing", Role::Warn),
    row(Mark::Undone, "⟲", "<", "undone", Role::Muted),
    reversed(row(Mark::InDoubt, "?", "?", "in doubt", Role::Gate)),
    row(Mark::Look, "~", "~", "look", Role::Warn),
];

impl Mark {
    /// Every state, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.mark)
    }

    /// The sign of one cell.
    pub fn sign(self, glyphs: Glyphs) -> &'static str {
        let row = &TABLE[self as usize];
        if glyphs.ascii { row.ascii } else { row.sign }
    }

    /// The short word, at most eight letters.
    pub fn word(self) -> &'static str {
        TABLE[self as usize].word
    }

    /// The role that colours the sign.
    pub fn role(self) -> Role {
        TABLE[self as usize].role
    }

    /// The style of the sign in a theme.
    pub fn style(self, theme: &Theme) -> Style {
        let row = &TABLE[self as usize];
        theme.role(row.role).add_modifier(row.mods)
    }

    /// The rank of a state by its need for attention, 0 for none. The highest rank stands for many states at
    /// once.
    pub fn urgency(self) -> u8 {
        match self {
            Self::InDoubt => 12,
            Self::Failed => 11,
            Self::TimedOut => 10,
            Self::GateLate => 9,
            Self::Gate => 8,
            Self::Retry | Self::Undoing => 7,
            Self::Runs => 6,
            Self::Paused | Self::Rejected => 5,
            Self::Waits => 4,
            Self::Partial | Self::Look => 3,
            Self::Ready => 2,
            Self::Todo => 1,
            Self::Done | Self::Cache | Self::Skipped | Self::Cancelled | Self::Undone => 0,
        }
    }

    /// True if nothing more happens by itself and nobody has to look.
    pub fn is_settled(self) -> bool {
        self.urgency() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn the_table_is_in_the_order_of_the_states() {
        assert!(Mark::all().enumerate().all(|(index, mark)| mark as usize == index));
    }

    #[test]
    fn every_sign_is_one_cell_and_has_no_emoji_form() {
        // Everything below U+10000 that Unicode gives an emoji form.
        const EMOJI: &str = "©®‼⁉™ℹ↔↕↖↗↘↙↩↪⌚⌛⌨⏏⏩⏪⏫⏬⏭⏮⏯⏰⏱⏲⏳⏸⏹⏺Ⓜ▪▫▶◀◻◼◽◾☀☁☂☃☄☎☑☔☕☘☝☠☢☣☦☪☮☯☸☹☺♀♂♈♉♊♋♌♍♎♏♐♑♒♓♟♠♣♥♦♨♻♾♿\
                             ⚒⚓⚔⚕⚖⚗⚙⚛⚜⚠⚡⚧⚪⚫⚰⚱⚽⚾⛄⛅⛈⛎⛏⛑⛓⛔⛩⛪⛰⛱⛲⛳⛴⛵⛷⛸⛹⛺⛽✂✅✈✉✊✋✌✍✏✒✔✖✝✡✨✳✴❄❇❌❎❓❔❕❗❣❤➕➖➗➡➰➿⤴⤵⬅⬆⬇⬛⬜⭐⭕〰〽㊗㊙";
        for row in &TABLE {
            assert_eq!(row.sign.width(), 1, "{}", row.sign);
            assert_eq!(row.sign.chars().count(), 1, "{}", row.sign);
            assert!(!EMOJI.contains(row.sign), "{}", row.sign);
            assert!(row.ascii.is_ascii() && row.ascii.len() == 1, "{}", row.ascii);
            assert!(row.word.len() <= 8, "{}", row.word);
        }
    }

    /// A late gate is a gate, and partial and look both say "not quite": they may share a sign.
    #[test]
    fn states_differ_without_colour_in_both_columns() {
        let differing = |sign: fn(&Row) -> &'static str, but: &[Mark]| {
            let rows: Vec<_> = TABLE.iter().filter(|row| !but.contains(&row.mark)).collect();
            assert_eq!(rows.iter().map(|row| sign(row)).collect::<BTreeSet<_>>().len(), rows.len());
        };
        differing(|row| row.sign, &[Mark::GateLate]);
        differing(|row| row.ascii, &[Mark::GateLate, Mark::Look]);
    }
}
