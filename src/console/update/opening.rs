//! The answer of Enter where nothing can be opened: the reason, and the key that helps.

use crate::{Intent, Model, View};

/// The reason why Enter opens nothing in this view; None if it opens something.
pub(super) fn nothing_to_open(model: &Model) -> Option<String> {
    let key = |intent: Intent| model.keys.keys_of(model.view.scope(), intent).unwrap_or_default();
    let no_run = || format!("no run is selected; {} lists them", key(Intent::ViewRuns));
    match model.view {
        View::Runs if model.runs.selected.is_none() && model.runs.filter.is_empty() => {
            Some(format!("no runs yet; {} starts a workflow", key(Intent::NewRun)))
        }
        View::Runs if model.runs.selected.is_none() => {
            Some(format!("no run fits the filter; {} clears it", key(Intent::Escape)))
        }
        View::Dag => model.dag.picture.is_none().then(no_run),
        View::Gates if model.gates.selected.is_none() => Some("nothing waits for a person".to_owned()),
        View::Errors => model.selected_error().is_none().then(|| "no failure is selected".to_owned()),
        View::Health => model
            .board
            .vitals()
            .reasons()
            .is_empty()
            .then(|| "nothing has failed that health counts".to_owned()),
        View::Logs => model.logs.run.is_none().then(no_run),
        View::Time => model.time.chart.is_none().then(no_run),
        View::Audit => {
            let audit = &model.workspace.audit;
            let is_read = audit.record.as_ref().is_some_and(|record| Some(record.seq) == audit.selected);
            (!is_read).then(|| "the record is being read; a moment".to_owned())
        }
        View::Tools => Some("a tool has nothing more to open; its figures stand in this row".to_owned()),
        View::Runs | View::Gates | View::Agents => None,
    }
}
