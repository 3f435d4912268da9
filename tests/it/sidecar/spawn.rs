//! Agents that are started over HTTP: seen by people before they begin, shut into their project by their token, and gone with their process.

use super::{Sidecar, events::Line, fits};
use crate::program::{Place, Running, until};
use cuelight_base::{RunId, Value};
use cuelight_gateway::{Claims, Permission, Signer, SpawnRule, openapi, peek, sign};
use cuelight_runtime::{Clock as _, Desk as _, SystemClock};
use cuelight_store::{TokenKeys, Workspace};
use rustix::process::Signal;
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

const SPAWN: &str = "/api/agents/spawn";

/// It tells what it was given in a file, lets its token slip in every way it can, and works until it is let go.
const WORKER: &str = "name: worker\nversion: 1\ndescription: Works until it is let go\neffect: once\nrisk: read-only\n\
     command: |\n  \
     mkfifo \"go-$AGENT_ID\"\n  \
     printf '%s\\n' \"$AGENT_ID\" \"$AGENT_TYPE\" \"$ISSUE_ID\" \"$PROJECT_ID\" \"$SIDECAR_URL\" \"$JWT_TOKEN\" \
     \"${LOG_LEVEL:-}\" \"$CUELIGHT_TASK\" \"${AGENT_PRIORITY:-}\" \"${CONTEXT_REQUIREMENTS:-}\" > told.new\n  \
     mv told.new \"told-$AGENT_ID\"\n  \
     echo \"mine is $JWT_TOKEN\"\n  echo \"and $JWT_TOKEN\" >&2\n  echo \"result=$JWT_TOKEN\" >> \"$CUELIGHT_OUTPUT\"\n  \
     read -r word < \"go-$AGENT_ID\"\n";

/// It wants to be given something beside its task, and repeats what it was given.
const PICKY: &str = "name: picky\nversion: 1\ndescription: Repeats what it is given\neffect: once\nrisk: read-only\n\
     input:\n  type: object\n  required: [files, depth]\n  properties:\n    files: {type: array, items: {type: string}}\n    \
     depth: {type: integer, maximum: 9}\n    note: {type: string}\n    more: {type: object}\n    \
     on: {type: boolean}\n    \"no\": {type: 'null'}\n  additionalProperties: false\n\
     command: |\n  cat > \"given-$AGENT_ID\"\n  echo 'result=ok' >> \"$CUELIGHT_OUTPUT\"\n";

fn describe(dir: &Path) {
    let agents = dir.join(".cuelight/agents");
    fs::create_dir_all(&agents).expect("a directory");
    fs::write(agents.join("worker.yaml"), WORKER).expect("a file");
    fs::write(agents.join("picky.yaml"), PICKY).expect("a file");
    let comes = "name: comes\nversion: 1\ndescription: Comes by itself\nclaim: true\n";
    fs::write(agents.join("comes.yaml"), comes).expect("a file");
    let broken = "name: broken\nversion: 1\ndescription: Is not there\ncommand: [./nowhere]\n";
    fs::write(agents.join("broken.yaml"), broken).expect("a file");
}

async fn start(rules: &[(&str, SpawnRule)]) -> Sidecar {
    let dir = TempDir::new().expect("a directory");
    describe(dir.path());
    let spawn = rules.iter().map(|(name, rule)| ((*name).to_owned(), rule.clone())).collect();
    let sidecar = Sidecar::try_open(dir, |setup| {
        setup.spawn = spawn;
        setup.rates.said = BTreeMap::from([("other".to_owned(), None)]);
    });
    sidecar.await.expect("a port")
}

fn unasked() -> SpawnRule {
    SpawnRule { gate: false, environment: vec!["LOG_LEVEL".to_owned()], ..SpawnRule::default() }
}

fn worker(more: &Value) -> Value {
    let mut body =
        json!({"agent_type": "worker", "issue_id": "SHOP-12", "task": "Mend ${{ secrets.X }} the cart"});
    let more = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(more);
    body
}

