//! Traces at their door: what a collector hears of runs and requests, in the very shape that OTLP has in JSON, and what steps are told of
//! where they stand. The collector is a listener of the test, which holds each message against that shape.

use crate::program::{Place, pause, until};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A received message: the first line, the fields, the body.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    line: String,
    fields: BTreeMap<String, String>,
    body: Value,
}

/// Somebody who listens, and answers each time the same.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) at: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Listener {
    pub(crate) fn start(status: &'static str) -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").expect("a port"), status)
    }

    fn at(listener: TcpListener, status: &'static str) -> Self {
        let at = listener.local_addr().expect("an address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&heard);
        let _owner = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(one) = hear(&stream) {
                    all.lock().expect("nobody failed").push(one);
                }
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
                );
                drop((&stream).write_all(answer.as_bytes()));
            }
        });
        Self { at, heard }
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("nobody failed").clone()
    }

    /// All spans that came, by their ids; each message has the shape that it should.
    pub(crate) fn spans(&self) -> BTreeMap<String, Value> {
        self.heard()
            .iter()
            .flat_map(|heard| checked(&heard.body))
            .map(|value| (text(&value["spanId"]), value))
            .collect()
    }
}

fn hear(stream: &TcpStream) -> Option<Heard> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut fields = BTreeMap::new();
    loop {
        let mut field = String::new();
        reader.read_line(&mut field).ok()?;
        let Some((name, value)) = field.trim_end().split_once(':') else { break };
        fields.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length =
        fields.get("content-length").and_then(|content_length| content_length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Heard { line: line.trim().to_owned(), fields, body })
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

/// The names of an object.
fn names(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap_or_else(|| panic!("an object: {value}")).keys().map(String::as_str).collect()
}

fn is_hex(value: &Value, digits: usize) -> bool {
    let text = text(value);
    text.len() == digits
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        && text.bytes().any(|byte| byte != b'0')
}

fn attributes(all: &Value) {
    for item in all.as_array().expect("a list") {
        assert_eq!(names(item), BTreeSet::from(["key", "value"]), "{item}");
        let value = item["value"].as_object().expect("a value");
        assert_eq!(value.len(), 1, "one of the kinds: {item}");
        let (kind, value) = value.iter().next().expect("one");
        match kind.as_str() {
            "stringValue" => assert!(value.is_string(), "{item}"),
            // Whole numbers of 64 bits are texts in the JSON of protocol buffers.
            "intValue" => drop(text(value).parse::<i64>().expect("a number")),
            "boolValue" => assert!(value.is_boolean(), "{item}"),
            other => panic!("{other} is no kind that is sent"),
        }
    }
}

/// Holds a message against the shape of `ExportTraceServiceRequest`, and gives its spans.
fn checked(body: &Value) -> Vec<Value> {
    assert_eq!(names(body), BTreeSet::from(["resourceSpans"]));
    let mut spans = Vec::new();
    for resource in body["resourceSpans"].as_array().expect("a list") {
        assert_eq!(names(resource), BTreeSet::from(["resource", "scopeSpans"]));
        attributes(&resource["resource"]["attributes"]);
        assert!(resource["resource"].to_string().contains("service.name"));
        for scope in resource["scopeSpans"].as_array().expect("a list") {
            assert_eq!(names(scope), BTreeSet::from(["scope", "spans"]));
            assert_eq!(names(&scope["scope"]), BTreeSet::from(["name", "version"]));
            spans.extend(scope["spans"].as_array().expect("a list").iter().cloned());
        }
    }
    let known = BTreeSet::from([
        "traceId",
        "spanId",
        "parentSpanId",
        "name",
        "kind",
        "startTimeUnixNano",
        "endTimeUnixNano",
        "attributes",
        "status",
    ]);
    for span in &spans {
        assert!(names(span).is_subset(&known), "{span}");
        assert!(is_hex(&span["traceId"], 32) && is_hex(&span["spanId"], 16), "{span}");
        assert!(span.get("parentSpanId").is_none_or(|id| is_hex(id, 16)), "{span}");
        assert!(
            !text(&span["name"]).is_empty() && (1..=5).contains(&span["kind"].as_u64().unwrap_or(0)),
            "{span}"
        );
        let nanos = |name: &str| text(&span[name]).parse::<u64>().expect("nanoseconds in text");
        let (began, ended) = (nanos("startTimeUnixNano"), nanos("endTimeUnixNano"));
        assert!(began <= ended && began > 1_600_000_000_000_000_000, "{span}");
        attributes(&span["attributes"]);
        assert!(names(&span["status"]).is_subset(&BTreeSet::from(["code", "message"])), "{span}");
        assert!(
            span["status"].get("code").is_none_or(|code| [1, 2].contains(&code.as_u64().unwrap_or(0))),
            "{span}"
        );
    }
    spans
}

/// The span of this name.
#[track_caller]
fn named<'a>(spans: &'a BTreeMap<String, Value>, name: &str) -> &'a Value {
    let mut found = spans.values().filter(|span| span["name"] == name);
    let one = found.next().unwrap_or_else(|| panic!("{name} in {spans:#?}"));
    assert!(found.next().is_none(), "one {name}");
    one
}

