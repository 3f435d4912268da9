//! All that is open: the fold over the log. Changed by `apply` alone; `handle` decides and applies in one go.

use crate::{
    base::{Span, Timestamp},
    engine::{Command, Event, Refusal},
};

/// Every run that has not come to rest, and what they share.
#[derive(Clone, Debug, Default)]
pub struct World {}

impl World {
    /// Judges a command and, when it may be, emits and applies what follows from it. A refusal leaves no trace.
    pub fn handle(
        &mut self,
        _command: Command,
        _now: Timestamp,
        _out: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    /// The fold.
    pub fn apply(&mut self, _event: &Event) {}

    /// When it must be woken without being asked.
    pub fn deadline(&self) -> Option<Timestamp> {
        None
    }

    /// What a command would do now; changes nothing.
    pub fn preview(&self, _command: Command, _now: Timestamp) -> Result<Vec<Event>, Refusal> {
        Ok(Vec::new())
    }

    /// How long nobody could have looked, from what was recorded last; for `Command::Recover`.
    pub fn away(&self, _now: Timestamp) -> Span {
        Span::default()
    }
}
