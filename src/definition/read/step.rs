//! One step: its common keys. What it does is read in `kinds`.

use super::{
    declared::{check_name, value_kind},
    defaults::{Defaults, retry},
    fields::{Object, Reader, first_line, one_or_many},
    kinds, matrix,
    script::script,
    tool::{effect, is_tool, tool_id},
};
use crate::{
    Action, Budget, Cache, Confidence, ConfidenceBelow, Expected, Fallback, Limits, OnConsoleDeath, OnError,
    OnExceed, Output, Placed, Requires, RetryOn, Sandbox, Step, StepKind, Undo, Usage, Uses,
    document::{
        ACTION, BELOW, BUDGET, CACHE, CONFIDENCE, ESTIMATE, KINDS, LIMITS, ON_CONSOLE_DEATH, ON_ERROR,
        ON_EXCEED, REQUIRES, SANDBOXES, STEP,
    },
    spelling::any_of,
    yaml::{Node, Shape},
};
use cuelight_base::{
    PROCESS_FILES_LEAST, PROCESS_FILES_MOST, PROCESS_MEMORY_BYTES_LEAST, PROCESSES_MOST, ProcessLimits,
    SPOOL_BYTES_LEAST, shorten,
};
use cuelight_expression::{Reference, Template};

/// A step; none when there is not even an id or a kind to speak of.
pub(super) fn step(
    reader: &mut Reader<'_, '_>,
    node: &Node,
    defaults: &Defaults,
    before: Option<Placed<String>>,
) -> Option<Step> {
    let found = reader.object(node, &STEP)?;
    let id = found.get("id").and_then(|node| id(reader, node));
    let kind = kind(reader, &found, defaults);
    let works = matches!(
        kind,
        Some(
            StepKind::Run(_) | StepKind::Uses(_) | StepKind::Http(_) | StepKind::Llm(_) | StepKind::Agent(_)
        )
    );
    let shell = kinds::shell_of(kind.as_ref(), defaults);
    let timeout = match kind {
        Some(StepKind::Gate(_)) => None,
        _ => found.get("timeout").and_then(|timeout| reader.positive_duration(timeout, "a timeout")),
    };
    let retry = found.get("retry").and_then(|node| retry(reader, node, RetryOn::RetryableAndPlain));
    let step = Step {
        name: found.get("name").and_then(|name| reader.text(name, "a name")),
        needs: needs(reader, &found, before),
        condition: found.get("if").and_then(|node| reader.expression(node, "`if`")),
        env: found.get("env").map(|env| reader.env(env)).unwrap_or_default(),
        timeout: timeout.or(defaults.timeout.filter(|_| works)),
        retry: retry.or_else(|| defaults.retry.clone().filter(|_| works)),
        on_error: found.get("on-error").and_then(|node| on_error(reader, node)).unwrap_or_default(),
        fallback: found.get("fallback").map(|node| fallback(reader, node, &shell)).unwrap_or_default(),
        undo: found.get("undo").and_then(|node| undo(reader, node, &shell)),
        matrix: matrix::matrix(reader, &found),
        outputs: found.get("outputs").map(|node| outputs(reader, node)).unwrap_or_default(),
        artifacts: found
            .get("artifacts")
            .map(|artifacts| reader.texts(artifacts, "an artifact"))
            .unwrap_or_default(),
        cache: found.get("cache").and_then(|node| cache(reader, node)),
        confidence: found.get("confidence").and_then(|node| confidence(reader, node)),
        category: found
            .get("category")
            .and_then(|category| reader.word(category, "a category"))
            .map(|word| word.value),
        priority: found.get("priority").and_then(|node| priority(reader, node)).unwrap_or(0),
        effect: found.get("effect").and_then(|node| effect(reader, node)),
        check: found.get("check").and_then(|node| script(reader, node, "`check`", &shell)),
        on_console_death: found
            .get("on-console-death")
            .and_then(|death| {
                let values = [OnConsoleDeath::Keep, OnConsoleDeath::Kill];
                reader.one_of(death, "`on-console-death`", ON_CONSOLE_DEATH, &values)
            })
            .unwrap_or_default(),
        sandbox: found.get("sandbox").and_then(|sandbox| {
            reader.one_of(sandbox, "`sandbox`", SANDBOXES, &[Sandbox::Strict, Sandbox::Off])
        }),
        limits: found.get("limits").map(|node| limits(reader, node)).unwrap_or_default(),
        requires: found.get("requires").map(|node| requires(reader, node)).unwrap_or_default(),
        usage: Usage {
            budget: found.get("budget").and_then(|node| budget(reader, node)),
            estimate: found.get("estimate").map(|estimate| expected(reader, estimate)).unwrap_or_default(),
        },
        id: id.unwrap_or_else(|| Placed::new(String::new(), first_line(reader.findings.source, node.place))),
        kind: kind?,
    };
    misplaced(reader, &found, &step.kind);
    Some(step)
}

