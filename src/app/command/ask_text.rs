//! An ask as lines for a terminal without the console. Its name stands on the last line and nowhere else, so that a
//! script that gives it has read the end. Text from outside goes through `safe_text`.
//!
//! The words are those of `projection::ask_rows`, as in the console.

use crate::wiring::Seat;
use cuelight_base::{Actor, Digest, Timestamp, safe_text};
use cuelight_engine::{Ask, GateAct};
use cuelight_projection::{AskContent, AskPlace, AskRow, AskSpelling, AskTold, GateView, RunView, ask_rows};
use cuelight_runtime::{Desk, Page, Want};
use std::{collections::BTreeMap, sync::Arc};

/// Cells of the labels at the left.
const HEAD: usize = 12;
/// Lines that are shown of a file of evidence.
const EXCERPT: usize = 400;
/// Bytes that are read of a file of evidence.
const CONTENT_BYTES_MAX: usize = 256 * 1024;

/// The spelling of a terminal: instants with their day, and hashes whole, to compare with those of other programs.
const SPELLING: AskSpelling = AskSpelling {
    at: spelled,
    hash: |digest| digest.to_string(),
    excerpt: (EXCERPT, "`cuelight audit export --evidence RUN -o DIR` writes the whole file"),
    has_details: true,
};

fn spelled(at: Timestamp) -> String {
    at.to_string()
}

/// The content of the files of evidence of an ask, as far as a terminal shows it.
#[derive(Debug, Default)]
pub(super) struct Contents(BTreeMap<Digest, Result<(Vec<u8>, u64), &'static str>>);

impl Contents {
    /// Reads the files of evidence of an ask, and the scripts that differ from those of the last approval.
    pub(super) async fn read(seat: &Seat, gate: &GateView) -> Self {
        let mut out = BTreeMap::new();
        let files = gate.ask.evidence.iter().filter(|item| item.text.is_none());
        for digest in files.filter_map(|item| item.digest).chain(gate.changed_scripts.iter().copied()) {
            out.insert(digest, content(seat, digest).await);
        }
        Self(out)
    }

    fn of(&self, digest: Digest) -> AskContent<'_> {
        match self.0.get(&digest) {
            Some(Ok((bytes, total))) => AskContent::Bytes(bytes, *total),
            Some(Err(why)) => AskContent::Missing(why),
            None => AskContent::Missing("its content is not here; compare its hash"),
        }
    }
}

async fn content(seat: &Seat, digest: Digest) -> Result<(Vec<u8>, u64), &'static str> {
    let mut all = Vec::new();
    loop {
        let page = seat.desk.read(Want::Blob { digest, from: all.len() as u64 }).await;
        let Page::Bytes { bytes, total, .. } = page else {
            return Err("its content could not be read; `cuelight audit verify` looks for the reason");
        };
        let is_last = bytes.is_empty() || (all.len() + bytes.len()) as u64 >= total;
        all.extend(bytes);
        if is_last || all.len() >= CONTENT_BYTES_MAX {
            all.truncate(CONTENT_BYTES_MAX);
            let total = total.max(all.len() as u64);
            return Ok((all, total));
        }
    }
}

/// The whole ask of a gate, and what the caller may do there. Without the run, steps behind other gates are not told
/// apart.
pub(super) fn text(
    gate: &Arc<GateView>,
    run: Option<&RunView>,
    contents: &Contents,
    (caller, now): (&Actor, Timestamp),
) -> String {
    let ask = &gate.ask;
    let may: Vec<String> = gate.acts(caller, now).into_iter().map(|act| act_words(act, gate)).collect();
    let may = match (gate.law().may(caller, GateAct::Approve, now), may.join(", ")) {
        (Ok(()), may) => may,
        (Err(why), may) if may.is_empty() => format!("do nothing here: {}", safe_text(&why.why())),
        (Err(why), may) => format!("{may}; not approve: {}", safe_text(&why.why())),
    };
    let title = format!(
        "{} {}  {} of {} {}",
        gate.id,
        gate.state_word(),
        safe_text(&ask.step),
        ask.run,
        safe_text(&ask.workflow)
    );
    let mut lines = vec![title, format!("{:<HEAD$}{may}", "you may"), String::new()];
    lines.extend(rows(ask, Some(gate), run, contents));
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

/// An action, with its command where that has another name.
fn act_words(act: GateAct, gate: &GateView) -> String {
    let step = safe_text(&gate.ask.step);
    match act {
        GateAct::Override => format!("override (cuelight run skip {} {step} --reason WHY)", gate.run),
        act => act.word().to_owned(),
    }
}

/// The lines of an ask without its gate, for a person who signs an answer on another machine.
pub(super) fn of_ask(ask: &Ask) -> Vec<String> {
    let mut out = vec![format!("{} of {} {}", safe_text(&ask.step), ask.run, safe_text(&ask.workflow))];
    out.extend(rows(ask, None, None, &Contents::default()));
    out
}

fn rows(ask: &Ask, gate: Option<&GateView>, run: Option<&RunView>, contents: &Contents) -> Vec<String> {
    let content = |digest| contents.of(digest);
    let told = AskTold { ask, gate, run, read: None, others: &[], content: &content, spelling: SPELLING };
    let mut out = Vec::new();
    for section in ask_rows(&told) {
        if section.is_apart && !section.rows.is_empty() {
            out.push(String::new());
        }
        out.extend(section.rows.iter().map(line));
    }
    out
}

fn line(row: &AskRow) -> String {
    let words = safe_text(&row.words());
    let line = match &row.place {
        AskPlace::Beside => format!("{:<HEAD$}{words}", row.head),
        AskPlace::Under => format!("{:HEAD$}  {words}", ""),
        AskPlace::Quoted | AskPlace::Field(..) => format!("{:HEAD$}| {words}", ""),
        AskPlace::Alone => words,
    };
    line.trim_end().to_owned()
}
