//! The functions by name, with the number of their arguments and their effect on values.
//!
//! `case` and the functions that ask the world are in the evaluator, which decides what is evaluated at all.

use super::{
    error::{EvalError, ExprErrorKind},
    value::{Data, View, fold, number_text},
};
use cuelight_base::{OUTPUT_BYTES_MAX, Value};

/// Bytes of all texts that an expression may make while it is evaluated.
pub(super) const TEXT_BYTES_MAX: usize = 10 * OUTPUT_BYTES_MAX;
/// Bytes that `fromJSON` reads: any output of a step fits, and its tree stays far below the memory of a
/// machine.
const JSON_BYTES_MAX: usize = OUTPUT_BYTES_MAX;
/// Depth that `toJSON` writes; as deep as `fromJSON` reads.
const JSON_DEPTH_MAX: usize = 128;

/// A function of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named as it is written")]
pub enum Function {
    Contains,
    StartsWith,
    EndsWith,
    Format,
    Join,
    ToJson,
    FromJson,
    Case,
    HashFiles,
    Success,
    Failure,
    Always,
    Cancelled,
}

/// A function that says how things went so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFunction {
    /// Everything needed has succeeded.
    Success,
    /// Something needed has failed.
    Failure,
    /// True after every result so far.
    Always,
    /// The run is being cancelled.
    Cancelled,
}

/// Name, function, and the least and the most arguments.
const FUNCTIONS: [(&str, Function, usize, usize); 13] = [
    ("contains", Function::Contains, 2, 2),
    ("startsWith", Function::StartsWith, 2, 2),
    ("endsWith", Function::EndsWith, 2, 2),
    ("format", Function::Format, 1, 255),
    ("join", Function::Join, 1, 2),
    ("toJSON", Function::ToJson, 1, 1),
    ("fromJSON", Function::FromJson, 1, 1),
    ("case", Function::Case, 3, 255),
    ("hashFiles", Function::HashFiles, 1, 255),
    ("success", Function::Success, 0, 0),
    ("failure", Function::Failure, 0, 0),
    ("always", Function::Always, 0, 0),
    ("cancelled", Function::Cancelled, 0, 0),
];

impl Function {
    /// The function of this name, in any case of letters.
    pub fn named(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|function| function.0.eq_ignore_ascii_case(name)).map(|function| function.1)
    }

    /// The name of the function as it is written.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The names of all functions, for a suggestion.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FUNCTIONS.iter().map(|function| function.0)
    }

    pub(super) fn wrong_count(self, count: usize) -> Option<ExprErrorKind> {
        let (_, _, least, most) = self.row();
        match count {
            _ if count < *least => Some(ExprErrorKind::TooFewParameters),
            _ if count > *most => Some(ExprErrorKind::TooManyParameters),
            _ if self == Self::Case && count.is_multiple_of(2) => Some(ExprErrorKind::EvenParameters),
            _ => None,
        }
    }

    fn row(self) -> &'static (&'static str, Self, usize, usize) {
        FUNCTIONS.iter().find(|function| function.1 == self).expect("every function is in the table")
    }
}

impl StatusFunction {
    /// The status function that this is, if it is one.
    pub fn of(function: Function) -> Option<Self> {
        match function {
            Function::Success => Some(Self::Success),
            Function::Failure => Some(Self::Failure),
            Function::Always => Some(Self::Always),
            Function::Cancelled => Some(Self::Cancelled),
            _ => None,
        }
    }
}

/// A text that grows no longer than its limit.
#[derive(Default)]
pub(super) struct Bounded(String);

