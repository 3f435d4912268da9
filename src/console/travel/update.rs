//! Time travel: reading the past page by page, which instant is seen, playing, marks. Nothing here waits: a place that is
//! not folded yet is asked for, and seen when its events have come.

use super::state::{Before, IN_THE_PAST, PAUSE_MAX, Part, Play, SPEEDS, Seek, Travel};
use crate::{
    Intent, Lookup, Model, Mouse, Role, Sheet, View, Wish, intent::Group, layout, model::Asker,
    pattern::Sought, update::toast,
};
use cuelight_base::{RunId, Seq, Span, Timestamp};
use cuelight_projection::{History, Moment, Notch};
use std::sync::Arc;

/// Events asked for at once.
const PAGE: u32 = 1024;
/// Events that are looked back on; a longer log is opened run by run.
const EVENTS_MAX: usize = 1_000_000;
/// Events that are played in one go when the screen is slower than they are.
const PLAYED_MAX: usize = 2_000;

/// Opens the past at what is selected.
pub(crate) fn begin(model: &mut Model) {
    if model.board.seq == Seq(0) {
        return toast(model, "there is no past yet: nothing has happened", Role::Info);
    }
    let (run, seek) = origin(model);
    if let Some(newest) = model.past.frozen.take() {
        model.board = newest;
    }
    let before = Before {
        view: model.view,
        run: model.runs.selected,
        graph: model.dag.run,
        step: model.dag.view.selected,
        time: (model.time.run, model.time.selected),
    };
    let screen = model.size;
    model.past.travel = Some(Box::new(Travel {
        history: History::of(run),
        complete: false,
        at: 0,
        shown: None,
        seek: Some(seek),
        reel: (0, Vec::new()),
        asked: None,
        live: Arc::clone(&model.board),
        play: None,
        speed: SPEEDS[0],
        find: String::new(),
        screen,
        before,
        changes: Vec::new(),
        changes_of: None,
    }));
    resize(model, screen);
    model.overlay = None;
}

/// The run whose past is meant, None for the whole log, and the position in it.
fn origin(model: &Model) -> (Option<RunId>, Seek) {
    let newest = Seek::Newest;
    match model.view {
        View::Audit => match model.workspace.audit.row() {
            Some(row) => (row.run, Seek::Seq(row.seq)),
            None => (None, newest),
        },
        View::Time => {
            let step =
                model.step().and_then(|step| Some(model.board.run(model.run()?)?.step(step)?.started_at));
            (model.run(), step.flatten().map_or(newest, Seek::At))
        }
        View::Dag | View::Gates | View::Logs => (model.run(), newest),
        View::Runs | View::Errors | View::Health | View::Agents | View::Tools => (None, newest),
    }
}

/// Back to what is now, at the place where the past was opened.
pub(crate) fn end(model: &mut Model) {
    let Some(travel) = model.past.travel.take() else { return };
    model.board = travel.live;
    model.now = model.clock;
    model.size = model.look.size(travel.screen);
    let before = travel.before;
    if model.view == before.view {
        model.runs.selected = before.run;
        model.dag.run = before.graph;
        model.dag.view.selected = before.step;
        (model.time.run, model.time.selected) = before.time;
    }
    model.gates.rows_of = None;
    toast(model, "live again", Role::Info);
}

/// The terminal has another size.
pub(crate) fn resize(model: &mut Model, size: (u16, u16)) {
    match &mut model.past.travel {
        Some(travel) => {
            travel.screen = size;
            // Who has the screen read out hears of the past in the status line.
            let reads = model.look.reader;
            model.size = if reads { model.look.size(size) } else { layout::inside_travel(size).view };
        }
        None => model.size = model.look.size(size),
    }
}

/// The row of the view under a row of the screen; nothing when it is one of the scrubber, which is answered here.
pub(crate) fn row_of_view(model: &mut Model, what: Mouse, (column, row): (u16, u16)) -> Option<u16> {
    let Some(travel) = &mut model.past.travel else { return Some(row) };
    let places = layout::inside_travel(travel.screen);
    if let Some(track) =
        places.track.filter(|track| track.y <= row && row < track.bottom() && track.width > 1)
    {
        let (len, width) = (travel.history.len(), usize::from(track.width) - 1);
        let to = usize::from(column.saturating_sub(track.x)).min(width) * len / width.max(1);
        if matches!(what, Mouse::Click | Mouse::DoubleClick) {
            go(travel, to.max(1));
        }
        return None;
    }
    places.row_of_view(row)
}

