//! No token leaves an engine beside its answers: not in traces, not in the log, not in the counts, wherever in a request it stands and
//! whatever an agent that was started does with its own.

use crate::{
    program::{Place, until},
    traces::Listener,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
};

/// It hands out what it knows in every way that it has, uses its token, and fails in the end.
const LEAKY: &str = r#"name: leaky
version: 1
description: Tells everybody what it knows
effect: once
risk: read-only
command: |
  printf '%s' "$JWT_TOKEN" > mine.new && mv mine.new mine
  mkfifo go && read -r word < go
  echo "mine is $JWT_TOKEN"; echo "and $JWT_TOKEN" >&2
  echo "::error::$JWT_TOKEN"
  printf 'result=%s\nstatus=%s\n' "$JWT_TOKEN" "$JWT_TOKEN" >> "$CUELIGHT_OUTPUT"
  exec "./$JWT_TOKEN"
"#;

/// Workflow that handles an input that is a token.
const SAYS: &str = "name: says\ninputs: {word: string}\nsteps:\n  \
     - {id: say, run: 'echo \"$W\" >&2; echo \"word=$W\" >> \"$CUELIGHT_OUTPUT\"; exit 3', env: {W: '${{ inputs.word }}'}}\n";

/// One request as it is sent, byte for byte; the head of the answer, or nothing.
fn raw(at: SocketAddr, text: &str) -> String {
    let mut line = TcpStream::connect(at).expect("it listens");
    // It may answer before it has heard everything.
    drop(line.write_all(text.as_bytes()));
    let mut heard = Vec::new();
    drop(line.read_to_end(&mut heard));
    String::from_utf8_lossy(&heard).into_owned()
}

fn ask(at: SocketAddr, asked: &str, fields: &str, body: &Value) -> String {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = body.len();
    let head = "Host: localhost\r\nConnection: close\r\n";
    raw(at, &format!("{asked} HTTP/1.1\r\n{head}{fields}{kind}Content-Length: {length}\r\n\r\n{body}"))
}

/// Sends a token in every place of a request that somebody could put it into; `good` is whose request it is otherwise.
fn in_odd_places(at: SocketAddr, good: &str, token: &str) {
    let own = format!("Authorization: Bearer {good}\r\n");
    for fields in [
        format!("Authorization: Bearer {token}\r\n"),
        format!("Authorization: bearer  {token}\r\n"),
        format!("Authorization: Basic {token}\r\n"),
        format!("Authorization: {token}\r\n"),
        format!("{own}Authorization: Bearer {token}\r\n"),
        format!("Cookie: token={token}; {token}=1\r\n"),
        format!("{own}Cookie: {token}\r\nX-Api-Key: {token}\r\nProxy-Authorization: Bearer {token}\r\n"),
        format!("{own}X-Request-Id: {token}\r\nIdempotency-Key: {token}\r\n"),
        format!("{own}traceparent: {token}\r\ntracestate: a={token}\r\nbaggage: a={token}\r\n"),
        format!("{own}User-Agent: {token}\r\nReferer: http://localhost/?token={token}\r\n"),
        format!("{own}{token}: {token}\r\nLast-Event-ID: {token}\r\nIf-Match: \"{token}\"\r\n"),
        format!("{own}Origin: http://{token}\r\n"),
    ] {
        ask(at, "GET /api/gates", &fields, &Value::Null);
    }
    for asked in [
        format!("GET /api/gates?access_token={token}"),
        format!("GET /api/gates?state={token}&{token}=1"),
        format!("GET /{token}"),
        format!("GET /{token}/../api/gates"),
        format!("GET /api/gates/{token}"),
        format!("GET /api/runs/{token}/events"),
        format!("GET /api/agents/{token}"),
        format!("PUT /api/agents/{token}/heartbeat"),
        format!("GET /api/state/global/{token}"),
        format!("GET /api/context/{token}/{token}"),
        format!("GET /api/events/wait/{token}?timeout=1"),
        format!("GET /metrics?token={token}"),
        format!("GET http://{token}/api/gates"),
        format!("{token} /api/gates"),
        format!("{token} /{token}"),
        format!("BREW /{token}"),
    ] {
        ask(at, &asked, &own, &Value::Null);
    }
    raw(at, &format!("GET /api/gates HTTP/{token}\r\n\r\n"));
    raw(at, &format!("{token}\r\n\r\n"));
    ask(at, "GET /api/gates", &format!("{own}Host: {token}\r\n"), &Value::Null);
    ask(at, "POST /api/gates", &format!("{own}Content-Type: {token}\r\n"), &json!({"title": token}));
    let result = json!({"agent_id": token, "agent_type": "architect", "issue_id": token, "project_id": "shop",
        "result": {"status": "success", "why": token}});
    for (asked, body) in [
        ("POST /api/gates", json!({"title": token, "binds": {"a": token}, token: token})),
        (
            "POST /api/gates",
            json!({"title": token, "binds": {"a": token}, "evidence": [{"name": "a", "text": token}]}),
        ),
        ("POST /api/gates/g-1/decision", json!({"decision_id": token})),
        ("POST /api/runs", json!({"workflow": token})),
        ("POST /api/runs", json!({"workflow": "says.yaml", "inputs": {token: token}})),
        ("POST /api/runs", json!({"workflow": "says.yaml", "inputs": {"word": token}})),
        ("POST /api/events/done", json!({"data": {token: token}, "correlation_id": token})),
        ("POST /api/results", result),
        ("POST /api/knowledge", json!({"type": "general", "content": token, "metadata": {token: token}})),
        ("PUT /api/state/global/k", json!({"value": token})),
        ("POST /api/agents", json!({"agent_id": token})),
        ("POST /api/agents", json!({"capabilities": [token], "metadata": {token: token}})),
        ("POST /api/agents/spawn", json!({"agent_type": "leaky", "issue_id": token, "task": token})),
        ("POST /api/agents/spawn", json!({"agent_type": token, "issue_id": "S-1", "task": token})),
        (
            "POST /api/agents/spawn",
            json!({"agent_type": "leaky", "issue_id": "S-1", "task": token, "environment": {"LD_PRELOAD": token}}),
        ),
        (
            "POST /api/agents/spawn",
            json!({"agent_type": "leaky", "issue_id": "S-1", "task": "x", "with": {"a": token}}),
        ),
        (&*format!("POST /api/events/{token}"), json!({"data": 1})),
        (&*format!("PUT /api/state/global/{token}"), json!({"value": 1})),
        ("POST /api/token/refresh", Value::Null),
    ] {
        ask(at, asked, &own, &body);
    }
}

