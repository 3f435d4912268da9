//! The calls that an approval releases, in rows: each whole, copies of one step once with what they differ in. Hashes and
//! templates are left to `details`.

use super::row::{AskMark, AskPart, AskPiece, AskSection, AskTold};
use crate::{NOT_CHECKED, call_files, command_line, names_in_words, script_of, snapshot_files};
use cuelight_base::{Launch, TextPart, counted};
use cuelight_engine::{FileFact, Later, WillRun, WillWrite};

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
    for copies in ask.will_run.chunk_by(is_copy) {
        let mut section = next();
        section.is_apart |= !out.is_empty();
        calls(&mut section, copies);
        out.push(section);
    }
    for write in &ask.writes {
        let mut section = next();
        section.is_apart |= !out.is_empty();
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
        later(&mut section, &ask.later);
        out.push(section);
    }
    out.extend(unchecked(told));
    out
}

/// Between the values of copies.
const BETWEEN: &str = " | ";

/// True of two copies of one step whose calls differ in values alone: words, variables, inputs of a tool.
fn is_copy(one: &WillRun, other: &WillRun) -> bool {
    let step = |call: &WillRun| call.step.rsplit_once('[').map(|(step, _)| step.to_owned());
    let mut like = one.clone();
    like.step.clone_from(&other.step);
    like.launch_hash = other.launch_hash;
    if like.launch.argv.len() == other.launch.argv.len() {
        like.launch.argv.clone_from(&other.launch.argv);
    }
    if names(&like.launch) == names(&other.launch) {
        like.launch.env.clone_from(&other.launch.env);
    }
    if let (Some(tool), Some(others)) = (&mut like.launch.tool, &other.launch.tool)
        && tool.input.keys().eq(others.input.keys())
    {
        tool.input.clone_from(&others.input);
    }
    step(one).is_some() && step(one) == step(other) && one.fallback.is_empty() && like == *other
}

fn names(launch: &Launch) -> Vec<&str> {
    launch.env.iter().map(|(name, _)| name.as_str()).collect()
}

/// Calls of one step, or one call.
fn calls(out: &mut AskSection, copies: &[WillRun]) {
    let Some(call) = copies.first() else { return };
    let steps: Vec<String> = copies.iter().map(|call| call.step.clone()).collect();
    let many = if copies.len() > 1 { format!(", {} copies", copies.len()) } else { String::new() };
    out.text("will run", format!("{}{many}", names_in_words(&steps)), AskMark::Title);
    if !call.choice.is_empty() {
        out.text("  chosen", &call.choice, AskMark::Caution);
    }
    let has_one_command = copies.iter().all(|copy| copy.launch.argv == call.launch.argv);
    for copy in if has_one_command { &copies[..1] } else { copies } {
        command(out, "", &copy.launch);
    }
    for line in call.launch.http.iter().flat_map(|http| http.lines()) {
        out.text("  sends", line, AskMark::Plain);
    }
    for line in call.launch.model.iter().flat_map(|model| model.lines()) {
        out.text("  asks", line, AskMark::Plain);
    }
    if let Some(tool) = &call.launch.tool {
        out.text("  tool", tool.id(), AskMark::Plain);
        for name in tool.input.keys() {
            let of = |copy: &WillRun| Some(copy.launch.tool.as_ref()?.input.get(name)?.to_string());
            let values = values(copies, of, |value| vec![AskPiece::new(value, AskMark::Plain)]);
            out.row("  given", [vec![AskPiece::new(format!("{name} = "), AskMark::Plain)], values].concat());
        }
    }
    executes(out, &call.files, Some(&call.launch));
    if call.may_be_cached {
        let words = "a cached result of the same call with the same files, also of another run, may be used in its place";
        out.text("  cache", words, AskMark::Caution);
    }
    for (index, (name, _)) in call.launch.env.iter().enumerate() {
        let of = |copy: &WillRun| Some(copy.launch.env.get(index)?.1.clone());
        let parts = |parts: Vec<TextPart>| parts.iter().map(part).collect();
        let values = values(copies, of, parts);
        out.row("  with", [vec![AskPiece::new(format!("{name}="), AskMark::Plain)], values].concat());
    }
    if let Some(directory) = &call.launch.dir {
        out.text("  in", directory, AskMark::Plain);
    }
    if let Some(limits) = call.launch.bounds() {
        out.text("  limits", limits, AskMark::Plain);
    }
    for other in &call.fallback {
        command(out, "if failed", &other.launch);
        for line in other.launch.http.iter().flat_map(|http| http.lines()) {
            out.text("  sends", line, AskMark::Plain);
        }
        // The fallback is asked the same; only the model differs.
        for line in other.launch.model.iter().flat_map(|model| model.who()) {
            out.text("  asks", line, AskMark::Plain);
        }
        executes(out, &other.files, Some(&other.launch));
    }
}

fn part(part: &TextPart) -> AskPiece {
    match part {
        // A text must not pass for a secret, or for the values of two copies.
        TextPart::Text(text) if text.contains("<secret ") || text.contains(BETWEEN) => {
            AskPiece::new(format!("{text:?}"), AskMark::Plain)
        }
        TextPart::Text(text) => AskPiece::new(text, AskMark::Plain),
        TextPart::Secret(name) => AskPiece::new(format!("<secret {name}>"), AskMark::Waits),
    }
}

