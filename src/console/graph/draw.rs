//! DAG: the graph of one run, the step under the cursor, the map, and what is happening.

use super::{side, state::Picture};
use crate::{
    Fate, Intent, Mark, Model, Notes, Place, Role, Width, dag, layout,
    marks::{mark_of_run, word_of_run},
    pane, put,
    view::{
        canvas::Canvas,
        pieces::{Pieces, put_pieces, width_of},
    },
};
use cuelight_base::{StepIx, counted, safe_text};
use cuelight_projection::RunView;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};
use std::collections::BTreeSet;
use unicode_width::UnicodeWidthStr;

/// The longest name of a workflow in the title.
const NAME_MAX: usize = 40;

/// A map of fewer columns has no room for its signs to be explained.
const MAP_WORDS: u16 = 34;

/// So many edges around the cursor of a tree are drawn beside it.
const NEAR_HOPS: u32 = 3;

pub(crate) fn draw(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let model = canvas.model;
    let places = layout::dag(model);
    let Some(run) = model.dag.run.and_then(|run| model.board.run(run)) else {
        nothing(canvas, places.title, buf);
        return;
    };
    let Some(picture) = model.dag.picture.as_deref().filter(|picture| picture.run == run.id()) else {
        if model.arranging_for().is_some() {
            let text = format!("{}: arranging {} steps", run.id(), run.len());
            put(buf, places.title, places.title.x + 1, places.title.y, &text, canvas.style(Role::Muted));
        }
        return;
    };
    title(canvas, run, picture, places.title, buf);
    if let Some(area) = places.pane {
        pane(buf, area, &graph_title(canvas, picture), &edges_shown(canvas, picture), canvas.pane(true));
    }
    let (graph, view) = (places.graph, &model.dag.view);
    let notes = Notes { fates: model.dag.what_if.fates.as_deref(), found: &model.dag.found };
    let look = (canvas.theme, canvas.glyphs);
    dag::paint_with(&picture.layout, &picture.shown, view, notes, look, model.dag.scroll, graph, buf);
    if let Some(area) = places.strip {
        let window = (model.dag.scroll.1, graph.height);
        dag::paint_strip(&picture.layout, &picture.shown, window, look, area, buf);
    }
    if let Some(area) = places.near {
        around(canvas, area, buf);
    }
    if let Some(area) = places.map {
        map(canvas, run, picture, area, graph, buf);
    }
    let selected = model.dag.view.selected.map(StepIx).zip(picture.shown.selected(view));
    if let Some(selected) = selected.filter(|_| places.side.height > 0) {
        side::draw(canvas, run, selected, places.side, buf);
    }
    if let Some(area) = places.foot {
        side::foot(canvas, run, area, buf);
    }
    if let Some(area) = places.lower {
        happening(canvas, run, picture, area, buf);
    }
}

/// Beside a tree of lines: what its cursor needs, and what needs it.
fn around(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let line = canvas.glyphs.pick("│", "|");
    for y in area.y..area.bottom() {
        put(buf, canvas.screen(), area.x.saturating_sub(1), y, line, canvas.style(Role::Border));
    }
    let Some(near) = &canvas.model.dag.near else { return };
    let spot = near.view.selected.and_then(|selected| near.shown.spot_of(selected));
    let Some(place) = spot.and_then(|spot| near.layout.rect_of(spot)) else { return };
    let (width, height) = near.layout.size();
    let text = format!("around it: {}, {NEAR_HOPS} edges", counted(near.shown.nodes.len(), "step", "steps"));
    put(
        buf,
        area,
        area.x + 1,
        area.y,
        &canvas.glyphs.fit(&text, usize::from(area.width)),
        canvas.style(Role::Muted),
    );
    let area = layout::inset(area, 1, 2, 0);
    let middle = |at: i32, size: i32, whole: i32, seen: u16| {
        let seen = i32::from(seen);
        if whole <= seen { -(seen - whole) / 3 } else { (at + size / 2 - seen / 2).clamp(0, whole - seen) }
    };
    let offset =
        (middle(place.x, place.width, width, area.width), middle(place.y, place.height, height, area.height));
    dag::paint(&near.layout, &near.shown, &near.view, canvas.theme, canvas.glyphs, offset, area, buf);
}

