//! The list of runs: which are shown, in what order, and the cursor, which stays on its run when others come and go.

use super::{general, moving, toast};
use crate::{
    base::RunId,
    console::{
        Intent, Mark, Model, Query, Role, View, Wish, layout,
        marks::{mark_of_run, word_of_run},
        model::{PromptKind, RunOrder},
    },
    projection::RunSummary,
};

/// The fields a filter can name.
const FIELDS: &[&str] = &["state", "run", "workflow", "by"];

/// Brings rows, cursor and scroll up to date.
pub(super) fn refresh(model: &mut Model) {
    // A filter shows what it leaves while it is typed.
    let typed = model.prompt.as_ref().filter(|it| it.kind == PromptKind::Filter && model.view == View::Runs);
    let query = Query::parse(typed.map_or(&model.runs.filter, |it| it.field.text()), FIELDS);
    let mut rows: Vec<&RunSummary> = model.board.summaries().filter(|it| fits(&query, it)).collect();
    match model.runs.sort {
        RunOrder::Need => rows.sort_by_key(|it| (std::cmp::Reverse(need(it)), std::cmp::Reverse(it.id))),
        RunOrder::Age => rows.sort_by_key(|it| std::cmp::Reverse(it.id)),
        RunOrder::Workflow => rows.sort_by_key(|it| (it.workflow.clone(), std::cmp::Reverse(it.id))),
        RunOrder::Health => rows.sort_by_key(|it| (it.health(), std::cmp::Reverse(it.id))),
    }
    let rows: Vec<RunId> = rows.into_iter().map(|it| it.id).collect();
    let before = model.runs.selected.and_then(|it| model.runs.rows.iter().position(|row| *row == it));
    let now = model.runs.selected.and_then(|it| rows.iter().position(|row| *row == it));
    let at = now.unwrap_or_else(|| before.unwrap_or(0).min(rows.len().saturating_sub(1)));
    // What others start does not move the row under the cursor on the screen.
    if let (Some(before), Some(now)) = (before, now) {
        model.runs.top = (model.runs.top + now).saturating_sub(before);
    }
    model.runs.selected = rows.get(at).copied();
    let page = usize::from(layout::runs(model).rows.height);
    model.runs.top = moving::scrolled(model.runs.top, at, rows.len(), page);
    model.runs.rows = rows;
}

fn fits(query: &Query, run: &RunSummary) -> bool {
    let says = |field: &str| match field {
        "state" => format!("{} {} {}", run.state.word(), word_of_run(run), run.doing()),
        "run" => run.id.to_string(),
        "by" => run.by.name.clone(),
        _ => run.workflow.to_string(),
    };
    query.is_empty()
        || query.fits(says, &format!("{} {} {} {}", run.id, run.workflow, word_of_run(run), run.by.name))
}

/// What needs somebody comes first, then what goes on, then the rest.
fn need(run: &RunSummary) -> u8 {
    match mark_of_run(run) {
        Mark::InDoubt | Mark::Gate | Mark::GateLate => 3,
        _ if !run.state.rests() => 2,
        _ => 1,
    }
}

pub(super) fn act(model: &mut Model, intent: Intent, count: Option<u32>, _wishes: &mut Vec<Wish>) {
    let at = cursor(model);
    let page = usize::from(layout::runs(model).rows.height);
    if let Some(to) = moving::moved(intent, at, model.runs.rows.len(), page, count) {
        model.runs.selected = model.runs.rows.get(to).copied();
        return;
    }
    match intent {
        Intent::Open | Intent::Right if model.runs.selected.is_some() => general::go(model, View::Dag),
        Intent::Preview => model.runs.preview_hidden = !model.runs.preview_hidden,
        Intent::Sort => {
            model.runs.sort = model.runs.sort.next();
            toast(model, &format!("sorted by {}", model.runs.sort.name()), Role::Info);
        }
        Intent::NextMatch => find(model, true),
        Intent::PreviousMatch => find(model, false),
        Intent::Escape => escape(model),
        _ => {}
    }
}

fn escape(model: &mut Model) {
    if model.runs.filter.is_empty() {
        general::backward(model);
    } else {
        model.runs.filter.clear();
    }
}

fn cursor(model: &Model) -> usize {
    model.runs.selected.and_then(|it| model.runs.rows.iter().position(|row| *row == it)).unwrap_or(0)
}

/// To the next row that the search fits, around the end of the list.
pub(super) fn find(model: &mut Model, forward: bool) {
    let query = Query::parse(&model.runs.find, FIELDS);
    let (at, len) = (cursor(model), model.runs.rows.len());
    if query.is_empty() || len == 0 {
        return;
    }
    let order = (1..=len).map(|step| if forward { (at + step) % len } else { (at + len - step) % len });
    let hit = order
        .map(|row| model.runs.rows[row])
        .find(|run| model.board.summary(*run).is_some_and(|it| fits(&query, it)));
    if hit.is_some() {
        model.runs.selected = hit;
    } else {
        let text = format!("could not find {:?}; & filters, Esc clears", model.runs.find);
        toast(model, &text, Role::Warn);
    }
}

pub(super) fn click(model: &mut Model, row: u16) {
    let rows = layout::runs(model).rows;
    if (rows.y..rows.bottom()).contains(&row) {
        let index = model.runs.top + usize::from(row - rows.y);
        if let Some(run) = model.runs.rows.get(index) {
            model.runs.selected = Some(*run);
        }
    }
}
