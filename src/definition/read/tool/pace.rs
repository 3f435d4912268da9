//! The breaker and the rate of a tool: how often it may be called.

use crate::document::{BREAKER, RATE, WHEN_OPEN};
use crate::read::fields::{Reader, first_line};
use crate::read::schedule::timezone;
use crate::yaml::Node;
use cuelight_base::{BreakerRule, RateRule, Span, WhenOpen};

pub(in crate::read) fn breaker(reader: &mut Reader<'_, '_>, node: &Node) -> Option<BreakerRule> {
    let found = reader.object(node, &BREAKER)?;
    let count = |reader: &mut Reader<'_, '_>, key: &str, absent: u32| {
        let count = found.get(key).and_then(|node| reader.whole(node, &format!("`{key}`"), 1, 1000));
        count.and_then(|count| u32::try_from(count).ok()).unwrap_or(absent)
    };
    let usual = BreakerRule::default();
    Some(BreakerRule {
        failures: count(reader, "failures", usual.failures),
        open_for: found
            .get("open-for")
            .and_then(|open_for| reader.duration(open_for, "`open-for`"))
            .unwrap_or(usual.open_for),
        successes: count(reader, "successes", usual.successes),
        when_open: found
            .get("when-open")
            .and_then(|when_open| {
                reader.one_of(when_open, "`when-open`", WHEN_OPEN, &[WhenOpen::Wait, WhenOpen::Fail])
            })
            .unwrap_or_default(),
    })
}

pub(in crate::read) fn rate(reader: &mut Reader<'_, '_>, node: &Node) -> Option<RateRule> {
    let found = reader.object(node, &RATE)?;
    let most = u64::from(u32::MAX);
    let mut count = |key: &str, most: u64| {
        found.get(key).and_then(|node| reader.whole(node, &format!("`{key}`"), 1, most))
    };
    let (calls, burst, per_day) = (count("calls", most), count("burst", most), count("per-day", u64::MAX));
    if calls.is_none() && per_day.is_none() {
        reader
            .findings
            .error("missing-key", first_line(reader.findings.source, node.place), "`rate` says no figure")
            .help("write {calls: 10, per: 1m}, {per-day: 1000}, or both");
        return None;
    }
    let number = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
    let calls = number(calls).unwrap_or(0);
    let per = found.get("per").and_then(|per| reader.duration(per, "`per`")).unwrap_or(Span::seconds(1));
    Some(RateRule {
        calls,
        per,
        burst: number(burst).unwrap_or(calls.max(1)),
        per_day,
        timezone: found.get("timezone").and_then(|node| timezone(reader, node)).unwrap_or_default(),
    })
}
