//! The top of the file: inputs, triggers, policies of the run, and then the steps.

use super::{
    fields::{Object, Reader, one_or_many},
    step::{self, Defaults},
};
use crate::{
    Budget, Concurrency, Field, OnConflict, OnExceed, OnFailure, Overlap, Placed, Schedule, ValueKind,
    Workflow,
    document::{
        BUDGET, CONCURRENCY, FIELD, ON_CONFLICT, ON_EXCEED, ON_FAILURE, OVERLAPS, SCHEDULE, TRIGGERS,
        VALUE_KINDS, WORKFLOW,
    },
    inputs::misfit,
    yaml::{Node, Shape},
};
use cuelight_base::{Value, shorten};

/// A whole file. Where something was wrong, there is a finding and a default in its place.
pub(crate) fn workflow(reader: &mut Reader<'_, '_>, root: &Node) -> Option<Workflow> {
    let top = reader.object(root, &WORKFLOW)?;
    let defaults = top.get("defaults").map(|defaults| step::defaults(reader, defaults)).unwrap_or_default();
    let in_sequence =
        top.get("sequence").and_then(|sequence| reader.boolean(sequence, "`sequence`")).unwrap_or(false);
    Some(Workflow {
        file: reader.findings.file.to_owned(),
        name: name(reader, &top),
        description: top
            .get("description")
            .and_then(|description| reader.word(description, "a description"))
            .map(|word| word.value),
        inputs: top.get("inputs").map(|inputs| fields(reader, inputs, "an input")).unwrap_or_default(),
        env: top.get("env").map(|env| reader.env(env)).unwrap_or_default(),
        secrets: top.get("secrets").map(|secrets| names(reader, secrets, "a secret")).unwrap_or_default(),
        schedule: top.get("on").map(|node| triggers(reader, node)).unwrap_or_default(),
        concurrency: top.get("concurrency").and_then(|node| concurrency(reader, node)),
        max_parallel: top
            .get("max-parallel")
            .and_then(|max_parallel| small(reader, max_parallel, "`max-parallel`", 1, 10_000)),
        timeout: top.get("timeout").and_then(|timeout| reader.positive_duration(timeout, "a timeout")),
        budget: top.get("budget").and_then(|node| budget(reader, node)),
        on_failure: top
            .get("on-failure")
            .and_then(|node| on_failure(reader, node, "`on-failure`"))
            .unwrap_or_default(),
        outputs: top.get("outputs").map(|node| outputs(reader, node)).unwrap_or_default(),
        steps: top.get("steps").map(|node| steps(reader, node, &defaults, in_sequence)).unwrap_or_default(),
        step_count: 0,
    })
}

fn name(reader: &mut Reader<'_, '_>, top: &Object<'_>) -> String {
    let written =
        top.get("name").and_then(|name| reader.word(name, "the name of a workflow")).map(|word| word.value);
    written.filter(|value| !value.trim().is_empty()).unwrap_or_else(|| {
        let file = reader.findings.file;
        let base = file.rsplit(['/', '\\']).next().unwrap_or(file);
        let stem = base.strip_suffix(".yaml").or_else(|| base.strip_suffix(".yml")).unwrap_or(base);
        if stem.is_empty() { "workflow".to_owned() } else { stem.to_owned() }
    })
}

fn steps(
    reader: &mut Reader<'_, '_>,
    node: &Node,
    defaults: &Defaults,
    in_sequence: bool,
) -> Vec<crate::Step> {
    let items = reader.list(node, "`steps` is a list; each step begins with `- id:`");
    if items.is_empty() && matches!(node.shape, Shape::List(_)) {
        reader.findings.error("missing-key", node.place, "a workflow has at least one step");
    }
    let mut out: Vec<crate::Step> = Vec::with_capacity(items.len());
    for item in items {
        let before = if in_sequence { out.last().map(|step| step.id.clone()) } else { None };
        out.extend(step::step(reader, item, defaults, before));
    }
    out
}

pub(super) fn on_failure(reader: &mut Reader<'_, '_>, node: &Node, what: &str) -> Option<OnFailure> {
    reader.one_of(node, what, ON_FAILURE, &[OnFailure::Stop, OnFailure::Continue, OnFailure::Compensate])
}

/// A number that fits 32 bits because `most` does.
pub(super) fn small(
    reader: &mut Reader<'_, '_>,
    node: &Node,
    what: &str,
    least: u64,
    most: u32,
) -> Option<u32> {
    reader.whole(node, what, least, u64::from(most)).and_then(|number| u32::try_from(number).ok())
}

