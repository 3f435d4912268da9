//! Rectangles from a size: where header, body and lines stand, and how a view divides its body. The only place that
//! knows breakpoints, so that drawing, paging and clicking agree.

use crate::{Model, View, Zoom, panes::Share};
use cuelight_base::safe_text;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// The smallest screen anything is drawn on.
pub(super) const LEAST: (u16, u16) = (60, 16);

/// The number of panes that fit beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// Nothing but a line that says so.
    TooSmall,
    /// One pane, and a preview under it.
    One,
    /// Two panes beside each other.
    Two,
    /// Three panes, and a lower row.
    Three,
}

/// The frame around every view.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub header: Rect,
    pub body: Rect,
    pub status: Rect,
    /// The key line; its height is 0 when the screen is too low for it.
    pub keys: Rect,
    pub width: Width,
}

/// Divides the screen into header, body, status line and key line.
pub(super) fn frame((width, height): (u16, u16)) -> Frame {
    let kind = match width {
        _ if width < LEAST.0 || height < LEAST.1 => Width::TooSmall,
        0..100 => Width::One,
        100..140 => Width::Two,
        _ => Width::Three,
    };
    let row = |y: u16, height: u16| Rect::new(0, y, width, height);
    let keys = u16::from(height >= 20);
    let status = height.saturating_sub(1 + keys);
    let body = status.saturating_sub(1);
    Frame {
        header: row(0, 1.min(height)),
        body: row(1.min(height), body),
        status: row(status, 1.min(height)),
        keys: row(height.saturating_sub(keys), keys),
        width: kind,
    }
}

/// True if panes have borders. They have none on small screens, and none where one pane takes all.
pub(super) fn is_boxed(model: &Model) -> bool {
    frame(model.size).width > Width::One && !model.panes().whole
}

/// A pane without a border: its first row says what it is.
fn bare(area: Rect) -> Rect {
    inset(area, 0, 1, 0)
}

/// The parts of the Runs view.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunsLayout {
    /// The list, with its border where it has one.
    pub table: Rect,
    /// The rows of the list.
    pub rows: Rect,
    pub preview: Option<Rect>,
    /// Gates, errors, health, events.
    pub lower: Option<[Rect; 4]>,
}

pub(super) fn runs(model: &Model) -> RunsLayout {
    let frame = frame(model.size);
    let body = frame.body;
    let hidden = model.runs.preview_hidden;
    let panes = model.panes();
    match frame.width {
        Width::TooSmall => RunsLayout::default(),
        _ if panes.whole => RunsLayout { table: body, rows: inset(body, 0, 2, 0), ..RunsLayout::default() },
        Width::One => {
            let preview = if hidden || model.size.1 < 24 { 0 } else { 10.min(body.height / 2) };
            let (table, below) = split_down(body, panes.share.of(body.height - preview, body.height));
            let preview = if hidden { 0 } else { below.height };
            RunsLayout {
                table,
                rows: inset(table, 0, 2, 0),
                preview: (preview > 0).then_some(below),
                lower: None,
            }
        }
        Width::Two => {
            let (table, beside) = if hidden {
                (body, None)
            } else {
                let (table, beside) = split_across(body, panes.share.of(body.width * 58 / 100, body.width));
                (table, Some(beside))
            };
            RunsLayout { table, rows: inset(table, 1, 2, 1), preview: beside, lower: None }
        }
        Width::Three => three_panes(body, hidden, panes.share),
    }
}

/// As the large mock-up: list and preview, then gates and errors, then health and events, as far as rows allow.
fn three_panes(body: Rect, hidden: bool, share: Share) -> RunsLayout {
    let (upper, lower) = match body.height {
        0..32 => (body, None),
        height => {
            let (upper, rest) = split_down(body, share.of(height / 2, height));
            let (middle, bottom) = split_down(rest, rest.height * 11 / 23);
            let (gates, errors) = split_across(middle, middle.width / 2);
            let (health, events) = split_across(bottom, 54);
            (upper, Some([gates, errors, health, events]))
        }
    };
    let (table, preview) = if hidden {
        (upper, None)
    } else {
        let (table, preview) = split_across(upper, share.of(upper.width * 65 / 100, upper.width));
        (table, Some(preview))
    };
    RunsLayout { table, rows: inset(table, 1, 2, 1), preview, lower }
}

/// The parts of the DAG view.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DagLayout {
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
    /// The row of current activity.
    pub lower: Option<Rect>,
}

