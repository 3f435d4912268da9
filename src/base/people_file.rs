//! The ways to make a `people.toml` count, for every message that asks for one.

/// The next step for a `people.toml` that is neither signed nor root's own.
pub const MAKE_PEOPLE_COUNT: &str = "run `ssh-keygen -Y sign -n cuelight-people -f KEY .cuelight/people.toml` with a key of \
     /etc/cuelight/people-signers, or `sudo chown root .cuelight/people.toml && sudo chmod 644 .cuelight/people.toml`";

/// The reason why no group counts, and the next step.
pub fn groups_do_not_count() -> String {
    format!(
        "groups count only when people.toml is signed, or when only root can write it; this one is self-declared: \
         {MAKE_PEOPLE_COUNT}"
    )
}

/// The reason why no key counts, and the next step.
pub fn keys_do_not_count() -> String {
    format!(
        "keys count only when people.toml is signed, or when only root can write it; otherwise its owner could enter a \
         key of their own under another name: {MAKE_PEOPLE_COUNT}"
    )
}
