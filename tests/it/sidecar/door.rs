//! The door: who is let in, what is too much, and what every answer carries.

use super::{MOST, Sidecar, fits, later, rate, said};
use crate::program::{Place, until};
use cuelight_base::Value;
use cuelight_gateway::{Claims, Permission, Rates, openapi};
use serde_json::json;
use std::collections::BTreeMap;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_learns_how_it_is_without_a_token_and_no_names() {
    let sidecar = Sidecar::start().await;
    let health = sidecar.send("GET", "/health", None, None, &[]).await.is(200);
    assert_eq!((&health["status"], &health["service"]), (&json!("healthy"), &json!("orchestration-sidecar")));
    assert_eq!(health["checks"], json!({"store": "ok", "tokens": "ok"}));
    assert_eq!(sidecar.send("GET", "/health/ready", None, None, &[]).await.is(200)["status"], "ready");
    sidecar.post("/api/gates", &sidecar.agent("shop"), super::question("secret plans")).await.is(201);
    let status = sidecar.send("GET", "/status", None, None, &[]).await.is(200);
    assert_eq!(status["storage"]["open_gates"], 1);
    let metrics = sidecar.send("GET", "/metrics", None, None, &[]).await;
    assert!(metrics.field("content-type").starts_with("text/plain"), "{metrics:?}");
    for part in [
        "# TYPE cuelight_gates_open gauge\ncuelight_gates_open 1\n",
        "path=\"/api/gates\",status=\"201\"} 1\n",
    ] {
        assert!(metrics.text.contains(part), "{part} in {}", metrics.text);
    }
    for text in [&status.to_string(), &metrics.text] {
        assert!(!text.contains("secret plans") && !text.contains("reviewer-1"), "{text}");
    }
    // Every line is a comment or a name with a whole or decimal number.
    for line in metrics.text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a value");
        assert!(name.starts_with("cuelight_") && value.parse::<f64>().is_ok(), "{line}");
    }
    sidecar.end().await;
    let sidecar = Sidecar::open(TempDir::new().expect("a directory"), Rates::default(), false).await;
    sidecar.send("GET", "/status", None, None, &[]).await.refused(401, "AUTH_001");
    let blind = sidecar.sign(&sidecar.claims("a", "shop", &[Permission::ReadGates]));
    sidecar.get("/metrics", &blind).await.refused(403, "AUTH_003");
    let watcher = sidecar.sign(&sidecar.claims("a", "shop", &[Permission::ViewMetrics]));
    sidecar.get("/status", &watcher).await.is(200);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_shows_no_good_token_learns_nothing() {
    let sidecar = Sidecar::start().await;
    let told = sidecar.send("GET", "/api/gates", None, None, &[]).await;
    assert_eq!(told.field("www-authenticate"), "Bearer");
    told.refused(401, "AUTH_001");
    let good = sidecar.agent("shop");
    sidecar.get("/api/gates", &good).await.is(200);
    sidecar.get("/api/gates", &format!("{good}x")).await.refused(401, "AUTH_001");
    let iat = later(0).0 / 1000 - 700;
    let old = Claims { iat, exp: iat + 600, ..sidecar.claims("a", "shop", &[Permission::ReadGates]) };
    sidecar.get("/api/gates", &sidecar.sign(&old)).await.refused(401, "AUTH_002");
    sidecar
        .get("/api/gates", &sidecar.sign(&sidecar.claims("a", "shop", &[])))
        .await
        .refused(403, "AUTH_003");
    // The word before the token in whatever case, once, and nowhere else.
    let own = |value: &str| [("Authorization", value.to_owned())];
    for (value, status) in
        [(format!("bearer {good}"), 200), (format!("Basic {good}"), 401), (good.clone(), 401)]
    {
        let fields = own(&value);
        let fields = [(fields[0].0, fields[0].1.as_str())];
        assert_eq!(sidecar.send("GET", "/api/gates", None, None, &fields).await.status, status, "{value}");
    }
    let twice = format!("Bearer {good}");
    sidecar
        .send("GET", "/api/gates", Some(&good), None, &[("Authorization", &twice)])
        .await
        .refused(401, "AUTH_001");
    sidecar.send("GET", &format!("/api/gates?token={good}"), None, None, &[]).await.refused(401, "AUTH_001");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_browser_is_refused_wherever_it_says_it_is() {
    let sidecar = Sidecar::start().await;
    let port = sidecar.at.port();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        ("LOCALHOST".to_owned(), 200),
        ("evil.example".to_owned(), 403),
        (format!("localhost.evil.example:{port}"), 403),
        ("127.0.0.1.evil.example".to_owned(), 403),
        (format!("10.0.0.7:{port}"), 403),
        (String::new(), 403),
    ] {
        let asked = format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(sidecar.raw(asked.as_bytes()).await.status, status, "{host}");
    }
    for origin in ["http://evil.example", "http://127.0.0.1", "null"] {
        let told = sidecar.send("GET", "/health", None, None, &[("Origin", origin)]).await;
        assert_eq!(told.field("access-control-allow-origin"), "");
        told.refused(403, "AUTH_004");
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_wrongly_is_told_with_its_place() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    for (body, path) in [
        (json!({}), ""),
        (json!({"title": 7}), "title"),
        (json!({"title": ""}), "title"),
        (json!({"title": "a".repeat(501)}), "title"),
        (json!({"title": "a", "colour": "red"}), ""),
        (json!({"title": "a", "risk": "huge"}), "risk"),
        (json!({"title": "a", "evidence": [{"name": "a", "text": 7}]}), "evidence[0].text"),
        (json!({"title": "a", "require": [{"group": "sre", "count": -1}]}), "require[0].count"),
        (json!([]), ""),
        (json!(null), ""),
    ] {
        let told = sidecar.post("/api/gates", &token, body.clone()).await.refused(400, "REQ_001");
        assert_eq!(told["details"][0]["path"], path, "{body}: {told}");
    }
    let own = |kind: &str, body: &[u8]| {
        let head = format!(
            "POST /api/gates HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{kind}Content-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    let json_kind = "Content-Type: application/json\r\n";
    sidecar.raw(&own(json_kind, b"{")).await.refused(400, "REQ_001");
    sidecar.raw(&own(json_kind, b"{\"title\": \"\xff\"}")).await.refused(400, "REQ_001");
    sidecar.raw(&own(json_kind, "[".repeat(40_000).as_bytes())).await.refused(400, "REQ_001");
    sidecar.raw(&own(json_kind, b"")).await.refused(400, "REQ_001");
    sidecar.raw(&own("", b"{\"title\": \"a\"}")).await.refused(415, "REQ_004");
    sidecar.raw(&own("Content-Type: text/plain\r\n", b"{\"title\": \"a\"}")).await.refused(415, "REQ_004");
    let packed = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    sidecar.raw(&own(packed, b"\x1f\x8b")).await.refused(415, "REQ_004");
    let large = format!("{{\"title\": \"{}\"}}", "a".repeat(1024 * 1024));
    sidecar.raw(&own(json_kind, large.as_bytes())).await.refused(413, "REQ_006");
    // Small as text, and large in memory: it is refused before it is read; commas and brackets in texts are none.
    let zeros = |count: usize| format!("{{\"title\": [{}0]}}", "0,".repeat(count));
    sidecar.raw(&own(json_kind, zeros(60_000).as_bytes())).await.refused(413, "REQ_006");
    sidecar.raw(&own(json_kind, zeros(40_000).as_bytes())).await.refused(400, "REQ_001");
    let text = format!("{{\"title\": \"a\", \"note\": \"{}\"}}", "\\\",[{".repeat(60_000));
    sidecar.raw(&own(json_kind, text.as_bytes())).await.refused(400, "REQ_001");
    let long = format!("/api/gates?state={}", "a".repeat(9000));
    sidecar.get(&long, &token).await.refused(414, "REQ_003");
    assert_eq!(sidecar.get(&format!("/{}", "a".repeat(20_000)), &token).await.status, 431);
    // A field, and fields, of more than 16 KiB, and more of them than 64.
    let fields = |count: usize, bytes: usize| {
        let all: String = (0..count).map(|n| format!("X-{n}: {}\r\n", "a".repeat(bytes))).collect();
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{all}\r\n")
    };
    for (count, bytes, status) in
        [(1, 15_000, 200), (1, 17_000, 431), (20, 900, 431), (60, 10, 200), (70, 10, 431)]
    {
        assert_eq!(sidecar.raw(fields(count, bytes).as_bytes()).await.status, status, "{count} of {bytes}");
    }
    for path in [
        "/api/gates?stat=open",
        "/api/gates?state=open&state=open",
        "/api/gates?state=ajar",
        "/api/gates?state=%ff",
    ] {
        sidecar.get(path, &token).await.refused(400, "REQ_001");
    }
    for path in [
        "/api/gates/../../etc/passwd",
        "/api/gates/%2e%2e%2fx",
        "/api/gates/g-1%00",
        "/api/gates/g-99999999999",
    ] {
        assert_eq!(sidecar.get(path, &token).await.status, 404, "{path}");
    }
    sidecar.get("/nowhere", &token).await.refused(404, "REQ_008");
    let told = sidecar.send("DELETE", "/api/gates", Some(&token), None, &[]).await;
    assert!(told.field("allow").contains("POST"), "{told:?}");
    told.refused(405, "REQ_008");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_keeps_the_name_it_was_given_and_gets_one_when_it_has_none() {
    let sidecar = Sidecar::start().await;
    let told = sidecar.send("GET", "/health", None, None, &[("X-Request-Id", "ci-42")]).await;
    assert_eq!(told.field("x-request-id"), "ci-42");
    for bad in ["a b", "<script>", &"a".repeat(200)] {
        let told = sidecar.send("GET", "/nowhere", None, None, &[("X-Request-Id", bad)]).await;
        assert_ne!(told.field("x-request-id"), bad);
        assert_eq!(told.json()["request_id"], told.field("x-request-id"));
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_agent_of_a_project_has_a_bucket_of_its_own() {
    let said = BTreeMap::from([("qa".to_owned(), rate(2, 3)), ("architect".to_owned(), None)]);
    let sidecar = Sidecar::with_rates(Rates { said }).await;
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    for left in [2, 1, 0] {
        let told = sidecar.get("/api/gates", &shop).await;
        assert_eq!(
            (told.field("x-ratelimit-limit"), told.field("x-ratelimit-remaining")),
            ("2", left.to_string().as_str())
        );
        told.is(200);
    }
    let told = sidecar.get("/api/gates", &shop).await;
    let seconds: u64 = told.field("retry-after").parse().expect("seconds");
    assert!((1..=30).contains(&seconds) && told.field("x-ratelimit-remaining") == "0", "{told:?}");
    assert_eq!(told.refused(429, "RATE_001")["retry_after_seconds"], seconds);
    sidecar.get("/api/gates", &bank).await.is(200);
    let other = Claims {
        agent_type: Some("coding".to_owned()),
        ..sidecar.claims("c", "shop", &[Permission::ReadGates])
    };
    assert_eq!(sidecar.get("/api/gates", &sidecar.sign(&other)).await.field("x-ratelimit-limit"), "60");
    let free = Claims { agent_type: Some("architect".to_owned()), ..other };
    assert_eq!(sidecar.get("/api/gates", &sidecar.sign(&free)).await.field("x-ratelimit-limit"), "");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_uses_up_the_requests_of_another_person() {
    let said = BTreeMap::from([("person".to_owned(), rate(1, 1))]);
    let sidecar = Sidecar::with_rates(Rates { said }).await;
    let (bob, ann) =
        (sidecar.person("bob", 2, "bob@example.org"), sidecar.person("ann", 1, "ann@example.org"));
    let called_person = Claims {
        agent_type: Some("person".to_owned()),
        ..sidecar.claims("bob", "shop", &[Permission::ReadGates])
    };
    sidecar.get("/api/gates", &sidecar.sign(&called_person)).await.is(200);
    sidecar.get("/api/gates", &bob).await.is(200);
    let told = sidecar.get("/api/gates", &bob).await.refused(429, "RATE_001");
    assert!(
        told["message"].as_str().expect("text").contains("bob in this project asked too often"),
        "{told}"
    );
    sidecar.get("/api/gates", &ann).await.is(200);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_said_of_rates_each_type_has_its_own() {
    let sidecar = Sidecar::with_rates(Rates::default()).await;
    let token = |kind: Option<&str>| {
        let of = Claims {
            agent_type: kind.map(str::to_owned),
            ..sidecar.claims("a", "shop", &[Permission::ReadGates])
        };
        sidecar.sign(&of)
    };
    for (kind, limit, burst) in [
        ("documentation", "30", 5),
        ("support", "30", 5),
        ("coding", "60", 10),
        ("qa", "60", 10),
        ("security", "60", 10),
        ("somebody", "60", 10),
    ] {
        let token = token(Some(kind));
        let told = sidecar.get("/api/gates", &token).await;
        let said = (told.field("x-ratelimit-limit"), told.field("x-ratelimit-remaining"));
        assert_eq!(said, (limit, (burst - 1).to_string().as_str()), "{kind}");
        // When it is full again, in seconds since 1970.
        let reset: i64 = told.field("x-ratelimit-reset").parse().expect("seconds");
        assert!((0..=20).contains(&(reset - later(0).0 / 1000)), "{kind}: {told:?}");
        // What comes back meanwhile is little.
        let mut let_in = 1;
        let refused = loop {
            let told = sidecar.get("/api/gates", &token).await;
            if told.status != 200 {
                break told;
            }
            let_in += 1;
        };
        refused.refused(429, "RATE_001");
        assert!((burst..burst + 5).contains(&let_in), "{kind}: {let_in}");
    }
    let architect = token(Some("architect"));
    for _ in 0..30 {
        let told = sidecar.get("/api/gates", &architect).await;
        assert_eq!((told.status, told.field("x-ratelimit-limit")), (200, ""));
    }
    let bob = sidecar.person("bob", 2, "bob@example.org");
    assert_eq!(sidecar.get("/api/gates", &bob).await.field("x-ratelimit-limit"), "60", "a person");
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_without_a_token_is_held_up_before_anything_of_it_is_read() {
    let sidecar = Sidecar::start().await;
    // All on one line, so that hardly a second has time to pass.
    let begun = later(0);
    let mut line = TcpStream::connect(sidecar.at).await.expect("it listens");
    let one = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    line.write_all(format!("{}{last}", one.repeat(3000)).as_bytes()).await.expect("sent");
    let mut heard = Vec::new();
    timeout(MOST, line.read_to_end(&mut heard)).await.expect("in time").expect("an answer");
    let heard = String::from_utf8_lossy(&heard);
    let statuses: Vec<&str> = heard.split("HTTP/1.1 ").skip(1).map(|part| &part[..3]).collect();
    let let_in = statuses.iter().take_while(|status| **status == "200").count();
    // A hundred at once, and a hundred in each second that it took.
    let most = 101 + usize::try_from(later(0).since(begun).0 / 10).expect("short");
    assert!((100..=most).contains(&let_in) && statuses.contains(&"429"), "{let_in} of {}", statuses.len());
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_renewed_and_the_old_one_opens_nothing_any_more() {
    let sidecar = Sidecar::start().await;
    let iat = later(0).0 / 1000 - 500;
    let old = Claims { iat, exp: iat + 600, ..sidecar.claims("a", "shop", &[Permission::ReadGates]) };
    let token = sidecar.sign(&old);
    sidecar.get("/api/gates", &token).await.is(200);
    let told = sidecar.send("POST", "/api/token/refresh", Some(&token), None, &[]).await.is(200);
    let new = told["token"].as_str().expect("a token");
    sidecar.get("/api/gates", new).await.is(200);
    sidecar.get("/api/gates", &token).await.refused(401, "AUTH_001");
    sidecar.send("POST", "/api/token/refresh", Some(new), None, &[]).await.refused(409, "AUTH_006");
    // Also for the next engine.
    let dir = sidecar.end().await;
    let sidecar = Sidecar::open(dir, Rates::default(), true).await;
    sidecar.get("/api/gates", &token).await.refused(401, "AUTH_001");
    sidecar.end().await;
}

/// A program that says a key relies on being known by it: one that is none is told, in whatever form it was meant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_counts_in_quotes_as_well_and_one_that_is_none_is_told() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    let asks = |key: &'static str, more: &[(&'static str, &'static str)]| {
        let fields = [&[("Idempotency-Key", key)][..], more].concat();
        let (sidecar, token) = (&sidecar, &token);
        async move { sidecar.send("POST", "/api/gates", Some(token), Some(super::question("Go?")), &fields).await }
    };
    let first = asks("8e03978e-40d5-43dd-bc93-6894a57f9324", &[]).await.is(201);
    let again = asks("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", &[]).await.is(201);
    assert_eq!((&first["id"], &again["id"]), (&json!("g-1"), &json!("g-1")));
    let long: &'static str = "a".repeat(129).leak();
    for wrong in ["deploy 7", "", "\"\"", "\"open", "a/b", "-a", "{8e03978e}", long] {
        let told = asks(wrong, &[]).await.refused(400, "REQ_001");
        assert_eq!(told["details"][0]["path"], "Idempotency-Key", "{wrong}: {told}");
    }
    asks("one", &[("Idempotency-Key", "two")]).await.refused(400, "REQ_001");
    let said = sidecar.get("/api/gates", &token).await.is(200);
    assert_eq!(said["gates"].as_array().map(Vec::len), Some(1), "{said}");
    // Events read it themselves.
    let says = |key: &'static str| {
        let (sidecar, token, body) = (&sidecar, &token, json!({"data": 1}));
        async move {
            sidecar.send("POST", "/api/events/a", Some(token), Some(body), &[("Idempotency-Key", key)]).await
        }
    };
    assert_eq!(says("\"k\"").await.is(202)["event_id"], says("k").await.is(202)["event_id"]);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_keys_of_tokens_cannot_be_read_that_is_told_and_nobody_is_let_in() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    sidecar.get("/api/gates", &token).await.is(200);
    let keys = sidecar.dir.path().join(".cuelight/keys/tokens.json");
    let before = std::fs::read(&keys).expect("keys");
    std::fs::write(&keys, "no keys").expect("written");
    sidecar.get("/api/gates", &token).await.refused(503, "AUTH_005");
    let health = sidecar.send("GET", "/health", None, None, &[]).await.is(200);
    assert!(
        health["checks"]["tokens"].as_str().is_some_and(|token| token.starts_with("could not ")),
        "{health}"
    );
    std::fs::write(&keys, before).expect("written");
    sidecar.get("/api/gates", &token).await.is(200);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_answered_has_the_shape_that_the_document_says() {
    let sidecar = Sidecar::start().await;
    let told = sidecar.send("GET", "/openapi.json", None, None, &[]).await.is(200);
    assert_eq!(told, openapi());
    let (token, gates) = (sidecar.agent("shop"), "/api/gates");
    let (says, hears) = ("/api/events/{event_type}", "/api/events/wait/{event_type}");
    let gate = sidecar.post(gates, &token, super::question("Go?")).await.is(201);
    std::fs::write(sidecar.dir.path().join("a.yaml"), "name: a\nsteps: [{id: x, run: echo x}]\n")
        .expect("a file");
    let run = sidecar.post("/api/runs", &token, json!({"workflow": "a.yaml"})).await.is(201);
    for (path, method, status, body) in [
        ("/health", "get", "200", sidecar.send("GET", "/health", None, None, &[]).await.json()),
        ("/status", "get", "200", sidecar.send("GET", "/status", None, None, &[]).await.json()),
        (gates, "post", "201", gate.clone()),
        (gates, "get", "200", sidecar.get(gates, &token).await.json()),
        ("/api/gates/{id}", "get", "200", sidecar.get("/api/gates/g-1", &token).await.json()),
        ("/api/gates/{id}", "get", "404", sidecar.get("/api/gates/g-9", &token).await.json()),
        ("/api/runs", "post", "201", run),
        ("/api/runs", "get", "200", sidecar.get("/api/runs", &token).await.json()),
        ("/api/runs/{id}", "get", "200", sidecar.get("/api/runs/r-1", &token).await.json()),
        (gates, "get", "401", sidecar.get(gates, "x").await.json()),
        (says, "post", "202", sidecar.post("/api/events/a", &token, json!({"data": 1})).await.json()),
        (
            says,
            "post",
            "400",
            sidecar.post("/api/events/a", &token, json!({"data": 1, "topic": "a b"})).await.json(),
        ),
        (hears, "get", "200", sidecar.get("/api/events/wait/a?timeout=0", &token).await.json()),
        (hears, "get", "404", sidecar.get("/api/events/wait/a?timeout=0&since=x", &token).await.json()),
    ] {
        fits(&told, (path, method, status), &body);
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_on_the_line_ends_the_line_and_nothing_else() {
    let sidecar = Sidecar::start().await;
    for bytes in
        [&b"\xff\xfe\x00\x01\r\n\r\n"[..], b"GET /health HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n", b"G", b""]
    {
        let mut line = TcpStream::connect(sidecar.at).await.expect("it listens");
        drop(line.write_all(bytes).await);
        drop(line.shutdown().await);
        let mut heard = Vec::new();
        drop(timeout(MOST, line.read_to_end(&mut heard)).await.expect("in time"));
        let status = said(&String::from_utf8_lossy(&heard)).status;
        assert!(status == 0 || status == 400, "{status} for {bytes:?}");
    }
    // Two lengths, two hosts: nobody has to guess which is meant.
    let two =
        "POST /api/gates HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}";
    assert_eq!(sidecar.raw(two.as_bytes()).await.status, 400);
    let hosts = "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(sidecar.raw(hosts.as_bytes()).await.status, 403);
    let health: Value = sidecar.send("GET", "/health", None, None, &[]).await.is(200);
    assert_eq!(health["status"], "healthy");
    sidecar.end().await;
}

/// The commands of the page, as a reader would type them.
#[test]
fn what_the_page_shows_can_be_typed() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sidecar.md")).expect("the page");
    let shown = page.split("```sh\n").nth(1).and_then(|part| part.split("```").next()).expect("an example");
    if std::process::Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: could not find curl; install it (apt-get install curl)");
        return;
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port");
    let place = Place::new();
    let _engine = place.start(&["serve", "--listen", &free.to_string()]);
    until("it listens", || std::net::TcpStream::connect(free).is_ok());
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_cuelight"))
        .parent()
        .expect("a directory")
        .display()
        .to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
    let typed = shown.replace("127.0.0.1:3001", &free.to_string());
    let told = std::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", &typed])
        .env("PATH", path)
        .env("HOME", place.path())
        .current_dir(place.path())
        .output()
        .expect("bash");
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{out}\n{err}");
    for part in [
        "\"status\":\"healthy\"",
        "\"prompt\":\"Deploy web:7?\"",
        "\"state\":\"open\"",
        "event: gate.voted",
        "event: run_finished",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
    let other = place.cue(&["serve", "--listen", "0.0.0.0:0"]);
    assert!(other.code == 2 && other.err.contains("--insecure"), "{other:?}");
    let taken = place.cue(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(taken.code != 0 && taken.err.contains("could not"), "{taken:?}");
}
