//! Evaluation of a tree with a lookup to a value. Only needed parts are evaluated: the right side of `&&`,
//! `||` and the values of `case` not before they are chosen. Never waits, never fails on a missing value:
//! that is null.

use std::{cell::Cell, cmp::Ordering};

use super::{
    error::EvalError,
    function::{self, Function, StatusFunction, TEXT_BYTES_MAX},
    lookup::{Lookup, NoHash, array_index, member},
    tree::{Comparison, Expr, Key, Node, NodeKind},
    value::{Data, View},
};
use cuelight_base::Value;

/// The value of an expression, with its JSON type.
///
/// JSON knows no `NaN` and no infinity: the first becomes null, the second its text. To decide, use
/// [`evaluate_truth`]; inside a text, [`evaluate_text`]; both see the number itself.
pub fn evaluate(expr: &Expr, lookup: &dyn Lookup) -> Result<Value, EvalError> {
    Ok(Evaluation::new(lookup).node(&expr.root)?.into_json())
}

/// The value of an expression inside a text.
pub fn evaluate_text(expr: &Expr, lookup: &dyn Lookup) -> Result<String, EvalError> {
    Ok(Evaluation::new(lookup).node(&expr.root)?.to_text().into_owned())
}

/// True if a condition holds.
pub fn evaluate_truth(expr: &Expr, lookup: &dyn Lookup) -> Result<bool, EvalError> {
    Ok(Evaluation::new(lookup).node(&expr.root)?.view().truthy())
}

struct Evaluation<'a> {
    lookup: &'a dyn Lookup,
    /// Bytes of text that may still be made: many small pieces may not outgrow memory either.
    bytes_left: Cell<usize>,
}

impl<'a> Evaluation<'a> {
    fn new(lookup: &'a dyn Lookup) -> Self {
        Self { lookup, bytes_left: Cell::new(TEXT_BYTES_MAX) }
    }

    fn node(&self, node: &Node) -> Result<Data, EvalError> {
        Ok(match &node.kind {
            NodeKind::Null => Data::NULL,
            NodeKind::Bool(value) => Data::Json(Value::Bool(*value)),
            NodeKind::Number(number) => Data::Number(*number),
            NodeKind::Text(text) => Data::text(text.as_str()),
            NodeKind::Context(_) | NodeKind::Index(..) => return self.chain(node),
            NodeKind::Call(function, arguments) => return self.call(*function, arguments),
            NodeKind::Not(inner) => Data::Json(Value::Bool(!self.node(inner)?.view().truthy())),
            NodeKind::Compare(comparison, sides) => {
                Data::Json(Value::Bool(self.compare(*comparison, &sides.0, &sides.1)?))
            }
            NodeKind::And(nodes) => return self.first_that_is(false, nodes),
            NodeKind::Or(nodes) => return self.first_that_is(true, nodes),
        })
    }

    /// The first value that decides, or the last.
    fn first_that_is(&self, truth: bool, nodes: &[Node]) -> Result<Data, EvalError> {
        let mut last = Data::NULL;
        for node in nodes {
            last = self.node(node)?;
            if last.view().truthy() == truth {
                break;
            }
        }
        Ok(last)
    }

    fn compare(&self, comparison: Comparison, left: &Node, right: &Node) -> Result<bool, EvalError> {
        let (one, two) = (self.node(left)?, self.node(right)?);
        let equal = || one.view().equal(two.view()) || is_same_thing(left, right, &one, &two);
        let order = || one.view().compare(two.view());
        Ok(match comparison {
            Comparison::Equal => equal(),
            Comparison::NotEqual => !equal(),
            Comparison::Less => order().is_some_and(Ordering::is_lt),
            Comparison::LessOrEqual => equal() || order().is_some_and(Ordering::is_lt),
            Comparison::Greater => order().is_some_and(Ordering::is_gt),
            Comparison::GreaterOrEqual => equal() || order().is_some_and(Ordering::is_gt),
        })
    }

    /// `a.b[c].d`: as much of the path as is a plain name goes to the lookup in one question.
    fn chain(&self, node: &Node) -> Result<Data, EvalError> {
        let (base, keys) = node.chain();
        let mut keys = keys.into_iter().map(|(_, key)| key);
        let (mut data, mut next) = if let NodeKind::Context(root) = &base.kind {
            let mut path = Vec::new();
            let next = loop {
                match keys.next().map(|key| self.key(key)).transpose()? {
                    Some(Selector::Key(key)) if is_segment(&key) => path.push(key.to_text().into_owned()),
                    other => break other,
                }
            };
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            (Data::Json(self.lookup.lookup(root, &path).unwrap_or_default()), next)
        } else {
            (self.node(base)?, None)
        };
        loop {
            let selector = match next.take() {
                Some(selector) => selector,
                None => match keys.next() {
                    Some(key) => self.key(key)?,
                    None => return Ok(data),
                },
            };
            data = select(data, &selector);
        }
    }

    fn key(&self, key: &Key) -> Result<Selector, EvalError> {
        match key {
            Key::Star => Ok(Selector::Star),
            Key::Node(node) => self.node(node).map(Selector::Key),
        }
    }