/// Keys of the past; false when the view has to know.
pub(crate) fn act(model: &mut Model, intent: Intent, count: Option<u32>, wishes: &mut Vec<Wish>) -> bool {
    let Some(travel) = &mut model.past.travel else { return false };
    let times = usize::try_from(count.unwrap_or(1).max(1)).unwrap_or(1);
    let changes = intent.group() == Group::Act || intent == Intent::TakeBack;
    match intent {
        // What is made is another run: the past stays as it is.
        Intent::Fork => crate::dialog::asking::fork(model, wishes),
        _ if changes => toast(model, IN_THE_PAST, Role::Warn),
        Intent::Freeze => toast(model, "the past stands still by itself; T to go live", Role::Info),
        Intent::Travel | Intent::CloseView => end(model),
        Intent::Escape => escape(model),
        Intent::EventOn => go(travel, travel.at.saturating_add(times)),
        Intent::EventBack => go(travel, travel.at.saturating_sub(times)),
        Intent::Earliest => go(travel, 1),
        Intent::Newest => newest(travel),
        Intent::StepOn | Intent::StepBack => {
            let turns =
                |moment: &Moment| moment.kind.starts_with("step.") || moment.kind.starts_with("undo.");
            jump(model, intent == Intent::StepOn, times, "step that turned", turns);
        }
        Intent::NextNotch | Intent::PreviousNotch => {
            let stops = |moment: &Moment| moment.notch.is_some_and(Notch::stops);
            jump(model, intent == Intent::NextNotch, times, "gate or error", stops);
        }
        Intent::SecondOn | Intent::SecondBack => second(travel, intent == Intent::SecondOn, times),
        Intent::NextMatch | Intent::PreviousMatch => to_match(model, intent == Intent::NextMatch),
        Intent::PlayOn | Intent::PlayBack => toggle_play(model, intent == Intent::PlayOn),
        Intent::Speed => {
            travel.speed = SPEEDS[(times - 1).min(SPEEDS.len() - 1)];
            let text = format!("plays {} times as fast", travel.speed);
            toast(model, &text, Role::Info);
        }
        Intent::Compare => super::compare::open(model),
        _ => return false,
    }
    true
}

/// Stops what plays, clears the search, leaves the past.
fn escape(model: &mut Model) {
    let Some(travel) = &mut model.past.travel else { return };
    if travel.play.take().is_none() {
        if travel.find.is_empty() {
            end(model);
        } else {
            travel.find.clear();
        }
    }
}

/// To a place; a history that has events is seen from the first on.
fn go(travel: &mut Travel, at: usize) {
    let len = travel.history.len();
    if len == 0 {
        return;
    }
    travel.seek = None;
    travel.at = at.clamp(1, len);
}

fn newest(travel: &mut Travel) {
    travel.at = travel.history.len();
    travel.seek = (!travel.complete).then_some(Seek::Newest);
}

fn jump(model: &mut Model, forward: bool, times: usize, what: &str, fits: impl Fn(&Moment) -> bool) {
    let Some(travel) = &mut model.past.travel else { return };
    let mut to = None;
    for _ in 0..times {
        match travel.history.next(to.unwrap_or(travel.at), forward, &fits) {
            Some(at) => to = Some(at),
            None => break,
        }
    }
    match to {
        Some(at) => go(travel, at),
        None => {
            let side = if forward { "after" } else { "before" };
            toast(model, &format!("there is no {what} {side} this"), Role::Info);
        }
    }
}

/// By seconds, as the clock went; at least one event.
fn second(travel: &mut Travel, forward: bool, times: usize) {
    let Some(latest) = travel.history.moment(travel.at).map(|moment| moment.latest) else { return };
    let span = Span::seconds(times as u64);
    let to = if forward {
        travel.history.place_at(latest + span).max(travel.at + 1)
    } else {
        travel.history.place_at(latest - span).min(travel.at.saturating_sub(1))
    };
    go(travel, to);
}

