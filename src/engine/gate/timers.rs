//! The timers of a gate: its expiry, its reminders, its escalation, and the time in which an approval can be undone.

use crate::{Gate, GateState};
use cuelight_base::{Channel, Span, Timestamp};
use cuelight_plan::{OnTimeout, Risk};

/// The timers of a gate, in the order they are handled when several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum GateDue {
    Armed,
    Expires,
    Escalates,
    Reminds,
}

impl Gate {
    /// True if the gate has expired, though the engine has not been woken yet. An armed gate cannot expire.
    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.state == GateState::Open && self.ask.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// The time in which the approval that has just been completed can be undone.
    /// Zero for scripts, and zero if a code was typed: both have had their second look.
    pub(crate) fn window(&self) -> Span {
        self.window_of(self.votes.last().map_or(Channel::Console, |vote| vote.by.channel))
    }

    /// The time in which an approval through this channel, which completes the quorum, can be undone.
    pub fn window_of(&self, channel: Channel) -> Span {
        match self.rule.undo_window {
            Some(window) => window,
            None if channel != Channel::Console || self.rule.risk == Risk::Irreversible => Span(0),
            None => self.ask.undo_window,
        }
    }

    /// True when time alone approves it, once its timeout is over.
    pub(crate) fn approves_by_time(&self) -> bool {
        self.ask.expires_at.is_some() && self.rule.on_timeout == OnTimeout::Approve && !self.ask.touch
    }

    /// The next change that time makes to the gate, and its moment.
    pub(crate) fn due(&self) -> Option<(Timestamp, GateDue)> {
        // It was decided in time; what is left is not a matter of time.
        if self.agreed.is_some() || self.anew {
            return None;
        }
        match self.state {
            GateState::Armed => self.armed_until.map(|armed_until| (armed_until, GateDue::Armed)),
            GateState::Open => {
                let expires = self.ask.expires_at.map(|expires_at| (expires_at, GateDue::Expires));
                let escalates = self
                    .rule
                    .escalate
                    .as_ref()
                    .filter(|_| self.escalated.is_none())
                    .map(|(after, _)| (self.opened_at + *after, GateDue::Escalates));
                let reminds = self
                    .rule
                    .remind
                    .get(self.reminded as usize)
                    .map(|after| (self.opened_at + *after, GateDue::Reminds));
                [expires, escalates, reminds].into_iter().flatten().min()
            }
            GateState::Approved | GateState::Rejected | GateState::Expired | GateState::Cancelled => None,
        }
    }
}
