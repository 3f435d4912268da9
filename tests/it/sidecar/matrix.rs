//! Every way in that the description lists, one by one: nobody comes in without a token, nor without the permission that it names; a token of another
//! project finds nothing and changes nothing; and the same request in the project itself shows that there was something to find. A way in that is
//! not known here fails, so that no new one is forgotten.

use super::{Sidecar, events::Line};
use crate::tokens::key_of;
use cuelight_base::Value;
use cuelight_gateway::{Claims, Permission, Rates, Signer, openapi, sign};
use serde_json::json;
use std::{collections::BTreeMap, fs};
use tempfile::TempDir;

/// Text in all data of the shop, and in nothing that anybody else may read.
const MARK: &str = "marker-5e";

/// One way in, as the description has it.
struct Way {
    operation: String,
    method: String,
    /// Permission that it needs, if it declares one.
    needs: Option<String>,
    is_open: bool,
}

fn ways() -> Vec<Way> {
    let document = openapi();
    let mut all = Vec::new();
    for calls in document["paths"].as_object().expect("paths").values() {
        for (method, told) in calls.as_object().expect("methods") {
            let about = told["description"].as_str().unwrap_or_default();
            all.push(Way {
                operation: told["operationId"].as_str().expect("a name").to_owned(),
                method: method.to_uppercase(),
                needs: about.split('`').nth(1).map(str::to_owned),
                is_open: told["security"] == json!([]),
            });
        }
    }
    all
}

/// A request, with the expected status for another project and for the shop.
struct Ask {
    path: String,
    body: Option<Value>,
    fields: Vec<(&'static str, String)>,
    theirs: u16,
    own: u16,
}

/// Data of the shop.
struct Shop {
    gate: Value,
    run: String,
    work: String,
    result: String,
}

async fn shop(sidecar: &Sidecar, token: &str) -> Shop {
    let write = |name: &str, text: &str| {
        let path = sidecar.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, text).expect("a file");
    };
    write("gate.yaml", "name: marker-5e\nsteps: [{id: ok, gate: {prompt: 'marker-5e'}}]\n");
    write(
        "work.yaml",
        "name: marker-5e\nsteps: [{id: do, agent: {name: coder, task: marker-5e}, effect: pure}]\n",
    );
    let coder = "version: 1\ndescription: Writes\n";
    write(".cuelight/agents/coder.yaml", &format!("name: coder\n{coder}claim: true\n"));
    write(".cuelight/agents/worker.yaml", &format!("name: worker\n{coder}command: [\"true\"]\n"));
    write("plain.yaml", "name: plain\nsteps: [{id: ok, gate: {prompt: 'Go?'}}]\n");
    write("marker-5e.rs", "// marker-5e\n");
    let gate = sidecar.post("/api/gates", token, super::question(MARK)).await.is(201);
    let run = sidecar.post("/api/runs", token, json!({"workflow": "gate.yaml"})).await.is(201);
    let me = json!({"metadata": {"host": MARK}, "heartbeat_seconds": 3600, "limits": {"max_concurrent": 2}});
    sidecar.post("/api/agents", token, me).await.is(201);
    sidecar.post("/api/runs", token, json!({"workflow": "work.yaml"})).await.is(201);
    let claim = "/api/agents/coder-1/claim?timeout=60000&lease=3600";
    let work = sidecar.send("POST", claim, Some(token), None, &[]).await.is(200);
    let result = sidecar.post("/api/results", token, handed(MARK)).await.is(201);
    sidecar.post("/api/knowledge", token, json!({"text": MARK})).await.is(201);
    for id in ["said-1", "said-2"] {
        sidecar.post("/api/events/said", token, json!({"id": id, "data": MARK})).await.is(202);
    }
    sidecar.send("PUT", "/api/state/global/k", Some(token), Some(json!({"value": MARK})), &[]).await.is(200);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    Shop { run: text(&run["id"]), work: text(&work["work"]["id"]), result: text(&result["id"]), gate }
}

/// A result as the agent of the shop hands it in.
fn handed(summary: &str) -> Value {
    json!({"agent_id": "coder-1", "agent_type": "coder", "issue_id": "SHOP-1", "project_id": "shop",
        "result": {"status": "success", "summary": summary}})
}

