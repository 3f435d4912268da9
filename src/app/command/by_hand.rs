//! Commands on one step of a run: skip it, complete it by hand, resolve an unknown outcome or a stuck undo.

use super::{
    act::{left, submit},
    completion,
    decide::override_gate,
    form::ConfirmArgs,
    named,
    signing::SignArgs,
};
use crate::{
    args::key_value,
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
    wiring::Seat,
};
use clap::{Args, ValueEnum};
use cuelight_base::{RunId, StepIx, Value, ValueMap, safe_text};
use cuelight_engine::{Command, DoubtAnswer};
use cuelight_plan::Work;
use cuelight_projection::{GateView, settled_words};
use cuelight_runtime::Desk;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(super) struct StepArgs {
    /// The run: r-7, or latest
    #[arg(add = completion::runs())]
    pub(super) run: String,
    /// The step
    pub(super) step: String,
    /// Why
    #[arg(long)]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct SkipArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    #[command(flatten)]
    pub(super) confirm: ConfirmArgs,
    #[command(flatten)]
    pub(super) sign: SignArgs,
}

#[derive(Debug, Args)]
pub(super) struct DoneArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    /// An output
    #[arg(long = "output", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) outputs: Vec<(String, String)>,
    #[command(flatten)]
    pub(super) confirm: ConfirmArgs,
    #[command(flatten)]
    pub(super) sign: SignArgs,
}

#[derive(Debug, Args)]
pub(super) struct DoubtArgs {
    /// The run: r-7, or latest
    #[arg(add = completion::runs())]
    pub(super) run: String,
    /// The step
    pub(super) step: String,
    /// Outcome of the step
    #[arg(value_enum)]
    pub(super) answer: Answer,
    /// Evidence for this outcome
    #[arg(long)]
    pub(super) reason: String,
    /// An output, where it happened
    #[arg(long = "output", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) outputs: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Answer {
    /// Completed its work
    Happened,
    /// Did nothing; the step is called again
    NotHappened,
    /// Counts as failed, with any outcome
    Abort,
}

#[derive(Debug, Args)]
pub(super) struct SettleUndoArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    /// Retry the undo; else it counts as done by hand
    #[arg(long)]
    pub(super) again: bool,
}

pub(super) async fn skip(config: &Config, out: Output, args: SkipArgs) -> Outcome {
    let SkipArgs { step: args, confirm, sign } = args;
    let (seat, run, step) = at_step(config, &args.run, &args.step).await?;
    if let Some(view) = gate_at(&seat, run, step) {
        return override_gate(seat, out, &view, args.reason, (&confirm, &sign)).await;
    }
    if sign.is_given() {
        return left(seat, no_gate(&args.step)).await;
    }
    let by = seat.actor.clone();
    let said = format!("{} of {run} is skipped", args.step);
    submit(seat, out, Command::Skip { run, step, reason: args.reason, by }, |_| said).await
}

pub(super) async fn done(config: &Config, out: Output, args: DoneArgs) -> Outcome {
    let (seat, run, step) = at_step(config, &args.step.run, &args.step.step).await?;
    if let Some(view) = gate_at(&seat, run, step) {
        if !args.outputs.is_empty() {
            let why = format!(
                "could not complete {} by hand: a gate has no outputs of its own; fill in its form with --set",
                args.step.step
            );
            return left(seat, Trouble::usage(why)).await;
        }
        return override_gate(seat, out, &view, args.step.reason, (&args.confirm, &args.sign)).await;
    }
    if args.sign.is_given() {
        return left(seat, no_gate(&args.step.step)).await;
    }
    let by = seat.actor.clone();
    let said = format!("{} of {run} is done", args.step.step);
    let outputs = texts(args.outputs);
    submit(seat, out, Command::Done { run, step, outputs, reason: args.step.reason, by }, |_| said).await
}

pub(super) async fn doubt(config: &Config, out: Output, args: DoubtArgs) -> Outcome {
    let (seat, run, step) = at_step(config, &args.run, &args.step).await?;
    let by = seat.actor.clone();
    let answer = match args.answer {
        Answer::Happened => DoubtAnswer::Happened(texts(args.outputs)),
        Answer::NotHappened => DoubtAnswer::NotHappened,
        Answer::Abort => DoubtAnswer::Abort,
    };
    let said = format!("{} of {run} is no longer in doubt", args.step);
    submit(seat, out, Command::AnswerDoubt { run, step, answer, reason: args.reason, by }, |_| said).await
}

pub(super) async fn settle_undo(config: &Config, out: Output, args: SettleUndoArgs) -> Outcome {
    let (seat, run, step) = at_step(config, &args.step.run, &args.step.step).await?;
    let by = seat.actor.clone();
    let said = settled_words(&safe_text(&args.step.step), args.again);
    let command = Command::SettleUndo { run, step, again: args.again, reason: args.step.reason, by };
    submit(seat, out, command, |_| said).await
}

/// Only a gate is answered with a key.
fn no_gate(step: &str) -> Trouble {
    Trouble::usage(format!(
        "could not sign for {step}: only an open gate is answered with a key; leave --as and --signed out"
    ))
}

/// The open gate that a step is; nothing for a step that a gate only asks about.
fn gate_at(seat: &Seat, run: RunId, step: StepIx) -> Option<Arc<GateView>> {
    let board = seat.desk.boards().borrow().board.clone();
    let view = board.run(run)?;
    let is_gate = view.plan_step(step).is_some_and(|plan_step| matches!(plan_step.work, Work::Gate(_)));
    let gate = view.step(step)?.gate().filter(|_| is_gate)?;
    board.gate(gate).filter(|gate| gate.is_open()).cloned()
}

async fn at_step(config: &Config, run: &str, step: &str) -> Result<(Seat, RunId, StepIx), Trouble> {
    let (seat, run) = named::act_on(config, run).await?;
    match named::step(&seat, run, step).await {
        Ok(found) => Ok((seat, run, found)),
        Err(trouble) => {
            seat.leave().await;
            Err(trouble)
        }
    }
}

fn texts(pairs: Vec<(String, String)>) -> ValueMap {
    pairs.into_iter().map(|(key, text)| (key, Value::String(text))).collect()
}
