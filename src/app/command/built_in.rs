//! The hidden command behind tools that are programs of their own, because they may work for ever or ask a database:
//! JSON on standard input, results into `$CUELIGHT_OUTPUT`. Each is held to limits of its own before it reads anything.

use crate::{
    config::Config,
    exit::{Outcome, Trouble},
};
use cuelight_base::{
    BUILT_IN_CPU_MAX, BUILT_IN_DEPTH_MAX, BUILT_IN_MEMORY_BYTES_MAX, BUILT_IN_STACK_BYTES, BUILT_IN_TIME_MAX,
    Digest, KILL_GRACE, Value, ValueMap,
};
use cuelight_expression::{MapLookup, Template};
use cuelight_store::query_database;
use cuelight_tool::{read_evidence, workspace_file};
use jaq_core::{
    Compiler, Ctx, Vars, data,
    load::{Arena, File, Loader},
    unwrap_valr,
};
use jaq_json::{Val, read};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    fs::OpenOptions,
    io::{Read as _, Write as _, stdin},
    path::Path,
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
};

/// Bytes of the input of a tool: what a step can give, and its line end.
const INPUT_BYTES_MAX: u64 = cuelight_base::OUTPUT_BYTES_MAX as u64 + 1;
/// Results of one query.
const RESULTS_MAX: usize = 10_000;
/// Bytes of a template.
const TEMPLATE_BYTES_MAX: u64 = 512 * 1024;

pub(super) fn built_in(config: &Config, name: &str) -> Outcome {
    let failed = Trouble::failed;
    limit().map_err(|error| failed(format!("could not limit {name}: {error}; see `ulimit -a`")))?;
    let mut text = String::new();
    let read = stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| failed(format!("could not read the input: {error}")))?;
    let input: ValueMap = serde_json::from_str(&text)
        .map_err(|error| failed(format!("could not read the input as JSON: {error}")))?;
    let (told, answer) = mpsc::sync_channel(1);
    let (here, tool) = (config.here.clone(), name.to_owned());
    let work = move || {
        let outputs = match tool.as_str() {
            "json.query" => query(&input),
            "template.render" => render(&here, &input),
            "sqlite.query" => rows(&here, &input),
            _ => Err(format!("could not do {tool}: there is no such tool; see `cuelight tool list`")),
        };
        // Whoever waits for it is gone when its time was up.
        drop(told.send(outputs));
    };
    // A stack of a size that is known, whatever `ulimit -s` says: values are nested, and the kernel counts it as memory.
    let worker = thread::Builder::new().stack_size(BUILT_IN_STACK_BYTES).spawn(work);
    drop(
        worker
            .map_err(|error| failed(format!("could not begin {name}: {error}; run fewer steps at once")))?,
    );
    let most = BUILT_IN_TIME_MAX;
    match answer.recv_timeout(most.to_std()) {
        Ok(outputs) => {
            write(config, &outputs.map_err(failed)?).map_err(failed)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(RecvTimeoutError::Timeout) => Err(failed(format!(
            "{name} needed longer than {most}; ask for less, or see who holds what it waits for"
        ))),
        Err(RecvTimeoutError::Disconnected) => {
            Err(failed(format!("could not do {name}: a fault of cuelight")))
        }
    }
}

/// Holds this process to the memory and the processor time of a built-in tool. Its end by either is put into words by the side that
/// called it (`tool/process/outcome.rs`), since a process without memory can say nothing.
fn limit() -> rustix::io::Result<()> {
    let memory = BUILT_IN_MEMORY_BYTES_MAX + BUILT_IN_STACK_BYTES as u64;
    let cpu = BUILT_IN_CPU_MAX.to_std().as_secs();
    for (resource, soft, hard) in [
        // Not the address space: the allocator reserves more of it than it ever uses.
        (Resource::Data, memory, memory),
        (Resource::Cpu, cpu, cpu + KILL_GRACE.to_std().as_secs()),
        (Resource::Core, 0, 0),
    ] {
        let now = getrlimit(resource);
        let narrower = |soft: u64, now: Option<u64>| Some(now.map_or(soft, |now| soft.min(now)));
        let (current, maximum) = (narrower(soft, now.current), narrower(hard, now.maximum));
        setrlimit(resource, Rlimit { current, maximum })?;
    }
    Ok(())
}

