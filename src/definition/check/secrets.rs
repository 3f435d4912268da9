//! Secrets: named, handed over in `env` alone, and never said aloud.

use crate::{
    Diagnostic, Place, Source, StepKind, Text, Workflow,
    diagnostic::Findings,
    read::locate,
    reference::{Reading, Site, readings, top_readings},
    spelling::suggest,
};
use cuelight_expression::Reference;

/// Secrets that a workflow names and that cannot be had here: each with why. A run in which a step is sure to need one is refused.
pub fn check_secrets(
    workflow: &Workflow,
    text: &str,
    trouble: &dyn Fn(&str) -> Option<String>,
) -> Vec<Diagnostic> {
    let source = Source::new(text);
    let mut findings = Findings::new(&workflow.file, &source);
    for name in &workflow.secrets {
        if let Some(why) = trouble(&name.value) {
            findings.note("secret", name.place, why);
        }
    }
    findings.finish()
}

pub(super) fn check(workflow: &Workflow, findings: &mut Findings<'_>) {
    for step in &workflow.steps {
        readings(step, &mut |value| reading(workflow, findings, &value));
        if let StepKind::Run(run) = &step.kind {
            let names: Vec<&str> =
                secret_variables(&step.env).chain(secret_variables(&workflow.env)).collect();
            said_aloud(findings, &run.script.source, &names);
        }
    }
    top_readings(workflow, &mut |_, value| reading(workflow, findings, &value));
}

fn reading(workflow: &Workflow, findings: &mut Findings<'_>, reading: &Reading<'_>) {
    for reference in
        reading.expr.references().iter().filter(|reference| reference.root.eq_ignore_ascii_case("secrets"))
    {
        let place = |findings: &Findings<'_>| {
            let range = reading.inner + reference.span.start..reading.inner + reference.span.end;
            locate(findings, reading.place, reading.text, range)
        };
        let is_hole = reference.span == (0..reading.expr.source().len());
        let may = match reading.site {
            Site::Env => reading.is_alone && is_hole,
            Site::Request => is_hole,
            _ => false,
        };
        if !may || reference.path.len() != 1 || reference.is_open {
            let place = place(findings);
            misplaced(findings, reading, reference, place);
        }
        let Some(name) = reference.path.first() else { continue };
        if !workflow.secrets.iter().any(|secret| secret.value.eq_ignore_ascii_case(name)) {
            let place = place(findings);
            unknown(workflow, findings, name, place);
        }
    }
}

fn misplaced(findings: &mut Findings<'_>, reading: &Reading<'_>, reference: &Reference, place: Place) {
    let message = match reading.site {
        Site::Script => "a secret in a script may end in the log",
        Site::Env => "a secret stands alone as a value of `env`",
        Site::Request => "a secret stands alone in its `${{ }}`",
        _ => "a secret may stand in `env`, and in address and header fields of `http`, only",
    };
    let name = reference.path.first().map_or("NAME", String::as_str);
    findings
        .error("secret", place, message)
        .help(format!("write env: {{{name}: \"${{{{ secrets.{name} }}}}\"}} and read the variable ${name}"));
}

fn unknown(workflow: &Workflow, findings: &mut Findings<'_>, name: &str, place: Place) {
    let known = workflow.secrets.iter().map(|secret| secret.value.as_str());
    let near = suggest(name, known);
    let found = findings.error("unknown-secret", place, format!("there is no secret `{name}`"));
    match near {
        Some(near) => found.label(format!("did you mean `{near}`?")),
        None => found.help(format!("name it at the top: secrets: [{name}]")),
    };
}

/// The variables that hold secrets.
fn secret_variables(env: &[(String, Text)]) -> impl Iterator<Item = &str> {
    env.iter().filter(|(_, text)| holds_secret(text)).map(|(name, _)| name.as_str())
}

/// The values that do.
pub(super) fn secret_texts(env: &[(String, Text)]) -> impl Iterator<Item = &Text> {
    env.iter().map(|pair| &pair.1).filter(|text| holds_secret(text))
}

fn holds_secret(text: &Text) -> bool {
    text.value.contains("${{") && text.value.to_lowercase().contains("secrets.")
}

/// `echo "$TOKEN"` and `set -x`: what would put a secret into the log. It is masked there, and still no good habit.
fn said_aloud(findings: &mut Findings<'_>, script: &Text, names: &[&str]) {
    if names.is_empty() {
        return;
    }
    let mut at = 0;
    for line in script.value.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let command = line.trim();
        let words: Vec<&str> = command.split_whitespace().collect();
        let traces = words.starts_with(&["set"])
            && words.iter().any(|word| word.starts_with('-') && word.contains('x'));
        let prints = matches!(words.first(), Some(&("echo" | "printf"))) && !command.contains(['|', '>']);
        let said = names.iter().find(|name| prints && says(command, name));
        if !traces && said.is_none() {
            continue;
        }
        let begin = start + (line.len() - line.trim_start().len());
        let place = locate(findings, script.place, &script.value, begin..begin + command.len());
        let message = match said {
            Some(name) => format!("this prints the secret in {name}"),
            None => "this prints every command with its secrets".to_owned(),
        };
        findings
            .warning("secret", place, message)
            .help("it is masked in the log; better not to print it at all");
    }
}

fn says(command: &str, name: &str) -> bool {
    command.contains(&format!("${{{name}}}"))
        || command.match_indices(&format!("${name}")).any(|(at, word)| {
            !command[at + word.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        })
}
