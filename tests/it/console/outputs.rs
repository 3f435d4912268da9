//! Output of the afternoon's steps, read as a desk reads it: in pages, from any byte on, with a middle that
//! may be gone.

use super::fixture::Stage;
use cuelight_base::{Arrivals, AttemptId, RunId, Span, Timestamp};
use cuelight_console::{Lookup, Sheet};
use std::{collections::BTreeMap, fmt::Write as _};

const PAGE: usize = 1024 * 1024;

/// Outputs by call; of each the bytes that were not kept.
#[derive(Default)]
pub(super) struct Outputs {
    texts: BTreeMap<AttemptId, Vec<u8>>,
    holes: BTreeMap<AttemptId, (usize, usize)>,
    /// When a call began to write; then a line every 217 ms.
    begun: BTreeMap<AttemptId, Timestamp>,
    pub(super) asked: Vec<Lookup>,
}

impl Outputs {
    /// The output of every call made so far.
    pub(super) fn of_afternoon(stage: &Stage) -> Self {
        let mut outputs = Self::default();
        for summary in stage.board.summaries() {
            let Some(run) = stage.board.run(summary.id) else { continue };
            for (step, plan, view) in run.steps() {
                for call in view.attempts() {
                    let attempt = AttemptId { run: summary.id, step, number: call.number };
                    outputs.begun.insert(attempt, call.started_at);
                    outputs.set(
                        attempt,
                        text_of(&plan.id, call.is_running(), call.failure.is_some()).as_bytes(),
                    );
                }
            }
        }
        outputs
    }

    pub(super) fn set(&mut self, attempt: AttemptId, bytes: &[u8]) {
        self.texts.insert(attempt, bytes.to_vec());
    }

    pub(super) fn add(&mut self, attempt: AttemptId, bytes: &[u8]) {
        self.texts.entry(attempt).or_default().extend_from_slice(bytes);
    }

    pub(super) fn len(&self, attempt: AttemptId) -> u64 {
        self.texts.get(&attempt).map_or(0, |text| text.len() as u64)
    }

    /// The bytes between were let go.
    pub(super) fn lose(&mut self, attempt: AttemptId, from: usize, to: usize) {
        self.holes.insert(attempt, (from, to));
    }

    pub(super) fn read(&mut self, want: &Lookup) -> Sheet {
        self.asked.push(want.clone());
        let (attempt, from) = match want {
            Lookup::Output { attempt, from } => (*attempt, usize::try_from(*from).expect("small")),
            Lookup::Tail { attempt, lines } => (*attempt, self.line_back(*attempt, *lines as usize)),
            Lookup::Blob { .. }
            | Lookup::Events { .. }
            | Lookup::Records { .. }
            | Lookup::Chain
            | Lookup::Agents
            | Lookup::Workflow { .. } => {
                return Sheet::Missing("could not find that here".to_owned());
            }
        };
        let text = self.texts.get(&attempt).map_or(&[][..], Vec::as_slice);
        let (hole, end) = self.holes.get(&attempt).copied().unwrap_or((text.len(), text.len()));
        let from = if (hole..end).contains(&from) { end } else { from.min(text.len()) };
        let limit = if from < hole { hole } else { text.len() };
        let bytes = text[from..limit.min(from + PAGE)].to_vec();
        let times = self.times(attempt);
        Sheet::Bytes { from: from as u64, bytes, total: text.len() as u64, times }
    }

    fn times(&self, attempt: AttemptId) -> Arrivals {
        let (mut times, mut at) = (Arrivals::default(), 0);
        let Some(begun) = self.begun.get(&attempt) else { return times };
        let text = self.texts.get(&attempt).map_or(&[][..], Vec::as_slice);
        for (line, number) in text.split_inclusive(|byte| *byte == b'\n').zip(0..) {
            times.push(at, Some(*begun + Span(217 * number)));
            at += line.len() as u64;
        }
        times
    }

    fn line_back(&self, attempt: AttemptId, lines: usize) -> usize {
        let text = self.texts.get(&attempt).map_or(&[][..], Vec::as_slice);
        let end = text.strip_suffix(b"\n").unwrap_or(text);
        let floor = self.holes.get(&attempt).map_or(0, |hole| hole.1).max(text.len().saturating_sub(PAGE));
        let ends = end.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        ends.take(lines).nth(lines.saturating_sub(1)).unwrap_or(0).max(floor)
    }
}

/// Output of a step with this id.
fn text_of(id: &str, runs: bool, failed: bool) -> String {
    let mut text = String::new();
    let seed = id.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let mut say = |line: String| writeln!(text, "{line}").expect("a String takes all text");
    say(format!("start {id} try 1"));
    say(format!("read {} rows from {}.parquet", 40_000 + seed % 3_000, id.replace(['[', ']'], "_")));
    for part in 0..seed % 5 + 2 {
        say(format!(
            "batch {part}: {} rows, {} ms",
            4_000 + (seed >> part) % 1_500,
            90 + (seed >> (2 * part)) % 800
        ));
    }
    if failed {
        say("error: UNIQUE constraint failed: orders.order_id=77120".to_owned());
        say("  at copy_rows (etl/load.rs:88)".to_owned());
        say("  caused by SqliteFailure(1555)".to_owned());
    } else if !runs {
        say(format!("copied {} rows in {}.{}s", 40_000 + seed % 3_000, seed % 9, seed % 10));
    } else {
        text.push_str("\r 12%\r 48%\r 61% of 41003 rows");
    }
    text
}

/// A call of a run of the afternoon, by the id of its step.
pub(super) fn call(stage: &Stage, run: u32, step: &str, number: u32) -> AttemptId {
    let view = stage.board.run(RunId(run)).expect("known");
    AttemptId { run: RunId(run), step: view.find(step).expect("a step"), number }
}
