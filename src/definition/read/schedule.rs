//! The schedule of a workflow: what starts its runs, and when.

use super::fields::{Reader, one_or_many};
use crate::{
    Overlap, Placed, Schedule,
    document::{OVERLAPS, SCHEDULE, TRIGGERS},
    spelling::suggest,
    yaml::{Node, Shape},
};

pub(super) fn triggers(reader: &mut Reader<'_, '_>, node: &Node) -> Vec<Schedule> {
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
    let near = suggest(&text.value, chrono_tz::TZ_VARIANTS.iter().map(|tz_variant| tz_variant.name()));
    let found = reader.findings.error("schedule", node.place, format!("`{}` is no time zone", text.value));
    match near {
        Some(near) => found.label(format!("did you mean `{near}`?")).fix(node.place, near),
        None => found.help("use an IANA name such as Europe/Paris"),
    };
    None
}
