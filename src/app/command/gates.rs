//! `gates` and `gate wait`: everything that waits for a person.

use super::{
    ask_text::{self, Contents},
    completion,
    look::is_lost,
    named::{self, GateName},
};
use crate::{
    config::Config,
    exit::{self, NOT_RECORDED, Outcome, Trouble},
    output::Output,
    wiring::{self},
};
use clap::Args;
use cuelight_base::{Epoch, Span, safe_text};
use cuelight_engine::GateState;
use cuelight_projection::{Attention, GateView, gate_json, gates_json, settle_command};
use cuelight_runtime::{Clock, Desk, Seen, SystemClock};
use std::{process::ExitCode, sync::Arc};

#[derive(Debug, Args)]
pub(super) struct GatesArgs {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Show one gate's whole ask, with its name at the end
    #[arg(long, value_name = "GATE")]
    pub(super) show: Option<String>,
    /// Show the ask of this epoch, in which it got an emergency approval
    #[arg(long, value_name = "N", requires = "show")]
    pub(super) epoch: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct WaitArgs {
    /// The gate: g-3, or latest where one is open
    #[arg(add = completion::gates())]
    pub(super) gate: String,
    /// Give up after this time, with exit code 3
    #[arg(long, value_name = "4h")]
    pub(super) timeout: Option<String>,
}

pub(super) async fn gates(config: &Config, out: Output, args: &GatesArgs) -> Outcome {
    let seat = wiring::look(config).await?;
    let seen = seat.desk.boards().borrow().clone();
    let actor = seat.actor.clone();
    if let Some(gate) = &args.show {
        let view = match GateName::read(gate).and_then(|name| name.at(&seat)) {
            Ok(gate) => named::gate_view(&seat, gate).await,
            Err(trouble) => Err(trouble),
        };
        let view = view.and_then(|view| then(view, args.epoch.map(Epoch)));
        let contents = match &view {
            Ok(view) if !args.json => Contents::read(&seat, view).await,
            _ => Contents::default(),
        };
        seat.leave().await;
        let view = view?;
        let run = seen.board.run(view.run).map(|run| &**run);
        let caller = (&actor, SystemClock.now());
        if args.json {
            out.json_pretty(&gate_json(&view, Some(caller)));
        } else {
            out.raw(ask_text::text(&view, run, &contents, caller).as_bytes());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let hides = seat.workspace.hides_records();
    seat.leave().await;
    let now = SystemClock.now();
    if args.json {
        out.json_pretty(&gates_json(&seen.board, (&actor, now)));
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = seen
        .board
        .inbox(Some((&actor, now)))
        .iter()
        .map(|row| super::inbox_row(row, &seen.board, now))
        .collect();
    if rows.is_empty() {
        out.line(if hides {
            "nothing waits for a person in the records that are read"
        } else {
            "nothing waits for a person"
        });
    } else {
        out.table(&["WHAT", "RUN", "STEP", "RISK", "VOTES", "WAITS", "THEN"], &rows);
        seen.board.doubts().for_each(|doubt| out.raw(super::doubt_words(&doubt).as_bytes()));
        for row in seen.board.inbox(None).iter().filter(|row| row.what == Attention::StuckUndo) {
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
    let found = gate.emergencies().find(|emergency| emergency.epoch() == epoch).cloned();
    found.ok_or_else(|| {
        Trouble::usage(format!(
            "could not show what {id} asked in epoch {epoch}: it has no emergency approval; \
             `cuelight audit` tells every ask",
            id = gate.id
        ))
    })
}

pub(super) async fn wait(config: &Config, out: Output, args: &WaitArgs) -> Outcome {
    let name = GateName::read(&args.gate)?;
    let timeout: Option<Span> = args.timeout.as_deref().map(str::parse).transpose().map_err(
        |error: cuelight_base::ParseSpanError| Trouble::usage(format!("could not read --timeout: {error}")),
    )?;
    let seat = wiring::look(config).await?;
    let gate = match name.at(&seat) {
        Ok(gate) => gate,
        Err(trouble) => {
            seat.leave().await;
            return Err(trouble);
        }
    };
    let before = match named::gate_view(&seat, gate).await {
        Ok(view) => closed(&seat.desk.boards().borrow(), &view),
        Err(trouble) => {
            seat.leave().await;
            return Err(trouble);
        }
    };
    let mut boards = seat.desk.boards();
    let verdict = async {
        let now = |seen: &Seen| seen.board.gate(gate).and_then(|gate| closed(seen, gate));
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
    let state = Some(gate.state).filter(|state| state.rests())?;
    let is_next = |gate_view: &&Arc<GateView>| {
        gate_view.id > gate.id && (gate_view.run, gate_view.step) == (gate.run, gate.step)
    };
    let words = match seen.board.gates().find(is_next) {
        _ if !gate.is_sent_back() => gate.state_word().to_owned(),
        Some(next) => format!("{}; asks again as {}", gate.state_word(), next.id),
        None => format!("{}; a new gate asks after its steps have run again", gate.state_word()),
    };
    Some((state, words))
}
