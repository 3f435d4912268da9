//! The graph: the cursor along edges, zoom, folds, search, follow, and what of the picture is seen.

use super::state::Picture;
use crate::{
    Direction, FoldKind, Intent, Mark, Model, Query, Role, View, Wish, Zoom, layout,
    marks::mark_of_step,
    pattern::Sought,
    searches::OF_STEPS,
    update::{places, toast},
};
use cuelight_base::Span;
use cuelight_projection::kind_word;
use std::{collections::BTreeSet, sync::Arc};

/// Follow rests this long after a key.
const FOLLOW_REST: Span = Span(5_000);
/// Shortest pause between two moves of follow.
const FOLLOW_STEP: Span = Span(1_000);
/// Rows kept visible above and below the cursor.
const MARGIN: i32 = 2;
/// Columns kept visible beside the cursor, so that the next steps are seen.
const MARGIN_BESIDE: i32 = 16;
/// Follows what runs, and keeps the cursor in sight.
pub(crate) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    if model.view != View::Dag || model.dag.picture.is_none() {
        return;
    }
    let rested = model.clock.since(model.keyboard.last_key) >= FOLLOW_REST || model.keyboard.last_key.0 == 0;
    let stays = model.dag.what_if.verb.is_some() || model.dag.held || is_on_gate(model);
    if model.dag.follow && rested && !stays && model.clock.since(model.dag.followed_at) >= FOLLOW_STEP {
        follow(model, wishes);
    }
    keep_in_sight(model);
}

/// True if the cursor is on a gate that waits for people.
fn is_on_gate(model: &Model) -> bool {
    let nodes = model.dag.picture.as_ref().map(|picture| &picture.graph.nodes);
    let node = nodes.zip(model.dag.view.selected).and_then(|(nodes, selected)| nodes.get(selected as usize));
    node.is_some_and(|node| node.gate && matches!(node.mark, Mark::Gate | Mark::GateLate))
}

/// To the newest step that runs, waits for somebody or has failed.
fn follow(model: &mut Model, wishes: &mut Vec<Wish>) {
    let Some(picture) = model.dag.picture.clone() else { return };
    let Some(run) = model.board.run(picture.run) else { return };
    let steps = run.steps().filter(|(_, _, step)| step.inside.is_none());
    let newest = steps
        .filter(|(index, _, _)| picture.graph.nodes.get(index.index()).is_some_and(|node| node.hot))
        .max_by_key(|(index, _, step)| (step.since, index.0));
    if let Some((index, _, _)) = newest
        && model.dag.view.selected != Some(index.0)
    {
        model.dag.followed_at = model.clock;
        select(model, index.0, wishes);
    }
}

fn select(model: &mut Model, node: u32, wishes: &mut Vec<Wish>) {
    model.dag.view.selected = Some(node);
    // What is selected is never folded away, so the picture may change with it.
    super::pictures::refresh(model, wishes);
}

fn keep_in_sight(model: &mut Model) {
    let Some(picture) = &model.dag.picture else { return };
    let places = layout::dag(model);
    let area = places.graph;
    let (width, height) = picture.layout.size();
    let place = model
        .dag
        .view
        .selected
        .and_then(|selected| picture.shown.spot_of(selected))
        .and_then(|spot| picture.layout.rect_of(spot));
    let Some(place) = place else { return };
    let axis = |scroll: i32, at: i32, size: i32, whole: i32, seen: u16, margin: i32| {
        let seen = i32::from(seen);
        let margin = margin.min((seen - size) / 2).max(0);
        if whole <= seen {
            return -(seen - whole) / 2;
        }
        let last = at + size + margin - seen;
        // What is too large to be seen whole is seen from its begin.
        scroll.max(last).min((at - margin).max(0)).clamp(0, whole - seen)
    };
    let (x, y) = model.dag.scroll;
    if picture.layout.is_tree() {
        // Lines begin at the left, like any text.
        let x =
            axis(x, place.x, place.width.min(i32::from(area.width) / 2), width, area.width, MARGIN).max(0);
        model.dag.scroll = (x, axis(y, place.y, place.height, height, area.height, MARGIN).max(0));
        return;
    }
    if picture.layout.is_levels() {
        // Levels begin below the title, like a table.
        model.dag.scroll = (
            axis(x, place.x, place.width, width, area.width, MARGIN_BESIDE).max(-1),
            axis(y, place.y, place.height, height, area.height, MARGIN).max(0),
        );
        return;
    }
    // What fits stands in the middle, but not farther from the title than the eye looks.
    model.dag.scroll = (
        axis(x, place.x, place.width, width, area.width, MARGIN_BESIDE).max(-i32::from(area.width) / 6),
        axis(y, place.y, place.height, height, area.height, MARGIN).max(-i32::from(area.height) / 3),
    );
}

