//! An approval that is kept from another run: nobody was asked here, and a person who could not answer there
//! cannot speak for what it let go.

use crate::{
    membership::{PeopleInForce, wants_others},
    quorum::EVERYBODY,
};
use cuelight_base::Actor;
use cuelight_plan::{FrameKind, GateRule, PlanStep, is_within};
use std::collections::BTreeMap;

/// All that is known of the people at the gates of the runs that a run does again.
#[derive(Clone, Copy, Debug)]
pub struct KeptAnswers<'a> {
    /// The actor who asked for the run.
    pub by: &'a Actor,
    /// The requesters in addition to that one, each with the reason.
    pub behind: &'a [(String, String)],
    /// By gate, the people whom its `forbid` excluded.
    pub excluded: &'a BTreeMap<String, Vec<String>>,
    /// By gate, the principals that edited its form, and their names.
    pub editors: &'a BTreeMap<String, BTreeMap<String, String>>,
    /// The people of now: a gate that asked now would go by them.
    pub people: &'a PeopleInForce,
}

impl KeptAnswers<'_> {
    /// Why this person cannot stand behind the approval that a step keeps: a gate, or a matrix whose copies were gates.
    pub fn forbid(&self, plan: &PlanStep, actor: &Actor) -> Option<String> {
        let rules = rules(plan);
        if rules.is_empty() {
            return None;
        }
        let principal = actor.principal();
        let is_of_it = |id: &String| *id == plan.id || is_within(id, &plan.id);
        if self.editors.iter().any(|(id, editors)| is_of_it(id) && editors.contains_key(&principal)) {
            return Some(format!("{} edited the form; another person must answer", actor.name));
        }
        let excluded = || self.excluded.iter().filter(|(id, _)| is_of_it(id)).flat_map(|(_, names)| names);
        let own = || {
            let is_own = self.by.is_or_may_be(&principal);
            is_own.then(|| format!("{} asked for this run; somebody else has to answer", actor.name))
        };
        let is_one = |entry: &&(String, String)| entry.0 == principal || entry.0 == EVERYBODY;
        let other = || self.behind.iter().find(is_one).map(|entry| entry.1.clone());
        let as_requester = own().or_else(other).filter(|_| {
            let values = excluded().filter(|name| !rules.iter().any(|rule| is_written(rule, name)));
            self.exclude_requesters(&rules, values)
        });
        as_requester.or_else(|| {
            let name = excluded().find(|name| self.people.exclude(name, actor))?;
            Some(format!("{name} was excluded by the workflow when this gate asked before"))
        })
    }

    /// True if the requesters do not count at a gate of these rules, where values in its `forbid` hold these names: each may
    /// be the requester, in whatever words.
    pub(crate) fn exclude_requesters<'n>(
        &self,
        rules: &[&GateRule],
        names: impl IntoIterator<Item = &'n String>,
    ) -> bool {
        let is_one = |name: &str| {
            let asked_for = format!("{name} asked for ");
            let has = |principal: &str| {
                self.by.is_or_may_be(principal) || self.behind.iter().any(|entry| entry.0 == principal)
            };
            let is_known = self.behind.iter().any(|entry| entry.1.starts_with(&asked_for));
            self.by.name == name || is_known || has(name) || self.people.principals(name).any(has)
        };
        rules.iter().any(|rule| wants_others(rule)) || names.into_iter().any(|name| is_one(name))
    }
}

/// True if a name stands in the file as it is: that means one person.
pub(crate) fn is_written(rule: &GateRule, name: &str) -> bool {
    rule.forbid.iter().any(|text| text.trim() == name)
}

/// The rule of a gate, or those of the gates that a matrix makes when it opens.
fn rules(plan: &PlanStep) -> Vec<&GateRule> {
    let made = plan.work.frame().map(|frame| match &frame.kind {
        FrameKind::Computed { body, .. } => body.iter().flat_map(rules).collect(),
        FrameKind::Matrix | FrameKind::Workflow { .. } | FrameKind::Talk(_) => Vec::new(),
    });
    plan.work.gate().map(|rule| &**rule).into_iter().chain(made.into_iter().flatten()).collect()
}
