//! `kill -9` of an engine at any moment while clients of the API hand in their work, and an outside ledger of what they were told: nothing that was
//! acknowledged is lost, nothing is stored twice, and whoever follows with a cursor has no gap and no repeat. Agents ask for runs and gates
//! meanwhile, each of which is there once, and come for work: each piece is one agent's, is done once, and is that agent's still after the kill.
//! `CUELIGHT_API_KILLS=200` for the long version.

use super::{Said, said};
use crate::{
    crash::next,
    program::{Place, Running, pause, until},
};
use cuelight_base::{AttemptId, Seq, Value};
use cuelight_engine::{AttemptEvent, Fact, GateEvent, RunEvent, ScopeEvent};
use cuelight_exchange::{BusEvent, LibraryEvent};
use cuelight_store::{Reader, Workspace, verify};
use rustix::process::Signal;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

/// Clients that hand in at once.
const CLIENTS: usize = 4;
/// Agents that come for work at once.
const AGENTS: usize = 2;
/// Nothing takes longer on a line that is alive.
const ANSWER_MAX: Duration = Duration::from_mins(1);

/// The state that the clients share.
struct Load {
    /// Address of the current engine.
    at: Mutex<SocketAddr>,
    token: String,
    is_over: AtomicBool,
    /// Nobody says anything more.
    is_silent: AtomicBool,
    acknowledged: AtomicUsize,
}

/// The answers that one client got.
#[derive(Default)]
struct Told {
    events: Vec<String>,
    /// By what the client calls it, what it was told that it is.
    results: BTreeMap<String, String>,
    /// The same of what it knows.
    known: BTreeMap<String, String>,
    /// The last value that it has set.
    value: usize,
    /// Number of requests with an unknown result, which were sent again.
    again: usize,
}

/// The answers that one agent got.
#[derive(Default)]
struct Worked {
    /// Runs that it has asked for, …
    runs: Vec<String>,
    /// … and gates, each with its run.
    gates: Vec<(String, String)>,
    /// Work that it was given, …
    given: Vec<String>,
    /// … and work that it has handed back.
    done: Vec<String>,
    again: usize,
}

