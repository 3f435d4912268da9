//! The values that the variables of a call may have: the commands that set them, and the words that use them.

use super::Gather;
use super::known_words::{
    ADDS_WORDS, CHANGES, DECLARES, LEADING, OTHER_HOMES, POSITIONS, READS_F, SETS, is_read_variable,
};
use super::limits::{BRACES_MAX, NUMBER, UNKNOWN, unknown_once};
use super::piece::Piece;
use crate::program::name_of;

/// Bytes of one value of a variable.
const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Variables that a shell sets by itself, to any text.
const OF_SHELL: &[&str] = &["_", "DIRSTACK", "FUNCNAME", "OLDPWD", "PWD", "REPLY"];
/// Variables that a call may set.
pub(super) const VARIABLES_MAX: usize = 2000;

impl Gather {
    /// The variables that a command sets to what is not known, the names of functions, and the words of one.
    pub(super) fn sets(&mut self, words: &[String]) {
        let begin = words.iter().position(|word| !LEADING.contains(&word.as_str())).unwrap_or(0);
        if let [each, name, rest @ ..] = &words[begin..]
            && matches!(each.as_str(), "for" | "select")
        {
            match rest {
                [of, values @ ..] if of == "in" => values.iter().for_each(|value| self.set(name, value)),
                _ => self.set_unknown(name),
            }
        }
        for word in words {
            self.is_other_home |= OTHER_HOMES.contains(&name_of(word)) || word == "HOME" || word == "-uHOME";
        }
        let mut rest = words.iter().skip_while(|word| self.is_before(word));
        let Some(first) = rest.next().map(String::as_str) else { return };
        let rest: Vec<&String> = rest.collect();
        let has_option =
            |letters: &[char]| rest.iter().any(|word| word.starts_with('-') && word.contains(letters));
        if SETS.contains(&first)
            || first == "printf" && has_option(&['v'])
            || DECLARES.contains(&first) && has_option(&['n', 'i', 'u', 'l', 'c'])
        {
            for word in &rest {
                word.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .for_each(|name| self.set_unknown(name));
            }
            ["REPLY", "MAPFILE", "OPTARG"].iter().for_each(|name| self.set_unknown(name));
        }
        if matches!(first, "." | "source")
            || first == "eval" && rest.iter().any(|word| word.contains(UNKNOWN))
        {
            self.is_open = true;
        }
        let is_computed = |word: &&String| word.split('=').next().is_some_and(|name| name.contains(UNKNOWN));
        if is_assigned(first) && rest.iter().any(is_computed) {
            self.is_open = true;
        }
        if first == "function" {
            self.functions.extend(rest.first().map(|name| (*name).clone()));
        }
        if first == "shift" {
            POSITIONS.iter().chain(&["@"]).for_each(|name| self.change(name, &UNKNOWN.to_string()));
        }
        if self.functions.contains(first) || first == "set" {
            let behind: Vec<String> =
                rest.iter().skip_while(|word| word.as_str() == "--").map(|word| (*word).clone()).collect();
            self.positions(&behind);
        }
        // `awk 'BEGIN { system("./" name) }'`
        let computes = |word: &String| ["system", "getline", "|", "@"].iter().any(|part| word.contains(part));
        if words.iter().any(|word| READS_F.contains(&name_of(word)) && word.ends_with("awk"))
            && words.iter().any(computes)
        {
            self.tell("programs and files that code for awk names");
        }
        if first == "shopt" && rest.iter().any(|word| word.contains("glob")) {
            self.tell("files that patterns take by an option of shopt");
        }
        if words.iter().any(|word| ADDS_WORDS.contains(&name_of(word))) && !self.is_inert(words) {
            self.tell("words that xargs or parallel adds to a command");
        }
    }

    /// The words behind the name of a function or a script, of which each may be any behind one that is not known.
    pub(super) fn positions(&mut self, words: &[String]) {
        let is_unknown = words.iter().any(|word| word.contains(UNKNOWN));
        for (name, word) in POSITIONS.iter().zip(words) {
            self.change(name, word);
        }
        words.iter().for_each(|word| self.change("@", word));
        if is_unknown {
            POSITIONS.iter().chain(&["@"]).for_each(|name| self.change(name, &UNKNOWN.to_string()));
        }
    }

    pub(super) fn assign(&mut self, key: &str, value: &str, is_added: bool, depth: usize) {
        if is_added {
            for before in self.values(key) {
                if self.is_full(before.len() + value.len()) {
                    return self.set_unknown(key);
                }
                self.set(key, &format!("{before}{value}"));
            }
        }
        if value == NUMBER && is_variable(key) {
            self.change(key, value);
        } else {
            self.set(key, value);
        }
        self.places(key, value);
        if is_read_variable(key) {
            self.word(value, true, depth);
            self.mark(key, value);
        }
    }

    pub(super) fn values(&self, name: &str) -> Vec<String> {
        self.env.get(name).into_iter().flatten().cloned().collect()
    }