/// From so many lines on a small screen shares its width between a tree and what stands around the cursor.
const TREE_ROWS: i32 = 60;

pub(super) fn dag(model: &Model) -> DagLayout {
    let frame = frame(model.size);
    let (title, body) = split_down(frame.body, 1);
    let panes = model.panes();
    if panes.whole && frame.width != Width::TooSmall {
        return DagLayout { title, graph: body, ..DagLayout::default() };
    }
    let dag_places = |shows_map| dag_places(frame.width, model.size, title, body, shows_map, panes.share);
    if model.dag.view.zoom == Zoom::Outline {
        let mut places = dag_places(false);
        let rows = model.dag.picture.as_ref().map_or(0, |picture| picture.layout.size().1);
        if frame.width >= Width::Two || rows >= TREE_ROWS {
            let (tree, near) = split_across(places.graph, places.graph.width * 45 / 100);
            let (strip, tree) = split_across(tree, 3);
            places =
                DagLayout { graph: tree, strip: Some(strip), near: Some(inset(near, 1, 0, 0)), ..places };
        }
        return places;
    }
    let places = dag_places(!model.dag.map_hidden);
    // Without anything out of sight a map says nothing.
    let fits = model.dag.picture.as_ref().is_none_or(|picture| {
        let (width, height) = picture.layout.size();
        width <= i32::from(places.graph.width) && height <= i32::from(places.graph.height)
    });
    if fits { dag_places(false) } else { places }
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
            let map = Rect::new(
                graph.right().saturating_sub(18),
                graph.y,
                18.min(graph.width),
                8.min(graph.height),
            );
            DagLayout {
                title,
                pane: None,
                graph,
                side: below,
                map: shows_map.then_some(map),
                ..DagLayout::default()
            }
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

/// The parts of the Gates view.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GatesLayout {
    /// The list, with its border where it has one.
    pub list: Option<Rect>,
    /// The rows of the list.
    pub rows: Rect,
    /// Rows of the screen that one row of the list takes.
    pub each: u16,
    /// The pane around the text.
    pub pane: Rect,
    /// The text of the ask.
    pub text: Rect,
    /// The pane of votes and possible answers.
    pub side: Option<Rect>,
}

pub(super) fn gates(model: &Model) -> GatesLayout {
    const SIDE: u16 = 46;
    const CARD: u16 = 5;
    let frame = frame(model.size);
    let body = frame.body;
    let text_of = |pane: Rect| inset(pane, 2, 1, 1);
    let panes = model.panes();
    // The ask is what others make room for; where it is answered keeps its width.
    let cards = match panes.share {
        Share::Normal => 36,
        Share::Big => 26,
        Share::Small => 52,
    };
    match frame.width {
        Width::TooSmall => GatesLayout::default(),
        _ if panes.whole => {
            GatesLayout { pane: body, text: inset(body, 0, 1, 1), each: 1, ..GatesLayout::default() }
        }
        Width::One if model.gates.reading => {
            GatesLayout { pane: body, text: text_of(body), each: 1, ..GatesLayout::default() }
        }
        Width::One => {
            let most = match panes.share {
                Share::Normal => 5,
                Share::Big => 2,
                Share::Small => 8,
            };
            let shown = u16::try_from(model.gates.rows.len()).unwrap_or(u16::MAX).clamp(1, most);
            let (list, pane) = split_down(body, (2 + shown).min(body.height / 2));
            GatesLayout {
                list: Some(list),
                rows: inset(list, 0, 2, 0),
                each: 1,
                pane,
                text: text_of(pane),
                side: None,
            }
        }
        Width::Two => {
            let (list, pane) = split_across(body, cards);
            GatesLayout {
                list: Some(list),
                rows: inset(list, 1, 1, 1),
                each: CARD,
                pane,
                text: text_of(pane),
                side: None,
            }
        }
        Width::Three => {
            let (list, rest) = split_across(body, cards);
            let (pane, side) = split_across(rest, rest.width - SIDE);
            let rows = inset(list, 1, 1, 1);
            GatesLayout { list: Some(list), rows, each: CARD, pane, text: text_of(pane), side: Some(side) }
        }
    }
}

/// The parts of a gate's form.
#[derive(Clone, Copy, Debug)]
pub(super) struct FormLayout {
    /// The values, with their border.
    pub editor: Rect,
    /// The lines of them.
    pub text: Rect,
    pub schema: Rect,
    pub check: Rect,
    pub reason: Rect,
}

