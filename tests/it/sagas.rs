//! The sagas of `examples/`, failed at every node: what they do is really done, in a directory of its own, and once more
//! with a crash after every first call, so that every action and every undo is run twice. Both must leave the same behind.
//!
//! The engine is the real one; time is not, and people say yes, except at the gate that is to fail.

use crate::run_and_answer;
use cuelight_base::{
    Actor, AttemptId, Channel, DecisionId, Digest, Launch, Proof, RunId, Span, StepIx, TextPart, Timestamp,
    ValueMap, sha256,
};
use cuelight_definition::Files;
use cuelight_engine::{
    Ask, AttemptEvent, CauseOfLaunch, Command, Decision, DoubtAnswer, Effect, Event, Fact, Facts, Failure,
    FileFact, GateEvent, Launching, Outcome, Purpose, RunState, StepEvent, UndoEvent, Verdict, World, react,
};
use cuelight_plan::{FrameKind, Plan, Undo, Work};
use cuelight_tool::{Call, Host, SecretStore, parse_outputs, run_built_in, run_model};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// After so many turns something goes round in a circle.
const TURNS_MAX: usize = 5_000;
/// Copies that a computed matrix of an example makes.
const COPIES: usize = 3;

struct Beside;

impl Files for Beside {
    fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(path).map_err(|error| error.to_string())
    }
}

fn plan(example: &str, inputs: &[(&str, &str)]) -> Plan {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(example);
    let text = fs::read_to_string(&path).expect("an example");
    let workflow =
        cuelight_definition::read(&path.display().to_string(), &text, &Beside).0.expect("it is right");
    let words: Vec<(String, String)> =
        inputs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let inputs = cuelight_definition::check_input_texts(&workflow, &words).expect("its inputs");
    cuelight_plan::lower(&workflow, inputs).expect("a plan")
}

/// Fails the saga at every node, with everything done once and with everything done twice.
#[track_caller]
fn check(example: &str, inputs: &[(&str, &str)], prepare: impl Fn(&Path)) {
    let plan = plan(example, inputs);
    let computed = plan.steps.iter().any(
        |step| matches!(&step.work, Work::Frame(frame) if matches!(frame.kind, FrameKind::Computed { .. })),
    );
    let nodes = plan.steps.len() + if computed { COPIES } else { 0 };
    let can_fail = |at: &usize| {
        plan.steps.get(*at).is_none_or(|step| matches!(step.work, Work::Run { .. } | Work::Gate(_)))
    };
    // Behind the last node nothing fails: all of it is undone by a person.
    for node in (0..nodes).filter(can_fail).chain([nodes]) {
        let id = plan.steps.get(node).map_or_else(|| format!("node {node}"), |step| step.id.clone());
        let once = play(&plan, node, false, &prepare);
        let twice = play(&plan, node, true, &prepare);
        assert!(
            once.1 == twice.1,
            "{example} failed at {id}: once {:#?}\ntwice {:#?}\n{}",
            once.1,
            twice.1,
            twice.0
        );
    }
}

/// Plays a saga. Returns its log, and the contents of the remaining files by path.
fn play(
    plan: &Plan,
    fails: usize,
    twice: bool,
    prepare: impl Fn(&Path),
) -> (String, BTreeMap<String, String>) {
    let stage = TempDir::new().expect("a directory");
    let bin = TempDir::new().expect("a directory");
    shim(bin.path(), "sleep", "exit 0");
    // Both are done at one time, so that they can leave the same behind.
    shim(bin.path(), "date", "echo 2026-03-01T12:00:00Z");
    shim(
        bin.path(),
        "cargo",
        "[ \"$1\" = metadata ] && echo '{\"packages\":[{\"name\":\"shop\",\"version\":\"1.0.0\"}]}'; exit 0",
    );
    prepare(stage.path());
    let mut saga = Saga {
        plan: plan.clone(),
        stage,
        bin,
        fails: StepIx::from_index(fails),
        twice,
        world: World::default(),
        journal: Vec::new(),
        now: Timestamp(1_800_000_000_000),
        queue: VecDeque::new(),
        lost: BTreeSet::new(),
        begun: BTreeSet::new(),
        done: BTreeMap::new(),
        gates: BTreeMap::new(),
        undone: BTreeSet::new(),
        decisions: 0,
        told: String::new(),
    };
    saga.play();
    let left = saga.left();
    (saga.told, left)
}

