//! Tools of MCP servers with an address that shake no hands (MCP of 2026-07-28), against a server of our own that takes the revision at
//! its word: a question whose fields and body differ, that names a session or lacks what it must have, is refused.

use crate::{
    mcp::{Room, bare, hear, http, pin, said},
    run_and_answer::cuelight,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

const REVISION: &str = "2026-07-28";

/// A request that the server received.
struct Question {
    head: String,
    body: Value,
    /// Its connection was closed before it was answered to the end.
    was_left: bool,
}

impl Question {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").or(text.split_once("\r\n\n")).unwrap_or((text, ""));
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        Self { head: head.to_owned(), body, was_left: false }
    }

    fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or("none")
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim_matches([' ', '\r']))
        })
    }

    /// A field as whoever reads it has to read it.
    fn decoded(&self, name: &str) -> Option<String> {
        let text = self.field(name)?;
        let packed = text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
        let bytes = packed.map(|packed| BASE64_STANDARD.decode(packed).expect("Base64"));
        Some(bytes.map_or_else(|| text.to_owned(), |bytes| String::from_utf8(bytes).expect("UTF-8")))
    }

    /// The first violation of the revision, if any.
    fn wrong(&self) -> Option<&'static str> {
        let (meta, params) = (&self.body["params"]["_meta"], &self.body["params"]);
        let says = |name: &str| &meta[format!("io.modelcontextprotocol/{name}")];
        let accept = self.field("accept").unwrap_or_default();
        let is_call = self.method() == "tools/call";
        let place = params["arguments"]["place"].as_str().map(str::to_owned);
        let checks = [
            ("no POST", self.head.starts_with("POST ")),
            ("accept", accept.contains("application/json") && accept.contains("text/event-stream")),
            ("version", self.field("mcp-protocol-version") == says("protocolVersion").as_str()),
            ("capabilities", says("clientCapabilities").is_object()),
            ("client", says("clientInfo")["name"] == "cuelight"),
            ("method", self.field("mcp-method") == self.body["method"].as_str()),
            ("name", self.decoded("mcp-name").as_deref() == params["name"].as_str().filter(|_| is_call)),
            ("place", self.decoded("mcp-param-place") == place),
            ("session", self.field("mcp-session-id").is_none()),
            ("id", self.body["id"].is_u64()),
        ];
        checks.into_iter().find(|(_, holds)| !holds).map(|(name, _)| name)
    }
}

/// An answer: its text, and true if the server waits afterwards until the client leaves.
type Answer = (String, bool);

struct Server {
    port: u16,
    owner: thread::JoinHandle<Vec<Question>>,
}

impl Server {
    fn new(answer: impl Fn(&Question) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let owner = thread::spawn(move || {
            let mut heard = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut question = Question::read(&hear(&stream));
                if question.head.starts_with("END") {
                    break;
                }
                let (text, waits) = answer(&question);
                drop(stream.write_all(text.as_bytes()));
                question.was_left = waits && !matches!(stream.read(&mut [0]), Ok(1));
                heard.push(question);
            }
            heard
        });
        Self { port, owner }
    }

    /// All that it heard.
    fn end(self) -> Vec<Question> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.write_all(b"END / HTTP/1.1\r\n\r\n").expect("told");
        self.owner.join().expect("it has heard")
    }
}

fn methods(heard: &[Question]) -> Vec<&str> {
    heard.iter().map(Question::method).collect()
}

fn answer(question: &Question, result: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": question.body["id"], "result": result}).to_string()
}

fn error(status: &str, question: &Question, error: &Value) -> String {
    let body = json!({"jsonrpc": "2.0", "id": question.body["id"], "error": error}).to_string();
    http("application/json", "Mcp-Session-Id: s-1\r\n", &body).replacen("200 OK", status, 1)
}

/// The server's description of its tool, whose name no header field can hold.
fn says() -> Value {
    json!({"name": "über", "description": "Looks", "inputSchema": {"type": "object",
        "properties": {"place": {"type": "string", "x-mcp-header": "Place"}, "n": {"type": "integer"}}}})
}