pub(super) fn form(size: (u16, u16)) -> FormLayout {
    let body = frame(size).body;
    let inside = inset(body, 1, 1, 1);
    let check = (inside.height / 3).clamp(5, 12);
    let (upper, reason) = split_down(inside, inside.height.saturating_sub(3));
    let (upper, check) = split_down(upper, upper.height.saturating_sub(check));
    let (editor, schema) = split_across(upper, upper.width / 2);
    FormLayout { editor, text: inset(editor, 1, 1, 1), schema, check, reason }
}

/// The parts of the Logs view.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogsLayout {
    /// The steps of the run.
    pub side: Option<Rect>,
    /// Around the lines, where there is a border; else the line that says what is looked at.
    pub pane: Rect,
    pub boxed: bool,
    /// The lines, with what stands before and after their text.
    pub lines: Rect,
    /// The line that says where in them the screen is.
    pub note: Rect,
    /// All of the line under the cursor, where there is room.
    pub detail: Option<Rect>,
}

pub(super) fn logs(model: &Model) -> LogsLayout {
    let (frame, panes) = (frame(model.size), model.panes());
    let (side, pane) = match frame.width {
        Width::TooSmall => return LogsLayout::default(),
        Width::One | Width::Two => (None, frame.body),
        Width::Three if panes.whole => (None, frame.body),
        Width::Three => {
            let all = frame.body.width;
            let (side, pane) = split_across(frame.body, all - panes.share.of(all - 34, all));
            (Some(side), pane)
        }
    };
    let (pane, detail) = match pane.height {
        height @ 36.. if side.is_some() => {
            let (pane, detail) = split_down(pane, height - 9);
            (pane, Some(detail))
        }
        _ => (pane, None),
    };
    let boxed = is_boxed(model);
    let inside = if boxed { inset(pane, 1, 1, 1) } else { bare(pane) };
    let (lines, note) = split_down(inside, inside.height.saturating_sub(1));
    LogsLayout { side, pane, boxed, lines, note, detail }
}

/// The parts of the Errors view.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ErrorsLayout {
    /// The list, with its border where it has one.
    pub table: Rect,
    /// The rows of the list.
    pub rows: Rect,
    /// Counts of a day, under the rows.
    pub day: Option<Rect>,
    pub preview: Option<Rect>,
    /// The possible actions; beside them the attempts and consequences.
    pub lower: Option<[Rect; 2]>,
}

pub(super) fn errors(model: &Model) -> ErrorsLayout {
    let frame = frame(model.size);
    let (body, hidden) = (frame.body, model.errors.preview_hidden);
    let panes = model.panes();
    match frame.width {
        Width::TooSmall => ErrorsLayout::default(),
        _ if panes.whole => {
            ErrorsLayout { table: body, rows: inset(body, 0, 2, 0), ..ErrorsLayout::default() }
        }
        Width::One => {
            let preview = if hidden || model.size.1 < 24 { 0 } else { (body.height * 3 / 5).min(14) };
            let (table, below) = split_down(body, panes.share.of(body.height - preview, body.height));
            let preview = (!hidden && below.height > 0).then_some(below);
            ErrorsLayout { table, rows: inset(table, 0, 2, 0), preview, ..ErrorsLayout::default() }
        }
        Width::Two | Width::Three => {
            let lower = if body.height < 36 || hidden { 0 } else { (body.height / 3).min(18) };
            let upper = panes.share.of(body.height - lower, body.height);
            let (upper, under) = split_down(body, if lower > 0 { upper } else { body.height });
            let share = if frame.width == Width::Two { 62 } else { 65 };
            let wide = panes.share.of(upper.width * share / 100, upper.width);
            let (table, beside) = if hidden { (upper, None) } else { split_beside(upper, wide) };
            let inside = inset(table, 1, 2, 1);
            let counted = if inside.height < 16 { 0 } else { 6 };
            let (rows, day) = split_down(inside, inside.height - counted);
            let (left, right) = split_across(under, under.width / 2);
            ErrorsLayout {
                table,
                rows,
                day: (counted > 0).then_some(day),
                preview: beside,
                lower: (lower > 0).then_some([left, right]),
            }
        }
    }
}

fn split_beside(area: Rect, width: u16) -> (Rect, Option<Rect>) {
    let (left, right) = split_across(area, width);
    (left, Some(right))
}

/// The parts of the Tools view.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ToolsLayout {
    /// The list, with its border.
    pub table: Rect,
    /// The rows of the list.
    pub rows: Rect,
    /// Details of the tool under the cursor.
    pub preview: Rect,
}

