//! `diff`: compares two runs, or two instants. `projection` finds the differences.

use super::named::{self, RunName};
use crate::{
    config::Config,
    exit::{FAILED, Outcome, Trouble},
    output::Output,
    wiring::{self, Seat},
};
use clap::Args;
use cuelight_base::{Seq, Timestamp, Value, safe_text, shorten};
use cuelight_engine::InputChange;
use cuelight_projection::{RunView, RunsDiff, Side, StepDiff, StepView, diff_json, runs_diff};
use cuelight_runtime::{Clock, Desk, Page, SystemClock, Want};
use std::{process::ExitCode, sync::Arc};

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// First run: r-7, or as it was after an event, r-7@412
    pub(super) left: String,
    /// Second run
    pub(super) right: String,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Characters of a value that are shown.
const VALUE_CHARS: usize = 60;

pub(super) async fn diff(config: &Config, out: Output, args: &DiffArgs) -> Outcome {
    let seat = wiring::look(config).await?;
    let sides = both(&seat, args).await;
    seat.leave().await;
    let ((left, left_at), (right, right_at)) = sides?;
    let diff = runs_diff((&left, left_at), (&right, right_at));
    if args.json {
        out.json_pretty(&diff_json(&diff, (&left, &right)));
    } else {
        text(out, &diff, &left, &right);
    }
    Ok(if diff.differs() { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

type At = (Arc<RunView>, Timestamp);

async fn both(seat: &Seat, args: &DiffArgs) -> Result<(At, At), Trouble> {
    Ok((one(seat, &args.left).await?, one(seat, &args.right).await?))
}

/// `r-7` as it is, `r-7@412` as it was after that event.
async fn one(seat: &Seat, words: &str) -> Result<At, Trouble> {
    let Some((run, seq)) = words.split_once('@') else {
        return Ok((named::view(seat, RunName::read(words)?.at(seat)?).await?, SystemClock.now()));
    };
    let run = RunName::read(run)?.at(seat)?;
    let seq = seq.trim_start_matches('#').parse().map_err(|_| {
        Trouble::usage(format!(
            "could not read {:?}; write r-7@412, with the number of an event",
            safe_text(words)
        ))
    })?;
    match seat.desk.read(Want::Past { run, until: Some(Seq(seq)) }).await {
        Page::Past(past) => match past.run(run) {
            Some(view) => Ok((Arc::clone(view), past.at)),
            None => Err(Trouble::usage(format!(
                "could not compare {run} at event {seq}: it had not begun by then"
            ))),
        },
        Page::Missing(why) => Err(Trouble::usage(why)),
        Page::Events { .. }
        | Page::Records(_)
        | Page::Chain { .. }
        | Page::Bytes { .. }
        | Page::Plan(_)
        | Page::Workflow(_)
        | Page::Agents(_) => Err(Trouble::failed("could not compare: the past was not told")),
    }
}

fn text(out: Output, diff: &RunsDiff, left: &RunView, right: &RunView) {
    for (sign, view) in [("-", left), ("+", right)] {
        let summary = &view.summary;
        let head =
            format!("{sign} {} {}  {}  by {}", summary.id, summary.workflow, summary.doing(), summary.by);
        out.line(&safe_text(&head));
    }
    for input in &diff.plan.inputs {
        out.line(&change("input", input));
    }
    for step in &diff.plan.steps {
        out.line(&safe_text(&format!("step {}: {}", step.id, step.how.word())));
    }
    for rule in &diff.plan.rules {
        out.line(&format!("{rule} of the workflow: not the same"));
    }
    for output in &diff.outputs {
        out.line(&change("output", output));
    }
    let rows: Vec<Vec<String>> =
        diff.steps.iter().filter(|step| step.differs()).map(|step| row(step, left, right)).collect();
    let same = diff.steps.len() - rows.len();
    if !rows.is_empty() {
        out.table(&["STEP", "STATE", "TOOK", "OUTPUTS"], &rows);
    }
    out.line(&format!("{same} {} the same", if same == 1 { "step is" } else { "steps are" }));
}

fn change(what: &str, change: &InputChange) -> String {
    let value = |value: &Option<Value>| {
        value.as_ref().map_or_else(|| "nothing".to_owned(), |text| shorten(&text.to_string(), VALUE_CHARS))
    };
    safe_text(&format!("{what} {}: {} -> {}", change.name, value(&change.before), value(&change.after)))
}

fn row(diff: &StepDiff, left: &RunView, right: &RunView) -> Vec<String> {
    let both = |word: &dyn Fn(Option<Side>) -> String| {
        let (left, right) = (word(diff.left), word(diff.right));
        if left == right { left } else { format!("{left} -> {right}") }
    };
    let state = both(&|side| match side {
        None => "no such step".to_owned(),
        Some(Side { inside: Some((rested, total)), state, .. }) => format!("{state} {rested}/{total}"),
        Some(side) => side.state.word().to_owned(),
    });
    let took =
        both(&|side| side.and_then(|side| side.took).map_or_else(|| "-".to_owned(), |span| span.to_string()));
    let outputs = if diff.other_outputs() {
        format!("{} -> {}", outputs(left, &diff.id), outputs(right, &diff.id))
    } else {
        String::new()
    };
    vec![format!("{}{}", "  ".repeat(diff.depth), safe_text(&diff.id)), state, took, outputs]
}

fn outputs(run: &RunView, id: &str) -> String {
    let outputs = run.find(id).and_then(|step| run.step(step)).and_then(StepView::outputs);
    let text = outputs.map_or_else(|| "-".to_owned(), |outputs| Value::Object(outputs.clone()).to_string());
    safe_text(&shorten(&text, VALUE_CHARS))
}
