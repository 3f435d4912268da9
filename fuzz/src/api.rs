//! Requests of the API, asked of an engine of this process over a line of this machine, as whoever has a token asks them.

use cuelight_base::{Actor, Channel, Proof, SecretKey};
use cuelight_engine::Standing;
use cuelight_gateway::{
    Claims, HttpSetup, Permission, Places, Rates, ResultRules, Signer, serve_http_judged_by, sign,
};
use cuelight_runtime::{Clock as _, Engine, People, Setup, SystemClock, WhoIsWho};
use cuelight_store::{TokenKeys, Trusted};
use cuelight_tool::{HttpPolicy, SecretStore};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::TcpSocket, runtime::Runtime};

/// Requests to one engine: what they leave behind has a bound.
const ASKED_MAX: usize = 1_000;
/// An answer that takes longer than this does not come.
const PATIENCE: Duration = Duration::from_mins(1);
const SECRET: [u8; 32] = [9; 32];
/// Whose other half is 32 bytes of 2.
const BOB: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
/// Two steps that start nothing.
const WORKFLOW: &str = "name: set\ninputs: {to: {type: string, default: here}}\nsteps:\n  - {id: a, set: {scope: run, values: {to: \"${{ inputs.to }}\"}}}\n  - {id: b, needs: a, gate: Go?}\n";

static API: Mutex<Option<Api>> = Mutex::new(None);

/// An engine that answers.
struct Api {
    runtime: Runtime,
    engine: Engine,
    dir: PathBuf,
    at: SocketAddr,
    agent: String,
    person: String,
    asked: usize,
    /// Lines so far.
    lines: u32,
    line: Option<TcpStream>,
}

/// A request: its method and where it goes stand in the first line, its body is the rest. Whatever it is, it is answered, and
/// never with a fault of ours.
pub fn api(bytes: &[u8]) {
    let (head, body) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[][..]),
    };
    let (method, target) = match head.iter().position(|byte| *byte == b' ') {
        Some(end) => (&head[..end], &head[end + 1..]),
        None => (&b"GET"[..], head),
    };
    if method.is_empty() || !method.iter().all(u8::is_ascii_alphabetic) {
        return;
    }
    let (method, target) = (String::from_utf8_lossy(method), target_of(target));
    let mut kept = API.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.as_ref().is_some_and(|api| api.asked >= ASKED_MAX) {
        kept.take().expect("it is there").end();
    }
    let api = kept.get_or_insert_with(Api::begin);
    let status = api.ask(&method, &target, body);
    assert!((200..500).contains(&status), "{method} {target} is answered {status}");
}

/// Ends the engine that has answered, and leaves nothing of it behind.
pub fn end_api() {
    if let Some(api) = API.lock().unwrap_or_else(PoisonError::into_inner).take() {
        api.end();
    }
}

/// Where it goes, with `%XX` for what cannot stand there. Nobody waits for long.
fn target_of(bytes: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte);
    let piece = |byte: &u8| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    let target: String = bytes.iter().take(8_000).map(piece).collect();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let waits = |part: &&str| {
        let name = part.split('=').next().unwrap_or_default();
        ["wait", "timeout"].contains(&name) || name.contains('%')
    };
    let mut query: Vec<&str> = query.split('&').filter(|part| !part.is_empty() && !waits(part)).collect();
    if path.starts_with("/api/events/wait/") || path.ends_with("/claim") {
        query.push("timeout=1");
    }
    let path = path.strip_prefix('/').unwrap_or(path);
    if query.is_empty() { format!("/{path}") } else { format!("/{path}?{}", query.join("&")) }
}

impl Api {
    fn begin() -> Self {
        let runtime = Runtime::new().expect("threads");
        let dir = std::env::temp_dir().join(format!("cuelight-api-{}", std::process::id()));
        drop(fs::remove_dir_all(&dir));
        fs::create_dir_all(&dir).expect("a directory");
        fs::write(dir.join("set.yaml"), WORKFLOW).expect("written");
        let now = SystemClock.now();
        let trusted = Trusted::make(&dir).expect("a workspace");
        let workspace = trusted.workspace().clone();
        TokenKeys::change(&workspace, now, [1; 32], |keys| keys.make(now, SECRET)).expect("a key");
        let keys = TokenKeys::of(&workspace).expect("readable").expect("a key");
        let agent = Claims {
            iss: keys.audience.clone(),
            aud: keys.audience.clone(),
            sub: "reviewer-1".to_owned(),
            agent_type: Some("architect".to_owned()),
            project_id: "shop".to_owned(),
            permissions: Permission::ALL
                .iter()
                .copied()
                .filter(|permission| *permission != Permission::DecideGates)
                .collect(),
            exp: now.0 / 1000 + 36_000,
            nbf: None,
            iat: now.0 / 1000,
            jti: "t1".to_owned(),
            renewed: 0,
            call: None,
        };
        let person = Claims {
            iss: "bob".to_owned(),
            sub: "bob@example.org".to_owned(),
            agent_type: None,
            permissions: vec![Permission::ReadGates, Permission::DecideGates],
            ..agent.clone()
        };
        let kid = &keys.signing().expect("a key").kid;
        let agent = sign(&agent, kid, &Signer::Secret(&SECRET));
        let person = sign(&person, "bob", &Signer::Key(&SecretKey::new([2; 32])));
        let (engine, at) = runtime.block_on(listening(trusted, &dir));
        let mut api = Self { runtime, engine, dir, at, agent, person, asked: 0, lines: 0, line: None };
        // Something is there that can be named.
        for (path, body) in [
            ("/api/gates", "{\"title\": \"Ship?\"}"),
            ("/api/runs", "{\"workflow\": \"set.yaml\"}"),
            ("/api/agents", "{\"capabilities\": [\"rust\"]}"),
            ("/api/knowledge", "{\"text\": \"The cart rounds to cents.\"}"),
        ] {
            assert_eq!(api.ask("POST", path, body.as_bytes()), 201, "{path}");
        }
        api
    }

