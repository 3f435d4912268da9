//! Keys of Audit, and what is read of the log for it: as many records as are seen and some more, at the end that is
//! scrolled to.

use super::state::{ChainState, FIELDS, Side, Window, json_lines};
use crate::{
    Intent, Lookup, Model, Query, Role, Sheet, View, Wish, layout,
    model::{Asker, Overlay, Sheetlet},
    update::{moving, places, toast},
};
use cuelight_base::{Seq, counted, safe_text};
use cuelight_projection::{Attention, Record, TrailRow};
use std::sync::Arc;

/// Records asked for at once.
const PAGE: u64 = 512;
/// Bytes that a terminal takes into the clipboard.
const COPY_BYTES_MAX: usize = 74_994;
/// Characters of a value in a line of the detail.
const VALUE_CHARS: usize = 160;

/// Brings rows, cursor and detail up to date, and asks for what is missing.
pub(crate) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    if model.view != View::Audit {
        return;
    }
    let head = model.board.seq.0;
    let audit = &mut model.workspace.audit;
    if audit.window.low == 0 {
        audit.window = Window::at(head);
    }
    audit.window.cut(head);
    let rows = &audit.window.rows;
    if audit.selected.is_none_or(|selected| audit.window.place_of(selected).is_none()) {
        // The one that was selected is gone: what stands where it stood.
        let at = audit.selected.map_or(0, |selected| rows.partition_point(|row| row.row.seq > selected));
        let last = rows.len().saturating_sub(1);
        let at = if audit.to_oldest { last } else { at.min(last) };
        audit.selected = rows.get(at).map(|row| row.row.seq).or(audit.selected);
    }
    if audit.to_oldest && audit.window.low <= 1 && !rows.is_empty() {
        audit.selected = rows.back().map(|row| row.row.seq);
        audit.to_oldest = false;
    }
    let page = usize::from(layout::audit(model).rows.height).max(1);
    let audit = &mut model.workspace.audit;
    let at = audit.selected.and_then(|selected| audit.window.place_of(selected)).unwrap_or(0);
    audit.top = moving::scrolled(audit.top, at, audit.window.rows.len(), page);
    read_on(model, page, head, wishes);
    read_record(model, wishes);
    detail(model);
}

/// Asks for what follows at an end of the window, when that is near or seen.
fn read_on(model: &mut Model, page: usize, head: u64, wishes: &mut Vec<Wish>) {
    let audit = &model.workspace.audit;
    if audit.asked.is_some() || audit.missing.is_some() {
        return;
    }
    let (len, window) = (audit.window.rows.len(), &audit.window);
    let side = if window.low > 1 && (len < audit.top + 2 * page || audit.seeks) {
        Side::Older
    } else if window.high < head && (audit.top < page || len < page) {
        Side::Newer
    } else {
        return;
    };
    let (from, to) = match side {
        Side::Older => (window.low.saturating_sub(1 + PAGE), window.low - 1),
        Side::Newer => (window.high, head.min(window.high + PAGE)),
    };
    let from = audit.partial.last().map_or(from, |record| record.seq.0);
    let limit = u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX);
    let want = Lookup::Records { after: Seq(from), limit };
    model.workspace.audit.asked = Some((model.requests.read(Asker::Audit, want, wishes), side));
}

/// The record under the cursor is read whole: rows keep only what they show.
fn read_record(model: &mut Model, wishes: &mut Vec<Wish>) {
    let audit = &model.workspace.audit;
    let Some(seq) = audit.row().map(|row| row.seq) else { return };
    if audit.record.as_ref().is_some_and(|record| record.seq == seq) || audit.record_asked.is_some() {
        return;
    }
    let want = Lookup::Records { after: Seq(seq.0.saturating_sub(1)), limit: 1 };
    model.workspace.audit.record_asked = Some((model.requests.read(Asker::Audit, want, wishes), seq));
}

pub(crate) fn read(model: &mut Model, request: u64, sheet: Sheet) {
    let audit = &mut model.workspace.audit;
    if audit.chain_asked.take_if(|asked| *asked == request).is_some() {
        return verified(model, sheet);
    }
    if let Some((_, wanted)) = audit.record_asked.take_if(|asked| asked.0 == request) {
        if let Sheet::Records(records) = sheet {
            audit.record = records.into_iter().find(|record| record.seq == wanted).map(Arc::new);
        }
        return;
    }
    let Some((_, side)) = audit.asked.take_if(|asked| asked.0 == request) else { return };
    match sheet {
        Sheet::Records(records) => take(model, side, records),
        Sheet::Missing(why) => {
            toast(model, &why, Role::Warn);
            model.workspace.audit.missing = Some(why);
        }
        Sheet::Bytes { .. }
        | Sheet::Events { .. }
        | Sheet::Chain { .. }
        | Sheet::Workflow(_)
        | Sheet::Agents(_) => {}
    }
}