/// Looks for events: by their kind, their run, or the id of their step.
pub(crate) fn find(model: &mut Model, text: &str) {
    if let Some(travel) = &mut model.past.travel {
        text.clone_into(&mut travel.find);
    }
    to_match(model, true);
}

fn to_match(model: &mut Model, forward: bool) {
    let Some(travel) = &model.past.travel else { return };
    let wanted = travel.find.clone();
    if wanted.is_empty() {
        return toast(model, "nothing is looked for; / begins a search", Role::Info);
    }
    let Ok(sought) = Sought::parse(&wanted) else { return };
    let tip = travel.history.tip().clone();
    let fits = |moment: &Moment| {
        sought.is_in(moment.kind)
            || moment.run.is_some_and(|run| run.to_string() == wanted.to_lowercase())
            || moment.run.and_then(|run| tip.run(run)).zip(moment.step).is_some_and(|(run, step)| {
                run.plan_step(step).is_some_and(|plan_step| sought.is_in(&plan_step.id))
            })
    };
    jump(model, forward, 1, &format!("event with {wanted:?}"), fits);
}

fn toggle_play(model: &mut Model, forward: bool) {
    let clock = model.clock;
    let Some(travel) = &mut model.past.travel else { return };
    travel.play = match travel.play {
        Some(play) if play.forward == forward => None,
        _ => Some(Play { forward, due: clock }),
    };
    // At the end it begins anew.
    if forward && travel.play.is_some() && travel.at >= travel.history.len() && travel.complete {
        go(travel, 1);
    }
}

/// Shows what is due: as many events as the clock went on, each as long after the other as it was then, by the speed.
pub(crate) fn play(model: &mut Model) {
    let clock = model.clock;
    let Some(travel) = &mut model.past.travel else { return };
    for _ in 0..PLAYED_MAX {
        let Some(mut play) = travel.play.filter(|play| play.due <= clock) else { return };
        let to = if play.forward { travel.at + 1 } else { travel.at.saturating_sub(1) };
        if to == 0 || to > travel.history.len() {
            if travel.complete || to == 0 {
                travel.play = None;
            } else {
                play.due = clock + Span(100);
                travel.play = Some(play);
            }
            return;
        }
        go(travel, to);
        play.due = play.due + pause(travel, play.forward);
        travel.play = Some(play);
    }
    // Whoever was away for long does not see all of it rush by.
    if let Some(play) = &mut travel.play {
        play.due = play.due.max(clock);
    }
}

/// Time for which the current event is shown during playback.
fn pause(travel: &Travel, forward: bool) -> Span {
    let next = if forward { travel.at + 1 } else { travel.at.saturating_sub(1) };
    let latest = |at: usize| travel.history.moment(at).map_or(Timestamp::default(), |moment| moment.latest);
    let (here, there) = (latest(travel.at), latest(next));
    let apart = there.since(here).0.max(here.since(there).0);
    Span((apart / travel.speed.max(1)).clamp(1, PAUSE_MAX.0))
}

/// A page of the past.
pub(crate) fn read(model: &mut Model, request: u64, sheet: Sheet) {
    let Some(travel) = &mut model.past.travel else { return };
    let Some((_, part)) = travel.asked.take_if(|asked| asked.0 == request) else { return };
    let (events, more) = match sheet {
        Sheet::Events { events, more } => (events, more),
        Sheet::Missing(why) => return lost(model, &why),
        Sheet::Bytes { .. }
        | Sheet::Records(_)
        | Sheet::Chain { .. }
        | Sheet::Workflow(_)
        | Sheet::Agents(_) => return,
    };
    match part {
        Part::Again(from) => travel.reel = (from, events),
        Part::More => {
            let before = travel.history.len();
            for (seq, event) in &events {
                travel.history.take(*seq, event);
            }
            travel.complete = !more;
            travel.reel = (before, events);
            seek(travel);
        }
    }
    if travel.complete && travel.history.is_empty() {
        lost(model, "nothing is left of it in the log");
    } else if travel.history.len() > EVENTS_MAX {
        lost(model, &format!("it has more than {EVENTS_MAX} events; open one run and press T there"));
    }
}

