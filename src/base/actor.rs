//! The actor who asks, and the proof of its identity. Stamped by the door a request came through, never taken
//! from the request.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A principal and the proof of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Actor {
    /// The name that people know: from `people.toml`, else the name of the OS user.
    pub name: String,
    /// The proof of identity. Two names with one proof are one person.
    pub proof: Proof,
    /// Groups at that time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The door that the request came through.
    pub channel: Channel,
}

impl Actor {
    /// The id that counts as one person: the proof, not the name.
    pub fn principal(&self) -> String {
        match &self.proof {
            Proof::OsUser(uid) => format!("uid:{uid}"),
            Proof::Token(proof) => proof.principal(),
            Proof::Key(key) => format!("key:{key}"),
            Proof::Signature(signature) => signature.person.clone(),
            Proof::Schedule(_) | Proof::Engine => "engine".to_owned(),
        }
    }

    /// The proof of a touched security key.
    pub fn touch(&self) -> Option<Touch> {
        match &self.proof {
            Proof::Signature(signature) => signature.touch,
            Proof::OsUser(_) | Proof::Token(_) | Proof::Key(_) | Proof::Schedule(_) | Proof::Engine => None,
        }
    }

    /// True when a principal is this actor, or could have made its request.
    pub fn is_or_may_be(&self, principal: &str) -> bool {
        self.principal() == principal || self.maker().is_some_and(|maker| maker == principal)
    }

    /// The OS user who could have made this request, and the way: the owner of a workspace can make an
    /// agent's token or write a schedule.
    pub fn made(&self) -> Option<(String, &'static str)> {
        match &self.proof {
            Proof::Token(proof) => proof.maker.clone().zip(Some("with a token that you can make")),
            Proof::Schedule(owner) => {
                Some((format!("uid:{owner}"), "by a schedule whose file you can write"))
            }
            Proof::OsUser(_) | Proof::Key(_) | Proof::Signature(_) | Proof::Engine => None,
        }
    }

    /// The principal of the OS user who made it, alone.
    pub fn maker(&self) -> Option<String> {
        self.made().map(|pair| pair.0)
    }

    /// The project that things made by this actor belong to; none for the workspace's own.
    pub fn project(&self) -> Option<&str> {
        match &self.proof {
            Proof::Token(proof) => proof.project.as_deref(),
            Proof::OsUser(_) | Proof::Key(_) | Proof::Signature(_) | Proof::Schedule(_) | Proof::Engine => {
                None
            }
        }
    }

    /// Why nothing that this one says is a person's judgement, if it is none.
    pub fn decides_nothing(&self) -> Option<&'static str> {
        match &self.proof {
            _ if self.channel == Channel::Step => Some(
                "cuelight takes this program for a step, and a step decides nothing. Causes: a step started it or the engine, it has \
                 ended, it runs in a container, or `ssh -L` forwards it. Answer from your own terminal; `cuelight doctor` \
                 says whether that counts as a step",
            ),
            _ if self.channel == Channel::Mcp => {
                Some("what agents ask over MCP decides nothing; answer from a terminal of your own")
            }
            Proof::Token(proof) if proof.person.is_none() => {
                Some("the token of an agent decides nothing; a person answers, in their own name")
            }
            Proof::Token(_)
            | Proof::OsUser(_)
            | Proof::Key(_)
            | Proof::Signature(_)
            | Proof::Schedule(_)
            | Proof::Engine => None,
        }
    }

    /// The engine itself, for what follows from rules and time.
    pub fn engine() -> Self {
        Self { name: "engine".to_owned(), proof: Proof::Engine, groups: Vec::new(), channel: Channel::Engine }
    }
}

/// The name, as people read it: what a program of a step or an agent says under the name of the user it runs as is not
/// that person's word.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.channel {
            Channel::Step => f.pad(&format!("a step (as {})", self.name)),
            Channel::Mcp => f.pad(&format!("an agent (as {})", self.name)),
            Channel::Console
            | Channel::Command
            | Channel::Socket
            | Channel::Http
            | Channel::Schedule
            | Channel::Engine => f.pad(&self.name),
        }
    }
}

/// The proof of identity of an actor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The OS user at the other end of the socket, or the owner of this process, as the kernel told.
    OsUser(u32),
    /// A token, signed by a key that is known.
    Token(Box<Token>),
    /// The fingerprint of a key.
    Key(String),
    /// A signature over the answer itself, made wherever the key is.
    Signature(Box<Signature>),
    /// Nobody: a schedule, in a workspace of this OS user, who can write its file.
    Schedule(u32),
    /// Nobody: rules and time.
    Engine,
}

/// The claims of a token that were checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Token {
    /// Its own id (`jti`), by which it can be revoked.
    pub id: String,
    /// The subject of the token (`sub`).
    pub subject: String,
    /// The key that signed it (`kid`).
    pub key: String,
    /// The principal of the person that `people.toml` names for the subject; none for an agent, who decides
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The principal that could have made it: it can read the signing secret, or add the signing key to this
    /// workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<String>,
    /// The project it is for, where that is not the workspace's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

impl Token {
    fn principal(&self) -> String {
        let project = self.project.as_deref().unwrap_or_default();
        self.person.clone().unwrap_or_else(|| format!("token:{project}/{}", self.subject))
    }
}

/// A statement and its signature, kept so that an auditor can check them without cuelight.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signature {
    /// The principal of the person: the same for each of their keys, and without a key.
    pub person: String,
    /// The fingerprint of the key.
    pub key: String,
    /// The signed text: a statement of the engine.
    pub statement: String,
    /// The signature, as `ssh-keygen -Y sign` writes it.
    pub armored: String,
    /// The proof of a person's touch, where a security key has signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touch: Option<Touch>,
}

/// The proof that a person was at a security key when it signed: no program can give it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Touch {
    /// Somebody touched the security key.
    Touched,
    /// Somebody touched it, and was verified by it: by a PIN or a finger.
    Verified,
}

impl Touch {
    /// `touched`, `touched, user verified`
    pub const fn words(self) -> &'static str {
        match self {
            Self::Touched => "touched",
            Self::Verified => "touched, user verified",
        }
    }
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
    /// The socket, from a program that a step has started, or that cannot be told from one: it may ask and
    /// tell, and decides nothing.
    Step,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_a_step_or_an_agent_is_never_shown_as_the_person_it_runs_as() {
        let through =
            |channel| Actor { name: "mira".to_owned(), proof: Proof::OsUser(1), groups: Vec::new(), channel };
        assert_eq!(through(Channel::Step).to_string(), "a step (as mira)");
        assert_eq!(through(Channel::Mcp).to_string(), "an agent (as mira)");
        for channel in [Channel::Console, Channel::Command, Channel::Socket, Channel::Http] {
            assert_eq!(through(channel).to_string(), "mira");
        }
    }
}
