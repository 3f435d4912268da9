//! Requests, at three doors: what one host sends and takes, what the checker says, and what a run makes of it.
//!
//! The other side is a listener of the test on 127.0.0.1, which plays its part by hand: bytes in, bytes out. Nothing
//! leaves the machine.

use crate::run_and_answer::{STATE, own, program, run, say};
use cuelight_base::{FailureMode, HttpCall, HttpExpect, Launch, Span, TextPart, Value};
use cuelight_definition::Files;
use cuelight_tool::{Answer, Call, Ended, Host, HttpPolicy, Secret, SecretStore, run_http};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A received request: the first line and the fields, in lower case, and the body.
#[derive(Clone, Debug, Default, PartialEq)]
struct Heard {
    line: String,
    fields: Vec<(String, String)>,
    body: String,
}

impl Heard {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.0 == name).map(|field| field.1.as_str())
    }
}

/// A server that answers each connection with the next part, then is gone.
struct Server {
    port: u16,
    heard: Receiver<Heard>,
}

type Part = Box<dyn FnOnce(&mut TcpStream) + Send>;

impl Server {
    fn play(parts: Vec<Part>) -> Self {
        Self::start(parts, true)
    }

    /// One that listens to nothing before its part: what comes first is no HTTP.
    fn silent(parts: Vec<Part>) -> Self {
        Self::start(parts, false)
    }

    fn start(parts: Vec<Part>, listens: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (tell, heard) = sync_channel(64);
        #[expect(clippy::disallowed_methods, reason = "the other side is no part of the program")]
        let _owner = thread::spawn(move || {
            for part in parts {
                let Ok((mut stream, _)) = listener.accept() else { return };
                if let Some(heard) = Some(()).filter(|()| listens).and_then(|()| hear(&stream)) {
                    drop(tell.try_send(heard));
                }
                part(&mut stream);
                drop(stream.shutdown(Shutdown::Write));
                // What is still on its way is read, or the system would answer with a reset.
                drop(stream.read(&mut [0; 1024]));
            }
        });
        Self { port, heard }
    }