/// A server that does all of it well; what is given here it does otherwise.
fn good(call: impl Fn(&Question) -> Option<Answer> + Send + 'static) -> Server {
    Server::new(move |question| {
        if let Some(name) = question.wrong() {
            let message = format!("Header mismatch: {name}");
            return (error("400 Bad Request", question, &json!({"code": -32020, "message": message})), false);
        }
        if let Some(other) = call(question) {
            return other;
        }
        let result = match question.method() {
            "server/discover" => json!({"supportedVersions": [REVISION], "capabilities": {"tools": {}}}),
            "tools/list" => json!({"tools": [says()], "ttlMs": 1000, "cacheScope": "public"}),
            "tools/call" => json!({"content": [{"type": "text", "text": "seen"}]}),
            _ => {
                let error =
                    error("404 Not Found", question, &json!({"code": -32601, "message": "no such method"}));
                return (error, false);
            }
        };
        let mut result = result;
        result["resultType"] = "complete".into();
        let body = answer(question, &result);
        if question.method() != "tools/call" {
            return (http("application/json", "Mcp-Session-Id: s-1\r\n", &body), false);
        }
        let note =
            json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "looking"}});
        (
            http("text/event-stream", "", &format!(": still here\r\n\r\ndata: {note}\n\ndata: {body}\n\n")),
            false,
        )
    })
}

fn room(port: u16, with: &str, more: &str) -> Room {
    let room = Room::empty();
    let text = format!(
        "name: far.look\nversion: 1\ndescription: Looks\nmcp:\n  url: http://127.0.0.1:{port}/mcp\n  tool: über\n  says: {}\n",
        says()
    );
    fs::write(room.path().join(".cuelight/tools/far.look.yaml"), text).expect("written");
    fs::write(room.path().join("flow.yaml"), flow(with, more)).expect("written");
    room
}

fn flow(with: &str, more: &str) -> String {
    format!("steps:\n  - {{id: a, uses: far.look@1, effect: once, with: {{{with}}}{more}}}\n")
}

fn ours(room: &Room, words: &[&str]) -> Output {
    let mut command = cuelight(room.path());
    command.args(words).env("CUELIGHT_HTTP_PRIVATE", "127.0.0.1").output().expect("it can be started")
}

#[test]
fn a_server_with_an_address_that_shakes_no_hands_is_called() {
    let server = good(|_| None);
    let room = room(server.port, "place: 'Zürich, \u{2003}'", "");
    said(&ours(&room, &["run", "flow.yaml", "--json"]), 0, &["\"seen\"", "\"completed\""]);
    said(&room.say(&["logs", "r-1"]), 0, &["looking", "seen"]);
    let heard = server.end();
    assert_eq!(methods(&heard), ["server/discover", "tools/list", "tools/call"]);
    let call = &heard[2];
    assert_eq!(call.decoded("mcp-name").as_deref(), Some("über"));
    assert_eq!(call.decoded("mcp-param-place").as_deref(), Some("Zürich, \u{2003}"));
    assert_eq!(call.field("mcp-protocol-version"), Some(REVISION));
}

