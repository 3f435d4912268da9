//! The ask of a gate as text that people read before they decide: what the engine knows first, the whole call, wrapped
//! and never cut, what follows from yes and from no, and on the last line the code.
//!
//! The lines that were on the screen are kept in `gates`; drawing is left to `view`.

use super::{
    gates::Blob,
    marks::word_of_risk,
    prose::{HEAD, Prose, foreign_pieces},
};
use crate::{Glyphs, Role};
use cuelight_base::{Digest, TextPart, Timestamp, Value, counted, shorten};
use cuelight_engine::{Ask, Evidence, FileFact, Later, WillRun};
use cuelight_plan::{EffectClass, Quorum, Risk};
use cuelight_projection::{
    AskChange, CANNOT_UNDO, CLAIM_WORDS, Fields, GateView, RunView, ask_diff, call_files, command_line,
    names_in_words, risk_words, send_back_words, snapshot_files, undo_words,
};
use std::collections::BTreeMap;

/// Lines of a file that stand in the ask; `v` shows the rest.
const EXCERPT: usize = 12;
/// Characters shown of a changed value. The ask shows the whole value in its own place.
const CHANGE_MAX: usize = 160;

/// All that an ask is told from.
pub(super) struct Told<'a> {
    pub gate: &'a GateView,
    /// The run of the gate, where the board has it.
    pub run: Option<&'a RunView>,
    /// The ask that was read before this one, when the gate has asked again since.
    pub read: Option<&'a Ask>,
    pub blobs: &'a BTreeMap<Digest, Blob>,
    /// True if votes and remarks are part of the text; otherwise a pane beside it shows them.
    pub with_votes: bool,
    pub glyphs: Glyphs,
    /// The code that a person types to approve at high risk.
    pub code: String,
}

/// The whole ask in lines of this width.
pub(super) fn ask_text(told: &Told<'_>, width: usize) -> Prose {
    let mut out = Prose::new(width);
    let (gate, ask) = (told.gate, &*told.gate.ask);
    out.begin();
    out.foreign("asks", &ask.prompt, Role::Text);
    out.row("risk", HEAD, &[(risk_words(ask.risk).to_owned(), role_of_risk(ask.risk))]);
    if let Some(why) = &gate.asked_anew {
        out.begin();
        out.foreign("asked", &format!("again (epoch {}) because {why}", ask.epoch), Role::Warn);
    }
    if let Some(before) = told.read.or(gate.previous.as_deref()) {
        changes(&mut out, told, before, "changes", "none that the ask shows");
    }
    out.blank();
    will_run(&mut out, told);
    fields(&mut out, ask);
    // Where an answer holds for values, what they are of is read before them.
    let is_bound = !ask.binds.is_empty();
    if is_bound {
        evidence(&mut out, told);
        out.blank();
        out.begin();
        for (index, value) in ask.binds.iter().enumerate() {
            out.foreign(if index == 0 { "binds" } else { "" }, value, Role::Text);
        }
        claim(&mut out, told);
    }
    if told.with_votes {
        out.blank();
        votes(&mut out, gate, told.glyphs);
    }
    if !is_bound {
        evidence(&mut out, told);
        claim(&mut out, told);
    }
    if let Some(approved) = &gate.last_approved {
        out.blank();
        out.begin();
        let by = approved.by.join(", ");
        let (run, at) = (approved.ask.run, approved.at.clock());
        out.foreign("last time", &format!("approved in {run} by {by}, {at}"), Role::Text);
        changes(&mut out, told, &approved.ask, "changes", "none");
    }
    out.blank();
    outcome(&mut out, gate, told.run);
    out.blank();
    who(&mut out, gate);
    end(&mut out, told);
    out
}

pub(super) fn role_of_risk(risk: Risk) -> Role {
    match risk {
        Risk::ReadOnly | Risk::Reversible => Role::Ok,
        Risk::ExternallyReversible => Role::Warn,
        Risk::Irreversible => Role::Fail,
    }
}

