//! The form of names that others use: agents, projects, tokens, pieces of work.

/// The largest number of characters of a name.
const NAME_CHARS_MAX: usize = 128;
/// Characters of the type of an agent.
const TYPE_CHARS_MAX: usize = 64;

/// True if a text is a name of an agent, a project, a piece of work, or a token:
/// `^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}$`.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= NAME_CHARS_MAX
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

/// True if a text is a type of agents: `^[a-z][a-z0-9-]{0,63}$`.
pub fn is_agent_type(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= TYPE_CHARS_MAX
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// True if a text names an agent, or a session of one: `reviewer-1`, `reviewer-1/s2`.
pub fn is_agent(text: &str) -> bool {
    let (name, session) = text.split_once('/').map_or((text, None), |halves| (halves.0, Some(halves.1)));
    is_name(name) && session.is_none_or(is_name)
}
