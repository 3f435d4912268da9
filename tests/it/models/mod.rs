//! Models, at three doors: what the checker says of them, what one call sends and takes, and what a run makes of it.

mod calls;
mod provider;
mod runs;
mod talks;
mod with_keys;

use crate::run_and_answer::{cuelight, say};
use cuelight_definition::{Diagnostic, Files, ModelRegistry};
use std::{fs, path::Path};
use tempfile::TempDir;

/// Files that describe models, beside a workflow.
struct Shelf<'a>(&'a [(&'a str, &'a str)]);

impl Files for Shelf<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        Err(format!("there is no {path}"))
    }

    fn models(&self) -> Vec<(String, Result<String, String>)> {
        described(self.0)
    }
}

fn described(models: &[(&str, &str)]) -> Vec<(String, Result<String, String>)> {
    models.iter().map(|(name, text)| (format!("models/{name}"), Ok((*text).to_owned()))).collect()
}

fn line(diagnostic: &Diagnostic) -> String {
    let advice = diagnostic.help.clone().unwrap_or_else(|| diagnostic.label.clone());
    format!(
        "{}:{}:{} [{}] {} | {advice}",
        diagnostic.file, diagnostic.line, diagnostic.column, diagnostic.code, diagnostic.message
    )
}

/// One line for each finding, and what is advised.
#[track_caller]
fn check(models: &[(&str, &str)], text: &str, expected: &[&str]) {
    let text = format!("timeout: 1m\n{text}");
    let (_, said) = cuelight_definition::read("flow.yaml", &text, &Shelf(models));
    let lines: Vec<String> = said.iter().filter(|item| item.code != "later-release").map(line).collect();
    assert_eq!(lines, expected);
}

#[test]
fn a_model_that_is_not_there_or_stands_twice_is_told_at_its_place() {
    check(
        &[],
        "steps:\n  - {id: a, llm: {model: claude-sonet, prompt: x}}\n  - {id: b, llm: {model: [gpt, gpt], prompt: x}}\n  - {id: c, llm: {model: zzz, prompt: x}}\n",
        &[
            "flow.yaml:3:26 [model] there is no model `claude-sonet` | did you mean `claude-sonnet`?",
            "flow.yaml:4:32 [model] `gpt` stands twice in its chain | a model that has failed is not asked again; remove one",
            "flow.yaml:5:26 [model] there is no model `zzz` | `cuelight model` names those there are; describe one of your own in .cuelight/models/NAME.yaml",
        ],
    );
}

#[test]
fn who_is_asked_is_written_in_the_file_and_never_computed() {
    check(
        &[],
        "inputs: {m: {type: string, default: gpt}}\nsteps:\n  - {id: a, llm: {model: \"${{ inputs.m }}\", prompt: x}}\n  - {id: b, llm: {model: [auto, gpt], prompt: x}}\n",
        &[
            "flow.yaml:4:26 [expression] the name of a model is fixed; no expression may stand here | it must be known before the run starts",
            "flow.yaml:5:27 [model] `auto` stands alone: it is every model there is, the best first | name the models, or write `model: auto` and `hints:`",
        ],
    );
}

#[test]
fn a_budget_of_dollars_asks_for_prices() {
    let priced = "name: own\nprovider: openai\nmodel: m\nurl: http://127.0.0.1:1/v1\nprice: {input-usd: 0.5, output-usd: 1.25}\n";
    check(
        &[("own.yaml", priced)],
        "budget: {cost-usd: 1}\nsteps:\n  - {id: a, llm: {model: [own, gpt], prompt: x}}\n",
        &[
            "flow.yaml:4:32 [model] no price is known of `gpt`, so a budget in dollars does not count it | write its price to .cuelight/models/gpt.yaml, price: {input-usd: …, output-usd: …} for a million tokens each, or count tokens",
        ],
    );
}

