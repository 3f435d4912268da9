//! Gates: can somebody satisfy them, in time, and does nobody approve by being silent.

use crate::definition::{
    Diagnostic, Forbidden, Gate, OnTimeout, Risk, Source, Step, StepKind, Workflow, diagnostic::Findings,
    spelling::suggest,
};
use std::collections::BTreeMap;

fn gates(workflow: &Workflow) -> impl Iterator<Item = (&Step, &Gate)> {
    workflow.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Gate(gate) => Some((step, gate.as_ref())),
        _ => None,
    })
}

pub(super) fn check(workflow: &Workflow, findings: &mut Findings<'_>) {
    for (step, gate) in gates(workflow) {
        approves_itself(gate, findings);
        timing(workflow, gate, findings);
        nobody_left(gate, findings);
        if gate.whole_matrix && step.matrix.is_none() {
            findings
                .warning("gate", gate.place, "`scope: matrix` means nothing without a matrix")
                .help("remove it, or give the step a `matrix:`");
        }
    }
}

fn approves_itself(gate: &Gate, findings: &mut Findings<'_>) {
    match gate.on_timeout {
        OnTimeout::Approve => {
            let message = match gate.risk {
                Risk::Irreversible => "this gate approves what cannot be taken back when nobody answers",
                Risk::ReadOnly | Risk::Reversible | Risk::ExternallyReversible => {
                    "this gate approves itself when nobody answers"
                }
            };
            findings.warning("gate-approves-itself", gate.place, message).help(
                "silence is no consent; use `on-timeout: reject`, or `escalate` to somebody who is there",
            );
        }
        OnTimeout::Escalate if gate.escalate.is_none() => {
            findings
                .error("gate", gate.place, "`on-timeout: escalate` names nobody to ask")
                .help("add escalate: {after: 1h, to: group:oncall}");
        }
        OnTimeout::Reject | OnTimeout::Escalate => {}
    }
}

fn timing(workflow: &Workflow, gate: &Gate, findings: &mut Findings<'_>) {
    let Some(timeout) = gate.timeout else {
        if gate.on_timeout != OnTimeout::Reject {
            findings
                .warning("gate", gate.place, "`on-timeout` means nothing without a `timeout`")
                .help("add `timeout:`, or remove it");
        }
        return;
    };
    if let Some(run) = workflow.timeout.filter(|run| *run <= timeout) {
        findings
            .warning(
                "gate",
                gate.place,
                format!("the run ends after {run}, before this gate's {timeout} are over"),
            )
            .help("waiting at a gate counts for the run's timeout; make that longer");
    }
    if let Some(late) = gate.remind.iter().find(|it| **it >= timeout) {
        findings
            .warning(
                "gate",
                gate.place,
                format!("a reminder after {late} comes too late: the gate expires after {timeout}"),
            )
            .help("remind earlier");
    }
    let escalates_after = gate.escalate.as_ref().map(|it| it.after).filter(|it| *it >= timeout);
    if let Some(late) = escalates_after.filter(|_| gate.on_timeout != OnTimeout::Escalate) {
        let message = format!("escalating after {late} comes too late: the gate expires after {timeout}");
        findings.warning("gate", gate.place, message).help("escalate earlier, or use `on-timeout: escalate`");
    }
}

fn nobody_left(gate: &Gate, findings: &mut Findings<'_>) {
    let forbidden = |group: &str| {
        gate.forbid.iter().any(|it| match it {
            Forbidden::Named(name) => name.value.strip_prefix("group:") == Some(group),
            Forbidden::Expression(_) => false,
        })
    };
    let mut seen: Vec<&str> = Vec::new();
    for quorum in &gate.require {
        let Some(group) = &quorum.group else { continue };
        if forbidden(&group.value) {
            findings
                .error(
                    "gate",
                    quorum.place,
                    format!("nobody can satisfy this: the group {} is also forbidden", group.value),
                )
                .help("remove one of the two");
        }
        if seen.contains(&group.value.as_str()) {
            findings
                .warning("gate", quorum.place, format!("the group {} is required twice", group.value))
                .help("write the larger count once");
        }
        seen.push(&group.value);
    }
}

/// Whether the gates of a workflow can be satisfied by the people there are: each with the groups they are in.
pub fn check_people(
    workflow: &Workflow,
    text: &str,
    people: &BTreeMap<String, Vec<String>>,
) -> Vec<Diagnostic> {
    let source = Source::new(text);
    let mut findings = Findings::new(&workflow.file, &source);
    for (_, gate) in gates(workflow) {
        for quorum in &gate.require {
            let group = quorum.group.as_ref().map(|it| it.value.as_str());
            let may = |(name, groups): &(&String, &Vec<String>)| {
                let is_in = |group: &str| groups.iter().any(|it| it == group);
                let is_forbidden = gate.forbid.iter().any(|it| match it {
                    Forbidden::Named(who) => match who.value.strip_prefix("group:") {
                        Some(group) => is_in(group),
                        None => who.value == **name,
                    },
                    Forbidden::Expression(_) => false,
                });
                group.is_none_or(is_in) && !is_forbidden
            };
            let count = people.iter().filter(may).count();
            if count >= quorum.count as usize {
                let four_eyes = gate.forbid.iter().any(|it| matches!(it, Forbidden::Expression(_)));
                if four_eyes && count == quorum.count as usize {
                    let message = format!("all {count} must agree, so none of them may start this run");
                    findings.note("gate", quorum.place, message).help("add one more person to the group");
                }
                continue;
            }
            let of = group.map_or("people".to_owned(), |it| format!("people of {it}"));
            let message =
                format!("nobody can satisfy this: it needs {} {of}, and there are {count}", quorum.count);
            let known = people.values().flatten().map(String::as_str);
            let near = group.filter(|_| count == 0).and_then(|it| suggest(it, known));
            let found = findings.error("gate", quorum.place, message);
            match near.filter(|it| Some(*it) != group) {
                Some(near) => found.label(format!("did you mean `{near}`?")),
                None => found.help("add people to the group in people.toml, or lower the count"),
            };
        }
    }
    findings.finish()
}