fn will_run(out: &mut Prose, told: &Told<'_>) {
    let ask = &told.gate.ask;
    let is_captured = !ask.snapshot.is_empty();
    if is_captured {
        out.begin();
        for (head, text) in snapshot_files(&ask.snapshot, Digest::short) {
            out.foreign(head, &text, Role::Text);
        }
    }
    if ask.will_run.is_empty() && ask.later.is_empty() {
        out.begin();
        // Outside of a workflow nothing follows of itself.
        let none = if ask.starts.is_empty() && !ask.binds.is_empty() {
            "nothing is called here; the requester acts on the answer"
        } else {
            "nothing is called at once"
        };
        out.said("will run", none, Role::Muted);
    }
    for (index, call) in ask.will_run.iter().enumerate() {
        out.begin();
        if index > 0 {
            out.blank();
        }
        one_call(out, call, is_captured);
    }
    if let Some(all) = &ask.all {
        let (calls, later, hash) = (all.will_run, all.later, all.digest.short());
        out.begin();
        out.said(
            "all",
            &format!("{calls} calls at once and {later} later are bound, hash {hash}"),
            Role::Warn,
        );
    }
    if !ask.later.is_empty() {
        out.begin();
        // Copies have one template, which is told once.
        let like = |a: &Later, b: &Later| (&a.kind, a.template) == (&b.kind, b.template);
        let later = |them: &[Later]| {
            let names: Vec<String> = them.iter().map(|later| later.step.clone()).collect();
            let one = &them[0];
            let of = match one.candidates.as_slice() {
                [how, tools @ ..] => format!(", one of {}, {how}", tools.join(" ")),
                [] => String::new(),
            };
            format!("{} ({}, template {}{of})", names_in_words(&names), one.kind, one.template.short())
        };
        let text = ask.later.chunk_by(like).map(later).collect::<Vec<_>>().join(", ");
        out.foreign("later", &text, Role::Text);
        out.said("", "their commands are known when they start; the template is bound", Role::Muted);
        let mut files: Vec<FileFact> = Vec::new();
        for file in ask.later.iter().flat_map(|later| &later.files) {
            if !files.contains(file) {
                files.push(file.clone());
            }
        }
        executes(out, &files, is_captured);
    }
}

fn one_call(out: &mut Prose, call: &WillRun, is_captured: bool) {
    out.foreign("will run", &call.step, Role::Title);
    if !call.choice.is_empty() {
        out.said("  chosen", &call.choice, Role::Warn);
    }
    let mut pieces = vec![("$ ".to_owned(), Role::Muted)];
    for (index, line) in command_line(&call.launch).split('\n').enumerate() {
        if index > 0 {
            out.row("", HEAD, &pieces);
            pieces = vec![("  ".to_owned(), Role::Muted)];
        }
        pieces.extend(foreign_pieces(line, Role::Info));
    }
    out.row("", HEAD, &pieces);
    for line in call.launch.http.iter().flat_map(|http| http.lines()) {
        out.foreign("  sends", &line, Role::Text);
    }
    for line in call.launch.model.iter().flat_map(|model| model.lines()) {
        out.foreign("  asks", &line, Role::Text);
    }
    if let Some(tool) = &call.launch.tool {
        out.foreign("  tool", &format!("{}, definition {}", tool.id(), tool.definition.short()), Role::Text);
        for (name, value) in &tool.input {
            out.foreign("  given", &format!("{name} = {value}"), Role::Text);
        }
    }
    executes(out, &call.files, is_captured);
    for (name, parts) in &call.launch.env {
        let mut pieces = foreign_pieces(&format!("{name}="), Role::Text);
        for part in parts {
            match part {
                TextPart::Text(text) => pieces.extend(foreign_pieces(text, Role::Text)),
                TextPart::Secret(name) => {
                    pieces.push(("<secret ".to_owned(), Role::Gate));
                    pieces.extend(foreign_pieces(name, Role::Gate));
                    pieces.push((">".to_owned(), Role::Gate));
                }
            }
        }
        out.row("  with", HEAD, &pieces);
    }
    out.foreign("  in", call.launch.dir.as_deref().unwrap_or("the workspace"), Role::Text);
    if let Some(limits) = call.launch.bounds() {
        out.said("  limits", &limits, Role::Text);
    }
    let effect = match call.effect {
        EffectClass::Pure => "changes nothing outside",
        EffectClass::Idempotent => "safe to repeat",
        EffectClass::Keyed => "the other side drops a second call with the same key",
        EffectClass::Queryable => "a check says whether it happened",
        EffectClass::Once => "once: a crash in the middle needs a person",
    };
    out.said("  effect", effect, Role::Text);
    let role = if call.undo == "yes" { Role::Ok } else { Role::Warn };
    out.said("  undo", undo_words(&call.undo), role);
    for other in &call.fallback {
        let lines = command_line(&other.launch);
        for (index, line) in lines.split('\n').enumerate() {
            let mut pieces = vec![(if index == 0 { "$ " } else { "  " }.to_owned(), Role::Muted)];
            pieces.extend(foreign_pieces(line, Role::Info));
            out.row(if index == 0 { "if it fails" } else { "" }, HEAD, &pieces);
        }
        for line in other.launch.http.iter().flat_map(|http| http.lines()) {
            out.foreign("  sends", &line, Role::Text);
        }
        for line in other.launch.model.iter().flat_map(|model| model.who()) {
            out.foreign("  asks", &line, Role::Text);
        }
        executes(out, &other.files, is_captured);
    }
}

