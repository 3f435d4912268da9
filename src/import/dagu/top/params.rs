//! The parameters of a workflow of Dagu, as inputs.

use super::is_variable;
use crate::dagu::values::{Names, Part, in_double_quotes, parts};
use crate::dagu::words::words;
use crate::dagu::{Import, file, one};
use crate::foreign;
use crate::page::{one_line, variable, without_holes};
use cuelight_base::{Value, ValueMap};
use serde_json::json;
use std::collections::BTreeSet;

/// A parameter, as it is declared.
struct Param {
    pub(super) name: String,
    input: ValueMap,
    /// The command that computes it if no value is given.
    eval: Option<String>,
}

/// Names and types of the parameters of a workflow, for its caller.
pub(in crate::dagu) fn parameters(root: &ValueMap) -> Vec<(String, String)> {
    let kind = |body: &Value| {
        let body = body.as_object().filter(|fields| !fields.contains_key("eval"));
        body.and_then(|body| foreign::text_at(body, "type")).unwrap_or_else(|| "string".to_owned())
    };
    params(root.get("params")).into_iter().map(|(name, _, body)| (name, kind(&body))).collect()
}

/// Parameters with where they stand in the file and how they are declared.
pub(super) fn params(value: Option<&Value>) -> Vec<(String, String, Value)> {
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
    pub(super) fn params(&mut self, root: &ValueMap) -> ValueMap {
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
}
