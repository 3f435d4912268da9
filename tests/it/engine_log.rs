//! The log of an engine as programs gather it: JSON, a line each, requests of the API among them.

use crate::program::{Place, until};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
};

fn ask(at: SocketAddr, token: &str, asked: &str, fields: &str, body: &str) -> String {
    let mut line = TcpStream::connect(at).expect("it listens");
    let text = format!(
        "{asked} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{fields}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    line.write_all(text.as_bytes()).expect("sent");
    let mut heard = String::new();
    line.read_to_string(&mut heard).expect("an answer");
    heard
}

fn lines(text: &str) -> Vec<Value> {
    let all: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}")))
        .collect();
    for value in &all {
        assert!(value["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{value}");
        assert!(
            value["message"].is_string()
                && ["info", "error"].contains(&value["level"].as_str().unwrap_or("")),
            "{value}"
        );
    }
    all
}

#[test]
fn a_log_in_json_has_a_line_for_each_request_and_gives_nothing_away() {
    let place = Place::new();
    std::fs::create_dir_all(place.file(".cuelight")).expect("made");
    place.write(".cuelight/config.toml", "project = \"shop\"\nlog-format = \"json\"\n");
    let at = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let engine = place.start(&["serve", "--listen", &at.to_string()]);
    until("it listens", || TcpStream::connect(at).is_ok());
    let token = place.cue(&["token", "--agent", "a", "--type", "architect"]).ok().out.trim().to_owned();
    ask(at, &token, "GET /api/results/res-of-somebody", "X-Request-Id: ci-1\r\n", "");
    let trace = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    let event = r#"{"data": "body-of-a-request"}"#;
    ask(at, &token, "POST /api/events/name-of-an-event", &format!("X-Request-Id: ci-2\r\n{trace}"), event);
    ask(at, "token-that-is-none", "GET /api/gates", "X-Request-Id: ci-3\r\n", "");
    ask(at, &token, "GET /nowhere/at/all", "X-Request-Id: ci-4\r\n", "");
    engine.signal(Signal::TERM);
    let said = engine.end();
    let all = lines(&said.err);
    assert!(
        all.iter()
            .any(|line| line["message"].as_str().is_some_and(|message| message.starts_with("serving "))),
        "{said:?}"
    );
    let one = |id: &str| {
        let mut found = all.iter().filter(|line| line["request_id"] == id);
        let one = found.next().unwrap_or_else(|| panic!("{id} in {said:?}"));
        assert!(found.next().is_none() && one["ms"].is_number(), "{said:?}");
        let text = |name: &str| one[name].as_str().map(str::to_owned);
        (
            text("method").unwrap_or_default(),
            text("route"),
            one["status"].as_u64().unwrap_or(0),
            text("project"),
        )
    };
    let told = |method: &str, route: Option<&str>, status: u64, project: Option<&str>| {
        (method.to_owned(), route.map(str::to_owned), status, project.map(str::to_owned))
    };
    assert_eq!(one("ci-1"), told("GET", Some("/api/results/{id}"), 404, Some("shop")));
    assert_eq!(one("ci-2"), told("POST", Some("/api/events/{event_type}"), 202, Some("shop")));
    assert_eq!(one("ci-3"), told("GET", Some("/api/gates"), 401, None));
    assert_eq!(one("ci-4"), told("GET", None, 404, None));
    let traced = all.iter().find(|line| line["request_id"] == "ci-2").expect("it is there");
    assert_eq!(traced["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    for kept in [
        token.as_str(),
        "token-that-is-none",
        "body-of-a-request",
        "name-of-an-event",
        "res-of-somebody",
        "nowhere",
    ] {
        assert!(!said.err.contains(kept), "{kept} stands in the log: {}", said.err);
    }
}

#[test]
fn what_is_told_beside_the_output_is_json_where_that_is_said_and_text_where_not() {
    let place = Place::new();
    place.write("w.yaml", "name: w\nsteps: [{id: say, run: 'true'}]\n");
    let said = place.cue(&["run", "w.yaml", "--headless", "--log-format", "json"]).ok();
    assert!(!lines(&said.err).is_empty(), "{said:?}");
    let said = place.cue(&["run", "nowhere.yaml", "--log-format=json"]);
    assert!(said.code == 2 && lines(&said.err)[0]["level"] == "error", "{said:?}");
    // What cannot be seen moves no terminal here either.
    let said = place.cue(&["run", "no\u{9b}31m\u{202e}where.yaml", "--log-format=json"]);
    assert!(said.code == 2 && lines(&said.err)[0]["level"] == "error", "{said:?}");
    assert!(!said.err.contains(['\u{9b}', '\u{202e}']), "{said:?}");
    let said = place.cue(&["run", "nowhere.yaml"]);
    assert!(said.err.starts_with("could not read nowhere.yaml"), "{said:?}");
}
