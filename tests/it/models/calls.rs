//! One call: what each of the three formats is sent, what is made of its answer, and what of everything that goes wrong.

use super::provider::{Part, Provider, asks, refusal, says, stream};
use cuelight_base::{
    Digest, FailureMode, Launch, ModelCall, OfferedTool, Price, Provider as Format, Span, ToolResult,
    ToolRound, Value, calls_asked,
};
use cuelight_tool::{Answer, Call, Ended, Host, HttpPolicy, Secret, SecretStore, run_model};
use serde_json::json;
use std::{collections::BTreeMap, fs, sync::mpsc::sync_channel};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const KEY: &str = "sk-t3st-0123456789";

fn document(name: &str) -> String {
    let path = format!("{}/tests/fixtures/models/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).expect("a recorded document")
}

fn call(format: Format, url: &str) -> ModelCall {
    ModelCall {
        name: "own".to_owned(),
        provider: format,
        url: url.to_owned(),
        model: "some-model".to_owned(),
        key: Some("KEY".to_owned()),
        definition: Digest::default(),
        system: Some("You review changes.".to_owned()),
        prompt: "Is this change sound?".to_owned(),
        schema: None,
        temperature: Some("0.2".to_owned()),
        max_tokens: 300,
        price: Some(Price { input_micro_usd: 3_000_000, output_micro_usd: 15_000_000 }),
        tools: Vec::new(),
        rounds: Vec::new(),
    }
}

/// A workspace that asks.
struct Desk {
    dir: TempDir,
    private: Vec<String>,
}

impl Desk {
    fn new() -> Self {
        Self { dir: TempDir::new().expect("a directory"), private: vec!["127.0.0.1".to_owned()] }
    }

    fn ask(&self, model: ModelCall) -> Answer {
        self.ask_until(model, &CancellationToken::new(), |_| {})
    }

    fn ask_until(
        &self,
        model: ModelCall,
        cancel: &CancellationToken,
        heard: impl FnMut(&[u8]) + Send,
    ) -> Answer {
        self.ask_for(Span::seconds(20), model, cancel, heard)
    }

    fn ask_for(
        &self,
        timeout: Span,
        model: ModelCall,
        cancel: &CancellationToken,
        mut heard: impl FnMut(&[u8]) + Send,
    ) -> Answer {
        let root = self.dir.path();
        let secrets = SecretStore::new(BTreeMap::from([("KEY".to_owned(), Secret::new(KEY))]), root);
        let policy = HttpPolicy::read(&[], &self.private, None).expect("a policy");
        let host = Host::new(root.to_owned(), Vec::new(), secrets, Span(300)).with_http(policy);
        let launch =
            Launch { timeout: Some(timeout), model: Some(Box::new(model)), ..Launch::of(["ask", "own"]) };
        drop(fs::remove_dir_all(root.join("attempt")));
        let call = Call {
            tree: None,
            attempt_dir: root.join("attempt"),
            run: "r-1".to_owned(),
            step: "s".to_owned(),
            attempt: "r-1.0.1".to_owned(),
            effect_key: "key-7".to_owned(),
            traceparent: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run_model(&host, &launch, &call, cancel, |progress| heard(progress.bytes)))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("attempt/log")).unwrap_or_default()
    }
}

/// The answer of one call to one part.
fn answer(format: Format, part: Part) -> Answer {
    let provider = Provider::play(vec![part]);
    Desk::new().ask(call(format, &provider.url()))
}

#[track_caller]
fn fails(format: Format, part: Part, mode: FailureMode, words: &str) -> Answer {
    let answer = answer(format, part);
    let failure = answer.failure().expect("it fails");
    assert_eq!(failure.mode, mode, "{}", failure.message);
    assert!(failure.message.contains(words), "{}", failure.message);
    answer
}

const FORMATS: [(Format, &str); 3] =
    [(Format::OpenAi, "openai.sse"), (Format::Anthropic, "anthropic.sse"), (Format::Gemini, "gemini.sse")];

