//! The calls that an approval releases, in rows: each whole, with its files, its environment and its fallbacks.

use super::{AskMark, AskPart, AskPiece, AskSection, AskTold};
use crate::{call_files, command_line, names_in_words, snapshot_files, undo_words};
use cuelight_base::{Launch, TextPart, counted};
use cuelight_engine::{FileFact, Later, WillRun, WillWrite};
use cuelight_plan::EffectClass;

pub(super) fn sections(told: &AskTold<'_>) -> Vec<AskSection> {
    let ask = told.ask;
    let mut out = Vec::new();
    let mut is_apart = true;
    let mut next = || AskSection::of(AskPart::Calls, std::mem::take(&mut is_apart));
    if !ask.snapshot.is_empty() {
        let mut section = next();
        for (head, text) in snapshot_files(&ask.snapshot, told.spelling.hash) {
            section.text(head, text, AskMark::Plain);
        }
        out.push(section);
    }
    if ask.will_run.is_empty() && ask.writes.is_empty() && ask.later.is_empty() {
        let mut section = next();
        // Outside of a workflow nothing follows of itself.
        let none = if ask.starts.is_empty() && !ask.binds.is_empty() {
            "nothing is called here; the requester acts on the answer"
        } else if ask.starts.is_empty() {
            "no command: no step stands behind this gate"
        } else {
            "no command directly behind this gate; see `if yes`"
        };
        section.text("will run", none, AskMark::Muted);
        out.push(section);
    }
    for (index, call) in ask.will_run.iter().enumerate() {
        let mut section = next();
        section.is_apart |= index > 0;
        one_call(&mut section, call, told);
        out.push(section);
    }
    for (index, write) in ask.writes.iter().enumerate() {
        let mut section = next();
        section.is_apart |= index > 0 || !ask.will_run.is_empty();
        one_write(&mut section, write);
        out.push(section);
    }
    if let Some(all) = &ask.all {
        let mut section = next();
        let (calls, later, hash) = (all.will_run, all.later, (told.spelling.hash)(&all.digest));
        let writes = match all.writes {
            0 => String::new(),
            count => format!(", and {}", counted(count, "step that sets or sends", "steps that set or send")),
        };
        let text = format!(
            "{calls} calls at once and {later} later{writes} are bound, more than are shown here; hash {hash}"
        );
        section.text("all", text, AskMark::Caution);
        out.push(section);
    }
    if !ask.later.is_empty() {
        let mut section = next();
        later(&mut section, told);
        out.push(section);
    }
    out
}

fn later(out: &mut AskSection, told: &AskTold<'_>) {
    let ask = told.ask;
    // Copies have one template, which is told once.
    let like = |a: &Later, b: &Later| {
        (&a.kind, a.template, a.may_be_cached) == (&b.kind, b.template, b.may_be_cached)
    };
    let words = |them: &[Later]| {
        let names: Vec<String> = them.iter().map(|later| later.step.clone()).collect();
        let one = &them[0];
        let of = match one.candidates.as_slice() {
            [how, tools @ ..] => format!(", one of {}, {how}", tools.join(" ")),
            [] => String::new(),
        };
        let cached = if one.may_be_cached { ", or a cached result" } else { "" };
        format!(
            "{} ({}, template {}{of}{cached})",
            names_in_words(&names),
            one.kind,
            (told.spelling.hash)(&one.template)
        )
    };
    let text = ask.later.chunk_by(like).map(words).collect::<Vec<_>>().join(", ");
    out.text("later", text, AskMark::Plain);
    out.text(
        "",
        "NOT CHECKED: commands known only at the start; their text in the workflow file is bound",
        AskMark::Muted,
    );
    let mut files: Vec<FileFact> = Vec::new();
    for file in ask.later.iter().flat_map(|later| &later.files) {
        if !files.contains(file) {
            files.push(file.clone());
        }
    }
    executes(out, &files, told);
}