fn id(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Placed<String>> {
    let id = reader.word(node, "an id")?;
    let begins = id.value.starts_with(|c: char| c.is_ascii_lowercase());
    let rest =
        id.value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
    if begins && rest && id.value.len() <= 100 {
        return Some(id);
    }
    let lower: String = id.value.to_lowercase().replace([' ', '.', '/'], "-");
    let fits = lower.starts_with(|c: char| c.is_ascii_lowercase())
        && lower.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
    let message = format!("`{}` cannot be an id", shorten(&id.value, 60));
    let found = reader.findings.error("id", node.place, message);
    found.help("a to z, then a to z, 0 to 9, `_` and `-`; at most 100; `name:` takes any text");
    if fits && lower.len() <= 100 {
        found.fix(node.place, lower);
    }
    Some(id)
}

fn kind(reader: &mut Reader<'_, '_>, found: &Object<'_>, defaults: &Defaults) -> Option<StepKind> {
    let written: Vec<&'static str> = KINDS.iter().copied().filter(|kind| found.get(kind).is_some()).collect();
    match written.as_slice() {
        [] => {
            let place = first_line(reader.findings.source, found.place);
            let words: Vec<String> = KINDS.iter().map(|kind| format!("`{kind}`")).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            reader
                .findings
                .error("kind", place, "this step does nothing")
                .help(format!("give it exactly one of {}", any_of(&words)));
            None
        }
        [one] => {
            let one = *one;
            kinds::kind(reader, found, one, defaults)
        }
        [first, second, ..] => {
            let place = found.key_place(second).unwrap_or(found.place);
            let other = found.key_place(first).unwrap_or(found.place);
            let related = reader.findings.related(other, format!("`{first}` is here"));
            reader
                .findings
                .error("kind", place, format!("a step does one thing; this one has `{first}` and `{second}`"))
                .help("make two steps of it")
                .also(related);
            kinds::kind(reader, found, first, defaults)
        }
    }
}

/// Keys that mean nothing beside the kind.
fn misplaced(reader: &mut Reader<'_, '_>, found: &Object<'_>, kind: &StepKind) {
    let runs = matches!(kind, StepKind::Run(_));
    let takes = matches!(kind, StepKind::Uses(_) | StepKind::Workflow(_) | StepKind::Agent(_));
    let waits = matches!(kind, StepKind::Gate(_) | StepKind::Wait(_) | StepKind::Set(_) | StepKind::Emit(_));
    let starts = matches!(kind, StepKind::Run(_) | StepKind::Uses(_) | StepKind::Agent(_));
    let calls = !waits && !matches!(kind, StepKind::Workflow(_));
    let rules: &[(&str, bool, &str)] = &[
        ("shell", runs, "`run`"),
        ("working-directory", runs, "`run`"),
        ("with", takes, "`uses`, `workflow` or `agent`"),
        ("retry", !waits, "a step that can fail"),
        ("fallback", !waits, "a step that can fail"),
        ("cache", calls, "a step that calls something"),
        ("budget", calls, "a step that calls something, or the top of a workflow file"),
        ("confidence", calls, "a step that calls something"),
        ("estimate", calls, "a step that calls something"),
        ("limits", starts, "a step that starts programs: `run`, `uses`, `agent`"),
        ("sandbox", starts, "a step that starts programs: `run`, `uses`, `agent`"),
    ];
    for (key, fits, beside) in rules {
        let Some(place) = found.key_place(key).filter(|_| !fits) else { continue };
        reader
            .findings
            .error("kind", place, format!("`{key}` means nothing in a `{}` step", kind.word()))
            .help(format!("it belongs to {beside}; remove it"));
    }
    if let (StepKind::Gate(_), Some(place)) = (kind, found.key_place("timeout")) {
        reader
            .findings
            .error("kind", place, "the timeout of a gate stands inside `gate:`")
            .help("a step's timeout is of one attempt; move it beside `prompt:`");
    }
}

fn needs(
    reader: &mut Reader<'_, '_>,
    found: &Object<'_>,
    before: Option<Placed<String>>,
) -> Vec<Placed<String>> {
    match found.get("needs") {
        Some(node) => reader.names(node, "a need"),
        None => before.into_iter().collect(),
    }
}

fn on_error(reader: &mut Reader<'_, '_>, node: &Node) -> Option<OnError> {
    reader.one_of(node, "`on-error`", ON_ERROR, &[OnError::Abort, OnError::Skip, OnError::Continue])
}

/// The action of a fallback or an undo: a script, a tool, or a mapping that names one of them.
fn action(reader: &mut Reader<'_, '_>, node: &Node, what: &str, shell: &[String]) -> Option<Action> {
    if let Shape::Scalar(scalar) = &node.shape {
        if is_tool(&scalar.text) {
            let tool = Placed::new(scalar.text.clone(), node.place);
            return Some(Action::Uses(Uses { tool, with: Vec::new(), definition: None, route: None }));
        }
        return script(reader, node, what, shell).map(Action::Run);
    }
    let found = reader.object(node, &ACTION)?;
    match (found.get("run"), found.get("uses")) {
        (Some(run), None) => {
            if let Some(place) = found.key_place("with") {
                reader.findings.error("kind", place, "`with` stands beside `uses`").help("remove it");
            }
            script(reader, run, what, shell).map(Action::Run)
        }
        (None, Some(uses)) => {
            let tool = tool_id(reader, uses)?;
            let with =
                found.get("with").map(|node| reader.values(node, "`with` is a mapping")).unwrap_or_default();
            Some(Action::Uses(Uses { tool, with, definition: None, route: None }))
        }
        _ => {
            let place = first_line(reader.findings.source, node.place);
            reader.findings.error("kind", place, format!("{what} has `run` or `uses`, one of them"));
            None
        }
    }
}

fn fallback(reader: &mut Reader<'_, '_>, node: &Node, shell: &[String]) -> Vec<Fallback> {
    let items = one_or_many(node);
    items
        .iter()
        .filter_map(|item| {
            let says_with =
                matches!(&item.shape, Shape::Map(all) if all.iter().any(|entry| entry.key == "with"));
            Some(Fallback { action: action(reader, item, "a fallback", shell)?, says_with })
        })
        .collect()
}

fn undo(reader: &mut Reader<'_, '_>, node: &Node, shell: &[String]) -> Option<Undo> {
    match &node.shape {
        Shape::Scalar(scalar) if scalar.text == "none" => Some(Undo::Impossible),
        _ => action(reader, node, "`undo`", shell).map(Undo::By),
    }
}

fn outputs(reader: &mut Reader<'_, '_>, node: &Node) -> Vec<Output> {
    let mut out = Vec::new();
    for entry in reader.entries(node, "`outputs` is a mapping of names to types") {
        check_name(reader, &entry.key, entry.place, "an output");
        let kind = if entry.value.is_null() { None } else { value_kind(reader, &entry.value) };
        out.push(Output {
            name: Placed::new(entry.key.clone(), entry.place),
            kind: kind.unwrap_or_default(),
        });
    }
    out
}

fn cache(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Cache> {
    let found = reader.object(node, &CACHE)?;
    let ttl = found.get("ttl").and_then(|ttl| reader.positive_duration(ttl, "`ttl`"));
    Some(Cache { key: found.get("key").and_then(|key| reader.text(key, "a cache key"))?, ttl })
}

pub(super) fn budget(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Budget> {
    let found = reader.object(node, &BUDGET)?;
    let on_exceed = found.get("on-exceed").and_then(|on_exceed| {
        reader.one_of(on_exceed, "`on-exceed`", ON_EXCEED, &[OnExceed::Warn, OnExceed::Block, OnExceed::Gate])
    });
    let mut budget = Budget {
        cost_micro_usd: found.get("cost-usd").and_then(|cost_usd| reader.millionths(cost_usd, "`cost-usd`")),
        calls: found.get("calls").and_then(|calls| reader.whole(calls, "`calls`", 0, u64::MAX)),
        tokens: found.get("tokens").and_then(|tokens| reader.whole(tokens, "`tokens`", 0, u64::MAX)),
        on_exceed: on_exceed.unwrap_or_default(),
    };
    let has_figures = ["cost-usd", "calls", "tokens"].iter().any(|key| found.get(key).is_some());
    if !has_figures {
        (budget.cost_micro_usd, budget.calls, budget.tokens) = (Some(100_000_000), Some(50), Some(100_000));
    }
    Some(budget)
}

fn expected(reader: &mut Reader<'_, '_>, node: &Node) -> Expected {
    let Some(found) = reader.object(node, &ESTIMATE) else { return Expected::default() };
    let cost = found.get("cost-usd").and_then(|cost_usd| reader.millionths(cost_usd, "`cost-usd`"));
    let tokens = found.get("tokens").and_then(|tokens| reader.whole(tokens, "`tokens`", 0, u64::MAX));
    Expected { cost_micro_usd: cost.unwrap_or(0), tokens: tokens.unwrap_or(0) }
}

fn confidence(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Confidence> {
    let found = reader.object(node, &CONFIDENCE)?;
    let from = found.get("from").and_then(|node| reader.word(node, "`from`"));
    let below = found.get("below").and_then(|node| {
        reader.one_of(
            node,
            "`below`",
            BELOW,
            &[ConfidenceBelow::Gate, ConfidenceBelow::Fail, ConfidenceBelow::Warn],
        )
    });
    let min = found.get("min").and_then(|min| reader.share(min, "`min`"))?;
    Some(Confidence { from, min, below: below.unwrap_or_default() })
}

fn priority(reader: &mut Reader<'_, '_>, node: &Node) -> Option<i32> {
    let number = match &node.shape {
        Shape::Scalar(scalar) => scalar.value().as_i64().and_then(|value| i32::try_from(value).ok()),
        _ => None,
    };
    if number.is_none() {
        reader.wrong_type(node, "`priority` is a whole number such as 10 or -5");
    }
    number
}

fn limits(reader: &mut Reader<'_, '_>, node: &Node) -> Limits {
    let Some(found) = reader.object(node, &LIMITS) else { return Limits::default() };
    let process = ProcessLimits {
        memory_bytes: found
            .get("memory")
            .and_then(|memory| reader.size_from(memory, "`memory`", PROCESS_MEMORY_BYTES_LEAST)),
        files: found
            .get("files")
            .and_then(|files| reader.whole(files, "`files`", PROCESS_FILES_LEAST, PROCESS_FILES_MOST)),
        cpu: found.get("cpu").and_then(|cpu| reader.positive_duration(cpu, "`cpu`")),
        processes: found
            .get("processes")
            .and_then(|processes| reader.whole(processes, "`processes`", 1, PROCESSES_MOST)),
        file_bytes: found
            .get("file-size")
            .and_then(|file_size| reader.size_from(file_size, "`file-size`", 1)),
    };
    let output = found.get("output");
    let output_bytes = output.and_then(|output| reader.size_from(output, "`output`", SPOOL_BYTES_LEAST));
    Limits { process, output_bytes }
}

fn requires(reader: &mut Reader<'_, '_>, node: &Node) -> Requires {
    let Some(found) = reader.object(node, &REQUIRES) else { return Requires::default() };
    let labels = found.get("labels").into_iter().flat_map(one_or_many);
    let labels = labels.filter_map(|node| label(reader, node)).collect();
    let capabilities =
        found.get("capabilities").map(|capabilities| reader.names(capabilities, "a capability"));
    let capabilities = capabilities.into_iter().flatten().map(|capability| capability.value).collect();
    Requires { labels, capabilities }
}

/// A label, or an expression that is one when the run is planned: of the inputs, or of the copy of a constant matrix.
fn label(reader: &mut Reader<'_, '_>, node: &Node) -> Option<String> {
    let text = reader.text(node, "a label")?;
    let template = Template::parse(&text.value).ok()?;
    let is_known = |reference: &Reference| {
        ["inputs", "matrix"].iter().any(|root| reference.root.eq_ignore_ascii_case(root))
    };
    if template.holes().all(|hole| hole.expr.references().iter().all(is_known)) {
        return Some(text.value);
    }
    reader
        .findings
        .error("expression", node.place, "a label must be known before the run starts")
        .help("it may read `inputs`, and `matrix` where the copies stand in the file");
    None
}
