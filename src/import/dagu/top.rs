//! The keys above the steps: schedule, parameters, environment and defaults.

use super::{
    Import, file, one,
    values::{Names, Part, Parts, in_double_quotes, parts, with_holes},
    words::{number, pairs, shell_words, words},
};
use crate::{
    foreign,
    page::{one_line, variable, without_holes},
};
use cuelight_base::{Value, ValueMap, is_shell};
use serde_json::json;
use std::collections::BTreeSet;

/// A parameter, as it is declared.
struct Param {
    name: String,
    input: ValueMap,
    /// The command that computes it if no value is given.
    eval: Option<String>,
}

/// Names and types of the parameters of a workflow, for its caller.
pub(super) fn parameters(root: &ValueMap) -> Vec<(String, String)> {
    let kind = |body: &Value| {
        let body = body.as_object().filter(|fields| !fields.contains_key("eval"));
        body.and_then(|body| foreign::text_at(body, "type")).unwrap_or_else(|| "string".to_owned())
    };
    params(root.get("params")).into_iter().map(|(name, _, body)| (name, kind(&body))).collect()
}

/// Parameters with where they stand in the file and how they are declared.
fn params(value: Option<&Value>) -> Vec<(String, String, Value)> {
    let place = |at: usize| format!("PARAM_{}", at + 1);
    let of_text = |text: &str, at: usize, path: &str| match text.split_once('=') {
        Some((name, rest)) => (variable(name.trim()), path.to_owned(), json!(rest.trim_matches('"'))),
        None => (place(at), path.to_owned(), json!(text.trim_matches('"'))),
    };
    match value {
        Some(Value::Object(map)) => match (map.get("properties"), map.get("schema")) {
            (Some(Value::Object(properties)), _) if map.get("type") == Some(&json!("object")) => {
                let required = foreign::texts(map.get("required"));
                let rich = |(name, body): (&String, &Value)| {
                    let mut body = body.clone();
                    if required.contains(name) {
                        body["required"] = true.into();
                    }
                    (name.clone(), format!("params.properties.{name}"), body)
                };
                properties.iter().filter(|(_, body)| body.is_object()).map(rich).collect()
            }
            (_, Some(Value::Object(schema))) => {
                let mut all = params(Some(&Value::Object(schema.clone())));
                for (name, _, body) in &mut all {
                    if let Some(value) = map.get("values").and_then(|values| values.get(name.as_str())) {
                        body["default"] = value.clone();
                    }
                }
                all
            }
            (_, Some(_)) if map.contains_key("values") || map.len() == 1 => {
                params(map.get("values").filter(|values| values.is_object()))
            }
            _ => {
                map.iter().map(|(key, value)| (key.clone(), format!("params.{key}"), value.clone())).collect()
            }
        },
        Some(Value::Array(items)) => {
            let mut out = Vec::new();
            for (index, item) in items.iter().enumerate() {
                let path = format!("params[{index}]");
                match item {
                    Value::Object(map) if map.contains_key("name") => {
                        let name = foreign::text_at(map, "name").unwrap_or_default();
                        out.push((name, path, item.clone()));
                    }
                    Value::Object(map) => {
                        out.extend(map.iter().map(|(key, value)| (key.clone(), path.clone(), value.clone())));
                    }
                    other => {
                        let text = foreign::text(other).unwrap_or_default();
                        // An entry of a list is one parameter, however many words it has.
                        let at = out.len();
                        out.push(of_text(&text, at, &path));
                    }
                }
            }
            out
        }
        Some(other) => {
            let text = foreign::text(other).unwrap_or_default();
            words(&text).iter().enumerate().map(|(at, word)| of_text(word, at, "params")).collect()
        }
        None => Vec::new(),
    }
}

