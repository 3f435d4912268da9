//! The door: a workflow and a script of commands go in, the journal comes out, a line an event.
//!
//! Every command is previewed first, the journal is folded again after every command, and a refusal must leave no
//! trace: what every test here means is checked with whatever it is about.

use cuelight_base::{
    Actor, AttemptId, Channel, DecisionId, Digest, Epoch, FailureMode, GateId, MODEL_CALLS, Program, Proof,
    RunId, Seq, Signature, Span, StepIx, Timestamp, Token, Touch, Value, ValueMap, sha256,
};
use cuelight_definition::{Files, read};
use cuelight_engine::{
    Adoption, Ask, AttemptEvent, CacheEvent, CauseOfLaunch, Changed, Command, Correction, Decision,
    DoubtAnswer, Effect, Event, Expected, Fact, Facts, Failure, FailureEvent, FailureNote, FileFact, ForkAt,
    Found, GateEvent, Launching, Member, Membership, NewValue, Outcome, Past, PeopleEvent, PeopleSigner,
    Purpose, Refusal, RetryFrom, RunEvent, RunState, ScheduleEvent, ScopeEvent, Standing, StepEvent,
    StepState, TargetEvent, TokenEvent, UndoEvent, Verdict, WaitReason, Why, World, etag,
    people_changed_words, react,
};
use cuelight_exchange::{AgentAsk, AgentEvent, BusEvent, LibraryEvent, NewMessage, Registration};
use cuelight_plan::{Plan, Scope, lower};
use cuelight_projection::{Board, corrected_words, message_words};
use std::{collections::BTreeMap, fmt::Write as _};

/// Second words of the lines that are about a gate.
const AT_A_GATE: &[&str] =
    &["approves", "rejects", "sends-back", "delegates", "withdraws", "edits", "comments", "reviews"];

/// Plays the script and holds the journal against what is expected: lines that occur in this order, each a part of a
/// line; `no …` for what occurs nowhere; `= …` for how it all stands at the end.
#[track_caller]
pub(super) fn check(workflow: &str, script: &str, expected: &str) {
    let bench = play(workflow, script);
    let mut rest = bench.log.as_slice();
    for wanted in expected.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(never) = wanted.strip_prefix("no ") {
            let found = bench.log.iter().find(|text| text.contains(never));
            assert!(found.is_none(), "\n{found:?}\nin\n{}", bench.text());
        } else if let Some(state) = wanted.strip_prefix("= ") {
            assert_eq!(bench.standing(), state, "\n{}", bench.text());
        } else {
            let at = rest.iter().position(|text| text.contains(wanted));
            let at = at.unwrap_or_else(|| panic!("\nno more {wanted:?}\nin\n{}", bench.text()));
            rest = &rest[at + 1..];
        }
    }
}

/// Plays the script against a workflow.
#[track_caller]
pub(super) fn play(workflow: &str, script: &str) -> Bench {
    let mut files = workflow.split("=== corrected").map(plan);
    let mut bench = Bench::new(files.next().expect("a workflow"));
    bench.corrected = files.collect();
    for line in script.lines().flat_map(|line| line.split(';')).map(str::trim).filter(|part| !part.is_empty())
    {
        bench.line(line);
    }
    bench
}

/// The plan of a workflow; other files follow it, each after a line `--- NAME`.
#[track_caller]
pub(super) fn plan(text: &str) -> Plan {
    let mut parts = text.split("--- ");
    let main = parts.next().expect("a text has a first part");
    let others: Vec<(&str, &str)> =
        parts.map(|part| part.split_once('\n').expect("a name, then lines")).collect();
    let (workflow, findings) = read("main.yaml", &format!("name: t\n{}", dedented(main)), &Others(others));
    let errors: Vec<_> =
        findings.iter().filter(|finding| finding.is_error()).map(|finding| &finding.message).collect();
    let workflow = workflow.unwrap_or_else(|| panic!("{errors:#?}\n{text}"));
    lower(&workflow, ValueMap::new()).unwrap_or_else(|error| panic!("{error:#?}"))
}

/// A text whose lines after the first stand deeper than they mean to, because it is written inside a test.
fn dedented(text: &str) -> String {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default().trim_start();
    let rest: Vec<&str> = lines.collect();
    let by = rest.iter().map(|text| text.len() - text.trim_start().len()).min().unwrap_or(0);
    let rest: String = rest.iter().map(|text| format!("{}\n", &text[by..])).collect();
    format!("{first}\n{rest}")
}

struct Others<'a>(Vec<(&'a str, &'a str)>);

impl Files for Others<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        found
            .map(|(_, text)| format!("name: inner\n{}", dedented(text)))
            .ok_or_else(|| "there is none".to_owned())
    }

    /// Files whose paths begin with `agents/`.
    fn agents(&self) -> Vec<(String, Result<String, String>)> {
        let agents = self.0.iter().filter(|pair| pair.0.starts_with("agents/"));
        agents.map(|(name, text)| ((*name).to_owned(), Ok(dedented(text)))).collect()
    }

    /// Files whose paths begin with `tools/`.
    fn tools(&self) -> Vec<(String, Result<String, String>)> {
        let tools = self.0.iter().filter(|pair| pair.0.starts_with("tools/"));
        tools.map(|(name, text)| ((*name).to_owned(), Ok(dedented(text)))).collect()
    }
}

/// An engine with a journal and people around it.
pub(super) struct Bench {
    pub(super) world: World,
    board: Board,
    pub(super) journal: Vec<Event>,
    pub(super) now: Timestamp,
    pub(super) log: Vec<String>,
    plan: Plan,
    /// The workflow as it is written later, for what is done again.
    corrected: Vec<Plan>,
    run: RunId,
    plans: BTreeMap<RunId, Vec<String>>,
    gates: BTreeMap<GateId, (Vec<Ask>, Vec<Digest>, String)>,
    asked: BTreeMap<(RunId, StepIx), (Vec<String>, Vec<Vec<String>>, Vec<Program>)>,
    known: BTreeMap<(RunId, StepIx), Facts>,
    only_programs: Vec<((RunId, StepIx), Facts)>,
    /// True if the script answers the second look at files; otherwise nothing has changed.
    looks_itself: bool,
    decisions: u32,
    said: u32,
}

/// Somebody by name; the number of the OS user and the groups are fixed.
pub(super) fn person(name: &str) -> Actor {
    if let Some((subject, project)) = name.split_once('@') {
        return token_of(subject, Some(project));
    }
    if let Some(by) = owned_by_ann(name) {
        return by;
    }
    let is_touched = name.ends_with("-touched");
    let (uid, groups): (u32, &[&str]) = match name {
        "ann" => (1, &["sre"]),
        "bob" => (2, &["sre"]),
        "cat" => (3, &["product"]),
        "dan" => (4, &["oncall"]),
        "eve" => (5, &["sre", "product"]),
        // The same person as ann, under another name.
        "ann2" => (1, &["sre", "product"]),
        "gus" => (6, &["break-glass"]),
        "gil" => (7, &["sre", "break-glass"]),
        "req" => (9, &["sre"]),
        "zoe" => (77, &[]),
        // With a key in a file, and with a security key that she touched.
        "kay" | "kay-touched" => (8, &["sre"]),
        other => panic!("nobody is called {other}"),
    };
    let name = if name == "zoe" { "uid 77" } else { name };
    let name = name.strip_suffix("-touched").unwrap_or(name);
    let proof = if uid == 8 { signature(uid, is_touched) } else { Proof::OsUser(uid) };
    Actor {
        name: name.to_owned(),
        proof,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        channel: Channel::Console,
    }
}

