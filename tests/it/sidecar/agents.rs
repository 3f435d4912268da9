//! Agents over HTTP: they come, give signs of life and go; on disk before they are told so, and each project's own.

use super::{Sidecar, fits, later};
use cuelight_base::Value;
use cuelight_engine::Presence;
use cuelight_gateway::{Claims, Permission, Rates, Signer, openapi, sign};
use cuelight_runtime::Desk as _;
use serde_json::json;
use std::collections::BTreeMap;

fn open() -> Rates {
    Rates { said: BTreeMap::from([("other".to_owned(), None)]) }
}

fn names(told: &Value) -> Vec<&str> {
    told["agents"].as_array().expect("a list").iter().filter_map(|it| it["id"].as_str()).collect()
}

/// The token of an agent of this name.
fn token(it: &Sidecar, name: &str, project: &str) -> String {
    it.sign(&it.claims(name, project, &[Permission::ReadContext, Permission::WriteResults]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_comes_gives_signs_of_life_and_goes_and_is_there_after_a_restart() {
    let it = Sidecar::start().await;
    let (one, two) = (token(&it, "coder-1", "shop"), token(&it, "coder-2", "shop"));
    let body = json!({"capabilities": ["implement", "review"], "limits": {"max_concurrent": 3}, "heartbeat_seconds": 600, "metadata": {"host": "a"}});
    let told = it.post("/api/agents", &one, body.clone()).await.is(201);
    assert_eq!(
        (&told["id"], &told["agent_type"], &told["state"]),
        (&json!("coder-1"), &json!("qa"), &json!("live"))
    );
    assert_eq!((&told["limits"]["max_concurrent"], &told["heartbeat_seconds"]), (&json!(3), &json!(600)));
    it.post("/api/agents", &two, json!({"agent_id": "coder-2/s1"})).await.is(201);
    // The same once more is the same; something else is not.
    let again = it.post("/api/agents", &one, body).await.is(201);
    assert_eq!(again["registered_at"], told["registered_at"]);
    it.post("/api/agents", &one, json!({})).await.refused(409, "AGT_004");
    let dir = it.end().await;

    let it = Sidecar::open(dir, open(), true).await;
    let all = it.get("/api/agents", &one).await.is(200);
    assert_eq!(names(&all), ["coder-1", "coder-2/s1"]);
    assert_eq!(all["agents"][0]["metadata"], json!({"host": "a"}));
    let status = it.send("GET", "/status", None, None, &[]).await.is(200);
    assert_eq!(status["agents"]["present"], 2);
    it.send("PUT", "/api/agents/coder-1/heartbeat", Some(&one), None, &[]).await.is(200);
    it.send("PUT", "/api/agents/coder-2%2Fs1/heartbeat", Some(&two), None, &[]).await.is(200);
    let gone = it.send("DELETE", "/api/agents/coder-1", Some(&one), None, &[]).await.is(200);
    assert_eq!(gone["state"], "left");
    it.send("PUT", "/api/agents/coder-1/heartbeat", Some(&one), None, &[]).await.refused(404, "AGT_003");
    it.get("/api/agents/coder-1", &one).await.refused(404, "AGT_003");
    assert_eq!(it.get("/api/agents/coder-2%2Fs1", &two).await.is(200)["id"], "coder-2/s1");
    it.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_falls_silent_is_lost_and_the_list_says_so() {
    let it = Sidecar::start().await;
    let one = token(&it, "coder-1", "shop");
    it.post("/api/agents", &one, json!({"heartbeat_seconds": 1})).await.is(201);
    let mut boards = it.engine().desk().boards();
    let lost = |presence: Presence| presence == Presence::Lost;
    let seen = boards.wait_for(|it| it.board.present().iter().any(|it| lost(it.1.presence(later(0)))));
    drop(tokio::time::timeout(super::MOST, seen).await.expect("in time").expect("it is lost"));
    let all = it.get("/api/agents", &one).await.is(200);
    assert_eq!(all["agents"][0]["state"], "lost");
    let back = it.send("PUT", "/api/agents/coder-1/heartbeat", Some(&one), None, &[]).await.is(200);
    assert_eq!(back["state"], "live");
    it.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_speaks_for_another_agent_and_no_project_sees_those_of_another() {
    let it = Sidecar::start().await;
    let (one, two) = (token(&it, "coder-1", "shop"), token(&it, "coder-2", "shop"));
    let bank = token(&it, "coder-1", "bank");
    it.post("/api/agents", &one, json!({})).await.is(201);
    it.post("/api/agents", &bank, json!({"capabilities": ["pay"]})).await.is(201);
    for path in ["/api/agents", "/api/agents/coder-1"] {
        let told = it.get(path, &bank).await.is(200).to_string();
        assert!(told.contains("pay") && told.contains("\"bank\"") && !told.contains("shop"), "{told}");
    }
    it.post("/api/agents", &two, json!({"agent_id": "coder-1"})).await.refused(403, "AUTH_003");
    it.send("PUT", "/api/agents/coder-1/heartbeat", Some(&two), None, &[]).await.refused(403, "AUTH_003");
    it.send("DELETE", "/api/agents/coder-1", Some(&two), None, &[]).await.refused(403, "AUTH_003");
    let third = token(&it, "coder-3", "bank");
    it.post("/api/agents", &third, json!({})).await.is(201);
    it.send("DELETE", "/api/agents/coder-3", Some(&one), None, &[]).await.refused(404, "AGT_003");
    // Whoever manages agents sends one of their own project away.
    let manager = it.sign(&it.claims("boss", "shop", &[Permission::ManageAgents]));
    it.send("DELETE", "/api/agents/coder-3", Some(&manager), None, &[]).await.refused(404, "AGT_003");
    it.send("DELETE", "/api/agents/coder-1", Some(&manager), None, &[]).await.is(200);
    assert_eq!(names(&it.get("/api/agents", &one).await.is(200)), Vec::<&str>::new());
    assert_eq!(names(&it.get("/api/agents", &bank).await.is(200)), ["coder-1", "coder-3"]);
    it.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_agent_is_refused_before_anything_is_kept() {
    let it = Sidecar::start().await;
    let claims = it.claims("ann@example.org", "shop", &[Permission::WriteResults]);
    let person = Claims { iss: "ann".to_owned(), agent_type: None, ..claims };
    let person = sign(&person, "ann", &Signer::Key(&crate::tokens::key_of(1).0));
    it.post("/api/agents", &person, json!({})).await.refused(403, "AUTH_003");
    let reader = it.sign(&it.claims("coder-1", "shop", &[Permission::ReadContext]));
    it.post("/api/agents", &reader, json!({})).await.refused(403, "AUTH_003");
    let writer = it.sign(&it.claims("coder-1", "shop", &[Permission::WriteResults]));
    it.get("/api/agents", &writer).await.refused(403, "AUTH_003");
    it.send("GET", "/api/agents", None, None, &[]).await.refused(401, "AUTH_001");
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
        it.post("/api/agents", &writer, wrong).await.refused(400, "REQ_001");
    }
    // Its address is where agents are started, so nobody could see it or send it away there; a session of it has an address of its own.
    let spawn = token(&it, "spawn", "shop");
    let told = it.post("/api/agents", &spawn, json!({})).await.refused(400, "REQ_001");
    assert!(told["message"].as_str().is_some_and(|it| it.contains("take another name")), "{told}");
    it.post("/api/agents", &spawn, json!({"agent_id": "spawn/s1"})).await.is(201);
    let gone = it.send("DELETE", "/api/agents/spawn%2Fs1", Some(&spawn), None, &[]).await;
    assert_eq!(gone.status, 200, "{gone:?}");
    let large = json!({"metadata": {"a": "x".repeat(1024 * 1024)}});
    it.post("/api/agents", &writer, large).await.refused(413, "REQ_006");
    for hostile in ["..%2F..%2Fetc", "%00", "a%20b", "%ff%fe", "-", "coder-1%2F"] {
        let status = it
            .send("PUT", &format!("/api/agents/{hostile}/heartbeat"), Some(&writer), None, &[])
            .await
            .status;
        assert!(status == 404 || status == 400, "{hostile}: {status}");
    }
    let board = it.engine().desk().boards().borrow().board.clone();
    assert_eq!(board.present().iter().count(), 0);
    it.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_of_agents_has_the_shape_that_the_document_says() {
    let it = Sidecar::start().await;
    let (told, one) = (openapi(), token(&it, "coder-1", "shop"));
    let body = it.post("/api/agents", &one, json!({"capabilities": ["a"]})).await.json();
    for (path, method, status, body) in [
        ("/api/agents", "post", "201", body),
        ("/api/agents", "get", "200", it.get("/api/agents", &one).await.json()),
        ("/api/agents/{id}", "get", "200", it.get("/api/agents/coder-1", &one).await.json()),
        ("/api/agents/{id}", "get", "404", it.get("/api/agents/nobody", &one).await.json()),
    ] {
        fits(&told, (path, method, status), &body);
    }
    it.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_agents_of_one_name_each_lives_by_the_signs_of_its_own_project_and_goes_alone() {
    let it = Sidecar::start().await;
    let (shop, bank) = (token(&it, "coder-1", "shop"), token(&it, "coder-1", "bank"));
    it.post("/api/agents", &shop, json!({"heartbeat_seconds": 1})).await.is(201);
    it.post("/api/agents", &bank, json!({"heartbeat_seconds": 3600})).await.is(201);
    let state = async |token: &str| it.get("/api/agents/coder-1", token).await.is(200)["state"].clone();
    let counts = async || {
        let watcher = it.sign(&it.claims("watcher", "shop", &[Permission::ViewMetrics]));
        it.get("/metrics", &watcher).await.text
    };
    assert!(counts().await.contains("\ncuelight_agents_present 2\n"), "{}", counts().await);
    let mut boards = it.engine().desk().boards();
    let lost = |presence: Presence| presence == Presence::Lost;
    let seen = boards.wait_for(|it| it.board.present().iter().any(|it| lost(it.1.presence(later(0)))));
    drop(tokio::time::timeout(super::MOST, seen).await.expect("in time").expect("it is lost"));
    assert_eq!((state(&shop).await, state(&bank).await), (json!("lost"), json!("live")));
    // What one of them says, and that it goes, says nothing of the other.
    it.send("PUT", "/api/agents/coder-1/heartbeat", Some(&bank), None, &[]).await.is(200);
    assert_eq!(state(&shop).await, "lost");
    let told = counts().await;
    assert!(told.contains("\ncuelight_agents_present 1\n"), "{told}");
    for name in ["coder-1", "bank", "shop"] {
        assert!(!told.contains(name), "counts have no names: {told}");
    }
    it.send("PUT", "/api/agents/coder-1/heartbeat", Some(&shop), None, &[]).await.is(200);
    it.send("DELETE", "/api/agents/coder-1", Some(&bank), None, &[]).await.is(200);
    it.send("PUT", "/api/agents/coder-1/heartbeat", Some(&bank), None, &[]).await.refused(404, "AGT_003");
    assert_eq!(state(&shop).await, "live");
    assert!(counts().await.contains("\ncuelight_agents_present 1\n"));
    it.end().await;
}

/// An answer that is remembered for a key is that of the project that asked, also where agents of one name use one key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_agents_of_one_name_that_use_one_key_have_each_an_answer_of_their_own() {
    let it = Sidecar::start().await;
    let key = [("Idempotency-Key", "k")];
    let (shop, bank) = (token(&it, "coder-1", "shop"), token(&it, "coder-1", "bank"));
    for (token, project) in [(&shop, "shop"), (&bank, "bank"), (&shop, "shop")] {
        let told = it.send("POST", "/api/agents", Some(token), Some(json!({})), &key).await.is(201);
        assert_eq!((&told["id"], &told["project_id"]), (&json!("coder-1"), &json!(project)));
    }
    it.send("DELETE", "/api/agents/coder-1", Some(&shop), None, &key).await.is(200);
    assert_eq!(names(&it.get("/api/agents", &shop).await.is(200)), Vec::<&str>::new());
    assert_eq!(names(&it.get("/api/agents", &bank).await.is(200)), ["coder-1"]);
    it.end().await;
}
