//! A run without a screen, told line by line: to people at a terminal, to logs elsewhere, and to programs.

use super::{logs::Printer, look, named};
use crate::{config::Config, exit::Trouble, output::Output, wiring::Seat};
use cuelight_base::{AttemptId, RunId, Seq, StepIx, Timestamp, counted, output_line, safe_text};
use cuelight_engine::{AttemptEvent, Event, Fact, GateEvent, RunState, StepEvent, StepState, WaitReason};
use cuelight_projection::{RunView, event_words, next_commands};
use cuelight_runtime::{Clock as _, Desk as _, Entropy, OutputPart, Page, Seen, SystemClock, Want};
use std::{collections::BTreeSet, io};
use unicode_width::UnicodeWidthChar as _;

/// Lines of a failed step's output below the summary.
const LAST_LINES: u32 = 10;
/// Columns and rows of a terminal that does not tell its size.
const SIZE: (u16, u16) = (80, 24);

/// The readers of a run's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// People at a terminal: a line for each step, changed in place.
    People,
    /// A log: a line for each event that matters, and the output of steps.
    Log(Host),
    /// Programs: one event a line, as JSON.
    Json,
    /// Nobody: nothing is printed.
    Nothing,
}

/// The service that keeps the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Plain,
    GitHub,
    GitLab,
}

impl Telling {
    /// The readers of this process, by its terminal and its environment.
    pub(super) fn of(config: &Config, out: Output, json: bool) -> Self {
        let is_on = |name: &str| config.variable(name) == Some("true");
        let moves = config.variable("TERM").is_some_and(|term| term != "dumb");
        match () {
            () if json => Self::Json,
            () if is_on("GITHUB_ACTIONS") => Self::Log(Host::GitHub),
            () if is_on("GITLAB_CI") => Self::Log(Host::GitLab),
            // A screen reader would read a line that changes in place again and again.
            () if out.is_terminal() && moves && config.variable("CUELIGHT_READER").is_none() => Self::People,
            () => Self::Log(Host::Plain),
        }
    }
}

/// Tells one run, from its first event on.
pub(super) struct Teller<'a> {
    seat: &'a Seat,
    out: Output,
    run: RunId,
    telling: Telling,
    after: Seq,
    printer: Printer<'a>,
    /// Steps with a line that stays, and the state it names.
    rested: BTreeSet<(StepIx, &'static str)>,
    /// Lines at the bottom of the terminal that are drawn over the next time.
    live: usize,
}

impl<'a> Teller<'a> {
    pub(super) fn new(seat: &'a Seat, out: Output, run: RunId, telling: Telling) -> Self {
        let (printer, rested) = (Printer::of_run(seat, out, run), BTreeSet::new());
        Self { seat, out, run, telling, after: Seq(0), printer, rested, live: 0 }
    }

    /// Prints the id of the run, which is the first line for every reader.
    pub(super) fn begin(&self) {
        match self.telling {
            Telling::People | Telling::Log(_) => self.out.line(&self.run.to_string()),
            Telling::Json => self.out.json(&first_line(self.run, SystemClock.now())),
            Telling::Nothing => {}
        }
    }

    /// True when lines change while no event happens: output of steps, and the time that they take.
    pub(super) fn watches_output(&self) -> bool {
        matches!(self.telling, Telling::People | Telling::Log(Host::Plain))
    }

    /// Tells the events after those already told. False where the line to the engine broke meanwhile.
    pub(super) async fn tell(&mut self) -> Result<bool, Trouble> {
        if self.telling == Telling::Nothing {
            return Ok(true);
        }
        let mut boards = self.seat.desk.boards();
        loop {
            let page = tokio::select! {
                biased;
                _ = boards.wait_for(Seen::is_lost) => return Ok(false),
                page = look::events_after(self.seat, self.run, self.after) => page,
            };
            let (events, more) = page?;
            // What is written can be read a moment before the board shows it, and lines are made from both.
            let last = events.last().map_or(self.after, |pair| pair.0);
            let shown = boards.wait_for(|seen| seen.board.seq >= last || seen.trouble.is_some()).await;
            let view = shown.ok().and_then(|seen| seen.board.run(self.run).cloned());
            for (seq, event) in &events {
                match self.telling {
                    Telling::Json => look::print_event(self.out, *seq, event, view.as_deref(), true),
                    Telling::Log(host) => self.log(host, event, view.as_deref()).await?,
                    Telling::People => {
                        self.asks_again(event, view.as_deref());
                        self.settle(event, view.as_deref());
                    }
                    Telling::Nothing => {}
                }
                self.after = *seq;
            }
            if !more {
                break;
            }
        }
        self.output().await?;
        self.draw();
        Ok(true)
    }

