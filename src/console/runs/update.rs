//! The list of runs: which are shown, in what order, and the cursor, which stays on its run when others come and go.

use super::{
    bulk,
    state::{RowsOf, RunOrder},
};
use crate::{
    Intent, Mark, Model, Query, Role, View, Wish, layout,
    marks::{mark_of_run, word_of_run},
    model::PromptKind,
    searches::OF_RUNS,
    update::{moving, places, toast},
};
use cuelight_base::RunId;
use cuelight_projection::{Board, RunSummary};
use std::cmp::Reverse;

/// Brings rows, cursor and scroll up to date.
pub(crate) fn refresh(model: &mut Model) {
    // A filter shows what it leaves while it is typed.
    let typed =
        model.prompt.as_ref().filter(|prompt| prompt.kind == PromptKind::Filter && model.view == View::Runs);
    let filter = typed.map_or(model.runs.filter.as_str(), |typed| typed.field.text()).to_owned();
    let query = Query::parse(&filter, OF_RUNS);
    let second = query.measures("age").then(|| model.now.0.div_euclid(1000));
    let (sort, reversed) = (model.runs.sort, model.runs.reversed);
    let of = RowsOf { seq: model.board.seq, filter, sort, reversed, second };
    let fresh = if model.runs.rows_of.as_ref() == Some(&of) { None } else { Some(rows(model, &query)) };
    model.runs.rows_of = Some(of);
    let now_rows = fresh.as_ref().unwrap_or(&model.runs.rows);
    let place = |rows: &[RunId]| {
        model.runs.selected.and_then(|selected| rows.iter().position(|row| *row == selected))
    };
    let now = place(now_rows);
    let before = if fresh.is_some() { place(&model.runs.rows) } else { now };
    let len = now_rows.len();
    let at = now.unwrap_or_else(|| before.unwrap_or(0).min(len.saturating_sub(1)));
    // What others start does not move the row under the cursor on the screen.
    if let (Some(before), Some(now)) = (before, now) {
        model.runs.top = (model.runs.top + now).saturating_sub(before);
    }
    if let Some(fresh) = fresh {
        model.runs.rows = fresh;
        bulk::forget_gone(model);
    }
    model.runs.selected = model.runs.rows.get(at).copied();
    let page = usize::from(layout::runs(model).rows.height);
    model.runs.top = moving::scrolled(model.runs.top, at, len, page);
}

/// All runs that fit, in order.
fn rows(model: &Model, query: &Query) -> Vec<RunId> {
    let fits = |run: &&RunSummary| query.is_empty() || fits(query, run, model);
    let mut rows: Vec<&RunSummary> = model.board.listed().filter(fits).collect();
    // The board gives the oldest first; what is equal stands with the newest first.
    rows.reverse();
    match model.runs.sort {
        RunOrder::Need => rows.sort_by_key(|row| Reverse(need(row))),
        RunOrder::Age => {}
        RunOrder::Workflow => rows.sort_by(|a, b| a.workflow.cmp(&b.workflow)),
        RunOrder::State => rows.sort_by_key(|row| (Reverse(mark_of_run(row).urgency()), word_of_run(row))),
        RunOrder::Progress => rows.sort_by_key(|row| Reverse(row.progress().percent())),
        RunOrder::Errors => rows.sort_by_key(|row| Reverse(row.failures())),
        RunOrder::Cost => rows.sort_by_key(|row| Reverse(row.spent.cost_micro_usd)),
        RunOrder::By => rows.sort_by(|a, b| a.by.name.cmp(&b.by.name)),
        RunOrder::Health => rows.sort_by_key(|row| (row.results.is_empty(), row.health())),
    }
    if model.runs.reversed {
        rows.reverse();
    }
    rows.into_iter().map(|row| row.id).collect()
}

fn fits(query: &Query, run: &RunSummary, model: &Model) -> bool {
    let says = |field: &str| match field {
        "state" => {
            let goes_on = if run.state.rests() { "rested" } else { "active" };
            format!("{} {} {} {goes_on}", run.state.word(), word_of_run(run), run.doing())
        }
        "run" => run.id.to_string(),
        "by" => run.by.to_string(),
        "risk" => risks(&model.board, run.id),
        "workflow" => run.workflow.to_string(),
        _ => String::new(),
    };
    let measured = |name: &str| {
        Some(match name {
            "age" => run.age(model.now).0,
            "steps" => u64::from(run.counts.total()),
            "done" => u64::from(run.progress().done),
            "errors" => u64::from(run.failures()),
            "health" => u64::from(run.health().0),
            "calls" => run.spent.calls,
            "tokens" => run.spent.tokens,
            _ => return None,
        })
    };
    query.fits_with(says, measured, &format!("{} {} {} {}", run.id, run.workflow, word_of_run(run), run.by))
}

