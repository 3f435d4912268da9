//! The events of the run whose times are looked at, read page by page for the rows under its chart.

use super::moments::Moments;
use crate::{Lookup, Model, Sheet, View, Wish, layout, model::Asker};
use cuelight_projection::RunView;

/// Events asked for at once.
const PAGE: u32 = 1_024;

/// Asks for what was not read yet, where there is room for it on the screen.
pub(crate) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    if model.view != View::Time || layout::time(model).marks.is_none() {
        return;
    }
    let Some(run) = model.time.run.and_then(|run| model.board.run(run)).cloned() else { return };
    if model.time.moments.run != Some(run.id()) {
        model.time.moments = Moments::of(run.id());
    }
    let moments = &model.time.moments;
    if moments.asked.is_some() || newest(&run).is_none_or(|newest| newest <= moments.told) {
        return;
    }
    let after = moments.told;
    let want = Lookup::Events { run: Some(run.id()), after, limit: PAGE };
    model.time.moments.asked = Some(model.requests.read(Asker::TimeMarks, want, wishes));
}

fn newest(run: &RunView) -> Option<cuelight_base::Seq> {
    run.lines().next_back().map(|line| line.seq)
}

/// A page of events.
pub(crate) fn read(model: &mut Model, request: u64, sheet: Sheet) {
    let newest = model.time.moments.run.and_then(|run| model.board.run(run)).and_then(|run| newest(run));
    let moments = &mut model.time.moments;
    if moments.asked.take_if(|asked| *asked == request).is_none() {
        return;
    }
    match sheet {
        Sheet::Events { events, .. } if !events.is_empty() => {
            events.iter().for_each(|(seq, event)| moments.take(*seq, event));
        }
        // What cannot be read is not asked for again and again.
        _ => moments.told = newest.unwrap_or(moments.told).max(moments.told),
    }
}