impl Load {
    /// An answer, or nothing when the line broke.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>, fields: &str) -> Option<Said> {
        let at = *self.at.lock().expect("nobody failed");
        let mut line = TcpStream::connect(at).ok()?;
        line.set_read_timeout(Some(ANSWER_MAX)).ok()?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let asked = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {}\r\n{fields}{kind}Content-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        line.write_all(asked.as_bytes()).ok()?;
        let mut heard = Vec::new();
        line.read_to_end(&mut heard).ok()?;
        let heard = String::from_utf8(heard).ok()?;
        let told = said(&heard);
        // What was cut off was not told.
        (told.status != 0 && serde_json::from_str::<Value>(&told.text).is_ok()).then_some(told)
    }

    /// Asks until it is told, whatever breaks meanwhile.
    fn insist(&self, again: &mut usize, asks: impl Fn() -> Option<Said>, status: u16) -> Value {
        loop {
            match asks() {
                Some(told) if told.status == status => {
                    self.acknowledged.fetch_add(1, SeqCst);
                    return told.json();
                }
                Some(told) => assert_eq!(told.status, 503, "{told:?}"),
                None => *again += 1,
            }
            pause(Duration::from_millis(2));
        }
    }

    /// One client, until it is over: an event, a result, what it knows, a value, and the same again.
    fn hand_in(&self, client: usize) -> Told {
        let mut told = Told::default();
        for n in 1.. {
            if self.is_over.load(SeqCst) {
                break;
            }
            let id = format!("c{client}-{n}");
            let key = format!("Idempotency-Key: {id}\r\n");
            // Its id, or a key, tells it from others.
            let data = json!({"client": client, "n": n});
            let (event, by_key) = match n % 2 {
                0 => (json!({"id": id, "data": data}), ""),
                _ => (json!({"data": data}), key.as_str()),
            };
            let says = || self.ask("POST", "/api/events/load", Some(&event), by_key);
            let said = self.insist(&mut told.again, says, 202);
            told.events.push(said["event_id"].as_str().expect("an id").to_owned());
            let result = json!({"agent_id": "load", "agent_type": "architect", "issue_id": id, "project_id": "shop",
                "result": {"status": "success", "n": n}});
            let hands = || self.ask("POST", "/api/results", Some(&result), &key);
            let done = self.insist(&mut told.again, hands, 201);
            told.results.insert(id.clone(), done["id"].as_str().expect("an id").to_owned());
            let known = json!({"text": format!("{id} is drawn"), "issue_id": id});
            let learns = || self.ask("POST", "/api/knowledge", Some(&known), &key);
            let done = self.insist(&mut told.again, learns, 201);
            told.known.insert(id, done["id"].as_str().expect("an id").to_owned());
            let (path, value) = (format!("/api/state/global/client-{client}"), json!({"value": n}));
            self.insist(&mut told.again, || self.ask("PUT", &path, Some(&value), ""), 200);
            told.value = n;
        }
        told
    }

    /// Hands work back. What was handed back before the line broke is the agent's no more, and that is all the answer there is then.
    fn hands_back(&self, worked: &mut Worked, id: &str) -> Option<()> {
        let mut is_unknown = false;
        loop {
            let path = format!("/api/work/{id}/result");
            match self.ask("POST", &path, Some(&json!({"result": id})), "") {
                Some(told) if told.status == 200 || told.status == 410 && is_unknown => {
                    self.acknowledged.fetch_add(1, SeqCst);
                    return Some(());
                }
                Some(told) => assert_eq!(told.status, 503, "{id}: {told:?}"),
                None => (is_unknown, worked.again) = (true, worked.again + 1),
            }
            if self.is_over.load(SeqCst) {
                return None;
            }
            pause(Duration::from_millis(2));
        }
    }

    /// One agent, until it is over: asks for a run and a gate, gives a sign of life, comes for work, and hands it back.
    fn comes_for_work(&self, number: usize) -> Worked {
        let mut worked = Worked::default();
        let (name, path) = (format!("load/s{number}"), format!("/api/agents/load%2Fs{number}"));
        let me = json!({"agent_id": name, "heartbeat_seconds": 3600});
        let comes = || self.ask("POST", "/api/agents", Some(&me), "");
        self.insist(&mut worked.again, comes, 201);
        for n in 1.. {
            if self.is_over.load(SeqCst) {
                break;
            }
            let key = format!("Idempotency-Key: w{number}-{n}\r\n");
            let flow = json!({"workflow": "work.yaml"});
            let starts = || self.ask("POST", "/api/runs", Some(&flow), &key);
            let run = self.insist(&mut worked.again, starts, 201);
            worked.runs.push(run["id"].as_str().expect("a run").to_owned());
            let question = json!({"title": format!("Go on after {n}?"), "timeout": "10m"});
            let opens = || self.ask("POST", "/api/gates", Some(&question), &key);
            let gate = self.insist(&mut worked.again, opens, 201);
            let of_gate = |key: &str| gate[key].as_str().expect("an id").to_owned();
            worked.gates.push((of_gate("id"), of_gate("run")));
            let beats = || self.ask("PUT", &format!("{path}/heartbeat"), None, "");
            self.insist(&mut worked.again, beats, 200);
            let claims = || self.ask("POST", &format!("{path}/claim?timeout=2000&lease=3600"), None, &key);
            let told = self.insist(&mut worked.again, claims, 200);
            let Some(id) = told["work"]["id"].as_str().map(str::to_owned) else { continue };
            worked.given.push(id.clone());
            if self.hands_back(&mut worked, &id).is_some() {
                worked.done.push(id);
            }
        }
        worked
    }

    /// Follows with a cursor, until nobody says anything more and nothing more comes.
    fn follow(&self) -> Vec<String> {
        let mut heard: Vec<String> = Vec::new();
        loop {
            let ends = self.is_silent.load(SeqCst);
            let since = heard.last().map(|text| format!("&since={text}")).unwrap_or_default();
            let asks = || self.ask("GET", &format!("/api/events/wait/load?timeout=200{since}"), None, "");
            let Some(told) = asks() else {
                pause(Duration::from_millis(2));
                continue;
            };
            let told = told.is(200);
            heard.extend(super::events::ids(&told).into_iter().map(str::to_owned));
            if ends && told["timeout"] == true {
                return heard;
            }
        }
    }
}

/// An engine at a port that no line is given by chance: thousands of them come and go here, and one could be given the port in between.
fn serve(place: &Place) -> (Running, SocketAddr) {
    let first = 12_000 + u16::try_from(std::process::id() % 16_000).expect("small");
    let free = (first..first + 4000).find_map(|port| {
        TcpListener::bind(("127.0.0.1", port)).and_then(|listener| listener.local_addr()).ok()
    });
    let at = free.expect("a port");
    let engine = place.start(&["serve", "--listen", &at.to_string()]);
    until("it listens", || TcpStream::connect(at).is_ok());
    (engine, at)
}

