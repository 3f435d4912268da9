//! Commands that only look: at the engine that runs, or at what was recorded. They change nothing.

use super::{completion, named};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
    wiring::{self, Seat},
};
use clap::Args;
use cuelight_base::{RunId, Seq, StepIx, Timestamp, counted, safe_text};
use cuelight_engine::{Event, StepState};
use cuelight_plan::Currency;
use cuelight_projection::{
    RunView, choice_words, event_line, event_words, lineage_words, next_commands, otlp_json, runs_json,
    show_json_to, spans_of,
};
use cuelight_runtime::{Clock, Desk, Page, Seen, SystemClock, Trouble as DeskTrouble, Want};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Run to show: r-7; the newest when not given
    #[arg(default_value = "latest", hide_default_value = true, add = completion::runs())]
    pub(super) run: String,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Its trace, as OpenTelemetry has it in JSON (OTLP), with the ids that a collector gets
    #[arg(long, conflicts_with = "json")]
    pub(super) otlp: bool,
}

#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// The run: r-7, or latest
    #[arg(add = completion::runs())]
    pub(super) run: String,
    /// As JSON, one event a line
    #[arg(long)]
    pub(super) json: bool,
}

/// Events asked for at once.
const EVENTS_PAGE: u32 = 4096;

pub(super) async fn runs(config: &Config, out: Output, args: &ListArgs) -> Outcome {
    let seat = wiring::look(config).await?;
    let seen = seat.desk.boards().borrow().clone();
    seat.leave().await;
    if args.json {
        out.json_pretty(&runs_json(&seen.board));
        return Ok(ExitCode::SUCCESS);
    }
    let now = SystemClock.now();
    let rows: Vec<Vec<String>> = seen
        .board
        .listed()
        .map(|run| {
            vec![
                run.id.to_string(),
                safe_text(&run.workflow),
                run.doing().to_owned(),
                run.progress_words(),
                format!("{} ago", now.since(run.started_at.unwrap_or(run.created_at))),
                run.took(now).map_or_else(String::new, |took| took.to_string()),
                safe_text(&run.by.to_string()),
            ]
        })
        .collect();
    if rows.is_empty() {
        out.line(match seen.board.cleared_at() {
            None => "no runs yet; `cuelight run FILE` starts one",
            Some(_) => "no runs since the last reset; `cuelight run history --all` tells of those before",
        });
    } else {
        out.table(&["RUN", "WORKFLOW", "STATE", "STEPS", "STARTED", "TOOK", "BY"], &rows);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn show(config: &Config, out: Output, args: &ShowArgs) -> Outcome {
    let (seat, run) = named::look_at(config, &args.run).await?;
    let view = named::view(&seat, run).await;
    let seen = seat.desk.boards().borrow().clone();
    let actor = seat.actor.clone();
    let past = if args.otlp { Some(seat.desk.read(Want::Past { run, until: None }).await) } else { None };
    seat.leave().await;
    let view = view?;
    if let Some(past) = past {
        let Page::Past(board) = past else {
            return Err(Trouble::failed("could not read that run; try again"));
        };
        out.json_pretty(&otlp_json("cuelight", &spans_of(&board, board.run(run).unwrap_or(&view))));
        return Ok(ExitCode::SUCCESS);
    }
    if args.json {
        out.json_pretty(&show_json_to(&seen.board, &view, (&actor, SystemClock.now())));
        return Ok(ExitCode::SUCCESS);
    }
    print_run(out, &view, SystemClock.now());
    Ok(ExitCode::SUCCESS)
}

/// A run and its steps as a table.
pub(super) fn print_run(out: Output, view: &RunView, now: Timestamp) {
    let summary = &view.summary;
    out.line(&format!(
        "{} {}  {}  stage {}  by {}  {}",
        summary.id,
        safe_text(&summary.workflow),
        summary.doing(),
        summary.stage(),
        safe_text(&summary.by.to_string()),
        summary.took(now).map_or_else(String::new, |took| took.to_string())
    ));
    for line in lineage_words(summary) {
        out.line(&safe_text(&line));
    }
    if let Some(partial) = &view.partial {
        let mode = partial.failure_mode.map_or_else(String::new, |failure_mode| format!(" ({failure_mode})"));
        let point = partial
            .failure_point
            .as_deref()
            .map_or_else(String::new, |failure_point| format!(" at {}", safe_text(failure_point)));
        out.line(&format!(
            "{} of {} completed ({}), {}{point}{mode}",
            partial.completed,
            counted(partial.completed + partial.failed + partial.remaining, "step", "steps"),
            format_args!("{} %", partial.completion_ratio.percent()),
            ended_words(view, partial.failed),
        ));
        for next in next_commands(view, partial) {
            out.line(&format!("next: {}", safe_text(&next)));
        }
    }
    for budget in summary.budgets() {
        out.line(&format!("budget: {}", budget.words()));
    }
    let unlimited = |currency: &Currency| view.summary.ceilings.of(*currency).is_none();
    let told = Currency::ALL
        .into_iter()
        .filter(unlimited)
        .map(|currency| (currency, view.summary.spent.of(currency)));
    let told: Vec<String> = told
        .filter(|(currency, amount)| *currency != Currency::Calls && *amount > 0)
        .map(|(currency, amount)| currency.amount(amount))
        .collect();
    if !told.is_empty() {
        out.line(&format!("used: {}", told.join(", ")));
    }
    let rows: Vec<Vec<String>> = view.steps().map(|(index, _, _)| step_row(view, index, now)).collect();
    out.table(&["STEP", "STATE", "ATTEMPTS", "TOOK", "WHY"], &rows);
}

/// `1 failed, 1 rejected, 7 cancelled`: the steps that did not complete, by their state.
fn ended_words(view: &RunView, not_done: u32) -> String {
    let counts = &view.summary.counts;
    let (rejected, cancelled) = (counts.of(StepState::Rejected), counts.of(StepState::Cancelled));
    let failed = not_done.saturating_sub(rejected);
    let mut words = vec![format!("{failed} failed")];
    for (count, word) in [(rejected, "rejected"), (cancelled, "cancelled")] {
        if count > 0 {
            words.push(format!("{count} {word}"));
        }
    }
    words.join(", ")
}

pub(super) fn step_row(view: &RunView, index: StepIx, now: Timestamp) -> Vec<String> {
    let (Some(plan), Some(step)) = (view.plan_step(index), view.step(index)) else {
        return vec![String::new(); 5];
    };
    let why = match (step.error(), step.why(), step.wait()) {
        (Some(error), _, _) => safe_text(&error.message),
        (None, Some(why), _) => super::why_words(view, why),
        (None, None, Some(wait)) => super::wait_words(wait, now),
        (None, None, None) if step.rejection().is_some() => safe_text(step.rejection().unwrap_or_default()),
        (None, None, None) => {
            let chosen = || step.choice().map(choice_words);
            step.origin_words()
                .or_else(chosen)
                .map_or_else(String::new, |origin_words| safe_text(&origin_words))
        }
    };
    let took = step.elapsed(now).map_or_else(String::new, |elapsed| elapsed.to_string());
    let tries = if step.calls == 0 { String::new() } else { step.tries().to_string() };
    vec![safe_text(&plan.id), step.state.word().to_owned(), tries, took, why]
}

pub(super) async fn events(config: &Config, out: Output, args: &EventsArgs) -> Outcome {
    let (seat, run) = named::look_at(config, &args.run).await?;
    let view = named::view(&seat, run).await;
    let view = match view {
        Ok(view) => view,
        Err(trouble) => {
            seat.leave().await;
            return Err(trouble);
        }
    };
    let mut after = Seq(0);
    loop {
        let page = events_after(&seat, run, after).await;
        let (events, more) = match page {
            Ok(page) => page,
            Err(trouble) => {
                seat.leave().await;
                return Err(trouble);
            }
        };
        for (seq, event) in &events {
            print_event(out, *seq, event, Some(&view), args.json);
            after = *seq;
        }
        if !more {
            break;
        }
    }
    seat.leave().await;
    Ok(ExitCode::SUCCESS)
}

/// The events of a run after one of them, and whether there are more.
pub(super) async fn events_after(
    seat: &Seat,
    run: RunId,
    after: Seq,
) -> Result<(Vec<(Seq, Event)>, bool), Trouble> {
    match seat.desk.read(Want::Events { run: Some(run), after, limit: EVENTS_PAGE }).await {
        Page::Events { events, more } => Ok((events, more)),
        Page::Missing(why) => Err(Trouble::not_recorded(why)),
        Page::Records(_)
        | Page::Chain { .. }
        | Page::Bytes { .. }
        | Page::Plan(_)
        | Page::Past(_)
        | Page::Workflow(_)
        | Page::Agents(_) => Ok((Vec::new(), false)),
    }
}

/// One event as a line, for programs or for people.
pub(super) fn print_event(out: Output, seq: Seq, event: &Event, run: Option<&RunView>, json: bool) {
    if json {
        return out.json(&event_line(seq, event, run));
    }
    let words = event_words(event, run);
    let line = format!(
        "{} {} {} {} {}",
        event.at.clock(),
        event.fact.run().map_or_else(String::new, |run| run.to_string()),
        words.kind,
        safe_text(&words.subject),
        safe_text(&words.detail)
    );
    out.line(line.trim_end());
}

pub(super) fn is_lost(seen: &Seen) -> bool {
    matches!(
        seen.trouble,
        Some(
            DeskTrouble::Lost(_) | DeskTrouble::Stopped(_) | DeskTrouble::TakenOver(_) | DeskTrouble::Unowned
        )
    )
}
