//! Results over HTTP: on disk before they are acknowledged, once where that is wanted, and each project's own.

use super::{Sidecar, later};
use crate::program::{Place, until};
use cuelight_base::{Digest, Seq, Span, Value};
use cuelight_engine::{Command, Fact};
use cuelight_exchange::{AgentResult, BusEvent, LibraryEvent, ResultStatus};
use cuelight_gateway::{Claims, Permission, Rates};
use cuelight_runtime::{Desk as _, LibraryQuery, Page, Reply, Request, RequestId, Want};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
};

/// A result, as the agent of the harness hands it in.
fn handed(project: &str, issue: &str, result: Value) -> Value {
    json!({"agent_id": "reviewer-1", "agent_type": "qa", "issue_id": issue, "project_id": project, "result": result})
}

fn open() -> Rates {
    Rates { said: BTreeMap::from([("other".to_owned(), None)]) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_is_stored_said_and_found_again_after_a_restart() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    let result = json!({"status": "success", "files_modified": ["src/cart.rs"], "cost": serde_json::from_str::<Value>("1.10").expect("a number"), "next_agents": ["security", {"agent_type": "docs", "priority": "high"}, 7]});
    let told = sidecar.post("/api/results", &token, handed("shop", "SHOP-12", result.clone())).await.is(201);
    let id = told["id"].as_str().expect("an id").to_owned();
    assert_eq!((&told["stored"], &told["event_published"]), (&json!(true), &json!(true)));
    assert_eq!(told["next_agents"], json!(["security", {"agent_type": "docs", "priority": "high"}]));
    assert_eq!(told["storage_path"], format!("results/shop/SHOP-12/qa/{id}"));
    let event = told["event_id"].as_str().expect("an id").to_owned();
    let board = sidecar.engine().desk().boards().borrow().board.clone();
    let said =
        board.bus().newest().find(|said| said.message.id == event).expect("it is said").message.clone();
    assert_eq!(said.topic, "agent_completed");
    assert_eq!((&said.data["issue_id"], &said.data["result_id"]), (&json!("SHOP-12"), &json!(id)));
    // A large one is kept beside the log.
    let large = json!({"status": "partial", "report": "é".repeat(400_000)});
    let told = sidecar.post("/api/results", &token, handed("shop", "SHOP-13", large.clone())).await.is(201);
    let large_id = told["id"].as_str().expect("an id").to_owned();
    let dir = sidecar.end().await;

    let sidecar = Sidecar::open(dir, open(), true).await;
    let read = sidecar.get(&format!("/api/results/{id}"), &token).await.is(200);
    assert_eq!(
        (&read["result"], &read["issue_id"], &read["agent_id"]),
        (&result, &json!("SHOP-12"), &json!("reviewer-1"))
    );
    assert!(read.to_string().contains("1.10"), "numbers stay as they were written: {read}");
    assert_eq!(sidecar.get(&format!("/api/results/{large_id}"), &token).await.is(200)["result"], large);
    sidecar.get("/api/results/res-000000000000000000000000", &token).await.refused(404, "STR_006");
    for hostile in ["..%2F..%2Fetc%2Fpasswd", "%00", "' OR 1=1 --".replace(' ', "%20").as_str(), "%ff%fe"] {
        let status = sidecar.get(&format!("/api/results/{hostile}"), &token).await.status;
        assert!(status == 404 || status == 400, "{hostile}: {status}");
    }
    let status = sidecar.send("GET", "/status", None, None, &[]).await.is(200);
    assert_eq!(status["storage"]["results"], 2);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_is_the_same_result_also_after_a_restart() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    let key = [("Idempotency-Key", "attempt-1")];
    let body = handed("shop", "SHOP-1", json!({"status": "failed"}));
    let first = sidecar.send("POST", "/api/results", Some(&token), Some(body.clone()), &key).await.is(201);
    let again = sidecar.send("POST", "/api/results", Some(&token), Some(body.clone()), &key).await.is(201);
    assert_eq!(first, again);
    let dir = sidecar.end().await;
    let sidecar = Sidecar::open(dir, open(), true).await;
    let again = sidecar.send("POST", "/api/results", Some(&token), Some(body.clone()), &key).await.is(201);
    assert_eq!(first, again);
    let other = handed("shop", "SHOP-1", json!({"status": "success"}));
    sidecar
        .send("POST", "/api/results", Some(&token), Some(other.clone()), &key)
        .await
        .refused(409, "REQ_002");
    // Another agent's key, or another project's, is another key.
    let bank = sidecar.agent("bank");
    let told = sidecar
        .send(
            "POST",
            "/api/results",
            Some(&bank),
            Some(handed("bank", "B-1", json!({"status": "failed"}))),
            &key,
        )
        .await;
    assert_ne!(told.is(201)["id"], first["id"]);
    let all = sidecar.get("/api/results", &token).await.is(200);
    assert_eq!(all["results"].as_array().map(Vec::len), Some(1));
    sidecar.end().await;
}

/// True if the engine chose the id of a record; `None` for records without one.
fn named_by_engine(fact: &Fact) -> Option<bool> {
    match fact {
        Fact::Bus(BusEvent::Said { message, .. }) => Some(message.named_by_engine),
        Fact::Library(LibraryEvent::HandedIn { result, .. }) => Some(result.named_by_engine),
        Fact::Library(LibraryEvent::Learned { knowledge, .. }) => Some(knowledge.named_by_engine),
        _ => None,
    }
}

/// Records that their sender cannot send again under the same id are not remembered for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_tells_the_ids_that_were_sent_from_those_that_the_engine_gave() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    for key in [&[("Idempotency-Key", "k")][..], &[]] {
        let send = |path, body| sidecar.send("POST", path, Some(&token), Some(body), key);
        send("/api/results", handed("shop", "SHOP-1", json!({"status": "failed"}))).await.is(201);
        send("/api/knowledge", json!({"text": "Prices are kept in cents"})).await.is(201);
        send("/api/events/done", json!({"data": {"n": 1}})).await.is(202);
        send("/api/events/done", json!({"data": {"n": 2}, "id": format!("own-{}", key.len())})).await.is(202);
    }
    let want = Want::Events { run: None, after: Seq(0), limit: 100 };
    let Page::Events { events, .. } = sidecar.engine().desk().read(want).await else { panic!("events") };
    let named: Vec<bool> = events.iter().filter_map(|event| named_by_engine(&event.1.fact)).collect();
    let (sent, made) = ([false; 5], [true, true, true, true, false]);
    assert_eq!(named, [sent, made].concat(), "a result with what is said of it, knowledge, two events");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_hands_in_does_so_for_themselves_alone() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    let with = |name: &str, value: &str| {
        let mut body = handed("shop", "SHOP-1", json!({"status": "success"}));
        body[name] = value.into();
        body
    };
    for (name, value, status, code) in [
        ("agent_id", "reviewer-2", 403, "AUTH_003"),
        ("agent_id", "reviewer-12", 403, "AUTH_003"),
        ("agent_id", "reviewer-1/", 400, "REQ_001"),
        ("agent_id", "reviewer-1/../x", 400, "REQ_001"),
        ("agent_type", "architect", 403, "AUTH_003"),
        ("agent_type", "QA", 400, "REQ_001"),
        ("project_id", "bank", 404, "STR_006"),
        ("project_id", "../shop", 400, "REQ_001"),
        ("issue_id", "../../etc/passwd", 400, "REQ_001"),
        ("issue_id", "", 400, "REQ_001"),
        ("issue_id", "a\u{0}b", 400, "REQ_001"),
        ("timestamp", "yesterday", 400, "REQ_001"),
        ("more", "x", 400, "REQ_001"),
    ] {
        sidecar.post("/api/results", &token, with(name, value)).await.refused(status, code);
    }
    for wrong in [
        json!({}),
        json!({"status": "done"}),
        json!("success"),
        json!([1]),
        json!({"status": "success", "decisions": "x"}),
    ] {
        sidecar.post("/api/results", &token, handed("shop", "SHOP-1", wrong)).await.refused(400, "REQ_001");
    }
    sidecar.post("/api/results", &token, with("agent_id", "reviewer-1/s2")).await.is(201);
    let reader = sidecar.sign(&sidecar.claims("reviewer-1", "shop", &[Permission::ReadContext]));
    sidecar.post("/api/results", &reader, with("agent_id", "reviewer-1")).await.refused(403, "AUTH_003");
    let writer = sidecar.sign(&sidecar.claims("reviewer-1", "shop", &[Permission::WriteResults]));
    sidecar.get("/api/results", &writer).await.refused(403, "AUTH_003");
    // Ten times what any other body may have, and not more.
    let large = handed("shop", "SHOP-1", json!({"status": "success", "report": "x".repeat(9 * 1024 * 1024)}));
    sidecar.post("/api/results", &token, large).await.is(201);
    let large =
        handed("shop", "SHOP-1", json!({"status": "success", "report": "x".repeat(11 * 1024 * 1024)}));
    sidecar.post("/api/results", &token, large).await.refused(413, "REQ_006");
    for (values, status) in [(150_000, 201), (250_000, 413)] {
        let many = handed("shop", "SHOP-1", json!({"status": "success", "report": vec![0; values]}));
        assert_eq!(sidecar.post("/api/results", &token, many).await.status, status);
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_are_found_page_by_page_and_each_project_has_its_own() {
    let sidecar = Sidecar::start().await;
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    let coder = Claims {
        agent_type: Some("coding".to_owned()),
        ..sidecar.claims("coder-1", "shop", &[Permission::WriteResults])
    };
    let coder = sidecar.sign(&coder);
    for number in 0..5 {
        let status = if number % 2 == 0 { "success" } else { "failed" };
        let body = handed("shop", &format!("S-{}", number % 3), json!({"status": status, "n": number}));
        sidecar.post("/api/results", &shop, body).await.is(201);
    }
    let body = json!({"agent_id": "coder-1/s1", "agent_type": "coding", "issue_id": "S-0", "project_id": "shop", "result": {"status": "partial"}});
    sidecar.post("/api/results", &coder, body).await.is(201);
    let told = sidecar
        .post("/api/results", &bank, handed("bank", "S-0", json!({"status": "success"})))
        .await
        .is(201);
    let count = |query: &str| {
        let (sidecar, shop, path) = (&sidecar, &shop, format!("/api/results{query}"));
        async move { sidecar.get(&path, shop).await.is(200)["results"].as_array().expect("a list").len() }
    };
    for (query, wanted) in [
        ("", 6),
        ("?project=shop", 6),
        ("?issue=S-0", 3),
        ("?issue=S-0&agent_type=qa", 2),
        ("?agent_type=coding", 1),
        ("?agent_id=coder-1", 1),
        ("?agent_id=coder-1/s1", 1),
        ("?agent_id=coder", 0),
        ("?status=failed", 2),
        ("?since=2020-01-01T00:00:00Z", 6),
        ("?until=2020-01-01T00:00:00Z", 0),
        ("?issue=%27%20OR%201%3D1%20--", 0),
        ("?issue=%25", 0),
    ] {
        assert_eq!(count(query).await, wanted, "{query}");
    }
    let first = sidecar.get("/api/results?limit=1", &shop).await.is(200);
    assert_eq!(first["next_cursor"], first["results"][0]["id"], "no place in the log of all projects");
    for unknown in ["x", "3", "..%2Fx", told["id"].as_str().expect("an id")] {
        sidecar.get(&format!("/api/results?cursor={unknown}"), &shop).await.refused(404, "STR_006");
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = sidecar.get(&format!("/api/results?limit=2{cursor}"), &shop).await.is(200);
        let ids = page["results"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|result| result["id"].as_str().map(str::to_owned));
        seen.extend(ids);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let each: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), each.len()), (6, 6), "no gap and none twice");
    // Of another project nothing is to be learned.
    let theirs = format!("/api/results/{}", told["id"].as_str().expect("an id"));
    sidecar.get(&theirs, &bank).await.is(200);
    sidecar.get(&theirs, &shop).await.refused(404, "STR_006");
    sidecar.get("/api/results?project=bank", &shop).await.refused(404, "STR_006");
    for query in ["?limit=0", "?limit=1001", "?since=now", "?status=ok", "?what=1", "?issue=%ff"] {
        sidecar.get(&format!("/api/results{query}"), &shop).await.refused(400, "REQ_001");
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_in_a_result_is_masked_before_it_is_stored_anywhere() {
    let sidecar = Sidecar::start().await;
    let secrets = sidecar.dir.path().join(".cuelight/secrets");
    fs::create_dir_all(&secrets).expect("made");
    fs::write(secrets.join("BANK"), "correct horse battery").expect("written");
    fs::write(secrets.join("PIN"), "918273645").expect("written");
    for name in ["BANK", "PIN"] {
        fs::set_permissions(secrets.join(name), fs::Permissions::from_mode(0o600)).expect("set");
    }
    let token = sidecar.agent("shop");
    let result = json!({"status": "success", "log": "used correct horse battery here", "deep": [{"x": "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5"}], "pin": 918_273_645, "n": {"a correct horse battery": 1}});
    let told = sidecar.post("/api/results", &token, handed("shop", "S-1", result)).await.is(201);
    let read =
        sidecar.get(&format!("/api/results/{}", told["id"].as_str().expect("an id")), &token).await.is(200);
    assert_eq!(
        (&read["result"]["log"], &read["result"]["deep"][0]["x"]),
        (&json!("used *** here"), &json!("***"))
    );
    assert_eq!((&read["result"]["pin"], &read["result"]["n"]), (&json!("***"), &json!({"a ***": 1})));
    let dir = sidecar.end().await;
    for name in ["cuelight.db", "library.db"] {
        let bytes = fs::read(dir.path().join(".cuelight").join(name)).expect("readable");
        for text in ["correct horse", "Y29ycmVjdCBob3Jz", "918273645"] {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text} in {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_of_results_is_made_anew_when_it_is_lost_or_spoiled() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    for number in 0..3 {
        sidecar
            .post("/api/results", &token, handed("shop", "S-1", json!({"status": "success", "n": number})))
            .await
            .is(201);
    }
    let first = sidecar.get("/api/results", &token).await.is(200);
    let mut dir = sidecar.end().await;
    let list = dir.path().join(".cuelight/library.db");
    assert_eq!(fs::metadata(&list).expect("there").permissions().mode() & 0o777, 0o600);
    for spoiled in [None, Some("no database".to_owned()), Some("x".repeat(10_000))] {
        for suffix in ["", "-wal", "-shm"] {
            drop(fs::remove_file(dir.path().join(format!(".cuelight/library.db{suffix}"))));
        }
        if let Some(text) = spoiled {
            fs::write(&list, text).expect("written");
        }
        let sidecar = Sidecar::open(dir, open(), true).await;
        assert_eq!(sidecar.get("/api/results", &token).await.is(200), first);
        dir = sidecar.end().await;
    }
    // A list of another log says nothing here.
    let other = Sidecar::start().await;
    let theirs = other.agent("shop");
    for _ in 0..9 {
        other.post("/api/results", &theirs, handed("shop", "X-1", json!({"status": "failed"}))).await.is(201);
    }
    other.get("/api/results", &theirs).await.is(200);
    let other = other.end().await;
    fs::copy(other.path().join(".cuelight/library.db"), &list).expect("copied");
    let sidecar = Sidecar::open(dir, open(), true).await;
    assert_eq!(sidecar.get("/api/results", &token).await.is(200), first);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_ended_is_found_no_more() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    let told = sidecar
        .post("/api/results", &token, handed("shop", "S-1", json!({"status": "success"})))
        .await
        .is(201);
    let id = told["id"].as_str().expect("an id").to_owned();
    // Thirty days, when nothing is said.
    let query = LibraryQuery { id: Some(id.clone()), limit: 1, ..LibraryQuery::default() };
    let Page::Events { events, .. } = sidecar.engine().desk().read(Want::Library(Box::new(query))).await
    else {
        panic!("events");
    };
    let Fact::Library(LibraryEvent::HandedIn { until, .. }) = &events[0].1.fact else {
        panic!("{:?}", events[0]);
    };
    assert_eq!(until.since(events[0].1.at), Span::seconds(30 * 24 * 3600));
    let board = sidecar.engine().desk().boards().borrow().board.clone();
    assert!(board.at < later(60));
    let desk = sidecar.engine().desk();
    let of = |seconds: u64| {
        let result = AgentResult {
            id: format!("res-{seconds}"),
            issue: "S-1".to_owned(),
            agent: "reviewer-1".to_owned(),
            agent_type: "qa".to_owned(),
            status: ResultStatus::Success,
            said_at: None,
            body: Some(json!({"status": "success"})),
            blob: None,
            digest: Digest::default(),
            bytes: 0,
            named_by_engine: false,
            trace: None,
        };
        Command::HandIn { result: Box::new(result), kept_for: Some(Span(seconds)), by: desk.actor().clone() }
    };
    for seconds in [0, 3_600_000] {
        let id = RequestId(format!("x-{seconds}"));
        let asked = Request { id, command: of(seconds) };
        let reply = desk.submit(asked).await;
        assert!(matches!(reply, Reply::Recorded(_)), "{reply:?}");
    }
    sidecar.get(&format!("/api/results/{id}"), &token).await.is(200);
    sidecar.get("/api/results/res-3600000", &token).await.is(200);
    sidecar.get("/api/results/res-0", &token).await.refused(404, "STR_006");
    sidecar.end().await;
}

#[test]
fn what_the_settings_say_of_results_holds_at_the_door() {
    let place = Place::new();
    fs::create_dir_all(place.file(".cuelight")).expect("made");
    let next = "next-agents = {architect = [\"qa\", \"security\"]}\n";
    place.write(".cuelight/config.toml", &format!("project = \"shop\"\nresults-kept = \"1s\"\n{next}"));
    let at = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let _engine = place.start(&["serve", "--listen", &at.to_string()]);
    until("it listens", || TcpStream::connect(at).is_ok());
    let token = place.cue(&["token", "--agent", "a", "--type", "architect"]).ok().out;
    let place = place.with("JWT_TOKEN", token.trim()).with("SIDECAR_URL", &format!("http://{at}"));
    let hands = |result: Value| {
        let body = json!({"agent_id": "a", "agent_type": "architect", "issue_id": "S-1", "project_id": "shop",
            "result": result});
        place.cue(&["api", "POST", "/api/results", "--data", &body.to_string()]).ok().json()
    };
    let told = hands(json!({"status": "success"}));
    assert_eq!(told["next_agents"], json!(["qa", "security"]));
    // Whom the result names comes first, and nobody comes twice.
    let named = json!([{"agent_type": "security", "priority": "high"}, "docs"]);
    let more = hands(json!({"status": "success", "next_agents": named}));
    assert_eq!(more["next_agents"], json!([{"agent_type": "security", "priority": "high"}, "docs", "qa"]));
    let path = format!("/api/results/{}", told["id"].as_str().expect("an id"));
    until("it is found no more", || {
        let said = place.cue(&["api", &path]);
        assert!(said.code == 0 || said.err.contains("(HTTP 404)"), "{said:?}");
        said.code == 1
    });
}