pub(crate) fn act(model: &mut Model, intent: Intent, count: Option<u32>, _wishes: &mut Vec<Wish>) {
    let Some(picture) = model.dag.picture.clone() else {
        if intent == Intent::Escape {
            places::backward(model);
        }
        return;
    };
    let page = u32::from(layout::dag(model).graph.height).max(2);
    let times = count.unwrap_or(1).clamp(1, 1_000);
    match intent {
        Intent::Left => walk(model, &picture, Direction::Left, times),
        Intent::Right => walk(model, &picture, Direction::Right, times),
        Intent::Up => walk(model, &picture, Direction::Up, times),
        Intent::Down => walk(model, &picture, Direction::Down, times),
        Intent::First => jump(model, picture.shown.nodes.first().map(|node| node.first)),
        Intent::Last => jump(model, picture.shown.nodes.last().map(|node| node.first)),
        Intent::HalfDown => walk(model, &picture, Direction::Down, page / 2 * times),
        Intent::HalfUp => walk(model, &picture, Direction::Up, page / 2 * times),
        Intent::PageDown => walk(model, &picture, Direction::Down, page * times),
        Intent::PageUp => walk(model, &picture, Direction::Up, page * times),
        Intent::Parents => relative(model, &picture, true),
        Intent::Children => relative(model, &picture, false),
        Intent::NextHot | Intent::PreviousHot if !model.dag.find.is_empty() => {
            next_found(model, intent == Intent::NextHot);
        }
        Intent::NextHot => next_hot(model, &picture, true),
        Intent::PreviousHot => next_hot(model, &picture, false),
        Intent::NextMatch => next_found(model, true),
        Intent::PreviousMatch => next_found(model, false),
        Intent::WhatIf => super::what_if::next(model),
        Intent::Nearer => zoom(model, model.dag.view.zoom.nearer()),
        Intent::Farther => zoom(model, model.dag.view.zoom.farther()),
        Intent::Tree => {
            let before = model.dag.zoom_before_tree.take();
            let is_tree = model.dag.view.zoom == Zoom::Outline;
            if !is_tree {
                model.dag.zoom_before_tree = Some(model.dag.view.zoom);
            }
            zoom(model, if is_tree { before.unwrap_or_default() } else { Zoom::Outline });
        }
        Intent::Open => open(model, &picture),
        Intent::FoldToggle => {
            model.dag.view.toggle_fold(&picture.shown);
        }
        Intent::FoldOpen => {
            model.dag.view.open_fold(&picture.shown);
        }
        Intent::FoldClose => {
            model.dag.view.close_fold(&picture.shown);
        }
        Intent::FoldAll => model.dag.view.close_all(),
        Intent::FoldNone => model.dag.view.open_all(),
        Intent::Map | Intent::Preview => model.dag.map = Some(!layout::shows_map(model)),
        Intent::AllEdges => model.dag.view.all_edges = !model.dag.view.all_edges,
        Intent::Follow => {
            model.dag.follow = model.dag.held || !model.dag.follow;
            model.dag.held = false;
            let text = if model.dag.follow { "follow on" } else { "follow off" };
            toast(model, text, Role::Info);
        }
        Intent::Escape => escape(model),
        _ => {}
    }
}

/// A fold is unfolded; a gate that asks is gone to; of a step its output is shown.
fn open(model: &mut Model, picture: &Arc<Picture>) {
    let Some(node) = picture.shown.selected(&model.dag.view) else { return };
    if node.key.kind != FoldKind::Step {
        model.dag.view.toggle_fold(&picture.shown);
        return;
    }
    let step = cuelight_base::StepIx(node.first);
    let rows = model.board.inbox(Some((&model.seat.actor, model.now)));
    let asks = rows.iter().find(|row| row.run == picture.run && row.step == step);
    match asks.map(crate::gates::state::key_of) {
        Some(key) => {
            places::go(model, View::Gates);
            model.gates.selected = Some(key);
        }
        None => crate::logs::update::open(model),
    }
}

/// One step back: what an answer would do, the search, the view.
fn escape(model: &mut Model) {
    if super::what_if::leave(model) {
        return;
    }
    if model.dag.find.is_empty() {
        places::backward(model);
    } else {
        model.dag.find.clear();
        model.dag.found.clear();
    }
}

fn zoom(model: &mut Model, zoom: Zoom) {
    model.dag.view.zoom = zoom;
    model.dag.chosen = Some(zoom);
}

fn walk(model: &mut Model, picture: &Arc<Picture>, direction: Direction, times: u32) {
    let Some(mut spot) = model.dag.view.selected.and_then(|selected| picture.shown.spot_of(selected)) else {
        return;
    };
    for _ in 0..times {
        let Some(next) = picture.layout.neighbour(spot, direction) else { break };
        spot = next;
    }
    jump(model, picture.shown.nodes.get(spot as usize).map(|node| node.first));
}

fn jump(model: &mut Model, node: Option<u32>) {
    if let Some(node) = node {
        model.dag.view.selected = Some(node);
        model.dag.held = true;
    }
}