    /// Prints new output of the steps that run, for a log that is read as it grows.
    async fn output(&mut self) -> Result<(), Trouble> {
        if self.telling != Telling::Log(Host::Plain) {
            return Ok(());
        }
        let view = self.seat.desk.boards().borrow().board.run(self.run).cloned();
        let Some(view) = view else { return Ok(()) };
        for (index, plan, step) in view.steps() {
            for attempt in step.attempts().iter().filter(|attempt| attempt.ended_at.is_none()) {
                let id = AttemptId { run: self.run, step: index, number: attempt.number };
                self.printer.print_attempt(id, &plan.id, false).await?;
            }
        }
        Ok(())
    }

    async fn log(&mut self, host: Host, event: &Event, view: Option<&RunView>) -> Result<(), Trouble> {
        if let Fact::Attempt(run, step, number, AttemptEvent::Ended { .. } | AttemptEvent::Lost { .. }) =
            &event.fact
        {
            // Everything that it wrote stands above the line that tells its end.
            let attempt = AttemptId { run: *run, step: *step, number: *number };
            self.output_of(host, attempt, &name_of(view, *step), event.at).await?;
        }
        if !matters(&event.fact) {
            return Ok(());
        }
        let words = event_words(event, view);
        let (subject, detail) = (safe_text(&words.subject), safe_text(&words.detail));
        let line = format!("{} {} {subject} {detail}", event.at.clock(), words.kind);
        self.out.line(line.trim_end());
        match &event.fact {
            Fact::Gate(_, _, gate, GateEvent::Asked { ask, .. }) => {
                let answer = answer_words(&gate.to_string());
                self.out.line(&format!("  {answer}"));
                if host == Host::GitHub {
                    let text = format!("{}\n{answer}", safe_text(&ask.prompt));
                    self.out.line(&annotation("notice", &format!("Gate {gate} waits"), &text));
                }
            }
            Fact::Step(_, step, StepEvent::Failed { record }) if host == Host::GitHub => {
                let title = format!("Step {} failed", name_of(view, *step));
                self.out.line(&annotation("error", &title, &safe_text(&record.message)));
            }
            _ => {}
        }
        Ok(())
    }

    /// Prints the rest of a call's output; in a service with groups, all of it in one.
    async fn output_of(
        &mut self,
        host: Host,
        attempt: AttemptId,
        step: &str,
        at: Timestamp,
    ) -> Result<(), Trouble> {
        if host == Host::Plain {
            return self.printer.print_attempt(attempt, step, true).await;
        }
        let want = Want::Output { attempt, part: OutputPart::LastLines(1) };
        let Page::Bytes { total: 1.., .. } = self.seat.desk.read(want).await else { return Ok(()) };
        let title = format!("{}, attempt {}", safe_text(step), attempt.number);
        // A step's output must not be read as commands: GitHub stops looking for them until this word comes back.
        let word = Entropy.request_id().0;
        let section = section_name(step, attempt.number);
        let seconds = at.0 / 1000;
        match host {
            Host::GitHub => {
                self.out.line(&format!("::group::{}", escaped(&title, false)));
                self.out.line(&format!("::stop-commands::{word}"));
            }
            Host::GitLab => {
                let start = format!("section_start:{seconds}:{section}[collapsed=true]");
                self.out.line(&format!("\u{1b}[0K{start}\r\u{1b}[0K{title}"));
            }
            Host::Plain => {}
        }
        let printed = self.printer.print_attempt(attempt, step, true).await;
        match host {
            Host::GitHub => {
                self.out.line(&format!("::{word}::"));
                self.out.line("::endgroup::");
            }
            Host::GitLab => self.out.line(&format!("\u{1b}[0Ksection_end:{seconds}:{section}\r\u{1b}[0K")),
            Host::Plain => {}
        }
        printed
    }

    /// Prints a line that stays when a gate asks again, and why: an answer that was given counts no more.
    fn asks_again(&mut self, event: &Event, view: Option<&RunView>) {
        let Fact::Gate(_, step, gate, GateEvent::Asked { why: Some(why), .. }) = &event.fact else { return };
        let (step, words) = (*step, format!("{gate} asks again: {why}"));
        // It ends once more, and that is told once more.
        self.rested.retain(|(told, _)| *told != step);
        self.clear();
        self.out.line(&format!("{:<9}  {}  {}", "again", safe_text(&name_of(view, step)), safe_text(&words)));
    }