/// The actor of this name in a workspace whose engine runs as ann.
fn owned_by_ann(name: &str) -> Option<Actor> {
    let (proof, channel) = match name {
        "nightly" => (Proof::Schedule(1), Channel::Schedule),
        "nightly-before" => (Proof::Engine, Channel::Schedule),
        "agent-of-ann" => (Proof::OsUser(1), Channel::Mcp),
        "qa-of-ann" => {
            let Proof::Token(token) = token_of(name, None).proof else { panic!("a token") };
            (Proof::Token(Box::new(Token { maker: Some("uid:1".to_owned()), ..*token })), Channel::Http)
        }
        _ => return None,
    };
    Some(Actor { name: name.to_owned(), proof, groups: Vec::new(), channel })
}

/// A signature as it stands in the log; who has made it was found out at the door.
fn signature(uid: u32, is_touched: bool) -> Proof {
    Proof::Signature(Box::new(Signature {
        person: format!("uid:{uid}"),
        key: if is_touched { "SHA256:touched" } else { "SHA256:file" }.to_owned(),
        statement: String::new(),
        armored: String::new(),
        touch: is_touched.then_some(Touch::Touched),
    }))
}

/// `people own ann=1:sre+oncall/KEY bob=2`: a file that the user can write; `people root …`: one that only root can; `people
/// signed …`: a signed one. `own-touch` and the like: it asks for touched security keys at the highest risk.
fn membership(words: &[&str]) -> Membership {
    let member = |word: &&str| {
        let (name, proof) = word.split_once('=').expect("NAME=UID:GROUPS");
        let (uid, groups) = proof.split_once(':').unwrap_or((proof, ""));
        let (groups, key) = groups.split_once('/').unwrap_or((groups, ""));
        let keys = key.split('+').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let groups = groups.split('+').filter(|group| !group.is_empty()).map(str::to_owned).collect();
        (format!("uid:{uid}"), Member { name: name.to_owned(), groups, keys })
    };
    let people = words[2..].iter().map(member).collect();
    let (whose, touch) = words[1].strip_suffix("-touch").map_or((words[1], false), |rest| (rest, true));
    let standing = match whose {
        "own" => Standing::SelfDeclared,
        "signed" => Standing::Signed(PeopleSigner { name: "ops".to_owned(), key: "SHA256:ops".to_owned() }),
        _ => Standing::Root,
    };
    Membership::new(people, Digest::default(), standing, touch)
}

fn work(id: &str) -> AttemptId {
    id.parse().expect("a piece of work")
}

/// The holder of an agent's token: `coder-1@bank` is one of a project.
fn token_of(subject: &str, project: Option<&str>) -> Actor {
    let token = Token {
        id: format!("t-{subject}"),
        subject: subject.to_owned(),
        key: "k".to_owned(),
        person: None,
        maker: None,
        project: project.map(str::to_owned),
    };
    Actor {
        name: subject.to_owned(),
        proof: Proof::Token(Box::new(token)),
        groups: Vec::new(),
        channel: Channel::Http,
    }
}

impl Bench {
    fn new(plan: Plan) -> Self {
        Self {
            world: World::default(),
            board: Board::default(),
            journal: Vec::new(),
            now: Timestamp(1_800_000_000_000),
            log: Vec::new(),
            plan,
            corrected: Vec::new(),
            run: RunId(1),
            plans: BTreeMap::new(),
            gates: BTreeMap::new(),
            asked: BTreeMap::new(),
            known: BTreeMap::new(),
            only_programs: Vec::new(),
            looks_itself: false,
            decisions: 0,
            said: 0,
        }
    }

    pub(super) fn text(&self) -> String {
        self.log.join("\n")
    }

    /// One command of the script.
    #[track_caller]
    pub(super) fn line(&mut self, line: &str) {
        self.log.push(format!("> {line}"));
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.get(1).is_some_and(|word| AT_A_GATE.contains(word)) {
            return self.at_gate(&words, line);
        }
        if self.is_said_elsewhere(&words) {
            return;
        }
        // `… as ann`: req does it, unless it is said who does.
        let named = words.iter().position(|word| *word == "as").and_then(|at| words.get(at + 1));
        let mut by = person(named.unwrap_or(&"req"));
        if words.contains(&"via-step") {
            by.channel = Channel::Step;
        }
        let reason = "because".to_owned();
        let run = self.run;
        let values =
            |from: usize| -> ValueMap { words.iter().skip(from).filter_map(|word| value(word)).collect() };
        let command = match words[0] {
            // `launch [INPUT=VALUE …]`, or `requests NAME`: a request that may be sent again.
            "launch" | "requests" => {
                let plan = Plan { inputs: values(1), ..self.plan.clone() };
                let (cause, trace) = (CauseOfLaunch::Asked, "trace".to_owned());
                let request = (words[0] == "requests").then(|| sha256("test", &[words[1].as_bytes()]));
                Command::Launch(Box::new(Launching { plan, by, seed: 7, cause, trace, request }))
            }
            "run" => {
                self.run = words[1].parse().expect("a run");
                return;
            }
            "wake" | "stalled" => {
                self.now = self.now + words[1].parse::<Span>().expect("a time");
                if words[0] == "wake" { Command::Wake } else { Command::Stalled }
            }
            "later" => {
                self.now = self.now + words[1].parse::<Span>().expect("a time");
                return;
            }
            "looking" => return self.looks_itself = true,
            "crash" => return self.crash(&words),
            "lost" => self.lost(&words),
            "pause" => Command::Pause { run, by },
            "resume" => Command::Resume { run, by },
            "cancel" => Command::Cancel { run, by, reason, undo: words.get(1) == Some(&"undo") },
            "undo" => Command::Undo { run, reason, by },
            "retry" => {
                let from = match words[1] {
                    "failed" => RetryFrom::Failed,
                    "checkpoint" => RetryFrom::Checkpoint,
                    _ => RetryFrom::All,
                };
                Command::Retry { run, from, by, corrected: self.correction(&words, &values) }
            }
            "fork" => {
                let (at, past) = self.past(words[1]);
                Command::Fork { run, at, by, corrected: self.correction(&words, &values), past: Some(past) }
            }
            "ended" => self.ended(&words),
            "facts" => {
                let step = self.step(words[1]);
                let facts = self.facts(step, words[2]);
                Command::FactsFetched { run, step, facts }
            }
            "skip" => Command::Skip { run, step: self.step(words[1]), reason, by },
            "done" => Command::Done { run, step: self.step(words[1]), outputs: values(2), reason, by },
            "again" | "give-up" => {
                Command::SettleUndo { run, step: self.step(words[1]), again: words[0] == "again", reason, by }
            }
            "happened" | "not-happened" | "abort" => {
                let answer = match words[0] {
                    "happened" => DoubtAnswer::Happened(values(2)),
                    "not-happened" => DoubtAnswer::NotHappened,
                    _ => DoubtAnswer::Abort,
                };
                Command::AnswerDoubt { run, step: self.step(words[1]), answer, reason, by }
            }
            "people" => Command::DeclarePeople { people: Box::new(membership(&words)) },
            "hold" => Command::HoldSchedule { workflow: words[1].to_owned(), reason, by },
            "reset" => Command::Reset { reason: words.get(1).map_or("", |word| word).to_owned(), by },
            "clear" => Command::ClearCache { key: words.get(1).map(|word| (*word).to_owned()), by },
            "release" => Command::ReleaseSchedule { workflow: words[1].to_owned(), by },
            "acknowledge" | "resolve" | "reopen" => {
                let note = match words[0] {
                    "acknowledge" => FailureNote::Acknowledge,
                    "resolve" => FailureNote::Resolve,
                    _ => FailureNote::Reopen,
                };
                let step = words.get(1).map(|word| self.step(word));
                Command::NoteFailure { run, step, of_undo: words.get(2) == Some(&"undo"), note, reason, by }
            }
            other => panic!("no command is called {other}"),
        };
        self.submit(command);
    }

