//! An ask in words, whole, for a terminal without the console. Its name stands on the last line and nowhere else,
//! so that a script that gives it has read the end. Text from outside goes through `safe_text`.

use cuelight_base::{Epoch, TextPart, safe_text};
use cuelight_engine::{Ask, Evidence, FileFact, OVERRIDE, Verdict};
use cuelight_expression::to_text;
use cuelight_plan::Risk;
use cuelight_projection::{
    CLAIM_WORDS, Fields, GateView, RunView, call_files, command_line, names_in_words, nobody_words,
    risk_words, send_back_words, snapshot_files, undo_words, yes_words,
};
use std::{fmt::Write as _, sync::Arc};

const FITS: &str = "a String takes all text";

/// Everything that is asked, in the order in which it matters.
///
/// Without the run, steps behind other gates are not told apart.
pub(super) fn text(gate: &Arc<GateView>, run: Option<&RunView>) -> String {
    let ask = &gate.ask;
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect(FITS);
    line(format!(
        "{} {}  {} of {} {}",
        gate.id,
        gate.state_word(),
        safe_text(&ask.step),
        ask.run,
        safe_text(&ask.workflow)
    ));
    line(String::new());
    ask.prompt.lines().for_each(|text| line(format!("  {}", safe_text(text))));
    line(String::new());
    line(format!("risk        {}", risk_words(ask.risk)));
    line(format!("asked by    {}", safe_text(&ask.requester)));
    match gate.closed_at {
        Some(at) => line(format!(
            "closed      {} by {}, {at}",
            gate.state_word(),
            safe_text(&gate.closers().join(", "))
        )),
        None => line(format!("who         {}", who(gate))),
    }
    ask.notes_on_who().iter().for_each(|note| line(format!("            {}", safe_text(note))));
    for (_, why) in &ask.excluded {
        line(format!("not         {}", safe_text(why)));
    }
    for gate_view in gate.emergencies() {
        line(format!("{:<12}{}", gate_view.emergency_word(), emergency(gate_view, gate.epoch())));
    }
    for vote in &gate.votes {
        let reason = if vote.vote.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", safe_text(&vote.vote.reason))
        };
        line(format!(
            "vote        {} {} {}{reason}",
            safe_text(&vote.vote.who()),
            verdict_words(vote.vote.verdict),
            vote.at.clock()
        ));
    }
    for delegation in gate.delegations() {
        let (by, to) = (safe_text(&delegation.by.name), safe_text(&delegation.to));
        line(format!("delegated   {by} to {to} until {}", delegation.until));
    }
    for (head, list) in [("comment", &gate.comments), ("denied", &gate.refused)] {
        for comment in list {
            let (by, said) = (safe_text(&comment.by.name), safe_text(&comment.text));
            line(format!("{head:<12}{by} {}: {said}", comment.at.clock()));
        }
    }
    if let Some(why) = &gate.asked_anew {
        line(format!("asked again {}", safe_text(why)));
    }
    body(ask, &mut line);
    line(format!("if yes      {}", safe_text(&gate.yes_words(run))));
    for (index, word) in gate.no_words(run).iter().enumerate() {
        line(format!("{:<12}{}", if index == 0 { "if no" } else { "" }, safe_text(word)));
    }
    if let Some(to) = &ask.send_back {
        line(format!("or back     {}", safe_text(&send_back_words(to))));
    }
    line(format!("if nobody   {}", gate.nobody_words(|moment| moment.to_string())));
    gate.window_words()
        .iter()
        .for_each(|window_words| line(format!("            {window_words} (in the console)")));
    line(String::new());
    let code = gate.hash.code();
    line(match ask.risk {
        Risk::Irreversible => {
            format!(
                "END OF THE ASK   {code}   high risk: a terminal has you type a code, a script says --ask {code}"
            )
        }
        Risk::ReadOnly | Risk::Reversible | Risk::ExternallyReversible => format!("END OF THE ASK   {code}"),
    });
    out
}

