//! What a template of Argo does, as a step: a container is started with docker, a manifest handed to kubectl, a pause is a gate.

use super::words::{Piece, Scope, Wanted};
use crate::{
    base::{Value, ValueMap},
    definition::import::{
        foreign,
        page::{Page, one_line, variable, without_holes},
    },
};
use serde_json::json;

/// Everything that a step is made with.
pub(super) struct Maker<'m> {
    pub(super) page: &'m mut Page,
    pub(super) wanted: &'m mut Wanted,
}

/// The variables that values reach a container through, so that none of them is read as code.
#[derive(Default)]
struct Arguments {
    names: Vec<String>,
    env: ValueMap,
}

impl Arguments {
    /// The variable that holds the value of an expression.
    fn hold(&mut self, expression: &str) -> String {
        let text = format!("${{{{ {expression} }}}}");
        let known = self.env.iter().find(|(_, it)| **it == text).map(|(name, _)| name.clone());
        known.unwrap_or_else(|| {
            let name = format!("ARG_{}", self.names.len() + 1);
            self.give(&name, text);
            name
        })
    }

    fn give(&mut self, name: &str, text: String) {
        self.names.push(name.to_owned());
        self.env.insert(name.to_owned(), text.into());
    }
}

impl Maker<'_> {
    /// The keys of a step that does what a template says.
    pub(super) fn work(&mut self, id: &str, template: &ValueMap, scope: &Scope) -> ValueMap {
        let mut keys = if let Some(container) = foreign::map_at(template, "container") {
            self.container(container, scope)
        } else if let Some(script) = foreign::map_at(template, "script") {
            self.script(script, scope)
        } else if let Some(http) = foreign::map_at(template, "http") {
            self.http(http, scope)
        } else if let Some(resource) = foreign::map_at(template, "resource") {
            self.resource(id, resource, scope)
        } else if let Some(said) = template.get("suspend") {
            self.suspend(id, said, template, scope)
        } else {
            self.by_hand(id, template)
        };
        for key in ["sidecars", "initContainers", "volumes", "daemon", "memoize", "synchronization", "hooks"]
        {
            if template.contains_key(key) {
                self.page.leave_out(format!("`{key}` of {id}"));
            }
        }
        let files =
            ["inputs", "outputs"].iter().filter_map(|it| foreign::map_at(template, it)?.get("artifacts"));
        if files.count() > 0 {
            self.page.leave_out(format!(
                "the artifacts of {id}: a container sees no file here but with `-v` in its docker run"
            ));
        }
        self.limits(&mut keys, template);
        keys
    }

    fn limits(&mut self, keys: &mut ValueMap, template: &ValueMap) {
        if let Some(retry) = foreign::map_at(template, "retryStrategy") {
            let mut ours = json!({});
            if let Some(limit) = foreign::text_at(retry, "limit").and_then(|it| it.parse::<u64>().ok()) {
                ours["max-attempts"] = (limit + 1).into();
            }
            if let Some(backoff) = foreign::map_at(retry, "backoff") {
                for (theirs, name) in [("duration", "delay"), ("maxDuration", "max-delay")] {
                    if let Some(span) = foreign::text_at(backoff, theirs) {
                        ours[name] = seconds(&span).into();
                    }
                }
                if let Some(factor) =
                    foreign::text_at(backoff, "factor").and_then(|it| it.parse::<u32>().ok())
                {
                    ours["factor"] = factor.into();
                }
            }
            keys.insert("retry".to_owned(), ours);
        }
        let deadline =
            ["activeDeadlineSeconds", "timeout"].iter().find_map(|it| foreign::text_at(template, it));
        if let Some(deadline) = deadline.filter(|it| !it.contains("{{") && !keys.contains_key("gate")) {
            keys.insert("timeout".to_owned(), seconds(&deadline).into());
        }
    }

    fn container(&mut self, container: &ValueMap, scope: &Scope) -> ValueMap {
        let mut arguments = Arguments::default();
        let command = foreign::texts(container.get("command"));
        let is_shell = command.first().is_some_and(|it| is_shell(it));
        let all: Vec<String> =
            command.iter().skip(1).cloned().chain(foreign::texts(container.get("args"))).collect();
        let mut words = Vec::with_capacity(all.len());
        for (index, text) in all.iter().enumerate() {
            let is_script =
                is_shell && index > 0 && all[index - 1].starts_with('-') && all[index - 1].ends_with('c');
            words.push(self.word(scope, text, is_script, &mut arguments));
        }
        let docker = self.docker(container, command.first(), scope, &mut arguments);
        let line = [docker].into_iter().chain(words).collect::<Vec<_>>().join(" ");
        done(line + "\n", arguments)
    }

    fn script(&mut self, script: &ValueMap, scope: &Scope) -> ValueMap {
        let mut arguments = Arguments::default();
        let source = foreign::text_at(script, "source").unwrap_or_default();
        let command = foreign::texts(script.get("command"));
        let program = command.first().map_or("sh", String::as_str);
        let is_shell = is_shell(program);
        let mut text = String::new();
        for piece in self.wanted.pieces(scope, &source, self.page) {
            match piece {
                Piece::Text(it) => text.push_str(&it),
                Piece::Hole(it) => {
                    let name = arguments.hold(&it);
                    if !is_shell {
                        self.page.leave_out(format!("a value in a script of {program}: it is the variable {name} there; read it from the environment"));
                    }
                    text.push_str(&format!("${{{name}}}"));
                }
            }
        }
        let more: Vec<String> = command.iter().skip(1).map(|it| quoted(it)).collect();
        let docker = self.docker(script, Some(&program.to_owned()), scope, &mut arguments);
        let docker = docker.replacen("docker run --rm", "docker run --rm -i", 1);
        let from = if is_shell { "-s" } else { "-" };
        let head = [docker].into_iter().chain(more).chain([from.to_owned()]).collect::<Vec<_>>().join(" ");
        done(format!("{head} <<'CUELIGHT_END'\n{}\nCUELIGHT_END\n", text.trim_end()), arguments)
    }

    /// The beginning of a command line that starts the image of a container.
    fn docker(
        &mut self,
        container: &ValueMap,
        program: Option<&String>,
        scope: &Scope,
        arguments: &mut Arguments,
    ) -> String {
        self.page.leave_out("the cluster: containers are started on this machine, with docker");
        let image = foreign::text_at(container, "image").unwrap_or_default();
        let image = self.word(scope, &image, false, arguments);
        for variable in foreign::maps_at(container, "env") {
            let Some(name) = foreign::text_at(variable, "name") else { continue };
            match foreign::text_at(variable, "value") {
                Some(value) => {
                    let text = self.wanted.text(scope, &value, self.page);
                    arguments.give(&name, text);
                }
                None => self.page.leave_out(format!(
                    "where {name} comes from: name it under `secrets` and give it under `env`"
                )),
            }
        }
        if container.contains_key("volumeMounts") {
            self.page.leave_out("volumes: name directories with `-v` in the docker run");
        }
        let mut line = "docker run --rm".to_owned();
        for name in &arguments.names {
            line.push_str(&format!(" -e {name}"));
        }
        if let Some(dir) = foreign::text_at(container, "workingDir") {
            line.push_str(&format!(" -w {}", quoted(&dir)));
        }
        if let Some(program) = program {
            line.push_str(&format!(" --entrypoint {}", quoted(program)));
        }
        line + " " + &image
    }

    /// A word of a command line. In a script for the shell of the container stays the name of a variable that holds the value; any
    /// other word has the value.
    fn word(&mut self, scope: &Scope, text: &str, is_script: bool, arguments: &mut Arguments) -> String {
        let pieces = self.wanted.pieces(scope, text, self.page);
        let has_holes = pieces.iter().any(|it| matches!(it, Piece::Hole(_)));
        if !has_holes {
            return quoted(
                &pieces
                    .iter()
                    .map(|it| if let Piece::Text(it) = it { it.as_str() } else { "" })
                    .collect::<String>(),
            );
        }
        let mut inner = String::new();
        // Between single quotes of that script no variable is filled in: they end before it, and begin anew behind it.
        let mut is_quoted = false;
        for piece in &pieces {
            match piece {
                Piece::Text(it) if is_script => {
                    is_quoted ^= it.matches('\'').count() % 2 == 1;
                    inner.push_str(&it.replace('\'', "'\\''"));
                }
                Piece::Text(it) => inner.push_str(&between_double_quotes(it)),
                Piece::Hole(it) if is_script && is_quoted => {
                    inner.push_str(&format!("'\\''\"${{{}}}\"'\\''", arguments.hold(it)));
                }
                Piece::Hole(it) => inner.push_str(&format!("${{{}}}", arguments.hold(it))),
            }
        }
        if is_script { format!("'{inner}'") } else { format!("\"{inner}\"") }
    }

    fn http(&mut self, http: &ValueMap, scope: &Scope) -> ValueMap {
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
        if let Some(said) = foreign::text_at(http, "successCondition") {
            self.page
                .leave_out(format!("what counts as success of a request, {said}: say it under `expect`"));
        }
        ValueMap::from_iter([("http".to_owned(), ours)])
    }

    fn resource(&mut self, id: &str, resource: &ValueMap, scope: &Scope) -> ValueMap {
        let action = foreign::text_at(resource, "action").unwrap_or_else(|| "apply".to_owned());
        let manifest = foreign::text_at(resource, "manifest").unwrap_or_default();
        let manifest = self.wanted.text(scope, &manifest, self.page);
        for key in
            ["successCondition", "failureCondition"].into_iter().filter(|it| resource.contains_key(*it))
        {
            self.page.leave_out(format!("`{key}` of {id}: wait for it with kubectl wait"));
        }
        let end = if manifest.contains(['$', '`']) && !manifest.contains("${{") {
            "'CUELIGHT_END'"
        } else {
            "CUELIGHT_END"
        };
        let script =
            format!("kubectl {} -f - <<{end}\n{}\nCUELIGHT_END\n", quoted(&action), manifest.trim_end());
        ValueMap::from_iter([("run".to_owned(), script.into())])
    }

    fn suspend(&mut self, id: &str, said: &Value, template: &ValueMap, scope: &Scope) -> ValueMap {
        let span = said.as_object().and_then(|it| foreign::text_at(it, "duration"));
        if let Some(span) = span.filter(|it| !it.contains("{{")) {
            return ValueMap::from_iter([("wait".to_owned(), seconds(&span).into())]);
        }
        let mut gate = json!({"prompt": format!("Go on after {id}?"), "risk": "externally-reversible"});
        let fields =
            foreign::map_at(template, "inputs").into_iter().flat_map(|it| foreign::maps_at(it, "parameters"));
        for field in fields.filter(|it| it.contains_key("enum")) {
            let Some(name) = foreign::text_at(field, "name") else { continue };
            let known = foreign::texts(field.get("enum"));
            let value = scope.parameters.get(&name).filter(|it| known.contains(it)).cloned();
            gate["form"][variable(&name)] = match value {
                Some(value) => json!({"type": "string", "enum": known, "default": value}),
                None => json!({"type": "string", "enum": known}),
            };
        }
        ValueMap::from_iter([("gate".to_owned(), gate)])
    }

    /// What cannot be done here is done by hand.
    pub(super) fn by_hand(&mut self, id: &str, template: &ValueMap) -> ValueMap {
        let kinds = ["containerSet", "data", "plugin", "templateRef", "template"];
        let kind = kinds.iter().find(|it| template.contains_key(**it)).copied().unwrap_or("work");
        let name = foreign::text_at(template, "name").unwrap_or_else(|| id.to_owned());
        self.page.leave_out(format!(
            "{kind} of {name}: {id} asks whether it was done by hand; put a step that does it in its place"
        ));
        let prompt = format!("Has {} ({kind}) been done by hand?", one_line(&without_holes(&name)));
        ValueMap::from_iter([("gate".to_owned(), json!({"prompt": prompt, "risk": "externally-reversible"}))])
    }
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

fn is_shell(program: &str) -> bool {
    ["sh", "bash", "ash", "dash", "zsh"].contains(&program.rsplit('/').next().unwrap_or(program))
}

/// A word as a shell takes it.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A bare number means seconds.
pub(super) fn seconds(span: &str) -> String {
    if span.bytes().all(|it| it.is_ascii_digit()) { format!("{span}s") } else { span.to_owned() }
}
