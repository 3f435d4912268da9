//! DAG: the graph of one run, the step under the cursor, the map, and what is happening.

use super::{
    Canvas,
    pieces::{Pieces, put_pieces, width_of, wrapped},
};
use crate::{
    base::{StepIx, safe_text},
    console::{
        Intent, Mark, Place, Role, Width, dag, fill, layout,
        marks::{age, mark_of_run, mark_of_step, word_of_run},
        model::Picture,
        pane, put,
    },
    engine::WaitReason,
    plan::{EffectClass, PlanStep, Undo},
    projection::{RunView, StepView, kind_word},
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Bytes of a value that are shown of an output.
const VALUE_CHARS: usize = 200;

pub(super) fn draw(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let model = canvas.model;
    let places = layout::dag(model);
    let Some(run) = model.dag.run.and_then(|it| model.board.run(it)) else {
        nothing(canvas, places.title, buf);
        return;
    };
    let Some(picture) = model.dag.picture.as_deref().filter(|it| it.run == run.id()) else { return };
    title(canvas, run, picture, places.title, buf);
    if let Some(area) = places.pane {
        pane(buf, area, &graph_title(canvas, picture), "", canvas.pane(true));
    }
    let (graph, view) = (places.graph, &model.dag.view);
    dag::paint(
        &picture.layout,
        &picture.shown,
        view,
        canvas.theme,
        canvas.glyphs,
        model.dag.scroll,
        graph,
        buf,
    );
    if let Some(area) = places.map {
        map(canvas, picture, area, graph, buf);
    }
    let selected = model.dag.view.selected.map(StepIx);
    if let Some(step) = selected.filter(|_| places.side.height > 0) {
        side(canvas, run, step, places.side, buf);
    }
    if let Some(area) = places.lower {
        happening(canvas, run, area, buf);
    }
}

fn nothing(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let text = match canvas.model.dag.run {
        Some(run) => format!("the steps of {run} are no longer in memory; `cuelight show {run}` prints them"),
        None => "no run is selected; 1 lists them".to_owned(),
    };
    put(buf, area, area.x + 1, area.y, &text, canvas.style(Role::Muted));
}

/// `r-7 etl/orders   1003 steps, 41 shown   zoom 2/3 compact   folded 14   follow on`
fn title(canvas: &Canvas<'_>, run: &RunView, picture: &Picture, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let (text, muted) = (canvas.style(Role::Text), canvas.style(Role::Muted));
    let mark = mark_of_run(&run.summary);
    let (number, zoom) = model.dag.view.zoom.name();
    let mut line: Pieces = vec![
        (format!(" {} ", mark.sign(canvas.glyphs)), mark.style(canvas.theme)),
        (format!("{} {}", run.id(), safe_text(&run.summary.workflow)), canvas.style(Role::Title)),
        (format!("   {}", word_of_run(&run.summary)), canvas.style(mark.role())),
    ];
    let (steps, shown) = (run.summary.counts.total() as usize, picture.shown.nodes.len());
    if shown < steps {
        line.push((format!("   {steps} steps, {shown} shown"), text));
    }
    line.push((format!("   zoom {number}/3 {zoom}"), muted));
    if picture.shown.folded() > 0 {
        line.push((format!("   folded {}", picture.shown.folded()), muted));
    }
    line.push((format!("   follow {}", if model.dag.follow { "on" } else { "off" }), muted));
    put_pieces(buf, area, (area.x, area.y), &line, canvas.glyphs);
    let used = width_of(&line);
    let right = right_of_title(canvas, run);
    let room = usize::from(area.width).saturating_sub(used + 2);
    for right in [right.0, right.1] {
        let width = width_of(&right);
        if width <= room {
            let x = area.right().saturating_sub(u16::try_from(width).unwrap_or(0) + 1);
            put_pieces(buf, area, (x, area.y), &right, canvas.glyphs);
            break;
        }
    }
}

/// How long it has run, and on wide screens how many steps are in which state.
fn right_of_title(canvas: &Canvas<'_>, run: &RunView) -> (Pieces, Pieces) {
    let took: Pieces = vec![(run.summary.age(canvas.model.now).to_string(), canvas.style(Role::Text))];
    let mut long = took.clone();
    for (state, count) in run.summary.counts.present() {
        long.push((format!("   {count} {state}"), canvas.style(Role::Muted)));
    }
    (long, took)
}

fn graph_title(canvas: &Canvas<'_>, picture: &Picture) -> String {
    match picture.shown.selected(&canvas.model.dag.view) {
        Some(node) => safe_text(&node.title(canvas.glyphs)),
        None => String::new(),
    }
}

fn map(canvas: &Canvas<'_>, picture: &Picture, area: Rect, graph: Rect, buf: &mut Buffer) {
    if area.intersects(graph) {
        fill(buf, area, canvas.theme.ground());
    }
    let key = canvas.model.keys.keys_of(canvas.model.view.scope(), Intent::Map).unwrap_or_default();
    let inside = pane(buf, area, "map", &format!("{key} hide"), canvas.pane(false));
    let (x, y) = canvas.model.dag.scroll;
    let window = Place { x, y, width: i32::from(graph.width), height: i32::from(graph.height) };
    dag::paint_map(&picture.layout, &picture.shown, window, (canvas.theme, canvas.glyphs), inside, buf);
}

/// The step under the cursor: three lines under the graph, or a pane beside it.
fn side(canvas: &Canvas<'_>, run: &RunView, step: StepIx, area: Rect, buf: &mut Buffer) {
    let (Some(plan), Some(view)) = (run.plan_step(step), run.step(step)) else { return };
    let mark = mark_of_step(view, &canvas.model.board, canvas.model.now);
    let narrow = layout::frame(canvas.model.size).width == Width::One;
    let (inside, mut lines) = if narrow {
        let head: Pieces = vec![
            (format!("{} ", mark.sign(canvas.glyphs)), mark.style(canvas.theme)),
            (safe_text(&plan.id), canvas.style(Role::Title)),
            (format!("   {}", state_words(canvas, view, mark)), canvas.style(mark.role())),
        ];
        (layout::inset(area, 1, 0, 0), vec![head])
    } else {
        let inside = pane(buf, area, &safe_text(&plan.id), "", canvas.pane(false));
        let head: Pieces = vec![
            (format!("{} ", mark.sign(canvas.glyphs)), mark.style(canvas.theme)),
            (state_words(canvas, view, mark), canvas.style(mark.role())),
        ];
        (layout::inset(inside, 1, 0, 0), vec![head])
    };
    let facts = facts(canvas, run, (step, plan, view), mark);
    if narrow {
        lines.extend(
            facts.into_iter().take(2).map(|(label, text, role)| labelled(canvas, label, &text, role)),
        );
    } else {
        for (label, text, role) in facts {
            let width = usize::from(inside.width).saturating_sub(10).max(1);
            for (index, part) in wrapped(&text, width).into_iter().take(6).enumerate() {
                lines.push(labelled(canvas, if index == 0 { label } else { "" }, &part, role));
            }
        }
        lines.push(Vec::new());
        lines.extend(keys(canvas));
    }
    for (row, line) in lines.iter().take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        put_pieces(buf, inside, (inside.x, y), line, canvas.glyphs);
    }
}