async fn rests(sidecar: &Sidecar, run: u32) -> String {
    let mut boards = sidecar.engine().desk().boards();
    let state =
        |boards: &cuelight_runtime::Seen| boards.board.summary(RunId(run)).map(|summary| summary.state);
    let seen = boards.wait_for(|boards| state(boards).is_some_and(cuelight_engine::RunState::rests));
    let seen = tokio::time::timeout(super::MOST, seen).await.expect("in time").expect("it rests");
    state(&seen).expect("a run").word().to_owned()
}

/// Inputs of an agent, as it reports them: a line each.
async fn told(dir: &Path, agent: &str) -> Vec<String> {
    let path = dir.join(format!("told-{agent}"));
    let wait = tokio::task::spawn_blocking(move || {
        until("it tells what it was given", || path.exists());
        fs::read_to_string(path).expect("a file")
    });
    wait.await.expect("no panic").lines().map(str::to_owned).collect()
}

/// Lets an agent go on to its end.
async fn let_go(dir: &Path, agent: &str) {
    let path = dir.join(format!("go-{agent}"));
    tokio::task::spawn_blocking(move || fs::write(path, "go\n")).await.expect("no panic").expect("it reads");
}

async fn approve(sidecar: &Sidecar, gate: &str, verdict: &str) -> Value {
    let bob = sidecar.person("bob", 2, "bob@example.org");
    let seen = sidecar.get(&format!("/api/gates/{gate}"), &bob).await.is(200);
    let answer = json!({"decision_id": "d", "gate_epoch": seen["epoch"], "ask_hash": seen["ask_hash"],
        "verdict": verdict, "reason": "it looks right"});
    sidecar.post(&format!("/api/gates/{gate}/decision"), &bob, answer).await.is(200)
}

/// Every file below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries: Vec<_> = fs::read_dir(dir).expect("readable").flatten().map(|entry| entry.path()).collect();
    entries.into_iter().flat_map(|entry| if entry.is_dir() { files(&entry) } else { vec![entry] }).collect()
}

