//! Gates: can somebody satisfy them, in time, and does nobody approve by being silent.

use super::{
    graph::Graph,
    reads::{GATE_OUTPUTS, form_words},
};
use crate::{
    Diagnostic, EffectClass, Files, Forbidden, Gate, OnFailure, OnTimeout, Placed, Risk, Source, Step,
    StepKind, Workflow, diagnostic::Findings, spelling::suggest,
};
use cuelight_base::{MAKE_PEOPLE_COUNT, counted};

use cuelight_expression::{Expr, Reference, StatusFunction};
use std::collections::{BTreeMap, BTreeSet};

/// Steps and needs that are looked at for warnings about `send-back`; a file that wants more is not warned, and the engine
/// refuses then.
const LOOKS_MAX: usize = 20_000_000;

const WRITE_PEOPLE: &str = "write `.cuelight/people.toml`: [[person]] with `name`, and `uid` or `keys`; `sudo chown root` and `chmod 644` it";

/// Every gate that a file describes: steps that are one, and what those before the calls of a model want.
fn gates(workflow: &Workflow) -> impl Iterator<Item = (&Step, &Gate)> {
    workflow.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Gate(gate) => Some((step, gate.as_ref())),
        StepKind::Llm(llm) => llm.gate.as_deref().map(|gate| (step, gate)),
        _ => None,
    })
}

pub(super) fn check(workflow: &Workflow, graph: &Graph<'_>, findings: &mut Findings<'_>) {
    sends_back(workflow, graph, findings);
    declares_no_others(workflow, findings);
    runs_anyway(workflow, graph, findings);
    for (step, gate) in gates(workflow) {
        approves_itself(gate, findings);
        proves_nothing(gate, findings);
        timing(workflow, gate, findings);
        nobody_left(gate, findings);
        for pattern in gate.snapshot.iter().flatten() {
            let path = pattern.value.trim_start_matches('!');
            if path.starts_with('/') || path.split('/').any(|part| part == "..") {
                let message =
                    format!("`{path}` leaves the workspace, and a snapshot is of the workspace alone");
                findings.error("gate", pattern.place, message).help(
                    "name files below the workspace; a program outside of it is bound by its hash anyway",
                );
            }
        }
        if gate.whole_matrix && step.matrix.is_none() {
            findings
                .warning("gate", gate.place, "`scope: matrix` means nothing without a matrix")
                .help("remove it, or give the step a `matrix:`");
        }
    }
}

/// Warns of steps that run although a gate before them is rejected: by their own `if`, or after such a step. A step that
/// reads the answer of the gate, or changes nothing, means it.
fn runs_anyway(workflow: &Workflow, graph: &Graph<'_>, findings: &mut Findings<'_>) {
    let conditions: Vec<Option<Expr>> = workflow
        .steps
        .iter()
        .map(|step| cuelight_expression::parse(&step.condition.as_ref()?.value).ok())
        .collect();
    let is_after_rejection = |expr: &Option<Expr>| {
        expr.as_ref().is_some_and(|expr| expr.may_hold(|function| function == StatusFunction::Always))
    };
    let runs: Vec<bool> = conditions.iter().map(is_after_rejection).collect();
    if !graph.is_in_order() || !runs.contains(&true) {
        return;
    }
    let mut dependents = vec![Vec::new(); workflow.steps.len()];
    for step in 0..workflow.steps.len() {
        graph.needs(step).iter().for_each(|need| dependents[*need].push(step));
    }
    let reach = |gate: usize, passes: &dyn Fn(usize) -> bool| {
        let (mut found, mut open) = (vec![false; workflow.steps.len()], vec![gate]);
        while let Some(at) = open.pop() {
            for next in dependents[at].iter().copied().filter(|dependent| passes(*dependent)) {
                if !std::mem::replace(&mut found[next], true) {
                    open.push(next);
                }
            }
        }
        found
    };
    let mut told = BTreeSet::new();
    for (gate, step) in workflow.steps.iter().enumerate().filter(|entry| holds_gate(entry.1)) {
        let goes_on = matches!(&step.kind, StepKind::Gate(gate) if gate.on_reject == OnFailure::Continue);
        let (behind, held) = (reach(gate, &|_| true), reach(gate, &|number| !runs[number]));
        for at in (0..workflow.steps.len()).filter(|index| behind[*index] && !held[*index]) {
            let step_behind = &workflow.steps[at];
            let means_it = step_behind.effect == Some(EffectClass::Pure)
                || conditions[at].as_ref().is_some_and(|condition| reads_step(condition, &step.id.value));
            if (runs[at] || goes_on) && !means_it && told.insert(at) {
                let place =
                    step_behind.condition.as_ref().map_or(step_behind.id.place, |condition| condition.place);
                let message = format!(
                    "`{}` runs although the gate `{}` is rejected",
                    step_behind.id.value, step.id.value
                );
                findings.warning("gate-rejected", place, message).help(
                    "let it run after success alone, or read the answer: `steps.GATE.decision == 'approved'`",
                );
            }
        }
    }
}

