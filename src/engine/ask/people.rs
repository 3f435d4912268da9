//! The people of an ask: who is excluded, who may answer later, and the notes on their groups and keys.

use super::too_large;
use crate::{
    Ask,
    by_hand::{left_out_by_hand, templates_read_what_is_by_hand},
    call::Unresolved,
    condition::View,
    gate::is_written,
    run::Run,
    world::World,
};
use cuelight_base::{EVENT_CONTENT_BYTES_MAX, Value, groups_do_not_count, keys_do_not_count};
use cuelight_plan::GateRule;

impl Ask {
    /// Notes on the people who may answer, a sentence each: the source of their groups, and the proof that an
    /// approval needs.
    pub fn notes_on_who(&self) -> Vec<String> {
        let signed = self.policy.as_ref().filter(|policy| policy.signed_by.is_some());
        let signed = signed.map(|signed| format!("people.toml is {}", signed.standing()));
        let touch = self.touch.then(|| format!("an approval {NEEDS_TOUCH}"));
        let escalates = self
            .escalate
            .as_ref()
            .map(|escalate| format!("{escalate} may answer as well once it is escalated"));
        self.self_declared().into_iter().chain(signed).chain(touch).chain(escalates).collect()
    }

    /// Why the approval of somebody whose touch is not proven does not count, and how it would.
    pub(crate) fn needs_touch_words(&self) -> String {
        // An ask that depends on people names their policy, where there is one.
        let none = if self.policy.is_none() {
            "; no people.toml names a person with a security key: add one with its .pub line under `keys` first"
        } else {
            ""
        };
        format!(
            "an approval {NEEDS_TOUCH}: cuelight approve {} --as NAME --key ~/.ssh/id_ed25519_sk{none}",
            self.gate
        )
    }

    /// A sentence about groups that are the user's own word, where this ask depends on any.
    pub fn self_declared(&self) -> Option<String> {
        let policy = self.policy.as_ref().filter(|policy| policy.self_declared)?;
        if self.touch {
            return Some(format!("nobody can answer yet: {}", keys_do_not_count()));
        }
        Some(if policy.counts_at(self.risk) {
            format!("groups are {SELF_DECLARED}")
        } else {
            format!("nobody can answer yet: {}", groups_do_not_count())
        })
    }
}

/// The standing of a `people.toml` that is neither root-owned nor signed, with the reason.
pub const SELF_DECLARED: &str =
    "self-declared: people.toml is not signed, and users other than root can write it";

/// `needs a touched security key`, said of an approval: the rest of a sentence.
pub const NEEDS_TOUCH: &str = "needs a touched security key";

/// The excluded people: those of `forbid`, and the requesters of the run, where it has a quorum of two or more, says so, or
/// comes to one of them: to exclude the requester in other words means the same.
pub(super) fn excluded(
    world: &World,
    views: &[View<'_>],
    rule: &GateRule,
) -> Result<Vec<(String, String)>, Unresolved> {
    let view = views[0];
    let run = view.run;
    let (mut named, mut values) = (Vec::new(), Vec::new());
    for template in rule.forbid.iter().filter(|text| *text != "run.actor") {
        if templates_read_what_is_by_hand(run, view.step, &Value::String(template.clone())) {
            return Err(Unresolved::Failed(left_out_by_hand("its `forbid`")));
        }
        let found = names(views, "forbid", template)?;
        if template.contains("${{") {
            values.extend(found.clone());
        }
        named.extend(found);
    }
    // A value may be another one by now, also within this run.
    let before = run.before.asked.get(&run.plan_step(view.step).id).into_iter().flatten();
    let here = world.gates_at(run.id, view.step).flat_map(|gate| forbidden(&gate.ask.excluded, run));
    let earlier: Vec<&String> = before.chain(here.map(|entry| &entry.0)).collect();
    let kept = run.kept_answers(&world.people);
    let all = values.iter().chain(earlier.iter().copied().filter(|name| !is_written(rule, name)));
    let mut out = if kept.exclude_requesters(&[rule], all) { run.requesters() } else { Vec::new() };
    out.extend(named.into_iter().map(|name| {
        let why = format!("{name} is excluded by the workflow");
        (name, why)
    }));
    for name in earlier {
        if out.iter().all(|entry| entry.0 != *name) {
            out.push((
                name.clone(),
                format!("{name} was excluded by the workflow when this gate asked before"),
            ));
        }
    }
    Ok(out)
}

/// The person or group that may answer as well once the gate is escalated: filled in when the gate asks first, so that no
/// later value calls somebody else. A gate that asked before, also in a run of which this one is a retry or fork, calls the
/// same.
pub(super) fn escalate(
    world: &World,
    views: &[View<'_>],
    rule: &GateRule,
) -> Result<Option<String>, Unresolved> {
    let Some((_, template)) = &rule.escalate else { return Ok(None) };
    let (view, run) = (views[0], views[0].run);
    let first = world.gates_at(run.id, view.step).find_map(|gate| gate.ask.escalate.as_ref());
    if let Some(to) = first.or_else(|| run.before.escalates.get(&run.plan_step(view.step).id)) {
        return Ok(Some(to.clone()));
    }
    if templates_read_what_is_by_hand(run, view.step, &Value::String(template.clone())) {
        return Err(Unresolved::Failed(left_out_by_hand("its `escalate`")));
    }
    match names(&views[..1], "escalate", template)?.as_slice() {
        [to] => Ok(Some(to.clone())),
        several => Err(Unresolved::Failed(format!(
            "its `escalate` names {} people or groups, and can call one: {template}; put them into a group of people.toml",
            several.len()
        ))),
    }
}

/// The people and groups that a template of a rule names: a list names each of its items. Anything that is no text names
/// nobody, and a rule about people must not come to nothing in silence.
fn names(views: &[View<'_>], key: &str, template: &str) -> Result<Vec<String>, Unresolved> {
    let nobody = match key {
        "forbid" => "excludes nobody",
        _ => "names nobody",
    };
    let failed = |what: &str| Unresolved::Failed(format!("its `{key}` {nobody}: {template} {what}"));
    let no_value = || failed("has no value; see the step or input that it reads");
    let views = if template.contains("${{") { views } else { &views[..1] };
    let (mut names, mut bytes): (Vec<String>, usize) = (Vec::new(), 0);
    for view in views {
        let items = match view.value_of_texts(template)?.ok_or_else(|| {
            failed("puts a list or a map into a text; use an expression alone, such as `${{ steps.g.outputs.approvers }}`")
        })? {
            Value::Array(items) => items,
            one => vec![one],
        };
        if items.is_empty() {
            return Err(no_value());
        }
        for item in items {
            let name = match &item {
                Value::String(name) => name.trim(),
                Value::Null => "",
                Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    return Err(failed("is no name; it must be a text, or a list of texts"));
                }
            };
            if name.is_empty() {
                return Err(no_value());
            }
            bytes += name.len();
            if bytes > EVENT_CONTENT_BYTES_MAX {
                return Err(too_large());
            }
            if names.iter().all(|other| other != name) {
                names.push(name.to_owned());
            }
        }
    }
    Ok(names)
}

/// The excluded people who are so by `forbid`. The requesters stand before them, where they are excluded.
pub(crate) fn forbidden<'a>(excluded: &'a [(String, String)], run: &Run) -> &'a [(String, String)] {
    excluded.strip_prefix(run.requesters().as_slice()).unwrap_or(excluded)
}
