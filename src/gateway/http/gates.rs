//! Gates over HTTP: asked from outside, looked at, waited for, answered. What is asked from outside is a workflow of one gate, so all that
//! holds of gates holds of it.

use super::{
    answer::json,
    asked::{Asked, still_good},
    door::Door,
    problem::{Problem, of_reply},
    routes::PAGE_MAX,
    shapes::{Decide, Gates, OpenGate, VerdictWord},
};
use crate::Permission;
use axum::{http::StatusCode, response::Response};
use cuelight_base::{Actor, DecisionId, Digest, Epoch, GateId, RunId, Timestamp, ValueMap};
use cuelight_engine::{Command, Decision, GateAct, GateState, Refusal, Verdict};
use cuelight_projection::{Board, GateAnswer, GateView};
use cuelight_runtime::{Desk as _, Draft, Receipt, Reply, Source};
use serde_json::json as value;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Timeout for a gate to open, once its run is on disk.
const ASKED_MAX: Duration = Duration::from_secs(10);
/// Values that an answer may be bound to.
const BINDS_MAX: usize = 20;

fn missing() -> Problem {
    Problem::missing("GATE_001", "that gate")
}

/// The caller, as one who answers: it counts as a step where its commands do, and then may do nothing.
struct Answerer {
    /// None for a token that decides nothing, which is most of them: nobody looks at the other end for those.
    actor: Option<Actor>,
    now: Timestamp,
}

impl Answerer {
    async fn of(door: &Door, asked: &Asked) -> Self {
        let may_decide = asked.bearer.as_ref().is_some_and(|bearer| bearer.may(Permission::DecideGates));
        let actor = if may_decide { Some(asked.judged_desk(door).await.actor().clone()) } else { None };
        Self { actor, now: door.now() }
    }

    /// A gate, with the actions that this door takes of the caller.
    fn sees(&self, gate: &Arc<GateView>) -> GateAnswer {
        let taken = [GateAct::Approve, GateAct::Reject, GateAct::SendBack];
        let may = self.actor.iter().flat_map(|actor| gate.acts(actor, self.now));
        GateAnswer::with(gate, may.filter(|act| taken.contains(act)))
    }
}

async fn told(door: &Door, asked: &Asked, status: StatusCode, gate: &Arc<GateView>) -> Response {
    json(status, &Answerer::of(door, asked).await.sees(gate))
}

/// A gate that the caller may see.
fn find(board: &Board, asked: &Asked, gate: GateId) -> Result<Arc<GateView>, Problem> {
    let view = board.gate(gate).filter(|gate| board.project_of(gate.run) == asked.project());
    view.cloned().ok_or_else(missing)
}

pub(super) async fn open(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let (text, values) = workflow(asked.body()?)?;
    let desk = asked.judged_desk(door).await;
    let source = Source::Text { name: "gate.yaml".to_owned(), text };
    let launch = asked.launch(source, values);
    let run = match desk.launch(launch).await {
        Reply::Recorded(Receipt { run: Some(run), .. }) => run,
        other => return Err(of_reply(other)),
    };
    let mut boards = desk.boards();
    let of_run = |board: &Board| board.gates().rfind(|gate| gate.run == run).cloned();
    let rests = |board: &Board| board.summary(run).is_some_and(|summary| summary.state.rests());
    let asks = boards.wait_for(|seen| of_run(&seen.board).is_some() || rests(&seen.board));
    let gate = match timeout(ASKED_MAX, asks).await {
        Ok(Ok(seen)) => of_run(&seen.board),
        Ok(Err(_)) | Err(_) => None,
    };
    let gate = gate.ok_or_else(|| {
        let why = format!("could not tell which gate asks: {run} is on record; look at it");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "STR_001", why)
    })?;
    Ok(told(door, asked, StatusCode::CREATED, &gate).await)
}

pub(super) async fn list(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let state =
        asked.query("state").and_then(|word| GateState::ALL.iter().find(|state| state.word() == word));
    let limit = usize::try_from(asked.number("limit").unwrap_or(PAGE_MAX)).unwrap_or(1);
    let after: Option<GateId> = asked.page_from("after", "a gate, as in g-7")?;
    let answerer = Answerer::of(door, asked).await;
    let board = door.desk.board();
    let seen = board.gates().filter(|gate| state.is_none_or(|state| *state == gate.state));
    let mut mine = seen.filter(|gate| {
        after.is_none_or(|after| gate.id > after) && board.project_of(gate.run) == asked.project()
    });
    let gates = mine.by_ref().take(limit).map(|gate| answerer.sees(gate)).collect();
    let more = mine.next().is_some();
    Ok(json(StatusCode::OK, &Gates { gates, more }))
}