fn nothing(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let text = match canvas.model.dag.run {
        Some(run) => format!("the steps of {run} are no longer in memory; `cuelight show {run}` prints them"),
        None => "no run is selected; 1 lists them".to_owned(),
    };
    put(buf, area, area.x + 1, area.y, &text, canvas.style(Role::Muted));
}

/// `r-7 etl/orders   1003 steps, 41 shown   zoom 2/3 compact   folded 14   follow on`
fn title(canvas: &Canvas<'_>, run: &RunView, picture: &Picture, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let (text_style, muted) = (canvas.style(Role::Text), canvas.style(Role::Muted));
    let mark = mark_of_run(&run.summary);
    let (number, zoom) = model.dag.view.zoom.name();
    let narrow = layout::frame(model.size).width == Width::One;
    let mut line: Pieces = vec![
        (format!(" {} ", mark.sign(canvas.glyphs)), mark.style(canvas.theme)),
        (
            format!("{} {}", run.id(), canvas.glyphs.fit(&safe_text(&run.summary.workflow), NAME_MAX)),
            canvas.style(Role::Title),
        ),
    ];
    if !narrow {
        line.push((format!("   {}", word_of_run(&run.summary)), canvas.style(mark.role())));
        if !run.summary.state.rests() {
            line.push((format!(" · {}", run.summary.stage()), muted));
        }
    }
    let (steps, shown) = (run.summary.counts.total() as usize, picture.shown.nodes.len());
    if shown < steps {
        let text = if narrow {
            format!("   {shown} of {steps}")
        } else {
            format!("   {}, {shown} shown", counted(steps, "step", "steps"))
        };
        line.push((text, text_style));
    }
    if !(narrow && model.dag.what_if.verb.is_some()) {
        line.push((format!("   zoom {number}/3 {zoom}"), muted));
    }
    let searches = !model.dag.find.is_empty() || model.dag.what_if.verb.is_some();
    if picture.shown.folded() > 0 && !(narrow && searches) {
        line.push((format!("   folded {}", picture.shown.folded()), muted));
    }
    if model.arranging_for().is_some() {
        line.push(("   arranging".to_owned(), canvas.style(Role::Warn)));
    }
    if !model.dag.find.is_empty() {
        line.push((format!("   {}", found(model)), canvas.style(Role::Match)));
    } else if let Some(verb) = model.dag.what_if.verb {
        line.push((format!("   what if: {}", verb.short()), canvas.style(Role::Warn)));
        line.extend(legend(canvas));
    } else {
        let follows = model.dag.follow && !model.dag.held;
        line.push((format!("   follow {}", if follows { "on" } else { "off" }), muted));
    }
    put_pieces(buf, area, (area.x, area.y), &line, canvas.glyphs);
    let used = width_of(&line);
    let right = right_of_title(canvas, run);
    let room = usize::from(area.width).saturating_sub(used + 2);
    for right in [right.0, right.1] {
        let width = width_of(&right);
        if width <= room {
            let x = area.right().saturating_sub(u16::try_from(width).unwrap_or(0) + 1);
            put_pieces(buf, area, (x, area.y), &right, canvas.glyphs);
            break;
        }
    }
}

/// The signs that stand over the steps while an answer is looked at: `► starts  ⊘ skips`.
fn legend(canvas: &Canvas<'_>) -> Pieces {
    let Some(fates) = &canvas.model.dag.what_if.fates else { return Pieces::new() };
    let used: BTreeSet<Fate> = fates.values().copied().collect();
    let told = used.into_iter().rev().flat_map(|fate| {
        let sign = fate.mark();
        let style = canvas.style(sign.role()).add_modifier(Modifier::REVERSED);
        [
            ("  ".to_owned(), Style::new()),
            (sign.sign(canvas.glyphs).to_owned(), style),
            (format!(" {}", fate.word()), canvas.style(Role::Muted)),
        ]
    });
    told.collect()
}

/// `/load  3 of 17`
fn found(model: &Model) -> String {
    let at = model.dag.view.selected.and_then(|selected| model.dag.found.binary_search(&selected).ok());
    let place = at.map_or_else(|| "-".to_owned(), |number| (number + 1).to_string());
    format!("/{}  {place} of {}", safe_text(&model.dag.find), model.dag.found.len())
}