#[test]
fn each_format_is_asked_in_its_own_words_and_its_stream_becomes_one_answer() {
    let mut asked = Vec::new();
    for (format, name) in FORMATS {
        for in_bytes in [false, true] {
            let part = stream(&document(name));
            let provider = Provider::play(vec![if in_bytes { part.in_bytes() } else { part }]);
            let desk = Desk::new();
            let answer = desk.ask(call(format, &provider.url()));
            assert_eq!(answer.failure(), None, "{name}");
            let of = |name: &str| answer.outputs[name].clone();
            assert_eq!(of("text"), "The change is sound.");
            assert_eq!(
                (of("tokens"), of("input-tokens"), of("output-tokens")),
                (json!(127), json!(120), json!(7))
            );
            assert_eq!(
                (of("cost-usd"), of("finish"), of("model")),
                (json!("0.000465"), json!("stop"), json!("own"))
            );
            let log = desk.log();
            assert!(
                log.contains("\nThe change is sound.\n— 120 tokens asked, 7 answered, 0.000465 USD —"),
                "{log}"
            );
            let heard = provider.heard();
            if !in_bytes {
                let key =
                    ["authorization", "x-api-key", "x-goog-api-key"].map(|text| heard.field(text).to_owned());
                let version = heard.field("anthropic-version").to_owned();
                asked.push(json!({"line": heard.line, "keys": key, "version": version, "body": heard.body, "answered-by": of("answered-by")}));
            }
        }
    }
    insta::with_settings!({snapshot_path => "../snapshots"}, {
        insta::assert_snapshot!(serde_json::to_string_pretty(&asked).expect("JSON"));
    });
}

/// A reader of the log sees the first words while the model still thinks of the next.
#[test]
fn an_answer_is_seen_as_it_comes() {
    for (format, name) in FORMATS {
        let document = document(name);
        let first = document.find("is sound").expect("it says so") - 20;
        let (tell, wait) = sync_channel(1);
        let provider = Provider::play(vec![stream(&document).waits(first, wait)]);
        let mut seen = Vec::new();
        let answer =
            Desk::new().ask_until(call(format, &provider.url()), &CancellationToken::new(), |bytes| {
                seen.extend_from_slice(bytes);
                if seen.ends_with(b"The change ") {
                    tell.try_send(()).expect("it waits for this");
                }
            });
        assert_eq!(answer.outputs["text"], "The change is sound.", "{name}");
    }
}

#[test]
fn a_refusal_is_told_by_what_the_provider_says_before_what_its_status_says() {
    use FailureMode::{PolicyRateLimit, ResourceApi, ResourceQuota, UserPermission};
    for (format, status, name, mode) in [
        (Format::OpenAi, "429 Too Many Requests", "openai-rate.json", PolicyRateLimit),
        (Format::OpenAi, "429 Too Many Requests", "openai-quota.json", ResourceQuota),
        (Format::OpenAi, "401 Unauthorized", "openai-key.json", UserPermission),
        (Format::OpenAi, "500 Internal Server Error", "openai-server.json", ResourceApi),
        (Format::Anthropic, "401 Unauthorized", "anthropic-key.json", UserPermission),
        (Format::Anthropic, "429 Too Many Requests", "anthropic-rate.json", PolicyRateLimit),
        (Format::Anthropic, "529 Overloaded", "anthropic-overloaded.json", ResourceApi),
        (Format::Gemini, "400 Bad Request", "gemini-key.json", UserPermission),
        (Format::Gemini, "429 Too Many Requests", "gemini-rate.json", PolicyRateLimit),
    ] {
        let said = document(name);
        let error: Value = serde_json::from_str(&said).expect("JSON");
        let words = error["error"]["message"].as_str().expect("a message").to_owned();
        let answer = fails(format, refusal(status, &said), mode, words.trim_end_matches('.'));
        assert!(!answer.may_have_happened, "{name}");
        assert_eq!(answer.outputs["tokens"], json!(0), "{name}: what is refused has used nothing");
    }
    fails(Format::OpenAi, refusal("503 Service Unavailable", "<html>"), ResourceApi, "answers 503");
}

