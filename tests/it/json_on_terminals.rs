//! JSON on a terminal moves nothing there, from any command that prints it; to a pipe it goes byte for byte. JSON from outside in which a key stands
//! twice is refused by that key. A secret that is not set is told before anything runs. Built-in tools stay within their limits.

use crate::program::Place;
use cuelight_base::is_unseen;
use std::{io::Read as _, process::Command};

/// C1 controls, marks of direction, a blank without width: as a step says it and gives it out.
const ODD: &str = "a\u{9b}1;31mb\u{202e}c\u{200b}d";

const ODD_STEPS: &str = "\
name: odd
secrets: []
steps:
  - id: says
    outputs: {x: string}
    run: |
      echo \"$ODD\"; echo \"x=$ODD\" >> \"$CUELIGHT_OUTPUT\"
    env: {ODD: \"${{ inputs.odd }}\"}
  - id: fails
    run: |
      echo \"$ODD\" >&2; exit 3
    env: {ODD: \"${{ inputs.odd }}\"}
inputs: {odd: {type: string}}
";

/// Arguments of each command that knows `--json`.
const CALLS: &[(&str, &[&str])] = &[
    ("agent list", &[]),
    ("agent show", &["claude-code"]),
    ("agent suggest", &["review"]),
    ("agent test", &["none"]),
    ("api", &[]),
    ("audit", &["--all"]),
    ("audit verify", &[]),
    ("cache", &[]),
    ("cache inspect", &["r-1"]),
    ("cache list", &[]),
    ("check", &["odd.yaml"]),
    ("agent context", &["odd"]),
    ("run diff", &["r-1", "r-2"]),
    ("doctor", &[]),
    ("dev drill", &["--kills", "0"]),
    ("error", &[]),
    ("error list", &[]),
    ("error show", &["r-1", "fails"]),
    ("run events", &["r-1"]),
    ("gate", &["--title", ODD, "--timeout", "100ms"]),
    ("gates", &[]),
    ("engine health", &[]),
    ("run history", &[]),
    ("agent knowledge", &[]),
    ("agent knowledge search", &["odd"]),
    ("logs", &["r-1"]),
    ("event messages", &[]),
    ("model list", &[]),
    ("model show", &["none"]),
    ("model test", &["none"]),
    ("plan", &["odd.yaml", "-i", "odd=a\u{9b}1mb\u{202e}"]),
    ("run replay", &["r-1"]),
    ("agent results", &[]),
    ("agent results list", &[]),
    ("agent results show", &["none"]),
    ("run", &["odd.yaml", "--headless", "-i", "odd=a\u{9b}1mb\u{202e}"]),
    ("runs", &[]),
    ("schedule", &[]),
    ("show", &["r-1"]),
    ("engine shutdown", &[]),
    ("state", &[]),
    ("state get", &["odd"]),
    ("state list", &[]),
    ("state watch", &["odd", "--timeout", "100ms"]),
    ("run timeline", &["r-1"]),
    ("token", &["--agent", "qa", "--type", "qa"]),
    ("token keys list", &[]),
    ("tool list", &[]),
    ("tool show", &["file.read"]),
    ("tool suggest", &["read"]),
    ("tool test", &["json.query", "--with", "data=\"a\u{9b}1mb\u{202e}\"", "--with", "query=."]),
    ("event topics", &[]),
    ("event topics rotate", &["odd"]),
    ("trust", &[]),
];

/// Commands that say in their own help that they print JSON.
pub(crate) fn with_json(place: &Place) -> Vec<String> {
    let all = crate::cli_words::commands(place).into_iter();
    let own =
        |page: &str| page.split("\nGlobal options:").next().is_some_and(|part| part.contains(" --json"));
    all.filter(|(_, page)| own(page.split("\nOptions:").nth(1).unwrap_or_default()))
        .map(|(path, _)| path.join(" "))
        .collect()
}

/// Output of a command whose standard output is a terminal.
pub(crate) fn on_terminal(place: &Place, args: &[&str]) -> String {
    let (mut terminal, inner) = pty_process::blocking::open().expect("a terminal");
    terminal.resize(pty_process::Size::new(24, 4000)).expect("a size");
    let as_given: Command = place.command(args);
    let mut command = pty_process::blocking::Command::new(as_given.get_program()).env_clear();
    for variable in as_given.get_envs() {
        if let (name, Some(value)) = variable {
            command = command.env(name, value);
        }
    }
    let command = command.args(as_given.get_args()).env("TERM", "xterm-256color").current_dir(place.path());
    let mut child = command.spawn(inner).expect("the program starts");
    let (mut all, mut bytes) = (Vec::new(), [0; 4096]);
    // At its end a terminal says that it is broken.
    while let Ok(many @ 1..) = terminal.read(&mut bytes) {
        all.extend_from_slice(&bytes[..many]);
    }
    child.wait().expect("it ends");
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn no_command_that_prints_json_moves_a_terminal() {
    let place = Place::new();
    place.write("odd.yaml", ODD_STEPS);
    for _ in 0..2 {
        place.cue(&["run", "odd.yaml", "--headless", "-i", &format!("odd={ODD}")]);
    }
    place.cue(&["state", "set", "odd", ODD]).ok();
    let known = with_json(&place);
    assert!(known.len() > 40, "{known:?}");
    let mut told = 0;
    for name in known {
        let call = CALLS.iter().find(|call| call.0 == name);
        let (_, more) = call.unwrap_or_else(|| panic!("say in CALLS how `{name} --json` is called"));
        let args: Vec<&str> = name.split(' ').chain(more.iter().copied()).chain(["--json"]).collect();
        let shown = on_terminal(&place, &args);
        let raw: String = shown.chars().filter(|c| is_unseen(*c) && !"\r\n".contains(*c)).collect();
        assert!(raw.is_empty(), "{args:?}: {raw:?} in {shown:?}");
        told += usize::from(shown.contains("\\u009b"));
    }
    assert!(told > 5, "only {told} commands told the text at all");
}

#[test]
fn exports_and_pages_of_other_kinds_move_no_terminal_and_reach_a_pipe_as_they_are() {
    let place = Place::new();
    place.write("odd.yaml", ODD_STEPS);
    place.cue(&["run", "odd.yaml", "--headless", "-i", &format!("odd={ODD}")]);
    for format in ["jsonl", "csv", "html"] {
        let args = ["audit", "export", "--format", format];
        let shown = on_terminal(&place, &args);
        assert!(!shown.contains(['\u{9b}', '\u{202e}', '\u{200b}']), "{format}: {shown:?}");
    }
    let piped = place.cue(&["audit", "export"]).ok().out;
    assert!(piped.contains('\u{202e}'), "a chain is exported byte for byte");
    place.write("chain.jsonl", &piped);
    place.cue(&["verify", "chain.jsonl"]).ok();
}

#[test]
fn a_key_that_stands_twice_is_refused_by_its_name_wherever_json_comes_in() {
    let place = Place::new();
    place.write("ask.yaml", "inputs: {who: {type: object}}\nsteps:\n  - {id: a, run: \"true\"}\n");
    place.write(
        "out.yaml",
        "steps:\n  - id: a\n    outputs: {who: object}\n    run: echo 'who={\"name\":1,\"name\":2}' >> \"$CUELIGHT_OUTPUT\"\n",
    );
    place.write("twice.json", r#"{"kind": "x", "name": 1, "name": 2}"#);
    place.write(
        "fromjson.yaml",
        "steps:\n  - {id: a, run: \"true\", if: \"fromJSON('{\\\"name\\\":1,\\\"name\\\":2}').name == 2\"}\n",
    );
    let twice = r#"{"name":1,"name":2}"#;
    let input = format!("who={twice}");
    let data = format!("data={twice}");
    let calls: &[&[&str]] = &[
        &["run", "ask.yaml", "--headless", "-i", &input],
        &["run", "out.yaml", "--headless"],
        &["emit", "topic", "-d", twice],
        &["emit", "topic", "-d", &input],
        &["state", "set", "who", twice],
        &["tools", "test", "json.query", "--with", &data, "--with", "query=."],
        &["results", "hand-in", "SHOP-1", "twice.json", "--type", "qa"],
        &["eval", "1", "--context", "twice.json"],
        &["eval", "fromJSON('{\"name\":1,\"name\":2}')"],
        &["import", "wfformat", "twice.json"],
        &["verify", "twice.json"],
    ];
    for args in calls {
        let said = place.cue(args);
        let text = said.out + &said.err;
        assert!(
            said.code != 0 && text.contains("the key \"name\" stands twice in one object"),
            "{args:?}: {text}"
        );
    }
    place.cue(&["state", "set", "who", twice, "--text"]).ok();
}

#[test]
fn a_chain_in_which_a_line_names_a_key_twice_is_refused() {
    let place = Place::new();
    place.write("flow.yaml", "steps:\n  - {id: a, run: \"true\"}\n");
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    let chain = place.cue(&["audit", "export"]).ok().out;
    place.write("chain.jsonl", &chain);
    place.cue(&["verify", "chain.jsonl"]).ok();
    let lines: Vec<&str> = chain.lines().collect();
    for at in [1, lines.len() - 1] {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let line = lines[at].trim_end_matches('}').to_owned();
        let ends = "}".repeat(lines[at].len() - line.len() - 1);
        lines[at] = format!("{line}{ends},\"more\":1,\"more\":2}}");
        place.write("chain.jsonl", &(lines.join("\n") + "\n"));
        let said = place.cue(&["verify", "chain.jsonl"]);
        let text = said.out + &said.err;
        assert!(
            said.code == 1 && text.contains("the key \"more\" stands twice in one object"),
            "{at}: {text}"
        );
    }
}

#[test]
fn a_secret_that_is_not_set_is_told_before_anything_runs() {
    let place = Place::new();
    let steps = |condition: &str| {
        format!(
            "secrets: [NOSUCH]\nsteps:\n  - {{id: a, run: touch ran}}\n  - id: b\n    needs: a\n{condition}    env: {{T: \"${{{{ secrets.NOSUCH }}}}\"}}\n    run: \"true\"\n"
        )
    };
    place.write("flow.yaml", &steps(""));
    let said = place.cue(&["run", "flow.yaml", "--headless"]);
    let why = "step `b` cannot be given what it reads: secret NOSUCH is not set; export it or write it to .cuelight/secrets/NOSUCH";
    assert!(said.code == 2 && (said.out + &said.err).contains(why));
    assert!(!place.file("ran").exists());
    let checked = place.cue(&["check", "flow.yaml"]).ok();
    assert!(checked.out.contains("secret NOSUCH is not set"), "{checked:?}");
    // What may never run keeps nothing from running.
    place.write("flow.yaml", &steps("    if: \"false\"\n"));
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    assert!(place.file("ran").exists());
    let set = Place::new().with("NOSUCH", "is-set-now");
    set.write("flow.yaml", &steps(""));
    set.cue(&["run", "flow.yaml", "--headless"]).ok();
    assert!(!set.cue(&["check", "flow.yaml"]).ok().out.contains("NOSUCH"));
}

#[test]
fn a_built_in_tool_that_wants_too_much_says_what_it_wanted() {
    let place = Place::new();
    for (query, why) in [
        ("[range(1e12)]", "json.query needed more than 512 MiB; narrow the filter"),
        ("\"x\" * 1000000000", "json.query needed more than 512 MiB; narrow the filter"),
        ("reduce range(5000) as $i (0; [.])", "a result is nested deeper than 100; narrow the filter"),
        ("reduce range(3000000) as $i (0; [.]) | 1", "nested too deep; narrow the filter"),
    ] {
        let with = format!("query={query}");
        let said = place.cue(&[
            "tools",
            "test",
            "json.query",
            "--with",
            "data=1",
            "--with",
            &with,
            "--timeout",
            "4m",
        ]);
        assert!(said.code == 1 && said.err.contains(why), "{query}: {said:?}");
    }
    let fine = ["tools", "test", "json.query", "--with", "data=[1,2]", "--with", "query=map(. + 1)"];
    assert!(place.cue(&fine).ok().out.contains("[2,3]"));
}
