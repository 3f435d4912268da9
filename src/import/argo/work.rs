//! The work of an Argo template, as a step: docker starts a container, kubectl gets a manifest, a gate stands
//! for a pause.

use super::{
    held::Held,
    shell::in_shell,
    words::{Piece, Scope, Wanted},
};
use crate::{
    foreign,
    page::{Page, one_line, variable, without_holes},
};
use cuelight_base::{ATTEMPTS_MAX, Span, Value, ValueMap, is_shell};
use serde_json::json;
use std::collections::BTreeSet;

/// Everything that a step is made with.
pub(super) struct Maker<'m> {
    pub(super) page: &'m mut Page,
    pub(super) wanted: &'m mut Wanted,
    /// The requirements on its container.
    pub(super) held: &'m Held,
}

/// The variables that values reach a container through, so that none of them is read as code. They are the only ones that the step on
/// this machine gets: what a container calls `PATH` is so called in there alone.
#[derive(Default)]
struct Arguments {
    env: ValueMap,
}

/// The prefix of variables that carry values; a number follows.
const ARGUMENT: &str = "CUE_ARG_";

impl Arguments {
    /// The variable that holds the value of an expression.
    fn hold(&mut self, expression: &str) -> String {
        self.give(format!("${{{{ {expression} }}}}"))
    }

    /// The variable that holds a text.
    fn give(&mut self, text: String) -> String {
        let known = self.env.iter().find(|(_, value)| **value == text).map(|(name, _)| name.clone());
        known.unwrap_or_else(|| {
            let name = format!("{ARGUMENT}{}", self.env.len() + 1);
            self.env.insert(name.clone(), text.into());
            name
        })
    }
}

