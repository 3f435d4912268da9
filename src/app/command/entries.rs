//! The log, entry by entry, each with the run and the gate that it speaks of as they were then.

use crate::exit::Trouble;
use clap::Args;
use cuelight_base::{Digest, Seq, Timestamp};
use cuelight_engine::Event;
use cuelight_projection::{Board, GateView, RunView, TrailRow};
use cuelight_store::{Reader, StoreError};
use std::sync::Arc;

/// A stretch of time.
#[derive(Debug, Args)]
pub(super) struct Window {
    /// From this instant on
    #[arg(long, value_name = "2026-01-31T09:00:00Z")]
    pub(super) from: Option<Timestamp>,
    /// Before this instant
    #[arg(long, value_name = "2026-02-01T00:00:00Z")]
    pub(super) to: Option<Timestamp>,
}

impl Window {
    pub(super) fn holds(&self, row: &TrailRow) -> bool {
        self.from.is_none_or(|moment| moment <= row.at) && self.to.is_none_or(|moment| row.at < moment)
    }
}

/// Events read at once.
const PAGE: usize = 1024;

/// One line of the trail with what it came from.
pub(super) struct Entry<'a> {
    pub(super) row: TrailRow,
    pub(super) event: &'a Event,
    pub(super) run: Option<Arc<RunView>>,
    pub(super) gate: Option<Arc<GateView>>,
}

/// Goes through the whole log in order. Names of steps and workflows come from the runs as they were then; what they are now
/// is on the board that is given back.
pub(super) fn each(
    reader: &Reader,
    take: &mut dyn FnMut(Entry<'_>),
) -> Result<((Seq, Digest), Board), Trouble> {
    let (mut board, mut next) = (Board::default(), Seq(1));
    let head = reader.head().map_err(unreadable)?;
    loop {
        let events = reader.events(next, PAGE).map_err(unreadable)?;
        let Some((last, _)) = events.last() else { return Ok((head, board)) };
        next = Seq(last.0 + 1);
        for (seq, event) in events.iter().filter(|(seq, _)| *seq <= head.0) {
            board.apply(*seq, event);
            let run = event.fact.run().and_then(|run| board.run(run)).cloned();
            let row = TrailRow::of(*seq, event, run.as_deref());
            let gate = row.gate.and_then(|gate| board.gate(gate)).cloned();
            take(Entry { row, event, run, gate });
        }
    }
}

pub(super) fn unreadable(error: StoreError) -> Trouble {
    Trouble::not_recorded(error.to_string())
}
