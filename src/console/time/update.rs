//! Keys of Time, and its chart, made anew when something in it changed.

use super::gantt::{Chart, ChartOf};
use crate::{
    Intent, Model, Role, View, Wish, layout,
    pattern::Sought,
    update::{moving, places, toast},
};
use cuelight_base::StepIx;
use cuelight_projection::Medians;
use std::{cmp::Ordering, sync::Arc};

/// The number of times that the chart's width can be doubled.
const ZOOM_MAX: u32 = 12;

/// Brings the chart, the cursor and the scroll up to date.
pub(crate) fn refresh(model: &mut Model) {
    if model.view != View::Time {
        return;
    }
    if model.time.run.is_none() {
        model.time.run = model.dag.run.or(model.runs.selected);
    }
    let Some(run) = model.time.run.and_then(|run| model.board.run(run)).cloned() else {
        (model.time.chart, model.time.chart_of) = (None, None);
        return;
    };
    medians(model);
    let of = ChartOf {
        run: run.id(),
        seq: model.board.seq,
        second: if run.summary.state.rests() { 0 } else { model.now.0 / 1000 },
        look: model.time.look.clone(),
        medians: model.time.medians.runs,
    };
    if model.time.chart_of.as_ref() != Some(&of) {
        if model.time.chart_of.as_ref().is_some_and(|chart_of| chart_of.run != of.run) {
            (model.time.zoom, model.time.left, model.time.top) = (0, 0, 0);
            model.time.look.open.clear();
        }
        let chart = Chart::of(&model.board, &run, model.now, &model.time.look, &model.time.medians);
        keep_cursor(model, &chart);
        (model.time.chart, model.time.chart_of) = (Some(Arc::new(chart)), Some(of));
    }
    let at = cursor(model);
    let len = model.time.chart.as_ref().map_or(0, |chart| chart.rows.len());
    model.time.top = moving::scrolled(model.time.top, at, len, page(model));
    let widest = layout::time(model).chart.width;
    let all = usize::from(widest) << model.time.zoom;
    model.time.left = model.time.left.min(all - usize::from(widest));
}

/// Updates the medians from the newest board: the board of a past instant may have no other runs.
fn medians(model: &mut Model) {
    let live = Arc::clone(model.live());
    let Some(run) = model.time.run.and_then(|run| live.run(run).or(model.board.run(run))).cloned() else {
        return;
    };
    let rested = live.summaries().filter(|summary| summary.id < run.id() && summary.state.rests()).count();
    let of = Some((run.id(), run.len(), rested));
    if model.time.medians_of != of {
        model.time.medians = Arc::new(Medians::of(&live, &run));
        model.time.medians_of = of;
    }
}

/// The cursor stays on its step; when that is hidden, on the frame around it, else on the same row.
fn keep_cursor(model: &mut Model, chart: &Chart) {
    let at = cursor(model).min(chart.rows.len().saturating_sub(1));
    let is_row = |step: StepIx| chart.rows.iter().any(|row| row.step == step);
    let run = model.board.run(chart.run);
    let step = model.time.selected.and_then(|step| {
        let around = run.into_iter().flat_map(|run| run.frames_of(step));
        std::iter::once(step).chain(around).find(|step| is_row(*step))
    });
    model.time.selected = step.or(chart.rows.get(at).map(|row| row.step));
}

fn cursor(model: &Model) -> usize {
    let rows = model.time.chart.as_ref().map_or(&[][..], |chart| &chart.rows);
    model.time.selected.and_then(|step| rows.iter().position(|row| row.step == step)).unwrap_or(0)
}

fn page(model: &Model) -> usize {
    let places = layout::time(model);
    let rows = model.time.chart.as_ref().map_or(0, |chart| chart.rows.len());
    usize::from(places.rows.height / places.each(rows))
}

pub(crate) fn act(model: &mut Model, intent: Intent, count: Option<u32>, _wishes: &mut Vec<Wish>) {
    let Some(chart) = model.time.chart.clone() else {
        if intent == Intent::Escape {
            places::backward(model);
        }
        return;
    };
    if let Some(to) = moving::moved(intent, cursor(model), chart.rows.len(), page(model), count) {
        model.time.selected = chart.rows.get(to).map(|row| row.step);
        return;
    }
    match intent {
        Intent::Left | Intent::Right => sideways(model, intent == Intent::Right, count),
        Intent::Nearer => zoom(model, 1),
        Intent::Farther => zoom(model, -1),
        Intent::Fit => (model.time.zoom, model.time.left) = (0, 0),
        Intent::CriticalPath => {
            model.time.look.critical_only = !model.time.look.critical_only;
        }
        Intent::HideIdle => model.time.look.hide_idle = !model.time.look.hide_idle,
        Intent::Sort => {
            model.time.look.order = model.time.look.order.next();
            toast(model, &format!("sorted by {}", model.time.look.order.name()), Role::Info);
        }
        Intent::FoldToggle => fold(model),
        Intent::FoldAll => model.time.look.open.clear(),
        Intent::FoldNone => open_all(model),
        Intent::NextMatch => find(model, true),
        Intent::PreviousMatch => find(model, false),
        Intent::Compare => crate::travel::compare::open(model),
        Intent::Open => to_graph(model),
        Intent::Escape => places::backward(model),
        _ => {}
    }
}

