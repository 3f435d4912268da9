//! `logs`: the output of the steps of a run.

use super::{completion, look::is_lost, named};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::{Output, say},
    wiring::Seat,
};
use clap::Args;
use cuelight_base::{Arrivals, AttemptId, RunId, StepIx, counted, output_line, safe_text};
use cuelight_console::LineFilter;
use cuelight_projection::RunView;
use cuelight_runtime::{Desk, OutputPart, Page, Signal, Want};
use schemars::JsonSchema;
use serde::Serialize;
use std::{process::ExitCode, sync::Arc};

/// A line of output, as `logs --json` tells it.
#[derive(Serialize, JsonSchema)]
pub(super) struct LogLine {
    run: String,
    step: String,
    attempt: u32,
    /// The byte at which it begins.
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Bytes that were not kept, in place of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// Run to read: r-7; the newest when not given
    #[arg(default_value = "latest", hide_default_value = true, add = completion::runs())]
    pub(super) run: String,
    /// One step only
    pub(super) step: Option<String>,
    /// Print only lines with this text, of the whole output: a word, `~` with a regular expression, `!` for all others
    #[arg(long, value_name = "TEXT", conflicts_with = "raw")]
    pub(super) grep: Option<String>,
    /// Follow the output until the run ends
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Bytes exactly as they were written, also control characters
    #[arg(long)]
    pub(super) raw: bool,
    /// As JSON, one line of output a line
    #[arg(long, conflicts_with = "raw")]
    pub(super) json: bool,
    /// Time of each line in front of it; `-` if it was not kept
    #[arg(short, long, conflicts_with_all = ["raw", "json"])]
    pub(super) timestamps: bool,
}

pub(super) async fn logs(config: &Config, out: Output, args: &LogsArgs) -> Outcome {
    let (seat, run) = named::look_at(config, &args.run).await?;
    let result = print_logs(&seat, out, run, args).await;
    seat.leave().await;
    result.map(|()| ExitCode::SUCCESS)
}

pub(super) async fn print_logs(seat: &Seat, out: Output, run: RunId, args: &LogsArgs) -> Result<(), Trouble> {
    let only = match &args.step {
        Some(id) => Some(named::step(seat, run, id).await?),
        None => None,
    };
    let mut signals = seat.desk.signals(Some(run));
    let mut boards = seat.desk.boards();
    let form = match args {
        LogsArgs { raw: true, .. } => Form::Raw,
        LogsArgs { json: true, .. } => Form::Json,
        LogsArgs { timestamps: true, .. } => Form::Timed,
        _ => Form::Lines,
    };
    let filter = match args.grep.as_deref().map(LineFilter::parse).transpose() {
        Ok(filter) => filter,
        Err(why) => return Err(Trouble::usage(format!("could not read --grep: {why}"))),
    };
    let mut printer = Printer { filter, ..Printer::of_run(seat, out, run) };
    (printer.only, printer.form) = (only, form);
    loop {
        let view = named::view(seat, run).await?;
        printer.print_new(&view).await?;
        if !args.follow || view.summary.state.rests() || is_lost(&boards.borrow().clone()) {
            if printer.filter.is_none()
                && let Some(why) = printer.why_empty(&view)
            {
                say(&why);
            }
            printer.tell_count();
            return Ok(());
        }
        tokio::select! {
            signal = signals.next() => if !matches!(signal.as_deref(), Some(Signal::Output { .. })) {
                // A bell, or no more signals: the board tells what there is to see.
                drop(boards.changed().await);
            },
            changed = boards.changed() => drop(changed),
        }
    }
}

/// Cells of an instant: `2025-06-12T12:04:31.118Z`.
const TIME_WIDTH: usize = 24;

/// The form in which output is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Raw,
    Json,
    Lines,
    /// Lines, each with when it came.
    Timed,
}

/// Prints what has been written since it last looked, attempt by attempt.
pub(super) struct Printer<'a> {
    seat: &'a Seat,
    out: Output,
    run: RunId,
    only: Option<StepIx>,
    form: Form,
    done: Vec<(AttemptId, u64)>,
    /// Only lines that it shows are printed.
    filter: Option<LineFilter>,
    /// Lines that were printed, and lines that were read.
    counted: (usize, usize),
}

impl<'a> Printer<'a> {
    /// A printer of lines, each with the name of its step.
    pub(super) fn of_run(seat: &'a Seat, out: Output, run: RunId) -> Self {
        let (form, done, filter) = (Form::Lines, Vec::new(), None);
        Self { seat, out, run, only: None, form, done, filter, counted: (0, 0) }
    }

    /// Says how many lines the filter has shown, of how many.
    fn tell_count(&self) {
        if self.filter.is_some() {
            let (shown, all) = self.counted;
            say(&format!("{shown} of {}", counted(all, "line", "lines")));
        }
    }

