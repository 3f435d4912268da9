//! The palette and the menu: everything that can be done, with level, key and effect; grey when it would be refused.

use crate::{
    Intent, Keymap, Level, Model, Scope, View, Wish,
    actions::{ACTIONS, gate_to_answer, refusal},
    dialog, gates,
    intent::Group,
    layout,
    model::{Overlay, PaletteAct, PaletteRow},
    update::{editing, general, moving, places},
};
use cuelight_projection::Attention;
use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{CaseMatching, Normalization, Pattern},
};

/// Runs that are offered by name.
const RUNS_MAX: usize = 500;

/// Stands before what was chosen before.
const RECENT: &str = "recent ";

/// Brings the rows up to date with what is typed.
pub(crate) fn refresh(model: &mut Model) {
    let Some(Overlay::Palette(palette)) = &model.overlay else { return };
    let all = everything(model);
    let total = all.len();
    let query = palette.field.text().trim_start_matches(':').to_owned();
    let rows = match query.split_once(' ').filter(|(word, file)| *word == "run" && !file.trim().is_empty()) {
        Some((_, file)) => vec![run_file(file.trim())],
        None if query.trim().is_empty() => all,
        None => ranked(all, &query),
    };
    if let Some(Overlay::Palette(palette)) = &mut model.overlay {
        palette.selected = palette.selected.min(rows.len().saturating_sub(1));
        palette.rows = rows;
        palette.total = total;
    }
}

/// The row that opens the form with a file that was named.
fn run_file(file: &str) -> PaletteRow {
    PaletteRow {
        name: format!("run {file}"),
        act: PaletteAct::Launch(file.to_owned()),
        what: "start this workflow: its inputs".to_owned(),
        level: Level::L1,
        key: String::new(),
        refused: None,
    }
}

/// Rows that fit, the best first; of equal ones the one that stands first.
fn ranked(rows: Vec<PaletteRow>, query: &str) -> Vec<PaletteRow> {
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(query, CaseMatching::Ignore, Normalization::Smart);
    let mut buffer = Vec::new();
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut scored: Vec<(u32, PaletteRow)> = rows
        .into_iter()
        .filter_map(|row| {
            let exact = row.name == query.trim();
            let alias = words.first().is_some_and(|first| is_alias(&row, first));
            // Other words after it narrow the search by the name of the row: `kill r-7`.
            let alias = alias && words[1..].iter().all(|word| row.name.to_lowercase().contains(word));
            let text = format!("{} {}", row.name, row.what);
            let by_name = pattern.score(Utf32Str::new(&row.name, &mut buffer), &mut matcher);
            // Letters strewn over a description are no sign that it is meant; words that stand in it are.
            let says = words.iter().all(|word| text.to_lowercase().contains(word.as_str()));
            let by_all =
                says.then(|| pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher)).flatten();
            let score = by_name.map(|by_name| by_name.saturating_mul(4)).max(by_all);
            match () {
                () if exact => Some((u32::MAX, row)),
                () if alias => Some((u32::MAX - 1, row)),
                () => Some((score?, row)),
            }
        })
        .collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, row)| row).collect()
}

/// True if a row does what other programs call by this word. A row that was chosen before stands by its own name.
fn is_alias(row: &PaletteRow, word: &str) -> bool {
    match &row.act {
        PaletteAct::Intent(intent) if !row.name.starts_with(RECENT) => intent.aliases().contains(&word),
        PaletteAct::ShutDown => word == "halt",
        _ => false,
    }
}

