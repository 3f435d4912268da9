//! The ask of a gate in rows, as people read it before they answer, by importance: the question, what has changed, the
//! consequences of each answer, the evidence, then the calls, and the name of the ask on the last row.
//!
//! Console and command line draw the same rows, so they say the same words. Colours, wrapping, signs and making foreign
//! text safe to show are left to the surface.

mod alike;
mod calls;
mod changes;
mod details;
mod evidence;
mod outcome;
mod row;
mod votes;

pub use details::section as ask_details;
pub use evidence::evidence_lines;
pub use row::{
    AskContent, AskMark, AskPart, AskPiece, AskPlace, AskRow, AskSection, AskSign, AskSpelling, AskTold,
};
pub use votes::people_words;

use crate::{GateView, RunView, ask_risk_word};
use cuelight_base::Value;
use cuelight_engine::ask_hash;
use cuelight_plan::Risk;

/// The words that open the last row of an ask.
const END_OF_THE_ASK: &str = "END OF THE ASK";

/// The whole ask, in sections from top to bottom.
pub fn ask_rows(told: &AskTold<'_>) -> Vec<AskSection> {
    let none = || AskSection::of(AskPart::Votes, true);
    let votes = told.gate.map_or_else(none, |gate| vote_rows(gate, told.run, told.spelling));
    let mut out = vec![question(told)];
    out.extend(changes::sections(told));
    let (items, contents) = evidence::sections(told);
    if told.ask.binds.is_empty() {
        out.push(outcome::section(told));
        out.extend(items);
        out.extend(form(told));
        out.extend(calls::sections(told));
        out.extend(contents);
        out.extend(claim(told));
    } else {
        // Where an answer holds for values, the evidence of these values is read before all else.
        out.extend(items);
        out.extend(contents);
        out.extend(binds(told));
        out.extend(claim(told));
        out.push(outcome::section(told));
        out.extend(form(told));
        out.extend(calls::sections(told));
    }
    out.push(votes);
    out.push(people(told));
    out.extend(alike::section(told, ask_rows));
    if told.spelling.has_details {
        out.extend(ask_details(told));
    }
    out.push(end(told));
    out
}

/// The answers and remarks of a gate alone.
pub fn vote_rows(gate: &GateView, run: Option<&RunView>, spelling: AskSpelling) -> AskSection {
    let mut out = AskSection::of(AskPart::Votes, true);
    votes::votes(&mut out, gate, (run, spelling));
    out
}

/// The mark of a risk.
pub const fn risk_mark(risk: Risk) -> AskMark {
    match risk {
        Risk::ReadOnly | Risk::Reversible => AskMark::Good,
        Risk::ExternallyReversible => AskMark::Caution,
        Risk::Irreversible => AskMark::Danger,
    }
}

fn question(told: &AskTold<'_>) -> AskSection {
    let ask = told.ask;
    let mut out = AskSection::of(AskPart::Question, false);
    out.text(ask_risk_word(ask.risk), ask.prompt.trim_end_matches('\n'), AskMark::Title);
    if let Some(first) = out.rows.first_mut() {
        first.head_mark = risk_mark(ask.risk);
    }
    out
}

fn binds(told: &AskTold<'_>) -> Option<AskSection> {
    let mut out = AskSection::of(AskPart::Binds, true);
    for (index, value) in told.ask.binds.iter().enumerate() {
        out.text(if index == 0 { "binds" } else { "" }, value, AskMark::Plain);
    }
    (!out.rows.is_empty()).then_some(out)
}

fn form(told: &AskTold<'_>) -> Option<AskSection> {
    let ask = told.ask;
    let mut out = AskSection::of(AskPart::Form, false);
    for (index, field) in ask.form.iter().enumerate() {
        let missing = field.required && field.value.is_null();
        let value = match &field.value {
            Value::Null if missing => "not filled in".to_owned(),
            Value::Null => "empty".to_owned(),
            value => value.to_string(),
        };
        let pieces = vec![
            AskPiece::new(&field.name, AskMark::Title),
            AskPiece::new(" = ", AskMark::Muted),
            AskPiece::new(value, if missing { AskMark::Caution } else { AskMark::Plain }),
            AskPiece::new(format!("   {}", field.rule()), AskMark::Muted),
        ];
        out.row(if index == 0 { "you fill" } else { "" }, pieces);
        if let Some(text) = &field.description {
            text.split('\n').for_each(|line| out.quoted(line, AskMark::Muted));
        }
    }
    (!ask.form.is_empty()).then_some(out)
}

/// The requester's own words, apart from all that is known.
fn claim(told: &AskTold<'_>) -> Option<AskSection> {
    let claim = told.ask.claim.as_ref()?;
    let mut out = AskSection::of(AskPart::Claim, true);
    out.text("claim", super::CLAIM_WORDS, AskMark::Caution);
    claim.split('\n').for_each(|line| out.quoted(line, AskMark::Muted));
    Some(out)
}

fn people(told: &AskTold<'_>) -> AskSection {
    let ask = told.ask;
    let mut out = AskSection::of(AskPart::People, true);
    out.text(
        "who",
        format!("{}; asked for by {}", people_words(&ask.require), ask.requester),
        AskMark::Plain,
    );
    for note in ask.notes_on_who() {
        out.text("", note, AskMark::Caution);
    }
    for (_, why) in &ask.excluded {
        out.text("", why, AskMark::Muted);
    }
    if let Some(escalated) = told.gate.and_then(|gate| gate.escalated.as_ref()) {
        out.text("", format!("{escalated} may decide as well by now"), AskMark::Caution);
    }
    if ask.reason_required {
        out.text("", "an approval needs a reason", AskMark::Muted);
    }
    if let Some(window) = told.gate.and_then(GateView::window_words) {
        out.text("", window, AskMark::Muted);
    }
    out
}

/// The last row names the ask. A script that gives this name has read the end.
fn end(told: &AskTold<'_>) -> AskSection {
    let mut out = AskSection::of(AskPart::End, true);
    // The end has been seen only when all that stands above it was there.
    let is_being_read = |digest| (told.content)(digest).is_being_read();
    let files = told.ask.evidence.iter().filter(|item| item.text.is_none());
    if files.filter_map(|item| item.digest).any(is_being_read) {
        out.text("", "the evidence is being read; the end of the ask follows", AskMark::Muted);
        return out;
    }
    let hash = told.gate.map_or_else(|| ask_hash(told.ask), |gate| gate.hash);
    let pieces = vec![
        AskPiece::new(format!("{END_OF_THE_ASK}   "), AskMark::Title),
        AskPiece::new(hash.code(), risk_mark(told.ask.risk)),
    ];
    // A name beside which nothing stands is taken for the code that a person types.
    out.text("", "for a script, --ask takes the name of the ask:", AskMark::Muted);
    out.place(AskPlace::Alone, pieces);
    out
}