/// The names in a list or a single text. A repeated name is kept once and reported.
pub(super) fn names(reader: &mut Reader<'_, '_>, node: &Node, what: &str) -> Vec<Placed<String>> {
    let mut out: Vec<Placed<String>> = Vec::new();
    for item in one_or_many(node) {
        let Some(word) = reader.word(item, what) else { continue };
        if out.iter().any(|name| name.value == word.value) {
            let message = format!("`{}` stands twice", shorten(&word.value, 60));
            reader.findings.warning("duplicate-need", item.place, message).help("keep one of the two");
        } else {
            out.push(word);
        }
    }
    out
}

fn outputs(reader: &mut Reader<'_, '_>, node: &Node) -> Vec<(String, crate::Text)> {
    let entries = reader.entries(node, "`outputs` is a mapping of names to texts");
    let mut out = Vec::new();
    for entry in entries {
        check_name(reader, &entry.key, entry.place, "an output");
        out.extend(reader.text_or_empty(&entry.value, "an output").map(|text| (entry.key.clone(), text)));
    }
    out
}

/// A key that expressions can name after a dot.
pub(super) fn check_name(reader: &mut Reader<'_, '_>, name: &str, place: crate::Place, what: &str) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = first
        && name.len() <= 100
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !fits {
        let message = format!("`{}` cannot be the name of {what}", shorten(name, 60));
        reader
            .findings
            .error("id", place, message)
            .help("a letter or `_`, then letters, digits, `_` and `-`");
    }
    fits
}

/// Inputs of a workflow, or the fields of a form.
pub(super) fn fields(reader: &mut Reader<'_, '_>, node: &Node, what: &'static str) -> Vec<Field> {
    let wanted = format!("{what} stands as `name: {{type: string}}`");
    let mut out = Vec::new();
    for entry in reader.entries(node, &wanted) {
        check_name(reader, &entry.key, entry.place, what);
        let name = Placed::new(entry.key.clone(), entry.place);
        out.push(field(reader, name, &entry.value, what));
    }
    out
}

fn field(reader: &mut Reader<'_, '_>, name: Placed<String>, node: &Node, what: &str) -> Field {
    let mut field = Field {
        name,
        kind: ValueKind::String,
        required: false,
        default: None,
        pattern: None,
        choices: Vec::new(),
        description: None,
    };
    if node.is_null() {
        return field;
    }
    if let Shape::Scalar(_) = node.shape {
        field.kind = value_kind(reader, node).unwrap_or_default();
        return field;
    }
    let Some(found) = reader.object(node, &FIELD) else { return field };
    let kind = found.get("type").map(|node| value_kind(reader, node));
    field.kind = kind.flatten().unwrap_or_default();
    field.description = found
        .get("description")
        .and_then(|description| reader.word(description, "a description"))
        .map(|word| word.value);
    field.required =
        found.get("required").and_then(|required| reader.boolean(required, "`required`")).unwrap_or(false);
    if let Some(node) = found.get("pattern") {
        field.pattern = pattern(reader, node);
    }
    if let Some(node) = found.get("enum") {
        for item in reader.list(node, "`enum` is a list of the values allowed") {
            let Some(value) = reader.constant(item, "an allowed value") else { continue };
            if let Some(why) = misfit(&Field { choices: Vec::new(), pattern: None, ..field.clone() }, &value)
            {
                reader.findings.error("type", item.place, format!("an allowed value {why}"));
            }
            field.choices.push(value);
        }
        if field.choices.is_empty() {
            reader
                .findings
                .error("value", node.place, "`enum` allows nothing")
                .help("name at least one value");
        }
    }
    if let Some(node) = found.get("default") {
        field.default = reader.constant(node, "a default").filter(|constant| !constant.is_null());
        if let Some(why) = field.default.as_ref().and_then(|default| misfit(&field, default)) {
            let old = match &node.shape {
                Shape::Scalar(scalar) if field.kind != ValueKind::String => scalar.old_meaning(),
                _ => None,
            };
            let is_text = matches!(field.default, Some(Value::String(_)));
            let found = reader.findings.error("type", node.place, format!("the default of {what} {why}"));
            if let Some(meant) = old {
                found.help(format!("YAML 1.2 reads this as text; write `{meant}`")).fix(node.place, meant);
            } else if field.kind == ValueKind::String && !is_text {
                found.help("quote it to make it text");
            }
        }
    }
    if field.required && field.default.is_some() {
        let place = found.key_place("required").unwrap_or(node.place);
        reader
            .findings
            .warning("value", place, "`required` means nothing beside a `default`")
            .help("remove one of the two");
    }
    field
}

