//! Runs over HTTP: started, followed, held and ended.

use super::Sidecar;
use crate::runtime::ann;
use cuelight_base::{OPEN_RUNS_MAX, Value, ValueMap};
use cuelight_definition::{Files, read};
use cuelight_engine::{CauseOfLaunch, Command, Launching, World};
use cuelight_gateway::Rates;
use cuelight_plan::lower;
use cuelight_runtime::{Clock as _, SystemClock};
use cuelight_store::{Batch, Journal, Owner, Workspace};
use serde_json::json;
use std::{fs, path::Path, sync::mpsc::sync_channel};

const GATED: &str = "name: ship\ninputs: {to: {type: string, default: here}}\nsteps:\n  - {id: one, run: \"echo ${{ inputs.to }}\"}\n  - {id: go, needs: one, gate: Go?}\n";

async fn with_file() -> Sidecar {
    let sidecar = Sidecar::start().await;
    fs::write(sidecar.dir.path().join("ship.yaml"), GATED).expect("a file");
    sidecar
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_started_followed_and_ended() {
    let sidecar = with_file().await;
    let token = sidecar.agent("shop");
    let started = json!({"workflow": "ship.yaml", "inputs": {"to": "there"}});
    let run = sidecar
        .send(
            "POST",
            "/api/runs",
            Some(&token),
            Some(started.clone()),
            &[("Idempotency-Key", "k1"), ("X-Request-Id", "ci-7")],
        )
        .await
        .is(201);
    assert_eq!(
        (&run["id"], &run["trace"], &run["actor"]),
        (&json!("r-1"), &json!("ci-7"), &json!("agent:reviewer-1"))
    );
    // The same request again starts nothing more.
    let again = sidecar
        .send("POST", "/api/runs", Some(&token), Some(started), &[("Idempotency-Key", "k1")])
        .await
        .is(201);
    assert_eq!(again["id"], "r-1");
    let events = sidecar.send("GET", "/api/runs/r-1/events", Some(&token), None, &[]);
    let acts = async {
        let paused = sidecar.send("POST", "/api/runs/r-1/pause", Some(&token), None, &[]).await;
        assert!(paused.status == 200 || paused.status == 409, "{paused:?}");
        drop(sidecar.send("POST", "/api/runs/r-1/resume", Some(&token), None, &[]).await);
        sidecar.post("/api/runs/r-1/cancel", &token, json!({"reason": "seen enough"})).await.is(200)
    };
    let (followed, _) = tokio::join!(events, acts);
    assert_eq!((followed.status, followed.field("content-type")), (200, "text/event-stream"));
    let told: Vec<(u64, Value)> = followed
        .text
        .split("\n\n")
        .filter_map(|part| {
            let id = part.lines().find_map(|line| line.strip_prefix("id: "))?.parse().ok()?;
            let data = part.lines().find_map(|line| line.strip_prefix("data: "))?;
            Some((id, serde_json::from_str(data).expect("JSON")))
        })
        .collect();
    assert_eq!(told.first().map(|pair| pair.1["type"].clone()), Some(json!("run.created")));
    assert_eq!(
        told.last().map(|pair| pair.1["type"].clone()),
        Some(json!("run_finished")),
        "it ends with the run"
    );
    assert!(told.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order");
    // Whoever lost the line goes on where it was.
    let middle = told[told.len() / 2].0;
    let rest = sidecar
        .send("GET", "/api/runs/r-1/events", Some(&token), None, &[("Last-Event-ID", &middle.to_string())])
        .await;
    let rest = rest.text.lines().filter(|line| line.starts_with("id: ")).count();
    assert_eq!(rest, told.iter().filter(|pair| pair.0 > middle).count());
    assert_eq!(sidecar.get("/api/runs/r-1", &token).await.is(200)["state"], "cancelled");
    sidecar.post("/api/runs/r-1/cancel", &token, json!({})).await.refused(409, "RUN_003");
    sidecar.get("/api/runs/r-9", &token).await.refused(404, "RUN_001");
    sidecar.end().await;
}

/// An engine that ended before it could answer has started the run all the same: the next one knows it by its key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_stands_for_its_run_also_when_the_engine_began_anew() {
    let sidecar = with_file().await;
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    let key = [("Idempotency-Key", "k1")];
    let body = |to: &str| Some(json!({"workflow": "ship.yaml", "inputs": {"to": to}}));
    let first = sidecar.send("POST", "/api/runs", Some(&shop), body("there"), &key).await.is(201);
    let sidecar = Sidecar::open(sidecar.end().await, Rates::default(), true).await;
    let again = sidecar.send("POST", "/api/runs", Some(&shop), body("there"), &key).await.is(201);
    assert_eq!((&again["id"], &again["trace"]), (&json!("r-1"), &first["trace"]));
    // Something else under that key, and the key of another project, are another request.
    let other = sidecar.send("POST", "/api/runs", Some(&shop), body("elsewhere"), &key).await.is(201);
    let theirs = sidecar.send("POST", "/api/runs", Some(&bank), body("there"), &key).await.is(201);
    assert_eq!((&other["id"], &theirs["id"]), (&json!("r-2"), &json!("r-3")));
    let sidecar = Sidecar::open(sidecar.end().await, Rates::default(), true).await;
    for (token, to, run) in [(&shop, "there", "r-1"), (&shop, "elsewhere", "r-2"), (&bank, "there", "r-3")] {
        let again = sidecar.send("POST", "/api/runs", Some(token), body(to), &key).await.is(201);
        assert_eq!(again["id"], run, "{to}");
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_listed_page_by_page_and_by_state() {
    let sidecar = with_file().await;
    let token = sidecar.agent("shop");
    for _ in 0..3 {
        sidecar.post("/api/runs", &token, json!({"workflow": "ship.yaml"})).await.is(201);
    }
    let ids = |told: &Value| {
        told["runs"].as_array().expect("runs").iter().map(|run| run["id"].clone()).collect::<Vec<_>>()
    };
    let page = sidecar.get("/api/runs?limit=2", &token).await.is(200);
    assert_eq!((ids(&page), &page["more"]), (vec![json!("r-3"), json!("r-2")], &json!(true)));
    let page = sidecar.get("/api/runs?limit=2&before=r-2", &token).await.is(200);
    assert_eq!((ids(&page), &page["more"]), (vec![json!("r-1")], &json!(false)));
    assert_eq!(ids(&sidecar.get("/api/runs?state=completed", &token).await.is(200)), Vec::<Value>::new());
    for path in [
        "/api/runs?limit=0",
        "/api/runs?limit=1001",
        "/api/runs?limit=x",
        "/api/runs?before=x",
        "/api/runs?state=x",
    ] {
        sidecar.get(path, &token).await.refused(400, "REQ_001");
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_workflows_of_the_workspace_are_run() {
    let sidecar = with_file().await;
    let token = sidecar.agent("shop");
    fs::write(sidecar.dir.path().join("notes.txt"), GATED).expect("a file");
    let outside = tempfile::TempDir::new().expect("a directory");
    fs::write(outside.path().join("evil.yaml"), GATED).expect("a file");
    std::os::unix::fs::symlink(outside.path().join("evil.yaml"), sidecar.dir.path().join("link.yaml"))
        .expect("a link");
    let absolute = outside.path().join("evil.yaml").display().to_string();
    for path in ["nowhere.yaml", "notes.txt", "../evil.yaml", "link.yaml", ".", "a/../ship.yaml", &absolute] {
        sidecar.post("/api/runs", &token, json!({"workflow": path})).await.refused(404, "RUN_005");
    }
    fs::write(sidecar.dir.path().join("wrong.yaml"), "name: a\nsteps: [{id: x}]\n").expect("a file");
    let told =
        sidecar.post("/api/runs", &token, json!({"workflow": "wrong.yaml"})).await.refused(400, "RUN_002");
    assert!(
        told["details"]["report"].as_str().is_some_and(|report| report.contains("this step does nothing")),
        "{told}"
    );
    sidecar
        .post("/api/runs", &token, json!({"workflow": "ship.yaml", "inputs": {"too": "x"}}))
        .await
        .refused(400, "RUN_002");
    sidecar.end().await;
}

/// A directory without files.
struct Nothing;

impl Files for Nothing {
    fn read(&self, path: &str) -> Result<String, String> {
        Err(format!("there is no {path}"))
    }
}

/// Writes a log in which as many runs wait for their time as may be open at once.
fn fill(dir: &Path) {
    let workspace = Workspace::create(dir).expect("a workspace");
    // Between its fork and its exec, a child of another test holds what was given up.
    let owner = loop {
        if let Ok(owner) = Owner::take(&workspace) {
            break owner;
        }
        std::thread::yield_now();
    };
    let (journal, _) = Journal::open(&workspace, &owner, [7; 32]).expect("a journal");
    let (workflow, findings) = read("held.yaml", "name: held\nsteps: [{id: a, wait: 24h}]\n", &Nothing);
    let plan = lower(&workflow.expect("a workflow"), ValueMap::default()).expect("a plan");
    assert!(findings.is_empty(), "{findings:?}");
    let (mut world, now) = (World::default(), SystemClock.now());
    let mut left = OPEN_RUNS_MAX;
    while left > 0 {
        let mut events = Vec::new();
        for _ in 0..left.min(500) {
            let (cause, trace) = (CauseOfLaunch::Asked, "trace".to_owned());
            let launch = Launching { plan: plan.clone(), by: ann(), seed: 7, cause, trace, request: None };
            world.handle(Command::Launch(Box::new(launch)), now, &mut events).expect("there is room");
            left -= 1;
        }
        let (sender, receiver) = sync_channel(1);
        let batch = Batch { events, ..Batch::default() };
        journal.append(batch, move |kept| sender.send(kept).expect("the test waits"));
        receiver.recv().expect("an answer").expect("it is kept");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_too_many_runs_are_open_another_one_waits_until_one_has_ended() {
    let dir = tempfile::TempDir::new().expect("a directory");
    fill(dir.path());
    let sidecar = Sidecar::open(dir, Rates::default(), true).await;
    fs::write(sidecar.dir.path().join("ship.yaml"), GATED).expect("a file");
    let token = sidecar.agent("shop");
    let ship = json!({"workflow": "ship.yaml"});
    sidecar.post("/api/runs", &token, ship.clone()).await.refused(503, "RUN_004");
    sidecar.post("/api/gates", &token, super::question("Ship?")).await.refused(503, "RUN_004");
    sidecar.post("/api/runs/r-1/cancel", &token, json!({"reason": "there are too many"})).await.is(200);
    assert_eq!(
        sidecar.post("/api/runs", &token, ship).await.is(201)["id"],
        format!("r-{}", OPEN_RUNS_MAX + 1)
    );
    sidecar.end().await;
}
