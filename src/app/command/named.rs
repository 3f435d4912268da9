//! Names as people type them: runs, gates, steps, files.

use crate::{
    config::Config,
    exit::Trouble,
    wiring::{self, Seat},
};
use cuelight_base::{GateId, RunId, Seq, StepIx, safe_text};
use cuelight_engine::{Event, Fact, Refusal};
use cuelight_projection::{Board, GateView, RunView};
use cuelight_runtime::{Desk, Page, Want};
use std::{fs, path::Path, sync::Arc};

/// Events asked for at once.
const EVENTS_PAGE: u32 = 1024;

/// The word for the newest run, and for the only gate that is open.
pub(super) const LATEST: &str = "latest";

/// A run as people name it: by its id, or as the newest one.
#[derive(Clone, Copy, Debug)]
pub(super) enum RunName {
    Latest,
    Id(RunId),
}

impl RunName {
    pub(super) fn read(text: &str) -> Result<Self, Trouble> {
        if text == LATEST { Ok(Self::Latest) } else { run(text).map(Self::Id) }
    }

    pub(super) fn at(self, seat: &Seat) -> Result<RunId, Trouble> {
        match self {
            Self::Id(run) => Ok(run),
            Self::Latest => newest(&seat.desk.boards().borrow().board),
        }
    }
}

/// The run that was started last.
pub(super) fn newest(board: &Board) -> Result<RunId, Trouble> {
    let none = "could not find the latest run: there is none yet; `cuelight run FILE` starts one";
    board.summaries().map(|run| run.id).max().ok_or_else(|| Trouble::usage(none))
}

/// A gate as people name it: by its id, or as the only one that is open.
#[derive(Clone, Copy, Debug)]
pub(super) enum GateName {
    Latest,
    Id(GateId),
}

impl GateName {
    pub(super) fn read(text: &str) -> Result<Self, Trouble> {
        if text == LATEST { Ok(Self::Latest) } else { gate(text).map(Self::Id) }
    }

    pub(super) fn at(self, seat: &Seat) -> Result<GateId, Trouble> {
        let open: Vec<GateId> = match self {
            Self::Id(gate) => return Ok(gate),
            Self::Latest => seat.desk.boards().borrow().board.open_gates().map(|gate| gate.id).collect(),
        };
        match open.as_slice() {
            [one] => Ok(*one),
            [] => Err(Trouble::usage(
                "could not find the latest gate: none is open; `cuelight gates` lists everything that waits for a person",
            )),
            // An answer goes to a gate that its author means: among several it is named.
            several => {
                let several: Vec<String> = several.iter().map(ToString::to_string).collect();
                let several = several.join(", ");
                Err(Trouble::usage(format!("could not choose a gate: {several} are open; name one of them")))
            }
        }
    }
}

/// A seat that only looks, and the run that is named there.
pub(super) async fn look_at(config: &Config, text: &str) -> Result<(Seat, RunId), Trouble> {
    let name = RunName::read(text)?;
    let seat = wiring::look(config).await?;
    let run = name.at(&seat);
    seated(seat, run).await
}

/// A seat that acts, and the run that is named there.
pub(super) async fn act_on(config: &Config, text: &str) -> Result<(Seat, RunId), Trouble> {
    let name = RunName::read(text)?;
    let seat = wiring::act(config).await?;
    let run = name.at(&seat);
    seated(seat, run).await
}

/// A seat that acts, and the gate that is named there.
pub(super) async fn act_at(config: &Config, text: &str) -> Result<(Seat, GateId), Trouble> {
    let name = GateName::read(text)?;
    let seat = wiring::act(config).await?;
    let gate = name.at(&seat);
    seated(seat, gate).await
}

/// A seat is left in order also where the name on it fits nothing.
async fn seated<Id>(seat: Seat, id: Result<Id, Trouble>) -> Result<(Seat, Id), Trouble> {
    match id {
        Ok(id) => Ok((seat, id)),
        Err(trouble) => {
            seat.leave().await;
            Err(trouble)
        }
    }
}

pub(super) fn run(text: &str) -> Result<RunId, Trouble> {
    text.parse().map_err(|error: String| Trouble::usage(of_another_kind(text, "run", &error)))
}

pub(super) fn gate(text: &str) -> Result<GateId, Trouble> {
    text.parse().map_err(|error: String| Trouble::usage(of_another_kind(text, "gate", &error)))
}

