//! The coding agents themselves, as their makers publish them: they ask for leave through our hooks and over MCP, people answer, and
//! what was refused is not done. What would be their models is a stand-in on 127.0.0.1; nothing leaves the machine. The files of agents
//! and of hooks are those of docs/recipes.md.
//!
//! `tests/night` installs both (600 MB) below `target/coding`; `CUELIGHT_CODING` names another place.

use crate::program::{Place, Said, bounded, text, until_else};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

const CLAUDE: &str = "@anthropic-ai/claude-code-linux-x64/claude";
const CODEX: &str = "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex";

/// Path of an agent's program, if it was installed.
fn theirs(path: &str) -> Option<PathBuf> {
    let named = std::env::var("CUELIGHT_CODING").ok().map(PathBuf::from);
    let dir = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/coding"));
    let file = dir.join("node_modules").join(path);
    if !file.exists() {
        println!("skipped: no {path}; tests/night installs it where npm is");
    }
    file.exists().then_some(file)
}

/// A model that asks for one command, is told what became of it, and says so.
struct Model {
    port: u16,
    /// Results of the command, as the agent reported them.
    told: Arc<Mutex<Vec<String>>>,
}

impl Model {
    fn that_wants(command: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        #[expect(clippy::disallowed_methods, reason = "the other side is no part of the program")]
        let _owner = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = Arc::clone(&heard);
                #[expect(clippy::disallowed_methods, reason = "an agent asks on several lines at once")]
                let _one = thread::spawn(move || answer(stream, command, &heard));
            }
        });
        Self { port, told }
    }

    fn told(&self) -> String {
        self.told.lock().expect("nobody panics").join("\n")
    }
}

/// One request, one answer.
fn answer(mut stream: TcpStream, command: &str, told: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (kind, text) = if first.starts_with("POST /v1/messages") && !first.contains("count_tokens") {
        messages(&body, command, told)
    } else if first.starts_with("POST /v1/responses") {
        responses(&body, command, told)
    } else {
        ("application/json", json!({"input_tokens": 10, "models": [], "data": []}).to_string())
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(text.as_bytes()).ok()?;
    stream.shutdown(Shutdown::Write).ok()
}

fn events(all: &[Value]) -> (&'static str, String) {
    let one = |value: &Value| format!("event: {}\ndata: {value}\n\n", text(&value["type"]));
    ("text/event-stream", all.iter().map(one).collect())
}

/// As platform.claude.com/docs/en/api/messages-streaming has it.
fn messages(body: &Value, command: &str, told: &Mutex<Vec<String>>) -> (&'static str, String) {
    let last = body["messages"]
        .as_array()
        .and_then(|messages| messages.last())
        .map_or(Value::Null, |message| message["content"].clone());
    let came_of =
        last.as_array().and_then(|items| items.iter().find(|item| item["type"] == "tool_result").cloned());
    let has_tools =
        body["tools"].as_array().is_some_and(|tools| tools.iter().any(|tool| tool["name"] == "Bash"));
    let (block, delta, stop) = match came_of {
        None if has_tools && !command.is_empty() => (
            json!({"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}),
            json!({"type": "input_json_delta", "partial_json": json!({"command": command, "description": "d"}).to_string()}),
            "tool_use",
        ),
        came_of => {
            told.lock().expect("nobody panics").extend(came_of.map(|came_of| came_of["content"].to_string()));
            (
                json!({"type": "text", "text": ""}),
                json!({"type": "text_delta", "text": "it was said"}),
                "end_turn",
            )
        }
    };
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 10, "output_tokens": 1}});
    events(&[
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null}, "usage": {"output_tokens": 5}}),
        json!({"type": "message_stop"}),
    ])
}

/// As platform.openai.com/docs/api-reference/responses-streaming has it.
fn responses(body: &Value, command: &str, told: &Mutex<Vec<String>>) -> (&'static str, String) {
    let last = body["input"].as_array().and_then(|items| items.last()).cloned().unwrap_or_default();
    let item = if last["type"] == "function_call_output" || command.is_empty() {
        told.lock().expect("nobody panics").push(last["output"].to_string());
        json!({"type": "message", "role": "assistant", "id": "m1", "content": [{"type": "output_text", "text": "it was said"}]})
    } else {
        json!({"type": "function_call", "id": "f1", "call_id": "c1", "name": "exec_command", "arguments": json!({"cmd": command}).to_string()})
    };
    let used = json!({"input_tokens": 10, "input_tokens_details": null, "output_tokens": 5, "output_tokens_details": null, "total_tokens": 15});
    events(&[
        json!({"type": "response.created", "response": {"id": "r1"}}),
        json!({"type": "response.output_item.done", "item": item}),
        json!({"type": "response.completed", "response": {"id": "r1", "usage": used}}),
    ])
}

/// A block of the page of recipes: the first that holds this.
fn recipe(part: &str) -> String {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes.md")).expect("the page");
    let mut blocks = page.split("```").skip(1).step_by(2);
    let block = blocks.find(|block| block.contains(part)).unwrap_or_else(|| panic!("no recipe has {part}"));
    block.split_once('\n').expect("lines").1.replace("/srv/team", "team")
}

/// A place in which both find our program by name, and their model where the stand-in is.
fn place(model: &Model) -> Place {
    let place = Place::new();
    fs::create_dir_all(place.file("team")).expect("made");
    fs::create_dir_all(place.file("bin")).expect("made");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_cuelight"), place.file("bin/cuelight")).expect("a link");
    for folder in [".claude", ".codex"] {
        fs::create_dir_all(place.file(folder)).expect("made");
    }
    let codex = format!(
        "model = \"gpt-5\"\nmodel_provider = \"own\"\n[model_providers.own]\nname = \"own\"\nbase_url = \"http://127.0.0.1:{}/v1\"\nwire_api = \"responses\"\nenv_key = \"OPENAI_API_KEY\"\n",
        model.port
    );
    place.write(".codex/config.toml", &codex);
    place
}

