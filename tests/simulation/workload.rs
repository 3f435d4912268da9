//! Simulated workloads: random plans, with a bit of everything that an author can write.

use crate::{agents::DONE_BY, tape::Tape};
use cuelight_base::{
    BreakerRule, Digest, MessageKind, ProcessLimits, Provider, RateRule, RoutePolicy, Score, Span, StepIx,
    Value, ValueMap, WhenOpen,
};
use cuelight_plan::{
    Amounts, Backoff, Budget, CacheRule, Concurrency, ConfidenceBelow, ConfidenceRule, EffectClass, Emission,
    Frame, FrameKind, GateRule, ModelWork, Need, OnConflict, OnError, OnExceed, OnFailure, OnTimeout, Plan,
    PlanAgent, PlanModel, PlanStep, PlanTool, PlanToolBody, PlanToolUndo, Quorum, Requires, Retry, Risk,
    Route, Scope, Talk, TalkTool, ToolUse, Undo, ValueKind, WaitFor, Work,
};
use serde_json::json;
use std::sync::Arc;

/// The topic of all simulated messages.
pub(crate) const TOPIC: &str = "news";

/// A plan of at most `steps_max` steps.
pub(crate) fn plan(tape: &mut Tape, steps_max: u64) -> Plan {
    let mut steps = Vec::new();
    let count = 1 + tape.below(steps_max);
    level(tape, &mut steps, count, None, None, "", 0);
    if !tape.chance(35) {
        steps.iter_mut().for_each(|step| without_agents(&mut step.work));
    }
    let budget = tape.chance(15).then(|| Budget {
        calls: Some(1 + tape.below(12)),
        tokens: tape.chance(50).then(|| 5 * tape.below(20)),
        on_exceed: *tape.pick(&[OnExceed::Gate, OnExceed::Block, OnExceed::Warn]),
        ..Budget::default()
    });
    let concurrency = tape.chance(15).then(|| Concurrency {
        group: "one".to_owned(),
        on_conflict: *tape.pick(&[OnConflict::Queue, OnConflict::Skip, OnConflict::CancelRunning]),
        cancel_waiting: tape.chance(30),
    });
    Plan {
        name: "w".to_owned(),
        tools: tools(),
        models: vec![model()],
        steps,
        on_failure: *tape.pick(&[OnFailure::Stop, OnFailure::Continue, OnFailure::Compensate]),
        timeout: tape.chance(10).then(|| Span::seconds(60 + tape.below(7200))),
        max_parallel: u32::try_from(tape.below(4)).expect("small"),
        concurrency,
        budget,
        ..Plan::default()
    }
}