    /// Counts a line, and returns true if it is to be printed.
    fn shows(&mut self, line: &[u8]) -> bool {
        let is_shown = self.filter.as_ref().is_none_or(|filter| filter.shows(line));
        self.counted = (self.counted.0 + usize::from(is_shown), self.counted.1 + 1);
        is_shown
    }

    /// Why no line was printed; none where one was.
    fn why_empty(&self, view: &RunView) -> Option<String> {
        if self.done.iter().any(|pair| pair.1 > 0) {
            return None;
        }
        let Some(step) = self.only else {
            return Some(format!("no step of {} has written output", self.run));
        };
        let is_called = view.step(step).is_some_and(|view| view.calls > 0);
        let why =
            if is_called { "has written no output" } else { "has not been called, so it has no output" };
        Some(format!("{} of {} {why}", view.step_id(step), self.run))
    }

    async fn print_new(&mut self, view: &Arc<RunView>) -> Result<(), Trouble> {
        for (index, plan, step) in view.steps() {
            if self.only.is_some_and(|step| step != index) {
                continue;
            }
            for attempt in step.attempts() {
                let id = AttemptId { run: self.run, step: index, number: attempt.number };
                self.print_attempt(id, &plan.id, attempt.ended_at.is_some()).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn print_attempt(
        &mut self,
        attempt: AttemptId,
        step: &str,
        ended: bool,
    ) -> Result<(), Trouble> {
        let known = self.done.iter().position(|pair| pair.0 == attempt);
        let mut from = known.map_or(0, |at| self.done[at].1);
        loop {
            let want = Want::Output { attempt, part: OutputPart::From(from) };
            let page = self.seat.desk.read(want).await;
            let Page::Bytes { from: at, mut bytes, total, times } = page else { break };
            let is_last = at + bytes.len() as u64 >= total;
            if self.form != Form::Raw && !(ended && is_last) {
                // A line that is still being written, or goes on in the next page, waits for its end.
                let whole = bytes.iter().rposition(|byte| *byte == b'\n').map(|index| index + 1);
                bytes.truncate(whole.unwrap_or(if is_last { 0 } else { bytes.len() }));
            }
            if bytes.is_empty() {
                break;
            }
            if at > from && from > 0 {
                self.print_gap(at - from, (attempt, step), from);
            }
            match self.form {
                Form::Raw => self.out.raw(&bytes),
                Form::Json => self.print_json((at, &bytes), &times, (attempt, step)),
                Form::Lines | Form::Timed => self.print_lines((at, &bytes), &times, step),
            }
            from = at + bytes.len() as u64;
            if from >= total {
                break;
            }
        }
        match known {
            Some(at) => self.done[at].1 = from,
            None => self.done.push((attempt, from)),
        }
        Ok(())
    }

    fn print_gap(&self, missing: u64, call: (AttemptId, &str), at: u64) {
        match self.form {
            Form::Json => self.out.json(&LogLine { missing: Some(missing), ..LogLine::of(call, at) }),
            Form::Raw | Form::Lines | Form::Timed => {
                self.out.line(&format!("… {missing} bytes were not kept …"))
            }
        }
    }

    /// As it was written; bytes that are no UTF-8 have the sign for that.
    fn print_json(&mut self, (mut at, bytes): (u64, &[u8]), times: &Arrivals, call: (AttemptId, &str)) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if self.shows(text) {
                self.out.json(&LogLine {
                    text: Some(String::from_utf8_lossy(text).into_owned()),
                    time: times.at(at).map(|came| came.to_string()),
                    ..LogLine::of(call, at)
                });
            }
            at += line.len() as u64;
        }
    }

    /// Line by line through the one way that shows foreign text; a name before each when there are several steps.
    fn print_lines(&mut self, (mut at, bytes): (u64, &[u8]), times: &Arrivals, step: &str) {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        for line in bytes.split(|c| *c == b'\n') {
            let begin = at;
            at += line.len() as u64 + 1;
            if !self.shows(line) {
                continue;
            }
            let shown = output_line(line);
            let came = match self.form {
                Form::Timed => {
                    let came = times.at(begin).map_or_else(|| "-".to_owned(), |moment| moment.to_string());
                    format!("{came:<TIME_WIDTH$} ")
                }
                Form::Raw | Form::Json | Form::Lines => String::new(),
            };
            match self.only {
                Some(_) => self.out.line(&format!("{came}{shown}")),
                None => self.out.line(&format!("{came}{} │ {shown}", safe_text(step))),
            }
        }
    }
}

impl LogLine {
    fn of((attempt, step): (AttemptId, &str), at: u64) -> Self {
        Self {
            run: attempt.run.to_string(),
            step: step.to_owned(),
            attempt: attempt.number,
            at,
            text: None,
            missing: None,
            time: None,
        }
    }
}
