//! The people of a workspace, from `people.toml`: names, proofs of identity (an OS user, SSH keys, tokens),
//! and groups.
//!
//! It only turns a proof into a name. The engine judges the right to decide.

use super::ssh_key::{Signed, SshKey, fingerprint, public_key, signing_key};
use cuelight_base::{
    Actor, Channel, Proof, Signature, TOKEN_NAME_CHARS_MAX, Token, canonical_json, groups_do_not_count,
    keys_do_not_count, sha256,
};
use cuelight_definition::KnownPeople;
use cuelight_engine::{Decision, Member, Membership, PeopleSigner, STATEMENT_NAMESPACE, Standing, Statement};
use serde::Deserialize;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// A signature of the one kind that is known has a tenth of it.
const SIGNATURE_BYTES_MAX: usize = 4096;

/// Looks up the people each time, so that somebody removed from `people.toml` no longer counts from then on.
#[derive(Clone)]
pub struct WhoIsWho(Arc<dyn Fn() -> Result<Arc<People>, String> + Send + Sync>);

impl WhoIsWho {
    /// By what is asked each time: it reads the file, when that has changed.
    pub fn new(ask: impl Fn() -> Result<Arc<People>, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// The people of now.
    ///
    /// # Errors
    /// Why the file cannot be read, and where it is wrong.
    pub fn now(&self) -> Result<Arc<People>, String> {
        (self.0)()
    }
}

impl fmt::Debug for WhoIsWho {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WhoIsWho").field(&self.now()).finish()
    }
}

/// The people of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    persons: Vec<Person>,
    token_keys: Vec<TokenKey>,
    os_names: BTreeMap<u32, String>,
    standing: Standing,
    /// True if every gate of the highest risk requires a touched security key.
    touch: bool,
}

/// The purpose of a signature over `people.toml`, as `ssh-keygen -Y sign -n` wants it.
const PEOPLE_NAMESPACE: &str = "cuelight-people";

/// One person of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Person {
    name: String,
    uid: Option<u32>,
    keys: Vec<SshKey>,
    /// The subject of their tokens.
    token: Option<String>,
    groups: Vec<String>,
}

/// A key that signs tokens of people; its other half is with them, or with the service that knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TokenKey {
    /// Key id in a token.
    kid: String,
    /// Issuer named in its tokens.
    issuer: String,
    key: [u8; 32],
    /// For whom it speaks; for all when it is empty.
    people: Vec<String>,
}

impl Person {
    /// Identity of the person, the same for every proof.
    fn principal(&self) -> String {
        self.uid.map_or_else(|| format!("person:{}", self.name), |uid| format!("uid:{uid}"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    person: Vec<Entry>,
    #[serde(default, rename = "token-key")]
    token_keys: Vec<KeyEntry>,
    #[serde(default)]
    gates: GatesEntry,
}

/// The settings for gates in the file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GatesEntry {
    /// Proof that an approval of the highest risk needs.
    proof: Option<ProofEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ProofEntry {
    Touch,
}

/// A key for tokens, as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    kid: String,
    key: String,
    issuer: Option<String>,
    #[serde(default)]
    people: Vec<String>,
}

/// Somebody, as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    uid: Option<u32>,
    #[serde(default)]
    keys: Vec<String>,
    token: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
}

impl People {
    /// Reads `people.toml`: `[[person]]` with `name`, at least one of `uid`, `keys` and `token`, and `groups`; `[[token-key]]` with
    /// `kid`, `key`, `issuer` and `people`; `[gates]` with `proof`.
    ///
    /// # Errors
    /// The mistake in the text, and its place.
    pub fn read(text: &str) -> Result<Self, String> {
        let said = |why: String| format!("could not read people.toml: {why}");
        let file: File = toml::from_str(text).map_err(|error| said(error.to_string()))?;
        let touch = matches!(file.gates.proof, Some(ProofEntry::Touch));
        let mut people = Self { touch, ..Self::default() };
        for entry in file.person {
            people.add(entry).map_err(said)?;
        }
        for entry in file.token_keys {
            people.add_token_key(entry).map_err(said)?;
        }
        Ok(people)
    }

