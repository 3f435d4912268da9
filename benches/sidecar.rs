//! The HTTP API under load, beside a bare server of the same library with the same JSON, in one run: requests and durable events a second,
//! 119 and 1,000 agents at their rounds (contexts, results, events, values, knowledge), events handed to many who follow, and what memory that takes.
//!
//! `cargo bench --bench sidecar [-- requests events agents fan]`: all, or what is named, or `alone`: events without the yardstick, for a profiler. `-- --minutes 30`: 119 agents for so long, and what becomes of
//! memory; with `--every 250` a round each 250 ms, so that memory grows in minutes as it else does in half an hour. Goals: at least half of what the bare server does; more than 99.9 % of the rounds done; an event acknowledged within 50 ms for 99 of 100, and
//! handed to 1,000 within 100; less than 300 MB.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark reads the clock, plays many agents and prints figures"
)]

#[path = "support/bare.rs"]
mod bare;

use cuelight_runtime::called_by_schedules;
use cuelight_store::TrustBook;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// The program that is measured.
const PROGRAM: &str = env!("CARGO_BIN_EXE_cuelight");
/// Full load: numbers of connections, duration, and number of repetitions.
const LINES: [usize; 2] = [64, 119];
const SPAN: Duration = Duration::from_secs(3);
const TIMES: usize = 2;
/// Interval between rounds of one agent, …
const ROUND: Duration = Duration::from_secs(2);
/// … and number of rounds.
const ROUNDS: usize = 10;
/// After so many rounds an agent turns to another piece of work, so one in ten of its contexts is made anew.
const ROUNDS_OF_WORK: usize = 10;
/// Numbers of followers and of their projects.
const FOLLOWERS: [(usize, usize); 3] = [(100, 1), (1000, 1), (1000, 4)];
/// Followers per token: one principal may have a hundred places.
const OF_TOKEN: usize = 90;
/// Events a second where it is not as fast as it goes; events under way where it is; how many.
const EVENTS_A_SECOND: u32 = 100;
const UNDER_WAY: u64 = 64;
const EVENTS: u64 = 600;
/// More may wait at once than when nothing is said.
const SETTINGS: &str = "[connections]\nmost = 1200\nwaiting = 1100\nwaiting-of-project = 1100\n";

/// The same for both servers.
fn body() -> Value {
    json!({"data": {"issue": "cl-7", "status": "done", "files": ["src/a.rs", "src/b.rs"], "confidence": 0.9, "summary": "x".repeat(200)}})
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let words: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let after =
        |sign: &str| words.iter().position(|word| word == sign).and_then(|index| words.get(index + 1));
    if let Some(dir) = after("--bare") {
        runtime.block_on(bare::serve(Path::new(dir)));
    } else if let Some(minutes) = after("--minutes") {
        let every = after("--every").map(|word| Duration::from_millis(word.parse().expect("milliseconds")));
        let minutes = minutes.parse().expect("a number of minutes");
        runtime.block_on(for_long(minutes, every.unwrap_or(ROUND)));
    } else {
        runtime.block_on(measure(&words));
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
        let Some(at) = line.split(sign).nth(1).map(|part| part.split([',', ' ']).next().unwrap_or_default())
        else {
            continue;
        };
        return Server { child, at: at.to_owned() };
    }
}

/// A workspace with files, the server that answers there, and the yardstick.
struct Stage {
    dir: tempfile::TempDir,
    ours: Server,
    bare: Server,
}

impl Stage {
    async fn new() -> Self {
        let dir = tempfile::TempDir::new().expect("a directory");
        let book = TrustBook::new(dir.path().join(".local/state/cuelight/trust"), called_by_schedules);
        drop(book.create(dir.path(), &"0".repeat(32)).expect("a workspace"));
        fs::write(dir.path().join(".cuelight/config.toml"), SETTINGS).expect("written");
        for file in 0..FILES {
            let dir = dir.path().join(format!("src/m{}", file % 20));
            fs::create_dir_all(&dir).expect("made");
            let text = format!("//! File {file}.\n{}", "fn f() {}\n".repeat(100));
            fs::write(dir.join(format!("f{file}.rs")), text).expect("written");
        }
        token(dir.path(), "first", &[]);
        let mut bare = Command::new(env::current_exe().expect("this program"));
        let bare = begun(bare.arg("--bare").arg(dir.path()), "bare at ").await;
        let mut serve = Command::new(PROGRAM);
        serve.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(dir.path()).env("HOME", dir.path());
        let ours = begun(&mut serve, "answering at http://").await;
        Self { dir, ours, bare }
    }

