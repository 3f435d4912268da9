//! Messages at the door of the program: a run that waits goes on with what another shell says.

use crate::program::Place;
use serde_json::Value;

const WAITS: &str = "name: waits
steps:
  - {id: ask, emit: {event: review/asked, data: {change: 7}}}
  - {id: heard, timeout: 5m, wait: {event: review/done, filter: {change: 7}}}
  - {id: note, needs: heard, env: {BY: '${{ steps.heard.outputs.from }}', OK: '${{ steps.heard.outputs.data.ok }}'}, run: 'echo \"$OK by $BY\" > noted'}
";

#[test]
fn a_run_goes_on_with_what_another_shell_says_and_the_trail_tells_who() {
    let place = Place::new();
    place.write("w.yaml", WAITS);
    let mut run = place.start(&["run", "w.yaml", "--headless"]);
    run.until("heard");
    let said = place.cue(&["show", "r-1"]).ok();
    assert!(said.out.contains("waits for 1 message about review/done with change=7"), "{said:?}");
    let asked: Value = place.cue(&["messages", "--topic", "review/asked", "--json"]).ok().json();
    assert_eq!((asked[0]["from"].as_str(), asked[0]["data"]["change"].as_i64()), (Some("r-1/ask"), Some(7)));

    place.cue(&["emit", "review/done", "-d", "change=8", "-d", "ok=false"]).ok();
    place.cue(&["emit", "review/done", "-d", r#"{"change": 7, "ok": "yes \u001b[31m"}"#, "--id", "k-1"]).ok();
    assert_eq!(run.end().code, 0);
    assert!(place.text("noted").starts_with("yes \u{1b}[31m by "), "{:?}", place.text("noted"));
    let said = place.cue(&["messages"]).ok();
    assert!(said.out.contains("r-1/heard") && said.out.contains("nobody yet"), "{said:?}");
    assert!(!said.out.contains('\u{1b}'), "{said:?}");
    let said = place.cue(&["audit"]).ok();
    assert!(said.out.contains("bus.said"), "{said:?}");

    place.cue(&["emit", "review/done", "-d", r#"{"change": 7, "ok": "yes \u001b[31m"}"#, "--id", "k-1"]).ok();
    let said = place.cue(&["emit", "review/done", "-d", "change=9", "--id", "k-1"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("has said something else under the id k-1; take another id"), "{said:?}");
    let all: Value = place.cue(&["messages", "--json"]).ok().json();
    assert_eq!(all.as_array().map(Vec::len), Some(3), "{all}");
}

#[test]
fn what_cannot_be_said_is_told_with_what_to_do() {
    let place = Place::new();
    let said = place.cue(&["emit", "a"]);
    assert!(said.code == 2 && said.err.contains("could not find a workspace"), "{said:?}");
    place.write("w.yaml", "name: w\nsteps: [{id: tell, emit: {event: told}}]\n");
    place.cue(&["run", "w.yaml", "--headless"]).ok();
    let said = place.cue(&["emit", "a b"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("\"a b\" is no topic"), "{said:?}");
    let said = place.cue(&["emit", "a", "-d", "x"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("write KEY=VALUE, or one JSON value"), "{said:?}");
    let said = place.cue(&["emit", "a", "--type", "shout"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("debate-proposal"), "{said:?}");
}
