//! The log of the stage, read as a desk reads it: pages of events, records with their links, and whether they hold.

use cuelight_base::{Digest, Seq, sha256};
use cuelight_console::{Lookup, Sheet};
use cuelight_engine::{Command, Event, ForkAt, Past};
use cuelight_projection::Record;

/// Records that a page of a real desk would hold at most.
const PAGE: usize = 1024;

/// Answers a request for the log; `None` for any other request.
pub(super) fn read(log: &[(Seq, Event)], want: &Lookup) -> Option<Sheet> {
    match want {
        Lookup::Events { run, after, limit } => {
            let of = |pair: &&(Seq, Event)| {
                pair.0 > *after && run.is_none_or(|run| pair.1.fact.run() == Some(run))
            };
            let limit = PAGE.min(*limit as usize);
            let events: Vec<(Seq, Event)> = log.iter().filter(of).take(limit).cloned().collect();
            let more = events.len() == limit;
            Some(Sheet::Events { events, more })
        }
        Lookup::Records { after, limit } => {
            let from = usize::try_from(after.0).expect("small").min(log.len());
            let records = log[from..].iter().take(PAGE.min(*limit as usize));
            Some(Sheet::Records(records.map(|(seq, event)| record(*seq, event)).collect()))
        }
        Lookup::Chain => {
            let head = log.last().map_or((Seq(0), Digest::default()), |pair| (pair.0, hash(pair.0)));
            Some(Sheet::Chain { records: log.len() as u64, head, broken: None })
        }
        Lookup::Output { .. }
        | Lookup::Tail { .. }
        | Lookup::Blob { .. }
        | Lookup::Agents
        | Lookup::Workflow { .. } => None,
    }
}

/// A command with the past that it lacks, as the owner of the workspace completes it.
pub(super) fn completed(log: &[(Seq, Event)], command: Command) -> Command {
    let Command::Fork { run, at: ForkAt::Seq(seq), by, corrected, .. } = command else { return command };
    let of = |pair: &&(Seq, Event)| pair.1.fact.run() == Some(run);
    let events: Vec<Event> = log.iter().filter(of).map(|pair| pair.1.clone()).collect();
    let count = log.iter().filter(of).filter(|pair| pair.0 <= seq).count();
    let past = Some(Past { seq, events: events.into(), count });
    Command::Fork { run, at: ForkAt::Seq(seq), by, corrected, past }
}

fn record(seq: Seq, event: &Event) -> Record {
    Record { seq, event: event.clone(), prev: hash(Seq(seq.0 - 1)), hash: hash(seq), holds: true }
}

fn hash(seq: Seq) -> Digest {
    sha256("test-chain", &[&seq.0.to_be_bytes()])
}
