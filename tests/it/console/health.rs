//! Health, Tools and Agents: numbers that the projection has computed, and what is said where there are none.

use super::{
    Console,
    fixture::{Stage, afternoon},
    screens,
};
use cuelight_base::{Actor, Channel, FailureMode, Proof, Span, Token};
use cuelight_console::{FrameCost, Link, Lookup, Message, Sheet, View, Wish};
use cuelight_engine::Command;
use cuelight_exchange::{AgentAsk, Registration};
use cuelight_projection::{AgentAbout, AgentsAbout};

fn open(stage: Stage, width: u16, height: u16, keys: &str) -> Console {
    let mut console = Console::new(stage, width, height);
    drop(console.press(keys));
    console
}

const BUDGET: &str = r"
name: ml/train
budget: {calls: 5}
steps:
  - {id: a, run: x, effect: pure}
  - {id: b, needs: a, run: x, effect: pure, retry: {max-attempts: 4, delay: 1s, jitter: 0}}
  - {id: c, needs: b, run: x, effect: pure}
  - {id: d, needs: c, run: x, effect: pure}
  - {id: e, needs: d, run: x, effect: pure}
";

/// The afternoon, and a run that will not stay within its budget.
fn spending() -> Stage {
    let mut stage = afternoon();
    let run = stage.launch("mira", BUDGET);
    stage.ok(run, "a");
    for _ in 0..2 {
        stage.fail(run, "b", FailureMode::ResourceApi, "503");
        stage.pass(5);
    }
    stage.ok(run, "b");
    stage
}

#[test]
fn health_shows_the_number_and_what_takes_from_it() {
    screens::everywhere("health", |width, height| open(spending(), width, height, "5"));
    screens::everywhere("health_5m", |width, height| open(spending(), width, height, "5 w"));
}

#[test]
fn health_tells_how_long_runs_waited_for_their_place_where_one_did() {
    const ONE: &str = "name: one\nconcurrency: {group: prod}\nsteps:\n  - {id: a, run: x}\n";
    let mut stage = Stage::at("12:00:00");
    let first = stage.launch("mira", ONE);
    assert!(!open(Stage::at("12:00:00"), 160, 48, "5").text().contains(" start  "), "nobody waited");
    stage.launch("mira", ONE);
    stage.pass(40);
    stage.ok(first, "a");
    let text = open(stage, 160, 48, "5").text();
    assert!(text.contains("start      p50 0s  p95 40s  p99 40s"), "{text}");
}

#[test]
fn tools_shows_the_kinds_of_steps_that_have_run() {
    screens::everywhere("tools", |width, height| {
        let mut console = open(spending(), width, height, ": t o o l s");
        drop(console.press("enter j"));
        assert_eq!(console.model.view, View::Tools, "{}", console.text());
        console
    });
}

const AGENTS: &str = r"
name: review/changes
steps:
  - {id: one, agent: {name: reviewer, task: Read it}}
  - {id: two, agent: {name: skimmer, task: Read it}, fallback: [{run: cat}]}
  - {id: three, needs: one, agent: {name: reviewer, task: Read it again}}
  - {id: four, agent: {command: [./tidy], task: Sort it}}
";

/// A morning of agents: one does well and is at it again, one has failed and was stood in for, one is a command of its step.
fn reviewing() -> Stage {
    let mut stage = afternoon();
    let run = stage.launch("mira", AGENTS);
    stage.pass(40);
    stage.answers(run, "one", ("0.9", "0.8", "0.0123"));
    stage.fail(run, "two", FailureMode::AgentTimeout, "gave no sign of life for 1m30s and counts as lost");
    stage.ok(run, "two four");
    stage
}

const TICKETS: &str = r"
name: shop/tickets
steps:
  - {id: cart, agent: {name: coder, task: Mend the cart}}
  - {id: search, agent: {name: coder, task: Make the search forgive slips}}
  - {id: mail, agent: {name: coder, task: Say when a parcel is late}}
";

fn over_http(stage: &mut Stage, agent: &str, project: Option<&str>, ask: AgentAsk) {
    let token = Token {
        id: format!("t-{agent}"),
        subject: agent.to_owned(),
        key: "k".to_owned(),
        person: None,
        maker: None,
        project: project.map(str::to_owned),
    };
    let by = Actor {
        name: format!("agent:{agent}"),
        proof: Proof::Token(Box::new(token)),
        groups: Vec::new(),
        channel: Channel::Http,
    };
    stage.command(Command::Agent { ask: Box::new(ask), by });
}