    fn token(&self, agent: &str, project: Option<&str>) -> String {
        let project = project.map(|project| format!("--project={project}"));
        token(self.dir.path(), agent, project.as_slice())
    }

    /// Numbers of cached and of built contexts since the engine began.
    async fn contexts(&self) -> [u64; 2] {
        let token = token(self.dir.path(), "watch", &["--permissions=view_metrics".to_owned()]);
        let (mut line, mut heard) = (line_to(&self.ours.at).await, Vec::new());
        let status = ask(&mut line, &request("GET", "/metrics", &token, None), &mut heard).await;
        let told = String::from_utf8_lossy(&heard);
        assert_eq!(status, Some(200), "{told}");
        ["hits", "misses"].map(|text| {
            let sign = format!("cuelight_context_cache_{text}_total ");
            let count = told.lines().find_map(|line| line.strip_prefix(&sign)?.parse().ok());
            count.expect("a count of contexts")
        })
    }

    /// Memory of the engine in MB.
    fn mb(&self) -> u64 {
        resident_kib(self.ours.child.id()) / 1024
    }
}

/// A token of an agent that may ask as much as it likes.
fn token(dir: &Path, agent: &str, more: &[String]) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(["token", "--agent", agent, "--type", "architect", "--expires", "12h"]).args(more);
    let told = command.current_dir(dir).env("HOME", dir).output().expect("a token");
    String::from_utf8_lossy(&told.stdout).trim().to_owned()
}

async fn measure(words: &[String]) {
    let only = |part: &str| words.iter().any(|word| word == part);
    let wants = |part: &str| words.is_empty() || only(part);
    let stage = Stage::new().await;
    println!("at rest: {} MB", stage.mb());
    if only("alone") {
        println!("process {}", stage.ours.child.id());
        let asked = request("POST", "/api/events/load", &stage.token("load", None), Some(&body()));
        println!("events alone: {}", fast(&stage.ours.at, asked, LINES[0], SPAN * 5).await.words());
    }
    if wants("requests") {
        pairs(&stage, "a request with a token, read", ("GET", "/api/gates?state=open", None), "/echo").await;
    }
    if wants("events") {
        let asked = ("POST", "/api/events/load", Some(&body()));
        pairs(&stage, "an event, on disk before the answer", asked, "/publish").await;
    }
    for agents in [119, 1000_usize].into_iter().filter(|_| wants("agents")) {
        // Above 1,000 lines at once the others wait in line; an agent keeps its line for a round only.
        let tokens: Vec<String> =
            (0..agents.min(119)).map(|index| stage.token(&format!("a-{index}"), None)).collect();
        let before = stage.contexts().await;
        let told = rounds(&stage.ours.at, agents, &tokens, (ROUNDS, ROUND)).await;
        println!(
            "{agents} agents, {ROUNDS} rounds of context, result, event, value and knowledge each, one every {ROUND:?}:"
        );
        for (name, one) in told {
            println!("  {name}: {}", one.words());
        }
        println!("  {}; memory: {} MB", there_already(before, stage.contexts().await), stage.mb());
    }
    for (followers, projects) in FOLLOWERS.into_iter().filter(|_| wants("fan")) {
        for rate in [None, Some(EVENTS_A_SECOND)] {
            let bare = followed(&stage, &stage.bare.at, (followers, 1), rate).await;
            let ours = followed(&stage, &stage.ours.at, (followers, projects), rate).await;
            println!(
                "{followers} follow in {projects} projects, {}:",
                rate.map_or("as fast as it goes".to_owned(), |rate| format!("{rate} events a second"))
            );
            println!(
                "  bare: {}\n  ours: {} = {:.2} of the bare one; memory {} MB",
                bare.words(),
                ours.words(),
                ours.rate / bare.rate,
                stage.mb()
            );
        }
    }
}