#[test]
fn an_engine_that_is_killed_under_load_loses_nothing_acknowledged_and_stores_nothing_twice() {
    let kills: usize =
        std::env::var("CUELIGHT_API_KILLS").ok().and_then(|value| value.parse().ok()).unwrap_or(8);
    let place = Place::new();
    fs::create_dir_all(place.file(".cuelight")).expect("made");
    place.write(".cuelight/config.toml", "project = \"shop\"\n");
    fs::create_dir_all(place.file(".cuelight/agents")).expect("made");
    let comes = "name: architect\nversion: 1\ndescription: Draws\neffect: once\nclaim: true\n";
    place.write(".cuelight/agents/architect.yaml", comes);
    place.write("work.yaml", "name: work\nsteps: [{id: draw, agent: {name: architect, task: Draw}}]\n");
    let may = "read_context,write_results,publish_events,spawn_agents";
    let words = ["token", "--agent", "load", "--type", "architect", "--expires", "24h", "--permissions", may];
    let token = place.cue(&words).ok();
    let (first, at) = serve(&place);
    let mut engine = Some(first);
    let load = Load {
        at: Mutex::new(at),
        token: token.out.trim().to_owned(),
        is_over: AtomicBool::new(false),
        is_silent: AtomicBool::new(false),
        acknowledged: AtomicUsize::new(0),
    };
    let mut seed = 11;
    let (told, worked, followed) = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                let load = &load;
                scope.spawn(move || load.hand_in(n))
            })
            .collect();
        let agents: Vec<_> = (0..AGENTS)
            .map(|n| {
                let load = &load;
                scope.spawn(move || load.comes_for_work(n))
            })
            .collect();
        let follower = scope.spawn(|| load.follow());
        for _ in 0..kills {
            // At least something was told by each of them, so that there is something to lose.
            let before = load.acknowledged.load(SeqCst);
            until("it has acknowledged something", || load.acknowledged.load(SeqCst) > before + CLIENTS);
            pause(Duration::from_micros(next(&mut seed) % 200_000));
            engine.iter().for_each(|engine| engine.signal(Signal::KILL));
            // It is gone when it was asked for its end, and not before: its lock goes last.
            drop(engine.take().map(Running::end));
            let next_one = serve(&place);
            engine = Some(next_one.0);
            *load.at.lock().expect("nobody failed") = next_one.1;
        }
        load.is_over.store(true, SeqCst);
        let told: Vec<Told> =
            clients.into_iter().map(|client| client.join().expect("it ended well")).collect();
        let worked: Vec<Worked> =
            agents.into_iter().map(|agent| agent.join().expect("it ended well")).collect();
        load.is_silent.store(true, SeqCst);
        (told, worked, follower.join().expect("it ended well"))
    });
    let again: usize =
        told.iter().map(|worked| worked.again).chain(worked.iter().map(|worked| worked.again)).sum();
    check(&place, &load, &told, &followed);
    check_work(&place, &worked);
    let done: usize = worked.iter().map(|worked| worked.done.len()).sum();
    println!(
        "{kills} kills under load: {} acknowledged, all there and each once; {done} pieces of work done once; {again} requests broke off and were sent again; \
         {} followed without gap or repeat",
        load.acknowledged.load(SeqCst),
        followed.len()
    );
    drop(engine);
}

/// All that the log holds.
fn facts(reader: &Reader) -> Vec<Fact> {
    let (mut all, mut from) = (Vec::new(), Seq(1));
    loop {
        let page = reader.events(from, 1000).expect("events");
        let Some((last, _)) = page.last() else { return all };
        from = Seq(last.0 + 1);
        all.extend(page.into_iter().map(|(_, event)| event.fact));
    }
}