    /// Plays a line about agents, or about state and messages of people. False for any other line.
    fn is_said_elsewhere(&mut self, words: &[&str]) -> bool {
        match words {
            [_, "comes" | "beats" | "leaves" | "claims" | "goes-on" | "returns" | "fails", ..] => {
                self.agent(words)
            }
            [_, "says", _, ..] => self.say(words),
            [_, "sets" | "removes", _, ..] => self.state(words),
            _ => return false,
        }
        true
    }

    /// `retry failed corrected k=v`: the workflow as it is written later, else as it was, with these inputs.
    /// `corrected-again` is as it is written after that.
    fn correction(&self, words: &[&str], values: &dyn Fn(usize) -> ValueMap) -> Option<Box<Correction>> {
        let which = match words.get(2) {
            Some(&"corrected") => 0,
            Some(&"corrected-again") => 1,
            _ => return None,
        };
        let plan = self.corrected.get(which).unwrap_or(&self.plan).clone();
        let plan = Some(Box::new(Plan { inputs: values(3), ..plan }));
        Some(Box::new(Correction { plan, ..Correction::default() }))
    }

    /// The past before a step began, or after a number of events: `#7`.
    #[track_caller]
    fn past(&self, at: &str) -> (ForkAt, Past) {
        let count = match at.strip_prefix('#') {
            Some(count) => count.parse().expect("a number of events"),
            None => {
                let step = self.step(at);
                let of =
                    |event: &Event| event.fact.run() == Some(self.run) && event.fact.step() == Some(step);
                self.journal.iter().position(of).expect("it has begun")
            }
        };
        let events = self.journal.clone();
        (ForkAt::Step(at.to_owned()), Past { seq: Seq(count as u64), events: events.into(), count })
    }

    /// `coder-1 comes [as=NAME] [type=coder] [can=a,b] [takes=N]`, `coder-1 beats`, `coder-1 leaves [as=NAME]`; a sign of life every 30 s.
    fn agent(&mut self, words: &[&str]) {
        let word = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let name = word("as").unwrap_or(words[0]).to_owned();
        let can = word("can").map(|word| word.split(',').map(str::to_owned).collect());
        let ask = match words[1] {
            "comes" => AgentAsk::Register(Registration {
                name,
                agent_type: word("type").unwrap_or("coder").to_owned(),
                capabilities: can.unwrap_or_default(),
                max_concurrent: word("takes").map_or(1, |word| word.parse().expect("a number")),
                heartbeat: Span::seconds(30),
                metadata: ValueMap::new(),
            }),
            "beats" => AgentAsk::Beat(name),
            "claims" => {
                self.said += 1;
                let claim = word("id").map_or_else(|| format!("c-{}", self.said), str::to_owned);
                AgentAsk::Claim {
                    agent: name,
                    claim,
                    lasts: word("for").map(|text| text.parse().expect("a time")),
                }
            }
            "goes-on" => AgentAsk::Renew { work: work(words[2]), note: word("note").map(str::to_owned) },
            "returns" | "fails" => AgentAsk::HandBack {
                work: work(words[2]),
                outputs: words.iter().skip(3).filter_map(|word| value(word)).collect(),
                failed: (words[1] == "fails").then(|| (FailureMode::AgentLogic, "it broke".to_owned())),
                may_have_happened: words.contains(&"unknown"),
            },
            _ => AgentAsk::Leave { agent: name, reason: "it is done".to_owned() },
        };
        self.submit(Command::Agent { ask: Box::new(ask), by: token_of(words[0], None) });
    }

    /// `ann says TOPIC [id=NAME] [KEY=VALUE …]`; without an id it is x-1, x-2 …
    fn say(&mut self, words: &[&str]) {
        let mut data: ValueMap = words.iter().skip(3).filter_map(|word| value(word)).collect();
        self.said += 1;
        let given = data.remove("id").and_then(|id| id.as_str().map(str::to_owned));
        let message = NewMessage {
            id: Some(given.unwrap_or_else(|| format!("x-{}", self.said))),
            topic: words[2].to_owned(),
            data: Value::Object(data),
            ..NewMessage::default()
        };
        self.submit(Command::Publish { message: Box::new(message), by: person(words[0]) });
    }

    /// `ann sets KEY=VALUE [session|run] [ttl=TIME] [if=none] [if=VALUE@VERSION]`, `ann removes KEY …`
    fn state(&mut self, words: &[&str]) {
        let (key, wanted) = value(words[2]).unwrap_or_else(|| (words[2].to_owned(), Value::Null));
        let word =
            |name: &str| words.iter().skip(3).find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let expect = word("if").map(|text| match text.split_once('@') {
            None => Expected::Absent,
            Some((seen, version)) => {
                let seen: Value = serde_json::from_str(seen).expect("JSON");
                Expected::Etag(etag(&seen, version.parse().expect("a version")))
            }
        });
        let scope = match words.get(3) {
            Some(&"session") => Scope::Session,
            Some(&"run") => Scope::Run,
            _ => Scope::Global,
        };
        let ttl = word("ttl").map(|ttl| ttl.parse().expect("a time"));
        let new = NewValue { scope, key, value: (words[1] == "sets").then_some(wanted), ttl, expect };
        self.submit(Command::SetValue { value: Box::new(new), by: person(words[0]) });
    }