    fn add(&mut self, entry: Entry) -> Result<(), String> {
        let name = entry.name.trim().to_owned();
        if name.is_empty() || self.is_named(&name) {
            return Err(format!("two people are called {name:?}; every name stands once, and is not empty"));
        }
        if entry.uid.is_none() && entry.keys.is_empty() && entry.token.is_none() {
            return Err(format!(
                "nothing proves {name}; give a `uid`, `keys` as they stand in their .pub files, or the subject of their tokens (`token`)"
            ));
        }
        if let Some(other) =
            self.persons.iter().find(|person| entry.token.is_some() && person.token == entry.token)
        {
            return Err(format!("one token proves {} and {name}; one subject is one person", other.name));
        }
        if let Some(other) = self.persons.iter().find(|person| entry.uid.is_some() && person.uid == entry.uid)
        {
            let uid = entry.uid.unwrap_or_default();
            return Err(format!("uid {uid} proves {} and another; one user is one person", other.name));
        }
        let keys = entry.keys.iter().map(|key| SshKey::parse(key)).collect::<Result<Vec<_>, _>>();
        let keys = keys.map_err(|why| format!("the keys of {name}: {why}"))?;
        if let Some(other) =
            self.persons.iter().find(|person| person.keys.iter().any(|key| keys.contains(key)))
        {
            return Err(format!("one key proves {} and {name}; one key is one person", other.name));
        }
        let token = entry.token;
        if token
            .as_ref()
            .is_some_and(|token| token.is_empty() || token.chars().count() > TOKEN_NAME_CHARS_MAX)
        {
            return Err(format!(
                "the `token` of {name} is no subject; 1 to {TOKEN_NAME_CHARS_MAX} characters"
            ));
        }
        self.persons.push(Person { name, uid: entry.uid, keys, token, groups: entry.groups });
        Ok(())
    }

    fn add_token_key(&mut self, entry: KeyEntry) -> Result<(), String> {
        let KeyEntry { kid, key, issuer, people } = entry;
        if kid.is_empty()
            || kid.chars().count() > TOKEN_NAME_CHARS_MAX
            || self.token_keys.iter().any(|token_key| token_key.kid == kid)
        {
            return Err(format!(
                "two keys for tokens are called {kid:?}; every `kid` stands once, and is not empty"
            ));
        }
        let key = public_key(&key).map_err(|why| format!("the token-key {kid}: {why}"))?;
        if let Some(stranger) = people.iter().find(|person| !self.is_named(person)) {
            return Err(format!(
                "the token-key {kid} speaks for {stranger:?}, who is not in the file; add them"
            ));
        }
        self.token_keys.push(TokenKey { issuer: issuer.unwrap_or_else(|| kid.clone()), kid, key, people });
        Ok(())
    }

    /// Adds the system's name of a user who is not in the file.
    #[must_use]
    pub fn with_os_name(mut self, uid: u32, name: &str) -> Self {
        self.os_names.insert(uid, name.to_owned());
        self
    }

    /// The same, as the word of somebody: keys count only when nobody who could profit can have written whose they are.
    #[must_use]
    pub fn with_standing(self, standing: Standing) -> Self {
        Self { standing, ..self }
    }

    /// True if the file may have been written by somebody who could profit from it.
    fn is_self_declared(&self) -> bool {
        self.standing == Standing::SelfDeclared
    }

    /// Why the keys in the file do not count for answers of this OS user, and what to do; nothing where they do,
    /// or there are none.
    pub fn keys_do_not_count(&self, uid: u32) -> Option<String> {
        let has_keys =
            !self.token_keys.is_empty() || self.persons.iter().any(|person| !person.keys.is_empty());
        match () {
            () if !has_keys => None,
            () if self.is_self_declared() => Some(keys_do_not_count()),
            () if self.persons.iter().all(|person| person.uid != Some(uid)) => Some(format!(
                "keys count only when people.toml says who sits here, else they could answer twice; give that person `uid = {uid}`"
            )),
            () => None,
        }
    }

