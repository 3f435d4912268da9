//! The API held against its own description by programs of other people, where `tests/all` could bring them: schemathesis asks whatever the
//! description allows and whatever it does not, in order and out of it, and promtool reads the figures as Prometheus does.

use crate::program::{Place, until};
use std::{
    io::Write as _,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// All permissions that an agent may have; only a person may have more.
const PERMISSIONS: &str = "read_context,write_results,publish_events,spawn_agents,read_gates,view_metrics,manage_agents,clear_cache";

/// Waits are short, or a phase would take hours; and what no schema can say is no fault: an event that is to be said exactly once needs an id, in the
/// body or in the head; a value is not as it was read, and of two conditions one is meant.
const SETTINGS: &str = r#"
[parameters]
"query.timeout" = 5
"query.wait" = 5

[[operations]]
include-operation-id = "PublishEvent"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "403", "409"]

[[operations]]
include-operation-id = ["SetValue", "RemoveValue"]
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "404", "409", "412"]
"#;

/// A program that `tests/all` has brought.
fn brought(path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(path);
    if file.exists() {
        return Some(file);
    }
    println!("skipped: no {path} in target; tests/all brings it where it can be had");
    None
}

/// Number of requests of each operation in each phase.
fn examples() -> String {
    std::env::var("CUELIGHT_API_EXAMPLES").unwrap_or_else(|_| "20".to_owned())
}

#[test]
fn whatever_is_asked_nothing_breaks_and_every_answer_is_one_that_was_described() {
    let Some(schemathesis) = brought("python/bin/schemathesis") else { return };
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let place = Place::new();
    place.write("hello.yaml", "name: hello\nsteps: [{id: a, run: echo}]\n");
    place.write("schemathesis.toml", SETTINGS);
    let _engine = place.start(&["serve", "--listen", &free.to_string()]);
    until("it listens", || TcpStream::connect(free).is_ok());
    // Architects may ask as much as they like.
    let token = ["token", "--agent", "a-1", "--type", "architect", "--permissions", PERMISSIONS];
    let token = place.cue(&token).ok().out;
    let told = Command::new("timeout")
        .arg("1200")
        .arg(schemathesis)
        .args(["run", &format!("http://{free}/openapi.json"), "--checks", "all"])
        .args(["-H", &format!("Authorization: Bearer {}", token.trim())])
        // A stream that has no end has tests of its own.
        .args(["--exclude-path", "/api/events/stream"])
        .args(["--max-examples", &examples(), "--seed", "1", "--generation-deterministic", "--no-color"])
        .current_dir(place.path())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&told.stdout);
    println!(
        "{}",
        said.lines().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    );
    assert!(told.status.success(), "{said}\n{}", String::from_utf8_lossy(&told.stderr));
    // It has not only been refused everything.
    assert!(place.runs().len() > 1 && !place.gates().is_empty(), "{said}");
}

#[test]
fn prometheus_finds_nothing_wrong_with_the_figures() {
    let Some(promtool) = brought("prometheus/usr/bin/promtool") else { return };
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let place = Place::new();
    let _engine = place.start(&["serve", "--listen", &free.to_string()]);
    until("it listens", || TcpStream::connect(free).is_ok());
    let place = place.with("SIDECAR_URL", &format!("http://{free}"));
    place.cue(&["api", "/health"]).ok();
    let figures = place.cue(&["api", "/metrics"]).ok().out;
    let mut judge = Command::new(promtool);
    let judge =
        judge.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut judge = judge.spawn().expect("it starts");
    judge.stdin.take().expect("open").write_all(figures.as_bytes()).expect("read");
    let told = judge.wait_with_output().expect("it ends");
    let said = [told.stdout, told.stderr].concat();
    assert!(told.status.success() && said.is_empty(), "{}\n{figures}", String::from_utf8_lossy(&said));
}