fn lost(model: &mut Model, why: &str) {
    end(model);
    toast(model, &format!("could not show the past: {why}"), Role::Warn);
}

/// Goes to where it was to begin, once that was read.
fn seek(travel: &mut Travel) {
    let history = &travel.history;
    let (at, found) = match travel.seek {
        None => return,
        Some(Seek::Newest) => (history.len(), travel.complete),
        Some(Seek::Seq(seq)) => {
            let at = history.place_of(seq);
            (at, travel.complete || history.moments().last().is_some_and(|moment| moment.seq >= seq))
        }
        Some(Seek::At(instant)) => {
            let at = history.place_at(instant);
            (at, travel.complete || at < history.len())
        }
    };
    let seek = travel.seek.filter(|_| !found);
    go(travel, at);
    travel.seek = seek;
}

/// Shows what is to be seen, as far as its events are here, and asks for what is missing.
pub(crate) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    let Some(mut travel) = model.past.travel.take() else { return };
    let waits = travel.seek.is_some() || travel.history.is_empty();
    let part = if waits || fold(&mut travel, model) { more(&travel) } else { Some(again(&travel)) };
    if let (Some(part), None) = (part, travel.asked) {
        let after = match part {
            Part::More => travel.history.moments().last().map_or(Seq(0), |moment| moment.seq),
            Part::Again(from) => travel.history.moment(from).map_or(Seq(0), |moment| moment.seq),
        };
        let want = Lookup::Events { run: travel.history.run(), after, limit: PAGE };
        travel.asked = Some((model.requests.read(Asker::Travel, want, wishes), part));
    }
    model.past.travel = Some(travel);
    super::compare::changes(model);
}

/// The next part of the history to read; None if there is no more.
fn more(travel: &Travel) -> Option<Part> {
    let last = travel.history.moments().last().map_or(Seq(0), |moment| moment.seq);
    let news = match travel.history.run() {
        None => travel.live.seq > last,
        Some(run) => travel
            .live
            .run(run)
            .is_some_and(|run| run.lines().next_back().is_some_and(|line| line.seq > last)),
    };
    (!travel.complete || news).then_some(Part::More)
}

/// The part to read again so that the wanted instant can be shown.
fn again(travel: &Travel) -> Part {
    let (base, _) = travel.history.near(travel.at);
    let (begin, events) = &travel.reel;
    // Where kept folds stand farther apart than a page, the pages between are read one after the other.
    let held = begin + events.len();
    let goes_on = base >= *begin && held > base && held < travel.at;
    Part::Again(if goes_on { held } else { base })
}

/// Folds the board that is to be seen; false when events are missing for it.
fn fold(travel: &mut Travel, model: &mut Model) -> bool {
    if travel.shown == Some(travel.at) {
        return true;
    }
    let (base, kept) = travel.history.near(travel.at);
    // What is seen may be nearer than what was kept.
    let near = travel.shown.filter(|number| (base..=travel.at).contains(number));
    let (from, board) = match near {
        Some(shown) => (shown, &model.board),
        None => (base, kept),
    };
    let to = travel.at;
    let Some(events) = travel.held(from, to) else {
        // As far as they are held, so that the next page goes on from there.
        let end = travel.reel.0 + travel.reel.1.len();
        if let Some(events) = travel.held(from, end.min(to)).filter(|pairs| !pairs.is_empty()) {
            let board = Arc::new(travel.history.fold(board, events));
            show(travel, model, board, end.min(to));
        }
        return false;
    };
    let board = Arc::new(travel.history.fold(board, events));
    show(travel, model, board, to);
    true
}

fn show(travel: &mut Travel, model: &mut Model, board: Arc<cuelight_projection::Board>, at: usize) {
    let moment = travel.history.moment(at);
    model.now = moment.map_or(model.clock, |moment| moment.at);
    // A filter of what needs somebody is made of a board; this is another one.
    model.gates.rows_of = None;
    travel.shown = Some(at);
    model.board = board;
}
