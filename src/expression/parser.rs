//! Words to tree, by recursive descent. The recursion and the tree are both bounded by GitHub's depth.

use std::ops::Range;

use super::{
    error::{ExprError, ExprErrorKind},
    function::Function,
    lexer::{Token, TokenKind, lex},
    tree::{Comparison, Expr, Key, Node, NodeKind},
};
use cuelight_base::{EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX};

/// The contexts and functions that an expression may name; any other is an error where it stands.
#[derive(Clone, Debug, Default)]
pub struct Names {
    contexts: Option<Vec<String>>,
    without: Vec<Function>,
}

impl Names {
    /// Any context, every function.
    pub fn any() -> Self {
        Self::default()
    }

    /// Only these contexts, in any case of letters.
    pub fn contexts<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { contexts: Some(names.into_iter().map(str::to_owned).collect()), without: Vec::new() }
    }

    /// The same without these functions, where they mean nothing.
    #[must_use]
    pub fn without(mut self, functions: &[Function]) -> Self {
        self.without.extend(functions);
        self
    }

    fn has_context(&self, name: &str) -> bool {
        let Some(contexts) = &self.contexts else { return true };
        contexts.iter().any(|context| context.eq_ignore_ascii_case(name))
    }

    fn function(&self, name: &str) -> Option<Function> {
        Function::named(name).filter(|function| !self.without.contains(function))
    }
}

/// Reads an expression, without its `${{ }}`, that may name any context.
pub fn parse(text: &str) -> Result<Expr, ExprError> {
    parse_with(text, &Names::any())
}

/// Reads an expression, without its `${{ }}`, that may name only what `names` allows.
pub fn parse_with(text: &str, names: &Names) -> Result<Expr, ExprError> {
    if text.chars().nth(EXPRESSION_CHARS_MAX).is_some() {
        return Err(ExprError::whole(ExprErrorKind::TooLong, 0..text.len()));
    }
    let tokens = lex(text)?;
    if tokens.is_empty() {
        return Err(ExprError::whole(ExprErrorKind::Empty, 0..text.len()));
    }
    let mut parser = Parser { text, names, tokens, at: 0, depth: 0 };
    let tree = parser.expression()?;
    match parser.peek() {
        Some(_) => Err(parser.unexpected()),
        None => Ok(Expr { source: text.to_owned(), root: tree.node }),
    }
}

struct Parser<'a> {
    text: &'a str,
    names: &'a Names,
    tokens: Vec<Token>,
    at: usize,
    /// Calls of `expression` and `unary` that are open.
    depth: usize,
}

/// A node and how many levels it has.
struct Tree {
    node: Node,
    height: usize,
}

type Parsed = Result<Tree, ExprError>;