/// True for a gate, and for a called workflow with one in it.
fn holds_gate(step: &Step) -> bool {
    match &step.kind {
        StepKind::Gate(_) => true,
        StepKind::Workflow(call) => {
            call.body.as_deref().is_some_and(|body| body.steps.iter().any(holds_gate))
        }
        _ => false,
    }
}

/// True when an expression reads this step by name.
fn reads_step(expr: &Expr, id: &str) -> bool {
    expr.references().iter().any(|reference| {
        let is_step = matches!(reference.root.to_ascii_lowercase().as_str(), "steps" | "needs");
        is_step && reference.path.first().is_some_and(|text| text.eq_ignore_ascii_case(id))
    })
}

/// A gate has its own outputs and no others: a declared one would be empty for ever.
fn declares_no_others(workflow: &Workflow, findings: &mut Findings<'_>) {
    for step in workflow.steps.iter().filter(|step| matches!(step.kind, StepKind::Gate(_))) {
        let id = &step.id.value;
        for output in step.outputs.iter().filter(|output| !GATE_OUTPUTS.contains(&&*output.name.value)) {
            let message = format!("the gate `{id}` has no output `{}`", output.name.value);
            findings.error("gate", output.name.place, message).help(form_words(id, &output.name.value));
        }
    }
}

/// Checks that `send-back` names a step that the gate needs.
fn sends_back(workflow: &Workflow, graph: &Graph<'_>, findings: &mut Findings<'_>) {
    let mut pairs = Vec::new();
    for (index, step) in workflow.steps.iter().enumerate() {
        let StepKind::Gate(gate) = &step.kind else { continue };
        let Some(back) = &gate.send_back else { continue };
        if let Some(first) = graph.step(&back.value) {
            pairs.push((index, first));
            continue;
        }
        let found = findings.error("gate", back.place, format!("there is no step `{}`", back.value));
        match graph.near(&back.value) {
            Some(near) => found.label(format!("did you mean `{near}`?")).fix(back.place, near),
            None => found.help("`send-back` names a step before this gate"),
        };
    }
    if !graph.is_in_order() {
        return;
    }
    // The gates that send back, by the step that they name.
    let (mut backs, mut looked) = (BTreeMap::<usize, Vec<usize>>::new(), 0);
    for (&(gate, first), is_wrong) in pairs.iter().zip(graph.not_before(&pairs)) {
        if !is_wrong {
            backs.entry(first).or_default().push(gate);
        } else if let Some(back) = sent_back(workflow, gate) {
            let message =
                format!("`{}` does not come before this gate, so nothing leads back from it", back.value);
            findings.error("gate", back.place, message).help("name a step that the gate needs");
        }
    }
    let work = workflow.steps.iter().map(|step| 1 + step.needs.len()).sum::<usize>();
    for (first, gates) in backs {
        if looked >= LOOKS_MAX {
            break;
        }
        looked += work * (2 + gates.len());
        goes_back_over_a_gate(workflow, graph, (first, &gates), findings);
    }
}

/// The step that a gate sends back to.
fn sent_back(workflow: &Workflow, gate: usize) -> Option<&Placed<String>> {
    match &workflow.steps[gate].kind {
        StepKind::Gate(gate) => gate.send_back.as_ref(),
        _ => None,
    }
}

/// Warns of gates that can send nothing back to a step once a call has run: a gate before the call let it go, and does not
/// ask again.
fn goes_back_over_a_gate(
    workflow: &Workflow,
    graph: &Graph<'_>,
    (first, gates): (usize, &[usize]),
    findings: &mut Findings<'_>,
) {
    let kind = |step: usize| &workflow.steps[step].kind;
    let again = graph.after(first);
    let above =
        graph.one_before(|step| matches!(kind(step), StepKind::Gate(_)) && !again[step] && step != first);
    // A gate, a wait and a `set` call nothing.
    let is_call =
        |step: usize| !matches!(kind(step), StepKind::Gate(_) | StepKind::Wait(_) | StepKind::Set(_));
    let calls: Vec<(usize, usize)> = std::iter::once(first)
        .chain((0..again.len()).filter(|step| again[*step]))
        .filter(|step| is_call(*step))
        .filter_map(|step| Some((step, above[step]?)))
        .collect();
    for &gate in gates {
        let later = graph.after(gate);
        let Some(&(call, above)) = calls.iter().find(|pair| !later[pair.0]) else { continue };
        let Some(back) = sent_back(workflow, gate) else { continue };
        let name = |step: usize| &workflow.steps[step].id.value;
        let ran = if call == first { "it".to_owned() } else { format!("`{}`", name(call)) };
        let message = format!(
            "nothing is sent back to `{}` once {ran} has run: it stands behind the gate `{}`, which would not ask again",
            name(first),
            name(above)
        );
        findings.warning("gate", back.place, message).help("name a step before that gate");
    }
}

