//! The copies of a step: axes, `include`, `exclude`, as GitHub has them.

use super::{
    declared::check_name,
    fields::{Object, Reader},
};
use crate::{
    Axes, Matrix, MatrixSource, Place, Placed,
    document::{MATRIX, STRATEGY},
    yaml::{Node, Shape},
};
use cuelight_base::{MATRIX_COPIES_MAX, Value, ValueMap, type_name};

/// `matrix:`, or the one inside `strategy:`.
pub(super) fn matrix(reader: &mut Reader<'_, '_>, step: &Object<'_>) -> Option<Matrix> {
    match (step.get("matrix"), step.get("strategy")) {
        (Some(_), Some(strategy)) => {
            let place = step.key_place("strategy").unwrap_or(strategy.place);
            reader
                .findings
                .error("duplicate-key", place, "`strategy` is another way to write `matrix`")
                .help("keep one of the two");
            None
        }
        (Some(node), None) => one(reader, node, step.key_place("matrix")),
        (None, Some(node)) => {
            let found = reader.object(node, &STRATEGY)?;
            let mut matrix =
                found.get("matrix").and_then(|matrix| one(reader, matrix, found.key_place("matrix")))?;
            settings(reader, &found, &mut matrix);
            Some(matrix)
        }
        (None, None) => None,
    }
}

fn settings(reader: &mut Reader<'_, '_>, found: &Object<'_>, matrix: &mut Matrix) {
    if let Some(node) = found.get("max-parallel") {
        matrix.max_parallel = reader.small(node, "`max-parallel`", 1, 10_000);
    }
    if let Some(node) = found.get("fail-fast") {
        matrix.fail_fast = reader.boolean(node, "`fail-fast`").unwrap_or(true);
    }
}

fn one(reader: &mut Reader<'_, '_>, node: &Node, key: Option<Place>) -> Option<Matrix> {
    let place = key.unwrap_or(node.place);
    let mut out = Matrix {
        source: MatrixSource::Constant(Axes::default()),
        max_parallel: None,
        fail_fast: true,
        place,
    };
    if let Shape::Scalar(scalar) = &node.shape {
        if !scalar.text.contains("${{") {
            reader.wrong_type(node, "a matrix is a mapping of axes, or an expression");
            return None;
        }
        out.source = MatrixSource::Computed(reader.data(node));
        return Some(out);
    }
    let found = reader.open_object(node, &MATRIX)?;
    settings(reader, &found, &mut out);
    let mut value = ValueMap::new();
    let mut is_computed = false;
    for entry in &found.rest {
        check_name(reader, &entry.key, entry.place, "an axis");
        is_computed |= holds_expression(&entry.value);
        axis_shape(reader, &entry.value, &entry.key);
        value.insert(entry.key.clone(), reader.data(&entry.value).value);
    }
    for key in ["include", "exclude"] {
        let Some(node) = found.get(key) else { continue };
        is_computed |= holds_expression(node);
        additions(reader, node, key);
        value.insert(key.to_owned(), reader.data(node).value);
    }
    if value.is_empty() {
        reader
            .findings
            .error("value", place, "a matrix without axes has no copies")
            .help("name at least one axis");
    }
    let value = Value::Object(value);
    out.source = if is_computed {
        MatrixSource::Computed(Placed::new(value, node.place))
    } else {
        MatrixSource::Constant(Axes::of_value(&value).unwrap_or_default())
    };
    Some(out)
}

fn axis_shape(reader: &mut Reader<'_, '_>, node: &Node, name: &str) {
    match &node.shape {
        Shape::List(items) if items.is_empty() => {
            let message = format!("the axis `{name}` has no values");
            reader
                .findings
                .error("value", node.place, message)
                .help("then the step has no copies; remove the axis");
        }
        Shape::List(_) => {}
        Shape::Scalar(scalar) if scalar.text.contains("${{") => {}
        _ => reader.wrong_type(node, &format!("the axis `{name}` is a list of values")),
    }
}

fn additions(reader: &mut Reader<'_, '_>, node: &Node, key: &str) {
    if matches!(&node.shape, Shape::Scalar(scalar) if scalar.text.contains("${{")) {
        return;
    }
    for item in reader.list(node, &format!("`{key}` is a list of mappings")) {
        if !matches!(item.shape, Shape::Map(_)) && !holds_expression(item) {
            reader.wrong_type(item, &format!("an entry of `{key}` is a mapping of axes to values"));
        }
    }
}