fn executes(out: &mut Prose, files: &[FileFact], is_captured: bool) {
    for (head, text) in call_files(files, is_captured, Digest::short) {
        out.foreign(head, &text, Role::Muted);
    }
}

fn fields(out: &mut Prose, ask: &Ask) {
    if ask.form.is_empty() {
        return;
    }
    out.blank();
    out.begin();
    for (index, field) in ask.form.iter().enumerate() {
        let head = if index == 0 { "form" } else { "" };
        let mut pieces = foreign_pieces(&field.name, Role::Title);
        pieces.push((" = ".to_owned(), Role::Muted));
        let missing = field.required && field.value.is_null();
        let value = match &field.value {
            Value::Null if missing => "not filled in".to_owned(),
            Value::Null => "empty".to_owned(),
            value => value.to_string(),
        };
        pieces.extend(foreign_pieces(&value, if missing { Role::Warn } else { Role::Text }));
        pieces.extend(foreign_pieces(&format!("   {}", field.rule()), Role::Muted));
        out.row(head, HEAD, &pieces);
        if let Some(text) = &field.description {
            out.foreign_at("", HEAD + 2, text, Role::Muted);
        }
    }
}

/// Writes the votes and the remarks that came with them.
pub(super) fn votes(out: &mut Prose, gate: &GateView, glyphs: Glyphs) {
    out.begin();
    let mut head = "votes";
    for vote in &gate.votes {
        let yes = vote.vote.verdict == cuelight_engine::Verdict::Approve;
        let (sign, role) =
            if yes { (glyphs.pick("✓", "+"), Role::Ok) } else { (glyphs.pick("◇", "N"), Role::Warn) };
        let mut pieces = vec![(format!("{sign} "), role)];
        pieces.extend(foreign_pieces(&vote.vote.who(), Role::Text));
        for of in &vote.vote.acting_for {
            pieces.extend(foreign_pieces(&format!(" for {}", of.name), Role::Muted));
        }
        if gate.is_emergency() {
            pieces.push((format!("  {}", gate.emergency_word().to_uppercase()), Role::Fail));
        }
        pieces.push((format!("  {}  ", vote.at.clock()), Role::Muted));
        if !vote.vote.reason.is_empty() {
            pieces.extend(foreign_pieces(&format!("\"{}\"  ", vote.vote.reason), Role::Text));
        }
        pieces.push((format!("saw #{}", &vote.vote.ask.code()[..4]), Role::Muted));
        out.row(head, HEAD, &pieces);
        head = "";
    }
    let missing = gate.missing();
    if gate.is_open() && !missing.is_empty() {
        out.foreign(head, &format!("{} still missing", people(&missing)), Role::Gate);
    }
    for delegation in gate.delegations() {
        let text = format!("{} to {} until {}", delegation.by.name, delegation.to, delegation.until.clock());
        out.foreign("delegated", &text, Role::Muted);
    }
    if let Some(edited) = &gate.edited {
        out.foreign(
            "edited",
            &format!("{} by {}: {}", edited.at.clock(), edited.by.name, edited.text),
            Role::Warn,
        );
    }
    for (head, list, role) in [("said", &gate.comments, Role::Text), ("denied", &gate.refused, Role::Warn)] {
        for comment in list {
            out.foreign(head, &format!("{} {}: {}", comment.at.clock(), comment.by.name, comment.text), role);
        }
    }
}

/// The requester's own words, apart from all that is known.
fn claim(out: &mut Prose, told: &Told<'_>) {
    if let Some(claim) = &told.gate.ask.claim {
        out.blank();
        out.begin();
        out.said("claim", CLAIM_WORDS, Role::Warn);
        let lines: Vec<_> = claim.split('\n').map(|line| (line.to_owned(), Role::Muted)).collect();
        framed(out, &lines, told.glyphs);
    }
}

