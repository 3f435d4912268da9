//! The name by which a step calls a tool.

use crate::Placed;
use crate::read::fields::Reader;
use crate::yaml::Node;
use cuelight_base::shorten;

/// `name@version` or `mcp:server/tool`.
pub(crate) fn is_tool(text: &str) -> bool {
    let name = |server: &str| {
        server.starts_with(|c: char| c.is_ascii_alphanumeric())
            && server.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/'))
    };
    if let Some(rest) = text.strip_prefix("mcp:") {
        return rest.split_once('/').is_some_and(|(server, tool)| name(server) && name(tool));
    }
    let Some((tool, version)) = text.split_once('@') else { return false };
    let numbers = version.strip_prefix('v').unwrap_or(version);
    name(tool)
        && !numbers.is_empty()
        && numbers.split('.').all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// A tool by its name and version.
pub(in crate::read) fn tool_id(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Placed<String>> {
    let tool = reader.word(node, "a tool")?;
    if !is_tool(&tool.value) {
        let message = format!("`{}` cannot be a tool", shorten(&tool.value, 60));
        reader
            .findings
            .error("tool", node.place, message)
            .help("write name@version such as deploy@1, or mcp:server/tool");
    }
    Some(tool)
}