fn holds_expression(node: &Node) -> bool {
    let mut any = false;
    node.texts(&mut |text, _| any |= text.contains("${{"));
    any
}

impl Axes {
    /// Reads a matrix from its value: what the file says, or what an expression has given. A list of mappings is
    /// a matrix without axes, each entry one copy.
    ///
    /// # Errors
    /// The mistake, as the end of a sentence that begins with "could not read the matrix".
    pub fn of_value(value: &Value) -> Result<Self, String> {
        let maps = |value: &Value, what: &str| -> Result<Vec<ValueMap>, String> {
            let wrong = || format!("{what} is a list of mappings");
            let items = value.as_array().ok_or_else(wrong)?;
            items.iter().map(|item| item.as_object().cloned().ok_or_else(wrong)).collect()
        };
        let entries = match value {
            Value::Array(_) => return Ok(Self { include: maps(value, "it")?, ..Self::default() }),
            Value::Object(entries) => entries,
            other => return Err(format!("it is of type {}, not a mapping of axes", type_name(other))),
        };
        let mut out = Self::default();
        for (name, value) in entries {
            match (name.as_str(), value) {
                ("include", value) => out.include = maps(value, "`include`")?,
                ("exclude", value) => out.exclude = maps(value, "`exclude`")?,
                ("max-parallel" | "fail-fast", _) => {}
                (_, Value::Array(values)) => out.axes.push((name.clone(), values.clone())),
                (_, other) => {
                    return Err(format!("the axis `{name}` is of type {}, not a list", type_name(other)));
                }
            }
        }
        Ok(out)
    }

    /// The copies in order: the product of the axes with the last one turning fastest, less what is excluded, with
    /// what is included. An `include` that agrees with a copy on every axis it names adds its other keys to it;
    /// one that agrees with none is a copy of its own.
    ///
    /// # Errors
    /// When there are more copies than allowed.
    pub fn copies(&self) -> Result<Vec<ValueMap>, String> {
        let too_many = |count: &str| format!("it has {count} copies, more than {MATRIX_COPIES_MAX}");
        let product = self.axes.iter().try_fold(1_usize, |all, (_, values)| {
            all.checked_mul(values.len()).filter(|sum| *sum <= MATRIX_COPIES_MAX)
        });
        let count = product.ok_or_else(|| too_many("too many"))?;
        if count + self.include.len() > 2 * MATRIX_COPIES_MAX || self.include.len() > MATRIX_COPIES_MAX {
            return Err(too_many("too many"));
        }
        let mut copies: Vec<ValueMap> = if self.axes.is_empty() { Vec::new() } else { self.product() };
        copies.retain(|copy| !self.exclude.iter().any(|entry| agrees(copy, entry, |_| true)));
        let originals = copies.clone();
        for extra in &self.include {
            let is_axis = |name: &str| self.axes.iter().any(|(axis, _)| axis == name);
            let fits = |copy: &ValueMap| agrees(copy, extra, is_axis);
            let mut any = false;
            for (copy, original) in copies.iter_mut().zip(&originals) {
                if fits(original) {
                    any = true;
                    copy.extend(
                        extra.iter().filter(|(key, _)| !is_axis(key)).map(|(k, v)| (k.clone(), v.clone())),
                    );
                }
            }
            if !any {
                copies.push(extra.clone());
            }
        }
        if copies.len() > MATRIX_COPIES_MAX { Err(too_many(&copies.len().to_string())) } else { Ok(copies) }
    }

    fn product(&self) -> Vec<ValueMap> {
        self.axes.iter().fold(vec![ValueMap::new()], |copies, (name, values)| {
            let with = |copy: &ValueMap, value: &Value| {
                let mut copy = copy.clone();
                copy.insert(name.clone(), value.clone());
                copy
            };
            copies.iter().flat_map(|copy| values.iter().map(move |value| with(copy, value))).collect()
        })
    }
}

/// True if a copy has every value that an entry names, among the keys that count.
fn agrees(copy: &ValueMap, entry: &ValueMap, counts: impl Fn(&str) -> bool) -> bool {
    entry.iter().filter(|(key, _)| counts(key)).all(|(key, value)| copy.get(key) == Some(value))
}