/// Names the kind of an id where another kind is wanted, and the command that shows it; else the error.
fn of_another_kind(text: &str, wanted: &str, error: &str) -> String {
    let (kind, command) = match text.split_once('-') {
        Some(("r", number)) if is_number(number) => ("a run", "show"),
        Some(("g", number)) if is_number(number) => ("a gate", "gates --show"),
        Some(("e", number)) if is_number(number) => ("a failure", "error show"),
        _ => return safe_text(error),
    };
    format!("could not find the {wanted} {text}: {text} is {kind}; `cuelight {command} {text}` shows it")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A run with all its steps, also one that ended long ago.
pub(super) async fn view(seat: &Seat, run: RunId) -> Result<Arc<RunView>, Trouble> {
    let board = seat.desk.boards().borrow().board.clone();
    if let Some(view) = board.run(run) {
        return Ok(Arc::clone(view));
    }
    let none = || Trouble::usage(Refusal::NoRun(run).to_string());
    match seat.desk.read(Want::Past { run, until: None }).await {
        Page::Past(past) => past.run(run).cloned().ok_or_else(none),
        Page::Missing(why) => Err(Trouble::usage(why)),
        Page::Events { .. }
        | Page::Records(_)
        | Page::Chain { .. }
        | Page::Bytes { .. }
        | Page::Plan(_)
        | Page::Workflow(_)
        | Page::Agents(_) => Err(none()),
    }
}

/// A gate, also one that closed long ago: what the board no longer has is looked for in the log.
pub(super) async fn gate_view(seat: &Seat, gate: GateId) -> Result<Arc<GateView>, Trouble> {
    let board = seat.desk.boards().borrow().board.clone();
    if let Some(view) = board.gate(gate) {
        return Ok(Arc::clone(view));
    }
    let none = || Trouble::usage(Refusal::NoGate(gate).to_string());
    if board.gates().next_back().is_none_or(|newest| newest.id < gate) {
        return Err(none());
    }
    let run = run_of(seat, gate).await.ok_or_else(none)?;
    match seat.desk.read(Want::Past { run, until: None }).await {
        Page::Past(past) => past.gate(gate).cloned().ok_or_else(none),
        Page::Missing(why) => Err(Trouble::usage(why)),
        Page::Events { .. }
        | Page::Records(_)
        | Page::Chain { .. }
        | Page::Bytes { .. }
        | Page::Plan(_)
        | Page::Workflow(_)
        | Page::Agents(_) => Err(none()),
    }
}

/// The run that a gate belongs to, as the log has it.
async fn run_of(seat: &Seat, gate: GateId) -> Option<RunId> {
    let mut after = Seq(0);
    loop {
        let want = Want::Events { run: None, after, limit: EVENTS_PAGE };
        let Page::Events { events, more } = seat.desk.read(want).await else { return None };
        let of_gate = |event: &Event| match &event.fact {
            Fact::Gate(run, _, gate_id, _) if *gate_id == gate => Some(*run),
            _ => None,
        };
        let found = events.iter().find_map(|(_, event)| of_gate(event));
        if found.is_some() || !more {
            return found;
        }
        after = events.last()?.0;
    }
}

/// Why nothing can be done any more about a gate of a run that has ended.
pub(super) fn over(view: &GateView, verb: &str) -> Trouble {
    let by = view.closed_by.as_deref().map_or_else(String::new, |closed_by| format!(" by {closed_by}"));
    let when = view.closed_at.map_or_else(String::new, |closed_at| format!(" at {closed_at}"));
    Trouble::failed(format!(
        "could not {verb} {gate}: it was {state}{by}{when}, and its run {run} has ended; \
         `cuelight gates --show {gate}` shows it, `cuelight retry {run} --from all` runs all steps again",
        gate = view.id,
        state = view.state,
        run = view.run
    ))
}

pub(super) async fn step(seat: &Seat, run: RunId, id: &str) -> Result<StepIx, Trouble> {
    let view = view(seat, run).await?;
    view.find(id).ok_or_else(|| {
        let message = format!(
            "could not find the step {} in {run}; `cuelight show {run}` lists its steps",
            safe_text(id)
        );
        Trouble::usage(message)
    })
}

/// The whole path of a file that is there.
pub(super) fn file(config: &Config, name: &Path) -> Result<String, Trouble> {
    let path = config.here.join(name);
    let path = fs::canonicalize(&path)
        .map_err(|error| Trouble::usage(format!("could not read {}: {error}", name.display())))?;
    let text = path.into_os_string().into_string();
    text.map_err(|_| Trouble::usage(format!("could not use {}: its path is no UTF-8", name.display())))
}
