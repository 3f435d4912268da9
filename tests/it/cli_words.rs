//! The words of the command line: the groups at the top, the help of every command, the spellings of 0.1.0.

use crate::program::{Place, Said};

/// A sentence of help opens with the thing or the verb; these words make a reader guess the noun.
const RIDDLES: &[&str] =
    &["What", "Whether", "Who", "Whoever", "Which", "How", "Where", "Those", "Such", "Of", "There", "It"];

/// Commands that programs of ours start: no help names them.
const INTERNAL: &[&str] = &["built-in", "mcp-call", "relay"];

fn help(place: &Place, path: &[&str]) -> String {
    let words: Vec<&str> = path.iter().copied().chain(["--help"]).collect();
    place.cue(&words).ok().out
}

/// The lines below a heading, up to an empty line.
fn section<'a>(help: &'a str, heading: &str) -> Vec<&'a str> {
    let below = help.lines().skip_while(|line| *line != heading).skip(1);
    below.take_while(|line| !line.is_empty()).collect()
}

/// The first word of each entry of a section; a line that only goes on stands further to the right.
fn names<'a>(help: &'a str, heading: &str) -> Vec<&'a str> {
    let entry = |line: &'a str| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '));
    section(help, heading).into_iter().filter_map(entry).filter_map(|rest| rest.split(' ').next()).collect()
}

/// The commands that the first page of the help names without a group.
fn more(help: &str) -> Vec<&str> {
    let line = help.lines().find_map(|line| line.strip_prefix("More: ")).expect("a line for the others");
    line.split(", ").collect()
}

/// Every command at any depth, with its help.
pub(crate) fn commands(place: &Place) -> Vec<(Vec<String>, String)> {
    let front = help(place, &[]);
    let groups = ["Run:", "Decide:", "Operate:"].map(|heading| names(&front, heading)).concat();
    let top = groups.into_iter().chain(more(&front));
    let mut open: Vec<Vec<String>> = top.map(|name| vec![name.to_owned()]).collect();
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        let page = help(place, &path.iter().map(String::as_str).collect::<Vec<_>>());
        open.extend(names(&page, "Commands:").iter().map(|name| [&path[..], &[(*name).to_owned()]].concat()));
        found.push((path, page));
    }
    found
}

#[test]
fn the_top_has_at_most_18_commands_in_groups_and_names_the_others_in_one_line() {
    let page = help(&Place::new(), &[]);
    let groups = ["Run:", "Decide:", "Operate:"].map(|heading| names(&page, heading));
    assert!(groups.iter().all(|names| !names.is_empty()), "{page}");
    let top: Vec<&str> = groups.concat();
    assert!(top.len() <= 18, "{top:?}");
    assert!(
        ["run", "demo", "approve", "gate", "serve", "audit"].iter().all(|text| top.contains(text)),
        "{top:?}"
    );
    let others = more(&page);
    assert!(
        ["agent", "event", "state", "keys", "token", "dev"].iter().all(|text| others.contains(text)),
        "{page}"
    );
    assert!(!others.iter().any(|text| top.contains(text) || INTERNAL.contains(text)), "{page}");
    assert!(!page.contains("Commands:"), "each command stands once: {page}");
}

