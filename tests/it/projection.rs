//! Events in, what can be seen out: boards, inbox, failures, causes, graph and JSON.

use crate::disk_fixture::Looked;
use cuelight_base::{
    Actor, AttemptId, Channel, DecisionId, Digest, Epoch, ErrorKind, ErrorRecord, FailureMode, GateId,
    Launch, Proof, RunId, Score, Seq, Severity, Span, StepIx, Timestamp, Value, ValueMap,
};
use cuelight_engine::{
    AttemptEvent, CauseOfLaunch, Command, Decision, Effect, Event, Fact, Failure, FailureEvent, GateEvent,
    GateState, Launching, Outcome, Purpose, RetryFrom, RunEvent, RunState, StepEvent, StepState, UndoEvent,
    Verdict, Vote, WaitReason, Why, World, react,
};
use cuelight_plan::{Amounts, EffectClass, Plan, PlanStep, Risk};
use cuelight_projection::{
    Attention, Board, Counts, ErrorAnswer, ErrorState, Fix, Grade, Graph, HealthAnswer, History, Notch,
    RunView, Timeline, WhyLine, ask_diff, event_line, event_words, gate_json, gates_json, health_line,
    overall, run_diff, runs_json, show_json, why,
};
use serde_json::json;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

const RUN: RunId = RunId(1);
const GATE: GateId = GateId(1);

/// A log that is being written, one second between events unless told otherwise.
#[derive(Default)]
struct Log {
    board: Board,
    events: Vec<(Seq, Event)>,
    at: i64,
}

impl Log {
    /// A started run 1 of `settle`, with steps as [`plan`] reads them.
    fn of(steps: &str) -> Self {
        let mut log = Self::default();
        log.launch(RUN, plan(steps), CauseOfLaunch::Asked);
        log
    }

    fn launch(&mut self, run: RunId, plan: Plan, cause: CauseOfLaunch) {
        let plan = Arc::new(plan);
        let (plan_hash, seed, trace) = (Digest::default(), "7".to_owned(), "t-1".to_owned());
        let created = RunEvent::Created {
            plan,
            plan_hash,
            by: person("mira", &[]),
            seed,
            cause,
            trace,
            request: None,
            asked: BTreeMap::new(),
            escalates: Box::default(),
            editors: Box::default(),
            requesters: Vec::new(),
            displaced: Box::default(),
            displaced_behind: Box::default(),
        };
        self.add(Fact::Run(run, created)).add(Fact::Run(run, RunEvent::Started));
    }

    fn add(&mut self, fact: Fact) -> &mut Self {
        self.at += 1000;
        let event = Event { at: Timestamp(self.at), fact };
        let seq = Seq(self.events.len() as u64 + 1);
        self.board.apply(seq, &event);
        self.events.push((seq, event));
        self
    }

    fn wait(&mut self, seconds: i64) -> &mut Self {
        self.at += seconds * 1000;
        self
    }

    fn run(&mut self, event: RunEvent) -> &mut Self {
        self.add(Fact::Run(RUN, event))
    }

    fn step(&mut self, step: u32, event: StepEvent) -> &mut Self {
        self.add(Fact::Step(RUN, StepIx(step), event))
    }

    fn starts(&mut self, step: u32, number: u32, purpose: Purpose) -> &mut Self {
        let launch = Launch::of(["sh", "-c", "echo it's"]);
        let (launch_hash, effect_key, class) = (launch.hash(), Digest::default(), EffectClass::Pure);
        let started = AttemptEvent::Started {
            purpose,
            launch: Box::new(launch),
            launch_hash,
            effect_key,
            class,
            charge: Amounts::default(),
            bound: None,
            cache_key: None,
        };
        self.add(Fact::Attempt(RUN, StepIx(step), number, started))
    }

    fn ends(&mut self, step: u32, number: u32, failure: Option<&str>, retry_in: Option<u64>) -> &mut Self {
        let mode = FailureMode::SystemNetwork;
        let failure = failure.map(|message| Failure {
            mode,
            message: message.to_owned(),
            tail: "tail".to_owned(),
            not_started: false,
        });
        let retry_at = retry_in.map(|retry_in| Timestamp(self.at) + Span::seconds(retry_in));
        let outcome = Box::new(Outcome { failure, exit_code: Some(1), ..Outcome::default() });
        self.add(Fact::Attempt(RUN, StepIx(step), number, AttemptEvent::Ended { outcome, retry_at }))
    }

    fn completes(&mut self, step: u32) -> &mut Self {
        self.starts(step, 1, Purpose::Step).ends(step, 1, None, None).step(step, completed(9000))
    }

    fn gate(&mut self, step: u32, event: GateEvent) -> &mut Self {
        self.add(Fact::Gate(RUN, StepIx(step), GATE, event))
    }

    fn asks(&mut self, step: u32, ask: &Value, why: Option<&str>) -> &mut Self {
        let ask: cuelight_engine::Ask = serde_json::from_value(ask.clone()).expect("an ask");
        let gate =
            GateEvent::Asked { ask: Arc::new(ask), hash: Digest([7; 32]), why: why.map(ToOwned::to_owned) };
        self.gate(step, gate).step(step, StepEvent::Waiting { reason: WaitReason::Person(GATE) })
    }

    fn votes(&mut self, step: u32, by: Actor, verdict: Verdict) -> &mut Self {
        let (decision, ask) = (DecisionId("d".to_owned()), Digest([7; 32]));
        let vote = Vote {
            decision,
            by,
            verdict,
            reason: "checked".to_owned(),
            ask,
            shown_for: None,
            acting_for: Vec::new(),
            self_declared: false,
            form: ValueMap::new(),
        };
        self.gate(step, GateEvent::Voted(Box::new(vote)))
    }

    fn view(&self) -> &RunView {
        self.board.run(RUN).expect("the run is there")
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.at)
    }

    fn why(&self, step: u32) -> String {
        let lines = why(&self.board, self.view(), StepIx(step), self.now());
        let line =
            |line: &WhyLine| ["  ".repeat(line.depth as usize), line.text.clone(), "\n".to_owned()].concat();
        lines.iter().map(line).collect()
    }
}

/// The failures, as `error --json` tells them.
fn errors(log: &Log) -> Value {
    log.board.errors().map(|error| serde_json::to_value(ErrorAnswer::of(error)).expect("JSON")).collect()
}

fn person(name: &str, groups: &[&str]) -> Actor {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Actor { name: name.to_owned(), proof: Proof::Key(name.to_owned()), groups, channel: Channel::Console }
}

fn completed(confidence: u16) -> StepEvent {
    let mut outputs = ValueMap::new();
    outputs.insert("rows".to_owned(), "48".into());
    let confidence = Some(Score(confidence));
    serde_json::from_value(json!({"Completed": {"outputs": outputs, "confidence": confidence}}))
        .expect("an event")
}

