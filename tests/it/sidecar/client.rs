//! The API as shells and scripts meet it: the client that comes with the program, and the programs that the page shows.

use crate::program::{Place, Running, until};
use cuelight_base::Value;
use rustix::process::Signal;
use serde_json::json;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
};

/// An engine that answers, and a client that has its address and a token.
fn place(permissions: &[&str]) -> (Place, Running, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let place = Place::new();
    let engine = place.start(&["serve", "--listen", &free.to_string()]);
    until("it listens", || TcpStream::connect(free).is_ok());
    let words = ["token", "--agent", "a-1", "--type", "architect"];
    let token = place.cue(&words.iter().chain(permissions).copied().collect::<Vec<_>>()).ok();
    let place = place.with("JWT_TOKEN", token.out.trim()).with("SIDECAR_URL", &format!("http://{free}"));
    (place, engine, free)
}

/// A program of the page, the first of the kind that is named there.
fn shown(kind: &str) -> String {
    shown_after(kind, 0)
}

/// The one behind so many others of its kind.
fn shown_after(kind: &str, others: usize) -> String {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sidecar.md"));
    let page = page.expect("the page");
    let after = page.split(&format!("```{kind}\n")).nth(others + 1).expect("a program");
    after.split("```").next().expect("its end").to_owned()
}

/// A server that says this to whoever asks first, and what it was asked.
fn saying(answer: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
    let door = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = door.local_addr().expect("an address");
    let heard = thread::spawn(move || {
        let (mut line, _) = door.accept().expect("somebody");
        let mut asked = vec![0; 64 * 1024];
        let mut len = 0;
        while !asked[..len].windows(4).any(|window| window == b"\r\n\r\n") {
            len += line.read(&mut asked[len..]).expect("a request");
        }
        line.write_all(answer.as_bytes()).expect("said");
        String::from_utf8_lossy(&asked[..len]).into_owned()
    });
    (at, heard)
}

#[test]
fn a_shell_asks_waits_and_reads_what_became_of_it() {
    let (place, _engine, _) = place(&[]);
    let gate =
        place.cue(&["api", "/api/gates", "title=Ship it?", "binds:={\"image\": \"web:7\"}"]).ok().json();
    assert_eq!((&gate["state"], &gate["prompt"]), (&json!("open"), &json!("Ship it?")), "{gate}");
    let id = gate["id"].as_str().expect("an id").to_owned();
    place.cue(&["approve", &id]).ok();
    let closed = place.cue(&["api", "GET", &format!("/api/gates/{id}"), "wait=10000"]).ok().json();
    assert_eq!(closed["state"], "approved", "{closed}");
    place.cue(&["api", "/api/gates", "title=And now?"]).ok();
    let page = place.cue(&["api", "GET", "/api/gates", "limit=1"]).ok().json();
    assert_eq!((&page["gates"][0]["id"], &page["more"]), (&json!(id), &json!(true)), "{page}");
    let next = place.cue(&["api", &format!("/api/gates?after={id}")]).ok().json();
    assert_eq!((&next["gates"][0]["prompt"], &next["more"]), (&json!("And now?"), &json!(false)), "{next}");
    let kept = place.cue(&["api", "put", "/api/state/session/plan", "value:={\"step\": 2}"]).ok().json();
    assert_eq!(kept["value"], json!({"step": 2}), "{kept}");
    place.write("plan.json", "{\"value\": \"from a file\"}");
    let stale =
        ["api", "PUT", "/api/state/session/plan", "--data", "@plan.json", "-H", "If-Match: \"nothing\""];
    let stale = place.cue(&stale);
    assert!(stale.code == 1 && stale.err.contains("(HTTP 412)"), "{stale:?}");
    assert_eq!(
        serde_json::from_str::<Value>(&stale.out).expect("the answer")["code"],
        "STR_003",
        "{stale:?}"
    );
    let again = place.cue(&["api", "PUT", "/api/state/session/plan", "--data", "@plan.json"]).ok().json();
    assert_eq!(again["value"], "from a file", "{again}");
    let events = place.cue(&["api", "/api/runs/r-1/events"]).ok();
    let lines: Vec<Value> =
        events.out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert!(lines.len() > 3, "{events:?}");
    let all = place.cue(&["api"]).ok();
    for part in ["GET     /api/gates ", "POST    /api/gates/{id}/decision", "If-Match"] {
        assert!(all.out.contains(part), "{part} in {}", all.out);
    }
    assert_eq!(place.cue(&["api", "--json"]).ok().json()["openapi"], "3.1.0");
}

#[test]
fn what_is_asked_wrongly_is_told_and_no_token_leaves_this_machine_in_the_open() {
    let place = Place::new().with("JWT_TOKEN", "a.b.c");
    for (words, told) in [
        (&["api", "gates"][..], "could not ask: a path begins with /"),
        (&["api", "POST"], "could not ask: say what of"),
        (&["api", "/api/gates", "title"], "write name=text or name:=JSON"),
        (&["api", "/api/gates", "binds:={"], "it is no JSON"),
        (&["api", "/api/gates", "--data", "@nowhere.json"], "could not read"),
        (&["api", "/api/gates", "a=b", "--data", "{}"], "not both"),
        (&["api", "GET", "/api/gates", "--data", "{}"], "takes no --data"),
        (&["api", "/health", "--url", "http://192.0.2.1:3001"], "whoever listens has the token"),
        (&["api", "/health", "--url", "http://127.0.0.1.evil.example"], "whoever listens has the token"),
        (&["api", "/health", "--url", "HTTP://192.0.2.1:3001"], "whoever listens has the token"),
    ] {
        let said = place.cue(words);
        assert!(said.code == 2 && said.err.contains(told), "{words:?}: {said:?}");
    }
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let silent = place.cue(&["api", "/health", "--url", &format!("http://{free}")]);
    assert!(silent.code == 6 && silent.err.contains("could not ask: "), "{silent:?}");
}