/// A refusal names the failure, the provider's words, and the next step, in this order: a line that is cut
/// short has the first two.
#[test]
fn a_refusal_says_what_failed_and_what_to_do() {
    let check = |status: &'static str, code: &str, field: &str, expected: &str| {
        let body = json!({"error": {"message": "It says so.", "code": code}}).to_string();
        let answer = answer(Format::OpenAi, refusal(status, &body).with(field));
        assert_eq!(answer.failure().expect("it fails").message, expected);
    };
    let none = "X-None: 1";
    check(
        "401 Unauthorized",
        "invalid_api_key",
        none,
        "own answers 401 Unauthorized: It says so; see whether the key KEY is right and may use it: `cuelight model test own`",
    );
    check(
        "429 Too Many Requests",
        "rate_limit_exceeded",
        none,
        "own answers 429 Too Many Requests: It says so; ask it less often, see `rate:`, or another model",
    );
    check(
        "429 Too Many Requests",
        "rate_limit_exceeded",
        "Retry-After: 20",
        "own answers 429 Too Many Requests: It says so; it asks to wait 20s: ask it less often, see `rate:`, or another model",
    );
    check(
        "429 Too Many Requests",
        "rate_limit_exceeded",
        "Retry-After: 86400",
        "own answers 429 Too Many Requests: It says so; it asks to wait 1d, longer than a step does: retry the run then, or ask another model",
    );
    check(
        "429 Too Many Requests",
        "insufficient_quota",
        none,
        "own answers 429 Too Many Requests: It says so; see the plan and the bills there, or ask another model",
    );
    for (status, code) in
        [("500 Internal Server Error", "server_error"), ("529 Overloaded", "overloaded_error")]
    {
        let shown = status.trim_end_matches(" Overloaded");
        let expected = format!("own answers {shown}: It says so; see the other side, or ask another model");
        check(status, code, none, &expected);
    }
    check(
        "404 Not Found",
        "model_not_found",
        none,
        "own answers 404 Not Found: It says so; see `model` and `url` of its description: `cuelight model show own`",
    );
    check(
        "400 Bad Request",
        "context_length_exceeded",
        none,
        "own answers 400 Bad Request: It says so; see what it was asked; its answer stands in the log",
    );
}

#[test]
fn how_long_to_wait_is_read_where_each_of_them_says_it() {
    let rate = |format, name: &str, field: &str| {
        answer(format, refusal("429 Too Many Requests", &document(name)).with(field)).retry_after
    };
    assert_eq!(rate(Format::Anthropic, "anthropic-rate.json", "Retry-After: 7"), Some(Span::seconds(7)));
    assert_eq!(rate(Format::OpenAi, "openai-rate.json", "X-None: 1"), None);
    assert_eq!(rate(Format::Gemini, "gemini-rate.json", "X-None: 1"), Some(Span::seconds(28)));
}

#[test]
fn a_stream_that_breaks_off_is_no_answer() {
    use FailureMode::{AgentValidation, ResourceApi, SystemNetwork};
    for (format, name) in FORMATS {
        let document = document(name);
        let half = document.find("is sound").expect("it says so");
        fails(format, stream(&document).cut(half), SystemNetwork, "see the network");
        fails(format, stream(&document).short(half), SystemNetwork, "before the answer was at its end");
    }
    let broken = document("anthropic-overloaded.sse");
    let answer = fails(Format::Anthropic, stream(&broken), ResourceApi, "broke its answer off: Overloaded");
    assert_eq!(answer.outputs["input-tokens"], json!(100), "what it has used is known");
    fails(Format::OpenAi, stream("data: {\"choices\": [\n\n"), ResourceApi, "an event that is no JSON");
    let whole = stream("{}").kind("application/json");
    let answer = fails(Format::OpenAi, whole, ResourceApi, "where a stream of events was expected");
    assert_eq!(answer.outputs.get("tokens"), None, "nobody knows what that answer has cost");
    fails(Format::OpenAi, says("  \n", 1, 1), AgentValidation, "answers nothing");
    fails(Format::OpenAi, stream(&"x".repeat(1 << 21)), ResourceApi, "an event of more than");
}

