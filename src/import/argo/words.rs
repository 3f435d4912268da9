//! The text between `{{` and `}}` in a workflow of Argo, as expressions of ours.

use crate::page::{Page, variable, without_holes};
use cuelight_expression::parse;
use std::collections::{BTreeMap, BTreeSet};

/// The meaning of names where a template is used.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// Parameters of the template, each as text of ours.
    pub(super) parameters: BTreeMap<String, String>,
    /// Steps or tasks of the template around: by name the id of that which ends it.
    pub(super) steps: BTreeMap<String, String>,
    /// The outputs of templates that have steps of their own: the text of the value, by step name and output.
    pub(super) yields: BTreeMap<(String, String), String>,
}

/// The state of the whole workflow in conditions of an exit handler.
const STATUS: [(&str, &str); 5] = [
    ("run.state == 'Succeeded'", "success()"),
    ("run.state != 'Succeeded'", "!success()"),
    ("run.state == 'Failed'", "failure()"),
    ("run.state == 'Error'", "failure()"),
    ("run.state != 'Failed'", "!failure()"),
];

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    /// An expression of ours, without its braces.
    Hole(String),
}

/// The facts about the whole file that reading its texts needs and finds.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Outputs that somebody wants, by step.
    pub(super) outputs: BTreeMap<String, BTreeSet<String>>,
    /// Steps that are gates: what they yield is filled in there.
    pub(super) gates: BTreeSet<String>,
    pub(super) inputs: BTreeSet<String>,
    /// Bytes of text that were made so far: what is doubled in each template has an end.
    pub(super) bytes: usize,
}

/// Bytes of text that are made of one file.
pub(super) const BYTES_MAX: usize = 8 << 20;

impl Wanted {
    /// A text as ours, with holes.
    pub(super) fn text(&mut self, scope: &Scope, text: &str, page: &mut Page) -> String {
        let pieces = self.pieces(scope, text, page);
        pieces
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Hole(hole) => format!("${{{{ {hole} }}}}"),
            })
            .collect()
    }

    /// A text in its pieces.
    pub(super) fn pieces(&mut self, scope: &Scope, text: &str, page: &mut Page) -> Vec<Piece> {
        let mut out = Vec::new();
        let mut rest = text;
        self.bytes = self.bytes.saturating_add(text.len());
        while let Some((before, after)) = rest.split_once("{{") {
            if self.bytes > BYTES_MAX {
                return out;
            }
            let Some((name, behind)) = after.split_once("}}") else { break };
            push_text(&mut out, before);
            match self.hole(scope, name.trim()) {
                Some(ours) => {
                    self.bytes = self.bytes.saturating_add(ours.len());
                    push_text_of_ours(&mut out, &ours);
                }
                None => {
                    page.leave_out(format!("{{{{{name}}}}}: it stays empty; write what it shall be"));
                }
            }
            rest = behind;
        }
        push_text(&mut out, rest);
        out
    }

    /// Text of ours, with holes, that stands for a name.
    fn hole(&mut self, scope: &Scope, name: &str) -> Option<String> {
        let path: Vec<&str> = name.split('.').collect();
        let expression = match path.as_slice() {
            ["inputs", "parameters", name] => return scope.parameters.get(*name).cloned(),
            ["workflow", "parameters", name] => {
                let name = variable(name);
                self.inputs.contains(&name).then(|| format!("inputs.{name}"))?
            }
            ["workflow", "name" | "uid"] => "run.id".to_owned(),
            ["workflow", "status"] => "run.state".to_owned(),
            ["item"] => "matrix.item".to_owned(),
            ["item", field] => format!("matrix.item.{}", variable(field)),
            ["steps" | "tasks", step, "outputs", rest @ ..] => {
                let output = match rest {
                    ["result"] => "result",
                    ["parameters", name] => name,
                    _ => return None,
                };
                if let Some(text) = scope.yields.get(&((*step).to_owned(), output.to_owned())) {
                    return Some(text.clone());
                }
                let id = scope.steps.get(*step)?;
                let output = variable(output);
                self.outputs.entry(id.clone()).or_default().insert(output.clone());
                let place = if self.gates.contains(id) { "form" } else { "outputs" };
                format!("steps.{id}.{place}.{output}")
            }
            ["steps" | "tasks", step, "status"] => format!("steps.{}.result", scope.steps.get(*step)?),
            _ => return None,
        };
        Some(format!("${{{{ {expression} }}}}"))
    }

    /// The condition behind `when`: comparisons joined by `&&` and `||`. A side without comparison has to be
    /// `true`. None if it is anything else.
    pub(super) fn condition(&mut self, scope: &Scope, text: &str, page: &mut Page) -> Option<String> {
        let tokens = tokens(text)?;
        let mut out = String::new();
        let compares = |at: Option<usize>| {
            at.and_then(|number| tokens.get(number)).is_some_and(|token| matches!(token, Token::Compared(_)))
        };
        for (index, token) in tokens.iter().enumerate() {
            match token {
                Token::Compared(operator) => {
                    let is_side = |at: Option<usize>| {
                        at.and_then(|number| tokens.get(number))
                            .is_some_and(|token| matches!(token, Token::Side(_)))
                    };
                    if !is_side(index.checked_sub(1)) || !is_side(Some(index + 1)) {
                        return None;
                    }
                    out.push_str(&format!(" {operator} "));
                }
                Token::Joined(operator) => out.push_str(&format!(" {operator} ")),
                Token::Bracket(c) => out.push(*c),
                Token::Side(text) => {
                    let side = self.side(scope, text, page)?;
                    let is_compared = compares(index.checked_sub(1)) || compares(Some(index + 1));
                    out.push_str(&if is_compared { side } else { format!("({side}) == 'true'") });
                }
            }
        }
        for (theirs, ours) in STATUS {
            out = out.replace(theirs, ours);
        }
        parse(&out).ok().map(|_| out)
    }

    /// One side of a comparison: a name, or a word.
    fn side(&mut self, scope: &Scope, text: &str, page: &mut Page) -> Option<String> {
        let bare = text.trim_matches(['\'', '"']);
        let has_braces = bare.contains("{{");
        match self.pieces(scope, bare, page).as_slice() {
            // How a step came out has other words here.
            [Piece::Hole(hole)]
                if hole.starts_with("steps.") && hole.ends_with(".result") && is_status(bare) =>
            {
                None
            }
            [Piece::Hole(hole)] => Some(hole.clone()),
            // What is left of a name that is not known would be compared as if it were that.
            _ if has_braces => None,
            [] => Some("''".to_owned()),
            // A bare number is compared as one.
            [Piece::Text(this_text)] if bare == text && this_text.parse::<u32>().is_ok() => {
                Some(this_text.clone())
            }
            [Piece::Text(text)] => Some(format!("'{}'", text.replace('\'', "''"))),
            _ => None,
        }
    }
}

