//! Values as expressions see them: GitHub's coercions, comparisons and number texts.
//!
//! Numbers are `f64` here and nowhere else in the quiet half. A number that only passes through keeps the
//! digits it was written with.

use std::{borrow::Cow, cmp::Ordering};

use serde_json::Number;

use cuelight_base::Value;

/// A value in the middle of an evaluation.
#[derive(Clone, Debug)]
pub(super) enum Data {
    /// A JSON value as it came.
    Json(Value),
    /// A number written in the expression; unlike in JSON it may be `NaN` or infinite.
    Number(f64),
    /// The values that a `*` selected: an array whose next index goes into each item.
    Filtered(Vec<Value>),
}

/// The form of a value that coercion looks at.
#[derive(Clone, Copy, Debug)]
pub(super) enum View<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(&'a str),
    Array,
    Object,
}

impl Data {
    pub(super) const NULL: Self = Self::Json(Value::Null);

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Json(Value::String(text.into()))
    }

    pub(super) fn view(&self) -> View<'_> {
        match self {
            Self::Json(value) => View::of(value),
            Self::Number(number) => View::Number(*number),
            Self::Filtered(_) => View::Array,
        }
    }

    /// The items, when it is an array of either sort.
    pub(super) fn items(&self) -> Option<&[Value]> {
        match self {
            Self::Json(Value::Array(items)) | Self::Filtered(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Json(value) => text_of(value),
            Self::Number(number) => Cow::Owned(float_text(*number)),
            Self::Filtered(_) => Cow::Borrowed("Array"),
        }
    }

    /// As JSON, which knows no `NaN` (null, which is as false) and no infinity (its text, which is as true).
    pub(super) fn into_json(self) -> Value {
        match self {
            Self::Json(value) => value,
            Self::Filtered(items) => Value::Array(items),
            Self::Number(number) if number.is_nan() => Value::Null,
            Self::Number(number) => float_text(number)
                .parse::<i64>()
                .map(Number::from)
                .ok()
                .or_else(|| Number::from_f64(number))
                .map_or_else(|| Value::String(float_text(number)), Value::Number),
        }
    }
}

impl<'a> View<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(float(number)),
            Value::String(text) => Self::Text(text),
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }

    pub(super) fn is_primitive(self) -> bool {
        !matches!(self, Self::Array | Self::Object)
    }

    pub(super) fn truthy(self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => value,
            Self::Number(number) => number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::Array | Self::Object => true,
        }
    }

    pub(super) fn number(self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Bool(value) => f64::from(u8::from(value)),
            Self::Number(number) => number,
            Self::Text(text) => parse_number(text),
            Self::Array | Self::Object => f64::NAN,
        }
    }

    /// `a == b`: unlike kinds meet as numbers; objects and arrays equal nothing but themselves, which is
    /// for the evaluator, as it knows where they come from.
    #[expect(clippy::float_cmp, reason = "GitHub compares numbers exactly")]
    pub(super) fn equal(self, other: Self) -> bool {
        match (self, other) {
            (Self::Array | Self::Object, _) | (_, Self::Array | Self::Object) => false,
            (Self::Null, Self::Null) => true,
            (Self::Text(left), Self::Text(right)) => compare_folded(left, right) == Ordering::Equal,
            (left, right) => left.number() == right.number(),
        }
    }

    /// `a < b` and `a > b`; none if neither holds, as with `NaN` and with objects.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Array | Self::Object, _) | (_, Self::Array | Self::Object) => None,
            (Self::Text(left), Self::Text(right)) => Some(compare_folded(left, right)),
            (left, right) => left.number().partial_cmp(&right.number()),
        }
    }
}

/// True if GitHub takes it for true: all but null, false, zero, `NaN` and the empty text.
pub fn truthy(value: &Value) -> bool {
    View::of(value).truthy()
}

/// The value inside a text, as GitHub writes it there: objects and arrays only by their names.
/// A whole number keeps all its digits.
pub fn to_text(value: &Value) -> String {
    text_of(value).into_owned()
}

fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Number(number) => Cow::Owned(number_text(number)),
        Value::String(text) => Cow::Borrowed(text),
        Value::Array(_) => Cow::Borrowed("Array"),
        Value::Object(_) => Cow::Borrowed("Object"),
    }
}

/// A JSON number as text. Whole numbers stay as written: an id of 18 digits is not rounded.
pub(super) fn number_text(number: &Number) -> String {
    let written = number.to_string();
    let digits = written.strip_prefix('-').unwrap_or(&written);
    let is_whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_whole && digits != "0" { written } else { float_text(float(number)) }
}

fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or_else(|| parse_number(&number.to_string()))
}

/// A number as GitHub writes it: 15 significant digits, an exponent only when it is very large or small.
pub(super) fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{number:.14e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("`e` was asked for");
    let exponent: i32 = exponent.parse().expect("an exponent is a whole number");
    if (-4..15).contains(&exponent) {
        let decimals = usize::try_from(14 - exponent).expect("the exponent is below 15");
        let fixed = format!("{number:.decimals$}");
        return if fixed.contains('.') {
            fixed.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            fixed
        };
    }
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}E{sign}{:02}", exponent.abs())
}

/// The number in a text, as GitHub reads it; `NaN` when it is none.
pub(super) fn parse_number(text: &str) -> f64 {
    let text = text.trim();
    match text {
        "" => return 0.0,
        "Infinity" | "+Infinity" => return f64::INFINITY,
        "-Infinity" => return f64::NEG_INFINITY,
        _ => {}
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return whole_number(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return whole_number(digits, 8);
    }
    // Rust also reads `inf` and `nan`; GitHub does not.
    let is_decimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if is_decimal { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}

fn whole_number(digits: &str, radix: u32) -> f64 {
    if digits.is_empty() {
        return f64::NAN;
    }
    digits
        .chars()
        .try_fold(0.0, |sum, digit| {
            digit.to_digit(radix).map(|digit| sum * f64::from(radix) + f64::from(digit))
        })
        .unwrap_or(f64::NAN)
}

/// True if two names are the same key: case does not count.
pub(super) fn same_name(left: &str, right: &str) -> bool {
    left == right || compare_folded(left, right) == Ordering::Equal
}

/// The text in upper case, letter by letter, as .NET folds it.
pub(super) fn fold(text: &str) -> String {
    text.chars().map(fold_char).collect()
}

fn compare_folded(left: &str, right: &str) -> Ordering {
    folded_units(left).cmp(folded_units(right))
}

/// GitHub orders texts by their UTF-16 units.
fn folded_units(text: &str) -> impl Iterator<Item = u16> + '_ {
    text.chars().flat_map(|letter| {
        let mut units = [0; 2];
        let count = fold_char(letter).encode_utf16(&mut units).len();
        units.into_iter().take(count)
    })
}

/// One letter for one letter; the dotless `ı` and the long `ſ` stay apart from `I` and `S`.
fn fold_char(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (letter, upper.next(), upper.next()) {
        ('ı' | 'ſ', ..) => letter,
        (_, Some(single), None) => single,
        _ => letter,
    }
}