#[test]
fn an_answer_has_the_parts_of_its_schema_and_ours_keep_their_names() {
    check(
        &[],
        "steps:\n  - id: a\n    llm: {model: stand-in, prompt: x, json-schema: {type: object, properties: {score: {type: number}, tokens: {type: integer}}}}\n  - {id: b, needs: a, run: 'echo ${{ steps.a.outputs.score }} ${{ steps.a.outputs.cost-usd }} ${{ steps.a.outputs.other }}'}\n",
        &[
            "flow.yaml:3:9 [model] `tokens` is an output of every model, so that of the answer is not one | read steps.a.outputs.result.tokens, or give it another name",
            "flow.yaml:5:99 [unknown-output] `a` declares no output `other` | it declares text, result, model, answered-by, finish, repaired, tokens, input-tokens, output-tokens, cost-usd or score",
        ],
    );
    check(
        &[],
        "steps:\n  - {id: a, llm: {model: stand-in, prompt: x, json-schema: {type: txt}}}\n",
        &[
            "flow.yaml:3:60 [schema] could not read `json-schema` as JSON Schema: type: \"txt\" is not valid under any of the schemas listed in the 'anyOf' keyword | JSON Schema 2020-12; a `$ref` names a place in this schema",
        ],
    );
}

#[test]
fn what_is_wrong_with_a_description_is_told_with_its_place() {
    let models = [
        ("a.yaml", "name: auto\nprovider: openai\nmodel: m\n"),
        (
            "b.yaml",
            "name: b\nprovider: openai\nmodel: ../m\nurl: http://user@host/v1\nkey: sk-abcdefghijklmnopqrstuvwxyz0123456789\n",
        ),
        ("c.yaml", "name: c\nprovider: stand-in\nmodel: m\nkey: KEY\nextra: 1\n"),
        ("d.yaml", "name: d\nprovider: openai\nmodel: m\nurl: http://far.example/v1\nkey: KEY\n"),
        ("e.yaml", "name: d\nprovider: openai\nmodel: m\n"),
    ];
    let registry = ModelRegistry::new(&described(&models));
    let lines: Vec<String> = registry.problems().iter().map(line).collect();
    insta::with_settings!({snapshot_path => "../snapshots"}, {
        insta::assert_snapshot!(lines.join("\n"));
    });
}

#[test]
fn a_description_of_the_workspace_takes_the_place_of_ours() {
    let own = "name: gpt\nprovider: openai\nmodel: gpt-x\nprice: {input-usd: 1.25, output-usd: 10}\nrate: {calls: 5, per: 1m, per-day: 100}\n";
    let registry = ModelRegistry::new(&described(&[("gpt.yaml", own)])).in_zone("Europe/Paris");
    assert_eq!(registry.problems(), []);
    let found = registry.find("gpt").expect("it is there");
    assert_eq!((found.model.as_str(), found.key.as_deref()), ("gpt-x", Some("OPENAI_API_KEY")));
    assert_eq!(
        found.price.map(|price| (price.input_micro_usd, price.output_micro_usd)),
        Some((1_250_000, 10_000_000))
    );
    assert_eq!(found.rate.as_ref().map(|rate| rate.timezone.as_str()), Some("Europe/Paris"));
}

/// A key goes only where it was made for, or where somebody says so.
#[test]
fn a_key_is_never_sent_to_another_address_unsaid() {
    let own = |key: &str| {
        format!("name: own\nprovider: openai\nmodel: m\nurl: https://elsewhere.example/v1\n{key}")
    };
    let key = |text: &str| {
        let registry = ModelRegistry::new(&described(&[("own.yaml", text)]));
        registry.find("own").and_then(|model| model.key.clone())
    };
    assert_eq!(key(&own("")), None);
    assert_eq!(key(&own("key: OPENAI_API_KEY\n")).as_deref(), Some("OPENAI_API_KEY"));
}