    /// `ended STEP[#CALL] ok k=v`, `ended STEP fail [mode] [exit=N]`.
    fn ended(&self, words: &[&str]) -> Command {
        let (name, number) =
            words[1].split_once('#').map_or((words[1], None), |(name, rest)| (name, Some(rest)));
        let step = self.step(name);
        let last = self.journal.iter().rev().find_map(|event| match &event.fact {
            Fact::Attempt(run, at, number, AttemptEvent::Started { .. })
                if *run == self.run && *at == step =>
            {
                Some(*number)
            }
            _ => None,
        });
        let number = number.map_or_else(|| last.unwrap_or(1), |number| number.parse().expect("a number"));
        let took = words.iter().find_map(|word| word.strip_prefix("took=")?.parse().ok());
        let mut outcome = Outcome { ran_for: took.unwrap_or_default(), ..Outcome::default() };
        match words[2] {
            "ok" => {
                outcome.exit_code = Some(0);
                let texts = words.iter().skip(3).filter_map(|word| word.split_once('='));
                let texts = texts.filter(|text| text.0 != "took");
                // A model's calls are a list, and all that programs write is text.
                let calls =
                    |key: &str, rest: &str| (key == MODEL_CALLS).then(|| serde_json::from_str(rest).ok());
                let value =
                    |(key, rest): (&str, &str)| calls(key, rest).flatten().unwrap_or_else(|| rest.into());
                outcome.outputs = texts.map(|text| (text.0.to_owned(), value(text))).collect();
            }
            "changed" => {
                let hash = |of: &str| sha256("test", &[of.as_bytes()]).to_string();
                let (before, now) = (hash("before"), hash("now"));
                outcome.changed = vec![Changed { what: words[3].to_owned(), before, now }];
                outcome.failure = Some(Failure {
                    mode: FailureMode::PolicySecurity,
                    message: "what was approved has changed".to_owned(),
                    tail: String::new(),
                    not_started: true,
                });
            }
            word => {
                outcome.may_have_happened = word == "unknown";
                outcome.retry_after = words.iter().find_map(|word| word.strip_prefix("after=")?.parse().ok());
                let mode = FailureMode::ALL
                    .iter()
                    .find(|mode| mode.word() == *words.get(3).unwrap_or(&"agent_logic"));
                outcome.exit_code =
                    words.iter().find_map(|word| word.strip_prefix("exit=")?.parse().ok()).or(Some(7));
                outcome.failure = Some(Failure {
                    mode: *mode.unwrap_or(&FailureMode::AgentLogic),
                    message: "exited with code 7".to_owned(),
                    tail: String::new(),
                    not_started: word == "not-started",
                });
            }
        }
        Command::AttemptEnded {
            attempt: AttemptId { run: self.run, step, number },
            outcome: Box::new(outcome),
        }
    }

    fn facts(&self, step: StepIx, content: &str) -> Facts {
        let (files, patterns, programs) = self.asked.get(&(self.run, step)).cloned().unwrap_or_default();
        let file = |path: String| FileFact {
            path,
            digest: Some(sha256("test", &[content.as_bytes()])),
            bytes: content.len() as u64,
            problem: None,
        };
        Facts {
            files: files.into_iter().map(file).collect(),
            hashes: patterns.into_iter().map(|pattern| (pattern, content.to_owned())).collect(),
            unhashed: Vec::new(),
            programs: programs.into_iter().map(executed).collect(),
        }
    }

    /// `ann approves [STEP] [via-script] [id=…] [old] [: reason]`, `ann reviews [STEP] [epoch=N] : reason`
    fn at_gate(&mut self, words: &[&str], line: &str) {
        let mut by = person(words[0]);
        let words: Vec<&str> = words.iter().copied().take_while(|word| *word != ":").collect();
        let reason = line.split_once(" : ").map_or("", |halves| halves.1).to_owned();
        if words.contains(&"via-script") {
            by.channel = Channel::Command;
        }
        if words.contains(&"via-step") {
            by.channel = Channel::Step;
        }
        let plain = |word: &&&str| {
            !word.contains('=')
                && !["old", "via-script", "via-step", "breaking-glass", "overriding"].contains(word)
        };
        let named = words.iter().skip(2).find(plain);
        let gate = self.gate(named.copied());
        let field = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let seen = self.gates.get(&gate).map(|(asks, hashes, _)| {
            let at = if words.contains(&"old") { 0 } else { asks.len() - 1 };
            (asks[at].epoch, hashes[at], asks[at].form.clone())
        });
        let (epoch, ask, form) = seen.unwrap_or((Epoch(1), Digest::default(), Vec::new()));
        self.decisions += 1;
        let command = match words[1] {
            "withdraws" => Command::Withdraw { gate, by },
            "delegates" => {
                let lasts = field("for").map(|text| text.parse().expect("a time"));
                let to = field("to").unwrap_or_default().to_owned();
                Command::Delegate { gate, to, lasts, reason, by }
            }
            "reviews" => {
                let epoch = field("epoch").map_or(epoch, |epoch| Epoch(epoch.parse().expect("a number")));
                Command::ReviewGlass { run: self.run, gate, epoch, reason, by }
            }
            "comments" => Command::Comment { gate, text: reason, by },
            "edits" => {
                let mut values: ValueMap = form.into_iter().map(|field| (field.name, field.value)).collect();
                values.extend(words.iter().skip(2).filter_map(|word| value(word)));
                Command::EditForm { gate, epoch, values, reason, by }
            }
            verdict => Command::Decide(Box::new(Decision {
                id: DecisionId(field("id").map_or_else(|| format!("d{}", self.decisions), str::to_owned)),
                gate,
                epoch,
                ask,
                verdict: match verdict {
                    "approves" => Verdict::Approve,
                    "rejects" => Verdict::Reject,
                    _ => Verdict::SendBack,
                },
                reason,
                by,
                shown_for: None,
                break_glass: words.contains(&"breaking-glass"),
                overrides: words.contains(&"overriding"),
                form: words
                    .iter()
                    .filter(|word| !word.starts_with("id="))
                    .filter_map(|word| value(word))
                    .collect(),
            })),
        };
        self.submit(command);
    }

    fn gate(&self, named: Option<&str>) -> GateId {
        let fits = |gate: &&GateId| named.is_none_or(|name| self.gates[*gate].2 == name);
        let last = self.gates.keys().rev().find(fits).copied();
        last.unwrap_or_else(|| named.and_then(|text| text.parse().ok()).unwrap_or(GateId(1)))
    }

    #[track_caller]
    pub(super) fn step(&self, id: &str) -> StepIx {
        let names = &self.plans[&self.run];
        StepIx::from_index(
            names.iter().position(|name| name == id).unwrap_or_else(|| panic!("no {id} in {names:?}")),
        )
    }

    fn name(&self, run: RunId, step: StepIx) -> String {
        let name = &self.plans[&run][step.index()];
        if run == RunId(1) { name.clone() } else { format!("{run} {name}") }
    }

    /// Hands a command to the engine, with everything that must hold whatever it is.
    #[track_caller]
    pub(super) fn submit(&mut self, command: Command) {
        let before = self.world.fingerprint();
        let preview = self.world.preview(command.clone(), self.now);
        assert_eq!(self.world.fingerprint(), before, "a preview changes nothing");
        let vouches = match &command {
            Command::Done { run, step, by, .. } | Command::AnswerDoubt { run, step, by, .. } => {
                Some(self.board.may_not_vouch(*run, *step, by))
            }
            _ => None,
        };
        let mut events = Vec::new();
        let said = self.world.handle(command, self.now, &mut events);
        match (&said, vouches) {
            (Ok(()), Some(why)) => assert_eq!(why, None, "the board refuses nobody else than the engine"),
            (Err(Refusal::Vouch { why, .. }), Some(told)) => assert_eq!(told.as_ref(), Some(why)),
            _ => {}
        }
        match &said {
            Ok(()) => assert_eq!(preview.as_ref(), Ok(&events), "a preview tells what handle does"),
            Err(why) => {
                assert_eq!(preview.as_ref(), Err(why), "a preview tells what handle does");
                assert!(events.is_empty(), "a refusal emits nothing");
                assert_eq!(self.world.fingerprint(), before, "a refusal leaves no trace");
                self.log.push(format!("! {why}"));
            }
        }
        for event in &events {
            self.note(event);
            let line = self.rendered(event);
            self.log.push(line);
        }
        let looks = events.iter().find_map(|event| match &event.fact {
            Fact::Gate(run, step, _, GateEvent::Agreed { .. }) if !self.looks_itself => Some((*run, *step)),
            _ => None,
        });
        for event in &events {
            self.board.apply(Seq(self.board.seq.0 + 1), event);
        }
        self.journal.extend(events);
        let folded = fold(&self.journal);
        assert_eq!(folded.fingerprint(), self.world.fingerprint(), "the journal alone rebuilds the world");
        for gate in self.board.gates() {
            let law = self.world.gate(gate.id);
            assert!(law.is_none_or(|law| law == gate.law()), "one law:\n{law:?}\n{:?}", gate.law());
        }
        if let Some((run, step)) = looks {
            let facts = Facts { programs: Vec::new(), ..self.known[&(run, step)].clone() };
            self.submit(Command::FactsFetched { run, step, facts });
        }
        for ((run, step), facts) in std::mem::take(&mut self.only_programs) {
            self.submit(Command::FactsFetched { run, step, facts });
        }
    }