impl Import<'_> {
    pub(super) fn top(&mut self) {
        let document = self.document;
        let root = &document.root;
        self.page.top.insert("name".to_owned(), one_line(&without_holes(&self.name())).into());
        if let Some(about) = foreign::text_at(root, "description") {
            self.page.top.insert("description".to_owned(), one_line(&without_holes(&about)).into());
        }
        if root.get("type").is_some_and(|kind| kind != "graph" && kind != "chain") {
            self.refuse("type", "`type`: only `graph` and `chain` have an order that can be carried over");
        }
        self.schedule(root);
        for (key, ours) in [("timeout_sec", "timeout"), ("delay_sec", "wait")] {
            let Some(said) = root.get(key) else { continue };
            let Some(seconds) = number(said) else {
                self.refuse(key, &format!("`{key}` is no whole number"));
                continue;
            };
            match ours {
                _ if seconds == 0 => {}
                "timeout" => drop(self.page.top.insert("timeout".to_owned(), format!("{seconds}s").into())),
                _ => {
                    let id = self.page.id("delay");
                    self.page.step(&id, &[], one("wait", format!("{seconds}s")));
                    self.first.push(id);
                }
            }
        }
        if root.get("max_active_steps").is_some_and(|said| !said.is_null() && number(said).is_none()) {
            self.refuse("max_active_steps", "`max_active_steps` is a whole number");
        }
        if let Some(parallel) = root.get("max_active_steps").and_then(number).filter(|number| *number > 0) {
            self.page.top.insert("max-parallel".to_owned(), parallel.min(10_000).into());
        }
        self.one_run_at_a_time(root);
        self.consts(root);
        self.secrets(root);
        let mut inputs = self.params(root);
        self.run_config(root, &mut inputs);
        let mut env = self.environment(root);
        for name in &self.secrets {
            env.insert(name.clone(), format!("${{{{ secrets.{name} }}}}").into());
        }
        for (key, map) in [("inputs", inputs), ("env", env)] {
            if !map.is_empty() {
                self.page.top.insert(key.to_owned(), Value::Object(map));
            }
        }
        if !self.secrets.is_empty() {
            self.page.top.insert("secrets".to_owned(), json!(self.secrets));
        }
        // There a step that fails ends what depends on it, and no other one.
        self.page.top.insert("on-failure".to_owned(), "continue".into());
        // Its shells stop at the first failure, and know nothing of unset variables.
        let shell = self.own_shell(root);
        self.page.top.insert("defaults".to_owned(), json!({ "shell": shell }));
        if root.get("defaults").is_some_and(|said| !said.is_object()) {
            self.refuse("defaults", "`defaults` is a mapping");
        }
        if let Some(defaults) = root.get("defaults").and_then(Value::as_object) {
            self.keys(defaults, "defaults", file::DEFAULTS);
        }
        if self.item.is_none() {
            self.directory(root);
        }
    }

    /// A queue, and a bound on the runs of one workflow: the runs of a group of ours follow each other, which is never more at once
    /// than Dagu lets through.
    fn one_run_at_a_time(&mut self, root: &ValueMap) {
        let most = match root.get("max_active_runs").filter(|said| !said.is_null()) {
            None => None,
            Some(said) => match foreign::text(said).and_then(|text| text.trim().parse::<i64>().ok()) {
                Some(most) => Some(most),
                None => return self.refuse("max_active_runs", "`max_active_runs` is a whole number"),
            },
        };
        let queue = foreign::text_at(root, "queue").map(|queue| one_line(&without_holes(&queue)));
        let queue = queue.filter(|queue| !queue.is_empty());
        if let Some(queue) = &queue {
            self.lose(
                "queue",
                &format!("`queue`: the runs of {queue} follow each other here; how many of them Dagu starts at once stands in its configuration"),
            );
        }
        match most {
            Some(most) if most < 1 => self.lose(
                "max_active_runs",
                "`max_active_runs`: below 1 it is no bound on the runs of this workflow",
            ),
            Some(most) if most > 1 => self.lose(
                "max_active_runs",
                &format!("`max_active_runs`: up to {most} runs at once; here they follow each other"),
            ),
            _ => {}
        }
        for key in self.bounds_of_calls(root, queue.is_some()) {
            self.lose(
                key,
                &format!(
                    "`{key}`: where another workflow calls this one, its steps belong to the run of the caller, and bound no other run"
                ),
            );
        }
        let group = queue
            .or_else(|| most.filter(|number| *number > 0).map(|_| one_line(&without_holes(&self.name()))));
        if let Some(group) = group {
            let group = json!({"group": format!("dagu {group}"), "on-conflict": "queue"});
            self.page.top.insert("concurrency".to_owned(), group);
        }
    }

    /// The bounds on runs that a workflow says which others call: they hold where it runs by itself.
    fn bounds_of_calls(&self, root: &ValueMap, has_queue: bool) -> Vec<&'static str> {
        if !self.is_called(root) {
            return Vec::new();
        }
        let has_most = root.get("max_active_runs").is_some_and(|said| !said.is_null());
        [("queue", has_queue), ("max_active_runs", has_most)]
            .into_iter()
            .filter(|pair| pair.1)
            .map(|pair| pair.0)
            .collect()
    }

    fn is_called(&self, root: &ValueMap) -> bool {
        let name = root.get("name").and_then(Value::as_str).unwrap_or_default();
        self.item.is_some() || self.called.contains_key(name)
    }

    /// Parameters that may not be edited where a run is started: each of them takes its default alone.
    fn run_config(&mut self, root: &ValueMap, inputs: &mut ValueMap) {
        let Some(said) = foreign::map_at(root, "run_config") else { return };
        self.keys(said, "run_config", file::RUN_CONFIG);
        let path = "run_config.disable_param_edit";
        match foreign::text_at(said, "disable_param_edit").as_deref() {
            Some("true") => {}
            None | Some("false") => return,
            Some(_) => return self.refuse(path, &format!("`{path}` is `true` or `false`")),
        }
        if self.is_called(root) {
            return self.lose(
                path,
                &format!(
                    "`{path}`: who calls this workflow sets its inputs, and so may who starts it by itself"
                ),
            );
        }
        if inputs.is_empty() {
            self.lose(path, &format!("`{path}`: there are no parameters"));
        }
        for (name, input) in inputs {
            let Some(input) = input.as_object_mut() else { continue };
            match input.get("default").cloned() {
                Some(default) => drop(input.insert("enum".to_owned(), json!([default]))),
                None => self.lose(
                    path,
                    &format!("`{path}` for {name}: it has no default, so who starts a run gives it"),
                ),
            }
        }
    }

    fn directory(&mut self, root: &ValueMap) {
        let speaks_two = |step: &Value| step.get("run").is_some() || step.get("action").is_some();
        let steps = root.get("steps").and_then(Value::as_array);
        if !root.contains_key("working_dir") && steps.is_some_and(|steps| steps.iter().any(speaks_two)) {
            self.lose(
                "steps",
                "the directory of each run: a step without `working_dir` works in this workspace, and files it leaves there stay",
            );
        }
    }

    fn schedule(&mut self, root: &ValueMap) {
        let Some(said) = root.get("schedule") else {
            for key in ["overlap_policy", "catchup_window"].into_iter().filter(|key| root.contains_key(*key))
            {
                self.lose(key, &format!("`{key}`: there is no schedule"));
            }
            return;
        };
        let (start, path) = match said.as_object() {
            Some(map) if !map.contains_key("expression") && !map.contains_key("at") => {
                for key in map.keys().filter(|key| *key != "start") {
                    let path = format!("schedule.{key}");
                    self.lose(&path, &format!("`{path}`: no schedule stops or restarts a run"));
                }
                (map.get("start").cloned().unwrap_or(Value::Null), "schedule.start")
            }
            _ => (said.clone(), "schedule"),
        };
        let entries = match start {
            Value::Array(entries) => entries,
            Value::Null => Vec::new(),
            other => vec![other],
        };
        let mut crons: Vec<Value> = Vec::new();
        for entry in &entries {
            let map = entry.as_object();
            let text = foreign::text(entry).or_else(|| foreign::text_at(map?, "expression"));
            if map.is_some_and(|map| map.contains_key("profile")) {
                self.lose(path, &format!("`{path}.profile`: there are no profiles"));
            }
            let Some(text) = text else {
                self.lose(
                    path,
                    &format!("`{path}`: a start at one instant is no schedule here; start it by hand"),
                );
                continue;
            };
            let zone = text
                .split_whitespace()
                .next()
                .and_then(|word| word.strip_prefix("CRON_TZ=").or_else(|| word.strip_prefix("TZ=")));
            let fields: Vec<&str> = text.split_whitespace().skip(usize::from(zone.is_some())).collect();
            if fields.len() != 5 {
                self.lose(path, &format!("`{path}`: {} has no five fields", one_line(&text)));
                continue;
            }
            let mut cron = one("cron", fields.join(" "));
            if let Some(zone) = zone {
                cron.insert("timezone".to_owned(), zone.into());
            }
            match foreign::text_at(root, "overlap_policy").as_deref() {
                Some("all") => drop(cron.insert("overlap".to_owned(), "queue".into())),
                Some("latest") => self.lose(
                    "overlap_policy",
                    "`overlap_policy: latest`: a start is skipped while the run before still goes on",
                ),
                _ => {}
            }
            if let Some(window) = foreign::text_at(root, "catchup_window") {
                cron.insert("catch-up".to_owned(), window.into());
            }
            crons.push(Value::Object(cron));
        }
        if !crons.is_empty() {
            self.page.top.insert("on".to_owned(), json!({ "schedule": crons }));
        }
    }

    fn consts(&mut self, root: &ValueMap) {
        let Some(said) = root.get("consts") else { return };
        let Some(items) = said.as_array() else {
            return self.refuse("consts", "`consts` is a list of one key each");
        };
        let none = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("consts[{index}]");
            let entry = item.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
            let Some((name, value)) = entry.filter(|(name, _)| is_name(name)) else {
                self.refuse(&path, "an entry of `consts` is one name and its value");
                continue;
            };
            let Some(text) = foreign::text(value) else {
                self.refuse(&path, "a constant is text, a number or a boolean");
                continue;
            };
            // Only constants above are known here.
            let (env, all) = (std::mem::take(&mut self.env), std::mem::take(&mut self.params));
            let found = parts(&text, Names::Shell, &self.at_top(&none));
            (self.env, self.params) = (env, all);
            let text = match found.as_slice() {
                [Part::Text(text)] => text.clone(),
                _ => text,
            };
            if self.consts.values().map(String::len).sum::<usize>() + text.len() > 1 << 20 {
                return self.refuse(&path, "constants have at most 1 MiB together");
            }
            self.consts.insert(name.clone(), text);
        }
    }

    fn secrets(&mut self, root: &ValueMap) {
        let Some(said) = root.get("secrets") else { return };
        for (index, item) in said.as_array().into_iter().flatten().enumerate() {
            let path = format!("secrets[{index}]");
            let Some(map) = item.as_object() else {
                self.refuse(&path, "a secret is a mapping with a `name`");
                continue;
            };
            self.keys(map, &path, file::SECRET);
            let name = foreign::text_at(map, "name").unwrap_or_default();
            if !is_variable(&name) || is_managed(&name) {
                self.refuse(&path, "a secret needs the name of a variable, and none of Dagu's own");
                continue;
            }
            let from: Vec<String> = map
                .iter()
                .filter(|(key, _)| *key != "name")
                .map(|(key, value)| {
                    format!("{key} {}", foreign::text(value).unwrap_or_else(|| value.to_string()))
                })
                .collect();
            self.lose(&path, &format!("where the secret {name} comes from ({}): export it, or put it into `.cuelight/secrets/{name}`", from.join(", ")));
            self.secrets.push(name);
        }
    }

    fn params(&mut self, root: &ValueMap) -> ValueMap {
        let said = root.get("params");
        let mut inputs = ValueMap::new();
        if let Some(map) = said.and_then(Value::as_object)
            && map.get("schema").is_some_and(Value::is_string)
            && (map.contains_key("values") || map.len() == 1)
        {
            self.lose("params.schema", "`params.schema`: values are not checked against that file");
        }
        if let Some(item) = self.item.clone() {
            for name in ["foreach_index", "foreach_key", "foreach_item"] {
                inputs.insert(name.to_owned(), json!({"type": "any", "default": "", "description": item}));
            }
        }
        let mut positional = Vec::new();
        for (name, path, body) in params(said) {
            let param = self.param_of(&name, &path, &body);
            let Some(param) = param else { continue };
            let mut value = format!("inputs.{}", param.name);
            positional.push(param.name.clone());
            inputs.insert(param.name.clone(), Value::Object(param.input));
            if let Some(eval) = param.eval {
                value = self.worked_out(&param.name, &path, &eval);
            }
            self.params.push((param.name, vec![Part::Value(value)]));
        }
        if positional.iter().any(|name| name.starts_with("PARAM_")) || said.is_some_and(Value::is_string) {
            let all: Vec<String> = positional.iter().map(|name| format!("\"${{{name}}}\"")).collect();
            self.prelude.push_str(&format!("set -- {}\n", all.join(" ")));
        }
        inputs
    }

    fn param_of(&mut self, name: &str, path: &str, body: &Value) -> Option<Param> {
        if !is_variable(name) || self.params.iter().any(|(known, _)| known == name) {
            self.refuse(path, &format!("`{}` cannot be the name of a parameter", one_line(name)));
            return None;
        }
        let mut input = ValueMap::new();
        let Some(rich) = body.as_object() else {
            let default = foreign::text(body).unwrap_or_default();
            input.insert("type".to_owned(), "string".into());
            input.insert("default".to_owned(), without_holes(&default).into());
            return Some(Param { name: name.to_owned(), input, eval: None });
        };
        let table = if path.contains(".properties.") { file::PROPERTY } else { file::PARAM };
        self.keys(
            &rich.iter().filter(|(key, _)| *key != "required").map(|(k, v)| (k.clone(), v.clone())).collect(),
            path,
            table,
        );
        let eval = foreign::text_at(rich, "eval");
        let kind = foreign::text_at(rich, "type").unwrap_or_else(|| "string".to_owned());
        if !["string", "integer", "number", "boolean"].contains(&kind.as_str()) {
            self.refuse(path, &format!("`type` of {name} is none that a parameter has"));
        }
        // What is worked out is text.
        let kind = if eval.is_some() { "string".to_owned() } else { kind };
        input.insert("type".to_owned(), kind.clone().into());
        if let Some(about) = foreign::text_at(rich, "description").or_else(|| foreign::text_at(rich, "title"))
        {
            input.insert("description".to_owned(), one_line(&without_holes(&about)).into());
        }
        // A text is compared with what is written there: `enum: [3]` lets the text 3 through.
        let allowed = |item: &Value| match foreign::text(item) {
            Some(text) if kind == "string" => text.into(),
            _ => item.clone(),
        };
        for key in ["enum", "pattern"] {
            match rich.get(key) {
                Some(Value::Array(all)) if key == "enum" => {
                    input.insert(key.to_owned(), all.iter().map(allowed).collect());
                }
                Some(value) => drop(input.insert(key.to_owned(), value.clone())),
                None => {}
            }
        }
        if let Some(options) = rich.get("oneOf").and_then(Value::as_array) {
            let all: Vec<Value> =
                options.iter().filter_map(|option| option.get("const")).map(allowed).collect();
            input.insert("enum".to_owned(), all.into());
        }
        let is_required = rich.get("required") == Some(&Value::Bool(true));
        match rich.get("default") {
            Some(default) if kind == "string" => {
                let text = foreign::text(default).unwrap_or_default();
                input.insert("default".to_owned(), without_holes(&text).into());
            }
            Some(default) => drop(input.insert("default".to_owned(), default.clone())),
            None if eval.is_some() => drop(input.insert("default".to_owned(), "".into())),
            None if is_required => drop(input.insert("required".to_owned(), true.into())),
            None if kind == "string" && !input.contains_key("enum") && !input.contains_key("pattern") => {
                input.insert("default".to_owned(), format!("${{params.{name}}}").into());
                self.lose(path, &format!("that {name} may have no value: a reference to it stays the text ${{params.{name}}} there, and that is its default here"));
            }
            None => {
                input.insert("required".to_owned(), true.into());
                self.lose(path, &format!("that {name} may be left out: it has to be given"));
            }
        }
        if eval.is_some() {
            // The default is what counts when working it out fails.
            input.insert("default".to_owned(), "".into());
            for key in ["enum", "pattern"] {
                if input.remove(key).is_some() {
                    self.lose(path, &format!("`{key}` of {name}, which is worked out, is not checked"));
                }
            }
        }
        Some(Param { name: name.to_owned(), input, eval })
    }

    /// A step that works out a parameter which is not given, and what reads it.
    fn worked_out(&mut self, name: &str, path: &str, eval: &str) -> String {
        let none = BTreeSet::new();
        let found = parts(eval, Names::All, &self.at_top(&none));
        let mut env = one("CUE_GIVEN", format!("${{{{ inputs.{name} }}}}"));
        let Some(text) = Self::evaluated(&found, &mut env) else {
            self.refuse(path, "a value of `eval` stands where a shell fills in nothing");
            return format!("inputs.{name}");
        };
        let said = foreign::text_at(
            self.document_value(path).and_then(Value::as_object).unwrap_or(&ValueMap::new()),
            "default",
        );
        let otherwise = match said {
            Some(default) => format!("|| VALUE=\"{}\"", in_double_quotes(&default)),
            None => String::new(),
        };
        let script = format!(
            "VALUE=$CUE_GIVEN\nif [ -z \"$VALUE\" ]; then\n  VALUE={text} {otherwise}\nfi\n{{ echo \"value<<END-$CUELIGHT_KEY\"; echo \"$VALUE\"; echo \"END-$CUELIGHT_KEY\"; }} >> \"$CUELIGHT_OUTPUT\"\n"
        );
        let id = self.page.id(&format!("param-{name}"));
        let mut keys = one("run", without_holes(&script));
        keys.insert("env".to_owned(), Value::Object(env));
        keys.insert("outputs".to_owned(), json!({"value": "string"}));
        if let Some(dir) = self.document.root.get("working_dir").and_then(Value::as_str)
            && !dir.contains(['$', '~'])
        {
            keys.insert("working-directory".to_owned(), dir.into());
        }
        let before = self.first.clone();
        self.page.step(&id, &before, keys);
        self.first.push(id.clone());
        format!("steps.{id}.outputs.value")
    }

    fn document_value(&self, path: &str) -> Option<&Value> {
        let index = path.strip_prefix("params[")?.strip_suffix(']')?.parse::<usize>().ok()?;
        self.document.root.get("params")?.get(index)
    }

    /// A text in which commands are run, as one word of a shell; none when a value stands where a shell fills in nothing.
    pub(super) fn evaluated(found: &Parts, values: &mut ValueMap) -> Option<String> {
        let mut out = vec![Part::Text("\"".to_owned())];
        let mut is_command = false;
        for part in found {
            let text = match part {
                Part::Text(text) => text,
                Part::File(expression) => {
                    out.push(Part::Value(expression.clone()));
                    continue;
                }
                other => {
                    out.push(other.clone());
                    continue;
                }
            };
            let mut quoted = String::new();
            for (at, c) in text.char_indices() {
                match c {
                    '`' => {
                        is_command = !is_command;
                        quoted.push_str(if is_command { "$(" } else { ")" });
                        continue;
                    }
                    '(' if quoted.ends_with('$') => is_command = true,
                    ')' => is_command = false,
                    '"' | '\\' if !is_command => quoted.push('\\'),
                    '$' if !is_command && !text[at + 1..].starts_with('(') => quoted.push('\\'),
                    _ => {}
                }
                quoted.push(c);
            }
            out.push(Part::Text(quoted));
        }
        out.push(Part::Text("\"".to_owned()));
        super::work::in_script(&out, values)
    }

    /// The environment of each step: what is known as `env`, and what only a shell can work out before each script.
    fn environment(&mut self, root: &ValueMap) -> ValueMap {
        let none = BTreeSet::new();
        let mut env = ValueMap::new();
        for (name, found) in self.params.clone() {
            let is_late =
                found.iter().any(|part| matches!(part, Part::Value(value) if value.starts_with("steps.")));
            match with_holes(&found).filter(|_| !is_late) {
                Some(text) => drop(env.insert(name, text.into())),
                None => self.export(&name, &found),
            }
        }
        let declared = self.declared(root.get("env"), "env");
        let mut bytes = 0;
        for (name, value) in declared {
            let found = parts(&value, Names::All, &self.at_top(&none));
            bytes += found.iter().map(super::values::size).sum::<usize>();
            if bytes > 1 << 20 {
                self.refuse("env", "variables have at most 1 MiB together");
                return env;
            }
            let is_late =
                found.iter().any(|part| matches!(part, Part::Value(value) if value.starts_with("steps.")));
            match with_holes(&found).filter(|_| !is_late) {
                Some(text) => drop(env.insert(name.clone(), text.into())),
                None => {
                    env.remove(&name);
                    self.export(&name, &found);
                }
            }
            self.env.push((name, found));
        }
        for (index, path) in foreign::texts(root.get("dotenv")).iter().enumerate() {
            let found = parts(path, Names::All, &self.at_top(&none));
            let file = self.quoted(&found);
            if index == 0 {
                self.prelude.push_str(DOTENV);
            }
            self.prelude.push_str(&format!("read_dotenv \"{file}\"\n"));
        }
        env
    }

    /// Variables as they are declared, in their order.
    pub(super) fn declared(&mut self, said: Option<&Value>, path: &str) -> Vec<(String, String)> {
        let Some(said) = said.filter(|said| !said.is_null()) else { return Vec::new() };
        let Some(all) = pairs(said) else {
            self.refuse(path, &format!("`{path}` holds what is no variable with its value"));
            return Vec::new();
        };
        for (name, _) in &all {
            if !is_variable(name) {
                self.refuse(path, &format!("`{}` cannot be the name of a variable", one_line(name)));
                return Vec::new();
            }
        }
        all
    }

    fn export(&mut self, name: &str, found: &Parts) {
        let text = self.quoted(found);
        self.prelude.push_str(&format!("export {name}=\"{text}\"\n"));
    }

    /// A text between double quotes in the prelude.
    fn quoted(&mut self, found: &Parts) -> String {
        let mut out = String::new();
        for part in found {
            match part {
                Part::Text(text) => out.push_str(&in_double_quotes(text)),
                Part::Variable(name) => out.push_str(&format!("${{{name}}}")),
                Part::Value(expression) | Part::File(expression) => {
                    let value = format!("${{{{ {expression} }}}}");
                    let known = self.prelude_env.iter().find(|(_, text)| text.as_str() == Some(&value));
                    let name = known.map_or_else(
                        || format!("CUE_ENV_{}", self.prelude_env.len() + 1),
                        |entry| entry.0.clone(),
                    );
                    self.prelude_env.insert(name.clone(), value.into());
                    out.push_str(&format!("${{{name}}}"));
                }
            }
        }
        out
    }

    /// The shell that is named, with what makes it take a script; none when none is.
    pub(super) fn shell(&mut self, body: &ValueMap) -> Option<String> {
        let mut all: Vec<String> = match body.get("shell").filter(|said| !said.is_null()) {
            Some(said @ Value::Array(_)) => foreign::texts(Some(said)),
            Some(other) => words(&foreign::text(other)?),
            None if body.contains_key("shell_args") => vec!["bash".to_owned()],
            None => return None,
        };
        all.extend(foreign::texts(body.get("shell_args")));
        let none = BTreeSet::new();
        let mut known = Vec::new();
        for word in &all {
            let found = parts(word, Names::Own, &self.at_top(&none));
            match super::values::plain(&found) {
                Some(word) if !word.is_empty() => known.push(word),
                Some(_) => {}
                None => {
                    self.refuse(
                        "shell",
                        "a shell that is worked out when it runs cannot be carried over; name it",
                    );
                    return None;
                }
            }
        }
        if known.first().is_none_or(|program| program == "direct") {
            self.refuse("shell", "`shell` names no shell; write a command without one as `exec`");
            return None;
        }
        Some(shell_words(&known))
    }

    /// The shell of the whole workflow, which stops at the first failure.
    fn own_shell(&mut self, root: &ValueMap) -> String {
        let Some(shell) = self.shell(root) else { return "bash -e -c".to_owned() };
        let mut all = words(&shell);
        if !is_shell(&all[0]) {
            self.program = Some(all);
            return "bash -e -c".to_owned();
        }
        if !all.iter().any(|word| word == "-e") {
            all.insert(1, "-e".to_owned());
        }
        all.join(" ")
    }
}

/// Reads a file of variables; nothing in it is run.
const DOTENV: &str = r#"read_dotenv() {
  local line name value
  [ -f "$1" ] || return 0
  while IFS= read -r line || [ -n "$line" ]; do
    line=${line#export }; name=${line%%=*}; value=${line#*=}
    case $line in '#'* | '') continue ;; *=*) ;; *) continue ;; esac
    case $name in *[!A-Za-z0-9_]* | [0-9]* | '') continue ;; esac
    case $value in \"*\") value=${value#\"}; value=${value%\"} ;; \'*\') value=${value#\'}; value=${value%\'} ;; esac
    export "$name=$value"
  done < "$1"
}
"#;

/// True for a variable that Dagu sets itself.
fn is_managed(name: &str) -> bool {
    ["DAGU_", "DAG_RUN_", "DAG_PUSHBACK"].iter().any(|prefix| name.starts_with(prefix))
        || ["DAG_NAME", "DAG_PARAMS_JSON", "DAG_DOCS_DIR"].contains(&name)
}

pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 100
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

pub(super) fn is_variable(name: &str) -> bool {
    is_name(name.trim_start_matches('_')) && name.len() <= 100
}