fn level(
    tape: &mut Tape,
    steps: &mut Vec<PlanStep>,
    count: u64,
    scope: Option<StepIx>,
    frame: Option<StepIx>,
    path: &str,
    depth: u32,
) {
    let mut siblings: Vec<StepIx> = Vec::new();
    // One after the other, so that much stands behind a gate; or side by side.
    let is_chain = tape.chance(25);
    for number in 0..count {
        let last = siblings.last().copied().filter(|_| is_chain);
        let needs: Vec<StepIx> =
            siblings.iter().copied().filter(|sibling| Some(*sibling) == last || tape.chance(25)).collect();
        let here = StepIx::from_index(steps.len());
        siblings.push(here);
        let local = format!("s{number}");
        let id = format!("{path}{local}");
        let kind = tape.below(100);
        let work = match kind {
            60 if depth < 2 => talk(tape),
            60..72 => Work::Gate(Arc::new(rule(tape))),
            72..78 => Work::Wait(WaitFor::Duration(format!("{}s", 1 + tape.below(600)))),
            78 => Work::Emit(Box::new(emission(tape))),
            79 => Work::Wait(WaitFor::Message {
                topic: TOPIC.to_owned(),
                filter: Vec::new(),
                count: 1 + u32::try_from(tape.below(2)).expect("small"),
            }),
            80..86 => {
                let scope = *tape.pick(&[Scope::Run, Scope::Global]);
                let value = Value::from(tape.below(3));
                let read = Value::from("${{ state.etag.global.k }}");
                let expect = (scope == Scope::Global && tape.chance(40)).then(|| ("k".to_owned(), read));
                let values = vec![("k".to_owned(), value)];
                Work::Set { scope, values, ttl: None, expect: expect.into_iter().collect() }
            }
            86..94 if depth < 2 => frame_of(FrameKind::Workflow {
                file: "f".to_owned(),
                inputs: vec![("i".to_owned(), Value::from("${{ vars.k }}"))],
                defaults: ValueMap::new(),
                outputs: Vec::new(),
                env: Vec::new(),
            }),
            94..98 if depth < 2 => {
                let mut frame = frame_of(FrameKind::Matrix);
                matrix(tape, &mut frame);
                frame
            }
            98.. if depth < 2 => {
                let copies: Vec<Value> = (0..tape.below(4)).map(Value::from).collect();
                let matrix_value =
                    Value::Object(ValueMap::from_iter([("c".to_owned(), Value::Array(copies))]));
                let body = vec![step(tape, &id, "s", Some(here), scope, call("x"))];
                let mut frame = frame_of(FrameKind::Computed { matrix: matrix_value, body });
                matrix(tape, &mut frame);
                frame
            }
            _ if tape.chance(25) => tool(tape),
            _ => call("x"),
        };
        let mut made = step(tape, &id, &local, frame, scope, work);
        if matches!(&made.work, Work::Frame(frame) if matches!(frame.kind, FrameKind::Talk(_)))
            && tape.chance(30)
        {
            made.undo = Undo::By(Box::new(call("undo")));
        }
        made.needs = needs;
        made.condition = condition(tape);
        let kind = made.work.clone();
        steps.push(made);
        let Work::Frame(inner) = &kind else { continue };
        match &inner.kind {
            FrameKind::Workflow { .. } => {
                let count = 1 + tape.below(4);
                level(tape, steps, count, Some(here), Some(here), &format!("{id}/"), depth + 1);
            }
            FrameKind::Matrix => {
                for copy in 0..tape.below(4) {
                    let (id, local) = (format!("{id}[{copy}]"), format!("{local}[{copy}]"));
                    let work = if tape.chance(15) { Work::Gate(Arc::new(rule(tape))) } else { call("x") };
                    let made = step(tape, &id, &local, Some(here), scope, work);
                    steps.push(made);
                }
            }
            FrameKind::Computed { .. } | FrameKind::Talk(_) => {}
        }
    }
}

/// The message of a step; now and then it equals that of another one.
fn emission(tape: &mut Tape) -> Emission {
    Emission {
        topic: TOPIC.to_owned(),
        kind: MessageKind::Event,
        id: tape.chance(30).then(|| "m".to_owned()),
        to: None,
        correlation: None,
        data: Value::from("${{ state.global.k }}"),
        ttl: tape.chance(50).then(|| Span::seconds(1 + tape.below(600))),
    }
}

fn frame_of(kind: FrameKind) -> Work {
    Work::Frame(Box::new(Frame { kind, max_parallel: 0, fail_fast: false, asked: Vec::new() }))
}

fn matrix(tape: &mut Tape, work: &mut Work) {
    if let Work::Frame(frame) = work {
        frame.max_parallel = u32::try_from(tape.below(3)).expect("small");
        frame.fail_fast = tape.chance(40);
    }
}

