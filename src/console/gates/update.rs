//! The inbox: its rows, which stay where they are when others arrive, the text of what is under the cursor, and what of
//! it was really on the screen. Nothing here opens by itself, and nothing here decides; see `deciding`.

use super::{
    answers::{is_gate, on_screen},
    ask_text::{Told, ask_text},
    deciding,
    doubt_text::{Doubtful, doubt_text},
    state::{Blob, Drawn, MadeOf, Other, RowKey, Seen, Text, gate_of, key_of},
};
use crate::{
    About, Answer, Intent, Lookup, Model, Role, Sheet, View, Width, Wish, layout,
    model::Asker,
    update::{moving, places, toast},
};
use cuelight_base::{AttemptId, Digest, Span, Timestamp};
use cuelight_engine::Refusal;
use cuelight_projection::{Attention, GateView, InboxRow};
use std::{cmp::Ordering, collections::BTreeMap, ops::Range, sync::Arc};

/// So much of a file of evidence is read; the rest is counted.
const BLOB_MAX: usize = 256 * 1024;
/// Lines of the last output of a step in doubt.
const TAIL: u32 = 40;

/// Goes to the gate that the step under the cursor is, where that asks people: it is closed by an answer alone.
pub(crate) fn shows_instead(model: &mut Model) -> bool {
    let (run, step) = (model.run(), model.step());
    let rows = model.board.inbox(None);
    let is_it = |row: &&InboxRow| Some(row.run) == run && Some(row.step) == step;
    let Some((key, Attention::Gate(gate))) = rows.iter().find(is_it).map(|row| (key_of(row), row.what))
    else {
        return false;
    };
    let is_gate = model.board.gate(gate).is_some_and(|gate| is_gate(model, gate));
    if is_gate {
        places::go(model, View::Gates);
        model.gates.selected = Some(key);
    }
    is_gate
}

/// Brings rows, text and what is read for it up to date.
pub(crate) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    if model.view != View::Gates {
        return;
    }
    if model.gates.rows_of != Some(model.board.seq) {
        rows(model);
    }
    read_files(model, wishes);
    text(model);
    scroll(model);
}

/// Rows that were there stay in their order down to the cursor; what is new joins below it, by need.
fn rows(model: &mut Model) {
    let fresh = model.board.inbox(Some((&model.seat.actor, model.now)));
    let rank: BTreeMap<RowKey, usize> =
        fresh.iter().enumerate().map(|(rank, row)| (key_of(row), rank)).collect();
    let mut by_key: BTreeMap<RowKey, InboxRow> = fresh.into_iter().map(|row| (key_of(&row), row)).collect();
    let old: Vec<RowKey> = model.gates.rows.iter().map(key_of).collect();
    let cursor = model.gates.selected.and_then(|selected| old.iter().position(|row| *row == selected));
    let head = cursor.map_or(0, |cursor| cursor + 1);
    let mut rows: Vec<InboxRow> = old[..head].iter().filter_map(|key| by_key.remove(key)).collect();
    let mut below: Vec<InboxRow> = by_key.into_values().collect();
    below.sort_by_key(|row| rank.get(&key_of(row)).copied());
    let gone = model.gates.selected.filter(|selected| !rank.contains_key(selected));
    let at = rows.len().saturating_sub(usize::from(gone.is_none()));
    rows.extend(below);
    model.gates.rows = rows;
    model.gates.rows_of = Some(model.board.seq);
    let last = model.gates.rows.len().saturating_sub(1);
    // One that was chosen elsewhere, before this list was ever seen, is kept as well.
    let kept = model.gates.selected.filter(|selected| rank.contains_key(selected));
    let selected = kept.or_else(|| model.gates.rows.get(at.min(last)).map(key_of));
    if let Some((Attention::Gate(gate), ..)) = gone
        && model.gates.drawn.is_some_and(|drawn| drawn.gate == gate)
        && let Some(news) = deciding::news(model, About::Gate(gate))
    {
        toast(model, &news, Role::Info);
    }
    select(model, selected);
    let open: Vec<RowKey> = model.gates.rows.iter().map(key_of).collect();
    let is_open = |gate: &cuelight_base::GateId| open.iter().any(|row| row.0 == Attention::Gate(*gate));
    model.gates.seen.retain(|key, _| open.contains(key));
    model.gates.read.retain(|gate, _| is_open(gate));
    model.gates.changed.retain(is_open);
    super::batch::forget(model);
}