    /// The key that a token of a person names, and who issues with it.
    pub fn token_key(&self, kid: &str) -> Option<([u8; 32], &str)> {
        self.token_keys
            .iter()
            .find(|token_key| token_key.kid == kid)
            .map(|token_key| (token_key.key, token_key.issuer.as_str()))
    }

    /// The subject of somebody's tokens.
    pub fn token_of(&self, name: &str) -> Option<&str> {
        self.persons.iter().find(|person| person.name == name)?.token.as_deref()
    }

    /// The id and the issuer of a key for tokens.
    pub fn token_key_named(&self, key: &[u8; 32]) -> Option<(&str, &str)> {
        let found = self.token_keys.iter().find(|token_key| token_key.key == *key);
        found.map(|token_key| (token_key.kid.as_str(), token_key.issuer.as_str()))
    }

    /// The person a token stands for that is good and was signed by a key of this file, shown to the engine of this OS user.
    ///
    /// # Errors
    /// When it stands for nobody, with what to do.
    pub fn bearer(&self, token: Token, (engine, channel): (u32, Channel)) -> Result<Actor, String> {
        if let Some(why) = self.keys_do_not_count(engine) {
            return Err(why);
        }
        let subject = cuelight_base::safe_text(&token.subject);
        let person = self.persons.iter().find(|person| person.token.as_ref() == Some(&token.subject));
        let person = person.ok_or_else(|| {
            format!("people.toml has nobody whose token is {subject:?}; add `token` to the person")
        })?;
        let key = self.token_keys.iter().find(|token_key| token_key.kid == token.key);
        if !key.is_some_and(|key| key.people.is_empty() || key.people.contains(&person.name)) {
            return Err(format!(
                "the key that signed it does not speak for {}; see `people` of its token-key",
                person.name
            ));
        }
        let proof = Proof::Token(Box::new(Token { person: Some(person.principal()), ..token }));
        Ok(Actor { name: person.name.clone(), proof, groups: person.groups.clone(), channel })
    }

    /// The person an OS user is. Nobody who is not in the file goes by the name of somebody who is.
    pub fn actor(&self, uid: u32, channel: Channel) -> Actor {
        let (name, groups) = match self.persons.iter().find(|person| person.uid == Some(uid)) {
            Some(person) => (person.name.clone(), person.groups.clone()),
            None => {
                let own = self.os_names.get(&uid).filter(|os_name| !self.is_named(os_name));
                (own.cloned().unwrap_or_else(|| format!("uid {uid}")), Vec::new())
            }
        };
        Actor { name, proof: Proof::OsUser(uid), groups, channel }
    }

    /// Returns the signer of an answer: the person of that name, if one of their keys has signed exactly this
    /// answer to exactly this ask. The channel stays that of `door`, through which it came.
    ///
    /// # Errors
    /// The reason why no key of that person fits, and the next step.
    pub fn signer(
        &self,
        decision: &Decision,
        (trace, log): (&str, &str),
        door: &Actor,
    ) -> Result<Actor, String> {
        let name = &decision.by.name;
        let Proof::Signature(given) = &decision.by.proof else {
            return Err(format!("{name} has signed nothing"));
        };
        let person = self.persons.iter().find(|person| person.name == *name && !person.keys.is_empty());
        let person = person.ok_or_else(|| {
            format!("people.toml has no keys of {name:?}; add the line of their .pub file under `keys`")
        })?;
        let Proof::OsUser(uid) = door.proof else {
            return Err("signed answers are handed in by a user of this machine".to_owned());
        };
        if let Some(why) = self.keys_do_not_count(uid) {
            return Err(why);
        }
        let text = Statement::of(decision, trace, log).to_string();
        if given.armored.len() > SIGNATURE_BYTES_MAX {
            return Err(format!("what was handed in for {name} is too long for a signature"));
        }
        if given.statement != text {
            return Err(format!(
                "what {name} has signed is another answer, or the ask has changed; have it signed anew"
            ));
        }
        let signed =
            person.keys.iter().find_map(|key| key.signature(&given.armored, STATEMENT_NAMESPACE, &text));
        let Signed { key, touch } = signed.ok_or_else(|| {
            let touched = if person.keys.iter().any(SshKey::is_security_key) {
                "; a security key has to be touched when it signs"
            } else {
                ""
            };
            format!("none of the keys that people.toml has of {name} has made this signature{touched}")
        })?;
        let signature = Signature { person: person.principal(), key, touch, ..Signature::clone(given) };
        let proof = Proof::Signature(Box::new(signature));
        Ok(Actor { name: name.clone(), proof, groups: person.groups.clone(), channel: door.channel })
    }

