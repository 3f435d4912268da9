//! Rules for agents that are started over HTTP, and the variables that a caller may set for them.

use crate::{Permission, TOKEN_LIFE_DEFAULT};
use cuelight_base::Span;

/// Agents of one type that may be open in a project when nothing is said.
const AT_MOST: usize = 16;

/// Variables that only we set.
const OURS: &[&str] =
    &["AGENT_ID", "AGENT_TYPE", "ISSUE_ID", "PROJECT_ID", "SIDECAR_URL", "JWT_TOKEN", "TRACEPARENT"];
/// Letters of the name of a variable, as the API takes them.
const VARIABLE_CHARS_MAX: usize = 128;
/// Prefixes of the variables that only we set.
const OUR_PREFIXES: &[&str] = &["CUELIGHT_", "GITHUB_", "DAGU_"];
/// Variables by which a program is made to do something else than it is: what is loaded into it, where it finds others, whom it trusts.
const STEERING: &[&str] = &[
    "PATH",
    "HOME",
    "SHELL",
    "USER",
    "LOGNAME",
    "IFS",
    "ENV",
    "BASHOPTS",
    "SHELLOPTS",
    "PS4",
    "CDPATH",
    "PROMPT_COMMAND",
    "TMPDIR",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "BROWSER",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "CLASSPATH",
    "_JAVA_OPTIONS",
    "CURL_HOME",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
];
/// The same by what their names begin with.
const STEERING_PREFIXES: &[&str] = &[
    "LD_", "DYLD_", "GLIBC_", "MALLOC_", "BASH_", "ZDOTDIR", "NODE_", "NPM_", "DENO_", "BUN_", "PYTHON",
    "PIP_", "PERL", "RUBY", "GEM_", "BUNDLE_", "LUA_", "PHP", "JAVA_", "JDK_", "GIT_", "SSH_", "SSL_",
    "XDG_", "CARGO_", "RUST", "GO", "DOTNET_", "LESS",
];

/// Rules of a workspace for agents of one type that are started over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnRule {
    /// True if people are asked before one starts.
    pub gate: bool,
    /// Groups that must agree, each with its number of people; anybody when it is empty.
    pub require: Vec<(String, u32)>,
    /// True if the requester may not answer.
    pub four_eyes: bool,
    /// Permissions of its token.
    pub permissions: Vec<Permission>,
    /// Lifetime of its token.
    pub token_life: Span,
    /// Variables that the caller may set: without a gate these alone, at a gate also those that steer programs.
    pub environment: Vec<String>,
    /// Limit of agents that wait or run at once in a project.
    pub at_most: usize,
}

impl Default for SpawnRule {
    fn default() -> Self {
        Self {
            gate: true,
            require: Vec::new(),
            four_eyes: false,
            permissions: Permission::OF_AGENTS.to_vec(),
            token_life: TOKEN_LIFE_DEFAULT,
            environment: Vec::new(),
            at_most: AT_MOST,
        }
    }
}

impl SpawnRule {
    /// True if no request can set this variable: only we set it, or it is no valid name. No setting changes
    /// that.
    pub fn is_never_set(name: &str) -> bool {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_name = name.len() <= VARIABLE_CHARS_MAX
            && name.chars().all(is_plain)
            && name.starts_with(|c: char| !c.is_ascii_digit());
        !is_name || OURS.contains(&name) || OUR_PREFIXES.iter().any(|our_prefix| name.starts_with(our_prefix))
    }

    /// Why this variable may not be set for an agent of this type, if it may not: the end of a sentence.
    pub(super) fn refusal(&self, agent_type: &str, name: &str) -> Option<String> {
        let upper = name.to_ascii_uppercase();
        let steers = STEERING.contains(&upper.as_str())
            || STEERING_PREFIXES.iter().any(|steering_prefix| upper.starts_with(steering_prefix))
            || upper.ends_with("_PROXY");
        if Self::is_never_set(name) {
            return Some("cuelight sets it itself".to_owned());
        }
        if self.environment.iter().any(|text| text == name) {
            return None;
        }
        let why = match (self.gate, steers) {
            (_, true) => "it changes what programs do",
            (false, false) => "nobody is asked before this agent starts",
            (true, false) => return None,
        };
        Some(format!("{why}; `environment` of `[spawn.{agent_type}]` in config.toml allows it"))
    }
}