    /// `a=running`, `a=never`, `a=ok`, `a=fail`: what becomes known of a call after a crash.
    fn found(&self, word: &str) -> (AttemptId, Found) {
        let (step, what) = word.split_once('=').expect("a step and what was found");
        let failure = Failure {
            mode: FailureMode::AgentLogic,
            message: "no".to_owned(),
            tail: String::new(),
            not_started: false,
        };
        let found = match what {
            "running" => Found::Running,
            "never" => Found::NotStarted,
            "ok" => Found::Ended(Box::new(Outcome { exit_code: Some(0), ..Outcome::default() })),
            "fail" => Found::Ended(Box::new(Outcome { failure: Some(failure), ..Outcome::default() })),
            other => panic!("nothing is found as {other}"),
        };
        (self.attempt(step), found)
    }

    /// The newest call of a step.
    fn attempt(&self, step: &str) -> AttemptId {
        let (run, step) = (self.run, self.step(step));
        let number = self.journal.iter().rev().find_map(|event| match &event.fact {
            Fact::Attempt(of, at, number, _) if (*of, *at) == (run, step) => Some(*number),
            _ => None,
        });
        AttemptId { run, step, number: number.expect("it was called") }
    }

    /// `lost a`: the guard of its newest call has died.
    fn lost(&self, words: &[&str]) -> Command {
        Command::AttemptLost { attempt: self.attempt(words[1]), evidence: "its guard died".to_owned() }
    }

    /// `crash [TIME [STEP=WHAT …]]`
    fn crash(&mut self, words: &[&str]) {
        let away = words.get(1).map_or(Span(0), |word| word.parse().expect("a time"));
        let found = words.iter().skip(2).map(|word| self.found(word)).collect();
        self.world = fold(&self.journal);
        self.now = self.now + away;
        self.submit(Command::Recover { away, found, taken: None });
    }

    fn note(&mut self, event: &Event) {
        match &event.fact {
            Fact::Run(run, RunEvent::Created { plan, .. }) => {
                self.run = *run;
                self.plans.insert(*run, plan.steps.iter().map(|step| step.id.clone()).collect());
            }
            Fact::Step(run, _, StepEvent::Opened { copies, .. } | StepEvent::Grown { copies, .. }) => {
                let names = self.plans.get_mut(run).expect("a run that was created");
                names.extend(copies.iter().map(|copy| copy.id.clone()));
            }
            Fact::Step(run, step, StepEvent::FactsAsked { files, patterns, programs }) => {
                let at = (*run, *step);
                self.asked.insert(at, (files.clone(), patterns.clone(), programs.clone()));
                let known = self.known.get(&at).cloned().unwrap_or_default();
                let knows_files =
                    files.iter().all(|other| known.files.iter().any(|file| file.path == *other));
                let knows_hashes =
                    patterns.iter().all(|pattern| known.hashes.iter().any(|hash| hash.0 == *pattern));
                // What calls execute is looked at by itself: scripts of tests answer for files.
                if knows_files && knows_hashes && !programs.is_empty() {
                    let files =
                        files.iter().filter_map(|value| known.files.iter().find(|file| file.path == *value));
                    let files = files.cloned().collect();
                    let hashes = patterns
                        .iter()
                        .filter_map(|pattern| known.hashes.iter().find(|hash| hash.0 == *pattern));
                    let hashes = hashes.cloned().collect();
                    let programs = programs.iter().cloned().map(executed).collect();
                    let facts = Facts { files, hashes, programs, ..Facts::default() };
                    self.only_programs.push((at, facts));
                }
            }
            Fact::Step(run, step, StepEvent::Reopened { .. } | StepEvent::SentBack) => {
                self.known.remove(&(*run, *step));
            }
            Fact::Step(run, step, StepEvent::FactsKnown { facts }) => {
                self.known.insert((*run, *step), facts.clone());
            }
            Fact::Gate(run, step, _, GateEvent::Agreed { files, patterns, .. }) => {
                self.asked.insert((*run, *step), (files.clone(), patterns.clone(), Vec::new()));
            }
            Fact::Gate(_, _, gate, GateEvent::Asked { ask, hash, .. }) => {
                let entry = self.gates.entry(*gate).or_insert_with(|| (vec![], vec![], ask.step.clone()));
                entry.0.push((**ask).clone());
                entry.1.push(*hash);
            }
            _ => {}
        }
    }

    /// The state of the run, then of each step.
    pub(super) fn standing(&self) -> String {
        let run = self.run;
        let mut steps: Vec<StepState> = vec![StepState::Pending; self.plans[&run].len()];
        for event in &self.journal {
            if let (Some(of), Some(step)) = (event.fact.run(), event.fact.step())
                && of == run
                && let Some(state) = state_after(&event.fact)
                && (steps[step.index()], state) != (StepState::Undoing, StepState::Waiting)
            {
                steps[step.index()] = state;
            }
        }
        let words: Vec<String> =
            self.plans[&run].iter().zip(steps).map(|(name, state)| format!("{name} {state}")).collect();
        format!("{}: {}", self.world.state_of(run).map_or("gone", RunState::word), words.join(", "))
    }