fn sideways(model: &mut Model, right: bool, count: Option<u32>) {
    let cells = 8 * usize::try_from(count.unwrap_or(1)).unwrap_or(1);
    if model.time.zoom == 0 {
        return toast(model, "all of it is seen; + zooms in", Role::Info);
    }
    let left = model.time.left;
    model.time.left = if right { left.saturating_add(cells) } else { left.saturating_sub(cells) };
}

/// The middle of what is seen stays in the middle.
fn zoom(model: &mut Model, by: i32) {
    let seen = usize::from(layout::time(model).chart.width);
    let before = model.time.zoom;
    model.time.zoom = before.saturating_add_signed(by).min(ZOOM_MAX);
    let middle = model.time.left + seen / 2;
    let middle = match model.time.zoom.cmp(&before) {
        Ordering::Greater => middle * 2,
        Ordering::Less => middle / 2,
        Ordering::Equal => middle,
    };
    model.time.left = middle.saturating_sub(seen / 2);
}

/// Opens or closes the frame under the cursor, or the one around it.
fn fold(model: &mut Model) {
    let Some(run) = model.time.run.and_then(|run| model.board.run(run)).cloned() else { return };
    let Some(step) = model.time.selected else { return };
    let holds = |step: &StepIx| run.step(*step).is_some_and(|view| view.inside.is_some());
    let Some(frame) = std::iter::once(step).chain(run.frames_of(step)).find(holds) else {
        return toast(model, "it holds no others", Role::Info);
    };
    let open = &mut model.time.look.open;
    if !open.remove(&frame) {
        open.insert(frame);
    }
}

fn open_all(model: &mut Model) {
    let Some(run) = model.time.run.and_then(|run| model.board.run(run)).cloned() else { return };
    let frames = run.steps().filter(|(_, _, view)| view.inside.is_some());
    model.time.look.open = frames.map(|(step, _, _)| step).collect();
}

/// To the next step whose id has the text that is looked for; what hides it is opened.
pub(crate) fn find(model: &mut Model, forward: bool) {
    let Some(run) = model.time.run.and_then(|run| model.board.run(run)).cloned() else { return };
    let wanted = model.runs.find.clone();
    let Ok(sought) = Sought::parse(&wanted) else { return };
    let at = model.time.selected;
    let fitting = |fits: &dyn Fn(&str) -> bool| -> Vec<StepIx> {
        run.steps().filter(|(_, plan, _)| fits(&plan.id)).map(|(step, _, _)| step).collect()
    };
    let mut hits = fitting(&|id| sought.is_in(id));
    if hits.is_empty() {
        hits = fitting(&|id| sought.is_near(id));
    }
    let next = if forward {
        hits.iter().find(|hit| Some(**hit) > at).or(hits.first())
    } else {
        hits.iter().rev().find(|hit| Some(**hit) < at).or(hits.last())
    };
    match next {
        Some(step) if !wanted.is_empty() => {
            model.time.look.open.extend(run.frames_of(*step));
            model.time.selected = Some(*step);
        }
        _ => toast(model, &format!("could not find {wanted:?} among the steps"), Role::Warn),
    }
}

/// The graph, with this step under the cursor.
fn to_graph(model: &mut Model) {
    let (Some(run), step) = (model.time.run, model.time.selected) else { return };
    places::to_graph(model, run, step);
}

/// A click selects the row under it; true if there is one.
pub(crate) fn click(model: &mut Model, row: u16) -> bool {
    let places = layout::time(model);
    let Some(chart) = model.time.chart.clone() else { return false };
    if (places.rows.y..places.rows.bottom()).contains(&row) {
        let index = model.time.top + usize::from((row - places.rows.y) / places.each(chart.rows.len()));
        if let Some(row) = chart.rows.get(index) {
            model.time.selected = Some(row.step);
            return true;
        }
    }
    false
}
