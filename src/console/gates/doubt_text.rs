//! A step that nobody knows the end of, or an undo that is stuck, as text that people read before they answer.

use super::{
    ask_text::framed,
    prose::{HEAD, Prose, foreign_pieces},
    state::Blob,
};
use crate::{Glyphs, Role};
use cuelight_base::{Launch, StepIx, Timestamp, Untrusted, counted};
use cuelight_engine::Purpose;
use cuelight_projection::{RunView, StepView, UndoState, command_line, doubt, stuck_words};

/// All that is told of such a step.
pub(crate) struct Doubtful<'a> {
    pub run: &'a RunView,
    pub index: StepIx,
    pub step: &'a StepView,
    /// The end of the output of its last attempt.
    pub tail: Option<&'a Blob>,
    pub glyphs: Glyphs,
}

/// The text in lines of this width.
pub(super) fn doubt_text(doubtful: &Doubtful<'_>, width: usize) -> Prose {
    let mut out = Prose::new(width);
    out.begin();
    let id = doubtful.run.step_id(doubtful.index);
    match doubtful.step.undo() {
        UndoState::Stuck(record) => {
            out.foreign(
                "asks",
                &format!("{id} was to be undone, and that did not work. What now?"),
                Role::Text,
            );
            out.foreign("failed", &record.message, Role::Fail);
        }
        _ => {
            out.foreign(
                "asks",
                &format!("Did {id} happen? Nobody knows how its last call ended."),
                Role::Text,
            );
            out.foreign("known", doubtful.step.doubt().unwrap_or("nothing"), Role::Warn);
            if let Some(doubt) = doubt(doubtful.run, doubtful.index) {
                let class = format!("{}: {}", doubt.class.word(), doubt.may_have());
                out.said("effect", &class, Role::Warn);
            }
        }
    }
    out.said("risk", "HIGH: what happened outside is not known", Role::Fail);
    for call in doubtful.step.attempts().iter().rev().take(3) {
        out.blank();
        let what = match call.purpose {
            Purpose::Undo => "undo",
            Purpose::Step => "call",
            Purpose::Fallback(_) => "fallback",
            Purpose::Check => "check",
        };
        let mut line = foreign_pieces(&command_line(&Launch::of(call.argv.iter().cloned())), Role::Info);
        line.insert(0, (format!("{}  ", call.number), Role::Muted));
        out.row(what, HEAD, &line);
        out.said("sent", &times(call), Role::Text);
        if let Some(lost) = &call.lost {
            out.foreign("lost", lost, Role::Warn);
        }
        if let Some(failure) = &call.failure {
            out.foreign("failed", &failure.message, Role::Fail);
        }
    }
    out.blank();
    output(&mut out, doubtful);
    out.blank();
    answers(&mut out, doubtful);
    out
}

fn times(call: &cuelight_projection::AttemptView) -> String {
    let clock = |at: Timestamp| at.clock();
    let end = call.ended_at.map_or_else(|| "no end is known".to_owned(), |at| format!("ended {}", clock(at)));
    format!("began {}, {end}; wrote {}", clock(call.started_at), counted(call.output_bytes, "byte", "bytes"))
}

fn output(out: &mut Prose, doubtful: &Doubtful<'_>) {
    let lines: Vec<(String, Role)> = match doubtful.tail {
        None => vec![("nothing was called".to_owned(), Role::Muted)],
        Some(Blob { missing: Some(why), .. }) => vec![(why.clone(), Role::Warn)],
        Some(blob) if blob.asked.is_some() => vec![("(is being read)".to_owned(), Role::Muted)],
        Some(blob) if blob.bytes.is_empty() => vec![("it wrote nothing".to_owned(), Role::Muted)],
        Some(blob) => {
            let text = Untrusted::from_bytes(&blob.bytes);
            text.raw()
                .trim_end()
                .split('\n')
                .map(|line| (line.trim_end_matches('\r').to_owned(), Role::Text))
                .collect()
        }
    };
    out.said("output", "the last of it", Role::Muted);
    framed(out, &lines, doubtful.glyphs);
}

fn answers(out: &mut Prose, doubtful: &Doubtful<'_>) {
    if let UndoState::Stuck(_) = doubtful.step.undo() {
        out.said("again", &stuck_words(true), Role::Text);
        out.said("by hand", &stuck_words(false), Role::Text);
        return;
    }
    let answers = doubt(doubtful.run, doubtful.index)
        .map(|doubt| doubt.answers.map(|answer| answer.1))
        .unwrap_or_default();
    for (head, text) in ["happened", "did not", "give up"].into_iter().zip(&answers) {
        out.said(head, text, Role::Text);
    }
}
