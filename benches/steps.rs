//! Durable steps per second, through the whole engine: reader of commands, decisions, one synced transaction, effects.
//!
//! `cargo bench --bench steps [-- DAG.json …]`. Steps that do nothing outside (P1, P2) and steps that start `true` (P3; two
//! at once as the yardstick does, and sixteen, as when nothing is said), or that sleep for 10 and 100 ms, as a chain, wide and layered. Programs run directly below the engine,
//! under a guard, and under one with `on-console-death: kill`, round by round in one go; the last column is how they compare. A `DAG.json` of the yardstick (`{"n": …, "deps": [[…]]}`) is run as well, so that both can
//! be compared in one go.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and prints figures"
)]

use cuelight_base::{Actor, Channel, Proof};
use cuelight_runtime::{Desk, Engine, Entropy, LaunchRequest, Setup, Source};
use cuelight_store::Trusted;
use cuelight_tool::{HttpPolicy, SecretStore};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

fn main() {
    println!(
        "{:<34} {:>7} {:>10} {:>8} {:>10} {:>12} {:>8}",
        "workload", "steps", "kind", "under", "seconds", "steps/s", "direct"
    );
    let given: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    for path in &given {
        let text = std::fs::read_to_string(path).expect("a readable DAG");
        let dag: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let deps = dag["deps"].as_array().expect("deps").iter();
        let deps = deps.map(|dep| dep.as_array().expect("a list").iter().map(number).collect());
        both(path, &deps.collect::<Vec<Vec<usize>>>());
    }
    if given.is_empty() {
        both("chain", &chain(100));
        both("wide", &vec![Vec::new(); 1_000]);
        both("layered", &layered(1_000));
        both("layered", &layered(10_000));
    }
}

fn number(value: &serde_json::Value) -> usize {
    usize::try_from(value.as_u64().expect("a number")).expect("a small number")
}

fn both(name: &str, deps: &[Vec<usize>]) {
    let nothing = "set: {scope: run, values: {}}";
    let program = |path: &str, word: &str| format!("run: '{word}', shell: {path}");
    for (kind, work, at_once) in [
        ("nothing", nothing.to_owned(), 2),
        ("2 x true", program("/bin/true", "true"), 2),
        ("16 x true", program("/bin/true", "true"), 16),
        ("2 x 10ms", program("/bin/sleep", "0.01"), 2),
        ("2 x 100ms", program("/bin/sleep", "0.1"), 2),
    ] {
        // What takes long is not done thousands of times.
        let deps = if kind.ends_with("ms") { &deps[..deps.len().min(60)] } else { deps };
        let work = work.as_str();
        let kill = format!("{work}, on-console-death: kill");
        let mut ways = vec![("-", work, false)];
        if work != nothing {
            ways = vec![("direct", work, false), ("guard", work, true), ("kill", kill.as_str(), true)];
        }
        let mut took: Vec<Vec<Duration>> = vec![Vec::new(); ways.len()];
        for _ in 0..ROUNDS {
            for (way, took) in ways.iter().zip(&mut took) {
                took.push(run(&workflow(deps, way.1, at_once), way.2));
            }
        }
        took.iter_mut().for_each(|durations| durations.sort());
        for (way, took_here) in ways.iter().zip(&took) {
            let median = took_here[ROUNDS / 2];
            let rate = deps.len() as u128 * 1_000_000_000 / median.as_nanos();
            let ratio = median.as_secs_f64() / took[0][ROUNDS / 2].as_secs_f64();
            println!(
                "{name:<34} {:>7} {kind:>10} {:>8} {:>10.3} {rate:>12} {ratio:>8.2}",
                deps.len(),
                way.0,
                median.as_secs_f64()
            );
        }
    }
}

/// The median of so many.
const ROUNDS: usize = 5;

fn chain(steps: usize) -> Vec<Vec<usize>> {
    (0..steps).map(|index| index.checked_sub(1).into_iter().collect()).collect()
}

/// Layers of 50; each step needs two of the layer before.
fn layered(steps: usize) -> Vec<Vec<usize>> {
    let above =
        |index: usize| vec![(index / 50 - 1) * 50 + index % 50, (index / 50 - 1) * 50 + (index + 7) % 50];
    (0..steps).map(|index| if index < 50 { Vec::new() } else { above(index) }).collect()
}

fn workflow(deps: &[Vec<usize>], work: &str, at_once: usize) -> String {
    let mut text = format!("name: bench\nmax-parallel: {at_once}\nsteps:\n");
    for (index, needs) in deps.iter().enumerate() {
        let needs: Vec<String> = needs.iter().map(|number| format!("s{number}")).collect();
        writeln!(text, "  - {{id: s{index}, needs: [{}], {work}}}", needs.join(", ")).expect("fits");
    }
    text
}

/// From the request until the end of the run can be seen.
fn run(text: &str, guarded: bool) -> Duration {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    runtime.block_on(async {
        let dir = tempfile::tempdir().expect("a directory");
        let workspace = Trusted::make(dir.path()).expect("a workspace");
        let secrets = SecretStore::new(BTreeMap::new(), dir.path());
        let actor = Actor {
            name: "bench".to_owned(),
            proof: Proof::OsUser(0),
            groups: Vec::new(),
            channel: Channel::Command,
        };
        let engine = Engine::start(Setup {
            trees: None,
            workspace,
            actor,
            environment: Vec::new(),
            secrets,
            program: None,
            http: HttpPolicy::default(),
            traced: false,
            guard: guarded.then(|| env!("CARGO_BIN_EXE_cuelight").into()),
        })
        .await
        .expect("starts");
        let desk = engine.desk();
        let source = Source::Text { name: "bench.yaml".to_owned(), text: text.to_owned() };
        let request = LaunchRequest::of(Entropy.request_id(), source);
        let began = Instant::now();
        let mut boards = desk.boards();
        drop(desk.launch(request).await);
        let done =
            |seen: &cuelight_runtime::Seen| seen.board.summaries().any(|summary| summary.state.rests());
        drop(boards.wait_for(done).await);
        let took = began.elapsed();
        engine.close().await;
        took
    })
}