    /// Prints a line that stays for a step that has ended.
    fn settle(&mut self, event: &Event, view: Option<&RunView>) {
        let (Fact::Step(_, index, _) | Fact::Undo(_, index, _)) = &event.fact else { return };
        let index = *index;
        let Some((view, step)) = view.and_then(|view| Some((view, view.step(index)?))) else { return };
        let is_told = || self.rested.contains(&(index, step.state.word()));
        if !step.state.rests() || step.inside.is_some() || is_told() {
            return;
        }
        self.rested.insert((index, step.state.word()));
        self.clear();
        let line = step_words(view, index, event.at);
        self.out.line(&line);
    }

    /// Draws the steps that are at work or wait, over the lines that were drawn before.
    pub(super) fn draw(&mut self) {
        if self.telling != Telling::People {
            return;
        }
        let board = self.seat.desk.boards().borrow().board.clone();
        let Some(view) = board.run(self.run).filter(|view| !view.summary.state.rests()) else {
            return self.clear();
        };
        let now = SystemClock.now();
        let is_open = |state: StepState| !state.rests() && state != StepState::Pending;
        let mut lines: Vec<String> = view
            .steps()
            .filter(|(_, _, step)| is_open(step.state) && step.inside.is_none())
            .map(|(index, _, _)| step_words(view, index, now))
            .collect();
        let waiting = board.open_gates_of(self.run).map(|gate| answer_words(&gate.id.to_string()));
        lines.extend(waiting.map(|answer| format!("  {answer}")));
        let (columns, rows) = size();
        let most = usize::from(rows).saturating_sub(2).max(1);
        if lines.len() > most {
            let more = lines.len() + 1 - most;
            lines.truncate(most - 1);
            lines.push(format!("  and {more} more"));
        }
        self.clear();
        for line in &lines {
            self.out.line(&cut(line, usize::from(columns).saturating_sub(1)));
        }
        self.live = lines.len();
    }

    /// Takes the lines away that are drawn over, so that others can stand there.
    pub(super) fn clear(&mut self) {
        if self.live > 0 {
            self.out.raw(format!("\u{1b}[{}A\u{1b}[J", self.live).as_bytes());
            self.live = 0;
        }
    }

    /// Prints the summary of a run that has ended: its end, its duration, why it failed, the next command.
    pub(super) async fn end(&mut self) -> Result<(), Trouble> {
        self.clear();
        if matches!(self.telling, Telling::Json | Telling::Nothing) {
            return Ok(());
        }
        let view = named::view(self.seat, self.run).await?;
        let run = &view.summary;
        let took = run.took(run.changed_at).map_or_else(String::new, |took| format!(" in {took}"));
        let done = run.counts.of(StepState::Completed);
        let (name, state) = (safe_text(&run.workflow), run.state);
        let steps = counted(run.counts.total(), "step", "steps");
        self.out.line(&format!("{} {name} {state}{took}: {done} of {steps} completed", self.run));
        for (index, plan, step) in view.steps() {
            if let Some(words) = step.rejection() {
                self.out.line(&format!("{} rejected: {}", safe_text(&plan.id), safe_text(words)));
            }
            let Some(error) = step.error().filter(|_| step.state == StepState::Failed) else { continue };
            if step.inside.is_some() {
                continue;
            }
            self.out.line(&format!("{} failed: {}", safe_text(&plan.id), safe_text(&error.message)));
            if self.telling == Telling::People
                && let Some(attempt) = step.attempts().last()
            {
                self.last_lines(AttemptId { run: self.run, step: index, number: attempt.number }).await;
            }
        }
        let next = match &view.partial {
            Some(partial) if run.state != RunState::Completed => next_commands(&view, partial),
            _ => vec![format!("cuelight show {}", self.run)],
        };
        next.iter().for_each(|next| self.out.line(&format!("next: {}", safe_text(next))));
        Ok(())
    }

    /// Prints the last lines that a call wrote.
    async fn last_lines(&self, attempt: AttemptId) {
        let want = Want::Output { attempt, part: OutputPart::LastLines(LAST_LINES) };
        let Page::Bytes { bytes, .. } = self.seat.desk.read(want).await else { return };
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        if bytes.is_empty() {
            return;
        }
        for line in bytes.split(|byte| *byte == b'\n') {
            self.out.line(&format!("  │ {}", output_line(line)));
        }
    }
}