fn settings(place: &Place, text: &str) {
    std::fs::create_dir_all(place.file(".cuelight")).expect("made");
    place.write(".cuelight/config.toml", text);
}

fn workflow(asked: SocketAddr) -> String {
    format!(
        "name: traced

steps:
  - {{id: say, run: 'echo \"$TRACEPARENT\" > place; echo value-of-a-step'}}
  - {{id: ask, needs: say, http: {{url: 'http://{asked}/there'}}}}
  - {{id: ok, needs: ask, gate: {{prompt: 'text-of-a-prompt', undo-window: 0s}}}}
  - {{id: both, needs: ok, matrix: {{one: [a, b]}}, run: 'true'}}
  - {{id: wrong, needs: ok, run: 'echo $TRACEPARENT >> places; exit 3', retry: {{max-attempts: 2, delay: 1ms}}}}
"
    )
}

#[test]
fn a_run_is_one_trace_of_its_steps_calls_and_gates_and_steps_are_told_where_they_stand() {
    let (collector, other) = (Listener::start("200 OK"), Listener::start("200 OK"));
    let place = Place::new()
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}/", collector.at))
        .with("TRACEPARENT", &format!("00-{TRACE}-{PARENT}-01"))
        .with("CUELIGHT_TRACES_COLLECTOR_KEY", "key-of-the-collector");
    settings(
        &place,
        &format!(
            "http-private = [\"{}\"]\n[traces]\nheaders = {{x-key = \"COLLECTOR_KEY\"}}\nservice = \"desk\"\n",
            other.at
        ),
    );
    place.write("w.yaml", &workflow(other.at));
    let console = place.start(&["run", "w.yaml", "--headless"]);
    until("it asks", || place.owner().is_some() && place.cue(&["approve", "g-1"]).code == 0);
    let said = console.end();
    assert_ne!(said.code, 0, "a step has failed: {said:?}");
    let heard = collector.heard();
    assert!(!heard.is_empty(), "{said:?}");
    for heard in &heard {
        assert_eq!(heard.line, "POST /v1/traces HTTP/1.1");
        assert_eq!(heard.fields["content-type"], "application/json");
        assert_eq!(heard.fields["x-key"], "key-of-the-collector");
        let sent = heard.body.to_string();
        for kept in ["value-of-a-step", "text-of-a-prompt", "exit 3", "key-of-the-collector"] {
            assert!(!sent.contains(kept), "{kept} is not sent: {sent}");
        }
        assert!(sent.contains(r#"{"key":"service.name","value":{"stringValue":"desk"}}"#), "{sent}");
    }
    let spans = collector.spans();
    assert!(spans.values().all(|span| span["traceId"] == TRACE), "one trace, that of whoever started it");
    let run = named(&spans, "run traced");
    assert_eq!((&run["parentSpanId"], &run["status"]["code"]), (&json!(PARENT), &json!(2)));
    for step in ["say", "ask", "ok", "wrong", "both"] {
        assert_eq!(named(&spans, step)["parentSpanId"], run["spanId"], "{step}");
    }
    assert_eq!(named(&spans, "both[a]")["parentSpanId"], named(&spans, "both")["spanId"]);
    assert_eq!(named(&spans, "gate g-1")["parentSpanId"], named(&spans, "ok")["spanId"]);
    let call = |name: &str, step: &str| {
        let value = named(&spans, name);
        assert_eq!(value["parentSpanId"], named(&spans, step)["spanId"]);
        format!("00-{TRACE}-{}-01", text(&value["spanId"]))
    };
    assert_eq!(place.text("place").trim(), call("say attempt 1", "say"));
    assert_eq!(other.heard()[0].fields["traceparent"], call("ask attempt 1", "ask"));
    let both = [call("wrong attempt 1", "wrong"), call("wrong attempt 2", "wrong")];
    assert_eq!(place.text("places").lines().collect::<Vec<_>>(), both);
    assert_eq!(named(&spans, "wrong attempt 2")["status"]["code"], 2);
    // From the same log come the same spans, as often as they are asked for.
    let again = place.cue(&["show", "r-1", "--otlp"]).ok().json();
    let again: BTreeMap<String, Value> =
        checked(&again).into_iter().map(|value| (text(&value["spanId"]), value)).collect();
    assert_eq!(again, spans);
}

#[test]
fn without_a_collector_nothing_is_said_to_anybody_and_each_run_has_a_trace_of_its_own() {
    let place = Place::new();
    place.write("w.yaml", "name: alone\nsteps: [{id: say, run: 'echo \"[${TRACEPARENT:-}]\" > place'}]\n");
    place.cue(&["run", "w.yaml", "--headless"]).ok();
    assert_eq!(place.text("place").trim(), "[]");
    place.cue(&["run", "w.yaml", "--headless"]).ok();
    let trace = |run: &str| {
        let spans = checked(&place.cue(&["show", run, "--otlp"]).ok().json());
        let all: BTreeSet<String> = spans.iter().map(|span| text(&span["traceId"])).collect();
        assert_eq!((spans.len(), all.len()), (3, 1), "{spans:?}");
        assert!(spans.iter().any(|span| span["name"] == "run alone" && span.get("parentSpanId").is_none()));
        all
    };
    assert_ne!(trace("r-1"), trace("r-2"));
    // Who does not want it recorded is not.
    let quiet = place.with("TRACEPARENT", &format!("00-{TRACE}-{PARENT}-00"));
    quiet.cue(&["run", "w.yaml", "--headless"]).ok();
    assert!(checked(&quiet.cue(&["show", "r-3", "--otlp"]).ok().json()).is_empty());
    assert!(
        quiet.text("place").starts_with(&format!("[00-{TRACE}-"))
            && quiet.text("place").trim().ends_with("-00]")
    );
}

/// One request of the API.
fn ask(at: SocketAddr, token: &str, asked: &str, fields: &str, body: &Value) -> Value {
    let mut line = TcpStream::connect(at).expect("it listens");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let text = format!(
        "{asked} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{fields}{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    line.write_all(text.as_bytes()).expect("sent");
    let mut heard = String::new();
    line.read_to_string(&mut heard).expect("an answer");
    let (_, body) = heard.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).unwrap_or_else(|why| panic!("{why}: {heard}"))
}

fn served(place: &Place) -> (crate::program::Running, SocketAddr, String) {
    let at = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let engine = place.start(&["serve", "--listen", &at.to_string()]);
    until("it listens", || TcpStream::connect(at).is_ok());
    let token = place.cue(&[
        "token",
        "--agent",
        "a",
        "--type",
        "architect",
        "--permissions",
        "read_context,write_results,publish_events,spawn_agents",
    ]);
    (engine, at, token.ok().out.trim().to_owned())
}

#[test]
fn what_is_asked_over_http_goes_on_with_the_trace_of_whoever_asks() {
    let collector = Listener::start("200 OK");
    let place = Place::new();
    settings(
        &place,
        &format!(
            "project = \"shop\"\nhttp-private = [\"127.0.0.1\"]\n[traces]\nendpoint = \"http://{}\"\n",
            collector.at
        ),
    );
    place.write("w.yaml", "name: asked\nsteps: [{id: say, run: 'true'}]\n");
    let (engine, at, token) = served(&place);
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
    let run = ask(at, &token, "POST /api/runs", &parent, &json!({"workflow": "w.yaml"}));
    assert_eq!(run["id"], "r-1", "{run}");
    ask(at, &token, "POST /api/events/done", &parent, &json!({"id": "e1", "data": 1}));
    // The same event again, from another span, is the same event.
    let other = format!("traceparent: 00-{TRACE}-aaaaaaaaaaaaaaaa-01\r\n");
    assert_eq!(
        ask(at, &token, "POST /api/events/done", &other, &json!({"id": "e1", "data": 1}))["event_id"],
        "e1"
    );
    let kept = ask(at, &token, "GET /api/events/wait/done", "", &Value::Null);
    let place_of = |traceparent: &Value| text(traceparent)[..36].to_owned();
    assert_eq!(place_of(&kept["events"][0]["traceparent"]), format!("00-{TRACE}-"));
    let result = json!({"agent_id": "a", "agent_type": "architect", "issue_id": "S-1", "project_id": "shop", "result": {"status": "success"}});
    let id = text(&ask(at, &token, "POST /api/results", &parent, &result)["id"]);
    let kept = ask(at, &token, &format!("GET /api/results/{id}"), "", &Value::Null);
    assert_eq!(place_of(&kept["traceparent"]), format!("00-{TRACE}-"));
    let kept = ask(at, &token, "GET /api/events/wait/agent_completed", "", &Value::Null);
    assert_eq!(place_of(&kept["events"][0]["traceparent"]), format!("00-{TRACE}-"));
    // What is none, or stands twice, is as if it had not been said.
    for bad in ["traceparent: 00-zz\r\n".to_owned(), format!("{parent}{parent}")] {
        let id = json!({"id": format!("bad-{}", bad.len()), "data": 1});
        ask(at, &token, "POST /api/events/bad", &bad, &id);
    }
    let kept = ask(at, &token, "GET /api/events/wait/bad", "", &Value::Null);
    assert!(
        kept["events"].as_array().is_some_and(
            |events| events.len() == 2 && events.iter().all(|event| event.get("traceparent").is_none())
        ),
        "{kept}"
    );
    until("the collector has heard of the run", || {
        collector.spans().values().any(|span| span["name"] == "run asked")
    });
    until("and of the request", || collector.spans().values().any(|span| span["name"] == "POST /api/runs"));
    let spans = collector.spans();
    let (run, request) = (named(&spans, "run asked"), named(&spans, "POST /api/runs"));
    assert_eq!((&run["traceId"], &request["traceId"]), (&json!(TRACE), &json!(TRACE)));
    assert_eq!((&request["parentSpanId"], &request["kind"]), (&json!(PARENT), &json!(2)));
    assert_eq!(run["parentSpanId"], request["spanId"], "a run stands below the request that started it");
    let status = |request: &Value| {
        request["attributes"]
            .to_string()
            .contains(r#""http.response.status_code","value":{"intValue":"201"}"#)
    };
    assert!(status(request), "{request}");
    assert!(collector.heard().iter().all(|heard| !heard.body.to_string().contains(&token)));
    drop(engine);
}

#[test]
fn a_collector_that_is_away_costs_a_word_and_hears_of_it_when_it_is_back() {
    let place = Place::new();
    // A port that nobody has, outside of those that lines are given by chance.
    let port =
        (29_000..31_000).find(|index| TcpListener::bind(("127.0.0.1", *index)).is_ok()).expect("a port");
    settings(
        &place,
        &format!("http-private = [\"127.0.0.1\"]\n[traces]\nendpoint = \"http://127.0.0.1:{port}\"\n"),
    );
    place.write("w.yaml", "name: lonely\nsteps: [{id: say, run: 'true'}]\n");
    let (engine, at, token) = served(&place);
    place.cue(&["run", "w.yaml", "--headless"]).ok();
    let health = || ask(at, &token, "GET /health", "", &Value::Null);
    until("it is told", || {
        health()["checks"]["traces"].as_str().is_some_and(|trace| trace.starts_with("could not send traces"))
    });
    assert_eq!(health()["status"], "healthy", "nothing depends on it");
    let said = place.cue(&["doctor"]);
    assert!(said.out.contains("traces") && said.out.contains(&format!("127.0.0.1:{port}")), "{said:?}");
    let collector = Listener::at(TcpListener::bind(("127.0.0.1", port)).expect("still free"), "200 OK");
    until("it hears of what was", || collector.spans().values().any(|span| span["name"] == "run lonely"));
    until("that is told too", || health()["checks"]["traces"] == "ok");
    drop(engine);
}

#[test]
fn a_collector_that_refuses_or_hangs_holds_nothing_up() {
    for status in ["400 Bad Request", "404 Not Found"] {
        let collector = Listener::start(status);
        let place = Place::new()
            .with("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("http://{}/own/path", collector.at));
        place.write("w.yaml", "name: refused\nsteps: [{id: say, run: 'true'}]\n");
        place.cue(&["run", "w.yaml", "--headless"]).ok();
        let heard = collector.heard();
        assert_eq!(heard.len(), 1, "it is not asked again");
        assert_eq!(heard[0].line, "POST /own/path HTTP/1.1");
    }
    // Takes a line and never says a word: the run ends all the same.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = silent.local_addr().expect("an address");
    let place = Place::new().with("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{at}"));
    place.write("w.yaml", "name: hung\nsteps: [{id: say, run: 'true'}]\n");
    place.cue(&["run", "w.yaml", "--headless"]).ok();
    pause(Duration::ZERO);
    drop(silent);
}

#[test]
fn a_collector_that_a_workspace_names_is_reached_only_where_its_requests_may_go() {
    for (private, is_heard) in [("", false), ("127.0.0.1", true)] {
        let collector = Listener::start("200 OK");
        let place = Place::new();
        let rule =
            if private.is_empty() { String::new() } else { format!("http-private = [\"{private}\"]\n") };
        settings(&place, &format!("{rule}[traces]\nendpoint = \"http://{}\"\n", collector.at));
        place.write("w.yaml", "name: w\nsteps: [{id: say, run: 'true'}]\n");
        place.cue(&["run", "w.yaml", "--headless"]).ok();
        assert_eq!(!collector.heard().is_empty(), is_heard, "{private}");
    }
}

#[test]
fn what_cannot_be_sent_safely_is_told_before_anything_runs() {
    for (text, part) in [
        ("[traces]\nendpoint = \"ftp://x\"\n", "http:// or https://"),
        (
            "[traces]\nendpoint = \"http://collector.example:4318\"\nheaders = {a = \"KEY_OF_IT\"}\n",
            "in the open",
        ),
        (
            "[traces]\nendpoint = \"http://localhost:1\"\nheaders = {a = \"MISSING\"}\n",
            "secret MISSING is not set",
        ),
        // No variable that its user has not named for it: a workspace could send any to its address.
        (
            "[traces]\nendpoint = \"https://collector.example\"\nheaders = {a = \"OTHER_SECRET\"}\n",
            "secret OTHER_SECRET is not set",
        ),
        ("[traces]\nendpont = \"http://localhost:1\"\n", "endpont"),
    ] {
        let place = Place::new()
            .with("CUELIGHT_TRACES_KEY_OF_IT", "a-long-enough-key")
            .with("OTHER_SECRET", "a-long-enough-key");
        settings(&place, text);
        place.write("w.yaml", "name: w\nsteps: [{id: say, run: 'true'}]\n");
        let said = place.cue(&["run", "w.yaml", "--headless"]);
        assert!(said.code != 0 && said.err.contains(part) && !said.err.contains("long-enough"), "{said:?}");
    }
}

/// Models, and servers of tools, are told the span of the very call that asks them, so that theirs stand below it.
#[test]
fn what_a_model_and_a_server_of_tools_do_stands_below_the_call_that_asks_them() {
    let (model, server) = (Listener::start("200 OK"), Listener::start("200 OK"));
    let place = Place::new().with("TRACEPARENT", &format!("00-{TRACE}-{PARENT}-01"));
    settings(&place, "http-private = [\"127.0.0.1\"]\n");
    for dir in ["models", "tools"] {
        std::fs::create_dir_all(place.file(".cuelight").join(dir)).expect("made");
    }
    let asked = format!("name: near\nprovider: openai\nmodel: m\nurl: http://{}\n", model.at);
    place.write(".cuelight/models/near.yaml", &asked);
    let tool = |name: &str, headers: &str| {
        format!(
            "name: far.{name}\nversion: 1\ndescription: Looks\nmcp:\n  url: http://{}/mcp\n{headers}  tool: look\n  \
             says: {{name: look, description: Looks, inputSchema: {{type: object}}}}\n",
            server.at
        )
    };
    place.write(".cuelight/tools/far.look.yaml", &tool("look", ""));
    place.write(".cuelight/tools/far.own.yaml", &tool("own", "  headers: {Traceparent: its own}\n"));
    place.write(
        "w.yaml",
        "name: w\ntimeout: 1m\nsteps:\n  - {id: ask, on-error: continue, llm: {model: near, prompt: x}}\n  \
         - {id: look, needs: ask, if: always(), on-error: continue, uses: far.look@1}\n  \
         - {id: own, needs: look, if: always(), on-error: continue, uses: far.own@1}\n",
    );
    place.cue(&["run", "w.yaml", "--headless"]);
    let spans = checked(&place.cue(&["show", "r-1", "--otlp"]).ok().json());
    let call = |name: &str| {
        let span =
            spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("{name}: {spans:?}"));
        format!("00-{TRACE}-{}-01", text(&span["spanId"]))
    };
    let told =
        |model: &Listener| model.heard().first().and_then(|heard| heard.fields.get("traceparent").cloned());
    assert_eq!(told(&model), Some(call("ask attempt 1")));
    assert_eq!(told(&server), Some(call("look attempt 1")));
    let last = server.heard().last().map(|heard| heard.fields["traceparent"].clone());
    assert_eq!(last.as_deref(), Some("its own"), "what a file says itself counts more");
}