#[test]
fn every_command_opens_with_a_plain_sentence_and_shows_usage_an_example_and_global_flags_in_this_order() {
    let place = Place::new();
    let (mut seen, mut complaints) = (0, String::new());
    for (path, page) in commands(&place) {
        seen += 1;
        let command = format!("cuelight {}", path.join(" "));
        let mut complain = |why: &str| complaints.push_str(&format!("{command}: {why}\n"));
        let sentence = page.lines().next().unwrap_or_default();
        let opening = sentence.split([' ', ',']).next().unwrap_or_default();
        if RIDDLES.contains(&opening) || sentence.split(' ').count() < 3 {
            complain(&format!("{sentence:?} is no plain sentence"));
        }
        let places =
            ["\nUsage: ", "\nExample", "\nOptions:", "\nGlobal options:"].map(|text| page.find(text));
        if !places.iter().all(Option::is_some) || !places.is_sorted() {
            complain("sentence, usage, example, flags and global flags do not stand in this order");
        }
        let examples =
            page.split("\nExample").nth(1).and_then(|part| part.split("\n\n").next()).unwrap_or_default();
        if !examples.contains(&command) {
            complain("its example does not use it");
        }
        let below = page.split("\nGlobal options:").nth(1).unwrap_or_default();
        if below.lines().any(|line| line.starts_with(|c: char| c != ' ')) {
            complain("something stands after the global flags");
        }
        for flags in page.split("\nExample").skip(1) {
            for line in flags.lines().filter_map(|line| line.split_once("  ").map(|halves| halves.1.trim())) {
                let opening =
                    line.rsplit("  ").next().unwrap_or_default().split(' ').next().unwrap_or_default();
                if RIDDLES.contains(&opening) {
                    complain(&format!("{line:?} opens with a riddle"));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
    assert!(seen > 80, "nested commands are looked at as well: {seen}");
}

/// Every command of 0.1.0 that moved, with its new words.
const MOVED: &[(&str, &str)] = &[
    ("agents", "agent"),
    ("agents list", "agent list"),
    ("comment", "gate comment"),
    ("completions", "dev completions"),
    ("context", "agent context"),
    ("delegate", "gate delegate"),
    ("diff", "run diff"),
    ("done", "run done"),
    ("doubt", "run doubt"),
    ("drill", "dev drill"),
    ("edit", "gate edit"),
    ("emit", "event emit"),
    ("errors", "error"),
    ("errors show", "error show"),
    ("eval", "dev eval"),
    ("events", "run events"),
    ("fmt", "dev fmt"),
    ("fork", "run fork"),
    ("graph", "dev graph"),
    ("health", "engine health"),
    ("history", "run history"),
    ("knowledge", "agent knowledge"),
    ("knowledge add", "agent knowledge add"),
    ("man", "dev man"),
    ("messages", "event messages"),
    ("models", "model"),
    ("models test", "model test"),
    ("pause", "run pause"),
    ("receipt", "audit receipt"),
    ("replay", "run replay"),
    ("reset", "engine reset"),
    ("results", "agent results"),
    ("results hand-in", "agent results hand-in"),
    ("resume", "run resume"),
    ("review", "gate review"),
    ("schedules", "schedule"),
    ("schedules hold", "schedule hold"),
    ("schema", "dev schema"),
    ("screenshot", "dev screenshot"),
    ("send-back", "gate send-back"),
    ("settle-undo", "run settle-undo"),
    ("shutdown", "engine shutdown"),
    ("skip", "run skip"),
    ("take-over", "engine take-over"),
    ("timeline", "run timeline"),
    ("tools", "tool"),
    ("tools add", "tool add"),
    ("topics", "event topics"),
    ("topics rotate", "event topics rotate"),
    ("undo", "run undo"),
    ("verify", "audit verify"),
    ("wait", "gate wait"),
    ("withdraw", "gate withdraw"),
];

/// An old spelling tells the new one, once, and never on standard output.
#[track_caller]
fn tells_once(said: &Said, new: &str) {
    assert_eq!(said.err.matches(" is now `cuelight").count(), 1, "{said:?}");
    assert!(said.err.contains(&format!("`cuelight {new}`")) && !said.out.contains("is now"), "{said:?}");
}

#[test]
fn every_old_spelling_works_says_the_new_one_once_and_shows_its_usage_when_flags_are_wrong() {
    let place = Place::new();
    for (old, new) in MOVED {
        let old: Vec<&str> = old.split(' ').collect();
        let first = new.split(' ').take(new.split(' ').count() + 1 - old.len()).collect::<Vec<_>>().join(" ");
        let new_help = help(&place, &new.split(' ').collect::<Vec<_>>());
        let said = place.cue(&[&old[..], &["--help"]].concat()).ok();
        tells_once(&said, &first);
        assert_eq!(said.out, new_help, "{old:?}");
        let wrong =
            place.cue(&[&["--ascii", "--color", "never"], &old[..], &["--no-such-flag", "x"]].concat());
        assert_eq!(wrong.code, 2, "{old:?}: {wrong:?}");
        tells_once(&wrong, &first);
        assert!(wrong.err.contains(&format!("Usage: cuelight {new}")) && wrong.out.is_empty(), "{wrong:?}");
    }
}

#[test]
fn an_old_spelling_gives_the_same_output_and_messages_stay_json_where_they_are_to_be_json() {
    let place = Place::new();
    let (old, new) = (place.cue(&["eval", "1 + 1 == 2"]), place.cue(&["dev", "eval", "1 + 1 == 2"]));
    assert_eq!((old.code, &old.out), (new.code, &new.out), "{old:?} {new:?}");
    let said = place.cue(&["--log-format", "json", "eval", "1"]).ok();
    let line: serde_json::Value =
        serde_json::from_str(said.err.trim()).expect("one object on standard error");
    assert!(line["message"].as_str().is_some_and(|message| message.contains("cuelight dev eval")), "{line}");
    assert_eq!(place.cue(&["dev", "eval", "1"]).err, "", "the new spelling tells nothing");
}

#[test]
fn the_old_verify_never_checks_the_log_in_place_of_a_file_that_was_left_out() {
    let said = Place::new().cue(&["verify"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("Usage: cuelight audit verify <FILE>"), "{said:?}");
}

#[test]
fn a_command_of_run_wins_only_when_its_word_stands_first_and_a_file_of_that_name_is_written_with_its_place() {
    let place = Place::new();
    place.write("pause", "name: w\nsteps:\n  - id: a\n    run: echo ran\n");
    assert!(place.cue(&["run", "./pause", "--headless"]).ok().out.starts_with("r-1"));
    assert!(place.cue(&["run", "--headless", "--", "pause"]).ok().out.starts_with("r-2"));
    let said = place.cue(&["run", "pause"]);
    assert!(said.code == 2 && said.err.contains("Usage: cuelight run pause <RUN>"), "{said:?}");
    let said = place.cue(&["run", "pause", "r-1"]);
    assert!(said.err.contains("r-1") && said.code != 0, "{said:?}");
}

#[test]
fn help_is_a_word_as_well() {
    let place = Place::new();
    assert_eq!(place.cue(&["help"]).ok().out, help(&place, &[]));
    assert_eq!(place.cue(&["help", "gate", "wait"]).ok().out, help(&place, &["gate", "wait"]));
}

const OK: &str = "name: fine\nsteps:\n  - id: one\n    run: echo hello\n";
const GATED: &str = "name: gated\nsteps:\n  - id: ok\n    gate: {prompt: \"Ship it?\"}\n";

#[test]
fn latest_is_the_newest_run_and_show_and_logs_take_it_when_no_run_is_named() {
    let place = Place::new();
    let said = place.cue(&["show", "latest", "--workspace", "."]);
    assert_eq!(said.code, 2, "{said:?}");
    place.write("w.yaml", OK);
    place.write("x.yaml", &OK.replace("hello", "second"));
    place.cue(&["run", "w.yaml", "--headless"]).ok();
    place.cue(&["run", "x.yaml", "--headless"]).ok();
    for words in
        [&["show"][..], &["show", "latest"], &["run", "timeline", "latest"], &["run", "events", "latest"]]
    {
        assert!(place.cue(words).ok().out.contains("r-2"), "{words:?}");
    }
    for words in [&["logs"][..], &["logs", "latest", "one"]] {
        assert!(place.cue(words).ok().out.contains("second"), "{words:?}");
    }
    assert!(place.cue(&["run", "diff", "r-1", "latest"]).out.contains("r-2"));
    assert!(place.cue(&["audit", "latest", "--all"]).ok().out.contains("r-2"));
    assert!(place.cue(&["retry", "latest", "--from", "all"]).ok().out.contains("r-3"));
}

#[test]
fn latest_is_the_gate_that_is_open_and_several_are_never_guessed_among() {
    let place = Place::new();
    place.write("w.yaml", GATED);
    let mut first = place.start(&["run", "w.yaml", "--headless"]);
    first.until("gate.asked");
    let mut second = place.start(&["run", "w.yaml", "--headless"]);
    second.until("gate.asked");
    let said = place.cue(&["approve", "latest"]);
    assert!(said.code == 2 && said.err.contains("g-1, g-2 are open"), "{said:?}");
    place.cue(&["approve", "g-1"]).ok();
    place.cue(&["reject", "latest", "--reason", "no"]).ok();
    assert_eq!((first.end().code, second.end().code), (0, 3));
    let said = place.cue(&["approve", "latest"]);
    assert!(said.code == 2 && said.err.contains("none is open"), "{said:?}");
}

#[test]
fn an_approval_in_a_paused_run_names_the_command_that_lets_it_start() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: ok, gate: {prompt: Go?}}\n  - {id: go, needs: ok, run: 'true'}\n",
    );
    let mut run = place.start(&["run", "w.yaml", "--headless"]);
    run.until("gate.asked ok");
    place.cue(&["run", "pause", "r-1"]).ok();
    let said = place.cue(&["approve", "g-1"]).ok().out;
    let words = "g-1 is approved: starts go when r-1, which is paused, is resumed: cuelight run resume r-1";
    assert!(said.contains(words), "{said}");
    place.cue(&["run", "resume", "r-1"]).ok();
    assert_eq!(run.end().code, 0);
}

/// A command line, and words of its answer.
type Spoken = (&'static [&'static str], &'static [&'static str]);

