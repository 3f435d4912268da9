//! The HTTP API under load, beside a bare server of the same library with the same JSON, in one run: requests and durable events a second,
//! 119 and 1,000 agents at their rounds (contexts, results, events, values, knowledge), events handed to many who follow, and what memory that takes.
//!
//! `cargo bench --bench sidecar`. Goals: at least half of what the bare server does; more than 99.9 % of the rounds done; an event acknowledged
//! within 50 ms for 99 of 100; less than 300 MB.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark reads the clock, plays many agents and prints figures"
)]

use axum::{Router, body::Bytes, http::header::CONTENT_TYPE, routing::post};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use std::{
    env, fs,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

/// Whoever asks as fast as it goes: so many lines, for so long.
const LINES: usize = 64;
const SPAN: Duration = Duration::from_secs(5);
/// One agent begins a round so often, …
const ROUND: Duration = Duration::from_secs(2);
/// … so many times.
const ROUNDS: usize = 10;
/// Who follow, and events a second for them.
const FOLLOWERS: [usize; 2] = [100, 450];
/// Those of one token: one principal may have a hundred places, and one project 450.
const OF_TOKEN: usize = 90;
const EVENTS: u32 = 200;

/// The same for both servers.
fn body() -> Value {
    json!({"data": {"issue": "cl-7", "status": "done", "files": ["src/a.rs", "src/b.rs"], "confidence": 0.9, "summary": "x".repeat(200)}})
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if env::args().any(|it| it == "--bare") {
        runtime.block_on(bare());
        return;
    }
    runtime.block_on(measure());
}

/// A server that reads JSON and gives it back, and nothing else.
async fn bare() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("bare at {}", listener.local_addr().expect("an address"));
    let echo = |body: Bytes| async move {
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        ([(CONTENT_TYPE, "application/json")], told.to_string())
    };
    let service = TowerToHyperService::new(Router::new().route("/echo", post(echo)));
    loop {
        let (line, _) = listener.accept().await.expect("somebody");
        line.set_nodelay(true).expect("set");
        let service = service.clone();
        tokio::spawn(async move {
            drop(http1::Builder::new().serve_connection(TokioIo::new(line), service).await)
        });
    }
}

struct Server {
    child: Child,
    at: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn begun(command: &mut Command, sign: &str) -> Server {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let out = tokio::process::ChildStdout::from_std(child.stdout.take().expect("a pipe")).expect("a pipe");
    let err = tokio::process::ChildStderr::from_std(child.stderr.take().expect("a pipe")).expect("a pipe");
    let (mut out, mut err) = (BufReader::new(out).lines(), BufReader::new(err).lines());
    loop {
        let line = tokio::select! {
            Ok(Some(line)) = out.next_line() => line,
            Ok(Some(line)) = err.next_line() => line,
            () = sleep(Duration::from_secs(30)) => panic!("it does not listen"),
        };
        let Some(at) = line.split(sign).nth(1).map(|it| it.split([',', ' ']).next().unwrap_or_default())
        else {
            continue;
        };
        return Server { child, at: at.to_owned() };
    }
}

async fn measure() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let program = env!("CARGO_BIN_EXE_cuelight");
    fs::create_dir_all(dir.path().join(".cuelight")).expect("made");
    for file in 0..FILES {
        let dir = dir.path().join(format!("src/m{}", file % 20));
        fs::create_dir_all(&dir).expect("made");
        fs::write(
            dir.join(format!("f{file}.rs")),
            format!("//! File {file}.\n{}", "fn f() {}\n".repeat(100)),
        )
        .expect("written");
    }
    let token = |agent: &str| {
        let mut command = Command::new(program);
        command.args(["token", "--agent", agent, "--type", "architect", "--expires", "12h"]);
        let told = command.current_dir(dir.path()).env("HOME", dir.path()).output().expect("a token");
        String::from_utf8_lossy(&told.stdout).trim().to_owned()
    };
    let mine = token("load");
    let bare = begun(Command::new(env::current_exe().expect("this program")).arg("--bare"), "bare at ").await;
    let mut serve = Command::new(program);
    serve.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(dir.path()).env("HOME", dir.path());
    let ours = begun(&mut serve, "answering at http://").await;
    let kib = || resident_kib(ours.child.id());
    println!("at rest: {} MB", kib() / 1024);