    fn rendered(&self, event: &Event) -> String {
        let now = event.at;
        match &event.fact {
            Fact::Run(run, event) => format!("{run} {}", self.run_event(*run, event)),
            Fact::Step(run, step, event) => {
                format!("{} {}", self.name(*run, *step), self.step_event(*run, event, now))
            }
            Fact::Attempt(run, step, number, event) => {
                format!("{} {}", self.name(*run, *step), attempt_event(*number, event, now))
            }
            Fact::Gate(_, _, gate, event) => format!("{gate} {}", gate_event(event, now)),
            Fact::Undo(run, step, event) => {
                let what = match event {
                    UndoEvent::Asked => "asked",
                    UndoEvent::Done { by: None } => "done",
                    UndoEvent::Done { by: Some(_) } => "done by hand",
                    UndoEvent::Stuck { .. } => "stuck",
                    UndoEvent::Again { .. } => "again",
                };
                format!("{} undo {what}", self.name(*run, *step))
            }
            Fact::Scope(_, ScopeEvent::Set { scope, owner, key, value, expires_at, by }) => {
                let until =
                    expires_at.map(|expire| format!(" for {}", expire.since(now))).unwrap_or_default();
                let by = by.as_ref().map(|value| format!(" by {value}")).unwrap_or_default();
                format!("set {scope:?}[{owner}] {key}={value}{until}{by}")
            }
            Fact::Scope(_, ScopeEvent::Removed { scope, owner, key, by }) => {
                format!("removed {scope:?}[{owner}] {key} by {by}")
            }
            Fact::Failure(run, event) => {
                let (step, of_undo) = event.whose();
                let whose = step.map_or_else(|| run.to_string(), |step| self.name(*run, step));
                let what = match event {
                    FailureEvent::Acknowledged { .. } => "acknowledged",
                    FailureEvent::Resolved { .. } => "resolved",
                    FailureEvent::Reopened { .. } => "reopened",
                };
                format!("{whose} failure{} {what}", if of_undo { " of its undo" } else { "" })
            }
            Fact::Schedule(workflow, ScheduleEvent::Held { .. }) => format!("{workflow} held"),
            Fact::Schedule(workflow, ScheduleEvent::Released { .. }) => format!("{workflow} released"),
            Fact::Target(name, event) => format!("{name} {}", target_event(event, now)),
            Fact::Bus(BusEvent::Said { message, by }) => {
                let by = by.as_ref().map_or_else(|| message.from.clone(), |item| item.name.clone());
                format!("said {} {} by {by}", message.id, message.topic)
            }
            Fact::Bus(BusEvent::Declared { topics }) => {
                format!("topics are {}", topics.keys().cloned().collect::<Vec<_>>().join(", "))
            }
            Fact::Bus(BusEvent::Rejected { letter, .. }) => {
                format!("rejected {} of {}: {}", letter.topic, letter.from, letter.why)
            }
            Fact::Bus(BusEvent::Taken { by, ids, .. }) => format!("taken by {by}: {}", ids.join(", ")),
            Fact::Cache(CacheEvent::Stored { key, step, .. }) => format!("keeps {step} as {key}"),
            Fact::Cache(CacheEvent::Used { key, .. }) => format!("uses {key}"),
            Fact::Cache(CacheEvent::Reset { count, by, .. }) => format!("{by} resets, {count} results"),
            Fact::Cache(CacheEvent::Cleared { count, by, .. }) => format!("{by} clears {count}"),
            Fact::Library(LibraryEvent::HandedIn { result, .. }) => {
                format!("result {} {}", result.id, result.status.word())
            }
            Fact::Library(LibraryEvent::Learned { knowledge, .. }) => format!("learned {}", knowledge.id),
            Fact::People(PeopleEvent::Changed { people, changes, .. }) => {
                people_changed_words(changes, &people.policy)
            }
            Fact::Token(TokenEvent::Revoked { id, .. }) => format!("token {id} revoked"),
            Fact::Agent(event) => agent_event(event),
            Fact::Recovered { away, .. } => format!("recovered after {away}"),
        }
    }

    fn run_event(&self, run: RunId, event: &RunEvent) -> String {
        match event {
            RunEvent::Created { cause, .. } => {
                let corrected = cause.corrected().map(corrected_words);
                corrected.map_or("created".to_owned(), |corrected| format!("created, {corrected}"))
            }
            RunEvent::Started => "started".to_owned(),
            RunEvent::Paused { .. } => "paused".to_owned(),
            RunEvent::Resumed { .. } => "resumed".to_owned(),
            RunEvent::Cancelling { reason, undo, .. } => {
                format!("cancelling{}: {reason}", if *undo { " and undoing" } else { "" })
            }
            RunEvent::Stopping { because, rejected, compensate } => format!(
                "stopping because of {}{}{}",
                self.name(run, *because),
                if *rejected { ", rejected" } else { "" },
                if *compensate { ", compensates" } else { "" }
            ),
            RunEvent::TimedOut { .. } => "timed out".to_owned(),
            RunEvent::Compensating => "compensating".to_owned(),
            RunEvent::BudgetWarned { calls, limit, currency, step } => {
                let whose = step.map_or_else(String::new, |step| format!(" of {}", self.name(run, step)));
                format!("budget{whose}: {} of {}", currency.figure(*calls), currency.figure(*limit))
            }
            RunEvent::BudgetRaised { calls, by, currency, step } => {
                let whose = step.map_or_else(String::new, |step| format!(" of {}", self.name(run, step)));
                format!("budget{whose} raised to {} by {by}, {}", currency.figure(*calls), currency.word())
            }
            RunEvent::Ended { state, outputs, partial } => {
                let mut text = format!("ended {state}");
                if !outputs.is_empty() {
                    write!(text, " {}", Value::Object(outputs.clone())).expect("a String");
                }
                if let Some(partial) = partial {
                    write!(
                        text,
                        "; {}/{}/{} {}",
                        partial.completed, partial.failed, partial.remaining, partial.suggestion
                    )
                    .expect("a String");
                    if let Some(mode) = partial.failure_mode {
                        let point =
                            partial.failure_point.iter().map(|failure_point| format!("{failure_point} "));
                        write!(text, ", {}{}", point.collect::<String>(), mode.word()).expect("a String");
                    }
                }
                text
            }
        }
    }

    fn why(&self, run: RunId, why: &Why) -> String {
        match why {
            Why::Condition => "condition".to_owned(),
            Why::Need(step) => format!("need {}", self.name(run, *step)),
            Why::Stopped(step) => format!("stopped by {}", self.name(run, *step)),
            Why::Cancelled => "run cancelled".to_owned(),
            Why::RunTimedOut => "run timed out".to_owned(),
            Why::FailFast(step) => format!("fail-fast {}", self.name(run, *step)),
            Why::Frame(step) => format!("frame {}", self.name(run, *step)),
            Why::Kept => "kept".to_owned(),
            Why::Person { by, .. } => format!("by {by}"),
            Why::Failed(record) => format!("failed {}", record.mode.word()),
        }
    }

