//! Measures our cost of asking a model, without the model's own. A hundred questions at once against a
//! stand-in on this machine are compared with the same bytes over a bare connection. Also the memory of one
//! answer of 100 MB.
//!
//! `cargo bench --bench models`. Goals: at most 1 ms added to each call, and less than 20 MB for the long
//! answer.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, plays the other side and prints figures"
)]

use cuelight_base::{Digest, Launch, ModelCall, Provider, Span};
use cuelight_tool::{Call, Host, HttpPolicy, SecretStore, run_model};
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const CALLS: usize = 100;
const ROUNDS: usize = 5;
const LONG_BYTES: usize = 100 * 1024 * 1024;
const EVENT: &str = "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
const END: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let dir = tempfile::TempDir::new().expect("a directory");
    let short = serve(1, "word ".repeat(10));
    let (mut asked, mut bare) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        bare.push(timed(&runtime, |_| bare_call(short)));
        asked.push(timed(&runtime, |call| {
            let (root, name) = (dir.path().to_owned(), format!("{round}-{call}"));
            async move { ask(&root, short, &name).await }
        }));
    }
    asked.sort();
    bare.sort();
    let (asked, bare) = (asked[ROUNDS / 2], bare[ROUNDS / 2]);
    let added = asked.saturating_sub(bare) / u32::try_from(CALLS).expect("few");
    println!("{CALLS} calls at once: {asked:?} through the program, {bare:?} bare, {added:?} added to each");

    let word = "x".repeat(16 * 1024);
    let long = serve(LONG_BYTES / word.len(), word);
    let before = peak_kib();
    let start = Instant::now();
    runtime.block_on(ask(dir.path(), long, "long"));
    let grown = peak_kib().saturating_sub(before);
    println!("{} MB streamed in {:?}: memory grew by {} KiB", LONG_BYTES / 1_000_000, start.elapsed(), grown);
}

/// Time until all calls are answered.
fn timed<F: Future<Output = ()> + Send + 'static>(
    runtime: &tokio::runtime::Runtime,
    call: impl Fn(usize) -> F,
) -> Duration {
    let start = Instant::now();
    runtime.block_on(async {
        let calls: Vec<_> = (0..CALLS).map(|index| tokio::spawn(call(index))).collect();
        for call in calls {
            call.await.expect("it does not panic");
        }
    });
    start.elapsed()
}

async fn ask(root: &Path, port: u16, name: &str) {
    let policy = HttpPolicy::read(&[], &["127.0.0.1".to_owned()], None).expect("a policy");
    let secrets = SecretStore::new(BTreeMap::new(), root);
    let host = Host::new(root.to_owned(), Vec::new(), secrets, Span(300)).with_http(policy);
    let model = ModelCall {
        name: "bench".to_owned(),
        provider: Provider::OpenAi,
        url: format!("http://127.0.0.1:{port}/v1"),
        model: "m".to_owned(),
        key: None,
        definition: Digest::default(),
        system: None,
        prompt: "How long does it take?".to_owned(),
        schema: None,
        temperature: None,
        max_tokens: 100,
        price: None,
        tools: Vec::new(),
        rounds: Vec::new(),
    };
    let launch = Launch { model: Some(Box::new(model)), ..Launch::of(["ask", "bench"]) };
    let call = Call {
        tree: None,
        attempt_dir: root.join(name),
        run: "r-1".to_owned(),
        step: "s".to_owned(),
        attempt: name.to_owned(),
        effect_key: "key".to_owned(),
        traceparent: None,
    };
    let answer = run_model(&host, &launch, &call, &CancellationToken::new(), |_| {}).await;
    assert_eq!(answer.failure(), None);
}

/// The same bytes over a connection of its own, read and thrown away.
async fn bare_call(port: u16) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").await.expect("it is sent");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("it is answered");
}

/// A stand-in that says one text so often, to whoever asks.
fn serve(times: usize, text: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let text = Arc::new(format!("{EVENT}{text}\"}},\"finish_reason\":null}}]}}\n\n"));
    let _owner = thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let text = Arc::clone(&text);
            let _owner = thread::spawn(move || answer(stream, &text, times));
        }
    });
    port
}

fn answer(mut stream: TcpStream, text: &str, times: usize) {
    let (mut reader, mut length) = (BufReader::new(stream.try_clone().expect("a copy")), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        if let Some(said) = line.to_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse().expect("a number");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).expect("a body");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("it is sent");
    for _ in 0..times {
        stream.write_all(text.as_bytes()).expect("it is sent");
    }
    stream.write_all(END.as_bytes()).expect("it is sent");
    drop(stream.shutdown(Shutdown::Both));
}

/// The most memory this process has ever had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("its peak");
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number")
}