fn evidence(out: &mut Prose, told: &Told<'_>) {
    if !told.gate.ask.evidence.is_empty() {
        out.blank();
    }
    for item in &told.gate.ask.evidence {
        out.begin();
        let (sign, role) = match &item.problem {
            Some(_) => ("~", Role::Warn),
            None => (told.glyphs.pick("✓", "+"), Role::Ok),
        };
        let mut pieces = vec![(format!("{sign} "), role)];
        pieces.extend(foreign_pieces(&item.title, Role::Title));
        let digest = item.digest.map_or_else(String::new, |digest| format!("  {}", digest.short()));
        pieces.push((format!("  {}{digest}", counted(item.bytes, "byte", "bytes")), Role::Muted));
        out.row("evidence", HEAD, &pieces);
        if let Some(problem) = &item.problem {
            out.foreign("", problem, Role::Warn);
        }
        out.begin();
        if let Some(fields) = item.text.as_deref().and_then(Fields::of) {
            let from = out.lines.len();
            out.fields(HEAD + 2, &fields);
            beside_a_bar(out, from, told.glyphs);
            continue;
        }
        let lines = content(told.blobs, item);
        let shown = if item.text.is_some() { lines.len() } else { lines.len().min(EXCERPT) };
        framed(out, &lines[..shown], told.glyphs);
        if shown < lines.len() {
            out.said(
                "",
                &format!(
                    "{}; v shows the whole file",
                    counted(lines.len() - shown, "more line", "more lines")
                ),
                Role::Muted,
            );
        }
    }
}

/// The content of an item of evidence, line by line; foreign text.
pub(super) fn content(blobs: &BTreeMap<Digest, Blob>, item: &Evidence) -> Vec<(String, Role)> {
    let lines = |text: &str, role: Role| -> Vec<(String, Role)> {
        text.trim_end_matches('\n')
            .split('\n')
            .map(|line| (line.trim_end_matches('\r').to_owned(), role))
            .collect()
    };
    if let Some(text) = &item.text {
        let mut lines = lines(text, Role::Text);
        if text.starts_with("--- ") && lines.get(1).is_some_and(|line| line.0.starts_with("+++ ")) {
            for (line, role) in &mut lines {
                *role = match line.as_bytes().first() {
                    Some(b'-') => Role::DiffDel,
                    Some(b'+') => Role::DiffAdd,
                    Some(b'@') => Role::Muted,
                    _ => Role::Text,
                };
            }
        }
        return lines;
    }
    let Some(digest) = item.digest else { return Vec::new() };
    match blobs.get(&digest) {
        None => lines("(is being read)", Role::Muted),
        Some(Blob { missing: Some(why), .. }) => lines(why, Role::Warn),
        Some(blob) if blob.bytes.is_empty() && blob.asked.is_some() => lines("(is being read)", Role::Muted),
        Some(blob) => {
            let mut out = lines(cuelight_base::Untrusted::from_bytes(&blob.bytes).raw(), Role::Text);
            if blob.is_cut() {
                let rest = blob.total - blob.bytes.len() as u64;
                out.push((
                    format!("({} not shown here)", counted(rest, "more byte is", "more bytes are")),
                    Role::Warn,
                ));
            }
            out
        }
    }
}

/// True if part of an item's content has not been read yet.
pub(super) fn is_being_read(blobs: &BTreeMap<Digest, Blob>, item: &Evidence) -> bool {
    let Some(digest) = item.digest.filter(|_| item.text.is_none()) else { return false };
    blobs.get(&digest).is_none_or(|blob| blob.asked.is_some())
}

/// Foreign text beside a bar, so that it cannot pass for ours.
pub(super) fn framed(out: &mut Prose, lines: &[(String, Role)], glyphs: Glyphs) {
    let from = out.lines.len();
    lines.iter().for_each(|(line, role)| out.row("", HEAD + 2, &foreign_pieces(line, *role)));
    beside_a_bar(out, from, glyphs);
}

fn beside_a_bar(out: &mut Prose, from: usize, glyphs: Glyphs) {
    let bar = glyphs.pick("│ ", "| ");
    for line in &mut out.lines[from..] {
        line.pieces[0] = (format!("{:HEAD$}{bar}", ""), Role::Border);
    }
}

