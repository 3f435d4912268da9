//! Sequences that make a terminal call a user who does not look at it; terminals differ. The caller provides
//! the text.

use serde::Deserialize;

/// The sequence a terminal knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notify {
    /// The sequence that this terminal is known to understand, if any.
    #[default]
    Auto,
    /// No sequence: the terminal stays silent.
    None,
    /// Sequence of `iTerm2`, `WezTerm` and Ghostty.
    Osc9,
    /// Sequence of the terminal kitty.
    Osc99,
    /// Sequence of foot, rxvt and VTE.
    Osc777,
}

impl Notify {
    /// The sequence of the terminal that these variables describe. Under a multiplexer there is none, since
    /// it passes nothing through.
    #[must_use]
    pub fn known(self, variable: impl Fn(&str) -> Option<String>) -> Self {
        if self != Self::Auto {
            return self;
        }
        let is_set = |name: &str| variable(name).is_some();
        let (term, program) =
            (variable("TERM").unwrap_or_default(), variable("TERM_PROGRAM").unwrap_or_default());
        if is_set("TMUX") || is_set("STY") {
            return Self::None;
        }
        if is_set("KITTY_WINDOW_ID") || term.contains("kitty") {
            return Self::Osc99;
        }
        if ["iTerm.app", "WezTerm", "ghostty"].contains(&program.as_str()) {
            return Self::Osc9;
        }
        let by_term = term.starts_with("foot") || term.starts_with("rxvt");
        if by_term || is_set("VTE_VERSION") { Self::Osc777 } else { Self::None }
    }

    /// The bytes for a text, which has no control characters and no separators any more.
    pub(super) fn bytes(self, text: &str) -> String {
        let plain: String =
            text.chars().filter(|c| !c.is_control()).map(|c| if c == ';' { ',' } else { c }).collect();
        match self {
            Self::Auto | Self::None => String::new(),
            Self::Osc9 => format!("\x1b]9;{plain}\x07"),
            Self::Osc99 => format!("\x1b]99;;{plain}\x1b\\"),
            Self::Osc777 => format!("\x1b]777;notify;cuelight;{plain}\x07"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_terminal_is_called_in_its_own_way_and_an_unknown_one_not_at_all() {
        for (set, how) in [
            ("TERM_PROGRAM=iTerm.app", Notify::Osc9),
            ("TERM=xterm-kitty", Notify::Osc99),
            ("TERM=foot-extra", Notify::Osc777),
            ("VTE_VERSION=7600", Notify::Osc777),
            ("TERM=xterm", Notify::None),
            ("TMUX=/tmp/x TERM_PROGRAM=iTerm.app", Notify::None),
        ] {
            let find = |name: &str| {
                set.split(' ')
                    .filter_map(|word| word.split_once('='))
                    .find(|halves| halves.0 == name)
                    .map(|halves| halves.1.to_owned())
            };
            assert_eq!(Notify::Auto.known(find), how, "{set}");
        }
        assert_eq!(Notify::None.known(|_| Some("xterm-kitty".to_owned())), Notify::None);
    }

    #[test]
    fn nothing_in_the_text_ends_the_sequence() {
        assert_eq!(Notify::Osc777.bytes("a;b\x07\x1b]0;c"), "\x1b]777;notify;cuelight;a,b]0,c\x07");
        assert_eq!(Notify::Auto.bytes("a"), "");
    }
}