fn approves_itself(gate: &Gate, findings: &mut Findings<'_>) {
    match gate.on_timeout {
        OnTimeout::Approve => {
            let found = match gate.risk {
                Risk::Irreversible | Risk::ExternallyReversible => {
                    let message =
                        "this gate approves steps whose effects cannot simply be undone when nobody answers";
                    findings.error("gate-approves-itself", gate.place, message)
                }
                Risk::ReadOnly | Risk::Reversible => {
                    let message = "this gate approves itself when nobody answers";
                    findings.warning("gate-approves-itself", gate.place, message)
                }
            };
            found.help(
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

/// Neither time nor an expression touches a key.
fn proves_nothing(gate: &Gate, findings: &mut Findings<'_>) {
    let way = match (gate.on_timeout, &gate.auto) {
        _ if !gate.touch => return,
        (OnTimeout::Approve, _) => "`on-timeout: approve`",
        (_, Some(_)) => "`auto`",
        (OnTimeout::Reject | OnTimeout::Escalate, None) => return,
    };
    let message = format!("{way} approves without a touched security key, which `proof: touch` asks for");
    findings.error("gate", gate.place, message).help("remove one of both");
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
    if let Some(late) = gate.remind.iter().find(|span| **span >= timeout) {
        findings
            .warning(
                "gate",
                gate.place,
                format!("a reminder after {late} comes too late: the gate expires after {timeout}"),
            )
            .help("remind earlier");
    }
    let escalates_after =
        gate.escalate.as_ref().map(|escalate| escalate.after).filter(|span| *span >= timeout);
    if let Some(late) = escalates_after.filter(|_| gate.on_timeout != OnTimeout::Escalate) {
        let message = format!("escalating after {late} comes too late: the gate expires after {timeout}");
        findings.warning("gate", gate.place, message).help("escalate earlier, or use `on-timeout: escalate`");
    }
}

fn nobody_left(gate: &Gate, findings: &mut Findings<'_>) {
    let forbidden = |group: &str| {
        gate.forbid.iter().any(|forbidden| match forbidden {
            Forbidden::Named(name) => name.value.strip_prefix("group:").unwrap_or(&name.value) == group,
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

/// Names each entry of `forbid` that is neither a person nor a group.
fn excludes_nobody(gate: &Gate, people: &BTreeMap<String, Vec<String>>, findings: &mut Findings<'_>) {
    for who in &gate.forbid {
        let Forbidden::Named(who) = who else { continue };
        let name = who.value.strip_prefix("group:").unwrap_or(&who.value);
        let is_group = people.values().flatten().any(|text| text == name);
        if !is_group && !people.contains_key(&who.value) {
            let message = format!("`forbid` excludes nobody: people.toml has no person and no group {name}");
            findings.warning("gate", who.place, message).help("write the name as it stands in people.toml");
        }
    }
}

/// True if a person could count towards the quorum of this group.
fn may(gate: &Gate, group: Option<&str>, name: &str, groups: &[String]) -> bool {
    let is_in = |group: &str| groups.iter().any(|other| other == group);
    let is_forbidden = gate.forbid.iter().any(|forbidden| match forbidden {
        Forbidden::Named(who) => match who.value.strip_prefix("group:") {
            Some(group) => is_in(group),
            None => who.value == name || is_in(&who.value),
        },
        Forbidden::Expression(_) => false,
    });
    group.is_none_or(is_in) && !is_forbidden
}

/// One person fills one place: several groups with the same people in them may be too few together.
fn together(gate: &Gate, people: &BTreeMap<String, Vec<String>>, findings: &mut Findings<'_>) {
    /// More entries than this are not looked at together.
    const TOGETHER_MAX: usize = 8;
    let all = &gate.require[..gate.require.len().min(TOGETHER_MAX)];
    for several in 1_u32..1 << all.len() {
        let chosen: Vec<_> =
            (0..all.len()).filter(|index| several & (1 << index) != 0).map(|index| &all[index]).collect();
        let group = |quorum: &&crate::Quorum| quorum.group.as_ref().map(|group| group.value.clone());
        let could = |name: &str, groups: &[String]| {
            chosen.iter().any(|quorum| may(gate, group(quorum).as_deref(), name, groups))
        };
        let alone = |quorum: &&crate::Quorum| {
            let fits =
                |(name, groups): &(&String, &Vec<String>)| may(gate, group(quorum).as_deref(), name, groups);
            people.iter().filter(fits).count() >= quorum.count as usize
        };
        let wanted: usize = chosen.iter().map(|quorum| quorum.count as usize).sum();
        let there = people.iter().filter(|(name, groups)| could(name, groups)).count();
        if chosen.len() > 1 && chosen.iter().all(alone) && there < wanted {
            let names: Vec<String> = chosen
                .iter()
                .map(|quorum| {
                    format!("{} of {}", quorum.count, group(quorum).unwrap_or_else(|| "anybody".to_owned()))
                })
                .collect();
            let message = format!(
                "nobody can satisfy this: {} are {wanted} different people, and {}",
                names.join(" and "),
                there_are(there)
            );
            findings
                .error("gate", chosen[0].place, message)
                .help("one person fills one place; add people to the groups in people.toml");
            return;
        }
    }
}

fn there_are(count: usize) -> String {
    let are = if count == 1 { "is" } else { "are" };
    let people = if count == 0 { "none".to_owned() } else { count.to_string() };
    format!("there {are} {people}")
}

/// Reports a gate that escalates to a person or group that does not exist.
fn nobody_to_hand_to(gate: &Gate, people: &BTreeMap<String, Vec<String>>, findings: &mut Findings<'_>) {
    let Some(to) =
        gate.escalate.as_ref().map(|escalate| &escalate.to).filter(|text| !text.value.contains("${{"))
    else {
        return;
    };
    let (there, known): (bool, Vec<&str>) = match to.value.strip_prefix("group:") {
        Some(group) => (
            people.values().flatten().any(|text| text == group),
            people.values().flatten().map(String::as_str).collect(),
        ),
        None => (people.contains_key(&to.value), people.keys().map(String::as_str).collect()),
    };
    if there {
        return;
    }
    let message = format!("it escalates to {}, and nobody of people.toml is that", to.value);
    let name = to.value.strip_prefix("group:").unwrap_or(&to.value);
    let near = suggest(name, known);
    let found = findings.error("gate", to.place, message);
    match near {
        Some(near) => found.label(format!("did you mean `{near}`?")),
        None => found.help("add somebody to people.toml, or name somebody else"),
    };
}

/// The people of a workspace, as far as a check goes by them.
#[derive(Clone, Debug, Default)]
pub struct KnownPeople {
    /// Everybody in `people.toml`, with their groups; empty where there is no such file.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Somebody other than root can write the file.
    pub self_declared: bool,
    /// Every gate of the highest risk wants a touched security key.
    pub touch: bool,
    /// Why nobody can approve with a touched security key, and what to do, where nobody can.
    pub nobody_touches: Option<String>,
}

/// Checks that the known people can satisfy the gates of a workflow and of the workflows that it calls.
pub fn check_people(
    workflow: &Workflow,
    text: &str,
    people: &KnownPeople,
    files: &dyn Files,
) -> Vec<Diagnostic> {
    let mut all = of_one(workflow, text, people);
    let mut seen = BTreeSet::from([workflow.file.clone()]);
    let mut open: Vec<&Workflow> = called(workflow).collect();
    while let Some(body) = open.pop() {
        if !seen.insert(body.file.clone()) {
            continue;
        }
        open.extend(called(body));
        match files.read(&body.file) {
            Ok(text) => all.extend(of_one(body, &text, people)),
            Err(why) => {
                let message = format!("could not read {}: {why}", body.file);
                all.push(Diagnostic::whole_file("gate", &body.file, message));
            }
        }
    }
    all
}

fn called(workflow: &Workflow) -> impl Iterator<Item = &Workflow> {
    workflow.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Workflow(call) => call.body.as_deref(),
        _ => None,
    })
}

/// A touched security key is asked for, and nobody has one that counts.
fn nobody_touches(why: &str, gate: &Gate, findings: &mut Findings<'_>) {
    let message = format!("nobody can approve this: it needs a touched security key, and {why}");
    findings.warning("gate", gate.place, message);
}

/// A group is asked for, and nothing says who is in it.
fn nobody_is_known(gate: &Gate, findings: &mut Findings<'_>) {
    for quorum in &gate.require {
        let Some(group) = &quorum.group else { continue };
        let wanted = counted(quorum.count as usize, "person", "people");
        let message = format!(
            "nobody can answer this: it needs {wanted} of {}, and there is no people.toml",
            group.value
        );
        findings.warning("gate", quorum.place, message).help(
            "write `.cuelight/people.toml`: [[person]] with `name`, `uid` and `groups`; `sudo chown root` and `chmod 644` it",
        );
    }
}

/// More than one person has to approve, and without a `people.toml` only the user of the machine can.
fn one_is_too_few(gate: &Gate, findings: &mut Findings<'_>) {
    let alone = gate.require.iter().filter(|quorum| quorum.group.is_none() && quorum.count > 1);
    for quorum in alone {
        let message = format!(
            "nobody can approve this: it needs {} people, and without a people.toml only one person can answer",
            quorum.count
        );
        findings.warning("gate", quorum.place, message).help(WRITE_PEOPLE);
    }
}

/// The requester is excluded, and without a `people.toml` nobody else can answer.
fn the_only_one_is_out(gate: &Gate, findings: &mut Findings<'_>) {
    let is_actor = |reference: &Reference| {
        reference.root.eq_ignore_ascii_case("run")
            && reference.path.first().is_some_and(|key| key.eq_ignore_ascii_case("actor"))
    };
    let reads = |text: &str| {
        cuelight_expression::parse(text).is_ok_and(|expr| expr.references().iter().any(is_actor))
    };
    for entry in &gate.forbid {
        if let Forbidden::Expression(condition) = entry
            && reads(&condition.value)
        {
            let message =
                "nobody can approve this: `forbid` excludes the requester, and there is no people.toml";
            findings.warning("gate", condition.place, message).help(WRITE_PEOPLE);
        }
    }
}

/// A group is asked for at a risk at which the word of the user alone does not count.
fn groups_do_not_count(gate: &Gate, findings: &mut Findings<'_>) {
    for quorum in gate.require.iter().filter(|quorum| quorum.group.is_some()) {
        let message = format!(
            "nobody can answer this: at risk {} groups count only when people.toml is signed, or when only root can write it",
            gate.risk.word()
        );
        findings.warning("gate", quorum.place, message).help(MAKE_PEOPLE_COUNT);
    }
}

/// The gates of one file.
fn of_one(workflow: &Workflow, text: &str, known: &KnownPeople) -> Vec<Diagnostic> {
    let source = Source::new(text);
    let mut findings = Findings::new(&workflow.file, &source);
    let people = &known.groups;
    for (_, gate) in gates(workflow) {
        let wants_touch = gate.touch || known.touch && gate.risk >= Risk::Irreversible;
        if people.is_empty() {
            nobody_is_known(gate, &mut findings);
            one_is_too_few(gate, &mut findings);
            the_only_one_is_out(gate, &mut findings);
            if wants_touch {
                nobody_touches(
                    "there is no people.toml; it names people with their keys",
                    gate,
                    &mut findings,
                );
            }
            continue;
        }
        excludes_nobody(gate, people, &mut findings);
        if let Some(why) = known.nobody_touches.as_ref().filter(|_| wants_touch) {
            nobody_touches(why, gate, &mut findings);
        }
        if known.self_declared && gate.risk > Risk::Reversible {
            groups_do_not_count(gate, &mut findings);
        }
        together(gate, people, &mut findings);
        nobody_to_hand_to(gate, people, &mut findings);
        for quorum in &gate.require {
            let group = quorum.group.as_ref().map(|group| group.value.as_str());
            let count = people.iter().filter(|(name, groups)| may(gate, group, name, groups)).count();
            if count >= quorum.count as usize {
                let four_eyes =
                    gate.forbid.iter().any(|forbidden| matches!(forbidden, Forbidden::Expression(_)));
                if four_eyes && count == quorum.count as usize {
                    let message = format!("all {count} must agree, so none of them may start this run");
                    findings.note("gate", quorum.place, message).help("add one more person to the group");
                }
                continue;
            }
            let of = group.map_or_else(String::new, |group| format!(" of {group}"));
            let wanted = counted(quorum.count as usize, "person", "people");
            let message = format!("nobody can satisfy this: it needs {wanted}{of}, and {}", there_are(count));
            let known = people.values().flatten().map(String::as_str);
            let near = group.filter(|_| count == 0).and_then(|group| suggest(group, known));
            let found = findings.error("gate", quorum.place, message);
            match near.filter(|near| Some(*near) != group) {
                Some(near) => found.label(format!("did you mean `{near}`?")),
                None => found.help("add people to the group in people.toml, or lower the count"),
            };
        }
    }
    findings.finish()
}
