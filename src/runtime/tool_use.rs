//! The next action of a coding agent, as shown to people: the question, the whole command or file change, and
//! its risk. The agent's own claim about it is apart from these.
//!
//! The caller reads files; `draft` writes the question for people.

use cuelight_base::{Digest, Value, ValueMap, counted, is_unseen};
use cuelight_definition::{CommandRisk, Risk, command_risk, words_risk};
use cuelight_projection::words_line;
use similar::TextDiff;
use std::{path::Path, time::Duration};

/// A command or an address of at most so many letters stands in the question; a longer one is named there, and shown below.
const SUBJECT_CHARS_MAX: usize = 64;
/// Letters of the first word of a longer one.
const WORD_CHARS_MAX: usize = 24;
/// Time limit of the search for the shortest diff of two texts.
const DIFF_TIME_MAX: Duration = Duration::from_secs(2);

/// Tools that start a command on this machine, and the fields of it.
const SHELLS: [&str; 7] =
    ["Bash", "PowerShell", "exec_command", "local_shell", "shell", "shell_command", "unified_exec"];
const COMMANDS: [&str; 2] = ["command", "cmd"];
/// Fields beside a command that change nothing: the agent's own account of it.
const CLAIMS: [&str; 3] = ["description", "justification", "explanation"];
/// Fields of a file's path; of several, the tool for notebooks takes the second.
const PATHS: [&str; 3] = ["file_path", "notebook_path", "path"];
/// Fields of a patch.
const PATCHES: [&str; 4] = ["command", "cmd", "input", "patch"];
/// Files of a patch that is understood.
const FILES_MAX: usize = 256;
/// Lines of a patch that name a file it writes; one that deletes a file is not among them.
const PATCH_HEADS: [&str; 3] = ["*** Add File:", "*** Update File:", "*** Move to:"];
/// Lines of a patch that name none.
const PATCH_LINES: [&str; 3] = ["*** Begin Patch", "*** End Patch", "*** End of File"];
/// Fields of an edit; the last says yes or no.
const EDIT: [&str; 3] = ["old_string", "new_string", "replace_all"];
/// Other fields that name the subject of a tool.
const SUBJECTS: [&str; 4] = ["url", "query", "pattern", "subject"];

/// A tool that an agent is about to use.
#[derive(Clone, Copy, Debug)]
pub struct ToolUse<'a> {
    /// Name of the agent.
    pub agent: &'a str,
    /// The tool, as the agent calls it.
    pub tool: &'a str,
    /// All that the tool is given.
    pub input: &'a Value,
    /// Working directory of the agent.
    pub directory: &'a str,
}

/// A file that a tool names, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNow {
    /// Path of the file, links followed.
    pub path: String,
    /// Its text; nothing when there is no such file.
    pub text: Option<String>,
    /// Its hash; nothing when there is no such file, or it cannot be read.
    pub digest: Option<Digest>,
    /// Why its text cannot be shown.
    pub problem: Option<String>,
}

/// The text that people are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolAsk {
    /// The question to people.
    pub title: String,
    /// Texts by name, the most important first.
    pub evidence: Vec<(String, String)>,
    /// The agent's own claim.
    pub claim: Option<String>,
    /// Risk of a wrong approval.
    pub risk: Risk,
}

