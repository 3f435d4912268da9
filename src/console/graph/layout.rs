//! The places on the screen of the graph of a run.

use crate::{
    Model, Zoom,
    layout::{Width, frame, inset, split_across, split_down},
    panes::Share,
    travel::layout::beside,
};
use ratatui::layout::Rect;

/// The parts of the DAG view.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DagLayout {
    /// The line that says what is looked at.
    pub title: Rect,
    /// Around the picture, where there is a border.
    pub pane: Option<Rect>,
    /// The picture of the graph.
    pub graph: Rect,
    /// The step under the cursor.
    pub side: Rect,
    pub map: Option<Rect>,
    /// All lines of a tree in one column, left of them.
    pub strip: Option<Rect>,
    /// The surroundings of the cursor, beside a tree of lines.
    pub near: Option<Rect>,
    /// Under the picture: why the step under the cursor failed, and the keys for it.
    pub foot: Option<Rect>,
    /// The row of current activity.
    pub lower: Option<Rect>,
}

/// From so many lines on a small screen shares its width between a tree and what stands around the cursor.
const TREE_ROWS: i32 = 60;
/// The width of a map beside the graph on a small screen.
const MAP_WIDTH: u16 = 18;
/// Rows that tell why a step failed, and its keys.
const FOOT_ROWS: u16 = 2;

pub(crate) fn dag(model: &Model) -> DagLayout {
    let frame = frame(model.size);
    let (title, body) = split_down(frame.body, 1);
    let panes = model.panes();
    if panes.whole && frame.width != Width::TooSmall {
        return DagLayout { title, graph: body, ..DagLayout::default() };
    }
    let dag_places = |shows_map| dag_places(frame.width, model.size, title, body, shows_map, panes.share);
    if model.dag.view.zoom == Zoom::Outline {
        let mut places = with_foot(dag_places(false), model);
        let rows = model.dag.picture.as_ref().map_or(0, |picture| picture.layout.size().1);
        if frame.width >= Width::Two || rows >= TREE_ROWS {
            let (tree, near) = split_across(places.graph, places.graph.width * 45 / 100);
            let (strip, tree) = split_across(tree, 3);
            places =
                DagLayout { graph: tree, strip: Some(strip), near: Some(inset(near, 1, 0, 0)), ..places };
        }
        return places;
    }
    let places = with_foot(dag_places(shows_map(model)), model);
    // Without anything out of sight a map says nothing.
    let fits = model.dag.picture.as_ref().is_none_or(|picture| {
        let (width, height) = picture.layout.size();
        width <= i32::from(places.graph.width) && height <= i32::from(places.graph.height)
    });
    if fits { with_foot(dag_places(false), model) } else { places }
}

/// The columns that a picture may take, with a map beside it where one is wanted.
pub(crate) fn room(model: &Model) -> u16 {
    let frame = frame(model.size);
    let panes = model.panes();
    let (title, body) = split_down(frame.body, 1);
    if panes.whole && frame.width != Width::TooSmall {
        return body.width;
    }
    let shows_map = shows_map(model);
    dag_places(frame.width, model.size, title, body, shows_map, panes.share).graph.width
}

/// True if a map is wanted; on a small screen only when it was asked for.
pub(crate) fn shows_map(model: &Model) -> bool {
    model.dag.map.unwrap_or(frame(model.size).width >= Width::Two)
}

/// Takes rows from the graph for a step that failed, where the step is not told of below it anyway.
fn with_foot(places: DagLayout, model: &Model) -> DagLayout {
    if places.pane.is_none() || !model.dag.is_on_failure() || places.graph.height < 4 * FOOT_ROWS {
        return places;
    }
    let (graph, foot) = split_down(places.graph, places.graph.height - FOOT_ROWS);
    DagLayout { graph, foot: Some(foot), ..places }
}

fn dag_places(
    kind: Width,
    size: (u16, u16),
    title: Rect,
    body: Rect,
    shows_map: bool,
    share: Share,
) -> DagLayout {
    match kind {
        Width::TooSmall => DagLayout::default(),
        Width::One => {
            let rows = if size.1 < 24 { 0 } else { 3 };
            let (graph, below) = split_down(body, share.of(body.height - rows, body.height));
            let (graph, map) = if shows_map {
                let (graph, beside) = split_across(graph, graph.width.saturating_sub(MAP_WIDTH));
                (graph, Some(Rect { height: beside.height.min(8), ..beside }))
            } else {
                (graph, None)
            };
            DagLayout { title, pane: None, graph, side: below, map, ..DagLayout::default() }
        }
        Width::Two => {
            let (pane, right) = split_across(body, share.of(body.width - 36, body.width));
            let (facts, map) = beside(right, shows_map);
            DagLayout {
                title,
                pane: Some(pane),
                graph: inset(pane, 1, 1, 1),
                side: facts,
                map,
                ..DagLayout::default()
            }
        }
        Width::Three => {
            let lower = match body.height {
                0..32 => 0,
                32..52 => 9,
                _ => 13,
            };
            let side = if size.0 < 180 { 44 } else { 60 };
            let (upper, lower_area) = split_down(body, share.of(body.height - lower, body.height));
            let (pane, right) = split_across(upper, share.of(upper.width - side, upper.width));
            let (facts, map) = beside(right, shows_map);
            let lower = (lower > 0).then_some(lower_area);
            DagLayout {
                title,
                pane: Some(pane),
                graph: inset(pane, 1, 1, 1),
                side: facts,
                map,
                lower,
                ..DagLayout::default()
            }
        }
    }
}