    fn step_event(&self, run: RunId, event: &StepEvent, now: Timestamp) -> String {
        match event {
            StepEvent::Ready => "ready".to_owned(),
            StepEvent::Waiting { reason } => match reason {
                WaitReason::Person(gate) => format!("waits for {gate}"),
                WaitReason::Time(at) | WaitReason::BackOff { until: at, .. } => {
                    format!("waits {}", at.since(now))
                }
                WaitReason::Facts => "waits for facts".to_owned(),
                WaitReason::Message { .. } => format!("waits for {}", message_words(reason)),
                WaitReason::Agent { name, .. } => format!("waits for an agent like {name}"),
                WaitReason::Target { name, hold, until } => {
                    let left = until.map(|until| format!(" for {}", until.since(now))).unwrap_or_default();
                    format!("waits at {name}{left}: {hold:?}")
                }
                WaitReason::Candidates { names, until, fails_at } => {
                    let left = |moment: &Option<Timestamp>, word: &str| {
                        moment.map(|moment| format!(" {word} {}", moment.since(now))).unwrap_or_default()
                    };
                    let names: Vec<&str> = names.iter().map(|name| name.0.as_str()).collect();
                    let (looks, fails) = (left(until, "looks in"), left(fails_at, "fails in"));
                    format!("waits for any of {}{looks}{fails}", names.join(" "))
                }
            },
            StepEvent::FactsAsked { files, patterns, .. } => {
                format!("asks for files {files:?} hashes {patterns:?}")
            }
            StepEvent::Routed { choice } => {
                format!("routed to {} by {}: {}", choice.chosen, choice.policy, choice.reason)
            }
            StepEvent::FactsKnown { .. } => "knows files".to_owned(),
            StepEvent::Opened { inputs, copies } => {
                let mut text = "opened".to_owned();
                if !inputs.is_empty() {
                    write!(text, " {}", Value::Object(inputs.clone())).expect("a String");
                }
                if !copies.is_empty() {
                    write!(text, " with {}", copies.len()).expect("a String");
                }
                text
            }
            StepEvent::Grown { calls, copies } => format!("asks for {} with {}", calls.len(), copies.len()),
            StepEvent::Completed { outputs, confidence, partial, fallback, kept, origin, cached, .. } => {
                let mut text = if *partial { "partly done" } else { "completed" }.to_owned();
                if *fallback > 0 {
                    write!(text, " by fallback {fallback}").expect("a String");
                }
                if cached.is_some() {
                    text.push_str(" (cached)");
                } else if *kept {
                    text.push_str(" (kept)");
                }
                if let Some(confidence) = confidence {
                    write!(text, " {confidence}").expect("a String");
                }
                if !outputs.is_empty() {
                    write!(text, " {}", Value::Object(outputs.clone())).expect("a String");
                }
                if let Some(origin) =
                    origin.as_ref().filter(|origin| origin.run != RunId(1) || origin.by.is_some())
                {
                    let by =
                        origin.by.as_ref().map_or_else(String::new, |by| format!(", where {by} gave it"));
                    write!(text, " from {}{by}", origin.run).expect("a String");
                }
                text
            }
            StepEvent::DoneByHand { by, outputs, .. } => {
                format!("done by {by} {}", Value::Object(outputs.clone()))
            }
            StepEvent::Failed { record } => format!("failed {}: {}", record.mode.word(), record.message),
            StepEvent::SentBack => "begins anew".to_owned(),
            StepEvent::Reopened { why, gates } => {
                let gates: Vec<String> = gates.iter().map(|gate| self.name(run, *gate)).collect();
                let held =
                    if gates.is_empty() { String::new() } else { format!(", waits for {}", gates.join(" ")) };
                format!("reopened{held}: {why}")
            }
            StepEvent::Rejected { expired } => if *expired { "expired" } else { "rejected" }.to_owned(),
            StepEvent::Skipped { why } => format!("skipped: {}", self.why(run, why)),
            StepEvent::Cancelled { why } => format!("cancelled: {}", self.why(run, why)),
            StepEvent::Ending { why } => format!("ending: {}", self.why(run, why)),
            StepEvent::InDoubt { .. } => "in doubt".to_owned(),
            StepEvent::DoubtAnswered { answer, .. } => format!("answered {answer:?}"),
        }
    }

    /// Answers everything that is asked until nothing more happens; what rests then, rests.
    pub(super) fn drive(&mut self) {
        for _ in 0..500 {
            let run = self.run;
            if self.world.state_of(run).is_none_or(RunState::rests) {
                return;
            }
            let Some(line) = self.answer() else { return };
            self.line(&line);
        }
        panic!("it does not come to rest\n{}", self.text());
    }

    /// The next line of the script that a helpful person would write.
    fn answer(&self) -> Option<String> {
        if self.world.state_of(self.run) == Some(RunState::Paused) {
            return Some("resume".to_owned());
        }
        let mut flying = BTreeMap::new();
        let mut doubts = BTreeMap::new();
        let mut gates = BTreeMap::new();
        let mut stuck = BTreeMap::new();
        let mut facts = BTreeMap::new();
        for event in &self.journal {
            match &event.fact {
                Fact::Attempt(run, step, _, AttemptEvent::Started { .. }) if *run == self.run => {
                    flying.insert(*step, ());
                }
                Fact::Attempt(_, step, _, _) => drop(flying.remove(step)),
                Fact::Step(_, step, StepEvent::InDoubt { .. }) => drop(doubts.insert(*step, ())),
                Fact::Step(_, step, StepEvent::FactsAsked { .. }) => drop(facts.insert(*step, ())),
                Fact::Step(_, step, _) => {
                    doubts.remove(step);
                    facts.remove(step);
                    flying.remove(step);
                }
                Fact::Gate(_, step, gate, GateEvent::Asked { .. }) => drop(gates.insert(*gate, *step)),
                Fact::Gate(_, _, gate, GateEvent::Resolved { .. } | GateEvent::Armed { .. }) => {
                    gates.remove(gate);
                }
                Fact::Undo(_, step, UndoEvent::Stuck { .. }) => drop(stuck.insert(*step, ())),
                Fact::Undo(_, step, _) => drop(stuck.remove(step)),
                _ => {}
            }
        }
        let name = |step: &StepIx| self.plans[&self.run][step.index()].clone();
        if let Some((step, ())) = facts.first_key_value() {
            return Some(format!("facts {} x", name(step)));
        }
        if let Some((step, ())) = flying.first_key_value() {
            return Some(format!("ended {} ok", name(step)));
        }
        if let Some((step, ())) = doubts.first_key_value() {
            return Some(format!("not-happened {}", name(step)));
        }
        if let Some((step, ())) = stuck.first_key_value() {
            return Some(format!("give-up {}", name(step)));
        }
        if let Some((_, step)) = gates.first_key_value() {
            return Some(format!("ann approves {} : yes", name(step)));
        }
        self.world.deadline().map(|at| format!("wake {}", at.since(self.now).spelled()))
    }

    /// The effects of the last command.
    pub(super) fn effects(&self) -> Vec<Effect> {
        self.journal.iter().filter_map(react).collect()
    }

