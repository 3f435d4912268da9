//! Hashes, templates and declared effects of an ask in rows, for an approver who compares them with those of other programs.

use super::row::{AskMark, AskPart, AskSection, AskTold};
use crate::{call_files, names_in_words, script_of};
use cuelight_engine::{Later, WillRun};
use cuelight_plan::EffectClass;

/// Hashes, templates and declared effects of an ask; none where there is nothing of that kind.
pub fn section(told: &AskTold<'_>) -> Option<AskSection> {
    let ask = told.ask;
    let mut out = AskSection::of(AskPart::Details, true);
    for call in &ask.will_run {
        one_call(&mut out, call, told);
    }
    // Copies have one template, which is told once.
    let like = |a: &Later, b: &Later| (&a.kind, a.template) == (&b.kind, b.template);
    for them in ask.later.chunk_by(like) {
        let names: Vec<String> = them.iter().map(|later| later.step.clone()).collect();
        let template = (told.spelling.hash)(&them[0].template);
        out.text(
            "",
            format!("{}: {}, template {template}", names_in_words(&names), them[0].kind),
            AskMark::Muted,
        );
        for (head, text) in call_files(&them[0].files, told.spelling.hash) {
            out.text("", format!("  {head} {text}"), AskMark::Muted);
        }
    }
    for item in &ask.evidence {
        if let Some(digest) = &item.digest {
            let hash = (told.spelling.hash)(digest);
            out.text("", format!("evidence {}: {} bytes, {hash}", item.title, item.bytes), AskMark::Muted);
        }
    }
    let first = out.rows.first_mut()?;
    first.head = "details";
    Some(out)
}

fn one_call(out: &mut AskSection, call: &WillRun, told: &AskTold<'_>) {
    let effect = effect_words(call.effect);
    let shell = script_of(&call.launch).map_or_else(String::new, |_| {
        let words = call.launch.argv.split_last().map_or(&[][..], |(_, shell)| shell);
        format!("; by {}", words.join(" "))
    });
    out.text("", format!("{}: {effect}{shell}", call.step), AskMark::Muted);
    if let Some(tool) = &call.launch.tool {
        let definition = (told.spelling.hash)(&tool.definition);
        out.text("", format!("  tool {}, definition {definition}", tool.id()), AskMark::Muted);
    }
    let fallbacks = call.fallback.iter().map(|other| &other.files);
    for files in [&call.files].into_iter().chain(fallbacks) {
        for (head, text) in call_files(files, told.spelling.hash) {
            out.text("", format!("  {head} {text}"), AskMark::Muted);
        }
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
