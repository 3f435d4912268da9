//! The differences of an ask from the one that was read before it, and from the one that was approved last: first those
//! of the calls, which an approver should not miss.

use super::row::{AskContent, AskMark, AskPart, AskPiece, AskSection, AskTold};
use crate::{AskChange, ask_diff, names_in_words};
use cuelight_base::{Value, shorten};
use cuelight_engine::Ask;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::{BTreeMap, btree_map::Entry};

/// Characters shown of a changed value. The ask shows the whole value in its own place.
const CHANGE_MAX: usize = 160;
/// Two values of at most so many characters stand on one row.
const BESIDE_MAX: usize = 24;
/// Lines shown of a text that has changed.
const LINES_MAX: usize = 200;
/// Characters before the first difference of a long line.
const BEFORE: usize = 40;
/// Changes shown of what a run shows and asks; those of what it calls are all shown.
const OTHERS_MAX: usize = 6;

pub(super) fn sections(told: &AskTold<'_>) -> Vec<AskSection> {
    let mut sections = Vec::new();
    let gate = told.gate;
    if let Some(why) = gate.and_then(|gate| gate.asked_anew.as_ref()) {
        let mut out = AskSection::of(AskPart::Question, false);
        out.text("again", format!("asked again in epoch {}: {why}", told.ask.epoch), AskMark::Caution);
        sections.push(out);
    }
    if let Some(before) = told.read.or(gate.and_then(|gate| gate.previous.as_deref())) {
        let mut out = AskSection::of(AskPart::Changes, false);
        let found = Found::between(before, told);
        if found.is_empty() {
            out.text("changes", "none that the ask shows", AskMark::Muted);
        }
        found.write(&mut out, "changes");
        sections.push(out);
    }
    sections.extend(last_time(told));
    sections
}

fn last_time(told: &AskTold<'_>) -> Option<AskSection> {
    let approved = told.gate?.last_approved.as_ref()?;
    let mut out = AskSection::of(AskPart::Changes, false);
    let (run, by, at) = (approved.ask.run, approved.by.join(", "), (told.spelling.at)(approved.at));
    let found = Found::between(&approved.ask, told);
    if found.is_empty() {
        out.text(
            "last time",
            format!("the same calls, evidence and form, approved by {by} in {run}, {at}"),
            AskMark::Good,
        );
        return Some(out);
    }
    if found.calls.is_empty() {
        let text = format!("calls the same; approved by {by} in {run}, {at}; differs:");
        out.text("last time", text, AskMark::Plain);
    } else {
        out.text("CHANGED", format!("since {by} approved it in {run}, {at}:"), AskMark::Caution);
        out.rows[0].head_mark = AskMark::Caution;
    }
    found.write(&mut out, "");
    Some(out)
}

/// The words of a change, and its values before and after.
type Sentence = (String, [Option<String>; 2]);

/// The name of a copy in a sentence, as `roll[eu]`, and the text around it.
fn without_copy(words: &str) -> (Option<(&str, &str)>, Option<String>) {
    let found = words.find('[').and_then(|open| {
        let from = words[..open].rfind(' ').map_or(0, |blank| blank + 1);
        let to = open + words[open..].find(']')? + 1;
        Some((from, to))
    });
    match found {
        Some((from, to)) => (Some((&words[..from], &words[to..])), Some(words[from..to].to_owned())),
        None => (None, None),
    }
}

/// Differences of two asks, apart by whether they concern what an approval lets run.
struct Found<'a, 'b> {
    calls: Vec<AskChange>,
    others: Vec<AskChange>,
    told: &'a AskTold<'b>,
}

impl<'a, 'b> Found<'a, 'b> {
    fn between(before: &Ask, told: &'a AskTold<'b>) -> Self {
        let all = ask_diff(before, told.ask);
        // The hash of a call says nothing beside what has changed in it.
        let says_more = |change: &AskChange| {
            let call = change.path.strip_suffix("launch_hash");
            call.is_none_or(|call| {
                !all.iter().any(|other| other.path != change.path && other.path.starts_with(call))
            })
        };
        // So does that of evidence, and its length.
        let is_shown = |change: &AskChange| {
            let text = |ending: &str| change.path.strip_suffix(ending).map(|item| format!("{item}.text"));
            let text = text(".digest").or_else(|| text(".bytes"));
            !text.is_some_and(|text| all.iter().any(|other| other.path == text))
        };
        // The hash of the plan says nothing beside what has changed in it.
        let is_plan = |change: &AskChange| change.path == "plan" && all.len() > 1;
        let shown =
            all.iter().filter(|change| says_more(change) && is_shown(change) && !is_plan(change)).cloned();
        let (calls, others) = shown.partition(AskChange::is_of_calls);
        Self { calls, others, told }
    }

    fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.others.is_empty()
    }

    /// A sentence for each change. Several fields of one thing have one, and so have copies of one step that changed alike.
    fn sentences(&self) -> Vec<(&AskChange, Sentence)> {
        let mut out: Vec<(&AskChange, Sentence, Vec<String>)> = Vec::new();
        let mut known: BTreeMap<(String, [Option<String>; 2]), usize> = BTreeMap::new();
        for change in self.calls.iter().chain(&self.others) {
            let told = change.words();
            let (around, copy) = without_copy(&told.0);
            let around =
                around.map_or_else(|| told.0.clone(), |(before, after)| format!("{before}[]{after}"));
            // Files with other contents are other changes, although no value is shown of them.
            let digests =
                change.path.ends_with(".digest").then(|| (change.before.clone(), change.after.clone()));
            let around = format!("{around} {digests:?}");
            match known.entry((around, told.1.clone())) {
                Entry::Occupied(at) => {
                    let copies = &mut out[*at.get()].2;
                    copies.extend(copy.filter(|copy| !copies.contains(copy)));
                }
                Entry::Vacant(at) => {
                    at.insert(out.len());
                    out.push((change, told, copy.into_iter().collect()));
                }
            }
        }
        let whole = |(change, (words, values), copies): (_, Sentence, Vec<String>)| {
            let words = match (without_copy(&words).0, copies.len()) {
                (Some((before, after)), 2..) => format!("{before}{}{after}", names_in_words(&copies)),
                _ => words,
            };
            (change, (words, values))
        };
        out.into_iter().map(whole).collect()
    }

    /// The text of a script before and after, where both were kept and are read.
    fn texts(&self, change: &AskChange) -> Option<(String, String)> {
        if let (Some(Value::String(before)), Some(Value::String(after))) = (&change.before, &change.after) {
            if [before, after].iter().any(|text| text.contains('\n')) {
                return Some((before.clone(), after.clone()));
            }
            if change.is_script() {
                return Some((self.text(before)?, self.text(after)?));
            }
        }
        None
    }

    fn text(&self, digest: &str) -> Option<String> {
        match (self.told.content)(digest.parse().ok()?) {
            AskContent::Bytes(bytes, total) if bytes.len() as u64 == total => {
                String::from_utf8(bytes.to_vec()).ok()
            }
            _ => None,
        }
    }

    fn write(&self, out: &mut AskSection, head: &'static str) {
        let mut head = head;
        let mut rows = 0;
        for (change, told) in self.sentences() {
            rows += usize::from(!change.is_of_calls());
            if rows <= OTHERS_MAX {
                let head = std::mem::take(&mut head);
                match self.texts(change) {
                    Some((before, after)) => lines(out, (head, &told.0), &before, &after),
                    None if change.is_script() => {
                        let words = format!("{}; its lines cannot be compared", told.0);
                        out.text(head, words, AskMark::Caution);
                    }
                    None => one(out, head, &told),
                }
            }
        }
        if rows > OTHERS_MAX {
            let more = format!("and {} more, in what it shows and asks", rows - OTHERS_MAX);
            out.text("", more, AskMark::Muted);
        }
    }
}

fn one(out: &mut AskSection, head: &'static str, (words, values): &Sentence) {
    match values {
        [Some(before), Some(after)]
            if before.chars().count() <= BESIDE_MAX && after.chars().count() <= BESIDE_MAX =>
        {
            let pieces = vec![
                AskPiece::new(format!("{words}: "), AskMark::Plain),
                AskPiece::new(before, AskMark::Removed),
                AskPiece::new(" is now ", AskMark::Muted),
                AskPiece::new(after, AskMark::Added),
            ];
            out.row(head, pieces);
        }
        [before, after] => {
            out.text(head, words, AskMark::Plain);
            for (sign, value, mark) in [("- ", before, AskMark::Removed), ("+ ", after, AskMark::Added)] {
                if let Some(value) = value {
                    out.under(&format!("{sign}{}", shorten(value, CHANGE_MAX)), mark);
                }
            }
        }
    }
}

/// The lines that a text lost and gained. A line in the place of another one stands right below it.
fn lines(out: &mut AskSection, (head, words): (&'static str, &str), before: &str, after: &str) {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let mut rows: Vec<(AskMark, String)> = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let (lost, gained) = (&old[op.old_range()], &new[op.new_range()]);
        for index in 0..lost.len().max(gained.len()) {
            let (lost, gained) = (lost.get(index), gained.get(index));
            for (line, other, mark) in [(lost, gained, AskMark::Removed), (gained, lost, AskMark::Added)] {
                rows.extend(line.map(|line| (mark, around(line, other.unwrap_or(&"")))));
            }
        }
    }
    let count = |mark| rows.iter().filter(|row| row.0 == mark).count();
    let (added, removed) = (count(AskMark::Added), count(AskMark::Removed));
    out.text(head, format!("{words}: +{added} -{removed} lines"), AskMark::Plain);
    for (mark, line) in rows.iter().take(LINES_MAX) {
        let sign = if *mark == AskMark::Added { "+" } else { "-" };
        out.under(&format!("{sign} {line}"), *mark);
    }
    if rows.len() > LINES_MAX {
        out.under(
            &format!("{} more lines differ and are not shown", rows.len() - LINES_MAX),
            AskMark::Caution,
        );
    }
}

/// A line as far as it is shown: a long one from where it begins to differ.
fn around(line: &str, other: &str) -> String {
    let shown = line.strip_suffix('\n').unwrap_or(line);
    let end = if shown.len() == line.len() { " (no line end)" } else { "" };
    if shown.chars().count() <= CHANGE_MAX {
        return format!("{shown}{end}");
    }
    let same = line.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let from = same.saturating_sub(BEFORE);
    let rest: String = shown.chars().skip(from).collect();
    let front = if from > 0 { "… " } else { "" };
    format!("{front}{}{end}", shorten(&rest, CHANGE_MAX))
}