fn labelled(canvas: &Canvas<'_>, label: &str, text: &str, role: Role) -> Pieces {
    vec![(format!("{label:<10}"), canvas.style(Role::Muted)), (text.to_owned(), canvas.style(role))]
}

fn state_words(canvas: &Canvas<'_>, step: &StepView, mark: Mark) -> String {
    let since = age(canvas.model.now.since(step.since));
    let word = match mark {
        Mark::Gate | Mark::GateLate => "waits for a person",
        Mark::Retry => "waits to be tried again",
        Mark::Runs => "runs",
        _ => step.state.word(),
    };
    if step.state.rests() { word.to_owned() } else { format!("{word}  {since}") }
}

type Fact = (&'static str, String, Role);

/// What is known of a step, the most important first.
fn facts(canvas: &Canvas<'_>, run: &RunView, step: (StepIx, &PlanStep, &StepView), mark: Mark) -> Vec<Fact> {
    let (index, plan, view) = step;
    let mut facts: Vec<Fact> = Vec::new();
    if let Some(error) = view.error() {
        facts.push(("error", format!("{} {}", error.mode.label(), safe_text(&error.message)), Role::Fail));
    }
    facts.extend(waits(canvas, view, mark));
    facts.push(("needs", needs(canvas, run, plan), Role::Text));
    facts.push(("blocks", blocks(run, index), Role::Text));
    facts.push(("does", what_it_does(plan), Role::Text));
    if let Some(inside) = &view.inside {
        let parts: Vec<String> = inside.present().map(|(state, count)| format!("{count} {state}")).collect();
        facts.push(("inside", parts.join(", "), Role::Text));
    }
    if let Some(attempt) = view.attempts().last() {
        let most = plan.retry.as_ref().map_or(1, |it| it.max_attempts);
        let exit = attempt.exit_code.map_or_else(String::new, |code| format!("   exit {code}"));
        facts.push(("call", format!("{} of {most}{exit}", attempt.number), Role::Text));
        facts.push(("command", safe_text(&attempt.argv.join(" ")), Role::Muted));
        if attempt.output_bytes > 0 {
            facts.push(("wrote", format!("{} bytes", attempt.output_bytes), Role::Muted));
        }
    }
    if let Some(started) = view.started_at {
        let ran = view.elapsed(canvas.model.now).map_or_else(String::new, |it| format!("   ran {it}"));
        facts.push(("started", format!("{}{ran}", started.clock()), Role::Text));
    }
    if let Some(why) = view.why() {
        facts.push(("because", why_words(run, why), Role::Text));
    }
    if let Some(outputs) = view.outputs() {
        for (name, value) in outputs.iter().take(8) {
            let text = format!("{name} = {}", crate::base::shorten(&value.to_string(), VALUE_CHARS));
            facts.push(("output", safe_text(&text), Role::Text));
        }
    }
    if let Some(confidence) = view.confidence() {
        facts.push(("confidence", confidence.to_string(), Role::Text));
    }
    facts.push(("effect", effect_words(plan.effect).to_owned(), Role::Muted));
    match &plan.undo {
        Undo::By(_) => facts.push(("undo", "can be undone".to_owned(), Role::Muted)),
        Undo::Impossible => facts.push(("undo", "can not be undone".to_owned(), Role::Warn)),
        Undo::Unset => {}
    }
    facts
}

fn waits(canvas: &Canvas<'_>, view: &StepView, mark: Mark) -> Option<Fact> {
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
    }
}

