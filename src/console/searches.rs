//! The fields that a search may name in each view, and the reason why a typed text is no search there.

use crate::{
    Model, Query, View, audit,
    logs::needle::Needle,
    model::{Prompt, PromptKind},
    pattern::Sought,
};

/// The fields and measures that a filter of runs can name.
pub(crate) const OF_RUNS: &[&str] =
    &["state", "run", "workflow", "by", "risk", "age", "steps", "done", "errors", "health", "calls"];
/// The fields that a search in the graph can name.
pub(crate) const OF_STEPS: &[&str] = &["state", "kind", "step", "group"];
/// The fields that a filter of failures can name.
pub(crate) const OF_ERRORS: &[&str] = &["level", "state", "run", "type", "mode", "step", "workflow"];

/// The reason why the typed text is no valid search: its pattern is invalid. Such text does not filter the
/// rows meanwhile.
pub(crate) fn problem(model: &Model, prompt: &Prompt) -> Option<String> {
    let text = prompt.field.text().trim();
    match (prompt.kind, model.view) {
        (PromptKind::Remark | PromptKind::Compare, _) => None,
        (PromptKind::Find, _) if model.past.travel.is_some() => Sought::parse(text).err(),
        (PromptKind::Find, View::Time) => Sought::parse(text).err(),
        (PromptKind::Find, View::Logs) => Needle::of(text).err(),
        (PromptKind::Filter, View::Logs) => Needle::filter(text).err(),
        (PromptKind::Find | PromptKind::Filter, _) => Query::problem(text, fields_of(model.view)),
    }
}

/// The fields that a search in a view may name.
const fn fields_of(view: View) -> &'static [&'static str] {
    match view {
        View::Audit => audit::state::FIELDS,
        View::Errors => OF_ERRORS,
        View::Dag => OF_STEPS,
        View::Runs | View::Gates | View::Health | View::Logs | View::Time | View::Agents | View::Tools => {
            OF_RUNS
        }
    }
}
