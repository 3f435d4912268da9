//! The people of `people.toml`, and those whom a gate goes by: the state that membership is judged by.

use crate::{Ask, quorum};
use cuelight_base::{Actor, Digest, canonical_json, sha256};
use cuelight_plan::{GateRule, Risk};
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
    pub(super) fn is_roots(&self) -> bool {
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

    pub(super) fn has(&self, principal: &str, group: &str) -> bool {
        self.people.get(principal).is_some_and(|person| person.groups.iter().any(|other| other == group))
    }

    pub(super) fn name(&self, principal: &str) -> Option<&str> {
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

    /// The principals of this name, by the people of now, or as root or a signer said last.
    pub(crate) fn principals(&self, name: &str) -> impl Iterator<Item = &str> {
        let people = [&self.now, &self.proven].into_iter().flatten().flat_map(|file| &file.people);
        people.filter(move |entry| entry.1.name == name).map(|entry| entry.0.as_str())
    }

    /// True when an entry of `forbid` names this person, by the people of now, or as root or a signer said last.
    pub(crate) fn exclude(&self, entry: &str, actor: &Actor) -> bool {
        is_excluded_in([&self.now, &self.proven].into_iter().flatten(), entry, actor)
    }

    /// True when a touched security key is asked for at gates of the highest risk.
    pub(crate) fn wants_touch(&self) -> bool {
        [&self.now, &self.proven].into_iter().flatten().any(|membership| membership.policy.touch)
    }
}

/// The people whom a gate goes by: those of its opening, those of now, and those whom root or a signer named
/// last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GatePeople {
    pub(super) opening: Option<Arc<Membership>>,
    pub(super) now: Option<Arc<Membership>>,
    pub(super) proven: Option<Arc<Membership>>,
}

impl GatePeople {
    /// The people of a gate that opens now.
    ///
    /// A gate of a run that is read back from the log opened under the people that its ask names. They may be
    /// others by now; then no group counts by the user's own word alone.
    pub(crate) fn at_opening(
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

    pub(super) fn change(&mut self, people: &Arc<Membership>) {
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
    pub(crate) fn wants_touch(&self) -> bool {
        [&self.opening, &self.now, &self.proven].into_iter().flatten().any(|opening| opening.policy.touch)
    }
}

/// True when an answer depends on names or groups.
pub(crate) fn asks_for_people(rule: &GateRule) -> bool {
    rule.require.iter().any(|quorum| quorum.group.is_some())
        || rule.escalate.is_some()
        || rule.forbid.iter().any(|text| text != "run.actor")
}

/// `people.toml has changed (self-declared): ann +sre`
pub fn changed_words(changes: &[String], policy: &PeoplePolicy) -> String {
    let whose = if policy.is_roots() { String::new() } else { format!(" ({})", policy.standing()) };
    let changes = if changes.is_empty() { String::new() } else { format!(": {}", changes.join(", ")) };
    format!("people.toml has changed{whose}{changes}")
}

/// True when the requester of the run does not count.
pub(crate) fn wants_others(rule: &GateRule) -> bool {
    let wanted: u32 = rule.require.iter().map(|quorum| quorum.count).sum();
    wanted > 1 || rule.forbid.iter().any(|text| text == "run.actor")
}

/// True when an entry of `forbid` names this person, as they ask or as one of these files has them.
pub(super) fn is_excluded_in<'a>(
    files: impl Iterator<Item = &'a Arc<Membership>>,
    entry: &str,
    actor: &Actor,
) -> bool {
    let principal = actor.principal();
    let as_member = |membership: &Arc<Membership>| {
        let Member { name, groups, .. } = membership.people.get(&principal)?.clone();
        Some(Actor { name, groups, ..actor.clone() })
    };
    files.filter_map(as_member).chain([actor.clone()]).any(|member| quorum::is_excluded(entry, &member))
}
