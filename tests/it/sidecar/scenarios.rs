//! The scenarios that the API is made for, as agents go through them from beginning to end, and what comes from whoever means no good.
//! The finer rules of each stand in the files that carry its name; `docs/promises.md` says which scenario is held by which test.

use super::{
    Sidecar,
    events::{Line, ids},
};
use cuelight_base::Value;
use cuelight_gateway::{Claims, Permission};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

/// The token of an agent of this name.
fn named(sidecar: &Sidecar, name: &str, kind: &str, project: &str) -> String {
    let all: Vec<_> =
        Permission::ALL.iter().copied().filter(|permission| *permission != Permission::DecideGates).collect();
    sidecar.sign(&Claims { agent_type: Some(kind.to_owned()), ..sidecar.claims(name, project, &all) })
}

fn handed(agent: &str, kind: &str, project: &str, issue: &str, summary: &str) -> Value {
    json!({"agent_id": agent, "agent_type": kind, "issue_id": issue, "project_id": project,
        "result": {"status": "success", "summary": summary}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_agent_hands_in_the_next_one_hears_of_it_and_is_told_what_it_was() {
    let sidecar = Sidecar::start().await;
    fs::write(sidecar.dir.path().join("cart.rs"), "fn total() -> u32 { 0 }\n").expect("a file");
    let coder = named(&sidecar, "coder-1", "coding", "shop");
    let tester = named(&sidecar, "tester-1", "qa", "shop");
    let before = sidecar.get("/api/context/SHOP-7-cart/coding", &coder).await.is(200);
    assert_eq!(before["context"]["previous_agent_outputs"], json!([]));
    let waits = sidecar.get("/api/events/wait/agent_completed?filter=issue_id:SHOP-7-cart", &tester);
    let does = async {
        sidecar
            .post("/api/results", &coder, handed("coder-1", "coding", "shop", "OTHER-1", "no"))
            .await
            .is(201);
        sidecar
            .post("/api/results", &coder, handed("coder-1", "coding", "shop", "SHOP-7-cart", "sums in cents"))
            .await
            .is(201)
    };
    let (heard, told) = tokio::join!(waits, does);
    let heard = heard.is(200);
    assert_eq!(ids(&heard), [told["event_id"].as_str().expect("an id")]);
    let result = &heard["events"][0]["data"]["result_id"];
    assert_eq!(*result, told["id"]);
    let path = format!("/api/results/{}", result.as_str().expect("an id"));
    assert_eq!(sidecar.get(&path, &tester).await.is(200)["result"]["summary"], "sums in cents");
    let next = sidecar.get("/api/context/SHOP-7-cart/qa", &tester).await.is(200);
    let known = &next["context"]["previous_agent_outputs"];
    assert_eq!((&known[0]["agent"], &known[0]["decision"]), (&json!("coder-1"), &json!("sums in cents")));
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_argue_in_rounds_and_each_argument_keeps_to_its_own() {
    const ROUNDS: usize = 3;
    let sidecar = Sidecar::start().await;
    let architect = named(&sidecar, "architect-1", "architect", "shop");
    let critics = ["qa-1", "sec-1"].map(|name| (name, named(&sidecar, name, "qa", "shop")));
    for argument in ["rfc-1", "rfc-2"] {
        for round in 0..ROUNDS {
            let proposal = json!({"type": "debate-proposal", "correlation_id": argument, "id": format!("{argument}-p{round}"),
                "data": {"round": round, "evidence": 0.5, "confidence": 0.8}});
            sidecar.post("/api/events/design", &architect, proposal).await.is(202);
            for (name, token) in &critics {
                // Each goes on after what it heard last.
                let since =
                    if round == 0 { String::new() } else { format!("&since={argument}-p{}", round - 1) };
                let path = format!(
                    "/api/events/wait/design?filter=type:debate-proposal,correlation_id:{argument}{since}"
                );
                let heard = sidecar.get(&path, token).await.is(200);
                assert_eq!(ids(&heard), [format!("{argument}-p{round}")], "{name}");
                assert!(heard["events"][0]["score"].is_string(), "{heard}");
                let critique = json!({"type": "debate-critique", "correlation_id": argument,
                    "id": format!("{argument}-c{round}-{name}"), "data": {"round": round}});
                sidecar.post("/api/events/design", token, critique).await.is(202);
            }
            let path = format!(
                "/api/events/wait/design?filter=type:debate-critique,correlation_id:{argument},round:{round}"
            );
            let heard = sidecar.get(&path, &architect).await.is(200);
            assert_eq!(
                ids(&heard),
                critics.each_ref().map(|(name, _)| format!("{argument}-c{round}-{name}"))
            );
        }
        let decision = json!({"type": "debate-decision", "correlation_id": argument, "data": {"ok": true}});
        sidecar.post("/api/events/design", &architect, decision).await.is(202);
    }
    for argument in ["rfc-1", "rfc-2"] {
        let path = format!("/api/events/wait/design?filter=correlation_id:{argument}");
        let all = sidecar.get(&path, &architect).await.is(200);
        let said: Vec<&str> = all["events"]
            .as_array()
            .expect("events")
            .iter()
            .filter_map(|event| event["type"].as_str())
            .collect();
        let round = ["debate-proposal", "debate-critique", "debate-critique"];
        assert_eq!(said, [round.repeat(ROUNDS), vec!["debate-decision"]].concat(), "{argument}");
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_one_project_another_one_learns_and_changes_nothing_at_any_door() {
    let sidecar = Sidecar::start().await;
    let (shop, bank) = (sidecar.agent("shop"), sidecar.agent("bank"));
    fs::write(
        sidecar.dir.path().join("w.yaml"),
        "name: marker-5e\nsteps: [{id: ok, gate: {prompt: 'marker-5e'}}]\n",
    )
    .expect("a file");
    sidecar.post("/api/gates", &shop, super::question("marker-5e")).await.is(201);
    let run = sidecar.post("/api/runs", &shop, json!({"workflow": "w.yaml"})).await.is(201);
    let run = run["id"].as_str().expect("a run").to_owned();
    let result = handed("reviewer-1", "qa", "shop", "SHOP-1", "marker-5e");
    let result = sidecar.post("/api/results", &shop, result).await.is(201);
    let result = result["id"].as_str().expect("an id").to_owned();
    sidecar.post("/api/events/said", &shop, json!({"id": "marker-5e", "data": "marker-5e"})).await.is(202);
    sidecar
        .post("/api/knowledge", &shop, json!({"text": "marker-5e is known", "type": "general"}))
        .await
        .is(201);
    let value = json!({"value": "marker-5e"});
    sidecar.send("PUT", "/api/state/global/k", Some(&shop), Some(value.clone()), &[]).await;
    let mine = sidecar.get("/api/state/global/k", &shop).await;
    assert!(mine.text.contains("marker-5e"), "{mine:?}");
    for (method, path) in [
        ("GET", "/api/gates/g-1".to_owned()),
        ("GET", format!("/api/runs/{run}")),
        ("GET", format!("/api/runs/{run}/events")),
        ("POST", format!("/api/runs/{run}/pause")),
        ("POST", format!("/api/runs/{run}/resume")),
        ("POST", format!("/api/runs/{run}/cancel")),
        ("GET", format!("/api/results/{result}")),
        ("GET", "/api/context/SHOP-1/qa".to_owned()),
        ("DELETE", "/api/cache/context/SHOP-1".to_owned()),
        ("GET", "/api/state/global/k".to_owned()),
        ("DELETE", "/api/state/global/k".to_owned()),
        ("GET", "/api/events/wait/said?timeout=0&since=marker-5e".to_owned()),
    ] {
        let body = (method == "POST").then(|| json!({}));
        let told = sidecar.send(method, &path, Some(&bank), body, &[]).await;
        assert_eq!(told.status, 404, "{method} {path}: {told:?}");
        assert!(path.contains("marker") || !told.text.contains("marker-5e"), "{path}: {told:?}");
    }
    for path in [
        "/api/gates",
        "/api/runs",
        "/api/results",
        "/api/results?project=shop",
        "/api/knowledge?q=marker-5e",
        "/api/knowledge?q=known&project=shop",
        "/api/events/wait/said?timeout=0",
    ] {
        let told = sidecar.get(path, &bank).await;
        assert!(
            [200, 404].contains(&told.status)
                && !told.text.contains("5e is")
                && !told.text.contains("SHOP-1"),
            "{path}: {told:?}"
        );
        assert!(!told.text.contains("marker-5e"), "{path}: {told:?}");
    }
    let foreign = handed("reviewer-1", "qa", "shop", "SHOP-1", "not mine");
    sidecar.post("/api/results", &bank, foreign).await.refused(404, "STR_006");
    // Nothing of it was touched, and a name that is used here is free there.
    assert_eq!(sidecar.get(&format!("/api/runs/{run}"), &shop).await.is(200)["state"], "running");
    sidecar
        .send("PUT", "/api/state/global/k", Some(&bank), Some(json!({"value": 1})), &[("If-None-Match", "*")])
        .await;
    assert_eq!(sidecar.get("/api/state/global/k", &shop).await.text, mine.text);
    sidecar.end().await;
}

/// Agents of the shop, and those of another project beside them.
const AGENTS: [(&str, usize); 2] = [("shop", 100), ("bank", 19)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_and_nineteen_agents_at_once_each_get_what_is_theirs_and_nothing_is_lost_or_mixed() {
    let sidecar = Sidecar::start().await;
    fs::write(sidecar.dir.path().join("cart.rs"), "fn total() -> u32 { 0 }\n").expect("a file");
    let all: Vec<(&str, String, String)> = AGENTS
        .iter()
        .flat_map(|(project, count)| (0..*count).map(move |n| (*project, format!("{project}-{n}"))))
        .map(|(project, name)| (project, named(&sidecar, &name, "qa", project), name))
        .collect();
    let rounds = all.iter().map(|(project, token, name)| {
        let sidecar = &sidecar;
        async move {
            let told = sidecar.get(&format!("/api/context/{name}/qa"), token).await;
            // The files that are here are the shop's.
            assert_eq!(told.status, if *project == "shop" { 200 } else { 404 }, "{told:?}");
            let result = handed(name, "qa", project, name, name);
            sidecar.post("/api/results", token, result).await.is(201);
            let done = json!({"id": format!("done-{name}"), "data": {"by": name}});
            sidecar.post("/api/events/done", token, done).await.is(202);
            let own = sidecar.get(&format!("/api/events/wait/done?filter=by:{name}"), token).await.is(200);
            assert_eq!(ids(&own), [format!("done-{name}")]);
        }
    });
    futures_util::future::join_all(rounds).await;
    for (project, count) in AGENTS {
        let wanted: BTreeSet<String> = (0..count).map(|n| format!("{project}-{n}")).collect();
        let token = sidecar.agent(project);
        let mut said = Vec::new();
        let mut since = String::new();
        while said.len() < count {
            let page = sidecar.get(&format!("/api/events/wait/done?timeout=0{since}"), &token).await.is(200);
            assert!(!ids(&page).is_empty(), "{} of {count} are there", said.len());
            said.extend(ids(&page).into_iter().map(|id| id.replace("done-", "")));
            since = format!("&since={}", page["next_cursor"].as_str().expect("a cursor"));
        }
        assert_eq!((said.len(), said.into_iter().collect::<BTreeSet<_>>()), (count, wanted.clone()));
        let mut found = Vec::new();
        let mut cursor = String::new();
        while found.len() < count {
            let page = sidecar.get(&format!("/api/results?limit=50{cursor}"), &token).await.is(200);
            let issues = page["results"].as_array().expect("results");
            found.extend(issues.iter().map(|issue| issue["issue_id"].as_str().expect("an issue").to_owned()));
            cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
        }
        assert_eq!((found.len(), found.into_iter().collect::<BTreeSet<_>>()), (count, wanted));
    }
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_follow_with_filters_of_their_own_and_each_hears_exactly_what_was_meant() {
    const PARTS: usize = 8;
    const EVENTS: usize = 96;
    let sidecar = Sidecar::start().await;
    let says = named(&sidecar, "says", "architect", "shop");
    let mut lines = Vec::new();
    for reader in 0..12 * PARTS {
        let token = named(&sidecar, &format!("r{}", reader / 10), "qa", "shop");
        let path = format!("/api/events/stream?topic=building&filter=part.at:{},level:high", reader % PARTS);
        lines.push((reader % PARTS, Line::open(&sidecar, &path, &token, None).await));
    }
    for (_, line) in &mut lines {
        line.until("200 OK").await;
    }
    let level = |n: usize| if (n / PARTS).is_multiple_of(3) { "low" } else { "high" };
    for n in 0..EVENTS {
        let topic = if n % 5 == 4 { "elsewhere" } else { "building" };
        let data = json!({"part": {"at": n % PARTS}, "level": level(n)});
        sidecar
            .post("/api/events/moved", &says, json!({"id": format!("e{n}"), "topic": topic, "data": data}))
            .await
            .is(202);
    }
    for part in 0..PARTS {
        let last = json!({"id": format!("last-{part}"), "topic": "building", "data": {"part": {"at": part}, "level": "high"}});
        let told = sidecar.post("/api/events/moved", &says, last).await.is(202);
        assert_eq!(told["subscriber_count"], 12, "those who want this part and no others");
    }
    for (part, line) in &mut lines {
        line.until(&format!("id: last-{part}\n")).await;
        let wanted = (0..EVENTS).filter(|n| n % PARTS == *part && n % 5 != 4 && level(*n) == "high");
        let wanted: Vec<String> = wanted.map(|n| format!("e{n}")).chain([format!("last-{part}")]).collect();
        assert_eq!(line.ids(), wanted);
    }
    drop(lines);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_however_many_want_to_hear_those_without_a_place_are_told_and_the_others_hear_all() {
    // At night 10,000.
    let many = std::env::var("CUELIGHT_SUBSCRIBERS").ok().and_then(|value| value.parse().ok()).unwrap_or(600);
    let sidecar = Sidecar::start().await;
    let says = named(&sidecar, "says", "architect", "shop");
    let (mut lines, mut refused) = (Vec::new(), 0);
    let mut token = String::new();
    for n in 0..many {
        if n % 90 == 0 {
            token = named(&sidecar, &format!("s{}", n / 90), "qa", "shop");
        }
        let mut line = Line::open(&sidecar, "/api/events/stream?topic=go", &token, None).await;
        line.until("\r\n\r\n").await;
        if line.text().starts_with("HTTP/1.1 200") {
            lines.push(line);
        } else {
            assert!(line.text().starts_with("HTTP/1.1 503"), "{}", line.text());
            refused += 1;
        }
    }
    assert_eq!((lines.len(), refused), (450, many - 450), "half of the places are one project's");
    for id in ["first", "last"] {
        let told = sidecar.post("/api/events/go", &says, json!({"id": id, "data": 1})).await.is(202);
        assert_eq!(told["subscriber_count"], 450);
    }
    for line in &mut lines {
        line.until("id: last\n").await;
        assert_eq!(line.ids(), ["first", "last"]);
    }
    assert_eq!(sidecar.send("GET", "/health", None, None, &[]).await.is(200)["status"], "healthy");
    println!("{many} wanted to hear: {} did, {refused} were told that there is no place", lines.len());
    drop(lines);
    sidecar.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_name_in_a_path_leads_elsewhere_and_no_byte_that_is_no_text_does_harm() {
    let sidecar = Sidecar::start().await;
    let token = sidecar.agent("shop");
    let long = "a".repeat(5000);
    for name in [
        "..",
        "%2e%2e",
        "..%2F..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "..%5C..%5Cetc",
        "%00",
        "a%00b",
        "%ff%fe",
        "%c0%ae%c0%ae%c0%af",
        "%0d%0aX-Evil:%20yes",
        "%E2%80%AE",
        "%25%32%65",
        "-rf",
        "%",
        "%zz",
        &long,
    ] {
        for (method, path) in [
            ("GET", format!("/api/gates/{name}")),
            ("GET", format!("/api/runs/{name}")),
            ("GET", format!("/api/runs/{name}/events")),
            ("POST", format!("/api/runs/{name}/cancel")),
            ("GET", format!("/api/results/{name}")),
            ("GET", format!("/api/state/{name}/k")),
            ("GET", format!("/api/state/global/{name}")),
            ("GET", format!("/api/context/{name}/qa")),
            ("GET", format!("/api/context/SHOP-1/{name}")),
            ("DELETE", format!("/api/cache/context/{name}")),
            ("GET", format!("/api/events/wait/a?timeout=0&since={name}")),
        ] {
            let body = (method == "POST").then(|| json!({}));
            let told = sidecar.send(method, &path, Some(&token), body, &[]).await;
            let is_told = (400..500).contains(&told.status) || path.contains("cache") && told.status == 200;
            assert!(is_told && told.field("x-evil").is_empty(), "{method} {path}: {told:?}");
            assert!(!told.text.contains("root:"), "{path}: {told:?}");
        }
        let told = sidecar.get(&format!("/api/events/wait/{name}?timeout=0"), &token).await;
        assert!(told.status < 500 && told.field("x-evil").is_empty(), "{name}: {told:?}");
    }
    let bytes = |line: &[u8], fields: &[u8]| {
        let last = b"\r\nHost: localhost\r\nConnection: close\r\n";
        [line, &last[..], fields, b"\r\n"].concat()
    };
    let own = format!("Authorization: Bearer {token}\r\n");
    let with = |field: &[u8]| [own.as_bytes(), field].concat();
    for (asked, status) in [
        (bytes(b"GET /api/gates/\xff HTTP/1.1", own.as_bytes()), 400),
        (bytes(b"GET /api/gates HTTP/1.1", b"Authorization: Bearer \xff\xfe\r\n"), 401),
        (bytes(b"GET /api/gates HTTP/1.1", &with(b"X-Request-Id: \xff\xfe\r\n")), 200),
        (bytes(b"POST /api/gates HTTP/1.1", &with(b"Content-Type: \xff\r\nContent-Length: 0\r\n")), 415),
        (bytes(b"GET /api/events/wait/a?timeout=0 HTTP/1.1", &with(b"Last-Event-ID: \xff\r\n")), 200),
    ] {
        let told = sidecar.raw(&asked).await;
        assert!(told.status == status || status == 400 && told.status == 404, "{status}: {told:?}");
    }
    sidecar.end().await;
}

/// Drips bytes until the other end closes the line or answers; gives what it said. Not for longer than ten seconds.
fn drip(at: SocketAddr, first: &str, drop_of: &[u8]) -> Option<String> {
    let mut line = TcpStream::connect(at).expect("it listens");
    line.set_read_timeout(Some(Duration::from_millis(20))).expect("set");
    line.write_all(first.as_bytes()).expect("sent");
    let mut heard = Vec::new();
    for _ in 0..500 {
        // What is closed already shows below.
        drop(line.write_all(drop_of));
        let mut bytes = [0; 4096];
        match line.read(&mut bytes) {
            Ok(0) => return Some(String::from_utf8_lossy(&heard).into_owned()),
            Ok(count) => heard.extend_from_slice(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return Some(String::from_utf8_lossy(&heard).into_owned()),
        }
    }
    None
}

#[test]
fn whoever_drips_a_request_or_says_nothing_is_let_go_when_the_time_is_up_that_the_settings_name() {
    use crate::program::{Place, until};
    let place = Place::new();
    fs::create_dir_all(place.file(".cuelight")).expect("made");
    place.write(".cuelight/config.toml", "request-timeout = \"0s\"\n");
    let said = place.cue(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(said.code != 0 && said.err.contains("request-timeout"), "{said:?}");
    place.write(".cuelight/config.toml", "request-timeout = \"300ms\"\n");
    let at = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let _engine = place.start(&["serve", "--listen", &at.to_string()]);
    until("it listens", || TcpStream::connect(at).is_ok());
    let token = place.cue(&["token", "--agent", "a", "--type", "architect"]).ok().out.trim().to_owned();
    let head = format!("POST /api/events/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n");
    assert_eq!(drip(at, "", b"").as_deref(), Some(""), "silence");
    assert_eq!(drip(at, "GET /health HTTP/1.1\r\nX-Long: ", b"a").as_deref(), Some(""), "a head");
    let kind = "Content-Type: application/json\r\n";
    let told = drip(at, &format!("{head}{kind}Content-Length: 5000\r\n\r\n"), b" ").expect("a body");
    assert!(told.starts_with("HTTP/1.1 408") && told.contains("REQ_005"), "{told}");
    let told = drip(at, &format!("{head}{kind}Transfer-Encoding: chunked\r\n\r\n"), b"1\r\n \r\n");
    assert!(told.expect("a body in pieces").starts_with("HTTP/1.1 408"));
    let before =
        drip(at, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", b"").expect("silence afterwards");
    assert!(before.starts_with("HTTP/1.1 200"), "{before}");
}

#[test]
fn as_many_wait_at_once_as_the_settings_say_for_events_at_gates_and_for_what_becomes_of_runs() {
    use crate::program::{Place, until};
    let place = Place::new();
    fs::create_dir_all(place.file(".cuelight")).expect("made");
    for wrong in
        ["most = 5", "waiting = 1000", "waiting-of-project = 901", "waiting-of-principal = 0", "many = 1"]
    {
        place.write(".cuelight/config.toml", &format!("[connections]\n{wrong}\n"));
        let said = place.cue(&["serve", "--listen", "127.0.0.1:0"]);
        assert!(said.code != 0 && said.err.contains("config.toml"), "{wrong}: {said:?}");
    }
    place.write(
        ".cuelight/config.toml",
        "[connections]\nmost = 20\nwaiting-of-project = 4\nwaiting-of-principal = 3\n",
    );
    place.write("ask.yaml", "name: ask\nsteps: [{id: a, gate: {prompt: go}}]\n");
    let at = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let _engine = place.start(&["serve", "--listen", &at.to_string()]);
    until("it listens", || TcpStream::connect(at).is_ok());
    let _asks = place.start(&["run", "ask.yaml", "--headless"]);
    until("it asks", || place.gates().len() == 1);
    let token =
        |name: &str| place.cue(&["token", "--agent", name, "--type", "architect"]).ok().out.trim().to_owned();
    let ask = |path: &str, token: &str| {
        let mut line = TcpStream::connect(at).expect("it listens");
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
        line.write_all(head.as_bytes()).expect("sent");
        line
    };
    let status = |line: &mut TcpStream| {
        let mut bytes = [0; 4096];
        line.set_read_timeout(Some(Duration::from_mins(1))).expect("set");
        let count = line.read(&mut bytes).expect("an answer");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    };
    let (ann, bob) = (token("ann"), token("bob"));
    let mut streams: Vec<TcpStream> =
        ["/api/events/stream", "/api/runs/r-1/events"].iter().map(|text| ask(text, &ann)).collect();
    for line in &mut streams {
        assert!(status(line).starts_with("HTTP/1.1 200"));
    }
    // Nothing comes on that line as long as it waits.
    let mut at_a_gate = ask("/api/gates/g-1?wait=60000", &ann);
    at_a_gate.set_read_timeout(Some(Duration::from_millis(500))).expect("set");
    let nothing = at_a_gate.read(&mut [0; 10]).expect_err("it waits").kind();
    assert!(matches!(nothing, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{nothing}");
    for path in ["/api/gates/g-1?wait=1", "/api/runs/r-1/events", "/api/events/wait/go?timeout=1"] {
        let told = status(&mut ask(path, &ann));
        assert!(told.contains("EVT_001") && told.contains("agent:ann waits 3 times"), "{path}: {told}");
    }
    assert!(
        status(&mut ask("/api/gates/g-1", &ann)).starts_with("HTTP/1.1 200"),
        "who does not wait takes none"
    );
    let mut fourth = ask("/api/events/stream", &bob);
    assert!(status(&mut fourth).starts_with("HTTP/1.1 200"));
    let told = status(&mut ask("/api/gates/g-1?wait=1", &bob));
    assert!(told.contains("EVT_001") && told.contains("4 of this project wait"), "{told}");
    drop((streams, at_a_gate, fourth));
    until("places are free again", || {
        status(&mut ask("/api/gates/g-1?wait=1", &bob)).starts_with("HTTP/1.1 200")
    });
}

#[test]
fn strangers_of_one_address_hold_a_quarter_of_the_places_and_the_oldest_makes_room() {
    use crate::program::{Place, until};
    let place = Place::new();
    fs::create_dir_all(place.file(".cuelight")).expect("made");
    place.write(".cuelight/config.toml", "request-timeout = \"10m\"\n[connections]\nmost = 10\n");
    let at = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let _engine = place.start(&["serve", "--listen", &at.to_string()]);
    until("it listens", || TcpStream::connect(at).is_ok());
    let asks = || {
        let mut line = TcpStream::connect(at).expect("the system has a queue");
        line.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
        line
    };
    let hears = |line: &mut TcpStream, most: Duration| {
        line.set_read_timeout(Some(most)).expect("set");
        line.read(&mut [0; 4096]).map_err(|error| error.kind())
    };
    // A quarter of all places is for the strangers of one address: two here. A newcomer takes the place of the oldest.
    let mut lines: Vec<TcpStream> = Vec::new();
    for _ in 0..12 {
        let mut line = asks();
        assert!(hears(&mut line, Duration::from_mins(1)).expect("an answer") > 0);
        lines.push(line);
    }
    let held = lines.split_off(10);
    for line in &mut lines {
        let end = hears(line, Duration::from_mins(1));
        assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "{end:?}");
    }
    for mut line in held {
        let nothing = hears(&mut line, Duration::from_millis(300)).expect_err("it keeps its place");
        assert!(matches!(nothing, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{nothing}");
    }
}
