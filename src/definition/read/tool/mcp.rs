//! A tool of an MCP server, and the description that its server gave.

use super::schema::schema_of;
use super::text_reads::reads_of;
use crate::document::MCP;
use crate::read::fields::{Reader, first_line};
use crate::read::kinds::server_address;
use crate::yaml::Node;
use crate::{Mcp, McpServer, ToolBody};
use cuelight_base::{MCP_SAYS_BYTES_MAX, Value, mcp_held};

/// A tool of an MCP server. What the server said of it stands there as it came, and is never read as a template.
pub(super) fn mcp(reader: &mut Reader<'_, '_>, node: &Node) -> Option<ToolBody> {
    let found = reader.object(node, &MCP)?;
    let place = first_line(reader.findings.source, node.place);
    let tool = found.get("tool").and_then(|tool| reader.word(tool, "the name of a tool"));
    let says =
        found.get("says").and_then(|node| said(reader, node, tool.as_ref().map(|tool| tool.value.as_str())));
    let server = match (found.get("command"), found.get("url")) {
        (Some(command), None) => {
            if let Some(place) = found.key_place("headers") {
                let help = "a program is given what it needs under `env:` of the step";
                reader.findings.error("kind", place, "`headers` means nothing beside `command`").help(help);
            }
            let nodes = reader.list(command, "`command` is a list of words");
            let words: Vec<String> = nodes
                .iter()
                .filter_map(|node| reader.text_or_empty(node, "a word of a command"))
                .map(|text| text.value)
                .collect();
            if words.first().is_none_or(|word| word.trim().is_empty())
                || words.iter().any(|word| word.contains("${{"))
            {
                let message = "the command of a server is a program and its words, without expressions";
                reader.findings.error("tool", place, message).help("write [npx, -y, some-server]");
                return None;
            }
            McpServer::Command(words)
        }
        (None, Some(_)) => {
            let http = server_address(reader, &found)?;
            for text in http.headers.iter().map(|header| &header.1).chain([&http.url]) {
                reads_of(reader, None, text, &["env"]);
            }
            McpServer::Url(Box::new(http))
        }
        (Some(_), Some(_)) | (None, None) => {
            let message = "a server is a `command:` or has a `url:`";
            reader.findings.error("kind", place, message).help("write one of them");
            return None;
        }
    };
    let says_place = found.get("says").map(|node| node.place)?;
    Some(ToolBody::Mcp(Box::new(Mcp { server, tool: tool?.value, says: says?, says_place })))
}

/// The description of a tool by its server: JSON as it came, with a schema of the tool's input.
fn said(reader: &mut Reader<'_, '_>, node: &Node, tool: Option<&str>) -> Option<Value> {
    let says = node.to_value();
    let place = first_line(reader.findings.source, node.place);
    let mut wrong = |message: String| {
        reader.findings.error("tool", place, message).help("`cuelight tool accept` writes it anew");
        None
    };
    if says.to_string().len() > MCP_SAYS_BYTES_MAX {
        return wrong(format!("`says` has more than {MCP_SAYS_BYTES_MAX} bytes"));
    }
    if says.get("name").and_then(Value::as_str) != tool || says != mcp_held(&says) {
        return wrong("`says` is not what a server says of this tool".to_owned());
    }
    schema_of(reader, &says["inputSchema"], place, "`says.inputSchema`")?;
    if let Some(output) = says.get("outputSchema") {
        schema_of(reader, output, place, "`says.outputSchema`")?;
    }
    Some(says)
}