    let echo = fast(&bare.at, request("POST", "/echo", &mine, Some(&body()))).await;
    println!("bare server, JSON there and back: {}", echo.words());
    let read = fast(&ours.at, request("GET", "/api/gates?state=open", &mine, None)).await;
    println!("a request with a token, read: {} = {:.2} of the bare one", read.words(), read.rate / echo.rate);
    let said = fast(&ours.at, request("POST", "/api/events/load", &mine, Some(&body()))).await;
    println!(
        "an event, on disk before the answer: {} = {:.2} of the bare one",
        said.words(),
        said.rate / echo.rate
    );
    println!("memory: {} MB", kib() / 1024);

    for agents in [119, 1000_usize] {
        // Above 1,000 lines at once the others wait in line; an agent keeps its line for a round only.
        let tokens: Vec<String> = (0..agents.min(119)).map(|it| token(&format!("a-{it}"))).collect();
        let told = rounds(&ours.at, agents, &tokens).await;
        println!(
            "{agents} agents, {ROUNDS} rounds of context, result, event, value and knowledge each, one every {ROUND:?}:"
        );
        for (name, one) in told {
            println!("  {name}: {}", one.words());
        }
        println!("  memory: {} MB", kib() / 1024);
    }
    for followers in FOLLOWERS {
        let tokens: Vec<String> =
            (0..followers.div_ceil(OF_TOKEN)).map(|it| token(&format!("f-{followers}-{it}"))).collect();
        println!("{}", followed(&ours.at, followers, &tokens).await);
        println!("  memory: {} MB", kib() / 1024);
    }
}

/// Times of answers, and what was none.
struct Told {
    micros: Vec<u64>,
    failed: u64,
    rate: f64,
}

impl Told {
    fn of(mut micros: Vec<u64>, failed: u64, over: Duration) -> Self {
        micros.sort_unstable();
        let rate = micros.len() as f64 / over.as_secs_f64();
        Self { micros, failed, rate }
    }

    fn at(&self, per_mille: usize) -> f64 {
        let index = (self.micros.len() * per_mille / 1000).min(self.micros.len().saturating_sub(1));
        self.micros.get(index).copied().unwrap_or(0) as f64 / 1000.0
    }

    fn words(&self) -> String {
        let all = self.micros.len() as u64 + self.failed;
        format!(
            "{:.0}/s, {all} in all, {} failed; median {:.1}, p99 {:.1}, longest {:.1} ms",
            self.rate,
            self.failed,
            self.at(500),
            self.at(990),
            self.at(1000)
        )
    }
}

