//! Workflows that a workflow calls: those of the same file, once or for each item, and bodies of `foreach`, which become files too.

use super::{
    Import, file, one,
    scope::{Done, Scope},
    steps::Step,
    values::{Names, parts, with_holes},
    words::words,
};
use crate::{
    foreign,
    page::{one_line, sanitised, without_holes},
};
use cuelight_base::{Value, ValueMap};
use serde_json::json;
use std::collections::BTreeSet;

/// Keys of a step that a called workflow has no place for.
const LEFT: [(&str, &str); 7] = [
    ("working_dir", "the steps of the called workflow say themselves where they work"),
    ("output", "the outputs of the called workflow reach no later step"),
    ("outputs", "the outputs of the called workflow reach no later step"),
    ("stdout", "the steps of the called workflow have logs of their own"),
    ("stderr", "the steps of the called workflow have logs of their own"),
    ("env", "the called workflow has variables of its own"),
    ("repeat_policy", "the workflow is called once"),
];

/// Items of a `foreach` or `parallel`.
const ITEMS_MAX: usize = 1000;

impl Import<'_> {
    pub(super) fn call(
        &mut self,
        step: &Step,
        with: &ValueMap,
        ancestors: &BTreeSet<String>,
        done: &mut Done,
    ) -> ValueMap {
        let body = &step.body;
        let name =
            foreign::text_at(with, "dag").or_else(|| foreign::text_at(body, "call")).unwrap_or_default();
        let given = with.get("params").or_else(|| body.get("params")).cloned();
        let id = done.id.clone();
        let known = self.called.get(&name).map(|called| (called.file.clone(), called.params.clone()));
        let Some((file, declared)) = known else {
            let why = format!("the workflow {}, which is not in this file,", one_line(&name));
            return self.by_hand(step, &id, &why, ancestors, done);
        };
        let params: Vec<String> = declared.iter().map(|(name, _)| name.clone()).collect();
        let mut keys = one("workflow", format!("./{file}"));
        let matrix = match body.get("parallel") {
            Some(said) => match self.items(said, &format!("{}.parallel", step.path)) {
                Some(matrix) => Some(matrix),
                None => {
                    return self.by_hand(
                        step,
                        &id,
                        "a workflow for items that are known only when it runs",
                        ancestors,
                        done,
                    );
                }
            },
            None => None,
        };
        let own = (step.name.as_str(), step.other_name.as_deref());
        let mut values = ValueMap::new();
        let given = match (given, &matrix) {
            (Some(given), _) => named(&given, &params),
            (None, Some((_, items))) => match items.first() {
                Some(Value::Object(first)) => {
                    first.keys().map(|key| (key.clone(), format!("${{ITEM.{key}}}"))).collect()
                }
                _ => params.first().map(|name| (name.clone(), "${ITEM}".to_owned())).into_iter().collect(),
            },
            (None, None) => Vec::new(),
        };
        for (name, text) in given {
            let scope = Scope {
                import: self,
                ancestors,
                own,
                env: &[],
                has_item: matrix.is_some(),
                is_nested: false,
            };
            let found = with_holes(&parts(&text, Names::Own, &scope));
            match found {
                Some(found) if params.contains(&name) => {
                    let kind = declared.iter().find(|(known, _)| *known == name).map_or("", |(_, kind)| kind);
                    values.insert(name, typed(found, kind));
                }
                _ => {
                    let path = format!("{}.params", step.path);
                    self.lose(&path, &format!("the parameter {} for {}: it is none of that workflow, or is known to a shell alone", one_line(&name), one_line(&step.name)));
                }
            }
        }
        if !values.is_empty() {
            keys.insert("with".to_owned(), values.into());
        }
        if let Some((matrix, _)) = matrix {
            keys.insert("matrix".to_owned(), matrix);
        }
        self.around_call(step, &mut keys);
        keys
    }

    fn around_call(&mut self, step: &Step, keys: &mut ValueMap) {
        for (key, meaning) in LEFT.iter().filter(|(key, _)| step.body.contains_key(*key)) {
            let path = format!("{}.{key}", step.path);
            self.lose(&path, &format!("`{path}`: {meaning}"));
        }
        self.rules(step, keys);
        for key in ["limits", "requires"] {
            keys.remove(key);
        }
    }

    /// The items that are written in the file, as a matrix.
    fn items(&mut self, said: &Value, path: &str) -> Option<(Value, Vec<Value>)> {
        let (source, most) = match said {
            Value::Object(map) if map.contains_key("items") || map.contains_key("variable") => {
                self.keys(map, path, file::PARALLEL);
                (
                    map.get("items").or_else(|| map.get("variable"))?.clone(),
                    map.get("max_concurrent").cloned(),
                )
            }
            Value::Object(_) => {
                self.refuse(path, "`parallel` needs `items`");
                return None;
            }
            other => (other.clone(), None),
        };
        let items = match source {
            Value::Array(items) => items,
            Value::String(text) => tokens(&text)?,
            _ => Vec::new(),
        };
        let is_flat = |item: &Value| match item {
            Value::Object(map) => map.values().all(|value| foreign::text(value).is_some()),
            Value::Array(_) => false,
            _ => true,
        };
        if items.is_empty() || items.len() > ITEMS_MAX || !items.iter().all(is_flat) {
            self.refuse(path, "`items` are 1 to 1000 texts, numbers or flat mappings");
            return None;
        }
        if items.iter().any(|item| item.to_string().contains("${")) {
            let none = BTreeSet::new();
            let mut shown = Vec::new();
            for item in &items {
                shown.push(self.resolved(item, &none)?);
            }
            return Some((self.matrix(shown.clone(), most.as_ref(), path), shown));
        }
        Some((self.matrix(items.clone(), most.as_ref(), path), items))
    }

    /// A value whose texts are ours, with holes.
    fn resolved(&self, value: &Value, none: &BTreeSet<String>) -> Option<Value> {
        Some(match value {
            Value::String(text) => with_holes(&parts(text, Names::Own, &self.at_top(none)))?.into(),
            Value::Object(map) => {
                let pairs = map.iter().map(|(key, value)| Some((key.clone(), self.resolved(value, none)?)));
                Value::Object(pairs.collect::<Option<ValueMap>>()?)
            }
            other => other.clone(),
        })
    }

    fn matrix(&mut self, items: Vec<Value>, most: Option<&Value>, path: &str) -> Value {
        let most = match most {
            None => 10,
            Some(said) => said.as_u64().filter(|most| (1..=1000).contains(most)).unwrap_or_else(|| {
                self.refuse(path, "`max_concurrent` is a whole number from 1 to 1000");
                1
            }),
        };
        let include: Vec<Value> = items
            .into_iter()
            .enumerate()
            .map(|(index, item)| json!({"item": item, "index": index, "key": index.to_string()}))
            .collect();
        json!({"include": include, "max-parallel": most, "fail-fast": false})
    }

    /// Writes the file of a body, and gives its name.
    fn body(&mut self, step: &Step, root: ValueMap, item: String, path: &str) -> String {
        let document = self.document.within(root, &format!("{path}.steps"));
        let mut import = Import::new(&document, self.called);
        import.item = Some(item);
        let file = format!("{}-{}.yaml", sanitised(&self.name()), sanitised(&step.name));
        match import.all().and_then(|(page, others)| Ok((page.finish()?, others))) {
            Ok((made, others)) => {
                for line in &made.left_out {
                    self.page.leave_out(line.clone());
                }
                self.others.push((file.clone(), made.text));
                self.others.extend(others);
            }
            Err(why) => self.faults.push(why),
        }
        file
    }

    /// The items of a `foreach` as a matrix.
    fn rounds(
        &mut self,
        step: &Step,
        said: &ValueMap,
        items: &Value,
        ancestors: &BTreeSet<String>,
        path: &str,
    ) -> Option<Value> {
        match items {
            Value::Array(items) if items.len() <= ITEMS_MAX => {
                Some(self.matrix(items.clone(), said.get("max_concurrent"), path))
            }
            Value::String(text) => {
                let own = (step.name.as_str(), step.other_name.as_deref());
                let scope =
                    Scope { import: self, ancestors, own, env: &[], has_item: false, is_nested: false };
                let found = parts(text, Names::Own, &scope);
                let [super::values::Part::Value(expression)] = found.as_slice() else {
                    self.refuse(path, "`items` is a list, or one reference to a list");
                    return None;
                };
                let body = said.get("steps").map(Value::to_string).unwrap_or_default();
                for key in ["index", "key"] {
                    if body.contains(&format!("${{foreach.{key}}}")) {
                        let why = format!("`${{foreach.{key}}}` of items that are known only when it runs");
                        self.refuse(path, &why);
                    }
                }
                let expression =
                    format!("fromJSON(format('{{1}}\"item\":{{0}}{{2}}', {expression}, '{{', '}}'))");
                Some(format!("${{{{ {expression} }}}}").into())
            }
            _ => {
                self.refuse(path, "`items` is a list of at most 1000 items");
                None
            }
        }
    }

    /// The body of a `foreach` as a workflow of its own, called for each item.
    pub(super) fn foreach(&mut self, step: &Step, ancestors: &BTreeSet<String>) -> ValueMap {
        let path = format!("{}.foreach", step.path);
        let Some(said) = step.body.get("foreach").and_then(Value::as_object) else {
            self.refuse(&path, "`foreach` is a mapping");
            return ValueMap::new();
        };
        self.keys(said, &path, file::FOREACH);
        let item = foreign::text_at(said, "as").unwrap_or_else(|| "item".to_owned());
        let steps = said.get("steps").and_then(Value::as_array).filter(|steps| !steps.is_empty());
        let is_item = super::top::is_name(&item) && item != "index" && item != "key";
        let (Some(steps), true, Some(items)) = (steps, is_item, said.get("items")) else {
            self.refuse(
                &path,
                "`foreach` needs `items`, `steps` and a name of the item that is not `index` or `key`",
            );
            return ValueMap::new();
        };
        if items.as_array().is_some_and(Vec::is_empty) {
            let name = one_line(&step.name);
            self.lose(&path, &format!("{name} has no items: nothing is done"));
            return one("wait", "0s");
        }
        let Some(matrix) = self.rounds(step, said, items, ancestors, &path) else {
            return ValueMap::new();
        };
        if said.contains_key("key") {
            self.lose(&format!("{path}.key"), &format!("`{path}.key`: the key of an item is its place"));
        }
        let is_static = matrix.is_object();
        let own_ids: BTreeSet<&str> = steps.iter().filter_map(|step| step.get("id")?.as_str()).collect();
        let mut with = ValueMap::new();
        let mut inner = ValueMap::new();
        for (name, found) in self.params.clone() {
            if let Some(text) = with_holes(&found) {
                with.insert(name.clone(), text.into());
                inner.insert(name, "".into());
            }
        }
        let mut body = Value::Array(steps.clone());
        for done in self.done.iter().filter(|done| ancestors.contains(&done.id)) {
            let Some(id) = done.other_name.as_deref().filter(|id| !own_ids.contains(id)) else { continue };
            for (name, expression) in &done.outputs {
                let reference = format!("${{steps.{id}.outputs.{name}}}");
                if body.to_string().contains(&reference) {
                    let param = format!("steps_{id}_{name}").replace('-', "_");
                    replace(&mut body, &reference, &format!("${{params.{param}}}"));
                    with.insert(param.clone(), format!("${{{{ {expression} }}}}").into());
                    inner.insert(param, "".into());
                }
            }
        }
        with.insert("foreach_item".to_owned(), "${{ matrix.item }}".into());
        if is_static {
            with.insert("foreach_index".to_owned(), "${{ matrix.index }}".into());
            with.insert("foreach_key".to_owned(), "${{ matrix.key }}".into());
        }
        let mut root = ValueMap::from_iter([
            ("name".to_owned(), format!("{} of {}", step.name, self.name()).into()),
            ("steps".to_owned(), body),
        ]);
        let outer = [
            "env",
            "consts",
            "secrets",
            "dotenv",
            "shell",
            "shell_args",
            "working_dir",
            "container",
            "ssh",
            "worker_selector",
            "resources",
            "defaults",
            "type",
        ];
        for key in outer {
            if let Some(value) = self.document.root.get(key) {
                root.insert(key.to_owned(), value.clone());
            }
        }
        if !inner.is_empty() {
            root.insert("params".to_owned(), inner.into());
        }
        let file = self.body(step, root, item, &path);
        let mut keys = one("workflow", format!("./{file}"));
        keys.insert("with".to_owned(), with.into());
        keys.insert("matrix".to_owned(), matrix);
        self.around_call(step, &mut keys);
        keys
    }
}