fn pattern(reader: &mut Reader<'_, '_>, node: &Node) -> Option<String> {
    let text = reader.word(node, "a pattern")?;
    match regex::Regex::new(&text.value) {
        Ok(_) => Some(text.value),
        Err(why) => {
            let why = why.to_string();
            let why = why.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
            reader
                .findings
                .error("pattern", node.place, format!("could not read the pattern: {why}"))
                .help("patterns are regular expressions without look-around and back-references");
            None
        }
    }
}

pub(super) fn value_kind(reader: &mut Reader<'_, '_>, node: &Node) -> Option<ValueKind> {
    let kinds: Vec<ValueKind> = ValueKind::ALL.iter().map(|(_, kind)| *kind).collect();
    reader.one_of(node, "a type", VALUE_KINDS, &kinds)
}

fn triggers(reader: &mut Reader<'_, '_>, node: &Node) -> Vec<Schedule> {
    let Shape::Map(_) = node.shape else {
        for item in one_or_many(node) {
            reader.one_of(
                item,
                "what starts a run is `schedule: [{cron: …}]`, with its figures, or",
                &["manual"],
                &[()],
            );
        }
        return Vec::new();
    };
    let Some(found) = reader.object(node, &TRIGGERS) else { return Vec::new() };
    let Some(schedules) = found.get("schedule") else { return Vec::new() };
    let items = one_or_many(schedules);
    items.iter().filter_map(|item| schedule(reader, item)).collect()
}

fn schedule(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Schedule> {
    let found = reader.object(node, &SCHEDULE)?;
    let timezone = found.get("timezone").and_then(|node| timezone(reader, node));
    let overlap = found.get("overlap").and_then(|overlap| {
        reader.one_of(
            overlap,
            "`overlap`",
            OVERLAPS,
            &[Overlap::Skip, Overlap::Queue, Overlap::Cancel, Overlap::Allow],
        )
    });
    let catch_up = found.get("catch-up").and_then(|catch_up| reader.duration(catch_up, "`catch-up`"));
    let cron = found.get("cron").and_then(|node| cron(reader, node))?;
    Some(Schedule {
        cron,
        timezone: timezone.unwrap_or_else(|| "UTC".to_owned()),
        overlap: overlap.unwrap_or_default(),
        catch_up,
    })
}

fn cron(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Placed<String>> {
    let text = reader.word(node, "a schedule")?;
    let fields = text.value.split_whitespace().count();
    let named = text.value.starts_with('@');
    let why = match text.value.parse::<croner::Cron>() {
        Ok(_) if fields == 5 || named => return Some(text),
        Ok(_) => format!("{fields} fields instead of five"),
        Err(why) => why.to_string(),
    };
    reader
        .findings
        .error("schedule", node.place, format!("could not read the schedule: {why}"))
        .help("five fields: minute, hour, day, month, weekday, such as \"0 6 * * 1-5\"");
    None
}

pub(super) fn timezone(reader: &mut Reader<'_, '_>, node: &Node) -> Option<String> {
    let text = reader.word(node, "a time zone")?;
    if text.value.parse::<chrono_tz::Tz>().is_ok() {
        return Some(text.value);
    }
    let near = crate::spelling::suggest(
        &text.value,
        chrono_tz::TZ_VARIANTS.iter().map(|tz_variant| tz_variant.name()),
    );
    let found = reader.findings.error("schedule", node.place, format!("`{}` is no time zone", text.value));
    match near {
        Some(near) => found.label(format!("did you mean `{near}`?")).fix(node.place, near),
        None => found.help("use an IANA name such as Europe/Paris"),
    };
    None
}

fn concurrency(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Concurrency> {
    if let Shape::Scalar(_) = node.shape {
        let group = reader.text(node, "a concurrency group")?;
        return Some(Concurrency { group, on_conflict: OnConflict::Queue, cancel_waiting: false });
    }
    let found = reader.object(node, &CONCURRENCY)?;
    let on_conflict = found.get("on-conflict").and_then(|on_conflict| {
        let values = [OnConflict::Queue, OnConflict::Skip, OnConflict::CancelRunning];
        reader.one_of(on_conflict, "`on-conflict`", ON_CONFLICT, &values)
    });
    let cancel_waiting = found
        .get("cancel-waiting")
        .and_then(|cancel_waiting| reader.boolean(cancel_waiting, "`cancel-waiting`"));
    Some(Concurrency {
        group: found.get("group").and_then(|group| reader.text(group, "a concurrency group"))?,
        on_conflict: on_conflict.unwrap_or_default(),
        cancel_waiting: cancel_waiting.unwrap_or(false),
    })
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