#[test]
fn an_error_names_what_failed_and_the_command_that_helps() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: build, run: 'true'}\n  - {id: ok, needs: build, gate: {prompt: Go?}}\n",
    );
    let mut run = place.start(&["run", "w.yaml", "--headless"]);
    run.until("gate.asked ok");
    let refused: [Spoken; 8] = [
        (
            &["show", "g-1"],
            &["could not find the run g-1: g-1 is a gate; `cuelight gates --show g-1` shows it"],
        ),
        (&["approve", "r-1"], &["could not find the gate r-1: r-1 is a run; `cuelight show r-1` shows it"]),
        (&["logs", "e-7"], &["e-7 is a failure; `cuelight error show e-7` shows it"]),
        (&["gates", "g-1"], &["tip: `cuelight gates --show g-1` shows that gate"]),
        (
            &["approve", "g-1", "--set", "x=1"],
            &["the gate has no form, so no field `x`; answer without values"],
        ),
        (
            &["approve", "g-1", "--as", "nobody"],
            &["could not sign as nobody: this workspace has no people.toml"],
        ),
        (
            &["gate", "send-back", "g-1", "--reason", "x"],
            &["could not send g-1 back: its workflow names no step"],
        ),
        (&["gate", "comment", "g-1", ""], &["could not comment on g-1: the comment is empty; write a text"]),
    ];
    for (args, parts) in refused {
        let said = place.cue(args);
        assert_ne!(said.code, 0, "{args:?}: {said:?}");
        parts.iter().for_each(|part| assert!(said.err.contains(part), "{args:?} says {part:?}: {said:?}"));
    }
    let shown = place.cue(&["gates", "--show", "g-1"]).ok().out;
    assert!(shown.contains("override (cuelight run skip r-1 ok --reason WHY)"), "{shown}");
    place.cue(&["approve", "g-1"]).ok();
    assert_eq!(run.end().code, 0);
    let shown = place.cue(&["gates", "--show", "g-1"]).ok().out;
    let may = shown.lines().nth(1).expect("a line");
    assert!(
        may.contains("do nothing here: it was approved already, by ") && !may.contains("--show"),
        "{may}"
    );
    let said = place.cue(&["logs", "r-1", "build"]).ok();
    assert_eq!((said.out.as_str(), said.err.trim()), ("", "build of r-1 has written no output"));
    let said = place.cue(&["retry", "r-1", "--from", "all"]).ok();
    assert!(said.err.contains("r-2 retries r-1; an engine runs it in the background"), "{said:?}");
    let help = help(&place, &["run"]);
    assert!(help.contains("one line a change; without a terminal it always"), "{help}");
}

