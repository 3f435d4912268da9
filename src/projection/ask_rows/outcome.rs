//! The consequences of each answer in rows, and what of it can be undone.

use super::row::{AskMark, AskPart, AskSection, AskTold};
use crate::{CANNOT_UNDO, answer::no_words, answer::yes_lines, nobody_words, send_back_words, undo_line};
use cuelight_plan::Risk;

pub(super) fn section(told: &AskTold<'_>) -> AskSection {
    let mut out = AskSection::of(AskPart::Outcome, false);
    for (index, line) in yes_lines(told.ask, told.gate, told.run).iter().enumerate() {
        out.text(if index == 0 { "if yes" } else { "" }, line, AskMark::Plain);
    }
    let undo = undo_line(told.ask);
    if !undo.is_empty() {
        let is_all_undoable = told.ask.will_run.iter().all(|call| call.undo == "yes");
        let mark = match told.ask.risk {
            Risk::Irreversible => AskMark::Danger,
            Risk::ReadOnly => AskMark::Plain,
            Risk::Reversible if is_all_undoable => AskMark::Good,
            Risk::Reversible | Risk::ExternallyReversible => AskMark::Caution,
        };
        out.text("undo", undo, mark);
    }
    let (left, mut no): (Vec<String>, Vec<String>) =
        no_words(told.ask, told.gate, told.run).into_iter().partition(|line| line.starts_with(CANNOT_UNDO));
    // Their names stand in the row above.
    if told.ask.skips.len() > 2 && told.ask.skips == told.ask.starts {
        "skips all of the steps above".clone_into(&mut no[0]);
    }
    if !no.is_empty() {
        out.text("if no", no.join("; "), AskMark::Plain);
    }
    for line in &left {
        out.text(if no.is_empty() { "if no" } else { "" }, line, AskMark::Caution);
    }
    if let Some(to) = &told.ask.send_back {
        out.text("or back", send_back_words(to), AskMark::Plain);
    }
    let is_escalated = told.gate.is_some_and(|gate| gate.escalated.is_some());
    let nobody = nobody_words(told.ask, is_escalated, told.spelling.at);
    out.text("if nobody", format!("answers: {nobody}"), AskMark::Plain);
    out
}
