//! The questions an expression asks of the world around it, and the plain answer from a map.

use super::{
    function::StatusFunction,
    value::{parse_number, same_name},
};
use cuelight_base::{Value, ValueMap};

/// Answers the names of an expression. All answers are known already: no lookup waits.
pub trait Lookup {
    /// The value at `path` inside the context `root`; none when it is not there, which an expression sees as
    /// null.
    ///
    /// An empty path asks for the whole context. A longer one asks for no more than is needed, so that
    /// `steps.x.outputs.y` does not gather all steps. Names are the same in any case of letters, and a
    /// segment can be the index of an array: end with [`descend`], which knows both.
    fn lookup(&self, root: &str, path: &[&str]) -> Option<Value>;

    /// True if `success()`, `failure()`, `always()` or `cancelled()` holds here.
    fn status(&self, which: StatusFunction) -> bool;

    /// Returns the hash of the files that match.
    fn hash_files(&self, patterns: &[String]) -> Result<String, NoHash>;
}

/// The reason why `hashFiles` has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoHash {
    /// The files have to be read first; evaluate again when they are.
    NotRead,
    /// The files could not be read, as a sentence.
    Failed(String),
}

/// The value at `path` inside `value`: keys in any case of letters, indexes of arrays as numbers.
pub fn descend<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, segment| match value {
        Value::Object(map) => member(map, segment),
        Value::Array(items) => items.get(array_index(parse_number(segment))?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// The value of a key: the exact spelling first, then the same name in another case.
pub(super) fn member<'a>(map: &'a ValueMap, name: &str) -> Option<&'a Value> {
    map.get(name).or_else(|| map.iter().find(|(key, _)| same_name(key, name)).map(|(_, value)| value))
}

/// The place in an array that a number means; none when it is negative or no number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be in the range of u32 first"
)]
pub(super) fn array_index(number: f64) -> Option<usize> {
    let whole = number.floor();
    (0.0..f64::from(u32::MAX)).contains(&whole).then_some(whole as usize)
}

/// Contexts in a map, before anything has failed: for `eval` and for tests.
#[derive(Clone, Debug, Default)]
pub struct MapLookup {
    contexts: ValueMap,
}

impl MapLookup {
    /// Answers from the members of `contexts`.
    pub fn new(contexts: ValueMap) -> Self {
        Self { contexts }
    }
}

impl Lookup for MapLookup {
    fn lookup(&self, root: &str, path: &[&str]) -> Option<Value> {
        descend(member(&self.contexts, root)?, path).cloned()
    }

    fn status(&self, which: StatusFunction) -> bool {
        matches!(which, StatusFunction::Success | StatusFunction::Always)
    }

    fn hash_files(&self, _patterns: &[String]) -> Result<String, NoHash> {
        Err(NoHash::NotRead)
    }
}
