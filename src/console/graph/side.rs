//! The step under the cursor of the graph: what is known of it, what an answer would make of the run, and what can be
//! pressed.

use crate::{
    FoldKind, Intent, Mark, Role, ShownNode, Width, fill, layout,
    marks::{age, mark_of_step},
    pane, put,
    view::{
        canvas::Canvas,
        pieces::{Pieces, put_pieces, wrapped},
    },
};
use cuelight_base::{ErrorRecord, StepIx, counted, safe_text, shorten};
use cuelight_engine::{Purpose, WaitReason};
use cuelight_plan::{EffectClass, PlanStep, Undo};
use cuelight_projection::{
    RunView, StepView, alternative_words, candidate_words, choice_words, comer_words, hold_words, kind_word,
    message_words, partial_words,
};
use ratatui::{buffer::Buffer, layout::Rect};
use unicode_width::UnicodeWidthStr;

/// Characters of a value that are shown.
const VALUE_CHARS: usize = 200;
/// Cells of the names of what is known.
const LABEL: usize = 11;
/// Calls, outputs and variables that are listed.
const LISTED: usize = 6;

/// The step under the cursor: three lines under the graph, or a pane beside it.
pub(crate) fn draw(
    canvas: &Canvas<'_>,
    run: &RunView,
    (step, node): (StepIx, &ShownNode),
    area: Rect,
    buf: &mut Buffer,
) {
    let (Some(plan), Some(view)) = (run.plan_step(step), run.step(step)) else { return };
    let is_fold = node.key.kind != FoldKind::Step && !node.is_open;
    let now = mark_of_step(view, &canvas.model.board, canvas.model.now);
    let (name, words, mark) = if is_fold {
        (node.title(canvas.glyphs), held(node), node.mark)
    } else {
        (safe_text(&plan.id), state_words(canvas, view, now), now)
    };
    let narrow = layout::frame(canvas.model.size).width == Width::One;
    let (inside, mut lines) = if narrow {
        let head: Pieces = vec![
            (format!("{} ", mark.sign(canvas.glyphs)), mark.style(canvas.theme)),
            (name, canvas.style(Role::Title)),
            (format!("   {words}"), canvas.style(mark.role())),
        ];
        (layout::inset(area, 1, 0, 0), vec![head])
    } else {
        let inside = pane(buf, area, &name, "", canvas.pane(false));
        let head: Pieces = vec![
            (format!("{} ", mark.sign(canvas.glyphs)), mark.style(canvas.theme)),
            (words, canvas.style(mark.role())),
        ];
        (layout::inset(inside, 1, 0, 0), vec![head])
    };
    let mut known = answers(canvas);
    if is_fold {
        known.push(("needs", needs(canvas, run, plan), Role::Text));
        known.push(("blocks", blocks(canvas, step), Role::Text));
        known.push(("each", what_it_does(plan), Role::Text));
        known.push(("first", safe_text(&plan.id), Role::Muted));
    } else {
        known.extend(facts(canvas, run, (step, plan, view), mark));
    }
    if narrow {
        if canvas.model.dag.is_on_failure() && canvas.model.dag.what_if.verb.is_none() {
            lines.extend(foot_lines(canvas, run, usize::from(inside.width)));
        }
        lines.extend(known.into_iter().map(|(label, text, role)| labelled(canvas, label, &text, role)));
        lines.truncate(usize::from(inside.height));
    } else {
        let width = usize::from(inside.width).saturating_sub(LABEL).max(1);
        for (label, text, role) in known {
            for (index, part) in wrapped(&text, width).into_iter().take(6).enumerate() {
                lines.push(labelled(canvas, if index == 0 { label } else { "" }, &part, role));
            }
        }
    }
    let keys = if narrow { Vec::new() } else { keys(canvas, mark, is_fold, usize::from(inside.width)) };
    let (facts, below) = layout::split_down(
        inside,
        inside.height.saturating_sub(u16::try_from(keys.len() + 1).unwrap_or(0).min(inside.height / 3)),
    );
    let facts = if narrow { inside } else { facts };
    for (y, line) in (facts.y..facts.bottom()).zip(&lines) {
        put_pieces(buf, facts, (facts.x, y), line, canvas.glyphs);
    }
    if lines.len() > usize::from(facts.height) && !narrow {
        let more = format!(
            "and {}",
            counted(lines.len() - usize::from(facts.height) + 1, "more line", "more lines")
        );
        let y = facts.bottom().saturating_sub(1);
        fill(buf, Rect { y, height: 1, ..facts }, canvas.theme.ground());
        put(buf, facts, facts.x, y, &more, canvas.style(Role::Muted));
    }
    if !narrow {
        // What can be pressed stands right under what is known.
        let used = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(facts.height);
        let top = (facts.y + used + 1).min(below.y + 1);
        for (y, line) in (top..inside.bottom()).zip(&keys) {
            put_pieces(buf, inside, (inside.x, y), line, canvas.glyphs);
        }
    }
}