fn request(method: &str, path: &str, token: &str, body: Option<&Value>) -> Vec<u8> {
    let body = body.map(ToString::to_string).unwrap_or_default();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sends it and reads the answer; its status.
async fn ask(line: &mut TcpStream, request: &[u8], heard: &mut Vec<u8>) -> Option<u16> {
    line.write_all(request).await.ok()?;
    heard.clear();
    loop {
        if line.read_buf(heard).await.ok()? == 0 {
            return None;
        }
        let Some(end) = heard.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&heard[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|it| it.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if heard.len() >= end + 4 + length.unwrap_or(0) {
            return head.split(' ').nth(1)?.parse().ok();
        }
    }
}

async fn line_to(at: &str) -> TcpStream {
    let line = TcpStream::connect(at).await.expect("it listens");
    line.set_nodelay(true).expect("set");
    line
}

/// As fast as it goes, on many lines.
async fn fast(at: &str, request: Vec<u8>) -> Told {
    let (request, failed, end) = (Arc::new(request), Arc::new(AtomicU64::new(0)), Instant::now() + SPAN);
    let mut all = Vec::new();
    for _ in 0..LINES {
        let (mut line, request, failed) = (line_to(at).await, Arc::clone(&request), Arc::clone(&failed));
        all.push(tokio::spawn(async move {
            let (mut micros, mut heard) = (Vec::new(), Vec::new());
            while Instant::now() < end {
                let begun = Instant::now();
                if ask(&mut line, &request, &mut heard).await.is_some_and(|it| it < 300) {
                    micros.push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
                } else {
                    failed.fetch_add(1, Relaxed);
                }
            }
            micros
        }));
    }
    let mut micros = Vec::new();
    for one in all {
        micros.extend(one.await.expect("done"));
    }
    Told::of(micros, failed.load(Relaxed), SPAN)
}

/// What an agent does in a round.
const PARTS: [&str; 5] = ["context", "result", "event", "value", "knowledge"];
/// Files of the project that contexts are made of.
const FILES: usize = 400;

/// Many agents, each at its own pace; times count from when a request was due.
async fn rounds(at: &str, agents: usize, tokens: &[String]) -> Vec<(&'static str, Told)> {
    let begun = Instant::now();
    let mut all = Vec::new();
    for agent in 0..agents {
        let token = tokens[agent % tokens.len()].clone();
        let name = format!("a-{}", agent % tokens.len());
        let at = at.to_owned();
        all.push(tokio::spawn(async move {
            let mut told: Vec<(usize, Option<u64>)> = Vec::new();
            let mut heard = Vec::new();
            for round in 0..ROUNDS {
                let due = begun + ROUND * u32::try_from(round).unwrap_or(0) + ROUND.mul_f64(agent as f64 / agents as f64);
                sleep(due.saturating_duration_since(Instant::now())).await;
                let mut line = line_to(&at).await;
                let issue = format!("cl-{agent}-{round}");
                let result = json!({"agent_id": name, "agent_type": "architect", "issue_id": issue, "project_id": project(&token), "result": {"status": "success", "files_modified": ["a.rs"], "decisions": ["it is done"]}});
                let known = json!({"type": "decision", "text": format!("what agent {agent} knows after round {round}")});
                // What it is asked to do changes half way, so one in five of its contexts is made anew.
                let task = format!("cl-{agent}-{}", round / 5);
                let asked = [
                    request("GET", &format!("/api/context/{task}/architect"), &token, None),
                    request("POST", "/api/results", &token, Some(&result)),
                    request("POST", "/api/events/done", &token, Some(&body())),
                    request("PUT", &format!("/api/state/session/{agent}"), &token, Some(&json!({"value": round}))),
                    request("POST", "/api/knowledge", &token, Some(&known)),
                ];
                for (part, asked) in asked.iter().enumerate() {
                    let begun = Instant::now();
                    let status = timeout(Duration::from_secs(30), ask(&mut line, asked, &mut heard)).await;
                    let done = status.ok().flatten().is_some_and(|it| it < 300);
                    told.push((part, done.then(|| u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX))));
                }
            }
            told
        }));
    }
    let mut parts: Vec<(Vec<u64>, u64)> = vec![(Vec::new(), 0); PARTS.len()];
    for one in all {
        for (part, micros) in one.await.expect("done") {
            match micros {
                Some(micros) => parts[part].0.push(micros),
                None => parts[part].1 += 1,
            }
        }
    }
    let over = begun.elapsed();
    PARTS.iter().zip(parts).map(|(name, (micros, failed))| (*name, Told::of(micros, failed, over))).collect()
}

/// The project that a token is for, as it says itself.
fn project(token: &str) -> String {
    use base64::Engine as _;
    let claims = token.split('.').nth(1).unwrap_or_default();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap_or_default();
    let claims: Value = serde_json::from_slice(&claims).unwrap_or_default();
    claims["project_id"].as_str().unwrap_or_default().to_owned()
}

/// Events that one says and many follow.
async fn followed(at: &str, followers: usize, tokens: &[String]) -> String {
    let (heard, topic) = (Arc::new(AtomicU64::new(0)), format!("fan-{followers}"));
    let mut all = Vec::new();
    for follower in 0..followers {
        let mut line = line_to(at).await;
        let asked =
            request("GET", &format!("/api/events/stream?topic={topic}"), &tokens[follower / OF_TOKEN], None);
        line.write_all(&asked).await.expect("asked");
        let heard = Arc::clone(&heard);
        all.push(tokio::spawn(async move {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = line.read(&mut bytes).await {
                let found = bytes[..length].windows(7).filter(|it| it == b"\ndata: ").count();
                heard.fetch_add(found as u64, Relaxed);
            }
        }));
    }
    sleep(Duration::from_secs(1)).await;
    let (mut line, mut told) = (line_to(at).await, Vec::new());
    let asked = request("POST", &format!("/api/events/{topic}"), &tokens[0], Some(&body()));
    let begun = Instant::now();
    let mut micros = Vec::new();
    for event in 0..EVENTS * 5 {
        sleep((begun + Duration::from_secs(1) * event / EVENTS).saturating_duration_since(Instant::now()))
            .await;
        let begun = Instant::now();
        if ask(&mut line, &asked, &mut told).await == Some(202) {
            micros.push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
    }
    let wanted = micros.len() as u64 * followers as u64;
    let last = Instant::now();
    while heard.load(Relaxed) < wanted && last.elapsed() < Duration::from_secs(20) {
        sleep(Duration::from_millis(10)).await;
    }
    let over = begun.elapsed();
    all.iter().for_each(|it| it.abort());
    let (heard, said) = (heard.load(Relaxed), Told::of(micros, 0, over));
    format!(
        "{followers} follow: {heard} of {wanted} delivered, {:.0}/s; the last one {:.0} ms after the last was said; saying one: {}",
        heard as f64 / over.as_secs_f64(),
        last.elapsed().as_secs_f64() * 1000.0,
        said.words()
    )
}

fn resident_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or(0)
}