pub(super) fn tools(model: &Model) -> ToolsLayout {
    let (frame, panes) = (frame(model.size), model.panes());
    let body = frame.body;
    let (table, preview) = match frame.width {
        Width::TooSmall => return ToolsLayout::default(),
        _ if panes.whole => {
            return ToolsLayout { table: body, rows: inset(body, 1, 2, 0), ..ToolsLayout::default() };
        }
        Width::One => split_down(body, panes.share.of(body.height.saturating_sub(8), body.height)),
        Width::Two | Width::Three => split_across(body, panes.share.of(body.width * 60 / 100, body.width)),
    };
    ToolsLayout { table, rows: inset(table, 1, 2, 1), preview }
}

/// The parts of the Time view.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TimeLayout {
    /// Around the chart, where there is a border.
    pub pane: Option<Rect>,
    /// The line that says what is looked at.
    pub title: Rect,
    /// The heads of the columns and the axis.
    pub head: Rect,
    /// The names and numbers of the rows.
    pub rows: Rect,
    /// The bars of the chart.
    pub chart: Rect,
    /// Events over time, under the bars: their density, the notable ones, and a legend of the signs.
    pub marks: Option<Rect>,
    /// A summary of the time spent, in a few lines.
    pub foot: Rect,
    /// Slots, and where the time went.
    pub lower: Option<[Rect; 2]>,
    /// True if each step has room for its median under its bar.
    pub roomy: bool,
}

impl TimeLayout {
    /// Rows of the screen that one row of the chart takes.
    pub(super) fn each(&self, rows: usize) -> u16 {
        if self.roomy && rows * 2 <= usize::from(self.rows.height) { 2 } else { 1 }
    }
}

pub(super) fn time(model: &Model) -> TimeLayout {
    const LOWER: u16 = 11;
    let (frame, panes) = (frame(model.size), model.panes());
    let body = frame.body;
    let names = match frame.width {
        Width::TooSmall => return TimeLayout::default(),
        Width::One => 21,
        Width::Two | Width::Three => 40,
    };
    let lower = if frame.width == Width::Three && body.height >= 32 && !panes.whole { LOWER } else { 0 };
    let upper = if lower > 0 { panes.share.of(body.height - lower, body.height) } else { body.height };
    let (upper, below) = split_down(body, upper);
    let boxed = is_boxed(model);
    let inside = if boxed { inset(upper, 1, 1, 1) } else { upper };
    let (title, inside) = if boxed { (Rect { height: 1, ..upper }, inside) } else { split_down(inside, 1) };
    let (head, inside) = split_down(inside, 1);
    let foot = if lower > 0 || panes.whole { 0 } else { 4.min(inside.height / 3) };
    let rows = if foot > 0 { panes.share.of(inside.height - foot, inside.height) } else { inside.height };
    let (rows, foot) = split_down(inside, rows);
    let (rows, marks) = match rows.height {
        height @ 16.. if boxed => {
            let (rows, marks) = split_down(rows, height - 4);
            (rows, Some(marks))
        }
        _ => (rows, None),
    };
    let (_, chart) = split_across(rows, names);
    let (lanes, spent) = split_across(below, model.size.0 / 2);
    TimeLayout {
        pane: boxed.then_some(upper),
        title,
        head,
        rows,
        chart: Rect { width: chart.width.saturating_sub(1), ..chart },
        marks,
        foot,
        lower: (lower > 0).then_some([lanes, spent]),
        roomy: frame.width == Width::Three,
    }
}

/// The parts of the Audit view.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AuditLayout {
    pub pane: Option<Rect>,
    pub title: Rect,
    pub head: Rect,
    pub rows: Rect,
    /// The record under the cursor.
    pub detail: Rect,
    /// Counts of records by kind and by actor.
    pub chain: Option<Rect>,
}