/// The same asked of both, one after the other, several times.
async fn pairs(stage: &Stage, what: &str, (method, path, said): (&str, &str, Option<&Value>), of_bare: &str) {
    let token = stage.token("load", None);
    for lines in LINES {
        for _ in 0..TIMES {
            let bare =
                fast(&stage.bare.at, request("POST", of_bare, &token, Some(&body())), lines, SPAN).await;
            let ours = fast(&stage.ours.at, request(method, path, &token, said), lines, SPAN).await;
            println!(
                "{what}, {lines} lines:\n  bare: {}\n  ours: {} = {:.2} of the bare one; memory {} MB",
                bare.words(),
                ours.words(),
                ours.rate / bare.rate,
                stage.mb()
            );
        }
    }
}

/// Many agents at their rounds for long: what the engine takes of memory, and how often a context was there already.
async fn for_long(minutes: u64, every: Duration) {
    let stage = Stage::new().await;
    let tokens: Vec<String> = (0..119).map(|index| stage.token(&format!("a-{index}"), None)).collect();
    let count = Duration::from_mins(minutes).as_millis() / every.as_millis();
    let count = usize::try_from(count).expect("a number");
    let watched = async {
        let begun = Instant::now();
        loop {
            println!("{:>5} s: {} MB", begun.elapsed().as_secs(), stage.mb());
            sleep(Duration::from_mins(minutes) / 30).await;
        }
    };
    let told = tokio::select! {
        told = rounds(&stage.ours.at, 119, &tokens, (count, every)) => told,
        () = watched => return,
    };
    for (name, one) in told {
        println!("{name}: {}", one.words());
    }
    println!("{}; at the end: {} MB", there_already([0, 0], stage.contexts().await), stage.mb());
}