/// A model that may ask for tools, some of them behind a gate.
fn talk(tape: &mut Tape) -> Work {
    let ask = ModelWork {
        model: "m".to_owned(),
        why: String::new(),
        system: None,
        prompt: "${{ state.global.k }}".to_owned(),
        schema: None,
        temperature: None,
        max_tokens: None,
    };
    let ask = step(tape, "ask", "ask", None, None, Work::Model(Box::new(ask)));
    let ask = PlanStep {
        undo: Undo::Unset,
        outputs: Vec::new(),
        cache: None,
        check: None,
        confidence: None,
        budget: None,
        effect: EffectClass::Pure,
        on_error: OnError::Abort,
        // Said, so that it is not what the question may use.
        estimate: Amounts { tokens: 50, ..Amounts::default() },
        ..ask
    };
    let tool = |name: &str, gated| TalkTool { name: name.to_owned(), tool: format!("{name}@1.0.0"), gated };
    let tools = vec![tool("a", tape.chance(50)), tool("b", tape.chance(50))];
    let rounds = 1 + u32::try_from(tape.below(3)).expect("small");
    let gate = tape.chance(40).then(|| Box::new(rule(tape)));
    frame_of(FrameKind::Talk(Box::new(Talk { ask, tools, rounds, gate })))
}

fn model() -> PlanModel {
    PlanModel {
        name: "m".to_owned(),
        definition: Digest::default(),
        provider: Provider::StandIn,
        model: "m".to_owned(),
        url: String::new(),
        key: None,
        price: None,
        max_tokens: 1,
        breaker: BreakerRule::default(),
        rate: None,
    }
}

fn call(script: &str) -> Work {
    // What it is called with depends on state that other steps change: approvals must notice.
    let bindings = vec![("K".to_owned(), "vars.k".to_owned()), ("G".to_owned(), "state.global.k".to_owned())];
    Work::Run { shell: vec!["sh".to_owned()], script: script.to_owned(), bindings }
}

/// A tool whose circuit opens soon, one with few calls a day, and one that takes all that comes.
fn tools() -> Vec<PlanTool> {
    let named = |name: &str| PlanTool {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        definition: Digest::default(),
        description: String::new(),
        category: String::new(),
        reliability: Score(8000),
        duration: None,
        cost_micro_usd: 0,
        effect: EffectClass::Once,
        risk: Risk::Reversible,
        input: json!({"type": "object"}),
        output: json!({"type": "object"}),
        breaker: BreakerRule::default(),
        rate: None,
        capabilities: vec![name.to_owned()],
        priority: 0,
        agent: None,
        body: PlanToolBody::Words(vec![name.to_owned()]),
        undo: None,
    };
    let agents = DONE_BY.map(|(id, can)| PlanTool {
        agent: Some(PlanAgent::default()),
        capabilities: vec![can.to_owned()],
        body: PlanToolBody::Claim,
        ..named(id.split('@').next().unwrap_or(id))
    });
    let undo = PlanToolUndo::By(Box::new(PlanToolBody::Words(vec!["undo".to_owned()])));
    let fragile = BreakerRule { failures: 2, successes: 1, ..BreakerRule::default() };
    let scarce =
        RateRule { calls: 1, per: Span::seconds(120), burst: 2, per_day: Some(4), ..RateRule::default() };
    let tools = [
        PlanTool { breaker: fragile, undo: Some(undo), ..named("a") },
        PlanTool { rate: Some(scarce), priority: 2, ..named("b") },
        PlanTool { breaker: BreakerRule { failures: 1, when_open: WhenOpen::Fail, ..fragile }, ..named("c") },
    ];
    tools.into_iter().chain(agents).collect()
}

/// The same work for tools of ours alone.
fn without_agents(work: &mut Work) {
    let Work::Tool(tool_use) = work else { return };
    let is_agent = |name: &String| DONE_BY.iter().any(|pair| pair.0 == name);
    if is_agent(&tool_use.tool) {
        "c@1.0.0".clone_into(&mut tool_use.tool);
    }
    if let Some(route) = &mut tool_use.route {
        route.candidates.retain(|candidate| !is_agent(candidate));
    }
    tool_use.route = tool_use.route.take().filter(|route| !route.candidates.is_empty());
}