/// The work in the log, against what agents were told of it.
fn check_work(place: &Place, worked: &[Worked]) {
    let reader = Reader::open(&Workspace::find(place.path()).expect("a workspace")).expect("a log");
    let (mut runs, mut gates) = (BTreeSet::new(), BTreeSet::new());
    let (mut begun, mut ended) = (BTreeMap::new(), BTreeMap::new());
    for fact in facts(&reader) {
        match fact {
            Fact::Run(run, RunEvent::Created { .. }) => drop(runs.insert(run.to_string())),
            Fact::Gate(run, _, gate, GateEvent::Asked { .. }) => {
                gates.insert((gate.to_string(), run.to_string()));
            }
            Fact::Attempt(run, step, number, event) => {
                let id = AttemptId { run, step, number }.to_string();
                match event {
                    AttemptEvent::Started { .. } => *begun.entry(id).or_insert(0) += 1,
                    AttemptEvent::Ended { outcome, .. } => {
                        ended.entry(id).or_insert_with(Vec::new).push(outcome)
                    }
                    AttemptEvent::Lost { .. } => panic!("{id} was its agent's, and is lost"),
                    AttemptEvent::Adopted { .. } => {}
                }
            }
            _ => {}
        }
    }
    let opened: Vec<(String, String)> = worked.iter().flat_map(|worked| worked.gates.clone()).collect();
    let asked: Vec<String> = worked.iter().flat_map(|worked| worked.runs.clone()).collect();
    let asked: Vec<String> = asked.into_iter().chain(opened.iter().map(|pair| pair.1.clone())).collect();
    let once: BTreeSet<String> = asked.iter().cloned().collect();
    assert_eq!(once.len(), asked.len(), "no run was told of twice");
    assert_eq!(runs, once, "every run that was asked for is there, and no other");
    assert_eq!(gates, opened.into_iter().collect::<BTreeSet<_>>(), "and so it is with gates");
    assert!(
        begun.iter().all(|(id, times)| *times == 1 && id.ends_with(".1")),
        "no work began twice: {begun:?}"
    );
    let mut given = BTreeSet::new();
    for id in worked.iter().flat_map(|worked| &worked.given) {
        assert!(given.insert(id), "{id} was given to two");
        assert!(begun.contains_key(id), "{id} was given to an agent, and the log knows nothing of it");
    }
    for id in worked.iter().flat_map(|worked| &worked.done) {
        let [outcome] = ended.get(id).map(Vec::as_slice).unwrap_or_default() else {
            panic!("{id} was handed back and acknowledged: {:?}", ended.get(id));
        };
        assert!(outcome.failure.is_none() && outcome.outputs["result"] == id.as_str(), "{id}: {outcome:?}");
    }
    assert!(!given.is_empty(), "agents had work");
}

/// Compares the log with the answers.
fn check(place: &Place, load: &Load, told: &[Told], followed: &[String]) {
    let reader = Reader::open(&Workspace::find(place.path()).expect("a workspace")).expect("a log");
    verify(&reader, Seq(1)).expect("the chain holds");
    let (mut events, mut values) = (Vec::new(), BTreeMap::new());
    let (mut results, mut known) = (Vec::new(), Vec::new());
    for fact in facts(&reader) {
        match fact {
            Fact::Bus(BusEvent::Said { message, .. }) if message.topic == "load" => {
                events.push(message.id.clone())
            }
            Fact::Library(LibraryEvent::HandedIn { result, .. }) => results.push((result.issue, result.id)),
            Fact::Library(LibraryEvent::Learned { knowledge, .. }) => {
                known.push((knowledge.issue.unwrap_or_default(), knowledge.id))
            }
            Fact::Scope(_, ScopeEvent::Set { key, value, .. }) => drop(values.insert(key, value)),
            _ => {}
        }
    }
    let once: BTreeSet<&String> = events.iter().collect();
    assert_eq!(once.len(), events.len(), "no event is stored twice");
    let all = |of: fn(&Told) -> usize| told.iter().map(of).sum::<usize>();
    let said = (all(|told| told.events.len()), all(|told| told.results.len()), all(|told| told.known.len()));
    assert_eq!((events.len(), results.len(), known.len()), said, "no more is stored than was handed in");
    assert_eq!(followed, events, "whoever followed heard all in their order, each once");
    let stored: BTreeMap<&String, &String> = results.iter().map(|(issue, id)| (issue, id)).collect();
    assert_eq!(stored.len(), results.len(), "no result is stored twice");
    let learned: BTreeMap<&String, &String> = known.iter().map(|(issue, id)| (issue, id)).collect();
    assert_eq!(learned.len(), known.len(), "nothing is known twice");
    for (client, told) in told.iter().enumerate() {
        for id in &told.events {
            assert!(once.contains(id), "the event {id} was acknowledged and is lost");
        }
        for (key, id) in &told.results {
            assert_eq!(stored.get(key), Some(&id), "the result {key} was acknowledged");
        }
        for (key, id) in &told.known {
            assert_eq!(learned.get(key), Some(&id), "what was known of {key} was acknowledged");
        }
        let value = values.get(&format!("client-{client}")).and_then(Value::as_u64).unwrap_or(0);
        assert_eq!(usize::try_from(value), Ok(told.value), "the value of client {client}");
        // What is in the log is what is answered.
        for id in told.results.values().step_by(50) {
            load.ask("GET", &format!("/api/results/{id}"), None, "").expect("it lives").is(200);
        }
    }
}