    /// The same answers, as texts.
    fn says<S: Into<String>>(answers: impl IntoIterator<Item = S>) -> Self {
        Self::play(answers.into_iter().map(|answer| says(answer)).collect())
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn heard(&self) -> Heard {
        self.heard.recv().expect("it was asked")
    }

    fn was_asked(&self) -> bool {
        self.heard.try_recv().is_ok()
    }
}

fn says(text: impl Into<String>) -> Part {
    let text = text.into();
    Box::new(move |stream| drop(stream.write_all(text.as_bytes())))
}

fn hear(stream: &TcpStream) -> Option<Heard> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut heard = Heard { line: line.trim().to_owned(), ..Heard::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => heard.fields.push((name.to_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let length =
        heard.field("content-length").and_then(|content_length| content_length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    heard.body = String::from_utf8(body).ok()?;
    Some(heard)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn status(line: &str, more: &str) -> String {
    format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n{more}\r\n")
}

fn text(text: &str) -> Vec<TextPart> {
    vec![TextPart::Text(text.to_owned())]
}

fn get(url: &str) -> HttpCall {
    HttpCall {
        method: "GET".to_owned(),
        url: text(url),
        headers: Vec::new(),
        body: None,
        expect: HttpExpect::default(),
        redirects: 0,
        bytes_max: 1 << 30,
        keyed: false,
        foreign_host: false,
    }
}

fn post(url: &str, body: &str) -> HttpCall {
    HttpCall { method: "POST".to_owned(), body: Some(body.to_owned()), ..get(url) }
}

/// A workspace that sends.
struct Desk {
    dir: TempDir,
    private: Vec<String>,
    hosts: Vec<String>,
    limit: u64,
    timeout: Span,
    authorities: Option<PathBuf>,
}

impl Desk {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let private = vec!["127.0.0.1".to_owned()];
        Self {
            dir,
            private,
            hosts: Vec::new(),
            limit: 1 << 20,
            timeout: Span::seconds(20),
            authorities: None,
        }
    }

    fn send(&self, call: HttpCall) -> Answer {
        self.send_until(call, &CancellationToken::new(), |_| {})
    }

    fn send_until(
        &self,
        call: HttpCall,
        cancel: &CancellationToken,
        mut heard: impl FnMut(u64) + Send,
    ) -> Answer {
        let secrets = BTreeMap::from([
            ("TOKEN".to_owned(), Secret::new("s3cr3t-t0ken")),
            ("EVIL".to_owned(), Secret::new("abcd\r\nX-Evil: 1")),
        ]);
        let secrets = SecretStore::new(secrets, self.dir.path());
        let policy =
            HttpPolicy::read(&self.hosts, &self.private, self.authorities.clone()).expect("a policy");
        let host = Host::new(self.dir.path().to_owned(), Vec::new(), secrets, Span(300)).with_http(policy);
        let launch = Launch {
            timeout: Some(self.timeout),
            output_limit: self.limit,
            http: Some(Box::new(call)),
            ..Launch::of(["GET"])
        };
        drop(fs::remove_dir_all(self.dir.path().join("attempt")));
        let call = Call {
            tree: None,
            attempt_dir: self.dir.path().join("attempt"),
            run: "r-1".to_owned(),
            step: "s".to_owned(),
            attempt: "r-1.0.1".to_owned(),
            effect_key: "key-7".to_owned(),
            traceparent: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run_http(&host, &launch, &call, cancel, |progress| heard(progress.total)))
    }

    fn log(&self) -> Vec<u8> {
        fs::read(self.dir.path().join("attempt/log")).unwrap_or_default()
    }

    #[track_caller]
    fn fails(&self, call: HttpCall, mode: FailureMode, part: &str) -> Answer {
        let answer = self.send(call);
        let failure = answer.failure().expect("it fails");
        assert_eq!(failure.mode, mode, "{}", failure.message);
        assert!(failure.message.contains(part), "{}", failure.message);
        answer
    }
}

#[test]
fn an_answer_becomes_outputs_and_stands_in_the_log() {
    let (desk, body) = (Desk::new(), r#"{"state": "up", "n": [1, 2]}"#);
    let more = "Content-Type: application/json\r\nSet-Cookie: id=1\r\nX-A: 1\r\nx-a: 2\r\n";
    let server =
        Server::says([format!("HTTP/1.1 200 OK\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len())]);
    let expect = HttpExpect { status: vec![200, 201], json: vec![("n[1]".to_owned(), json!(2))] };
    let answer = desk.send(HttpCall { expect, ..get(&server.url("/a?b=c")) });
    assert_eq!(answer.failure(), None);
    assert_eq!((&answer.outputs["status"], &answer.outputs["json"]["state"]), (&json!(200), &json!("up")));
    assert_eq!((&answer.outputs["body"], &answer.outputs["bytes"]), (&json!(body), &json!(body.len())));
    let headers = &answer.outputs["headers"];
    assert_eq!((&headers["x-a"], headers.get("set-cookie")), (&json!("1, 2"), None));
    let log = String::from_utf8(desk.log()).expect("text");
    assert_eq!(log, format!("GET http://127.0.0.1:{}: 200 OK, application/json\n{body}", server.port));
    let heard = server.heard();
    assert_eq!((heard.line.as_str(), heard.field("accept")), ("GET /a?b=c HTTP/1.1", Some("*/*")));
    assert_eq!(heard.field("host"), Some(format!("127.0.0.1:{}", server.port).as_str()));
}

#[test]
fn a_secret_is_sent_and_never_told() {
    let desk = Desk::new();
    let server = Server::says([ok("you sent s3cr3t-t0ken, czNjcjN0LXQwa2Vu")]);
    let bearer = vec![TextPart::Text("Bearer ".to_owned()), TextPart::Secret("TOKEN".to_owned())];
    let mut url = text(&server.url("/hook/"));
    url.push(TextPart::Secret("TOKEN".to_owned()));
    let headers = vec![("Authorization".to_owned(), bearer)];
    let answer = desk.send(HttpCall { url, headers, ..get("") });
    assert_eq!(answer.failure(), None);
    assert_eq!(answer.outputs["body"], json!("you sent ***, ***"));
    assert!(!String::from_utf8_lossy(&desk.log()).contains("s3cr3t"), "the log is masked");
    let heard = server.heard();
    assert_eq!(heard.line, "GET /hook/s3cr3t-t0ken HTTP/1.1");
    assert_eq!(heard.field("authorization"), Some("Bearer s3cr3t-t0ken"));
}

#[test]
fn a_line_break_in_a_value_begins_no_header_field() {
    let (desk, server) = (Desk::new(), Server::says([ok("")]));
    for evil in [text("x\r\nX-Evil: 1"), text("x\n"), text("\0"), vec![TextPart::Secret("EVIL".to_owned())]] {
        let headers = vec![("X-Note".to_owned(), evil.clone())];
        desk.fails(
            HttpCall { headers, ..get(&server.url("/")) },
            FailureMode::UserInvalidInput,
            "X-Note holds what no field can",
        );
        let url = [text(&server.url("/")), evil].concat();
        desk.fails(HttpCall { url, ..get("") }, FailureMode::UserInvalidInput, "cannot be one");
    }
    assert!(!server.was_asked(), "nothing was sent");
}

#[test]
fn this_machine_and_its_network_are_reached_only_where_the_workspace_says_so() {
    let (mut desk, server) = (Desk::new(), Server::says([ok("in")]));
    desk.private = Vec::new();
    for host in ["127.0.0.1", "localhost", "a.localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let url = format!("http://{host}:{}/", server.port);
        let answer = desk.fails(get(&url), FailureMode::PolicySecurity, "is no public address");
        assert!(!answer.may_have_happened);
    }
    for host in ["127.1", "0x7f000001", "2130706433", "017700000001", "good@127.0.0.1", "[fe80::1%25lo]"] {
        let url = format!("http://{host}:{}/", server.port);
        desk.fails(get(&url), FailureMode::UserInvalidInput, "cannot be one");
    }
    for metadata in
        ["http://169.254.169.254/latest", "http://[fd00:ec2::254]/", "http://10.0.0.1/", "http://100.64.0.1/"]
    {
        desk.fails(get(metadata), FailureMode::PolicySecurity, "http-private");
    }
    assert!(!server.was_asked(), "no connection was made");
    desk.private = vec![format!("127.0.0.1:{}", server.port)];
    desk.hosts = vec!["api.example.com".to_owned()];
    desk.fails(get(&server.url("/")), FailureMode::PolicyAllowlist, "http-hosts");
    desk.hosts = Vec::new();
    let foreign = HttpCall { foreign_host: true, ..get(&server.url("/")) };
    desk.fails(foreign.clone(), FailureMode::PolicyAllowlist, "comes from another step");
    assert!(!server.was_asked(), "no connection was made");
    desk.hosts = vec![format!("127.0.0.1:{}", server.port)];
    assert_eq!(desk.send(foreign).failure(), None);
}

#[test]
fn a_redirect_is_judged_as_the_first_address_was() {
    let found = |to: &str| status("302 Found", &format!("Location: {to}\r\n"));
    let following = |url: &str| HttpCall { redirects: 2, ..get(url) };
    let mut desk = Desk::new();
    let inner = Server::says([ok("in")]);
    let outer = Server::says([
        found(&inner.url("/in")),
        found(&inner.url("/in")),
        found("/again"),
        found("/and"),
        found("/on"),
    ]);
    desk.private = vec![format!("127.0.0.1:{}", outer.port)];
    desk.fails(get(&outer.url("/")), FailureMode::UserInvalidInput, "answers 302 Found to http://127.0.0.1");
    desk.fails(following(&outer.url("/")), FailureMode::PolicySecurity, "is no public address");
    assert!(!inner.was_asked(), "no connection was made");
    desk.fails(following(&outer.url("/")), FailureMode::UserInvalidInput, "no more than 2 are followed");
    let outer =
        Server::says([found("http://169.254.169.254/"), found("gopher://a/"), found(&inner.url("/in?x"))]);
    desk.private = vec!["127.0.0.0/8".to_owned()];
    desk.fails(following(&outer.url("/")), FailureMode::PolicySecurity, "169.254.169.254");
    desk.fails(following(&outer.url("/")), FailureMode::UserInvalidInput, "cannot be followed");
    let headers = vec![
        ("Authorization".to_owned(), text("Basic x")),
        ("X-Key".to_owned(), vec![TextPart::Secret("TOKEN".to_owned())]),
        ("X-Plain".to_owned(), text("1")),
    ];
    let answer = desk.send(HttpCall { headers, keyed: true, ..following(&outer.url("/")) });
    assert_eq!((answer.failure(), &answer.outputs["body"]), (None, &json!("in")));
    let heard = inner.heard();
    assert_eq!((heard.line.as_str(), heard.field("x-plain")), ("GET /in?x HTTP/1.1", Some("1")));
    for private in ["authorization", "x-key", "idempotency-key"] {
        assert_eq!(heard.field(private), None, "{private} goes to the first host alone");
    }
}

#[test]
fn a_body_goes_to_no_other_host_than_the_one_it_was_meant_for() {
    let (desk, inner) = (Desk::new(), Server::says([ok("in")]));
    let moved = |code: &str, to: &str| status(code, &format!("Location: {to}\r\n"));
    let outer = Server::says([
        moved("307 Temporary Redirect", &inner.url("/")),
        moved("308 Permanent Redirect", "/there"),
        ok("1"),
        moved("303 See Other", "/done"),
        ok("2"),
    ]);
    let call = || HttpCall { redirects: 1, ..post(&outer.url("/"), "deploy") };
    let refused = desk.fails(call(), FailureMode::PolicySecurity, "redirect of a POST to another host");
    assert!(!refused.may_have_happened && !inner.was_asked());
    assert_eq!(desk.send(call()).outputs["body"], json!("1"));
    assert_eq!(desk.send(call()).outputs["body"], json!("2"));
    let lines: Vec<(String, String)> =
        (0..5).map(|_| outer.heard()).map(|heard| (heard.line, heard.body)).collect();
    let line = |line: &str, body: &str| (format!("{line} HTTP/1.1"), body.to_owned());
    assert_eq!(
        lines[1..],
        [
            line("POST /", "deploy"),
            line("POST /there", "deploy"),
            line("POST /", "deploy"),
            line("GET /done", "")
        ]
    );
}

#[test]
fn a_status_says_what_failed_and_when_to_come_back() {
    let desk = Desk::new();
    let server = Server::says([
        status("429 Too Many Requests", "Retry-After: 7\r\n"),
        status(
            "503 Service Unavailable",
            "Date: Wed, 21 Oct 2026 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2026 07:28:30 GMT\r\n",
        ),
        status("404 Not Found", ""),
        status("502 Bad Gateway", ""),
        ok(r#"{"state": "down"}"#),
        ok("no JSON"),
    ]);
    let busy =
        desk.fails(get(&server.url("/")), FailureMode::PolicyRateLimit, "answers 429 Too Many Requests");
    assert_eq!((busy.retry_after, busy.may_have_happened), (Some(Span::seconds(7)), false));
    assert_eq!(
        desk.fails(get(&server.url("/")), FailureMode::ResourceApi, "503").retry_after,
        Some(Span::seconds(30))
    );
    desk.fails(
        get(&server.url("/")),
        FailureMode::UserInvalidInput,
        "answers 404 Not Found, where success was expected",
    );
    assert!(desk.fails(post(&server.url("/"), ""), FailureMode::ResourceApi, "502").may_have_happened);
    let expect = HttpExpect { status: vec![200], json: vec![("state".to_owned(), json!("up"))] };
    let asking = || HttpCall { expect: expect.clone(), ..get(&server.url("/")) };
    desk.fails(
        asking(),
        FailureMode::AgentValidation,
        "`state` of its answer is \"down\", where \"up\" was expected",
    );
    desk.fails(asking(), FailureMode::AgentValidation, "is no JSON");
}

#[test]
fn whoever_breaks_off_leaves_the_outcome_unknown_once_something_was_sent() {
    let desk = Desk::new();
    let server = Server::says([
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ]);
    for (mode, part) in [
        (FailureMode::SystemNetwork, "closed the connection in the middle"),
        (FailureMode::SystemNetwork, "end of file before message length reached"),
        (FailureMode::ResourceApi, "is no HTTP"),
        (FailureMode::SystemNetwork, "broke off"),
    ] {
        assert!(desk.fails(post(&server.url("/"), "x"), mode, part).may_have_happened, "{part}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let refused = desk.fails(
        post(&format!("http://{nobody}/"), "x"),
        FailureMode::SystemNetwork,
        "could not be reached",
    );
    assert!(!refused.may_have_happened, "no byte of it left");
    let plain = Server::silent(vec![says(status("400 Bad Request", ""))]);
    let url = plain.url("/").replace("http:", "https:");
    assert!(!desk.fails(get(&url), FailureMode::SystemNetwork, "agree on encryption").may_have_happened);
}

#[test]
fn whoever_answers_drop_by_drop_or_without_end_is_left() {
    let mut desk = Desk::new();
    desk.timeout = Span(300);
    let drip = || -> Part {
        Box::new(|stream| {
            // Ends when nobody reads any more.
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\n"));
            drop(stream.set_read_timeout(Some(std::time::Duration::from_millis(20))));
            while !matches!(stream.read(&mut [0; 16]), Ok(0)) && stream.write_all(b"X-A: 1\r\n").is_ok() {}
        })
    };
    let endless: Part = Box::new(|stream| {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n"));
        while stream.write_all(b"X-A: 1\r\n").is_ok() {}
    });
    let server = Server::play(vec![drip(), endless]);
    let slow = desk.fails(post(&server.url("/"), "x"), FailureMode::SystemTimeout, "ran longer than 300ms");
    assert!(slow.may_have_happened);
    desk.timeout = Span::seconds(20);
    let endless = desk.fails(get(&server.url("/")), FailureMode::ResourceApi, "is no HTTP");
    assert!(endless.outputs.is_empty());
}

#[test]
fn somebody_who_cancels_is_heard_in_the_middle_of_an_answer() {
    let desk = Desk::new();
    let endless: Part = Box::new(|stream| {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let (server, cancel) = (Server::play(vec![endless]), CancellationToken::new());
    let answer = desk.send_until(get(&server.url("/")), &cancel, |total| {
        if total > 100_000 {
            cancel.cancel();
        }
    });
    assert_eq!(answer.ended, Ended::Cancelled);
    assert!(answer.output_bytes > 100_000 && answer.may_have_happened);
}

#[test]
fn an_answer_that_is_larger_than_it_may_be_is_left() {
    let (mut desk, server) =
        (Desk::new(), Server::says([ok("12345"), "HTTP/1.1 200 OK\r\n\r\n12345".to_owned()]));
    for _ in 0..2 {
        let call = HttpCall { bytes_max: 4, ..get(&server.url("/")) };
        desk.fails(call, FailureMode::ResourceQuota, "more than 4 bytes");
    }
    desk.limit = 1000;
    let server = Server::says([ok(&"x".repeat(5000))]);
    let answer = desk.send(get(&server.url("/")));
    assert_eq!((answer.failure(), &answer.outputs["bytes"]), (None, &json!(5000)));
    let files = fs::read_dir(desk.dir.path().join("attempt")).expect("it is there");
    let kept: u64 = files.map(|file| file.and_then(|entry| entry.metadata()).expect("a file").len()).sum();
    assert!(kept <= desk.limit && answer.output_bytes > 5000, "{kept} bytes are kept");
}

#[test]
fn a_large_answer_is_read_whole_and_held_by_nobody() {
    const BYTES: usize = 100 * 1024 * 1024;
    let (almost, sent) = sync_channel(1);
    let (go_on, may_end) = sync_channel::<()>(1);
    let large: Part = Box::new(move |stream| {
        almost.try_send(()).unwrap_or(());
        may_end.recv().unwrap_or(());
        drop(stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {BYTES}\r\n\r\n").as_bytes()));
        let piece = vec![b'x'; 1 << 16];
        (1..BYTES / piece.len()).for_each(|_| drop(stream.write_all(&piece)));
        almost.try_send(()).unwrap_or(());
        may_end.recv().unwrap_or(());
        drop(stream.write_all(&piece));
    });
    let server = Server::play(vec![large]);
    let dir = workspace(&server, "");
    own(dir.path());
    let mut command = program(env!("CARGO_BIN_EXE_cuelight"));
    command
        .env("XDG_STATE_HOME", STATE)
        .current_dir(dir.path())
        .args(["tools", "test", "http.get", "--json", "--with"]);
    command.arg(format!("url={}", server.url("/"))).stdout(Stdio::piped());
    let child = command.spawn().expect("the program can be started");
    let peak = || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("Linux tells it");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("it is among what is told");
        line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok()).expect("a number")
    };
    sent.recv().expect("it was asked");
    let before = peak();
    go_on.try_send(()).unwrap_or(());
    sent.recv().expect("all but the last piece is on its way");
    let after = peak();
    go_on.try_send(()).unwrap_or(());
    let output = child.wait_with_output().expect("it has ended");
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&told["bytes"], &told["body"]), (&json!(BYTES), &Value::Null), "{told}");
    assert!(after - before < 20 * 1024, "the peak has grown from {before} to {after} KiB");
}

/// True if certificates can be made here; prints a note if not.
pub(super) fn has_openssl() -> bool {
    let is_there = program("openssl").arg("version").output().is_ok();
    if !is_there {
        println!("skipped: openssl is not here, and the certificates of this test are made with it");
    }
    is_there
}

/// A certificate for this name that nobody has signed but itself, and its key.
pub(super) fn certificate(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (key, signed) = (dir.join(format!("{name}.key")), dir.join(format!("{name}.pem")));
    let mut command = program("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]);
    command.args(["-subj", &format!("/CN={name}"), "-addext", &format!("subjectAltName=DNS:{name}")]);
    command
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&signed);
    let made = command.output().expect("openssl is here");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (key, signed)
}

#[test]
fn a_certificate_counts_only_when_its_authority_and_its_name_do() {
    use rustls::{ServerConfig, ServerConnection, Stream};
    if !has_openssl() {
        return;
    }
    let mut desk = Desk::new();
    let (here, other) =
        (certificate(desk.dir.path(), "desk.localhost"), certificate(desk.dir.path(), "other.test"));
    let part = |(key, signed): &(PathBuf, PathBuf)| -> Part {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let chain = vec![CertificateDer::from_pem_file(signed).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(key).expect("a key");
        let config =
            config.expect("versions").with_no_client_auth().with_single_cert(chain, key).expect("a pair");
        Box::new(move |stream| {
            let mut session = ServerConnection::new(Arc::new(config)).expect("a session");
            let mut stream = Stream::new(&mut session, stream);
            let asked = stream.read(&mut [0; 4096]);
            if asked.is_ok() {
                drop(stream.write_all(ok("kept between us").as_bytes()));
                stream.conn.send_close_notify();
                drop(stream.flush());
            }
        })
    };
    let server = Server::silent(vec![part(&here), part(&other), part(&here)]);
    let url = format!("https://desk.localhost:{}/", server.port);
    let unknown = desk.fails(
        post(&url, "x"),
        FailureMode::PolicySecurity,
        "its certificate was refused (UnknownIssuer",
    );
    assert!(!unknown.may_have_happened, "nothing was said to a stranger");
    let both = desk.dir.path().join("both.pem");
    fs::write(&both, [fs::read(&here.1).expect("read"), fs::read(&other.1).expect("read")].concat())
        .expect("written");
    desk.authorities = Some(both);
    desk.fails(get(&url), FailureMode::PolicySecurity, "its certificate was refused (NotValidForName");
    let answer = desk.send(get(&url));
    assert_eq!((answer.failure(), &answer.outputs["body"]), (None, &json!("kept between us")));
}

#[test]
fn what_is_no_text_is_kept_byte_for_byte_and_given_to_nobody_as_text() {
    let desk = Desk::new();
    let odd: Part = Box::new(|stream| {
        drop(
            stream
                .write_all(b"HTTP/1.1 200 O\xffK\r\nX-Odd: \xff\xfe\r\nContent-Length: 4\r\n\r\na\xff\x00b"),
        );
    });
    let server = Server::play(vec![odd]);
    let answer = desk.send(get(&server.url("/")));
    assert_eq!(answer.failure(), None);
    assert_eq!((&answer.outputs["body"], &answer.outputs["json"]), (&Value::Null, &Value::Null));
    assert_eq!(answer.outputs["bytes"], json!(4));
    assert!(desk.log().ends_with(b"\na\xff\x00b"));
}

struct Alone;

impl Files for Alone {
    fn read(&self, path: &str) -> Result<String, String> {
        Err(format!("there is no {path}"))
    }
}

#[track_caller]
fn finds(steps: &str, expected: &[&str]) {
    let text = format!("name: w\nsecrets: [TOKEN]\nsteps:\n{steps}");
    let (_, findings) = cuelight_definition::read("w.yaml", &text, &Alone);
    let told: Vec<String> = findings.iter().map(|finding| finding.text(false)).collect();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, part) in told.iter().zip(expected) {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn the_checker_knows_requests() {
    finds("  - {id: a, http: {url: https://a.test/, redirects: 3, max-bytes: 1MiB}}\n", &[]);
    finds(
        "  - id: a\n    http:\n      url: https://a.test/${{ secrets.TOKEN }}\n      headers: {Authorization: 'Bearer ${{ secrets.TOKEN }}'}\n",
        &[],
    );
    finds(
        "  - id: a\n    http: {method: POST, url: https://a.test/, body: '${{ secrets.TOKEN }}'}\n",
        &["a secret may stand in `env`, and in address and header fields of `http`, only"],
    );
    finds(
        "  - id: a\n    http: {url: https://a.test/, headers: {X: \"${{ format('{0}', secrets.TOKEN) }}\"}}\n",
        &["a secret stands alone in its"],
    );
    finds("  - {id: a, uses: http.get@1, with: {url: https://a.test/}}\n", &[]);
    finds(
        "  - {id: a, http: {url: https://a.test/, headers: {Host: b}}}\n",
        &["`Host` is written by the request itself"],
    );
    finds("  - {id: a, http: {url: https://a.test/, redirects: 11}}\n", &["0 to 10"]);
    finds(
        "  - {id: a, http: {url: https://a.test/}}\n  - id: b\n    needs: a\n    set: {values: {x: \"${{ steps.a.outputs.code }}\"}}\n",
        &["`a` declares no output `code`"],
    );
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}

/// A workspace in which requests may go to this server.
fn workspace(server: &Server, steps: &str) -> TempDir {
    let dir = TempDir::new().expect("a directory");
    write(dir.path(), ".cuelight/config.toml", &format!("http-private = [\"127.0.0.1:{}\"]\n", server.port));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(dir.path().join(".cuelight"), mode).expect("ours alone");
    let text = format!(
        "name: w\nsecrets: [TOKEN]\ntimeout: 2m\nsteps:\n{}",
        steps.replace("SERVER", &server.url(""))
    );
    write(dir.path(), "w.yaml", &text);
    dir
}

#[test]
fn a_run_waits_as_long_as_it_is_asked_to_and_sends_the_same_key() {
    let server = Server::says([status("429 Too Many Requests", "Retry-After: 1\r\n"), ok("done")]);
    let steps = "  - id: a\n    http: {method: POST, url: SERVER/v1, json: {x: 1}}\n    effect: keyed\n    retry: {max-attempts: 3, delay: 1ms}\n";
    let dir = workspace(&server, steps);
    let told = run(dir.path(), &dir.path().join("w.yaml"), &[], &[]);
    assert_eq!(told.state(), "completed", "{told:?}");
    assert_eq!(told.output("a", "body"), "done");
    let ended =
        told.events.iter().find(|event| event["type"] == "attempt.ended").expect("the first attempt ends");
    assert_eq!(ended["data"]["outcome"]["retry_after"], 1000, "{ended}");
    let (first, second) = (server.heard(), server.heard());
    let key = first.field("idempotency-key").expect("a key");
    assert!(key.len() > 20 && second.field("idempotency-key") == Some(key), "{key}");
    assert_eq!((first.body.as_str(), first.field("content-type")), (r#"{"x":1}"#, Some("application/json")));
}

#[test]
fn what_was_approved_is_what_is_sent() {
    let server = Server::says([ok("")]);
    let steps = "  - {id: ok, gate: Ship?}\n  - id: a\n    needs: ok\n    http: {method: POST, url: SERVER/v1, headers: {X-Env: prod}, body: deploy}\n";
    let dir = workspace(&server, steps);
    let told = run(dir.path(), &dir.path().join("w.yaml"), &[], &["approve"]);
    assert_eq!(told.state(), "completed", "{told:?}");
    let asked = told.events.iter().find(|event| event["type"] == "gate.asked").expect("it asks");
    let shown = &asked["data"]["ask"]["will_run"][0]["launch"]["http"];
    assert_eq!((&shown["method"], &shown["body"]), (&json!("POST"), &json!("deploy")), "{asked}");
    assert_eq!(shown["url"][0]["text"], json!(server.url("/v1")));
    let heard = server.heard();
    assert_eq!((heard.body.as_str(), heard.field("x-env")), ("deploy", Some("prod")));
    let listed = say(dir.path(), &["show", "r-1", "--json"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("\"completed\""));
}

#[test]
fn a_question_that_was_not_answered_is_asked_again() {
    let server = Server::says(["", ""]);
    let retry = "retry: {max-attempts: 2, delay: 1ms}";
    let asked = workspace(&server, &format!("  - id: a\n    http: {{url: SERVER/v1}}\n    {retry}\n"));
    let told = run(asked.path(), &asked.path().join("w.yaml"), &[], &[]);
    assert_eq!((told.state(), told.steps("attempt.ended").len()), ("failed", 2), "{told:?}");
}

#[test]
fn a_tool_of_the_registry_sends_a_request_and_its_secrets_come_from_the_step() {
    let server = Server::says([ok(r#"{"id": 7}"#), ok(r#"{"id": 8}"#), ok("")]);
    let tool = "name: ticket.open\nversion: 1.0.0\ndescription: Opens a ticket\neffect: keyed\n\
        input: {type: object, required: [base, title], properties: {base: {type: string}, title: {type: string}}}\n\
        output: {type: object, required: [json], properties: {json: {type: object, required: [id]}}}\n\
        http:\n  method: POST\n  url: \"${{ input.base }}/tickets/${{ input.title }}\"\n  \
        headers: {Authorization: \"Bearer ${{ env.TOKEN }}\"}\n  json: {title: \"${{ input.title }}\"}\n";
    let steps = "  - id: a\n    uses: ticket.open@1\n    env: {TOKEN: \"${{ secrets.TOKEN }}\"}\n    with: {base: SERVER, title: a/b}\n  \
        - id: b\n    needs: a\n    uses: http.post@1\n    with: {url: SERVER/x, json: {n: \"${{ steps.a.outputs.json.id }}\"}}\n  \
        - id: c\n    needs: b\n    uses: notify.webhook@1\n    env: {WEBHOOK_PATH: \"${{ secrets.TOKEN }}\"}\n    with: {url: SERVER/hook/, text: shipped}\n";
    let dir = workspace(&server, steps);
    write(dir.path(), ".cuelight/tools/ticket.yaml", tool);
    write(dir.path(), ".cuelight/secrets/TOKEN", "s3cr3t-t0ken");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(dir.path().join(".cuelight/secrets/TOKEN"), mode).expect("ours alone");
    let told = run(dir.path(), &dir.path().join("w.yaml"), &[], &[]);
    assert_eq!(told.state(), "completed", "{told:?}");
    let (a, b, c) = (server.heard(), server.heard(), server.heard());
    assert_eq!(
        (a.line.as_str(), a.field("authorization")),
        ("POST /tickets/a%2Fb HTTP/1.1", Some("Bearer s3cr3t-t0ken"))
    );
    assert!(a.field("idempotency-key").is_some());
    assert_eq!((b.body.as_str(), b.field("idempotency-key")), (r#"{"n":7}"#, None));
    assert_eq!(
        (c.line.as_str(), c.body.as_str()),
        ("POST /hook/s3cr3t-t0ken HTTP/1.1", r#"{"text":"shipped","data":{}}"#)
    );
    assert!(!format!("{told:?}").contains("s3cr3t"), "no event tells it");
}

#[test]
fn a_host_that_another_step_names_has_to_be_allowed() {
    let server = Server::says([ok("")]);
    let steps = "  - {id: a, set: {values: {url: SERVER}}}\n  - id: b\n    needs: a\n    http: {url: \"${{ steps.a.outputs.url }}/x\"}\n";
    let dir = workspace(&server, steps);
    let told = run(dir.path(), &dir.path().join("w.yaml"), &[], &[]);
    assert_eq!(told.state(), "failed");
    assert!(
        told.events.iter().any(|event| event.to_string().contains("comes from another step")),
        "{told:?}"
    );
    assert!(!server.was_asked());
    let tool = steps.replace(
        "http: {url: \"${{ steps.a.outputs.url }}/x\"}",
        "uses: http.get@1\n    with: {url: \"${{ steps.a.outputs.url }}\"}",
    );
    let dir = workspace(&server, &tool);
    let told = run(dir.path(), &dir.path().join("w.yaml"), &[], &[]);
    assert!(
        told.events.iter().any(|event| event.to_string().contains("comes from another step")),
        "{told:?}"
    );
    assert!(!server.was_asked());
}