impl Maker<'_> {
    /// The keys of a step that does what a template says.
    pub(super) fn work(&mut self, id: &str, template: &ValueMap, scope: &Scope) -> ValueMap {
        let mut keys = if let Some(container) = foreign::map_at(template, "container") {
            self.container(id, container, scope)
        } else if let Some(script) = foreign::map_at(template, "script") {
            self.script(id, script, scope)
        } else if let Some(http) = foreign::map_at(template, "http") {
            self.http(id, http, scope)
        } else if let Some(resource) = foreign::map_at(template, "resource") {
            self.resource(id, resource, scope)
        } else if let Some(said) = template.get("suspend") {
            self.suspend(id, said, template, scope)
        } else {
            self.by_hand(id, template)
        };
        let files =
            ["inputs", "outputs"].iter().filter_map(|key| foreign::map_at(template, key)?.get("artifacts"));
        if files.count() > 0 {
            self.page.leave_out(format!(
                "the `artifacts` of {id}: a container sees no file here but with `-v` in its docker run"
            ));
        }
        self.limits(id, &mut keys, template);
        keys
    }

    fn limits(&mut self, id: &str, keys: &mut ValueMap, template: &ValueMap) {
        let does_work = !keys.contains_key("gate") && !keys.contains_key("wait");
        if let Some(retry) = foreign::map_at(template, "retryStrategy") {
            match retries(retry).filter(|_| does_work) {
                Some(ours) => {
                    self.page.leave_out_all_but(
                        &["limit", "backoff", "retryPolicy"],
                        retry,
                        &format!("the `retryStrategy` of {id}"),
                    );
                    if let Some(backoff) = foreign::map_at(retry, "backoff") {
                        let of = format!("the `backoff` of {id}");
                        self.page.leave_out_all_but(&["duration", "factor", "cap"], backoff, &of);
                    }
                    keys.insert("retry".to_owned(), ours);
                }
                None => self.page.leave_out(format!(
                    "the `retryStrategy` of {id}: it is not tried again, since when it would be cannot be said here; write `retry`"
                )),
            }
        }
        for key in ["activeDeadlineSeconds", "timeout"] {
            let Some(span) = foreign::text_at(template, key) else { continue };
            let span = seconds(&span);
            if span.parse::<Span>().is_ok() && does_work && !keys.contains_key("timeout") {
                keys.insert("timeout".to_owned(), span.into());
            } else {
                self.page.leave_out(format!("`{key}` of {id}: say it as its `timeout`"));
            }
        }
    }

    fn container(&mut self, id: &str, container: &ValueMap, scope: &Scope) -> ValueMap {
        let mut arguments = Arguments::default();
        let command = foreign::texts(container.get("command"));
        let all: Vec<String> = command.iter().cloned().chain(foreign::texts(container.get("args"))).collect();
        let mut words = Vec::with_capacity(all.len());
        let mut is_shell_before = false;
        for (index, text) in all.iter().enumerate() {
            let is_code = is_shell_before && all[index - 1].starts_with('-') && all[index - 1].ends_with('c');
            if index > 0 || command.is_empty() {
                words.push(self.word(scope, text, is_code, &mut arguments));
            }
            is_shell_before |= is_shell(text);
        }
        let Some(docker) = self.docker(id, "", container, command.first(), scope, &mut arguments) else {
            return self.refused(id, container);
        };
        let line = [docker].into_iter().chain(words).collect::<Vec<_>>().join(" ");
        done(line + "\n", arguments)
    }

    fn script(&mut self, id: &str, script: &ValueMap, scope: &Scope) -> ValueMap {
        if script.contains_key("args") {
            self.page.leave_out(format!("`args` of the script of {id}"));
        }
        let mut arguments = Arguments::default();
        let source = foreign::text_at(script, "source").unwrap_or_default();
        let command = foreign::texts(script.get("command"));
        let program = command.first().map_or("sh", String::as_str);
        let is_shell = is_shell(program);
        let pieces = self.wanted.pieces(scope, &source, self.page);
        let text = if is_shell {
            self.code(&pieces, &mut arguments)
        } else {
            let mut text = String::new();
            for piece in &pieces {
                match piece {
                    Piece::Text(this_text) => text.push_str(this_text),
                    Piece::Hole(hole) => {
                        let name = arguments.hold(hole);
                        self.page.leave_out(format!("a value in a script of {program}: it is the variable {name} there; read it from the environment"));
                        text.push_str(&format!("${{{name}}}"));
                    }
                }
            }
            text
        };
        let mut more = Vec::with_capacity(command.len());
        for word in command.iter().skip(1) {
            more.push(self.word(scope, word, false, &mut arguments));
        }
        let docker = self.docker(id, " -i", script, Some(&program.to_owned()), scope, &mut arguments);
        let Some(docker) = docker else { return self.refused(id, script) };
        let from = if is_shell { "-s" } else { "-" };
        let head = [docker].into_iter().chain(more).chain([from.to_owned()]).collect::<Vec<_>>().join(" ");
        done(format!("{head} {}", here(&text)), arguments)
    }

    /// The text of a shell, in which the names of variables stand for values.
    fn code(&mut self, pieces: &[Piece], arguments: &mut Arguments) -> String {
        let (text, is_lost) = in_shell(pieces, |text| arguments.hold(text));
        if is_lost {
            self.page.leave_out(
                "a value in a here-document with a quoted delimiter: it is a variable there, which nothing fills in",
            );
        }
        text
    }

    /// An image or a program that docker would read as an option, or none at all.
    fn refused(&mut self, id: &str, container: &ValueMap) -> ValueMap {
        let image = foreign::text_at(container, "image").unwrap_or_default();
        self.page.leave_out(format!(
            "the container of {id}: its image, {image}, or its program would be read as an option of docker, or is missing"
        ));
        self.by_hand(id, &ValueMap::new())
    }

    /// The beginning of a command line that starts the image of a container; None when docker would read it as something else.
    fn docker(
        &mut self,
        id: &str,
        options: &str,
        container: &ValueMap,
        program: Option<&String>,
        scope: &Scope,
        arguments: &mut Arguments,
    ) -> Option<String> {
        let image = self.wanted.pieces(scope, &foreign::text_at(container, "image")?, self.page);
        // What an image is called is only known when it runs: then it stands behind the last option.
        let is_open = match image.first()? {
            Piece::Text(text) if text.starts_with('-') || text.trim().is_empty() => return None,
            Piece::Text(_) => false,
            Piece::Hole(_) => true,
        };
        if program.is_some_and(|program| program.starts_with('-') || program.is_empty()) {
            return None;
        }
        self.page.leave_out("the cluster: containers are started on this machine, with docker");
        let known = [
            "image",
            "command",
            "args",
            "source",
            "env",
            "workingDir",
            "volumeMounts",
            "resources",
            "securityContext",
            "imagePullPolicy",
        ];
        self.page.leave_out_all_but(&known, container, &format!("the container of {id}"));
        let image = pasted(&image, arguments);
        let program = program.map(|program| self.word(scope, program, false, arguments));
        let dir = foreign::text_at(container, "workingDir")
            .map(|working_dir| self.word(scope, &working_dir, false, arguments));
        let mut named = Vec::new();
        for variable in foreign::maps_at(container, "env") {
            let Some(name) = foreign::text_at(variable, "name") else { continue };
            self.page.leave_out_all_but(
                &["name", "value", "valueFrom"],
                variable,
                &format!("the variable {name}"),
            );
            if let Some(from) = variable.get("valueFrom") {
                let from: Vec<String> = from
                    .as_object()
                    .into_iter()
                    .flat_map(|fields| fields.keys())
                    .map(|key| format!("`{key}`"))
                    .collect();
                self.page.leave_out(format!(
                    "`valueFrom` {} of {name}: the container runs without it; name it under `secrets` and give it under `env`",
                    from.join(", ")
                ));
            }
            if !is_variable(&name) {
                self.page.leave_out(format!("the variable {name}: no shell has one that is called so"));
                continue;
            }
            if let Some(value) = foreign::text_at(variable, "value") {
                let text = self.wanted.text(scope, &value, self.page);
                named.push(format!(" -e {name}=\"${}\"", arguments.give(text)));
            }
        }
        if container.contains_key("volumeMounts") {
            self.page.leave_out("`volumeMounts`: name directories with `-v` in the docker run");
        }
        let mut line = format!("docker run --rm{options}{}", self.held.options);
        for name in arguments.env.keys() {
            line.push_str(&format!(" -e {name}"));
        }
        line.extend(named);
        if let Some(dir) = dir {
            line.push_str(&format!(" -w {dir}"));
        }
        if let Some(program) = program {
            line.push_str(&format!(" --entrypoint {program}"));
        }
        Some(format!("{line} {}{image}", if is_open { "-- " } else { "" }))
    }

    /// A word of a command line. In a script for the shell of the container stays the name of a variable that holds the value; any
    /// other word has the value.
    fn word(&mut self, scope: &Scope, text: &str, is_code: bool, arguments: &mut Arguments) -> String {
        let pieces = self.wanted.pieces(scope, text, self.page);
        if is_code { quoted(&self.code(&pieces, arguments)) } else { pasted(&pieces, arguments) }
    }

    fn http(&mut self, id: &str, http: &ValueMap, scope: &Scope) -> ValueMap {
        let mut ours = json!({});
        for key in ["method", "url", "body"] {
            if let Some(text) = foreign::text_at(http, key) {
                ours[key] = self.wanted.text(scope, &text, self.page).into();
            }
        }
        for header in foreign::maps_at(http, "headers") {
            if let (Some(name), Some(value)) =
                (foreign::text_at(header, "name"), foreign::text_at(header, "value"))
            {
                ours["headers"][name] = self.wanted.text(scope, &value, self.page).into();
            }
        }
        for header in foreign::maps_at(http, "headers").filter(|map| map.contains_key("valueFrom")) {
            let name = foreign::text_at(header, "name").unwrap_or_default();
            self.page.leave_out(format!(
                "`valueFrom` of the header field {name}: name it under `secrets` and give it under `headers`"
            ));
        }
        if let Some(said) = foreign::text_at(http, "successCondition") {
            self.page.leave_out(format!(
                "`successCondition` of a request, {}: say it under `expect`",
                said.replace("{{", "{ {")
            ));
        }
        let known = ["method", "url", "body", "headers", "successCondition", "timeoutSeconds"];
        self.page.leave_out_all_but(&known, http, &format!("the request of {id}"));
        let mut keys = ValueMap::from_iter([("http".to_owned(), ours)]);
        if let Some(span) =
            http.get("timeoutSeconds").and_then(Value::as_u64).filter(|timeout_seconds| *timeout_seconds > 0)
        {
            keys.insert("timeout".to_owned(), format!("{span}s").into());
        }
        keys
    }

    fn resource(&mut self, id: &str, resource: &ValueMap, scope: &Scope) -> ValueMap {
        let action = foreign::text_at(resource, "action").unwrap_or_else(|| "apply".to_owned());
        if !["get", "create", "apply", "delete", "replace", "patch"].contains(&action.as_str()) {
            self.page.leave_out(format!(
                "what {id} does with its manifest, {action}: kubectl is not asked for that"
            ));
            return self.by_hand(id, &ValueMap::new());
        }
        if resource.contains_key("manifestFrom") {
            self.page.leave_out(format!("`manifestFrom` of {id}: its manifest is a file of the cluster"));
            return self.by_hand(id, &ValueMap::new());
        }
        let known = ["action", "manifest", "flags", "mergeStrategy", "successCondition", "failureCondition"];
        self.page.leave_out_all_but(&known, resource, &format!("the resource of {id}"));
        let manifest = foreign::text_at(resource, "manifest").unwrap_or_default();
        let pieces = self.wanted.pieces(scope, manifest.trim_end(), self.page);
        for key in
            ["successCondition", "failureCondition"].into_iter().filter(|key| resource.contains_key(*key))
        {
            self.page.leave_out(format!("`{key}` of {id}: wait for it with kubectl wait"));
        }
        let mut arguments = Arguments::default();
        let mut kubectl = format!("kubectl {action}");
        if let Some(kind) = foreign::text_at(resource, "mergeStrategy") {
            kubectl.push_str(&format!(" --type {}", self.word(scope, &kind, false, &mut arguments)));
        }
        for flag in foreign::texts(resource.get("flags")) {
            kubectl.push_str(&format!(" {}", self.word(scope, &flag, false, &mut arguments)));
        }
        let script = match pieces.as_slice() {
            [] => format!("{kubectl} -f - </dev/null\n"),
            [Piece::Text(text)] => format!("{kubectl} -f - {}", here(text)),
            several => {
                let words: Vec<String> = several
                    .iter()
                    .map(|word| match word {
                        Piece::Text(text) => quoted(text),
                        Piece::Hole(hole) => format!("\"${}\"", arguments.hold(hole)),
                    })
                    .collect();
                format!("printf '%s' {} | {kubectl} -f -\n", words.join(" "))
            }
        };
        done(script, arguments)
    }

    fn suspend(&mut self, id: &str, said: &Value, template: &ValueMap, scope: &Scope) -> ValueMap {
        let span = said.as_object().and_then(|fields| foreign::text_at(fields, "duration"));
        let parameters = |side: &str| {
            let side = foreign::map_at(template, side).into_iter();
            side.flat_map(|map| foreign::maps_at(map, "parameters")).collect::<Vec<_>>()
        };
        let (mut fields, outputs) = (parameters("inputs"), parameters("outputs"));
        fields.retain(|field| field.contains_key("enum"));
        let asks = !fields.is_empty() || !outputs.is_empty();
        if let Some(span) = span.as_ref().filter(|span| !asks && !span.contains("{{")) {
            return ValueMap::from_iter([("wait".to_owned(), seconds(span).into())]);
        }
        let mut gate = json!({"prompt": format!("Go on after {id}?"), "risk": "externally-reversible"});
        if let Some(span) = span.map(|span| seconds(&span)) {
            let is_known = span.parse::<Span>().is_ok_and(|span| span > Span::default());
            let instead = if is_known {
                gate["timeout"] = span.clone().into();
                "the gate is rejected"
            } else {
                "the gate waits"
            };
            self.page.leave_out(format!(
                "the `duration` of {id}, {}: Argo goes on by itself then, with the values that its outputs have without an answer; here {instead}",
                without_holes(&span)
            ));
        }
        for output in outputs {
            let Some(from) = foreign::map_at(output, "valueFrom") else { continue };
            let name = foreign::text_at(output, "name").unwrap_or_default();
            self.page.leave_out_all_but(&["supplied"], from, &format!("the output {name} of {id}"));
        }
        for field in fields {
            let Some(name) = foreign::text_at(field, "name") else { continue };
            let known = foreign::texts(field.get("enum"));
            let value = scope.parameters.get(&name).filter(|parameter| known.contains(parameter)).cloned();
            self.page.leave_out_all_but(
                &["name", "value", "default", "enum", "description"],
                field,
                &format!("the parameter {name} of {id}"),
            );
            gate["form"][variable(&name)] = match value {
                Some(value) => json!({"type": "string", "enum": known, "default": value}),
                None => json!({"type": "string", "enum": known}),
            };
        }
        ValueMap::from_iter([("gate".to_owned(), gate)])
    }

    /// A gate that asks whether unsupported work was done by hand.
    pub(super) fn by_hand(&mut self, id: &str, template: &ValueMap) -> ValueMap {
        let kinds = ["containerSet", "data", "plugin", "templateRef", "template"];
        let kind = kinds.iter().find(|kind| template.contains_key(**kind)).copied().unwrap_or("work");
        let name = foreign::text_at(template, "name").unwrap_or_else(|| id.to_owned());
        self.page.leave_out(format!(
            "{kind} of {name}: {id} asks whether it was done by hand; put a step that does it in its place"
        ));
        let prompt = format!("Has {} ({kind}) been done by hand?", one_line(&without_holes(&name)));
        ValueMap::from_iter([("gate".to_owned(), json!({"prompt": prompt, "risk": "externally-reversible"}))])
    }
}