fn needs(canvas: &Canvas<'_>, run: &RunView, plan: &PlanStep) -> String {
    const NAMES_MAX: usize = 4;
    let name = |it: &StepIx| {
        let mark = run
            .step(*it)
            .map_or(Mark::Todo, |step| mark_of_step(step, &canvas.model.board, canvas.model.now));
        format!("{} {}", mark.sign(canvas.glyphs), run.step_id(*it))
    };
    let names: Vec<String> = plan.needs.iter().take(NAMES_MAX).map(name).collect();
    match plan.needs.len() {
        0 => "nothing".to_owned(),
        len if len > NAMES_MAX => format!("{} and {} more", names.join(", "), len - NAMES_MAX),
        _ => names.join(", "),
    }
}

/// Steps that cannot start before this one, near and far.
fn blocks(run: &RunView, step: StepIx) -> String {
    let direct: Vec<&str> = run
        .steps()
        .filter(|(_, plan, _)| plan.needs.contains(&step))
        .map(|(_, plan, _)| plan.id.as_str())
        .collect();
    match direct.as_slice() {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}

fn what_it_does(plan: &PlanStep) -> String {
    let kind = kind_word(&plan.work);
    match &plan.title {
        Some(title) => format!("{kind}: {}", safe_text(title)),
        None => kind.to_owned(),
    }
}

fn effect_words(class: EffectClass) -> &'static str {
    match class {
        EffectClass::Pure => "pure: run again after a crash",
        EffectClass::Idempotent => "idempotent: twice is once",
        EffectClass::Keyed => "keyed: the other side removes doubles",
        EffectClass::Queryable => "queryable: a check tells if it happened",
        EffectClass::Once => "once: after a crash a person is asked",
    }
}

fn why_words(run: &RunView, why: &crate::engine::Why) -> String {
    use crate::engine::Why;
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

/// What can be pressed for this step.
fn keys(canvas: &Canvas<'_>) -> Vec<Pieces> {
    let model = canvas.model;
    let offered = [Intent::Why, Intent::Menu, Intent::Retry, Intent::Skip, Intent::CopyId];
    let pieces = offered.iter().filter_map(|intent| {
        let key = model.keys.keys_of(model.view.scope(), *intent)?;
        Some([
            (key, canvas.style(Role::Title)),
            (format!(" {}   ", intent.short()), canvas.style(Role::Muted)),
        ])
    });
    let all: Pieces = pieces.flatten().collect();
    all.chunks(6).map(<[_]>::to_vec).collect()
}

/// Every step that goes on, waits or went wrong.
fn happening(canvas: &Canvas<'_>, run: &RunView, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let inside = pane(buf, area, "what is happening", "", canvas.pane(false));
    let mut hot: Vec<_> = run
        .steps()
        .filter(|(_, _, step)| step.inside.is_none())
        .map(|(index, plan, step)| (mark_of_step(step, &model.board, model.now), index, plan, step))
        .filter(|(mark, _, _, _)| mark.urgency() >= Mark::Waits.urgency())
        .collect();
    hot.sort_by_key(|(mark, index, _, _)| (std::cmp::Reverse(mark.urgency()), *index));
    if hot.is_empty() {
        let text = format!("nothing goes on: {} is {}", run.id(), run.summary.state);
        put(buf, inside, inside.x + 1, inside.y, &text, canvas.style(Role::Muted));
    }
    for (row, (mark, index, plan, step)) in hot.iter().take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        let detail = match (step.error(), waits(canvas, step, *mark)) {
            (Some(error), _) => format!("{} {}", error.mode.label(), safe_text(&error.message)),
            (None, Some((_, text, _))) => text,
            (None, None) => what_it_does(plan),
        };
        let line: Pieces = vec![
            (format!(" {} ", mark.sign(canvas.glyphs)), mark.style(canvas.theme)),
            (format!("{:<28} ", canvas.glyphs.fit(&run.step_id(*index), 28)), canvas.style(Role::Text)),
            (format!("{:<24} ", state_words(canvas, step, *mark)), canvas.style(mark.role())),
            (format!("{}  ", step.since.clock()), canvas.style(Role::Muted)),
            (detail, canvas.style(Role::Muted)),
        ];
        put_pieces(buf, inside, (inside.x, y), &line, canvas.glyphs);
    }
}
