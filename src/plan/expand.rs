//! The copies of a matrix: which there are, as GitHub defines it, and how one is made from the body of its
//! frame.
//!
//! Constant matrices are expanded while lowering, computed ones by the engine when their frame opens; both
//! come here.

use crate::{FrameKind, Plan, PlanStep, Work};
use cuelight_base::{EVENT_CONTENT_BYTES_MAX, STEPS_MAX, StepIx, Value, ValueMap, json_bytes, shorten};
use cuelight_definition::Axes;
use std::collections::BTreeMap;

/// The largest number of characters of a copy's label.
const LABEL_CHARS_MAX: usize = 40;

/// One copy: how it is told apart, and its `matrix.*`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    pub(super) label: String,
    pub(super) values: ValueMap,
}

/// The copies of a computed matrix, from its value: a list of objects (one copy each), or an object of lists
/// (every combination, with `include` and `exclude`). `first` is where the first of them will stand in the
/// run's steps, `frame` is the step that holds them. A body that calls a workflow brings its steps along.
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
    if json_bytes(body).saturating_mul(cells.len()) > EVENT_CONTENT_BYTES_MAX {
        return Err(too_large(frame_id));
    }
    Ok(stamp(body, first, frame, cells))
}

/// The `matrix.*` of every copy, from the value of a matrix as [`expand`] takes it.
///
/// # Errors
/// When the value is no matrix.
pub fn matrix_copies(step_id: &str, matrix: &Value) -> Result<Vec<ValueMap>, String> {
    let cells = axes_of(matrix).and_then(|axes| cells(&axes));
    let cells = cells.map_err(|why| format!("could not expand the matrix of `{step_id}`: {why}"))?;
    Ok(cells.into_iter().map(|cell| cell.values).collect())
}

/// Why a run cannot hold the steps of this one.
pub(super) fn too_many(step: &str) -> String {
    format!(
        "could not plan: with step `{step}` there are more than {STEPS_MAX} steps, and a run holds no more; \
         make its matrix smaller, or split the workflow"
    )
}

/// Why a run cannot hold the text of this one.
pub(super) fn too_large(step: &str) -> String {
    let most = EVENT_CONTENT_BYTES_MAX / (1024 * 1024);
    format!(
        "could not plan: with step `{step}` the plan is larger than {most} MiB, since every copy of a step has its \
         script; move the script into a file, or make the matrix smaller"
    )
}

/// The plan with one copy, called `[…]`, of every matrix that is computed in the run, so that readers see its
/// steps.
pub(super) fn with_models(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    let mut at = 0;
    while at < plan.steps.len() && plan.steps.len() < STEPS_MAX {
        if let Work::Frame(frame) = &plan.steps[at].work
            && let FrameKind::Computed { body, .. } = &frame.kind
        {
            let (frame, first) = (StepIx::from_index(at), StepIx::from_index(plan.steps.len()));
            let copies = model_copy(body, first, frame);
            plan.steps.extend(copies);
        }
        at += 1;
    }
    plan
}

/// One copy, called `[…]`, of the body of a matrix that is computed in the run. Its steps stand from `first` on.
pub fn model_copy(body: &[PlanStep], first: StepIx, frame: StepIx) -> Vec<PlanStep> {
    stamp(body, first, frame, vec![Cell { label: "…".to_owned(), values: ValueMap::new() }])
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

/// The same step further down: indices behind `frame` move by so many, `old` at the front of its id becomes
/// `new`.
fn moved(step: &PlanStep, frame: StepIx, by: u32, old: &str, new: &str) -> PlanStep {
    let shift = |ix: StepIx| if ix > frame { StepIx(ix.0 + by) } else { ix };
    let mut step = step.clone();
    step.id = format!("{new}{}", step.id.strip_prefix(old).unwrap_or(&step.id));
    step.scope = step.scope.map(shift);
    step.frame = step.frame.map(shift);
    step.needs.iter_mut().for_each(|need| *need = shift(*need));
    if let Work::Frame(inner) = &mut step.work
        && let FrameKind::Computed { body, .. } = &mut inner.kind
    {
        *body = body.iter().map(|value| moved(value, frame, by, old, new)).collect();
    }
    step
}

/// The copies of the axes, each called by its values on them; one that `include` adds on its own by all it
/// has.
pub(super) fn cells(axes: &Axes) -> Result<Vec<Cell>, String> {
    let mut taken = BTreeMap::new();
    let named = |values: ValueMap| {
        let own: Option<Vec<&Value>> = axes.axes.iter().map(|(name, _)| values.get(name)).collect();
        let own = own.filter(|values| !values.is_empty()).unwrap_or_else(|| values.values().collect());
        Cell { label: label(&own, &mut taken), values }
    };
    Ok(axes.copies()?.into_iter().map(named).collect())
}

/// A value as axes. A text is what one gets who forgets to read it.
fn axes_of(matrix: &Value) -> Result<Axes, String> {
    match matrix {
        Value::String(_) => Err("it is a text; read it with fromJSON(…)".to_owned()),
        other => Axes::of_value(other),
    }
}

/// The label in the brackets of a copy's id: its own values, made safe to read and to type, and unique.
/// A `~` stands in no value, so a number behind it cannot be mistaken for one.
fn label(own: &[&Value], taken: &mut BTreeMap<String, u32>) -> String {
    let words: Vec<String> = own.iter().map(|value| word(value)).collect();
    let text = shorten(&words.join(","), LABEL_CHARS_MAX);
    let times = taken.entry(text.clone()).or_default();
    *times += 1;
    if *times == 1 { text } else { format!("{text}~{times}") }
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => {
            let plain = |c: char| if is_plain(c) { c } else { '_' };
            text.chars().take(LABEL_CHARS_MAX + 1).map(plain).collect()
        }
        Value::Array(items) => joined(items.iter()),
        Value::Object(map) => joined(map.values()),
    }
}

fn joined<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    values.take(LABEL_CHARS_MAX).map(word).collect::<Vec<_>>().join("-")
}

/// True for a character that may stand in an id: no brackets or commas, which are the id's own, and nothing
/// invisible.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || "._-+/:@=".contains(c)
}
