//! The HTTP API as its callers meet it: an engine of its own for each test, a port of this machine, bytes in and bytes out.

mod agents;
mod client;
mod context;
mod door;
mod events;
mod fuzzed;
mod gates;
mod kills;
mod knowledge;
mod matrix;
mod results;
mod runs;
mod scenarios;
mod spawn;
mod spoiled;
mod state;
mod tls;
mod topics;
mod work;

use crate::{runtime::engine_in, tokens::people};
use cuelight_base::{Schema, Span, Timestamp, Value};
use cuelight_gateway::{
    Claims, HttpSetup, Permission, Places, Rate, Rates, ResultRules, Signer, StepJudge, TlsFiles,
    serve_http_judged_by, sign,
};
use cuelight_runtime::{Clock as _, Engine, Entropy, SystemClock, WhoIsWho};
use cuelight_store::{KeyKind, TokenKeys, Workspace};
use serde_json::json;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// Timeout for anything in a test.
const MOST: Duration = Duration::from_mins(1);
const SECRET: [u8; 32] = [9; 32];

/// An engine that answers over HTTP.
pub(super) struct Sidecar {
    dir: TempDir,
    engine: Option<Engine>,
    at: SocketAddr,
}

/// An answer of the server.
#[derive(Debug)]
pub(super) struct Said {
    status: u16,
    fields: BTreeMap<String, String>,
    text: String,
}