fn variables(place: &Place, model: &Model, dir: &Path) -> Vec<(&'static str, String)> {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{}:{path}", place.file("bin").display(), dir.display());
    vec![
        ("PATH", path),
        ("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{}", model.port)),
        ("ANTHROPIC_API_KEY", "sk-none".to_owned()),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
        ("OPENAI_API_KEY", "sk-none".to_owned()),
    ]
}

fn agent(place: &Place, model: &Model, program: &Path, args: &[&str]) -> Command {
    let mut command = place.foreign(&program.to_string_lossy(), args);
    command.envs(variables(place, model, program.parent().expect("a folder")));
    command
}

/// Lets it go on until a gate is open, answers that, and gives what the agent said in the end.
fn answered(place: &Place, mut command: Command, verdict: &str) -> Said {
    let team = place.file("team");
    let team = team.to_string_lossy();
    #[expect(clippy::disallowed_methods, reason = "the agent waits while a person decides")]
    let agent = thread::spawn(move || bounded(&mut command));
    let gates = || place.cue(&["--workspace", &team, "gates", "--json"]);
    let mut gate = Value::Null;
    until_else(
        "a gate is open or the agent has ended",
        || {
            let all: Value = serde_json::from_str(&gates().out).unwrap_or_default();
            gate = all[0].clone();
            gate.is_object() || agent.is_finished()
        },
        || format!("{:?}", gates()),
    );
    if let (Some(id), Some(code)) = (gate["id"].as_str(), gate["ask_hash"].as_str()) {
        let words = ["--workspace", &team, verdict, id, "--ask", code, "--reason", "not on a Monday"];
        place.cue(&words).ok();
    }
    let said = agent.join().expect("no panic");
    drop(place.cue(&["--workspace", &team, "shutdown"]));
    said
}

/// With its hook from the page in this file, and started so, it does what people allow, and nothing that they refuse.
fn does_only_what_is_allowed(program: &Path, (hook, part): (&str, &str), words: &[&str]) {
    for (verdict, is_done) in [("approve", true), ("reject", false)] {
        let model = Model::that_wants("touch done.txt");
        let place = place(&model);
        place.write(hook, &recipe(part));
        let said = answered(&place, agent(&place, &model, program, words), verdict);
        assert_eq!((said.code, place.file("done.txt").exists()), (0, is_done), "{said:?} {}", model.told());
        assert_eq!(
            model.told().contains("was rejected by people: not on a Monday"),
            !is_done,
            "{}",
            model.told()
        );
    }
}

#[test]
fn claude_code_waits_for_people_and_does_only_what_they_allow() {
    let Some(program) = theirs(CLAUDE) else { return };
    let hook = (".claude/settings.json", "hook claude-code --timeout");
    does_only_what_is_allowed(&program, hook, &["-p", "do it", "--allowedTools", "Bash"]);
}

#[test]
fn claude_code_asks_people_over_mcp_where_its_own_rules_would_ask() {
    let Some(program) = theirs(CLAUDE) else { return };
    for (verdict, is_done) in [("approve", true), ("reject", false)] {
        let model = Model::that_wants("touch done.txt");
        let place = place(&model);
        let added = bounded(&mut agent(
            &place,
            &model,
            &program,
            &["mcp", "add", "cuelight", "--", "cuelight", "mcp", "--workspace", "team"],
        ));
        assert_eq!(added.code, 0, "{added:?}");
        let words = ["-p", "do it", "--permission-prompt-tool", "mcp__cuelight__permission_prompt"];
        let said = answered(&place, agent(&place, &model, &program, &words), verdict);
        assert_eq!((said.code, place.file("done.txt").exists()), (0, is_done), "{said:?} {}", model.told());
    }
}

#[test]
fn codex_waits_for_people_and_does_only_what_they_allow() {
    let Some(program) = theirs(CODEX) else { return };
    // A hook that nobody has looked at is skipped in silence: the page says so, and how it is looked at. Here we vouch for it.
    let vouched = ["exec", "--dangerously-bypass-hook-trust"];
    let words = ["--sandbox", "danger-full-access", "--skip-git-repo-check", "do it"];
    let hook = (".codex/hooks.json", "hook codex --timeout");
    does_only_what_is_allowed(&program, hook, &[&vouched[..], &words[..]].concat());
}

#[test]
fn both_do_the_work_of_steps() {
    for (name, path) in [("claude", CLAUDE), ("codex", CODEX)] {
        let Some(program) = theirs(path) else { continue };
        let model = Model::that_wants("");
        let place = place(&model);
        fs::create_dir_all(place.file(".cuelight/agents")).expect("made");
        place.write(&format!(".cuelight/agents/{name}.yaml"), &recipe(&format!("agents/{name}.yaml")));
        let variables = variables(&place, &model, program.parent().expect("a folder"));
        let lines: String =
            variables.iter().map(|(name, value)| format!("      {name}: {value}\n")).collect();
        let init = bounded(&mut place.foreign("git", &["init", "-q"]));
        assert_eq!(init.code, 0, "{init:?}");
        place.write("w.yaml", &format!("name: w\nsteps:\n  - id: review\n    agent: {{name: {name}, task: Review it}}\n    env:\n{lines}"));
        let run = place.cue(&["run", "w.yaml", "--headless"]);
        assert_eq!(run.code, 0, "{run:?}");
        let step = place.step("r-1", "review");
        assert!(
            step["outputs"]["result"].as_str().is_some_and(|result| result.contains("it was said")),
            "{step}"
        );
    }
}