    /// The people as the engine goes by them, with a hash of the whole file.
    pub fn membership(&self) -> Membership {
        let prints = |person: &Person| person.keys.iter().map(SshKey::fingerprint).collect::<Vec<_>>();
        let is_signed = matches!(self.standing, Standing::Signed(_));
        let member = |person: &Person| {
            let keys = if is_signed { prints(person) } else { Vec::new() };
            (person.principal(), Member { name: person.name.clone(), groups: person.groups.clone(), keys })
        };
        let proofs: Vec<_> = self
            .persons
            .iter()
            .map(|person| (&person.name, person.uid, prints(person), &person.token))
            .collect();
        let token_keys: Vec<_> = self
            .token_keys
            .iter()
            .map(|token_key| {
                (&token_key.kid, &token_key.issuer, fingerprint(&token_key.key), &token_key.people)
            })
            .collect();
        let contents = sha256("cuelight-people-file-v1", &[canonical_json(&(proofs, token_keys)).as_bytes()]);
        let people = self.persons.iter().map(member).collect();
        Membership::new(people, contents, self.standing.clone(), self.touch)
    }

    /// Why nobody can approve a gate that wants a touched security key, and what to do; nothing where somebody can.
    pub fn nobody_touches(&self, uid: u32) -> Option<String> {
        if let Some(why) = self.keys_do_not_count(uid) {
            return Some(why);
        }
        let has_one = |person: &Person| person.keys.iter().any(SshKey::is_security_key);
        (!self.persons.iter().any(has_one)).then(|| {
            "nobody in people.toml has a security key; make one with `ssh-keygen -t ed25519-sk` and add the line of its .pub file \
             under `keys`"
                .to_owned()
        })
    }

    /// The reason why nobody can approve a gate of the highest risk, where the file asks for a touched security key there.
    pub fn nobody_touches_as_asked(&self, uid: u32) -> Option<String> {
        let why = self.nobody_touches(uid).filter(|_| self.touch)?;
        Some(format!("`[gates] proof = \"touch\"` lets nobody approve a gate of risk irreversible: {why}"))
    }

    /// `root-owned`, `self-declared`, `signed by ops (SHA256:…)`
    pub fn standing(&self) -> String {
        self.membership().policy.standing()
    }

    /// Why the groups in the file do not count at every gate, and what to do; nothing where they do, or there are none.
    pub fn groups_do_not_count(&self) -> Option<String> {
        let has_groups = self.persons.iter().any(|person| !person.groups.is_empty());
        let below = "at a gate whose risk is above reversible";
        (has_groups && self.is_self_declared()).then(|| format!("{below} {}", groups_do_not_count()))
    }

    /// The people as a check of a workflow goes by them.
    pub fn known(&self, uid: u32) -> KnownPeople {
        KnownPeople {
            groups: self.groups(),
            self_declared: self.is_self_declared(),
            touch: self.touch,
            nobody_touches: self.nobody_touches(uid),
        }
    }

    /// Everybody in the file, with their groups.
    pub fn groups(&self) -> BTreeMap<String, Vec<String>> {
        self.persons.iter().map(|person| (person.name.clone(), person.groups.clone())).collect()
    }

