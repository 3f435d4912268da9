//! Commands that only look: at the engine that runs, or at what was recorded. They change nothing.

use super::{ask_text, named};
use crate::{
    app::{
        args::{EventsArgs, GatesArgs, ListArgs, LogsArgs, ShowArgs, WaitArgs},
        config::Config,
        exit::{self, NOT_RECORDED, Outcome, Trouble},
        output::Output,
        wiring::{self, Seat},
    },
    base::{
        Arrivals, AttemptId, Epoch, RunId, Seq, Span, StepIx, Timestamp, Untrusted, Value, counted, safe_text,
    },
    engine::{Event, GateState},
    plan::Currency,
    projection::{
        Attention, GateView, RunView, choice_words, event_line, event_words, gate_json, gates_json,
        lineage_words, next_command, otlp_json, runs_json, settle_command, show_json, spans_of,
    },
    runtime::{Clock, Desk, OutputPart, Page, Seen, Signal, SystemClock, Trouble as DeskTrouble, Want},
};
use std::{process::ExitCode, sync::Arc};

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
            let counts = &run.counts;
            vec![
                run.id.to_string(),
                safe_text(&run.workflow),
                super::state_word(run),
                format!("{}/{}", counts.rested(), counts.total()),
                run.age(now).to_string(),
                safe_text(&run.by.name),
            ]
        })
        .collect();
    if rows.is_empty() {
        out.line(match seen.board.cleared_at() {
            None => "no runs yet; `cuelight run FILE` starts one",
            Some(_) => "no runs since the last reset; `cuelight history --all` tells of those before",
        });
    } else {
        out.table(&["RUN", "WORKFLOW", "STATE", "STEPS", "AGE", "BY"], &rows);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn show(config: &Config, out: Output, args: &ShowArgs) -> Outcome {
    let run = named::run(&args.run)?;
    let seat = wiring::look(config).await?;
    let view = named::view(&seat, run).await;
    let seen = seat.desk.boards().borrow().clone();
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
        out.json_pretty(&show_json(&seen.board, &view));
        return Ok(ExitCode::SUCCESS);
    }
    print_run(out, &view, SystemClock.now());
    Ok(ExitCode::SUCCESS)
}

/// A run and its steps as a table.
pub(super) fn print_run(out: Output, view: &RunView, now: Timestamp) {
    let it = &view.summary;
    out.line(&format!(
        "{} {}  {}  stage {}  by {}  {}",
        it.id,
        safe_text(&it.workflow),
        super::state_word(it),
        it.stage(),
        safe_text(&it.by.name),
        it.age(now)
    ));
    for line in lineage_words(it) {
        out.line(&safe_text(&line));
    }
    if let Some(partial) = &view.partial {
        let mode = partial.failure_mode.map_or_else(String::new, |it| format!(" ({it})"));
        let point =
            partial.failure_point.as_deref().map_or_else(String::new, |it| format!(" at {}", safe_text(it)));
        out.line(&format!(
            "{} of {} completed ({}), {} failed{point}{mode}",
            partial.completed,
            counted(partial.completed + partial.failed + partial.remaining, "step", "steps"),
            format_args!("{} %", partial.completion_ratio.percent()),
            partial.failed,
        ));
        if let Some(next) = next_command(view, partial) {
            out.line(&format!("suggested: {}", safe_text(&next)));
        }
    }
    for budget in it.budgets() {
        out.line(&format!("budget: {}", budget.words()));
    }
    let unlimited = |it: &Currency| view.summary.ceilings.of(*it).is_none();
    let told = Currency::ALL.into_iter().filter(unlimited).map(|it| (it, view.summary.spent.of(it)));
    let told: Vec<String> = told
        .filter(|(it, amount)| *it != Currency::Calls && *amount > 0)
        .map(|(it, amount)| it.amount(amount))
        .collect();
    if !told.is_empty() {
        out.line(&format!("used: {}", told.join(", ")));
    }
    let rows: Vec<Vec<String>> = view.steps().map(|(index, _, _)| step_row(view, index, now)).collect();
    out.table(&["STEP", "STATE", "TRIES", "TOOK", "WHY"], &rows);
}

pub(super) fn step_row(view: &RunView, index: StepIx, now: Timestamp) -> Vec<String> {
    let (Some(plan), Some(step)) = (view.plan_step(index), view.step(index)) else {
        return vec![String::new(); 5];
    };
    let why = match (step.error(), step.why(), step.wait()) {
        (Some(error), _, _) => safe_text(&error.message),
        (None, Some(why), _) => super::why_words(view, why),
        (None, None, Some(wait)) => super::wait_words(wait, now),
        (None, None, None) => {
            let chosen = || step.choice().map(choice_words);
            step.origin_words().or_else(chosen).map_or_else(String::new, |it| safe_text(&it))
        }
    };
    let took = step.elapsed(now).map_or_else(String::new, |it| it.to_string());
    let tries = if step.calls == 0 { String::new() } else { step.calls.to_string() };
    vec![safe_text(&plan.id), step.state.word().to_owned(), tries, took, why]
}

