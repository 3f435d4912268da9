//! The people of an ask: who is excluded, who may answer later, and the notes on their groups and keys.

use super::texts;
use crate::{
    Ask,
    by_hand::{left_out_by_hand, templates_read_what_is_by_hand},
    call::Unresolved,
    condition::View,
    gate::Gate,
    membership::wants_others,
    run::Run,
};
use cuelight_base::{Value, groups_do_not_count, keys_do_not_count};
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

/// The excluded people: those of `forbid`, and, with a quorum of two or more, the requester of the run.
pub(super) fn excluded(views: &[View<'_>], rule: &GateRule) -> Result<Vec<(String, String)>, Unresolved> {
    let run = views[0].run;
    let mut out = Vec::new();
    if wants_others(rule) {
        let why = format!("{} asked for this run; somebody else has to answer", run.by.name);
        out.push((run.by.principal(), why));
        if let Some((maker, how)) = run.by.made() {
            let name = &run.by.name;
            out.push((maker, format!("{name} asked for this run {how}; somebody else has to answer")));
        }
    }
    let view = views[0];
    for template in rule.forbid.iter().filter(|text| *text != "run.actor") {
        if templates_read_what_is_by_hand(run, view.step, &Value::String(template.clone())) {
            return Err(Unresolved::Failed(left_out_by_hand("its `forbid`")));
        }
        for name in texts(views, template)? {
            if name.trim().is_empty() {
                let message = format!(
                    "its `forbid` excludes nobody: {template} has no value; see the step or input that it reads"
                );
                return Err(Unresolved::Failed(message));
            }
            let why = format!("{name} is excluded by the workflow");
            out.push((name, why));
        }
    }
    for name in run.before.asked.get(&run.plan_step(view.step).id).into_iter().flatten() {
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
/// later value calls somebody else. A gate that asked in an earlier run, of which this one is a retry or fork, calls the same.
pub(super) fn escalate(
    views: &[View<'_>],
    rule: &GateRule,
    before: Option<&Gate>,
) -> Result<Option<String>, Unresolved> {
    let Some((_, template)) = &rule.escalate else { return Ok(None) };
    let view = views[0];
    let first = before.and_then(|gate| gate.ask.escalate.as_ref());
    if let Some(to) = first.or_else(|| view.run.before.escalates.get(&view.run.plan_step(view.step).id)) {
        return Ok(Some(to.clone()));
    }
    if templates_read_what_is_by_hand(view.run, view.step, &Value::String(template.clone())) {
        return Err(Unresolved::Failed(left_out_by_hand("its `escalate`")));
    }
    let to = view.text(template)?;
    if to.trim().is_empty() {
        return Err(Unresolved::Failed(format!(
            "its `escalate` names nobody: {template} has no value; see the step or input that it reads"
        )));
    }
    Ok(Some(to))
}

/// The excluded people who are so by `forbid`. The requester stands before them, under one name or two.
pub(crate) fn forbidden<'a>(
    excluded: &'a [(String, String)],
    run: &Run,
    rule: &GateRule,
) -> &'a [(String, String)] {
    let requesters = if wants_others(rule) { 1 + usize::from(run.by.made().is_some()) } else { 0 };
    excluded.get(requesters..).unwrap_or_default()
}
