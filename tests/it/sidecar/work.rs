//! Work of `agent` steps over HTTP: taken by one, renewed, handed back, lost, and there again after a restart.

use super::{Sidecar, fits, later};
use cuelight_base::Value;
use cuelight_engine::{Command, TokenName};
use cuelight_exchange::AgentKey;
use cuelight_gateway::{Claims, Permission, Rates, openapi};
use cuelight_runtime::{Clock as _, Desk as _, Reply, Request, RequestId, SystemClock};
use serde_json::json;
use std::{collections::BTreeMap, fs};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn open() -> Rates {
    Rates { said: BTreeMap::from([("other".to_owned(), None)]) }
}

/// The token of a coder.
fn token(sidecar: &Sidecar, name: &str, project: &str) -> String {
    let all = [
        Permission::ReadContext,
        Permission::WriteResults,
        Permission::SpawnAgents,
        Permission::ManageAgents,
    ];
    let claims = Claims { agent_type: Some("coder".to_owned()), ..sidecar.claims(name, project, &all) };
    sidecar.sign(&claims)
}

/// A workspace with an agent that comes by itself, and a workflow that waits for one; `more` stands at the step.
fn workspace(sidecar: &Sidecar, more: &str) {
    let agents = sidecar.dir.path().join(".cuelight/agents");
    fs::create_dir_all(&agents).expect("a directory");
    let coder = "name: coder\nversion: 1\ndescription: Writes code\ncapabilities: [implement]\nclaim: true\n\
                 output: {type: object, properties: {result: {type: string}}, required: [result]}\n";
    fs::write(agents.join("coder.yaml"), coder).expect("a file");
    let flow = format!(
        "name: w\nsteps:\n  - {{id: code, agent: {{name: coder, task: Write it}}, with: {{n: 7}}, env: {{TONE: kind}}, {more}}}\n  \
         - {{id: after, needs: code, run: 'test \"$R\" = done', env: {{R: '${{{{ steps.code.outputs.result }}}}'}}}}\n"
    );
    fs::write(sidecar.dir.path().join("w.yaml"), flow).expect("a file");
}

async fn launched(sidecar: &Sidecar, token: &str) {
    let place = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let asked = Some(json!({"workflow": "w.yaml"}));
    sidecar.send("POST", "/api/runs", Some(token), asked, &[("traceparent", &place)]).await.is(201);
}

async fn claimed(sidecar: &Sidecar, token: &str, name: &str, query: &str) -> Value {
    sidecar.send("POST", &format!("/api/agents/{name}/claim{query}"), Some(token), None, &[]).await.is(200)["work"]
        .clone()
}

