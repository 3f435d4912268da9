//! The people of `people.toml`, and the groups of them that count at a gate.
//!
//! Policy is part of consent. A gate keeps the people of its opening beside the people of now, and a group
//! counts only if both have it. So a change of the file takes rights away at once, and gives none at an open
//! gate: the people who were asked decide.
//! A file that only root can write is above the user whose answers it judges: its change counts at once. A
//! signed file is not: a user who can write it can put an older one back, which is signed as well.

mod people;

pub(super) use people::{GatePeople, asks_for_people, wants_others};
pub use people::{Member, Membership, PeopleInForce, PeoplePolicy, PeopleSigner, Standing, changed_words};

use crate::{Fact, PeopleEvent, StepEvent, gate::Gate, handle::Turn, quorum};
use cuelight_base::{Actor, Channel, Proof, Token, groups_do_not_count};
use cuelight_plan::{Quorum, Risk};
use std::sync::Arc;

impl Gate {
    /// `people.toml` has changed.
    pub fn change_people(&mut self, people: &Arc<Membership>) {
        self.people.change(people);
    }

    /// The people of this name, by the people of the opening and of now.
    pub(super) fn people_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Actor> + 'a {
        let GatePeople { opening, now, .. } = &self.people;
        let members = [opening, now].into_iter().flatten().flat_map(|membership| &membership.people);
        members.filter(move |pair| pair.1.name == name).map(|(principal, member)| {
            let token = Token {
                id: String::new(),
                subject: String::new(),
                key: String::new(),
                person: Some(principal.clone()),
                maker: None,
                project: None,
            };
            Actor {
                name: member.name.clone(),
                proof: Proof::Token(Box::new(token)),
                groups: member.groups.clone(),
                channel: Channel::Engine,
            }
        })
    }

    /// Somebody with the groups that count here.
    pub fn counted(&self, actor: &Actor) -> Actor {
        let GatePeople { opening, now: Some(now), .. } = &self.people else {
            // Of a fold without people the ask says whose word their groups are.
            let counts = self.ask.policy.as_ref().is_none_or(|policy| policy.counts_at(self.ask.risk));
            let groups = if counts { actor.groups.clone() } else { Vec::new() };
            return Actor { groups, ..actor.clone() };
        };
        let principal = actor.principal();
        let was_in = |group: &String| opening.as_ref().is_some_and(|opening| opening.has(&principal, group));
        let counts = |group: &&String| was_in(group) && now.has(&principal, group);
        let all = if now.policy.counts_at(self.ask.risk) { &*actor.groups } else { &[] };
        Actor { groups: all.iter().filter(counts).cloned().collect(), ..actor.clone() }
    }

    /// True when these groups are the user's own word.
    pub(super) fn is_self_declared(&self, voter: &Actor) -> bool {
        !voter.groups.is_empty()
            && self.people.now.as_ref().is_some_and(|membership| membership.policy.self_declared)
    }

    /// True when a rule names this person, `NAME` or `group:NAME`, as somebody who may decide.
    pub(super) fn is_called(&self, name: &str, actor: &Actor) -> bool {
        if !quorum::is_addressed(name, &self.counted(actor)) {
            return false;
        }
        let GatePeople { opening, now: Some(now), .. } = &self.people else { return true };
        let principal = actor.principal();
        let is_same = now.name(&principal) == opening.as_ref().and_then(|opening| opening.name(&principal));
        let is_known = now.policy.counts_at(self.ask.risk) || now.name(&principal).is_none();
        name.starts_with("group:") || is_same && is_known
    }

    /// True when an entry of `forbid` names this person, by the people of the opening, of now, or as root or
    /// a signer said last. Nobody leaves that by a new name, or by leaving a group.
    pub(super) fn is_or_was_excluded(&self, entry: &str, actor: &Actor) -> bool {
        let GatePeople { opening, now, proven } = &self.people;
        people::is_excluded_in([opening, now, proven].into_iter().flatten(), entry, actor)
    }

    /// The reason why the key that has signed does not count, where a signed file has it only since this was
    /// asked.
    pub(super) fn key_is_new(&self, actor: &Actor) -> Option<String> {
        let Proof::Signature(signature) = &actor.proof else { return None };
        let now = self.people.now.as_ref().filter(|membership| membership.policy.signed_by.is_some())?;
        let opening = self.people.opening.as_ref();
        if opening.is_some_and(|opening| opening.policy.digest == now.policy.digest) {
            return None;
        }
        let principal = actor.principal();
        let member = opening.and_then(|opening| opening.people.get(&principal));
        let had = member.is_some_and(|member| member.keys.contains(&signature.key));
        let name = &actor.name;
        (!had).then(|| {
            format!("this key of {name} was added after {} opened; start a new run to use it", self.id)
        })
    }

    /// The reason why a group of this person does not count, when they would be asked if it did.
    pub(super) fn counts_not(&self, actor: &Actor) -> Option<String> {
        let now = self.people.now.as_ref()?;
        let would = |actor: &Actor| quorum::could_fill(&self.ask.require, self.escalated.as_deref(), actor);
        if !would(actor) || would(&self.counted(actor)) {
            return None;
        }
        Some(if now.policy.counts_at(self.ask.risk) {
            format!(
                "{} joined {} after {} opened; the earlier members answer, or start a new run",
                actor.name,
                groups_of(&self.ask.require),
                self.id
            )
        } else {
            format!("at risk {} {}", self.ask.risk.word(), groups_do_not_count())
        })
    }
}

/// The groups of a quorum for people: `sre or product`.
pub(super) fn groups_of(require: &[Quorum]) -> String {
    let groups: Vec<&str> = require.iter().filter_map(|quorum| quorum.group.as_deref()).collect();
    groups.join(" or ")
}

impl Turn<'_> {
    /// Takes in a new `people.toml`. A change is an event, and every open gate that depends on it asks again.
    pub(super) fn declare_people(&mut self, people: Membership) {
        let before = self.world.people.now();
        if before.map_or(people.people.is_empty(), |membership| membership.policy == people.policy) {
            return;
        }
        let changes = people.changes_from(before.map(|membership| &**membership));
        let before = before.map(|membership| membership.policy.digest);
        let why = changed_words(&changes, &people.policy);
        self.emit(Fact::People(PeopleEvent::Changed { people: Box::new(people), before, changes }));
        let depends = |gate: &&Gate| {
            let asks_otherwise = || {
                let rule = &gate.rule;
                let touch = rule.touch || rule.risk >= Risk::Irreversible && gate.people.wants_touch();
                asks_for_people(rule) || touch || gate.ask.touch
            };
            gate.is_open() && !gate.anew && !gate.for_budget && asks_otherwise()
        };
        let gates: Vec<_> =
            self.world.gates.values().filter(depends).map(|gate| (gate.run, gate.step)).collect();
        for (run, step) in gates {
            self.emit_step(run, step, StepEvent::Reopened { why: why.clone(), gates: Vec::new() });
        }
    }
}
