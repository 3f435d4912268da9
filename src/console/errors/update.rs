//! The list of failures: which are shown, in what order, what each of them caused, and what can be said of it.

use super::{
    draw::name_of,
    state::{Aftermath, DayOfErrors, ErrorGroup, ErrorOrder, ErrorRow, TREND_STEPS},
};
use crate::{
    Intent, Model, Query, Role, View, Wish, dialog, layout,
    model::PromptKind,
    popup,
    searches::OF_ERRORS,
    update::{moving, places, toast},
};
use cuelight_base::{FailureMode, Seq, Severity, Timestamp, without_sgr};
use cuelight_engine::{StepState, Why};
use cuelight_projection::{ErrorView, RunView};
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

/// A quarter of an hour, in milliseconds.
const QUARTER: i64 = 900_000;
/// Names that are kept of what came after a failure.
const NAMES_MAX: usize = 32;

/// Brings rows, cursor, scroll and what is known of the failure under the cursor up to date.
pub(crate) fn refresh(model: &mut Model) {
    if model.view != View::Errors {
        return;
    }
    let typed = model.prompt.as_ref().filter(|prompt| prompt.kind == PromptKind::Filter);
    let filter =
        typed.map_or_else(|| model.workspace.errors.filter.clone(), |typed| typed.field.text().to_owned());
    let quarter = model.now.0.div_euclid(QUARTER);
    let made_of = Some((model.board.seq, filter.clone(), model.workspace.errors.order, quarter));
    if model.workspace.errors.made_of != made_of {
        let before = cursor(model);
        let (rows, groups) = rows(model, &filter);
        (model.workspace.errors.rows, model.workspace.errors.groups) = (rows, groups);
        model.workspace.errors.day = day(model, quarter);
        model.workspace.errors.made_of = made_of;
        let is_there =
            model.workspace.errors.selected.is_some_and(|selected| place(model, selected).is_some());
        if !is_there {
            let len = model.workspace.errors.rows.len();
            let near = before.min(len.saturating_sub(1));
            let (below, above) = (near..len, (0..near).rev());
            let next = below.chain(above).find_map(|index| model.workspace.errors.rows[index].error());
            model.workspace.errors.selected = next;
        }
    }
    let page = usize::from(layout::errors(model).rows.height);
    let at = cursor(model);
    // The head over the first row comes with it.
    let top = if at == 1 { 0 } else { model.workspace.errors.top };
    model.workspace.errors.top = moving::scrolled(top, at, model.workspace.errors.rows.len(), page);
    let of = model.workspace.errors.selected.map(|selected| (selected, model.board.seq));
    if model.workspace.errors.aftermath.as_ref().is_none_or(|aftermath| aftermath.of != of) {
        model.workspace.errors.aftermath = Some(aftermath(model, of));
    }
}

fn rows(model: &Model, filter: &str) -> (Vec<ErrorRow>, BTreeMap<Seq, ErrorGroup>) {
    let query = Query::parse(filter, OF_ERRORS);
    let mut found: Vec<&Arc<ErrorView>> = model.board.errors().filter(|error| fits(&query, error)).collect();
    match model.workspace.errors.order {
        ErrorOrder::Need => {
            found.sort_by_key(|error| (need(error), Reverse(error.id)));
            return by_fingerprint(&found);
        }
        ErrorOrder::Time => found.sort_by_key(|error| (Reverse(error.at), Reverse(error.id))),
        ErrorOrder::Step => {
            found.sort_by(|a, b| {
                let of = |error: &ErrorView| {
                    (Arc::clone(&error.workflow), error.step_id.clone(), Reverse(error.id))
                };
                of(a).cmp(&of(b))
            });
        }
        ErrorOrder::Mode => return (under_heads(&found), BTreeMap::new()),
    }
    (found.iter().map(|error| ErrorRow::Error(error.id)).collect(), BTreeMap::new())
}

/// One row for each fingerprint: the failure that needs somebody most stands for the others.
fn by_fingerprint(found: &[&Arc<ErrorView>]) -> (Vec<ErrorRow>, BTreeMap<Seq, ErrorGroup>) {
    let mut firsts: BTreeMap<&str, Seq> = BTreeMap::new();
    let mut groups: BTreeMap<Seq, ErrorGroup> = BTreeMap::new();
    let mut rows = Vec::new();
    for error in found {
        let first = *firsts.entry(&error.fingerprint).or_insert(error.id);
        if first == error.id {
            rows.push(ErrorRow::Error(first));
        }
        let group = groups.entry(first).or_default();
        group.members.push(error.id);
        group.open += usize::from(error.is_open());
        group.runs.push(error.run);
        group.steps.push(name_of(error));
    }
    groups.retain(|_, group| group.members.len() > 1);
    for group in groups.values_mut() {
        group.runs.sort_unstable_by_key(|run| Reverse(*run));
        group.runs.dedup();
        group.steps.sort_unstable();
        group.steps.dedup();
    }
    (rows, groups)
}

