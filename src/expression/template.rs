//! Text with `${{ }}` holes: `${{ inputs.name }}-${{ matrix.os }}`.
//!
//! A text that is one hole and nothing else keeps the type of its value; any other becomes text.

use std::ops::Range;

use super::{
    error::{EvalError, ExprError, ExprErrorKind},
    evaluate::{evaluate, evaluate_text},
    function::Bounded,
    lookup::Lookup,
    parser::{Names, parse_with},
    tree::Expr,
};
use cuelight_base::Value;

/// A text that was read, with its holes.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A piece of a template, in the order of the text.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text that stays as it is; never empty.
    Text(String),
    /// A hole, filled when evaluated.
    Hole(Hole),
}

/// One `${{ … }}` of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Hole {
    /// The bytes of the whole `${{ … }}` in the template's text.
    pub span: Range<usize>,
    /// The bytes of the expression inside, in the template's text: add its start to a span of [`Expr`].
    pub inner: Range<usize>,
    /// The expression inside, as written, without the space around it.
    pub source: String,
    /// The expression that was read.
    pub expr: Expr,
}

impl Template {
    /// Reads a text whose holes may name any context.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        Self::parse_with(text, &Names::any())
    }

    /// Reads a text whose holes may name only what `names` allows. Places in an error are of this text.
    pub fn parse_with(text: &str, names: &Names) -> Result<Self, ExprError> {
        let (mut parts, mut from) = (Vec::new(), 0);
        while let Some(start) = text[from..].find("${{").map(|index| index + from) {
            push_text(&mut parts, &text[from..start]);
            let hole = hole_at(text, start, names)?;
            from = hole.span.end;
            parts.push(Part::Hole(hole));
        }
        push_text(&mut parts, &text[from..]);
        Ok(Self { parts })
    }

    /// True if no hole is in it: the text is the value.
    pub fn is_plain(&self) -> bool {
        self.holes().next().is_none()
    }

    /// The pieces, in the order of the text.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The holes, in the order of the text.
    pub fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hole(hole) => Some(hole),
            Part::Text(_) => None,
        })
    }

    /// The value: of the one hole with its type, or else the text with every hole filled.
    pub fn evaluate(&self, lookup: &dyn Lookup) -> Result<Value, EvalError> {
        match self.parts.as_slice() {
            [Part::Hole(hole)] => evaluate(&hole.expr, lookup),
            _ => self.evaluate_text(lookup).map(Value::String),
        }
    }

    /// The text with every hole filled, also when there is but one.
    pub fn evaluate_text(&self, lookup: &dyn Lookup) -> Result<String, EvalError> {
        let mut out = Bounded::default();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push(text)?,
                Part::Hole(hole) => out.push(&evaluate_text(&hole.expr, lookup)?)?,
            }
        }
        Ok(out.into_text())
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// Reads the hole whose `${{` stands at byte `start`.
fn hole_at(text: &str, start: usize, names: &Names) -> Result<Hole, ExprError> {
    let open = start + "${{".len();
    let Some(close) = closing(&text[open..]).map(|closing| closing + open) else {
        return Err(ExprError::whole(ExprErrorKind::Unclosed, 0..open - start).moved(text, start));
    };
    let written = &text[open..close];
    let source = written.trim();
    let inner_start = open + (written.len() - written.trim_start().len()).min(written.len());
    let expr = parse_with(source, names).map_err(|error| match error.kind {
        ExprErrorKind::Empty => {
            ExprError::whole(ExprErrorKind::Empty, 0..close + 2 - start).moved(text, start)
        }
        _ => error.moved(text, inner_start),
    })?;
    Ok(Hole {
        span: start..close + "}}".len(),
        inner: inner_start..inner_start + source.len(),
        source: source.to_owned(),
        expr,
    })
}

/// The place of the `}}` that ends the hole: the first outside of quotes.
fn closing(text: &str) -> Option<usize> {
    let mut is_quoted = false;
    text.bytes().zip(text.bytes().skip(1).chain([0])).position(|(this, next)| {
        is_quoted ^= this == b'\'';
        !is_quoted && this == b'}' && next == b'}'
    })
}