/// The first line of JSON, in the shape of the events after it: the run that they are about.
pub(super) fn first_line(run: RunId, at: Timestamp) -> cuelight_base::Value {
    serde_json::json!({
        "seq": 0, "time": at.to_string(), "run": run.to_string(), "type": "run.followed", "data": {},
    })
}

/// The commands that answer at a gate.
fn answer_words(gate: &str) -> String {
    format!(
        "answer: cuelight approve {gate}, or cuelight reject {gate} --reason TEXT; read it: cuelight gates --show {gate}"
    )
}

/// True for events that a log tells; the others are steps on the way to one of these.
fn matters(fact: &Fact) -> bool {
    match fact {
        Fact::Run(..) | Fact::Gate(..) | Fact::Undo(..) => true,
        Fact::Attempt(_, _, _, event) => match event {
            AttemptEvent::Started { .. } | AttemptEvent::Lost { .. } | AttemptEvent::Adopted { .. } => true,
            // A call that went well ends its step, which is told.
            AttemptEvent::Ended { outcome, .. } => outcome.failure.is_some(),
        },
        // A wait for a person is told by the gate.
        Fact::Step(_, _, event) => !matches!(
            event,
            StepEvent::Ready
                | StepEvent::Waiting { reason: WaitReason::Person(_) | WaitReason::Facts }
                | StepEvent::FactsAsked { .. }
                | StepEvent::FactsKnown { .. }
                | StepEvent::Opened { .. }
                | StepEvent::Grown { .. }
        ),
        Fact::Scope(..)
        | Fact::Failure(..)
        | Fact::Schedule(..)
        | Fact::Target(..)
        | Fact::Cache(..)
        | Fact::Bus(..)
        | Fact::Token(..)
        | Fact::Library(..)
        | Fact::People(..)
        | Fact::Agent(..)
        | Fact::Recovered { .. } => false,
    }
}

fn name_of(view: Option<&RunView>, step: StepIx) -> String {
    let known = view.and_then(|view| view.plan_step(step)).map(|plan| plan.id.clone());
    known.unwrap_or_else(|| format!("step {}", step.0))
}

/// A step in one line: its state, its name, its time, and why it is so.
fn step_words(view: &RunView, index: StepIx, now: Timestamp) -> String {
    let row = look::step_row(view, index, now);
    let [name, state, _, took, why] = row.as_slice() else { return String::new() };
    format!("{state:<9}  {name}  {took}  {why}").trim_end().to_owned()
}

/// A workflow command of GitHub: `::error title=TITLE::TEXT`.
fn annotation(kind: &str, title: &str, text: &str) -> String {
    format!("::{kind} title={}::{}", escaped(title, true), escaped(text, false))
}

/// A text in a workflow command of GitHub; a property ends at a colon or a comma.
fn escaped(text: &str, is_property: bool) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    if is_property { text.replace(':', "%3A").replace(',', "%2C") } else { text }
}

/// The name of a section of GitLab: letters, digits and three signs.
fn section_name(step: &str, attempt: u32) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' };
    format!("{}_{attempt}", step.chars().map(fits).collect::<String>())
}

/// The part of a line that fits into so many columns.
fn cut(line: &str, columns: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= columns
    };
    line.chars().take_while(fits).collect()
}

/// Columns and rows of the terminal.
fn size() -> (u16, u16) {
    let told = rustix::termios::tcgetwinsize(io::stdout()).ok();
    told.map(|size| (size.ws_col, size.ws_row))
        .filter(|(columns, rows)| *columns > 0 && *rows > 0)
        .unwrap_or(SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_command_of_github_is_escaped_as_its_documents_say() {
        assert_eq!(
            annotation("error", "Step a:b, c failed", "50 % lost\r\n::set-env name=X::y"),
            "::error title=Step a%3Ab%2C c failed::50 %25 lost%0D%0A::set-env name=X::y"
        );
        assert_eq!(section_name("build (1, 2)", 2), "build__1__2__2");
    }

    #[test]
    fn a_line_is_cut_by_the_columns_that_it_takes() {
        assert_eq!(cut("漢字ab", 3), "漢");
        assert_eq!(cut("abc", 3), "abc");
    }
}