impl Bounded {
    pub(super) fn push(&mut self, text: &str) -> Result<(), EvalError> {
        if self.0.len() + text.len() > TEXT_BYTES_MAX {
            return Err(EvalError::TooLarge(TEXT_BYTES_MAX));
        }
        self.0.push_str(text);
        Ok(())
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

pub(super) fn contains(whole: &Data, part: &Data) -> bool {
    match whole.items() {
        Some(items) => items.iter().any(|item| View::of(item).equal(part.view())),
        None => both_folded(whole, part).is_some_and(|(whole, part)| whole.contains(&part)),
    }
}

pub(super) fn starts_with(whole: &Data, part: &Data) -> bool {
    both_folded(whole, part).is_some_and(|(whole, part)| whole.starts_with(&part))
}

pub(super) fn ends_with(whole: &Data, part: &Data) -> bool {
    both_folded(whole, part).is_some_and(|(whole, part)| whole.ends_with(&part))
}

fn both_folded(whole: &Data, part: &Data) -> Option<(String, String)> {
    let are_texts = whole.view().is_primitive() && part.view().is_primitive();
    are_texts.then(|| (fold(&whole.to_text()), fold(&part.to_text())))
}

pub(super) fn join(values: &Data, separator: Option<&Data>) -> Result<String, EvalError> {
    let Some(items) = values.items() else {
        let is_text = values.view().is_primitive();
        return Ok(if is_text { values.to_text().into_owned() } else { String::new() });
    };
    let separator = separator.filter(|separator| separator.view().is_primitive()).map(Data::to_text);
    let separator = separator.as_deref().unwrap_or(",");
    let mut out = Bounded::default();
    for (ix, item) in items.iter().enumerate() {
        if ix > 0 {
            out.push(separator)?;
        }
        out.push(&super::to_text(item))?;
    }
    Ok(out.into_text())
}

/// `{0}` is the first argument after the format; `{{` and `}}` are braces.
pub(super) fn format(pattern: &str, arguments: &[String]) -> Result<String, EvalError> {
    let invalid = || EvalError::Function(format!("The following format string is invalid: {pattern}"));
    let mut out = Bounded::default();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        out.push(&rest[..at])?;
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            out.push(brace)?;
            rest = after;
            continue;
        }
        let (number, after) = rest.split_once('}').filter(|_| brace == "{").ok_or_else(invalid)?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let ix: u8 = number.parse().ok().filter(|_| is_number).ok_or_else(invalid)?;
        let argument = arguments.get(usize::from(ix)).ok_or_else(|| {
            let why = "The following format string references more arguments than were supplied";
            EvalError::Function(format!("{why}: {pattern}"))
        })?;
        out.push(argument)?;
        rest = after;
    }
    out.push(rest)?;
    Ok(out.into_text())
}

pub(super) fn from_json(text: &str) -> Result<Value, EvalError> {
    if text.len() > JSON_BYTES_MAX {
        return Err(EvalError::TooLarge(JSON_BYTES_MAX));
    }
    if text.trim().is_empty() {
        return Err(EvalError::Function("Error parsing fromJSON: empty input".to_owned()));
    }
    let read: Result<Value, _> = cuelight_base::read_json(text);
    read.map_err(|error| EvalError::Function(format!("Error parsing fromJSON: {error}")))
}

/// The value as indented JSON, as GitHub writes it.
pub(super) fn to_json(data: &Data) -> Result<String, EvalError> {
    let mut out = Bounded::default();
    match data {
        Data::Json(value) => write_json(value, 0, &mut out)?,
        Data::Number(_) => out.push(&data.to_text())?,
        Data::Filtered(items) => write_items(items, 0, &mut out)?,
    }
    Ok(out.into_text())
}

fn write_json(value: &Value, depth: usize, out: &mut Bounded) -> Result<(), EvalError> {
    match value {
        Value::Null => out.push("null"),
        Value::Bool(value) => out.push(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push(&number_text(number)),
        Value::String(text) => out.push(&json_text(text)),
        Value::Array(items) => write_items(items, depth, out),
        Value::Object(map) if map.is_empty() => out.push("{}"),
        Value::Object(map) => {
            deep_enough(depth)?;
            out.push("{")?;
            for (ix, (key, value)) in map.iter().enumerate() {
                new_line(ix > 0, depth + 1, out)?;
                out.push(&json_text(key))?;
                out.push(": ")?;
                write_json(value, depth + 1, out)?;
            }
            new_line(false, depth, out)?;
            out.push("}")
        }
    }
}

fn write_items(items: &[Value], depth: usize, out: &mut Bounded) -> Result<(), EvalError> {
    if items.is_empty() {
        return out.push("[]");
    }
    deep_enough(depth)?;
    out.push("[")?;
    for (ix, value) in items.iter().enumerate() {
        new_line(ix > 0, depth + 1, out)?;
        write_json(value, depth + 1, out)?;
    }
    new_line(false, depth, out)?;
    out.push("]")
}

fn deep_enough(depth: usize) -> Result<(), EvalError> {
    if depth < JSON_DEPTH_MAX {
        return Ok(());
    }
    Err(EvalError::Function(format!("toJSON: the value is nested deeper than {JSON_DEPTH_MAX} levels")))
}

fn new_line(comma: bool, depth: usize, out: &mut Bounded) -> Result<(), EvalError> {
    out.push(if comma { ",\n" } else { "\n" })?;
    (0..depth).try_for_each(|_| out.push("  "))
}

fn json_text(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}
