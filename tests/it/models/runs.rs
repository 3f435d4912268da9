//! Steps that ask: what the program makes of models, from the file to the journal.

use super::provider::{Provider, refusal, says};
use crate::run_and_answer::{Told, cuelight, run, say};
use serde_json::{Value, json};
use std::{fs, path::Path};
use tempfile::TempDir;

/// A workspace with models at these ports.
pub(super) struct Room(TempDir);

impl Room {
    pub(super) fn new(models: &[(&str, &Provider, &str)]) -> Self {
        let dir = TempDir::new().expect("a directory");
        fs::create_dir_all(dir.path().join(".cuelight/models")).expect("a folder");
        fs::write(dir.path().join(".cuelight/config.toml"), "http-private = [\"127.0.0.1\"]\n")
            .expect("a file");
        for (name, provider, more) in models {
            let text = format!("name: {name}\nprovider: openai\nmodel: m\nurl: {}\n{more}", provider.url());
            fs::write(dir.path().join(format!(".cuelight/models/{name}.yaml")), text).expect("a file");
        }
        Self(dir)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn run(&self, text: &str) -> Told {
        fs::write(self.path().join("flow.yaml"), text).expect("a file");
        run(self.path(), Path::new("flow.yaml"), &[], &[])
    }
}

/// Models chosen in a run, each with the reason.
fn choices(told: &Told) -> Vec<(String, String)> {
    let routed = told.events.iter().filter(|event| event["type"] == "step.routed");
    let word =
        |event: &Value, name: &str| event["data"]["choice"][name].as_str().unwrap_or_default().to_owned();
    routed.map(|event| (word(event, "chosen"), word(event, "reason"))).collect()
}

#[test]
fn a_step_asks_and_others_read_what_was_answered() {
    let provider = Provider::play(vec![says(r#"{"score": 0.9, "summary": "It is sound"}"#, 1000, 100)]);
    let room = Room::new(&[("own", &provider, "price: {input-usd: 3, output-usd: 15}\n")]);
    let file = r#"
budget: {cost-usd: 1, tokens: 20000}
inputs: {what: {type: string, default: "a change LONG"}}
steps:
  - id: review
    llm:
      model: own
      prompt: "Review ${{ inputs.what }}"
      json-schema: {type: object, required: [score], properties: {score: {type: number}, summary: {type: string}}}
    confidence: {from: score, min: 0.7, below: fail}
  - {id: say, needs: review, run: 'echo ${{ steps.review.outputs.summary }} ${{ steps.review.outputs.cost-usd }}'}
"#;
    let long = "x".repeat(4000);
    let told = room.run(&file.replace("LONG", &long));
    assert_eq!(told.state(), "completed", "{}", told.said);
    assert_eq!(told.output("review", "summary"), "It is sound");
    assert_eq!(told.output("review", "cost-usd"), "0.0045");
    assert_eq!(
        provider.heard().body["messages"],
        json!([
            {"role": "system", "content": "Answer with one JSON value and nothing else. It has to fit this JSON Schema:\n{\"type\":\"object\",\"required\":[\"score\"],\"properties\":{\"score\":{\"type\":\"number\"},\"summary\":{\"type\":\"string\"}}}"},
            {"role": "user", "content": format!("Review a change {long}")}
        ])
    );
    // Charged with what it may use, corrected to what it has used.
    let of = |kind: &str| {
        told.events
            .iter()
            .find(|event| event["type"] == kind && event["step"] == "review")
            .map(|event| event["data"].clone())
    };
    let charge = of("attempt.started").expect("it was called")["charge"].clone();
    assert!(
        charge["tokens"].as_u64() > Some(4096 + 1000)
            && charge["cost_micro_usd"].as_u64() > Some(61_440 + 3000),
        "{charge}"
    );
    let usage = of("attempt.ended").expect("it has ended")["outcome"]["usage"].clone();
    assert_eq!(usage, json!({"tokens": 1100, "cost_micro_usd": 4500}));
}

#[test]
fn the_next_model_is_asked_when_one_fails_and_says_why() {
    let busy = Provider::play(vec![refusal("429 Too Many Requests", "{}").with("Retry-After: 3000")]);
    let broken = Provider::play(vec![refusal("401 Unauthorized", "{}")]);
    let well = Provider::play(vec![says("fine", 5, 1)]);
    let room = Room::new(&[("busy", &busy, ""), ("broken", &broken, ""), ("well", &well, "")]);
    let told = room.run("steps:\n  - {id: a, llm: {model: [busy, broken, well], prompt: x}}\n");
    assert_eq!(told.state(), "completed", "{}", told.said);
    assert_eq!((told.output("a", "model"), told.output("a", "text")), (&json!("well"), &json!("fine")));
    let choices = choices(&told);
    assert_eq!(choices[0], ("busy".to_owned(), "busy stands first, before broken, well".to_owned()));
    assert_eq!((choices[1].0.as_str(), choices[2].0.as_str()), ("broken", "well"));
    assert!(choices[1].1.starts_with("busy failed with policy_rate_limit: busy answers 429"), "{choices:?}");
    assert!(choices[2].1.starts_with("broken failed with user_permission"), "{choices:?}");
    assert_eq!((busy.asked(), broken.asked(), well.asked()), (1, 1, 1), "a wrong key is not tried again");
}

/// A question that used nothing costs nothing: neither a refusal, nor one that reached nobody, empties a
/// budget. One that broke off may.
#[test]
fn a_question_that_was_refused_is_charged_with_nothing() {
    let price = "price: {input-usd: 3, output-usd: 15}\n";
    let refused =
        Provider::play(vec![refusal("429 Too Many Requests", "{}"), refusal("401 Unauthorized", "{}")]);
    let between = Provider::play(vec![refusal("502 Bad Gateway", "{}")]);
    let silent = Provider::play(vec![says("fine", 1, 1).cut(20)]);
    let room =
        Room::new(&[("refused", &refused, price), ("between", &between, price), ("silent", &silent, price)]);
    // Nobody listens at the first of all ports.
    let gone = format!("name: gone\nprovider: openai\nmodel: m\nurl: http://127.0.0.1:1/v1\n{price}");
    fs::write(room.path().join(".cuelight/models/gone.yaml"), gone).expect("a file");
    let cost = |model: &str, more: &str| {
        let told = room.run(&format!(
            "budget: {{cost-usd: 1}}\nsteps:\n  - {{id: a, retry: {{{more}}}, llm: {{model: {model}, prompt: x, max-tokens: 4000}}}}\n"
        ));
        assert_eq!(told.state(), "failed", "{model}: {}", told.said);
        let told = say(room.path(), &["show", told.events[0]["run"].as_str().expect("a run"), "--json"]);
        let shown: Value = serde_json::from_slice(&told.stdout).expect("JSON");
        (shown["spent"]["calls"].as_u64(), shown["spent"]["cost_usd"].as_f64())
    };
    let twice = "max-attempts: 2, delay: 1ms, on: [policy_rate_limit]";
    assert_eq!(cost("refused", twice), (Some(2), Some(0.0)));
    assert_eq!(cost("gone", "max-attempts: 1"), (Some(1), Some(0.0)));
    for unknown in ["between", "silent"] {
        let (_, usd) = cost(unknown, "max-attempts: 1");
        assert!(usd.is_some_and(|usd| usd > 0.06), "{unknown}: nobody knows what it used: {usd:?}");
    }
}

#[test]
fn what_the_line_or_the_other_side_did_wrong_is_tried_twice_more() {
    let provider = Provider::play(vec![
        refusal("500 Internal Server Error", "{}"),
        says("cut", 1, 1).cut(20),
        says("fine", 5, 1),
    ]);
    let room = Room::new(&[("own", &provider, "")]);
    let told = room.run("steps:\n  - {id: a, llm: {model: own, prompt: x}}\n");
    assert_eq!(told.state(), "completed", "{}", told.said);
    assert_eq!(provider.asked(), 3);
}

#[test]
fn a_run_that_could_ask_nobody_is_refused_with_the_name_of_the_key() {
    let room = Room::new(&[]);
    let file = "steps:\n  - {id: a, llm: {model: [claude-sonnet, gpt], prompt: x}}\n  - {id: b, llm: {model: gemini-pro, prompt: x}}\n  - {id: c, if: inputs.no, llm: {model: gpt, prompt: x}}\ninputs: {no: {type: boolean, default: false}}\n";
    fs::write(room.path().join("flow.yaml"), file).expect("a file");
    let mut command = cuelight(room.path());
    for name in ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"] {
        command.env_remove(name);
    }
    let output = command.args(["run", "flow.yaml"]).output().expect("it can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("step `a` asks claude-sonnet, and none of the secrets ANTHROPIC_API_KEY, OPENAI_API_KEY is set; export one"), "{said}");
    assert!(said.contains("step `b` asks gemini-pro, and the secret GEMINI_API_KEY is not set; export it, or write it to .cuelight/secrets/GEMINI_API_KEY"), "{said}");
    assert!(!said.contains("step `c`"), "it may never be asked: {said}");
    // Each at the place where its model is named, with the line of the file.
    for part in ["flow.yaml:2:27", "flow.yaml:3:26", "{id: b, llm: {model: gemini-pro, prompt: x}}"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // In a file that is called it stands at the call.
    fs::write(room.path().join("calls.yaml"), "steps:\n  - {id: go, workflow: flow.yaml}\n").expect("a file");
    let output = cuelight(room.path()).args(["run", "calls.yaml"]).output().expect("it can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("calls.yaml:2:10") && said.contains("step `go/b` asks gemini-pro"), "{said}");
}

#[test]
fn where_no_model_is_named_the_best_that_has_a_key_answers() {
    let (locked, open) = (Provider::play(vec![says("no", 1, 1)]), Provider::play(vec![says("fine", 5, 1)]));
    let room = Room::new(&[
        ("large", &locked, "key: NO_SUCH_KEY\nhints: {complexity: high}\n"),
        ("small", &open, "hints: {complexity: low}\n"),
    ]);
    let told = room.run("steps:\n  - {id: a, llm: {prompt: x, hints: {complexity: high}}}\n");
    assert_eq!(told.state(), "completed", "{}", told.said);
    assert_eq!(told.output("a", "model"), "small");
    let choices = choices(&told);
    assert_eq!(
        choices[0],
        ("large".to_owned(), "none is named; of 2 models the best for complexity high".to_owned())
    );
    assert!(choices[1].1.contains("secret NO_SUCH_KEY is not set"), "{choices:?}");
    assert_eq!(locked.asked(), 0);
}

/// One that fails again and again is left alone, and the next is asked at once.
#[test]
fn a_model_whose_circuit_is_open_is_passed_over() {
    let broken = Provider::play((0..2).map(|_| refusal("500 Internal Server Error", "{}")).collect());
    let well = Provider::play((0..2).map(|_| says("fine", 5, 1)).collect());
    let breaker = "breaker: {failures: 1, open-for: 1h}\n";
    let room = Room::new(&[("broken", &broken, breaker), ("well", &well, "")]);
    let step = "llm: {model: [broken, well], prompt: x}, retry: {max-attempts: 1}";
    let told = room.run(&format!("steps:\n  - {{id: a, {step}}}\n  - {{id: b, needs: a, {step}}}\n"));
    assert_eq!(told.state(), "completed", "{}", told.said);
    assert_eq!((broken.asked(), well.asked()), (1, 2));
    let passed = choices(&told).into_iter().find(|choice| choice.1.contains("circuit")).expect("it says why");
    assert!(
        passed.0 == "well" && passed.1.starts_with("the circuit of model broken is open until"),
        "{passed:?}"
    );
}

#[test]
fn a_plan_whose_answers_cannot_fit_its_budget_is_refused_before_it_asks() {
    let provider = Provider::play(vec![says("fine", 5, 1)]);
    let room = Room::new(&[("own", &provider, "price: {input-usd: 3, output-usd: 15}\n")]);
    let budget = "budget: {cost-usd: 0.01, tokens: 100, on-exceed: block}";
    let file =
        |more: &str| format!("{budget}\nsteps:\n  - {{id: a, llm: {{model: own, prompt: x{more}}}}}\n");
    fs::write(room.path().join("flow.yaml"), file("")).expect("a file");
    let refused = say(room.path(), &["run", "flow.yaml"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("needs tokens=4097, cost-usd=0.061443, has tokens=100, cost-usd=0.01"), "{said}");
    assert_eq!(room.run(&file(", max-tokens: 50")).state(), "completed");
    assert_eq!(provider.asked(), 1);
}

#[test]
fn a_model_takes_no_more_questions_than_its_rate() {
    let provider = Provider::play((0..2).map(|_| says("fine", 5, 1)).collect());
    let room = Room::new(&[("own", &provider, "rate: {calls: 10, per: 1s, burst: 1}\n")]);
    let told = room.run(
        "steps:\n  - {id: a, llm: {model: own, prompt: x}}\n  - {id: b, llm: {model: own, prompt: x}}\n",
    );
    assert_eq!(told.state(), "completed", "{}", told.said);
    let waits = told.events.iter().filter(|event| event["type"] == "step.waiting");
    let reasons: Vec<&Value> = waits.map(|event| &event["data"]["reason"]["target"]["name"]).collect();
    assert_eq!(reasons, ["model own"]);
}

/// People approve the exact question, together with the model that it goes to.
#[test]
fn a_gate_shows_who_is_asked_what() {
    let provider = Provider::play(vec![says("fine", 5, 1)]);
    let room = Room::new(&[("own", &provider, "")]);
    let told = room.run("steps:\n  - {id: sure, gate: {prompt: \"Ask it?\"}}\n  - {id: a, needs: sure, llm: {model: own, system: \"Be brief\", prompt: \"Is it well?\"}}\n");
    assert_eq!(told.state(), "completed", "{}", told.said);
    let asked = told.events.iter().find(|event| event["type"] == "gate.asked").expect("it was asked");
    let model = &asked["data"]["ask"]["will_run"][0]["launch"]["model"];
    assert_eq!(
        (&model["name"], &model["prompt"], &model["system"]),
        (&json!("own"), &json!("Is it well?"), &json!("Be brief"))
    );
}

#[test]
fn a_stand_in_needs_no_key_and_no_network() {
    let room = Room::new(&[]);
    let told = room.run("steps:\n  - {id: a, llm: {model: stand-in, prompt: \"Is it well?\"}}\n");
    assert_eq!(told.state(), "completed", "{}", told.said);
    assert!(
        told.output("a", "text").as_str().is_some_and(|output| output.starts_with("This is the stand-in"))
    );
    let shown = say(room.path(), &["logs", "r-1", "a"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("no model is asked"), "{shown:?}");
}