async fn rests(sidecar: &Sidecar, run: u32) -> String {
    let run = cuelight_base::RunId(run);
    let mut boards = sidecar.engine().desk().boards();
    let state = |board: &cuelight_projection::Board| board.summary(run).map(|summary| summary.state);
    let seen = boards.wait_for(|boards| state(&boards.board).is_some_and(cuelight_engine::RunState::rests));
    let seen = tokio::time::timeout(super::MOST, seen).await.expect("in time").expect("it rests");
    state(&seen.board).expect("a run").word().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_takes_work_says_how_far_it_is_and_hands_it_back() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure");
    let one = token(&sidecar, "coder-1", "shop");
    sidecar.send("POST", "/api/agents/coder-1/claim", Some(&one), None, &[]).await.refused(404, "AGT_003");
    sidecar.post("/api/agents", &one, json!({})).await.is(201);
    assert_eq!(claimed(&sidecar, &one, "coder-1", "?timeout=0").await, Value::Null);
    // Who waits is given it as soon as there is some.
    let (work, ()) = tokio::join!(
        claimed(&sidecar, &one, "coder-1", "?timeout=60000&lease=600"),
        launched(&sidecar, &one)
    );
    assert_eq!(
        (&work["task"], &work["agent"], &work["step"]),
        (&json!("Write it"), &json!("coder"), &json!("code"))
    );
    assert_eq!((&work["input"]["n"], &work["environment"]["TONE"]), (&json!(7), &json!("kind")));
    assert_eq!((&work["id"], &work["lease_seconds"]), (&json!("r-1.0.1"), &json!(600)));
    let place = work["traceparent"].as_str().expect("a place");
    assert!(place.starts_with(&format!("00-{TRACE}-")) && !place.contains("00f067aa0ba902b7"), "{place}");
    assert!(
        work["idempotency_key"].as_str().is_some_and(|idempotency_key| idempotency_key.len() == 64),
        "{work}"
    );
    let told = sidecar.post("/api/work/r-1.0.1/progress", &one, json!({"note": "half"})).await.is(200);
    assert_eq!(told["id"], "r-1.0.1");
    let back = sidecar
        .post("/api/work/r-1.0.1/result", &one, json!({"result": "done", "confidence": 0.9}))
        .await
        .is(200);
    assert_eq!((&back["state"], &back["failure"]), (&json!("completed"), &Value::Null), "{back}");
    assert_eq!(rests(&sidecar, 1).await, "completed");
    // Once more it is not taken.
    sidecar.post("/api/work/r-1.0.1/result", &one, json!({"result": "done"})).await.refused(410, "AGT_006");
    sidecar.post("/api/work/r-1.0.1/progress", &one, json!({})).await.refused(410, "AGT_006");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_agents_ask_for_the_same_work_at_once_and_one_of_them_gets_it() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure");
    let (one, two) = (token(&sidecar, "coder-1", "shop"), token(&sidecar, "coder-2", "shop"));
    sidecar.post("/api/agents", &one, json!({})).await.is(201);
    sidecar.post("/api/agents", &two, json!({})).await.is(201);
    let (a, b, ()) = tokio::join!(
        claimed(&sidecar, &one, "coder-1", "?timeout=2000"),
        claimed(&sidecar, &two, "coder-2", "?timeout=2000"),
        launched(&sidecar, &one)
    );
    assert!(a.is_null() != b.is_null(), "{a} {b}");
    let (owner, other) = if a.is_null() { (&two, &one) } else { (&one, &two) };
    sidecar.post("/api/work/r-1.0.1/result", other, json!({"result": "done"})).await.refused(403, "AUTH_003");
    sidecar.post("/api/work/r-1.0.1/result", owner, json!({"result": "done"})).await.is(200);
    assert_eq!(rests(&sidecar, 1).await, "completed");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_runs_out_gives_the_work_to_another_and_a_late_result_is_refused() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure");
    let (one, two) = (token(&sidecar, "coder-1", "shop"), token(&sidecar, "coder-2", "shop"));
    sidecar.post("/api/agents", &one, json!({})).await.is(201);
    sidecar.post("/api/agents", &two, json!({})).await.is(201);
    launched(&sidecar, &one).await;
    assert_eq!(claimed(&sidecar, &one, "coder-1", "?timeout=60000&lease=5").await["id"], "r-1.0.1");
    assert_eq!(claimed(&sidecar, &two, "coder-2", "?timeout=60000").await["id"], "r-1.0.2");
    let told = sidecar
        .post("/api/work/r-1.0.1/result", &one, json!({"result": "late"}))
        .await
        .refused(410, "AGT_006");
    assert!(told["message"].as_str().is_some_and(|message| message.contains("lease ran out")), "{told}");
    sidecar.post("/api/work/r-1.0.2/result", &two, json!({"result": "done"})).await.is(200);
    assert_eq!(rests(&sidecar, 1).await, "completed");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_was_taken_is_there_after_a_restart_and_can_be_handed_back() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: once");
    let one = token(&sidecar, "coder-1", "shop");
    sidecar.post("/api/agents", &one, json!({})).await.is(201);
    launched(&sidecar, &one).await;
    let key = [("Idempotency-Key", "mine")];
    let first = sidecar.send("POST", "/api/agents/coder-1/claim", Some(&one), None, &key).await.is(200);
    let dir = sidecar.end().await;
    let sidecar = Sidecar::open(dir, open(), true).await;
    // Whoever did not hear the answer asks again, and has the same.
    let again = sidecar.send("POST", "/api/agents/coder-1/claim", Some(&one), None, &key).await.is(200);
    assert_eq!(
        (&first["work"]["id"], &first["work"]["task"]),
        (&again["work"]["id"], &again["work"]["task"])
    );
    let back = sidecar.post("/api/work/r-1.0.1/result", &one, json!({"result": "done"})).await.is(200);
    assert_eq!(back["state"], "completed");
    assert_eq!(rests(&sidecar, 1).await, "completed");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_or_is_not_what_was_promised_fails_the_step_as_it_says() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure, retry: {max-attempts: 3, delay: 1ms, kind: constant}");
    let one = token(&sidecar, "coder-1", "shop");
    sidecar.post("/api/agents", &one, json!({})).await.is(201);
    launched(&sidecar, &one).await;
    assert_eq!(claimed(&sidecar, &one, "coder-1", "").await["id"], "r-1.0.1");
    let back = sidecar.post("/api/work/r-1.0.1/fail", &one, json!({"error": "no such branch"})).await.is(200);
    assert_eq!(back["state"], "waiting", "{back}");
    assert!(back["failure"].as_str().is_some_and(|failure| failure.contains("no such branch")), "{back}");
    assert_eq!(claimed(&sidecar, &one, "coder-1", "").await["attempt"], 2);
    let back = sidecar.post("/api/work/r-1.0.2/result", &one, json!({"result": 7})).await.is(200);
    assert!(back["failure"].as_str().is_some_and(|failure| failure.contains("agent_contract")), "{back}");
    assert_eq!(back["state"], "failed", "{back}");
    assert_eq!(rests(&sidecar, 1).await, "failed");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_project_takes_or_touches_the_work_of_another() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure");
    let (one, bank) = (token(&sidecar, "coder-1", "shop"), token(&sidecar, "coder-1", "bank"));
    sidecar.post("/api/agents", &one, json!({})).await.is(201);
    sidecar.post("/api/agents", &bank, json!({})).await.is(201);
    launched(&sidecar, &one).await;
    assert_eq!(claimed(&sidecar, &bank, "coder-1", "?timeout=200").await, Value::Null);
    assert_eq!(claimed(&sidecar, &one, "coder-1", "").await["id"], "r-1.0.1");
    for (path, body) in
        [("progress", json!({})), ("result", json!({"result": "done"})), ("fail", json!({"error": "x"}))]
    {
        sidecar.post(&format!("/api/work/r-1.0.1/{path}"), &bank, body).await.refused(404, "AGT_005");
    }
    sidecar.post("/api/work/r-1.0.1/result", &one, json!({"result": "done"})).await.is(200);
    sidecar.post("/api/work/r-1.0.1/result", &bank, json!({"result": "done"})).await.refused(404, "AGT_005");
    // What another project asked for waits for its agents.
    launched(&sidecar, &bank).await;
    assert_eq!(claimed(&sidecar, &one, "coder-1", "?timeout=200").await, Value::Null);
    assert_eq!(claimed(&sidecar, &bank, "coder-1", "").await["id"], "r-2.0.1");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_used_for_something_else_answers_nothing_and_shows_nothing_of_another_project() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure");
    let (one, bank) = (token(&sidecar, "coder-1", "shop"), token(&sidecar, "coder-1", "bank"));
    sidecar.post("/api/agents", &one, json!({"limits": {"max_concurrent": 2}})).await.is(201);
    sidecar.post("/api/agents", &bank, json!({})).await.is(201);
    launched(&sidecar, &one).await;
    launched(&sidecar, &one).await;
    assert_eq!(claimed(&sidecar, &one, "coder-1", "").await["id"], "r-1.0.1");
    assert_eq!(claimed(&sidecar, &one, "coder-1", "").await["id"], "r-2.0.1");
    let key = [("Idempotency-Key", "k")];
    let beat = sidecar.send("PUT", "/api/agents/coder-1/heartbeat", Some(&bank), None, &key).await;
    assert_eq!(beat.status, 200, "{beat:?}");
    for (path, body) in
        [("progress", json!({})), ("result", json!({"result": "x"})), ("fail", json!({"error": "x"}))]
    {
        let path = format!("/api/work/r-1.0.1/{path}");
        sidecar.send("POST", &path, Some(&bank), Some(body), &key).await.refused(404, "AGT_005");
    }
    // One key for two pieces hands in both, and for the same again once.
    let done = json!({"result": "done", "quality": 0.5});
    for run in [1, 2, 2] {
        let path = format!("/api/work/r-{run}.0.1/result");
        let back = sidecar.send("POST", &path, Some(&one), Some(done.clone()), &key).await.is(200);
        assert_eq!((&back["run"], &back["state"]), (&json!(format!("r-{run}")), &json!("completed")));
    }
    assert_eq!(
        (rests(&sidecar, 1).await, rests(&sidecar, 2).await),
        ("completed".to_owned(), "completed".to_owned())
    );
    // Another answer to what has been handed in is no answer to it.
    let path = "/api/work/r-2.0.1/fail";
    sidecar.send("POST", path, Some(&one), Some(json!({"error": "x"})), &key).await.refused(410, "AGT_006");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_remembered_however_many_ask_without_one() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure");
    let one = token(&sidecar, "coder-1", "shop");
    sidecar.post("/api/agents", &one, json!({})).await.is(201);
    let starts = || {
        let body = Some(json!({"workflow": "w.yaml"}));
        sidecar.send("POST", "/api/runs", Some(&one), body, &[("Idempotency-Key", "k")])
    };
    assert_eq!(starts().await.is(201)["id"], "r-1");
    let beat = |line: &str| {
        format!(
            "PUT /api/agents/coder-1/heartbeat HTTP/1.1\r\nHost: localhost\r\nConnection: {line}\r\nAuthorization: Bearer {one}\r\n\r\n"
        )
    };
    let many = format!("{}{}", beat("keep-alive").repeat(49), beat("close"));
    // More than the answers that are remembered.
    for _ in 0..90 {
        assert_eq!(sidecar.raw(many.as_bytes()).await.status, 200);
    }
    assert_eq!(starts().await.is(201)["id"], "r-1");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_one_project_is_remembered_however_much_another_one_asks() {
    let sidecar = Sidecar::start().await;
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    let absent = [("Idempotency-Key", "k"), ("If-None-Match", "*")];
    let sets = |token| {
        sidecar.send("PUT", "/api/state/global/plan", Some(token), Some(json!({"value": 1})), &absent)
    };
    let first = sets(&bank).await.is(200);
    // The same key of another project is another request, and has set another value.
    sets(&shop).await.is(200);
    // More than the answers that are remembered, each under a key of its own.
    for round in 0..90 {
        let one = |at: u32| {
            let line = if at == 49 { "close" } else { "keep-alive" };
            format!(
                "PUT /api/state/session/x HTTP/1.1\r\nHost: localhost\r\nConnection: {line}\r\nAuthorization: Bearer {shop}\r\n\
                 Idempotency-Key: k-{round}-{at}\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{{\"value\":1}}"
            )
        };
        let many: String = (0..50).map(one).collect();
        assert_eq!(sidecar.raw(many.as_bytes()).await.status, 200);
    }
    assert_eq!(sets(&bank).await.is(200), first, "it is once, and has the answer of the first");
    sets(&shop).await.refused(412, "STR_003");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_asks_when_something_changes_where_work_is_offered_and_not_at_each_event() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure");
    let (one, bank) = (token(&sidecar, "coder-1", "shop"), token(&sidecar, "coder-1", "bank"));
    sidecar.post("/api/agents", &one, json!({})).await.is(201);
    let key = AgentKey { project: None, name: "coder-1".to_owned() };
    let offered = || sidecar.engine().desk().boards().borrow().board.offered(&key);
    assert!(offered().is_empty());
    launched(&sidecar, &one).await;
    let mut boards = sidecar.engine().desk().boards();
    drop(boards.wait_for(|boards| !boards.board.offered(&key).is_empty()).await.expect("it lives"));
    let first = offered();
    // Another project's run, and a sign of life, change nothing of it.
    launched(&sidecar, &bank).await;
    sidecar.send("PUT", "/api/agents/coder-1/heartbeat", Some(&one), None, &[]).await.is(200);
    assert!(offered() == first);
    // Nothing can be begun while its run is paused; whoever waits has it when it goes on.
    sidecar.send("POST", "/api/runs/r-1/pause", Some(&one), None, &[]).await.is(200);
    assert!(offered().is_empty());
    let goes_on = async {
        launched(&sidecar, &bank).await;
        sidecar.send("POST", "/api/runs/r-1/resume", Some(&one), None, &[]).await.is(200)
    };
    let (work, _) = tokio::join!(claimed(&sidecar, &one, "coder-1", "?timeout=60000"), goes_on);
    assert_eq!(work["id"], "r-1.0.1");
    assert!(offered() != first);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_a_place_in_a_run_that_takes_one_at_a_time_has_it_when_there_is_one() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure");
    let flow = "name: w\nmax-parallel: 1\nsteps:\n  - {id: a, agent: {name: coder, task: A}, effect: pure}\n  \
                - {id: b, agent: {name: coder, task: B}, effect: pure}\n";
    fs::write(sidecar.dir.path().join("w.yaml"), flow).expect("a file");
    let (one, two) = (token(&sidecar, "coder-1", "shop"), token(&sidecar, "coder-2", "shop"));
    // Signs of life are no reason to ask: the work comes long before one is due.
    let slow = json!({"heartbeat_seconds": 3600});
    sidecar.post("/api/agents", &one, slow.clone()).await.is(201);
    sidecar.post("/api/agents", &two, slow).await.is(201);
    launched(&sidecar, &one).await;
    assert_eq!(claimed(&sidecar, &one, "coder-1", "").await["id"], "r-1.0.1");
    assert_eq!(claimed(&sidecar, &two, "coder-2", "?timeout=300").await, Value::Null);
    let back = sidecar.post("/api/work/r-1.0.1/result", &one, json!({"result": "done"}));
    let (work, back) = tokio::join!(claimed(&sidecar, &two, "coder-2", "?timeout=60000"), back);
    back.is(200);
    assert_eq!(work["id"], "r-1.1.1");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_taken_back_or_expires_while_its_agent_waits_takes_no_work() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure");
    let desk = sidecar.engine().desk();
    let all = [Permission::ReadContext, Permission::WriteResults, Permission::SpawnAgents];
    let coder =
        |name: &str| Claims { agent_type: Some("coder".to_owned()), ..sidecar.claims(name, "shop", &all) };
    let (claims, other) = (coder("coder-1"), token(&sidecar, "coder-2", "shop"));
    let one = sidecar.sign(&claims);
    sidecar.post("/api/agents", &one, json!({"heartbeat_seconds": 1})).await.is(201);
    let key = AgentKey { project: None, name: "coder-1".to_owned() };
    let seen =
        |board: &cuelight_projection::Board| board.present().get(&key).map(|registered| registered.seen);
    let since = seen(&desk.boards().borrow().board).expect("it is there");
    let ends = async {
        // It was seen again, so it waits.
        let mut boards = desk.boards();
        let waits = boards.wait_for(|boards| seen(&boards.board).is_some_and(|at| at.since(since).0 >= 500));
        drop(waits.await.expect("it lives"));
        let name = TokenName { id: claims.jti.clone(), subject: claims.sub.clone(), until: later(600) };
        let by = desk.actor().clone();
        let command = Command::RevokeToken { token: name, reason: "lost".to_owned(), by };
        let told = desk.submit(Request { id: RequestId::once(), command }).await;
        assert!(matches!(told, Reply::Recorded(_)), "{told:?}");
        launched(&sidecar, &other).await;
    };
    let path = "/api/agents/coder-1/claim?timeout=50000";
    let (told, ()) = tokio::join!(sidecar.send("POST", path, Some(&one), None, &[]), ends);
    told.refused(401, "AUTH_001");
    let board = desk.boards().borrow().board.clone();
    assert_eq!((board.leases().held().count(), board.leases().offers().count()), (0, 1));
    sidecar
        .send("POST", "/api/runs/r-1/cancel", Some(&other), Some(json!({"reason": "seen enough"})), &[])
        .await
        .is(200);
    // A minute is given to clocks that differ.
    let now = SystemClock.now().0 / 1000;
    let short = sidecar.sign(&Claims { iat: now - 600, exp: now - 57, ..coder("coder-1") });
    sidecar.send("POST", path, Some(&short), None, &[]).await.refused(401, "AUTH_002");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_work_and_what_is_no_answer_is_refused() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure");
    let one = token(&sidecar, "coder-1", "shop");
    sidecar.post("/api/agents", &one, json!({})).await.is(201);
    launched(&sidecar, &one).await;
    assert_eq!(claimed(&sidecar, &one, "coder-1", "").await["id"], "r-1.0.1");
    for id in
        ["r-1.0.9", "r-9.0.1", "r-1", "1.0.1", "r-1.0.1.1", "r-+1.0.1", "..%2Fx", "%00", "r-99999999999.0.1"]
    {
        let told = sidecar.post(&format!("/api/work/{id}/result"), &one, json!({"result": 1})).await;
        assert!(told.status == 404, "{id}: {told:?}");
    }
    for wrong in [
        json!({}),
        json!({"result": "x", "status": "failed"}),
        json!({"result": "x", "confidence": 1.5}),
        json!({"result": "x", "tokens": 4_294_967_296_u64}),
        json!({"result": "x", "more": 1}),
        json!([]),
    ] {
        let told = sidecar.post("/api/work/r-1.0.1/result", &one, wrong).await.refused(400, "REQ_001");
        assert!(told["details"][0]["path"].is_string(), "{told}");
    }
    let mode = json!({"error": "x", "failure_mode": "bad_luck"});
    sidecar.post("/api/work/r-1.0.1/fail", &one, mode).await.refused(400, "REQ_001");
    let large = json!({"result": "x".repeat(1024 * 1024)});
    sidecar.post("/api/work/r-1.0.1/result", &one, large).await.refused(413, "REQ_006");
    // It has one already, and takes no more at once.
    sidecar.send("POST", "/api/agents/coder-1/claim", Some(&one), None, &[]).await.refused(409, "AGT_004");
    sidecar
        .send("POST", "/api/agents/coder-1/claim?timeout=x", Some(&one), None, &[])
        .await
        .refused(400, "REQ_001");
    let reader = sidecar.sign(&sidecar.claims("coder-1", "shop", &[Permission::ReadContext]));
    sidecar.post("/api/work/r-1.0.1/result", &reader, json!({"result": "x"})).await.refused(403, "AUTH_003");
    let other = token(&sidecar, "coder-2", "shop");
    sidecar.send("POST", "/api/agents/coder-1/claim", Some(&other), None, &[]).await.refused(403, "AUTH_003");
    sidecar.post("/api/work/r-1.0.1/result", &one, json!({"result": "done"})).await.is(200);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_an_agent_is_told_which_and_how_one_comes() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure");
    let one = token(&sidecar, "coder-1", "shop");
    launched(&sidecar, &one).await;
    let board = sidecar.engine().desk().boards().borrow().board.clone();
    let run = board.run(cuelight_base::RunId(1)).expect("a run").clone();
    let said = |board: &cuelight_projection::Board| {
        let lines = cuelight_projection::why(board, &run, cuelight_base::StepIx(0), later(0));
        lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>().join("\n")
    };
    let text = said(&board);
    assert!(text.contains("waits for an agent that is coder, or can implement"), "{text}");
    assert!(text.contains("none has registered; one does with POST /api/agents"), "{text}");
    sidecar.post("/api/agents", &one, json!({})).await.is(201);
    let board = sidecar.engine().desk().boards().borrow().board.clone();
    assert!(said(&board).contains("coder-1 may come for it"), "{}", said(&board));
    // It leaves with its work, which is put back.
    assert_eq!(claimed(&sidecar, &one, "coder-1", "").await["id"], "r-1.0.1");
    sidecar.send("DELETE", "/api/agents/coder-1", Some(&one), None, &[]).await.is(200);
    sidecar.post("/api/work/r-1.0.1/result", &one, json!({"result": "done"})).await.refused(410, "AGT_006");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_of_work_has_the_shape_that_the_document_says() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure, timeout: 5m");
    let (told, one) = (openapi(), token(&sidecar, "coder-1", "shop"));
    sidecar.post("/api/agents", &one, json!({"limits": {"max_concurrent": 2}})).await.is(201);
    let claim = |query: &'static str| sidecar.send("POST", query, Some(&one), None, &[]);
    let none = claim("/api/agents/coder-1/claim?timeout=0").await.json();
    launched(&sidecar, &one).await;
    let some = claim("/api/agents/coder-1/claim").await.json();
    for (path, status, body) in [
        ("/api/agents/{id}/claim", "200", none),
        ("/api/agents/{id}/claim", "200", some),
        (
            "/api/work/{id}/progress",
            "200",
            sidecar.post("/api/work/r-1.0.1/progress", &one, json!({})).await.json(),
        ),
        (
            "/api/work/{id}/fail",
            "200",
            sidecar.post("/api/work/r-1.0.1/fail", &one, json!({"error": "x"})).await.json(),
        ),
        (
            "/api/work/{id}/result",
            "410",
            sidecar.post("/api/work/r-1.0.1/result", &one, json!({"result": 1})).await.json(),
        ),
    ] {
        fits(&told, (path, "post", status), &body);
    }
    sidecar.end().await;
}

/// O3's figure: so many agents at once, each with its own work, and none of it done twice or lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_and_nineteen_agents_do_a_fan_out_to_its_end_each_piece_once() {
    const AGENTS: usize = 119;
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure");
    let flow = "name: w\nmax-parallel: 119\nsteps:\n  - {id: parts, run: 'echo parts=$(seq -s, 1 238 | sed \"s/.*/[&]/\") >> $CUELIGHT_OUTPUT', outputs: {parts: array}}\n  \
        - {id: code, needs: parts, agent: {name: coder, task: 'part ${{ matrix.part }}'}, effect: pure, matrix: {part: '${{ steps.parts.outputs.parts }}'}}\n";
    fs::write(sidecar.dir.path().join("w.yaml"), flow).expect("a file");
    let tokens: Vec<String> =
        (0..AGENTS).map(|number| token(&sidecar, &format!("coder-{number}"), "shop")).collect();
    let first = &tokens[0];
    let work = |number: usize| {
        let (sidecar, token) = (&sidecar, &tokens[number]);
        async move {
            let name = format!("coder-{number}");
            sidecar.post("/api/agents", token, json!({"heartbeat_seconds": 600})).await.is(201);
            let mut done = Vec::new();
            while let Value::Object(work) = claimed(sidecar, token, &name, "?timeout=15000&lease=600").await {
                let id = work["id"].as_str().expect("an id").to_owned();
                let task = work["task"].as_str().expect("a task").to_owned();
                let back = sidecar
                    .post(&format!("/api/work/{id}/result"), token, json!({"result": task}))
                    .await
                    .is(200);
                assert_eq!(back["state"], "completed", "{back}");
                done.push(task);
            }
            done
        }
    };
    let all = futures_util::future::join_all((0..AGENTS).map(work));
    let (done, ()) = tokio::join!(all, launched(&sidecar, first));
    assert_eq!(rests(&sidecar, 1).await, "completed");
    let mut parts: Vec<String> = done.into_iter().flatten().collect();
    parts.sort();
    parts.dedup();
    assert_eq!(parts.len(), 238, "each part once");
    let board = sidecar.engine().desk().boards().borrow().board.clone();
    assert_eq!((board.present().present(), board.leases().held().count()), (AGENTS, 0));
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_of_one_project_that_fail_open_no_circuit_of_another() {
    let sidecar = Sidecar::start().await;
    workspace(&sidecar, "effect: pure, retry: {max-attempts: 2, delay: 1ms, kind: constant}");
    let file = sidecar.dir.path().join(".cuelight/agents/coder.yaml");
    let breaker = "breaker: {failures: 1, open-for: 1h}\n";
    fs::write(&file, fs::read_to_string(&file).expect("a file") + breaker).expect("a file");
    let (one, bank) = (token(&sidecar, "coder-1", "shop"), token(&sidecar, "coder-1", "bank"));
    sidecar.post("/api/agents", &one, json!({})).await.is(201);
    sidecar.post("/api/agents", &bank, json!({})).await.is(201);
    launched(&sidecar, &bank).await;
    assert_eq!(claimed(&sidecar, &bank, "coder-1", "").await["id"], "r-1.0.1");
    sidecar.post("/api/work/r-1.0.1/fail", &bank, json!({"error": "no"})).await.is(200);
    assert_eq!(claimed(&sidecar, &bank, "coder-1", "?timeout=200").await, Value::Null, "its circuit is open");
    launched(&sidecar, &one).await;
    assert_eq!(claimed(&sidecar, &one, "coder-1", "").await["id"], "r-2.0.1", "that of the shop is not");
    sidecar.post("/api/work/r-2.0.1/result", &one, json!({"result": "done"})).await.is(200);
    assert_eq!(rests(&sidecar, 2).await, "completed");
    // What succeeded there closes nothing here, and the name says whose it is.
    let board = sidecar.engine().desk().boards().borrow().board.clone();
    let targets: Vec<&str> =
        board.targets().filter(|target| !target.1.takes_calls()).map(|target| target.0).collect();
    assert_eq!(targets, ["agent:coder@1.0.0 of project bank"]);
    sidecar.end().await;
}
