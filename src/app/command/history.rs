//! `history`: every run and every step there was, the newest first, also those that failed; also of runs whose steps are no
//! longer in memory.

use super::{look, named};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
    wiring,
};
use clap::Args;
use cuelight_base::{RunId, Value, counted, safe_text};
use cuelight_engine::StepState;
use cuelight_projection::{RunSummary, RunView, show_json};
use cuelight_runtime::{Clock, Desk, SystemClock};
use std::{process::ExitCode, sync::Arc};

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Number of runs, newest first
    #[arg(long, value_name = "RUNS", default_value_t = 20)]
    pub(super) limit: u32,
    /// Include runs that ended before the last reset
    #[arg(long)]
    pub(super) all: bool,
    /// Only runs of this workflow
    #[arg(long, value_name = "NAME")]
    pub(super) workflow: Option<String>,
    /// Only this step
    #[arg(long, value_name = "STEP")]
    pub(super) step: Option<String>,
    /// Only steps that failed, were rejected or are in doubt
    #[arg(long)]
    pub(super) failed: bool,
    /// As JSON, a run each as `show --json` prints it
    #[arg(long, conflicts_with_all = ["step", "failed"])]
    pub(super) json: bool,
}

pub(super) async fn history(config: &Config, out: Output, args: &HistoryArgs) -> Outcome {
    let seat = wiring::look(config).await?;
    let board = seat.desk.boards().borrow().board.clone();
    let wanted = |name: &str| args.workflow.as_ref().is_none_or(|workflow| workflow == name);
    let known: Vec<&RunSummary> =
        if args.all { board.summaries().collect() } else { board.listed().collect() };
    let cleared = board.summaries().count() - known.len();
    let mut runs: Vec<RunId> = known.iter().filter(|run| wanted(&run.workflow)).map(|run| run.id).collect();
    runs.reverse();
    let (all, most) = (runs.len(), args.limit as usize);
    runs.truncate(most);
    let mut views: Vec<Arc<RunView>> = Vec::new();
    let mut trouble: Option<Trouble> = None;
    for run in runs {
        match named::view(&seat, run).await {
            Ok(view) => views.push(view),
            Err(why) => trouble = trouble.or(Some(why)),
        }
    }
    seat.leave().await;
    if let Some(trouble) = trouble {
        return Err(trouble);
    }
    if args.json {
        out.json_pretty(&views.iter().map(|view| show_json(&board, view)).collect::<Value>());
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = views.iter().flat_map(|view| rows(view, args)).collect();
    if rows.is_empty() {
        out.line("nothing of that kind has run here");
        tell_cleared(out, cleared);
        return Ok(ExitCode::SUCCESS);
    }
    out.table(&["RUN", "WORKFLOW", "STAGE", "STEP", "STATE", "ATTEMPTS", "TOOK", "ENDED", "WHY"], &rows);
    if all > most {
        let older = counted(all - most, "older run", "older runs");
        out.line(&format!("{older}; --limit {all} shows all"));
    }
    tell_cleared(out, cleared);
    Ok(ExitCode::SUCCESS)
}

/// That there is more than a list shows.
fn tell_cleared(out: Output, cleared: usize) {
    if cleared > 0 {
        let runs = counted(cleared, "run", "runs");
        out.line(&format!("{runs} from before the last reset; --all shows them as well"));
    }
}

fn rows(view: &RunView, args: &HistoryArgs) -> Vec<Vec<String>> {
    let now = SystemClock.now();
    let summary = &view.summary;
    let failed =
        |state: StepState| matches!(state, StepState::Failed | StepState::Rejected | StepState::InDoubt);
    view.steps()
        .filter(|(_, plan, _)| args.step.as_ref().is_none_or(|step| *step == plan.id))
        .filter(|(_, _, step)| !args.failed || failed(step.state))
        .map(|(index, _, step)| {
            let mut row =
                vec![summary.id.to_string(), safe_text(&summary.workflow), summary.stage().word().to_owned()];
            row.extend(look::step_row(view, index, now));
            let ended = step.ended_at.map_or_else(String::new, |ended_at| ended_at.to_string());
            row.insert(7, ended);
            row
        })
        .collect()
}
