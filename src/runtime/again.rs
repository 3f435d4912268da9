//! Reads the data that a run needs before it is retried or forked: the current workflow, and the past of the
//! run. Only the owner of the workspace reads it. The engine decides the consequences.

use super::{Reply, archive::Archive, launch::prepare_again};
use cuelight_base::{RunId, Seq};
use cuelight_engine::{Command, Correction, Event, ForkAt, Past, Refusal};
use cuelight_plan::Plan;
use cuelight_projection::Board;
use std::sync::Arc;

/// True if a command lacks data that has to be read first.
pub(super) fn lacks_something(command: &Command) -> bool {
    matches!(command, Command::Fork { .. } | Command::Retry { corrected: Some(_), .. })
}

/// The command with all that it lacked; or why that cannot be had.
pub(super) fn complete(archive: &Archive, command: Command) -> Result<Command, Reply> {
    match command {
        Command::Retry { run, from, by, corrected } => {
            let corrected =
                corrected.map(|corrected| correct(archive, run, *corrected)).transpose()?.flatten();
            Ok(Command::Retry { run, from, by, corrected })
        }
        Command::Fork { run, at, by, corrected, .. } => {
            let history = archive.history(run).map_err(|error| Reply::NotRecorded(error.to_string()))?;
            let past = Some(past(run, &at, &history).map_err(Reply::Refused)?);
            let corrected =
                corrected.map(|corrected| correct(archive, run, *corrected)).transpose()?.flatten();
            Ok(Command::Fork { run, at, by, corrected, past })
        }
        other => Ok(other),
    }
}

/// The same as a refusal, for who only asks what would happen.
pub(super) fn refusal(run: Option<RunId>, reply: Reply) -> Refusal {
    match (reply, run) {
        (Reply::Refused(refusal), _) => refusal,
        (Reply::Invalid { report, .. }, Some(run)) => {
            Refusal::Again { run, verb: "do again".to_owned(), why: report }
        }
        (Reply::Invalid { report: why, .. } | Reply::NotRecorded(why), _) => Refusal::Other(why),
        (Reply::Recorded(_), _) => Refusal::Other("could not preview: it was recorded".to_owned()),
    }
}

/// The plan that is made of what is corrected; nothing when nothing is.
fn correct(archive: &Archive, run: RunId, given: Correction) -> Result<Option<Box<Correction>>, Reply> {
    if given.file.is_none() && given.words.is_empty() {
        return Ok(None);
    }
    let before: Arc<Plan> = archive.plan_of(run).map_err(|_| Reply::Refused(Refusal::NoRun(run)))?;
    let plan = prepare_again(run, &given, &before, archive.workspace(), archive.secrets())?;
    Ok(Some(Box::new(Correction { plan: Some(Box::new(plan)), ..given })))
}

/// The past of a run up to the fork.
fn past(run: RunId, at: &ForkAt, history: &[(Seq, Event)]) -> Result<Past, Refusal> {
    let refused = |why: String| Refusal::Again { run, verb: "fork".to_owned(), why };
    let Some((last, _)) = history.last() else { return Err(Refusal::NoRun(run)) };
    let count = match at {
        ForkAt::Seq(seq) if seq > last => {
            return Err(refused(format!(
                "event {} is after its last event, {}; name that or an earlier one",
                seq.0, last.0
            )));
        }
        ForkAt::Seq(seq) => history.partition_point(|(value, _)| value <= seq),
        ForkAt::Step(id) => {
            let mut board = Board::default();
            history.iter().for_each(|(seq, event)| board.apply(*seq, event));
            let step = board.run(run).and_then(|run| run.find(id)).ok_or(Refusal::NoStep(run))?;
            let began = history.iter().position(|(_, event)| event.fact.step() == Some(step));
            began.ok_or_else(|| {
                refused(format!(
                    "{id} has not begun in it; name an event, see `cuelight run events {run} --json`"
                ))
            })?
        }
    };
    let Some((seq, _)) = history[..count].last() else {
        return Err(refused(format!("it begins with event {}; name that or a later one", history[0].0.0)));
    };
    let events = history.iter().map(|(_, event)| event.clone()).collect();
    Ok(Past { seq: *seq, events: Arc::new(events), count })
}