/// The same morning with agents that came over HTTP: one has work, one has room, one has said nothing for a while, one is lost, and one is
/// another project's.
fn with_those_that_came() -> Stage {
    let mut stage = reviewing();
    stage.launch("mira", TICKETS);
    let comes = |stage: &mut Stage, name: &str, project, agent_type: &str, takes| {
        let registration = Registration {
            name: name.to_owned(),
            agent_type: agent_type.to_owned(),
            capabilities: vec!["implement".to_owned()],
            max_concurrent: takes,
            heartbeat: Span::seconds(30),
            metadata: [("host".to_owned(), "build-7".into())].into_iter().collect(),
        };
        over_http(stage, name, project, AgentAsk::Register(registration));
    };
    comes(&mut stage, "coder-4", None, "coder", 1);
    stage.pass(65);
    comes(&mut stage, "coder-3", None, "coder", 1);
    stage.pass(33);
    comes(&mut stage, "coder-1", None, "coder", 2);
    comes(&mut stage, "coder-2", None, "coder", 1);
    comes(&mut stage, "coder-1", Some("bank"), "coder", 1);
    let claim = AgentAsk::Claim { agent: "coder-1".to_owned(), claim: "c-1".to_owned(), lasts: None };
    over_http(&mut stage, "coder-1", None, claim);
    stage.pass(4);
    stage
}

/// The view, with what the files describe: two agents, one more that was never called, and a file that describes none.
fn agents(width: u16, height: u16) -> Console {
    let broken =
        (".cuelight/agents/\u{1b}[2Jbroken.yaml".to_owned(), "1:1 an agent needs `command:`".to_owned());
    agents_on(reviewing(), width, height, vec![broken])
}

/// The same with agents that came over HTTP.
pub(super) fn agents_that_came(width: u16, height: u16) -> Console {
    agents_on(with_those_that_came(), width, height, Vec::new())
}

fn agents_on(stage: Stage, width: u16, height: u16, problems: Vec<(String, String)>) -> Console {
    let mut console = open(stage, width, height, ": a g e n t s");
    let asked = console.press("enter").into_iter().find_map(|wish| match wish {
        Wish::Read { request, want: Lookup::Agents } => Some(request),
        _ => None,
    });
    let about = |name: &str, file: &str| AgentAbout {
        claim: false,
        id: format!("agent:{name}@1.0.0"),
        description: "Reads a change and says what it thinks of it".to_owned(),
        capabilities: vec!["review".to_owned()],
        heartbeat: Some(Span::seconds(30)),
        effect: "pure".to_owned(),
        risk: "read-only".to_owned(),
        cost_micro_usd: 0,
        origin: format!(".cuelight/agents/{file}.yaml"),
    };
    let known = AgentsAbout {
        agents: vec![about("reviewer", "reviewer"), about("skimmer", "skimmer"), about("idle-one", "idle")],
        problems,
    };
    let request = asked.expect("the files are asked for when the view is opened");
    drop(console.send(Message::Sheet { request, sheet: Sheet::Agents(Box::new(known)) }));
    console
}

#[test]
fn agents_are_ranked_by_what_they_did_and_broken_files_say_why() {
    screens::everywhere("agents", agents);
    let mut console = agents(200, 60);
    let text = console.text();
    let at = |name: &str| text.find(name).unwrap_or_else(|| panic!("{name}: {text}"));
    assert!(
        at("reviewer@1.0.0") < at("skimmer@1.0.0") && at("skimmer@1.0.0") < at("idle-one@1.0.0"),
        "{text}"
    );
    assert!(text.contains("agents  3 described, 1 at work") && text.contains("works 1"), "{text}");
    assert!(text.contains("1 agent at work"), "the status line counts them: {text}");
    drop(console.press("j"));
    for words in ["0.90 on average", "0.80, as it says itself", "0.0123 USD", "works on", "three"] {
        assert!(console.text().contains(words), "{words}: {}", console.text());
    }
    // A lost agent has failed, also where its fallback did the work.
    drop(console.press("j"));
    let text = console.text();
    assert!(text.contains("0 done, 0 in part, 1 failed") && text.contains("TIMEOUT"), "{text}");
    drop(console.press("G"));
    assert!(console.text().contains("an agent needs `command:`"), "{}", console.text());
    // Enter leads to what it works on.
    drop(console.press("g g j enter"));
    assert_eq!(console.model.view, View::Dag, "{}", console.text());
}

#[test]
fn agents_that_came_over_http_show_whether_they_are_there_and_what_they_have() {
    let mut console = agents_that_came(160, 48);
    let text = console.text();
    assert!(text.contains("4 registered, 2 at work"), "those that are lost are not counted: {text}");
    for (name, state) in [
        ("coder-1 ", "live"),
        ("coder-1 (bank)", "live"),
        ("coder-2", "live"),
        ("coder-3", "late"),
        ("coder-4", "lost"),
    ] {
        let row = text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        assert!(row.contains(state), "{row}");
    }
    let has_work = |text: &str| text.contains("works on") && text.contains("ago, over HTTP");
    let found = (0..9).any(|_| {
        drop(console.press("j"));
        has_work(&console.text())
    });
    assert!(found, "{}", console.text());
    for words in ["every 30s", "2 at once", "over HTTP", "host: \"build-7\""] {
        assert!(console.text().contains(words), "{words}: {}", console.text());
    }
    // The one of the same name in another project has nothing of it.
    drop(console.press("G"));
    let text = console.text();
    assert!(text.contains("1 at once") && !text.contains("works on"), "{text}");
}

