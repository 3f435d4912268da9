//! Rules about several values at once: one function for each rule, by topic.

mod conditions;
mod costs;
mod gates;
mod graph;
mod kinds;
mod models;
mod reads;
mod secrets;
mod tools;

pub use gates::{KnownPeople, check_people};
pub use models::check_keys;
pub(super) use models::unknown as unknown_model;
pub use reads::CONTEXTS;
pub use secrets::check_secrets;
pub(super) use tools::{find_candidates, unknown as unknown_tool};

use crate::{Workflow, diagnostic::Findings};

/// Checks one file whose calls have been read; gives the number of its steps after expansion.
pub(super) fn workflow(workflow: &Workflow, findings: &mut Findings<'_>) -> usize {
    let graph = graph::Graph::new(workflow, findings);
    reads::check(workflow, &graph, findings);
    conditions::check(workflow, findings);
    secrets::check(workflow, findings);
    gates::check(workflow, &graph, findings);
    kinds::check(workflow, findings);
    tools::check(workflow, findings);
    models::check(workflow, findings);
    costs::check(workflow, findings)
}
