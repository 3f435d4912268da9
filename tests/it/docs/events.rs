//! `docs/EVENTS.md`: every event that can be in a log, from the source that declares them and from one sample of each.
//! A variant without a sample, or a sample without a variant, is an error, so the page leaves nothing out.

use cuelight_base::{
    Actor, AttemptId, Bucket, Channel, DecisionId, Digest, Epoch, ErrorKind, ErrorRecord, FailureMode,
    GateId, Launch, Message, MessageKind, Proof, RateRule, RunId, Score, Seq, Severity, Span, StepIx,
    Timestamp, Value, ValueMap, sha256,
};
use cuelight_engine::{
    Adoption, Alternative, Ask, AttemptEvent, CacheEvent, CauseOfLaunch, Choice, DoubtAnswer, Event, Fact,
    Facts, Failure, FailureEvent, GateEvent, GateState, Member, Membership, Outcome, PeopleEvent, Purpose,
    RunEvent, RunState, ScheduleEvent, ScopeEvent, Standing, StepEvent, TalkCall, TargetEvent, TokenEvent,
    UndoEvent, Verdict, Vote, WaitReason, Why,
};
use cuelight_exchange::{
    AgentEvent, AgentKey, AgentResult, BusEvent, DeadLetter, Knowledge, KnowledgeKind, Lease, LibraryEvent,
    MessageFault, Registration, ResultStatus, TopicRule,
};
use cuelight_plan::{Amounts, Currency, EffectClass, OnTimeout, Plan, Quorum, Risk, Scope};
use cuelight_projection::{event_line, event_words};
use serde_json::json;
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

const TOP: &str = "\
# Events

What a log holds, and what `cuelight run --json` and `cuelight run events RUN --json` print, one a line. This page is written by a test from
`src/engine/event/` and `src/exchange/event/`; do not edit it.

Every line has `seq` (the order, without gaps in one log), `time` (RFC 3339, UTC), `run`, `type` and `data`; `step` and `attempt` where there is
one. Durations are milliseconds, shares such as `confidence` decimals from 0 to 1 (a log keeps them in ten-thousandths). Readers ignore fields
they do not know: fields and events are only ever added. The first line of `run --json` is `{\"run\": \"r-1\"}`; the last one has the type
`run_finished` and a `state`. Lines about gates have `data.gate`. A plan is long, so the line of `run.created` has in its place
`workflow`, `file`, `definition`, `plan` (its hash), `inputs` and the number of `steps`.

Who did it is `by`: `name`, the `groups` at that time, the door (`channel`), and `proof`, one of `{\"os-user\": 1000}` (the kernel said so), `{\"token\": \"SUBJECT\"}`,
`{\"signature\": {person, key, statement, armored}}` (what was signed, with which key, and the signature as `ssh-keygen` writes it), `{\"schedule\": 1000}`
(time, in a workspace of that OS user) and `\"engine\"`.

What steps wrote is not in the log. `cuelight logs RUN --json` prints it, one line of output a line, with `run`, `step`, `attempt`, `at` (the byte
at which it begins), `text` and, where that was kept, `time`, when it came; in the place of what was not kept stands a line with `missing` (bytes) instead of `text`.
";

const NOUNS: &[(&str, &str, &str)] = &[
    ("RunEvent", "Runs", "run.started"),
    ("StepEvent", "Steps", "step.completed"),
    ("AttemptEvent", "Attempts", "attempt.ended"),
    ("GateEvent", "Gates", "gate.voted"),
    ("UndoEvent", "Undo", "undo.done"),
    ("ScopeEvent", "State", "scope.set"),
    ("FailureEvent", "Failures", "failure.resolved"),
    ("ScheduleEvent", "Schedules", "schedule.held"),
    ("TargetEvent", "Targets of calls", "target.opened"),
    ("CacheEvent", "Cache", "cache.used"),
    ("BusEvent", "Bus", "bus.said"),
    ("TokenEvent", "Tokens", "token.revoked"),
    ("LibraryEvent", "Library", "library.handed_in"),
    ("PeopleEvent", "People", "people.changed"),
    ("AgentEvent", "Agents", "agent.registered"),
];

/// A variant as the source declares it.
struct Declared {
    name: String,
    doc: String,
    fields: Vec<(String, String)>,
}

