//! The rules of a gate that let more through than before, or show less to those who answer.

use cuelight_base::{Span, UNDO_WINDOW_DEFAULT};
use cuelight_plan::{GateRule, Need, OnFailure, OnTimeout, Quorum, Risk};

/// The rules of a gate that let more through than before, or show less.
pub(super) fn looser(was: &GateRule, is: &GateRule, is_as_wide: bool) -> Vec<&'static str> {
    let rules = [
        ("`if`", is_as_wide),
        ("`auto`", is.auto.is_none() || was.auto == is.auto),
        ("`require`", wants_as_many(&was.require, &is.require)),
        ("`forbid`", was.forbid.iter().all(|text| is.forbid.contains(text))),
        ("`escalate`", was.escalate == is.escalate),
        ("`matrix`", was.matrix == is.matrix),
        ("`risk`", was.risk <= is.risk),
        ("`consent`", was.snapshot.is_none() || was.snapshot == is.snapshot),
        ("`on-timeout`", ends_as_strictly(was.on_timeout, is.on_timeout)),
        ("`on-reject`", was.on_reject == is.on_reject || is.on_reject != OnFailure::Continue),
        ("`proof`", !was.touch || is.touch),
        ("`form`", fields_stand(&was.form, &is.form, is.risk >= Risk::Irreversible)),
        ("`evidence`", was.evidence.iter().all(|text| is.evidence.contains(text))),
        ("`binds`", was.binds.iter().all(|bind| is.binds.contains(bind))),
        ("`undo-window`", window_stands(was, is)),
        ("`timeout`", time_stands(was, is)),
        ("`reason`", !was.reason_required || is.reason_required),
    ];
    rules.into_iter().filter(|rule| !rule.1).map(|rule| rule.0).collect()
}

/// True when time lets through no more than before, and asks no more people.
fn ends_as_strictly(was: OnTimeout, is: OnTimeout) -> bool {
    was == is || is == OnTimeout::Reject || was == OnTimeout::Approve
}

/// True when no time approves, or asks others, earlier than before.
fn time_stands(was: &GateRule, is: &GateRule) -> bool {
    match is.on_timeout {
        OnTimeout::Reject => true,
        OnTimeout::Approve => was.timeout == is.timeout,
        OnTimeout::Escalate => match (was.timeout, is.timeout) {
            _ if was.on_timeout == OnTimeout::Approve => true,
            (_, None) => true,
            (before, Some(now)) => before.is_some_and(|before| before <= now),
        },
    }
}

/// True when the new quorum wants at least the people of the old one.
fn wants_as_many(was: &[Quorum], is: &[Quorum]) -> bool {
    let all = |quorums: &[Quorum]| quorums.iter().map(|quorum| quorum.count).sum::<u32>().max(1);
    // A group may stand there several times.
    let of_group = |quorums: &[Quorum], group: &Option<String>| {
        quorums.iter().filter(|quorum| quorum.group == *group).map(|quorum| quorum.count).sum::<u32>()
    };
    let stands = |before: &Quorum| {
        before.group.is_none() || of_group(is, &before.group) >= of_group(was, &before.group)
    };
    all(is) >= all(was) && was.iter().all(stands)
}

/// True when every field is asked for as strictly as before. With `asks_all` an optional field must be answered too, as at high risk.
fn fields_stand(was: &[Need], is: &[Need], asks_all: bool) -> bool {
    let stands = |before: &Need, now: &Need| {
        let is_fewer =
            !now.choices.is_empty() && now.choices.iter().all(|choice| before.choices.contains(choice));
        // A default answers the field for the approver. A correction may take it away, and gives no other one: an approver who
        // expects the one before would approve a value that nobody asked for.
        let fills_in = (now.required || asks_all) && now.default.is_some() && now.default != before.default;
        now.name == before.name
            && now.kind == before.kind
            && (now.required || !before.required)
            && (before.pattern.is_none() || now.pattern == before.pattern)
            && (before.choices.is_empty() || is_fewer)
            && !fills_in
    };
    was.iter().all(|before| is.iter().any(|now| stands(before, now)))
}

/// True when an approval can be withdrawn for at least as long as before, by every channel. Without a window in the file that
/// is the default in the console, and no time elsewhere.
fn window_stands(was: &GateRule, is: &GateRule) -> bool {
    match (was.undo_window, is.undo_window) {
        (None, None) => true,
        (None, Some(now)) => was.risk >= Risk::Irreversible || now >= UNDO_WINDOW_DEFAULT,
        (Some(before), None) => before == Span(0),
        (Some(before), Some(now)) => before <= now,
    }
}