/// Moves the cursor; a text that was not under it is read from its begin.
pub(crate) fn select(model: &mut Model, key: Option<RowKey>) {
    if model.gates.selected != key {
        if let Some(drawn) = model.gates.drawn
            && let Some(seen) = model.gates.selected.and_then(|selected| model.gates.seen.get_mut(&selected))
        {
            seen.shown = Span(seen.shown.0 + model.now.since(drawn.since).0);
        }
        model.gates.selected = key;
        model.gates.scroll = 0;
        model.gates.drawn = None;
    }
}

/// Asks for the files that the text under the cursor shows, and forgets those of others.
fn read_files(model: &mut Model, wishes: &mut Vec<Wish>) {
    let gate = model.gates.shown_gate(&model.board).cloned();
    let files = gate.iter().flat_map(|gate| &gate.ask.evidence).filter(|item| item.text.is_none());
    let mut wanted: Vec<Digest> = files.filter_map(|file| file.digest).collect();
    // Of a script that has changed since the last approval both texts.
    wanted.extend(gate.iter().flat_map(|gate| &gate.changed_scripts));
    model.gates.blobs.retain(|digest, _| wanted.contains(digest));
    for digest in wanted {
        if !model.gates.blobs.contains_key(&digest) {
            let want = Lookup::Blob { digest, from: 0 };
            let asked = Some(model.requests.read(Asker::Gates, want, wishes));
            model.gates.blobs.insert(digest, Blob { asked, ..Blob::default() });
        }
    }
    let attempt = last_attempt(model);
    if model.gates.tail.as_ref().map(|(attempt, _)| *attempt) != attempt {
        model.gates.tail = attempt.map(|attempt| {
            let want = Lookup::Tail { attempt, lines: TAIL };
            let asked = Some(model.requests.read(Asker::Gates, want, wishes));
            (attempt, Blob { asked, ..Blob::default() })
        });
        model.gates.blobs_read += 1;
    }
}

/// The last call of a step that is in doubt.
fn last_attempt(model: &Model) -> Option<AttemptId> {
    let (what, run, step) = model.gates.selected?;
    if matches!(what, Attention::Gate(_) | Attention::Review(..)) {
        return None;
    }
    let number = model.board.run(run)?.step(step)?.attempts().last()?.number;
    Some(AttemptId { run, step, number })
}

/// Something that was asked for has been read.
pub(crate) fn arrived(model: &mut Model, request: u64, sheet: Sheet, wishes: &mut Vec<Wish>) {
    let tail = model.gates.tail.as_mut().filter(|(_, blob)| blob.asked == Some(request));
    let found = model.gates.blobs.iter_mut().find(|(_, blob)| blob.asked == Some(request));
    let Some((digest, blob)) =
        found.map(|(digest, blob)| (Some(*digest), blob)).or(tail.map(|(_, blob)| (None, blob)))
    else {
        return;
    };
    blob.asked = None;
    match sheet {
        Sheet::Bytes { bytes, total, .. } => {
            let room = BLOB_MAX - blob.bytes.len().min(BLOB_MAX);
            let got = bytes.len();
            blob.bytes.extend(bytes.into_iter().take(room));
            let have = blob.bytes.len() as u64;
            blob.total = total.max(have);
            if let Some(digest) = digest
                && got > 0
                && have < total
                && blob.bytes.len() < BLOB_MAX
            {
                let want = Lookup::Blob { digest, from: have };
                blob.asked = Some(model.requests.read(Asker::Gates, want, wishes));
            }
        }
        Sheet::Missing(why) => blob.missing = Some(why),
        Sheet::Events { .. }
        | Sheet::Records(_)
        | Sheet::Chain { .. }
        | Sheet::Workflow(_)
        | Sheet::Agents(_) => {}
    }
    model.gates.blobs_read += 1;
}

