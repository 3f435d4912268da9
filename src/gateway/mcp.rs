//! The MCP server for agents: reads and answers messages of the protocol, and lists the tools.
//!
//! Nothing here carries out a request; the holder of a seat does. The list of requests is closed and contains
//! no verdict. No message approves, rejects or withdraws, and so none could be forged.

use cuelight_base::{
    MCP_META, MCP_REVISIONS, MCP_STATELESS, Schema, Value, ValueMap, json_if_any, safe_text, shorten,
};
use serde_json::json;

/// Something an agent asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum McpAsk {
    /// Opens a gate, or reads its verdict.
    Gate {
        /// The question to people.
        title: String,
        /// Names and texts that they are shown.
        evidence: Vec<(String, String)>,
        /// Names and values that their answer holds for.
        binds: Vec<(String, String)>,
        /// Risk of a wrong approval.
        risk: String,
        /// When it expires, and counts as a no.
        timeout: Option<String>,
        /// Groups that must agree: `sre`, or `sre:2`.
        require: Vec<String>,
    },
    /// Asks for permission to use a tool of the agent's own.
    Permission {
        /// Name of the tool.
        tool: String,
        /// Input that the tool would get.
        input: Value,
    },
    /// The runs there are.
    Runs,
    /// One run, with its steps and what they gave.
    Run(String),
    /// A run of a workflow file of the workspace, if it is one that may be started so.
    Start {
        /// Path of the file, relative to the workspace.
        file: String,
        /// Inputs of the workflow.
        inputs: ValueMap,
    },
}

/// The result of reading a message.
#[derive(Clone, Debug, PartialEq)]
pub enum McpHeard {
    /// A message to send.
    Reply(Value),
    /// A request to carry out, and then to answer under this id.
    Asked {
        /// The client's id of the request.
        id: Value,
        /// The request to carry out.
        ask: Box<McpAsk>,
        /// By which it wants to hear that we are still at it.
        progress: Option<Value>,
        /// In which form it wants its answer.
        form: McpForm,
    },
    /// Nobody waits any more for the answer to this.
    Cancelled(Value),
    /// Nothing is to be done.
    Nothing,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum McpForm {
    /// As in all revisions that begin with shaking hands.
    Session,
    /// As in the one without: each result says that it is whole, and whose it is.
    Stateless,
}

/// The result of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum McpTold {
    /// Data, which is also told as text.
    Data(Value),
    /// Text alone, in a form the other side reads.
    Text(String),
    /// It could not be done, and why.
    Failed(String),
}

/// Characters of a name in a message.
const NAME_CHARS_SHOWN: usize = 60;
/// Instructions for the client, in our reply to its first request.
const INSTRUCTIONS: &str =
    "Gates are answered by people, in their own console. Nothing here can answer one: open it, and wait.";
/// The code of a revision that is not spoken.
const UNSUPPORTED: i64 = -32022;
/// For how long what does not change may be kept, in milliseconds.
const KEPT_MS: u64 = 3_600_000;
/// Groups, values and pieces of evidence of one question.
const ITEMS_MAX: usize = 50;

