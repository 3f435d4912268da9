//! Completion of ids in a shell: the runs and the open gates of the workspace around the command line.

use super::named::LATEST;
use crate::{args::Everywhere, config::Config, wiring};
use clap::{Args as _, FromArgMatches as _};
use clap_complete::{ArgValueCandidates, CompletionCandidate};
use cuelight_base::safe_text;
use cuelight_projection::Board;
use cuelight_runtime::Desk as _;
use std::sync::Arc;

/// The variable by which a shell asks for completions.
pub(super) const VARIABLE: &str = "CUELIGHT_COMPLETE";
/// Ids that a shell offers.
const OFFERED: usize = 50;

/// The newest runs, and the word for the newest of them.
pub(super) fn runs() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Some(board) = board() else { return Vec::new() };
        let mut runs: Vec<_> = board.summaries().collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.id));
        let named = |run: &&cuelight_projection::RunSummary| {
            (run.id.to_string(), format!("{} {}", safe_text(&run.workflow), run.state))
        };
        offered(runs.iter().take(OFFERED).map(named), "the newest run")
    })
}

/// The open gates, and the word for the only one.
pub(super) fn gates() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Some(board) = board() else { return Vec::new() };
        let open = board.open_gates().take(OFFERED);
        offered(open.map(|gate| (gate.id.to_string(), safe_text(&gate.ask.prompt))), "the only open gate")
    })
}

fn offered(named: impl Iterator<Item = (String, String)>, latest: &str) -> Vec<CompletionCandidate> {
    let mut all: Vec<(String, String)> = named.collect();
    if !all.is_empty() {
        all.push((LATEST.to_owned(), latest.to_owned()));
    }
    let candidate = |(order, (id, about)): (usize, (String, String))| {
        CompletionCandidate::new(id).help(Some(about.into())).display_order(Some(order))
    };
    all.into_iter().enumerate().map(candidate).collect()
}

/// The board of the workspace here. Nothing where it cannot be read: a shell that completes shows no errors.
fn board() -> Option<Arc<Board>> {
    let flags = Everywhere::augment_args(clap::Command::new("cuelight"));
    let flags = flags.try_get_matches_from(["cuelight"]).ok()?;
    let config = Config::read(&Everywhere::from_arg_matches(&flags).ok()?).ok()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().ok()?;
    let board = runtime.block_on(async {
        let seat = wiring::look(&config).await.ok()?;
        let board = Arc::clone(&seat.desk.boards().borrow().board);
        seat.leave().await;
        Some(board)
    });
    runtime.shutdown_background();
    board
}