#[test]
fn runs_tell_their_start_and_their_duration_in_two_columns() {
    let place = Place::new();
    place.write("w.yaml", OK);
    place.cue(&["run", "w.yaml", "--headless"]).ok();
    let table = place.cue(&["runs"]).ok().out;
    let head: Vec<&str> = table.lines().next().expect("a head").split_whitespace().collect();
    assert_eq!(head, ["RUN", "WORKFLOW", "STATE", "STEPS", "STARTED", "TOOK", "BY"]);
    assert!(table.lines().nth(1).is_some_and(|row| row.contains(" ago  ")), "{table}");
}

/// The answer of the program to a shell that completes the last of these words.
fn completed(place: &Place, words: &[&str]) -> String {
    let mut command = place.command(&[&["--", "cuelight"], words].concat());
    command.env("CUELIGHT_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    command.env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "true");
    String::from_utf8_lossy(&command.output().expect("the program starts").stdout).into_owned()
}

#[test]
fn a_shell_completes_ids_of_runs_and_open_gates() {
    let place = Place::new();
    place.write("w.yaml", GATED);
    assert!(place.cue(&["dev", "completions", "bash"]).ok().out.contains("CUELIGHT_COMPLETE"));
    assert_eq!(completed(&place, &["show", "r-"]), "", "no workspace, no ids, no error");
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    assert_eq!(completed(&place, &["show", "r-"]), "r-1");
    assert_eq!(completed(&place, &["run", "pause", "la"]), "latest");
    assert_eq!(completed(&place, &["approve", "g"]), "g-1");
    assert!(!completed(&place, &["pa"]).contains("pause"), "an old spelling is not offered");
    place.cue(&["reject", "g-1", "--reason", "no"]).ok();
    console.end();
}

#[test]
fn one_letter_means_one_thing_and_the_old_meaning_still_works() {
    let place = Place::new();
    assert!(!help(&place, &["approve"]).contains("-i,"), "it is --set there");
    let form =
        "name: w\nsteps:\n  - id: ok\n    gate: {prompt: \"Ship it?\", form: {ticket: {type: string}}}\n";
    place.write("w.yaml", form);
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    place.cue(&["approve", "g-1", "-i", "ticket=CHG-7"]).ok();
    assert_eq!(console.end().code, 0);
}

const FAILS: &str = "name: w\nsteps:\n  - id: one\n    run: echo fine; echo '::error::not ours'\n  - id: two\n    \
    needs: one\n    run: echo 'lost %'; exit 3\n";

#[test]
fn a_log_has_a_line_for_each_event_that_matters_the_output_of_steps_and_a_summary_with_the_next_command() {
    let place = Place::new();
    place.write("w.yaml", FAILS);
    let said = place.cue(&["run", "w.yaml", "--headless"]);
    assert_eq!(said.code, 1, "{said:?}");
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[0], "r-1");
    let at = |part: &str| {
        lines.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {said:?}"))
    };
    let order =
        ["attempt.started", "one │ fine", "step.completed", "two │ lost %", "step.failed", "run.finished"]
            .map(at);
    assert!(order.is_sorted(), "{said:?}");
    assert!(said.out.contains("r-1 w failed in ") && said.out.contains("1 of 2 steps completed"), "{said:?}");
    assert!(lines.last().is_some_and(|line| line.starts_with("next: cuelight retry r-1")), "{said:?}");
    assert!(!said.out.contains("step.ready") && !said.out.contains('\u{1b}'), "{said:?}");
}