#[test]
fn tools_does_not_count_agents() {
    let console = open(reviewing(), 100, 30, ": t o o l s enter");
    assert!(!console.text().contains("reviewer"), "{}", console.text());
}

#[test]
fn the_window_is_five_minutes_an_hour_or_a_day() {
    let mut console = open(spending(), 100, 30, "5");
    for word in ["24h", "5m", "1h", "24h"] {
        assert!(console.text().contains(&format!("golden signals  {word}")), "{}", console.text());
        drop(console.press("w"));
    }
}

#[test]
fn a_reason_leads_to_the_failures_behind_it() {
    let mut console = open(spending(), 160, 48, "5 enter");
    assert_eq!(console.model.view, View::Errors);
    let text = console.text();
    assert!(text.contains("‹workflow:payments/refunds mode:system_timeout›"), "{text}");
    assert!(text.contains("call_bank"), "{text}");
    drop(console.press("ctrl-o j enter"));
    assert_eq!(console.model.view, View::Errors);
}

#[test]
fn what_is_not_well_is_said_whatever_is_wrong() {
    let told = |link: Link| {
        let mut console = open(spending(), 160, 48, "5");
        drop(console.send(Message::Link(link)));
        console.text()
    };
    assert!(told(Link::Live).contains("checks  degraded"), "the budget");
    let full = told(Link::Unwritten { why: "no space left on device".to_owned() });
    assert!(full.contains("checks  unhealthy") && full.contains("no space left on device"), "{full}");
    let since = afternoon().now;
    let lost = told(Link::Lost { since, why: "the engine went away".to_owned() });
    assert!(lost.contains("checks  unhealthy") && lost.contains("the engine went away"), "{lost}");
    assert!(told(Link::Unowned).contains("none runs here; start `cuelight serve`"));
}

#[test]
fn before_anything_has_run_health_tools_and_agents_say_so() {
    for (keys, text) in [
        ("5", "nothing has come to an end yet"),
        (": t o o l s enter", "no step has run yet"),
        (": a g e n t s enter", "no agent is described, and none has worked"),
    ] {
        let mut console = open(Stage::at("12:00:00"), 80, 24, keys);
        assert!(console.text().contains(text), "{}", console.text());
        for key in ["j", "k", "G", "enter", "w", "x", "esc", "y", "n"] {
            drop(console.press(key));
            drop(console.text());
        }
        assert!(console.text().contains("NORMAL"), "{}", console.text());
    }
}

#[test]
fn health_is_drawn_at_every_size_with_hostile_names() {
    let workflow = "name: \"a\\u202eb\\e[31m 日本語 very long name of a workflow that nobody would write by hand\"\nsteps:\n  - {id: s, run: x}\n";
    for (width, height) in [(1, 1), (60, 16), (61, 20), (99, 23), (100, 24), (139, 40), (140, 33), (300, 100)]
    {
        let mut stage = Stage::at("12:00:00");
        let run = stage.launch("mira", workflow);
        stage.fail(run, "s", FailureMode::SystemOom, "killed");
        let mut console = open(stage, width, height, "5");
        for keys in ["", "enter", "5 w", ": t o o l s enter", ": a g e n t s enter"] {
            drop(console.press(keys));
            let text = console.text();
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
        }
    }
}

#[test]
fn this_screen_says_what_its_frames_cost() {
    let mut console = Console::of_afternoon(160, 48);
    drop(console.press("5"));
    assert!(console.text().contains("no frame was measured yet"), "{}", console.text());
    for frame in 0..8 {
        let at = console.at + Span(frame * 1_000);
        let cost = FrameCost { at, took_us: 900, bytes: 1_500, skipped: 1 };
        drop(console.send(Message::Frame(cost)));
    }
    let text = console.text();
    assert!(text.contains("render  0.8 fps  0.9 ms/frame  1.2 kB/s  skipped 8"), "{text}");
}

/// Inputs and results of agents appear in the log among the output of steps, and can be shown alone.
#[test]
fn agents_are_a_source_in_the_logs() {
    let mut console = Console::new(reviewing(), 160, 48);
    let newest =
        console.stage.board().summaries().map(|summary| summary.id).max().expect("the run of the agents");
    console.model.look_at(newest);
    drop(console.press("L J J J"));
    let text = console.text();
    assert!(
        text.contains("  agents") && text.contains("attempt.started") && text.contains("attempt.ended"),
        "{text}"
    );
    assert!(!text.contains("run.created") && !text.contains("step.ready"), "{text}");
    drop(console.press("K K K & s o u r c e : a g e n t s enter"));
    let text = console.text();
    assert!(text.contains("attempt.started  one") && !text.contains("batch 1"), "{text}");
}