    /// The status of the answer. The line stays for the next request where all of the answer has come.
    fn ask(&mut self, method: &str, target: &str, body: &[u8]) -> u16 {
        self.asked += 1;
        let token = if target.contains("/decision") { &self.person } else { &self.agent };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.at,
            body.len()
        );
        let is_new = self.line.is_none();
        let mut line = self.line.take().unwrap_or_else(|| {
            self.lines += 1;
            self.runtime.block_on(connect(self.lines, self.at)).expect("it listens")
        });
        // It may answer before it has heard everything.
        drop(line.write_all(&[head.as_bytes(), body].concat()));
        let (mut heard, mut bytes) = (Vec::new(), [0; 16 * 1024]);
        loop {
            let count = line.read(&mut bytes).unwrap_or(0);
            if count == 0 && heard.is_empty() && !is_new {
                // What was asked before has ended that line.
                return self.ask(method, target, body);
            }
            assert!(count > 0, "{method} {target} is not answered");
            heard.extend_from_slice(&bytes[..count]);
            let Some(end) = heard.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&heard[..end]).to_ascii_lowercase();
            let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
            if status == 429 && !is_new {
                // This address has asked too often; another one has not.
                return self.ask(method, target, body);
            }
            let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let length: Option<usize> = field("content-length:").and_then(|field| field.parse().ok());
            // What has no length is a stream, and may have no end.
            let Some(length) = length.filter(|_| method != "HEAD") else { return status };
            if heard.len() >= end + 4 + length {
                self.line = Some(line).filter(|_| field("connection:") != Some("close"));
                return status;
            }
        }
    }

    fn end(self) {
        drop(self.line);
        self.runtime.block_on(self.engine.close());
        fs::remove_dir_all(&self.dir).expect("ours");
    }
}

/// A line of its own, each from another address of this machine: what comes from one is bounded by the second.
async fn connect(number: u32, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let [_, a, b, c] = number.to_be_bytes();
    socket.bind((Ipv4Addr::new(127, a, b, c), 0).into())?;
    let line = socket.connect(to).await?.into_std()?;
    line.set_nonblocking(false)?;
    line.set_read_timeout(Some(PATIENCE))?;
    Ok(line)
}

async fn listening(trusted: Trusted, dir: &Path) -> (Engine, SocketAddr) {
    let workspace = trusted.workspace().clone();
    let engine = Engine::start(Setup {
        trees: None,
        workspace: trusted,
        actor: Actor {
            name: "ann".to_owned(),
            proof: Proof::OsUser(1),
            groups: Vec::new(),
            channel: Channel::Console,
        },
        environment: Vec::new(),
        secrets: SecretStore::new(BTreeMap::new(), dir),
        program: None,
        http: HttpPolicy::default(),
        traced: false,
        guard: None,
    });
    let engine = engine.await.unwrap_or_else(|why| panic!("{why}"));
    // Keys count where whoever runs this is somebody of the file.
    let own = fs::metadata("/proc/self").map_or(0, |metadata| metadata.uid());
    let people = format!(
        "[[person]]\nname = 'ann'\nuid = {own}\n[[person]]\nname = 'bob'\ntoken = 'bob@example.org'\n\
         [[token-key]]\nkid = 'bob'\nkey = '{BOB}'\npeople = ['bob']\n"
    );
    let people = Arc::new(People::read(&people).expect("people").with_standing(Standing::Root));
    let setup = HttpSetup {
        workspace,
        who: WhoIsWho::new(move || Ok(Arc::clone(&people))),
        project: "shop".to_owned(),
        open_status: true,
        rates: Rates { said: BTreeMap::from([("other".to_owned(), None)]) },
        tls: None,
        results: ResultRules::default(),
        spawn: BTreeMap::new(),
        agents_url: None,
        patience: PATIENCE,
        // Whoever followed may be there for a moment after they have gone.
        places: Places { connections: 9_000, waiting: 9_000, of_project: 9_000, of_principal: 9_000 },
        traces: None,
        log: None,
    };
    let (tasks, closing) = engine.doors();
    let anywhere = "127.0.0.1:0".parse().expect("an address");
    // The one who asks is this very process.
    let at = serve_http_judged_by(|_| false, anywhere, setup, engine.desk(), tasks, closing.clone());
    let at = at.await.expect("a port");
    (engine, at)
}