/// The run's duration, and on wide screens the number of steps in each state.
fn right_of_title(canvas: &Canvas<'_>, run: &RunView) -> (Pieces, Pieces) {
    let took: Pieces = vec![(took_words(run, canvas.model.now), canvas.style(Role::Text))];
    let mut long = took.clone();
    for (state, count) in run.summary.counts.present() {
        long.push((format!("   {count} {state}"), canvas.style(Role::Muted)));
    }
    (long, took)
}

/// The duration of the run; empty before its start.
fn took_words(run: &RunView, now: cuelight_base::Timestamp) -> String {
    run.summary.took(now).map_or_else(String::new, |took| took.to_string())
}

fn graph_title(canvas: &Canvas<'_>, picture: &Picture) -> String {
    match picture.shown.selected(&canvas.model.dag.view) {
        Some(node) => safe_text(&node.title(canvas.glyphs)),
        None => String::new(),
    }
}

/// The edges that are drawn of a graph as levels, and the key that draws all of them.
fn edges_shown(canvas: &Canvas<'_>, picture: &Picture) -> String {
    let model = canvas.model;
    let key = model.keys.keys_of(model.view.scope(), Intent::AllEdges).filter(|_| picture.layout.is_levels());
    key.map_or_else(String::new, |key| format!("edges: cursor, critical path   {key} all"))
}

fn map(canvas: &Canvas<'_>, run: &RunView, picture: &Picture, area: Rect, graph: Rect, buf: &mut Buffer) {
    let key = canvas.model.keys.keys_of(canvas.model.view.scope(), Intent::Map).unwrap_or_default();
    let inside = pane(buf, area, "map", &format!("{key} hide"), canvas.pane(false));
    let (x, y) = canvas.model.dag.scroll;
    let window = Place { x, y, width: i32::from(graph.width), height: i32::from(graph.height) };
    let counts = &run.summary.counts;
    let percent = counts.progress().percent();
    let shown = picture.shown.nodes.len();
    let (done, dot) = (Mark::Done.sign(canvas.glyphs), canvas.glyphs.pick("·", "."));
    let legend = match inside.height {
        0..5 => Vec::new(),
        _ if inside.width < MAP_WORDS => vec![format!("{shown} shown")],
        _ => vec![
            format!("{dot} a step or fold   marked: what is seen"),
            format!("{done} {percent} %   {shown} shown"),
        ],
    };
    let rows = u16::try_from(legend.len()).unwrap_or(0);
    let (dots, below) = layout::split_down(inside, inside.height.saturating_sub(rows));
    dag::paint_map(&picture.layout, &picture.shown, window, (canvas.theme, canvas.glyphs), dots, buf);
    for (y, text) in (below.y..).zip(legend) {
        let text = canvas.glyphs.fit(&text, usize::from(below.width.saturating_sub(1)));
        put(buf, below, below.x + 1, y, &text, canvas.style(Role::Muted));
    }
}