/// Runs a jq program on a value and returns its results.
fn query(input: &ValueMap) -> Result<ValueMap, String> {
    let program = text(input, "query");
    let wrong = |why: String| format!("could not read the query {program:?}: {why}");
    let data = input.get("data").unwrap_or(&Value::Null).to_string();
    let data =
        read::parse_single(data.as_bytes()).map_err(|error| format!("could not read `data`: {error}"))?;
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let loaded = Loader::new(definitions).load(&arena, File { code: program, path: () });
    let modules = loaded.map_err(|_| wrong("it is no jq program; see its brackets and pipes".to_owned()))?;
    let filter = Compiler::default().with_funs(functions).compile(modules);
    let filter =
        filter.map_err(|_| wrong("it calls a function or names a variable that is not there".to_owned()))?;
    let context = Ctx::<data::JustLut<Val>>::new(&filter.lut, Vars::new([]));
    let mut values: Vec<Value> = Vec::new();
    for result in filter.id.run((context, data)).map(unwrap_valr) {
        let value = result.map_err(|error| format!("could not answer the query: {error}"))?;
        if values.len() == RESULTS_MAX {
            return Err(format!(
                "could not answer the query: it has more than {RESULTS_MAX} results; collect them with [ ]"
            ));
        }
        if is_nested_deeper(&value, BUILT_IN_DEPTH_MAX) {
            // To take it apart would use up the stack; the process ends now.
            std::mem::forget(value);
            return Err(format!(
                "could not answer the query: a result is nested deeper than {BUILT_IN_DEPTH_MAX}; narrow the filter"
            ));
        }
        let read = serde_json::from_str(&value.to_string());
        values.push(read.map_err(|_| format!("could not answer the query: {value} is no JSON value"))?);
    }
    Ok(ValueMap::from_iter([
        ("value".to_owned(), values.first().cloned().unwrap_or(Value::Null)),
        ("count".to_owned(), values.len().into()),
        ("values".to_owned(), Value::Array(values)),
    ]))
}

fn is_nested_deeper(value: &Val, levels: usize) -> bool {
    let is_deeper = |item: &Val| levels == 0 || is_nested_deeper(item, levels - 1);
    match value {
        Val::Arr(items) => items.iter().any(is_deeper),
        Val::Obj(map) => map.values().any(is_deeper),
        _ => false,
    }
}

/// A template file with its expressions filled in.
fn render(here: &Path, input: &ValueMap) -> Result<ValueMap, String> {
    let path = text(input, "path");
    let bytes = read_evidence(here, path, TEMPLATE_BYTES_MAX)?;
    let source =
        String::from_utf8(bytes).map_err(|_| format!("could not read {path}: it is no UTF-8 text"))?;
    let wrong = |why: String| format!("could not render {path}: {why}");
    let template = Template::parse(&source).map_err(|error| wrong(error.to_string()))?;
    let values = input.get("values").cloned().unwrap_or_default();
    let lookup = MapLookup::new(ValueMap::from_iter([("values".to_owned(), values)]));
    let text = template.evaluate_text(&lookup).map_err(|error| wrong(error.to_string()))?;
    Ok(ValueMap::from_iter([
        ("sha256".to_owned(), Digest::of(&text).to_string().into()),
        ("text".to_owned(), text.into()),
    ]))
}

/// The rows of a statement.
fn rows(here: &Path, input: &ValueMap) -> Result<ValueMap, String> {
    let path = workspace_file(here, text(input, "database"))?;
    let parameters = input.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
    let most = input.get("max-rows").and_then(Value::as_u64).unwrap_or(1000);
    let found =
        query_database(&path, text(input, "sql"), &parameters, usize::try_from(most).unwrap_or(usize::MAX))?;
    Ok(ValueMap::from_iter([
        ("count".to_owned(), found.len().into()),
        ("rows".to_owned(), found.into_iter().map(Value::Object).collect()),
    ]))
}

fn text<'a>(input: &'a ValueMap, name: &str) -> &'a str {
    input.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Texts as blocks, whose end stands in none of them; everything else as JSON on a line. Without the file, on the output.
pub(super) fn write(config: &Config, outputs: &ValueMap) -> Result<(), String> {
    let mut lines = String::new();
    for (name, value) in outputs {
        match value {
            Value::String(text) => {
                let mut end = "END".to_owned();
                while text.contains(&end) {
                    end.push('_');
                }
                lines.push_str(&format!("{name}<<{end}\n{text}\n{end}\n"));
            }
            other => lines.push_str(&format!("{name}={other}\n")),
        }
    }
    let Some(path) = config.variable("CUELIGHT_OUTPUT") else {
        return Err(
            "could not give the result: this command is called by tools; use `cuelight tool test`".to_owned()
        );
    };
    let mut file = OpenOptions::new()
        .append(true)
        .open(path)
        .map_err(|error| format!("could not write {path}: {error}"))?;
    file.write_all(lines.as_bytes()).map_err(|error| format!("could not write {path}: {error}"))
}
