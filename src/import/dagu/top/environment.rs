//! Constants, secrets, environment variables and the shell of a workflow of Dagu.

use super::{is_name, is_variable};
use crate::dagu::values::{Names, Part, Parts, in_double_quotes, parts, with_holes};
use crate::dagu::words::{pairs, shell_words, words};
use crate::dagu::{Import, file};
use crate::foreign;
use crate::page::one_line;
use cuelight_base::{Value, ValueMap, is_shell};
use std::collections::BTreeSet;

impl Import<'_> {
    pub(super) fn consts(&mut self, root: &ValueMap) {
        let Some(said) = root.get("consts") else { return };
        let Some(items) = said.as_array() else {
            return self.refuse("consts", "`consts` is a list of one key each");
        };
        let none = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("consts[{index}]");
            let entry = item.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
            let Some((name, value)) = entry.filter(|(name, _)| is_name(name)) else {
                self.refuse(&path, "an entry of `consts` is one name and its value");
                continue;
            };
            let Some(text) = foreign::text(value) else {
                self.refuse(&path, "a constant is text, a number or a boolean");
                continue;
            };
            // Only constants above are known here.
            let (env, all) = (std::mem::take(&mut self.env), std::mem::take(&mut self.params));
            let found = parts(&text, Names::Shell, &self.at_top(&none));
            (self.env, self.params) = (env, all);
            let text = match found.as_slice() {
                [Part::Text(text)] => text.clone(),
                _ => text,
            };
            if self.consts.values().map(String::len).sum::<usize>() + text.len() > 1 << 20 {
                return self.refuse(&path, "constants have at most 1 MiB together");
            }
            self.consts.insert(name.clone(), text);
        }
    }

    pub(super) fn secrets(&mut self, root: &ValueMap) {
        let Some(said) = root.get("secrets") else { return };
        for (index, item) in said.as_array().into_iter().flatten().enumerate() {
            let path = format!("secrets[{index}]");
            let Some(map) = item.as_object() else {
                self.refuse(&path, "a secret is a mapping with a `name`");
                continue;
            };
            self.keys(map, &path, file::SECRET);
            let name = foreign::text_at(map, "name").unwrap_or_default();
            if !is_variable(&name) || is_managed(&name) {
                self.refuse(&path, "a secret needs the name of a variable, and none of Dagu's own");
                continue;
            }
            let from: Vec<String> = map
                .iter()
                .filter(|(key, _)| *key != "name")
                .map(|(key, value)| {
                    format!("{key} {}", foreign::text(value).unwrap_or_else(|| value.to_string()))
                })
                .collect();
            self.lose(&path, &format!("where the secret {name} comes from ({}): export it, or put it into `.cuelight/secrets/{name}`", from.join(", ")));
            self.secrets.push(name);
        }
    }

    /// A text in which commands are run, as one word of a shell; none when a value stands where a shell fills in nothing.
    pub(in crate::dagu) fn evaluated(found: &Parts, values: &mut ValueMap) -> Option<String> {
        let mut out = vec![Part::Text("\"".to_owned())];
        let mut is_command = false;
        for part in found {
            let text = match part {
                Part::Text(text) => text,
                Part::File(expression) => {
                    out.push(Part::Value(expression.clone()));
                    continue;
                }
                other => {
                    out.push(other.clone());
                    continue;
                }
            };
            let mut quoted = String::new();
            for (at, c) in text.char_indices() {
                match c {
                    '`' => {
                        is_command = !is_command;
                        quoted.push_str(if is_command { "$(" } else { ")" });
                        continue;
                    }
                    '(' if quoted.ends_with('$') => is_command = true,
                    ')' => is_command = false,
                    '"' | '\\' if !is_command => quoted.push('\\'),
                    '$' if !is_command && !text[at + 1..].starts_with('(') => quoted.push('\\'),
                    _ => {}
                }
                quoted.push(c);
            }
            out.push(Part::Text(quoted));
        }
        out.push(Part::Text("\"".to_owned()));
        super::super::work::in_script(&out, values)
    }

    /// The environment of each step: what is known as `env`, and what only a shell can work out before each script.
    pub(super) fn environment(&mut self, root: &ValueMap) -> ValueMap {
        let none = BTreeSet::new();
        let mut env = ValueMap::new();
        for (name, found) in self.params.clone() {
            let is_late =
                found.iter().any(|part| matches!(part, Part::Value(value) if value.starts_with("steps.")));
            match with_holes(&found).filter(|_| !is_late) {
                Some(text) => drop(env.insert(name, text.into())),
                None => self.export(&name, &found),
            }
        }
        let declared = self.declared(root.get("env"), "env");
        let mut bytes = 0;
        for (name, value) in declared {
            let found = parts(&value, Names::All, &self.at_top(&none));
            bytes += found.iter().map(super::super::values::size).sum::<usize>();
            if bytes > 1 << 20 {
                self.refuse("env", "variables have at most 1 MiB together");
                return env;
            }
            let is_late =
                found.iter().any(|part| matches!(part, Part::Value(value) if value.starts_with("steps.")));
            match with_holes(&found).filter(|_| !is_late) {
                Some(text) => drop(env.insert(name.clone(), text.into())),
                None => {
                    env.remove(&name);
                    self.export(&name, &found);
                }
            }
            self.env.push((name, found));
        }
        for (index, path) in foreign::texts(root.get("dotenv")).iter().enumerate() {
            let found = parts(path, Names::All, &self.at_top(&none));
            let file = self.quoted(&found);
            if index == 0 {
                self.prelude.push_str(DOTENV);
            }
            self.prelude.push_str(&format!("read_dotenv \"{file}\"\n"));
        }
        env
    }

    /// Variables as they are declared, in their order.
    pub(in crate::dagu) fn declared(&mut self, said: Option<&Value>, path: &str) -> Vec<(String, String)> {
        let Some(said) = said.filter(|said| !said.is_null()) else { return Vec::new() };
        let Some(all) = pairs(said) else {
            self.refuse(path, &format!("`{path}` holds what is no variable with its value"));
            return Vec::new();
        };
        for (name, _) in &all {
            if !is_variable(name) {
                self.refuse(path, &format!("`{}` cannot be the name of a variable", one_line(name)));
                return Vec::new();
            }
        }
        all
    }

    fn export(&mut self, name: &str, found: &Parts) {
        let text = self.quoted(found);
        self.prelude.push_str(&format!("export {name}=\"{text}\"\n"));
    }

    /// A text between double quotes in the prelude.
    fn quoted(&mut self, found: &Parts) -> String {
        let mut out = String::new();
        for part in found {
            match part {
                Part::Text(text) => out.push_str(&in_double_quotes(text)),
                Part::Variable(name) => out.push_str(&format!("${{{name}}}")),
                Part::Value(expression) | Part::File(expression) => {
                    let value = format!("${{{{ {expression} }}}}");
                    let known = self.prelude_env.iter().find(|(_, text)| text.as_str() == Some(&value));
                    let name = known.map_or_else(
                        || format!("CUE_ENV_{}", self.prelude_env.len() + 1),
                        |entry| entry.0.clone(),
                    );
                    self.prelude_env.insert(name.clone(), value.into());
                    out.push_str(&format!("${{{name}}}"));
                }
            }
        }
        out
    }

    /// The shell that is named, with what makes it take a script; none when none is.
    pub(in crate::dagu) fn shell(&mut self, body: &ValueMap) -> Option<String> {
        let mut all: Vec<String> = match body.get("shell").filter(|said| !said.is_null()) {
            Some(said @ Value::Array(_)) => foreign::texts(Some(said)),
            Some(other) => words(&foreign::text(other)?),
            None if body.contains_key("shell_args") => vec!["bash".to_owned()],
            None => return None,
        };
        all.extend(foreign::texts(body.get("shell_args")));
        let none = BTreeSet::new();
        let mut known = Vec::new();
        for word in &all {
            let found = parts(word, Names::Own, &self.at_top(&none));
            match super::super::values::plain(&found) {
                Some(word) if !word.is_empty() => known.push(word),
                Some(_) => {}
                None => {
                    self.refuse(
                        "shell",
                        "a shell that is worked out when it runs cannot be carried over; name it",
                    );
                    return None;
                }
            }
        }
        if known.first().is_none_or(|program| program == "direct") {
            self.refuse("shell", "`shell` names no shell; write a command without one as `exec`");
            return None;
        }
        Some(shell_words(&known))
    }

    /// The shell of the whole workflow, which stops at the first failure.
    pub(super) fn own_shell(&mut self, root: &ValueMap) -> String {
        let Some(shell) = self.shell(root) else { return "bash -e -c".to_owned() };
        let mut all = words(&shell);
        if !is_shell(&all[0]) {
            self.program = Some(all);
            return "bash -e -c".to_owned();
        }
        if !all.iter().any(|word| word == "-e") {
            all.insert(1, "-e".to_owned());
        }
        all.join(" ")
    }
}

/// Reads a file of variables; nothing in it is run.
const DOTENV: &str = r#"read_dotenv() {
  local line name value
  [ -f "$1" ] || return 0
  while IFS= read -r line || [ -n "$line" ]; do
    line=${line#export }; name=${line%%=*}; value=${line#*=}
    case $line in '#'* | '') continue ;; *=*) ;; *) continue ;; esac
    case $name in *[!A-Za-z0-9_]* | [0-9]* | '') continue ;; esac
    case $value in \"*\") value=${value#\"}; value=${value%\"} ;; \'*\') value=${value#\'}; value=${value%\'} ;; esac
    export "$name=$value"
  done < "$1"
}
"#;

/// True for a variable that Dagu sets itself.
fn is_managed(name: &str) -> bool {
    ["DAGU_", "DAG_RUN_", "DAG_PUSHBACK"].iter().any(|prefix| name.starts_with(prefix))
        || ["DAG_NAME", "DAG_PARAMS_JSON", "DAG_DOCS_DIR"].contains(&name)
}