pub(super) async fn gates(config: &Config, out: Output, args: &GatesArgs) -> Outcome {
    let seat = wiring::look(config).await?;
    let seen = seat.desk.boards().borrow().clone();
    let actor = seat.actor.clone();
    if let Some(gate) = &args.show {
        let view = match named::gate(gate) {
            Ok(gate) => named::gate_view(&seat, gate).await,
            Err(trouble) => Err(trouble),
        };
        seat.leave().await;
        let view = then(view?, args.epoch.map(Epoch))?;
        let run = seen.board.run(view.run).map(|it| &**it);
        if args.json {
            out.json_pretty(&gate_json(&view));
        } else {
            out.raw(ask_text::text(&view, run).as_bytes());
        }
        return Ok(ExitCode::SUCCESS);
    }
    seat.leave().await;
    if args.json {
        out.json_pretty(&gates_json(&seen.board, false));
        return Ok(ExitCode::SUCCESS);
    }
    let now = SystemClock.now();
    let rows: Vec<Vec<String>> = seen
        .board
        .inbox(Some((&actor, now)))
        .iter()
        .map(|row| super::inbox_row(row, &seen.board, now))
        .collect();
    if rows.is_empty() {
        out.line("nothing waits for a person");
    } else {
        out.table(&["WHAT", "RUN", "STEP", "RISK", "VOTES", "WAITS", "THEN"], &rows);
        seen.board.doubts().for_each(|it| out.raw(super::doubt_words(&it).as_bytes()));
        for row in seen.board.inbox(None).iter().filter(|it| it.what == Attention::StuckUndo) {
            let step = safe_text(&row.step_id);
            out.line(&format!(
                "\n{} {step} could not be undone. Next: {}",
                row.run,
                settle_command(row.run, &step)
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A gate as it was when it was approved in an emergency, in this epoch; as it is now where none is named.
fn then(gate: Arc<GateView>, epoch: Option<Epoch>) -> Result<Arc<GateView>, Trouble> {
    let Some(epoch) = epoch else { return Ok(gate) };
    let found = gate.emergencies().find(|it| it.epoch() == epoch).cloned();
    found.ok_or_else(|| {
        Trouble::usage(format!(
            "could not show what {id} asked in epoch {epoch}: it has no emergency approval; \
             `cuelight audit` tells every ask",
            id = gate.id
        ))
    })
}

pub(super) async fn events(config: &Config, out: Output, args: &EventsArgs) -> Outcome {
    let run = named::run(&args.run)?;
    let seat = wiring::look(config).await?;
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
        event.fact.run().map_or_else(String::new, |it| it.to_string()),
        words.kind,
        safe_text(&words.subject),
        safe_text(&words.detail)
    );
    out.line(line.trim_end());
}

pub(super) async fn wait(config: &Config, out: Output, args: &WaitArgs) -> Outcome {
    let gate = named::gate(&args.gate)?;
    let timeout: Option<Span> =
        args.timeout.as_deref().map(str::parse).transpose().map_err(|it: crate::base::ParseSpanError| {
            Trouble::usage(format!("could not read --timeout: {it}"))
        })?;
    let seat = wiring::look(config).await?;
    let before = match named::gate_view(&seat, gate).await {
        Ok(view) => closed(&seat.desk.boards().borrow(), &view),
        Err(trouble) => {
            seat.leave().await;
            return Err(trouble);
        }
    };
    let mut boards = seat.desk.boards();
    let verdict = async {
        let now = |seen: &Seen| seen.board.gate(gate).and_then(|it| closed(seen, it));
        let seen = boards.wait_for(|seen| now(seen).is_some() || is_lost(seen)).await;
        seen.ok().and_then(|seen| now(&seen))
    };
    let state = match timeout {
        _ if before.is_some() => before,
        None => verdict.await,
        Some(limit) => match tokio::time::timeout(limit.to_std(), verdict).await {
            Ok(state) => state,
            Err(_) => Some((GateState::Expired, GateState::Expired.word().to_owned())),
        },
    };
    seat.leave().await;
    match state {
        Some((state, words)) => {
            out.line(&format!("{gate} {words}"));
            Ok(exit::of_gate(state))
        }
        None => Err(Trouble {
            code: NOT_RECORDED,
            message: format!(
                "could not learn the verdict of {gate}: the engine cannot be reached; start it and wait again"
            ),
        }),
    }
}

/// The state of a gate that has closed, and its words. A gate that was sent back asks again as another gate.
fn closed(seen: &Seen, gate: &GateView) -> Option<(GateState, String)> {
    let state = Some(gate.state).filter(|it| it.rests())?;
    let is_next = |it: &&Arc<GateView>| it.id > gate.id && (it.run, it.step) == (gate.run, gate.step);
    let words = match seen.board.gates().find(is_next) {
        _ if !gate.is_sent_back() => gate.state_word().to_owned(),
        Some(next) => format!("{}; asks again as {}", gate.state_word(), next.id),
        None => format!("{}; a new gate asks after its steps have run again", gate.state_word()),
    };
    Some((state, words))
}

fn is_lost(seen: &Seen) -> bool {
    matches!(
        seen.trouble,
        Some(
            DeskTrouble::Lost(_) | DeskTrouble::Stopped(_) | DeskTrouble::TakenOver(_) | DeskTrouble::Unowned
        )
    )
}

pub(super) async fn logs(config: &Config, out: Output, args: &LogsArgs) -> Outcome {
    let run = named::run(&args.run)?;
    let seat = wiring::look(config).await?;
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
    let mut printer = Printer { seat, out, run, only, form, done: Vec::new() };
    loop {
        let view = named::view(seat, run).await?;
        printer.print_new(&view).await?;
        if !args.follow || view.summary.state.rests() || is_lost(&boards.borrow().clone()) {
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

/// How output is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Raw,
    Json,
    Lines,
    /// Lines, each with when it came.
    Timed,
}

/// Prints what has been written since it last looked, attempt by attempt.
struct Printer<'a> {
    seat: &'a Seat,
    out: Output,
    run: RunId,
    only: Option<StepIx>,
    form: Form,
    done: Vec<(AttemptId, u64)>,
}

impl Printer<'_> {
    async fn print_new(&mut self, view: &Arc<RunView>) -> Result<(), Trouble> {
        for (index, plan, step) in view.steps() {
            if self.only.is_some_and(|it| it != index) {
                continue;
            }
            for attempt in step.attempts() {
                let id = AttemptId { run: self.run, step: index, number: attempt.number };
                self.print_attempt(id, &plan.id, attempt.ended_at.is_some()).await?;
            }
        }
        Ok(())
    }

    async fn print_attempt(&mut self, attempt: AttemptId, step: &str, ended: bool) -> Result<(), Trouble> {
        let known = self.done.iter().position(|it| it.0 == attempt);
        let mut from = known.map_or(0, |at| self.done[at].1);
        loop {
            let want = Want::Output { attempt, part: OutputPart::From(from) };
            let page = self.seat.desk.read(want).await;
            let Page::Bytes { from: at, mut bytes, total, times } = page else { break };
            if !ended && self.form != Form::Raw && at + bytes.len() as u64 >= total {
                // A line that is still being written waits for its end.
                let whole = bytes.iter().rposition(|it| *it == b'\n').map_or(0, |it| it + 1);
                bytes.truncate(whole);
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
            Form::Json => self.out.json(&json_line(call, at, ("missing", missing.into()))),
            Form::Raw | Form::Lines | Form::Timed => {
                self.out.line(&format!("… {missing} bytes were not kept …"))
            }
        }
    }

    /// As it was written; bytes that are no UTF-8 have the sign for that.
    fn print_json(&self, (mut at, bytes): (u64, &[u8]), times: &Arrivals, call: (AttemptId, &str)) {
        for line in bytes.split_inclusive(|it| *it == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let text = String::from_utf8_lossy(text.strip_suffix(b"\r").unwrap_or(text));
            let mut said = json_line(call, at, ("text", text.as_ref().into()));
            if let Some(came) = times.at(at) {
                said["time"] = came.to_string().into();
            }
            self.out.json(&said);
            at += line.len() as u64;
        }
    }

    /// Line by line through the one way that shows foreign text; a name before each when there are several steps.
    fn print_lines(&self, (mut at, bytes): (u64, &[u8]), times: &Arrivals, step: &str) {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        for line in bytes.split(|it| *it == b'\n') {
            let shown = Untrusted::from_bytes(line.strip_suffix(b"\r").unwrap_or(line)).shown();
            let came = match self.form {
                Form::Timed => {
                    let came = times.at(at).map_or_else(|| "-".to_owned(), |it| it.to_string());
                    format!("{came:<TIME_WIDTH$} ")
                }
                Form::Raw | Form::Json | Form::Lines => String::new(),
            };
            match self.only {
                Some(_) => self.out.line(&format!("{came}{shown}")),
                None => self.out.line(&format!("{came}{} │ {shown}", safe_text(step))),
            }
            at += line.len() as u64 + 1;
        }
    }
}

fn json_line((attempt, step): (AttemptId, &str), at: u64, (what, value): (&str, Value)) -> Value {
    let mut line = serde_json::json!({
        "run": attempt.run.to_string(),
        "step": step,
        "attempt": attempt.number,
        "at": at,
    });
    line[what] = value;
    line
}