pub(super) fn audit(model: &Model) -> AuditLayout {
    let (frame, panes) = (frame(model.size), model.panes());
    let body = frame.body;
    match frame.width {
        Width::TooSmall => AuditLayout::default(),
        _ if panes.whole => {
            let (title, rest) = split_down(body, 1);
            let (head, rows) = split_down(rest, 1);
            AuditLayout { title, head, rows, ..AuditLayout::default() }
        }
        Width::One => {
            let below = if body.height < 12 { 0 } else { (body.height / 2).min(12) };
            let (upper, detail) = split_down(body, panes.share.of(body.height - below, body.height));
            let (title, rest) = split_down(upper, 1);
            let (head, rows) = split_down(rest, 1);
            AuditLayout { pane: None, title, head, rows, detail, chain: None }
        }
        Width::Two | Width::Three => {
            let lower = if frame.width == Width::Three && body.height >= 32 { 10 } else { 0 };
            let upper =
                if lower > 0 { panes.share.of(body.height - lower, body.height) } else { body.height };
            let (upper, chain) = split_down(body, upper);
            let wide = if frame.width == Width::Two { body.width * 60 / 100 } else { body.width * 65 / 100 };
            let (pane, detail) = split_across(upper, panes.share.of(wide, upper.width));
            let (head, rows) = split_down(inset(pane, 1, 1, 1), 1);
            let title = Rect { height: 1, ..pane };
            let chain = (lower > 0).then_some(chain);
            AuditLayout { pane: Some(pane), title, head, rows, detail, chain }
        }
    }
}

/// The parts of the screen while the past is shown. The view gets the rest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TravelLayout {
    /// Columns and rows of the view with its header, its status line and its keys.
    pub view: (u16, u16),
    /// The position of the view's body on the screen.
    pub body: Rect,
    /// The line that says what is seen; where rows are rare, it lies over the first one of the body.
    pub band: Rect,
    /// The events before, and what changed since.
    pub around: Option<Rect>,
    pub changes: Option<Rect>,
    pub scrubber: Rect,
    /// The line with the instant on it.
    pub track: Option<Rect>,
    pub status: Rect,
    pub keys: Rect,
}

impl TravelLayout {
    /// The row of the view under a row of the screen.
    pub(super) fn row_of_view(&self, row: u16) -> Option<u16> {
        let inside = self.body.y <= row && row < self.body.bottom();
        (row == 0).then_some(0).or_else(|| inside.then(|| row - self.body.y + 1))
    }
}

/// Divides the screen while the past is seen.
pub(super) fn inside_travel((width, height): (u16, u16)) -> TravelLayout {
    const BODY_LEAST: u16 = 14;
    const LOWER: u16 = 9;
    let frame = frame((width, height));
    if frame.width == Width::TooSmall {
        return TravelLayout { view: (width, height), ..TravelLayout::default() };
    }
    let band = Rect { height: 1, ..frame.body };
    let rest = frame.body.height - 1;
    if rest < BODY_LEAST {
        let (view, body) = ((width, height), frame.body);
        return TravelLayout {
            view,
            body,
            band,
            status: frame.status,
            keys: frame.keys,
            ..TravelLayout::default()
        };
    }
    let scrubber = match rest - BODY_LEAST {
        0 => 0,
        spare @ 1..6 => spare.min(2),
        6 => 6,
        _ => 7,
    };
    let lower = if width >= 140 && rest >= scrubber + LOWER + 20 { LOWER } else { 0 };
    let (_, below) = split_down(frame.body, 1);
    let (body, below) = split_down(below, rest - scrubber - lower);
    let (lower, scrubber) = split_down(below, lower);
    let (around, changes) = split_across(lower, width * 65 / 100);
    let shown = |area: Rect| (area.height > 0).then_some(area);
    let track = match scrubber.height {
        0 => None,
        1 | 2 => Some(Rect { height: 1, ..inset(scrubber, 9, 0, 0) }),
        _ => Some(Rect { y: scrubber.y + 3, height: 1, ..inset(scrubber, 9, 0, 0) }),
    };
    // The key line of the view is none of the rows that it was given.
    let around_body = if body.height + 2 < 20 { 2 } else { 3 };
    TravelLayout {
        view: (width, body.height + around_body),
        body,
        band,
        around: shown(around),
        changes: shown(changes),
        scrubber,
        track,
        status: frame.status,
        keys: frame.keys,
    }
}

fn beside(right: Rect, shows_map: bool) -> (Rect, Option<Rect>) {
    if !shows_map || right.height < 20 {
        return (right, None);
    }
    let (side, map) = split_down(right, right.height - 10);
    (side, Some(map))
}

/// Rows of a popup that are seen, without its border and its head.
pub(super) fn popup_rows((_, height): (u16, u16)) -> u16 {
    popup_height(height).saturating_sub(2).max(1)
}

/// The largest height of a popup, in rows.
pub(super) fn popup_height(height: u16) -> u16 {
    height.saturating_sub(4).max(3)
}

/// A view's name in the header.
pub(super) struct Tab {
    pub view: View,
    pub x: u16,
    pub text: String,
}

