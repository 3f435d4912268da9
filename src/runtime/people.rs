//! Who is who: `people.toml` names the people of a workspace, the OS user that proves each, and their groups.
//!
//! It only turns a proof into a name. Whether somebody may decide is judged by the engine.

use crate::{
    engine::{Actor, Channel, Proof},
    tool::is_of_a_step,
};
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

/// The people of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    persons: BTreeMap<u32, Person>,
    os_names: BTreeMap<u32, String>,
}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    name: String,
    uid: u32,
    #[serde(default)]
    groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    person: Vec<Person>,
}

impl People {
    /// Reads `people.toml`: `[[person]]` with `name`, `uid` and `groups`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(text: &str) -> Result<Self, String> {
        let said = |why: String| format!("could not read people.toml: {why}");
        let file: File = toml::from_str(text).map_err(|error| said(error.to_string()))?;
        let mut people = Self::default();
        for person in file.person {
            let name = person.name.trim().to_owned();
            if name.is_empty() || people.persons.values().any(|it| it.name == name) {
                return Err(said(format!(
                    "two people are called {name:?}; every name stands once, and is not empty"
                )));
            }
            let uid = person.uid;
            if let Some(other) = people.persons.insert(uid, Person { name, ..person }) {
                return Err(said(format!(
                    "uid {uid} proves {} and another; one user is one person",
                    other.name
                )));
            }
        }
        Ok(people)
    }

    /// What the system calls a user who is not in the file.
    #[must_use]
    pub fn with_os_name(mut self, uid: u32, name: &str) -> Self {
        self.os_names.insert(uid, name.to_owned());
        self
    }

    /// The person an OS user is. Nobody who is not in the file goes by the name of somebody who is.
    pub fn actor(&self, uid: u32, channel: Channel) -> Actor {
        let (name, groups) = match self.persons.get(&uid) {
            Some(person) => (person.name.clone(), person.groups.clone()),
            None => {
                let own = self.os_names.get(&uid).filter(|it| !self.is_named(it));
                (own.cloned().unwrap_or_else(|| format!("uid {uid}")), Vec::new())
            }
        };
        Actor { name, proof: Proof::OsUser(uid), groups, channel }
    }

    /// Who this process is, or one at the other end of a socket: where a step of this workspace has started it, its door is
    /// that of steps, whatever it says.
    pub fn actor_of(&self, uid: u32, pid: Option<u32>, channel: Channel, root: &Path) -> Actor {
        let of_a_step = pid.is_some_and(|it| is_of_a_step(root, it));
        self.actor(uid, if of_a_step { Channel::Step } else { channel })
    }

    /// Everybody in the file, with their groups.
    pub fn groups(&self) -> BTreeMap<String, Vec<String>> {
        self.persons.values().map(|it| (it.name.clone(), it.groups.clone())).collect()
    }

    fn is_named(&self, name: &str) -> bool {
        self.persons.values().any(|it| it.name == name)
    }
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
        ] {
            let error = People::read(text).expect_err("wrong");
            assert!(error.starts_with("could not read people.toml") && error.contains(part), "{error}");
        }
    }
}
