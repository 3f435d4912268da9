//! From a request to what it sets going: how long after a gate was decided the next process runs, near and through the
//! socket, and how many durable process steps a second there are. `cargo bench --bench desk`.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints what a clock says")]

use cuelight_base::{Actor, AttemptId, Channel, Proof, RunId, StepIx, ValueMap};
use cuelight_engine::{Command, Decision, Verdict};
use cuelight_gateway::{RemoteDesk, serve_socket};
use cuelight_runtime::{
    Desk, Engine, Entropy, LaunchRequest, OutputPart, Page, Reply, Request, Setup, Source, Tasks, Want,
    WhoIsWho,
};
use cuelight_store::Trusted;
use cuelight_tool::{HttpPolicy, SecretStore};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    process::{Command as Process, Stdio},
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use tokio_util::sync::CancellationToken;

const GATED: &str = "name: gated\nsteps:\n  - id: ok\n    gate:\n      prompt: Go on?\n      undo-window: 0s\n  - id: go\n    needs: [ok]\n    run: echo $EPOCHREALTIME\n";
const DECISIONS: usize = 200;
const WIDE: usize = 1000;

#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir().expect("a directory");
    let workspace = Trusted::make(dir.path()).expect("a workspace");
    let actor = Actor {
        name: "b".to_owned(),
        proof: Proof::OsUser(0),
        groups: Vec::new(),
        channel: Channel::Console,
    };
    let environment = vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())];
    let secrets = SecretStore::new(BTreeMap::new(), dir.path());
    let engine = Engine::start(Setup {
        trees: None,
        workspace,
        actor,
        environment,
        secrets,
        program: None,
        http: HttpPolicy::default(),
        traced: false,
        guard: None,
    })
    .await
    .expect("it starts");
    let near = engine.desk();
    decided("near", &near).await;
    let (tasks, closing) = engine.doors();
    let socket = dir.path().join("socket");
    let nobody = WhoIsWho::new(|| Ok(Arc::default()));
    serve_socket(&socket, engine.desk(), (nobody, String::new()), tasks, closing.clone())
        .expect("it listens");
    let (tasks, closing) = (Tasks::default(), CancellationToken::new());
    let far = RemoteDesk::attach(&socket, Channel::Command, &tasks, closing.clone()).await.expect("a seat");
    decided("through the socket", &far).await;
    wide(&near).await;
    closing.cancel();
    tasks.join().await;
    drop(near);
    engine.close().await;
}

async fn run_of(desk: &impl Desk, text: String) -> RunId {
    let source = Source::Text { name: "bench.yaml".to_owned(), text };
    match desk.launch(LaunchRequest::of(Entropy.request_id(), source)).await {
        Reply::Recorded(receipt) => receipt.run.expect("a run"),
        other => panic!("{other:?}"),
    }
}

/// From the request to the first command of the process it lets start.
async fn decided(what: &str, desk: &impl Desk) {
    let mut took = Vec::new();
    for _ in 0..DECISIONS {
        let run = run_of(desk, GATED.to_owned()).await;
        let mut boards = desk.boards();
        let open = |board: &cuelight_projection::Board| board.open_gates_of(run).next().cloned();
        let seen = boards.wait_for(|boards| open(&boards.board).is_some()).await.expect("a board").clone();
        let gate = open(&seen.board).expect("it is open");
        let decision = Decision {
            id: Entropy.decision_id(),
            gate: gate.ask.gate,
            epoch: gate.ask.epoch,
            ask: gate.hash,
            verdict: Verdict::Approve,
            reason: String::new(),
            by: Actor::engine(),
            shown_for: None,
            break_glass: false,
            overrides: false,
            form: ValueMap::new(),
        };
        let start = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
        let request = Request { id: Entropy.request_id(), command: Command::Decide(Box::new(decision)) };
        let reply = desk.submit(request).await;
        assert!(matches!(reply, Reply::Recorded(_)), "{reply:?}");
        let rests = |board: &cuelight_projection::Board| {
            board.summary(run).is_some_and(|summary| summary.state.rests())
        };
        drop(boards.wait_for(|boards| rests(&boards.board)).await.expect("a board"));
        let attempt = AttemptId { run, step: StepIx(1), number: 1 };
        let Page::Bytes { bytes, .. } = desk.read(Want::Output { attempt, part: OutputPart::From(0) }).await
        else {
            panic!("no output")
        };
        let began: f64 = String::from_utf8_lossy(&bytes).trim().parse().expect("a time");
        took.push((began - start) * 1e3);
    }
    took.sort_by(f64::total_cmp);
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    println!("gate decided to process runs, {what:<20} median {:>5.2} ms  p99 {:>5.2} ms", at(50), at(99));
    let mut bare = Vec::new();
    for _ in 0..DECISIONS {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
        let output = Process::new("bash").args(["-c", "echo $EPOCHREALTIME"]).output().expect("bash");
        let began: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a time");
        bare.push((began - start) * 1e3);
    }
    bare.sort_by(f64::total_cmp);
    println!("  of which a bare bash takes                     median {:>5.2} ms", bare[bare.len() / 2]);
}

/// Steps that do nothing but be a process, all of one rank.
async fn wide(desk: &impl Desk) {
    let mut text = "name: wide\nsteps:\n".to_owned();
    for step in 0..WIDE {
        writeln!(text, "  - id: s{step}\n    shell: sh\n    run: exit 0").expect("a String takes all text");
    }
    let start = Instant::now();
    let run = run_of(desk, text).await;
    let launched = start.elapsed().as_secs_f64();
    let rests =
        |board: &cuelight_projection::Board| board.summary(run).is_some_and(|summary| summary.state.rests());
    drop(desk.boards().wait_for(|boards| rests(&boards.board)).await.expect("a board"));
    let whole = start.elapsed().as_secs_f64();
    let start = Instant::now();
    for _ in 0..WIDE {
        let made = Process::new("sh").args(["-c", "exit 0"]).stdout(Stdio::null()).status();
        made.expect("a process");
    }
    let bare = start.elapsed().as_secs_f64();
    println!(
        "{WIDE} processes wide, durable: {whole:.2} s ({launched:.2} s to launch); one after another, bare: {bare:.2} s"
    );
}
