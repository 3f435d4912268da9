//! An expression as a tree, and what can be known of it without evaluating it.

use std::ops::Range;

use super::{
    function::{Function, StatusFunction},
    value::float_text,
};

/// An expression that was read. At most as deep as `EXPRESSION_DEPTH_MAX`, so walking it cannot run out of
/// stack.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub(super) source: String,
    pub(super) root: Node,
}

/// One place of the tree and the bytes it was written in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) span: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum NodeKind {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Context(String),
    Index(Box<Node>, Key),
    Call(Function, Vec<Node>),
    Not(Box<Node>),
    Compare(Comparison, Box<(Node, Node)>),
    And(Vec<Node>),
    Or(Vec<Node>),
}

/// The key in the brackets or after the dot.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    Star,
    Node(Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A context that an expression reads, and how far into it is known without evaluating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The context as it was written, for example `steps`.
    pub root: String,
    /// The segments after it, as far as they are fixed: `["build", "outputs", "tag"]`.
    pub path: Vec<String>,
    /// True if it continues with `*` or with a key that is only known when evaluated.
    pub is_open: bool,
    /// The bytes of the expression's text from the root to the last fixed segment.
    pub span: Range<usize>,
}

impl Expr {
    /// The text it was read from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Every context it reads, in the order of the text.
    pub fn references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        self.root.collect_references(&mut found);
        found
    }

    /// Every function it calls and where, in the order of the text.
    pub fn functions(&self) -> Vec<(Function, Range<usize>)> {
        let mut found = Vec::new();
        self.root.visit(&mut |node| {
            if let NodeKind::Call(function, _) = &node.kind {
                found.push((*function, node.span.clone()));
            }
        });
        found
    }

    /// True when it asks for a failure before it: `failure()`, `cancelled()` or `!success()`.
    pub fn asks_for_a_failure(&self) -> bool {
        let calls = |node: &Node, which: &[StatusFunction]| matches!(&node.kind, NodeKind::Call(function, _) if StatusFunction::of(*function).is_some_and(|status_function| which.contains(&status_function)));
        let mut asks = false;
        self.root.visit(&mut |node| {
            asks |= calls(node, &[StatusFunction::Failure, StatusFunction::Cancelled]);
            if let NodeKind::Not(inner) = &node.kind {
                inner.visit(&mut |node| asks |= calls(node, &[StatusFunction::Success]));
            }
        });
        asks
    }

    /// True if it calls a status function. A condition without one means `success() && …`.
    pub fn uses_status_function(&self) -> bool {
        self.functions().iter().any(|(function, _)| StatusFunction::of(*function).is_some())
    }
}

impl Node {
    fn visit(&self, see: &mut dyn FnMut(&Self)) {
        see(self);
        match &self.kind {
            NodeKind::Index(base, key) => {
                base.visit(see);
                if let Key::Node(key) = key {
                    key.visit(see);
                }
            }
            NodeKind::Not(inner) => inner.visit(see),
            NodeKind::Compare(_, sides) => {
                sides.0.visit(see);
                sides.1.visit(see);
            }
            NodeKind::Call(_, nodes) | NodeKind::And(nodes) | NodeKind::Or(nodes) => {
                for node in nodes {
                    node.visit(see);
                }
            }
            NodeKind::Null
            | NodeKind::Bool(_)
            | NodeKind::Number(_)
            | NodeKind::Text(_)
            | NodeKind::Context(_) => {}
        }
    }

    fn collect_references(&self, found: &mut Vec<Reference>) {
        match &self.kind {
            NodeKind::Context(_) | NodeKind::Index(..) => {
                let (base, keys) = self.chain();
                if let NodeKind::Context(root) = &base.kind {
                    found.push(reference(root, base, &keys));
                } else {
                    base.collect_references(found);
                }
                for (_, key) in keys {
                    if let Key::Node(key) = key {
                        key.collect_references(found);
                    }
                }
            }
            NodeKind::Not(inner) => inner.collect_references(found),
            NodeKind::Compare(_, sides) => {
                sides.0.collect_references(found);
                sides.1.collect_references(found);
            }
            NodeKind::Call(_, nodes) | NodeKind::And(nodes) | NodeKind::Or(nodes) => {
                for node in nodes {
                    node.collect_references(found);
                }
            }
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) | NodeKind::Text(_) => {}
        }
    }

    /// `a.b[c].d` as `a` and its keys from left to right, each with the node that ends there.
    pub(super) fn chain(&self) -> (&Self, Vec<(&Self, &Key)>) {
        let (mut node, mut keys) = (self, Vec::new());
        while let NodeKind::Index(base, key) = &node.kind {
            keys.push((node, key));
            node = base;
        }
        keys.reverse();
        (node, keys)
    }

    /// The context and path that this node names, when all of it is fixed.
    pub(super) fn fixed_path(&self) -> Option<(&str, Vec<String>)> {
        let (base, keys) = self.chain();
        let NodeKind::Context(root) = &base.kind else { return None };
        let path = keys.into_iter().map(|(_, key)| key.fixed()).collect::<Option<_>>()?;
        Some((root, path))
    }
}

impl Key {
    /// The segment, when it is written as a text or a number. Both mean the same to an object and to an
    /// array.
    pub(super) fn fixed(&self) -> Option<String> {
        let Self::Node(node) = self else { return None };
        match &node.kind {
            NodeKind::Text(text) => Some(text.clone()),
            NodeKind::Number(number) => Some(float_text(*number)),
            _ => None,
        }
    }
}

fn reference(root: &str, base: &Node, keys: &[(&Node, &Key)]) -> Reference {
    let path: Vec<String> = keys.iter().map_while(|(_, key)| key.fixed()).collect();
    let last = if path.is_empty() { base } else { keys[path.len() - 1].0 };
    Reference {
        root: root.to_owned(),
        is_open: path.len() < keys.len(),
        span: base.span.start..last.span.end,
        path,
    }
}