/// The request for each operation. One that lists or creates asks for its own data; one that names a thing
/// names one of the shop.
fn ask(shop: &Shop, operation: &str) -> Ask {
    let Shop { gate, run, work, result } = shop;
    let of = |path: &str, theirs: u16, own: u16| Ask {
        path: path.to_owned(),
        body: None,
        fields: Vec::new(),
        theirs,
        own,
    };
    let with = |ask: Ask, body: Value| Ask { body: Some(body), ..ask };
    match operation {
        "Health" => of("/health", 200, 200),
        "Ready" => of("/health/ready", 200, 200),
        "Document" => of("/openapi.json", 200, 200),
        "Status" => of("/status", 200, 200),
        "Metrics" => of("/metrics", 200, 200),
        // It is not in its last minutes.
        "RenewToken" => of("/api/token/refresh", 409, 409),
        "OpenGate" => with(of("/api/gates", 201, 201), json!({"title": "Go?"})),
        "ListGates" => of("/api/gates", 200, 200),
        "ShowGate" => of("/api/gates/g-1?wait=1", 404, 200),
        "Decide" => with(
            of("/api/gates/g-1/decision", 404, 200),
            json!({"decision_id": "d", "gate_epoch": gate["epoch"], "ask_hash": gate["ask_hash"],
                "verdict": "approve", "reason": "it looks right"}),
        ),
        "StartRun" => with(of("/api/runs", 201, 201), json!({"workflow": "plain.yaml"})),
        "ListRuns" => of("/api/runs", 200, 200),
        "ShowRun" => of(&format!("/api/runs/{run}"), 404, 200),
        // It goes on until the run rests: in the shop it is asked when it does.
        "FollowRun" => of(&format!("/api/runs/{run}/events"), 404, 200),
        "PauseRun" => of(&format!("/api/runs/{run}/pause"), 404, 200),
        "ResumeRun" => of(&format!("/api/runs/{run}/resume"), 404, 200),
        "CancelRun" => with(of(&format!("/api/runs/{run}/cancel"), 404, 200), json!({})),
        "Inject" => of("/api/context/SHOP-1/coder", 404, 200),
        "ClearContexts" => of("/api/cache/context/SHOP-1", 404, 200),
        "RegisterAgent" => with(of("/api/agents", 201, 201), json!({"agent_id": "coder-1/s1"})),
        "BeatAgent" => of("/api/agents/coder-1/heartbeat", 404, 200),
        "ListAgents" => of("/api/agents", 200, 200),
        "ShowAgent" | "LeaveAgent" => of("/api/agents/coder-1", 404, 200),
        "SpawnAgent" => with(
            of("/api/agents/spawn", 201, 201),
            json!({"agent_type": "worker", "issue_id": "SHOP-1", "task": "Go"}),
        ),
        "ClaimWork" => of("/api/agents/coder-1/claim?timeout=0", 404, 200),
        "RenewWork" => with(of(&format!("/api/work/{work}/progress"), 404, 200), json!({})),
        "ReturnWork" => with(of(&format!("/api/work/{work}/result"), 404, 200), json!({"result": "done"})),
        // It has been handed back.
        "FailWork" => with(of(&format!("/api/work/{work}/fail"), 404, 410), json!({"error": "no"})),
        "HandIn" => with(of("/api/results", 404, 201), handed("more")),
        "ListResults" => of("/api/results?issue=SHOP-1", 200, 200),
        "ShowResult" => of(&format!("/api/results/{result}"), 404, 200),
        "Learn" => with(of("/api/knowledge", 404, 201), json!({"text": "more", "project_id": "shop"})),
        "SearchKnowledge" => of(&format!("/api/knowledge?q={MARK}"), 200, 200),
        "ReadValue" => of("/api/state/global/k", 404, 200),
        // It is there, or it is not.
        "SetValue" => Ask {
            fields: vec![("If-Match", "*".to_owned())],
            ..with(of("/api/state/global/k", 412, 200), json!({"value": "mine"}))
        },
        "RemoveValue" => of("/api/state/global/k", 404, 200),
        // The id is used in the shop, for something else.
        "PublishEvent" => with(of("/api/events/said", 202, 409), json!({"id": "said-2", "data": "mine"})),
        "WaitForEvent" => of("/api/events/wait/said?timeout=0&since=said-1", 404, 200),
        "FollowEvents" => of("/api/events/stream?since=said-1", 200, 200),
        other => panic!("{other} is a new way in: say here what another project comes to there"),
    }
}

/// A token with the name and type of the shop's agent.
fn token(sidecar: &Sidecar, project: &str, permissions: &[Permission]) -> String {
    let claims = sidecar.claims("coder-1", project, permissions);
    sidecar.sign(&Claims { agent_type: Some("coder".to_owned()), ..claims })
}

fn all_but(lacking: &str) -> Vec<Permission> {
    let all = Permission::ALL.iter().copied();
    all.filter(|permission| *permission != Permission::DecideGates && permission.word() != lacking).collect()
}

/// People decide; this one in this project.
fn bob(sidecar: &Sidecar, project: &str) -> String {
    let all = [Permission::ReadGates, Permission::DecideGates];
    let claims = sidecar.claims("bob@example.org", project, &all);
    let claims = Claims { iss: "bob".to_owned(), agent_type: None, ..claims };
    sign(&claims, "bob", &Signer::Key(&key_of(2).0))
}

async fn send(sidecar: &Sidecar, way: &Way, ask: &Ask, token: Option<&str>) -> super::Said {
    let fields: Vec<_> = ask.fields.iter().map(|field| (field.0, field.1.as_str())).collect();
    sidecar.send(&way.method, &ask.path, token, ask.body.clone(), &fields).await
}