fn changes(out: &mut Prose, told: &Told<'_>, before: &Ask, head: &str, none: &str) {
    out.begin();
    let changes = ask_diff(before, &told.gate.ask);
    if changes.is_empty() {
        out.said(head, none, Role::Muted);
    }
    let mut head = head;
    // The hash of a call says nothing beside what has changed in it.
    let says_more = |change: &&AskChange| {
        let call = change.path.strip_suffix("launch_hash");
        call.is_none_or(|call| {
            !changes.iter().any(|other| other.path != change.path && other.path.starts_with(call))
        })
    };
    let mut told: Vec<(String, [Option<String>; 2])> =
        changes.iter().filter(says_more).map(AskChange::words).collect();
    // Several fields of one thing have one sentence.
    told.dedup();
    for (what, values) in told {
        out.foreign(head, &what, Role::Text);
        head = "";
        for (sign, value, role) in [("- ", &values[0], Role::DiffDel), ("+ ", &values[1], Role::DiffAdd)] {
            if let Some(value) = value {
                out.foreign_at("", HEAD + 2, &format!("{sign}{}", shorten(value, CHANGE_MAX)), role);
            }
        }
    }
}

/// The effect of each answer.
fn outcome(out: &mut Prose, gate: &GateView, run: Option<&RunView>) {
    out.begin();
    out.foreign("if yes", &gate.yes_words(run), Role::Text);
    for (index, line) in gate.no_words(run).iter().enumerate() {
        let role = if line.starts_with(CANNOT_UNDO) { Role::Warn } else { Role::Text };
        out.foreign(if index == 0 { "if no" } else { "" }, line, role);
    }
    if let Some(to) = &gate.ask.send_back {
        out.foreign("or back", &send_back_words(to), Role::Text);
    }
    out.said("if nobody", &if_nobody(gate), Role::Text);
}

/// The outcome if nobody answers.
pub(super) fn if_nobody(gate: &GateView) -> String {
    gate.nobody_words(Timestamp::clock)
}

/// `2 of sre and 1 of product`
pub(super) fn people(list: &[Quorum]) -> String {
    let one = |quorum: &Quorum| match &quorum.group {
        Some(group) => format!("{} of {group}", quorum.count),
        None => counted(quorum.count, "person", "people"),
    };
    list.iter().map(one).collect::<Vec<_>>().join(" and ")
}

fn who(out: &mut Prose, gate: &GateView) {
    let ask = &gate.ask;
    out.begin();
    out.foreign("who", &format!("{}; asked for by {}", people(&ask.require), ask.requester), Role::Text);
    for said in ask.notes_on_who() {
        out.foreign("", &said, Role::Warn);
    }
    for (_, why) in &ask.excluded {
        out.foreign("", why, Role::Muted);
    }
    if let Some(escalated) = &gate.escalated {
        out.foreign("", &format!("{escalated} may decide as well by now"), Role::Warn);
    }
    if ask.reason_required {
        out.said("", "an approval needs a comment", Role::Muted);
    }
    if let Some(window) = gate.window_words() {
        out.said("", &window, Role::Muted);
    }
}

fn end(out: &mut Prose, told: &Told<'_>) {
    out.blank();
    out.begin();
    // The end has been seen only when all that stands above it was there.
    if told.gate.ask.evidence.iter().any(|item| is_being_read(told.blobs, item)) {
        return out.said("", "the evidence is being read; the end of the ask follows", Role::Muted);
    }
    let role = role_of_risk(told.gate.ask.risk);
    let mut pieces = vec![("END OF THE ASK   ".to_owned(), Role::Title), (told.gate.hash.code(), role)];
    if told.gate.ask.risk == Risk::Irreversible {
        pieces.push(("   to approve, type ".to_owned(), Role::Muted));
        pieces.push((told.code.clone(), role));
    }
    out.row("", 0, &pieces);
}

/// `HIGH  1 of 2`
pub(super) fn quorum_words(gate: &GateView) -> String {
    format!("{} of {}", gate.approvals().count(), gate.needed())
}

/// The first group of a code: it names an ask everywhere.
pub(super) fn name_of(hash: Digest) -> String {
    format!("#{}", &hash.code()[..4])
}

/// The short word for a risk.
pub(super) fn risk_word(risk: Risk) -> &'static str {
    word_of_risk(risk)
}