/// The retry policy of a template. None if it cannot be expressed; the step is then not retried.
fn retries(retry: &ValueMap) -> Option<Value> {
    let policy = foreign::text_at(retry, "retryPolicy");
    if retry.contains_key("expression")
        || policy.is_some_and(|policy| policy != "Always" && policy != "OnFailure")
    {
        return None;
    }
    let limit = foreign::text_at(retry, "limit")?.parse::<u64>().ok()?;
    let mut ours =
        json!({"max-attempts": limit.checked_add(1).filter(|limit| *limit <= ATTEMPTS_MAX.into())?});
    if let Some(backoff) = foreign::map_at(retry, "backoff") {
        for (theirs, name) in [("duration", "delay"), ("cap", "max-delay")] {
            if let Some(span) = foreign::text_at(backoff, theirs) {
                let span = seconds(&span);
                span.parse::<Span>().ok()?;
                ours[name] = span.into();
            }
        }
        if let Some(factor) = foreign::text_at(backoff, "factor") {
            ours["factor"] = factor.parse::<u32>().ok()?.into();
        }
    }
    Some(ours)
}

fn done(script: String, arguments: Arguments) -> ValueMap {
    let mut keys = ValueMap::from_iter([("run".to_owned(), script.into())]);
    if !arguments.env.is_empty() {
        keys.insert("env".to_owned(), Value::Object(arguments.env));
    }
    keys
}