/// Text of the whole page.
pub(super) fn page(source: &str) -> String {
    let samples = samples();
    let mut out = TOP.to_owned();
    for (noun, title, example) in NOUNS {
        write!(out, "\n## {title}\n\n| type | what happened | `data` |\n|---|---|---|\n").expect("text");
        let mut left: BTreeMap<String, &Event> = samples
            .iter()
            .filter(|sample| noun_of(&sample.fact) == *noun)
            .map(|sample| (variant_of(&sample.fact), sample))
            .collect();
        for declared in declared(source, noun) {
            let sample = left.remove(&declared.name);
            let sample =
                sample.unwrap_or_else(|| panic!("give {noun}::{} a sample in {}", declared.name, file!()));
            writeln!(out, "| `{}` | {} | {} |", word(sample), declared.doc, fields(&declared.fields))
                .expect("text");
        }
        assert!(left.is_empty(), "{noun} has no variants {:?}", left.keys());
        let shown = samples.iter().find(|sample| word(sample) == *example).expect("an example of each noun");
        writeln!(out, "\n```json\n{}\n```", line(shown)).expect("text");
    }
    out.push_str("\n`engine.recovered` belongs to no run: an engine took up the log; `data.away` says how long nobody looked. `engine.taken_over` is the same where it took it from one that did not answer: `data.taken` has `by`, `reason` and `from`, the number of that process.\n");
    out
}

/// The JSON Schema of a line, one shape for each type.
pub(super) fn schema(source: &str) -> String {
    let samples = samples();
    let mut shapes = Vec::new();
    for (noun, ..) in NOUNS {
        for declared in declared(source, noun) {
            let sample = samples
                .iter()
                .find(|sample| noun_of(&sample.fact) == *noun && variant_of(&sample.fact) == declared.name);
            let line = line(sample.expect("each has a sample: the page would not be fresh"));
            let said =
                line["data"].as_object().into_iter().flatten().map(|(name, _)| (name.clone(), String::new()));
            let fields: BTreeMap<String, String> = said.chain(declared.fields).collect();
            let fields = fields.into_iter().map(|(name, about)| {
                let about = if about.is_empty() {
                    json!({})
                } else {
                    json!({"description": about.replace("\\|", "|")})
                };
                (name, about)
            });
            shapes.push(json!({
                "description": declared.doc.replace("\\|", "|"),
                "properties": {"type": {"const": line["type"]}, "data": {"properties": fields.collect::<ValueMap>()}},
            }));
        }
    }
    let belongs_to_nobody =
        |name: &str, about: &str| json!({"description": about, "properties": {"type": {"const": name}}});
    shapes.push(belongs_to_nobody(
        "run.followed",
        "The first line of `cuelight run --json`: the run that the lines after it are about. Its seq is 0.",
    ));
    shapes.push(belongs_to_nobody("engine.recovered", "An engine took up the log."));
    shapes.push(belongs_to_nobody(
        "engine.taken_over",
        "An engine took up the log in the place of one that did not answer.",
    ));
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cuelight event",
        "description": "A line of `cuelight run --json` and of `cuelight run events RUN --json`. Fields and types are only ever added.",
        "type": "object",
        "required": ["seq", "time", "type", "data"],
        "properties": {
            "seq": {"type": "integer", "minimum": 0, "description": "The order, without gaps in one log; 0 is no event."},
            "time": {"type": "string", "format": "date-time", "description": "RFC 3339, UTC, to the millisecond."},
            "run": {"type": "string", "pattern": "^r-[0-9]+$"},
            "step": {"type": "string"},
            "attempt": {"type": "integer", "minimum": 1, "description": "Counted in its step."},
            "stage": {"type": "string", "description": "The stage of the run."},
            "state": {"type": "string", "description": "The final state of the run, once it has ended."},
            "type": {"type": "string"},
            "data": {"type": "object", "description": "Durations are milliseconds, shares decimals from 0 to 1."},
        },
        "oneOf": shapes,
    });
    format!("{}\n", serde_json::to_string_pretty(&schema).expect("JSON"))
}

fn line(event: &Event) -> Value {
    event_line(Seq(17), event, None)
}

fn word(event: &Event) -> String {
    let line = line(event);
    line["type"].as_str().map_or_else(|| event_words(event, None).kind.to_owned(), str::to_owned)
}