/// An older server says in one way or another that it does not know the question.
#[test]
fn a_server_that_knows_only_older_revisions_shakes_hands_as_before() {
    let unknown = json!({"code": -32601, "message": "Method not found"});
    let older = json!({"code": -32022, "message": "no", "data": {"supported": ["2025-11-25", "2024-11-05"]}});
    for (name, probed) in [
        ("nothing is said", bare("400 Bad Request", "")),
        ("there is nothing", bare("404 Not Found", "")),
        ("it fails", bare("500 Internal Server Error", "")),
        ("it is taken for a notification", bare("202 Accepted", "")),
        (
            "no session",
            error("400 Bad Request", &Question::read(""), &json!({"code": -32000, "message": "no session"})),
        ),
        ("in words of HTTP", http("text/html", "", "<h1>what?</h1>")),
        (
            "it is unknown",
            http("application/json", "", &json!({"jsonrpc": "2.0", "id": 1, "error": unknown}).to_string()),
        ),
        (
            "it names others",
            http("application/json", "", &json!({"jsonrpc": "2.0", "id": 1, "error": older}).to_string()),
        ),
        (
            "it answers something",
            http("application/json", "", r#"{"jsonrpc": "2.0", "id": 1, "result": {}}"#),
        ),
    ] {
        let server = Server::new(move |question| {
            let text = match question.method() {
                "server/discover" => probed.clone(),
                "initialize" => {
                    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}});
                    http("application/json", "", &answer(question, &hello))
                }
                "tools/list" => http("application/json", "", &answer(question, &json!({"tools": [says()]}))),
                "tools/call" => {
                    let seen = json!({"content": [{"type": "text", "text": "seen"}]});
                    http("application/json", "", &answer(question, &seen))
                }
                _ => bare("202 Accepted", ""),
            };
            (text, false)
        });
        let room = room(server.port, "place: here", "");
        let told = ours(&room, &["run", "flow.yaml", "--json"]);
        let heard = server.end();
        assert!(told.status.success(), "{name}: {told:?}");
        let expected =
            ["server/discover", "initialize", "notifications/initialized", "tools/list", "tools/call"];
        assert_eq!(methods(&heard), expected, "{name}");
        let call = heard.last().expect("called");
        assert_eq!(call.field("mcp-protocol-version"), Some("2025-06-18"), "{name}");
        for field in ["mcp-method", "mcp-name", "mcp-param-place"] {
            assert_eq!(call.field(field), None, "{name}: of another revision");
        }
        assert!(call.body["params"].get("_meta").is_none(), "{name}: {}", call.body);
    }
}

#[test]
fn a_server_that_turns_us_away_or_speaks_what_we_do_not_is_asked_once() {
    let data = json!({"supported": ["2099-01-01", "2098-01-01"]});
    let newer = json!({"code": -32022, "message": "no", "data": data});
    for (status, said_back, parts) in [
        ("401 Unauthorized", Value::Null, ["user_permission", "see the credentials"]),
        ("403 Forbidden", Value::Null, ["user_permission", "see the credentials"]),
        ("429 Too Many Requests", Value::Null, ["policy_rate_limit", "ask less often"]),
        (
            "400 Bad Request",
            newer,
            [
                "agent_contract",
                "speaks the revisions 2099-01-01, 2098-01-01 of MCP; known here are 2026-07-28",
            ],
        ),
        (
            "400 Bad Request",
            json!({"code": -32020, "message": "Header mismatch"}),
            ["agent_contract", "-32020: Header mismatch"],
        ),
    ] {
        let server = Server::new(move |question| {
            let text =
                if said_back.is_null() { bare(status, "") } else { error(status, question, &said_back) };
            (text, false)
        });
        let room = room(server.port, "place: here", "");
        said(&ours(&room, &["run", "flow.yaml", "--json"]), 1, &parts);
        assert_eq!(methods(&server.end()), ["server/discover"], "{status}");
    }
}

