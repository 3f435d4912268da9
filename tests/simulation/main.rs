//! Deterministic simulation of the engine (`docs/STYLE.md`): random workflows, people, faults and crashes from a seed,
//! held against invariants; a failing seed is made smaller and told; mistakes put in on purpose must be found.
//!
//! `cargo test --release --test simulation -- --seeds 200000 --bugs`, or `--seed 7` for one history; with `--bug NAME` one that
//! has this mistake in it.

mod agents;
mod checks;
mod figures;
mod history;
mod tape;
mod targets;
mod workload;

use history::{Bug, History};
use std::{
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};
use tape::Tape;

/// Seeds within which every mistake put in on purpose must be found.
const BUG_SEEDS: u64 = 10_000;

/// Why a history failed, how it went, and the draws that made it.
struct Failure {
    broken: String,
    tape: Vec<u64>,
    last: Vec<String>,
    events: usize,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1)?.parse::<u64>().ok()
    };
    std::panic::set_hook(Box::new(|_| {}));
    let named = args.iter().position(|arg| arg == "--bug").and_then(|at| args.get(at + 1));
    let bug = Bug::ALL.iter().copied().find(|bug| named == Some(&format!("{bug:?}")));
    if let Some(seed) = number("--seed") {
        return report(seed, bug);
    }
    let seeds = number("--seeds").unwrap_or(2000);
    let first = number("--from").unwrap_or(0);
    let (failed, events) = search(first, seeds, bug);
    say(&format!("{seeds} seeds from {first}: {events} events"));
    if let Some(seed) = failed {
        return report(seed, bug);
    }
    if args.iter().any(|arg| arg == "--bugs") { bugs() } else { ExitCode::SUCCESS }
}

/// The first seed that fails, over as many threads as there are cores.
fn search(first: u64, seeds: u64, bug: Option<Bug>) -> (Option<u64>, u64) {
    let next = AtomicU64::new(first);
    let failed = AtomicU64::new(u64::MAX);
    let events = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds || seed > failed.load(Ordering::Relaxed) {
                        break;
                    }
                    match history(Tape::seeded(seed), bug) {
                        Ok(count) => drop(events.fetch_add(count as u64, Ordering::Relaxed)),
                        Err(_) => drop(failed.fetch_min(seed, Ordering::Relaxed)),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    ((failed != u64::MAX).then_some(failed), events.into_inner())
}

/// Plays one history; a fault of the engine is a failure like any other.
fn history(mut tape: Tape, bug: Option<Bug>) -> Result<usize, Failure> {
    let mut history = History::new(&mut tape, bug);
    let played = catch_unwind(AssertUnwindSafe(|| history.play()));
    let events = history.journal.len();
    let broken = match played {
        Ok(Ok(())) => return Ok(events),
        Ok(Err(broken)) if bug.and_then(Bug::breaks).is_some_and(|breaks| !broken.starts_with(breaks)) => {
            return Ok(events);
        }
        Ok(Err(broken)) => broken,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|value| (*value).to_owned()))
                .unwrap_or_else(|| "fault".to_owned())
        }
    };
    let last = &history.journal[events.saturating_sub(20)..];
    let last = last
        .iter()
        .map(|event| format!("{} {:.400}", event.at.clock(), format!("{:?}", event.fact)))
        .collect();
    Err(Failure { broken, tape: tape.drawn, last, events })
}

/// Makes a failing history as small as it gets, and tells it.
fn report(seed: u64, bug: Option<Bug>) -> ExitCode {
    let failure = match history(Tape::seeded(seed), bug) {
        Ok(events) => {
            say(&format!("seed {seed}: {events} events, everything holds"));
            return ExitCode::SUCCESS;
        }
        Err(failure) => failure,
    };
    say(&format!("seed {seed} fails after {} events: {}", failure.events, failure.broken));
    let kind = |broken: &str| broken.split_whitespace().next().unwrap_or_default().to_owned();
    let wanted = kind(&failure.broken);
    let smaller = tape::shrink(failure.tape, 2000, |tape| {
        history(Tape::recorded(tape.to_vec()), bug).is_err_and(|error| kind(&error.broken) == wanted)
    });
    if let Err(small) = history(Tape::recorded(smaller.clone()), bug) {
        say(&format!("made smaller: {} draws, {} events: {}", smaller.len(), small.events, small.broken));
        say(&small.last.join("\n"));
    }
    ExitCode::FAILURE
}

/// Every mistake put in on purpose must be found: a survivor is a missing invariant.
fn bugs() -> ExitCode {
    let mut survivors = 0;
    for bug in Bug::ALL {
        if let Some(seed) = search(0, BUG_SEEDS, Some(*bug)).0 {
            let how =
                history(Tape::seeded(seed), Some(*bug)).err().map(|error| error.broken).unwrap_or_default();
            say(&format!(
                "{:<32} found at seed {seed:>5}: {:.90}",
                format!("{bug:?}"),
                how.replace('\n', " ")
            ));
        } else {
            survivors += 1;
            say(&format!("{:<32} NOT FOUND within {BUG_SEEDS} seeds", format!("{bug:?}")));
        }
    }
    if survivors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{text}"));
}