/// Makes the text of what is under the cursor, when it is not the one that is there.
fn text(model: &mut Model) {
    let Some(of) = model.gates.selected else {
        model.gates.text = None;
        return;
    };
    let made_of = match of.0 {
        Attention::Gate(_) | Attention::Review(..) => {
            let run = model.board.run(of.1).cloned();
            gate_of(of.0, &model.board).cloned().map(|gate| MadeOf::Gate(gate, run))
        }
        Attention::Doubt | Attention::StuckUndo => model.board.run(of.1).cloned().map(MadeOf::Run),
    };
    let Some(made_of) = made_of else {
        model.gates.text = None;
        return;
    };
    let places = layout::gates(model);
    let (width, blobs_read) = (usize::from(places.text.width), model.gates.blobs_read);
    let others = match &made_of {
        MadeOf::Gate(gate, _) if matches!(of.0, Attention::Gate(_)) => super::batch::alike(model, gate),
        _ => Vec::new(),
    };
    let is_of = |known: &[Other]| {
        known.len() == others.len()
            && known.iter().zip(&others).all(|(known, other)| Arc::ptr_eq(&known.0, &other.0))
    };
    let fits = |text: &Arc<Text>| {
        text.of == of
            && text.width == width
            && text.blobs_read == blobs_read
            && text.made_of.is(&made_of)
            && is_of(&text.others)
    };
    if model.gates.text.as_ref().is_some_and(fits) {
        return;
    }
    let glyphs = model.look.glyphs;
    let prose = match &made_of {
        MadeOf::Gate(gate, run) => {
            // What was approved in an emergency may be older than what was read last.
            let read =
                model.gates.read.get(&gate.id).and_then(|(now, before)| match now.epoch.cmp(&gate.epoch()) {
                    Ordering::Less => Some(&**now),
                    Ordering::Equal => before.as_deref(),
                    Ordering::Greater => None,
                });
            let told = Told {
                gate,
                run: run.as_deref(),
                read,
                others: &others,
                blobs: &model.gates.blobs,
                with_votes: places.side.is_none(),
                glyphs,
                code: model.code_of(gate),
            };
            ask_text(&told, width)
        }
        MadeOf::Run(run) => {
            let Some(step) = run.step(of.2) else { return };
            let tail = model.gates.tail.as_ref().map(|(_, blob)| blob);
            doubt_text(&Doubtful { run, index: of.2, step, tail, glyphs }, width)
        }
    };
    model.gates.text = Some(Arc::new(Text { lines: prose.lines, of, width, made_of, others, blobs_read }));
}

/// Keeps cursor and text inside what there is.
fn scroll(model: &mut Model) {
    let places = layout::gates(model);
    let lines = model.gates.text.as_ref().map_or(0, |text| text.lines.len());
    model.gates.scroll = model.gates.scroll.min(lines.saturating_sub(usize::from(places.text.height)));
    let page = usize::from(places.rows.height / places.each.max(1));
    model.gates.top = moving::scrolled(model.gates.top, cursor(model), model.gates.rows.len(), page);
}

fn cursor(model: &Model) -> usize {
    let selected = model.gates.selected;
    model.gates.rows.iter().position(|row| Some(key_of(row)) == selected).unwrap_or(0)
}

/// A frame was drawn: the lines of the text that were in it have been seen.
pub(crate) fn drawn(model: &mut Model, at: Timestamp) {
    if model.view != View::Gates || layout::frame(model.size).width == Width::TooSmall {
        model.gates.drawn = None;
        return;
    }
    let gate = model.gates.gate().and_then(|gate| model.board.gate(gate)).cloned();
    if gate.is_none() {
        model.gates.drawn = None;
    }
    let Some(lines) = on_screen(model) else { return };
    note_seen(model, lines);
    let Some(gate) = gate else { return };
    let (id, epoch, hash) = (gate.id, gate.epoch(), gate.hash);
    let before = model.gates.drawn.filter(|drawn| (drawn.gate, drawn.epoch, drawn.hash) == (id, epoch, hash));
    model.gates.drawn = Some(before.unwrap_or(Drawn { gate: id, epoch, hash, since: at }));
    if model.gates.unseen() == 0 {
        was_read(model, &gate);
        let others = model.gates.text.as_ref().map(|text| text.others.clone()).unwrap_or_default();
        others.iter().for_each(|(other, _)| was_read(model, other));
    }
}

/// The whole ask of a gate was on the screen, or all that it differs in from another one that was.
fn was_read(model: &mut Model, gate: &GateView) {
    model.gates.changed.remove(&gate.id);
    let now = Arc::clone(&gate.ask);
    let entry = match model.gates.read.remove(&gate.id) {
        Some((read, before)) if read.epoch == now.epoch => (read, before),
        Some((read, _)) => (now, Some(read)),
        None => (now, None),
    };
    model.gates.read.insert(gate.id, entry);
}