#[test]
fn what_becomes_of_a_call_without_shaken_hands_is_told_exactly() {
    let missing = json!({"code": -32021, "message": "needs sampling", "data": {"requiredCapabilities": {"sampling": {}}}});
    let gone = json!({"code": -32601, "message": "no such method"});
    let asks = json!({"resultType": "input_required", "inputRequests": {}});
    let failed = json!({"resultType": "complete", "isError": true, "content": [{"type": "text", "text": "the disk is full"}]});
    type Made = Box<dyn Fn(&Question) -> String + Send>;
    let known: [(&str, Made, &str); 5] = [
        (
            "wants what we cannot do",
            Box::new(move |value| error("400 Bad Request", value, &missing)),
            "-32021): needs sampling",
        ),
        (
            "knows no calls",
            Box::new(move |value| error("404 Not Found", value, &gone)),
            "-32601): no such method",
        ),
        ("is not there", Box::new(|_| bare("404 Not Found", "")), "answers 404 Not Found"),
        (
            "asks for more",
            Box::new(move |value| http("application/json", "", &answer(value, &asks))),
            "told more first",
        ),
        (
            "fails",
            Box::new(move |value| http("application/json", "", &answer(value, &failed))),
            "the disk is full",
        ),
    ];
    for (name, made, part) in known {
        let server =
            good(move |question| (question.method() == "tools/call").then(|| (made(question), false)));
        let room = room(server.port, "place: here", "");
        let told = said(&ours(&room, &["run", "flow.yaml", "--json"]), 1, &[part]);
        assert!(!told.contains("in_doubt"), "{name}: it was answered: {told}");
        assert_eq!(server.end().len(), 3, "{name}");
    }
    let unknown: [(&str, Made); 2] = [
        (
            "the stream ends",
            Box::new(|_| {
                http("text/event-stream", "", "data: {\"jsonrpc\": \"2.0\", \"method\": \"a\"}\n\n")
            }),
        ),
        ("who stands in between failed", Box::new(|_| bare("502 Bad Gateway", ""))),
    ];
    for (name, made) in unknown {
        let server =
            good(move |question| (question.method() == "tools/call").then(|| (made(question), false)));
        let room = room(server.port, "place: here", "");
        room.in_doubt_of(name, &flow("place: here", ""));
        assert_eq!(server.end().len(), 3, "{name}");
    }
}

/// Closing its answer tells the server to stop; nothing else is sent for it.
#[test]
fn a_call_that_is_cancelled_is_left_and_the_server_learns_of_it() {
    let begun = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: still here\n\n";
    let is_called = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_called);
    let server = good(move |question| {
        let is_call = question.method() == "tools/call";
        seen.fetch_or(is_call, Ordering::SeqCst);
        is_call.then(|| (begun.to_owned(), true))
    });
    let room = room(server.port, "place: here", "");
    let mut command = cuelight(room.path());
    command.args(["run", "flow.yaml", "--json"]).env("CUELIGHT_HTTP_PRIVATE", "127.0.0.1");
    let mut child = command.stdout(Stdio::null()).spawn().expect("it can be started");
    crate::program::until("it is called", || is_called.load(Ordering::SeqCst));
    said(&room.say(&["cancel", "r-1", "--reason", "enough"]), 0, &[]);
    child.wait().expect("it ends");
    let heard = server.end();
    assert_eq!(methods(&heard), ["server/discover", "tools/list", "tools/call"]);
    assert!(heard[2].was_left, "the connection is closed");
}

#[test]
fn an_input_that_header_fields_cannot_hold_is_not_sent() {
    let server = good(|_| None);
    let room = room(server.port, &format!("place: {}", "x".repeat(7_000)), "");
    let told =
        said(&ours(&room, &["run", "flow.yaml", "--json"]), 1, &["user_invalid_input", "give it less"]);
    assert!(!told.contains("in_doubt"), "{told}");
    assert_eq!(methods(&server.end()), ["server/discover", "tools/list"]);
}

#[test]
fn a_tool_with_a_mark_that_may_not_be_is_left_out_and_the_others_are_taken_up() {
    let server = good(|question| {
        let bad = json!({"name": "bad", "inputSchema": {"type": "object",
            "properties": {"a": {"type": "string", "x-mcp-header": "a b"}}}});
        let tools = json!({"resultType": "complete", "tools": [bad, says()]});
        (question.method() == "tools/list")
            .then(|| (http("application/json", "", &answer(question, &tools)), false))
    });
    let room = Room::empty();
    let url = format!("http://127.0.0.1:{}/mcp", server.port);
    let add = |which: &str| ours(&room, &["tools", "add", "far", which, "--url", &url]);
    let shown = add("--all");
    said(&shown, 1, &["left out: bad marks its input", "Looks"]);
    said(&add(&format!("--all={}", pin(&shown))), 0, &["far."]);
    let taken: Vec<_> = fs::read_dir(room.path().join(".cuelight/tools")).expect("there").collect();
    assert_eq!(taken.len(), 1, "{taken:?}");
    server.end();
}
