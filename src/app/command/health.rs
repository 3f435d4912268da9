//! `health`: how well it goes. One line for people, with what takes from it below; every number as JSON.

use crate::{config::Config, exit::Outcome, output::Output, wiring};
use clap::Args;
use cuelight_base::safe_text;
use cuelight_projection::{Check, Grade, HealthAnswer, health_line};
use cuelight_runtime::{Clock, Desk, Seen, SystemClock, Trouble};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// As JSON, with every number
    #[arg(long)]
    pub(super) json: bool,
}

/// Reasons that are named.
const REASONS_MAX: usize = 8;

pub(super) async fn health(config: &Config, out: Output, args: &HealthArgs) -> Outcome {
    let seat = wiring::look(config).await?;
    let seen = seat.desk.boards().borrow().clone();
    seat.leave().await;
    Ok(tell(out, &seen, args.json))
}

/// One line, and what takes from it; or every number.
pub(super) fn tell(out: Output, seen: &Seen, as_json: bool) -> ExitCode {
    let now = SystemClock.now();
    let mut checks = vec![store(seen.trouble.as_ref())];
    checks.extend(seen.board.checks(now));
    if as_json {
        out.json_pretty(&HealthAnswer::of(&seen.board, &checks, now));
        return ExitCode::SUCCESS;
    }
    out.line(&health_line(&seen.board, &checks));
    for reason in seen.board.vitals().reasons().iter().take(REASONS_MAX) {
        let mode = reason.mode.map_or("partial", cuelight_base::FailureMode::word);
        let (whole, tenth) = (reason.lost_tenths / 10, reason.lost_tenths % 10);
        out.line(&format!(
            "-{whole}.{tenth}  {}  {mode} x{}, last {} in {}",
            safe_text(&reason.workflow),
            reason.times,
            safe_text(&reason.step),
            reason.run
        ));
    }
    for check in checks.iter().filter(|check| check.grade > Grade::Healthy) {
        out.line(&format!("{} {}: {}", check.name, check.grade.word(), safe_text(&check.text)));
    }
    ExitCode::SUCCESS
}

/// Checks that events can be recorded.
fn store(trouble: Option<&Trouble>) -> Check {
    match trouble {
        None => Check::of("store", Grade::Healthy, "records"),
        Some(Trouble::Unheard(why) | Trouble::Strays(why)) => {
            Check::of("guard", Grade::Degraded, why.clone())
        }
        Some(Trouble::Unowned) => {
            Check::of("store", Grade::Healthy, "no engine runs here; what was recorded is shown")
        }
        Some(
            Trouble::Holding(why) | Trouble::Stopped(why) | Trouble::TakenOver(why) | Trouble::Lost(why),
        ) => Check::of("store", Grade::Unhealthy, why.clone()),
    }
}