/// True if an agent that comes by itself may have to do some of it.
pub(crate) fn needs_agents(plan: &Plan) -> bool {
    let is_agent = |name: &String| DONE_BY.iter().any(|pair| pair.0 == name);
    plan.steps.iter().any(|step| match &step.work {
        Work::Tool(tool_use) => {
            is_agent(&tool_use.tool)
                || tool_use.route.iter().any(|route| route.candidates.iter().any(is_agent))
        }
        _ => false,
    })
}

/// The call of one tool, or of one of several; some are agents that come by themselves.
fn tool(tape: &mut Tape) -> Work {
    let all = ["a@1.0.0", "b@1.0.0", "c@1.0.0", DONE_BY[0].0, DONE_BY[1].0];
    let first = tape.index(all.len());
    let route = tape.chance(60).then(|| {
        let policy = *tape.pick(&RoutePolicy::ALL);
        let candidates = all.iter().cycle().skip(first).take(1 + tape.index(4));
        let candidates = candidates.map(|candidate| (*candidate).to_owned()).collect();
        Box::new(Route { policy, candidates, wants: vec!["b".to_owned()] })
    });
    let with = vec![("k".to_owned(), Value::from("${{ state.global.k }}"))];
    Work::Tool(ToolUse { tool: all[first].to_owned(), with, route, given: None, undoes: false })
}

fn condition(tape: &mut Tape) -> Option<String> {
    let at = tape.below(40);
    let words = [
        "always()",
        "failure()",
        "cancelled()",
        "!cancelled()",
        "success()",
        "false",
        "vars.k == 1",
        "fromJSON('[')",
    ];
    let index = usize::try_from(at.checked_sub(32)?).expect("small");
    words.get(index).map(|word| (*word).to_owned())
}

fn step(
    tape: &mut Tape,
    id: &str,
    local: &str,
    frame: Option<StepIx>,
    scope: Option<StepIx>,
    work: Work,
) -> PlanStep {
    let is_call = work.is_call();
    let is_tool = matches!(work, Work::Tool(_));
    let listens = matches!(work, Work::Wait(WaitFor::Message { .. }));
    let is_flow = matches!(&work, Work::Frame(frame) if matches!(frame.kind, FrameKind::Workflow { .. }));
    let class = *tape.pick(&[
        EffectClass::Once,
        EffectClass::Idempotent,
        EffectClass::Keyed,
        EffectClass::Pure,
        EffectClass::Queryable,
    ]);
    let retry = (is_call || is_flow) && tape.chance(25);
    PlanStep {
        id: id.to_owned(),
        local: local.to_owned(),
        scope,
        frame,
        needs: Vec::new(),
        condition: None,
        env: Vec::new(),
        dir: None,
        timeout: (listens || (is_flow || is_tool) && tape.chance(20))
            .then(|| Span::seconds(1 + tape.below(3600))),
        retry: retry.then(|| {
            Box::new(Retry {
                max_attempts: 1 + u32::try_from(tape.below(3)).expect("small"),
                kind: *tape.pick(&[Backoff::Constant, Backoff::Linear, Backoff::Exponential]),
                delay: Span::seconds(1 + tape.below(30)),
                factor_thousandths: 2000,
                max_delay: Span::seconds(60),
                jitter: Score(1000),
                on: Vec::new(),
            })
        }),
        on_error: match tape.below(20) {
            18 => OnError::Skip,
            19 => OnError::Continue,
            _ => OnError::Abort,
        },
        fallback: if (is_call || is_flow) && tape.chance(12) { vec![call("fallback")] } else { Vec::new() },
        undo: if is_call && tape.chance(50) { Undo::By(Box::new(call("undo"))) } else { Undo::Unset },
        outputs: if is_call && tape.chance(5) {
            vec![("n".to_owned(), ValueKind::Integer)]
        } else {
            Vec::new()
        },
        artifacts: Vec::new(),
        cache: (class == EffectClass::Pure && is_call && tape.chance(40)).then(|| {
            let ttl = Some(Span::seconds(if tape.chance(50) { 60 } else { 900 }));
            Box::new(CacheRule { key: "k${{ state.global.k }}".to_owned(), ttl })
        }),
        effect: class,
        ends_with_console: false,
        limits: ProcessLimits::default(),
        output_limit: None,
        sandboxed: false,
        requires: Requires::default(),
        check: (is_call && class == EffectClass::Queryable).then(|| Box::new(call("check"))),
        priority: i32::try_from(tape.below(3)).expect("small"),
        category: None,
        confidence: (is_call && tape.chance(6)).then(|| {
            let below = *tape.pick(&[ConfidenceBelow::Gate, ConfidenceBelow::Fail, ConfidenceBelow::Warn]);
            Box::new(ConfidenceRule { from: None, min: Score(8500), below })
        }),
        matrix: ValueMap::new(),
        title: None,
        budget: (is_call && tape.chance(6)).then(|| {
            Box::new(Budget {
                calls: Some(1 + tape.below(3)),
                tokens: tape.chance(50).then(|| 10 + tape.below(20)),
                on_exceed: *tape.pick(&[OnExceed::Gate, OnExceed::Block, OnExceed::Warn]),
                ..Budget::default()
            })
        }),
        estimate: Amounts {
            tokens: if is_call && tape.chance(20) { tape.below(9) } else { 0 },
            ..Amounts::default()
        },
        work,
    }
}

