//! Events over HTTP: said, waited for and followed, on the bus that steps of workflows use, each project by itself.

use super::{MOST, Said, Sidecar, said};
use crate::{
    program::{Place, until},
    runtime::ann,
    syscalls::may_trace,
};
use cuelight_base::Value;
use cuelight_engine::Command;
use cuelight_exchange::NewMessage;
use cuelight_gateway::{Claims, Permission, Rates};
use cuelight_runtime::{Desk as _, Entropy, Reply, Request};
use rustix::process::Signal;
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::SocketAddr,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const TALKS: &str = "name: talks
steps:
  - {id: ask, emit: {event: review/asked, data: {change: 7}}}
  - {id: heard, wait: {event: review/done, filter: {change: 7}}}
  - {id: note, needs: heard, set: {values: {ok: '${{ steps.heard.outputs.data.ok }}'}}}
";

/// The ids of what was heard.
pub(super) fn ids(told: &Value) -> Vec<&str> {
    let events = told["events"].as_array().expect("events");
    events.iter().map(|event| event["event_id"].as_str().expect("an id")).collect()
}

/// A line on which events come.
pub(super) struct Line(TcpStream, String);

impl Line {
    pub(super) async fn open(sidecar: &Sidecar, path: &str, token: &str, last: Option<&str>) -> Self {
        let mut line = TcpStream::connect(sidecar.at).await.expect("it listens");
        let last = last.map(|text| format!("Last-Event-ID: {text}\r\n")).unwrap_or_default();
        let asked =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{last}\r\n");
        line.write_all(asked.as_bytes()).await.expect("sent");
        Self(line, String::new())
    }