/// Nothing that is kept holds the token, nor what stands in it.
#[track_caller]
fn is_nowhere(dir: &Path, token: &str) {
    let parts: Vec<&str> = token.split('.').skip(1).collect();
    for path in files(&dir.join(".cuelight")) {
        let Ok(bytes) = fs::read(&path) else { continue };
        for part in &parts {
            let is_there = bytes.windows(part.len()).any(|window| window == part.as_bytes());
            assert!(!is_there, "the token stands in {}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_starts_when_people_agree_to_what_they_see_and_its_token_lives_as_long_as_it_does() {
    let sidecar = start(&[]).await;
    let shop = sidecar.agent("shop");
    let body = worker(&json!({
        "environment": {"LOG_LEVEL": "a'b\"$(id)"}, "priority": "high", "context_requirements": ["tests", "history"],
    }));
    let answer = sidecar.post(SPAWN, &shop, body).await.is(201);
    fits(&openapi(), (SPAWN, "post", "201"), &answer);
    let agent = answer["agent_id"].as_str().expect("a name").to_owned();
    assert!(agent.starts_with("worker-") && agent.len() == 19, "{answer}");
    assert_eq!(
        (&answer["run"], &answer["gate"], &answer["state"]),
        (&json!("r-1"), &json!("g-1"), &json!("waiting"))
    );
    // People see the task as it was sent, and all that the process would find.
    let seen = sidecar.get("/api/gates/g-1", &shop).await.is(200);
    for part in [&agent, "SHOP-12", "Mend ${{ secrets.X }} the cart", "mkfifo"] {
        assert!(seen.to_string().contains(part), "{part} in {seen}");
    }
    let env = &seen["will_run"][0]["environment"];
    assert_eq!((&env["LOG_LEVEL"], &env["AGENT_ID"]), (&json!("a'b\"$(id)"), &json!(agent)), "{seen}");
    assert_eq!(
        (&env["JWT_TOKEN"], &env["PROJECT_ID"]),
        (&json!("<secret agent.token>"), &json!("shop")),
        "{seen}"
    );
    assert!(!sidecar.dir.path().join(format!("told-{agent}")).exists(), "nothing starts unasked");
    approve(&sidecar, "g-1", "approve").await;
    let given = told(sidecar.dir.path(), &agent).await;
    let (url, token) = (given[4].clone(), given[5].clone());
    assert_eq!(given[..4], [agent.as_str(), "worker", "SHOP-12", "shop"]);
    assert_eq!(url, format!("http://{}", sidecar.at));
    let rest: Vec<&str> = given[6..].iter().map(String::as_str).collect();
    assert_eq!(rest, ["a'b\"$(id)", "Mend ${{ secrets.X }} the cart", "high", "tests", "history"]);
    let claims = peek(&token).expect("a token");
    let life = claims.exp - claims.iat;
    assert_eq!((claims.permissions.as_slice(), life), (Permission::OF_AGENTS, 3600));
    assert_eq!(claims.call.as_deref(), Some("r-1.1.1"));
    // It is who it is, and nobody else.
    sidecar.post("/api/agents", &token, json!({})).await.is(201);
    let result = |name: &str| {
        json!({"agent_id": name, "agent_type": "worker", "issue_id": "SHOP-12", "project_id": "shop",
        "result": {"status": "success"}})
    };
    sidecar.post("/api/results", &token, result(&agent)).await.is(201);
    sidecar.post("/api/results", &token, result("reviewer-1")).await.refused(403, "AUTH_003");
    sidecar.post(SPAWN, &token, worker(&json!({}))).await.refused(403, "AUTH_003");
    sidecar.post("/api/gates/g-1/decision", &token, json!({})).await.refused(403, "AUTH_003");
    sidecar
        .send("POST", "/api/runs/r-1/cancel", Some(&token), Some(json!({})), &[])
        .await
        .refused(403, "AUTH_003");
    // What it lets slip is shown to nobody.
    let events = sidecar.get("/api/runs/r-1/events?since=0", &shop);
    let_go(sidecar.dir.path(), &agent).await;
    assert_eq!(rests(&sidecar, 1).await, "completed");
    let shown = sidecar.get("/api/runs/r-1", &shop).await.text + &events.await.text;
    assert!(shown.contains("***") && !shown.contains(&token), "{shown}");
    // With its process its token has ended.
    let told = sidecar.get("/api/runs/r-1", &token).await.refused(401, "AUTH_001");
    assert!(
        told["message"].as_str().is_some_and(|message| message.contains("does not run any more")),
        "{told}"
    );
    let dir = sidecar.end().await;
    is_nowhere(dir.path(), &token);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_agent_is_given_is_seen_at_its_gate_fits_its_file_and_reaches_it_as_it_was_sent() {
    let sidecar = start(&[]).await;
    let shop = sidecar.agent("shop");
    let with = json!({"files": ["a b.rs", "${{ secrets.X }}"], "depth": 3, "note": "12", "on": true, "no": null, "more": {"deep": [null, true, 1.5]}});
    let of = |with: &Value| worker(&json!({"agent_type": "picky", "with": with}));
    let answer = sidecar.post(SPAWN, &shop, of(&with)).await.is(201);
    assert_eq!(answer["state"], "waiting", "{answer}");
    let agent = answer["agent_id"].as_str().expect("a name").to_owned();
    let mut whole = with.clone();
    whole["task"] = "Mend ${{ secrets.X }} the cart".into();
    let seen = sidecar.get("/api/gates/g-1", &shop).await.is(200);
    assert_eq!(seen["will_run"][0]["tool"]["input"], whole, "{seen}");
    approve(&sidecar, "g-1", "approve").await;
    assert_eq!(rests(&sidecar, 1).await, "completed");
    let given = fs::read_to_string(sidecar.dir.path().join(format!("given-{agent}"))).expect("a file");
    assert_eq!(serde_json::from_str::<Value>(&given).expect("JSON"), whole);
    // What does not fit begins nothing, and says why.
    let wrong = [
        json!({}),
        json!({"files": "a", "depth": 3}),
        json!({"files": [1], "depth": 3}),
        json!({"files": [], "depth": "3"}),
        json!({"files": [], "depth": 10}),
        json!({"files": [], "depth": null}),
        json!({"files": [], "depth": 3, "other": 1}),
        json!({"files": [], "depth": 3, "task": "another"}),
        json!({"files": ["x".repeat(65_536)], "depth": 3}),
        json!({"files": [], "depth": 3, "${{ secrets.X }}": 1}),
    ];
    for with in wrong {
        let told = sidecar.post(SPAWN, &shop, of(&with)).await;
        assert_eq!(told.status, 400, "{with}: {told:?}");
    }
    let told =
        sidecar.post(SPAWN, &shop, of(&json!({"files": [], "depth": 10}))).await.refused(400, "RUN_002");
    assert!(told.to_string().contains("`depth`: 10 is greater"), "{told}");
    assert_eq!(sidecar.get("/api/runs", &shop).await.is(200)["runs"].as_array().map(Vec::len), Some(1));
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_starts_nothing_and_neither_does_an_end_before_the_answer() {
    let sidecar = start(&[]).await;
    let shop = sidecar.agent("shop");
    let first = sidecar.post(SPAWN, &shop, worker(&json!({}))).await.is(201);
    approve(&sidecar, "g-1", "reject").await;
    assert_ne!(rests(&sidecar, 1).await, "completed");
    let second = sidecar.post(SPAWN, &shop, worker(&json!({}))).await.is(201);
    sidecar.post("/api/runs/r-2/cancel", &shop, json!({"reason": "not needed"})).await.is(200);
    assert_eq!(rests(&sidecar, 2).await, "cancelled");
    for answer in [first, second] {
        let agent = answer["agent_id"].as_str().expect("a name").to_owned();
        assert!(!sidecar.dir.path().join(format!("told-{agent}")).exists(), "{agent}");
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_started_is_refused_and_says_why() {
    let broken = SpawnRule { gate: false, ..SpawnRule::default() };
    let sidecar = start(&[("worker", unasked()), ("broken", broken)]).await;
    let shop = sidecar.agent("shop");
    let of = |kind: &str| worker(&json!({"agent_type": kind}));
    sidecar.post(SPAWN, &shop, of("nobody")).await.refused(404, "AGT_002");
    let told = sidecar.post(SPAWN, &shop, of("comes")).await.refused(404, "AGT_002");
    assert!(told["message"].as_str().is_some_and(|message| message.contains("come by themselves")), "{told}");
    let told = sidecar.post(SPAWN, &shop, of("broken")).await.refused(503, "AGT_001");
    assert!(told["message"].as_str().is_some_and(|message| message.contains("nowhere")), "{told}");
    assert_eq!(told["details"]["run"], "r-1", "{told}");
    sidecar
        .post(SPAWN, &sidecar.sign(&sidecar.claims("a", "shop", &[Permission::ReadContext])), of("worker"))
        .await
        .refused(403, "AUTH_003");
    for (more, status, code) in [
        (json!({"environment": {"LD_PRELOAD": "x"}}), 403, "AGT_007"),
        (json!({"environment": {"PATH": "/tmp"}}), 403, "AGT_007"),
        (json!({"environment": {"BASH_ENV": "x"}}), 403, "AGT_007"),
        (json!({"environment": {"https_proxy": "x"}}), 403, "AGT_007"),
        (json!({"environment": {"JWT_TOKEN": "x"}}), 403, "AGT_007"),
        (json!({"environment": {"CUELIGHT_RUN": "x"}}), 403, "AGT_007"),
        // Nobody is asked, so nothing may be set that the workspace does not name.
        (json!({"environment": {"OTHER": "x"}}), 403, "AGT_007"),
        (json!({"environment": {"A=B": "x"}}), 400, "REQ_001"),
        (json!({"environment": {"LOG_LEVEL": "a\u{0}b"}}), 400, "REQ_001"),
        (json!({"task": ""}), 400, "REQ_001"),
        (json!({"task": "a\u{0}b"}), 400, "REQ_001"),
        (json!({"issue_id": "../x"}), 400, "REQ_001"),
        (json!({"agent_type": "Worker"}), 400, "REQ_001"),
        (json!({"command": "id"}), 400, "REQ_001"),
    ] {
        sidecar.post(SPAWN, &shop, worker(&more)).await.refused(status, code);
    }
    let other = worker(&json!({"environment": {"OTHER": "x"}}));
    let told_no = sidecar.post(SPAWN, &shop, other).await.refused(403, "AGT_007");
    let key = "`environment` of `[spawn.worker]` in config.toml";
    assert!(told_no["message"].as_str().is_some_and(|message| message.contains(key)), "{told_no}");
    assert_eq!(sidecar.get("/api/runs", &shop).await.is(200)["runs"].as_array().map(Vec::len), Some(1));
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_is_asked_it_begins_at_once_and_the_same_request_starts_it_once() {
    let sidecar = start(&[("worker", SpawnRule { at_most: 2, ..unasked() })]).await;
    let shop = sidecar.agent("shop");
    let key = [("Idempotency-Key", "k-1")];
    let body = worker(&json!({"environment": {"LOG_LEVEL": "debug"}}));
    let first = sidecar.send("POST", SPAWN, Some(&shop), Some(body.clone()), &key).await.is(201);
    assert_eq!((&first["gate"], &first["state"]), (&Value::Null, &json!("running")), "{first}");
    let again = sidecar.send("POST", SPAWN, Some(&shop), Some(body), &key).await.is(201);
    assert_eq!((&first["agent_id"], &first["run"]), (&again["agent_id"], &again["run"]));
    let other = sidecar.send("POST", SPAWN, Some(&shop), Some(worker(&json!({}))), &key).await.is(201);
    assert_ne!(first["agent_id"], other["agent_id"], "something else under the key is something else");
    let told_no = sidecar.post(SPAWN, &shop, worker(&json!({}))).await.refused(409, "AGT_001");
    assert!(told_no["message"].as_str().is_some_and(|message| message.contains("at-most")), "{told_no}");
    // Of another project nobody takes a place.
    let bank = sidecar.post(SPAWN, &sidecar.agent("bank"), worker(&json!({}))).await.is(201);
    for (answer, run) in [(first, 1), (other, 2), (bank, 3)] {
        let agent = answer["agent_id"].as_str().expect("a name").to_owned();
        told(sidecar.dir.path(), &agent).await;
        let_go(sidecar.dir.path(), &agent).await;
        assert_eq!(rests(&sidecar, run).await, "completed");
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_of_one_project_opens_nothing_of_another() {
    let more = SpawnRule {
        permissions: Permission::ALL.to_vec(),
        token_life: cuelight_base::Span::seconds(600),
        ..unasked()
    };
    let sidecar = start(&[("worker", more)]).await;
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    sidecar.post("/api/gates", &shop, super::question("ours")).await.is(201);
    let answer = sidecar.post(SPAWN, &bank, worker(&json!({"issue_id": "BANK-1"}))).await.is(201);
    let agent = answer["agent_id"].as_str().expect("a name").to_owned();
    let given = told(sidecar.dir.path(), &agent).await;
    assert_eq!(given[3], "bank");
    let token = given[5].clone();
    let claims = peek(&token).expect("a token");
    assert!(!claims.permissions.contains(&Permission::DecideGates), "whatever its rule says");
    assert!(claims.permissions.contains(&Permission::SpawnAgents) && claims.exp - claims.iat == 600);
    assert_eq!(claims.project_id, "bank");
    sidecar.get("/api/runs/r-2", &token).await.is(200);
    for (method, path) in [
        ("GET", "/api/gates/g-1"),
        ("GET", "/api/runs/r-1"),
        ("GET", "/api/runs/r-1/events"),
        ("POST", "/api/runs/r-1/cancel"),
    ] {
        let body = (method == "POST").then(|| json!({}));
        assert_eq!(sidecar.send(method, path, Some(&token), body, &[]).await.status, 404, "{method} {path}");
    }
    for (method, path) in
        [("GET", "/api/runs/r-2"), ("GET", "/api/runs/r-2/events"), ("POST", "/api/runs/r-2/cancel")]
    {
        let body = (method == "POST").then(|| json!({}));
        assert_eq!(sidecar.send(method, path, Some(&shop), body, &[]).await.status, 404, "{method} {path}");
    }
    // A token that somebody has written themselves for a call that does not run opens nothing, also with the right key.
    let forged = Claims {
        call: Some("r-2.0.9".to_owned()),
        ..sidecar.claims(&agent, "bank", &[Permission::ReadContext])
    };
    sidecar.get("/api/runs/r-2", &sidecar.sign(&forged)).await.refused(401, "AUTH_001");
    let_go(sidecar.dir.path(), &agent).await;
    assert_eq!(rests(&sidecar, 2).await, "completed");
    sidecar.end().await;
}

/// The last of the pieces in which an answer comes that has no end of its own.
const END: &str = "\r\n0\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_agent_follows_ends_with_its_call() {
    let sidecar = start(&[("worker", unasked())]).await;
    let shop = sidecar.agent("shop");
    let answer = sidecar.post(SPAWN, &shop, worker(&json!({}))).await.is(201);
    let agent = answer["agent_id"].as_str().expect("a name").to_owned();
    let token = told(sidecar.dir.path(), &agent).await[5].clone();
    sidecar.post("/api/gates", &shop, super::question("ours")).await.is(201);
    let mut events = Line::open(&sidecar, "/api/events/stream", &token, None).await;
    let mut run = Line::open(&sidecar, "/api/runs/r-2/events", &token, None).await;
    sidecar.post("/api/events/built", &shop, json!({"id": "before", "data": 1})).await.is(202);
    events.until("before").await;
    run.until("gate").await;
    let_go(sidecar.dir.path(), &agent).await;
    assert_eq!(rests(&sidecar, 1).await, "completed");
    sidecar.post("/api/events/built", &shop, json!({"id": "after", "data": 2})).await.is(202);
    for line in [&mut events, &mut run] {
        line.until(END).await;
        assert!(!line.text().contains("after"), "{}", line.text());
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_follows_or_waits_for_ends_with_the_time_of_their_token() {
    let sidecar = start(&[]).await;
    let shop = sidecar.agent("shop");
    sidecar.post("/api/gates", &shop, super::question("ours")).await.is(201);
    // A minute is granted to clocks that differ.
    let now = SystemClock.now().0 / 1000;
    let claims = sidecar.claims("brief-1", "shop", Permission::OF_AGENTS);
    let brief = sidecar.sign(&Claims { iat: now - 100, exp: now - 56, ..claims });
    let mut events = Line::open(&sidecar, "/api/events/stream", &brief, None).await;
    let mut run = Line::open(&sidecar, "/api/runs/r-1/events", &brief, None).await;
    let waits = sidecar.get("/api/events/wait/built?timeout=30000", &brief);
    let at_gate = sidecar.get("/api/gates/g-1?wait=30000", &brief);
    let goes_on = async {
        // Nothing happens that would wake them.
        events.until(END).await;
        run.until(END).await;
        sidecar.post("/api/events/built", &shop, json!({"id": "after", "data": 2})).await.is(202);
    };
    let (waited, seen, ()) = tokio::join!(waits, at_gate, goes_on);
    waited.refused(401, "AUTH_002");
    seen.refused(401, "AUTH_002");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_that_signs_no_agent_begins() {
    let sidecar = start(&[("worker", unasked())]).await;
    let workspace = Workspace::create(sidecar.dir.path()).expect("a workspace");
    let key = sidecar.keys().signing().expect("a key").kid.clone();
    TokenKeys::change(&workspace, super::later(0), [3; 32], |keys| keys.revoke(&key)).expect("revoked");
    let all = [Permission::SpawnAgents, Permission::ReadContext];
    let bob =
        Claims { iss: "bob".to_owned(), agent_type: None, ..sidecar.claims("bob@example.org", "shop", &all) };
    let bob = sign(&bob, "bob", &Signer::Key(&crate::tokens::key_of(2).0));
    let told = sidecar.post(SPAWN, &bob, worker(&json!({}))).await.refused(503, "AGT_001");
    assert!(
        told["message"].as_str().is_some_and(|message| message.contains("cuelight token keys new")),
        "{told}"
    );
    assert_eq!(rests(&sidecar, 1).await, "failed");
    sidecar.end().await;
}

/// An engine at a port of its own.
fn serve(place: &Place) -> (Running, SocketAddr) {
    let at = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let engine = place.start(&["serve", "--listen", &at.to_string()]);
    until("it listens", || TcpStream::connect(at).is_ok());
    (engine, at)
}

/// The engine is killed when people have agreed and nothing has begun, and again when the agent runs: it begins once, is told where the
/// engine is that lives then, and its token counts as long as it runs.
#[test]
fn an_engine_that_is_killed_between_the_yes_and_the_start_starts_it_once() {
    let place = Place::new();
    describe(place.path());
    place.write(".cuelight/config.toml", "project = \"shop\"\n");
    let words = ["token", "--agent", "lead", "--type", "architect"];
    let more = ["--permissions", "spawn_agents,read_context,read_gates"];
    let token = place.cue(&[&words[..], &more[..]].concat()).ok().out;
    let place = place.with("JWT_TOKEN", token.trim());
    let (engine, at) = serve(&place);
    let asked = format!("http://{at}");
    let ask = |place: &Place, url: &str, words: &[&str]| {
        let place_args = [&["api"][..], words].concat();
        let mut command = place.command(&place_args);
        command.env("SIDECAR_URL", url);
        crate::program::bounded(&mut command)
    };
    let key = ["-H", "Idempotency-Key: once", "/api/agents/spawn", "agent_type=worker", "issue_id=SHOP-12"];
    let body = [&key[..], &["task=Mend it", "priority=low"][..]].concat();
    let answer = ask(&place, &asked, &body).ok().json();
    let agent = answer["agent_id"].as_str().expect("a name").to_owned();
    place.cue(&["pause", "r-1"]).ok();
    place.cue(&["approve", "g-1"]).ok();
    engine.signal(Signal::KILL);
    drop(engine.end());
    let told = place.file(&format!("told-{agent}"));
    let (engine, at) = serve(&place);
    assert!(!told.exists() && place.gates().is_empty(), "people have agreed, and it is held");
    // Who did not hear the answer asks the next engine, and starts nothing a second time.
    let again = ask(&place, &format!("http://{at}"), &body).ok().json();
    assert_eq!((&again["agent_id"], &again["run"]), (&answer["agent_id"], &answer["run"]));
    assert_eq!(place.runs().len(), 1);
    place.cue(&["resume", "r-1"]).ok();
    until("it has begun", || told.exists());
    let given = fs::read_to_string(&told).expect("a file");
    let given: Vec<&str> = given.lines().collect();
    let now = format!("http://{at}");
    assert_eq!((given[0], given[4]), (agent.as_str(), now.as_str()));
    let own = place.with("JWT_TOKEN", given[5]);
    assert_eq!(ask(&own, &now, &["/api/runs/r-1"]).ok().json()["state"], "running");
    engine.signal(Signal::KILL);
    drop(engine.end());
    let (_engine, at) = serve(&own);
    let now = format!("http://{at}");
    assert_eq!(
        ask(&own, &now, &["/api/runs/r-1"]).ok().json()["state"],
        "running",
        "its token outlives the engine"
    );
    fs::write(own.file(&format!("go-{agent}")), "go\n").expect("it reads");
    until("it has come to rest", || own.state("r-1") == "completed");
    assert_eq!(own.step("r-1", "agent")["attempts"], 1);
    let gone = ask(&own, &now, &["/api/runs/r-1"]);
    assert!(gone.code == 1 && gone.err.contains("does not run any more"), "{gone:?}");
    is_nowhere(own.path(), given[5]);
}