/// A matrix that one gate answers for: known beforehand, or made from state that other steps change.
fn copies(tape: &mut Tape) -> Value {
    if tape.chance(40) {
        return Value::from("${{ fromJSON(format('[{{\"c\": {0}}}]', vars.k)) }}");
    }
    let copy = |index: u64| Value::Object(ValueMap::from_iter([("c".to_owned(), index.into())]));
    Value::Array((0..tape.below(4)).map(copy).collect())
}

fn rule(tape: &mut Tape) -> GateRule {
    let group = |name: &str, count| Quorum { group: Some(name.to_owned()), count };
    let require = match tape.below(6) {
        3 => vec![group("sre", 1)],
        4 => vec![group("sre", 2)],
        5 => vec![group("sre", 1), group("product", 1)],
        _ => Vec::new(),
    };
    let number = Need {
        name: "n".to_owned(),
        kind: ValueKind::Integer,
        required: true,
        pattern: None,
        choices: Vec::new(),
        default: Some(Value::from(1)),
        description: None,
    };
    GateRule {
        prompt: "go ${{ matrix.c }}?".to_owned(),
        matrix: tape.chance(12).then(|| copies(tape)),
        require,
        forbid: if tape.chance(25) { vec!["run.actor".to_owned()] } else { Vec::new() },
        form: if tape.chance(30) { vec![number] } else { Vec::new() },
        binds: if tape.chance(20) { vec!["${{ vars.k }}".to_owned()] } else { Vec::new() },
        evidence: if tape.chance(25) { vec!["plan.txt".to_owned()] } else { Vec::new() },
        auto: tape.chance(8).then(|| "vars.k == 1".to_owned()),
        remind: if tape.chance(20) { vec![Span::seconds(30), Span::seconds(300)] } else { Vec::new() },
        escalate: tape.chance(15).then(|| (Span::seconds(1 + tape.below(600)), "group:oncall".to_owned())),
        timeout: tape.chance(30).then(|| Span::seconds(1 + tape.below(900))),
        on_timeout: *tape.pick(&[OnTimeout::Reject, OnTimeout::Escalate, OnTimeout::Approve]),
        on_reject: *tape.pick(&[OnFailure::Stop, OnFailure::Continue, OnFailure::Compensate]),
        undo_window: match tape.below(3) {
            0 => Some(Span(0)),
            1 => Some(Span::seconds(5)),
            _ => None,
        },
        reason_required: tape.chance(10),
        // The first step beside it, if that comes before it.
        send_back: tape.chance(15).then(|| "s0".to_owned()),
        ..GateRule::default()
    }
}
