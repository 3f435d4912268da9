//! The shapes of the keys that an import of GitHub or Argo reads. A file with another shape is refused.
//! Otherwise the key would count as absent, although it may guard a step.

use super::page::one_line;
use cuelight_base::{Value, ValueMap, type_name};

/// The shape of the value of a key. Every key may have no value (`null`).
pub(super) enum Shape {
    /// A text, a number or a boolean.
    Text,
    /// A list of such.
    List(&'static Self),
    /// A mapping with free keys.
    Each(&'static Self),
    /// A mapping; the keys that are not listed are for others.
    Object(&'static [Key]),
    /// A value of one of these shapes.
    Either(&'static [Self]),
    /// The same as elsewhere.
    Same(&'static Self),
    /// Any value: the code that reads it also judges it.
    Any,
}

/// A key, and what stands behind it.
pub(super) type Key = (&'static str, Shape);

use Shape::{Any, Each, Either, List, Object, Same, Text};

/// Refuses a value of a shape that its key does not have.
///
/// # Errors
/// The place and the shape that belongs there, as a whole sentence.
pub(super) fn check(root: &ValueMap, keys: &'static [Key], from: &str) -> Result<(), String> {
    match first_misfit(root, keys) {
        None => Ok(()),
        Some((_, why)) => Err(format!("could not import {from}: {why}")),
    }
}

/// The first value of a shape that its key does not have: its path, and what is wrong with it.
pub(super) fn first_misfit(root: &ValueMap, keys: &'static [Key]) -> Option<(String, String)> {
    let (path, is, wanted) = misfit_of(root, keys)?;
    let path = path.trim_start_matches('.').to_owned();
    let shown = one_line(&path);
    let why =
        format!("`{shown}` is of type {is}, and {wanted} belongs there; correct it, since it would be lost");
    Some((path, why))
}

/// The path of a value, its type and the wanted type.
type Misfit = (String, &'static str, String);

fn misfit_of(map: &ValueMap, keys: &[Key]) -> Option<Misfit> {
    keys.iter().find_map(|(key, shape)| below(format!(".{key}"), map.get(*key)?, shape))
}

fn below(at: String, value: &Value, shape: &Shape) -> Option<Misfit> {
    misfit(value, shape).map(|(path, is, wanted)| (at + &path, is, wanted))
}

fn misfit(value: &Value, shape: &Shape) -> Option<Misfit> {
    let wrong = || Some((String::new(), type_name(value), name(shape)));
    match (shape, value) {
        (Any, _) | (_, Value::Null) | (Text, Value::String(_) | Value::Bool(_) | Value::Number(_)) => None,
        (Same(shape), _) => misfit(value, shape),
        (List(shape), Value::Array(items)) => {
            items.iter().enumerate().find_map(|(place, item)| below(format!("[{place}]"), item, shape))
        }
        (Each(shape), Value::Object(map)) => {
            map.iter().find_map(|(key, value)| below(format!(".{key}"), value, shape))
        }
        (Object(keys), Value::Object(map)) => misfit_of(map, keys),
        // What is wrong inside is said of the shape that it has.
        (Either(shapes), _) => {
            let found: Vec<_> = shapes.iter().map(|shape| misfit(value, shape)).collect();
            if found.iter().any(Option::is_none) {
                return None;
            }
            found.into_iter().flatten().find(|misfit| !misfit.0.is_empty()).or_else(wrong)
        }
        _ => wrong(),
    }
}

fn name(shape: &Shape) -> String {
    match shape {
        Text => "a text".to_owned(),
        Any => "anything".to_owned(),
        List(_) => "a list".to_owned(),
        Each(_) | Object(_) => "a mapping".to_owned(),
        Same(shape) => name(shape),
        Either(shapes) => shapes.iter().map(name).collect::<Vec<_>>().join(" or "),
    }
}

/// One text, or several.
static TEXTS: Shape = Either(&[Text, List(&Text)]);
/// A mapping of texts, or an expression that gives one.
static VALUES: Shape = Either(&[Text, Each(&Text)]);

static GITHUB_DEFAULTS: Shape = Object(&[("run", Object(&[("shell", Text), ("working-directory", Text)]))]);
static GITHUB_GROUP: Shape = Either(&[Text, Object(&[("group", Text), ("cancel-in-progress", Text)])]);
static GITHUB_IMAGE: Shape =
    Either(&[Text, Object(&[("image", Text), ("env", Same(&VALUES)), ("options", Text)])]);
static GITHUB_STEP: Shape = Object(&[
    ("id", Text),
    ("if", Text),
    ("name", Text),
    ("uses", Text),
    ("run", Text),
    ("working-directory", Text),
    ("shell", Text),
    ("with", Same(&VALUES)),
    ("env", Same(&VALUES)),
    ("continue-on-error", Text),
    ("timeout-minutes", Text),
    ("background", Text),
    ("parallel", List(&GITHUB_STEP)),
]);
static GITHUB_JOB: Shape = Object(&[
    ("name", Text),
    ("needs", Same(&TEXTS)),
    ("permissions", Same(&VALUES)),
    ("runs-on", Either(&[Text, List(&Text), Object(&[("group", Same(&TEXTS)), ("labels", Same(&TEXTS))])])),
    ("environment", Either(&[Text, Object(&[("name", Text)])])),
    ("outputs", Each(&Text)),
    ("env", Same(&VALUES)),
    ("defaults", Same(&GITHUB_DEFAULTS)),
    ("if", Text),
    ("steps", List(&GITHUB_STEP)),
    ("timeout-minutes", Text),
    (
        "strategy",
        Object(&[("matrix", Either(&[Text, Object(&[])])), ("max-parallel", Text), ("fail-fast", Text)]),
    ),
    ("continue-on-error", Text),
    ("container", Same(&GITHUB_IMAGE)),
    ("services", Either(&[Text, Each(&GITHUB_IMAGE)])),
    ("concurrency", Same(&GITHUB_GROUP)),
    ("uses", Text),
    ("with", Same(&VALUES)),
    ("secrets", Same(&VALUES)),
]);
static GITHUB_INPUT: Shape = Object(&[
    ("type", Text),
    ("description", Text),
    ("options", Same(&TEXTS)),
    ("default", Text),
    ("required", Text),
]);

/// A workflow of GitHub Actions.
pub(super) static GITHUB: [Key; 7] = [
    ("name", Text),
    (
        "on",
        Either(&[
            Text,
            List(&Text),
            Object(&[
                ("schedule", List(&Object(&[("cron", Text), ("timezone", Text)]))),
                ("workflow_dispatch", Object(&[("inputs", Each(&GITHUB_INPUT))])),
                (
                    "workflow_call",
                    Object(&[
                        ("inputs", Each(&GITHUB_INPUT)),
                        ("outputs", Each(&Object(&[("value", Text)]))),
                        ("secrets", Each(&Object(&[]))),
                    ]),
                ),
            ]),
        ]),
    ),
    ("permissions", Same(&VALUES)),
    ("env", Same(&VALUES)),
    ("defaults", Same(&GITHUB_DEFAULTS)),
    ("concurrency", Same(&GITHUB_GROUP)),
    ("jobs", Each(&GITHUB_JOB)),
];

static ARGO_PARAMETERS: Shape = Object(&[(
    "parameters",
    List(&Object(&[
        ("name", Text),
        ("value", Text),
        ("default", Text),
        ("enum", List(&Text)),
        ("description", Text),
        ("valueFrom", Object(&[("path", Text), ("parameter", Text)])),
    ])),
)]);
static ARGO_CONTAINER: Shape = Object(&[
    ("image", Text),
    ("imagePullPolicy", Text),
    ("command", Same(&TEXTS)),
    ("args", Same(&TEXTS)),
    ("source", Text),
    ("workingDir", Text),
    ("env", List(&Object(&[("name", Text), ("value", Text), ("valueFrom", Object(&[]))]))),
    ("securityContext", Object(&[("capabilities", Object(&[("drop", List(&Text))]))])),
    ("resources", Object(&[("limits", Each(&Text)), ("requests", Each(&Text))])),
]);
static ARGO_TASK: Shape = Object(&[
    ("name", Text),
    ("template", Text),
    ("templateRef", Object(&[("name", Text)])),
    ("inline", Same(&ARGO_TEMPLATE)),
    ("arguments", Same(&ARGO_PARAMETERS)),
    ("when", Text),
    ("depends", Text),
    ("dependencies", Same(&TEXTS)),
    ("withItems", List(&Any)),
    ("withParam", Text),
    ("withSequence", Each(&Text)),
    ("continueOn", Each(&Text)),
    ("onExit", Text),
]);
static ARGO_TEMPLATE: Shape = Object(&[
    ("name", Text),
    ("steps", List(&Either(&[List(&ARGO_TASK), Same(&ARGO_TASK)]))),
    ("dag", Object(&[("tasks", List(&ARGO_TASK)), ("target", Text), ("failFast", Text)])),
    ("container", Same(&ARGO_CONTAINER)),
    ("script", Same(&ARGO_CONTAINER)),
    (
        "http",
        Object(&[
            ("url", Text),
            ("method", Text),
            ("body", Text),
            ("timeoutSeconds", Text),
            ("successCondition", Text),
            ("headers", List(&Object(&[("name", Text), ("value", Text)]))),
        ]),
    ),
    (
        "resource",
        Object(&[("action", Text), ("manifest", Text), ("mergeStrategy", Text), ("flags", List(&Text))]),
    ),
    ("suspend", Object(&[("duration", Text)])),
    ("inputs", Same(&ARGO_PARAMETERS)),
    ("outputs", Same(&ARGO_PARAMETERS)),
    (
        "retryStrategy",
        Object(&[("limit", Text), ("retryPolicy", Text), ("expression", Text), ("backoff", Each(&Text))]),
    ),
    ("timeout", Text),
    ("activeDeadlineSeconds", Text),
    ("parallelism", Text),
    ("nodeSelector", Each(&Text)),
    ("securityContext", Object(&[])),
    ("synchronization", Object(&[])),
    ("executor", Object(&[("serviceAccountName", Text)])),
    ("serviceAccountName", Text),
    ("initContainers", List(&Object(&[("name", Text), ("image", Text)]))),
    ("sidecars", List(&Object(&[("name", Text), ("image", Text)]))),
]);
static ARGO_SPEC: Shape = Object(&[
    ("entrypoint", Text),
    ("onExit", Text),
    ("arguments", Same(&ARGO_PARAMETERS)),
    ("templates", List(&ARGO_TEMPLATE)),
    ("templateDefaults", Same(&ARGO_TEMPLATE)),
    ("parallelism", Text),
    ("activeDeadlineSeconds", Text),
    ("suspend", Text),
    ("shutdown", Text),
    ("serviceAccountName", Text),
    ("executor", Object(&[("serviceAccountName", Text)])),
    ("nodeSelector", Each(&Text)),
    ("securityContext", Object(&[])),
    ("synchronization", Object(&[])),
    ("workflowTemplateRef", Object(&[("name", Text)])),
    // Of a cron workflow.
    ("workflowSpec", Same(&ARGO_SPEC)),
    ("schedule", Text),
    ("schedules", List(&Text)),
    ("timezone", Text),
    ("concurrencyPolicy", Text),
    ("startingDeadlineSeconds", Text),
    ("when", Text),
]);

/// A workflow of Argo.
pub(super) static ARGO: [Key; 4] = [
    ("kind", Text),
    ("apiVersion", Text),
    ("metadata", Object(&[("name", Text), ("generateName", Text)])),
    ("spec", Same(&ARGO_SPEC)),
];

static DAGU_SCALED: Shape = Object(&[
    ("limit", Text),
    ("interval_sec", Text),
    ("backoff", Text),
    ("max_interval_sec", Text),
    ("repeat", Text),
    ("condition", Text),
    ("expected", Text),
    ("exit_code", Same(&TEXTS)),
]);
static DAGU_COMMAND: Shape = Object(&[("command", Same(&TEXTS)), ("args", Same(&TEXTS))]);
/// A step of Dagu, in the spelling of today.
pub(super) static DAGU_STEP: [Key; 28] = [
    ("name", Text),
    ("id", Text),
    ("description", Text),
    ("working_dir", Text),
    ("run", Same(&TEXTS)),
    ("action", Text),
    ("command", Same(&TEXTS)),
    ("args", Same(&TEXTS)),
    ("exec", Same(&DAGU_COMMAND)),
    ("shell", Same(&TEXTS)),
    ("shell_args", Same(&TEXTS)),
    ("script", Text),
    ("stdout", Either(&[Text, Object(&[])])),
    ("stderr", Either(&[Text, Object(&[])])),
    ("output", Either(&[Text, Object(&[])])),
    ("outputs", List(&Object(&[("name", Text), ("type", Text)]))),
    ("depends", Same(&TEXTS)),
    ("continue_on", Either(&[Text, Object(&[])])),
    ("retry_policy", Same(&DAGU_SCALED)),
    ("repeat_policy", Same(&DAGU_SCALED)),
    ("timeout_sec", Text),
    ("call", Text),
    ("foreach", Object(&[("as", Text), ("steps", List(&Any))])),
    ("type", Text),
    ("with", Object(&[])),
    (
        "approval",
        Either(&[
            Text,
            Object(&[
                ("prompt", Text),
                ("input", Same(&TEXTS)),
                ("required", Same(&TEXTS)),
                ("rewind_to", Text),
            ]),
        ]),
    ),
    ("value", Text),
    ("routes", Each(&TEXTS)),
];

/// A workflow of Dagu; what is not listed is judged where it is read.
pub(super) static DAGU: [Key; 16] = [
    ("name", Text),
    ("description", Text),
    ("dotenv", Same(&TEXTS)),
    ("working_dir", Text),
    ("catchup_window", Text),
    ("overlap_policy", Text),
    ("type", Text),
    (
        "secrets",
        List(&Object(&[
            ("name", Text),
            ("ref", Text),
            ("provider", Text),
            ("key", Text),
            ("options", Object(&[])),
        ])),
    ),
    ("timeout_sec", Text),
    ("delay_sec", Text),
    ("max_active_steps", Text),
    ("max_active_runs", Text),
    ("queue", Text),
    ("run_config", Object(&[("disable_param_edit", Text), ("disable_run_id_edit", Text)])),
    ("shell", Same(&TEXTS)),
    ("shell_args", Same(&TEXTS)),
];
