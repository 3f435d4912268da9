//! Braces in a word: alternatives and ranges in their plain forms.

use super::{CONSTRUCT_BYTES_MAX, Judge, PLAIN, SHOWN_CHARS_MAX};
use crate::named::brace_words::braces;
use crate::named::plain_form::{is_of_name, is_plain_range};
use crate::named::variable::is_variable as is_name;

impl Judge<'_> {
    /// Behind a brace in a word.
    pub(super) fn brace(&mut self, before: &str, is_value: bool) {
        let rest = self.rest();
        if before.is_empty() && self.is_reserved("") {
            return;
        }
        let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || PLAIN.contains(c));
        let near = rest.len().min(CONSTRUCT_BYTES_MAX);
        let near = &rest.as_bytes()[..near];
        let first = near.iter().position(|byte| *byte == b'}').map(|end| &rest[..end]);
        let is_behind_variable = before.trim_end_matches(is_of_name).ends_with('$');
        let (group, is_understood) = match braces(rest) {
            Some((group, _)) => {
                let plain = group.replace(['{', '}'], "");
                let is_range = !group.contains("..") || is_plain_range(group);
                let is_understood =
                    is_plain(&plain) && is_range && !is_value && !is_behind_variable && self.is_bash;
                (Some(group), is_understood)
            }
            None => (
                first,
                first.is_some_and(|text| is_plain(text) && !text.contains([',']) && !text.contains("..")),
            ),
        };
        let is_descriptor = |group: &str| {
            before.is_empty() && is_name(group) && rest[group.len() + 1..].starts_with(['<', '>'])
        };
        match group {
            Some(group) if is_understood && !is_descriptor(group) => self.at += group.len() + 1,
            _ => {
                let is_end = |c: &char| c.is_whitespace() || "}'\"".contains(*c);
                let shown: String = rest.chars().take(SHOWN_CHARS_MAX).take_while(|c| !is_end(c)).collect();
                self.tell(&format!("`{{{}`", shown.trim_end_matches('`')));
            }
        }
    }
}
