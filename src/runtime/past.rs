//! The past of one run, folded from events that are read page by page: for a desk that has the events elsewhere.

use super::{Page, Want};
use cuelight_base::{RunId, Seq};
use cuelight_projection::Board;
use std::{future::Future, sync::Arc};

/// Events asked for at once.
const PAGE_EVENTS: u32 = 1024;

/// A board that shows this run alone, as it was after an event; nothing means all.
pub async fn past<F: Future<Output = Page>>(
    run: RunId,
    until: Option<Seq>,
    read: impl Fn(Want) -> F,
) -> Page {
    let mut board = Board::default();
    let (mut after, until) = (Seq(0), until.unwrap_or(Seq(u64::MAX)));
    loop {
        match read(Want::Events { run: Some(run), after, limit: PAGE_EVENTS }).await {
            Page::Events { events, more } => {
                for (seq, event) in events.iter().filter(|(seq, _)| *seq <= until) {
                    board.apply(*seq, event);
                }
                match events.last() {
                    Some((last, _)) if more && *last < until => after = *last,
                    None if after == Seq(0) => {
                        let why = format!("could not find run {run}; `cuelight runs` lists the runs");
                        return Page::Missing(why);
                    }
                    Some(_) | None => return Page::Past(Arc::new(board)),
                }
            }
            other => return other,
        }
    }
}