#[test]
fn what_a_server_says_moves_no_terminal_and_what_was_asked_reaches_it_as_it_was_meant() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"a\": \"\u{9b}31m \u{202e}\"}";
    let (at, heard) = saying(answer);
    let place = Place::new().with("JWT_TOKEN", "a.b.c").with("SIDECAR_URL", &format!("http://{at}/"));
    let said = place.cue(&["api", "/x", "-H", "X-Request-Id: mine", "q=a b&c", "n:=3"]).ok();
    assert_eq!(said.out, "{\n  \"a\": \"\\u009b31m \\u202e\"\n}\n");
    let asked = heard.join().expect("asked").to_lowercase();
    for part in ["post /x http/1.1", "authorization: bearer a.b.c", "x-request-id: mine"] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    let (at, heard) = saying(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nid: 1\nevent: a\ndata: {\"x\":1}\n\ndata: \u{1b}[2J\n\n",
    );
    let place = place.with("SIDECAR_URL", &format!("http://{at}"));
    let said = place.cue(&["api", "GET", "/e", "q=a b&c", "n:=3"]).ok();
    assert_eq!(said.out, "{\"x\":1}\n␛[2J\n");
    assert!(heard.join().expect("asked").starts_with("GET /e?q=a%20b%26c&n=3 HTTP/1.1"));
}

/// Runs a program of the page until it waits at a gate, approves that, and gives what it has said.
fn waits_for_a_person(program: &str, file: &str, kind: &str) {
    if Command::new(program).arg("--version").output().is_err() {
        println!("skipped: could not find {program}; install it");
        return;
    }
    let (place, _engine, _) = place(&[]);
    place.write(file, &shown(kind));
    let mut command = Command::new(program);
    let told = place.cue(&["api", "/api/gates"]).ok();
    assert_eq!(told.json()["gates"], json!([]));
    let environment = place.variables().to_vec();
    let child = command.arg(file).current_dir(place.path()).envs(environment).stdout(Stdio::piped()).spawn();
    let child = child.expect("it starts");
    until("it asks", || place.cue(&["api", "/api/gates"]).ok().json()["gates"][0]["id"] == "g-1");
    place.cue(&["approve", "g-1", "--reason", "it is a copy"]).ok();
    let said = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "approved\n", "{said:?}");
}

#[test]
fn the_python_of_the_page_waits_for_a_person() {
    waits_for_a_person("python3", "ask.py", "python");
}

/// Runs an agent of the page: it comes for work, does it, and goes on when its engine was killed and another one answers.
fn comes_for_work(program: &str, file: &str, kind: &str) {
    let (place, engine, at) = place(&[]);
    std::fs::create_dir_all(place.path().join(".cuelight/agents")).expect("a directory");
    place.write(
        ".cuelight/agents/shouter.yaml",
        "name: shouter\nversion: 1\ndescription: Shouts\ncapabilities: [shout]\nclaim: true\n",
    );
    place.write("shout.yaml", "name: shout\nsteps:\n  - {id: a, agent: {capability: shout, task: hello}}\noutputs: {said: '${{ steps.a.outputs.result }}'}\n");
    place.write(file, &shown_after(kind, 1));
    let place = place.with("AGENT_ID", "a-1");
    let mut agent = Command::new(program)
        .arg(file)
        .current_dir(place.path())
        .envs(place.variables().to_vec())
        .spawn()
        .expect("it starts");
    let works = || {
        let told = place.cue(&["run", "shout.yaml", "--json"]).ok();
        assert!(told.out.contains("HELLO"), "{told:?}");
        let agents = place.cue(&["api", "GET", "/api/agents"]).ok().json();
        assert_eq!(
            (&agents["agents"][0]["id"], &agents["agents"][0]["state"]),
            (&json!("a-1"), &json!("live"))
        );
    };
    works();
    engine.signal(Signal::KILL);
    drop(engine.end());
    let _engine = place.start(&["serve", "--listen", &at.to_string()]);
    until("it listens", || TcpStream::connect(at).is_ok());
    works();
    agent.kill().expect("it is ended");
    agent.wait().expect("it ends");
}

#[test]
fn the_python_agent_of_the_page_comes_for_work_and_does_it() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: could not find python3; install it");
        return;
    }
    comes_for_work("python3", "agent.py", "python");
}

#[test]
fn the_typescript_agent_of_the_page_comes_for_work_and_does_it() {
    if let Some(node) = node() {
        comes_for_work(&node, "agent.mts", "ts");
    }
}

/// A node that reads TypeScript, where there is one.
fn node() -> Option<String> {
    let node = crate::mcp::node();
    let reads =
        Command::new(&node).args(["--input-type=module-typescript", "--eval", "let a: number"]).output();
    let is_there = reads.is_ok_and(|read| read.status.success());
    if !is_there {
        println!("skipped: could not find a node that reads TypeScript; tests/all brings one where npm is");
    }
    is_there.then_some(node)
}

#[test]
fn the_typescript_of_the_page_waits_for_a_person() {
    if let Some(node) = node() {
        waits_for_a_person(&node, "ask.mts", "ts");
    }
}