/// A model's request for a tool is never carried out: no tool is offered.
#[test]
fn a_model_that_calls_a_tool_or_approves_itself_does_nothing() {
    let tool = document("anthropic-tool.sse");
    fails(Format::Anthropic, stream(&tool), FailureMode::AgentContract, "asks for the tool `approve_gate`");
    let blocked = document("gemini-blocked.sse");
    fails(
        Format::Gemini,
        stream(&blocked),
        FailureMode::AgentContract,
        "will not answer that (PROHIBITED_CONTENT)",
    );
}

fn wants_score(format: Format, url: &str) -> ModelCall {
    let schema = json!({
        "type": "object", "required": ["score", "notes"],
        "properties": {"score": {"type": "number", "maximum": 1}, "notes": {"type": "array", "items": {"type": "string"}}},
    });
    ModelCall { schema: Some(schema), ..call(format, url) }
}

#[test]
fn an_answer_that_does_not_fit_is_shown_where_it_is_wrong_once() {
    let right = "```json\n{\"score\": 0.5, \"notes\": [], \"tokens\": 0}\n```";
    let provider = Provider::play(vec![says(r#"{"score": 7, "notes": [1]}"#, 100, 10), says(right, 150, 20)]);
    let desk = Desk::new();
    let answer = desk.ask(wants_score(Format::OpenAi, &provider.url()));
    assert_eq!(answer.failure(), None);
    let of = |name: &str| answer.outputs[name].clone();
    assert_eq!((of("score"), of("repaired")), (json!(0.5), json!(true)));
    assert_eq!(of("result"), json!({"score": 0.5, "notes": [], "tokens": 0}));
    assert_eq!(
        (of("tokens"), of("input-tokens")),
        (json!(280), json!(250)),
        "both are counted, and no answer counts itself"
    );
    provider.heard();
    let second = provider.heard();
    let said = second.body["messages"][3]["content"].as_str().expect("a message");
    assert!(
        said.contains("`score`: 7 is greater than the maximum of 1; `notes[0]`: 1 is not of type \"string\""),
        "{said}"
    );
    assert_eq!(
        second.body["messages"][2],
        json!({"role": "assistant", "content": r#"{"score": 7, "notes": [1]}"#})
    );
    assert!(desk.log().contains("it is asked once more"), "{}", desk.log());
}

#[test]
fn an_answer_that_is_wrong_twice_has_failed() {
    let provider =
        Provider::play(vec![says("no JSON", 1, 1), says("{\"score\": 1}", 2, 2), says("{}", 1, 1)]);
    let answer = Desk::new().ask(wants_score(Format::OpenAi, &provider.url()));
    let failure = answer.failure().expect("it fails");
    assert_eq!(failure.mode, FailureMode::AgentValidation);
    assert!(
        failure.message.contains("\"notes\" is a required property, also when asked once more"),
        "{}",
        failure.message
    );
    assert_eq!((provider.asked(), answer.outputs["tokens"].clone()), (2, json!(6)));
}

#[test]
fn each_format_is_held_to_a_schema_as_it_can_be() {
    let mut asked = Vec::new();
    for (format, _) in FORMATS {
        let provider = Provider::play(vec![refusal("500 Internal Server Error", "")]);
        Desk::new().ask(wants_score(format, &provider.url()));
        let body = provider.heard().body;
        let named = ["response_format", "output_config", "generationConfig"].map(|key| body[key].clone());
        asked.push(json!({"format": named, "system": body["system"].as_str().or(body["messages"][0]["content"].as_str())}));
    }
    insta::with_settings!({snapshot_path => "../snapshots"}, {
        insta::assert_snapshot!(serde_json::to_string_pretty(&asked).expect("JSON"));
    });
}

#[test]
fn a_key_is_sent_and_never_told() {
    let provider = Provider::play(vec![
        says(&format!("Your key is {KEY}."), 1, 1),
        refusal("401 Unauthorized", &format!("{{\"error\": {{\"message\": \"wrong key {KEY}\"}}}}")),
    ]);
    let desk = Desk::new();
    let answer = desk.ask(call(Format::OpenAi, &provider.url()));
    assert_eq!(answer.outputs["text"], "Your key is ***.");
    assert_eq!(provider.heard().field("authorization"), format!("Bearer {KEY}"));
    let failed = desk.ask(call(Format::OpenAi, &provider.url())).failure().expect("it fails");
    let all = format!("{} {} {answer:?}", desk.log(), failed.message);
    assert!(!all.contains("t3st"), "{all}");
}

#[test]
fn a_model_is_asked_where_a_request_may_go_and_nowhere_else() {
    let provider = Provider::play(vec![says("in", 1, 1)]);
    let desk = Desk { private: Vec::new(), ..Desk::new() };
    let refused = desk.ask(call(Format::OpenAi, &provider.url()));
    assert_eq!(refused.failure().map(|failure| failure.mode), Some(FailureMode::PolicySecurity));
    assert!(!refused.may_have_happened);
    let away = ModelCall { key: Some("OTHER".to_owned()), ..call(Format::OpenAi, &provider.url()) };
    let refused = Desk::new().ask(away).failure().expect("it fails");
    assert!(refused.message.contains("secret OTHER is not set"), "{}", refused.message);
    assert_eq!(provider.asked(), 0, "no connection was made");
}

#[test]
fn what_is_larger_than_an_output_is_in_the_log_alone() {
    let word = "long ".repeat(100_000);
    let provider = Provider::play(vec![says(&word, 1, 1)]);
    let desk = Desk::new();
    let answer = desk.ask(call(Format::OpenAi, &provider.url()));
    assert_eq!((answer.failure(), &answer.outputs["text"]), (None, &Value::Null));
    assert!(desk.log().contains(&word));
    let escapes = "\u{1}".repeat(200_000);
    let provider = Provider::play(vec![says(&escapes, 1, 1)]);
    assert_eq!(Desk::new().ask(call(Format::OpenAi, &provider.url())).outputs["text"], Value::Null);
}

#[test]
fn a_call_that_is_ended_leaves_nothing_open() {
    let (_never, wait) = sync_channel(1);
    let document = document("anthropic.sse");
    let first = document.find("is sound").expect("it says so") - 20;
    let provider = Provider::play(vec![stream(&document).waits(first, wait)]);
    let cancel = CancellationToken::new();
    let answer = Desk::new().ask_until(call(Format::Anthropic, &provider.url()), &cancel, |bytes| {
        if bytes.ends_with(b"The change ") {
            cancel.cancel();
        }
    });
    assert_eq!((answer.ended, answer.outputs.len()), (Ended::Cancelled, 0));
}

#[test]
fn a_model_that_never_stops_is_ended_when_its_time_is_up() {
    let word = json!({"choices": [{"index": 0, "delta": {"content": "and on "}}]});
    let provider = Provider::play(vec![stream(&format!("data: {word}\n\n").repeat(2000)).endless()]);
    let model = call(Format::OpenAi, &provider.url());
    let after = Span(300);
    let answer = Desk::new().ask_for(after, model, &CancellationToken::new(), |_| {});
    assert_eq!(answer.ended, Ended::TimedOut { after });
}

#[test]
fn a_stand_in_asks_nobody_and_says_so() {
    let desk = Desk::new();
    let model = ModelCall { key: None, url: String::new(), ..wants_score(Format::StandIn, "") };
    let answer = desk.ask(model.clone());
    assert_eq!((answer.failure(), &answer.outputs["answered-by"]), (None, &json!("stand-in")));
    assert_eq!(answer.outputs["result"], desk.ask(model).outputs["result"]);
    assert!(desk.log().starts_with("stand-in: no model is asked"), "{}", desk.log());
}

const TOOLS: [(Format, &str); 3] = [
    (Format::OpenAi, "openai-tools.sse"),
    (Format::Anthropic, "anthropic-tools.sse"),
    (Format::Gemini, "gemini-tools.sse"),
];

fn with_tools(format: Format, url: &str) -> ModelCall {
    let tool = |name: &str| OfferedTool {
        name: name.to_owned(),
        description: "What it does".to_owned(),
        input: json!({"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}}),
    };
    ModelCall { tools: vec![tool("file_read"), tool("file_write")], ..call(format, url) }
}

/// Several in one answer, in pieces as they come, with what was said beside.
#[test]
fn each_format_asks_for_tools_in_its_own_words_and_is_told_what_came_of_it() {
    let mut asked = Vec::new();
    for (format, name) in TOOLS {
        for in_bytes in [false, true] {
            let part = stream(&document(name));
            let provider =
                Provider::play(vec![if in_bytes { part.in_bytes() } else { part }, says("", 1, 1)]);
            let desk = Desk::new();
            let first = desk.ask(with_tools(format, &provider.url()));
            assert_eq!(first.failure(), None, "{name}");
            assert_eq!(
                (&first.outputs["text"], &first.outputs["finish"], &first.outputs["tokens"]),
                (&json!("I look first."), &json!("tools"), &json!(127)),
                "{name}"
            );
            let log = desk.log();
            assert!(
                log.contains("— asks for file_read: {\"path\":\"a.txt\"} —") && !log.contains('\u{1b}'),
                "{log}"
            );
            let calls = calls_asked(&first.outputs);
            let given: Vec<Option<&Value>> = calls
                .iter()
                .map(|call| {
                    call.arguments
                        .as_ref()
                        .and_then(|arguments| arguments.get("text").or(arguments.get("path")))
                })
                .collect();
            assert_eq!(given, [Some(&json!("a.txt")), Some(&json!("\u{1b}[2Jx"))], "{name}");
            let done = |text: &str, is_error| ToolResult { text: text.to_owned(), is_error };
            let round = ToolRound {
                text: "I look first.".to_owned(),
                calls,
                results: vec![done("{\"text\":\"well\"}", false), done("refused by a person: no", true)],
            };
            desk.ask(ModelCall { rounds: vec![round], ..with_tools(format, &provider.url()) });
            if !in_bytes {
                let [first, second] = [provider.heard().body, provider.heard().body];
                let said =
                    |body: &Value| body["messages"].as_array().or(body["contents"].as_array()).cloned();
                let (before, after) = (said(&first).expect("messages"), said(&second).expect("messages"));
                assert_eq!(before[..], after[..before.len()], "what was said stays as it was");
                asked.push(json!({"tools": first["tools"], "told": after[before.len()..]}));
            }
        }
    }
    insta::with_settings!({snapshot_path => "../snapshots"}, {
        insta::assert_snapshot!(serde_json::to_string_pretty(&asked).expect("JSON"));
    });
}

#[test]
fn what_breaks_off_in_the_middle_of_a_call_is_no_call() {
    for (format, name) in TOOLS {
        let document = document(name);
        let half = document.find("file_write").expect("it asks for it");
        let provider = Provider::play(vec![stream(&document).short(half)]);
        let answer = Desk::new().ask(with_tools(format, &provider.url()));
        let failure = answer.failure().expect("it fails");
        assert!(
            failure.mode == FailureMode::SystemNetwork || failure.mode == FailureMode::ResourceApi,
            "{failure:?}"
        );
        assert!(calls_asked(&answer.outputs).is_empty(), "{name}");
    }
}

/// Or whoever reads the log or the next question could read it.
#[test]
fn a_secret_in_what_a_model_asks_for_is_never_kept() {
    let given = format!("{{\"path\": \"{KEY}\"}}");
    let provider = Provider::play(vec![asks(&[("a", "file_read", &given)])]);
    let desk = Desk::new();
    let answer = desk.ask(with_tools(Format::OpenAi, &provider.url()));
    assert_eq!(answer.outputs["calls"][0]["arguments"]["path"], "***");
    assert!(!format!("{} {answer:?}", desk.log()).contains("t3st"));
}
