//! Who asks, and how that is known. Stamped by the door a request came through, never taken from what was sent.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A principal and the proof of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Actor {
    /// The name that people know: from `people.toml`, else the name of the OS user.
    pub name: String,
    /// How it is known. Two names with one proof are one person.
    pub proof: Proof,
    /// Groups at that time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The door.
    pub channel: Channel,
}

impl Actor {
    /// What counts as one person: the proof, not the name.
    pub fn principal(&self) -> String {
        match &self.proof {
            Proof::OsUser(uid) => format!("uid:{uid}"),
            Proof::Token(subject) => format!("token:{subject}"),
            Proof::Key(key) => format!("key:{key}"),
            Proof::Signature(it) => it.person.clone(),
            Proof::Engine => "engine".to_owned(),
        }
    }

    /// The engine itself, for what follows from rules and time.
    pub fn engine() -> Self {
        Self { name: "engine".to_owned(), proof: Proof::Engine, groups: Vec::new(), channel: Channel::Engine }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

/// How an actor is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The kernel said which OS user is at the other end of the socket, or owns this process.
    OsUser(u32),
    /// The subject of a token.
    Token(String),
    /// The fingerprint of a key.
    Key(String),
    /// A signature over the answer itself, made wherever the key is.
    Signature(Box<Signature>),
    /// Nobody: rules and time.
    Engine,
}

/// What somebody has signed with a key of their own, kept so that an auditor can check it without us.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signature {
    /// What counts as one person, whichever of their keys they use, or none.
    pub person: String,
    /// The fingerprint of the key.
    pub key: String,
    /// What was signed: a [`crate::engine::Statement`].
    pub statement: String,
    /// The signature, as `ssh-keygen -Y sign` writes it.
    pub armored: String,
}

/// The door a request came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Channel {
    Console,
    Command,
    Socket,
    Http,
    Mcp,
    Schedule,
    Engine,
    /// The socket, from a program that a step has started: it may ask and tell, and decides nothing.
    Step,
}
