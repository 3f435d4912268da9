//! The machine a job of GitHub runs on: as labels that this one must have, each copy of a matrix judged by itself; or as a question,
//! where that is known only while the run goes on, or where the job stands in a container.

use super::{jobs::Job, words::Words};
use crate::{foreign, page::Page};
use cuelight_base::{Value, ValueMap};
use cuelight_expression::Template;

/// The container and other surroundings of a job at GitHub that no label names.
pub(super) fn elsewhere(body: &ValueMap, is_judged: bool) -> Option<String> {
    let of = |container: &Value| {
        foreign::text(container).or_else(|| foreign::text_at(container.as_object()?, "image"))
    };
    let mut parts = Vec::new();
    if let Some(container) = body.get("container") {
        let image = of(container).unwrap_or_default();
        let options = container.as_object().and_then(|fields| foreign::text_at(fields, "options"));
        let options = options.map_or_else(String::new, |options| format!(" with the options {options}"));
        parts.push(format!("in the container {image}{options}"));
    }
    if !is_judged && !is_known_before(body) {
        parts.push(format!("on {}", runners(body).join(", ")));
    }
    let services = foreign::map_at(body, "services").into_iter().flatten();
    let services: Vec<String> = services
        .map(|(name, service)| match of(service) {
            Some(image) => format!("{name} ({image})"),
            None => name.clone(),
        })
        .collect();
    match body.get("services") {
        Some(_) if services.is_empty() => parts.push("beside services".to_owned()),
        _ if !services.is_empty() => parts.push(format!("beside {}", services.join(", "))),
        _ => {}
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The labels that a machine must have to run a job; those of a copy of a matrix are an expression.
pub(super) fn labels(words: &mut Words<'_>, job: &Job<'_>, page: &mut Page) -> Vec<String> {
    if let Some(legs) = &job.legs {
        return legs.labels.clone();
    }
    let mut out: Vec<String> = Vec::new();
    if !is_known_before(job.body) {
        return out;
    }
    for runner in runners(job.body) {
        let label = if runner.contains("${{") {
            let name = words.bare(job, &runner, page);
            Some(format!(
                "${{{{ case(startsWith({name}, 'ubuntu') && contains({name}, '-arm'), 'aarch64', startsWith({name}, 'ubuntu'), 'linux', \
                 startsWith({name}, 'windows'), 'windows', startsWith({name}, 'macos'), 'macos', {name}) }}}}"
            ))
        } else {
            label(&runner)
        };
        out.extend(label.filter(|label| !out.contains(label)));
    }
    out
}

/// The label that stands for a runner of GitHub; none for any machine of one's own.
pub(super) fn label(runner: &str) -> Option<String> {
    let lower = runner.to_lowercase();
    let known = match lower.as_str() {
        "self-hosted" => return None,
        lower if lower.starts_with("ubuntu") && lower.contains("-arm") => "aarch64",
        lower if lower.starts_with("ubuntu") || lower == "linux" => "linux",
        lower if lower.starts_with("windows") => "windows",
        lower if lower.starts_with("macos") => "macos",
        "x64" => "x86_64",
        "arm64" => "aarch64",
        _ => return Some(runner.to_owned()),
    };
    Some(known.to_owned())
}

/// The groups and labels in `runs-on`.
pub(super) fn runners(body: &ValueMap) -> Vec<String> {
    let said = body.get("runs-on");
    match said.and_then(Value::as_object) {
        Some(group) => {
            [group.get("group"), group.get("labels")].into_iter().flat_map(foreign::texts).collect()
        }
        None => foreign::texts(said),
    }
}

/// True if the runner of each copy of a job is known before the run: from its name, the inputs, or a constant
/// matrix.
fn is_known_before(body: &ValueMap) -> bool {
    let matrix = foreign::map_at(body, "strategy").and_then(|strategy| strategy.get("matrix"));
    let is_constant = matrix.is_none_or(|matrix| matrix.is_object() && !matrix.to_string().contains("${{"));
    runners(body).iter().filter(|runner| runner.contains("${{")).all(|runner| {
        !runner.to_lowercase().contains("fromjson")
            && Template::parse(runner).is_ok_and(|template| {
                template.holes().flat_map(|hole| hole.expr.references()).all(|reference| {
                    match reference.root.to_lowercase().as_str() {
                        "matrix" => is_constant && matrix.is_some(),
                        "inputs" | "github" | "vars" => true,
                        _ => false,
                    }
                })
            })
    })
}