#[test]
fn a_log_says_at_a_gate_how_to_answer() {
    let place = Place::new();
    place.write("w.yaml", GATED);
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("answer: cuelight approve g-1, or cuelight reject g-1 --reason TEXT");
    place.cue(&["approve", "g-1"]).ok();
    assert_eq!(console.end().code, 0);
}

#[test]
fn a_log_of_github_has_groups_in_which_no_step_gives_commands_and_annotations_that_are_escaped() {
    let place = Place::new().with("GITHUB_ACTIONS", "true");
    place.write("w.yaml", FAILS);
    let said = place.cue(&["run", "w.yaml", "--headless"]);
    assert_eq!(said.code, 1, "{said:?}");
    let lines: Vec<&str> = said.out.lines().collect();
    let start = lines.iter().position(|line| *line == "::group::one, attempt 1").expect("a group");
    let word = lines[start + 1].strip_prefix("::stop-commands::").expect("commands are off");
    let end = lines.iter().position(|line| *line == format!("::{word}::")).expect("commands are on again");
    assert!(lines[start + 2..end].contains(&"one │ ::error::not ours"), "{said:?}");
    assert_eq!(lines[end + 1], "::endgroup::");
    assert!(
        lines.iter().any(|line| line.starts_with("::error title=Step two failed::lost %25 (exit code 3)")),
        "{said:?}"
    );
    assert_eq!(said.out.matches("::stop-commands::").count(), 2, "{said:?}");
}

#[test]
fn a_log_of_gitlab_has_sections() {
    let place = Place::new().with("GITLAB_CI", "true");
    place.write("w.yaml", OK);
    let said = place.cue(&["run", "w.yaml", "--headless"]).ok().out;
    let (start, end) =
        (said.find(":one_1[collapsed=true]\r\u{1b}[0Kone, attempt 1\n"), said.find("section_end:"));
    assert!(said.contains("\u{1b}[0Ksection_start:") && start.is_some() && start < end, "{said:?}");
}

#[test]
fn at_a_terminal_each_step_has_a_line_and_the_summary_shows_why_it_failed_and_the_next_command() {
    let place = Place::new();
    place.write("w.yaml", FAILS);
    let shown = crate::json_on_terminals::on_terminal(&place, &["run", "w.yaml", "--headless"]);
    for part in [
        "completed  one",
        "failed     two",
        "r-1 w failed in ",
        "two failed: lost % (exit code 3)",
        "  │ lost %",
        "next: cuelight retry r-1",
    ] {
        assert!(shown.contains(part), "{part}: {shown:?}");
    }
    assert!(!shown.contains("attempt.started"), "{shown:?}");
}