fn shim(bin: &Path, name: &str, does: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = bin.join(name);
    fs::write(&path, format!("#!/bin/sh\n{does}\n")).expect("a program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
}

struct Saga {
    plan: Plan,
    stage: TempDir,
    bin: TempDir,
    /// The node that fails, before it does anything.
    fails: StepIx,
    /// True if a crash follows every first call.
    twice: bool,
    world: World,
    journal: Vec<Event>,
    now: Timestamp,
    queue: VecDeque<Effect>,
    lost: BTreeSet<AttemptId>,
    /// Steps whose work, or whose undo, has been really called.
    begun: BTreeSet<(StepIx, bool)>,
    /// Outputs of the calls that ended well.
    done: BTreeMap<StepIx, ValueMap>,
    gates: BTreeMap<cuelight_base::GateId, (Ask, Digest)>,
    undone: BTreeSet<StepIx>,
    decisions: u32,
    told: String,
}

impl Saga {
    fn play(&mut self) {
        let (by, plan) = (person(), self.plan.clone());
        let launching = Launching {
            plan,
            by,
            seed: 7,
            cause: CauseOfLaunch::Asked,
            trace: "saga".to_owned(),
            request: None,
        };
        self.submit(Command::Launch(Box::new(launching)));
        for _ in 0..TURNS_MAX {
            if let Some(effect) = self.next() {
                self.carry(effect);
            } else if let Some((gate, (ask, hash))) = self.gates.pop_first() {
                self.decide(gate, &ask, hash);
            } else if let Some(at) = self.world.deadline() {
                self.now = self.now.max(at);
                self.submit(Command::Wake);
            } else {
                let state = self.world.state_of(RunId(1));
                assert!(state.is_some_and(RunState::rests), "it does not rest\n{}", self.told);
                if state != Some(RunState::Completed) {
                    return;
                }
                let (run, reason, by) = (RunId(1), "as if it had never been".to_owned(), person());
                self.submit(Command::Undo { run, reason, by });
            }
        }
        panic!("it goes on for ever\n{}", self.told);
    }

    /// Returns the next effect. The failing node comes last, so that all beside it is done by then, whatever
    /// the order.
    fn next(&mut self) -> Option<Effect> {
        let fails =
            |effect: &Effect| matches!(effect, Effect::Call { attempt, .. } if attempt.step == self.fails);
        let first = self.queue.iter().position(|effect| !fails(effect)).unwrap_or(0);
        self.queue.remove(first)
    }

    fn submit(&mut self, command: Command) {
        let mut events = Vec::new();
        let said = self.world.handle(command, self.now, &mut events);
        said.unwrap_or_else(|why| panic!("{why}\n{}", self.told));
        for event in events {
            self.note(&event);
            self.queue.extend(react(&event));
            self.journal.push(event);
        }
    }

    fn note(&mut self, event: &Event) {
        let told = format!("{:?}", event.fact);
        self.told.push_str(&told.chars().take(160).collect::<String>());
        self.told.push('\n');
        match &event.fact {
            Fact::Attempt(run, step, number, AttemptEvent::Lost { .. }) => {
                self.lost.insert(AttemptId { run: *run, step: *step, number: *number });
            }
            Fact::Gate(_, _, gate, GateEvent::Asked { ask, hash, .. }) => {
                self.gates.insert(*gate, ((**ask).clone(), *hash));
            }
            Fact::Gate(_, _, gate, GateEvent::Resolved { .. }) => drop(self.gates.remove(gate)),
            Fact::Undo(_, step, UndoEvent::Asked) => self.comes_after_all_that_need(*step),
            Fact::Undo(_, step, UndoEvent::Done { .. }) => drop(self.undone.insert(*step)),
            Fact::Undo(_, step, UndoEvent::Stuck { record }) => {
                panic!("the undo of {step:?} is stuck: {record:?}\n{}", self.told);
            }
            _ => {}
        }
    }

    /// Checks that every step that needs this one, directly or indirectly, has been undone before it.
    fn comes_after_all_that_need(&self, step: StepIx) {
        let mut above = BTreeSet::from([step]);
        for (at, plan) in self.plan.steps.iter().enumerate() {
            let at = StepIx::from_index(at);
            let inside = plan.frame.is_some_and(|frame| above.contains(&frame));
            if inside || plan.needs.iter().any(|step| above.contains(step)) {
                above.insert(at);
            }
        }
        let completed = |at: &StepIx| {
            let did = |event: &Event| matches!(&event.fact, Fact::Step(_, step, StepEvent::Completed { .. }) if step == at);
            self.journal.iter().any(did)
        };
        let undoable = |at: &StepIx| matches!(self.plan.steps[at.index()].undo, Undo::By(_));
        for at in above.into_iter().filter(|value| *value != step && undoable(value) && completed(value)) {
            assert!(self.undone.contains(&at), "{step:?} is undone before {at:?}\n{}", self.told);
        }
    }

    fn carry(&mut self, effect: Effect) {
        match effect {
            Effect::Call { attempt, .. } if self.lost.contains(&attempt) => {}
            Effect::Call { attempt, purpose, launch, effect_key, .. } => {
                self.call(attempt, purpose, &launch, effect_key);
            }
            Effect::Look { run, step, files, patterns, programs } => {
                let look = |path: String| {
                    let bytes = fs::read(self.stage.path().join(&path)).unwrap_or_default();
                    let digest = Some(sha256("saga", &[&bytes]));
                    FileFact { path, digest, bytes: bytes.len() as u64, problem: None }
                };
                let hashes = patterns.into_iter().map(|pattern| (pattern, String::new())).collect();
                // What is executed is the same throughout.
                let programs = programs.into_iter().map(|program| (program, Vec::new())).collect();
                let files = files.into_iter().map(look).collect();
                let facts = Facts { files, hashes, programs, ..Facts::default() };
                self.submit(Command::FactsFetched { run, step, facts });
            }
            // What is ended before it was called never was.
            Effect::End { step: Some(step), .. } => {
                let goes_on = |effect: &Effect| {
                    !matches!(effect, Effect::Call { attempt, purpose, .. }
                        if attempt.step == step && *purpose != Purpose::Undo)
                };
                self.queue.retain(goes_on);
            }
            Effect::Attach { .. }
            | Effect::Discard { .. }
            | Effect::End { step: None, .. }
            | Effect::Ring { .. } => {}
        }
    }

    fn call(&mut self, attempt: AttemptId, purpose: Purpose, launch: &Launch, key: Digest) {
        let is_undo = purpose == Purpose::Undo;
        let is_work = matches!(purpose, Purpose::Step | Purpose::Fallback(_));
        if is_work && attempt.step == self.fails {
            return self.ended(attempt, Err("it is to fail here".to_owned()));
        }
        let result = self.really(attempt, launch, key);
        let is_first = purpose != Purpose::Check && self.begun.insert((attempt.step, is_undo));
        if let (Ok(outputs), false) = (&result, is_undo) {
            self.done.insert(attempt.step, outputs.clone());
        }
        match result {
            _ if self.twice && is_first => self.crash(),
            result => self.ended(attempt, result),
        }
    }

    fn ended(&mut self, attempt: AttemptId, result: Result<ValueMap, String>) {
        let mut outcome = Outcome { exit_code: Some(i32::from(result.is_err())), ..Outcome::default() };
        match result {
            Ok(outputs) => outcome.outputs = outputs,
            Err(message) => {
                let mode = cuelight_base::FailureMode::AgentLogic;
                outcome.failure = Some(Failure { mode, message, tail: String::new(), not_started: false });
            }
        }
        self.submit(Command::AttemptEnded { attempt, outcome: Box::new(outcome) });
    }

    /// The process that did it dies before its end is written down; another takes up the log.
    fn crash(&mut self) {
        self.world = World::default();
        self.journal.iter().for_each(|event| self.world.apply(event));
        self.queue.clear();
        let before = self.journal.len();
        self.submit(Command::Recover { away: Span(0), found: Vec::new(), taken: None });
        let doubts: Vec<StepIx> = self.journal[before..]
            .iter()
            .filter_map(|event| match &event.fact {
                Fact::Step(_, step, StepEvent::InDoubt { .. }) => Some(*step),
                _ => None,
            })
            .collect();
        for step in doubts {
            let answer = match self.done.get(&step) {
                _ if !self.begun.contains(&(step, false)) => DoubtAnswer::NotHappened,
                Some(outputs) => DoubtAnswer::Happened(outputs.clone()),
                None => DoubtAnswer::Abort,
            };
            let (run, reason, by) = (RunId(1), "looked".to_owned(), person());
            self.submit(Command::AnswerDoubt { run, step, answer, reason, by });
        }
    }

    fn decide(&mut self, gate: cuelight_base::GateId, ask: &Ask, hash: Digest) {
        self.decisions += 1;
        let is_node = self.plan.steps.get(self.fails.index()).is_some_and(|step| step.id == ask.step);
        let decision = Decision {
            id: DecisionId(format!("d{}", self.decisions)),
            gate,
            epoch: ask.epoch,
            ask: hash,
            verdict: if is_node { Verdict::Reject } else { Verdict::Approve },
            reason: "the figures say so".to_owned(),
            by: person(),
            shown_for: None,
            break_glass: false,
            overrides: false,
            form: ValueMap::new(),
        };
        self.submit(Command::Decide(Box::new(decision)));
    }

    /// Calls it as the engine would.
    fn really(&self, attempt: AttemptId, launch: &Launch, key: Digest) -> Result<ValueMap, String> {
        if launch.model.is_some() {
            return self.asks(attempt, launch, key);
        }
        if launch.tool.as_ref().is_some_and(|tool| tool.built_in) {
            let root = self.stage.path();
            let secrets = SecretStore::new(BTreeMap::new(), root);
            let host = Host::new(root.to_owned(), Vec::new(), secrets, Span(300));
            let answer = run_built_in(&host, launch, None, &CancellationToken::new());
            return answer.failure().map_or(Ok(answer.outputs), |failure| Err(failure.message));
        }
        let outputs = self.bin.path().join("outputs");
        fs::write(&outputs, "").expect("a file");
        let path = format!("{}:{}", self.bin.path().display(), std::env::var("PATH").unwrap_or_default());
        let dir = self.stage.path().join(launch.dir.as_deref().unwrap_or("."));
        let mut command = run_and_answer::program(&launch.argv[0]);
        command.args(&launch.argv[1..]).current_dir(dir).env_clear();
        for (name, parts) in &launch.env {
            let text: String = parts
                .iter()
                .map(|part| match part {
                    TextPart::Text(text) | TextPart::Secret(text) => text.as_str(),
                })
                .collect();
            command.env(name, text);
        }
        let step = attempt.step.0.to_string();
        command
            .env("PATH", path)
            .env("HOME", self.bin.path())
            .env("LC_ALL", "C.UTF-8")
            .env("CUELIGHT_OUTPUT", &outputs)
            .env("CUELIGHT_RUN", attempt.run.to_string())
            .env("CUELIGHT_STEP", step)
            .env("CUELIGHT_ATTEMPT", attempt.number.to_string())
            .env("CUELIGHT_KEY", key.to_string());
        let output = command.output().expect("the program starts");
        if !output.status.success() {
            return Err(format!(
                "{}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default()
            ));
        }
        parse_outputs(&fs::read(&outputs).expect("what it wrote"))
    }

    /// Asks a model: the examples that are run here ask the stand-in alone.
    fn asks(&self, attempt: AttemptId, launch: &Launch, key: Digest) -> Result<ValueMap, String> {
        let root = self.bin.path();
        let secrets = SecretStore::new(BTreeMap::new(), root);
        let host = Host::new(root.to_owned(), Vec::new(), secrets, Span(300));
        let call = Call {
            tree: None,
            attempt_dir: root.join(attempt.to_string()),
            run: attempt.run.to_string(),
            step: attempt.step.0.to_string(),
            attempt: attempt.to_string(),
            effect_key: key.to_string(),
            traceparent: None,
        };
        drop(fs::remove_dir_all(&call.attempt_dir));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let answer = runtime.block_on(run_model(&host, launch, &call, &CancellationToken::new(), |_| {}));
        answer.failure().map_or(Ok(answer.outputs), |failure| Err(failure.message))
    }

    /// Every file and link that is left, and the tags of a repository; not what says when it was made.
    fn left(&self) -> BTreeMap<String, String> {
        let mut left = BTreeMap::new();
        let mut open = vec![self.stage.path().to_owned()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(&dir).expect("a directory").map(|entry| entry.expect("an entry").path())
            {
                let name = entry.strip_prefix(self.stage.path()).expect("below").display().to_string();
                // What a step that fails once leaves for its next call.
                let ends = |word: &str| entry.extension().is_some_and(|extension| extension == word);
                if ends("tried") {
                    continue;
                }
                if let Ok(to) = fs::read_link(&entry) {
                    left.insert(name, format!("-> {}", to.display()));
                } else if entry.is_dir() && !entry.ends_with(".git") {
                    open.push(entry);
                } else if entry.is_dir() {
                    let tags = fs::read_dir(entry.join("refs/tags")).expect("a repository");
                    let tags: Vec<_> = tags.map(|tag| tag.expect("an entry").file_name()).collect();
                    left.insert(name, format!("{tags:?}"));
                } else {
                    let has_pages = ends("db") || ends("gz");
                    let text = if has_pages { Vec::new() } else { fs::read(&entry).expect("a file") };
                    left.insert(name, String::from_utf8_lossy(&text).chars().take(200).collect());
                }
            }
        }
        left
    }
}

fn person() -> Actor {
    Actor { name: "ann".to_owned(), proof: Proof::OsUser(1), groups: Vec::new(), channel: Channel::Command }
}

#[test]
fn the_deployment() {
    check("deploy.yaml", &[], |_| {});
}

#[test]
fn the_deployment_over_an_older_version() {
    check("deploy.yaml", &[("version", "v1.1.0")], |stage| {
        let old = stage.join("deploy-example/releases/v1.0.0");
        fs::create_dir_all(&old).expect("a directory");
        fs::write(old.join("index.html"), "old").expect("a file");
        std::os::unix::fs::symlink("releases/v1.0.0", stage.join("deploy-example/current")).expect("a link");
    });
}

#[test]
fn the_backup() {
    check("backup.yaml", &[("keep", "1")], |stage| {
        let copies = stage.join("backup-example/copies");
        fs::create_dir_all(&copies).expect("a directory");
        for day in ["20260101", "20260102"] {
            fs::write(copies.join(format!("{day}T000000Z-r-0.db")), "old").expect("a file");
        }
    });
}

#[test]
fn the_clean_up() {
    check("cleanup.yaml", &[("unasked_max", "0")], |_| {});
}

#[test]
fn the_figures_of_all_shops() {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/data/sales");
    check("etl.yaml", &[("source", &data.display().to_string())], |_| {});
}

#[test]
fn the_incident() {
    check("incident.yaml", &[], |_| {});
}

#[test]
fn the_release() {
    check("release.yaml", &[], |stage| {
        fs::write(stage.join("Cargo.toml"), "[package]").expect("a file");
        for words in [
            &["init", "--quiet"][..],
            &["add", "."],
            &["-c", "user.name=ann", "-c", "user.email=ann@localhost", "commit", "--quiet", "-m", "first"],
        ] {
            let done =
                run_and_answer::program("git").args(words).current_dir(stage).status().expect("git starts");
            assert!(done.success());
        }
    });
}

#[test]
fn the_demo() {
    check("demo.yaml", &[], |_| {});
}