/// Under one head for each mode; modes with what stands come first.
fn under_heads(found: &[&Arc<ErrorView>]) -> Vec<ErrorRow> {
    let mut groups: BTreeMap<FailureMode, Vec<&Arc<ErrorView>>> = BTreeMap::new();
    for error in found {
        groups.entry(error.record.mode).or_default().push(error);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| group.iter().map(|error| need(error)).min());
    let mut rows = Vec::new();
    for (mode, mut errors) in groups {
        errors.sort_by_key(|error| (need(error), Reverse(error.id)));
        let open = errors.iter().filter(|error| error.is_open()).count();
        rows.push(ErrorRow::Head(mode, errors.len(), open));
        rows.extend(errors.iter().map(|error| ErrorRow::Error(error.id)));
    }
    rows
}

/// The sort key of a failure: unattended ones first, the most severe on top.
fn need(error: &ErrorView) -> (u8, Reverse<Severity>) {
    let rank = match error.state_word() {
        "open" => 0,
        "acknowledged" => 1,
        "retrying" => 2,
        _ => 3,
    };
    // Of what is mended the newest is most worth a look.
    (rank, Reverse(if rank == 3 { Severity::Low } else { error.record.severity }))
}

fn fits(query: &Query, error: &ErrorView) -> bool {
    if query.is_empty() {
        return true;
    }
    let record = &error.record;
    let says = |field: &str| match field {
        "level" => record.severity.to_string(),
        "state" => error.state_word().to_owned(),
        "run" => error.run.to_string(),
        "type" => format!("{} {}", record.error_type.word(), record.error_type.label()),
        "mode" => format!("{} {}", record.mode, record.mode.label()),
        "step" => error.step_id.clone(),
        _ => error.workflow.to_string(),
    };
    let all = format!(
        "{} {} {} {} {} {} {} {}",
        error.name(),
        error.run,
        error.workflow,
        error.step_id,
        record.severity,
        record.mode,
        error.state_word(),
        record.message
    );
    query.fits(says, &all)
}

/// Counts what failed in the last 24 hours.
fn day(model: &Model, quarter: i64) -> DayOfErrors {
    let mut day = DayOfErrors { trend: vec![0; TREND_STEPS], ..DayOfErrors::default() };
    let since = Timestamp(model.now.0.saturating_sub(QUARTER * 96));
    let (mut severities, mut families, mut types) = ([0_u32; 4], BTreeMap::new(), BTreeMap::new());
    for error in model.board.errors() {
        let count = if error.is_open() { &mut day.open } else { &mut day.handled };
        *count += 1;
        if error.at < since {
            continue;
        }
        severities[error.record.severity as usize] += 1;
        let family = error.record.mode.word().split('_').next().unwrap_or_default();
        *families.entry(family).or_default() += 1;
        *types.entry(error.record.error_type.label()).or_default() += 1;
        let back = quarter.saturating_sub(error.at.0.div_euclid(QUARTER)).max(0);
        let step = usize::try_from(back).ok().and_then(|number| (TREND_STEPS - 1).checked_sub(number));
        if let Some(step) = step {
            day.trend[step] += 1;
        }
    }
    let levels = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low];
    day.severities = levels.map(|level| (severities[level as usize], Some(level)));
    (day.families, day.types) = (most_first(families), most_first(types));
    day
}

fn most_first(counts: BTreeMap<&'static str, u32>) -> Vec<(&'static str, u32)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(word, count)| (Reverse(*count), *word));
    counts
}

/// The steps that never ran because of a failure, and those undone after it.
fn aftermath(model: &Model, of: Option<(Seq, Seq)>) -> Aftermath {
    let mut after = Aftermath { of, ..Aftermath::default() };
    let error = of.and_then(|(seq, _)| model.board.error(seq));
    let known = error.and_then(|error| Some((model.board.run(error.run)?, error.step?)));
    let Some((run, step)) = known else { return after };
    for (_, plan, view) in run.steps().filter(|(_, _, view)| view.inside.is_none()) {
        let because = match view.why() {
            Some(Why::Need(step) | Why::Stopped(step) | Why::FailFast(step) | Why::Frame(step)) => {
                Some(*step)
            }
            _ => None,
        };
        if because.is_some_and(|index| leads_to(run, index, step)) {
            after.skipped_count += 1;
            if after.skipped.len() < NAMES_MAX {
                after.skipped.push(plan.id.clone());
            }
        }
        if matches!(view.state, StepState::Undoing | StepState::Undone) {
            after.undone_count += 1;
            if after.undone.len() < NAMES_MAX {
                after.undone.push((plan.id.clone(), view.state));
            }
        }
    }
    after
}