/// A text as a value of the type that a parameter has, since Dagu reads `count=5` as a number where one is declared. A text that is no
/// such value stays one, for the checker.
fn typed(text: String, kind: &str) -> Value {
    let value = cuelight_base::read_json::<Value>(text.trim()).ok();
    let fits = |value: &Value| match kind {
        "integer" | "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => false,
    };
    value.filter(fits).unwrap_or_else(|| text.into())
}

/// Parameters for a workflow by name; those without one by their place.
fn named(given: &Value, params: &[String]) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let place = |at: usize| params.get(at).cloned().unwrap_or_else(|| format!("PARAM_{}", at + 1));
    match given {
        Value::Object(map) => {
            out.extend(map.iter().filter_map(|(key, value)| Some((key.clone(), foreign::text(value)?))));
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::Object(map) => out.extend(named(&Value::Object(map.clone()), params)),
                    other => {
                        let text = foreign::text(other).unwrap_or_default();
                        match text.split_once('=') {
                            Some((name, value)) => {
                                out.push((name.to_owned(), value.trim_matches('"').to_owned()))
                            }
                            None => out.push((place(out.len()), text)),
                        }
                    }
                }
            }
        }
        other => {
            for word in words(&foreign::text(other).unwrap_or_default()) {
                match word.split_once('=') {
                    Some((name, value)) => out.push((name.to_owned(), value.trim_matches('"').to_owned())),
                    None => out.push((place(out.len()), word.trim_matches('"').to_owned())),
                }
            }
        }
    }
    out
}

/// Items of a text: a list of JSON, or words.
fn tokens(text: &str) -> Option<Vec<Value>> {
    if text.contains('$') {
        return None;
    }
    if let Ok(value) = cuelight_base::read_json::<Value>(text) {
        return Some(match value {
            Value::Array(items) => items,
            other => vec![other],
        });
    }
    let parted: String = text.chars().map(|c| if ",;|".contains(c) { ' ' } else { c }).collect();
    Some(words(&parted).into_iter().map(|word| without_holes(word.trim_matches('"')).into()).collect())
}

fn replace(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) => *text = text.replace(from, to),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, from, to)),
        Value::Object(map) => map.values_mut().for_each(|item| replace(item, from, to)),
        _ => {}
    }
}