impl ToolUse<'_> {
    /// The file that is changed, as the agent names it.
    pub fn changed_file(&self) -> Option<&str> {
        let changes = ["Edit", "MultiEdit", "NotebookEdit", "Write"].contains(&self.tool);
        if changes { self.path() } else { None }
    }

    /// The files that are written, as the agent names them; nothing where that is not understood, or more than that is done.
    pub fn written_files(&self) -> Option<Vec<&str>> {
        if let Some(path) = self.changed_file() {
            let is_one = PATHS.iter().filter(|key| !self.input[**key].is_null()).count() == 1;
            return is_one.then(|| vec![path]);
        }
        let fields = self.input.as_object().filter(|_| self.tool == "apply_patch")?;
        let patch =
            PATCHES.into_iter().find_map(|key| self.input[key].as_str()).filter(|_| fields.len() == 1)?;
        // Whatever stands before a head, a line of the file or blanks, the agent may take it for one.
        let heads = patch
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("***") && !PATCH_LINES.contains(line));
        let paths: Vec<&str> = heads.map(written_path).collect::<Option<_>>()?;
        (1..=FILES_MAX).contains(&paths.len()).then_some(paths)
    }

    /// The question for people. `file` is the file that is changed; `written` are the paths of all written
    /// files, links followed.
    pub fn ask(&self, file: Option<&FileNow>, written: &[String]) -> ToolAsk {
        let CommandRisk { risk, why } = self.risk(written);
        let mut evidence = Vec::new();
        let mut shown: Vec<&str> = Vec::new();
        let mut claim = None;
        if let Some((key, command)) = self.command() {
            evidence.push((key.to_owned(), command));
            shown.push(key);
            let is_known = SHELLS.contains(&self.tool);
            let says: Vec<&str> =
                CLAIMS.into_iter().filter(|claim| is_known && self.input[*claim].is_string()).collect();
            claim = (!says.is_empty()).then(|| {
                says.iter().filter_map(|key| self.input[*key].as_str()).collect::<Vec<_>>().join("\n")
            });
            shown.extend(says);
        } else if let Some(file) = file {
            let (text, fields) = self.change(file);
            evidence.push(("change".to_owned(), text));
            shown.extend(fields);
        }
        let rest: ValueMap = match self.input {
            Value::Object(all) => all
                .iter()
                .filter(|key| !shown.contains(&key.0.as_str()))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            _ => ValueMap::new(),
        };
        if !rest.is_empty() || evidence.is_empty() {
            let whole = if self.input.is_object() { Value::Object(rest) } else { self.input.clone() };
            evidence.push((self.tool.to_owned(), whole.to_string()));
        }
        let mut title = self.title();
        if !why.is_empty() {
            title = format!("{title}\nthe risk is high: {why}");
        }
        ToolAsk { title, evidence, claim, risk }
    }

    /// `claude-code wants to use Bash: rm -rf build`, with nothing in it that is cut.
    fn title(&self) -> String {
        let uses = format!("{} wants to use {}", self.agent, self.tool);
        let command = self.command().map(|command| command.1);
        if let (None, Some(path)) = (&command, self.path()) {
            return format!("{uses}: {path}");
        }
        let subject = SUBJECTS.into_iter().find_map(|subject| self.input[subject].as_str());
        let Some(text) = command.or_else(|| subject.map(str::to_owned)) else { return uses };
        let text = text.trim();
        let letters = text.chars().count();
        if letters <= SUBJECT_CHARS_MAX && !text.contains(is_unseen) {
            return if text.is_empty() { uses } else { format!("{uses}: {text}") };
        }
        let first = text.split_whitespace().next().unwrap_or_default();
        let is_short = first.chars().count() <= WORD_CHARS_MAX;
        let begins = if is_short { format!("{first} and more") } else { "a long one".to_owned() };
        let lines = text.lines().count();
        let long = if lines > 1 { format!("{}, ", counted(lines, "line", "lines")) } else { String::new() };
        format!("{uses}: {begins}, {long}{}; all of it stands below", counted(letters, "letter", "letters"))
    }

    fn path(&self) -> Option<&str> {
        self.path_field().and_then(|key| self.input[key].as_str())
    }

    fn path_field(&self) -> Option<&'static str> {
        let first = (self.tool == "NotebookEdit").then_some(PATHS[1]);
        first.into_iter().chain(PATHS).find(|key| self.input[*key].is_string())
    }

    /// The field of the command, and the command as a shell would read it.
    fn command(&self) -> Option<(&'static str, String)> {
        self.commands().next()
    }

    /// All fields that hold one.
    fn commands(&self) -> impl Iterator<Item = (&'static str, String)> {
        COMMANDS.into_iter().filter_map(|key| match &self.input[key] {
            Value::String(text) => Some((key, text.clone())),
            Value::Array(_) => Some((key, words_line(&self.words(key)?))),
            _ => None,
        })
    }

    /// The words of a command that is started without a shell.
    fn words(&self, key: &str) -> Option<Vec<String>> {
        let words = self.input[key].as_array()?;
        words.iter().map(|word| word.as_str().map(str::to_owned)).collect()
    }

    /// Risk of the tools that agents bring along. Any other tool is taken for the worst risk that can still
    /// be undone.
    fn risk(&self, written: &[String]) -> CommandRisk {
        let plain = |risk| CommandRisk { risk, why: String::new() };
        if ["Read", "Glob", "Grep", "LS", "NotebookRead", "TodoWrite"].contains(&self.tool) {
            return plain(Risk::ReadOnly);
        }
        if self.tool == "apply_patch" || self.changed_file().is_some() {
            let named = self.written_files().unwrap_or_default();
            let is_plain = !named.is_empty()
                && named.len() == written.len()
                && named
                    .into_iter()
                    .chain(written.iter().map(String::as_str))
                    .all(|file| self.is_plain_file(file));
            return plain(if is_plain { Risk::Reversible } else { Risk::ExternallyReversible });
        }
        let judge = |(key, line): (&str, String)| {
            self.words(key).map_or_else(|| command_risk(&line), |words| words_risk(&words))
        };
        // A command of a tool that nobody knows runs where nobody knows.
        let worst = self.commands().map(judge).max_by_key(|words_risk| words_risk.risk);
        let is_known = |worst: &CommandRisk| SHELLS.contains(&self.tool) || worst.risk == Risk::Irreversible;
        worst.filter(is_known).unwrap_or_else(|| plain(Risk::ExternallyReversible))
    }

    /// Below the directory of the agent, and nothing that another program acts on by its name.
    fn is_plain_file(&self, path: &str) -> bool {
        // Some tools take blanks away, and the home of the user for `~`.
        if path.trim() != path || path.starts_with('~') {
            return false;
        }
        let path = Path::new(self.directory).join(path);
        path.strip_prefix(self.directory).is_ok_and(|below| {
            let is_plain = |component: &std::path::Component<'_>| {
                matches!(component, std::path::Component::Normal(component) if !component.to_string_lossy().starts_with('.'))
            };
            !self.directory.is_empty() && below.components().all(|component| is_plain(&component))
        })
    }

    /// The diff of the file, and the input fields that it covers.
    fn change(&self, file: &FileNow) -> (String, Vec<&'static str>) {
        if let Some(problem) = &file.problem {
            return (
                format!("could not show {} as it is: {problem}; what it is given stands below", file.path),
                Vec::new(),
            );
        }
        let before = file.text.as_deref().unwrap_or_default();
        let after = match self.after(file.text.as_deref()) {
            Ok(after) => after,
            Err(why) => {
                return (
                    format!(
                        "could not show the change of {}: {why}; what it is given stands below",
                        file.path
                    ),
                    Vec::new(),
                );
            }
        };
        let hash = match file.digest {
            Some(digest) => format!("sha256:{digest}"),
            None => "no such file".to_owned(),
        };
        let heads = (format!("{} ({hash})", file.path), format!("{} (afterwards)", file.path));
        let diff = TextDiff::configure().timeout(DIFF_TIME_MAX).diff_lines(before, &after);
        let text = diff.unified_diff().header(&heads.0, &heads.1).to_string();
        let text = if text.is_empty() { format!("{} stays as it is ({hash})", file.path) } else { text };
        (text, self.path_field().into_iter().chain(self.used()).collect())
    }

    /// The fields that the text of the file afterwards is made of, and nothing else is in.
    fn used(&self) -> Vec<&'static str> {
        match self.tool {
            "Write" => vec!["content"],
            "Edit" => {
                EDIT.into_iter().filter(|key| *key != EDIT[2] || self.input[*key].is_boolean()).collect()
            }
            _ => {
                let is_used = |(key, value): (&String, &Value)| {
                    EDIT.contains(&key.as_str()) && (key != EDIT[2] || value.is_boolean())
                };
                let mut edits = self.input["edits"].as_array().into_iter().flatten();
                let all = edits.all(|edit| edit.as_object().is_some_and(|fields| fields.iter().all(is_used)));
                all.then_some("edits").into_iter().collect()
            }
        }
    }

    /// The text of the file afterwards.
    fn after(&self, before: Option<&str>) -> Result<String, String> {
        let text =
            |of: &Value, key: &str| of[key].as_str().map(str::to_owned).ok_or(format!("it gives no {key}"));
        let edit = |now: String, of: &Value| {
            let (old, new) = (text(of, "old_string")?, text(of, "new_string")?);
            let all = of["replace_all"].as_bool().unwrap_or_default();
            match now.matches(&old).count() {
                _ if old.is_empty() && now.is_empty() => Ok(new),
                _ if old.is_empty() => Err("it says nothing that is to be replaced".to_owned()),
                0 => Err("what is to be replaced does not stand in it".to_owned()),
                many if many > 1 && !all => Err(format!("what is to be replaced stands in it {many} times")),
                _ => Ok(now.replace(&old, &new)),
            }
        };
        let now = before.unwrap_or_default().to_owned();
        match self.tool {
            "Write" => text(self.input, "content"),
            "Edit" => edit(now, self.input),
            "MultiEdit" => {
                let edits = self.input["edits"].as_array().ok_or("it gives no edits")?;
                edits.iter().try_fold(now, edit)
            }
            _ => Err("its cells are changed one by one".to_owned()),
        }
    }
}

/// The path in a line of a patch that names a file it writes.
fn written_path(line: &str) -> Option<&str> {
    PATCH_HEADS.iter().find_map(|head| line.strip_prefix(head)).map(str::trim)
}