/// A page, or a piece of one.
fn take(model: &mut Model, side: Side, records: Vec<Record>) {
    let query = Query::parse(&model.workspace.audit.filter, FIELDS);
    let everything = model.workspace.audit.everything;
    let fits = |row: &TrailRow| (everything || row.is_decision) && fits(&query, row);
    let board = Arc::clone(model.live());
    let audit = &mut model.workspace.audit;
    let before = audit.window.rows.front().map(|row| row.row.seq);
    if records.is_empty() {
        // Nothing stands there: the log begins later, or is shorter than it was said to be.
        match side {
            Side::Older => audit.window.low = 1,
            Side::Newer => audit.missing = Some("could not read on; V verifies the log".to_owned()),
        }
        audit.partial.clear();
        return;
    }
    audit.partial.extend(records);
    let ends = audit.partial.last().map_or(0, |record| record.seq.0);
    match side {
        Side::Older if ends + 1 < audit.window.low => return,
        Side::Older => audit.window.older(&std::mem::take(&mut audit.partial), &board, fits),
        Side::Newer => audit.window.newer(&std::mem::take(&mut audit.partial), &board, fits),
    }
    // What is new stands above; what is seen does not move.
    if let Some(place) = before.and_then(|seq| audit.window.place_of(seq)).filter(|_| side == Side::Newer) {
        audit.top += place;
    }
    if audit.seeks {
        audit.seeks = false;
        if audit.window.low > 1 && hit(model, true).is_none() {
            model.workspace.audit.seeks = true;
        } else {
            find(model, true);
        }
    }
}

fn fits(query: &Query, row: &TrailRow) -> bool {
    let says = |field: &str| match field {
        "run" => row.run.map_or_else(String::new, |run| run.to_string()),
        "by" => row.who.clone(),
        "type" => row.kind.to_owned(),
        "verdict" => row.verdict.unwrap_or_default().to_owned(),
        "channel" => row.channel.unwrap_or_default().to_owned(),
        _ => row.on.clone(),
    };
    query.is_empty() || {
        let run = row.run.map_or_else(String::new, |run| run.to_string());
        query.fits(says, &format!("{} {} {} {} {run} {}", row.seq, row.who, row.kind, row.on, row.why))
    }
}

fn verified(model: &mut Model, sheet: Sheet) {
    let at = model.clock;
    match sheet {
        Sheet::Chain { records, head, broken: None } => {
            model.workspace.audit.chain = ChainState::Holds { records, head, at };
            toast(model, &format!("the chain holds: {}", counted(records, "record", "records")), Role::Ok);
        }
        Sheet::Chain { records, broken: Some(why), .. } => {
            toast(model, &format!("the chain is broken at {why}"), Role::Fail);
            model.workspace.audit.chain = ChainState::Broken { records, why, at };
        }
        Sheet::Missing(why) => toast(model, &why, Role::Warn),
        Sheet::Bytes { .. }
        | Sheet::Events { .. }
        | Sheet::Records(_)
        | Sheet::Workflow(_)
        | Sheet::Agents(_) => {}
    }
}

/// The record under the cursor in lines.
fn detail(model: &mut Model) {
    let audit = &model.workspace.audit;
    let Some(record) = audit.record.clone().filter(|record| Some(record.seq) == audit.selected) else {
        (model.workspace.audit.detail, model.workspace.audit.detail_of) = (Vec::new(), None);
        return;
    };
    let of = Some((record.seq, audit.as_json));
    if audit.detail_of == of {
        return;
    }
    let lines = if audit.as_json {
        json_lines(&record, model.live()).into_iter().map(|json_line| (json_line, Role::Text)).collect()
    } else {
        in_words(model, &record)
    };
    (model.workspace.audit.detail, model.workspace.audit.detail_of) = (lines, of);
}

