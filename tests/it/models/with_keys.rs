//! The examples that ask real models, each to its end against a stand-in for its provider; and what they say without a key.

use super::provider::{Part, Provider, refusal, says, stream};
use crate::run_and_answer::{cuelight, run};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// A workspace in which these models are where the stand-ins are, and these secrets are set.
fn workspace(models: &[(&str, &str, &str, String)], secrets: &[&str]) -> TempDir {
    let dir = TempDir::new().expect("a directory");
    let home = dir.path().join(".cuelight");
    for folder in ["models", "secrets"] {
        fs::create_dir_all(home.join(folder)).expect("a folder");
        fs::set_permissions(home.join(folder), fs::Permissions::from_mode(0o700)).expect("ours alone");
    }
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("ours alone");
    fs::write(home.join("config.toml"), "http-private = [\"127.0.0.1\"]\n").expect("a file");
    for (name, provider, key, url) in models {
        let text = format!("name: {name}\nprovider: {provider}\nmodel: m\nurl: {url}\nkey: {key}\n");
        fs::write(home.join(format!("models/{name}.yaml")), text).expect("a file");
    }
    for name in secrets {
        let file = home.join("secrets").join(name);
        fs::write(&file, format!("value-of-{name}")).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours alone");
    }
    dir
}

/// An event of a stream in Anthropic's format.
fn event(kind: &str, more: &Value) -> String {
    let mut data = more.clone();
    data["type"] = kind.into();
    format!("event: {kind}\ndata: {data}\n\n")
}