fn record(severity: Severity, message: &str) -> Box<ErrorRecord> {
    let record = ErrorRecord::builder().error_type(ErrorKind::TaskExecutionError).severity(severity);
    let record = record.mode(FailureMode::SystemNetwork).source("load").message(message);
    Box::new(record.build().expect("all parts are there"))
}

fn failed(message: &str) -> StepEvent {
    StepEvent::Failed { record: record(Severity::High, message) }
}

/// `a, b < a, gate:ok < a b, matrix:m < ok, m[1] in m`: kind, id, needs, frame.
fn plan(steps: &str) -> Plan {
    let ids: Vec<&str> = steps.split(", ").map(|step| step.split(' ').next().expect("an id")).collect();
    let place =
        |id: &str| ids.iter().position(|other| other.rsplit(':').next() == Some(id)).expect("a known step");
    let read = |text: &str| -> PlanStep {
        let (text, frame) =
            text.split_once(" in ").map_or((text, None), |(text, frame)| (text, Some(place(frame))));
        let (name, needs) = text.split_once(" < ").unwrap_or((text, ""));
        let (kind, id) = name.split_once(':').unwrap_or(("run", name));
        let needs: Vec<usize> = needs.split(' ').filter(|word| !word.is_empty()).map(place).collect();
        let work = match kind {
            "run" => json!({"run": {"shell": ["sh", "-c"], "script": "true", "bindings": []}}),
            "gate" => json!({"gate": {"prompt": "Go?"}}),
            "matrix" => json!({"frame": {"kind": "matrix"}}),
            "computed" => {
                json!({"frame": {"kind": {"computed": {"matrix": [], "body": []}}, "max_parallel": 1}})
            }
            other => panic!("no kind {other}"),
        };
        serde_json::from_value(json!({"id": id, "local": id, "needs": needs, "frame": frame, "work": work}))
            .expect("a step")
    };
    Plan { name: "settle".to_owned(), steps: steps.split(", ").map(read).collect(), ..Plan::default() }
}

/// An ask that needs one of `sre` and one of `finance`, at 1,000,000 ms if nobody comes.
fn ask(run: u32, epoch: u32, amount: &str) -> Value {
    json!({
        "run": run, "gate": 1, "epoch": epoch, "step": "ok", "workflow": "settle",
        "plan": Digest::default(), "definition": Digest::default(), "prompt": "Pay out?", "risk": "irreversible",
        "will_run": [{
            "step": "pay", "launch": {"argv": ["pay", amount, "it's"]}, "launch_hash": Digest::default(),
            "effect": "once", "undo": "no",
        }],
        "later": [], "starts": ["pay"], "skips": ["pay"], "undoes": [], "cannot_undo": [], "binds": [],
        "evidence": [], "form": [{"name": "amount", "kind": "string", "required": true, "value": amount}],
        "require": [{"group": "sre", "count": 1}, {"group": "finance", "count": 1}],
        "excluded": [["key:mira", "asked for the run"]], "requester": "mira",
        "opened_at": Timestamp(0), "expires_at": Timestamp(1_000_000), "on_timeout": "reject",
        "reason_required": false, "undo_window": 5000,
    })
}

