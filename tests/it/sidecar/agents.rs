//! Agents over HTTP: they come, give signs of life and go; on disk before they are told so, and each project's own.

use super::{Sidecar, fits, later};
use cuelight_base::Value;
use cuelight_exchange::Presence;
use cuelight_gateway::{Claims, Permission, Rates, Signer, openapi, sign};
use cuelight_runtime::Desk as _;
use serde_json::json;
use std::collections::BTreeMap;

fn open() -> Rates {
    Rates { said: BTreeMap::from([("other".to_owned(), None)]) }
}

fn names(told: &Value) -> Vec<&str> {
    told["agents"].as_array().expect("a list").iter().filter_map(|agent| agent["id"].as_str()).collect()
}

/// The token of an agent of this name.
fn token(sidecar: &Sidecar, name: &str, project: &str) -> String {
    sidecar.sign(&sidecar.claims(name, project, &[Permission::ReadContext, Permission::WriteResults]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_comes_gives_signs_of_life_and_goes_and_is_there_after_a_restart() {
    let sidecar = Sidecar::start().await;
    let (one, two) = (token(&sidecar, "coder-1", "shop"), token(&sidecar, "coder-2", "shop"));
    let body = json!({"capabilities": ["implement", "review"], "limits": {"max_concurrent": 3}, "heartbeat_seconds": 600, "metadata": {"host": "a"}});
    let told = sidecar.post("/api/agents", &one, body.clone()).await.is(201);
    assert_eq!(
        (&told["id"], &told["agent_type"], &told["state"]),
        (&json!("coder-1"), &json!("qa"), &json!("live"))
    );
    assert_eq!((&told["limits"]["max_concurrent"], &told["heartbeat_seconds"]), (&json!(3), &json!(600)));
    sidecar.post("/api/agents", &two, json!({"agent_id": "coder-2/s1"})).await.is(201);
    // The same once more is the same; something else is not.
    let again = sidecar.post("/api/agents", &one, body).await.is(201);
    assert_eq!(again["registered_at"], told["registered_at"]);
    sidecar.post("/api/agents", &one, json!({})).await.refused(409, "AGT_004");
    let dir = sidecar.end().await;

    let sidecar = Sidecar::open(dir, open(), true).await;
    let all = sidecar.get("/api/agents", &one).await.is(200);
    assert_eq!(names(&all), ["coder-1", "coder-2/s1"]);
    assert_eq!(all["agents"][0]["metadata"], json!({"host": "a"}));
    let status = sidecar.send("GET", "/status", None, None, &[]).await.is(200);
    assert_eq!(status["agents"]["present"], 2);
    sidecar.send("PUT", "/api/agents/coder-1/heartbeat", Some(&one), None, &[]).await.is(200);
    sidecar.send("PUT", "/api/agents/coder-2%2Fs1/heartbeat", Some(&two), None, &[]).await.is(200);
    let gone = sidecar.send("DELETE", "/api/agents/coder-1", Some(&one), None, &[]).await.is(200);
    assert_eq!(gone["state"], "left");
    sidecar.send("PUT", "/api/agents/coder-1/heartbeat", Some(&one), None, &[]).await.refused(404, "AGT_003");
    sidecar.get("/api/agents/coder-1", &one).await.refused(404, "AGT_003");
    assert_eq!(sidecar.get("/api/agents/coder-2%2Fs1", &two).await.is(200)["id"], "coder-2/s1");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_falls_silent_is_lost_and_the_list_says_so() {
    let sidecar = Sidecar::start().await;
    let one = token(&sidecar, "coder-1", "shop");
    sidecar.post("/api/agents", &one, json!({"heartbeat_seconds": 1})).await.is(201);
    let mut boards = sidecar.engine().desk().boards();
    let lost = |presence: Presence| presence == Presence::Lost;
    let seen =
        boards.wait_for(|boards| boards.board.present().iter().any(|pair| lost(pair.1.presence(later(0)))));
    drop(tokio::time::timeout(super::MOST, seen).await.expect("in time").expect("it is lost"));
    let all = sidecar.get("/api/agents", &one).await.is(200);
    assert_eq!(all["agents"][0]["state"], "lost");
    let back = sidecar.send("PUT", "/api/agents/coder-1/heartbeat", Some(&one), None, &[]).await.is(200);
    assert_eq!(back["state"], "live");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_speaks_for_another_agent_and_no_project_sees_those_of_another() {
    let sidecar = Sidecar::start().await;
    let (one, two) = (token(&sidecar, "coder-1", "shop"), token(&sidecar, "coder-2", "shop"));
    let bank = token(&sidecar, "coder-1", "bank");
    sidecar.post("/api/agents", &one, json!({})).await.is(201);
    sidecar.post("/api/agents", &bank, json!({"capabilities": ["pay"]})).await.is(201);
    for path in ["/api/agents", "/api/agents/coder-1"] {
        let told = sidecar.get(path, &bank).await.is(200).to_string();
        assert!(told.contains("pay") && told.contains("\"bank\"") && !told.contains("shop"), "{told}");
    }
    sidecar.post("/api/agents", &two, json!({"agent_id": "coder-1"})).await.refused(403, "AUTH_003");
    sidecar
        .send("PUT", "/api/agents/coder-1/heartbeat", Some(&two), None, &[])
        .await
        .refused(403, "AUTH_003");
    sidecar.send("DELETE", "/api/agents/coder-1", Some(&two), None, &[]).await.refused(403, "AUTH_003");
    let third = token(&sidecar, "coder-3", "bank");
    sidecar.post("/api/agents", &third, json!({})).await.is(201);
    sidecar.send("DELETE", "/api/agents/coder-3", Some(&one), None, &[]).await.refused(404, "AGT_003");
    // Whoever manages agents sends one of their own project away.
    let manager = sidecar.sign(&sidecar.claims("boss", "shop", &[Permission::ManageAgents]));
    sidecar.send("DELETE", "/api/agents/coder-3", Some(&manager), None, &[]).await.refused(404, "AGT_003");
    sidecar.send("DELETE", "/api/agents/coder-1", Some(&manager), None, &[]).await.is(200);
    assert_eq!(names(&sidecar.get("/api/agents", &one).await.is(200)), Vec::<&str>::new());
    assert_eq!(names(&sidecar.get("/api/agents", &bank).await.is(200)), ["coder-1", "coder-3"]);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_agent_is_refused_before_anything_is_kept() {
    let sidecar = Sidecar::start().await;
    let claims = sidecar.claims("ann@example.org", "shop", &[Permission::WriteResults]);
    let person = Claims { iss: "ann".to_owned(), agent_type: None, ..claims };
    let person = sign(&person, "ann", &Signer::Key(&crate::tokens::key_of(1).0));
    sidecar.post("/api/agents", &person, json!({})).await.refused(403, "AUTH_003");
    let reader = sidecar.sign(&sidecar.claims("coder-1", "shop", &[Permission::ReadContext]));
    sidecar.post("/api/agents", &reader, json!({})).await.refused(403, "AUTH_003");
    let writer = sidecar.sign(&sidecar.claims("coder-1", "shop", &[Permission::WriteResults]));
    sidecar.get("/api/agents", &writer).await.refused(403, "AUTH_003");
    sidecar.send("GET", "/api/agents", None, None, &[]).await.refused(401, "AUTH_001");
    for wrong in [
        json!({"agent_id": "../etc"}),
        json!({"agent_id": ""}),
        json!({"agent_id": "coder-1/a/b"}),
        json!({"capabilities": ["a b"]}),
        json!({"capabilities": "a"}),
        json!({"capabilities": vec!["a"; 33]}),
        json!({"limits": {"max_concurrent": 0}}),
        json!({"limits": {"max_concurrent": 1001}}),
        json!({"heartbeat_seconds": 0}),
        json!({"heartbeat_seconds": 3601}),
        json!({"metadata": []}),
        json!({"metadata": {"a": "x".repeat(5000)}}),
        json!({"agent_type": "architect"}),
        json!([]),
    ] {
        sidecar.post("/api/agents", &writer, wrong).await.refused(400, "REQ_001");
    }
    // Its address is where agents are started, so nobody could see it or send it away there; a session of it has an address of its own.
    let spawn = token(&sidecar, "spawn", "shop");
    let told = sidecar.post("/api/agents", &spawn, json!({})).await.refused(400, "REQ_001");
    assert!(told["message"].as_str().is_some_and(|message| message.contains("take another name")), "{told}");
    sidecar.post("/api/agents", &spawn, json!({"agent_id": "spawn/s1"})).await.is(201);
    let gone = sidecar.send("DELETE", "/api/agents/spawn%2Fs1", Some(&spawn), None, &[]).await;
    assert_eq!(gone.status, 200, "{gone:?}");
    let large = json!({"metadata": {"a": "x".repeat(1024 * 1024)}});
    sidecar.post("/api/agents", &writer, large).await.refused(413, "REQ_006");
    for hostile in ["..%2F..%2Fetc", "%00", "a%20b", "%ff%fe", "-", "coder-1%2F"] {
        let status = sidecar
            .send("PUT", &format!("/api/agents/{hostile}/heartbeat"), Some(&writer), None, &[])
            .await
            .status;
        assert!(status == 404 || status == 400, "{hostile}: {status}");
    }
    let board = sidecar.engine().desk().boards().borrow().board.clone();
    assert_eq!(board.present().iter().count(), 0);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_of_agents_has_the_shape_that_the_document_says() {
    let sidecar = Sidecar::start().await;
    let (told, one) = (openapi(), token(&sidecar, "coder-1", "shop"));
    let body = sidecar.post("/api/agents", &one, json!({"capabilities": ["a"]})).await.json();
    for (path, method, status, body) in [
        ("/api/agents", "post", "201", body),
        ("/api/agents", "get", "200", sidecar.get("/api/agents", &one).await.json()),
        ("/api/agents/{id}", "get", "200", sidecar.get("/api/agents/coder-1", &one).await.json()),
        ("/api/agents/{id}", "get", "404", sidecar.get("/api/agents/nobody", &one).await.json()),
    ] {
        fits(&told, (path, method, status), &body);
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_agents_of_one_name_each_lives_by_the_signs_of_its_own_project_and_goes_alone() {
    let sidecar = Sidecar::start().await;
    let (shop, bank) = (token(&sidecar, "coder-1", "shop"), token(&sidecar, "coder-1", "bank"));
    sidecar.post("/api/agents", &shop, json!({"heartbeat_seconds": 1})).await.is(201);
    sidecar.post("/api/agents", &bank, json!({"heartbeat_seconds": 3600})).await.is(201);
    let state = async |token: &str| sidecar.get("/api/agents/coder-1", token).await.is(200)["state"].clone();
    let counts = async || {
        let watcher = sidecar.sign(&sidecar.claims("watcher", "shop", &[Permission::ViewMetrics]));
        sidecar.get("/metrics", &watcher).await.text
    };
    assert!(counts().await.contains("\ncuelight_agents_present 2\n"), "{}", counts().await);
    let mut boards = sidecar.engine().desk().boards();
    let lost = |presence: Presence| presence == Presence::Lost;
    let seen =
        boards.wait_for(|boards| boards.board.present().iter().any(|pair| lost(pair.1.presence(later(0)))));
    drop(tokio::time::timeout(super::MOST, seen).await.expect("in time").expect("it is lost"));
    assert_eq!((state(&shop).await, state(&bank).await), (json!("lost"), json!("live")));
    // What one of them says, and that it goes, says nothing of the other.
    sidecar.send("PUT", "/api/agents/coder-1/heartbeat", Some(&bank), None, &[]).await.is(200);
    assert_eq!(state(&shop).await, "lost");
    let told = counts().await;
    assert!(told.contains("\ncuelight_agents_present 1\n"), "{told}");
    for name in ["coder-1", "bank", "shop"] {
        assert!(!told.contains(name), "counts have no names: {told}");
    }
    sidecar.send("PUT", "/api/agents/coder-1/heartbeat", Some(&shop), None, &[]).await.is(200);
    sidecar.send("DELETE", "/api/agents/coder-1", Some(&bank), None, &[]).await.is(200);
    sidecar
        .send("PUT", "/api/agents/coder-1/heartbeat", Some(&bank), None, &[])
        .await
        .refused(404, "AGT_003");
    assert_eq!(state(&shop).await, "live");
    assert!(counts().await.contains("\ncuelight_agents_present 1\n"));
    sidecar.end().await;
}

/// An answer that is remembered for a key is that of the project that asked, also where agents of one name use one key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_agents_of_one_name_that_use_one_key_have_each_an_answer_of_their_own() {
    let sidecar = Sidecar::start().await;
    let key = [("Idempotency-Key", "k")];
    let (shop, bank) = (token(&sidecar, "coder-1", "shop"), token(&sidecar, "coder-1", "bank"));
    for (token, project) in [(&shop, "shop"), (&bank, "bank"), (&shop, "shop")] {
        let told = sidecar.send("POST", "/api/agents", Some(token), Some(json!({})), &key).await.is(201);
        assert_eq!((&told["id"], &told["project_id"]), (&json!("coder-1"), &json!(project)));
    }
    sidecar.send("DELETE", "/api/agents/coder-1", Some(&shop), None, &key).await.is(200);
    // The answer of that key was that the agent is here, which is so no more.
    let again = sidecar.send("POST", "/api/agents", Some(&shop), Some(json!({})), &key).await;
    again.refused(409, "AGT_004");
    assert_eq!(names(&sidecar.get("/api/agents", &shop).await.is(200)), Vec::<&str>::new());
    assert_eq!(names(&sidecar.get("/api/agents", &bank).await.is(200)), ["coder-1"]);
    sidecar.end().await;
}