fn in_words(model: &Model, record: &Record) -> Vec<(String, Role)> {
    let run = record.event.fact.run().and_then(|run| model.live().run(run));
    let row = TrailRow::of(record.seq, &record.event, run.map(|run| &**run));
    let line = |name: &str, text: &str| (format!("{name:<12} {}", safe_text(text)), Role::Text);
    let who = row.channel.map_or_else(|| row.who.clone(), |channel| format!("{}   by {channel}", row.who));
    let run = row.run.map_or_else(String::new, |run| format!("run {run}   "));
    let mut lines = vec![
        line("who", &who),
        line("when", &row.at.to_string()),
        line("what", row.kind),
        line("on", &format!("{run}{}", row.on)),
    ];
    lines.extend(row.stage.map(|stage| line("stage", stage.word())));
    if !row.why.is_empty() {
        lines.push(line("why", &row.why));
    }
    lines.extend(row.verdict.map(|verdict| line("verdict", verdict)));
    let value = cuelight_projection::event_line(record.seq, &record.event, None);
    let data = value.get("data").and_then(|data| data.as_object()).into_iter().flatten();
    // Who it was and what they said is told above.
    for (name, value) in data.filter(|(name, _)| !matches!(name.as_str(), "by" | "verdict")) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        lines.push(line(name, &cuelight_base::shorten(&text, VALUE_CHARS)));
    }
    let sign = model.look.glyphs.pick("✓", "+");
    let (words, role) = if record.holds {
        (format!("{sign} sha256(prev, record)"), Role::Ok)
    } else {
        (format!("{} not the hash of what is written here", model.look.glyphs.pick("✗", "x")), Role::Fail)
    };
    lines.push((format!("{:<12} {}", "prev hash", record.prev), Role::Muted));
    lines.push((format!("{:<12} {}", "this hash", record.hash), Role::Muted));
    lines.push((format!("{:<12} {words}", ""), role));
    lines
}

pub(crate) fn act(model: &mut Model, intent: Intent, count: Option<u32>, wishes: &mut Vec<Wish>) {
    let page = usize::from(layout::audit(model).rows.height);
    let audit = &mut model.workspace.audit;
    match intent {
        Intent::First if count.is_none() => return first(model),
        Intent::Last if count.is_none() => return last(model),
        _ => {}
    }
    let at = audit.selected.and_then(|selected| audit.window.place_of(selected)).unwrap_or(0);
    if let Some(to) = moving::moved(intent, at, audit.window.rows.len(), page, count) {
        audit.selected = audit.window.rows.get(to).map(|row| row.row.seq);
        return;
    }
    match intent {
        Intent::Everything => {
            audit.everything = !audit.everything;
            begin_anew(model);
        }
        Intent::Json => audit.as_json = !audit.as_json,
        Intent::Verify => verify(model, wishes),
        Intent::Open => open(model),
        Intent::GoThere => go_there(model),
        Intent::SameRun => {
            let word = model.workspace.audit.row().and_then(|row| row.run).map(|run| format!("run:{run}"));
            only(model, word, "it belongs to no run");
        }
        Intent::SameUser => {
            let word = model
                .workspace
                .audit
                .row()
                .map(|row| format!("by:{}", row.who.split(' ').next().unwrap_or("")));
            only(model, word, "nothing is selected");
        }
        Intent::CopyLine => copy(model, wishes),
        Intent::NextMatch => find(model, true),
        Intent::PreviousMatch => find(model, false),
        Intent::Escape if audit.filter.is_empty() => places::backward(model),
        Intent::Escape => set_filter(model, ""),
        _ => {}
    }
}

pub(crate) fn set_filter(model: &mut Model, text: &str) {
    text.clone_into(&mut model.workspace.audit.filter);
    begin_anew(model);
}

/// A filter of one word, or without it when it was there.
fn only(model: &mut Model, word: Option<String>, missing: &str) {
    let Some(word) = word else { return toast(model, missing, Role::Info) };
    let words: Vec<&str> = model.workspace.audit.filter.split_whitespace().collect();
    let text = if words.contains(&word.as_str()) {
        words.into_iter().filter(|other| *other != word).collect::<Vec<_>>().join(" ")
    } else {
        format!("{} {word}", model.workspace.audit.filter).trim().to_owned()
    };
    set_filter(model, &text);
}

/// Reads the rows anew, around the record under the cursor.
fn begin_anew(model: &mut Model) {
    let head = model.board.seq.0;
    let audit = &mut model.workspace.audit;
    audit.window = Window::at(head);
    (audit.asked, audit.missing, audit.seeks, audit.to_oldest) = (None, None, false, false);
    audit.partial.clear();
    (audit.selected, audit.top) = (None, 0);
}