impl Said {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// It went as it should.
    #[track_caller]
    fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    /// It was refused, with this code.
    #[track_caller]
    fn refused(self, status: u16, code: &str) -> Value {
        let told = self.is(status);
        assert_eq!(told["code"], code, "{told}");
        let message = told["message"].as_str().expect("a message");
        assert!(message.starts_with("could not "), "{message}");
        assert!(told["request_id"].is_string() && told["timestamp"].is_string() && told["error"].is_string());
        told
    }

    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl Sidecar {
    async fn start() -> Self {
        Self::with_rates(Rates { said: BTreeMap::from([("other".to_owned(), None)]) }).await
    }

    async fn with_rates(rates: Rates) -> Self {
        let dir = TempDir::new().expect("a directory");
        Self::open(dir, rates, true).await
    }

    /// The same behind encryption.
    async fn encrypted(files: TlsFiles) -> Self {
        let dir = TempDir::new().expect("a directory");
        Self::try_open(dir, |setup| setup.tls = Some(files)).await.expect("a port")
    }

    /// Why it does not listen with these.
    async fn refused(files: TlsFiles) -> String {
        let dir = TempDir::new().expect("a directory");
        Self::try_open(dir, |setup| setup.tls = Some(files))
            .await
            .map(|sidecar| sidecar.at)
            .expect_err("refused")
    }

    async fn open(dir: TempDir, rates: Rates, open_status: bool) -> Self {
        let change = |setup: &mut HttpSetup| (setup.rates, setup.open_status) = (rates, open_status);
        Self::try_open(dir, change).await.expect("a port")
    }

    async fn try_open(dir: TempDir, change: impl FnOnce(&mut HttpSetup)) -> Result<Self, String> {
        // The person who asks is this very process, which the kernel's word would take for a step's.
        Self::judged_by(|_| false, dir, change).await
    }

    async fn judged_by(
        judge: StepJudge,
        dir: TempDir,
        change: impl FnOnce(&mut HttpSetup),
    ) -> Result<Self, String> {
        let engine = engine_in(dir.path()).await;
        let workspace = Workspace::create(dir.path()).expect("a workspace");
        if TokenKeys::of(&workspace).expect("readable").is_none() {
            TokenKeys::change(&workspace, SystemClock.now(), [1; 32], |keys| {
                keys.make(SystemClock.now(), SECRET)
            })
            .expect("a key");
        }
        // Whoever runs this is somebody of the file, so that keys count.
        let uid = rustix::process::geteuid().as_raw();
        let known = Arc::new(people(uid));
        let who = WhoIsWho::new(move || Ok(Arc::clone(&known)));
        let mut setup = HttpSetup {
            workspace,
            who,
            project: "shop".to_owned(),
            open_status: true,
            rates: Rates::default(),
            tls: None,
            results: ResultRules::default(),
            spawn: BTreeMap::new(),
            agents_url: None,
            patience: Duration::from_secs(30),
            places: Places::default(),
            traces: None,
            log: None,
        };
        change(&mut setup);
        let (tasks, closing) = engine.doors();
        let anywhere = "127.0.0.1:0".parse().expect("an address");
        let at = serve_http_judged_by(judge, anywhere, setup, engine.desk(), tasks, closing.clone()).await;
        match at {
            Ok(at) => Ok(Self { dir, engine: Some(engine), at }),
            Err(why) => {
                engine.close().await;
                Err(why)
            }
        }
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("it runs")
    }

    fn keys(&self) -> TokenKeys {
        let workspace = Workspace::create(self.dir.path()).expect("a workspace");
        TokenKeys::of(&workspace).expect("readable").expect("a key")
    }

    fn claims(&self, sub: &str, project: &str, permissions: &[Permission]) -> Claims {
        let iat = SystemClock.now().0 / 1000;
        let audience = self.keys().audience;
        Claims {
            iss: audience.clone(),
            aud: audience,
            sub: sub.to_owned(),
            agent_type: Some("qa".to_owned()),
            project_id: project.to_owned(),
            permissions: permissions.to_vec(),
            exp: iat + 600,
            nbf: None,
            iat,
            jti: Entropy.request_id().0,
            renewed: 0,
            call: None,
        }
    }

    fn sign(&self, claims: &Claims) -> String {
        let keys = self.keys();
        let key = keys.signing().expect("a key");
        let KeyKind::Secret(secret) = &key.kind else { panic!("a secret") };
        sign(claims, &key.kid, &Signer::Secret(secret))
    }

    /// The token of an agent that may do all that an agent may.
    fn agent(&self, project: &str) -> String {
        let all: Vec<_> = Permission::ALL
            .iter()
            .copied()
            .filter(|permission| *permission != Permission::DecideGates)
            .collect();
        self.sign(&self.claims("reviewer-1", project, &all))
    }

    /// The token of a person of the file.
    fn person(&self, kid: &str, seed: u8, subject: &str) -> String {
        let claims = Claims {
            iss: kid.to_owned(),
            agent_type: None,
            ..self.claims(subject, "shop", &[Permission::ReadGates, Permission::DecideGates])
        };
        sign(&claims, kid, &Signer::Key(&crate::tokens::key_of(seed).0))
    }

    async fn get(&self, path: &str, token: &str) -> Said {
        self.send("GET", path, Some(token), None, &[]).await
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> Said {
        self.send("POST", path, Some(token), Some(body), &[]).await
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
        fields: &[(&str, &str)],
    ) -> Said {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.at);
        if let Some(token) = token {
            text.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        for (name, value) in fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        if !body.is_empty() {
            text.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        self.raw(format!("{text}\r\n{body}").as_bytes()).await
    }

    /// Sends raw bytes on a connection of their own.
    async fn raw(&self, bytes: &[u8]) -> Said {
        let mut line = TcpStream::connect(self.at).await.expect("it listens");
        // It may answer before it has heard everything.
        drop(line.write_all(bytes).await);
        let mut heard = Vec::new();
        drop(timeout(MOST, line.read_to_end(&mut heard)).await.expect("in time"));
        said(&String::from_utf8_lossy(&heard))
    }

    async fn end(mut self) -> TempDir {
        self.engine.take().expect("it runs").close().await;
        self.dir
    }
}

fn said(heard: &str) -> Said {
    let (head, body) = heard.split_once("\r\n\r\n").unwrap_or((heard, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
    let fields: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let is_chunked =
        fields.get("transfer-encoding").is_some_and(|transfer_encoding| transfer_encoding == "chunked");
    Said { status, fields, text: if is_chunked { whole(body) } else { body.to_owned() } }
}

/// A body that came in pieces.
fn whole(body: &str) -> String {
    let (mut out, mut rest) = (String::new(), body);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        let Some((piece, after)) = after.split_at_checked(size) else { break };
        out.push_str(piece);
        rest = after.trim_start_matches("\r\n");
    }
    out
}

fn rate(per_minute: u32, burst: u32) -> Option<Rate> {
    Some(Rate { per_minute, burst })
}

fn later(seconds: u64) -> Timestamp {
    SystemClock.now() + Span::seconds(seconds)
}

/// An answer holds to what the document says of it.
#[track_caller]
fn fits(document: &Value, (path, method, status): (&str, &str, &str), body: &Value) {
    let said = &document["paths"][path][method]["responses"][status];
    let mut schema = said["content"]["application/json"]["schema"].clone();
    assert!(schema.is_object(), "{method} {path} {status}");
    schema["components"] = document["components"].clone();
    let wrong = Schema::read(&schema).expect("a schema").problems(body);
    assert!(wrong.is_empty(), "{method} {path} {status}: {wrong:?} in {body}");
}

/// A question, as an agent asks it.
fn question(title: &str) -> Value {
    json!({"title": title, "evidence": [{"name": "diff", "text": "- a\n+ b ${{ inputs.title }}"}], "binds": {"image": "web:7"}})
}