/// An approval that one gave alone, or an override, and its review.
fn emergency(gate: &GateView, now: Epoch) -> String {
    let when = match gate.emergency_vote().filter(|_| gate.epoch() != now) {
        Some(vote) => format!(
            "in epoch {}, by {}: {}; ",
            gate.epoch(),
            safe_text(&vote.vote.by.name),
            safe_text(&vote.vote.reason)
        ),
        None => String::new(),
    };
    match &gate.review {
        None if gate.emergency_word() == OVERRIDE => format!("{when}closed by hand; nobody has reviewed it"),
        None => format!("{when}one approval in place of the quorum; nobody has reviewed it"),
        Some(review) => {
            format!("{when}reviewed by {}: {}", safe_text(&review.by.name), safe_text(&review.text))
        }
    }
}

/// The lines of an ask without its gate, for a person who signs an answer on another machine.
pub(super) fn of_ask(ask: &Ask) -> Vec<String> {
    let mut out = vec![
        format!("{} of {} {}", safe_text(&ask.step), ask.run, safe_text(&ask.workflow)),
        format!("risk        {}", risk_words(ask.risk)),
        format!("asked by    {}", safe_text(&ask.requester)),
    ];
    out.extend(ask.notes_on_who().iter().map(|note| format!("who         {}", safe_text(note))));
    out.splice(1..1, ask.prompt.lines().map(|line| format!("  {}", safe_text(line))));
    body(ask, &mut |text| out.push(text));
    out.push(format!("if yes      {}", safe_text(&yes_words(ask))));
    names("if no skips", &ask.skips, &mut |text| out.push(text));
    names("   runs", &ask.runs_anyway, &mut |text| out.push(text));
    names("   undoes", &ask.undoes, &mut |text| out.push(text));
    out.push(format!("if nobody   {}", nobody_words(ask, false, |moment| moment.to_string())));
    out
}

fn body(ask: &Ask, mut line: &mut dyn FnMut(String)) {
    calls(ask, &mut line);
    for field in &ask.form {
        let value = if field.value.is_null() { "empty".to_owned() } else { to_text(&field.value) };
        line(format!(
            "form        {} = {}   ({})",
            safe_text(&field.name),
            safe_text(&value),
            safe_text(&field.rule())
        ));
    }
    ask.evidence.iter().for_each(|item| evidence(item, &mut line));
    for (index, value) in ask.binds.iter().flat_map(|bind| bind.lines()).enumerate() {
        let head = if index == 0 { "binds" } else { "" };
        line(format!("{head:<12}{}", safe_text(value)));
    }
    if let Some(claim) = &ask.claim {
        line(format!("claim       {CLAIM_WORDS}"));
        claim.lines().for_each(|text| line(format!("            | {}", safe_text(text))));
    }
}