/// Under the graph: the line that says why the step under the cursor failed, and the keys for it.
pub(super) fn foot(canvas: &Canvas<'_>, run: &RunView, area: Rect, buf: &mut Buffer) {
    for (y, line) in (area.y..area.bottom()).zip(foot_lines(canvas, run, usize::from(area.width))) {
        put_pieces(buf, area, (area.x, y), &line, canvas.glyphs);
    }
}

/// `carts: UNIQUE constraint failed`, and `L logs   R retry   n next failure (1 of 4)   e all edges`.
fn foot_lines(canvas: &Canvas<'_>, run: &RunView, width: usize) -> Vec<Pieces> {
    let dag = &canvas.model.dag;
    let step = dag.view.selected.map(StepIx).and_then(|step| Some((run.plan_step(step)?, run.step(step)?)));
    let Some((plan, error)) = step.and_then(|(plan, step)| Some((plan, step.error()?))) else {
        return Vec::new();
    };
    let narrow = layout::frame(canvas.model.size).width == Width::One;
    let name = if narrow { String::new() } else { format!("{}: ", safe_text(&plan.id)) };
    let why = canvas.glyphs.fit(&line_of(error), width.saturating_sub(name.width()));
    let mut keys: Pieces = Vec::new();
    let words = |intent: Intent| match intent {
        Intent::NextHot => next_words(canvas),
        intent => intent.short().to_owned(),
    };
    for intent in [Intent::Logs, Intent::Retry, Intent::NextHot, Intent::AllEdges] {
        if let Some(key) = canvas.model.keys.keys_of(canvas.model.view.scope(), intent) {
            keys.push((key, canvas.style(Role::Title)));
            keys.push((format!(" {}   ", words(intent)), canvas.style(Role::Muted)));
        }
    }
    vec![vec![(name, canvas.style(Role::Title)), (why, canvas.style(Role::Fail))], keys]
}

/// `next failure (1 of 4)`, or of a run in which something else is hot as well `next hot (1 of 7)`.
fn next_words(canvas: &Canvas<'_>) -> String {
    let dag = &canvas.model.dag;
    let Some(picture) = dag.picture.as_deref() else { return String::new() };
    let hot = super::update::hot_steps(picture);
    let place =
        dag.view.selected.and_then(|selected| hot.binary_search(&selected).ok()).map_or(0, |at| at + 1);
    let all_failed = hot.iter().all(|step| picture.graph.nodes[*step as usize].has_failed());
    let word = if all_failed { "next failure" } else { Intent::NextHot.short() };
    format!("{word} ({place} of {})", hot.len())
}

/// The line of a failure that says why: the last one of its output, else its message.
fn line_of(error: &ErrorRecord) -> String {
    let last = error.tail.lines().rev().find(|line| !line.trim().is_empty());
    safe_text(last.map_or(error.message.as_str(), str::trim))
}

/// The states in a fold, most urgent first: `1 failed, 4 runs, 102 todo`.
fn held(node: &ShownNode) -> String {
    let mut counts = node.counts.clone();
    counts.sort_by_key(|(mark, _)| std::cmp::Reverse(mark.urgency()));
    let words: Vec<String> = counts.iter().map(|(mark, count)| format!("{count} {}", mark.word())).collect();
    words.join(", ")
}

/// The effects of approve and reject, or of another command under consideration.
fn answers(canvas: &Canvas<'_>) -> Vec<Fact> {
    let lines = canvas.model.dag.what_if.lines.iter();
    lines.map(|(name, text)| (*name, safe_text(text), Role::Gate)).collect()
}

fn labelled(canvas: &Canvas<'_>, label: &str, text: &str, role: Role) -> Pieces {
    vec![(format!("{label:<LABEL$}"), canvas.style(Role::Muted)), (text.to_owned(), canvas.style(role))]
}

pub(super) fn state_words(canvas: &Canvas<'_>, step: &StepView, mark: Mark) -> String {
    let since = age(canvas.model.now.since(step.since));
    let word = match mark {
        Mark::Gate | Mark::GateLate => "waits for a person",
        Mark::Retry => "waits to be tried again",
        Mark::Runs => "runs",
        _ => step.state.word(),
    };
    if step.state.rests() { word.to_owned() } else { format!("{word}  {since}") }
}

