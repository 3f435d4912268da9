//! `docs/KEYS.md`: every key of the console, from the key table that the console itself reads.

use cuelight_console::{Intent, Level};
use std::fmt::Write as _;

const TOP: &str = "\
# Keys

Every key of the console, from its own key table (`src/console/keymap.toml`). This page is written by a test; do not edit it. In the console `?` shows
the keys of the view you are in, and `:` finds every command by name.

Keys of your own stand in `$XDG_CONFIG_HOME/cuelight/keymap.toml`, in the same form; `\"ctrl-d\" = \"none\"` takes one away. The *level* says how much
has to be said before something happens: L0 looks only, L1 can be undone with `u`, L2 wants the key and then `y`, L3 wants a code or an id typed,
L4 wants the command typed.

## What is looked for

`/` finds, `&` shows only what fits; `n` and `N` go on; without a search they go, in Runs and DAG, to what waits for somebody or has failed. Words must all fit, in any case when they are written small; `!` before one inverts it. In lists a word
can name a field (`state:failed,rejected`, `workflow:etl*`, `run:` `by:` `risk:` `level:` `type:` `step:` …, the line in which it is typed says which) or a measure
(`age<1h`, `errors>=3`). In Logs `level:warn` leaves warnings and worse, `source:engine`, `source:gates`, `source:agents` and `source:steps` what was told or written by
these; what follows is one text, blanks and all.

`~` begins a regular expression, alone or in a field: `~shard_\\d+`, `!~^ok`, `workflow:~^(etl|crm)/`. A blank in one is `\\s`, except in Logs. One that is none says
why while it is typed and filters nothing. Where no step has a word in its name, DAG and Time go to names with its letters in their order: `chkfrd`.
";

/// The whole page, from the text of the table.
pub(super) fn page(table: &str) -> String {
    let mut out = TOP.to_owned();
    for (scope, rows) in scopes(table) {
        let (first, rest) = scope.split_at(1);
        write!(
            out,
            "\n## {}{rest}\n\n| keys | command | level | does |\n|---|---|---|---|\n",
            first.to_uppercase()
        )
        .expect("text");
        let mut seen: Vec<&str> = Vec::new();
        for (_, command) in &rows {
            if !seen.contains(command) {
                seen.push(command);
                out.push_str(&row(command, &rows));
            }
        }
    }
    out
}

/// `[keys.normal]` and the lines below it: keys, command.
fn scopes(table: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let mut out: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    let mut is_keys = false;
    for line in table.lines() {
        if line.starts_with('[') {
            let scope = line.strip_prefix("[keys.").and_then(|rest| rest.strip_suffix(']'));
            is_keys = scope.is_some();
            out.extend(scope.map(|scope| (scope, Vec::new())));
        } else if let (true, Some((keys, command)), Some((_, rows))) =
            (is_keys, line.split_once(" = "), out.last_mut())
        {
            rows.push((keys.trim_matches('"'), command));
        }
    }
    out
}

/// One command with all its keys.
fn row(command: &str, rows: &[(&str, &str)]) -> String {
    let words = command.split(['"', '[', ']', ',', ' ']).filter(|part| !part.is_empty());
    let intents: Vec<Intent> =
        words.map(|word| Intent::named(word).unwrap_or_else(|| panic!("{word} is no command"))).collect();
    let keys: Vec<String> = rows.iter().filter(|row| row.1 == command).map(|row| code(row.0)).collect();
    let names: Vec<String> = intents.iter().map(|intent| code(intent.name())).collect();
    let level = intents.iter().map(|intent| intent.level()).max().unwrap_or(Level::L0);
    let does: Vec<&str> = intents.iter().map(|intent| intent.what()).collect();
    format!("| {} | {} | {level} | {} |\n", keys.join(" "), names.join(" "), does.join(", then "))
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}
