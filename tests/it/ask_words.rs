//! An ask is worded once: the console and the terminal show the same words for the same facts.

use crate::{console::lines_of_ask, program::Place};
use regex::Regex;

/// A screen on which no line of an ask is wrapped, and none is below its end.
const WIDE: &str = "1000x400";

/// Asks of every kind: with a form, evidence and parameters; with nothing behind; of high risk; with another gate
/// behind; with files that are only named; with values that are set, a message that is sent and results that are cached.
const WORKFLOWS: &[&str] = &[
    r"
name: web/release
on-failure: compensate
steps:
  - {id: build, run: 'true', effect: idempotent, undo: 'true'}
  - id: g
    needs: build
    gate:
      prompt: |
        Release 4.2 to all customers?
        Read the plan first.
      risk: externally-reversible
      evidence: [plan.txt, '${{ run.id }} is the run']
      binds: ['${{ run.id }}']
      form:
        ticket: {type: string, pattern: '^CHG-[0-9]+$', default: CHG-1042, description: the change}
        share: {type: integer, default: 20}
      timeout: 30m
      send-back: build
      on-reject: compensate
  - {id: deploy, needs: g, run: './deploy.sh data.csv', env: {SHARE: '${{ steps.g.form.share }}'}, effect: keyed, outputs: {url: string}}
  - {id: announce, needs: deploy, run: 'echo ${{ steps.deploy.outputs.url }}'}
  - {id: tidy, needs: g, if: 'always()', run: 'true', effect: pure}
",
    "name: alone\nsteps:\n  - {id: g, gate: {prompt: 'Sure?', risk: read-only, evidence: [plan.txt]}}\n",
    "name: high\nsteps:\n  - {id: g, gate: {prompt: 'All of it?', risk: irreversible, require: [{count: 2}]}}\n  \
     - {id: wipe, needs: g, matrix: {region: [eu, us]}, run: echo, fallback: [{run: 'false'}]}\n",
    "name: two\nsteps:\n  - {id: g, gate: {prompt: 'Next?', consent: snapshot}}\n  \
     - {id: h, needs: g, gate: {prompt: 'Really?'}}\n  - {id: ship, needs: h, run: ./deploy.sh}\n",
    WRITES,
];

const WRITES: &str = r"
name: writes
steps:
  - {id: g, gate: 'Publish?'}
  - id: note
    needs: g
    set: {scope: global, values: {target: 'eu-${{ run.id }}', limits: {cpu: 2}}, ttl: 1h, if-etag: {target: none}}
  - {id: tell, needs: g, emit: {topic: deploys, to: ops, data: {at: '${{ run.id }}'}}}
  - {id: look, needs: g, run: echo, effect: pure, cache: {key: k}, outputs: {v: string}}
  - {id: after, needs: look, set: {scope: run, values: {seen: '${{ steps.look.outputs.v }}'}}}
";

#[test]
fn an_ask_shows_each_value_that_is_set_each_message_that_is_sent_and_where_a_cached_result_may_be_used() {
    let place = Place::new();
    place.write("w.yaml", WRITES);
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    let shown = place.cue(&["gates", "--show", "g-1"]).ok().out;
    let (_, calls) = shown.split_once("will run").expect("a call");
    let (calls, _) = calls.split_once("\nwho ").expect("its end");
    let hash = Regex::new(r"\b[0-9a-f]{12,64}\b").expect("right");
    insta::assert_snapshot!("ask_words_of_writes", hash.replace_all(calls, "HASH"));
    let json: serde_json::Value =
        serde_json::from_str(&place.cue(&["gates", "--json"]).ok().out).expect("JSON");
    assert_eq!(json[0]["writes"][0]["values"]["target"], "eu-r-1");
    assert_eq!(json[0]["will_run"][0]["may_be_cached"], true);
}

/// The words of the ask in the pane beside the inbox, in their order.
fn on_the_screen(screen: &str) -> Vec<String> {
    // The code is drawn at one console, for one moment.
    words(lines_of_ask(screen).into_iter().filter(|line| !line.starts_with("to approve, type")))
}

/// The words of the ask at a terminal, without its title and without votes and details, which the console has beside it.
fn at_a_terminal(shown: &str) -> Vec<String> {
    let (_, ask) = shown.split_once("\n\n").expect("a title");
    let is_beside = |section: &&str| section.starts_with("votes ") || section.starts_with("details ");
    let sections = ask.split("\n\n").filter(|section| !is_beside(section));
    words(sections.flat_map(str::lines).map(ToOwned::to_owned))
}