fn fields(fields: &[(String, String)]) -> String {
    let words: Vec<String> = fields.iter().map(|(name, doc)| format!("`{name}`: {doc}")).collect();
    words.join(" ")
}

/// Reads the declaration of an enum out of its source, which rustfmt keeps in one form.
fn declared(source: &str, noun: &str) -> Vec<Declared> {
    let (_, body) = source.split_once(&format!("pub enum {noun} {{\n")).expect("the enum in its source");
    let (body, _) = body.split_once("\n}\n").expect("its end");
    let (mut out, mut doc): (Vec<Declared>, Vec<String>) = (Vec::new(), Vec::new());
    for line in body.lines() {
        let depth = line.len() - line.trim_start().len();
        let text = line.trim();
        if let Some(rest) = text.strip_prefix("///") {
            doc.push(rest.trim().replace('|', "\\|"));
        } else if text.starts_with('#') || text.starts_with('}') {
        } else if depth == 4 {
            let name: String = text.chars().take_while(|c| c.is_alphanumeric()).collect();
            out.push(Declared { name, doc: std::mem::take(&mut doc).join(" "), fields: Vec::new() });
        } else if let (8, Some((name, _)), Some(variant)) = (depth, text.split_once(':'), out.last_mut()) {
            variant.fields.push((name.to_owned(), std::mem::take(&mut doc).join(" ")));
        }
    }
    out
}

fn noun_of(fact: &Fact) -> &'static str {
    match fact {
        Fact::Run(..) => "RunEvent",
        Fact::Step(..) => "StepEvent",
        Fact::Attempt(..) => "AttemptEvent",
        Fact::Gate(..) => "GateEvent",
        Fact::Undo(..) => "UndoEvent",
        Fact::Scope(..) => "ScopeEvent",
        Fact::Failure(..) => "FailureEvent",
        Fact::Schedule(..) => "ScheduleEvent",
        Fact::Target(..) => "TargetEvent",
        Fact::Cache(..) => "CacheEvent",
        Fact::Bus(..) => "BusEvent",
        Fact::Token(..) => "TokenEvent",
        Fact::Library(..) => "LibraryEvent",
        Fact::People(..) => "PeopleEvent",
        Fact::Agent(..) => "AgentEvent",
        Fact::Recovered { .. } => "",
    }
}

fn variant_of(fact: &Fact) -> String {
    let shown = match fact {
        Fact::Run(_, event) => format!("{event:?}"),
        Fact::Step(_, _, event) => format!("{event:?}"),
        Fact::Attempt(_, _, _, event) => format!("{event:?}"),
        Fact::Gate(_, _, _, event) => format!("{event:?}"),
        Fact::Undo(_, _, event) => format!("{event:?}"),
        Fact::Scope(_, event) => format!("{event:?}"),
        Fact::Failure(_, event) => format!("{event:?}"),
        Fact::Schedule(_, event) => format!("{event:?}"),
        Fact::Target(_, event) => format!("{event:?}"),
        Fact::Cache(event) => format!("{event:?}"),
        Fact::Bus(event) => format!("{event:?}"),
        Fact::Token(event) => format!("{event:?}"),
        Fact::Library(event) => format!("{event:?}"),
        Fact::People(event) => format!("{event:?}"),
        Fact::Agent(event) => format!("{event:?}"),
        Fact::Recovered { .. } => String::new(),
    };
    shown.chars().take_while(|c| c.is_alphanumeric()).collect()
}

fn ann() -> Actor {
    Actor {
        name: "ann".to_owned(),
        proof: Proof::OsUser(1000),
        groups: vec!["sre".to_owned()],
        channel: Channel::Console,
    }
}

fn digest(of: &str) -> Digest {
    sha256("cuelight-sample-v1", &[of.as_bytes()])
}

fn record() -> Box<ErrorRecord> {
    let builder = ErrorRecord::builder().error_type(ErrorKind::TaskExecutionError).severity(Severity::High);
    let builder = builder.mode(FailureMode::AgentLogic).source("test").message("exit code 1");
    Box::new(builder.build().expect("a whole record"))
}

fn outputs() -> ValueMap {
    ValueMap::from_iter([("image".to_owned(), Value::from("app:v1"))])
}