pub(crate) type Fact = (&'static str, String, Role);

/// The facts about a step, most important first.
fn facts(canvas: &Canvas<'_>, run: &RunView, step: (StepIx, &PlanStep, &StepView), mark: Mark) -> Vec<Fact> {
    let (index, plan, view) = step;
    let mut facts: Vec<Fact> = Vec::new();
    if let Some(error) = view.error() {
        facts.push(("error", format!("{} {}", error.mode.label(), safe_text(&error.message)), Role::Fail));
        facts.extend(partial_words(run).map(|words| ("run", safe_text(&words), Role::Warn)));
    }
    facts.extend(view.rejection().map(|words| ("rejected", safe_text(words), Role::Warn)));
    facts.extend(waits(canvas, view, mark));
    facts.push(("needs", needs(canvas, run, plan), Role::Text));
    facts.push(("blocks", blocks(canvas, index), Role::Text));
    facts.push(("does", what_it_does(plan), Role::Text));
    if let Some(inside) = &view.inside {
        let parts: Vec<String> = inside.present().map(|(state, count)| format!("{count} {state}")).collect();
        facts.push(("inside", parts.join(", "), Role::Text));
    }
    facts.extend(calls(canvas, plan, view));
    if let Some(started) = view.started_at {
        let ran =
            view.elapsed(canvas.model.now).map_or_else(String::new, |elapsed| format!("   ran {elapsed}"));
        facts.push(("started", format!("{}{ran}", started.clock()), Role::Text));
    }
    if let Some(why) = view.why() {
        facts.push(("because", why_words(run, why), Role::Text));
    }
    if let Some(choice) = view.choice() {
        facts.push(("chosen", safe_text(&choice_words(choice)), Role::Text));
        for other in choice.alternatives.iter().take(LISTED) {
            facts.push(("not", safe_text(&alternative_words(other)), Role::Muted));
        }
    }
    facts.extend(view.origin_words().map(|origin_words| ("result", safe_text(&origin_words), Role::Text)));
    if let Some(condition) = &plan.condition {
        facts.push(("if", safe_text(&shorten(condition, VALUE_CHARS)), Role::Text));
    }
    facts.extend(given(plan));
    if let Some(outputs) = view.outputs() {
        for (name, value) in outputs.iter().take(LISTED) {
            let text = format!("{name} = {}", shorten(&value.to_string(), VALUE_CHARS));
            facts.push(("output", safe_text(&text), Role::Text));
        }
        if outputs.len() > LISTED {
            facts.push(("", format!("and {} more", outputs.len() - LISTED), Role::Muted));
        }
    }
    if let Some(confidence) = view.confidence() {
        facts.push(("confidence", confidence.to_string(), Role::Text));
    }
    if plan.work.is_call() {
        facts.push(("effect", effect_words(plan.effect).to_owned(), Role::Muted));
    }
    match &plan.undo {
        Undo::By(_) => facts.push(("undo", "can be undone".to_owned(), Role::Muted)),
        Undo::Impossible => facts.push(("undo", "can not be undone".to_owned(), Role::Warn)),
        Undo::Unset => {}
    }
    facts
}

pub(super) fn waits(canvas: &Canvas<'_>, view: &StepView, mark: Mark) -> Option<Fact> {
    let now = canvas.model.now;
    match view.wait()? {
        WaitReason::Person(gate) => {
            let gate = canvas.model.board.gate(*gate)?;
            let text = format!(
                "{}: {} of {} agree · {}",
                gate.id,
                gate.approvals().count(),
                gate.needed(),
                safe_text(&gate.ask.prompt)
            );
            Some(("waits for", text, mark.role()))
        }
        WaitReason::Time(until) => {
            Some(("until", format!("{} ({})", until.clock(), age(until.since(now))), Role::Text))
        }
        WaitReason::BackOff { until, next } => {
            Some(("again", format!("call {next} in {}", age(until.since(now))), Role::Warn))
        }
        WaitReason::Facts => Some(("waits for", "files to be looked at".to_owned(), Role::Text)),
        reason @ WaitReason::Message { .. } => {
            Some(("waits for", safe_text(&message_words(reason)), Role::Text))
        }
        reason @ WaitReason::Agent { fails_at, .. } => {
            let left =
                fails_at.map_or_else(String::new, |fails_at| format!(" ({})", age(fails_at.since(now))));
            Some(("waits for", format!("{}{left}", safe_text(&comer_words(reason))), Role::Warn))
        }
        WaitReason::Target { name, hold, until } => {
            let left = until.map_or_else(String::new, |until| format!(" ({})", age(until.since(now))));
            Some(("waits for", format!("{}: {}{left}", safe_text(name), hold_words(*hold)), Role::Warn))
        }
        WaitReason::Candidates { names, fails_at, .. } => {
            let left =
                fails_at.map_or_else(String::new, |fails_at| format!(" ({})", age(fails_at.since(now))));
            let text = format!("any of {}{left}", safe_text(&candidate_words(names)));
            Some(("waits for", text, Role::Warn))
        }
    }
}

fn needs(canvas: &Canvas<'_>, run: &RunView, plan: &PlanStep) -> String {
    const NAMES_MAX: usize = 4;
    let name = |index: &StepIx| {
        let mark = run
            .step(*index)
            .map_or(Mark::Todo, |step| mark_of_step(step, &canvas.model.board, canvas.model.now));
        format!("{} {}", mark.sign(canvas.glyphs), run.step_id(*index))
    };
    // What stands in a frame waits for what its frame waits for.
    let mut around = plan;
    while let Some(frame) =
        around.frame.filter(|_| around.needs.is_empty()).and_then(|frame| run.plan_step(frame))
    {
        around = frame;
    }
    let by = if std::ptr::eq(around, plan) {
        String::new()
    } else {
        format!("  (as {})", safe_text(&around.local))
    };
    let names: Vec<String> = around.needs.iter().take(NAMES_MAX).map(name).collect();
    match around.needs.len() {
        0 => "nothing".to_owned(),
        len if len > NAMES_MAX => format!("{} and {} more{by}", names.join(", "), len - NAMES_MAX),
        _ => format!("{}{by}", names.join(", ")),
    }
}

/// Its calls, the newest first: how each ended; and what they cost together.
fn calls(canvas: &Canvas<'_>, plan: &PlanStep, view: &StepView) -> Vec<Fact> {
    let attempts = view.attempts();
    let most = plan.retry.as_ref().map_or(1, |retry| retry.max_attempts);
    let mut facts: Vec<Fact> = Vec::new();
    for attempt in attempts.iter().rev().take(LISTED) {
        let exit = attempt.exit_code.map_or_else(String::new, |code| format!("  exit {code}"));
        let how = match (&attempt.failure, &attempt.lost) {
            (_, Some(_)) => "  nobody knows how it ended".to_owned(),
            (Some(failure), None) => format!("  {}", failure.mode.label()),
            (None, None) if attempt.is_running() => "  runs".to_owned(),
            (None, None) => String::new(),
        };
        let ended = attempt.ended_at.unwrap_or(canvas.model.now);
        let took = ended.since(attempt.started_at);
        let again = attempt
            .retry_at
            .filter(|at| *at > canvas.model.now)
            .map_or_else(String::new, |at| format!("  again in {}", age(at.since(canvas.model.now))));
        let number = attempt.number;
        let what = match attempt.purpose {
            Purpose::Step => format!("{number} of {most}"),
            Purpose::Fallback(which) => format!("{number}, fallback {which}"),
            Purpose::Undo => format!("{number}, undo"),
            Purpose::Check => format!("{number}, check"),
        };
        let text = format!("{what}  {}  {took}{exit}{how}{again}", attempt.started_at.clock());
        let role = if attempt.failure.is_some() { Role::Fail } else { Role::Text };
        facts.push((if facts.is_empty() { "calls" } else { "" }, text, role));
    }
    if let Some(last) = attempts.last() {
        facts.push(("command", safe_text(&last.argv.join(" ")), Role::Muted));
        let bytes: u64 = attempts.iter().map(|attempt| attempt.output_bytes).sum();
        let ran = cuelight_base::Span(attempts.iter().map(|attempt| attempt.ran_for.0).sum());
        let text = format!(
            "{}, {ran} of work, {} written",
            counted(attempts.len(), "call", "calls"),
            counted(bytes, "byte", "bytes")
        );
        facts.push((
            "cost",
            text.replacen("1 calls", "1 call", usize::from(attempts.len() == 1)),
            Role::Text,
        ));
        for file in last.artifacts.iter().take(LISTED) {
            facts.push(("kept", safe_text(&file.path), Role::Text));
        }
    }
    facts
}

/// The settings of a step: variables as written (secrets by name only), directory, timeout, limits, and
/// fallback.
fn given(plan: &PlanStep) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for (name, template) in plan.env.iter().take(LISTED) {
        let text = format!("{name}={}", shorten(template, VALUE_CHARS));
        facts.push((if facts.is_empty() { "env" } else { "" }, safe_text(&text), Role::Text));
    }
    if plan.env.len() > LISTED {
        facts.push(("", format!("and {} more", plan.env.len() - LISTED), Role::Muted));
    }
    if let Some(dir) = &plan.dir {
        facts.push(("in", safe_text(dir), Role::Muted));
    }
    if let Some(timeout) = plan.timeout {
        facts.push(("timeout", timeout.to_string(), Role::Muted));
    }
    if let Some(limits) = plan.limits.words(plan.output_limit, plan.sandboxed) {
        facts.push(("limits", limits, Role::Muted));
    }
    if let Some(first) = plan.fallback.first() {
        let text = format!("{} ({})", plan.fallback.len(), kind_word(first));
        facts.push(("fallback", text, Role::Muted));
    }
    facts
}