/// A request that names no model never gets one that only pretends.
#[test]
fn hints_order_the_models_of_the_workspace_and_never_choose_a_stand_in() {
    let model =
        |name: &str, hints: &str| format!("name: {name}\nprovider: openai\nmodel: m\nhints: {hints}\n");
    let (large, small) = (
        model("large", "{complexity: high, cost: high, speed: low}"),
        model("small", "{complexity: low, cost: low, speed: high}"),
    );
    let fake =
        "name: fake\nprovider: stand-in\nmodel: m\nhints: {complexity: high, cost: low, speed: high}\n";
    let registry = ModelRegistry::new(&described(&[
        ("fake.yaml", fake),
        ("large.yaml", large.as_str()),
        ("small.yaml", small.as_str()),
    ]));
    let names = |hints: &str| {
        let text = format!("timeout: 1m\nsteps:\n  - {{id: a, llm: {{prompt: x, hints: {hints}}}}}\n");
        let files = [("fake.yaml", fake), ("large.yaml", large.as_str()), ("small.yaml", small.as_str())];
        let (workflow, _) = cuelight_definition::read("flow.yaml", &text, &Shelf(&files));
        let workflow = workflow.expect("it is right");
        let cuelight_definition::StepKind::Llm(llm) = &workflow.steps[0].kind else { return Vec::new() };
        llm.candidates.iter().map(|candidate| candidate.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("{complexity: high, cost: low}"), ["large", "small"]);
    assert_eq!(names("{cost: low}"), ["small", "large"]);
    assert!(registry.find("fake").is_some(), "it answers where it is named");
    let ours = ModelRegistry::new(&[]).for_hints(cuelight_base::Hints::default());
    assert!(!ours.is_empty() && ours.iter().all(|model| model.is_real()));
}

/// Exit code and output of a command.
fn says(dir: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = say(dir, words);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_model_is_tried_out_without_a_run() {
    let dir = TempDir::new().expect("a directory");
    let (code, said) = says(dir.path(), &["model", "test", "stand-in", "--prompt", "Are you there?"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("no model is asked") && said.contains("that begins: Are you there?"), "{said}");
    let (_, said) = says(dir.path(), &["model", "test", "stand-in", "--json"]);
    let outputs: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&outputs["model"], &outputs["cost-usd"]), (&"stand-in".into(), &"0.00".into()));
    let mut command = cuelight(dir.path());
    let told =
        command.env_remove("OPENAI_API_KEY").args(["model", "test", "gpt"]).output().expect("it starts");
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.code() == Some(1) && said.contains("secret OPENAI_API_KEY is not set"), "{said}");
    let (_, runs) = says(dir.path(), &["run", "history"]);
    assert!(!runs.contains("r-1"), "{runs}");
}

#[test]
fn models_are_listed_and_shown_with_what_nobody_knows_said_so() {
    let dir = TempDir::new().expect("a directory");
    fs::create_dir_all(dir.path().join(".cuelight/models")).expect("a folder");
    let own = "name: local\nprovider: openai\nmodel: llama3.1:8b\nurl: http://127.0.0.1:11434/v1/\nprice: {input-usd: 0, output-usd: 0}\nrate: {calls: 2, per: 1s, per-day: 9}\n";
    fs::write(dir.path().join(".cuelight/models/local.yaml"), own).expect("a file");
    let (code, list) = says(dir.path(), &["model"]);
    assert_eq!(code, Some(0), "{list}");
    let row = |name: &str| list.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(row("gpt ").contains("OPENAI_API_KEY") && row("gpt ").contains("no price known"), "{list}");
    assert!(row("local").contains("0.00 USD asked, 0.00 USD answered"), "{list}");
    let (_, shown) = says(dir.path(), &["model", "show", "local"]);
    assert!(shown.contains("address       http://127.0.0.1:11434/v1\nkey           none\n"), "{shown}");
    assert!(shown.contains("takes         2 calls in 1s, 2 at once; 9 on one day"), "{shown}");
    let (code, said) = says(dir.path(), &["model", "show", "locl"]);
    assert_eq!((code, said.trim()), (Some(2), "could not find the model locl; did you mean local?"));
}