    /// Reads until something has come.
    pub(super) async fn until(&mut self, part: &str) {
        let mut bytes = vec![0; 64 * 1024];
        let mut from = 0;
        while !self.1.as_bytes()[from..].windows(part.len()).any(|window| window == part.as_bytes()) {
            from = self.1.len().saturating_sub(part.len());
            let count = timeout(MOST, self.0.read(&mut bytes)).await.expect("in time").expect("a line");
            assert!(count > 0, "{part} never came: {}", self.1);
            self.1.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    }

    /// All text received so far.
    pub(super) fn text(&self) -> &str {
        &self.1
    }

    /// The ids that came, in order.
    pub(super) fn ids(&self) -> Vec<&str> {
        self.1.lines().filter_map(|line| line.strip_prefix("id: ")).collect()
    }
}

async fn say(sidecar: &Sidecar, token: &str, event: &str, id: &str, data: Value) -> Value {
    sidecar.post(&format!("/api/events/{event}"), token, json!({"id": id, "data": data})).await.is(202)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_and_steps_hear_each_other() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    fs::write(sidecar.dir.path().join("talks.yaml"), TALKS).expect("a file");
    let waits = sidecar.get("/api/events/wait/review%2Fasked?filter=change:7", &token);
    let starts = sidecar.post("/api/runs", &token, json!({"workflow": "talks.yaml"}));
    let (heard, run) = tokio::join!(waits, starts);
    run.is(201);
    let heard = heard.is(200);
    let event = &heard["events"][0];
    assert_eq!((&event["publisher"], &event["data"]), (&json!("r-1/ask"), &json!({"change": 7})));
    assert_eq!((&event["event_type"], &event["topic"]), (&json!("review/asked"), &json!("review/asked")));
    say(&sidecar, &token, "review%2Fdone", "no", json!({"change": 8})).await;
    let body = json!({
        "publisher": "reviewer-1/s2", "topic": "security", "data": {"change": 7, "ok": "yes"},
        "correlation_id": "c-1", "priority": "high", "qos": "at-least-once", "meta": {"tool": "lint"},
    });
    let told = sidecar.post("/api/events/review%2Fdone", &token, body).await.is(202);
    assert_eq!(told["subscribers_notified"], json!(["r-1/heard"]));
    assert_eq!((&told["published"], &told["topic"]), (&json!(true), &json!("security")));
    let mut boards = sidecar.engine().desk().boards();
    let rests = |seen: &cuelight_runtime::Seen| seen.board.open_runs().next().is_none();
    timeout(MOST, boards.wait_for(rests)).await.expect("in time").expect("it goes on");
    drop(boards);
    assert_eq!(sidecar.get("/api/runs/r-1", &token).await.is(200)["state"], "completed");
    let heard = sidecar.get("/api/events/wait/review%2Fdone?filter=priority:high,publisher:agent:reviewer-1/s2,correlation_id:c-1", &token).await.is(200);
    let event = &heard["events"][0];
    assert_eq!(
        (&event["publisher"], &event["meta"]),
        (&json!("agent:reviewer-1/s2"), &json!({"tool": "lint"}))
    );
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_hears_what_is_kept_then_what_comes_and_a_cursor_has_no_gap_and_no_repeat() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    let path = "/api/events/wait/built";
    let none = sidecar.get(&format!("{path}?timeout=0"), &token).await.is(200);
    assert_eq!(none, json!({"events": [], "more_available": false, "next_cursor": null, "timeout": true}));
    for id in ["a", "b", "c"] {
        say(&sidecar, &token, "built", id, json!({"id": id, "env": if id == "b" { "dev" } else { "prod" }}))
            .await;
        say(&sidecar, &token, "other", &format!("o{id}"), json!(null)).await;
    }
    let all = sidecar.get(path, &token).await.is(200);
    assert_eq!((ids(&all), &all["next_cursor"]), (vec!["a", "b", "c"], &json!("oc")));
    assert_eq!(ids(&sidecar.get(&format!("{path}?filter=env:prod"), &token).await.is(200)), ["a", "c"]);
    assert_eq!(ids(&sidecar.get(&format!("{path}?since=a"), &token).await.is(200)), ["b", "c"]);
    // What comes while one waits, and which nobody else asked for.
    let later = format!("{path}?since=oc&filter=env:prod");
    let waits = sidecar.get(&later, &token);
    let says = async {
        say(&sidecar, &token, "built", "d", json!({"env": "dev"})).await;
        say(&sidecar, &token, "built", "e", json!({"env": "prod"})).await
    };
    let (heard, _) = tokio::join!(waits, says);
    assert_eq!(ids(&heard.is(200)), ["e"]);
    let more = json!({"data": "x".repeat(1000)});
    for _ in 0..101 {
        sidecar.post("/api/events/many", &token, more.clone()).await.is(202);
    }
    let page = sidecar.get("/api/events/wait/many", &token).await.is(200);
    assert_eq!((ids(&page).len(), &page["more_available"]), (100, &json!(true)));
    let since = page["next_cursor"].as_str().expect("a cursor");
    let rest = sidecar.get(&format!("/api/events/wait/many?since={since}"), &token).await.is(200);
    assert_eq!((ids(&rest).len(), &rest["more_available"]), (1, &json!(false)));
    // The next engine knows them too, and whoever followed goes on after the last one that came.
    let mut line = Line::open(&sidecar, "/api/events/stream?topic=built", &token, None).await;
    line.until("id: e\n").await;
    assert_eq!(line.ids(), ["a", "b", "c", "d", "e"]);
    let dir = sidecar.end().await;
    let sidecar = Sidecar::open(dir, Rates::default(), true).await;
    let token = sidecar.agent("shop");
    let mut line = Line::open(&sidecar, "/api/events/stream?topic=built", &token, Some("c")).await;
    line.until("id: e\n").await;
    say(&sidecar, &token, "built", "f", json!({})).await;
    line.until("id: f\n").await;
    assert_eq!(line.ids(), ["d", "e", "f"], "no gap and no repeat");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_id_is_the_same_event_and_is_no_other_one() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    let one = json!({"data": {"n": 1}, "qos": "exactly-once"});
    let path = "/api/events/done";
    sidecar.post(path, &token, one.clone()).await.refused(400, "EVT_002");
    let keyed =
        |body: Value| sidecar.send("POST", path, Some(&token), Some(body), &[("Idempotency-Key", "k")]);
    let first = keyed(one.clone()).await.is(202);
    assert_eq!(keyed(one).await.is(202)["event_id"], first["event_id"]);
    keyed(json!({"data": {"n": 2}})).await.refused(409, "EVT_004");
    // Another agent's key is another key.
    let other =
        sidecar.sign(&sidecar.claims("other", "shop", &[Permission::PublishEvents, Permission::ReadContext]));
    let two = json!({"data": {"n": 2}});
    let told = sidecar.send("POST", path, Some(&other), Some(two), &[("Idempotency-Key", "k")]).await.is(202);
    assert_ne!(told["event_id"], first["event_id"]);
    let all = sidecar.get("/api/events/wait/done", &token).await.is(200);
    assert_eq!(ids(&all).len(), 2);
    // An id that was used stays used for the next engine.
    let dir = sidecar.end().await;
    let sidecar = Sidecar::open(dir, Rates::default(), true).await;
    let token = sidecar.agent("shop");
    let two = json!({"data": {"n": 2}});
    sidecar
        .send("POST", path, Some(&token), Some(two), &[("Idempotency-Key", "k")])
        .await
        .refused(409, "EVT_004");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_project_says_is_not_there() {
    let sidecar = Sidecar::start().await;
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    fs::write(sidecar.dir.path().join("talks.yaml"), TALKS).expect("a file");
    sidecar.post("/api/runs", &bank, json!({"workflow": "talks.yaml"})).await.is(201);
    let asked = sidecar.get("/api/events/wait/review%2Fasked", &bank).await.is(200);
    let cursor = asked["next_cursor"].as_str().expect("a cursor").to_owned();
    assert_eq!(ids(&sidecar.get("/api/events/wait/review%2Fasked?timeout=0", &shop).await.is(200)).len(), 0);
    sidecar.get(&format!("/api/events/wait/x?timeout=0&since={cursor}"), &shop).await.refused(404, "EVT_003");
    sidecar.get("/api/events/wait/x?timeout=0&since=never-was", &shop).await.refused(404, "EVT_003");
    // A step of one project does not hear the other, and an id of one is none of the other.
    let told = say(&sidecar, &shop, "review%2Fdone", "same", json!({"change": 7})).await;
    assert_eq!(told["subscriber_count"], 0);
    assert_eq!(sidecar.get("/api/runs/r-1", &bank).await.is(200)["state"], "running");
    let told = say(&sidecar, &bank, "review%2Fdone", "same", json!({"change": 7, "ok": 1})).await;
    assert_eq!(told["subscribers_notified"], json!(["r-1/heard"]));
    let own = sidecar.get("/api/events/wait/review%2Fdone", &shop).await.is(200);
    assert_eq!((ids(&own), &own["events"][0]["data"]), (vec!["same"], &json!({"change": 7})));
    // Another project's cursor is told as one that is kept no longer.
    let mut line = Line::open(&sidecar, "/api/events/stream", &shop, Some(&cursor)).await;
    line.until("id: same\n").await;
    assert!(line.1.contains("event: gap") && !line.1.contains("review/asked"), "{}", line.1);
    assert_eq!(line.ids(), ["same"]);
    drop(line);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_speaks_for_somebody_else_and_what_is_no_event_is_told() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    for publisher in ["other", "reviewer-1x", "reviewer-1/", "reviewer-1/a/b", "reviewer-1/a b", "/s", "r"] {
        let body = json!({"publisher": publisher, "data": 1});
        sidecar.post("/api/events/done", &token, body).await.refused(403, "AUTH_003");
    }
    for (path, body, code) in [
        ("/api/events/a%20b", json!({"data": 1}), "EVT_002"),
        ("/api/events/%00", json!({"data": 1}), "EVT_002"),
        ("/api/events/a", json!({"data": 1, "topic": "a b"}), "EVT_002"),
        ("/api/events/a", json!({"data": 1, "to": "a\nb"}), "EVT_002"),
        ("/api/events/a", json!({"data": 1, "meta": {"a": "x".repeat(20_000)}}), "EVT_002"),
        ("/api/events/a", json!({}), "REQ_001"),
        ("/api/events/a", json!({"data": 1, "ttl_seconds": 0}), "REQ_001"),
        ("/api/events/a", json!({"data": 1, "id": "a b"}), "REQ_001"),
        ("/api/events/a", json!({"data": 1, "qos": "twice"}), "REQ_001"),
        ("/api/events/a", json!({"data": 1, "sig": "x"}), "REQ_001"),
    ] {
        sidecar.post(path, &token, body).await.refused(400, code);
    }
    for query in ["filter=a", "filter=", "filter=:x", "filter=a:1,", "filter=,", "topic=a%20b"] {
        sidecar.get(&format!("/api/events/stream?{query}"), &token).await.refused(400, "EVT_002");
    }
    let many = vec!["a:1"; 21].join(",");
    sidecar.get(&format!("/api/events/wait/a?filter={many}"), &token).await.refused(400, "EVT_002");
    sidecar.get("/api/events/wait/a?timeout=60001", &token).await.refused(400, "REQ_001");
    let deaf = sidecar.sign(&Claims { ..sidecar.claims("a", "shop", &[Permission::PublishEvents]) });
    sidecar.get("/api/events/wait/a?timeout=0", &deaf).await.refused(403, "AUTH_003");
    sidecar.get("/api/events/stream", &deaf).await.refused(403, "AUTH_003");
    let dumb = sidecar.sign(&sidecar.claims("a", "shop", &[Permission::ReadContext]));
    sidecar.post("/api/events/a", &dumb, json!({"data": 1})).await.refused(403, "AUTH_003");
    assert_eq!(sidecar.get("/api/events/wait/a?timeout=0", &token).await.is(200)["events"], json!([]));
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_never_reads_holds_up_nobody_and_is_told_of_a_gap() {
    let sidecar = Sidecar::start().await;
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    say(&sidecar, &bank, "small", "kept", json!(1)).await;
    say(&sidecar, &shop, "first", "f", json!(1)).await;
    let mut silent = Line::open(&sidecar, "/api/events/stream", &shop, None).await;
    silent.until("id: f\n").await;
    // More than is kept in all, and more than the system keeps for whoever does not read.
    let desk = sidecar.engine().desk();
    let text = "x".repeat(3000);
    let says = (0..14_000).map(|n| {
        let data = json!({"text": text, "n": n});
        let message = NewMessage {
            id: Some(format!("l{n}")),
            topic: "large".to_owned(),
            data,
            ..NewMessage::default()
        };
        let command = Command::Publish { message: Box::new(message), by: ann() };
        desk.submit(Request { id: Entropy.request_id(), command })
    });
    let all = futures_util::future::join_all(says).await;
    assert!(all.iter().all(|value| matches!(value, Reply::Recorded(_))));
    let board = desk.boards().borrow().board.clone();
    let ring = board.bus().of(None).expect("messages");
    let kept: Vec<&str> = ring.from(0).map(|pair| pair.1.message.id.as_str()).collect();
    let (before, last) = (kept[kept.len() - 2], kept[kept.len() - 1]);
    let quick = sidecar.get(&format!("/api/events/wait/large?since={before}"), &shop).await.is(200);
    assert_eq!(ids(&quick), [last]);
    sidecar.get("/api/events/wait/large?since=f", &shop).await.refused(404, "EVT_003");
    // Now it reads again: what it had on the way, then that some are gone, then those that are kept, each once.
    silent.until(&format!("id: {last}\n")).await;
    // On a busy machine it may fall behind a second time, and is told again.
    assert!(silent.1.contains("event: gap"));
    let told = silent.ids();
    assert!(told.len() < 14_000 && told.ends_with(&kept), "{} of {}", told.len(), kept.len());
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "each once");
    // A project that says much pushes out nothing of one that says little.
    assert_eq!(ids(&sidecar.get("/api/events/wait/small", &bank).await.is(200)), ["kept"]);
    drop((desk, board));
    drop(silent);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_wait_at_once_and_all_hear_it_and_nobody_takes_the_places_of_others() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    let agent = |project: &str, name: &str| {
        sidecar.sign(&sidecar.claims(name, project, &[Permission::ReadContext, Permission::PublishEvents]))
    };
    let full = |said: Said, who: &str| {
        let why = said.refused(503, "EVT_001")["message"].to_string();
        assert!(why.contains(who), "{why}");
    };
    let (mut lines, mut others) = (Vec::new(), Vec::new());
    // One token has a hundred of them, and one project half of all.
    for _ in 0..100 {
        lines.push(Line::open(&sidecar, "/api/events/stream", &token, None).await);
    }
    for line in &mut lines {
        line.until("200 OK").await;
    }
    full(sidecar.get("/api/events/wait/go", &token).await, "agent:reviewer-1 waits 100 times");
    full(sidecar.get("/api/events/stream", &sidecar.agent("shop")).await, "agent:reviewer-1 waits 100 times");
    for name in ["a", "b", "c", "d"] {
        let other = agent("shop", name);
        for _ in 0..if name == "d" { 50 } else { 100 } {
            lines.push(Line::open(&sidecar, "/api/events/stream", &other, None).await);
        }
    }
    for name in ["a", "b", "c", "d", "e"] {
        let other = agent("bank", name);
        for _ in 0..90 {
            others.push(Line::open(&sidecar, "/api/events/stream", &other, None).await);
        }
    }
    for line in lines[100..].iter_mut().chain(&mut others) {
        line.until("200 OK").await;
    }
    full(sidecar.get("/api/events/wait/go", &agent("shop", "f")).await, "450 of this project wait");
    full(sidecar.get("/api/events/wait/go", &agent("farm", "a")).await, "too many wait already");
    let told = say(&sidecar, &token, "go", "g", json!(1)).await;
    assert_eq!(
        (&told["subscriber_count"], &told["subscribers_notified"]),
        (&json!(450), &json!(["agent:a", "agent:b", "agent:c", "agent:d", "agent:reviewer-1"]))
    );
    for line in &mut lines {
        line.until("id: g\n").await;
    }
    drop((lines, others));
    sidecar.end().await;
}

/// One request of a test that does not wait for anything else.
fn ask(at: SocketAddr, token: &str, method: &str, path: &str, body: Option<&Value>) -> Said {
    let mut line = std::net::TcpStream::connect(at).expect("it listens");
    let body = body.map(Value::to_string).unwrap_or_default();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let asked = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    line.write_all(asked.as_bytes()).expect("sent");
    let mut heard = Vec::new();
    line.read_to_end(&mut heard).expect("an answer");
    said(&String::from_utf8_lossy(&heard))
}

#[test]
fn an_event_whose_time_is_over_is_heard_by_nobody_and_shown_as_dead() {
    let place = Place::new();
    let at = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port");
    let _engine = place.start(&["serve", "--listen", &at.to_string()]);
    until("it listens", || std::net::TcpStream::connect(at).is_ok());
    let may = ["--permissions", "read_context,publish_events,view_metrics"];
    let words = [&["token", "--agent", "a", "--type", "architect"], &may[..]].concat();
    let token = place.cue(&words).ok().out.trim().to_owned();
    for (id, seconds) in [("brief", 1), ("long", 3600)] {
        let event = json!({"id": id, "data": id, "ttl_seconds": seconds});
        ask(at, &token, "POST", "/api/events/built", Some(&event)).is(202);
    }
    let events = || ask(at, &token, "GET", "/status", None).is(200)["events"].clone();
    until("its time is over", || events()["dead"] == 1);
    assert_eq!(events(), json!({"kept": 1, "dead": 1, "rejected": 0}));
    let heard = ask(at, &token, "GET", "/api/events/wait/built?timeout=0", None).is(200);
    assert_eq!(ids(&heard), ["long"]);
    // Whoever goes on after it does, and it is dead for whoever looks at the messages.
    let heard = ask(at, &token, "GET", "/api/events/wait/built?timeout=0&since=brief", None).is(200);
    assert_eq!(ids(&heard), ["long"]);
    let dead: Value = place.cue(&["messages", "--dead", "--json"]).ok().json();
    assert_eq!((dead.as_array().map(Vec::len), &dead[0]["id"]), (Some(1), &json!("brief")), "{dead}");
}

#[test]
fn what_was_acknowledged_survives_a_kill_and_a_full_disk_is_told_and_nothing_is_pretended() {
    if !may_trace() {
        println!("skipped: could not trace a process; install strace (apt-get install strace)");
        return;
    }
    let place = Place::new();
    let free = || {
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
    };
    let at = free();
    let full = "inject=pwrite64,fdatasync,ftruncate:error=ENOSPC:when=120+";
    let strace = [
        "strace",
        "-f",
        "-qq",
        "-b",
        "execve",
        "-o",
        "/dev/null",
        "-e",
        "trace=pwrite64,fdatasync,ftruncate",
        "-e",
        full,
    ];
    let engine = place.start_under(&strace, &["serve", "--listen", &at.to_string()]);
    until("it listens", || std::net::TcpStream::connect(at).is_ok());
    let token = place.cue(&["token", "--agent", "a", "--type", "architect"]).ok().out.trim().to_owned();
    let mut told = Vec::new();
    let mut refused = 0;
    for n in 0..2000 {
        let id = format!("e{n}");
        let answer = ask(at, &token, "POST", "/api/events/built", Some(&json!({"id": id, "data": n})));
        match answer.status {
            202 => told.push(id),
            _ => {
                answer.refused(503, "STR_001");
                refused += 1;
            }
        }
        if refused == 3 {
            break;
        }
    }
    assert!(refused == 3 && !told.is_empty(), "{refused} of {}", told.len());
    let heard = ask(at, &token, "GET", "/api/events/wait/built?timeout=0", None).is(200);
    assert!(ids(&heard).len() <= told.len(), "what is not on disk is not shown");
    ask(at, &token, "GET", "/health/ready", None).is(503);
    place.kill_owner();
    engine.signal(Signal::KILL);
    drop(engine);
    let at = free();
    let _engine = place.start(&["serve", "--listen", &at.to_string()]);
    until("it listens", || std::net::TcpStream::connect(at).is_ok());
    let mut since = String::new();
    let mut kept = Vec::new();
    while kept.len() < told.len() {
        let page = ask(at, &token, "GET", &format!("/api/events/wait/built?timeout=0{since}"), None).is(200);
        assert!(!ids(&page).is_empty(), "{} of {} are there", kept.len(), told.len());
        kept.extend(ids(&page).into_iter().map(str::to_owned));
        since = format!("&since={}", page["next_cursor"].as_str().expect("a cursor"));
    }
    assert_eq!(kept, told, "all that was acknowledged, in order, and nothing else");
}
