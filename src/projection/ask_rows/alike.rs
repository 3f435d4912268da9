//! Other gates that ask the same, each told by what it differs in. An approver who has read one of them to its end has
//! read all.

use super::row::{AskMark, AskPart, AskPiece, AskPlace, AskSection, AskSpelling, AskTold};
use cuelight_base::counted;
use similar::{Algorithm, DiffOp, capture_diff_slices};

/// A section with a row for each other gate. `rows_of` makes the whole ask of a gate, by which they are compared.
pub(super) fn section(
    told: &AskTold<'_>,
    rows_of: impl Fn(&AskTold<'_>) -> Vec<AskSection>,
) -> Option<AskSection> {
    if told.others.is_empty() {
        return None;
    }
    // With the hashes of scripts: another script under the same name is another ask.
    let spelling = AskSpelling { has_details: true, ..told.spelling };
    let alone = AskTold { others: &[], spelling, ..*told };
    let here = lines(&rows_of(&alone));
    let mut out = AskSection::of(AskPart::Alike, true);
    let count = counted(told.others.len(), "more gate asks", "more gates ask");
    out.text("alike", format!("{count} the same; what differs:"), AskMark::Caution);
    for (gate, run) in told.others {
        let other = AskTold { ask: &gate.ask, gate: Some(gate), run: run.as_deref(), ..alone };
        let there = lines(&rows_of(&other));
        let mut pieces = vec![AskPiece::new(format!("{} of {}", gate.id, gate.run), AskMark::Title)];
        for (sign, mark, line) in differences(&here, &there) {
            pieces.push(AskPiece::new(format!("  {sign} "), AskMark::Muted));
            pieces.push(AskPiece::new(line, mark));
        }
        if pieces.len() == 1 {
            pieces.push(AskPiece::new("  nothing", AskMark::Muted));
        }
        out.place(AskPlace::Under, pieces);
    }
    Some(out)
}

/// The lines of an ask by which it is compared.
fn lines(sections: &[AskSection]) -> Vec<String> {
    let is_compared =
        |section: &&AskSection| !matches!(section.part, AskPart::Votes | AskPart::Alike | AskPart::End);
    let rows = sections.iter().filter(is_compared).flat_map(|section| &section.rows);
    rows.map(|row| format!("{} {}", row.head, row.words())).collect()
}

/// A line that stands in the place of another one is told alone; lines that are missing or added, by their sign.
fn differences<'a>(here: &'a [String], there: &'a [String]) -> Vec<(&'static str, AskMark, &'a str)> {
    let mut out = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, here, there) {
        let (old, new) = (&here[op.old_range()], &there[op.new_range()]);
        match op {
            DiffOp::Equal { .. } => {}
            DiffOp::Replace { old_len, new_len, .. } if old_len == new_len => {
                out.extend(new.iter().map(|line| ("+", AskMark::Added, line.as_str())));
            }
            DiffOp::Delete { .. } | DiffOp::Insert { .. } | DiffOp::Replace { .. } => {
                out.extend(old.iter().map(|line| ("-", AskMark::Removed, line.as_str())));
                out.extend(new.iter().map(|line| ("+", AskMark::Added, line.as_str())));
            }
        }
    }
    out
}
