//! `timeline` and `replay`: where the time of a run went, and how it stood at any moment. They change nothing.

use super::{
    completion,
    look::{self, ShowArgs},
    named,
};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
    wiring::Seat,
};
use clap::Args;
use cuelight_base::{RunId, Seq, Timestamp, ValueMap, safe_text};
use cuelight_engine::Event;
use cuelight_projection::{
    Bar, Board, RunView, Spell, Timeline, TimelineRow, event_line, event_words, show_json,
};
use cuelight_runtime::{Clock, SystemClock};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, process::ExitCode};

/// The time of a run, as `run timeline --json` tells it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Timeline")]
pub(super) struct TimelineAnswer {
    run: String,
    from: String,
    until: String,
    steps: Vec<StepBars>,
    /// The time that the longest way took, by its use.
    #[schemars(with = "BTreeMap<String, u64>")]
    spent_ms: ValueMap,
}

/// The bars of one step.
#[derive(Serialize, JsonSchema)]
struct StepBars {
    id: String,
    /// True if it is on the longest way.
    critical: bool,
    bars: Vec<BarAnswer>,
}

/// A time of a step, and its use.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Bar")]
struct BarAnswer {
    from: String,
    until: String,
    what: &'static str,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The run: r-7, or latest
    #[arg(add = completion::runs())]
    pub(super) run: String,
    /// State after this event, by its number in the log
    #[arg(long, value_name = "SEQ")]
    pub(super) at: Option<u64>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Cells of a bar.
const BAR: usize = 60;

pub(super) async fn timeline(config: &Config, out: Output, args: &ShowArgs) -> Outcome {
    let (seat, run) = named::look_at(config, &args.run).await?;
    let view = named::view(&seat, run).await;
    seat.leave().await;
    let view = view?;
    let timeline = Timeline::of(&view, SystemClock.now());
    if args.json {
        out.json_pretty(&TimelineAnswer::of(&view, &timeline));
        return Ok(ExitCode::SUCCESS);
    }
    let whole = timeline.until.since(timeline.from);
    let summary = &view.summary;
    out.line(&format!(
        "{} {}  {}  {} to {}, {whole}",
        summary.id,
        safe_text(&summary.workflow),
        summary.doing(),
        timeline.from.clock(),
        timeline.until.clock()
    ));
    let rows: Vec<Vec<String>> = timeline.rows.iter().map(|row| bar_row(&view, &timeline, row)).collect();
    out.table(&["STEP", "TOOK", "", "FROM FIRST TO LAST"], &rows);
    let legend: Vec<String> =
        Spell::ALL.iter().map(|spell| format!("{} {}", sign(*spell), spell.word())).collect();
    out.line(&format!("{}   * on the longest way", legend.join("   ")));
    let spent: Vec<String> =
        timeline.spent.iter().map(|(what, span)| format!("{} {span}", what.word())).collect();
    if !spent.is_empty() {
        out.line(&format!("spent: {}", spent.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}

fn bar_row(view: &RunView, timeline: &Timeline, row: &TimelineRow) -> Vec<String> {
    let id = view.plan_step(row.step).map_or_else(String::new, |plan_step| safe_text(&plan_step.id));
    let took = view.step(row.step).and_then(|step| step.elapsed(timeline.until));
    let mut cells = [' '; BAR];
    let at = |when: Timestamp| {
        let whole = timeline.until.since(timeline.from).0.max(1);
        let cell = when.since(timeline.from).0.saturating_mul(BAR as u64) / whole;
        usize::try_from(cell).unwrap_or(BAR).min(BAR)
    };
    for bar in &row.bars {
        // What was too short for a cell has one all the same.
        let (from, until) = (at(bar.from).min(BAR - 1), at(bar.until));
        cells[from..until.max(from + 1)].fill(sign(bar.what));
    }
    let critical = if row.critical { "*" } else { "" };
    let took = took.map_or_else(String::new, |elapsed| elapsed.to_string());
    vec![id, took, critical.to_owned(), cells.iter().collect::<String>().trim_end().to_owned()]
}

/// One cell of a bar; letters say the same on every terminal and in every mail.
const fn sign(spell: Spell) -> char {
    match spell {
        Spell::Work => '=',
        Spell::Gate => 'g',
        Spell::Queue => '.',
        Spell::Retry => 'r',
        Spell::Wait => '-',
        Spell::Doubt => '?',
        Spell::Undo => '<',
    }
}

impl TimelineAnswer {
    fn of(view: &RunView, timeline: &Timeline) -> Self {
        let bar = |bar: &Bar| BarAnswer {
            from: bar.from.to_string(),
            until: bar.until.to_string(),
            what: bar.what.word(),
        };
        let row = |row: &TimelineRow| StepBars {
            id: view.plan_step(row.step).map_or_else(String::new, |plan_step| plan_step.id.clone()),
            critical: row.critical,
            bars: row.bars.iter().map(bar).collect(),
        };
        let spent = timeline.spent.iter().map(|(what, span)| (what.word().to_owned(), span.0.into()));
        Self {
            run: view.id().to_string(),
            from: timeline.from.to_string(),
            until: timeline.until.to_string(),
            steps: timeline.rows.iter().map(row).collect(),
            spent_ms: spent.collect(),
        }
    }
}

pub(super) async fn replay(config: &Config, out: Output, args: &ReplayArgs) -> Outcome {
    let (seat, run) = named::look_at(config, &args.run).await?;
    let told = played(&seat, out, run, args).await;
    seat.leave().await;
    let (board, last, is_after) = told?;
    let Some(last) = last else {
        let why = match args.at {
            Some(at) => {
                format!("{run} had not begun after event {at}; `cuelight run replay {run}` tells its events")
            }
            None => format!("there is no {run}; `cuelight runs` lists the runs"),
        };
        return Err(Trouble::usage(format!("could not replay: {why}")));
    };
    let Some(at) = args.at else { return Ok(ExitCode::SUCCESS) };
    if is_after {
        return Err(Trouble::usage(format!(
            "could not replay {run} to event {at}: its last event is {}; `cuelight run replay {run}` prints its events",
            last.0.0
        )));
    }
    let view =
        board.run(run).ok_or_else(|| Trouble::failed(format!("could not fold the events of {run}")))?;
    if args.json {
        out.json_pretty(&show_json(&board, view));
    } else {
        out.line(&format!("as it was after event {} at {}", last.0, last.1));
        look::print_run(out, view, last.1);
    }
    Ok(ExitCode::SUCCESS)
}

/// The run after the event that was asked for, or after all of them, each told; the last of them with its time; and true if the run
/// has no event so late.
async fn played(
    seat: &Seat,
    out: Output,
    run: RunId,
    args: &ReplayArgs,
) -> Result<(Board, Option<(Seq, Timestamp)>, bool), Trouble> {
    let until = args.at.map_or(Seq(u64::MAX), Seq);
    let (mut board, mut last, mut after) = (Board::default(), None, Seq(0));
    loop {
        let (events, more) = look::events_after(seat, run, after).await?;
        for (seq, event) in events.iter().take_while(|(seq, _)| *seq <= until) {
            board.apply(*seq, event);
            last = Some((*seq, event.at));
            if args.at.is_none() {
                tell(out, *seq, event, board.run(run).map(|run| &**run), args.json);
            }
        }
        match events.last() {
            Some((seq, _)) if more && *seq < until => after = *seq,
            end => {
                let is_after = args.at.is_some() && !more && end.is_none_or(|(seq, _)| *seq < until);
                return Ok((board, last, is_after));
            }
        }
    }
}

/// One event, and what it made of the steps.
fn tell(out: Output, seq: Seq, event: &Event, run: Option<&RunView>, json: bool) {
    if json {
        return out.json(&event_line(seq, event, run));
    }
    let words = event_words(event, run);
    let counts = run.map_or_else(String::new, |run| {
        let present = run.summary.counts.present();
        present.map(|(state, count)| format!("{count} {}", state.word())).collect::<Vec<_>>().join(", ")
    });
    let what = format!("{} {}", safe_text(&words.subject), safe_text(&words.detail));
    out.line(&format!("{:>6}  {}  {:<18} {}  [{counts}]", seq.0, event.at.clock(), words.kind, what.trim()));
}