/// Data of the shop, as its own token sees it.
async fn seen(sidecar: &Sidecar, own: &str, shop: &Shop) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for path in [
        "/api/gates/g-1",
        "/api/agents",
        "/api/results",
        "/api/knowledge",
        "/api/state/global/k",
        "/api/events/wait/said?timeout=0",
    ] {
        let told = sidecar.get(path, own).await;
        // What a result says is left out of the list.
        assert!(
            told.status == 200 && (told.text.contains(MARK) || path == "/api/results"),
            "{path}: {told:?}"
        );
        all.insert(path.to_owned(), told.text);
    }
    for path in [format!("/api/runs/{}", shop.run), "/api/runs/r-3".to_owned()] {
        let told = sidecar.get(&path, own).await.is(200);
        all.insert(path, format!("{} {}", told["state"], told["steps"]));
    }
    all
}

/// An engine that shows counts to nobody without a token. Each that is asked by strangers is asked by fewer than an address may send in a second.
async fn closed() -> Sidecar {
    let rates = Rates { said: BTreeMap::from([("other".to_owned(), None)]) };
    Sidecar::open(TempDir::new().expect("a directory"), rates, false).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_in_is_open_without_a_token() {
    for token in [None, Some("a.b.c")] {
        let sidecar = closed().await;
        let own = self::token(&sidecar, "shop", &all_but(""));
        let shop = shop(&sidecar, &own).await;
        let before = seen(&sidecar, &own, &shop).await;
        for way in ways().iter().filter(|way| !way.is_open) {
            send(&sidecar, way, &ask(&shop, &way.operation), token).await.refused(401, "AUTH_001");
        }
        assert_eq!(seen(&sidecar, &own, &shop).await, before, "and nothing has changed");
        sidecar.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_in_is_open_without_the_permission_it_names() {
    let sidecar = closed().await;
    let own = token(&sidecar, "shop", &all_but(""));
    let shop = shop(&sidecar, &own).await;
    let before = seen(&sidecar, &own, &shop).await;
    let mut unnamed = Vec::new();
    for way in ways().into_iter().filter(|way| !way.is_open) {
        let Some(needs) = &way.needs else {
            unnamed.push(way.operation);
            continue;
        };
        let ask = ask(&shop, &way.operation);
        let told = send(&sidecar, &way, &ask, Some(&token(&sidecar, "shop", &all_but(needs)))).await;
        assert_eq!(told.refused(403, "AUTH_003")["details"]["permission"], needs.as_str());
    }
    // Leaving needs none for oneself but that of a worker, and for another one that of a manager; and any token can be renewed.
    assert_eq!(unnamed, ["RenewToken", "LeaveAgent"]);
    let reader = token(&sidecar, "shop", &[Permission::ReadContext]);
    sidecar.send("DELETE", "/api/agents/coder-1", Some(&reader), None, &[]).await.refused(403, "AUTH_003");
    assert_eq!(seen(&sidecar, &own, &shop).await, before, "and nothing has changed");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_no_way_in_a_token_of_another_project_finds_or_changes_anything() {
    let sidecar = Sidecar::start().await;
    let own = token(&sidecar, "shop", &all_but(""));
    let shop = shop(&sidecar, &own).await;
    let before = seen(&sidecar, &own, &shop).await;
    let theirs = token(&sidecar, "bank", &all_but(""));
    let whose = |way: &Way, project: &str| match way.operation.as_str() {
        "Decide" => bob(&sidecar, project),
        _ => token(&sidecar, project, &all_but("")),
    };
    for way in ways() {
        let ask = ask(&shop, &way.operation);
        if way.operation == "FollowEvents" {
            // What they name is unknown to them, and what they said themselves is all that comes.
            let mut line = Line::open(&sidecar, &ask.path, &theirs, None).await;
            line.until("event: gap").await;
            sidecar.post("/api/events/said", &theirs, json!({"id": "last", "data": "mine"})).await.is(202);
            line.until("id: last\n").await;
            assert!(!line.text().contains(MARK), "{}", line.text());
            continue;
        }
        let told = send(&sidecar, &way, &ask, Some(&whose(&way, "bank"))).await;
        assert_eq!(told.status, ask.theirs, "{}: {told:?}", way.operation);
        assert!(!told.text.contains(MARK), "{}: {told:?}", way.operation);
    }
    assert_eq!(seen(&sidecar, &own, &shop).await, before, "what is the shop's is as it was");
    // What has an end comes last.
    let mut ways = ways();
    ways.sort_by_key(|way| ["LeaveAgent", "FollowRun"].contains(&way.operation.as_str()));
    for way in ways.iter().filter(|way| way.operation != "FollowEvents") {
        let told = send(&sidecar, way, &ask(&shop, &way.operation), Some(&whose(way, "shop"))).await;
        assert_eq!(told.status, ask(&shop, &way.operation).own, "{}: {told:?}", way.operation);
    }
    sidecar.end().await;
}