fn ask() -> Arc<Ask> {
    Arc::new(Ask {
        run: RunId(1),
        gate: GateId(1),
        epoch: Epoch(1),
        step: "approve".to_owned(),
        workflow: "deploy".to_owned(),
        plan: digest("plan"),
        definition: digest("definition"),
        prompt: "Deploy app:v1?".to_owned(),
        risk: Risk::Irreversible,
        will_run: Vec::new(),
        all: None,
        writes: Vec::new(),
        later: Vec::new(),
        starts: Vec::new(),
        skips: Vec::new(),
        undoes: Vec::new(),
        cannot_undo: Vec::new(),
        binds: Vec::new(),
        evidence: Vec::new(),
        claim: None,
        form: Vec::new(),
        require: vec![Quorum { group: None, count: 1 }],
        excluded: Vec::new(),
        requester: "ann".to_owned(),
        opened_at: Timestamp(1_772_431_200_000),
        expires_at: None,
        on_timeout: OnTimeout::Reject,
        reason_required: false,
        touch: false,
        undo_window: Span(0),
        send_back: None,
        snapshot: Vec::new(),
        is_choice: false,
        raises: None,
        escalate: None,
        runs_anyway: Vec::new(),
        policy: None,
    })
}

fn targets() -> Vec<Fact> {
    let reason = "5 calls in a row failed, the last with system_network".to_owned();
    let until = Timestamp(1_772_431_230_000);
    let all = [
        TargetEvent::Counted { failures: 1 },
        TargetEvent::Opened { until, reason, run: RunId(1), step: StepIx(2) },
        TargetEvent::HalfOpened,
        TargetEvent::Succeeded { successes: 1 },
        TargetEvent::Taken {
            bucket: Bucket { full_at_us: 1_772_431_200_600_000, day: "2026-03-02".to_owned(), used: 71 },
            rate: RateRule { calls: 10, burst: 5, per_day: Some(100), ..RateRule::default() },
        },
        TargetEvent::Closed { reason: "2 calls in a row succeeded".to_owned() },
    ];
    all.into_iter().map(|event| Fact::Target("bank@1.0.0".to_owned(), event)).collect()
}

fn results() -> Vec<Fact> {
    let (id, key) = (digest("result"), "deps-4f1c".to_owned());
    let stored = CacheEvent::Stored {
        id,
        key: key.clone(),
        outputs: outputs(),
        confidence: Score(8000),
        run: RunId(1),
        step: "build".to_owned(),
        expires_at: Some(Timestamp(1_772_517_600_000)),
    };
    let used = CacheEvent::Used { id, key, run: RunId(2), step: StepIx(2) };
    let all = [
        stored,
        used,
        CacheEvent::Cleared { key: None, count: 3, by: ann() },
        CacheEvent::Reset { count: 3, reason: "a new quarter".to_owned(), by: ann() },
    ];
    all.into_iter().map(Fact::Cache).collect()
}

fn messages() -> Vec<Fact> {
    let message = Message {
        id: "m-1".to_owned(),
        topic: "deploy/done".to_owned(),
        kind: MessageKind::Event,
        from: "ann".to_owned(),
        to: None,
        correlation: Some("CHG-12".to_owned()),
        data: Value::Object(outputs()),
        expires_at: Timestamp(1_772_517_600_000),
        ..Message::default()
    };
    let said = BusEvent::Said { message: Arc::new(message), by: Some(ann()) };
    let taken = BusEvent::Taken { by: "r-1/verify".to_owned(), ids: vec!["m-1".to_owned()], project: None };
    let rule = TopicRule {
        about: "what was deployed".to_owned(),
        schema: Some(serde_json::json!({"type": "object", "required": ["image"]})),
        signed: true,
    };
    let declared = BusEvent::Declared { topics: BTreeMap::from([("deploy/done".to_owned(), rule)]) };
    let letter = DeadLetter {
        topic: "deploy/done".to_owned(),
        from: "ann".to_owned(),
        fault: MessageFault::Schema,
        why: "about deploy/done: \"image\" is a required property".to_owned(),
        data: Some(serde_json::json!({"tag": "v1"})),
        ..DeadLetter::default()
    };
    let rejected = BusEvent::Rejected { letter: Box::new(letter), by: Some(ann()) };
    let member = Member { name: "ann".to_owned(), groups: vec!["sre".to_owned()], keys: Vec::new() };
    let members = BTreeMap::from([("uid:1000".to_owned(), member)]);
    let people = Membership::new(members, digest("file"), Standing::SelfDeclared, false);
    let changes = people.changes_from(None);
    let changed = PeopleEvent::Changed { people: Box::new(people), before: None, changes };
    let revoked = TokenEvent::Revoked {
        id: "9f2c51d0a7b34e68".to_owned(),
        subject: "reviewer-1".to_owned(),
        until: Timestamp(1_772_524_800_000),
        reason: "the laptop was stolen".to_owned(),
        by: ann(),
    };
    [said, taken, declared, rejected]
        .into_iter()
        .map(Fact::Bus)
        .chain([Fact::Token(revoked), Fact::People(changed)])
        .collect()
}

