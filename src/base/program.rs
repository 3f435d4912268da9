//! The files that a call executes: the words of the call that name files, read from the words alone. The
//! files are found and opened in `tool`.
//!
//! A script that is one plain command, `./deploy.sh "${CUE_1}"`, is called without the shell around it, which
//! would do nothing but start it. So the executed file can be the very file that people approved. Any other
//! script stays with its shell.
//!
//! All other words that may name files are listed as well: see `named`.

use super::named::{Named, named};
use crate::{Digest, Launch, TextPart};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Problem of a file that a call names and that nobody is bound to: data, which may change while the gate
/// waits.
pub const NOT_BOUND: &str = "named, not bound";

/// Shells that take a script as `-c SCRIPT`, and quote alike.
const SHELLS: &[&str] = &["bash", "sh", "dash", "ash", "ksh", "zsh"];

/// True if a program, by its name or its path, is a shell that is known here.
pub fn is_shell(program: &str) -> bool {
    SHELLS.contains(&name_of(program))
}

/// Programs whose first operand is the script they read.
const INTERPRETERS: &[&str] = &[
    "bash", "sh", "dash", "ash", "ksh", "zsh", "python", "pypy", "perl", "ruby", "node", "nodejs", "php",
    "lua", "Rscript",
];

/// The files that a call executes, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Program {
    /// The program: a path, or a name that is looked for.
    pub word: String,
    /// The script that it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// The interpreter of a program file that names none itself: the shell that would have started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// `PATH`, where the step sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// The working directory, as in [`Launch`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// Words of the rest of the call whose files are executed, or read as a script or a recipe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<String>,
    /// Words whose files are executed where they are programs or scripts, and only named where they are not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Directories that the call may go to: the files of all words are looked for in each of them as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dirs: Vec<String>,
    /// Why there may be more words: limits that were reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<String>,
    /// True for a call that other steps come before: a file that one of them has yet to write is not bound.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub later: bool,
    /// False in asks of earlier versions, which name only the beginning of a call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_words: bool,
    /// The captured workspace in which the calls behind a gate run. Then this is no call, and has no word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<Tree>,
}

/// A workspace whose files are captured when a gate asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tree {
    /// Files that belong to it, as patterns; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<String>,
    /// A tree of this hash that an earlier gate of the run has captured: it is taken as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
}

impl Program {
    /// The captured workspace of a gate.
    #[must_use]
    pub const fn of_tree(tree: Tree) -> Self {
        Self {
            word: String::new(),
            script: None,
            shell: None,
            search: None,
            dir: None,
            runs: Vec::new(),
            names: Vec::new(),
            dirs: Vec::new(),
            missed: Vec::new(),
            later: false,
            all_words: false,
            tree: Some(tree),
        }
    }

    /// The same call as an earlier version asked about it.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self {
            runs: Vec::new(),
            names: Vec::new(),
            dirs: Vec::new(),
            missed: Vec::new(),
            later: false,
            all_words: false,
            ..self.clone()
        }
    }
}

/// A word of the call that is really executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// A word of plain text.
    Text(String),
    /// The value of this variable, as one word.
    Variable(String),
}

impl Launch {
    /// The words that are executed where a file of them is bound: of a plain command its own, else all.
    pub fn words(&self) -> Vec<Word> {
        let plain = self.plain_command();
        plain.unwrap_or_else(|| self.argv.iter().cloned().map(Word::Text).collect())
    }

    /// The files it executes.
    pub fn program(&self) -> Program {
        self.program_without(&|_| false)
    }

    /// The files it executes, whatever the value of some of its variables is.
    pub fn program_without(&self, is_open: &dyn Fn(&str) -> bool) -> Program {
        let plain = self.plain_command();
        let shell = plain.as_ref().and_then(|_| self.argv.first().cloned());
        let words =
            plain.unwrap_or_else(|| self.own_words().iter().take(2).cloned().map(Word::Text).collect());
        let text = |at: usize| match words.get(at) {
            Some(Word::Text(text)) => Some(text.clone()),
            Some(Word::Variable(_)) | None => None,
        };
        let word = text(0).unwrap_or_default();
        let is_flag = |text: &String| text.starts_with('-');
        let script = text(1).filter(|text| is_interpreter(&word) && !is_flag(text) && !text.is_empty());
        let is_text = |parts: &Vec<TextPart>| match parts.as_slice() {
            [TextPart::Text(text)] => Some(text.clone()),
            _ => None,
        };
        let search = self.env.iter().rfind(|pair| pair.0 == "PATH").and_then(|pair| is_text(&pair.1));
        let value = |name: &str, parts| if is_open(name) { known(&[]) } else { known(parts) };
        let values = self.env.iter().map(|(name, parts)| (name.clone(), value(name, parts)));
        let Named { runs, names, dirs, missed } = named(self.own_words(), values.collect());
        let of = |words: BTreeSet<String>| {
            // The program and the script are opened before all others; in another directory they are other files.
            let is_own = |other: &String| *other == word || Some(other) == script.as_ref();
            let others = words.into_iter().filter(|word| !dirs.is_empty() || !is_own(word));
            others.collect::<Vec<_>>()
        };
        let (runs, names) = (of(runs), of(names));
        Program {
            word,
            script,
            shell,
            search,
            dir: self.dir.clone(),
            runs,
            names,
            dirs,
            missed: missed.into_iter().collect(),
            later: false,
            all_words: true,
            tree: None,
        }
    }