impl Parser<'_> {
    fn expression(&mut self) -> Parsed {
        self.depth += 1;
        self.bounded(self.depth)?;
        let tree = self.any_of();
        self.depth -= 1;
        tree
    }

    /// `a || b || c`, one flat node.
    fn any_of(&mut self) -> Parsed {
        let first = self.all_of()?;
        self.flat(first, &TokenKind::Or, Self::all_of, NodeKind::Or)
    }

    /// `a && b && c`, one flat node.
    fn all_of(&mut self) -> Parsed {
        let first = self.equality()?;
        self.flat(first, &TokenKind::And, Self::equality, NodeKind::And)
    }

    fn flat(
        &mut self,
        first: Tree,
        sign: &TokenKind,
        next: fn(&mut Self) -> Parsed,
        make: fn(Vec<Node>) -> NodeKind,
    ) -> Parsed {
        if self.peek() != Some(sign) {
            return Ok(first);
        }
        let (start, mut height) = (first.node.span.start, first.height);
        let mut nodes = vec![first.node];
        while self.take(sign) {
            let tree = next(self)?;
            height = height.max(tree.height);
            nodes.push(tree.node);
        }
        self.tree(make(nodes), start, height + 1)
    }

    fn equality(&mut self) -> Parsed {
        let mut left = self.relation()?;
        loop {
            let comparison = match self.peek() {
                Some(TokenKind::Equal) => Comparison::Equal,
                Some(TokenKind::NotEqual) => Comparison::NotEqual,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.relation()?;
            left = self.compare(comparison, left, right)?;
        }
    }

    fn relation(&mut self) -> Parsed {
        let mut left = self.unary()?;
        loop {
            let comparison = match self.peek() {
                Some(TokenKind::Less) => Comparison::Less,
                Some(TokenKind::LessOrEqual) => Comparison::LessOrEqual,
                Some(TokenKind::Greater) => Comparison::Greater,
                Some(TokenKind::GreaterOrEqual) => Comparison::GreaterOrEqual,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.unary()?;
            left = self.compare(comparison, left, right)?;
        }
    }

    fn compare(&mut self, comparison: Comparison, left: Tree, right: Tree) -> Parsed {
        let (start, height) = (left.node.span.start, left.height.max(right.height) + 1);
        self.tree(NodeKind::Compare(comparison, Box::new((left.node, right.node))), start, height)
    }

    fn unary(&mut self) -> Parsed {
        let start = self.here().start;
        if !self.take(&TokenKind::Not) {
            return self.indexed();
        }
        self.depth += 1;
        self.bounded(self.depth)?;
        let inner = self.unary()?;
        self.depth -= 1;
        self.tree(NodeKind::Not(Box::new(inner.node)), start, inner.height + 1)
    }

    /// A context, call or group with what follows it: `.name`, `.*`, `[key]`, `[*]`.
    fn indexed(&mut self) -> Parsed {
        let is_literal = !matches!(self.peek(), Some(TokenKind::Name | TokenKind::OpenGroup));
        let mut tree = self.primary()?;
        if is_literal {
            return Ok(tree);
        }
        loop {
            let (key, key_height) = if self.take(&TokenKind::Dot) {
                (self.property()?, 1)
            } else if self.take(&TokenKind::OpenIndex) {
                self.bracketed()?
            } else {
                return Ok(tree);
            };
            let (start, height) = (tree.node.span.start, tree.height.max(key_height) + 1);
            tree = self.tree(NodeKind::Index(Box::new(tree.node), key), start, height)?;
        }
    }

    fn property(&mut self) -> Result<Key, ExprError> {
        if self.take(&TokenKind::Star) {
            return Ok(Key::Star);
        }
        let span = self.here();
        if !self.take(&TokenKind::Name) {
            return Err(self.unexpected());
        }
        let kind = NodeKind::Text(self.text[span.clone()].to_owned());
        Ok(Key::Node(Box::new(Node { kind, span })))
    }

    fn bracketed(&mut self) -> Result<(Key, usize), ExprError> {
        let key = if self.take(&TokenKind::Star) {
            (Key::Star, 1)
        } else {
            let tree = self.expression()?;
            (Key::Node(Box::new(tree.node)), tree.height)
        };
        self.expect(&TokenKind::CloseIndex)?;
        Ok(key)
    }

    fn primary(&mut self) -> Parsed {
        let span = self.here();
        let kind = match self.peek() {
            Some(TokenKind::Null) => NodeKind::Null,
            Some(TokenKind::Bool(value)) => NodeKind::Bool(*value),
            Some(TokenKind::Number(value)) => NodeKind::Number(*value),
            Some(TokenKind::Text(value)) => NodeKind::Text(value.clone()),
            Some(TokenKind::Name) => return self.named(span),
            Some(TokenKind::OpenGroup) => {
                self.at += 1;
                let mut inner = self.expression()?;
                self.expect(&TokenKind::CloseGroup)?;
                inner.node.span = span.start..self.tokens[self.at - 1].span.end;
                return Ok(inner);
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(Tree { node: Node { kind, span }, height: 1 })
    }

    /// A context, or a function with its arguments.
    fn named(&mut self, span: Range<usize>) -> Parsed {
        self.at += 1;
        let name = &self.text[span.clone()];
        if !self.take(&TokenKind::OpenGroup) {
            if !self.names.has_context(name) {
                return Err(ExprError::at(ExprErrorKind::UnrecognizedNamedValue, self.text, span));
            }
            return Ok(Tree { node: Node { kind: NodeKind::Context(name.to_owned()), span }, height: 1 });
        }
        let Some(function) = self.names.function(name) else {
            return Err(ExprError::at(ExprErrorKind::UnrecognizedFunction, self.text, span));
        };
        let (arguments, height) = self.arguments()?;
        if let Some(kind) = function.wrong_count(arguments.len()) {
            return Err(ExprError::at(kind, self.text, span));
        }
        self.tree(NodeKind::Call(function, arguments), span.start, height + 1)
    }

    fn arguments(&mut self) -> Result<(Vec<Node>, usize), ExprError> {
        let (mut nodes, mut height) = (Vec::new(), 0);
        if self.take(&TokenKind::CloseGroup) {
            return Ok((nodes, height));
        }
        loop {
            let tree = self.expression()?;
            height = height.max(tree.height);
            nodes.push(tree.node);
            if !self.take(&TokenKind::Comma) {
                self.expect(&TokenKind::CloseGroup)?;
                return Ok((nodes, height));
            }
        }
    }

    /// A node from `start` to the last word taken, unless it would be too deep.
    fn tree(&self, kind: NodeKind, start: usize, height: usize) -> Parsed {
        self.bounded(height)?;
        let end = self.tokens[self.at - 1].span.end;
        Ok(Tree { node: Node { kind, span: start..end }, height })
    }

    fn bounded(&self, depth: usize) -> Result<(), ExprError> {
        if depth > EXPRESSION_DEPTH_MAX {
            return Err(ExprError::whole(ExprErrorKind::TooDeep, 0..self.text.len()));
        }
        Ok(())
    }

    fn peek(&self) -> Option<&TokenKind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    fn here(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.text.len()..self.text.len(), |token| token.span.clone())
    }

    fn take(&mut self, kind: &TokenKind) -> bool {
        let found = self.peek() == Some(kind);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, kind: &TokenKind) -> Result<(), ExprError> {
        if self.take(kind) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The word that may not stand here; at the end, the last word there was.
    fn unexpected(&self) -> ExprError {
        let (kind, token) = match self.tokens.get(self.at) {
            Some(token) => (ExprErrorKind::UnexpectedSymbol, token),
            None => (ExprErrorKind::UnexpectedEnd, &self.tokens[self.tokens.len() - 1]),
        };
        ExprError::at(kind, self.text, token.span.clone())
    }
}