fn library() -> Vec<Fact> {
    let result = AgentResult {
        id: "res-4f1c9a07d2".to_owned(),
        issue: "SHOP-12".to_owned(),
        agent: "reviewer-1".to_owned(),
        agent_type: "qa".to_owned(),
        status: ResultStatus::Success,
        said_at: None,
        body: Some(json!({"status": "success", "files_modified": ["src/cart.rs"]})),
        blob: None,
        digest: digest("result"),
        bytes: 61,
        named_by_engine: false,
        trace: None,
    };
    let until = Timestamp(1_775_023_200_000);
    let handed_in = LibraryEvent::HandedIn { result: Box::new(result), until, by: ann() };
    let knowledge = Knowledge {
        id: "k-0c1d7e52aa".to_owned(),
        kind: KnowledgeKind::Decision,
        text: "Prices are kept in cents".to_owned(),
        issue: Some("SHOP-12".to_owned()),
        agent: "reviewer-1".to_owned(),
        agent_type: Some("qa".to_owned()),
        metadata: ValueMap::new(),
        named_by_engine: false,
    };
    let learned = LibraryEvent::Learned { knowledge: Box::new(knowledge), by: ann() };
    [handed_in, learned].into_iter().map(Fact::Library).collect()
}

fn agents() -> Vec<Fact> {
    let agent = || AgentKey { project: None, name: "coder-1".to_owned() };
    let registration = Registration {
        name: "coder-1".to_owned(),
        agent_type: "coding".to_owned(),
        capabilities: vec!["implement".to_owned()],
        max_concurrent: 2,
        heartbeat: Span::seconds(30),
        metadata: ValueMap::new(),
    };
    let attempt = AttemptId { run: RunId(1), step: StepIx(2), number: 1 };
    let lease = Lease {
        attempt,
        agent: agent(),
        claim: "8f0c1d7e52aa".to_owned(),
        lasts: Span::seconds(60),
        since: Timestamp(1_772_431_200_000),
        until: Timestamp(1_772_431_260_000),
        deadline: None,
        note: String::new(),
        ending: false,
    };
    let all = [
        AgentEvent::Registered { agent: Box::new(registration), by: ann() },
        AgentEvent::Seen { agent: agent() },
        AgentEvent::Lost { agent: agent() },
        AgentEvent::Leased { lease: Box::new(lease) },
        AgentEvent::Renewed {
            attempt,
            until: Timestamp(1_772_431_260_000),
            note: Some("3 of 7 files".to_owned()),
        },
        AgentEvent::Left { agent: agent(), reason: "the day is over".to_owned(), by: ann() },
    ];
    all.into_iter().map(Fact::Agent).collect()
}

/// One event of each type.
fn samples() -> Vec<Event> {
    let facts = [
        runs(),
        steps(),
        attempts(),
        gates(),
        undos(),
        failures(),
        schedules(),
        targets(),
        results(),
        messages(),
        library(),
        agents(),
    ]
    .concat();
    facts.into_iter().map(|fact| Event { at: Timestamp(1_772_431_200_000), fact }).collect()
}