/// An answer of Anthropic: a text, and what is asked for besides.
fn claude(text: &str, calls: &[(&str, Value)]) -> Part {
    let usage = json!({"input_tokens": 120, "output_tokens": 1});
    let mut all =
        event("message_start", &json!({"message": {"model": "m", "role": "assistant", "usage": usage}}));
    let mut block = |index: usize, begin: Value, delta: Value| {
        all += &event("content_block_start", &json!({"index": index, "content_block": begin}));
        all += &event("content_block_delta", &json!({"index": index, "delta": delta}));
        all += &event("content_block_stop", &json!({"index": index}));
    };
    block(0, json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": text}));
    for (at, (name, given)) in (1..).zip(calls) {
        let begin = json!({"type": "tool_use", "id": format!("toolu_{at}"), "name": name, "input": {}});
        block(at, begin, json!({"type": "input_json_delta", "partial_json": given.to_string()}));
    }
    let why = if calls.is_empty() { "end_turn" } else { "tool_use" };
    all += &event("message_delta", &json!({"delta": {"stop_reason": why}, "usage": {"output_tokens": 7}}));
    all += &event("message_stop", &json!({}));
    stream(&all)
}

#[test]
fn release_notes_are_written_and_published_after_a_yes_each() {
    let provider = Provider::play(vec![
        claude("I look first.", &[("file_read", json!({"path": "release-notes/changes.txt"}))]),
        claude("", &[("file_write", json!({"path": "release-notes/NOTES.md", "text": "It is faster.\n"}))]),
        claude("I left out the tests.", &[]),
    ]);
    let url = format!("http://127.0.0.1:{}", provider.port);
    let dir = workspace(&[("claude-sonnet", "anthropic", "ANTHROPIC_API_KEY", url)], &["ANTHROPIC_API_KEY"]);
    let told = run(dir.path(), &example("release-notes.yaml"), &["-i", "version=v2"], &[]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    assert_eq!(told.steps("gate.asked"), ["notes/gate-2.1", "publish"], "reading asks nobody");
    let published = fs::read_to_string(dir.path().join("release-notes/published.md"));
    assert_eq!(published.ok().as_deref(), Some("It is faster.\n"));
    assert_eq!(told.output("notes", "text"), "I left out the tests.");
    let heard = provider.heard();
    assert_eq!(heard.field("x-api-key"), "value-of-ANTHROPIC_API_KEY");
    assert!(heard.body["messages"].to_string().contains("the notes of v2"), "{}", heard.body);
}

#[test]
fn release_notes_that_nobody_publishes_leave_nothing() {
    let provider = Provider::play(vec![
        claude("", &[("file_write", json!({"path": "release-notes/NOTES.md", "text": "It is faster.\n"}))]),
        claude("Done.", &[]),
    ]);
    let url = format!("http://127.0.0.1:{}", provider.port);
    let dir = workspace(&[("claude-sonnet", "anthropic", "ANTHROPIC_API_KEY", url)], &["ANTHROPIC_API_KEY"]);
    let told = run(dir.path(), &example("release-notes.yaml"), &[], &["approve", "reject"]);
    assert_eq!(told.state(), "undone", "{told:?}");
    assert!(!dir.path().join("release-notes").exists());
}

#[test]
fn a_review_goes_to_the_local_server_when_gemini_has_no_time() {
    let busy = Provider::play(vec![refusal("429 Too Many Requests", "{}").with("Retry-After: 3000")]);
    let local = Provider::play(vec![says(r#"{"score": 0.9, "risks": ["the price", "the tax"]}"#, 200, 20)]);
    let dir = workspace(
        &[
            ("gemini-flash", "gemini", "GEMINI_API_KEY", busy.url()),
            ("local", "openai", "LOCAL_KEY", local.url()),
        ],
        &["GEMINI_API_KEY", "LOCAL_KEY"],
    );
    let told = run(dir.path(), &example("routed-review.yaml"), &[], &[]);
    assert_eq!((told.state(), told.code), ("completed", Some(0)), "{told:?}");
    assert_eq!(busy.heard().field("x-goog-api-key"), "value-of-GEMINI_API_KEY");
    assert_eq!(local.heard().field("authorization"), "Bearer value-of-LOCAL_KEY");
    let review = fs::read_to_string(dir.path().join("review.txt")).expect("it was told");
    assert_eq!(review, "local says 0.9\nthe price; the tax\n");
}

/// An answer that is not sure of itself is a person's to judge.
#[test]
fn a_review_that_is_not_sure_asks() {
    let local = Provider::play(vec![says(r#"{"score": 0.3, "risks": ["all of it"]}"#, 200, 20)]);
    let gone = "http://127.0.0.1:9/v1".to_owned();
    let dir = workspace(
        &[("gemini-flash", "gemini", "GEMINI_API_KEY", gone), ("local", "openai", "LOCAL_KEY", local.url())],
        &["LOCAL_KEY"],
    );
    let told = run(dir.path(), &example("routed-review.yaml"), &[], &["reject"]);
    assert_eq!(told.steps("gate.asked"), ["review"], "{told:?}");
    assert!(!dir.path().join("review.txt").exists());
}

#[test]
fn without_a_key_each_is_refused_before_it_starts_and_says_which() {
    let local = "http://127.0.0.1:9/v1".to_owned();
    let dir = workspace(&[("local", "openai", "LOCAL_KEY", local)], &[]);
    for (file, why) in [
        (
            "release-notes.yaml",
            "step `notes` asks claude-sonnet, and the secret ANTHROPIC_API_KEY is not set; export it, or write it to .cuelight/secrets/ANTHROPIC_API_KEY",
        ),
        (
            "routed-review.yaml",
            "step `review` asks gemini-flash, and none of the secrets GEMINI_API_KEY, LOCAL_KEY is set; export one, or write it to .cuelight/secrets/NAME",
        ),
    ] {
        let mut command = cuelight(dir.path());
        for name in ["ANTHROPIC_API_KEY", "GEMINI_API_KEY", "LOCAL_KEY"] {
            command.env_remove(name);
        }
        let output = command.arg("run").arg(example(file)).output().expect("it can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("could not start: {why}")), "{said}");
    }
    assert!(!dir.path().join("release-notes").exists(), "nothing was begun");
}