/// The steps that need this step directly. A step in a frame also blocks the steps that need its frame.
fn blocks(canvas: &Canvas<'_>, step: StepIx) -> String {
    let Some(picture) = &canvas.model.dag.picture else { return String::new() };
    let graph = &picture.graph;
    let of = |step: u32| graph.edges.iter().filter(move |(from, _)| *from == step).map(|(_, to)| *to);
    let mut at = step.0;
    let around = |at: u32| graph.nodes.get(at as usize).and_then(|node| node.group);
    while let Some(frame) = around(at).filter(|_| of(at).next().is_none()) {
        at = frame;
    }
    let Some(first) = of(at).next().and_then(|number| graph.nodes.get(number as usize)) else {
        return "nothing".to_owned();
    };
    let more = of(at).count() - 1;
    let by = if at == step.0 {
        String::new()
    } else {
        format!("  (as {})", safe_text(&graph.nodes[at as usize].label))
    };
    let name = safe_text(&first.label);
    if more == 0 { format!("{name}{by}") } else { format!("{name} and {more} more{by}") }
}

pub(super) fn what_it_does(plan: &PlanStep) -> String {
    let kind = kind_word(&plan.work);
    match &plan.title {
        Some(title) => format!("{kind}: {}", safe_text(title)),
        None => kind.to_owned(),
    }
}