fn first(model: &mut Model) {
    if model.workspace.audit.window.high < model.board.seq.0 {
        begin_anew(model);
    }
    model.workspace.audit.selected = model.workspace.audit.window.rows.front().map(|row| row.row.seq);
}

fn last(model: &mut Model) {
    let audit = &mut model.workspace.audit;
    if audit.window.low > 1 {
        audit.window = Window::at(0);
        (audit.asked, audit.missing, audit.seeks, audit.to_oldest) = (None, None, false, true);
        audit.partial.clear();
        audit.selected = None;
    } else {
        audit.selected = audit.window.rows.back().map(|row| row.row.seq);
    }
}

fn verify(model: &mut Model, wishes: &mut Vec<Wish>) {
    if model.workspace.audit.chain_asked.is_none() {
        let request = model.requests.read(Asker::Audit, Lookup::Chain, wishes);
        model.workspace.audit.chain_asked = Some(request);
    }
}

/// The whole record over the view.
fn open(model: &mut Model) {
    let Some(record) = model
        .workspace
        .audit
        .record
        .clone()
        .filter(|record| Some(record.seq) == model.workspace.audit.selected)
    else {
        return;
    };
    let lines =
        json_lines(&record, model.live()).into_iter().map(|json_line| (json_line, Role::Text)).collect();
    let title = format!("record {}", record.seq);
    model.overlay = Some(Overlay::Text(Sheetlet { title, lines, top: 0 }));
}

/// To the gate of a record when it waits, else to its step or run.
fn go_there(model: &mut Model) {
    let Some(row) = model.workspace.audit.row().cloned() else { return };
    let Some(run) = row.run else { return toast(model, "it belongs to no run", Role::Info) };
    if model.board.run(run).is_none() {
        let text = format!("the steps of {run} are not in memory any more; `cuelight show {run}` reads them");
        return toast(model, &text, Role::Warn);
    }
    if let Some(gate) =
        row.gate.and_then(|gate| model.board.gate(gate)).filter(|gate| gate.is_open()).cloned()
    {
        places::go(model, View::Gates);
        model.gates.selected = Some((Attention::Gate(gate.id), gate.run, gate.step));
        return;
    }
    places::to_graph(model, run, row.step);
}

fn copy(model: &mut Model, wishes: &mut Vec<Wish>) {
    let Some(record) = model.workspace.audit.record.clone() else {
        return toast(model, "could not copy: nothing is selected", Role::Warn);
    };
    let text = json_lines(&record, model.live()).join("\n");
    if text.len() > COPY_BYTES_MAX {
        return toast(model, "could not copy: it is too long for a terminal; E saves the screen", Role::Warn);
    }
    toast(model, &format!("copied record {} by OSC 52: {} B", record.seq, text.len()), Role::Info);
    wishes.push(Wish::Copy(text));
}

/// The next row that the search fits, older ones first.
fn hit(model: &Model, older: bool) -> Option<Seq> {
    let query = Query::parse(&model.runs.find, FIELDS);
    let audit = &model.workspace.audit;
    let at = audit.selected.and_then(|selected| audit.window.place_of(selected)).unwrap_or(0);
    let mut rows = audit.window.rows.iter().map(|row| &row.row);
    let found = if older {
        rows.skip(at + 1).find(|row| fits(&query, row))
    } else {
        rows.by_ref().take(at).rfind(|row| fits(&query, row))
    };
    found.map(|row| row.seq)
}

/// To a record that the search fits; what is older is read for it.
pub(crate) fn find(model: &mut Model, older: bool) {
    if model.runs.find.is_empty() {
        return toast(model, "nothing is looked for; / begins a search", Role::Info);
    }
    match hit(model, older) {
        Some(seq) => model.workspace.audit.selected = Some(seq),
        None if older && model.workspace.audit.window.low > 1 => model.workspace.audit.seeks = true,
        None => {
            let text = format!(
                "could not find {:?} {} here",
                model.runs.find,
                if older { "below" } else { "above" }
            );
            toast(model, &text, Role::Warn);
        }
    }
}

/// A click selects the row under it; true if there is one.
pub(crate) fn click(model: &mut Model, row: u16) -> bool {
    let rows = layout::audit(model).rows;
    if (rows.y..rows.bottom()).contains(&row) {
        let index = model.workspace.audit.top + usize::from(row - rows.y);
        if let Some(row) = model.workspace.audit.window.rows.get(index) {
            model.workspace.audit.selected = Some(row.row.seq);
            return true;
        }
    }
    false
}
