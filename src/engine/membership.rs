//! The people of `people.toml`, and the groups of them that count at a gate.
//!
//! Policy is part of consent. A gate keeps the people of its opening beside the people of now, and a group
//! counts only if both have it. So a change of the file takes rights away at once, and gives none at an open
//! gate: the people who were asked decide.
//! A file that only root can write is above the user whose answers it judges: its change counts at once. A
//! signed file is not: a user who can write it can put an older one back, which is signed as well.

use crate::{Ask, Fact, PeopleEvent, StepEvent, gate::Gate, handle::Turn, quorum};
use cuelight_base::{Actor, Digest, Proof, canonical_json, groups_do_not_count, sha256};
use cuelight_plan::{GateRule, Quorum, Risk};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// The people of `people.toml`, as far as decisions depend on them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Membership {
    /// The policy that is in force: its hash, and whose word it is.
    pub policy: PeoplePolicy,
    /// Name and groups, by principal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub people: BTreeMap<String, Member>,
}

/// The state of `people.toml` when people were asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeoplePolicy {
    /// The hash of the file as it was read: people, proofs, groups, and its owner.
    pub digest: Digest,
    /// True when somebody other than root can write the file: its groups are the user's own word.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_declared: bool,
    /// The signer of the file, where its signature makes it count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<PeopleSigner>,
    /// True when the file asks for a touched security key at every gate of the highest risk.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub touch: bool,
}

/// Somebody whom root lets sign the people of workspaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeopleSigner {
    /// The name that root gave them.
    pub name: String,
    /// The fingerprint of their key.
    pub key: String,
}

/// The standing of `people.toml`: whose word it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nobody but root can write it.
    Root,
    /// Somebody whom root has named has signed it.
    Signed(PeopleSigner),
    /// Neither: its authority is only the user who can write it.
    #[default]
    SelfDeclared,
}

impl PeoplePolicy {
    /// True when groups count at a gate of this risk.
    pub fn counts_at(&self, risk: Risk) -> bool {
        !self.self_declared || risk <= Risk::Reversible
    }

    /// True when nobody but root can have changed the file.
    fn is_roots(&self) -> bool {
        !self.self_declared && self.signed_by.is_none()
    }

    /// `root-owned`, `self-declared`, `signed by ops (SHA256:…)`
    pub fn standing(&self) -> String {
        match &self.signed_by {
            Some(signed_by) => format!("signed by {} ({})", signed_by.name, signed_by.key),
            None if self.self_declared => "self-declared".to_owned(),
            None => "root-owned".to_owned(),
        }
    }
}

/// Somebody, as the file has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The name that people know.
    pub name: String,
    /// Groups of the person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Fingerprints of their keys, in a file that is signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

impl Membership {
    /// The people of a file of this standing whose other contents, such as keys, have this hash; and whether
    /// it asks for touched security keys.
    pub fn new(people: BTreeMap<String, Member>, contents: Digest, standing: Standing, touch: bool) -> Self {
        let self_declared = standing == Standing::SelfDeclared;
        let signed_by = if let Standing::Signed(signer) = standing { Some(signer) } else { None };
        let text = canonical_json(&(&people, contents, self_declared));
        // Nothing is added for a file without both, whose hash stays what it was.
        let more = canonical_json(&(&signed_by, touch));
        let is_more = signed_by.is_some() || touch;
        let parts = [text.as_bytes(), more.as_bytes()];
        let digest = sha256("cuelight-people-v1", &parts[..if is_more { 2 } else { 1 }]);
        Self { policy: PeoplePolicy { digest, self_declared, signed_by, touch }, people }
    }

    fn has(&self, principal: &str, group: &str) -> bool {
        self.people.get(principal).is_some_and(|person| person.groups.iter().any(|other| other == group))
    }

    fn name(&self, principal: &str) -> Option<&str> {
        self.people.get(principal).map(|person| person.name.as_str())
    }