/// A piece of a condition.
#[derive(Debug)]
enum Token {
    Side(String),
    Compared(&'static str),
    Joined(&'static str),
    Bracket(char),
}

/// The pieces of a condition; what stands in braces or quotes holds no operator. None when a quote is open at its end.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut out = Vec::new();
    let mut side = String::new();
    let mut rest = text;
    let end = |side: &mut String, out: &mut Vec<Token>| {
        let said = std::mem::take(side);
        if !said.trim().is_empty() {
            out.push(Token::Side(said.trim().to_owned()));
        }
    };
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        let open = [("{{", "}}"), ("'", "'"), ("\"", "\"")].into_iter().find(|pair| rest.starts_with(pair.0));
        let operator = ["==", "!=", ">=", "<=", "&&", "||", ">", "<"]
            .into_iter()
            .find(|prefix| rest.starts_with(prefix));
        if let Some((open, close)) = open {
            length = open.len() + rest[open.len()..].find(close)? + close.len();
            side.push_str(&rest[..length]);
        } else if let Some(operator) = operator {
            end(&mut side, &mut out);
            let is_joined = operator == "&&" || operator == "||";
            out.push(if is_joined { Token::Joined(operator) } else { Token::Compared(operator) });
            length = operator.len();
        } else if c == '(' || c == ')' {
            end(&mut side, &mut out);
            out.push(Token::Bracket(c));
        } else {
            side.push(c);
        }
        rest = &rest[length..];
    }
    end(&mut side, &mut out);
    Some(out)
}

/// True if a name in braces is the status of a step.
fn is_status(text: &str) -> bool {
    text.trim_start_matches('{').trim_end_matches('}').trim().ends_with(".status")
}

fn push_text(out: &mut Vec<Piece>, text: &str) {
    if text.is_empty() {
        return;
    }
    let text = without_holes(text);
    match out.last_mut() {
        Some(Piece::Text(last)) => last.push_str(&text),
        _ => out.push(Piece::Text(text)),
    }
}

/// Text that is ours already: its holes stay holes.
fn push_text_of_ours(out: &mut Vec<Piece>, text: &str) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let Some((inner, behind)) = after.split_once("}}") else { break };
        push_text(out, before);
        out.push(Piece::Hole(inner.trim().to_owned()));
        rest = behind;
    }
    push_text(out, rest);
}
