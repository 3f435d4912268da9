//! Search in lines of output: `/` marks matches, `&` hides all other lines. A lower-case word matches any
//! case; `~` precedes a regular expression; `!` before either inverts it. `level:warn` and `source:engine`
//! come before them.

use super::{
    level::LogLevel,
    lines::{LogLine, Voice},
};
use crate::pattern::{PATTERN_SIGN, Pattern};
use cuelight_base::bytes_without_sgr;

/// A filter of lines outside of the console, with the rules of `&`: a lower-case word matches any case, `~` precedes
/// a regular expression, `!` inverts, `level:warn` stands before them.
#[derive(Clone, Debug, Default)]
pub struct LineFilter(Needle);

impl LineFilter {
    /// Reads a filter as it was typed.
    ///
    /// # Errors
    /// The mistake in its pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        let needle = Needle::filter(text)?;
        if needle.is_empty() { Err("the filter is empty".to_owned()) } else { Ok(Self(needle)) }
    }

    /// True if the filter shows a line of a step; the line comes without its end.
    pub fn shows(&self, line: &[u8]) -> bool {
        self.0.fits_text(line, LogLevel::of(line), None)
    }
}

/// A search in lines of output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needle {
    /// The word or the pattern, without its sign.
    pub text: String,
    inverted: bool,
    /// Only lines that are at least so grave.
    least: Option<LogLevel>,
    /// Only lines of these, as they were typed; a `!` before them for all others.
    sources: Option<String>,
    pattern: Option<Pattern>,
}

/// Stand before a field of a filter: `level:warn`, `source:engine,gates`.
const LEAST: &str = "level:";
const SOURCE: &str = "source:";
/// The word for what steps wrote, beside those of the voices.
const STEPS: &str = "steps";

impl Needle {
    /// A search for the text of a pattern.
    ///
    /// # Errors
    /// The mistake in its pattern.
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        Self::default().with_text(text)
    }

    /// A filter: fields first, then `!` before the text for what does not match it.
    ///
    /// # Errors
    /// The mistake in its pattern, or in a field.
    pub(crate) fn filter(text: &str) -> Result<Self, String> {
        let (mut needle, mut rest) = (Self::default(), text.trim_start());
        loop {
            let (first, after) = rest.split_once(' ').unwrap_or((rest, ""));
            if let Some(least) = first.strip_prefix(LEAST).and_then(LogLevel::named) {
                needle.least = Some(least);
            } else if let Some(names) = first.strip_prefix(SOURCE).filter(|rest| !rest.is_empty()) {
                known_sources(names)?;
                needle.sources = Some(names.to_owned());
            } else {
                break;
            }
            rest = after.trim_start();
        }
        let bare = rest.strip_prefix('!');
        needle.inverted = bare.is_some();
        needle.with_text(bare.unwrap_or(rest))
    }

    fn with_text(mut self, text: &str) -> Result<Self, String> {
        if let Some(pattern) = text.strip_prefix(PATTERN_SIGN).filter(|rest| !rest.is_empty()) {
            self.pattern = Some(Pattern::parse(pattern)?);
        }
        text.clone_into(&mut self.text);
        Ok(self)
    }

    /// The same filter for warnings and worse, then for errors, then for all.
    pub(super) fn next_level(&self) -> Self {
        let least = match self.least {
            None | Some(LogLevel::Debug | LogLevel::Info) => Some(LogLevel::Warn),
            Some(LogLevel::Warn) => Some(LogLevel::Error),
            Some(LogLevel::Error) => None,
        };
        Self { least, ..self.clone() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.least.is_none() && self.sources.is_none()
    }

    /// True if the search is case-sensitive, because it contains a capital.
    pub(super) fn is_exact(&self) -> bool {
        self.text.chars().any(char::is_uppercase)
    }

    /// The regular expression, when it is one.
    pub(crate) const fn pattern(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    /// As it was typed.
    pub(crate) fn typed(&self) -> String {
        let least = self.least.map_or_else(String::new, |level| format!("{LEAST}{} ", level.word()));
        let sources = self.sources.as_ref().map_or_else(String::new, |sources| format!("{SOURCE}{sources} "));
        let sign = if self.inverted { "!" } else { "" };
        format!("{least}{sources}{sign}{}", self.text).trim_end().to_owned()
    }

    /// Returns true if a line of this voice matches. Lines of steps have no voice.
    pub(crate) fn fits(&self, line: &LogLine, voice: Option<Voice>) -> bool {
        line.gap.is_none() && self.fits_text(&line.bytes, line.level, voice)
    }

    fn fits_text(&self, line: &[u8], level: LogLevel, voice: Option<Voice>) -> bool {
        if self.is_empty() || self.least.is_some_and(|least| level < least) || !self.hears(voice) {
            return false;
        }
        self.text.is_empty() || self.is_in(line) != self.inverted
    }

    /// True if the text or the pattern stands in a line, as people read it: without colours.
    pub(super) fn is_in(&self, line: &[u8]) -> bool {
        let line = bytes_without_sgr(line);
        let text = String::from_utf8_lossy(&line);
        match &self.pattern {
            Some(pattern) => pattern.is_in(&text),
            None if self.is_exact() => text.contains(&self.text),
            None => text.to_lowercase().contains(&self.text),
        }
    }

    fn hears(&self, voice: Option<Voice>) -> bool {
        let Some(names) = &self.sources else { return true };
        let (inverted, names) = names.strip_prefix('!').map_or((false, names.as_str()), |rest| (true, rest));
        names.split(',').any(|name| name == voice.map_or(STEPS, Voice::word)) != inverted
    }
}

fn known_sources(names: &str) -> Result<(), String> {
    let known = |name: &str| name == STEPS || Voice::ALL.iter().any(|voice| voice.word() == name);
    match names.trim_start_matches('!').split(',').find(|name| !name.is_empty() && !known(name)) {
        None => Ok(()),
        Some(name) => Err(format!("there is no source {name:?}; there are engine, gates, agents and steps")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(filter: &str, line: &str, voice: Option<Voice>) -> bool {
        let bytes = line.as_bytes().to_vec();
        let line = LogLine { level: LogLevel::of(&bytes), bytes, ..LogLine::default() };
        Needle::filter(filter).expect("a filter").fits(&line, voice)
    }

    #[test]
    fn fields_and_text_of_a_filter_are_read_and_told_again() {
        for typed in ["level:warn", "level:error source:engine !~load_\\d", "source:!gates x y", "~a b", "!x"]
        {
            assert_eq!(Needle::filter(typed).expect("a filter").typed(), typed);
        }
        assert!(fits("source:engine", "x", Some(Voice::Engine)) && !fits("source:engine", "x", None));
        assert!(fits("source:!engine", "x", None) && fits("source:steps,gates", "x", Some(Voice::Gates)));
        assert!(fits("level:error ~shard_[0-9]+", "ERROR in shard_7", None));
        assert!(!fits("level:error ~shard_[0-9]+", "ok in shard_7", None));
        assert!(fits("!~^ok", "not ok", None) && !fits("!~^ok", "OK so", None));
        assert!(fits("~", "a ~ b", None), "the sign alone is a word");
        assert!(
            fits("level:error no route", "\u{1b}[1;31mERROR\u{1b}[0m no \u{1b}[4mroute", None),
            "colours"
        );
    }

    #[test]
    fn what_cannot_be_looked_for_is_told() {
        assert_eq!(Needle::of("~(").expect_err("no pattern"), "unclosed group");
        let why = Needle::filter("source:gate").expect_err("no source");
        assert!(why.contains("engine, gates, agents and steps"), "{why}");
    }
}