/// Everything that can be done now, in the order of the table.
fn everything(model: &Model) -> Vec<PaletteRow> {
    let scope = model.view.scope();
    let mut rows: Vec<PaletteRow> = Vec::new();
    for intent in gates::answers::offered(model) {
        let gate = model.gates.gate().map_or_else(String::new, |gate| gate.to_string());
        let name = format!("{} {gate}", intent.name()).trim_end().to_owned();
        rows.push(PaletteRow { refused: refusal(model, intent), ..row_of(intent, name, &model.keys, scope) });
    }
    if let Some((Attention::Gate(gate), ..)) = gate_to_answer(model).filter(|_| model.view != View::Gates) {
        for intent in [Intent::Approve, Intent::Reject] {
            let (name, refused) = (format!("{} {gate}", intent.name()), model.locked());
            rows.push(PaletteRow { refused, ..row_of(intent, name, &model.keys, Scope::Gates) });
        }
    }
    if let Some(error) = model.selected_error().filter(|_| model.view == View::Errors) {
        for intent in [Intent::Acknowledge, Intent::Resolve] {
            let (name, refused) = (format!("{} {}", intent.name(), error.name()), refusal(model, intent));
            rows.push(PaletteRow { refused, ..row_of(intent, name, &model.keys, scope) });
        }
    }
    for intent in ACTIONS {
        let target = match (intent, model.run(), model.step()) {
            (Intent::Skip, Some(run), Some(step)) => {
                model.board.run(run).map_or_else(String::new, |run| run.step_id(step))
            }
            (_, Some(run), _) => run.to_string(),
            (_, None, _) => "…".to_owned(),
        };
        let name = format!("{} {target}", intent.name());
        let refused = refusal(model, intent);
        rows.push(PaletteRow { refused, ..row_of(intent, name, &model.keys, scope) });
    }
    let plain = Intent::all().filter(|intent| {
        let in_view = intent.group() != Group::View || model.keys.keys_of(scope, *intent).is_some();
        !matches!(intent.group(), Group::Inside | Group::Move | Group::Act)
            && in_view
            && *intent != Intent::Palette
    });
    rows.extend(plain.map(|intent| row_of(intent, intent.name().to_owned(), &model.keys, scope)));
    let other = |name: String, act: PaletteAct, what: &str, level: Level| PaletteRow {
        name,
        act,
        what: what.to_owned(),
        level,
        key: String::new(),
        refused: None,
    };
    rows.push(other(
        "run".to_owned(),
        PaletteAct::Launch(String::new()),
        "start a workflow: file and inputs",
        Level::L1,
    ));
    rows.push(other("q".to_owned(), PaletteAct::Intent(Intent::Quit), "leave (asks)", Level::L0));
    let what = "clear results that are kept and what has rested; the log stays";
    rows.push(other("reset".to_owned(), PaletteAct::Reset, what, Level::L4));
    let what = "stop the engine in order, and tell how well it went";
    rows.push(other("shutdown".to_owned(), PaletteAct::ShutDown, what, Level::L4));
    for (workflow, is_held) in model.board.scheduled() {
        let verb = if is_held { "release" } else { "hold" };
        let name = format!("{verb} schedule {}", cuelight_base::safe_text(workflow));
        let what = if is_held { "starts at its next time again" } else { "time starts it no more" };
        let level = if is_held { Level::L1 } else { Level::L2 };
        rows.push(other(name, PaletteAct::Hold(workflow.to_owned(), is_held), what, level));
    }
    for state in ["running", "gate", "failed", "done", "cancelled", "paused"] {
        let name = format!("filter state:{state}");
        rows.push(other(
            name,
            PaletteAct::Filter(format!("state:{state}")),
            "show only these runs",
            Level::L0,
        ));
    }
    for theme in model.look.themes.names() {
        let act = PaletteAct::Theme(theme.to_owned());
        rows.push(other(format!("theme {theme}"), act, "change the colours", Level::L0));
    }
    rows.extend(model.places.recent.iter().map(|(at, row)| PaletteRow {
        name: format!("{RECENT}{}", row.name),
        what: format!("{} by {}", at.clock(), cuelight_base::safe_text(&model.seat.actor.name)),
        ..row.clone()
    }));
    for run in model.runs.rows.iter().take(RUNS_MAX) {
        let workflow = model.board.summary(*run).map_or("", |summary| &summary.workflow);
        let name = format!("open {run} {}", cuelight_base::safe_text(workflow));
        rows.push(other(name, PaletteAct::OpenRun(*run), "its graph", Level::L0));
    }
    rows
}

fn row_of(intent: Intent, name: String, keys: &Keymap, scope: Scope) -> PaletteRow {
    PaletteRow {
        name,
        act: PaletteAct::Intent(intent),
        what: intent.what().to_owned(),
        level: intent.level(),
        key: keys.keys_of(scope, intent).unwrap_or_default(),
        refused: None,
    }
}

/// Does what a key says to the palette; returns the command that was chosen.
pub(crate) fn act(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) -> Option<Intent> {
    let page = usize::from(layout::popup_rows(model.size));
    let Some(Overlay::Palette(palette)) = &mut model.overlay else { return None };
    match intent {
        Intent::Escape => model.overlay = None,
        Intent::EraseChar if palette.field.text().is_empty() => model.overlay = None,
        Intent::Complete => {
            if let Some(row) = palette.rows.get(palette.selected) {
                palette.field = crate::Field::of(&row.name);
                palette.selected = 0;
            }
        }
        Intent::Submit => {
            let chosen = palette.rows.get(palette.selected).cloned();
            if let Some(row) = chosen {
                model.overlay = None;
                remember(model, &row);
                return carry_out(model, row, wishes);
            }
        }
        _ => {
            let to = moving::moved(intent, palette.selected, palette.rows.len(), page, None);
            palette.selected = to.unwrap_or(0);
            if to.is_none() {
                editing::edit(model, intent);
            }
        }
    }
    None
}

/// Keeps what was chosen, each once, the newest first.
fn remember(model: &mut Model, row: &PaletteRow) {
    const RECENT_MAX: usize = 20;
    let name = row.name.trim_start_matches(RECENT);
    let chosen = PaletteRow { name: name.to_owned(), ..row.clone() };
    model.places.recent.retain(|(_, row)| row.name != chosen.name);
    model.places.recent.push_front((model.now, chosen));
    model.places.recent.truncate(RECENT_MAX);
}

fn carry_out(model: &mut Model, row: PaletteRow, wishes: &mut Vec<Wish>) -> Option<Intent> {
    match row.act {
        PaletteAct::Intent(intent) => return Some(intent),
        PaletteAct::OpenRun(run) => {
            model.runs.selected = Some(run);
            model.dag.run = Some(run);
            places::go(model, View::Dag);
        }
        PaletteAct::Filter(text) => {
            places::go(model, View::Runs);
            model.runs.filter = text;
        }
        PaletteAct::Theme(name) => general::set_theme(model, &name),
        PaletteAct::Launch(file) => crate::launching::update::open_with(model, &file),
        PaletteAct::Hold(workflow, is_held) => dialog::asking::hold(model, &workflow, is_held, wishes),
        PaletteAct::Reset => dialog::asking::reset(model, wishes),
        PaletteAct::ShutDown => crate::leaving::update::shut_down(model),
    }
    None
}