/// The risks of a run's open gates, in words.
fn risks(board: &Board, run: RunId) -> String {
    let words: Vec<&str> =
        board.open_gates_of(run).map(|gate| cuelight_projection::ask_risk_word(gate.ask.risk)).collect();
    words.join(" ")
}

/// The sort rank of a run: highest if it waits for a person, then if it is open.
fn need(run: &RunSummary) -> u8 {
    match mark_of_run(run) {
        Mark::InDoubt | Mark::Gate | Mark::GateLate => 3,
        _ if !run.state.rests() => 2,
        _ => 1,
    }
}

pub(crate) fn act(model: &mut Model, intent: Intent, count: Option<u32>, _wishes: &mut Vec<Wish>) {
    let at = model.runs.cursor();
    let page = usize::from(layout::runs(model).rows.height);
    if let Some(to) = moving::moved(intent, at, model.runs.rows.len(), page, count) {
        model.runs.selected = model.runs.rows.get(to).copied();
        return;
    }
    match intent {
        Intent::Open | Intent::Right if model.runs.selected.is_some() => places::go(model, View::Dag),
        Intent::Preview => model.runs.preview_hidden = !model.runs.preview_hidden,
        Intent::Sort => {
            let next = model.runs.sort.next();
            sort_by(model, next);
        }
        Intent::SortReverse => model.runs.reversed = !model.runs.reversed,
        Intent::Mark => bulk::mark(model, count),
        Intent::MarkRange => bulk::mark_range(model),
        Intent::MarkAll => bulk::mark_all(model),
        Intent::NewRun => crate::launching::update::open(model),
        Intent::NextMatch => find(model, true),
        Intent::PreviousMatch => find(model, false),
        Intent::Escape => escape(model),
        _ => {}
    }
}

/// Another order begins as it is meant; the same again is turned around.
fn sort_by(model: &mut Model, sort: RunOrder) {
    model.runs.reversed = model.runs.sort == sort && !model.runs.reversed;
    model.runs.sort = sort;
    let turned = if model.runs.reversed { ", turned around" } else { "" };
    toast(model, &format!("sorted by {}{turned}", sort.name()), Role::Info);
}

fn escape(model: &mut Model) {
    if !model.runs.marked.is_empty() {
        bulk::clear(model);
    } else if !model.runs.find.is_empty() {
        model.runs.find.clear();
    } else {
        // The list of runs is the top: nothing lies above it.
        model.runs.filter.clear();
    }
}

/// To the next row that the search fits, around the end of the list. Without a search to the next run that waits for
/// somebody or has failed.
pub(crate) fn find(model: &mut Model, forward: bool) {
    let query = Query::parse(&model.runs.find, OF_RUNS);
    let (at, len) = (model.runs.cursor(), model.runs.rows.len());
    let is_hit = |run: &RunSummary| {
        if query.is_empty() {
            need(run) == 3 || mark_of_run(run) == Mark::Failed
        } else {
            fits(&query, run, model)
        }
    };
    let order = (1..=len).map(|step| if forward { (at + step) % len } else { (at + len - step) % len });
    let hit = order.map(|row| model.runs.rows[row]).find(|run| model.board.summary(*run).is_some_and(is_hit));
    if hit.is_some() {
        model.runs.selected = hit;
    } else if query.is_empty() {
        toast(model, "no run here waits for somebody or has failed", Role::Info);
    } else {
        let text = format!("could not find {:?}; & filters, Esc clears", model.runs.find);
        toast(model, &text, Role::Warn);
    }
}

/// A click on a row selects it, one on the head of a column sorts by it. True for a row.
pub(crate) fn click(model: &mut Model, column: u16, row: u16) -> bool {
    if super::panels_keys::click(model, column, row) {
        return true;
    }
    let places = layout::runs(model);
    let rows = places.rows;
    if row + 1 == rows.y {
        let sides = u16::from(layout::is_boxed(model));
        let columns = layout::runs_columns(layout::inset(places.table, sides, 1, sides));
        let hit = columns.iter().find(|entry| (entry.x..entry.x + entry.width).contains(&column));
        if let Some(sort) = hit.and_then(|hit| RunOrder::of_column(hit.title)) {
            sort_by(model, sort);
        }
    } else if (rows.y..rows.bottom()).contains(&row) && (rows.x..rows.right()).contains(&column) {
        let index = model.runs.top + usize::from(row - rows.y);
        if let Some(run) = model.runs.rows.get(index) {
            model.runs.selected = Some(*run);
            return true;
        }
    }
    false
}