fn effect_words(class: EffectClass) -> &'static str {
    match class {
        EffectClass::Pure => "pure: run again after a crash",
        EffectClass::Idempotent => "idempotent: safe to repeat",
        EffectClass::Keyed => "keyed: the other side removes doubles",
        EffectClass::Queryable => "queryable: a check tells if it happened",
        EffectClass::Once => "once: after a crash a person is asked",
    }
}

fn why_words(run: &RunView, why: &cuelight_engine::Why) -> String {
    use cuelight_engine::Why;
    match why {
        Why::Condition => "its `if` was false".to_owned(),
        Why::Need(step) => format!("{} did not succeed", run.step_id(*step)),
        Why::Stopped(step) => format!("the run stopped after {}", run.step_id(*step)),
        Why::Cancelled => "the run was cancelled".to_owned(),
        Why::RunTimedOut => "the time of the run was up".to_owned(),
        Why::FailFast(step) => format!("another copy failed: {}", run.step_id(*step)),
        Why::Frame(step) => format!("{} never opened", run.step_id(*step)),
        Why::Kept => "kept from the run this one retries".to_owned(),
        Why::Person { by, reason } => format!("{}: {}", by.name, safe_text(reason)),
        Why::Failed(record) => safe_text(&record.message),
    }
}

/// The keys for this step, as many in a row as fit.
fn keys(canvas: &Canvas<'_>, mark: Mark, is_fold: bool, width: usize) -> Vec<Pieces> {
    let model = canvas.model;
    let first: &[Intent] = match mark {
        _ if is_fold => &[Intent::FoldToggle, Intent::FoldNone],
        Mark::Gate | Mark::GateLate | Mark::InDoubt => &[Intent::Open, Intent::WhatIf, Intent::Skip],
        Mark::Failed | Mark::TimedOut => &[Intent::Retry, Intent::WhatIf],
        _ => &[Intent::WhatIf],
    };
    let offered = first.iter().chain(&[Intent::Logs, Intent::Why, Intent::Menu, Intent::CopyId]);
    let mut lines: Vec<Pieces> = vec![Vec::new()];
    let mut used = 0;
    for intent in offered {
        let Some(key) = model.keys.keys_of(model.view.scope(), *intent) else { continue };
        let word = format!(" {}   ", intent.short());
        let cells = key.width() + word.width();
        if used + cells > width && used > 0 {
            lines.push(Vec::new());
            used = 0;
        }
        used += cells;
        lines
            .last_mut()
            .expect("there is one")
            .extend([(key, canvas.style(Role::Title)), (word, canvas.style(Role::Muted))]);
    }
    lines
}