/// The values that a step sets, or the message that it sends, each value whole.
fn one_write(out: &mut AskSection, write: &WillWrite) {
    let is_message = write.kind == "emit";
    out.text(if is_message { "will send" } else { "will set" }, &write.step, AskMark::Title);
    let (head, word) = if is_message { ("  topic", "") } else { ("  scope", scope_meaning(&write.to)) };
    out.text(head, format!("{}{word}", write.to), AskMark::Plain);
    for (name, value) in &write.values {
        out.text("  value", format!("{name} = {value}"), AskMark::Plain);
    }
    for (name, etag) in &write.expect {
        out.text("  only if", format!("the etag of {name} is {etag}"), AskMark::Plain);
    }
    if let Some(ttl) = write.ttl {
        out.text("  for", ttl.to_string(), AskMark::Plain);
    }
    if write.is_template {
        out.text(
            "",
            "NOT CHECKED: the values of these expressions, known only when it starts; their text is checked",
            AskMark::Muted,
        );
    }
}

/// The reach of a scope.
fn scope_meaning(scope: &str) -> &'static str {
    match scope {
        "run" => ": read by later steps of this run",
        "session" => ": read by all runs of one requester",
        _ => ": read by all runs of the workspace",
    }
}

fn one_call(out: &mut AskSection, call: &WillRun, told: &AskTold<'_>) {
    out.text("will run", &call.step, AskMark::Title);
    if !call.choice.is_empty() {
        out.text("  chosen", &call.choice, AskMark::Caution);
    }
    command(out, "", &call.launch);
    for line in call.launch.http.iter().flat_map(|http| http.lines()) {
        out.text("  sends", line, AskMark::Plain);
    }
    for line in call.launch.model.iter().flat_map(|model| model.lines()) {
        out.text("  asks", line, AskMark::Plain);
    }
    if let Some(tool) = &call.launch.tool {
        let definition = (told.spelling.hash)(&tool.definition);
        out.text("  tool", format!("{}, definition {definition}", tool.id()), AskMark::Plain);
        for (name, value) in &tool.input {
            out.text("  given", format!("{name} = {value}"), AskMark::Plain);
        }
    }
    executes(out, &call.files, told);
    if call.may_be_cached {
        let words = "a cached result of the same call with the same files, also of another run, may be used in its place";
        out.text("  cache", words, AskMark::Caution);
    }
    for (name, parts) in &call.launch.env {
        let mut pieces = vec![AskPiece::new(format!("{name}="), AskMark::Plain)];
        pieces.extend(parts.iter().map(|part| match part {
            TextPart::Text(text) => AskPiece::new(text, AskMark::Plain),
            TextPart::Secret(name) => AskPiece::new(format!("<secret {name}>"), AskMark::Waits),
        }));
        out.row("  with", pieces);
    }
    out.text("  in", call.launch.dir.as_deref().unwrap_or("the workspace"), AskMark::Plain);
    if let Some(limits) = call.launch.bounds() {
        out.text("  limits", limits, AskMark::Plain);
    }
    out.text("  effect", effect_words(call.effect), AskMark::Plain);
    let mark = if call.undo == "yes" { AskMark::Good } else { AskMark::Caution };
    out.text("  undo", undo_words(&call.undo), mark);
    for other in &call.fallback {
        command(out, "if failed", &other.launch);
        for line in other.launch.http.iter().flat_map(|http| http.lines()) {
            out.text("  sends", line, AskMark::Plain);
        }
        // The fallback is asked the same; only the model differs.
        for line in other.launch.model.iter().flat_map(|model| model.who()) {
            out.text("  asks", line, AskMark::Plain);
        }
        executes(out, &other.files, told);
    }
}

/// The meaning of a crash in the middle of a step, as its author declares it.
const fn effect_words(effect: EffectClass) -> &'static str {
    match effect {
        EffectClass::Pure => "pure, as declared: changes nothing outside",
        EffectClass::Idempotent => "idempotent, as declared: safe to repeat",
        EffectClass::Keyed => "keyed, as declared: the other side drops a second call",
        EffectClass::Queryable => "queryable, as declared: a check says whether it happened",
        EffectClass::Once => "once: a crash in the middle needs a person",
    }
}

fn command(out: &mut AskSection, head: &'static str, launch: &Launch) {
    for (index, line) in command_line(launch).split('\n').enumerate() {
        let prompt = if index == 0 { "$ " } else { "  " };
        let pieces = vec![AskPiece::new(prompt, AskMark::Muted), AskPiece::new(line, AskMark::Command)];
        out.row(if index == 0 { head } else { "" }, pieces);
    }
}

fn executes(out: &mut AskSection, files: &[FileFact], told: &AskTold<'_>) {
    for (head, text) in call_files(files, !told.ask.snapshot.is_empty(), told.spelling.hash) {
        out.text(head, text, AskMark::Muted);
    }
}