    fn call(&self, function: Function, nodes: &[Node]) -> Result<Data, EvalError> {
        if let Some(which) = StatusFunction::of(function) {
            return Ok(Data::Json(Value::Bool(self.lookup.status(which))));
        }
        if function == Function::Case {
            return self.case(nodes);
        }
        match function {
            Function::Format => {
                let texts = self.texts(nodes)?;
                return self.made(function::format(&texts[0], &texts[1..])?).map(Data::text);
            }
            Function::HashFiles => return self.hash_files(self.texts(nodes)?),
            _ => {}
        }
        let first = self.node(&nodes[0])?;
        let second = nodes.get(1).map(|node| self.node(node)).transpose()?;
        let truth = |holds: fn(&Data, &Data) -> bool| {
            let second = second.as_ref().expect("the parser counts arguments");
            Data::Json(Value::Bool(holds(&first, second)))
        };
        Ok(match function {
            Function::Contains => truth(function::contains),
            Function::StartsWith => truth(function::starts_with),
            Function::EndsWith => truth(function::ends_with),
            Function::Join => Data::text(self.made(function::join(&first, second.as_ref())?)?),
            Function::ToJson => Data::text(self.made(function::to_json(&first)?)?),
            Function::FromJson => Data::Json(function::from_json(&first.to_text())?),
            Function::Format
            | Function::HashFiles
            | Function::Case
            | Function::Success
            | Function::Failure
            | Function::Always
            | Function::Cancelled => unreachable!("answered above"),
        })
    }

    /// The arguments as texts, each value dropped as soon as it is one.
    fn texts(&self, nodes: &[Node]) -> Result<Vec<String>, EvalError> {
        nodes.iter().map(|node| self.made(self.node(node)?.to_text().into_owned())).collect()
    }

    /// The same text, counted.
    fn made(&self, text: String) -> Result<String, EvalError> {
        let left = self.bytes_left.get().checked_sub(text.len());
        self.bytes_left.set(left.ok_or(EvalError::TooLarge(TEXT_BYTES_MAX))?);
        Ok(text)
    }

    /// `case(predicate, value, …, default)`: only a boolean decides, and only the chosen value is evaluated.
    fn case(&self, nodes: &[Node]) -> Result<Data, EvalError> {
        let (default, pairs) = nodes.split_last().expect("the parser counts arguments");
        for pair in pairs.chunks_exact(2) {
            match self.node(&pair[0])? {
                Data::Json(Value::Bool(true)) => return self.node(&pair[1]),
                Data::Json(Value::Bool(false)) => {}
                _ => {
                    let why = "case predicate must evaluate to a boolean value";
                    return Err(EvalError::Function(why.to_owned()));
                }
            }
        }
        self.node(default)
    }

    fn hash_files(&self, patterns: Vec<String>) -> Result<Data, EvalError> {
        match self.lookup.hash_files(&patterns) {
            Ok(hash) => Ok(Data::text(hash)),
            Err(NoHash::NotRead) => Err(EvalError::NeedsFiles(patterns)),
            Err(NoHash::Failed(why)) => Err(EvalError::Function(format!("hashFiles: {why}"))),
        }
    }
}

/// A key that has been evaluated.
enum Selector {
    Star,
    Key(Data),
}

/// True if a key's text is enough to look it up in an object or an array.
fn is_segment(key: &Data) -> bool {
    matches!(key.view(), View::Text(_) | View::Number(_))
}

/// An object or array equals nothing but itself: the same place of the same context.
fn is_same_thing(left: &Node, right: &Node, one: &Data, two: &Data) -> bool {
    if one.view().is_primitive() || two.view().is_primitive() {
        return false;
    }
    match (left.fixed_path(), right.fixed_path()) {
        (Some((root, path)), Some((other_root, other_path))) => {
            let same = |one: &str, two: &str| View::Text(one).equal(View::Text(two));
            same(root, other_root)
                && path.len() == other_path.len()
                && path.iter().zip(&other_path).all(|(one, two)| same(one, two))
        }
        _ => false,
    }
}

fn select(data: Data, selector: &Selector) -> Data {
    match (data, selector) {
        (Data::Filtered(items), Selector::Star) => {
            Data::Filtered(items.into_iter().flat_map(members).collect())
        }
        (Data::Filtered(items), Selector::Key(key)) => {
            Data::Filtered(items.iter().filter_map(|item| child(item, key).cloned()).collect())
        }
        (Data::Json(value), Selector::Star) => Data::Filtered(members(value)),
        (Data::Json(value), Selector::Key(key)) => {
            Data::Json(child(&value, key).cloned().unwrap_or_default())
        }
        (Data::Number(_), Selector::Star) => Data::Filtered(Vec::new()),
        (Data::Number(_), Selector::Key(_)) => Data::NULL,
    }
}

fn members(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        Value::Object(map) => map.into_iter().map(|(_, value)| value).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn child<'a>(value: &'a Value, key: &Data) -> Option<&'a Value> {
    if !key.view().is_primitive() {
        return None;
    }
    match value {
        Value::Object(map) => member(map, &key.to_text()),
        Value::Array(items) => items.get(array_index(key.view().number())?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