/// The share of contexts between two looks that came from the cache.
fn there_already(before: [u64; 2], after: [u64; 2]) -> String {
    let [hits, misses] = [0, 1].map(|number| after[number] - before[number]);
    let all = hits + misses;
    format!("contexts that were there already: {hits} of {all}, {:.1} %", hits as f64 * 100.0 / all as f64)
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
        let Some(end) = heard.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&heard[..end]).to_ascii_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
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
async fn fast(at: &str, request: Vec<u8>, lines: usize, span: Duration) -> Told {
    let (request, failed, end) = (Arc::new(request), Arc::new(AtomicU64::new(0)), Instant::now() + span);
    let mut all = Vec::new();
    for _ in 0..lines {
        let (mut line, request, failed) = (line_to(at).await, Arc::clone(&request), Arc::clone(&failed));
        all.push(tokio::spawn(async move {
            let (mut micros, mut heard) = (Vec::new(), Vec::new());
            while Instant::now() < end {
                let begun = Instant::now();
                if ask(&mut line, &request, &mut heard).await.is_some_and(|number| number < 300) {
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
    Told::of(micros, failed.load(Relaxed), span)
}

/// Actions of an agent in a round.
const PARTS: [&str; 5] = ["context", "result", "event", "value", "knowledge"];
/// Files of the project that contexts are made of.
const FILES: usize = 400;

/// Many agents, each at its own pace; times count from when a request was due.
async fn rounds(
    at: &str,
    agents: usize,
    tokens: &[String],
    (count, every): (usize, Duration),
) -> Vec<(&'static str, Told)> {
    let begun = Instant::now();
    let mut all = Vec::new();
    for agent in 0..agents {
        let token = tokens[agent % tokens.len()].clone();
        let name = format!("a-{}", agent % tokens.len());
        let at = at.to_owned();
        all.push(tokio::spawn(async move {
            let mut told: Vec<(usize, Option<u64>)> = Vec::new();
            let mut heard = Vec::new();
            for round in 0..count {
                let due = begun + every * u32::try_from(round).unwrap_or(0) + every.mul_f64(agent as f64 / agents as f64);
                sleep(due.saturating_duration_since(Instant::now())).await;
                let mut line = line_to(&at).await;
                let issue = format!("cl-{agent}-{round}");
                let result = json!({"agent_id": name, "agent_type": "architect", "issue_id": issue, "project_id": project(&token), "result": {"status": "success", "files_modified": ["a.rs"], "decisions": ["it is done"]}});
                let known = json!({"type": "decision", "text": format!("what agent {agent} knows after round {round}")});
                let task = format!("cl-{agent}-{}", round / ROUNDS_OF_WORK);
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
                    let done = status.ok().flatten().is_some_and(|number| number < 300);
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

/// Events that one says in each project and many follow, at a rate or as fast as all of them take them in; how long each took from its sender to each of them.
async fn followed(stage: &Stage, at: &str, (followers, projects): (usize, usize), rate: Option<u32>) -> Told {
    let (heard, topic) =
        (Arc::new(AtomicU64::new(0)), format!("fan-{followers}-{projects}-{}", rate.unwrap_or(0)));
    let mut tokens = BTreeMap::new();
    let mut token_of = |project: usize, number: usize| -> String {
        let make = || stage.token(&format!("f-{number}"), Some(&format!("p-{project}")));
        tokens.entry((project, number)).or_insert_with(make).clone()
    };
    let (began, over) = (Instant::now(), CancellationToken::new());
    let mut all = Vec::new();
    for follower in 0..followers {
        let mut line = line_to(at).await;
        let token = token_of(follower % projects, follower / projects / OF_TOKEN);
        let path = if at == stage.bare.at {
            "/stream".to_owned()
        } else {
            format!("/api/events/stream?topic={topic}")
        };
        line.write_all(&request("GET", &path, &token, None)).await.expect("asked");
        let (heard, over) = (Arc::clone(&heard), over.clone());
        all.push(tokio::spawn(async move {
            let (mut micros, mut bytes) = (Vec::new(), Vec::new());
            while let Some(Ok(1..)) = over.run_until_cancelled(line.read_buf(&mut bytes)).await {
                let now = micros_since(began);
                let mut end = 0;
                while let Some(at) = find(&bytes[end..], b"\"sent\":").map(|number| end + number + 7)
                    && let Some(length) = find(&bytes[at..], b"\n\n")
                {
                    let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit());
                    let sent = digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
                    micros.push(now.saturating_sub(sent));
                    heard.fetch_add(1, Relaxed);
                    end = at + length;
                }
                bytes.drain(..end);
            }
            micros
        }));
    }
    let speakers: Vec<String> = (0..projects).map(|index| token_of(index, 0)).collect();
    sleep(Duration::from_secs(1)).await;
    let (mut line, mut told, mut said) = (line_to(at).await, Vec::new(), 0);
    let begun = Instant::now();
    let each = (followers / projects) as u64;
    let count = EVENTS * if projects > 1 { 2 } else { 1 };
    while said < count {
        match rate {
            Some(rate) => {
                let due = begun + Duration::from_secs(1) * u32::try_from(said).unwrap_or(0) / rate;
                sleep(due.saturating_duration_since(Instant::now())).await;
            }
            None => {
                while said - heard.load(Relaxed) / each >= UNDER_WAY {
                    sleep(Duration::from_millis(1)).await;
                }
            }
        }
        let mut body = body();
        body["data"]["sent"] = micros_since(began).into();
        let path = if at == stage.bare.at { "/publish".to_owned() } else { format!("/api/events/{topic}") };
        let token = &speakers[usize::try_from(said).unwrap_or(0) % projects];
        let status = ask(&mut line, &request("POST", &path, token, Some(&body)), &mut told).await;
        assert_eq!(status, Some(202), "{}", String::from_utf8_lossy(&told));
        said += 1;
    }
    let wanted = said * each;
    while heard.load(Relaxed) < wanted && begun.elapsed() < Duration::from_mins(1) {
        sleep(Duration::from_millis(1)).await;
    }
    let span = begun.elapsed();
    over.cancel();
    let mut micros = Vec::new();
    for one in all {
        micros.extend(one.await.expect("done"));
    }
    let missing = wanted.saturating_sub(micros.len() as u64);
    Told::of(micros, missing, span)
}

fn micros_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn resident_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}