/// Every step that goes on, waits or went wrong.
fn happening(canvas: &Canvas<'_>, run: &RunView, picture: &Picture, area: Rect, buf: &mut Buffer) {
    let inside = pane(buf, area, "what is happening", "", canvas.pane(false));
    let (inside, last) = layout::split_down(inside, inside.height.saturating_sub(1));
    put_pieces(buf, last, (last.x, last.y), &critical(canvas, run, picture, last.width), canvas.glyphs);
    let nodes = (0_u32..).zip(&picture.graph.nodes).filter(|(_, node)| node.hot);
    let mut hot: Vec<_> = nodes
        .filter_map(|(index, node)| {
            let index = StepIx(index);
            Some((node.mark, index, run.plan_step(index)?, run.step(index)?))
        })
        .collect();
    hot.sort_by_key(|(mark, index, _, _)| (std::cmp::Reverse(mark.urgency()), *index));
    if hot.is_empty() {
        let text = format!("nothing goes on: {} is {}", run.id(), run.summary.state);
        put(buf, inside, inside.x + 1, inside.y, &text, canvas.style(Role::Muted));
    }
    let rows = usize::from(inside.height);
    for (row, (mark, index, plan, step)) in hot.iter().take(rows).enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        let more = hot.len() - rows.min(hot.len());
        if more > 0 && row + 1 == rows {
            put(buf, inside, inside.x + 1, y, &format!("and {} more", more + 1), canvas.style(Role::Muted));
            break;
        }
        let detail = match (step.error(), side::waits(canvas, step, *mark)) {
            (Some(error), _) => format!("{} {}", error.mode.label(), safe_text(&error.message)),
            (None, Some((_, text, _))) => text,
            (None, None) => side::what_it_does(plan),
        };
        let mut line: Pieces = vec![
            (format!(" {} ", mark.sign(canvas.glyphs)), mark.style(canvas.theme)),
            (format!("{:<28} ", canvas.glyphs.fit(&run.step_id(*index), 28)), canvas.style(Role::Text)),
            (format!("{:<24} ", side::state_words(canvas, step, *mark)), canvas.style(mark.role())),
            (format!("{}  ", step.since.clock()), canvas.style(Role::Muted)),
            (detail, canvas.style(Role::Muted)),
        ];
        let offers = offers(canvas, *mark);
        let room = usize::from(inside.width).saturating_sub(width_of(&line) + width_of(&offers) + 2);
        if room > 0 && width_of(&line) + width_of(&offers) + 2 < usize::from(inside.width) {
            line.push((" ".repeat(room), Style::new()));
            line.extend(offers);
        }
        put_pieces(buf, inside, (inside.x, y), &line, canvas.glyphs);
    }
}

/// The keys for a step in this state, shown once the cursor is on it.
fn offers(canvas: &Canvas<'_>, mark: Mark) -> Pieces {
    let wanted: &[Intent] = match mark {
        Mark::Gate | Mark::GateLate | Mark::InDoubt => &[Intent::Open],
        Mark::Failed | Mark::TimedOut => &[Intent::Retry],
        _ => &[Intent::Logs],
    };
    let scope = canvas.model.view.scope();
    let one = |intent: &Intent| {
        let key = canvas.model.keys.keys_of(scope, *intent)?;
        Some([
            (key, canvas.style(Role::Title)),
            (format!(" {}  ", intent.short()), canvas.style(Role::Muted)),
        ])
    };
    wanted.iter().filter_map(one).flatten().collect()
}

/// `critical path  plan → load[7] → publish   19m so far`; of an ended run without `so far`
fn critical(canvas: &Canvas<'_>, run: &RunView, picture: &Picture, width: u16) -> Pieces {
    let (path, time, _) = &picture.critical;
    let arrow = canvas.glyphs.pick(" → ", " > ");
    let mut pieces: Pieces = vec![(" critical path  ".to_owned(), canvas.style(Role::Muted))];
    let so_far = if run.summary.state.rests() { "" } else { " so far" };
    let end = format!("   {time}{so_far}");
    let room = usize::from(width).saturating_sub(28 + end.width());
    // Of a long way the part around what goes on is told.
    let begun =
        |number: &u32| picture.graph.nodes.get(*number as usize).is_some_and(|node| node.mark != Mark::Todo);
    let at = path.iter().rposition(begun);
    let whole: usize = path.iter().map(|number| run.step_id(StepIx(*number)).width().min(24) + 3).sum();
    let first = if whole <= room { 0 } else { at.unwrap_or(0).saturating_sub(3) };
    let mut used = 0;
    if first > 0 {
        pieces.push((format!("{}{arrow}", canvas.glyphs.ellipsis()), canvas.style(Role::Muted)));
    }
    for (place, step) in path.iter().enumerate().skip(first) {
        let name = canvas.glyphs.fit(&run.step_id(StepIx(*step)), 24);
        used += name.width() + 3;
        if used > room {
            pieces.push((canvas.glyphs.ellipsis().to_string(), canvas.style(Role::Muted)));
            break;
        }
        pieces.push((name, canvas.style(Role::Graph1)));
        if place + 1 < path.len() {
            pieces.push((arrow.to_owned(), canvas.style(Role::Muted)));
        }
    }
    pieces.push((end, canvas.style(Role::Muted)));
    pieces
}