#[test]
fn what_a_model_is_offered_is_a_tool_that_has_nothing_to_do_with_gates() {
    check(
        &[],
        "steps:\n  - {id: a, llm: {model: stand-in, prompt: x, tools: [file.red, approve.wait, file.read, file.read], rounds: 51}}\n  - {id: b, llm: {model: stand-in, prompt: x, rounds: 2}}\n  - {id: c, llm: {model: stand-in, prompt: x, tools: file.read}, confidence: {min: 0.5, below: fail}}\n",
        &[
            "flow.yaml:3:55 [tool] there is no tool `file.red` | there are file.read@1, file.checksum@1, file.write@1; docs/TOOLS.md names those that are built in",
            "flow.yaml:3:65 [tool] `approve.wait` has to do with answers of people, and no model is offered it | let a step of its own wait, and hand its result to the model in `prompt`",
            "flow.yaml:3:90 [tool] `file.read` is offered twice | name each tool once",
            "flow.yaml:3:110 [value] `rounds` is a whole number, 1 to 50 | ",
            "flow.yaml:4:10 [model] `rounds` says how tools are called, and none is offered | add `tools:`, or remove it",
            "flow.yaml:5:10 [model] `c` offers tools, so it cannot have `confidence` | judge the answer in a gate or a step behind it",
        ],
    );
}

/// Only what makes them stricter can be said of the gates of a model's calls.
#[test]
fn the_gates_of_a_models_calls_can_be_made_stricter_and_never_looser() {
    let step = |gates: &str, tools: &str| {
        format!(
            "steps:\n  - {{id: a, llm: {{model: stand-in, prompt: x, tools: {tools}, gates: {gates}}}}}\n"
        )
    };
    check(&[], &step("{require: [{group: sre, count: 2}], forbid: [run.actor], timeout: 30s}", "shell"), &[]);
    check(
        &[],
        &step("{auto: true, on-timeout: approve, undo-window: 0s}", "shell"),
        &[
            "flow.yaml:3:69 [unknown-key] `auto` is no key of `gates` of a model | the keys are calls, require, forbid, risk, remind, timeout, reason or proof",
            "flow.yaml:3:81 [unknown-key] `on-timeout` is no key of `gates` of a model | did you mean `timeout`?",
            "flow.yaml:3:102 [unknown-key] `undo-window` is no key of `gates` of a model | the keys are calls, require, forbid, risk, remind, timeout, reason or proof",
        ],
    );
    check(&[], &step("{calls: none}", "shell"), &["flow.yaml:3:76 [value] `calls` is changes or all | "]);
    check(
        &[],
        &step("{require: [{group: sre}], forbid: ['group:sre', steps.later.outputs.x]}", "shell"),
        &[
            "flow.yaml:3:79 [gate] nobody can satisfy this: the group sre is also forbidden | remove one of the two",
            "flow.yaml:3:116 [unknown-step] there is no step `later` | name the id of a step of this file",
        ],
    );
    check(
        &[],
        &step("{require: {count: 2}}", "file.read"),
        &[
            "flow.yaml:3:65 [gate] none of these tools changes anything, so no call waits at a gate | add `calls: all` where people are to be asked all the same, or remove `gates`",
        ],
    );
    check(
        &[],
        &step("{calls: all, require: {count: 2}, timeout: 2m}", "file.read"),
        &[
            "flow.yaml:3:65 [gate] the run ends after 1m, before this gate's 2m are over | waiting at a gate counts for the run's timeout; make that longer",
        ],
    );
    check(
        &[],
        "steps:\n  - {id: a, llm: {model: stand-in, prompt: x, gates: {require: {count: 2}}}}\n",
        &[
            "flow.yaml:3:10 [model] `gates` says how tools are called, and none is offered | add `tools:`, or remove it",
        ],
    );
}