/// Parts of a token that nobody else may read: its claims, its signature, and any text that begins as JSON
/// does in base64.
fn parts(token: &str) -> Vec<String> {
    let mut parts: Vec<String> = token.split('.').skip(1).map(str::to_owned).collect();
    parts.extend(["eyJ".to_owned(), token.to_owned()]);
    parts
}

#[test]
fn no_token_stands_in_traces_the_log_or_the_counts_wherever_it_is_sent_and_whatever_an_agent_does_with_its_own()
 {
    let collector = Listener::start("200 OK");
    let place = Place::new();
    fs::create_dir_all(place.file(".cuelight/agents")).expect("made");
    let endpoint = format!(
        "http-private = [\"127.0.0.1\"]\n[traces]\nendpoint = \"http://{}\"\n[spawn.leaky]\ngate = false\n",
        collector.at
    );
    let settings = format!(
        "project = \"shop\"\nlog-format = \"json\"\nrates = {{architect = \"unlimited\", leaky = \"unlimited\"}}\n{endpoint}"
    );
    place.write(".cuelight/config.toml", &settings);
    place.write(".cuelight/agents/leaky.yaml", LEAKY);
    place.write("says.yaml", SAYS);
    let at = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let engine = place.start(&["serve", "--listen", &at.to_string()]);
    until("it listens", || TcpStream::connect(at).is_ok());
    let all = "read_context,write_results,publish_events,spawn_agents,read_gates,view_metrics,manage_agents";
    let good = place.cue(&["token", "--agent", "a", "--type", "architect", "--permissions", all]).ok();
    let good = good.out.trim().to_owned();
    let own = format!("Authorization: Bearer {good}\r\n");
    let start = json!({"agent_type": "leaky", "issue_id": "S-1", "task": "Tell"});
    let told = ask(at, "POST /api/agents/spawn", &own, &start);
    assert!(told.starts_with("HTTP/1.1 201 "), "{told}");
    until("it has its token", || place.file("mine").exists() && place.file("go").exists());
    let spawned = place.text("mine");
    assert_eq!(spawned.split('.').count(), 3, "{spawned}");
    // One that is wrong only in its signature, and one that is none.
    let (front, back) = good.rsplit_once('.').expect("three parts");
    let forged = format!("{front}.{}", back.chars().rev().collect::<String>());
    for (whose, token) in [(&good, &good), (&good, &forged), (&spawned, &spawned)] {
        in_odd_places(at, whose, token);
    }
    let counts = ask(at, "GET /metrics", &own, &Value::Null);
    assert!(counts.contains("path=\"/api/agents/spawn\""), "{counts}");
    fs::write(place.file("go"), "go\n").expect("it reads");
    until("the run of the agent is over", || {
        let spans = collector.spans();
        spans.values().any(|span| span["name"] == "run spawn-leaky")
            && spans.values().any(|span| span["name"] == "run says")
    });
    let counts =
        counts + &ask(at, "GET /metrics", &own, &Value::Null) + &ask(at, "GET /status", &own, &Value::Null);
    engine.signal(Signal::TERM);
    let said = engine.end();
    let sent: Vec<String> = collector.heard().iter().map(|heard| format!("{heard:?}")).collect();
    let (sent, log) = (sent.concat(), said.out + &said.err);
    assert!(log.contains("\"method\":\"_OTHER\""), "{log}");
    for named in ["POST /api/runs", "POST /api/agents/spawn", "leaky"] {
        assert!(sent.contains(named), "the collector has heard of it: {named}");
    }
    assert!(log.lines().count() > 100 && log.contains("\"route\":\"/api/agents/spawn\""), "{log}");
    for (what, text) in [("traces", &sent), ("the log", &log), ("the counts", &counts)] {
        for part in [&good, &spawned, &forged].into_iter().flat_map(|good| parts(good)) {
            let found = text
                .find(&part)
                .map(|value| text[value.saturating_sub(200)..].chars().take(500).collect::<String>());
            assert_eq!(found, None, "{part} stands in {what}");
        }
    }
}