pub(super) async fn show(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let gate: GateId = asked.id("GATE_001", "that gate")?;
    let wait = asked.number("wait").unwrap_or(0);
    let mut boards = door.desk.boards();
    let board = boards.borrow_and_update().board.clone();
    let mut view = find(&board, asked, gate)?;
    if wait > 0 && !view.state.rests() {
        let _place = asked.waiting_place(door, "at that gate")?;
        let closed = boards.wait_for(|seen| {
            seen.board.gate(gate).is_none_or(|gate| gate.state.rests())
                || still_good(asked.bearer.as_deref(), &seen.board).is_err()
        });
        tokio::select! {
            // Whoever waited in vain sees how it is now.
            waited = timeout(Duration::from_millis(wait), closed) => drop(waited),
            () = door.closing.cancelled() => {}
        }
        let board = door.desk.board();
        still_good(asked.bearer.as_deref(), &board)?;
        view = find(&board, asked, gate)?;
    }
    Ok(told(door, asked, StatusCode::OK, &view).await)
}

pub(super) async fn decide(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let gate: GateId = asked.id("GATE_001", "that gate")?;
    let given: Decide = asked.body()?;
    let board = door.desk.board();
    let seen = find(&board, asked, gate)?;
    let ask: Digest = given.ask_hash.parse().map_err(Problem::bad)?;
    let verdict = match given.verdict {
        VerdictWord::Approve => Verdict::Approve,
        VerdictWord::Reject => Verdict::Reject,
        VerdictWord::SendBack => Verdict::SendBack,
    };
    let decision = Decision {
        // What one person calls a decision says nothing of what another calls so.
        id: DecisionId(format!("http/{}/{}", asked.actor(door).principal(), given.decision_id)),
        gate,
        epoch: Epoch(given.gate_epoch),
        ask,
        verdict,
        reason: given.reason,
        by: asked.actor(door),
        shown_for: None,
        break_glass: false,
        overrides: false,
        form: given.form,
    };
    let command = Command::Decide(Box::new(decision));
    let reply = asked.command(door, asked.request(), command).await;
    match reply {
        Reply::Recorded(_) => {
            let board = door.desk.board();
            Ok(told(door, asked, StatusCode::OK, &find(&board, asked, gate)?).await)
        }
        // Its run has come to rest, and the engine knows it no more; we saw it.
        Reply::Refused(Refusal::NoGate(_)) if seen.state == GateState::Expired => {
            Err(Refusal::GateExpired(gate).into())
        }
        Reply::Refused(Refusal::NoGate(_)) if seen.state.rests() => {
            let by = seen.closed_by.clone().unwrap_or_default();
            Err(Refusal::GateClosed { gate, state: seen.state, by }.into())
        }
        other => Err(of_reply(other)),
    }
}

/// The workflow that asks, and the values it is given. What was sent stands in no expression.
fn workflow(open: OpenGate) -> Result<(String, ValueMap), Problem> {
    if open.binds.len() > BINDS_MAX {
        return Err(Problem::bad(format!(
            "could not bind so many values: {BINDS_MAX} at most; bind their hash"
        )));
    }
    let mut draft = Draft::default();
    let evidence = open.evidence.into_iter().map(|text| draft.given(&text.name, text.text)).collect();
    let binds: Vec<String> = open.binds.iter().map(|(name, value)| draft.bound(name, value)).collect();
    let require = open.require.into_iter().map(|required| (required.group, required.count));
    let mut gate = draft.gate(open.title, evidence, require, open.four_eyes);
    gate["risk"] = open.risk.word().into();
    gate["binds"] = binds.into();
    if let Some(timeout) = open.timeout {
        gate["timeout"] = timeout.into();
    }
    Ok(draft.finish("gate", &value!([{"id": "ask", "gate": gate}])))
}

/// The run of a gate, for the caller that follows it.
pub(super) fn is_visible(board: &Board, asked: &Asked, run: RunId) -> bool {
    board.summary(run).is_some() && board.project_of(run) == asked.project()
}