    /// The calls that were asked for, by step.
    pub(super) fn launch_of(&self, step: &str) -> cuelight_base::Launch {
        let wanted = self.step(step);
        let found = self.effects().into_iter().rev().find_map(|effect| match effect {
            Effect::Call { attempt, launch, .. } if attempt.step == wanted && attempt.run == self.run => {
                Some(*launch)
            }
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{step} was never called\n{}", self.text()))
    }

    /// The files that have to be as they were when the last call of a step was approved.
    pub(super) fn bound_of(&self, step: &str) -> Vec<String> {
        let wanted = self.step(step);
        let found = self.effects().into_iter().rev().find_map(|effect| match effect {
            Effect::Call { attempt, bound, .. } if attempt.step == wanted && attempt.run == self.run => bound,
            _ => None,
        });
        let facts = found.unwrap_or_default();
        let executed = facts.programs.iter().flat_map(|program| &program.1);
        facts.files.iter().chain(executed).map(|file| file.path.clone()).collect()
    }

    /// Each call of a step, and if it was bound to files.
    pub(super) fn bound_calls(&self, step: &str) -> Vec<bool> {
        let wanted = self.step(step);
        let bound = |effect: &Effect| match effect {
            Effect::Call { attempt, bound, .. } if attempt.step == wanted && attempt.run == self.run => {
                Some(bound.is_some())
            }
            _ => None,
        };
        self.effects().iter().filter_map(bound).collect()
    }

    /// The last ask of a gate.
    pub(super) fn ask(&self, step: &str) -> Ask {
        self.gates[&self.gate(Some(step))].0.last().expect("a gate was asked").clone()
    }
}

/// The files that a call executes, made up without a disk. A captured workspace has another hash for other
/// patterns; one of `large` cannot be captured.
fn executed(program: Program) -> (Program, Vec<FileFact>) {
    if let Some(tree) = &program.tree {
        let patterns = tree.patterns.join(" ");
        let problem = (patterns == "large").then(|| "could not capture the workspace".to_owned());
        let digest = tree.from.unwrap_or_else(|| sha256("tree", &[patterns.as_bytes()]));
        let digest = problem.is_none().then_some(digest);
        return (program, vec![FileFact { path: "tree".to_owned(), digest, bytes: 1, problem }]);
    }
    let path = program.word.clone();
    let digest = Some(sha256("test", &[path.as_bytes()]));
    (program, vec![FileFact { path, digest, bytes: 1, problem: None }])
}

/// The world that a journal tells of.
pub(super) fn fold(journal: &[Event]) -> World {
    let mut world = World::default();
    for event in journal {
        world.apply(event);
    }
    world
}

/// `key=value`; a value that reads as JSON is that.
fn value(word: &str) -> Option<(String, Value)> {
    let (key, value) = word.split_once('=')?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Some((key.to_owned(), value))
}

/// The state a step is in after this; told in another way than the engine tells it.
fn state_after(fact: &Fact) -> Option<StepState> {
    Some(match fact {
        Fact::Attempt(_, _, _, AttemptEvent::Started { purpose, .. }) => match purpose {
            Purpose::Undo => StepState::Undoing,
            _ => StepState::Running,
        },
        Fact::Attempt(_, _, _, AttemptEvent::Ended { retry_at: Some(_), outcome: _ }) => StepState::Waiting,
        Fact::Step(_, _, event) => match event {
            StepEvent::Ready => StepState::Ready,
            StepEvent::Waiting { .. } | StepEvent::FactsAsked { .. } => StepState::Waiting,
            StepEvent::Opened { .. } | StepEvent::Grown { .. } => StepState::Running,
            StepEvent::Completed { partial: true, .. } => StepState::Partial,
            StepEvent::Completed { .. } | StepEvent::DoneByHand { .. } => StepState::Completed,
            StepEvent::Failed { .. } => StepState::Failed,
            StepEvent::SentBack | StepEvent::Reopened { .. } => StepState::Pending,
            StepEvent::Rejected { .. } => StepState::Rejected,
            StepEvent::Skipped { .. } => StepState::Skipped,
            StepEvent::Cancelled { .. } => StepState::Cancelled,
            StepEvent::Ending { .. } => StepState::Running,
            StepEvent::InDoubt { .. } => StepState::InDoubt,
            StepEvent::FactsKnown { .. } | StepEvent::Routed { .. } | StepEvent::DoubtAnswered { .. } => {
                return None;
            }
        },
        Fact::Undo(_, _, UndoEvent::Done { .. }) => StepState::Undone,
        Fact::Undo(_, _, _) => StepState::Undoing,
        _ => return None,
    })
}

fn attempt_event(number: u32, event: &AttemptEvent, now: Timestamp) -> String {
    match event {
        AttemptEvent::Started { purpose, .. } => match purpose {
            Purpose::Step => format!("call {number}"),
            Purpose::Fallback(which) => format!("call {number} fallback {which}"),
            Purpose::Undo => format!("call {number} undo"),
            Purpose::Check => format!("call {number} check"),
        },
        AttemptEvent::Ended { outcome, retry_at } => {
            let how = outcome.failure.as_ref().map_or("ok", |failure| failure.mode.word());
            let again =
                retry_at.map(|retry_at| format!(", again in {}", retry_at.since(now))).unwrap_or_default();
            format!("call {number} ended {how}{again}")
        }
        AttemptEvent::Lost { .. } => format!("call {number} lost"),
        AttemptEvent::Adopted { how, ends, .. } => {
            let how = if *how == Adoption::Attached { "still runs" } else { "had ended" };
            format!("call {number} {how}{}", if *ends { ", to be ended" } else { "" })
        }
    }
}

fn agent_event(event: &AgentEvent) -> String {
    match event {
        AgentEvent::Registered { agent, .. } => format!("agent {} is there", agent.name),
        AgentEvent::Seen { agent } => format!("agent {agent} is seen"),
        AgentEvent::Lost { agent } => format!("agent {agent} is lost"),
        AgentEvent::Leased { lease } => format!("{} takes {}", lease.agent, lease.attempt),
        AgentEvent::Renewed { attempt, note, .. } => {
            format!("{attempt} goes on{}", note.as_ref().map_or_else(String::new, |note| format!(": {note}")))
        }
        AgentEvent::Left { agent, reason, .. } => format!("agent {agent} left: {reason}"),
    }
}

fn target_event(event: &TargetEvent, now: Timestamp) -> String {
    match event {
        TargetEvent::Counted { failures } => format!("counts {failures}"),
        TargetEvent::Opened { until, reason, .. } => format!("opens for {}: {reason}", until.since(now)),
        TargetEvent::HalfOpened => "half opens".to_owned(),
        TargetEvent::Succeeded { successes } => format!("succeeds {successes}"),
        TargetEvent::Taken { bucket, .. } => format!("takes call {} of the day", bucket.used),
        TargetEvent::Closed { reason } => format!("closes: {reason}"),
    }
}

fn gate_event(event: &GateEvent, now: Timestamp) -> String {
    match event {
        GateEvent::Asked { ask, why, .. } => {
            format!("asked {}{}", ask.epoch, why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())
        }
        GateEvent::Voted(vote) => {
            let verb = match vote.verdict {
                Verdict::Approve => "approves",
                Verdict::Reject => "rejects",
                Verdict::SendBack => "sends it back",
            };
            let of: Vec<&str> = vote.acting_for.iter().map(|actor| actor.name.as_str()).collect();
            let of = if of.is_empty() { String::new() } else { format!(" for {}", of.join(" and ")) };
            format!("{} {verb}{of}", vote.by)
        }
        GateEvent::GlassBroken(vote) => format!("{} breaks the glass: {}", vote.by, vote.reason),
        GateEvent::Overridden(vote) => format!("{} overrides it: {}", vote.by, vote.reason),
        GateEvent::Delegated { by, to, until, .. } => {
            format!("{by} hands it to {to} for {}", until.since(now))
        }
        GateEvent::GlassReviewed { by, reason, epoch } => {
            format!("{by} reviews it as of {}: {reason}", epoch.expect("it is always told"))
        }
        GateEvent::Refused { by, why } => format!("refused {by}: {why}"),
        GateEvent::Withdrawn { by } => format!("{by} withdraws"),
        GateEvent::Edited { by, .. } => format!("{by} edits"),
        GateEvent::Commented { by, text } => format!("{by} says {text}"),
        GateEvent::Agreed { files, patterns, .. } => format!("looks again at {files:?} {patterns:?}"),
        GateEvent::Armed { until } => format!("armed for {}", until.since(now)),
        GateEvent::Reminded { count } => format!("reminded {count}"),
        GateEvent::Escalated { group } => format!("escalated to {group}"),
        GateEvent::Resolved { state, by, .. } => format!("{state} by {by}"),
    }
}
