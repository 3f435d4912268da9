//! Regular expressions, typed after a `~`; a lower-case one matches any case. An error is reported in a few
//! words while the pattern is typed. Time is linear in the text, and a pattern that would take much memory is
//! refused.

use regex::{Regex, RegexBuilder};

/// Stands before a regular expression, in `/` as in `&`.
pub(super) const PATTERN_SIGN: char = '~';
/// Bytes that a pattern may take in memory.
const BYTES_MAX: usize = 1024 * 1024;

/// A search in one text: a word in any case, or a pattern after its sign.
#[derive(Clone, Debug)]
pub(super) enum Sought {
    /// A word, in lower case.
    Word(String),
    /// A pattern typed after `~`.
    Like(Pattern),
}

impl Sought {
    /// Reads what was typed.
    ///
    /// # Errors
    /// Why its pattern is none.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix(PATTERN_SIGN).filter(|rest| !rest.is_empty()) {
            Some(pattern) => Pattern::parse(pattern).map(Self::Like),
            None => Ok(Self::Word(text.to_lowercase())),
        }
    }

    /// Returns true if the text contains a match.
    pub(super) fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Word(word) => text.to_lowercase().contains(word),
            Self::Like(pattern) => pattern.is_in(text),
        }
    }

    /// True if a name contains all letters of the word in order, with others between: `chkfrd` in
    /// `check_fraud`. Used when no name contains the word itself.
    pub(super) fn is_near(&self, name: &str) -> bool {
        match self {
            Self::Like(_) => false,
            Self::Word(word) => {
                let mut letters = name.chars().flat_map(char::to_lowercase);
                word.len() > 1 && word.chars().all(|wanted| letters.any(|letter| letter == wanted))
            }
        }
    }
}

/// A regular expression, as it was typed.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// Reads what stands behind the sign.
    ///
    /// # Errors
    /// Why it is no pattern: `unclosed group`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let build = RegexBuilder::new(text)
            .case_insensitive(!text.chars().any(char::is_uppercase))
            .size_limit(BYTES_MAX)
            .dfa_size_limit(BYTES_MAX)
            .build();
        build.map(|regex| Self { regex }).map_err(|error| why(&error))
    }

    /// Returns true if the text contains a match.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The matches as byte ranges, start and end; empty matches are left out.
    pub(super) fn places(&self, text: &str) -> Vec<(usize, usize)> {
        let found = self.regex.find_iter(text).filter(|hit| !hit.is_empty());
        found.map(|hit| (hit.start(), hit.end())).collect()
    }
}

/// The last line of what the library says: the reason, without the drawing above it.
fn why(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        error => {
            let text = error.to_string();
            let line = text.lines().last().unwrap_or_default();
            line.trim().trim_start_matches("error: ").to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_small_for_any_case_and_says_where_it_is() {
        let pattern = Pattern::parse(r"shard_\d+").expect("a pattern");
        assert!(pattern.is_in("SHARD_7 slow") && !pattern.is_in("shard_x"));
        assert_eq!(pattern.places("a shard_7 b SHARD_12"), [(2, 9), (12, 20)]);
        assert!(!Pattern::parse("Shard").expect("a pattern").is_in("shard"));
        assert!(Pattern::parse("x*").expect("a pattern").places("aaa").is_empty());
    }

    #[test]
    fn a_name_is_near_a_word_whose_letters_it_has_in_order() {
        let near = |word: &str, name: &str| Sought::parse(word).expect("readable").is_near(name);
        assert!(near("chkfrd", "Check_Fraud") && !near("frdchk", "check_fraud"));
        assert!(!near("~c.*f", "check_fraud") && !near("c", "check"));
        assert!(Sought::parse("~^load.[0-9]").expect("readable").is_in("load[7]"));
    }

    #[test]
    fn what_is_no_pattern_is_told_in_a_few_words() {
        let why = |text: &str| Pattern::parse(text).expect_err("no pattern");
        assert_eq!(why("load[0-9"), "unclosed character class");
        assert_eq!(why("(a"), "unclosed group");
        assert_eq!(why("*"), "repetition operator missing expression");
        assert_eq!(why("(?:a{1000}){1000}"), "it is too large");
    }
}