/// True if the reason why step `from` did not run leads back to step `to`.
fn leads_to(run: &RunView, from: cuelight_base::StepIx, to: cuelight_base::StepIx) -> bool {
    let further = |step: &cuelight_base::StepIx| match run.step(*step)?.why()? {
        Why::Need(next) | Why::Stopped(next) | Why::FailFast(next) | Why::Frame(next) => Some(*next),
        _ => None,
    };
    let mut chain = std::iter::successors(Some(from), further).take(run.len());
    chain.any(|step| step == to || run.frames_of(to).any(|frame| frame == step))
}

fn place(model: &Model, id: Seq) -> Option<usize> {
    let errors = &model.workspace.errors;
    let holds =
        |row: Seq| row == id || errors.groups.get(&row).is_some_and(|group| group.members.contains(&id));
    errors.rows.iter().position(|row| row.error().is_some_and(holds))
}

fn cursor(model: &Model) -> usize {
    model.workspace.errors.selected.and_then(|selected| place(model, selected)).unwrap_or(0)
}

/// The failures of the list without its heads, and the place of the selected one among them.
fn listed(model: &Model) -> (Vec<Seq>, usize) {
    let errors = &model.workspace.errors;
    let shown: Vec<Seq> = errors.rows.iter().filter_map(|row| row.error()).collect();
    let at = shown.iter().position(|row| errors.is_selected(*row));
    (shown, at.unwrap_or(0))
}

pub(crate) fn act(model: &mut Model, intent: Intent, count: Option<u32>, wishes: &mut Vec<Wish>) {
    let page = usize::from(layout::errors(model).rows.height);
    // The cursor goes from failure to failure; heads are passed over.
    let (shown, at) = listed(model);
    if let Some(to) = moving::moved(intent, at, shown.len(), page, count) {
        model.workspace.errors.selected = shown.get(to).copied();
        return;
    }
    match intent {
        Intent::Open | Intent::Right => open(model),
        Intent::Preview => model.workspace.errors.preview_hidden = !model.workspace.errors.preview_hidden,
        Intent::Sort => {
            model.workspace.errors.order = model.workspace.errors.order.next();
            toast(model, &format!("sorted by {}", model.workspace.errors.order.name()), Role::Info);
        }
        Intent::Acknowledge | Intent::Resolve => dialog::asking::ask(model, intent, wishes),
        Intent::Evidence => show_whole(model),
        Intent::NextMatch => find(model, true),
        Intent::PreviousMatch => find(model, false),
        Intent::Escape if model.workspace.errors.filter.is_empty() => places::backward(model),
        Intent::Escape => model.workspace.errors.filter.clear(),
        _ => {}
    }
}

/// To its step in the graph.
fn open(model: &mut Model) {
    let Some((run, step)) = model.selected_error().map(|selected| (selected.run, selected.step)) else {
        return;
    };
    model.dag.run = Some(run);
    model.dag.view.selected = step.map(|step| step.0).or(model.dag.view.selected);
    (model.dag.follow, model.runs.selected) = (false, Some(run));
    places::go(model, View::Dag);
}

/// All that is known of it, over the view: nothing of its output is cut.
fn show_whole(model: &mut Model) {
    let Some(error) = model.selected_error().cloned() else { return };
    let record = &error.record;
    let mut text = format!(
        "{}\n\n{} {}/{}  call {}  trace {}\n{}  {}  {}\n",
        record.summary(),
        error.run,
        error.workflow,
        error.step_id,
        error.attempt,
        error.trace,
        record.mode,
        record.error_type.word(),
        error.state_word()
    );
    for (key, value) in &record.context {
        text.push_str(&format!("{key}: {value}\n"));
    }
    text.push('\n');
    let tail = without_sgr(&record.tail);
    text.push_str(if tail.is_empty() { "it wrote nothing" } else { &tail });
    popup::update::show_text(model, &error.name(), &text, Role::Text);
}

/// To the next failure that the search fits, around the end of the list.
pub(crate) fn find(model: &mut Model, forward: bool) {
    let query = Query::parse(&model.workspace.errors.find, OF_ERRORS);
    let (shown, at) = listed(model);
    let len = shown.len();
    if query.is_empty() || len == 0 {
        return toast(model, "nothing is looked for; / begins a search", Role::Info);
    }
    let order = (1..=len).map(|step| if forward { (at + step) % len } else { (at + len - step) % len });
    let hit = order
        .map(|row| shown[row])
        .find(|id| model.board.error(*id).is_some_and(|error| fits(&query, error)));
    if hit.is_some() {
        model.workspace.errors.selected = hit;
    } else {
        let text = format!("could not find {:?}; & filters, Esc clears", model.workspace.errors.find);
        toast(model, &text, Role::Warn);
    }
}

/// A click selects the row under it; true if there is one.
pub(crate) fn click(model: &mut Model, row: u16) -> bool {
    let rows = layout::errors(model).rows;
    if (rows.y..rows.bottom()).contains(&row) {
        let index = model.workspace.errors.top + usize::from(row - rows.y);
        if let Some(id) = model.workspace.errors.rows.get(index).and_then(|row| row.error()) {
            model.workspace.errors.selected = Some(id);
            return true;
        }
    }
    false
}
