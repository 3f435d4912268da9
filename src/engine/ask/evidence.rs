//! The evidence of an ask: files as they were looked at, and texts made from templates.

use super::texts;
use crate::{Evidence, call::Unresolved, condition::View};
use cuelight_base::{Value, ValueMap, sha256};
use cuelight_expression::Template;
use cuelight_plan::GateRule;

/// The files that have to be looked at before a gate can ask.
pub(crate) fn evidence_files(rule: &GateRule) -> Vec<String> {
    rule.evidence.iter().filter(|text| !text.contains("${{")).cloned().collect()
}

/// The evidence: the copies that a gate answers for, then the entries of the file.
pub(super) fn evidence(
    views: &[View<'_>],
    rule: &GateRule,
    copies: Option<&[ValueMap]>,
) -> Result<Vec<Evidence>, Unresolved> {
    let facts = views[0].run.step(views[0].step).facts.as_deref();
    let mut out = Vec::new();
    if let Some(copies) = copies {
        let lines: Vec<String> = copies.iter().map(|copy| Value::Object(copy.clone()).to_string()).collect();
        let text = if lines.is_empty() { "no copies".to_owned() } else { lines.join("\n") };
        out.push(evident("matrix".to_owned(), text));
    }
    for source in &rule.evidence {
        if !source.contains("${{") {
            let file = facts.and_then(|facts| facts.files.iter().find(|file| file.path == *source));
            out.push(Evidence {
                title: source.clone(),
                text: None,
                digest: file.and_then(|file| file.digest),
                bytes: file.map_or(0, |file| file.bytes),
                problem: file
                    .map_or_else(|| Some("was not looked at".to_owned()), |file| file.problem.clone()),
            });
            continue;
        }
        let title = Template::parse(source)
            .ok()
            .and_then(|template| template.holes().next().map(|hole| hole.source.trim().to_owned()))
            .unwrap_or_default();
        out.extend(texts(views, source)?.into_iter().map(|text| evident(title.clone(), text)));
    }
    Ok(out)
}

pub(super) fn evident(title: String, text: String) -> Evidence {
    let digest = Some(sha256("cuelight-text-v1", &[text.as_bytes()]));
    Evidence { title, bytes: text.len() as u64, text: Some(text), digest, problem: None }
}