/// The environment as the header shows it; what is too long for a header is cut.
pub(super) fn badge(model: &Model) -> String {
    const LEAST_FOR_TABS: usize = 44;
    let most = usize::from(model.size.0).saturating_sub(LEAST_FOR_TABS);
    format!(" {} ", model.look.glyphs.fit(&safe_text(&model.seat.environment), most))
}

/// The place of this console as the header shows it, shortened to 24 cells.
pub(super) fn place(model: &Model) -> String {
    const MOST: usize = 24;
    model.look.glyphs.fit(&safe_text(&model.seat.place), MOST)
}

/// The order in which the header drops the words of views to make room for numbers. Views that count nothing
/// come first, from the right, then views that count something. The key and the number stay, and so does the
/// whole entry of the current view.
const GIVE_UP: [View; 8] =
    [View::Audit, View::Time, View::Logs, View::Health, View::Dag, View::Runs, View::Errors, View::Gates];

/// The entries of the header with their positions: all keys and numbers, and as many words as fit.
pub(super) fn tabs(model: &Model) -> Vec<Tab> {
    let wide = model.size.0 >= 140;
    // The name before the badge, the place and a bar after it; the date or the place at the right.
    let (before, after) = match model.size.0 {
        140.. => (10 + place(model).width() + 2 + 2, if model.moves() { 22 } else { 0 }),
        100..140 => (0, place(model).width() + 2),
        _ => (0, 0),
    };
    let from = badge(model).width() + before;
    let room = usize::from(model.size.0).saturating_sub(from + after);
    let mut tabs = Vec::new();
    for given_up in 0..=GIVE_UP.len() {
        tabs = tabs_without(model, from, &GIVE_UP[..given_up], wide);
        let ends = tabs.iter().map(|tab| tab.text.width() + 2 + usize::from(wide)).sum::<usize>();
        if ends <= room {
            break;
        }
    }
    tabs
}

fn tabs_without(model: &Model, from: usize, given_up: &[View], wide: bool) -> Vec<Tab> {
    let mut x = from;
    let mut tabs = Vec::new();
    for view in View::ALL.iter().filter(|view| view.has_tab()) {
        let key = model.keys.keys_of(view.scope(), view.intent()).unwrap_or_default();
        let count = count_of(model, *view);
        let name = match count {
            _ if *view == model.view || !given_up.contains(view) => view.name(),
            // A number alone would be taken for a key.
            Some(_) => view.name().get(..1).unwrap_or_default(),
            None => "",
        };
        let count = count.map(|count| count.to_string());
        let words = [key, name.to_owned(), count.unwrap_or_default()];
        let name =
            words.iter().filter(|word| !word.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ");
        let text = if wide { format!(" {name} ") } else { name };
        let width = text.width() + 2;
        tabs.push(Tab { view: *view, x: u16::try_from(x).unwrap_or(u16::MAX), text });
        x += width + usize::from(wide);
    }
    tabs
}

/// The number beside a view's name; None if the view counts nothing.
fn count_of(model: &Model, view: View) -> Option<usize> {
    match view {
        View::Gates => Some(model.board.inbox_len()).filter(|inbox_len| *inbox_len > 0),
        View::Errors => Some(model.board.urgent_error_count()).filter(|count| *count > 0),
        View::Runs | View::Dag | View::Health | View::Logs => None,
        View::Time | View::Audit | View::Agents | View::Tools => None,
    }
}

/// The view whose name stands in a column of the header.
pub(super) fn tab_at(model: &Model, column: u16) -> Option<View> {
    let hit = |tab: &Tab| {
        let width = u16::try_from(tab.text.width() + 2).unwrap_or(u16::MAX);
        (tab.x..tab.x.saturating_add(width)).contains(&column)
    };
    tabs(model).iter().find(|tab| hit(tab)).map(|tab| tab.view)
}

pub(super) fn split_down(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    let rest = area.height - height;
    (Rect { height, ..area }, Rect { y: area.y + height, height: rest, ..area })
}

pub(super) fn split_across(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    (Rect { width, ..area }, Rect { x: area.x + width, width: area.width - width, ..area })
}

/// Without so many columns at both sides, rows above and rows below.
pub(super) fn inset(area: Rect, sides: u16, above: u16, below: u16) -> Rect {
    let height = area.height.saturating_sub(above + below);
    let width = area.width.saturating_sub(2 * sides);
    let (x, y) = (area.x + sides.min(area.width), area.y + above.min(area.height));
    Rect::new(x, y, width, height)
}
