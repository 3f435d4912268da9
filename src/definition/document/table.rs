//! The types of a table: keys, their other spellings, and the shapes of their values.

/// A mapping with fixed keys.
#[derive(Debug)]
pub(crate) struct Table {
    /// The name of this mapping in messages: `a step`.
    pub(crate) what: &'static str,
    /// The keys in canonical order.
    pub(crate) keys: &'static [Key],
}

/// One key of a table.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) also: &'static [Spelling],
    pub(crate) shape: Shape,
    pub(crate) doc: &'static str,
    pub(crate) required: bool,
}

/// Another system's word for a key, and what becomes of its value.
#[derive(Debug)]
pub(crate) struct Spelling {
    pub(crate) name: &'static str,
    pub(crate) value: Convert,
}

/// The conversion of a value whose key has another spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Convert {
    /// The value stays as it is.
    Same,
    /// A bare number of minutes or seconds gets its unit.
    Unit(&'static str),
    /// Repetitions become calls in all.
    PlusOne,
}

/// The shape of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Text that may hold `${{ }}`; numbers and booleans are taken as they are written.
    Text,
    /// Text that holds no expressions.
    Word,
    Bool,
    Whole(u64, u64),
    /// A decimal number, such as `0.25`.
    Decimal,
    Duration,
    /// A number of bytes: `512MiB`.
    Size,
    /// One expression, with or without `${{ }}`.
    Expression,
    OneOf(&'static [&'static str]),
    Any,
    OneOrMany(&'static Self),
    List(&'static Self),
    /// A mapping with free keys.
    Map(&'static Self),
    Table(&'static Table),
    /// A value of any of these shapes.
    Either(&'static [Self]),
}

impl Key {
    const fn new(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, also: &[], shape, doc, required: false }
    }

    pub(super) const fn also(mut self, also: &'static [Spelling]) -> Self {
        self.also = also;
        self
    }

    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

pub(super) const fn same(name: &'static str) -> Spelling {
    Spelling { name, value: Convert::Same }
}

pub(super) const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key::new(name, shape, doc)
}