/// Words without signs and bars; instants and hashes in the short spelling of the screen.
fn words(lines: impl Iterator<Item = String>) -> Vec<String> {
    let instant = Regex::new(r"\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)(\.\d+)?Z").expect("right");
    let hash = Regex::new(r"\b([0-9a-f]{8})[0-9a-f]{56}\b").expect("right");
    let short = |line: String| hash.replace_all(&instant.replace_all(&line, "$1"), "$1").into_owned();
    let is_word = |word: &&str| !["│", "|", "✓", "~", "◇", "·"].contains(word);
    lines
        .map(short)
        .flat_map(|line| line.split_whitespace().filter(is_word).map(ToOwned::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn the_screen_and_the_terminal_say_the_same_words_of_every_ask() {
    let place = Place::new();
    place.write("plan.txt", "1. stop one of three\n2. put 4.2 there\n\n");
    place.write("data.csv", "a,b\n");
    place.write("deploy.sh", "#!/bin/sh\necho url=x >> \"$CUELIGHT_OUTPUT\"\n");
    for (index, workflow) in WORKFLOWS.iter().enumerate() {
        let file = format!("w{index}.yaml");
        place.write(&file, workflow);
        let mut console = place.start(&["run", &file, "--headless"]);
        console.until("gate.asked");
        let gate = format!("g-{}", index + 1);
        let shown = place.cue(&["gates", "--show", &gate]).ok().out;
        let screen = place.cue(&["dev", "screenshot", "--view", "gates", "--size", WIDE]).ok().out;
        let (screen, terminal) = (on_the_screen(&screen), at_a_terminal(&shown));
        assert_eq!(screen, terminal, "{shown}");
        assert!(
            terminal.len() > 20
                && shown.lines().last().is_some_and(|last| last.starts_with("END OF THE ASK   "))
        );
        place.cue(&["cancel", &format!("r-{}", index + 1), "--reason", "the next one"]).ok();
        console.until("run.finished");
    }
}

#[test]
fn a_terminal_shows_the_evidence_that_the_console_shows() {
    let place = Place::new();
    place.write("plan.txt", "stop one of three\n\u{1b}[2Jput 4.2 there\n");
    place.write("w.yaml", WORKFLOWS[1]);
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    let shown = place.cue(&["gates", "--show", "g-1"]).ok().out;
    assert!(shown.contains("\n            | stop one of three\n            | "), "{shown}");
    assert!(!shown.contains('\u{1b}') && shown.contains("put 4.2 there"), "{shown}");
}

#[test]
fn a_rejection_names_the_person_and_the_reason_wherever_it_is_told() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: g, gate: {prompt: 'Ship it?'}}\n  - {id: ship, needs: g, run: 'true'}\n",
    );
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    place.cue(&["reject", "g-1", "--reason", "wrong image"]).ok();
    let told = console.end();
    let why = "rejected it: wrong image";
    assert!(told.out.contains(why), "{told:?}");
    let shown = place.cue(&["show", "r-1"]).ok().out;
    assert!(shown.matches(why).count() == 2 && shown.contains("0 failed, 1 rejected"), "{shown}");
    assert!(!shown.contains("trying again as it is would not help"), "{shown}");
}

#[test]
fn cancelled_steps_are_not_counted_as_done() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: a, run: 'true'}\n  - {id: b, needs: a, run: sleep 60}\n  - {id: c, needs: b, run: 'true'}\n",
    );
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("attempt.started b");
    place.cue(&["cancel", "r-1", "--reason", "enough"]).ok();
    console.until("run.finished");
    let runs = place.cue(&["runs"]).ok().out;
    assert!(runs.contains("1/3 done, 1 cancelled, 1 skipped"), "{runs}");
    let shown = place.cue(&["show", "r-1"]).ok().out;
    assert!(shown.contains("1 of 3 steps completed") && shown.contains("0 failed, 1 cancelled"), "{shown}");
}

#[test]
fn a_call_that_was_refused_before_its_start_is_no_try() {
    let place = Place::new();
    let script = |text: &str| place.write("deploy.sh", text);
    script("echo one\n");
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: g, gate: {prompt: 'Ship it?', undo-window: 0s}}\n  \
         - {id: a, needs: g, run: cp new.sh deploy.sh}\n  - {id: ship, needs: a, run: sh deploy.sh}\n",
    );
    place.write("new.sh", "echo two\n");
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    place.cue(&["approve", "g-1"]).ok();
    console.until("gate.asked");
    let shown = place.cue(&["show", "r-1"]).ok().out;
    let ship = shown.lines().find(|line| line.starts_with("ship ")).expect("a row");
    assert!(!ship.split_whitespace().any(|word| word == "1"), "{shown}");
}

#[test]
fn a_script_that_was_changed_since_the_last_approval_is_compared_by_line_above_all_else() {
    let place = Place::new();
    place.write("purge.sh", "#!/bin/sh\necho purge old\necho done\n");
    place.write(
        "w.yaml",
        "name: db/purge\nsteps:\n  - {id: g, gate: {prompt: 'Purge?'}}\n  - {id: purge, needs: g, run: 'sh purge.sh'}\n",
    );
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    place.cue(&["approve", "g-1"]).ok();
    console.end();
    let again = |script: &str, gate: &str| {
        place.write("purge.sh", script);
        let mut console = place.start(&["run", "w.yaml", "--headless"]);
        console.until("gate.asked");
        let shown = place.cue(&["gates", "--show", gate]).ok().out;
        let screen = place.cue(&["dev", "screenshot", "--view", "gates", "--size", "80x24"]).ok().out;
        place.cue(&["cancel", "latest", "--reason", "looked at"]).ok();
        console.end();
        (shown, screen)
    };
    let (same, _) = again("#!/bin/sh\necho purge old\necho done\n", "g-2");
    assert!(same.contains("last time   the same calls, evidence and form, approved by "), "{same}");
    let (changed, screen) = again("#!/bin/sh\necho purge old\nrm -rf /srv/all\n", "g-3");
    let order =
        ["Purge?", "CHANGED", "purge.sh of purge has changed: +1 -1 lines", "+ rm -rf /srv/all", "if yes"];
    for text in [&changed, &screen] {
        let places = order.map(|part| text.find(part).unwrap_or_else(|| panic!("{part} is not in {text}")));
        assert!(places.is_sorted(), "{text}");
    }
    assert!(screen.contains("CHANGED  "), "the list has a mark: {screen}");
}