fn relative(model: &mut Model, picture: &Arc<Picture>, to_parents: bool) {
    let Some(spot) = model.dag.view.selected.and_then(|selected| picture.shown.spot_of(selected)) else {
        return;
    };
    let spots = if to_parents { picture.layout.parents(spot) } else { picture.layout.children(spot) };
    match spots.first().and_then(|spot| picture.shown.nodes.get(*spot as usize)) {
        Some(node) => jump(model, Some(node.first)),
        None => toast(model, if to_parents { "it needs nothing" } else { "nothing needs it" }, Role::Info),
    }
}

fn next_hot(model: &mut Model, picture: &Arc<Picture>, forward: bool) {
    let at = model.dag.view.selected.unwrap_or(0);
    let hot = hot_steps(picture);
    let next = if forward {
        hot.iter().find(|node| **node > at).or(hot.first())
    } else {
        hot.iter().rev().find(|node| **node < at).or(hot.last())
    };
    match next.copied() {
        Some(node) => jump(model, Some(node)),
        None => toast(model, "nothing runs, waits or has failed", Role::Info),
    }
}

/// The steps that run, wait or have failed, ascending; no frames around them.
pub(super) fn hot_steps(picture: &Picture) -> Vec<u32> {
    let nodes = || (0_u32..).zip(&picture.graph.nodes);
    let frames: BTreeSet<u32> = nodes().filter_map(|(_, node)| node.group).collect();
    nodes().filter(|(index, node)| node.hot && !frames.contains(index)).map(|(index, _)| index).collect()
}

/// Looks for steps by words of their ids, or by `state:` and `kind:`, and goes to the first that fits.
pub(crate) fn find(model: &mut Model) {
    model.dag.find = model.runs.find.clone();
    search(model);
    if !model.dag.find.is_empty() {
        let at = model.dag.view.selected.unwrap_or(0);
        match model.dag.found.iter().find(|number| **number >= at).or(model.dag.found.first()).copied() {
            Some(node) => jump(model, Some(node)),
            None => {
                let text = format!("could not find {:?} among the steps; Esc clears it", model.dag.find);
                toast(model, &text, Role::Warn);
            }
        }
    }
}

/// Finds the steps that match the search.
fn search(model: &mut Model) {
    let query = Query::parse(&model.dag.find, OF_STEPS);
    let Some(run) = model.dag.run.and_then(|run| model.board.run(run)).filter(|_| !query.is_empty()) else {
        model.dag.found.clear();
        return;
    };
    let fits = run.steps().filter(|(_, plan, step)| {
        let says = |field: &str| match field {
            "state" => {
                let mark = mark_of_step(step, &model.board, model.now);
                format!("{} {}", step.state.word(), mark.word())
            }
            "kind" => kind_word(&plan.work).to_owned(),
            "group" => plan.frame.map_or_else(String::new, |frame| run.step_id(frame)),
            _ => plan.id.clone(),
        };
        query.fits(says, &plan.id)
    });
    model.dag.found = fits.map(|(step, _, _)| step.0).collect();
    // Nothing is called so: names that have its letters in their order may be meant.
    if let Ok(sought) = Sought::parse(&model.dag.find)
        && model.dag.found.is_empty()
    {
        let near = run.steps().filter(|(_, plan, _)| sought.is_near(&plan.id));
        model.dag.found = near.map(|(step, _, _)| step.0).collect();
    }
}

/// To the next step that was found, around the end.
fn next_found(model: &mut Model, forward: bool) {
    // What is looked for by its state may be others by now.
    search(model);
    let at = model.dag.view.selected.unwrap_or(0);
    let found = &model.dag.found;
    let next = if forward {
        found.iter().find(|number| **number > at).or(found.first())
    } else {
        found.iter().rev().find(|number| **number < at).or(found.last())
    };
    match next.copied() {
        Some(node) => jump(model, Some(node)),
        None if model.dag.find.is_empty() => toast(model, "nothing is looked for; / does", Role::Info),
        None => {
            let text = format!("could not find {:?} among the steps; Esc clears it", model.dag.find);
            toast(model, &text, Role::Warn);
        }
    }
}

/// A click selects the node under it; true if there is one.
pub(crate) fn click(model: &mut Model, column: u16, row: u16) -> bool {
    let Some(picture) = model.dag.picture.clone() else { return false };
    let area = layout::dag(model).graph;
    if !area.contains(ratatui::layout::Position { x: column, y: row }) {
        return false;
    }
    let x = i32::from(column - area.x) + model.dag.scroll.0;
    let y = i32::from(row - area.y) + model.dag.scroll.1;
    let hit = picture.layout.hit(x, y);
    if let Some(spot) = hit {
        jump(model, picture.shown.nodes.get(spot as usize).map(|node| node.first));
    }
    hit.is_some()
}