/// One message of the other side, as it stands on its line.
pub fn mcp_heard(line: &[u8]) -> McpHeard {
    let message = match json_if_any(line) {
        Ok(Some(message)) => message,
        Ok(None) => return McpHeard::Reply(refusal(&Value::Null, -32700, "this line is no JSON")),
        Err(why) => {
            return McpHeard::Reply(refusal(
                &Value::Null,
                -32700,
                &format!("could not read this line: {why}"),
            ));
        }
    };
    let id = message.get("id").cloned();
    let (Some(method), true) = (message["method"].as_str(), message["jsonrpc"] == "2.0") else {
        // An answer to what was never asked needs none.
        let is_answer = message.get("result").is_some() || message.get("error").is_some();
        return if is_answer && message.is_object() {
            McpHeard::Nothing
        } else {
            McpHeard::Reply(refusal(&id.unwrap_or_default(), -32600, "this is no message of JSON-RPC 2.0"))
        };
    };
    let params = &message["params"];
    let Some(id) = id else {
        let is_cancelled = method == "notifications/cancelled";
        let of = params.get("requestId").filter(|_| is_cancelled);
        return of.map_or(McpHeard::Nothing, |request_id| McpHeard::Cancelled(request_id.clone()));
    };
    if !id.is_string() && !id.is_number() {
        return McpHeard::Reply(refusal(&Value::Null, -32600, "an id is a text or a number"));
    }
    let form = match form_of(params) {
        Ok(form) => form,
        Err((code, message, data)) => {
            let mut error = refusal(&id, code, &message);
            error["error"]["data"] = data;
            return McpHeard::Reply(error);
        }
    };
    match (method, form) {
        ("initialize", McpForm::Session) => McpHeard::Reply(reply(&id, hello(params))),
        ("ping", McpForm::Session) => McpHeard::Reply(reply(&id, json!({}))),
        ("server/discover", McpForm::Session) => McpHeard::Reply(refusal(
            &id,
            -32602,
            &format!("a question without {} says nothing of what it speaks", MCP_META[0]),
        )),
        ("server/discover", McpForm::Stateless) => McpHeard::Reply(reply(&id, whole(kept(discovered())))),
        ("tools/list", McpForm::Session) => McpHeard::Reply(reply(&id, json!({"tools": mcp_tools()}))),
        ("tools/list", McpForm::Stateless) => {
            McpHeard::Reply(reply(&id, whole(kept(json!({"tools": mcp_tools()})))))
        }
        ("tools/call", form) => called(id, params, form),
        (other, _) => {
            let message = format!("{} is not offered here", shown(other));
            McpHeard::Reply(refusal(&id, -32601, &message))
        }
    }
}

/// Reads the protocol revision that a request declares, or returns the error for it.
fn form_of(params: &Value) -> Result<McpForm, (i64, String, Value)> {
    let meta = &params["_meta"];
    let Some(revision) = meta.get(MCP_META[0]) else { return Ok(McpForm::Session) };
    if revision != MCP_STATELESS {
        let requested = shown(revision.as_str().unwrap_or_default());
        let data = json!({"supported": spoken(), "requested": requested});
        return Err((UNSUPPORTED, format!("the revision {requested} of MCP is not spoken here"), data));
    }
    if !meta[MCP_META[1]].is_object() {
        let message = format!("a question says under {} what whoever asks can do", MCP_META[1]);
        return Err((-32602, message, Value::Null));
    }
    Ok(McpForm::Stateless)
}

/// All revisions that are spoken, the newest first.
fn spoken() -> Vec<&'static str> {
    std::iter::once(MCP_STATELESS).chain(MCP_REVISIONS).collect()
}

fn discovered() -> Value {
    json!({"supportedVersions": spoken(), "capabilities": {"tools": {}}, "instructions": INSTRUCTIONS})
}

/// A result that stays the same as long as this process lives.
fn kept(mut result: Value) -> Value {
    result["ttlMs"] = KEPT_MS.into();
    result["cacheScope"] = "private".into();
    result
}

/// A result that says that it is all there is, and whose it is.
fn whole(mut result: Value) -> Value {
    result["resultType"] = "complete".into();
    result["_meta"] = json!({ MCP_META[2]: us() });
    result
}

fn us() -> Value {
    json!({"name": "cuelight", "title": "cuelight", "version": env!("CARGO_PKG_VERSION")})
}

/// The answer to a question.
pub fn mcp_answer(id: &Value, told: McpTold, form: McpForm) -> Value {
    let part = |text: &str| json!([{"type": "text", "text": text}]);
    let in_form = |result: Value| match form {
        McpForm::Session => result,
        McpForm::Stateless => whole(result),
    };
    reply(
        id,
        in_form(match told {
            McpTold::Data(data) => {
                let data = harmless(data);
                json!({"content": part(&format!("{data:#}")), "structuredContent": data})
            }
            McpTold::Text(text) => json!({"content": part(&text)}),
            McpTold::Failed(why) => json!({"content": part(&lines(&why)), "isError": true}),
        }),
    )
}

