//! The one way by which a door submits a command: a judgement, and the request for a run, count as a step's where a step may
//! stand at the other end.
//!
//! The wall of words (`tests/it/architecture.rs`) keeps every seat and every route to this way.

use cuelight_base::{Actor, Channel};
use cuelight_runtime::{Desk as _, LocalDesk, Reply, Request};

/// Submits a command. `is_of_a_step` is asked before a judgement and before a run is made, and each time anew: agents
/// send thousands of other commands in a second.
pub(super) async fn submit_judged(
    desk: &LocalDesk,
    request: Request,
    is_of_a_step: impl Future<Output = bool>,
) -> Reply {
    if (request.command.is_judgement() || request.command.makes_a_run()) && is_of_a_step.await {
        return as_a_step(desk).submit(request).await;
    }
    desk.submit(request).await
}

/// The desk of an actor behind whom a step may stand.
pub(super) fn as_a_step(desk: &LocalDesk) -> LocalDesk {
    let known = desk.actor().clone();
    desk.with_actor(Actor { channel: Channel::Step, ..known })
}
