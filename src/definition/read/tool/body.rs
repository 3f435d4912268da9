//! The body of a tool: its command, its request, its undo, or the mark of an agent that comes for its work by itself.

use super::mcp::mcp;
use super::text_reads::{no_script, reads, reads_of, texts_in};
use crate::read::fields::{Object, Reader, first_line};
use crate::read::kinds::http;
use crate::read::script::{script, shell_words};
use crate::yaml::{Node, Shape};
use crate::{Body, Data, Place, Text, ToolBody, ToolUndo, shell};
use cuelight_base::Value;

pub(super) fn body(reader: &mut Reader<'_, '_>, top: &Object<'_>, input: Option<&Value>) -> Option<ToolBody> {
    let shell_key = top.get("shell").and_then(|shell| shell_words(reader, shell));
    if let Some(node) = top.get("http") {
        return request(reader, top, node, input);
    }
    if let Some(node) = top.get("mcp") {
        stands_alone(reader, top, "mcp", &["command", "shell", "built-in"]);
        return mcp(reader, node);
    }
    match (top.get("command"), top.get("built-in")) {
        (Some(command), None) => match &command.shape {
            Shape::List(_) => {
                if let Some(place) = top.key_place("shell") {
                    reader
                        .findings
                        .error("kind", place, "`shell` means nothing beside a list of words")
                        .help("no shell reads them; remove it, or write the command as one text");
                }
                command_of(reader, command, "`command`", &[], input, &["input"])
            }
            _ => {
                let shell = shell_key.unwrap_or_else(|| shell::words(""));
                command_of(reader, command, "`command`", &shell, input, &["input"])
            }
        },
        (None, Some(node)) if !reader.findings.file.contains('/') => {
            reader.boolean(node, "`built-in`").map(|_| ToolBody::BuiltIn)
        }
        (None, Some(node)) => {
            reader
                .findings
                .error("kind", node.place, "a tool in a file of yours cannot be built in")
                .help("give it a `command:`");
            None
        }
        _ => {
            reader
                .findings
                .error("missing-key", first_line(reader.findings.source, top.place), "this tool does nothing")
                .help("give it a `command:`, a list of words or a script, a request, `http:`, or a tool of an MCP server, `mcp:`");
            None
        }
    }
}

/// Words that are run as they are, or a script for this shell; what stands under these names may be read in them.
fn command_of(
    reader: &mut Reader<'_, '_>,
    command: &Node,
    what: &str,
    shell: &[String],
    input: Option<&Value>,
    roots: &[&str],
) -> Option<ToolBody> {
    let Shape::List(items) = &command.shape else {
        let script = script(reader, command, what, shell)?;
        reads_of(reader, input, &script.source, roots);
        return Some(ToolBody::Script {
            shell: shell.to_vec(),
            script: script.script,
            bindings: script.bindings,
        });
    };
    let texts: Vec<Text> =
        items.iter().filter_map(|item| reader.text_or_empty(item, "a word of a command")).collect();
    if texts.first().is_none_or(|text| text.value.trim().is_empty() || text.value.contains("${{")) {
        let place = first_line(reader.findings.source, command.place);
        reader
            .findings
            .error("tool", place, "a command begins with a program")
            .help("write [./deploy.sh, \"${{ input.image }}\"]");
        return None;
    }
    for (at, text) in texts.iter().enumerate() {
        reads_of(reader, input, text, roots);
        no_script(reader, input, &texts[..at], text);
    }
    Some(ToolBody::Words(texts.into_iter().map(|text| text.value).collect()))
}

/// The undo of a call, whose templates read the input and the output of the call.
pub(super) fn undo(
    reader: &mut Reader<'_, '_>,
    top: &Object<'_>,
    node: &Node,
    input: Option<&Value>,
) -> Option<ToolUndo> {
    if matches!(&node.shape, Shape::Scalar(scalar) if scalar.text.trim() == "none") {
        return Some(ToolUndo::Impossible);
    }
    let is_script = matches!(&node.shape, Shape::Scalar(_));
    let shell = top.get("shell").filter(|_| is_script).and_then(|shell| shell_words(reader, shell));
    let shell = shell.unwrap_or_else(|| shell::words(""));
    let by = command_of(reader, node, "`undo`", &shell, input, &["input", "output"])?;
    Some(ToolUndo::By(Box::new(by)))
}

/// An agent that comes for its work by itself: there is nothing to start here, and no environment to start it in.
pub(super) fn claim(reader: &mut Reader<'_, '_>, top: &Object<'_>, node: &Node) -> Option<ToolBody> {
    for key in ["command", "shell", "env", "heartbeat"] {
        if let Some(place) = top.key_place(key) {
            let message = format!("`{key}` means nothing beside `claim`");
            reader.findings.error("kind", place, message).help(
                "an agent that comes by itself is started elsewhere, and says when it registers how often it gives a sign of life; remove one of them",
            );
        }
    }
    match reader.boolean(node, "`claim`") {
        Some(true) => Some(ToolBody::Claim),
        Some(false) => {
            does_nothing(reader, node.place);
            None
        }
        None => None,
    }
}

pub(super) fn does_nothing(reader: &mut Reader<'_, '_>, place: Place) {
    let help = "give it a `command:`, a list of words or a script, or `claim: true` when it comes for its work by itself";
    reader.findings.error("missing-key", place, "this agent does nothing").help(help);
}

/// A request. Its address and header fields may read `env`, which is how secrets reach a tool.
fn request(
    reader: &mut Reader<'_, '_>,
    top: &Object<'_>,
    node: &Node,
    input: Option<&Value>,
) -> Option<ToolBody> {
    stands_alone(reader, top, "http", &["command", "shell", "built-in", "mcp"]);
    let http = http(reader, node)?;
    for text in http.headers.iter().map(|header| &header.1).chain([&http.url]) {
        reads_of(reader, input, text, &["input", "env"]);
    }
    let values = http.expect_json.iter().map(|pair| &pair.1);
    let body: Vec<&Data> = match &http.body {
        Some(Body::Text(text)) => {
            reads(reader, input, text);
            values.collect()
        }
        Some(Body::Json(data)) => values.chain([data]).collect(),
        None => values.collect(),
    };
    for data in body {
        texts_in(&data.value).into_iter().for_each(|value| {
            reads(reader, input, &Text { value: value.to_owned(), place: data.place });
        });
    }
    Some(ToolBody::Http(Box::new(http)))
}

/// A tool is one thing.
fn stands_alone(reader: &mut Reader<'_, '_>, top: &Object<'_>, word: &str, others: &[&str]) {
    if let Some((other, place)) = others.iter().find_map(|name| Some((name, top.key_place(name)?))) {
        reader
            .findings
            .error("kind", place, format!("`{other}` means nothing beside `{word}`"))
            .help("a tool is a command, a request or a tool of an MCP server; remove one of them");
    }
}