#[test]
fn a_run_is_listed_with_its_state_counts_and_health() {
    let mut log = Log::of("fetch, load < fetch");
    log.completes(0).starts(1, 1, Purpose::Step);
    let runs = runs_json(&log.board);
    assert_eq!(runs[0]["id"], "r-1");
    assert_eq!((&runs[0]["workflow"], &runs[0]["state"]), (&json!("settle"), &json!("running")));
    assert_eq!(runs[0]["started_at"], "1970-01-01T00:00:02.000Z");
    assert_eq!((&runs[0]["ended_at"], &runs[0]["actor"]), (&Value::Null, &json!("mira")));
    let steps = &runs[0]["steps"];
    assert_eq!((&steps["total"], &steps["completed"], &steps["running"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!((&runs[0]["health"], &runs[0]["open_gates"]), (&json!(100), &json!(0)));
    assert_eq!(runs[0]["confidence"].to_string(), "0.900");
}

#[test]
fn a_run_is_shown_with_its_steps_and_what_is_known_when_it_failed() {
    let mut log = Log::of("fetch, load < fetch, mail < load");
    log.completes(0).starts(1, 1, Purpose::Step).ends(1, 1, Some("no route"), None);
    log.step(1, failed("no route")).step(2, StepEvent::Skipped { why: Why::Need(StepIx(1)) });
    let ended = json!({"Ended": {"state": "failed", "outputs": {}, "partial": {
        "completed": 1, "failed": 1, "remaining": 1, "completion_ratio": 3333, "failure_mode": "system_network",
        "failure_point": "load", "suggestion": "retry-from-checkpoint",
    }}});
    log.run(serde_json::from_value(ended).expect("an event"));
    let shown = show_json(&log.board, log.view());
    assert_eq!((&shown["state"], &shown["counts"]["failed"]), (&json!("failed"), &json!(1)));
    assert_eq!(shown["steps"][0]["outputs"], json!({"rows": "48"}));
    assert_eq!(shown["steps"][1]["error"]["message"], "no route");
    assert_eq!(shown["steps"][2]["reason"], "load did not succeed");
    assert_eq!(shown["partial"]["completion_ratio"].to_string(), "0.333");
    assert_eq!(shown["partial"]["suggestion"], "retry-from-checkpoint");
    assert_eq!(shown["health"], 50);
}

#[test]
fn events_are_one_line_each_with_dotted_words() {
    let mut log = Log::of("fetch");
    log.completes(0).run(RunEvent::Ended {
        state: RunState::Completed,
        outputs: ValueMap::new(),
        partial: None,
    });
    let lines: Vec<Value> =
        log.events.iter().map(|(seq, event)| event_line(*seq, event, Some(log.view()))).collect();
    let words: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(
        words,
        ["run.created", "run.started", "attempt.started", "attempt.ended", "step.completed", "run_finished"]
    );
    assert_eq!(lines[0]["data"]["steps"], 1, "a plan is not repeated in a line");
    assert_eq!((&lines[2]["step"], &lines[2]["attempt"]), (&json!("fetch"), &json!(1)));
    assert_eq!(lines[2]["data"]["launch"]["argv"][0], "sh");
    assert_eq!(lines[4]["data"]["outputs"]["rows"], "48");
    assert_eq!((&lines[5]["state"], &lines[5]["seq"]), (&json!("completed"), &json!(6)));
}

#[test]
fn a_gate_waits_for_those_who_are_missing_and_nobody_else() {
    let mut log = Log::of("ok");
    let mut log = log.asks(0, &ask(1, 1, "10"), None);
    let waits_for = |log: &Log, who: &Actor| log.board.inbox(Some((who, Timestamp(0))))[0].mine;
    let (ann, bob) = (person("ann", &["sre"]), person("bob", &["sre", "finance"]));
    assert!(waits_for(log, &ann) && waits_for(log, &bob));
    assert!(!waits_for(log, &person("mira", &["sre"])), "who asked for the run does not count");
    assert!(!waits_for(log, &person("eve", &[])), "a stranger is not asked");
    log = log.votes(0, bob.clone(), Verdict::Approve).votes(0, ann.clone(), Verdict::Approve);
    let gate = log.board.gate(GATE).expect("it is open");
    assert_eq!((gate.missing(), gate.needed()), (vec![], 2), "bob stands for finance, since ann cannot");
    log = log.gate(0, GateEvent::Withdrawn { by: bob.clone() });
    let gate = log.board.gate(GATE).expect("it is open");
    assert_eq!(gate.missing()[0].group.as_deref(), Some("finance"));
    assert!(!waits_for(log, &ann), "who has answered is not asked again");
    let edited = GateEvent::Edited { by: bob.clone(), values: ValueMap::new(), reason: "less".to_owned() };
    log = log.gate(0, edited).gate(0, GateEvent::Escalated { group: "group:boss".to_owned() });
    assert!(!waits_for(log, &bob), "who edits the parameters does not vote");
    assert!(waits_for(log, &person("zoe", &["boss"])));
}

#[test]
fn an_ask_that_changed_voids_the_votes_and_shows_what_changed() {
    let mut log = Log::of("ok");
    log.asks(0, &ask(1, 1, "10"), None).votes(0, person("ann", &["sre"]), Verdict::Approve);
    log.asks(0, &ask(1, 2, "20"), Some("ann edited the parameters"));
    let gate = log.board.gate(GATE).expect("it is open");
    assert!(gate.votes.is_empty());
    let changes = ask_diff(gate.previous.as_ref().expect("it was asked before"), &gate.ask);
    let said: Vec<String> = changes
        .iter()
        .map(|change| {
            format!(
                "{} {} -> {}",
                change.path,
                change.before.as_ref().expect("old"),
                change.after.as_ref().expect("new")
            )
        })
        .collect();
    assert_eq!(
        said,
        ["will_run[pay].launch.argv[1] \"10\" -> \"20\"", "form[amount].value \"10\" -> \"20\""]
    );
}

#[test]
fn an_emergency_is_to_be_reviewed_once_it_was_an_approval_and_until_somebody_has_whatever_is_asked_since() {
    let glass = |log: &Log| {
        let votes = log.board.gate(GATE).expect("a gate").votes.clone();
        GateEvent::GlassBroken(Box::new((*votes[0].vote).clone()))
    };
    let resolved = |by: &str| GateEvent::Resolved {
        state: GateState::Approved,
        by: by.to_owned(),
        form: serde_json::Map::default(),
    };
    let due = |log: &Log| -> Vec<u32> { log.board.reviews_due().map(|gate| gate.epoch().0).collect() };
    let reviewed = |epoch: Option<u32>| -> GateEvent {
        let by = person("bob", &["sre"]);
        let mut told = json!({"GlassReviewed": {"by": by, "reason": "it was right"}});
        // Logs of old do not tell the epoch.
        if let Some(epoch) = epoch {
            told["GlassReviewed"]["epoch"] = epoch.into();
        }
        serde_json::from_value(told).expect("an event")
    };
    let mut log = Log::of("ok");
    log.asks(0, &ask(1, 1, "10"), None).votes(0, person("ann", &["sre"]), Verdict::Approve);
    let broken = glass(&log);
    // It was taken back, or the ask has changed, before it was one.
    log.gate(0, broken.clone());
    assert!(due(&log).is_empty());
    log.asks(0, &ask(1, 2, "20"), Some("plan.txt has changed"));
    log.gate(0, resolved("people"));
    assert!(due(&log).is_empty());
    // Each is looked at by itself, as it was then.
    for epoch in [3, 4] {
        log.asks(0, &ask(1, epoch, "30"), Some("plan.txt has changed"));
        log.gate(0, broken.clone()).gate(0, resolved("break-glass"));
    }
    log.asks(0, &ask(1, 5, "50"), Some("plan.txt has changed"));
    assert_eq!(due(&log), [3, 4]);
    let now = log.board.gate(GATE).expect("a gate");
    assert!(now.is_open() && !now.is_emergency() && now.review.is_none(), "{now:?}");
    let then = log.board.emergency(GATE, Epoch(3)).expect("what was approved then");
    assert_eq!((then.state, then.votes.len()), (GateState::Approved, 1));
    let inbox: Vec<Attention> = log.board.inbox(None).iter().map(|row| row.what).collect();
    let review = |epoch: u32| Attention::Review(GATE, Epoch(epoch));
    assert_eq!(inbox, [Attention::Gate(GATE), review(3), review(4)]);
    let told = gates_json(&log.board, (&person("cara", &["sre"]), Timestamp(0)));
    assert_eq!(
        (&told[1]["what"], &told[1]["gate"], &told[1]["epoch"]),
        (&json!("review"), &json!("g-1"), &json!(3))
    );
    let may = told[0]["may"].as_array().expect("actions");
    let reviews = may.iter().filter(|act| **act == "review").count();
    assert_eq!((reviews, &told[1]["may"]), (1, &json!(["review"])), "one of two is named: {told}");
    log.gate(0, reviewed(Some(3)));
    assert_eq!(due(&log), [4]);
    let told = &gate_json(log.board.gate(GATE).expect("a gate"), None)["emergencies"];
    assert_eq!((&told[0]["review"]["by"], &told[1]["review"]), (&json!("bob"), &Value::Null));
    log.gate(0, resolved("break-glass")).gate(0, reviewed(None));
    assert_eq!(due(&log), [4], "the last one is meant where nothing else is told");
    log.gate(0, reviewed(Some(4)));
    assert!(due(&log).is_empty());
}

#[test]
fn a_gate_is_compared_with_the_last_time_it_was_approved() {
    let mut log = Log::of("gate:ok");
    log.asks(0, &ask(1, 1, "10"), None).votes(0, person("ann", &["sre"]), Verdict::Approve);
    log.gate(
        0,
        GateEvent::Resolved { state: GateState::Approved, by: "people".to_owned(), form: ValueMap::new() },
    );
    assert!(log.board.inbox(None).is_empty());
    assert_eq!(gates_json(&log.board, (&person("mira", &[]), Timestamp(0))), json!([]));
    assert_eq!(gate_json(log.board.gate(GATE).expect("a gate"), None)["state"], "approved");
    log.launch(RunId(2), plan("gate:ok"), CauseOfLaunch::Asked);
    let again = serde_json::from_value(ask(2, 1, "20")).expect("an ask");
    let asked = GateEvent::Asked { ask: Arc::new(again), hash: Digest::default(), why: None };
    log.add(Fact::Gate(RunId(2), StepIx(0), GateId(2), asked));
    let gate = log.board.gate(GateId(2)).expect("it is open");
    let before = gate.last_approved.as_ref().expect("it was approved in run 1");
    assert_eq!((before.ask.run, before.by.join(" ")), (RUN, "ann".to_owned()));
    assert_eq!(ask_diff(&before.ask, &gate.ask).len(), 2);
    let listed = &gates_json(&log.board, (&person("mira", &[]), Timestamp(0)))[0];
    assert_eq!(listed["command_line"], r"pay 20 'it'\''s'");
    assert_eq!((&listed["risk"], &listed["ask_hash"]), (&json!("irreversible"), &json!("0".repeat(64))));
    assert_eq!(log.board.summary(RunId(2)).expect("known").doing(), "gate");
}

#[test]
fn what_needs_a_person_is_sorted_by_risk_then_deadline() {
    let mut log = Log::of("a, b, c");
    let mut mild = ask(1, 1, "1");
    mild["risk"] = json!("read-only");
    log.asks(0, &mild, None);
    log.starts(1, 1, Purpose::Step).step(1, StepEvent::InDoubt { evidence: "no exit code".to_owned() });
    log.completes(2).add(Fact::Undo(RUN, StepIx(2), UndoEvent::Asked));
    log.add(Fact::Undo(RUN, StepIx(2), UndoEvent::Stuck { record: record(Severity::Critical, "gone") }));
    let inbox = log.board.inbox(None);
    let what: Vec<Attention> = inbox.iter().map(|row| row.what).collect();
    assert_eq!(what, [Attention::Doubt, Attention::StuckUndo, Attention::Gate(GATE)]);
    assert_eq!((inbox[2].risk, log.board.inbox_len()), (Risk::ReadOnly, 3));
    log.add(Fact::Undo(RUN, StepIx(2), UndoEvent::Done { by: Some(person("ann", &[])) }));
    log.step(1, completed(8000));
    assert_eq!(log.board.inbox_len(), 1);
    assert_eq!(log.view().summary.stuck_undos, 0);
}

#[test]
fn a_failure_that_was_mended_by_trying_again_is_low_and_one() {
    let mut log = Log::of("load");
    log.starts(0, 1, Purpose::Step).ends(0, 1, Some("no route"), Some(2));
    let error = log.board.errors().next().expect("it failed");
    assert_eq!(
        (&error.state, error.record.severity),
        (&ErrorState::Retrying(Timestamp(5000)), Severity::Medium)
    );
    log.starts(0, 2, Purpose::Step).ends(0, 2, Some("no route"), Some(2));
    log.starts(0, 3, Purpose::Step).ends(0, 3, None, None).step(0, completed(9500));
    let errors = errors(&log);
    assert_eq!(errors.as_array().map(Vec::len), Some(1), "one failing step is one failure");
    assert_eq!((&errors[0]["severity"], &errors[0]["times"]), (&json!("low"), &json!(2)));
    assert_eq!((&errors[0]["state"], &errors[0]["resolved_by"]), (&json!("resolved"), &json!("call 3")));
    assert_eq!(log.board.health().0, 100);
}

#[test]
fn a_failed_step_is_mended_by_a_later_run_that_completes_it() {
    let mut log = Log::of("load");
    log.starts(0, 1, Purpose::Step).ends(0, 1, Some("no route"), None).step(0, failed("no route"));
    assert_eq!(log.board.open_error_count(), 1);
    log.launch(
        RunId(2),
        plan("load"),
        CauseOfLaunch::Retry { of: RUN, from: RetryFrom::Failed, corrected: None },
    );
    log.add(Fact::Step(RunId(2), StepIx(0), completed(9000)));
    let error = log.board.error_of(RUN, "load", false).expect("it is kept");
    assert_eq!(error.record.severity, Severity::High);
    assert!(matches!(&error.state, ErrorState::Resolved { fix: Fix::Run(RunId(2)), .. }));
    let alike = log.board.alike(error);
    assert_eq!((alike.times, alike.mended, alike.last_fix.as_deref()), (1, 1, Some("r-2")));
}

#[test]
fn a_failure_that_on_error_allows_is_kept_and_handled() {
    let mut log = Log::of("load");
    log.starts(0, 1, Purpose::Step).ends(0, 1, Some("no route"), None);
    log.step(0, StepEvent::Skipped { why: Why::Failed(record(Severity::Medium, "no route")) });
    let error = log.board.errors().next().expect("it failed");
    assert!(matches!(error.state, ErrorState::Resolved { fix: Fix::Allowed, .. }));
    assert_eq!((log.view().summary.failures(), log.view().summary.quality()), (1, Score(0)));
}

/// One more run of `load` that fails, and what mends it: `retry`, `said` or nothing.
fn fails_again(log: &mut Log, run: u32, fix: &str) {
    let (run, by) = (RunId(run), person("ann", &[]));
    log.launch(run, plan("load"), CauseOfLaunch::Asked);
    let failure = Failure {
        mode: FailureMode::SystemNetwork,
        message: "no route".to_owned(),
        tail: String::new(),
        not_started: false,
    };
    let outcome = Box::new(Outcome { failure: Some(failure), ..Outcome::default() });
    let retry_at = (fix == "retry").then(|| log.now());
    log.add(Fact::Attempt(run, StepIx(0), 1, AttemptEvent::Ended { outcome, retry_at }));
    match fix {
        "retry" => drop(log.add(Fact::Step(run, StepIx(0), completed(9000))).wait(1)),
        _ => drop(log.add(Fact::Step(run, StepIx(0), failed("no route"))).wait(1)),
    }
    if fix == "said" {
        let (step, of_undo, reason) = (Some(StepIx(0)), false, "the cable was out".to_owned());
        log.add(Fact::Failure(run, FailureEvent::Resolved { step, of_undo, by, reason }));
    }
}

#[test]
fn what_mended_a_failure_before_is_counted_by_what_it_was() {
    let mut log = Log::default();
    for (run, fix) in (1..).zip(["retry", "said", "retry", "", "retry"]) {
        fails_again(&mut log, run, fix);
    }
    let last = log.board.errors().next_back().expect("it failed").clone();
    let alike = log.board.alike(&last);
    assert_eq!((alike.times, alike.mended, alike.last_fix.as_deref()), (5, 4, Some("call 1")));
    assert_eq!(alike.fixes, [("trying again", 3), ("a person", 1)]);
    let worker = log.board.worker(&last).expect("it is known");
    assert_eq!((worker.times, worker.most_common()), (5, Some((FailureMode::SystemNetwork, 5))));
    let types: Vec<_> = log.board.error_types().iter().map(|(kind, times)| (*kind, *times)).collect();
    assert_eq!(types, [(ErrorKind::TaskExecutionError, 5)]);
    // What was said was wrong: it does not count as mended.
    let (step, of_undo, by, reason) = (Some(StepIx(0)), false, person("ann", &[]), String::new());
    log.add(Fact::Failure(RunId(2), FailureEvent::Reopened { step, of_undo, by, reason }));
    assert_eq!(log.board.alike(&last).fixes, [("trying again", 3)]);
    assert_eq!(log.board.error_of(RunId(2), "load", false).map(|error| error.state_word()), Some("open"));
}

#[test]
fn a_failure_is_urgent_until_somebody_looks_after_it() {
    let mut log = Log::of("load");
    log.starts(0, 1, Purpose::Step).ends(0, 1, Some("no route"), None).step(0, failed("no route"));
    let state = |log: &Log| {
        let error = log.board.error_of(RUN, "load", false).expect("it is kept").clone();
        (error.state_word(), log.board.urgent_error_count(), log.board.open_error_count())
    };
    assert_eq!(state(&log), ("open", 1, 1));
    let (step, of_undo, by, reason) = (Some(StepIx(0)), false, person("ann", &[]), "mine".to_owned());
    let said = FailureEvent::Acknowledged { step, of_undo, by: by.clone(), reason: reason.clone() };
    log.add(Fact::Failure(RUN, said));
    assert_eq!(state(&log), ("acknowledged", 0, 1));
    let json = errors(&log);
    assert_eq!((&json[0]["state"], &json[0]["acknowledged_by"]), (&json!("acknowledged"), &json!("ann")));
    log.add(Fact::Failure(
        RUN,
        FailureEvent::Reopened { step, of_undo, by: by.clone(), reason: reason.clone() },
    ));
    assert_eq!(state(&log), ("open", 1, 1));
    log.add(Fact::Failure(RUN, FailureEvent::Resolved { step, of_undo, by, reason }));
    assert_eq!(state(&log), ("resolved", 0, 0));
    let json = errors(&log);
    assert_eq!(json[0]["resolved_by"], "ann's word: mine");
}

#[test]
fn the_failure_that_made_a_run_fail_is_critical() {
    let mut log = Log::of("load, mail");
    log.step(0, failed("no route")).step(1, failed("no mail"));
    let partial = json!({"completed": 0, "failed": 2, "remaining": 0, "completion_ratio": 0,
        "failure_mode": "system_network", "failure_point": "load", "suggestion": "retry-all"});
    let partial = Some(Box::new(serde_json::from_value(partial).expect("a result")));
    log.run(RunEvent::Ended { state: RunState::Failed, outputs: ValueMap::new(), partial });
    let of = |step| log.board.error_of(RUN, step, false).expect("kept").record.severity;
    assert_eq!((of("load"), of("mail")), (Severity::Critical, Severity::High));
    assert_eq!(log.board.urgent_error_count(), 2);
}

#[test]
fn a_replay_tells_the_same_numbers_and_a_report_holds_all_of_them() {
    let mut log = Log::default();
    for (run, fix) in (1..40).zip(["retry", "said", ""].into_iter().cycle()) {
        fails_again(&mut log, run, fix);
        log.wait(60);
    }
    let mut again = Board::default();
    for (seq, event) in &log.events {
        again.apply(*seq, event);
    }
    assert_eq!(again.vitals(), log.board.vitals());
    assert_eq!(again, log.board);
    let checks = log.board.checks(log.now());
    assert_eq!(overall(&checks), Grade::Healthy);
    let report = serde_json::to_value(HealthAnswer::of(&log.board, &checks, log.now())).expect("JSON");
    assert_eq!(report["health"], json!({"score": 33, "label": "critical"}));
    assert_eq!(report["reasons"][0]["mode"], "system_network");
    assert_eq!((&report["reasons"][0]["times"], &report["reasons"][0]["lost"]), (&json!(26), &json!(66.7)));
    assert_eq!(report["signals"]["24h"]["calls"], 39);
    assert_eq!(report["workflows"][0]["failed"], 26);
    assert_eq!(report["kinds"][0]["name"], "run");
    assert_eq!(report["overall"], "healthy");
    let line = health_line(&log.board, &checks);
    assert!(
        line.starts_with("health: runs 33 of 100, critical; engine healthy; 39 runs open, 0 gates wait, 13 "),
        "{line}"
    );
}

#[test]
fn a_budget_is_forecast_from_what_its_steps_took() {
    let mut log = Log::default();
    let mut budget = plan("a, b, c, d");
    budget.budget = Some(serde_json::from_value(json!({"calls": 6})).expect("a budget"));
    log.launch(RUN, budget, CauseOfLaunch::Asked);
    let grade = |log: &Log| {
        let budget = log.board.budgets().into_iter().next().expect("it has one");
        (budget.used, budget.forecast, budget.grade())
    };
    assert_eq!(grade(&log), (0, 4, Grade::Healthy));
    log.completes(0);
    assert_eq!(grade(&log), (1, 4, Grade::Healthy));
    for number in 1..=3 {
        log.starts(1, number, Purpose::Step).ends(1, number, Some("no"), Some(1));
    }
    log.step(1, completed(9000));
    assert_eq!(grade(&log), (4, 8, Grade::Degraded));
    assert_eq!(overall(&log.board.checks(log.now())), Grade::Degraded);
    log.completes(2).completes(3);
    assert_eq!(grade(&log), (6, 6, Grade::Unhealthy));
}

#[test]
fn a_clock_behind_the_log_is_told() {
    let mut log = Log::of("load");
    log.wait(60).completes(0);
    let check =
        |now| log.board.checks(now).into_iter().find(|check| check.name == "clock").expect("a check").grade;
    assert_eq!(check(log.now()), Grade::Healthy);
    assert_eq!(check(Timestamp(1000)), Grade::Degraded);
}

#[test]
fn why_follows_needs_down_to_the_people_who_are_missing() {
    let mut log = Log::of("build, gate:ok < build, pay < ok, mail < pay");
    log.completes(0).asks(1, &ask(1, 1, "10"), None).votes(1, person("ann", &["sre"]), Verdict::Approve);
    assert_eq!(
        log.why(3),
        "mail needs pay\n  pay needs ok\n    ok waits at g-1 for 1 of finance (1 of 2)\n      \
         if nobody answers: reject in 16m32s\n      key:mira does not count: asked for the run\n"
    );
}

#[test]
fn why_names_back_off_slots_pause_and_concurrency() {
    let mut log = Log::of("load, mail");
    log.starts(0, 1, Purpose::Step).ends(0, 1, Some("no route"), Some(30));
    assert_eq!(log.why(0), "load makes call 2 at 00:00:33 (29s left)\n  system_network: no route\n");
    log.starts(0, 2, Purpose::Step).step(1, StepEvent::Ready);
    assert_eq!(log.why(1), "mail waits for a slot (1 of 16 are taken): load\n");
    log.run(RunEvent::Paused { by: person("jon", &[]) });
    assert!(log.why(1).ends_with("r-1 was paused by jon; resume it to go on\n"));

    let group = cuelight_plan::Concurrency {
        group: "db".to_owned(),
        on_conflict: cuelight_plan::OnConflict::Queue,
        cancel_waiting: false,
    };
    let plan = Plan { concurrency: Some(group), ..plan("load") };
    log.launch(RunId(2), plan.clone(), CauseOfLaunch::Asked);
    let created = RunEvent::Created {
        plan: Arc::new(plan),
        plan_hash: Digest::default(),
        by: person("mira", &[]),
        seed: "1".to_owned(),
        cause: CauseOfLaunch::Asked,
        trace: String::new(),
        request: None,
        asked: BTreeMap::new(),
        escalates: Box::default(),
        editors: Box::default(),
        requesters: Vec::new(),
        displaced: Box::default(),
        displaced_behind: Box::default(),
    };
    log.add(Fact::Run(RunId(3), created));
    let third = log.board.run(RunId(3)).expect("it is there");
    let lines = why(&log.board, third, StepIx(0), log.now());
    let said: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(
        said,
        [
            "load is next; its condition is success()",
            "r-3 waits for its place in the group db",
            "r-2 (settle) is running"
        ]
    );
}

#[test]
fn why_of_a_skipped_step_ends_at_the_failure() {
    let mut log = Log::of("load, mail < load, close < mail");
    log.starts(0, 1, Purpose::Step).ends(0, 1, Some("no route"), None).step(0, failed("no route"));
    log.step(1, StepEvent::Skipped { why: Why::Need(StepIx(0)) });
    log.step(2, StepEvent::Skipped { why: Why::Need(StepIx(1)) });
    assert_eq!(
        log.why(2),
        "close is skipped: mail did not succeed\n  mail is skipped: load did not succeed\n    \
         load is failed: no route\n"
    );
}

#[test]
fn the_critical_path_is_the_longest_way_through_frames_and_needs() {
    let mut log = Log::of("fetch, matrix:m < fetch, m1 in m, m2 in m, fx < fetch, close < m fx");
    log.completes(0).step(1, serde_json::from_value(json!({"Opened": {}})).expect("an event"));
    log.starts(2, 1, Purpose::Step).starts(3, 1, Purpose::Step).starts(4, 1, Purpose::Step);
    log.step(4, completed(9000)).step(2, completed(9000)).wait(60).step(3, completed(9000));
    let graph = Graph::of(&log.board, log.view(), log.now());
    let named =
        |steps: &[StepIx]| steps.iter().map(|step| log.view().step_id(*step)).collect::<Vec<_>>().join(" ");
    assert_eq!(named(&graph.critical), "fetch m2 close");
    assert_eq!(graph.edges.len(), 4, "standing in a frame is no edge");
    let notes: Vec<&str> = graph.nodes.iter().map(|node| node.note.as_str()).collect();
    assert_eq!(notes, ["2s", "2/2", "4s", "1m04s", "1s", ""]);
    assert_eq!((graph.nodes[2].copy_of, graph.nodes[3].copy_of), (Some(StepIx(2)), Some(StepIx(2))));
    assert_eq!((graph.nodes[0].copy_of, graph.nodes[1].is_frame), (None, true));
}

#[test]
fn time_is_told_apart_by_what_it_was_spent_on() {
    let mut log = Log::of("load, gate:ok < load");
    log.starts(0, 1, Purpose::Step).wait(9).ends(0, 1, Some("no route"), Some(5)).wait(4);
    log.starts(0, 2, Purpose::Step).wait(1).step(0, completed(9000)).asks(1, &ask(1, 1, "1"), None).wait(20);
    let timeline = Timeline::of(log.view(), log.now());
    let spent: Vec<String> =
        timeline.spent.iter().map(|(what, span)| format!("{} {span}", what.word())).collect();
    assert_eq!(spent, ["gate 20s", "work 12s", "retry 5s"]);
    assert_eq!(timeline.rows[0].bars.len(), 3);
}

#[test]
fn time_in_which_all_waits_is_a_stretch_of_its_own() {
    let mut log = Log::of("load, gate:ok < load");
    log.starts(0, 1, Purpose::Step).wait(9).step(0, completed(9000)).asks(1, &ask(1, 1, "1"), None).wait(200);
    let timeline = Timeline::of(log.view(), log.now());
    let stretches = |longest: u64| -> Vec<String> {
        let stretches = timeline.stretches(Span::seconds(longest));
        assert!(stretches.windows(2).all(|pair| pair[0].until == pair[1].from), "{stretches:?}");
        assert_eq!(stretches.first().map(|stretch| stretch.from), Some(timeline.from));
        assert_eq!(stretches.last().map(|stretch| stretch.until), Some(timeline.until));
        let words = |spell: Option<Option<cuelight_projection::Spell>>| match spell {
            None => "busy",
            Some(what) => what.map_or("idle", |what| what.word()),
        };
        stretches.iter().map(|stretch| words(stretch.waits).to_owned()).collect()
    };
    assert_eq!(stretches(60), ["busy", "gate"]);
    assert_eq!(stretches(3_600), ["busy"]);
}

#[test]
fn a_history_leads_to_every_place_and_back() {
    let mut log = Log::of("load, gate:ok < load, go < ok");
    log.starts(0, 1, Purpose::Step).wait(9).ends(0, 1, Some("no route"), Some(5)).wait(4);
    for number in 2..900 {
        log.starts(0, number, Purpose::Step).wait(1).ends(0, number, Some("no route"), Some(5));
    }
    let mut history = History::of(Some(RUN));
    for (seq, event) in &log.events {
        history.take(*seq, event);
        // What was taken already is not taken twice.
        history.take(*seq, event);
    }
    assert_eq!(history.len(), log.events.len());
    for place in [0, 1, 199, 200, 201, 777, history.len() - 1, history.len()] {
        let (from, board) = history.near(place);
        assert!(place - from < history.spacing());
        let board = history.fold(board, &log.events[from..place]);
        let mut then = Board::default();
        log.events[..place].iter().for_each(|(seq, event)| then.apply(*seq, event));
        assert_eq!(board, then, "place {place}");
        assert_eq!(history.moment(place).map_or(Seq(0), |moment| moment.seq), then.seq);
        assert_eq!(history.place_of(then.seq), place);
    }
    let retries = |moment: &cuelight_projection::Moment| moment.notch == Some(Notch::Retry);
    let first = history.next(0, true, retries).expect("a retry");
    let second = history.next(first, true, retries).expect("another");
    assert_eq!(history.next(second, false, retries), Some(first));
    assert_eq!(history.next(first, false, retries), None);
}

#[test]
fn two_instants_of_a_run_differ_in_what_happened_between() {
    let mut log = Log::of("load, next < load, rest < next");
    log.starts(0, 1, Purpose::Step).wait(9);
    let (then, at) = (log.view().clone(), log.now());
    log.step(0, completed(9000)).starts(1, 1, Purpose::Step).wait(30);
    let diffs = run_diff((&then, at), (log.view(), log.now()));
    let differ: Vec<&str> = diffs.iter().filter(|diff| diff.differs()).map(|diff| diff.id.as_str()).collect();
    assert_eq!(differ, ["load", "next"]);
    assert!(run_diff((&then, at), (&then, at)).iter().all(|diff| !diff.differs()));
}

#[test]
fn a_computed_frame_is_counted_until_it_opens_and_its_copies_after() {
    let mut log = Log::of("computed:each, close < each");
    assert_eq!(log.view().summary.counts.total(), 2);
    let copies: Vec<PlanStep> = plan("each, x in each, y in each").steps[1..].to_vec();
    let mut copies = copies;
    for copy in &mut copies {
        copy.needs.clear();
    }
    log.step(0, StepEvent::Opened { inputs: ValueMap::new(), copies });
    assert_eq!(log.view().summary.counts.total(), 3);
    assert_eq!((log.view().find("y"), log.view().len()), (Some(StepIx(3)), 4));
    log.completes(2).step(3, StepEvent::Ready);
    let each = log.view().step(StepIx(0)).and_then(|step| step.inside.clone()).expect("it holds two");
    assert_eq!((each.rested(), each.of(StepState::Ready)), (1, 1));
    log.starts(2, 2, Purpose::Step);
    assert_eq!(log.why(3), "y waits for a place in each (1 at once): x\n");
}

#[test]
fn a_copy_of_a_board_shares_every_run_that_was_not_touched() {
    let mut log = Log::of("fetch, load < fetch");
    for id in 2..=300 {
        log.launch(RunId(id), plan("fetch"), CauseOfLaunch::Asked);
    }
    let before = log.board.clone();
    log.completes(0);
    let run = |board: &Board, id: u32| Arc::clone(board.run(RunId(id)).expect("it is there"));
    assert!(!Arc::ptr_eq(&run(&before, 1), &run(&log.board, 1)));
    assert!((2..=300).all(|id| Arc::ptr_eq(&run(&before, id), &run(&log.board, id))));
    assert_eq!(run(&before, 1).summary.counts.of(StepState::Pending), 2, "the copy is as it was");
}

#[test]
fn a_run_at_rest_shrinks_to_its_summary_and_can_be_taken_back() {
    let mut log = Log::of("fetch");
    log.board.forget(RUN);
    assert!(log.board.run(RUN).is_some(), "a run that is open is not forgotten");
    let ended = RunEvent::Ended { state: RunState::Completed, outputs: ValueMap::new(), partial: None };
    log.completes(0).run(ended);
    log.add(Fact::Undo(RUN, StepIx(0), UndoEvent::Stuck { record: record(Severity::Critical, "gone") }));
    log.board.forget(RUN);
    assert_eq!(log.board.inbox(None).len(), 1, "a run that needs somebody is not forgotten");
    log.add(Fact::Undo(RUN, StepIx(0), UndoEvent::Done { by: None }));
    let whole = Arc::clone(log.board.run(RUN).expect("it is kept for a while"));
    log.board.forget(RUN);
    assert!(log.board.run(RUN).is_none());
    assert_eq!(log.board.summary(RUN).expect("it is known").state, RunState::Completed);
    assert_eq!((log.board.run_count(), runs_json(&log.board)[0]["id"].as_str()), (1, Some("r-1")));
    log.board.remember(Arc::clone(&whole));
    assert!(Arc::ptr_eq(&whole, log.board.run(RUN).expect("it is back")));
    log.run(RunEvent::Compensating);
    assert_eq!(log.board.open_runs().count(), 1);
    assert_eq!(log.view().summary.doing(), "undoing");
}

#[test]
fn old_runs_shrink_by_themselves() {
    let mut log = Log::default();
    for id in 1..=100 {
        log.launch(RunId(id), plan("fetch"), CauseOfLaunch::Asked);
        let ended = RunEvent::Ended { state: RunState::Completed, outputs: ValueMap::new(), partial: None };
        log.add(Fact::Run(RunId(id), ended));
    }
    assert!(log.board.run(RunId(36)).is_none() && log.board.run(RunId(37)).is_some());
    let ids: Vec<u32> = log.board.summaries().map(|summary| summary.id.0).collect();
    assert_eq!(ids, (1..=100).collect::<Vec<_>>());
}

#[test]
fn the_preview_holds_the_last_events_in_words() {
    let mut log = Log::of("fetch");
    log.completes(0);
    let lines: Vec<String> =
        log.view().lines().map(|line| format!("{} {} {}", line.kind, line.subject, line.detail)).collect();
    assert_eq!(lines[0], "run.created settle by mira");
    assert_eq!(lines[4], "step.completed fetch confidence 0.90");
    for _ in 0..100 {
        log.step(0, StepEvent::Ready);
    }
    assert_eq!((log.view().lines().count(), log.board.lines().count()), (32, 105));
    let hostile =
        Event { at: Timestamp(0), fact: Fact::Step(RunId(9), StepIx(9), failed(&"x".repeat(5000))) };
    let words = event_words(&hostile, None);
    assert_eq!((words.subject.as_str(), words.detail.chars().count()), ("step 9", 120));
}

/// Counts equal a recount after any events in any order, also after some that no engine would record; nothing
/// panics.
#[test]
fn counts_are_those_of_a_recount() {
    for seed in 1..=60_u64 {
        let mut chance = seed;
        let mut next = move |below: u64| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (chance >> 33) % below
        };
        let mut log = Log::of("a, matrix:m < a, m1 in m, m2 in m, computed:each, z < each");
        for _ in 0..120 {
            let step = u32::try_from(next(9)).expect("small");
            random_event(&mut log, step, &mut next);
            recount(log.view(), seed);
        }
    }
}

fn random_event(log: &mut Log, step: u32, next: &mut impl FnMut(u64) -> u64) {
    let number = u32::try_from(next(4)).expect("small");
    match next(14) {
        0 => log.step(step, StepEvent::Ready),
        1 => log.starts(step, number, Purpose::Step),
        2 => log.ends(step, number, Some("no"), Some(1)),
        3 => log.step(step, completed(8000)),
        4 => log.step(step, failed("no")),
        5 => log.step(step, StepEvent::Skipped { why: Why::Condition }),
        6 => log.step(step, StepEvent::Rejected { expired: true }),
        7 => log.step(step, StepEvent::InDoubt { evidence: "?".to_owned() }),
        8 => log.add(Fact::Undo(RUN, StepIx(step), UndoEvent::Asked)),
        9 => {
            log.add(Fact::Undo(RUN, StepIx(step), UndoEvent::Stuck { record: record(Severity::High, "no") }))
        }
        10 => log.add(Fact::Undo(RUN, StepIx(step), UndoEvent::Done { by: None })),
        11 => log.asks(step, &ask(1, number, "1"), None),
        12 => log.gate(step, GateEvent::Armed { until: Timestamp(0) }),
        _ => {
            let copies = plan("a, m, m1, m2, each, x in each, y in each").steps[5..].to_vec();
            log.step(4, StepEvent::Opened { inputs: ValueMap::new(), copies })
        }
    };
}

fn recount(run: &RunView, seed: u64) {
    let count = |counts: Counts| StepState::ALL.iter().map(|state| counts.of(*state)).collect::<Vec<_>>();
    let scratch = |of: &dyn Fn(StepIx) -> bool| {
        let in_state = |state: StepState| {
            run.steps()
                .filter(|(step, _, view)| view.inside.is_none() && view.state == state && of(*step))
                .count()
        };
        StepState::ALL.iter().map(|state| u32::try_from(in_state(*state)).expect("small")).collect::<Vec<_>>()
    };
    assert_eq!(count(run.summary.counts), scratch(&|_| true), "seed {seed}");
    for (frame, _, view) in run.steps() {
        if let Some(inside) = &view.inside {
            assert_eq!(
                count(**inside),
                scratch(&|step| run.frames_of(step).any(|index| index == frame)),
                "seed {seed}"
            );
        }
    }
    let retrying = run.steps().filter(|(_, _, view)| view.inside.is_none() && view.is_retrying()).count();
    assert_eq!(run.summary.retrying as usize, retrying, "seed {seed}");
    let stuck = |view: &cuelight_projection::StepView| {
        matches!(view.undo(), cuelight_projection::UndoState::Stuck(_))
    };
    assert_eq!(run.summary.stuck_undos as usize, run.steps().filter(|(_, _, view)| stuck(view)).count());
}

/// An engine, and a board that hears of all that it does.
#[derive(Default)]
struct Engine {
    world: World,
    log: Log,
    calls: VecDeque<AttemptId>,
    looked: Looked,
}

impl Engine {
    fn ask(&mut self, command: Command) {
        let mut events = Vec::new();
        self.log.at += 1000;
        self.world.handle(command, Timestamp(self.log.at), &mut events).expect("it may be");
        let answers = self.looked.answers(&events);
        for event in events {
            if let Some(Effect::Call { attempt, .. }) = react(&event) {
                self.calls.push_back(attempt);
            }
            let seq = Seq(self.log.events.len() as u64 + 1);
            self.log.board.apply(seq, &event);
            self.log.events.push((seq, event));
        }
        answers.into_iter().for_each(|answer| self.ask(answer));
    }

    /// Ends the oldest call that has not ended; says of which step it was.
    fn end_call(&mut self, failure: Option<FailureMode>) -> String {
        let attempt = self.calls.pop_front().expect("a call is being made");
        let failure = failure.map(|mode| Failure {
            mode,
            message: "no route".to_owned(),
            tail: String::new(),
            not_started: false,
        });
        let outcome = Box::new(Outcome { failure, ..Outcome::default() });
        self.ask(Command::AttemptEnded { attempt, outcome });
        self.log.board.run(attempt.run).expect("it is there").step_id(attempt.step)
    }
}

#[test]
fn what_an_engine_does_is_seen_as_it_is() {
    let mut plan = plan("load, gate:ok < load, pay < ok, mail < pay");
    let retry = json!({"max_attempts": 2, "kind": "constant", "delay": 2000, "factor_thousandths": 1000,
        "max_delay": 2000, "jitter": 0});
    plan.steps[0].retry = Some(serde_json::from_value(retry).expect("a rule"));
    // A retry may call it again without a fresh approval.
    plan.steps[2].effect = EffectClass::Idempotent;
    let by = Actor { channel: Channel::Command, ..person("mira", &[]) };
    let (seed, cause, trace) = (7, CauseOfLaunch::Asked, "t-1".to_owned());
    let mut engine = Engine::default();
    engine.ask(Command::Launch(Box::new(Launching {
        plan,
        by: by.clone(),
        seed,
        cause,
        trace,
        request: None,
    })));
    let doing = |engine: &Engine, run| engine.log.board.summary(RunId(run)).expect("known").doing();

    assert_eq!(engine.end_call(Some(FailureMode::SystemNetwork)), "load");
    assert_eq!(doing(&engine, 1), "retrying");
    engine.log.wait(2);
    engine.ask(Command::Wake);
    assert_eq!(engine.end_call(None), "load");
    assert_eq!((doing(&engine, 1), engine.log.board.open_error_count()), ("gate", 0));

    let gate = Arc::clone(engine.log.board.open_gates().next().expect("it asks"));
    assert!(gate.waits_for(&by, Timestamp(0)));
    let decision = Decision {
        id: DecisionId("d-1".to_owned()),
        gate: gate.id,
        epoch: gate.epoch(),
        ask: gate.hash,
        verdict: Verdict::Approve,
        reason: String::new(),
        by: by.clone(),
        shown_for: None,
        break_glass: false,
        overrides: false,
        form: ValueMap::new(),
    };
    engine.ask(Command::Decide(Box::new(decision)));
    assert_eq!(engine.log.board.gate(gate.id).expect("kept").closers(), ["mira"]);
    assert_eq!(engine.end_call(Some(FailureMode::AgentLogic)), "pay");
    let run = Arc::clone(engine.log.board.run(RUN).expect("kept"));
    let partial = run.partial.as_ref().expect("it failed");
    assert_eq!((run.summary.state, run.summary.stage().word()), (RunState::Failed, "failed"));
    let of = |state| run.summary.counts.of(state);
    assert_eq!((partial.completed, partial.failed), (of(StepState::Completed), of(StepState::Failed)));
    assert_eq!(engine.log.board.open_error_count(), 1);

    engine.ask(Command::Retry { run: RUN, from: RetryFrom::Failed, by, corrected: None });
    while !engine.calls.is_empty() {
        engine.end_call(None);
    }
    assert_eq!((doing(&engine, 2), engine.log.board.open_error_count()), ("completed", 0));
    let second = engine.log.board.run(RunId(2)).expect("kept");
    assert!(second.step(StepIx(0)).expect("load").is_kept());
    assert_eq!(runs_json(&engine.log.board)[1]["retry_of"], "r-1");
}