    /// The words of the action itself: behind those that call this program, when it starts an MCP server.
    fn own_words(&self) -> &[String] {
        let is_of_server = self.tool.as_ref().is_some_and(|tool| tool.mcp.is_some());
        let gap = self.argv.iter().position(|text| text == "--").filter(|_| is_of_server);
        gap.map_or(&self.argv, |gap| &self.argv[gap + 1..])
    }

    /// The words of a script that is one command of plain words, and starts a file by its path.
    fn plain_command(&self) -> Option<Vec<Word>> {
        let [shell, .., flag, script] = self.argv.as_slice() else { return None };
        let is_script = flag.starts_with('-') && !flag.starts_with("--") && flag.ends_with('c');
        if !is_shell(shell) || !is_script || script.trim().contains('\n') {
            return None;
        }
        let words: Option<Vec<Word>> =
            script.split_ascii_whitespace().map(|word| self.plain_word(word)).collect();
        let words = words?;
        let Some(Word::Text(first)) = words.first() else { return None };
        let second = match words.get(1) {
            Some(Word::Text(text)) => Some(text),
            Some(Word::Variable(_)) | None => None,
        };
        let reads_file = is_interpreter(first) && second.is_some_and(|second| !second.starts_with('-'));
        (!first.contains('=') && (first.contains('/') || reads_file)).then_some(words)
    }

    /// A word that means the same with and without a shell.
    fn plain_word(&self, word: &str) -> Option<Word> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c);
        if word.chars().all(is_plain) && !word.starts_with('=') {
            return Some(Word::Text(word.to_owned()));
        }
        let inner = word.strip_prefix("\"$")?.strip_suffix('"')?;
        let name = inner.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(inner);
        self.env.iter().any(|pair| pair.0 == name).then(|| Word::Variable(name.to_owned()))
    }
}

/// A value, with a NUL for each stretch that is not known yet.
fn known(parts: &[TextPart]) -> String {
    let text = |part: &TextPart| match part {
        TextPart::Text(text) => text.clone(),
        TextPart::Secret(_) => "\0".to_owned(),
    };
    if parts.is_empty() { "\0".to_owned() } else { parts.iter().map(text).collect() }
}

/// True if a program of this name reads the file that its first operand names.
pub(super) fn is_interpreter(word: &str) -> bool {
    INTERPRETERS.contains(&name_of(word).trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'))
}

pub(super) fn name_of(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(script: &str) -> Launch {
        let env = vec![("CUE_1".to_owned(), vec![TextPart::Text("a b".to_owned())])];
        Launch { env, ..Launch::of(["bash", "-euo", "pipefail", "-c", script]) }
    }

    #[track_caller]
    fn check(script: &str, word: &str, named: Option<&str>, direct: bool) {
        let launch = of(script);
        let program = launch.program();
        assert_eq!((program.word.as_str(), program.script.as_deref()), (word, named), "{script}");
        assert_eq!(launch.words().len() != launch.argv.len() || program.shell.is_some(), direct, "{script}");
    }

    #[test]
    fn a_plain_command_that_starts_a_file_is_called_without_its_shell() {
        check("./deploy.sh prod \"${CUE_1}\"\n", "./deploy.sh", None, true);
        check("tools/deploy --to=prod", "tools/deploy", None, true);
        check("python3 tools/report.py a", "python3", Some("tools/report.py"), true);
        check("bash deploy.sh", "bash", Some("deploy.sh"), true);
        assert_eq!(of("./a \"$CUE_1\"").words()[1], Word::Variable("CUE_1".to_owned()));
    }

    #[test]
    fn whatever_a_shell_has_to_read_stays_with_it() {
        for script in [
            "echo hello",
            "./a; ./b",
            "./a\n./b",
            "./a > out",
            "./a *",
            "./a $HOME",
            "./a \"${HOME}\"",
            "A=1 ./a",
            "./a ~",
            "./a 'b'",
            "./a=b c",
            "cd /tmp",
            "python3 -c 'x'",
            "",
        ] {
            check(script, "bash", None, false);
        }
        let own = Launch::of(["python3", "tools/run.py", "text"]).program();
        assert_eq!((own.word.as_str(), own.script.as_deref()), ("python3", Some("tools/run.py")));
    }
}