fn runs() -> Vec<Fact> {
    let created = RunEvent::Created {
        plan: Arc::new(Plan { name: "deploy".to_owned(), ..Plan::default() }),
        plan_hash: digest("plan"),
        by: ann(),
        seed: "7".to_owned(),
        cause: CauseOfLaunch::Asked,
        trace: "t-1".to_owned(),
        request: Some(digest("request")),
        asked: [("release".to_owned(), vec!["ben".to_owned()])].into(),
        escalates: Box::new([("release".to_owned(), "group:oncall".to_owned())].into()),
        editors: Box::new([("release".to_owned(), [("uid:7".to_owned(), "ben".to_owned())].into())].into()),
        requesters: vec![("uid:7".to_owned(), "ben asked for r-1, which stands behind this run".to_owned())],
        displaced: Box::new([("release".to_owned(), ["ship".to_owned()].into())].into()),
        displaced_behind: Box::new([("release".to_owned(), ["clean".to_owned()].into())].into()),
    };
    let all = [
        created,
        RunEvent::Started,
        RunEvent::Paused { by: ann() },
        RunEvent::Resumed { by: ann() },
        RunEvent::Cancelling { by: ann(), reason: "wrong version".to_owned(), undo: true },
        RunEvent::Stopping { because: StepIx(1), rejected: false, compensate: true },
        RunEvent::TimedOut { record: record() },
        RunEvent::Compensating,
        RunEvent::BudgetWarned { calls: 40, limit: 50, currency: Currency::Calls, step: None },
        RunEvent::BudgetRaised { calls: 100, by: ann(), currency: Currency::Calls, step: None },
        RunEvent::Ended { state: RunState::Completed, outputs: outputs(), partial: None },
    ];
    all.into_iter().map(|created| Fact::Run(RunId(1), created)).collect()
}

fn steps() -> Vec<Fact> {
    let completed = StepEvent::Completed {
        outputs: outputs(),
        confidence: Some(Score(8000)),
        partial: false,
        fallback: 0,
        kept: false,
        released: Vec::new(),
        released_fallbacks: Vec::new(),
        released_later: None,
        origin: None,
        bound: None,
        cached: None,
        given: None,
    };
    let all = [
        StepEvent::Ready,
        StepEvent::Waiting { reason: WaitReason::Person(GateId(1)) },
        StepEvent::FactsAsked {
            files: vec!["plan.txt".to_owned()],
            patterns: Vec::new(),
            programs: Vec::new(),
        },
        StepEvent::FactsKnown { facts: Facts::default() },
        StepEvent::Opened { inputs: ValueMap::new(), copies: Vec::new() },
        StepEvent::Grown {
            calls: vec![TalkCall {
                name: "file_write".to_owned(),
                step: Some(StepIx(5)),
                gate: Some(StepIx(4)),
                why: String::new(),
            }],
            copies: Vec::new(),
        },
        completed,
        StepEvent::DoneByHand { by: ann(), outputs: outputs(), reason: "uploaded by hand".to_owned() },
        StepEvent::Failed { record: record() },
        StepEvent::Routed {
            choice: Box::new(Choice {
                policy: "fallback".to_owned(),
                chosen: "deploy-blue-green@1.0.0".to_owned(),
                reason: "the circuit of deploy@1.0.0 is open until 12:04:31".to_owned(),
                alternatives: vec![Alternative {
                    name: "deploy@1.0.0".to_owned(),
                    score: Score(0),
                    why: "the circuit of deploy@1.0.0 is open until 12:04:31".to_owned(),
                }],
                confidence: Score::ONE,
            }),
        },
        StepEvent::SentBack,
        StepEvent::Reopened { why: "plan.txt has changed".to_owned(), gates: vec![StepIx(1)] },
        StepEvent::Rejected { expired: false },
        StepEvent::Skipped { why: Why::Condition },
        StepEvent::Cancelled { why: Why::Cancelled },
        StepEvent::Ending { why: Why::FailFast(StepIx(1)) },
        StepEvent::InDoubt { evidence: "cut off by a crash".to_owned() },
        StepEvent::DoubtAnswered {
            by: ann(),
            answer: DoubtAnswer::NotHappened,
            reason: "the bank shows nothing".to_owned(),
        },
    ];
    all.into_iter().map(|event| Fact::Step(RunId(1), StepIx(2), event)).collect()
}

