//! The differences between two calls, in words.

use cuelight_base::{HttpCall, Launch, TextPart};
use std::collections::BTreeSet;

/// The names of the parts in which two calls differ. Values are left out, because they may stand beside
/// secrets.
pub(crate) fn differences(before: &Launch, now: &Launch) -> Vec<String> {
    let mut parts = Vec::new();
    for at in 0..before.argv.len().max(now.argv.len()) {
        if before.argv.get(at) != now.argv.get(at) {
            parts.push(format!("argv[{at}]"));
        }
    }
    let value = |launch: &Launch, name: &String| {
        launch.env.iter().rfind(|pair| pair.0 == *name).map(|pair| pair.1.clone())
    };
    let names: BTreeSet<&String> = before.env.iter().chain(&now.env).map(|pair| &pair.0).collect();
    let differing = names.into_iter().filter(|name| value(before, name) != value(now, name));
    parts.extend(differing.map(|name| format!("env {name}")));
    if before.dir != now.dir {
        parts.push("working-directory".to_owned());
    }
    if before.artifacts != now.artifacts {
        parts.push("artifacts".to_owned());
    }
    if before.tool != now.tool {
        let is_agent = now.tool.as_ref().is_some_and(|tool| tool.agent.is_some());
        parts.push(format!("what its {} is given", if is_agent { "agent" } else { "tool" }));
    }
    if before.model != now.model {
        parts.push("what its model is asked".to_owned());
    }
    parts.extend(requests_differ(before.http.as_deref(), now.http.as_deref()));
    if before.timeout != now.timeout {
        parts.push("timeout".to_owned());
    }
    if before.ends_with_console != now.ends_with_console {
        parts.push("on-console-death".to_owned());
    }
    if (before.limits, before.output_limit) != (now.limits, now.output_limit) {
        parts.push("limits".to_owned());
    }
    if before.sandboxed != now.sandboxed {
        parts.push("sandbox".to_owned());
    }
    parts
}

/// The names of the parts in which two requests differ; the address is `argv[1]`.
fn requests_differ(before: Option<&HttpCall>, now: Option<&HttpCall>) -> Vec<String> {
    let (Some(before), Some(now)) = (before, now) else {
        return if before == now { Vec::new() } else { vec!["its request".to_owned()] };
    };
    let field = |call: &HttpCall, name: &str| -> Vec<Vec<TextPart>> {
        call.headers.iter().filter(|header| header.0 == name).map(|header| header.1.clone()).collect()
    };
    let names: BTreeSet<&String> =
        before.headers.iter().chain(&now.headers).map(|header| &header.0).collect();
    let differing = names.into_iter().filter(|name| field(before, name) != field(now, name));
    let mut parts: Vec<String> = differing.map(|name| format!("header {name}")).collect();
    if before.body != now.body {
        parts.push("body".to_owned());
    }
    let plain = |call: &HttpCall| HttpCall { headers: Vec::new(), body: None, ..call.clone() };
    if parts.is_empty() && plain(before) != plain(now) {
        parts.push("what is expected of its answer".to_owned());
    }
    parts
}
