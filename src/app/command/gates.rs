//! `gates` and `gate wait`: everything that waits for a person.

use super::{
    ask_text, completion,
    look::is_lost,
    named::{self, GateName},
};
use crate::{
    app::{
        config::Config,
        exit::{self, NOT_RECORDED, Outcome, Trouble},
        output::Output,
        wiring::{self},
    },
    base::{Epoch, Span},
    engine::GateState,
    projection::{GateView, gates_json},
    runtime::{Clock, Desk, Seen, SystemClock},
};
use clap::Args;
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
        seat.leave().await;
        let view = then(view?, args.epoch.map(Epoch))?;
        out.raw(ask_text::text(&view).as_bytes());
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

pub(super) async fn wait(config: &Config, out: Output, args: &WaitArgs) -> Outcome {
    let name = GateName::read(&args.gate)?;
    let timeout: Option<Span> =
        args.timeout.as_deref().map(str::parse).transpose().map_err(|it: crate::base::ParseSpanError| {
            Trouble::usage(format!("could not read --timeout: {it}"))
        })?;
    let seat = wiring::look(config).await?;
    let gate = match name.at(&seat) {
        Ok(gate) => gate,
        Err(trouble) => {
            seat.leave().await;
            return Err(trouble);
        }
    };
    let before = match named::gate_view(&seat, gate).await {
        Ok(view) => Some(view.state).filter(|it| it.rests()),
        Err(trouble) => {
            seat.leave().await;
            return Err(trouble);
        }
    };
    let mut boards = seat.desk.boards();
    let verdict = async {
        let seen = boards.wait_for(|seen| closed(seen, gate).is_some() || is_lost(seen)).await;
        seen.ok().and_then(|seen| closed(&seen, gate))
    };
    let state = match timeout {
        _ if before.is_some() => before,
        None => verdict.await,
        Some(limit) => match tokio::time::timeout(limit.to_std(), verdict).await {
            Ok(state) => state,
            Err(_) => Some(GateState::Expired),
        },
    };
    seat.leave().await;
    match state {
        Some(state) => {
            out.line(&format!("{gate} {state}"));
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

fn closed(seen: &Seen, gate: crate::base::GateId) -> Option<GateState> {
    seen.board.gate(gate).map(|it| it.state).filter(|it| it.rests())
}