    fn set(&mut self, name: &str, value: &str) {
        if is_variable(name) {
            self.change(name, &unknown_once(value));
        }
    }

    /// True where all values of a variable are numbers: to evaluate them runs nothing.
    pub(super) fn has_numbers(&self, name: &str) -> bool {
        let is_number = |value: &String| value == NUMBER || value.bytes().all(|byte| byte.is_ascii_digit());
        let values = self.env.get(name);
        let is_of_shell = name.starts_with("BASH") || OF_SHELL.contains(&name);
        !self.is_open
            && !is_of_shell
            && !self.inherited.contains(name)
            && values.is_some_and(|values| values.iter().all(is_number))
    }

    pub(super) fn set_unknown(&mut self, name: &str) {
        self.set(name, &UNKNOWN.to_string());
    }

    fn change(&mut self, name: &str, value: &str) {
        // `[ $X ]` splits such a value, and evaluates it.
        if value.contains("-v") && value.contains('[') && value.contains(['$', '`']) {
            self.construct("`-v` in a value");
        }
        let is_known = self.env.get(name).is_some_and(|values| values.contains(value));
        if is_known {
            return;
        }
        if self.env.len() >= VARIABLES_MAX && !self.env.contains_key(name) {
            return self.miss(&format!("more than {VARIABLES_MAX} variables"));
        }
        let is_full = value.len() > VALUE_BYTES_MAX || self.is_full(value.len());
        let values = self.env.entry(name.to_owned()).or_default();
        if is_full || values.len() >= BRACES_MAX {
            values.insert(UNKNOWN.to_string());
            self.miss(&if is_full {
                "values of variables that are too much to be read".to_owned()
            } else {
                format!("more than {BRACES_MAX} values of a variable")
            });
        } else {
            values.insert(value.to_owned());
        }
    }

    pub(super) fn variable(&mut self, inner: &str, word: &mut Piece, depth: usize) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end =
            inner.find(|c: char| !is_name(c)).unwrap_or(inner.len()).max(usize::from(inner.starts_with('@')));
        let (name, rest) = inner.split_at(end);
        // `${SCRIPT:-./deploy.sh}`, `${X:+$(./w.sh)}`
        let other = rest.trim_start_matches([':', '-', '=', '+', '?', '#', '%', '/', '^', ',', '@', '!']);
        let was_data = self.is_data;
        self.is_data |= !other.contains(['"', '\'']);
        for text in std::iter::once(other).chain(other.split_once('/').map(|(_, text)| text)) {
            if !text.is_empty() {
                self.texts(text, depth);
            }
        }
        self.is_data = was_data;
        let mut values = self.values(name);
        let is_set = !values.is_empty();
        values.retain(|value| !value.is_empty());
        let known = match name {
            "PWD" => Some("."),
            // `tool` knows where that is.
            "HOME" => Some("~"),
            // What stands beside it in a search path is looked at all the same.
            "PATH" => Some(""),
            _ => None,
        };
        if !is_set && known.is_none() && is_variable(name) {
            self.inherited.insert(name.to_owned());
        }
        if values.is_empty() || name == "HOME" && !self.given.contains("HOME") {
            values.extend(known.map(str::to_owned));
        }
        let is_position = !is_variable(name);
        // A value that is empty makes an end of a word that is not known, unless the step says so.
        let may_be_other = known.is_none()
            && (self.inherited.contains(name)
                || self.is_open && !is_position
                || values.is_empty() && !self.given.contains(name));
        let operator = rest.strip_prefix(':').unwrap_or(rest);
        match operator.chars().next() {
            Some(sign @ ('-' | '=' | '+' | '?')) => {
                let texts =
                    if sign == '?' { Vec::new() } else { self.words_of_default(&operator[1..], depth) };
                if sign == '=' {
                    texts.iter().for_each(|text| self.set(name, text));
                }
                values.extend(texts);
            }
            Some(sign) if CHANGES.contains(&sign) => values.push(UNKNOWN.to_string()),
            // `${X:2:3}`
            Some(_) => values.push(UNKNOWN.to_string()),
            None => {}
        }
        if may_be_other || values.is_empty() {
            values.push(UNKNOWN.to_string());
        }
        values.sort();
        values.dedup();
        self.fork(word, &values);
    }

    /// The words that the default of a variable stands for.
    fn words_of_default(&mut self, text: &str, depth: usize) -> Vec<String> {
        let text = text.trim_matches(['"', '\'']);
        let mut piece = Piece::default();
        let is_plain = !text.contains(['"', '\'']);
        if is_plain {
            self.quoted(&format!("{text}\""), &mut piece, depth);
        } else {
            piece.push(UNKNOWN);
        }
        piece.texts
    }
}

/// Commands that set a variable which a word names.
fn is_assigned(command: &str) -> bool {
    SETS.contains(&command)
        || DECLARES.contains(&command)
        || matches!(command, "export" | "readonly" | "printf")
}

pub(super) fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