fn between_double_quotes(text: &str) -> String {
    let escaped = |c: char| if "\\\"$`".contains(c) { format!("\\{c}") } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// A word that has values, between double quotes.
fn pasted(pieces: &[Piece], arguments: &mut Arguments) -> String {
    match pieces {
        [] => quoted(""),
        [Piece::Text(text)] => quoted(text),
        several => {
            let inner = several.iter().map(|word| match word {
                Piece::Text(text) => between_double_quotes(text),
                Piece::Hole(hole) => format!("${{{}}}", arguments.hold(hole)),
            });
            format!("\"{}\"", inner.collect::<String>())
        }
    }
}

/// A here-document in which nothing is filled in, and that no line of the text ends.
fn here(text: &str) -> String {
    let text = text.trim_end();
    let lines: BTreeSet<&str> = text.lines().map(str::trim).collect();
    let end = (1..=lines.len() + 1)
        .map(|index| if index == 1 { "CUELIGHT_END".to_owned() } else { format!("CUELIGHT_END_{index}") })
        .find(|flag| !lines.contains(flag.as_str()))
        .unwrap_or_default();
    format!("<<'{end}'\n{text}\n{end}\n")
}

/// True if a container may have a variable of this name; names with our prefix are reserved.
fn is_variable(name: &str) -> bool {
    variable(name) == name && !name.starts_with(ARGUMENT)
}

/// A word as a shell takes it.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A bare number means seconds.
pub(super) fn seconds(span: &str) -> String {
    if span.bytes().all(|byte| byte.is_ascii_digit()) { format!("{span}s") } else { span.to_owned() }
}
