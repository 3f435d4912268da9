//! The copies of a matrix: which there are, as GitHub defines it, and how one is made from the body of its frame.
//!
//! Constant matrices are expanded while lowering, computed ones by the engine when their frame opens; both come here.

use crate::{
    base::{MATRIX_COPIES_MAX, STEPS_MAX, StepIx, Value, ValueMap, shorten, type_name},
    definition::Axes,
    plan::{FrameKind, PlanStep, Work},
};
use std::collections::BTreeMap;

/// Characters of what a copy is called by.
const LABEL_CHARS_MAX: usize = 40;

/// One copy: how it is told apart, and its `matrix.*`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    pub(super) label: String,
    pub(super) values: ValueMap,
}

/// The copies of a computed matrix, from its value: a list of objects (one copy each), or an object of lists (every
/// combination, with `include` and `exclude`). `first` is where the first of them will stand in the run's steps,
/// `frame` is the step that holds them. A body that calls a workflow brings its steps along.
///
/// # Errors
/// When the value is no matrix or makes too many steps; the text says which and what to do.
pub fn expand(
    frame_id: &str,
    body: &[PlanStep],
    first: StepIx,
    frame: StepIx,
    matrix: &Value,
) -> Result<Vec<PlanStep>, String> {
    let wrong = |why: String| format!("could not expand the matrix of `{frame_id}`: {why}");
    let cells = axes_of(matrix).and_then(|axes| cells(&axes)).map_err(wrong)?;
    if first.index() + cells.len() * body.len() > STEPS_MAX {
        return Err(too_many(frame_id));
    }
    Ok(stamp(body, first, frame, cells))
}

/// Why a run cannot hold the steps of this one.
pub(super) fn too_many(step: &str) -> String {
    format!(
        "could not plan: with step `{step}` there are more than {STEPS_MAX} steps, and a run holds no more; \
         make its matrix smaller, or split the workflow"
    )
}

/// One copy of the body for each cell. See [`FrameKind::Computed`] for what the indices in a body mean.
pub(super) fn stamp(body: &[PlanStep], first: StepIx, frame: StepIx, cells: Vec<Cell>) -> Vec<PlanStep> {
    let Some(model) = body.first() else { return Vec::new() };
    let mut out = Vec::with_capacity(cells.len() * body.len());
    for Cell { label, values } in cells {
        let by = (first.index() + out.len()).saturating_sub(frame.index() + 1);
        let by = u32::try_from(by).expect("a run holds fewer steps than u32::MAX");
        let id = format!("{}[{label}]", model.id);
        let start = out.len();
        out.extend(body.iter().map(|step| moved(step, frame, by, &model.id, &id)));
        out[start].local = format!("{}[{label}]", model.local);
        out[start].matrix = values;
    }
    out
}

/// The same step further down: indices behind `frame` move by so many, `old` at the front of its id becomes `new`.
fn moved(step: &PlanStep, frame: StepIx, by: u32, old: &str, new: &str) -> PlanStep {
    let shift = |ix: StepIx| if ix > frame { StepIx(ix.0 + by) } else { ix };
    let mut step = step.clone();
    step.id = format!("{new}{}", step.id.strip_prefix(old).unwrap_or(&step.id));
    step.scope = step.scope.map(shift);
    step.frame = step.frame.map(shift);
    step.needs.iter_mut().for_each(|need| *need = shift(*need));
    if let Work::Frame(inner) = &mut step.work {
        if let FrameKind::Computed { body, .. } = &mut inner.kind {
            *body = body.iter().map(|it| moved(it, frame, by, old, new)).collect();
        }
    }
    step
}

/// A value as axes.
fn axes_of(matrix: &Value) -> Result<Axes, String> {
    match matrix {
        Value::Array(_) => Ok(Axes { include: objects("it", matrix)?, ..Axes::default() }),
        Value::Object(map) => {
            let mut axes = Axes::default();
            for (name, value) in map {
                match (name.as_str(), value) {
                    ("include", list) => axes.include = objects("`include`", list)?,
                    ("exclude", list) => axes.exclude = objects("`exclude`", list)?,
                    (_, Value::Array(values)) => axes.axes.push((name.clone(), values.clone())),
                    (_, other) => {
                        return Err(format!(
                            "`{}` is {}, and an axis is a list; write {{{}: [value, value]}}",
                            shorten(name, LABEL_CHARS_MAX),
                            with_article(other),
                            shorten(name, LABEL_CHARS_MAX),
                        ));
                    }
                }
            }
            Ok(axes)
        }
        Value::String(_) => Err("it is a text; read it with fromJSON(…)".to_owned()),
        other => {
            Err(format!("it is {}; it must be an object of lists, or a list of objects", with_article(other)))
        }
    }
}