fn attempts() -> Vec<Fact> {
    let launch = Launch::of(["bash", "-euo", "pipefail", "-c", "make test"]);
    let failure = Failure {
        mode: FailureMode::AgentLogic,
        message: "exit code 1".to_owned(),
        tail: "2 of 40 tests failed".to_owned(),
        not_started: false,
    };
    let outcome =
        Outcome { failure: Some(failure), exit_code: Some(1), ran_for: Span(4200), ..Outcome::default() };
    let all = [
        AttemptEvent::Started {
            purpose: Purpose::Step,
            launch_hash: launch.hash(),
            launch: Box::new(launch),
            effect_key: digest("key"),
            class: EffectClass::Pure,
            charge: Amounts::default(),
            bound: None,
            cache_key: None,
        },
        AttemptEvent::Ended { outcome: Box::new(outcome), retry_at: Some(Timestamp(1_772_431_201_000)) },
        AttemptEvent::Lost { evidence: "the process that ran it died".to_owned() },
        AttemptEvent::Adopted { purpose: Purpose::Step, how: Adoption::Attached, ends: true },
    ];
    all.into_iter().map(|event| Fact::Attempt(RunId(1), StepIx(2), 1, event)).collect()
}

fn gates() -> Vec<Fact> {
    let vote = Vote {
        decision: DecisionId("01J".to_owned()),
        by: ann(),
        verdict: Verdict::Approve,
        reason: "tests are green".to_owned(),
        ask: digest("ask"),
        shown_for: Some(Span(9000)),
        acting_for: Vec::new(),
        self_declared: false,
        form: ValueMap::new(),
    };
    let all = [
        GateEvent::Asked { ask: ask(), hash: digest("ask"), why: None },
        GateEvent::Voted(Box::new(vote.clone())),
        GateEvent::Refused { by: ann(), why: "ann asked for this run".to_owned() },
        GateEvent::Withdrawn { by: ann() },
        GateEvent::Edited { by: ann(), values: outputs(), reason: "another image".to_owned() },
        GateEvent::GlassReviewed {
            by: ann(),
            reason: "the roll-back was the right thing".to_owned(),
            epoch: Some(Epoch(1)),
        },
        GateEvent::Commented { by: ann(), text: "waiting for the numbers".to_owned() },
        GateEvent::Agreed {
            by: "people".to_owned(),
            files: vec!["plan.txt".to_owned()],
            patterns: Vec::new(),
        },
        GateEvent::Armed { until: Timestamp(1_772_431_205_000) },
        GateEvent::Reminded { count: 1 },
        GateEvent::Escalated { group: "group:oncall".to_owned() },
        GateEvent::Delegated {
            by: ann(),
            to: "bob".to_owned(),
            until: Timestamp(1_772_460_000_000),
            reason: "on a train".to_owned(),
        },
        GateEvent::GlassBroken(Box::new(vote.clone())),
        GateEvent::Overridden(Box::new(vote)),
        GateEvent::Resolved { state: GateState::Approved, by: "people".to_owned(), form: ValueMap::new() },
    ];
    all.into_iter().map(|event| Fact::Gate(RunId(1), StepIx(3), GateId(1), event)).collect()
}

fn undos() -> Vec<Fact> {
    let set = ScopeEvent::Set {
        scope: Scope::Run,
        owner: "r-1".to_owned(),
        key: "measured".to_owned(),
        value: Value::from(7),
        expires_at: None,
        by: None,
    };
    let (owner, key) = (String::new(), "region".to_owned());
    let removed = ScopeEvent::Removed { scope: Scope::Global, owner, key, by: ann() };
    let all = [
        UndoEvent::Asked,
        UndoEvent::Done { by: None },
        UndoEvent::Stuck { record: record() },
        UndoEvent::Again { by: ann() },
    ];
    let undo = all.into_iter().map(|event| Fact::Undo(RunId(1), StepIx(2), event));
    undo.chain([Fact::Scope(Some(RunId(1)), set), Fact::Scope(None, removed)]).collect()
}

fn schedules() -> Vec<Fact> {
    let held = ScheduleEvent::Held { by: ann(), reason: "the tape library is being moved".to_owned() };
    let all = [held, ScheduleEvent::Released { by: ann() }];
    all.into_iter().map(|event| Fact::Schedule("nightly".to_owned(), event)).collect()
}

fn failures() -> Vec<Fact> {
    let (step, of_undo, by, reason) = (Some(StepIx(2)), false, ann(), String::new());
    let all = [
        FailureEvent::Acknowledged { step, of_undo, by: by.clone(), reason: reason.clone() },
        FailureEvent::Resolved {
            step,
            of_undo,
            by: by.clone(),
            reason: "the proxy was restarted".to_owned(),
        },
        FailureEvent::Reopened { step, of_undo, by, reason },
    ];
    all.into_iter().map(|event| Fact::Failure(RunId(1), event)).collect()
}