fn calls(ask: &Ask, line: &mut dyn FnMut(String)) {
    let is_captured = !ask.snapshot.is_empty();
    for (head, text) in snapshot_files(&ask.snapshot, ToString::to_string) {
        line(format!("{head:<12}{}", safe_text(&text)));
    }
    for call in &ask.will_run {
        line(format!(
            "will run    {} (effect {}; {})",
            safe_text(&call.step),
            call.effect.word(),
            undo_words(&call.undo)
        ));
        if !call.choice.is_empty() {
            line(format!("              {}", call.choice));
        }
        command_line(&call.launch)
            .lines()
            .for_each(|text| line(format!("              {}", safe_text(text))));
        let sent = call.launch.http.iter().flat_map(|http| http.lines());
        for said in sent.chain(call.launch.model.iter().flat_map(|model| model.lines())) {
            line(format!("              {}", safe_text(&said)));
        }
        if let Some(tool) = &call.launch.tool {
            line(format!(
                "              tool {}, definition {}",
                safe_text(&tool.id()),
                tool.definition.short()
            ));
            for (name, value) in &tool.input {
                line(format!("              given {} = {}", safe_text(name), safe_text(&value.to_string())));
            }
        }
        executes(&call.files, is_captured, line);
        if let Some(dir) = &call.launch.dir {
            line(format!("              in {}", safe_text(dir)));
        }
        if let Some(limits) = call.launch.bounds() {
            line(format!("              limits: {limits}"));
        }
        for (name, parts) in &call.launch.env {
            line(format!("              {}={}", safe_text(name), safe_text(&value(parts))));
        }
        for other in &call.fallback {
            line(format!("              if that fails, fallback {}:", other.number));
            command_line(&other.launch)
                .lines()
                .for_each(|text| line(format!("                {}", safe_text(text))));
            // It is asked the same.
            let asked = other.launch.model.iter().flat_map(|model| model.who());
            for said in other.launch.http.iter().flat_map(|http| http.lines()).chain(asked) {
                line(format!("                {}", safe_text(&said)));
            }
            executes(&other.files, is_captured, line);
        }
    }
    if let Some(all) = &ask.all {
        line(format!(
            "all         {} calls at once and {} later are bound, more than are shown here: hash {}",
            all.will_run, all.later, all.digest
        ));
    }
    for later in &ask.later {
        line(format!(
            "later       {} ({}), its command is known when it starts; its template is bound",
            safe_text(&later.step),
            later.kind
        ));
        executes(&later.files, is_captured, line);
        if let [how, tools @ ..] = later.candidates.as_slice() {
            line(format!("              one of {}, {how}", safe_text(&tools.join(", "))));
        }
    }
}

fn executes(files: &[FileFact], is_captured: bool, line: &mut dyn FnMut(String)) {
    for (head, text) in call_files(files, is_captured, ToString::to_string) {
        line(format!("              {head} {}", safe_text(&text)));
    }
}

/// An environment value with its secrets as names.
fn value(parts: &[TextPart]) -> String {
    let part = |part: &TextPart| match part {
        TextPart::Text(text) => text.clone(),
        TextPart::Secret(name) => format!("‹secret {name}›"),
    };
    parts.iter().map(part).collect()
}

fn evidence(item: &Evidence, line: &mut dyn FnMut(String)) {
    let digest = item.digest.map_or_else(String::new, |digest| format!(" sha256 {}", digest.short()));
    match (&item.problem, &item.text) {
        (Some(problem), _) => {
            line(format!("evidence    ~ {}: {}", safe_text(&item.title), safe_text(problem)));
        }
        (None, Some(text)) => {
            line(format!("evidence    {} ({} bytes{digest})", safe_text(&item.title), item.bytes));
            match Fields::of(text) {
                Some(fields) => fields.rows.iter().for_each(|row| {
                    line(format!("              {}{}", row.name, safe_text(&row.value)));
                }),
                None => text.lines().for_each(|text| line(format!("              {}", safe_text(text)))),
            }
        }
        (None, None) => {
            line(format!("evidence    file {} ({} bytes{digest})", safe_text(&item.title), item.bytes));
        }
    }
}

const fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approved",
        Verdict::Reject => "rejected",
        Verdict::SendBack => "sent back",
    }
}

fn who(gate: &GateView) -> String {
    let missing = gate.missing();
    if missing.is_empty() {
        return "enough have agreed".to_owned();
    }
    let words = missing.iter().map(|quorum| {
        let group = quorum.group.as_deref().map_or_else(|| "anybody".to_owned(), safe_text);
        format!("{} of {group}", quorum.count)
    });
    format!("still needs {}", words.collect::<Vec<_>>().join(", "))
}

fn names(title: &str, steps: &[String], line: &mut dyn FnMut(String)) {
    if !steps.is_empty() {
        line(format!("{title:<12}{}", safe_text(&names_in_words(steps))));
    }
}
