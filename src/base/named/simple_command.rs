//! Commands of a shell that change how the rest of a text is read, or variables in a way that the reader of names does not follow.

use super::known_words::{DECLARES, SETS};
use super::understood::Word;
use crate::program::name_of;

/// Letters of `set` that change nothing that is read.
const SET_LETTERS: &str = "CETabefhmuvx";
pub(super) const SET_NAMES: &[&str] =
    &["allexport", "errexit", "errtrace", "noclobber", "noglob", "nounset", "pipefail", "verbose", "xtrace"];
/// Commands that are told wherever they stand.
const TOLD: &[&str] =
    &["alias", "bind", "compgen", "complete", "compopt", "coproc", "enable", "fc", "hash", "let", "shopt"];
/// Variables whose value bash evaluates when it is set.
const NUMBERS: &[&str] = &["HISTCMD", "OPTIND", "RANDOM", "SRANDOM"];

/// The construct of a command that is not certainly understood, if it is one.
pub(super) fn construct_of(words: &[Word], is_bash: bool) -> Option<String> {
    let begin = words.iter().position(|word| word.assigns.is_none()).unwrap_or(words.len());
    let (assigned, words) = words.split_at(begin);
    let name = words.first().map_or("", |word| word.text.as_str());
    let operands = words.get(1..).unwrap_or_default();
    let has_letters = |letters: &[char]| {
        let is_of = |word: &&Word| word.text.starts_with(['-', '+']) && word.text.contains(letters);
        operands.iter().find(is_of).map(|word| format!("`{name} {}`", word.text))
    };
    let splits = |word: &Word| word.assigns.as_deref() == Some("IFS");
    let is_split = assigned.iter().any(splits) && name != "read"
        || (DECLARES.contains(&name) || ["export", "readonly"].contains(&name))
            && operands.iter().any(splits)
        || (SETS.contains(&name) || name == "for") && operands.iter().any(|word| word.text == "IFS");
    if is_split {
        return Some("`IFS`".to_owned());
    }
    let computes = |word: &&Word| {
        let value = word.text.split_once('=').map_or("", |halves| halves.1);
        let key = word.assigns.as_deref().filter(|key| NUMBERS.contains(key));
        key.is_some() && !value.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut all = assigned.iter().chain(operands);
    if let Some(key) = all.find(computes).and_then(|word| word.assigns.as_ref()) {
        return Some(format!("`{key}`"));
    }
    if has_computed_script(words) {
        return Some("`sed`".to_owned());
    }
    match name {
        name if TOLD.contains(&name) => Some(format!("`{name}`")),
        "function" | "select" if !is_bash => Some(format!("`{name}` in a text of sh")),
        "set" if !is_plain_set(operands) => Some("`set`".to_owned()),
        "printf" => has_letters(&['v'])
            .filter(|told| told.starts_with("`printf -v"))
            .map(|_| "`printf -v`".to_owned()),
        "wait" => has_letters(&['p']),
        "[" | "test" => tests(operands).then(|| "`test -v`".to_owned()),
        "declare" | "typeset" | "local" | "readonly" | "export" if has_letters(&['n', 'i']).is_some() => {
            has_letters(&['n', 'i'])
        }
        name if is_named_by(name) && operands.iter().any(is_computed) => {
            Some(format!("`{name}` of a computed name"))
        }
        "mapfile" | "readarray" if has_letters(&['C']).is_some() => has_letters(&['C']),
        "read" | "mapfile" | "readarray" => operands
            .iter()
            // A name may stand at the letter of its option.
            .find(|word| {
                word.text.starts_with('-') && word.text[1..].contains('a') && !word.text.ends_with('a')
            })
            .map(|word| format!("`{name} {}`", word.text)),
        "command" | "builtin" => {
            let word = operands.iter().find(|word| !word.text.starts_with('-'))?;
            let is_known = |names: &[&str]| names.contains(&word.text.as_str());
            let changes = is_known(SETS) || is_known(DECLARES) || is_known(TOLD);
            let changes =
                changes || is_known(&["eval", "export", "printf", "readonly", "set", "shift", "trap"]);
            let asks = operands.first().is_some_and(|word| word.text.eq_ignore_ascii_case("-v"));
            (changes && !asks).then(|| format!("`{name} {}`", word.text))
        }
        _ => None,
    }
}

/// `sed $S in`: the values of the variable may be words of any kind.
fn has_computed_script(words: &[Word]) -> bool {
    let Some(at) = words.iter().position(|word| ["sed", "gsed"].contains(&name_of(&word.text))) else {
        return false;
    };
    let (mut options, mut is_script, mut has_script) = (words[at + 1..].iter(), false, false);
    options.any(|word| {
        let is_option = !is_script && word.text.len() > 1 && word.text.starts_with('-');
        let is_computed = !is_option && !has_script && !word.is_literal && word.text.starts_with(['$', '`']);
        has_script |= !is_option;
        is_script = is_option && ["-e", "--expression"].contains(&word.text.as_str());
        if is_script {
            has_script = false;
        }
        is_computed
    })
}

/// Commands whose operands name variables; the index in such a name is evaluated.
fn is_named_by(name: &str) -> bool {
    SETS.contains(&name) || DECLARES.contains(&name) || ["readonly", "export"].contains(&name)
}

fn is_computed(word: &Word) -> bool {
    let name = word.text.split('=').next().unwrap_or_default();
    word.assigns.is_none() && name.contains(['[', '$', '`'])
}

/// `-v` of a name that is not written as it is, or an operator that is computed.
fn tests(operands: &[Word]) -> bool {
    let is_name = |word: &Word| word.is_literal && !word.text.contains('[');
    let is_text = |word: &Word| ["]", "-a", "-o", "&&"].contains(&word.text.as_str());
    operands.iter().enumerate().any(|(at, word)| {
        let next = operands.get(at + 1);
        let starts = at == 0 || ["!", "(", "-a", "-o"].contains(&operands[at - 1].text.as_str());
        let is_operator =
            starts && !word.is_literal && next.is_some_and(|word| word.text.contains(['[', '$']));
        let is_operator = is_operator && operands.get(at + 2).is_none_or(is_text);
        is_operator || word.text == "-v" && next.is_some_and(|word| !is_name(word))
    })
}

/// `set -euo pipefail`
fn is_plain_set(operands: &[Word]) -> bool {
    let mut is_name = false;
    operands.iter().all(|word| {
        if std::mem::take(&mut is_name) {
            return SET_NAMES.contains(&word.text.as_str());
        }
        let Some(letters) = word.text.strip_prefix(['-', '+']) else { return false };
        is_name = letters.ends_with('o');
        let letters = letters.strip_suffix('o').unwrap_or(letters);
        word.is_literal
            && (is_name || !letters.is_empty())
            && letters.chars().all(|c| SET_LETTERS.contains(c))
    })
}