fn note_seen(model: &mut Model, lines: Range<usize>) {
    let Some(text) = model.gates.text.clone() else { return };
    let hash = text.made_of.hash();
    let seen = model.gates.seen.entry(text.of).or_insert_with(|| Seen::of(hash));
    if seen.hash != hash {
        *seen = Seen::of(hash);
    }
    text.lines.iter().take(lines.end).skip(lines.start).for_each(|line| seen.note(line));
}

pub(crate) fn act(model: &mut Model, intent: Intent, count: Option<u32>, _wishes: &mut Vec<Wish>) {
    let places = layout::gates(model);
    let page = usize::from(places.text.height);
    let lines = model.gates.text.as_ref().map_or(0, |text| text.lines.len());
    let pages = matches!(intent, Intent::HalfDown | Intent::HalfUp | Intent::PageDown | Intent::PageUp);
    if intent == Intent::ReadOn {
        let at_end = model.gates.scroll + page >= lines;
        if at_end && model.gates.unseen() == 0 && super::batch::toggle(model) {
            return;
        }
        // To the first line that was not seen, which may be one that a message lay over; else a page on.
        let next = model.gates.first_unseen().unwrap_or(model.gates.scroll + page.saturating_sub(1).max(1));
        model.gates.scroll = next.min(lines.saturating_sub(page));
        return;
    }
    if model.gates.reading || pages {
        if let Some(to) =
            moving::moved(intent, model.gates.scroll, lines.saturating_sub(page) + 1, page, count)
        {
            model.gates.scroll = if pages { not_past_unseen(model, to) } else { to };
            return;
        }
    } else {
        let shown = usize::from(places.rows.height / places.each.max(1));
        if let Some(to) = moving::moved(intent, cursor(model), model.gates.rows.len(), shown, count) {
            let key = model.gates.rows.get(to).map(key_of);
            select(model, key);
            return;
        }
    }
    match intent {
        Intent::Open | Intent::Right | Intent::NextPanel if !model.gates.reading => {
            model.gates.reading = model.gates.selected.is_some();
        }
        Intent::Left | Intent::NextPanel => model.gates.reading = false,
        Intent::Escape if model.gates.reading => model.gates.reading = false,
        Intent::Escape if model.gates.marked.is_empty() => places::backward(model),
        Intent::MarkRange => super::batch::mark(model, true),
        Intent::MarkAll => super::batch::mark(model, false),
        Intent::Escape => model.gates.marked.clear(),
        Intent::NextGate | Intent::PreviousGate => {
            let step = if intent == Intent::NextGate { Intent::Down } else { Intent::Up };
            if let Some(to) = moving::moved(step, cursor(model), model.gates.rows.len(), 1, count) {
                let key = model.gates.rows.get(to).map(key_of);
                select(model, key);
            }
        }
        Intent::Open => {
            toast(model, "the keys of the last row answer; Esc goes back to the list", Role::Info);
        }
        _ => {}
    }
}

/// A page key passes no line that was not on the screen: a message may have lain over it, or no frame was drawn yet.
fn not_past_unseen(model: &Model, to: usize) -> usize {
    let next = model.gates.first_unseen().filter(|unseen| *unseen >= model.gates.scroll);
    next.map_or(to, |unseen| to.min(unseen))
}

/// A click selects; it never decides. True for a row of the list.
pub(crate) fn click(model: &mut Model, column: u16, row: u16) -> bool {
    let places = layout::gates(model);
    let at = ratatui::layout::Position::new(column, row);
    if places.text.contains(at) {
        model.gates.reading = model.gates.selected.is_some();
    } else if places.rows.contains(at) {
        model.gates.reading = false;
        let index = model.gates.top + usize::from((row - places.rows.y) / places.each.max(1));
        if let Some(key) = model.gates.rows.get(index).map(key_of) {
            select(model, Some(key));
            return true;
        }
    }
    false
}

/// A command was answered.
pub(crate) fn answered(model: &mut Model, request: u64, answer: &Answer) {
    model.gates.sent.remove(&request);
    if let Answer::Refused(Refusal::AskChanged { gate, .. } | Refusal::AskedAnew(gate)) = answer {
        model.gates.changed.insert(*gate);
    }
}