fn objects(what: &str, list: &Value) -> Result<Vec<ValueMap>, String> {
    let Value::Array(items) = list else {
        return Err(format!("{what} is {}; it must be a list of objects", with_article(list)));
    };
    let object = |(index, item): (usize, &Value)| match item {
        Value::Object(map) => Ok(map.clone()),
        other => Err(format!(
            "item {} of {what} is {}; each must be an object, as in [{{name: value}}]",
            index + 1,
            with_article(other)
        )),
    };
    items.iter().enumerate().map(object).collect()
}

fn with_article(value: &Value) -> String {
    match type_name(value) {
        "null" => "null".to_owned(),
        name if name.starts_with(['a', 'o']) => format!("an {name}"),
        name => format!("a {name}"),
    }
}

/// The copies, in order: every combination of the axes (the last one runs fastest) that is not excluded, each with
/// what `include` adds to it; then what `include` adds on its own.
///
/// An entry of `include` is added to every combination whose own values it leaves as they are; when there is none,
/// it becomes a copy of its own, which later entries leave alone (GitHub's rule).
pub(super) fn cells(axes: &Axes) -> Result<Vec<Cell>, String> {
    let product = axes.axes.iter().try_fold(1_usize, |count, (_, values)| {
        count.checked_mul(values.len()).filter(|it| *it <= MATRIX_COPIES_MAX)
    });
    let most = product.unwrap_or(usize::MAX).max(axes.include.len()).max(axes.exclude.len());
    if most > MATRIX_COPIES_MAX {
        return Err(too_many_copies());
    }
    let own = combinations(axes);
    let mut rows: Vec<(ValueMap, Vec<&Value>)> = Vec::with_capacity(own.len() + axes.include.len());
    rows.extend(own.iter().map(|it| (it.clone(), it.values().collect())));
    for entry in &axes.include {
        let mut added = false;
        for (row, own) in rows.iter_mut().zip(&own) {
            if entry.iter().all(|(key, value)| own.get(key).is_none_or(|it| it == value)) {
                row.0.extend(entry.iter().map(|(key, value)| (key.clone(), value.clone())));
                added = true;
            }
        }
        if !added {
            rows.push((entry.clone(), entry.values().collect()));
        }
    }
    if rows.len() > MATRIX_COPIES_MAX {
        return Err(too_many_copies());
    }
    let mut taken = BTreeMap::new();
    let named = |(values, own): (ValueMap, Vec<&Value>)| Cell { label: label(&own, &mut taken), values };
    Ok(rows.into_iter().map(named).collect())
}

fn too_many_copies() -> String {
    format!("it makes more than {MATRIX_COPIES_MAX} copies; make it smaller, or split the step")
}

fn combinations(axes: &Axes) -> Vec<ValueMap> {
    if axes.axes.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![ValueMap::new()];
    for (name, values) in &axes.axes {
        let longer = |row: &ValueMap, value: &Value| {
            let mut row = row.clone();
            row.insert(name.clone(), value.clone());
            row
        };
        rows = rows.iter().flat_map(|row| values.iter().map(move |value| longer(row, value))).collect();
    }
    let excluded = |row: &ValueMap| {
        let fits = |rule: &ValueMap| rule.iter().all(|(key, value)| row.get(key) == Some(value));
        axes.exclude.iter().any(|rule| !rule.is_empty() && fits(rule))
    };
    rows.retain(|row| !excluded(row));
    rows
}

/// What stands in the brackets of a copy's id: its own values, made safe to read and to type, and never twice.
/// A `~` stands in no value, so a number behind it cannot be mistaken for one.
fn label(own: &[&Value], taken: &mut BTreeMap<String, u32>) -> String {
    let words: Vec<String> = own.iter().map(|it| word(it)).collect();
    let text = shorten(&words.join(","), LABEL_CHARS_MAX);
    let times = taken.entry(text.clone()).or_default();
    *times += 1;
    if *times == 1 { text } else { format!("{text}~{times}") }
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(it) => it.to_string(),
        Value::Number(it) => it.to_string(),
        Value::String(it) => {
            let plain = |c: char| if is_plain(c) { c } else { '_' };
            it.chars().take(LABEL_CHARS_MAX + 1).map(plain).collect()
        }
        Value::Array(items) => joined(items.iter()),
        Value::Object(map) => joined(map.values()),
    }
}

fn joined<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    values.take(LABEL_CHARS_MAX).map(word).collect::<Vec<_>>().join("-")
}

/// What may stand in an id as it is: no brackets or commas, which are the id's own, and nothing unseen.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || "._-+/:@=".contains(c)
}