    fn is_named(&self, name: &str) -> bool {
        self.persons.iter().any(|person| person.name == name)
    }
}

/// The signer of a text of `people.toml`: the first of these lines of `allowed_signers` (`NAME KEY`) whose key has signed it.
///
/// # Errors
/// When a line cannot be read, or the signature is none of theirs; what to do is said.
pub fn people_signer(text: &str, armored: &str, signers: &str) -> Result<PeopleSigner, String> {
    if armored.len() > SIGNATURE_BYTES_MAX {
        return Err("its signature is too long to be one".to_owned());
    }
    let lines = (1..).zip(signers.lines().map(str::trim));
    for (number, line) in lines.filter(|line| !line.1.is_empty() && !line.1.starts_with('#')) {
        let (name, key) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let key = SshKey::parse(key).map_err(|why| {
            format!("line {number} of the signers is no `NAME KIND KEY`: {why}; options are not read")
        })?;
        if let Some(signature) = key.signature(armored, PEOPLE_NAMESPACE, text) {
            return Ok(PeopleSigner { name: cuelight_base::safe_text(name), key: signature.key });
        }
    }
    Err(match signing_key(armored, PEOPLE_NAMESPACE, text) {
        Some(signing_key) => format!("it is signed with {signing_key}, and that key is of no signer"),
        None => "its signature is not one over the file as it is".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_who_the_file_says_or_who_the_system_says() {
        let text = "[[person]]\nname = 'ann'\nuid = 1000\ngroups = ['sre', 'oncall']\n";
        let people =
            People::read(text).expect("well-formed").with_os_name(1001, "bob").with_os_name(1000, "a");
        let ann = people.actor(1000, Channel::Socket);
        assert_eq!((ann.name.as_str(), ann.groups.len(), ann.proof), ("ann", 2, Proof::OsUser(1000)));
        assert_eq!(people.actor(1001, Channel::Console).name, "bob");
        assert_eq!(people.actor(1002, Channel::Console).name, "uid 1002");
        let other = people.with_os_name(1003, "ann").actor(1003, Channel::Console);
        assert_eq!((other.name.as_str(), other.groups.len()), ("uid 1003", 0), "a name is not taken over");
    }

    #[test]
    fn one_user_is_one_person_and_nothing_is_ignored() {
        for (text, part) in [
            ("[[person]]\nname='a'\nuid=1\n[[person]]\nname='b'\nuid=1", "uid 1 proves a"),
            ("[[person]]\nname='a'\nuid=1\n[[person]]\nname='a'\nuid=2", "two people"),
            ("[[person]]\nname='a'\nuid=1\nroles=['x']", "roles"),
            ("[[people]]\nname='a'", "people"),
            ("[[person]]\nname='a'\nuid='root'", "uid"),
            ("[[person]]\nname='a'", "nothing proves a"),
            ("[[person]]\nname='a'\nkeys=['ssh-rsa AAAA']", "ssh-keygen -t ed25519"),
            (
                "[[person]]\nname='a'\nkeys=['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID8V9bjaEJX8QvSGyPILheCRaW/9X+eOWIqzWwJ+5eaL']\n\
                 [[person]]\nname='b'\nkeys=['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID8V9bjaEJX8QvSGyPILheCRaW/9X+eOWIqzWwJ+5eaL x']",
                "one key proves a and b",
            ),
            ("[[person]]\nname='a'\ntoken='x'\n[[person]]\nname='b'\ntoken='x'", "one subject is one person"),
            ("[[person]]\nname='a'\ntoken=''", "no subject"),
            ("[[token-key]]\nkid='k'\nkey='ssh-rsa AAAA'", "the token-key k"),
            ("[[token-key]]\nkid=''\nkey='x'", "two keys for tokens"),
        ] {
            let error = People::read(text).expect_err("wrong");
            assert!(error.starts_with("could not read people.toml") && error.contains(part), "{error}");
        }
    }
}