    /// `ann +sre, bob -oncall`: the differences from the people before.
    pub fn changes_from(&self, before: Option<&Self>) -> Vec<String> {
        let nobody = BTreeMap::new();
        let old = before.map_or(&nobody, |membership| &membership.people);
        let groups = |of: &BTreeMap<String, Member>, principal: &str| {
            of.get(principal).map(|person| person.groups.clone()).unwrap_or_default()
        };
        let mut out = Vec::new();
        for (principal, member) in
            old.iter().chain(self.people.iter().filter(|entry| !old.contains_key(entry.0)))
        {
            let (had, has) = (groups(old, principal), groups(&self.people, principal));
            let gained = has.iter().filter(|group| !had.contains(group)).map(|group| format!("+{group}"));
            let lost = had.iter().filter(|text| !has.contains(text)).map(|text| format!("-{text}"));
            let words: Vec<String> = gained.chain(lost).collect();
            if !words.is_empty() {
                out.push(format!("{} {}", member.name, words.join(" ")));
            }
        }
        out
    }
}

/// The people of the workspace: by `people.toml` as it is, and by its last version from root or a signer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeopleInForce {
    now: Option<Arc<Membership>>,
    /// No file that the user can write takes away what it asks for.
    proven: Option<Arc<Membership>>,
}

impl PeopleInForce {
    /// The people of `people.toml`, once it was read.
    pub const fn now(&self) -> Option<&Arc<Membership>> {
        self.now.as_ref()
    }

    /// `people.toml` has changed: the people in force from now on.
    pub fn change(&mut self, people: &Membership) -> Arc<Membership> {
        let people = Arc::new(people.clone());
        if !people.policy.self_declared {
            self.proven = Some(Arc::clone(&people));
        }
        self.now = Some(Arc::clone(&people));
        people
    }

    /// True when a touched security key is asked for at gates of the highest risk.
    pub(super) fn wants_touch(&self) -> bool {
        [&self.now, &self.proven].into_iter().flatten().any(|membership| membership.policy.touch)
    }
}

/// The people whom a gate goes by: those of its opening, those of now, and those whom root or a signer named
/// last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GatePeople {
    opening: Option<Arc<Membership>>,
    now: Option<Arc<Membership>>,
    proven: Option<Arc<Membership>>,
}

impl GatePeople {
    /// The people of a gate that opens now.
    ///
    /// A gate of a run that is read back from the log opened under the people that its ask names. They may be
    /// others by now; then no group counts by the user's own word alone.
    pub(super) fn at_opening(
        ask: &Ask,
        rule: &GateRule,
        PeopleInForce { now, proven }: &PeopleInForce,
    ) -> Self {
        let is_of_ask = |membership: &&Arc<Membership>| {
            membership.policy.is_roots()
                || ask.policy.as_ref() == Some(&membership.policy)
                || !ask.touch && !asks_for_people(rule)
        };
        Self { opening: now.as_ref().filter(is_of_ask).cloned(), now: now.clone(), proven: proven.clone() }
    }

    fn change(&mut self, people: &Arc<Membership>) {
        if !people.policy.self_declared {
            self.proven = Some(Arc::clone(people));
        }
        if people.policy.is_roots() {
            self.opening = Some(Arc::clone(people));
        }
        self.now = Some(Arc::clone(people));
    }

    /// True when a touched security key is asked for at the highest risk: no edit of the file takes that from
    /// an open gate.
    pub(super) fn wants_touch(&self) -> bool {
        [&self.opening, &self.now, &self.proven].into_iter().flatten().any(|opening| opening.policy.touch)
    }
}

impl Gate {
    /// `people.toml` has changed.
    pub fn change_people(&mut self, people: &Arc<Membership>) {
        self.people.change(people);
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
        let principal = actor.principal();
        let GatePeople { opening, now, proven } = &self.people;
        let as_member = |membership: &Arc<Membership>| {
            let Member { name, groups, .. } = membership.people.get(&principal)?.clone();
            Some(Actor { name, groups, ..actor.clone() })
        };
        let members = [opening, now, proven].into_iter().flatten().filter_map(as_member);
        members.chain([actor.clone()]).any(|member| quorum::is_excluded(entry, &member))
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

/// True when an answer depends on names or groups.
pub(super) fn asks_for_people(rule: &GateRule) -> bool {
    rule.require.iter().any(|quorum| quorum.group.is_some())
        || rule.escalate.is_some()
        || rule.forbid.iter().any(|text| text != "run.actor")
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

/// `people.toml has changed (self-declared): ann +sre`
pub fn changed_words(changes: &[String], policy: &PeoplePolicy) -> String {
    let whose = if policy.is_roots() { String::new() } else { format!(" ({})", policy.standing()) };
    let changes = if changes.is_empty() { String::new() } else { format!(": {}", changes.join(", ")) };
    format!("people.toml has changed{whose}{changes}")
}