/// The value that all copies share, or that of each, in the order of the copies.
fn values<T: PartialEq>(
    copies: &[WillRun],
    of: impl Fn(&WillRun) -> Option<T>,
    pieces: impl Fn(T) -> Vec<AskPiece>,
) -> Vec<AskPiece> {
    let mut values: Vec<T> = copies.iter().filter_map(of).collect();
    let is_shared = values.windows(2).all(|pair| pair[0] == pair[1]);
    values.truncate(if is_shared { 1 } else { values.len() });
    let mut out = Vec::new();
    for value in values {
        if !out.is_empty() {
            out.push(AskPiece::new(BETWEEN, AskMark::Muted));
        }
        out.extend(pieces(value));
    }
    if !is_shared {
        out.push(AskPiece::new("   one a copy, in their order", AskMark::Muted));
    }
    out
}

fn command(out: &mut AskSection, head: &'static str, launch: &Launch) {
    let text = script_of(launch).map_or_else(|| command_line(launch), ToOwned::to_owned);
    for (index, line) in text.trim_end_matches('\n').split('\n').enumerate() {
        let prompt = if index == 0 { "$ " } else { "  " };
        let pieces = vec![AskPiece::new(prompt, AskMark::Muted), AskPiece::new(line, AskMark::Command)];
        out.row(if index == 0 { head } else { "" }, pieces);
    }
}

/// Places of the programs that a machine has by itself.
const MACHINE: &[&str] = &["/usr/", "/bin/", "/sbin/", "/nix/store/"];

/// The files that are executed in one row, and each with a problem, or only named, in its own.
fn executes(out: &mut AskSection, files: &[FileFact], launch: Option<&Launch>) {
    // Left to the details: programs of the machine, and those that a line of the script, or the call, begins with.
    let script = launch.and_then(script_of).unwrap_or_default();
    let first =
        launch.filter(|_| script.is_empty()).and_then(|launch| launch.argv.first().map(String::as_str));
    let said: Vec<&str> =
        script.lines().filter_map(|line| line.split_whitespace().next()).chain(first).collect();
    let is_said = |file: &FileFact| {
        MACHINE.iter().any(|place| file.path.starts_with(place))
            || said.iter().any(|word| word.trim_start_matches("./") == file.path.trim_start_matches("./"))
    };
    let (known, others): (Vec<FileFact>, Vec<FileFact>) =
        files.iter().cloned().partition(|file| file.is_bound() && file.digest.is_some());
    let paths: Vec<&str> =
        known.iter().filter(|file| !is_said(file)).map(|file| file.path.as_str()).collect();
    if !paths.is_empty() {
        out.text("  program", paths.join(", "), AskMark::Plain);
    }
    for (head, text) in call_files(&others, |_| String::new()) {
        let head = match head {
            "names" => "  names",
            "directory" => "  folder",
            _ => "  program",
        };
        out.text(head, text, AskMark::Caution);
    }
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

/// Steps whose calls are known only when they start, and apart the undo and the check of steps, which run only if they are
/// needed.
fn later(out: &mut AskSection, list: &[Later]) {
    let is_beside = |later: &&Later| matches!(later.kind.as_str(), "undo" | "check");
    let (beside, steps): (Vec<&Later>, Vec<&Later>) = list.iter().partition(is_beside);
    let names =
        |them: &[&Later]| names_in_words(&them.iter().map(|later| later.step.clone()).collect::<Vec<_>>());
    let like = |a: &&Later, b: &&Later| (a.may_be_cached, &a.candidates) == (b.may_be_cached, &b.candidates);
    let words = |them: &[&Later]| {
        let of = match them[0].candidates.as_slice() {
            [how, tools @ ..] => format!(" (one of {}, {how})", tools.join(" ")),
            [] => String::new(),
        };
        let cached = if them[0].may_be_cached { " (or a cached result)" } else { "" };
        format!("{}{of}{cached}", names(them))
    };
    if !steps.is_empty() {
        out.text("later", steps.chunk_by(like).map(words).collect::<Vec<_>>().join(", "), AskMark::Plain);
    }
    for kind in ["undo", "check"] {
        let them: Vec<&Later> = beside.iter().copied().filter(|later| later.kind == kind).collect();
        if !them.is_empty() {
            out.text("", format!("if needed, the {kind} of {}", names(&them)), AskMark::Muted);
        }
    }
    let mut files: Vec<FileFact> = Vec::new();
    for file in list.iter().flat_map(|later| &later.files) {
        let is_known = file.is_bound() && file.digest.is_some();
        if !is_known && !files.contains(file) {
            files.push(file.clone());
        }
    }
    executes(out, &files, None);
}

/// The parts that the approval does not cover, said once for all calls.
fn unchecked(told: &AskTold<'_>) -> Option<AskSection> {
    let ask = told.ask;
    let mut out = AskSection::of(AskPart::Calls, false);
    let calls = ask.will_run.iter().map(|call| &call.files);
    let fallbacks = ask.will_run.iter().flat_map(|call| call.fallback.iter().map(|other| &other.files));
    let mut files = calls.chain(fallbacks).chain(ask.later.iter().map(|later| &later.files)).flatten();
    let later = (!ask.later.is_empty()).then_some("later commands before they start (their text is checked)");
    let which = if ask.snapshot.is_empty() {
        "files that programs read or start"
    } else {
        "files outside of the snapshot that programs read or start"
    };
    let parts: Vec<&str> = later.into_iter().chain(files.next().map(|_| which)).collect();
    if !parts.is_empty() {
        out.text("", format!("{NOT_CHECKED}: {}", parts.join("; ")), AskMark::Muted);
    }
    (!out.rows.is_empty()).then_some(out)
}
