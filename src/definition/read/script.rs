//! A script of a file, and the shell that runs it.

use super::fields::Reader;
use crate::{
    Placed, Script, shell,
    yaml::{Node, Shape},
};

/// A script whose expressions are bound to variables.
pub(super) fn script(
    reader: &mut Reader<'_, '_>,
    node: &Node,
    what: &str,
    shell: &[String],
) -> Option<Script> {
    let Shape::Scalar(scalar) = &node.shape else {
        reader.wrong_type(node, &format!("{what} is text"));
        return None;
    };
    if scalar.text.trim().is_empty() {
        reader.findings.error("missing-key", node.place, format!("{what} is empty")).help("write a command");
        return None;
    }
    Some(shell::bind(reader, Placed::new(scalar.text.clone(), node.place), shell))
}

pub(super) fn shell_words(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Vec<String>> {
    reader.word(node, "a shell").map(|word| shell::words(&word.value))
}