/// That we are still at it.
pub fn mcp_progress(token: &Value, count: u64, waits_for: &str) -> Value {
    let params = json!({"progressToken": token, "progress": count, "message": lines(waits_for)});
    json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
}

/// A line that was longer than a message may be.
pub fn mcp_too_long() -> Value {
    refusal(&Value::Null, -32600, "this message is too long; say it in smaller ones")
}

fn hello(params: &Value) -> Value {
    let wanted = params["protocolVersion"].as_str().unwrap_or_default();
    let revision =
        MCP_REVISIONS.iter().find(|mcp_revision| **mcp_revision == wanted).unwrap_or(&MCP_REVISIONS[0]);
    json!({
        "protocolVersion": revision,
        "capabilities": {"tools": {}},
        "serverInfo": us(),
        "instructions": INSTRUCTIONS,
    })
}

fn called(id: Value, params: &Value, form: McpForm) -> McpHeard {
    let name = params["name"].as_str().unwrap_or_default();
    let Some(tool) = mcp_tools().into_iter().find(|mcp_tool| mcp_tool["name"] == name) else {
        let message = format!("there is no tool {}; tools/list names all", shown(name));
        return McpHeard::Reply(refusal(&id, -32602, &message));
    };
    let nothing = json!({});
    let given = params.get("arguments").filter(|arguments| !arguments.is_null()).unwrap_or(&nothing);
    let schema = Schema::read(&tool["inputSchema"]).expect("our own schemas are some");
    if let Some(problem) = schema.problems(given).first() {
        let why = format!("could not take what {name} was given: {problem}");
        return McpHeard::Reply(mcp_answer(&id, McpTold::Failed(why), form));
    }
    let text = |key: &str| given[key].as_str().unwrap_or_default().to_owned();
    let pairs = |key: &str| -> Vec<(String, String)> {
        let fields = given[key].as_object().into_iter().flatten();
        fields.map(|(name, field)| (name.clone(), field.as_str().unwrap_or_default().to_owned())).collect()
    };
    let ask = match name {
        "open_gate" => McpAsk::Gate {
            title: text("title"),
            evidence: pairs("evidence"),
            binds: pairs("binds"),
            risk: given["risk"].as_str().unwrap_or("externally-reversible").to_owned(),
            timeout: given["timeout"].as_str().map(str::to_owned),
            require: given["require"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect(),
        },
        "permission_prompt" => McpAsk::Permission { tool: text("tool_name"), input: given["input"].clone() },
        "list_runs" => McpAsk::Runs,
        "read_run" => McpAsk::Run(text("run")),
        _ => McpAsk::Start {
            file: text("file"),
            inputs: given["inputs"].as_object().cloned().unwrap_or_default(),
        },
    };
    let progress = params["_meta"].get("progressToken").cloned();
    McpHeard::Asked { id, ask: Box::new(ask), progress, form }
}

/// All that is offered.
pub fn mcp_tools() -> Vec<Value> {
    let texts =
        json!({"type": "object", "maxProperties": ITEMS_MAX, "additionalProperties": {"type": "string"}});
    let object = |required: &[&str], properties: Value| json!({"type": "object", "required": required, "additionalProperties": false, "properties": properties});
    let line = json!({"type": "string", "minLength": 1});
    let looks = json!({"readOnlyHint": true});
    let asks = json!({"readOnlyHint": true, "openWorldHint": true});
    vec![
        json!({
            "name": "open_gate",
            "title": "Ask people, and wait",
            "description": "Asks people whether something may go on, and waits for their verdict. They see the title, the evidence and the values, and answer in \
                            their own console. Go on only when `approved` is true.",
            "inputSchema": object(&["title"], json!({
                "title": {"type": "string", "minLength": 1, "maxLength": 500, "description": "The question, in one line"},
                "evidence": merged(&texts, "Texts that people are shown, by name: a diff, a plan"),
                "binds": merged(&texts, "Values that the answer holds for, by name"),
                "risk": {"enum": ["read-only", "reversible", "externally-reversible", "irreversible"],
                    "description": "How bad a wrong yes is; externally-reversible when absent, and never less than whoever started this server says"},
                "timeout": merged(&line, "When it expires and counts as a no: 30m, 4h; never later than whoever started this server says"),
                "require": {"type": "array", "maxItems": ITEMS_MAX, "items": line,
                    "description": "Groups that must agree, besides those that must in any case: sre, or sre:2"},
            })),
            "annotations": asks,
        }),
        json!({
            "name": "permission_prompt",
            "title": "Let people answer a permission prompt",
            "description": "For --permission-prompt-tool: people decide whether a tool may be used, and the answer is the JSON that the agent expects.",
            "inputSchema": {"type": "object", "required": ["tool_name", "input"], "properties": {
                "tool_name": merged(&line, "The tool"),
                "input": {"type": "object", "description": "What it would be given"},
                "tool_use_id": {"type": "string", "description": "What the agent calls this use"},
            }},
            "annotations": asks,
        }),
        json!({
            "name": "list_runs",
            "title": "List runs",
            "description": "The runs of this workspace, the newest first: id, workflow, state, counts of steps, open gates.",
            "inputSchema": object(&[], json!({})),
            "annotations": looks,
        }),
        json!({
            "name": "read_run",
            "title": "Read a run",
            "description": "One run: its state, its steps with their outputs and errors, its gates.",
            "inputSchema": object(&["run"], json!({"run": merged(&line, "Its id: r-7")})),
            "annotations": looks,
        }),
        json!({
            "name": "start_run",
            "title": "Start a run",
            "description": "Starts a run of a workflow file of this workspace that agents were allowed to start, and gives back its id at once. Its gates wait for people, whoever has started it.",
            "inputSchema": object(&["file"], json!({
                "file": merged(&line, "The workflow file, from the workspace"),
                "inputs": {"type": "object", "description": "Its inputs, by name"},
            })),
            "annotations": {"readOnlyHint": false, "destructiveHint": true},
        }),
    ]
}

/// A schema with what it is for.
fn merged(schema: &Value, description: &str) -> Value {
    let mut out = schema.clone();
    out["description"] = description.into();
    out
}

fn reply(id: &Value, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

fn refusal(id: &Value, code: i64, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

fn shown(text: &str) -> String {
    safe_text(&shorten(text, NAME_CHARS_SHOWN))
}

/// Text that a terminal may be given, line by line.
fn lines(text: &str) -> String {
    text.split('\n').map(safe_text).collect::<Vec<_>>().join("\n")
}

/// Every text in it as one that a terminal may be given.
fn harmless(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(lines(&text)),
        Value::Array(items) => items.into_iter().map(harmless).collect(),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(name, value)| (lines(&name), harmless(value))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: Value, expected: &str) {
        let heard = match mcp_heard(message.to_string().as_bytes()) {
            McpHeard::Reply(reply) => reply.to_string(),
            other => format!("{other:?}"),
        };
        assert!(heard.contains(expected), "{message}: {heard}");
    }

    fn call(name: &str, given: Value) -> Value {
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": given}})
    }

    #[test]
    fn whatever_is_no_question_is_answered_with_why() {
        check(json!([]), "-32600");
        check(json!({"jsonrpc": "1.0", "id": 1, "method": "ping"}), "-32600");
        check(json!({"jsonrpc": "2.0", "id": {}, "method": "ping"}), "an id is a text or a number");
        check(json!({"jsonrpc": "2.0", "id": 1, "method": "resources/list"}), "-32601");
        check(
            json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2024-11-05"}}),
            "2024-11-05",
        );
        check(
            json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "1999-01-01"}}),
            "2025-11-25",
        );
        // It wants several messages in one, which are refused here.
        check(
            json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-03-26"}}),
            "2025-11-25",
        );
        check(json!({"jsonrpc": "2.0", "id": 7, "result": {}}), "Nothing");
        check(
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}),
            "Cancelled(Number(7))",
        );
        let McpHeard::Reply(told) = mcp_heard(b"{\"jsonrpc\"") else { panic!("it is answered") };
        assert_eq!(told["error"]["code"], -32700);
    }

    /// A request that declares its revision needs no handshake, and is answered in that form.
    #[test]
    fn a_question_that_says_what_it_speaks_is_answered_without_shaking_hands() {
        let ask = |method: &str, revision: &str, more: Value| {
            let mut meta = json!({MCP_META[0]: revision});
            meta.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
            let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta, "name": "no", "arguments": {}}});
            match mcp_heard(message.to_string().as_bytes()) {
                McpHeard::Reply(reply) => reply,
                other => json!(format!("{other:?}")),
            }
        };
        let can = json!({MCP_META[1]: {}});
        let found = ask("server/discover", MCP_STATELESS, can.clone())["result"].clone();
        assert_eq!(
            found["supportedVersions"],
            json!(["2026-07-28", "2025-11-25", "2025-06-18", "2024-11-05"])
        );
        assert_eq!((&found["resultType"], &found["cacheScope"]), (&json!("complete"), &json!("private")));
        assert_eq!(found["_meta"][MCP_META[2]]["name"], "cuelight");
        let list = ask("tools/list", MCP_STATELESS, can.clone())["result"].clone();
        assert_eq!(
            (list["tools"].as_array().map(Vec::len), &list["resultType"]),
            (Some(5), &json!("complete"))
        );
        assert!(list["ttlMs"].is_u64(), "{list}");
        let other = ask("tools/list", "2027-01-01", can.clone())["error"].clone();
        assert_eq!((&other["code"], &other["data"]["requested"]), (&json!(-32022), &json!("2027-01-01")));
        assert_eq!(other["data"]["supported"][0], "2026-07-28");
        assert_eq!(
            ask("tools/list", MCP_STATELESS, json!({}))["error"]["code"],
            -32602,
            "it says what it can do"
        );
        for gone in ["initialize", "ping"] {
            assert_eq!(ask(gone, MCP_STATELESS, can.clone())["error"]["code"], -32601);
        }
        check(json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover"}), "-32602");
        let told =
            mcp_answer(&json!(1), McpTold::Text("yes".to_owned()), McpForm::Stateless)["result"].clone();
        assert_eq!((&told["resultType"], &told["content"][0]["text"]), (&json!("complete"), &json!("yes")));
    }

    #[test]
    fn what_a_tool_is_given_is_checked_with_its_path() {
        check(call("open_gate", json!({"title": ""})), "`title`");
        check(call("open_gate", json!({"title": "x", "binds": {"a": 1}})), "`binds.a`");
        check(call("open_gate", json!({"title": "x", "verdict": "approve"})), "verdict");
        check(
            call("permission_prompt", json!({"tool_name": "Bash"})),
            "\\\"input\\\" is a required property",
        );
        check(call("open_gate", json!({"title": "x", "form": {"ticket": "T-1"}})), "form");
        for decides in ["approve", "reject", "skip", "done", "override", "review", "edit", "trust"] {
            check(call(decides, json!({"gate": "g-1"})), &format!("there is no tool {decides}"));
        }
    }

    #[test]
    fn no_tool_answers_a_gate() {
        let tools = mcp_tools();
        let names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
        assert_eq!(names, ["open_gate", "permission_prompt", "list_runs", "read_run", "start_run"]);
        // Whoever adds something that can be asked has to say here that it is no answer to a gate.
        let decides = |mcp_ask: &McpAsk| match mcp_ask {
            McpAsk::Gate { .. } | McpAsk::Permission { .. } => false,
            McpAsk::Runs | McpAsk::Run(_) | McpAsk::Start { .. } => false,
        };
        assert!(!decides(&McpAsk::Runs));
    }

    #[test]
    fn nothing_that_is_told_moves_a_terminal() {
        let data = McpTold::Data(json!({"a\u{1b}": ["b\u{1b}[2J\nc\u{202e}"]}));
        let told = mcp_answer(&json!(1), data, McpForm::Session);
        assert!(!told.to_string().contains("u001b") && !told.to_string().contains('\u{202e}'), "{told}");
    }
}
